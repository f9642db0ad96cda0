#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/hash.h"
#include "common/mem.h"

/* cJSON is lenient (leading zeros, "1.", control characters) and does not
 * say where it stopped, so this scanner checks the text against RFC 8259
 * first. */
struct json_scan {
    const unsigned char *p;
    const unsigned char *end;
    const char *what; /* the error, at p */
    int code;
    int depth;
    /* Finds the place of the key_wanted-th key (from 0), for the message. */
    size_t keys;
    size_t key_wanted;
    const unsigned char *key_at;
};

static int json_bad(struct json_scan *s, const char *what)
{
    s->what = s->p < s->end ? what : "the text ends too early";
    s->code = EB_EPARSE;
    return -1;
}

static void json_space(struct json_scan *s)
{
    while (s->p < s->end &&
           (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

/* Length of the well-formed UTF-8 sequence at p, 0 if it is not one (Unicode
 * 15.0, table 3-7). */
static int json_utf8(const unsigned char *p, const unsigned char *end)
{
    unsigned char c = *p, lo = 0x80, hi = 0xbf;
    int n, i;

    if (c < 0x80)
        return 1;
    n = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    if (c < 0xc2 || c > 0xf4 || end - p < n)
        return 0;
    if (c == 0xe0)
        lo = 0xa0;
    else if (c == 0xed)
        hi = 0x9f; /* surrogates */
    else if (c == 0xf0)
        lo = 0x90;
    else if (c == 0xf4)
        hi = 0x8f;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* Four hex digits at p; -1 if they are not. */
static int json_hex4(const unsigned char *p, const unsigned char *end)
{
    int i, v = 0;

    if (end - p < 4)
        return -1;
    for (i = 0; i < 4; i++) {
        int c = p[i];

        if (c >= '0' && c <= '9')
            v = v * 16 + c - '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v * 16 + (c | 32) - 'a' + 10;
        else
            return -1;
    }
    return v;
}

/* At the backslash. */
static int json_escape(struct json_scan *s)
{
    int u;

    if (s->end - s->p < 2) {
        s->p = s->end;
        return json_bad(s, "");
    }
    if (s->p[1] != 'u') {
        if (s->p[1] == '\0' || strchr("\"\\/bfnrt", s->p[1]) == NULL)
            return json_bad(s, "invalid escape");
        s->p += 2;
        return 0;
    }
    u = json_hex4(s->p + 2, s->end);
    if (u < 0)
        return json_bad(s, "invalid escape");
    if (u == 0) /* would end a C string early */
        return json_bad(s, "NUL character");
    if (u >= 0xdc00 && u <= 0xdfff)
        return json_bad(s, "unpaired surrogate");
    if (u >= 0xd800 && u <= 0xdbff) {
        int low = -1;

        if (s->end - s->p >= 12 && s->p[6] == '\\' && s->p[7] == 'u')
            low = json_hex4(s->p + 8, s->end);
        if (low < 0xdc00 || low > 0xdfff)
            return json_bad(s, "unpaired surrogate");
        s->p += 6;
    }
    s->p += 6;
    return 0;
}

static int json_string(struct json_scan *s)
{
    s->p++;
    while (s->p < s->end && *s->p != '"') {
        int n;

        if (*s->p == '\\') {
            if (json_escape(s) < 0)
                return -1;
            continue;
        }
        if (*s->p == '\0')
            return json_bad(s, "NUL character");
        if (*s->p < 0x20)
            return json_bad(s, "control character in a string");
        n = json_utf8(s->p, s->end);
        if (n == 0)
            return json_bad(s, "invalid UTF-8");
        s->p += n;
    }
    if (s->p == s->end)
        return json_bad(s, "");
    s->p++;
    return 0;
}

static int json_digits(struct json_scan *s)
{
    if (s->p == s->end || *s->p < '0' || *s->p > '9')
        return json_bad(s, "invalid number");
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return 0;
}

static int json_number(struct json_scan *s)
{
    const unsigned char *start = s->p;
    char text[64]; /* the longest number cJSON reads has 63 characters */

    if (*s->p == '-')
        s->p++;
    if (s->end - s->p >= 2 && s->p[0] == '0' && s->p[1] >= '0' &&
        s->p[1] <= '9')
        return json_bad(s, "number with a leading zero");
    if (json_digits(s) < 0)
        return -1;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (json_digits(s) < 0)
            return -1;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (json_digits(s) < 0)
            return -1;
    }
    if ((size_t)(s->p - start) >= sizeof(text)) {
        s->p = start;
        return json_bad(s, "number with more than 63 characters");
    }
    memcpy(text, start, (size_t)(s->p - start));
    text[s->p - start] = '\0';
    if (!isfinite(strtod(text, NULL))) {
        s->p = start;
        return json_bad(s, "number out of range");
    }
    return 0;
}

static int json_value(struct json_scan *s);

static int json_member(struct json_scan *s)
{
    if (s->p == s->end || *s->p != '"')
        return json_bad(s, "expected a key in double quotes");
    if (s->keys++ == s->key_wanted)
        s->key_at = s->p;
    if (json_string(s) < 0)
        return -1;
    json_space(s);
    if (s->p == s->end || *s->p != ':')
        return json_bad(s, "expected ':'");
    s->p++;
    return json_value(s);
}

/* At '{' or '['. */
static int json_container(struct json_scan *s)
{
    int object = *s->p == '{';
    unsigned char close = object ? '}' : ']';

    if (++s->depth > EB_JSON_DEPTH_MAX) {
        s->what = "nested too deeply";
        s->code = EB_ELIMIT;
        return -1;
    }
    s->p++;
    json_space(s);
    if (s->p < s->end && *s->p == close)
        goto end;
    for (;;) {
        if ((object ? json_member(s) : json_value(s)) < 0)
            return -1;
        if (s->p < s->end && *s->p == close)
            goto end;
        if (s->p == s->end || *s->p != ',')
            return json_bad(s, object ? "expected ',' or '}'"
                                      : "expected ',' or ']'");
        s->p++;
        json_space(s);
    }
end:
    s->p++;
    s->depth--;
    return 0;
}

/* One value and the white space around it. */
static int json_value(struct json_scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t i;
    int rc = 1;

    json_space(s);
    if (s->p == s->end)
        return json_bad(s, "");
    if (*s->p == '{' || *s->p == '[')
        rc = json_container(s);
    else if (*s->p == '"')
        rc = json_string(s);
    else if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
        rc = json_number(s);
    for (i = 0; rc == 1 && i < 3; i++) {
        size_t n = strlen(words[i]);

        if ((size_t)(s->end - s->p) >= n && memcmp(s->p, words[i], n) == 0) {
            s->p += n;
            rc = 0;
        }
    }
    if (rc == 1)
        return json_bad(s,
                        *s->p == '\0' ? "NUL character" : "expected a value");
    if (rc == 0)
        json_space(s);
    return rc;
}

/* The message with line and column (in characters, both from 1) of at. */
static int json_place(const char *text, const unsigned char *at,
                      const char *where, int code, const char *what,
                      struct eb_err *err)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t line = 1, column = 1;

    for (; p < at; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if ((*p & 0xc0) != 0x80) {
            column++;
        }
    }
    return eb_fail(err, code, "%s: line %zu, column %zu: %s", where, line,
                   column, what);
}

static int json_key_cmp(const void *a, const void *b)
{
    const cJSON *x = *(const cJSON *const *)a, *y = *(const cJSON *const *)b;

    return strcmp(x->string, y->string);
}

/* The members of an object, sorted bytewise by key; free the array. */
static const cJSON **json_sorted(const cJSON *obj, size_t *n)
{
    const cJSON **v, *c;
    size_t i = 0;

    *n = (size_t)cJSON_GetArraySize(obj);
    v = eb_xcalloc(*n, sizeof(*v));
    cJSON_ArrayForEach(c, obj) v[i++] = c;
    qsort(v, *n, sizeof(*v), json_key_cmp);
    return v;
}

/* A member whose key another member of the same object has, or NULL. */
static const cJSON *json_duplicate(const cJSON *v)
{
    const cJSON *found = NULL, *c;

    if (cJSON_IsObject(v) && v->child != NULL && v->child->next != NULL) {
        size_t n, i;
        const cJSON **sorted = json_sorted(v, &n);

        for (i = 1; i < n && found == NULL; i++) {
            if (strcmp(sorted[i - 1]->string, sorted[i]->string) == 0)
                found = sorted[i];
        }
        free(sorted);
    }
    for (c = v->child; c != NULL && found == NULL; c = c->next)
        found = json_duplicate(c);
    return found;
}

/* Counts the keys before `member` in text order; 1 once it is met. */
static int json_count_keys(const cJSON *v, const cJSON *member, size_t *count)
{
    const cJSON *c;

    cJSON_ArrayForEach(c, v)
    {
        if (c == member)
            return 1;
        *count += c->string != NULL;
        if (json_count_keys(c, member, count))
            return 1;
    }
    return 0;
}

int eb_json_parse(const char *text, size_t len, const char *where, cJSON **out,
                  struct eb_err *err)
{
    const unsigned char *start = (const unsigned char *)text;
    struct json_scan s = {.p = start, .end = start + len};
    const cJSON *dup;
    cJSON *root;
    int rc;

    *out = NULL;
    s.key_wanted = (size_t)-1;
    if (json_value(&s) < 0)
        return json_place(text, s.p, where, s.code, s.what, err);
    if (s.p != s.end)
        return json_place(
            text, s.p, where, EB_EPARSE,
            *s.p == '\0' ? "NUL character" : "more text after the value", err);
    root = cJSON_ParseWithLength(text, len);
    if (root == NULL)
        return eb_fail(err, EB_EINTERNAL, "%s: out of memory", where);
    dup = json_duplicate(root);
    if (dup != NULL) {
        char *what = eb_xasprintf("duplicate key '%s'", dup->string);

        s = (struct json_scan){.p = start, .end = start + len};
        json_count_keys(root, dup, &s.key_wanted);
        json_value(&s);
        rc = json_place(text, s.key_at, where, EB_EPARSE, what, err);
        free(what);
        cJSON_Delete(root);
        return rc;
    }
    *out = root;
    return 0;
}

int eb_json_read(const char *path, size_t max_bytes, cJSON **out,
                 struct eb_err *err)
{
    struct eb_buf b = {0};
    int rc;

    *out = NULL;
    rc = eb_fs_read(path, max_bytes, &b, err);
    if (rc == 0)
        rc = eb_json_parse(b.data, b.len, path, out, err);
    eb_buf_free(&b);
    return rc;
}

/* The member if it is there and `is` accepts it; NULL after eb_fail. */
static const cJSON *json_need(const cJSON *obj, const char *key,
                              struct eb_json_at at,
                              cJSON_bool (*is)(const cJSON *const),
                              const char *expected, struct eb_err *err)
{
    const cJSON *v;

    if (!cJSON_IsObject(obj)) {
        eb_fail(err, EB_EINVAL, "%s: %s: expected an object", at.where,
                at.path);
        return NULL;
    }
    v = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (v != NULL && is(v))
        return v;
    eb_fail(err, EB_EINVAL, "%s: %s.%s: expected %s%s", at.where, at.path, key,
            expected, v == NULL ? ", is missing" : "");
    return NULL;
}

int eb_json_str(const cJSON *obj, const char *key, struct eb_json_at at,
                const char **out, struct eb_err *err)
{
    const cJSON *v = json_need(obj, key, at, cJSON_IsString, "a string", err);

    if (v == NULL)
        return EB_EINVAL;
    *out = v->valuestring;
    return 0;
}

int eb_json_num(const cJSON *obj, const char *key, struct eb_json_at at,
                double *out, struct eb_err *err)
{
    const cJSON *v = json_need(obj, key, at, cJSON_IsNumber, "a number", err);

    if (v == NULL)
        return EB_EINVAL;
    *out = v->valuedouble;
    return 0;
}

static cJSON_bool json_is_int(const cJSON *const v)
{
    return cJSON_IsNumber(v) && fabs(v->valuedouble) <= 9007199254740992.0 &&
           floor(v->valuedouble) == v->valuedouble;
}

int eb_json_int(const cJSON *obj, const char *key, struct eb_json_at at,
                int64_t *out, struct eb_err *err)
{
    const cJSON *v =
        json_need(obj, key, at, json_is_int, "a whole number", err);

    if (v == NULL)
        return EB_EINVAL;
    *out = (int64_t)v->valuedouble;
    return 0;
}

int eb_json_bool(const cJSON *obj, const char *key, struct eb_json_at at,
                 int *out, struct eb_err *err)
{
    const cJSON *v =
        json_need(obj, key, at, cJSON_IsBool, "true or false", err);

    if (v == NULL)
        return EB_EINVAL;
    *out = cJSON_IsTrue(v);
    return 0;
}

int eb_json_arr(const cJSON *obj, const char *key, struct eb_json_at at,
                const cJSON **out, struct eb_err *err)
{
    *out = json_need(obj, key, at, cJSON_IsArray, "an array", err);
    return *out != NULL ? 0 : EB_EINVAL;
}

int eb_json_obj(const cJSON *obj, const char *key, struct eb_json_at at,
                const cJSON **out, struct eb_err *err)
{
    *out = json_need(obj, key, at, cJSON_IsObject, "an object", err);
    return *out != NULL ? 0 : EB_EINVAL;
}

const char *eb_json_get_str(const cJSON *obj, const char *key, const char *def)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);

    return cJSON_IsString(v) ? v->valuestring : def;
}

double eb_json_get_num(const cJSON *obj, const char *key, double def)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);

    return cJSON_IsNumber(v) ? v->valuedouble : def;
}

/* Escapes only what RFC 8259 demands. */
static void json_add_string(const char *text, struct eb_buf *out)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *s, *hit;

    eb_buf_addc(out, '"');
    for (s = text; *s != '\0'; s++) {
        hit = strchr(from, *s);
        if (hit != NULL)
            eb_buf_addf(out, "\\%c", to[hit - from]);
        else if ((unsigned char)*s < 0x20)
            eb_buf_addf(out, "\\u%04x", (unsigned)*s);
        else
            eb_buf_addc(out, *s);
    }
    eb_buf_addc(out, '"');
}

static void json_add_number(double d, struct eb_buf *out)
{
    if (!isfinite(d))
        eb_buf_adds(out, "null");
    else if (d == 0) /* and not "-0" */
        eb_buf_addc(out, '0');
    else if (floor(d) == d)
        eb_buf_addf(out, "%.0f", d);
    else
        eb_buf_addf(out, "%.17g", d);
}

static void json_add_members(const cJSON *v, struct eb_buf *out)
{
    const cJSON **sorted;
    size_t n, i;

    sorted = json_sorted(v, &n);
    for (i = 0; i < n; i++) {
        if (i > 0)
            eb_buf_addc(out, ',');
        json_add_string(sorted[i]->string, out);
        eb_buf_addc(out, ':');
        eb_json_canonical(sorted[i], out);
    }
    free(sorted);
}

void eb_json_canonical(const cJSON *v, struct eb_buf *out)
{
    const cJSON *c;

    if (cJSON_IsObject(v)) {
        eb_buf_addc(out, '{');
        json_add_members(v, out);
        eb_buf_addc(out, '}');
    } else if (cJSON_IsArray(v)) {
        eb_buf_addc(out, '[');
        cJSON_ArrayForEach(c, v)
        {
            if (c != v->child)
                eb_buf_addc(out, ',');
            eb_json_canonical(c, out);
        }
        eb_buf_addc(out, ']');
    } else if (cJSON_IsString(v)) {
        json_add_string(v->valuestring, out);
    } else if (cJSON_IsNumber(v)) {
        json_add_number(v->valuedouble, out);
    } else if (cJSON_IsBool(v)) {
        eb_buf_adds(out, cJSON_IsTrue(v) ? "true" : "false");
    } else {
        eb_buf_adds(out, "null");
    }
}

void eb_json_sha256(const cJSON *v, char hex[65])
{
    struct eb_buf b = {0};

    eb_json_canonical(v, &b);
    eb_sha256(b.data, b.len, hex);
    eb_buf_free(&b);
}

cJSON *eb_json_pick(const cJSON *obj, const char *const *keys, size_t n)
{
    cJSON *out = cJSON_CreateObject();
    size_t i;

    for (i = 0; i < n; i++)
        cJSON_AddItemToObject(
            out, keys[i],
            cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(obj, keys[i]), 1));
    return out;
}

void eb_json_add_null(cJSON *obj, const char *key, const char *reason)
{
    char *name = eb_xasprintf("%s_reason", key);

    cJSON_AddNullToObject(obj, key);
    cJSON_AddStringToObject(obj, name, reason);
    free(name);
}

void eb_json_add_num(cJSON *obj, const char *key, double v, const char *reason)
{
    if (isfinite(v))
        cJSON_AddNumberToObject(obj, key, v);
    else
        eb_json_add_null(obj, key, reason);
}
