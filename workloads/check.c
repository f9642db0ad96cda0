#include "workloads/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/stats.h"
#include "workloads/check_parts.h"

#define CHECK_NULLS_MAX 16

void eb_check_say(struct eb_check *k, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    eb_buf_addf(&k->says, "  - %s\n", line);
    k->problems++;
}

/* Passes of the key and of each null model in one level and language. */
struct check_row {
    int64_t n;
    int64_t key;
    int64_t nulls[CHECK_NULLS_MAX];
};

static void check_answer(const struct eb_case *c, int null, uint64_t seed,
                         struct eb_result *result)
{
    const struct eb_dialog_ops *dialog = c->suite->dialog;
    struct eb_buf out = {0};
    struct eb_rng rng;

    eb_rng_init(&rng, seed, c->item->id, "null");
    if (c->level->kind == EB_KIND_DIALOG) {
        dialog->play(c, null < 0 ? NULL : dialog->nulls[null], &rng, result);
        return;
    }
    eb_buf_adds(&out, "");
    if (null < 0)
        eb_null_key(c, &out);
    else
        eb_nulls[null].answer(c, &rng, &out);
    eb_grade_case(c, out.data != NULL ? out.data : "", 0, result);
    eb_buf_free(&out);
}

static const char *check_null_name(const struct eb_suite *s,
                                   const struct eb_level *l, int i)
{
    if (i >= CHECK_NULLS_MAX)
        return NULL;
    return l->kind == EB_KIND_DIALOG ? s->dialog->nulls[i] : eb_nulls[i].name;
}

/* The key under several seeds: slots may meet must_not by accident. */
static int check_key(struct eb_check *k, const struct eb_level *l,
                     const struct eb_item *item)
{
    struct eb_result result;
    struct eb_case c;
    struct eb_err err = {0};
    uint64_t seed;

    for (seed = 1; seed <= EB_CHECK_SEEDS; seed++) {
        if (eb_case_fill(&c, k->suite, l, item, EB_PROMPT_CLEAR, seed, &err) !=
            0) {
            eb_check_say(k, "%s: %s", item->id, err.msg);
            return 0;
        }
        if (seed == 1 && l->kind == EB_KIND_DIALOG &&
            k->suite->dialog->check_item(&c, &err) != 0) {
            eb_check_say(k, "%s: %s", item->id, err.msg);
            eb_case_free(&c);
            return 0;
        }
        check_answer(&c, -1, seed, &result);
        eb_case_free(&c);
        if (result.outcome != EB_OUT_OK) {
            eb_check_say(k, "%s: the answer key is judged %s: %s (seed %d)",
                         item->id, eb_outcome_name(result.outcome),
                         result.detail, (int)seed);
            return 0;
        }
    }
    return 1;
}

static void check_replay(struct eb_check *k, const struct eb_level *l,
                         const char *lang, struct check_row *row)
{
    struct eb_result result;
    struct eb_case c;
    size_t i;
    int null;

    memset(row, 0, sizeof(*row));
    for (i = 0; i < l->n_items; i++) {
        const struct eb_item *item = &l->items[i];

        if (strcmp(item->lang, lang) != 0)
            continue;
        row->n++;
        row->key += check_key(k, l, item);
        if (eb_case_fill(&c, k->suite, l, item, EB_PROMPT_CLEAR, 1, NULL))
            continue;
        for (null = 0; check_null_name(k->suite, l, null) != NULL; null++) {
            check_answer(&c, null, 1, &result);
            row->nulls[null] += result.outcome == EB_OUT_OK;
        }
        eb_case_free(&c);
    }
}

static void check_verdicts(struct eb_check *k, const struct eb_level *l,
                           const char *lang, const struct check_row *row)
{
    const char *name;
    int i;

    if (row->n == 0) {
        eb_check_say(k, "%s has no item in %s", l->name, lang);
        return;
    }
    for (i = 0; (name = check_null_name(k->suite, l, i)) != NULL; i++) {
        enum eb_verdict v =
            eb_stats_verdict(row->nulls[i], row->n, l->bar, l->alpha);

        if (v != EB_INSUFFICIENT)
            eb_check_say(k,
                         "%s %s: the null model %s has %lld of %lld right, "
                         "which is %s against the bar %.2f, not INSUFFICIENT",
                         l->name, lang, name, (long long)row->nulls[i],
                         (long long)row->n, eb_verdict_name(v), l->bar);
    }
}

static void check_print_head(const struct eb_suite *s, const struct eb_level *l,
                             FILE *out)
{
    const char *name;
    int i;

    fprintf(out, "\n%-8s %-4s %6s %5s %5s", l->name, "lang", "items", "bar",
            "key");
    for (i = 0; (name = check_null_name(s, l, i)) != NULL; i++)
        fprintf(out, "  %s", name);
    fputc('\n', out);
}

static void check_print_row(const struct eb_suite *s, const struct eb_level *l,
                            const char *lang, const struct check_row *row,
                            FILE *out)
{
    double n = row->n > 0 ? (double)row->n : 1;
    const char *name;
    int i;

    fprintf(out, "%-8s %-4s %6lld %5.2f %4.0f%%", "", lang, (long long)row->n,
            l->bar, 100 * (double)row->key / n);
    for (i = 0; (name = check_null_name(s, l, i)) != NULL; i++)
        fprintf(out, "  %*.0f%%", (int)strlen(name) - 1,
                100 * (double)row->nulls[i] / n);
    fputc('\n', out);
}

static void check_level(struct eb_check *k, const struct eb_level *l, FILE *out)
{
    struct check_row row;
    size_t i;

    if (l->kind == EB_KIND_DIALOG && k->suite->dialog == NULL) {
        if (out != NULL)
            fprintf(out,
                    "\n%-8s %zu items, not checked: no code for "
                    "conversations was given\n",
                    l->name, l->n_items);
        if (l->n_items > 0)
            eb_check_say(k, "%s: %zu items are not checked", l->name,
                         l->n_items);
        return;
    }
    if (out != NULL)
        check_print_head(k->suite, l, out);
    for (i = 0; i < k->suite->n_langs; i++) {
        const char *lang = k->suite->langs[i];

        check_replay(k, l, lang, &row);
        check_verdicts(k, l, lang, &row);
        if (out != NULL)
            check_print_row(k->suite, l, lang, &row, out);
    }
    eb_check_pairs(k, l);
    eb_check_duplicates(k, l);
    eb_check_labels(k, l);
    eb_check_prompts(k, l);
}

int eb_suite_check(const struct eb_suite *s, FILE *out)
{
    struct eb_check k = {.suite = s};
    size_t i;

    if (out != NULL)
        fprintf(out, "%s %s, digest %.16s\n", s->name, s->version, s->digest);
    for (i = 0; i < s->n_levels; i++)
        check_level(&k, &s->levels[i], out);
    if (out != NULL && k.problems == 0)
        fprintf(out, "\nNo problems.\n");
    else if (out != NULL)
        fprintf(out, "\n%d problem%s:\n%s", k.problems,
                k.problems == 1 ? "" : "s", k.says.data);
    eb_buf_free(&k.says);
    return k.problems;
}
