/* What sampler.c (thread, windows) and sampler_fold.c (readings to joules)
 * share. Times are nanoseconds since the sampler was opened. */
#ifndef EB_SAMPLER_PARTS_H
#define EB_SAMPLER_PARTS_H

#include <pthread.h>

#include "agent/sampler.h"

#define SAMPLER_OPEN INT64_MAX /* `to_ns` of a window that goes on */

/* A window of one sensor. */
struct sampler_cell {
    double joules, max_w;
    int64_t covered_ns, stuck_ns, gap_ns;
    int64_t reads, failed;
    int rc;        /* of the last failed read */
    int stuck;     /* a counter stood still */
    int backwards; /* ... or went back, or further than it can */
};

struct sampler_state {
    struct eb_sampler_source source;
    const struct eb_power_sensor *sensor;
    int64_t poll_ns, resolution_ns, gap_limit_ns;
    int64_t base_ns, next_ns; /* when it is due */
    int64_t read_ns;          /* start of the last read */
    int have;                 /* value and value_ns hold */
    int in_step;              /* counter: value_ns is when it changed */
    int64_t value, value_ns;  /* gauge: last reading; counter: last change */
    int64_t seen_ns;          /* last good reading */
    int64_t same_ns;          /* gauge: since when the value is the same */
    int repeats, rejects;
    double last_w;  /* counter: before the last change */
    double burst_j; /* counter: collected for the largest power */
    int64_t burst_ns, burst_from_ns;
    int64_t reads, failed, cost_ns, cost_max_ns;
    double trace_j[EB_SAMPLER_TRACE_MAX];
    int64_t trace_ns[EB_SAMPLER_TRACE_MAX];
};

struct eb_sampler {
    struct eb_sampler_settings set;
    int64_t start_ns; /* of the clock */
    struct sampler_state *sensors;
    size_t n;
    struct eb_sampler_window *windows;
    size_t n_windows, left_out;
    struct sampler_cell *cells; /* [window][sensor] */
    size_t stack[EB_SAMPLER_DEPTH_MAX];
    size_t depth, too_deep;
    int64_t trace_from_ns, trace_bin_ns;
    uint64_t random;
    pthread_t thread;
    int threaded, stop, kick;
    pthread_mutex_t lock; /* windows, cells, states; not held while reading */
    pthread_cond_t wake, done;
};

static inline struct sampler_cell *sampler_cell(struct eb_sampler *s,
                                                size_t window, size_t sensor)
{
    return &s->cells[window * s->n + sensor];
}

/* A reading of sensor k that was so at t_ns, or a failed one. */
void sampler_reading(struct eb_sampler *s, size_t k, int64_t t_ns,
                     int64_t value);
void sampler_failed(struct eb_sampler *s, size_t k, int64_t t_ns, int rc);

#endif
