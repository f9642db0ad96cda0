/* What of the program is in the memory of GPUs: members of the record's
 * `memory` and of its phases.
 *
 *     g = eb_memory_gpu_open("");
 *     eb_memory_gpu_before(g);            before a model loads
 *     eb_memory_gpu_engine(g, engine);    its GPUs
 *     eb_memory_gpu_add(g, out);          while the model is there
 *     eb_memory_gpu_close(g);
 *
 * On boards with memory of their own it is what NVML says of this process,
 * summed over the GPUs of the engine. On a Jetson, where processor and GPU
 * share one memory and the resident set has nothing of the GPU's buffers, it
 * is what the driver's nvmap says (root only), and by how much the memory
 * that the kernel can give has fallen, which anyone may read and which has
 * all other programs in it.
 *
 * Example: two boards hold 5 GB and 3 GB of this process, and it had 0.4 GB
 * there before: gpu_bytes 8 GB, gpu_before_bytes 0.4 GB.
 *
 * What cannot be read is null with a reason. All calls take NULL; from one
 * thread. */
#ifndef EB_MEMORY_GPU_H
#define EB_MEMORY_GPU_H

#include <cjson/cJSON.h>

#include "agent/engine.h"

struct eb_memory_gpu;

/* sysroot, kept by the caller: "" for this machine. */
struct eb_memory_gpu *eb_memory_gpu_open(const char *sysroot);
void eb_memory_gpu_close(struct eb_memory_gpu *g);

void eb_memory_gpu_before(struct eb_memory_gpu *g);
/* All GPUs if the engine does not tell. */
void eb_memory_gpu_engine(struct eb_memory_gpu *g, const struct eb_engine *e);
/* gpu_bytes and its source, gpu_before_bytes; on a Jetson
 * available_fall_bytes, below 0 if others gave back more than we took. */
void eb_memory_gpu_add(const struct eb_memory_gpu *g, cJSON *out);

#endif
