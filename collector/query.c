#include "collector/query.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"

static const cJSON *query_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

/* Copies members of `from` that are there; keys is a list like "a b c". */
static void query_copy(cJSON *to, const cJSON *from, const char *keys)
{
    char key[32];
    size_t n;

    for (; *keys != '\0'; keys += n + (keys[n] == ' ')) {
        const cJSON *v;

        n = strcspn(keys, " ");
        memcpy(key, keys, n);
        key[n] = '\0';
        v = query_get(from, key);
        if (v != NULL)
            cJSON_AddItemToObject(to, key, cJSON_Duplicate(v, 1));
    }
}

/* rec.<part> with some of its members. */
static void query_copy_part(cJSON *to, const cJSON *rec, const char *part,
                            const char *keys)
{
    query_copy(cJSON_AddObjectToObject(to, part), query_get(rec, part), keys);
}

/* The verdicts of a summary, without what is told apart below them. */
static void query_copy_levels(cJSON *to, const cJSON *rec)
{
    const cJSON *row, *summary = query_get(rec, "summary");
    cJSON *levels = cJSON_AddArrayToObject(to, "levels"), *v;

    cJSON_ArrayForEach(row, query_get(summary, "levels"))
    {
        v = cJSON_CreateObject();
        query_copy(v, row,
                   "level lang bar n passes rate rate_reason lower upper "
                   "verdict more_items outcomes");
        cJSON_AddItemToArray(levels, v);
    }
    query_copy(to, summary, "void");
}

/* Prints and deletes v. */
static int query_print(cJSON *v, struct eb_buf *out, struct eb_err *err)
{
    char *text = cJSON_PrintUnformatted(v);

    cJSON_Delete(v);
    if (text == NULL)
        return eb_fail(err, EB_EINTERNAL, "out of memory");
    eb_buf_adds(out, text);
    eb_buf_addc(out, '\n');
    cJSON_free(text);
    return 0;
}

/* What the store holds was checked on its way in. */
static cJSON *query_brief(const struct eb_run *run)
{
    cJSON *v = NULL;

    if (eb_json_parse(run->brief, strlen(run->brief), run->run_id, &v, NULL) !=
        0)
        return NULL;
    return v;
}

struct query_list {
    cJSON *runs;
    int limit;
    int more;
    char next[EB_UUID_LEN];
};

static int query_list_row(void *arg, const struct eb_run *run)
{
    char received[EB_TIME_LEN];
    struct query_list *l = arg;
    cJSON *brief, *v;

    if (cJSON_GetArraySize(l->runs) == l->limit) {
        l->more = 1;
        return 0;
    }
    brief = query_brief(run);
    v = cJSON_CreateObject();
    eb_time_format(run->received_us, received);
    cJSON_AddStringToObject(v, "run_id", run->run_id);
    cJSON_AddStringToObject(v, "session_id", run->session_id);
    cJSON_AddStringToObject(v, "sha256", run->sha256);
    cJSON_AddStringToObject(v, "received_at", received);
    query_copy(v, brief, "started_at ended_at status status_reason");
    query_copy_part(v, brief, "device", "id name");
    query_copy_part(v, brief, "model",
                    "name sha256 parameters quantization file_bytes");
    query_copy_part(v, brief, "suite", "name version digest");
    query_copy_part(v, brief, "runtime", "engine version commit");
    query_copy_part(v, brief, "settings", "prompt");
    query_copy_levels(v, brief);
    cJSON_AddItemToArray(l->runs, v);
    cJSON_Delete(brief);
    memcpy(l->next, run->run_id, strnlen(run->run_id, EB_UUID_LEN - 1));
    return 0;
}

int eb_query_list(struct eb_store *store, const struct eb_run_query *query,
                  struct eb_buf *out, struct eb_err *err)
{
    struct eb_run_query one_more = *query;
    struct query_list l = {.limit = query->limit};
    cJSON *answer = cJSON_CreateObject();
    int rc;

    l.runs = cJSON_AddArrayToObject(answer, "runs");
    one_more.limit++;
    rc = eb_store_list(store, &one_more, query_list_row, &l, err);
    if (rc != 0) {
        cJSON_Delete(answer);
        return rc;
    }
    if (l.more)
        cJSON_AddStringToObject(answer, "next", l.next);
    else
        cJSON_AddNullToObject(answer, "next");
    return query_print(answer, out, err);
}

struct query_run {
    struct eb_buf *out;
    struct eb_err *err;
    int as_posted;
};

static int query_with_summary(const struct eb_run *run, struct eb_buf *out,
                              struct eb_err *err)
{
    cJSON *rec, *brief = query_brief(run), *summary;
    int rc =
        eb_json_parse(run->posted, run->posted_len, run->run_id, &rec, err);

    summary = cJSON_DetachItemFromObjectCaseSensitive(brief, "summary");
    cJSON_Delete(brief);
    if (rc != 0 || summary == NULL) {
        cJSON_Delete(summary);
        return rc != 0 ? rc
                       : eb_fail(err, EB_EIO, "%s: summary is missing",
                                 run->run_id);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(rec, "summary");
    cJSON_AddItemToObject(rec, "summary", summary);
    return query_print(rec, out, err);
}

static int query_run_row(void *arg, const struct eb_run *run)
{
    struct query_run *q = arg;
    char sha256[EB_SHA256_HEX];

    /* SQLite has no checksums of its own against a failing disk. */
    eb_sha256(run->posted, run->posted_len, sha256);
    if (strcmp(sha256, run->sha256) != 0)
        return eb_fail(q->err, EB_EIO,
                       "the stored run %s is damaged: check the disk and "
                       "restore the database from a copy",
                       run->run_id);
    if (!q->as_posted)
        return query_with_summary(run, q->out, q->err);
    eb_buf_add(q->out, run->posted, run->posted_len);
    return 0;
}

int eb_query_run(struct eb_store *store, const char *run_id, struct eb_buf *out,
                 struct eb_err *err)
{
    struct query_run q = {.out = out, .err = err};

    return eb_store_get(store, run_id, query_run_row, &q, err);
}

int eb_query_posted(struct eb_store *store, const char *run_id,
                    struct eb_buf *out, struct eb_err *err)
{
    struct query_run q = {.out = out, .err = err, .as_posted = 1};

    return eb_store_get(store, run_id, query_run_row, &q, err);
}

/* Runs that may stand side by side. */
struct query_group {
    char key[EB_SHA256_HEX];
    cJSON **recs; /* briefs, one a model */
    int *runs;    /* how many runs of that model there are */
    size_t n;
    size_t cap;
};

struct query_compare {
    struct query_group *groups;
    size_t n;
    size_t cap;
    int runs;
};

/* Not the digests of prompts and grammars: they may depend on the model. */
static void query_group_key(const cJSON *rec, char key[EB_SHA256_HEX])
{
    cJSON *k = cJSON_CreateObject(), *bars, *bar;
    const cJSON *level;

    query_copy_part(k, rec, "device", "id");
    query_copy(k, rec, "runtime suite settings service_bars");
    bars = cJSON_AddArrayToObject(k, "bars");
    cJSON_ArrayForEach(level, query_get(rec, "levels"))
    {
        bar = cJSON_CreateObject();
        query_copy(bar, level, "level bar alpha");
        cJSON_AddItemToArray(bars, bar);
    }
    eb_json_sha256(k, key);
    cJSON_Delete(k);
}

static struct query_group *query_find_group(struct query_compare *c,
                                            const cJSON *rec)
{
    char key[EB_SHA256_HEX];
    size_t i;

    query_group_key(rec, key);
    for (i = 0; i < c->n; i++) {
        if (strcmp(c->groups[i].key, key) == 0)
            return &c->groups[i];
    }
    if (c->n == c->cap) {
        c->cap = c->cap > 0 ? 2 * c->cap : 8;
        c->groups = eb_xrealloc(c->groups, c->cap, sizeof(*c->groups));
    }
    memset(&c->groups[c->n], 0, sizeof(*c->groups));
    memcpy(c->groups[c->n].key, key, sizeof(key));
    return &c->groups[c->n++];
}

/* The digest, or the name of a model whose file was not there to hash. */
static const char *query_model_key(const cJSON *rec)
{
    const cJSON *model = query_get(rec, "model");

    return eb_json_get_str(model, "sha256", eb_json_get_str(model, "name", ""));
}

static int query_is_complete(const cJSON *rec)
{
    return strcmp(eb_json_get_str(rec, "status", ""), "complete") == 0;
}

/* Rows come newest first: the newest complete run of a model stands for it,
 * or the newest of all if none is complete. The choice does not look at the
 * result, so running again until it passes changes nothing. */
static int query_compare_row(void *arg, const struct eb_run *run)
{
    struct query_compare *c = arg;
    struct query_group *g;
    cJSON *rec;
    size_t i;

    if (++c->runs > EB_QUERY_COMPARE_RUNS)
        return 0;
    rec = query_brief(run);
    if (rec == NULL)
        return 0;
    g = query_find_group(c, rec);
    for (i = 0; i < g->n; i++) {
        if (strcmp(query_model_key(g->recs[i]), query_model_key(rec)) == 0)
            break;
    }
    if (i == g->cap) {
        g->cap = g->cap > 0 ? 2 * g->cap : 8;
        g->recs = eb_xrealloc(g->recs, g->cap, sizeof(*g->recs));
        g->runs = eb_xrealloc(g->runs, g->cap, sizeof(*g->runs));
    }
    if (i == g->n) {
        g->runs[g->n] = 1;
        g->recs[g->n++] = rec;
        return 0;
    }
    g->runs[i]++;
    if (!query_is_complete(g->recs[i]) && query_is_complete(rec)) {
        cJSON_Delete(g->recs[i]);
        g->recs[i] = rec;
    } else {
        cJSON_Delete(rec);
    }
    return 0;
}

struct query_size {
    double parameters;
    double file_bytes;
    const char *name;
    size_t index;
};

static int query_size_cmp(const void *a, const void *b)
{
    const struct query_size *x = a, *y = b;

    if (x->parameters != y->parameters)
        return x->parameters < y->parameters ? -1 : 1;
    if (x->file_bytes != y->file_bytes)
        return x->file_bytes < y->file_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static cJSON *query_model(const cJSON *rec, int runs)
{
    cJSON *v = cJSON_CreateObject();
    const cJSON *summary = query_get(rec, "summary");

    query_copy(v, rec, "model run_id started_at status status_reason");
    cJSON_AddNumberToObject(v, "runs", runs);
    query_copy_levels(v, rec);
    query_copy(v, summary, "speed latency tokens");
    query_copy(v, rec, "memory load power");
    return v;
}

/* From the smallest to the largest; of unknown size last. */
static void query_models(const struct query_group *g, cJSON *out)
{
    cJSON *models = cJSON_AddArrayToObject(out, "models");
    struct query_size *v = eb_xcalloc(g->n, sizeof(*v));
    size_t i;

    for (i = 0; i < g->n; i++) {
        const cJSON *m = query_get(g->recs[i], "model");

        v[i].parameters = eb_json_get_num(m, "parameters", 1e300);
        v[i].file_bytes = eb_json_get_num(m, "file_bytes", 1e300);
        v[i].name = eb_json_get_str(m, "name", "");
        v[i].index = i;
    }
    qsort(v, g->n, sizeof(*v), query_size_cmp);
    for (i = 0; i < g->n; i++)
        cJSON_AddItemToArray(
            models, query_model(g->recs[v[i].index], g->runs[v[i].index]));
    free(v);
}

static int query_has(const cJSON *rows, const cJSON *like)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, rows)
    {
        if (cJSON_Compare(query_get(row, "level"), query_get(like, "level"),
                          1) &&
            cJSON_Compare(query_get(row, "lang"), query_get(like, "lang"), 1))
            return 1;
    }
    return 0;
}

static void query_smallest_one(const struct query_group *g, cJSON *row)
{
    struct eb_smallest s =
        eb_record_smallest(g->recs, g->n, eb_json_get_str(row, "level", ""),
                           eb_json_get_str(row, "lang", ""));
    const cJSON *rec;

    if (!s.found) {
        eb_json_add_null(row, "model",
                         s.all_decided
                             ? "the largest model is insufficient: try a "
                               "larger one"
                             : "not shown for the largest model: run more "
                               "items or a larger model");
        cJSON_AddNullToObject(row, "run_id");
        return;
    }
    rec = g->recs[s.index];
    cJSON_AddStringToObject(
        row, "model", eb_json_get_str(query_get(rec, "model"), "name", ""));
    query_copy(row, rec, "run_id");
}

static void query_smallest(const struct query_group *g, cJSON *out)
{
    cJSON *rows = cJSON_AddArrayToObject(out, "smallest"), *row;
    const cJSON *level;
    size_t i;

    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(
            level, query_get(query_get(g->recs[i], "summary"), "levels"))
        {
            if (query_has(rows, level))
                continue;
            row = cJSON_CreateObject();
            query_copy(row, level, "level lang bar");
            query_smallest_one(g, row);
            cJSON_AddItemToArray(rows, row);
        }
    }
}

static cJSON *query_group_json(const struct query_group *g)
{
    cJSON *v = cJSON_CreateObject();
    const cJSON *rec = g->recs[0];

    query_copy(v, rec, "device");
    query_copy(v, query_get(rec, "settings"), "prompt");
    query_copy(v, rec, "suite runtime settings service_bars");
    query_models(g, v);
    query_smallest(g, v);
    return v;
}

int eb_query_compare(struct eb_store *store, const struct eb_run_query *query,
                     struct eb_buf *out, struct eb_err *err)
{
    struct eb_run_query q = *query;
    struct query_compare c = {0};
    cJSON *answer = cJSON_CreateObject(), *groups;
    int rc, truncated;
    size_t i, k;

    q.limit = EB_QUERY_COMPARE_RUNS + 1;
    rc = eb_store_list(store, &q, query_compare_row, &c, err);
    truncated = c.runs > EB_QUERY_COMPARE_RUNS;
    cJSON_AddStringToObject(answer, "suite", q.suite != NULL ? q.suite : "");
    cJSON_AddNumberToObject(answer, "runs", c.runs - truncated);
    cJSON_AddBoolToObject(answer, "truncated", truncated);
    groups = cJSON_AddArrayToObject(answer, "groups");
    for (i = 0; i < c.n; i++) {
        if (rc == 0)
            cJSON_AddItemToArray(groups, query_group_json(&c.groups[i]));
        for (k = 0; k < c.groups[i].n; k++)
            cJSON_Delete(c.groups[i].recs[k]);
        free(c.groups[i].recs);
        free(c.groups[i].runs);
    }
    free(c.groups);
    if (rc == 0)
        return query_print(answer, out, err);
    cJSON_Delete(answer);
    return rc;
}
