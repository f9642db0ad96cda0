#include "collector/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"

/* What messages call the request's body. */
#define INGEST_WHERE "record"

static const char *const ingest_brief_keys[] = {
    "schema",   "run_id", "session_id",    "started_at",
    "ended_at", "status", "tool",          "device",
    "runtime",  "model",  "status_reason", "suite",
    "settings", "levels", "bars_sha256",   "service_bars",
    "load",     "memory", "power",         "summary",
    NULL};

static int ingest_count(const cJSON *rec, const char *key, int max,
                        struct eb_err *err)
{
    int n = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(rec, key));

    if (n <= max)
        return 0;
    return eb_fail(err, EB_EINVAL,
                   INGEST_WHERE ": $.%s has %d entries, more than the %d this "
                                "collector takes",
                   key, n, max);
}

/* The names that put an item into its group, one string; free it. */
static char *ingest_group(const cJSON *item, int with_capability)
{
    return eb_xasprintf(
        "%s\n%s\n%s", eb_json_get_str(item, "level", ""),
        eb_json_get_str(item, "lang", ""),
        with_capability ? eb_json_get_str(item, "capability", "") : "");
}

static int ingest_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int ingest_distinct(const cJSON *rec, int with_capability)
{
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(rec, "items"), *v;
    size_t n = (size_t)cJSON_GetArraySize(items), i = 0;
    char **names = eb_xcalloc(n, sizeof(*names));
    int distinct = 0;

    cJSON_ArrayForEach(v, items) names[i++] = ingest_group(v, with_capability);
    if (n > 0)
        qsort(names, n, sizeof(*names), ingest_cmp);
    for (i = 0; i < n; i++)
        distinct += i == 0 || strcmp(names[i - 1], names[i]) != 0;
    for (i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return distinct;
}

/* Before eb_record_validate, which compares all levels with one another, and
 * eb_record_derive, which goes over all items for each group. */
static int ingest_limits(const cJSON *rec, struct eb_err *err)
{
    int rc = ingest_count(rec, "levels", EB_INGEST_LEVELS, err), n;

    if (rc == 0)
        rc = ingest_count(rec, "items", EB_INGEST_ITEMS, err);
    if (rc == 0)
        rc = ingest_count(rec, "speed", EB_INGEST_SPEEDS, err);
    if (rc != 0)
        return rc;
    n = ingest_distinct(rec, 0);
    if (n > EB_INGEST_GROUPS)
        return eb_fail(err, EB_EINVAL,
                       INGEST_WHERE ": $.items has %d pairs of level and "
                                    "lang, more than the %d this collector "
                                    "takes",
                       n, EB_INGEST_GROUPS);
    n = ingest_distinct(rec, 1);
    if (n > EB_INGEST_CAPABILITIES)
        return eb_fail(err, EB_EINVAL,
                       INGEST_WHERE ": $.items has %d capabilities, more than "
                                    "the %d this collector takes",
                       n, EB_INGEST_CAPABILITIES);
    return 0;
}

static int ingest_in_brief(const char *key)
{
    int i;

    for (i = 0; ingest_brief_keys[i] != NULL; i++) {
        if (strcmp(ingest_brief_keys[i], key) == 0)
            return 1;
    }
    return 0;
}

/* Turns the record into its brief. */
static int ingest_make_brief(struct eb_ingest *in, struct eb_err *err)
{
    cJSON *v, *next;

    for (v = in->rec->child; v != NULL; v = next) {
        next = v->next;
        if (!ingest_in_brief(v->string))
            cJSON_Delete(cJSON_DetachItemViaPointer(in->rec, v));
    }
    in->brief = cJSON_PrintUnformatted(in->rec);
    if (in->brief == NULL)
        return eb_fail(err, EB_EINTERNAL, "out of memory");
    if (strlen(in->brief) > EB_INGEST_BRIEF_BYTES)
        return eb_fail(err, EB_EINVAL,
                       INGEST_WHERE ": has more than %u bytes besides items "
                                    "and speed samples",
                       EB_INGEST_BRIEF_BYTES);
    return 0;
}

static const char *ingest_name(const cJSON *rec, const char *part,
                               const char *key)
{
    return eb_json_get_str(cJSON_GetObjectItemCaseSensitive(rec, part), key,
                           "");
}

static size_t ingest_commas(const char *p, size_t len)
{
    size_t n = 0;

    while (len-- > 0)
        n += *p++ == ',';
    return n;
}

int eb_ingest_check(const char *body, size_t len, struct eb_ingest *in,
                    struct eb_err *err)
{
    int rc;

    memset(in, 0, sizeof(*in));
    if (len > EB_RECORD_MAX_BYTES)
        return eb_fail(err, EB_ELIMIT,
                       INGEST_WHERE ": larger than %u bytes: post one run at "
                                    "a time",
                       EB_RECORD_MAX_BYTES);
    if (ingest_commas(body, len) > EB_INGEST_VALUES)
        return eb_fail(err, EB_EINVAL, INGEST_WHERE ": has more than %d values",
                       EB_INGEST_VALUES);
    rc = eb_json_parse(body, len, INGEST_WHERE, &in->rec, err);
    if (rc == EB_ELIMIT) /* nested too deeply: no larger limit would help */
        rc = eb_fail(err, EB_EPARSE,
                     INGEST_WHERE ": nested more than %d levels deep",
                     EB_JSON_DEPTH_MAX);
    if (rc == 0)
        rc = ingest_limits(in->rec, err);
    if (rc == 0)
        rc = eb_record_validate(in->rec, INGEST_WHERE, err);
    if (rc != 0)
        return rc;
    eb_record_derive(in->rec);
    rc = ingest_make_brief(in, err);
    if (rc != 0)
        return rc;
    eb_sha256(body, len, in->sha256);
    in->run.run_id = eb_json_get_str(in->rec, "run_id", "");
    in->run.session_id = eb_json_get_str(in->rec, "session_id", "");
    in->run.sha256 = in->sha256;
    in->run.suite = ingest_name(in->rec, "suite", "name");
    in->run.model = ingest_name(in->rec, "model", "name");
    in->run.device_id = ingest_name(in->rec, "device", "id");
    in->run.device_name = ingest_name(in->rec, "device", "name");
    in->run.brief = in->brief;
    in->run.posted = body;
    in->run.posted_len = len;
    in->run.received_us = eb_clock_wall_us();
    return 0;
}

void eb_ingest_free(struct eb_ingest *in)
{
    cJSON_Delete(in->rec);
    cJSON_free(in->brief);
    memset(in, 0, sizeof(*in));
}
