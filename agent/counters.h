/* Counters of the processor and the kernel, by phase.
 *
 *     eb_counters_open("", &c, &err);         before the engine opens
 *     eb_counters_begin(c, EB_PHASE_WHOLE);
 *       eb_counters_begin(c, EB_PHASE_PREFILL); ... _end(c, ..PREFILL)
 *       eb_counters_begin(c, EB_PHASE_DECODE);  ... _end(c, ..DECODE)
 *     eb_counters_end(c, EB_PHASE_WHOLE);
 *     json = eb_counters_record(c);           the record's `counters`
 *     eb_counters_close(c);
 *
 * What is counted is the thread that called open and every thread and child
 * process that it or they start later (inherit); so it must be called before
 * the engine has threads. Threads that ran before, and an engine reached over
 * a network, are not in it.
 *
 * Phases may overlap, and a phase may begin and end many times: its spans add
 * up. begin and end read every event once (`snapshot_ns` in the record says
 * what that takes, some 10 us and more with many threads) and allocate
 * nothing. A counter is trusted only after it has counted known work.
 *
 * One thread calls all of these. Drivers: counters_papi.c,
 * counters_perf.c and, for software events where perf may not, the kernel's
 * own accounting of the process (getrusage). */
#ifndef EB_COUNTERS_H
#define EB_COUNTERS_H

#include <cjson/cJSON.h>

#include "common/err.h"

enum eb_phase { EB_PHASE_WHOLE, EB_PHASE_PREFILL, EB_PHASE_DECODE, EB_PHASES };

struct eb_counters;

/* sysroot: where processor PMUs and the permission are looked up. Always 0
 * with a counters object, also where nothing can be counted: the record then
 * says why. */
int eb_counters_open(const char *sysroot, struct eb_counters **out,
                     struct eb_err *err);
void eb_counters_begin(struct eb_counters *c, enum eb_phase phase);
/* Without a begin: nothing. */
void eb_counters_end(struct eb_counters *c, enum eb_phase phase);
/* Forgets the spans, keeps the counters: between two models of a run. */
void eb_counters_reset(struct eb_counters *c);
cJSON *eb_counters_record(const struct eb_counters *c);
void eb_counters_close(struct eb_counters *c); /* NULL is fine */

#endif
