#include "tests/record_help.h"

#include <math.h>
#include <stdio.h>

static cJSON *item(cJSON *rec, const char *level, const char *lang,
                   const char *class)
{
    cJSON *items = cJSON_GetObjectItem(rec, "items");
    cJSON *v = cJSON_CreateObject();
    char id[32];

    snprintf(id, sizeof(id), "i%d", cJSON_GetArraySize(items));
    cJSON_AddStringToObject(v, "id", id);
    cJSON_AddStringToObject(v, "level", level);
    cJSON_AddStringToObject(v, "lang", lang);
    cJSON_AddStringToObject(v, "class", class);
    cJSON_AddItemToArray(items, v);
    return v;
}

static void items(cJSON *rec, const char *level, const char *lang, int passes,
                  int n)
{
    int i;

    for (i = 0; i < n; i++)
        item(rec, level, lang, i < passes ? "ok" : "wrong");
}

static cJSON *derived(cJSON *rec)
{
    err.msg[0] = '\0';
    eb_record_validate(rec, "r", &err);
    assert_string_equal(err.msg, "");
    eb_record_derive(rec);
    return cJSON_GetObjectItem(rec, "summary");
}

static void num(const cJSON *v, const char *path, double want)
{
    const cJSON *got = get(v, path);

    if (!cJSON_IsNumber(got) ||
        fabs(got->valuedouble - want) > 1e-9 * fmax(1, fabs(want)))
        fail_msg("%s: got %.12g, want %.12g", path, got->valuedouble, want);
}

static void text(const cJSON *v, const char *path, const char *want)
{
    assert_true(cJSON_IsString(get(v, path)));
    assert_string_equal(get(v, path)->valuestring, want);
}

static void test_derive_levels(void **state)
{
    cJSON *rec = record(NULL, NULL), *s;

    (void)state;
    cJSON_AddStringToObject(item(rec, "triage", "zh", "ok"), "capability",
                            "urgency");
    cJSON_AddStringToObject(item(rec, "triage", "en", "ok"), "capability",
                            "intent");
    cJSON_AddStringToObject(item(rec, "triage", "zh", "timeout"), "capability",
                            "intent");
    cJSON_AddStringToObject(item(rec, "triage", "en", "ok"), "capability",
                            "urgency");
    cJSON_AddStringToObject(item(rec, "triage", "zh", "harness_error"),
                            "capability", "intent");
    item(rec, "act", "en", "oom");
    s = derived(rec);
    assert_int_equal(cJSON_GetArraySize(get(s, "levels")), 3);
    /* en: 2 of 2; bar 0.2; lower bound sqrt(0.05) = 0.2236. */
    text(s, "levels.0.level", "triage");
    text(s, "levels.0.lang", "en");
    num(s, "levels.0.bar", .2);
    num(s, "levels.0.n", 2);
    num(s, "levels.0.passes", 2);
    num(s, "levels.0.rate", 1);
    num(s, "levels.0.lower", sqrt(.05));
    num(s, "levels.0.upper", 1);
    /* Wilson of 2 of 2: 2 / (2 + z^2). */
    num(s, "levels.0.wilson_lo", 2 / (2 + 3.841458820694124));
    num(s, "levels.0.wilson_hi", 1);
    text(s, "levels.0.verdict", "SUFFICIENT");
    assert_true(cJSON_IsNull(get(s, "levels.0.more_items")));
    assert_int_equal(cJSON_GetArraySize(get(s, "levels.0.outcomes")), 1);
    num(s, "levels.0.outcomes.ok", 2);
    assert_int_equal(cJSON_GetArraySize(get(s, "levels.0.capabilities")), 2);
    text(s, "levels.0.capabilities.0.capability", "intent");
    num(s, "levels.0.capabilities.1.n", 1);
    /* zh: 1 of 2; the harness error is listed and not counted. At a rate of
     * a half, rounded up, 3 of 5 has P(X >= 3 | 0.2) = 0.0579, 3 of 6 0.0989
     * and 4 of 7 0.0333, the first that is decided. */
    text(s, "levels.1.lang", "zh");
    num(s, "levels.1.n", 2);
    num(s, "levels.1.passes", 1);
    num(s, "levels.1.lower", 1 - sqrt(.95));
    num(s, "levels.1.upper", sqrt(.95));
    text(s, "levels.1.verdict", "NOT SHOWN");
    num(s, "levels.1.more_items", 5);
    num(s, "levels.1.outcomes.timeout", 1);
    num(s, "levels.1.outcomes.harness_error", 1);
    num(s, "levels.1.capabilities.0.n", 1);
    num(s, "levels.1.capabilities.0.passes", 0);
    /* act: 0 of 1; upper bound 0.95 is above the bar 0.9. */
    text(s, "levels.2.level", "act");
    num(s, "levels.2.lower", 0);
    num(s, "levels.2.upper", .95);
    text(s, "levels.2.verdict", "NOT SHOWN");
    num(s, "levels.2.more_items", 1); /* 0 of 2: 1 - sqrt(0.05) = 0.776 */
    num(s, "levels.2.outcomes.oom", 1);
    assert_int_equal(cJSON_GetArraySize(get(s, "levels.2.capabilities")), 0);
    assert_true(cJSON_IsTrue(get(s, "void")));
    cJSON_Delete(rec);
}

static void test_derive_void(void **state)
{
    cJSON *rec = record(NULL, NULL), *s;

    (void)state;
    items(rec, "act", "en", 99, 99);
    item(rec, "act", "en", "harness_error");
    s = derived(rec);
    assert_true(cJSON_IsFalse(get(s, "void"))); /* 1 % is not more than 1 % */
    num(s, "levels.0.n", 99);
    text(s, "levels.0.verdict", "SUFFICIENT");
    item(rec, "act", "zh", "harness_error");
    s = derived(rec);
    assert_true(cJSON_IsTrue(get(s, "void")));
    num(s, "levels.1.n", 0);
    assert_true(cJSON_IsNull(get(s, "levels.1.rate")));
    text(s, "levels.1.rate_reason", "absent: no scored item");
    num(s, "levels.1.lower", 0);
    num(s, "levels.1.upper", 1);
    text(s, "levels.1.verdict", "NOT SHOWN");
    num(s, "levels.1.more_items", -1);
    cJSON_Delete(rec);
}

static void test_derive_speed(void **state)
{
    cJSON *rec = record("\"speed\":[]",
                        "\"speed\":[{\"test\":\"pp100\",\"n_prompt\":100,"
                        "\"n_gen\":0,\"depth\":0,\"batch\":1,\"samples_ns\":"
                        "[1000000000,500000000,250000000]},"
                        "{\"test\":\"tg10\",\"n_prompt\":0,\"n_gen\":10,"
                        "\"batch\":4,\"samples_ns\":[2000000000]},"
                        "{\"test\":\"none\",\"n_prompt\":0,\"n_gen\":10,"
                        "\"samples_ns\":[]}]");
    cJSON *s = derived(rec);

    (void)state;
    /* 100, 200 and 400 tokens per second. */
    text(s, "speed.0.test", "pp100");
    num(s, "speed.0.mean_tps", 700.0 / 3);
    num(s, "speed.0.sd_tps", sqrt(70000.0 / 3));
    num(s, "speed.0.n", 3);
    num(s, "speed.1.mean_tps", 20);
    assert_true(cJSON_IsNull(get(s, "speed.1.sd_tps")));
    num(s, "speed.1.n", 1);
    assert_true(cJSON_IsNull(get(s, "speed.2.mean_tps")));
    text(s, "speed.2.mean_tps_reason", "absent: no sample");
    cJSON_Delete(rec);
}

static void timed(cJSON *v, double ttft, double e2e, const char *gaps,
                  double prompt, double output)
{
    cJSON_AddNumberToObject(v, "ttft_ns", ttft);
    cJSON_AddNumberToObject(v, "e2e_ns", e2e);
    cJSON_AddItemToObject(v, "gaps_ns", parse(gaps));
    cJSON_AddNumberToObject(v, "prompt_tokens", prompt);
    cJSON_AddNumberToObject(v, "output_tokens", output);
}

static void test_derive_latency(void **state)
{
    cJSON *rec = record(NULL, NULL), *s;

    (void)state;
    timed(item(rec, "act", "en", "ok"), 10e6, 40e6, "[10000000,20000000]", 100,
          3);
    timed(item(rec, "act", "en", "timeout"), 30e6, 90e6, "[60000000]", 200, 2);
    timed(item(rec, "act", "zh", "ok"), 20e6, 20e6, "[]", 50, 1);
    timed(item(rec, "act", "zh", "harness_error"), 9e9, 9e9, "[9000000]", 9, 9);
    eb_json_add_null(item(rec, "act", "zh", "oom"), "ttft_ns", "absent");
    s = derived(rec);
    num(s, "latency.ttft_p50_ms", 20);
    num(s, "latency.ttft_p95_ms", 29); /* 20 + 0.9 * 10 */
    num(s, "latency.itl_p50_ms", 20);
    num(s, "latency.itl_p95_ms", 56);
    num(s, "latency.tpot_mean_ms", (15.0 + 60) / 2);
    num(s, "latency.e2e_p50_ms", 40);
    num(s, "latency.e2e_p95_ms", 85);
    num(s, "latency.n", 3);
    num(s, "tokens.en.prompt_mean", 150);
    num(s, "tokens.en.output_mean", 2.5);
    num(s, "tokens.zh.prompt_mean", 50);
    num(s, "tokens.zh.output_mean", 1);
    cJSON_Delete(rec);
}

static cJSON *engine_error(void)
{
    cJSON *rec = record("\"complete\",\"status_reason\":null",
                        "\"engine_error\",\"status_reason\":\"no memory\"");

    cJSON_DeleteItemFromObject(rec, "items");
    return rec;
}

static void test_derive_engine_error(void **state)
{
    cJSON *rec = engine_error(), *s = derived(rec);

    (void)state;
    assert_true(cJSON_IsArray(get(s, "levels")));
    assert_int_equal(cJSON_GetArraySize(get(s, "levels")), 0);
    assert_true(cJSON_IsFalse(get(s, "void")));
    num(s, "latency.n", 0);
    assert_true(cJSON_IsNull(get(s, "latency.ttft_p95_ms")));
    text(s, "latency.ttft_p95_ms_reason", "not measured");
    cJSON_Delete(rec);
}

/* A forged summary is replaced, and other unknown fields stay. */
static void test_derive_replaces(void **state)
{
    cJSON *rec = record("\"summary\":{}",
                        "\"summary\":{\"levels\":[{\"verdict\":"
                        "\"SUFFICIENT\"}],\"x\":1},\"brand_new\":[1,2]");
    cJSON *s;
    char *once, *twice;

    (void)state;
    items(rec, "act", "en", 1, 10);
    s = derived(rec);
    text(s, "levels.0.verdict", "INSUFFICIENT");
    assert_null(cJSON_GetObjectItem(s, "x"));
    num(rec, "brand_new.1", 2);
    once = cJSON_Print(rec);
    eb_record_derive(rec);
    twice = cJSON_Print(rec);
    assert_string_equal(once, twice);
    free(once);
    free(twice);
    cJSON_Delete(rec);
}

/* One model of a size (parameters < 0: null) that passes so many of 100 act
 * items in en; the bar is 0.9, so 96 is SUFFICIENT, 90 NOT SHOWN and 80
 * INSUFFICIENT. passes < 0: it never ran. */
static cJSON *sized(const char *name, double parameters, double file_bytes,
                    int passes)
{
    cJSON *rec = passes < 0 ? engine_error() : record(NULL, NULL);
    cJSON *m = cJSON_GetObjectItem(rec, "model");

    cJSON_ReplaceItemInObject(m, "name", cJSON_CreateString(name));
    cJSON_ReplaceItemInObject(m, "parameters",
                              parameters < 0 ? cJSON_CreateNull()
                                             : cJSON_CreateNumber(parameters));
    cJSON_ReplaceItemInObject(m, "file_bytes", cJSON_CreateNumber(file_bytes));
    if (passes >= 0)
        items(rec, "act", "en", passes, 100);
    derived(rec);
    return rec;
}

static struct eb_smallest smallest(cJSON **recs, size_t n)
{
    struct eb_smallest s = eb_record_smallest(recs, n, "act", "en"), none;
    size_t i;

    none = eb_record_smallest(recs, n, "act", "zh");
    assert_int_equal(none.found, 0);
    assert_int_equal(none.all_decided, 0);
    for (i = 0; i < n; i++)
        cJSON_Delete(recs[i]);
    return s;
}

static void test_smallest(void **state)
{
    struct eb_smallest s;
    cJSON *v[4];

    (void)state;
    v[0] = sized("a", 1e6, 1e6, 90);
    v[1] = sized("b", 4e6, 4e6, 96);
    v[2] = sized("c", 2e6, 2e6, 96);
    v[3] = sized("d", 8e6, 8e6, 99);
    s = smallest(v, 4);
    assert_int_equal(s.found, 1);
    assert_int_equal(s.index, 2);
    assert_int_equal(s.all_decided, 0);
}

/* A larger model that fails ends the search, though a smaller one passes. */
static void test_smallest_stops(void **state)
{
    struct eb_smallest s;
    cJSON *v[3];

    (void)state;
    v[0] = sized("a", 1e6, 1e6, 99);
    v[1] = sized("b", 2e6, 2e6, 90);
    v[2] = sized("c", 4e6, 4e6, 99);
    s = smallest(v, 3);
    assert_int_equal(s.found, 1);
    assert_int_equal(s.index, 2);
    v[0] = sized("a", 1e6, 1e6, 99);
    v[1] = sized("b", 2e6, 2e6, 80);
    s = smallest(v, 2);
    assert_int_equal(s.found, 0);
    assert_int_equal(s.all_decided, 1); /* the largest is INSUFFICIENT */
    v[0] = sized("a", 1e6, 1e6, 80);
    v[1] = sized("b", 2e6, 2e6, 90);
    s = smallest(v, 2);
    assert_int_equal(s.found, 0);
    assert_int_equal(s.all_decided, 0); /* the largest is NOT SHOWN */
    s = eb_record_smallest(NULL, 0, "act", "en");
    assert_int_equal(s.found, 0);
    assert_int_equal(s.all_decided, 0);
}

static cJSON *job(const char *name, double parameters, const int passes[4])
{
    cJSON *rec = record(NULL, NULL);
    cJSON *m = cJSON_GetObjectItem(rec, "model");
    int i;

    cJSON_ReplaceItemInObject(m, "name", cJSON_CreateString(name));
    cJSON_ReplaceItemInObject(m, "parameters", cJSON_CreateNumber(parameters));
    for (i = 0; i < 4; i++) {
        if (passes[i] >= 0)
            items(rec, i < 2 ? "triage" : "act", i % 2 ? "zh" : "en", passes[i],
                  100);
    }
    derived(rec);
    return rec;
}

/* Bars 0.2 (triage) and 0.9 (act): 10 of 100 and 80 of 100 fail, 20 and 90 are
 * not shown, 40 and 99 pass. */
static void test_smallest_job(void **state)
{
    static const int good[4] = {40, 40, 99, 99}, open[4] = {20, 40, 99, 80},
                     none[4] = {40, 40, 99, -1}, bad[4] = {40, 10, 20, 99};
    struct eb_smallest_job s;
    cJSON *v[3];
    const char **langs;
    size_t n;

    (void)state;
    v[0] = job("a", 1e6, good);
    v[1] = job("b", 4e6, good);
    v[2] = job("c", 2e6, open);
    s = eb_record_smallest_job(v, 3);
    assert_int_equal(s.found, 1);
    assert_int_equal(s.index, 1); /* a is below the stop */
    assert_int_equal(s.all_decided, 0);
    assert_int_equal(s.stopped, 1);
    assert_int_equal(s.stop, 2);
    assert_int_equal(s.verdict, EB_INSUFFICIENT); /* before NOT SHOWN */
    assert_string_equal(s.level, "act");
    assert_string_equal(s.lang, "zh");
    langs = eb_record_langs(v, 3, &n);
    assert_int_equal(n, 2);
    assert_string_equal(langs[0], "en");
    free(langs);
    s = eb_record_smallest_job(v, 2);
    assert_int_equal(s.index, 0);
    assert_int_equal(s.stopped, 0);
    cJSON_Delete(v[0]);
    cJSON_Delete(v[1]);
    cJSON_Delete(v[2]);
    /* A level and language that was not run is not shown. */
    v[0] = job("a", 1e6, none);
    s = eb_record_smallest_job(v, 1);
    assert_int_equal(s.found, 0);
    assert_int_equal(s.all_decided, 0);
    assert_int_equal(s.verdict, EB_NOT_SHOWN);
    assert_string_equal(s.lang, "zh");
    cJSON_Delete(v[0]);
    v[0] = job("a", 1e6, bad);
    s = eb_record_smallest_job(v, 1);
    assert_int_equal(s.all_decided, 1);
    assert_string_equal(s.level, "triage");
    assert_string_equal(s.lang, "zh");
    cJSON_Delete(v[0]);
    s = eb_record_smallest_job(NULL, 0);
    assert_int_equal(s.found + s.stopped, 0);
}

/* A language of the pools that no record ran. */
static void test_smallest_job_pool(void **state)
{
    struct eb_smallest_job s;
    cJSON *rec =
        record("{\"level\":\"act\",", "{\"level\":\"act\",\"pool\":{\"en\":100,"
                                      "\"zh\":100},");

    (void)state;
    items(rec, "triage", "en", 40, 100);
    items(rec, "act", "en", 99, 100);
    derived(rec);
    s = eb_record_smallest_job(&rec, 1);
    assert_int_equal(s.found, 0);
    assert_string_equal(s.level, "triage");
    assert_string_equal(s.lang, "zh");
    cJSON_Delete(rec);
}

static void test_smallest_engine_error(void **state)
{
    struct eb_smallest s;
    cJSON *v[4];

    (void)state;
    /* The largest never ran: nothing is shown, nothing is decided. */
    v[0] = sized("a", 4e6, 4e6, -1);
    v[1] = sized("b", 2e6, 2e6, 99);
    s = smallest(v, 2);
    assert_int_equal(s.found, 0);
    assert_int_equal(s.all_decided, 0);
    /* Size unknown: its file puts it between b and c. */
    v[0] = sized("a", -1, 3e6, -1);
    v[1] = sized("b", 4e6, 4e6, 99);
    v[2] = sized("c", 2e6, 2e6, 99);
    s = smallest(v, 3);
    assert_int_equal(s.found, 1);
    assert_int_equal(s.index, 1);
    /* By file it is the smallest. */
    v[0] = sized("a", -1, 1e6, -1);
    v[1] = sized("b", 4e6, 4e6, 99);
    v[2] = sized("c", 2e6, 2e6, 99);
    s = smallest(v, 3);
    assert_int_equal(s.index, 2);
    /* No parameter counts at all. */
    v[0] = sized("a", -1, 1e6, 99);
    v[1] = sized("b", -1, 4e6, 99);
    v[2] = sized("c", -1, 2e6, -1);
    s = smallest(v, 3);
    assert_int_equal(s.index, 1);
    /* Quantisation does not reorder the known sizes. */
    v[0] = sized("a", 8e6, 4e6, 99);
    v[1] = sized("b", 4e6, 8e6, 99);
    v[2] = sized("c", 2e6, 3e6, 80);
    v[3] = sized("d", -1, 1e6, -1);
    s = smallest(v, 4);
    assert_int_equal(s.index, 1);
}

static void test_smallest_ties(void **state)
{
    struct eb_smallest s;
    cJSON *v[3];

    (void)state;
    /* Same parameters: the smaller file is the smaller model. */
    v[0] = sized("q4", 2e6, 1e6, 99);
    v[1] = sized("f16", 2e6, 4e6, 99);
    v[2] = sized("q8", 2e6, 2e6, 99);
    s = smallest(v, 3);
    assert_int_equal(s.index, 0);
    v[0] = sized("y", 2e6, 1e6, 99);
    v[1] = sized("z", 2e6, 1e6, 99);
    v[2] = sized("x", 2e6, 1e6, 99);
    s = smallest(v, 3);
    assert_int_equal(s.index, 1);
}

/* Cut short, a run still counts by its interval; void, it does not. */
static void test_smallest_aborted_and_void(void **state)
{
    struct eb_smallest s;
    cJSON *v[2];

    (void)state;
    v[0] = record("\"complete\",\"status_reason\":null",
                  "\"aborted\",\"status_reason\":\"interrupted\"");
    items(v[0], "act", "en", 29, 29);
    derived(v[0]);
    s = smallest(v, 1);
    assert_int_equal(s.found, 1);
    v[0] = record("\"complete\",\"status_reason\":null",
                  "\"aborted\",\"status_reason\":\"interrupted\"");
    items(v[0], "act", "en", 28, 28);
    derived(v[0]);
    s = smallest(v, 1);
    assert_int_equal(s.found, 0);
    v[0] = record(NULL, NULL);
    items(v[0], "act", "en", 90, 90);
    item(v[0], "act", "en", "harness_error");
    derived(v[0]);
    v[1] = sized("small", 10, 10, 99);
    s = smallest(v, 2);
    assert_int_equal(s.found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derive_levels),
        cmocka_unit_test(test_derive_void),
        cmocka_unit_test(test_derive_speed),
        cmocka_unit_test(test_derive_latency),
        cmocka_unit_test(test_derive_engine_error),
        cmocka_unit_test(test_derive_replaces),
        cmocka_unit_test(test_smallest),
        cmocka_unit_test(test_smallest_stops),
        cmocka_unit_test(test_smallest_job),
        cmocka_unit_test(test_smallest_job_pool),
        cmocka_unit_test(test_smallest_engine_error),
        cmocka_unit_test(test_smallest_ties),
        cmocka_unit_test(test_smallest_aborted_and_void),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
