/* A stand-in for libnvidia-ml.so.1: two RTX 4090 that draw 60 and 200 W in
 * virtual time of the test through NVML_STUB_T (seconds). synthetic: true;
 * source: NVML's public API reference.
 *
 *     NVML_STUB_FAULT    noinit, noenergy, nothing, noperm, lost
 *     NVML_STUB_REASONS  clock reasons of the second, hexadecimal */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
