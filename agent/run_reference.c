/* --reference: a model whose answers are known, to compare item by item. */
#include <string.h>

#include "agent/run_parts.h"
#include "common/json.h"

static const cJSON *reference_part(const cJSON *rec, const char *part)
{
    return cJSON_GetObjectItemCaseSensitive(rec, part);
}

/* The record of the prompt kind, NULL if there is none. */
static const cJSON *reference_record(const struct eb_run *r,
                                     enum eb_prompt_kind prompt)
{
    size_t i;

    for (i = 0; i < r->n_reference; i++) {
        if (strcmp(eb_json_get_str(reference_part(r->reference[i], "settings"),
                                   "prompt", ""),
                   eb_prompt_kind_name(prompt)) == 0)
            return r->reference[i];
    }
    return NULL;
}

static const cJSON *reference_item(const cJSON *rec, const char *id)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, reference_part(rec, "items"))
    {
        if (strcmp(eb_json_get_str(v, "id", ""), id) == 0)
            return v;
    }
    return NULL;
}

static int reference_fits(const struct eb_run *r, const cJSON *rec,
                          struct eb_err *err)
{
    const char *first =
        eb_json_get_str(reference_part(r->reference[0], "model"), "name", "");
    const char *name =
        eb_json_get_str(reference_part(rec, "model"), "name", "");

    if (strcmp(name, first) != 0)
        return eb_fail(err, EB_EINVAL,
                       "%s: records of %.40s and of %.40s: a reference is one "
                       "model",
                       r->opts.reference, first, name);
    if (strcmp(eb_json_get_str(reference_part(rec, "suite"), "digest", ""),
               r->suite.digest) != 0)
        return eb_fail(err, EB_EINVAL,
                       "%s: the record is of another suite or version than %s",
                       r->opts.reference, r->suite.name);
    if (eb_json_get_num(reference_part(rec, "settings"), "seed", -1) !=
        (double)r->opts.seed)
        return eb_fail(err, EB_EINVAL,
                       "%s: the record has another --seed, so other items",
                       r->opts.reference);
    return 0;
}

/* Gaps would make the pool another one. */
static int reference_covers(const struct eb_run *r, enum eb_prompt_kind prompt,
                            struct eb_err *err)
{
    const cJSON *rec = reference_record(r, prompt);
    size_t i, k;

    if (rec == NULL)
        return eb_fail(err, EB_EINVAL, "%s: no record of the %s prompt",
                       r->opts.reference, eb_prompt_kind_name(prompt));
    for (i = 0; i < r->plan.n_levels; i++) {
        const struct eb_plan_level *pl = &r->plan.levels[i];

        for (k = 0; k < pl->n_items; k++) {
            if (reference_item(rec, pl->items[k]->id) == NULL)
                return eb_fail(err, EB_EINVAL,
                               "%s: no answer to %.60s: run the reference "
                               "with --stop never --full",
                               r->opts.reference, pl->items[k]->id);
        }
    }
    return 0;
}

int eb_run_reference_open(struct eb_run *r, struct eb_err *err)
{
    size_t i;
    int rc;

    if (r->opts.reference == NULL)
        return 0;
    rc = eb_record_read(r->opts.reference, &r->reference, &r->n_reference, err);
    for (i = 0; i < r->n_reference && rc == 0; i++)
        rc = reference_fits(r, r->reference[i], err);
    if (rc == 0 && strcmp(r->opts.prompt, "vague") != 0)
        rc = reference_covers(r, EB_PROMPT_CLEAR, err);
    if (rc == 0 && strcmp(r->opts.prompt, "clear") != 0)
        rc = reference_covers(r, EB_PROMPT_VAGUE, err);
    return rc;
}

void eb_run_reference_level(const struct eb_run *r, enum eb_prompt_kind prompt,
                            cJSON *level)
{
    const cJSON *rec = reference_record(r, prompt);
    cJSON *out;

    if (rec == NULL)
        return;
    out = cJSON_AddObjectToObject(level, "reference");
    cJSON_AddStringToObject(
        out, "model",
        eb_json_get_str(reference_part(rec, "model"), "name", ""));
    cJSON_AddStringToObject(out, "run_id", eb_json_get_str(rec, "run_id", ""));
    cJSON_AddNumberToObject(out, "margin", (double)r->opts.margin / 100);
}

void eb_run_reference_item(const struct eb_run *r, enum eb_prompt_kind prompt,
                           cJSON *item)
{
    const cJSON *rec = reference_record(r, prompt);
    const cJSON *v = rec == NULL
                         ? NULL
                         : reference_item(rec, eb_json_get_str(item, "id", ""));

    if (v != NULL)
        cJSON_AddStringToObject(item, "reference",
                                eb_json_get_str(v, "class", ""));
}
