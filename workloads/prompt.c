#include "workloads/prompt.h"

#include <string.h>

#include "workloads/calls.h"

static const char *prompt_part(const cJSON *parts, const char *name, size_t len)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, parts)
    {
        if (cJSON_IsString(v) && strlen(v->string) == len &&
            memcmp(v->string, name, len) == 0)
            return v->valuestring;
    }
    return "";
}

void eb_prompt_user(const char *template, const cJSON *parts,
                    struct eb_buf *out)
{
    const char *p = template, *open, *close;

    if (template == NULL || cJSON_GetArraySize(parts) < 2) {
        eb_buf_adds(out, prompt_part(parts, "message", 7));
        return;
    }
    while ((open = strchr(p, '{')) != NULL &&
           (close = strchr(open, '}')) != NULL) {
        eb_buf_add(out, p, (size_t)(open - p));
        eb_buf_adds(out,
                    prompt_part(parts, open + 1, (size_t)(close - open - 1)));
        p = close + 1;
    }
    eb_buf_adds(out, p);
}

/* Grammar */

/* A GBNF literal for JSON text: quotes and backslashes escaped. */
static void prompt_literal(struct eb_buf *out, const char *text)
{
    eb_buf_addc(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            eb_buf_addc(out, '\\');
        eb_buf_addc(out, *text);
    }
    eb_buf_addc(out, '"');
}

/* ... as a literal that is a JSON string itself. */
static void prompt_quoted(struct eb_buf *out, const char *text)
{
    struct eb_buf json = {0};

    eb_buf_addf(&json, "\"%s\"", text);
    prompt_literal(out, json.data);
    eb_buf_free(&json);
}

static void prompt_number(const struct eb_field *f, struct eb_buf *out)
{
    long long most = f->max > -f->min ? f->max : -f->min;
    int digits = 1;

    for (; most >= 10; most /= 10)
        digits++;
    eb_buf_addf(out, "%s(\"0\" | [1-9] [0-9]{0,%d})",
                f->min < 0 ? "\"-\"? " : "", digits - 1);
}

static void prompt_values(const struct eb_field *f, struct eb_buf *out)
{
    size_t i;

    for (i = 0; i < f->n_values; i++) {
        if (i > 0)
            eb_buf_adds(out, " | ");
        prompt_quoted(out, f->values[i]);
    }
}

/* A repeat without a bound: a bound would copy the values that many times,
 * and max_tokens is one. That no value comes twice is left to the model. */
static void prompt_set(const struct eb_field *f, struct eb_buf *out)
{
    eb_buf_adds(out, "\"[\" ((");
    prompt_values(f, out);
    eb_buf_adds(out, ") (\",\" (");
    prompt_values(f, out);
    eb_buf_adds(out, "))*)? \"]\"");
}

/* The alternatives of one value, in parentheses. */
static void prompt_value(const struct eb_field *f, struct eb_buf *out)
{
    eb_buf_addc(out, '(');
    switch (f->type) {
    case EB_FIELD_ENUM:
        prompt_values(f, out);
        break;
    case EB_FIELD_BOOL:
        eb_buf_adds(out, "\"true\" | \"false\"");
        break;
    case EB_FIELD_INT:
        prompt_number(f, out);
        break;
    case EB_FIELD_STRING:
        eb_buf_addf(out, "\"\\\"\" char{%d,%d} \"\\\"\"", 1, f->max_chars);
        break;
    case EB_FIELD_ID:
        eb_buf_addf(out, "\"\\\"%s\" [0-9]{%d} \"\\\"\"", f->prefix, f->digits);
        break;
    case EB_FIELD_SET:
        prompt_set(f, out);
        break;
    }
    if (f->nullable)
        eb_buf_adds(out, " | \"null\"");
    eb_buf_addc(out, ')');
}

/* "{" key value "," ... "}" as a sequence of symbols. */
static void prompt_object(const struct eb_field *fields, size_t n,
                          struct eb_buf *out)
{
    struct eb_buf key = {0};
    size_t i;

    if (n == 0) {
        eb_buf_adds(out, "\"{}\"");
        return;
    }
    for (i = 0; i < n; i++) {
        eb_buf_reset(&key);
        eb_buf_addf(&key, "%s\"%s\":", i == 0 ? "{" : ",", fields[i].name);
        prompt_literal(out, key.data);
        eb_buf_addc(out, ' ');
        prompt_value(&fields[i], out);
        eb_buf_addc(out, ' ');
    }
    eb_buf_adds(out, "\"}\"");
    eb_buf_free(&key);
}

static void prompt_calls(const struct eb_level *level, struct eb_buf *out)
{
    size_t i;

    for (i = 0; i < level->n_tools; i++) {
        const struct eb_tool *t = level->tools[i];

        eb_buf_addf(out, "%s\n    ", i > 0 ? " |" : "");
        eb_buf_addf(out, "\"{\\\"tool\\\":\\\"%s\\\",\\\"args\\\":\" ",
                    t->name);
        prompt_object(t->args, t->n_args, out);
        eb_buf_adds(out, " \"}\"");
    }
}

void eb_prompt_case_grammar(const struct eb_case *c, struct eb_buf *out)
{
    if (c->level->kind == EB_KIND_CALLS)
        eb_calls_grammar(c->tools, out);
    else
        eb_prompt_grammar(c->level, out);
}

void eb_prompt_grammar(const struct eb_level *level, struct eb_buf *out)
{
    if (level->kind == EB_KIND_CALLS) {
        eb_calls_grammar(NULL, out);
        return;
    }
    eb_buf_adds(out, "root ::= ");
    switch (level->kind) {
    case EB_KIND_JSON:
    case EB_KIND_GROUNDED:
        prompt_object(level->fields, level->n_fields, out);
        break;
    case EB_KIND_DIALOG:
        eb_buf_addf(out, "\"{\\\"say\\\":\\\"\" char{1,%d} \"\\\"}\" |",
                    EB_PROMPT_SAY_MAX);
        prompt_calls(level, out);
        break;
    case EB_KIND_TOOLCALL:
        prompt_calls(level, out);
        break;
    case EB_KIND_CALLS:
        return; /* above */
    }
    eb_buf_adds(out, "\nchar ::= [^\"\\\\\\x00-\\x1F\\x7F] | "
                     "\"\\\\\" [\"\\\\/bnt]\n");
}
