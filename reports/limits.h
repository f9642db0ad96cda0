/* What keeps a model from being faster on a device: the first row of a table
 * of rules that holds. A pure function of what a record tells of one test;
 * section_limits.c takes it from there.
 *
 *     MBU 0.72, threads ran 99% of the time, no throttling, no page faults:
 *     EB_LIMIT_BANDWIDTH, "bandwidth: MBU 0.72"
 *
 * Disturbances come first: while one lasts, MBU says little. Then bandwidth.
 * Compute is what is left when the threads ran all the time, and the memory
 * had room or the weights lie in the cache: it includes waiting for the cache
 * and for each other. */
#ifndef EB_LIMITS_H
#define EB_LIMITS_H

#include "common/buf.h"

/* The thresholds. */
#define EB_LIMIT_THROTTLED 0.1 /* of the repeats */
/* Major faults a second: a page of a slow disk takes 1 to 10 ms, so these are
 * 2 to 20 % of the time. */
#define EB_LIMIT_FAULTS 20.0
/* Of the threads' time they did run. Above it are the gaps between repeats. */
#define EB_LIMIT_RAN 0.8
/* Cores that others, or the hypervisor (steal), took from the threads. */
#define EB_LIMIT_TAKEN 0.1
/* A move costs the contents of the core's caches, some 0.1 to 1 ms. */
#define EB_LIMIT_MIGRATIONS 50.0
/* STREAM itself is what MBU 1 means; engines that read nothing else reach 0.6
 * to 0.9 of it. Below 0.3 two thirds of the bandwidth are free. */
#define EB_LIMIT_MBU_HIGH 0.6
#define EB_LIMIT_MBU_LOW 0.3

enum eb_limit {
    EB_LIMIT_UNKNOWN,
    EB_LIMIT_THROTTLING,
    EB_LIMIT_PAGE_FAULTS,
    EB_LIMIT_SCHEDULER,
    EB_LIMIT_BANDWIDTH,
    EB_LIMIT_COMPUTE
};

/* NAN: not known. */
struct eb_limit_in {
    const char *no_rate; /* why there is no rate to explain; NULL: there is */
    double throttled;    /* share of the repeats */
    double faults;       /* major, a second */
    double ran;          /* share of the time of the engine's threads */
    double taken;        /* cores that others took from them */
    double switches;     /* of context, a second */
    double migrations;   /* a second */
    double mbu;
    const char *mbu_why; /* where mbu is NAN */
    double weights_bytes;
    double cache_bytes; /* of the last level */
    int accelerated;    /* the processor's threads wait for a GPU */
};

/* Appends "bandwidth: MBU 0.72" or "not known: ...". */
enum eb_limit eb_limit_judge(const struct eb_limit_in *in, struct eb_buf *out);

#endif
