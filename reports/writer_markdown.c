/* Markdown with GitHub's tables; charts are left to their table. */
#include <ctype.h>
#include <string.h>

#include "reports/writer.h"

/* A name must not become markup, a link or a new row. */
static void markdown_escape(struct eb_buf *out, const char *s)
{
    const char *start = s;

    while (*s != '\0') {
        int inside = s > start && isalnum((unsigned char)s[-1]) &&
                     isalnum((unsigned char)s[1]);
        size_t n = eb_doc_escape(out, s);

        s += n;
        if (n > 0)
            continue;
        if (strchr("\\`*[]|~#@", *s) != NULL || (*s == '_' && !inside))
            eb_buf_addc(out, '\\');
        eb_buf_addc(out, *s++);
    }
}

static void markdown_line(struct eb_buf *out, const char *lead,
                          const char *text)
{
    eb_buf_adds(out, lead);
    markdown_escape(out, text);
    eb_buf_adds(out, "\n\n");
}

static void markdown_table(struct eb_buf *out, const struct eb_doc_table *t)
{
    size_t columns = eb_doc_columns(t), i, k;

    markdown_line(out, "", t->caption);
    for (i = 0; i < t->n; i++) {
        eb_buf_adds(out, i % columns == 0 ? "| " : " | ");
        if (t->kinds[i % columns] == 'v' && i >= columns)
            eb_buf_addf(out, "%s ", eb_doc_mark_sign(t->marks[i]));
        markdown_escape(out, t->cells[i]);
        if ((i + 1) % columns != 0)
            continue;
        eb_buf_adds(out, " |\n");
        for (k = 0; i + 1 == columns && k < columns; k++)
            eb_buf_addf(out, "%s%s", t->kinds[k] == 'r' ? "|--:" : "|---",
                        k + 1 == columns ? "|\n" : "");
    }
    eb_buf_adds(out, "\n");
}

/* A fence longer than any run of backticks in the text. */
static void markdown_code(struct eb_buf *out, const char *text)
{
    size_t run = 0, longest = 2, i;
    const char *s;

    for (s = text; *s != '\0'; s++) {
        run = *s == '`' ? run + 1 : 0;
        if (run > longest)
            longest = run;
    }
    for (i = 0; i <= longest; i++)
        eb_buf_addc(out, '`');
    eb_buf_addf(out, "sh\n");
    for (s = text; *s != '\0'; s += run > 0 ? run : 1) {
        run = eb_doc_control(s);
        eb_buf_addc(out, run > 0 ? ' ' : *s);
    }
    eb_buf_addc(out, '\n');
    for (i = 0; i <= longest; i++)
        eb_buf_addc(out, '`');
    eb_buf_adds(out, "\n\n");
}

static void markdown_write(const struct eb_doc *doc,
                           const struct eb_groups *groups, struct eb_buf *out)
{
    size_t i;

    (void)groups;
    for (i = 0; i < doc->n; i++) {
        const struct eb_doc_block *b = &doc->v[i];

        switch (b->kind) {
        case EB_DOC_TITLE:
            markdown_line(out, "# ", b->text);
            break;
        case EB_DOC_H2:
            markdown_line(out, "## ", b->text);
            break;
        case EB_DOC_H3:
            markdown_line(out, "### ", b->text);
            break;
        case EB_DOC_TEXT:
            markdown_line(out, "", b->text);
            break;
        case EB_DOC_ANSWER:
            eb_buf_addf(out, "- %s ", eb_doc_mark_sign(b->mark));
            eb_buf_adds(out, "**");
            markdown_escape(out, b->text);
            eb_buf_adds(out, "**");
            markdown_escape(out, b->rest);
            eb_buf_adds(out, i + 1 < doc->n && b[1].kind == EB_DOC_ANSWER
                                 ? "\n"
                                 : "\n\n");
            break;
        case EB_DOC_CODE:
            markdown_code(out, b->text);
            break;
        case EB_DOC_TABLE:
            markdown_table(out, b->table);
            break;
        case EB_DOC_CHART:
        case EB_DOC_PLOT:
        case EB_DOC_BARS:
            break;
        }
    }
}

const struct eb_writer_ops eb_writer_markdown = {"md", ".md", markdown_write};
