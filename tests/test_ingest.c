#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "collector/ingest.h"
#include "collector/query.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"
#include "sample_record.h"

static struct eb_err err;

/* Checks text; frees it. */
static int check_text(char *text, size_t len)
{
    struct eb_ingest in;
    int rc;

    memset(&err, 0, sizeof(err));
    rc = eb_ingest_check(text, len, &in, &err);
    eb_ingest_free(&in);
    free(text);
    return rc;
}

static int check(const char *text)
{
    return check_text(eb_xstrdup(text), strlen(text));
}

/* Checks a record; deletes it. */
static int check_record(cJSON *rec)
{
    char *text = cJSON_PrintUnformatted(rec);

    cJSON_Delete(rec);
    return check_text(text, strlen(text));
}

static const cJSON *get(const cJSON *v, const char *key)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(v, key);

    if (m == NULL)
        fail_msg("%s is missing", key);
    return m;
}

static const cJSON *first(const cJSON *v, const char *key)
{
    return cJSON_GetArrayItem(get(v, key), 0);
}

static void test_derives(void **state)
{
    cJSON *rec = sample_record("m", 1e6, 90, 100), *brief;
    struct eb_ingest in;
    const cJSON *level;
    char *text, sha256[EB_SHA256_HEX];

    (void)state;
    /* What the client claims is of no consequence. */
    cJSON_ReplaceItemInObjectCaseSensitive(
        rec, "summary",
        cJSON_Parse("{\"levels\":[{\"level\":\"triage\",\"lang\":\"en\","
                    "\"n\":100,\"passes\":100}],\"mine\":1}"));
    cJSON_AddStringToObject(rec, "future", "field");
    text = cJSON_Print(rec);
    assert_int_equal(eb_ingest_check(text, strlen(text), &in, &err), 0);
    assert_string_equal(in.run.run_id, get(rec, "run_id")->valuestring);
    assert_string_equal(in.run.session_id, get(rec, "session_id")->valuestring);
    assert_string_equal(in.run.suite, "custsvc");
    assert_string_equal(in.run.model, "m");
    assert_string_equal(in.run.device_id, "0123456789abcdef");
    assert_string_equal(in.run.device_name, "box");
    assert_ptr_equal(in.run.posted, text);
    assert_int_equal(in.run.posted_len, strlen(text));
    eb_sha256(text, strlen(text), sha256);
    assert_string_equal(in.run.sha256, sha256);
    assert_int_equal(
        eb_json_parse(in.brief, strlen(in.brief), "brief", &brief, &err), 0);
    level = first(get(brief, "summary"), "levels");
    assert_int_equal(get(level, "passes")->valueint, 90);
    assert_string_equal(get(level, "verdict")->valuestring, "SUFFICIENT");
    assert_null(cJSON_GetObjectItem(get(brief, "summary"), "mine"));
    assert_null(cJSON_GetObjectItem(brief, "items"));
    assert_null(cJSON_GetObjectItem(brief, "speed"));
    assert_null(cJSON_GetObjectItem(brief, "future"));
    cJSON_Delete(brief);
    eb_ingest_free(&in);
    free(text);
    cJSON_Delete(rec);
}

static void test_no_json(void **state)
{
    char *deep = eb_xmalloc(200001);

    (void)state;
    assert_int_equal(check(""), EB_EPARSE);
    assert_int_equal(check("{"), EB_EPARSE);
    assert_int_equal(check("{} {}"), EB_EPARSE);
    assert_int_equal(check("{\"a\":\"\xff\"}"), EB_EPARSE);
    assert_non_null(strstr(err.msg, "invalid UTF-8"));
    assert_int_equal(check("{\"a\":1,\"a\":2}"), EB_EPARSE);
    assert_int_equal(check_text(eb_xstrdup("{}"), 3), EB_EPARSE); /* a NUL */
    memset(deep, '[', 100000);
    memset(deep + 100000, ']', 100000);
    assert_int_equal(check_text(deep, 200000), EB_EPARSE);
    assert_non_null(strstr(err.msg, "64 levels deep"));
    assert_int_equal(check_text(eb_xcalloc(1, EB_RECORD_MAX_BYTES + 1),
                                EB_RECORD_MAX_BYTES + 1),
                     EB_ELIMIT);
}

static void test_no_record(void **state)
{
    cJSON *rec;

    (void)state;
    assert_int_equal(check("{}"), EB_EINVAL);
    assert_int_equal(check("[]"), EB_EINVAL);
    assert_int_equal(check("7"), EB_EINVAL);
    rec = sample_record("m", 1, 1, 1);
    cJSON_ReplaceItemInObjectCaseSensitive(
        rec, "schema", cJSON_CreateString("edgebench.run/2"));
    assert_int_equal(check_record(rec), EB_EVERSION);
    assert_non_null(strstr(err.msg, "update"));
    rec = sample_record("m", 1, 1, 1);
    cJSON_DeleteItemFromObjectCaseSensitive(rec, "model");
    assert_int_equal(check_record(rec), EB_EINVAL);
    assert_non_null(strstr(err.msg, "$.model"));
    rec = sample_record("", 1, 1, 1);
    assert_int_equal(check_record(rec), EB_EINVAL);
}

/* A record that would keep the processor busy is refused before it does. */
static void test_limits(void **state)
{
    cJSON *rec, *levels, *v;
    char text[32], *many;
    int i;

    (void)state;
    rec = sample_record("m", 1, 1, EB_INGEST_ITEMS + 1);
    assert_int_equal(check_record(rec), EB_EINVAL);
    assert_non_null(strstr(err.msg, "$.items"));
    rec = sample_record("m", 1, 1, 1);
    levels = cJSON_GetObjectItemCaseSensitive(rec, "levels");
    for (i = 0; i < EB_INGEST_LEVELS; i++) {
        v = cJSON_Duplicate(levels->child, 1);
        snprintf(text, sizeof(text), "level%d", i);
        cJSON_ReplaceItemInObject(v, "level", cJSON_CreateString(text));
        cJSON_AddItemToArray(levels, v);
    }
    assert_int_equal(check_record(rec), EB_EINVAL);
    assert_non_null(strstr(err.msg, "$.levels"));
    rec = sample_record("m", 1, 1, EB_INGEST_CAPABILITIES + 1);
    i = 0;
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(rec, "items"))
    {
        snprintf(text, sizeof(text), "c%d", i++);
        cJSON_ReplaceItemInObject(v, "capability", cJSON_CreateString(text));
    }
    assert_int_equal(check_record(rec), EB_EINVAL);
    assert_non_null(strstr(err.msg, "capabilities"));
    rec = sample_record("m", 1, 1, EB_INGEST_GROUPS + 1);
    i = 0;
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(rec, "items"))
    {
        snprintf(text, sizeof(text), "l%d", i++);
        cJSON_ReplaceItemInObject(v, "lang", cJSON_CreateString(text));
    }
    assert_int_equal(check_record(rec), EB_EINVAL);
    assert_non_null(strstr(err.msg, "pairs"));
    rec = sample_record("m", 1, 1, 1);
    v = cJSON_GetObjectItemCaseSensitive(rec, "settings");
    for (i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "setting%d", i);
        cJSON_AddStringToObject(v, text, "x");
    }
    assert_int_equal(check_record(rec), EB_EINVAL);
    assert_non_null(strstr(err.msg, "besides items"));
    many = eb_xmalloc(2 * EB_INGEST_VALUES + 8);
    strcpy(many, "[1");
    for (i = 0; i <= EB_INGEST_VALUES; i++)
        memcpy(many + 2 + 2 * i, ",1", 2);
    strcpy(many + 2 + 2 * i, "]");
    assert_int_equal(check_text(many, strlen(many)), EB_EINVAL);
    assert_non_null(strstr(err.msg, "values"));
}

/* A store in memory, and what to put into it. */
static struct eb_store *store;

static int setup(void **state)
{
    static const struct eb_store_options options;

    (void)state;
    return eb_store_open("memory:", &options, &store, &err);
}

static int teardown(void **state)
{
    (void)state;
    eb_store_close(store);
    return 0;
}

/* Stores a record and deletes it; returns its run_id. */
static char *add(cJSON *rec)
{
    char *text = cJSON_PrintUnformatted(rec), *id;
    struct eb_ingest in;

    assert_int_equal(eb_ingest_check(text, strlen(text), &in, &err), 0);
    assert_int_equal(eb_store_put(store, &in.run, &err), EB_PUT_STORED);
    id = eb_xstrdup(in.run.run_id);
    eb_ingest_free(&in);
    free(text);
    cJSON_Delete(rec);
    return id;
}

static void store_it(cJSON *rec)
{
    free(add(rec));
}

static cJSON *asked(int rc, struct eb_buf *b)
{
    cJSON *v = NULL;

    if (rc != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(eb_json_parse(b->data, b->len, "answer", &v, &err), 0);
    eb_buf_free(b);
    return v;
}

static cJSON *compare(struct eb_run_query q)
{
    struct eb_buf b = {0};

    return asked(eb_query_compare(store, &q, &b, &err), &b);
}

static cJSON *list(struct eb_run_query q)
{
    struct eb_buf b = {0};

    return asked(eb_query_list(store, &q, &b, &err), &b);
}

static void test_list(void **state)
{
    char *a = add(sample_record("a", 1, 1, 2));
    char *b = add(sample_record("b", 1, 2, 2));
    char *c = add(sample_record("c", 1, 2, 2));
    cJSON *v = list((struct eb_run_query){.limit = 2});
    const cJSON *row = first(v, "runs");

    (void)state;
    assert_int_equal(cJSON_GetArraySize(get(v, "runs")), 2);
    assert_string_equal(get(row, "run_id")->valuestring, c);
    assert_int_equal(strlen(get(row, "sha256")->valuestring), 64);
    assert_string_equal(get(get(row, "model"), "name")->valuestring, "c");
    assert_int_equal(get(first(row, "levels"), "passes")->valueint, 2);
    assert_string_equal(get(v, "next")->valuestring, b);
    cJSON_Delete(v);
    v = list((struct eb_run_query){.limit = 2, .after = b});
    assert_string_equal(get(first(v, "runs"), "run_id")->valuestring, a);
    assert_true(cJSON_IsNull(get(v, "next")));
    cJSON_Delete(v);
    v = list((struct eb_run_query){.limit = 1, .suite = "none"});
    assert_int_equal(cJSON_GetArraySize(get(v, "runs")), 0);
    cJSON_Delete(v);
    free(a);
    free(b);
    free(c);
}

static void test_run(void **state)
{
    cJSON *rec = sample_record("a", 1, 1, 2), *v;
    struct eb_buf b = {0};
    char *text, *id;

    (void)state;
    cJSON_AddStringToObject(rec, "future", "field");
    text = cJSON_PrintUnformatted(rec);
    id = add(rec);
    assert_int_equal(eb_query_posted(store, id, &b, &err), 0);
    assert_string_equal(b.data, text);
    eb_buf_free(&b);
    v = asked(eb_query_run(store, id, &b, &err), &b);
    assert_int_equal(eb_record_validate(v, "answer", &err), 0);
    assert_string_equal(get(v, "future")->valuestring, "field");
    assert_int_equal(
        get(first(get(v, "summary"), "levels"), "passes")->valueint, 1);
    assert_int_equal(cJSON_GetArraySize(get(v, "items")), 2);
    cJSON_Delete(v);
    id[0] = id[0] == 'f' ? '0' : 'f';
    assert_int_equal(eb_query_run(store, id, &b, &err), EB_ENOENT);
    free(text);
    free(id);
}

/* A run whose bytes changed in the store. */
static void test_damaged(void **state)
{
    cJSON *rec = sample_record("a", 1, 1, 2);
    char *text = cJSON_PrintUnformatted(rec);
    struct eb_buf b = {0};
    struct eb_ingest in;

    (void)state;
    cJSON_Delete(rec);
    assert_int_equal(eb_ingest_check(text, strlen(text), &in, &err), 0);
    in.run.posted_len--;
    assert_int_equal(eb_store_put(store, &in.run, &err), 0);
    assert_int_equal(eb_query_run(store, in.run.run_id, &b, &err), EB_EIO);
    assert_non_null(strstr(err.msg, "damaged"));
    assert_int_equal(b.len, 0);
    eb_ingest_free(&in);
    free(text);
}

static const char *model_at(const cJSON *group, int i)
{
    const cJSON *row = cJSON_GetArrayItem(get(group, "models"), i);

    return get(get(row, "model"), "name")->valuestring;
}

static void test_compare(void **state)
{
    const cJSON *group, *row;
    cJSON *v;

    (void)state;
    store_it(sample_record("m4", 4e6, 85, 100));
    store_it(sample_record("m1", 1e6, 60, 100));
    store_it(sample_record("m15", 15e6, 95, 100));
    v = compare((struct eb_run_query){.suite = "custsvc"});
    assert_int_equal(get(v, "runs")->valueint, 3);
    assert_true(cJSON_IsFalse(get(v, "truncated")));
    assert_int_equal(cJSON_GetArraySize(get(v, "groups")), 1);
    group = first(v, "groups");
    assert_string_equal(get(group, "prompt")->valuestring, "clear");
    assert_int_equal(cJSON_GetArraySize(get(group, "models")), 3);
    assert_string_equal(model_at(group, 0), "m1");
    assert_string_equal(model_at(group, 1), "m4");
    assert_string_equal(model_at(group, 2), "m15");
    row = first(group, "models");
    assert_int_equal(get(first(row, "levels"), "n")->valueint, 100);
    assert_string_equal(get(first(row, "levels"), "verdict")->valuestring,
                        "INSUFFICIENT");
    assert_true(get(first(row, "speed"), "mean_tps")->valuedouble > 100);
    get(row, "memory");
    assert_int_equal(cJSON_GetArraySize(get(group, "smallest")), 1);
    row = first(group, "smallest");
    assert_string_equal(get(row, "model")->valuestring, "m4");
    assert_string_equal(get(row, "level")->valuestring, "triage");
    assert_string_equal(get(row, "lang")->valuestring, "en");
    cJSON_Delete(v);
    v = compare((struct eb_run_query){.suite = "none"});
    assert_int_equal(cJSON_GetArraySize(get(v, "groups")), 0);
    cJSON_Delete(v);
}

static void set(cJSON *rec, const char *part, const char *key,
                const char *value)
{
    cJSON *v = part != NULL ? cJSON_GetObjectItemCaseSensitive(rec, part) : rec;

    cJSON_ReplaceItemInObjectCaseSensitive(v, key, cJSON_CreateString(value));
}

/* Runs of other devices, prompts, suite versions or bars are kept apart. */
static void test_compare_groups(void **state)
{
    cJSON *rec, *v;

    (void)state;
    store_it(sample_record("m", 1e6, 90, 100));
    rec = sample_record("m", 1e6, 50, 100);
    set(rec, "device", "id", "fedcba9876543210");
    store_it(rec);
    rec = sample_record("m", 1e6, 50, 100);
    set(rec, "settings", "prompt", "vague");
    store_it(rec);
    rec = sample_record("m", 1e6, 50, 100);
    set(rec, "suite", "version", "1.0.1");
    store_it(rec);
    rec = sample_record("m", 1e6, 50, 100);
    cJSON_SetNumberValue(
        cJSON_GetObjectItem(cJSON_GetObjectItem(rec, "levels")->child, "bar"),
        0.1);
    store_it(rec);
    v = compare((struct eb_run_query){.suite = "custsvc"});
    assert_int_equal(cJSON_GetArraySize(get(v, "groups")), 5);
    cJSON_Delete(v);
    v = compare((struct eb_run_query){.suite = "custsvc",
                                      .device = "fedcba9876543210"});
    assert_int_equal(cJSON_GetArraySize(get(v, "groups")), 1);
    assert_string_equal(
        get(get(first(v, "groups"), "device"), "id")->valuestring,
        "fedcba9876543210");
    cJSON_Delete(v);
}

/* Of several runs the newest complete one counts, whatever it shows. */
static void test_compare_newest(void **state)
{
    const cJSON *group, *row;
    cJSON *rec, *v;

    (void)state;
    store_it(sample_record("m", 1e6, 95, 100));
    store_it(sample_record("m", 1e6, 50, 100));
    rec = sample_record("m", 1e6, 1, 1);
    set(rec, NULL, "status", "aborted");
    set(rec, NULL, "status_reason", "stopped by the user");
    store_it(rec);
    v = compare((struct eb_run_query){.suite = "custsvc"});
    group = first(v, "groups");
    row = first(group, "models");
    assert_int_equal(cJSON_GetArraySize(get(group, "models")), 1);
    assert_int_equal(get(row, "runs")->valueint, 3);
    assert_int_equal(get(first(row, "levels"), "passes")->valueint, 50);
    row = first(group, "smallest");
    assert_true(cJSON_IsNull(get(row, "model")));
    assert_non_null(
        strstr(get(row, "model_reason")->valuestring, "insufficient"));
    cJSON_Delete(v);
}

#define STORED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derives),
        cmocka_unit_test(test_no_json),
        cmocka_unit_test(test_no_record),
        cmocka_unit_test(test_limits),
        STORED(test_list),
        STORED(test_run),
        STORED(test_damaged),
        STORED(test_compare),
        STORED(test_compare_groups),
        STORED(test_compare_newest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
