/* Bytes a token, MBU and GFLOP/s of summary.speed, by hand. */
#include "tests/record_help.h"

#include <math.h>

/* KV: 10 * 4 * (64 * 2 + 64 * 2) = 10240 bytes a position; attention 10 * 8 *
 * (64 + 64) = 10240 multiplications; the output multiplies 1000 * 512. */
#define SHAPE                                                                  \
    "{\"layers\":10,\"embedding\":512,\"heads\":8,\"heads_kv\":4,"             \
    "\"key_dim\":64,\"value_dim\":64,\"vocabulary\":1000,\"key_bytes\":2,"     \
    "\"value_bytes\":2,\"input_table_bytes\":100000000,\"experts\":0,"         \
    "\"window\":0}"
#define TRIAD "{\"triad\":{\"best_gbps\":40,\"cpu_share\":1}}"
#define TG                                                                     \
    "[{\"test\":\"tg128\",\"n_prompt\":0,\"n_gen\":128,\"depth\":1000,"        \
    "\"batch\":%d,\"samples_ns\":[12800000000,12800000000]}]"

static void set(cJSON *rec, const char *part, const char *text)
{
    cJSON_DeleteItemFromObject(rec, part);
    cJSON_AddItemToObject(rec, part, parse(text));
}

/* A record of a model with 1e9 parameters in 2.1e9 bytes. */
static cJSON *sample(const char *shape, const char *speed)
{
    cJSON *rec = record(NULL, NULL);
    cJSON *model = cJSON_GetObjectItem(rec, "model");

    cJSON_SetNumberValue(cJSON_GetObjectItem(model, "parameters"), 1e9);
    cJSON_AddItemToObject(model, "shape", parse(shape));
    cJSON_AddStringToObject(model, "weights_in", "memory");
    set(rec, "memory", "{\"model_bytes\":2100000000}");
    set(rec, "bandwidth", TRIAD);
    set(rec, "speed", speed);
    cJSON_AddNumberToObject(cJSON_GetObjectItem(rec, "settings"), "ubatch",
                            512);
    return rec;
}

static cJSON *written(const char *shape, int batch)
{
    char speed[256];

    snprintf(speed, sizeof(speed), TG, batch);
    return sample(shape, speed);
}

static cJSON *last; /* row of a summary */

static int free_last(void **state)
{
    (void)state;
    cJSON_Delete(last);
    last = NULL;
    return 0;
}

/* Derives, and deletes the record; good until the next. */
static const cJSON *row(cJSON *rec)
{
    assert_int_equal(eb_record_validate(rec, "t", &err), 0);
    eb_record_derive(rec);
    free_last(NULL);
    last = cJSON_Duplicate(get(rec, "summary.speed.0"), 1);
    cJSON_Delete(rec);
    return last;
}

static void is(const cJSON *v, const char *key, double want)
{
    assert_float_equal(eb_json_get_num(v, key, NAN), want, 1e-9 * want);
}

static void none(const cJSON *v, const char *key, const char *reason)
{
    char name[64];

    snprintf(name, sizeof(name), "%s_reason", key);
    assert_true(cJSON_IsNull(get(v, key)));
    if (strstr(eb_json_get_str(v, name, ""), reason) == NULL)
        fail_msg("%s: %s", key, eb_json_get_str(v, name, ""));
}

/* Ten tokens a second, at 1064.5 positions on average. */
static void test_writing(void **state)
{
    const cJSON *v = row(written(SHAPE, 1));
    double bytes = 2e9 + 10240 * 1064.5;

    (void)state;
    is(v, "bytes_per_token", bytes);
    is(v, "achieved_gbps", bytes * 10 / 1e9);
    is(v, "mbu", bytes * 10 / 1e9 / 40);
    is(v, "gflops", 2 * (1e9 - 512000 + 10240 * 1064.5) * 10 / 1e9);
}

/* The weights are read once for four tokens, the cache for each. */
static void test_sequences(void **state)
{
    const cJSON *v = row(written(SHAPE, 4));

    (void)state;
    is(v, "bytes_per_token", 5e8 + 10240 * 1064.5);
    is(v, "achieved_gbps", (5e8 + 10240 * 1064.5) * 40 / 1e9);
}

/* An output that shares the input's table reads and multiplies it. */
static void test_shared_table(void **state)
{
    cJSON *rec = written(SHAPE, 1);
    const cJSON *v;

    (void)state;
    cJSON_SetNumberValue(
        (cJSON *)(uintptr_t)get(rec, "model.shape.input_table_bytes"), 0);
    v = row(rec);
    is(v, "bytes_per_token", 2.1e9 + 10240 * 1064.5);
    is(v, "gflops", 2 * (1e9 + 10240 * 1064.5) * 10 / 1e9);
}

/* 1000 tokens in two passes of 500, which end at 500 and 1000 positions; only
 * the last token meets the output. */
static void test_reading(void **state)
{
    const cJSON *v = row(
        sample(SHAPE, "[{\"test\":\"pp1000\",\"n_prompt\":1000,\"n_gen\":0,"
                      "\"depth\":0,\"batch\":1,\"samples_ns\":[1000000000]}]"));

    (void)state;
    is(v, "bytes_per_token", (2e9 + 10240 * 750.0) / 500);
    is(v, "mbu", (2e9 + 10240 * 750.0) * 2 / 1e9 / 40);
    is(v, "gflops", 2 * (1e9 - 2 * 512000 + 10240 * 500.5) * 1000 / 1e9);
}

static void test_neither(void **state)
{
    const cJSON *v =
        row(sample(SHAPE, "[{\"test\":\"pp5+tg5\",\"n_prompt\":5,\"n_gen\":5,"
                          "\"samples_ns\":[1000000000]}]"));

    (void)state;
    assert_null(cJSON_GetObjectItem(v, "mbu"));
    assert_null(cJSON_GetObjectItem(v, "gflops"));
}

/* Above 1 it stays what it is. */
static void test_above_one(void **state)
{
    cJSON *rec = written(SHAPE, 1);
    const cJSON *v;

    (void)state;
    set(rec, "bandwidth", "{\"triad\":{\"best_gbps\":10,\"cpu_share\":1}}");
    v = row(rec);
    assert_true(eb_json_get_num(v, "mbu", 0) > 2);
}

static void test_no_triad(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "no triad"},
        {"{\"triad\":null,\"triad_reason\":\"not measured: --no-triad\"}",
         "--no-triad"},
        {"{\"triad\":{\"best_gbps\":null,\"best_gbps_reason\":"
         "\"out of range: arrays smaller than the cache\"}}",
         "smaller than the cache"},
        {"{\"triad\":{\"best_gbps\":40,\"cpu_share\":0.5}}", "other programs"}};
    const cJSON *v;
    cJSON *rec;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rec = written(SHAPE, 1);
        set(rec, "bandwidth", cases[i][0]);
        v = row(rec);
        none(v, "mbu", cases[i][1]);
        assert_true(eb_json_get_num(v, "achieved_gbps", 0) > 0);
    }
}

static void test_elsewhere(void **state)
{
    cJSON *rec = written(SHAPE, 1), *model = cJSON_GetObjectItem(rec, "model");

    (void)state;
    cJSON_SetValuestring(cJSON_GetObjectItem(model, "weights_in"), "other");
    none(row(rec), "mbu", "not in the memory that triad measures");
    rec = written(SHAPE, 1);
    cJSON_DeleteItemFromObject(cJSON_GetObjectItem(rec, "model"), "weights_in");
    none(row(rec), "mbu", "does not tell where");
}

static void test_unknown(void **state)
{
    static const char *const cases[][2] = {
        {"{\"layers\":10}", "not whole"},
        {"{\"layers\":null,\"layers_reason\":\"unsupported: odd\"}", "odd"}};
    static const char *const keys[] = {"bytes_per_token", "achieved_gbps",
                                       "mbu", "gflops"};
    cJSON *rec;
    const cJSON *v;
    size_t i, k;

    (void)state;
    for (i = 0; i < 2; i++) {
        v = row(written(cases[i][0], 1));
        for (k = 0; k < 4; k++)
            none(v, keys[k], cases[i][1]);
    }
    rec = written(SHAPE, 1);
    set(rec, "memory", "{}");
    none(row(rec), "gflops", "size of the weights");
    rec = written(SHAPE, 1);
    cJSON_SetNumberValue((cJSON *)(uintptr_t)get(rec, "model.shape.experts"),
                         8);
    none(row(rec), "mbu", "mixture of experts");
    rec = written(SHAPE, 1);
    cJSON_SetNumberValue((cJSON *)(uintptr_t)get(rec, "model.shape.window"),
                         512);
    v = row(rec);
    none(v, "mbu", "window");
    assert_true(eb_json_get_num(v, "gflops", 0) > 0);
}

/* No rate: the bytes are known, what they make is not. */
static void test_no_rate(void **state)
{
    const cJSON *v =
        row(sample(SHAPE, "[{\"test\":\"tg128\",\"n_prompt\":0,\"n_gen\":128,"
                          "\"samples_ns\":[],\"samples_ns_reason\":"
                          "\"out of range: no room\"}]"));

    (void)state;
    assert_true(eb_json_get_num(v, "bytes_per_token", 0) > 2e9);
    none(v, "achieved_gbps", "no room");
    none(v, "mbu", "no room");
    none(v, "gflops", "no room");
}

static void test_throttled(void **state)
{
    const cJSON *v =
        row(sample(SHAPE, "[{\"test\":\"tg1\",\"n_prompt\":0,\"n_gen\":1,"
                          "\"samples_ns\":[1,1],\"throttled_repeats\":[1]}]"));

    (void)state;
    is(v, "throttled", 1);
    v = row(sample(SHAPE,
                   "[{\"test\":\"tg1\",\"n_prompt\":0,\"n_gen\":1,"
                   "\"samples_ns\":[1,1],\"throttled_repeats\":null,"
                   "\"throttled_repeats_reason\":\"absent: nothing\"}]"));
    none(v, "throttled", "absent: nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing),      cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_shared_table), cmocka_unit_test(test_reading),
        cmocka_unit_test(test_neither),      cmocka_unit_test(test_above_one),
        cmocka_unit_test(test_no_triad),     cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_unknown),      cmocka_unit_test(test_no_rate),
        cmocka_unit_test(test_throttled),
    };

    return cmocka_run_group_tests(tests, NULL, free_last);
}
