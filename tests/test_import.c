/* Importers of labelled messages: small files in the publishers' forms, with
 * what is known to be awkward in the real ones; made-up sets that must pass
 * the check; wrong files; and the real files where EB_SHARED_DATA names the
 * folder that has them. */
#include "tests/workloads_help.h"
#include "workloads/check.h"
#include "workloads/import/import.h"
#include "workloads/import/import_read.h"
#include "workloads/prompt.h"

#define IMPORT_FIX EB_SOURCE_DIR "/tests/fixtures/import/"

/* A folder that does not exist yet, in one that holds nothing else. */
struct place {
    char *parent, *out;
};

static struct place place_new(void)
{
    char template[] = "/tmp/eb-test-XXXXXX";
    struct place p;

    p.parent = eb_xstrdup(mkdtemp(template));
    p.out = eb_fs_join(p.parent, "suite");
    return p;
}

static size_t place_entries(const struct place *p)
{
    char **names;
    size_t n;

    assert_int_equal(eb_fs_list(p->parent, "", &names, &n, NULL), 0);
    eb_fs_list_free(names, n);
    return n;
}

static void place_remove(struct place *p)
{
    if (eb_fs_exists(p->out))
        help_remove(p->out);
    else
        free(p->out);
    assert_int_equal(rmdir(p->parent), 0);
    free(p->parent);
}

static int run(const char *set, const char *path, const char *out,
               long long limit, struct eb_err *err)
{
    struct eb_import_options o = {path, out, limit, 1};

    return eb_import_run(eb_importer_find(set), &o, NULL, err);
}

/* Imports and loads; the key must score every item. */
static struct place import(const char *set, const char *path, long long limit,
                           struct eb_suite *s)
{
    struct place p = place_new();
    struct eb_err err = {0};
    size_t i, k;

    if (run(set, path, p.out, limit, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(place_entries(&p), 1);
    assert_int_equal(eb_suite_load(s, p.out, &err), 0);
    for (i = 0; i < s->n_levels; i++) {
        for (k = 0; k < s->levels[i].n_items; k++) {
            struct eb_result result;
            struct eb_buf out = {0};
            struct eb_case c;

            assert_int_equal(eb_case_fill(&c, s, &s->levels[i],
                                          &s->levels[i].items[k],
                                          EB_PROMPT_CLEAR, 1, &err),
                             0);
            eb_null_key(&c, &out);
            eb_grade_case(&c, out.data, 0, &result);
            if (result.outcome != EB_OUT_OK)
                fail_msg("%s: %s", c.item->id, result.detail);
            eb_buf_free(&out);
            eb_case_free(&c);
        }
    }
    return p;
}

static struct place import_fixture(const char *set, struct eb_suite *s)
{
    char *path = eb_xasprintf("%s%s", IMPORT_FIX, set);
    struct place p = import(set, path, 0, s);

    free(path);
    return p;
}

static const char *message(const struct eb_level *l, size_t i)
{
    const cJSON *v =
        cJSON_GetObjectItemCaseSensitive(l->items[i].json, "prompt");

    return eb_json_get_str(v, "message", "");
}

static const cJSON *gold(const struct eb_level *l, const char *text)
{
    size_t i;

    for (i = 0; i < l->n_items; i++) {
        if (strcmp(message(l, i), text) == 0)
            return cJSON_GetObjectItemCaseSensitive(l->items[i].json, "gold");
    }
    fail_msg("no item says %s", text);
    return NULL;
}

static const char *intent(const struct eb_level *l, const char *text)
{
    return eb_json_get_str(gold(l, text), "intent", "");
}

static enum eb_outcome judge(const struct eb_suite *s, const struct eb_level *l,
                             size_t item, const char *output)
{
    struct eb_result result;
    struct eb_case c;

    assert_int_equal(
        eb_case_fill(&c, s, l, &l->items[item], EB_PROMPT_CLEAR, 1, NULL), 0);
    eb_grade_case(&c, output, 0, &result);
    eb_case_free(&c);
    return result.outcome;
}

static void banking77_keeps_awkward_cells_and_labels(void **state)
{
    struct eb_suite s;
    struct place p = import_fixture("banking77", &s);
    const struct eb_level *l = &s.levels[0];
    const char *clear = l->prompts[EB_PROMPT_CLEAR][0];
    char *readme = help_read(p.out, "README.md");

    (void)state;
    /* Seven rows: one says the same as another, one looks like a slot. */
    assert_int_equal(l->n_items, 5);
    assert_string_equal(intent(l, "Is my card still underway?"),
                        "card_arrival");
    assert_string_equal(intent(l, "Stop it, please: the blue one"),
                        "cancel_card");
    assert_string_equal(
        intent(l, "The shop says \"refunded\" but I see nothing"),
        "Refund_not_showing_up");
    assert_string_equal(intent(l, "a payment was undone without my doing"),
                        "reverted_card_payment?");
    assert_non_null(strstr(clear, "\nRefund_not_showing_up: my money"));
    assert_non_null(strstr(clear, "\"Lark & Co\" taken back last night?"));
    /* Its only example is an item. */
    assert_non_null(strstr(clear, "\ncancel_card\n"));
    assert_null(strstr(clear, "how do i stop the card"));
    assert_non_null(strstr(readme, "CC-BY-4.0"));
    assert_non_null(strstr(readme, "1 texts of test.csv also stand in"));
    free(readme);
    eb_suite_free(&s);
    place_remove(&p);
}

static void clinc150_keeps_scope_apart(void **state)
{
    struct eb_suite s;
    struct place p = import_fixture("clinc150", &s);
    const struct eb_level *l = eb_suite_level(&s, "intent");
    const struct eb_level *scope = eb_suite_level(&s, "scope");

    (void)state;
    assert_int_equal(l->n_items, 6);
    assert_int_equal(l->fields[0].n_values, 3);
    /* One label begins another: neither passes for the other. */
    assert_string_equal(message(l, 0), "stop what you are doing");
    assert_int_equal(judge(&s, l, 0, "{\"intent\":\"cancel\"}"), EB_OUT_OK);
    assert_int_equal(judge(&s, l, 0, "{\"intent\":\"cancel_reservation\"}"),
                     EB_OUT_WRONG);
    assert_int_equal(judge(&s, l, 2, "{\"intent\":\"cancel\"}"), EB_OUT_WRONG);
    assert_int_equal(scope->n_items, 6);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(
        gold(scope, "why do cats purr"), "in_scope")));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
        gold(scope, "do i need a coat"), "in_scope")));
    assert_non_null(strstr(scope->prompts[EB_PROMPT_CLEAR][0],
                           "Request: who painted this wall\n"
                           "{\"in_scope\":false}"));
    eb_suite_free(&s);
    place_remove(&p);
}

static void nlupp_answers_are_sets_and_words(void **state)
{
    struct eb_suite s;
    struct place p = import_fixture("nlupp", &s);
    const struct eb_level *l = eb_suite_level(&s, "banking-intents");
    const struct eb_level *slots = eb_suite_level(&s, "banking-slots");
    struct eb_buf grammar = {0};

    (void)state;
    assert_int_equal(s.n_levels, 4);
    assert_int_equal(l->n_items, 4);
    assert_string_equal(message(l, 0), "hello, is my card ready on Tuesday?");
    assert_int_equal(judge(&s, l, 0, "{\"intents\":[\"card\",\"greet\"]}"),
                     EB_OUT_OK);
    assert_int_equal(judge(&s, l, 0, "{\"intents\":[\"card\"]}"), EB_OUT_WRONG);
    assert_int_equal(
        judge(&s, l, 0, "{\"intents\":[\"card\",\"greet\",\"handoff\"]}"),
        EB_OUT_WRONG);
    assert_int_equal(judge(&s, l, 0, "{\"intents\":[\"card\",\"card\"]}"),
                     EB_OUT_WRONG);
    assert_int_equal(judge(&s, l, 0, "{\"intents\":\"card\"}"), EB_OUT_WRONG);
    assert_string_equal(l->items[1].capability, "handoff");
    assert_int_equal(judge(&s, l, 2, "{\"intents\":[]}"), EB_OUT_OK);
    assert_non_null(strstr(l->prompts[EB_PROMPT_CLEAR][0],
                           "\nhandoff: to speak to a human or hand off\n"));
    /* Under `value` and under `values` alike. */
    assert_string_equal(
        eb_json_get_str(gold(slots, "hello, is my card ready on Tuesday?"),
                        "date", ""),
        "Tuesday");
    assert_string_equal(
        eb_json_get_str(gold(slots, "what did i spend last winter"),
                        "date_period", ""),
        "last winter");
    assert_int_equal(judge(&s, slots, 0, "{\"date\":\"tuesday\"}"), EB_OUT_OK);
    assert_int_equal(judge(&s, slots, 0, "{}"), EB_OUT_WRONG);
    eb_prompt_grammar(l, &grammar);
    assert_non_null(strstr(grammar.data, "(\"[\" ((\"\\\"greet\\\"\" | "));
    assert_non_null(strstr(grammar.data, "))*)? \"]\")"));
    eb_buf_free(&grammar);
    eb_suite_free(&s);
    place_remove(&p);
}

static void massive_joins_languages_on_id(void **state)
{
    struct eb_suite s;
    struct place p = import_fixture("massive", &s);
    const struct eb_level *l = eb_suite_level(&s, "intent");
    const struct eb_level *slots = eb_suite_level(&s, "slots");
    char *readme = help_read(p.out, "README.md");
    size_t i;

    (void)state;
    assert_int_equal(s.n_langs, 2);
    assert_int_equal(l->n_items, 6);
    for (i = 0; i < l->n_items; i += 2) {
        assert_string_equal(l->items[i].pair_id, l->items[i + 1].pair_id);
        assert_string_equal(l->items[i].lang, "en");
        assert_string_equal(l->items[i + 1].lang, "zh");
    }
    assert_int_equal(slots->n_items, 4);
    assert_string_equal(
        eb_json_get_str(gold(slots, "放点林诺的爵士乐"), "artist_name", ""),
        "林诺");
    assert_string_equal(
        eb_json_get_str(gold(slots, "wake me at five am"), "time", ""),
        "five am");
    assert_non_null(
        strstr(l->prompts[EB_PROMPT_CLEAR][1], "alarm_set: 明天六点响铃"));
    assert_non_null(strstr(readme, "1 test ids without a row"));
    assert_non_null(strstr(readme, "1 pairs in which a slot stands twice"));
    free(readme);
    eb_suite_free(&s);
    place_remove(&p);
}

/* Made-up sets large enough to decide something */

static void gen_words(struct eb_buf *b, int i, int zh)
{
    int k;

    for (k = 0; k < 5; k++) {
        if (zh)
            eb_buf_addf(b, "%c%c%c", 0xE5, 0x80 + (i * 5 + k) / 64 + 2,
                        0x80 + (i * 5 + k) % 64);
        else
            eb_buf_addf(b, "%sv%dx%d", k > 0 ? " " : "", i, k);
    }
}

static void gen_massive(const char *dir, int n)
{
    static const char *const locales[] = {"en-US", "zh-CN"};
    char name[32];
    int i, k;

    for (k = 0; k < 2; k++) {
        struct eb_buf b = {0};

        for (i = 0; i < n; i++) {
            struct eb_buf text = {0};

            gen_words(&text, i, k);
            eb_buf_addf(&b,
                        "{\"id\":\"%d\",\"locale\":\"%s\",\"partition\":"
                        "\"%s\",\"intent\":\"intent_%d\",\"utt\":\"%s %d\","
                        "\"annot_utt\":\"%s [num_%d : %d]\"}\n",
                        i, locales[k], i < 10 ? "train" : "test", i % 8,
                        text.data, i, text.data, i % 3, i);
            eb_buf_free(&text);
        }
        snprintf(name, sizeof(name), "%s.jsonl", locales[k]);
        help_write(dir, name, b.data);
        eb_buf_free(&b);
    }
}

static char *temp_dir(void)
{
    char template[] = "/tmp/eb-test-XXXXXX";

    return eb_xstrdup(mkdtemp(template));
}

static void made_up_pairs_pass_the_check(void **state)
{
    char *dir = temp_dir();
    struct eb_suite s;
    struct place p;

    (void)state;
    gen_massive(dir, 70);
    p = import("massive", dir, 0, &s);
    assert_int_equal(s.levels[0].n_items, 120);
    assert_int_equal(eb_suite_check(&s, stdout), 0);
    eb_suite_free(&s);
    place_remove(&p);
    help_remove(dir);
}

static void gen_rows(struct eb_buf *b, const char *split, int from, int n,
                     const char *label)
{
    int i;

    eb_buf_addf(b, "%s\"%s\":[", b->len > 0 ? ",\n" : "{", split);
    for (i = from; i < from + n; i++) {
        eb_buf_adds(b, i > from ? ",[\"" : "[\"");
        gen_words(b, i, 0);
        eb_buf_addf(b, "\",\"%s", label);
        if (strcmp(label, "oos") != 0)
            eb_buf_addf(b, "%d", i % 10);
        eb_buf_adds(b, "\"]");
    }
    eb_buf_adds(b, "]");
}

static void made_up_scopes_pass_the_check(void **state)
{
    char *dir = temp_dir();
    struct eb_buf b = {0};
    struct eb_suite s;
    struct place p;

    (void)state;
    gen_rows(&b, "train", 0, 20, "topic_");
    gen_rows(&b, "test", 100, 60, "topic_");
    gen_rows(&b, "oos_train", 200, 10, "oos");
    gen_rows(&b, "oos_test", 300, 50, "oos");
    eb_buf_adds(&b, "}");
    help_write(dir, "data_full.json", b.data);
    p = import("clinc150", dir, 0, &s);
    assert_int_equal(eb_suite_level(&s, "scope")->n_items, 100);
    assert_int_equal(eb_suite_check(&s, stdout), 0);
    eb_suite_free(&s);
    place_remove(&p);
    help_remove(dir);
    eb_buf_free(&b);
}

static void limit_takes_labels_in_turn(void **state)
{
    struct place p, again, q = place_new();
    char *dir = temp_dir(), *a, *b;
    struct eb_err err = {0};
    struct eb_suite s, t;

    (void)state;
    gen_massive(dir, 70);
    p = import("massive", dir, 16, &s);
    again = import("massive", dir, 16, &t);
    assert_int_equal(s.levels[0].n_items, 32);
    assert_int_equal(s.levels[0].fields[0].n_values, 8);
    a = help_read(p.out, "items-intent.jsonl");
    b = help_read(again.out, "items-intent.jsonl");
    assert_string_equal(a, b);
    assert_string_equal(s.digest, t.digest);
    /* Seven items of eight labels are another job. */
    assert_int_equal(run("massive", dir, q.out, 7, &err), EB_EINVAL);
    assert_non_null(strstr(err.msg, "raise --limit"));
    assert_int_equal(place_entries(&q), 0);
    free(a);
    free(b);
    eb_suite_free(&s);
    eb_suite_free(&t);
    place_remove(&p);
    place_remove(&again);
    place_remove(&q);
    help_remove(dir);
}

/* Wrong files */

static void refuse(const char *set, const char *path, const char *says)
{
    struct place p = place_new();
    struct eb_err err = {0};

    assert_true(run(set, path, p.out, 0, &err) < 0);
    if (strstr(err.msg, says) == NULL)
        fail_msg("expected \"%s\" in: %s", says, err.msg);
    assert_int_equal(place_entries(&p), 0);
    place_remove(&p);
}

static void wrong_files_say_where(void **state)
{
    char *dir = temp_dir();

    (void)state;
    refuse("banking77", "/nowhere", "/nowhere: no such file or folder");
    refuse("banking77", dir,
           "no train.csv or banking_data/train.csv in this folder");
    help_write(dir, "train.csv", "");
    refuse("banking77", dir, "train.csv:1: the file is empty");
    help_write(dir, "train.csv", "text,label\na,b\n");
    refuse("banking77", dir, "train.csv:1: expected the header text,category");
    help_write(dir, "train.csv", "text,category\n\"a\nb\",c\nd\n");
    refuse("banking77", dir, "train.csv:4: 1 cells, expected 2");
    help_write(dir, "train.csv", "text,category\na,b\n\"c,d\n");
    refuse("banking77", dir, "train.csv:3: a quote that is opened here");
    help_write(dir, "train.csv", "text,category\na,b\n\"c\"x,d\n");
    refuse("banking77", dir, "train.csv:3: text after a closing quote");
    help_write(dir, "train.csv", "text,category\n");
    refuse("banking77", dir, "train.csv:2: no rows");
    help_write(dir, "train.csv", "text,category\na,card_arrival\n");
    help_write(dir, "test.csv", "text,category\nb,card_arri");
    refuse("banking77", dir, "test.csv:2: the category card_arri is not in");
    refuse("clinc150", dir, "no data_full.json or data_oos_plus.json");
    help_write(dir, "data_full.json", "{\"train\": [[\"a\", \"b\"],\n[\"c\"");
    refuse("clinc150", dir, "data_full.json: line 2");
    help_write(dir, "data_full.json",
               "{\"train\": [\n[\"a\", \"b\"],\n[\"c\"]],\n\"test\": []}");
    refuse("clinc150", dir, "data_full.json:3: $.train[1]: expected [text");
    help_write(dir, "en-US.jsonl", "{\"id\": \"0\"}\n");
    refuse("massive", dir, "en-US.jsonl:1: expected id, locale");
    help_write(dir, "en-US.jsonl",
               "{\"id\":\"0\",\"locale\":\"en-US\",\"partition\":\"test\","
               "\"intent\":\"a\",\"utt\":\"b\",\"annot_utt\":\"[c : b\"}\n");
    refuse("massive", dir, "en-US.jsonl:1: annot_utt: expected [name");
    help_write(dir, "en-US.jsonl", "\n{\"id\": \"0\", \"loc");
    refuse("massive", dir, "en-US.jsonl:2: line 1, column");
    refuse("nlupp", dir, "no ontology.json in this folder");
    help_write(dir, "ontology.json", "{\"intents\": {}, \"slots\": {}}");
    refuse("nlupp", dir, "no banking/ or hotels/ here");
    help_remove(dir);
}

static void a_full_folder_is_left_alone(void **state)
{
    struct place p = place_new();
    struct eb_err err = {0};
    char *text;

    (void)state;
    assert_int_equal(eb_fs_mkdirs(p.out, NULL), 0);
    help_write(p.out, "mine.txt", "mine");
    assert_int_equal(run("banking77", IMPORT_FIX "banking77", p.out, 0, &err),
                     EB_ECONFLICT);
    assert_non_null(strstr(err.msg, "not empty"));
    text = help_read(p.out, "mine.txt");
    assert_string_equal(text, "mine");
    free(text);
    /* An empty one is used. */
    unlink((text = eb_fs_join(p.out, "mine.txt")));
    free(text);
    assert_int_equal(run("banking77", IMPORT_FIX "banking77", p.out, 0, &err),
                     0);
    place_remove(&p);
}

/* CSV */

struct cells {
    struct eb_buf all;
};

static int keep_cells(void *ctx, char **cells, size_t n, int line,
                      struct eb_err *err)
{
    struct cells *c = ctx;
    size_t i;

    (void)err;
    eb_buf_addf(&c->all, "%d", line);
    for (i = 0; i < n; i++)
        eb_buf_addf(&c->all, "<%s>", cells[i]);
    return 0;
}

static void csv_is_read_as_rfc_4180_has_it(void **state)
{
    char *dir = temp_dir(), *path = eb_fs_join(dir, "a.csv");
    struct cells c = {0};

    (void)state;
    help_write(dir, "a.csv",
               "\xEF\xBB\xBF"
               "a,b\r\n\"x, y\",\"say \"\"no\"\"\"\r\n\"two\r\nlines\",\r\n"
               ",\"\"\r\nlast,one");
    assert_int_equal(eb_import_csv(path, "a,b", keep_cells, &c, NULL), 0);
    assert_string_equal(c.all.data,
                        "2<x, y><say \"no\">3<two\r\nlines><>5<><>6<last>"
                        "<one>");
    eb_buf_free(&c.all);
    free(path);
    help_remove(dir);
}

/* The real files */

static void check_shared(const char *set, const char *name, size_t items)
{
    const char *root = getenv("EB_SHARED_DATA");
    struct eb_suite s;
    struct place p;
    char *path;

    if (root == NULL || *root == '\0')
        skip();
    path = eb_fs_join(root, name);
    p = import(set, path, 0, &s);
    assert_int_equal(s.levels[0].n_items, items);
    assert_int_equal(eb_suite_check(&s, stdout), 0);
    eb_suite_free(&s);
    place_remove(&p);
    free(path);
}

static void shared_banking77_passes_the_check(void **state)
{
    (void)state;
    check_shared("banking77", "banking77", 2968);
}

static void shared_nlupp_passes_the_check(void **state)
{
    (void)state;
    check_shared("nlupp", "nlupp", 1876);
}

static void every_importer_has_a_name_of_its_own(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; eb_importers[i] != NULL; i++)
        assert_ptr_equal(eb_importer_find(eb_importers[i]->name),
                         eb_importers[i]);
    assert_null(eb_importer_find("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(banking77_keeps_awkward_cells_and_labels),
        cmocka_unit_test(clinc150_keeps_scope_apart),
        cmocka_unit_test(nlupp_answers_are_sets_and_words),
        cmocka_unit_test(massive_joins_languages_on_id),
        cmocka_unit_test(made_up_pairs_pass_the_check),
        cmocka_unit_test(made_up_scopes_pass_the_check),
        cmocka_unit_test(limit_takes_labels_in_turn),
        cmocka_unit_test(wrong_files_say_where),
        cmocka_unit_test(a_full_folder_is_left_alone),
        cmocka_unit_test(csv_is_read_as_rfc_4180_has_it),
        cmocka_unit_test(shared_banking77_passes_the_check),
        cmocka_unit_test(shared_nlupp_passes_the_check),
        cmocka_unit_test(every_importer_has_a_name_of_its_own)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
