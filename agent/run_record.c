/* Building the record (common/RECORD.md). */
#include <stdio.h>
#include <string.h>

#include "agent/run_parts.h"
#include "common/clock.h"
#include "common/decision.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"

static void record_time(cJSON *out, const char *key, int64_t wall_us)
{
    char text[EB_TIME_LEN];

    eb_time_format(wall_us, text);
    cJSON_AddStringToObject(out, key, text);
}

static void record_tool(cJSON *rec)
{
    cJSON *tool = cJSON_AddObjectToObject(rec, "tool");

    cJSON_AddStringToObject(tool, "name", "edgebench");
    cJSON_AddStringToObject(tool, "version", EB_VERSION);
    cJSON_AddStringToObject(tool, "build_type", EB_BUILD_TYPE);
#ifdef __clang__
    cJSON_AddStringToObject(tool, "compiler", "clang " __clang_version__);
#else
    cJSON_AddStringToObject(tool, "compiler", "gcc " __VERSION__);
#endif
}

static void record_runtime(const struct eb_run_model *m, cJSON *rec)
{
    const struct eb_engine_ops *ops = eb_engine_for(m->path);
    cJSON *out = cJSON_AddObjectToObject(rec, "runtime");

    cJSON_AddStringToObject(out, "engine", ops->name);
    ops->runtime(out);
}

static void record_model(const struct eb_run_model *m, cJSON *rec)
{
    cJSON *out = cJSON_AddObjectToObject(rec, "model"), *v, *next;
    cJSON *facts = cJSON_Duplicate(m->facts, 1);

    cJSON_AddStringToObject(out, "name", m->name);
    cJSON_AddStringToObject(out, "file", eb_fs_base(m->path));
    if (m->sha256[0] != '\0')
        cJSON_AddStringToObject(out, "sha256", m->sha256);
    else
        eb_json_add_null(out, "sha256", "absent");
    if (m->file_bytes >= 0)
        cJSON_AddNumberToObject(out, "file_bytes", m->file_bytes);
    else
        eb_json_add_null(out, "file_bytes", "absent");
    if (facts == NULL)
        eb_json_add_null(out, "parameters", "not measured: not loaded");
    else {
        cJSON_AddNumberToObject(out, "context_used", m->ctx);
        cJSON_AddNumberToObject(out, "slots_used", m->slots);
        if (m->flash_attn != NULL)
            cJSON_AddStringToObject(out, "flash_attn", m->flash_attn);
        else
            eb_json_add_null(out, "flash_attn", "absent: not told");
    }
    for (v = facts != NULL ? facts->child : NULL; v != NULL; v = next) {
        next = v->next;
        v = cJSON_DetachItemViaPointer(facts, v);
        cJSON_AddItemToObject(out, v->string, v);
    }
    if (!cJSON_HasObjectItem(out, "shape"))
        eb_json_add_null(out, "shape",
                         m->facts == NULL ? "not measured: not loaded"
                                          : "absent: the engine does not tell");
    cJSON_Delete(facts);
}

static void record_suite(const struct eb_run *r, cJSON *rec)
{
    cJSON *out = cJSON_AddObjectToObject(rec, "suite");

    cJSON_AddStringToObject(out, "name", r->suite.name);
    cJSON_AddStringToObject(out, "version", r->suite.version);
    cJSON_AddStringToObject(out, "digest", r->suite.digest);
}

static void record_settings(const struct eb_run *r, enum eb_prompt_kind prompt,
                            cJSON *rec)
{
    cJSON *out = cJSON_AddObjectToObject(rec, "settings"), *levels;
    size_t i;

    cJSON_AddStringToObject(out, "prompt", eb_prompt_kind_name(prompt));
    cJSON_AddStringToObject(out, "mode", r->opts.mode);
    cJSON_AddNumberToObject(out, "slots", r->settings.slots);
    cJSON_AddStringToObject(out, "flash_attn", r->settings.flash_attn);
    cJSON_AddStringToObject(out, "stop", r->opts.stop);
    cJSON_AddNumberToObject(out, "trials", (double)r->opts.trials);
    cJSON_AddNumberToObject(out, "seed", (double)r->opts.seed);
    cJSON_AddNumberToObject(out, "threads", r->settings.threads);
    cJSON_AddNumberToObject(out, "ctx", r->settings.ctx);
    cJSON_AddNumberToObject(out, "batch", r->settings.batch);
    cJSON_AddNumberToObject(out, "ubatch", r->settings.ubatch);
    eb_run_tuned_record(r, out);
    cJSON_AddStringToObject(out, "decoding", "greedy");
    cJSON_AddStringToObject(out, "constrain", r->opts.constrain);
    cJSON_AddBoolToObject(out, "prefix_cache", 1);
    levels = cJSON_AddArrayToObject(out, "levels");
    for (i = 0; i < r->plan.n_levels; i++)
        cJSON_AddItemToArray(levels,
                             cJSON_CreateString(r->plan.levels[i].level->name));
    if (r->opts.limit > 0)
        cJSON_AddNumberToObject(out, "limit", (double)r->opts.limit);
    else
        cJSON_AddNullToObject(out, "limit");
    cJSON_AddNumberToObject(out, "item_timeout_ns",
                            (double)r->opts.timeout_s * 1e9);
}

/* Over the system prompts and user templates of all languages. */
static void record_prompt_hash(const struct eb_suite *s,
                               const struct eb_level *l,
                               enum eb_prompt_kind prompt, char *hex)
{
    struct eb_buf b = {0};
    size_t i;

    for (i = 0; i < s->n_langs; i++)
        eb_buf_addf(&b, "%s\n%s\n%s\n", s->langs[i], l->prompts[prompt][i],
                    l->user[i] != NULL ? l->user[i] : "");
    eb_sha256(b.data, b.len, hex);
    eb_buf_free(&b);
}

/* Over the ids of the items in the order in which they would be played. */
static void record_order_hash(const struct eb_plan_level *pl, char *hex)
{
    struct eb_buf b = {0};
    size_t i;

    eb_buf_adds(&b, "");
    for (i = 0; i < pl->n_items; i++)
        eb_buf_addf(&b, "%s\n", pl->items[i]->id);
    eb_sha256(b.data, b.len, hex);
    eb_buf_free(&b);
}

static void record_pools(const struct eb_run *r, const struct eb_plan_level *pl,
                         cJSON *out)
{
    cJSON *pool = cJSON_AddObjectToObject(out, "pool");
    size_t i;

    for (i = 0; i < r->suite.n_langs; i++)
        cJSON_AddNumberToObject(pool, r->suite.langs[i], (double)pl->pool);
}

cJSON *eb_run_level_json(const struct eb_run *r, const struct eb_plan_level *pl,
                         enum eb_prompt_kind prompt)
{
    cJSON *v = cJSON_CreateObject();
    double alpha = pl->level->alpha;
    char hex[EB_SHA256_HEX];

    if (r->opts.smallest_first && r->n_models > 1)
        alpha /= (double)r->n_models;
    cJSON_AddStringToObject(v, "level", pl->level->name);
    cJSON_AddStringToObject(v, "kind", eb_kind_name(pl->level->kind));
    cJSON_AddNumberToObject(v, "bar", pl->level->bar);
    cJSON_AddNumberToObject(v, "alpha", alpha);
    cJSON_AddNumberToObject(v, "beta", EB_DECISION_BETA);
    if (pl->level->critical_cap >= 0)
        cJSON_AddNumberToObject(v, "critical_cap", pl->level->critical_cap);
    cJSON_AddStringToObject(v, "stop", r->opts.stop);
    record_pools(r, pl, v);
    record_order_hash(pl, hex);
    cJSON_AddStringToObject(v, "order_sha256", hex);
    eb_run_reference_level(r, prompt, v);
    cJSON_AddStringToObject(v, "score", pl->scored ? "loglik" : "generate");
    cJSON_AddBoolToObject(v, "constrain", pl->grammar != NULL);
    cJSON_AddNumberToObject(v, "max_tokens", pl->level->max_tokens);
    if (pl->grammar != NULL) {
        eb_sha256(pl->grammar, strlen(pl->grammar), hex);
        cJSON_AddStringToObject(v, "grammar_sha256", hex);
    } else {
        cJSON_AddNullToObject(v, "grammar_sha256");
    }
    record_prompt_hash(&r->suite, pl->level, prompt, hex);
    cJSON_AddStringToObject(v, "prompt_sha256", hex);
    return v;
}

/* What is settled before the first item: levels and service_bars. */
static cJSON *record_bars(const struct eb_run *r, enum eb_prompt_kind prompt)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *levels = cJSON_AddArrayToObject(out, "levels");
    size_t i;

    for (i = 0; i < r->plan.n_levels; i++)
        cJSON_AddItemToArray(levels,
                             eb_run_level_json(r, &r->plan.levels[i], prompt));
    cJSON_AddItemToObject(out, "service_bars",
                          cJSON_Duplicate(r->suite.service_bars, 1));
    return out;
}

void eb_run_bars_sha256(const struct eb_run *r, enum eb_prompt_kind prompt,
                        char hex[EB_SHA256_HEX])
{
    cJSON *bars = record_bars(r, prompt);

    eb_json_sha256(bars, hex);
    cJSON_Delete(bars);
}

/* Every member of `from` into the record. */
static void record_move(cJSON *from, cJSON *rec)
{
    cJSON *v;

    while ((v = from->child) != NULL) {
        cJSON_DetachItemViaPointer(from, v);
        cJSON_AddItemToObject(rec, v->string, v);
    }
    cJSON_Delete(from);
}

static void record_levels(const struct eb_run *r, enum eb_prompt_kind prompt,
                          cJSON *rec)
{
    char hex[EB_SHA256_HEX];

    eb_run_bars_sha256(r, prompt, hex);
    cJSON_AddStringToObject(rec, "bars_sha256", hex);
    record_move(record_bars(r, prompt), rec);
}

static void record_measured(struct eb_run *r, const struct eb_run_model *m,
                            struct eb_run_part *part, cJSON *rec)
{
    cJSON *v = cJSON_AddObjectToObject(rec, "conditions");

    cJSON_AddItemToObject(v, "start", part->start);
    cJSON_AddItemToObject(v, "end", part->end);
    v = cJSON_AddObjectToObject(rec, "load");
    if (m->load_ns >= 0)
        cJSON_AddNumberToObject(v, "wall_ns", (double)m->load_ns);
    else
        eb_json_add_null(v, "wall_ns", "not measured: not loaded");
    if (m->memory != NULL)
        cJSON_AddItemToObject(rec, "memory", cJSON_Duplicate(m->memory, 1));
    if (m->speed != NULL)
        cJSON_AddItemToObject(rec, "speed", cJSON_Duplicate(m->speed, 1));
    else
        cJSON_AddArrayToObject(rec, "speed");
    if (part->watched != NULL)
        record_move(part->watched, rec);
    else
        eb_watch_record(&r->watch, rec);
    if (r->bandwidth != NULL)
        cJSON_AddItemToObject(rec, "bandwidth",
                              cJSON_Duplicate(r->bandwidth, 1));
    if (part->items != NULL)
        cJSON_AddItemToObject(rec, "items", part->items);
    else
        cJSON_AddArrayToObject(rec, "items");
    if (part->throughput != NULL)
        cJSON_AddItemToObject(rec, "throughput", part->throughput);
    if (part->trials != NULL)
        cJSON_AddItemToObject(rec, "trials", part->trials);
    if (part->latency != NULL)
        cJSON_AddItemToObject(rec, "latency_items", part->latency);
}

cJSON *eb_run_record(struct eb_run *r, const struct eb_run_model *m,
                     struct eb_run_part *part)
{
    cJSON *rec = cJSON_CreateObject();
    char id[EB_UUID_LEN];

    eb_uuid7(id);
    cJSON_AddStringToObject(rec, "schema", EB_RECORD_SCHEMA);
    cJSON_AddStringToObject(rec, "run_id", id);
    cJSON_AddStringToObject(rec, "session_id", r->session_id);
    record_time(rec, "started_at", part->started_us);
    record_time(rec, "ended_at", part->ended_us);
    cJSON_AddStringToObject(rec, "status", part->status);
    if (part->reason != NULL)
        cJSON_AddStringToObject(rec, "status_reason", part->reason);
    else
        cJSON_AddNullToObject(rec, "status_reason");
    record_tool(rec);
    cJSON_AddItemToObject(rec, "device", cJSON_Duplicate(r->device, 1));
    record_runtime(m, rec);
    record_model(m, rec);
    record_suite(r, rec);
    record_settings(r, part->prompt, rec);
    eb_run_tuned_record_file(r, rec);
    record_levels(r, part->prompt, rec);
    record_measured(r, m, part, rec);
    eb_record_derive(rec);
    return rec;
}
