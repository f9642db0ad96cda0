/* The search for an engine's fastest settings on a device.
 *
 *     row 0 of a stage is the best so far, the others vary one knob of it:
 *     eb_tune_places(&kinds, &best, &stage);
 *     rc = eb_tune_halve(&source, &rule, deadline, &stage, &err);
 *     best = stage.rows[stage.best].s;
 *     ... the next knob ...
 *     rc = eb_tune_compare(&source, &rule, deadline, &pair, &gain, &err);
 *     r = eb_tune_ratio(&gain, EB_TUNE_BOTH);
 *
 * Knob after knob, so not all combinations: an optimum that needs two knobs
 * turned at once can be missed. Within a knob by successive halving (Karnin et
 * al. 2013, Jamieson and Talwalkar 2016): all candidates are visited once, in
 * a random order, the slower half is dropped, those left are visited twice as
 * often (the last two four times at least), back and forth, until one is left.
 * Equal candidates: the earlier one.
 *
 * The search picks the luckiest of many, so its own figures flatter the pick.
 * The gain is measured anew: visits to the default (A) and the pick (B) in
 * blocks ABBA, a ratio each neighbouring pair, Student's interval of the mean
 * of their logs.
 *
 * The measuring and the clock are the caller's: nothing here knows an engine.
 * One thread. */
#ifndef EB_TUNE_H
#define EB_TUNE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/cpus.h"
#include "agent/device_kinds.h"
#include "common/err.h"

/* Reading prompts, writing tokens. BOTH is the geometric mean of the two. */
enum eb_tune_test { EB_TUNE_PP, EB_TUNE_TG, EB_TUNE_BOTH };
#define EB_TUNE_TESTS 2

#define EB_TUNE_ROWS_MAX 64
#define EB_TUNE_LABEL 64
#define EB_TUNE_REASON 160
#define EB_TUNE_PAIRS_MAX 200

struct eb_tune_setting {
    int threads;
    struct eb_cpus cpus; /* none: the kernel chooses */
    int batch, ubatch;
    const char *flash_attn; /* "auto", "on" or "off" */
    const char *kv_type;    /* "f16" or "q8_0" */
};

/* Tokens per second of a visit; only of the tests of the objective. */
struct eb_tune_visit {
    double tps[EB_TUNE_TESTS];
};

struct eb_tune_source {
    /* Loads, measures, unloads. EB_ELIMIT: ended after limit_ns; EB_EABORT:
     * the user wants to stop; another error: the settings do not work. */
    int (*measure)(void *arg, const struct eb_tune_setting *s, int64_t limit_ns,
                   struct eb_tune_visit *out, struct eb_err *err);
    int64_t (*now)(void *arg);
    void *arg;
};

struct eb_tune_rule {
    enum eb_tune_test objective;
    uint64_t seed;
    double within;    /* half width of the gain's interval that is enough */
    size_t pairs_min; /* even */
};

struct eb_tune_row {
    char label[EB_TUNE_LABEL];
    struct eb_tune_setting s;
    size_t visits;
    double log_sum[EB_TUNE_TESTS + 1]; /* of tokens/s; + 1: the objective */
    int round;                   /* in which it was dropped or won, from 1 */
    char reason[EB_TUNE_REASON]; /* why it was given up; "": it was not */
};

struct eb_tune_stage {
    const char *name;
    struct eb_tune_row rows[EB_TUNE_ROWS_MAX];
    size_t n;
    size_t best;
    int cut;             /* the time ended before one was left */
    int64_t shortest_ns; /* the shortest visit; 0: none yet */
};

struct eb_tune_pair {
    struct eb_tune_setting base, pick;
};

struct eb_tune_gain {
    size_t n;
    double log_ratio[EB_TUNE_TESTS + 1][EB_TUNE_PAIRS_MAX]; /* pick to base */
};

struct eb_tune_ratio {
    double ratio, lo, hi; /* 95 %; NAN for fewer than two pairs */
};

int eb_tune_equal(const struct eb_tune_setting *a,
                  const struct eb_tune_setting *b);

/* Candidates: row 0 is base, none is there twice. */
void eb_tune_places(const struct eb_core_kinds *k,
                    const struct eb_tune_setting *base,
                    struct eb_tune_stage *out);
/* resolved: what the engine made of "auto", which need not be measured again;
 * NULL: not told. */
void eb_tune_attention(const char *resolved, const struct eb_tune_setting *base,
                       struct eb_tune_stage *out);
/* Pairs that cut a prompt of n_prompt tokens alike are one. */
void eb_tune_batches(int n_prompt, const struct eb_tune_setting *base,
                     struct eb_tune_stage *out);
void eb_tune_cache(const struct eb_tune_setting *base,
                   struct eb_tune_stage *out);

/* Mean tokens/s (geometric) of a row; NAN without a visit. */
double eb_tune_rate(const struct eb_tune_row *row, enum eb_tune_test test);

/* A visit that took so long, made before the stage begins: the first round
 * leaves the row out. */
void eb_tune_visited(const struct eb_tune_rule *rule, struct eb_tune_stage *st,
                     size_t row, const struct eb_tune_visit *v,
                     int64_t took_ns);

/* EB_EABORT, or the error of row 0: what is known to run does not. */
int eb_tune_halve(const struct eb_tune_source *src,
                  const struct eb_tune_rule *rule, int64_t deadline_ns,
                  struct eb_tune_stage *st, struct eb_err *err);

/* Ends when the interval is narrow enough, or at the deadline. EB_EABORT, or
 * an error of a visit. */
int eb_tune_compare(const struct eb_tune_source *src,
                    const struct eb_tune_rule *rule, int64_t deadline_ns,
                    const struct eb_tune_pair *pair, struct eb_tune_gain *out,
                    struct eb_err *err);
struct eb_tune_ratio eb_tune_ratio(const struct eb_tune_gain *g,
                                   enum eb_tune_test test);

#endif
