/* One language of one level against its bar: how the items decide.
 *
 *     eb_decision_open(&d, &rule, err);
 *     eb_decision_add(&d, 1, 0) ... item by item, in the record's order
 *     if (eb_decision_done(&d)) ... the rest of the pool need not be run
 *     eb_decision_row(&d, row);     members of summary.levels[]
 *
 * Two kinds of verdict, never mixed:
 *   early  about the pool, valid at any stop (common/sequential.h)
 *   exact  about all such items, one-sided Clopper-Pearson bounds, for a
 *          number of items set before
 * The row has both statements; `verdict` is that of the rule. More critical
 * failures than the cap are INSUFFICIENT in both. Beside the bar, a reference
 * model whose answers are known gives a second verdict: is this one at most
 * `margin` worse on the same items (paired, common/sequential.h)? The agent
 * stops by this code and every reader of a record recomputes by it. Caller owns
 * the struct, no memory is held. */
#ifndef EB_DECISION_H
#define EB_DECISION_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/err.h"
#include "common/sequential.h"
#include "common/stats.h"

#define EB_DECISION_BETA 0.10 /* error of INSUFFICIENT, where none is given */

struct eb_decision_rule {
    int early;
    int64_t pool; /* items; 0: unknown, then only exact */
    double bar;
    double alpha;
    double beta;
    int64_t cap;   /* critical failures allowed in the pool; -1: no cap */
    double margin; /* to a reference model's share; -1: there is none */
};

struct eb_decision {
    struct eb_decision_rule rule;
    struct eb_sequential q;
    struct eb_paired paired; /* against the reference */
    int64_t n;
    int64_t passes;
    int64_t critical;
};

/* The rule of a record's level definition for one language. */
struct eb_decision_rule eb_decision_rule(const cJSON *def, const char *lang);

/* EB_EINVAL for numbers out of range, with early only. */
int eb_decision_open(struct eb_decision *d, const struct eb_decision_rule *r,
                     struct eb_err *err);
struct eb_decision_item {
    int pass;
    int critical;
    int reference; /* did the reference model pass it? -1: not known */
};
/* Items past the end of the pool are left out. */
void eb_decision_add(struct eb_decision *d, struct eb_decision_item item);
/* The item of a record; 0 if it is not to be counted (harness_error). */
int eb_decision_item(const cJSON *json, struct eb_decision_item *item);
enum eb_verdict eb_decision_verdict(const struct eb_decision *d);
/* 1 if further items are not needed. */
int eb_decision_done(const struct eb_decision *d);
/* Adds n, passes, rate, lower, upper, verdict, more_items and decision. The
 * bounds hold at any stop if the rule is early. */
void eb_decision_row(const struct eb_decision *d, cJSON *row);

#endif
