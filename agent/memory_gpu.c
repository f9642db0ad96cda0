#include "agent/memory_gpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/nvml.h"
#include "agent/power.h"
#include "agent/sysfs.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"

#define GPU_NVMAP "/sys/kernel/debug/nvmap/iovmm/clients"
#define GPU_NVMAP_MAX (1 << 20)

/* rc: 0; EB_ENOENT: there is a list of processes, without this one. */
struct gpu_reading {
    int rc;
    double bytes;
    const char *source;
    struct eb_err why;
};

struct eb_memory_gpu {
    const char *sysroot;
    struct eb_nvml nvml;
    int no_nvml; /* 0 or why it does not open */
    struct eb_err why;
    int jetson;
    int known; /* the GPUs of the engine are */
    const char *gpus[EB_ENGINE_GPUS_MAX];
    size_t n_gpus;
    int began;
    struct gpu_reading before;
    double available_before; /* NAN: unknown */
};

/* NVIDIA's boards */

static void gpu_nvml(const struct eb_memory_gpu *g, struct gpu_reading *r)
{
    const struct eb_power_hints h = {.pci = g->known ? g->gpus : NULL,
                                     .n_pci = g->n_gpus};
    double bytes;
    size_t i;
    int rc;

    r->source = "nvml";
    r->rc = g->no_nvml;
    r->why = g->why;
    if (r->rc != 0)
        return;
    r->rc = eb_fail(&r->why, EB_ENODEV,
                    "absent: NVML lists none of the engine's GPUs");
    for (i = 0; i < g->nvml.n_gpus; i++) {
        if (!eb_power_wanted(&h, g->nvml.pci[i]))
            continue;
        rc = eb_nvml_process(&g->nvml, g->nvml.gpus[i], (unsigned)getpid(),
                             &bytes, &r->why);
        if (rc == 0) {
            r->bytes += bytes;
            r->rc = 0;
        } else if (rc != EB_ENOENT) {
            r->rc = rc;
            return; /* a part is no sum */
        } else if (r->rc != 0) {
            r->rc = rc;
        }
    }
}

/* Jetson */

/* "user  llama-server  4242  1048576K": client, process, number, size. Names
 * may have blanks, so a row is read from its end. */
static int gpu_nvmap_row(char *row, long pid, double *bytes)
{
    char *size = strrchr(row, ' '), *number, *end;
    double kb;

    if (size == NULL)
        return 0;
    kb = strtod(size + 1, &end);
    if (end == size + 1 || strcmp(end, "K") != 0)
        return 0;
    while (size > row && size[-1] == ' ')
        size--;
    *size = '\0';
    number = strrchr(row, ' ');
    if (number == NULL || strtol(number + 1, &end, 10) != pid || *end != '\0')
        return 0;
    *bytes += 1024 * kb;
    return 1;
}

static void gpu_nvmap(const struct eb_memory_gpu *g, struct gpu_reading *r)
{
    char *path = eb_xasprintf("%s" GPU_NVMAP, g->sysroot), *row, *save = NULL;
    struct eb_buf b = {0};
    int rc = eb_fs_read(path, GPU_NVMAP_MAX, &b, NULL), found = 0;

    r->source = "nvmap";
    free(path);
    if (rc != 0) {
        r->rc =
            eb_fail(&r->why, rc == EB_EPERM ? rc : EB_ENODEV,
                    rc == EB_EPERM ? "no permission: root may read " GPU_NVMAP
                                   : "absent: " GPU_NVMAP);
        eb_buf_free(&b);
        return;
    }
    r->bytes = 0;
    for (row = b.len > 0 ? strtok_r(b.data, "\n", &save) : NULL; row != NULL;
         row = strtok_r(NULL, "\n", &save))
        found |= gpu_nvmap_row(row, (long)getpid(), &r->bytes);
    r->rc = found ? 0
                  : eb_fail(&r->why, EB_ENOENT,
                            "unsupported: nvmap does not list this process; "
                            "it is in a container or uses no GPU memory");
    eb_buf_free(&b);
}

static double gpu_available(const char *sysroot)
{
    char text[4096];
    double kb =
        eb_sysfs_text(sysroot, "/proc/meminfo", text, sizeof(text)) == NULL
            ? eb_sysfs_key(text, "MemAvailable")
            : -1;

    return kb >= 0 ? 1024 * kb : NAN;
}

static int gpu_jetson(const char *sysroot)
{
    char text[256];

    return eb_sysfs_text(sysroot, "/proc/device-tree/model", text,
                         sizeof(text)) == NULL &&
           strstr(text, "Jetson") != NULL;
}

/* Thor has NVML's list and no nvmap; an Orin's NVML knows no processes. */
static void gpu_read(const struct eb_memory_gpu *g, struct gpu_reading *r)
{
    memset(r, 0, sizeof(*r));
    gpu_nvml(g, r);
    if (r->rc != 0 && r->rc != EB_ENOENT && g->jetson)
        gpu_nvmap(g, r);
}

/* The calls */

struct eb_memory_gpu *eb_memory_gpu_open(const char *sysroot)
{
    struct eb_memory_gpu *g = eb_xcalloc(1, sizeof(*g));

    g->sysroot = sysroot;
    g->no_nvml = eb_nvml_open(&g->nvml, sysroot, NULL, &g->why);
    g->jetson = gpu_jetson(sysroot);
    g->available_before = NAN;
    return g;
}

void eb_memory_gpu_close(struct eb_memory_gpu *g)
{
    if (g == NULL)
        return;
    eb_nvml_close(&g->nvml);
    free(g);
}

void eb_memory_gpu_before(struct eb_memory_gpu *g)
{
    if (g == NULL)
        return;
    gpu_read(g, &g->before);
    g->available_before = gpu_available(g->sysroot);
    g->began = 1;
}

void eb_memory_gpu_engine(struct eb_memory_gpu *g, const struct eb_engine *e)
{
    if (g == NULL)
        return;
    g->known = e->gpus_known;
    g->n_gpus = e->n_gpus;
    memcpy(g->gpus, e->gpus, sizeof(g->gpus));
}

/* A process that is listed now and was not before had nothing there; one that
 * is never listed may have had anything. */
static void gpu_add_before(const struct eb_memory_gpu *g,
                           const struct gpu_reading *now, cJSON *out)
{
    const struct gpu_reading *b = &g->before;

    if (!g->began)
        eb_json_add_null(out, "gpu_before_bytes", "not measured");
    else if (b->rc == 0)
        cJSON_AddNumberToObject(out, "gpu_before_bytes", b->bytes);
    else if (b->rc == EB_ENOENT && now->rc == 0)
        cJSON_AddNumberToObject(out, "gpu_before_bytes", 0);
    else
        eb_json_add_null(out, "gpu_before_bytes", b->why.msg);
}

static void gpu_add_available(const struct eb_memory_gpu *g, cJSON *out)
{
    double fall = g->available_before - gpu_available(g->sysroot);

    if (!g->jetson)
        return;
    if (isnan(fall))
        eb_json_add_null(out, "available_fall_bytes",
                         g->began ? "absent" : "not measured");
    else
        cJSON_AddNumberToObject(out, "available_fall_bytes", fall);
}

void eb_memory_gpu_add(const struct eb_memory_gpu *g, cJSON *out)
{
    struct gpu_reading now;

    if (g == NULL) {
        eb_json_add_null(out, "gpu_bytes", "not measured: the run did not ask");
        return;
    }
    gpu_add_available(g, out);
    if (g->known && g->n_gpus == 0) {
        eb_json_add_null(out, "gpu_bytes", "absent: the engine uses no GPU");
        return;
    }
    gpu_read(g, &now);
    if (now.rc == 0) {
        cJSON_AddNumberToObject(out, "gpu_bytes", now.bytes);
        cJSON_AddStringToObject(out, "gpu_source", now.source);
    } else {
        eb_json_add_null(out, "gpu_bytes", now.why.msg);
    }
    gpu_add_before(g, &now, out);
}
