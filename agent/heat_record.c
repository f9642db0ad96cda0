/* The record's `heat`. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/heat_parts.h"
#include "common/json.h"

static void record_num(cJSON *out, const char *key, double v, const char *why)
{
    if (why == NULL && !isnan(v))
        cJSON_AddNumberToObject(out, key, v);
    else
        eb_json_add_null(out, key, why != NULL ? why : "absent");
}

static void record_zones(const struct eb_heat *h, const struct heat_snapshot *s,
                         cJSON *out)
{
    cJSON *rows = cJSON_AddArrayToObject(out, "zones"), *row;
    int i;

    for (i = 0; i < h->n_zones; i++) {
        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "zone", h->zone[i].name);
        record_num(row, "temperature_c", s->zone[i], s->zone_why[i]);
        cJSON_AddItemToArray(rows, row);
    }
    if (h->n_zones == 0)
        cJSON_AddStringToObject(out, "zones_reason", "absent");
}

static void record_clocks(const struct eb_heat *h,
                          const struct heat_snapshot *s, cJSON *out)
{
    cJSON *rows = cJSON_AddArrayToObject(out, "clocks"), *row;
    char text[64];
    double v;
    int i;

    for (i = 0; i < h->n_clocks; i++) {
        const struct heat_clock *c = &h->clock[i];

        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "domain", c->name);
        if (c->is_cpu && eb_sysfs_textf(h->sysroot, text, sizeof(text),
                                        "%s/affected_cpus", c->path) == NULL)
            cJSON_AddStringToObject(row, "cpus", text);
        record_num(row, "now_khz", s->clock_khz[i], NULL);
        if (eb_sysfs_numf(h->sysroot, &v, "%s/%s", c->path,
                          c->is_cpu ? "scaling_min_freq" : "min_freq") != NULL)
            v = NAN;
        record_num(row, "floor_khz", c->is_cpu ? v : v / 1000, NULL);
        record_num(row, "ceiling_khz", s->ceiling_khz[i], NULL);
        if (c->is_cpu) {
            if (eb_sysfs_numf(h->sysroot, &v, "%s/cpuinfo_max_freq", c->path) !=
                NULL)
                v = NAN;
            record_num(row, "hardware_max_khz", v, NULL);
        }
        if (s->governor[i][0] != '\0')
            cJSON_AddStringToObject(row, "governor", s->governor[i]);
        else
            eb_json_add_null(row, "governor", "absent");
        cJSON_AddItemToArray(rows, row);
    }
    if (h->n_clocks == 0)
        cJSON_AddStringToObject(out, "clocks_reason", "absent");
}

static void record_cooling(const struct eb_heat *h,
                           const struct heat_snapshot *s, cJSON *out)
{
    static const char *const kinds[] = {"fan", "limit", "other"};
    cJSON *rows = cJSON_AddArrayToObject(out, "cooling"), *row;
    double v;
    int i;

    for (i = 0; i < h->n_cooling; i++) {
        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "device", h->cooling[i].name);
        cJSON_AddStringToObject(row, "kind", kinds[h->cooling[i].kind]);
        record_num(row, "state", s->cooling[i], NULL);
        if (eb_sysfs_numf(h->sysroot, &v, "%s/max_state", h->cooling[i].path) !=
            NULL)
            v = NAN;
        record_num(row, "max_state", v, NULL);
        cJSON_AddItemToArray(rows, row);
    }
    if (h->n_cooling == 0)
        cJSON_AddStringToObject(out, "cooling_reason", "absent");
}

static void record_gpus(const struct eb_heat *h, const struct heat_snapshot *s,
                        cJSON *out)
{
    cJSON *rows = cJSON_AddArrayToObject(out, "gpus"), *row;
    int i;

    for (i = 0; i < h->n_gpus; i++) {
        const struct eb_heat_gpu_now *g = &s->mark.gpu[i];

        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "gpu", h->gpu[i].name);
        record_num(row, "temperature_c", g->temperature_c, NULL);
        record_num(row, "clock_mhz", g->clock_mhz, NULL);
        record_num(row, "clock_reasons",
                   g->has_reasons ? (double)g->reasons : NAN, NULL);
        cJSON_AddItemToArray(rows, row);
    }
    if (h->n_gpus == 0)
        cJSON_AddStringToObject(out, "gpus_reason", "absent");
}

static void record_counters(const struct eb_heat *h,
                            const struct heat_snapshot *s, cJSON *out)
{
    cJSON *rows = cJSON_AddArrayToObject(out, "throttle"), *row;
    int i;

    for (i = 0; i < h->n_counters; i++) {
        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "counter", h->counter[i].name);
        record_num(row, h->counter[i].is_flags ? "flags" : "count",
                   s->mark.count[i], NULL);
        cJSON_AddItemToArray(rows, row);
    }
    if (h->n_counters == 0)
        cJSON_AddStringToObject(out, "throttle_reason", "absent");
}

static void record_snapshot(const struct eb_heat *h, const char *key,
                            const struct heat_snapshot *s, cJSON *out)
{
    cJSON *v;

    if (!s->taken) {
        eb_json_add_null(out, key, "not measured");
        return;
    }
    v = cJSON_AddObjectToObject(out, key);
    cJSON_AddNumberToObject(v, "at_ns", (double)s->at_ns);
    record_zones(h, s, v);
    record_clocks(h, s, v);
    record_cooling(h, s, v);
    record_counters(h, s, v);
    record_gpus(h, s, v);
    if (s->android >= 0)
        cJSON_AddNumberToObject(v, "android_thermal_status", s->android);
    else if (strcmp(s->android_why, "absent") != 0)
        eb_json_add_null(v, "android_thermal_status", s->android_why);
    if (s->power_mode[0] != '\0')
        cJSON_AddStringToObject(v, "nvpmodel", s->power_mode);
}

/* Whether each kept sample is a number. */
static int series_whole(const struct eb_heat *h, const struct heat_series *s)
{
    int i;

    for (i = 0; i < h->n_samples; i++) {
        if (isnan(s->v[i]))
            return 0;
    }
    return 1;
}

/* One series; without values where they never changed. */
static void record_series(const struct eb_heat *h, const char *kind,
                          const char *name, const struct heat_series *s,
                          cJSON *rows)
{
    cJSON *row = cJSON_CreateObject(), *values;
    int i;

    cJSON_AddStringToObject(row, "kind", kind);
    cJSON_AddStringToObject(row, "name", name);
    record_num(row, "min", s->lo, NULL);
    record_num(row, "max", s->hi, NULL);
    cJSON_AddItemToArray(rows, row);
    if (!isnan(s->lo) && s->lo == s->hi && series_whole(h, s)) {
        cJSON_AddBoolToObject(row, "constant", 1);
        return;
    }
    values = cJSON_AddArrayToObject(row, "values");
    for (i = 0; i < h->n_samples; i++) {
        /* float keeps 7 digits: 45.1 must not become 45.099998. */
        if (isnan(s->v[i]))
            cJSON_AddItemToArray(values, cJSON_CreateNull());
        else
            cJSON_AddItemToArray(
                values, cJSON_CreateNumber(round(s->v[i] * 1000.0) / 1000));
    }
}

static void record_through(const struct eb_heat *h, cJSON *out)
{
    cJSON *v, *rows;
    int i;

    if (h->calls == 0) {
        eb_json_add_null(out, "through", "not measured");
        return;
    }
    v = cJSON_AddObjectToObject(out, "through");
    cJSON_AddNumberToObject(v, "samples", (double)h->calls);
    cJSON_AddNumberToObject(v, "kept_one_of", (double)h->stride);
    cJSON_AddNumberToObject(v, "sample_cost_ns",
                            (double)(h->sample_ns / h->calls));
    rows = cJSON_AddArrayToObject(v, "at_ns");
    for (i = 0; i < h->n_samples; i++)
        cJSON_AddItemToArray(rows, cJSON_CreateNumber((double)h->at_ns[i]));
    rows = cJSON_AddArrayToObject(v, "series");
    for (i = 0; i < h->n_zones; i++)
        record_series(h, "temperature_c", h->zone[i].name, &h->zone_series[i],
                      rows);
    for (i = 0; i < h->n_gpus; i++)
        record_series(h, "gpu_temperature_c", h->gpu[i].name, &h->gpu_series[i],
                      rows);
    for (i = 0; i < h->n_clocks; i++)
        record_series(h, "clock_khz", h->clock[i].name, &h->clock_series[i],
                      rows);
    for (i = 0; i < h->n_cooling; i++)
        record_series(h, "cooling_state", h->cooling[i].name,
                      &h->cooling_series[i], rows);
}

cJSON *eb_heat_record(const struct eb_heat *h)
{
    cJSON *out = cJSON_CreateObject();
    char why[160];
    int seen = eb_heat_between(h, why, sizeof(why));

    if (seen < 0) {
        eb_json_add_null(out, "throttled", why);
    } else {
        cJSON_AddBoolToObject(out, "throttled", seen);
        if (seen)
            cJSON_AddStringToObject(out, "throttled_why", why);
    }
    if (h->n_left_out > 0)
        cJSON_AddNumberToObject(out, "left_out", h->n_left_out);
    record_snapshot(h, "before", &h->before, out);
    record_through(h, out);
    record_snapshot(h, "after", &h->after, out);
    return out;
}
