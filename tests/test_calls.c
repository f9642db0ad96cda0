/* Levels of kind calls: which values are equal, which calls are right, what
 * the grammar lets through, and a whole suite of them. */
#include "tests/gbnf_help.h"
#include "workloads/calls.h"
#include "workloads/check.h"
#include "workloads/nulls.h"
#include "workloads/prompt.h"

static const char tools_text[] =
    "[{\"name\":\"area\",\"description\":\"Area of a triangle.\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{"
    "\"base\":{\"type\":\"integer\"},\"height\":{\"type\":\"number\"},"
    "\"unit\":{\"type\":\"string\",\"enum\":[\"cm\",\"m\"]}},"
    "\"required\":[\"base\",\"height\"]}},"
    "{\"name\":\"math.plan\",\"description\":\"Plan.\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{"
    "\"where\":{\"type\":\"object\",\"properties\":{"
    "\"city\":{\"type\":\"string\"},\"zip\":{\"type\":\"string\"}},"
    "\"required\":[\"city\"]},"
    "\"stops\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"free\":{},\"note\":{\"type\":\"string\",\"default\":null}}}},"
    "{\"name\":\"now\",\"description\":\"Time.\",\"parameters\":{}}]";

static cJSON *parse(const char *text)
{
    cJSON *v = cJSON_Parse(text);

    if (v == NULL)
        fail_msg("no JSON: %s", text);
    return v;
}

/* Accepted values as JSON, one value, and whether it is one of them. */
static void test_match(void **state)
{
    static const struct {
        const char *accepted, *value;
        int yes;
    } rows[] = {
        {"[5]", "5", 1},
        {"[5]", "5.0", 1},
        {"[5]", "5.5", 0},
        {"[5]", "\"5\"", 0},
        {"[0]", "false", 0},
        {"[true]", "true", 1},
        {"[true]", "\"true\"", 0},
        {"[null]", "null", 1},
        {"[\"New York, NY\"]", "\"new york ny\"", 1},
        {"[\"it's\"]", "\"it\\\"s\"", 1},
        {"[\"a_b-c/d.e*f^g\"]", "\"ABCDEFG\"", 1},
        {"[\"a;b\"]", "\"ab\"", 0},
        {"[\"one\",\"two\"]", "\"two\"", 1},
        {"[\"one\",\"two\"]", "\"three\"", 0},
        {"[\"北京\"]", "\"北京\"", 1},
        {"[\"北京\"]", "\"北京市\"", 0},
        {"[[1,2]]", "[1,2]", 1},
        {"[[1,2]]", "[2,1]", 0},
        {"[[1,2]]", "[1,2,3]", 0},
        {"[[\"A B\"]]", "[\"a-b\"]", 1},
        {"[[[1],[2]]]", "[[1],[2]]", 1},
        {"[{\"city\":[\"Rome\",\"Roma\"],\"zip\":[\"1\",\"\"]}]",
         "{\"city\":\"roma\"}", 1},
        {"[{\"city\":[\"Rome\"],\"zip\":[\"1\"]}]", "{\"city\":\"Rome\"}", 0},
        {"[{\"city\":[\"Rome\"]}]", "{\"city\":\"Rome\",\"zip\":\"1\"}", 0},
        {"[[{\"k\":[1,2]},{\"k\":[3]}]]", "[{\"k\":2},{\"k\":3}]", 1},
        {"[[{\"k\":[1,2]},{\"k\":[3]}]]", "[{\"k\":3},{\"k\":3}]", 0},
        {"[{\"a\":[{\"b\":[\"x\"]}]}]", "{\"a\":{\"b\":\"X\"}}", 1},
        {"[]", "1", 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cJSON *a = parse(rows[i].accepted), *v = parse(rows[i].value);

        if (eb_calls_match(a, v) != rows[i].yes)
            fail_msg("%s in %s", rows[i].value, rows[i].accepted);
        cJSON_Delete(a);
        cJSON_Delete(v);
    }
}

static const struct {
    const char *gold, *got;
    const char *detail; /* NULL: right */
} grades[] = {
    /* "" means may be left out; a whole number where a number is wanted */
    {"{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":[10],\"height\":[5],"
     "\"unit\":[\"cm\",\"\"]}}]}",
     "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":10,\"height\":5}}]}",
     NULL},
    {"{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":[10],\"height\":[5],"
     "\"unit\":[\"cm\"]}}]}",
     "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":10,\"height\":5}}]}",
     "area: unit is missing"},
    /* in the schema, not in the gold */
    {"{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":[10],\"height\":[5]}}]"
     "}",
     "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":10,\"height\":5,"
     "\"unit\":\"cm\"}}]}",
     "area: unit is not as expected"},
    {"{\"calls\":[{\"tool\":\"now\",\"args\":{}}]}",
     "{\"calls\":[{\"tool\":\"now\",\"args\":{\"x\":1}}]}",
     "now: \"x\" does not belong here"},
    {"{\"calls\":[{\"tool\":\"now\",\"args\":{}}]}",
     "{\"calls\":[{\"tool\":\"later\",\"args\":{}}]}", "tool: unknown: later"},
    {"{\"calls\":[{\"tool\":\"now\",\"args\":{}}]}",
     "{\"tool\":\"now\",\"args\":{}}", "expected {\"calls\":[...]}"},
    {"{\"calls\":[{\"tool\":\"now\",\"args\":{}}]}", "{\"calls\":[]}",
     "calls: expected 1, got 0"},
    {"{\"calls\":[]}", "{\"calls\":[]}", NULL},
    {"{\"calls\":[]}", "{\"calls\":[{\"tool\":\"now\",\"args\":{}}]}",
     "calls: expected 0, got 1"},
    {"{\"any_call\":true}", "{\"calls\":[{\"tool\":\"now\",\"args\":{}}]}",
     NULL},
    {"{\"any_call\":true}", "{\"calls\":[]}",
     "calls: expected a call, got none"},
    {"{\"one_of\":[[{\"tool\":\"now\",\"args\":{}}],[]]}", "{\"calls\":[]}",
     NULL},
    /* order free, and no pair taken too early: the first gold call takes
     * both, the second one only the first */
    {"{\"calls\":[{\"tool\":\"math.plan\",\"args\":{\"note\":[\"a\",\"b\"]}},"
     "{\"tool\":\"math.plan\",\"args\":{\"note\":[\"a\"]}}]}",
     "{\"calls\":[{\"tool\":\"math.plan\",\"args\":{\"note\":\"a\"}},"
     "{\"tool\":\"math.plan\",\"args\":{\"note\":\"b\"}}]}",
     NULL},
    {"{\"calls\":[{\"tool\":\"now\",\"args\":{}},{\"tool\":\"math.plan\","
     "\"args\":{\"note\":[\"a\"]}}]}",
     "{\"calls\":[{\"tool\":\"math.plan\",\"args\":{\"note\":\"A.\"}},"
     "{\"tool\":\"now\",\"args\":{}}]}",
     NULL},
    {"{\"calls\":[{\"tool\":\"now\",\"args\":{}},{\"tool\":\"math.plan\","
     "\"args\":{\"note\":[\"a\"]}}]}",
     "{\"calls\":[{\"tool\":\"now\",\"args\":{}},{\"tool\":\"now\",\"args\":{}"
     "}]}",
     "no call is the expected math.plan"},
};

static void test_grade(void **state)
{
    cJSON *tools = parse(tools_text);
    struct eb_result r;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(grades) / sizeof(grades[0]); i++) {
        cJSON *gold = parse(grades[i].gold), *got = parse(grades[i].got);

        eb_calls_grade(tools, gold, got, &r);
        assert_string_equal(r.detail, grades[i].detail ? grades[i].detail : "");
        assert_int_equal(r.outcome,
                         grades[i].detail ? EB_OUT_WRONG : EB_OUT_OK);
        cJSON_Delete(gold);
        cJSON_Delete(got);
    }
    cJSON_Delete(tools);
}

/* Keys of all golds are right, and the grammar lets them through. */
static void test_key(void **state)
{
    cJSON *tools = parse(tools_text);
    char why[EB_CALLS_WHY];
    struct eb_buf g = {0};
    struct eb_result r;
    size_t i;

    (void)state;
    eb_calls_grammar(tools, &g);
    for (i = 0; i < sizeof(grades) / sizeof(grades[0]); i++) {
        cJSON *gold = parse(grades[i].gold), *key;
        char *text;

        if (eb_calls_check_gold(tools, gold, why) != 0)
            fail_msg("%s: %s", grades[i].gold, why);
        key = eb_calls_key(tools, gold);
        eb_calls_grade(tools, gold, key, &r);
        assert_int_equal(r.outcome, EB_OUT_OK);
        text = cJSON_PrintUnformatted(key);
        if (strstr(grades[i].gold, "any_call") == NULL &&
            !accepts(g.data, text))
            fail_msg("%s\ndoes not accept %s", g.data, text);
        free(text);
        cJSON_Delete(key);
        cJSON_Delete(gold);
    }
    eb_buf_free(&g);
    cJSON_Delete(tools);
}

static void test_grammar(void **state)
{
    static const char *const good[] = {
        "{\"calls\":[]}",
        "{\"calls\":[{\"tool\":\"now\",\"args\":{}}]}",
        "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":-1,\"height\":6.5e-"
        "3}},{\"tool\":\"now\",\"args\":{}}]}",
        "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":1,\"height\":2,"
        "\"unit\":\"cm\"}}]}",
        "{\"calls\":[{\"tool\":\"math.plan\",\"args\":{}}]}",
        "{\"calls\":[{\"tool\":\"math.plan\",\"args\":{\"stops\":[\"a\",\"北"
        "\"],\"note\":null}}]}",
        "{\"calls\":[{\"tool\":\"math.plan\",\"args\":{\"where\":{\"city\":"
        "\"x\"},\"free\":{\"a\":[1,{\"b\":null}]}}}]}",
        NULL};
    static const char *const bad[] = {
        "{}",
        "{\"calls\":[{\"tool\":\"later\",\"args\":{}}]}",
        "{\"calls\":[{\"tool\":\"now\",\"args\":{\"x\":1}}]}",
        "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":1}}]}",
        "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":1.5,\"height\":2}}]"
        "}",
        "{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":1,\"height\":2,"
        "\"unit\":\"km\"}}]}",
        "{\"calls\":[{\"tool\":\"math.plan\",\"args\":{\"where\":{}}}]}",
        "{\"calls\":[{\"tool\":\"math.plan\",\"args\":{,\"note\":null}}]}",
        "{\"calls\":[{\"tool\":\"now\",\"args\":{}},]}",
        NULL};
    cJSON *tools = parse(tools_text);
    struct eb_buf g = {0}, any = {0};
    int i;

    (void)state;
    eb_calls_grammar(tools, &g);
    eb_calls_grammar(NULL, &any);
    for (i = 0; good[i] != NULL; i++) {
        if (!accepts(g.data, good[i]) || !accepts(any.data, good[i]))
            fail_msg("%s\ndoes not accept %s", g.data, good[i]);
    }
    for (i = 0; bad[i] != NULL; i++) {
        if (accepts(g.data, bad[i]))
            fail_msg("%s\naccepts %s", g.data, bad[i]);
    }
    eb_buf_free(&g);
    eb_buf_free(&any);
    cJSON_Delete(tools);
}

/* Golds and functions that cannot be. */
static void test_refused(void **state)
{
    static const struct {
        const char *gold, *why;
    } rows[] = {
        {"{\"calls\":[{\"tool\":\"x\",\"args\":{}}]}",
         "\"x\" is none of the item's functions"},
        {"{\"calls\":[{\"tool\":\"now\",\"args\":{\"x\":[1]}}]}",
         "\"x\" is no parameter"},
        {"{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":[1]}}]}",
         "\"height\" is missing"},
        {"{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":[\"a\"],"
         "\"height\":[1]}}]}",
         "base: no accepted value is allowed"},
        {"{\"calls\":[{\"tool\":\"area\",\"args\":{\"base\":1}}]}",
         "base: expected an array of values"},
        {"{\"one_of\":[]}", "one_of: expected an array"},
        {"{}", "expected calls, one_of or any_call"},
    };
    cJSON *tools = parse(tools_text), *bad;
    char why[EB_CALLS_WHY];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cJSON *gold = parse(rows[i].gold);

        assert_int_equal(eb_calls_check_gold(tools, gold, why), -1);
        assert_string_equal(why, rows[i].why);
        cJSON_Delete(gold);
    }
    bad = parse("[\"now\",\"now\"]");
    assert_int_equal(eb_calls_check_tools(bad, tools, why), -1);
    assert_string_equal(why, "\"now\" stands twice");
    cJSON_Delete(bad);
    bad = parse("[\"later\"]");
    assert_int_equal(eb_calls_check_tools(bad, tools, why), -1);
    cJSON_Delete(bad);
    bad = parse("[{\"name\":\"f\",\"parameters\":{\"type\":\"dict\"}}]");
    assert_int_equal(eb_calls_check_tools(bad, NULL, why), -1);
    assert_string_equal(why, "\"dict\" is no type");
    cJSON_Delete(bad);
    cJSON_Delete(tools);
}

/* A suite of two items loads, is asked and graded; others do not load. */
static void test_suite(void **state)
{
    char *dir = help_copy(EB_SOURCE_DIR "/tests/fixtures/job-calls");
    struct eb_suite s = {0};
    struct eb_case c = {0};
    struct eb_err err = {0};
    struct eb_buf out = {0}, g = {0};
    struct eb_result r;
    size_t i, k;

    (void)state;
    assert_int_equal(eb_suite_load(&s, dir, &err), 0);
    for (i = 0; i < s.levels[0].n_items; i++) {
        assert_int_equal(eb_case_fill(&c, &s, &s.levels[0],
                                      &s.levels[0].items[i], EB_PROMPT_CLEAR, 1,
                                      &err),
                         0);
        assert_non_null(strstr(c.user, "\"name\":\"area\""));
        assert_non_null(strstr(c.user, "${kept}"));
        eb_buf_reset(&g);
        eb_prompt_case_grammar(&c, &g);
        eb_buf_reset(&out);
        eb_null_key(&c, &out);
        eb_grade_case(&c, out.data, 0, &r);
        assert_int_equal(r.outcome, EB_OUT_OK);
        assert_true(accepts(g.data, out.data));
        for (k = 0; eb_nulls[k].name != NULL; k++) {
            struct eb_rng rng;

            eb_rng_init(&rng, 1, NULL, NULL);
            eb_buf_reset(&out);
            eb_nulls[k].answer(&c, &rng, &out);
            eb_grade_case(&c, out.data != NULL ? out.data : "", 0, &r);
            if (strcmp(eb_nulls[k].name, "random-json") == 0)
                assert_true(accepts(g.data, out.data));
        }
        eb_case_free(&c);
    }
    eb_suite_free(&s);
    help_replace(dir, "items-use.jsonl", "\"tool\":\"area\"",
                 "\"tool\":\"arena\"");
    assert_int_equal(eb_suite_load(&s, dir, &err), EB_EINVAL);
    assert_non_null(strstr(err.msg, ":1: $.gold: \"arena\" is none of"));
    eb_buf_free(&out);
    eb_buf_free(&g);
    help_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),   cmocka_unit_test(test_grade),
        cmocka_unit_test(test_key),     cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_suite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
