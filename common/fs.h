/* Files: whole reads with a limit, durable writes, folders.
 *
 * eb_fs_write_durable returns 0 only when the content would survive a power
 * cut: write to <path>.part, fdatasync, rename, fsync of the folder. On any
 * error the .part file is removed and an existing file at path is as before.
 */
#ifndef EB_FS_H
#define EB_FS_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

/* Appends the file to out. EB_ELIMIT if it is larger than max_bytes. Works
 * for /proc and /sys files whose size reads 0. */
int eb_fs_read(const char *path, size_t max_bytes, struct eb_buf *out,
               struct eb_err *err);
int eb_fs_write_durable(const char *path, const void *data, size_t len,
                        struct eb_err *err);
/* The same, in a folder that is made with its parents where it is missing. */
int eb_fs_write_in_new(const char *path, const void *data, size_t len,
                       struct eb_err *err);
/* Where the user's files lie (XDG base directories): "$variable/edgebench" if
 * that is absolute, else "$HOME/below/edgebench"; NULL without either. Free
 * it. */
char *eb_fs_user(const char *variable, const char *below);
/* Creates the folder and its parents with mode 0700 where missing. */
int eb_fs_mkdirs(const char *path, struct eb_err *err);
/* The names in a folder that end with suffix ("" for all), sorted bytewise,
 * without . and ..; free each and the array with eb_fs_list_free. */
int eb_fs_list(const char *dir, const char *suffix, char ***names, size_t *n,
               struct eb_err *err);
void eb_fs_list_free(char **names, size_t n);
/* 1 if path exists (any type). */
int eb_fs_exists(const char *path);
/* "dir/name"; free with free(). */
char *eb_fs_join(const char *dir, const char *name);
/* The part after the last '/'. */
const char *eb_fs_base(const char *path);

#endif
