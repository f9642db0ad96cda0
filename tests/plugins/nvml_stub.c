/* A stand-in for libnvidia-ml.so.1: two RTX 4090 that draw 60 and 200 W in
 * virtual time of the test through NVML_STUB_T (seconds). synthetic: true;
 * source: NVML's public API reference.
 *
 *     NVML_STUB_FAULT    noinit, noenergy, nothing, noperm, lost
 *     NVML_STUB_REASONS  clock reasons of the second, hexadecimal
 *     NVML_STUB_PROCESS  of the lists of processes: "long", rows of 32 bytes
 *                        as of some drivers; "both", this process is in the
 *                        list of graphics, too; "elsewhere", it has another
 *                        number there; "secret", no bytes; "many"; a status
 *
 * This process has 3 GiB on the first and 5 GiB on the second board. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
};

struct field {
    unsigned id, scope;
    long long timestamp, latency;
    int type, status;
    union {
        double d;
        unsigned ui;
        unsigned long long ull;
    } value;
};

struct process {
    unsigned pid;
    unsigned long long bytes;
    unsigned gpu_instance, compute_instance;
};

static int boards[2];

static int fault(const char *name)
{
    const char *v = getenv("NVML_STUB_FAULT");

    return v != NULL && strcmp(v, name) == 0;
}

static double seconds(void)
{
    const char *v = getenv("NVML_STUB_T");

    return v != NULL ? strtod(v, NULL) : 0;
}

/* 60 W and 200 W. */
static double watts(const void *gpu)
{
    return gpu == &boards[0] ? 60 : 200;
}

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **gpu);
int nvmlDeviceGetPciInfo_v3(void *gpu, struct pci *out);
int nvmlDeviceGetName(void *gpu, char *out, unsigned size);
int nvmlDeviceGetTotalEnergyConsumption(void *gpu, unsigned long long *mj);
int nvmlDeviceGetFieldValues(void *gpu, int n, struct field *f);
int nvmlSystemGetDriverVersion(char *out, unsigned size);
int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *celsius);
int nvmlDeviceGetClockInfo(void *gpu, int domain, unsigned *mhz);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu,
                                              unsigned long long *bits);

int nvmlDeviceGetComputeRunningProcesses_v2(void *gpu, unsigned *n, void *out);
int nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, unsigned *n, void *out);
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *gpu, unsigned *n, void *out);

int nvmlInit_v2(void)
{
    return fault("noinit") ? 9 : 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *n)
{
    *n = 2;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **gpu)
{
    *gpu = &boards[i];
    return 0;
}

int nvmlDeviceGetPciInfo_v3(void *gpu, struct pci *out)
{
    memset(out, 0, sizeof(*out));
    snprintf(out->bus_id, sizeof(out->bus_id), "00000000:%s:00.0",
             gpu == &boards[0] ? "01" : "C1");
    return 0;
}

int nvmlDeviceGetName(void *gpu, char *out, unsigned size)
{
    (void)gpu;
    snprintf(out, size, "NVIDIA GeForce RTX 4090");
    return 0;
}

int nvmlDeviceGetTotalEnergyConsumption(void *gpu, unsigned long long *mj)
{
    if (fault("noenergy") || fault("nothing"))
        return 3;
    if (fault("noperm"))
        return 4;
    if (fault("lost"))
        return 15;
    /* In steps of 100 ms. */
    *mj = 5000000000ULL +
          (unsigned long long)(watts(gpu) * 1000 *
                               (double)(long)(seconds() * 10) / 10);
    return 0;
}

int nvmlDeviceGetFieldValues(void *gpu, int n, struct field *f)
{
    if (fault("noperm"))
        return 4;
    if (n != 1 || f->id != 186 || fault("nothing")) {
        f->status = 3;
        return 0;
    }
    f->status = fault("lost") ? 15 : 0;
    f->type = 1;
    f->value.ui = (unsigned)(watts(gpu) * 1000);
    return 0;
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    snprintf(out, size, "535.54");
    return 0;
}

int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *celsius)
{
    if (sensor != 0 || fault("lost"))
        return 15;
    *celsius = gpu == &boards[0] ? 35 : 71;
    return 0;
}

int nvmlDeviceGetClockInfo(void *gpu, int domain, unsigned *mhz)
{
    if (domain != 1 || fault("lost"))
        return 15;
    *mhz = gpu == &boards[0] ? 210 : 2520;
    return 0;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu,
                                              unsigned long long *bits)
{
    const char *v = getenv("NVML_STUB_REASONS");

    if (fault("lost"))
        return 15;
    *bits = gpu == &boards[0] || v == NULL ? 1 : strtoull(v, NULL, 16);
    return 0;
}

/* Another process, then this one. */
static int processes(const void *gpu, unsigned *n, unsigned char *out,
                     unsigned long long own)
{
    const char *v = getenv("NVML_STUB_PROCESS");
    struct process p[2] = {{1, 7777, 0, 0}, {(unsigned)getpid(), own, 0, 0}};
    size_t row;

    v = v != NULL ? v : "";
    if (*v >= '0' && *v <= '9')
        return atoi(v);
    if (strcmp(v, "many") == 0) {
        *n = 1000;
        return 7;
    }
    if (gpu == &boards[1])
        p[1].bytes = own / 3 * 5;
    if (strcmp(v, "secret") == 0)
        p[1].bytes = ~0ULL;
    p[1].pid += strcmp(v, "elsewhere") == 0;
    row = strcmp(v, "long") == 0 ? 32 : 24;
    *n = 2;
    memset(out, 0, 2 * row);
    memcpy(out, &p[0], sizeof(p[0]));
    memcpy(out + row, &p[1], sizeof(p[1]));
    return 0;
}

/* An older name, whose answer must not be taken beside the newer one. */
int nvmlDeviceGetComputeRunningProcesses_v2(void *gpu, unsigned *n, void *out)
{
    return processes(gpu, n, out, 1);
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, unsigned *n, void *out)
{
    return processes(gpu, n, out, 3ULL << 30);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *gpu, unsigned *n, void *out)
{
    const char *v = getenv("NVML_STUB_PROCESS");

    *n = 0;
    return v != NULL && strcmp(v, "both") == 0
               ? processes(gpu, n, out, 6ULL << 30)
               : 0;
}
