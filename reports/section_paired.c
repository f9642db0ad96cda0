/* The vague against the clear prompt on the same items. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/stats_compare.h"
#include "reports/section.h"

/* 1 right, 0 not right, -1 not scored or not there. */
static int paired_result(const cJSON *item)
{
    const char *class = eb_json_get_str(item, "class", "harness_error");

    if (strcmp(class, "harness_error") == 0)
        return -1;
    return strcmp(class, "ok") == 0;
}

struct paired_item {
    const char *id;
    int right;
};

static int paired_cmp(const void *a, const void *b)
{
    const struct paired_item *x = a, *y = b;

    return strcmp(x->id, y->id);
}

/* The scored items of a level and language, sorted by id. */
static struct paired_item *paired_items(const cJSON *rec, struct eb_pair p,
                                        size_t *n)
{
    const cJSON *arr = eb_group_get(rec, "items"), *item;
    struct paired_item *v =
        eb_xcalloc((size_t)cJSON_GetArraySize(arr) + 1, sizeof(*v));

    *n = 0;
    cJSON_ArrayForEach(item, arr)
    {
        if (strcmp(eb_json_get_str(item, "level", ""), p.level) != 0 ||
            strcmp(eb_json_get_str(item, "lang", ""), p.lang) != 0 ||
            paired_result(item) < 0)
            continue;
        v[*n].id = eb_json_get_str(item, "id", "");
        v[(*n)++].right = paired_result(item);
    }
    qsort(v, *n, sizeof(*v), paired_cmp);
    return v;
}

static struct eb_paired paired_compare(const cJSON *clear, const cJSON *vague,
                                       struct eb_pair p)
{
    struct eb_paired r = {.model = eb_group_model(clear), .pair = p};
    size_t nc, nv, i;
    struct paired_item *c = paired_items(clear, p, &nc);
    struct paired_item *v = paired_items(vague, p, &nv);

    for (i = 0; i < nc; i++) {
        const struct paired_item *hit =
            bsearch(&c[i], v, nv, sizeof(*v), paired_cmp);

        if (hit == NULL)
            continue;
        r.n++;
        r.clear_passes += c[i].right;
        r.vague_passes += hit->right;
        r.only_clear += c[i].right && !hit->right;
        r.only_vague += !c[i].right && hit->right;
    }
    r.difference = eb_stats_tango(r.only_clear, r.only_vague, r.n);
    r.p_value = eb_stats_mcnemar(r.only_clear, r.only_vague);
    free(c);
    free(v);
    return r;
}

static const cJSON *paired_same_model(const struct eb_group *g,
                                      const cJSON *rec)
{
    const char *sha = eb_group_str(rec, "model.sha256", "");
    size_t i;

    for (i = 0; i < g->n; i++) {
        if (strcmp(eb_group_str(g->recs[i], "model.sha256", ""), sha) == 0 &&
            strcmp(eb_group_model(g->recs[i]), eb_group_model(rec)) == 0)
            return g->recs[i];
    }
    return NULL;
}

static void paired_groups(const struct eb_group *clear,
                          const struct eb_group *vague, struct eb_paired **out,
                          size_t *n)
{
    size_t n_pairs, i, k;
    struct eb_pair *pairs = eb_group_pairs(clear, &n_pairs);

    for (i = 0; i < n_pairs; i++) {
        for (k = 0; k < clear->n && pairs[i].lang != NULL; k++) {
            const cJSON *other = paired_same_model(vague, clear->recs[k]);
            struct eb_paired r;

            if (other == NULL)
                continue;
            r = paired_compare(clear->recs[k], other, pairs[i]);
            if (r.n == 0)
                continue;
            *out = eb_xrealloc(*out, *n + 1, sizeof(**out));
            (*out)[(*n)++] = r;
        }
    }
    free(pairs);
}

/* Many rows, one of which is small by chance sooner or later. */
static void paired_adjust(struct eb_paired *v, size_t n)
{
    double *p = eb_xcalloc(n + 1, sizeof(*p));
    size_t i;

    for (i = 0; i < n; i++)
        p[i] = v[i].p_value;
    eb_stats_holm(p, n, p);
    for (i = 0; i < n; i++)
        v[i].p_holm = p[i];
    free(p);
}

struct eb_paired *eb_section_pairs(const struct eb_groups *all, size_t *n)
{
    struct eb_paired *out = NULL;
    size_t i, k;

    *n = 0;
    for (i = 0; i < all->n; i++) {
        for (k = 0; k < all->n; k++) {
            const struct eb_group *c = &all->v[i], *v = &all->v[k];

            if (strcmp(c->pair_key, v->pair_key) == 0 &&
                strcmp(eb_group_str(c->recs[0], "settings.prompt", ""),
                       "clear") == 0 &&
                strcmp(eb_group_str(v->recs[0], "settings.prompt", ""),
                       "vague") == 0)
                paired_groups(c, v, &out, n);
        }
    }
    paired_adjust(out, *n);
    return out;
}

void eb_section_paired(struct eb_doc *d, const struct eb_groups *all)
{
    static const char *const head[] = {
        "Level",      "Language",     "Model",
        "Items",      "Clear",        "Vague",
        "Difference", "95% interval", "p (McNemar, Holm)"};
    struct eb_doc_table *t;
    size_t n, i;
    struct eb_paired *v = eb_section_pairs(all, &n);

    if (n == 0)
        goto out;
    eb_doc_add(d, EB_DOC_H2, "Vague against clear prompt");
    eb_doc_add(
        d, EB_DOC_TEXT,
        "The same items with a vague and with a clear job description. "
        "The difference is clear minus vague in percentage points, with "
        "the interval of Tango for paired items. The p-values are "
        "adjusted for the number of rows (Holm): 0.05 or less shows that "
        "the description matters.");
    t = eb_doc_table(d, "Paired difference by level, language and model",
                     "lllrrrrrr");
    for (i = 0; i < sizeof(head) / sizeof(*head); i++)
        eb_doc_cell(t, head[i]);
    for (i = 0; i < n; i++) {
        double items = (double)v[i].n;

        eb_doc_cell(t, v[i].pair.level);
        eb_doc_cell(t, v[i].pair.lang);
        eb_doc_cell(t, v[i].model);
        eb_doc_cellf(t, "%ld", v[i].n);
        eb_doc_cellf(t, "%.1f%%", 100 * (double)v[i].clear_passes / items);
        eb_doc_cellf(t, "%.1f%%", 100 * (double)v[i].vague_passes / items);
        eb_doc_cellf(t, "%+.1f",
                     100 * (double)(v[i].only_clear - v[i].only_vague) / items);
        eb_doc_cellf(t, "%+.1f to %+.1f", 100 * v[i].difference.lo,
                     100 * v[i].difference.hi);
        eb_doc_cellf(t, "%.2g", v[i].p_holm);
    }
out:
    free(v);
}
