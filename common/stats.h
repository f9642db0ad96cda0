/* Intervals and verdicts. Every function states its source; test vectors are
 * in tests/test_stats.c. Pure functions, any thread. */
#ifndef EB_STATS_H
#define EB_STATS_H

#include <stddef.h>
#include <stdint.h>

struct eb_interval {
    double lo;
    double hi;
};

/* Wilson score interval, two-sided 95 %, for charts only (Wilson 1927).
 * n = 0 gives [0, 1]. */
struct eb_interval eb_stats_wilson(int64_t passes, int64_t n);

/* One-sided Clopper-Pearson bounds with error alpha each (Clopper and
 * Pearson 1934): lo with P(X >= passes | lo) = alpha, hi with
 * P(X <= passes | hi) = alpha. n = 0 gives [0, 1]. */
struct eb_interval eb_stats_exact(int64_t passes, int64_t n, double alpha);

/* Regularised incomplete beta function I_x(a, b), continued fraction
 * (DLMF 8.17.22), and its quantile. */
double eb_stats_betai(double a, double b, double x);
double eb_stats_beta_quantile(double p, double a, double b);

enum eb_verdict { EB_INSUFFICIENT, EB_NOT_SHOWN, EB_SUFFICIENT };

/* "SUFFICIENT", "INSUFFICIENT", "NOT SHOWN". */
const char *eb_verdict_name(enum eb_verdict v);
/* The reverse; -1 if unknown. */
int eb_verdict_parse(const char *name);

/* SUFFICIENT if the exact lower bound reaches the bar, INSUFFICIENT if the
 * exact upper bound is below it, else NOT SHOWN. */
enum eb_verdict eb_stats_verdict(int64_t passes, int64_t n, double bar,
                                 double alpha);

/* How many more items would settle a NOT SHOWN verdict if the observed rate
 * stays: the smallest m > 0 with a decided verdict at round(rate * (n + m))
 * of n + m; -1 if not settled within max_more (rate on the bar). */
int64_t eb_stats_more_items(int64_t passes, int64_t n, double bar, double alpha,
                            int64_t max_more);

/* Exact two-sided McNemar p-value for discordant counts b and c
 * (McNemar 1947, exact binomial form). */
double eb_stats_mcnemar(int64_t b, int64_t c);

/* Tango 1998 score interval, two-sided 95 %, for the paired difference
 * (b - c) / n. */
struct eb_interval eb_stats_tango(int64_t b, int64_t c, int64_t n);
/* Its score statistic for the difference d (n > 0), which falls in d, and the
 * d where it is t; b + c <= n, |b - c| < n. */
double eb_stats_tango_score(int64_t b, int64_t c, int64_t n, double d);
double eb_stats_tango_solve(int64_t b, int64_t c, int64_t n, double t);

double eb_stats_mean(const double *x, size_t n);
/* Sample standard deviation (n - 1); NAN for n < 2. */
double eb_stats_sd(const double *x, size_t n);
/* Percentile 0..100 by linear interpolation between order statistics
 * (Hyndman and Fan 1996, type 7); NAN for n = 0. Does not change x. */
double eb_stats_percentile(const double *x, size_t n, double p);
/* From so many values on p (0..99) is less than the largest of them: 20 for
 * p95, 100 for p99; 1 for the median. */
size_t eb_stats_percentile_least(int p);
/* 1-based index k of the order statistic with P(X_(k) >= true p95) >= 95 %
 * (n = 59 -> 59, 100 -> 99); 0 if n is too small. */
size_t eb_stats_p95_upper_index(size_t n);
/* Student t interval, two-sided 95 %, for the mean; [NAN, NAN] for n < 2. */
struct eb_interval eb_stats_mean_ci(const double *x, size_t n);
/* The same one-sided, with error alpha for each bound. */
struct eb_interval eb_stats_mean_bounds(const double *x, size_t n,
                                        double alpha);
/* Upper quantile of Student's t: P(T > t) = alpha, degrees of freedom df > 0,
 * alpha in 0 .. 0.5. */
double eb_stats_t_upper(double df, double alpha);

#endif
