/* What machine is this, and in which state: members of the record.
 *
 * Every reader takes a sysroot, "" for this machine or a folder that holds a
 * recorded /proc, /sys and /etc. What cannot be read is null with a reason.
 * Not from two threads at once. */
#ifndef EB_DEVICE_H
#define EB_DEVICE_H

#include <cjson/cJSON.h>

/* `device`. name: shown name, NULL for the host's. The id is a hash of the
 * machine id, never the id itself. */
cJSON *eb_device_facts(const char *sysroot, const char *name);

/* One of `conditions`. */
cJSON *eb_device_conditions(const char *sysroot);

/* rss_anon_bytes, rss_file_bytes, vm_hwm_bytes of this process. */
void eb_device_memory(const char *sysroot, cJSON *out);

/* Cores this process may use, at least 1: the default number of threads. */
int eb_device_threads(void);

#endif
