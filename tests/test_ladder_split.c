/* The ladder's training text shares labels and formats with custsvc but not
 * one item of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/ladder/corpus.h"
#include "workloads/text.h"

#define DATA EB_SOURCE_DIR "/workloads/"
#define SAMPLES 100000 /* a language */
#define ACT_SAMPLES 4000
#define MIN_CHARS 10 /* shorter ones ("where is it") are common speech */

/* Letters only, folded: order numbers, names of slots and marks vanish, so
 * two texts that differ in values only are equal. */
static char *bare(const char *s)
{
    char *folded = eb_text_normed(s);
    struct eb_buf out = {0};

    eb_buf_adds(&out, "");
    for (const char *p = folded; *p; p++) {
        if (p[0] == '$' && p[1] == '{')
            p += strcspn(p, "}");
        else if (!strchr(" .,;:!?'\"-()0123456789", *p))
            eb_buf_addc(&out, *p);
        if (!*p)
            break;
    }
    free(folded);
    return eb_buf_take(&out);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **training_texts(const struct corpus *c, int lang)
{
    struct corpus_sample s = {0};
    struct eb_rng rng;
    struct eb_err err;
    char **v = eb_xcalloc(SAMPLES, sizeof(*v));

    eb_rng_init(&rng, 7, "split", NULL);
    for (int i = 0; i < SAMPLES; i++) {
        assert_int_equal(
            corpus_sample(c, CORPUS_TRIAGE, lang, 0, &rng, &s, &err), 0);
        v[i] = bare(s.user.data);
    }
    corpus_sample_free(&s);
    qsort(v, SAMPLES, sizeof(*v), by_text);
    return v;
}

static int items_in(char **texts, const char *level, const char *lang)
{
    struct eb_buf b = {0};
    struct eb_err err;
    char *save = NULL;
    char path[512];
    int found = 0;

    snprintf(path, sizeof(path), DATA "custsvc/items-%s.jsonl", level);
    assert_int_equal(eb_fs_read(path, 16u << 20, &b, &err), 0);
    for (char *line = strtok_r(b.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        cJSON *item = NULL;
        assert_int_equal(eb_json_parse(line, strlen(line), path, &item, &err),
                         0);
        char *text = bare(eb_json_get_str(cJSON_GetObjectItem(item, "prompt"),
                                          "message", ""));
        if (!strcmp(eb_json_get_str(item, "lang", ""), lang) &&
            eb_utf8_count(text) >= MIN_CHARS &&
            bsearch(&text, texts, SAMPLES, sizeof(*texts), by_text)) {
            print_error("in the corpus: %s\n",
                        eb_json_get_str(item, "id", "?"));
            found++;
        }
        free(text);
        cJSON_Delete(item);
    }
    eb_buf_free(&b);
    return found;
}

static void test_no_item_in_corpus(void **state)
{
    static const char *const levels[] = {"triage", "act", "answer", "agent"};
    struct corpus c;
    struct eb_err err;

    (void)state;
    assert_int_equal(corpus_load(DATA "models/corpus", &c, &err), 0);
    for (int lang = 0; lang < CORPUS_LANGS; lang++) {
        char **texts = training_texts(&c, lang);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(
                items_in(texts, levels[i], corpus_lang_names[lang]), 0);
        for (int i = 0; i < SAMPLES; i++)
            free(texts[i]);
        free(texts);
    }
    corpus_free(&c);
}

/* An argument of the call that the message does not hold could only be
 * guessed. */
static int copied(const cJSON *args, const char *name, const char *user)
{
    const char *value = eb_json_get_str(args, name, NULL);

    return !value || strstr(user, value) != NULL;
}

static void test_act_arguments_are_in_the_message(void **state)
{
    struct corpus c;
    struct corpus_sample s = {0};
    struct eb_rng rng;
    struct eb_err err;
    int calls[CORPUS_LANGS] = {0};

    (void)state;
    eb_rng_init(&rng, 11, "act", NULL);
    assert_int_equal(corpus_load(DATA "models/corpus", &c, &err), 0);
    for (int i = 0; i < 2 * ACT_SAMPLES; i++) {
        cJSON *call = NULL;
        assert_int_equal(
            corpus_sample(&c, CORPUS_ACT, i % 2, 0, &rng, &s, &err), 0);
        assert_int_equal(
            eb_json_parse(s.answer.data, s.answer.len, "answer", &call, &err),
            0);
        const cJSON *args = cJSON_GetObjectItem(call, "args");
        if (!copied(args, "order_id", s.user.data) ||
            !copied(args, "address", s.user.data))
            fail_msg("%s -> %s", s.user.data, s.answer.data);
        calls[i % 2] += strcmp(eb_json_get_str(call, "tool", ""), "none") != 0;
        cJSON_Delete(call);
    }
    for (int lang = 0; lang < CORPUS_LANGS; lang++)
        assert_in_range(calls[lang], ACT_SAMPLES / 2, ACT_SAMPLES * 4 / 5);
    corpus_sample_free(&s);
    corpus_free(&c);
}

static void test_copies_are_exact(void **state)
{
    struct corpus c;
    struct corpus_sample s = {0};
    struct eb_rng rng;
    struct eb_err err;

    (void)state;
    eb_rng_init(&rng, 12, "copy", NULL);
    assert_int_equal(corpus_load(DATA "models/corpus", &c, &err), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(
            corpus_sample(&c, CORPUS_COPY, i % 2, 0, &rng, &s, &err), 0);
        assert_true(s.user.len > 0);
        assert_string_equal(s.answer.data, s.user.data);
    }
    corpus_sample_free(&s);
    corpus_free(&c);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    struct eb_err err;
    char *path = eb_fs_join(dir, name);

    assert_int_equal(eb_fs_write_durable(path, text, strlen(text), &err), 0);
    free(path);
}

static void remove_files(const char *dir)
{
    char **names;
    size_t n;
    struct eb_err err;

    assert_int_equal(eb_fs_list(dir, ".txt", &names, &n, &err), 0);
    for (size_t i = 0; i < n; i++) {
        char *path = eb_fs_join(dir, names[i]);
        assert_int_equal(remove(path), 0);
        free(path);
    }
    eb_fs_list_free(names, n);
    assert_int_equal(remove(dir), 0);
}

/* Ten wordings; the tenth, and no other, is held out. */
static void small_corpus(char *dir)
{
    static const char facts[] = "S: x\nP: p\nQ: q\nA: a\n";
    struct eb_buf b = {0};

    assert_non_null(mkdtemp(dir));
    eb_buf_adds(&b, "[order_status tool=lookup_order]\n");
    for (int i = 0; i < 9; i++)
        eb_buf_adds(&b, "common\n");
    eb_buf_adds(&b, "rare\n[out_of_scope]\n");
    for (int i = 0; i < 9; i++)
        eb_buf_adds(&b, "common\n");
    eb_buf_adds(&b, "rare\n");
    write_file(dir, "messages.en.txt", b.data);
    write_file(dir, "messages.zh.txt", b.data);
    write_file(dir, "facts.en.txt", facts);
    write_file(dir, "facts.zh.txt", facts);
    eb_buf_free(&b);
}

static void test_held_out_wordings(void **state)
{
    char dir[] = "/tmp/eb-split-XXXXXX";
    struct corpus_sample s = {0};
    struct corpus c;
    struct eb_err err;
    struct eb_rng rng;

    (void)state;
    small_corpus(dir);
    eb_rng_init(&rng, 3, "held out", NULL);
    assert_int_equal(corpus_load(dir, &c, &err), 0);
    for (int i = 0; i < 400; i++) {
        int held_out = i % 2;
        assert_int_equal(corpus_sample(&c, CORPUS_TRIAGE, CORPUS_ZH, held_out,
                                       &rng, &s, &err),
                         0);
        assert_string_equal(s.user.data, held_out ? "rare" : "common");
    }
    corpus_sample_free(&s);
    corpus_free(&c);
    remove_files(dir);
}

/* test_no_item_in_corpus must be able to fail. */
static void test_bare_ignores_values(void **state)
{
    char *a = bare("Where is LK123456, please?");
    char *b = bare("where is lk 999999 please");

    (void)state;
    assert_string_equal(a, b);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_item_in_corpus),
        cmocka_unit_test(test_act_arguments_are_in_the_message),
        cmocka_unit_test(test_copies_are_exact),
        cmocka_unit_test(test_held_out_wordings),
        cmocka_unit_test(test_bare_ignores_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
