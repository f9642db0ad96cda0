#include "agent/watch.h"

#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#define WATCH_IDLE_MS 1000      /* where there is a sensor */
#define WATCH_IDLE_MAX_MS 10000 /* a slow one may leave idle unknown */
#define WATCH_TICK_NS INT64_C(1000000000)

int eb_watch_open(struct eb_watch *w, const char *sysroot,
                  enum eb_power_mode mode, struct eb_err *err)
{
    struct eb_power_hints hints = {0};
    int rc;

    memset(w, 0, sizeof(*w));
    w->sysroot = sysroot;
    rc = eb_power_open(sysroot, mode, &hints, &w->power, err);
    if (rc == 0)
        rc = eb_counters_open(sysroot, &w->counters, err);
    if (rc == 0) {
        w->nvml = eb_heat_nvml_open(sysroot);
        w->gpu = eb_memory_gpu_open(sysroot);
        eb_watch_next(w);
    } else {
        eb_watch_close(w);
    }
    return rc;
}

void eb_watch_close(struct eb_watch *w)
{
    if (w == NULL)
        return;
    eb_power_close(w->power);
    eb_counters_close(w->counters);
    eb_heat_close(w->heat);
    eb_heat_nvml_close(w->nvml);
    eb_memory_gpu_close(w->gpu);
    memset(w, 0, sizeof(*w));
}

static enum eb_phase watch_phase(const char *name)
{
    static const char *const names[EB_PHASES] = {"whole", "prefill", "decode"};
    int i = 0;

    while (i < EB_PHASES && strcmp(names[i], name) != 0)
        i++;
    return (enum eb_phase)i;
}

void eb_watch_begin(struct eb_watch *w, const char *name, const char *level,
                    const char *lang)
{
    enum eb_phase phase = watch_phase(name);

    if (w == NULL || w->counters == NULL)
        return;
    if (w->depth < EB_WATCH_DEPTH)
        w->phases[w->depth] = phase;
    if (w->depth++ >= EB_WATCH_DEPTH)
        return; /* too deep to be watched; its end must still match */
    eb_power_window_begin(w->power, name, level, lang);
    if (phase < EB_PHASES)
        eb_counters_begin(w->counters, phase);
}

void eb_watch_end(struct eb_watch *w, int64_t items, int64_t tokens)
{
    enum eb_phase phase;

    if (w == NULL || w->depth == 0 || --w->depth >= EB_WATCH_DEPTH)
        return;
    phase = w->phases[w->depth];
    if (phase < EB_PHASES)
        eb_counters_end(w->counters, phase);
    eb_power_window_count(w->power, items, tokens);
    eb_power_window_end(w->power);
}

void eb_watch_loading(struct eb_watch *w)
{
    if (w != NULL)
        eb_memory_gpu_before(w->gpu);
}

void eb_watch_memory(const struct eb_watch *w, cJSON *memory)
{
    eb_memory_gpu_add(w != NULL ? w->gpu : NULL, memory);
}

void eb_watch_engine(struct eb_watch *w, const struct eb_engine *e)
{
    if (w != NULL)
        eb_memory_gpu_engine(w->gpu, e);
    if (w != NULL && e->gpus_known)
        eb_power_gpus(w->power, e->gpus, e->n_gpus);
    else if (w != NULL)
        eb_power_gpus_unknown(w->power);
}

void eb_watch_tick(struct eb_watch *w)
{
    int64_t now;

    if (w == NULL || w->heat == NULL)
        return;
    now = eb_clock_ns();
    if (now - w->ticked_ns < WATCH_TICK_NS)
        return;
    w->ticked_ns = now;
    eb_heat_sample(w->heat, now);
}

/* Nothing was opened; each says so itself. */
static void watch_none(cJSON *rec)
{
    static const char why[] = "not measured: the run did not ask";
    cJSON *v;

    cJSON_AddItemToObject(rec, "power", eb_power_json(NULL));
    v = cJSON_AddObjectToObject(rec, "counters");
    eb_json_add_null(v, "phases", why);
    v = cJSON_AddObjectToObject(rec, "heat");
    eb_json_add_null(v, "throttled", why);
}

void eb_watch_record(struct eb_watch *w, cJSON *rec)
{
    if (w == NULL || w->counters == NULL) {
        watch_none(rec);
        return;
    }
    eb_heat_after(w->heat);
    cJSON_AddItemToObject(rec, "power", eb_power_json(w->power));
    cJSON_AddItemToObject(rec, "counters", eb_counters_record(w->counters));
    cJSON_AddItemToObject(rec, "heat", eb_heat_record(w->heat));
}

static int64_t watch_idle_ms(const struct eb_watch *w)
{
    int64_t ms = eb_power_shortest_ms(w->power);

    if (ms < WATCH_IDLE_MS)
        return WATCH_IDLE_MS;
    return ms < WATCH_IDLE_MAX_MS ? ms : WATCH_IDLE_MAX_MS;
}

void eb_watch_next(struct eb_watch *w)
{
    if (w == NULL)
        return;
    w->depth = 0;
    eb_power_reset(w->power);
    eb_counters_reset(w->counters);
    eb_heat_close(w->heat);
    eb_heat_open(w->sysroot, &w->heat);
    eb_heat_nvml_add(w->nvml, w->heat);
    eb_heat_before(w->heat);
    eb_power_idle(w->power, watch_idle_ms(w));
}
