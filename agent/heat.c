#include "agent/heat_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

void eb_heat_open(const char *sysroot, struct eb_heat **out)
{
    struct eb_heat *h = eb_xcalloc(1, sizeof(*h));

    h->sysroot = eb_xstrdup(sysroot);
    h->stride = 1;
    eb_heat_find(h);
    *out = h;
}

void eb_heat_close(struct eb_heat *h)
{
    if (h == NULL)
        return;
    free(h->sysroot);
    free(h);
}

void eb_heat_add_gpu(struct eb_heat *h, const struct eb_heat_gpu *gpu)
{
    if (h->n_gpus < EB_HEAT_GPUS_MAX)
        h->gpu[h->n_gpus++] = *gpu;
}

/* Reading */

/* NAN if it cannot be read. */
static double heat_num(const struct eb_heat *h, const char *dir,
                       const char *name)
{
    double v;

    return eb_sysfs_numf(h->sysroot, &v, "%s/%s", dir, name) == NULL ? v : NAN;
}

static double heat_cooling(const struct eb_heat *h, int i)
{
    double v = heat_num(h, h->cooling[i].path, "cur_state");

    /* intel_powerclamp says -1 when it does nothing. */
    return v < 0 ? 0 : v;
}

/* devfreq is in hertz, cpufreq in kilohertz. */
static double heat_clock_khz(const struct eb_heat *h, int i, int ceiling)
{
    const struct heat_clock *c = &h->clock[i];

    if (c->is_cpu)
        return heat_num(h, c->path,
                        ceiling ? "scaling_max_freq" : "scaling_cur_freq");
    return heat_num(h, c->path, ceiling ? "max_freq" : "cur_freq") / 1000;
}

static double heat_counter(const struct eb_heat *h, int i)
{
    char text[32], *end;
    double v;

    if (eb_sysfs_text(h->sysroot, h->counter[i].path, text, sizeof(text)) !=
            NULL ||
        *text == '\0')
        return NAN;
    v = h->counter[i].is_flags ? (double)strtoull(text, &end, 16)
                               : strtod(text, &end);
    return *end == '\0' ? v : NAN;
}

static void heat_gpu(const struct eb_heat *h, int i,
                     struct eb_heat_gpu_now *out)
{
    *out = (struct eb_heat_gpu_now){NAN, NAN, 0, 0};
    if (h->gpu[i].read(h->gpu[i].arg, out) != NULL)
        *out = (struct eb_heat_gpu_now){NAN, NAN, 0, 0};
}

void eb_heat_mark(const struct eb_heat *h, struct eb_heat_mark *mark)
{
    int i;

    for (i = 0; i < h->n_counters; i++)
        mark->count[i] = heat_counter(h, i);
    for (i = 0; i < h->n_cooling; i++)
        mark->limit[i] = heat_cooling(h, i);
    for (i = 0; i < h->n_clocks; i++)
        mark->ceiling[i] = heat_clock_khz(h, i, 1);
    for (i = 0; i < h->n_gpus; i++)
        heat_gpu(h, i, &mark->gpu[i]);
    mark->limited = h->limited;
}

static void heat_snapshot(struct eb_heat *h, struct heat_snapshot *s)
{
    int i;

    s->taken = 1;
    s->at_ns = eb_clock_ns();
    for (i = 0; i < h->n_zones; i++)
        s->zone_why[i] = eb_heat_zone_read(h, i, &s->zone[i]);
    for (i = 0; i < h->n_cooling; i++)
        s->cooling[i] = heat_cooling(h, i);
    for (i = 0; i < h->n_clocks; i++) {
        s->clock_khz[i] = heat_clock_khz(h, i, 0);
        s->ceiling_khz[i] = heat_clock_khz(h, i, 1);
        if (eb_sysfs_textf(h->sysroot, s->governor[i], sizeof(s->governor[i]),
                           "%s/%s", h->clock[i].path,
                           h->clock[i].is_cpu ? "scaling_governor"
                                              : "governor") != NULL)
            s->governor[i][0] = '\0';
    }
    /* Where nvpmodel of a Jetson keeps its mode: "pmode:0002". */
    eb_sysfs_text(h->sysroot, "/var/lib/nvpmodel/status", s->power_mode,
                  sizeof(s->power_mode));
    s->android_why = eb_heat_android(h->sysroot, &s->android);
    eb_heat_mark(h, &s->mark);
}

void eb_heat_before(struct eb_heat *h)
{
    heat_snapshot(h, &h->before);
}

void eb_heat_after(struct eb_heat *h)
{
    heat_snapshot(h, &h->after);
}

/* Through */

/* Low bits: now; bits 16 to 19: since boot (vcgencmd get_throttled). Bit 1
 * and 3 cap the clock, 0 is under-voltage, 2 throttling. */
static int heat_flags_now(double flags)
{
    return !isnan(flags) && ((uint64_t)flags & 0xf) != 0;
}

/* What slows a GPU down by its clock reasons; NULL: nothing. */
static const char *heat_gpu_word(uint64_t reasons)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } bits[] = {{EB_GPU_HW_THERMAL, "hardware thermal slowdown"},
                {EB_GPU_SW_THERMAL, "software thermal slowdown"},
                {EB_GPU_HW_POWER_BRAKE, "power brake"},
                {EB_GPU_HW_SLOWDOWN, "hardware slowdown"},
                {EB_GPU_SW_POWER_CAP, "power cap"}};
    size_t k;

    for (k = 0; k < sizeof(bits) / sizeof(bits[0]); k++) {
        if ((reasons & bits[k].bit) != 0)
            return bits[k].name;
    }
    return NULL;
}

static void series_put(struct heat_series *s, int at, double v)
{
    if (at >= 0)
        s->v[at] = (float)v;
    if (isnan(v))
        return;
    if (isnan(s->lo) || v < s->lo)
        s->lo = v;
    if (isnan(s->hi) || v > s->hi)
        s->hi = v;
}

static void series_thin(struct heat_series *s)
{
    int i;

    for (i = 0; i < HEAT_SAMPLES_MAX / 2; i++)
        s->v[i] = s->v[2 * i];
}

/* Full: every second sample goes, and from now on every second call. */
static void heat_thin(struct eb_heat *h)
{
    int i;

    for (i = 0; i < HEAT_SAMPLES_MAX / 2; i++)
        h->at_ns[i] = h->at_ns[2 * i];
    for (i = 0; i < h->n_zones; i++)
        series_thin(&h->zone_series[i]);
    for (i = 0; i < h->n_clocks; i++)
        series_thin(&h->clock_series[i]);
    for (i = 0; i < h->n_cooling; i++)
        series_thin(&h->cooling_series[i]);
    for (i = 0; i < h->n_gpus; i++)
        series_thin(&h->gpu_series[i]);
    h->n_samples = HEAT_SAMPLES_MAX / 2;
    h->stride *= 2;
}

static void heat_series_start(struct eb_heat *h)
{
    int i;

    for (i = 0; i < HEAT_ZONES_MAX; i++)
        h->zone_series[i].lo = h->zone_series[i].hi = NAN;
    for (i = 0; i < EB_HEAT_CLOCKS_MAX; i++)
        h->clock_series[i].lo = h->clock_series[i].hi = NAN;
    for (i = 0; i < EB_HEAT_LIMITS_MAX; i++)
        h->cooling_series[i].lo = h->cooling_series[i].hi = NAN;
    for (i = 0; i < EB_HEAT_GPUS_MAX; i++)
        h->gpu_series[i].lo = h->gpu_series[i].hi = NAN;
}

/* Which place of the series the sample gets; -1: none. */
static int heat_place(struct eb_heat *h, int64_t now_ns)
{
    if (h->calls == 0)
        heat_series_start(h);
    if (h->calls % h->stride == 0 && h->n_samples == HEAT_SAMPLES_MAX)
        heat_thin(h);
    if (h->calls % h->stride != 0)
        return -1;
    h->at_ns[h->n_samples] = now_ns;
    return h->n_samples++;
}

void eb_heat_sample(struct eb_heat *h, int64_t now_ns)
{
    int64_t from = eb_clock_ns();
    struct eb_heat_gpu_now gpu;
    const char *limited = NULL;
    int at = heat_place(h, now_ns), i;
    double v;

    for (i = 0; i < h->n_zones; i++) {
        if (eb_heat_zone_read(h, i, &v) != NULL)
            v = NAN;
        series_put(&h->zone_series[i], at, v);
    }
    for (i = 0; i < h->n_clocks; i++)
        series_put(&h->clock_series[i], at, heat_clock_khz(h, i, 0));
    for (i = 0; i < h->n_cooling; i++) {
        v = heat_cooling(h, i);
        series_put(&h->cooling_series[i], at, v);
        if (h->cooling[i].kind == HEAT_LIMIT && v > 0)
            limited = h->cooling[i].name;
    }
    for (i = 0; i < h->n_gpus; i++) {
        heat_gpu(h, i, &gpu);
        series_put(&h->gpu_series[i], at, gpu.temperature_c);
        if (heat_gpu_word(gpu.reasons) != NULL)
            limited = h->gpu[i].name;
    }
    for (i = 0; i < h->n_counters; i++) {
        if (h->counter[i].is_flags && heat_flags_now(heat_counter(h, i)))
            limited = h->counter[i].name;
    }
    if (limited != NULL) {
        h->limited_by = limited;
        h->limited++;
    }
    h->calls++;
    h->sample_ns += eb_clock_ns() - from;
}

/* Throttled? */

static int heat_flags_rose(double was, double now)
{
    uint64_t a = (uint64_t)was, b = (uint64_t)now;

    return heat_flags_now(was) || heat_flags_now(now) || (b & ~a) != 0;
}

static int heat_counters_rose(const struct eb_heat *h,
                              const struct eb_heat_mark *a,
                              const struct eb_heat_mark *b, char *why,
                              size_t size, int *known)
{
    int i;

    for (i = 0; i < h->n_counters; i++) {
        const struct heat_counter *c = &h->counter[i];

        if (isnan(a->count[i]) || isnan(b->count[i]))
            continue;
        if (!c->is_flags && b->count[i] < a->count[i])
            continue; /* it began anew: nobody knows from where */
        *known = 1;
        if (c->is_flags && heat_flags_rose(a->count[i], b->count[i])) {
            snprintf(why, size, "%s is 0x%llx", c->name,
                     (unsigned long long)b->count[i]);
            return 1;
        }
        if (!c->is_flags && b->count[i] != a->count[i]) {
            snprintf(why, size, "%s: %.0f throttle events", c->name,
                     b->count[i] - a->count[i]);
            return 1;
        }
    }
    return 0;
}

static int heat_limits(const struct eb_heat *h, const struct eb_heat_mark *a,
                       const struct eb_heat_mark *b, char *why, size_t size,
                       int *known)
{
    int i;

    for (i = 0; i < h->n_cooling; i++) {
        if (h->cooling[i].kind != HEAT_LIMIT || isnan(b->limit[i]))
            continue;
        *known = 1;
        if (b->limit[i] > 0 || a->limit[i] > 0) {
            snprintf(why, size, "cooling device %s is at %.0f (was %.0f)",
                     h->cooling[i].name, b->limit[i], a->limit[i]);
            return 1;
        }
    }
    for (i = 0; i < h->n_clocks; i++) {
        if (isnan(b->ceiling[i]) || isnan(a->ceiling[i]))
            continue;
        if (b->ceiling[i] < a->ceiling[i]) {
            snprintf(why, size, "%s may only run at %.0f MHz (was %.0f)",
                     h->clock[i].name, b->ceiling[i] / 1000,
                     a->ceiling[i] / 1000);
            return 1;
        }
    }
    return 0;
}

static int heat_gpus(const struct eb_heat *h, const struct eb_heat_mark *a,
                     const struct eb_heat_mark *b, char *why, size_t size,
                     int *known)
{
    const char *word;
    int i;

    for (i = 0; i < h->n_gpus; i++) {
        if (!a->gpu[i].has_reasons && !b->gpu[i].has_reasons)
            continue;
        *known = 1;
        word = heat_gpu_word(a->gpu[i].reasons | b->gpu[i].reasons);
        if (word != NULL) {
            snprintf(why, size, "%s: %s", h->gpu[i].name, word);
            return 1;
        }
    }
    return 0;
}

static int heat_compare(const struct eb_heat *h, const struct eb_heat_mark *a,
                        const struct eb_heat_mark *b, char *why, size_t size)
{
    int known = 0;

    *why = '\0';
    if (heat_counters_rose(h, a, b, why, size, &known) ||
        heat_limits(h, a, b, why, size, &known) ||
        heat_gpus(h, a, b, why, size, &known))
        return 1;
    /* It began and ended in between. */
    if (b->limited > a->limited) {
        snprintf(why, size, "%s slowed it down in %d of the samples",
                 h->limited_by, b->limited - a->limited);
        return 1;
    }
    if (known)
        return 0;
    snprintf(why, size, "absent: nothing here tells of throttling");
    return -1;
}

int eb_heat_throttled(const struct eb_heat *h, const struct eb_heat_mark *since,
                      char *why, size_t size)
{
    struct eb_heat_mark now;

    eb_heat_mark(h, &now);
    return heat_compare(h, since, &now, why, size);
}

int eb_heat_between(const struct eb_heat *h, char *why, size_t size)
{
    int android = h->before.android > h->after.android ? h->before.android
                                                       : h->after.android;
    int seen;

    if (!h->before.taken || !h->after.taken) {
        snprintf(why, size, "not measured");
        return -1;
    }
    seen = heat_compare(h, &h->before.mark, &h->after.mark, why, size);
    if (seen > 0 || android < 0)
        return seen;
    if (android > 0)
        snprintf(why, size, "Android's thermal status was %d (%s)", android,
                 eb_heat_android_word(android));
    return android > 0;
}
