/* Repeats of one measurement until they say enough, or time is up.
 *
 *     eb_series_warm(&source, &rule, deadline, &s, &err);
 *     rc = eb_series_run(&source, &rule, deadline, &s, &err);
 *     stable = eb_series_judge(&s, &rule, reason);
 *
 * Warm-up ends when the means of two windows in a row agree within
 * rule.within; what it took is thrown away. Repeats end when the half width of
 * the 95 % t interval is at most rule.within of the mean, at rule.max, or at
 * the deadline. A series of several passes (ABBA: other models come between)
 * is one series: each pass adds at least rule.min repeats.
 *
 * Example: 100, 102, 98, 100, 100 ms have the mean 100 and t(4) s / sqrt(5) =
 * 2.776 * 1.414 / 2.236 = 1.76: within 2 %, five repeats are enough.
 *
 * The clock is the caller's, so that tests have their own. One thread. */
#ifndef EB_SPEED_SERIES_H
#define EB_SPEED_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define EB_SERIES_MAX 2000
#define EB_SERIES_PASSES 8
#define EB_SERIES_REASON 160

struct eb_series_rule {
    double within;     /* 0.02 */
    size_t min;        /* repeats a pass */
    size_t max;        /* ... at most EB_SERIES_MAX */
    int64_t window_ns; /* least length of a warm-up window */
};

struct eb_series_source {
    /* One repeat; what is not to be timed happens outside *ns. */
    int (*once)(void *arg, int64_t *ns, struct eb_err *err);
    int64_t (*now)(void *arg);
    int (*stop)(void *arg); /* asked between repeats */
    void *arg;
    int (*mark)(void *arg); /* what to note of the repeat that just ended, -1
                               to 1; NULL: 0 */
};

struct eb_series {
    int64_t *ns;
    signed char *mark; /* of each repeat */
    size_t n;
    size_t pass[EB_SERIES_PASSES]; /* where each begins */
    size_t n_passes;
    size_t warm_repeats; /* thrown away, of all passes */
    int cold_passes;     /* passes whose warm-up did not settle in its time */
};

void eb_series_free(struct eb_series *s);

/* Ends at the deadline at the latest, with at least one repeat done. */
int eb_series_warm(const struct eb_series_source *src,
                   const struct eb_series_rule *rule, int64_t deadline_ns,
                   struct eb_series *s, struct eb_err *err);
int eb_series_run(const struct eb_series_source *src,
                  const struct eb_series_rule *rule, int64_t deadline_ns,
                  struct eb_series *s, struct eb_err *err);

/* 1: the mean may be quoted. 0: reason says what speaks against it: too few
 * repeats, an interval that is too wide, passes that differ, a drift. */
int eb_series_judge(const struct eb_series *s,
                    const struct eb_series_rule *rule,
                    char reason[EB_SERIES_REASON]);

/* Half width of the 95 % t interval over the mean of the n values; INFINITY
 * for fewer than two. */
double eb_series_width(const int64_t *ns, size_t n);

#endif
