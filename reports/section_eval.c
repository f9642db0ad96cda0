/* How the answers came about: many at once, tried again, next to a reference.
 */
#include <math.h>
#include <string.h>

#include "common/json.h"
#include "reports/section.h"

static void eval_head(struct eb_doc_table *t, const char *const *names)
{
    for (; *names != NULL; names++)
        eb_doc_cell(t, *names);
}

static void eval_key(struct eb_doc_table *t, const cJSON *rec, const cJSON *row)
{
    eb_doc_cell(t, eb_json_get_str(row, "level", ""));
    eb_doc_cell(t, eb_json_get_str(row, "lang", ""));
    eb_doc_cell(t, eb_group_model(rec));
}

static void eval_number(struct eb_doc_table *t, const cJSON *row,
                        const char *key)
{
    double v = eb_json_get_num(row, key, NAN);

    if (isnan(v))
        eb_doc_cell(t, "not measured");
    else
        eb_doc_cellf(t, "%.1f", v);
}

static void eval_throughput(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Level",   "Language",      "Model",
                                       "Items/s", "Tokens/s (tg)", NULL};
    struct eb_doc_table *t = eb_doc_table(
        d, "Many items at once: items and written tokens a second", "lllrr");
    const cJSON *row;
    size_t i;

    eval_head(t, head);
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.throughput"))
        {
            eval_key(t, g->recs[i], row);
            eval_number(t, row, "items_per_s");
            eval_number(t, row, "output_tps");
        }
    }
    eb_doc_drop_empty(d);
}

/* Batches of another size round otherwise; this says how often it shows. */
static void eval_batching(struct eb_doc *d, const struct eb_group *g)
{
    size_t i;

    for (i = 0; i < g->n; i++) {
        const cJSON *b = eb_group_get(g->recs[i], "summary.batching");
        double n = eb_json_get_num(b, "compared", 0);

        if (n < 1)
            continue;
        eb_doc_add(d, EB_DOC_TEXT,
                   "%s: of %.0f items played again alone, %.0f had another "
                   "text and %.0f another grade than among others.",
                   eb_group_model(g->recs[i]), n,
                   eb_json_get_num(b, "other_output", 0),
                   eb_json_get_num(b, "other_class", 0));
    }
}

static void eval_trials(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Level", "Language", "Model",
                                       "Items", "pass^k",   NULL};
    struct eb_doc_table *t = eb_doc_table(
        d, "All of k tries right, k from 1 up, other values each time",
        "lllrl");
    const cJSON *row, *v;
    size_t i;

    eval_head(t, head);
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.trials"))
        {
            struct eb_buf b = {0};

            eval_key(t, g->recs[i], row);
            eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "items", 0));
            cJSON_ArrayForEach(
                v, cJSON_GetObjectItemCaseSensitive(row, "pass_hat"))
                eb_buf_addf(&b, "%s%.3f", b.len > 0 ? ", " : "",
                            v->valuedouble);
            eb_doc_cell(t, b.data != NULL ? b.data : "no item in all tries");
            eb_buf_free(&b);
        }
    }
    eb_doc_drop_empty(d);
}

static enum eb_doc_mark eval_mark(const char *verdict)
{
    if (strcmp(verdict, "NON-INFERIOR") == 0)
        return EB_DOC_YES;
    return strcmp(verdict, "INFERIOR") == 0 ? EB_DOC_NO : EB_DOC_UNKNOWN;
}

static void eval_reference(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Level",   "Language",   "Model",
                                       "Items",   "Difference", "Margin",
                                       "Verdict", NULL};
    struct eb_doc_table *t = eb_doc_table(
        d, "Against the reference model on the same items, percentage points",
        "lllrrrv");
    const cJSON *row;
    size_t i;

    eval_head(t, head);
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.levels"))
        {
            const cJSON *r = cJSON_GetObjectItemCaseSensitive(row, "reference");
            const char *verdict = eb_json_get_str(r, "verdict", "");

            if (r == NULL)
                continue;
            eval_key(t, g->recs[i], row);
            eb_doc_cellf(t, "%.0f", eb_json_get_num(r, "n", 0));
            eb_doc_cellf(t, "%+.1f", 100 * eb_json_get_num(r, "difference", 0));
            eb_doc_cellf(t, "%.1f", 100 * eb_json_get_num(r, "margin", 0));
            eb_doc_mark(t, eval_mark(verdict), verdict);
        }
    }
    eb_doc_drop_empty(d);
}

void eb_section_eval(struct eb_doc *d, const struct eb_group *g)
{
    eb_doc_add(d, EB_DOC_H3, "How the answers came about");
    if (strcmp(eb_group_str(g->recs[0], "settings.mode", "latency"),
               "latency") == 0)
        eb_doc_add(d, EB_DOC_TEXT, "One item at a time.");
    eval_throughput(d, g);
    eval_batching(d, g);
    eval_trials(d, g);
    eval_reference(d, g);
}
