/* Verdicts: sentences, tables and charts. */
#include "reports/section.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"

const char *eb_short_count(double n, char out[EB_SHORT_LEN])
{
    if (!(n >= 0))
        snprintf(out, EB_SHORT_LEN, "unknown");
    else if (n >= 1e9)
        snprintf(out, EB_SHORT_LEN, "%.1f B", n / 1e9);
    else if (n >= 1e5)
        snprintf(out, EB_SHORT_LEN, "%.1f M", n / 1e6);
    else if (n >= 1e4)
        snprintf(out, EB_SHORT_LEN, "%.0f k", n / 1e3);
    else
        snprintf(out, EB_SHORT_LEN, "%.0f", n);
    return out;
}

const char *eb_short_bytes(double n, char out[EB_SHORT_LEN])
{
    if (!(n >= 0))
        snprintf(out, EB_SHORT_LEN, "not measured");
    else if (n >= 1e9)
        snprintf(out, EB_SHORT_LEN, "%.2f GB", n / 1e9);
    else if (n >= 1e6)
        snprintf(out, EB_SHORT_LEN, "%.1f MB", n / 1e6);
    else if (n >= 1e3)
        snprintf(out, EB_SHORT_LEN, "%.1f kB", n / 1e3);
    else
        snprintf(out, EB_SHORT_LEN, "%.0f B", n);
    return out;
}

const char *eb_short_ms(double ms, char out[EB_SHORT_LEN])
{
    if (isnan(ms))
        snprintf(out, EB_SHORT_LEN, "not measured");
    else
        snprintf(out, EB_SHORT_LEN, ms < 10 ? "%.2f ms" : "%.0f ms", ms);
    return out;
}

const char *eb_short_cut(double share, char out[EB_SHORT_LEN])
{
    snprintf(out, EB_SHORT_LEN, "%.1f%%", floor(share * 1000 + 1e-9) / 10);
    return out;
}

enum eb_doc_mark eb_verdict_mark(enum eb_verdict v)
{
    if (v == EB_SUFFICIENT)
        return EB_DOC_YES;
    return v == EB_INSUFFICIENT ? EB_DOC_NO : EB_DOC_UNKNOWN;
}

void eb_section_numbers(const cJSON *rec, const cJSON *row, struct eb_buf *out)
{
    char lo[EB_SHORT_LEN], hi[EB_SHORT_LEN];
    double n = eb_json_get_num(row, "n", 0);
    double more = eb_json_get_num(row, "more_items", 0);

    if (row == NULL || n < 1) {
        eb_buf_addf(out, "it has no scored item (run: %s)",
                    eb_group_str(rec, "status", ""));
        return;
    }
    eb_buf_addf(out, "%.0f of %.0f right (%.1f%%)",
                eb_json_get_num(row, "passes", 0), n,
                100 * eb_json_get_num(row, "rate", 0));
    eb_short_cut(eb_json_get_num(row, "lower", 0), lo);
    eb_short_cut(eb_json_get_num(row, "upper", 1), hi);
    if (eb_group_void(rec)) {
        eb_buf_adds(out, ", but the run is void: more than 1% of its items "
                         "could not be scored");
        return;
    }
    switch (eb_group_verdict(rec, row)) {
    case EB_SUFFICIENT:
        eb_buf_addf(out, ", lower bound %s", lo);
        break;
    case EB_INSUFFICIENT:
        eb_buf_addf(out, ", upper bound %s", hi);
        break;
    case EB_NOT_SHOWN:
        eb_buf_addf(out, ", bounds %s to %s", lo, hi);
        if (more > 0)
            eb_buf_addf(out, "; %.0f more item%s at this rate would settle it",
                        more, more > 1 ? "s" : "");
        else if (more < 0)
            eb_buf_adds(out, "; the rate is so near the bar that 100,000 more "
                             "items would not settle it");
    }
}

void eb_section_model(const cJSON *rec, struct eb_buf *out)
{
    char size[EB_SHORT_LEN];
    const char *quant = eb_group_str(rec, "model.quantization", NULL);

    eb_short_count(eb_group_num(rec, "model.parameters", NAN), size);
    if (eb_group_num(rec, "model.parameters", -1) < 0)
        eb_buf_addf(out, "%s (parameters unknown", eb_group_model(rec));
    else
        eb_buf_addf(out, "%s (%s parameters", eb_group_model(rec), size);
    if (quant != NULL)
        eb_buf_addf(out, ", %s", quant);
    eb_buf_adds(out, ")");
}

/* A smaller model that reaches the bar below the one where the sequence
 * stopped; index of the smallest, or g->n. */
static size_t section_lucky(const struct eb_group *g, struct eb_pair p,
                            size_t stop)
{
    size_t i, found = g->n;

    for (i = stop + 1; i < g->n; i++) {
        const cJSON *row = eb_group_row(g->recs[i], p);

        if (row != NULL && eb_group_verdict(g->recs[i], row) == EB_SUFFICIENT)
            found = i;
    }
    return found;
}

static void section_next(const struct eb_group *g, struct eb_pair p, size_t i,
                         const char *lead, struct eb_buf *out)
{
    const cJSON *rec = g->recs[i], *row = eb_group_row(rec, p);
    size_t lucky = section_lucky(g, p, i);

    eb_buf_addf(out, " %s, ", lead);
    eb_section_model(rec, out);
    eb_buf_addf(out, ", is %s: ", eb_verdict_name(eb_group_verdict(rec, row)));
    eb_section_numbers(rec, row, out);
    eb_buf_adds(out, ".");
    if (lucky < g->n)
        eb_buf_addf(out,
                    " %s is smaller still and reaches the bar alone; sizes are "
                    "tested from the largest down and the test had stopped "
                    "above it.",
                    eb_group_model(g->recs[lucky]));
}

enum eb_doc_mark eb_section_sentence(const struct eb_group *g, struct eb_pair p,
                                     struct eb_buf *out, size_t *lead)
{
    const cJSON *def = eb_group_level(g->recs[0], p.level);
    struct eb_smallest s = {0};

    eb_buf_addf(out, "%s, %s: ", p.level, p.lang != NULL ? p.lang : "no item");
    if (p.lang == NULL) {
        eb_buf_adds(out, "no model is shown sufficient, because no item of "
                         "this level was run.");
        *lead = out->len;
        return EB_DOC_UNKNOWN;
    }
    s = eb_record_smallest(g->recs, g->n, p.level, p.lang);
    if (!s.found) {
        eb_buf_addf(out, "no model is shown sufficient for the bar of %.4g%%.",
                    100 * eb_json_get_num(def, "bar", 0));
        *lead = out->len;
        section_next(g, p, 0, g->n > 1 ? "The largest model" : "The only model",
                     out);
        return s.all_decided ? EB_DOC_NO : EB_DOC_UNKNOWN;
    }
    eb_buf_adds(out, "the smallest sufficient model is ");
    eb_section_model(g->recs[s.index], out);
    *lead = out->len;
    eb_buf_adds(out, ": ");
    eb_section_numbers(g->recs[s.index], eb_group_row(g->recs[s.index], p),
                       out);
    eb_buf_addf(out, ", bar %.4g%%.", 100 * eb_json_get_num(def, "bar", 0));
    if (s.index + 1 < g->n)
        section_next(g, p, s.index + 1, "The next smaller", out);
    else
        eb_buf_adds(out, " No smaller model was run.");
    return EB_DOC_YES;
}

void eb_section_answers(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_buf b = {0};
    size_t n, i, lead;
    struct eb_pair *pairs = eb_group_pairs(g, &n);

    for (i = 0; i < n; i++) {
        enum eb_doc_mark mark;

        eb_buf_reset(&b);
        mark = eb_section_sentence(g, pairs[i], &b, &lead);
        eb_doc_answer(d, mark, b.data, lead);
    }
    if (n == 0)
        eb_doc_add(d, EB_DOC_TEXT, "The job has no level to judge.");
    eb_buf_free(&b);
    free(pairs);
}

static void section_head(struct eb_doc_table *t, const char *const *names)
{
    for (; *names != NULL; names++)
        eb_doc_cell(t, *names);
}

/* What the verdict is about, and what is shown beyond it. */
static void section_pool(struct eb_doc_table *t, const cJSON *rec,
                         const cJSON *row)
{
    const cJSON *how = cJSON_GetObjectItemCaseSensitive(row, "decision");
    double pool = eb_json_get_num(how, "pool", -1);
    int beyond = eb_verdict_parse(eb_json_get_str(how, "beyond_pool", ""));
    enum eb_verdict v = beyond < 0 || eb_group_void(rec)
                            ? eb_group_verdict(rec, row)
                            : (enum eb_verdict)beyond;

    if (pool < 0)
        eb_doc_cell(t, "no limit");
    else
        eb_doc_cellf(t, "%.0f", pool);
    eb_doc_mark(t, eb_verdict_mark(v), eb_verdict_name(v));
}

static void section_verdict_row(struct eb_doc_table *t, const cJSON *rec,
                                struct eb_pair p)
{
    const cJSON *row = eb_group_row(rec, p);
    enum eb_verdict v = eb_group_verdict(rec, row);
    double n = eb_json_get_num(row, "n", 0);
    double more = eb_json_get_num(row, "more_items", 0);
    char lo[EB_SHORT_LEN], hi[EB_SHORT_LEN];

    eb_doc_cell(t, p.level);
    eb_doc_cell(t, p.lang);
    eb_doc_cell(t, eb_group_model(rec));
    eb_doc_mark(t, eb_verdict_mark(v), eb_verdict_name(v));
    eb_doc_cellf(t, "%.0f/%.0f", eb_json_get_num(row, "passes", 0), n);
    if (n < 1) {
        eb_doc_cell(t, "no scored item");
        eb_doc_cell(t, "0.0 to 100.0%");
    } else {
        eb_doc_cellf(t, "%.1f%%", 100 * eb_json_get_num(row, "rate", 0));
        eb_short_cut(eb_json_get_num(row, "lower", 0), lo);
        eb_short_cut(eb_json_get_num(row, "upper", 1), hi);
        lo[strlen(lo) - 1] = '\0'; /* one sign for both */
        eb_doc_cellf(t, "%s to %s", lo, hi);
    }
    eb_doc_cellf(t, "%.4g%%",
                 100 * eb_json_get_num(eb_group_level(rec, p.level), "bar", 0));
    if (eb_group_void(rec))
        eb_doc_cell(t, "run is void");
    else if (v != EB_NOT_SHOWN)
        eb_doc_cell(t, "none");
    else if (n < 1)
        eb_doc_cell(t, "unknown");
    else if (more < 0)
        eb_doc_cell(t, "over 100,000");
    else
        eb_doc_cellf(t, "%.0f", more);
    section_pool(t, rec, row);
}

void eb_section_verdicts(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {
        "Level",        "Language", "Model",          "Verdict",
        "Right",        "Rate",     "95% bounds",     "Bar",
        "Items needed", "Pool",     "All such items", NULL};
    double alpha = eb_json_get_num(
        cJSON_GetArrayItem(eb_group_get(g->recs[0], "levels"), 0), "alpha",
        0.05);
    struct eb_doc_table *t;
    size_t n, i, k;
    struct eb_pair *pairs = eb_group_pairs(g, &n);

    eb_doc_add(d, EB_DOC_H3, "Verdicts");
    t = eb_doc_table(d,
                     "Verdicts by level, language and model, largest "
                     "model first",
                     "lllvrrrrrrv");
    section_head(t, head);
    free(t->cells[6]);
    t->cells[6] = eb_xasprintf("%.4g%% bounds", 100 * (1 - alpha));
    for (i = 0; i < n; i++) {
        for (k = 0; k < g->n && pairs[i].lang != NULL; k++)
            section_verdict_row(t, g->recs[k], pairs[i]);
    }
    eb_doc_drop_empty(d);
    free(pairs);
}

static void section_chart(struct eb_doc *d, const struct eb_group *g,
                          struct eb_pair p)
{
    char *title =
        eb_xasprintf("%s, %s: size against accuracy", p.level, p.lang);
    double bar = eb_json_get_num(eb_group_level(g->recs[0], p.level), "bar", 0);
    struct eb_doc_chart *c = eb_doc_chart(d, title, bar);
    struct eb_buf b = {0};
    char size[EB_SHORT_LEN];
    size_t i;

    free(title);
    for (i = g->n; i-- > 0;) {
        const cJSON *rec = g->recs[i], *row = eb_group_row(rec, p);
        struct eb_doc_point pt = {(char *)eb_group_model(rec),
                                  eb_group_num(rec, "model.parameters", 0),
                                  eb_json_get_num(row, "rate", -1),
                                  eb_json_get_num(row, "wilson_lo", 0),
                                  eb_json_get_num(row, "wilson_hi", 1),
                                  EB_DOC_UNKNOWN};

        if (pt.rate < 0 || pt.parameters < 1)
            continue;
        pt.mark = eb_verdict_mark(eb_group_verdict(rec, row));
        eb_doc_point(c, &pt);
        eb_short_count(pt.parameters, size);
        eb_buf_addf(&b, "%s%s (%s) %.1f%%, %s", b.len > 0 ? "; " : "", pt.name,
                    size, 100 * pt.rate,
                    eb_verdict_name(eb_group_verdict(rec, row)));
    }
    c->desc = eb_xasprintf("Bar at %.4g%%. %s.", 100 * bar,
                           b.len > 0 ? b.data
                                     : "No model with a known size has a "
                                       "scored item");
    eb_buf_free(&b);
}

void eb_section_charts(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_doc_table *t;
    size_t n, i, k, with = 0;
    struct eb_pair *pairs = eb_group_pairs(g, &n);

    for (i = 0; i < n; i++)
        with += pairs[i].lang != NULL;
    if (with == 0)
        goto out;
    eb_doc_add(d, EB_DOC_H3, "Size against accuracy");
    eb_doc_add(d, EB_DOC_TEXT,
               "Points are the share of right answers, whiskers its two-sided "
               "95%% Wilson interval, the dashed line is the bar. Verdicts "
               "do not rest on these intervals.");
    for (i = 0; i < n; i++) {
        if (pairs[i].lang != NULL)
            section_chart(d, g, pairs[i]);
    }
    t = eb_doc_table(d, "The numbers of the charts", "lllrrrv");
    t->folded = 1;
    eb_doc_cell(t, "Level");
    eb_doc_cell(t, "Language");
    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "Parameters");
    eb_doc_cell(t, "Rate");
    eb_doc_cell(t, "Wilson interval");
    eb_doc_cell(t, "Verdict");
    for (i = 0; i < n; i++) {
        for (k = g->n; k-- > 0;) {
            const cJSON *row = eb_group_row(g->recs[k], pairs[i]);
            enum eb_verdict v = eb_group_verdict(g->recs[k], row);
            char size[EB_SHORT_LEN];

            if (eb_json_get_num(row, "rate", -1) < 0)
                continue;
            eb_doc_cell(t, pairs[i].level);
            eb_doc_cell(t, pairs[i].lang);
            eb_doc_cell(t, eb_group_model(g->recs[k]));
            eb_doc_cell(t, eb_short_count(eb_group_num(g->recs[k],
                                                       "model.parameters", NAN),
                                          size));
            eb_doc_cellf(t, "%.1f%%", 100 * eb_json_get_num(row, "rate", 0));
            eb_doc_cellf(t, "%.1f to %.1f%%",
                         100 * eb_json_get_num(row, "wilson_lo", 0),
                         100 * eb_json_get_num(row, "wilson_hi", 1));
            eb_doc_mark(t, eb_verdict_mark(v), eb_verdict_name(v));
        }
    }
    eb_doc_drop_empty(d);
out:
    free(pairs);
}

void eb_section_outcomes(struct eb_doc *d, const struct eb_group *g)
{
    char used[EB_OUT_COUNT] = {0}, kinds[EB_OUT_COUNT + 4] = "lll";
    struct eb_doc_table *t;
    size_t n, i, k;
    struct eb_pair *pairs = eb_group_pairs(g, &n);
    const cJSON *row, *v;
    int o;

    used[EB_OUT_OK] = used[EB_OUT_WRONG] = used[EB_OUT_UNPARSED] = 1;
    for (k = 0; k < g->n; k++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[k], "summary.levels"))
        {
            cJSON_ArrayForEach(v, eb_group_get(row, "outcomes"))
            {
                o = eb_outcome_parse(v->string);
                if (o >= 0)
                    used[o] = 1;
            }
        }
    }
    eb_doc_add(d, EB_DOC_H3, "Outcomes");
    for (o = 0; o < EB_OUT_COUNT; o++) {
        if (used[o])
            strcat(kinds, "r");
    }
    t = eb_doc_table(d,
                     "How the items ended; harness_error is not scored, "
                     "all but ok count as not right",
                     kinds);
    eb_doc_cell(t, "Level");
    eb_doc_cell(t, "Language");
    eb_doc_cell(t, "Model");
    for (o = 0; o < EB_OUT_COUNT; o++) {
        if (used[o])
            eb_doc_cell(t, eb_outcome_name((enum eb_outcome)o));
    }
    for (i = 0; i < n; i++) {
        for (k = 0; k < g->n; k++) {
            row = eb_group_row(g->recs[k], pairs[i]);
            if (row == NULL)
                continue;
            eb_doc_cell(t, pairs[i].level);
            eb_doc_cell(t, pairs[i].lang);
            eb_doc_cell(t, eb_group_model(g->recs[k]));
            for (o = 0; o < EB_OUT_COUNT; o++) {
                if (used[o])
                    eb_doc_cellf(t, "%.0f",
                                 eb_json_get_num(
                                     eb_group_get(row, "outcomes"),
                                     eb_outcome_name((enum eb_outcome)o), 0));
            }
        }
    }
    if (eb_doc_rows(t) == 0) {
        eb_doc_drop_empty(d);
        eb_doc_add(d, EB_DOC_TEXT, "No item was run.");
    }
    free(pairs);
}

static const cJSON *section_capability(const cJSON *row, const char *name)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, eb_group_get(row, "capabilities"))
    {
        if (strcmp(eb_json_get_str(v, "capability", ""), name) == 0)
            return v;
    }
    return NULL;
}

static void section_capability_row(struct eb_doc_table *t,
                                   const struct eb_group *g, struct eb_pair p,
                                   const char *name)
{
    size_t k;

    eb_doc_cell(t, p.level);
    eb_doc_cell(t, p.lang);
    eb_doc_cell(t, name);
    for (k = 0; k < g->n; k++) {
        const cJSON *c = section_capability(eb_group_row(g->recs[k], p), name);
        double n = eb_json_get_num(c, "n", 0);

        if (n < 1)
            eb_doc_cell(t, "no item");
        else
            eb_doc_cellf(t, "%.0f/%.0f (%.0f to %.0f%%)",
                         eb_json_get_num(c, "passes", 0), n,
                         100 * eb_json_get_num(c, "wilson_lo", 0),
                         100 * eb_json_get_num(c, "wilson_hi", 1));
    }
}

/* A column a model: which ability is missing shows along the row. */
void eb_section_capabilities(struct eb_doc *d, const struct eb_group *g)
{
    char *kinds = eb_xcalloc(g->n + 4, 1);
    struct eb_doc_table *t;
    size_t n, i, k, j;
    struct eb_pair *pairs = eb_group_pairs(g, &n);

    memset(kinds, 'r', g->n + 3);
    memcpy(kinds, "lll", 3);
    eb_doc_add(d, EB_DOC_H3, "Capabilities");
    t = eb_doc_table(d,
                     "Right answers by capability, with the 95% Wilson "
                     "interval; largest model first",
                     kinds);
    eb_doc_cell(t, "Level");
    eb_doc_cell(t, "Language");
    eb_doc_cell(t, "Capability");
    for (k = 0; k < g->n; k++)
        eb_doc_cell(t, eb_group_model(g->recs[k]));
    for (i = 0; i < n; i++) {
        for (k = 0; k < g->n; k++) {
            const cJSON *row = eb_group_row(g->recs[k], pairs[i]), *c;

            cJSON_ArrayForEach(c, eb_group_get(row, "capabilities"))
            {
                const char *name = eb_json_get_str(c, "capability", "");

                for (j = 0; j < k; j++) {
                    if (section_capability(eb_group_row(g->recs[j], pairs[i]),
                                           name) != NULL)
                        break;
                }
                if (j == k)
                    section_capability_row(t, g, pairs[i], name);
            }
        }
    }
    if (eb_doc_rows(t) == 0) {
        eb_doc_drop_empty(d);
        eb_doc_add(d, EB_DOC_TEXT, "No item names a capability.");
    }
    free(pairs);
    free(kinds);
}
