#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats.h"

static void near(double got, double want, double eps)
{
    if (!(fabs(got - want) <= eps))
        fail_msg("got %.12g, want %.12g", got, want);
}

static void near_ci(struct eb_interval got, double lo, double hi)
{
    near(got.lo, lo, 5e-7);
    near(got.hi, hi, 5e-7);
}

/* P(X = k), X ~ Bin(n, p), by logarithms: independent of the beta code. */
static double pmf(int k, int n, double p)
{
    if (p <= 0)
        return k == 0;
    if (p >= 1)
        return k == n;
    return exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) +
               k * log(p) + (n - k) * log1p(-p));
}

static double cdf(int k, int n, double p)
{
    double sum = 0;
    int i;

    for (i = 0; i <= k; i++)
        sum += pmf(i, n, p);
    return sum;
}

static void test_wilson(void **state)
{
    (void)state;
    near_ci(eb_stats_wilson(90, 100), .825634, .944771);
    near_ci(eb_stats_wilson(380, 400), .924036, .967403);
    near_ci(eb_stats_wilson(0, 20), 0, .161125);
    near_ci(eb_stats_wilson(59, 59), .938871, 1);
    assert_true(eb_stats_wilson(0, 20).lo == 0);
    assert_true(eb_stats_wilson(59, 59).hi == 1);
    near_ci(eb_stats_wilson(0, 0), 0, 1);
}

static void test_exact(void **state)
{
    (void)state;
    near(eb_stats_exact(90, 100, .05).lo, .836282, 5e-7);
    near(eb_stats_exact(168, 198, .05).lo, .800148, 5e-7);
    near(eb_stats_exact(59, 59, .05).lo, .950492, 5e-7);
    near(eb_stats_exact(380, 400, .05).lo, .928171, 5e-7);
    /* By hand: 0.05 = p^2, 0.05 = (1 - p)^n, 0.05 = 1 - (1 - p)^2. */
    near_ci(eb_stats_exact(2, 2, .05), sqrt(.05), 1);
    near_ci(eb_stats_exact(0, 100, .05), 0, 1 - pow(.05, .01));
    near_ci(eb_stats_exact(1, 2, .05), 1 - sqrt(.95), sqrt(.95));
    near_ci(eb_stats_exact(0, 0, .05), 0, 1);
}

/* Every (s, n) up to 40: the bounds are where the tails are alpha, mirror
 * each other, and rise with s. */
static void test_exact_all(void **state)
{
    const double alphas[] = {.01, .05, .2};
    int n, s, a;

    (void)state;
    for (a = 0; a < 3; a++) {
        for (n = 1; n <= 40; n++) {
            for (s = 0; s <= n; s++) {
                double alpha = alphas[a];
                struct eb_interval ci = eb_stats_exact(s, n, alpha);
                struct eb_interval mirror = eb_stats_exact(n - s, n, alpha);

                near(ci.lo, 1 - mirror.hi, 1e-12);
                if (s > 0) {
                    near(1 - cdf(s - 1, n, ci.lo), alpha, 1e-9);
                    assert_true(ci.lo > eb_stats_exact(s - 1, n, alpha).lo);
                }
                if (s < n)
                    near(cdf(s, n, ci.hi), alpha, 1e-9);
            }
        }
    }
}

/* The error the verdicts promise: at a true rate just below (at) the bar the
 * chance of SUFFICIENT (INSUFFICIENT) is at most alpha, summed exactly. */
static void test_verdict_error(void **state)
{
    const int sizes[] = {1, 5, 20, 59, 100, 150, 400};
    double bar, wrong_pass, wrong_fail;
    size_t i;
    int s;

    (void)state;
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int n = sizes[i];

        for (bar = .05; bar < 1; bar += .05) {
            wrong_pass = wrong_fail = 0;
            for (s = 0; s <= n; s++) {
                enum eb_verdict v = eb_stats_verdict(s, n, bar, .05);

                if (v == EB_SUFFICIENT)
                    wrong_pass += pmf(s, n, bar);
                if (v == EB_INSUFFICIENT)
                    wrong_fail += pmf(s, n, bar);
            }
            assert_true(wrong_pass <= .05 + 1e-12);
            assert_true(wrong_fail <= .05 + 1e-12);
        }
    }
}

/* The verdict is what the two bounds say. */
static void test_verdict_bounds(void **state)
{
    double bar;
    int n, s;

    (void)state;
    for (n = 0; n <= 60; n += 3) {
        for (s = 0; s <= n; s++) {
            struct eb_interval ci = eb_stats_exact(s, n, .05);

            for (bar = .025; bar < 1; bar += .05) {
                enum eb_verdict want = ci.lo >= bar  ? EB_SUFFICIENT
                                       : ci.hi < bar ? EB_INSUFFICIENT
                                                     : EB_NOT_SHOWN;

                assert_int_equal(eb_stats_verdict(s, n, bar, .05), want);
            }
        }
    }
    assert_int_equal(eb_stats_verdict(0, 5, 0, .05), EB_SUFFICIENT);
    assert_int_equal(eb_stats_verdict(5, 5, 1, .05), EB_NOT_SHOWN);
    assert_int_equal(eb_stats_verdict(4, 5, 1, .05), EB_INSUFFICIENT);
    assert_int_equal(eb_stats_verdict(0, 0, .5, .05), EB_NOT_SHOWN);
}

static void test_zero_failures(void **state)
{
    const double bars[] = {.90, .95, .98, .99, .995};
    const int least[] = {29, 59, 149, 299, 598};
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        int n = least[i];

        assert_int_equal(eb_stats_verdict(n, n, bars[i], .05), EB_SUFFICIENT);
        assert_int_equal(eb_stats_verdict(n - 1, n - 1, bars[i], .05),
                         EB_NOT_SHOWN);
    }
}

static void test_verdict_names(void **state)
{
    (void)state;
    assert_string_equal(eb_verdict_name(EB_SUFFICIENT), "SUFFICIENT");
    assert_string_equal(eb_verdict_name(EB_INSUFFICIENT), "INSUFFICIENT");
    assert_string_equal(eb_verdict_name(EB_NOT_SHOWN), "NOT SHOWN");
    assert_int_equal(eb_verdict_parse("NOT SHOWN"), EB_NOT_SHOWN);
    assert_int_equal(eb_verdict_parse("INSUFFICIENT"), EB_INSUFFICIENT);
    assert_int_equal(eb_verdict_parse("sufficient"), -1);
}

/* The smallest m by trying all, against the short cut in the code. */
static int64_t more_by_hand(int64_t s, int64_t n, double bar, double alpha,
                            int64_t max)
{
    int64_t m;

    for (m = 1; m <= max; m++) {
        int64_t k = llround((double)s / (double)n * (double)(n + m));

        if (eb_stats_verdict(k, n + m, bar, alpha) != EB_NOT_SHOWN)
            return m;
    }
    return -1;
}

static void test_more_items(void **state)
{
    const double bars[] = {.02, .3, .5, .7, .95};
    int i, s;

    (void)state;
    for (i = 0; i < 5; i++) {
        for (s = 0; s <= 20; s++)
            assert_int_equal(eb_stats_more_items(s, 20, bars[i], .05, 2000),
                             more_by_hand(s, 20, bars[i], .05, 2000));
    }
    assert_int_equal(eb_stats_more_items(106, 150, .7, .05, 100000),
                     more_by_hand(106, 150, .7, .05, 100000));
    assert_int_equal(eb_stats_more_items(106, 150, .7, .2, 100000),
                     more_by_hand(106, 150, .7, .2, 100000));
    /* All passed: 59 clean items are needed for 0.95. */
    assert_int_equal(eb_stats_more_items(20, 20, .95, .05, 1000), 39);
    assert_int_equal(eb_stats_more_items(20, 20, .95, .05, 38), -1);
    assert_int_equal(eb_stats_more_items(105, 150, .7, .05, 100000), -1);
    assert_int_equal(eb_stats_more_items(0, 0, .7, .05, 100000), -1);
    assert_int_equal(eb_stats_more_items(5, 5, 1, .05, 1000), -1);
}

static void test_beta(void **state)
{
    double x, q;
    int a, b;

    (void)state;
    for (x = 0; x <= 1; x += .125) {
        near(eb_stats_betai(1, 1, x), x, 1e-14);
        near(eb_stats_betai(3, 1, x), x * x * x, 1e-14);
        near(eb_stats_betai(.5, .5, x), 2 / M_PI * asin(sqrt(x)), 1e-13);
    }
    /* I_x(a, b) = P(Bin(a + b - 1, x) >= a) (DLMF 8.17.5). */
    for (a = 1; a < 30; a += 4) {
        for (b = 1; b < 30; b += 3)
            near(eb_stats_betai(a, b, .3), 1 - cdf(a - 1, a + b - 1, .3),
                 1e-12);
    }
    near(eb_stats_betai(5e4, 5e4, .5), .5, 1e-9);
    near(eb_stats_betai(2, 3, -1), 0, 0);
    near(eb_stats_betai(2, 3, 2), 1, 0);
    for (q = .001; q < 1; q += .111)
        near(eb_stats_betai(7, 2.5, eb_stats_beta_quantile(q, 7, 2.5)), q,
             1e-13);
    near(eb_stats_beta_quantile(0, 2, 2), 0, 0);
    near(eb_stats_beta_quantile(1, 2, 2), 1, 0);
    near(eb_stats_beta_quantile(.5, 2, 2), .5, 1e-15);
}

static void test_mcnemar(void **state)
{
    int b, c;

    (void)state;
    near(eb_stats_mcnemar(12, 5), .143463, 5e-7);
    near(eb_stats_mcnemar(20, 8), .035698, 5e-7);
    near(eb_stats_mcnemar(3, 0), .25, 1e-15);
    near(eb_stats_mcnemar(30, 15), .035698, 5e-7);
    near(eb_stats_mcnemar(0, 0), 1, 0);
    for (b = 0; b <= 25; b++) {
        for (c = 0; c <= 25; c++) {
            double p = 2 * cdf(b < c ? b : c, b + c, .5);

            near(eb_stats_mcnemar(b, c), p < 1 ? p : 1, 1e-12);
        }
    }
    near(eb_stats_mcnemar(0, 60) / ldexp(1, -59), 1, 1e-9);
}

static void test_tango(void **state)
{
    const double z2 = 1.959963984540054 * 1.959963984540054;
    int b, c;

    (void)state;
    near_ci(eb_stats_tango(12, 5, 200), -.006003, .080656);
    near_ci(eb_stats_tango(5, 12, 200), -.080656, .006003);
    near_ci(eb_stats_tango(8, 20, 400), -.058497, -.004359);
    near_ci(eb_stats_tango(0, 0, 100), -.036993, .036993);
    near_ci(eb_stats_tango(0, 0, 30), -z2 / (30 + z2), z2 / (30 + z2));
    near_ci(eb_stats_tango(0, 0, 0), -1, 1);
    for (b = 0; b <= 20; b += 2) {
        for (c = 0; b + c <= 20; c++) {
            struct eb_interval ci = eb_stats_tango(b, c, 20);
            struct eb_interval mirror = eb_stats_tango(c, b, 20);

            near(ci.lo, -mirror.hi, 1e-9);
            assert_true(ci.lo >= -1 && ci.hi <= 1);
            assert_true(ci.lo <= (b - c) / 20.0 && (b - c) / 20.0 <= ci.hi);
        }
    }
}

static void test_samples(void **state)
{
    const double x[] = {4, 1, 3, 2}, one[] = {7};
    struct eb_interval ci;

    (void)state;
    near(eb_stats_mean(x, 4), 2.5, 0);
    near(eb_stats_sd(x, 4), sqrt(5.0 / 3), 1e-15);
    near(eb_stats_percentile(x, 4, 50), 2.5, 0);
    near(eb_stats_percentile(x, 4, 95), 3.85, 1e-12);
    near(eb_stats_percentile(x, 4, 0), 1, 0);
    assert_int_equal(eb_stats_percentile_least(50), 1);
    assert_int_equal(eb_stats_percentile_least(90), 10);
    assert_int_equal(eb_stats_percentile_least(95), 20);
    assert_int_equal(eb_stats_percentile_least(99), 100);
    near(eb_stats_percentile(x, 4, 100), 4, 0);
    near(eb_stats_percentile(one, 1, 95), 7, 0);
    near(x[0], 4, 0);
    assert_true(isnan(eb_stats_mean(x, 0)));
    assert_true(isnan(eb_stats_sd(one, 1)));
    assert_true(isnan(eb_stats_percentile(x, 0, 50)));
    /* Student t tables: 12.7062 for 1 degree of freedom, 3.18245 for 3. */
    ci = eb_stats_mean_ci(x, 2); /* mean 2.5, sd / sqrt(2) = 1.5 */
    near(ci.lo, 2.5 - 12.70620473617 * 1.5, 1e-8);
    ci = eb_stats_mean_ci(x, 4);
    near(ci.hi, 2.5 + 3.18244630528 * sqrt(5.0 / 3) / 2, 1e-9);
    assert_true(isnan(eb_stats_mean_ci(one, 1).lo));
}

static void test_p95_index(void **state)
{
    size_t n, k;

    (void)state;
    assert_int_equal(eb_stats_p95_upper_index(59), 59);
    assert_int_equal(eb_stats_p95_upper_index(100), 99);
    assert_int_equal(eb_stats_p95_upper_index(200), 196);
    assert_int_equal(eb_stats_p95_upper_index(400), 388);
    for (n = 0; n < 59; n++)
        assert_int_equal(eb_stats_p95_upper_index(n), 0);
    for (n = 59; n < 300; n += 7) {
        k = eb_stats_p95_upper_index(n);
        assert_true(cdf((int)k - 1, (int)n, .95) >= .95);
        assert_true(cdf((int)k - 2, (int)n, .95) < .95);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_exact_all),
        cmocka_unit_test(test_verdict_error),
        cmocka_unit_test(test_verdict_bounds),
        cmocka_unit_test(test_zero_failures),
        cmocka_unit_test(test_verdict_names),
        cmocka_unit_test(test_more_items),
        cmocka_unit_test(test_beta),
        cmocka_unit_test(test_mcnemar),
        cmocka_unit_test(test_tango),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_p95_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
