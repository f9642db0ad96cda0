#include "collector/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/mem.h"

/* One database has one name, and so one lock. The file need not be there. */
static int lock_resolve(const char *place, char **path, struct eb_err *err)
{
    char *copy, *dir, *slash;
    struct stat st;

    *path = NULL;
    if (*eb_fs_base(place) == '\0' ||
        (stat(place, &st) == 0 && !S_ISREG(st.st_mode)))
        return eb_fail(err, EB_EINVAL, "'%s' is not a file: pass another --db",
                       place);
    *path = realpath(place, NULL);
    if (*path != NULL)
        return 0;
    copy = eb_xstrdup(place);
    slash = strrchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    dir = realpath(slash == NULL ? "." : slash == copy ? "/" : copy, NULL);
    free(copy);
    if (dir == NULL)
        return eb_fail(err, eb_code_from_errno(errno),
                       "%s: cannot be opened (%s): make the folder or pass "
                       "another --db",
                       place, strerror(errno));
    *path = eb_fs_join(dir, eb_fs_base(place));
    free(dir);
    return 0;
}

static int lock_busy(int fd, const char *path, struct eb_err *err)
{
    char pid[16] = "";

    if (pread(fd, pid, sizeof(pid) - 1, 0) > 0)
        pid[strspn(pid, "0123456789")] = '\0';
    return eb_fail(err, EB_EBUSY,
                   "%s: another collector uses it%s%s: stop that one or pass "
                   "another --db",
                   path, *pid != '\0' ? ", process " : "", pid);
}

int eb_store_lock(const char *place, char **path, int *fd, struct eb_err *err)
{
    char *name, pid[16];
    int rc = lock_resolve(place, path, err), n;

    *fd = -1;
    if (rc != 0)
        return rc;
    name = eb_xasprintf("%s.lock", *path);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        rc = eb_fail(err, eb_code_from_errno(errno),
                     "%s: cannot be opened for writing (%s): change the "
                     "permissions of its folder or pass another --db",
                     name, strerror(errno));
    else if (flock(*fd, LOCK_EX | LOCK_NB) < 0)
        rc = lock_busy(*fd, *path, err);
    free(name);
    if (rc != 0) {
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        return rc;
    }
    /* Only for the message above: no harm if it cannot be written. */
    n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(*fd, 0) < 0 || pwrite(*fd, pid, (size_t)n, 0) < 0)
        return 0;
    return 0;
}
