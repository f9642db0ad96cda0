#include "reports/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct eb_plot *eb_plot_new(const char *group, const char *title,
                            const char *x_title, const char *y_title)
{
    struct eb_plot *p = eb_xcalloc(1, sizeof(*p));

    p->group = eb_xstrdup(group);
    p->title = eb_xstrdup(title);
    p->x_title = eb_xstrdup(x_title);
    p->y_title = eb_xstrdup(y_title);
    p->mark_x = NAN;
    return p;
}

struct eb_plot_series *eb_plot_series(struct eb_plot *p, const char *name)
{
    struct eb_plot_series *s;
    size_t i;

    p->v = eb_xrealloc(p->v, p->n + 1, sizeof(*p->v));
    s = &p->v[p->n++];
    memset(s, 0, sizeof(*s));
    s->name = eb_xstrdup(name);
    for (i = 0; i < EB_PLOT_SPOTS; i++)
        s->spots[i].x = NAN;
    return s;
}

void eb_plot_point(struct eb_plot_series *s, struct eb_plot_point v)
{
    s->v = eb_xrealloc(s->v, s->n + 1, sizeof(*s->v));
    s->v[s->n++] = v;
}

size_t eb_plot_points(const struct eb_plot *p)
{
    size_t n = 0, i;

    for (i = 0; i < p->n; i++)
        n += p->v[i].n;
    return n;
}

void eb_plot_free(struct eb_plot *p)
{
    size_t i;

    if (p == NULL)
        return;
    for (i = 0; i < p->n; i++) {
        free(p->v[i].name);
        free(p->v[i].v);
    }
    free(p->v);
    free(p->group);
    free(p->title);
    free(p->desc);
    free(p->x_title);
    free(p->y_title);
    free(p->open_means);
    free(p->mark);
    free(p);
}

/* Bars */

struct eb_bars *eb_bars_new(const char *group, const char *title,
                            const char *const *parts, size_t n_parts)
{
    struct eb_bars *b = eb_xcalloc(1, sizeof(*b));

    b->group = eb_xstrdup(group);
    b->title = eb_xstrdup(title);
    b->parts = parts;
    b->n_parts = n_parts;
    return b;
}

void eb_bars_add(struct eb_bars *b, const char *name, const double *v,
                 const char *const *reasons)
{
    struct eb_bar *bar;
    size_t i;

    b->v = eb_xrealloc(b->v, b->n + 1, sizeof(*b->v));
    bar = &b->v[b->n++];
    bar->name = eb_xstrdup(name);
    bar->v = eb_xcalloc(b->n_parts, sizeof(*bar->v));
    bar->reasons = eb_xcalloc(b->n_parts, sizeof(*bar->reasons));
    for (i = 0; i < b->n_parts; i++) {
        bar->v[i] = v[i];
        if (isnan(v[i]))
            bar->reasons[i] = eb_xstrdup(reasons[i]);
    }
}

double eb_bars_sum(const struct eb_bars *b, size_t i)
{
    double sum = 0;
    size_t k;

    for (k = 0; k < b->n_parts; k++)
        sum += isnan(b->v[i].v[k]) ? 0 : b->v[i].v[k];
    return sum;
}

void eb_bars_free(struct eb_bars *b)
{
    size_t i, k;

    if (b == NULL)
        return;
    for (i = 0; i < b->n; i++) {
        for (k = 0; k < b->n_parts; k++)
            free(b->v[i].reasons[k]);
        free(b->v[i].reasons);
        free(b->v[i].v);
        free(b->v[i].name);
    }
    free(b->v);
    free(b->group);
    free(b->title);
    free(b->desc);
    free(b);
}

/* Geometry */

static int plot_cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void eb_plot_ecdf(struct eb_plot_series *s, double *v, size_t n, size_t most)
{
    double last = -1, y;
    size_t i;

    qsort(v, n, sizeof(*v), plot_cmp);
    s->step = 1;
    for (i = 0; i < n; i++) {
        if (i + 1 < n && v[i + 1] <= v[i])
            continue; /* the last of equal values has their share */
        y = (double)(i + 1) / (double)n;
        if (s->n > 0 && i + 1 < n && y - last < 1.0 / (double)most)
            continue;
        eb_plot_point(s, (struct eb_plot_point){v[i], y, NAN, NAN, 0});
        last = y;
    }
}

/* A hair of tolerance, so that 3 * 0.1 is within 0.3. */
#define PLOT_EPS 1e-9

size_t eb_plot_ticks(double lo, double hi, size_t most,
                     double out[EB_PLOT_TICKS])
{
    static const double steps[] = {1, 2, 5, 10, 20, 50};
    double power = pow(10, floor(log10((hi - lo) / (double)most))), step, k;
    size_t n, i;

    if (!(hi > lo)) {
        out[0] = lo;
        return 1;
    }
    for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        step = steps[i] * power;
        n = 0;
        for (k = ceil(lo / step - PLOT_EPS);
             k <= hi / step + PLOT_EPS && n <= most; k++) {
            if (n < most)
                out[n] = k * step + 0.0; /* no -0 */
            n++;
        }
        if (n <= most)
            return n;
    }
    return 0;
}

size_t eb_plot_ticks_log(double lo, double hi, size_t most,
                         double out[EB_PLOT_TICKS])
{
    static const double digits[] = {1, 2, 5};
    size_t n, pass, each, i;
    double e, v;

    for (pass = 0; pass < 2; pass++) {
        each = pass == 0 ? 3 : 1;
        n = 0;
        for (e = floor(log10(lo)); e <= log10(hi) && n <= most; e++) {
            for (i = 0; i < each && n <= most; i++) {
                v = digits[i] * pow(10, e);
                if (v < lo * (1 - PLOT_EPS) || v > hi * (1 + PLOT_EPS))
                    continue;
                if (n < most)
                    out[n] = v;
                n++;
            }
        }
        if (n <= most)
            return n;
    }
    return most;
}
