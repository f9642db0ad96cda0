/* A chart as inline SVG: model size on a log scale against accuracy. */
#ifndef EB_SVG_H
#define EB_SVG_H

#include "common/buf.h"
#include "reports/doc.h"

/* Texts escaped for HTML and XML; control characters become U+FFFD. */
void eb_svg_escape(struct eb_buf *out, const char *s);
/* id makes the ids of <title> and <desc> unique on the page. */
void eb_svg_chart(struct eb_buf *out, const struct eb_doc_chart *c,
                  unsigned id);

#endif
