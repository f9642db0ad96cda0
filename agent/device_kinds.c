#include "agent/device_kinds.h"

#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/device_topology.h"

/* The largest set that sched_getaffinity may need. */
#define KINDS_CPUS 4096

/* What the process may use of the topology: taskset(1) hides from hwloc. */
static void kinds_allow(const char *sysroot, hwloc_const_bitmap_t all,
                        hwloc_bitmap_t out)
{
    cpu_set_t *set = CPU_ALLOC(KINDS_CPUS);
    size_t size = CPU_ALLOC_SIZE(KINDS_CPUS);
    unsigned i;

    hwloc_bitmap_copy(out, all);
    if (*sysroot == '\0' && set != NULL &&
        sched_getaffinity(0, size, set) == 0) {
        for (i = 0; i < KINDS_CPUS; i++) {
            if (!CPU_ISSET_S(i, size, set))
                hwloc_bitmap_clr(out, i);
        }
    }
    CPU_FREE(set);
}

/* Adds the processors of a kind; returns how many cores they are of. */
static int kinds_cores(hwloc_topology_t t, hwloc_const_bitmap_t of,
                       struct eb_core_kind *k)
{
    int n = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE), i, cpu, cores = 0;
    hwloc_bitmap_t set = hwloc_bitmap_alloc();

    for (i = 0; i < n; i++) {
        hwloc_obj_t core =
            hwloc_get_obj_by_type(t, HWLOC_OBJ_CORE, (unsigned)i);

        hwloc_bitmap_and(set, core->cpuset, of);
        if (hwloc_bitmap_iszero(set))
            continue;
        cores++;
        eb_cpus_add(&k->firsts, hwloc_bitmap_first(set));
        hwloc_bitmap_foreach_begin(cpu, set)
        {
            eb_cpus_add(&k->all, cpu);
        }
        hwloc_bitmap_foreach_end();
    }
    hwloc_bitmap_free(set);
    return cores;
}

static void kinds_name(struct eb_core_kinds *out, int ranked)
{
    int i;

    for (i = 0; i < out->n; i++) {
        struct eb_core_kind *k = &out->kinds[i];

        if (!ranked)
            snprintf(k->name, sizeof(k->name), "kind %d", i + 1);
        else if (i == 0 || i == out->n - 1)
            snprintf(k->name, sizeof(k->name), "%s", i == 0 ? "P" : "E");
        else
            snprintf(k->name, sizeof(k->name), out->n > 3 ? "M%d" : "M", i);
    }
}

/* hwloc puts the kinds in the order of their speed, the slowest first. */
static void kinds_fill(hwloc_topology_t t, hwloc_const_bitmap_t allowed,
                       struct eb_core_kinds *out)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int i, efficiency, ranked = 1;

    for (i = hwloc_cpukinds_get_nr(t, 0) - 1; i >= 0; i--) {
        struct eb_core_kind *k = &out->kinds[out->n];

        if (out->n == EB_KINDS_MAX ||
            hwloc_cpukinds_get_info(t, (unsigned)i, set, &efficiency, NULL,
                                    NULL, 0) != 0)
            continue;
        hwloc_bitmap_and(set, set, allowed);
        ranked &= efficiency >= 0;
        out->n += kinds_cores(t, set, k) > 0;
    }
    hwloc_bitmap_free(set);
    kinds_name(out, ranked);
}

void eb_device_kinds(const char *sysroot, struct eb_core_kinds *out)
{
    hwloc_topology_t t = eb_device_topology(sysroot);
    hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
    struct eb_core_kind all = {0};

    memset(out, 0, sizeof(*out));
    if (t != NULL) {
        kinds_allow(sysroot, hwloc_topology_get_topology_cpuset(t), allowed);
        out->cores = kinds_cores(t, allowed, &all);
        out->cpus = hwloc_bitmap_weight(allowed);
        kinds_fill(t, allowed, out);
        hwloc_topology_destroy(t);
    }
    if (out->cpus < 1)
        out->cpus = 1;
    if (out->cores < 1)
        out->cores = out->cpus;
    hwloc_bitmap_free(allowed);
}
