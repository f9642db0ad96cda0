/* The record's `power` (common/RECORD.md). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/power_parts.h"
#include "common/json.h"

#define POWER_SETTLE_MS 3000
#define POWER_TRACE_DIGITS 1000 /* milliwatts are enough for a chart */

static void json_text(cJSON *out, const char *key, const char *text)
{
    if (text[0] != '\0')
        cJSON_AddStringToObject(out, key, text);
    else
        cJSON_AddNullToObject(out, key);
}

/* The reason's first words, "no permission" of "no permission: ...". */
static void json_state(cJSON *out, const char *reason)
{
    char state[32];

    snprintf(state, sizeof(state), "%.*s", (int)strcspn(reason, ":"), reason);
    cJSON_AddStringToObject(out, "state", state);
    cJSON_AddStringToObject(out, "reason", reason);
}

static void json_drivers(const struct eb_power *p, cJSON *out)
{
    cJSON *arr = cJSON_AddArrayToObject(out, "drivers");
    size_t i;

    for (i = 0; i < p->n_drivers; i++) {
        const struct power_driver *d = &p->drivers[i];
        cJSON *v;

        /* The fake is of no interest where it was not asked for. */
        if (d->ops == &eb_power_fake && d->dev == NULL && d->rc == EB_ENODEV)
            continue;
        v = cJSON_CreateObject();
        cJSON_AddStringToObject(v, "name", d->ops->name);
        if (d->dev == NULL)
            json_state(v, d->reason);
        else
            cJSON_AddStringToObject(v, "state", "used");
        if (d->dev != NULL && d->ops->facts != NULL)
            d->ops->facts(d->dev, v);
        cJSON_AddItemToArray(arr, v);
    }
}

static cJSON *json_window(const struct eb_power *p, size_t window,
                          size_t sensor)
{
    const struct eb_sampler_window *w = eb_sampler_window(p->sampler, window);
    struct eb_sampler_result r;
    cJSON *v = cJSON_CreateObject();

    eb_sampler_result(p->sampler, window, sensor, &r);
    cJSON_AddStringToObject(v, "name", w->name);
    json_text(v, "level", w->level);
    json_text(v, "lang", w->lang);
    cJSON_AddNumberToObject(v, "from_ns", (double)w->from_ns);
    cJSON_AddNumberToObject(v, "to_ns", (double)w->to_ns);
    if (w->items >= 0)
        cJSON_AddNumberToObject(v, "items", (double)w->items);
    if (w->tokens >= 0)
        cJSON_AddNumberToObject(v, "tokens", (double)w->tokens);
    eb_json_add_num(v, "joules", r.joules, r.reason);
    eb_json_add_num(v, "mean_w", r.mean_w, r.reason);
    eb_json_add_num(v, "max_w", r.max_w,
                    r.reason[0] != '\0' ? r.reason : "not measured: too short");
    cJSON_AddNumberToObject(v, "samples", (double)r.reads);
    cJSON_AddNumberToObject(v, "coverage", r.coverage);
    cJSON_AddNumberToObject(v, "largest_gap_ms", r.largest_gap_ms);
    cJSON_AddBoolToObject(v, "valid", r.valid);
    json_text(v, "reason", r.reason);
    return v;
}

static void json_trace(const struct eb_power *p, size_t sensor, cJSON *out)
{
    double w[EB_SAMPLER_TRACE_MAX], bin_ms;
    int64_t from_ns;
    size_t i, n = eb_sampler_trace(p->sampler, sensor, w, &from_ns, &bin_ms);
    cJSON *v = cJSON_AddObjectToObject(out, "trace"), *arr;

    cJSON_AddNumberToObject(v, "from_ns", (double)from_ns);
    cJSON_AddNumberToObject(v, "bin_ms", bin_ms);
    arr = cJSON_AddArrayToObject(v, "w");
    for (i = 0; i < n; i++) {
        if (isnan(w[i]))
            cJSON_AddItemToArray(arr, cJSON_CreateNull());
        else
            cJSON_AddItemToArray(
                arr, cJSON_CreateNumber(round(w[i] * POWER_TRACE_DIGITS) /
                                        POWER_TRACE_DIGITS));
    }
}

static void json_sensor(const struct eb_power *p, size_t k, cJSON *arr)
{
    const struct eb_sampler_source *src = &p->sources[k];
    const struct eb_power_sensor *m = &src->dev->sensors[src->index];
    struct eb_sampler_reads reads;
    cJSON *v = cJSON_CreateObject(), *windows;
    size_t i;

    eb_sampler_reads(p->sampler, k, &reads);
    cJSON_AddStringToObject(v, "name", m->name);
    cJSON_AddStringToObject(v, "driver", src->dev->ops->name);
    cJSON_AddStringToObject(v, "scope", eb_power_scope_name(m->scope));
    if (m->sum < EB_POWER_SCOPES)
        cJSON_AddStringToObject(v, "sum", eb_power_scope_name(m->sum));
    else
        cJSON_AddNullToObject(v, "sum");
    cJSON_AddStringToObject(v, "kind",
                            m->kind == EB_POWER_GAUGE ? "gauge" : "counter");
    if (m->method != NULL)
        cJSON_AddStringToObject(v, "method", m->method);
    cJSON_AddNumberToObject(v, "period_ms",
                            eb_sampler_period_ms(p->sampler, k));
    cJSON_AddNumberToObject(v, "step_ms", m->step_ms);
    cJSON_AddNumberToObject(v, "reads", (double)reads.n);
    cJSON_AddNumberToObject(v, "reads_failed", (double)reads.failed);
    cJSON_AddNumberToObject(v, "read_us_mean", reads.mean_us);
    cJSON_AddNumberToObject(v, "read_us_max", reads.max_us);
    windows = cJSON_AddArrayToObject(v, "windows");
    for (i = 0; i < eb_sampler_windows(p->sampler); i++)
        cJSON_AddItemToArray(windows, json_window(p, i, k));
    json_trace(p, k, v);
    cJSON_AddItemToArray(arr, v);
}

/* A group: the sensors of one driver that add up to one scope. */

struct json_group {
    const struct eb_power_ops *driver;
    enum eb_power_scope scope;
};

static int json_in_group(const struct eb_power *p, size_t k,
                         const struct json_group *g)
{
    const struct eb_power_dev *dev = p->sources[k].dev;

    return dev->ops == g->driver &&
           dev->sensors[p->sources[k].index].sum == g->scope;
}

/* How well the scope stands for the work: what holds most of the device
 * first, then where the engine computes. */
static int json_rank(const struct eb_power *p, enum eb_power_scope scope)
{
    if (scope == EB_POWER_GPU_BOARD && p->cpu_only)
        return EB_POWER_SCOPES; /* not what it runs on */
    if (scope == EB_POWER_GPU_BOARD && !p->gpu_known)
        return 2 * EB_POWER_PACKAGE + 1;
    return 2 * (int)scope;
}

/* The sum over the group's sensors of the last window of that name. */
static double json_sum(const struct eb_power *p, const struct json_group *g,
                       const char *name, int *valid, double *seconds,
                       char *reason, size_t size)
{
    size_t n = eb_sampler_windows(p->sampler), k;
    struct eb_sampler_result r;
    double joules = 0;

    while (n > 0 &&
           strcmp(eb_sampler_window(p->sampler, n - 1)->name, name) != 0)
        n--;
    *valid = n > 0;
    if (n == 0) {
        snprintf(reason, size, "not measured: no window \"%s\"", name);
        return NAN;
    }
    *seconds = (double)(eb_sampler_window(p->sampler, n - 1)->to_ns -
                        eb_sampler_window(p->sampler, n - 1)->from_ns) /
               1e9;
    for (k = 0; k < p->n; k++) {
        if (!json_in_group(p, k, g))
            continue;
        eb_sampler_result(p->sampler, n - 1, k, &r);
        *valid &= r.valid;
        joules += r.joules; /* NAN of one is NAN of all */
        if (!r.valid && reason[0] == '\0')
            snprintf(reason, size, "%s (%s)", r.reason,
                     p->sources[k].dev->sensors[p->sources[k].index].name);
    }
    return joules;
}

/* The best group that measured the whole run, else the best. */
static int json_best(const struct eb_power *p, struct json_group *best)
{
    int found = 0, rank = 0, good = 0, valid;
    char reason[256];
    double seconds;
    size_t k;

    for (k = 0; k < p->n; k++) {
        const struct eb_power_dev *dev = p->sources[k].dev;
        struct json_group g = {dev->ops, dev->sensors[p->sources[k].index].sum};
        int now, has;

        if (g.scope == EB_POWER_SCOPES)
            continue;
        reason[0] = '\0';
        now = json_rank(p, g.scope);
        has = !isnan(json_sum(p, &g, "whole", &valid, &seconds, reason,
                              sizeof(reason))) &&
              valid;
        if (found && (has < good || (has == good && now >= rank)))
            continue;
        *best = g;
        rank = now;
        good = has;
        found = 1;
    }
    return found;
}

static void json_group_rows(const struct eb_power *p,
                            const struct json_group *g, cJSON *out)
{
    cJSON *v = cJSON_AddObjectToObject(out, "best"), *arr, *idle;
    char reason[256] = "", idle_reason[256] = "";
    int valid, idle_valid;
    double seconds = 0, joules, idle_j, idle_s = 0;
    size_t k;

    cJSON_AddStringToObject(v, "driver", g->driver->name);
    cJSON_AddStringToObject(v, "scope", eb_power_scope_name(g->scope));
    arr = cJSON_AddArrayToObject(v, "sensors");
    for (k = 0; k < p->n; k++) {
        if (json_in_group(p, k, g))
            cJSON_AddItemToArray(
                arr, cJSON_CreateString(
                         p->sources[k].dev->sensors[p->sources[k].index].name));
    }
    joules = json_sum(p, g, "whole", &valid, &seconds, reason, sizeof(reason));
    idle_j = json_sum(p, g, "idle", &idle_valid, &idle_s, idle_reason,
                      sizeof(idle_reason));
    idle = cJSON_AddObjectToObject(out, "idle");
    eb_json_add_num(idle, "mean_w", idle_valid ? idle_j / idle_s : NAN,
                    idle_reason);
    if (idle_s > 0)
        cJSON_AddNumberToObject(idle, "seconds", idle_s);
    eb_json_add_num(out, "energy_j", joules, reason);
    cJSON_AddBoolToObject(out, "valid", valid);
    cJSON_AddStringToObject(out, "scope", eb_power_scope_name(g->scope));
}

static void json_nothing(cJSON *out, const char *reason)
{
    eb_json_add_null(out, "idle", reason);
    eb_json_add_null(out, "energy_j", reason);
    cJSON_AddBoolToObject(out, "valid", 0);
    cJSON_AddNullToObject(out, "scope");
}

/* The reason that a person can do most about. */
static const char *json_why(const struct eb_power *p)
{
    size_t i;

    if (p->mode == EB_POWER_OFF)
        return "not measured: --power off";
    for (i = 0; i < p->n_drivers; i++) {
        if (p->drivers[i].rc == EB_EPERM)
            return p->drivers[i].reason;
    }
    for (i = 0; i < p->n_drivers; i++) {
        if (p->drivers[i].rc != 0 && p->drivers[i].rc != EB_ENODEV)
            return p->drivers[i].reason;
    }
    for (i = 0; i < p->n_drivers; i++) {
        if (strncmp(p->drivers[i].reason, "masked", 6) == 0)
            return p->drivers[i].reason;
    }
    return "absent: no power sensor on this machine";
}

cJSON *eb_power_json(struct eb_power *p)
{
    cJSON *out = cJSON_CreateObject(), *sensors;
    struct json_group best;
    size_t k;

    cJSON_AddStringToObject(
        out, "mode", eb_power_mode_name(p != NULL ? p->mode : EB_POWER_OFF));
    if (p == NULL) {
        json_nothing(out, "not measured: the run did not ask");
        return out;
    }
    json_drivers(p, out);
    sensors = cJSON_AddArrayToObject(out, "sensors");
    if (p->sampler == NULL) {
        json_nothing(out, json_why(p));
        return out;
    }
    while (p->depth > 0)
        eb_power_window_end(p);
    eb_sampler_settle(p->sampler, POWER_SETTLE_MS);
    for (k = 0; k < p->n; k++)
        json_sensor(p, k, sensors);
    if (eb_sampler_left_out(p->sampler) > 0)
        cJSON_AddNumberToObject(out, "windows_left_out",
                                (double)eb_sampler_left_out(p->sampler));
    if (json_best(p, &best))
        json_group_rows(p, &best, out);
    else
        json_nothing(out, "absent: no sensor stands for a whole");
    return out;
}
