#include "agent/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"

const char *eb_sysfs_reason(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return "absent";
    case EACCES:
    case EPERM:
        return "no permission";
    case EAGAIN:
    case ENODATA:
    case ENXIO:
        /* A thermal zone or rail whose power domain is off says so (Thor's
         * gpu-thermal). */
        return "not measured: switched off";
    case EIO:
        return "not measured: input or output failed";
    default:
        return "unsupported";
    }
}

const char *eb_sysfs_text(const char *sysroot, const char *path, char *out,
                          size_t size)
{
    char full[EB_SYSFS_PATH];
    ssize_t n;
    int fd, e;

    *out = '\0';
    if (snprintf(full, sizeof(full), "%s%s", sysroot, path) >=
        (int)sizeof(full))
        return "unsupported: the path is too long";
    fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return eb_sysfs_reason(errno);
    do
        n = read(fd, out, size - 1);
    while (n < 0 && errno == EINTR);
    e = errno;
    close(fd);
    if (n < 0)
        return eb_sysfs_reason(e);
    out[n] = '\0';
    while (n > 0 && strchr(" \t\n", out[n - 1]) != NULL)
        out[--n] = '\0';
    return NULL;
}

const char *eb_sysfs_num(const char *sysroot, const char *path, double *out)
{
    char text[64], *end;
    const char *why = eb_sysfs_text(sysroot, path, text, sizeof(text));

    *out = 0;
    if (why != NULL)
        return why;
    if (*text == '\0')
        return "not measured: empty";
    *out = strtod(text, &end);
    if (*end != '\0' || end == text)
        return "out of range: not a number";
    return NULL;
}

const char *eb_sysfs_numf(const char *sysroot, double *out, const char *fmt,
                          ...)
{
    char path[EB_SYSFS_PATH];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    return eb_sysfs_num(sysroot, path, out);
}

const char *eb_sysfs_textf(const char *sysroot, char *out, size_t size,
                           const char *fmt, ...)
{
    char path[EB_SYSFS_PATH];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    return eb_sysfs_text(sysroot, path, out, size);
}

double eb_sysfs_key(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (; text != NULL && *text != '\0';
         text = strchr(text, '\n'), text += text != NULL) {
        if (strncmp(text, key, n) == 0 && strchr(": \t", text[n]) != NULL &&
            text[n] != '\0')
            return strtod(text + n + 1, NULL);
    }
    return -1;
}

const char *eb_sysfs_list(const char *sysroot, const char *dir, char ***names,
                          size_t *n)
{
    char full[EB_SYSFS_PATH];
    int rc;

    *n = 0;
    snprintf(full, sizeof(full), "%s%s", sysroot, dir);
    rc = eb_fs_list(full, "", names, n, NULL);
    if (rc != 0)
        *n = 0;
    if (rc == 0)
        return NULL;
    return rc == EB_ENOENT  ? "absent"
           : rc == EB_EPERM ? "no permission"
                            : "unsupported";
}
