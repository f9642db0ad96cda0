/* Energy, counters and heat of one run, by the fake sensor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/watch.h"
#include "common/json.h"

static const cJSON *get(const cJSON *rec, const char *block, const char *key)
{
    return cJSON_GetObjectItem(cJSON_GetObjectItem(rec, block), key);
}

/* Null, and why. */
static void is_null(const cJSON *rec, const char *block, const char *key)
{
    char reason[64];

    snprintf(reason, sizeof(reason), "%s_reason", key);
    assert_true(cJSON_IsNull(get(rec, block, key)));
    assert_string_equal(
        eb_json_get_str(cJSON_GetObjectItem(rec, block), reason, ""),
        "not measured: the run did not ask");
}

/* Nobody watches: every call is allowed, nothing is a number. */
static void test_none(void **state)
{
    struct eb_watch zero = {0};
    struct eb_watch *none[] = {NULL, &zero};
    cJSON *rec;
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        eb_watch_begin(none[i], "whole", NULL, NULL);
        eb_watch_tick(none[i]);
        eb_watch_end(none[i], 1, 1);
        rec = cJSON_CreateObject();
        eb_watch_record(none[i], rec);
        is_null(rec, "power", "energy_j");
        is_null(rec, "counters", "phases");
        is_null(rec, "heat", "throttled");
        cJSON_Delete(rec);
        eb_watch_close(none[i]);
    }
    eb_watch_next(NULL);
}

static void test_run(void **state)
{
    struct eb_err err = {0};
    struct eb_watch w;
    cJSON *rec;
    int i;

    (void)state;
    setenv("EDGEBENCH_POWER_FAKE", "w=10", 1);
    assert_int_equal(eb_watch_open(&w, "/nonexistent", EB_POWER_REQUIRE, &err),
                     0);
    for (i = 0; i <= EB_WATCH_DEPTH; i++) /* one too many */
        eb_watch_begin(&w, i == 0 ? "whole" : "cell", NULL, NULL);
    eb_watch_tick(&w);
    for (i = 0; i <= EB_WATCH_DEPTH + 1; i++)
        eb_watch_end(&w, -1, -1);
    rec = cJSON_CreateObject();
    eb_watch_record(&w, rec);
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItem(
            cJSON_GetArrayItem(get(rec, "power", "sensors"), 0), "windows")),
        1 + EB_WATCH_DEPTH); /* the idle baseline before */
    assert_true(cJSON_IsObject(
        cJSON_GetObjectItem(get(rec, "counters", "phases"), "whole")));
    assert_true(cJSON_IsObject(get(rec, "heat", "before")));
    assert_true(cJSON_IsObject(get(rec, "heat", "after")));
    assert_true(eb_json_get_num(get(rec, "heat", "through"), "samples", 0) ==
                1);
    cJSON_Delete(rec);
    eb_watch_close(&w);
    setenv("EDGEBENCH_POWER_FAKE", "", 1);
    assert_int_equal(eb_watch_open(&w, "/nonexistent", EB_POWER_REQUIRE, &err),
                     EB_ENODEV);
    assert_true(err.msg[0] != '\0');
}

/* Two boards; the engine computes on the second. */
static void test_gpus(void **state)
{
    static const struct eb_engine engines[] = {
        {.gpus_known = 0},
        {.gpus_known = 1, .gpus = {"0000:c1:00.0"}, .n_gpus = 1}};
    static const int boards[] = {2, 1};
    const cJSON *sensors;
    struct eb_watch w;
    cJSON *rec;
    size_t i;

    (void)state;
    setenv("EDGEBENCH_NVML", EB_BINARY_DIR "/tests/plugins/nvml_stub.so", 1);
    for (i = 0; i < 2; i++) {
        assert_int_equal(eb_watch_open(&w, "/nonexistent", EB_POWER_AUTO, NULL),
                         0);
        eb_watch_engine(&w, &engines[i]);
        eb_watch_engine(NULL, &engines[i]);
        rec = cJSON_CreateObject();
        eb_watch_record(&w, rec);
        sensors = cJSON_GetObjectItem(get(rec, "power", "best"), "sensors");
        assert_int_equal(cJSON_GetArraySize(sensors), boards[i]);
        assert_string_equal(
            cJSON_GetArrayItem(sensors, boards[i] - 1)->valuestring,
            "gpu 00000000:C1:00.0");
        /* Heat is that of both. */
        assert_int_equal(
            cJSON_GetArraySize(cJSON_GetObjectItem(
                cJSON_GetObjectItem(cJSON_GetObjectItem(rec, "heat"), "after"),
                "gpus")),
            2);
        cJSON_Delete(rec);
        eb_watch_close(&w);
    }
    unsetenv("EDGEBENCH_NVML");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_none),
                                       cmocka_unit_test(test_run),
                                       cmocka_unit_test(test_gpus)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
