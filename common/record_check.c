/* eb_record_validate: the required fields of RECORD.md, one row each. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"

enum check_type {
    CHECK_TEXT,  /* string */
    CHECK_NAME,  /* string that is not empty */
    CHECK_UUID,  /* eb_uuid_valid */
    CHECK_TIME,  /* RFC 3339 in UTC */
    CHECK_HEX16, /* 16 hex digits */
    CHECK_COUNT, /* whole number from 0 */
    CHECK_SOME,  /* whole number from 1 */
    CHECK_BAR,   /* 0 to 1 */
    CHECK_ALPHA, /* above 0, at most 0.5 */
    CHECK_RATIO, /* above 0 */
    CHECK_ARRAY,
    CHECK_OBJECT
};

#define CHECK_NULL 1     /* null will do */
#define CHECK_OPTIONAL 2 /* and so will its absence */

struct check_field {
    const char *key;
    enum check_type type;
    int flags;
};

static const struct check_field check_root[] = {
    {"run_id", CHECK_UUID, 0},
    {"session_id", CHECK_UUID, 0},
    {"started_at", CHECK_TIME, 0},
    {"ended_at", CHECK_TIME, 0},
    {"status", CHECK_NAME, 0},
    {"status_reason", CHECK_NAME, CHECK_OPTIONAL},
    {"tool", CHECK_OBJECT, 0},
    {"device", CHECK_OBJECT, 0},
    {"runtime", CHECK_OBJECT, 0},
    {"model", CHECK_OBJECT, 0},
    {"suite", CHECK_OBJECT, 0},
    {"settings", CHECK_OBJECT, 0},
    {"tune", CHECK_OBJECT, CHECK_OPTIONAL},
    {"levels", CHECK_ARRAY, 0},
    {"bars_sha256", CHECK_NAME, 0},
    {"service_bars", CHECK_OBJECT, CHECK_OPTIONAL},
    {"conditions", CHECK_OBJECT, CHECK_OPTIONAL},
    {"load", CHECK_OBJECT, CHECK_OPTIONAL},
    {"memory", CHECK_OBJECT, CHECK_OPTIONAL},
    {"speed", CHECK_ARRAY, CHECK_OPTIONAL},
    {"requests", CHECK_ARRAY, CHECK_OPTIONAL},
    {"requests_watch", CHECK_ARRAY, CHECK_OPTIONAL},
    {"sustained", CHECK_OBJECT, CHECK_OPTIONAL},
    {"throughput", CHECK_ARRAY, CHECK_OPTIONAL},
    {"trials", CHECK_ARRAY, CHECK_OPTIONAL},
    {"latency_items", CHECK_ARRAY, CHECK_OPTIONAL},
    {"power", CHECK_OBJECT, CHECK_OPTIONAL},
    {"counters", CHECK_OBJECT, CHECK_OPTIONAL},
    {"heat", CHECK_OBJECT, CHECK_OPTIONAL},
    {"bandwidth", CHECK_OBJECT, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_tool[] = {
    {"name", CHECK_NAME, 0}, {"version", CHECK_NAME, 0}, {NULL, CHECK_TEXT, 0}};

static const struct check_field check_device[] = {
    {"id", CHECK_HEX16, 0},
    {"name", CHECK_NAME, 0},
    {"cpu", CHECK_OBJECT, CHECK_OPTIONAL},
    {"memory_bytes", CHECK_COUNT, CHECK_OPTIONAL},
    {"os", CHECK_OBJECT, CHECK_OPTIONAL},
    {"accelerators", CHECK_ARRAY, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_runtime[] = {
    {"engine", CHECK_NAME, 0},
    {"version", CHECK_TEXT, CHECK_NULL},
    {"commit", CHECK_TEXT, CHECK_OPTIONAL},
    {"backends", CHECK_ARRAY, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_model[] = {
    {"name", CHECK_NAME, 0},
    {"file", CHECK_TEXT, CHECK_OPTIONAL},
    {"sha256", CHECK_NAME, CHECK_NULL},
    {"architecture", CHECK_TEXT, CHECK_OPTIONAL},
    {"parameters", CHECK_COUNT, CHECK_NULL},
    {"quantization", CHECK_TEXT, CHECK_OPTIONAL},
    {"file_bytes", CHECK_COUNT, CHECK_NULL},
    {"context_train", CHECK_COUNT, CHECK_OPTIONAL},
    {"chat_template_sha256", CHECK_TEXT, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_suite[] = {{"name", CHECK_NAME, 0},
                                                 {"version", CHECK_NAME, 0},
                                                 {"digest", CHECK_NAME, 0},
                                                 {NULL, CHECK_TEXT, 0}};

static const struct check_field check_settings[] = {
    {"prompt", CHECK_NAME, 0},
    {"seed", CHECK_COUNT, CHECK_OPTIONAL},
    {"threads", CHECK_COUNT, CHECK_OPTIONAL},
    {"ctx", CHECK_COUNT, CHECK_OPTIONAL},
    {"batch", CHECK_COUNT, CHECK_OPTIONAL},
    {"ubatch", CHECK_COUNT, CHECK_OPTIONAL},
    {"tuned", CHECK_OBJECT, CHECK_OPTIONAL},
    {"decoding", CHECK_TEXT, CHECK_OPTIONAL},
    {"levels", CHECK_ARRAY, CHECK_OPTIONAL},
    {"limit", CHECK_COUNT, CHECK_OPTIONAL},
    {"item_timeout_ns", CHECK_COUNT, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_tune[] = {
    {"file_sha256", CHECK_NAME, 0},    {"created_at", CHECK_TIME, 0},
    {"objective", CHECK_NAME, 0},      {"verdict", CHECK_NAME, 0},
    {"gain", CHECK_ARRAY, CHECK_NULL}, {NULL, CHECK_TEXT, 0}};

static const struct check_field check_gain[] = {
    {"test", CHECK_NAME, 0}, {"ratio", CHECK_RATIO, 0}, {"lo", CHECK_RATIO, 0},
    {"hi", CHECK_RATIO, 0},  {"pairs", CHECK_COUNT, 0}, {NULL, CHECK_TEXT, 0}};

static const struct check_field check_level[] = {{"level", CHECK_NAME, 0},
                                                 {"bar", CHECK_BAR, 0},
                                                 {"alpha", CHECK_ALPHA, 0},
                                                 {NULL, CHECK_TEXT, 0}};

static const struct check_field check_speed[] = {
    {"test", CHECK_NAME, 0},
    {"n_prompt", CHECK_COUNT, 0},
    {"n_gen", CHECK_COUNT, 0},
    {"depth", CHECK_COUNT, CHECK_OPTIONAL},
    {"batch", CHECK_SOME, CHECK_OPTIONAL},
    {"samples_ns", CHECK_ARRAY, 0},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_item[] = {
    {"id", CHECK_NAME, 0},
    {"pair_id", CHECK_TEXT, CHECK_OPTIONAL},
    {"lang", CHECK_NAME, 0},
    {"level", CHECK_NAME, 0},
    {"capability", CHECK_TEXT, CHECK_OPTIONAL},
    {"stratum", CHECK_TEXT, CHECK_OPTIONAL},
    {"cluster", CHECK_TEXT, CHECK_OPTIONAL},
    {"class", CHECK_NAME, 0},
    {"detail", CHECK_TEXT, CHECK_OPTIONAL},
    {"output", CHECK_TEXT, CHECK_OPTIONAL},
    {"prompt_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"cached_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"output_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"ttft_ns", CHECK_COUNT, CHECK_OPTIONAL},
    {"e2e_ns", CHECK_COUNT, CHECK_OPTIONAL},
    {"gaps_ns", CHECK_ARRAY, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_alone[] = {
    {"id", CHECK_NAME, 0},
    {"lang", CHECK_NAME, 0},
    {"level", CHECK_NAME, 0},
    {"class", CHECK_NAME, 0},
    {"prompt_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"cached_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"output_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"ttft_ns", CHECK_COUNT, CHECK_OPTIONAL},
    {"e2e_ns", CHECK_COUNT, CHECK_OPTIONAL},
    {"gaps_ns", CHECK_ARRAY, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_trial[] = {
    {"id", CHECK_NAME, 0},    {"lang", CHECK_NAME, 0},
    {"level", CHECK_NAME, 0}, {"trial", CHECK_COUNT, 0},
    {"class", CHECK_NAME, 0}, {NULL, CHECK_TEXT, 0}};

static const struct check_field check_throughput[] = {
    {"level", CHECK_NAME, 0},
    {"lang", CHECK_NAME, 0},
    {"slots", CHECK_COUNT, 0},
    {"items", CHECK_COUNT, 0},
    {"wall_ns", CHECK_COUNT, 0},
    {"prompt_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"cached_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"output_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

static const struct check_field check_request[] = {
    {"phase", CHECK_NAME, 0},
    {"prompt_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"cached_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"output_tokens", CHECK_COUNT, CHECK_OPTIONAL},
    {"ttft_ns", CHECK_COUNT, CHECK_OPTIONAL},
    {"e2e_ns", CHECK_COUNT, CHECK_OPTIONAL},
    {NULL, CHECK_TEXT, 0}};

/* "2026-01-31T08:05:09.123Z", the fraction free in length. */
static int check_is_time(const char *s)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    size_t i;

    for (i = 0; shape[i] != '\0'; i++) {
        if (shape[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
            return 0;
    }
    s += i;
    if (*s == '.') {
        i = strspn(s + 1, "0123456789");
        if (i == 0)
            return 0;
        s += 1 + i;
    }
    return strcmp(s, "Z") == 0;
}

/* NULL if v is as the type demands, else what was expected. */
static const char *check_value(const cJSON *v, enum check_type type)
{
    const char *s = cJSON_IsString(v) ? v->valuestring : NULL;
    double d = cJSON_IsNumber(v) ? v->valuedouble : NAN;

    switch (type) {
    case CHECK_TEXT:
        return s != NULL ? NULL : "a string";
    case CHECK_NAME:
        return s != NULL && *s != '\0' ? NULL : "a string that is not empty";
    case CHECK_UUID:
        return s != NULL && eb_uuid_valid(s) ? NULL : "a lower-case UUID";
    case CHECK_TIME:
        return s != NULL && check_is_time(s)
                   ? NULL
                   : "a time like 2026-01-31T08:05:09.123Z";
    case CHECK_HEX16:
        return s != NULL && strlen(s) == 16 &&
                       strspn(s, "0123456789abcdef") == 16
                   ? NULL
                   : "16 lower-case hex digits";
    case CHECK_COUNT:
        return d >= 0 && d <= 9007199254740992.0 && floor(d) == d
                   ? NULL
                   : "a whole number from 0";
    case CHECK_SOME:
        return check_value(v, CHECK_COUNT) == NULL && d >= 1
                   ? NULL
                   : "a whole number from 1";
    case CHECK_BAR:
        return d >= 0 && d <= 1 ? NULL : "a number from 0 to 1";
    case CHECK_ALPHA:
        return d > 0 && d <= 0.5 ? NULL : "a number above 0 and at most 0.5";
    case CHECK_RATIO:
        return d > 0 && isfinite(d) ? NULL : "a number above 0";
    case CHECK_ARRAY:
        return cJSON_IsArray(v) ? NULL : "an array";
    case CHECK_OBJECT:
        return cJSON_IsObject(v) ? NULL : "an object";
    }
    return "nothing";
}

static int check_fields(const cJSON *obj, const struct check_field *f,
                        struct eb_json_at at, struct eb_err *err)
{
    const char *expected;
    const cJSON *v;

    if (!cJSON_IsObject(obj))
        return eb_fail(err, EB_EINVAL, "%s: %s: expected an object", at.where,
                       at.path);
    for (; f->key != NULL; f++) {
        v = cJSON_GetObjectItemCaseSensitive(obj, f->key);
        if (v == NULL && (f->flags & CHECK_OPTIONAL))
            continue;
        if (cJSON_IsNull(v) && f->flags != 0)
            continue;
        expected = check_value(v, f->type);
        if (expected != NULL)
            return eb_fail(err, EB_EINVAL, "%s: %s.%s: expected %s%s", at.where,
                           at.path, f->key, expected,
                           v == NULL ? ", is missing" : "");
    }
    return 0;
}

/* Each element of an optional array of counts. */
static int check_counts(const cJSON *obj, const char *key, double least,
                        struct eb_json_at at, struct eb_err *err)
{
    const cJSON *arr = cJSON_GetObjectItemCaseSensitive(obj, key), *v;
    size_t i = 0;

    cJSON_ArrayForEach(v, arr)
    {
        if (check_value(v, CHECK_COUNT) != NULL || v->valuedouble < least)
            return eb_fail(err, EB_EINVAL,
                           "%s: %s.%s[%zu]: expected a whole number from %.0f",
                           at.where, at.path, key, i, least);
        i++;
    }
    return 0;
}

static int check_schema(const cJSON *rec, const char *where, struct eb_err *err)
{
    const char *schema = eb_json_get_str(rec, "schema", NULL), *major;
    const char *slash = strchr(EB_RECORD_SCHEMA, '/');
    size_t n = (size_t)(slash - EB_RECORD_SCHEMA) + 1;

    if (schema == NULL || strncmp(schema, EB_RECORD_SCHEMA, n) != 0 ||
        schema[n] < '0' || schema[n] > '9' ||
        schema[n + strspn(schema + n, "0123456789")] != '\0')
        return eb_fail(err, EB_EINVAL,
                       "%s: $.schema: expected \"%s\": not a run record", where,
                       EB_RECORD_SCHEMA);
    major = schema + n;
    if (strcmp(major, slash + 1) == 0)
        return 0;
    return eb_fail(err, EB_EVERSION,
                   "%s: this record is %.40s; this program reads %s%s", where,
                   schema, slash,
                   strcmp(major, "0") == 0 ? "" : ": update edgebench");
}

static int check_status(const cJSON *rec, const char *where, struct eb_err *err)
{
    const char *status = eb_json_get_str(rec, "status", "");
    int complete = strcmp(status, "complete") == 0;

    if (!complete && strcmp(status, "aborted") != 0 &&
        strcmp(status, "engine_error") != 0)
        return eb_fail(err, EB_EINVAL,
                       "%s: $.status: expected complete, aborted or "
                       "engine_error",
                       where);
    if (!complete && eb_json_get_str(rec, "status_reason", NULL) == NULL)
        return eb_fail(err, EB_EINVAL,
                       "%s: $.status_reason: expected a sentence, the status "
                       "is %s",
                       where, status);
    return 0;
}

/* The entry of rec.levels with this name, or NULL. */
static const cJSON *check_find_level(const cJSON *rec, const char *name)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(rec, "levels"))
    {
        if (strcmp(eb_json_get_str(v, "level", ""), name) == 0)
            return v;
    }
    return NULL;
}

static int check_levels(const cJSON *rec, const char *where, struct eb_err *err)
{
    const cJSON *v;
    char path[64];
    size_t i = 0;
    int rc;

    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(rec, "levels"))
    {
        snprintf(path, sizeof(path), "$.levels[%zu]", i++);
        rc =
            check_fields(v, check_level, (struct eb_json_at){where, path}, err);
        if (rc != 0)
            return rc;
        if (check_find_level(rec, eb_json_get_str(v, "level", "")) != v)
            return eb_fail(err, EB_EINVAL, "%s: %s.level: stands twice", where,
                           path);
    }
    return 0;
}

/* The rows of an optional array; `counts` names their own array of whole
 * numbers from least (NULL: none). */
static int check_rows(const cJSON *obj, const char *key,
                      const struct check_field *fields, const char *counts,
                      double least, struct eb_json_at in, struct eb_err *err)
{
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(obj, key), *v;
    char path[64];
    size_t i = 0;
    int rc = 0;

    cJSON_ArrayForEach(v, rows)
    {
        struct eb_json_at at = {in.where, path};

        snprintf(path, sizeof(path), "%s.%s[%zu]", in.path, key, i++);
        rc = check_fields(v, fields, at, err);
        if (rc == 0 && counts != NULL)
            rc = check_counts(v, counts, least, at, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* A test of no tokens would have the rate 0. */
static int check_speed_tokens(const cJSON *rec, const char *where,
                              struct eb_err *err)
{
    const cJSON *v;
    size_t i = 0;

    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(rec, "speed"))
    {
        if (eb_json_get_num(v, "n_prompt", 0) + eb_json_get_num(v, "n_gen", 0) <
            1)
            return eb_fail(err, EB_EINVAL,
                           "%s: $.speed[%zu]: n_prompt and n_gen are both 0",
                           where, i);
        i++;
    }
    return 0;
}

static int check_one_item(const cJSON *rec, const cJSON *item,
                          struct eb_json_at at, struct eb_err *err)
{
    int rc = check_fields(item, check_item, at, err);

    if (rc == 0)
        rc = check_counts(item, "gaps_ns", 0, at, err);
    if (rc != 0)
        return rc;
    if (eb_outcome_parse(eb_json_get_str(item, "class", "")) < 0)
        return eb_fail(err, EB_EINVAL, "%s: %s.class: unknown class '%.40s'",
                       at.where, at.path, eb_json_get_str(item, "class", ""));
    if (check_find_level(rec, eb_json_get_str(item, "level", "")) == NULL)
        return eb_fail(err, EB_EINVAL,
                       "%s: %s.level: '%.40s' is not in $.levels", at.where,
                       at.path, eb_json_get_str(item, "level", ""));
    return 0;
}

static int check_id_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One item counted twice would make the interval too narrow. An item that was
 * run again after a harness_error may stand there both times. */
static int check_unique(const cJSON *items, const char *where,
                        struct eb_err *err)
{
    size_t n = (size_t)cJSON_GetArraySize(items), used = 0, i;
    const char **ids = eb_xcalloc(n, sizeof(*ids));
    const cJSON *v;
    int rc = 0;

    cJSON_ArrayForEach(v, items)
    {
        if (strcmp(eb_json_get_str(v, "class", ""), "harness_error") != 0)
            ids[used++] = eb_json_get_str(v, "id", "");
    }
    qsort(ids, used, sizeof(*ids), check_id_cmp);
    for (i = 1; i < used && rc == 0; i++) {
        if (strcmp(ids[i - 1], ids[i]) == 0)
            rc =
                eb_fail(err, EB_EINVAL, "%s: $.items: the id '%s' stands twice",
                        where, ids[i]);
    }
    free(ids);
    return rc;
}

static int check_items(const cJSON *rec, const char *where, struct eb_err *err)
{
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(rec, "items"), *v;
    char path[64];
    size_t i = 0;
    int rc;

    if (items == NULL &&
        strcmp(eb_json_get_str(rec, "status", ""), "engine_error") == 0)
        return 0;
    if (!cJSON_IsArray(items))
        return eb_fail(err, EB_EINVAL, "%s: $.items: expected an array", where);
    cJSON_ArrayForEach(v, items)
    {
        snprintf(path, sizeof(path), "$.items[%zu]", i++);
        rc = check_one_item(rec, v, (struct eb_json_at){where, path}, err);
        if (rc != 0)
            return rc;
    }
    return check_unique(items, where, err);
}

int eb_record_validate_tune(const cJSON *tune, struct eb_json_at at,
                            struct eb_err *err)
{
    int rc = check_fields(tune, check_tune, at, err);

    if (rc == 0)
        rc = check_rows(tune, "gain", check_gain, NULL, 0, at, err);
    return rc;
}

int eb_record_validate(const cJSON *rec, const char *where, struct eb_err *err)
{
    static const struct {
        const char *key;
        const char *path;
        const struct check_field *fields;
    } parts[] = {{"tool", "$.tool", check_tool},
                 {"device", "$.device", check_device},
                 {"runtime", "$.runtime", check_runtime},
                 {"model", "$.model", check_model},
                 {"suite", "$.suite", check_suite},
                 {"settings", "$.settings", check_settings}};
    struct eb_json_at root = {where, "$"};
    const cJSON *tune = cJSON_GetObjectItemCaseSensitive(rec, "tune");
    size_t i;
    int rc;

    if (!cJSON_IsObject(rec))
        return eb_fail(err, EB_EINVAL, "%s: $: expected an object", where);
    rc = check_schema(rec, where, err);
    if (rc == 0)
        rc = check_fields(rec, check_root, root, err);
    if (rc == 0)
        rc = check_status(rec, where, err);
    for (i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        rc = check_fields(cJSON_GetObjectItemCaseSensitive(rec, parts[i].key),
                          parts[i].fields,
                          (struct eb_json_at){where, parts[i].path}, err);
    if (rc == 0 && cJSON_IsObject(tune))
        rc = eb_record_validate_tune(tune, (struct eb_json_at){where, "$.tune"},
                                     err);
    if (rc == 0)
        rc = check_levels(rec, where, err);
    if (rc == 0)
        rc = check_rows(rec, "speed", check_speed, "samples_ns", 1, root, err);
    if (rc == 0)
        rc = check_speed_tokens(rec, where, err);
    if (rc == 0)
        rc =
            check_rows(rec, "requests", check_request, "gaps_ns", 0, root, err);
    if (rc == 0)
        rc =
            check_rows(rec, "throughput", check_throughput, NULL, 0, root, err);
    if (rc == 0)
        rc = check_rows(rec, "trials", check_trial, NULL, 0, root, err);
    if (rc == 0)
        rc = check_rows(rec, "latency_items", check_alone, "gaps_ns", 0, root,
                        err);
    if (rc == 0)
        rc = check_items(rec, where, err);
    return rc;
}
