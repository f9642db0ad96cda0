/* eb_record_derive: every number of `summary` from the raw samples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/decision.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"
#include "common/record_parts.h"
#include "common/stats.h"

#define DERIVE_MS 1e6 /* nanoseconds */

struct derive_item {
    const cJSON *json;
    const char *level;
    const char *lang;
    const char *capability; /* "" if none */
    int outcome;
};

struct derive_items {
    struct derive_item *v;
    size_t n;
};

void eb_samples_add(struct eb_samples *s, double x)
{
    if (s->n == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 64;
        s->v = eb_xrealloc(s->v, s->cap, sizeof(*s->v));
    }
    s->v[s->n++] = x;
}

const cJSON *eb_record_items(const cJSON *rec)
{
    return strcmp(eb_json_get_str(rec, "status", ""), "engine_error") == 0
               ? NULL
               : cJSON_GetObjectItemCaseSensitive(rec, "items");
}

static struct derive_items derive_load(const cJSON *rec)
{
    const cJSON *arr = eb_record_items(rec), *v;
    struct derive_items items = {0};

    items.v = eb_xcalloc((size_t)cJSON_GetArraySize(arr), sizeof(*items.v));
    cJSON_ArrayForEach(v, arr)
    {
        struct derive_item *i = &items.v[items.n++];

        i->json = v;
        i->level = eb_json_get_str(v, "level", "");
        i->lang = eb_json_get_str(v, "lang", "");
        i->capability = eb_json_get_str(v, "capability", "");
        i->outcome = eb_outcome_parse(eb_json_get_str(v, "class", ""));
    }
    return items;
}

static int derive_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts names bytewise and drops repeats; returns how many are left. */
static size_t derive_distinct(const char **names, size_t n)
{
    size_t i, used = 0;

    qsort(names, n, sizeof(*names), derive_cmp);
    for (i = 0; i < n; i++) {
        if (used == 0 || strcmp(names[used - 1], names[i]) != 0)
            names[used++] = names[i];
    }
    return used;
}

/* The languages of the items of a level (NULL: of all); free the array. */
static const char **derive_langs(const struct derive_items *items,
                                 const char *level, size_t *n)
{
    const char **langs = eb_xcalloc(items->n, sizeof(*langs));
    size_t i, used = 0;

    for (i = 0; i < items->n; i++) {
        if (level == NULL || strcmp(items->v[i].level, level) == 0)
            langs[used++] = items->v[i].lang;
    }
    *n = derive_distinct(langs, used);
    return langs;
}

static int derive_in(const struct derive_item *i, const char *level,
                     const char *lang)
{
    return strcmp(i->level, level) == 0 && strcmp(i->lang, lang) == 0;
}

static void derive_wilson(cJSON *out, int64_t passes, int64_t n)
{
    struct eb_interval ci = eb_stats_wilson(passes, n);

    cJSON_AddNumberToObject(out, "wilson_lo", ci.lo);
    cJSON_AddNumberToObject(out, "wilson_hi", ci.hi);
}

static void derive_capabilities(const struct derive_items *items,
                                const char *level, const char *lang, cJSON *out)
{
    cJSON *arr = cJSON_AddArrayToObject(out, "capabilities"), *row;
    const char **names = eb_xcalloc(items->n, sizeof(*names));
    size_t i, k, n_names = 0;

    for (i = 0; i < items->n; i++) {
        if (derive_in(&items->v[i], level, lang) &&
            items->v[i].capability[0] != '\0')
            names[n_names++] = items->v[i].capability;
    }
    n_names = derive_distinct(names, n_names);
    for (k = 0; k < n_names; k++) {
        int64_t n = 0, passes = 0;

        for (i = 0; i < items->n; i++) {
            if (!derive_in(&items->v[i], level, lang) ||
                strcmp(items->v[i].capability, names[k]) != 0 ||
                items->v[i].outcome == EB_OUT_HARNESS_ERROR)
                continue;
            n++;
            passes += items->v[i].outcome == EB_OUT_OK;
        }
        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "capability", names[k]);
        cJSON_AddNumberToObject(row, "n", (double)n);
        cJSON_AddNumberToObject(row, "passes", (double)passes);
        derive_wilson(row, passes, n);
        cJSON_AddItemToArray(arr, row);
    }
    free(names);
}

static cJSON *derive_level(const struct derive_items *items, const cJSON *def,
                           const char *lang)
{
    const char *level = eb_json_get_str(def, "level", "");
    struct eb_decision_rule rule = eb_decision_rule(def, lang);
    struct eb_decision_item item;
    struct eb_decision d;
    int64_t counts[EB_OUT_COUNT] = {0};
    cJSON *out = cJSON_CreateObject(), *outcomes;
    size_t i;
    int o;

    /* Numbers that no decision can be made of: the exact bounds remain. */
    if (eb_decision_open(&d, &rule, NULL) != 0) {
        rule.early = 0;
        rule.margin = -1;
        eb_decision_open(&d, &rule, NULL);
    }
    for (i = 0; i < items->n; i++) {
        const struct derive_item *v = &items->v[i];

        if (!derive_in(v, level, lang) || v->outcome < 0)
            continue;
        counts[v->outcome]++;
        if (eb_decision_item(v->json, &item))
            eb_decision_add(&d, item);
    }
    cJSON_AddStringToObject(out, "level", level);
    cJSON_AddStringToObject(out, "lang", lang);
    cJSON_AddNumberToObject(out, "bar", rule.bar);
    eb_decision_row(&d, out);
    derive_wilson(out, d.passes, d.n);
    outcomes = cJSON_AddObjectToObject(out, "outcomes");
    for (o = 0; o < EB_OUT_COUNT; o++) {
        if (counts[o] > 0)
            cJSON_AddNumberToObject(outcomes,
                                    eb_outcome_name((enum eb_outcome)o),
                                    (double)counts[o]);
    }
    derive_capabilities(items, level, lang, out);
    return out;
}

static void derive_levels(const cJSON *rec, const struct derive_items *items,
                          cJSON *sum)
{
    cJSON *arr = cJSON_AddArrayToObject(sum, "levels");
    const cJSON *def;

    cJSON_ArrayForEach(def, cJSON_GetObjectItemCaseSensitive(rec, "levels"))
    {
        size_t n, i;
        const char **langs =
            derive_langs(items, eb_json_get_str(def, "level", ""), &n);

        for (i = 0; i < n; i++) {
            cJSON *row = derive_level(items, def, langs[i]);

            eb_record_cluster(rec, row);
            cJSON_AddItemToArray(arr, row);
        }
        free(langs);
    }
}

/* Adds one percentile in milliseconds, or null where nothing was measured. */
static void derive_percentile(cJSON *out, const char *key,
                              const struct eb_samples *ns, double p)
{
    if (ns->n == 0)
        eb_json_add_null(out, key, "not measured");
    else
        cJSON_AddNumberToObject(
            out, key, eb_stats_percentile(ns->v, ns->n, p) / DERIVE_MS);
}

const cJSON *eb_record_alone(const cJSON *rec)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(rec, "latency_items");

    return v != NULL ? v : eb_record_items(rec);
}

/* Time-outs stay in: without them a slow model would look better. */
static void derive_latency(const cJSON *rec, cJSON *sum)
{
    cJSON *out = cJSON_AddObjectToObject(sum, "latency");
    struct eb_samples ttft = {0}, itl = {0}, tpot = {0}, e2e = {0};
    const cJSON *alone = eb_record_alone(rec), *j, *gap;

    cJSON_ArrayForEach(j, alone)
    {
        double first = eb_json_get_num(j, "ttft_ns", -1);
        double whole = eb_json_get_num(j, "e2e_ns", -1);
        double tokens = eb_json_get_num(j, "output_tokens", 0);

        if (strcmp(eb_json_get_str(j, "class", ""), "harness_error") == 0)
            continue;
        if (first >= 0)
            eb_samples_add(&ttft, first);
        if (whole >= 0)
            eb_samples_add(&e2e, whole);
        if (first >= 0 && whole >= first && tokens >= 2)
            eb_samples_add(&tpot, (whole - first) / (tokens - 1));
        cJSON_ArrayForEach(gap, cJSON_GetObjectItemCaseSensitive(j, "gaps_ns"))
            eb_samples_add(&itl, gap->valuedouble);
    }
    derive_percentile(out, "ttft_p50_ms", &ttft, 50);
    derive_percentile(out, "ttft_p95_ms", &ttft, 95);
    derive_percentile(out, "itl_p50_ms", &itl, 50);
    derive_percentile(out, "itl_p95_ms", &itl, 95);
    if (tpot.n > 0)
        cJSON_AddNumberToObject(out, "tpot_mean_ms",
                                eb_stats_mean(tpot.v, tpot.n) / DERIVE_MS);
    else
        eb_json_add_null(out, "tpot_mean_ms", "not measured");
    derive_percentile(out, "e2e_p50_ms", &e2e, 50);
    derive_percentile(out, "e2e_p95_ms", &e2e, 95);
    cJSON_AddNumberToObject(out, "n", (double)e2e.n);
    free(ttft.v);
    free(itl.v);
    free(tpot.v);
    free(e2e.v);
}

/* Items and tokens a second of each cell of a throughput run. */
static void derive_throughput(const cJSON *rec, cJSON *sum)
{
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(rec, "throughput"), *v;
    cJSON *out, *row;

    if (rows == NULL)
        return;
    out = cJSON_AddArrayToObject(sum, "throughput");
    cJSON_ArrayForEach(v, rows)
    {
        double s = eb_json_get_num(v, "wall_ns", 0) / 1e9;

        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "level", eb_json_get_str(v, "level", ""));
        cJSON_AddStringToObject(row, "lang", eb_json_get_str(v, "lang", ""));
        if (s > 0) {
            cJSON_AddNumberToObject(row, "items_per_s",
                                    eb_json_get_num(v, "items", 0) / s);
            cJSON_AddNumberToObject(row, "output_tps",
                                    eb_json_get_num(v, "output_tokens", 0) / s);
        } else {
            eb_json_add_null(row, "items_per_s", "absent: no time passed");
            eb_json_add_null(row, "output_tps", "absent: no time passed");
        }
        cJSON_AddItemToArray(out, row);
    }
}

/* How often an item played alone ended otherwise than among others: batches
 * of another size round otherwise. */
static void derive_batching(const cJSON *rec, cJSON *sum)
{
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(rec, "latency_items"),
                *v;
    int n = 0, output = 0, class = 0;
    cJSON *out;

    if (items == NULL)
        return;
    cJSON_ArrayForEach(v, items)
    {
        n++;
        output +=
            cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(v, "same_output"));
        class +=
            cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(v, "same_class"));
    }
    out = cJSON_AddObjectToObject(sum, "batching");
    cJSON_AddNumberToObject(out, "compared", n);
    cJSON_AddNumberToObject(out, "other_output", output);
    cJSON_AddNumberToObject(out, "other_class", class);
}

static void derive_token_mean(const struct derive_items *items,
                              const char *lang, const char *key,
                              const char *out_key, cJSON *out)
{
    double sum = 0, n = 0, v;
    size_t i;

    for (i = 0; i < items->n; i++) {
        v = eb_json_get_num(items->v[i].json, key, -1);
        if (v < 0 || items->v[i].outcome == EB_OUT_HARNESS_ERROR ||
            strcmp(items->v[i].lang, lang) != 0)
            continue;
        sum += v;
        n++;
    }
    if (n > 0)
        cJSON_AddNumberToObject(out, out_key, sum / n);
    else
        eb_json_add_null(out, out_key, "not measured");
}

/* The time of a whole reply, of items played alone only. */
static void derive_token_time(const cJSON *rec, const char *lang, cJSON *out)
{
    struct eb_samples e2e = {0};
    const cJSON *v;

    cJSON_ArrayForEach(v, eb_record_alone(rec))
    {
        double ns = eb_json_get_num(v, "e2e_ns", -1);

        if (ns >= 0 && strcmp(eb_json_get_str(v, "lang", ""), lang) == 0 &&
            strcmp(eb_json_get_str(v, "class", ""), "harness_error") != 0)
            eb_samples_add(&e2e, ns);
    }
    if (e2e.n > 0)
        cJSON_AddNumberToObject(out, "e2e_mean_ms",
                                eb_stats_mean(e2e.v, e2e.n) / DERIVE_MS);
    else
        eb_json_add_null(out, "e2e_mean_ms",
                         "not measured: no item was played alone");
    cJSON_AddNumberToObject(out, "e2e_n", (double)e2e.n);
    free(e2e.v);
}

static void derive_tokens(const cJSON *rec, const struct derive_items *items,
                          cJSON *sum)
{
    cJSON *out = cJSON_AddObjectToObject(sum, "tokens"), *row;
    size_t n, i;
    const char **langs = derive_langs(items, NULL, &n);

    for (i = 0; i < n; i++) {
        row = cJSON_AddObjectToObject(out, langs[i]);
        derive_token_mean(items, langs[i], "prompt_tokens", "prompt_mean", row);
        derive_token_mean(items, langs[i], "output_tokens", "output_mean", row);
        derive_token_time(rec, langs[i], row);
    }
    free(langs);
}

void eb_record_derive(cJSON *rec)
{
    struct derive_items items = derive_load(rec);
    cJSON *sum = cJSON_CreateObject();
    size_t i, errors = 0;

    derive_levels(rec, &items, sum);
    eb_record_speed(rec, sum);
    derive_latency(rec, sum);
    derive_throughput(rec, sum);
    derive_batching(rec, sum);
    derive_tokens(rec, &items, sum);
    eb_record_service(rec, sum);
    eb_record_parity(rec, sum);
    eb_record_fidelity(rec, sum);
    eb_record_trials(rec, sum);
    eb_record_energy(rec, sum);
    for (i = 0; i < items.n; i++)
        errors += items.v[i].outcome == EB_OUT_HARNESS_ERROR;
    /* More than 1 % of unscored items voids the run (design rule 7). */
    cJSON_AddBoolToObject(sum, "void", errors * 100 > items.n);
    free(items.v);
    cJSON_DeleteItemFromObjectCaseSensitive(rec, "summary");
    cJSON_AddItemToObject(rec, "summary", sum);
}
