/* The parts of `edgebench tune`; for tune_*.c and their tests only. */
#ifndef EB_TUNE_PARTS_H
#define EB_TUNE_PARTS_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "agent/engine.h"
#include "agent/speed_gate.h"
#include "agent/tune.h"
#include "common/hash.h"

#define EB_TUNE_STAGES_MAX 4

struct eb_tune_opts {
    const char *model, *budget_text, *gate_text, *objective_text;
    const char *out, *device_name;
    long long n_prompt, n_gen, depth, seed;
    int allow_kv_quant, store, json, quiet, help;
    /* Made of the texts. */
    int64_t budget_ns, gate_ns;
    enum eb_tune_test objective;
};

int eb_tune_options(struct eb_tune_opts *o, int argc, char **argv,
                    struct eb_err *err);
void eb_tune_help(FILE *out);

enum eb_tune_verdict {
    EB_TUNE_BETTER,  /* the pick is faster than the default */
    EB_TUNE_DEFAULT, /* the default is as good, or nothing else was picked */
    EB_TUNE_MIXED,   /* faster in the mean of both tests, slower in one */
    EB_TUNE_OPEN     /* stopped, or the time ended before it could be said */
};

struct eb_tune_job {
    struct eb_tune_opts opts;
    struct eb_speed_env env; /* clock and stop */
    struct eb_core_kinds kinds;
    struct eb_bench_shape shapes[EB_TUNE_TESTS];
    struct eb_tune_rule rule;
    char model_sha256[EB_SHA256_HEX];
    cJSON *device, *gate;
    char resolved[16]; /* what the engine made of flash attention auto; "" */
    struct eb_tune_stage stages[EB_TUNE_STAGES_MAX];
    size_t n_stages;
    struct eb_tune_pair pair;
    struct eb_tune_gain gain;
    enum eb_tune_verdict verdict;
    int64_t end_ns;   /* of the visit under way */
    int64_t first_ns; /* what the first visit took */
    struct eb_tune_visit first;
    size_t visits;
};

/* opts, env and kinds are the caller's and filled. EB_EENGINE: the model
 * cannot be loaded or benched; EB_ELIMIT: shapes larger than its context. */
int eb_tune_job_open(struct eb_tune_job *j, struct eb_err *err);
void eb_tune_job_close(struct eb_tune_job *j);
/* Searches and compares. EB_EABORT: the user stopped it; EB_ELIMIT: the
 * default was not measured even once within the budget. */
int eb_tune_job_run(struct eb_tune_job *j, struct eb_err *err);

/* Of two pairs at least. Only a pick that is shown faster, and in no test
 * shown slower, is better. */
enum eb_tune_verdict eb_tune_judge(const struct eb_tune_gain *g);
/* What is stored: the default unless the pick is better. */
const struct eb_tune_setting *eb_tune_chosen(const struct eb_tune_job *j);
/* Candidates that the time did not reach. */
size_t eb_tune_unseen(const struct eb_tune_job *j);
/* Is the test part of the objective? */
int eb_tune_tests(const struct eb_tune_job *j, enum eb_tune_test test);
/* The file, and the table for people. */
cJSON *eb_tune_result(const struct eb_tune_job *j);
void eb_tune_print(const struct eb_tune_job *j, FILE *out);

#endif
