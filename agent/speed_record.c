/* The record of a model that the speed suite measured (common/RECORD.md). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/device.h"
#include "agent/memory.h"
#include "agent/speed_parts.h"
#include "common/clock.h"
#include "common/json.h"

/* Passes are told apart by their lengths. */
static void record_series(const struct eb_series *s, cJSON *row)
{
    cJSON *samples = cJSON_AddArrayToObject(row, "samples_ns"), *passes;
    size_t i, end;

    for (i = 0; i < s->n; i++)
        cJSON_AddItemToArray(samples, cJSON_CreateNumber((double)s->ns[i]));
    if (s->n == 0)
        return;
    passes = cJSON_AddArrayToObject(row, "passes");
    for (i = 0; i < s->n_passes; i++) {
        end = i + 1 < s->n_passes ? s->pass[i + 1] : s->n;
        cJSON_AddItemToArray(passes,
                             cJSON_CreateNumber((double)(end - s->pass[i])));
    }
    cJSON_AddNumberToObject(row, "warm_repeats", (double)s->warm_repeats);
    cJSON_AddBoolToObject(row, "warm_settled", s->cold_passes == 0);
}

/* The repeats that something slowed down, counted from 0; null where nothing
 * on this machine tells. */
static void record_throttled(const struct eb_speed_test *t, cJSON *row)
{
    const struct eb_series *s = &t->series;
    cJSON *at;
    size_t i;

    for (i = 0; i < s->n && s->mark[i] < 0; i++)
        ;
    if (i == s->n) {
        eb_json_add_null(row, "throttled_repeats", t->throttled_why);
        return;
    }
    at = cJSON_AddArrayToObject(row, "throttled_repeats");
    for (i = 0; i < s->n; i++) {
        if (s->mark[i] > 0)
            cJSON_AddItemToArray(at, cJSON_CreateNumber((double)i));
    }
    if (cJSON_GetArraySize(at) > 0)
        cJSON_AddStringToObject(row, "throttled_why", t->throttled_why);
}

void eb_speed_judged(const struct eb_speed *s, double others, const char *why,
                     cJSON *row)
{
    double most =
        eb_speed_others_max(s->run.settings.threads, eb_device_threads());
    char reason[EB_SERIES_REASON];

    snprintf(reason, sizeof(reason), "%s", why);
    if (others > most)
        snprintf(reason, sizeof(reason),
                 "other processes used %.2f cores meanwhile, at most %.2f is "
                 "quiet",
                 others, most);
    eb_json_add_num(row, "others_cores", others,
                    "out of range: less than half a second, or no /proc/stat");
    cJSON_AddBoolToObject(row, "stable", reason[0] == '\0');
    if (reason[0] != '\0')
        cJSON_AddStringToObject(row, "reason", reason);
}

static void record_stable(const struct eb_speed *s,
                          const struct eb_speed_test *t, cJSON *row)
{
    char reason[EB_SERIES_REASON];

    eb_series_judge(&t->series, &s->rule, reason);
    eb_speed_judged(s, t->others, reason, row);
}

static cJSON *record_rows(const struct eb_speed *s,
                          const struct eb_speed_model *v)
{
    cJSON *out = cJSON_CreateArray(), *row;
    size_t i;

    for (i = 0; i < v->n_tests; i++) {
        const struct eb_speed_test *t = &v->tests[i];

        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "test", t->name);
        cJSON_AddNumberToObject(row, "n_prompt", t->shape.n_prompt);
        cJSON_AddNumberToObject(row, "n_gen", t->shape.n_gen);
        cJSON_AddNumberToObject(row, "depth", t->shape.depth);
        cJSON_AddNumberToObject(row, "batch", t->shape.batch);
        record_series(&t->series, row);
        if (t->series.n > 0) {
            record_throttled(t, row);
            record_stable(s, t, row);
        } else {
            cJSON_AddStringToObject(row, "samples_ns_reason",
                                    t->reason[0] != '\0'
                                        ? t->reason
                                        : "not measured: stopped before");
        }
        cJSON_AddItemToArray(out, row);
    }
    return out;
}

static void record_settings(const struct eb_speed *s, cJSON *rec)
{
    cJSON *out = cJSON_GetObjectItemCaseSensitive(rec, "settings");

    cJSON_AddNumberToObject(out, "budget_ns", (double)s->opts.budget_ns);
    cJSON_AddNumberToObject(out, "within", s->rule.within);
    cJSON_AddNumberToObject(out, "passes", s->n_passes);
    cJSON_AddStringToObject(out, "depths", s->opts.depths_text);
    cJSON_AddStringToObject(out, "batches", s->opts.batches_text);
}

/* The peak of the run, not of its last phase. */
static void record_memory(struct eb_speed_model *v, cJSON *rec)
{
    cJSON *out = cJSON_GetObjectItemCaseSensitive(rec, "memory");

    if (out == NULL)
        return;
    if (v->peak_bytes > 0)
        cJSON_ReplaceItemInObjectCaseSensitive(
            out, "vm_hwm_bytes", cJSON_CreateNumber(v->peak_bytes));
    if (v->m.shared_peak)
        eb_memory_shared_peak(out);
    cJSON_AddItemToObject(out, "phases", v->phases);
    v->phases = NULL;
}

/* Other models ran between the passes: what was watched stands apart. */
static void record_passes(struct eb_speed_model *v, cJSON *rec)
{
    if (cJSON_GetArraySize(v->watched) == 0)
        return;
    cJSON_AddItemToObject(rec, "further_passes", v->watched);
    v->watched = NULL;
}

cJSON *eb_speed_record(struct eb_speed *s, struct eb_speed_model *v)
{
    cJSON *rec, *load;

    v->part.ended_us = eb_clock_wall_us();
    if (v->part.started_us < 0)
        v->part.started_us = v->part.ended_us;
    if (v->part.start == NULL)
        v->part.start = eb_device_conditions(s->env.sysroot);
    v->part.end = eb_device_conditions(s->env.sysroot);
    if (v->failed[0] != '\0') {
        v->part.status = "engine_error";
        v->part.reason = v->failed;
    }
    s->run.settings.slots = 1;
    eb_run_tuned_use(&s->run, v->m.path);
    v->m.speed = record_rows(s, v);
    v->part.watched = cJSON_DetachItemFromArray(v->watched, 0);
    rec = eb_run_record(&s->run, &v->m, &v->part);
    record_settings(s, rec);
    record_passes(v, rec);
    record_memory(v, rec);
    load = cJSON_GetObjectItemCaseSensitive(rec, "load");
    while (v->load->child != NULL) {
        cJSON *x = cJSON_DetachItemViaPointer(v->load, v->load->child);

        cJSON_AddItemToObject(load, x->string, x);
    }
    cJSON_AddItemToObject(cJSON_GetObjectItemCaseSensitive(rec, "conditions"),
                          "gates", v->gates);
    v->gates = NULL;
    if (s->opts.requests) {
        cJSON_AddItemToObject(rec, "requests",
                              eb_speed_requests_take(&v->asks));
        cJSON_AddItemToObject(rec, "requests_watch", v->asks_watch);
        v->asks_watch = NULL;
        if (v->asks_reason[0] != '\0')
            cJSON_AddStringToObject(rec, "requests_reason", v->asks_reason);
    }
    if (v->sustained != NULL)
        cJSON_AddItemToObject(rec, "sustained", v->sustained);
    else if (v->sustained_reason[0] != '\0')
        eb_json_add_null(rec, "sustained", v->sustained_reason);
    v->sustained = NULL;
    eb_record_derive(rec);
    return rec;
}
