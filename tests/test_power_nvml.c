/* NVML by the stand-in of tests/plugins/nvml_stub.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/power_help.h"

#define STUB EB_BINARY_DIR "/tests/plugins/nvml_stub.so"

/* The lab's clock, told to the stub as well. */
static int64_t stub_clock(void *arg)
{
    const struct lab *l = arg;
    char text[32];

    snprintf(text, sizeof(text), "%.6f", (double)l->now_ns / 1e9);
    setenv("NVML_STUB_T", text, 1);
    return l->now_ns;
}

static int stub_open(struct lab *l, const char *fault, struct eb_err *err)
{
    setenv("NVML_STUB_FAULT", fault, 1);
    l->now_ns = INT64_C(3000000000);
    l->hints.fake = l->hints.meter = "";
    l->hints.clock = stub_clock;
    l->hints.clock_arg = l;
    l->hints.nvml = l->hints.nvml != NULL ? l->hints.nvml : STUB;
    return eb_power_open("/nonexistent", EB_POWER_REQUIRE, &l->hints, &l->p,
                         err);
}

static cJSON *stub_run(struct lab *l)
{
    lab_pass(l, 1);
    lab_window(l, "whole", 10);
    lab_pass(l, 1);
    return eb_power_json(l->p);
}

static void joules(const cJSON *v, double want)
{
    double got = eb_json_get_num(v, "energy_j", NAN);

    if (isnan(got) || fabs(got / want - 1) > 0.02)
        fail_msg("%g J, not %g: %s", got, want,
                 eb_json_get_str(v, "energy_j_reason", ""));
    assert_string_equal(eb_json_get_str(v, "scope", ""), "gpu-board");
}

static const cJSON *sensor(const cJSON *v, int i)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItem(v, "sensors"), i);
}

static void test_counters(void **state)
{
    struct lab l = {0};
    const cJSON *d;
    cJSON *v;

    (void)state;
    assert_int_equal(stub_open(&l, "", NULL), 0);
    v = stub_run(&l);
    joules(v, 2600); /* the two counters, not their instant power again */
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(v, "sensors")), 4);
    assert_string_equal(eb_json_get_str(sensor(v, 0), "name", ""),
                        "gpu 00000000:01:00.0");
    assert_string_equal(eb_json_get_str(sensor(v, 1), "method", ""),
                        "NVML field 186 (instant)");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(sensor(v, 1), "sum")));
    cJSON_ArrayForEach(d, cJSON_GetObjectItem(v, "drivers"))
    {
        if (strcmp(eb_json_get_str(d, "name", ""), "nvml") != 0)
            continue;
        assert_string_equal(eb_json_get_str(d, "driver_version", ""), "535.54");
        assert_string_equal(eb_json_get_str(d, "gpus", ""),
                            "NVIDIA GeForce RTX 4090, "
                            "NVIDIA GeForce RTX 4090");
    }
    cJSON_Delete(v);
    eb_power_close(l.p);
}

/* Only the board that the engine names, in ggml's way of writing. */
static void test_one_gpu(void **state)
{
    const char *pci[] = {"0000:c1:00.0"};
    struct lab l = {.hints = {.pci = pci, .n_pci = 1}};
    cJSON *v;

    (void)state;
    assert_int_equal(stub_open(&l, "", NULL), 0);
    v = stub_run(&l);
    joules(v, 2000);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(v, "sensors")), 2);
    cJSON_Delete(v);
    eb_power_close(l.p);
    pci[0] = "0000:02:00.0";
    assert_int_equal(stub_open(&l, "", NULL), EB_ENODEV);
}

/* The engine's GPUs are known only when it has its model. */
static void test_gpus_later(void **state)
{
    const char *pci[] = {"0000:01:00.0"};
    struct lab l = {0};
    cJSON *v;

    (void)state;
    assert_int_equal(stub_open(&l, "", NULL), 0);
    assert_int_equal(eb_power_shortest_ms(l.p), 500);
    eb_power_gpus(l.p, pci, 1);
    v = stub_run(&l);
    joules(v, 600);
    cJSON_Delete(v);
    eb_power_reset(l.p);
    eb_power_gpus(l.p, NULL, 0); /* the next model is on the CPU */
    v = stub_run(&l);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    assert_int_equal(eb_power_shortest_ms(l.p), 0);
    cJSON_Delete(v);
    eb_power_reset(l.p);
    pci[0] = "0000:c1:00.0";
    eb_power_gpus(l.p, pci, 1);
    v = stub_run(&l);
    joules(v, 2000);
    cJSON_Delete(v);
    eb_power_reset(l.p);
    eb_power_gpus_unknown(l.p); /* and one whose engine does not tell */
    v = stub_run(&l);
    joules(v, 2600);
    cJSON_Delete(v);
    eb_power_close(l.p);
}

static void test_instant_only(void **state)
{
    struct lab l = {0};
    cJSON *v;

    (void)state;
    assert_int_equal(stub_open(&l, "noenergy", NULL), 0);
    v = stub_run(&l);
    joules(v, 2600);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(v, "sensors")), 2);
    cJSON_Delete(v);
    eb_power_close(l.p);
}

static void test_lost(void **state)
{
    struct lab l = {0};
    cJSON *v;

    (void)state;
    assert_int_equal(stub_open(&l, "", NULL), 0);
    lab_pass(&l, 1);
    eb_power_window_begin(l.p, "whole", NULL, NULL);
    lab_pass(&l, 5);
    setenv("NVML_STUB_FAULT", "lost", 1);
    lab_pass(&l, 5);
    eb_power_window_end(l.p);
    v = eb_power_json(l.p);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    assert_non_null(
        strstr(eb_json_get_str(v, "energy_j_reason", ""), "vanished"));
    cJSON_Delete(v);
    eb_power_close(l.p);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *fault, *library, *says;
        int rc;
    } all[] = {{"noinit", NULL, "absent: NVML does not start", EB_ENODEV},
               {"nothing", NULL, "unsupported: the GPUs", EB_ENODEV},
               {"noperm", NULL, "", EB_ENODEV},
               {"", "/nonexistent.so", "absent: /nonexistent.so", EB_ENODEV}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        struct lab l = {.hints = {.nvml = all[i].library}};
        const cJSON *d;
        cJSON *v;

        assert_int_equal(stub_open(&l, all[i].fault, NULL), all[i].rc);
        assert_int_equal(
            eb_power_open("/nonexistent", EB_POWER_AUTO, &l.hints, &l.p, NULL),
            0);
        v = eb_power_json(l.p);
        cJSON_ArrayForEach(d, cJSON_GetObjectItem(v, "drivers"))
        {
            if (strcmp(eb_json_get_str(d, "name", ""), "nvml") == 0)
                assert_non_null(
                    strstr(eb_json_get_str(d, "reason", ""), all[i].says));
        }
        cJSON_Delete(v);
        eb_power_close(l.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters),   cmocka_unit_test(test_one_gpu),
        cmocka_unit_test(test_gpus_later), cmocka_unit_test(test_instant_only),
        cmocka_unit_test(test_lost),       cmocka_unit_test(test_refusals)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
