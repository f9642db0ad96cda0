/* The memory bandwidth of this machine, measured as STREAM's triad does
 * (McCalpin 1995): a[i] = b[i] + s * c[i] on doubles, one thread a core,
 * pinned, each array 4 times the last cache, 24 bytes a step (the read that a
 * store may cause is not counted, as in STREAM).
 *
 * Filling the arrays and measuring take about time_ns each, on a busy machine
 * three times that. Where it is not enough to fill them they are smaller: the
 * record's over_cache tells. Not beside anything that
 * is measured: it uses every core and all of the bandwidth. */
#ifndef EB_TRIAD_H
#define EB_TRIAD_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/err.h"

#define EB_TRIAD_REPEATS_MAX 256

struct eb_triad_opts {
    int64_t time_ns;     /* 0: one second */
    int threads;         /* 0: one a core */
    double memory_bytes; /* of the three arrays at most; 0: a quarter of what
                            is available */
    double array_bytes;  /* 0: 4 times the cache; else so much, for tests */
};

struct eb_triad {
    int threads;
    int pinned;         /* threads that could be pinned */
    double array_bytes; /* of each of the three */
    double last_cache_bytes;
    int repeats;
    double gbps[EB_TRIAD_REPEATS_MAX]; /* 1e9 bytes a second, in order */
    double cpu_share; /* of the passes' time the threads really ran; others
                         had the rest */
    double best_gbps;
    double median_gbps;
    int64_t wall_ns;
};

/* EB_ELIMIT: too little memory for arrays larger than the cache. */
int eb_triad_measure(const struct eb_triad_opts *opts, struct eb_triad *out,
                     struct eb_err *err);
/* NULL, or why the bandwidth is not that of the memory. */
const char *eb_triad_why(const struct eb_triad *t);
/* The record's `bandwidth.triad`; t NULL: null with the reason. */
void eb_triad_record(const struct eb_triad *t, const char *reason, cJSON *out);

#endif
