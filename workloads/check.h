/* Is a suite fit to decide anything? Run by its makers, by the tests and by
 * `edgebench` on request.
 *
 * For every level and language: the answer key scores every item, under
 * several seeds; every null model is INSUFFICIENT; no two items say the same;
 * no label fills the level or is missing; each item has its counterpart in
 * the other languages, with the same gold and slots; no prompt shows an item.
 *
 *     struct eb_suite s = {0};
 *     rc = eb_suite_load(&s, "custsvc", &err);
 *     problems = eb_suite_check(&s, stdout);
 */
#ifndef EB_CHECK_H
#define EB_CHECK_H

#include <stdio.h>

#include "workloads/grade.h"
#include "workloads/nulls.h"
#include "workloads/suite.h"

/* What levels of kind dialog plug in: set suite.dialog to a table of these
 * before checking. Without it such levels are listed as not checked, and
 * that is counted as a problem if they hold items. */
struct eb_dialog_ops {
    /* Names of the null players, NULL-terminated. */
    const char *const *nulls;
    /* 0, or EB_EINVAL and what is wrong with the item's own fields. */
    int (*check_item)(const struct eb_case *c, struct eb_err *err);
    /* Plays the conversation with a player that is no model: a null player
     * by name, or the answer key if the name is NULL. */
    void (*play)(const struct eb_case *c, const char *null_name,
                 struct eb_rng *rng, struct eb_result *result);
};

/* Limits that count as problems. */
#define EB_CHECK_SEEDS 5        /* key replays of every item */
#define EB_CHECK_OVERLAP 0.80   /* common tokens of two messages */
#define EB_CHECK_LABEL_MAX 0.30 /* share of one of 5 or more labels */
#define EB_CHECK_FEW_MAX 0.85   /* ... of one of fewer labels */
#define EB_CHECK_TOOL_MAX 0.45  /* share of one tool */
#define EB_CHECK_NULL_MIN 0.15  /* share of questions without an answer */
#define EB_CHECK_NULL_MAX 0.50

/* Prints a table and one sentence a problem (out may be NULL); returns the
 * number of problems. */
int eb_suite_check(const struct eb_suite *s, FILE *out);

#endif
