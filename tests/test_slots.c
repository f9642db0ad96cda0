/* Generators of slot values. */
#include "tests/workloads_help.h"
#include "workloads/slots.h"

static void draw(struct eb_slots *out, const char *json, const char *lang,
                 const char *pair, uint64_t seed)
{
    cJSON *slots = cJSON_Parse(json);
    struct eb_err err = {0};
    int i;

    if (eb_slots_draw(out, slots, lang, pair, seed, 20514, &err) != 0)
        fail_msg("%s", err.msg);
    /* Names point into the tree; these tests look at the texts only. */
    for (i = 0; i < out->n; i++)
        out->v[i].name = "";
    cJSON_Delete(slots);
}

static void test_forms(void **state)
{
    struct eb_slots en, zh;
    uint64_t seed;

    (void)state;
    for (seed = 0; seed < 300; seed++) {
        long n;
        char *end;

        draw(&en,
             "{\"a\":\"order_id\",\"b\":\"bad_order_id\",\"c\":"
             "\"canary\",\"d\":\"int:-3:9:4\",\"e\":\"amount\"}",
             "en", "p", seed);
        assert_int_equal(strlen(en.v[0].text), 8);
        assert_memory_equal(en.v[0].text, "LK", 2);
        assert_int_equal(strspn(en.v[0].text + 2, "0123456789"), 6);
        assert_int_equal(strspn(en.v[1].text, "0123456789"), 5);
        assert_int_equal(strlen(en.v[1].text), 5);
        assert_int_equal(strspn(en.v[2].text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 8);
        n = strtol(en.v[3].text, &end, 10);
        assert_true(*end == '\0' && (n == -3 || n == 1 || n == 5 || n == 9));
        n = strtol(en.v[4].text + 1, &end, 10);
        assert_true(en.v[4].text[0] == '$' && n >= 12 && n <= 400);
        draw(&zh, "{\"e\":\"amount\"}", "zh", "p", seed);
        assert_int_equal(strtol(zh.v[0].text, &end, 10), n);
        assert_string_equal(end, " 元");
    }
}

static void test_dates(void **state)
{
    struct eb_slots s;
    uint64_t seed;

    (void)state;
    for (seed = 0; seed < 300; seed++) {
        int day;
        char month[16];

        draw(&s, "{\"d\":\"date\"}", "en", "p", seed);
        assert_int_equal(sscanf(s.v[0].text, "%15s %d", month, &day), 2);
        /* 60 days before 2 March 2026: 1 January to 1 March. */
        assert_true(strcmp(month, "January") == 0 ||
                    strcmp(month, "February") == 0 ||
                    (strcmp(month, "March") == 0 && day == 1));
        assert_true(day >= 1 && day <= 31);
    }
    assert_int_equal(eb_days_parse("1970-01-01"), 0);
    assert_int_equal(eb_days_parse("2000-02-29"), 11016);
    assert_int_equal(eb_days_parse("2026-03-02"), 20514);
    assert_int_equal(eb_days_parse("2025-02-29"), -1);
    assert_int_equal(eb_days_parse("2026-13-01"), -1);
    assert_int_equal(eb_days_parse("2026-3-02"), -1);
    assert_int_equal(eb_days_parse("soon"), -1);
}

static void test_independent(void **state)
{
    struct eb_slots a, b;

    (void)state;
    /* Another slot beside it, or another order, changes nothing. */
    draw(&a, "{\"x\":\"order_id\"}", "en", "p-1", 5);
    draw(&b, "{\"z\":\"name\",\"x\":\"order_id\",\"a\":\"int:1:9\"}", "zh",
         "p-1", 5);
    assert_string_equal(a.v[0].text, b.v[1].text);
    draw(&b, "{\"x\":\"order_id\"}", "en", "p-2", 5);
    assert_string_not_equal(a.v[0].text, b.v[0].text);
    draw(&b, "{\"x\":\"order_id\"}", "en", "p-1", 6);
    assert_string_not_equal(a.v[0].text, b.v[0].text);
}

static void test_distinct(void **state)
{
    struct eb_slots s;
    uint64_t seed;

    (void)state;
    for (seed = 0; seed < 300; seed++) {
        draw(&s, "{\"a\":\"int:1:2\",\"b\":\"int:1:2\"}", "en", "p", seed);
        assert_string_not_equal(s.v[0].text, s.v[1].text);
    }
    draw(&s, "{\"a\":\"int:7:7\",\"b\":\"int:7:7\"}", "en", "p", 1);
    assert_string_equal(s.v[1].text, "7"); /* gives up, but ends */
}

static void test_known(void **state)
{
    (void)state;
    assert_true(eb_slot_known("street"));
    assert_true(eb_slot_known("int:1:5"));
    assert_true(eb_slot_known("int:1:50:10"));
    assert_false(eb_slot_known("int:5:1"));
    assert_false(eb_slot_known("int:1"));
    assert_false(eb_slot_known("int:1:5:0"));
    assert_false(eb_slot_known("int:1:5:2:3"));
    assert_false(eb_slot_known("int:1:5x"));
    assert_false(eb_slot_known("Order_id"));
    assert_false(eb_slot_known(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),       cmocka_unit_test(test_dates),
        cmocka_unit_test(test_independent), cmocka_unit_test(test_distinct),
        cmocka_unit_test(test_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
