#include "reports/doc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static char *doc_vprint(const char *fmt, va_list ap)
{
    char *s;

    if (vasprintf(&s, fmt, ap) < 0)
        abort();
    return s;
}

static struct eb_doc_block *doc_block(struct eb_doc *d, enum eb_doc_kind kind)
{
    if (d->n == d->cap) {
        d->cap = d->cap > 0 ? 2 * d->cap : 32;
        d->v = eb_xrealloc(d->v, d->cap, sizeof(*d->v));
    }
    memset(&d->v[d->n], 0, sizeof(*d->v));
    d->v[d->n].kind = kind;
    return &d->v[d->n++];
}

void eb_doc_add(struct eb_doc *d, enum eb_doc_kind kind, const char *fmt, ...)
{
    struct eb_doc_block *b = doc_block(d, kind);
    va_list ap;

    va_start(ap, fmt);
    b->text = doc_vprint(fmt, ap);
    va_end(ap);
}

void eb_doc_answer(struct eb_doc *d, enum eb_doc_mark mark, const char *text,
                   size_t lead)
{
    struct eb_doc_block *b = doc_block(d, EB_DOC_ANSWER);

    b->mark = mark;
    b->text = eb_xstrndup(text, lead);
    b->rest = eb_xstrdup(text + lead);
}

struct eb_doc_table *eb_doc_table(struct eb_doc *d, const char *caption,
                                  const char *kinds)
{
    struct eb_doc_block *b = doc_block(d, EB_DOC_TABLE);

    b->table = eb_xcalloc(1, sizeof(*b->table));
    b->table->caption = eb_xstrdup(caption);
    b->table->kinds = eb_xstrdup(kinds);
    return b->table;
}

struct eb_doc_chart *eb_doc_chart(struct eb_doc *d, const char *title,
                                  double bar)
{
    struct eb_doc_block *b = doc_block(d, EB_DOC_CHART);

    b->chart = eb_xcalloc(1, sizeof(*b->chart));
    b->chart->title = eb_xstrdup(title);
    b->chart->bar = bar;
    return b->chart;
}

void eb_doc_point(struct eb_doc_chart *c, const struct eb_doc_point *p)
{
    c->points = eb_xrealloc(c->points, c->n + 1, sizeof(*c->points));
    c->points[c->n] = *p;
    c->points[c->n++].name = eb_xstrdup(p->name);
}

void eb_doc_plot(struct eb_doc *d, struct eb_plot *p)
{
    doc_block(d, EB_DOC_PLOT)->plot = p;
}

void eb_doc_bars(struct eb_doc *d, struct eb_bars *b)
{
    doc_block(d, EB_DOC_BARS)->bars = b;
}

/* Takes text over. */
static void doc_put(struct eb_doc_table *t, enum eb_doc_mark m, char *text)
{
    if (t->n == t->cap) {
        t->cap = t->cap > 0 ? 2 * t->cap : 64;
        t->cells = eb_xrealloc(t->cells, t->cap, sizeof(*t->cells));
        t->marks = eb_xrealloc(t->marks, t->cap, sizeof(*t->marks));
    }
    t->marks[t->n] = m;
    t->cells[t->n++] = text;
}

void eb_doc_cell(struct eb_doc_table *t, const char *text)
{
    doc_put(t, EB_DOC_UNKNOWN, eb_xstrdup(text));
}

void eb_doc_cellf(struct eb_doc_table *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    doc_put(t, EB_DOC_UNKNOWN, doc_vprint(fmt, ap));
    va_end(ap);
}

void eb_doc_mark(struct eb_doc_table *t, enum eb_doc_mark m, const char *text)
{
    doc_put(t, m, eb_xstrdup(text));
}

size_t eb_doc_columns(const struct eb_doc_table *t)
{
    return strlen(t->kinds);
}

size_t eb_doc_rows(const struct eb_doc_table *t)
{
    size_t rows = t->n / eb_doc_columns(t);

    return rows > 0 ? rows - 1 : 0;
}

static void doc_free_block(struct eb_doc_block *b)
{
    size_t i;

    free(b->text);
    free(b->rest);
    if (b->table != NULL) {
        for (i = 0; i < b->table->n; i++)
            free(b->table->cells[i]);
        free(b->table->cells);
        free(b->table->marks);
        free(b->table->caption);
        free(b->table->kinds);
        free(b->table);
    }
    if (b->chart != NULL) {
        for (i = 0; i < b->chart->n; i++)
            free(b->chart->points[i].name);
        free(b->chart->points);
        free(b->chart->title);
        free(b->chart->desc);
        free(b->chart);
    }
    eb_plot_free(b->plot);
    eb_bars_free(b->bars);
}

void eb_doc_drop_empty(struct eb_doc *d)
{
    struct eb_doc_block *b = d->n > 0 ? &d->v[d->n - 1] : NULL;

    if (b == NULL || b->table == NULL || eb_doc_rows(b->table) > 0)
        return;
    doc_free_block(b);
    d->n--;
}

void eb_doc_free(struct eb_doc *d)
{
    size_t i;

    if (d == NULL)
        return;
    for (i = 0; i < d->n; i++)
        doc_free_block(&d->v[i]);
    free(d->v);
    memset(d, 0, sizeof(*d));
}

const char *eb_doc_mark_sign(enum eb_doc_mark m)
{
    if (m == EB_DOC_YES)
        return "\xe2\x9c\x93";
    return m == EB_DOC_NO ? "\xe2\x9c\x97" : "?";
}

size_t eb_doc_control(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;

    if (u[0] != 0 && (u[0] < 0x20 || u[0] == 0x7f))
        return 1;
    /* U+0080 to U+009F, U+061C */
    if ((u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0) ||
        (u[0] == 0xd8 && u[1] == 0x9c))
        return 2;
    /* U+200E, U+200F, U+2028 to U+202E */
    if (u[0] == 0xe2 && u[1] == 0x80 &&
        (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae)))
        return 3;
    /* U+2066 to U+2069 */
    if (u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9)
        return 3;
    return 0;
}

size_t eb_doc_escape(struct eb_buf *out, const char *s)
{
    size_t control;

    switch (*s) {
    case '&':
        eb_buf_adds(out, "&amp;");
        return 1;
    case '<':
        eb_buf_adds(out, "&lt;");
        return 1;
    case '>':
        eb_buf_adds(out, "&gt;");
        return 1;
    case '\n':
    case '\r':
    case '\t':
        eb_buf_addc(out, ' ');
        return 1;
    default:
        control = eb_doc_control(s);
        if (control > 0)
            eb_buf_adds(out, "\xef\xbf\xbd");
        return control;
    }
}
