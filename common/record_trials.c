/* summary.trials: how reliably an item is passed again (pass^k). */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"
#include "common/record_parts.h"
#include "common/stats_compare.h"

static int trials_passed(const cJSON *row)
{
    return eb_outcome_parse(eb_json_get_str(row, "class", "")) == EB_OUT_OK;
}

static int trials_scored(const cJSON *row)
{
    return eb_outcome_parse(eb_json_get_str(row, "class", "")) !=
           EB_OUT_HARNESS_ERROR;
}

/* Passes of an item over all its trials; -1 if not all of them were scored. */
static int64_t trials_count(const cJSON *rec, const cJSON *item, int64_t trials)
{
    const char *id = eb_json_get_str(item, "id", "");
    int64_t n = trials_scored(item), passes = trials_passed(item);
    const cJSON *v;

    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(rec, "trials"))
    {
        if (strcmp(eb_json_get_str(v, "id", ""), id) != 0)
            continue;
        n += trials_scored(v);
        passes += trials_passed(v);
    }
    return n == trials ? passes : -1;
}

static cJSON *trials_row(const cJSON *rec, const char *level, const char *lang,
                         int64_t trials)
{
    const cJSON *items = eb_record_items(rec), *v;
    int64_t *passes =
        eb_xcalloc((size_t)cJSON_GetArraySize(items) + 1, sizeof(*passes));
    cJSON *row = cJSON_CreateObject(), *hat;
    size_t n = 0;
    int64_t k;

    cJSON_ArrayForEach(v, items)
    {
        if (strcmp(eb_json_get_str(v, "level", ""), level) != 0 ||
            strcmp(eb_json_get_str(v, "lang", ""), lang) != 0)
            continue;
        passes[n] = trials_count(rec, v, trials);
        n += passes[n] >= 0;
    }
    cJSON_AddStringToObject(row, "level", level);
    cJSON_AddStringToObject(row, "lang", lang);
    cJSON_AddNumberToObject(row, "items", (double)n);
    hat = cJSON_AddArrayToObject(row, "pass_hat");
    for (k = 1; k <= trials && n > 0; k++)
        cJSON_AddItemToArray(
            hat, cJSON_CreateNumber(eb_stats_pass_hat(passes, n, trials, k)));
    free(passes);
    return row;
}

void eb_record_trials(const cJSON *rec, cJSON *sum)
{
    const cJSON *settings = cJSON_GetObjectItemCaseSensitive(rec, "settings");
    int64_t trials = (int64_t)eb_json_get_num(settings, "trials", 1);
    const cJSON *row;
    cJSON *out;

    if (cJSON_GetObjectItemCaseSensitive(rec, "trials") == NULL)
        return;
    out = cJSON_AddArrayToObject(sum, "trials");
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(sum, "levels"))
        cJSON_AddItemToArray(
            out, trials_row(rec, eb_json_get_str(row, "level", ""),
                            eb_json_get_str(row, "lang", ""), trials));
}
