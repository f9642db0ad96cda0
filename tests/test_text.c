/* Normalisation, matching at token boundaries, cleaning of output. */
#include "tests/workloads_help.h"
#include "workloads/text.h"

static void norm_is(const char *in, const char *want)
{
    char *got = eb_text_normed(in);

    if (strcmp(got, want) != 0)
        fail_msg("\"%s\" became \"%s\", not \"%s\"", in, got, want);
    free(got);
}

static void test_norm_folds(void **state)
{
    (void)state;
    norm_is("", "");
    norm_is("  Hello \t\n World  ", "hello world");
    norm_is("ＡＢＣ　１２３！", "abc 123!");
    norm_is("\xE2\x80\x9Cok\xE2\x80\x9D it\xE2\x80\x99s", "\"ok\" it's");
    norm_is("CAFÉ ÀÑÜ", "café àñü");
    norm_is("cafe\xCC\x81", "café"); /* e and combining acute */
    norm_is("×", "×");               /* no letter, not folded */
    norm_is("你好，世界。", "你好,世界.");
    norm_is("《规定》：可以吗？", "\"规定\":可以吗?");
    norm_is("退 货 须 知", "退货须知");
    norm_is("保修 ２４ 个月", "保修24个月");
    norm_is("a\xE2\x80\x8B"
            "b",
            "ab"); /* zero-width space */
    norm_is("non\xC2\xA0"
            "break",
            "non break");
}

static void test_norm_numbers(void **state)
{
    (void)state;
    norm_is("$1,200", "1200");
    norm_is("1,234,567.50", "1234567.50");
    norm_is("1,23", "1,23");
    norm_is("12,3456", "12,3456");
    norm_is("1234,567", "1234,567");
    norm_is("-5 €", "-5");
    norm_is("￥30", "30");
    norm_is("$6.00", "6");
    norm_is("6.00 USD", "6 usd");
    norm_is("6.05", "6.05");
    norm_is("6.000", "6.000");
    norm_is("v1.0.0", "v1.0.0");
    norm_is("3，100元", "3,100元"); /* two numbers, not one */
    norm_is("3、100元", "3,100元");
}

static void test_norm_broken_bytes(void **state)
{
    (void)state;
    norm_is("a\xFF"
            "b",
            "a\xEF\xBF\xBD"
            "b");
    norm_is("\xE4\xBD", "\xEF\xBF\xBD\xEF\xBF\xBD");
    norm_is("\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"); /* overlong / */
    norm_is("\xED\xA0\x80",
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* surrogate */
}

static void test_contains(void **state)
{
    static const struct {
        const char *text, *needle;
        int want;
    } rows[] = {
        {"within 10 days", "10", 1},
        {"within 100 days", "10", 0},
        {"within 210 days", "10", 0},
        {"it costs 10.5", "10", 0},
        {"it costs 3.10", "10", 0},
        {"It is 10.", "10", 1},
        {"10", "10", 1},
        {"a10", "10", 0},
        {"10:30", "10", 1},
        {"the 10-day limit", "10", 1},
        {"$10", "10", 1},
        {"10%", "10%", 1},
        {"１０天", "10", 1},
        {"10天", "10", 1},
        {"100天", "10天", 0},
        {"共 10 天", "10天", 1},
        {"只要三十天", "三十天", 1},
        {"退货要在三十天内", "十天", 1}, /* Han: any substring */
        {"退 货", "退货", 1},
        {"1,000 points", "1000", 1},
        {"1000 points", "1,000", 1},
        {"Refunds are slow", "refund", 0},
        {"A refund, please", "Refund", 1},
        {"no", "", 0},
        {"", "x", 0},
        {"10 and 100", "100", 1},
        {"100 and 10", "10", 1}, /* the second hit counts */
        {"LK482915", "482915", 0},
        {"order LK482915.", "lk482915", 1},
        {"naïve", "na", 0},
        {"ZQXWVUTS", "ZQXWVUTS", 1},
        {"Z\xE2\x80\x8BQXWVUTS", "ZQXWVUTS", 1},
        {"$6.00", "6", 1},
        {"$6.50", "6", 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (eb_text_contains(rows[i].text, rows[i].needle) != rows[i].want)
            fail_msg("\"%s\" in \"%s\": not %d", rows[i].needle, rows[i].text,
                     rows[i].want);
    }
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(eb_text_equal("Leeds.", "leeds"));
    assert_true(eb_text_equal("枫林路14号。", "枫林路 14 号"));
    assert_true(eb_text_equal("14 Maple Street, Leeds", "14 maple street, "
                                                        "leeds!"));
    assert_false(eb_text_equal("14 Maple Street", "41 Maple Street"));
    assert_false(eb_text_equal("云", "雲")); /* simplified, traditional */
}

static double overlap(const char *a, const char *b)
{
    size_t na, nb;
    uint64_t *ta = eb_text_tokens(a, &na), *tb = eb_text_tokens(b, &nb);
    double x = eb_text_overlap(ta, na, tb, nb);

    free(ta);
    free(tb);
    return x;
}

static void test_tokens(void **state)
{
    size_t n;

    (void)state;
    free(eb_text_tokens("The cat, the CAT and 12 cats", &n));
    assert_int_equal(n, 5); /* the cat and 12 cats */
    free(eb_text_tokens("退货退款abc", &n));
    assert_int_equal(n, 4); /* 退 货 款 abc */
    assert_true(overlap("a b c d", "d c b a") == 1);
    assert_true(overlap("a b", "c d") == 0);
    assert_true(overlap("", "") == 0);
    assert_true(overlap("a b c", "b c d") == 0.5);
}

static void json_is(const char *output, const char *want)
{
    struct eb_span s = eb_text_json(eb_text_visible(output));

    if (want == NULL) {
        assert_null(s.s);
        return;
    }
    assert_non_null(s.s);
    if (s.len != strlen(want) || memcmp(s.s, want, s.len) != 0)
        fail_msg("\"%s\" gave \"%.*s\"", output, (int)s.len, s.s);
}

static void test_json(void **state)
{
    (void)state;
    json_is("{\"a\":1}", "{\"a\":1}");
    json_is("Sure: {\"a\":{\"b\":2}} done", "{\"a\":{\"b\":2}}");
    json_is("```json\n{\"a\":1}\n```", "{\"a\":1}");
    json_is("```\n{\"a\":1}\n```", "{\"a\":1}");
    json_is("```json {\"a\":1} ```", "{\"a\":1}");
    json_is("<think>maybe {\"a\":2}</think>\n{\"a\":1}", "{\"a\":1}");
    json_is("<think>never ends {\"a\":2}", NULL);
    json_is("opened before {\"a\":2}</think>{\"a\":1}", "{\"a\":1}");
    json_is("{\"a\":\"<think>\"} </think>", "{\"a\":\"<think>\"}");
    json_is("<think></think>{\"a\":1}</think>", "{\"a\":1}");
    json_is("{\"a\":\"}\"}", "{\"a\":\"}\"}");
    json_is("{\"a\":\"\\\"}\"}", "{\"a\":\"\\\"}\"}");
    json_is("{\"a\":[1,{\"b\":2}]}x", "{\"a\":[1,{\"b\":2}]}");
    json_is("{\"a\":1", NULL);
    json_is("", NULL);
    json_is("no", NULL);
    json_is("{\"a\":\"open", NULL);
    json_is("{\"a\":\"x\\", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm_folds),
        cmocka_unit_test(test_norm_numbers),
        cmocka_unit_test(test_norm_broken_bytes),
        cmocka_unit_test(test_contains),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
