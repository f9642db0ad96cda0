/* The kinds of cores of a machine: P and E, big and LITTLE.
 *
 * Example: two P cores with two hardware threads each (0-1, 2-3) and four E
 * cores (4-7): cores 6, cpus 8; kinds[0] is "P" with firsts 0,2 and all 0-3,
 * kinds[1] is "E" with firsts and all 4-7. */
#ifndef EB_DEVICE_KINDS_H
#define EB_DEVICE_KINDS_H

#include "agent/cpus.h"

#define EB_KINDS_MAX 8

struct eb_core_kind {
    /* From the fastest: P, M (between), E. "kind 1" and so on where the
     * kernel does not rank them. */
    char name[24];
    struct eb_cpus firsts; /* one hardware thread of each core */
    struct eb_cpus all;
};

struct eb_core_kinds {
    int cores, cpus; /* that this process may use, at least 1 */
    int n;           /* kinds; 0 or 1: all cores are alike, or not known */
    struct eb_core_kind kinds[EB_KINDS_MAX];
};

/* sysroot as in agent/device.h: "" for this machine, else all processors of
 * the recorded one. Not from two threads at once. */
void eb_device_kinds(const char *sysroot, struct eb_core_kinds *out);

#endif
