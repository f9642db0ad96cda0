#include "agent/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/device.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"

#define MEMORY_FILE_MAX (16 << 20) /* smaps of a program with many mappings */

int eb_memory_begin(const char *sysroot)
{
    char *path = eb_xasprintf("%s/proc/self/clear_refs", sysroot);
    int fd = open(path, O_WRONLY | O_CLOEXEC), done = 0;

    free(path);
    if (fd < 0)
        return 0;
    done = write(fd, "5", 1) == 1; /* 5: the peak only, proc_pid_clear_refs */
    close(fd);
    return done;
}

/* NULL, or why the file cannot be read. */
static const char *memory_read(const char *sysroot, const char *path,
                               struct eb_buf *out)
{
    char *full = eb_xasprintf("%s%s", sysroot, path);
    int rc;

    eb_buf_reset(out);
    rc = eb_fs_read(full, MEMORY_FILE_MAX, out, NULL);
    free(full);
    if (rc == 0 && out->len > 0)
        return NULL;
    return rc == EB_EPERM ? "no permission" : "absent";
}

static void memory_pss(const char *sysroot, cJSON *out)
{
    struct eb_buf b = {0};
    const char *why = memory_read(sysroot, "/proc/self/smaps_rollup", &b), *at;

    at = why == NULL ? strstr(b.data, "\nPss:") : NULL;
    if (at != NULL)
        cJSON_AddNumberToObject(out, "pss_bytes", 1024.0 * atof(at + 5));
    else
        eb_json_add_null(out, "pss_bytes", why != NULL ? why : "unsupported");
    eb_buf_free(&b);
}

/* The file of the peak: of cgroup v2 by the line "0::/path", of v1 by the line
 * of its controller "memory" (cgroups(7)). 0 if there is neither. */
static int memory_cgroup_path(const char *sysroot, char *out, size_t size)
{
    struct eb_buf b = {0};
    char *line, *save = NULL, *one, *two;
    int version = 0;

    if (memory_read(sysroot, "/proc/self/cgroup", &b) != NULL)
        return 0;
    for (line = strtok_r(b.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        one = strchr(line, ':');
        two = one != NULL ? strchr(one + 1, ':') : NULL;
        if (two == NULL)
            continue;
        *two++ = '\0';
        /* Where both are mounted the memory controller is v1's. */
        if (strcmp(one + 1, "memory") == 0) {
            snprintf(out, size,
                     "/sys/fs/cgroup/memory%s/memory.max_usage_in_bytes", two);
            version = 1;
        } else if (one[1] == '\0' && version == 0) {
            snprintf(out, size, "/sys/fs/cgroup%s/memory.peak", two);
            version = 2;
        }
    }
    eb_buf_free(&b);
    return version;
}

/* Page cache and other processes of the group count in it, and it is never
 * reset by us: a second opinion, not the model's need. */
static void memory_cgroup(const char *sysroot, cJSON *out)
{
    char path[PATH_MAX];
    struct eb_buf b = {0};
    const char *why;
    int version = memory_cgroup_path(sysroot, path, sizeof(path));

    why = version > 0 ? memory_read(sysroot, path, &b) : "absent: no cgroup";
    if (why == NULL)
        cJSON_AddNumberToObject(out, "cgroup_peak_bytes", atof(b.data));
    else
        eb_json_add_null(out, "cgroup_peak_bytes", why);
    eb_buf_free(&b);
}

/* Size and Rss of all mappings of the file, in bytes; 0 if it is not mapped.
 * A head line of smaps ends in the path, its numbers follow. */
static int memory_mapping(const char *smaps, const char *file, double *size,
                          double *rss)
{
    size_t len = strlen(file), n;
    const char *line;
    int inside = 0, found = 0;

    *size = *rss = 0;
    for (line = smaps; *line != '\0'; line += n + (line[n] == '\n')) {
        n = strcspn(line, "\n");
        if (line[0] >= 'A' && line[0] <= 'Z') {
            if (inside && strncmp(line, "Size:", 5) == 0)
                *size += 1024 * atof(line + 5);
            else if (inside && strncmp(line, "Rss:", 4) == 0)
                *rss += 1024 * atof(line + 4);
            continue;
        }
        inside = n > len && line[n - len - 1] == ' ' &&
                 strncmp(line + n - len, file, len) == 0;
        found |= inside;
    }
    return found;
}

static void memory_model(const char *sysroot, const char *model, cJSON *out)
{
    char full[PATH_MAX];
    struct eb_buf b = {0};
    const char *why = "absent: no file";
    double size = 0, rss = 0;

    if (model != NULL && realpath(model, full) != NULL) {
        why = memory_read(sysroot, "/proc/self/smaps", &b);
        if (why == NULL && !memory_mapping(b.data, full, &size, &rss))
            why = "absent: the file is not mapped";
    }
    if (why == NULL) {
        cJSON_AddNumberToObject(out, "model_mapped_bytes", size);
        cJSON_AddNumberToObject(out, "model_resident_bytes", rss);
    } else {
        eb_json_add_null(out, "model_mapped_bytes", why);
        eb_json_add_null(out, "model_resident_bytes", why);
    }
    eb_buf_free(&b);
}

cJSON *eb_memory_phase(const char *sysroot, const char *phase, int scoped,
                       const char *model)
{
    cJSON *out = cJSON_CreateObject();

    cJSON_AddStringToObject(out, "phase", phase);
    eb_device_memory(sysroot, out);
    cJSON_AddStringToObject(out, "vm_hwm_scope", scoped ? "phase" : "process");
    memory_pss(sysroot, out);
    memory_cgroup(sysroot, out);
    memory_model(sysroot, model, out);
    return out;
}

void eb_memory_shared_peak(cJSON *memory)
{
    cJSON_DeleteItemFromObjectCaseSensitive(memory, "vm_hwm_bytes");
    cJSON_DeleteItemFromObjectCaseSensitive(memory, "vm_hwm_bytes_reason");
    eb_json_add_null(memory, "vm_hwm_bytes",
                     "unsupported: the kernel does not start the peak anew, "
                     "and other models ran before");
}
