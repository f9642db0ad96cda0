#include "agent/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/stats.h"
#include "workloads/rng.h"

/* A visit that takes so many times the shortest one ends: one thread of
 * sixteen would else eat the budget of all. */
#define TUNE_PATIENCE 5
/* Visits to each of the last two at least: one could be a fluke. */
#define TUNE_LAST 4

int eb_tune_equal(const struct eb_tune_setting *a,
                  const struct eb_tune_setting *b)
{
    return a->threads == b->threads && eb_cpus_equal(&a->cpus, &b->cpus) &&
           a->batch == b->batch && a->ubatch == b->ubatch &&
           strcmp(a->flash_attn, b->flash_attn) == 0 &&
           strcmp(a->kv_type, b->kv_type) == 0;
}

double eb_tune_rate(const struct eb_tune_row *row, enum eb_tune_test test)
{
    return row->visits > 0 ? exp(row->log_sum[test] / (double)row->visits)
                           : NAN;
}

/* Logs of the rates, the last one the objective's. */
static void tune_logs(const struct eb_tune_rule *rule,
                      const struct eb_tune_visit *v,
                      double out[EB_TUNE_TESTS + 1])
{
    int i;

    for (i = 0; i < EB_TUNE_TESTS; i++)
        out[i] = v->tps[i] > 0 ? log(v->tps[i]) : 0;
    out[EB_TUNE_BOTH] = rule->objective == EB_TUNE_BOTH
                            ? (out[EB_TUNE_PP] + out[EB_TUNE_TG]) / 2
                            : out[rule->objective];
}

void eb_tune_visited(const struct eb_tune_rule *rule, struct eb_tune_stage *st,
                     size_t row, const struct eb_tune_visit *v, int64_t took_ns)
{
    double logs[EB_TUNE_TESTS + 1];
    int i;

    tune_logs(rule, v, logs);
    for (i = 0; i <= EB_TUNE_TESTS; i++)
        st->rows[row].log_sum[i] += logs[i];
    st->rows[row].visits++;
    if (st->shortest_ns == 0 || took_ns < st->shortest_ns)
        st->shortest_ns = took_ns;
}

struct tune_search {
    const struct eb_tune_source *src;
    const struct eb_tune_rule *rule;
    int64_t deadline_ns;
    struct eb_tune_stage *st;
    size_t alive[EB_TUNE_ROWS_MAX];
    size_t n_alive;
};

static int tune_give_up(struct tune_search *t, struct eb_tune_row *row, int rc,
                        struct eb_err *err)
{
    if (rc == EB_EABORT || (rc != EB_ELIMIT && row == &t->st->rows[0]))
        return rc;
    if (rc == EB_ELIMIT)
        snprintf(row->reason, sizeof(row->reason),
                 "a visit took over %d times the shortest one", TUNE_PATIENCE);
    else
        snprintf(row->reason, sizeof(row->reason), "%.150s", err->msg);
    return 0;
}

/* 1: time is up, 0: done or the row is given up, else an error that ends all.
 */
static int tune_visit(struct tune_search *t, size_t at, struct eb_err *err)
{
    int64_t from = t->src->now(t->src->arg), room = t->deadline_ns - from;
    int64_t limit = t->st->shortest_ns * TUNE_PATIENCE;
    struct eb_tune_row *row = &t->st->rows[at];
    struct eb_tune_visit v = {0};
    int rc;

    if (room <= 0)
        return 1;
    if (limit == 0 || limit > room)
        limit = room;
    rc = t->src->measure(t->src->arg, &row->s, limit, &v, err);
    if (rc == EB_ELIMIT && limit == room)
        return 1;
    if (rc != 0)
        return tune_give_up(t, row, rc, err);
    eb_tune_visited(t->rule, t->st, at, &v, t->src->now(t->src->arg) - from);
    return 0;
}

/* Is row a faster than row b? What was given up is slower than all. */
static int tune_faster(const struct eb_tune_stage *st, size_t a, size_t b)
{
    double x = eb_tune_rate(&st->rows[a], EB_TUNE_BOTH);
    double y = eb_tune_rate(&st->rows[b], EB_TUNE_BOTH);

    if (st->rows[a].reason[0] != '\0' || isnan(x))
        return 0;
    return st->rows[b].reason[0] != '\0' || isnan(y) || x > y;
}

/* The fastest first; equal ones stay in the order of the rows. */
static void tune_rank(struct tune_search *t)
{
    size_t i, k, x;

    for (i = 1; i < t->n_alive; i++) {
        x = t->alive[i];
        for (k = i; k > 0 && (tune_faster(t->st, x, t->alive[k - 1]) ||
                              (x < t->alive[k - 1] &&
                               !tune_faster(t->st, t->alive[k - 1], x)));
             k--)
            t->alive[k] = t->alive[k - 1];
        t->alive[k] = x;
    }
}

/* A random order, with what leads now first: its visit says how long the
 * others may take. */
static void tune_shuffle(struct tune_search *t, int round)
{
    char key[16];
    struct eb_rng rng;
    size_t i, k, x;

    snprintf(key, sizeof(key), "%d", round);
    eb_rng_init(&rng, t->rule->seed, t->st->name, key);
    for (i = t->n_alive; i > 2; i--) {
        k = 1 + (size_t)eb_rng_below(&rng, i - 1);
        x = t->alive[i - 1];
        t->alive[i - 1] = t->alive[k];
        t->alive[k] = x;
    }
}

/* All that are alive, `passes` times, back and forth. */
static int tune_round(struct tune_search *t, int round, int passes,
                      struct eb_err *err)
{
    int pass, rc = 0;
    size_t i;

    for (pass = 0; pass < passes; pass++) {
        for (i = 0; i < t->n_alive && rc == 0; i++) {
            size_t at = t->alive[pass % 2 == 0 ? i : t->n_alive - 1 - i];
            const struct eb_tune_row *row = &t->st->rows[at];

            if (row->reason[0] == '\0' &&
                (round > 1 || pass > 0 || row->visits == 0))
                rc = tune_visit(t, at, err);
        }
    }
    return rc;
}

/* Halves the field, and lets go of what was given up. */
static void tune_drop(struct tune_search *t, int round)
{
    size_t keep = (t->n_alive + 1) / 2, i;

    tune_rank(t);
    for (i = 0; i < t->n_alive; i++)
        t->st->rows[t->alive[i]].round = round;
    while (keep > 1 && t->st->rows[t->alive[keep - 1]].reason[0] != '\0')
        keep--;
    t->n_alive = keep;
}

int eb_tune_halve(const struct eb_tune_source *src,
                  const struct eb_tune_rule *rule, int64_t deadline_ns,
                  struct eb_tune_stage *st, struct eb_err *err)
{
    struct tune_search t = {
        .src = src, .rule = rule, .deadline_ns = deadline_ns, .st = st};
    int passes = 1, round = 1, rc = 0;
    size_t i;

    for (i = 0; i < st->n; i++)
        t.alive[t.n_alive++] = i;
    for (; t.n_alive > 1 && rc == 0; round++, passes *= 2) {
        tune_shuffle(&t, round);
        if (t.n_alive == 2 && passes < TUNE_LAST)
            passes = TUNE_LAST;
        rc = tune_round(&t, round, passes, err);
        tune_drop(&t, round);
    }
    st->best = t.alive[0];
    st->cut = rc == 1;
    return rc < 0 ? rc : 0;
}

/* The final comparison */

static int tune_narrow(const struct eb_tune_rule *rule,
                       const struct eb_tune_gain *g)
{
    struct eb_interval ci = eb_stats_mean_ci(g->log_ratio[EB_TUNE_BOTH], g->n);

    return g->n >= rule->pairs_min && ci.hi - ci.lo <= 2 * rule->within;
}

/* Two visits one after the other; 1: time is up. */
static int tune_couple(const struct eb_tune_source *src,
                       const struct eb_tune_rule *rule, int64_t deadline_ns,
                       const struct eb_tune_pair *pair, struct eb_tune_gain *g,
                       struct eb_err *err)
{
    int pick_first = g->n % 2 != 0, i, k, rc;
    double logs[2][EB_TUNE_TESTS + 1];

    for (k = 0; k < 2; k++) {
        int pick = k != pick_first;
        struct eb_tune_visit v = {0};
        int64_t room = deadline_ns - src->now(src->arg);

        if (room <= 0)
            return 1;
        rc = src->measure(src->arg, pick ? &pair->pick : &pair->base, room, &v,
                          err);
        if (rc != 0)
            return rc == EB_ELIMIT ? 1 : rc;
        tune_logs(rule, &v, logs[pick]);
    }
    for (i = 0; i <= EB_TUNE_TESTS; i++)
        g->log_ratio[i][g->n] = logs[1][i] - logs[0][i];
    g->n++;
    return 0;
}

int eb_tune_compare(const struct eb_tune_source *src,
                    const struct eb_tune_rule *rule, int64_t deadline_ns,
                    const struct eb_tune_pair *pair, struct eb_tune_gain *out,
                    struct eb_err *err)
{
    int rc = 0;

    out->n = 0;
    /* Whole blocks ABBA, so that a slow drift hits both alike. */
    while (rc == 0 && out->n < EB_TUNE_PAIRS_MAX &&
           (out->n % 2 != 0 || !tune_narrow(rule, out)))
        rc = tune_couple(src, rule, deadline_ns, pair, out, err);
    return rc < 0 ? rc : 0;
}

struct eb_tune_ratio eb_tune_ratio(const struct eb_tune_gain *g,
                                   enum eb_tune_test test)
{
    struct eb_interval ci = eb_stats_mean_ci(g->log_ratio[test], g->n);

    if (g->n < 2)
        return (struct eb_tune_ratio){NAN, NAN, NAN};
    return (struct eb_tune_ratio){exp(eb_stats_mean(g->log_ratio[test], g->n)),
                                  exp(ci.lo), exp(ci.hi)};
}
