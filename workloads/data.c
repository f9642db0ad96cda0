#include "workloads/data.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/mem.h"

#define DATA_SHARE "../share/edgebench/workloads"

/* What stands before the last '/' of path, or NULL. */
static char *data_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? eb_xstrndup(path, (size_t)(slash - path)) : NULL;
}

/* A folder that was copied to a device as a whole finds its own data; NULL
 * where the system has no /proc/self/exe. */
static char *data_beside_program(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *folder, *share;

    if (n <= 0)
        return NULL;
    exe[n] = '\0';
    folder = data_folder(exe);
    share = folder ? eb_fs_join(folder, DATA_SHARE) : NULL;
    free(folder);
    return share;
}

size_t eb_data_roots(char *roots[EB_DATA_ROOTS])
{
    const char *env = getenv("EDGEBENCH_DATA");
    size_t n = 0;

    if (env && *env) {
        roots[n++] = eb_xstrdup(env);
        roots[n++] = eb_fs_join(env, "workloads");
    }
    if ((roots[n] = data_beside_program()))
        n++;
    /* The source tree is known by this file's own name. */
    if ((roots[n] = data_folder(__FILE__)))
        n++;
#ifdef EB_DATA_DIR
    roots[n++] = eb_fs_join(EB_DATA_DIR, "workloads");
#endif
    return n;
}
