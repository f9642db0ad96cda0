/* `edgebench run`: models one after another, records as they are finished. */
#include "agent/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/bandwidth.h"
#include "agent/device.h"
#include "agent/engine_fake.h"
#include "agent/memory.h"
#include "agent/run_parts.h"
#include "agent/speed.h"
#include "agent/speed_suite.h"
#include "agent/spool.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "workloads/dialog.h"
#include "workloads/nulls.h"

/* Progress */

void eb_run_progress(struct eb_run *r, const char *fmt, ...)
{
    va_list ap;

    if (r->opts.quiet)
        return;
    if (r->progress_open)
        fputs("\r\033[K", stderr);
    r->progress_open = 0;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void eb_run_tick(struct eb_run *r, const char *fmt, ...)
{
    va_list ap;

    if (r->opts.quiet || !isatty(STDERR_FILENO))
        return;
    fputs("\r\033[K", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fflush(stderr);
    r->progress_open = 1;
}

/* Records */

static int run_append(struct eb_run *r, const char *text, struct eb_err *err)
{
    if (r->out == NULL)
        return 0;
    if (fprintf(r->out, "%s\n", text) < 0 || fflush(r->out) != 0)
        return eb_fail(err, EB_EIO, "%s: %s", r->opts.out, strerror(errno));
    return 0;
}

static void run_send(struct eb_run *r, const char *id)
{
    struct eb_spool_count count;
    struct eb_err err = {0};
    char name[EB_UUID_LEN + 8];

    if (r->opts.collector == NULL)
        return;
    snprintf(name, sizeof(name), "%s.json", id);
    if (eb_spool_push(r->spool, name, r->opts.collector, &count, &err) == 0 &&
        count.sent == 1) {
        eb_run_progress(r, "record %s sent to %s", id, r->opts.collector);
        return;
    }
    r->unsent++;
    eb_warn("record %s was not sent: %s", id, err.msg);
    if (count.dead > 0)
        eb_warn("it was refused for good and lies in %s/dead", r->spool);
    else
        eb_warn("it stays in %s; edgebench spool push sends it", r->spool);
}

int eb_run_keep(struct eb_run *r, cJSON *rec, struct eb_err *err)
{
    const char *id = eb_json_get_str(rec, "run_id", "");
    char *text = NULL;
    int rc = eb_record_validate(rec, "the new record", err);

    if (rc == 0) {
        text = cJSON_PrintUnformatted(rec);
        if (text == NULL)
            rc = eb_fail(err, EB_EINTERNAL, "the record cannot be printed");
    }
    if (rc == 0)
        rc = eb_spool_save(r->spool, id, text, strlen(text), err);
    if (rc == 0)
        eb_run_progress(r, "record %s saved", id);
    if (rc == 0)
        rc = run_append(r, text, err);
    if (rc == 0)
        run_send(r, id);
    free(text);
    if (rc != 0) {
        cJSON_Delete(rec);
        return rc;
    }
    r->recs = eb_xrealloc(r->recs, r->n_recs + 1, sizeof(*r->recs));
    r->recs[r->n_recs++] = rec;
    return 0;
}

/* Models */

static const char *run_fake_reply(void *arg)
{
    struct eb_run *r = arg;

    eb_buf_reset(&r->fake_reply);
    eb_buf_adds(&r->fake_reply, "");
    if (r->now != NULL && r->now->level->kind != EB_KIND_DIALOG)
        eb_null_key(r->now, &r->fake_reply);
    return r->fake_reply.data;
}

static int run_stop(void)
{
    return eb_talk_interrupts() > 0;
}

/* A model that does not load still gets its records: a reader must see that
 * it was tried. */
static int run_failed(struct eb_run *r, const struct eb_run_model *m,
                      const char *reason, struct eb_err *err)
{
    size_t i;
    int rc = 0;

    eb_run_progress(r, "[%zu/%zu] %s: not run: %s", r->at_model, r->n_models,
                    m->name, reason);
    for (i = 0; i < r->n_prompts && rc == 0; i++) {
        struct eb_run_part part = {.prompt = r->prompts[i],
                                   .started_us = eb_clock_wall_us(),
                                   .ended_us = eb_clock_wall_us(),
                                   .status = "engine_error",
                                   .reason = reason,
                                   .start = eb_device_conditions(""),
                                   .end = eb_device_conditions("")};

        rc = eb_run_keep(r, eb_run_record(r, m, &part), err);
        eb_watch_next(&r->watch);
    }
    return rc;
}

/* Sizes are tested in a fixed order up to the first that does not pass (from
 * the largest), or that passes (from the smallest): the rest is not needed. */
static void run_settle(struct eb_run *r, const struct eb_run_part *part)
{
    int passed = !part->failed && !part->open;

    if (!r->opts.full && r->n_prompts == 1)
        r->settled |= r->opts.smallest_first ? passed : !passed;
}

static int run_loaded(struct eb_run *r, struct eb_run_model *m,
                      struct eb_err *err)
{
    int rc = 0, stopped = 0;
    char hex[EB_SHA256_HEX];
    size_t i;

    for (i = 0; i < r->n_prompts && rc == 0 && !stopped; i++) {
        struct eb_run_part part = {.prompt = r->prompts[i],
                                   .started_us = eb_clock_wall_us(),
                                   .status = "complete",
                                   .start = eb_device_conditions("")};

        /* Whoever keeps this line can tell that no bar moved afterwards. */
        eb_run_bars_sha256(r, part.prompt, hex);
        eb_run_progress(r, "[%zu/%zu] %s: bars and order %.16s, seed %lld",
                        r->at_model, r->n_models, m->name, hex,
                        (long long)r->opts.seed);
        eb_watch_begin(&r->watch, "whole", NULL, NULL);
        stopped = eb_run_items(r, m, &part);
        eb_watch_end(&r->watch, cJSON_GetArraySize(part.items), -1);
        run_settle(r, &part);
        if (stopped) {
            part.status = "aborted";
            part.reason = "stopped by the user";
        }
        part.end = eb_device_conditions("");
        part.ended_us = eb_clock_wall_us();
        cJSON_Delete(m->memory);
        m->memory = cJSON_CreateObject();
        eb_device_memory("", m->memory);
        if (m->shared_peak)
            eb_memory_shared_peak(m->memory);
        eb_watch_memory(&r->watch, m->memory);
        r->engine->ops->facts(r->engine, m->facts, m->memory);
        if (!cJSON_HasObjectItem(m->memory, "context_bytes"))
            eb_json_add_null(m->memory, "context_bytes", "unsupported");
        rc = eb_run_keep(r, eb_run_record(r, m, &part), err);
        eb_watch_next(&r->watch);
        cJSON_Delete(m->facts);
        m->facts = cJSON_CreateObject();
    }
    return rc;
}

/* The name that reports show: a file's without .gguf, a server's model, or
 * the whole address of a server that has just one. */
static char *run_name(const char *path)
{
    const char *base = eb_fs_base(path);
    size_t n;

    if (strncmp(path, "openai:", 7) == 0) {
        base = strchr(path, '#');
        base = base != NULL && base[1] != '\0' ? base + 1 : path + 7;
    }
    n = strlen(base);
    if (n > 5 && strcmp(base + n - 5, ".gguf") == 0)
        n -= 5;
    return eb_xstrndup(base, n);
}

static int run_check_score(struct eb_run *r, struct eb_err *err)
{
    size_t i;

    for (i = 0; i < r->plan.n_levels; i++) {
        if (!r->plan.levels[i].scored || r->engine->ops->score != NULL)
            continue;
        eb_fail(err, EB_EENGINE,
                "the engine %s gives no likelihoods; run with --score generate",
                r->engine->ops->name);
        eb_engine_close(r->engine);
        r->engine = NULL;
        return EB_EENGINE;
    }
    return 0;
}

static int run_model(struct eb_run *r, const char *path, struct eb_err *err)
{
    struct eb_run_model m = {.path = path, .file_bytes = -1, .load_ns = -1};
    const char *tuned = eb_run_tuned_use(r, path);
    struct eb_err why = {0};
    struct stat st;
    int64_t from;
    char *name;
    int rc;

    m.name = name = run_name(path);
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        m.file_bytes = (double)st.st_size;
        eb_run_tick(r, "[%zu/%zu] %s: reading", r->at_model, r->n_models,
                    m.name);
        if (tuned != NULL)
            memcpy(m.sha256, tuned, sizeof(m.sha256));
        else
            eb_sha256_file(path, m.sha256, NULL);
    }
    m.shared_peak = !eb_memory_begin("") && r->at_model > 1;
    eb_watch_loading(&r->watch);
    from = eb_clock_ns();
    rc = eb_engine_open(path, &r->settings, &r->engine, &why);
    if (rc == 0)
        rc = run_check_score(r, &why);
    if (rc != 0) {
        rc = run_failed(r, &m, why.msg, err);
        free(name);
        return rc;
    }
    m.load_ns = eb_clock_ns() - from;
    eb_watch_engine(&r->watch, r->engine);
    m.facts = cJSON_CreateObject();
    m.ctx = r->engine->ctx;
    m.slots = r->engine->slots;
    m.flash_attn = r->engine->flash_attn;
    eb_run_tick(r, "[%zu/%zu] %s: measuring speed", r->at_model, r->n_models,
                m.name);
    m.speed = r->opts.speed ? eb_speed_run(r->engine, run_stop, &r->watch)
                            : eb_speed_none("not measured: --no-speed");
    rc = run_loaded(r, &m, err);
    eb_engine_close(r->engine);
    r->engine = NULL;
    eb_mem_trim();
    cJSON_Delete(m.facts);
    cJSON_Delete(m.memory);
    cJSON_Delete(m.speed);
    free(name);
    return rc;
}

/* Session */

/* A mistyped name is better told before the first model than after it. What
 * names an engine need be no file: that engine will tell. */
static int run_find(const char *path, struct eb_err *err)
{
    const char *engine = eb_engine_for(path)->name;
    size_t n = strlen(engine);

    if (eb_fs_exists(path) || (strncmp(path, engine, n) == 0 && path[n] == ':'))
        return 0;
    return eb_fail(err, EB_ENOENT, "%s: no such file", path);
}

void eb_run_bandwidth(struct eb_run *r, const char *sysroot)
{
    struct eb_bandwidth_opts o = {.sysroot = sysroot, .device = r->device};
    int files = r->opts.models.n == 0, i; /* none named: those of the folder */

    for (i = 0; i < r->opts.models.n; i++)
        files |= eb_fs_exists(r->opts.models.v[i]);
    if (!r->opts.triad)
        o.why_not = "not measured: --no-triad";
    else if (!files)
        o.why_not = "not measured: no model is a file";
    eb_run_tick(r, "the memory's bandwidth");
    r->bandwidth = eb_bandwidth(&o);
}

static int run_open(struct eb_run *r, struct eb_err *err)
{
    struct eb_buf left_out = {0};
    int rc = eb_suite_load(&r->suite, r->opts.suite, err), i;

    if (rc == 0)
        r->suite.dialog = &eb_dialog_ops;
    if (rc == 0)
        rc = eb_plan_make(&r->plan, &r->suite, &r->opts, &left_out, err);
    if (rc == 0)
        rc = eb_run_reference_open(r, err);
    if (left_out.len > 0)
        eb_warn("left out: %s", left_out.data);
    eb_buf_free(&left_out);
    for (i = 0; i < r->opts.models.n && rc == 0; i++)
        rc = run_find(r->opts.models.v[i], err);
    if (rc == 0)
        rc = eb_spool_dir(&r->spool, err);
    if (rc == 0 && r->opts.out != NULL) {
        r->out =
            strcmp(r->opts.out, "-") == 0 ? stdout : fopen(r->opts.out, "a");
        if (r->out == NULL)
            rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", r->opts.out,
                         strerror(errno));
    }
    if (rc != 0)
        return rc;
    if (strcmp(r->opts.prompt, "vague") != 0)
        r->prompts[r->n_prompts++] = EB_PROMPT_CLEAR;
    if (strcmp(r->opts.prompt, "clear") != 0)
        r->prompts[r->n_prompts++] = EB_PROMPT_VAGUE;
    r->settings.threads =
        r->opts.threads > 0 ? (int)r->opts.threads : eb_device_threads();
    r->settings.ctx = (int)r->opts.ctx;
    r->settings.batch = EB_RUN_BATCH;
    r->settings.ubatch = EB_RUN_UBATCH;
    r->settings.slots = eb_run_throughput_mode(r) ? (int)r->opts.slots : 1;
    r->settings.flash_attn = r->opts.flash_attn;
    r->settings.stop = eb_run_engine_stop;
    r->settings.stop_arg = r;
    r->device = eb_device_facts("", r->opts.device_name);
    eb_uuid7(r->session_id);
    eb_fake_plant(run_fake_reply, r);
    eb_run_bandwidth(r, "");
    /* Before any engine has threads: they must be counted. */
    rc = eb_watch_open(&r->watch, "",
                       (enum eb_power_mode)eb_power_mode_parse(r->opts.power),
                       err);
    return rc == 0 ? 0 : EB_ENODEV;
}

/* With more runnable threads than the machine has, engine threads wait for
 * each other and times say little. Verdicts do not change. */
static void run_warn_busy(const struct eb_run *r)
{
    cJSON *v = eb_device_conditions("");
    double load = eb_json_get_num(v, "loadavg_1m", 0);
    double threads = eb_json_get_num(
        cJSON_GetObjectItemCaseSensitive(r->device, "cpu"), "threads", 1);

    if (load > threads / 2 && load > 0.7)
        eb_warn("the machine is busy (load %.1f on %.0f threads): times will "
                "be longer than on an idle one",
                load, threads);
    cJSON_Delete(v);
}

void eb_run_warn_power(const struct eb_run *r)
{
    char why[320];

    eb_power_advice(r->watch.power, why, sizeof(why));
    if (*why != '\0')
        eb_warn("not used for the energy: %s", why);
}

static void run_close(struct eb_run *r)
{
    if (r->out != NULL && r->out != stdout)
        fclose(r->out);
    eb_fake_plant(NULL, NULL);
    eb_watch_close(&r->watch);
    eb_run_tuned_free(r);
    eb_record_list_free(r->recs, r->n_recs);
    eb_record_list_free(r->reference, r->n_reference);
    eb_plan_free(&r->plan);
    eb_suite_free(&r->suite);
    eb_buf_free(&r->fake_reply);
    cJSON_Delete(r->device);
    cJSON_Delete(r->bandwidth);
    free(r->spool);
}

struct run_file {
    const char *path;
    double bytes; /* -1: unknown */
    size_t at;    /* as given */
};

static int run_larger_cmp(const void *a, const void *b)
{
    const struct run_file *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Largest file first, or last; without sizes as given. Free the array. */
static struct run_file *run_order(const struct eb_run *r, char **found,
                                  size_t n)
{
    struct run_file *v = eb_xcalloc(n + 1, sizeof(*v)), t;
    struct stat st;
    size_t i;

    for (i = 0; i < n; i++) {
        v[i].path = found != NULL ? found[i] : r->opts.models.v[i];
        v[i].bytes = stat(v[i].path, &st) == 0 ? (double)st.st_size : -1;
        v[i].at = i;
    }
    qsort(v, n, sizeof(*v), run_larger_cmp);
    for (i = 0; r->opts.smallest_first && i < n / 2; i++) {
        t = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = t;
    }
    return v;
}

static int run_all(struct eb_run *r, struct eb_err *err)
{
    struct eb_buf folder = {0};
    struct run_file *order;
    char **paths = NULL;
    size_t n = 0, i;
    int rc = 0;

    if (r->opts.models.n == 0)
        rc = eb_run_models(&folder, &paths, &n, err);
    else
        n = (size_t)r->opts.models.n;
    if (rc == 0 && folder.len > 0)
        eb_run_progress(r, "%zu models of %s", n, folder.data);
    r->n_models = n;
    order = run_order(r, paths, n);
    /* A model that is not tuned is better told before the first one is run. */
    for (i = 0; i < n && rc == 0 && r->opts.tuned; i++)
        rc = eb_run_tuned_add(r, order[i].path, "", err);
    for (i = 0; i < n && rc == 0 && !r->settled && eb_talk_interrupts() == 0;
         i++) {
        r->at_model = i + 1;
        rc = run_model(r, order[i].path, err);
    }
    if (r->settled && i < n)
        eb_run_progress(
            r, "%zu model%s not needed for the answer; --full runs all", n - i,
            n - i == 1 ? "" : "s");
    free(order);
    if (paths != NULL)
        eb_fs_list_free(paths, n);
    eb_buf_free(&folder);
    return rc;
}

/* What the command line or the files at hand are to blame for is usage. */
static int run_exit_of(int rc)
{
    switch (rc) {
    case EB_EUSAGE:
    case EB_ENOENT:
    case EB_EINVAL:
    case EB_EPARSE:
    case EB_EPERM:
        return EB_EXIT_USAGE;
    case EB_ENODEV:
        return EB_EXIT_UNFIT;
    default:
        return EB_EXIT_INTERNAL;
    }
}

int eb_run_main(int argc, char **argv)
{
    struct eb_run r;
    struct eb_err err = {0};
    FILE *out = stdout;
    int rc, code;

    if (eb_speed_suite_asked(argc, argv))
        return eb_speed_suite_main(argc, argv);
    memset(&r, 0, sizeof(r));
    rc = eb_run_options(&r.opts, argc, argv, &err);
    if (rc == 0 && r.opts.help) {
        eb_run_help(stdout);
        return EB_EXIT_OK;
    }
    if (rc == 0)
        rc = run_open(&r, &err);
    if (rc == 0) {
        eb_talk_catch_signals();
        run_warn_busy(&r);
        eb_run_warn_power(&r);
        rc = run_all(&r, &err);
    }
    if (rc != 0) {
        eb_error("%s", err.msg);
        code = run_exit_of(rc);
    } else {
        if (r.out == stdout)
            out = stderr; /* records alone go to standard output */
        if (r.opts.json)
            eb_run_result_json(&r, out);
        else
            eb_run_result(&r, out);
        code = eb_run_exit_code(&r);
    }
    run_close(&r);
    return code;
}
