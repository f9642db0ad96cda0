#include "agent/device.h"

#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/device_topology.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"

#define DEVICE_FILE_MAX (1u << 20)
#define DEVICE_ZONES_MAX 64

/* Reads sysroot + path; the reason why not, or NULL. */
static const char *device_read(const char *sysroot, const char *path,
                               struct eb_buf *out)
{
    char *full = eb_xasprintf("%s%s", sysroot, path);
    int rc;

    eb_buf_reset(out);
    rc = eb_fs_read(full, DEVICE_FILE_MAX, out, NULL);
    free(full);
    if (rc == 0 && out->data == NULL)
        eb_buf_adds(out, "");
    while (out->len > 0 && strchr("\n ", out->data[out->len - 1]) != NULL)
        out->data[--out->len] = '\0';
    switch (rc) {
    case 0:
        return NULL;
    case EB_ENOENT:
        return "absent";
    case EB_EPERM:
        return "no permission";
    default:
        return "unsupported";
    }
}

/* The number behind "Key:" in a file of such lines, -1 if it has none. */
static double device_value(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (; text != NULL && *text != '\0';
         text = strchr(text, '\n'), text += text != NULL) {
        if (strncmp(text, key, n) == 0 && text[n] == ':')
            return strtod(text + n + 1, NULL);
    }
    return -1;
}

/* A kB line of /proc as bytes. */
static void device_kb(const char *text, const char *why, const char *key,
                      cJSON *out, const char *name)
{
    double v = why == NULL ? device_value(text, key) : -1;

    if (v >= 0)
        cJSON_AddNumberToObject(out, name, v * 1024);
    else
        eb_json_add_null(out, name, why != NULL ? why : "absent");
}

/* Identity */

static void device_id(const char *sysroot, const char *host, cJSON *out)
{
    struct eb_buf b = {0}, key = {0};
    const char *why = device_read(sysroot, "/etc/machine-id", &b);
    char hex[EB_SHA256_HEX];

    /* A hash, for the machine id must not leave the machine: machine-id(5). */
    if (why == NULL && b.len > 0)
        eb_buf_addf(&key, "edgebench machine-id %s", b.data);
    else
        eb_buf_addf(&key, "edgebench host name %s", host);
    eb_sha256(key.data, key.len, hex);
    hex[16] = '\0';
    cJSON_AddStringToObject(out, "id", hex);
    cJSON_AddStringToObject(out, "id_source",
                            why == NULL && b.len > 0 ? "machine-id"
                                                     : "host name");
    eb_buf_free(&b);
    eb_buf_free(&key);
}

static void device_os(const char *sysroot, const struct utsname *u, cJSON *out)
{
    cJSON *os = cJSON_AddObjectToObject(out, "os");
    struct eb_buf b = {0};
    const char *why = device_read(sysroot, "/etc/os-release", &b), *p = NULL;
    char *name;

    if (why == NULL)
        p = strstr(b.data, "PRETTY_NAME=");
    if (p != NULL) {
        p += strlen("PRETTY_NAME=");
        p += *p == '"';
        name = eb_xstrndup(p, strcspn(p, "\"\n"));
        cJSON_AddStringToObject(os, "name", name);
        free(name);
    } else {
        cJSON_AddStringToObject(os, "name", u->sysname);
    }
    if (*sysroot == '\0')
        cJSON_AddStringToObject(os, "kernel", u->release);
    else if ((why = device_read(sysroot, "/proc/sys/kernel/osrelease", &b)) ==
             NULL)
        cJSON_AddStringToObject(os, "kernel", b.data);
    else
        eb_json_add_null(os, "kernel", why);
    eb_buf_free(&b);
}

/* Processor */

static void device_kinds(hwloc_topology_t t, cJSON *cpu)
{
    cJSON *kinds = cJSON_AddArrayToObject(cpu, "kinds"), *kind;
    int n = hwloc_cpukinds_get_nr(t, 0), i, efficiency;
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    unsigned n_infos, k;
    struct hwloc_info_s *infos;

    for (i = 0; i < n; i++) {
        double mhz = -1;

        if (hwloc_cpukinds_get_info(t, (unsigned)i, set, &efficiency, &n_infos,
                                    &infos, 0) != 0)
            continue;
        for (k = 0; k < n_infos; k++) {
            if (strcmp(infos[k].name, "FrequencyMaxMHz") == 0)
                mhz = strtod(infos[k].value, NULL);
        }
        kind = cJSON_CreateObject();
        cJSON_AddNumberToObject(kind, "efficiency", efficiency);
        cJSON_AddNumberToObject(kind, "threads", hwloc_bitmap_weight(set));
        if (mhz > 0)
            cJSON_AddNumberToObject(kind, "max_mhz", mhz);
        else
            eb_json_add_null(kind, "max_mhz", "absent");
        cJSON_AddItemToArray(kinds, kind);
    }
    hwloc_bitmap_free(set);
}

static void device_caches(hwloc_topology_t t, cJSON *cpu)
{
    static const hwloc_obj_type_t types[] = {
        HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L1ICACHE, HWLOC_OBJ_L2CACHE,
        HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE};
    static const char *const names[] = {"unified", "data", "instruction"};
    cJSON *caches = cJSON_AddArrayToObject(cpu, "caches"), *c;
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int n = hwloc_get_nbobjs_by_type(t, types[i]);
        hwloc_obj_t o = n > 0 ? hwloc_get_obj_by_type(t, types[i], 0) : NULL;

        if (o == NULL || o->attr == NULL)
            continue;
        c = cJSON_CreateObject();
        cJSON_AddNumberToObject(c, "level", o->attr->cache.depth);
        cJSON_AddStringToObject(c, "type", names[o->attr->cache.type]);
        cJSON_AddNumberToObject(c, "bytes", (double)o->attr->cache.size);
        cJSON_AddNumberToObject(c, "count", n);
        cJSON_AddItemToArray(caches, c);
    }
}

hwloc_topology_t eb_device_topology(const char *sysroot)
{
    hwloc_topology_t t;

    if (*sysroot != '\0')
        setenv("HWLOC_FSROOT", sysroot, 1);
    if (hwloc_topology_init(&t) != 0)
        t = NULL;
    if (t != NULL) {
        hwloc_topology_set_icache_types_filter(t, HWLOC_TYPE_FILTER_KEEP_ALL);
        if (hwloc_topology_load(t) != 0) {
            hwloc_topology_destroy(t);
            t = NULL;
        }
    }
    if (*sysroot != '\0')
        unsetenv("HWLOC_FSROOT");
    return t;
}

/* /proc/cpuinfo where hwloc knows no name (most ARM boards). */
static void device_cpu_name(const char *sysroot, const char *known, cJSON *cpu)
{
    static const char *const keys[] = {"model name", "Hardware", "Model"};
    struct eb_buf b = {0};
    const char *p = NULL;
    size_t i;
    char *name;

    if (known == NULL && device_read(sysroot, "/proc/cpuinfo", &b) == NULL) {
        for (i = 0; i < 3 && p == NULL; i++)
            p = strstr(b.data, keys[i]);
        if (p != NULL && (p = strchr(p, ':')) != NULL)
            p += strspn(p, ": \t");
    }
    if (known != NULL) {
        cJSON_AddStringToObject(cpu, "model", known);
    } else if (p != NULL) {
        name = eb_xstrndup(p, strcspn(p, "\n"));
        cJSON_AddStringToObject(cpu, "model", name);
        free(name);
    } else {
        eb_json_add_null(cpu, "model", "absent");
    }
    eb_buf_free(&b);
}

static void device_cpu(const char *sysroot, const struct utsname *u, cJSON *out)
{
    cJSON *cpu = cJSON_AddObjectToObject(out, "cpu");
    hwloc_topology_t t = eb_device_topology(sysroot);
    const char *known = NULL, *arch = u->machine;
    hwloc_obj_t pack;

    if (t == NULL) {
        device_cpu_name(sysroot, NULL, cpu);
        eb_json_add_null(cpu, "cores", "unsupported");
        eb_json_add_null(cpu, "threads", "unsupported");
        return;
    }
    pack = hwloc_get_obj_by_type(t, HWLOC_OBJ_PACKAGE, 0);
    if (pack != NULL)
        known = hwloc_obj_get_info_by_name(pack, "CPUModel");
    device_cpu_name(sysroot, known, cpu);
    if (*sysroot != '\0')
        arch =
            hwloc_obj_get_info_by_name(hwloc_get_root_obj(t), "Architecture");
    if (arch != NULL)
        cJSON_AddStringToObject(cpu, "arch", arch);
    else
        eb_json_add_null(cpu, "arch", "absent");
    cJSON_AddNumberToObject(cpu, "cores",
                            hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE));
    cJSON_AddNumberToObject(cpu, "threads",
                            hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU));
    device_kinds(t, cpu);
    device_caches(t, cpu);
    hwloc_topology_destroy(t);
}

int eb_device_threads(void)
{
    hwloc_topology_t t = eb_device_topology("");
    cpu_set_t set;
    int cores = 1;

    if (t != NULL) {
        cores = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE);
        hwloc_topology_destroy(t);
    }
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) < cores)
        cores = CPU_COUNT(&set);
    return cores < 1 ? 1 : cores;
}

cJSON *eb_device_facts(const char *sysroot, const char *name)
{
    cJSON *out = cJSON_CreateObject();
    struct eb_buf b = {0};
    struct utsname u;
    const char *why;

    memset(&u, 0, sizeof(u));
    uname(&u);
    device_id(sysroot, u.nodename, out);
    if (name == NULL || *name == '\0')
        name = u.nodename[0] != '\0' ? u.nodename : "unnamed";
    cJSON_AddStringToObject(out, "name", name);
    device_cpu(sysroot, &u, out);
    why = device_read(sysroot, "/proc/meminfo", &b);
    device_kb(b.data, why, "MemTotal", out, "memory_bytes");
    device_os(sysroot, &u, out);
    cJSON_AddArrayToObject(out, "accelerators");
    eb_buf_free(&b);
    return out;
}

/* Conditions */

/* The governors in use, "schedutil" or "performance powersave". */
static void device_governor(const char *sysroot, cJSON *out)
{
    static const char dir[] = "/sys/devices/system/cpu/cpufreq";
    char *full = eb_xasprintf("%s%s", sysroot, dir), **names = NULL, *path;
    struct eb_buf b = {0}, all = {0};
    const char *why = "absent";
    size_t n = 0, i;

    if (eb_fs_list(full, "", &names, &n, NULL) != 0)
        n = 0;
    for (i = 0; i < n; i++) {
        if (strncmp(names[i], "policy", 6) != 0)
            continue;
        path = eb_xasprintf("%s/%s/scaling_governor", dir, names[i]);
        why = device_read(sysroot, path, &b);
        free(path);
        if (why == NULL && (all.data == NULL || !strstr(all.data, b.data)))
            eb_buf_addf(&all, "%s%s", all.len > 0 ? " " : "", b.data);
    }
    if (all.len > 0)
        cJSON_AddStringToObject(out, "governor", all.data);
    else
        eb_json_add_null(out, "governor", why != NULL ? why : "absent");
    if (n > 0)
        eb_fs_list_free(names, n);
    free(full);
    eb_buf_free(&b);
    eb_buf_free(&all);
}

/* The hottest zone; zones are in thousandths of a degree (kernel,
 * Documentation/driver-api/thermal/sysfs-api.rst). A zone that is switched
 * off cannot be read. */
static void device_temperature(const char *sysroot, cJSON *out)
{
    struct eb_buf b = {0};
    const char *why = "absent", *now;
    double hottest = 0, v;
    int found = 0, i;
    char path[64];

    for (i = 0; i < DEVICE_ZONES_MAX; i++) {
        snprintf(path, sizeof(path), "/sys/class/thermal/thermal_zone%d/temp",
                 i);
        now = device_read(sysroot, path, &b);
        if (now != NULL) {
            if (strcmp(now, "absent") != 0)
                why = now;
            continue;
        }
        v = strtod(b.data, NULL) / 1000;
        if (v > -100 && v < 200 && (!found || v > hottest)) {
            hottest = v;
            found = 1;
        } else if (!found) {
            why = "out of range";
        }
    }
    if (found)
        cJSON_AddNumberToObject(out, "temperature_c", hottest);
    else
        eb_json_add_null(out, "temperature_c", why);
    eb_buf_free(&b);
}

cJSON *eb_device_conditions(const char *sysroot)
{
    cJSON *out = cJSON_CreateObject();
    struct eb_buf b = {0};
    const char *why = device_read(sysroot, "/proc/loadavg", &b);

    if (why == NULL)
        cJSON_AddNumberToObject(out, "loadavg_1m", strtod(b.data, NULL));
    else
        eb_json_add_null(out, "loadavg_1m", why);
    why = device_read(sysroot, "/proc/meminfo", &b);
    device_kb(b.data, why, "MemAvailable", out, "mem_available_bytes");
    device_governor(sysroot, out);
    device_temperature(sysroot, out);
    eb_buf_free(&b);
    return out;
}

/* Memory of the process */

void eb_device_memory(const char *sysroot, cJSON *out)
{
    struct eb_buf b = {0};
    const char *why = device_read(sysroot, "/proc/self/status", &b);

    device_kb(b.data, why, "RssAnon", out, "rss_anon_bytes");
    device_kb(b.data, why, "RssFile", out, "rss_file_bytes");
    device_kb(b.data, why, "VmHWM", out, "vm_hwm_bytes");
    eb_buf_free(&b);
}
