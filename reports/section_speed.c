/* Speed, requests, rate over time and memory by phase. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/stats.h"
#include "reports/section.h"

#define SPEED_LOADS_MAX 16 /* one a pass */

static void speed_head(struct eb_doc_table *t, const char *const *head,
                       size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        eb_doc_cell(t, head[i]);
}

static void speed_number(struct eb_doc_table *t, const char *fmt, double v)
{
    char text[48];

    if (isnan(v)) {
        eb_doc_cell(t, "not measured");
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), fmt, v);
#pragma GCC diagnostic pop
    eb_doc_cell(t, text);
}

/* Tokens per second: mean, spread and interval. What did not settle shows its
 * median and says so; its mean is no figure to quote. */
static void speed_cells(struct eb_doc_table *t, const cJSON *row)
{
    double mean = eb_json_get_num(row, "mean_tps", NAN);
    double median = eb_json_get_num(row, "median_tps", NAN);
    double sd = eb_json_get_num(row, "sd_tps", NAN);
    double lo = eb_json_get_num(row, "lo_tps", NAN);
    double hi = eb_json_get_num(row, "hi_tps", NAN);

    if (!isnan(mean))
        eb_doc_cellf(t, "%.1f", mean);
    else if (!isnan(median))
        eb_doc_cellf(t, "unstable, median %.1f", median);
    else
        eb_doc_cell(t, "not measured");
    if (isnan(sd))
        eb_doc_cell(t, isnan(median) ? "not measured" : "one repeat");
    else
        eb_doc_cellf(t, "%.1f", sd);
    if (isnan(lo) || isnan(hi))
        eb_doc_cell(t, isnan(mean) ? "none" : "one repeat");
    else
        eb_doc_cellf(t, "%.1f to %.1f", lo, hi);
    eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "n", 0));
}

/* What a token needs by the model's shape, and what the rate makes of it. */
static void speed_needs(struct eb_doc_table *t, const cJSON *row)
{
    static const char *const keys[] = {"achieved_gbps", "mbu", "gflops"};
    double bytes = eb_json_get_num(row, "bytes_per_token", NAN);
    char text[EB_SHORT_LEN];
    size_t i;

    if (cJSON_GetObjectItemCaseSensitive(row, "gflops") == NULL) {
        for (i = 0; i < 4; i++)
            eb_doc_cell(t, "mixed");
        return;
    }
    eb_doc_cell(t, isnan(bytes) ? "not known" : eb_short_bytes(bytes, text));
    for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        double v = eb_json_get_num(row, keys[i], NAN);

        if (isnan(v))
            eb_doc_cell(t, "not known");
        else
            eb_doc_cellf(t, v < 0.1 ? "%.2g" : v < 10 ? "%.2f" : "%.1f", v);
    }
}

/* Records of engines that tell no shape have none of it. */
static int speed_has_needs(const struct eb_group *g)
{
    const cJSON *row;
    size_t i;

    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.speed"))
        {
            if (!isnan(eb_json_get_num(row, "bytes_per_token", NAN)))
                return 1;
        }
    }
    return 0;
}

/* The tests that have no mean, and why. */
static void speed_unstable(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_doc_table *t =
        eb_doc_table(d, "Tests that have no mean, and why", "lll");
    const cJSON *row;
    size_t i;

    t->folded = 1;
    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "Test");
    eb_doc_cell(t, "Reason");
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.speed"))
        {
            if (!isnan(eb_json_get_num(row, "mean_tps", NAN)))
                continue;
            eb_doc_cell(t, eb_group_model(g->recs[i]));
            eb_doc_cell(t, eb_json_get_str(row, "test", ""));
            eb_doc_cell(
                t, eb_json_get_str(row, "mean_tps_reason", "no reason given"));
        }
    }
    eb_doc_drop_empty(d);
}

/* A pass that began on a machine that was not quiet or cool. */
static void speed_gates(struct eb_doc *d, const struct eb_group *g)
{
    const cJSON *gate;
    size_t i;

    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(gate, eb_group_get(g->recs[i], "conditions.gates"))
        {
            if (cJSON_IsFalse(eb_group_get(gate, "passed")))
                eb_doc_add(d, EB_DOC_TEXT,
                           "%s: begun after %.0f s although %s.",
                           eb_group_model(g->recs[i]),
                           eb_json_get_num(gate, "waited_ns", 0) / 1e9,
                           eb_json_get_str(gate, "note", "no reason is given"));
        }
    }
}

/* Loading from disk and from the page cache. */
static void speed_load(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_doc_table *t = eb_doc_table(
        d, "Time to load: cold, the file is not in the page cache; warm, it is",
        "lrrl");
    char text[EB_SHORT_LEN];
    const cJSON *load, *ns;
    size_t i;

    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "Cold");
    eb_doc_cell(t, "Warm, median");
    eb_doc_cell(t, "Not measured because");
    for (i = 0; i < g->n; i++) {
        double warm[SPEED_LOADS_MAX];
        size_t n = 0;

        load = eb_group_get(g->recs[i], "load");
        if (cJSON_GetObjectItemCaseSensitive(load, "warm_ns") == NULL)
            continue;
        cJSON_ArrayForEach(ns, eb_group_get(load, "warm_ns"))
        {
            if (cJSON_IsNumber(ns) && n < SPEED_LOADS_MAX)
                warm[n++] = ns->valuedouble / 1e6;
        }
        eb_doc_cell(t, eb_group_model(g->recs[i]));
        eb_doc_cell(
            t, eb_short_ms(eb_json_get_num(load, "cold_ns", NAN) / 1e6, text));
        eb_doc_cell(t, eb_short_ms(eb_stats_percentile(warm, n, 50), text));
        eb_doc_cell(t, eb_json_get_str(load, "cold_ns_reason", ""));
    }
    eb_doc_drop_empty(d);
}

void eb_section_speed(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {
        "Model",   "Test",        "Mean", "\xc2\xb1 sd", "95% interval",
        "Repeats", "Bytes/token", "GB/s", "MBU",         "GFLOP/s"};
    int needs = speed_has_needs(g);
    struct eb_doc_table *t;
    const cJSON *row;
    size_t i;

    eb_doc_add(d, EB_DOC_H3, "Speed");
    t = eb_doc_table(d,
                     "Tokens per second, mean and standard deviation of "
                     "the repeats, 95% t interval of the mean (pp: reading, "
                     "tg: writing, b: sequences at once, d: tokens before)",
                     needs ? "llrrrrrrrr" : "llrrrr");
    speed_head(t, head, needs ? 10 : 6);
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.speed"))
        {
            eb_doc_cell(t, eb_group_model(g->recs[i]));
            eb_doc_cell(t, eb_json_get_str(row, "test", ""));
            speed_cells(t, row);
            if (needs)
                speed_needs(t, row);
        }
    }
    if (eb_doc_rows(t) == 0) {
        eb_doc_drop_empty(d);
        eb_doc_add(d, EB_DOC_TEXT, "Speed was not measured.");
    } else if (needs) {
        eb_doc_add(d, EB_DOC_TEXT,
                   "Bytes a token: the weights once a pass, and the keys and "
                   "values at the mean depth. MBU: GB/s over the bandwidth of "
                   "the memory that triad measured; above 1 the model fits "
                   "the cache, or triad was disturbed.");
    }
    speed_unstable(d, g);
    speed_gates(d, g);
    speed_load(d, g);
}

/* Rate over time */

static void sustained_windows(struct eb_doc *d, const cJSON *rec)
{
    struct eb_doc_table *t;
    const cJSON *w;

    t = eb_doc_table(d, "The rate over time", "rrrr");
    t->folded = 1;
    eb_doc_cell(t, "Second");
    eb_doc_cell(t, "Tokens/s");
    eb_doc_cell(t, "Hottest zone");
    eb_doc_cell(t, "Cores of others");
    cJSON_ArrayForEach(w, eb_group_get(rec, "sustained.windows"))
    {
        double wall = eb_json_get_num(w, "wall_ns", 0);

        eb_doc_cellf(t, "%.0f", eb_json_get_num(w, "at_ns", 0) / 1e9);
        speed_number(t, "%.1f",
                     wall > 0 ? eb_json_get_num(w, "tokens", 0) * 1e9 / wall
                              : NAN);
        speed_number(t, "%.1f C", eb_json_get_num(w, "temperature_c", NAN));
        speed_number(t, "%.2f", eb_json_get_num(w, "others_cores", NAN));
    }
    eb_doc_drop_empty(d);
}

void eb_section_sustained(struct eb_doc *d, const struct eb_group *g)
{
    size_t i;

    for (i = 0; i < g->n; i++) {
        const cJSON *v = eb_group_get(g->recs[i], "summary.sustained");
        double fell = eb_json_get_num(v, "fell_at_s", NAN);
        double ratio = eb_json_get_num(v, "last_to_first", NAN);
        double slow = eb_json_get_num(v, "throttled_at_s", NAN);

        if (eb_group_str(g->recs[i], "sustained_reason", NULL) != NULL)
            eb_doc_add(d, EB_DOC_TEXT, "%s has no rate over time: %s.",
                       eb_group_model(g->recs[i]),
                       eb_group_str(g->recs[i], "sustained_reason", ""));
        if (v == NULL)
            continue;
        if (isnan(ratio))
            eb_doc_add(d, EB_DOC_TEXT,
                       "%s wrote for %.0f s, %.1f tokens/s: too short to "
                       "compare minutes.",
                       eb_group_model(g->recs[i]),
                       eb_json_get_num(v, "seconds", 0),
                       eb_json_get_num(v, "mean_tps", NAN));
        else
            eb_doc_add(d, EB_DOC_TEXT,
                       "%s wrote for %.0f s: %.1f tokens/s in the first "
                       "minute, %.1f in the last (%.1f%%).",
                       eb_group_model(g->recs[i]),
                       eb_json_get_num(v, "seconds", 0),
                       eb_json_get_num(v, "first_minute_tps", NAN),
                       eb_json_get_num(v, "last_minute_tps", NAN), 100 * ratio);
        if (!isnan(fell))
            eb_doc_add(d, EB_DOC_TEXT, "The rate fell by %.1f%% after %.0f s.",
                       100 * eb_json_get_num(v, "fell_by", NAN), fell);
        if (!isnan(slow))
            eb_doc_add(d, EB_DOC_TEXT,
                       "The device slowed itself down from second %.0f on.",
                       slow);
        sustained_windows(d, g->recs[i]);
    }
}

/* Memory */

/* A peak that the kernel did not let us start anew is not of the phase. */
static void memory_cell(struct eb_doc_table *t, const cJSON *row,
                        const char *key)
{
    double bytes = eb_json_get_num(row, key, NAN);
    char text[EB_SHORT_LEN];

    if (strcmp(key, "vm_hwm_bytes") == 0 && !isnan(bytes) &&
        strcmp(eb_json_get_str(row, "vm_hwm_scope", ""), "process") == 0)
        eb_doc_cellf(t, "%s, process", eb_short_bytes(bytes, text));
    else
        eb_doc_cell(t, eb_short_bytes(bytes, text));
}

/* A row of the record's memory, or of a phase of it, if it tells anything. */
static void memory_gpu_row(struct eb_doc_table *t, const cJSON *rec,
                           const cJSON *row)
{
    static const char *const bytes[] = {"gpu_before_bytes", "gpu_bytes",
                                        "available_fall_bytes"};
    char text[EB_SHORT_LEN];
    size_t k;

    if (isnan(eb_json_get_num(row, bytes[1], NAN)) &&
        isnan(eb_json_get_num(row, bytes[2], NAN)))
        return;
    eb_doc_cell(t, eb_group_model(rec));
    eb_doc_cell(t, eb_json_get_str(row, "phase", "run"));
    for (k = 0; k < sizeof(bytes) / sizeof(*bytes); k++)
        eb_doc_cell(t,
                    eb_short_bytes(eb_json_get_num(row, bytes[k], NAN), text));
    eb_doc_cell(t, eb_json_get_str(row, "gpu_source", "-"));
}

static void memory_gpu(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {
        "Model",  "Phase", "Before the load", "At the end", "Available fell by",
        "Told by"};
    struct eb_doc_table *t = eb_doc_table(
        d,
        "Memory of the GPUs: this process's part of it. On a Jetson, which has "
        "one memory for all, what the kernel can give has fallen since before "
        "the load, by other programs as well",
        "llrrrl");
    const cJSON *memory, *phases, *row;
    size_t i;

    speed_head(t, head, sizeof(head) / sizeof(*head));
    for (i = 0; i < g->n; i++) {
        memory = eb_group_get(g->recs[i], "memory");
        phases = eb_group_get(memory, "phases");
        if (cJSON_GetArraySize(phases) == 0)
            memory_gpu_row(t, g->recs[i], memory);
        cJSON_ArrayForEach(row, phases) memory_gpu_row(t, g->recs[i], row);
    }
    eb_doc_drop_empty(d);
}

void eb_section_memory(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {
        "Model", "Phase",        "RssAnon",        "RssFile",     "Pss",
        "Peak",  "Model mapped", "of it resident", "Group's peak"};
    static const char *const bytes[] = {
        "rss_anon_bytes",   "rss_file_bytes",     "pss_bytes",
        "vm_hwm_bytes",     "model_mapped_bytes", "model_resident_bytes",
        "cgroup_peak_bytes"};
    struct eb_doc_table *t;
    const cJSON *row;
    char text[EB_SHORT_LEN];
    size_t i, k;

    t = eb_doc_table(d,
                     "Memory by phase: at its end, and the peak within it; "
                     "the control group's peak is of all in it since it was "
                     "made",
                     "llrrrrrrr");
    speed_head(t, head, sizeof(head) / sizeof(*head));
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "memory.phases"))
        {
            eb_doc_cell(t, eb_group_model(g->recs[i]));
            eb_doc_cell(t, eb_json_get_str(row, "phase", ""));
            for (k = 0; k < sizeof(bytes) / sizeof(*bytes); k++)
                memory_cell(t, row, bytes[k]);
        }
    }
    eb_doc_drop_empty(d);
    memory_gpu(d, g);
    t = eb_doc_table(d, "The engine's own account", "lrrr");
    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "Weights");
    eb_doc_cell(t, "KV cache");
    eb_doc_cell(t, "Compute buffers");
    for (i = 0; i < g->n; i++) {
        static const char *const own[] = {"memory.weights_bytes",
                                          "memory.context_bytes",
                                          "memory.compute_bytes"};

        if (isnan(eb_group_num(g->recs[i], own[0], NAN)))
            continue;
        eb_doc_cell(t, eb_group_model(g->recs[i]));
        for (k = 0; k < sizeof(own) / sizeof(*own); k++)
            eb_doc_cell(
                t, eb_short_bytes(eb_group_num(g->recs[i], own[k], NAN), text));
    }
    eb_doc_drop_empty(d);
}

/* Side by side */

struct speed_line {
    const cJSON *rec, *row;
    size_t group, at;
};

static int speed_line_cmp(const void *a, const void *b)
{
    const struct speed_line *x = a, *y = b;
    int c = strcmp(eb_json_get_str(x->row, "test", ""),
                   eb_json_get_str(y->row, "test", ""));

    if (c == 0)
        c = strcmp(eb_group_model(x->rec), eb_group_model(y->rec));
    return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

/* All rows of all groups by test; free the array. */
static struct speed_line *speed_lines(const struct eb_groups *all, size_t *n)
{
    struct speed_line *v = NULL;
    const cJSON *row;
    size_t i, k;

    *n = 0;
    for (i = 0; i < all->n; i++) {
        for (k = 0; k < all->v[i].n; k++) {
            const cJSON *rec = all->v[i].recs[k];

            cJSON_ArrayForEach(row, eb_group_get(rec, "summary.speed"))
            {
                v = eb_xrealloc(v, *n + 1, sizeof(*v));
                v[*n] = (struct speed_line){rec, row, i, *n};
                (*n)++;
            }
        }
    }
    if (*n > 0)
        qsort(v, *n, sizeof(*v), speed_line_cmp);
    return v;
}

/* The lines from..to-1 of one test, if several engines or devices have it. */
static void speed_test(struct eb_doc_table *t, const struct speed_line *v,
                       size_t from, size_t to)
{
    size_t i;
    int differ = 0;

    for (i = from + 1; i < to; i++)
        differ |= strcmp(eb_group_str(v[from].rec, "runtime.engine", ""),
                         eb_group_str(v[i].rec, "runtime.engine", "")) != 0 ||
                  strcmp(eb_group_str(v[from].rec, "device.id", ""),
                         eb_group_str(v[i].rec, "device.id", "")) != 0;
    for (i = from; i < to && differ; i++) {
        eb_doc_cell(t, eb_json_get_str(v[i].row, "test", ""));
        eb_doc_cell(t, eb_group_model(v[i].rec));
        eb_doc_cell(t, eb_group_str(v[i].rec, "runtime.engine", ""));
        eb_doc_cell(t, eb_group_str(v[i].rec, "device.name", ""));
        eb_doc_cellf(t, "%.0f threads, flash attention %s",
                     eb_group_num(v[i].rec, "settings.threads", 0),
                     eb_group_str(v[i].rec, "model.flash_attn", "not told"));
        speed_cells(t, v[i].row);
    }
}

void eb_section_side_by_side(struct eb_doc *d, const struct eb_groups *all)
{
    static const char *const head[] = {
        "Test", "Model",       "Engine",       "Device", "Set-up",
        "Mean", "\xc2\xb1 sd", "95% interval", "Repeats"};
    struct eb_doc_table *t;
    size_t n, from, to;
    struct speed_line *v = speed_lines(all, &n);

    eb_doc_add(d, EB_DOC_H2, "Speed side by side");
    t = eb_doc_table(d,
                     "Tokens per second of the tests that several engines or "
                     "devices ran",
                     "lllllrrrr");
    speed_head(t, head, sizeof(head) / sizeof(*head));
    for (from = 0; from < n; from = to) {
        for (to = from + 1;
             to < n && strcmp(eb_json_get_str(v[from].row, "test", ""),
                              eb_json_get_str(v[to].row, "test", "")) == 0;
             to++)
            ;
        speed_test(t, v, from, to);
    }
    free(v);
    if (eb_doc_rows(t) > 0)
        return;
    eb_doc_drop_empty(d);
    d->n--; /* the heading, which owns its text */
    free(d->v[d->n].text);
}
