/* What the writer holds between an importer's calls; for import.c and
 * import_write.c only. */
#ifndef EB_IMPORT_PARTS_H
#define EB_IMPORT_PARTS_H

#include <stddef.h>

#include "common/buf.h"
#include "workloads/check_text.h"
#include "workloads/import/import.h"
#include "workloads/suite.h"

struct import_item {
    cJSON *json;
    struct eb_check_text text;
};

struct import_level {
    char *name;
    cJSON *json; /* NULL until added */
    struct import_item *items;
    size_t n, cap;
    size_t added;   /* pairs, for running numbers */
    char *dropped;  /* pair_id of the pair dropped last */
    size_t n_slots; /* pairs dropped for "${" */
    size_t n_same;  /* ... as repeats */
};

struct import_file {
    char *name;
    char *text;
};

struct eb_import_suite {
    char *name, *title, *source, *licence;
    char *langs[EB_SUITE_LANGS_MAX];
    size_t n_langs;
    cJSON *tools;   /* array */
    cJSON *prompts; /* level name -> kind -> lang -> text */
    struct import_level levels[EB_SUITE_LEVELS_MAX];
    size_t n_levels;
    struct import_file *files;
    size_t n_files;
    struct eb_buf notes;
    int too_many; /* levels or languages */
};

/* Writes the folder; see eb_import_run. */
int eb_import_write(struct eb_import_suite *s, const struct eb_importer *im,
                    const struct eb_import_options *o, FILE *report,
                    struct eb_err *err);
/* EB_ECONFLICT if the folder is there and not empty. */
int eb_import_check_out(const char *out, struct eb_err *err);
/* See eb_import_has_label. */
int eb_import_level_has(const struct import_level *l, const char *field,
                        const char *label);
/* Removes an item and all after it. */
void eb_import_cut(struct import_level *l, size_t n);

#endif
