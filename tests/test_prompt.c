/* User texts, and grammars: a small GBNF matcher checks that exactly the
 * allowed answers are accepted. */
#include <ctype.h>

#include "tests/gbnf_help.h"
#include "workloads/nulls.h"
#include "workloads/prompt.h"

static void test_matcher(void **state)
{
    static const char g[] = "root ::= \"a\" (\"b\" | \"\\\"\") x{2,3} [^\\x00-"
                            "\\x1F\"] y?\nx ::= [0-9]\ny ::= \"z\"\n";

    (void)state;
    assert_true(accepts(g, "ab12!"));
    assert_true(accepts(g, "a\"123云z"));
    assert_false(accepts(g, "ab1!"));
    assert_true(accepts(g, "ab123"));
    assert_false(accepts(g, "ab1234!"));
    assert_false(accepts(g, "ab12\n"));
    assert_false(accepts(g, "ab12\""));
    assert_false(accepts(g, "ab12!zz"));
}

/* User texts */

static void user_is(const char *template, const char *parts, const char *want)
{
    cJSON *v = cJSON_Parse(parts);
    struct eb_buf b = {0};

    eb_prompt_user(template, v, &b);
    assert_string_equal(b.data, want);
    eb_buf_free(&b);
    cJSON_Delete(v);
}

static void test_user(void **state)
{
    static const char t[] = "Note: {order_note}\n\nMessage: {message}";

    (void)state;
    user_is(NULL, "{\"message\":\"hi\"}", "hi");
    user_is(t, "{\"message\":\"hi {order_note}\"}", "hi {order_note}");
    user_is(t, "{\"message\":\"hi\",\"order_note\":\"late\"}",
            "Note: late\n\nMessage: hi");
    user_is(t, "{\"order_note\":\"{message}\",\"message\":\"hi\"}",
            "Note: {message}\n\nMessage: hi");
    user_is("{message}|{passage}", "{\"message\":\"a\",\"x\":\"b\"}", "a|");
    user_is("open { brace", "{\"message\":\"a\",\"x\":\"b\"}", "open { brace");
}

/* Grammars */

static struct eb_suite suite;

static int load_mini(void **state)
{
    (void)state;
    return eb_suite_load(&suite, HELP_MINI, NULL);
}

static int free_mini(void **state)
{
    (void)state;
    eb_suite_free(&suite);
    return 0;
}

static void grammar_is(const char *level, const char *const *good,
                       const char *const *bad)
{
    struct eb_buf g = {0};

    eb_prompt_grammar(eb_suite_level(&suite, level), &g);
    for (; *good != NULL; good++) {
        if (!accepts(g.data, *good))
            fail_msg("%s\ndoes not accept %s", g.data, *good);
    }
    for (; *bad != NULL; bad++) {
        if (accepts(g.data, *bad))
            fail_msg("%s\naccepts %s", g.data, *bad);
    }
    eb_buf_free(&g);
}

static void test_grammar_json(void **state)
{
    static const char *const good[] = {
        "{\"intent\":\"cancel\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"intent\":\"cancel_order\",\"language\":\"zh\",\"urgency\":"
        "\"high\",\"escalate\":false}",
        NULL};
    static const char *const bad[] = {
        "",
        "{}",
        "{\"intent\":\"cancel_\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"language\":\"en\",\"intent\":\"cancel\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"intent\":\"cancel\", \"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"intent\":\"cancel\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":\"true\"}",
        "{\"intent\":\"cancel\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true} ",
        NULL};
    static const char *const good2[] = {
        "{\"city\":\"青岛\",\"count\":-5,\"price\":null}",
        "{\"city\":\"A \\\"B\\\"\",\"count\":0,\"price\":\"12\"}",
        "{\"city\":\"a\",\"count\":99,\"price\":\"123456789012\"}", NULL};
    static const char *const bad2[] = {
        "{\"city\":\"\",\"count\":1,\"price\":null}",
        "{\"city\":null,\"count\":1,\"price\":null}",
        "{\"city\":\"a\",\"count\":01,\"price\":null}",
        "{\"city\":\"a\",\"count\":100,\"price\":null}",
        "{\"city\":\"a\nb\",\"count\":1,\"price\":null}",
        "{\"city\":\"a\"b\",\"count\":1,\"price\":null}",
        "{\"city\":\"123456789012345678901\",\"count\":1,\"price\":null}",
        "{\"city\":\"a\",\"count\":1,\"price\":\"1234567890123\"}",
        NULL};

    (void)state;
    grammar_is("sort", good, bad);
    grammar_is("extract", good2, bad2);
}

static void test_grammar_calls(void **state)
{
    static const char *const good[] = {
        "{\"tool\":\"none\",\"args\":{}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK000001\"}}",
        "{\"tool\":\"refund\",\"args\":{\"order_id\":\"LK482915\",\"reason\":"
        "\"late\"}}",
        "{\"tool\":\"create_ticket\",\"args\":{\"topic\":\"fraud\","
        "\"order_id\":null}}",
        "{\"tool\":\"create_ticket\",\"args\":{\"topic\":\"fraud\","
        "\"order_id\":\"LK123456\"}}",
        "{\"tool\":\"change_address\",\"args\":{\"order_id\":\"LK123456\","
        "\"address\":\"杭州市枫林路14号2单元\"}}",
        NULL};
    static const char *const bad[] = {
        "{\"tool\":\"none\",\"args\":{\"order_id\":null}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":null}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK00001\"}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK0000011\"}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"lk000001\"}}",
        "{\"tool\":\"refund\",\"args\":{\"reason\":\"late\",\"order_id\":"
        "\"LK482915\"}}",
        "{\"tool\":\"refund\",\"args\":{\"order_id\":\"LK482915\",\"reason\":"
        "\"fraud\"}}",
        "{\"tool\":\"change_address\",\"args\":{\"order_id\":\"LK123456\","
        "\"address\":\"\"}}",
        "{\"say\":\"hello\"}",
        "{\"tool\":\"none\",\"args\":{}}{\"tool\":\"none\",\"args\":{}}",
        NULL};
    static const char *const good2[] = {
        "{\"say\":\"你好，请告诉我订单号。\"}", "{\"say\":\"Hello!\"}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK000001\"}}",
        NULL};
    static const char *const bad2[] = {
        "{\"say\":\"\"}", "{\"say\":\"a\",\"tool\":\"none\"}",
        "{\"tool\":\"refund\",\"args\":{\"order_id\":\"LK482915\",\"reason\":"
        "\"late\"}}",
        "{\"tool\":\"none\",\"args\":{}}", NULL};
    static const char *const good3[] = {
        "{\"answer\":\"30 天。\",\"source\":\"returns\"}",
        "{\"answer\":\"It does not say.\",\"source\":null}", NULL};
    static const char *const bad3[] = {"{\"answer\":null,\"source\":null}",
                                       "{\"source\":null,\"answer\":\"a\"}",
                                       NULL};

    (void)state;
    grammar_is("act", good, bad);
    grammar_is("talk", good2, bad2);
    grammar_is("answer", good3, bad3);
}

/* The two ways to say what is allowed, grammar and schema, agree: random
 * valid answers and the keys of all items are accepted. */
static void test_grammar_takes_valid(void **state)
{
    size_t i, k;

    (void)state;
    for (i = 0; i < suite.n_levels; i++) {
        const struct eb_level *l = &suite.levels[i];
        struct eb_buf g = {0}, out = {0};

        eb_prompt_grammar(l, &g);
        for (k = 0; l->kind != EB_KIND_DIALOG && k < 200; k++) {
            const struct eb_null *null = eb_nulls;
            struct eb_case c;
            struct eb_rng rng;

            while (strcmp(null->name, "random-json") != 0)
                null++;
            eb_rng_init(&rng, k, NULL, NULL);
            assert_int_equal(eb_case_fill(&c, &suite, l, &l->items[k % 2],
                                          EB_PROMPT_CLEAR, k, NULL),
                             0);
            eb_buf_reset(&out);
            if (k < 20)
                eb_null_key(&c, &out);
            else
                null->answer(&c, &rng, &out);
            if (!accepts(g.data, out.data))
                fail_msg("%s\ndoes not accept %s", g.data, out.data);
            eb_case_free(&c);
        }
        eb_buf_free(&g);
        eb_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matcher),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_grammar_json),
        cmocka_unit_test(test_grammar_calls),
        cmocka_unit_test(test_grammar_takes_valid),
    };

    return cmocka_run_group_tests(tests, load_mini, free_mini);
}
