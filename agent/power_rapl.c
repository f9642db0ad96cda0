/* RAPL energy counters through powercap (Linux,
 * Documentation/power/powercap/powercap.rst); AMD uses the same names.
 *
 *     intel-rapl:0      package-0   counted
 *     intel-rapl:0:0    core        in the package
 *     intel-rapl:0:1    uncore      in the package
 *     intel-rapl:0:2    dram        counted, with the packages
 *     intel-rapl:1      psys        the platform: holds the packages
 *     intel-rapl-mmio:0 package-0   again: only if there is no other
 *
 * What a zone is says its `name`; its number need not be the socket's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/power.h"
#include "common/fs.h"
#include "common/mem.h"

#define RAPL_DIR "/sys/class/powercap"
/* Where the links of RAPL_DIR lead; container runtimes put an empty folder
 * over it (GHSA-jq35-85cj-fj4p). */
#define RAPL_DEVICES "/sys/devices/virtual/powercap"
#define RAPL_STEP_MS 1 /* Intel SDM 3B 15.10: updated about once a ms */
#define RAPL_DOMAIN_MAX_W 2000

struct rapl {
    struct eb_power_dev dev;
    char *paths[EB_POWER_SENSORS_MAX]; /* of energy_uj */
    char dead[96];                     /* a zone that counts nothing */
};

static void rapl_close(struct eb_power_dev *d)
{
    struct rapl *r = (struct rapl *)d;
    size_t i;

    for (i = 0; i < EB_POWER_SENSORS_MAX; i++)
        free(r->paths[i]);
    free(r);
}

static int rapl_read(struct eb_power_dev *d, size_t i,
                     struct eb_power_reading *out)
{
    return eb_power_read_int(((struct rapl *)d)->paths[i], &out->value);
}

static void rapl_kind(struct eb_power_sensor *m, const char *zone)
{
    if (strncmp(zone, "package", 7) == 0) {
        m->scope = m->sum = EB_POWER_PACKAGE;
    } else if (strcmp(zone, "dram") == 0) {
        m->scope = EB_POWER_RAIL;
        m->sum = EB_POWER_PACKAGE;
    } else if (strcmp(zone, "psys") == 0) {
        m->scope = EB_POWER_MODULE;
    } else {
        m->scope = EB_POWER_RAIL;
    }
}

/* "intel-rapl:1:0" is a part of "intel-rapl:1": two sockets both have a zone
 * called dram. */
static void rapl_name(const char *dir, const char *entry, const char *zone,
                      char *out, size_t size)
{
    char parent[64], path[512], above[48];

    snprintf(parent, sizeof(parent), "%s", entry);
    *strrchr(parent, ':') = '\0';
    snprintf(path, sizeof(path), "%s/%s/name", dir, parent);
    if (strchr(parent, ':') == NULL ||
        eb_power_read_line(path, above, sizeof(above)) != 0 || above[0] == '\0')
        snprintf(out, size, "%s", zone);
    else
        snprintf(out, size, "%s/%s", above, zone);
}

static int rapl_zone(struct rapl *r, const char *dir, const char *entry)
{
    char path[512], zone[48], name[96];
    struct eb_power_sensor *m, kind = {.sum = EB_POWER_SCOPES};
    int64_t now = 0, range = 0;
    int rc;

    snprintf(path, sizeof(path), "%s/%s/name", dir, entry);
    rc = eb_power_read_line(path, zone, sizeof(zone));
    if (rc != 0 || zone[0] == '\0')
        return rc != 0 ? rc : EB_EPARSE;
    snprintf(path, sizeof(path), "%s/%s/max_energy_range_uj", dir, entry);
    if (eb_power_read_int(path, &range) != 0 || range < 0)
        range = 0;
    snprintf(path, sizeof(path), "%s/%s/energy_uj", dir, entry);
    rc = eb_power_read_int(path, &now);
    rapl_kind(&kind, zone);
    if (rc != 0 && (rc == EB_EPERM || kind.sum != EB_POWER_SCOPES))
        return rc;
    rapl_name(dir, entry, zone, name, sizeof(name));
    /* Domains that the processor does not have count nothing. */
    if (rc != 0 || now == 0) {
        snprintf(r->dead, sizeof(r->dead), "%s", name);
        return 0;
    }
    m = eb_power_add(&r->dev, name);
    if (m == NULL)
        return EB_ELIMIT;
    rapl_kind(m, zone);
    m->kind = EB_POWER_COUNTER;
    m->step_ms = RAPL_STEP_MS;
    m->max_w = RAPL_DOMAIN_MAX_W;
    m->range_uj = range;
    m->method = "powercap energy_uj";
    r->paths[r->dev.n - 1] = eb_xstrdup(path);
    return 0;
}

/* All zones of "intel-rapl:" or "intel-rapl-mmio:"; the worst code. */
static int rapl_zones(struct rapl *r, const char *dir, char **names, size_t n,
                      const char *prefix, size_t *found)
{
    int rc = 0, now;
    size_t i;

    *found = 0;
    for (i = 0; i < n; i++) {
        if (strncmp(names[i], prefix, strlen(prefix)) != 0)
            continue;
        (*found)++;
        now = rapl_zone(r, dir, names[i]);
        if (now != 0 && rc != EB_EPERM && rc != EB_ELIMIT)
            rc = now;
    }
    return rc;
}

static int rapl_why(int rc, size_t found, const char *dir, int there, int empty,
                    struct eb_err *err)
{
    if (found > 0 && rc == EB_EPERM)
        return eb_fail(err, EB_EPERM,
                       "no permission: energy_uj below %s is for root; "
                       "chmod o+r it, or CAP_DAC_READ_SEARCH",
                       dir);
    /* The links are there, what they lead to is not. */
    if ((found > 0 && rc == EB_ENOENT) || empty)
        return eb_fail(err, EB_ENODEV, "masked: %s is hidden in this container",
                       RAPL_DEVICES);
    if (rc == EB_ELIMIT)
        return eb_fail(err, EB_ENODEV, "unsupported: too many zones below %s",
                       dir);
    if (rc != 0)
        return eb_fail(err, EB_ENODEV, "%s: one of the zones below %s",
                       eb_power_failure(rc), dir);
    if (found > 0)
        return eb_fail(err, EB_ENODEV, "unsupported: no zone below %s counts",
                       dir);
    return eb_fail(err, EB_ENODEV,
                   there ? "absent: no RAPL zone below %s" : "absent: no %s",
                   dir);
}

static int rapl_empty(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    int rc = eb_fs_list(path, "", &names, &n, NULL);

    if (rc == 0)
        eb_fs_list_free(names, n);
    return rc == 0 && n == 0;
}

/* Memory without its package is no energy of a run. */
static void rapl_alone(struct eb_power_dev *d)
{
    size_t i, packages = 0;

    for (i = 0; i < d->n; i++)
        packages += d->sensors[i].scope == EB_POWER_PACKAGE;
    for (i = 0; i < d->n && packages == 0; i++)
        d->sensors[i].sum = EB_POWER_SCOPES;
}

static int rapl_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                     struct eb_err *err)
{
    struct rapl *r = eb_xcalloc(1, sizeof(*r));
    char *dir = eb_xasprintf("%s%s", h->sysroot, RAPL_DIR);
    char *devices = eb_xasprintf("%s%s", h->sysroot, RAPL_DEVICES);
    char **names = NULL;
    size_t n = 0, found = 0, more = 0;
    int there = eb_fs_list(dir, "", &names, &n, NULL) == 0, rc, mmio;

    r->dev.ops = &eb_power_rapl;
    rc = rapl_zones(r, dir, names, n, "intel-rapl:", &found);
    if (r->dev.n == 0 && rc != EB_EPERM) {
        mmio = rapl_zones(r, dir, names, n, "intel-rapl-mmio:", &more);
        /* What the first say stands unless these say more. */
        rc = mmio != 0 || r->dev.n > 0 ? mmio : rc;
    }
    if (there)
        eb_fs_list_free(names, n);
    /* One socket that cannot be read would make the sum too small. */
    if (r->dev.n == 0 || rc != 0)
        rc = rapl_why(rc, found + more, dir, there, rapl_empty(devices), err);
    rapl_alone(&r->dev);
    if (rc == 0)
        *out = &r->dev;
    else
        rapl_close(&r->dev);
    free(dir);
    free(devices);
    return rc;
}

static void rapl_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct rapl *r = (const struct rapl *)d;

    if (r->dead[0] != '\0')
        cJSON_AddStringToObject(out, "left_out", r->dead);
}

const struct eb_power_ops eb_power_rapl = {"rapl", rapl_open, rapl_read,
                                           rapl_facts, rapl_close};
