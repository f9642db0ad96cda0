#include "common/stats_compare.h"

#include <math.h>
#include <stdlib.h>

#include "common/mem.h"

/* P(Bin(n, q) >= k) */
static double compare_tail(size_t k, size_t n, double q)
{
    if (k == 0)
        return 1;
    return k > n ? 0 : eb_stats_betai((double)k, (double)(n - k) + 1, q);
}

size_t eb_stats_quantile_lower_index(size_t n, double q, double alpha)
{
    size_t lo = 0, hi = n, mid;

    /* The tail falls in k: bisect for the last one large enough. */
    while (lo < hi) {
        mid = lo + (hi - lo + 1) / 2;
        if (compare_tail(mid, n, q) >= 1 - alpha)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

size_t eb_stats_quantile_upper_index(size_t n, double q, double alpha)
{
    size_t lo = 1, hi = n + 1, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (compare_tail(mid, n, q) <= alpha)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo <= n ? lo : 0;
}

/* splitmix64 (Steele et al. 2014, doi 10.1145/2714064.2660195): `common` has
 * no other random numbers, and here one a draw is all that is needed. */
static uint64_t compare_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double compare_resample(const struct eb_cluster *c, size_t n,
                               uint64_t *state)
{
    double sum = 0, items = 0;
    size_t i, k;

    for (i = 0; i < n; i++) {
        /* n is far below 2^64, so the remainder's bias is below 1e-12. */
        k = (size_t)(compare_random(state) % n);
        sum += c[k].sum;
        items += (double)c[k].n;
    }
    return sum / items;
}

struct eb_interval eb_stats_cluster_bootstrap(const struct eb_cluster *c,
                                              size_t n, double alpha,
                                              size_t rounds, uint64_t seed)
{
    struct eb_interval ci = {NAN, NAN};
    double *rate;
    size_t i;

    if (n < 2 || rounds < 1)
        return ci;
    rate = eb_xmalloc(rounds * sizeof(*rate));
    for (i = 0; i < rounds; i++)
        rate[i] = compare_resample(c, n, &seed);
    ci.lo = eb_stats_percentile(rate, rounds, 100 * (alpha / 2));
    ci.hi = eb_stats_percentile(rate, rounds, 100 * (1 - alpha / 2));
    free(rate);
    return ci;
}

struct compare_p {
    double p;
    size_t index;
};

static int compare_p_cmp(const void *a, const void *b)
{
    const struct compare_p *x = a, *y = b;

    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void eb_stats_holm(const double *p, size_t n, double *adjusted)
{
    struct compare_p *v = eb_xcalloc(n + 1, sizeof(*v));
    double least = 0;
    size_t i;

    for (i = 0; i < n; i++)
        v[i] = (struct compare_p){p[i], i};
    qsort(v, n, sizeof(*v), compare_p_cmp);
    /* The i-th smallest times the hypotheses still open, never less than the
     * one before it: a larger p is not rejected before a smaller one. */
    for (i = 0; i < n; i++) {
        least = fmax(least, fmin(1, (double)(n - i) * v[i].p));
        adjusted[v[i].index] = least;
    }
    free(v);
}

double eb_stats_normal_upper(double alpha)
{
    double lo = -39, hi = 39, mid = 0;
    int i;

    for (i = 0; i < 100; i++) {
        mid = (lo + hi) / 2;
        if (erfc(mid * M_SQRT1_2) / 2 > alpha)
            lo = mid;
        else
            hi = mid;
    }
    return mid;
}

double eb_stats_noninferior_p(int64_t b, int64_t c, int64_t n, double margin)
{
    if (n <= 0)
        return 1;
    return erfc(eb_stats_tango_score(b, c, n, -margin) * M_SQRT1_2) / 2;
}

double eb_stats_noninferior_lower(int64_t b, int64_t c, int64_t n, double alpha)
{
    if (n <= 0 || c >= n)
        return -1;
    return eb_stats_tango_solve(b, c, n, eb_stats_normal_upper(alpha));
}

/* C(c, k) / C(n, k) as a product of k ratios: nothing overflows. */
static double compare_all_pass(int64_t c, int64_t n, int64_t k)
{
    double p = 1;
    int64_t i;

    for (i = 0; i < k; i++)
        p *= c > i ? (double)(c - i) / (double)(n - i) : 0;
    return p;
}

double eb_stats_pass_hat(const int64_t *passes, size_t n_tasks, int64_t tries,
                         int64_t k)
{
    double sum = 0;
    size_t i;

    if (n_tasks == 0 || k < 1 || k > tries)
        return NAN;
    for (i = 0; i < n_tasks; i++)
        sum += compare_all_pass(passes[i], tries, k);
    return sum / (double)n_tasks;
}
