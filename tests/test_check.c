/* The suite check: a made-up suite without problems, one with each problem,
 * and the shipped suites. */
#include "tests/workloads_help.h"
#include "workloads/check.h"

#define GEN_PAIRS 40

/* Words of their own for every item, so that no two are alike. */
static void gen_words(char *out, size_t size, const char *level, int i, int zh)
{
    struct eb_buf b = {0};
    int k;

    for (k = 0; k < 6; k++) {
        if (zh)
            eb_buf_addf(&b, "%c%c%c", 0xE5, 0x80 + (i * 6 + k) / 64 + 2,
                        0x80 + (i * 6 + k) % 64);
        else
            eb_buf_addf(&b, "%sw%dx%d ", level, i, k);
    }
    snprintf(out, size, "%s", b.data);
    eb_buf_free(&b);
}

static void gen_sort(struct eb_buf *b, int i, const char *lang)
{
    static const char *const intents[] = {"cancel", "cancel_order",
                                          "order_status", "damaged_item",
                                          "out_of_scope"};
    static const char *const urgency[] = {"low", "normal", "high"};

    eb_buf_addf(b,
                "\"gold\":{\"intent\":\"%s\",\"language\":\"%s\",\"urgency\":"
                "\"%s\",\"escalate\":%s}",
                intents[i % 5], lang, urgency[i / 5 % 3],
                i % 7 == 0 ? "true" : "false");
}

static void gen_act(struct eb_buf *b, int i, const char *lang)
{
    static const char *const golds[] = {
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"${oid}\"}}",
        "{\"tool\":\"refund\",\"args\":{\"order_id\":\"${oid}\",\"reason\":"
        "\"late\"}}",
        "{\"tool\":\"change_address\",\"args\":{\"order_id\":\"${oid}\","
        "\"address\":\"%s\"}}",
        "{\"tool\":\"create_ticket\",\"args\":{\"topic\":\"fraud\","
        "\"order_id\":\"${oid}\"}}",
        "{\"tool\":\"none\",\"args\":{}}"};

    eb_buf_adds(b, "\"slots\":{\"oid\":\"order_id\"},\"gold\":");
    eb_buf_addf(b, i % 5 == 2 ? golds[2] : "%s",
                i % 5 == 2 ? (lang[0] == 'z' ? "花园路1号" : "1 Garden Ave")
                           : golds[i % 5]);
}

static void gen_answer(struct eb_buf *b, int i)
{
    static const char *const sources[] = {"\"first\"", "\"second\"", "null"};

    eb_buf_addf(b, "\"gold\":{\"source\":%s}", sources[i % 3]);
    if (i % 3 < 2)
        eb_buf_addf(b, ",\"must\":[[\"%d\"]]", 1000 + i % 3);
}

static void gen_item(struct eb_buf *b, const char *level, const char *cap,
                     int i, const char *lang)
{
    char words[256];
    int zh = lang[0] == 'z';

    gen_words(words, sizeof(words), level, i, zh);
    eb_buf_addf(b,
                "{\"id\":\"%s-%03d-%s\",\"pair_id\":\"%s-%03d\",\"lang\":"
                "\"%s\",\"cluster\":\"c%d\",\"level\":\"%s\",\"capability\":"
                "\"%s\",\"stratum\":\"s\",\"prompt\":{\"message\":\"%s%s\"",
                level, i, lang, level, i, lang, i / 2, level, cap, words,
                strcmp(level, "act") == 0 ? " ${oid}" : "");
    if (strcmp(level, "answer") == 0)
        eb_buf_addf(b,
                    ",\"passage\":\"[first] It is 1000 here, %d.\\n"
                    "[second] It is 1001 there, %d.\"",
                    i, i);
    eb_buf_adds(b, "},");
    if (strcmp(level, "sort") == 0)
        gen_sort(b, i, lang);
    else if (strcmp(level, "act") == 0)
        gen_act(b, i, lang);
    else if (strcmp(level, "answer") == 0)
        gen_answer(b, i);
    else
        eb_buf_addf(b, "\"gold\":{\"city\":\"%s\",\"count\":%d,\"price\":null}",
                    zh ? "青岛" : "Leeds", i);
    eb_buf_adds(b, "}\n");
}

/* A suite without problems in a folder of its own. */
static char *gen_suite(void)
{
    static const char *const levels[][2] = {{"sort", "intent"},
                                            {"extract", "slots"},
                                            {"act", "call"},
                                            {"answer", "fact"}};
    char *dir = help_copy(HELP_MINI), name[64];
    size_t l;
    int i;

    for (l = 0; l < 4; l++) {
        struct eb_buf b = {0};

        for (i = 0; i < GEN_PAIRS; i++) {
            gen_item(&b, levels[l][0], levels[l][1], i, "en");
            gen_item(&b, levels[l][0], levels[l][1], i, "zh");
        }
        snprintf(name, sizeof(name), "items-%s.jsonl", levels[l][0]);
        help_write(dir, name, b.data);
        eb_buf_free(&b);
    }
    help_write(dir, "items-talk.jsonl", "");
    return dir;
}

/* Loads, checks, returns the text; free with free(). */
static char *check(const char *dir, const struct eb_dialog_ops *dialog,
                   int *problems)
{
    struct eb_suite s;
    struct eb_err err = {0};
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (eb_suite_load(&s, dir, &err) != 0)
        fail_msg("%s", err.msg);
    s.dialog = dialog;
    *problems = eb_suite_check(&s, f);
    fclose(f);
    assert_int_equal(eb_suite_check(&s, NULL), *problems);
    eb_suite_free(&s);
    return text;
}

static void test_clean(void **state)
{
    char *dir = gen_suite(), *text;
    int problems;

    (void)state;
    text = check(dir, NULL, &problems);
    if (problems != 0)
        fail_msg("%s", text);
    assert_non_null(strstr(text, "No problems."));
    assert_non_null(strstr(text, "not checked"));
    assert_non_null(strstr(text, "always-escalate"));
    free(text);
    help_remove(dir);
}

struct flaw {
    const char *file, *from, *to;
    const char *says;
};

static const struct flaw flaws[] = {
    {"items-sort.jsonl",
     "sortw3x0 sortw3x1 sortw3x2 sortw3x3 sortw3x4 sortw3x5",
     "Sortw4x0, sortw4x1 sortw4x2 sortw4x3 sortw4x4 sortw4x5",
     "sort-003-en and sort-004-en share 100 %"},
    {"items-sort.jsonl",
     "sortw3x0 sortw3x1 sortw3x2 sortw3x3 sortw3x4 sortw3x5",
     "SORTW4x0  sortw4x1 sortw4x2 sortw4x3 sortw4x4 sortw4x5",
     "sort-003-en and sort-004-en have the same text"},
    {"items-sort.jsonl", "\"urgency\":\"low\"", "\"urgency\":\"high\"",
     "sort-000: the golds of the two items differ in urgency"},
    {"items-sort.jsonl", "sort-001-zh\",\"pair_id\":\"sort-001",
     "sort-041-zh\",\"pair_id\":\"sort-041",
     "sort-041: the pair has 1 of 2 languages"},
    {"items-sort.jsonl", "\"cluster\":\"c0\"", "\"cluster\":\"c9\"",
     "sort-000: the two items differ in cluster"},
    {"items-act.jsonl", "\"tool\":\"none\",\"args\":{}",
     "\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"${oid}\"}",
     "act-004: the golds of the two items differ in tool"},
    {"items-act.jsonl", "\"reason\":\"late\"", "\"reason\":\"damaged\"",
     "act-001: the golds of the two items differ in reason"},
    {"items-act.jsonl", "\"slots\":{\"oid\":\"order_id\"}",
     "\"slots\":{\"oid\":\"order_id\",\"n\":\"name\"},\"must_not\":[\"${n}\"]",
     "act-000: the two items differ in slots"},
    {"items-answer.jsonl", "\"must\":[[\"1000\"]]",
     "\"must\":[[\"1000\"]],\"must_not\":[\"1000\"]",
     "answer-000-en: the answer key is judged wrong: must not say"},
    {"items-answer.jsonl", "\"source\":\"first\"", "\"source\":\"second\"",
     "answer-000: the golds of the two items differ in source"},
    {"job.json", "\"capabilities\": [\"fact\"]",
     "\"capabilities\": [\"fact\", \"injection\"]",
     "answer zh: no item for the capability injection"},
    {"job.json", "\"values\": [\"cancel\", ",
     "\"values\": [\"refund_status\", \"cancel\", ",
     "sort en: no item has intent refund_status"},
    {"prompt-vague.en.txt", "Do the job.",
     "Like sortw3x0 sortw3x1 sortw3x2 sortw3x3 sortw3x4 sortw3x5",
     "sort-003-en stands in the vague prompt"},
    {"job.json", "\"bar\": 0.75", "\"bar\": 0.25",
     "act en: the null model do-nothing has 8 of 40 right, which is NOT "
     "SHOWN against the bar 0.25"},
};

static void test_flaws(void **state)
{
    size_t i;
    int problems, bad = 0;

    (void)state;
    for (i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
        char *dir = gen_suite(), *text;

        help_replace(dir, flaws[i].file, flaws[i].from, flaws[i].to);
        text = check(dir, NULL, &problems);
        if (problems == 0 || strstr(text, flaws[i].says) == NULL)
            bad += printf("expected \"%s\" in:\n%s\n", flaws[i].says, text);
        free(text);
        help_remove(dir);
    }
    assert_int_equal(bad, 0);
}

/* Too many questions without an answer. */
static void test_unanswerable(void **state)
{
    char *dir = gen_suite(), *text, *items, *p;
    int problems;

    (void)state;
    items = help_read(dir, "items-answer.jsonl");
    for (p = items; (p = strstr(p, "\"source\":\"second\"")) != NULL; p++)
        memcpy(p, "\"source\":null    ", 17);
    help_write(dir, "items-answer.jsonl", items);
    text = check(dir, NULL, &problems);
    assert_non_null(strstr(text, "26 of 40 questions have no answer"));
    free(text);
    free(items);
    help_remove(dir);
}

/* Conversations plug in through eb_dialog_ops. */
static const char *const fake_nulls[] = {"silent", "lucky", NULL};
static int fake_wins;

static int fake_check_item(const struct eb_case *c, struct eb_err *err)
{
    if (cJSON_HasObjectItem(c->filled, "script"))
        return 0;
    return eb_fail(err, EB_EINVAL, "no script");
}

static void fake_play(const struct eb_case *c, const char *null_name,
                      struct eb_rng *rng, struct eb_result *result)
{
    (void)c;
    (void)rng;
    result->detail[0] = '\0';
    result->outcome =
        null_name == NULL || (fake_wins && strcmp(null_name, "lucky") == 0)
            ? EB_OUT_OK
            : EB_OUT_WRONG;
}

static const struct eb_dialog_ops fake_ops = {fake_nulls, fake_check_item,
                                              fake_play};

static void test_dialog(void **state)
{
    char *dir = gen_suite(), *text;
    struct eb_buf b = {0};
    int problems, i;

    (void)state;
    for (i = 0; i < 2 * 20; i++)
        eb_buf_addf(&b,
                    "{\"id\":\"talk-%d-%s\",\"pair_id\":\"talk-%d\",\"lang\":"
                    "\"%s\",\"cluster\":\"c\",\"level\":\"talk\","
                    "\"capability\":\"lookup\",\"stratum\":\"s\",\"script\":"
                    "[]}\n",
                    i / 2, i % 2 ? "zh" : "en", i / 2, i % 2 ? "zh" : "en");
    help_write(dir, "items-talk.jsonl", b.data);
    text = check(dir, NULL, &problems);
    assert_int_equal(problems, 1);
    assert_non_null(strstr(text, "talk: 40 items are not checked"));
    free(text);
    text = check(dir, &fake_ops, &problems);
    assert_int_equal(problems, 0);
    assert_non_null(strstr(text, "silent"));
    free(text);
    fake_wins = 1;
    text = check(dir, &fake_ops, &problems);
    assert_int_equal(problems, 2); /* both languages */
    assert_non_null(strstr(text, "lucky has 20 of 20 right, which is "
                                 "SUFFICIENT"));
    free(text);
    help_replace(dir, "items-talk.jsonl", ",\"script\":[]", "");
    text = check(dir, &fake_ops, &problems);
    assert_non_null(strstr(text, "talk-0-en: no script"));
    free(text);
    eb_buf_free(&b);
    help_remove(dir);
}

/* What we ship passes its own check. Conversations are checked by the tests
 * of the code that plays them. */
static void test_custsvc(void **state)
{
    int problems, unplayed;
    char *text;

    (void)state;
    text = check(EB_SOURCE_DIR "/workloads/custsvc", NULL, &problems);
    unplayed = strstr(text, "items are not checked") != NULL;
    if (problems != unplayed)
        fail_msg("%s", text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),        cmocka_unit_test(test_flaws),
        cmocka_unit_test(test_unanswerable), cmocka_unit_test(test_dialog),
        cmocka_unit_test(test_custsvc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
