/* Charts as inline SVG: model size on a log scale against accuracy (svg.c),
 * series (svg_plot.c) and stacked bars (svg_bars.c). */
#ifndef EB_SVG_H
#define EB_SVG_H

#include "common/buf.h"
#include "reports/doc.h"
#include "reports/plot.h"

/* Texts escaped for HTML and XML; control characters become U+FFFD. */
void eb_svg_escape(struct eb_buf *out, const char *s);
/* The same, cut to so many characters with an ellipsis. */
void eb_svg_escape_cut(struct eb_buf *out, const char *s, size_t most);
/* Opens the element of a chart: its view box, title and description (may be
 * NULL). id makes the ids of <title> and <desc> unique on the page. */
void eb_svg_open(struct eb_buf *out, double width, double height,
                 const char *title, const char *desc, unsigned id);
/* A text; anchor is "start", "middle" or "end". */
void eb_svg_text(struct eb_buf *out, double x, double y, const char *anchor,
                 const char *text);

void eb_svg_chart(struct eb_buf *out, const struct eb_doc_chart *c,
                  unsigned id);
void eb_svg_plot(struct eb_buf *out, const struct eb_plot *p, unsigned id);
void eb_svg_bars(struct eb_buf *out, const struct eb_bars *b, unsigned id);

/* Series and parts are told apart by colour (class p0 ..) and by dash and
 * marker, or by number. */
#define EB_SVG_COLOURS 6

#endif
