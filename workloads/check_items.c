/* What can be wrong with items beside their form: pairs, repeats, balance. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workloads/check_parts.h"
#include "workloads/check_text.h"
#include "workloads/schema.h"
#include "workloads/text.h"

static const cJSON *check_get(const struct eb_item *it, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(it->json, key);
}

/* Pairs */

static int check_cmp_pair(const void *a, const void *b)
{
    const struct eb_item *x = *(const struct eb_item *const *)a;
    const struct eb_item *y = *(const struct eb_item *const *)b;
    int d = strcmp(x->pair_id, y->pair_id);

    return d != 0 ? d : strcmp(x->lang, y->lang);
}

/* Name of the first field in which two golds differ that must not; NULL if
 * there is none. */
static const char *check_fields_differ(const struct eb_field *f, size_t n,
                                       const cJSON *a, const cJSON *b)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const cJSON *x = cJSON_GetObjectItemCaseSensitive(a, f[i].name);
        const cJSON *y = cJSON_GetObjectItemCaseSensitive(b, f[i].name);

        if (!f[i].paired || (eb_value_empty(x) && eb_value_empty(y)))
            continue;
        if (f[i].type == EB_FIELD_SET
                ? !eb_value_match(&f[i], EB_CMP_EXACT, x, y)
                : !cJSON_Compare(x, y, 1))
            return f[i].name;
    }
    return NULL;
}

static const char *check_gold_differs(const struct eb_level *l, const cJSON *a,
                                      const cJSON *b)
{
    const cJSON *x, *y;
    const struct eb_tool *t;

    if (l->kind == EB_KIND_JSON)
        return check_fields_differ(l->fields, l->n_fields, a, b);
    if (l->kind == EB_KIND_GROUNDED)
        return check_fields_differ(&l->fields[1], 1, a, b);
    x = cJSON_GetObjectItemCaseSensitive(a, "tool");
    y = cJSON_GetObjectItemCaseSensitive(b, "tool");
    if (!cJSON_Compare(x, y, 1))
        return "tool";
    t = eb_level_tool(l, x->valuestring);
    return check_fields_differ(t->args, t->n_args,
                               cJSON_GetObjectItemCaseSensitive(a, "args"),
                               cJSON_GetObjectItemCaseSensitive(b, "args"));
}

static void check_two(struct eb_check *k, const struct eb_level *l,
                      const struct eb_item *a, const struct eb_item *b)
{
    const struct eb_item *items[2] = {a, b};
    struct eb_case c[2] = {0};
    const char *what = NULL;
    int i;

    if (strcmp(a->capability, b->capability) != 0)
        what = "capability";
    else if (strcmp(a->stratum, b->stratum) != 0)
        what = "stratum";
    else if (strcmp(a->cluster, b->cluster) != 0)
        what = "cluster";
    else if (!(check_get(a, "slots") == NULL &&
               check_get(b, "slots") == NULL) &&
             !cJSON_Compare(check_get(a, "slots"), check_get(b, "slots"), 1))
        what = "slots";
    if (what != NULL)
        eb_check_say(k, "%s: the two items differ in %s", a->pair_id, what);
    if (what != NULL || l->kind == EB_KIND_DIALOG || l->kind == EB_KIND_CALLS)
        return;
    for (i = 0; i < 2; i++)
        eb_case_fill(&c[i], k->suite, l, items[i], EB_PROMPT_CLEAR, 1, NULL);
    if (c[0].gold != NULL && c[1].gold != NULL)
        what = check_gold_differs(l, c[0].gold, c[1].gold);
    if (what != NULL)
        eb_check_say(k, "%s: the golds of the two items differ in %s",
                     a->pair_id, what);
    for (i = 0; i < 2; i++)
        eb_case_free(&c[i]);
}

void eb_check_pairs(struct eb_check *k, const struct eb_level *l)
{
    const struct eb_item **v;
    size_t i, j;

    if (!l->paired)
        return;
    v = eb_xcalloc(l->n_items + 1, sizeof(*v));
    for (i = 0; i < l->n_items; i++)
        v[i] = &l->items[i];
    qsort(v, l->n_items, sizeof(*v), check_cmp_pair);
    for (i = 0; i < l->n_items; i = j) {
        for (j = i + 1;
             j < l->n_items && strcmp(v[i]->pair_id, v[j]->pair_id) == 0; j++)
            check_two(k, l, v[i], v[j]);
        if (j - i != k->suite->n_langs)
            eb_check_say(k, "%s: the pair has %zu of %zu languages",
                         v[i]->pair_id, j - i, k->suite->n_langs);
    }
    free(v);
}

/* Repeats */

static void check_compare(struct eb_check *k, const struct eb_item *a,
                          const struct eb_check_text *x,
                          const struct eb_item *b,
                          const struct eb_check_text *y)
{
    double same = eb_check_text_same(x, y);

    if (same > 1)
        eb_check_say(k, "%s and %s have the same text", a->id, b->id);
    else if (same >= EB_CHECK_OVERLAP)
        eb_check_say(k, "%s and %s share %.0f %% of their words", a->id, b->id,
                     100 * same);
}

void eb_check_duplicates(struct eb_check *k, const struct eb_level *l)
{
    struct eb_check_text *v = eb_xcalloc(l->n_items + 1, sizeof(*v));
    size_t i, j;

    for (i = 0; i < l->n_items; i++)
        eb_check_text_init(&v[i], l->items[i].json);
    for (i = 0; i < l->n_items; i++) {
        for (j = i + 1; j < l->n_items; j++)
            check_compare(k, &l->items[i], &v[i], &l->items[j], &v[j]);
    }
    for (i = 0; i < l->n_items; i++)
        eb_check_text_free(&v[i]);
    free(v);
}

void eb_check_prompts(struct eb_check *k, const struct eb_level *l)
{
    size_t i, lang;
    int kind;

    for (kind = 0; kind < EB_PROMPT_KINDS; kind++) {
        for (lang = 0; lang < k->suite->n_langs; lang++) {
            char *prompt = eb_text_normed(l->prompts[kind][lang]);

            for (i = 0; i < l->n_items; i++) {
                struct eb_check_text t;

                eb_check_text_init(&t, l->items[i].json);
                /* A word or two may well stand in a definition. */
                if (t.n_tokens > 4 && strstr(prompt, t.message) != NULL)
                    eb_check_say(
                        k, "%s stands in the %s prompt", l->items[i].id,
                        eb_prompt_kind_name((enum eb_prompt_kind)kind));
                eb_check_text_free(&t);
            }
            free(prompt);
        }
    }
}

/* Balance */

static int check_holds(const cJSON *set, const char *value)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, set)
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, value) == 0)
            return 1;
    }
    return 0;
}

/* Items of one language whose gold has the value (a string, true or NULL for
 * empty) in a field or in the set there; lists of accepted values count by
 * their first. */
static size_t check_count(const struct eb_level *l, const char *lang,
                          const char *field, const char *value, size_t *n)
{
    const struct eb_field *f = eb_field_find(l->fields, l->n_fields, field);
    size_t i, count = 0;

    *n = 0;
    for (i = 0; i < l->n_items; i++) {
        const cJSON *v = check_get(&l->items[i], "gold");

        if (strcmp(l->items[i].lang, lang) != 0)
            continue;
        (*n)++;
        v = cJSON_GetObjectItemCaseSensitive(v, field);
        if (f != NULL && f->type == EB_FIELD_SET) {
            count += (size_t)check_holds(v, value);
            continue;
        }
        if (cJSON_IsArray(v))
            v = cJSON_GetArrayItem(v, 0);
        if (value == NULL)
            count += (size_t)eb_value_empty(v);
        else if (cJSON_IsBool(v))
            count += (size_t)(cJSON_IsTrue(v) == (strcmp(value, "true") == 0));
        else
            count += cJSON_IsString(v) && strcmp(v->valuestring, value) == 0;
    }
    return count;
}

static void check_share(struct eb_check *k, const struct eb_level *l,
                        const char *lang, const char *field, const char *value,
                        double most)
{
    size_t n, count = check_count(l, lang, field, value, &n);

    if (n == 0)
        return;
    if (count == 0)
        eb_check_say(k, "%s %s: no item has %s %s", l->name, lang, field,
                     value);
    else if ((double)count > most * (double)n)
        eb_check_say(k, "%s %s: %zu of %zu items have %s %s, over %.0f %%",
                     l->name, lang, count, n, field, value, 100 * most);
}

static void check_json_labels(struct eb_check *k, const struct eb_level *l,
                              const char *lang)
{
    size_t i, m;

    for (i = 0; i < l->n_fields; i++) {
        const struct eb_field *f = &l->fields[i];
        double most = f->n_values >= 5 ? EB_CHECK_LABEL_MAX : EB_CHECK_FEW_MAX;

        if (!f->paired)
            continue;
        for (m = 0; m < f->n_values; m++)
            check_share(k, l, lang, f->name, f->values[m], most);
        if (f->type == EB_FIELD_BOOL) {
            check_share(k, l, lang, f->name, "true", most);
            check_share(k, l, lang, f->name, "false", most);
        }
    }
}

static void check_unanswerable(struct eb_check *k, const struct eb_level *l,
                               const char *lang)
{
    size_t n, count = check_count(l, lang, "source", NULL, &n);
    double share = n > 0 ? (double)count / (double)n : EB_CHECK_NULL_MIN;

    if (share < EB_CHECK_NULL_MIN || share > EB_CHECK_NULL_MAX)
        eb_check_say(k,
                     "%s %s: %zu of %zu questions have no answer; %.0f to "
                     "%.0f %% are wanted",
                     l->name, lang, count, n, 100 * EB_CHECK_NULL_MIN,
                     100 * EB_CHECK_NULL_MAX);
}

static void check_capabilities(struct eb_check *k, const struct eb_level *l,
                               const char *lang)
{
    size_t i, m;

    for (m = 0; m < l->n_capabilities; m++) {
        int found = 0;

        for (i = 0; i < l->n_items && !found; i++)
            found = strcmp(l->items[i].lang, lang) == 0 &&
                    strcmp(l->items[i].capability, l->capabilities[m]) == 0;
        if (!found)
            eb_check_say(k, "%s %s: no item for the capability %s", l->name,
                         lang, l->capabilities[m]);
    }
}

void eb_check_labels(struct eb_check *k, const struct eb_level *l)
{
    size_t i, m;

    for (i = 0; i < k->suite->n_langs; i++) {
        const char *lang = k->suite->langs[i];

        check_capabilities(k, l, lang);
        if (l->kind == EB_KIND_JSON)
            check_json_labels(k, l, lang);
        if (l->kind == EB_KIND_GROUNDED)
            check_unanswerable(k, l, lang);
        for (m = 0; l->kind == EB_KIND_TOOLCALL && m < l->n_tools; m++)
            check_share(k, l, lang, "tool", l->tools[m]->name,
                        EB_CHECK_TOOL_MAX);
    }
}
