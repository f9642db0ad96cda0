/* What `edgebench tune` gained, of runs with the settings that it stored. */
#include <math.h>
#include <string.h>

#include "common/json.h"
#include "reports/section.h"

#define TUNE_DAY 10 /* characters of a time that are its date */

static void tune_rows(struct eb_doc_table *t, const cJSON *rec)
{
    const char *when = eb_group_str(rec, "tune.created_at", "");
    const cJSON *row;

    cJSON_ArrayForEach(row, eb_group_get(rec, "tune.gain"))
    {
        eb_doc_cell(t, eb_group_model(rec));
        eb_doc_cell(t, eb_json_get_str(row, "test", ""));
        eb_doc_cellf(t, "%.3f", eb_json_get_num(row, "ratio", NAN));
        eb_doc_cellf(t, "%.3f to %.3f", eb_json_get_num(row, "lo", NAN),
                     eb_json_get_num(row, "hi", NAN));
        eb_doc_cellf(t, "%.0f", eb_json_get_num(row, "pairs", 0));
        eb_doc_cellf(t, "%.*s", TUNE_DAY, when);
    }
}

/* What was not stored is named, or the table would praise a run that had the
 * default settings. */
static void tune_sentence(struct eb_doc *d, const cJSON *rec)
{
    const char *verdict = eb_group_str(rec, "tune.verdict", "");
    const char *model = eb_group_model(rec);

    if (strcmp(verdict, "default") == 0)
        eb_doc_add(d, EB_DOC_TEXT,
                   "%s ran with the default settings, which are as good: "
                   "tune showed no others to be faster.",
                   model);
    else if (strcmp(verdict, "mixed") == 0)
        eb_doc_add(d, EB_DOC_TEXT,
                   "%s ran with the default settings: those that tune found "
                   "are faster in one test and slower in the other.",
                   model);
    else if (strcmp(verdict, "open") == 0)
        eb_doc_add(d, EB_DOC_TEXT,
                   "%s ran with the default settings: the gain of those that "
                   "tune found is not known (%s).",
                   model,
                   eb_group_str(rec, "tune.gain_reason", "no reason given"));
}

static void tune_table(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Model",        "Test",  "Times default",
                                       "95% interval", "Pairs", "When"};
    struct eb_doc_table *t = eb_doc_table(
        d,
        "Tokens per second with the settings that tune found, as a multiple "
        "of those with the default, and the 95% interval of that (pp: "
        "reading, tg: writing, both: their geometric mean)",
        "llrrrl");
    size_t i;

    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < g->n; i++)
        tune_rows(t, g->recs[i]);
    eb_doc_drop_empty(d);
}

void eb_section_tune(struct eb_doc *d, const struct eb_group *g)
{
    int any = 0;
    size_t i;

    for (i = 0; i < g->n; i++)
        any |= cJSON_IsObject(eb_group_get(g->recs[i], "tune"));
    if (!any)
        return;
    eb_doc_add(d, EB_DOC_H3, "Gain of tuning");
    tune_table(d, g);
    for (i = 0; i < g->n; i++)
        tune_sentence(d, g->recs[i]);
}
