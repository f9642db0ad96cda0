/* Reading a suite's JSON strictly: every complaint is
 * "file:line: $.path: what". For the suite's own files only.
 *
 * The caller owns the struct and what it points to. */
#ifndef EB_SUITE_READ_H
#define EB_SUITE_READ_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/err.h"

#define EB_READ_PATH 128

struct eb_read {
    const char *file; /* as shown */
    const char *text; /* to look lines up in; NULL: `line` holds for all */
    int line;
    struct eb_err *err; /* may be NULL */
};

/* Returns EB_EINVAL. */
int eb_read_fail(const struct eb_read *r, const char *path, const char *fmt,
                 ...) __attribute__((format(printf, 3, 4)));

/* ... for a member of the object at `path`. */
int eb_read_wrong(const struct eb_read *r, const char *path, const char *key,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Required members of the object at `path`. A string is not empty. */
int eb_read_str(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, const char **out);
int eb_read_num(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, double *out);
int eb_read_int(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, int64_t min, int64_t max, int64_t *out);
int eb_read_bool(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *key, int *out);
int eb_read_arr(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, const cJSON **out);
int eb_read_obj(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, const cJSON **out);
/* Array of at least one non-empty string, none twice; *out is allocated and
 * points into the tree. */
int eb_read_strs(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *key, const char ***out, size_t *n);
/* Like eb_read_str, and the text is a file name without a folder. */
int eb_read_name(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *key, const char **out);

/* The object has no key outside the space-separated list. */
int eb_read_keys(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *allowed);

/* Line of the value at a path such as "$.levels[2].bar", or of the deepest
 * part of the path that exists. */
int eb_read_line(const char *text, const char *path);

#endif
