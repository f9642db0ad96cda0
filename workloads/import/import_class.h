/* What importers of messages with labels share: rows, label lists, examples
 * that give no item away. The caller owns the structs; zero-initialise. */
#ifndef EB_IMPORT_CLASS_H
#define EB_IMPORT_CLASS_H

#include "workloads/import/import.h"

#define EB_IMPORT_SAID_MAX 160 /* characters of a slot */

struct eb_import_row {
    char *text;  /* one line */
    char *norm;  /* normalised */
    char *label; /* may be any text of the importer's */
};

struct eb_import_rows {
    struct eb_import_row *v;
    size_t n, cap;
};

/* Texts are copied; the text becomes one line. */
void eb_import_rows_add(struct eb_import_rows *r, const char *text,
                        const char *label);
void eb_import_rows_free(struct eb_import_rows *r);
/* Rows whose text, normalised, is also one of the other rows. */
size_t eb_import_rows_shared(const struct eb_import_rows *r,
                             const struct eb_import_rows *other);

/* Names without repeats in the order they came. */
struct eb_import_labels {
    char **v;
    size_t n;
};
void eb_import_labels_add(struct eb_import_labels *l, const char *name);
/* Takes away the labels that no gold of the level holds in the field;
 * returns how many. */
size_t eb_import_labels_keep(struct eb_import_labels *l,
                             struct eb_import_suite *s, const char *level,
                             const char *field);
void eb_import_labels_free(struct eb_import_labels *l);

/* A row with the label (NULL: any), drawn by the seed, that does not hold
 * the text of a test row; short ones first. NULL if there is none. Draws for
 * the n-th time give other rows while there are any. */
const struct eb_import_row *
eb_import_example(const struct eb_import_rows *train, const char *label,
                  const struct eb_import_rows *test, uint64_t seed, size_t nth);

/* An enum field or set. */
cJSON *eb_import_field(const char *name, const char *type,
                       const struct eb_import_labels *values);
/* An array of nullable strings, one a label: words of the message, which
 * differ between languages. */
cJSON *eb_import_said_fields(const struct eb_import_labels *labels);
/* A level of kind json with its fields (taken over). refuse and escalate are
 * JSON texts of the null models. */
cJSON *eb_import_json_level(const char *name, double bar, const char *why,
                            int constrain, int max_tokens, cJSON *fields,
                            const char *refuse, const char *escalate);
/* An item with one message. The gold is taken over. */
cJSON *eb_import_message(const char *text, const char *capability,
                         const char *stratum, cJSON *gold);

/* Lines "label: an example", the form the keyword null model reads. Labels
 * without an example stand alone. */
struct eb_buf;
void eb_import_label_lines(struct eb_buf *out,
                           const struct eb_import_labels *labels,
                           const struct eb_import_rows *train,
                           const struct eb_import_rows *test, uint64_t seed);
/* "a, b, c". */
void eb_import_label_list(struct eb_buf *out,
                          const struct eb_import_labels *labels);

#endif
