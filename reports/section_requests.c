/* Requests of the shape that a help desk sends, and LocalScore. */
#include <math.h>
#include <string.h>

#include "common/json.h"
#include "common/stats.h"
#include "reports/section.h"

/* How many values the percentiles of a phase are made of. */
static size_t request_values(const cJSON *rec, const char *phase, int gaps)
{
    const cJSON *row;
    size_t n = 0;

    cJSON_ArrayForEach(row, eb_group_get(rec, "requests"))
    {
        if (strcmp(eb_json_get_str(row, "phase", ""), phase) != 0)
            continue;
        n += gaps ? (size_t)cJSON_GetArraySize(eb_group_get(row, "gaps_ns"))
                  : eb_json_get_num(row, "ttft_ns", -1) >= 0;
    }
    return n;
}

static void request_percentiles(struct eb_doc_table *t, const cJSON *rec,
                                const cJSON *row)
{
    static const struct {
        const char *key;
        int p, gaps;
    } all[] = {{"ttft_p50_ms", 50, 0}, {"ttft_p90_ms", 90, 0},
               {"ttft_p95_ms", 95, 0}, {"ttft_p99_ms", 99, 0},
               {"itl_p50_ms", 50, 1},  {"itl_p90_ms", 90, 1},
               {"itl_p95_ms", 95, 1},  {"itl_p99_ms", 99, 1}};
    const char *phase = eb_json_get_str(row, "phase", "");
    char text[EB_SHORT_LEN];
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        double ms = eb_json_get_num(row, all[i].key, NAN);
        size_t least = eb_stats_percentile_least(all[i].p);

        if (isnan(ms) || request_values(rec, phase, all[i].gaps) >= least)
            eb_doc_cell(t, eb_short_ms(ms, text));
        else
            eb_doc_cellf(t, "n < %zu", least);
    }
}

static void request_disturbed(struct eb_doc *d, const struct eb_group *g)
{
    const cJSON *row;
    size_t i;

    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.requests"))
        {
            if (cJSON_HasObjectItem(row, "reason"))
                eb_doc_add(d, EB_DOC_TEXT, "%s, %s requests are unstable: %s.",
                           eb_group_model(g->recs[i]),
                           eb_json_get_str(row, "phase", ""),
                           eb_json_get_str(row, "reason", ""));
        }
    }
}

/* The mean of the row of a test, NAN if there is none. */
static double request_rate(const cJSON *rec, const char *test)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, eb_group_get(rec, "summary.speed"))
    {
        if (strcmp(eb_json_get_str(row, "test", ""), test) == 0)
            return eb_json_get_num(row, "mean_tps", NAN);
    }
    return NAN;
}

static double request_uncached(const cJSON *rec)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, eb_group_get(rec, "summary.requests"))
    {
        if (strcmp(eb_json_get_str(row, "phase", ""), "uncached") == 0)
            return eb_json_get_num(row, "ttft_p50_ms", NAN);
    }
    return NAN;
}

static void request_number(struct eb_doc_table *t, double v)
{
    if (isnan(v))
        eb_doc_cell(t, "not measured");
    else
        eb_doc_cellf(t, "%.1f", v);
}

static void request_score(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_doc_table *t = eb_doc_table(
        d,
        "LocalScore: 10 times the cube root of pp512 x tg128 x 1000 / TTFT "
        "in ms",
        "lrrrr");
    char text[EB_SHORT_LEN];
    const cJSON *sum;
    size_t i;

    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "pp512");
    eb_doc_cell(t, "tg128");
    eb_doc_cell(t, "TTFT p50, uncached");
    eb_doc_cell(t, "LocalScore");
    for (i = 0; i < g->n; i++) {
        const cJSON *rec = g->recs[i];

        sum = eb_group_get(rec, "summary");
        if (cJSON_GetObjectItemCaseSensitive(sum, "localscore") == NULL)
            continue;
        eb_doc_cell(t, eb_group_model(rec));
        request_number(t, request_rate(rec, "pp512"));
        request_number(t, request_rate(rec, "tg128"));
        eb_doc_cell(t, eb_short_ms(request_uncached(rec), text));
        if (cJSON_IsNull(eb_group_get(rec, "summary.localscore")))
            eb_doc_cell(
                t, eb_json_get_str(sum, "localscore_reason", "not measured"));
        else
            request_number(t, eb_json_get_num(sum, "localscore", NAN));
    }
    eb_doc_drop_empty(d);
}

void eb_section_requests(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Model",
                                       "Cache",
                                       "TTFT p50",
                                       "TTFT p90",
                                       "TTFT p95",
                                       "TTFT p99",
                                       "ITL p50",
                                       "ITL p90",
                                       "ITL p95",
                                       "ITL p99",
                                       "TPOT",
                                       "Requests",
                                       "Tokens (cached) + answer"};
    struct eb_doc_table *t;
    char text[EB_SHORT_LEN];
    const cJSON *row;
    size_t i;

    t = eb_doc_table(d,
                     "Requests of a shared policy and a question, tokenising "
                     "and sampling included. first: of a fresh engine; "
                     "uncached: nothing of the prompt is known; prefix: the "
                     "policy is. n: values, too few for this percentile",
                     "llrrrrrrrrrrr");
    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.requests"))
        {
            if (eb_json_get_num(row, "n", 0) == 0)
                continue;
            eb_doc_cell(t, eb_group_model(g->recs[i]));
            eb_doc_cellf(t, "%s%s", eb_json_get_str(row, "phase", ""),
                         cJSON_HasObjectItem(row, "reason") ? ", unstable"
                                                            : "");
            request_percentiles(t, g->recs[i], row);
            eb_doc_cell(
                t,
                eb_short_ms(eb_json_get_num(row, "tpot_mean_ms", NAN), text));
            eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "n", 0));
            eb_doc_cellf(t, "%.0f (%.0f) + %.0f",
                         eb_json_get_num(row, "prompt_mean", 0),
                         eb_json_get_num(row, "cached_mean", 0),
                         eb_json_get_num(row, "output_mean", 0));
        }
    }
    eb_doc_drop_empty(d);
    request_disturbed(d, g);
    request_score(d, g);
}
