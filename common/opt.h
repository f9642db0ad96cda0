/* Command-line options from one table: parsing and help text.
 *
 *     struct eb_opt opts[] = {
 *         {"suite", 's', EB_OPT_STR, &suite, "NAME", "job to run"},
 *         {"model", 'm', EB_OPT_LIST, &models, "FILE", "model (repeatable)"},
 *         {"limit", 0, EB_OPT_INT, &limit, "N", "at most N items a level"},
 *         {"json", 0, EB_OPT_FLAG, &json, NULL, "result as JSON"},
 *         {0}};
 *     rc = eb_opt_parse(opts, argc, argv, &n_args, &err);
 *
 * Accepts --name VALUE, --name=VALUE, -n VALUE, -nVALUE, `--` and, for
 * flags, --no-name. Non-option arguments are moved, in order, to
 * argv[argc - n_args ..]. -h/--help is an ordinary flag in the table.
 */
#ifndef EB_OPT_H
#define EB_OPT_H

#include <stdio.h>

#include "common/err.h"

enum eb_opt_type {
    EB_OPT_FLAG, /* int: 1 or, as --no-name, 0 */
    EB_OPT_STR,  /* const char *: points into argv */
    EB_OPT_INT,  /* long long: decimal, whole text must be a number */
    EB_OPT_LIST  /* struct eb_opt_list: repeatable string */
};

/* At most EB_OPT_LIST_MAX values, more is EB_EUSAGE. */
#define EB_OPT_LIST_MAX 256
struct eb_opt_list {
    const char *v[EB_OPT_LIST_MAX];
    int n;
};

struct eb_opt {
    const char *name; /* long name; NULL ends the table */
    char short_name;  /* 0: none */
    enum eb_opt_type type;
    void *target;
    const char *arg; /* placeholder in help; NULL for flags */
    const char *help;
};

/* EB_EUSAGE with one sentence for an unknown option (with "did you mean"
 * for a near miss), a missing or malformed value. argv[0] is skipped. */
int eb_opt_parse(const struct eb_opt *opts, int argc, char **argv, int *n_args,
                 struct eb_err *err);

/* EB_EUSAGE with one sentence for a number that is not from lo to hi. */
int eb_opt_within(const char *option, long long v, long long lo, long long hi,
                  struct eb_err *err);

/* One aligned line an option. */
void eb_opt_help(const struct eb_opt *opts, FILE *out);

#endif
