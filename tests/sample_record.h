/* A minimal valid run record, for tests and tools. */
#ifndef EB_TEST_SAMPLE_RECORD_H
#define EB_TEST_SAMPLE_RECORD_H

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/record.h"

static inline void sample_record_items(cJSON *rec, int passes, int n)
{
    cJSON *items = cJSON_AddArrayToObject(rec, "items"), *item;
    char id[48];
    int i;

    for (i = 0; i < n; i++) {
        item = cJSON_CreateObject();
        snprintf(id, sizeof(id), "triage-%03d-en", i + 1);
        cJSON_AddStringToObject(item, "id", id);
        cJSON_AddStringToObject(item, "lang", "en");
        cJSON_AddStringToObject(item, "level", "triage");
        cJSON_AddStringToObject(item, "capability", "intent");
        cJSON_AddStringToObject(item, "class", i < passes ? "ok" : "wrong");
        cJSON_AddStringToObject(item, "detail", "");
        cJSON_AddStringToObject(item, "output", "{}");
        cJSON_AddNumberToObject(item, "prompt_tokens", 400);
        cJSON_AddNumberToObject(item, "output_tokens", 20);
        cJSON_AddNumberToObject(item, "ttft_ns", 40e6);
        cJSON_AddNumberToObject(item, "e2e_ns", 240e6);
        cJSON_AddItemToArray(items, item);
    }
}

/* A new run of the suite custsvc, level triage (bar 0.7), language en, with
 * n items of which `passes` are ok. All records have the same device, runtime
 * and settings, and a session of their own; the summary is empty. Delete with
 * cJSON_Delete. */
static inline cJSON *sample_record(const char *model, double params, int passes,
                                   int n)
{
    static const char base[] =
        "{\"schema\":\"" EB_RECORD_SCHEMA "\",\"status\":\"complete\","
        "\"status_reason\":null,"
        "\"tool\":{\"name\":\"edgebench\",\"version\":\"0.1.0\"},"
        "\"device\":{\"id\":\"0123456789abcdef\",\"name\":\"box\"},"
        "\"runtime\":{\"engine\":\"fake\",\"version\":\"1\"},"
        "\"suite\":{\"name\":\"custsvc\",\"version\":\"1.0.0\","
        "\"digest\":\"d1\"},"
        "\"settings\":{\"prompt\":\"clear\",\"seed\":1,\"limit\":null},"
        "\"levels\":[{\"level\":\"triage\",\"bar\":0.7,\"alpha\":0.05}],"
        "\"bars_sha256\":\"b1\","
        "\"memory\":{\"rss_anon_bytes\":100000000},"
        "\"speed\":[{\"test\":\"tg128\",\"n_prompt\":0,\"n_gen\":128,"
        "\"depth\":0,\"batch\":1,"
        "\"samples_ns\":[1000000000,1010000000,990000000]}],"
        "\"summary\":{}}";
    char uuid[EB_UUID_LEN], now[EB_TIME_LEN], sha256[80];
    cJSON *rec = cJSON_Parse(base), *m;

    eb_uuid7(uuid);
    cJSON_AddStringToObject(rec, "run_id", uuid);
    eb_uuid7(uuid);
    cJSON_AddStringToObject(rec, "session_id", uuid);
    eb_time_format(eb_clock_wall_us(), now);
    cJSON_AddStringToObject(rec, "started_at", now);
    cJSON_AddStringToObject(rec, "ended_at", now);
    m = cJSON_AddObjectToObject(rec, "model");
    snprintf(sha256, sizeof(sha256), "digest of %.60s", model);
    cJSON_AddStringToObject(m, "name", model);
    cJSON_AddStringToObject(m, "sha256", sha256);
    cJSON_AddNumberToObject(m, "parameters", params);
    cJSON_AddNumberToObject(m, "file_bytes", params);
    sample_record_items(rec, passes, n);
    return rec;
}

#endif
