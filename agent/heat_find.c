/* What a machine has that tells of heat and clocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/heat_parts.h"
#include "common/fs.h"

#define CPU_DIR "/sys/devices/system/cpu"

/* Calls see(h, dir, name) for the names in dir that begin with prefix. */
static void find_each(struct eb_heat *h, const char *dir, const char *prefix,
                      void (*see)(struct eb_heat *h, const char *dir,
                                  const char *name))
{
    char **names = NULL;
    size_t n, i;

    eb_sysfs_list(h->sysroot, dir, &names, &n);
    for (i = 0; i < n; i++) {
        if (strncmp(names[i], prefix, strlen(prefix)) == 0)
            see(h, dir, names[i]);
    }
    if (n > 0)
        eb_fs_list_free(names, n);
}

static void find_zone(struct eb_heat *h, const char *dir, const char *name)
{
    struct heat_zone *z = &h->zone[h->n_zones];

    if (h->n_zones == HEAT_ZONES_MAX) {
        h->n_left_out++;
        return;
    }
    if (eb_sysfs_textf(h->sysroot, z->name, sizeof(z->name), "%s/%s/type", dir,
                       name) != NULL)
        snprintf(z->name, sizeof(z->name), "%.40s", name);
    snprintf(z->path, sizeof(z->path), "%.80s/%.40s/temp", dir, name);
    h->n_zones++;
}

/* The sensors of processors that have no thermal zone, or a coarser one. */
static int find_is_chip(const char *chip, const char *label)
{
    if (strcmp(chip, "coretemp") == 0)
        return strncmp(label, "Package", 7) == 0; /* else one a core */
    return strcmp(chip, "k10temp") == 0 || strcmp(chip, "zenpower") == 0 ||
           strcmp(chip, "amdgpu") == 0 || strcmp(chip, "xe") == 0 ||
           strcmp(chip, "i915") == 0;
}

static void find_hwmon_temps(struct eb_heat *h, const char *dir,
                             const char *name, const char *chip)
{
    const char *why;
    char label[32];
    double v;
    int i;

    for (i = 1; i <= 16 && h->n_zones < HEAT_ZONES_MAX; i++) {
        struct heat_zone *z = &h->zone[h->n_zones];

        if (eb_sysfs_textf(h->sysroot, label, sizeof(label),
                           "%s/%s/temp%d_label", dir, name, i) != NULL)
            snprintf(label, sizeof(label), "temp%d", i);
        snprintf(z->path, sizeof(z->path), "%.60s/%.40s/temp%d_input", dir,
                 name, i);
        if (!find_is_chip(chip, label))
            continue;
        why = eb_sysfs_num(h->sysroot, z->path, &v);
        if (why != NULL && strcmp(why, "absent") == 0)
            continue;
        snprintf(z->name, sizeof(z->name), "%.15s %.30s", chip, label);
        h->n_zones++;
    }
}

static void find_add_counter(struct eb_heat *h, const char *name,
                             const char *path, int is_flags)
{
    struct heat_counter *c = &h->counter[h->n_counters];
    char text[32];

    if (h->n_counters == EB_HEAT_COUNTERS_MAX) {
        h->n_left_out++;
        return;
    }
    if (eb_sysfs_text(h->sysroot, path, text, sizeof(text)) != NULL)
        return;
    snprintf(c->name, sizeof(c->name), "%.47s", name);
    snprintf(c->path, sizeof(c->path), "%.159s", path);
    c->is_flags = is_flags;
    h->n_counters++;
}

/* Jetson counts over-current events: OC1 under-voltage, OC2 average, OC3
 * instantaneous (soctherm driver). rpi_volt has an under-voltage alarm. */
static void find_hwmon(struct eb_heat *h, const char *dir, const char *name)
{
    char chip[48], path[160], what[48];
    int i;

    if (eb_sysfs_textf(h->sysroot, chip, sizeof(chip), "%s/%s/name", dir,
                       name) != NULL)
        return;
    find_hwmon_temps(h, dir, name, chip);
    for (i = 1; strcmp(chip, "soctherm_oc") == 0 && i <= 3; i++) {
        snprintf(path, sizeof(path), "%.60s/%.40s/oc%d_event_cnt", dir, name,
                 i);
        snprintf(what, sizeof(what), "over-current oc%d", i);
        find_add_counter(h, what, path, 0);
    }
    if (strcmp(chip, "rpi_volt") == 0) {
        snprintf(path, sizeof(path), "%.60s/%.40s/in0_lcrit_alarm", dir, name);
        find_add_counter(h, "under-voltage alarm", path, 1);
    }
}

/* A fan that turns and a dimmed screen slow nothing down. */
static enum heat_kind find_kind(const char *type)
{
    static const char *const limits[] = {"Processor", "cpufreq",  "devfreq",
                                         "cpu",       "gpu",      "alert",
                                         "power",     "throttle", "tpu"};
    size_t i;

    if (strstr(type, "fan") != NULL || strstr(type, "Fan") != NULL)
        return HEAT_FAN;
    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (strstr(type, limits[i]) != NULL)
            return HEAT_LIMIT;
    }
    return HEAT_OTHER;
}

static void find_cooling(struct eb_heat *h, const char *dir, const char *name)
{
    struct heat_cooling *c = &h->cooling[h->n_cooling];

    if (h->n_cooling == EB_HEAT_LIMITS_MAX) {
        h->n_left_out++;
        return;
    }
    if (eb_sysfs_textf(h->sysroot, c->name, sizeof(c->name), "%s/%s/type", dir,
                       name) != NULL)
        return;
    snprintf(c->path, sizeof(c->path), "%.50s/%.40s", dir, name);
    c->kind = find_kind(c->name);
    h->n_cooling++;
}

static void find_clock(struct eb_heat *h, const char *dir, const char *name)
{
    struct heat_clock *c = &h->clock[h->n_clocks];

    if (h->n_clocks == EB_HEAT_CLOCKS_MAX) {
        h->n_left_out++;
        return;
    }
    snprintf(c->name, sizeof(c->name), "%.47s", name);
    snprintf(c->path, sizeof(c->path), "%.60s/%.60s", dir, name);
    c->is_cpu = strncmp(dir, CPU_DIR, strlen(CPU_DIR)) == 0;
    h->n_clocks++;
}

static int find_has_counter(const struct eb_heat *h, const char *name)
{
    int i;

    for (i = 0; i < h->n_counters; i++) {
        if (strcmp(h->counter[i].name, name) == 0)
            return 1;
    }
    return 0;
}

/* Threads of a core and cores of a package show the same count: one each. */
static void find_intel(struct eb_heat *h, const char *dir, const char *name)
{
    double package, core;
    char what[48], path[160];

    if (name[3] < '0' || name[3] > '9' ||
        eb_sysfs_numf(h->sysroot, &package,
                      "%s/%s/topology/physical_package_id", dir,
                      name) != NULL ||
        eb_sysfs_numf(h->sysroot, &core, "%s/%s/topology/core_id", dir, name) !=
            NULL)
        return;
    snprintf(what, sizeof(what), "package %.0f", package);
    snprintf(path, sizeof(path),
             "%.60s/%.20s/thermal_throttle/package_throttle_count", dir, name);
    if (!find_has_counter(h, what))
        find_add_counter(h, what, path, 0);
    snprintf(what, sizeof(what), "package %.0f core %.0f", package, core);
    snprintf(path, sizeof(path),
             "%.60s/%.20s/thermal_throttle/core_throttle_count", dir, name);
    if (!find_has_counter(h, what))
        find_add_counter(h, what, path, 0);
}

/* The firmware node of a Raspberry Pi; hexadecimal bits without 0x. */
static void find_pi(struct eb_heat *h, const char *dir, const char *name)
{
    static const char *const nodes[] = {"soc:firmware",
                                        "soc@107c000000:firmware"};
    char path[160];
    size_t i;

    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%.60s/%.40s/%s/get_throttled", dir, name,
                 nodes[i]);
        find_add_counter(h, "get_throttled", path, 1);
    }
}

void eb_heat_find(struct eb_heat *h)
{
    find_each(h, "/sys/class/thermal", "thermal_zone", find_zone);
    find_each(h, "/sys/class/hwmon", "hwmon", find_hwmon);
    find_each(h, "/sys/class/thermal", "cooling_device", find_cooling);
    find_each(h, CPU_DIR "/cpufreq", "policy", find_clock);
    find_each(h, "/sys/class/devfreq", "", find_clock);
    find_each(h, CPU_DIR, "cpu", find_intel);
    find_each(h, "/sys/devices/platform", "soc", find_pi);
}

const char *eb_heat_zone_read(const struct eb_heat *h, int i, double *c)
{
    const char *why = eb_sysfs_num(h->sysroot, h->zone[i].path, c);

    *c /= 1000;
    /* A sensor that is off shows -274 or 0x7fff; no chip runs below -60. */
    if (why == NULL && (*c < -60 || *c > 200))
        why = "out of range";
    return why;
}
