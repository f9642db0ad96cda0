/* A small valid run record and how to change it. Static helpers, test programs
 * only. */
#ifndef EB_TEST_RECORD_HELP_H
#define EB_TEST_RECORD_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/record.h"

static struct eb_err err;

static const char base[] =
    "{\"schema\":\"edgebench.run/1\","
    "\"run_id\":\"01934b6f-0000-7000-8000-000000000001\","
    "\"session_id\":\"01934b6f-0000-7000-8000-000000000002\","
    "\"started_at\":\"2026-01-31T08:05:09.123Z\","
    "\"ended_at\":\"2026-01-31T08:06:09Z\","
    "\"status\":\"complete\",\"status_reason\":null,"
    "\"tool\":{\"name\":\"edgebench\",\"version\":\"0.1.0\"},"
    "\"device\":{\"id\":\"0123456789abcdef\",\"name\":\"box\","
    "\"memory_bytes\":null,\"memory_bytes_reason\":\"absent\"},"
    "\"runtime\":{\"engine\":\"fake\",\"version\":\"1\"},"
    "\"model\":{\"name\":\"m\",\"sha256\":\"ab\",\"parameters\":1000,"
    "\"file_bytes\":2000},"
    "\"suite\":{\"name\":\"s\",\"version\":\"1.0.0\",\"digest\":\"cd\"},"
    "\"settings\":{\"prompt\":\"clear\",\"seed\":1,\"limit\":null},"
    "\"levels\":[{\"level\":\"triage\",\"bar\":0.2,\"alpha\":0.05},"
    "{\"level\":\"act\",\"bar\":0.9,\"alpha\":0.05}],"
    "\"bars_sha256\":\"ef\",\"speed\":[],\"items\":[],\"summary\":{}}";

static inline cJSON *parse(const char *text)
{
    cJSON *v;

    assert_int_equal(eb_json_parse(text, strlen(text), "t", &v, &err), 0);
    return v;
}

/* The base record with `from` replaced by `to` (NULL: as it is). */
static inline cJSON *record(const char *from, const char *to)
{
    struct eb_buf b = {0};
    const char *hit;
    cJSON *v;

    if (from == NULL)
        return parse(base);
    hit = strstr(base, from);
    assert_non_null(hit);
    eb_buf_add(&b, base, (size_t)(hit - base));
    eb_buf_adds(&b, to);
    eb_buf_adds(&b, hit + strlen(from));
    v = parse(b.data);
    eb_buf_free(&b);
    return v;
}

/* "levels.0.rate" of v. */
static inline const cJSON *get(const cJSON *v, const char *path)
{
    char copy[128], *key, *rest = copy;

    snprintf(copy, sizeof(copy), "%s", path);
    while ((key = strsep(&rest, ".")) != NULL) {
        if (cJSON_IsArray(v))
            v = cJSON_GetArrayItem(v, atoi(key));
        else
            v = cJSON_GetObjectItemCaseSensitive(v, key);
    }
    if (v == NULL)
        fail_msg("%s is missing", path);
    return v;
}

#endif
