/* Rows of JSON Lines and Python calls. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/import/import_calls.h"
#include "workloads/import/import_read.h"

static int rows_add(struct eb_rows *r, cJSON *v, int line, struct eb_err *err)
{
    if (!cJSON_IsObject(v)) {
        cJSON_Delete(v);
        return eb_fail(err, EB_EPARSE, "%.180s:%d: expected a JSON object",
                       r->path, line);
    }
    r->v = eb_xrealloc(r->v, r->n + 1, sizeof(*r->v));
    r->line = eb_xrealloc(r->line, r->n + 1, sizeof(*r->line));
    r->v[r->n] = v;
    r->line[r->n++] = line;
    return 0;
}

static int rows_lines(struct eb_rows *r, const char *text, struct eb_err *err)
{
    char where[256];
    size_t len;
    int line = 1, rc = 0;

    for (; *text != '\0' && rc == 0; text += len + (text[len] == '\n')) {
        cJSON *v = NULL;

        len = strcspn(text, "\n");
        if (strspn(text, " \t\r") < len) {
            snprintf(where, sizeof(where), "%.160s:%d", r->path, line);
            rc = eb_json_parse(text, len, where, &v, err);
            if (rc == 0)
                rc = rows_add(r, v, line, err);
        }
        line++;
    }
    return rc;
}

/* One array: the line of an element is not known, so its number is said. */
static int rows_array(struct eb_rows *r, const struct eb_buf *b,
                      struct eb_err *err)
{
    cJSON *all = NULL, *v;
    int rc = eb_json_parse(b->data, b->len, r->path, &all, err), i = 1;

    while (rc == 0 && (v = cJSON_DetachItemFromArray(all, 0)) != NULL)
        rc = rows_add(r, v, i++, err);
    cJSON_Delete(all);
    return rc;
}

int eb_rows_read(struct eb_rows *r, const char *path, struct eb_err *err)
{
    struct eb_buf b = {0};
    int rc;

    memset(r, 0, sizeof(*r));
    r->path = eb_xstrdup(path);
    rc = eb_import_text(path, &b, err);
    if (rc == 0) {
        if (b.data[strspn(b.data, " \t\r\n")] == '[')
            rc = rows_array(r, &b, err);
        else
            rc = rows_lines(r, b.data, err);
    }
    if (rc == 0 && r->n == 0)
        rc = eb_fail(err, EB_EPARSE, "%.200s: no rows", path);
    eb_buf_free(&b);
    if (rc != 0)
        eb_rows_free(r);
    return rc;
}

void eb_rows_free(struct eb_rows *r)
{
    size_t i;

    for (i = 0; i < r->n; i++)
        cJSON_Delete(r->v[i]);
    free(r->v);
    free(r->line);
    free(r->path);
    memset(r, 0, sizeof(*r));
}

const cJSON *eb_rows_find(const struct eb_rows *r, const char *id)
{
    size_t i;

    for (i = 0; i < r->n; i++) {
        const char *own = eb_calls_str(r->v[i], "id");

        if (own != NULL && strcmp(own, id) == 0)
            return r->v[i];
    }
    return NULL;
}

int eb_rows_fail(const struct eb_rows *r, size_t i, struct eb_err *err,
                 const char *what)
{
    return eb_fail(err, EB_EPARSE, "%.150s:%d: %.90s", r->path, r->line[i],
                   what);
}

const char *eb_calls_str(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);

    return cJSON_IsString(v) && v->valuestring[0] != '\0' ? v->valuestring
                                                          : NULL;
}

/* Python literals */

#define PYTHON_DEPTH 16

static void python_space(const char **p)
{
    *p += strspn(*p, " \t\r\n");
}

static cJSON *python_value(const char **p, int depth);

/* Escapes: the usual ones; any other character stands for itself. */
static cJSON *python_string(const char **p)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    struct eb_buf b = {0};
    char quote = *(*p)++;
    const char *hit;
    cJSON *v = NULL;

    eb_buf_adds(&b, "");
    while (**p != '\0' && **p != quote) {
        if (**p != '\\' || (*p)[1] == '\0') {
            eb_buf_addc(&b, *(*p)++);
            continue;
        }
        hit = strchr(from, (*p)[1]);
        eb_buf_addc(&b, hit != NULL ? to[hit - from] : (*p)[1]);
        *p += 2;
    }
    if (**p == quote) {
        (*p)++;
        v = cJSON_CreateString(b.data);
    }
    eb_buf_free(&b);
    return v;
}

/* The elements up to the closing bracket. */
static cJSON *python_list(const char **p, char end, int depth)
{
    cJSON *list = cJSON_CreateArray(), *v;

    for ((*p)++;; (*p)++) {
        python_space(p);
        if (**p == end)
            break;
        v = python_value(p, depth + 1);
        if (v != NULL)
            cJSON_AddItemToArray(list, v);
        python_space(p);
        if (v == NULL || (**p != ',' && **p != end)) {
            cJSON_Delete(list);
            return NULL;
        }
        if (**p == end)
            break;
    }
    (*p)++;
    return list;
}

static cJSON *python_dict(const char **p, int depth)
{
    cJSON *dict = cJSON_CreateObject(), *key, *v;

    for ((*p)++;; (*p)++) {
        python_space(p);
        if (**p == '}')
            break;
        key = **p == '\'' || **p == '"' ? python_string(p) : NULL;
        python_space(p);
        v = NULL;
        if (key != NULL && **p == ':') {
            (*p)++;
            v = python_value(p, depth + 1);
        }
        if (v != NULL)
            cJSON_AddItemToObject(dict, key->valuestring, v);
        cJSON_Delete(key);
        python_space(p);
        if (v == NULL || (**p != ',' && **p != '}')) {
            cJSON_Delete(dict);
            return NULL;
        }
        if (**p == '}')
            break;
    }
    (*p)++;
    return dict;
}

static cJSON *python_word(const char **p)
{
    static const char *const words[] = {"True", "False", "None"};
    char *end;
    double x;
    size_t i;

    for (i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);

        if (strncmp(*p, words[i], n) == 0 && !isalnum((unsigned char)(*p)[n])) {
            *p += n;
            return i == 2 ? cJSON_CreateNull() : cJSON_CreateBool(i == 0);
        }
    }
    if (strchr("+-.0123456789", **p) == NULL || **p == '\0')
        return NULL;
    x = strtod(*p, &end);
    if (end == *p)
        return NULL;
    *p = end;
    return cJSON_CreateNumber(x);
}

static cJSON *python_value(const char **p, int depth)
{
    if (depth > PYTHON_DEPTH)
        return NULL;
    python_space(p);
    switch (**p) {
    case '\'':
    case '"':
        return python_string(p);
    case '[':
        return python_list(p, ']', depth);
    case '(':
        return python_list(p, ')', depth);
    case '{':
        return python_dict(p, depth);
    default:
        return python_word(p);
    }
}

static size_t python_name(const char *p)
{
    return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789_.");
}

/* One argument: 0, or -1. */
static int python_argument(const char **p, cJSON *values, cJSON *named)
{
    size_t n = python_name(*p);
    const char *after = *p + n;
    char *key = NULL;
    cJSON *v;

    after += strspn(after, " \t");
    if (n > 0 && *after == '=') {
        key = eb_xstrndup(*p, n);
        *p = after + 1;
    }
    v = python_value(p, 0);
    if (v != NULL && key != NULL)
        cJSON_AddItemToObject(named, key, v);
    else if (v != NULL)
        cJSON_AddItemToArray(values, v);
    free(key);
    return v != NULL ? 0 : -1;
}

int eb_python_call(const char *text, char **name, cJSON **values, cJSON **named)
{
    const char *p = text;
    size_t n;
    int rc = 0;

    python_space(&p);
    n = python_name(p);
    *name = eb_xstrndup(p, n);
    *values = cJSON_CreateArray();
    *named = cJSON_CreateObject();
    p += n;
    if (n == 0 || *p != '(')
        return -1;
    do {
        p++;
        python_space(&p);
        if (*p == ')')
            break;
        rc = python_argument(&p, *values, *named);
        python_space(&p);
    } while (rc == 0 && *p == ',');
    if (rc != 0 || *p++ != ')')
        return -1;
    python_space(&p);
    return *p == '\0' ? 0 : -1;
}
