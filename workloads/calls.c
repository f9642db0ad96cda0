/* Functions, golds and grading of levels of kind calls. */
#include "workloads/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workloads/text.h"

static const cJSON *calls_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static const char *calls_name(const cJSON *v, const char *key)
{
    const cJSON *name = calls_get(v, key);

    return cJSON_IsString(name) ? name->valuestring : NULL;
}

const cJSON *eb_calls_tool(const cJSON *tools, const char *name)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, tools)
    {
        const char *n = calls_name(v, "name");

        if (n != NULL && strcmp(n, name) == 0)
            return v;
    }
    return NULL;
}

static int calls_why(char why[EB_CALLS_WHY], const char *fmt, const char *arg)
{
    snprintf(why, EB_CALLS_WHY, fmt, arg);
    return -1;
}

/* The grammar prints names as they are, so they must not need escapes. */
static int calls_plain(const char *name)
{
    const char *p;

    for (p = name; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == '"' || *p == '\\' || *p == 0x7F)
            return 0;
    }
    return p > name;
}

static int calls_is_type(const cJSON *type)
{
    static const char *const types[] = {"string",  "number", "integer",
                                        "boolean", "array",  "object"};
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (cJSON_IsString(type) && strcmp(type->valuestring, types[i]) == 0)
            return 1;
    }
    return 0;
}

static int calls_check_schema(const cJSON *schema, int depth,
                              char why[EB_CALLS_WHY])
{
    const cJSON *type = calls_get(schema, "type"), *v;
    const cJSON *props = calls_get(schema, "properties");
    const cJSON *items = calls_get(schema, "items");

    if (!cJSON_IsObject(schema) || depth > 12)
        return calls_why(why, "%s", "a schema is no object, or too deep");
    if (type != NULL && !calls_is_type(type))
        return calls_why(why, "\"%.40s\" is no type",
                         cJSON_IsString(type) ? type->valuestring : "?");
    cJSON_ArrayForEach(v, props)
    {
        if (!calls_plain(v->string))
            return calls_why(why, "\"%.60s\" is no name", v->string);
        if (calls_check_schema(v, depth + 1, why) != 0)
            return -1;
    }
    return items == NULL ? 0 : calls_check_schema(items, depth + 1, why);
}

static int calls_check_tool(const cJSON *tool, char why[EB_CALLS_WHY])
{
    const char *name = calls_name(tool, "name");
    const cJSON *params = calls_get(tool, "parameters");

    if (name == NULL || !calls_plain(name))
        return calls_why(why, "%s", "a function has no name");
    if (!cJSON_IsObject(params))
        return calls_why(why, "%.60s: no parameters", name);
    return calls_check_schema(params, 0, why);
}

int eb_calls_check_tools(const cJSON *tools, const cJSON *shared,
                         char why[EB_CALLS_WHY])
{
    cJSON *all;
    const cJSON *v, *w;
    int rc = 0;

    if (!cJSON_IsArray(tools) || tools->child == NULL)
        return calls_why(why, "%s", "expected an array of functions");
    cJSON_ArrayForEach(v, tools)
    {
        if (cJSON_IsString(v) && eb_calls_tool(shared, v->valuestring) == NULL)
            return calls_why(why, "\"%.60s\" is not in the level's functions",
                             v->valuestring);
        if (!cJSON_IsString(v) && calls_check_tool(v, why) != 0)
            return -1;
    }
    all = eb_calls_tools(tools, shared);
    for (v = all->child; v != NULL && rc == 0; v = v->next) {
        for (w = v->next; w != NULL && rc == 0; w = w->next) {
            if (strcmp(calls_name(v, "name"), calls_name(w, "name")) == 0)
                rc = calls_why(why, "\"%.60s\" stands twice",
                               calls_name(v, "name"));
        }
    }
    cJSON_Delete(all);
    return rc;
}

cJSON *eb_calls_tools(const cJSON *tools, const cJSON *shared)
{
    cJSON *out = cJSON_CreateArray();
    const cJSON *v, *f;

    cJSON_ArrayForEach(v, tools)
    {
        if (cJSON_IsString(v))
            f = eb_calls_tool(shared, v->valuestring);
        else
            f = v;
        /* Only referred to; the cast is for cJSON's signature. */
        cJSON_AddItemReferenceToArray(out, (cJSON *)f);
    }
    return out;
}

/* Golds */

int eb_calls_abstain(const cJSON *gold)
{
    const cJSON *calls = calls_get(gold, "calls");

    return cJSON_IsArray(calls) && calls->child == NULL;
}

static cJSON *calls_pick(const cJSON *schema, const cJSON *accepted,
                         int required);

/* An object from a pattern: each key gets its first accepted value that the
 * schema allows, in the order of the grammar. */
static cJSON *calls_pick_all(const cJSON *schema, const cJSON *pattern)
{
    const cJSON *props = calls_get(schema, "properties"), *v, *p;
    cJSON *out = cJSON_CreateObject(), *one;
    int optional;

    for (optional = 0; optional < 2; optional++) {
        cJSON_ArrayForEach(p, props)
        {
            v = calls_get(pattern, p->string);
            if (v == NULL || eb_calls_required(schema, p->string) == optional)
                continue;
            one = calls_pick(p, v, !optional);
            if (one != NULL)
                cJSON_AddItemToObject(out, p->string, one);
        }
    }
    cJSON_ArrayForEach(v, pattern)
    {
        if (calls_get(props, v->string) != NULL)
            continue;
        one = calls_pick(NULL, v, 0);
        if (one != NULL)
            cJSON_AddItemToObject(out, v->string, one);
    }
    return out;
}

static cJSON *calls_plain_value(const cJSON *schema, const cJSON *pattern)
{
    const cJSON *v;
    cJSON *out;

    if (cJSON_IsObject(pattern))
        return calls_pick_all(schema, pattern);
    if (!cJSON_IsArray(pattern))
        return cJSON_Duplicate(pattern, 1);
    out = cJSON_CreateArray();
    cJSON_ArrayForEach(v, pattern) cJSON_AddItemToArray(
        out, calls_plain_value(calls_get(schema, "items"), v));
    return out;
}

/* The first accepted value that is allowed; NULL: leave it out. */
static cJSON *calls_pick(const cJSON *schema, const cJSON *accepted,
                         int required)
{
    const cJSON *a;
    int round;

    /* "" is a value only where it may not mean "left out". */
    for (round = 0; round < 1 + required; round++) {
        cJSON_ArrayForEach(a, accepted)
        {
            int empty = cJSON_IsString(a) && a->valuestring[0] == '\0';
            cJSON *v = empty == round ? calls_plain_value(schema, a) : NULL;

            if (v != NULL && eb_calls_allowed(schema, v))
                return v;
            cJSON_Delete(v);
        }
    }
    return NULL;
}

static cJSON *calls_key_call(const cJSON *tools, const cJSON *call)
{
    const char *name = calls_name(call, "tool");
    const cJSON *schema = calls_get(eb_calls_tool(tools, name), "parameters");
    cJSON *out = cJSON_CreateObject();

    cJSON_AddStringToObject(out, "tool", name);
    cJSON_AddItemToObject(out, "args",
                          calls_pick_all(schema, calls_get(call, "args")));
    return out;
}

static cJSON *calls_key_of(const cJSON *tools, const cJSON *calls)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(out, "calls");
    const cJSON *v;

    cJSON_ArrayForEach(v, calls)
        cJSON_AddItemToArray(list, calls_key_call(tools, v));
    return out;
}

static cJSON *calls_blank(const char *name)
{
    cJSON *gold = cJSON_CreateObject(), *list, *call;

    list = cJSON_AddArrayToObject(gold, "calls");
    call = cJSON_CreateObject();
    cJSON_AddStringToObject(call, "tool", name);
    cJSON_AddObjectToObject(call, "args");
    cJSON_AddItemToArray(list, call);
    return gold;
}

cJSON *eb_calls_key(const cJSON *tools, const cJSON *gold)
{
    if (calls_get(gold, "any_call") != NULL)
        return calls_blank(calls_name(tools->child, "name"));
    if (calls_get(gold, "one_of") != NULL)
        return calls_key_of(tools, calls_get(gold, "one_of")->child);
    return calls_key_of(tools, calls_get(gold, "calls"));
}

static int calls_check_call(const cJSON *tools, const cJSON *call,
                            char why[EB_CALLS_WHY])
{
    const char *name = calls_name(call, "tool");
    const cJSON *tool = name != NULL ? eb_calls_tool(tools, name) : NULL;
    const cJSON *schema = calls_get(tool, "parameters"), *a;
    const cJSON *args = calls_get(call, "args");
    const cJSON *props = calls_get(schema, "properties");

    if (tool == NULL)
        return calls_why(why, "\"%.60s\" is none of the item's functions",
                         name != NULL ? name : "");
    if (!cJSON_IsObject(args))
        return calls_why(why, "%.60s: args is no object", name);
    cJSON_ArrayForEach(a, args)
    {
        cJSON *v;
        int required = eb_calls_required(schema, a->string);

        if (calls_get(props, a->string) == NULL)
            return calls_why(why, "\"%.60s\" is no parameter", a->string);
        if (!cJSON_IsArray(a))
            return calls_why(why, "%.60s: expected an array of values",
                             a->string);
        v = calls_pick(calls_get(props, a->string), a, required);
        if (v == NULL && (required || !eb_calls_match(a, NULL)))
            return calls_why(why, "%.60s: no accepted value is allowed",
                             a->string);
        cJSON_Delete(v);
    }
    cJSON_ArrayForEach(a, props)
    {
        if (eb_calls_required(schema, a->string) &&
            calls_get(args, a->string) == NULL)
            return calls_why(why, "\"%.60s\" is missing", a->string);
    }
    return 0;
}

static int calls_check_list(const cJSON *tools, const cJSON *calls,
                            char why[EB_CALLS_WHY])
{
    const cJSON *v;

    if (!cJSON_IsArray(calls))
        return calls_why(why, "%s", "expected an array of calls");
    if (cJSON_GetArraySize(calls) > EB_CALLS_MAX)
        return calls_why(why, "%s", "too many calls");
    cJSON_ArrayForEach(v, calls)
    {
        if (calls_check_call(tools, v, why) != 0)
            return -1;
    }
    return 0;
}

int eb_calls_check_gold(const cJSON *tools, const cJSON *gold,
                        char why[EB_CALLS_WHY])
{
    const cJSON *list = calls_get(gold, "one_of"), *v;

    if (cJSON_GetArraySize(gold) != 1)
        return calls_why(why, "%s", "expected calls, one_of or any_call");
    if (cJSON_IsTrue(calls_get(gold, "any_call")))
        return 0;
    if (list == NULL)
        return calls_check_list(tools, calls_get(gold, "calls"), why);
    if (!cJSON_IsArray(list) || list->child == NULL)
        return calls_why(why, "%s", "one_of: expected an array");
    cJSON_ArrayForEach(v, list)
    {
        if (calls_check_list(tools, v, why) != 0)
            return -1;
    }
    return 0;
}

/* Grading */

static void calls_set(struct eb_result *r, const char *fmt, const char *a,
                      const char *b)
{
    r->outcome = EB_OUT_WRONG;
    snprintf(r->detail, sizeof(r->detail), fmt, a, b);
}

/* The answer's form: {"calls":[{"tool":...,"args":{...}}]} with known
 * functions, known parameters and all required ones. */
static int calls_form(const cJSON *tools, const cJSON *got, struct eb_result *r)
{
    const cJSON *calls = calls_get(got, "calls"), *call, *a;

    if (!cJSON_IsArray(calls) || cJSON_GetArraySize(got) != 1) {
        calls_set(r, "expected {\"calls\":[...]}%s%s", "", "");
        return -1;
    }
    cJSON_ArrayForEach(call, calls)
    {
        const char *name = calls_name(call, "tool");
        const cJSON *args = calls_get(call, "args");
        const cJSON *tool = name != NULL ? eb_calls_tool(tools, name) : NULL;
        const cJSON *schema = calls_get(tool, "parameters");

        if (tool == NULL || !cJSON_IsObject(args) ||
            cJSON_GetArraySize(call) != 2) {
            calls_set(r, "tool: %s%.60s",
                      name == NULL   ? "missing"
                      : tool == NULL ? "unknown: "
                                     : "args is no object: ",
                      name != NULL ? name : "");
            return -1;
        }
        cJSON_ArrayForEach(a, args)
        {
            if (calls_get(calls_get(schema, "properties"), a->string) != NULL)
                continue;
            calls_set(r, "%.60s: \"%.60s\" does not belong here", name,
                      a->string);
            return -1;
        }
    }
    return 0;
}

/* 1 if a call is as the gold says, else the detail (if wanted). */
static int calls_same(const cJSON *want, const cJSON *got, struct eb_result *r)
{
    const char *name = calls_name(want, "tool");
    const cJSON *args = calls_get(want, "args"), *a;
    const cJSON *have = calls_get(got, "args");
    const char *wrong = NULL;

    if (strcmp(name, calls_name(got, "tool")) != 0) {
        calls_set(r, "tool: expected %.60s, got %.60s", name,
                  calls_name(got, "tool"));
        return 0;
    }
    cJSON_ArrayForEach(a, have)
    {
        if (calls_get(args, a->string) == NULL ||
            !eb_calls_match(calls_get(args, a->string), a))
            wrong = a->string;
    }
    if (wrong != NULL) {
        calls_set(r, "%.60s: %.60s is not as expected", name, wrong);
        return 0;
    }
    cJSON_ArrayForEach(a, args)
    {
        if (calls_get(have, a->string) == NULL && !eb_calls_match(a, NULL)) {
            calls_set(r, "%.60s: %.60s is missing", name, a->string);
            return 0;
        }
    }
    return 1;
}

struct calls_pairing {
    unsigned char fits[EB_CALLS_MAX][EB_CALLS_MAX]; /* gold, got */
    int of[EB_CALLS_MAX];                           /* got to gold, -1 */
    unsigned char seen[EB_CALLS_MAX];
    int n;
};

/* One step of Kuhn's algorithm: finds a partner for gold call i, moving
 * others if needed. Taking the first that fits would refuse right answers
 * when golds overlap. */
static int calls_augment(struct calls_pairing *p, int i)
{
    int k;

    for (k = 0; k < p->n; k++) {
        if (!p->fits[i][k] || p->seen[k])
            continue;
        p->seen[k] = 1;
        if (p->of[k] < 0 || calls_augment(p, p->of[k])) {
            p->of[k] = i;
            return 1;
        }
    }
    return 0;
}

static int calls_all(const cJSON *gold, const cJSON *got, struct eb_result *r)
{
    struct calls_pairing p = {.n = cJSON_GetArraySize(gold)};
    char want[16], have[16];
    int i, k;

    if (p.n != cJSON_GetArraySize(got) || p.n > EB_CALLS_MAX) {
        snprintf(want, sizeof(want), "%d", p.n);
        snprintf(have, sizeof(have), "%d", cJSON_GetArraySize(got));
        calls_set(r, "calls: expected %s, got %s", want, have);
        return 0;
    }
    for (i = 0; i < p.n; i++) {
        p.of[i] = -1;
        for (k = 0; k < p.n; k++)
            p.fits[i][k] = (unsigned char)calls_same(
                cJSON_GetArrayItem(gold, i), cJSON_GetArrayItem(got, k), r);
    }
    for (i = 0; i < p.n; i++) {
        memset(p.seen, 0, sizeof(p.seen));
        if (calls_augment(&p, i))
            continue;
        calls_set(r, "no call is the expected %.60s%s",
                  calls_name(cJSON_GetArrayItem(gold, i), "tool"), "");
        if (p.n == 1) /* says which argument */
            calls_same(gold->child, got->child, r);
        return 0;
    }
    return 1;
}

void eb_calls_grade(const cJSON *tools, const cJSON *gold, const cJSON *got,
                    struct eb_result *r)
{
    const cJSON *calls = calls_get(got, "calls"), *v;
    int right = 0;

    r->outcome = EB_OUT_OK;
    if (calls_form(tools, got, r) != 0)
        return;
    if (calls_get(gold, "any_call") != NULL) {
        right = calls->child != NULL;
        if (!right)
            calls_set(r, "calls: expected %s, got %s", "a call", "none");
    } else if (calls_get(gold, "one_of") != NULL) {
        cJSON_ArrayForEach(v, calls_get(gold, "one_of")) right =
            right || calls_all(v, calls, r);
    } else {
        right = calls_all(calls_get(gold, "calls"), calls, r);
    }
    if (right) {
        r->outcome = EB_OUT_OK;
        r->detail[0] = '\0';
    }
}
