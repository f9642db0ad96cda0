/* summary.energy, and that the agent's own block derives. */
#include <math.h>

#include "tests/power_help.h"
#include "tests/record_help.h"

#define WINDOW(name, cell, from, to, joules)                                   \
    "{\"name\":\"" name "\"," cell ",\"from_ns\":" from ",\"to_ns\":" to       \
    ",\"joules\":" joules ",\"valid\":true,\"reason\":null}"
#define NO_CELL "\"level\":null,\"lang\":null"
#define CELL "\"level\":\"triage\",\"lang\":\"en\""
#define SENSOR(name, sum, idle, whole, cell)                                   \
    "{\"name\":\"" name "\",\"driver\":\"rapl\",\"sum\":" sum                  \
    ",\"windows\":[" WINDOW(                                                   \
        "idle", NO_CELL, "0", "10000000000",                                   \
        idle) "," WINDOW("whole", NO_CELL, "10000000000", "110000000000",      \
                         whole) "," WINDOW("cell", CELL, "20000000000",        \
                                           "60000000000", cell) "]}"

static cJSON *parsed(const char *text)
{
    cJSON *v = cJSON_Parse(text);

    assert_non_null(v);
    return v;
}

static void add_items(cJSON *rec, int passes, int n)
{
    char text[160];
    int i;

    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text),
                 "{\"id\":\"i%d\",\"level\":\"triage\",\"lang\":\"en\","
                 "\"class\":\"%s\",\"output_tokens\":20}",
                 i, i < passes ? "ok" : "wrong");
        cJSON_AddItemToArray(cJSON_GetObjectItem(rec, "items"), parsed(text));
    }
}

static cJSON *with_power(const char *power)
{
    cJSON *rec = parsed(base);

    cJSON_AddItemToObject(rec, "power", parsed(power));
    return rec;
}

static void is(const cJSON *v, const char *key, double want)
{
    double got = eb_json_get_num(v, key, NAN);

    if (isnan(got) || fabs(got - want) > 1e-9 * fabs(want))
        fail_msg("%s is %g, not %g", key, got, want);
}

static const cJSON *window(const cJSON *rec, int group, int at)
{
    const cJSON *v =
        cJSON_GetObjectItem(cJSON_GetObjectItem(rec, "summary"), "energy");

    return cJSON_GetArrayItem(
        cJSON_GetObjectItem(cJSON_GetArrayItem(v, group), "windows"), at);
}

/* Two packages add up; core is in one of them. */
static void test_sums(void **state)
{
    cJSON *rec = with_power(
        "{\"best\":{\"driver\":\"rapl\",\"scope\":\"package\"},\"sensors\":"
        "[" SENSOR("package-0", "\"package\"", "100", "3000",
                   "1000") "," SENSOR("core", "null", "50", "2000",
                                      "900") "," SENSOR("package-1",
                                                        "\"package\"", "50",
                                                        "2000", "600") "]}");
    const cJSON *w;

    (void)state;
    add_items(rec, 40, 50);
    eb_record_derive(rec);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(
                         cJSON_GetObjectItem(rec, "summary"), "energy")),
                     1);
    w = window(rec, 0, 1);
    is(w, "joules", 5000);
    is(w, "joules_above_idle", 3500);
    is(w, "joules_per_item", 100);
    is(w, "joules_per_token", 5);
    is(w, "joules_per_solved", 125);
    w = window(rec, 0, 2);
    is(w, "joules", 1600);
    is(w, "joules_above_idle", 1000);
    is(w, "joules_per_solved", 40);
    assert_null(cJSON_GetObjectItem(window(rec, 0, 0), "joules_per_item"));
    cJSON_Delete(rec);
}

/* A throughput run played more than its verdict needed. */
static void test_throughput(void **state)
{
    cJSON *rec = with_power("{\"sensors\":[" SENSOR(
        "package-0", "\"package\"", "100", "3000", "1000") "]}");
    const cJSON *w;

    (void)state;
    add_items(rec, 40, 50);
    cJSON_AddItemToObject(
        rec, "throughput",
        parsed("[{\"level\":\"triage\",\"lang\":\"en\",\"items\":100,"
               "\"output_tokens\":500,\"wall_ns\":1}]"));
    eb_record_derive(rec);
    w = window(rec, 0, 2);
    is(w, "joules_per_item", 10);
    is(w, "joules_per_token", 2);
    is(w, "joules_per_solved", 12.5);
    cJSON_Delete(rec);
}

/* One sensor without joules: the sum has none. Strange blocks do no harm. */
static void test_missing(void **state)
{
    static const char *const odd[] = {
        "{}", "{\"sensors\":{}}", "{\"sensors\":[1,null,[]]}",
        "{\"sensors\":[{\"sum\":\"wall\",\"driver\":\"x\"}]}",
        "{\"sensors\":[{\"sum\":\"wall\",\"windows\":[{},1,null]}]}"};
    cJSON *rec = with_power("{\"sensors\":[" SENSOR(
        "package-0", "\"package\"", "100", "3000",
        "1000") ","
                "{\"name\":\"package-1\",\"driver\":\"rapl\",\"sum\":"
                "\"package\","
                "\"windows\":[{},{\"name\":\"whole\",\"from_ns\":10000000000,"
                "\"joules\":null,\"valid\":false,\"reason\":\"absent: "
                "gone\"}]}]}");
    size_t i;

    (void)state;
    eb_record_derive(rec);
    for (i = 0; i < 3; i++) {
        assert_true(cJSON_IsNull(
            cJSON_GetObjectItem(window(rec, 0, (int)i), "joules")));
        assert_true(cJSON_IsFalse(
            cJSON_GetObjectItem(window(rec, 0, (int)i), "valid")));
    }
    assert_string_equal(eb_json_get_str(window(rec, 0, 1), "joules_reason", ""),
                        "absent: gone");
    cJSON_Delete(rec);
    for (i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        rec = with_power(odd[i]);
        eb_record_derive(rec);
        cJSON_Delete(rec);
    }
}

static void test_agent_block(void **state)
{
    struct lab l = {0};
    cJSON *rec = parsed(base);
    const cJSON *w;

    (void)state;
    lab_open(&l, "/nonexistent", "w=10,name=a;w=20,name=b,kind=counter",
             EB_POWER_AUTO, NULL);
    lab_window(&l, "idle", 10);
    eb_power_window_begin(l.p, "whole", NULL, NULL);
    eb_power_window_begin(l.p, "cell", "triage", "en");
    lab_pass(&l, 20);
    eb_power_window_end(l.p);
    eb_power_window_begin(l.p, "decode", NULL, NULL);
    lab_pass(&l, 20);
    eb_power_window_count(l.p, -1, 600);
    eb_power_window_end(l.p);
    eb_power_window_end(l.p);
    lab_pass(&l, 1);
    cJSON_AddItemToObject(rec, "power", eb_power_json(l.p));
    add_items(rec, 4, 5);
    assert_int_equal(eb_record_validate(rec, "r", &err), 0);
    eb_record_derive(rec);
    w = window(rec, 0, 3);
    assert_true(fabs(eb_json_get_num(w, "joules_per_token", 0) - 1) < 0.01);
    w = window(rec, 0, 1);
    assert_true(fabs(eb_json_get_num(w, "joules", 0) - 1200) < 2);
    assert_true(fabs(eb_json_get_num(w, "joules_above_idle", 99)) < 2);
    w = window(rec, 0, 2);
    assert_true(fabs(eb_json_get_num(w, "joules_per_solved", 0) - 150) < 1);
    cJSON_Delete(rec);
    eb_power_close(l.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums), cmocka_unit_test(test_throughput),
        cmocka_unit_test(test_missing), cmocka_unit_test(test_agent_block)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
