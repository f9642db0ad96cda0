/* The speed suite on one model: load, tests, requests, memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/device.h"
#include "agent/memory.h"
#include "agent/speed_parts.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"

#define MODEL_UNCACHED_MAX 20
#define MODEL_PREFIX_MAX 50

/* Time that is left, shared among what is left to do: who needs less leaves
 * the rest to the others. */
struct model_time {
    int64_t end_ns;
    size_t left;
};

static int64_t model_deadline(const struct eb_speed *s, struct model_time *t)
{
    int64_t now = s->env.now(s->env.arg), room = t->end_ns - now;
    int64_t share = t->left > 0 ? room / (int64_t)t->left : room;

    if (t->left > 0)
        t->left--;
    return now + (share > 0 ? share : 0);
}

static int model_fits(const struct eb_speed_model *v,
                      const struct eb_bench_shape *b)
{
    return b->depth + b->n_prompt + b->n_gen <= v->m.ctx;
}

static void model_progress(struct eb_speed *s, const struct eb_speed_model *v,
                           const char *what)
{
    eb_run_tick(&s->run, "[%zu/%zu] %s: %s", s->run.at_model, s->n_models,
                v->m.name, what);
}

/* Opening and closing */

static char *model_name(const char *path)
{
    const char *base = eb_fs_base(path);
    size_t n = strlen(base);

    if (n > 5 && strcmp(base + n - 5, ".gguf") == 0)
        n -= 5;
    return eb_xstrndup(base, n);
}

void eb_speed_model_open(struct eb_speed *s, struct eb_speed_model *v,
                         const char *path)
{
    struct eb_bench_shape shapes[EB_SPEED_TESTS_MAX];
    struct stat st;
    size_t i;

    memset(v, 0, sizeof(*v));
    v->m = (struct eb_run_model){.path = path,
                                 .name = model_name(path),
                                 .file_bytes = -1,
                                 .load_ns = -1};
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        v->m.file_bytes = (double)st.st_size;
        model_progress(s, v, "reading");
        eb_sha256_file(path, v->m.sha256, NULL);
    }
    v->n_tests = eb_speed_shapes(&s->opts, shapes);
    v->tests = eb_xcalloc(v->n_tests, sizeof(*v->tests));
    for (i = 0; i < v->n_tests; i++) {
        v->tests[i].shape = shapes[i];
        v->tests[i].others = NAN;
        eb_speed_name(&shapes[i], v->tests[i].name);
    }
    v->load = cJSON_CreateObject();
    v->phases = cJSON_CreateArray();
    v->gates = cJSON_CreateArray();
    v->watched = cJSON_CreateArray();
    v->asks_watch = cJSON_CreateArray();
    v->part = (struct eb_run_part){
        .prompt = EB_PROMPT_CLEAR, .status = "complete", .started_us = -1};
    eb_speed_requests_open(&v->asks, &s->env, NULL);
}

void eb_speed_model_free(struct eb_speed_model *v)
{
    size_t i;

    if (v == NULL)
        return;
    for (i = 0; i < v->n_tests; i++)
        eb_series_free(&v->tests[i].series);
    free(v->tests);
    eb_speed_requests_free(&v->asks);
    cJSON_Delete(v->load);
    cJSON_Delete(v->phases);
    cJSON_Delete(v->gates);
    cJSON_Delete(v->watched);
    cJSON_Delete(v->asks_watch);
    cJSON_Delete(v->sustained);
    cJSON_Delete(v->m.facts);
    cJSON_Delete(v->m.memory);
    cJSON_Delete(v->m.speed);
    free((char *)v->m.name);
    memset(v, 0, sizeof(*v));
}

static int model_engine(struct eb_speed *s, struct eb_speed_model *v, int slots,
                        int64_t *took_ns)
{
    struct eb_err why = {0};
    int64_t from = s->env.now(s->env.arg);
    int rc;

    s->run.settings.slots = slots;
    eb_run_tuned_use(&s->run, v->m.path);
    rc = eb_engine_open(v->m.path, &s->run.settings, &s->run.engine, &why);
    *took_ns = s->env.now(s->env.arg) - from;
    if (rc == 0)
        eb_watch_engine(&s->run.watch, s->run.engine);
    else
        snprintf(v->failed, sizeof(v->failed), "%s", why.msg);
    return rc;
}

static void model_close(struct eb_speed *s)
{
    eb_engine_close(s->run.engine);
    s->run.engine = NULL;
    eb_mem_trim();
}

static void model_reason(char *out, size_t size, int rc, const char *msg)
{
    snprintf(out, size, "%s: %s",
             rc == EB_ELIMIT ? "out of range" : "not measured", msg);
}

/* A phase of memory ends: its row, and the highest peak so far of what one
 * request at a time needs. */
static void model_phase(struct eb_speed *s, struct eb_speed_model *v,
                        const char *name, int scoped)
{
    cJSON *row = eb_memory_phase(s->env.sysroot, name, scoped,
                                 v->m.file_bytes >= 0 ? v->m.path : NULL);

    eb_watch_memory(&s->run.watch, row);
    v->m.shared_peak |= !scoped && s->run.at_model > 1;
    if (strcmp(name, "batches") != 0)
        v->peak_bytes =
            fmax(v->peak_bytes, eb_json_get_num(row, "vm_hwm_bytes", 0));
    cJSON_AddItemToArray(v->phases, row);
}

/* The first load of all is the cold one, where the page cache lets go of the
 * file. Its engine says how long the requests' prompt has to be and is thrown
 * away: the first request shall be a fresh engine's. */
static int model_load_cold(struct eb_speed *s, struct eb_speed_model *v)
{
    char reason[EB_SERIES_REASON];
    struct eb_err err = {0};
    int64_t took;
    int rc = 0, cold = eb_speed_drop_cache(v->m.path, reason);

    model_progress(s, v, "loading");
    eb_watch_loading(&s->run.watch);
    if (model_engine(s, v, 1, &took) != 0)
        return -1;
    if (cold)
        cJSON_AddNumberToObject(v->load, "cold_ns", (double)took);
    else
        eb_json_add_null(v->load, "cold_ns", reason);
    v->asks.engine = s->run.engine;
    if (s->opts.requests)
        rc = eb_speed_requests_size(&v->asks, &err);
    if (rc != 0)
        model_reason(v->asks_reason, sizeof(v->asks_reason), rc, err.msg);
    model_close(s);
    cJSON_AddArrayToObject(v->load, "warm_ns");
    return 0;
}

static int model_load_warm(struct eb_speed *s, struct eb_speed_model *v,
                           int pass)
{
    int scoped = eb_memory_begin(s->env.sysroot);
    int64_t took;

    if (model_engine(s, v, 1, &took) != 0)
        return -1;
    cJSON_AddItemToArray(cJSON_GetObjectItem(v->load, "warm_ns"),
                         cJSON_CreateNumber((double)took));
    v->asks.engine = s->run.engine;
    v->m.load_ns = took;
    v->m.ctx = s->run.engine->ctx;
    v->m.slots = s->run.engine->slots;
    v->m.flash_attn = s->run.engine->flash_attn;
    if (pass == 0)
        model_phase(s, v, "load", scoped);
    return 0;
}

/* Tests */

struct model_work {
    struct eb_speed *s;
    struct eb_speed_model *v;
    const struct eb_bench_shape *shape;
    struct eb_speed_test *test;
    int throttled;     /* the repeat that just ended: 1, 0; -1: not known */
    const char *phase; /* of a request */
    int clear;         /* forget all before each request */
};

static int64_t work_now(void *arg)
{
    const struct eb_speed_env *env = &((struct model_work *)arg)->s->env;

    return env->now(env->arg);
}

static int work_stop(void *arg)
{
    const struct eb_speed_env *env = &((struct model_work *)arg)->s->env;

    return env->stop != NULL && env->stop();
}

static int work_throttled(void *arg)
{
    return ((struct model_work *)arg)->throttled;
}

/* A repeat, and whether something slowed it down. */
static int work_bench(void *arg, int64_t *ns, struct eb_err *err)
{
    struct model_work *w = arg;
    struct eb_engine *e = w->s->run.engine;
    const struct eb_heat *heat = w->s->run.watch.heat;
    struct eb_heat_mark mark;
    char why[sizeof(w->test->throttled_why)];
    int64_t from;
    int rc = e->ops->bench_fill(e, w->shape, err);

    *ns = 1;
    if (rc != 0)
        return rc;
    eb_watch_tick(&w->s->run.watch);
    eb_heat_mark(heat, &mark);
    from = work_now(w);
    rc = e->ops->bench(e, w->shape, err);
    *ns = work_now(w) - from;
    w->throttled = eb_heat_throttled(heat, &mark, why, sizeof(why));
    if (w->throttled != 0)
        memcpy(w->test->throttled_why, why, sizeof(why));
    return rc;
}

/* The window of a test that only reads or only writes; a test of both is in
 * the whole only. */
static void model_watch(struct eb_speed *s, const struct eb_speed_test *t,
                        size_t before, int begin)
{
    const struct eb_bench_shape *b = &t->shape;

    if (b->n_prompt > 0 && b->n_gen > 0)
        return;
    if (begin)
        eb_watch_begin(&s->run.watch, b->n_gen > 0 ? "decode" : "prefill",
                       t->name, NULL);
    else
        eb_watch_end(&s->run.watch, -1,
                     (int64_t)(t->series.n - before) *
                         (b->n_prompt + b->n_gen) * b->batch);
}

/* One test of a pass. Why it failed stays in it, and samples of other passes
 * go, so that a row has either samples or a reason. EB_EABORT ends the run. */
static int model_test(struct eb_speed *s, struct eb_speed_model *v,
                      struct eb_speed_test *t, int64_t deadline)
{
    struct model_work w = {.s = s, .v = v, .shape = &t->shape, .test = t};
    struct eb_series_source src = {work_bench, work_now, work_stop, &w,
                                   work_throttled};
    size_t before = t->series.n;
    int64_t now = work_now(&w);
    struct eb_speed_cpu cpu;
    struct eb_err err = {0};
    int rc;

    if (t->reason[0] != '\0')
        return 0;
    model_progress(s, v, t->name);
    rc = eb_series_warm(&src, &s->rule, now + (deadline - now) / 4, &t->series,
                        &err);
    cpu = eb_speed_cpu_now(&s->env);
    model_watch(s, t, before, 1);
    if (rc == 0)
        rc = eb_series_run(&src, &s->rule, deadline, &t->series, &err);
    model_watch(s, t, before, 0);
    t->others = fmax(t->others, eb_speed_others(&s->env, &cpu));
    s->run.engine->ops->clear(s->run.engine);
    if (rc == 0 || (rc == EB_EABORT && t->series.n > 0))
        return rc; /* what was measured before the stop stays */
    t->series.n = 0;
    model_reason(t->reason, sizeof(t->reason), rc, err.msg);
    return rc == EB_EABORT ? rc : 0;
}

/* All tests of one sequence, or all of several. */
static int model_tests(struct eb_speed *s, struct eb_speed_model *v,
                       int several, struct model_time *time)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < v->n_tests && rc == 0; i++) {
        struct eb_speed_test *t = &v->tests[i];

        if ((t->shape.batch > 1) != several)
            continue;
        if (s->run.engine->ops->bench == NULL)
            snprintf(t->reason, sizeof(t->reason),
                     "unsupported: the engine cannot be benched");
        rc = model_test(s, v, t,
                        model_fits(v, &t->shape) ? model_deadline(s, time)
                                                 : s->env.now(s->env.arg));
    }
    return rc;
}

/* Requests */

static int work_request(void *arg, int64_t *ns, struct eb_err *err)
{
    struct model_work *w = arg;
    struct eb_engine *e = w->s->run.engine;

    if (w->clear)
        e->ops->clear(e);
    return eb_speed_request(&w->v->asks, w->phase, ns, err);
}

static int model_ask_series(struct eb_speed *s, struct eb_speed_model *v,
                            const char *phase, size_t most, int64_t deadline,
                            struct eb_err *err)
{
    struct model_work w = {.s = s,
                           .v = v,
                           .phase = phase,
                           .clear = strcmp(phase, "uncached") == 0};
    struct eb_series_source src = {work_request, work_now, work_stop, &w, NULL};
    struct eb_series_rule rule = s->rule;
    struct eb_series ttft = {0};
    int rc;

    rule.max = most;
    rc = eb_series_run(&src, &rule, deadline, &ttft, err);
    eb_series_free(&ttft);
    return rc;
}

/* One phase of requests, and who disturbed it. */
static int model_ask_phase(struct eb_speed *s, struct eb_speed_model *v,
                           const char *phase, size_t most, int64_t deadline,
                           struct eb_err *err)
{
    struct eb_speed_cpu cpu = eb_speed_cpu_now(&s->env);
    int64_t ns;
    int rc = most == 1 ? eb_speed_request(&v->asks, phase, &ns, err)
                       : model_ask_series(s, v, phase, most, deadline, err);
    cJSON *row = cJSON_CreateObject();

    cJSON_AddStringToObject(row, "phase", phase);
    eb_speed_judged(s, eb_speed_others(&s->env, &cpu), "", row);
    cJSON_AddItemToArray(v->asks_watch, row);
    return rc;
}

/* The first request of a fresh engine stands apart; then some of which nothing
 * is cached, then some that share the policy with the one before. */
static int model_asks(struct eb_speed *s, struct eb_speed_model *v,
                      struct model_time *time)
{
    struct eb_engine *e = s->run.engine;
    struct eb_err err = {0};
    int rc;

    if (v->asks_reason[0] != '\0')
        return 0; /* no room for them, as the first load showed */
    model_progress(s, v, "requests");
    rc = model_ask_phase(s, v, "first", 1, 0, &err);
    if (rc == 0)
        rc = model_ask_phase(s, v, "uncached", MODEL_UNCACHED_MAX,
                             model_deadline(s, time), &err);
    if (rc == 0)
        rc = model_ask_phase(s, v, "prefix", MODEL_PREFIX_MAX,
                             model_deadline(s, time), &err);
    e->ops->clear(e);
    if (rc != 0)
        model_reason(v->asks_reason, sizeof(v->asks_reason), rc, err.msg);
    return rc == EB_EABORT ? rc : 0;
}

/* Passes */

static void model_sustained(struct eb_speed *s, struct eb_speed_model *v)
{
    struct eb_err err = {0};

    if (s->opts.sustained_ns == 0)
        return;
    if (s->run.engine->ops->bench == NULL) {
        snprintf(v->sustained_reason, sizeof(v->sustained_reason),
                 "unsupported: the engine cannot be benched");
        return;
    }
    model_progress(s, v, "sustained");
    v->sustained = eb_speed_sustain(&s->env, &s->run.watch, s->run.engine,
                                    s->opts.sustained_ns, &err);
    if (v->sustained == NULL)
        model_reason(v->sustained_reason, sizeof(v->sustained_reason), err.code,
                     err.msg);
}

/* Tests that have room, and so need time. */
static size_t model_count(const struct eb_speed_model *v, int several)
{
    size_t n = 0, i;

    for (i = 0; i < v->n_tests; i++) {
        const struct eb_bench_shape *b = &v->tests[i].shape;

        n += (b->batch > 1) == several && model_fits(v, b);
    }
    return n;
}

/* What runs with one slot: requests on the first pass, tests on each. */
static int model_pass_alone(struct eb_speed *s, struct eb_speed_model *v,
                            int pass, struct model_time *time)
{
    int scoped, rc = 0;
    int64_t from;

    if (pass == 0 && s->opts.requests) {
        scoped = eb_memory_begin(s->env.sysroot);
        rc = model_asks(s, v, time);
        if (rc == 0)
            model_phase(s, v, "requests", scoped);
    }
    if (rc == 0) {
        scoped = eb_memory_begin(s->env.sysroot);
        rc = model_tests(s, v, 0, time);
        if (pass == 0)
            model_phase(s, v, "tests", scoped);
    }
    if (rc == 0 && pass == s->n_passes - 1) {
        from = s->env.now(s->env.arg);
        model_sustained(s, v);
        /* It has a time of its own, beside the budget. */
        time->end_ns += s->env.now(s->env.arg) - from;
    }
    if (s->run.engine != NULL && v->m.facts == NULL) {
        v->m.facts = cJSON_CreateObject();
        v->m.memory = cJSON_CreateObject();
        eb_device_memory(s->env.sysroot, v->m.memory);
        eb_watch_memory(&s->run.watch, v->m.memory);
        s->run.engine->ops->facts(s->run.engine, v->m.facts, v->m.memory);
        if (!cJSON_HasObjectItem(v->m.memory, "context_bytes"))
            eb_json_add_null(v->m.memory, "context_bytes", "unsupported");
    }
    return rc;
}

/* What needs several slots, in an engine of its own: figures of one sequence
 * are taken as `run` and llama-bench have it. */
static int model_pass_several(struct eb_speed *s, struct eb_speed_model *v,
                              int pass, struct model_time *time)
{
    int most = 1, scoped, rc;
    int64_t took;
    size_t i;

    for (i = 0; i < s->opts.n_batches; i++)
        most = s->opts.batches[i] > most ? s->opts.batches[i] : most;
    if (most == 1)
        return 0;
    scoped = eb_memory_begin(s->env.sysroot);
    if (model_engine(s, v, most, &took) != 0) {
        /* The model loads; there is no room for so many. */
        for (i = 0; i < v->n_tests; i++)
            if (v->tests[i].shape.batch > 1)
                model_reason(v->tests[i].reason, sizeof(v->tests[i].reason),
                             EB_EENGINE, v->failed);
        v->failed[0] = '\0';
        return 0;
    }
    rc = model_tests(s, v, 1, time);
    if (pass == 0)
        model_phase(s, v, "batches", scoped);
    model_close(s);
    return rc;
}

/* A pass with the machine quiet and the watch open. */
static int model_pass(struct eb_speed *s, struct eb_speed_model *v, int pass,
                      struct eb_err *err)
{
    struct model_time time = {0};
    int rc;

    if ((pass == 0 && model_load_cold(s, v) != 0) ||
        model_load_warm(s, v, pass) != 0)
        return 0;
    time.end_ns = s->env.now(s->env.arg) + s->opts.budget_ns / s->n_passes;
    time.left = model_count(v, 0) + model_count(v, 1) +
                (pass == 0 && s->opts.requests ? 2 : 0);
    eb_watch_begin(&s->run.watch, "whole", NULL, NULL);
    rc = model_pass_alone(s, v, pass, &time);
    if (s->run.engine != NULL)
        model_close(s);
    if (rc == 0)
        rc = model_pass_several(s, v, pass, &time);
    eb_watch_end(&s->run.watch, -1, -1);
    if (rc == EB_EABORT) {
        v->part.status = "aborted";
        v->part.reason = "stopped by the user";
        return eb_fail(err, rc, "stopped");
    }
    return 0;
}

int eb_speed_pass(struct eb_speed *s, struct eb_speed_model *v, int pass,
                  struct eb_err *err)
{
    struct eb_gate_rule gate = {s->run.settings.threads, eb_device_threads(),
                                (double)s->opts.max_celsius, s->opts.gate_ns};
    cJSON *watched, *waited;
    int rc;

    if (v->failed[0] != '\0')
        return 0;
    model_progress(s, v, "waiting for a quiet machine");
    waited = eb_gate_wait(&s->env, &gate);
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(waited, "passed")))
        eb_run_progress(&s->run, "%s: the machine is not quiet: %s", v->m.name,
                        eb_json_get_str(waited, "note", ""));
    cJSON_AddItemToArray(v->gates, waited);
    if (s->n_watched++ > 0)
        eb_watch_next(&s->run.watch);
    if (v->part.started_us < 0) {
        v->part.started_us = eb_clock_wall_us();
        v->part.start = eb_device_conditions(s->env.sysroot);
    }
    rc = model_pass(s, v, pass, err);
    watched = cJSON_CreateObject();
    eb_watch_record(&s->run.watch, watched);
    cJSON_AddItemToArray(v->watched, watched);
    return rc;
}
