/* Verdicts of one language of one level, as the agent and readers reach them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/decision.h"
#include "common/json.h"

static struct eb_decision d;

static void open_rule(int early, int64_t pool, int64_t cap)
{
    struct eb_decision_rule r = {early, pool, 0.8, 0.05, 0.10, cap, -1};
    struct eb_err err;

    assert_int_equal(eb_decision_open(&d, &r, &err), 0);
}

static void add(int n, int pass)
{
    while (n-- > 0)
        eb_decision_add(&d, (struct eb_decision_item){pass, 0, -1});
}

/* Exact bounds need 14 of 14 for a bar of .80 (0.8^14 = .044). */
static void test_exact(void **state)
{
    (void)state;
    open_rule(0, 0, -1);
    add(13, 1);
    assert_int_equal(eb_decision_verdict(&d), EB_NOT_SHOWN);
    add(1, 1);
    assert_int_equal(eb_decision_verdict(&d), EB_SUFFICIENT);
    assert_false(eb_decision_done(&d)); /* never stops */
}

static void test_early(void **state)
{
    (void)state;
    open_rule(1, 200, -1);
    while (!eb_decision_done(&d))
        add(1, 1);
    assert_int_equal(eb_decision_verdict(&d), EB_SUFFICIENT);
    assert_true(d.n < 60);
    open_rule(1, 200, -1);
    while (!eb_decision_done(&d))
        add(1, 0);
    assert_int_equal(eb_decision_verdict(&d), EB_INSUFFICIENT);
    assert_true(d.n < 20);
}

/* 160 of 200 are the bar, 159 are below: the last item settles it. */
static void test_last_item(void **state)
{
    (void)state;
    open_rule(1, 200, -1);
    for (int i = 0; i < 40; i++) {
        add(4, 1);
        add(1, 0);
    }
    assert_int_equal(eb_decision_verdict(&d), EB_SUFFICIENT);
    add(1, 1); /* past the pool */
    assert_int_equal(d.n, 200);
    open_rule(1, 200, -1);
    add(1, 0);
    for (int i = 0; i < 39; i++) {
        add(4, 1);
        add(1, 0);
    }
    add(3, 1);
    assert_false(eb_decision_verdict(&d) == EB_SUFFICIENT);
    add(1, 0);
    assert_int_equal(eb_decision_verdict(&d), EB_INSUFFICIENT);
}

static void test_cap(void **state)
{
    int i;

    (void)state;
    open_rule(1, 100, 1);
    eb_decision_add(&d, (struct eb_decision_item){0, 1, -1});
    assert_false(eb_decision_done(&d));
    eb_decision_add(&d, (struct eb_decision_item){0, 1, -1});
    assert_int_equal(eb_decision_verdict(&d), EB_INSUFFICIENT);
    assert_true(eb_decision_done(&d));
    /* Sufficient waits until the cap cannot be passed any more. */
    open_rule(1, 100, 1);
    for (i = 0; i < 98; i++)
        add(1, 1);
    assert_int_equal(eb_decision_verdict(&d), EB_SUFFICIENT);
    assert_false(eb_decision_done(&d));
    add(1, 1);
    assert_true(eb_decision_done(&d));
}

static void test_row(void **state)
{
    cJSON *row = cJSON_CreateObject();
    const cJSON *how;
    double lower, upper;

    (void)state;
    open_rule(1, 200, -1);
    for (int i = 0; i < 7; i++) {
        add(4, 1);
        add(1, 0);
    }
    eb_decision_row(&d, row);
    how = cJSON_GetObjectItem(row, "decision");
    lower = eb_json_get_num(row, "lower", -1);
    upper = eb_json_get_num(row, "upper", -1);
    assert_string_equal(eb_json_get_str(how, "method", ""), "pool");
    /* Wider than the exact bounds of a fixed number: valid at any stop. */
    assert_true(lower > 0.5 && lower < eb_stats_exact(28, 35, 0.05).lo);
    assert_true(upper < 1 && upper > eb_stats_exact(28, 35, 0.05).hi);
    assert_string_equal(eb_json_get_str(row, "verdict", ""), "NOT SHOWN");
    assert_true(eb_json_get_num(row, "more_items", 0) >= 1);
    assert_true(eb_json_get_num(row, "more_items", 0) <= 165);
    cJSON_Delete(row);
}

/* The same answers as a reference are not worse; a reference that passes what
 * this model fails is not reached. */
static void test_reference(void **state)
{
    struct eb_decision_rule r = {1, 200, 0.6, 0.05, 0.10, -1, 0.05};
    cJSON *row = cJSON_CreateObject();
    struct eb_err err;
    int i;

    (void)state;
    assert_int_equal(eb_decision_open(&d, &r, &err), 0);
    for (i = 0; i < 200 && !eb_decision_done(&d); i++)
        eb_decision_add(&d, (struct eb_decision_item){1, 0, 1});
    assert_true(d.n > 20); /* the bar alone is reached sooner */
    eb_decision_row(&d, row);
    assert_string_equal(
        eb_json_get_str(cJSON_GetObjectItem(row, "reference"), "verdict", ""),
        "NON-INFERIOR");
    cJSON_Delete(row);
    row = cJSON_CreateObject();
    assert_int_equal(eb_decision_open(&d, &r, &err), 0);
    for (i = 0; i < 200 && !eb_decision_done(&d); i++)
        eb_decision_add(&d, (struct eb_decision_item){i % 5 != 0, 0, 1});
    eb_decision_row(&d, row);
    assert_string_equal(
        eb_json_get_str(cJSON_GetObjectItem(row, "reference"), "verdict", ""),
        "INFERIOR");
    cJSON_Delete(row);
}

/* A record without the new fields is judged as before. */
static void test_old_record(void **state)
{
    cJSON *def = cJSON_Parse("{\"bar\":0.7,\"alpha\":0.05}");
    struct eb_decision_rule r = eb_decision_rule(def, "en");

    (void)state;
    assert_false(r.early);
    assert_int_equal(r.cap, -1);
    cJSON_Delete(def);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),     cmocka_unit_test(test_early),
        cmocka_unit_test(test_last_item), cmocka_unit_test(test_cap),
        cmocka_unit_test(test_row),       cmocka_unit_test(test_old_record),
        cmocka_unit_test(test_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
