#include "tests/record_help.h"

#include <math.h>

#include "common/stats_compare.h"

#define MS 1e6

static cJSON *with_bars(const char *bars)
{
    cJSON *rec = record(NULL, NULL);

    cJSON_AddItemToObject(rec, "service_bars", parse(bars));
    return rec;
}

/* Adds an item played alone; first and whole in ms, below 0: no such time. */
static void item(cJSON *rec, const char *list, const char *class, double first,
                 double whole)
{
    cJSON *items = cJSON_GetObjectItem(rec, list), *v = cJSON_CreateObject();
    char id[32];

    if (items == NULL)
        items = cJSON_AddArrayToObject(rec, list);
    snprintf(id, sizeof(id), "i%d", cJSON_GetArraySize(items));
    cJSON_AddStringToObject(v, "id", id);
    cJSON_AddStringToObject(v, "level", "triage");
    cJSON_AddStringToObject(v, "lang", "en");
    cJSON_AddStringToObject(v, "class", class);
    cJSON_AddNumberToObject(v, "output_tokens", 11);
    if (first >= 0)
        cJSON_AddNumberToObject(v, "ttft_ns", first * MS);
    else
        eb_json_add_null(v, "ttft_ns", "absent: no token");
    if (whole >= 0)
        cJSON_AddNumberToObject(v, "e2e_ns", whole * MS);
    else
        eb_json_add_null(v, "e2e_ns", "not measured: throughput run");
    cJSON_AddItemToArray(items, v);
}

/* TTFT 1, 2, .. n ms, in an order that is not sorted. */
static void items(cJSON *rec, const char *list, int n)
{
    int i;

    for (i = 0; i < n; i++)
        item(rec, list, "ok", i % 2 ? n - i / 2 : 1 + i / 2, 1000);
}

static const cJSON *service(cJSON *rec)
{
    err.msg[0] = '\0';
    eb_record_validate(rec, "r", &err);
    assert_string_equal(err.msg, "");
    eb_record_derive(rec);
    return get(rec, "summary.service");
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

static void null(const cJSON *v, const char *path)
{
    if (!cJSON_IsNull(get(v, path)))
        fail_msg("%s is not null", path);
}

static void test_quantile(void **state)
{
    /* 200 values: X(185) and X(196) bound the 95th percentile. */
    static const struct {
        int limit;
        const char *verdict;
    } cases[] = {{196, "SUFFICIENT"},
                 {195, "NOT SHOWN"},
                 {185, "NOT SHOWN"},
                 {184, "INSUFFICIENT"}};
    char bars[64];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const cJSON *s;
        cJSON *rec;

        snprintf(bars, sizeof(bars), "{\"ttft_p95_ms\":%d}", cases[i].limit);
        rec = with_bars(bars);
        items(rec, "items", 200);
        s = service(rec);
        assert_int_equal(cJSON_GetArraySize(s), 1);
        text(s, "0.bar", "ttft_p95_ms");
        num(s, "0.limit", cases[i].limit);
        num(s, "0.value", 190.05); /* type 7: 1 + 0.95 * 199 */
        num(s, "0.lower", 185);
        num(s, "0.upper", 196);
        num(s, "0.bound", i == 3 ? 185 : 196);
        text(s, "0.verdict", cases[i].verdict);
        num(s, "0.n", 200);
        if (i == 1 || i == 2)
            text(s, "0.reason", "the limit lies between the bounds");
        else
            null(s, "0.reason");
        if (i == 0 || i == 3)
            null(s, "0.need");
        cJSON_Delete(rec);
    }
}

/* 195 of 200 within the limit: with the same rate, rounded, the exact bound
 * reaches 95 % at the item counts of eb_stats_more_items. */
static void test_quantile_need(void **state)
{
    cJSON *rec = with_bars("{\"ttft_p95_ms\":195}");
    const cJSON *s;

    (void)state;
    items(rec, "items", 200);
    s = service(rec);
    num(s, "0.need",
        200 + (double)eb_stats_more_items(195, 200, 0.95, 0.05, 100000));
    assert_true(get(s, "0.need")->valuedouble > 200);
    cJSON_Delete(rec);
}

static void test_too_few(void **state)
{
    cJSON *rec = with_bars("{\"ttft_p95_ms\":1000,\"e2e_p95_ms\":10,"
                           "\"tpot_ms\":200}");
    const cJSON *s;

    (void)state;
    assert_int_equal(eb_stats_quantile_upper_index(58, 0.95, 0.05), 0);
    assert_int_equal(eb_stats_quantile_upper_index(59, 0.95, 0.05), 59);
    items(rec, "items", 58);
    s = service(rec);
    text(s, "0.verdict", "NOT SHOWN");
    text(s, "0.reason", "needs 59 items played alone");
    num(s, "0.need", 59);
    num(s, "0.n", 58);
    null(s, "0.bound");
    text(s, "2.bar", "e2e_p95_ms");
    text(s, "2.reason", "needs 59 items played alone");
    cJSON_Delete(rec);
    rec = with_bars("{\"ttft_p95_ms\":59,\"tpot_ms\":200}");
    items(rec, "items", 59);
    s = service(rec);
    text(s, "0.verdict", "SUFFICIENT");
    num(s, "0.bound", 59);
    cJSON_Delete(rec);
    /* No item at all. */
    rec = with_bars("{\"ttft_p95_ms\":59,\"tpot_ms\":200}");
    s = service(rec);
    null(s, "0.value");
    num(s, "0.n", 0);
    null(s, "1.value");
    num(s, "1.need", 2);
    text(s, "1.verdict", "NOT SHOWN");
    cJSON_Delete(rec);
}

/* Who never got a reply waited longer than anybody. */
static void test_never(void **state)
{
    cJSON *rec = with_bars("{\"ttft_p95_ms\":1000,\"e2e_p95_ms\":2000}");
    const cJSON *s;
    int i;

    (void)state;
    items(rec, "items", 96);
    for (i = 0; i < 4; i++)
        item(rec, "items", "timeout", i == 0 ? 500 : -1, 1500);
    item(rec, "items", "harness_error", -1, 1);
    s = service(rec);
    /* X(99) of 100 bounds it: of the TTFT three are endless. */
    num(s, "0.n", 100);
    null(s, "0.bound");
    text(s, "0.verdict", "NOT SHOWN");
    text(s, "0.reason",
         "the limit lies between the bounds; 3 of 100 items never had a first "
         "token and count as longer than any time");
    num(s, "1.n", 100);
    null(s, "1.upper");
    text(s, "1.verdict", "NOT SHOWN");
    cJSON_Delete(rec);
    /* Every second item: the lower bound is endless, too. */
    rec = with_bars("{\"e2e_p95_ms\":2000}");
    items(rec, "items", 50);
    for (i = 0; i < 50; i++)
        item(rec, "items", "timeout", 10, 1500);
    s = service(rec);
    text(s, "0.verdict", "INSUFFICIENT");
    null(s, "0.value");
    null(s, "0.bound");
    text(s, "0.reason",
         "50 of 100 items never had a full reply and count as "
         "longer than any time");
    cJSON_Delete(rec);
}

/* Of a throughput run only the items played again have times. */
static void test_throughput(void **state)
{
    cJSON *rec = with_bars("{\"ttft_p95_ms\":60,\"peak_memory_bytes\":100}");
    cJSON *set = cJSON_GetObjectItem(rec, "settings");
    const cJSON *s;

    (void)state;
    cJSON_AddStringToObject(set, "mode", "throughput");
    cJSON_AddNumberToObject(set, "slots", 16);
    cJSON_AddItemToObject(rec, "memory", parse("{\"vm_hwm_bytes\":90}"));
    item(rec, "items", "timeout", -1, -1);
    s = service(rec);
    num(s, "0.n", 0);
    text(s, "0.reason", "needs 59 items played alone");
    text(s, "1.verdict", "NOT SHOWN");
    num(s, "1.value", 90);
    text(s, "1.reason",
         "measured with 16 slots at once; --mode latency measures it");
    items(rec, "latency_items", 60);
    s = service(rec);
    num(s, "0.n", 60);
    text(s, "0.verdict", "SUFFICIENT");
    cJSON_SetNumberValue(cJSON_GetObjectItem(set, "slots"), 1);
    s = service(rec);
    text(s, "1.verdict", "SUFFICIENT");
    cJSON_Delete(rec);
}

/* TPOT 1, 2, 3, 4 ms: mean 2.5, sd sqrt(5/3), t(0.95; 3) = 2.353363. */
static void test_tpot(void **state)
{
    double half = 2.3533634348018264 * sqrt(5.0 / 3) / 2;
    static const struct {
        const char *bars, *verdict;
    } cases[] = {{"{\"tpot_ms\":4.1}", "SUFFICIENT"},
                 {"{\"tpot_ms\":4}", "NOT SHOWN"},
                 {"{\"tpot_ms\":0.9}", "INSUFFICIENT"}};
    size_t i;
    int k;

    (void)state;
    for (i = 0; i < 3; i++) {
        cJSON *rec = with_bars(cases[i].bars);
        const cJSON *s;

        for (k = 1; k <= 4; k++)
            item(rec, "items", "ok", 5, 5 + 10 * k);
        s = service(rec);
        num(s, "0.value", 2.5);
        num(s, "0.lower", 2.5 - half);
        num(s, "0.upper", 2.5 + half);
        text(s, "0.verdict", cases[i].verdict);
        /* t(4) sd / sqrt(5) = 1.231 is below the gap of 1.5. */
        if (i == 1)
            num(s, "0.need", 5);
        cJSON_Delete(rec);
    }
    assert_true(fabs(eb_stats_t_upper(1, .05) - 6.313751514675) < 1e-9);
    assert_true(fabs(eb_stats_t_upper(10, .05) - 1.812461122812) < 1e-9);
}

static void test_memory_joules(void **state)
{
    cJSON *rec = with_bars("{\"peak_memory_bytes\":100,\"joules_per_solved\":"
                           "5,\"tpot_ms\":null}");
    const cJSON *s;
    cJSON *power;

    (void)state;
    cJSON_AddItemToObject(rec, "memory",
                          parse("{\"vm_hwm_bytes\":null,"
                                "\"vm_hwm_bytes_reason\":\"unsupported\"}"));
    power = cJSON_AddObjectToObject(rec, "power");
    eb_json_add_null(power, "energy_j", "no permission: /sys/x");
    s = service(rec);
    assert_int_equal(cJSON_GetArraySize(s), 2);
    text(s, "0.reason", "unsupported");
    text(s, "1.reason", "no permission: /sys/x");
    text(s, "1.verdict", "NOT SHOWN");
    null(s, "1.value");
    cJSON_ReplaceItemInObject(rec, "memory", parse("{\"vm_hwm_bytes\":101}"));
    cJSON_ReplaceItemInObject(rec, "power", parse("{\"energy_j\":9}"));
    s = service(rec);
    text(s, "0.verdict", "INSUFFICIENT");
    text(s, "1.reason", "no item was scored");
    item(rec, "items", "wrong", 1, 2);
    s = service(rec);
    text(s, "1.verdict", "INSUFFICIENT");
    text(s, "1.reason", "no item was solved");
    item(rec, "items", "ok", 1, 2);
    item(rec, "items", "ok", 1, 2);
    s = service(rec);
    num(s, "1.value", 4.5);
    text(s, "1.verdict", "SUFFICIENT");
    cJSON_AddBoolToObject(cJSON_GetObjectItem(rec, "power"), "valid", 0);
    s = service(rec);
    text(s, "1.verdict", "NOT SHOWN");
    cJSON_Delete(rec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_quantile_need),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_throughput),
        cmocka_unit_test(test_tpot),
        cmocka_unit_test(test_memory_joules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
