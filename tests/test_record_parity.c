#include "tests/record_help.h"

#include <math.h>

#include "common/stats.h"

static cJSON *item(cJSON *rec, const char *lang, int pair, const char *class)
{
    cJSON *items = cJSON_GetObjectItem(rec, "items");
    cJSON *v = cJSON_CreateObject();
    char name[32];

    snprintf(name, sizeof(name), "p%03d", pair);
    if (pair >= 0)
        cJSON_AddStringToObject(v, "pair_id", name);
    snprintf(name, sizeof(name), "i%d", cJSON_GetArraySize(items));
    cJSON_AddStringToObject(v, "id", name);
    cJSON_AddStringToObject(v, "level", "triage");
    cJSON_AddStringToObject(v, "lang", lang);
    cJSON_AddStringToObject(v, "class", class);
    cJSON_AddItemToArray(items, v);
    return v;
}

/* n pairs, b right in en only, c in zh only, the rest in both. */
static void pairs(cJSON *rec, int b, int c, int n)
{
    int i;

    for (i = 0; i < n; i++)
        item(rec, "en", i, i >= b && i < b + c ? "wrong" : "ok");
    for (i = n; i-- > 0;)
        item(rec, "zh", i, i < b ? "wrong" : "ok");
}

static const cJSON *derived(cJSON *rec, const char *path)
{
    err.msg[0] = '\0';
    eb_record_validate(rec, "r", &err);
    assert_string_equal(err.msg, "");
    eb_record_derive(rec);
    return get(rec, path);
}

static void num(const cJSON *v, const char *path, double want)
{
    const cJSON *got = get(v, path);

    if (!cJSON_IsNumber(got) ||
        fabs(got->valuedouble - want) > 1e-6 * fmax(1, fabs(want)))
        fail_msg("%s: got %.12g, want %.12g", path, got->valuedouble, want);
}

static void text(const cJSON *v, const char *path, const char *want)
{
    assert_true(cJSON_IsString(get(v, path)));
    assert_string_equal(get(v, path)->valuestring, want);
}

static void test_parity(void **state)
{
    /* Intervals: suites.md section 9; (0, 0, n) is z^2 / (n + z^2). */
    static const struct {
        int b, c, n;
        double lower, upper, p;
        const char *verdict;
    } cases[] = {{12, 5, 200, -.006003, .080656, .143463, "NOT SHOWN"},
                 {5, 12, 200, -.080656, .006003, .143463, "NOT SHOWN"},
                 {8, 20, 400, -.058497, -.004359, .035698, "DIFFERENT"},
                 {0, 0, 100, -.036993, .036993, 1, "EQUAL WITHIN 5 POINTS"},
                 {0, 0, 70, -.0520229, .0520229, 1, "NOT SHOWN"}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cJSON *rec = record(NULL, NULL);
        const cJSON *v;

        pairs(rec, cases[i].b, cases[i].c, cases[i].n);
        v = derived(rec, "summary.parity");
        assert_int_equal(cJSON_GetArraySize(v), 1);
        text(v, "0.level", "triage");
        text(v, "0.first", "en");
        text(v, "0.second", "zh");
        num(v, "0.n", cases[i].n);
        num(v, "0.b", cases[i].b);
        num(v, "0.c", cases[i].c);
        num(v, "0.first_passes", cases[i].n - cases[i].c);
        num(v, "0.second_passes", cases[i].n - cases[i].b);
        num(v, "0.difference", (double)(cases[i].b - cases[i].c) / cases[i].n);
        assert_true(fabs(get(v, "0.lower")->valuedouble - cases[i].lower) <
                    1e-6);
        assert_true(fabs(get(v, "0.upper")->valuedouble - cases[i].upper) <
                    1e-6);
        num(v, "0.mcnemar_p", cases[i].p);
        text(v, "0.verdict", cases[i].verdict);
        cJSON_Delete(rec);
    }
}

/* Not counted: no pair, one language only, a harness error, a repeat. */
static void test_parity_left_out(void **state)
{
    cJSON *rec = record(NULL, NULL);
    const cJSON *v;

    (void)state;
    item(rec, "en", -1, "ok");
    item(rec, "zh", -1, "wrong");
    v = derived(rec, "summary.parity");
    assert_int_equal(cJSON_GetArraySize(v), 0);
    item(rec, "zh", 7, "wrong");
    item(rec, "en", 7, "ok");
    item(rec, "en", 7, "wrong");
    item(rec, "en", 8, "ok");
    item(rec, "en", 9, "ok");
    item(rec, "zh", 9, "harness_error");
    item(rec, "de", 7, "timeout");
    item(rec, "fr", 10, "ok");
    v = derived(rec, "summary.parity");
    /* de-en, de-zh, en-zh; fr shares no pair. */
    assert_int_equal(cJSON_GetArraySize(v), 3);
    text(v, "0.first", "de");
    text(v, "0.second", "en");
    num(v, "0.n", 1);
    num(v, "0.c", 1);
    text(v, "1.second", "zh");
    num(v, "1.n", 1);
    num(v, "1.b", 0);
    text(v, "2.first", "en");
    num(v, "2.n", 1);
    num(v, "2.b", 1);
    cJSON_Delete(rec);
}

/* A stop that the results chose supports no verdict; the whole pool does. */
static void test_parity_early(void **state)
{
    cJSON *rec = record("\"bar\":0.2", "\"bar\":0.2,\"stop\":\"early\","
                                       "\"pool\":{\"en\":212,\"zh\":212}");
    const cJSON *v;

    (void)state;
    pairs(rec, 20, 0, 100);
    v = derived(rec, "summary.parity");
    text(v, "0.verdict", "NOT SHOWN");
    assert_non_null(strstr(get(v, "0.reason")->valuestring, "--stop never"));
    cJSON_Delete(rec);
    rec = record("\"bar\":0.2", "\"bar\":0.2,\"stop\":\"early\","
                                "\"pool\":{\"en\":100,\"zh\":100}");
    pairs(rec, 20, 0, 100);
    v = derived(rec, "summary.parity");
    text(v, "0.verdict", "DIFFERENT");
    assert_true(cJSON_IsNull(get(v, "0.reason")));
    cJSON_Delete(rec);
}

struct reply {
    const char *lang, *output;
    int judged, right;
};

static void replies(const char *kind, const struct reply *r, size_t n)
{
    char level[64];
    size_t i;

    snprintf(level, sizeof(level), "\"level\":\"triage\",\"kind\":\"%s\"",
             kind);
    for (i = 0; i < n; i++) {
        cJSON *rec = record("\"level\":\"triage\"", level);
        const cJSON *v;

        cJSON_AddStringToObject(item(rec, r[i].lang, 1, "wrong"), "output",
                                r[i].output);
        v = derived(rec, "summary.fidelity");
        assert_int_equal(cJSON_GetArraySize(v), 1);
        text(v, "0.lang", r[i].lang);
        if (get(v, "0.n")->valuedouble != r[i].judged ||
            get(v, "0.right")->valuedouble != r[i].right ||
            get(v, "0.not_judged")->valuedouble != 1 - r[i].judged)
            fail_msg("%s: judged %g, right %g", r[i].output,
                     get(v, "0.n")->valuedouble,
                     get(v, "0.right")->valuedouble);
        cJSON_Delete(rec);
    }
}

static void test_fidelity_answer(void **state)
{
    static const struct reply r[] = {
        {"en", "{\"answer\":\"Within 30 days.\",\"source\":\"returns\"}", 1, 1},
        {"en", "{\"answer\":\"30天内\",\"source\":\"returns\"}", 1, 0},
        {"zh", "{\"answer\":\"30天内\",\"source\":\"returns\"}", 1, 1},
        {"zh", "{\"answer\":\"Within 30 days.\",\"source\":null}", 1, 0},
        /* Ids and numbers have no language. */
        {"zh", "{\"answer\":\"订单LK123456\",\"source\":null}", 1, 1},
        {"zh", "{\"answer\":\"LK123456, 30\",\"source\":null}", 0, 0},
        {"en", "{\"answer\":\"\",\"source\":null}", 0, 0},
        /* Half Han is enough for zh: 2 of 4; 2 of 5 is not. */
        {"zh", "{\"answer\":\"用 ab 的\"}", 1, 1},
        {"zh", "{\"answer\":\"用 abc 的\"}", 1, 0},
        /* One in twenty may be Han in en: 1 of 20, 1 of 19. */
        {"en", "{\"answer\":\"abcdefghijklmnopqrs 王\"}", 1, 1},
        {"en", "{\"answer\":\"abcdefghijklmnopqr 王\"}", 1, 0},
        {"en", "{\"answer\":\"Caf\\u00e9\"}", 1, 1},
        /* The first object after the thoughts counts. */
        {"en", "<think>{\"answer\":\"想\"}</think>{\"answer\":\"Yes.\"}", 1, 1},
        {"en", "a < b {\"answer\":\"Yes.\"} {\"answer\":\"是的，可以\"}", 1, 1},
        {"en", "{\"answer\":\"Brace } and \\\" {\",\"source\":null}", 1, 1},
        {"en", "Yes.", 0, 0},
        {"en", "{\"answer\":\"Yes", 0, 0},
        {"en", "{\"answer\":7}", 0, 0},
        {"en", "<think>{", 0, 0},
        /* German cannot be told from English by its script. */
        {"de", "{\"answer\":\"Ja.\"}", 0, 0},
    };

    (void)state;
    replies("grounded", r, sizeof(r) / sizeof(*r));
}

static void test_fidelity_say(void **state)
{
    static const struct reply r[] = {
        {"zh",
         "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK1\"}}\n"
         "{\"say\":\"在路上\"}",
         1, 1},
        {"zh", "{\"say\":\"Where?\"}\n{\"say\":\"好\"}", 1, 0},
        {"en", "{\"say\":\"cut\n{\"say\":\"Sorry.\"}", 1, 1},
        {"en", "{\"tool\":\"refund\",\"args\":{\"say\":\"x\"}}", 0, 0},
    };

    (void)state;
    replies("dialog", r, sizeof(r) / sizeof(*r));
}

static void test_fidelity_rows(void **state)
{
    cJSON *rec = record("\"level\":\"triage\"",
                        "\"level\":\"triage\",\"kind\":\"grounded\"");
    const cJSON *v;
    int i;

    (void)state;
    for (i = 0; i < 10; i++)
        cJSON_AddStringToObject(item(rec, "zh", i, "ok"), "output",
                                i < 9 ? "{\"answer\":\"是\"}"
                                      : "{\"answer\":\"yes\"}");
    cJSON_AddStringToObject(item(rec, "en", 0, "harness_error"), "output",
                            "{\"answer\":\"yes\"}");
    item(rec, "en", 1, "timeout");
    v = derived(rec, "summary.fidelity");
    assert_int_equal(cJSON_GetArraySize(v), 2);
    text(v, "0.lang", "en");
    num(v, "0.n", 0);
    num(v, "0.not_judged", 1);
    assert_true(cJSON_IsNull(get(v, "0.rate")));
    num(v, "1.n", 10);
    num(v, "1.rate", .9);
    num(v, "1.wilson_lo", eb_stats_wilson(9, 10).lo);
    num(v, "1.wilson_hi", eb_stats_wilson(9, 10).hi);
    cJSON_Delete(rec);
    /* Other kinds have no free text. */
    rec = record("\"level\":\"triage\"",
                 "\"level\":\"triage\",\"kind\":\"json\"");
    item(rec, "en", 0, "ok");
    assert_int_equal(cJSON_GetArraySize(derived(rec, "summary.fidelity")), 0);
    cJSON_Delete(rec);
}

/* Only items played alone have a time. */
static void test_tokens_time(void **state)
{
    cJSON *rec = record(NULL, NULL), *alone, *v;
    const cJSON *t;
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        item(rec, "en", i, "ok");
    item(rec, "zh", 0, "ok");
    alone = cJSON_AddArrayToObject(rec, "latency_items");
    for (i = 0; i < 3; i++) {
        v = cJSON_Duplicate(
            cJSON_GetArrayItem(cJSON_GetObjectItem(rec, "items"), i), 1);
        cJSON_AddNumberToObject(v, "e2e_ns", 1e6 * (i + 1));
        if (i == 2)
            cJSON_SetValuestring(cJSON_GetObjectItem(v, "class"), "timeout");
        cJSON_AddItemToArray(alone, v);
    }
    t = derived(rec, "summary.tokens");
    num(t, "en.e2e_mean_ms", 2);
    num(t, "en.e2e_n", 3);
    num(t, "zh.e2e_n", 0);
    assert_true(cJSON_IsNull(get(t, "zh.e2e_mean_ms")));
    cJSON_Delete(rec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parity),
        cmocka_unit_test(test_parity_left_out),
        cmocka_unit_test(test_parity_early),
        cmocka_unit_test(test_fidelity_answer),
        cmocka_unit_test(test_fidelity_say),
        cmocka_unit_test(test_fidelity_rows),
        cmocka_unit_test(test_tokens_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
