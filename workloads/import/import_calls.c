/* Functions, golds and items of kind calls from public data. */
#include "workloads/import/import_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/text.h"

static const cJSON *calls_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

/* Schemas */

static const struct {
    const char *from, *to; /* "": any */
} calls_types[] = {
    {"string", "string"},
    {"str", "string"},
    {"char", "string"},
    {"date", "string"},
    {"datetime", "string"},
    {"enum", "string"},
    {"integer", "integer"},
    {"int", "integer"},
    {"long", "integer"},
    {"number", "number"},
    {"float", "number"},
    {"double", "number"},
    {"boolean", "boolean"},
    {"bool", "boolean"},
    {"array", "array"},
    {"list", "array"},
    {"tuple", "array"},
    {"set", "array"},
    {"object", "object"},
    {"dict", "object"},
    {"hashmap", "object"},
    {"map", "object"},
    {"any", ""},
};

static const char *calls_type(const char *from)
{
    char low[32];
    size_t i, n = 0;

    /* "list(string)" and "Array<int>": what stands in front. */
    for (; from[n] != '\0' && strchr("(<[", from[n]) == NULL && n < 31; n++)
        low[n] =
            (char)(from[n] >= 'A' && from[n] <= 'Z' ? from[n] + 32 : from[n]);
    low[n] = '\0';
    for (i = 0; i < sizeof(calls_types) / sizeof(calls_types[0]); i++) {
        if (strcmp(calls_types[i].from, low) == 0)
            return calls_types[i].to;
    }
    return ""; /* a type nobody knows allows anything */
}

/* The type in the brackets of "list(string)" as a schema; NULL: none. */
static cJSON *calls_inner(const char *from)
{
    const char *open = from + strcspn(from, "(<[");
    const char *to;
    char *word;
    cJSON *v = NULL;

    if (*open == '\0')
        return NULL;
    word = eb_xstrndup(open + 1, strcspn(open + 1, ")>]"));
    to = calls_type(word);
    if (*to != '\0') {
        v = cJSON_CreateObject();
        cJSON_AddStringToObject(v, "type", to);
    }
    free(word);
    return v;
}

/* ["string","null"] is a string that may be null. */
static void calls_set_type(cJSON *out, const cJSON *type)
{
    const cJSON *v, *first = NULL;
    const char *to;
    cJSON *inner;
    int nullable = 0;

    if (cJSON_IsString(type))
        first = type;
    cJSON_ArrayForEach(v, type) /* nothing in a string */
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, "null") == 0)
            nullable = 1;
        else if (cJSON_IsString(v) && first == NULL)
            first = v;
    }
    if (first == NULL)
        return;
    to = calls_type(first->valuestring);
    if (*to != '\0')
        cJSON_AddStringToObject(out, "type", to);
    if (strcmp(to, "array") == 0 &&
        (inner = calls_inner(first->valuestring)) != NULL)
        cJSON_AddItemToObject(out, "items", inner);
    if (nullable)
        cJSON_AddNullToObject(out, "default");
}

cJSON *eb_calls_schema(const cJSON *source)
{
    cJSON *out = cJSON_CreateObject(), *props;
    const cJSON *v, *p;

    calls_set_type(out, calls_get(source, "type"));
    cJSON_ArrayForEach(v, source)
    {
        const char *key = v->string;

        if (strcmp(key, "type") == 0 || cJSON_HasObjectItem(out, key) ||
            (strcmp(key, "required") == 0 && !cJSON_IsArray(v)) ||
            (strcmp(key, "enum") == 0 && cJSON_GetArraySize(v) == 0))
            continue;
        if (strcmp(key, "properties") == 0 && cJSON_IsObject(v)) {
            props = cJSON_AddObjectToObject(out, "properties");
            cJSON_ArrayForEach(p, v)
                cJSON_AddItemToObject(props, p->string, eb_calls_schema(p));
        } else if (strcmp(key, "items") == 0 && cJSON_IsObject(v)) {
            cJSON_AddItemToObject(out, key, eb_calls_schema(v));
        } else if (strcmp(key, "items") != 0 && strcmp(key, "properties")) {
            cJSON_AddItemToObject(out, key, cJSON_Duplicate(v, 1));
        }
    }
    return out;
}

/* Some functions of ACEBench call them otherwise. */
static const cJSON *calls_parameters(const cJSON *source)
{
    static const char *const names[] = {"parameters", "arguments",
                                        "_arguments"};
    const cJSON *v = NULL;
    size_t i;

    for (i = 0; i < 3 && !cJSON_IsObject(v); i++)
        v = calls_get(source, names[i]);
    return v;
}

cJSON *eb_calls_function(const cJSON *source)
{
    cJSON *out = cJSON_CreateObject();
    const char *what = eb_calls_str(source, "description");
    const char *name = eb_calls_str(source, "name");
    const cJSON *params = calls_parameters(source);

    cJSON_AddStringToObject(out, "name", name != NULL ? name : "");
    if (what != NULL)
        cJSON_AddStringToObject(out, "description", what);
    cJSON_AddItemToObject(out, "parameters",
                          cJSON_IsObject(params) ? eb_calls_schema(params)
                                                 : cJSON_CreateObject());
    return out;
}

void eb_calls_drop(cJSON *function, const char *parameter)
{
    cJSON *schema = cJSON_GetObjectItemCaseSensitive(function, "parameters");
    cJSON *list = cJSON_GetObjectItemCaseSensitive(schema, "required");
    const cJSON *v;
    int i = 0;

    cJSON_DeleteItemFromObjectCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(schema, "properties"), parameter);
    cJSON_ArrayForEach(v, list)
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, parameter) == 0) {
            cJSON_DeleteItemFromArray(list, i);
            return;
        }
        i++;
    }
}

/* Golds */

cJSON *eb_calls_pattern(const cJSON *value)
{
    cJSON *out;
    const cJSON *v;

    if (cJSON_IsArray(value)) {
        out = cJSON_CreateArray();
        cJSON_ArrayForEach(v, value)
            cJSON_AddItemToArray(out, eb_calls_pattern(v));
        return out;
    }
    if (!cJSON_IsObject(value))
        return cJSON_Duplicate(value, 1);
    out = cJSON_CreateObject();
    cJSON_ArrayForEach(v, value)
        cJSON_AddItemToObject(out, v->string, eb_calls_accept(v));
    return out;
}

cJSON *eb_calls_accept(const cJSON *value)
{
    cJSON *out = cJSON_CreateArray();

    cJSON_AddItemToArray(out, eb_calls_pattern(value));
    return out;
}

cJSON *eb_calls_call(const char *name, cJSON *args)
{
    cJSON *out = cJSON_CreateObject();

    cJSON_AddStringToObject(out, "tool", name);
    cJSON_AddItemToObject(out, "args", args);
    return out;
}

cJSON *eb_calls_gold(cJSON *calls)
{
    cJSON *out = cJSON_CreateObject();

    cJSON_AddItemToObject(out, "calls", calls);
    return out;
}

/* Levels and items */

static const struct {
    const char *lang, *user, *clear, *vague;
} calls_texts[] = {
    {"en", "Functions:\n{tools}\n\n{context}Request: {message}",
     "You call functions for a user. The message shows the functions, one "
     "JSON object a line, and then the request. Answer with one JSON object "
     "and nothing else:\n"
     "{\"calls\":[{\"tool\":\"<name>\",\"args\":{\"<parameter>\":<value>}}]}\n"
     "Put in every call that the request needs now; a request may need "
     "several. Take values from the request and the conversation before it, "
     "never from elsewhere. Leave out optional parameters nobody asked for. "
     "If no function can do what is asked, or a required value is missing or "
     "cannot be right, answer {\"calls\":[]}.",
     "Help the user with the functions. Reply as "
     "{\"calls\":[{\"tool\":\"...\",\"args\":{}}]}."},
    {"zh", "函数：\n{tools}\n\n{context}请求：{message}",
     "你替用户调用函数。消息里先列出函数，每行一个 JSON 对象，然后是请求。只用"
     "一个 JSON 对象回答，不要写别的：\n"
     "{\"calls\":[{\"tool\":\"<函数名>\",\"args\":{\"<参数>\":<值>}}]}\n"
     "写出请求此刻需要的每一次调用，可能不止一次。参数的值只取自请求和之前的对"
     "话，不要编造。没有提到的可选参数不写。如果没有函数能满足请求，或者缺少必"
     "填的值，或者给出的值不可能正确，就回答 {\"calls\":[]}。",
     "用这些函数帮助用户，按 {\"calls\":[{\"tool\":\"...\",\"args\":{}}]} "
     "的格式"
     "回答。"},
};

void eb_calls_add_level(struct eb_import_suite *s, struct eb_calls_level *l,
                        const char *langs)
{
    cJSON *v = cJSON_CreateObject(), *o, *list;
    const char *const nulls[] = {"refuse", "escalate"};
    size_t i;

    cJSON_AddStringToObject(v, "name", l->name);
    cJSON_AddStringToObject(v, "kind", "calls");
    cJSON_AddNumberToObject(v, "bar", l->bar);
    cJSON_AddStringToObject(v, "why", l->why);
    cJSON_AddTrueToObject(v, "constrain");
    cJSON_AddNumberToObject(v, "max_tokens", l->max_tokens);
    if (l->unpaired)
        cJSON_AddFalseToObject(v, "paired");
    if (l->functions != NULL)
        cJSON_AddItemToObject(v, "functions", l->functions);
    o = cJSON_AddObjectToObject(v, "nulls");
    for (i = 0; i < 2; i++) {
        list = cJSON_AddObjectToObject(o, nulls[i]);
        cJSON_AddArrayToObject(list, "calls");
    }
    o = cJSON_AddObjectToObject(v, "user");
    for (i = 0; i < sizeof(calls_texts) / sizeof(calls_texts[0]); i++) {
        if (strstr(langs, calls_texts[i].lang) != NULL)
            cJSON_AddStringToObject(o, calls_texts[i].lang,
                                    calls_texts[i].user);
    }
    eb_import_add_level(s, v);
    for (i = 0; i < sizeof(calls_texts) / sizeof(calls_texts[0]); i++) {
        if (strstr(langs, calls_texts[i].lang) == NULL)
            continue;
        eb_import_add_prompt(s, l->name, "clear", calls_texts[i].lang,
                             calls_texts[i].clear);
        eb_import_add_prompt(s, l->name, "vague", calls_texts[i].lang,
                             calls_texts[i].vague);
    }
}

static size_t calls_length(const cJSON *tools, const struct eb_calls_item *it)
{
    struct eb_buf b = {0};
    size_t n;

    eb_calls_show(tools, &b);
    n = b.len + strlen(it->message) +
        (it->context != NULL ? strlen(it->context) : 0);
    eb_buf_free(&b);
    return n;
}

int eb_calls_add(struct eb_import_suite *s, struct eb_calls_level *l,
                 struct eb_calls_item *it)
{
    cJSON *v, *prompt, *tools;
    int bad = eb_calls_check_tools(it->tools, l->functions, l->bad);
    size_t n;

    if (bad == 0) {
        tools = eb_calls_tools(it->tools, l->functions);
        bad = eb_calls_check_gold(tools, it->gold, l->bad);
        n = calls_length(tools, it);
        l->longest = n > l->longest ? n : l->longest;
        cJSON_Delete(tools);
    }
    if (bad != 0) {
        l->n_bad++;
        cJSON_Delete(it->tools);
        cJSON_Delete(it->gold);
        return 0;
    }
    v = cJSON_CreateObject();
    cJSON_AddStringToObject(v, "lang", it->lang);
    if (it->cluster != NULL)
        cJSON_AddStringToObject(v, "cluster", it->cluster);
    cJSON_AddStringToObject(v, "capability", it->capability);
    cJSON_AddStringToObject(v, "stratum", it->stratum);
    prompt = cJSON_AddObjectToObject(v, "prompt");
    cJSON_AddStringToObject(prompt, "message", it->message);
    if (it->context != NULL && it->context[0] != '\0')
        cJSON_AddStringToObject(prompt, "context", it->context);
    cJSON_AddItemToObject(v, "tools", it->tools);
    cJSON_AddItemToObject(v, "gold", it->gold);
    eb_import_add_item(s, l->name, v);
    return 1;
}

void eb_calls_end(struct eb_import_suite *s, const struct eb_calls_level *l)
{
    /* A small vocabulary makes a token of two bytes of JSON. A context that is
     * too small ends items as truncated, which looks like a fault of the model.
     */
    size_t need = l->longest / 2 + (size_t)l->max_tokens + 512, ctx = 4096;

    while (ctx < need)
        ctx *= 2;
    if (ctx > 4096)
        eb_import_note(s,
                       "%s: prompts of up to %zu bytes; run it with --ctx %zu "
                       "or more",
                       l->name, l->longest, ctx);
    if (l->n_bad > 0)
        eb_import_note(s,
                       "%s: %zu items whose right answer their own functions "
                       "do not allow (the last one: %s)",
                       l->name, l->n_bad, l->bad);
}

int eb_calls_is_latin(const char *text)
{
    size_t latin = 0, other = 0;

    while (*text != '\0') {
        uint32_t c = eb_utf8_next(&text);

        if ((c | 32) >= 'a' && (c | 32) <= 'z')
            latin++;
        else if (c >= 0x370 && (c < 0x2000 || c > 0x2FFF))
            other++;
    }
    return 4 * other <= latin;
}

struct calls_words {
    const char *text;
    char *folded; /* as texts are compared */
    int numbers;
};

static int calls_told(const cJSON *tree, const struct calls_words *w)
{
    char number[32];
    const cJSON *v;
    char *text;
    int told = 1;

    if (cJSON_IsNumber(tree) && w->numbers) {
        snprintf(number, sizeof(number), "%.10g", tree->valuedouble);
        told = eb_text_contains(w->text, number);
    } else if (cJSON_IsString(tree)) {
        text = eb_calls_text(tree->valuestring);
        told = *text == '\0' || strstr(w->folded, text) != NULL;
        free(text);
    }
    cJSON_ArrayForEach(v, tree) told = told && calls_told(v, w);
    return told;
}

int eb_calls_told(const cJSON *calls, const char *text, int numbers)
{
    struct calls_words w = {text, eb_calls_text(text), numbers};
    const cJSON *c;
    int told = 1;

    cJSON_ArrayForEach(c, calls) told =
        told && calls_told(calls_get(c, "args"), &w);
    free(w.folded);
    return told;
}

void eb_calls_say(struct eb_buf *out, const char *role, const char *text)
{
    eb_buf_addf(out, "%s: %s\n", role, text);
}
