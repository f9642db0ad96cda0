#include "agent/power.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "agent/power_parts.h"
#include "common/buf.h"
#include "common/mem.h"

#define POWER_RATE_HZ 20
#define POWER_LINE_MAX 64

/* A meter at the wall holds all of the device, so it comes first. */
const struct eb_power_ops *const eb_power_drivers[] = {
    &eb_power_meter, &eb_power_battery, &eb_power_ina3221, &eb_power_rapl,
    &eb_power_perf,  &eb_power_nvml,    &eb_power_hwmon,   &eb_power_ioreport,
    &eb_power_odpm,  &eb_power_rpi,     &eb_power_fake,    NULL};

const char *eb_power_mode_name(enum eb_power_mode m)
{
    static const char *const names[] = {"off", "auto", "require"};

    return names[m];
}

int eb_power_mode_parse(const char *name)
{
    int m;

    for (m = EB_POWER_OFF; m <= EB_POWER_REQUIRE; m++) {
        if (strcmp(name, eb_power_mode_name((enum eb_power_mode)m)) == 0)
            return m;
    }
    return -1;
}

const char *eb_power_scope_name(enum eb_power_scope s)
{
    static const char *const names[] = {"wall",      "battery", "module",
                                        "gpu-board", "package", "rail"};

    return s < EB_POWER_SCOPES ? names[s] : "none";
}

const char *eb_power_failure(int rc)
{
    switch (rc) {
    case EB_ENOENT:
        return "absent: the sensor vanished";
    case EB_EPERM:
        return "no permission: the sensor may not be read";
    case EB_EBUSY:
        return "not measured: the sensor was busy";
    case EB_EPARSE:
        return "unsupported: the sensor gave no number";
    case EB_EINVAL:
        return "out of range: the sensor gave a value that cannot be";
    case EB_ELIMIT:
        return "not measured: the sensor answered too late";
    case EB_EABORT:
        return "not measured: the device was on external power";
    case EB_ENET:
        return "not measured: the meter did not answer";
    }
    return "not measured: reading the sensor failed";
}

/* For drivers */

/* ENODEV is what a file of a removed device says, EAGAIN one that sleeps. */
static int power_code(int errnum)
{
    switch (errnum) {
    case ENODEV:
    case ENXIO:
    case ENOTDIR:
        return EB_ENOENT;
    case EAGAIN:
    case EBUSY:
    case EINTR:
    case ENODATA:
        return EB_EBUSY;
    }
    return eb_code_from_errno(errnum);
}

/* As much as there is in one read, which for /sys is all. */
static int power_read(const char *path, char *out, size_t size, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n;
    int e;

    *len = 0;
    out[0] = '\0';
    if (fd < 0)
        return power_code(errno);
    n = read(fd, out, size - 1);
    e = errno;
    close(fd);
    *len = n > 0 ? (size_t)n : 0;
    out[*len] = '\0';
    return n < 0 ? power_code(e) : 0;
}

int eb_power_read_text(const char *path, char *out, size_t size)
{
    size_t len;
    int rc = power_read(path, out, size, &len);

    return rc == 0 && len == size - 1 ? EB_EPARSE : rc;
}

int eb_power_read_line(const char *path, char *out, size_t size)
{
    size_t len;
    int rc = power_read(path, out, size, &len);

    out[strcspn(out, "\n")] = '\0';
    return rc;
}

int eb_power_read_int(const char *path, int64_t *out)
{
    char line[POWER_LINE_MAX], *end;
    int rc = eb_power_read_line(path, line, sizeof(line));
    long long v;

    if (rc != 0)
        return rc;
    errno = 0;
    v = strtoll(line, &end, 10);
    while (*end == ' ')
        end++;
    if (end == line || *end != '\0' || errno != 0)
        return EB_EPARSE;
    *out = v;
    return 0;
}

struct eb_power_sensor *eb_power_add(struct eb_power_dev *d, const char *name)
{
    struct eb_power_sensor *m;

    if (d->n == EB_POWER_SENSORS_MAX)
        return NULL;
    m = &d->sensors[d->n++];
    memset(m, 0, sizeof(*m));
    snprintf(m->name, sizeof(m->name), "%s", name);
    m->sum = EB_POWER_SCOPES;
    m->max_w = 2000; /* more than any device that this is for */
    return m;
}

/* "00000000:01:00.0" of NVML and "0000:01:00.0" of others are the same. */
static const char *power_pci(const char *id)
{
    while (*id == '0' && id[1] == '0' && strcspn(id, ":") > 4)
        id++;
    return id;
}

int eb_power_wanted(const struct eb_power_hints *h, const char *pci)
{
    size_t i;

    for (i = 0; h->pci != NULL && i < h->n_pci; i++) {
        if (strcasecmp(power_pci(h->pci[i]), power_pci(pci)) == 0)
            return 1;
    }
    return h->pci == NULL;
}

/* Opening */

static void power_refuse(struct power_driver *d, int rc, const char *reason)
{
    d->rc = rc;
    snprintf(d->reason, sizeof(d->reason), "%s", reason);
    if (d->dev != NULL)
        d->ops->close(d->dev);
    d->dev = NULL;
}

/* A sensor that fails at first stays, with its reason: without it a sum would
 * be too small. If all fail the driver is of no use. */
static void power_probe(struct power_driver *d)
{
    struct eb_power_reading r;
    int rc = EB_ENODEV, good = 0;
    size_t i;

    for (i = 0; i < d->dev->n; i++) {
        int now = d->ops->read(d->dev, i, &r);

        if (now >= 0)
            good++;
        else
            rc = now;
    }
    if (good == 0)
        power_refuse(d, rc, eb_power_failure(rc));
}

static void power_driver_open(struct eb_power *p,
                              const struct eb_power_ops *ops,
                              const struct eb_power_hints *h)
{
    struct power_driver *d = &p->drivers[p->n_drivers++];
    struct eb_err err = {0};
    size_t i;

    d->ops = ops;
    /* The same counters by another way. */
    for (i = 0; ops == &eb_power_perf && i + 1 < p->n_drivers; i++) {
        if (p->drivers[i].ops == &eb_power_rapl && p->drivers[i].dev != NULL) {
            power_refuse(d, EB_ENODEV, "unused: rapl reads the same counters");
            return;
        }
    }
    d->rc = ops->open(h, &d->dev, &err);
    if (d->rc != 0)
        power_refuse(d, d->rc,
                     err.msg[0] != '\0' ? err.msg : eb_code_text(d->rc));
    else
        power_probe(d);
    if (d->dev != NULL && p->n + d->dev->n > EB_SAMPLER_SENSORS_MAX)
        power_refuse(d, EB_ENODEV, "unsupported: too many sensors");
    for (i = 0; d->dev != NULL && i < d->dev->n; i++) {
        p->sums[p->n] = d->dev->sensors[i].sum;
        p->sources[p->n].dev = d->dev;
        p->sources[p->n++].index = i;
    }
}

/* Does some sensor stand for more than a part? */
static int power_whole(const struct eb_power *p)
{
    size_t i;

    for (i = 0; i < p->n; i++) {
        if (p->sources[i].dev->sensors[p->sources[i].index].sum !=
            EB_POWER_SCOPES)
            return 1;
    }
    return 0;
}

void eb_power_advice(const struct eb_power *p, char *out, size_t size)
{
    size_t i;

    *out = '\0';
    for (i = 0; p != NULL && i < p->n_drivers && *out == '\0'; i++) {
        const struct power_driver *d = &p->drivers[i];

        /* A meter was named, so it is missed also where others measure. */
        if (d->rc != 0 && d->rc != EB_ENODEV &&
            (d->ops == &eb_power_meter || !power_whole(p)))
            snprintf(out, size, "%s: %s", d->ops->name, d->reason);
    }
}

static int power_nothing(const struct eb_power *p, struct eb_err *err)
{
    size_t i;

    for (i = 0; i < p->n_drivers; i++) {
        if (p->drivers[i].rc == EB_EPERM)
            return eb_fail(err, EB_EPERM, "no power sensor: %s: %s",
                           p->drivers[i].ops->name, p->drivers[i].reason);
    }
    for (i = 0; i < p->n_drivers; i++) {
        if (p->drivers[i].rc != EB_ENODEV)
            return eb_fail(err, EB_ENODEV, "no power sensor: %s: %s",
                           p->drivers[i].ops->name, p->drivers[i].reason);
    }
    return eb_fail(err, EB_ENODEV,
                   "no power sensor on this machine; edgebench doctor says "
                   "why (EDGEBENCH_METER names an external meter)");
}

int eb_power_open(const char *sysroot, enum eb_power_mode mode,
                  const struct eb_power_hints *hints, struct eb_power **out,
                  struct eb_err *err)
{
    struct eb_power *p = eb_xcalloc(1, sizeof(*p));
    struct eb_power_hints h = {0};
    struct eb_sampler_settings set = {0};
    int rc = 0;
    size_t i;

    if (hints != NULL)
        h = *hints;
    h.sysroot = sysroot;
    p->mode = mode;
    p->gpu_known = h.pci != NULL;
    p->cpu_only = h.pci != NULL && h.n_pci == 0;
    *out = p;
    if (mode == EB_POWER_OFF)
        return 0;
    for (i = 0; eb_power_drivers[i] != NULL; i++)
        power_driver_open(p, eb_power_drivers[i], &h);
    if (!power_whole(p) && mode == EB_POWER_REQUIRE)
        rc = power_nothing(p, err);
    set.rate_hz = h.rate_hz > 0 ? h.rate_hz : POWER_RATE_HZ;
    set.clock = h.clock;
    set.clock_arg = h.clock_arg;
    if (rc == 0 && p->n > 0)
        rc = eb_sampler_open(p->sources, p->n, &set, &p->sampler, err);
    if (rc != 0) {
        eb_power_close(p);
        *out = NULL;
    }
    return rc;
}

void eb_power_close(struct eb_power *p)
{
    size_t i;

    if (p == NULL)
        return;
    eb_sampler_close(p->sampler);
    for (i = 0; i < p->n_drivers; i++) {
        if (p->drivers[i].dev != NULL)
            p->drivers[i].ops->close(p->drivers[i].dev);
    }
    free(p);
}

/* Windows */

void eb_power_window_begin(struct eb_power *p, const char *name,
                           const char *level, const char *lang)
{
    if (p == NULL || p->sampler == NULL)
        return;
    p->depth++;
    eb_sampler_begin(p->sampler, name, level, lang);
}

void eb_power_window_end(struct eb_power *p)
{
    if (p == NULL || p->sampler == NULL || p->depth == 0)
        return;
    p->depth--;
    eb_sampler_end(p->sampler);
}

void eb_power_window_count(struct eb_power *p, int64_t items, int64_t tokens)
{
    if (p != NULL && p->sampler != NULL)
        eb_sampler_count(p->sampler, items, tokens);
}

void eb_power_idle(struct eb_power *p, int64_t ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    if (p == NULL || p->sampler == NULL)
        return;
    eb_power_window_begin(p, "idle", NULL, NULL);
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        ;
    eb_power_window_end(p);
}

/* The sampler's thread does not look at `sum`. */
static void power_sums(struct eb_power *p, const struct eb_power_hints *h)
{
    size_t k;

    p->gpu_known = h->pci != NULL;
    p->cpu_only = h->pci != NULL && h->n_pci == 0;
    for (k = 0; k < p->n; k++) {
        struct eb_power_sensor *m =
            &p->sources[k].dev->sensors[p->sources[k].index];

        if (m->pci[0] != '\0')
            m->sum = eb_power_wanted(h, m->pci) ? p->sums[k] : EB_POWER_SCOPES;
    }
}

void eb_power_gpus(struct eb_power *p, const char *const *pci, size_t n)
{
    static const char *const none[] = {NULL};
    const struct eb_power_hints h = {.pci = pci != NULL ? pci : none,
                                     .n_pci = pci != NULL ? n : 0};

    if (p != NULL)
        power_sums(p, &h);
}

void eb_power_gpus_unknown(struct eb_power *p)
{
    const struct eb_power_hints h = {.pci = NULL};

    if (p != NULL)
        power_sums(p, &h);
}

int64_t eb_power_shortest_ms(struct eb_power *p)
{
    double longest = 0, ms;
    size_t k;

    for (k = 0; p != NULL && k < p->n; k++) {
        const struct eb_power_sensor *m =
            &p->sources[k].dev->sensors[p->sources[k].index];

        if (m->sum == EB_POWER_SCOPES)
            continue;
        ms = eb_sampler_period_ms(p->sampler, k);
        ms = m->step_ms > ms ? m->step_ms : ms;
        longest = ms > longest ? ms : longest;
    }
    return (int64_t)(longest * EB_SAMPLER_STEPS_MIN + 0.999);
}

void eb_power_reset(struct eb_power *p)
{
    if (p == NULL || p->sampler == NULL)
        return;
    p->depth = 0;
    eb_sampler_reset(p->sampler);
}

struct eb_sampler *eb_power_sampler(struct eb_power *p)
{
    return p != NULL ? p->sampler : NULL;
}
