#include "workloads/schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/text.h"

static const char *const cmp_names[] = {"exact", "fold", "number", "any_of",
                                        "ignore"};

int eb_comparator_parse(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(cmp_names) / sizeof(cmp_names[0]); i++) {
        if (strcmp(cmp_names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

enum eb_comparator eb_comparator_of(const cJSON *comparators, const char *path)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(comparators, path);
    int cmp = cJSON_IsString(v) ? eb_comparator_parse(v->valuestring) : -1;

    return cmp < 0 ? EB_CMP_EXACT : (enum eb_comparator)cmp;
}

int eb_value_empty(const cJSON *v)
{
    return v == NULL || cJSON_IsNull(v) ||
           (cJSON_IsString(v) && v->valuestring[0] == '\0');
}

static int schema_why(char why[EB_WHY_LEN], const char *fmt, const char *arg)
{
    snprintf(why, EB_WHY_LEN, fmt, arg);
    return -1;
}

static int schema_string(const struct eb_field *f, const char *s,
                         char why[EB_WHY_LEN])
{
    size_t i, len;

    if (f->type == EB_FIELD_ENUM) {
        for (i = 0; i < f->n_values; i++) {
            if (strcmp(f->values[i], s) == 0)
                return 0;
        }
        return schema_why(why, "\"%.60s\" is not one of its values", s);
    }
    if (f->type == EB_FIELD_STRING) {
        if (eb_utf8_count(s) <= (size_t)f->max_chars)
            return 0;
        snprintf(why, EB_WHY_LEN, "longer than %d characters", f->max_chars);
        return -1;
    }
    len = strlen(f->prefix);
    if (strncmp(s, f->prefix, len) == 0 && strlen(s + len) > 0 &&
        strlen(s + len) == (size_t)f->digits &&
        strspn(s + len, "0123456789") == (size_t)f->digits)
        return 0;
    snprintf(why, EB_WHY_LEN, "\"%.60s\" is not %s and %d digits", s, f->prefix,
             f->digits);
    return -1;
}

static int schema_in_set(const cJSON *set, const char *value)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, set)
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, value) == 0)
            return 1;
    }
    return 0;
}

/* Each member one of the values, none twice. */
static int schema_set(const struct eb_field *f, const cJSON *v,
                      char why[EB_WHY_LEN])
{
    const cJSON *one;
    size_t i;

    if (!cJSON_IsArray(v))
        return schema_why(why, "%s", "not an array");
    cJSON_ArrayForEach(one, v)
    {
        if (!cJSON_IsString(one))
            return schema_why(why, "%s", "holds something not a string");
        for (i = 0; i < f->n_values; i++) {
            if (strcmp(f->values[i], one->valuestring) == 0)
                break;
        }
        if (i == f->n_values)
            return schema_why(why, "\"%.60s\" is not one of its values",
                              one->valuestring);
        if (schema_in_set(one->next, one->valuestring))
            return schema_why(why, "\"%.60s\" stands twice", one->valuestring);
    }
    return 0;
}

/* Of two arrays without repeats. */
static int schema_set_equal(const cJSON *a, const cJSON *b)
{
    const cJSON *v;

    if (!cJSON_IsArray(a) || !cJSON_IsArray(b) ||
        cJSON_GetArraySize(a) != cJSON_GetArraySize(b))
        return 0;
    cJSON_ArrayForEach(v, a)
    {
        if (!cJSON_IsString(v) || !schema_in_set(b, v->valuestring))
            return 0;
    }
    return 1;
}

int eb_field_check(const struct eb_field *f, const cJSON *v,
                   char why[EB_WHY_LEN])
{
    if (f->nullable && eb_value_empty(v))
        return 0;
    if (v == NULL)
        return schema_why(why, "%s", "missing");
    switch (f->type) {
    case EB_FIELD_BOOL:
        return cJSON_IsBool(v) ? 0 : schema_why(why, "%s", "not true or false");
    case EB_FIELD_INT:
        if (!cJSON_IsNumber(v) || floor(v->valuedouble) != v->valuedouble)
            return schema_why(why, "%s", "not a whole number");
        if (v->valuedouble < (double)f->min || v->valuedouble > (double)f->max)
            return schema_why(why, "%s", "out of range");
        return 0;
    case EB_FIELD_SET:
        return schema_set(f, v, why);
    default:
        if (!cJSON_IsString(v))
            return schema_why(why, "%s", "not a string");
        return schema_string(f, v->valuestring, why);
    }
}

static int schema_number(const cJSON *v, double *out)
{
    char *norm, *end;
    int ok;

    if (cJSON_IsNumber(v)) {
        *out = v->valuedouble;
        return 1;
    }
    if (!cJSON_IsString(v))
        return 0;
    norm = eb_text_normed(v->valuestring);
    *out = strtod(norm, &end);
    /* strtod also reads hexadecimal. */
    ok = end != norm && *end == '\0' && isfinite(*out) &&
         strpbrk(norm, "xX") == NULL;
    free(norm);
    return ok;
}

static int schema_any_of(const struct eb_field *f, const cJSON *gold,
                         const cJSON *v)
{
    enum eb_comparator one =
        f->type == EB_FIELD_STRING ? EB_CMP_FOLD : EB_CMP_EXACT;
    const cJSON *g;

    if (!cJSON_IsArray(gold))
        return eb_value_match(f, one, gold, v);
    cJSON_ArrayForEach(g, gold)
    {
        if (eb_value_match(f, one, g, v))
            return 1;
    }
    return 0;
}

int eb_value_match(const struct eb_field *f, enum eb_comparator cmp,
                   const cJSON *gold, const cJSON *v)
{
    double a, b;

    if (cmp == EB_CMP_IGNORE)
        return 1;
    if (cmp == EB_CMP_ANY_OF)
        return schema_any_of(f, gold, v);
    if (f->nullable && (eb_value_empty(gold) || eb_value_empty(v)))
        return eb_value_empty(gold) && eb_value_empty(v);
    if (gold == NULL || v == NULL)
        return gold == v;
    if (f->type == EB_FIELD_SET)
        return schema_set_equal(gold, v);
    if (cmp == EB_CMP_NUMBER)
        return schema_number(gold, &a) && schema_number(v, &b) &&
               fabs(a - b) <= 1e-9 * fmax(1, fabs(a));
    if (cmp == EB_CMP_FOLD && cJSON_IsString(gold) && cJSON_IsString(v))
        return eb_text_equal(gold->valuestring, v->valuestring);
    if (cJSON_IsNumber(gold) && cJSON_IsNumber(v))
        return gold->valuedouble == v->valuedouble;
    return cJSON_Compare(gold, v, 1);
}

static int schema_one(const struct eb_field *f, const cJSON *v,
                      enum eb_comparator cmp, char why[EB_WHY_LEN])
{
    const cJSON *g;

    if (cmp == EB_CMP_IGNORE && v == NULL)
        return 0;
    if (cmp != EB_CMP_ANY_OF)
        return eb_field_check(f, v, why);
    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) == 0)
        return schema_why(why, "%s", "any_of needs an array of values");
    cJSON_ArrayForEach(g, v)
    {
        if (eb_field_check(f, g, why) != 0)
            return -1;
    }
    return 0;
}

int eb_object_check(const struct eb_field *fields, size_t n, const cJSON *obj,
                    const cJSON *comparators, const char *prefix,
                    char why[EB_WHY_LEN])
{
    char path[96], what[EB_WHY_LEN];
    const cJSON *v;
    size_t i;

    if (!cJSON_IsObject(obj))
        return schema_why(why, "%s", "not an object");
    for (i = 0; i < n; i++) {
        v = cJSON_GetObjectItemCaseSensitive(obj, fields[i].name);
        snprintf(path, sizeof(path), "%s%s", prefix, fields[i].name);
        if (schema_one(&fields[i], v, eb_comparator_of(comparators, path),
                       what) != 0) {
            snprintf(why, EB_WHY_LEN, "%s: %.110s", fields[i].name, what);
            return -1;
        }
    }
    cJSON_ArrayForEach(v, obj)
    {
        if (eb_field_find(fields, n, v->string) == NULL)
            return schema_why(why, "\"%.60s\" does not belong here", v->string);
    }
    return 0;
}
