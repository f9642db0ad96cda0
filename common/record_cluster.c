/* cluster_lo and cluster_hi of summary.levels: items that share a passage, a
 * dialog or a template are no independent draws. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"
#include "common/record_parts.h"
#include "common/stats_compare.h"

#define CLUSTER_ROUNDS 2000
#define CLUSTER_MIN 30 /* fewer make the interval too narrow */

struct cluster_item {
    const char *name;
    int pass;
};

static int cluster_cmp(const void *a, const void *b)
{
    const struct cluster_item *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* The scored items of a cell, by cluster; one without a name stands alone. */
static struct cluster_item *cluster_items(const cJSON *rec, const char *level,
                                          const char *lang, size_t *n)
{
    const cJSON *items = eb_record_items(rec), *v;
    struct cluster_item *out =
        eb_xcalloc((size_t)cJSON_GetArraySize(items) + 1, sizeof(*out));
    int o;

    *n = 0;
    cJSON_ArrayForEach(v, items)
    {
        o = eb_outcome_parse(eb_json_get_str(v, "class", ""));
        if (strcmp(eb_json_get_str(v, "level", ""), level) != 0 ||
            strcmp(eb_json_get_str(v, "lang", ""), lang) != 0 ||
            o == EB_OUT_HARNESS_ERROR)
            continue;
        out[*n].name = eb_json_get_str(v, "cluster", "");
        if (out[*n].name[0] == '\0')
            out[*n].name = eb_json_get_str(v, "id", "");
        out[(*n)++].pass = o == EB_OUT_OK;
    }
    qsort(out, *n, sizeof(*out), cluster_cmp);
    return out;
}

void eb_record_cluster(const cJSON *rec, cJSON *row)
{
    size_t n, i, used = 0;
    struct cluster_item *items =
        cluster_items(rec, eb_json_get_str(row, "level", ""),
                      eb_json_get_str(row, "lang", ""), &n);
    struct eb_cluster *c = eb_xcalloc(n + 1, sizeof(*c));
    struct eb_interval ci;

    for (i = 0; i < n; i++) {
        if (i > 0 && strcmp(items[i].name, items[i - 1].name) != 0)
            used++;
        c[used].n++;
        c[used].sum += items[i].pass;
    }
    used += n > 0;
    cJSON_AddNumberToObject(row, "clusters", (double)used);
    if (used < CLUSTER_MIN) {
        eb_json_add_null(row, "cluster_lo", "out of range: few clusters");
        eb_json_add_null(row, "cluster_hi", "out of range: few clusters");
    } else {
        ci = eb_stats_cluster_bootstrap(c, used, 0.05, CLUSTER_ROUNDS, 1);
        cJSON_AddNumberToObject(row, "cluster_lo", ci.lo);
        cJSON_AddNumberToObject(row, "cluster_hi", ci.hi);
    }
    free(c);
    free(items);
}
