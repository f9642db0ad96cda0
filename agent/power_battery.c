/* Batteries of laptops and Android phones, /sys/class/power_supply (Linux,
 * Documentation/ABI/testing/sysfs-class-power).
 *
 *     power_now 8250000 uW                              -> 8.25 W
 *     current_now -1500000 uA, voltage_now 3850000 uV   -> 5.775 W
 *     current_now 1500 (mA: some phones)                -> the same
 *
 * Only a device without a cable is measured: on external power the current is
 * that of the charger. The sign of current_now differs between vendors; while
 * `status` says Discharging it is what the device draws. The gauges are slow:
 * windows of a minute. All batteries are one sensor, for laptops with two
 * empty one and then the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/power.h"
#include "common/fs.h"
#include "common/mem.h"

#define BATTERY_DIR "/sys/class/power_supply"
#define BATTERY_MAX 4
#define BATTERY_STEP_MS 10000
#define BATTERY_POLL_MS 500
#define BATTERY_STUCK_MS 120000
#define BATTERY_MAX_W 300
/* 20 mA: less than any device draws while it works, so it is milliamperes. */
#define BATTERY_UA_MIN 20000
/* 100 mV: no battery; so it is millivolts. */
#define BATTERY_UV_MIN 100000

struct battery_cell {
    char *status, *power, *current, *voltage; /* paths; power or the others */
    int64_t current_factor, voltage_factor;   /* to uA and uV */
    int sign;                                 /* of the current at first */
};

struct battery {
    struct eb_power_dev dev;
    struct battery_cell cells[BATTERY_MAX];
    size_t n;
    char *mains[BATTERY_MAX]; /* paths of `online` */
    size_t n_mains;
};

static void battery_cell_free(struct battery_cell *c)
{
    free(c->status);
    free(c->power);
    free(c->current);
    free(c->voltage);
}

static void battery_close(struct eb_power_dev *d)
{
    struct battery *b = (struct battery *)d;
    size_t i;

    for (i = 0; i < b->n; i++)
        battery_cell_free(&b->cells[i]);
    for (i = 0; i < b->n_mains; i++)
        free(b->mains[i]);
    free(b);
}

static int64_t battery_abs(int64_t v)
{
    return v < 0 ? -v : v;
}

/* Microwatts of one. */
static int battery_cell_read(const struct battery_cell *c, int64_t *uw)
{
    int64_t ua, uv;
    int rc;

    if (c->power != NULL) {
        rc = eb_power_read_int(c->power, uw);
        *uw = battery_abs(*uw);
        return rc;
    }
    rc = eb_power_read_int(c->current, &ua);
    if (rc == 0)
        rc = eb_power_read_int(c->voltage, &uv);
    if (rc != 0)
        return rc;
    /* It turned round although the status did not say so. */
    if (ua != 0 && c->sign != 0 && (ua < 0) != (c->sign < 0))
        return EB_EABORT;
    if (battery_abs(ua) > INT64_C(1000000000) || uv < 0 ||
        uv > INT64_C(1000000000))
        return EB_EINVAL;
    *uw = (int64_t)((double)battery_abs(ua * c->current_factor) *
                    (double)(uv * c->voltage_factor) / 1e6);
    return 0;
}

/* 0 if the batteries supply the device; EB_EABORT if not. */
static int battery_state(const struct battery *b)
{
    char text[32];
    int discharging = 0, rc;
    int64_t online;
    size_t i;

    for (i = 0; i < b->n_mains; i++) {
        if (eb_power_read_int(b->mains[i], &online) == 0 && online != 0)
            return EB_EABORT;
    }
    for (i = 0; i < b->n; i++) {
        rc = eb_power_read_line(b->cells[i].status, text, sizeof(text));
        if (rc != 0)
            return rc;
        if (strcmp(text, "Charging") == 0)
            return EB_EABORT;
        discharging |= strcmp(text, "Discharging") == 0;
    }
    return discharging ? 0 : EB_EABORT;
}

static int battery_read(struct eb_power_dev *d, size_t i,
                        struct eb_power_reading *r)
{
    const struct battery *b = (const struct battery *)d;
    int rc = battery_state(b);
    int64_t uw = 0;
    size_t k;

    (void)i;
    r->value = 0;
    for (k = 0; rc == 0 && k < b->n; k++) {
        rc = battery_cell_read(&b->cells[k], &uw);
        r->value += uw;
    }
    /* Something is always drawn; zero is a gauge that has no value yet. */
    return rc == 0 && r->value == 0 ? EB_EINVAL : rc;
}

static char *battery_file(const char *dir, const char *name)
{
    char *path = eb_fs_join(dir, name);

    if (eb_fs_exists(path))
        return path;
    free(path);
    return NULL;
}

/* Units and sign, of a busy device without a cable. A laptop's second battery
 * may give nothing now; laptops keep to the kernel's units. */
static int battery_calibrate(struct battery_cell *c, int only)
{
    int64_t ua, uv;
    int rc;

    c->current_factor = c->voltage_factor = 1;
    if (c->power != NULL)
        return eb_power_read_int(c->power, &ua);
    rc = eb_power_read_int(c->current, &ua);
    if (rc == 0)
        rc = eb_power_read_int(c->voltage, &uv);
    if (rc != 0)
        return rc;
    if ((ua == 0 && only) || uv <= 0)
        return EB_EINVAL; /* nothing to tell the units by */
    if (ua != 0 && battery_abs(ua) < BATTERY_UA_MIN)
        c->current_factor = 1000;
    if (uv < BATTERY_UV_MIN)
        c->voltage_factor = 1000;
    c->sign = (ua > 0) - (ua < 0);
    return 0;
}

/* Adds the supply if it is a battery of the device or its mains. */
static void battery_supply(struct battery *b, const char *dir)
{
    char *path = eb_fs_join(dir, "type"), type[32], scope[16];
    struct battery_cell c = {0};

    eb_power_read_line(path, type, sizeof(type));
    free(path);
    path = eb_fs_join(dir, "scope"); /* "Device": of a mouse or a pen */
    eb_power_read_line(path, scope, sizeof(scope));
    free(path);
    if ((strcmp(type, "Mains") == 0 || strcmp(type, "Wireless") == 0 ||
         strncmp(type, "USB", 3) == 0) &&
        b->n_mains < BATTERY_MAX) {
        path = battery_file(dir, "online");
        if (path != NULL)
            b->mains[b->n_mains++] = path;
    }
    if (strcmp(type, "Battery") != 0 || strcmp(scope, "Device") == 0 ||
        b->n == BATTERY_MAX)
        return;
    c.status = battery_file(dir, "status");
    c.power = battery_file(dir, "power_now");
    c.current = battery_file(dir, "current_now");
    c.voltage = battery_file(dir, "voltage_now");
    if (c.status != NULL &&
        (c.power != NULL || (c.current != NULL && c.voltage != NULL))) {
        b->cells[b->n++] = c;
        return;
    }
    battery_cell_free(&c);
}

/* Android's `battery` is the whole; other supplies ("bms") are further views
 * of it. */
static void battery_android(struct battery *b)
{
    size_t i, k;

    for (i = 0; i < b->n; i++) {
        if (strstr(b->cells[i].status, "/battery/status") == NULL)
            continue;
        for (k = 0; k < b->n; k++) {
            if (k != i)
                battery_cell_free(&b->cells[k]);
        }
        b->cells[0] = b->cells[i];
        b->n = 1;
        return;
    }
}

static int battery_check(struct battery *b, const char *base,
                         struct eb_err *err)
{
    int rc = 0;
    size_t i;

    if (b->n == 0)
        return eb_fail(err, EB_ENODEV, "absent: no battery below %s", base);
    rc = battery_state(b);
    if (rc == EB_EABORT)
        return eb_fail(err, EB_EABORT,
                       "unsupported: the battery is not discharging; pull "
                       "the cable");
    for (i = 0; rc == 0 && i < b->n; i++)
        rc = battery_calibrate(&b->cells[i], b->n == 1);
    if (rc == EB_EPERM)
        return eb_fail(err, rc, "no permission: the battery below %s", base);
    return rc == 0 ? 0 : eb_fail(err, rc, "%s", eb_power_failure(rc));
}

static int battery_open(const struct eb_power_hints *h,
                        struct eb_power_dev **out, struct eb_err *err)
{
    char *base = eb_xasprintf("%s%s", h->sysroot, BATTERY_DIR), *dir;
    struct battery *b = eb_xcalloc(1, sizeof(*b));
    struct eb_power_sensor *m;
    char **names = NULL;
    size_t count = 0, i;
    int rc;

    b->dev.ops = &eb_power_battery;
    if (eb_fs_list(base, "", &names, &count, NULL) == 0) {
        for (i = 0; i < count; i++) {
            dir = eb_fs_join(base, names[i]);
            battery_supply(b, dir);
            free(dir);
        }
        eb_fs_list_free(names, count);
    }
    battery_android(b);
    rc = battery_check(b, base, err);
    free(base);
    if (rc != 0) {
        battery_close(&b->dev);
        return rc;
    }
    m = eb_power_add(&b->dev, "battery");
    m->scope = m->sum = EB_POWER_BATTERY;
    m->step_ms = BATTERY_STEP_MS;
    m->poll_ms = BATTERY_POLL_MS;
    m->stuck_ms = BATTERY_STUCK_MS;
    m->max_w = BATTERY_MAX_W;
    m->method =
        b->cells[0].power != NULL ? "power_now" : "current_now x voltage_now";
    *out = &b->dev;
    return 0;
}

static void battery_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct battery_cell *c = &((const struct battery *)d)->cells[0];

    if (c->power != NULL)
        return;
    cJSON_AddStringToObject(out, "current_unit",
                            c->current_factor == 1 ? "uA" : "mA");
    cJSON_AddStringToObject(out, "discharging_sign", c->sign < 0 ? "-" : "+");
}

const struct eb_power_ops eb_power_battery = {
    "battery", battery_open, battery_read, battery_facts, battery_close};
