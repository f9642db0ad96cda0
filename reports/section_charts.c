/* Rates over depth and batch, and over time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "reports/section.h"

/* Sweeps: the rows of `speed` that differ in one number only. */

enum sweep_over { SWEEP_DEPTH, SWEEP_BATCH };

struct sweep_row {
    const cJSON *rec, *row, *sum; /* sum: of summary.speed */
    double prompt, gen;
    double at[2]; /* depth, batch */
    size_t place; /* in the order of the report */
    size_t base;  /* the row of its model and curve with the least number */
    int curve;    /* its model has another point of the curve */
};

struct sweep {
    struct sweep_row *v;
    size_t n;
};

static void sweep_put(struct sweep *s, const cJSON *rec, const cJSON *row,
                      const cJSON *sum)
{
    s->v = eb_xrealloc(s->v, s->n + 1, sizeof(*s->v));
    s->v[s->n++] = (struct sweep_row){
        rec,
        row,
        sum,
        eb_json_get_num(row, "n_prompt", 0),
        eb_json_get_num(row, "n_gen", 0),
        {eb_json_get_num(row, "depth", 0), eb_json_get_num(row, "batch", 1)},
        0,
        0,
        0};
}

static int sweep_order(double a, double b)
{
    return (a > b) - (a < b);
}

/* Reading before writing; 0: both are points of one curve, models apart. */
static int sweep_curve_cmp(const struct sweep_row *x, const struct sweep_row *y,
                           enum sweep_over over)
{
    int c = sweep_order(x->gen, y->gen);

    if (c == 0)
        c = sweep_order(x->prompt, y->prompt);
    return c != 0 ? c : sweep_order(x->at[1 - over], y->at[1 - over]);
}

static int sweep_cmp(const struct sweep_row *x, const struct sweep_row *y,
                     enum sweep_over over)
{
    int c = sweep_curve_cmp(x, y, over);

    return c != 0 ? c : sweep_order(x->at[over], y->at[over]);
}

static int sweep_cmp_depth(const void *a, const void *b)
{
    return sweep_cmp(a, b, SWEEP_DEPTH);
}

static int sweep_cmp_batch(const void *a, const void *b)
{
    return sweep_cmp(a, b, SWEEP_BATCH);
}

/* Finds the curves of a model among its sorted rows from..n-1. */
static void sweep_curves(struct sweep *s, size_t from, enum sweep_over over)
{
    size_t to, i;
    int curve;

    for (; from < s->n; from = to) {
        const struct sweep_row *first = &s->v[from];

        for (to = from + 1;
             to < s->n && sweep_curve_cmp(&s->v[to], first, over) == 0; to++)
            ;
        curve = sweep_order(s->v[to - 1].at[over], first->at[over]) != 0;
        for (i = from; i < to; i++) {
            s->v[i].place = i;
            s->v[i].base = from;
            s->v[i].curve = curve;
        }
    }
}

/* All rows, those of a model together. */
static struct sweep sweep_rows(const struct eb_group *g, enum sweep_over over)
{
    struct sweep s = {0};
    const cJSON *row, *sum;
    size_t i, from;

    for (i = 0; i < g->n; i++) {
        from = s.n;
        sum = eb_group_get(g->recs[i], "summary.speed");
        sum = sum != NULL ? sum->child : NULL;
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "speed"))
        {
            sweep_put(&s, g->recs[i], row, sum);
            sum = sum != NULL ? sum->next : NULL;
        }
        if (s.n > from)
            qsort(s.v + from, s.n - from, sizeof(*s.v),
                  over == SWEEP_DEPTH ? sweep_cmp_depth : sweep_cmp_batch);
        sweep_curves(&s, from, over);
    }
    return s;
}

/* The other number of a curve that is drawn; the table has all curves. */
static double sweep_least(const struct sweep *s, enum sweep_over over)
{
    double least = INFINITY;
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (s->v[i].curve)
            least = fmin(least, s->v[i].at[1 - over]);
    }
    return least;
}

/* "tg128", " @ d4096" behind it in a sweep over the batch. */
static void sweep_name(const struct sweep_row *r, enum sweep_over over,
                       char out[96])
{
    size_t n = 0;

    out[0] = '\0';
    if (r->prompt > 0)
        n += (size_t)snprintf(out, 40, "pp%.0f", r->prompt);
    if (r->gen > 0)
        n +=
            (size_t)snprintf(out + n, 40, "%stg%.0f", n > 0 ? "+" : "", r->gen);
    if (over == SWEEP_DEPTH && r->at[SWEEP_BATCH] > 1)
        snprintf(out + n, 16, " b%.0f", r->at[SWEEP_BATCH]);
    if (over == SWEEP_BATCH && r->at[SWEEP_DEPTH] > 0)
        snprintf(out + n, 16, " @ d%.0f", r->at[SWEEP_DEPTH]);
}

/* What is drawn: the mean, of a test that did not settle its median. */
static struct eb_plot_point sweep_point(const struct sweep_row *r,
                                        enum sweep_over over, double share)
{
    double mean = eb_json_get_num(r->sum, "mean_tps", NAN);
    struct eb_plot_point p = {
        r->at[over],
        isnan(mean) ? eb_json_get_num(r->sum, "median_tps", NAN) : mean,
        eb_json_get_num(r->sum, "lo_tps", NAN),
        eb_json_get_num(r->sum, "hi_tps", NAN), isnan(mean)};

    p.y *= share;
    p.lo *= share;
    p.hi *= share;
    return p;
}

/* Rows of one curve, of all models. */
struct sweep_line {
    struct sweep_row *const *v;
    size_t n;
};

/* Of the batch or of one of its sequences. */
static void sweep_plot(struct eb_doc *d, const struct eb_group *g,
                       struct sweep_line line, enum sweep_over over, int each)
{
    char name[96], title[160];
    const cJSON *model = NULL;
    struct eb_plot_series *series = NULL;
    struct eb_plot *p;
    size_t i;

    sweep_name(line.v[0], over, name);
    snprintf(title, sizeof(title), "%s over %s%s", name,
             over == SWEEP_DEPTH ? "depth" : "batch",
             each ? ", per sequence" : "");
    p = eb_plot_new(g->key, title,
                    over == SWEEP_DEPTH ? "depth (tokens there before)"
                                        : "batch (sequences at once, log)",
                    each ? "tokens/s of one sequence" : "tokens/s");
    p->desc = eb_xasprintf("Mean tokens per second and its 95%% interval of "
                           "%s; the numbers are in the table.",
                           title);
    p->x_at_points = 1;
    p->x_log = over == SWEEP_BATCH;
    for (i = 0; i < line.n; i++) {
        const struct sweep_row *r = line.v[i];
        struct eb_plot_point at =
            sweep_point(r, over, each ? 1 / r->at[over] : 1);

        if (isnan(at.y))
            continue;
        if (r->rec != model)
            series = eb_plot_series(p, eb_group_model(r->rec));
        model = r->rec;
        if (at.open && p->open_means == NULL)
            p->open_means = eb_xstrdup("hollow: unstable, the median");
        eb_plot_point(series, at);
    }
    if (eb_plot_points(p) > 0)
        eb_doc_plot(d, p);
    else
        eb_plot_free(p);
}

/* The models of a curve in the order of the report. */
static int sweep_line_cmp(const struct sweep_row *x, const struct sweep_row *y,
                          enum sweep_over over)
{
    int c = sweep_curve_cmp(x, y, over);

    return c != 0 ? c : (x->place > y->place) - (x->place < y->place);
}

static int sweep_line_cmp_depth(const void *a, const void *b)
{
    return sweep_line_cmp(*(struct sweep_row *const *)a,
                          *(struct sweep_row *const *)b, SWEEP_DEPTH);
}

static int sweep_line_cmp_batch(const void *a, const void *b)
{
    return sweep_line_cmp(*(struct sweep_row *const *)a,
                          *(struct sweep_row *const *)b, SWEEP_BATCH);
}

static void sweep_plots(struct eb_doc *d, const struct eb_group *g,
                        const struct sweep *s, enum sweep_over over)
{
    struct sweep_row **v = eb_xcalloc(s->n, sizeof(*v));
    double least = sweep_least(s, over);
    size_t n = 0, from, to, i;
    int any;

    for (i = 0; i < s->n; i++) {
        if (s->v[i].at[1 - over] <= least)
            v[n++] = &s->v[i];
    }
    if (n > 0)
        qsort(v, n, sizeof(*v),
              over == SWEEP_DEPTH ? sweep_line_cmp_depth
                                  : sweep_line_cmp_batch);
    for (from = 0; from < n; from = to) {
        any = 0;
        for (to = from; to < n && sweep_curve_cmp(v[to], v[from], over) == 0;
             to++)
            any |= v[to]->curve;
        if (!any)
            continue;
        sweep_plot(d, g, (struct sweep_line){v + from, to - from}, over, 0);
        if (over == SWEEP_BATCH)
            sweep_plot(d, g, (struct sweep_line){v + from, to - from}, over, 1);
    }
    free(v);
}

static void sweep_cells(struct eb_doc_table *t, const struct sweep_row *r,
                        const struct sweep_row *base, enum sweep_over over)
{
    struct eb_plot_point at = sweep_point(r, over, 1);
    struct eb_plot_point from = sweep_point(base, over, 1);
    char name[96];

    sweep_name(r, over, name);
    eb_doc_cell(t, eb_group_model(r->rec));
    eb_doc_cell(t, name);
    eb_doc_cellf(t, "%.0f", r->at[over]);
    if (isnan(at.y))
        eb_doc_cell(t, "not measured");
    else
        eb_doc_cellf(t, at.open ? "unstable, median %.1f" : "%.1f", at.y);
    if (isnan(at.lo))
        eb_doc_cell(t, "none");
    else
        eb_doc_cellf(t, "%.1f to %.1f", at.lo, at.hi);
    if (over == SWEEP_BATCH && isnan(at.y))
        eb_doc_cell(t, "not measured");
    else if (over == SWEEP_BATCH)
        eb_doc_cellf(t, "%.1f", at.y / r->at[over]);
    if (at.open || from.open || isnan(at.y))
        eb_doc_cell(t, "not shown");
    else
        eb_doc_cellf(t, "%.1f%%", 100 * at.y / from.y);
}

static void sweep_table(struct eb_doc *d, const struct sweep *s,
                        enum sweep_over over)
{
    static const char *const head[2][7] = {
        {"Model", "Test", "Depth", "Tokens/s", "95% interval",
         "Of the least depth"},
        {"Model", "Test", "Batch", "Tokens/s", "95% interval", "Per sequence",
         "Of the least batch"}};
    struct eb_doc_table *t;
    size_t i;

    t = eb_doc_table(d,
                     over == SWEEP_DEPTH
                         ? "Depth: tokens per second behind tokens that are "
                           "there before"
                         : "Batch: tokens per second of all sequences that "
                           "are written at once",
                     over == SWEEP_DEPTH ? "llrrrr" : "llrrrrr");
    for (i = 0; i < eb_doc_columns(t); i++)
        eb_doc_cell(t, head[over][i]);
    for (i = 0; i < s->n; i++) {
        if (s->v[i].curve)
            sweep_cells(t, &s->v[i], &s->v[s->v[i].base], over);
    }
    eb_doc_drop_empty(d);
}

void eb_section_sweeps(struct eb_doc *d, const struct eb_group *g)
{
    enum sweep_over over;
    struct sweep s;

    for (over = SWEEP_DEPTH; over <= SWEEP_BATCH; over++) {
        s = sweep_rows(g, over);
        sweep_plots(d, g, &s, over);
        sweep_table(d, &s, over);
        free(s.v);
    }
}

/* Rate over time */

/* Cores that others may use before a window counts as disturbed: the rule of
 * the suite (RECORD.md), NAN where the record does not say how many there are.
 */
static double rate_quiet(const cJSON *rec)
{
    double cores = eb_group_num(rec, "device.cpu.threads", NAN);
    double threads = eb_group_num(rec, "settings.threads", NAN);

    return fmax(cores - threads, 0) + 0.05 * cores;
}

static void rate_plot(struct eb_doc *d, const struct eb_group *g,
                      const cJSON *rec)
{
    const cJSON *v = eb_group_get(rec, "summary.sustained"), *w;
    double quiet = rate_quiet(rec), fell = eb_json_get_num(v, "fell_at_s", NAN);
    char *title = eb_xasprintf("%s: rate over time", eb_group_model(rec));
    struct eb_plot *p = eb_plot_new(g->key, title, "seconds since the start",
                                    "tokens/s of a window");
    struct eb_plot_series *s =
        eb_plot_series(p, eb_group_str(rec, "sustained.test", ""));

    free(title);
    p->desc = eb_xstrdup("Tokens per second of the windows of a long run, at "
                         "their middle; the numbers are in the table.");
    cJSON_ArrayForEach(w, eb_group_get(rec, "sustained.windows"))
    {
        double at = eb_json_get_num(w, "at_ns", NAN) / 1e9;
        double wall = eb_json_get_num(w, "wall_ns", 0) / 1e9;
        int open = eb_json_get_num(w, "others_cores", 0) > quiet;

        if (isnan(at) || wall <= 0)
            continue;
        if (open && p->open_means == NULL)
            p->open_means =
                eb_xasprintf("hollow: others used over %.2g cores", quiet);
        eb_plot_point(
            s, (struct eb_plot_point){at + wall / 2,
                                      eb_json_get_num(w, "tokens", 0) / wall,
                                      NAN, NAN, open});
    }
    if (!isnan(fell)) {
        p->mark_x = fell;
        p->mark = eb_xasprintf("fell by %.1f%%",
                               100 * eb_json_get_num(v, "fell_by", NAN));
    }
    if (eb_plot_points(p) > 0)
        eb_doc_plot(d, p);
    else
        eb_plot_free(p);
}

static void rate_throttled(struct eb_doc *d, const cJSON *rec)
{
    const cJSON *v = eb_group_get(rec, "heat.throttled");

    if (cJSON_IsTrue(v))
        eb_doc_add(d, EB_DOC_TEXT, "%s: the device slowed itself down: %s.",
                   eb_group_model(rec),
                   eb_group_str(rec, "heat.throttled_why", "no reason given"));
    else if (cJSON_IsFalse(v))
        eb_doc_add(d, EB_DOC_TEXT, "%s: the device did not slow itself down.",
                   eb_group_model(rec));
    else
        eb_doc_add(d, EB_DOC_TEXT,
                   "%s: whether the device slowed itself down is not known "
                   "(%s).",
                   eb_group_model(rec),
                   eb_group_str(rec, "heat.throttled_reason",
                                "absent: the record has no heat"));
}

void eb_section_rate(struct eb_doc *d, const struct eb_group *g)
{
    int any = 0;
    size_t i;

    for (i = 0; i < g->n; i++)
        any |= eb_group_get(g->recs[i], "summary.sustained") != NULL;
    if (!any)
        return;
    eb_doc_add(d, EB_DOC_H3, "Rate over time");
    for (i = 0; i < g->n; i++) {
        if (eb_group_get(g->recs[i], "summary.sustained") != NULL)
            rate_plot(d, g, g->recs[i]);
    }
    for (i = 0; i < g->n; i++) {
        if (eb_group_get(g->recs[i], "summary.sustained") != NULL)
            rate_throttled(d, g->recs[i]);
    }
}
