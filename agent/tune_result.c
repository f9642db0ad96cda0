/* What `edgebench tune` found, as a file and as a table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/speed_parts.h"
#include "agent/tune_parts.h"
#include "agent/tune_store.h"
#include "common/clock.h"
#include "common/json.h"

static const char *const result_verdicts[] = {"better", "default", "mixed",
                                              "open"};

static void result_test_name(const struct eb_tune_job *j,
                             enum eb_tune_test test, char out[EB_SPEED_NAME])
{
    if (test == EB_TUNE_BOTH)
        snprintf(out, EB_SPEED_NAME, "both");
    else
        eb_speed_name(&j->shapes[test], out);
}

/* JSON */

static void result_rate(const struct eb_tune_row *row, enum eb_tune_test test,
                        const char *key, cJSON *out)
{
    if (row->visits > 0)
        cJSON_AddNumberToObject(out, key, eb_tune_rate(row, test));
    else
        eb_json_add_null(out, key,
                         row->reason[0] != '\0' ? row->reason
                                                : "the time ended before");
}

static cJSON *result_stages(const struct eb_tune_job *j)
{
    cJSON *out = cJSON_CreateArray(), *stage, *rows, *v;
    size_t i, k;

    for (i = 0; i < j->n_stages; i++) {
        const struct eb_tune_stage *st = &j->stages[i];

        stage = cJSON_CreateObject();
        cJSON_AddStringToObject(stage, "knob", st->name);
        cJSON_AddBoolToObject(stage, "cut", st->cut);
        cJSON_AddNumberToObject(stage, "best", (double)st->best);
        rows = cJSON_AddArrayToObject(stage, "candidates");
        for (k = 0; k < st->n; k++) {
            const struct eb_tune_row *row = &st->rows[k];

            v = cJSON_CreateObject();
            cJSON_AddStringToObject(v, "label", row->label);
            cJSON_AddItemToObject(v, "settings", eb_tune_setting_json(&row->s));
            cJSON_AddNumberToObject(v, "visits", (double)row->visits);
            cJSON_AddNumberToObject(v, "round", row->round);
            if (eb_tune_tests(j, EB_TUNE_PP))
                result_rate(row, EB_TUNE_PP, "pp_tps", v);
            if (eb_tune_tests(j, EB_TUNE_TG))
                result_rate(row, EB_TUNE_TG, "tg_tps", v);
            cJSON_AddItemToArray(rows, v);
        }
        cJSON_AddItemToArray(out, stage);
    }
    return out;
}

static cJSON *result_gain(const struct eb_tune_job *j, enum eb_tune_test test)
{
    struct eb_tune_ratio r = eb_tune_ratio(&j->gain, test);
    cJSON *out = cJSON_CreateObject(), *logs;
    char name[EB_SPEED_NAME];
    size_t i;

    result_test_name(j, test, name);
    cJSON_AddStringToObject(out, "test", name);
    cJSON_AddNumberToObject(out, "ratio", r.ratio);
    cJSON_AddNumberToObject(out, "lo", r.lo);
    cJSON_AddNumberToObject(out, "hi", r.hi);
    cJSON_AddNumberToObject(out, "pairs", (double)j->gain.n);
    logs = cJSON_AddArrayToObject(out, "log_ratios");
    for (i = 0; i < j->gain.n; i++)
        cJSON_AddItemToArray(logs,
                             cJSON_CreateNumber(j->gain.log_ratio[test][i]));
    return out;
}

/* Has the test a ratio of its own? */
static int result_has(const struct eb_tune_job *j, enum eb_tune_test test)
{
    return test == EB_TUNE_BOTH ? j->rule.objective == EB_TUNE_BOTH
                                : eb_tune_tests(j, test);
}

static void result_gains(const struct eb_tune_job *j, cJSON *out)
{
    cJSON *gains;
    int t;

    if (j->gain.n < 2) {
        eb_json_add_null(out, "gain",
                         j->verdict == EB_TUNE_DEFAULT
                             ? "nothing to compare: the default was the fastest"
                             : "not measured: stopped, or the budget ended");
        return;
    }
    gains = cJSON_AddArrayToObject(out, "gain");
    for (t = 0; t <= EB_TUNE_BOTH; t++) {
        if (result_has(j, (enum eb_tune_test)t))
            cJSON_AddItemToArray(gains, result_gain(j, (enum eb_tune_test)t));
    }
}

cJSON *eb_tune_result(const struct eb_tune_job *j)
{
    cJSON *out = eb_tune_file(j->device, j->opts.model, j->model_sha256,
                              eb_tune_chosen(j));
    char when[EB_TIME_LEN], name[EB_SPEED_NAME];
    cJSON *tests;
    int t;

    eb_time_format(eb_clock_wall_us(), when);
    cJSON_AddStringToObject(out, "created_at", when);
    cJSON_AddStringToObject(out, "tool_version", EB_VERSION);
    cJSON_AddStringToObject(out, "objective", j->opts.objective_text);
    tests = cJSON_AddArrayToObject(out, "tests");
    for (t = 0; t < EB_TUNE_TESTS; t++) {
        result_test_name(j, (enum eb_tune_test)t, name);
        if (eb_tune_tests(j, (enum eb_tune_test)t))
            cJSON_AddItemToArray(tests, cJSON_CreateString(name));
    }
    cJSON_AddNumberToObject(out, "budget_ns", (double)j->opts.budget_ns);
    cJSON_AddNumberToObject(out, "seed", (double)j->opts.seed);
    cJSON_AddItemToObject(out, "gate", cJSON_Duplicate(j->gate, 1));
    cJSON_AddStringToObject(out, "verdict", result_verdicts[j->verdict]);
    cJSON_AddNumberToObject(out, "candidates_unseen",
                            (double)eb_tune_unseen(j));
    result_gains(j, out);
    cJSON_AddItemToObject(out, "default", eb_tune_setting_json(&j->pair.base));
    cJSON_AddItemToObject(out, "pick", eb_tune_setting_json(&j->pair.pick));
    cJSON_AddItemToObject(out, "stages", result_stages(j));
    return out;
}

/* Table */

static void print_rate(double tps, FILE *out)
{
    if (isfinite(tps))
        fprintf(out, " %14.1f", tps);
    else
        fprintf(out, " %14s", "-");
}

static void print_row(const struct eb_tune_job *j,
                      const struct eb_tune_stage *st, size_t i, FILE *out)
{
    const struct eb_tune_row *row = &st->rows[i];

    fprintf(out, "%-16s %-30s", i == 0 ? st->name : "", row->label);
    if (eb_tune_tests(j, EB_TUNE_PP))
        print_rate(eb_tune_rate(row, EB_TUNE_PP), out);
    if (eb_tune_tests(j, EB_TUNE_TG))
        print_rate(eb_tune_rate(row, EB_TUNE_TG), out);
    fprintf(out, " %7zu%s", row->visits,
            i == st->best && row->visits > 0 ? "  best" : "");
    if (row->reason[0] != '\0')
        fprintf(out, "  %s", row->reason);
    fputc('\n', out);
}

static void print_stages(const struct eb_tune_job *j, FILE *out)
{
    char name[EB_SPEED_NAME];
    size_t i, k;
    int t;

    fprintf(out, "%-16s %-30s", "knob", "candidate");
    for (t = 0; t < EB_TUNE_TESTS; t++) {
        result_test_name(j, (enum eb_tune_test)t, name);
        if (eb_tune_tests(j, (enum eb_tune_test)t))
            fprintf(out, " %14s", name);
    }
    fprintf(out, " %7s\n", "visits");
    for (i = 0; i < j->n_stages; i++) {
        for (k = 0; k < j->stages[i].n; k++)
            print_row(j, &j->stages[i], k, out);
    }
}

static void print_setting(const char *what, const struct eb_tune_setting *s,
                          FILE *out)
{
    char cpus[EB_CPUS_TEXT];

    eb_cpus_text(&s->cpus, cpus);
    fprintf(out,
            "%-9s threads %d%s%s, batch %d, ubatch %d, flash attention %s, KV "
            "cache %s\n",
            what, s->threads, cpus[0] != '\0' ? " on processors " : "", cpus,
            s->batch, s->ubatch, s->flash_attn, s->kv_type);
}

static void print_gain(const struct eb_tune_job *j, FILE *out)
{
    char name[EB_SPEED_NAME];
    int t;

    for (t = EB_TUNE_BOTH; t >= 0 && j->gain.n >= 2; t--) {
        struct eb_tune_ratio r = eb_tune_ratio(&j->gain, (enum eb_tune_test)t);

        if (!result_has(j, (enum eb_tune_test)t))
            continue;
        result_test_name(j, (enum eb_tune_test)t, name);
        fprintf(out,
                "%-9s %s: %.3f times the default, 95%% interval %.3f to %.3f "
                "(%zu pairs)\n",
                "gain", name, r.ratio, r.lo, r.hi, j->gain.n);
    }
}

static const char *print_verdict(const struct eb_tune_job *j)
{
    if (j->verdict == EB_TUNE_BETTER)
        return "The pick is faster than the default.";
    if (j->verdict == EB_TUNE_OPEN)
        return "Not shown: the budget ended before two pairs of the pick and "
               "the default were measured; give a larger --budget.";
    if (j->verdict == EB_TUNE_MIXED)
        return "The pick is faster in one test and slower in the other, so the "
               "default stays: choose with --objective pp or tg.";
    return j->gain.n >= 2
               ? "The default is as good: the gain is not shown to be above 1."
               : "The default is as good: nothing else was faster.";
}

void eb_tune_print(const struct eb_tune_job *j, FILE *out)
{
    print_stages(j, out);
    fputc('\n', out);
    print_setting("default", &j->pair.base, out);
    if (!eb_tune_equal(&j->pair.base, &j->pair.pick))
        print_setting("pick", &j->pair.pick, out);
    print_gain(j, out);
    fprintf(out, "%s\n", print_verdict(j));
    if (eb_tune_unseen(j) > 0)
        fprintf(out,
                "%zu candidates were not measured: the budget ended; give a "
                "larger --budget.\n",
                eb_tune_unseen(j));
    if (strcmp(eb_tune_chosen(j)->kv_type, "f16") != 0)
        fputs("A quantised KV cache changes answers slightly: check the job "
              "with it.\n",
              out);
}
