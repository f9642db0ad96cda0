#include "reports/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"

const cJSON *eb_group_get(const cJSON *rec, const char *path)
{
    char key[64];
    size_t n;

    while (rec != NULL && *path != '\0') {
        n = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)n, path);
        rec = cJSON_GetObjectItemCaseSensitive(rec, key);
        path += n + (path[n] == '.');
    }
    return rec;
}

const char *eb_group_str(const cJSON *rec, const char *path, const char *def)
{
    const cJSON *v = eb_group_get(rec, path);

    return cJSON_IsString(v) ? v->valuestring : def;
}

double eb_group_num(const cJSON *rec, const char *path, double def)
{
    const cJSON *v = eb_group_get(rec, path);

    return cJSON_IsNumber(v) ? v->valuedouble : def;
}

const char *eb_group_model(const cJSON *rec)
{
    return eb_group_str(rec, "model.name", "");
}

const cJSON *eb_group_row(const cJSON *rec, struct eb_pair p)
{
    const cJSON *row;

    if (p.lang == NULL)
        return NULL;
    cJSON_ArrayForEach(row, eb_group_get(rec, "summary.levels"))
    {
        if (strcmp(eb_json_get_str(row, "level", ""), p.level) == 0 &&
            strcmp(eb_json_get_str(row, "lang", ""), p.lang) == 0)
            return row;
    }
    return NULL;
}

const cJSON *eb_group_level(const cJSON *rec, const char *level)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, eb_group_get(rec, "levels"))
    {
        if (strcmp(eb_json_get_str(row, "level", ""), level) == 0)
            return row;
    }
    return NULL;
}

int eb_group_void(const cJSON *rec)
{
    return cJSON_IsTrue(eb_group_get(rec, "summary.void"));
}

enum eb_verdict eb_group_verdict(const cJSON *rec, const cJSON *row)
{
    int v = eb_verdict_parse(eb_json_get_str(row, "verdict", ""));

    return v < 0 || eb_group_void(rec) ? EB_NOT_SHOWN : (enum eb_verdict)v;
}

/* Hash of the parts of a record that must be equal in a group. */
static char *group_key(const cJSON *rec, int with_prompt)
{
    static const char *const parts[] = {"runtime", "settings", "levels",
                                        "service_bars"};
    cJSON *k = cJSON_CreateObject();
    char hex[EB_SHA256_HEX];
    size_t i;

    cJSON_AddStringToObject(k, "device", eb_group_str(rec, "device.id", ""));
    cJSON_AddStringToObject(k, "suite", eb_group_str(rec, "suite.digest", ""));
    for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        cJSON_AddItemToObject(k, parts[i],
                              cJSON_Duplicate(eb_group_get(rec, parts[i]), 1));
    if (!with_prompt) {
        cJSON *v;

        cJSON_DeleteItemFromObjectCaseSensitive(
            cJSON_GetObjectItemCaseSensitive(k, "settings"), "prompt");
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(k, "levels"))
            cJSON_DeleteItemFromObjectCaseSensitive(v, "prompt_sha256");
    }
    eb_json_sha256(k, hex);
    cJSON_Delete(k);
    return eb_xstrdup(hex);
}

/* The digest where there is one: files of one name may differ. */
static int group_same_model(const cJSON *a, const cJSON *b)
{
    const char *x = eb_group_str(a, "model.sha256", NULL);
    const char *y = eb_group_str(b, "model.sha256", NULL);

    if (x != NULL && y != NULL)
        return strcmp(x, y) == 0 &&
               strcmp(eb_group_model(a), eb_group_model(b)) == 0;
    return x == y && strcmp(eb_group_model(a), eb_group_model(b)) == 0;
}

static void group_put(struct eb_group *g, cJSON *rec)
{
    size_t i;

    for (i = 0; i < g->n; i++) {
        if (!group_same_model(g->recs[i], rec))
            continue;
        g->replaced += strcmp(eb_group_str(g->recs[i], "run_id", ""),
                              eb_group_str(rec, "run_id", "")) != 0;
        if (strcmp(eb_group_str(g->recs[i], "started_at", ""),
                   eb_group_str(rec, "started_at", "")) <= 0)
            g->recs[i] = rec;
        return;
    }
    g->recs = eb_xrealloc(g->recs, g->n + 1, sizeof(*g->recs));
    g->recs[g->n++] = rec;
}

static int group_size_cmp(const void *a, const void *b)
{
    static const char *const keys[] = {"model.parameters", "model.file_bytes"};
    const cJSON *x = *(cJSON *const *)a, *y = *(cJSON *const *)b;
    size_t i;
    int c;

    for (i = 0; i < 2; i++) {
        double p = eb_group_num(x, keys[i], -1);
        double q = eb_group_num(y, keys[i], -1);

        if (p != q)
            return p > q ? -1 : 1;
    }
    c = strcmp(eb_group_model(x), eb_group_model(y));
    return c != 0 ? c
                  : strcmp(eb_group_str(x, "run_id", ""),
                           eb_group_str(y, "run_id", ""));
}

/* Largest first; a model without a parameter count stands before the first
 * whose file is not larger. */
static void group_order(struct eb_group *g)
{
    cJSON **out = eb_xcalloc(g->n, sizeof(*out));
    size_t known = 0, i = 0, j, k;

    qsort(g->recs, g->n, sizeof(*g->recs), group_size_cmp);
    while (known < g->n &&
           eb_group_num(g->recs[known], "model.parameters", -1) >= 0)
        known++;
    for (k = 0, j = known; k < g->n; k++) {
        double file =
            j < g->n ? eb_group_num(g->recs[j], "model.file_bytes", -1) : -1;

        if (i == known ||
            (file >= 0 &&
             file >= eb_group_num(g->recs[i], "model.file_bytes", -1)))
            out[k] = g->recs[j++];
        else
            out[k] = g->recs[i++];
    }
    free(g->recs);
    g->recs = out;
}

static int group_cmp(const void *a, const void *b)
{
    static const char *const keys[] = {"suite.name", "suite.version",
                                       "device.name", "device.id",
                                       "settings.prompt"};
    const struct eb_group *x = a, *y = b;
    size_t i;
    int c;

    for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        c = strcmp(eb_group_str(x->recs[0], keys[i], ""),
                   eb_group_str(y->recs[0], keys[i], ""));
        if (c != 0)
            return c;
    }
    return strcmp(x->key, y->key);
}

void eb_groups_make(cJSON *const *recs, size_t n, struct eb_groups *out)
{
    size_t i, k;

    memset(out, 0, sizeof(*out));
    for (i = 0; i < n; i++) {
        char *key = group_key(recs[i], 1);

        for (k = 0; k < out->n && strcmp(out->v[k].key, key) != 0;)
            k++;
        if (k == out->n) {
            out->v = eb_xrealloc(out->v, ++out->n, sizeof(*out->v));
            memset(&out->v[k], 0, sizeof(*out->v));
            out->v[k].key = key;
            out->v[k].pair_key = group_key(recs[i], 0);
            key = NULL;
        }
        free(key);
        group_put(&out->v[k], recs[i]);
    }
    for (k = 0; k < out->n; k++)
        group_order(&out->v[k]);
    if (out->n > 0)
        qsort(out->v, out->n, sizeof(*out->v), group_cmp);
}

void eb_groups_free(struct eb_groups *g)
{
    size_t i;

    if (g == NULL)
        return;
    for (i = 0; i < g->n; i++) {
        free(g->v[i].key);
        free(g->v[i].pair_key);
        free(g->v[i].recs);
    }
    free(g->v);
    memset(g, 0, sizeof(*g));
}

/* Adds the languages any record of the group has at this level. */
static void group_langs(const struct eb_group *g, const char *level,
                        struct eb_pair **v, size_t *n)
{
    size_t first = *n, i, k;
    const cJSON *row;

    for (i = 0; i < g->n; i++) {
        cJSON_ArrayForEach(row, eb_group_get(g->recs[i], "summary.levels"))
        {
            const char *lang = eb_json_get_str(row, "lang", "");

            if (strcmp(eb_json_get_str(row, "level", ""), level) != 0)
                continue;
            for (k = first; k < *n && strcmp((*v)[k].lang, lang) != 0;)
                k++;
            if (k < *n)
                continue;
            *v = eb_xrealloc(*v, *n + 1, sizeof(**v));
            (*v)[(*n)++] = (struct eb_pair){level, lang};
        }
    }
    if (*n == first) {
        *v = eb_xrealloc(*v, *n + 1, sizeof(**v));
        (*v)[(*n)++] = (struct eb_pair){level, NULL};
    }
}

struct eb_pair *eb_group_pairs(const struct eb_group *g, size_t *n)
{
    struct eb_pair *v = NULL;
    const cJSON *def;

    *n = 0;
    cJSON_ArrayForEach(def, eb_group_get(g->recs[0], "levels"))
        group_langs(g, eb_json_get_str(def, "level", ""), &v, n);
    return v;
}
