/* Charts as numbers: series of points and stacked bars. Sections fill them, the
 * document owns them, svg_plot.c and svg_bars.c draw them, writer_json.c lists
 * them. Here is also the geometry that needs no picture.
 *
 * All texts are copied, plain and unescaped. Example:
 *
 *     p = eb_plot_new(g->key, "tg128 over depth", "depth", "tokens/s");
 *     s = eb_plot_series(p, "ladder-4m");
 *     eb_plot_point(s, (struct eb_plot_point){4096, 80.2, 79, 81.4, 0});
 *     eb_doc_plot(doc, p);
 */
#ifndef EB_PLOT_H
#define EB_PLOT_H

#include <stddef.h>

struct eb_plot_point {
    double x, y;
    double lo, hi; /* interval of y, NAN: none */
    int open;      /* drawn hollow: no figure to quote */
};

/* What is singled out on a curve: the median, p95 and p99. */
#define EB_PLOT_SPOTS 3

struct eb_plot_series {
    char *name;
    struct eb_plot_point *v; /* x rising */
    size_t n;
    int step; /* y holds until the next x; no marker a point */
    struct eb_plot_point spots[EB_PLOT_SPOTS]; /* x NAN: none */
};

struct eb_plot {
    char *group; /* key of the group it belongs to */
    char *title;
    char *desc; /* what one sees, in a sentence */
    char *x_title;
    char *y_title;
    char *open_means; /* of hollow points, NULL: there are none */
    int x_log;
    int x_at_points; /* ticks where points are */
    int y_share;     /* y is 0..1, labelled in percent */
    struct eb_plot_series *v;
    size_t n;
    double mark_x; /* a line across with a text; NAN: none */
    char *mark;
};

struct eb_plot *eb_plot_new(const char *group, const char *title,
                            const char *x_title, const char *y_title);
/* Valid until the next series. */
struct eb_plot_series *eb_plot_series(struct eb_plot *p, const char *name);
void eb_plot_point(struct eb_plot_series *s, struct eb_plot_point v);
size_t eb_plot_points(const struct eb_plot *p);
void eb_plot_free(struct eb_plot *p);

/* One bar of a model, its parts in the order of the chart's names. */
struct eb_bar {
    char *name;
    double *v;      /* NAN: not known */
    char **reasons; /* why, else NULL */
};

struct eb_bars {
    char *group;
    char *title;
    char *desc;
    const char *const *parts; /* static */
    size_t n_parts;
    int last_open; /* the last part is room, nothing that fills it */
    struct eb_bar *v;
    size_t n;
};

struct eb_bars *eb_bars_new(const char *group, const char *title,
                            const char *const *parts, size_t n_parts);
/* v[i] with reasons[i] where it is NAN. */
void eb_bars_add(struct eb_bars *b, const char *name, const double *v,
                 const char *const *reasons);
/* The parts that are known, together. */
double eb_bars_sum(const struct eb_bars *b, size_t i);
void eb_bars_free(struct eb_bars *b);

/* The cumulative distribution of n > 0 values, which it sorts: at each point
 * the share y of them that is at most x. Rises of less than 1/most are left
 * out, never the first and the last value. */
void eb_plot_ecdf(struct eb_plot_series *s, double *v, size_t n, size_t most);

#define EB_PLOT_TICKS 16
/* Multiples of 1, 2 or 5 times a power of ten within lo..hi, at most `most`
 * (2 .. EB_PLOT_TICKS); returns how many. */
size_t eb_plot_ticks(double lo, double hi, size_t most,
                     double out[EB_PLOT_TICKS]);
/* The same for a log axis (0 < lo < hi): 1, 2, 5, 10 ..., powers of ten only
 * where that were too many. */
size_t eb_plot_ticks_log(double lo, double hi, size_t most,
                         double out[EB_PLOT_TICKS]);

#endif
