#include "common/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

#define FS_CHUNK 65536

static int fs_fail(struct eb_err *err, const char *path)
{
    int e = errno;

    return eb_fail(err, eb_code_from_errno(e), "%s: %s", path, strerror(e));
}

int eb_fs_read(const char *path, size_t max_bytes, struct eb_buf *out,
               struct eb_err *err)
{
    size_t old_len = out->len;
    int was_null = out->data == NULL;
    char chunk[FS_CHUNK];
    ssize_t n;
    int fd, rc = 0;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fs_fail(err, path);
    /* Until end of file, not for st_size bytes: /proc and /sys say 0. */
    for (;;) {
        n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if ((size_t)n > max_bytes - (out->len - old_len)) {
            rc = eb_fail(err, EB_ELIMIT, "%s: larger than %zu bytes", path,
                         max_bytes);
            break;
        }
        eb_buf_add(out, chunk, (size_t)n);
    }
    if (n < 0)
        rc = fs_fail(err, path);
    close(fd);
    if (rc == 0) {
        eb_buf_add(out, "", 0); /* an empty file gives "", not NULL */
    } else if (was_null) {
        eb_buf_free(out);
    } else {
        out->len = old_len;
        out->data[old_len] = '\0';
    }
    return rc;
}

/* Opens the folder that holds path; -1 with errno. */
static int fs_open_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir;
    int fd, e;

    if (slash == NULL)
        dir = eb_xstrdup(".");
    else
        dir = eb_xstrndup(path, slash > path ? (size_t)(slash - path) : 1);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    e = errno;
    free(dir);
    errno = e;
    return fd;
}

/* fsync(2): without it the new name may be lost though the data is safe.
 * EINVAL is a file system that has nothing to sync. */
static int fs_sync_dir(int fd)
{
    return fsync(fd) < 0 && errno != EINVAL ? -1 : 0;
}

/* Writes and syncs a new file; -1 with errno. */
static int fs_write_part(const char *part, const char *data, size_t len)
{
    int fd, e;
    ssize_t n;

    /* A leftover, or a trap set as a symbolic link, goes first. */
    if (unlink(part) < 0 && errno != ENOENT)
        return -1;
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    while (len > 0) {
        n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            goto fail;
        data += n;
        len -= (size_t)n;
    }
    if (fdatasync(fd) < 0)
        goto fail;
    return close(fd);
fail:
    e = errno;
    close(fd);
    errno = e;
    return -1;
}

int eb_fs_write_durable(const char *path, const void *data, size_t len,
                        struct eb_err *err)
{
    char *part = NULL;
    struct stat st;
    int dir, rc = 0;

    /* rename(2) would replace a device node or a link by a plain file. */
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return eb_fail(err, EB_EINVAL, "%s: not a regular file", path);
    dir = fs_open_parent(path);
    if (dir < 0)
        return fs_fail(err, path);
    part = eb_xasprintf("%s.part", path);
    if (fs_write_part(part, data, len) < 0 || rename(part, path) < 0) {
        rc = fs_fail(err, path);
        unlink(part);
    } else if (fs_sync_dir(dir) < 0) {
        rc = fs_fail(err, path);
    }
    close(dir);
    free(part);
    return rc;
}

/* Creates one folder; 0 if it is there already. */
static int fs_mkdir(const char *path)
{
    struct stat st;
    int dir;

    if (mkdir(path, 0700) == 0) {
        dir = fs_open_parent(path);
        if (dir >= 0) {
            fs_sync_dir(dir);
            close(dir);
        }
        return 0;
    }
    if (stat(path, &st) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return 0;
    errno = ENOTDIR;
    return -1;
}

int eb_fs_mkdirs(const char *path, struct eb_err *err)
{
    char *copy = eb_xstrdup(path), *p;
    int rc = 0;

    for (p = copy + strspn(copy, "/"); rc == 0 && *p != '\0';) {
        p += strcspn(p, "/");
        if (*p == '/') {
            *p = '\0';
            if (fs_mkdir(copy) < 0)
                rc = fs_fail(err, copy);
            *p = '/';
            p += strspn(p, "/");
        } else if (fs_mkdir(copy) < 0) {
            rc = fs_fail(err, copy);
        }
    }
    free(copy);
    return rc;
}

static int fs_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int fs_has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);

    return n >= k && strcmp(name + n - k, suffix) == 0;
}

int eb_fs_list(const char *dir, const char *suffix, char ***names, size_t *n,
               struct eb_err *err)
{
    size_t cap = 0;
    struct dirent *ent;
    DIR *d;

    *names = NULL;
    *n = 0;
    d = opendir(dir);
    if (d == NULL)
        return fs_fail(err, dir);
    for (;;) {
        errno = 0;
        ent = readdir(d);
        if (ent == NULL)
            break;
        if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0 ||
            !fs_has_suffix(ent->d_name, suffix))
            continue;
        if (*n == cap) {
            cap = cap > 0 ? cap * 2 : 16;
            *names = eb_xrealloc(*names, cap, sizeof(**names));
        }
        (*names)[(*n)++] = eb_xstrdup(ent->d_name);
    }
    if (errno != 0) {
        int rc = fs_fail(err, dir);

        closedir(d);
        eb_fs_list_free(*names, *n);
        *names = NULL;
        *n = 0;
        return rc;
    }
    closedir(d);
    if (*n > 0)
        qsort(*names, *n, sizeof(**names), fs_cmp);
    return 0;
}

void eb_fs_list_free(char **names, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int eb_fs_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

int eb_fs_write_in_new(const char *path, const void *data, size_t len,
                       struct eb_err *err)
{
    char *dir = eb_xstrndup(path, (size_t)(eb_fs_base(path) - path));
    int rc = *dir != '\0' ? eb_fs_mkdirs(dir, err) : 0;

    free(dir);
    return rc != 0 ? rc : eb_fs_write_durable(path, data, len, err);
}

char *eb_fs_user(const char *variable, const char *below)
{
    const char *own = getenv(variable), *home = getenv("HOME");

    if (own != NULL && *own == '/')
        return eb_xasprintf("%s/edgebench", own);
    if (home != NULL && *home != '\0')
        return eb_xasprintf("%s/%s/edgebench", home, below);
    return NULL;
}

char *eb_fs_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);

    return eb_xasprintf("%s%s%s", dir, n > 0 && dir[n - 1] != '/' ? "/" : "",
                        name);
}

const char *eb_fs_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}
