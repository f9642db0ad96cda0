/* The parts of `edgebench run`; for run*.c and their tests only. */
#ifndef EB_RUN_PARTS_H
#define EB_RUN_PARTS_H

#include <stdio.h>

#include "agent/seat.h"
#include "agent/tune_store.h"
#include "agent/watch.h"
#include "common/hash.h"
#include "common/opt.h"
#include "common/record.h"
#include "workloads/suite.h"

#define EB_RUN_ITEM_TIMEOUT_NS (60 * INT64_C(1000000000))
#define EB_RUN_BATCH 2048
#define EB_RUN_UBATCH 512
/* Requests at once in a throughput run, and items played alone after it. */
#define EB_RUN_SLOTS 16
#define EB_RUN_LATENCY_ITEMS 20

struct eb_run_opts {
    const char *suite;
    struct eb_opt_list models;
    const char *levels;     /* "a,b"; NULL: all */
    const char *prompt;     /* clear, vague, both */
    const char *constrain;  /* auto, on, off */
    const char *mode;       /* throughput, latency */
    const char *flash_attn; /* auto, on, off */
    const char *power;      /* auto, require, off */
    const char *score;      /* generate, loglik */
    const char *stop;       /* early, never */
    const char *reference;  /* file of records; NULL: none */
    long long margin;       /* to it, in points */
    int full, smallest_first;
    const char *collector;
    const char *out;
    const char *device_name;
    long long limit; /* pairs a level; 0: all */
    long long seed, threads, ctx, timeout_s;
    long long slots, latency_items; /* of a throughput run */
    long long trials;               /* of each item, other values filled in */
    int require_upload, json, speed, tuned, triad, quiet, help;
};

/* Parses and checks the command line; EB_EUSAGE with one sentence. */
int eb_run_options(struct eb_run_opts *o, int argc, char **argv,
                   struct eb_err *err);
void eb_run_help(FILE *out);
/* Appends the models of the data folder in order of size. */
int eb_run_models(struct eb_buf *folder, char ***paths, size_t *n,
                  struct eb_err *err);

/* Which items, in which order. */
struct eb_plan_level {
    const struct eb_level *level;
    size_t pool;   /* items a language that the suite has; --limit plays less */
    char *grammar; /* NULL: output is free */
    int scored;    /* answers are chosen by log-likelihood */
    const struct eb_item **items;
    size_t n_items;
};

struct eb_plan {
    struct eb_plan_level levels[EB_SUITE_LEVELS_MAX];
    size_t n_levels;
    size_t n_items;
};

/* Levels from the cheapest, items by language and then in the random order of
 * workloads/order.h, the same in all languages. limit: the first so many.
 * Levels that cannot be played are named in left_out. */
int eb_plan_make(struct eb_plan *p, const struct eb_suite *s,
                 const struct eb_run_opts *o, struct eb_buf *left_out,
                 struct eb_err *err);
void eb_plan_free(struct eb_plan *p);

/* A model's settings for --tuned. */
struct eb_run_tuned {
    char *path;
    char model_sha256[EB_SHA256_HEX];
    struct eb_tuned tuned;
};

struct eb_run {
    struct eb_run_opts opts;
    cJSON **reference; /* records of one model */
    size_t n_reference;
    struct eb_suite suite;
    struct eb_plan plan;
    struct eb_watch watch;    /* energy, counters, heat */
    struct eb_engine *engine; /* of the model now */
    struct eb_seat *seats;    /* one a slot of it */
    int n_seats;
    struct eb_event *events;
    struct eb_engine_settings settings;
    struct eb_run_tuned *tuned; /* one a model with --tuned */
    size_t n_tuned;
    const struct eb_tuned *tuned_now; /* in settings; NULL: none */
    enum eb_prompt_kind prompts[EB_PROMPT_KINDS];
    size_t n_prompts;
    char session_id[EB_UUID_LEN];
    cJSON *device;
    cJSON *bandwidth; /* of its memory; NULL: not looked at */
    char *spool;
    FILE *out; /* --out; NULL: none */
    cJSON **recs;
    size_t n_recs;
    size_t n_models, at_model;
    size_t unsent;
    int settled;               /* further models cannot change the answer */
    int progress_open;         /* an unfinished line stands on stderr */
    const struct eb_case *now; /* for the fake engine */
    struct eb_buf fake_reply;
};

/* The definition of a level as the record keeps it: bar, errors, cap, pools.
 * The verdicts of the run and of every reader follow from it. */
cJSON *eb_run_level_json(const struct eb_run *r, const struct eb_plan_level *pl,
                         enum eb_prompt_kind prompt);

/* Over all that is settled before the first item: bars, errors, caps, prompts
 * and the order of the items. */
void eb_run_bars_sha256(const struct eb_run *r, enum eb_prompt_kind prompt,
                        char hex[EB_SHA256_HEX]);

/* --tuned. Reads the settings of a model before any is run; sha256 may be ""
 * for not known yet. */
int eb_run_tuned_add(struct eb_run *r, const char *path, const char *sha256,
                     struct eb_err *err);
/* Puts them into r->settings; the model's digest, or NULL without --tuned. */
const char *eb_run_tuned_use(struct eb_run *r, const char *path);
/* What the record's settings say of it. */
void eb_run_tuned_record(const struct eb_run *r, cJSON *settings);
/* What the record says of the file, apart from the settings: runs that differ
 * in it alone may be compared. */
void eb_run_tuned_record_file(const struct eb_run *r, cJSON *rec);
void eb_run_tuned_free(struct eb_run *r);
/* The one sentence for options that --tuned would overrule. */
int eb_run_tuned_check(int tuned, long long threads, const char *flash_attn,
                       struct eb_err *err);

/* What one record is made of; owned by whoever fills it. */
struct eb_run_model {
    const char *path;
    const char *name;  /* file name without .gguf */
    char sha256[65];   /* "" if the file cannot be read */
    double file_bytes; /* -1: unknown */
    cJSON *facts;      /* model members of the engine; NULL: not loaded */
    cJSON *memory;     /* memory members of the engine */
    cJSON *speed;
    int64_t load_ns; /* -1: not loaded */
    int ctx;         /* that was made */
    int slots;
    const char *flash_attn; /* NULL: unknown */
    int shared_peak;        /* eb_memory_shared_peak */
};

/* What a cell of a throughput run took. */
struct eb_run_throughput {
    int64_t wall_ns;
    int64_t items, prompt_tokens, cached_tokens, output_tokens;
};

struct eb_run_part {
    enum eb_prompt_kind prompt;
    int64_t started_us, ended_us;
    const char *status;
    const char *reason;          /* NULL if complete */
    cJSON *start, *end;          /* conditions; taken over */
    cJSON *items;                /* these four are taken over */
    cJSON *throughput, *latency; /* NULL in a latency run */
    cJSON *trials;               /* beyond the first; NULL: none asked for */
    cJSON *watched;              /* power, counters, heat; taken over; NULL:
                                    what the watch has now */
    int failed;                  /* some cell is INSUFFICIENT */
    int open;                    /* some cell is NOT SHOWN */
};

/* Can answers of the level be chosen among values? */
int eb_run_can_score(const struct eb_level *l);
/* The most likely answer to the case, without writing: appended as JSON. */
int eb_run_score(struct eb_engine *e, const struct eb_case *c,
                 struct eb_buf *answer, struct eb_err *err);

/* Reads --reference and checks that it answers the whole pools of the plan
 * with one model. */
int eb_run_reference_open(struct eb_run *r, struct eb_err *err);
/* Adds what the record of a level says about it. */
void eb_run_reference_level(const struct eb_run *r, enum eb_prompt_kind prompt,
                            cJSON *level);
/* Adds how the reference did on the item. */
void eb_run_reference_item(const struct eb_run *r, enum eb_prompt_kind prompt,
                           cJSON *item);

/* Plays all items of the plan on r->engine into the part; 1 if the user
 * stopped it. */
int eb_run_items(struct eb_run *r, const struct eb_run_model *m,
                 struct eb_run_part *part);
int eb_run_throughput_mode(const struct eb_run *r);
/* For struct eb_engine_settings: ends items at their time limit. */
int eb_run_engine_stop(void *run);

/* The finished record, derived. */
cJSON *eb_run_record(struct eb_run *r, const struct eb_run_model *m,
                     struct eb_run_part *part);

/* Measures r->bandwidth, or takes what is kept of it, where a model of the
 * options is a file: before any engine opens. */
void eb_run_bandwidth(struct eb_run *r, const char *sysroot);

/* Takes the finished record over: validated, on disk, in --out, sent. It is
 * safe on disk before it is shown. */
int eb_run_keep(struct eb_run *r, cJSON *rec, struct eb_err *err);

/* Progress on stderr; not shown with --quiet. */
void eb_run_progress(struct eb_run *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* ... a line that the next progress replaces on a terminal. */
void eb_run_tick(struct eb_run *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Which sensor is there and not used, and why. */
void eb_run_warn_power(const struct eb_run *r);

/* The result for people, and as JSON. */
void eb_run_result(const struct eb_run *r, FILE *out);
void eb_run_result_json(const struct eb_run *r, FILE *out);
int eb_run_exit_code(const struct eb_run *r);

/* A level (NULL: all of them, the job) in all languages: the smallest model
 * shown sufficient in each. */
struct eb_run_smallest {
    int found;
    const cJSON *rec;
    int failed; /* the largest model is INSUFFICIENT in some language */
};
struct eb_run_smallest eb_run_smallest(const struct eb_run *r,
                                       enum eb_prompt_kind prompt,
                                       const char *level);

#endif
