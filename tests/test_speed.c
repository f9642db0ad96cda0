/* The speed suite on the fake engine and a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/engine_fake.h"
#include "agent/run.h"
#include "agent/speed_parts.h"
#include "agent/speed_suite.h"
#include "common/fs.h"
#include "common/json.h"
#include "tests/tree_help.h"

#define MS INT64_C(1000000)

/* The world: a clock that only work and sleep move, one processor that others
 * use in part, and an engine whose repeats scatter. */
static struct {
    int64_t now;
    int64_t others_ns; /* busy time of others so far */
    double disturb;    /* cores that others use from now on */
    double scatter;    /* of a repeat, in both directions in turn */
    double slower;     /* factor on all work */
    int works, stop_at;
    int batch_max, depth_max;
    int throttle_at; /* a throttle event in this work */
} w;

/* The process itself is always busy on one core; ticks are hundredths. */
static void put_stat(void)
{
    char text[128];

    snprintf(
        text, sizeof(text), "cpu %lld 0 0 0 0 0 0 0 0 0\n",
        (long long)((w.now + w.others_ns) * sysconf(_SC_CLK_TCK) / 1000000000));
    put("/proc/stat", text);
}

static void pass_time(int64_t ns)
{
    w.now += ns;
    w.others_ns += (int64_t)((double)ns * w.disturb);
}

static int64_t now(void *arg)
{
    (void)arg;
    return w.now;
}

static int64_t own(void *arg)
{
    (void)arg;
    put_stat(); /* it is read right after */
    return w.now;
}

static void nap(void *arg, int ms)
{
    (void)arg;
    pass_time(ms * MS);
}

static int stop(void)
{
    return w.stop_at > 0 && w.works >= w.stop_at;
}

static void put_throttle(int count)
{
    char text[16];

    snprintf(text, sizeof(text), "%d\n", count);
    put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
        text);
}

/* A millisecond a token; ten a step. */
static void work(const struct eb_bench_shape *s, void *arg)
{
    double ms = s == NULL ? 10 : (s->n_prompt + s->n_gen) * 1.0;

    (void)arg;
    w.works++;
    if (w.works == w.throttle_at)
        put_throttle(1);
    if (s != NULL && s->batch > w.batch_max)
        w.batch_max = s->batch;
    if (s != NULL && s->depth > w.depth_max)
        w.depth_max = s->depth;
    ms *= (1 + w.scatter * (w.works % 2 ? 1 : -1)) * (1 + w.slower);
    pass_time((int64_t)(ms * 1e6));
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    w.now = 1000 * MS;
    strcpy(root, "/tmp/eb-spd-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    put("/proc/loadavg", "0.10 0.50 0.10 1/200 4242\n");
    setenv("EDGEBENCH_SPOOL", root, 1);
    eb_fake_plant_work(work, NULL);
    return 0;
}

static int teardown(void **state)
{
    eb_fake_plant_work(NULL, NULL);
    return tree_teardown(state);
}

static struct eb_speed_env env(void)
{
    return (struct eb_speed_env){.now = now,
                                 .sleep_ms = nap,
                                 .own_cpu_ns = own,
                                 .sysroot = root,
                                 .stop = stop};
}

/* Series */

static const int64_t *script;
static size_t script_n, script_at;

static int scripted(void *arg, int64_t *ns, struct eb_err *err)
{
    (void)arg;
    (void)err;
    *ns = script[script_at < script_n ? script_at : script_n - 1] * MS;
    script_at++;
    w.now += *ns;
    return 0;
}

static const struct eb_series_rule rule = {0.02, 5, 1000, 1};

static void series(const int64_t *v, size_t n, int64_t deadline_ms, int warm,
                   struct eb_series *s)
{
    const struct eb_series_source src = {scripted, now, NULL, NULL, NULL};

    script = v;
    script_n = n;
    script_at = 0;
    if (warm)
        assert_int_equal(
            eb_series_warm(&src, &rule, w.now + deadline_ms * MS, s, NULL), 0);
    else
        assert_int_equal(
            eb_series_run(&src, &rule, w.now + deadline_ms * MS, s, NULL), 0);
}

/* The example of the header. */
static void test_series_narrow(void **state)
{
    static const int64_t v[] = {100, 102, 98, 100, 100, 500};
    struct eb_series s = {0};
    char why[EB_SERIES_REASON];

    (void)state;
    series(v, 6, 1000000, 0, &s);
    assert_int_equal(s.n, 5);
    assert_float_equal(eb_series_width(s.ns, s.n), 0.0176, 1e-4);
    assert_int_equal(eb_series_judge(&s, &rule, why), 1);
    assert_string_equal(why, "");
    eb_series_free(&s);
}

static void test_series_wide(void **state)
{
    static const int64_t v[] = {100, 150, 80, 120, 60, 140, 100, 130};
    struct eb_series s = {0};
    char why[EB_SERIES_REASON];

    (void)state;
    series(v, 8, 800, 0, &s); /* the budget ends it */
    assert_int_equal(s.n, 8);
    assert_int_equal(eb_series_judge(&s, &rule, why), 0);
    assert_non_null(strstr(why, "of the mean to each side after 8 repeats"));
    eb_series_free(&s);
}

static void test_series_few(void **state)
{
    static const int64_t v[] = {100};
    struct eb_series s = {0};
    char why[EB_SERIES_REASON];

    (void)state;
    series(v, 1, 1, 0, &s);
    assert_int_equal(s.n, 2); /* two at least, for a spread */
    assert_int_equal(eb_series_judge(&s, &rule, why), 0);
    assert_string_equal(why,
                        "only 2 repeats fitted into the budget, 5 are needed");
    eb_series_free(&s);
}

/* Each half is narrow, and they differ: the device changed. */
static void test_series_drift(void **state)
{
    static const int64_t v[] = {100, 101, 100, 101, 100, 101,
                                110, 111, 110, 111, 110, 111};
    struct eb_series s = {0};
    char why[EB_SERIES_REASON];
    size_t i;

    (void)state;
    s.ns = calloc(EB_SERIES_MAX, sizeof(*s.ns));
    for (i = 0; i < 12; i++)
        s.ns[s.n++] = v[i] * MS;
    s.n_passes = 1;
    assert_int_equal(eb_series_judge(&s, &rule, why), 0);
    assert_non_null(strstr(why, "second half"));
    s.n_passes = 2;
    s.pass[1] = 6;
    assert_int_equal(eb_series_judge(&s, &rule, why), 0);
    assert_non_null(strstr(why, "pass 2 took +10.0%"));
    eb_series_free(&s);
}

static void test_series_warm(void **state)
{
    static const int64_t v[] = {300, 200, 150, 120, 119, 50};
    static const int64_t never[] = {100, 200, 100, 200, 100, 200, 100, 200,
                                    100, 200, 100, 200, 100, 200, 100, 200,
                                    100, 200, 100, 200, 100, 200};
    struct eb_series s = {0};

    (void)state;
    series(v, 6, 100000, 1, &s);
    assert_int_equal(s.warm_repeats, 5); /* 120 and 119 agree */
    assert_int_equal(s.cold_passes, 0);
    assert_int_equal(s.n, 0);
    series(never, 22, 100000, 1, &s);
    assert_int_equal(s.cold_passes, 1);
    eb_series_free(&s);
}

/* Names and options */

static void test_names(void **state)
{
    static const struct {
        struct eb_bench_shape s;
        const char *name;
    } v[] = {{{512, 0, 0, 1}, "pp512"},
             {{0, 128, 0, 1}, "tg128"},
             {{512, 128, 0, 1}, "pp512+tg128"},
             {{0, 128, 4096, 1}, "tg128 @ d4096"},
             {{0, 128, 0, 4}, "tg128 b4"},
             {{0, 128, 1024, 8}, "tg128 b8 @ d1024"}};
    char name[EB_SPEED_NAME];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        eb_speed_name(&v[i].s, name);
        assert_string_equal(name, v[i].name);
    }
}

static void test_duration(void **state)
{
    static const char *const bad[] = {"", "s", "1d", "-1", "1.5m", "9999h"};
    int64_t ns;
    size_t i;

    (void)state;
    assert_int_equal(eb_speed_duration("budget", "90", &ns, NULL), 0);
    assert_int_equal(ns, INT64_C(90000000000));
    assert_int_equal(eb_speed_duration("budget", "10m", &ns, NULL), 0);
    assert_int_equal(ns, INT64_C(600000000000));
    assert_int_equal(eb_speed_duration("budget", "1h", &ns, NULL), 0);
    assert_int_equal(ns, INT64_C(3600000000000));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(eb_speed_duration("budget", bad[i], &ns, NULL),
                         EB_EUSAGE);
}

static int options(struct eb_speed_opts *o, const char *a, const char *b)
{
    char *argv[] = {"run",          "-q",      "-s",      "speed", "-m",
                    "fake:chatter", (char *)a, (char *)b, NULL};

    return eb_speed_options(o, a == NULL ? 6 : b == NULL ? 7 : 8, argv, NULL);
}

static void test_options(void **state)
{
    char *asked[] = {"run", "--suite=speed", NULL};
    char *other[] = {"run", "-s", "custsvc", "-o", "speed", NULL};
    struct eb_speed_opts o;
    struct eb_bench_shape shapes[EB_SPEED_TESTS_MAX];

    (void)state;
    assert_true(eb_speed_suite_asked(2, asked));
    assert_false(eb_speed_suite_asked(5, other));
    assert_int_equal(options(&o, NULL, NULL), 0);
    assert_int_equal(eb_speed_shapes(&o, shapes), 14);
    assert_int_equal(options(&o, "--depths", "0"), 0);
    assert_int_equal(eb_speed_shapes(&o, shapes), 7);
    assert_int_equal(options(&o, "--depths", "0,"), EB_EUSAGE);
    assert_int_equal(options(&o, "--batches", "0"), EB_EUSAGE);
    assert_int_equal(options(&o, "--batches", "1,2,3,4,5,6,7,8,9"), EB_EUSAGE);
    assert_int_equal(options(&o, "--emit", "csv"), EB_EUSAGE);
    assert_int_equal(options(&o, "--budget", "soon"), EB_EUSAGE);
    assert_int_equal(options(&o, "--require-upload", NULL), EB_EUSAGE);
    assert_int_equal(options(&o, "stray", NULL), EB_EUSAGE);
}

/* The gate */

static void test_gate_quiet(void **state)
{
    const struct eb_gate_rule rule2 = {1, 1, 70, 5000 * MS};
    struct eb_speed_env e = env();
    cJSON *v = eb_gate_wait(&e, &rule2);

    (void)state;
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(v, "passed")));
    assert_float_equal(eb_json_get_num(v, "waited_ns", 0), 1e9, 1);
    assert_float_equal(eb_json_get_num(v, "others_cores", 1), 0, 0.02);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "temperature_c")));
    cJSON_Delete(v);
}

static void test_gate_busy(void **state)
{
    const struct eb_gate_rule rule2 = {1, 1, 70, 5000 * MS};
    struct eb_speed_env e = env();
    cJSON *v;

    (void)state;
    w.disturb = 0.5;
    v = eb_gate_wait(&e, &rule2);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(v, "passed")));
    assert_float_equal(eb_json_get_num(v, "waited_ns", 0), 5e9, 1);
    assert_float_equal(eb_json_get_num(v, "others_cores", 0), 0.5, 0.02);
    assert_non_null(
        strstr(eb_json_get_str(v, "note", ""), "other processes used 0.5"));
    cJSON_Delete(v);
}

static void test_gate_hot(void **state)
{
    const struct eb_gate_rule rule2 = {1, 1, 70, 3000 * MS};
    struct eb_speed_env e = env();
    cJSON *v;

    (void)state;
    put("/sys/class/thermal/thermal_zone0/temp", "85000\n");
    v = eb_gate_wait(&e, &rule2);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(v, "passed")));
    assert_non_null(strstr(eb_json_get_str(v, "note", ""), "85.0 C"));
    cJSON_Delete(v);
}

/* A processor that we may not use is no matter of ours. */
static void test_gate_affinity(void **state)
{
    struct eb_speed_env e = env();
    cpu_set_t set;
    char text[256];
    int cpu = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    while (!CPU_ISSET(cpu, &set))
        cpu++;
    e.own_cpu_ns = now; /* does not write the file */
    snprintf(text, sizeof(text),
             "cpu  1000 0 0 0 0 0 0 0 0 0\ncpu%d 100 0 0 7 0 0 0 0 0 0\n"
             "cpu%d 900 0 0 0 0 0 0 0 0 0\nintr 5\n",
             cpu, CPU_SETSIZE);
    put("/proc/stat", text);
    assert_true(eb_speed_cpu_now(&e).busy_ns ==
                100 * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK)));
    put("/proc/stat", "cpu  1 2 3\n");
    assert_false(eb_speed_cpu_now(&e).ok);
}

/* Idle processors may be used by others. */
static void test_others_max(void **state)
{
    (void)state;
    assert_float_equal(eb_speed_others_max(2, 2), 0.1, 1e-9);
    assert_float_equal(eb_speed_others_max(2, 8), 6.4, 1e-9);
}

/* The whole suite */

static struct eb_speed s;
static struct eb_err err;

static const cJSON *rec(size_t i)
{
    assert_true(i < s.run.n_recs);
    return s.run.recs[i];
}

static const cJSON *row(const cJSON *r, const char *list, const char *key,
                        const char *name)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, cJSON_GetObjectItem(r, list))
    {
        if (strcmp(eb_json_get_str(v, key, ""), name) == 0)
            return v;
    }
    fail_msg("no %s %s", list, name);
    return NULL;
}

static const cJSON *sum(const cJSON *r)
{
    return cJSON_GetObjectItem(r, "summary");
}

static int suite(int argc, char **argv)
{
    int rc;

    memset(&s, 0, sizeof(s));
    s.env = env();
    rc = eb_speed_options(&s.opts, argc, argv, &err);
    if (rc == 0)
        rc = eb_speed_open(&s, &err);
    if (rc == 0)
        rc = eb_speed_all(&s, &err);
    return rc;
}

#define SUITE(...)                                                             \
    do {                                                                       \
        char *args_[] = {"run",   "-q",      "-t",  "1",        "-s",          \
                         "speed", "--power", "off", __VA_ARGS__};              \
        assert_int_equal(suite(sizeof(args_) / sizeof(*args_), args_), 0);     \
    } while (0)

static void test_suite(void **state)
{
    const cJSON *v, *r;

    (void)state;
    w.scatter = 0.01;
    SUITE("-m", "fake:chatter");
    assert_int_equal(s.run.n_recs, 1);
    r = rec(0);
    assert_string_equal(eb_json_get_str(r, "status", ""), "complete");
    v = row(sum(r), "speed", "test", "pp512");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(v, "stable")));
    assert_float_equal(eb_json_get_num(v, "mean_tps", 0), 1000, 10);
    assert_true(eb_json_get_num(v, "lo_tps", 0) > 980);
    assert_true(eb_json_get_num(v, "hi_tps", 2000) < 1020);
    assert_int_equal(eb_json_get_num(v, "n", 0), 5);
    /* Eight sequences in the time of one. */
    v = row(sum(r), "speed", "test", "tg128 b8");
    assert_float_equal(eb_json_get_num(v, "mean_tps", 0), 8000, 80);
    assert_int_equal(w.batch_max, 8);
    assert_int_equal(w.depth_max, 4096);
    v = row(sum(r), "requests", "phase", "first");
    assert_int_equal(eb_json_get_num(v, "n", 0), 1);
    assert_float_equal(eb_json_get_num(v, "cached_mean", -1), 0, 0);
    assert_in_range((int)eb_json_get_num(v, "prompt_mean", 0), 1450, 1550);
    assert_float_equal(eb_json_get_num(v, "output_mean", 0), 60, 0);
    v = row(sum(r), "requests", "phase", "prefix");
    assert_true(eb_json_get_num(v, "cached_mean", 0) > 1400);
    assert_float_equal(eb_json_get_num(v, "itl_p99_ms", 0), 10, 0.2);
    assert_true(eb_json_get_num(sum(r), "localscore", 0) > 0);
    assert_null(cJSON_GetObjectItem(r, "sustained"));
    eb_speed_close(&s);
}

/* One event: one repeat of one test has it. pp128 warms up with four repeats
 * and keeps five, pp512 warms up with two. */
static void test_suite_throttled(void **state)
{
    const cJSON *r, *v, *at;

    (void)state;
    put("/sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n");
    put("/sys/devices/system/cpu/cpu0/topology/core_id", "0\n");
    put_throttle(0);
    w.throttle_at = 4 + 5 + 2 + 3;
    SUITE("-m", "fake:chatter", "--no-requests", "--depths", "0", "--batches",
          "1");
    r = rec(0);
    v = row(r, "speed", "test", "pp512");
    at = cJSON_GetObjectItem(v, "throttled_repeats");
    assert_int_equal(cJSON_GetArraySize(at), 1);
    assert_int_equal(cJSON_GetArrayItem(at, 0)->valueint, 2);
    assert_string_equal(eb_json_get_str(v, "throttled_why", ""),
                        "package 0 core 0: 1 throttle events");
    v = row(sum(r), "speed", "test", "pp512");
    assert_int_equal(eb_json_get_num(v, "throttled", -1), 1);
    v = row(sum(r), "speed", "test", "tg128");
    assert_int_equal(eb_json_get_num(v, "throttled", -1), 0);
    assert_true(cJSON_IsTrue(
        cJSON_GetObjectItem(cJSON_GetObjectItem(r, "heat"), "throttled")));
    eb_speed_close(&s);
}

/* What is watched stands in each record, of two passes where there are two. */
static void test_suite_watched(void **state)
{
    static const char *const parts[] = {"power", "counters", "heat",
                                        "bandwidth"};
    const cJSON *r, *further;
    size_t i, k;

    (void)state;
    SUITE("-m", "fake:chatter", "-m", "fake:chatter", "--no-requests",
          "--depths", "0", "--batches", "1");
    assert_int_equal(s.run.n_recs, 2);
    for (i = 0; i < 2; i++) {
        r = rec(i);
        for (k = 0; k < 4; k++)
            assert_true(cJSON_IsObject(cJSON_GetObjectItem(r, parts[k])));
        further = cJSON_GetObjectItem(r, "further_passes");
        assert_int_equal(cJSON_GetArraySize(further), 1);
        for (k = 0; k < 3; k++)
            assert_true(cJSON_IsObject(
                cJSON_GetObjectItem(cJSON_GetArrayItem(further, 0), parts[k])));
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(
            row(r, "speed", "test", "pp128"), "throttled_repeats")));
    }
    eb_speed_close(&s);
}

/* Two boards; only energy and memory of the one that the engine computes on
 * count. */
static void test_suite_gpu(void **state)
{
    static const char *const pci[] = {NULL, "0000:c1:00.0"};
    char *args[] = {"run",
                    "-q",
                    "-t",
                    "1",
                    "-s",
                    "speed",
                    "-m",
                    "fake:chatter",
                    "--power",
                    "auto",
                    "--no-requests",
                    "--depths",
                    "0",
                    "--batches",
                    "1"};
    const cJSON *sensors, *memory;
    int i;

    (void)state;
    setenv("EDGEBENCH_NVML", EB_BINARY_DIR "/tests/plugins/nvml_stub.so", 1);
    for (i = 0; i < 2; i++) {
        eb_fake_plant_gpu(pci[i]);
        assert_int_equal(suite(sizeof(args) / sizeof(*args), args), 0);
        sensors = cJSON_GetObjectItem(
            cJSON_GetObjectItem(cJSON_GetObjectItem(rec(0), "power"), "best"),
            "sensors");
        assert_int_equal(cJSON_GetArraySize(sensors), 2 - i);
        memory = cJSON_GetObjectItem(rec(0), "memory");
        assert_float_equal(eb_json_get_num(memory, "gpu_bytes", 0),
                           (i == 0 ? 8.0 : 5.0) * (1 << 30), 0);
        assert_float_equal(
            eb_json_get_num(row(memory, "phases", "phase", "load"),
                            "gpu_before_bytes", 0),
            8.0 * (1 << 30), 0);
        eb_speed_close(&s);
    }
    eb_fake_plant_gpu(NULL);
    unsetenv("EDGEBENCH_NVML");
}

/* A context that is too small for a depth: a reason, no number. */
static void test_suite_depth(void **state)
{
    const cJSON *v;

    (void)state;
    SUITE("-m", "fake:chatter", "--depths", "0", "--batches", "1", "--budget",
          "5s");
    v = row(rec(0), "speed", "test", "pp2048");
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(v, "samples_ns")) > 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(rec(0), "speed")),
                     5);
    assert_int_equal(w.batch_max, 1);
    eb_speed_close(&s);
}

static void test_suite_unstable(void **state)
{
    const cJSON *v;

    (void)state;
    w.scatter = 0.3;
    SUITE("-m", "fake:chatter", "--depths", "0", "--batches", "1", "--budget",
          "20s", "--no-requests");
    v = row(sum(rec(0)), "speed", "test", "tg128");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(v, "stable")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "mean_tps")));
    assert_non_null(
        strstr(eb_json_get_str(v, "mean_tps_reason", ""), "unstable: "));
    assert_true(eb_json_get_num(v, "median_tps", 0) > 0);
    assert_null(cJSON_GetObjectItem(rec(0), "requests"));
    eb_speed_close(&s);
}

/* The times do not scatter, and yet they are not quoted. */
static void test_suite_disturbed(void **state)
{
    const cJSON *v;

    (void)state;
    w.disturb = 100; /* more than this machine has idle */
    SUITE("-m", "fake:chatter", "--depths", "0", "--batches", "1", "--gate",
          "2s");
    v = row(sum(rec(0)), "requests", "phase", "uncached");
    assert_non_null(
        strstr(eb_json_get_str(v, "reason", ""), "other processes used"));
    v = row(rec(0), "speed", "test", "pp2048");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(v, "stable")));
    assert_non_null(
        strstr(eb_json_get_str(v, "reason", ""), "other processes used"));
    v = cJSON_GetObjectItem(cJSON_GetObjectItem(rec(0), "conditions"), "gates");
    assert_true(
        cJSON_IsFalse(cJSON_GetObjectItem(cJSON_GetArrayItem(v, 0), "passed")));
    eb_speed_close(&s);
}

/* Two models: A B B A, each loaded twice behind a gate of its own. */
static void test_suite_abba(void **state)
{
    const cJSON *v;

    (void)state;
    SUITE("-m", "fake:chatter", "-m", "fake:key", "--depths", "0", "--batches",
          "1");
    assert_int_equal(s.run.n_recs, 2);
    v = row(rec(0), "speed", "test", "tg128");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(v, "passes")), 2);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(
                         cJSON_GetObjectItem(rec(1), "load"), "warm_ns")),
                     2);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(
                         cJSON_GetObjectItem(rec(1), "conditions"), "gates")),
                     2);
    eb_speed_close(&s);
}

static void test_suite_broken(void **state)
{
    (void)state;
    SUITE("-m", "fake:broken", "-m", "fake:chatter", "--depths", "0",
          "--batches", "1", "--budget", "5s");
    assert_string_equal(eb_json_get_str(rec(0), "status", ""), "engine_error");
    assert_non_null(
        strstr(eb_json_get_str(rec(0), "status_reason", ""), "fails to load"));
    assert_string_equal(eb_json_get_str(rec(1), "status", ""), "complete");
    eb_speed_close(&s);
}

/* Stopped in the middle: what was measured is kept. */
static void test_suite_stopped(void **state)
{
    const cJSON *v;

    (void)state;
    w.stop_at = 30;
    SUITE("-m", "fake:chatter", "-m", "fake:key", "--no-requests");
    assert_int_equal(s.run.n_recs, 1);
    assert_string_equal(eb_json_get_str(rec(0), "status", ""), "aborted");
    v = row(rec(0), "speed", "test", "pp128");
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(v, "samples_ns")) > 0);
    v = row(sum(rec(0)), "speed", "test", "tg128 b8");
    assert_string_equal(eb_json_get_str(v, "mean_tps_reason", ""),
                        "not measured: stopped before");
    eb_speed_close(&s);
}

/* A model that ends at once has no token to time. */
static void test_suite_silent(void **state)
{
    (void)state;
    SUITE("-m", "fake:empty", "--depths", "0", "--batches", "1", "--budget",
          "5s");
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItem(rec(0), "requests")), 0);
    assert_string_equal(eb_json_get_str(rec(0), "requests_reason", ""),
                        "not measured: the reply had no token");
    assert_string_equal(eb_json_get_str(sum(rec(0)), "localscore_reason", ""),
                        "absent: no TTFT");
    eb_speed_close(&s);
}

/* Half speed from the 100th second on. */
static void work_hot(const struct eb_bench_shape *shape, void *arg)
{
    w.slower = w.now > 100000 * MS ? 1 : 0;
    work(shape, arg);
}

static void test_sustained(void **state)
{
    const struct eb_engine_settings settings = {
        .threads = 1, .ctx = 512, .batch = 512, .ubatch = 512, .slots = 1};
    struct eb_speed_env e = env();
    struct eb_engine *engine;
    cJSON *v;

    (void)state;
    eb_fake_plant_work(work_hot, NULL);
    w.now = 0;
    assert_int_equal(eb_engine_open("fake:key", &settings, &engine, &err), 0);
    v = eb_speed_sustain(&e, NULL, engine, 200000 * MS, &err);
    eb_engine_close(engine);
    assert_non_null(v);
    assert_in_range(cJSON_GetArraySize(cJSON_GetObjectItem(v, "windows")), 59,
                    60);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(
        cJSON_GetObjectItem(v, "windows")->child, "throttled")));
    cJSON_Delete(v);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_series_narrow),   T(test_series_wide),
        T(test_series_few),      T(test_series_drift),
        T(test_series_warm),     T(test_names),
        T(test_duration),        T(test_options),
        T(test_gate_quiet),      T(test_gate_busy),
        T(test_gate_hot),        T(test_gate_affinity),
        T(test_others_max),      T(test_suite),
        T(test_suite_throttled), T(test_suite_watched),
        T(test_suite_gpu),       T(test_suite_depth),
        T(test_suite_unstable),  T(test_suite_disturbed),
        T(test_suite_abba),      T(test_suite_broken),
        T(test_suite_stopped),   T(test_suite_silent),
        T(test_sustained)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
