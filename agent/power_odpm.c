/* The on-device power monitor of Google Pixel phones (6 and later), in the
 * power management chips, through iio (the Pixel kernel's
 * drivers/power/google/odpm.c, which says the format at energy_value_show):
 *
 *     energy_value   t=349894                  ms of CLOCK_BOOTTIME
 *                    CH3(T=349894)[S2M_VDD_CPUCL2], 30203502
 *     enabled_rails  CH3[S2M_VDD_CPUCL2]:CPU
 *
 * The number is microjoules since T ms ago; older kernels leave out "t=" and
 * "CH3(T=..)[]". It is of 64 bits and does not turn. Rails are chosen out of
 * more than there are channels: one that is exchanged or restarted in mid-run
 * ends the driver's readings, for what it had counted is lost.
 *
 * A chip's sensor adds up its enabled rails but the LDOs (L9S_...), which are
 * fed from bucks (S2M_...) that may be measured too. It is of scope `rail`:
 * what has no channel is in no sum. Each rail is a sensor as well, counted in
 * no sum. A rail that is switched off does not move, which reads as stuck. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/power.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/mem.h"

#define ODPM_DIR "/sys/bus/iio/devices"
#define ODPM_CHIPS_MAX 3
#define ODPM_RAILS_MAX 8 /* channels of a chip */
#define ODPM_TEXT_MAX 4096
#define ODPM_STEP_MS 50
#define ODPM_POLL_MS 100
/* The chip is asked once for all its rails; the sampler asks again until
 * nothing is new. */
#define ODPM_FRESH_NS INT64_C(25000000)
#define ODPM_MAX_W 60
#define ODPM_UJ_MAX (INT64_MAX / ODPM_RAILS_MAX)

struct odpm_rail {
    char name[48];
    int64_t uj;
    int64_t ms; /* it has counted for; 0: not told */
};

struct odpm_sample {
    int64_t t_ms;
    struct odpm_rail rails[ODPM_RAILS_MAX];
    size_t n;
};

struct odpm_chip {
    char name[32], rate[32], summed[512];
    char *path;
    struct odpm_sample now; /* the enabled rails */
    int64_t read_ns;
    int rc; /* of the last read */
    int broken;
};

struct odpm_sensor {
    size_t chip;
    int rail; /* -1: the sum */
    int64_t given_ms;
};

struct odpm {
    struct eb_power_dev dev;
    struct eb_power_hints hints;
    struct odpm_chip chips[ODPM_CHIPS_MAX];
    size_t n;
    struct odpm_sensor sensors[EB_POWER_SENSORS_MAX];
};

/* The file */

static int odpm_number(const char *text, const char *ends, int64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return EB_EPARSE; /* strtoll takes signs and spaces */
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno == ERANGE)
        return EB_EINVAL;
    return end != text && strchr(ends, *end) != NULL ? 0 : EB_EPARSE;
}

/* "CH3(T=349894)[S2M_VDD_CPUCL2], 30203502", "CH3[...], 1" or "NAME, 1". */
static int odpm_line(char *line, struct odpm_rail *r)
{
    char *comma = strstr(line, ", "), *name = strchr(line, '['), *end;
    const char *since = strstr(line, "(T=");
    int rc;

    if (comma == NULL)
        return EB_EPARSE;
    rc = odpm_number(comma + 2, "", &r->uj);
    if (rc == 0 && r->uj > ODPM_UJ_MAX)
        rc = EB_EINVAL;
    r->ms = 0;
    if (rc == 0 && since != NULL)
        rc = odpm_number(since + 3, ")", &r->ms);
    if (rc != 0)
        return rc;
    end = name != NULL ? strchr(name, ']') : comma;
    name = name != NULL ? name + 1 : line;
    if (end == NULL || end > comma || end == name ||
        (size_t)(end - name) >= sizeof(r->name))
        return EB_EPARSE;
    snprintf(r->name, sizeof(r->name), "%.*s", (int)(end - name), name);
    return 0;
}

/* The next line of a text, which is cut up; NULL at its end. */
static char *odpm_next(char **text)
{
    char *line = *text;
    size_t n = strcspn(line, "\n");

    if (*line == '\0')
        return NULL;
    *text += n + (line[n] == '\n');
    line[n] = '\0';
    return line;
}

static int odpm_parse(char *text, struct odpm_sample *s)
{
    char *line = odpm_next(&text);
    int rc;

    s->n = 0;
    /* What the kernel says when the chip could not be asked. */
    if (line == NULL)
        return EB_EBUSY;
    rc = odpm_number(strncmp(line, "t=", 2) == 0 ? line + 2 : line, "",
                     &s->t_ms);
    if (rc == 0 && s->t_ms > INT64_MAX / 1000000)
        rc = EB_EINVAL;
    while (rc == 0 && (line = odpm_next(&text)) != NULL) {
        if (s->n == ODPM_RAILS_MAX)
            return EB_EPARSE;
        rc = odpm_line(line, &s->rails[s->n++]);
    }
    return rc == 0 && s->n == 0 ? EB_EPARSE : rc;
}

static const struct odpm_rail *odpm_find(const struct odpm_sample *s,
                                         const char *name)
{
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (strcmp(s->rails[i].name, name) == 0)
            return &s->rails[i];
    }
    return NULL;
}

static int odpm_read_file(const char *path, struct odpm_sample *s)
{
    char text[ODPM_TEXT_MAX];
    int rc = eb_power_read_text(path, text, sizeof(text));

    return rc == 0 ? odpm_parse(text, s) : rc;
}

/* Reading */

static int odpm_is_ldo(const char *rail)
{
    return rail[0] == 'L' && rail[1] >= '0' && rail[1] <= '9';
}

/* 0 if all rails went on. */
static int odpm_follows(const struct odpm_sample *was,
                        const struct odpm_sample *is)
{
    const struct odpm_rail *r;
    size_t i;

    if (is->t_ms < was->t_ms)
        return EB_EINVAL;
    for (i = 0; i < was->n; i++) {
        r = odpm_find(is, was->rails[i].name);
        if (r == NULL)
            return EB_ENOENT;
        if (r->uj < was->rails[i].uj || r->ms < was->rails[i].ms)
            return EB_EINVAL;
    }
    return 0;
}

static int odpm_refresh(struct odpm_chip *c, int64_t now_ns)
{
    struct odpm_sample s;
    size_t i;
    int rc;

    if (c->broken != 0)
        return c->broken;
    if (c->rc == 0 && now_ns - c->read_ns < ODPM_FRESH_NS)
        return 0;
    c->read_ns = now_ns;
    rc = odpm_read_file(c->path, &s);
    if (rc == 0)
        rc = c->broken = odpm_follows(&c->now, &s);
    for (i = 0; rc == 0 && i < c->now.n; i++)
        c->now.rails[i] = *odpm_find(&s, c->now.rails[i].name);
    if (rc == 0)
        c->now.t_ms = s.t_ms;
    c->rc = rc;
    return rc;
}

static int64_t odpm_sum(const struct odpm_sample *s)
{
    int64_t uj = 0;
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (!odpm_is_ldo(s->rails[i].name))
            uj += s->rails[i].uj;
    }
    return uj;
}

/* From CLOCK_BOOTTIME, which also runs while the phone sleeps. The clock of
 * tests counts from boot. */
static int64_t odpm_at_ns(const struct odpm *o, int64_t t_ms)
{
    struct timespec boot;

    if (o->hints.clock != NULL || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
        return t_ms * 1000000;
    return t_ms * 1000000 -
           ((int64_t)boot.tv_sec * 1000000000 + boot.tv_nsec - eb_clock_ns());
}

static int odpm_read(struct eb_power_dev *d, size_t i,
                     struct eb_power_reading *r)
{
    struct odpm *o = (struct odpm *)d;
    struct odpm_sensor *x = &o->sensors[i];
    struct odpm_chip *c = &o->chips[x->chip];
    int rc = c->rc;

    if (rc != 0 || x->given_ms == c->now.t_ms)
        rc = odpm_refresh(c, o->hints.clock != NULL
                                 ? o->hints.clock(o->hints.clock_arg)
                                 : eb_clock_ns());
    if (rc != 0)
        return rc;
    if (x->given_ms == c->now.t_ms)
        return 1;
    x->given_ms = c->now.t_ms;
    r->value = x->rail < 0 ? odpm_sum(&c->now) : c->now.rails[x->rail].uj;
    r->at_ns = odpm_at_ns(o, c->now.t_ms);
    return 0;
}

static void odpm_close(struct eb_power_dev *d)
{
    struct odpm *o = (struct odpm *)d;
    size_t i;

    for (i = 0; i < o->n; i++)
        free(o->chips[i].path);
    free(o);
}

/* Opening */

/* Keeps the rails that are enabled, in their order; all if nothing says which
 * are. `subsystems` gets one of each. */
static int odpm_enabled(struct odpm_chip *c, const char *path,
                        char subsystems[][16])
{
    char text[ODPM_TEXT_MAX], *next = text, *line, *name, *end;
    struct odpm_sample all = c->now;
    const struct odpm_rail *r;
    int rc = eb_power_read_text(path, text, sizeof(text));

    if (rc != 0)
        return rc == EB_ENOENT ? 0 : rc;
    c->now.n = 0;
    while ((line = odpm_next(&next)) != NULL) {
        name = strchr(line, '[');
        end = name != NULL ? strchr(name, ']') : NULL;
        if (end == NULL)
            return EB_EPARSE;
        *end = '\0';
        r = odpm_find(&all, name + 1);
        /* One rail on two channels is one rail. */
        if (r != NULL && odpm_find(&c->now, r->name) != NULL)
            continue;
        if (r == NULL || c->now.n == ODPM_RAILS_MAX)
            return EB_EPARSE;
        snprintf(subsystems[c->now.n], 16, "%s", end[1] == ':' ? end + 2 : "");
        c->now.rails[c->now.n++] = *r;
    }
    return c->now.n > 0 ? 0 : EB_EPARSE;
}

static void odpm_add(struct odpm *o, const char *name, int rail)
{
    struct eb_power_sensor *m = eb_power_add(&o->dev, name);

    if (m == NULL)
        return;
    m->scope = EB_POWER_RAIL;
    m->sum = rail < 0 ? EB_POWER_RAIL : EB_POWER_SCOPES;
    m->kind = EB_POWER_COUNTER;
    m->step_ms = ODPM_STEP_MS;
    m->poll_ms = ODPM_POLL_MS;
    m->max_w = ODPM_MAX_W;
    m->method =
        rail < 0 ? "iio energy_value, sum of rails" : "iio energy_value";
    o->sensors[o->dev.n - 1].chip = o->n - 1;
    o->sensors[o->dev.n - 1].rail = rail;
    o->sensors[o->dev.n - 1].given_ms = -1;
}

static void odpm_sensors(struct odpm *o, struct odpm_chip *c,
                         char subsystems[][16])
{
    char name[128];
    size_t i, n;

    snprintf(name, sizeof(name), "%s rails", c->name);
    odpm_add(o, name, -1);
    for (i = 0; i < c->now.n; i++) {
        snprintf(name, sizeof(name), "%s%s%.15s", c->now.rails[i].name,
                 subsystems[i][0] != '\0' ? " " : "", subsystems[i]);
        odpm_add(o, name, (int)i);
        if (odpm_is_ldo(c->now.rails[i].name))
            continue;
        n = strlen(c->summed);
        snprintf(c->summed + n, sizeof(c->summed) - n, "%s%s",
                 n > 0 ? ", " : "", c->now.rails[i].name);
    }
}

/* Without one chip's rails the sum would be too small, so that any failure is
 * that of all. */
static int odpm_chip(struct odpm *o, const char *dir, struct eb_err *err)
{
    char subsystems[ODPM_RAILS_MAX][16] = {""}, name[32], path[512];
    struct odpm_chip *c = &o->chips[o->n];
    int rc;

    snprintf(path, sizeof(path), "%s/name", dir);
    eb_power_read_line(path, name, sizeof(name));
    if (strstr(name, "odpm") == NULL || o->n == ODPM_CHIPS_MAX)
        return 0;
    o->n++;
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->path = eb_fs_join(dir, "energy_value");
    rc = odpm_read_file(c->path, &c->now);
    snprintf(path, sizeof(path), "%s/enabled_rails", dir);
    if (rc == 0)
        rc = odpm_enabled(c, path, subsystems);
    if (rc == EB_EPERM)
        return eb_fail(err, rc, "no permission: %s", c->path);
    if (rc != 0)
        return eb_fail(err, rc, "%s: %s", eb_power_failure(rc), c->path);
    snprintf(path, sizeof(path), "%s/sampling_rate", dir);
    eb_power_read_line(path, c->rate, sizeof(c->rate));
    odpm_sensors(o, c, subsystems);
    return 0;
}

static int odpm_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                     struct eb_err *err)
{
    char *base = eb_xasprintf("%s%s", h->sysroot, ODPM_DIR), *dir;
    struct odpm *o = eb_xcalloc(1, sizeof(*o));
    char **names = NULL;
    size_t count = 0, i;
    int there = eb_fs_list(base, "", &names, &count, NULL) == 0, rc = 0;

    o->dev.ops = &eb_power_odpm;
    o->hints = *h;
    for (i = 0; there && rc == 0 && i < count; i++) {
        dir = eb_fs_join(base, names[i]);
        rc = odpm_chip(o, dir, err);
        free(dir);
    }
    if (there)
        eb_fs_list_free(names, count);
    if (rc == 0 && o->dev.n == 0)
        rc =
            eb_fail(err, EB_ENODEV,
                    there ? "absent: no odpm below %s" : "absent: no %s", base);
    if (rc == 0)
        *out = &o->dev;
    else
        odpm_close(&o->dev);
    free(base);
    return rc;
}

static void odpm_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct odpm *o = (const struct odpm *)d;
    cJSON *arr = cJSON_AddArrayToObject(out, "chips"), *v;
    size_t i;

    for (i = 0; i < o->n; i++) {
        v = cJSON_CreateObject();
        cJSON_AddStringToObject(v, "name", o->chips[i].name);
        cJSON_AddStringToObject(v, "summed", o->chips[i].summed);
        cJSON_AddStringToObject(v, "sampling_rate_hz", o->chips[i].rate);
        cJSON_AddItemToArray(arr, v);
    }
}

const struct eb_power_ops eb_power_odpm = {"odpm", odpm_open, odpm_read,
                                           odpm_facts, odpm_close};
