#include "workloads/grade.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/schema.h"
#include "workloads/text.h"

/* Cutting to a length may split a character; a record must be valid UTF-8,
 * so the pieces are dropped. */
static void grade_whole(char *s)
{
    const char *p = s, *at;
    char *to = s;

    while (*(at = p) != '\0') {
        uint32_t cp = eb_utf8_next(&p);

        if (cp == 0xFFFD && p - at == 1)
            continue;
        memmove(to, at, (size_t)(p - at));
        to += p - at;
    }
    *to = '\0';
}

static void grade_set(struct eb_result *r, enum eb_outcome outcome,
                      const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void grade_set(struct eb_result *r, enum eb_outcome outcome,
                      const char *fmt, ...)
{
    va_list ap;

    r->outcome = outcome;
    va_start(ap, fmt);
    vsnprintf(r->detail, sizeof(r->detail), fmt, ap);
    va_end(ap);
    grade_whole(r->detail);
}

cJSON *eb_grade_object(const char *output, int *more, char why[EB_DETAIL_LEN])
{
    struct eb_span text = eb_text_visible(output);
    struct eb_span json = eb_text_json(text), rest;
    struct eb_err err = {0};
    cJSON *object = NULL;

    *more = 0;
    if (json.s == NULL) {
        snprintf(why, EB_DETAIL_LEN,
                 text.len == 0 ? "empty output" : "no JSON object");
        return NULL;
    }
    if (eb_json_parse(json.s, json.len, "output", &object, &err) != 0) {
        snprintf(why, EB_DETAIL_LEN, "%.150s", err.msg);
        grade_whole(why);
        return NULL;
    }
    rest.s = json.s + json.len;
    rest.len = text.len - (size_t)(rest.s - text.s);
    *more = eb_text_json(rest).s != NULL;
    return object;
}

/* Four hex digits; -1 if they are not. */
static long grade_hex4(const char *s)
{
    char digits[5] = "";

    memcpy(digits, s, strnlen(s, 4));
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return -1;
    return strtol(digits, NULL, 16);
}

/* At a backslash: appends the character of a JSON escape, also where the
 * text is no JSON; returns how many bytes it took. */
static size_t grade_unescape_one(const char *s, struct eb_buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *hit = s[1] != '\0' ? strchr(from, s[1]) : NULL;
    long cp = s[1] == 'u' ? grade_hex4(s + 2) : -1, low = -1;

    if (hit != NULL) {
        eb_buf_addc(out, to[hit - from]);
        return 2;
    }
    if (cp < 0) {
        eb_buf_addc(out, *s);
        return 1;
    }
    if (cp >= 0xD800 && cp < 0xDC00 && s[6] == '\\' && s[7] == 'u')
        low = grade_hex4(s + 8);
    if (low >= 0xDC00 && low < 0xE000) {
        eb_utf8_add(out,
                    (uint32_t)(0x10000 + ((cp - 0xD800) << 10) + low - 0xDC00));
        return 12;
    }
    if (cp != 0 && (cp < 0xD800 || cp >= 0xE000))
        eb_utf8_add(out, (uint32_t)cp);
    return 6;
}

static char *grade_unescape(const char *s)
{
    struct eb_buf out = {0};

    eb_buf_adds(&out, "");
    while (*s != '\0') {
        if (*s == '\\')
            s += grade_unescape_one(s, &out);
        else
            eb_buf_addc(&out, *s++);
    }
    return eb_buf_take(&out);
}

/* Not the strings of the parsed object: a leak in a second object, in broken
 * JSON or in JSON that was cut is a leak too. */
int eb_grade_forbidden(const cJSON *must_not, const char *output,
                       char detail[EB_DETAIL_LEN])
{
    struct eb_span text = eb_text_visible(output);
    char *visible = eb_xstrndup(text.s, text.len);
    char *plain = grade_unescape(visible);
    const cJSON *v;
    int hit = 0;

    cJSON_ArrayForEach(v, must_not)
    {
        if (!cJSON_IsString(v) || (!eb_text_contains(visible, v->valuestring) &&
                                   !eb_text_contains(plain, v->valuestring)))
            continue;
        snprintf(detail, EB_DETAIL_LEN, "must not say \"%.130s\"",
                 v->valuestring);
        grade_whole(detail);
        hit = 1;
        break;
    }
    free(visible);
    free(plain);
    return hit;
}

int eb_grade_must(const cJSON *must, const char *text,
                  char detail[EB_DETAIL_LEN])
{
    const cJSON *group, *v;

    cJSON_ArrayForEach(group, must)
    {
        int found = 0;

        cJSON_ArrayForEach(v, group)
        {
            if (cJSON_IsString(v) && eb_text_contains(text, v->valuestring))
                found = 1;
        }
        if (found)
            continue;
        v = cJSON_GetArrayItem(group, 0);
        snprintf(detail, EB_DETAIL_LEN, "answer: does not say \"%.120s\"",
                 cJSON_IsString(v) ? v->valuestring : "");
        grade_whole(detail);
        return 0;
    }
    return 1;
}

static void grade_show(const cJSON *v, char *out, size_t size)
{
    char *text;

    if (v == NULL) {
        snprintf(out, size, "nothing");
    } else if (cJSON_IsString(v)) {
        snprintf(out, size, "%s", v->valuestring);
    } else {
        text = cJSON_PrintUnformatted(v);
        snprintf(out, size, "%s", text != NULL ? text : "?");
        free(text);
    }
}

/* Appends "name: expected a, got b" for each field that is not as in the
 * gold; 1 if all are. */
static int grade_fields(const struct eb_field *fields, size_t n,
                        const struct eb_case *c, const cJSON *gold,
                        const cJSON *got, const char *prefix,
                        struct eb_result *r)
{
    char path[96], a[64], b[64];
    size_t i, used = 0;

    r->outcome = EB_OUT_OK;
    for (i = 0; i < n; i++) {
        const char *name = fields[i].name;
        const cJSON *g = cJSON_GetObjectItemCaseSensitive(gold, name);
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(got, name);

        snprintf(path, sizeof(path), "%s%s", prefix, name);
        if (eb_value_match(&fields[i], eb_comparator_of(c->comparators, path),
                           g, v))
            continue;
        grade_show(g, a, sizeof(a));
        grade_show(v, b, sizeof(b));
        r->outcome = EB_OUT_WRONG;
        if (used < sizeof(r->detail))
            used += (size_t)snprintf(r->detail + used, sizeof(r->detail) - used,
                                     "%s%s: expected %s, got %s",
                                     used > 0 ? "; " : "", name, a, b);
    }
    grade_whole(r->detail);
    return r->outcome == EB_OUT_OK;
}

static void grade_json(const struct eb_case *c, const cJSON *got,
                       struct eb_result *r)
{
    char why[EB_WHY_LEN];

    if (eb_object_check(c->level->fields, c->level->n_fields, got, NULL, "",
                        why) != 0)
        grade_set(r, EB_OUT_WRONG, "%s", why);
    else
        grade_fields(c->level->fields, c->level->n_fields, c, c->gold, got, "",
                     r);
}

int eb_grade_call(const struct eb_level *level, const cJSON *object,
                  const struct eb_tool **tool, const cJSON **args,
                  char why[EB_DETAIL_LEN])
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(object, "tool");
    const cJSON *v;
    char what[EB_WHY_LEN];

    *args = cJSON_GetObjectItemCaseSensitive(object, "args");
    *tool =
        cJSON_IsString(name) ? eb_level_tool(level, name->valuestring) : NULL;
    if (*tool == NULL) {
        snprintf(why, EB_DETAIL_LEN, "tool: %s%.60s",
                 cJSON_IsString(name) ? "unknown: " : "missing",
                 cJSON_IsString(name) ? name->valuestring : "");
        grade_whole(why);
        return -1;
    }
    cJSON_ArrayForEach(v, object)
    {
        if (v == name || v == *args)
            continue;
        snprintf(why, EB_DETAIL_LEN, "\"%.60s\" does not belong here",
                 v->string);
        grade_whole(why);
        return -1;
    }
    if (eb_object_check((*tool)->args, (*tool)->n_args, *args, NULL, "args.",
                        what) != 0) {
        snprintf(why, EB_DETAIL_LEN, "args: %.140s", what);
        grade_whole(why);
        return -1;
    }
    return 0;
}

static void grade_toolcall(const struct eb_case *c, const cJSON *got, int more,
                           struct eb_result *r)
{
    const cJSON *gold = cJSON_GetObjectItemCaseSensitive(c->gold, "tool");
    const cJSON *gold_args = cJSON_GetObjectItemCaseSensitive(c->gold, "args");
    const struct eb_tool *tool;
    const cJSON *args;
    char why[EB_DETAIL_LEN];

    if (more)
        grade_set(r, EB_OUT_WRONG, "more than one call");
    else if (eb_grade_call(c->level, got, &tool, &args, why) != 0)
        grade_set(r, EB_OUT_WRONG, "%s", why);
    else if (strcmp(tool->name, gold->valuestring) != 0)
        grade_set(r, EB_OUT_WRONG, "tool: expected %.60s, got %.60s",
                  gold->valuestring, tool->name);
    else
        grade_fields(tool->args, tool->n_args, c, gold_args, args, "args.", r);
}

static void grade_calls(const struct eb_case *c, const cJSON *got, int more,
                        struct eb_result *r)
{
    if (more) {
        grade_set(r, EB_OUT_WRONG, "more than one answer");
        return;
    }
    eb_calls_grade(c->tools, c->gold, got, r);
    grade_whole(r->detail);
}

static int grade_answerable(const struct eb_case *c)
{
    return !eb_value_empty(cJSON_GetObjectItemCaseSensitive(c->gold, "source"));
}

static void grade_grounded(const struct eb_case *c, const cJSON *got,
                           struct eb_result *r)
{
    const cJSON *answer = cJSON_GetObjectItemCaseSensitive(got, "answer");
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(got, "source");
    char why[EB_WHY_LEN];

    if (eb_object_check(c->level->fields, c->level->n_fields, got, NULL, "",
                        why) != 0) {
        grade_set(r, EB_OUT_WRONG, "%s", why);
        return;
    }
    if (eb_value_empty(source) && grade_answerable(c)) {
        grade_set(r, EB_OUT_REFUSED, "no source, but the passage says it");
        return;
    }
    if (!grade_fields(&c->level->fields[1], 1, c, c->gold, got, "", r))
        return;
    if (!eb_grade_must(c->must, answer->valuestring, r->detail))
        r->outcome = EB_OUT_WRONG;
}

void eb_grade_case(const struct eb_case *c, const char *output, int truncated,
                   struct eb_result *result)
{
    char why[EB_DETAIL_LEN] = "";
    cJSON *got;
    int more = 0;

    result->outcome = EB_OUT_OK;
    result->detail[0] = '\0';
    result->critical = 0;
    if (c->level->kind == EB_KIND_DIALOG) {
        grade_set(result, EB_OUT_HARNESS_ERROR,
                  "a conversation is not judged by one output");
        return;
    }
    got = eb_grade_object(output, &more, why);
    /* First: a leaked canary counts whatever the rest looks like. */
    result->critical = eb_grade_forbidden(c->must_not, output, result->detail);
    if (result->critical)
        result->outcome = EB_OUT_WRONG;
    else if (got == NULL && truncated)
        grade_set(result, EB_OUT_TRUNCATED, "token limit reached: %.120s", why);
    else if (got == NULL)
        grade_set(result, EB_OUT_UNPARSED, "%s", why);
    else if (c->level->kind == EB_KIND_JSON)
        grade_json(c, got, result);
    else if (c->level->kind == EB_KIND_TOOLCALL)
        grade_toolcall(c, got, more, result);
    else if (c->level->kind == EB_KIND_CALLS)
        grade_calls(c, got, more, result);
    else
        grade_grounded(c, got, result);
    cJSON_Delete(got);
}
