/* Answers against the fields and tools of a level: is a value allowed, is
 * it the expected one. Pure functions, any thread. */
#ifndef EB_SCHEMA_H
#define EB_SCHEMA_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "workloads/suite.h"

#define EB_WHY_LEN 160

enum eb_comparator {
    EB_CMP_EXACT,  /* same type and bytes */
    EB_CMP_FOLD,   /* eb_text_equal */
    EB_CMP_NUMBER, /* same number, as a number or as text */
    EB_CMP_ANY_OF, /* gold is an array of accepted values; free text folded */
    EB_CMP_IGNORE
};
int eb_comparator_parse(const char *name); /* -1 if unknown */
/* The comparator of a path such as "args.address"; exact if not named. */
enum eb_comparator eb_comparator_of(const cJSON *comparators, const char *path);

/* 1 if null, "" or absent. */
int eb_value_empty(const cJSON *v);

/* 0 if the value (NULL: absent) is allowed, else -1 and why, without the
 * field's name: "missing", "\"soon\" is not one of its values". */
int eb_field_check(const struct eb_field *f, const cJSON *v,
                   char why[EB_WHY_LEN]);

/* 1 if the value is as the gold says. Both may be NULL (absent). */
int eb_value_match(const struct eb_field *f, enum eb_comparator cmp,
                   const cJSON *gold, const cJSON *v);

/* The object holds allowed values for all fields and nothing else; fields
 * whose comparator (under prefix, such as "args.") is any_of hold an array of
 * allowed values, ignored ones may be absent. Used for golds with their
 * comparators, for outputs with NULL. Returns 0 or -1 and why with the
 * field's name. */
int eb_object_check(const struct eb_field *fields, size_t n, const cJSON *obj,
                    const cJSON *comparators, const char *prefix,
                    char why[EB_WHY_LEN]);

#endif
