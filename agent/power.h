/* Energy of a run: sensors, one file a driver (power_*.c), one table.
 *
 *     struct eb_power_hints h = {.rate_hz = 20};
 *     rc = eb_power_open("", EB_POWER_AUTO, &h, &p, &err);
 *     eb_power_idle(p, 10000);
 *     eb_power_window_begin(p, "whole", NULL, NULL);
 *     eb_power_window_begin(p, "cell", "triage", "en");
 *     ... the work ...
 *     eb_power_window_end(p);                  ends the innermost: the cell
 *     eb_power_window_end(p);
 *     cJSON_AddItemToObject(rec, "power", eb_power_json(p));
 *     eb_power_reset(p);                       before the next record
 *     eb_power_close(p);
 *
 * Windows may nest and may not cross. All calls from one thread; reading is
 * done by the sampler's own (agent/sampler.h). Every call takes NULL and then
 * does nothing, eb_power_json(NULL) says "not measured".
 *
 * Scopes say what a joule is of; they are never added to or ranked with
 * another scope without a mark. */
#ifndef EB_POWER_H
#define EB_POWER_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum eb_power_mode { EB_POWER_OFF, EB_POWER_AUTO, EB_POWER_REQUIRE };
const char *eb_power_mode_name(enum eb_power_mode m);
int eb_power_mode_parse(const char *name); /* -1 if unknown */

/* From what holds most of the device to what holds least. */
enum eb_power_scope {
    EB_POWER_WALL,
    EB_POWER_BATTERY,
    EB_POWER_MODULE,
    EB_POWER_GPU_BOARD,
    EB_POWER_PACKAGE,
    EB_POWER_RAIL,
    EB_POWER_SCOPES /* their number; as `sum`: part of no sum */
};
const char *eb_power_scope_name(enum eb_power_scope s);

enum eb_power_kind {
    EB_POWER_GAUGE,  /* microwatts now */
    EB_POWER_COUNTER /* microjoules since some start */
};

struct eb_power_sensor {
    char name[64];
    enum eb_power_scope scope;
    /* Sensors of one driver and one `sum` add up to that scope: packages and
     * dram to `package`, the rails of a board without a total to `module`. A
     * part of something that is counted already has EB_POWER_SCOPES. */
    enum eb_power_scope sum;
    enum eb_power_kind kind;
    double step_ms;     /* how often the value can change */
    double poll_ms;     /* not read more often; 0: at the sampler's rate */
    int pushed;         /* readings come by themselves every poll_ms */
    double stuck_ms;    /* gauge: as long the same means stuck; 0: never */
    double min_w;       /* below: out of range */
    double max_w;       /* above: out of range */
    int64_t range_uj;   /* counter: starts again at 0 after it; 0: never */
    const char *method; /* what was read, for the record */
    char pci[32];       /* of a GPU's own sensor; "" of others */
};

struct eb_power_reading {
    int64_t value; /* microwatts or microjoules */
    int64_t at_ns; /* when it was so; 0: in the middle of the read */
};

#define EB_POWER_SENSORS_MAX 32

struct eb_power_ops;

/* Drivers put this first in their own struct. */
struct eb_power_dev {
    const struct eb_power_ops *ops;
    struct eb_power_sensor sensors[EB_POWER_SENSORS_MAX];
    size_t n;
};

struct eb_power_hints {
    double rate_hz; /* 0: 20 */
    /* The PCI ids of the GPUs that the engine uses, "0000:01:00.0"; an empty
     * list: none, it runs on the CPU; NULL: not known, then all GPUs. */
    const char *const *pci;
    size_t n_pci;
    const char *meter; /* NULL: $EDGEBENCH_METER (power_meter.c) */
    const char *nvml;  /* library; NULL: $EDGEBENCH_NVML, libnvidia-ml.so.1 */
    const char *fake;  /* NULL: $EDGEBENCH_POWER_FAKE (power_fake.c) */
    const char *vcgencmd; /* path; NULL: $EDGEBENCH_VCGENCMD, $PATH */
    /* Clock of the tests, which tick by hand; NULL: CLOCK_MONOTONIC and a
     * thread. */
    int64_t (*clock)(void *arg);
    void *clock_arg;
    /* perf_event_open of the tests: a descriptor or -1 with errno. */
    int (*perf_open)(uint32_t type, uint64_t config, int cpu);
    /* Filled by eb_power_open. */
    const char *sysroot;
};

struct eb_power_ops {
    const char *name;
    /* EB_ENODEV: not on this machine. The message starts with the reason as
     * the record has it: absent, no permission, masked, unsupported, ... */
    int (*open)(const struct eb_power_hints *h, struct eb_power_dev **out,
                struct eb_err *err);
    /* 0; 1: nothing new since the last read; EB_ENOENT: it vanished,
     * EB_EPERM, EB_EBUSY: not just now, EB_EPARSE, EB_EINVAL with what is
     * said in eb_power_failure. Allocates nothing, never logs. Only from the
     * sampler's thread. */
    int (*read)(struct eb_power_dev *d, size_t i, struct eb_power_reading *r);
    /* Further members of the record's row of the driver; NULL: none. */
    void (*facts)(struct eb_power_dev *d, cJSON *out);
    void (*close)(struct eb_power_dev *d);
};

/* All drivers, NULL-terminated, in order of the record. */
extern const struct eb_power_ops *const eb_power_drivers[];
extern const struct eb_power_ops eb_power_rapl, eb_power_perf, eb_power_nvml,
    eb_power_ina3221, eb_power_hwmon, eb_power_battery, eb_power_meter,
    eb_power_odpm, eb_power_rpi, eb_power_ioreport, eb_power_fake;

struct eb_power;

/* sysroot: "" for this machine. Fails only with EB_POWER_REQUIRE: EB_EPERM if
 * permission was all that was missing, else EB_ENODEV. */
int eb_power_open(const char *sysroot, enum eb_power_mode mode,
                  const struct eb_power_hints *h, struct eb_power **out,
                  struct eb_err *err);
void eb_power_close(struct eb_power *p);
/* Which sensor there is and cannot be used, and why: "battery: ..."; "" if
 * there is none or others are enough. */
void eb_power_advice(const struct eb_power *p, char *out, size_t size);

/* name: idle, prefill, decode, whole, cell; level and lang may be NULL. All
 * three are copied. */
void eb_power_window_begin(struct eb_power *p, const char *name,
                           const char *level, const char *lang);
void eb_power_window_end(struct eb_power *p);
/* What the innermost open window did, for joules of each; -1: not told. */
void eb_power_window_count(struct eb_power *p, int64_t items, int64_t tokens);
/* An idle window of so many milliseconds; waits. */
void eb_power_idle(struct eb_power *p, int64_t ms);
/* The engine uses these GPUs (as in the hints, which may not know yet): only
 * their sensors count, and they before the processor's. n 0: none. */
void eb_power_gpus(struct eb_power *p, const char *const *pci, size_t n);
/* It does not tell: all GPUs count. */
void eb_power_gpus_unknown(struct eb_power *p);
/* The shortest window that is valid for all sensors that stand for a whole,
 * in milliseconds; 0: no sensor. An idle baseline or a repeated test should be
 * as long; a battery needs 50 s. */
int64_t eb_power_shortest_ms(struct eb_power *p);
/* Forgets all windows. */
void eb_power_reset(struct eb_power *p);

/* The record's `power` (common/RECORD.md). Ends windows that are open and
 * waits for the reads that follow the last window, 3 s at most. */
cJSON *eb_power_json(struct eb_power *p);

/* The sampler, for tests with a clock of their own. */
struct eb_sampler *eb_power_sampler(struct eb_power *p);

/* For drivers */

/* Reads a file with one whole number; codes as those of read. */
int eb_power_read_int(const char *path, int64_t *out);
/* A file as it is, "" if it cannot be read; EB_EPARSE if it does not fit. */
int eb_power_read_text(const char *path, char *out, size_t size);
/* The first line of a file without its end, "" if it cannot be read. */
int eb_power_read_line(const char *path, char *out, size_t size);
/* Adds a sensor with everything zero but the ranges; NULL: no room. */
struct eb_power_sensor *eb_power_add(struct eb_power_dev *d, const char *name);
/* 1 if the hints name the PCI id, or do not know the GPUs. */
int eb_power_wanted(const struct eb_power_hints *h, const char *pci);
/* What a code of read means, in the words of the record. */
const char *eb_power_failure(int rc);

#endif
