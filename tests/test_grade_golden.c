/* Graders against hand-checked outputs: tests/golden/grade/<grader>.jsonl.
 * A line with "gold" or "gold_calls" defines a case, other names are items of
 * custsvc. Every other line has an "output" ("hex" where JSON cannot hold its
 * bytes, "turns" for a conversation), the expected outcome and why. The rules
 * are those of workloads/JOB.md; expectations were written before the graders
 * ran. */
#include "tests/workloads_help.h"
#include "workloads/dialog.h"
#include "workloads/grade.h"

#define GOLDEN_ROWS_MIN 50

static struct eb_suite mini, jobs, custsvc;

/* No fixture has a field of type set. */
static const char *tag_values[] = {"late", "damaged", "missing", "破损"};
static const char *lang_values[] = {"en", "zh"};
static struct eb_field tag_fields[] = {
    {.name = "tags", .type = EB_FIELD_SET, .values = tag_values, .n_values = 4},
    {.name = "lang",
     .type = EB_FIELD_ENUM,
     .values = lang_values,
     .n_values = 2},
};
static const struct eb_level tags = {
    .name = "tags",
    .kind = EB_KIND_JSON,
    .fields = tag_fields,
    .n_fields = 2,
};

static int load(void **state)
{
    (void)state;
    assert_int_equal(eb_suite_load(&mini, HELP_MINI, NULL), 0);
    assert_int_equal(
        eb_suite_load(&jobs, EB_SOURCE_DIR "/tests/fixtures/job-calls", NULL),
        0);
    assert_int_equal(
        eb_suite_load(&custsvc, EB_SOURCE_DIR "/workloads/custsvc", NULL), 0);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    eb_suite_free(&mini);
    eb_suite_free(&jobs);
    eb_suite_free(&custsvc);
    return 0;
}

static const struct eb_level *level_of(const char *name)
{
    const struct eb_level *level = eb_suite_level(&mini, name);

    if (strcmp(name, tags.name) == 0)
        return &tags;
    if (level == NULL)
        level = eb_suite_level(&jobs, name);
    return level != NULL ? level : eb_suite_level(&custsvc, name);
}

static void case_of(struct eb_case *c, cJSON *def)
{
    memset(c, 0, sizeof(*c));
    c->level = level_of(eb_json_get_str(def, "level", ""));
    assert_non_null(c->level);
    c->filled = def;
    c->gold = cJSON_GetObjectItemCaseSensitive(def, "gold");
    c->comparators = cJSON_GetObjectItemCaseSensitive(def, "comparators");
    c->must = cJSON_GetObjectItemCaseSensitive(def, "must");
    c->must_not = cJSON_GetObjectItemCaseSensitive(def, "must_not");
    c->tools = cJSON_GetObjectItemCaseSensitive(def, "tools");
}

/* The bytes of a row's output; free with free(). */
static char *output_of(const cJSON *row)
{
    const char *hex = eb_json_get_str(row, "hex", NULL);
    const char *text = eb_json_get_str(row, "output", NULL);
    char pair[3] = "";
    size_t n, i;
    char *out;

    if (hex == NULL) {
        assert_non_null(text);
        return eb_xstrdup(text);
    }
    n = strlen(hex) / 2;
    out = eb_xcalloc(n + 1, 1);
    for (i = 0; i < n; i++) {
        memcpy(pair, hex + 2 * i, 2);
        out[i] = (char)strtoul(pair, NULL, 16);
    }
    return out;
}

/* An item of custsvc; must_not must not stop natural right answers. */
static void item_of(struct eb_case *c, const char *id)
{
    const struct eb_level *level = eb_suite_level(&custsvc, "answer");
    size_t i;

    for (i = 0; i < level->n_items; i++) {
        if (strcmp(level->items[i].id, id) == 0)
            break;
    }
    if (i == level->n_items)
        fail_msg("no case or item %s", id);
    assert_int_equal(eb_case_fill(c, &custsvc, level, &level->items[i],
                                  EB_PROMPT_CLEAR, 1, NULL),
                     0);
}

static void play(struct eb_case *c, const cJSON *row, struct eb_result *r)
{
    int truncated = cJSON_HasObjectItem(row, "truncated");
    const cJSON *turn = cJSON_GetObjectItem(row, "turns")->child;
    struct eb_dialog d;

    c->user = eb_xstrdup(eb_json_get_str(c->filled, "message", ""));
    assert_int_equal(eb_dialog_open(c, &d), 0);
    while (turn != NULL && eb_dialog_step(&d, turn->valuestring, truncated))
        turn = turn->next;
    eb_dialog_result(&d, r);
    /* A row that ends well says all its turns. */
    if (r->outcome == EB_OUT_OK)
        assert_true(turn != NULL && turn->next == NULL);
    eb_dialog_close(&d);
    free(c->user);
}

static int judge(cJSON *def, const cJSON *row)
{
    const char *expect = eb_json_get_str(row, "expect", "");
    const char *why = eb_json_get_str(row, "why", NULL);
    int critical = cJSON_HasObjectItem(row, "critical");
    struct eb_result r;
    struct eb_case c;
    char *output;

    assert_non_null(why);
    if (def != NULL)
        case_of(&c, def);
    else
        item_of(&c, eb_json_get_str(row, "case", ""));
    memset(&r, 'x', sizeof(r));
    if (cJSON_HasObjectItem(row, "turns")) {
        play(&c, row, &r);
    } else {
        output = output_of(row);
        eb_grade_case(&c, output, cJSON_HasObjectItem(row, "truncated"), &r);
        free(output);
    }
    if (def == NULL) {
        eb_case_free(&c);
        critical = r.critical; /* which of both is not said there */
    }
    if (strcmp(eb_outcome_name(r.outcome), expect) == 0 &&
        r.critical == critical &&
        (r.outcome == EB_OUT_OK) == (r.detail[0] == '\0'))
        return 0;
    printf("%s: %s\n  is %s%s \"%s\", not %s%s\n",
           eb_json_get_str(row, "case", ""), why, eb_outcome_name(r.outcome),
           r.critical ? " (critical)" : "", r.detail, expect,
           critical ? " (critical)" : "");
    return 1;
}

static void run_golden(void **state)
{
    char *text = help_read(EB_SOURCE_DIR "/tests/golden/grade", *state);
    cJSON *defs = cJSON_CreateObject(), *row, *def;
    int bad = 0, rows = 0;
    char *line, *save = NULL;

    for (line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        const char *id;

        row = cJSON_Parse(line);
        id = eb_json_get_str(row, "case", NULL);
        assert_non_null(id);
        if (cJSON_HasObjectItem(row, "gold") ||
            cJSON_HasObjectItem(row, "gold_calls")) {
            cJSON_AddItemToObject(defs, id, row);
            continue;
        }
        def = cJSON_GetObjectItemCaseSensitive(defs, id);
        bad += judge(def, row);
        rows++;
        cJSON_Delete(row);
    }
    cJSON_Delete(defs);
    free(text);
    assert_int_equal(bad, 0);
    assert_true(rows >= GOLDEN_ROWS_MIN);
}

#define GOLDEN(grader)                                                         \
    {                                                                          \
        .name = grader, .test_func = run_golden,                               \
        .initial_state = grader ".jsonl"                                       \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOLDEN("triage"), GOLDEN("set"),   GOLDEN("act"),     GOLDEN("answer"),
        GOLDEN("calls"),  GOLDEN("agent"), GOLDEN("custsvc"),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
