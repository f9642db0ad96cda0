#include "agent/counters_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/sysfs.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"

/* Scaling up what was seen in less than a fifth of the time is a guess. */
#define COUNTERS_RATIO_MIN 0.2
#define PMU_DIR "/sys/bus/event_source/devices"

static const char *const event_names[EB_EVENTS] = {
    "instructions",  "cycles",         "llc_misses",    "dtlb_misses",
    "branch_misses", "stalled_cycles", "task_clock_ns", "context_switches",
    "migrations",    "minor_faults",   "major_faults"};
static const char *const phase_names[EB_PHASES] = {"whole", "prefill",
                                                   "decode"};

enum counters_driver { DRIVER_NONE, DRIVER_PAPI, DRIVER_PERF, DRIVER_RUSAGE };
static const char *const driver_names[] = {"none", "papi", "perf", "getrusage"};

/* All events at one moment. */
struct snapshot {
    int64_t at_ns;
    struct eb_count count[EB_EVENTS];
    const char *why[EB_EVENTS]; /* NULL: good */
};

struct phase {
    int inside;
    int64_t spans;
    int64_t wall_ns;
    struct snapshot from;
    struct eb_count sum[EB_EVENTS];
    const char *why[EB_EVENTS]; /* what spoiled it */
};

struct eb_counters {
    struct eb_perf perf;
    char *sysroot;
    struct eb_papi *papi;
    char papi_reason[160];
    enum counters_driver driver[EB_EVENTS];
    struct eb_event_state event[EB_EVENTS];
    struct phase phase[EB_PHASES];
    struct snapshot now;
    int64_t snapshots;
    int64_t snapshots_ns;
};

void eb_counters_work(void)
{
    struct timespec pause = {0, 1000};
    volatile unsigned sum = 0;
    long page = sysconf(_SC_PAGESIZE);
    unsigned i;
    char *p;

    for (i = 0; i < EB_WORK_STEPS; i++)
        sum = sum + i;
    p = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) {
        *(volatile char *)p = 1;
        munmap(p, (size_t)page);
    }
    nanosleep(&pause, NULL);
}

int eb_counters_pmus(const char *sysroot, struct eb_pmu out[EB_PMUS_MAX])
{
    char **names = NULL, text[64];
    double type;
    size_t n, i;
    int found = 0;

    eb_sysfs_list(sysroot, PMU_DIR, &names, &n);
    for (i = 0; i < n && found < EB_PMUS_MAX; i++) {
        /* A core's PMU is "cpu" or says in `cpus` which cores are its own;
         * those of memory controllers have `cpumask` instead. */
        if (strcmp(names[i], "cpu") != 0 &&
            eb_sysfs_textf(sysroot, text, sizeof(text), PMU_DIR "/%s/cpus",
                           names[i]) != NULL)
            continue;
        if (eb_sysfs_numf(sysroot, &type, PMU_DIR "/%s/type", names[i]) != NULL)
            continue;
        snprintf(out[found].name, sizeof(out[found].name), "%s", names[i]);
        out[found++].type = (uint32_t)type;
    }
    if (n > 0)
        eb_fs_list_free(names, n);
    if (found == 1)
        out[0].type = 0;
    return found;
}

/* Opening */

static int counters_open_perf(struct eb_counters *c, enum eb_event_id from,
                              enum eb_event_id to)
{
    int i, n = 0;

    for (i = (int)from; i < (int)to; i++) {
        eb_perf_open(&c->perf, (enum eb_event_id)i, &c->event[i]);
        c->driver[i] = c->event[i].open ? DRIVER_PERF : DRIVER_NONE;
        n += c->event[i].open;
    }
    return n;
}

static void counters_close_perf(struct eb_counters *c, int to)
{
    int i;

    for (i = 0; i < to; i++) {
        if (c->driver[i] == DRIVER_PERF)
            eb_perf_close(&c->perf, &c->event[i]);
    }
}

/* The hardware counters go to one driver, for two would push each other out
 * unseen. perf tells how long each event was counted, PAPI does not: PAPI
 * gets them where it proves more of them, or where it is asked for. */
static void counters_open_hardware(struct eb_counters *c, int papi)
{
    struct eb_event_state with_papi[EB_EVENTS_HARDWARE];
    const char *want = getenv("EDGEBENCH_COUNTERS");
    int n_perf, n_papi = 0, i;

    if (want != NULL && strcmp(want, "papi") == 0 && papi)
        n_perf = -1;
    else
        n_perf = counters_open_perf(c, 0, EB_EVENTS_HARDWARE);
    if (!papi || n_perf == EB_EVENTS_HARDWARE ||
        (want != NULL && strcmp(want, "perf") == 0)) {
        snprintf(c->papi_reason, sizeof(c->papi_reason),
                 "not measured: not asked");
        return;
    }
    if (n_perf > 0)
        counters_close_perf(c, EB_EVENTS_HARDWARE);
    c->papi = eb_papi_open(with_papi, c->papi_reason, sizeof(c->papi_reason));
    for (i = 0; c->papi != NULL && i < EB_EVENTS_HARDWARE; i++)
        n_papi += with_papi[i].open;
    if (c->papi != NULL && n_papi > n_perf) {
        for (i = 0; i < EB_EVENTS_HARDWARE; i++) {
            c->event[i] = with_papi[i];
            c->driver[i] = with_papi[i].open ? DRIVER_PAPI : DRIVER_NONE;
        }
        return;
    }
    eb_papi_close(c->papi);
    if (c->papi != NULL)
        snprintf(c->papi_reason, sizeof(c->papi_reason),
                 "not measured: perf has %d events, PAPI %d", n_perf, n_papi);
    c->papi = NULL;
    if (n_perf != 0)
        counters_open_perf(c, 0, EB_EVENTS_HARDWARE);
}

/* Software events that perf may not count are in the kernel's accounting of
 * the process, but for migrations. */
static void counters_open_rusage(struct eb_counters *c)
{
    int i;

    for (i = EB_EVENTS_HARDWARE; i < EB_EVENTS; i++) {
        if (c->driver[i] != DRIVER_NONE || i == EB_EVENT_MIGRATIONS)
            continue;
        c->driver[i] = DRIVER_RUSAGE;
        c->event[i].open = 1;
        c->event[i].source = "getrusage(RUSAGE_SELF)";
    }
}

int eb_counters_open_with(const char *sysroot, const struct eb_perf_sys *sys,
                          int papi, struct eb_counters **out,
                          struct eb_err *err)
{
    struct eb_counters *c = eb_xcalloc(1, sizeof(*c));

    (void)err;
    c->sysroot = eb_xstrdup(sysroot);
    eb_perf_init(&c->perf, c->sysroot, sys);
    counters_open_hardware(c, papi);
    counters_open_perf(c, EB_EVENTS_HARDWARE, EB_EVENTS);
    counters_open_rusage(c);
    *out = c;
    return 0;
}

int eb_counters_open(const char *sysroot, struct eb_counters **out,
                     struct eb_err *err)
{
    return eb_counters_open_with(sysroot, &eb_perf_kernel, 1, out, err);
}

void eb_counters_close(struct eb_counters *c)
{
    if (c == NULL)
        return;
    counters_close_perf(c, EB_EVENTS);
    eb_papi_close(c->papi);
    free(c->sysroot);
    free(c);
}

/* Reading */

static void counters_rusage(enum eb_event_id id, struct eb_count *out)
{
    struct rusage u;

    *out = (struct eb_count){.running_ns = -1};
    getrusage(RUSAGE_SELF, &u);
    switch (id) {
    case EB_EVENT_TASK_CLOCK:
        out->raw =
            ((double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec) * 1e9 +
            ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e3;
        break;
    case EB_EVENT_CONTEXT_SWITCHES:
        out->raw = (double)u.ru_nvcsw + (double)u.ru_nivcsw;
        break;
    case EB_EVENT_MINOR_FAULTS:
        out->raw = (double)u.ru_minflt;
        break;
    default:
        out->raw = (double)u.ru_majflt;
        break;
    }
}

static void counters_snapshot(struct eb_counters *c, struct snapshot *s)
{
    const char *why = NULL;
    int64_t from = eb_clock_ns();
    int i;

    if (c->papi != NULL)
        why = eb_papi_read(c->papi, s->count, c->event);
    for (i = 0; i < EB_EVENTS; i++) {
        s->why[i] = NULL;
        if (c->driver[i] == DRIVER_PERF)
            s->why[i] = eb_perf_read(&c->perf, &c->event[i], &s->count[i]);
        else if (c->driver[i] == DRIVER_PAPI)
            s->why[i] = why;
        else if (c->driver[i] == DRIVER_RUSAGE)
            counters_rusage((enum eb_event_id)i, &s->count[i]);
    }
    s->at_ns = eb_clock_ns();
    c->snapshots++;
    c->snapshots_ns += s->at_ns - from;
}

void eb_counters_begin(struct eb_counters *c, enum eb_phase phase)
{
    struct phase *p = &c->phase[phase];

    counters_snapshot(c, &p->from);
    p->inside = 1;
}

static void phase_add(struct phase *p, const struct snapshot *to, int i)
{
    const struct eb_count *a = &p->from.count[i], *b = &to->count[i];
    int k;

    if (p->why[i] != NULL)
        return;
    p->why[i] = p->from.why[i] != NULL ? p->from.why[i] : to->why[i];
    if (p->why[i] != NULL)
        return;
    if (b->raw < a->raw || b->enabled_ns < a->enabled_ns ||
        b->running_ns < a->running_ns) {
        p->why[i] = "out of range: the counter went backwards";
        return;
    }
    p->sum[i].raw += b->raw - a->raw;
    p->sum[i].enabled_ns += b->enabled_ns - a->enabled_ns;
    p->sum[i].running_ns += b->running_ns - a->running_ns;
    for (k = 0; k < EB_PMUS_MAX; k++)
        p->sum[i].part[k] += b->part[k] - a->part[k];
}

void eb_counters_end(struct eb_counters *c, enum eb_phase phase)
{
    struct phase *p = &c->phase[phase];
    int i;

    if (!p->inside)
        return;
    counters_snapshot(c, &c->now);
    for (i = 0; i < EB_EVENTS; i++)
        phase_add(p, &c->now, i);
    p->inside = 0;
    p->spans++;
    p->wall_ns += c->now.at_ns - p->from.at_ns;
}

void eb_counters_reset(struct eb_counters *c)
{
    memset(c->phase, 0, sizeof(c->phase));
}

/* The record */

/* The value of an event in a phase, or why there is none. */
static const char *phase_value(const struct eb_counters *c,
                               const struct phase *p, int i, double *value,
                               double *ratio)
{
    const struct eb_count *s = &p->sum[i];

    *ratio = -1;
    if (c->driver[i] == DRIVER_NONE)
        return c->event[i].reason;
    if (p->spans == 0)
        return "not measured: the phase was not run";
    if (p->why[i] != NULL)
        return p->why[i];
    *value = s->raw;
    if (c->driver[i] != DRIVER_PERF)
        return NULL;
    if (s->enabled_ns <= 0)
        return "not measured: no thread ran";
    *ratio = s->running_ns / s->enabled_ns;
    if (*ratio < COUNTERS_RATIO_MIN)
        return "out of range: counted less than a fifth of the time";
    *value = s->raw / *ratio;
    return NULL;
}

static void record_ratio(const struct eb_counters *c, int i, double ratio,
                         cJSON *row)
{
    if (ratio >= 0)
        cJSON_AddNumberToObject(row, "running_ratio", ratio);
    else
        eb_json_add_null(row, "running_ratio",
                         c->driver[i] == DRIVER_PAPI
                             ? "unsupported: PAPI does not tell"
                             : "absent");
    /* Clocks of different tasks differ by some ns: 0.9999 is all the time. */
    if (ratio >= COUNTERS_RATIO_MIN && ratio < 0.999)
        cJSON_AddBoolToObject(row, "scaled", 1);
}

/* What each kind of core counted, not scaled. */
static void record_parts(const struct eb_counters *c, const struct phase *p,
                         int i, cJSON *row)
{
    cJSON *parts;
    int k;

    if (c->driver[i] != DRIVER_PERF || i >= EB_EVENTS_HARDWARE ||
        c->perf.n_pmus < 2)
        return;
    parts = cJSON_AddObjectToObject(row, "by_pmu");
    for (k = 0; k < c->perf.n_pmus; k++) {
        if (c->event[i].fd[k] >= 0)
            cJSON_AddNumberToObject(parts, c->perf.pmus[k].name,
                                    p->sum[i].part[k]);
        else
            eb_json_add_null(parts, c->perf.pmus[k].name, "unsupported");
    }
}

static cJSON *record_event(const struct eb_counters *c, const struct phase *p,
                           int i)
{
    cJSON *row = cJSON_CreateObject();
    double value = 0, ratio;
    const char *why = phase_value(c, p, i, &value, &ratio);

    cJSON_AddStringToObject(row, "event", event_names[i]);
    if (why == NULL)
        cJSON_AddNumberToObject(row, "value",
                                value < 9e15 ? (double)(int64_t)(value + 0.5)
                                             : value);
    else
        eb_json_add_null(row, "value", why);
    if (c->driver[i] == DRIVER_NONE)
        return row;
    if (why == NULL)
        record_parts(c, p, i, row);
    record_ratio(c, i, ratio, row);
    cJSON_AddStringToObject(row, "provider", driver_names[c->driver[i]]);
    cJSON_AddStringToObject(row, "source", c->event[i].source);
    cJSON_AddBoolToObject(row, "user_only", c->event[i].user_only);
    return row;
}

static void record_phase(const struct eb_counters *c, int which, cJSON *phases)
{
    const struct phase *p = &c->phase[which];
    cJSON *out = cJSON_AddObjectToObject(phases, phase_names[which]), *rows;
    double ins = 0, cyc = 0, r;
    const char *why;
    int i;

    cJSON_AddNumberToObject(out, "spans", (double)p->spans);
    cJSON_AddNumberToObject(out, "wall_ns", (double)p->wall_ns);
    rows = cJSON_AddArrayToObject(out, "events");
    for (i = 0; i < EB_EVENTS; i++)
        cJSON_AddItemToArray(rows, record_event(c, p, i));
    why = phase_value(c, p, EB_EVENT_INSTRUCTIONS, &ins, &r);
    if (why == NULL)
        why = phase_value(c, p, EB_EVENT_CYCLES, &cyc, &r);
    if (why == NULL && cyc <= 0)
        why = "out of range: no cycles";
    if (why == NULL)
        cJSON_AddNumberToObject(out, "ipc", ins / cyc);
    else
        eb_json_add_null(out, "ipc", why);
}

cJSON *eb_counters_record(const struct eb_counters *c)
{
    cJSON *out = cJSON_CreateObject(), *v;
    double paranoid;
    const char *why;
    int i;

    cJSON_AddStringToObject(out, "scope",
                            "the thread that opened them and all threads and "
                            "processes started after");
    v = cJSON_AddArrayToObject(out, "pmus");
    for (i = 0; i < c->perf.n_pmus; i++)
        cJSON_AddItemToArray(v, cJSON_CreateString(c->perf.pmus[i].name));
    why = eb_sysfs_num(c->sysroot, "/proc/sys/kernel/perf_event_paranoid",
                       &paranoid);
    if (why == NULL)
        cJSON_AddNumberToObject(out, "perf_event_paranoid", paranoid);
    else
        eb_json_add_null(out, "perf_event_paranoid", why);
    if (c->papi != NULL)
        cJSON_AddBoolToObject(out, "papi", 1);
    else
        eb_json_add_null(out, "papi", c->papi_reason);
    if (c->snapshots > 0)
        cJSON_AddNumberToObject(out, "snapshot_ns",
                                (double)(c->snapshots_ns / c->snapshots));
    else
        eb_json_add_null(out, "snapshot_ns", "not measured: no phase");
    v = cJSON_AddObjectToObject(out, "phases");
    for (i = 0; i < EB_PHASES; i++)
        record_phase(c, i, v);
    return out;
}
