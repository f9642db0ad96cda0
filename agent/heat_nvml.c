/* Temperature, clock and clock reasons of NVIDIA boards. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/heat.h"
#include "agent/nvml.h"
#include "common/mem.h"

#define NVML_SENSOR_GPU 0
#define NVML_CLOCK_SM 1

struct heat_board {
    const struct eb_nvml *nvml;
    void *gpu;
};

struct eb_heat_nvml {
    struct eb_nvml nvml;
    struct heat_board boards[EB_NVML_GPUS_MAX];
};

static const char *nvml_read(void *arg, struct eb_heat_gpu_now *out)
{
    const struct heat_board *b = arg;
    const struct eb_nvml *n = b->nvml;
    unsigned celsius, mhz;
    unsigned long long bits;
    int known = 0;

    if (n->temperature != NULL &&
        n->temperature(b->gpu, NVML_SENSOR_GPU, &celsius) == EB_NVML_OK) {
        out->temperature_c = celsius;
        known = 1;
    }
    if (n->clock != NULL &&
        n->clock(b->gpu, NVML_CLOCK_SM, &mhz) == EB_NVML_OK) {
        out->clock_mhz = mhz;
        known = 1;
    }
    if (n->reasons != NULL && n->reasons(b->gpu, &bits) == EB_NVML_OK) {
        out->has_reasons = 1;
        out->reasons = bits;
        known = 1;
    }
    return known ? NULL : "unsupported: NVML tells nothing of the board";
}

struct eb_heat_nvml *eb_heat_nvml_open(const char *sysroot)
{
    struct eb_heat_nvml *h = eb_xcalloc(1, sizeof(*h));

    if (eb_nvml_open(&h->nvml, sysroot, NULL, NULL) == 0)
        return h;
    free(h);
    return NULL;
}

void eb_heat_nvml_add(struct eb_heat_nvml *n, struct eb_heat *h)
{
    size_t i;

    for (i = 0; n != NULL && i < n->nvml.n_gpus; i++) {
        struct eb_heat_gpu gpu = {.read = nvml_read, .arg = &n->boards[i]};

        n->boards[i] = (struct heat_board){&n->nvml, n->nvml.gpus[i]};
        snprintf(gpu.name, sizeof(gpu.name), "gpu %s", n->nvml.pci[i]);
        eb_heat_add_gpu(h, &gpu);
    }
}

void eb_heat_nvml_close(struct eb_heat_nvml *n)
{
    if (n == NULL)
        return;
    eb_nvml_close(&n->nvml);
    free(n);
}
