/* Comparisons and bounds beyond one rate: quantiles of times, rates of items
 * in clusters, several p-values, non-inferiority, pass^k. Every function
 * states its source; test vectors are in tests/test_stats_compare.c. Pure
 * functions, any thread. */
#ifndef EB_STATS_COMPARE_H
#define EB_STATS_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "common/stats.h"

/* 1-based indices k of n sorted values that bound their distribution's
 * quantile q (0 < q < 1), error alpha each, whatever the distribution (David
 * and Nagaraja 2003, section 7.1):
 * lower: the largest k with P(X_(k) <= quantile) >= 1 - alpha,
 * upper: the smallest k with P(X_(k) >= quantile) >= 1 - alpha;
 * 0 if n is too small for it. p95 at 5 %: n = 200 gives 185 and 196. */
size_t eb_stats_quantile_lower_index(size_t n, double q, double alpha);
size_t eb_stats_quantile_upper_index(size_t n, double q, double alpha);

/* Items that share a cause (a passage, a dialog, a template). */
struct eb_cluster {
    double sum; /* of the items' scores; passes for a rate */
    int64_t n;  /* items, at least 1 */
};

/* Percentile interval of the rate sum / n over all items when whole clusters
 * are drawn again with replacement, `rounds` times (Davison and Hinkley 1997,
 * section 3.8; Miller 2024, arXiv 2411.00640); error alpha in both tails
 * together. Same seed, same interval. Too narrow under some 30 clusters and
 * of no width when all scores are alike: never for a verdict near 0 or 1.
 * [NAN, NAN] for fewer than 2 clusters or no rounds. */
struct eb_interval eb_stats_cluster_bootstrap(const struct eb_cluster *c,
                                              size_t n, double alpha,
                                              size_t rounds, uint64_t seed);

/* Holm 1979: adjusted[i] <= alpha rejects hypothesis i, and the chance of any
 * wrong rejection among the n is at most alpha however the tests depend on
 * each other. adjusted may be p. */
void eb_stats_holm(const double *p, size_t n, double *adjusted);

/* Upper quantile of the normal distribution: P(Z > z) = alpha, to double
 * precision; alpha inside 0 .. 1. */
double eb_stats_normal_upper(double alpha);

/* Paired non-inferiority on n items, b passed only by the candidate and c
 * only by the reference, margin 0 .. 1 below the reference allowed. Score
 * test of Tango 1998 at the difference -margin (see also Liu et al. 2002),
 * one-sided: p-value, and the lower bound whose error is alpha; p < alpha and
 * bound > -margin are the same. Approximate: the largest true error at a
 * nominal 5 % was 5.5 % (n 20 to 100, the tests sum it). n = 0 gives p 1 and
 * bound -1. */
double eb_stats_noninferior_p(int64_t b, int64_t c, int64_t n, double margin);
double eb_stats_noninferior_lower(int64_t b, int64_t c, int64_t n,
                                  double alpha);

/* pass^k, the chance that k independent tries at a task all pass, without
 * bias from n >= k tries of which c passed: mean over tasks of C(c, k) /
 * C(n, k) (Yao et al. 2024, tau-bench, arXiv 2406.12045). passes[i] is c of
 * task i; NAN for no tasks or k outside 1 .. tries. */
double eb_stats_pass_hat(const int64_t *passes, size_t n_tasks, int64_t tries,
                         int64_t k);

#endif
