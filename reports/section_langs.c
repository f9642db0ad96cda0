/* The same job in several languages. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/record.h"
#include "reports/section.h"

static void langs_head(struct eb_doc_table *t, const char *const *names)
{
    for (; *names != NULL; names++)
        eb_doc_cell(t, *names);
}

static void langs_verdict(struct eb_doc_table *t, const cJSON *rec,
                          const cJSON *row)
{
    const char *verdict = eb_json_get_str(row, "verdict", "NOT SHOWN");
    enum eb_doc_mark mark = EB_DOC_UNKNOWN;

    if (eb_group_void(rec))
        verdict = "NOT SHOWN";
    if (strncmp(verdict, "EQUAL", 5) == 0)
        mark = EB_DOC_YES;
    else if (strcmp(verdict, "DIFFERENT") == 0)
        mark = EB_DOC_NO;
    eb_doc_mark(t, mark, verdict);
}

static void langs_parity_row(struct eb_doc_table *t, const cJSON *rec,
                             const cJSON *row)
{
    double n = eb_json_get_num(row, "n", 1);

    eb_doc_cell(t, eb_json_get_str(row, "level", ""));
    eb_doc_cellf(t, "%s and %s", eb_json_get_str(row, "first", ""),
                 eb_json_get_str(row, "second", ""));
    eb_doc_cell(t, eb_group_model(rec));
    langs_verdict(t, rec, row);
    eb_doc_cellf(t, "%.0f", n);
    eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "b", 0));
    eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "c", 0));
    eb_doc_cellf(t, "%+.1f", 100 * eb_json_get_num(row, "difference", 0));
    eb_doc_cellf(t, "%+.1f to %+.1f", 100 * eb_json_get_num(row, "lower", -1),
                 100 * eb_json_get_num(row, "upper", 1));
    eb_doc_cellf(t, "%.2g", eb_json_get_num(row, "mcnemar_p", 1));
}

/* The rows of one list of the summaries, level by level as in the job. */
static void langs_rows(struct eb_doc_table *t, const struct eb_group *g,
                       const char *path,
                       void (*add)(struct eb_doc_table *t, const cJSON *rec,
                                   const cJSON *row))
{
    const cJSON *def, *row;
    size_t i;

    cJSON_ArrayForEach(def, eb_group_get(g->recs[0], "levels"))
    {
        for (i = 0; i < g->n; i++) {
            cJSON_ArrayForEach(row, eb_group_get(g->recs[i], path))
            {
                if (strcmp(eb_json_get_str(row, "level", ""),
                           eb_json_get_str(def, "level", "")) == 0)
                    add(t, g->recs[i], row);
            }
        }
    }
}

/* Was a level stopped by its results, which leaves no verdict here? */
static int langs_stopped(const struct eb_group *g)
{
    const cJSON *row;
    size_t i;

    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.parity"))
        {
            if (strstr(eb_json_get_str(row, "reason", ""), "stopped") != NULL)
                return 1;
        }
    }
    return 0;
}

static void langs_parity(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {
        "Level",        "Languages",   "Model",       "Verdict",
        "Pairs",        "Only first",  "Only second", "Points",
        "95% interval", "p (McNemar)", NULL};
    struct eb_doc_table *t;

    if (langs_stopped(g))
        eb_doc_add(d, EB_DOC_TEXT,
                   "Levels that stopped early end each language as soon as it "
                   "is decided. Such a stop makes equal languages look "
                   "different too often, so there is no verdict then: "
                   "--stop never compares all pairs.");
    t = eb_doc_table(d,
                     "The same items in two languages: right in one only, "
                     "first minus second in percentage points",
                     "lllvrrrrrr");
    langs_head(t, head);
    langs_rows(t, g, "summary.parity", langs_parity_row);
    eb_doc_drop_empty(d);
}

static void langs_fidelity_row(struct eb_doc_table *t, const cJSON *rec,
                               const cJSON *row)
{
    double n = eb_json_get_num(row, "n", 0);

    eb_doc_cell(t, eb_json_get_str(row, "level", ""));
    eb_doc_cell(t, eb_json_get_str(row, "lang", ""));
    eb_doc_cell(t, eb_group_model(rec));
    eb_doc_cellf(t, "%.0f/%.0f", eb_json_get_num(row, "right", 0), n);
    if (n < 1) {
        eb_doc_cell(t, "none to judge");
        eb_doc_cell(t, "0.0 to 100.0%");
    } else {
        eb_doc_cellf(t, "%.1f%%", 100 * eb_json_get_num(row, "rate", 0));
        eb_doc_cellf(t, "%.1f to %.1f%%",
                     100 * eb_json_get_num(row, "wilson_lo", 0),
                     100 * eb_json_get_num(row, "wilson_hi", 1));
    }
    eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "not_judged", 0));
}

static void langs_fidelity(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {
        "Level", "Language",        "Model",      "In the language",
        "Share", "Wilson interval", "Not judged", NULL};
    struct eb_doc_table *t = eb_doc_table(
        d,
        "Replies in free text written in the language of the question, by "
        "script",
        "lllrrrr");

    langs_head(t, head);
    langs_rows(t, g, "summary.fidelity", langs_fidelity_row);
    eb_doc_drop_empty(d);
}

static void langs_mean(struct eb_doc_table *t, const cJSON *v, const char *key)
{
    double x = eb_json_get_num(v, key, NAN);

    if (isnan(x))
        eb_doc_cell(t, "not measured");
    else
        eb_doc_cellf(t, "%.1f", x);
}

static void langs_cost(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Language",
                                       "Model",
                                       "Prompt tokens",
                                       "Output tokens",
                                       "Time per item",
                                       "Played alone",
                                       NULL};
    struct eb_doc_table *t = eb_doc_table(
        d,
        "Tokens per item, and time per item of those played alone, means over "
        "all levels",
        "llrrrr");
    char text[EB_SHORT_LEN];
    size_t n, i, k;
    const char **langs = eb_record_langs(g->recs, g->n, &n);

    langs_head(t, head);
    for (i = 0; i < n; i++) {
        for (k = 0; k < g->n; k++) {
            const cJSON *v = cJSON_GetObjectItemCaseSensitive(
                eb_group_get(g->recs[k], "summary.tokens"), langs[i]);

            if (v == NULL)
                continue;
            eb_doc_cell(t, langs[i]);
            eb_doc_cell(t, eb_group_model(g->recs[k]));
            langs_mean(t, v, "prompt_mean");
            langs_mean(t, v, "output_mean");
            eb_doc_cell(
                t, eb_short_ms(eb_json_get_num(v, "e2e_mean_ms", NAN), text));
            eb_doc_cellf(t, "%.0f", eb_json_get_num(v, "e2e_n", 0));
        }
    }
    free(langs);
    eb_doc_drop_empty(d);
}

/* Is there anything to put side by side? */
static int langs_any(const struct eb_group *g)
{
    size_t n, i, rows = 0;

    free(eb_record_langs(g->recs, g->n, &n));
    for (i = 0; i < g->n; i++)
        rows += (size_t)cJSON_GetArraySize(
            eb_group_get(g->recs[i], "summary.fidelity"));
    return n > 1 || rows > 0;
}

void eb_section_langs(struct eb_doc *d, const struct eb_group *g)
{
    if (!langs_any(g))
        return;
    eb_doc_add(d, EB_DOC_H3, "Languages side by side");
    eb_doc_add(d, EB_DOC_TEXT,
               "Each language passes or fails on its own (verdicts above). "
               "Here the items that exist in both are compared pair by pair: "
               "EQUAL WITHIN 5 POINTS means that the whole two-sided 95%% "
               "interval of the difference (Tango) lies within 5 points of 0, "
               "DIFFERENT that it excludes 0.");
    langs_parity(d, g);
    langs_fidelity(d, g);
    langs_cost(d, g);
}
