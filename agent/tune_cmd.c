#include "agent/tune_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/speed_parts.h"
#include "agent/talk.h"
#include "agent/tune_parts.h"
#include "agent/tune_store.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/opt.h"

#define CMD_TABLE_MAX 20
#define CMD_TOKENS_MAX 65536

static void cmd_table(struct eb_tune_opts *o, struct eb_opt out[CMD_TABLE_MAX])
{
    struct eb_opt t[] = {
        {"model", 'm', EB_OPT_STR, &o->model, "FILE", "GGUF file"},
        {"budget", 0, EB_OPT_STR, &o->budget_text, "TIME",
         "for all of it: 90, 120s, 5m, 1h (120s)"},
        {"objective", 0, EB_OPT_STR, &o->objective_text, "WHAT",
         "pp: reading prompts, tg: writing tokens, both (both)"},
        {"pp", 0, EB_OPT_INT, &o->n_prompt, "N", "tokens of a prompt (512)"},
        {"tg", 0, EB_OPT_INT, &o->n_gen, "N", "tokens that are written (32)"},
        {"depth", 0, EB_OPT_INT, &o->depth, "N",
         "tokens that are there before the writing (512)"},
        {"allow-kv-quant", 0, EB_OPT_FLAG, &o->allow_kv_quant, NULL,
         "also try a KV cache of q8_0, which changes answers slightly"},
        {"seed", 0, EB_OPT_INT, &o->seed, "N", "of the order of visits (1)"},
        {"gate", 0, EB_OPT_STR, &o->gate_text, "TIME",
         "wait so long for a quiet, cool machine (30s)"},
        {"store", 0, EB_OPT_FLAG, &o->store, NULL,
         "store the settings for --tuned (on; --no-store: only show them)"},
        {"out", 'o', EB_OPT_STR, &o->out, "FILE",
         "also write the stored file here; - is standard output"},
        {"json", 0, EB_OPT_FLAG, &o->json, NULL,
         "the result as JSON instead of a table"},
        {"device-name", 0, EB_OPT_STR, &o->device_name, "NAME",
         "name shown for this device (host name)"},
        {"quiet", 'q', EB_OPT_FLAG, &o->quiet, NULL, "no progress"},
        {"help", 'h', EB_OPT_FLAG, &o->help, NULL, "this text"},
        {0}};

    _Static_assert(sizeof(t) / sizeof(t[0]) <= CMD_TABLE_MAX, "table");
    memcpy(out, t, sizeof(t));
}

static int cmd_objective(struct eb_tune_opts *o, struct eb_err *err)
{
    static const char *const names[] = {"pp", "tg", "both"};
    int i;

    for (i = 0; i <= EB_TUNE_BOTH; i++) {
        if (strcmp(o->objective_text, names[i]) == 0) {
            o->objective = (enum eb_tune_test)i;
            return 0;
        }
    }
    return eb_fail(err, EB_EUSAGE, "--objective: '%.40s' is not pp, tg or both",
                   o->objective_text);
}

static int cmd_check(struct eb_tune_opts *o, struct eb_err *err)
{
    int rc = eb_speed_duration("budget", o->budget_text, &o->budget_ns, err);

    if (rc == 0 && o->budget_ns == 0)
        rc = eb_fail(err, EB_EUSAGE, "--budget: 0 is no time to measure in");
    if (rc == 0)
        rc = eb_speed_duration("gate", o->gate_text, &o->gate_ns, err);
    if (rc == 0)
        rc = cmd_objective(o, err);
    if (rc == 0)
        rc = eb_opt_within("pp", o->n_prompt, 16, CMD_TOKENS_MAX, err);
    if (rc == 0)
        rc = eb_opt_within("tg", o->n_gen, 1, CMD_TOKENS_MAX, err);
    if (rc == 0)
        rc = eb_opt_within("depth", o->depth, 0, CMD_TOKENS_MAX, err);
    if (rc == 0)
        rc = eb_opt_within("seed", o->seed, 0, INT64_C(1) << 53, err);
    if (rc == 0 && o->model == NULL)
        rc = eb_fail(err, EB_EUSAGE, "tune needs a model: give -m FILE.gguf");
    if (rc == 0 && o->json && o->out != NULL && strcmp(o->out, "-") == 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--json and --out - both want standard output");
    return rc;
}

int eb_tune_options(struct eb_tune_opts *o, int argc, char **argv,
                    struct eb_err *err)
{
    struct eb_opt table[CMD_TABLE_MAX];
    int n_args = 0, rc;

    *o = (struct eb_tune_opts){.budget_text = "120s",
                               .gate_text = "30s",
                               .objective_text = "both",
                               .n_prompt = 512,
                               .n_gen = 32,
                               .depth = 512,
                               .seed = 1,
                               .store = 1};
    cmd_table(o, table);
    rc = eb_opt_parse(table, argc, argv, &n_args, err);
    if (rc == 0 && n_args > 0 && !o->help)
        rc = eb_fail(err, EB_EUSAGE,
                     "'%.80s': tune takes options only; the model is given "
                     "with -m",
                     argv[argc - n_args]);
    if (rc == 0 && !o->help)
        rc = cmd_check(o, err);
    return rc;
}

void eb_tune_help(FILE *out)
{
    struct eb_opt table[CMD_TABLE_MAX];
    struct eb_tune_opts o = {0};

    cmd_table(&o, table);
    fputs(
        "Usage: edgebench tune -m FILE.gguf [OPTIONS]\n\n"
        "Finds the fastest settings of a model on this device, says how much "
        "faster than\nthe default they are and stores them for `edgebench run "
        "--tuned`.\n\n"
        "One knob after the other: threads and the cores that they stay on "
        "(where there\nare several kinds), flash attention, batch and ubatch, "
        "KV cache. Not all\ncombinations. Each knob by successive halving: "
        "its candidates are visited in\nturn, the slower half is dropped, "
        "those left are visited twice as often. 40% of\nthe budget are left "
        "for a fresh comparison of the pick with the default, visit\nby visit "
        "(ABBA): only a 95% interval above 1 makes the pick the stored "
        "settings.\nUnder taskset(1) only its processors are tried.\n\n",
        out);
    eb_opt_help(table, out);
    fputs("\nThe file: $XDG_CONFIG_HOME/edgebench/tune/DEVICE-MODEL.json, or "
          "in ~/.config.\nCtrl-C ends it and stores nothing.\n\n"
          "Exit codes:\n"
          "  0  done: the pick, or the default where that is as good\n"
          "  1  internal error\n"
          "  2  wrong usage\n"
          "  4  not shown: stopped, or the budget ended before the "
          "comparison; not stored\n"
          "  6  nothing could be measured\n",
          out);
}

/* Results */

static int cmd_out(const char *path, const cJSON *result, struct eb_err *err)
{
    char *text;

    if (strcmp(path, "-") != 0)
        return eb_tune_save(path, result, err);
    text = cJSON_Print(result);
    puts(text != NULL ? text : "{}");
    free(text);
    return 0;
}

static int cmd_store(const struct eb_tune_job *j, const cJSON *result,
                     char **path, struct eb_err *err)
{
    int rc;

    *path = NULL;
    if (!j->opts.store || j->verdict == EB_TUNE_OPEN)
        return 0;
    rc = eb_tune_path(j->device, j->model_sha256, path, err);
    if (rc == 0)
        rc = eb_tune_save(*path, result, err);
    return rc;
}

/* On disk before it is shown. */
static int cmd_results(const struct eb_tune_job *j, struct eb_err *err)
{
    cJSON *result = eb_tune_result(j);
    int to_stdout = j->opts.out != NULL && strcmp(j->opts.out, "-") == 0;
    FILE *table = to_stdout ? stderr : stdout;
    char *path;
    int rc = cmd_store(j, result, &path, err);

    if (rc == 0 && j->opts.out != NULL)
        rc = cmd_out(j->opts.out, result, err);
    if (rc == 0 && j->opts.json) {
        if (path != NULL)
            cJSON_AddStringToObject(result, "stored", path);
        else
            eb_json_add_null(result, "stored",
                             j->opts.store ? "not shown" : "--no-store");
        rc = cmd_out("-", result, err);
    } else if (rc == 0) {
        eb_tune_print(j, table);
        if (path != NULL)
            fprintf(table, "%s stored in %s; edgebench run --tuned uses it\n",
                    j->verdict == EB_TUNE_BETTER ? "The pick is"
                                                 : "The default is",
                    path);
    }
    free(path);
    cJSON_Delete(result);
    return rc;
}

static int cmd_exit_of(int rc)
{
    switch (rc) {
    case EB_EUSAGE:
    case EB_ENOENT:
    case EB_EPERM:
        return EB_EXIT_USAGE;
    case EB_EENGINE:
    case EB_ELIMIT:
        return EB_EXIT_UNFIT;
    case EB_EABORT:
        return EB_EXIT_NOT_SHOWN;
    default:
        return EB_EXIT_INTERNAL;
    }
}

static void cmd_warn_busy(const struct eb_tune_job *j)
{
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(j->gate, "passed")))
        eb_warn("the machine is not quiet: %s",
                eb_json_get_str(j->gate, "note", ""));
}

static int cmd_job(struct eb_tune_job *j)
{
    struct eb_err err = {0};
    int rc;

    eb_talk_catch_signals();
    j->env = eb_speed_env_real();
    eb_device_kinds("", &j->kinds);
    rc = eb_tune_job_open(j, &err);
    if (rc == 0) {
        cmd_warn_busy(j);
        rc = eb_tune_job_run(j, &err);
    }
    if (!j->opts.quiet && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    if (rc == EB_EABORT)
        eb_fail(&err, rc, "stopped; nothing is stored");
    if (rc == 0)
        rc = cmd_results(j, &err);
    if (rc != 0) {
        eb_error("%s", err.msg);
        return cmd_exit_of(rc);
    }
    return j->verdict == EB_TUNE_OPEN ? EB_EXIT_NOT_SHOWN : EB_EXIT_OK;
}

int eb_tune_main(int argc, char **argv)
{
    struct eb_tune_job *j = eb_xcalloc(1, sizeof(*j));
    struct eb_err err = {0};
    int code = EB_EXIT_OK;

    if (eb_tune_options(&j->opts, argc, argv, &err) != 0) {
        eb_error("%s", err.msg);
        code = EB_EXIT_USAGE;
    } else if (j->opts.help) {
        eb_tune_help(stdout);
    } else {
        code = cmd_job(j);
    }
    eb_tune_job_close(j);
    free(j);
    return code;
}
