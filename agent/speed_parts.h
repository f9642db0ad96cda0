/* The parts of the speed suite; for speed_*.c and their tests only. */
#ifndef EB_SPEED_PARTS_H
#define EB_SPEED_PARTS_H

#include "agent/run_parts.h"
#include "agent/speed_gate.h"
#include "agent/speed_request.h"
#include "agent/speed_series.h"

#define EB_SPEED_NAME 48
#define EB_SPEED_LIST_MAX 8
#define EB_SPEED_TESTS_MAX 64
/* Windows of the rate over time: a sixtieth of it, from one to ten seconds. */
#define EB_SPEED_WINDOW_MIN_NS INT64_C(1000000000)
#define EB_SPEED_WINDOW_MAX_NS INT64_C(10000000000)
#define EB_SPEED_SUSTAINED_GEN 16 /* tokens between two looks at the clock */

struct eb_speed_opts {
    struct eb_opt_list models;
    const char *suite, *depths_text, *batches_text, *budget_text;
    const char *sustained_text, *gate_text, *emit, *flash_attn;
    const char *power;
    const char *out, *collector, *device_name;
    long long threads, max_celsius;
    int requests, tuned, triad, require_upload, json, quiet, help;
    /* Made of the texts. */
    int depths[EB_SPEED_LIST_MAX], batches[EB_SPEED_LIST_MAX];
    size_t n_depths, n_batches;
    int64_t budget_ns, sustained_ns, gate_ns;
};

int eb_speed_options(struct eb_speed_opts *o, int argc, char **argv,
                     struct eb_err *err);
void eb_speed_help(FILE *out);
/* "90", "120s", "10m", "1h" into nanoseconds. */
int eb_speed_duration(const char *option, const char *text, int64_t *ns,
                      struct eb_err *err);

/* llama-bench's names: "pp512", "tg128", "pp512+tg128", "tg128 @ d4096"; and
 * "tg128 b4" for four sequences at once. */
void eb_speed_name(const struct eb_bench_shape *s, char out[EB_SPEED_NAME]);
/* All shapes of the options, those of one sequence first; returns how many. */
size_t eb_speed_shapes(const struct eb_speed_opts *o,
                       struct eb_bench_shape out[EB_SPEED_TESTS_MAX]);

struct eb_speed_test {
    struct eb_bench_shape shape;
    char name[EB_SPEED_NAME];
    struct eb_series series;
    double others;           /* cores used by others, the most of all passes */
    char throttled_why[160]; /* of the last repeat where that was known */
    char reason[320];        /* why there is no sample; "": there are */
};

/* One model: what its passes gave so far. */
struct eb_speed_model {
    struct eb_run_model m; /* name is owned */
    struct eb_run_part part;
    struct eb_speed_test *tests;
    size_t n_tests;
    struct eb_speed_requests asks;
    cJSON *load, *phases, *gates, *sustained;
    cJSON *asks_watch; /* who disturbed the requests, a row a phase */
    cJSON *watched;    /* power, counters, heat, of each pass */
    char asks_reason[320];
    char sustained_reason[320]; /* why there is none; "": not asked for */
    char failed[256];           /* why it cannot be run; "": it can */
    double peak_bytes;
};

struct eb_speed {
    struct eb_run run; /* device, spool, records */
    struct eb_speed_opts opts;
    struct eb_speed_env env;
    struct eb_series_rule rule;
    struct eb_speed_model *models;
    size_t n_models;
    int n_passes;
    int n_watched; /* passes so far, of all models */
};

/* opts and env are the caller's and filled; close also after a failure. */
int eb_speed_open(struct eb_speed *s, struct eb_err *err);
void eb_speed_close(struct eb_speed *s);

void eb_speed_model_open(struct eb_speed *s, struct eb_speed_model *v,
                         const char *path);
void eb_speed_model_free(struct eb_speed_model *v);
/* Loads the model and measures all tests once; pass counts from 0. Failures
 * of the model go into it; an error of the call ends the run. */
int eb_speed_pass(struct eb_speed *s, struct eb_speed_model *v, int pass,
                  struct eb_err *err);
/* The finished record, derived. */
cJSON *eb_speed_record(struct eb_speed *s, struct eb_speed_model *v);
/* Passes in the order ABBA..., then the records. */
int eb_speed_all(struct eb_speed *s, struct eb_err *err);

/* Asks the kernel to forget the file's pages: 1 if they are gone, else reason
 * says what stayed (posix_fadvise(2); pages that others map stay). */
int eb_speed_drop_cache(const char *path, char reason[EB_SERIES_REASON]);

/* Rates in windows until the time is over; the record's `sustained`. watch
 * tells of throttling; NULL: not looked at. */
cJSON *eb_speed_sustain(const struct eb_speed_env *env, struct eb_watch *watch,
                        struct eb_engine *e, int64_t length_ns,
                        struct eb_err *err);

/* The cores that others used into the row (NAN: null), and `stable`, `reason`:
 * why says what speaks against the row already, "" nothing. Who disturbs
 * decides first: evenly disturbed samples lie close about a wrong mean. */
void eb_speed_judged(const struct eb_speed *s, double others, const char *why,
                     cJSON *row);

/* The table for people. */
void eb_speed_result(const struct eb_speed *s, FILE *out);

#endif
