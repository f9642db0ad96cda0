#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats_compare.h"

static void near(double got, double want, double eps)
{
    if (!(fabs(got - want) <= eps))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* P(X = k), X ~ Bin(n, p), by products: independent of the beta code. */
static double pmf(int k, int n, double p)
{
    double x = 1;
    int i;

    for (i = 1; i <= k; i++)
        x *= p * (n - k + i) / i;
    for (i = 0; i < n - k; i++)
        x *= 1 - p;
    return x;
}

static double tail(int k, int n, double p)
{
    double sum = 0;

    for (; k <= n; k++)
        sum += pmf(k, n, p);
    return sum;
}

static void test_quantile_index(void **state)
{
    const double qs[] = {.5, .9, .95, .99}, alphas[] = {.05, .025, .2};
    int n, i, a;
    size_t k;

    (void)state;
    assert_int_equal(eb_stats_quantile_upper_index(59, .95, .05), 59);
    assert_int_equal(eb_stats_quantile_upper_index(58, .95, .05), 0);
    assert_int_equal(eb_stats_quantile_upper_index(100, .95, .05), 99);
    assert_int_equal(eb_stats_quantile_upper_index(200, .95, .05), 196);
    assert_int_equal(eb_stats_quantile_upper_index(400, .95, .05), 388);
    assert_int_equal(eb_stats_quantile_lower_index(200, .95, .05), 185);
    assert_int_equal(eb_stats_quantile_lower_index(0, .95, .05), 0);
    assert_int_equal(eb_stats_quantile_upper_index(0, .95, .05), 0);
    /* Median of 5 values: P(X_(1) <= median) = 1 - 1/32. */
    assert_int_equal(eb_stats_quantile_lower_index(5, .5, .05), 1);
    assert_int_equal(eb_stats_quantile_upper_index(5, .5, .05), 5);
    for (n = 1; n <= 120; n++) {
        for (i = 0; i < 4; i++) {
            for (a = 0; a < 3; a++) {
                double q = qs[i], level = 1 - alphas[a];

                k = eb_stats_quantile_lower_index((size_t)n, q, alphas[a]);
                if (k > 0)
                    assert_true(tail((int)k, n, q) >= level - 1e-12);
                assert_true(tail((int)k + 1, n, q) < level + 1e-12);
                k = eb_stats_quantile_upper_index((size_t)n, q, alphas[a]);
                if (k > 0)
                    assert_true(tail((int)k, n, q) <= alphas[a] + 1e-12);
                assert_true(tail(k > 0 ? (int)k - 1 : n, n, q) >
                            alphas[a] - 1e-12);
            }
        }
    }
}

/* Three clusters of one item, one pass: the rate of a draw of three is
 * Bin(3, 1/3) / 3, so its quantiles are known. */
static void test_bootstrap(void **state)
{
    struct eb_cluster c[40], two[2] = {{0, 1}, {5, 9}};
    struct eb_interval a, b, single, grouped;
    int i;

    (void)state;
    c[0] = (struct eb_cluster){1, 1};
    c[1] = c[2] = (struct eb_cluster){0, 1};
    /* P(0) = 8/27, P(3) = 1/27: the 10 % tails end at 0 and 2/3. */
    a = eb_stats_cluster_bootstrap(c, 3, .2, 4000, 7);
    near(a.lo, 0, 0);
    near(a.hi, 2 / 3.0, 1e-15);
    b = eb_stats_cluster_bootstrap(c, 3, .2, 4000, 7);
    near(a.lo, b.lo, 0);
    near(a.hi, b.hi, 0);
    /* Clusters weigh by their items: 0/1, 5/9, 5/10 are the only rates. */
    a = eb_stats_cluster_bootstrap(two, 2, .05, 2000, 1);
    near(a.lo, 0, 0);
    near(a.hi, 5 / 9.0, 1e-15);
    /* 40 items in 10 clusters that pass or fail as one: the interval is twice
     * as wide as that of 40 single items (design effect 4). */
    for (i = 0; i < 40; i++)
        c[i] = (struct eb_cluster){i % 2, 1};
    single = eb_stats_cluster_bootstrap(c, 40, .05, 10000, 3);
    near(single.lo, .5 - 1.96 * sqrt(.25 / 40), .03);
    near(single.hi, .5 + 1.96 * sqrt(.25 / 40), .03);
    for (i = 0; i < 10; i++)
        c[i] = (struct eb_cluster){i % 2 * 4, 4};
    grouped = eb_stats_cluster_bootstrap(c, 10, .05, 10000, 3);
    near((grouped.hi - grouped.lo) / (single.hi - single.lo), 2, .2);
    assert_true(isnan(eb_stats_cluster_bootstrap(c, 1, .05, 100, 1).lo));
    assert_true(isnan(eb_stats_cluster_bootstrap(c, 5, .05, 0, 1).hi));
}

static void test_holm(void **state)
{
    const double p[] = {.01, .04, .03, .005}, same[] = {.5, .5};
    double out[4] = {0};

    (void)state;
    /* By hand: .005 * 4, .01 * 3, .03 * 2, .04 * 1 raised to .06. */
    eb_stats_holm(p, 4, out);
    near(out[0], .03, 1e-15);
    near(out[1], .06, 1e-15);
    near(out[2], .06, 1e-15);
    near(out[3], .02, 1e-15);
    eb_stats_holm(same, 2, out);
    near(out[0], 1, 0);
    near(out[1], 1, 0);
    memcpy(out, p, sizeof(out));
    eb_stats_holm(out, 4, out);
    near(out[1], .06, 1e-15);
    eb_stats_holm(p, 0, out);
}

/* What a step-down by hand rejects is what adjusted <= alpha says. */
static void test_holm_steps(void **state)
{
    double p[3], out[3], alpha = .1;
    int i, k, rejected, open;

    (void)state;
    for (i = 0; i < 1000; i++) {
        p[0] = i % 10 * .012;
        p[1] = i / 10 % 10 * .012;
        p[2] = i / 100 * .012;
        eb_stats_holm(p, 3, out);
        for (rejected = 0, open = 3; open > 0; open--) {
            int least = -1;

            for (k = 0; k < 3; k++) {
                if (!(rejected >> k & 1) && (least < 0 || p[k] < p[least]))
                    least = k;
            }
            if (p[least] * open > alpha)
                break;
            rejected |= 1 << least;
        }
        for (k = 0; k < 3; k++)
            assert_int_equal(out[k] <= alpha, rejected >> k & 1);
    }
}

static void test_normal(void **state)
{
    (void)state;
    near(eb_stats_normal_upper(.025), 1.959963984540054, 1e-13);
    near(eb_stats_normal_upper(.05), 1.644853626951473, 1e-13);
    near(eb_stats_normal_upper(.5), 0, 1e-13);
    near(eb_stats_normal_upper(.95), -1.644853626951473, 1e-13);
}

static void test_noninferior(void **state)
{
    double p, lo;
    int b, c, m;

    (void)state;
    /* At 2.5 % the bound is the lower end of the two-sided 95 % interval. */
    near(eb_stats_noninferior_lower(12, 5, 200, .025), -.006003, 5e-7);
    near(eb_stats_noninferior_lower(8, 20, 400, .025), -.058497, 5e-7);
    near(eb_stats_noninferior_lower(0, 0, 100, .025), -.036993, 5e-7);
    /* b = c = 0: the bound is -z^2 / (n + z^2). */
    near(eb_stats_noninferior_lower(0, 0, 100, .05),
         -1 / (100 / (1.644853626951473 * 1.644853626951473) + 1), 1e-12);
    near(eb_stats_noninferior_lower(0, 0, 0, .05), -1, 0);
    near(eb_stats_noninferior_lower(0, 9, 9, .05), -1, 0);
    near(eb_stats_noninferior_p(0, 0, 0, .05), 1, 0);
    for (b = 0; b <= 30; b += 2) {
        for (c = 0; b + c <= 30 && c < 30; c++) {
            lo = eb_stats_noninferior_lower(b, c, 30, .05);
            assert_true(lo >= -1 && lo <= (b - c) / 30.0);
            for (m = 0; m <= 9; m++) {
                p = eb_stats_noninferior_p(b, c, 30, m / 10.0);
                assert_true(p >= 0 && p <= 1);
                if (fabs(p - .05) > 1e-9)
                    assert_int_equal(p<.05, lo> - m / 10.0);
            }
        }
    }
}

/* P(b, c | n, chances) of the trinomial. */
static double trinomial(int b, int c, int n, double pb, double pc)
{
    return pmf(b, n, pb) *
           (pb < 1 ? pmf(c, n - b, fmin(1, pc / (1 - pb))) : c == 0);
}

/* The true one-sided error of the score test, summed exactly over b and c at
 * truths on the margin: near 5 %, as Tango (1998) and Liu et al. (2002)
 * report, not under it. */
static void test_noninferior_error(void **state)
{
    const int sizes[] = {20, 50, 100};
    const double margins[] = {0, .05, .1};
    double worst = 0, pc, wrong;
    int i, m, b, c;

    (void)state;
    for (i = 0; i < 3; i++) {
        for (m = 0; m < 3; m++) {
            for (pc = margins[m] + .02; pc <= .3; pc += .04) {
                int n = sizes[i];

                wrong = 0;
                for (b = 0; b <= n; b++) {
                    for (c = 0; b + c <= n; c++) {
                        if (eb_stats_noninferior_p(b, c, n, margins[m]) < .05)
                            wrong += trinomial(b, c, n, pc - margins[m], pc);
                    }
                }
                worst = fmax(worst, wrong);
            }
        }
    }
    assert_true(worst > .05 && worst < .056);
}

/* Coverage summed exactly over every outcome: Clopper-Pearson never under the
 * nominal 95 %, Wilson's mean over rates close to it with the known dips. */
static void test_rate_coverage(void **state)
{
    const int sizes[] = {5, 10, 20, 40};
    double p, exact, wilson, least_wilson = 1, mean;
    int i, s, steps;

    (void)state;
    for (i = 0; i < 4; i++) {
        int n = sizes[i];

        mean = steps = 0;
        for (p = .005; p < 1; p += .005, steps++) {
            exact = wilson = 0;
            for (s = 0; s <= n; s++) {
                struct eb_interval e = eb_stats_exact(s, n, .025);
                struct eb_interval w = eb_stats_wilson(s, n);

                exact += e.lo <= p && p <= e.hi ? pmf(s, n, p) : 0;
                wilson += w.lo <= p && p <= w.hi ? pmf(s, n, p) : 0;
            }
            assert_true(exact >= .95 - 1e-9);
            least_wilson = fmin(least_wilson, wilson);
            mean += wilson;
        }
        near(mean / steps, .953, .01);
    }
    assert_true(least_wilson > .83 && least_wilson < .85);
}

/* Two-sided coverage of Tango's interval over every (b, c). */
static void test_tango_coverage(void **state)
{
    const int sizes[] = {10, 20, 40};
    double pb, pc, cover, least = 1, mean = 0;
    int i, b, c, cells = 0;

    (void)state;
    for (i = 0; i < 3; i++) {
        int n = sizes[i];

        for (pb = .02; pb < .5; pb += .06) {
            for (pc = .02; pb + pc < .9; pc += .06, cells++) {
                cover = 0;
                for (b = 0; b <= n; b++) {
                    for (c = 0; b + c <= n; c++) {
                        /* d is inside where the score is within z. */
                        if (fabs(eb_stats_tango_score(b, c, n, pb - pc)) <=
                            1.959963984540054)
                            cover += trinomial(b, c, n, pb, pc);
                    }
                }
                least = fmin(least, cover);
                mean += cover;
            }
        }
    }
    near(mean / cells, .959, .005);
    assert_true(least > .92);
}

/* The exact McNemar test under equal models: P(p <= alpha) <= alpha for every
 * share of discordant items, summed over every outcome; and p is what listing
 * all 2^(b+c) splits gives. */
static void test_mcnemar_exact(void **state)
{
    double psi, wrong, alpha;
    int n, b, c, split, k, extreme;

    (void)state;
    for (n = 1; n <= 12; n++) {
        for (psi = .1; psi < 1; psi += .2) {
            for (alpha = .01; alpha < .5; alpha += .07) {
                wrong = 0;
                for (b = 0; b <= n; b++) {
                    for (c = 0; b + c <= n; c++) {
                        if (eb_stats_mcnemar(b, c) <= alpha)
                            wrong += trinomial(b, c, n, psi / 2, psi / 2);
                    }
                }
                assert_true(wrong <= alpha + 1e-12);
            }
        }
        for (b = 0; b <= n; b++) {
            extreme = 0;
            for (split = 0; split < 1 << n; split++) {
                k = __builtin_popcount((unsigned)split);
                extreme += abs(2 * k - n) >= abs(2 * b - n);
            }
            near(eb_stats_mcnemar(b, n - b), (double)extreme / (1 << n), 1e-12);
        }
    }
}

/* Passes among 4 tries of the 50 airline tasks of gpt-4o, counted from the
 * rewards in github.com/sierra-research/tau-bench (MIT), historical
 * trajectories gpt-4o-airline.json; the README there gives pass^1..4. */
static const int64_t tau_airline[50] = {
    0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 4, 2, 0, 2, 1, 1, 4, 0, 4, 3, 0, 0, 4,
    0, 2, 2, 0, 1, 2, 2, 0, 0, 3, 4, 4, 3, 4, 1, 3, 2, 4, 1, 2, 2, 2, 1, 4, 4};

static void test_pass_hat(void **state)
{
    const int64_t one[] = {3};

    (void)state;
    near(eb_stats_pass_hat(tau_airline, 50, 4, 1), .4200, 5e-5);
    near(eb_stats_pass_hat(tau_airline, 50, 4, 2), .2733, 5e-5);
    near(eb_stats_pass_hat(tau_airline, 50, 4, 3), .2200, 5e-5);
    near(eb_stats_pass_hat(tau_airline, 50, 4, 4), .2000, 5e-5);
    near(eb_stats_pass_hat(one, 1, 5, 2), 3 / 10.0, 1e-15);
    near(eb_stats_pass_hat(one, 1, 5, 4), 0, 0);
    assert_true(isnan(eb_stats_pass_hat(one, 1, 5, 6)));
    assert_true(isnan(eb_stats_pass_hat(one, 1, 5, 0)));
    assert_true(isnan(eb_stats_pass_hat(one, 0, 5, 1)));
}

/* Without bias: over every outcome of n tries the mean is p^k. */
static void test_pass_hat_unbiased(void **state)
{
    double p, mean;
    int64_t c;
    int n, k;

    (void)state;
    for (n = 1; n <= 8; n++) {
        for (k = 1; k <= n; k++) {
            for (p = .1; p < 1; p += .2) {
                mean = 0;
                for (c = 0; c <= n; c++)
                    mean += pmf((int)c, n, p) * eb_stats_pass_hat(&c, 1, n, k);
                near(mean, pow(p, k), 1e-12);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantile_index),
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_holm),
        cmocka_unit_test(test_holm_steps),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_noninferior),
        cmocka_unit_test(test_noninferior_error),
        cmocka_unit_test(test_rate_coverage),
        cmocka_unit_test(test_tango_coverage),
        cmocka_unit_test(test_mcnemar_exact),
        cmocka_unit_test(test_pass_hat),
        cmocka_unit_test(test_pass_hat_unbiased),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
