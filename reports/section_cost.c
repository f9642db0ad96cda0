/* What the models cost, how they were run and what was not measured. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/stats.h"
#include "reports/section.h"

void eb_section_failed(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_doc_table *t;
    size_t i;

    t = eb_doc_table(d, "Runs that did not complete or are void", "llll");
    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "Status");
    eb_doc_cell(t, "Reason");
    eb_doc_cell(t, "Run");
    for (i = 0; i < g->n; i++) {
        const cJSON *rec = g->recs[i];
        const char *status = eb_group_str(rec, "status", "");
        int complete = strcmp(status, "complete") == 0;

        if (complete && !eb_group_void(rec))
            continue;
        eb_doc_cell(t, eb_group_model(rec));
        eb_doc_cell(t, complete ? "void" : status);
        eb_doc_cell(t, complete ? "more than 1% of the items are harness_error"
                                : eb_group_str(rec, "status_reason", ""));
        eb_doc_cell(t, eb_group_str(rec, "run_id", ""));
    }
    eb_doc_drop_empty(d);
}

static void cost_latency(struct eb_doc_table *t, const cJSON *rec)
{
    const cJSON *v = eb_group_get(rec, "summary.latency");
    double p95 = eb_json_get_num(v, "ttft_p95_ms", NAN);
    size_t least = eb_stats_percentile_least(95);
    char text[EB_SHORT_LEN];

    eb_doc_cell(t, eb_short_ms(eb_json_get_num(v, "ttft_p50_ms", NAN), text));
    if (!isnan(p95) && eb_json_get_num(v, "n", 0) < (double)least)
        eb_doc_cellf(t, "under %zu values", least);
    else
        eb_doc_cell(t, eb_short_ms(p95, text));
    eb_doc_cell(t, eb_short_ms(eb_json_get_num(v, "tpot_mean_ms", NAN), text));
}

void eb_section_cost(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Model",   "TTFT p50", "TTFT p95",
                                       "TPOT",    "Load",     "Peak (VmHWM)",
                                       "RssAnon", "RssFile",  "File"};
    static const char *const bytes[] = {
        "memory.vm_hwm_bytes", "memory.rss_anon_bytes", "memory.rss_file_bytes",
        "model.file_bytes"};
    struct eb_doc_table *t;
    char text[EB_SHORT_LEN];
    size_t i, k;

    eb_doc_add(d, EB_DOC_H3, "Time and memory");
    t = eb_doc_table(d,
                     "Time to the first token (TTFT), mean time per further "
                     "token (TPOT), load time and memory after the last "
                     "item",
                     "lrrrrrrrr");
    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < g->n; i++) {
        const cJSON *rec = g->recs[i];

        eb_doc_cell(t, eb_group_model(rec));
        cost_latency(t, rec);
        eb_doc_cell(
            t, eb_short_ms(eb_group_num(rec, "load.wall_ns", NAN) / 1e6, text));
        for (k = 0; k < sizeof(bytes) / sizeof(*bytes); k++)
            eb_doc_cell(t,
                        eb_short_bytes(eb_group_num(rec, bytes[k], NAN), text));
    }
}

/* What an item costs */

/* The window of the whole run, of the sensors that hold most of the device. */
static const cJSON *price_energy(const cJSON *rec, const char **scope)
{
    const cJSON *row, *w, *found = NULL;

    *scope = "not measured";
    cJSON_ArrayForEach(row, eb_group_get(rec, "summary.energy"))
    {
        if (!cJSON_IsTrue(eb_group_get(row, "best")))
            continue;
        cJSON_ArrayForEach(w, eb_group_get(row, "windows"))
        {
            if (strcmp(eb_json_get_str(w, "name", ""), "whole") == 0)
                found = w;
        }
        *scope = eb_json_get_str(row, "scope", "");
    }
    return found;
}

/* Of the scored items whose tokens are known. */
struct price_sum {
    double money;
    long priced, passes, items;
};

/* Cached tokens are paid in full: the record has one price for reading. */
static struct price_sum price_items(const cJSON *rec)
{
    double in = eb_group_num(rec, "model.price.input_per_million", NAN);
    double out = eb_group_num(rec, "model.price.output_per_million", NAN);
    struct price_sum sum = {0};
    const cJSON *item;

    cJSON_ArrayForEach(item, eb_group_get(rec, "items"))
    {
        const char *class = eb_json_get_str(item, "class", "");
        double prompt = eb_json_get_num(item, "prompt_tokens", -1);
        double reply = eb_json_get_num(item, "output_tokens", -1);

        if (strcmp(class, "harness_error") == 0)
            continue;
        sum.items++;
        sum.passes += strcmp(class, "ok") == 0;
        if (prompt < 0 || reply < 0)
            continue;
        sum.priced++;
        sum.money += (prompt * in + reply * out) / 1e6;
    }
    return sum;
}

/* Three digits that count, without an exponent. */
static void price_money(struct eb_doc_table *t, double v, const char *currency)
{
    int digits = v > 0 ? 2 - (int)floor(log10(v)) : 2;

    if (isnan(v))
        eb_doc_cell(t, "not known");
    else
        eb_doc_cellf(t, "%.*f %s",
                     digits < 2    ? 2
                     : digits > 12 ? 12
                                   : digits,
                     v, currency);
}

static void price_joules(struct eb_doc_table *t, double v)
{
    if (isnan(v))
        eb_doc_cell(t, "not measured");
    else
        eb_doc_cellf(t, "%.3g J", v);
}

static void price_row(struct eb_doc_table *t, const cJSON *rec)
{
    const char *currency = eb_group_str(rec, "model.price.currency", "");
    struct price_sum sum = price_items(rec);
    double each = sum.priced > 0 ? sum.money / (double)sum.priced : NAN;
    const char *scope;
    const cJSON *joules = price_energy(rec, &scope);

    eb_doc_cell(t, eb_group_model(rec));
    price_joules(t, eb_json_get_num(joules, "joules_per_item", NAN));
    price_joules(t, eb_json_get_num(joules, "joules_per_solved", NAN));
    eb_doc_cell(t, scope);
    price_money(t, each, currency);
    price_money(
        t, sum.passes > 0 ? each * (double)sum.items / (double)sum.passes : NAN,
        currency);
    eb_doc_cellf(t, "%ld of %ld", sum.priced, sum.items);
    if (eb_group_get(rec, "model.price.source") != NULL)
        eb_doc_cellf(t, "%s, %s", eb_group_str(rec, "model.price.source", ""),
                     eb_group_str(rec, "model.price.date", ""));
    else
        eb_doc_cell(t, eb_group_str(rec, "model.price_reason",
                                    "absent: the record has no price"));
}

void eb_section_price(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {
        "Model",          "Joules per item", "per right item",    "Scope",
        "Price per item", "per right item",  "Items with tokens", "Price from"};
    struct eb_doc_table *t;
    const char *scope;
    int any = 0;
    size_t i;

    for (i = 0; i < g->n; i++)
        any |= cJSON_GetArraySize(eb_group_get(g->recs[i], "items")) > 0 &&
               (cJSON_IsObject(eb_group_get(g->recs[i], "model.price")) ||
                price_energy(g->recs[i], &scope) != NULL);
    if (!any)
        return;
    t = eb_doc_table(d,
                     "What a scored item costs: joules of the whole run, and "
                     "tokens at the price of the record, cached ones in full",
                     "lrrlrrrl");
    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < g->n; i++)
        price_row(t, g->recs[i]);
}

/* A row of the set-up table, left out where the record says nothing. */
static void cost_fact(struct eb_doc_table *t, const char *name, const cJSON *v)
{
    const cJSON *e;
    struct eb_buf b = {0};

    if (v == NULL || cJSON_IsNull(v))
        return;
    eb_doc_cell(t, name);
    if (cJSON_IsString(v)) {
        eb_doc_cell(t, v->valuestring);
    } else if (cJSON_IsNumber(v)) {
        eb_doc_cellf(t, "%.15g", v->valuedouble);
    } else if (cJSON_IsBool(v)) {
        eb_doc_cell(t, cJSON_IsTrue(v) ? "yes" : "no");
    } else if (cJSON_GetArraySize(v) == 0) {
        eb_doc_cell(t, "none");
    } else {
        cJSON_ArrayForEach(e, v)
        {
            if (cJSON_IsString(e))
                eb_buf_addf(&b, "%s%s", b.len > 0 ? ", " : "", e->valuestring);
        }
        eb_doc_cell(t, b.len > 0 ? b.data : "see the record");
    }
    eb_buf_free(&b);
}

static void cost_levels(struct eb_doc_table *t, const cJSON *rec)
{
    const cJSON *def, *c;

    cJSON_ArrayForEach(def, eb_group_get(rec, "levels"))
    {
        c = eb_group_get(def, "constrain");
        eb_doc_cellf(t, "Level %s", eb_json_get_str(def, "level", ""));
        eb_doc_cellf(t, "bar %.4g%%, alpha %.4g, output %s",
                     100 * eb_json_get_num(def, "bar", 0),
                     eb_json_get_num(def, "alpha", 0),
                     !cJSON_IsBool(c)  ? "constraint not recorded"
                     : cJSON_IsTrue(c) ? "constrained by a grammar"
                                       : "not constrained");
    }
}

void eb_section_setup(struct eb_doc *d, const struct eb_group *g)
{
    static const struct {
        const char *name, *path;
    } facts[] = {{"Device", "device.name"},
                 {"Device id", "device.id"},
                 {"Processor", "device.cpu.model"},
                 {"Threads of it", "device.cpu.threads"},
                 {"Accelerators", "device.accelerators"},
                 {"System", "device.os.name"},
                 {"Kernel", "device.os.kernel"},
                 {"Engine", "runtime.engine"},
                 {"Engine version", "runtime.version"},
                 {"Engine commit", "runtime.commit"},
                 {"Backends", "runtime.backends"},
                 {"Processor features", "runtime.features"},
                 {"Build flags", "runtime.build_flags"},
                 {"Suite", "suite.name"},
                 {"Suite version", "suite.version"},
                 {"Suite digest", "suite.digest"},
                 {"Prompt", "settings.prompt"},
                 {"Seed", "settings.seed"},
                 {"Decoding", "settings.decoding"},
                 {"Threads used", "settings.threads"},
                 {"Context", "settings.ctx"},
                 {"Batch", "settings.batch"},
                 {"Micro-batch", "settings.ubatch"},
                 {"Prefix cache", "settings.prefix_cache"},
                 {"Constrain", "settings.constrain"},
                 {"Levels run", "settings.levels"},
                 {"Item limit", "settings.limit"},
                 {"Bars digest", "bars_sha256"},
                 {"Tool version", "tool.version"}};
    const cJSON *rec = g->recs[0];
    double memory = eb_group_num(rec, "device.memory_bytes", NAN);
    struct eb_doc_table *t;
    char text[EB_SHORT_LEN];
    size_t i;

    eb_doc_add(d, EB_DOC_H3, "How it was run");
    t = eb_doc_table(d,
                     "Device, runtime, suite and settings, equal for all "
                     "models of this part",
                     "ll");
    eb_doc_cell(t, "What");
    eb_doc_cell(t, "Value");
    for (i = 0; i < sizeof(facts) / sizeof(*facts); i++)
        cost_fact(t, facts[i].name, eb_group_get(rec, facts[i].path));
    if (!isnan(memory)) {
        eb_doc_cell(t, "Memory");
        eb_doc_cell(t, eb_short_bytes(memory, text));
    }
    cost_levels(t, rec);
}

void eb_section_models(struct eb_doc *d, const struct eb_group *g)
{
    static const char *const head[] = {"Model",   "Parameters", "Quantisation",
                                       "SHA-256", "Started",    "Run"};
    struct eb_doc_table *t;
    char text[EB_SHORT_LEN];
    size_t i;

    t = eb_doc_table(d, "The models and their runs", "lrllll");
    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < g->n; i++) {
        const cJSON *rec = g->recs[i];

        eb_doc_cell(t, eb_group_model(rec));
        eb_doc_cell(t, eb_short_count(
                           eb_group_num(rec, "model.parameters", NAN), text));
        eb_doc_cell(t, eb_group_str(rec, "model.quantization", "unknown"));
        eb_doc_cellf(t, "%.12s",
                     eb_group_str(rec, "model.sha256", "not known"));
        eb_doc_cellf(t, "%.19sZ", eb_group_str(rec, "started_at", ""));
        eb_doc_cell(t, eb_group_str(rec, "run_id", ""));
    }
    if (g->replaced > 0)
        eb_doc_add(d, EB_DOC_TEXT,
                   "Older runs of the same model and settings left out: %zu.",
                   g->replaced);
}

/* A value that is null for a reason, and the models it holds for. */
struct cost_missing {
    char *path;
    const char *reason;
    struct eb_buf models;
    size_t n;
};

struct cost_missings {
    struct cost_missing *v;
    size_t n;
};

#define COST_MISSING_MAX 100

static void cost_miss(struct cost_missings *all, const char *path,
                      const char *reason, const char *model)
{
    struct cost_missing *m;
    size_t i;

    for (i = 0; i < all->n; i++) {
        if (strcmp(all->v[i].path, path) == 0 &&
            strcmp(all->v[i].reason, reason) == 0)
            break;
    }
    if (i == COST_MISSING_MAX)
        return;
    if (i == all->n) {
        all->v = eb_xrealloc(all->v, ++all->n, sizeof(*all->v));
        memset(&all->v[i], 0, sizeof(*all->v));
        all->v[i].path = eb_xstrdup(path);
        all->v[i].reason = reason;
    }
    m = &all->v[i];
    eb_buf_addf(&m->models, "%s%s", m->n++ > 0 ? ", " : "", model);
}

/* Items are left out: an item that ended early has reasons of its own. */
static void cost_walk(struct cost_missings *all, const cJSON *v,
                      const char *path, const char *model)
{
    const cJSON *child;

    cJSON_ArrayForEach(child, v)
    {
        const char *key = child->string != NULL ? child->string : "";
        size_t n = strlen(key);
        char *name;

        if (strcmp(path, "") == 0 &&
            (strcmp(key, "items") == 0 || strcmp(key, "latency_items") == 0))
            continue;
        if (cJSON_IsArray(child) || cJSON_IsObject(child)) {
            name = eb_xasprintf("%s%s%s", path, *path && *key ? "." : "", key);
            cost_walk(all, child, name, model);
            free(name);
        } else if (cJSON_IsString(child) && n > 7 &&
                   strcmp(key + n - 7, "_reason") == 0 &&
                   strcmp(key, "status_reason") != 0) {
            name = eb_xasprintf("%s%s%.*s", path, *path ? "." : "",
                                (int)(n - 7), key);
            cost_miss(all, name, child->valuestring, model);
            free(name);
        }
    }
}

void eb_section_missing(struct eb_doc *d, const struct eb_group *g)
{
    struct cost_missings all = {0};
    struct eb_doc_table *t;
    size_t i;

    eb_doc_add(d, EB_DOC_H3, "Not measured, because");
    for (i = 0; i < g->n; i++)
        cost_walk(&all, g->recs[i], "", eb_group_model(g->recs[i]));
    t = eb_doc_table(d, "Values that are missing and why", "lll");
    eb_doc_cell(t, "Value");
    eb_doc_cell(t, "Reason");
    eb_doc_cell(t, "Models");
    for (i = 0; i < all.n; i++) {
        eb_doc_cell(t, all.v[i].path);
        eb_doc_cell(t, all.v[i].reason);
        if (all.v[i].n >= g->n)
            eb_doc_cell(t, "all");
        else
            eb_doc_cell(t, all.v[i].models.data);
        free(all.v[i].path);
        eb_buf_free(&all.v[i].models);
    }
    free(all.v);
    if (eb_doc_rows(t) > 0)
        return;
    eb_doc_drop_empty(d);
    eb_doc_add(d, EB_DOC_TEXT, "Nothing is marked as missing.");
}
