/* What limits a model's speed on the device, in words. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "reports/limits.h"
#include "reports/section.h"

/* The raw row of the plainest test that only reads or only writes. */
static const cJSON *limits_row(const cJSON *rec, int reads)
{
    const char *wanted = reads ? "pp512" : "tg128";
    const cJSON *row, *first = NULL;

    cJSON_ArrayForEach(row, eb_group_get(rec, "speed"))
    {
        if (strcmp(eb_json_get_str(row, "test", ""), wanted) == 0)
            return row;
        if (first == NULL &&
            eb_json_get_num(row, reads ? "n_gen" : "n_prompt", 0) == 0 &&
            eb_json_get_num(row, "batch", 1) == 1 &&
            eb_json_get_num(row, "depth", 0) == 0)
            first = row;
    }
    return first;
}

static const cJSON *limits_summary(const cJSON *rec, const cJSON *raw)
{
    const char *test = eb_json_get_str(raw, "test", "");
    const cJSON *row;

    cJSON_ArrayForEach(row, eb_group_get(rec, "summary.speed"))
    {
        if (strcmp(eb_json_get_str(row, "test", ""), test) == 0)
            return row;
    }
    return NULL;
}

static double limits_event(const cJSON *phase, const char *event)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, eb_group_get(phase, "events"))
    {
        if (strcmp(eb_json_get_str(row, "event", ""), event) == 0)
            return eb_json_get_num(row, "value", NAN);
    }
    return NAN;
}

static void limits_counters(const cJSON *rec, int reads, struct eb_limit_in *in)
{
    const cJSON *phase = eb_group_get(rec, reads ? "counters.phases.prefill"
                                                 : "counters.phases.decode");
    double s = eb_json_get_num(phase, "wall_ns", 0) / 1e9;
    double threads = eb_group_num(rec, "settings.threads", NAN);

    if (s <= 0)
        s = NAN;
    if (threads <= 0)
        threads = NAN;
    in->faults = limits_event(phase, "major_faults") / s;
    in->switches = limits_event(phase, "context_switches") / s;
    in->migrations = limits_event(phase, "migrations") / s;
    in->ran = limits_event(phase, "task_clock_ns") / 1e9 / s / threads;
}

/* What others used beyond the cores that the engine leaves idle. */
static double limits_taken(const cJSON *rec, const cJSON *raw)
{
    double idle = eb_group_num(rec, "device.cpu.threads", NAN) -
                  eb_group_num(rec, "settings.threads", NAN);
    double others = eb_json_get_num(raw, "others_cores", NAN);

    return isnan(idle) ? NAN : others - fmax(idle, 0);
}

/* Repeats that a mark was set for; else whether the device was throttled. */
static double limits_throttled(const cJSON *rec, const cJSON *row)
{
    const cJSON *whole = eb_group_get(rec, "heat.throttled");
    double n = eb_json_get_num(row, "n", 0);

    if (n > 0 && cJSON_GetObjectItemCaseSensitive(row, "throttled") != NULL)
        return eb_json_get_num(row, "throttled", NAN) / n;
    return cJSON_IsBool(whole) ? cJSON_IsTrue(whole) : NAN;
}

/* All caches of the last level together. */
static double limits_cache(const cJSON *rec)
{
    double bytes = NAN, last = 0;
    const cJSON *c;

    cJSON_ArrayForEach(c, eb_group_get(rec, "device.cpu.caches"))
    {
        double level = eb_json_get_num(c, "level", 0);

        if (level <= last)
            continue;
        last = level;
        bytes =
            eb_json_get_num(c, "bytes", NAN) * eb_json_get_num(c, "count", 1);
    }
    return bytes;
}

static void limits_line(struct eb_doc *d, const cJSON *rec, int reads)
{
    const cJSON *raw = limits_row(rec, reads);
    const cJSON *row = limits_summary(rec, raw);
    struct eb_limit_in in = {.weights_bytes =
                                 eb_group_num(rec, "memory.model_bytes", NAN),
                             .cache_bytes = limits_cache(rec)};
    struct eb_buf b = {0};

    if (isnan(eb_json_get_num(row, "median_tps", NAN)))
        in.no_rate = eb_json_get_str(row, "median_tps_reason", "not measured");
    in.accelerated =
        strcmp(eb_group_str(rec, "model.weights_in", ""), "accelerator") == 0;
    in.mbu = eb_json_get_num(row, "mbu", NAN);
    in.mbu_why = eb_json_get_str(row, "mbu_reason", NULL);
    in.throttled = limits_throttled(rec, row);
    in.taken = limits_taken(rec, raw);
    limits_counters(rec, reads, &in);
    eb_limit_judge(&in, &b);
    eb_doc_add(d, EB_DOC_TEXT, "%s, %s%s%s%s: %s.", eb_group_model(rec),
               reads ? "reading a prompt" : "writing", raw != NULL ? " (" : "",
               eb_json_get_str(raw, "test", ""), raw != NULL ? ")" : "",
               b.data);
    eb_buf_free(&b);
}

void eb_section_limits(struct eb_doc *d, const struct eb_group *g)
{
    size_t i;

    eb_doc_add(d, EB_DOC_H3, "What limits the speed");
    for (i = 0; i < g->n; i++) {
        limits_line(d, g->recs[i], 0);
        limits_line(d, g->recs[i], 1);
    }
}
