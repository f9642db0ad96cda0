/* Values of arguments: allowed by a schema, accepted by a gold. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workloads/calls.h"

static const cJSON *value_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

int eb_calls_required(const cJSON *schema, const char *name)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, value_get(schema, "required"))
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, name) == 0)
            return 1;
    }
    return 0;
}

static int value_in_enum(const cJSON *schema, const cJSON *v)
{
    const cJSON *list = value_get(schema, "enum"), *e;

    if (!cJSON_IsArray(list))
        return 1;
    cJSON_ArrayForEach(e, list)
    {
        if (cJSON_Compare(e, v, 1))
            return 1;
    }
    return 0;
}

static int value_object(const cJSON *schema, const cJSON *v)
{
    const cJSON *props = value_get(schema, "properties"), *m;

    if (!cJSON_IsObject(v))
        return 0;
    if (cJSON_GetArraySize(props) == 0)
        return 1;
    cJSON_ArrayForEach(m, v)
    {
        const cJSON *p = value_get(props, m->string);

        if (p == NULL || !eb_calls_allowed(p, m))
            return 0;
    }
    cJSON_ArrayForEach(m, props)
    {
        if (eb_calls_required(schema, m->string) &&
            value_get(v, m->string) == NULL)
            return 0;
    }
    return 1;
}

static int value_array(const cJSON *schema, const cJSON *v)
{
    const cJSON *items = value_get(schema, "items"), *e;

    if (!cJSON_IsArray(v))
        return 0;
    cJSON_ArrayForEach(e, v)
    {
        if (cJSON_IsObject(items) && !eb_calls_allowed(items, e))
            return 0;
    }
    return 1;
}

int eb_calls_allowed(const cJSON *schema, const cJSON *v)
{
    const cJSON *type = value_get(schema, "type");
    const char *t = cJSON_IsString(type) ? type->valuestring : "";

    if (v == NULL)
        return 0;
    if (cJSON_IsNull(v) && cJSON_IsNull(value_get(schema, "default")))
        return 1;
    if (!value_in_enum(schema, v))
        return 0;
    if (strcmp(t, "string") == 0)
        return cJSON_IsString(v);
    if (strcmp(t, "boolean") == 0)
        return cJSON_IsBool(v);
    if (strcmp(t, "number") == 0)
        return cJSON_IsNumber(v);
    if (strcmp(t, "integer") == 0)
        return cJSON_IsNumber(v) && floor(v->valuedouble) == v->valuedouble;
    if (strcmp(t, "array") == 0)
        return value_array(schema, v);
    if (strcmp(t, "object") == 0)
        return value_object(schema, v);
    return 1;
}

char *eb_calls_text(const char *s)
{
    char *out = eb_xstrdup(s), *to = out;

    for (; *s != '\0'; s++) {
        if (strchr(" ,./-_*^", *s) == NULL)
            *to++ = *s == '\'' ? '"' : (char)tolower((unsigned char)*s);
    }
    *to = '\0';
    return out;
}

static int value_text_equal(const char *a, const char *b)
{
    char *x = eb_calls_text(a), *y = eb_calls_text(b);
    int equal = strcmp(x, y) == 0;

    free(x);
    free(y);
    return equal;
}

/* 1 if the key may be left out. */
static int value_optional(const cJSON *accepted)
{
    const cJSON *a;

    cJSON_ArrayForEach(a, accepted)
    {
        if (cJSON_IsString(a) && a->valuestring[0] == '\0')
            return 1;
    }
    return 0;
}

static int value_equal(const cJSON *want, const cJSON *v)
{
    const cJSON *a, *b;

    if (cJSON_IsString(want) && cJSON_IsString(v))
        return value_text_equal(want->valuestring, v->valuestring);
    if (cJSON_IsNumber(want) && cJSON_IsNumber(v))
        return fabs(want->valuedouble - v->valuedouble) <=
               1e-12 * fabs(want->valuedouble);
    if (cJSON_IsArray(want) && cJSON_IsArray(v)) {
        if (cJSON_GetArraySize(want) != cJSON_GetArraySize(v))
            return 0;
        for (a = want->child, b = v->child; a != NULL; a = a->next, b = b->next)
            if (!value_equal(a, b))
                return 0;
        return 1;
    }
    if (!cJSON_IsObject(want) || !cJSON_IsObject(v))
        return cJSON_Compare(want, v, 1);
    cJSON_ArrayForEach(b, v)
    {
        if (!eb_calls_match(value_get(want, b->string), b))
            return 0;
    }
    cJSON_ArrayForEach(a, want)
    {
        if (value_get(v, a->string) == NULL && !value_optional(a))
            return 0;
    }
    return 1;
}

int eb_calls_match(const cJSON *accepted, const cJSON *v)
{
    const cJSON *a;

    if (v == NULL)
        return accepted == NULL || value_optional(accepted);
    cJSON_ArrayForEach(a, accepted)
    {
        if (value_equal(a, v))
            return 1;
    }
    return 0;
}
