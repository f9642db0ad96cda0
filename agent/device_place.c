#include "agent/device_place.h"

#include <hwloc.h>
#include <sched.h>
#include <stdlib.h>

/* The largest set that sched_getaffinity may need. */
#define PLACE_CPUS 4096

/* The sum over the last level: STREAM's rule is about all of the cache. */
static double place_cache_bytes(hwloc_topology_t t)
{
    static const hwloc_obj_type_t types[] = {
        HWLOC_OBJ_L5CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L3CACHE,
        HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L1CACHE};
    double sum = 0;
    size_t i;
    int k, n;

    for (i = 0; i < sizeof(types) / sizeof(types[0]) && sum <= 0; i++) {
        n = hwloc_get_nbobjs_by_type(t, types[i]);
        for (k = 0; k < n; k++)
            sum += (double)hwloc_get_obj_by_type(t, types[i], (unsigned)k)
                       ->attr->cache.size;
    }
    return sum > 0 ? sum : -1;
}

static void place_without_hwloc(const cpu_set_t *allowed, size_t size,
                                struct eb_places *out)
{
    int i;

    for (i = 0; i < PLACE_CPUS && out->n < EB_PLACES_MAX; i++) {
        if (CPU_ISSET_S((size_t)i, size, allowed))
            out->cpu[out->n++] = i;
    }
}

static void place_cores(hwloc_topology_t t, const cpu_set_t *allowed,
                        size_t size, struct eb_places *out)
{
    int n = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE), i, cpu;

    for (i = 0; i < n && out->n < EB_PLACES_MAX; i++) {
        hwloc_obj_t core =
            hwloc_get_obj_by_type(t, HWLOC_OBJ_CORE, (unsigned)i);

        hwloc_bitmap_foreach_begin(cpu, core->cpuset)
        {
            if (cpu < PLACE_CPUS && CPU_ISSET_S((size_t)cpu, size, allowed)) {
                out->cpu[out->n++] = cpu;
                break;
            }
        }
        hwloc_bitmap_foreach_end();
    }
}

void eb_device_places(struct eb_places *out)
{
    cpu_set_t *allowed = CPU_ALLOC(PLACE_CPUS);
    size_t size = CPU_ALLOC_SIZE(PLACE_CPUS);
    hwloc_topology_t t = NULL;

    out->n = 0;
    out->last_cache_bytes = -1;
    if (allowed == NULL)
        return;
    CPU_ZERO_S(size, allowed);
    if (sched_getaffinity(0, size, allowed) != 0)
        CPU_SET_S(0, size, allowed);
    if (hwloc_topology_init(&t) == 0 && hwloc_topology_load(t) == 0) {
        out->last_cache_bytes = place_cache_bytes(t);
        place_cores(t, allowed, size, out);
    }
    if (out->n == 0)
        place_without_hwloc(allowed, size, out);
    if (t != NULL)
        hwloc_topology_destroy(t);
    CPU_FREE(allowed);
}
