/* Power sources, in the words of their own drivers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/doctor_parts.h"
#include "agent/power.h"
#include "common/buf.h"
#include "common/clock.h"

#define POWER_PROOF_NS INT64_C(20000000)
#define POWER_METER                                                            \
    "an external meter: EDGEBENCH_METER=shelly:http://ADDRESS or "             \
    "tasmota:http://ADDRESS"
#define RAPL_RULE                                                              \
    "echo 'SUBSYSTEM==\"powercap\", ACTION==\"add\", RUN+=\"/bin/chmod o+r "   \
    "/sys/class/powercap/%k/energy_uj\"' | sudo tee "                          \
    "/etc/udev/rules.d/70-edgebench.rules && sudo udevadm trigger -c add -s "  \
    "powercap"

static void power_fix(struct doctor *d, const char *driver, int rc,
                      const char *msg)
{
    int masked = strncmp(msg, "masked", 6) == 0;

    if (strcmp(driver, "rapl") == 0 && masked)
        eb_doctor_fix(d, "docker run --security-opt systempaths=unconfined "
                         "... (unmasks /sys/devices/virtual/powercap)");
    else if (strcmp(driver, "rapl") == 0 && rc == EB_EPERM)
        eb_doctor_fix(d, "%s", RAPL_RULE);
    else if (strcmp(driver, "rapl") == 0 && d->container && !d->virtual_machine)
        eb_doctor_fix(d, "edgebench doctor on the host: a container may hide "
                         "what is there");
    else if (strcmp(driver, "perf") == 0 && rc == EB_EPERM)
        eb_doctor_fix(d, d->container
                             ? "docker run --cap-add PERFMON ..."
                             : "sudo sysctl kernel.perf_event_paranoid=0");
    else if (strcmp(driver, "battery") == 0 && rc == EB_EABORT)
        eb_doctor_fix(d, d->android ? "pull the cable; adb over Wi-Fi: adb "
                                      "tcpip 5555; adb connect ADDRESS:5555"
                                    : "pull the cable");
    else if (strcmp(driver, "odpm") == 0 && rc == EB_EPERM)
        eb_doctor_fix(d, "run as root; without: adb shell dumpsys android."
                         "hardware.power.stats.IPowerStats/default shows the "
                         "rails");
    else if (strcmp(driver, "rpi") == 0 && rc == EB_EPERM)
        eb_doctor_fix(d, "sudo usermod -aG video $USER, then log in again");
    else if (strcmp(driver, "rpi") == 0 && d->live &&
             strstr(d->board, "Raspberry Pi 5") != NULL)
        eb_doctor_fix(d, "sudo apt-get install raspi-utils (vcgencmd)");
    else if (strcmp(driver, "nvml") == 0 &&
             eb_doctor_has(d, "/proc/driver/nvidia/version"))
        eb_doctor_fix(d, d->container ? "docker run --gpus all ..."
                                      : "sudo apt-get install the "
                                        "libnvidia-compute of the driver in "
                                        "/proc/driver/nvidia/version");
}

/* "package-0, dram (package)". */
static void power_sensors(const struct eb_power_dev *dev, struct eb_buf *out)
{
    size_t i;

    for (i = 0; i < dev->n; i++)
        eb_buf_addf(out, "%s%s (%s)", i > 0 ? ", " : "", dev->sensors[i].name,
                    eb_power_scope_name(dev->sensors[i].scope));
}

/* Takes the sysroot out of a driver's message: paths are the machine's. */
static void power_plain(const struct doctor *d, char *msg)
{
    size_t n = strlen(d->sysroot);
    char *at;

    while (n > 0 && (at = strstr(msg, d->sysroot)) != NULL)
        memmove(at, at + n, strlen(at + n) + 1);
}

/* A counter of energy that stands still while this works counts nothing. Only
 * those that should move in a few milliseconds. */
static const char *power_prove(struct eb_power_dev *dev)
{
    struct eb_power_reading a = {0}, b = {0};
    int64_t until = eb_clock_ns() + POWER_PROOF_NS;

    if (dev->n == 0 || dev->sensors[0].kind != EB_POWER_COUNTER ||
        dev->sensors[0].step_ms > 10 || dev->ops->read(dev, 0, &a) != 0)
        return NULL;
    while (eb_clock_ns() < until)
        ;
    if (dev->ops->read(dev, 0, &b) < 0)
        return "not measured: the second read failed";
    return b.value == a.value ? "unsupported: the counter stands still" : NULL;
}

static int power_driver(struct doctor *d, const struct eb_power_ops *ops)
{
    struct eb_power_hints h = {.sysroot = d->sysroot, .rate_hz = 20};
    struct eb_power_dev *dev = NULL;
    struct eb_err err = {0};
    struct eb_buf b = {0};
    int rc = ops->open(&h, &dev, &err);
    const char *why = NULL;

    if (rc != 0) {
        power_plain(d, err.msg);
        eb_doctor_add(d, "power", ops->name,
                      rc == EB_EABORT ? DOCTOR_LIMITED : DOCTOR_MISSING, "%s",
                      err.msg);
        power_fix(d, ops->name, rc, err.msg);
        return 0;
    }
    power_sensors(dev, &b);
    if (d->live)
        why = power_prove(dev);
    eb_doctor_add(d, "power", ops->name,
                  why == NULL ? DOCTOR_OK : DOCTOR_MISSING, "%s%s%s",
                  why != NULL ? why : "", why != NULL ? ": " : "",
                  b.data != NULL ? b.data : "");
    eb_buf_free(&b);
    ops->close(dev);
    return why == NULL;
}

/* What the rails are not. */
static void power_pi(struct doctor *d)
{
    if (strstr(d->board, "Raspberry Pi 5") == NULL)
        return;
    eb_doctor_add(d, "power", "board", DOCTOR_MISSING,
                  "unsupported: the PMIC tells its rails only, not what the "
                  "board takes");
    eb_doctor_fix(d, POWER_METER);
}

void eb_doctor_power(struct doctor *d)
{
    int found = 0;
    size_t i;

    for (i = 0; eb_power_drivers[i] != NULL; i++) {
        const struct eb_power_ops *ops = eb_power_drivers[i];

        if (strcmp(ops->name, "fake") == 0)
            continue;
        /* A recording has no kernel to ask, and a library only by name. */
        if (!d->live && (strcmp(ops->name, "perf") == 0 ||
                         (strcmp(ops->name, "nvml") == 0 &&
                          getenv("EDGEBENCH_NVML") == NULL) ||
                         strcmp(ops->name, "ioreport") == 0 ||
                         strcmp(ops->name, "meter") == 0))
            continue;
        found += power_driver(d, ops);
    }
    power_pi(d);
    if (found > 0)
        return;
    eb_doctor_add(d, "power", "energy", DOCTOR_MISSING,
                  "absent: no source can be read; joules will be null");
    eb_doctor_fix(d, POWER_METER);
}
