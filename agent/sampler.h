/* Turns readings of power sensors into joules of windows.
 *
 * One thread reads all sensors at a stated rate. Each read is stamped with
 * CLOCK_MONOTONIC before and after; the value holds for the middle. Readings
 * are added to every window that is open as they come, so a run of any length
 * needs the same memory: windows, sensors and the trace have fixed places,
 * nothing is allocated while the sampler runs. The moments are jittered, for
 * a fixed rate reads periodic work always in the same phase.
 *
 *     gauge    2 W at 100 ms, 4 W at 200 ms   -> 0.3 J in between (trapezoid)
 *     counter  5 J at 100 ms, 6 J at 200 ms   -> 1 J in between, 10 W
 *     a window 150 .. 200 ms gets the part of it in there
 *
 * A stretch that cannot be trusted (failed reads, stuck, backwards, out of
 * range) is not covered. A window with less than EB_SAMPLER_COVERAGE of its
 * time covered has no joules but the reason; else the little that is missing
 * is taken to be like the rest. A counter that moves in steps is followed from
 * step to step.
 *
 * Owner: agent/power.c; the caller's clock in tests, which then calls
 * eb_sampler_tick instead of having a thread. */
#ifndef EB_SAMPLER_H
#define EB_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "agent/power.h"

#define EB_SAMPLER_SENSORS_MAX 64
#define EB_SAMPLER_WINDOWS_MAX 512
#define EB_SAMPLER_DEPTH_MAX 8
#define EB_SAMPLER_TRACE_MAX 600
#define EB_SAMPLER_COVERAGE 0.98
/* Windows with fewer steps of the sensor have joules but are not valid: the
 * steps at their two edges weigh too much. */
#define EB_SAMPLER_STEPS_MIN 5

struct eb_sampler_source {
    struct eb_power_dev *dev;
    size_t index;
};

struct eb_sampler_settings {
    double rate_hz;
    int64_t (*clock)(void *arg); /* NULL: eb_clock_ns and a thread */
    void *clock_arg;
};

struct eb_sampler;

int eb_sampler_open(const struct eb_sampler_source *sources, size_t n,
                    const struct eb_sampler_settings *set,
                    struct eb_sampler **out, struct eb_err *err);
void eb_sampler_close(struct eb_sampler *s); /* before the sensors' devices */

/* Reads every sensor that is due; the moment of the next. Tests only. */
void eb_sampler_tick(struct eb_sampler *s);
int64_t eb_sampler_next_ns(const struct eb_sampler *s);

void eb_sampler_begin(struct eb_sampler *s, const char *name, const char *level,
                      const char *lang);
void eb_sampler_end(struct eb_sampler *s);
void eb_sampler_count(struct eb_sampler *s, int64_t items, int64_t tokens);
void eb_sampler_reset(struct eb_sampler *s);
/* Waits until the reads after the last window are in. */
void eb_sampler_settle(struct eb_sampler *s, int64_t max_ms);

struct eb_sampler_window {
    char name[16];
    char level[32];
    char lang[16];
    int64_t from_ns, to_ns; /* since the sampler was opened */
    int64_t items, tokens;  /* -1: not told */
};

struct eb_sampler_result {
    double joules, mean_w; /* NAN: see reason */
    double max_w;          /* NAN: too short to say */
    int64_t reads;
    double coverage; /* 0 .. 1 */
    double largest_gap_ms;
    int valid;
    char reason[160]; /* "" if valid */
};

size_t eb_sampler_windows(const struct eb_sampler *s);
size_t eb_sampler_left_out(const struct eb_sampler *s); /* had no place */
const struct eb_sampler_window *eb_sampler_window(const struct eb_sampler *s,
                                                  size_t window);
void eb_sampler_result(struct eb_sampler *s, size_t window, size_t sensor,
                       struct eb_sampler_result *out);

/* Cost of the reads of a sensor. */
struct eb_sampler_reads {
    int64_t n, failed;
    double mean_us, max_us;
};
void eb_sampler_reads(struct eb_sampler *s, size_t sensor,
                      struct eb_sampler_reads *out);
double eb_sampler_period_ms(const struct eb_sampler *s, size_t sensor);

/* Mean watts of equal spans from *from_ns on, *bin_ms each, NAN where nothing
 * was measured; returns how many. w has EB_SAMPLER_TRACE_MAX places. */
size_t eb_sampler_trace(struct eb_sampler *s, size_t sensor, double *w,
                        int64_t *from_ns, double *bin_ms);
/* Processor time of the thread so far. */
int64_t eb_sampler_cpu_ns(struct eb_sampler *s);

#endif
