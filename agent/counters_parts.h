/* Shared by the files of `counters`: events, and what a driver is. */
#ifndef EB_COUNTERS_PARTS_H
#define EB_COUNTERS_PARTS_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/counters.h"

enum eb_event_id {
    EB_EVENT_INSTRUCTIONS,
    EB_EVENT_CYCLES,
    EB_EVENT_LLC_MISSES,
    EB_EVENT_DTLB_MISSES,
    EB_EVENT_BRANCH_MISSES,
    EB_EVENT_STALLED_CYCLES,
    EB_EVENTS_HARDWARE,
    EB_EVENT_TASK_CLOCK = EB_EVENTS_HARDWARE,
    EB_EVENT_CONTEXT_SWITCHES,
    EB_EVENT_MIGRATIONS,
    EB_EVENT_MINOR_FAULTS,
    EB_EVENT_MAJOR_FAULTS,
    EB_EVENTS
};

/* Kinds of cores in one machine: phones have three. */
#define EB_PMUS_MAX 4

/* One reading of one event: the raw count and how long it was wanted and
 * counted, all kinds of cores together. */
struct eb_count {
    double raw;
    double enabled_ns;
    double running_ns;        /* -1: the driver does not tell */
    double part[EB_PMUS_MAX]; /* of raw, by kind of core */
};

/* How to talk to the kernel; the tests have their own. */
struct eb_perf_sys {
    int (*open)(struct perf_event_attr *attr, pid_t pid, int cpu, int group,
                unsigned long flags);
    ssize_t (*read)(int fd, void *buf, size_t n);
    int (*close)(int fd);
};
extern const struct eb_perf_sys eb_perf_kernel;

/* An event as a driver opened it. */
struct eb_event_state {
    int open;
    int fd[EB_PMUS_MAX]; /* -1: not on this kind of core */
    int user_only;       /* the kernel's own work is not counted */
    int proved;          /* it counted known work; else it only opened */
    const char *source;  /* the event's name in the driver's words */
    char reason[160];    /* why not, unless open */
};

struct eb_pmu {
    char name[48];
    uint32_t type; /* 0: the one PMU, plain event numbers */
};

/* The processor PMUs of sysroot: cpu, or cpu_core and cpu_atom, or one
 * armv8_... a kind of core. 0 if there is none. */
int eb_counters_pmus(const char *sysroot, struct eb_pmu out[EB_PMUS_MAX]);

/* Known work on the calling thread: at least EB_WORK_STEPS instructions, one
 * sleep, one new page. */
#define EB_WORK_STEPS 200000
void eb_counters_work(void);

/* perf_event_open: opens and proves one event. */
struct eb_perf {
    const char *sysroot;
    const struct eb_perf_sys *sys;
    struct eb_pmu pmus[EB_PMUS_MAX];
    int n_pmus;
};
void eb_perf_init(struct eb_perf *p, const char *sysroot,
                  const struct eb_perf_sys *sys);
void eb_perf_open(const struct eb_perf *p, enum eb_event_id id,
                  struct eb_event_state *out);
/* NULL or why the reading is not good. */
const char *eb_perf_read(const struct eb_perf *p,
                         const struct eb_event_state *e, struct eb_count *out);
void eb_perf_close(const struct eb_perf *p, struct eb_event_state *e);

/* PAPI: all hardware events at once, those that fit. NULL where PAPI proves
 * none; `why` says why. */
struct eb_papi;
struct eb_papi *eb_papi_open(struct eb_event_state out[EB_EVENTS_HARDWARE],
                             char *why, size_t size);
const char *eb_papi_read(struct eb_papi *p, struct eb_count *out,
                         const struct eb_event_state *states);
void eb_papi_close(struct eb_papi *p);

/* As eb_counters_open with another kernel and with or without PAPI. */
int eb_counters_open_with(const char *sysroot, const struct eb_perf_sys *sys,
                          int papi, struct eb_counters **out,
                          struct eb_err *err);

#endif
