#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/sequential.h"

static void near(double got, double want, double eps)
{
    if (got == want)
        return;
    if (!(fabs(got - want) <= eps))
        fail_msg("got %.15g, want %.15g", got, want);
}

static struct eb_sequential opened(int64_t pool, double bar, double alpha,
                                   double beta)
{
    struct eb_sequential q;
    struct eb_err err;

    assert_int_equal(eb_sequential_open(&q, pool, bar, alpha, beta, &err), 0);
    return q;
}

static double choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* Log of C(N-n, T-s) / C(N, T). */
static double likelihood(int64_t pool, int64_t n, int64_t s, int64_t t)
{
    return choose((double)(pool - n), (double)(t - s)) -
           choose((double)pool, (double)t);
}

/* E (pass = 1) or G (pass = 0) as the header's formula says, by lgamma. */
static double by_formula(int64_t pool, int64_t need, int64_t n, int64_t s,
                         int pass)
{
    double weights = 0, sum = 0, max = -INFINITY, top = -INFINITY, w;
    int64_t t, d, last = pool - (n - s);

    for (t = s; t <= last; t++) {
        if ((t >= need) == pass)
            top = fmax(top, likelihood(pool, n, s, t));
        else
            max = fmax(max, likelihood(pool, n, s, t));
    }
    for (t = 0; t <= pool; t++) {
        if ((t >= need) != pass)
            continue;
        d = t >= need ? t - need + 1 : need - t;
        w = (double)d * exp(-pow((double)d / (0.08 * (double)pool), 2) / 2);
        weights += w;
        if (t >= s && t <= last)
            sum += w * exp(likelihood(pool, n, s, t) - top);
    }
    if (max == -INFINITY)
        return INFINITY;
    return sum > 0 ? log(sum) + top - log(weights) - max : -INFINITY;
}

static void test_need(void **state)
{
    (void)state;
    assert_int_equal(eb_sequential_need(150, .7), 105);
    assert_int_equal(eb_sequential_need(212, .7), 149); /* 148.4 */
    assert_int_equal(eb_sequential_need(212, .8), 170); /* 169.6 */
    assert_int_equal(eb_sequential_need(400, .8), 320);
    assert_int_equal(eb_sequential_need(10, .7), 7);
    assert_int_equal(eb_sequential_need(10000, .7), 7000);
    assert_int_equal(eb_sequential_need(10000, .99), 9900);
    assert_int_equal(eb_sequential_need(7, 1), 7);
    assert_int_equal(eb_sequential_need(7, 0), 0);
    assert_int_equal(eb_sequential_need(7, .0001), 1);
}

static void test_formula(void **state)
{
    const int pools[] = {1, 2, 5, 12, 60};
    const double bars[] = {.05, .5, .7, .8, 1};
    int64_t n, s;
    size_t i, k;

    (void)state;
    for (i = 0; i < 5; i++) {
        for (k = 0; k < 5; k++) {
            struct eb_sequential q = opened(pools[i], bars[k], .05, .1);

            for (n = 0; n <= q.pool; n++) {
                for (s = 0; s <= n; s++) {
                    struct eb_sequential_e e = eb_sequential_at(&q, n, s);

                    near(e.log_pass, by_formula(q.pool, q.need, n, s, 1),
                         1e-10);
                    near(e.log_fail, by_formula(q.pool, q.need, n, s, 0),
                         1e-10);
                }
            }
        }
    }
}

/* No look has moved anything before the first item. */
static void test_start(void **state)
{
    struct eb_sequential q = opened(150, .7, .05, .1);

    (void)state;
    near(q.log_e_pass, 0, 1e-12);
    near(q.log_e_fail, 0, 1e-12);
    assert_int_equal(q.verdict, EB_NOT_SHOWN);
    assert_int_equal(q.certain, 0);
    assert_int_equal(q.decided_at, -1);
}

/* The example of the header. */
static void test_example(void **state)
{
    struct eb_sequential q = opened(150, .7, .05, .1);
    int i;

    (void)state;
    for (i = 0; i < 17; i++) {
        assert_int_equal(q.verdict, EB_NOT_SHOWN);
        assert_int_equal(eb_sequential_add(&q, 1), 0);
    }
    assert_int_equal(q.verdict, EB_SUFFICIENT);
    assert_int_equal(q.decided_at, 17);
    assert_int_equal(q.certain, 0);
    assert_true(q.log_e_pass >= log(20));
}

/* E rises and G falls in s, and the limits are where they cross. */
static void test_limits(void **state)
{
    const int64_t pools[] = {12, 150};
    int64_t n, s, fail_at, pass_at;
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        struct eb_sequential q = opened(pools[i], .7, .05, .1);

        for (n = 0; n <= q.pool; n++) {
            struct eb_sequential_e last = {-INFINITY, INFINITY};

            eb_sequential_limits(&q, n, &fail_at, &pass_at);
            assert_true(fail_at < pass_at && fail_at >= -1 && pass_at <= n + 1);
            for (s = 0; s <= n; s++) {
                struct eb_sequential_e e = eb_sequential_at(&q, n, s);

                assert_true(e.log_pass >= last.log_pass - 1e-9);
                assert_true(e.log_fail <= last.log_fail + 1e-9);
                assert_int_equal(s >= pass_at, e.log_pass >= log(20));
                assert_int_equal(s <= fail_at, e.log_fail >= log(10));
                last = e;
            }
        }
        assert_int_equal(pass_at, q.need);
        assert_int_equal(fail_at, q.need - 1);
    }
}

/* What one truth leads to: chances over all orders, exact by a sum over the
 * states (n, s). */
struct outcome {
    double pass;
    double fail;
    double undecided;
};

/* sides: 1 stops at SUFFICIENT only, 2 at INSUFFICIENT only, 3 at both. */
static struct outcome all_orders(const struct eb_sequential *q, int64_t truth,
                                 int sides)
{
    double p[512] = {1}, up;
    struct outcome o = {0};
    int64_t n, s, fail_at, pass_at;

    for (n = 0; n < q->pool; n++) {
        for (s = n; s >= 0; s--) {
            up = (double)(truth - s) / (double)(q->pool - n);
            if (p[s] > 0) {
                p[s + 1] += p[s] * up;
                p[s] *= 1 - up;
            }
        }
        eb_sequential_limits(q, n + 1, &fail_at, &pass_at);
        for (s = 0; s <= n + 1; s++) {
            if (s >= pass_at && (sides & 1)) {
                o.pass += p[s];
                p[s] = 0;
            } else if (s <= fail_at && (sides & 2)) {
                o.fail += p[s];
                p[s] = 0;
            }
        }
    }
    for (s = 0; s <= q->pool; s++)
        o.undecided += p[s];
    return o;
}

/* The promise: for every pool up to 14, bar, truth and pair of errors the
 * chance of a wrong decision over all orders is within the error, also for a
 * watcher of one side only, and every order ends decided. */
static void test_error_exact(void **state)
{
    const double errors[][2] = {{.05, .1}, {.1, .05}, {.3, .4}};
    int64_t pool, need, truth;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        for (pool = 1; pool <= 14; pool++) {
            for (need = 1; need <= pool; need++) {
                struct eb_sequential q =
                    opened(pool, (double)need / (double)pool, errors[i][0],
                           errors[i][1]);

                assert_int_equal(q.need, need);
                for (truth = 0; truth <= pool; truth++) {
                    struct outcome o = all_orders(&q, truth, 3);

                    near(o.pass + o.fail, 1, 1e-12);
                    near(o.undecided, 0, 1e-12);
                    if (truth < need) {
                        assert_true(o.pass <= q.alpha + 1e-12);
                        o = all_orders(&q, truth, 1);
                        assert_true(o.pass <= q.alpha + 1e-12);
                    } else {
                        assert_true(o.fail <= q.beta + 1e-12);
                        o = all_orders(&q, truth, 2);
                        assert_true(o.fail <= q.beta + 1e-12);
                    }
                }
            }
        }
    }
}

/* The same at the sizes in use, at the truths next to the bar, where the
 * error is largest. */
static void test_error_real_pools(void **state)
{
    const int64_t pools[] = {60, 150, 212};
    const double bars[] = {.7, .8, .95};
    struct outcome o;
    size_t i, k;

    (void)state;
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 3; k++) {
            struct eb_sequential q = opened(pools[i], bars[k], .05, .1);

            o = all_orders(&q, q.need - 1, 1);
            assert_true(o.pass <= .05);
            o = all_orders(&q, q.need, 2);
            assert_true(o.fail <= .1);
            /* The error is spent, not wasted. */
            o = all_orders(&q, q.need, 3);
            assert_true(o.fail > .02);
        }
    }
}

/* Every one of the 2^12 orders: the last item brings the truth, E never
 * crosses back and forth between decisions, replay agrees with add. */
static void test_every_order(void **state)
{
    struct eb_sequential q, r;
    unsigned char x[12];
    enum eb_verdict truth;
    int bits, i;

    (void)state;
    for (bits = 0; bits < 4096; bits++) {
        q = opened(12, .7, .2, .3);
        for (i = 0; i < 12; i++) {
            x[i] = bits >> i & 1;
            assert_int_equal(eb_sequential_add(&q, x[i]), 0);
            assert_true(q.log_max_pass >= q.log_e_pass);
            assert_true(q.log_max_fail >= q.log_e_fail);
            assert_true(q.decided_at <= q.n);
        }
        truth = q.s >= q.need ? EB_SUFFICIENT : EB_INSUFFICIENT;
        assert_int_equal(q.verdict, truth);
        assert_int_equal(q.certain, 1);
        assert_true(q.decided_at > 0);
        assert_int_equal(eb_sequential_add(&q, 1), EB_ELIMIT);
        r = opened(12, .7, .2, .3);
        assert_int_equal(eb_sequential_replay(&r, x, 12, NULL), 0);
        assert_memory_equal(&q, &r, sizeof(q));
    }
}

/* Evidence can mislead; the first decision then stands until it is certain
 * to be wrong. */
static void test_corrected(void **state)
{
    struct eb_sequential q = opened(100, .7, .05, .1);
    int i;

    (void)state;
    for (i = 0; i < 40; i++)
        eb_sequential_add(&q, 1);
    assert_int_equal(q.verdict, EB_SUFFICIENT);
    assert_int_equal(q.certain, 0);
    for (i = 0; i < 30; i++)
        eb_sequential_add(&q, 0);
    assert_true(q.log_e_fail > log(10));
    assert_int_equal(q.verdict, EB_SUFFICIENT);
    eb_sequential_add(&q, 0); /* 31 failures: 70 passes are out of reach */
    assert_int_equal(q.verdict, EB_INSUFFICIENT);
    assert_int_equal(q.certain, 1);
    assert_true(q.log_e_fail == INFINITY && q.log_e_pass == -INFINITY);
    assert_true(q.decided_at < 40);
}

static void test_edges(void **state)
{
    struct eb_sequential q = opened(5, 0, .05, .1);
    struct eb_err err;
    unsigned char x[3] = {1, 1, 1};

    (void)state;
    assert_int_equal(q.verdict, EB_SUFFICIENT);
    assert_int_equal(q.certain, 1);
    assert_int_equal(q.decided_at, 0);
    q = opened(5, 1, .05, .1);
    eb_sequential_add(&q, 0);
    assert_int_equal(q.verdict, EB_INSUFFICIENT);
    assert_int_equal(q.certain, 1);
    q = opened(1, .5, .05, .1);
    eb_sequential_add(&q, 1);
    assert_int_equal(q.verdict, EB_SUFFICIENT);
    q = opened(2, .5, .05, .1);
    assert_int_equal(eb_sequential_replay(&q, x, 3, &err), EB_ELIMIT);
    assert_int_equal(eb_sequential_open(&q, 0, .5, .05, .1, &err), EB_EINVAL);
    assert_int_equal(eb_sequential_open(&q, 10001, .5, .05, .1, &err),
                     EB_EINVAL);
    assert_int_equal(eb_sequential_open(&q, 5, 1.1, .05, .1, &err), EB_EINVAL);
    assert_int_equal(eb_sequential_open(&q, 5, NAN, .05, .1, &err), EB_EINVAL);
    assert_int_equal(eb_sequential_open(&q, 5, .5, 0, .1, &err), EB_EINVAL);
    assert_int_equal(eb_sequential_open(&q, 5, .5, .05, 1, &err), EB_EINVAL);
}

/* The largest pool: no number is lost, and the sums agree with lgamma. */
static void test_large(void **state)
{
    struct eb_sequential q = opened(10000, .7, .05, .1);
    const int64_t n[] = {1, 1, 50, 900, 5000, 5000, 9999, 9999};
    const int64_t s[] = {0, 1, 50, 600, 3500, 3600, 6999, 7000};
    struct eb_sequential_e e;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
        e = eb_sequential_at(&q, n[i], s[i]);
        near(e.log_pass, by_formula(10000, 7000, n[i], s[i], 1), 1e-6);
        near(e.log_fail, by_formula(10000, 7000, n[i], s[i], 0), 1e-6);
    }
    e = eb_sequential_at(&q, 6999, 6999);
    assert_true(e.log_pass > 1000 && isfinite(e.log_pass));
    assert_true(isfinite(e.log_fail) && e.log_fail < -1000);
    e = eb_sequential_at(&q, 7000, 7000);
    assert_true(e.log_pass == INFINITY && e.log_fail == -INFINITY);
    e = eb_sequential_at(&q, 10000, 6999);
    assert_true(e.log_pass == -INFINITY && e.log_fail == INFINITY);
}

/* The vectors of the suites' note 9; the error by exact sums over 200 items at
 * a rate on the bar, watched at every item. */
static void test_rate(void **state)
{
    const double bars[] = {.5, .7, .9};
    double p[202], wrong;
    int n, s, i;

    (void)state;
    near(exp(eb_sequential_rate(30, 30, .8).log_pass), 130.160, 5e-4);
    near(exp(eb_sequential_rate(45, 47, .8).log_pass), 55.206, 5e-4);
    near(exp(eb_sequential_rate(60, 65, .8).log_pass), 18.609, 5e-4);
    near(exp(eb_sequential_rate(95, 100, .9).log_pass), 2.765, 5e-4);
    near(eb_sequential_rate(0, 0, .8).log_pass, 0, 1e-12);
    near(eb_sequential_rate(0, 0, .8).log_fail, 0, 1e-12);
    /* Passes against one bar are failures against its mirror. */
    near(eb_sequential_rate(12, 15, .6).log_pass,
         eb_sequential_rate(3, 15, .4).log_fail, 1e-12);
    assert_false(isnan(eb_sequential_rate(0, 10000, .7).log_pass));
    assert_false(isnan(eb_sequential_rate(10000, 10000, .7).log_fail));
    for (i = 0; i < 3; i++) {
        memset(p, 0, sizeof(p));
        p[0] = 1;
        wrong = 0;
        for (n = 1; n <= 200; n++) {
            for (s = n; s >= 0; s--) {
                p[s] = p[s] * (1 - bars[i]) + (s > 0 ? p[s - 1] * bars[i] : 0);
                if (p[s] > 0 &&
                    eb_sequential_rate(s, n, bars[i]).log_pass >= log(20)) {
                    wrong += p[s];
                    p[s] = 0;
                }
            }
        }
        assert_true(wrong > .01 && wrong <= .05);
    }
}

static void test_cap(void **state)
{
    (void)state;
    assert_int_equal(eb_sequential_cap(10, 0, 0, 0), EB_NOT_SHOWN);
    assert_int_equal(eb_sequential_cap(10, 0, 9, 0), EB_NOT_SHOWN);
    assert_int_equal(eb_sequential_cap(10, 0, 10, 0), EB_SUFFICIENT);
    assert_int_equal(eb_sequential_cap(10, 0, 1, 1), EB_INSUFFICIENT);
    assert_int_equal(eb_sequential_cap(10, 2, 3, 2), EB_NOT_SHOWN);
    assert_int_equal(eb_sequential_cap(10, 2, 3, 3), EB_INSUFFICIENT);
    assert_int_equal(eb_sequential_cap(10, 2, 8, 0), EB_SUFFICIENT);
    assert_int_equal(eb_sequential_cap(10, 2, 8, 1), EB_NOT_SHOWN);
    assert_int_equal(eb_sequential_cap(10, 10, 0, 0), EB_SUFFICIENT);
}

/* The iid capital against a plain product over the grid l = c / (1 - m). */
static void test_paired_formula(void **state)
{
    const int d[] = {0, 0, 1, 0, -1, 0, 1, 1, 0, 0, -1, 0};
    struct eb_paired q;
    double sum, l, prod;
    int i, k, t;

    (void)state;
    assert_int_equal(eb_paired_open(&q, 0, .05, .05, NULL), 0);
    near(q.log_e, 0, 0);
    for (i = 0; i < 12; i++) {
        assert_int_equal(eb_paired_add(&q, d[i]), 0);
        sum = 0;
        for (k = 0; k < EB_PAIRED_GRID; k++) {
            l = (k + .5) / EB_PAIRED_GRID / .95;
            prod = 1;
            for (t = 0; t <= i; t++)
                prod *= 1 + l * (d[t] + .05);
            sum += prod / EB_PAIRED_GRID;
        }
        near(q.log_e, log(sum), 1e-12);
        assert_true(q.log_max >= q.log_e);
        assert_int_equal(q.verdict, EB_NOT_SHOWN);
    }
    for (i = 0; i < 200; i++)
        eb_paired_add(&q, i % 10 == 0);
    assert_int_equal(q.verdict, EB_SUFFICIENT);
    assert_int_equal(q.certain, 0);
}

#define PAIRED_N 8
#define PAIRED_ALL 6561 /* 3^8 */

/* Sequence i of all those of D; 1 if "non-inferior" was claimed on
 * evidence. */
static int paired_play(int64_t pool, double margin, double alpha, int i,
                       int *minus, int *plus)
{
    struct eb_paired q;
    int k, d, claimed = 0;

    *minus = *plus = 0;
    assert_int_equal(eb_paired_open(&q, pool, margin, alpha, NULL), 0);
    for (k = 0; k < PAIRED_N; k++, i /= 3) {
        d = i % 3 - 1;
        *minus += d < 0;
        *plus += d > 0;
        assert_int_equal(eb_paired_add(&q, d), 0);
        claimed |= q.verdict == EB_SUFFICIENT;
    }
    if (pool > 0) {
        assert_int_equal(q.certain, 1);
        assert_int_equal(q.verdict, (double)q.sum > -margin * 8 + 1e-9
                                        ? EB_SUFFICIENT
                                        : EB_INSUFFICIENT);
        assert_int_equal(eb_paired_add(&q, 0), EB_ELIMIT);
    }
    return claimed;
}

/* For every count of -1 and 1: how many orders there are, and in how many of
 * them "non-inferior" is claimed. */
struct paired_all {
    int orders[PAIRED_N + 1][PAIRED_N + 1];
    int claims[PAIRED_N + 1][PAIRED_N + 1];
};

static void paired_all(struct paired_all *all, int64_t pool, double margin,
                       double alpha)
{
    int i, lost, won, claimed;

    memset(all, 0, sizeof(*all));
    for (i = 0; i < PAIRED_ALL; i++) {
        claimed = paired_play(pool, margin, alpha, i, &lost, &won);
        all->orders[lost][won]++;
        all->claims[lost][won] += claimed;
    }
}

/* Chance of a claim when D is -1 and 1 with these chances. */
static double paired_chance(const struct paired_all *all, double minus,
                            double plus)
{
    double p, sum = 0;
    int lost, won;

    for (lost = 0; lost <= PAIRED_N; lost++) {
        for (won = 0; lost + won <= PAIRED_N; won++) {
            p = pow(minus, lost) * pow(plus, won);
            p *= pow(fabs(1 - minus - plus), PAIRED_N - lost - won);
            sum += p * all->claims[lost][won];
        }
    }
    return sum;
}

/* Without end: at every split of the discordant chance with mean D =
 * -margin, the chance of a claim within 8 items is at most alpha. */
static void test_paired_error_iid(void **state)
{
    const double margins[] = {0, .1, .3}, alphas[] = {.1, .3};
    struct paired_all all;
    double minus;
    int a, m;

    (void)state;
    for (a = 0; a < 2; a++) {
        for (m = 0; m < 3; m++) {
            paired_all(&all, 0, margins[m], alphas[a]);
            for (minus = margins[m]; 2 * minus - margins[m] <= 1; minus += .01)
                assert_true(paired_chance(&all, minus, minus - margins[m]) <=
                            alphas[a] + 1e-12);
        }
    }
}

/* A pool: of all orders of each multiset of D that is inferior at most a
 * share alpha leads to a claim, and the last item always decides. */
static void test_paired_error_pool(void **state)
{
    const double margins[] = {0, .125, .3}, alphas[] = {.1, .3};
    struct paired_all all;
    int a, m, lost, won;

    (void)state;
    for (a = 0; a < 2; a++) {
        for (m = 0; m < 3; m++) {
            paired_all(&all, PAIRED_N, margins[m], alphas[a]);
            for (lost = 0; lost <= PAIRED_N; lost++) {
                for (won = 0; lost + won <= PAIRED_N; won++) {
                    if (won - lost <= -margins[m] * PAIRED_N + 1e-9)
                        assert_true(all.claims[lost][won] <=
                                    alphas[a] * all.orders[lost][won]);
                }
            }
        }
    }
}

static void test_paired_edges(void **state)
{
    struct eb_paired q;
    int i;

    (void)state;
    assert_int_equal(eb_paired_open(&q, -1, .05, .05, NULL), EB_EINVAL);
    assert_int_equal(eb_paired_open(&q, 10, 1, .05, NULL), EB_EINVAL);
    assert_int_equal(eb_paired_open(&q, 10, -.1, .05, NULL), EB_EINVAL);
    assert_int_equal(eb_paired_open(&q, 10, .1, 0, NULL), EB_EINVAL);
    assert_int_equal(eb_paired_open(&q, 10, .1, 1, NULL), EB_EINVAL);
    /* Equal models: sum 0 > -1 is certain when no 1 more can be lost. */
    assert_int_equal(eb_paired_open(&q, 10, .1, 1e-9, NULL), 0);
    for (i = 0; i < 9; i++) {
        eb_paired_add(&q, 0);
        assert_int_equal(q.verdict, EB_NOT_SHOWN);
    }
    eb_paired_add(&q, 0);
    assert_int_equal(q.verdict, EB_SUFFICIENT);
    assert_int_equal(q.certain, 1);
    /* No number is lost in the largest pool. */
    assert_int_equal(eb_paired_open(&q, EB_SEQUENTIAL_MAX, .05, .05, NULL), 0);
    for (i = 0; i < EB_SEQUENTIAL_MAX; i++) {
        assert_int_equal(eb_paired_add(&q, i % 3 - 1), 0);
        assert_false(isnan(q.log_e));
    }
    assert_int_equal(q.verdict, EB_SUFFICIENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_need),
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_error_exact),
        cmocka_unit_test(test_error_real_pools),
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_corrected),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_paired_formula),
        cmocka_unit_test(test_paired_error_iid),
        cmocka_unit_test(test_paired_error_pool),
        cmocka_unit_test(test_paired_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
