/* JSON, `edgebench.report/1`: the numbers of the other formats for programs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/record.h"
#include "reports/section.h"
#include "reports/writer.h"

static void json_copy(cJSON *to, const char *key, const cJSON *rec,
                      const char *path)
{
    const cJSON *v = eb_group_get(rec, path);

    if (v != NULL)
        cJSON_AddItemToObject(to, key, cJSON_Duplicate(v, 1));
}

static cJSON *json_answers(const struct eb_group *g)
{
    cJSON *arr = cJSON_CreateArray(), *a;
    struct eb_buf b = {0};
    size_t n, i, lead;
    struct eb_pair *pairs = eb_group_pairs(g, &n);

    for (i = 0; i < n; i++) {
        struct eb_smallest s = {0};

        if (pairs[i].lang != NULL)
            s = eb_record_smallest(g->recs, g->n, pairs[i].level,
                                   pairs[i].lang);
        eb_buf_reset(&b);
        eb_section_sentence(g, pairs[i], &b, &lead);
        a = cJSON_CreateObject();
        cJSON_AddStringToObject(a, "level", pairs[i].level);
        if (pairs[i].lang != NULL)
            cJSON_AddStringToObject(a, "lang", pairs[i].lang);
        else
            eb_json_add_null(a, "lang", "absent: no item was run");
        if (s.found) {
            cJSON_AddStringToObject(a, "smallest",
                                    eb_group_model(g->recs[s.index]));
            cJSON_AddStringToObject(
                a, "run_id", eb_group_str(g->recs[s.index], "run_id", ""));
        } else {
            eb_json_add_null(a, "smallest", "no model is shown sufficient");
        }
        cJSON_AddStringToObject(a, "sentence", b.data);
        cJSON_AddItemToArray(arr, a);
    }
    eb_buf_free(&b);
    free(pairs);
    return arr;
}

/* The whole job: all levels in all languages. */
static cJSON *json_job(const struct eb_group *g)
{
    struct eb_smallest_job s = eb_record_smallest_job(g->recs, g->n);
    cJSON *o = cJSON_CreateObject(), *stop;
    struct eb_buf b = {0};
    size_t lead;

    if (s.found) {
        cJSON_AddStringToObject(o, "smallest",
                                eb_group_model(g->recs[s.index]));
        cJSON_AddStringToObject(o, "run_id",
                                eb_group_str(g->recs[s.index], "run_id", ""));
    } else {
        eb_json_add_null(o, "smallest", "no model is shown sufficient");
    }
    if (s.stopped) {
        stop = cJSON_AddObjectToObject(o, "next");
        cJSON_AddStringToObject(stop, "model", eb_group_model(g->recs[s.stop]));
        cJSON_AddStringToObject(stop, "level", s.level);
        cJSON_AddStringToObject(stop, "lang", s.lang);
        cJSON_AddStringToObject(stop, "verdict", eb_verdict_name(s.verdict));
    } else {
        eb_json_add_null(o, "next",
                         s.found ? "absent: no smaller model was run"
                                 : "absent: no item was run");
    }
    eb_section_job_sentence(g, &b, &lead);
    cJSON_AddStringToObject(o, "sentence", b.data);
    eb_buf_free(&b);
    return o;
}

/* A record without its items and without what its group says. */
static cJSON *json_row(const cJSON *rec)
{
    static const char *const keys[] = {
        "run_id",        "session_id", "started_at", "ended_at",  "status",
        "status_reason", "model",      "tune",       "summary",   "load",
        "memory",        "power",      "counters",   "conditions"};
    cJSON *row = cJSON_CreateObject();
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        json_copy(row, keys[i], rec, keys[i]);
    return row;
}

static cJSON *json_group(const struct eb_group *g)
{
    static const char *const keys[] = {"device",   "runtime", "suite",
                                       "settings", "levels",  "service_bars"};
    cJSON *o = cJSON_CreateObject(), *rows;
    struct eb_buf b = {0};
    size_t i;

    cJSON_AddStringToObject(o, "key", g->key);
    for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        json_copy(o, keys[i], g->recs[0], keys[i]);
    cJSON_AddItemToObject(o, "job", json_job(g));
    cJSON_AddItemToObject(o, "answers", json_answers(g));
    rows = cJSON_AddArrayToObject(o, "rows");
    for (i = 0; i < g->n; i++)
        cJSON_AddItemToArray(rows, json_row(g->recs[i]));
    cJSON_AddNumberToObject(o, "older_runs_left_out", (double)g->replaced);
    eb_section_command(g, &b);
    cJSON_AddStringToObject(o, "reproduce", b.data);
    eb_buf_free(&b);
    return o;
}

static cJSON *json_paired(const struct eb_groups *groups)
{
    cJSON *arr = cJSON_CreateArray(), *o;
    size_t n, i;
    struct eb_paired *v = eb_section_pairs(groups, &n);

    for (i = 0; i < n; i++) {
        o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "level", v[i].pair.level);
        cJSON_AddStringToObject(o, "lang", v[i].pair.lang);
        cJSON_AddStringToObject(o, "model", v[i].model);
        cJSON_AddNumberToObject(o, "n", (double)v[i].n);
        cJSON_AddNumberToObject(o, "clear_passes", (double)v[i].clear_passes);
        cJSON_AddNumberToObject(o, "vague_passes", (double)v[i].vague_passes);
        cJSON_AddNumberToObject(o, "only_clear", (double)v[i].only_clear);
        cJSON_AddNumberToObject(o, "only_vague", (double)v[i].only_vague);
        cJSON_AddNumberToObject(o, "difference_lo", v[i].difference.lo);
        cJSON_AddNumberToObject(o, "difference_hi", v[i].difference.hi);
        cJSON_AddNumberToObject(o, "mcnemar_p", v[i].p_value);
        cJSON_AddItemToArray(arr, o);
    }
    free(v);
    return arr;
}

/* A number, or null for one that is not finite. */
static void json_number(cJSON *o, const char *key, double v)
{
    if (isfinite(v))
        cJSON_AddNumberToObject(o, key, v);
    else
        cJSON_AddNullToObject(o, key);
}

static cJSON *json_series(const struct eb_plot_series *s)
{
    cJSON *o = cJSON_CreateObject(), *arr, *p;
    size_t i;

    cJSON_AddStringToObject(o, "name", s->name);
    arr = cJSON_AddArrayToObject(o, "points");
    for (i = 0; i < s->n; i++) {
        p = cJSON_CreateObject();
        json_number(p, "x", s->v[i].x);
        json_number(p, "y", s->v[i].y);
        if (!isnan(s->v[i].lo)) {
            json_number(p, "lo", s->v[i].lo);
            json_number(p, "hi", s->v[i].hi);
        }
        if (s->v[i].open)
            cJSON_AddBoolToObject(p, "hollow", 1);
        cJSON_AddItemToArray(arr, p);
    }
    return o;
}

static cJSON *json_plot(const struct eb_plot *p)
{
    cJSON *o = cJSON_CreateObject(), *arr;
    size_t i;

    cJSON_AddStringToObject(o, "group", p->group);
    cJSON_AddStringToObject(o, "title", p->title);
    cJSON_AddStringToObject(o, "x", p->x_title);
    cJSON_AddStringToObject(o, "y", p->y_title);
    if (p->open_means != NULL)
        cJSON_AddStringToObject(o, "hollow", p->open_means);
    arr = cJSON_AddArrayToObject(o, "series");
    for (i = 0; i < p->n; i++)
        cJSON_AddItemToArray(arr, json_series(&p->v[i]));
    return o;
}

static cJSON *json_bars(const struct eb_bars *b)
{
    cJSON *o = cJSON_CreateObject(), *arr, *bar, *parts, *part;
    size_t i, k;

    cJSON_AddStringToObject(o, "group", b->group);
    cJSON_AddStringToObject(o, "title", b->title);
    cJSON_AddStringToObject(o, "y", "bytes");
    arr = cJSON_AddArrayToObject(o, "bars");
    for (i = 0; i < b->n; i++) {
        bar = cJSON_CreateObject();
        cJSON_AddStringToObject(bar, "name", b->v[i].name);
        parts = cJSON_AddArrayToObject(bar, "parts");
        for (k = 0; k < b->n_parts; k++) {
            part = cJSON_CreateObject();
            cJSON_AddStringToObject(part, "part", b->parts[k]);
            if (isnan(b->v[i].v[k]))
                eb_json_add_null(part, "bytes", b->v[i].reasons[k]);
            else
                cJSON_AddNumberToObject(part, "bytes", b->v[i].v[k]);
            cJSON_AddItemToArray(parts, part);
        }
        cJSON_AddItemToArray(arr, bar);
    }
    return o;
}

static cJSON *json_charts(const struct eb_doc *doc)
{
    cJSON *arr = cJSON_CreateArray();
    size_t i;

    for (i = 0; i < doc->n; i++) {
        if (doc->v[i].plot != NULL)
            cJSON_AddItemToArray(arr, json_plot(doc->v[i].plot));
        if (doc->v[i].bars != NULL)
            cJSON_AddItemToArray(arr, json_bars(doc->v[i].bars));
    }
    return arr;
}

static void json_write(const struct eb_doc *doc, const struct eb_groups *groups,
                       struct eb_buf *out)
{
    cJSON *root = cJSON_CreateObject(), *arr;
    char *text;
    size_t i;

    cJSON_AddStringToObject(root, "schema", "edgebench.report/1");
    cJSON_AddStringToObject(root, "generator", "edgebench " EB_VERSION);
    arr = cJSON_AddArrayToObject(root, "groups");
    for (i = 0; i < groups->n; i++)
        cJSON_AddItemToArray(arr, json_group(&groups->v[i]));
    cJSON_AddItemToObject(root, "vague_against_clear", json_paired(groups));
    cJSON_AddItemToObject(root, "charts", json_charts(doc));
    text = cJSON_Print(root);
    cJSON_Delete(root);
    if (text == NULL)
        abort();
    eb_buf_adds(out, text);
    eb_buf_addc(out, '\n');
    cJSON_free(text);
}

const struct eb_writer_ops eb_writer_json = {"json", ".json", json_write};
