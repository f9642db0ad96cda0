/* Power as a programme says: the template of a driver and the source of the
 * tests. $EDGEBENCH_POWER_FAKE or the hint, sensors separated by ';':
 *
 *     shape=bursts,w=5,to=30,s=1,duty=0.2,kind=counter,step_ms=100
 *     shape=constant,w=10,fault=vanish,at=5,for=1
 *
 * shape  constant; ramp from w to `to` in s seconds, then again; steps: w and
 *        `to` in turn, s seconds each; bursts: `to` for duty * s, then w
 * kind   gauge, counter (range_j: turns there; start_j: begins there)
 * fault  from `at` for `for` seconds: vanish eagain eacces garbage (failed
 *        reads); stick (the value stands still), pause (a counter stops
 *        counting), negative, spike (values that cannot be); from `at` on:
 *        reset (begins at 0 again). Seconds count from open. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/power.h"
#include "common/clock.h"
#include "common/mem.h"

struct fake_sensor {
    char shape[16], fault[16];
    double w, to, s, duty, range_j, start_j, step_ms, at, lasts;
};

struct fake {
    struct eb_power_dev dev;
    struct eb_power_hints hints;
    int64_t start_ns;
    struct fake_sensor sensors[EB_POWER_SENSORS_MAX];
};

static int64_t fake_now(const struct fake *f)
{
    return f->hints.clock != NULL ? f->hints.clock(f->hints.clock_arg)
                                  : eb_clock_ns();
}

static double fake_high_s(const struct fake_sensor *x)
{
    return strcmp(x->shape, "steps") == 0 ? x->s : x->duty * x->s;
}

/* Watts at t seconds. */
static double fake_watts(const struct fake_sensor *x, double t)
{
    if (strcmp(x->shape, "ramp") == 0)
        return x->w + (x->to - x->w) * fmod(t, x->s) / x->s;
    if (strcmp(x->shape, "steps") == 0)
        return fmod(t, 2 * x->s) < x->s ? x->w : x->to;
    if (strcmp(x->shape, "bursts") == 0)
        return fmod(t, x->s) < fake_high_s(x) ? x->to : x->w;
    return x->w;
}

/* Joules from 0 to t. */
static double fake_joules(const struct fake_sensor *x, double t)
{
    double turn, part;

    if (strcmp(x->shape, "ramp") == 0) {
        part = fmod(t, x->s);
        turn = (x->w + x->to) / 2 * x->s;
        return floor(t / x->s) * turn + x->w * part +
               (x->to - x->w) * part * part / 2 / x->s;
    }
    if (strcmp(x->shape, "steps") == 0) {
        part = fmod(t, 2 * x->s);
        turn = (x->w + x->to) * x->s;
        return floor(t / (2 * x->s)) * turn + x->w * fmin(part, x->s) +
               x->to * fmax(part - x->s, 0);
    }
    if (strcmp(x->shape, "bursts") == 0) {
        part = fmod(t, x->s);
        turn = x->to * fake_high_s(x) + x->w * (x->s - fake_high_s(x));
        return floor(t / x->s) * turn + x->to * fmin(part, fake_high_s(x)) +
               x->w * fmax(part - fake_high_s(x), 0);
    }
    return x->w * t;
}

static int fake_set(struct fake_sensor *x, struct eb_power_sensor *m,
                    const char *key, const char *value, struct eb_err *err)
{
    const struct {
        const char *key;
        double *to;
    } numbers[] = {{"w", &x->w},
                   {"to", &x->to},
                   {"s", &x->s},
                   {"duty", &x->duty},
                   {"range_j", &x->range_j},
                   {"start_j", &x->start_j},
                   {"step_ms", &x->step_ms},
                   {"at", &x->at},
                   {"for", &x->lasts},
                   {"stuck_ms", &m->stuck_ms},
                   {"poll_ms", &m->poll_ms},
                   {"max_w", &m->max_w}};
    int s;
    size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        if (strcmp(key, numbers[i].key) == 0) {
            *numbers[i].to = strtod(value, NULL);
            return 0;
        }
    }
    if (strcmp(key, "shape") == 0)
        snprintf(x->shape, sizeof(x->shape), "%s", value);
    else if (strcmp(key, "fault") == 0)
        snprintf(x->fault, sizeof(x->fault), "%s", value);
    else if (strcmp(key, "name") == 0)
        snprintf(m->name, sizeof(m->name), "%s", value);
    else if (strcmp(key, "kind") == 0)
        m->kind =
            strcmp(value, "counter") == 0 ? EB_POWER_COUNTER : EB_POWER_GAUGE;
    else if (strcmp(key, "scope") == 0) {
        for (s = 0; s < EB_POWER_SCOPES; s++) {
            if (strcmp(value, eb_power_scope_name((enum eb_power_scope)s)) == 0)
                m->scope = m->sum = (enum eb_power_scope)s;
        }
    } else {
        return eb_fail(err, EB_EINVAL, "unsupported: the fake knows no %s",
                       key);
    }
    return 0;
}

static int fake_sensor(struct fake *f, char *text, struct eb_err *err)
{
    char name[16], *pair, *save, *eq;
    struct fake_sensor *x = &f->sensors[f->dev.n];
    struct eb_power_sensor *m;
    int rc = 0;

    snprintf(name, sizeof(name), "fake-%zu", f->dev.n);
    m = eb_power_add(&f->dev, name);
    if (m == NULL)
        return eb_fail(err, EB_ELIMIT, "unsupported: too many sensors");
    m->scope = m->sum = EB_POWER_MODULE;
    m->method = "made up";
    x->s = x->duty = 1;
    x->lasts = INFINITY;
    for (pair = strtok_r(text, ",", &save); rc == 0 && pair != NULL;
         pair = strtok_r(NULL, ",", &save)) {
        eq = strchr(pair, '=');
        if (eq == NULL)
            return eb_fail(err, EB_EINVAL, "unsupported: %s is no key=value",
                           pair);
        *eq = '\0';
        rc = fake_set(x, m, pair, eq + 1, err);
    }
    m->step_ms = x->step_ms;
    m->range_uj = (int64_t)(x->range_j * 1e6);
    return rc;
}

static void fake_close(struct eb_power_dev *d)
{
    free(d);
}

static int fake_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                     struct eb_err *err)
{
    const char *text =
        h->fake != NULL ? h->fake : getenv("EDGEBENCH_POWER_FAKE");
    char *copy, *one, *save;
    struct fake *f;
    int rc = 0;

    if (text == NULL || *text == '\0')
        return eb_fail(err, EB_ENODEV, "absent: not asked for");
    f = eb_xcalloc(1, sizeof(*f));
    f->dev.ops = &eb_power_fake;
    f->hints = *h;
    f->start_ns = fake_now(f);
    copy = eb_xstrdup(text);
    for (one = strtok_r(copy, ";", &save); rc == 0 && one != NULL;
         one = strtok_r(NULL, ";", &save))
        rc = fake_sensor(f, one, err);
    free(copy);
    if (rc != 0)
        fake_close(&f->dev);
    else
        *out = &f->dev;
    return rc;
}

static int fake_failure(const char *fault)
{
    static const struct {
        const char *name;
        int rc;
    } all[] = {{"vanish", EB_ENOENT},
               {"eagain", EB_EBUSY},
               {"eacces", EB_EPERM},
               {"garbage", EB_EPARSE}};
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        if (strcmp(fault, all[i].name) == 0)
            return all[i].rc;
    }
    return 0;
}

static int fake_read(struct eb_power_dev *d, size_t i,
                     struct eb_power_reading *r)
{
    const struct fake *f = (const struct fake *)d;
    const struct fake_sensor *x = &f->sensors[i];
    double t = (double)(fake_now(f) - f->start_ns) / 1e9, joules;
    int on = x->fault[0] != '\0' && t >= x->at && t < x->at + x->lasts;

    if (on && fake_failure(x->fault) != 0)
        return fake_failure(x->fault);
    if (on && strcmp(x->fault, "stick") == 0)
        t = x->at;
    if (x->step_ms > 0)
        t = floor(t * 1000 / x->step_ms) * x->step_ms / 1000;
    joules = x->start_j + fake_joules(x, t);
    if (strcmp(x->fault, "pause") == 0 && t >= x->at)
        joules -=
            fake_joules(x, fmin(t, x->at + x->lasts)) - fake_joules(x, x->at);
    if (strcmp(x->fault, "reset") == 0 && t >= x->at)
        joules = fake_joules(x, t) - fake_joules(x, x->at);
    if (x->range_j > 0)
        joules = fmod(joules, x->range_j);
    r->value = (int64_t)llround(
        (d->sensors[i].kind == EB_POWER_GAUGE ? fake_watts(x, t) : joules) *
        1e6);
    if (on && strcmp(x->fault, "negative") == 0)
        r->value = -r->value - 1;
    if (on && strcmp(x->fault, "spike") == 0)
        r->value += INT64_C(1) << 50;
    return 0;
}

const struct eb_power_ops eb_power_fake = {"fake", fake_open, fake_read, NULL,
                                           fake_close};
