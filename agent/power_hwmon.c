/* GPUs that report through hwmon: amdgpu (power1_average or power1_input,
 * microwatts), i915 and xe (energy1_input, microjoules). Linux,
 * Documentation/gpu/amdgpu/thermal.rst,
 * Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/power.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/mem.h"

#define HWMON_DIR "/sys/class/hwmon"
#define HWMON_UEVENT_MAX 4096
#define HWMON_STEP_MS 10
#define HWMON_STUCK_MS 30000

struct hwmon {
    struct eb_power_dev dev;
    char *paths[EB_POWER_SENSORS_MAX];
};

static void hwmon_close(struct eb_power_dev *d)
{
    struct hwmon *w = (struct hwmon *)d;
    size_t i;

    for (i = 0; i < w->dev.n; i++)
        free(w->paths[i]);
    free(w);
}

static int hwmon_read(struct eb_power_dev *d, size_t i,
                      struct eb_power_reading *r)
{
    return eb_power_read_int(((struct hwmon *)d)->paths[i], &r->value);
}

/* "0000:03:00.0" of the device; "" if it is not on PCI. */
static void hwmon_pci(const char *dir, char *out, size_t size)
{
    static const char key[] = "PCI_SLOT_NAME=";
    char *path = eb_fs_join(dir, "device/uevent");
    struct eb_buf b = {0};
    const char *p;

    out[0] = '\0';
    if (eb_fs_read(path, HWMON_UEVENT_MAX, &b, NULL) == 0 &&
        (p = strstr(b.data, key)) != NULL) {
        p += strlen(key);
        snprintf(out, size, "%.*s", (int)strcspn(p, "\n"), p);
    }
    eb_buf_free(&b);
    free(path);
}

/* The first of the files that is there. */
static char *hwmon_file(const char *dir, const char *const *names, size_t n,
                        size_t *which)
{
    for (*which = 0; *which < n; (*which)++) {
        char *path = eb_fs_join(dir, names[*which]);

        if (eb_fs_exists(path))
            return path;
        free(path);
    }
    return NULL;
}

static void hwmon_chip(struct hwmon *w, const struct eb_power_hints *h,
                       const char *dir)
{
    static const char *const amd[] = {"power1_average", "power1_input"};
    static const char *const intel[] = {"energy1_input"};
    static const char *const methods[] = {"hwmon power1_average",
                                          "hwmon power1_input"};
    char driver[32], pci[32], label[32], name[96], *path;
    struct eb_power_sensor *m;
    size_t which;
    int is_amd;

    path = eb_fs_join(dir, "name");
    eb_power_read_line(path, driver, sizeof(driver));
    free(path);
    is_amd = strcmp(driver, "amdgpu") == 0;
    if (!is_amd && strcmp(driver, "i915") != 0 && strcmp(driver, "xe") != 0)
        return;
    hwmon_pci(dir, pci, sizeof(pci));
    if (!eb_power_wanted(h, pci))
        return;
    path = is_amd ? hwmon_file(dir, amd, 2, &which)
                  : hwmon_file(dir, intel, 1, &which);
    snprintf(name, sizeof(name), "%s %s", driver, pci);
    m = path != NULL ? eb_power_add(&w->dev, name) : NULL;
    if (m == NULL) {
        free(path);
        return;
    }
    w->paths[w->dev.n - 1] = path;
    m->scope = m->sum = EB_POWER_GPU_BOARD;
    snprintf(m->pci, sizeof(m->pci), "%s", pci);
    m->kind = is_amd ? EB_POWER_GAUGE : EB_POWER_COUNTER;
    m->step_ms = HWMON_STEP_MS;
    m->stuck_ms = is_amd ? HWMON_STUCK_MS : 0;
    m->method = is_amd ? methods[which] : "hwmon energy1_input";
    /* An APU's limits are called slowPPT and fastPPT: CPU and GPU together. */
    path = eb_fs_join(dir, "power1_label");
    eb_power_read_line(path, label, sizeof(label));
    free(path);
    if (is_amd &&
        (strcmp(label, "slowPPT") == 0 || strcmp(label, "fastPPT") == 0)) {
        m->scope = EB_POWER_PACKAGE;
        m->sum = EB_POWER_PACKAGE;
    }
}

static int hwmon_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                      struct eb_err *err)
{
    char *base = eb_xasprintf("%s%s", h->sysroot, HWMON_DIR), *dir;
    struct hwmon *w = eb_xcalloc(1, sizeof(*w));
    char **names = NULL;
    size_t count = 0, i;
    int there = eb_fs_list(base, "", &names, &count, NULL) == 0, rc = 0;

    w->dev.ops = &eb_power_hwmon;
    for (i = 0; there && i < count; i++) {
        dir = eb_fs_join(base, names[i]);
        hwmon_chip(w, h, dir);
        free(dir);
    }
    if (there)
        eb_fs_list_free(names, count);
    if (w->dev.n == 0)
        rc = eb_fail(err, EB_ENODEV,
                     there ? "absent: no amdgpu, i915 or xe sensor of the "
                             "engine's GPUs below %s"
                           : "absent: no %s",
                     base);
    if (rc == 0)
        *out = &w->dev;
    else
        hwmon_close(&w->dev);
    free(base);
    return rc;
}

const struct eb_power_ops eb_power_hwmon = {"hwmon", hwmon_open, hwmon_read,
                                            NULL, hwmon_close};
