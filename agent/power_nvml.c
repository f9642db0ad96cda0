/* NVIDIA boards.
 *
 * First the energy counter, millijoules since the driver was loaded (Volta
 * and later), which moves about every 100 ms; beside it, or alone on boards
 * without a counter, the instant power, field 186. nvmlDeviceGetPowerUsage is
 * not read: it is an average of 1 s on some boards and drivers and not on
 * others. A board counts with everything that runs on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/nvml.h"
#include "agent/power.h"
#include "common/mem.h"

#define NVML_STEP_MS 100
#define NVML_STUCK_MS 30000
#define NVML_POLL_MS 50 /* a read may take 2 ms and more */
#define NVML_FIELD_POWER_INSTANT 186

/* A board may have two sensors. */
_Static_assert(2 * EB_NVML_GPUS_MAX <= EB_POWER_SENSORS_MAX, "no room");

struct nvml {
    struct eb_power_dev dev;
    struct eb_nvml api;
    void *gpus[EB_POWER_SENSORS_MAX]; /* [sensor] */
    char names[256];
};

static int nvml_code(int status)
{
    switch (status) {
    case EB_NVML_OK:
        return 0;
    case EB_NVML_NO_PERMISSION:
        return EB_EPERM;
    case EB_NVML_LOST:
        return EB_ENOENT;
    default:
        return EB_EIO;
    }
}

static int nvml_energy(const struct nvml *v, void *gpu, int64_t *uj)
{
    unsigned long long mj = 0;
    int rc = nvml_code(v->api.energy(gpu, &mj));

    *uj = (int64_t)mj * 1000;
    return rc;
}

static int nvml_instant(const struct nvml *v, void *gpu, int64_t *uw)
{
    struct eb_nvml_field f = {.id = NVML_FIELD_POWER_INSTANT};
    int rc = nvml_code(v->api.fields(gpu, 1, &f));

    if (rc == 0)
        rc = nvml_code(f.status);
    if (rc != 0)
        return rc;
    switch (f.type) { /* milliwatts */
    case EB_NVML_DOUBLE:
        *uw = (int64_t)(f.value.d * 1000);
        break;
    case EB_NVML_UINT:
        *uw = (int64_t)f.value.ui * 1000;
        break;
    case EB_NVML_ULONG:
        *uw = (int64_t)f.value.ul * 1000;
        break;
    case EB_NVML_ULONGLONG:
        *uw = (int64_t)f.value.ull * 1000;
        break;
    case EB_NVML_LONGLONG:
        *uw = f.value.ll * 1000;
        break;
    default:
        return EB_EPARSE;
    }
    return 0;
}

static int nvml_read(struct eb_power_dev *d, size_t i,
                     struct eb_power_reading *r)
{
    const struct nvml *v = (const struct nvml *)d;

    return d->sensors[i].kind == EB_POWER_COUNTER
               ? nvml_energy(v, v->gpus[i], &r->value)
               : nvml_instant(v, v->gpus[i], &r->value);
}

static void nvml_close(struct eb_power_dev *d)
{
    struct nvml *v = (struct nvml *)d;

    eb_nvml_close(&v->api);
    free(v);
}

static void nvml_add(struct nvml *v, void *gpu, const char *pci,
                     const char *name, enum eb_power_kind kind, int counts)
{
    struct eb_power_sensor *m = eb_power_add(&v->dev, name);

    if (m == NULL)
        return;
    m->scope = EB_POWER_GPU_BOARD;
    m->sum = counts ? EB_POWER_GPU_BOARD : EB_POWER_SCOPES;
    m->kind = kind;
    m->step_ms = NVML_STEP_MS;
    m->poll_ms = NVML_POLL_MS;
    m->stuck_ms = kind == EB_POWER_GAUGE ? NVML_STUCK_MS : 0;
    m->method = kind == EB_POWER_GAUGE ? "NVML field 186 (instant)"
                                       : "nvmlDeviceGetTotalEnergyConsumption";
    snprintf(m->pci, sizeof(m->pci), "%s", pci);
    v->gpus[v->dev.n - 1] = gpu;
}

static void nvml_gpu(struct nvml *v, void *gpu, const char *pci)
{
    char name[64], model[96] = "";
    int64_t value;
    int counter = 0;
    size_t used = strlen(v->names);

    if (v->api.name != NULL)
        v->api.name(gpu, model, sizeof(model));
    snprintf(v->names + used, sizeof(v->names) - used, "%s%s",
             used > 0 ? ", " : "", model);
    if (v->api.energy != NULL && nvml_energy(v, gpu, &value) == 0) {
        snprintf(name, sizeof(name), "gpu %s", pci);
        nvml_add(v, gpu, pci, name, EB_POWER_COUNTER, 1);
        counter = 1;
    }
    if (v->api.fields != NULL && nvml_instant(v, gpu, &value) == 0) {
        snprintf(name, sizeof(name), "gpu %s instant", pci);
        nvml_add(v, gpu, pci, name, EB_POWER_GAUGE, !counter);
    }
}

static int nvml_gpus(struct nvml *v, const struct eb_power_hints *h,
                     struct eb_err *err)
{
    size_t i;

    for (i = 0; i < v->api.n_gpus; i++) {
        if (eb_power_wanted(h, v->api.pci[i]))
            nvml_gpu(v, v->api.gpus[i], v->api.pci[i]);
    }
    if (v->dev.n > 0)
        return 0;
    return eb_fail(err, EB_ENODEV,
                   v->names[0] != '\0'
                       ? "unsupported: the GPUs have neither an energy "
                         "counter nor instant power (%zu GPUs)"
                       : "absent: the engine uses none of the %zu GPUs",
                   v->api.n_gpus);
}

static int nvml_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                     struct eb_err *err)
{
    struct nvml *v = eb_xcalloc(1, sizeof(*v));
    int rc = eb_nvml_open(&v->api, h->sysroot, h->nvml, err);

    v->dev.ops = &eb_power_nvml;
    if (rc == 0)
        rc = nvml_gpus(v, h, err);
    if (rc == 0)
        *out = &v->dev;
    else
        nvml_close(&v->dev);
    return rc;
}

static void nvml_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct nvml *v = (const struct nvml *)d;

    /* What the fields mean changed between drivers. */
    cJSON_AddStringToObject(out, "driver_version", v->api.driver_version);
    cJSON_AddStringToObject(out, "gpus", v->names);
}

const struct eb_power_ops eb_power_nvml = {"nvml", nvml_open, nvml_read,
                                           nvml_facts, nvml_close};
