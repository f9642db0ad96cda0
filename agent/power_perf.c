/* RAPL energy counters through the perf PMU "power", where powercap cannot be
 * read. System-wide events: perf_event_paranoid 0 or less, or CAP_PERFMON.
 *
 *     devices/power/type                    "15"
 *     devices/power/cpumask                 "0,18"  one CPU a package
 *     devices/power/events/energy-pkg       "event=0x02"
 *     devices/power/events/energy-pkg.scale "2.3283064365386962890625e-10"
 *     devices/power/events/energy-pkg.unit  "Joules"
 *
 * The kernel keeps the counts in 64 bits: no wrap. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/cpus.h"
#include "agent/power.h"
#include "common/mem.h"

#define PERF_DIR "/sys/bus/event_source/devices/power"
#define PERF_CPUS_MAX 8
#define PERF_STEP_MS 1

struct perf {
    struct eb_power_dev dev;
    int fds[EB_POWER_SENSORS_MAX];
    double scale_j[EB_POWER_SENSORS_MAX];
};

static const struct {
    const char *event, *name;
    enum eb_power_scope scope, sum;
} perf_events[] = {
    {"energy-pkg", "package", EB_POWER_PACKAGE, EB_POWER_PACKAGE},
    {"energy-ram", "dram", EB_POWER_RAIL, EB_POWER_PACKAGE},
    {"energy-cores", "core", EB_POWER_RAIL, EB_POWER_SCOPES},
    {"energy-gpu", "uncore", EB_POWER_RAIL, EB_POWER_SCOPES},
    {"energy-psys", "psys", EB_POWER_MODULE, EB_POWER_SCOPES}};

static int perf_event(uint32_t type, uint64_t config, int cpu)
{
    struct perf_event_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.size = sizeof(attr);
    attr.type = type;
    attr.config = config;
    return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1,
                        PERF_FLAG_FD_CLOEXEC);
}

static void perf_close(struct eb_power_dev *d)
{
    struct perf *p = (struct perf *)d;
    size_t i;

    for (i = 0; i < p->dev.n; i++)
        close(p->fds[i]);
    free(p);
}

static int perf_read(struct eb_power_dev *d, size_t i,
                     struct eb_power_reading *r)
{
    const struct perf *p = (const struct perf *)d;
    uint64_t count;
    ssize_t n = read(p->fds[i], &count, sizeof(count));

    if (n < 0)
        return errno == EAGAIN ? EB_EBUSY : eb_code_from_errno(errno);
    if (n != sizeof(count))
        return EB_ENOENT; /* the CPU went offline */
    r->value = (int64_t)((double)count * p->scale_j[i] * 1e6);
    return 0;
}

/* The event's number and joules a count; 0 if the machine lacks it. */
static int perf_known(const char *dir, const char *event, uint64_t *config,
                      double *scale_j)
{
    char path[640], line[64];
    const char *p;

    snprintf(path, sizeof(path), "%s/events/%s", dir, event);
    if (eb_power_read_line(path, line, sizeof(line)) != 0)
        return 0;
    p = strstr(line, "event=");
    if (p == NULL)
        return 0;
    *config = strtoull(p + 6, NULL, 0);
    snprintf(path, sizeof(path), "%s/events/%s.unit", dir, event);
    if (eb_power_read_line(path, line, sizeof(line)) != 0 ||
        strcmp(line, "Joules") != 0)
        return 0;
    snprintf(path, sizeof(path), "%s/events/%s.scale", dir, event);
    if (eb_power_read_line(path, line, sizeof(line)) != 0)
        return 0;
    *scale_j = strtod(line, NULL);
    return *scale_j > 0;
}

static void perf_add(struct perf *p, size_t e, int cpu, size_t n_cpus, int fd,
                     double scale_j)
{
    char name[64];
    struct eb_power_sensor *m;

    snprintf(name, sizeof(name), n_cpus > 1 ? "%s-cpu%d" : "%s",
             perf_events[e].name, cpu);
    m = eb_power_add(&p->dev, name);
    if (m == NULL) {
        close(fd); /* no room for parts of packages */
        return;
    }
    m->scope = perf_events[e].scope;
    m->sum = perf_events[e].sum;
    m->kind = EB_POWER_COUNTER;
    m->step_ms = PERF_STEP_MS;
    m->method = "perf PMU power";
    p->fds[p->dev.n - 1] = fd;
    p->scale_j[p->dev.n - 1] = scale_j;
}

/* The processor of each package that counts for it. A part of the packages is
 * no sum, so it is all of them or none. */
static int perf_cpus(const char *dir, int cpus[PERF_CPUS_MAX], size_t *n,
                     struct eb_err *err)
{
    char path[640], line[64];
    struct eb_cpus set;
    int cpu;

    *n = 0;
    snprintf(path, sizeof(path), "%s/cpumask", dir);
    eb_power_read_line(path, line, sizeof(line));
    if (eb_cpus_parse(line, &set) != 0)
        return eb_fail(err, EB_ENODEV,
                       "unsupported: %s says \"%s\", no list of processors",
                       path, line);
    if (eb_cpus_count(&set) > PERF_CPUS_MAX)
        return eb_fail(err, EB_ENODEV, "unsupported: more than %d packages",
                       PERF_CPUS_MAX);
    for (cpu = 0; cpu < EB_CPUS_MAX; cpu++) {
        if (eb_cpus_has(&set, cpu))
            cpus[(*n)++] = cpu;
    }
    return 0;
}

static int perf_open_all(struct perf *p, const struct eb_power_hints *h,
                         const char *dir, uint32_t type, struct eb_err *err)
{
    int cpus[PERF_CPUS_MAX], fd, dead = 0, rc;
    size_t n, e, i;
    uint64_t config, count;
    double scale_j;

    rc = perf_cpus(dir, cpus, &n, err);
    if (rc != 0)
        return rc;
    for (e = 0; e < sizeof(perf_events) / sizeof(*perf_events); e++) {
        if (!perf_known(dir, perf_events[e].event, &config, &scale_j))
            continue;
        for (i = 0; i < n; i++) {
            fd = h->perf_open != NULL ? h->perf_open(type, config, cpus[i])
                                      : perf_event(type, config, cpus[i]);
            if (fd < 0 && (errno == EACCES || errno == EPERM))
                return eb_fail(err, EB_EPERM,
                               "no permission: perf energy events need "
                               "perf_event_paranoid 0 or CAP_PERFMON");
            if (fd < 0)
                return eb_fail(err, EB_ENODEV, "unsupported: perf %s: %s",
                               perf_events[e].event, strerror(errno));
            /* What a hypervisor does not pass on counts nothing. */
            if (read(fd, &count, sizeof(count)) == sizeof(count) && count == 0)
                dead += close(fd) == 0;
            else
                perf_add(p, e, cpus[i], n, fd, scale_j);
        }
    }
    if (p->dev.n > 0)
        return 0;
    return eb_fail(err, EB_ENODEV,
                   dead > 0 ? "unsupported: the energy events of %s count "
                              "nothing (a virtual machine?)"
                            : "absent: %s has no energy event",
                   dir);
}

static int perf_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                     struct eb_err *err)
{
    char dir[512], path[640];
    struct perf *p;
    int64_t type;
    int rc;

    snprintf(dir, sizeof(dir), "%s%s", h->sysroot, PERF_DIR);
    snprintf(path, sizeof(path), "%s/type", dir);
    if (eb_power_read_int(path, &type) != 0)
        return eb_fail(err, EB_ENODEV, "absent: no %s", dir);
    if (h->sysroot[0] != '\0' && h->perf_open == NULL)
        return eb_fail(err, EB_ENODEV,
                       "unsupported: a recorded machine has no counters");
    p = eb_xcalloc(1, sizeof(*p));
    p->dev.ops = &eb_power_perf;
    rc = perf_open_all(p, h, dir, (uint32_t)type, err);
    if (rc == 0)
        *out = &p->dev;
    else
        perf_close(&p->dev);
    return rc;
}

const struct eb_power_ops eb_power_perf = {"perf", perf_open, perf_read, NULL,
                                           perf_close};
