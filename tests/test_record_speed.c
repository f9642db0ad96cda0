/* summary.speed, .requests, .sustained and .localscore. */
#include "tests/record_help.h"

#include <math.h>

static cJSON *derived(const char *parts)
{
    cJSON *rec = record("\"speed\":[],", parts);

    assert_int_equal(eb_record_validate(rec, "t", &err), 0);
    eb_record_derive(rec);
    return rec;
}

static double num(const cJSON *rec, const char *path)
{
    const cJSON *v = get(rec, path);

    assert_true(cJSON_IsNumber(v));
    return v->valuedouble;
}

static const char *text(const cJSON *rec, const char *path)
{
    const cJSON *v = get(rec, path);

    assert_true(cJSON_IsString(v));
    return v->valuestring;
}

#define PP                                                                     \
    "{\"test\":\"pp512\",\"n_prompt\":512,\"n_gen\":0,\"depth\":0,"            \
    "\"batch\":1,\"samples_ns\":[512000000,512000000],\"stable\":true}"
#define TG                                                                     \
    "{\"test\":\"tg128\",\"n_prompt\":0,\"n_gen\":128,\"depth\":0,"            \
    "\"batch\":1,\"samples_ns\":[1280000000,1280000000],\"stable\":%s}"

static void test_interval(void **state)
{
    cJSON *rec =
        derived("\"speed\":[{\"test\":\"tg10 b4\",\"n_prompt\":0,\"n_gen\":10,"
                "\"depth\":0,\"batch\":4,\"samples_ns\":[400000000,400000000,"
                "500000000],\"stable\":true}],");

    (void)state;
    assert_true(cJSON_IsTrue(get(rec, "summary.speed.0.stable")));
    /* 100, 100, 80: mean 93.3, sd 11.547, t(2) 4.303. */
    assert_float_equal(num(rec, "summary.speed.0.mean_tps"), 93.333, 1e-3);
    assert_float_equal(num(rec, "summary.speed.0.lo_tps"),
                       93.333 - 4.3027 * 11.547 / sqrt(3), 1e-2);
    assert_float_equal(num(rec, "summary.speed.0.hi_tps"),
                       93.333 + 4.3027 * 11.547 / sqrt(3), 1e-2);
    assert_float_equal(num(rec, "summary.speed.0.median_tps"), 100, 1e-9);
    cJSON_Delete(rec);
}

static void test_unstable(void **state)
{
    cJSON *rec =
        derived("\"speed\":[{\"test\":\"tg1\",\"n_prompt\":0,\"n_gen\":1,"
                "\"samples_ns\":[1000000,3000000],\"stable\":false,"
                "\"reason\":\"too wide\"},{\"test\":\"pp9\",\"n_prompt\":9,"
                "\"n_gen\":0,\"samples_ns\":[],\"samples_ns_reason\":"
                "\"out of range: no room\"}],");

    (void)state;
    assert_true(cJSON_IsNull(get(rec, "summary.speed.0.mean_tps")));
    assert_string_equal(text(rec, "summary.speed.0.mean_tps_reason"),
                        "unstable: too wide");
    assert_true(cJSON_IsNull(get(rec, "summary.speed.0.lo_tps")));
    assert_float_equal(num(rec, "summary.speed.0.median_tps"), 2000.0 / 3,
                       1e-6);
    assert_string_equal(text(rec, "summary.speed.1.mean_tps_reason"),
                        "out of range: no room");
    cJSON_Delete(rec);
}

static cJSON *scored_among(const char *stable, const char *watch)
{
    char parts[1024];

    snprintf(parts, sizeof(parts),
             "\"speed\":[" PP "," TG "],\"requests\":["
             "{\"phase\":\"first\",\"ttft_ns\":9000000000,"
             "\"e2e_ns\":9900000000,\"output_tokens\":10,\"gaps_ns\":[]},"
             "{\"phase\":\"uncached\",\"ttft_ns\":1000000000,"
             "\"e2e_ns\":1200000000,\"output_tokens\":3,"
             "\"prompt_tokens\":1500,\"cached_tokens\":0,"
             "\"gaps_ns\":[90000000,110000000]}],%s",
             stable, watch);
    return derived(parts);
}

static cJSON *scored(const char *stable)
{
    return scored_among(stable, "");
}

static void test_requests(void **state)
{
    cJSON *rec = scored("true");

    (void)state;
    assert_string_equal(text(rec, "summary.requests.0.phase"), "first");
    assert_float_equal(num(rec, "summary.requests.0.ttft_p50_ms"), 9000, 1e-6);
    assert_float_equal(num(rec, "summary.requests.1.itl_p50_ms"), 100, 1e-6);
    assert_float_equal(num(rec, "summary.requests.1.itl_p90_ms"), 108, 1e-6);
    assert_float_equal(num(rec, "summary.requests.1.tpot_mean_ms"), 100, 1e-6);
    assert_float_equal(num(rec, "summary.requests.1.prompt_mean"), 1500, 0);
    assert_float_equal(num(rec, "summary.requests.2.n"), 0, 0);
    assert_true(cJSON_IsNull(get(rec, "summary.requests.2.ttft_p50_ms")));
    cJSON_Delete(rec);
}

/* 10 * cbrt(1000 * 100 * 1000 / 1000). */
static void test_localscore(void **state)
{
    cJSON *rec = scored("true");

    (void)state;
    assert_float_equal(num(rec, "summary.localscore"), 10 * cbrt(100000), 1e-6);
    cJSON_Delete(rec);
    rec = scored("false");
    assert_true(cJSON_IsNull(get(rec, "summary.localscore")));
    assert_string_equal(text(rec, "summary.localscore_reason"),
                        "absent: pp512 or tg128 has no stable mean");
    cJSON_Delete(rec);
    rec = scored_among("true", "\"requests_watch\":[{\"phase\":\"uncached\","
                               "\"stable\":false,\"reason\":\"others\"}],");
    assert_string_equal(text(rec, "summary.localscore_reason"),
                        "absent: the requests were disturbed");
    assert_string_equal(text(rec, "summary.requests.1.reason"), "others");
    assert_null(cJSON_GetObjectItem(get(rec, "summary.requests.0"), "stable"));
    cJSON_Delete(rec);
    rec = derived("\"speed\":[],");
    assert_null(cJSON_GetObjectItem(get(rec, "summary"), "localscore"));
    assert_null(cJSON_GetObjectItem(get(rec, "summary"), "requests"));
    assert_null(cJSON_GetObjectItem(get(rec, "summary"), "sustained"));
    cJSON_Delete(rec);
}

/* n windows of 10 s, with `after` tokens each from window k on. */
static cJSON *sustained(int n, int k, int before, int after)
{
    struct eb_buf b = {0};
    cJSON *rec;
    int i;

    eb_buf_adds(&b, "\"speed\":[],\"sustained\":{\"test\":\"tg16\","
                    "\"windows\":[");
    for (i = 0; i < n; i++)
        eb_buf_addf(&b,
                    "%s{\"at_ns\":%de10,\"wall_ns\":10000000000,"
                    "\"tokens\":%d}",
                    i > 0 ? "," : "", i, (i < k ? before : after) + i % 2);
    eb_buf_adds(&b, "]},");
    rec = derived(b.data);
    eb_buf_free(&b);
    return rec;
}

static void test_sustained(void **state)
{
    cJSON *rec = sustained(30, 12, 1000, 800);

    (void)state;
    assert_float_equal(num(rec, "summary.sustained.seconds"), 300, 1e-9);
    assert_float_equal(num(rec, "summary.sustained.first_minute_tps"), 100.05,
                       1e-6);
    assert_float_equal(num(rec, "summary.sustained.last_minute_tps"), 80.05,
                       1e-6);
    assert_float_equal(num(rec, "summary.sustained.last_to_first"),
                       80.05 / 100.05, 1e-9);
    assert_float_equal(num(rec, "summary.sustained.fell_at_s"), 120, 1e-9);
    assert_float_equal(num(rec, "summary.sustained.fell_by"), 0.2, 1e-3);
    assert_float_equal(num(rec, "summary.sustained.mean_tps"), 88.05, 1e-6);
    assert_string_equal(text(rec, "summary.sustained.throttled_at_s_reason"),
                        "unsupported: nothing here tells");
    cJSON_Delete(rec);
}

static void test_sustained_throttled(void **state)
{
    cJSON *rec = derived("\"speed\":[],\"sustained\":{\"windows\":["
                         "{\"at_ns\":0,\"wall_ns\":9,\"throttled\":false},"
                         "{\"at_ns\":5e9,\"wall_ns\":9,\"throttled\":true},"
                         "{\"at_ns\":9e9,\"wall_ns\":9,\"throttled\":true}]},");

    (void)state;
    assert_float_equal(num(rec, "summary.sustained.throttled_at_s"), 5, 1e-9);
    cJSON_Delete(rec);
}

static void test_sustained_flat(void **state)
{
    cJSON *rec = sustained(30, 12, 1000, 1000);

    (void)state;
    assert_true(cJSON_IsNull(get(rec, "summary.sustained.fell_at_s")));
    assert_string_equal(text(rec, "summary.sustained.fell_at_s_reason"),
                        "absent: no fall");
    cJSON_Delete(rec);
    rec = sustained(4, 2, 1000, 500); /* faster is no fall; few is unknown */
    assert_string_equal(text(rec, "summary.sustained.fell_at_s_reason"),
                        "out of range: too few windows");
    assert_string_equal(text(rec, "summary.sustained.first_minute_tps_reason"),
                        "out of range: less than two minutes");
    cJSON_Delete(rec);
    rec = sustained(30, 12, 800, 1000);
    assert_true(cJSON_IsNull(get(rec, "summary.sustained.fell_at_s")));
    cJSON_Delete(rec);
}

/* Records come from elsewhere, too: nonsense must not crash. */
static void test_odd(void **state)
{
    cJSON *rec = derived("\"speed\":[],\"sustained\":{\"windows\":[1,\"x\","
                         "{\"at_ns\":-5,\"wall_ns\":0},{}]},"
                         "\"requests\":[{\"phase\":\"odd\",\"gaps_ns\":[]}],");

    (void)state;
    assert_true(cJSON_IsNull(get(rec, "summary.sustained.fell_at_s")));
    assert_float_equal(num(rec, "summary.requests.0.n"), 0, 0);
    cJSON_Delete(rec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_unstable),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_localscore),
        cmocka_unit_test(test_sustained),
        cmocka_unit_test(test_sustained_throttled),
        cmocka_unit_test(test_sustained_flat),
        cmocka_unit_test(test_odd)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
