/* Which items a run plays, and in which order. */
#include <stdlib.h>
#include <string.h>

#include "agent/run_parts.h"
#include "common/mem.h"
#include "workloads/order.h"
#include "workloads/prompt.h"

/* The first item of each pair (the items with one pair_id, one a language). */
static const struct eb_item **plan_pairs(const struct eb_level *l, size_t *n)
{
    const struct eb_item **v = eb_xcalloc(l->n_items, sizeof(*v));
    size_t i, k;

    *n = 0;
    for (i = 0; i < l->n_items; i++) {
        for (k = 0; k < *n; k++) {
            if (strcmp(v[k]->pair_id, l->items[i].pair_id) == 0)
                break;
        }
        if (k == *n)
            v[(*n)++] = &l->items[i];
    }
    return v;
}

/* The places of the pairs in playing order; free the array. */
static size_t *plan_order(const struct eb_item **pairs, size_t n, uint64_t seed)
{
    const char **strata = eb_xcalloc(n, sizeof(*strata));
    size_t *order = eb_xcalloc(n, sizeof(*order)), i;

    for (i = 0; i < n; i++)
        strata[i] = pairs[i]->stratum;
    eb_sequential_order(strata, n, seed, order);
    free(strata);
    return order;
}

static void plan_items(struct eb_plan_level *pl, const struct eb_suite *s,
                       const struct eb_run_opts *o)
{
    const struct eb_level *l = pl->level;
    const struct eb_item **pairs = plan_pairs(l, &pl->pool);
    size_t *order = plan_order(pairs, pl->pool, (uint64_t)o->seed);
    size_t n = pl->pool, i, k, lang;

    if (o->limit > 0 && (size_t)o->limit < n)
        n = (size_t)o->limit;
    pl->items = eb_xcalloc(l->n_items, sizeof(*pl->items));
    for (lang = 0; lang < s->n_langs; lang++) {
        for (i = 0; i < n; i++) {
            for (k = 0; k < l->n_items; k++) {
                const struct eb_item *item = &l->items[k];

                if (strcmp(item->pair_id, pairs[order[i]]->pair_id) == 0 &&
                    strcmp(item->lang, s->langs[lang]) == 0)
                    pl->items[pl->n_items++] = item;
            }
        }
    }
    free(order);
    free(pairs);
}

static int plan_wanted(const char *levels, const char *name)
{
    size_t n = strlen(name), len;

    if (levels == NULL)
        return 1;
    for (; *levels != '\0'; levels += levels[len] == ',' ? len + 1 : len) {
        len = strcspn(levels, ",");
        if (len == n && memcmp(levels, name, n) == 0)
            return 1;
    }
    return 0;
}

/* Every name of --levels is a level. */
static int plan_known(const struct eb_suite *s, const char *levels,
                      struct eb_err *err)
{
    struct eb_buf all = {0};
    size_t len, i;
    char *name;
    int rc = 0;

    for (; levels != NULL && *levels != '\0' && rc == 0;
         levels += levels[len] == ',' ? len + 1 : len) {
        len = strcspn(levels, ",");
        name = eb_xstrndup(levels, len);
        if (eb_suite_level(s, name) == NULL) {
            for (i = 0; i < s->n_levels; i++)
                eb_buf_addf(&all, "%s%s", i > 0 ? ", " : "", s->levels[i].name);
            rc = eb_fail(err, EB_EUSAGE,
                         "--levels: suite %s has no level '%.40s'; it has %s",
                         s->name, name, all.data);
        }
        free(name);
    }
    eb_buf_free(&all);
    return rc;
}

static long plan_cost(const struct eb_plan_level *pl)
{
    int turns = pl->level->kind == EB_KIND_DIALOG ? EB_DIALOG_TURNS_MAX : 1;

    return (long)pl->level->max_tokens * turns;
}

static int plan_cost_cmp(const void *a, const void *b)
{
    long x = plan_cost(a), y = plan_cost(b);

    return (x > y) - (x < y);
}

int eb_plan_make(struct eb_plan *p, const struct eb_suite *s,
                 const struct eb_run_opts *o, struct eb_buf *left_out,
                 struct eb_err *err)
{
    int rc = plan_known(s, o->levels, err), constrain;
    size_t i;

    memset(p, 0, sizeof(*p));
    for (i = 0; i < s->n_levels && rc == 0; i++) {
        const struct eb_level *l = &s->levels[i];
        struct eb_plan_level *pl = &p->levels[p->n_levels];
        struct eb_buf grammar = {0};

        if (!plan_wanted(o->levels, l->name))
            continue;
        if (l->kind == EB_KIND_DIALOG && s->dialog == NULL) {
            eb_buf_addf(left_out, "%s%s (this build does not play dialogs)",
                        left_out->len > 0 ? ", " : "", l->name);
            continue;
        }
        if (l->n_items == 0) {
            eb_buf_addf(left_out, "%s%s (it has no items)",
                        left_out->len > 0 ? ", " : "", l->name);
            continue;
        }
        pl->level = l;
        constrain = l->constrain;
        if (strcmp(o->constrain, "auto") != 0)
            constrain = strcmp(o->constrain, "on") == 0;
        if (constrain) {
            eb_prompt_grammar(l, &grammar);
            pl->grammar = eb_buf_take(&grammar);
        }
        pl->scored = strcmp(o->score, "loglik") == 0 && eb_run_can_score(l);
        plan_items(pl, s, o);
        p->n_items += pl->n_items;
        p->n_levels++;
    }
    /* What costs little is decided first: a model that fails it need not run
     * the rest. */
    qsort(p->levels, p->n_levels, sizeof(p->levels[0]), plan_cost_cmp);
    if (rc == 0 && p->n_items == 0)
        rc = eb_fail(err, EB_EUSAGE, "suite %s: no item to run on these levels",
                     s->name);
    return rc;
}

void eb_plan_free(struct eb_plan *p)
{
    size_t i;

    for (i = 0; i < p->n_levels; i++) {
        free(p->levels[i].grammar);
        free(p->levels[i].items);
    }
    memset(p, 0, sizeof(*p));
}
