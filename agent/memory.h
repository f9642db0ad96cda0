/* What of a model is in memory, phase by phase: members of the record.
 *
 *     scoped = eb_memory_begin("");
 *     ... load, read, write ...
 *     row = eb_memory_phase("", "load", scoped, "/models/m.gguf");
 *
 * RssAnon is what the program allocated (KV cache, compute buffers, weights
 * that were copied), RssFile what is resident of files (mapped weights), Pss
 * both with shared pages divided by their users, VmHWM the peak of RssAnon +
 * RssFile + RssShmem since begin: proc_pid_status(5), proc_pid_smaps(5).
 *
 * Example: a file of 800 MB that is mapped and of which 300 MB were read so
 * far has model_mapped_bytes 800 MB and model_resident_bytes 300 MB; only the
 * latter is in RssFile, and the kernel may drop it under pressure.
 *
 * Every reader takes a sysroot, as those of device.h. What cannot be read is
 * null with a reason. Not from two threads at once. */
#ifndef EB_MEMORY_H
#define EB_MEMORY_H

#include <cjson/cJSON.h>

/* Starts VmHWM anew; 0 where the kernel does not let us: then peaks are those
 * of the process so far, and the phase says so. */
int eb_memory_begin(const char *sysroot);

/* phase, rss_anon_bytes, rss_file_bytes, pss_bytes, vm_hwm_bytes and its
 * scope, cgroup_peak_bytes, model_mapped_bytes, model_resident_bytes.
 * model: path of the file, NULL or another kind of name if there is none. */
cJSON *eb_memory_phase(const char *sysroot, const char *phase, int scoped,
                       const char *model);

/* vm_hwm_bytes was not started anew and other models ran before, larger ones
 * perhaps: null with the reason, so that no bar is held against it. */
void eb_memory_shared_peak(cJSON *memory);

#endif
