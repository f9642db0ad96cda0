#include "common/sequential.h"

#include <math.h>
#include <string.h>

/* Where the weights d exp(-d^2 / 2 peak^2) of a T that is d off the bar peak,
 * in shares of the pool. Any weights are valid. Of the families tried (equal,
 * equal within 15 points, exponential, 1 / d) these need the fewest items: 2
 * to 19 % fewer than equal weights at truths 8 points off (exact sums, pools
 * of 150 to 400, bars .70 and .80). */
#define SEQ_PEAK 0.08
/* bar * pool is taken for the whole number it misses by less than this. */
#define SEQ_ROUND 1e-9

/* Terms below e^-60 of the largest are lost in a double anyway. */
#define SEQ_TINY 60

/* Sum of d exp(x) over the terms so far, safe from over- and underflow. */
struct seq_sum {
    double max; /* of x; -INFINITY when empty */
    double sum; /* of d exp(x - max) */
};

static void seq_sum_add(struct seq_sum *a, double d, double x)
{
    if (x > a->max) {
        a->sum = d + (a->sum > 0 ? a->sum * exp(a->max - x) : 0);
        a->max = x;
    } else if (x > a->max - SEQ_TINY) {
        a->sum += d * exp(x - a->max);
    }
}

static double seq_sum_log(const struct seq_sum *a)
{
    return a->sum > 0 ? a->max + log(a->sum) : -INFINITY;
}

/* Adds a T with log likelihood l that is d >= 1 passes beyond the bar: its
 * raw weight is d exp(-(d / peak)^2 / 2). */
static void seq_sum_weighted(struct seq_sum *a, int64_t d, int64_t pool,
                             double l)
{
    double x = (double)d / ((double)pool * SEQ_PEAK);

    seq_sum_add(a, (double)d, l - x * x / 2);
}

/* Log of the sum of the raw weights of d = 1 .. n. */
static double seq_weight_sum(int64_t n, int64_t pool)
{
    struct seq_sum sum = {-INFINITY, 0};
    int64_t d;

    for (d = 1; d <= n; d++)
        seq_sum_weighted(&sum, d, pool, 0);
    return seq_sum_log(&sum);
}

int64_t eb_sequential_need(int64_t pool, double bar)
{
    return (int64_t)ceil(bar * (double)pool - SEQ_ROUND);
}

/* Log of the weighted mean of one side over the maximum of the other;
 * certain where the other has no possible T. */
static double seq_ratio(const struct seq_sum *sum, double weight, double max)
{
    if (max == -INFINITY)
        return INFINITY;
    if (!(sum->sum > 0))
        return -INFINITY;
    return seq_sum_log(sum) - weight - max;
}

struct eb_sequential_e eb_sequential_at(const struct eb_sequential *q,
                                        int64_t n, int64_t s)
{
    struct seq_sum pass = {-INFINITY, 0}, fail = {-INFINITY, 0};
    double max_pass = -INFINITY, max_fail = -INFINITY, l = 0;
    int64_t t, last = q->pool - (n - s);

    /* The possible T in turn, L relative to the first: by C(a, k + 1) =
     * C(a, k) (a - k) / (k + 1) each differs from the one before by
     * (N-n-T+s) / (T-s+1) * (T+1) / (N-T). */
    for (t = s; t <= last; t++) {
        if (t >= q->need) {
            max_pass = fmax(max_pass, l);
            seq_sum_weighted(&pass, t - q->need + 1, q->pool, l);
        } else {
            max_fail = fmax(max_fail, l);
            seq_sum_weighted(&fail, q->need - t, q->pool, l);
        }
        if (t < last)
            l += log((double)(last - t) / (double)(t - s + 1) *
                     ((double)(t + 1) / (double)(q->pool - t)));
    }
    return (struct eb_sequential_e){
        .log_pass = seq_ratio(&pass, q->log_weight_pass, max_fail),
        .log_fail = seq_ratio(&fail, q->log_weight_fail, max_pass)};
}

static enum eb_verdict seq_verdict(const struct eb_sequential *q,
                                   struct eb_sequential_e e)
{
    if (e.log_pass >= -log(q->alpha))
        return EB_SUFFICIENT;
    if (e.log_fail >= -log(q->beta))
        return EB_INSUFFICIENT;
    return EB_NOT_SHOWN;
}

/* Takes over what n and s say. */
static void seq_look(struct eb_sequential *q)
{
    struct eb_sequential_e e = eb_sequential_at(q, q->n, q->s);
    enum eb_verdict v = seq_verdict(q, e);

    q->log_e_pass = e.log_pass;
    q->log_e_fail = e.log_fail;
    q->log_max_pass = fmax(q->log_max_pass, e.log_pass);
    q->log_max_fail = fmax(q->log_max_fail, e.log_fail);
    q->certain = isinf(e.log_pass) || isinf(e.log_fail);
    if (v == EB_NOT_SHOWN)
        return;
    if (q->decided_at < 0)
        q->decided_at = q->n;
    else if (!q->certain)
        return;
    q->verdict = v;
}

int eb_sequential_open(struct eb_sequential *q, int64_t pool, double bar,
                       double alpha, double beta, struct eb_err *err)
{
    memset(q, 0, sizeof(*q));
    if (pool < 1 || pool > EB_SEQUENTIAL_MAX)
        return eb_fail(err, EB_EINVAL, "a pool has 1 to %d items, not %lld",
                       EB_SEQUENTIAL_MAX, (long long)pool);
    if (!(bar >= 0 && bar <= 1))
        return eb_fail(err, EB_EINVAL, "bar %g is not in 0 to 1", bar);
    if (!(alpha > 0 && alpha < 1 && beta > 0 && beta < 1))
        return eb_fail(err, EB_EINVAL,
                       "alpha %g or beta %g is not between 0 and 1", alpha,
                       beta);
    q->pool = pool;
    q->need = eb_sequential_need(pool, bar);
    q->alpha = alpha;
    q->beta = beta;
    q->decided_at = -1;
    q->verdict = EB_NOT_SHOWN;
    q->log_weight_pass = seq_weight_sum(pool - q->need + 1, pool);
    q->log_weight_fail = seq_weight_sum(q->need, pool);
    seq_look(q);
    return EB_OK;
}

int eb_sequential_add(struct eb_sequential *q, int pass)
{
    if (q->n >= q->pool)
        return EB_ELIMIT;
    q->n++;
    q->s += pass != 0;
    seq_look(q);
    return EB_OK;
}

void eb_sequential_limits(const struct eb_sequential *q, int64_t n,
                          int64_t *fail_at, int64_t *pass_at)
{
    int64_t lo = 0, hi = n + 1, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (seq_verdict(q, eb_sequential_at(q, n, mid)) == EB_SUFFICIENT)
            hi = mid;
        else
            lo = mid + 1;
    }
    *pass_at = lo;
    lo = -1;
    hi = *pass_at - 1;
    while (lo < hi) {
        mid = lo + (hi - lo + 1) / 2;
        if (seq_verdict(q, eb_sequential_at(q, n, mid)) == EB_INSUFFICIENT)
            lo = mid;
        else
            hi = mid - 1;
    }
    *fail_at = lo;
}

int eb_sequential_replay(struct eb_sequential *q, const unsigned char *passes,
                         size_t n, struct eb_err *err)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (eb_sequential_add(q, passes[i]) != EB_OK)
            return eb_fail(err, EB_ELIMIT,
                           "more outcomes than the %lld items "
                           "of the pool",
                           (long long)q->pool);
    }
    return EB_OK;
}

struct eb_sequential_e eb_sequential_rate(int64_t passes, int64_t n, double bar)
{
    double s = (double)passes, f = (double)(n - passes), all;
    int sign; /* lgamma() would write the global signgam */

    /* The integrals are the two parts of the beta function B(s + 1, f + 1). */
    all = lgamma_r(s + 1, &sign) + lgamma_r(f + 1, &sign) -
          lgamma_r(s + f + 2, &sign) - s * log(bar) - f * log1p(-bar);
    return (struct eb_sequential_e){
        .log_pass =
            all + log(eb_stats_betai(f + 1, s + 1, 1 - bar) / (1 - bar)),
        .log_fail = all + log(eb_stats_betai(s + 1, f + 1, bar) / bar)};
}

enum eb_verdict eb_sequential_cap(int64_t pool, int64_t cap, int64_t n,
                                  int64_t failures)
{
    if (failures > cap)
        return EB_INSUFFICIENT;
    return failures + (pool - n) <= cap ? EB_SUFFICIENT : EB_NOT_SHOWN;
}

int eb_paired_open(struct eb_paired *q, int64_t pool, double margin,
                   double alpha, struct eb_err *err)
{
    memset(q, 0, sizeof(*q));
    if (pool < 0 || pool > EB_SEQUENTIAL_MAX)
        return eb_fail(err, EB_EINVAL, "a pool has up to %d items, not %lld",
                       EB_SEQUENTIAL_MAX, (long long)pool);
    if (!(margin >= 0 && margin < 1))
        return eb_fail(err, EB_EINVAL, "margin %g is not in 0 to 1", margin);
    if (!(alpha > 0 && alpha < 1))
        return eb_fail(err, EB_EINVAL, "alpha %g is not between 0 and 1",
                       alpha);
    q->pool = pool;
    q->margin = margin;
    q->alpha = alpha;
    q->decided_at = -1;
    q->verdict = EB_NOT_SHOWN;
    return EB_OK;
}

/* Multiplies each capital by 1 + c (d - m) / (1 + m) and takes their mean;
 * c < 1 keeps every factor above 0. */
static void paired_bet(struct eb_paired *q, double d, double m)
{
    struct seq_sum sum = {-INFINITY, 0};
    double c;
    int i;

    for (i = 0; i < EB_PAIRED_GRID; i++) {
        c = (i + 0.5) / EB_PAIRED_GRID;
        q->log_capital[i] += log1p(c * (d - m) / (1 + m));
        seq_sum_add(&sum, 1.0 / EB_PAIRED_GRID, q->log_capital[i]);
    }
    q->log_e = seq_sum_log(&sum);
}

/* What a pool says for certain: no order of the items left puts the sum on
 * the other side of the null's largest. */
static enum eb_verdict paired_certain(const struct eb_paired *q, double null)
{
    int64_t left = q->pool - q->n;

    if (q->pool == 0)
        return EB_NOT_SHOWN;
    if ((double)(q->sum - left) > null)
        return EB_SUFFICIENT;
    return (double)(q->sum + left) <= null ? EB_INSUFFICIENT : EB_NOT_SHOWN;
}

int eb_paired_add(struct eb_paired *q, int d)
{
    /* The largest sum of D over the pool that the null allows. */
    double null = floor(-q->margin * (double)q->pool + SEQ_ROUND);
    double m = -q->margin;
    enum eb_verdict v;

    if (q->pool > 0 && q->n >= q->pool)
        return EB_ELIMIT;
    if (q->pool > 0)
        m = (null - (double)q->sum) / (double)(q->pool - q->n);
    /* At m <= -1 the null has at most one way left: the items left all -1. */
    if (m > -1)
        paired_bet(q, d, m);
    q->n++;
    q->sum += d;
    v = paired_certain(q, null);
    q->certain = v != EB_NOT_SHOWN;
    if (q->certain)
        q->log_e = v == EB_SUFFICIENT ? INFINITY : -INFINITY;
    else if (q->log_e >= -log(q->alpha))
        v = EB_SUFFICIENT;
    q->log_max = fmax(q->log_max, q->log_e);
    if (v == EB_NOT_SHOWN || (q->decided_at >= 0 && !q->certain))
        return EB_OK;
    if (q->decided_at < 0)
        q->decided_at = q->n;
    q->verdict = v;
    return EB_OK;
}
