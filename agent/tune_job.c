/* Measuring for `edgebench tune`: visits, knobs in turn, the comparison. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/device.h"
#include "agent/run_parts.h"
#include "agent/tune_parts.h"
#include "agent/tune_store.h"
#include "common/json.h"
#include "common/mem.h"

#define JOB_VISIT_NS INT64_C(250000000) /* timed, a test */
#define JOB_SEARCH 0.6                  /* of the budget; the rest compares */
#define JOB_WITHIN 0.01
#define JOB_PAIRS_MIN 6
#define JOB_MAX_CELSIUS 70
/* The first visit of all is colder than the others; one as long as this is too
 * dear to throw away, and the cold beginning a small part of it. */
#define JOB_LONG_NS INT64_C(5000000000)

int eb_tune_tests(const struct eb_tune_job *j, enum eb_tune_test test)
{
    return j->rule.objective == EB_TUNE_BOTH || j->rule.objective == test;
}

static int64_t job_time(const struct eb_tune_job *j)
{
    return j->env.now(j->env.arg);
}

static int job_interrupted(const struct eb_tune_job *j)
{
    return j->env.stop != NULL && j->env.stop();
}

/* The engine asks this during long work. */
static int job_stop(void *arg)
{
    struct eb_tune_job *j = arg;

    return job_interrupted(j) || job_time(j) >= j->end_ns;
}

static struct eb_engine_settings job_settings(struct eb_tune_job *j,
                                              const struct eb_tune_setting *s)
{
    const struct eb_bench_shape *tg = &j->shapes[EB_TUNE_TG];
    int ctx = tg->depth + tg->n_gen;
    struct eb_engine_settings out = {
        .slots = 1, .stop = job_stop, .stop_arg = j};

    if (ctx < j->shapes[EB_TUNE_PP].n_prompt)
        ctx = j->shapes[EB_TUNE_PP].n_prompt;
    out.ctx = ctx;
    eb_tune_apply(s, &out);
    return out;
}

/* Visits */

static int job_once(struct eb_tune_job *j, struct eb_engine *e,
                    const struct eb_bench_shape *shape, int64_t *ns,
                    struct eb_err *err)
{
    int64_t from;
    int rc;

    if (job_stop(j))
        return eb_fail(err, EB_EABORT, "stopped");
    rc = e->ops->bench_fill(e, shape, err);
    if (rc != 0)
        return rc;
    from = job_time(j);
    rc = e->ops->bench(e, shape, err);
    *ns = job_time(j) - from;
    if (*ns < 1)
        *ns = 1; /* a coarse clock; rates divide by it */
    return rc;
}

/* The first repeat warms up; one that fills the visit alone is long enough
 * for that not to matter, and counts. */
static int job_test(struct eb_tune_job *j, struct eb_engine *e,
                    const struct eb_bench_shape *shape, double *tps,
                    struct eb_err *err)
{
    int64_t sum = 0, ns = 0;
    int n = 0, rc = job_once(j, e, shape, &ns, err);

    if (rc == 0 && ns >= JOB_VISIT_NS) {
        sum = ns;
        n = 1;
    }
    while (rc == 0 && sum < JOB_VISIT_NS) {
        rc = job_once(j, e, shape, &ns, err);
        sum += ns;
        n++;
    }
    e->ops->clear(e);
    if (rc == 0)
        *tps = n * (double)(shape->n_prompt + shape->n_gen) * 1e9 / (double)sum;
    return rc;
}

static void job_tick(struct eb_tune_job *j)
{
    j->visits++;
    if (!j->opts.quiet && isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Kvisit %zu", j->visits);
}

static int job_measure(void *arg, const struct eb_tune_setting *s,
                       int64_t limit_ns, struct eb_tune_visit *out,
                       struct eb_err *err)
{
    struct eb_tune_job *j = arg;
    struct eb_engine_settings settings = job_settings(j, s);
    struct eb_engine *e = NULL;
    int i, rc;

    job_tick(j);
    j->end_ns = job_time(j) + limit_ns;
    rc = eb_engine_open(j->opts.model, &settings, &e, err);
    for (i = 0; i < EB_TUNE_TESTS && rc == 0; i++) {
        if (eb_tune_tests(j, (enum eb_tune_test)i))
            rc = job_test(j, e, &j->shapes[i], &out->tps[i], err);
    }
    eb_engine_close(e);
    eb_mem_trim();
    if (rc == EB_ELIMIT)
        rc = EB_EENGINE; /* a shape that does not fit is no lack of time */
    if (rc == EB_EABORT && !job_interrupted(j))
        rc = EB_ELIMIT;
    return rc;
}

/* Opening */

static int job_probe(struct eb_tune_job *j, struct eb_err *err)
{
    struct eb_engine_settings s = job_settings(j, &j->pair.base);
    struct eb_engine *e = NULL;
    int rc;

    j->end_ns = INT64_MAX;
    rc = eb_engine_open(j->opts.model, &s, &e, err);
    if (rc != 0)
        return EB_EENGINE;
    if (e->ops->bench == NULL)
        rc = eb_fail(err, EB_EENGINE, "the engine %s cannot be benched",
                     e->ops->name);
    else if (e->ctx < s.ctx)
        rc = eb_fail(err, EB_ELIMIT,
                     "the model has a context of %d tokens, the tests need "
                     "%d: give smaller --pp and --depth",
                     e->ctx, s.ctx);
    if (e->flash_attn != NULL)
        snprintf(j->resolved, sizeof(j->resolved), "%s", e->flash_attn);
    eb_engine_close(e);
    return rc;
}

int eb_tune_job_open(struct eb_tune_job *j, struct eb_err *err)
{
    struct eb_gate_rule gate = {eb_device_threads(), eb_device_threads(),
                                JOB_MAX_CELSIUS, j->opts.gate_ns};
    int rc;

    j->shapes[EB_TUNE_PP] =
        (struct eb_bench_shape){(int)j->opts.n_prompt, 0, 0, 1};
    j->shapes[EB_TUNE_TG] =
        (struct eb_bench_shape){0, (int)j->opts.n_gen, (int)j->opts.depth, 1};
    j->rule = (struct eb_tune_rule){j->opts.objective, (uint64_t)j->opts.seed,
                                    JOB_WITHIN, JOB_PAIRS_MIN};
    j->pair.base = (struct eb_tune_setting){.threads = eb_device_threads(),
                                            .batch = EB_RUN_BATCH,
                                            .ubatch = EB_RUN_UBATCH,
                                            .flash_attn = "auto",
                                            .kv_type = "f16"};
    j->pair.pick = j->pair.base;
    j->verdict = EB_TUNE_OPEN;
    rc = eb_tune_digest(j->opts.model, j->model_sha256, err);
    if (rc == 0)
        rc = job_probe(j, err);
    if (rc != 0)
        return rc;
    j->device = eb_device_facts("", j->opts.device_name);
    j->gate = eb_gate_wait(&j->env, &gate);
    return 0;
}

void eb_tune_job_close(struct eb_tune_job *j)
{
    cJSON_Delete(j->device);
    cJSON_Delete(j->gate);
}

/* Searching */

/* Candidates of a knob around what is best so far. */
static void job_stage(const struct eb_tune_job *j, int knob,
                      const struct eb_tune_setting *best,
                      struct eb_tune_stage *out)
{
    struct eb_core_kinds alike = j->kinds;

    switch (knob) {
    case 0:
        if (!eb_engine_for(j->opts.model)->takes_place)
            alike.n = 0;
        eb_tune_places(&alike, best, out);
        break;
    case 1:
        eb_tune_attention(j->resolved[0] != '\0' ? j->resolved : NULL, best,
                          out);
        break;
    case 2:
        eb_tune_batches(j->shapes[EB_TUNE_PP].n_prompt, best, out);
        break;
    default:
        eb_tune_cache(best, out);
    }
}

/* Writing one token at a time has no batches; a quantised cache changes
 * answers and is for those who allow it. */
static int job_has_stage(const struct eb_tune_job *j, int knob)
{
    if (knob == 2)
        return eb_tune_tests(j, EB_TUNE_PP);
    return knob < 3 || (j->opts.allow_kv_quant &&
                        eb_engine_for(j->opts.model)->takes_place);
}

/* Candidates of the knobs from this one on: what time is shared by. */
static size_t job_ahead(const struct eb_tune_job *j, int knob,
                        const struct eb_tune_setting *best,
                        struct eb_tune_stage *room)
{
    size_t n = 0;

    for (; knob < EB_TUNE_STAGES_MAX; knob++) {
        if (!job_has_stage(j, knob))
            continue;
        job_stage(j, knob, best, room);
        n += room->n > 1 ? room->n : 0;
    }
    return n;
}

static void job_said(const struct eb_tune_job *j,
                     const struct eb_tune_stage *st)
{
    const struct eb_tune_row *best = &st->rows[st->best];

    if (j->opts.quiet)
        return;
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    if (best->visits == 0)
        fprintf(stderr, "%s: not measured, the time ended\n", st->name);
    else
        fprintf(stderr, "%s: %s is the fastest of %zu%s\n", st->name,
                best->label, st->n, st->cut ? " (the time for it ended)" : "");
}

/* Time is shared by the number of candidates, but a knob gets what one visit
 * to each needs: with a short budget the later knobs, which matter less, stay
 * as they are. */
static int64_t job_deadline(const struct eb_tune_job *j,
                            const struct eb_tune_stage *st, size_t ahead,
                            int64_t end_ns)
{
    int64_t now = job_time(j), n = (int64_t)st->n;
    int64_t share = (end_ns - now) * n / (int64_t)ahead;
    int64_t pass = n * j->first_ns;

    if (share < pass)
        share = pass;
    return now + share < end_ns ? now + share : end_ns;
}

static int job_search(struct eb_tune_job *j, const struct eb_tune_source *src,
                      int64_t end_ns, struct eb_err *err)
{
    int knob, rc = 0;

    for (knob = 0; knob < EB_TUNE_STAGES_MAX && rc == 0; knob++) {
        struct eb_tune_stage *st = &j->stages[j->n_stages];
        size_t ahead = job_ahead(j, knob, &j->pair.pick, st);

        if (!job_has_stage(j, knob))
            continue;
        job_stage(j, knob, &j->pair.pick, st);
        if (st->n < 2)
            continue;
        if (j->n_stages++ == 0 && j->first_ns > JOB_LONG_NS)
            eb_tune_visited(&j->rule, st, 0, &j->first, j->first_ns);
        rc = eb_tune_halve(src, &j->rule, job_deadline(j, st, ahead, end_ns),
                           st, err);
        if (rc != 0)
            break;
        j->pair.pick = st->rows[st->best].s;
        job_said(j, st);
    }
    return rc;
}

size_t eb_tune_unseen(const struct eb_tune_job *j)
{
    size_t n = 0, i, k;

    for (i = 0; i < j->n_stages; i++) {
        for (k = 1; k < j->stages[i].n; k++)
            n += j->stages[i].rows[k].visits == 0 &&
                 j->stages[i].rows[k].reason[0] == '\0';
    }
    return n;
}

/* Was anything but the default looked at, or is there nothing else? */
static int job_looked(const struct eb_tune_job *j)
{
    size_t all = 0, i;

    for (i = 0; i < j->n_stages; i++)
        all += j->stages[i].n - 1;
    return all == 0 || eb_tune_unseen(j) < all;
}

enum eb_tune_verdict eb_tune_judge(const struct eb_tune_gain *g)
{
    if (!(eb_tune_ratio(g, EB_TUNE_BOTH).lo > 1))
        return EB_TUNE_DEFAULT;
    /* A test that was not measured has the ratio 1. */
    if (eb_tune_ratio(g, EB_TUNE_PP).hi < 1 ||
        eb_tune_ratio(g, EB_TUNE_TG).hi < 1)
        return EB_TUNE_MIXED;
    return EB_TUNE_BETTER;
}

/* Brings the model into memory, and shows whether the budget has room for
 * anything. */
static int job_first(struct eb_tune_job *j, int64_t limit_ns,
                     struct eb_err *err)
{
    int64_t from = job_time(j);
    int rc = job_measure(j, &j->pair.base, limit_ns, &j->first, err);

    j->first_ns = job_time(j) - from;
    if (rc == EB_ELIMIT)
        eb_fail(err, rc,
                "the budget ended before the default was measured once; give "
                "a larger --budget");
    return rc;
}

static int64_t job_now(void *arg)
{
    return job_time(arg);
}

int eb_tune_job_run(struct eb_tune_job *j, struct eb_err *err)
{
    struct eb_tune_source src = {job_measure, job_now, j};
    int64_t from = job_time(j), end = from + j->opts.budget_ns;
    int64_t search_ns = (int64_t)(JOB_SEARCH * (double)j->opts.budget_ns);
    int rc = job_first(j, search_ns, err);

    if (rc == 0)
        rc = job_search(j, &src, from + search_ns, err);
    if (rc != 0)
        return rc;
    if (eb_tune_equal(&j->pair.base, &j->pair.pick)) {
        j->verdict = job_looked(j) ? EB_TUNE_DEFAULT : EB_TUNE_OPEN;
        return 0;
    }
    rc = eb_tune_compare(&src, &j->rule, end, &j->pair, &j->gain, err);
    if (rc == 0 && j->gain.n >= 2)
        j->verdict = eb_tune_judge(&j->gain);
    return rc;
}

const struct eb_tune_setting *eb_tune_chosen(const struct eb_tune_job *j)
{
    return j->verdict == EB_TUNE_BETTER ? &j->pair.pick : &j->pair.base;
}
