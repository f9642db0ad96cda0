/* Reading JSON safely and saying where it is wrong. cJSON does the parsing
 * and printing; here are limits, typed getters with a path in the message,
 * and the canonical form used for digests.
 *
 * Paths look like "$.levels[2].bar". A getter fails with EB_EINVAL and
 * "<where>: <path>: expected a string" style messages; `where` names the
 * file or request.
 */
#ifndef EB_JSON_H
#define EB_JSON_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define EB_JSON_DEPTH_MAX 64

/* Parses exactly one value that fills the text (white space around is
 * fine). Fails with EB_ELIMIT when nesting exceeds EB_JSON_DEPTH_MAX,
 * EB_EPARSE with "<where>: line L, column C: ..." otherwise; NUL bytes,
 * invalid UTF-8 and duplicate keys are refused. Free with cJSON_Delete. */
int eb_json_parse(const char *text, size_t len, const char *where, cJSON **out,
                  struct eb_err *err);
/* Reads and parses a file of at most max_bytes. */
int eb_json_read(const char *path, size_t max_bytes, cJSON **out,
                 struct eb_err *err);

/* Where a getter is: file/request name and the path so far. */
struct eb_json_at {
    const char *where;
    const char *path;
};

/* Required members of an object. Strings point into the tree. */
int eb_json_str(const cJSON *obj, const char *key, struct eb_json_at at,
                const char **out, struct eb_err *err);
int eb_json_num(const cJSON *obj, const char *key, struct eb_json_at at,
                double *out, struct eb_err *err);
/* A whole number within +-2^53. */
int eb_json_int(const cJSON *obj, const char *key, struct eb_json_at at,
                int64_t *out, struct eb_err *err);
int eb_json_bool(const cJSON *obj, const char *key, struct eb_json_at at,
                 int *out, struct eb_err *err);
int eb_json_arr(const cJSON *obj, const char *key, struct eb_json_at at,
                const cJSON **out, struct eb_err *err);
int eb_json_obj(const cJSON *obj, const char *key, struct eb_json_at at,
                const cJSON **out, struct eb_err *err);

/* Optional members: the value or the default when absent, null or of another
 * type. Strings point into the tree. */
const char *eb_json_get_str(const cJSON *obj, const char *key, const char *def);
double eb_json_get_num(const cJSON *obj, const char *key, double def);

/* Compact text with keys sorted bytewise, whole numbers printed without
 * exponent or point, other numbers with 17 significant digits; the base of
 * every digest. Numbers 1 and 1.0 print the same. */
void eb_json_canonical(const cJSON *v, struct eb_buf *out);
void eb_json_sha256(const cJSON *v, char hex[65]);
/* A new object with copies of those n members; what obj lacks is left out. */
cJSON *eb_json_pick(const cJSON *obj, const char *const *keys, size_t n);

/* `"key": null, "key_reason": "..."`: a value that could not be measured. */
void eb_json_add_null(cJSON *obj, const char *key, const char *reason);
/* That for what is not finite, else the number. */
void eb_json_add_num(cJSON *obj, const char *key, double v, const char *reason);

#endif
