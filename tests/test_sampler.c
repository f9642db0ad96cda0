/* Joules of made-up sources, and of sensors that fail in mid-run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/power_help.h"

/* The truth, worked out otherwise than in the fake: by small steps. */
struct source {
    const char *shape;
    double w, to, s, duty;
};

static double source_watts(const struct source *x, double t)
{
    double phase = fmod(t, x->s) / x->s;

    switch (x->shape[0]) {
    case 'r':
        return x->w + (x->to - x->w) * phase;
    case 's':
        return ((long)floor(t / x->s)) % 2 == 0 ? x->w : x->to;
    case 'b':
        return phase < x->duty ? x->to : x->w;
    }
    return x->w;
}

static double source_joules(const struct source *x, double from, double to)
{
    const double dt = 1e-4;
    double sum = 0, t;
    long i, n = lround((to - from) / dt);

    for (i = 0; i < n; i++) {
        t = from + ((double)i + 0.5) * dt;
        sum += source_watts(x, t) * dt;
    }
    return sum;
}

static const struct source sources[] = {{"constant", 10, 0, 1, 0},
                                        {"ramp", 2, 60, 30, 0},
                                        {"steps", 3, 25, 7, 0},
                                        {"bursts", 4, 40, 1, 0.3}};

static const char *source_spec(const struct source *x, const char *kind,
                               char *out, size_t size)
{
    snprintf(out, size, "shape=%s,w=%g,to=%g,s=%g,duty=%g,%s", x->shape, x->w,
             x->to, x->s, x->duty, kind);
    return out;
}

static void about(double got, double want, double share)
{
    if (isnan(got) || fabs(got - want) > share * fabs(want))
        fail_msg("%g is not %g within %g %%", got, want, 100 * share);
}

/* Every source by every kind of sensor: windows that follow one another and
 * one over all of them, each within 2 % of the truth. */
static void test_energy(void **state)
{
    static const char *const kinds[] = {"kind=gauge",
                                        "kind=gauge,poll_ms=100",
                                        "kind=counter",
                                        "kind=counter,range_j=250",
                                        "kind=counter,step_ms=100",
                                        "kind=counter,step_ms=100,start_j=1e6"};
    static const double lengths[] = {12.3, 20.01, 31.7};
    size_t i, k, w;

    (void)state;
    for (i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
        for (k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
            struct lab l = {0};
            char spec[160];
            double t = 1.234, whole = 0;

            assert_int_equal(
                lab_open(&l, "/nonexistent",
                         source_spec(&sources[i], kinds[k], spec, 160),
                         EB_POWER_AUTO, NULL),
                0);
            lab_pass(&l, t);
            eb_power_window_begin(l.p, "whole", NULL, NULL);
            for (w = 0; w < 3; w++) {
                lab_window(&l, "cell", lengths[w]);
            }
            eb_power_window_end(l.p);
            lab_pass(&l, 2);
            for (w = 0; w < 3; w++) {
                struct eb_sampler_result r = lab_result(&l, w + 1, 0);
                double j = source_joules(&sources[i], t, t + lengths[w]);

                print_message("%-8s %-36s %6.2f s %8.2f J %+.2f %%\n",
                              sources[i].shape, kinds[k], lengths[w], r.joules,
                              100 * (r.joules / j - 1));
                about(r.joules, j, 0.02);
                assert_true(r.valid);
                about(r.mean_w, j / lengths[w], 0.02);
                assert_true(r.max_w >= 0.97 * r.mean_w);
                assert_true(r.coverage > 0.98);
                t += lengths[w];
                whole += j;
            }
            about(lab_result(&l, 0, 0).joules, whole, 0.02);
            eb_power_close(l.p);
        }
    }
}

static void test_peak(void **state)
{
    static const char *const kinds[] = {"kind=gauge", "kind=counter",
                                        "kind=counter,step_ms=100"};
    size_t k;

    (void)state;
    for (k = 0; k < 3; k++) {
        struct lab l = {0};
        char spec[160];

        lab_open(&l, "/nonexistent",
                 source_spec(&sources[2], kinds[k], spec, 160), EB_POWER_AUTO,
                 NULL);
        lab_window(&l, "whole", 28);
        about(lab_result(&l, 0, 0).max_w, 25, 0.1);
        eb_power_close(l.p);
    }
}

/* Shorter than a step: no joules. Shorter than five: joules, not valid. */
static void test_short(void **state)
{
    struct lab l = {0};
    struct eb_sampler_result r;

    (void)state;
    lab_open(&l, "/nonexistent", "w=10,kind=counter,step_ms=100", EB_POWER_AUTO,
             NULL);
    lab_pass(&l, 1);
    lab_window(&l, "prefill", 0.06);
    lab_window(&l, "decode", 0.3);
    lab_window(&l, "decode", 0.6);
    lab_pass(&l, 1);
    r = lab_result(&l, 0, 0);
    assert_true(isnan(r.joules) && isnan(r.mean_w) && !r.valid);
    assert_non_null(strstr(r.reason, "shorter than the sensor's step"));
    r = lab_result(&l, 1, 0);
    about(r.joules, 3, 0.1);
    assert_false(r.valid);
    assert_non_null(strstr(r.reason, "shorter than 5"));
    r = lab_result(&l, 2, 0);
    about(r.joules, 6, 0.05);
    assert_true(r.valid);
    assert_string_equal(r.reason, "");
    eb_power_close(l.p);
}

/* What becomes of three windows of 20 s, before, with and after the fault that
 * begins at 25 s. G: the right joules; N: none, with the reason; a window that
 * is neither fails the test whatever is expected. */
struct fault {
    const char *sensor, *fault;
    const char *expect; /* of the three windows */
    const char *reason; /* of the first N */
};

static const struct fault faults[] = {
    {"kind=gauge", "fault=vanish,at=25", "GNN", "absent: the sensor vanished"},
    {"kind=gauge", "fault=vanish,at=25,for=5", "GNG", "absent"},
    {"kind=gauge", "fault=eagain,at=25,for=0.2", "GGG", NULL},
    {"kind=gauge", "fault=eagain,at=25,for=3", "GNG", "not measured: the sen"},
    {"kind=gauge", "fault=eacces,at=25", "GNN", "no permission"},
    {"kind=gauge", "fault=garbage,at=25,for=3", "GNG", "unsupported: the sen"},
    {"kind=gauge", "fault=negative,at=25,for=3", "GNG", "out of range"},
    {"kind=gauge", "fault=spike,at=25,for=3", "GNG", "out of range"},
    {"kind=gauge", "fault=spike,at=25,for=0.1", "GGG", NULL},
    {"kind=gauge,stuck_ms=2000", "fault=stick,at=25", "GNN",
     "not measured: stuck"},
    {"kind=gauge,stuck_ms=2000", "fault=stick,at=25,for=6", "GNG",
     "not measured: stuck"},
    {"kind=counter", "fault=vanish,at=25", "GNN", "absent"},
    /* A counter counts on while it cannot be read. */
    {"kind=counter", "fault=vanish,at=25,for=5", "GGG", NULL},
    {"kind=counter", "fault=eagain,at=25,for=3", "GGG", NULL},
    {"kind=counter", "fault=eacces,at=25", "GNN", "no permission"},
    {"kind=counter", "fault=eacces,at=38,for=5", "GNN", "no permission"},
    {"kind=counter", "fault=garbage,at=25,for=3", "GGG", NULL},
    {"kind=counter", "fault=negative,at=25,for=3", "GGG", NULL},
    {"kind=counter", "fault=spike,at=25,for=0.1", "GGG", NULL},
    {"kind=counter", "fault=spike,at=25,for=3", "GNG", "out of range"},
    {"kind=counter", "fault=stick,at=25", "GNN", "not measured: stuck"},
    {"kind=counter", "fault=stick,at=25,for=5", "GNG", "not measured: stuck"},
    {"kind=counter", "fault=pause,at=25,for=5", "GNG", "not measured: stuck"},
    {"kind=counter", "fault=pause,at=25,for=0.3", "GGG", NULL},
    {"kind=counter", "fault=reset,at=25", "GGG", NULL},
    {"kind=counter,range_j=400,max_w=100", "fault=vanish,at=25,for=2", "GGG",
     NULL},
    {"kind=counter,range_j=400,max_w=100", "fault=vanish,at=22,for=10", "GNG",
     "out of range"},
    {"kind=counter,range_j=6e4", "fault=reset,at=25", "GGG", NULL},
    {"kind=counter,step_ms=100", "fault=stick,at=25,for=5", "GNG",
     "not measured: stuck"},
    {"kind=counter,step_ms=100", "fault=vanish,at=25,for=5", "GGG", NULL},
    {"kind=counter,step_ms=100", "fault=pause,at=25,for=4", "GNG",
     "not measured: stuck"}};

static void fault_windows(const struct fault *f, struct lab *l)
{
    const struct source ramp = {"ramp", 20, 30, 40, 0};
    int reason = 0;
    size_t w;

    for (w = 0; w < 3; w++) {
        struct eb_sampler_result r = lab_result(l, w, 0);
        double j =
            source_joules(&ramp, 1 + 20 * (double)w, 21 + 20 * (double)w);

        print_message("%s,%s window %zu: %.1f J of %.1f, %s\n", f->sensor,
                      f->fault, w, r.joules, j, r.reason);
        if (f->expect[w] == 'G') {
            about(r.joules, j, 0.02);
            assert_true(r.valid);
            continue;
        }
        assert_true(isnan(r.joules) && isnan(r.mean_w) && isnan(r.max_w));
        assert_false(r.valid);
        assert_true(r.reason[0] != '\0');
        if (!reason++ && strncmp(r.reason, f->reason, strlen(f->reason)) != 0)
            fail_msg("\"%s\" does not begin with \"%s\"", r.reason, f->reason);
    }
}

static void test_faults(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        struct lab l = {0};
        char spec[200];

        snprintf(spec, sizeof(spec), "shape=ramp,w=20,to=30,s=40,%s,%s",
                 faults[i].sensor, faults[i].fault);
        assert_int_equal(
            lab_open(&l, "/nonexistent", spec, EB_POWER_AUTO, NULL), 0);
        lab_pass(&l, 1);
        lab_window(&l, "cell", 20);
        lab_window(&l, "cell", 20);
        lab_window(&l, "cell", 20);
        lab_pass(&l, 1);
        fault_windows(&faults[i], &l);
        eb_power_close(l.p);
    }
}

/* Whenever a fault begins and however long it is, never a wrong joule. */
static void test_faults_any_time(void **state)
{
    static const char *const kinds[] = {"gauge,stuck_ms=1000", "counter",
                                        "counter,range_j=6e4,start_j=59700",
                                        "counter,step_ms=100"};
    static const char *const names[] = {"vanish",   "garbage", "stick", "pause",
                                        "negative", "spike",   "reset"};
    const struct source ramp = {"ramp", 20, 30, 40, 0};
    unsigned random = 1;
    int i, null = 0, good = 0;

    (void)state;
    for (i = 0; i < 2000; i++) {
        struct lab l = {0};
        struct eb_sampler_result r;
        const char *kind = kinds[i % 4], *name = names[i / 4 % 7];
        double at, lasts;
        char spec[200];

        random = random * 1103515245u + 12345u;
        at = 1 + (random >> 16) % 2200 / 100.0;
        random = random * 1103515245u + 12345u;
        lasts = (random >> 16) % 400 / 100.0;
        /* Sticking for less than stuck_ms cannot be told from rest. */
        if (kind[0] == 'g' && strcmp(name, "stick") == 0)
            lasts += 1;
        /* A reset a moment before the counter's turn looks like the turn. */
        if (strstr(kind, "range") != NULL && fabs(at - 13.8) < 1 &&
            strcmp(name, "reset") == 0)
            continue;
        snprintf(spec, sizeof(spec),
                 "shape=ramp,w=20,to=30,s=40,kind=%s,fault=%s,at=%g,for=%g",
                 kind, name, at, lasts);
        lab_open(&l, "/nonexistent", spec, EB_POWER_AUTO, NULL);
        lab_pass(&l, 2);
        lab_window(&l, "cell", 20);
        lab_pass(&l, 5);
        r = lab_result(&l, 0, 0);
        if (isnan(r.joules)) {
            assert_true(r.reason[0] != '\0');
            null++;
        } else {
            double j = source_joules(&ramp, 2, 22);

            if (fabs(r.joules / j - 1) > 0.025)
                fail_msg("%s: %g J of %g", spec, r.joules, j);
            good++;
        }
        eb_power_close(l.p);
    }
    print_message("%d null, %d right\n", null, good);
    assert_true(null > 200 && good > 200);
}

static void test_nesting(void **state)
{
    struct lab l = {0};
    struct eb_sampler *s;
    int i;

    (void)state;
    lab_open(&l, "/nonexistent", "w=5", EB_POWER_AUTO, NULL);
    s = eb_power_sampler(l.p);
    eb_power_window_end(l.p); /* of nothing */
    for (i = 0; i < 10; i++)
        eb_power_window_begin(l.p, "cell", "a-level", "en");
    eb_power_window_count(l.p, 1, 2); /* of one that had no place */
    lab_pass(&l, 5);
    eb_power_window_end(l.p);
    eb_power_window_end(l.p);
    eb_power_window_count(l.p, 3, 40);
    for (i = 0; i < 20; i++)
        eb_power_window_end(l.p);
    assert_int_equal(eb_sampler_windows(s), EB_SAMPLER_DEPTH_MAX);
    assert_int_equal(eb_sampler_left_out(s), 2);
    assert_int_equal(eb_sampler_window(s, 7)->tokens, 40);
    assert_int_equal(eb_sampler_window(s, 6)->tokens, -1);
    eb_power_reset(l.p);
    assert_int_equal(eb_sampler_windows(s), 0);
    for (i = 0; i < EB_SAMPLER_WINDOWS_MAX + 3; i++)
        lab_window(&l, "cell", 0.01);
    assert_int_equal(eb_sampler_windows(s), EB_SAMPLER_WINDOWS_MAX);
    assert_int_equal(eb_sampler_left_out(s), 3);
    eb_power_close(l.p);
}

/* The trace keeps the energy while its spans double. */
static void test_trace(void **state)
{
    struct lab l = {0};
    double w[EB_SAMPLER_TRACE_MAX], bin_ms, joules = 0;
    int64_t from_ns;
    size_t n, i;

    (void)state;
    lab_open(&l, "/nonexistent", "shape=steps,w=2,to=8,s=100,kind=counter",
             EB_POWER_AUTO, NULL);
    lab_pass(&l, 2000);
    n = eb_sampler_trace(eb_power_sampler(l.p), 0, w, &from_ns, &bin_ms);
    assert_true(bin_ms == 4000);
    assert_int_equal(n, 500);
    for (i = 0; i < n; i++)
        joules += w[i] * bin_ms / 1000;
    about(joules, 10000, 0.001);
    about(w[10], 2, 0.01);
    about(w[30], 8, 0.01);
    eb_power_close(l.p);
}

/* The thread, with its own clock: it reads, and ends when told. */
static void test_thread(void **state)
{
    struct eb_power_hints h = {
        .rate_hz = 1000, .fake = "w=5;w=7,kind=counter", .meter = ""};
    struct eb_sampler_reads reads;
    struct eb_power *p;
    cJSON *v;

    (void)state;
    assert_int_equal(
        eb_power_open("/nonexistent", EB_POWER_REQUIRE, &h, &p, NULL), 0);
    eb_power_window_begin(p, "whole", NULL, NULL);
    do
        eb_sampler_reads(eb_power_sampler(p), 0, &reads);
    while (reads.n < 20);
    v = eb_power_json(p); /* ends the window */
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(v, "sensors")), 2);
    assert_true(eb_sampler_cpu_ns(eb_power_sampler(p)) > 0);
    cJSON_Delete(v);
    eb_power_close(p);
}

static void test_rate(void **state)
{
    struct eb_power_hints h = {.rate_hz = 5000, .fake = "w=5", .meter = ""};
    struct eb_power *p;
    struct eb_err err;

    (void)state;
    assert_int_equal(eb_power_open("/nonexistent", EB_POWER_AUTO, &h, &p, &err),
                     EB_EINVAL);
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_energy),
                                       cmocka_unit_test(test_peak),
                                       cmocka_unit_test(test_short),
                                       cmocka_unit_test(test_faults),
                                       cmocka_unit_test(test_faults_any_time),
                                       cmocka_unit_test(test_nesting),
                                       cmocka_unit_test(test_trace),
                                       cmocka_unit_test(test_thread),
                                       cmocka_unit_test(test_rate)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
