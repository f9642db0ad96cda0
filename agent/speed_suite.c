/* `edgebench run --suite speed`: the models in turn, then their records. */
#include "agent/speed_suite.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/device.h"
#include "agent/llama_bench.h"
#include "agent/speed_parts.h"
#include "agent/spool.h"
#include "agent/talk.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/stats.h"

#define SPEED_VERSION "1.0.0"
#define SPEED_WITHIN 0.02
#define SPEED_REPEATS_MIN 5
#define SPEED_WARM_NS INT64_C(200000000)
#define SPEED_CTX 2048 /* tokens of the longest shape, beyond its depth */

static int speed_engine_stop(void *arg)
{
    const struct eb_speed *s = arg;

    return s->env.stop != NULL && s->env.stop();
}

/* Shapes and rules make the suite; records of another digest do not mix. */
static void speed_suite_name(struct eb_speed *s)
{
    struct eb_bench_shape shapes[EB_SPEED_TESTS_MAX];
    size_t n = eb_speed_shapes(&s->opts, shapes), i;
    struct eb_suite *u = &s->run.suite;
    char name[EB_SPEED_NAME];
    struct eb_buf b = {0};

    eb_buf_addf(&b, "speed %s within %.3f min %d requests %d of %d and %d\n",
                SPEED_VERSION, SPEED_WITHIN, SPEED_REPEATS_MIN,
                s->opts.requests, EB_SPEED_PROMPT_TOKENS,
                EB_SPEED_ANSWER_TOKENS);
    for (i = 0; i < n; i++) {
        eb_speed_name(&shapes[i], name);
        eb_buf_addf(&b, "%s\n", name);
    }
    u->name = "speed";
    u->version = SPEED_VERSION;
    eb_sha256(b.data, b.len, u->digest);
    eb_buf_free(&b);
}

static void speed_settings(struct eb_speed *s)
{
    struct eb_run *r = &s->run;
    int deepest = 0;
    size_t i;

    for (i = 0; i < s->opts.n_depths; i++)
        deepest = s->opts.depths[i] > deepest ? s->opts.depths[i] : deepest;
    r->settings = (struct eb_engine_settings){
        .threads =
            s->opts.threads > 0 ? (int)s->opts.threads : eb_device_threads(),
        .ctx = deepest + SPEED_CTX,
        .batch = EB_RUN_BATCH,
        .ubatch = EB_RUN_UBATCH,
        .slots = 1,
        .flash_attn = s->opts.flash_attn,
        .stop = speed_engine_stop,
        .stop_arg = s};
    /* What the record says of a run in general. */
    r->opts.mode = "latency";
    r->opts.stop = "never";
    r->opts.constrain = "off";
    r->opts.flash_attn = s->opts.flash_attn;
    r->opts.trials = 1;
    r->opts.seed = 1;
    r->opts.timeout_s = 0;
    r->opts.quiet = s->opts.quiet;
    r->opts.models = s->opts.models;
    r->opts.triad = s->opts.triad;
    r->opts.collector = s->opts.collector;
    r->opts.out = s->opts.out;
}

int eb_speed_open(struct eb_speed *s, struct eb_err *err)
{
    char **paths = NULL;
    struct eb_buf folder = {0};
    size_t n = (size_t)s->opts.models.n, i;
    int rc;

    s->rule = (struct eb_series_rule){SPEED_WITHIN, SPEED_REPEATS_MIN,
                                      EB_SERIES_MAX / 2, SPEED_WARM_NS};
    speed_suite_name(s);
    speed_settings(s);
    rc = eb_spool_dir(&s->run.spool, err);
    if (rc == 0 && s->opts.out != NULL) {
        s->run.out =
            strcmp(s->opts.out, "-") == 0 ? stdout : fopen(s->opts.out, "a");
        if (s->run.out == NULL)
            rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", s->opts.out,
                         strerror(errno));
    }
    if (rc == 0 && n == 0)
        rc = eb_run_models(&folder, &paths, &n, err);
    eb_buf_free(&folder);
    if (rc != 0)
        return rc;
    s->run.device = eb_device_facts("", s->opts.device_name);
    eb_run_bandwidth(&s->run, s->env.sysroot);
    eb_uuid7(s->run.session_id);
    s->n_models = s->run.n_models = n;
    s->n_passes = n > 1 ? 2 : 1;
    s->models = eb_xcalloc(n, sizeof(*s->models));
    for (i = 0; i < n; i++)
        eb_speed_model_open(s, &s->models[i],
                            paths != NULL ? eb_xstrdup(paths[i])
                                          : eb_xstrdup(s->opts.models.v[i]));
    if (paths != NULL)
        eb_fs_list_free(paths, n);
    for (i = 0; i < n && rc == 0 && s->opts.tuned; i++)
        rc = eb_run_tuned_add(&s->run, s->models[i].m.path,
                              s->models[i].m.sha256, err);
    if (rc != 0)
        return rc;
    /* Before any engine has threads: they must be counted. */
    rc = eb_watch_open(&s->run.watch, s->env.sysroot,
                       (enum eb_power_mode)eb_power_mode_parse(s->opts.power),
                       err);
    return rc == 0 ? 0 : EB_ENODEV;
}

void eb_speed_close(struct eb_speed *s)
{
    size_t i;

    for (i = 0; i < s->n_models && s->models != NULL; i++) {
        free((char *)s->models[i].m.path);
        eb_speed_model_free(&s->models[i]);
    }
    free(s->models);
    if (s->run.out != NULL && s->run.out != stdout)
        fclose(s->run.out);
    eb_watch_close(&s->run.watch);
    eb_run_tuned_free(&s->run);
    eb_record_list_free(s->run.recs, s->run.n_recs);
    cJSON_Delete(s->run.device);
    cJSON_Delete(s->run.bandwidth);
    free(s->run.spool);
}

/* ABBA: the second pass goes backwards, so that a slow change of the device
 * hits all models alike on average. */
int eb_speed_all(struct eb_speed *s, struct eb_err *err)
{
    int pass, rc = 0;
    size_t i, at;

    for (pass = 0; pass < s->n_passes && rc == 0; pass++) {
        for (i = 0; i < s->n_models && rc == 0; i++) {
            at = pass % 2 == 0 ? i : s->n_models - 1 - i;
            s->run.at_model = at + 1;
            rc = eb_speed_pass(s, &s->models[at], pass, err);
        }
    }
    /* Stopped: what was measured is kept; models never begun are not. */
    for (i = 0; i < s->n_models && (rc == 0 || rc == EB_EABORT); i++) {
        struct eb_speed_model *v = &s->models[i];
        int kept;

        if (rc == EB_EABORT && v->part.started_us < 0)
            continue;
        if (rc == EB_EABORT && v->part.reason == NULL) {
            v->part.status = "aborted";
            v->part.reason = "stopped by the user";
        }
        kept = eb_run_keep(&s->run, eb_speed_record(s, v), err);
        if (kept != 0)
            rc = kept;
    }
    return rc == EB_EABORT ? 0 : rc;
}

/* Output */

static void result_test(const cJSON *rec, const cJSON *row, FILE *out)
{
    const char *model = eb_json_get_str(
        cJSON_GetObjectItemCaseSensitive(rec, "model"), "name", "");
    const char *why = eb_json_get_str(row, "mean_tps_reason", "");
    double mean = eb_json_get_num(row, "mean_tps", NAN);
    double median = eb_json_get_num(row, "median_tps", NAN);
    double half = (eb_json_get_num(row, "hi_tps", NAN) -
                   eb_json_get_num(row, "lo_tps", NAN)) /
                  2;

    fprintf(out, "%-20s %-18s ", model, eb_json_get_str(row, "test", ""));
    if (isfinite(mean))
        fprintf(out, "%10.2f +- %.2f (%.0f repeats)\n", mean, half,
                eb_json_get_num(row, "n", 0));
    else if (isfinite(median))
        fprintf(out, "%10.2f median; %s\n", median, why);
    else
        fprintf(out, "%10s %s\n", "-", why);
}

/* "TTFT p50 12.0 p95 14.1 ms": the percentiles that n values make. */
static void result_percentiles(const cJSON *row, const char *name,
                               const char *key, double n, FILE *out)
{
    static const int at[] = {50, 90, 95, 99};
    char member[32];
    size_t i;

    fputs(name, out);
    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        snprintf(member, sizeof(member), "%s_p%d_ms", key, at[i]);
        if (i == 0 || n >= (double)eb_stats_percentile_least(at[i]))
            fprintf(out, " p%d %.2f", at[i], eb_json_get_num(row, member, NAN));
    }
    fputs(" ms, ", out);
}

static void result_request(const cJSON *rec, const cJSON *row, FILE *out)
{
    double n = eb_json_get_num(row, "n", 0);
    double gaps = n * (eb_json_get_num(row, "output_mean", 0) - 1);

    if (n < 1)
        return;
    fprintf(out, "%-20s %-9s ",
            eb_json_get_str(cJSON_GetObjectItemCaseSensitive(rec, "model"),
                            "name", ""),
            eb_json_get_str(row, "phase", ""));
    result_percentiles(row, "TTFT", "ttft", n, out);
    if (gaps >= 1)
        result_percentiles(row, "ITL", "itl", gaps, out);
    fprintf(out,
            "%.0f requests of %.0f tokens, %.0f cached, %.0f answered%s%s\n", n,
            eb_json_get_num(row, "prompt_mean", NAN),
            eb_json_get_num(row, "cached_mean", NAN),
            eb_json_get_num(row, "output_mean", NAN),
            cJSON_HasObjectItem(row, "reason") ? "; unstable: " : "",
            eb_json_get_str(row, "reason", ""));
}

static void result_load(const cJSON *rec, FILE *out)
{
    const cJSON *load = cJSON_GetObjectItemCaseSensitive(rec, "load");
    double cold = eb_json_get_num(load, "cold_ns", NAN) / 1e6;
    const cJSON *warm = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(load, "warm_ns"), 0);

    if (!cJSON_IsNumber(warm))
        return;
    fprintf(out, "%-20s load      warm %.1f ms, ",
            eb_json_get_str(cJSON_GetObjectItemCaseSensitive(rec, "model"),
                            "name", ""),
            warm->valuedouble / 1e6);
    if (isnan(cold))
        fprintf(out, "cold: %s\n", eb_json_get_str(load, "cold_ns_reason", ""));
    else
        fprintf(out, "cold %.1f ms\n", cold);
}

static void result_sustained(const cJSON *rec, FILE *out)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(rec, "summary"), "sustained");
    const char *why = eb_json_get_str(rec, "sustained_reason", NULL);
    double fell = eb_json_get_num(v, "fell_at_s", NAN);
    double throttled = eb_json_get_num(v, "throttled_at_s", NAN);

    if (why != NULL)
        fprintf(out, "sustained: %s\n", why);
    if (v == NULL)
        return;
    fprintf(out, "sustained %.0f s: %.2f tokens/s",
            eb_json_get_num(v, "seconds", 0),
            eb_json_get_num(v, "mean_tps", NAN));
    if (isfinite(throttled))
        fprintf(out, ", slowed down from %.0f s on", throttled);
    if (isfinite(eb_json_get_num(v, "last_to_first", NAN)))
        fprintf(out, ", first minute %.2f, last %.2f tokens/s",
                eb_json_get_num(v, "first_minute_tps", NAN),
                eb_json_get_num(v, "last_minute_tps", NAN));
    if (isfinite(fell))
        fprintf(out, ", fell by %.1f%% at %.0f s\n",
                100 * eb_json_get_num(v, "fell_by", 0), fell);
    else
        fprintf(out, ", %s\n", eb_json_get_str(v, "fell_at_s_reason", ""));
}

void eb_speed_result(const struct eb_speed *s, FILE *out)
{
    const cJSON *sum, *row;
    size_t i;

    fprintf(out, "%-20s %-18s %10s\n", "model", "test", "tokens/s");
    for (i = 0; i < s->run.n_recs; i++) {
        const cJSON *rec = s->run.recs[i];
        const char *why = eb_json_get_str(rec, "status_reason", NULL);

        sum = cJSON_GetObjectItemCaseSensitive(rec, "summary");
        if (why != NULL)
            fprintf(
                out, "%s: %s\n",
                eb_json_get_str(cJSON_GetObjectItemCaseSensitive(rec, "model"),
                                "name", ""),
                why);
        if (strcmp(eb_json_get_str(rec, "status", ""), "engine_error") == 0)
            continue;
        cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(sum, "speed"))
            result_test(rec, row, out);
        cJSON_ArrayForEach(row,
                           cJSON_GetObjectItemCaseSensitive(sum, "requests"))
            result_request(rec, row, out);
        result_load(rec, out);
        result_sustained(rec, out);
        if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(sum, "localscore")))
            fprintf(out, "LocalScore %.1f\n",
                    eb_json_get_num(sum, "localscore", 0));
        else if (cJSON_HasObjectItem(sum, "localscore"))
            fprintf(out, "LocalScore: %s\n",
                    eb_json_get_str(sum, "localscore_reason", ""));
    }
}

static void speed_json(const struct eb_speed *s, FILE *out)
{
    cJSON *all = cJSON_CreateObject(), *v;
    cJSON *recs = cJSON_AddArrayToObject(all, "models");
    char *text;
    size_t i;

    for (i = 0; i < s->run.n_recs; i++) {
        const cJSON *rec = s->run.recs[i];

        v = cJSON_CreateObject();
        cJSON_AddStringToObject(v, "run_id",
                                eb_json_get_str(rec, "run_id", ""));
        cJSON_AddStringToObject(
            v, "model",
            eb_json_get_str(cJSON_GetObjectItemCaseSensitive(rec, "model"),
                            "name", ""));
        cJSON_AddStringToObject(v, "status",
                                eb_json_get_str(rec, "status", ""));
        cJSON_AddItemToObject(
            v, "summary",
            cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(rec, "summary"),
                            1));
        cJSON_AddItemToArray(recs, v);
    }
    text = cJSON_Print(all);
    fprintf(out, "%s\n", text != NULL ? text : "{}");
    free(text);
    cJSON_Delete(all);
}

static int speed_exit(const struct eb_speed *s)
{
    size_t i, good = 0;

    for (i = 0; i < s->run.n_recs; i++)
        good += strcmp(eb_json_get_str(s->run.recs[i], "status", ""),
                       "engine_error") != 0;
    if (good == 0)
        return EB_EXIT_UNFIT;
    if (s->opts.require_upload && s->run.unsent > 0)
        return EB_EXIT_SPOOLED;
    return EB_EXIT_OK;
}

/* What the command line or the files at hand are to blame for. */
static int speed_at_hand(int rc)
{
    return rc == EB_EUSAGE || rc == EB_ENOENT || rc == EB_EINVAL ||
           rc == EB_EPARSE;
}

int eb_speed_suite_main(int argc, char **argv)
{
    struct eb_speed s;
    struct eb_err err = {0};
    int rc, code;

    memset(&s, 0, sizeof(s));
    rc = eb_speed_options(&s.opts, argc, argv, &err);
    if (rc == 0 && s.opts.help) {
        eb_speed_help(stdout);
        return EB_EXIT_OK;
    }
    s.env = eb_speed_env_real();
    if (rc == 0)
        rc = eb_speed_open(&s, &err);
    if (rc == 0) {
        eb_talk_catch_signals();
        eb_run_warn_power(&s.run);
        rc = eb_speed_all(&s, &err);
    }
    if (rc != 0) {
        eb_error("%s", err.msg);
        code = speed_at_hand(rc) ? EB_EXIT_USAGE
               : rc == EB_ENODEV ? EB_EXIT_UNFIT
                                 : EB_EXIT_INTERNAL;
    } else {
        if (s.opts.emit != NULL)
            eb_llama_bench_write(s.run.recs, s.run.n_recs, stdout);
        else if (s.opts.json)
            speed_json(&s, stdout);
        else
            eb_speed_result(&s, s.run.out == stdout ? stderr : stdout);
        code = speed_exit(&s);
    }
    eb_speed_close(&s);
    return code;
}
