/* Series of points: lines with markers, or steps. */
#include <math.h>
#include <stdio.h>

#include "reports/svg.h"

/* User units of the view box, as in svg.c. */
#define PLOT_W 360
#define PLOT_LEFT 48
#define PLOT_RIGHT 350
#define PLOT_TOP 24
#define PLOT_BOTTOM 190
#define PLOT_PAD 10          /* between the frame and the first point */
#define PLOT_LEGEND 242      /* first line below the axis */
#define PLOT_LINE 17         /* of text */
#define PLOT_LEGEND_CHARS 46 /* of one line */
#define PLOT_LABEL_GAP 46    /* two tick labels need this much */
#define PLOT_Y_TICKS 6

/* What is shown of the data's ranges. */
struct plot_view {
    const struct eb_plot *p;
    double x0, x1, y1;
    int x_log; /* wanted, and all x have one */
};

static double plot_x(const struct plot_view *v, double x)
{
    double share = v->x_log ? (log(x) - log(v->x0)) / (log(v->x1) - log(v->x0))
                            : (x - v->x0) / (v->x1 - v->x0);

    return PLOT_LEFT + PLOT_PAD +
           share * (PLOT_RIGHT - PLOT_LEFT - 2 * PLOT_PAD);
}

static double plot_y(const struct plot_view *v, double y)
{
    return PLOT_BOTTOM - fmax(y, 0) / v->y1 * (PLOT_BOTTOM - PLOT_TOP);
}

static struct plot_view plot_look(const struct eb_plot *p)
{
    struct plot_view v = {p, INFINITY, -INFINITY, 0, 0};
    size_t i, k;

    for (i = 0; i < p->n; i++) {
        for (k = 0; k < p->v[i].n; k++) {
            const struct eb_plot_point *at = &p->v[i].v[k];

            v.x0 = fmin(v.x0, at->x);
            v.x1 = fmax(v.x1, at->x);
            v.y1 = fmax(v.y1, fmax(at->y, at->hi));
        }
    }
    if (eb_plot_points(p) == 0) {
        v.x0 = 0;
        v.x1 = 1;
    } else if (!(v.x1 > v.x0)) {
        v.x0 *= 0.9;
        v.x1 = v.x1 * 1.1 + (v.x1 <= 0);
    }
    v.x_log = p->x_log && v.x0 > 0;
    v.y1 = p->y_share ? 1 : v.y1 > 0 ? v.y1 * 1.05 : 1;
    return v;
}

/* Ticks */

static const char *plot_number(double v, char out[32])
{
    if (v >= 1e6)
        snprintf(out, 32, "%.4g M", v / 1e6);
    else if (v >= 1e4)
        snprintf(out, 32, "%.4g k", v / 1e3);
    else
        snprintf(out, 32, "%.4g", v);
    return out;
}

/* So many digits that count; the whole number where that would need an
 * exponent. */
static const char *plot_exact(double v, int digits, char out[32])
{
    if (v >= pow(10, digits) - 0.5)
        snprintf(out, 32, "%.0f", v);
    else
        snprintf(out, 32, "%.*g", digits, v);
    return out;
}

static void plot_y_axis(struct eb_buf *out, const struct plot_view *v)
{
    double at[EB_PLOT_TICKS];
    size_t n = eb_plot_ticks(0, v->y1, PLOT_Y_TICKS, at), i;
    char text[32];

    for (i = 0; i < n; i++) {
        double y = plot_y(v, at[i]);

        eb_buf_addf(out, "<path class=\"g\" d=\"M%d %.1fH%d\"/>", PLOT_LEFT, y,
                    PLOT_RIGHT);
        if (v->p->y_share)
            snprintf(text, sizeof(text), "%.0f%%", 100 * at[i]);
        else
            plot_number(at[i], text);
        eb_svg_text(out, PLOT_LEFT - 5, y + 4, "end", text);
    }
    eb_svg_text(out, 4, PLOT_TOP - 10, "start", v->p->y_title);
}

static void plot_x_tick(struct eb_buf *out, const struct plot_view *v, double x)
{
    char text[32];

    eb_buf_addf(out, "<path class=\"t\" d=\"M%.1f %dv5\"/>", plot_x(v, x),
                PLOT_BOTTOM);
    eb_svg_text(out, plot_x(v, x), PLOT_BOTTOM + 18, "middle",
                plot_number(x, text));
}

static int plot_has(const double *v, size_t n, double x)
{
    while (n-- > 0) {
        if (v[n] >= x && v[n] <= x)
            return 1;
    }
    return 0;
}

/* The values at which there are points, each once and rising; 0 if they are
 * too many for that. */
static size_t plot_values(const struct eb_plot *p, double out[EB_PLOT_TICKS])
{
    size_t n = 0, i, k, j;

    for (i = 0; i < p->n; i++) {
        for (k = 0; k < p->v[i].n; k++) {
            double x = p->v[i].v[k].x;

            if (plot_has(out, n, x))
                continue;
            if (n == EB_PLOT_TICKS)
                return 0;
            for (j = n++; j > 0 && out[j - 1] > x; j--)
                out[j] = out[j - 1];
            out[j] = x;
        }
    }
    return n;
}

static void plot_x_axis(struct eb_buf *out, const struct plot_view *v)
{
    const size_t most = (PLOT_RIGHT - PLOT_LEFT) / PLOT_LABEL_GAP;
    double at[EB_PLOT_TICKS], last = -INFINITY;
    size_t n = v->p->x_at_points ? plot_values(v->p, at) : 0, i;

    if (n == 0 && v->x_log)
        n = eb_plot_ticks_log(v->x0, v->x1, most, at);
    else if (n == 0)
        n = eb_plot_ticks(v->x0, v->x1, most, at);
    for (i = 0; i < n; i++) {
        double x = plot_x(v, at[i]);

        if (x - last < PLOT_LABEL_GAP * (v->p->x_at_points ? 0.75 : 1))
            continue;
        last = x;
        plot_x_tick(out, v, at[i]);
    }
    eb_svg_text(out, (PLOT_LEFT + PLOT_RIGHT) / 2.0, PLOT_BOTTOM + 36, "middle",
                v->p->x_title);
}

/* Series */

static void plot_marker(struct eb_buf *out, size_t shape, double x, double y,
                        int open)
{
    static const char *const paths[] = {"m-4 -4h8v8h-8z",
                                        "m0 -5.5l5 5.5l-5 5.5l-5 -5.5z",
                                        "m0 -5l5 9h-10z", "m0 5l5 -9h-10z"};
    const size_t n = sizeof(paths) / sizeof(*paths) + 1;

    if (shape % n == 0)
        eb_buf_addf(out,
                    "<circle class=\"%c\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.2\"/>",
                    open ? 'o' : 'm', x, y);
    else
        eb_buf_addf(out, "<path class=\"%c\" d=\"M%.1f %.1f%s\"/>",
                    open ? 'o' : 'm', x, y, paths[shape % n - 1]);
}

static const char *plot_dash(size_t i)
{
    static const char *const dashes[] = {"", " stroke-dasharray=\"7 4\"",
                                         " stroke-dasharray=\"2 3\"",
                                         " stroke-dasharray=\"9 3 2 3\""};

    /* Colours return before this does. */
    return dashes[(i + i / EB_SVG_COLOURS) % 4];
}

static void plot_line(struct eb_buf *out, const struct plot_view *v, size_t i)
{
    const struct eb_plot_series *s = &v->p->v[i];
    size_t k;

    eb_buf_addf(out, "<path class=\"l\"%s d=\"", plot_dash(i));
    if (s->step)
        eb_buf_addf(out, "M%d %dH%.1f", PLOT_LEFT, PLOT_BOTTOM,
                    plot_x(v, s->v[0].x));
    for (k = 0; k < s->n; k++) {
        double x = plot_x(v, s->v[k].x), y = plot_y(v, s->v[k].y);

        if (!s->step)
            eb_buf_addf(out, "%c%.1f %.1f", k == 0 ? 'M' : 'L', x, y);
        else
            eb_buf_addf(out, "H%.1fV%.1f", x, y);
    }
    if (s->step)
        eb_buf_addf(out, "H%d", PLOT_RIGHT);
    eb_buf_adds(out, "\"/>");
}

static void plot_dots(struct eb_buf *out, const struct plot_view *v, size_t i)
{
    const struct eb_plot_series *s = &v->p->v[i];
    char text[2][32];
    size_t k;

    for (k = 0; k < s->n; k++) {
        const struct eb_plot_point *at = &s->v[k];
        double x = plot_x(v, at->x);

        eb_buf_adds(out, "<g><title>");
        eb_svg_escape(out, s->name);
        eb_buf_addf(out, ", %s: %s", plot_exact(at->x, 5, text[0]),
                    plot_exact(at->y, 4, text[1]));
        if (!isnan(at->lo))
            eb_buf_addf(out, " (%s to %s)", plot_exact(at->lo, 4, text[0]),
                        plot_exact(at->hi, 4, text[1]));
        eb_buf_adds(out, "</title>");
        if (!isnan(at->lo))
            eb_buf_addf(out,
                        "<path class=\"l\" d=\"M%.1f %.1fV%.1fm-4 0h8M%.1f "
                        "%.1fh8\"/>",
                        x, plot_y(v, at->lo), plot_y(v, at->hi), x - 4,
                        plot_y(v, at->lo));
        plot_marker(out, i, x, plot_y(v, at->y), at->open);
        eb_buf_adds(out, "</g>");
    }
}

static void plot_spots(struct eb_buf *out, const struct plot_view *v, size_t i)
{
    static const size_t shapes[EB_PLOT_SPOTS] = {0, 2, 3};
    size_t k;

    for (k = 0; k < EB_PLOT_SPOTS; k++) {
        const struct eb_plot_point *at = &v->p->v[i].spots[k];

        if (!isnan(at->x))
            plot_marker(out, shapes[k], plot_x(v, at->x), plot_y(v, at->y), 0);
    }
}

static void plot_series(struct eb_buf *out, const struct plot_view *v, size_t i)
{
    const struct eb_plot_series *s = &v->p->v[i];

    if (s->n == 0)
        return;
    eb_buf_addf(out, "<g class=\"p%zu\">", i % EB_SVG_COLOURS);
    plot_line(out, v, i);
    if (s->step)
        plot_spots(out, v, i);
    else
        plot_dots(out, v, i);
    eb_buf_adds(out, "</g>");
}

static void plot_mark(struct eb_buf *out, const struct plot_view *v)
{
    double x;
    int left;

    if (isnan(v->p->mark_x) || v->p->mark_x < v->x0 || v->p->mark_x > v->x1)
        return;
    x = plot_x(v, v->p->mark_x);
    left = x > (PLOT_LEFT + PLOT_RIGHT) / 2.0;
    eb_buf_addf(out, "<path class=\"b\" d=\"M%.1f %dV%d\"/>", x, PLOT_TOP,
                PLOT_BOTTOM);
    eb_svg_text(out, left ? x - 5 : x + 5, PLOT_BOTTOM - 8,
                left ? "end" : "start", v->p->mark);
}

/* Legend */

static void plot_legend_text(struct eb_buf *out, double y, const char *text)
{
    eb_buf_addf(out, "<text class=\"h\" x=\"44\" y=\"%.1f\">", y + 4);
    eb_svg_escape_cut(out, text, PLOT_LEGEND_CHARS);
    eb_buf_adds(out, "</text>");
}

static void plot_legend_spots(struct eb_buf *out, double y)
{
    static const char *const names[EB_PLOT_SPOTS] = {"p50", "p95", "p99"};
    static const size_t shapes[EB_PLOT_SPOTS] = {0, 2, 3};
    size_t k;

    for (k = 0; k < EB_PLOT_SPOTS; k++) {
        plot_marker(out, shapes[k], 22 + 62.0 * (double)k, y, 0);
        eb_svg_text(out, 31 + 62.0 * (double)k, y + 4, "start", names[k]);
    }
}

static void plot_legend(struct eb_buf *out, const struct eb_plot *p)
{
    size_t lines = 0, i;
    int step = 0;

    for (i = 0; i < p->n; i++) {
        double y = PLOT_LEGEND + PLOT_LINE * (double)lines++;

        step |= p->v[i].step;
        eb_buf_addf(out,
                    "<g class=\"p%zu\"><path class=\"l\"%s d=\"M6 "
                    "%.1fh32\"/>",
                    i % EB_SVG_COLOURS, plot_dash(i), y);
        if (!p->v[i].step)
            plot_marker(out, i, 22, y, 0);
        eb_buf_adds(out, "</g>");
        plot_legend_text(out, y, p->v[i].name);
    }
    if (step)
        plot_legend_spots(out, PLOT_LEGEND + PLOT_LINE * (double)lines++);
    if (p->open_means != NULL) {
        double y = PLOT_LEGEND + PLOT_LINE * (double)lines;

        plot_marker(out, 0, 22, y, 1);
        plot_legend_text(out, y, p->open_means);
    }
}

static size_t plot_legend_lines(const struct eb_plot *p)
{
    size_t n = p->n + (p->open_means != NULL), i;

    for (i = 0; i < p->n; i++) {
        if (p->v[i].step)
            return n + 1;
    }
    return n;
}

void eb_svg_plot(struct eb_buf *out, const struct eb_plot *p, unsigned id)
{
    struct plot_view v = plot_look(p);
    size_t i;

    eb_svg_open(out, PLOT_W,
                PLOT_LEGEND + PLOT_LINE * (double)plot_legend_lines(p) - 6,
                p->title, p->desc, id);
    plot_y_axis(out, &v);
    plot_x_axis(out, &v);
    plot_mark(out, &v);
    for (i = 0; i < p->n; i++)
        plot_series(out, &v, i);
    plot_legend(out, p);
    eb_buf_adds(out, "</svg>");
}
