/* Stacked bars, one a model, in bytes. */
#include <math.h>
#include <stdio.h>

#include "reports/section.h"
#include "reports/svg.h"

#define BARS_W 360
#define BARS_LEFT 6
#define BARS_RIGHT 350
#define BARS_TOP 8
#define BARS_STEP 48 /* name and bar */
#define BARS_HIGH 20
#define BARS_LINE 17
#define BARS_TICKS 4
#define BARS_NUMBER 13     /* a part this wide has room for its number */
#define BARS_NAME_CHARS 30 /* the sum stands at the other end */
#define BARS_LEGEND_CHARS 46

static double bars_most(const struct eb_bars *b)
{
    double most = 0;
    size_t i;

    for (i = 0; i < b->n; i++)
        most = fmax(most, eb_bars_sum(b, i));
    return most > 0 ? most : 1;
}

static double bars_x(double bytes, double most)
{
    return BARS_LEFT + bytes / most * (BARS_RIGHT - BARS_LEFT);
}

static void bars_part(struct eb_buf *out, const struct eb_bars *b, size_t i,
                      size_t k, double from, double y)
{
    double most = bars_most(b), bytes = b->v[i].v[k];
    double x = bars_x(from, most), width = bars_x(from + bytes, most) - x;
    int open = b->last_open && k + 1 == b->n_parts;
    char text[EB_SHORT_LEN];

    eb_buf_addf(out, "<g class=\"p%zu\"><title>", k % EB_SVG_COLOURS);
    eb_svg_escape(out, b->v[i].name);
    eb_buf_addf(out, ", %s: %s</title>", b->parts[k],
                eb_short_bytes(bytes, text));
    eb_buf_addf(out,
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                "height=\"%d\"/>",
                open ? "d" : "f", x, y, width, BARS_HIGH);
    if (width >= BARS_NUMBER)
        eb_buf_addf(out,
                    "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"middle\">%zu</text>",
                    open ? "h" : "i", x + width / 2, y + 15, k + 1);
    eb_buf_adds(out, "</g>");
}

static void bars_bar(struct eb_buf *out, const struct eb_bars *b, size_t i)
{
    double y = BARS_TOP + BARS_STEP * (double)i, from = 0;
    char text[EB_SHORT_LEN];
    size_t k;

    eb_buf_addf(out, "<text class=\"h\" x=\"%d\" y=\"%.1f\">", BARS_LEFT,
                y + 12);
    eb_svg_escape_cut(out, b->v[i].name, BARS_NAME_CHARS);
    eb_buf_adds(out, "</text>");
    eb_svg_text(out, BARS_RIGHT, y + 12, "end",
                eb_short_bytes(eb_bars_sum(b, i), text));
    for (k = 0; k < b->n_parts; k++) {
        if (!(b->v[i].v[k] > 0))
            continue;
        bars_part(out, b, i, k, from, y + 18);
        from += b->v[i].v[k];
    }
}

static void bars_axis(struct eb_buf *out, const struct eb_bars *b, double y)
{
    double at[EB_PLOT_TICKS], most = bars_most(b);
    size_t n = eb_plot_ticks(0, most, BARS_TICKS, at), i;
    char text[EB_SHORT_LEN];

    eb_buf_addf(out, "<path class=\"t\" d=\"M%d %.1fH%d\"/>", BARS_LEFT, y,
                BARS_RIGHT);
    for (i = 0; i < n; i++) {
        double x = bars_x(at[i], most);

        eb_buf_addf(out, "<path class=\"t\" d=\"M%.1f %.1fv5\"/>", x, y);
        eb_svg_text(out, x, y + 18,
                    i == 0                ? "start"
                    : x > BARS_RIGHT - 30 ? "end"
                                          : "middle",
                    i == 0 ? "0" : eb_short_bytes(at[i], text));
    }
}

/* Bars that lack the part. */
static size_t bars_without(const struct eb_bars *b, size_t k)
{
    size_t n = 0, i;

    for (i = 0; i < b->n; i++)
        n += isnan(b->v[i].v[k]) != 0;
    return n;
}

static void bars_legend(struct eb_buf *out, const struct eb_bars *b, size_t k,
                        double y)
{
    int open = b->last_open && k + 1 == b->n_parts;
    size_t without = bars_without(b, k);
    char text[96];

    snprintf(text, sizeof(text), "%s%s", b->parts[k],
             without == 0      ? ""
             : without == b->n ? ": not known"
                               : ": not known of all");
    eb_buf_addf(out,
                "<g class=\"p%zu\"><rect class=\"%s\" x=\"%d\" y=\"%.1f\" "
                "width=\"18\" height=\"13\"/><text class=\"%s\" x=\"%d\" "
                "y=\"%.1f\" text-anchor=\"middle\">%zu</text></g><text "
                "class=\"h\" x=\"%d\" y=\"%.1f\">",
                k % EB_SVG_COLOURS, open ? "d" : "f", BARS_LEFT, y,
                open ? "h" : "i", BARS_LEFT + 9, y + 11, k + 1, BARS_LEFT + 25,
                y + 11);
    eb_svg_escape_cut(out, text, BARS_LEGEND_CHARS);
    eb_buf_adds(out, "</text>");
}

void eb_svg_bars(struct eb_buf *out, const struct eb_bars *b, unsigned id)
{
    double axis = BARS_TOP + BARS_STEP * (double)b->n;
    double legend = axis + 30;
    size_t i;

    eb_svg_open(out, BARS_W, legend + BARS_LINE * (double)b->n_parts + 4,
                b->title, b->desc, id);
    for (i = 0; i < b->n; i++)
        bars_bar(out, b, i);
    bars_axis(out, b, axis);
    for (i = 0; i < b->n_parts; i++)
        bars_legend(out, b, i, legend + BARS_LINE * (double)i);
    eb_buf_adds(out, "</svg>");
}
