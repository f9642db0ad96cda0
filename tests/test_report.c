/* Reports. The golden files are the reports on six records; to write them
 * anew after a wanted change, run the test with EB_GOLDEN_WRITE=1 and read the
 * difference before committing it. */
#include "tests/report_help.h"

#include "common/fs.h"
#include "reports/group.h"
#include "reports/report.h"
#include "reports/svg.h"

static struct eb_err err;

/* Four models with the clear prompt, two of them with the vague one. */
static void all_records(cJSON *recs[6])
{
    int i;

    for (i = 0; i < 4; i++)
        recs[i] = report_record(i, "clear", 1);
    recs[4] = report_record(2, "vague", 1);
    recs[5] = report_record(3, "vague", 1);
}

static void free_records(cJSON **recs, size_t n)
{
    while (n-- > 0)
        cJSON_Delete(recs[n]);
}

static void golden(const char *format)
{
    char path[256];
    struct eb_buf got = {0}, want = {0};
    cJSON *recs[6];

    all_records(recs);
    assert_int_equal(eb_report_write(&got, recs, 6, format, &err), 0);
    free_records(recs, 6);
    snprintf(path, sizeof(path), "%s/tests/golden/report.%s", EB_SOURCE_DIR,
             format);
    if (getenv("EB_GOLDEN_WRITE") != NULL)
        assert_int_equal(eb_fs_write_durable(path, got.data, got.len, &err), 0);
    assert_int_equal(eb_fs_read(path, 1 << 20, &want, &err), 0);
    if (got.len != want.len || memcmp(got.data, want.data, got.len) != 0)
        fail_msg("the report differs from %s", path);
    eb_buf_free(&got);
    eb_buf_free(&want);
}

static void test_golden_html(void **state)
{
    (void)state;
    golden("html");
}

static void test_golden_markdown(void **state)
{
    (void)state;
    golden("md");
}

static void test_golden_json(void **state)
{
    (void)state;
    golden("json");
}

static char *report_of(cJSON *const *recs, size_t n, const char *format)
{
    struct eb_buf b = {0};

    assert_int_equal(eb_report_write(&b, recs, n, format, &err), 0);
    return eb_buf_take(&b);
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is missing", part);
}

static void test_size(void **state)
{
    cJSON *recs[6];
    char *text;

    (void)state;
    all_records(recs);
    text = report_of(recs, 4, "html");
    assert_true(strlen(text) <= 150 * 1024);
    assert_null(strstr(text, "http"));
    assert_null(strstr(text, "<script"));
    free(text);
    free_records(recs, 6);
}

/* Sizes stop at the first that is not sufficient: act, en. */
static void test_answers(void **state)
{
    cJSON *recs[6];
    char *text;

    (void)state;
    all_records(recs);
    text = report_of(recs, 4, "md");
    has(text, "**triage, en: the smallest sufficient model is ladder-4m "
              "(4.0 M parameters, Q8_0)**: 84 of 100 right (84.0%)");
    has(text, "The next smaller, ladder-1m (1.0 M parameters, Q8_0), is NOT "
              "SHOWN: 68 of 100 right");
    has(text, "answer, en: no model is shown sufficient for the bar of 75%.");
    free(text);
    free_records(recs, 6);
}

/* The same records with a lower bar for the level `answer`. */
static void easier(cJSON *rec)
{
    cJSON *def = cJSON_GetArrayItem(cJSON_GetObjectItem(rec, "levels"), 2);

    cJSON_SetNumberValue(cJSON_GetObjectItem(def, "bar"), 0.5);
    eb_record_derive(rec);
}

static void test_job(void **state)
{
    cJSON *recs[6], *v;
    const cJSON *job;
    char *text;
    int i;

    (void)state;
    all_records(recs);
    text = report_of(recs, 4, "md");
    has(text, "**The whole job (triage, act, answer; en and zh): no model is "
              "shown sufficient; the largest, ladder-12m, is not shown to pass "
              "answer, en**: 74 of 100 right (74.0%)");
    free(text);
    for (i = 0; i < 4; i++)
        easier(recs[i]);
    text = report_of(recs, 4, "md");
    has(text, "the smallest sufficient model is ladder-12m (12.0 M parameters, "
              "Q8_0)**. The next smaller, ladder-4m, is not shown to pass act, "
              "en: 76 of 100 right");
    has(text, " Service bars it meets: TPOT, Peak memory. Service bars it "
              "fails: TTFT p95. Service bars not shown: Joules per right "
              "answer.");
    free(text);
    text = report_of(recs, 3, "json");
    assert_int_equal(eb_json_parse(text, strlen(text), "t", &v, &err), 0);
    job = eb_group_get(cJSON_GetArrayItem(cJSON_GetObjectItem(v, "groups"), 0),
                       "job");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(job, "smallest")));
    assert_string_equal(eb_group_str(job, "next.model", ""), "ladder-4m");
    assert_string_equal(eb_group_str(job, "next.level", ""), "act");
    cJSON_Delete(v);
    free(text);
    free_records(recs, 6);
}

/* No verdict of a void run, no section for one language, no bar, no table. */
static void test_languages_and_bars(void **state)
{
    cJSON *rec = report_record(2, "clear", 1), *items, *v, *next;
    char *text;

    (void)state;
    text = report_of(&rec, 1, "md");
    has(text, "| answer | zh | ladder-4m | 75/100 | 75.0% |");
    has(text, "| answer | en and zh | ladder-4m | \xe2\x9c\x97 DIFFERENT | 100 "
              "| 7 | 0 | +7.0 | +3.0 to +13.7 | 0.016 |");
    assert_null(strstr(text, "--stop never"));
    has(text, "| ladder-4m | TTFT p95 | 100 ms | 56 ms | 56 ms to 56 ms | 600 "
              "| \xe2\x9c\x93 SUFFICIENT |");
    free(text);
    cJSON_ReplaceItemInObject(cJSON_GetObjectItem(rec, "summary"), "void",
                              cJSON_CreateTrue());
    text = report_of(&rec, 1, "md");
    has(text, "| answer | en and zh | ladder-4m | ? NOT SHOWN | 100 |");
    has(text, "| 600 | ? NOT SHOWN | run is void |");
    free(text);
    v = cJSON_GetArrayItem(cJSON_GetObjectItem(rec, "levels"), 0);
    cJSON_AddStringToObject(v, "stop", "early");
    cJSON_AddItemToObject(v, "pool", cJSON_CreateObject());
    v = cJSON_GetObjectItem(v, "pool");
    cJSON_AddNumberToObject(v, "en", 212);
    cJSON_AddNumberToObject(v, "zh", 212);
    eb_record_derive(rec);
    text = report_of(&rec, 1, "md");
    has(text, "--stop never compares all pairs");
    free(text);
    items = cJSON_GetObjectItem(rec, "items");
    for (v = items->child; v != NULL; v = next) {
        next = v->next;
        if (strcmp(eb_json_get_str(v, "lang", ""), "zh") == 0 ||
            strcmp(eb_json_get_str(v, "level", ""), "answer") == 0)
            cJSON_Delete(cJSON_DetachItemViaPointer(items, v));
    }
    v = cJSON_GetArrayItem(cJSON_GetObjectItem(rec, "levels"), 0);
    cJSON_DeleteItemFromObject(v, "pool");
    cJSON_DeleteItemFromObject(v, "stop");
    cJSON_DeleteItemFromObject(rec, "service_bars");
    eb_record_derive(rec);
    text = report_of(&rec, 1, "md");
    assert_null(strstr(text, "Languages side by side"));
    has(text, "The job sets no service bar.");
    free(text);
    cJSON_Delete(rec);
}

static void test_order_of_input_is_free(void **state)
{
    cJSON *recs[6], *turned[6];
    char *a, *b;
    int i;

    (void)state;
    all_records(recs);
    for (i = 0; i < 6; i++)
        turned[i] = recs[5 - i];
    a = report_of(recs, 6, "json");
    b = report_of(turned, 6, "json");
    assert_string_equal(a, b);
    free(a);
    free(b);
    free_records(recs, 6);
}

static void test_groups(void **state)
{
    struct eb_groups g;
    cJSON *recs[4];

    (void)state;
    recs[0] = report_record(0, "clear", 1);
    recs[1] = report_record(0, "clear", 1);
    recs[2] = report_record(1, "clear", 1);
    recs[3] = report_record(1, "clear", 1);
    cJSON_SetValuestring(cJSON_GetObjectItem(recs[1], "started_at"),
                         "2026-02-01T00:00:00Z");
    cJSON_SetValuestring(cJSON_GetObjectItem(recs[1], "run_id"),
                         "01934b6f-0000-7000-8000-0000000000ff");
    cJSON_SetNumberValue(
        cJSON_GetObjectItem(cJSON_GetObjectItem(recs[3], "settings"), "seed"),
        2);
    eb_groups_make(recs, 4, &g);
    assert_int_equal(g.n, 2);
    assert_int_equal(g.v[0].n + g.v[1].n, 3);
    assert_int_equal(g.v[0].replaced + g.v[1].replaced, 1);
    assert_ptr_equal(g.v[g.v[0].n == 2 ? 0 : 1].recs[0], recs[2]);
    assert_ptr_equal(g.v[g.v[0].n == 2 ? 0 : 1].recs[1], recs[1]);
    eb_groups_free(&g);
    free_records(recs, 4);
}

static void test_hostile_name(void **state)
{
    cJSON *rec = report_record(1, "clear", 1), *m;
    char *text;

    (void)state;
    m = cJSON_GetObjectItem(rec, "model");
    cJSON_SetValuestring(cJSON_GetObjectItem(m, "name"),
                         "<script>alert('1')</script>|\"&\n# x\xe2\x80\xae");
    cJSON_SetValuestring(cJSON_GetObjectItem(m, "file"), "a'; rm -rf b.gguf");
    text = report_of(&rec, 1, "html");
    assert_null(strstr(text, "<script"));
    has(text, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;|&quot;&amp; # x"
              "\xef\xbf\xbd");
    free(text);
    text = report_of(&rec, 1, "md");
    assert_null(strstr(text, "<script"));
    has(text, "&lt;/script&gt;\\|\"&amp; \\# x\xef\xbf\xbd");
    has(text, "--model 'a'\\''; rm -rf b.gguf'");
    free(text);
    cJSON_Delete(rec);
}

static void test_no_record(void **state)
{
    struct eb_buf b = {0};

    (void)state;
    assert_int_equal(eb_report_write(&b, NULL, 0, "html", &err), EB_EINVAL);
    assert_non_null(strstr(err.msg, "no run record"));
    assert_int_equal(eb_report_write(&b, NULL, 0, "pdf", &err), EB_EUSAGE);
    eb_buf_free(&b);
}

static const char *const formats[] = {"html", "md", "json"};

static void test_engine_error(void **state)
{
    cJSON *rec = report_record(0, "clear", 0);
    char *text;
    size_t i;

    (void)state;
    cJSON_ReplaceItemInObject(rec, "status",
                              cJSON_CreateString("engine_error"));
    cJSON_ReplaceItemInObject(rec, "status_reason",
                              cJSON_CreateString("the file is cut short"));
    cJSON_DeleteItemFromObject(rec, "items");
    assert_int_equal(eb_record_validate(rec, "t", &err), 0);
    eb_record_derive(rec);
    for (i = 0; i < 3; i++) {
        text = report_of(&rec, 1, formats[i]);
        has(text, "engine_error");
        has(text, "the file is cut short");
        has(text, "no item of this level was run");
        free(text);
    }
    cJSON_Delete(rec);
}

static void test_one_and_none(void **state)
{
    cJSON *one = report_record(3, "clear", 1);
    cJSON *none = report_record(3, "clear", 0);
    char *text;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        text = report_of(&one, 1, formats[i]);
        has(text, "No smaller model was run.");
        free(text);
        text = report_of(&none, 1, formats[i]);
        has(text, "no item of this level was run");
        free(text);
    }
    cJSON_Delete(one);
    cJSON_Delete(none);
}

static void test_paired(void **state)
{
    cJSON *recs[6], *v, *row;
    char *text;

    (void)state;
    all_records(recs);
    text = report_of(recs, 6, "json");
    assert_int_equal(eb_json_parse(text, strlen(text), "t", &v, &err), 0);
    row = cJSON_GetArrayItem(cJSON_GetObjectItem(v, "vague_against_clear"), 0);
    assert_true(eb_json_get_num(row, "n", 0) == 100);
    assert_true(eb_json_get_num(row, "only_clear", 0) == 12);
    assert_true(eb_json_get_num(row, "only_vague", -1) == 0);
    assert_true(eb_json_get_num(row, "difference_lo", -1) > 0);
    cJSON_Delete(v);
    free(text);
    free_records(recs, 6);
}

/* The program, as a user calls it. */
static int call(const char *from, const char *out, const char *more)
{
    char *argv[] = {"report",    "--from",     (char *)from, "-o",
                    (char *)out, (char *)more, NULL};

    return eb_report_main(more != NULL ? 6 : 5, argv);
}

static void test_main(void **state)
{
    char dir[] = "/tmp/eb_report_XXXXXX", *from, *out, *part;
    struct eb_buf lines = {0}, got = {0};
    cJSON *recs[6];
    int i;

    (void)state;
    assert_non_null(mkdtemp(dir));
    from = eb_fs_join(dir, "r.jsonl");
    out = eb_fs_join(dir, "r.md");
    part = eb_fs_join(dir, "r.md.part");
    all_records(recs);
    for (i = 0; i < 6; i++) {
        char *text = cJSON_PrintUnformatted(recs[i]);

        eb_buf_addf(&lines, "%s\n", text);
        cJSON_free(text);
    }
    assert_int_equal(eb_fs_write_durable(from, lines.data, lines.len, &err), 0);
    assert_int_equal(call(from, out, NULL), EB_EXIT_OK);
    assert_int_equal(eb_fs_read(out, 1 << 20, &got, &err), 0);
    has(got.data, "# Smallest sufficient model");
    assert_false(eb_fs_exists(part));
    /* A failure leaves the old report and no .part. */
    assert_int_equal(eb_fs_write_durable(from, "", 0, &err), 0);
    assert_int_equal(call(from, out, NULL), EB_EXIT_USAGE);
    assert_int_equal(eb_fs_write_durable(from, "[]", 2, &err), 0);
    assert_int_equal(call(from, out, NULL), EB_EXIT_USAGE);
    assert_true(eb_fs_exists(out));
    assert_false(eb_fs_exists(part));
    assert_int_equal(call(from, "/nowhere/r.md", NULL), EB_EXIT_USAGE);
    assert_int_equal(call(from, out, "-fpdf"), EB_EXIT_USAGE);
    assert_int_equal(call(from, out, "stray"), EB_EXIT_USAGE);
    unlink(from);
    unlink(out);
    rmdir(dir);
    free(from);
    free(out);
    free(part);
    eb_buf_free(&lines);
    eb_buf_free(&got);
    free_records(recs, 6);
}

/* A collector with three runs on two pages. */
static const char *const fake_ids[] = {"01934b6f-0000-7000-8000-000000000002",
                                       "01934b6f-0000-7000-8000-000000000003",
                                       "01934b6f-0000-7000-8000-000000000004"};
static int fake_gets;

static int fetch_page(const char *after, struct eb_buf *out)
{
    if (after[0] == '\0')
        eb_buf_addf(out,
                    "{\"runs\":[{\"run_id\":\"%s\"},{\"run_id\":\"%s\"}],"
                    "\"next\":\"%s\"}",
                    fake_ids[0], fake_ids[1], fake_ids[1]);
    else
        eb_buf_addf(out, "{\"runs\":[{\"run_id\":\"%s\"}],\"next\":null}",
                    fake_ids[2]);
    return 0;
}

static int fetch_fake(const char *url, struct eb_buf *out, struct eb_err *e)
{
    static const char next[] = "http://c/v1/runs?limit=200&suite=custsvc"
                               "&after=01934b6f-0000-7000-8000-000000000003";
    int i;

    fake_gets++;
    if (strcmp(url, "http://c/v1/runs?limit=200&suite=custsvc") == 0)
        return fetch_page("", out);
    if (strcmp(url, next) == 0)
        return fetch_page(fake_ids[1], out);
    for (i = 0; i < 3; i++) {
        if (strncmp(url, "http://c/", 9) == 0 && strstr(url, fake_ids[i])) {
            cJSON *rec = report_record(i, "clear", 1);
            char *text = cJSON_PrintUnformatted(rec);

            eb_buf_adds(out, text);
            cJSON_free(text);
            cJSON_Delete(rec);
            return 0;
        }
    }
    return eb_fail(e, EB_ENET, "%s: not there", url);
}

/* Pages of nothing, each with a mark of another one. */
static int fetch_nothing(const char *url, struct eb_buf *out, struct eb_err *e)
{
    if (++fake_gets > 10)
        return eb_fail(e, EB_ENET, "asked again and again");
    eb_buf_addf(out, "{\"runs\":[],\"next\":\"%s\"}",
                fake_ids[strstr(url, fake_ids[0]) != NULL]);
    return 0;
}

static int report_from(const char *url, const char *path, const char *option,
                       const char *value)
{
    char *argv[] = {"report",      "--collector", (char *)url,  "--suite",
                    "custsvc",     "-o",          (char *)path, (char *)option,
                    (char *)value, NULL};

    fake_gets = 0;
    return eb_report_main(9, argv);
}

static void test_collector(void **state)
{
    char path[] = "/tmp/eb_report_XXXXXX";
    struct eb_buf got = {0};

    (void)state;
    close(mkstemp(path));
    eb_report_set_fetch(NULL);
    assert_int_equal(report_from("http://c/", path, "-f", "md"), EB_EXIT_USAGE);
    eb_report_set_fetch(fetch_fake);
    assert_int_equal(report_from("http://c/", path, "-f", "md"), EB_EXIT_OK);
    assert_int_equal(fake_gets, 5);
    assert_int_equal(eb_fs_read(path, 1 << 20, &got, &err), 0);
    has(got.data, "ladder-1m");
    assert_int_equal(report_from("http://c", path, "--newest", "1"),
                     EB_EXIT_OK);
    assert_int_equal(fake_gets, 2);
    assert_int_equal(report_from("http://c", path, "--newest", "0"),
                     EB_EXIT_USAGE);
    assert_int_equal(report_from("http://c", path, "--session", "a&b"),
                     EB_EXIT_USAGE);
    assert_int_equal(report_from("http://c", path, "--suite", "a/b"),
                     EB_EXIT_USAGE);
    assert_int_equal(report_from("http://d", path, "-f", "md"),
                     EB_EXIT_INTERNAL);
    eb_report_set_fetch(fetch_nothing);
    assert_int_equal(report_from("http://c", path, "-f", "md"), EB_EXIT_USAGE);
    assert_int_equal(fake_gets, 1);
    eb_report_set_fetch(NULL);
    eb_buf_free(&got);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_html),
        cmocka_unit_test(test_golden_markdown),
        cmocka_unit_test(test_golden_json),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_job),
        cmocka_unit_test(test_languages_and_bars),
        cmocka_unit_test(test_order_of_input_is_free),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_hostile_name),
        cmocka_unit_test(test_no_record),
        cmocka_unit_test(test_engine_error),
        cmocka_unit_test(test_one_and_none),
        cmocka_unit_test(test_paired),
        cmocka_unit_test(test_main),
        cmocka_unit_test(test_collector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
