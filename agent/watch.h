/* What is observed beside a run: energy, counters, heat. One object a run, one
 * set of windows a record.
 *
 *     rc = eb_watch_open(&w, "", EB_POWER_AUTO, &err);  before engines open
 *     eb_watch_engine(&w, engine);
 *     eb_watch_begin(&w, "whole", NULL, NULL);
 *       eb_watch_begin(&w, "cell", "triage", "en");
 *       ... eb_watch_tick(&w) now and then ...
 *       eb_watch_end(&w, items, tokens);
 *     eb_watch_end(&w, -1, -1);
 *     eb_watch_record(&w, rec);                      power, counters, heat
 *     eb_watch_next(&w);                             for the next record
 *     eb_watch_close(&w);
 *
 * Windows nest. "whole", "prefill" and "decode" are the counters' phases as
 * well. A watch that is NULL or all zero does nothing; its record has null and
 * the reason. One thread. */
#ifndef EB_WATCH_H
#define EB_WATCH_H

#include <cjson/cJSON.h>

#include "agent/counters.h"
#include "agent/engine.h"
#include "agent/heat.h"
#include "agent/memory_gpu.h"
#include "agent/power.h"

#define EB_WATCH_DEPTH 4

struct eb_watch {
    const char *sysroot;
    struct eb_power *power;
    struct eb_counters *counters;
    struct eb_heat *heat;
    struct eb_heat_nvml *nvml;
    struct eb_memory_gpu *gpu;
    int64_t ticked_ns;
    enum eb_phase phases[EB_WATCH_DEPTH]; /* open windows; EB_PHASES: none */
    int depth;
};

/* Fails only with EB_POWER_REQUIRE, where no sensor can be read. sysroot, kept
 * by the caller: "" for this machine. */
int eb_watch_open(struct eb_watch *w, const char *sysroot,
                  enum eb_power_mode mode, struct eb_err *err);
void eb_watch_close(struct eb_watch *w);

void eb_watch_begin(struct eb_watch *w, const char *name, const char *level,
                    const char *lang);
/* What the window did; -1: not told. */
void eb_watch_end(struct eb_watch *w, int64_t items, int64_t tokens);
/* A model will load: what is in the GPUs' memory by now is not its own. */
void eb_watch_loading(struct eb_watch *w);
/* Of which GPUs energy and memory count: the engine's, all if it does not
 * tell. */
void eb_watch_engine(struct eb_watch *w, const struct eb_engine *e);
/* What is in the GPUs' memory: members of the record's `memory`. */
void eb_watch_memory(const struct eb_watch *w, cJSON *memory);
/* Looks at temperatures and clocks, at most once a second. */
void eb_watch_tick(struct eb_watch *w);

void eb_watch_record(struct eb_watch *w, cJSON *rec);
void eb_watch_next(struct eb_watch *w);

#endif
