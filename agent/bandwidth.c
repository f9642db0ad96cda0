#include "agent/bandwidth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/device.h"
#include "agent/sysfs.h"
#include "agent/triad.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"

#define BANDWIDTH_FILE_MAX (64 << 10)

/* What the number depends on: the device and the cores that we may use. The
 * name shown for the device does not matter. */
static void bandwidth_key(const struct eb_bandwidth_opts *opts,
                          char hex[EB_SHA256_HEX])
{
    static const char *const parts[] = {"id", "cpu", "memory_bytes"};
    cJSON *key =
        eb_json_pick(opts->device, parts, sizeof(parts) / sizeof(parts[0]));

    cJSON_AddNumberToObject(key, "threads", eb_device_threads());
    cJSON_AddStringToObject(key, "tool", EB_VERSION);
    eb_json_sha256(key, hex);
    cJSON_Delete(key);
}

/* NULL: no folder for it. */
static char *bandwidth_path(const struct eb_bandwidth_opts *opts)
{
    char *user = eb_fs_user("XDG_CACHE_HOME", ".cache"), *path = NULL;
    char hex[EB_SHA256_HEX];

    bandwidth_key(opts, hex);
    if (user != NULL && *user == '/')
        path = eb_xasprintf("%s/triad-%.16s.json", user, hex);
    free(user);
    return path;
}

/* The kept object if it is of this boot, or NULL. */
static cJSON *bandwidth_load(const char *path, const char *boot)
{
    cJSON *v;

    if (eb_json_read(path, BANDWIDTH_FILE_MAX, &v, NULL) != 0)
        return NULL;
    if (strcmp(eb_json_get_str(v, "boot_id", ""), boot) == 0 &&
        cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(v, "triad"))) {
        cJSON_DeleteItemFromObjectCaseSensitive(v, "boot_id");
        return v;
    }
    cJSON_Delete(v);
    return NULL;
}

static int bandwidth_worth(const cJSON *v)
{
    const cJSON *t = cJSON_GetObjectItemCaseSensitive(v, "triad");

    return eb_json_get_num(t, "best_gbps", -1) > 0 &&
           eb_json_get_num(t, "cpu_share", 0) >= EB_TRIAD_CPU_SHARE_MIN;
}

/* Where it cannot be kept, nothing is lost: the next run measures again. */
static void bandwidth_save(const char *path, const char *boot, const cJSON *v)
{
    cJSON *kept = cJSON_Duplicate(v, 1);
    char *text;

    cJSON_AddStringToObject(kept, "boot_id", boot);
    text = cJSON_PrintUnformatted(kept);
    eb_fs_write_in_new(path, text, strlen(text), NULL);
    free(text);
    cJSON_Delete(kept);
}

static int bandwidth_triad(struct eb_triad *out, struct eb_err *err)
{
    const struct eb_triad_opts defaults = {0};

    return eb_triad_measure(&defaults, out, err);
}

/* In the child: measures and writes the object. */
static void bandwidth_child(const struct eb_bandwidth_opts *opts, int fd)
{
    struct eb_triad *t = eb_xcalloc(1, sizeof(*t));
    struct eb_err err = {0};
    cJSON *v = cJSON_CreateObject();
    char now[EB_TIME_LEN], *text, *why;
    int rc =
        opts->triad != NULL ? opts->triad(t, &err) : bandwidth_triad(t, &err);

    why = eb_xasprintf(
        "%s: %s", rc == EB_ELIMIT ? "out of range" : "not measured", err.msg);
    eb_triad_record(rc == 0 ? t : NULL, why, v);
    eb_time_format(eb_clock_wall_us(), now);
    cJSON_AddStringToObject(v, "measured_at", now);
    text = cJSON_PrintUnformatted(v);
    dprintf(fd, "%s", text);
    free(text);
    free(why);
    free(t);
    cJSON_Delete(v);
}

static void bandwidth_drain(int fd, struct eb_buf *out)
{
    char part[4096];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) > 0 ||
           (n < 0 && errno == EINTR)) {
        if (n > 0)
            eb_buf_add(out, part, (size_t)n);
    }
}

/* The object that the child wrote; NULL with why. */
static cJSON *bandwidth_measure(const struct eb_bandwidth_opts *opts, char *why,
                                size_t size)
{
    struct eb_buf b = {0};
    int ends[2], status = 0;
    cJSON *v = NULL;
    pid_t child;

    if (pipe(ends) != 0) {
        snprintf(why, size, "not measured: %s", strerror(errno));
        return NULL;
    }
    child = fork();
    if (child == 0) {
        close(ends[0]);
        bandwidth_child(opts, ends[1]);
        _exit(0);
    }
    if (child < 0)
        snprintf(why, size, "not measured: %s", strerror(errno));
    close(ends[1]);
    if (child > 0)
        bandwidth_drain(ends[0], &b);
    close(ends[0]);
    if (child < 0)
        return NULL;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (b.len == 0 || eb_json_parse(b.data, b.len, "triad", &v, NULL) != 0)
        snprintf(why, size,
                 "not measured: triad's process ended without a result (%s %d)",
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    eb_buf_free(&b);
    return v;
}

cJSON *eb_bandwidth(const struct eb_bandwidth_opts *opts)
{
    char boot[64], why[128];
    int booted = eb_sysfs_text(opts->sysroot, "/proc/sys/kernel/random/boot_id",
                               boot, sizeof(boot)) == NULL;
    char *path = booted ? bandwidth_path(opts) : NULL;
    cJSON *v = NULL;
    int kept;

    snprintf(why, sizeof(why), "%s",
             opts->why_not != NULL ? opts->why_not : "");
    if (opts->why_not == NULL && path != NULL)
        v = bandwidth_load(path, boot);
    kept = v != NULL;
    if (opts->why_not == NULL && v == NULL)
        v = bandwidth_measure(opts, why, sizeof(why));
    if (v == NULL) {
        v = cJSON_CreateObject();
        eb_json_add_null(v, "triad", why);
    } else {
        if (!kept && path != NULL && bandwidth_worth(v))
            bandwidth_save(path, boot, v);
        cJSON_AddBoolToObject(v, "cached", kept);
    }
    free(path);
    return v;
}
