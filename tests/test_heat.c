/* Heat and throttling on the machines of tests/fixtures/machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "agent/heat.h"
#include "common/json.h"
#include "tests/machine_help.h"

static const cJSON *row(const cJSON *rec, const char *when, const char *list,
                        const char *key, const char *name)
{
    const cJSON *rows =
        cJSON_GetObjectItem(cJSON_GetObjectItem(rec, when), list);
    const cJSON *r;

    cJSON_ArrayForEach(r, rows)
    {
        if (strcmp(eb_json_get_str(r, key, ""), name) == 0)
            return r;
    }
    fail_msg("%s has no %s %s", when, list, name);
    return NULL;
}

static int throttled(struct eb_heat *h, const struct eb_heat_mark *m,
                     const char *word)
{
    char why[160];
    int seen = eb_heat_throttled(h, m, why, sizeof(why));

    if (word != NULL && strstr(why, word) == NULL)
        fail_msg("%s, not %s", why, word);
    return seen;
}

static void test_orin(void **state)
{
    struct eb_heat_mark m;
    struct eb_heat *h;
    const cJSON *r;
    cJSON *rec;

    (void)state;
    eb_heat_open(machine_open("orin-nano"), &h);
    eb_heat_before(h);
    eb_heat_mark(h, &m);
    /* The fan turns and oc3 has an old count: neither is an event. */
    assert_int_equal(throttled(h, &m, NULL), 0);
    machine_set("/sys/class/hwmon/hwmon2/oc3_event_cnt", "15\\n");
    assert_int_equal(throttled(h, &m, "oc3: 3 throttle events"), 1);
    eb_heat_mark(h, &m);
    machine_set("/sys/class/thermal/cooling_device3/cur_state", "2\\n");
    assert_int_equal(throttled(h, &m, "devfreq-17000000.gpu is at 2"), 1);
    machine_set("/sys/class/thermal/cooling_device3/cur_state", "0\\n");
    machine_set("/sys/class/devfreq/17000000.gpu/max_freq", "408000000\\n");
    assert_int_equal(throttled(h, &m, "may only run at 408 MHz"), 1);
    eb_heat_after(h);
    rec = eb_heat_record(h);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(rec, "throttled")));
    r = row(rec, "before", "zones", "zone", "tj-thermal");
    assert_true(eb_json_get_num(r, "temperature_c", 0) == 48.187);
    r = row(rec, "before", "zones", "zone", "cv0-thermal");
    assert_string_equal(eb_json_get_str(r, "temperature_c_reason", ""),
                        "no permission");
    r = row(rec, "before", "cooling", "device", "pwm-fan");
    assert_string_equal(eb_json_get_str(r, "kind", ""), "fan");
    r = row(rec, "after", "throttle", "counter", "over-current oc3");
    assert_true(eb_json_get_num(r, "count", 0) == 15);
    r = row(rec, "before", "clocks", "domain", "17000000.gpu");
    assert_true(eb_json_get_num(r, "ceiling_khz", 0) == 624750);
    assert_string_equal(
        eb_json_get_str(cJSON_GetObjectItem(rec, "before"), "nvpmodel", ""),
        "pmode:0000");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(rec, "through")));
    cJSON_Delete(rec);
    eb_heat_close(h);
    machine_close();
}

static void test_raspberry(void **state)
{
    static const char flags[] = "/sys/devices/platform/soc@107c000000/"
                                "soc@107c000000:firmware/get_throttled";
    struct eb_heat_mark m;
    struct eb_heat *h;

    (void)state;
    eb_heat_open(machine_open("raspberry-pi-5"), &h);
    eb_heat_mark(h, &m);
    /* 0x50000: under-voltage and throttling once since boot, not now. */
    assert_int_equal(throttled(h, &m, NULL), 0);
    machine_set(flags, "d0008\\n");
    assert_int_equal(throttled(h, &m, "0xd0008"), 1);
    machine_set(flags, "d0000\\n");
    assert_int_equal(throttled(h, &m, "0xd0000"), 1); /* and over again */
    eb_heat_mark(h, &m);
    assert_int_equal(throttled(h, &m, NULL), 0);
    machine_set("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\\n");
    assert_int_equal(throttled(h, &m, "under-voltage"), 1);
    eb_heat_close(h);
    machine_close();
}

static void test_intel(void **state)
{
    struct eb_heat_mark m;
    struct eb_heat *h;
    const cJSON *r;
    cJSON *rec;

    (void)state;
    eb_heat_open(machine_open("intel-laptop"), &h);
    eb_heat_before(h);
    eb_heat_mark(h, &m);
    /* intel_powerclamp is at -1 and TCC Offset at 3: neither limits. */
    assert_int_equal(throttled(h, &m, NULL), 0);
    machine_set("/sys/devices/system/cpu/cpu0/thermal_throttle/"
                "package_throttle_count",
                "9\\n");
    assert_int_equal(throttled(h, &m, "package 0: 2 throttle"), 1);
    rec = eb_heat_record(h);
    /* 1 package and 6 cores for 8 threads. */
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(
                         cJSON_GetObjectItem(rec, "before"), "throttle")),
                     7);
    r = row(rec, "before", "zones", "zone", "iwlwifi_1");
    assert_string_equal(eb_json_get_str(r, "temperature_c_reason", ""),
                        "out of range");
    r = row(rec, "before", "zones", "zone", "coretemp Package id 0");
    assert_true(eb_json_get_num(r, "temperature_c", 0) == 55);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(rec, "throttled")));
    cJSON_Delete(rec);
    eb_heat_close(h);
    machine_close();
}

/* Limited before it started: the repetition is one that was slowed down. */
static void test_pixel(void **state)
{
    struct eb_heat_mark m;
    struct eb_heat *h;

    (void)state;
    eb_heat_open(machine_open("pixel"), &h);
    eb_heat_mark(h, &m);
    assert_int_equal(throttled(h, &m, "thermal-cpufreq-1 is at 2"), 1);
    eb_heat_close(h);
    machine_close();
}

/* Nothing but Android's own word; it cools down, and is asked badly. */
static void test_android(void **state)
{
    static const struct {
        const char *before, *after, *why; /* NULL: not throttled */
    } all[] = {
        {"Thermal Status: 0\\n", "Thermal Status: 0\\n", NULL},
        {"a\\nThermal Status: 0\\n", "Thermal Status: 3\\nb\\n", "3 (severe)"},
        {"Thermal Status: 1\\n", "Thermal Status: 0\\n", "1 (light)"},
        {"Thermal Status: 7\\n", "Thermal Status: -1\\n", "absent: nothing"},
        {"Can't find service\\n", "\\n", "absent: nothing"}};
    struct eb_heat *h;
    const cJSON *after;
    cJSON *rec;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        machine_open(NULL);
        machine_set("/dumpsys/thermalservice", all[i].before);
        eb_heat_open(machine_root, &h);
        eb_heat_before(h);
        machine_set("/dumpsys/thermalservice", all[i].after);
        eb_heat_after(h);
        rec = eb_heat_record(h);
        if (all[i].why == NULL)
            assert_true(cJSON_IsFalse(cJSON_GetObjectItem(rec, "throttled")));
        else
            assert_non_null(strstr(
                eb_json_get_str(rec, "throttled_why",
                                eb_json_get_str(rec, "throttled_reason", "")),
                all[i].why));
        after = cJSON_GetObjectItem(rec, "after");
        if (i > 2)
            assert_true(cJSON_IsNull(
                cJSON_GetObjectItem(after, "android_thermal_status")));
        cJSON_Delete(rec);
        eb_heat_close(h);
        machine_close();
    }
}

static void test_epyc(void **state)
{
    struct eb_heat *h;
    const cJSON *r;
    cJSON *rec;

    (void)state;
    eb_heat_open(machine_open("amd-epyc"), &h);
    eb_heat_before(h);
    rec = eb_heat_record(h);
    r = row(rec, "before", "zones", "zone", "k10temp Tccd1");
    assert_true(eb_json_get_num(r, "temperature_c", 0) == 40.25);
    r = row(rec, "before", "clocks", "domain", "policy1");
    assert_string_equal(eb_json_get_str(r, "governor", ""), "performance");
    assert_true(eb_json_get_num(r, "hardware_max_khz", 0) == 3800000);
    cJSON_Delete(rec);
    eb_heat_close(h);
    machine_close();
}

/* Nothing there is not "no throttling". */
static void test_nothing(void **state)
{
    struct eb_heat_mark m;
    struct eb_heat *h;
    cJSON *rec;

    (void)state;
    eb_heat_open(machine_open(NULL), &h);
    eb_heat_before(h);
    eb_heat_mark(h, &m);
    assert_int_equal(throttled(h, &m, "absent"), -1);
    eb_heat_sample(h, 1);
    eb_heat_after(h);
    rec = eb_heat_record(h);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(rec, "throttled")));
    assert_string_equal(
        eb_json_get_str(cJSON_GetObjectItem(rec, "before"), "zones_reason", ""),
        "absent");
    cJSON_Delete(rec);
    eb_heat_close(h);
    machine_close();
}

/* More samples than there is room: thinned out, extremes kept; a sensor that
 * vanishes is null from then on. */
static void test_series(void **state)
{
    static const char zone[] = "/sys/class/thermal/thermal_zone0/temp";
    const cJSON *r, *v;
    char text[32], path[128];
    struct eb_heat *h;
    cJSON *rec;
    int i;

    (void)state;
    eb_heat_open(machine_open("raspberry-pi-5"), &h);
    for (i = 0; i < 1000; i++) {
        if (i == 333)
            machine_set(zone, "99000\\n");
        if (i == 334)
            machine_set(zone, "61500\\n");
        if (i == 900) {
            snprintf(path, sizeof(path), "%s%s", machine_root, zone);
            assert_int_equal(seteuid(machine_was_root ? 0 : geteuid()), 0);
            unlink(path);
            assert_int_equal(seteuid(machine_was_root ? 65534 : geteuid()), 0);
        }
        eb_heat_sample(h, (int64_t)i);
    }
    rec = eb_heat_record(h);
    r = cJSON_GetObjectItem(rec, "through");
    assert_true(eb_json_get_num(r, "samples", 0) == 1000);
    assert_true(eb_json_get_num(r, "kept_one_of", 0) == 4);
    v = cJSON_GetObjectItem(r, "at_ns");
    assert_int_equal(cJSON_GetArraySize(v), 250);
    for (i = 0; i < 250; i++) {
        snprintf(text, sizeof(text), "%g",
                 cJSON_GetArrayItem(v, i)->valuedouble);
        assert_int_equal(atoi(text), 4 * i);
    }
    r = row(rec, "through", "series", "name", "cpu-thermal");
    assert_true(eb_json_get_num(r, "max", 0) == 99);
    assert_true(eb_json_get_num(r, "min", 0) == 61.45);
    v = cJSON_GetObjectItem(r, "values");
    assert_true(cJSON_GetArrayItem(v, 0)->valuedouble == 61.45);
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(v, 249)));
    r = row(rec, "through", "series", "name", "policy0");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(r, "constant")));
    cJSON_Delete(rec);
    eb_heat_close(h);
    machine_close();
}

static const char *gpu_read(void *arg, struct eb_heat_gpu_now *out)
{
    if (arg == NULL)
        return "no permission";
    *out = *(struct eb_heat_gpu_now *)arg;
    return NULL;
}

static void test_gpu(void **state)
{
    struct eb_heat_gpu_now now = {70, 1400, 1, 0x1};
    struct eb_heat_gpu gpu = {"GPU 0", gpu_read, &now};
    struct eb_heat_gpu shut = {"GPU 1", gpu_read, NULL};
    struct eb_heat_mark m;
    struct eb_heat *h;
    const cJSON *r;
    cJSON *rec;

    (void)state;
    eb_heat_open(machine_open(NULL), &h);
    eb_heat_add_gpu(h, &shut);
    eb_heat_mark(h, &m);
    assert_int_equal(throttled(h, &m, "absent"), -1);
    eb_heat_add_gpu(h, &gpu);
    eb_heat_before(h);
    eb_heat_mark(h, &m);
    assert_int_equal(throttled(h, &m, NULL), 0); /* idle is no throttling */
    now.reasons = EB_GPU_SW_THERMAL;
    assert_int_equal(throttled(h, &m, "GPU 0: software thermal"), 1);
    rec = eb_heat_record(h);
    r = row(rec, "before", "gpus", "gpu", "GPU 1");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(r, "temperature_c")));
    r = row(rec, "before", "gpus", "gpu", "GPU 0");
    assert_true(eb_json_get_num(r, "temperature_c", 0) == 70);
    cJSON_Delete(rec);
    eb_heat_close(h);
    machine_close();
}

/* Two boards by the stand-in for NVML; the second is slowed down in between,
 * and cools when the run is over. */
static void test_nvml(void **state)
{
    struct eb_heat_nvml *nvml;
    struct eb_heat_mark m;
    struct eb_heat *h;
    const cJSON *r;
    cJSON *rec;

    (void)state;
    assert_null(eb_heat_nvml_open("/a-recorded-machine"));
    eb_heat_nvml_add(NULL, NULL);
    eb_heat_nvml_close(NULL);
    setenv("EDGEBENCH_NVML", EB_BINARY_DIR "/tests/plugins/nvml_stub.so", 1);
    nvml = eb_heat_nvml_open("/a-recorded-machine");
    assert_non_null(nvml);
    eb_heat_open(machine_open(NULL), &h);
    eb_heat_nvml_add(nvml, h);
    eb_heat_before(h);
    eb_heat_mark(h, &m);
    assert_int_equal(throttled(h, &m, NULL), 0);
    eb_heat_sample(h, 1);
    setenv("NVML_STUB_REASONS", "4", 1);
    assert_int_equal(throttled(h, &m, "00000000:C1:00.0: power cap"), 1);
    eb_heat_sample(h, 2);
    setenv("NVML_STUB_REASONS", "1", 1);
    assert_int_equal(throttled(h, &m, "C1:00.0 slowed it down in 1 of"), 1);
    eb_heat_mark(h, &m);
    eb_heat_sample(h, 3);
    assert_int_equal(throttled(h, &m, NULL), 0);
    setenv("NVML_STUB_FAULT", "lost", 1);
    eb_heat_after(h);
    rec = eb_heat_record(h);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(rec, "throttled")));
    r = row(rec, "before", "gpus", "gpu", "gpu 00000000:C1:00.0");
    assert_true(eb_json_get_num(r, "temperature_c", 0) == 71);
    assert_true(eb_json_get_num(r, "clock_mhz", 0) == 2520);
    r = row(rec, "after", "gpus", "gpu", "gpu 00000000:C1:00.0");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(r, "temperature_c")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(r, "clock_reasons")));
    cJSON_Delete(rec);
    eb_heat_close(h);
    eb_heat_nvml_close(nvml);
    unsetenv("EDGEBENCH_NVML");
    machine_close();
}

/* A cooling device that was at work in between; a counter that began anew is
 * no number of events. */
static void test_between(void **state)
{
    static const char oc3[] = "/sys/class/hwmon/hwmon2/oc3_event_cnt";
    static const char gpu[] = "/sys/class/thermal/cooling_device3/cur_state";
    struct eb_heat_mark m;
    struct eb_heat *h;

    (void)state;
    eb_heat_open(machine_open("orin-nano"), &h);
    eb_heat_mark(h, &m);
    machine_set(oc3, "0\\n");
    assert_int_equal(throttled(h, &m, NULL), 0);
    eb_heat_mark(h, &m);
    machine_set(gpu, "1\\n");
    eb_heat_sample(h, 1);
    eb_heat_sample(h, 2);
    machine_set(gpu, "0\\n");
    eb_heat_sample(h, 3);
    assert_int_equal(
        throttled(h, &m, "devfreq-17000000.gpu slowed it down in 2 of"), 1);
    eb_heat_close(h);
    machine_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orin),    cmocka_unit_test(test_raspberry),
        cmocka_unit_test(test_intel),   cmocka_unit_test(test_pixel),
        cmocka_unit_test(test_epyc),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_series),  cmocka_unit_test(test_gpu),
        cmocka_unit_test(test_android), cmocka_unit_test(test_nvml),
        cmocka_unit_test(test_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
