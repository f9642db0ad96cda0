#include "agent/doctor_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sysfs.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/opt.h"

static const char *const doctor_states[] = {"ok", "limited", "missing"};

void eb_doctor_add(struct doctor *d, const char *area, const char *name,
                   enum doctor_state state, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->last = cJSON_CreateObject();
    cJSON_AddStringToObject(d->last, "area", area);
    cJSON_AddStringToObject(d->last, "name", name);
    cJSON_AddStringToObject(d->last, "state", doctor_states[state]);
    cJSON_AddStringToObject(d->last, "detail", text);
    cJSON_AddItemToArray(d->findings, d->last);
}

void eb_doctor_fix(struct doctor *d, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    cJSON_AddStringToObject(d->last, "fix", text);
}

int eb_doctor_has(const struct doctor *d, const char *path)
{
    char *full = eb_xasprintf("%s%s", d->sysroot, path);
    int has = eb_fs_exists(full);

    free(full);
    return has;
}

/* Docker and Podman leave a file, the others a word in the control groups. */
static int doctor_container(const struct doctor *d)
{
    static const char *const words[] = {"docker", "kubepods", "lxc", "libpod"};
    char text[4096];
    size_t i;

    if (eb_doctor_has(d, "/.dockerenv") ||
        eb_doctor_has(d, "/run/.containerenv"))
        return 1;
    eb_sysfs_text(d->sysroot, "/proc/self/cgroup", text, sizeof(text));
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(text, words[i]) != NULL)
            return 1;
    }
    return 0;
}

static void doctor_surroundings(struct doctor *d, cJSON *machine)
{
    char text[8192];

    d->live = *d->sysroot == '\0';
    d->root = d->live && geteuid() == 0;
    d->container = doctor_container(d);
    eb_sysfs_text(d->sysroot, "/proc/cpuinfo", text, sizeof(text));
    d->virtual_machine = strstr(text, " hypervisor") != NULL;
    d->android = eb_doctor_has(d, "/system/build.prop");
    /* The device tree ends its texts with NUL: the first is the name. */
    if (eb_sysfs_text(d->sysroot, "/proc/device-tree/model", d->board,
                      sizeof(d->board)) != NULL)
        d->board[0] = '\0';
    d->jetson = strstr(d->board, "Jetson") != NULL;
    cJSON_AddBoolToObject(machine, "container", d->container);
    cJSON_AddBoolToObject(machine, "virtual_machine", d->virtual_machine);
    cJSON_AddBoolToObject(machine, "android", d->android);
    cJSON_AddBoolToObject(machine, "root", d->root);
    if (d->board[0] != '\0')
        cJSON_AddStringToObject(machine, "board", d->board);
    else
        eb_json_add_null(machine, "board", "absent");
    cJSON_AddBoolToObject(machine, "recorded", !d->live);
}

cJSON *eb_doctor_examine(const char *sysroot)
{
    cJSON *out = cJSON_CreateObject();
    struct doctor d = {.sysroot = sysroot};
    int64_t from = eb_clock_ns();

    doctor_surroundings(&d, cJSON_AddObjectToObject(out, "machine"));
    d.findings = cJSON_AddArrayToObject(out, "findings");
    eb_doctor_power(&d);
    eb_doctor_counters(&d);
    eb_doctor_clocks(&d);
    eb_doctor_heat(&d);
    eb_doctor_memory(&d);
    eb_doctor_time(&d);
    eb_doctor_program(&d);
    cJSON_AddNumberToObject(out, "wall_ns", (double)(eb_clock_ns() - from));
    return out;
}

/* The command */

static const char doctor_help[] =
    "Usage: edgebench doctor [--json] [--noise] [--capture DIR]\n\n"
    "Says what can be measured on this machine, what not and why, and the\n"
    "command that mends it.\n\n";
static const char doctor_exits[] = "\nExit codes:\n"
                                   "  0  done\n"
                                   "  1  the folder could not be written\n"
                                   "  2  wrong usage\n";

static void print_machine(const cJSON *m)
{
    printf("%s%s%s%s\n",
           eb_json_get_str(m, "board",
                           cJSON_IsTrue(cJSON_GetObjectItem(m, "recorded"))
                               ? "a recorded machine"
                               : "this machine"),
           cJSON_IsTrue(cJSON_GetObjectItem(m, "container"))
               ? ", in a container"
               : "",
           cJSON_IsTrue(cJSON_GetObjectItem(m, "virtual_machine"))
               ? ", a virtual machine"
               : "",
           cJSON_IsTrue(cJSON_GetObjectItem(m, "root")) ? ", as root" : "");
}

static void print_report(const cJSON *report)
{
    const char *area = "", *fix;
    const cJSON *row;

    print_machine(cJSON_GetObjectItem(report, "machine"));
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(report, "findings"))
    {
        if (strcmp(area, eb_json_get_str(row, "area", "")) != 0) {
            area = eb_json_get_str(row, "area", "");
            printf("\n%s\n", area);
        }
        printf("  %-8s %-14s %s\n", eb_json_get_str(row, "state", ""),
               eb_json_get_str(row, "name", ""),
               eb_json_get_str(row, "detail", ""));
        fix = eb_json_get_str(row, "fix", NULL);
        if (fix != NULL)
            printf("           %-14s mend: %s\n", "", fix);
    }
}

static int doctor_run(const char *sysroot, const char *capture, int json,
                      int noise)
{
    cJSON *report = eb_doctor_examine(sysroot);
    struct eb_err err = {0};
    int rc = 0, n = 0;
    char *text;

    if (noise)
        eb_doctor_noise(sysroot, report);
    if (capture != NULL)
        rc = eb_doctor_capture(sysroot, capture, &n, &err);
    if (json) {
        text = cJSON_Print(report);
        puts(text);
        free(text);
    } else {
        print_report(report);
    }
    cJSON_Delete(report);
    if (rc != 0) {
        eb_error("%s", err.msg);
        return rc == EB_EUSAGE ? EB_EXIT_USAGE : EB_EXIT_INTERNAL;
    }
    if (capture != NULL)
        eb_info("%d files in %s; look through them before you give them away",
                n, capture);
    return EB_EXIT_OK;
}

static int doctor_folders(const char *sysroot, const char *capture,
                          struct eb_err *err)
{
    struct stat st;

    if (capture != NULL && *capture == '\0')
        return eb_fail(err, EB_EUSAGE, "--capture: the folder has no name");
    if (*sysroot != '\0' && (stat(sysroot, &st) != 0 || !S_ISDIR(st.st_mode)))
        return eb_fail(err, EB_EUSAGE, "--sysroot: %s is no folder", sysroot);
    return 0;
}

int eb_doctor_main(int argc, char **argv)
{
    const char *capture = NULL, *sysroot = "";
    int json = 0, noise = 0, help = 0, n_args = 0;
    struct eb_opt opts[] = {
        {"json", 0, EB_OPT_FLAG, &json, NULL, "findings as JSON"},
        {"noise", 0, EB_OPT_FLAG, &noise, NULL,
         "also measure how quiet the machine is (1 s)"},
        {"capture", 0, EB_OPT_STR, &capture, "DIR",
         "record the machine's files, without private data, in a new folder"},
        {"sysroot", 0, EB_OPT_STR, &sysroot, "DIR",
         "examine a recorded machine instead"},
        {"help", 'h', EB_OPT_FLAG, &help, NULL, "this text"},
        {0}};
    struct eb_err err = {0};

    if (eb_opt_parse(opts, argc, argv, &n_args, &err) != 0) {
        eb_error("%s", err.msg);
        return EB_EXIT_USAGE;
    }
    if (help) {
        fputs(doctor_help, stdout);
        eb_opt_help(opts, stdout);
        fputs(doctor_exits, stdout);
        return EB_EXIT_OK;
    }
    if (n_args > 0) {
        eb_error("doctor takes no arguments");
        return EB_EXIT_USAGE;
    }
    if (doctor_folders(sysroot, capture, &err) != 0) {
        eb_error("%s", err.msg);
        return EB_EXIT_USAGE;
    }
    return doctor_run(sysroot, capture, json, noise);
}
