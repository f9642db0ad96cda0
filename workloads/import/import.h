/* Public data sets into job folders (workloads/import/README.md).
 *
 * An importer reads files in the form their publishers give them and hands
 * levels, items and prompts to a writer; the writer drops what could not be
 * judged or stands twice, applies the limit, numbers the items, and puts the
 * folder in place only when it loads as a suite. An importer never writes.
 *
 *     static int mine_run(const struct eb_import_options *o,
 *                         struct eb_import_suite *s, struct eb_err *err)
 *     {
 *         eb_import_set_text(s, "mine", "What it is", "https://...",
 *                            "CC-BY-4.0, Somebody 2020");
 *         eb_import_add_level(s, level);
 *         eb_import_add_prompt(s, "sort", "clear", "en", "You sort ...");
 *         eb_import_add_prompt(s, "sort", "vague", "en", "Sort this.");
 *         eb_import_add_item(s, "sort", item);
 *         eb_import_note(s, "%zu rows without a label", n);
 *         return 0;
 *     }
 *
 * One thread. */
#ifndef EB_IMPORT_H
#define EB_IMPORT_H

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

#define EB_IMPORT_FILE_MAX (256u << 20) /* bytes of one file read */

struct eb_import_options {
    const char *path;
    const char *out;
    long long limit; /* items a level and language; 0: all */
    uint64_t seed;   /* choice of examples and of items under a limit */
};

struct eb_import_suite;

struct eb_importer {
    const char *name;
    const char *what; /* one line for help */
    /* Any error is shown as it is: one sentence with file and line. */
    int (*run)(const struct eb_import_options *o, struct eb_import_suite *s,
               struct eb_err *err);
};

extern const struct eb_importer eb_import_banking77;
extern const struct eb_importer eb_import_clinc150;
extern const struct eb_importer eb_import_nlupp;
extern const struct eb_importer eb_import_massive;
extern const struct eb_importer eb_import_bfcl;
extern const struct eb_importer eb_import_acebench;
extern const struct eb_importer eb_import_crosswoz;
extern const struct eb_importer eb_import_star;
extern const struct eb_importer eb_import_tau;
extern const struct eb_importer eb_import_tau2;

/* Ends with NULL. */
extern const struct eb_importer *const eb_importers[];
/* NULL if there is none of that name. */
const struct eb_importer *eb_importer_find(const char *name);

/* Reads everything, then writes o->out; prints what came of it to `report`
 * (may be NULL). EB_ECONFLICT if the folder exists and is not empty. On any
 * error nothing is left behind. */
int eb_import_run(const struct eb_importer *im,
                  const struct eb_import_options *o, FILE *report,
                  struct eb_err *err);

/* The writer. Texts are copied, trees taken over. */

/* name: a-z, 0-9 and -. source: where to get it; licence: with whom to
 * credit. */
void eb_import_set_text(struct eb_import_suite *s, const char *name,
                        const char *title, const char *source,
                        const char *licence);
/* An object of job.json's `tools`; first use of a name wins. */
void eb_import_add_tool(struct eb_import_suite *s, cJSON *tool);
/* An object of job.json's `levels`. Left out and filled in: items, prompts;
 * alpha (0.05) and capabilities (those of the items) if they are absent.
 * "paired": false where items of different languages are no translations. */
void eb_import_add_level(struct eb_import_suite *s, cJSON *level);
/* kind: "clear" or "vague". The languages of the suite are those of its
 * prompts in the order they come. */
void eb_import_add_prompt(struct eb_import_suite *s, const char *level,
                          const char *kind, const char *lang, const char *text);
/* A further file of the suite. */
void eb_import_add_file(struct eb_import_suite *s, const char *name,
                        const char *text);
/* An item (workloads/custsvc/FORMAT.md) . Filled in:
 * level, id; if absent lang ("en"), pair_id ("<level>-<running number>"),
 * cluster (the pair's id) and stratum (the capability). The items of a pair
 * are added one after the other with the same pair_id. Dropped, and noted,
 * with its pair: what holds the text "${", and what says nearly the same as
 * an earlier item of the level. */
void eb_import_add_item(struct eb_import_suite *s, const char *level,
                        cJSON *item);
/* 1 if a gold kept so far holds the label in the field, alone or in a set. */
int eb_import_has_label(struct eb_import_suite *s, const char *level,
                        const char *field, const char *label);
/* A line of the README's "What was left out". */
void eb_import_note(struct eb_import_suite *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
