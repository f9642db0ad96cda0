/* perf_event_open: one file descriptor an event and kind of core, so that the
 * kernel tells for each how long it was really counted. */
#include "agent/counters_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/sysfs.h"

#define PERF_PROOFS 64 /* rounds of known work until a counter had its turn */

#define CACHE(level, op, result)                                               \
    (PERF_COUNT_HW_CACHE_##level | PERF_COUNT_HW_CACHE_OP_##op << 8 |          \
     PERF_COUNT_HW_CACHE_RESULT_##result << 16)

/* Ways to ask for an event, best first. arm: the number in the ARMv8 PMU
 * architecture, for kernels that know no extended type; 0: none. */
static const struct perf_way {
    enum eb_event_id id;
    uint32_t type;
    uint64_t config;
    uint16_t arm;
    const char *name;
} perf_ways[] = {
    {EB_EVENT_INSTRUCTIONS, PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS,
     0x08, "instructions"},
    {EB_EVENT_CYCLES, PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 0x11,
     "cycles"},
    {EB_EVENT_LLC_MISSES, PERF_TYPE_HW_CACHE, CACHE(LL, READ, MISS), 0x37,
     "LLC-load-misses"},
    {EB_EVENT_LLC_MISSES, PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, 0x2a,
     "cache-misses"},
    {EB_EVENT_DTLB_MISSES, PERF_TYPE_HW_CACHE, CACHE(DTLB, READ, MISS), 0x05,
     "dTLB-load-misses"},
    {EB_EVENT_BRANCH_MISSES, PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES,
     0x10, "branch-misses"},
    {EB_EVENT_STALLED_CYCLES, PERF_TYPE_HARDWARE,
     PERF_COUNT_HW_STALLED_CYCLES_BACKEND, 0x24, "stalled-cycles-backend"},
    {EB_EVENT_TASK_CLOCK, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 0,
     "task-clock"},
    {EB_EVENT_CONTEXT_SWITCHES, PERF_TYPE_SOFTWARE,
     PERF_COUNT_SW_CONTEXT_SWITCHES, 0, "context-switches"},
    {EB_EVENT_MIGRATIONS, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, 0,
     "cpu-migrations"},
    {EB_EVENT_MINOR_FAULTS, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN,
     0, "minor-faults"},
    {EB_EVENT_MAJOR_FAULTS, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ,
     0, "major-faults"},
};
#define PERF_WAYS (sizeof(perf_ways) / sizeof(perf_ways[0]))

static int perf_kernel_open(struct perf_event_attr *attr, pid_t pid, int cpu,
                            int group, unsigned long flags)
{
    return (int)syscall(SYS_perf_event_open, attr, pid, cpu, group, flags);
}

const struct eb_perf_sys eb_perf_kernel = {perf_kernel_open, read, close};

void eb_perf_init(struct eb_perf *p, const char *sysroot,
                  const struct eb_perf_sys *sys)
{
    *p = (struct eb_perf){.sysroot = sysroot, .sys = sys};
    p->n_pmus = eb_counters_pmus(sysroot, p->pmus);
}

/* The descriptor or -errno. */
static int perf_try(const struct eb_perf *p, uint32_t type, uint64_t config,
                    int user_only)
{
    struct perf_event_attr attr;
    int fd;

    memset(&attr, 0, sizeof(attr));
    attr.size = sizeof(attr);
    attr.type = type;
    attr.config = config;
    attr.inherit = 1;
    attr.read_format =
        PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    attr.exclude_kernel = user_only ? 1 : 0;
    attr.exclude_hv = user_only ? 1 : 0;
    fd = p->sys->open(&attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

/* One event on one kind of core: first as the kernel names it there, then,
 * on ARM, by its architectural number. */
static int perf_on_pmu(const struct eb_perf *p, const struct perf_way *way,
                       const struct eb_pmu *pmu, int user_only)
{
    int fd = perf_try(p, way->type, way->config | (uint64_t)pmu->type << 32,
                      user_only);

    if ((fd == -ENOENT || fd == -EINVAL) && pmu->type != 0 && way->arm != 0 &&
        strncmp(pmu->name, "armv", 4) == 0)
        fd = perf_try(p, pmu->type, way->arm, user_only);
    return fd;
}

/* Whether the event says something where the kernel may not be looked at: a
 * context switch happens in the kernel and would be counted as 0. */
static int perf_user_only_helps(enum eb_event_id id)
{
    return id != EB_EVENT_CONTEXT_SWITCHES && id != EB_EVENT_MIGRATIONS;
}

/* 0 with e->fd filled on at least one kind of core, or -errno. */
static int perf_open_way(const struct eb_perf *p, const struct perf_way *way,
                         int user_only, struct eb_event_state *e)
{
    static const struct eb_pmu plain = {"", 0};
    const struct eb_pmu *pmus = p->pmus;
    int n = p->n_pmus, i, fd, rc = -ENOENT;

    if (way->type == PERF_TYPE_SOFTWARE || n == 0) {
        pmus = &plain;
        n = 1;
    }
    for (i = 0; i < n; i++) {
        fd = perf_on_pmu(p, way, &pmus[i], user_only);
        if (fd >= 0) {
            e->fd[i] = fd;
            rc = 0;
        } else if (rc != 0) {
            rc = fd;
        }
    }
    return rc;
}

/* Words for a refusal. */
static void perf_reason(const struct eb_perf *p, enum eb_event_id id, int e,
                        char *out, size_t size)
{
    char status[4096], paranoid[32];
    int hardware = id < EB_EVENTS_HARDWARE, filtered;

    eb_sysfs_text(p->sysroot, "/proc/self/status", status, sizeof(status));
    filtered = eb_sysfs_key(status, "Seccomp") == 2;
    if (eb_sysfs_text(p->sysroot, "/proc/sys/kernel/perf_event_paranoid",
                      paranoid, sizeof(paranoid)) != NULL)
        snprintf(paranoid, sizeof(paranoid), "unknown");
    switch (e) {
    case EPERM:
    case EACCES:
        if (e == EPERM && filtered)
            snprintf(out, size,
                     "no permission: masked by a seccomp filter (container)");
        else
            snprintf(out, size,
                     "no permission: kernel.perf_event_paranoid is %s",
                     paranoid);
        return;
    case ENOSYS:
        snprintf(out, size,
                 filtered ? "no permission: masked by a seccomp "
                            "filter (container)"
                          : "unsupported: the kernel has no "
                            "perf_event_open");
        return;
    case EMFILE:
    case ENFILE:
        snprintf(out, size, "not measured: too many open files");
        return;
    default:
        break;
    }
    if (hardware && p->n_pmus == 0)
        snprintf(out, size, "absent: no processor PMU (virtual machine?)");
    else
        snprintf(out, size, "unsupported: %s",
                 e == ENOENT || e == EOPNOTSUPP || e == EINVAL
                     ? "the PMU does not have this event"
                     : strerror(e));
}

const char *eb_perf_read(const struct eb_perf *p,
                         const struct eb_event_state *e, struct eb_count *out)
{
    uint64_t v[3]; /* value, ns enabled, ns running: perf_event_open(2) */
    ssize_t n;
    int i;

    *out = (struct eb_count){0};
    for (i = 0; i < EB_PMUS_MAX; i++) {
        if (e->fd[i] < 0)
            continue;
        do
            n = p->sys->read(e->fd[i], v, sizeof(v));
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return errno == EAGAIN ? "not measured: read failed (EAGAIN)"
                                   : "not measured: read failed";
        if (n != (ssize_t)sizeof(v))
            return "not measured: read failed (short)";
        out->raw += (double)v[0];
        out->part[i] = (double)v[0];
        /* A thread waits for every kind of core at once but is on one: the
         * times it was counted add up, the times it was wanted do not. */
        if ((double)v[1] > out->enabled_ns)
            out->enabled_ns = (double)v[1];
        out->running_ns += (double)v[2];
    }
    if (out->running_ns > out->enabled_ns)
        out->running_ns = out->enabled_ns;
    return NULL;
}

/* What the known work must have counted at least; 0: nothing certain. */
static double perf_least(enum eb_event_id id)
{
    switch (id) {
    case EB_EVENT_INSTRUCTIONS:
        return EB_WORK_STEPS;
    case EB_EVENT_CYCLES:
        return EB_WORK_STEPS / 16.0; /* no core retires more a cycle */
    case EB_EVENT_TASK_CLOCK:
    case EB_EVENT_CONTEXT_SWITCHES:
    case EB_EVENT_MINOR_FAULTS:
        return 1;
    default:
        return 0;
    }
}

/* Add, start, work, read. NULL if it counts. */
static const char *perf_prove(const struct eb_perf *p, enum eb_event_id id,
                              struct eb_event_state *e)
{
    struct eb_count a, b;
    double least = perf_least(id), got, share;
    const char *why = eb_perf_read(p, e, &a);
    int i;

    for (i = 1; why == NULL && i <= PERF_PROOFS; i++) {
        eb_counters_work();
        why = eb_perf_read(p, e, &b);
        share = b.running_ns - a.running_ns;
        if (why != NULL || share <= 0)
            continue; /* others have the counter: it may get its turn */
        share /= b.enabled_ns - a.enabled_ns;
        got = (b.raw - a.raw) / share;
        /* Scaling is rough in a short time; half is proof enough. */
        if (got >= least * i / 2) {
            e->proved = least > 0;
            return NULL;
        }
        return "unsupported: it opens but does not count";
    }
    return why != NULL ? why
                       : "unsupported: it opens but is never scheduled (all "
                         "counters in use)";
}

void eb_perf_close(const struct eb_perf *p, struct eb_event_state *e)
{
    int i;

    for (i = 0; i < EB_PMUS_MAX; i++) {
        if (e->open && e->fd[i] >= 0)
            p->sys->close(e->fd[i]);
        e->fd[i] = -1;
    }
    e->open = 0;
}

/* EACCES for the kernel's share: the user's share is better than nothing. */
static int perf_open_any(const struct eb_perf *p, const struct perf_way *way,
                         struct eb_event_state *e)
{
    int rc = perf_open_way(p, way, 0, e);

    e->user_only = 0;
    if ((rc == -EACCES || rc == -EPERM) && perf_user_only_helps(way->id)) {
        rc = perf_open_way(p, way, 1, e);
        e->user_only = rc == 0;
    }
    return rc;
}

void eb_perf_open(const struct eb_perf *p, enum eb_event_id id,
                  struct eb_event_state *out)
{
    const char *why;
    size_t i;
    int rc;

    *out = (struct eb_event_state){0};
    memset(out->fd, -1, sizeof(out->fd));
    for (i = 0; i < PERF_WAYS && !out->open; i++) {
        if (perf_ways[i].id != id)
            continue;
        rc = perf_open_any(p, &perf_ways[i], out);
        if (rc != 0) {
            perf_reason(p, id, -rc, out->reason, sizeof(out->reason));
            continue;
        }
        out->open = 1;
        out->source = perf_ways[i].name;
        why = perf_prove(p, id, out);
        if (why != NULL) {
            snprintf(out->reason, sizeof(out->reason), "%s", why);
            eb_perf_close(p, out);
        }
    }
}
