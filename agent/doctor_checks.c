/* Counters, clocks, heat, memory, time and the program itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/counters.h"
#include "agent/counters_parts.h"
#include "agent/doctor_parts.h"
#include "agent/engine.h"
#include "agent/heat.h"
#include "agent/spool.h"
#include "agent/sysfs.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/json.h"

#define MIB 1048576.0

/* Counters */

static void counters_fix(struct doctor *d, const char *why)
{
    if (strstr(why, "seccomp") != NULL || (d->container && d->live))
        eb_doctor_fix(d, "docker run --cap-add PERFMON ...");
    else if (d->android)
        eb_doctor_fix(d, "adb shell setprop security.perf_harden 0");
    else
        eb_doctor_fix(d, "sudo sysctl kernel.perf_event_paranoid=1");
}

/* One finding for hardware and one for software events: how many count, and
 * the reason of the first that does not. */
static void counters_group(struct doctor *d, const cJSON *events, int from,
                           int to, const char *name)
{
    const char *why = NULL, *provider = "", *row_why;
    struct eb_buf lost = {0};
    int n = 0, i;

    for (i = from; i < to; i++) {
        const cJSON *row = cJSON_GetArrayItem(events, i);

        row_why = eb_json_get_str(row, "provider", NULL) == NULL
                      ? eb_json_get_str(row, "value_reason", "unsupported")
                      : NULL;
        n += row_why == NULL;
        if (row_why == NULL)
            provider = eb_json_get_str(row, "provider", "");
        else
            eb_buf_addf(&lost, "%s%s", lost.len > 0 ? ", " : "",
                        eb_json_get_str(row, "event", ""));
        if (why == NULL)
            why = row_why;
    }
    if (why == NULL)
        eb_doctor_add(d, "counters", name, DOCTOR_OK,
                      "%d of %d events count, by %s", n, to - from, provider);
    else if (n > 0)
        eb_doctor_add(d, "counters", name, DOCTOR_LIMITED,
                      "%d of %d events count, by %s; not %s: %s", n, to - from,
                      provider, lost.data, why);
    else
        eb_doctor_add(d, "counters", name, DOCTOR_MISSING, "%s", why);
    if (why != NULL && strncmp(why, "no permission", 13) == 0)
        counters_fix(d, why);
    else if (why != NULL && strncmp(why, "absent", 6) == 0 &&
             d->virtual_machine)
        eb_doctor_fix(d, "on the host, if you may: qemu -cpu host,pmu=on");
    eb_buf_free(&lost);
}

static void counters_live(struct doctor *d)
{
    struct eb_counters *c;
    const cJSON *events;
    cJSON *rec;

    if (eb_counters_open(d->sysroot, &c, NULL) != 0)
        return;
    rec = eb_counters_record(c);
    events = cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(rec, "phases"), "whole"),
        "events");
    counters_group(d, events, 0, EB_EVENTS_HARDWARE, "hardware");
    counters_group(d, events, EB_EVENTS_HARDWARE, EB_EVENTS, "software");
    cJSON_Delete(rec);
    eb_counters_close(c);
}

/* What the files of a recorded machine let expect. */
static void counters_recorded(struct doctor *d)
{
    struct eb_pmu pmus[EB_PMUS_MAX];
    int n = eb_counters_pmus(d->sysroot, pmus), i;
    char status[4096];
    struct eb_buf b = {0};
    double level = 0;

    for (i = 0; i < n; i++)
        eb_buf_addf(&b, "%s%s", i > 0 ? ", " : "", pmus[i].name);
    eb_sysfs_num(d->sysroot, "/proc/sys/kernel/perf_event_paranoid", &level);
    eb_sysfs_text(d->sysroot, "/proc/self/status", status, sizeof(status));
    if (n == 0) {
        eb_doctor_add(d, "counters", "hardware", DOCTOR_MISSING,
                      "absent: no processor PMU");
    } else if (eb_sysfs_key(status, "Seccomp") == 2) {
        eb_doctor_add(d, "counters", "hardware", DOCTOR_MISSING,
                      "no permission: %s, masked by a seccomp filter", b.data);
        eb_doctor_fix(d, "docker run --cap-add PERFMON ...");
    } else if (level >= 3) {
        eb_doctor_add(d, "counters", "hardware", DOCTOR_MISSING,
                      "no permission: %s, kernel.perf_event_paranoid is %.0f",
                      b.data, level);
        counters_fix(d, "");
    } else {
        eb_doctor_add(d, "counters", "hardware", DOCTOR_OK,
                      "%s, kernel.perf_event_paranoid is %.0f; not proved: a "
                      "recorded machine",
                      b.data, level);
    }
    eb_buf_free(&b);
}

void eb_doctor_counters(struct doctor *d)
{
    if (d->live)
        counters_live(d);
    else
        counters_recorded(d);
}

/* Clocks */

static void clocks_fix(struct doctor *d)
{
    if (d->android)
        eb_doctor_fix(d, "adb shell cmd power "
                         "set-fixed-performance-mode-enabled true");
    else if (d->jetson)
        eb_doctor_fix(d, "sudo jetson_clocks");
    else
        eb_doctor_fix(d, "sudo cpupower frequency-set -g performance");
}

static void clocks_policies(struct doctor *d, const cJSON *clocks)
{
    struct eb_buf b = {0}, low = {0};
    int moving = 0, n = 0;
    const cJSON *row;

    cJSON_ArrayForEach(row, clocks)
    {
        const char *gov = eb_json_get_str(row, "governor", "?");
        double hw = eb_json_get_num(row, "hardware_max_khz", -1);
        double top = eb_json_get_num(row, "ceiling_khz", hw);

        if (hw < 0)
            continue; /* a GPU's or a bus's */
        n++;
        moving |= strcmp(gov, "performance") != 0;
        if (b.data == NULL || strstr(b.data, gov) == NULL)
            eb_buf_addf(&b, "%s%s", b.len > 0 ? ", " : "", gov);
        if (top < hw)
            eb_buf_addf(&low, "%s%s %.0f of %.0f MHz", low.len > 0 ? ", " : "",
                        eb_json_get_str(row, "domain", ""), top / 1e3,
                        hw / 1e3);
    }
    if (n == 0) {
        eb_doctor_add(d, "clocks", "cpufreq", DOCTOR_MISSING,
                      d->virtual_machine
                          ? "absent: the host sets the clocks of this virtual "
                            "machine"
                          : "absent: no cpufreq policy");
    } else {
        eb_doctor_add(d, "clocks", "cpufreq",
                      moving ? DOCTOR_LIMITED : DOCTOR_OK,
                      "%d policies, governor %s%s", n, b.data,
                      moving ? ": the clock may move in a run" : "");
        if (moving)
            clocks_fix(d);
    }
    if (low.len > 0)
        eb_doctor_add(d, "clocks", "ceiling", DOCTOR_LIMITED,
                      "below what the hardware can: %s", low.data);
    eb_buf_free(&b);
    eb_buf_free(&low);
}

void eb_doctor_clocks(struct doctor *d)
{
    struct eb_heat *h;
    cJSON *rec;

    eb_heat_open(d->sysroot, &h);
    eb_heat_before(h);
    rec = eb_heat_record(h);
    clocks_policies(
        d, cJSON_GetObjectItem(cJSON_GetObjectItem(rec, "before"), "clocks"));
    cJSON_Delete(rec);
    eb_heat_close(h);
}

/* Heat */

static void heat_zones(struct doctor *d, const cJSON *zones)
{
    const cJSON *row, *top = NULL;
    struct eb_buf lost = {0};
    int n = 0;

    cJSON_ArrayForEach(row, zones)
    {
        if (!cJSON_IsNumber(cJSON_GetObjectItem(row, "temperature_c"))) {
            eb_buf_addf(&lost, "; %s: %s", eb_json_get_str(row, "zone", ""),
                        eb_json_get_str(row, "temperature_c_reason", ""));
            continue;
        }
        n++;
        if (top == NULL || eb_json_get_num(row, "temperature_c", 0) >
                               eb_json_get_num(top, "temperature_c", 0))
            top = row;
    }
    if (top == NULL)
        eb_doctor_add(d, "heat", "temperature", DOCTOR_MISSING,
                      cJSON_GetArraySize(zones) > 0
                          ? "no permission or switched off: no zone can be "
                            "read"
                          : "absent: no thermal zone, no sensor of a chip");
    else
        eb_doctor_add(d, "heat", "temperature", DOCTOR_OK,
                      "%d zones, hottest %s %.1f C%s", n,
                      eb_json_get_str(top, "zone", ""),
                      eb_json_get_num(top, "temperature_c", 0),
                      lost.data != NULL ? lost.data : "");
    eb_buf_free(&lost);
}

/* Boards whose driver tells; others have a zone or a sensor of a chip. */
static void heat_gpus(struct doctor *d, const cJSON *gpus)
{
    const cJSON *row;
    struct eb_buf b = {0};

    cJSON_ArrayForEach(row, gpus)
    {
        eb_buf_addf(&b, "%s%s", b.len > 0 ? ", " : "",
                    eb_json_get_str(row, "gpu", ""));
        if (cJSON_IsNumber(cJSON_GetObjectItem(row, "temperature_c")))
            eb_buf_addf(&b, " %.0f C",
                        eb_json_get_num(row, "temperature_c", 0));
        if (!cJSON_IsNumber(cJSON_GetObjectItem(row, "clock_reasons")))
            eb_buf_addf(&b, " (does not tell of throttling)");
    }
    if (b.len > 0)
        eb_doctor_add(d, "heat", "gpus", DOCTOR_OK, "%s", b.data);
    eb_buf_free(&b);
}

void eb_doctor_heat(struct doctor *d)
{
    struct eb_heat_nvml *nvml = eb_heat_nvml_open(d->sysroot);
    struct eb_heat_mark mark;
    char why[160];
    struct eb_heat *h;
    const cJSON *now;
    cJSON *rec;
    int seen;

    eb_heat_open(d->sysroot, &h);
    eb_heat_nvml_add(nvml, h);
    eb_heat_before(h);
    rec = eb_heat_record(h);
    now = cJSON_GetObjectItem(rec, "before");
    heat_zones(d, cJSON_GetObjectItem(now, "zones"));
    heat_gpus(d, cJSON_GetObjectItem(now, "gpus"));
    cJSON_Delete(rec);
    eb_heat_mark(h, &mark);
    seen = eb_heat_throttled(h, &mark, why, sizeof(why));
    if (seen > 0) {
        eb_doctor_add(d, "heat", "throttling", DOCTOR_LIMITED,
                      "the device is slowed down now: %s", why);
        eb_doctor_fix(d, "let it cool down, see to the supply, then run");
    } else {
        eb_doctor_add(d, "heat", "throttling",
                      seen == 0 ? DOCTOR_OK : DOCTOR_MISSING, "%s",
                      seen == 0 ? "none now, and events will be seen" : why);
    }
    eb_heat_close(h);
    eb_heat_nvml_close(nvml);
}

/* Memory */

static void memory_group(struct doctor *d, double total)
{
    static const char *const limits[] = {
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    double v;
    size_t i;

    for (i = 0; i < 2; i++) {
        /* "max" and the largest page count mean no limit. */
        if (eb_sysfs_num(d->sysroot, limits[i], &v) != NULL || v <= 0 ||
            (total > 0 && v >= total))
            continue;
        eb_doctor_add(d, "memory", "limit", DOCTOR_LIMITED,
                      "the control group may take %.0f MiB", v / MIB);
        eb_doctor_fix(d, d->container ? "docker run --memory SIZE ..."
                                      : "systemd-run --scope -p "
                                        "MemoryMax=infinity edgebench ...");
    }
}

static void memory_pages(struct doctor *d)
{
    static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    char text[64];
    const char *why = eb_sysfs_text(d->sysroot, path, text, sizeof(text));

    if (why != NULL) {
        eb_doctor_add(d, "memory", "huge pages", DOCTOR_MISSING, "%s", why);
    } else if (strstr(text, "[never]") != NULL) {
        eb_doctor_add(d, "memory", "huge pages", DOCTOR_LIMITED, "%s", text);
        eb_doctor_fix(d, "echo madvise | sudo tee %s", path);
    } else {
        eb_doctor_add(d, "memory", "huge pages", DOCTOR_OK, "%s", text);
    }
}

static void memory_lock(struct doctor *d)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_MEMLOCK, &lim) != 0 || d->root)
        return;
    if (lim.rlim_cur == RLIM_INFINITY)
        eb_doctor_add(d, "memory", "locking", DOCTOR_OK, "unlimited");
    else
        eb_doctor_add(d, "memory", "locking", DOCTOR_OK,
                      "%.0f MiB: a larger model cannot be held in memory",
                      (double)lim.rlim_cur / MIB);
}

void eb_doctor_memory(struct doctor *d)
{
    char text[4096];
    const char *why =
        eb_sysfs_text(d->sysroot, "/proc/meminfo", text, sizeof(text));
    double total = -1, avail, swap, swap_free;

    if (why != NULL) {
        eb_doctor_add(d, "memory", "size", DOCTOR_MISSING, "%s", why);
    } else {
        total = eb_sysfs_key(text, "MemTotal") * 1024;
        avail = eb_sysfs_key(text, "MemAvailable") * 1024;
        swap = eb_sysfs_key(text, "SwapTotal") * 1024;
        swap_free = eb_sysfs_key(text, "SwapFree") * 1024;
        eb_doctor_add(d, "memory", "size", DOCTOR_OK,
                      "%.0f MiB, %.0f MiB available", total / MIB, avail / MIB);
        if (swap > 0 && swap - swap_free > total / 20)
            eb_doctor_add(d, "memory", "swap", DOCTOR_LIMITED,
                          "%.0f MiB are swapped out: a run may page",
                          (swap - swap_free) / MIB);
    }
    memory_group(d, total);
    memory_pages(d);
    if (d->live)
        memory_lock(d);
}

/* Time */

void eb_doctor_time(struct doctor *d)
{
    static const char dir[] = "/sys/devices/system/clocksource/clocksource0";
    char text[64];
    const char *why = eb_sysfs_textf(d->sysroot, text, sizeof(text),
                                     "%s/current_clocksource", dir);
    int slow, i, n = 1000;
    int64_t from;

    if (why != NULL) {
        eb_doctor_add(d, "time", "clock source", DOCTOR_MISSING, "%s", why);
        return;
    }
    /* Those that are read over a bus take a microsecond and more. */
    slow = strcmp(text, "hpet") == 0 || strcmp(text, "acpi_pm") == 0 ||
           strcmp(text, "jiffies") == 0;
    if (slow || !d->live) {
        eb_doctor_add(d, "time", "clock source",
                      slow ? DOCTOR_LIMITED : DOCTOR_OK, "%s", text);
        if (slow)
            eb_doctor_fix(d, "echo tsc | sudo tee %s/current_clocksource", dir);
        return;
    }
    from = eb_clock_ns();
    for (i = 0; i < n; i++)
        eb_clock_ns();
    eb_doctor_add(d, "time", "clock source", DOCTOR_OK, "%s, %.0f ns a stamp",
                  text, (double)(eb_clock_ns() - from) / n);
}

/* The program */

static int engine_has(const cJSON *backends, const char *word)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, backends)
    {
        if (cJSON_IsString(v) && strstr(v->valuestring, word) != NULL)
            return 1;
    }
    return 0;
}

/* A GPU that this build does not use. */
static void engine_gpu(struct doctor *d, const cJSON *backends)
{
    int nvidia = eb_doctor_has(d, "/proc/driver/nvidia/version") ||
                 eb_doctor_has(d, "/dev/nvidia0") || d->jetson;

    if (!nvidia || engine_has(backends, "CUDA") ||
        engine_has(backends, "Vulkan"))
        return;
    eb_doctor_add(d, "engine", "GPU", DOCTOR_LIMITED,
                  "there is one that llama.cpp in this build does not use");
    eb_doctor_fix(d, "cmake -S . -B build -DGGML_CUDA=ON && cmake --build "
                     "build");
}

static void program_engines(struct doctor *d)
{
    struct eb_buf b = {0};
    const cJSON *v, *backends;
    int llama = 0;
    cJSON *rt;
    size_t i;

    for (i = 0; eb_engines[i] != NULL; i++) {
        eb_buf_addf(&b, "%s%s", i > 0 ? ", " : "", eb_engines[i]->name);
        if (strcmp(eb_engines[i]->name, "llama") != 0)
            continue;
        llama = 1;
        rt = cJSON_CreateObject();
        eb_engines[i]->runtime(rt);
        backends = cJSON_GetObjectItem(rt, "backends");
        eb_buf_addf(&b, " (%s;", eb_json_get_str(rt, "commit", "?"));
        cJSON_ArrayForEach(v, backends)
            eb_buf_addf(&b, " %s", cJSON_IsString(v) ? v->valuestring : "?");
        eb_buf_addf(&b, ")");
        engine_gpu(d, backends);
        cJSON_Delete(rt);
    }
    eb_doctor_add(d, "engine", "drivers", llama ? DOCTOR_OK : DOCTOR_LIMITED,
                  "%s%s", b.data != NULL ? b.data : "none",
                  llama ? "" : "; not llama");
    if (!llama)
        eb_doctor_fix(d, "cmake -S . -B build -DEDGEBENCH_LLAMA=ON && cmake "
                         "--build build");
    eb_buf_free(&b);
}

static void program_spool(struct doctor *d)
{
    struct eb_err err = {0};
    struct statvfs fs;
    char *dir = NULL, *probe;
    int rc = eb_spool_dir(&dir, &err);

    if (rc == 0) {
        probe = eb_fs_join(dir, ".doctor");
        rc = eb_fs_write_durable(probe, "", 0, &err);
        unlink(probe);
        free(probe);
    }
    if (rc == 0 && statvfs(dir, &fs) == 0)
        eb_doctor_add(d, "program", "spool", DOCTOR_OK, "%s, %.0f MiB free",
                      dir, (double)fs.f_bavail * (double)fs.f_frsize / MIB);
    else if (rc == 0)
        eb_doctor_add(d, "program", "spool", DOCTOR_OK, "%s", dir);
    else {
        eb_doctor_add(d, "program", "spool", DOCTOR_MISSING,
                      "no permission: %s", err.msg);
        eb_doctor_fix(d, "EDGEBENCH_SPOOL=DIR, a folder you may write");
    }
    free(dir);
}

void eb_doctor_program(struct doctor *d)
{
    if (!d->live)
        return; /* they are of this machine, not of the recorded one */
    program_engines(d);
    program_spool(d);
}
