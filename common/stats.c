#include "common/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/stats_compare.h"

#define STATS_Z95 1.959963984540054 /* normal quantile 0.975 */

struct eb_interval eb_stats_wilson(int64_t passes, int64_t n)
{
    struct eb_interval ci = {0, 1};
    double z2 = STATS_Z95 * STATS_Z95, p, mid, half;

    if (n <= 0)
        return ci;
    p = (double)passes / (double)n;
    mid = p + z2 / (2.0 * (double)n);
    half = STATS_Z95 *
           sqrt(p * (1 - p) / (double)n + z2 / (4.0 * (double)n * (double)n));
    /* The ends at 0 and n are exact, so rounding must not show there. */
    if (passes > 0)
        ci.lo = (mid - half) / (1 + z2 / (double)n);
    if (passes < n)
        ci.hi = (mid + half) / (1 + z2 / (double)n);
    return ci;
}

/* DLMF 8.17.22 by the modified Lentz method (Thompson and Barnett 1986);
 * needs about sqrt(max(a, b)) terms where x < (a + 1) / (a + b + 2). */
static double stats_beta_cf(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1), h, step, num;
    int m, odd;

    d = 1 / (fabs(d) < tiny ? tiny : d);
    h = d;
    for (m = 1; m < 100000; m++) {
        for (odd = 0; odd < 2; odd++) {
            if (odd)
                num = -(a + m) * (a + b + m) * x /
                      ((a + 2 * m) * (a + 2 * m + 1));
            else
                num = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + num * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + num / c;
            if (fabs(c) < tiny)
                c = tiny;
            step = c * d;
            h *= step;
        }
        if (fabs(step - 1) < 3e-16)
            break;
    }
    return h;
}

double eb_stats_betai(double a, double b, double x)
{
    double front;
    int sign; /* lgamma() would write the global signgam */

    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) -
                lgamma_r(b, &sign) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * stats_beta_cf(a, b, x) / a;
    return 1 - front * stats_beta_cf(b, a, 1 - x) / b;
}

double eb_stats_beta_quantile(double p, double a, double b)
{
    double lo = 0, hi = 1, mid = 0.5;
    int i;

    if (p <= 0)
        return 0;
    if (p >= 1)
        return 1;
    /* Bisection: I_x rises in x, and 200 steps pass double precision. */
    for (i = 0; i < 200 && mid > lo && mid < hi; i++) {
        if (eb_stats_betai(a, b, mid) < p)
            lo = mid;
        else
            hi = mid;
        mid = lo + (hi - lo) / 2;
    }
    return mid;
}

struct eb_interval eb_stats_exact(int64_t passes, int64_t n, double alpha)
{
    struct eb_interval ci = {0, 1};
    double s = (double)passes, f = (double)(n - passes);

    if (n <= 0)
        return ci;
    if (passes > 0)
        ci.lo = eb_stats_beta_quantile(alpha, s, f + 1);
    if (passes < n)
        ci.hi = eb_stats_beta_quantile(1 - alpha, s + 1, f);
    return ci;
}

static const char *const stats_verdicts[] = {"INSUFFICIENT", "NOT SHOWN",
                                             "SUFFICIENT"};

const char *eb_verdict_name(enum eb_verdict v)
{
    return stats_verdicts[v];
}

int eb_verdict_parse(const char *name)
{
    int i;

    for (i = 0; i < 3; i++) {
        if (strcmp(stats_verdicts[i], name) == 0)
            return i;
    }
    return -1;
}

enum eb_verdict eb_stats_verdict(int64_t passes, int64_t n, double bar,
                                 double alpha)
{
    double s = (double)passes, f = (double)(n - passes);

    if (bar <= 0)
        return EB_SUFFICIENT;
    if (n <= 0)
        return bar > 1 ? EB_INSUFFICIENT : EB_NOT_SHOWN;
    /* The tails rise and fall in p, so lo >= bar is P(X >= s | bar) <= alpha
     * and hi < bar is P(X <= s | bar) < alpha: no quantile needed. */
    if (bar < 1 && passes > 0 && eb_stats_betai(s, f + 1, bar) <= alpha)
        return EB_SUFFICIENT;
    if (passes < n && eb_stats_betai(f, s + 1, 1 - bar) < alpha)
        return EB_INSUFFICIENT;
    return bar > 1 ? EB_INSUFFICIENT : EB_NOT_SHOWN;
}

/* 1 if the normal approximation, wrong by at most 0.4748 (bar^2 + (1 - bar)^2)
 * / sd (Berry-Esseen, constant of Shevtsova 2011), already rules a decided
 * verdict out: spares nearly all the exact sums below. */
static int stats_undecided(int64_t passes, int64_t n, double bar, double alpha)
{
    double sd = sqrt((double)n * bar * (1 - bar));
    double z = ((double)passes - (double)n * bar) / sd;
    double slack = 0.4748 * (bar * bar + (1 - bar) * (1 - bar)) / sd;

    return erfc(z * M_SQRT1_2) / 2 - slack > alpha &&
           erfc(-z * M_SQRT1_2) / 2 - slack > alpha;
}

int64_t eb_stats_more_items(int64_t passes, int64_t n, double bar, double alpha,
                            int64_t max_more)
{
    double rate = (double)passes / (double)n;
    int64_t m, k;

    if (n <= 0)
        return -1;
    /* One by one: rounding makes the verdict flicker near the answer. */
    for (m = 1; m <= max_more; m++) {
        k = llround(rate * (double)(n + m));
        if (stats_undecided(k, n + m, bar, alpha))
            continue;
        if (eb_stats_verdict(k, n + m, bar, alpha) != EB_NOT_SHOWN)
            return m;
    }
    return -1;
}

double eb_stats_mcnemar(int64_t b, int64_t c)
{
    int64_t least = b < c ? b : c, most = b < c ? c : b;
    double p;

    if (b == c)
        return 1;
    /* P(X <= least), X ~ Bin(b + c, 1/2) */
    p = 2 * eb_stats_betai((double)most, (double)least + 1, 0.5);
    return p < 1 ? p : 1;
}

double eb_stats_tango_score(int64_t b, int64_t c, int64_t n, double d)
{
    double db = (double)b, dc = (double)c, dn = (double)n;
    double qa = 2 * dn, qb = -db - dc + (2 * dn - db + dc) * d;
    double qc = -dc * d * (1 - d), root = qb * qb - 4 * qa * qc, q, var, num;

    q = (sqrt(root > 0 ? root : 0) - qb) / (2 * qa);
    var = dn * (2 * q + d * (1 - d));
    num = db - dc - dn * d;
    if (num == 0)
        return 0;
    return var > 0 ? num / sqrt(var) : copysign(INFINITY, num);
}

double eb_stats_tango_solve(int64_t b, int64_t c, int64_t n, double t)
{
    /* At the difference seen the statistic is 0. */
    double seen = (double)(b - c) / (double)n, mid = -1;
    double lo = t > 0 ? -1 : seen, hi = t > 0 ? seen : 1;
    int i;

    for (i = 0; i < 100; i++) {
        mid = (lo + hi) / 2;
        if (eb_stats_tango_score(b, c, n, mid) > t)
            lo = mid;
        else
            hi = mid;
    }
    return mid;
}

struct eb_interval eb_stats_tango(int64_t b, int64_t c, int64_t n)
{
    struct eb_interval ci = {-1, 1};

    if (n <= 0)
        return ci;
    if (c < n)
        ci.lo = eb_stats_tango_solve(b, c, n, STATS_Z95);
    if (b < n)
        ci.hi = eb_stats_tango_solve(b, c, n, -STATS_Z95);
    return ci;
}

double eb_stats_mean(const double *x, size_t n)
{
    double sum = 0;
    size_t i;

    if (n == 0)
        return NAN;
    for (i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

double eb_stats_sd(const double *x, size_t n)
{
    double mean = eb_stats_mean(x, n), sum = 0;
    size_t i;

    if (n < 2)
        return NAN;
    for (i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / (double)(n - 1));
}

static int stats_cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double eb_stats_percentile(const double *x, size_t n, double p)
{
    double *sorted, h, value;
    size_t i;

    if (n == 0)
        return NAN;
    sorted = eb_xmalloc(n * sizeof(*sorted));
    memcpy(sorted, x, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), stats_cmp);
    h = (double)(n - 1) * p / 100;
    i = h <= 0 ? 0 : (size_t)h;
    if (i >= n - 1)
        value = sorted[n - 1];
    else
        value = sorted[i] + (h - (double)i) * (sorted[i + 1] - sorted[i]);
    free(sorted);
    return value;
}

size_t eb_stats_percentile_least(int p)
{
    return p > 50 ? 100 / (100 - (size_t)p) : 1;
}

size_t eb_stats_p95_upper_index(size_t n)
{
    return eb_stats_quantile_upper_index(n, 0.95, 0.05);
}

double eb_stats_t_upper(double df, double alpha)
{
    /* P(|T| > t) = I_q(df / 2, 1 / 2) with q = df / (df + t^2) (DLMF 8.17). */
    double q = eb_stats_beta_quantile(2 * alpha, df / 2, 0.5);

    return sqrt(df * (1 - q) / q);
}

struct eb_interval eb_stats_mean_bounds(const double *x, size_t n, double alpha)
{
    struct eb_interval ci = {NAN, NAN};
    double half;

    if (n < 2)
        return ci;
    half = eb_stats_t_upper((double)n - 1, alpha) * eb_stats_sd(x, n) /
           sqrt((double)n);
    ci.lo = eb_stats_mean(x, n) - half;
    ci.hi = eb_stats_mean(x, n) + half;
    return ci;
}

struct eb_interval eb_stats_mean_ci(const double *x, size_t n)
{
    return eb_stats_mean_bounds(x, n, 0.025);
}
