#include "agent/nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NVML_LIBRARY "libnvidia-ml.so.1"
#define NVML_PROCESSES_MAX 256
#define NVML_ROW 24
#define NVML_ROW_MAX 32
#define NVML_UNTOUCHED 0xa5

struct eb_nvml_pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[EB_NVML_PCI];
};

static int nvml_load(struct eb_nvml *n, const char *path, struct eb_err *err)
{
    /* The last of a function's names that there is. */
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
               {"nvmlDeviceGetCurrentClocksEventReasons", &n->reasons},
               {"nvmlDeviceGetComputeRunningProcesses_v2", &n->compute},
               {"nvmlDeviceGetComputeRunningProcesses_v3", &n->compute},
               {"nvmlDeviceGetGraphicsRunningProcesses_v2", &n->graphics},
               {"nvmlDeviceGetGraphicsRunningProcesses_v3", &n->graphics}};
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

/* Processes */

struct nvml_process {
    unsigned pid;
    unsigned long long bytes; /* all ones: not available */
    unsigned gpu_instance, compute_instance;
};

_Static_assert(sizeof(struct nvml_process) == NVML_ROW, "a row of NVML");

/* Some drivers of the series 535 have eight bytes more a row under the same
 * name (nvitop, pull requests 79 and 226): how far they wrote tells. */
static size_t nvml_row(const unsigned char *list, size_t n)
{
    size_t i;

    for (i = n * NVML_ROW; i < n * NVML_ROW_MAX; i++) {
        if (list[i] != NVML_UNTOUCHED)
            return NVML_ROW_MAX;
    }
    return NVML_ROW;
}

/* The rows of the process added up: it has one in each part of a board. */
static int nvml_rows(const unsigned char *list, size_t n, unsigned pid,
                     double *bytes, struct eb_err *err)
{
    size_t row = nvml_row(list, n), i;
    struct nvml_process p;
    int found = 0;

    for (i = 0; i < n; i++) {
        memcpy(&p, list + i * row, sizeof(p));
        if (p.pid != pid)
            continue;
        if (p.bytes == ~0ULL)
            return eb_fail(err, EB_ENODEV,
                           "unsupported: NVML does not tell the memory of "
                           "a process here");
        *bytes += (double)p.bytes;
        found = 1;
    }
    if (found)
        return 0;
    return eb_fail(err, EB_ENOENT,
                   "unsupported: NVML does not list this process; it is in a "
                   "container or uses no GPU memory");
}

static int nvml_list(int (*list)(void *, unsigned *, void *), void *gpu,
                     unsigned pid, double *bytes, struct eb_err *err)
{
    unsigned char rows[NVML_PROCESSES_MAX * NVML_ROW_MAX];
    unsigned n = NVML_PROCESSES_MAX;
    int status;

    *bytes = 0;
    if (list == NULL)
        return eb_fail(err, EB_ENODEV,
                       "unsupported: the driver lists no processes");
    memset(rows, NVML_UNTOUCHED, sizeof(rows));
    status = list(gpu, &n, rows);
    if (status == EB_NVML_NO_PERMISSION)
        return eb_fail(err, EB_EPERM, "no permission: NVML status %d", status);
    if (status == EB_NVML_TOO_SMALL || n > NVML_PROCESSES_MAX)
        return eb_fail(err, EB_ELIMIT, "out of range: more than %d processes",
                       NVML_PROCESSES_MAX);
    if (status != EB_NVML_OK)
        return eb_fail(err, EB_ENODEV,
                       "unsupported: no list of processes, NVML status %d",
                       status);
    return nvml_rows(rows, n, pid, bytes, err);
}

int eb_nvml_process(const struct eb_nvml *n, void *gpu, unsigned pid,
                    double *bytes, struct eb_err *err)
{
    double graphics;
    int rc = nvml_list(n->compute, gpu, pid, bytes, err);

    if (rc != 0 && rc != EB_ENOENT)
        return rc;
    /* A process may be in both lists, each time with all that it has. */
    if (nvml_list(n->graphics, gpu, pid, &graphics, NULL) != 0)
        return rc;
    if (rc != 0 || graphics > *bytes)
        *bytes = graphics;
    return 0;
}
