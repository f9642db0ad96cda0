/* The record's `bandwidth`: what this device's memory gives, by triad. It is
 * measured once a boot and kept in $XDG_CACHE_HOME/edgebench (else
 * ~/.cache/edgebench), under what the device is.
 *
 *     bandwidth = eb_bandwidth(&opts);      before the first model is loaded
 *     ... cJSON_Duplicate(bandwidth, 1) into each record
 *     cJSON_Delete(bandwidth);
 *
 * triad runs in a process of its own, so that its arrays are in no peak of
 * ours and its threads in no counter. It takes some seconds. What other
 * programs disturbed is not kept: the next run measures again.
 *
 * Call it while the process has one thread. */
#ifndef EB_BANDWIDTH_H
#define EB_BANDWIDTH_H

#include <cjson/cJSON.h>

#include "common/err.h"

struct eb_triad;

struct eb_bandwidth_opts {
    const char *sysroot;
    const cJSON *device; /* as eb_device_facts has it */
    const char *why_not; /* NULL: measure; else null with this reason */
    /* As eb_triad_measure with the defaults; NULL: that. For tests. */
    int (*triad)(struct eb_triad *out, struct eb_err *err);
};

cJSON *eb_bandwidth(const struct eb_bandwidth_opts *opts);

#endif
