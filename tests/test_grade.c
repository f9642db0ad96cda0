/* Graders against hand-checked outputs (tests/golden/grade-*.jsonl): a line
 * with "gold" defines a case of the mini job, a line with "output" says how
 * that output is judged and what the detail holds. */
#include "tests/workloads_help.h"
#include "workloads/grade.h"
#include "workloads/schema.h"

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

static void case_of(struct eb_case *c, const cJSON *def)
{
    const char *level = eb_json_get_str(def, "level", "");

    memset(c, 0, sizeof(*c));
    c->suite = &suite;
    c->level = eb_suite_level(&suite, level);
    assert_non_null(c->level);
    c->gold = cJSON_GetObjectItem(def, "gold");
    c->comparators = cJSON_GetObjectItem(def, "comparators");
    c->must = cJSON_GetObjectItem(def, "must");
    c->must_not = cJSON_GetObjectItem(def, "must_not");
}

static int judge(const cJSON *def, const cJSON *row)
{
    const char *output = eb_json_get_str(row, "output", NULL);
    const char *outcome = eb_json_get_str(row, "outcome", NULL);
    const char *detail = eb_json_get_str(row, "detail", "");
    struct eb_result result;
    struct eb_case c;

    assert_non_null(output);
    assert_non_null(outcome);
    case_of(&c, def);
    memset(&result, 'x', sizeof(result));
    eb_grade_case(&c, output, cJSON_HasObjectItem(row, "truncated"), &result);
    if (strcmp(eb_outcome_name(result.outcome), outcome) == 0 &&
        strstr(result.detail, detail) != NULL &&
        (result.outcome == EB_OUT_OK) == (result.detail[0] == '\0'))
        return 0;
    printf("%s\n  is %s \"%s\"\n  not %s \"%s\"\n", output,
           eb_outcome_name(result.outcome), result.detail, outcome, detail);
    return 1;
}

static void run_golden(const char *name)
{
    char *text = help_read(EB_SOURCE_DIR "/tests/golden", name);
    cJSON *defs = cJSON_CreateObject(), *row;
    int bad = 0, rows = 0;
    char *line, *save = NULL;

    for (line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        const char *id;

        row = cJSON_Parse(line);
        id = eb_json_get_str(row, "case", NULL);
        assert_non_null(id);
        if (cJSON_HasObjectItem(row, "gold")) {
            cJSON_AddItemToObject(defs, id, row);
            continue;
        }
        assert_true(cJSON_HasObjectItem(defs, id));
        bad += judge(cJSON_GetObjectItemCaseSensitive(defs, id), row);
        rows++;
        cJSON_Delete(row);
    }
    cJSON_Delete(defs);
    free(text);
    assert_int_equal(bad, 0);
    assert_true(rows >= 30);
}

static void test_json(void **state)
{
    (void)state;
    run_golden("grade-json.jsonl");
}

static void test_toolcall(void **state)
{
    (void)state;
    run_golden("grade-toolcall.jsonl");
}

static void test_grounded(void **state)
{
    (void)state;
    run_golden("grade-grounded.jsonl");
}

static void test_dialog_is_not_ours(void **state)
{
    struct eb_case c = {0};
    struct eb_result r;

    (void)state;
    c.suite = &suite;
    c.level = eb_suite_level(&suite, "talk");
    eb_grade_case(&c, "{\"say\":\"hello\"}", 0, &r);
    assert_int_equal(r.outcome, EB_OUT_HARNESS_ERROR);
}

/* Details are cut at a whole character and always fit. */
static void test_long_detail(void **state)
{
    struct eb_buf out = {0};
    cJSON *gold = cJSON_Parse("{\"source\":null}");
    cJSON *must_not = cJSON_CreateArray();
    struct eb_case c = {0};
    struct eb_result r;
    int shift, i;

    (void)state;
    c.suite = &suite;
    c.level = eb_suite_level(&suite, "answer");
    c.gold = gold;
    c.must_not = must_not;
    for (shift = 0; shift < 3; shift++) {
        const char *p = r.detail;

        eb_buf_reset(&out);
        for (i = 0; i < shift; i++)
            eb_buf_addc(&out, 'a');
        for (i = 0; i < 100; i++)
            eb_buf_adds(&out, "云");
        cJSON_AddItemToArray(must_not, cJSON_CreateString(out.data));
        eb_grade_case(&c, out.data, 0, &r);
        assert_int_equal(r.outcome, EB_OUT_WRONG);
        while (*p != '\0') {
            unsigned lead = (unsigned char)*p;
            int n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : 3;

            for (i = 1; i < n; i++)
                assert_int_equal(p[i] & 0xC0, 0x80);
            p += n;
        }
    }
    cJSON_Delete(gold);
    cJSON_Delete(must_not);
    eb_buf_free(&out);
}

/* Whatever comes out of a model, a grader ends and says something. */
static void test_hostile(void **state)
{
    static const char *const parts[] = {
        "{",       "}",        "[",    "]",      "\"",  "\\",
        "<think>", "</think>", ":",    ",",      "```", "\n",
        "LK",      "null",     "\xFF", "云",     "{}",  "\"tool\"",
        "1e999",   "\\u0000",  " ",    "\\ud800"};
    static const char *const levels[] = {"sort", "act", "answer"};
    cJSON *must_not = cJSON_Parse("[\"LK\",\"云\"]");
    cJSON *golds = cJSON_Parse("{\"sort\":{\"intent\":\"cancel\"},\"act\":"
                               "{\"tool\":\"none\",\"args\":{}},\"answer\":"
                               "{\"source\":null}}");
    uint32_t x = 12345;
    int round, i;

    (void)state;
    for (round = 0; round < 20000; round++) {
        struct eb_buf out = {0};
        struct eb_case c = {0};
        struct eb_result r;

        eb_buf_adds(&out, "");
        for (i = 0; i < 12; i++) {
            x = x * 1664525u + 1013904223u;
            eb_buf_adds(&out,
                        parts[(x >> 16) % (sizeof(parts) / sizeof(*parts))]);
        }
        c.suite = &suite;
        c.level = eb_suite_level(&suite, levels[round % 3]);
        c.gold = cJSON_GetObjectItem(golds, levels[round % 3]);
        c.must_not = must_not;
        eb_grade_case(&c, out.data, round % 2, &r);
        assert_true(r.outcome <= EB_OUT_TRUNCATED);
        eb_buf_free(&out);
    }
    cJSON_Delete(must_not);
    cJSON_Delete(golds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_toolcall),
        cmocka_unit_test(test_grounded),
        cmocka_unit_test(test_dialog_is_not_ours),
        cmocka_unit_test(test_long_detail),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, load_mini, free_mini);
}
