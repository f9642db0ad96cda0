/* Triad of this machine; bytes a token and MBU by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "agent/bandwidth.h"
#include "agent/device_place.h"
#include "common/json.h"

static double num(const cJSON *v, const char *key)
{
    return eb_json_get_num(cJSON_GetObjectItem(v, "decode"), key, NAN);
}

static void is_null(const cJSON *v, const char *key, const char *reason)
{
    char name[64];

    v = cJSON_GetObjectItem(v, "decode");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, key)));
    strcpy(name, key);
    strcat(name, "_reason");
    if (strstr(eb_json_get_str(v, name, ""), reason) == NULL)
        fail_msg("%s: %s", key, eb_json_get_str(v, name, ""));
}

static cJSON *parse(const char *text)
{
    cJSON *v = cJSON_Parse(text);

    assert_non_null(v);
    return v;
}

static void test_places(void **state)
{
    static struct eb_places p;

    (void)state;
    eb_device_places(&p);
    assert_true(p.n >= 1);
    assert_true(p.last_cache_bytes == -1 || p.last_cache_bytes > 1024);
}

/* As many repeats as the time allows, three at least; the sums are right. */
static void test_triad(void **state)
{
    static struct eb_places p;
    static struct eb_triad t;
    struct eb_triad_opts o = {.time_ns = 1};
    cJSON *v = cJSON_CreateObject();
    struct eb_err err = {0};

    (void)state;
    eb_device_places(&p);
    o.array_bytes = 2 * 65536 * 8 * p.n;
    assert_int_equal(eb_triad_measure(&o, &t, &err), 0);
    assert_true(t.repeats >= 1 && t.repeats <= 3);
    assert_int_equal(t.threads, p.n);
    assert_true(t.best_gbps >= t.median_gbps && t.median_gbps > 0);
    assert_true(t.array_bytes > 0 && t.array_bytes <= o.array_bytes);
    eb_triad_record(&t, NULL, v);
    assert_true(cJSON_IsArray(
        cJSON_GetObjectItem(cJSON_GetObjectItem(v, "triad"), "samples_gbps")));
    cJSON_Delete(v);
}

static void test_too_small(void **state)
{
    struct eb_triad_opts o = {.time_ns = 1, .memory_bytes = 3000};
    static struct eb_triad t;
    struct eb_err err = {0};
    cJSON *v = cJSON_CreateObject();

    (void)state;
    assert_int_equal(eb_triad_measure(&o, &t, &err), EB_ELIMIT);
    eb_triad_record(NULL, "out of range: little memory", v);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "triad")));
    cJSON_Delete(v);
}

static void test_mbu(void **state)
{
    cJSON *model = parse(
        "{\"parameters\":1000000000,\"shape\":{\"layers\":10,\"heads_kv\":4,"
        "\"key_dim\":64,\"value_dim\":64,\"key_bytes\":2,\"value_bytes\":2,"
        "\"input_embedding_bytes\":100000000}}");
    cJSON *memory = parse("{\"model_bytes\":2100000000}"), *v;
    struct eb_triad t = {.repeats = 1, .best_gbps = 40, .cpu_share = 1};
    struct eb_bandwidth_in in = {.depth = 1000, .batch = 1, .tokens_per_s = 10};

    (void)state;
    eb_bandwidth_model(model, memory, &in);
    assert_true(in.weights_bytes == 2e9);
    assert_true(in.kv_bytes_per_position == 10240);
    v = eb_bandwidth_record(&in, &t, NULL);
    assert_true(num(v, "bytes_per_token") == 2e9 + 10240000);
    assert_float_equal(num(v, "achieved_gbps"), 20.1024, 1e-6);
    if (eb_triad_why(&t) == NULL)
        assert_float_equal(num(v, "mbu"), 0.50256, 1e-6);
    else
        is_null(v, "mbu", "not an optimised build");
    assert_float_equal(num(v, "gflops"), 20, 1e-6);
    cJSON_Delete(v);
    in.batch = 4; /* the weights are read once for four tokens */
    v = eb_bandwidth_record(&in, &t, NULL);
    assert_true(num(v, "bytes_per_token") == 5e8 + 10240000);
    cJSON_Delete(v);
    in.unlike = "unsupported: the model is on a GPU";
    v = eb_bandwidth_record(&in, &t, NULL);
    is_null(v, "mbu", "on a GPU");
    cJSON_Delete(v);
    in.unlike = NULL;
    t.cpu_share = 0.5;
    v = eb_bandwidth_record(&in, &t, NULL);
    is_null(v, "mbu", eb_triad_why(&t) == NULL ? "other programs" : "build");
    cJSON_Delete(v);
    t.last_cache_bytes = 1;
    v = eb_bandwidth_record(&in, &t, NULL);
    is_null(v, "mbu", eb_triad_why(&t));
    cJSON_Delete(v);
    v = eb_bandwidth_record(&in, NULL, "not measured: no time");
    is_null(v, "mbu", "no time");
    assert_true(num(v, "achieved_gbps") > 0);
    cJSON_Delete(v);
    cJSON_Delete(model);
    cJSON_Delete(memory);
}

static void test_unknown(void **state)
{
    cJSON *model = parse("{\"parameters\":30,\"shape\":{\"experts\":8}}");
    cJSON *memory = parse("{\"model_bytes\":40}"), *v;
    struct eb_bandwidth_in in = {.depth = -1, .batch = 1, .tokens_per_s = -1};
    struct eb_triad t = {.repeats = 1, .best_gbps = 40, .cpu_share = 1};

    (void)state;
    eb_bandwidth_model(model, memory, &in);
    v = eb_bandwidth_record(&in, &t, NULL);
    is_null(v, "weights_bytes_per_token", "mixture of experts");
    is_null(v, "mbu", "mixture of experts");
    is_null(v, "gflops", "mixture of experts");
    is_null(v, "tokens_per_s", "not measured");
    cJSON_Delete(v);
    eb_bandwidth_model(NULL, memory, &in);
    v = eb_bandwidth_record(&in, &t, NULL);
    assert_true(num(v, "weights_bytes_per_token") == 40);
    is_null(v, "bytes_per_token", "shape");
    is_null(v, "achieved_gbps", "shape");
    is_null(v, "gflops", "no rate");
    cJSON_Delete(v);
    eb_bandwidth_model(NULL, NULL, &in);
    v = eb_bandwidth_record(&in, &t, NULL);
    is_null(v, "bytes_per_token", "weights");
    cJSON_Delete(v);
    cJSON_Delete(model);
    cJSON_Delete(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),    cmocka_unit_test(test_triad),
        cmocka_unit_test(test_too_small), cmocka_unit_test(test_mbu),
        cmocka_unit_test(test_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
