/* Texts of levels of kind calls: functions for the prompt, the grammar of
 * answers, and calls made without understanding. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/text.h"

static const cJSON *text_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static void text_add_json(const cJSON *v, struct eb_buf *out)
{
    char *text = cJSON_PrintUnformatted(v);

    eb_buf_adds(out, text != NULL ? text : "null");
    free(text);
}

void eb_calls_show(const cJSON *tools, struct eb_buf *out)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, tools)
    {
        if (v != tools->child)
            eb_buf_addc(out, '\n');
        text_add_json(v, out);
    }
}

/* Grammar. Rules are numbered; names are r-<letters> since every reader of
 * GBNF takes letters. */
struct text_grammar {
    struct eb_buf *out; /* whole rules */
    int n;
};

static void text_rule_name(int n, struct eb_buf *out)
{
    eb_buf_adds(out, "r-");
    do {
        eb_buf_addc(out, (char)('a' + n % 26));
        n /= 26;
    } while (n > 0);
}

/* Adds the rule and a reference to it. */
static void text_rule(struct text_grammar *g, struct eb_buf *body,
                      struct eb_buf *ref)
{
    int n = g->n++;

    text_rule_name(n, g->out);
    eb_buf_addf(g->out, " ::= %s\n", body->data);
    text_rule_name(n, ref);
    eb_buf_free(body);
}

/* A GBNF literal: quotes and backslashes escaped. */
static void text_literal(const char *s, struct eb_buf *out)
{
    eb_buf_addc(out, '"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            eb_buf_addc(out, '\\');
        eb_buf_addc(out, *s);
    }
    eb_buf_addc(out, '"');
}

static void text_literal_json(const cJSON *v, struct eb_buf *out)
{
    struct eb_buf json = {0};

    text_add_json(v, &json);
    text_literal(json.data, out);
    eb_buf_free(&json);
}

static void text_value(struct text_grammar *g, const cJSON *schema,
                       struct eb_buf *out);

/* "\"name\":" value as a rule of its own. */
static void text_pair(struct text_grammar *g, const cJSON *prop,
                      struct eb_buf *ref)
{
    struct eb_buf body = {0}, key = {0};

    eb_buf_addf(&key, "\"%s\":", prop->string);
    text_literal(key.data, &body);
    eb_buf_addc(&body, ' ');
    text_value(g, prop, &body);
    text_rule(g, &body, ref);
    eb_buf_free(&key);
}

/* Required pairs, then each optional one or nothing. Without required ones
 * any optional one may be the first, which has no comma before it. */
static void text_members(char **pairs, const int *required, int n,
                         struct eb_buf *out)
{
    int i, k, any = 0;

    for (i = 0; i < n; i++) {
        if (required[i])
            eb_buf_addf(out, "%s%s ", any++ ? "\",\" " : "", pairs[i]);
    }
    for (i = 0; i < n && any; i++) {
        if (!required[i])
            eb_buf_addf(out, "(\",\" %s)? ", pairs[i]);
    }
    for (i = 0; i < n && !any; i++) {
        eb_buf_addf(out, "%s%s ", i == 0 ? "(" : "| ", pairs[i]);
        for (k = i + 1; k < n; k++)
            eb_buf_addf(out, "(\",\" %s)? ", pairs[k]);
    }
    if (!any)
        eb_buf_adds(out, ")? ");
}

static void text_object(struct text_grammar *g, const cJSON *schema,
                        struct eb_buf *ref)
{
    const cJSON *props = text_get(schema, "properties"), *p;
    int n = cJSON_GetArraySize(props), i = 0;
    char **pairs = eb_xcalloc((size_t)n + 1, sizeof(*pairs));
    int *required = eb_xcalloc((size_t)n + 1, sizeof(*required));
    struct eb_buf body = {0};

    cJSON_ArrayForEach(p, props)
    {
        struct eb_buf one = {0};

        text_pair(g, p, &one);
        required[i] = eb_calls_required(schema, p->string);
        pairs[i++] = eb_buf_take(&one);
    }
    eb_buf_adds(&body, "\"{\" ");
    if (n > 0)
        text_members(pairs, required, n, &body);
    eb_buf_adds(&body, "\"}\"");
    text_rule(g, &body, ref);
    for (i = 0; i < n; i++)
        free(pairs[i]);
    free(pairs);
    free(required);
}

static void text_array(struct text_grammar *g, const cJSON *schema,
                       struct eb_buf *out)
{
    const cJSON *items = text_get(schema, "items");
    struct eb_buf one = {0};

    if (cJSON_IsObject(items))
        text_value(g, items, &one);
    else
        eb_buf_adds(&one, "value");
    eb_buf_addf(out, "\"[\" (%s (\",\" %s){0,63})? \"]\"", one.data, one.data);
    eb_buf_free(&one);
}

static void text_enum(const cJSON *list, struct eb_buf *out)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, list)
    {
        if (e != list->child)
            eb_buf_adds(out, " | ");
        text_literal_json(e, out);
    }
}

static void text_value(struct text_grammar *g, const cJSON *schema,
                       struct eb_buf *out)
{
    const cJSON *type = text_get(schema, "type");
    const cJSON *list = text_get(schema, "enum");
    const char *t = cJSON_IsString(type) ? type->valuestring : "value";

    eb_buf_addc(out, '(');
    if (cJSON_GetArraySize(list) > 0)
        text_enum(list, out);
    else if (strcmp(t, "array") == 0)
        text_array(g, schema, out);
    else if (strcmp(t, "object") == 0 &&
             cJSON_GetArraySize(text_get(schema, "properties")) > 0)
        text_object(g, schema, out);
    else
        eb_buf_adds(out, t); /* a rule below */
    if (cJSON_IsNull(text_get(schema, "default")))
        eb_buf_adds(out, " | \"null\"");
    eb_buf_addc(out, ')');
}

static const char text_rules[] =
    "object ::= \"{\" (member (\",\" member){0,31})? \"}\"\n"
    "member ::= string \":\" value\n"
    "array ::= \"[\" (value (\",\" value){0,63})? \"]\"\n"
    "value ::= string | number | boolean | \"null\" | array | object\n"
    "string ::= \"\\\"\" char{0,500} \"\\\"\"\n"
    "integer ::= \"-\"? (\"0\" | [1-9] [0-9]{0,17})\n"
    "number ::= integer (\".\" [0-9]{1,17})? ([eE] (\"+\" | \"-\")? "
    "[0-9]{1,3})?\n"
    "boolean ::= \"true\" | \"false\"\n"
    "char ::= [^\"\\\\\\x00-\\x1F\\x7F] | \"\\\\\" [\"\\\\/bnt]\n";

static void text_call(struct text_grammar *g, const cJSON *tool,
                      struct eb_buf *ref)
{
    struct eb_buf body = {0}, head = {0};

    eb_buf_addf(&head, "{\"tool\":\"%s\",\"args\":",
                text_get(tool, "name")->valuestring);
    text_literal(head.data, &body);
    eb_buf_addc(&body, ' ');
    text_object(g, text_get(tool, "parameters"), &body);
    eb_buf_adds(&body, " \"}\"");
    text_rule(g, &body, ref);
    eb_buf_free(&head);
}

void eb_calls_grammar(const cJSON *tools, struct eb_buf *out)
{
    struct text_grammar g = {out, 0};
    struct eb_buf calls = {0};
    const cJSON *v;

    eb_buf_addf(out,
                "root ::= \"{\\\"calls\\\":[\" (call (\",\" call){0,%d})? "
                "\"]}\"\n",
                EB_CALLS_MAX - 1);
    cJSON_ArrayForEach(v, tools)
    {
        if (v != tools->child)
            eb_buf_adds(&calls, " | ");
        text_call(&g, v, &calls);
    }
    eb_buf_addf(out, "call ::= %s\n",
                tools != NULL ? calls.data
                              : "\"{\\\"tool\\\":\" string "
                                "\",\\\"args\\\":\" object \"}\"");
    eb_buf_adds(out, text_rules);
    eb_buf_free(&calls);
}

/* Guesses */

struct text_guess {
    const char *message; /* numbers are taken from here, in order */
    struct eb_rng *rng;  /* NULL: always the first choice */
};

static double text_guess_number(struct text_guess *w)
{
    size_t n;
    double x;

    w->message += strcspn(w->message, "0123456789");
    n = strspn(w->message, "0123456789");
    if (n == 0)
        return 1;
    x = n < 15 ? strtod(w->message, NULL) : 0;
    w->message += n;
    return (double)(long long)x;
}

static cJSON *text_guess_value(struct text_guess *w, const cJSON *schema,
                               int depth);

static cJSON *text_guess_object(struct text_guess *w, const cJSON *schema,
                                int depth)
{
    cJSON *out = cJSON_CreateObject();
    const cJSON *p;

    cJSON_ArrayForEach(p, text_get(schema, "properties"))
    {
        if (eb_calls_required(schema, p->string) ||
            (w->rng != NULL && eb_rng_below(w->rng, 2) == 0))
            cJSON_AddItemToObject(out, p->string,
                                  text_guess_value(w, p, depth + 1));
    }
    return out;
}

static cJSON *text_guess_string(const struct text_guess *w)
{
    const char *p = w->message;
    char *cut;
    cJSON *v;
    int i;

    for (i = 0; i < 60 && *p != '\0'; i++)
        eb_utf8_next(&p);
    cut = eb_xstrndup(w->message, (size_t)(p - w->message));
    v = cJSON_CreateString(cut);
    free(cut);
    return v;
}

static cJSON *text_guess_value(struct text_guess *w, const cJSON *schema,
                               int depth)
{
    const cJSON *list = text_get(schema, "enum");
    const cJSON *type = text_get(schema, "type");
    const char *t = cJSON_IsString(type) ? type->valuestring : "string";
    int n = cJSON_GetArraySize(list);
    cJSON *v;

    if (n > 0)
        return cJSON_Duplicate(
            cJSON_GetArrayItem(list, w->rng ? eb_rng_index(w->rng, n) : 0), 1);
    if (strcmp(t, "boolean") == 0)
        return cJSON_CreateBool(w->rng == NULL || eb_rng_below(w->rng, 2));
    if (strcmp(t, "integer") == 0 || strcmp(t, "number") == 0)
        return cJSON_CreateNumber(w->rng ? (double)eb_rng_range(w->rng, 0, 100)
                                         : text_guess_number(w));
    if (strcmp(t, "object") == 0 && depth < 12)
        return text_guess_object(w, schema, depth);
    if (strcmp(t, "array") == 0) {
        v = cJSON_CreateArray();
        if (depth < 12 && text_get(schema, "items") != NULL)
            cJSON_AddItemToArray(
                v, text_guess_value(w, text_get(schema, "items"), depth + 1));
        return v;
    }
    return text_guess_string(w);
}

/* The function whose name and description share most words with a text. */
static const cJSON *text_guess_tool(const cJSON *tools, const char *message)
{
    const cJSON *best = tools->child, *v;
    double top = 0, score;
    size_t n, m;
    uint64_t *words = eb_text_tokens(message, &n), *own;

    cJSON_ArrayForEach(v, tools)
    {
        struct eb_buf b = {0};
        const cJSON *what = text_get(v, "description");

        eb_buf_addf(&b, "%s %s", text_get(v, "name")->valuestring,
                    cJSON_IsString(what) ? what->valuestring : "");
        own = eb_text_tokens(b.data, &m);
        score = eb_text_overlap(words, n, own, m);
        if (score > top) {
            top = score;
            best = v;
        }
        free(own);
        eb_buf_free(&b);
    }
    free(words);
    return best;
}

void eb_calls_guess(const struct eb_case *c, enum eb_calls_guess how,
                    struct eb_rng *rng, struct eb_buf *out)
{
    const cJSON *v = text_get(text_get(c->filled, "prompt"), "message");
    struct text_guess w = {cJSON_IsString(v) ? v->valuestring : "", NULL};
    const cJSON *tool = c->tools->child;
    cJSON *args;

    if (how == EB_CALLS_KEYWORD)
        tool = text_guess_tool(c->tools, w.message);
    if (how == EB_CALLS_RANDOM) {
        w.rng = rng;
        tool = cJSON_GetArrayItem(
            c->tools, eb_rng_index(rng, cJSON_GetArraySize(c->tools)));
    }
    args = text_guess_object(&w, text_get(tool, "parameters"), 0);
    eb_buf_addf(out, "{\"calls\":[{\"tool\":\"%s\",\"args\":",
                text_get(tool, "name")->valuestring);
    text_add_json(args, out);
    eb_buf_adds(out, "}]}");
    cJSON_Delete(args);
}
