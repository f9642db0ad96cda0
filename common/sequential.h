/* Decisions taken item by item, with the promised error whatever the reason
 * for stopping (bar reached, battery, time, heat).
 *
 * Pool. Unknown is T, the passes over all N items of the pool; the pool meets
 * the bar if T >= need = ceil(bar N). Items come in a random order without
 * replacement, so after n items with s passes the likelihood of T is
 * L(T) = C(N-n, T-s) / C(N, T) and
 *
 *     E = sum over T >= need of w(T) L(T) / max over T < need of L(T)
 *     G = sum over T < need of w(T) L(T) / max over T >= need of L(T)
 *
 * with weights of sum 1 on each side. If the truth is T0 < need, E is at most
 * sum w(T) L(T) / L(T0): a martingale of mean 1, so by Ville's inequality
 * P(E ever >= 1 / alpha) <= alpha. The same holds for G and beta
 * (Waudby-Smith and Ramdas 2020, arXiv 2006.04347; Vovk and Wang 2021,
 * doi 10.1214/20-AOS2020).
 * SUFFICIENT when E >= 1 / alpha, INSUFFICIENT when G >= 1 / beta, and certain
 * when one side has no possible T left, at the last item at the latest.
 *
 *     eb_sequential_open(&q, 150, 0.70, 0.05, 0.10, err);   need = 105
 *     eb_sequential_add(&q, 1) ...        after 17 passes in 17 items E > 20:
 *     q.verdict == EB_SUFFICIENT          133 items need not be run
 *
 * What the promise rests on: one order, uniformly random and not chosen after
 * the results, outcomes that do not depend on the place in the order, and
 * bar, alpha and beta set before the run. It speaks about this pool: a model
 * whose rate over all customers is just the bar passes every second pool.
 * That rate is for eb_sequential_rate, which needs more items, or, on a number
 * of items set before, for eb_stats_exact: after a stop chosen by the results
 * the latter's error of 5 % is 8 to 12 % (tests/bench/sequential.md).
 *
 * The caller owns the structs; they hold no memory. Any thread, one each. */
#ifndef EB_SEQUENTIAL_H
#define EB_SEQUENTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stats.h"

#define EB_SEQUENTIAL_MAX 10000 /* items of a pool; add is linear in it */

struct eb_sequential {
    int64_t pool; /* N */
    int64_t need; /* fewest passes of the pool that meet the bar */
    double alpha; /* error of SUFFICIENT */
    double beta;  /* error of INSUFFICIENT */
    int64_t n;    /* items seen */
    int64_t s;    /* passes among them */
    /* Natural logs of E and G and the largest so far (running maxima, at
     * least 0: the start); INFINITY and -INFINITY when certain. exp(-max) is
     * the p-value that is valid at any time. */
    double log_e_pass;
    double log_e_fail;
    double log_max_pass;
    double log_max_fail;
    int64_t decided_at; /* items seen at the first decision, -1 if none */
    int certain;        /* the pool's verdict can no longer change */
    enum eb_verdict verdict;
    double log_weight_pass; /* logs of the sums of the raw weights */
    double log_weight_fail;
};

struct eb_sequential_e {
    double log_pass;
    double log_fail;
};

/* The fewest passes of pool items whose rate is at least the bar: ceil(bar *
 * pool), where 0.7 * 150 counts as 105 whatever binary makes of it. */
int64_t eb_sequential_need(int64_t pool, double bar);

/* pool 1 .. EB_SEQUENTIAL_MAX, bar 0 .. 1, alpha and beta inside 0 .. 1; else
 * EB_EINVAL. Bar 0 is decided at once. */
int eb_sequential_open(struct eb_sequential *q, int64_t pool, double bar,
                       double alpha, double beta, struct eb_err *err);

/* Adds one item (pass 0 or 1). The first decision stands while more items
 * follow, unless certainty shows it to be wrong: that corrects it. EB_ELIMIT
 * when the whole pool was seen. Time linear in the pool. */
int eb_sequential_add(struct eb_sequential *q, int pass);

/* E and G after n items with s passes of an open q, whatever q has seen: both
 * depend on the order only through n and s, E rises and G falls in s. */
struct eb_sequential_e eb_sequential_at(const struct eb_sequential *q,
                                        int64_t n, int64_t s);

/* The decision after exactly n items is SUFFICIENT from *pass_at passes on
 * (n + 1 if none) and INSUFFICIENT up to *fail_at passes (-1 if none). */
void eb_sequential_limits(const struct eb_sequential *q, int64_t n,
                          int64_t *fail_at, int64_t *pass_at);

/* Adds n outcomes (0 or 1) in their order to a fresh q: how a reader of the
 * raw items recomputes a sender's verdict. EB_ELIMIT if they are more than the
 * pool; q then holds the whole pool. */
int eb_sequential_replay(struct eb_sequential *q, const unsigned char *passes,
                         size_t n, struct eb_err *err);

/* The same evidence about the rate p of all items of which those seen are an
 * independent draw: log_pass against p <= bar, log_fail against p >= bar.
 *
 *     E = 1 / (1-bar) * integral over bar .. 1 of p^s (1-p)^f dp
 *         / (bar^s (1-bar)^f)
 *
 * and G alike over 0 .. bar (Robbins 1970, doi 10.1214/aoms/1177696786):
 * P(E ever >= 1 / alpha) <= alpha whenever and why ever one stops. n items, bar
 * inside 0 .. 1. Below 1e-300 E and G are given as 0 (log -INFINITY). */
struct eb_sequential_e eb_sequential_rate(int64_t passes, int64_t n,
                                          double bar);

/* Critical failures: at most cap of them are allowed in the pool. INSUFFICIENT
 * as soon as cap + 1 are seen, SUFFICIENT when the items left cannot exceed
 * the cap, both certain (curtailment); else NOT SHOWN. n items were seen,
 * failures of them critical. */
enum eb_verdict eb_sequential_cap(int64_t pool, int64_t cap, int64_t n,
                                  int64_t failures);

#define EB_PAIRED_GRID 40

/* Paired non-inferiority. D = candidate - reference per item is -1, 0 or 1;
 * the null is mean D <= -margin. The capital is the mean over a grid of c of
 * prod(1 + c (D - m) / (1 + m)), m being the largest mean the null allows for
 * the next D: -margin for items without end (then this is the capital of
 * suites 5.6 with l = c / (1 - margin)), (-margin N - sum D) / (N - n) for a
 * pool of N. Each factor has mean at most 1 under the null and is never
 * negative, so P(capital ever >= 1 / alpha) <= alpha (Ville; Waudby-Smith and
 * Ramdas 2024, doi 10.1093/jrsssb/qkad009).
 * SUFFICIENT stands for "non-inferior". INSUFFICIENT is given only by a pool
 * and only when certain: the sum can no longer exceed -margin N. */
struct eb_paired {
    int64_t pool; /* 0: no end */
    double margin;
    double alpha;
    int64_t n;
    int64_t sum; /* of D */
    double log_e;
    double log_max;
    int64_t decided_at; /* -1 if none */
    int certain;
    enum eb_verdict verdict;
    double log_capital[EB_PAIRED_GRID];
};

/* pool 0 .. EB_SEQUENTIAL_MAX, margin and alpha inside 0 .. 1 (margin 0 asks
 * for superiority); else EB_EINVAL. */
int eb_paired_open(struct eb_paired *q, int64_t pool, double margin,
                   double alpha, struct eb_err *err);

/* d: -1, 0 or 1. EB_ELIMIT when the whole pool was seen. */
int eb_paired_add(struct eb_paired *q, int d);

#endif
