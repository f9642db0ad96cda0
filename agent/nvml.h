/* NVIDIA's management library, loaded where it is there. No header of it is
 * needed: the prototypes are those of NVML's public API reference.
 *
 *     rc = eb_nvml_open(&n, sysroot, NULL, &err);
 *     for (i = 0; i < n.n_gpus; i++)
 *         n.temperature(n.gpus[i], 0, &celsius);
 *     eb_nvml_close(&n);
 *
 * Functions that old drivers lack are NULL. NVML may be used by several
 * threads, and not by a process forked after open. */
#ifndef EB_NVML_H
#define EB_NVML_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define EB_NVML_GPUS_MAX 16
#define EB_NVML_PCI 32

enum {
    EB_NVML_OK = 0,
    EB_NVML_UNSUPPORTED = 3,
    EB_NVML_NO_PERMISSION = 4,
    EB_NVML_TOO_SMALL = 7,
    EB_NVML_LOST = 15
};
enum {
    EB_NVML_DOUBLE,
    EB_NVML_UINT,
    EB_NVML_ULONG,
    EB_NVML_ULONGLONG,
    EB_NVML_LONGLONG
};

struct eb_nvml_field {
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

struct eb_nvml_pci;

struct eb_nvml {
    void *library;
    int started;
    void *gpus[EB_NVML_GPUS_MAX];
    char pci[EB_NVML_GPUS_MAX][EB_NVML_PCI]; /* "00000000:01:00.0" */
    size_t n_gpus;
    char driver_version[80];
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *n);
    int (*handle)(unsigned i, void **gpu);
    int (*pci_info)(void *gpu, struct eb_nvml_pci *out);
    int (*driver)(char *out, unsigned size);
    int (*name)(void *gpu, char *out, unsigned size);
    int (*energy)(void *gpu, unsigned long long *mj);
    int (*fields)(void *gpu, int n, struct eb_nvml_field *f);
    int (*temperature)(void *gpu, int sensor, unsigned *celsius);
    int (*clock)(void *gpu, int domain, unsigned *mhz);
    int (*reasons)(void *gpu, unsigned long long *bits);
    int (*compute)(void *gpu, unsigned *n, void *processes);
    int (*graphics)(void *gpu, unsigned *n, void *processes);
};

/* library: NULL: $EDGEBENCH_NVML, libnvidia-ml.so.1, which says nothing of a
 * recorded machine. EB_ENODEV or EB_EPERM, the message begins with the
 * reason. */
int eb_nvml_open(struct eb_nvml *n, const char *sysroot, const char *library,
                 struct eb_err *err);
void eb_nvml_close(struct eb_nvml *n); /* all zero is fine */

/* Memory of the board that is the process's. EB_ENOENT: it is not listed,
 * EB_EPERM, EB_ENODEV, EB_ELIMIT; the message begins with the reason. */
int eb_nvml_process(const struct eb_nvml *n, void *gpu, unsigned pid,
                    double *bytes, struct eb_err *err);

#endif
