/* A job: levels, bars, tools, prompts and items, loaded from a folder
 * (workloads/JOB.md, workloads/custsvc/FORMAT.md).
 *
 * The caller owns the struct; eb_suite_load fills it, eb_suite_free frees it
 * (NULL and zeroed structs are fine). Strings point into the trees the suite
 * holds. Once loaded it is read-only: any number of threads may use it.
 *
 *     struct eb_suite s = {0};
 *     struct eb_case c = {0};
 *     rc = eb_suite_load(&s, "custsvc", &err);
 *     rc = eb_case_fill(&c, &s, &s.levels[0], &s.levels[0].items[0],
 *                       EB_PROMPT_CLEAR, seed, &err);
 *     ... c.system, c.user ...
 *     eb_case_free(&c);
 *     eb_suite_free(&s);
 */
#ifndef EB_SUITE_H
#define EB_SUITE_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/hash.h"

#define EB_JOB_SCHEMA "edgebench.job/1"
#define EB_SUITE_LANGS_MAX 8
#define EB_SUITE_LEVELS_MAX 16
#define EB_SUITE_FILE_MAX (16u << 20)

enum eb_kind {
    EB_KIND_JSON,
    EB_KIND_TOOLCALL,
    EB_KIND_GROUNDED,
    EB_KIND_DIALOG,
    EB_KIND_CALLS
};
const char *eb_kind_name(enum eb_kind kind);

enum eb_prompt_kind { EB_PROMPT_CLEAR, EB_PROMPT_VAGUE, EB_PROMPT_KINDS };
const char *eb_prompt_kind_name(enum eb_prompt_kind kind);
int eb_prompt_kind_parse(const char *name); /* -1 if unknown */

enum eb_field_type {
    EB_FIELD_ENUM,
    EB_FIELD_BOOL,
    EB_FIELD_INT,
    EB_FIELD_STRING,
    EB_FIELD_ID,
    EB_FIELD_SET /* an array of distinct values in any order */
};

/* A key of an answer or an argument of a tool. */
struct eb_field {
    const char *name;
    enum eb_field_type type;
    const char **values; /* enum, set */
    size_t n_values;
    int64_t min, max;   /* int */
    int max_chars;      /* string: code points */
    const char *prefix; /* id: prefix and that many digits */
    int digits;
    int nullable; /* null, "" and absent mean the same */
    int paired;   /* 0: may differ within a pair of items */
};

struct eb_tool {
    const char *name;
    struct eb_field *args;
    size_t n_args;
};

struct eb_item {
    const char *id;
    const char *pair_id;
    const char *lang;
    const char *cluster;
    const char *capability;
    const char *stratum;
    int line; /* in the items file, from 1 */
    cJSON *json;
};

struct eb_level {
    const char *name;
    enum eb_kind kind;
    const char *items_file;
    const char **capabilities;
    size_t n_capabilities;
    double bar;
    const char *why;
    double alpha;
    int critical_cap; /* items of the pool that may fail critically; -1: any */
    int constrain;
    int max_tokens;
    struct eb_field *fields; /* json, grounded */
    size_t n_fields;
    const struct eb_tool **tools; /* toolcall, dialog; into suite.tools */
    size_t n_tools;
    const cJSON *functions; /* calls: those that items name; NULL: none */
    int paired;             /* 0: no item has one in another language */
    const char *user[EB_SUITE_LANGS_MAX]; /* NULL: message alone */
    char *prompts[EB_PROMPT_KINDS][EB_SUITE_LANGS_MAX];
    const cJSON *nulls; /* NULL for dialog */
    const cJSON *json;  /* this level in job.json */
    struct eb_item *items;
    size_t n_items;
};

struct eb_dialog_ops; /* workloads/check.h */

struct eb_suite {
    char *dir;
    const char *name;
    const char *version;
    char digest[EB_SHA256_HEX];
    const char *langs[EB_SUITE_LANGS_MAX];
    size_t n_langs;
    int64_t today; /* days since 1970-01-01 */
    struct eb_tool *tools;
    size_t n_tools;
    struct eb_level *levels;
    size_t n_levels;
    const cJSON *service_bars;
    cJSON *json; /* job.json */
    /* Plays and checks items of dialog levels; NULL until set by the
     * caller, then those levels are only loaded. */
    const struct eb_dialog_ops *dialog;
};

/* `name` is a folder that holds job.json or the name of a known suite.
 * EB_ENOENT with the known names if it is neither; EB_EINVAL or EB_EPARSE
 * with "file:line: $.path: what" for wrong content. */
int eb_suite_load(struct eb_suite *s, const char *name, struct eb_err *err);
void eb_suite_free(struct eb_suite *s);

/* Folder of a suite by name or path; free with free(). */
int eb_suite_find(const char *name, char **dir, struct eb_err *err);
/* Names of the suites in the known places, sorted, without repeats; free
 * with eb_fs_list_free. */
void eb_suite_names(char ***names, size_t *n);

/* -1 if the suite has no such language. */
int eb_suite_lang(const struct eb_suite *s, const char *lang);
const struct eb_level *eb_suite_level(const struct eb_suite *s,
                                      const char *name);
/* NULL if the level has no such tool or field. */
const struct eb_tool *eb_level_tool(const struct eb_level *level,
                                    const char *name);
const struct eb_field *eb_field_find(const struct eb_field *fields, size_t n,
                                     const char *name);

/* One item with its slots filled from the seed. */
struct eb_case {
    const struct eb_suite *suite;
    const struct eb_level *level;
    const struct eb_item *item;
    const char *system; /* into the suite */
    char *user;
    cJSON *filled;            /* the whole item, filled; the rest points in */
    const cJSON *gold;        /* NULL where a dialog item has none */
    const cJSON *comparators; /* NULL: all exact */
    const cJSON *must;        /* NULL: none */
    const cJSON *must_not;
    cJSON *tools; /* calls: the item's functions; refers to filled */
};

/* Equal arguments give equal cases, everywhere and on any day; the items of
 * a pair draw the same numbers. */
int eb_case_fill(struct eb_case *c, const struct eb_suite *s,
                 const struct eb_level *level, const struct eb_item *item,
                 enum eb_prompt_kind prompt, uint64_t seed, struct eb_err *err);
void eb_case_free(struct eb_case *c);

#endif
