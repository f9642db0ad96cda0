/* Loading a job folder, its complaints, and filling cases. */
#include "tests/workloads_help.h"

static void load_mini(struct eb_suite *s)
{
    struct eb_err err = {0};

    if (eb_suite_load(s, HELP_MINI, &err) != 0)
        fail_msg("%s", err.msg);
}

static void test_load(void **state)
{
    struct eb_suite s;
    const struct eb_level *l;

    (void)state;
    load_mini(&s);
    assert_string_equal(s.name, "job-mini");
    assert_string_equal(s.version, "0.2.1");
    assert_int_equal(s.n_levels, 5);
    assert_int_equal(s.n_langs, 2);
    assert_int_equal(s.today, 20514); /* 2026-03-02 */
    assert_int_equal(strlen(s.digest), 64);
    l = eb_suite_level(&s, "act");
    assert_non_null(l);
    assert_int_equal(l->kind, EB_KIND_TOOLCALL);
    assert_true(l->bar == 0.75);
    assert_int_equal(l->n_tools, 5);
    assert_int_equal(eb_level_tool(l, "create_ticket")->args[1].nullable, 1);
    assert_null(eb_level_tool(l, "drop_table"));
    assert_string_equal(l->prompts[EB_PROMPT_VAGUE][1], "把事办了。");
    l = eb_suite_level(&s, "talk");
    assert_int_equal(l->n_items, 2);
    assert_int_equal(l->items[1].line, 2);
    assert_null(eb_suite_level(&s, "sing"));
    eb_suite_free(&s);
    eb_suite_free(&s);
    eb_suite_free(NULL);
}

/* One edit of the mini job, and what loading it must say. */
struct broken {
    const char *file, *from, *to;
    int code;
    const char *says;
};

static const struct broken broken_rows[] = {
    {"job.json", "\"bar\": 0.7,", "\"bar\": 7,", EB_EINVAL,
     "job.json:29: $.levels[0].bar: expected"},
    {"job.json", "\"bar\": 0.8,\n      \"why\": \"A wrong one is believed",
     "\"bar\": \"0.8\",\n      \"why\": \"A wrong one is believed", EB_EINVAL,
     "job.json:96: $.levels[3].bar: expected a number"},
    {"job.json", "\"alpha\": 0.05,", "\"alhpa\": 0.05,", EB_EINVAL,
     "$.levels[0]: \"alpha\" is missing"},
    {"job.json", "\"max_tokens\": 48,", "\"max_tokens\": 48, \"temp\": 1,",
     EB_EINVAL, "job.json:33: $.levels[0].temp: unknown field"},
    {"job.json", "\"kind\": \"json\"", "\"kind\": \"vibes\"", EB_EINVAL,
     "\"vibes\" is not json, toolcall"},
    {"job.json", "edgebench.job/1", "edgebench.job/2", EB_EVERSION,
     "this program reads edgebench.job/1"},
    {"job.json", "\"type\": \"bool\"", "\"type\": \"boolean\"", EB_EINVAL,
     "$.levels[0].fields[3].type: unknown type \"boolean\""},
    {"job.json", "\"digits\": 6}", "\"digits\": 0}", EB_EINVAL,
     "job.json:11: $.tools[0].args[0].digits: expected a whole number"},
    {"job.json", "[\"lookup_order\", \"create_ticket\"]", "[\"sing\"]",
     EB_EINVAL, "\"sing\" is not in $.tools"},
    {"job.json", "\"0.2.1\"", "\"0.2\"", EB_EINVAL,
     "job.json:4: $.version: expected major.minor.patch"},
    {"job.json", "2026-03-02", "2026-02-30", EB_EINVAL, "$.today"},
    {"job.json", "\"ttft_p95_ms\": 2000", "\"ttft_p95_ms\": -1", EB_EINVAL,
     "$.service_bars.ttft_p95_ms: expected a number above 0"},
    {"job.json", "\"zh\": \"测试用的工作\"", "\"fr\": \"x\"", EB_EINVAL,
     "$.title: \"zh\" is missing"},
    {"job.json", "\"items-sort.jsonl\"", "\"../items-sort.jsonl\"", EB_EINVAL,
     "$.levels[0].items: expected a file name without a folder"},
    {"job.json", "\"languages\": [\"en\", \"zh\"],", "\"languages\": [],",
     EB_EINVAL, "$.languages: expected at least one"},
    {"job.json", "prompt-vague.en.txt", "prompt-lost.en.txt", EB_ENOENT,
     "prompt-lost.en.txt"},
    {"job.json", "\"name\": \"extract\"", "\"name\": \"sort\"", EB_EINVAL,
     "$.levels[1]"},
    {"job.json", "\"levels\": [", "\"levels\": [,", EB_EPARSE, "job.json"},
    {"prompt-vague.zh.txt", "把事办了。\n", "\n", EB_EINVAL,
     "prompt-vague.zh.txt:1: the prompt is empty"},
    {"items-sort.jsonl", "\"lang\":\"zh\"", "\"lang\":\"fr\"", EB_EINVAL,
     "items-sort.jsonl:2: $.lang: \"fr\""},
    {"items-sort.jsonl", "sort-001-zh", "sort-002-zh", EB_EINVAL,
     "items-sort.jsonl:2: $.id: expected \"sort-001-zh\""},
    {"items-sort.jsonl", "\"capability\":\"intent\"",
     "\"capability\":\"magic\"", EB_EINVAL,
     "items-sort.jsonl:1: $.capability: \"magic\""},
    {"items-sort.jsonl", "\"prompt\":", "\"hint\":1,\"prompt\":", EB_EINVAL,
     "items-sort.jsonl:1: $.hint: unknown field"},
    {"items-sort.jsonl", "\"urgency\":\"normal\"", "\"urgency\":\"soon\"",
     EB_EINVAL, "items-sort.jsonl:1: $.gold: urgency: \"soon\""},
    {"items-sort.jsonl", ",\"escalate\":false", "", EB_EINVAL,
     "items-sort.jsonl:1: $.gold: escalate: missing"},
    {"items-sort.jsonl", "${who}", "${whom}", EB_EINVAL,
     "items-sort.jsonl:1: $.slots.who: ${who} is not used"},
    {"items-sort.jsonl", "Please cancel ${oid}", "Please ${x} cancel ${oid}",
     EB_EINVAL, "items-sort.jsonl:1: $: \"${x}"},
    {"items-sort.jsonl", "\"order_id\"", "\"orderid\"", EB_EINVAL,
     "items-sort.jsonl:1: $.slots.oid: unknown generator"},
    {"items-sort.jsonl", "\"en\",\"urgency\"", "\"en\",,\"urgency\"", EB_EPARSE,
     "items-sort.jsonl:1"},
    {"items-sort.jsonl", "{\"message\":\"Please",
     "{\"passage\":\"p\",\"message\":\"Please", EB_EINVAL,
     "items-sort.jsonl:1: $.prompt.passage: sort has no place for it"},
    {"items-act.jsonl", "\"tool\":\"change_address\"", "\"tool\":\"delete\"",
     EB_EINVAL, "items-act.jsonl:1: $.comparators.args.address"},
    {"items-act.jsonl", "\"order_id\":\"${oid}\"", "\"order_id\":\"4711\"",
     EB_EINVAL,
     "items-act.jsonl:1: $.gold.args: order_id: \"4711\" is not "
     "LK and 6 digits"},
    {"items-act.jsonl", "\"args.address\":\"fold\"",
     "\"args.address\":\"fuzzy\"", EB_EINVAL,
     "$.comparators.args.address: expected exact"},
    {"items-act.jsonl", "\"args.address\":\"fold\"",
     "\"args.address\":\"any_of\"", EB_EINVAL, "any_of needs an array"},
    {"items-answer.jsonl", "\"passage\"", "\"passages\"", EB_EINVAL,
     "items-answer.jsonl:1: $.prompt: \"passage\" is missing"},
    {"items-answer.jsonl", "{\"source\":\"returns\"}", "{\"src\":\"returns\"}",
     EB_EINVAL, "items-answer.jsonl:1: $.gold: \"source\" is missing"},
    {"items-answer.jsonl", "[[\"${n} days\",\"${n}-day\"]]", "[\"${n} days\"]",
     EB_EINVAL, "items-answer.jsonl:1: $.must[0]"},
    {"items-answer.jsonl", "int:10:60:5", "int:60:10", EB_EINVAL,
     "$.slots.n: unknown generator"},
    {"items-talk.jsonl", "${oid}?", "${order}?", EB_EINVAL,
     "items-talk.jsonl:1: $: \"${order}"},
};

static void test_broken(void **state)
{
    size_t i;
    int bad = 0;

    (void)state;
    for (i = 0; i < sizeof(broken_rows) / sizeof(broken_rows[0]); i++) {
        const struct broken *b = &broken_rows[i];
        char *dir = help_copy(HELP_MINI);
        struct eb_suite s;
        struct eb_err err = {0};
        int rc;

        help_replace(dir, b->file, b->from, b->to);
        rc = eb_suite_load(&s, dir, &err);
        if (rc == 0)
            eb_suite_free(&s);
        if (rc != b->code || strstr(err.msg, b->says) == NULL)
            bad += printf("%s -> %s: %d \"%s\", expected %d \"%s\"\n", b->from,
                          b->to, rc, err.msg, b->code, b->says);
        help_remove(dir);
    }
    assert_int_equal(bad, 0);
}

static void test_items_form(void **state)
{
    char *dir = help_copy(HELP_MINI), *text, *twice;
    struct eb_suite s;
    struct eb_err err = {0};

    (void)state;
    text = help_read(dir, "items-talk.jsonl");
    twice = eb_xasprintf("%s%s", text, text);
    help_write(dir, "items-talk.jsonl", twice);
    assert_int_equal(eb_suite_load(&s, dir, &err), EB_EINVAL);
    assert_non_null(
        strstr(err.msg, "items-talk.jsonl:3: $.id: \"talk-001-en\" stands"));
    text[strlen(text) - 1] = '\0';
    help_write(dir, "items-talk.jsonl", text);
    assert_int_equal(eb_suite_load(&s, dir, &err), EB_EINVAL);
    assert_non_null(strstr(err.msg, "no line end"));
    help_write(dir, "items-talk.jsonl", "\n");
    assert_int_equal(eb_suite_load(&s, dir, &err), EB_EINVAL);
    assert_non_null(strstr(err.msg, "items-talk.jsonl:1: $: empty line"));
    help_write(dir, "items-talk.jsonl", "");
    assert_int_equal(eb_suite_load(&s, dir, &err), 0);
    assert_int_equal(eb_suite_level(&s, "talk")->n_items, 0);
    eb_suite_free(&s);
    free(text);
    free(twice);
    help_remove(dir);
}

static void test_digest(void **state)
{
    char *dir = help_copy(HELP_MINI);
    struct eb_suite a, b;

    (void)state;
    load_mini(&a);
    assert_int_equal(eb_suite_load(&b, dir, NULL), 0);
    assert_string_equal(a.digest, b.digest); /* the folder's name is no part */
    eb_suite_free(&b);
    help_write(dir, "notes.txt", "not named in job.json");
    assert_int_equal(eb_suite_load(&b, dir, NULL), 0);
    assert_string_equal(a.digest, b.digest);
    eb_suite_free(&b);
    help_replace(dir, "prompt-vague.en.txt", "job", "task");
    assert_int_equal(eb_suite_load(&b, dir, NULL), 0);
    assert_string_not_equal(a.digest, b.digest);
    eb_suite_free(&b);
    eb_suite_free(&a);
    help_remove(dir);
}

static void test_find(void **state)
{
    struct eb_err err = {0};
    char *dir = NULL, **names;
    size_t n, i;
    int found = 0;

    (void)state;
    unsetenv("EDGEBENCH_DATA");
    assert_int_equal(eb_suite_find("custsvc", &dir, &err), 0);
    assert_non_null(strstr(dir, "/custsvc"));
    free(dir);
    assert_int_equal(eb_suite_find("custsv", &dir, &err), EB_ENOENT);
    assert_non_null(strstr(err.msg, "known: "));
    assert_non_null(strstr(err.msg, "custsvc"));
    assert_int_equal(eb_suite_find("job-mini", &dir, &err), EB_ENOENT);
    setenv("EDGEBENCH_DATA", EB_SOURCE_DIR "/tests/fixtures", 1);
    assert_int_equal(eb_suite_find("job-mini", &dir, &err), 0);
    assert_string_equal(dir, HELP_MINI);
    free(dir);
    eb_suite_names(&names, &n);
    for (i = 0; i < n; i++)
        found += strcmp(names[i], "job-mini") == 0 ||
                 strcmp(names[i], "custsvc") == 0;
    assert_int_equal(found, 2);
    eb_fs_list_free(names, n);
    unsetenv("EDGEBENCH_DATA");
}

static const struct eb_item *item_of(const struct eb_level *l, const char *lang)
{
    return strcmp(l->items[0].lang, lang) == 0 ? &l->items[0] : &l->items[1];
}

static void fill(struct eb_case *c, const struct eb_suite *s, const char *level,
                 const char *lang, uint64_t seed)
{
    const struct eb_level *l = eb_suite_level(s, level);
    struct eb_err err = {0};

    if (eb_case_fill(c, s, l, item_of(l, lang), EB_PROMPT_CLEAR, seed, &err))
        fail_msg("%s", err.msg);
}

static void test_case_same_seed(void **state)
{
    struct eb_suite s;
    struct eb_case a, b;

    (void)state;
    load_mini(&s);
    fill(&a, &s, "act", "en", 7);
    fill(&b, &s, "act", "en", 7);
    assert_string_equal(a.user, b.user);
    assert_true(cJSON_Compare(a.filled, b.filled, 1));
    eb_case_free(&b);
    fill(&b, &s, "act", "en", 8);
    assert_string_not_equal(a.user, b.user);
    eb_case_free(&b);
    eb_case_free(&a);
    /* The numbers are a promise: records of one seed stay comparable. */
    fill(&a, &s, "sort", "en", 1);
    fill(&b, &s, "sort", "zh", 1);
    assert_string_equal(a.user, "Please cancel LK870503, says Anna.");
    assert_string_equal(b.user, "我是晓梅，请取消LK870503。");
    eb_case_free(&a);
    eb_case_free(&b);
    eb_suite_free(&s);
}

/* The first run of digits after a text. */
static long number_after(const char *text, const char *mark)
{
    const char *p = strstr(text, mark);

    assert_non_null(p);
    p += strlen(mark);
    return strtol(p + strcspn(p, "0123456789"), NULL, 10);
}

static void test_case_pair(void **state)
{
    struct eb_suite s;
    struct eb_case en, zh;
    uint64_t seed;

    (void)state;
    load_mini(&s);
    for (seed = 1; seed <= 200; seed++) {
        fill(&en, &s, "answer", "en", seed);
        fill(&zh, &s, "answer", "zh", seed);
        assert_int_equal(number_after(en.user, "within "),
                         number_after(zh.user, "可在"));
        assert_int_equal(number_after(en.user, "[gifts]"),
                         number_after(zh.user, "[gifts]"));
        assert_int_equal(number_after(en.user, "within ") % 5, 0);
        eb_case_free(&en);
        eb_case_free(&zh);
        fill(&en, &s, "act", "en", seed);
        fill(&zh, &s, "act", "zh", seed);
        assert_int_equal(number_after(en.user, "Note: "),
                         number_after(zh.user, "备注："));
        assert_true(number_after(en.user, "Note: ") >= 100000);
        eb_case_free(&en);
        eb_case_free(&zh);
    }
    eb_suite_free(&s);
}

static void test_case_texts(void **state)
{
    struct eb_suite s;
    struct eb_case c;
    const cJSON *v;

    (void)state;
    load_mini(&s);
    fill(&c, &s, "act", "en", 3);
    assert_memory_equal(c.user, "Note: LK", 8);
    assert_non_null(strstr(c.user, "\n\nMessage: Send LK"));
    assert_null(strchr(c.user, '$'));
    v = cJSON_GetObjectItem(cJSON_GetObjectItem(c.gold, "args"), "address");
    assert_non_null(strstr(c.user, v->valuestring));
    assert_non_null(strstr(c.system, "precisely"));
    eb_case_free(&c);
    fill(&c, &s, "answer", "zh", 3);
    assert_memory_equal(c.user, "[returns] 商品", 16);
    assert_non_null(strstr(c.user, "个月。\n\n多少天内"));
    eb_case_free(&c);
    fill(&c, &s, "talk", "en", 3); /* opaque, but filled */
    v = cJSON_GetArrayItem(cJSON_GetObjectItem(c.filled, "script"), 0);
    v = cJSON_GetObjectItem(v, "customer");
    assert_memory_equal(v->valuestring, "Where is LK", 11);
    assert_null(c.gold);
    eb_case_free(&c);
    eb_case_free(NULL);
    eb_suite_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_items_form),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_case_same_seed),
        cmocka_unit_test(test_case_pair),
        cmocka_unit_test(test_case_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
