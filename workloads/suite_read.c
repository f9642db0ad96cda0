#include "workloads/suite_read.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static const char *read_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    return p;
}

static const char *read_string_end(const char *p)
{
    for (p++; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
    }
    return *p == '"' ? p + 1 : p;
}

/* Past one value of text that is known to be valid JSON. */
static const char *read_skip(const char *p)
{
    int depth = 0;

    do {
        if (*p == '"') {
            p = read_string_end(p);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']')
            depth--;
        p++;
    } while (*p != '\0' && (depth > 0 || strchr(",]} \t\r\n", *p) == NULL));
    return p;
}

/* The value of a member or element of the container at p, NULL if there is
 * no such one. key is NULL for an array. */
static const char *read_child(const char *p, const char *key, size_t key_len,
                              long index)
{
    long i;

    if (*p != (key != NULL ? '{' : '['))
        return NULL;
    p = read_space(p + 1);
    for (i = 0; *p != '\0' && *p != '}' && *p != ']'; i++) {
        int hit = key == NULL && i == index;

        if (key != NULL) {
            const char *end = read_string_end(p);

            hit = (size_t)(end - p) == key_len + 2 &&
                  memcmp(p + 1, key, key_len) == 0;
            p = read_space(end);
            p = read_space(*p == ':' ? p + 1 : p);
        }
        if (hit)
            return p;
        p = read_space(read_skip(p));
        if (*p == ',')
            p = read_space(p + 1);
    }
    return NULL;
}

int eb_read_line(const char *text, const char *path)
{
    const char *at = read_space(text), *p = path + 1, *q;
    int line = 1;

    while (*p != '\0') {
        const char *child;

        if (*p == '[') {
            child = read_child(at, NULL, 0, strtol(p + 1, NULL, 10));
            p += strcspn(p, "]");
            p += *p == ']';
        } else {
            size_t len = strcspn(p + 1, ".[");

            child = read_child(at, p + 1, len, 0);
            p += 1 + len;
        }
        if (child == NULL)
            break;
        at = child;
    }
    for (q = text; q < at; q++)
        line += *q == '\n';
    return line;
}

int eb_read_fail(const struct eb_read *r, const char *path, const char *fmt,
                 ...)
{
    int line = r->text != NULL ? eb_read_line(r->text, path) : r->line;
    char what[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return eb_fail(r->err, EB_EINVAL, "%s:%d: %s: %s", r->file, line, path,
                   what);
}

static int read_member(const struct eb_read *r, const cJSON *obj,
                       const char *path, const char *key, const cJSON **out)
{
    *out = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (*out == NULL)
        return eb_read_fail(r, path, "\"%s\" is missing", key);
    return 0;
}

int eb_read_wrong(const struct eb_read *r, const char *path, const char *key,
                  const char *fmt, ...)
{
    char full[EB_READ_PATH], what[256];
    va_list ap;

    snprintf(full, sizeof(full), "%s.%s", path, key);
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return eb_read_fail(r, full, "%s", what);
}

int eb_read_str(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, const char **out)
{
    const cJSON *v;
    int rc = read_member(r, obj, path, key, &v);

    if (rc != 0)
        return rc;
    if (!cJSON_IsString(v) || v->valuestring[0] == '\0')
        return eb_read_wrong(r, path, key, "expected a string with text");
    *out = v->valuestring;
    return 0;
}

int eb_read_num(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, double *out)
{
    const cJSON *v;
    int rc = read_member(r, obj, path, key, &v);

    if (rc != 0)
        return rc;
    if (!cJSON_IsNumber(v))
        return eb_read_wrong(r, path, key, "expected a number");
    *out = v->valuedouble;
    return 0;
}

int eb_read_int(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, int64_t min, int64_t max, int64_t *out)
{
    double x = 0;
    int rc = eb_read_num(r, obj, path, key, &x);

    if (rc != 0)
        return rc;
    if (floor(x) != x || x < (double)min || x > (double)max) {
        return eb_read_wrong(r, path, key,
                             "expected a whole number from %lld to %lld",
                             (long long)min, (long long)max);
    }
    *out = (int64_t)x;
    return 0;
}

int eb_read_bool(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *key, int *out)
{
    const cJSON *v;
    int rc = read_member(r, obj, path, key, &v);

    if (rc != 0)
        return rc;
    if (!cJSON_IsBool(v))
        return eb_read_wrong(r, path, key, "expected true or false");
    *out = cJSON_IsTrue(v);
    return 0;
}

int eb_read_arr(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, const cJSON **out)
{
    int rc = read_member(r, obj, path, key, out);

    if (rc != 0)
        return rc;
    if (!cJSON_IsArray(*out))
        return eb_read_wrong(r, path, key, "expected an array");
    return 0;
}

int eb_read_obj(const struct eb_read *r, const cJSON *obj, const char *path,
                const char *key, const cJSON **out)
{
    int rc = read_member(r, obj, path, key, out);

    if (rc != 0)
        return rc;
    if (!cJSON_IsObject(*out))
        return eb_read_wrong(r, path, key, "expected an object");
    return 0;
}

int eb_read_strs(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *key, const char ***out, size_t *n)
{
    const cJSON *arr, *v;
    size_t i;
    int rc = eb_read_arr(r, obj, path, key, &arr);

    if (rc != 0)
        return rc;
    if (cJSON_GetArraySize(arr) == 0)
        return eb_read_wrong(r, path, key, "expected at least one string");
    *out = eb_xcalloc((size_t)cJSON_GetArraySize(arr), sizeof(**out));
    *n = 0;
    cJSON_ArrayForEach(v, arr)
    {
        if (!cJSON_IsString(v) || v->valuestring[0] == '\0')
            return eb_read_wrong(r, path, key, "expected strings with text");
        for (i = 0; i < *n; i++) {
            if (strcmp((*out)[i], v->valuestring) == 0)
                return eb_read_wrong(r, path, key, "has one string twice");
        }
        (*out)[(*n)++] = v->valuestring;
    }
    return 0;
}

int eb_read_name(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *key, const char **out)
{
    int rc = eb_read_str(r, obj, path, key, out);

    if (rc != 0)
        return rc;
    if (strchr(*out, '/') != NULL || **out == '.')
        return eb_read_wrong(r, path, key,
                             "expected a file name without a folder");
    return 0;
}

static int read_listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    const char *p = list;

    while ((p = strstr(p, word)) != NULL) {
        if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return len > 0;
        p += len > 0 ? len : 1;
    }
    return 0;
}

int eb_read_keys(const struct eb_read *r, const cJSON *obj, const char *path,
                 const char *allowed)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, obj)
    {
        if (strchr(v->string, ' ') == NULL && read_listed(allowed, v->string))
            continue;
        return eb_read_wrong(r, path, v->string, "unknown field; known: %s",
                             allowed);
    }
    return 0;
}
