/* Where threads of a measurement are placed, and how large the caches are. */
#ifndef EB_DEVICE_PLACE_H
#define EB_DEVICE_PLACE_H

#define EB_PLACES_MAX 1024

struct eb_places {
    int n;                  /* one a core that this process may use */
    int cpu[EB_PLACES_MAX]; /* its first hardware thread, the kernel's number */
    double last_cache_bytes; /* all caches of the last level together; -1: not
                                known */
};

/* Of this machine, by hwloc; where that fails, the allowed hardware threads. */
void eb_device_places(struct eb_places *out);

#endif
