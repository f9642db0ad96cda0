/* hwloc's view of a machine, for the files that read it. */
#ifndef EB_DEVICE_TOPOLOGY_H
#define EB_DEVICE_TOPOLOGY_H

struct hwloc_topology;

/* sysroot as in agent/device.h. NULL: hwloc cannot tell; else the caller
 * destroys it. Not from two threads at once: the environment is used. */
struct hwloc_topology *eb_device_topology(const char *sysroot);

#endif
