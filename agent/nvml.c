#include "agent/nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NVML_LIBRARY "libnvidia-ml.so.1"

struct eb_nvml_pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[EB_NVML_PCI];
};

static int nvml_load(struct eb_nvml *n, const char *path, struct eb_err *err)
{
    /* The first of a function's names that there is. */
    const struct {
        const char *symbol;
        void *to;
    } all[] = {{"nvmlInit_v2", &n->init},
               {"nvmlShutdown", &n->shutdown},
               {"nvmlDeviceGetCount_v2", &n->count},
               {"nvmlDeviceGetHandleByIndex_v2", &n->handle},
               {"nvmlDeviceGetPciInfo_v3", &n->pci_info},
               {"nvmlSystemGetDriverVersion", &n->driver},
               {"nvmlDeviceGetName", &n->name},
               {"nvmlDeviceGetTotalEnergyConsumption", &n->energy},
               {"nvmlDeviceGetFieldValues", &n->fields},
               {"nvmlDeviceGetTemperature", &n->temperature},
               {"nvmlDeviceGetClockInfo", &n->clock},
               {"nvmlDeviceGetCurrentClocksThrottleReasons", &n->reasons},
               {"nvmlDeviceGetCurrentClocksEventReasons", &n->reasons}};
    void *symbol;
    size_t i;

    n->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (n->library == NULL)
        return eb_fail(err, EB_ENODEV, "absent: %s cannot be loaded", path);
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        symbol = dlsym(n->library, all[i].symbol);
        if (symbol != NULL)
            memcpy(all[i].to, &symbol, sizeof(symbol));
    }
    if (n->init == NULL || n->shutdown == NULL || n->count == NULL ||
        n->handle == NULL || n->pci_info == NULL)
        return eb_fail(err, EB_ENODEV, "unsupported: %s is too old", path);
    return 0;
}

static int nvml_start(struct eb_nvml *n, struct eb_err *err)
{
    struct eb_nvml_pci pci;
    unsigned count = 0, i;
    void *gpu;
    int status = n->init();

    if (status == EB_NVML_NO_PERMISSION)
        return eb_fail(err, EB_EPERM, "no permission: NVML status %d", status);
    if (status != EB_NVML_OK)
        return eb_fail(err, EB_ENODEV,
                       "absent: NVML does not start (status %d)", status);
    n->started = 1;
    if (n->driver != NULL)
        n->driver(n->driver_version, sizeof(n->driver_version));
    if (n->count(&count) != EB_NVML_OK)
        count = 0;
    for (i = 0; i < count && n->n_gpus < EB_NVML_GPUS_MAX; i++) {
        memset(&pci, 0, sizeof(pci));
        if (n->handle(i, &gpu) != EB_NVML_OK ||
            n->pci_info(gpu, &pci) != EB_NVML_OK)
            continue;
        pci.bus_id[EB_NVML_PCI - 1] = '\0';
        strcpy(n->pci[n->n_gpus], pci.bus_id);
        n->gpus[n->n_gpus++] = gpu;
    }
    return 0;
}

int eb_nvml_open(struct eb_nvml *n, const char *sysroot, const char *library,
                 struct eb_err *err)
{
    int rc;

    memset(n, 0, sizeof(*n));
    if (library == NULL)
        library = getenv("EDGEBENCH_NVML");
    if (library == NULL && *sysroot != '\0')
        return eb_fail(err, EB_ENODEV,
                       "unsupported: a recorded machine has no NVML");
    rc = nvml_load(n, library != NULL ? library : NVML_LIBRARY, err);
    if (rc == 0)
        rc = nvml_start(n, err);
    if (rc != 0)
        eb_nvml_close(n);
    return rc;
}

void eb_nvml_close(struct eb_nvml *n)
{
    if (n->started)
        n->shutdown();
    if (n->library != NULL)
        dlclose(n->library);
    memset(n, 0, sizeof(*n));
}
