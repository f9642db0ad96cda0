/* Apple silicon through IOReport, the library that powermetrics reads; without
 * root. It is not documented; channels and units are those that macmon
 * (src_lib/sources.rs, MIT) and codecarbon's notes name.
 *
 *     group "Energy Model": "CPU Energy" 12345 mJ, "GPU Energy" 9876543 nJ
 *
 * The unit is that of each channel. The group also has the cores and clusters
 * of "CPU Energy" (ECPU0, PCPM, ...) and older names of the same: only the
 * parts' totals are read. On a chip of several dies the processor's total is
 * one channel a die (DIE_0_CPU Energy). "GPU SRAM" is left out: it is not known
 * whether "GPU Energy" holds it.
 *
 * The numbers are a model that the chip computes, not a shunt. They are of
 * scope `package`: processor, graphics, neural engine and, where the chip
 * tells it, memory; not of the display, the disk or the supply. */
#include "agent/power_ioreport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <dlfcn.h>

#include "common/clock.h"
#include "common/mem.h"
#endif

#include "agent/power.h"

#define IOREPORT_GROUP "Energy Model"

/* Which channels count */

static const struct {
    const char *name;  /* of the part */
    const char *total; /* of the channel */
    int dies;          /* "DIE_n_" may stand before it */
    int instances;     /* digits may stand behind it */
} ioreport_parts[EB_IOREPORT_PARTS] = {{"cpu", "CPU Energy", 1, 0},
                                       {"gpu", "GPU Energy", 1, 0},
                                       {"ane", "ANE", 1, 1},
                                       {"dram", "DRAM", 1, 1}};

const char *eb_ioreport_part_name(enum eb_ioreport_part p)
{
    return ioreport_parts[p].name;
}

int eb_ioreport_unit(const char *label, int64_t *nj)
{
    static const struct {
        const char *label;
        int64_t nj;
    } units[] = {{"mJ", 1000000}, {"uJ", 1000}, {"nJ", 1}};
    size_t n, i;

    label += strspn(label, " \t");
    n = strcspn(label, " \t");
    if (label[n + strspn(label + n, " \t")] != '\0')
        return EB_EPARSE;
    for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strlen(units[i].label) == n &&
            strncmp(units[i].label, label, n) == 0) {
            *nj = units[i].nj;
            return 0;
        }
    }
    return EB_EPARSE;
}

enum { IOREPORT_OTHER, IOREPORT_PIECE, IOREPORT_TOTAL };

/* Is the channel the part's total, a piece of it (a die's, an instance's) or
 * something else? */
static int ioreport_kind(enum eb_ioreport_part p,
                         const struct eb_ioreport_channel *c)
{
    static const char digits[] = "0123456789";
    const char *name = c->name, *total = ioreport_parts[p].total;
    int piece = 0;
    size_t n;

    if (strcmp(c->group, IOREPORT_GROUP) != 0)
        return IOREPORT_OTHER;
    if (ioreport_parts[p].dies && strncmp(name, "DIE_", 4) == 0) {
        n = strspn(name + 4, digits);
        if (n == 0 || name[4 + n] != '_')
            return IOREPORT_OTHER;
        name += 4 + n + 1;
        piece = 1;
    }
    n = strlen(total);
    if (strncmp(name, total, n) != 0)
        return IOREPORT_OTHER;
    name += n;
    n = ioreport_parts[p].instances ? strspn(name, digits) : 0;
    if (name[n] != '\0')
        return IOREPORT_OTHER;
    return piece || n > 0 ? IOREPORT_PIECE : IOREPORT_TOTAL;
}

static int ioreport_take(struct eb_ioreport_sum *s, enum eb_ioreport_part p,
                         const struct eb_ioreport_channel *c, size_t index,
                         struct eb_err *err)
{
    struct eb_ioreport_picked *k = &s->picked[s->n];

    if (s->n == EB_IOREPORT_PICKED_MAX)
        return eb_fail(err, EB_ELIMIT,
                       "unsupported: more than %d energy channels",
                       EB_IOREPORT_PICKED_MAX);
    if (eb_ioreport_unit(c->unit, &k->unit_nj) != 0)
        return eb_fail(err, EB_EPARSE,
                       "unsupported: IOReport's \"%s\" has the unit \"%s\"",
                       c->name, c->unit);
    snprintf(k->name, sizeof(k->name), "%s", c->name);
    k->index = index;
    k->part = p;
    k->last = c->value;
    s->has[p] = 1;
    s->n++;
    return 0;
}

/* All channels of the part that are of that kind. */
static int ioreport_take_all(struct eb_ioreport_sum *s, enum eb_ioreport_part p,
                             int kind, const struct eb_ioreport_channel *c,
                             size_t n, struct eb_err *err)
{
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < n; i++) {
        if (ioreport_kind(p, &c[i]) == kind)
            rc = ioreport_take(s, p, &c[i], i, err);
    }
    return rc;
}

int eb_ioreport_pick(struct eb_ioreport_sum *s,
                     const struct eb_ioreport_channel *c, size_t n,
                     struct eb_err *err)
{
    int p, rc = 0;

    memset(s, 0, sizeof(*s));
    for (p = 0; rc == 0 && p < EB_IOREPORT_PARTS; p++) {
        enum eb_ioreport_part part = (enum eb_ioreport_part)p;

        rc = ioreport_take_all(s, part, IOREPORT_TOTAL, c, n, err);
        if (rc == 0 && !s->has[p])
            rc = ioreport_take_all(s, part, IOREPORT_PIECE, c, n, err);
    }
    if (rc == 0 && !s->has[EB_IOREPORT_CPU])
        rc = eb_fail(err, EB_ENODEV,
                     "unsupported: IOReport tells no CPU energy");
    return rc;
}

int eb_ioreport_add(struct eb_ioreport_sum *s,
                    const struct eb_ioreport_channel *c, size_t n)
{
    int64_t nj[EB_IOREPORT_PARTS], delta;
    size_t i;

    if (s->broken != 0)
        return s->broken;
    memcpy(nj, s->nj, sizeof(nj));
    for (i = 0; i < s->n; i++) {
        const struct eb_ioreport_picked *k = &s->picked[i];

        if (k->index >= n || strcmp(c[k->index].name, k->name) != 0)
            return s->broken = EB_ENOENT;
        if (__builtin_sub_overflow(c[k->index].value, k->last, &delta) ||
            delta < 0 || __builtin_mul_overflow(delta, k->unit_nj, &delta) ||
            __builtin_add_overflow(nj[k->part], delta, &nj[k->part]))
            return s->broken = EB_EINVAL;
    }
    for (i = 0; i < s->n; i++)
        s->picked[i].last = c[s->picked[i].index].value;
    memcpy(s->nj, nj, sizeof(nj));
    return 0;
}

#ifdef __APPLE__

#define IOREPORT_LIBRARY "/usr/lib/libIOReport.dylib"
#define IOREPORT_CF                                                            \
    "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
#define IOREPORT_UTF8 0x08000100u
#define IOREPORT_STEP_MS 100
#define IOREPORT_FRESH_NS INT64_C(50000000)
#define IOREPORT_MAX_W 500

/* Prototypes: CoreFoundation as documented, IOReport as macmon calls it. */
struct ioreport_api {
    const void *(*string)(const void *alloc, const char *text, uint32_t code);
    unsigned char (*text)(const void *s, char *out, long size, uint32_t code);
    const void *(*value)(const void *dictionary, const void *key);
    long (*count)(const void *array);
    const void *(*at)(const void *array, long i);
    void (*release)(const void *object);
    void *(*channels)(const void *group, const void *sub, uint64_t a,
                      uint64_t b, uint64_t c);
    void *(*subscribe)(void *a, void *wanted, void **subscribed, uint64_t id,
                       const void *b);
    const void *(*sample)(void *subscription, void *subscribed, const void *a);
    const void *(*group)(const void *channel);
    const void *(*name)(const void *channel);
    const void *(*unit)(const void *channel);
    int64_t (*integer)(const void *channel, int32_t i);
};

struct ioreport {
    struct eb_power_dev dev;
    struct ioreport_api api;
    void *cf, *library, *wanted, *subscribed, *subscription;
    const void *key; /* "IOReportChannels" */
    struct eb_ioreport_channel *now;
    struct eb_ioreport_sum sum;
    int64_t sampled_ns, given_ns[EB_POWER_SENSORS_MAX];
    int parts[EB_POWER_SENSORS_MAX]; /* EB_IOREPORT_PARTS: all */
};

static int ioreport_load(struct ioreport *p, struct eb_err *err)
{
    const struct {
        const char *symbol;
        void *to;
        int cf;
    } all[] = {{"CFStringCreateWithCString", &p->api.string, 1},
               {"CFStringGetCString", &p->api.text, 1},
               {"CFDictionaryGetValue", &p->api.value, 1},
               {"CFArrayGetCount", &p->api.count, 1},
               {"CFArrayGetValueAtIndex", &p->api.at, 1},
               {"CFRelease", &p->api.release, 1},
               {"IOReportCopyChannelsInGroup", &p->api.channels, 0},
               {"IOReportCreateSubscription", &p->api.subscribe, 0},
               {"IOReportCreateSamples", &p->api.sample, 0},
               {"IOReportChannelGetGroup", &p->api.group, 0},
               {"IOReportChannelGetChannelName", &p->api.name, 0},
               {"IOReportChannelGetUnitLabel", &p->api.unit, 0},
               {"IOReportSimpleGetIntegerValue", &p->api.integer, 0}};
    void *symbol;
    size_t i;

    p->cf = dlopen(IOREPORT_CF, RTLD_NOW | RTLD_LOCAL);
    p->library = dlopen(IOREPORT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (p->cf == NULL || p->library == NULL)
        return eb_fail(err, EB_ENODEV, "absent: %s cannot be loaded",
                       IOREPORT_LIBRARY);
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        symbol = dlsym(all[i].cf ? p->cf : p->library, all[i].symbol);
        if (symbol == NULL)
            return eb_fail(err, EB_ENODEV, "unsupported: no %s in %s",
                           all[i].symbol, IOREPORT_LIBRARY);
        memcpy(all[i].to, &symbol, sizeof(symbol));
    }
    return 0;
}

static void ioreport_text(const struct ioreport *p, const void *string,
                          char *out, size_t size)
{
    if (string == NULL || !p->api.text(string, out, (long)size, IOREPORT_UTF8))
        out[0] = '\0';
}

static int ioreport_sample(struct ioreport *p, size_t *n)
{
    const void *sample, *array, *item;
    long count, i;

    sample = p->api.sample(p->subscription, p->subscribed, NULL);
    array = sample != NULL ? p->api.value(sample, p->key) : NULL;
    count = array != NULL ? p->api.count(array) : 0;
    *n = 0;
    for (i = 0; i < count && *n < EB_IOREPORT_CHANNELS_MAX; i++) {
        struct eb_ioreport_channel *c = &p->now[(*n)++];

        item = p->api.at(array, i);
        ioreport_text(p, p->api.group(item), c->group, sizeof(c->group));
        ioreport_text(p, p->api.name(item), c->name, sizeof(c->name));
        ioreport_text(p, p->api.unit(item), c->unit, sizeof(c->unit));
        c->value = p->api.integer(item, 0);
    }
    if (sample != NULL)
        p->api.release(sample);
    return *n > 0 ? 0 : EB_EIO;
}

/* One sample serves all sensors. */
static int ioreport_refresh(struct ioreport *p)
{
    int64_t before = eb_clock_ns(), after;
    size_t n;
    int rc;

    if (before - p->sampled_ns < IOREPORT_FRESH_NS)
        return 0;
    rc = ioreport_sample(p, &n);
    after = eb_clock_ns();
    if (rc == 0)
        rc = eb_ioreport_add(&p->sum, p->now, n);
    if (rc == 0)
        p->sampled_ns = before + (after - before) / 2;
    return rc;
}

static int ioreport_read(struct eb_power_dev *d, size_t i,
                         struct eb_power_reading *r)
{
    struct ioreport *p = (struct ioreport *)d;
    int64_t nj = 0;
    int rc = 0, k;

    if (p->given_ns[i] == p->sampled_ns)
        rc = ioreport_refresh(p);
    if (rc != 0)
        return rc;
    if (p->given_ns[i] == p->sampled_ns)
        return 1;
    for (k = 0; k < EB_IOREPORT_PARTS; k++) {
        if (p->parts[i] == EB_IOREPORT_PARTS || p->parts[i] == k)
            nj += p->sum.nj[k];
    }
    p->given_ns[i] = p->sampled_ns;
    r->value = nj / 1000;
    r->at_ns = p->sampled_ns;
    return 0;
}

static void ioreport_close(struct eb_power_dev *d)
{
    struct ioreport *p = (struct ioreport *)d;
    const void *const objects[] = {p->key, p->wanted, p->subscribed,
                                   p->subscription};
    size_t i;

    for (i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
        if (objects[i] != NULL)
            p->api.release(objects[i]);
    }
    if (p->library != NULL)
        dlclose(p->library);
    if (p->cf != NULL)
        dlclose(p->cf);
    free(p->now);
    free(p);
}

static void ioreport_sensor(struct ioreport *p, const char *name, int part)
{
    struct eb_power_sensor *m = eb_power_add(&p->dev, name);
    int all = part == EB_IOREPORT_PARTS;

    m->scope = all ? EB_POWER_PACKAGE : EB_POWER_RAIL;
    m->sum = all ? EB_POWER_PACKAGE : EB_POWER_SCOPES;
    m->kind = EB_POWER_COUNTER;
    m->step_ms = m->poll_ms = IOREPORT_STEP_MS;
    m->max_w = IOREPORT_MAX_W;
    m->method = "IOReport Energy Model (a model, no shunt)";
    p->parts[p->dev.n - 1] = part;
}

static int ioreport_start(struct ioreport *p, struct eb_err *err)
{
    const void *group;
    size_t n = 0;
    int k, rc;

    group = p->api.string(NULL, IOREPORT_GROUP, IOREPORT_UTF8);
    p->key = p->api.string(NULL, "IOReportChannels", IOREPORT_UTF8);
    p->wanted = p->api.channels(group, NULL, 0, 0, 0);
    p->api.release(group);
    if (p->wanted != NULL)
        p->subscription =
            p->api.subscribe(NULL, p->wanted, &p->subscribed, 0, NULL);
    if (p->subscription == NULL || ioreport_sample(p, &n) != 0)
        return eb_fail(err, EB_ENODEV, "absent: IOReport has no \"%s\"",
                       IOREPORT_GROUP);
    rc = eb_ioreport_pick(&p->sum, p->now, n, err);
    if (rc != 0)
        return rc;
    ioreport_sensor(p, "package", EB_IOREPORT_PARTS);
    for (k = 0; k < EB_IOREPORT_PARTS; k++) {
        if (p->sum.has[k])
            ioreport_sensor(p, ioreport_parts[k].name, k);
    }
    return 0;
}

static int ioreport_open(const struct eb_power_hints *h,
                         struct eb_power_dev **out, struct eb_err *err)
{
    struct ioreport *p;
    int rc;

    if (h->sysroot[0] != '\0')
        return eb_fail(err, EB_ENODEV,
                       "unsupported: a recorded machine has no IOReport");
    p = eb_xcalloc(1, sizeof(*p));
    p->dev.ops = &eb_power_ioreport;
    p->now = eb_xcalloc(EB_IOREPORT_CHANNELS_MAX, sizeof(*p->now));
    rc = ioreport_load(p, err);
    if (rc == 0)
        rc = ioreport_start(p, err);
    if (rc == 0)
        *out = &p->dev;
    else
        ioreport_close(&p->dev);
    return rc;
}

static void ioreport_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct ioreport *p = (const struct ioreport *)d;
    cJSON *arr = cJSON_AddArrayToObject(out, "channels");
    size_t i;

    for (i = 0; i < p->sum.n; i++)
        cJSON_AddItemToArray(arr, cJSON_CreateString(p->sum.picked[i].name));
}

const struct eb_power_ops eb_power_ioreport = {
    "ioreport", ioreport_open, ioreport_read, ioreport_facts, ioreport_close};

#else

static int ioreport_open(const struct eb_power_hints *h,
                         struct eb_power_dev **out, struct eb_err *err)
{
    (void)h;
    (void)out;
    return eb_fail(err, EB_ENODEV, "absent: IOReport is a part of macOS");
}

const struct eb_power_ops eb_power_ioreport = {"ioreport", ioreport_open, NULL,
                                               NULL, NULL};

#endif
