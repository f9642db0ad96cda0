/* The content of a report before it has a format: headings, sentences, tables
 * and charts in reading order. Sections fill it, writers read it.
 *
 * The document owns all its texts; texts are plain and unescaped, a writer
 * escapes each of them. Example:
 *
 *     struct eb_doc_table *t = eb_doc_table(doc, "Speed", "lr");
 *     eb_doc_cell(t, "Model");           the first row is the head
 *     eb_doc_cell(t, "Tokens/s");
 *     eb_doc_cell(t, name);
 *     eb_doc_cellf(t, "%.1f", tps);
 */
#ifndef EB_DOC_H
#define EB_DOC_H

#include <stddef.h>

#include "common/buf.h"
#include "reports/plot.h"

enum eb_doc_kind {
    EB_DOC_TITLE,
    EB_DOC_H2,
    EB_DOC_H3,
    EB_DOC_TEXT,
    EB_DOC_ANSWER, /* one sentence of the answer, with a mark */
    EB_DOC_CODE,
    EB_DOC_TABLE,
    EB_DOC_CHART,
    EB_DOC_PLOT,
    EB_DOC_BARS
};

/* What a reader sees at a glance; always shown with a word. */
enum eb_doc_mark { EB_DOC_UNKNOWN, EB_DOC_YES, EB_DOC_NO };

struct eb_doc_table {
    char *caption;
    char *kinds; /* a letter a column: l text, r number, v with a mark */
    char **cells;
    enum eb_doc_mark *marks; /* used in columns of kind v */
    size_t n;                /* cells, the head row included */
    size_t cap;
    int folded; /* details that may stay closed at first */
};

struct eb_doc_point {
    char *name;
    double parameters;
    double rate, lo, hi; /* 0..1 */
    enum eb_doc_mark mark;
};

struct eb_doc_chart {
    char *title;
    char *desc;
    double bar;
    struct eb_doc_point *points; /* smallest first */
    size_t n;
};

struct eb_doc_block {
    enum eb_doc_kind kind;
    char *text;
    char *rest; /* of an answer: its evidence */
    enum eb_doc_mark mark;
    struct eb_doc_table *table;
    struct eb_doc_chart *chart;
    struct eb_plot *plot;
    struct eb_bars *bars;
};

struct eb_doc {
    struct eb_doc_block *v;
    size_t n;
    size_t cap;
};

void eb_doc_add(struct eb_doc *d, enum eb_doc_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The first lead bytes are the answer, the rest its evidence. */
void eb_doc_answer(struct eb_doc *d, enum eb_doc_mark mark, const char *text,
                   size_t lead);
/* Both stay owned by the document. */
struct eb_doc_table *eb_doc_table(struct eb_doc *d, const char *caption,
                                  const char *kinds);
struct eb_doc_chart *eb_doc_chart(struct eb_doc *d, const char *title,
                                  double bar);
void eb_doc_point(struct eb_doc_chart *c, const struct eb_doc_point *p);
/* The document takes them over. Draw only what a table of the document has,
 * too: not every format has pictures. */
void eb_doc_plot(struct eb_doc *d, struct eb_plot *p);
void eb_doc_bars(struct eb_doc *d, struct eb_bars *b);

void eb_doc_cell(struct eb_doc_table *t, const char *text);
void eb_doc_cellf(struct eb_doc_table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void eb_doc_mark(struct eb_doc_table *t, enum eb_doc_mark m, const char *text);
size_t eb_doc_columns(const struct eb_doc_table *t);
/* Rows below the head. */
size_t eb_doc_rows(const struct eb_doc_table *t);
/* Takes the last block away again if it is a table without rows. */
void eb_doc_drop_empty(struct eb_doc *d);
void eb_doc_free(struct eb_doc *d);

/* Bytes of a control character at s that no page may show as it is, 0 if there
 * is none: C0, C1 and the marks that turn the direction of the text after
 * them (a name could turn a verdict around). Writers print U+FFFD instead. */
size_t eb_doc_control(const char *s);

/* What HTML and Markdown escape alike: appends the character at s as &amp;,
 * &lt; or &gt;, a line end or tab as a space, a control character as U+FFFD,
 * and returns how many bytes of s that were; 0 if it is none of them, and the
 * writer decides. */
size_t eb_doc_escape(struct eb_buf *out, const char *s);

/* A tick, a cross or a question mark, in UTF-8. */
const char *eb_doc_mark_sign(enum eb_doc_mark m);

#endif
