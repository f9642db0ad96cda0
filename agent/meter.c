#include "agent/meter.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

void eb_meter_init(struct eb_meter *m, size_t cap)
{
    memset(m, 0, sizeof(*m));
    m->gaps_ns = eb_xcalloc(cap, sizeof(*m->gaps_ns));
    m->cap = cap;
    eb_meter_reset(m);
}

void eb_meter_free(struct eb_meter *m)
{
    if (m == NULL)
        return;
    free(m->gaps_ns);
    memset(m, 0, sizeof(*m));
}

void eb_meter_reset(struct eb_meter *m)
{
    int64_t *gaps = m->gaps_ns;
    size_t cap = m->cap;

    memset(m, 0, sizeof(*m));
    m->gaps_ns = gaps;
    m->cap = cap;
    m->last_ns = -1;
    m->ttft_ns = -1;
}

void eb_meter_begin(struct eb_meter *m, int64_t now_ns)
{
    m->request_ns = now_ns;
    m->last_ns = -1;
}

void eb_meter_token(struct eb_meter *m, int64_t now_ns)
{
    if (m->last_ns < 0) {
        if (m->ttft_ns < 0)
            m->ttft_ns = now_ns - m->request_ns;
    } else if (m->n_gaps < m->cap) {
        m->gaps_ns[m->n_gaps++] = now_ns - m->last_ns;
    }
    m->last_ns = now_ns;
    m->tokens++;
}

void eb_meter_finish(struct eb_meter *m, int64_t now_ns)
{
    m->e2e_ns += (m->last_ns < 0 ? now_ns : m->last_ns) - m->request_ns;
}

static void meter_counts(const struct eb_meter *m, cJSON *item)
{
    cJSON_AddNumberToObject(item, "prompt_tokens", (double)m->prompt_tokens);
    cJSON_AddNumberToObject(item, "cached_tokens", (double)m->cached_tokens);
    cJSON_AddNumberToObject(item, "output_tokens", (double)m->tokens);
}

void eb_meter_record_tokens(const struct eb_meter *m, cJSON *item)
{
    meter_counts(m, item);
    eb_json_add_null(item, "ttft_ns", "not measured: throughput run");
    eb_json_add_null(item, "e2e_ns", "not measured: throughput run");
}

void eb_meter_record(const struct eb_meter *m, cJSON *item)
{
    cJSON *gaps;
    size_t i;

    meter_counts(m, item);
    if (m->ttft_ns < 0)
        eb_json_add_null(item, "ttft_ns", "absent: no token");
    else
        cJSON_AddNumberToObject(item, "ttft_ns", (double)m->ttft_ns);
    cJSON_AddNumberToObject(item, "e2e_ns", (double)m->e2e_ns);
    gaps = cJSON_AddArrayToObject(item, "gaps_ns");
    for (i = 0; i < m->n_gaps; i++)
        cJSON_AddItemToArray(gaps, cJSON_CreateNumber((double)m->gaps_ns[i]));
}
