/* Importers of sets with calls: small files in the publishers' forms, with
 * what is known to be awkward in the real ones; wrong files; and the real
 * files where EB_SHARED_DATA names the folder that has them. */
#include "tests/gbnf_help.h"
#include "workloads/calls.h"
#include "workloads/check.h"
#include "workloads/import/import.h"
#include "workloads/import/import_calls.h"
#include "workloads/nulls.h"
#include "workloads/prompt.h"

#define FIX EB_SOURCE_DIR "/tests/fixtures/import/"

static char parent[64], *out_dir;

static int setup(void **state)
{
    (void)state;
    strcpy(parent, "/tmp/eb-test-XXXXXX");
    assert_non_null(mkdtemp(parent));
    out_dir = eb_fs_join(parent, "suite");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (eb_fs_exists(out_dir))
        help_remove(out_dir);
    else
        free(out_dir);
    return rmdir(parent); /* fails if anything else was left there */
}

static int run(const char *set, const char *path, long long limit,
               struct eb_err *err)
{
    struct eb_import_options o = {path, out_dir, limit, 1};

    return eb_import_run(eb_importer_find(set), &o, NULL, err);
}

static void import(const char *set, const char *path, struct eb_suite *s)
{
    struct eb_err err = {0};

    if (run(set, path, 0, &err) != 0 || eb_suite_load(s, out_dir, &err) != 0)
        fail_msg("%s", err.msg);
}

static void check_clean(const struct eb_suite *s)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    int problems = eb_suite_check(s, f);

    fclose(f);
    if (problems > 0)
        fail_msg("%s", text);
    free(text);
}

/* The key of every item, which the check has graded, passes the grammar of
 * the item too: a held model can be right. */
static void check_grammar(const struct eb_suite *s, size_t step)
{
    size_t i, k;

    for (i = 0; i < s->n_levels; i++) {
        for (k = 0; k < s->levels[i].n_items; k += step) {
            struct eb_buf g = {0}, key = {0};
            struct eb_case c;

            assert_int_equal(eb_case_fill(&c, s, &s->levels[i],
                                          &s->levels[i].items[k],
                                          EB_PROMPT_CLEAR, 1, NULL),
                             0);
            eb_prompt_case_grammar(&c, &g);
            eb_null_key(&c, &key);
            if (cJSON_GetObjectItemCaseSensitive(c.gold, "any_call") == NULL &&
                key.len < SET_MAX && !accepts(g.data, key.data))
                fail_msg("%s: %s\nis not in\n%s", c.item->id, key.data, g.data);
            eb_case_free(&c);
            eb_buf_free(&g);
            eb_buf_free(&key);
        }
    }
}

/* Counts by level: "call 9, parallel 3". */
static void counts_are(const struct eb_suite *s, const char *want)
{
    struct eb_buf b = {0};
    size_t i;

    for (i = 0; i < s->n_levels; i++)
        eb_buf_addf(&b, "%s%s %zu", i > 0 ? ", " : "", s->levels[i].name,
                    s->levels[i].n_items);
    assert_string_equal(b.data, want);
    eb_buf_free(&b);
}

static const struct {
    const char *set, *counts;
    const char *notes[4]; /* in the README of the folder */
} sets[] = {
    {"bfcl",
     "call 9, parallel 3, turns 7",
     {"call: 1 items whose right answer their own functions do not allow",
      "1 rows in other languages", "turns: 1 turns whose values come from",
      "call: 1 items that say nearly the same"}},
    {"acebench",
     "call 12, several 6",
     {"1 agent tasks", "special sets: right is"}},
    {"crosswoz", "acts 8, goals 3", {"acts: 1 turns with values"}},
    {"star",
     "query 7",
     {"1 conversations that were cut off", "1 queries with other comparisons",
      "1 queries with values"}},
    {"tau",
     "retail 6, airline 6",
     {"retail: 1 tasks whose customer", "retail: 1 tasks with values",
      "retail: of 1 tasks the facts"}},
    {"tau2",
     "retail 7",
     {"retail: 1 tasks with assertions in plain language",
      "the domain telecom"}},
};

static void test_sets(void **state)
{
    size_t i, k;

    for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct eb_suite s = {0};
        char *path = eb_xasprintf(FIX "%s", sets[i].set), *readme;

        import(sets[i].set, path, &s);
        counts_are(&s, sets[i].counts);
        check_clean(&s);
        check_grammar(&s, 1);
        readme = help_read(out_dir, "README.md");
        for (k = 0; k < 4 && sets[i].notes[k] != NULL; k++) {
            if (strstr(readme, sets[i].notes[k]) == NULL)
                fail_msg("%s: no \"%s\" in %s", sets[i].set, sets[i].notes[k],
                         readme);
        }
        free(readme);
        free(path);
        eb_suite_free(&s);
        teardown(state);
        setup(state);
    }
}

/* The item of a level whose message holds a text, filled. */
static void find(const struct eb_suite *s, const char *level, const char *text,
                 struct eb_case *c)
{
    const struct eb_level *l = eb_suite_level(s, level);
    size_t i;

    for (i = 0; l != NULL && i < l->n_items; i++) {
        assert_int_equal(
            eb_case_fill(c, s, l, &l->items[i], EB_PROMPT_CLEAR, 1, NULL), 0);
        if (strstr(c->user, text) != NULL)
            return;
        eb_case_free(c);
    }
    fail_msg("no item says %s", text);
}

static void judged(const struct eb_suite *s, const char *level,
                   const char *text, const char *output, enum eb_outcome want)
{
    struct eb_result r;
    struct eb_case c;

    find(s, level, text, &c);
    eb_grade_case(&c, output, 0, &r);
    if (r.outcome != want)
        fail_msg("%s: %s: %s", c.item->id, output, r.detail);
    eb_case_free(&c);
}

static void test_bfcl(void **state)
{
    struct eb_suite s = {0};
    struct eb_case c;

    (void)state;
    import("bfcl", FIX "bfcl", &s);
    find(&s, "call", "Snow", &c);
    assert_non_null(strstr(c.user, "\"type\":\"object\""));
    assert_non_null(strstr(c.user, "\"type\":\"number\""));
    assert_null(strstr(c.user, "dict"));
    assert_null(strstr(c.user, "float"));
    assert_null(strstr(c.user, "tuple"));
    assert_null(strstr(c.user, "\"any\""));
    eb_case_free(&c);
    judged(&s, "call", "hall to 40",
           "{\"calls\":[{\"tool\":\"set_lamp\",\"args\":{\"room\":\"The "
           "Hall\",\"level\":40,\"color\":\"warm\"}}]}",
           EB_OUT_OK);
    judged(&s, "call", "Snow",
           "{\"calls\":[{\"tool\":\"mix.paint\",\"args\":{\"parts\":[1.5,2],"
           "\"label\":{\"title\":\"snow\",\"lang\":\"en\"}}}]}",
           EB_OUT_OK);
    judged(&s, "call", "3 litres",
           "{\"calls\":[{\"tool\":\"water_plants\",\"args\":{\"litres\":3,"
           "\"when\":null}}]}",
           EB_OUT_OK);
    judged(&s, "call", "3 litres",
           "{\"calls\":[{\"tool\":\"water_plants\",\"args\":{\"litres\":\"3\"}}"
           "]}",
           EB_OUT_WRONG);
    judged(&s, "call", "has been dry",
           "{\"calls\":[{\"tool\":\"water_plants\",\"args\":{\"litres\":9}}]}",
           EB_OUT_OK);
    judged(&s, "call", "has been dry", "{\"calls\":[]}", EB_OUT_WRONG);
    find(&s, "call", "has been dry", &c);
    assert_non_null(strstr(c.user, "system: You look after a garden."));
    eb_case_free(&c);
    /* several calls, in any order */
    judged(&s, "parallel", "Hall lamp to 10",
           "{\"calls\":[{\"tool\":\"set_lamp\",\"args\":{\"room\":\"attic\","
           "\"level\":20}},{\"tool\":\"set_lamp\",\"args\":{\"room\":\"hall\","
           "\"level\":10}}]}",
           EB_OUT_OK);
    /* values without names; a default said or not; functions kept back */
    judged(&s, "turns", "Put 20 litres in",
           "{\"calls\":[{\"tool\":\"fillTank\",\"args\":{\"litres\":20,"
           "\"full\":false}}]}",
           EB_OUT_OK);
    find(&s, "turns", "15 litres into the tank now", &c);
    assert_null(eb_calls_tool(c.tools, "fillTank"));
    assert_true(eb_calls_abstain(c.gold));
    eb_case_free(&c);
    find(&s, "turns", "More functions are there", &c);
    assert_non_null(eb_calls_tool(c.tools, "fillTank"));
    assert_non_null(strstr(c.user, "calls: none"));
    eb_case_free(&c);
    find(&s, "turns", "35 litres of fuel", &c);
    assert_null(eb_calls_tool(c.tools, "startEngine")); /* excluded */
    eb_case_free(&c);
    eb_suite_free(&s);
}

static void test_acebench(void **state)
{
    struct eb_suite s = {0};
    struct eb_case c;

    (void)state;
    import("acebench", FIX "acebench", &s);
    assert_int_equal(s.n_langs, 2);
    assert_int_equal(s.levels[0].paired, 0);
    judged(&s, "call", "Mr Kim",
           "{\"calls\":[{\"tool\":\"book_room\",\"args\":{\"guest\":\"Kim\","
           "\"nights\":1,\"period\":{\"start\":\"2025/03/01\"}}}]}",
           EB_OUT_OK);
    judged(&s, "call", "Sing me", "{\"calls\":[]}", EB_OUT_OK);
    judged(&s, "call", "tonight's guest",
           "{\"calls\":[{\"tool\":\"book_room\",\"args\":{\"guest\":\"x\","
           "\"nights\":1}}]}",
           EB_OUT_WRONG);
    find(&s, "call", "Zoe, four nights", &c);
    assert_non_null(strstr(c.user, "system: For whom, and how long?"));
    assert_non_null(strstr(c.user, "Request: Zoe, four nights\nand no"));
    eb_case_free(&c);
    find(&s, "call", "usual stay", &c);
    assert_non_null(strstr(c.user, "User profile: {'name': 'Lou'"));
    eb_case_free(&c);
    find(&s, "several", "Bob and for Eve", &c); /* book_room_1, _2 */
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(c.gold, "calls")),
        2);
    eb_case_free(&c);
    eb_suite_free(&s);
    help_remove(out_dir);
    out_dir = eb_fs_join(parent, "suite");
    import("acebench", FIX "acebench/data_zh/", &s);
    assert_int_equal(s.n_langs, 1);
    assert_string_equal(s.langs[0], "zh");
    eb_suite_free(&s);
}

static void test_others(void **state)
{
    struct eb_suite s = {0};

    import("crosswoz", FIX "crosswoz", &s);
    judged(&s, "acts", "请求：地址在哪儿",
           "{\"calls\":[{\"tool\":\"Request\",\"args\":{\"domain\":\"餐馆\","
           "\"slot\":\"地址\"}}]}",
           EB_OUT_OK);
    judged(&s, "goals", "门票免费",
           "{\"calls\":[{\"tool\":\"Near\",\"args\":{\"goal\":2,\"domain\":"
           "\"酒店\",\"of\":1}},{\"tool\":\"Constraint\",\"args\":{\"goal\":1,"
           "\"domain\":\"景点\",\"slot\":\"门票\",\"value\":\"免费\"}},{"
           "\"tool\":\"Constraint\",\"args\":{\"goal\":2,\"domain\":\"酒店\","
           "\"slot\":\"酒店设施-暖气\",\"value\":\"是\"}},{\"tool\":\"Ask\","
           "\"args\":{\"goal\":2,\"domain\":\"酒店\",\"slot\":\"电话\"}}]}",
           EB_OUT_OK);
    eb_suite_free(&s);
    teardown(state);
    setup(state);
    import("star", FIX "star", &s);
    judged(&s, "query", "I am Kai",
           "{\"calls\":[{\"tool\":\"doctor_visit\",\"args\":{\"Name\":\"Dr. "
           "Elm\",\"Day\":\"Tuesday\",\"Patient\":\"Kai\",\"RequestType\":"
           "\"Check\"}}]}",
           EB_OUT_OK);
    judged(&s, "query", "Oslo",
           "{\"calls\":[{\"tool\":\"weather_now\",\"args\":{\"City\":\"Oslo\","
           "\"Warm\":true}}]}",
           EB_OUT_OK);
    eb_suite_free(&s);
    teardown(state);
    setup(state);
    import("tau", FIX "tau", &s);
    /* items in the order of the record, whatever the task has */
    judged(&s, "retail", "blue kettle",
           "{\"calls\":[{\"tool\":\"exchange_delivered_order_items\",\"args\":{"
           "\"order_id\":\"#W1\",\"item_ids\":[\"901\",\"911\"],"
           "\"new_item_ids\":[\"902\",\"913\"],\"payment_method_id\":"
           "\"card_1\"}}]}",
           EB_OUT_OK);
    judged(&s, "retail", "broken door",
           "{\"calls\":[{\"tool\":\"transfer_to_human_agents\",\"args\":{}}]}",
           EB_OUT_OK);
    eb_suite_free(&s);
}

/* The same files and options give the same folder; a limit keeps fewer. */
static void test_limit(void **state)
{
    struct eb_suite s = {0};
    struct eb_err err = {0};
    char digest[EB_SHA256_HEX];

    import("bfcl", FIX "bfcl", &s);
    memcpy(digest, s.digest, sizeof(digest));
    eb_suite_free(&s);
    teardown(state);
    setup(state);
    import("bfcl", FIX "bfcl", &s);
    assert_string_equal(s.digest, digest);
    eb_suite_free(&s);
    teardown(state);
    setup(state);
    assert_int_equal(run("bfcl", FIX "bfcl", 3, &err), 0);
    assert_int_equal(eb_suite_load(&s, out_dir, &err), 0);
    counts_are(&s, "call 3, parallel 3, turns 3");
    eb_suite_free(&s);
}

/* Files, wrong in one place each */

static const struct {
    const char *set, *dir, *file;
    const char *from, *to; /* replaced; to NULL: the file is removed */
    const char *says;
} wrongs[] = {
    {"bfcl", "possible_answer", "BFCL_v4_simple_python.json", "", NULL,
     "possible_answer/BFCL_v4_simple_python.json: no such file; the answers"},
    {"bfcl", ".", "BFCL_v4_parallel.json", "\"function\": [",
     "\"function\": ", "BFCL_v4_parallel.json:1: line 1, column"},
    {"bfcl", ".", "BFCL_v4_irrelevance.json", "\"function\"", "\"functions\"",
     "BFCL_v4_irrelevance.json:1: expected id, question and function"},
    {"bfcl", "possible_answer", "BFCL_v4_simple_python.json",
     "\"simple_python_3\"", "\"simple_python_33\"",
     "BFCL_v4_simple_python.json:4: simple_python_3 has no answer"},
    {"bfcl", "possible_answer", "BFCL_v4_parallel.json", "[{\"set_lamp\"",
     "[3, {\"set_lamp\"", "a call is not {name: {...}}"},
    {"acebench", "data_en/possible_answer", "data_normal_preference.json", "",
     NULL, "data_normal_preference.json: no such file; the answers"},
    {"acebench", "data_zh", "data_normal_atom_number.json", "\"question\"",
     "\"query\"", "data_normal_atom_number.json:1: expected id, question"},
    {"acebench", "data_en/possible_answer",
     "data_normal_multi_turn_user_adjust.json", "{\"book_room\": {\"guest\"",
     "{\"book_room\": [1], \"x\": {\"guest\"", "no answer {function: {...}}"},
    {"crosswoz", ".", "test_slim.jsonl", "\"messages\"", "\"turns\"",
     "test_slim.jsonl:1: expected a conversation"},
    {"star", "dialogues", "3.json", "\"Events\"", "\"events\"",
     "3.json: expected a conversation with Events"},
    {"star", "apis/apis", "weather_now.json", "\"input\"", "\"in\"",
     "weather_now.json: expected an interface"},
    {"tau", "retail", "tasks_test.jsonl", "\"instruction\"", "\"text\"",
     "tasks_test.jsonl:1: expected instruction and actions"},
    {"tau", "airline", "wiki.md", "", NULL, "wiki.md"},
    {"tau", "retail", "tools.json", "\"function\": {", "\"f\": {",
     "expected a function with a name"},
    {"tau2", "retail", "tasks.json", "\"evaluation_criteria\"", "\"criteria\"",
     "tasks.json:1: expected user_scenario"},
    {"tau2", "retail", "db.json", "{", "[", "db.json: line"},
};

static void test_wrong(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        char work[] = "/tmp/eb-test-XXXXXX";
        char *from = eb_xasprintf(FIX "%s", wrongs[i].set), *dir, *path;
        struct eb_err err = {0};

        assert_non_null(mkdtemp(work));
        help_copy_tree(from, work);
        dir = eb_fs_join(work, wrongs[i].dir);
        path = eb_fs_join(dir, wrongs[i].file);
        if (wrongs[i].to == NULL)
            assert_int_equal(unlink(path), 0);
        else
            help_replace(dir, wrongs[i].file, wrongs[i].from, wrongs[i].to);
        assert_int_not_equal(run(wrongs[i].set, work, 0, &err), 0);
        if (strstr(err.msg, wrongs[i].says) == NULL)
            fail_msg("%zu: \"%s\" does not say \"%s\"", i, err.msg,
                     wrongs[i].says);
        assert_false(eb_fs_exists(out_dir));
        help_remove_tree(work);
        free(dir);
        free(path);
        free(from);
    }
}

static void test_nothing_there(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct eb_err err = {0};

        assert_int_equal(run(sets[i].set, "/nonexistent", 0, &err), EB_ENOENT);
        assert_non_null(strstr(err.msg, "/nonexistent"));
        assert_int_not_equal(run(sets[i].set, FIX "banking77", 0, &err), 0);
        assert_false(eb_fs_exists(out_dir));
    }
}

static void python_is(const char *text, const char *want)
{
    struct eb_buf b = {0};
    cJSON *values, *named;
    char *name, *a, *c;

    if (eb_python_call(text, &name, &values, &named) == 0) {
        a = cJSON_PrintUnformatted(values);
        c = cJSON_PrintUnformatted(named);
        eb_buf_addf(&b, "%s %s %s", name, a, c);
        free(a);
        free(c);
    }
    free(name);
    cJSON_Delete(values);
    cJSON_Delete(named);
    assert_string_equal(b.data != NULL ? b.data : "", want);
    eb_buf_free(&b);
}

static void test_python(void **state)
{
    (void)state;
    python_is("f()", "f [] {}");
    python_is(" a.b( 1, 'x\\'y', z = -2.5e1 ) ", "a.b [1,\"x'y\"] {\"z\":-25}");
    python_is(
        "f(a=[True, None, (1, 2)], b={'k': \"v\", 'n': [False,]})",
        "f [] {\"a\":[true,null,[1,2]],\"b\":{\"k\":\"v\",\"n\":[false]}}");
    python_is("f(a='北京, \"x\"')", "f [] {\"a\":\"北京, \\\"x\\\"\"}");
    python_is("f(a=b)", "");
    python_is("f(a=1", "");
    python_is("f(1) + 2", "");
    python_is("f('x", "");
    python_is("f(1+2)", "");
    python_is("f({'a' 1})", "");
    python_is("f([1 2])", "");
    python_is("(1)", "");
    python_is("Truest(Trues)", "");
    python_is("f([[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]])", "");
}

static void test_schema(void **state)
{
    static const char *const rows[][2] = {
        {"{\"type\":\"dict\",\"properties\":{\"a\":{\"type\":\"float\"}}}",
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}}}"},
        {"{\"type\":\"list(string)\"}",
         "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
        {"{\"type\":\"Array<int>\",\"description\":\"d\"}",
         "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"description\":"
         "\"d\"}"},
        {"{\"type\":\"tuple\",\"items\":{\"type\":\"any\"}}",
         "{\"type\":\"array\",\"items\":{}}"},
        {"{\"type\":[\"string\",\"null\"]}",
         "{\"type\":\"string\",\"default\":null}"},
        {"{\"type\":\"enum\",\"enum\":[\"a\"],\"required\":true}",
         "{\"type\":\"string\",\"enum\":[\"a\"]}"},
        {"{\"type\":\"Quaternion\",\"enum\":[]}", "{}"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cJSON *v = cJSON_Parse(rows[i][0]), *out = eb_calls_schema(v);
        char *text = cJSON_PrintUnformatted(out);

        assert_string_equal(text, rows[i][1]);
        free(text);
        cJSON_Delete(v);
        cJSON_Delete(out);
    }
}

/* The published files, where they are at hand. */
static void test_shared(void **state)
{
    static const char *const names[][3] = {
        {"bfcl", "bfcl", "call 1103, parallel 434, turns 947"},
        {"tau", "tau_bench", "retail 92, airline 49"},
        {"crosswoz", "crosswoz", NULL},
    };
    const char *shared = getenv("EB_SHARED_DATA");
    size_t i;

    if (shared == NULL)
        skip();
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = eb_fs_join(shared, names[i][1]);
        struct eb_suite s = {0};

        if (eb_fs_exists(path)) {
            import(names[i][0], path, &s);
            if (names[i][2] != NULL)
                counts_are(&s, names[i][2]);
            check_clean(&s);
            check_grammar(&s, 7);
            eb_suite_free(&s);
            teardown(state);
            setup(state);
        }
        free(path);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sets),          TEST(test_bfcl),   TEST(test_acebench),
        TEST(test_others),        TEST(test_limit),  TEST(test_wrong),
        TEST(test_nothing_there), TEST(test_python), TEST(test_schema),
        TEST(test_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
