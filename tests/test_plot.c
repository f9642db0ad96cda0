/* The geometry of charts: distributions, ticks, sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/plot.h"
#include "reports/svg.h"

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
        fail_msg("%.17g is not %.17g", got, want);
}

static void test_ecdf(void **state)
{
    static const double x[] = {1, 2, 4}, y[] = {0.2, 0.8, 1};
    double v[] = {2, 1, 4, 2, 2};
    struct eb_plot *p = eb_plot_new("", "", "", "");
    struct eb_plot_series *s = eb_plot_series(p, "s");
    size_t i;

    (void)state;
    eb_plot_ecdf(s, v, 5, 100);
    assert_true(s->step);
    assert_int_equal(s->n, 3);
    for (i = 0; i < 3; i++) {
        near(s->v[i].x, x[i]);
        near(s->v[i].y, y[i]);
    }
    eb_plot_free(p);
}

/* Ten thousand values keep their ends and at most so many rises; each point
 * that is kept is exact. */
static void test_ecdf_reduced(void **state)
{
    struct eb_plot *p = eb_plot_new("", "", "", "");
    struct eb_plot_series *s = eb_plot_series(p, "s");
    double *v = calloc(10000, sizeof(*v));
    size_t i;

    (void)state;
    assert_non_null(v);
    for (i = 0; i < 10000; i++)
        v[i] = (double)((i * 7919) % 10000) + 1;
    eb_plot_ecdf(s, v, 10000, 50);
    assert_in_range(s->n, 45, 52);
    near(s->v[0].x, 1);
    near(s->v[s->n - 1].x, 10000);
    for (i = 0; i < s->n; i++)
        near(s->v[i].y, s->v[i].x / 10000);
    free(v);
    eb_plot_free(p);
}

static void ticks_are(double lo, double hi, size_t most, const double *want,
                      size_t n)
{
    double at[EB_PLOT_TICKS];
    size_t i;

    assert_int_equal(eb_plot_ticks(lo, hi, most, at), n);
    for (i = 0; i < n; i++)
        near(at[i], want[i]);
}

static void test_ticks(void **state)
{
    static const double a[] = {0, 50, 100}, b[] = {0, 0.1, 0.2, 0.3},
                        c[] = {20, 21, 22, 23, 24}, d[] = {7};
    double at[EB_PLOT_TICKS], lo, hi;
    size_t n, most;
    int third;

    (void)state;
    ticks_are(0, 100, 5, a, 3);
    ticks_are(0, 0.3, 5, b, 4);
    ticks_are(19.5, 24.9, 5, c, 5);
    ticks_are(7, 7, 5, d, 1);
    for (most = 2; most <= EB_PLOT_TICKS; most++) {
        for (hi = 1e-3; hi < 1e12; hi *= 3.7) {
            for (third = 0; third < 3; third++) {
                lo = hi * third / 3;
                n = eb_plot_ticks(lo, hi, most, at);
                assert_in_range(n, 1, most);
                assert_true(at[0] >= lo - 1e-9 * hi);
                assert_true(at[n - 1] <= hi * (1 + 1e-9));
                assert_false(signbit(at[0]));
            }
        }
    }
}

static void test_ticks_log(void **state)
{
    double at[EB_PLOT_TICKS];
    size_t n;

    (void)state;
    n = eb_plot_ticks_log(0.9, 60, 6, at);
    assert_int_equal(n, 6);
    near(at[0], 1);
    near(at[5], 50);
    n = eb_plot_ticks_log(1, 1e5, 6, at);
    assert_int_equal(n, 6);
    near(at[1], 10);
    assert_in_range(eb_plot_ticks_log(1e-9, 1e9, 6, at), 1, 6);
}

static void test_bars(void **state)
{
    static const char *const parts[] = {"a", "b", "c"};
    static const char *const why[] = {NULL, "absent: no b", NULL};
    double v[] = {1, NAN, 2.5};
    struct eb_bars *b = eb_bars_new("", "t", parts, 3);
    struct eb_buf out = {0};

    (void)state;
    eb_bars_add(b, "m", v, why);
    near(eb_bars_sum(b, 0), 3.5);
    assert_null(b->v[0].reasons[0]);
    assert_string_equal(b->v[0].reasons[1], "absent: no b");
    eb_svg_bars(&out, b, 1);
    /* Two parts and three lines of the legend. */
    assert_non_null(strstr(out.data, "b: not known"));
    assert_null(strstr(out.data, "<title>m, b"));
    assert_non_null(strstr(out.data, "<title>m, c: 2 B"));
    eb_buf_free(&out);
    eb_bars_free(b);
}

static void test_cut(void **state)
{
    struct eb_buf out = {0};

    (void)state;
    eb_svg_escape_cut(&out, "a<\xe4\xbd\xa0\xe5\xa5\xbd", 4);
    assert_string_equal(out.data, "a&lt;\xe4\xbd\xa0\xe5\xa5\xbd");
    eb_buf_reset(&out);
    eb_svg_escape_cut(&out, "a<\xe4\xbd\xa0\xe5\xa5\xbd", 3);
    assert_string_equal(out.data, "a&lt;\xe2\x80\xa6");
    eb_buf_free(&out);
}

/* One point, all at zero, no series: nothing that is not a number. */
static void test_degenerate(void **state)
{
    struct eb_plot *p = eb_plot_new("", "<t>", "x", "y");
    struct eb_plot_series *s;
    struct eb_buf out = {0};

    (void)state;
    eb_svg_plot(&out, p, 1);
    s = eb_plot_series(p, "s");
    eb_plot_point(s, (struct eb_plot_point){0, 0, NAN, NAN, 1});
    p->x_at_points = 1;
    eb_svg_plot(&out, p, 2);
    assert_null(strstr(out.data, "nan"));
    assert_null(strstr(out.data, "inf"));
    assert_null(strstr(out.data, "<t>"));
    eb_buf_free(&out);
    eb_plot_free(p);
}

/* No log of nothing; what would be below the axis is at it. */
static void test_below(void **state)
{
    struct eb_plot *p = eb_plot_new("", "t", "x", "y");
    struct eb_plot_series *s = eb_plot_series(p, "s");
    struct eb_buf out = {0};

    (void)state;
    p->x_log = 1;
    eb_plot_point(s, (struct eb_plot_point){0, 5, -10, 10, 0});
    eb_plot_point(s, (struct eb_plot_point){4, 10, NAN, NAN, 0});
    eb_svg_plot(&out, p, 1);
    assert_null(strstr(out.data, "nan"));
    assert_null(strstr(out.data, "inf"));
    assert_non_null(strstr(out.data, "M58.0 190.0V"));
    eb_buf_free(&out);
    eb_plot_free(p);
}

/* Numbers are written out. */
static void test_exponent(void **state)
{
    struct eb_plot *p = eb_plot_new("", "t", "x", "y");
    struct eb_plot_series *s = eb_plot_series(p, "s");
    struct eb_buf out = {0};

    (void)state;
    eb_plot_point(s,
                  (struct eb_plot_point){131072, 99999.9, 9999.9, 123456, 0});
    eb_svg_plot(&out, p, 1);
    assert_non_null(
        strstr(out.data, "s, 131072: 100000 (10000 to 123456)</title>"));
    assert_null(strstr(out.data, "e+"));
    eb_buf_free(&out);
    eb_plot_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ecdf),       cmocka_unit_test(test_ecdf_reduced),
        cmocka_unit_test(test_ticks),      cmocka_unit_test(test_ticks_log),
        cmocka_unit_test(test_bars),       cmocka_unit_test(test_cut),
        cmocka_unit_test(test_degenerate), cmocka_unit_test(test_below),
        cmocka_unit_test(test_exponent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
