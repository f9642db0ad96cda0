/* NVIDIA boards through libnvidia-ml.so.1, loaded when it is there; no header
 * of it is needed (the prototypes are those of NVML's public API reference).
 *
 * First the energy counter, millijoules since the driver was loaded (Volta
 * and later), which moves about every 100 ms; beside it, or alone on boards
 * without a counter, the instant power, field 186. nvmlDeviceGetPowerUsage is
 * not read: it is an average of 1 s on some boards and drivers and not on
 * others. A board counts with everything that runs on it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/power.h"
#include "common/mem.h"

#define NVML_LIBRARY "libnvidia-ml.so.1"
#define NVML_STEP_MS 100
#define NVML_STUCK_MS 30000
#define NVML_POLL_MS 50 /* a read may take 2 ms and more */
#define NVML_FIELD_POWER_INSTANT 186
#define NVML_GPUS_MAX (EB_POWER_SENSORS_MAX / 2)

enum { NVML_OK = 0, NVML_NO_PERMISSION = 4, NVML_LOST = 15 };
enum { NVML_DOUBLE, NVML_UINT, NVML_ULONG, NVML_ULONGLONG, NVML_LONGLONG };

struct nvml_pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
};

struct nvml_field {
    unsigned id, scope;
    long long timestamp_us, latency_us;
    int type, status;
    union {
        double d;
        unsigned ui;
        unsigned long ul;
        unsigned long long ull;
        long long ll;
    } value;
};

struct nvml_api {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *n);
    int (*handle)(unsigned i, void **gpu);
    int (*pci)(void *gpu, struct nvml_pci *out);
    int (*name)(void *gpu, char *out, unsigned size);
    int (*energy)(void *gpu, unsigned long long *mj);
    int (*fields)(void *gpu, int n, struct nvml_field *f);
    int (*driver)(char *out, unsigned size);
};

struct nvml {
    struct eb_power_dev dev;
    struct nvml_api api;
    void *library, *gpus[EB_POWER_SENSORS_MAX]; /* [sensor] */
    int started;
    char driver[80], names[256];
};

static int nvml_load(struct nvml *v, const char *path, struct eb_err *err)
{
    const struct {
        const char *symbol;
        void *to;
    } all[] = {{"nvmlInit_v2", &v->api.init},
               {"nvmlShutdown", &v->api.shutdown},
               {"nvmlDeviceGetCount_v2", &v->api.count},
               {"nvmlDeviceGetHandleByIndex_v2", &v->api.handle},
               {"nvmlDeviceGetPciInfo_v3", &v->api.pci},
               {"nvmlDeviceGetName", &v->api.name},
               {"nvmlDeviceGetTotalEnergyConsumption", &v->api.energy},
               {"nvmlDeviceGetFieldValues", &v->api.fields},
               {"nvmlSystemGetDriverVersion", &v->api.driver}};
    void *symbol;
    size_t i;

    v->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (v->library == NULL)
        return eb_fail(err, EB_ENODEV, "absent: %s cannot be loaded", path);
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        symbol = dlsym(v->library, all[i].symbol);
        memcpy(all[i].to, &symbol, sizeof(symbol));
    }
    /* The counter and the field are optional, one of them is needed. */
    if (v->api.init == NULL || v->api.shutdown == NULL ||
        v->api.count == NULL || v->api.handle == NULL || v->api.pci == NULL ||
        (v->api.energy == NULL && v->api.fields == NULL))
        return eb_fail(err, EB_ENODEV, "unsupported: %s is too old", path);
    return 0;
}

static int nvml_code(int status)
{
    switch (status) {
    case NVML_OK:
        return 0;
    case NVML_NO_PERMISSION:
        return EB_EPERM;
    case NVML_LOST:
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
    struct nvml_field f = {.id = NVML_FIELD_POWER_INSTANT};
    int rc = nvml_code(v->api.fields(gpu, 1, &f));

    if (rc == 0)
        rc = nvml_code(f.status);
    if (rc != 0)
        return rc;
    switch (f.type) { /* milliwatts */
    case NVML_DOUBLE:
        *uw = (int64_t)(f.value.d * 1000);
        break;
    case NVML_UINT:
        *uw = (int64_t)f.value.ui * 1000;
        break;
    case NVML_ULONG:
        *uw = (int64_t)f.value.ul * 1000;
        break;
    case NVML_ULONGLONG:
        *uw = (int64_t)f.value.ull * 1000;
        break;
    case NVML_LONGLONG:
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

    if (v->started)
        v->api.shutdown();
    if (v->library != NULL)
        dlclose(v->library);
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

static void nvml_gpu(struct nvml *v, const struct eb_power_hints *h, void *gpu)
{
    struct nvml_pci pci = {0};
    char name[64], model[96] = "";
    int64_t value;
    int counter = 0;
    size_t used = strlen(v->names);

    if (v->api.pci(gpu, &pci) != NVML_OK)
        return;
    pci.bus_id[sizeof(pci.bus_id) - 1] = '\0';
    if (!eb_power_wanted(h, pci.bus_id))
        return;
    if (v->api.name != NULL)
        v->api.name(gpu, model, sizeof(model));
    snprintf(v->names + used, sizeof(v->names) - used, "%s%s",
             used > 0 ? ", " : "", model);
    if (v->api.energy != NULL && nvml_energy(v, gpu, &value) == 0) {
        snprintf(name, sizeof(name), "gpu %s", pci.bus_id);
        nvml_add(v, gpu, pci.bus_id, name, EB_POWER_COUNTER, 1);
        counter = 1;
    }
    if (v->api.fields != NULL && nvml_instant(v, gpu, &value) == 0) {
        snprintf(name, sizeof(name), "gpu %s instant", pci.bus_id);
        nvml_add(v, gpu, pci.bus_id, name, EB_POWER_GAUGE, !counter);
    }
}

static int nvml_gpus(struct nvml *v, const struct eb_power_hints *h,
                     struct eb_err *err)
{
    unsigned n = 0, i;
    void *gpu;
    int status = v->api.init();

    if (status != NVML_OK)
        return eb_fail(err, status == NVML_NO_PERMISSION ? EB_EPERM : EB_ENODEV,
                       status == NVML_NO_PERMISSION
                           ? "no permission: NVML status %d"
                           : "absent: NVML does not start (status %d)",
                       status);
    v->started = 1;
    if (v->api.driver != NULL)
        v->api.driver(v->driver, sizeof(v->driver));
    if (v->api.count(&n) != NVML_OK)
        n = 0;
    for (i = 0; i < n && i < NVML_GPUS_MAX; i++) {
        if (v->api.handle(i, &gpu) == NVML_OK)
            nvml_gpu(v, h, gpu);
    }
    if (v->dev.n > 0)
        return 0;
    return eb_fail(err, EB_ENODEV,
                   v->names[0] != '\0'
                       ? "unsupported: the GPUs have neither an energy "
                         "counter nor instant power (%u GPUs)"
                       : "absent: the engine uses none of the %u GPUs",
                   n);
}

static int nvml_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                     struct eb_err *err)
{
    const char *path = h->nvml != NULL ? h->nvml : getenv("EDGEBENCH_NVML");
    struct nvml *v;
    int rc;

    if (path == NULL && h->sysroot[0] != '\0')
        return eb_fail(err, EB_ENODEV,
                       "unsupported: a recorded machine has no NVML");
    v = eb_xcalloc(1, sizeof(*v));
    v->dev.ops = &eb_power_nvml;
    rc = nvml_load(v, path != NULL ? path : NVML_LIBRARY, err);
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
    cJSON_AddStringToObject(out, "driver_version", v->driver);
    cJSON_AddStringToObject(out, "gpus", v->names);
}

const struct eb_power_ops eb_power_nvml = {"nvml", nvml_open, nvml_read,
                                           nvml_facts, nvml_close};
