/* What deciding item by item costs and how often it is wrong, by simulation:
 * one model around the bar, ladders of four, orders over strata, pairs.
 * Prints Markdown; see sequential.sh. Same seed, same table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sequential.h"
#include "common/stats.h"
#include "common/stats_compare.h"
#include "workloads/order.h"
#include "workloads/rng.h"

#define RUNS 10000
#define POOL_MAX 400
#define ALPHA 0.05
#define BETA 0.10
#define RUNGS 4

/* A stopping rule as its two lines: after n items SUFFICIENT from pass_at[n]
 * passes on, INSUFFICIENT up to fail_at[n]. */
struct rule {
    int64_t pool;
    int64_t need;
    int64_t pass_at[POOL_MAX + 1];
    int64_t fail_at[POOL_MAX + 1];
};

struct result {
    int pass;
    int fail;
    double items; /* mean */
};

static void rule_sequential(struct rule *r, int64_t pool, double bar,
                            double alpha)
{
    struct eb_sequential q;
    int64_t n;

    if (eb_sequential_open(&q, pool, bar, alpha, BETA, NULL) != 0)
        abort();
    r->pool = pool;
    r->need = q.need;
    for (n = 1; n <= pool; n++)
        eb_sequential_limits(&q, n, &r->fail_at[n], &r->pass_at[n]);
}

/* The mistake to warn of: look at Wilson's one-sided 95 % bounds after each
 * item and stop when one passes the bar. The bound is the bar where the score
 * z is 1.645. */
static void rule_wilson(struct rule *r, int64_t pool, double bar)
{
    double mid, z;
    int64_t n;

    r->pool = pool;
    r->need = eb_sequential_need(pool, bar);
    for (n = 1; n <= pool; n++) {
        mid = (double)n * bar;
        z = eb_stats_normal_upper(ALPHA) * sqrt(mid * (1 - bar));
        r->pass_at[n] = (int64_t)ceil(mid + z);
        r->fail_at[n] = (int64_t)ceil(mid - z) - 1;
    }
}

/* A claim about customers that may stop at any item. */
static void rule_rate(struct rule *r, int64_t pool, double bar)
{
    int64_t n, s;

    r->pool = pool;
    r->need = eb_sequential_need(pool, bar);
    for (n = 1; n <= pool; n++) {
        r->pass_at[n] = n + 1;
        r->fail_at[n] = -1;
        for (s = 0; s <= n; s++) {
            struct eb_sequential_e e = eb_sequential_rate(s, n, bar);

            if (e.log_fail >= -log(BETA))
                r->fail_at[n] = s;
            if (e.log_pass >= -log(ALPHA) && s < r->pass_at[n])
                r->pass_at[n] = s;
        }
    }
}

static double uniform(struct eb_rng *rng)
{
    return (double)(eb_rng_next(rng) >> 11) / 9007199254740992.0;
}

struct stop {
    int64_t n;
    int64_t s;
    enum eb_verdict verdict;
};

/* One run over a pool with `truth` passes in a uniformly random order. */
static struct stop play(const struct rule *r, int64_t truth, struct eb_rng *rng)
{
    struct stop at = {0, 0, EB_NOT_SHOWN};

    while (at.n < r->pool && at.verdict == EB_NOT_SHOWN) {
        if (uniform(rng) * (double)(r->pool - at.n) < (double)(truth - at.s))
            at.s++;
        at.n++;
        if (at.s >= r->pass_at[at.n])
            at.verdict = EB_SUFFICIENT;
        else if (at.s <= r->fail_at[at.n])
            at.verdict = EB_INSUFFICIENT;
    }
    return at;
}

static struct result simulate(const struct rule *r, int64_t truth,
                              struct eb_rng *rng)
{
    struct result out = {0};
    int64_t items = 0;
    int i;

    for (i = 0; i < RUNS; i++) {
        struct stop at = play(r, truth, rng);

        items += at.n;
        out.pass += at.verdict == EB_SUFFICIENT;
        out.fail += at.verdict == EB_INSUFFICIENT;
    }
    out.items = (double)items / RUNS;
    return out;
}

static double percent(double count)
{
    return 100 * count / RUNS;
}

/* Passes of a pool whose rate is `points` off the bar, in hundredths. */
static int64_t truth_at(const struct rule *r, int points)
{
    int64_t t = r->need + llround(points * (double)r->pool / 100);

    return t < 0 ? 0 : t > r->pool ? r->pool : t;
}

/* Truths in points off the bar; JUST_BELOW is one item below it. */
#define JUST_BELOW 1000
static const int truths[] = {-15, -8, -5, JUST_BELOW, 0, 5, 8, 15};

/* The worst of all rows, for the aims. */
static struct {
    int wrong_pass;
    int wrong_fail;
    int peek; /* wrong of the peeking rule */
} worst;

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static void one_model_row(const struct rule *q, const struct rule *w, int at,
                          double bar, struct eb_rng *rng)
{
    int64_t t = at == JUST_BELOW ? q->need - 1 : truth_at(q, at);
    struct result a = simulate(q, t, rng), b = simulate(w, t, rng);
    int good = t >= q->need;
    char name[32];

    if (good)
        worst.wrong_fail = larger(worst.wrong_fail, a.fail);
    else
        worst.wrong_pass = larger(worst.wrong_pass, a.pass);
    worst.peek = larger(worst.peek, good ? b.fail : b.pass);
    snprintf(name, sizeof(name), "%+d points", at);
    if (at == JUST_BELOW)
        strcpy(name, "1 item below");
    else if (at == 0)
        strcpy(name, "on the bar");
    printf("| %.2f | %3d | %-12s | %5.2f %% | %5.1f | %4.2f | %s | %5.2f %% |"
           " %5.1f |\n",
           bar, (int)q->pool, name, percent(good ? a.fail : a.pass), a.items,
           a.items / (double)q->pool,
           eb_verdict_name(eb_stats_verdict(t, q->pool, bar, ALPHA)),
           percent(good ? b.fail : b.pass), b.items);
}

static void one_model(struct eb_rng *rng)
{
    static const double bars[] = {.7, .8};
    static const int64_t pools[] = {150, 212, 400};
    static struct rule q, w;
    size_t b, p, t;

    printf("## One model\n\nWrong: SUFFICIENT below the bar (promised at most "
           "5 %%), INSUFFICIENT on or above\nit (at most 10 %%).\n\n"
           "| bar | pool | true pool rate | wrong | items | of pool |"
           " whole pool, exact bound | peeking at Wilson: wrong | items |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    for (b = 0; b < 2; b++) {
        for (p = 0; p < 3; p++) {
            rule_sequential(&q, pools[p], bars[b], ALPHA);
            rule_wilson(&w, pools[p], bars[b]);
            for (t = 0; t < sizeof(truths) / sizeof(truths[0]); t++)
                one_model_row(&q, &w, truths[t], bars[b], rng);
        }
    }
}

static void aims(struct eb_rng *rng)
{
    static const double bars[] = {.7, .8};
    static const int64_t pools[] = {150, 212, 400};
    static struct rule r;
    double below, above;
    int b, p;

    printf("\n## Aims\n\nLargest share of wrong SUFFICIENT %.2f %% (aim 5 %%), "
           "of wrong INSUFFICIENT %.2f %%\n(aim 10 %%), of wrong stops when "
           "peeking at Wilson %.2f %%.\nItems used 8 points off the bar, aim a "
           "third of the pool:\n\n| bar | pool | 8 below | 8 above | reached "
           "|\n|---|---|---|---|---|\n",
           percent(worst.wrong_pass), percent(worst.wrong_fail),
           percent(worst.peek));
    for (b = 0; b < 2; b++) {
        for (p = 0; p < 3; p++) {
            rule_sequential(&r, pools[p], bars[b], ALPHA);
            below = simulate(&r, truth_at(&r, -8), rng).items;
            above = simulate(&r, truth_at(&r, 8), rng).items;
            below /= (double)pools[p];
            above /= (double)pools[p];
            printf("| %.2f | %d | %.2f | %.2f | %s |\n", bars[b], (int)pools[p],
                   below, above,
                   below <= 1 / 3.0 && above <= 1 / 3.0 ? "yes" : "no");
        }
    }
}

/* Customers are not the pool: the pool is itself a draw at the rate p. */
static void population_row(const struct rule rules[3], double bar, int points,
                           struct eb_rng *rng)
{
    int i, k, pass[3] = {0}, stopped = 0, exact = 0;
    int64_t t, items[2] = {0}, pool = rules[0].pool;
    struct stop at[3];

    for (i = 0; i < RUNS; i++) {
        for (k = 0, t = 0; k < pool; k++)
            t += uniform(rng) < bar + points / 100.0;
        for (k = 0; k < 3; k++) {
            at[k] = play(&rules[k], t, rng);
            pass[k] += at[k].verdict == EB_SUFFICIENT;
        }
        items[0] += at[0].n;
        items[1] += at[1].n;
        stopped +=
            at[0].verdict == EB_SUFFICIENT &&
            eb_stats_verdict(at[0].s, at[0].n, bar, ALPHA) == EB_SUFFICIENT;
        exact += eb_stats_verdict(t, pool, bar, ALPHA) == EB_SUFFICIENT;
    }
    printf("| %.2f | %d | %+d points | %.1f %% | %.0f | %.1f %% | %.1f %% "
           "| %.0f | %.1f %% | %.1f %% |\n",
           bar, (int)pool, points, percent(pass[0]), (double)items[0] / RUNS,
           percent(stopped), percent(pass[1]), (double)items[1] / RUNS,
           percent(exact), percent(pass[2]));
}

static void population(struct eb_rng *rng)
{
    static const double bars[] = {.7, .8};
    static const int64_t pools[] = {150, 400};
    static const int points[] = {-8, -5, -3, 0, 5, 8, 15};
    static struct rule rules[3];
    int b, p, k;

    printf("\n## The pool is not the customers\n\nThe rate over all customers "
           "is known, the pool is drawn anew in each run. Called\nSUFFICIENT "
           "(at +0 points, the bar itself, a claim about customers may be "
           "made in\n5 %% at most):\n\n"
           "| bar | pool | customers' rate | in the pool (this rule) | items | "
           "and the exact bound on the items seen agrees | "
           "eb_sequential_rate | items | whole pool, exact bound | "
           "peeking at Wilson |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (b = 0; b < 2; b++) {
        for (p = 0; p < 2; p++) {
            rule_sequential(&rules[0], pools[p], bars[b], ALPHA);
            rule_rate(&rules[1], pools[p], bars[b]);
            rule_wilson(&rules[2], pools[p], bars[b]);
            for (k = 0; k < 7; k++)
                population_row(rules, bars[b], points[k], rng);
        }
    }
}

struct ladder {
    const char *name;
    int at[RUNGS]; /* smallest model first, as in truths */
};

static const struct ladder ladders[] = {
    {"-15, -8, +8, +15", {-15, -8, 8, 15}},
    {"-8, 1 item below, +5, +12", {-8, JUST_BELOW, 5, 12}},
    {"four times 1 item below",
     {JUST_BELOW, JUST_BELOW, JUST_BELOW, JUST_BELOW}},
    {"+2, +5, +8, +12", {2, 5, 8, 12}},
    {"-30, -15, -8, +8", {-30, -15, -8, 8}},
};

/* The rung called smallest sufficient, RUNGS if none. */
static int climb_down(const struct rule *r, const int64_t *t,
                      struct eb_rng *rng, int64_t *items)
{
    int i;

    for (i = RUNGS - 1; i >= 0; i--) {
        struct stop at = play(r, t[i], rng);

        *items += at.n;
        if (at.verdict != EB_SUFFICIENT)
            break;
    }
    return i + 1;
}

static int climb_up(const struct rule *r, const int64_t *t, struct eb_rng *rng,
                    int64_t *items)
{
    int i;

    for (i = 0; i < RUNGS; i++) {
        struct stop at = play(r, t[i], rng);

        *items += at.n;
        if (at.verdict == EB_SUFFICIENT)
            break;
    }
    return i;
}

static void ladder_row(const struct ladder *l, const struct rule *r, int down,
                       const char *how, struct eb_rng *rng)
{
    int64_t t[RUNGS], items = 0;
    int i, found, smallest = RUNGS, wrong = 0, right = 0;

    for (i = RUNGS - 1; i >= 0; i--) {
        t[i] = l->at[i] == JUST_BELOW ? r->need - 1 : truth_at(r, l->at[i]);
        if (t[i] >= r->need)
            smallest = i;
    }
    for (i = 0; i < RUNS; i++) {
        found =
            down ? climb_down(r, t, rng, &items) : climb_up(r, t, rng, &items);
        wrong += found < RUNGS && t[found] < r->need;
        right += found == smallest;
    }
    printf("| %-25s | %-28s | %5.2f %% | %5.1f %% | %4.0f | %.2f |\n", l->name,
           how, percent(wrong), percent(right), (double)items / RUNS,
           (double)items / RUNS / (double)(RUNGS * r->pool));
}

static void ladder(struct eb_rng *rng)
{
    static struct rule full, split;
    size_t i;

    printf(
        "\n## Ladders of four models, bar .70, pool 150\n\nWrong: the model "
        "called smallest sufficient is below the bar (at most 5 %%).\n"
        "Found: it is the smallest one that is not.\n\n"
        "| points off the bar, smallest first | order and error each |"
        " wrong | found | items | of 4 pools |\n|---|---|---|---|---|---|\n");
    rule_sequential(&full, 150, .7, ALPHA);
    rule_sequential(&split, 150, .7, ALPHA / RUNGS);
    for (i = 0; i < sizeof(ladders) / sizeof(ladders[0]); i++) {
        ladder_row(&ladders[i], &full, 1, "largest first, 5 %", rng);
        ladder_row(&ladders[i], &split, 0, "smallest first, 5 % / 4", rng);
        ladder_row(&ladders[i], &full, 0, "smallest first, 5 % (wrong)", rng);
    }
}

/* One run in an order over strata; x[i] is the outcome of item i. */
static enum eb_verdict play_strata(const struct rule *r,
                                   const char *const *strata, const int *x,
                                   uint64_t seed, int64_t *items)
{
    size_t order[POOL_MAX];
    int64_t n, s = 0;

    eb_sequential_order(strata, (size_t)r->pool, seed, order);
    for (n = 1; n <= r->pool; n++) {
        ++*items;
        s += x[order[n - 1]];
        if (s >= r->pass_at[n])
            return EB_SUFFICIENT;
        if (s <= r->fail_at[n])
            return EB_INSUFFICIENT;
    }
    return EB_NOT_SHOWN;
}

/* truth passes over n_strata equal strata: the same number in each, or (far)
 * the first strata all pass and the last ones all fail. */
static void strata_fill(int *x, const char **strata, int64_t pool,
                        int64_t truth, int64_t n_strata, int far)
{
    static const char *const names[] = {"a", "b", "c", "d", "e",
                                        "f", "g", "h", "i", "j"};
    int64_t i;

    for (i = 0; i < pool; i++) {
        /* Far: runs of one stratum; else dealt out in turn. */
        strata[i] = names[far ? i * n_strata / pool : i % n_strata];
        x[i] = i < truth;
    }
}

static void strata_row(const struct rule *r, int64_t n_strata, int far)
{
    const char *strata[POOL_MAX];
    int64_t items[2] = {0}, truth;
    int x[POOL_MAX], i, wrong[2] = {0}, side;

    for (side = 0; side < 2; side++) {
        truth = r->need - 1 + side;
        strata_fill(x, strata, r->pool, truth, n_strata, far);
        for (i = 0; i < RUNS; i++) {
            enum eb_verdict v =
                play_strata(r, strata, x, (uint64_t)i, &items[side]);

            wrong[side] += side ? v == EB_INSUFFICIENT : v == EB_SUFFICIENT;
        }
    }
    printf("| %3d | %2d | %s | %5.2f %% | %5.2f %% | %.1f |\n", (int)r->pool,
           (int)n_strata, far ? "as far apart as can be" : "the same",
           percent(wrong[0]), percent(wrong[1]), (double)items[1] / RUNS);
}

static void strata(void)
{
    static const int64_t pools[] = {30, 150, 400}, counts[] = {1, 2, 5, 10};
    static struct rule r;
    size_t p, c;

    printf("\n## Orders over strata (workloads/order), bar .70\n\nThe promise "
           "is proved for a uniform order (1 stratum).\n\n"
           "| pool | strata | rates of the strata | wrong, 1 item below |"
           " wrong, on the bar | items, on the bar |\n|---|---|---|---|---|---|"
           "\n");
    for (p = 0; p < 3; p++) {
        rule_sequential(&r, pools[p], .7, ALPHA);
        for (c = 0; c < 4; c++) {
            strata_row(&r, counts[c], 0);
            if (counts[c] > 1)
                strata_row(&r, counts[c], 1);
        }
    }
}

/* One candidate against a reference: chances of D = -1 and 1; cap items. */
static void paired_row(int64_t pool, int64_t cap, double psi, double diff,
                       struct eb_rng *rng)
{
    double minus = (psi - diff) / 2, u;
    int64_t items = 0, n, b, c;
    int i, d, shown = 0, fixed = 0;

    for (i = 0; i < RUNS; i++) {
        struct eb_paired q;

        if (eb_paired_open(&q, pool, .05, ALPHA, NULL) != 0)
            abort();
        for (n = b = c = 0; n < cap; n++) {
            u = uniform(rng);
            d = u < minus ? -1 : u < psi;
            b += d > 0;
            c += d < 0;
            if (q.verdict == EB_NOT_SHOWN) {
                eb_paired_add(&q, d);
                items++;
            }
        }
        shown += q.verdict == EB_SUFFICIENT;
        fixed += eb_stats_noninferior_p(b, c, cap, .05) < ALPHA;
    }
    printf("| %s | %d | %.2f | %+.2f | %.1f %% | %.0f | %.1f %% |\n",
           pool > 0 ? "pool" : "no end", (int)cap, psi, diff, percent(shown),
           (double)items / RUNS, percent(fixed));
}

static void paired(struct eb_rng *rng)
{
    static const double psi[] = {.08, .16}, diffs[] = {-.05, -.02, 0, .02};
    int i, k;

    printf("\n## Pairs: non-inferior by a margin of 5 points\n\nIn the pool "
           "the claim is about the pool drawn, not about the rate, so -0.05\n"
           "is wrong only in the rows without end (at most 5 %%).\n\n"
           "| items | at most | discordant | true difference | shown |"
           " items used | all items, Tango |\n|---|---|---|---|---|---|---|\n");
    for (i = 0; i < 2; i++) {
        for (k = 0; k < 4; k++)
            paired_row(0, 400, psi[i], diffs[k], rng);
        for (k = 0; k < 4; k++)
            paired_row(400, 400, psi[i], diffs[k], rng);
    }
}

int main(void)
{
    struct eb_rng rng;

    eb_rng_init(&rng, 1, "bench", "sequential");
    printf("%d runs a row; alpha %.2f, beta %.2f.\n\n", RUNS, ALPHA, BETA);
    one_model(&rng);
    aims(&rng);
    population(&rng);
    ladder(&rng);
    strata();
    paired(&rng);
    return 0;
}
