/* HTML: one file without scripts, fonts or anything from a network. */
#include <string.h>

#include "reports/svg.h"
#include "reports/writer.h"

/* From so many columns on a table is set smaller, to fit a screen. */
#define HTML_TIGHT 8

/* Contrast of each text colour is at least 4.5:1 on its background in both
 * themes. Marks differ by sign and word, not by colour alone. */
static const char html_style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;"
    "--line:#d0d7de;--head:#f3f5f7;--yes:#0a5c8f;--no:#a3350b;--un:#5a5f66;"
    "--p0:#0072b2;--p1:#c25400;--p2:#00795a;--p3:#a8497f;--p4:#7d6200;"
    "--p5:#4b4f55}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e6e9ec;"
    "--dim:#a4acb5;--line:#3a4149;--head:#20252a;--yes:#6cbcf0;--no:#ff9a6b;"
    "--un:#b4bbc3;--p0:#56b4e9;--p1:#ff8a4c;--p2:#2fc79a;--p3:#e79cc8;"
    "--p4:#e6c34d;--p5:#b4bbc3}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:1rem;max-width:72rem;background:var(--bg);"
    "color:var(--fg);font:1rem/1.5 system-ui,\"PingFang SC\","
    "\"Microsoft YaHei\",\"Noto Sans CJK SC\",sans-serif;"
    "overflow-wrap:anywhere}"
    "h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}"
    "h2{font-size:1.3rem;margin:2.5rem 0 .5rem;padding-top:.5rem;"
    "border-top:1px solid var(--line)}"
    "h3{font-size:1.05rem;margin:1.75rem 0 .5rem}"
    "p{margin:.5rem 0;max-width:46rem}"
    ".a{display:flex;gap:.6rem;list-style:none;padding:.5rem .75rem;"
    "margin:.5rem 0;background:var(--head);border-left:4px solid var(--un);"
    "border-radius:4px}"
    ".a>b{flex:0 0 1em;text-align:center}"
    ".a.y{border-color:var(--yes)}.a.n{border-color:var(--no)}"
    "ul{margin:0;padding:0}"
    ".y b{color:var(--yes)}.n b{color:var(--no)}.u b{color:var(--un)}"
    ".s{overflow-x:auto;margin:.5rem 0;border:1px solid var(--line);"
    "border-radius:4px}"
    ".s:focus-visible,summary:focus-visible{outline:3px solid var(--yes);"
    "outline-offset:2px}"
    "table{border-collapse:collapse;width:100%;font-size:.875rem;"
    "overflow-wrap:normal}"
    "caption{text-align:left;padding:.4rem .6rem;color:var(--dim)}"
    "th,td{padding:.3rem .6rem;border-top:1px solid var(--line);"
    "text-align:left;vertical-align:top;white-space:nowrap;"
    "unicode-bidi:isolate}"
    "thead th{background:var(--head)}"
    "th{font-weight:600}"
    ".t{font-size:.8rem}.t th,.t td{padding:.3rem .4rem}"
    ".t thead th{white-space:normal}"
    ".r{text-align:right;font-variant-numeric:tabular-nums}"
    ".w{min-width:9rem;max-width:34rem;white-space:normal;"
    "overflow-wrap:anywhere}"
    ".c{display:grid;gap:1rem;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr))}"
    "figure{margin:0;padding:.5rem;border:1px solid var(--line);"
    "border-radius:4px;max-width:36rem}"
    "figcaption{font-weight:600;font-size:.9rem}"
    "svg{display:block;width:100%;height:auto}"
    "svg text{font-size:13px;fill:var(--dim)}"
    "svg .h{fill:var(--fg)}"
    "svg path,svg circle,svg rect{fill:none;stroke:var(--fg);stroke-width:2}"
    "svg .g{stroke:var(--line);stroke-width:1}"
    "svg .t{stroke:var(--dim);stroke-width:1}"
    "svg .b{stroke:var(--fg);stroke-width:1.5;stroke-dasharray:6 4}"
    "svg .y *{stroke:var(--yes)}svg .n *{stroke:var(--no)}"
    "svg .u *{stroke:var(--un)}svg .y circle{fill:var(--yes)}"
    "svg .u rect{fill:var(--bg)}svg .n .x{stroke-width:3}"
    ".q{grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))}"
    "svg .p0{color:var(--p0)}svg .p1{color:var(--p1)}svg .p2{color:var(--p2)}"
    "svg .p3{color:var(--p3)}svg .p4{color:var(--p4)}svg .p5{color:var(--p5)}"
    "svg .l{stroke:currentColor}"
    "svg .m{fill:currentColor;stroke:currentColor;stroke-width:1}"
    "svg .o{fill:var(--bg);stroke:currentColor}"
    "svg .f{fill:currentColor;stroke:var(--bg);stroke-width:1}"
    "svg .d{fill:none;stroke:currentColor;stroke-width:1.5;"
    "stroke-dasharray:4 3}"
    "svg .i{fill:var(--bg);font-weight:600}"
    ".k{font-size:.875rem;color:var(--dim)}"
    "pre{padding:.6rem .75rem;background:var(--head);border-radius:4px;"
    "font-size:.85rem;white-space:pre-wrap}"
    "summary{cursor:pointer;padding:.25rem 0}"
    "@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;"
    "--head:#f3f5f7;--yes:#0a5c8f;--no:#a3350b;--un:#5a5f66;--p0:#0072b2;"
    "--p1:#c25400;--p2:#00795a;--p3:#a8497f;--p4:#7d6200;--p5:#4b4f55}"
    "body{max-width:none;padding:0;font-size:10pt}.s{overflow:visible}"
    "table{font-size:8pt}th,td{padding:.15rem .3rem}"
    "details::details-content{content-visibility:visible;height:auto}"
    "th,td{white-space:normal}"
    "tr,figure,.a{break-inside:avoid}h2,h3{break-after:avoid}}";

static const char html_classes[] = {'u', 'y', 'n'};

static void html_element(struct eb_buf *out, const char *tag, const char *text)
{
    eb_buf_addf(out, "<%s>", tag);
    eb_svg_escape(out, text);
    eb_buf_addf(out, "</%s>\n", tag);
}

static void html_cell(struct eb_buf *out, const struct eb_doc_table *t,
                      size_t i)
{
    size_t columns = eb_doc_columns(t), column = i % columns;
    char kind = t->kinds[column];
    int head = i < columns, first = column == 0;
    const char *tag = head || first ? "th" : "td";

    eb_buf_addf(out, "<%s", tag);
    if (head)
        eb_buf_adds(out, " scope=\"col\"");
    else if (first)
        eb_buf_adds(out, " scope=\"row\"");
    if (kind == 'r')
        eb_buf_adds(out, " class=\"r\"");
    else if (kind == 'v' && !head)
        eb_buf_addf(out, " class=\"v %c\"", html_classes[t->marks[i]]);
    else if (!head && strlen(t->cells[i]) > 24)
        eb_buf_adds(out, " class=\"w\"");
    eb_buf_addc(out, '>');
    if (kind == 'v' && !head)
        eb_buf_addf(out, "<b>%s ", eb_doc_mark_sign(t->marks[i]));
    eb_svg_escape(out, t->cells[i]);
    if (kind == 'v' && !head)
        eb_buf_adds(out, "</b>");
    eb_buf_addf(out, "</%s>", tag);
}

static void html_table(struct eb_buf *out, const struct eb_doc_table *t)
{
    size_t columns = eb_doc_columns(t), i;

    if (t->folded) {
        eb_buf_adds(out, "<details><summary>");
        eb_svg_escape(out, t->caption);
        eb_buf_adds(out, "</summary>\n");
    }
    /* A box that scrolls must be reachable by keyboard. */
    eb_buf_adds(out, "<div class=\"s\" role=\"region\" tabindex=\"0\" "
                     "aria-label=\"");
    eb_svg_escape(out, t->caption);
    eb_buf_addf(out, "\"><table%s><caption>",
                columns >= HTML_TIGHT ? " class=\"t\"" : "");
    eb_svg_escape(out, t->caption);
    eb_buf_adds(out, "</caption>\n<thead><tr>");
    for (i = 0; i < t->n; i++) {
        if (i > 0 && i % columns == 0)
            eb_buf_adds(out, i == columns ? "</tr></thead>\n<tbody>\n<tr>"
                                          : "</tr>\n<tr>");
        html_cell(out, t, i);
    }
    eb_buf_adds(out, "</tr>\n</tbody></table></div>\n");
    if (t->folded)
        eb_buf_adds(out, "</details>\n");
}

static void html_chart(struct eb_buf *out, const struct eb_doc_block *b,
                       unsigned id)
{
    eb_buf_adds(out, "<figure><figcaption>");
    eb_svg_escape(out, b->kind == EB_DOC_CHART  ? b->chart->title
                       : b->kind == EB_DOC_PLOT ? b->plot->title
                                                : b->bars->title);
    eb_buf_adds(out, "</figcaption>");
    if (b->kind == EB_DOC_CHART)
        eb_svg_chart(out, b->chart, id);
    else if (b->kind == EB_DOC_PLOT)
        eb_svg_plot(out, b->plot, id);
    else
        eb_svg_bars(out, b->bars, id);
    eb_buf_adds(out, "</figure>\n");
}

static void html_block(struct eb_buf *out, const struct eb_doc_block *b,
                       unsigned id)
{
    switch (b->kind) {
    case EB_DOC_TITLE:
        html_element(out, "h1", b->text);
        break;
    case EB_DOC_H2:
        html_element(out, "h2", b->text);
        break;
    case EB_DOC_H3:
        html_element(out, "h3", b->text);
        break;
    case EB_DOC_TEXT:
        html_element(out, "p", b->text);
        break;
    case EB_DOC_CODE:
        html_element(out, "pre", b->text);
        break;
    case EB_DOC_ANSWER:
        eb_buf_addf(out, "<li class=\"a %c\"><b>%s</b><span>",
                    html_classes[b->mark], eb_doc_mark_sign(b->mark));
        eb_buf_adds(out, "<strong>");
        eb_svg_escape(out, b->text);
        eb_buf_adds(out, "</strong>");
        eb_svg_escape(out, b->rest);
        eb_buf_adds(out, "</span></li>\n");
        break;
    case EB_DOC_TABLE:
        html_table(out, b->table);
        break;
    case EB_DOC_CHART:
    case EB_DOC_PLOT:
    case EB_DOC_BARS:
        html_chart(out, b, id);
        break;
    }
}

/* Answers make a list; charts of one kind stand beside each other. */
static void html_between(struct eb_buf *out, enum eb_doc_kind last,
                         enum eb_doc_kind kind)
{
    if (last == EB_DOC_ANSWER)
        eb_buf_adds(out, "</ul>\n");
    if (last == EB_DOC_CHART)
        eb_buf_adds(out, "</div>\n<p class=\"k\">Disc: SUFFICIENT. Cross: "
                         "INSUFFICIENT. Open square: NOT SHOWN.</p>\n");
    if (last == EB_DOC_PLOT || last == EB_DOC_BARS)
        eb_buf_adds(out, "</div>\n");
    if (kind == EB_DOC_ANSWER)
        eb_buf_adds(out, "<ul>\n");
    if (kind == EB_DOC_CHART)
        eb_buf_adds(out, "<div class=\"c\">\n");
    if (kind == EB_DOC_PLOT || kind == EB_DOC_BARS)
        eb_buf_adds(out, "<div class=\"c q\">\n");
}

static void html_write(const struct eb_doc *doc, const struct eb_groups *groups,
                       struct eb_buf *out)
{
    enum eb_doc_kind last = EB_DOC_TITLE;
    const char *title = "edgebench report";
    size_t i;

    (void)groups;
    for (i = 0; i < doc->n; i++) {
        if (doc->v[i].kind == EB_DOC_TITLE)
            title = doc->v[i].text;
    }
    eb_buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                     "<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, "
                     "initial-scale=1\">\n"
                     "<meta name=\"generator\" content=\"edgebench\">\n");
    html_element(out, "title", title);
    eb_buf_addf(out, "<style>%s</style>\n</head>\n<body>\n<main>\n",
                html_style);
    for (i = 0; i < doc->n; i++) {
        enum eb_doc_kind kind = doc->v[i].kind;

        if (kind != last)
            html_between(out, last, kind);
        html_block(out, &doc->v[i], (unsigned)i);
        last = kind;
    }
    eb_buf_adds(out, "</main>\n</body>\n</html>\n");
}

const struct eb_writer_ops eb_writer_html = {"html", ".html", html_write};
