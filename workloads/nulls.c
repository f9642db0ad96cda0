#include "workloads/nulls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/schema.h"
#include "workloads/text.h"

static void nulls_print(const cJSON *v, struct eb_buf *out)
{
    char *text = cJSON_PrintUnformatted(v);

    eb_buf_adds(out, text != NULL ? text : "");
    free(text);
}

/* The first text of the form of an id field, e.g. LK482915, as a JSON value;
 * null if there is none. */
static cJSON *nulls_find_id(const struct eb_field *f, const char *text)
{
    size_t len = strlen(f->prefix), n;
    const char *p;

    for (p = text; (p = strstr(p, f->prefix)) != NULL; p += len) {
        n = strspn(p + len, "0123456789");
        if (n == (size_t)f->digits) {
            char *id = eb_xstrndup(p, len + n);
            cJSON *v = cJSON_CreateString(id);

            free(id);
            return v;
        }
    }
    return cJSON_CreateNull();
}

/* Any allowed value that needs no reading but for ids: the first of an enum,
 * false, the least number, the whole text. */
static cJSON *nulls_value(const struct eb_field *f, const char *text)
{
    char number[80];
    char *cut;
    const char *p = text;
    cJSON *v;
    int i;

    switch (f->type) {
    case EB_FIELD_ENUM:
        return cJSON_CreateString(f->values[0]);
    case EB_FIELD_BOOL:
        return cJSON_CreateFalse();
    case EB_FIELD_INT:
        return cJSON_CreateNumber((double)f->min);
    case EB_FIELD_STRING:
        for (i = 0; i < f->max_chars && *p != '\0'; i++)
            eb_utf8_next(&p);
        cut = eb_xstrndup(text, (size_t)(p - text));
        v = cJSON_CreateString(cut);
        free(cut);
        return v;
    case EB_FIELD_ID:
        v = nulls_find_id(f, text);
        if (!cJSON_IsNull(v) || f->nullable)
            return v;
        cJSON_Delete(v);
        snprintf(number, sizeof(number), "%.40s%0*d", f->prefix, f->digits, 0);
        return cJSON_CreateString(number);
    case EB_FIELD_SET:
        return cJSON_CreateArray();
    }
    return cJSON_CreateNull();
}

static cJSON *nulls_call(const struct eb_tool *t, const char *text)
{
    cJSON *call = cJSON_CreateObject(), *args;
    size_t i;

    cJSON_AddStringToObject(call, "tool", t->name);
    args = cJSON_AddObjectToObject(call, "args");
    for (i = 0; i < t->n_args; i++)
        cJSON_AddItemToObject(args, t->args[i].name,
                              nulls_value(&t->args[i], text));
    return call;
}

static void nulls_empty(const struct eb_case *c, struct eb_rng *rng,
                        struct eb_buf *out)
{
    (void)c;
    (void)rng;
    eb_buf_adds(out, "");
}

static void nulls_nothing(const struct eb_case *c, struct eb_rng *rng,
                          struct eb_buf *out)
{
    (void)rng;
    if (c->level->kind == EB_KIND_TOOLCALL)
        eb_buf_adds(out, "{\"tool\":\"none\",\"args\":{}}");
    else if (c->level->kind == EB_KIND_GROUNDED)
        eb_buf_adds(out, "{\"answer\":\"\",\"source\":null}");
    else if (c->level->kind == EB_KIND_CALLS)
        eb_buf_adds(out, "{\"calls\":[]}");
    else
        eb_buf_adds(out, "{}");
}

/* Fills "${lang}" and "${<id field>}" in an answer from job.json. */
static void nulls_fill(cJSON *tree, const struct eb_case *c)
{
    cJSON *v, *next;
    size_t i, k;

    for (v = tree->child; v != NULL; v = next) {
        next = v->next;
        if (!cJSON_IsString(v)) {
            nulls_fill(v, c);
        } else if (strcmp(v->valuestring, "${lang}") == 0) {
            cJSON_SetValuestring(v, c->item->lang);
        } else if (v->string != NULL && strncmp(v->valuestring, "${", 2) == 0) {
            cJSON *id = NULL;

            for (i = 0; i < c->level->n_tools && id == NULL; i++) {
                const struct eb_tool *t = c->level->tools[i];

                for (k = 0; k < t->n_args && id == NULL; k++) {
                    if (t->args[k].type == EB_FIELD_ID &&
                        strcmp(t->args[k].name, v->string) == 0)
                        id = nulls_find_id(&t->args[k], c->user);
                }
            }
            if (id != NULL) {
                id->string = eb_xstrdup(v->string);
                cJSON_ReplaceItemViaPointer(tree, v, id);
            }
        }
    }
}

static void nulls_fixed(const struct eb_case *c, const char *which,
                        struct eb_buf *out)
{
    cJSON *v = cJSON_Duplicate(
        cJSON_GetObjectItemCaseSensitive(c->level->nulls, which), 1);

    if (v != NULL) {
        nulls_fill(v, c);
        nulls_print(v, out);
    }
    cJSON_Delete(v);
}

static void nulls_refuse(const struct eb_case *c, struct eb_rng *rng,
                         struct eb_buf *out)
{
    (void)rng;
    nulls_fixed(c, "refuse", out);
}

static void nulls_escalate(const struct eb_case *c, struct eb_rng *rng,
                           struct eb_buf *out)
{
    (void)rng;
    nulls_fixed(c, "escalate", out);
}

/* The most frequent text of golds of this level and language: whole objects
 * for json, the tool's name for toolcall, the source for grounded. */
static const cJSON *nulls_gold_part(const struct eb_case *c,
                                    const struct eb_item *it)
{
    const cJSON *gold = cJSON_GetObjectItemCaseSensitive(it->json, "gold");

    if (c->level->kind == EB_KIND_TOOLCALL)
        return cJSON_GetObjectItemCaseSensitive(gold, "tool");
    if (c->level->kind == EB_KIND_GROUNDED)
        return cJSON_GetObjectItemCaseSensitive(gold, "source");
    return gold;
}

static uint64_t nulls_hash(const cJSON *v)
{
    char *text = cJSON_PrintUnformatted(v);
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, 64 bit */
    const char *p;

    for (p = text; p != NULL && *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    free(text);
    return h;
}

struct nulls_count {
    uint64_t hash;
    const cJSON *part;
};

static int nulls_cmp(const void *a, const void *b)
{
    const struct nulls_count *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static const cJSON *nulls_most_frequent(const struct eb_case *c)
{
    const struct eb_level *l = c->level;
    struct nulls_count *v = eb_xcalloc(l->n_items + 1, sizeof(*v));
    const cJSON *best = NULL;
    size_t n = 0, most = 0, run = 0, i;

    for (i = 0; i < l->n_items; i++) {
        if (strcmp(l->items[i].lang, c->item->lang) != 0)
            continue;
        v[n].part = nulls_gold_part(c, &l->items[i]);
        v[n].hash = nulls_hash(v[n].part);
        n++;
    }
    qsort(v, n, sizeof(*v), nulls_cmp);
    for (i = 0; i < n; i++) {
        run = i > 0 && v[i].hash == v[i - 1].hash ? run + 1 : 1;
        if (run > most) {
            most = run;
            best = v[i].part;
        }
    }
    free(v);
    return best;
}

static const char *nulls_passage(const struct eb_case *c)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->filled, "prompt");

    v = cJSON_GetObjectItemCaseSensitive(v, "passage");
    return cJSON_IsString(v) ? v->valuestring : c->user;
}

static void nulls_grounded(const struct eb_case *c, const char *answer,
                           cJSON *source, struct eb_buf *out)
{
    cJSON *v = cJSON_CreateObject();

    cJSON_AddItemToObject(v, "answer",
                          nulls_value(&c->level->fields[0], answer));
    cJSON_AddItemToObject(v, "source", source);
    nulls_print(v, out);
    cJSON_Delete(v);
}

static void nulls_majority(const struct eb_case *c, struct eb_rng *rng,
                           struct eb_buf *out)
{
    const cJSON *best;
    const struct eb_tool *t;
    cJSON *call;

    /* No function is frequent where each item has its own. */
    if (c->level->kind == EB_KIND_CALLS) {
        eb_calls_guess(c, EB_CALLS_FIRST, rng, out);
        return;
    }
    best = nulls_most_frequent(c);
    if (best == NULL)
        return;
    if (c->level->kind == EB_KIND_TOOLCALL) {
        t = eb_level_tool(c->level, best->valuestring);
        call = nulls_call(t, c->user);
        nulls_print(call, out);
        cJSON_Delete(call);
    } else if (c->level->kind == EB_KIND_GROUNDED) {
        nulls_grounded(c, nulls_passage(c), cJSON_Duplicate(best, 1), out);
    } else {
        nulls_print(best, out);
    }
}

/* The line of a text whose words overlap most with the words of the message.
 * Lines without the separator are passed over. */
struct nulls_line {
    char *head; /* before the separator, NULL: none found */
    char *line;
};

static double nulls_score(const char *line, const uint64_t *words, size_t n)
{
    size_t n_line;
    uint64_t *tokens = eb_text_tokens(line, &n_line);
    double score = eb_text_overlap(tokens, n_line, words, n);

    free(tokens);
    return score;
}

/* Labels of public data have capitals, hyphens and question marks. */
#define NULLS_HEAD                                                             \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-?"

/* First token of a line after an optional '[': a label, tool or section. */
static char *nulls_head(const char *line)
{
    const char *p = line + (*line == '[');

    return eb_xstrndup(p, strspn(p, NULLS_HEAD));
}

static struct nulls_line
nulls_best_line(const struct eb_case *c, const char *text,
                int (*known)(const struct eb_case *, const char *))
{
    const cJSON *parts = cJSON_GetObjectItemCaseSensitive(c->filled, "prompt");
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(parts, "message");
    struct nulls_line best = {0};
    double top = 0;
    size_t n, len;
    uint64_t *words =
        eb_text_tokens(cJSON_IsString(v) ? v->valuestring : "", &n);

    for (; *text != '\0'; text += len + (text[len] == '\n')) {
        struct nulls_line one;
        double score;

        len = strcspn(text, "\n");
        one.line = eb_xstrndup(text, len);
        one.head = nulls_head(one.line);
        score = known(c, one.head) ? nulls_score(one.line, words, n) : -1;
        if (score > top || (best.head == NULL && score >= 0)) {
            free(best.head);
            free(best.line);
            best = one;
            top = score;
        } else {
            free(one.head);
            free(one.line);
        }
    }
    free(words);
    return best;
}

static int nulls_is_label(const struct eb_case *c, const char *head)
{
    const struct eb_field *f = &c->level->fields[0];
    size_t i;

    for (i = 0; i < f->n_values; i++) {
        if (strcmp(f->values[i], head) == 0)
            return 1;
    }
    return 0;
}

static int nulls_is_tool(const struct eb_case *c, const char *head)
{
    return eb_level_tool(c->level, head) != NULL;
}

static int nulls_is_section(const struct eb_case *c, const char *head)
{
    (void)c;
    return *head != '\0';
}

static cJSON *nulls_label(const struct eb_field *f, const char *label)
{
    return f->type == EB_FIELD_SET ? cJSON_CreateStringArray(&label, 1)
                                   : cJSON_CreateString(label);
}

/* The definition in the clear prompt that shares most words with the
 * message; for grounded the policy line that does, whole. */
static void nulls_keyword(const struct eb_case *c, struct eb_rng *rng,
                          struct eb_buf *out)
{
    const struct eb_level *l = c->level;
    const char *text =
        l->prompts[EB_PROMPT_CLEAR][eb_suite_lang(c->suite, c->item->lang)];
    struct nulls_line best = {0};
    cJSON *v;

    if (l->kind == EB_KIND_CALLS) {
        eb_calls_guess(c, EB_CALLS_KEYWORD, rng, out);
    } else if (l->kind == EB_KIND_GROUNDED) {
        best = nulls_best_line(c, nulls_passage(c), nulls_is_section);
        nulls_grounded(c, best.line != NULL ? best.line : "",
                       best.head != NULL ? cJSON_CreateString(best.head)
                                         : cJSON_CreateNull(),
                       out);
    } else if (l->kind == EB_KIND_TOOLCALL) {
        best = nulls_best_line(c, text, nulls_is_tool);
        v = nulls_call(best.head != NULL ? eb_level_tool(l, best.head)
                                         : l->tools[0],
                       c->user);
        nulls_print(v, out);
        cJSON_Delete(v);
    } else {
        /* The other fields as in the most frequent answer. */
        const cJSON *most = nulls_most_frequent(c);

        best = nulls_best_line(c, text, nulls_is_label);
        v = cJSON_Duplicate(most, 1);
        if (v != NULL && best.head != NULL)
            cJSON_ReplaceItemInObjectCaseSensitive(
                v, l->fields[0].name, nulls_label(&l->fields[0], best.head));
        nulls_print(v, out);
        cJSON_Delete(v);
    }
    free(best.head);
    free(best.line);
}

/* The passage, or whatever text was shown, as far as it fits. */
static void nulls_copy(const struct eb_case *c, struct eb_rng *rng,
                       struct eb_buf *out)
{
    const char *passage = nulls_passage(c);
    char *head;

    (void)rng;
    if (c->level->kind != EB_KIND_GROUNDED) {
        eb_buf_adds(out, c->user);
        return;
    }
    head = nulls_head(passage);
    nulls_grounded(
        c, passage,
        *head != '\0' ? cJSON_CreateString(head) : cJSON_CreateNull(), out);
    free(head);
}

static cJSON *nulls_random_value(const struct eb_field *f, struct eb_rng *rng)
{
    char text[80];
    int i, n;

    if (f->nullable && eb_rng_below(rng, 2) == 0)
        return cJSON_CreateNull();
    switch (f->type) {
    case EB_FIELD_ENUM:
        return cJSON_CreateString(f->values[eb_rng_below(rng, f->n_values)]);
    case EB_FIELD_BOOL:
        return cJSON_CreateBool((cJSON_bool)eb_rng_below(rng, 2));
    case EB_FIELD_INT:
        return cJSON_CreateNumber((double)eb_rng_range(rng, f->min, f->max));
    case EB_FIELD_ID:
        n = snprintf(text, sizeof(text), "%.40s", f->prefix);
        for (i = 0; i < f->digits; i++)
            text[n++] = (char)('0' + eb_rng_below(rng, 10));
        text[n] = '\0';
        return cJSON_CreateString(text);
    case EB_FIELD_STRING:
        n = 1 + (int)eb_rng_below(
                    rng, f->max_chars < 40 ? (uint64_t)f->max_chars : 40);
        for (i = 0; i < n; i++)
            text[i] = (char)(' ' + eb_rng_below(rng, 95));
        text[n] = '\0';
        return cJSON_CreateString(text);
    case EB_FIELD_SET:
        return cJSON_CreateStringArray(
            &f->values[eb_rng_below(rng, f->n_values)], 1);
    }
    return cJSON_CreateNull();
}

static void nulls_random(const struct eb_case *c, struct eb_rng *rng,
                         struct eb_buf *out)
{
    const struct eb_level *l = c->level;
    const struct eb_field *fields = l->fields;
    size_t n = l->n_fields, i;
    cJSON *v, *in;

    if (l->kind == EB_KIND_CALLS) {
        eb_calls_guess(c, EB_CALLS_RANDOM, rng, out);
        return;
    }
    in = v = cJSON_CreateObject();
    if (l->kind == EB_KIND_TOOLCALL) {
        const struct eb_tool *t = l->tools[eb_rng_below(rng, l->n_tools)];

        cJSON_AddStringToObject(v, "tool", t->name);
        in = cJSON_AddObjectToObject(v, "args");
        fields = t->args;
        n = t->n_args;
    }
    for (i = 0; i < n; i++)
        cJSON_AddItemToObject(in, fields[i].name,
                              nulls_random_value(&fields[i], rng));
    nulls_print(v, out);
    cJSON_Delete(v);
}

const struct eb_null eb_nulls[] = {
    {"empty", "says nothing at all", nulls_empty},
    {"do-nothing", "the empty answer, no call, no source", nulls_nothing},
    {"always-refuse", "not our job, not in the policy", nulls_refuse},
    {"always-escalate", "hands everything to a person", nulls_escalate},
    {"majority", "the most frequent gold of the level", nulls_majority},
    {"keyword", "the definition or policy line with most common words",
     nulls_keyword},
    {"copy-policy", "repeats the text it was shown", nulls_copy},
    {"random-json", "a random answer of the right form", nulls_random},
    {0}};

/* Key */

static cJSON *nulls_key_value(const struct eb_case *c, const struct eb_field *f,
                              const cJSON *gold, const char *prefix)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(gold, f->name);
    enum eb_comparator cmp;
    char path[96];

    snprintf(path, sizeof(path), "%s%s", prefix, f->name);
    cmp = eb_comparator_of(c->comparators, path);
    if (cmp == EB_CMP_ANY_OF && cJSON_IsArray(v))
        v = cJSON_GetArrayItem(v, 0);
    if (v == NULL && cmp == EB_CMP_IGNORE)
        return nulls_value(f, c->user);
    return v != NULL ? cJSON_Duplicate(v, 1) : cJSON_CreateNull();
}

static void nulls_key_fields(const struct eb_case *c,
                             const struct eb_field *fields, size_t n,
                             const cJSON *gold, const char *prefix, cJSON *out)
{
    size_t i;

    for (i = 0; i < n; i++)
        cJSON_AddItemToObject(out, fields[i].name,
                              nulls_key_value(c, &fields[i], gold, prefix));
}

void eb_null_key(const struct eb_case *c, struct eb_buf *out)
{
    const struct eb_level *l = c->level;
    const cJSON *group, *name;
    const struct eb_tool *t;
    struct eb_buf answer = {0};
    cJSON *v = cJSON_CreateObject(), *args;

    if (l->kind == EB_KIND_JSON) {
        nulls_key_fields(c, l->fields, l->n_fields, c->gold, "", v);
    } else if (l->kind == EB_KIND_TOOLCALL) {
        name = cJSON_GetObjectItemCaseSensitive(c->gold, "tool");
        t = eb_level_tool(l, name->valuestring);
        cJSON_AddStringToObject(v, "tool", t->name);
        args = cJSON_AddObjectToObject(v, "args");
        nulls_key_fields(c, t->args, t->n_args,
                         cJSON_GetObjectItemCaseSensitive(c->gold, "args"),
                         "args.", args);
    } else if (l->kind == EB_KIND_GROUNDED) {
        cJSON_ArrayForEach(group, c->must)
            eb_buf_addf(&answer, "%s%s", answer.len > 0 ? "; " : "",
                        cJSON_GetArrayItem(group, 0)->valuestring);
        cJSON_AddStringToObject(v, "answer",
                                answer.len > 0 ? answer.data : "-");
        nulls_key_fields(c, &l->fields[1], 1, c->gold, "", v);
    } else if (l->kind == EB_KIND_CALLS) {
        cJSON_Delete(v);
        v = eb_calls_key(c->tools, c->gold);
    }
    nulls_print(v, out);
    cJSON_Delete(v);
    eb_buf_free(&answer);
}
