/* Shared by the files of `heat`: what was found at open. */
#ifndef EB_HEAT_PARTS_H
#define EB_HEAT_PARTS_H

#include <stdatomic.h>

#include "agent/heat.h"
#include "agent/sysfs.h"

#define HEAT_ZONES_MAX 64
#define HEAT_SAMPLES_MAX 256

enum heat_kind { HEAT_FAN, HEAT_LIMIT, HEAT_OTHER };

struct heat_zone {
    char name[48];
    char path[160]; /* thousandths of a degree */
};

struct heat_cooling {
    char name[48];
    char path[96]; /* the folder */
    enum heat_kind kind;
};

/* A frequency domain, of cpufreq or devfreq. */
struct heat_clock {
    char name[48];
    char path[128];
    int is_cpu;
};

struct heat_counter {
    char name[48];
    char path[160];
    int is_flags; /* get_throttled, an alarm: bits, not a count */
};

struct heat_snapshot {
    int taken;
    int64_t at_ns;
    double zone[HEAT_ZONES_MAX]; /* degrees, NAN with why */
    const char *zone_why[HEAT_ZONES_MAX];
    double clock_khz[EB_HEAT_CLOCKS_MAX];
    double cooling[EB_HEAT_LIMITS_MAX];
    double ceiling_khz[EB_HEAT_CLOCKS_MAX];
    char governor[EB_HEAT_CLOCKS_MAX][24];
    char power_mode[24]; /* nvpmodel; "" if there is none */
    int android;         /* thermal status, -1 with why */
    const char *android_why;
    struct eb_heat_mark mark;
};

/* A series keeps its extremes also where samples are thinned out. */
struct heat_series {
    float v[HEAT_SAMPLES_MAX];
    double lo, hi;
};

struct eb_heat {
    char *sysroot;
    struct heat_zone zone[HEAT_ZONES_MAX];
    struct heat_cooling cooling[EB_HEAT_LIMITS_MAX];
    struct heat_clock clock[EB_HEAT_CLOCKS_MAX];
    struct heat_counter counter[EB_HEAT_COUNTERS_MAX];
    struct eb_heat_gpu gpu[EB_HEAT_GPUS_MAX];
    int n_zones, n_cooling, n_clocks, n_counters, n_gpus;
    int n_left_out; /* for which there was no room */
    struct heat_snapshot before, after;
    int64_t at_ns[HEAT_SAMPLES_MAX];
    struct heat_series zone_series[HEAT_ZONES_MAX];
    struct heat_series clock_series[EB_HEAT_CLOCKS_MAX];
    struct heat_series cooling_series[EB_HEAT_LIMITS_MAX];
    struct heat_series gpu_series[EB_HEAT_GPUS_MAX];
    int n_samples;
    int64_t calls;
    int64_t stride;    /* of so many calls one is kept */
    int64_t sample_ns; /* what the calls took */
    /* Samples in which something limited the device, and the last that did:
     * read by marks of another thread. */
    atomic_int limited;
    const char *_Atomic limited_by;
};

/* heat_find.c: fills the tables. */
void eb_heat_find(struct eb_heat *h);
/* NULL and degrees, or why not. */
const char *eb_heat_zone_read(const struct eb_heat *h, int i, double *c);
/* heat_android.c: NULL and the status, 0 to 6, or why not. */
const char *eb_heat_android(const char *sysroot, int *status);
const char *eb_heat_android_word(int status);
/* Between before and after: as eb_heat_throttled. */
int eb_heat_between(const struct eb_heat *h, char *why, size_t size);

#endif
