/* What the job asks of time, memory and energy, and what is shown of it. */
#include <math.h>
#include <string.h>

#include "common/json.h"
#include "reports/section.h"

const char *eb_section_bar(const char *bar)
{
    static const char *const names[][2] = {
        {"ttft_p95_ms", "TTFT p95"},
        {"tpot_ms", "TPOT"},
        {"e2e_p95_ms", "Full reply p95"},
        {"peak_memory_bytes", "Peak memory"},
        {"joules_per_solved", "Joules per right answer"}};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i][0], bar) == 0)
            return names[i][1];
    }
    return bar;
}

/* A number in the unit of its bar, "none" for NAN. */
static void service_text(struct eb_buf *out, const char *bar, double v)
{
    char text[EB_SHORT_LEN];

    if (isnan(v))
        eb_buf_adds(out, "none");
    else if (strstr(bar, "bytes") != NULL)
        eb_buf_adds(out, eb_short_bytes(v, text));
    else if (strstr(bar, "_ms") != NULL)
        eb_buf_adds(out, eb_short_ms(v, text));
    else
        eb_buf_addf(out, "%.3g J", v);
}

static void service_value(struct eb_doc_table *t, const char *bar, double v)
{
    struct eb_buf b = {0};

    service_text(&b, bar, v);
    eb_doc_cell(t, isnan(v) ? "none" : b.data);
    eb_buf_free(&b);
}

static void service_bounds(struct eb_doc_table *t, const cJSON *row,
                           const char *bar)
{
    double lo = eb_json_get_num(row, "lower", NAN);
    double hi = eb_json_get_num(row, "upper", NAN);
    struct eb_buf b = {0};

    if (isnan(lo) && isnan(hi)) {
        eb_doc_cell(t, "none");
        return;
    }
    if (isnan(lo)) {
        eb_buf_adds(&b, "up to ");
        service_text(&b, bar, hi);
    } else {
        service_text(&b, bar, lo);
        eb_buf_adds(&b, isnan(hi) ? " and more" : " to ");
        if (!isnan(hi))
            service_text(&b, bar, hi);
    }
    eb_doc_cell(t, b.data);
    eb_buf_free(&b);
}

static void service_note(struct eb_doc_table *t, const cJSON *rec,
                         const cJSON *row)
{
    const char *reason = eb_json_get_str(row, "reason", "");
    double n = eb_json_get_num(row, "n", 0);
    double need = eb_json_get_num(row, "need", -1);

    if (eb_group_void(rec))
        eb_doc_cell(t, "run is void");
    else if (need > n && strncmp(reason, "needs", 5) != 0)
        eb_doc_cellf(t, "%s; %.0f items like these would settle it", reason,
                     need);
    else
        eb_doc_cell(t, reason);
}

static void service_row(struct eb_doc_table *t, const cJSON *rec,
                        const cJSON *row)
{
    const char *bar = eb_json_get_str(row, "bar", "");
    enum eb_verdict v = eb_group_verdict(rec, row);

    eb_doc_cell(t, eb_group_model(rec));
    eb_doc_cell(t, eb_section_bar(bar));
    service_value(t, bar, eb_json_get_num(row, "limit", NAN));
    service_value(t, bar, eb_json_get_num(row, "value", NAN));
    service_bounds(t, row, bar);
    eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "n", 0));
    eb_doc_mark(t, eb_verdict_mark(v), eb_verdict_name(v));
    service_note(t, rec, row);
}

void eb_section_service(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Model",    "Bar",        "At most",
                                       "Measured", "95% bounds", "Samples",
                                       "Verdict",  "Note"};
    struct eb_doc_table *t;
    const cJSON *row;
    int rows = 0;
    size_t i;

    eb_doc_add(d, EB_DOC_H3, "Service bars");
    for (i = 0; i < g->n; i++)
        rows += cJSON_GetArraySize(eb_group_get(g->recs[i], "summary.service"));
    if (rows == 0) {
        eb_doc_add(d, EB_DOC_TEXT, "The job sets no service bar.");
        return;
    }
    eb_doc_add(d, EB_DOC_TEXT,
               "A bar is SUFFICIENT if the one-sided 95%% upper bound is "
               "within the limit and INSUFFICIENT if the lower bound is above "
               "it. Times are of items played alone, one request at a time, "
               "all levels and languages together: order statistics bound a "
               "95th percentile, Student's t a mean.");
    t = eb_doc_table(d, "What the job asks of time, memory and energy",
                     "llrrrrvl");
    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.service"))
            service_row(t, g->recs[i], row);
    }
}
