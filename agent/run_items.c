/* Playing the items of a plan on one loaded model. */
#include <stdio.h>
#include <string.h>

#include "agent/dialog_run.h"
#include "agent/run_parts.h"
#include "common/json.h"
#include "workloads/grade.h"

static void items_set(struct eb_result *res, enum eb_outcome o,
                      const char *detail)
{
    res->outcome = o;
    snprintf(res->detail, sizeof(res->detail), "%s", detail);
}

/* Returns 0, or EB_EABORT if the item was stopped by the user. */
static int items_ask(struct eb_run *r, const struct eb_case *c,
                     const char *grammar, struct eb_result *res,
                     struct eb_buf *output)
{
    struct eb_message m[] = {{"system", c->system}, {"user", c->user}};
    struct eb_reply reply;

    eb_talk_ask(&r->talk, m, 2, grammar, c->level->max_tokens, &reply);
    eb_buf_adds(output, reply.text);
    switch (reply.end) {
    case EB_REPLY_WHOLE:
        eb_grade_case(c, reply.text, 0, res);
        break;
    case EB_REPLY_TRUNCATED:
        eb_grade_case(c, reply.text, 1, res);
        /* Why it ended says more than "cut off" if there is no text. */
        if (res->outcome == EB_OUT_TRUNCATED && *reply.text == '\0')
            items_set(res, EB_OUT_TRUNCATED, reply.detail);
        break;
    case EB_REPLY_TIMEOUT:
        items_set(res, EB_OUT_TIMEOUT, reply.detail);
        break;
    case EB_REPLY_ABORTED:
        return EB_EABORT;
    case EB_REPLY_FAILED:
        items_set(res, EB_OUT_HARNESS_ERROR, reply.detail);
        break;
    }
    return 0;
}

static cJSON *items_json(const struct eb_run *r, const struct eb_level *l,
                         const struct eb_item *item,
                         const struct eb_result *res,
                         const struct eb_buf *output)
{
    cJSON *v = cJSON_CreateObject();

    cJSON_AddStringToObject(v, "id", item->id);
    cJSON_AddStringToObject(v, "pair_id", item->pair_id);
    cJSON_AddStringToObject(v, "lang", item->lang);
    cJSON_AddStringToObject(v, "level", l->name);
    cJSON_AddStringToObject(v, "capability", item->capability);
    cJSON_AddStringToObject(v, "stratum", item->stratum);
    cJSON_AddStringToObject(v, "cluster", item->cluster);
    cJSON_AddStringToObject(v, "class", eb_outcome_name(res->outcome));
    cJSON_AddStringToObject(v, "detail", res->detail);
    cJSON_AddStringToObject(v, "output",
                            output->data != NULL ? output->data : "");
    eb_meter_record(&r->talk.meter, v);
    return v;
}

/* NULL if the user stopped it. */
static cJSON *items_one(struct eb_run *r, const struct eb_plan_level *pl,
                        const struct eb_item *item, enum eb_prompt_kind prompt,
                        enum eb_outcome *outcome)
{
    struct eb_result res = {EB_OUT_HARNESS_ERROR, ""};
    struct eb_buf output = {0};
    struct eb_case c = {0};
    struct eb_err err = {0};
    cJSON *v = NULL;
    int rc;

    eb_talk_item(&r->talk);
    rc = eb_case_fill(&c, &r->suite, pl->level, item, prompt,
                      (uint64_t)r->opts.seed, &err);
    r->now = &c;
    if (rc != 0) {
        snprintf(res.detail, sizeof(res.detail), "%.150s", err.msg);
        rc = 0;
    } else if (pl->level->kind == EB_KIND_DIALOG) {
        rc = eb_dialog_run(&r->talk, &c, pl->grammar, &res, &output);
    } else {
        rc = items_ask(r, &c, pl->grammar, &res, &output);
    }
    r->now = NULL;
    r->talk.deadline_ns = 0;
    if (rc == 0)
        v = items_json(r, pl->level, item, &res, &output);
    *outcome = res.outcome;
    eb_case_free(&c);
    eb_buf_free(&output);
    return v;
}

cJSON *eb_run_items(struct eb_run *r, const struct eb_run_model *m,
                    enum eb_prompt_kind prompt, int *stopped)
{
    cJSON *out = cJSON_CreateArray(), *v;
    size_t i, k, done = 0, passes = 0, n = 0;
    enum eb_outcome outcome;

    *stopped = 0;
    for (i = 0; i < r->plan.n_levels; i++) {
        const struct eb_plan_level *pl = &r->plan.levels[i];

        for (k = 0; k < pl->n_items; k++) {
            const char *lang = pl->items[k]->lang;

            *stopped = eb_talk_interrupts() > 0;
            v = *stopped ? NULL
                         : items_one(r, pl, pl->items[k], prompt, &outcome);
            if (v == NULL) {
                *stopped = 1;
                return out;
            }
            cJSON_AddItemToArray(out, v);
            n++;
            passes += outcome == EB_OUT_OK;
            eb_run_tick(r,
                        "[%zu/%zu] %s %s: %s %s, item %zu of %zu, "
                        "%zu of %zu right",
                        r->at_model, r->n_models, m->name,
                        eb_prompt_kind_name(prompt), pl->level->name, lang,
                        ++done, r->plan.n_items, passes, n);
            if (k + 1 < pl->n_items &&
                strcmp(pl->items[k + 1]->lang, lang) == 0)
                continue;
            eb_run_progress(r, "[%zu/%zu] %s %s: %s %s: %zu of %zu right",
                            r->at_model, r->n_models, m->name,
                            eb_prompt_kind_name(prompt), pl->level->name, lang,
                            passes, n);
            n = passes = 0;
        }
    }
    return out;
}
