/* How long the first token and the gaps between tokens took: distributions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/stats.h"
#include "reports/section.h"

#define LATENCY_MS 1e6 /* nanoseconds */
/* Rises that a curve may have; finer ones are below a pixel. */
#define LATENCY_STEPS 120
/* A log axis from this ratio of the longest to the shortest. */
#define LATENCY_LOG 20

struct latency {
    double *v;
    size_t n;
};

static void latency_put(struct latency *l, const cJSON *ns)
{
    if (!cJSON_IsNumber(ns) || ns->valuedouble < 0)
        return;
    l->v = eb_xrealloc(l->v, l->n + 1, sizeof(*l->v));
    l->v[l->n++] = ns->valuedouble / LATENCY_MS;
}

static struct latency latency_ttft(const cJSON *rec, const char *phase)
{
    struct latency l = {0};
    const cJSON *row;

    cJSON_ArrayForEach(row, eb_group_get(rec, "requests"))
    {
        if (strcmp(eb_json_get_str(row, "phase", ""), phase) == 0)
            latency_put(&l, eb_group_get(row, "ttft_ns"));
    }
    return l;
}

static struct latency latency_gaps(const cJSON *rec)
{
    struct latency l = {0};
    const cJSON *row, *gap;

    cJSON_ArrayForEach(row, eb_group_get(rec, "requests"))
    {
        cJSON_ArrayForEach(gap, eb_group_get(row, "gaps_ns"))
            latency_put(&l, gap);
    }
    return l;
}

static const int latency_spots[EB_PLOT_SPOTS] = {50, 95, 99};

static double latency_spot(const struct latency *l, size_t k)
{
    return l->n >= eb_stats_percentile_least(latency_spots[k])
               ? eb_stats_percentile(l->v, l->n, latency_spots[k])
               : NAN;
}

/* "prefix (n = 30): 12.1 / 15.0 ms", the percentiles in the order of the
 * key below the chart. */
static char *latency_name(const char *what, const struct latency *l)
{
    struct eb_buf b = {0};
    size_t k;

    eb_buf_addf(&b, "%s (n = %zu)", what, l->n);
    for (k = 0; k < EB_PLOT_SPOTS; k++) {
        double ms = latency_spot(l, k);

        if (!isnan(ms))
            eb_buf_addf(&b, "%s %.*f", k == 0 ? ":" : " /",
                        ms < 10    ? 2
                        : ms < 100 ? 1
                                   : 0,
                        ms);
    }
    eb_buf_adds(&b, " ms");
    return eb_buf_take(&b);
}

static void latency_series(struct eb_plot *p, const char *what,
                           struct latency *l)
{
    char *name = latency_name(what, l);
    struct eb_plot_series *s = eb_plot_series(p, name);
    size_t k;

    free(name);
    eb_plot_ecdf(s, l->v, l->n, LATENCY_STEPS);
    for (k = 0; k < EB_PLOT_SPOTS; k++)
        s->spots[k] = (struct eb_plot_point){
            latency_spot(l, k), latency_spots[k] / 100.0, NAN, NAN, 0};
}

static struct eb_plot *latency_plot(const struct eb_group *g, const cJSON *rec,
                                    const char *what, const char *of)
{
    char *title = eb_xasprintf("%s: %s", eb_group_model(rec), what);
    struct eb_plot *p = eb_plot_new(g->key, title, "milliseconds", of);

    p->desc = eb_xasprintf("The %s that took at most so long.", of);
    p->y_share = 1;
    free(title);
    return p;
}

/* Hands the chart over, or away if it is empty. */
static void latency_give(struct eb_doc *d, struct eb_plot *p)
{
    double lo = INFINITY, hi = 0;
    size_t i;

    for (i = 0; i < p->n; i++) {
        lo = fmin(lo, p->v[i].v[0].x);
        hi = fmax(hi, p->v[i].v[p->v[i].n - 1].x);
    }
    if (p->n == 0) {
        eb_plot_free(p);
        return;
    }
    if (lo > 0 && hi > LATENCY_LOG * lo) {
        p->x_log = 1;
        free(p->x_title);
        p->x_title = eb_xstrdup("milliseconds (log scale)");
    }
    eb_doc_plot(d, p);
}

static void latency_row(struct eb_doc_table *t, const cJSON *rec,
                        const char *what, const struct latency *l)
{
    char text[EB_SHORT_LEN];
    size_t k;

    eb_doc_cell(t, eb_group_model(rec));
    eb_doc_cell(t, what);
    eb_doc_cellf(t, "%zu", l->n);
    eb_doc_cell(t, eb_short_ms(eb_stats_percentile(l->v, l->n, 0), text));
    for (k = 0; k < EB_PLOT_SPOTS; k++) {
        size_t least = eb_stats_percentile_least(latency_spots[k]);

        if (l->n >= least)
            eb_doc_cell(t, eb_short_ms(latency_spot(l, k), text));
        else
            eb_doc_cellf(t, "under %zu values", least);
    }
    eb_doc_cell(t, eb_short_ms(eb_stats_percentile(l->v, l->n, 100), text));
}

/* The first request of a fresh engine and the later ones are never mixed. */
static const char *const latency_phases[][2] = {{"first", "first request"},
                                                {"uncached", "uncached"},
                                                {"prefix", "prefix cached"}};

#define LATENCY_PHASES (sizeof(latency_phases) / sizeof(*latency_phases))

static void latency_model(struct eb_doc *d, const struct eb_group *g,
                          const cJSON *rec)
{
    struct eb_plot *ttft =
        latency_plot(g, rec, "time to the first token", "share of requests");
    struct eb_plot *itl =
        latency_plot(g, rec, "gaps between tokens", "share of gaps");
    struct latency l;
    size_t i;

    for (i = 0; i < LATENCY_PHASES; i++) {
        l = latency_ttft(rec, latency_phases[i][0]);
        if (l.n > 0)
            latency_series(ttft, latency_phases[i][1], &l);
        free(l.v);
    }
    l = latency_gaps(rec);
    if (l.n > 0)
        latency_series(itl, "all gaps", &l);
    free(l.v);
    latency_give(d, ttft);
    latency_give(d, itl);
}

static void latency_rows(struct eb_doc_table *t, const cJSON *rec)
{
    struct latency l;
    char text[64];
    size_t i;

    for (i = 0; i < LATENCY_PHASES; i++) {
        l = latency_ttft(rec, latency_phases[i][0]);
        snprintf(text, sizeof(text), "TTFT, %s", latency_phases[i][1]);
        if (l.n > 0)
            latency_row(t, rec, text, &l);
        free(l.v);
    }
    l = latency_gaps(rec);
    if (l.n > 0)
        latency_row(t, rec, "ITL, all gaps", &l);
    free(l.v);
}

void eb_section_latency(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Model", "What", "Values", "Least",
                                       "p50",   "p95",  "p99",    "Most"};
    struct eb_doc_table *t;
    size_t i;

    for (i = 0; i < g->n; i++)
        latency_model(d, g, g->recs[i]);
    t = eb_doc_table(d,
                     "Distribution of the time to the first token (TTFT) and "
                     "of every gap between two tokens (ITL)",
                     "llrrrrrr");
    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < g->n; i++)
        latency_rows(t, g->recs[i]);
    eb_doc_drop_empty(d);
}
