/* One-value files of /proc and /sys below a sysroot ("" for this machine).
 *
 * Nothing is allocated, so that a reader may run beside a measurement. Each
 * function returns NULL or the reason why there is no value, a constant text
 * in the words of common/RECORD.md. Any thread. */
#ifndef EB_SYSFS_H
#define EB_SYSFS_H

#include <stddef.h>

#define EB_SYSFS_PATH 512

/* The first size - 1 bytes, without white space at the end. */
const char *eb_sysfs_text(const char *sysroot, const char *path, char *out,
                          size_t size);
/* A decimal number that fills the file. */
const char *eb_sysfs_num(const char *sysroot, const char *path, double *out);
/* A path made of parts. */
const char *eb_sysfs_numf(const char *sysroot, double *out, const char *fmt,
                          ...) __attribute__((format(printf, 3, 4)));
const char *eb_sysfs_textf(const char *sysroot, char *out, size_t size,
                           const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The number after "key:" or "key" and white space in a line of text, or
 * -1. */
double eb_sysfs_key(const char *text, const char *key);
/* Names in a folder, sorted; none if it cannot be listed. Allocates: free
 * with eb_fs_list_free(names, n) if n > 0. The reason as above. */
const char *eb_sysfs_list(const char *sysroot, const char *dir, char ***names,
                          size_t *n);
/* The reason for an errno. */
const char *eb_sysfs_reason(int errnum);

#endif
