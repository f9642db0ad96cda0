#include "reports/svg.h"

#include <math.h>
#include <stdlib.h>

#include "common/mem.h"
#include "reports/section.h"

/* User units of the view box; the page scales it. */
#define SVG_W 360
#define SVG_H 252
#define SVG_LEFT 46
#define SVG_RIGHT 350
#define SVG_TOP 10
#define SVG_BOTTOM 196
#define SVG_LABEL_GAP 44 /* two labels in one line need this much */

void eb_svg_escape(struct eb_buf *out, const char *s)
{
    while (*s != '\0') {
        size_t n = eb_doc_escape(out, s);

        s += n;
        if (n > 0)
            continue;
        if (*s == '"')
            eb_buf_adds(out, "&quot;");
        else if (*s == '\'')
            eb_buf_adds(out, "&#39;");
        else
            eb_buf_addc(out, *s);
        s++;
    }
}

void eb_svg_escape_cut(struct eb_buf *out, const char *s, size_t most)
{
    size_t chars = 0, end = 0, i;
    char *cut;

    for (i = 0; s[i] != '\0'; i++) {
        if (((unsigned char)s[i] & 0xc0) == 0x80)
            continue; /* within a character of UTF-8 */
        if (++chars == most)
            end = i;
    }
    if (chars <= most) {
        eb_svg_escape(out, s);
        return;
    }
    cut = eb_xstrndup(s, end);
    eb_svg_escape(out, cut);
    eb_buf_adds(out, "\xe2\x80\xa6");
    free(cut);
}

void eb_svg_open(struct eb_buf *out, double width, double height,
                 const char *title, const char *desc, unsigned id)
{
    eb_buf_addf(out,
                "<svg role=\"img\" viewBox=\"0 0 %.0f %.0f\" "
                "aria-labelledby=\"c%ut c%ud\"><title id=\"c%ut\">",
                width, height, id, id, id);
    eb_svg_escape(out, title);
    eb_buf_addf(out, "</title><desc id=\"c%ud\">", id);
    eb_svg_escape(out, desc != NULL ? desc : "");
    eb_buf_adds(out, "</desc>");
}

void eb_svg_text(struct eb_buf *out, double x, double y, const char *anchor,
                 const char *text)
{
    eb_buf_addf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
                anchor);
    eb_svg_escape(out, text);
    eb_buf_adds(out, "</text>");
}

static double svg_y(double share)
{
    return SVG_BOTTOM - share * (SVG_BOTTOM - SVG_TOP);
}

/* Log position with a tenth of the width free at both ends. */
static double svg_x(const struct eb_doc_chart *c, double parameters)
{
    double lo = log(c->points[0].parameters), hi = lo, v;
    size_t i;

    for (i = 0; i < c->n; i++) {
        v = log(c->points[i].parameters);
        lo = fmin(lo, v);
        hi = fmax(hi, v);
    }
    v = hi > lo ? (log(parameters) - lo) / (hi - lo) : 0.5;
    return SVG_LEFT + (0.1 + 0.8 * v) * (SVG_RIGHT - SVG_LEFT);
}

static void svg_axes(struct eb_buf *out, double bar)
{
    int i;

    for (i = 0; i <= 4; i++) {
        double y = svg_y(i / 4.0);

        eb_buf_addf(out,
                    "<path class=\"g\" d=\"M%d %.1fH%d\"/><text x=\"%d\" "
                    "y=\"%.1f\" text-anchor=\"end\">%d%%</text>",
                    SVG_LEFT, y, SVG_RIGHT, SVG_LEFT - 5, y + 4, 25 * i);
    }
    eb_buf_addf(out, "<path class=\"b\" d=\"M%d %.1fH%d\"/>", SVG_LEFT,
                svg_y(bar), SVG_RIGHT);
    eb_buf_addf(out, "<text class=\"h\" x=\"%d\" y=\"%.1f\">bar %.4g%%</text>",
                SVG_LEFT + 4, svg_y(bar) + (bar > 0.9 ? 13 : -4), 100 * bar);
    eb_buf_addf(out,
                "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">parameters "
                "(log scale)</text>",
                (SVG_LEFT + SVG_RIGHT) / 2, SVG_BOTTOM + 50);
}

/* A disc, a cross or an open square: the shape says the verdict, too. */
static void svg_point(struct eb_buf *out, double x,
                      const struct eb_doc_point *p)
{
    static const char classes[] = {'u', 'y', 'n'};
    double y = svg_y(p->rate);

    eb_buf_addf(out, "<g class=\"%c\"><title>", classes[p->mark]);
    eb_svg_escape(out, p->name);
    eb_buf_addf(out, ": %.1f%%, %.1f to %.1f%%</title>", 100 * p->rate,
                100 * p->lo, 100 * p->hi);
    eb_buf_addf(out, "<path d=\"M%.1f %.1fV%.1fM%.1f %.1fh8M%.1f %.1fh8\"/>", x,
                svg_y(p->hi), svg_y(p->lo), x - 4, svg_y(p->hi), x - 4,
                svg_y(p->lo));
    if (p->mark == EB_DOC_YES)
        eb_buf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x, y);
    else if (p->mark == EB_DOC_NO)
        eb_buf_addf(out,
                    "<path class=\"x\" d=\"M%.1f %.1fl10 10m0 -10l-10 10\"/>",
                    x - 5, y - 5);
    else
        eb_buf_addf(out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"9\" height=\"9\"/>",
                    x - 4.5, y - 4.5);
    eb_buf_adds(out, "</g>");
}

/* Size labels in two lines; one that fits in neither is left to the table. */
static void svg_labels(struct eb_buf *out, const struct eb_doc_chart *c)
{
    double last[2] = {-1000, -1000};
    char size[EB_SHORT_LEN];
    size_t i;
    int line;

    for (i = 0; i < c->n; i++) {
        double x = svg_x(c, c->points[i].parameters);

        eb_buf_addf(out, "<path class=\"t\" d=\"M%.1f %dv5\"/>", x, SVG_BOTTOM);
        for (line = 0; line < 2 && x - last[line] < SVG_LABEL_GAP;)
            line++;
        if (line == 2)
            continue;
        last[line] = x;
        eb_buf_addf(out,
                    "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s"
                    "</text>",
                    x, SVG_BOTTOM + 19 + 15 * line,
                    eb_short_count(c->points[i].parameters, size));
    }
}

void eb_svg_chart(struct eb_buf *out, const struct eb_doc_chart *c, unsigned id)
{
    size_t i;

    eb_svg_open(out, SVG_W, SVG_H, c->title, c->desc, id);
    svg_axes(out, c->bar);
    for (i = 0; i < c->n; i++)
        svg_point(out, svg_x(c, c->points[i].parameters), &c->points[i]);
    if (c->n > 0)
        svg_labels(out, c);
    else
        eb_buf_addf(out,
                    "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">no point "
                    "to draw</text>",
                    (SVG_LEFT + SVG_RIGHT) / 2, (SVG_TOP + SVG_BOTTOM) / 2);
    eb_buf_adds(out, "</svg>");
}
