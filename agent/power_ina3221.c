/* The power monitors of NVIDIA Jetson boards through hwmon (Linux,
 * Documentation/hwmon/ina3221.rst, ina238.rst).
 *
 *     in1_label VDD_IN, in1_input 5000 mV, curr1_input 1200 mA -> 6 W
 *
 * Orin Nano and NX have a total, VDD_IN; Thor has VIN on an ina238, with
 * power1_input in microwatts. AGX Orin has none: VDD_GPU_SOC + VDD_CPU_CV +
 * VIN_SYS_5V0 are the module; VDDQ_VDD2_1V8AO is not added, for it is fed from
 * VIN_SYS_5V0. Channel 7 is the sum of shunt voltages, "NC" is not wired.
 * Carrier board, disk and fan are in none of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/power.h"
#include "common/fs.h"
#include "common/mem.h"

#define INA_DIR "/sys/class/hwmon"
#define INA_CHANNELS 3
/* A GPU that is switched off reads a little below zero. */
#define INA_MIN_W (-2)
#define INA_MAX_W 300
#define INA_STEP_MS 10 /* unless update_interval says otherwise */
/* Noise moves the last digit of a rail that supplies something. */
#define INA_STUCK_MS 30000

struct ina_paths {
    char *millivolts, *milliamperes; /* or ... */
    char *microwatts;
};

struct ina {
    struct eb_power_dev dev;
    struct ina_paths paths[EB_POWER_SENSORS_MAX];
    char update_interval[64], samples[64];
};

static void ina_close(struct eb_power_dev *d)
{
    struct ina *n = (struct ina *)d;
    size_t i;

    for (i = 0; i < n->dev.n; i++) {
        free(n->paths[i].millivolts);
        free(n->paths[i].milliamperes);
        free(n->paths[i].microwatts);
    }
    free(n);
}

static int ina_read(struct eb_power_dev *d, size_t i,
                    struct eb_power_reading *r)
{
    const struct ina_paths *p = &((const struct ina *)d)->paths[i];
    int64_t mv, ma;
    int rc;

    if (p->microwatts != NULL)
        return eb_power_read_int(p->microwatts, &r->value);
    rc = eb_power_read_int(p->millivolts, &mv);
    if (rc == 0)
        rc = eb_power_read_int(p->milliamperes, &ma);
    if (rc == 0 && (mv < -100000 || mv > 100000 || ma < -100000 || ma > 100000))
        rc = EB_EINVAL;
    if (rc == 0)
        r->value = mv * ma;
    return rc;
}

static char *ina_path(const char *dir, const char *what, int channel,
                      const char *end)
{
    return eb_xasprintf("%s/%s%d_%s", dir, what, channel, end);
}

static int ina_is_total(const char *label)
{
    return strcmp(label, "VDD_IN") == 0 || strcmp(label, "POM_5V_IN") == 0 ||
           strcmp(label, "VIN") == 0;
}

static struct eb_power_sensor *ina_add(struct ina *n, const char *label,
                                       double step_ms)
{
    struct eb_power_sensor *m = eb_power_add(&n->dev, label);

    if (m == NULL)
        return NULL;
    m->scope = EB_POWER_RAIL;
    m->min_w = INA_MIN_W;
    m->max_w = INA_MAX_W;
    m->step_ms = step_ms;
    m->stuck_ms = INA_STUCK_MS;
    return m;
}

static void ina_channel(struct ina *n, const char *dir, int channel,
                        double step_ms)
{
    char *path = ina_path(dir, "in", channel, "label"), label[64];
    struct eb_power_sensor *m;
    struct ina_paths p = {ina_path(dir, "in", channel, "input"),
                          ina_path(dir, "curr", channel, "input"), NULL};

    eb_power_read_line(path, label, sizeof(label));
    free(path);
    m = label[0] != '\0' && strstr(label, "NC") == NULL &&
                eb_fs_exists(p.millivolts) && eb_fs_exists(p.milliamperes)
            ? ina_add(n, label, step_ms)
            : NULL;
    if (m == NULL) {
        free(p.millivolts);
        free(p.milliamperes);
        return;
    }
    m->method = "ina3221 in*_input x curr*_input";
    n->paths[n->dev.n - 1] = p;
}

/* One channel, labelled as a chip. */
static void ina_238(struct ina *n, const char *dir)
{
    char path[512], label[64];
    struct eb_power_sensor *m;

    snprintf(path, sizeof(path), "%s/label", dir);
    eb_power_read_line(path, label, sizeof(label));
    m = ina_add(n, label[0] != '\0' ? label : "ina238", INA_STEP_MS);
    if (m == NULL)
        return;
    m->method = "ina238 power1_input";
    n->paths[n->dev.n - 1].microwatts = eb_xasprintf("%s/power1_input", dir);
}

static void ina_chip(struct ina *n, const char *dir)
{
    char path[512], name[32];
    double step_ms = INA_STEP_MS, v;
    int c;

    snprintf(path, sizeof(path), "%s/name", dir);
    eb_power_read_line(path, name, sizeof(name));
    if (strcmp(name, "ina238") == 0)
        ina_238(n, dir);
    if (strcmp(name, "ina3221") != 0)
        return;
    snprintf(path, sizeof(path), "%s/samples", dir);
    eb_power_read_line(path, n->samples, sizeof(n->samples));
    snprintf(path, sizeof(path), "%s/update_interval", dir);
    eb_power_read_line(path, n->update_interval, sizeof(n->update_interval));
    v = strtod(n->update_interval, NULL);
    if (v > 0)
        step_ms = v;
    for (c = 1; c <= INA_CHANNELS; c++)
        ina_channel(n, dir, c, step_ms);
}

/* What adds up to the module. */
static void ina_sum(struct ina *n)
{
    static const char *const agx[] = {"VDD_GPU_SOC", "VDD_CPU_CV",
                                      "VIN_SYS_5V0"};
    size_t i, k, total = 0;

    for (i = 0; i < n->dev.n; i++) {
        if (!ina_is_total(n->dev.sensors[i].name))
            continue;
        n->dev.sensors[i].scope = EB_POWER_MODULE;
        /* A second total would be counted twice. */
        if (total++ == 0)
            n->dev.sensors[i].sum = EB_POWER_MODULE;
    }
    if (total > 0)
        return;
    for (k = 0; k < sizeof(agx) / sizeof(*agx); k++) {
        for (i = 0; i < n->dev.n; i++)
            total += strcmp(n->dev.sensors[i].name, agx[k]) == 0;
    }
    /* Rails that are not known to be all are rails. */
    for (i = 0; i < n->dev.n && total == sizeof(agx) / sizeof(*agx); i++) {
        for (k = 0; k < sizeof(agx) / sizeof(*agx); k++) {
            if (strcmp(n->dev.sensors[i].name, agx[k]) == 0)
                n->dev.sensors[i].sum = EB_POWER_MODULE;
        }
    }
}

static int ina_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                    struct eb_err *err)
{
    char *base = eb_xasprintf("%s%s", h->sysroot, INA_DIR), *dir;
    struct ina *n = eb_xcalloc(1, sizeof(*n));
    char **names = NULL;
    size_t count = 0, i;
    int there = eb_fs_list(base, "", &names, &count, NULL) == 0, rc = 0;

    n->dev.ops = &eb_power_ina3221;
    for (i = 0; there && i < count; i++) {
        dir = eb_fs_join(base, names[i]);
        ina_chip(n, dir);
        free(dir);
    }
    if (there)
        eb_fs_list_free(names, count);
    ina_sum(n);
    if (n->dev.n == 0)
        rc = eb_fail(err, EB_ENODEV,
                     there ? "absent: no ina3221 or ina238 below %s"
                           : "absent: no %s",
                     base);
    if (rc == 0)
        *out = &n->dev;
    else
        ina_close(&n->dev);
    free(base);
    return rc;
}

static void ina_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct ina *n = (const struct ina *)d;

    if (n->samples[0] != '\0')
        cJSON_AddStringToObject(out, "samples", n->samples);
    if (n->update_interval[0] != '\0')
        cJSON_AddStringToObject(out, "update_interval_ms", n->update_interval);
}

const struct eb_power_ops eb_power_ina3221 = {"ina3221", ina_open, ina_read,
                                              ina_facts, ina_close};
