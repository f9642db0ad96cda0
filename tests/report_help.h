/* Run records for tests of reports: four models on one device, with fixed ids
 * and times. Static helpers, test programs only. */
#ifndef EB_TEST_REPORT_HELP_H
#define EB_TEST_REPORT_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/record.h"

#define REPORT_ITEMS 100 /* a level and language */

struct report_model {
    const char *name;
    double parameters;
    int right[3][2]; /* of REPORT_ITEMS, by level and language */
};

static const struct report_model report_models[4] = {
    {"ladder-300k", 300000, {{41, 38}, {12, 9}, {20, 15}}},
    {"ladder-1m", 1000000, {{68, 66}, {55, 41}, {47, 44}}},
    {"ladder-4m", 4000000, {{84, 81}, {76, 73}, {62, 55}}},
    {"ladder-12m", 12000000, {{93, 91}, {90, 88}, {74, 71}}}};

static const char *const report_levels[3] = {"triage", "act", "answer"};

static inline void report_items(cJSON *rec, const struct report_model *m,
                                int vague)
{
    static const char *const caps[] = {"intent", "escalate_must", "trap"};
    static const char *const fails[] = {"wrong", "wrong", "unparsed", "wrong",
                                        "truncated"};
    cJSON *items = cJSON_AddArrayToObject(rec, "items"), *o, *gaps;
    char text[64];
    int l, z, i;

    for (l = 0; l < 3; l++) {
        for (z = 0; z < 2; z++) {
            for (i = 0; i < REPORT_ITEMS; i++) {
                /* 37 and 100 share no factor: a fixed scattered order. */
                int rank = i * 37 % REPORT_ITEMS;
                int ok = rank < m->right[l][z] - (vague ? 12 : 0);

                o = cJSON_CreateObject();
                snprintf(text, sizeof(text), "%s-%03d-%s", report_levels[l],
                         i + 1, z ? "zh" : "en");
                cJSON_AddStringToObject(o, "id", text);
                text[strlen(text) - 3] = '\0';
                cJSON_AddStringToObject(o, "pair_id", text);
                cJSON_AddStringToObject(o, "lang", z ? "zh" : "en");
                cJSON_AddStringToObject(o, "level", report_levels[l]);
                cJSON_AddStringToObject(o, "capability", caps[i % 3]);
                cJSON_AddStringToObject(o, "class", ok ? "ok" : fails[i % 5]);
                /* The smaller, the more often English in Chinese talks. */
                if (l == 2)
                    cJSON_AddStringToObject(
                        o, "output",
                        z && rank < m->right[l][z] + 20
                            ? "{\"answer\":\"可以，30 天内。\"}"
                            : "{\"answer\":\"Yes, within 30 days.\"}");
                cJSON_AddNumberToObject(o, "prompt_tokens", 400 + i + 9 * z);
                cJSON_AddNumberToObject(o, "output_tokens", 3);
                cJSON_AddNumberToObject(o, "ttft_ns",
                                        m->parameters * (8 + i % 7));
                cJSON_AddNumberToObject(o, "e2e_ns",
                                        m->parameters * (10 + i % 7));
                gaps = cJSON_AddArrayToObject(o, "gaps_ns");
                cJSON_AddItemToArray(gaps, cJSON_CreateNumber(m->parameters));
                cJSON_AddItemToArray(gaps, cJSON_CreateNumber(m->parameters));
                cJSON_AddItemToArray(items, o);
            }
        }
    }
}

static const char report_base[] =
    "{\"schema\":\"edgebench.run/1\","
    "\"run_id\":\"01934b6f-0000-7000-8000-%012d\","
    "\"session_id\":\"01934b6f-0000-7000-8000-00000000000a\","
    "\"started_at\":\"2026-01-31T08:0%d:09.123Z\","
    "\"ended_at\":\"2026-01-31T08:0%d:50Z\","
    "\"status\":\"complete\",\"status_reason\":null,"
    "\"tool\":{\"name\":\"edgebench\",\"version\":\"0.1.0\"},"
    "\"device\":{\"id\":\"0123456789abcdef\",\"name\":\"workbench\","
    "\"cpu\":{\"model\":\"Example CPU 1\",\"arch\":\"x86_64\",\"cores\":2,"
    "\"threads\":2,\"kinds\":[{\"efficiency\":0,\"threads\":2,"
    "\"max_mhz\":null,\"max_mhz_reason\":\"absent\"}]},"
    "\"memory_bytes\":8000000000,"
    "\"os\":{\"name\":\"Debian GNU/Linux 12\",\"kernel\":\"6.1.0\"},"
    "\"accelerators\":[]},"
    "\"runtime\":{\"engine\":\"fake\",\"version\":\"1\",\"commit\":\"abc1234\","
    "\"backends\":[\"CPU\"]},"
    "\"model\":{\"name\":\"%s\",\"file\":\"%s-q8_0.gguf\","
    "\"sha256\":\"%064d\",\"architecture\":\"llama\",\"parameters\":%.0f,"
    "\"quantization\":\"Q8_0\",\"file_bytes\":%.0f},"
    "\"suite\":{\"name\":\"custsvc\",\"version\":\"1.0.0\","
    "\"digest\":\"5f0c\"},"
    "\"settings\":{\"prompt\":\"%s\",\"seed\":1,\"threads\":2,\"ctx\":4096,"
    "\"batch\":2048,\"ubatch\":512,\"decoding\":\"greedy\","
    "\"prefix_cache\":true,\"constrain\":\"auto\",\"limit\":null,"
    "\"levels\":[\"triage\",\"act\",\"answer\"],"
    "\"item_timeout_ns\":60000000000},"
    "\"levels\":[{\"level\":\"triage\",\"bar\":0.7,\"alpha\":0.05,"
    "\"constrain\":true},{\"level\":\"act\",\"bar\":0.8,\"alpha\":0.05,"
    "\"constrain\":true},{\"level\":\"answer\",\"bar\":0.75,\"alpha\":0.05,"
    "\"kind\":\"grounded\","
    "\"constrain\":false}],\"bars_sha256\":\"ba25\","
    "\"service_bars\":{\"ttft_p95_ms\":100,\"tpot_ms\":200,"
    "\"peak_memory_bytes\":8000000000,\"joules_per_solved\":5},"
    "\"load\":{\"wall_ns\":12000000},"
    "\"memory\":{\"rss_anon_bytes\":20000000,\"rss_file_bytes\":9000000,"
    "\"vm_hwm_bytes\":31000000,\"context_bytes\":null,"
    "\"context_bytes_reason\":\"unsupported\"},"
    "\"speed\":[{\"test\":\"pp512\",\"n_prompt\":512,\"n_gen\":0,"
    "\"samples_ns\":[%.0f,%.0f,%.0f]},{\"test\":\"tg128\",\"n_prompt\":0,"
    "\"n_gen\":128,\"samples_ns\":[%.0f,%.0f,%.0f]}],"
    "\"power\":{\"energy_j\":null,\"energy_j_reason\":\"not measured: no "
    "driver in this build\"},"
    "\"counters\":{\"instructions\":null,\"instructions_reason\":\"no "
    "permission\"},\"summary\":{}}";

/* Record k (0 the smallest) with prompt "clear" or "vague", derived. */
static inline cJSON *report_record(int k, const char *prompt, int items)
{
    const struct report_model *m = &report_models[k];
    int vague = strcmp(prompt, "vague") == 0;
    double p = m->parameters;
    struct eb_err e = {0};
    char text[4096];
    cJSON *rec;

    snprintf(text, sizeof(text), report_base, k + 1 + 10 * vague, k + 4 * vague,
             k + 4 * vague, m->name, m->name, k + 1, p, p * 1.07, prompt,
             p * 100, p * 102, p * 101, p * 60, p * 61, p * 62);
    assert_int_equal(eb_json_parse(text, strlen(text), "t", &rec, &e), 0);
    if (items)
        report_items(rec, m, vague);
    else
        cJSON_AddArrayToObject(rec, "items");
    if (eb_record_validate(rec, "t", &e) != 0)
        fail_msg("%s", e.msg);
    eb_record_derive(rec);
    return rec;
}

#endif
