/* What power.c (drivers, windows) and power_json.c (the record) share. */
#ifndef EB_POWER_PARTS_H
#define EB_POWER_PARTS_H

#include "agent/power.h"
#include "agent/sampler.h"

#define POWER_DRIVERS_MAX 16

/* A driver as it was found. */
struct power_driver {
    const struct eb_power_ops *ops;
    struct eb_power_dev *dev; /* NULL: not used */
    int rc;
    char reason[256];
};

struct eb_power {
    enum eb_power_mode mode;
    struct power_driver drivers[POWER_DRIVERS_MAX];
    size_t n_drivers;
    struct eb_sampler_source sources[EB_SAMPLER_SENSORS_MAX];
    enum eb_power_scope sums[EB_SAMPLER_SENSORS_MAX]; /* as the drivers said */
    size_t n;
    struct eb_sampler *sampler; /* NULL: no sensor */
    int cpu_only, gpu_known;    /* by the hints */
    int depth;                  /* of the windows */
};

#endif
