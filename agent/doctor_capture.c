/* A machine's files as a fixture, without what tells whose it is: only files
 * of this list are copied, and what looks like an identifier in them is
 * crossed out. */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/doctor_parts.h"
#include "agent/heat_android.h"
#include "agent/power_rpi.h"
#include "agent/sysfs.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/mem.h"

#define CAPTURE_FILE_MAX 131072
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CPU "/sys/devices/system/cpu/"
#define CAPTURE_RAILS "/vcgencmd/pmic_read_adc"

static const char *const capture_files[] = {
    "/proc/cpuinfo",
    EB_ANDROID_RECORDED, /* of a recording; else the command is asked */
    "/proc/meminfo",
    "/proc/loadavg",
    "/proc/self/status",
    "/proc/self/cgroup",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/perf_event_paranoid",
    "/proc/sys/kernel/nmi_watchdog",
    "/proc/device-tree/model",
    "/proc/device-tree/compatible",
    "/proc/driver/nvidia/version",
    "/etc/os-release",
    "/etc/nv_tegra_release",
    "/var/lib/nvpmodel/status",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/devices/system/clocksource/clocksource0/*_clocksource",
    "/sys/class/powercap/*/name",
    "/sys/class/powercap/*/energy_uj",
    "/sys/class/powercap/*/max_energy_range_uj",
    "/sys/class/powercap/*/enabled",
    "/sys/devices/virtual/powercap/*/name",
    "/sys/class/hwmon/*/name",
    "/sys/class/hwmon/*/label",
    "/sys/class/hwmon/*/*_label",
    "/sys/class/hwmon/*/in*_input",
    "/sys/class/hwmon/*/curr*_*",
    "/sys/class/hwmon/*/power*_*",
    "/sys/class/hwmon/*/energy*_*",
    "/sys/class/hwmon/*/temp*_input",
    "/sys/class/hwmon/*/oc*_*",
    "/sys/class/hwmon/*/in0_lcrit_alarm",
    "/sys/class/hwmon/*/shunt_resistor",
    "/sys/class/hwmon/*/update_interval",
    "/sys/class/hwmon/*/samples",
    "/sys/class/power_supply/*/type",
    "/sys/class/power_supply/*/scope",
    "/sys/class/power_supply/*/status",
    "/sys/class/power_supply/*/online",
    "/sys/class/power_supply/*/present",
    "/sys/class/power_supply/*/capacity",
    "/sys/class/power_supply/*/temp",
    "/sys/class/power_supply/*/*_now",
    "/sys/class/thermal/thermal_zone*/type",
    "/sys/class/thermal/thermal_zone*/temp",
    "/sys/class/thermal/cooling_device*/type",
    "/sys/class/thermal/cooling_device*/*_state",
    "/sys/class/devfreq/*/*_freq",
    "/sys/class/devfreq/*/governor",
    "/sys/class/devfreq/*/load",
    "/sys/bus/iio/devices/*/name",
    "/sys/bus/iio/devices/*/energy_value",
    "/sys/bus/iio/devices/*/enabled_rails",
    "/sys/bus/iio/devices/*/sampling_rate",
    "/sys/bus/event_source/devices/*/type",
    "/sys/bus/event_source/devices/*/cpus",
    "/sys/bus/event_source/devices/*/cpumask",
    "/sys/bus/event_source/devices/*/events/energy-*",
    CPU "cpufreq/policy*/scaling_*",
    CPU "cpufreq/policy*/cpuinfo_m*_freq",
    CPU "cpufreq/policy*/affected_cpus",
    CPU "online",
    CPU "possible",
    CPU "cpu[0-9]*/online",
    CPU "cpu[0-9]*/cpu_capacity",
    CPU "cpu[0-9]*/topology/physical_package_id",
    CPU "cpu[0-9]*/topology/core_id",
    CPU "cpu[0-9]*/topology/*_list",
    CPU "cpu[0-9]*/thermal_throttle/*_throttle_count",
    CPU "cpu[0-9]*/cache/index*/level",
    CPU "cpu[0-9]*/cache/index*/type",
    CPU "cpu[0-9]*/cache/index*/size",
    CPU "cpu[0-9]*/cache/index*/shared_cpu_list",
    "/sys/devices/platform/soc*/soc*/get_throttled",
    CAPTURE_RAILS, /* of a recording; else the command is asked */
};

/* Their being there is all that counts. */
static const char *const capture_marks[] = {"/.dockerenv", "/run/.containerenv",
                                            "/system/build.prop", "/dev/vcio",
                                            "/dev/nvidia0"};

/* Links that lead nowhere: masked in a container. */
static const char *const capture_links[] = {"/sys/class/powercap/*",
                                            "/sys/class/hwmon/*"};

/* Empty or not, that they are there is an answer too. */
static const char *const capture_folders[] = {
    "/sys/class/powercap", "/sys/class/hwmon", "/sys/class/thermal",
    "/sys/class/power_supply", "/sys/devices/virtual/powercap"};

struct capture {
    const char *sysroot;
    const char *dir;
    char host[128];
    int n;
    struct eb_buf unread; /* lines for SOURCE */
};

/* Crossing out */

static size_t hex_run(const char *s)
{
    size_t n = 0;

    while (isxdigit((unsigned char)s[n]))
        n++;
    return n;
}

/* "aa:bb:cc:dd:ee:ff", also with '-'. Its length or 0. */
static size_t is_mac(const char *s)
{
    int i;

    for (i = 0; i < 6; i++) {
        if (hex_run(s + 3 * i) != 2 ||
            (i < 5 && strchr(":-", s[3 * i + 2]) == NULL))
            return 0;
        if (i < 5 && s[3 * i + 2] == '\0')
            return 0;
    }
    return 17;
}

static size_t is_uuid(const char *s)
{
    static const size_t parts[] = {8, 4, 4, 4, 12};
    size_t at = 0, i;

    for (i = 0; i < 5; i++) {
        if (hex_run(s + at) != parts[i] || (i < 4 && s[at + parts[i]] != '-'))
            return 0;
        at += parts[i] + 1;
    }
    return at - 1;
}

/* Machine ids, container ids and digests are 32 digits and more. */
static size_t is_long_hex(const char *s)
{
    size_t n = hex_run(s);

    return n >= 32 ? n : 0;
}

static size_t is_host(const struct capture *c, const char *s)
{
    size_t n = strlen(c->host);

    return n >= 3 && strncasecmp(s, c->host, n) == 0 &&
                   !isalnum((unsigned char)s[n])
               ? n
               : 0;
}

/* 1 if something was crossed out. */
static int capture_scrub(const struct capture *c, char *text)
{
    int start = 1, found = 0;
    size_t n;
    char *p;

    for (p = text; *p != '\0';) {
        n = start ? is_mac(p) : 0;
        if (start && n == 0)
            n = is_uuid(p);
        if (start && n == 0)
            n = is_long_hex(p);
        if (start && n == 0)
            n = is_host(c, p);
        if (n > 0) {
            memset(p, 'x', n);
            found = 1;
            p += n;
        } else {
            p++;
        }
        start = !isalnum((unsigned char)p[-1]);
    }
    return found;
}

/* Keeps or drops the lines of a text that begin with one of the words. */
static void capture_lines(char *text, const char *const *words, size_t n,
                          int keep)
{
    char *from = text, *to = text, *end;
    size_t len, i;
    int hit;

    for (; *from != '\0'; from = end) {
        end = strchr(from, '\n');
        end = end != NULL ? end + 1 : from + strlen(from);
        len = (size_t)(end - from);
        for (hit = 0, i = 0; i < n; i++)
            hit |= strncmp(from, words[i], strlen(words[i])) == 0;
        if (hit == keep) {
            memmove(to, from, len);
            to += len;
        }
    }
    *to = '\0';
}

static void capture_private(const struct capture *c, const char *path,
                            char *text)
{
    static const char *const status[] = {"Name", "Seccomp:", "CapEff",
                                         "Vm",   "Rss",      "NoNewPrivs"};
    static const char *const serial[] = {"Serial", "UUID"};

    if (strcmp(path, "/proc/self/status") == 0)
        capture_lines(text, status, COUNT(status), 1);
    if (strcmp(path, "/proc/cpuinfo") == 0)
        capture_lines(text, serial, 2, 0);
    capture_scrub(c, text);
}

/* Writing */

static int capture_parent(const char *full, struct eb_err *err)
{
    char *dir = eb_xstrdup(full);
    int rc;

    *strrchr(dir, '/') = '\0';
    rc = eb_fs_mkdirs(dir, err);
    free(dir);
    return rc;
}

static int capture_write(struct capture *c, const char *path, const char *text,
                         mode_t mode, struct eb_err *err)
{
    char *full = eb_xasprintf("%s%s", c->dir, path);
    int rc = capture_parent(full, err);
    FILE *f = rc == 0 ? fopen(full, "w") : NULL;

    if (rc == 0 && f == NULL)
        rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", full,
                     strerror(errno));
    if (f != NULL) {
        fputs(text, f);
        if (fclose(f) != 0 || chmod(full, mode) != 0)
            rc = eb_fail(err, EB_EIO, "%s: %s", full, strerror(errno));
        c->n++;
    }
    free(full);
    return rc;
}

static int capture_file(struct capture *c, const char *path, struct eb_err *err)
{
    char *text = eb_xmalloc(CAPTURE_FILE_MAX), *name = eb_xstrdup(path);
    const char *why;
    int rc = 0;

    /* A Bluetooth device's folder is named by its address. */
    if (!capture_scrub(c, name)) {
        why = eb_sysfs_text(c->sysroot, path, text, CAPTURE_FILE_MAX - 1);
        if (why == NULL) {
            capture_private(c, path, text);
            if (*text != '\0')
                strcat(text, "\n");
            rc = capture_write(c, path, text, 0644, err);
        } else if (strcmp(why, "no permission") == 0) {
            rc = capture_write(c, path, "", 0, err);
        } else if (strcmp(why, "absent") != 0 &&
                   strcmp(why, "unsupported") != 0) {
            eb_buf_addf(&c->unread, "%s: %s\n", path, why);
        }
    }
    free(name);
    free(text);
    return rc;
}

/* The rails of a Raspberry Pi are in no file. */
static int capture_rails(struct capture *c, struct eb_err *err)
{
    char text[4096];
    int rc;

    if (*c->sysroot != '\0')
        return 0;
    rc = eb_rpi_answer(text, sizeof(text));
    if (rc == EB_ENODEV)
        return 0;
    if (rc == EB_EPERM)
        return capture_write(c, CAPTURE_RAILS, "", 0, err);
    if (rc != 0) {
        eb_buf_addf(&c->unread, CAPTURE_RAILS ": %s\n", eb_code_text(rc));
        return 0;
    }
    capture_scrub(c, text);
    return capture_write(c, CAPTURE_RAILS, text, 0644, err);
}

/* Android's thermal status is in no file either. */
static int capture_android(struct capture *c, struct eb_err *err)
{
    char text[EB_ANDROID_TEXT];
    const char *why;

    if (*c->sysroot != '\0')
        return 0;
    why = eb_android_text("", text, sizeof(text));
    if (why == NULL) {
        capture_scrub(c, text);
        return capture_write(c, EB_ANDROID_RECORDED, text, 0644, err);
    }
    if (strcmp(why, "absent") != 0)
        eb_buf_addf(&c->unread, EB_ANDROID_RECORDED ": %s\n", why);
    return 0;
}

static int capture_link(struct capture *c, const char *path, struct eb_err *err)
{
    char *from = eb_xasprintf("%s%s", c->sysroot, path);
    char *full = eb_xasprintf("%s%s", c->dir, path), to[512];
    ssize_t n = readlink(from, to, sizeof(to) - 1);
    struct stat st;
    int rc = 0;

    if (n > 0 && stat(from, &st) != 0) {
        to[n] = '\0';
        rc = capture_parent(full, err);
        if (rc == 0 && !capture_scrub(c, to) && symlink(to, full) == 0)
            c->n++;
    }
    free(from);
    free(full);
    return rc;
}

static int capture_glob(struct capture *c, const char *pattern,
                        int (*take)(struct capture *, const char *,
                                    struct eb_err *),
                        struct eb_err *err)
{
    char *full = eb_xasprintf("%s%s", c->sysroot, pattern);
    size_t skip = strlen(c->sysroot), i;
    glob_t g;
    int rc = 0;

    if (glob(full, 0, NULL, &g) == 0) {
        for (i = 0; rc == 0 && i < g.gl_pathc; i++)
            rc = take(c, g.gl_pathv[i] + skip, err);
        globfree(&g);
    }
    free(full);
    return rc;
}

static int capture_mark(struct capture *c, const char *path, struct eb_err *err)
{
    return capture_write(c, path, "", 0644, err);
}

static int capture_folder(struct capture *c, const char *path,
                          struct eb_err *err)
{
    char *full = eb_xasprintf("%s%s", c->dir, path);
    int rc = eb_fs_mkdirs(full, err);

    free(full);
    return rc;
}

/* All patterns of a list. */
static int capture_all(struct capture *c, const char *const *patterns, size_t n,
                       int (*take)(struct capture *, const char *,
                                   struct eb_err *),
                       struct eb_err *err)
{
    size_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < n; i++)
        rc = capture_glob(c, patterns[i], take, err);
    return rc;
}

static int capture_source(struct capture *c, struct eb_err *err)
{
    char time[EB_TIME_LEN];
    struct eb_buf b = {0};
    struct utsname u;
    int rc;

    memset(&u, 0, sizeof(u));
    uname(&u);
    eb_time_format(eb_clock_wall_us(), time);
    eb_buf_addf(&b,
                "SOURCE: recorded by edgebench %s doctor --capture on %.10s, "
                "%s\nsynthetic: false\n",
                EB_VERSION, time, u.machine);
    if (c->unread.len > 0)
        eb_buf_addf(&b, "could not be read:\n%s", c->unread.data);
    rc = capture_write(c, "/SOURCE", b.data, 0644, err);
    eb_buf_free(&b);
    return rc;
}

/* The host's name, to cross it out. */
static void capture_host(struct capture *c)
{
    struct utsname u;

    if (eb_sysfs_text(c->sysroot, "/proc/sys/kernel/hostname", c->host,
                      sizeof(c->host)) != NULL &&
        eb_sysfs_text(c->sysroot, "/etc/hostname", c->host, sizeof(c->host)) !=
            NULL)
        c->host[0] = '\0';
    if (c->host[0] == '\0' && *c->sysroot == '\0' && uname(&u) == 0)
        snprintf(c->host, sizeof(c->host), "%s", u.nodename);
}

int eb_doctor_capture(const char *sysroot, const char *dir, int *n_files,
                      struct eb_err *err)
{
    struct capture c = {.sysroot = sysroot, .dir = dir};
    char **names = NULL;
    size_t n = 0;
    int rc = eb_fs_mkdirs(dir, err);

    if (rc == 0)
        rc = eb_fs_list(dir, "", &names, &n, err);
    if (rc == 0 && n > 0)
        rc = eb_fail(err, EB_EUSAGE, "%s is not empty", dir);
    eb_fs_list_free(names, n);
    capture_host(&c);
    if (rc == 0)
        rc = capture_all(&c, capture_files, COUNT(capture_files), capture_file,
                         err);
    if (rc == 0)
        rc = capture_rails(&c, err);
    if (rc == 0)
        rc = capture_android(&c, err);
    if (rc == 0)
        rc = capture_all(&c, capture_marks, COUNT(capture_marks), capture_mark,
                         err);
    if (rc == 0)
        rc = capture_all(&c, capture_folders, COUNT(capture_folders),
                         capture_folder, err);
    if (rc == 0)
        rc = capture_all(&c, capture_links, COUNT(capture_links), capture_link,
                         err);
    if (rc == 0)
        rc = capture_source(&c, err);
    eb_buf_free(&c.unread);
    if (n_files != NULL)
        *n_files = c.n;
    return rc;
}
