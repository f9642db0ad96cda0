/* items-<level>.jsonl into structs (workloads/custsvc/FORMAT.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/schema.h"
#include "workloads/slots.h"
#include "workloads/suite_parts.h"

#define ITEM_KEYS                                                              \
    "id pair_id lang cluster level capability stratum prompt slots gold "      \
    "comparators must must_not"
#define CALLS_KEYS                                                             \
    "id pair_id lang cluster level capability stratum prompt tools gold "      \
    "must_not"

static int item_names(const struct eb_suite *s, const struct eb_level *l,
                      struct eb_item *it, const struct eb_read *r)
{
    const char *level = NULL;
    char id[EB_READ_PATH];
    size_t i;
    int rc = eb_read_str(r, it->json, "$", "id", &it->id);

    if (rc == 0)
        rc = eb_read_str(r, it->json, "$", "pair_id", &it->pair_id);
    if (rc == 0)
        rc = eb_read_str(r, it->json, "$", "lang", &it->lang);
    if (rc == 0)
        rc = eb_read_str(r, it->json, "$", "cluster", &it->cluster);
    if (rc == 0)
        rc = eb_read_str(r, it->json, "$", "level", &level);
    if (rc == 0)
        rc = eb_read_str(r, it->json, "$", "capability", &it->capability);
    if (rc == 0)
        rc = eb_read_str(r, it->json, "$", "stratum", &it->stratum);
    if (rc != 0)
        return rc;
    if (eb_suite_lang(s, it->lang) < 0)
        return eb_read_fail(r, "$.lang", "\"%.20s\" is not in job.json",
                            it->lang);
    if (strcmp(level, l->name) != 0)
        return eb_read_fail(r, "$.level", "expected \"%s\", got \"%.40s\"",
                            l->name, level);
    if (strncmp(it->pair_id, l->name, strlen(l->name)) != 0 ||
        it->pair_id[strlen(l->name)] != '-')
        return eb_read_fail(r, "$.pair_id", "expected %s-<nnn>, got \"%.60s\"",
                            l->name, it->pair_id);
    snprintf(id, sizeof(id), "%.80s-%s", it->pair_id, it->lang);
    if (strcmp(id, it->id) != 0)
        return eb_read_fail(r, "$.id", "expected \"%s\", got \"%.60s\"", id,
                            it->id);
    for (i = 0; i < l->n_capabilities; i++) {
        if (strcmp(l->capabilities[i], it->capability) == 0)
            return 0;
    }
    return eb_read_fail(r, "$.capability",
                        "\"%.40s\" is not a capability of %s in job.json",
                        it->capability, l->name);
}

/* message always; other parts if the level's text around them names them. */
static int item_prompt(const struct eb_suite *s, const struct eb_level *l,
                       const struct eb_item *it, const struct eb_read *r)
{
    const char *user = l->user[eb_suite_lang(s, it->lang)], *text;
    const cJSON *prompt, *v;
    char place[64], path[EB_READ_PATH];
    int rc = eb_read_obj(r, it->json, "$", "prompt", &prompt);

    if (rc == 0)
        rc = eb_read_str(r, prompt, "$.prompt", "message", &text);
    if (rc == 0 && l->kind == EB_KIND_GROUNDED)
        rc = eb_read_str(r, prompt, "$.prompt", "passage", &text);
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(v, prompt)
    {
        snprintf(place, sizeof(place), "{%.50s}", v->string);
        snprintf(path, sizeof(path), "$.prompt.%.60s", v->string);
        if (!cJSON_IsString(v) || v->valuestring[0] == '\0')
            return eb_read_fail(r, path, "expected a string with text");
        if (strcmp(v->string, "message") == 0)
            continue;
        if (user == NULL || strstr(user, place) == NULL)
            return eb_read_fail(r, path, "%s has no place for it (user)",
                                l->name);
    }
    return 0;
}

static int item_uses(const cJSON *tree, const char *place)
{
    const cJSON *v;

    if (cJSON_IsString(tree))
        return strstr(tree->valuestring, place) != NULL;
    cJSON_ArrayForEach(v, tree)
    {
        if (v->string != NULL && strcmp(v->string, "slots") == 0)
            continue;
        if (item_uses(v, place))
            return 1;
    }
    return 0;
}

static int item_slots(const struct eb_item *it, const struct eb_read *r)
{
    const cJSON *slots = cJSON_GetObjectItemCaseSensitive(it->json, "slots");
    const cJSON *v;
    char place[64], path[EB_READ_PATH];

    if (slots != NULL && !cJSON_IsObject(slots))
        return eb_read_fail(r, "$.slots", "expected an object");
    if (cJSON_GetArraySize(slots) > EB_SLOTS_MAX)
        return eb_read_fail(r, "$.slots", "more than %d", EB_SLOTS_MAX);
    cJSON_ArrayForEach(v, slots)
    {
        snprintf(path, sizeof(path), "$.slots.%.60s", v->string);
        if (!cJSON_IsString(v) || !eb_slot_known(v->valuestring))
            return eb_read_fail(r, path, "unknown generator");
        snprintf(place, sizeof(place), "${%.50s}", v->string);
        if (!item_uses(it->json, place))
            return eb_read_fail(r, path, "%s is not used", place);
    }
    return 0;
}

static int item_words(const cJSON *arr, const struct eb_read *r,
                      const char *path, int nested)
{
    char sub[EB_READ_PATH];
    const cJSON *v;
    int i = 0, rc = 0;

    if (arr == NULL)
        return 0;
    if (!cJSON_IsArray(arr))
        return eb_read_fail(r, path, "expected an array");
    cJSON_ArrayForEach(v, arr)
    {
        snprintf(sub, sizeof(sub), "%.80s[%d]", path, i++);
        if (nested && cJSON_GetArraySize(v) == 0)
            return eb_read_fail(r, sub, "expected an array of texts");
        if (nested)
            rc = item_words(v, r, sub, 0);
        else if (!cJSON_IsString(v) || v->valuestring[0] == '\0')
            rc = eb_read_fail(r, sub, "expected a string with text");
        if (rc != 0)
            return rc;
    }
    return 0;
}

static const struct eb_field *item_field(const struct eb_level *l,
                                         const cJSON *gold, const char *path)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(gold, "tool");
    const struct eb_tool *tool;

    if (l->kind != EB_KIND_TOOLCALL)
        return eb_field_find(l->fields, l->n_fields, path);
    if (!cJSON_IsString(name) || strncmp(path, "args.", 5) != 0)
        return NULL;
    tool = eb_level_tool(l, name->valuestring);
    if (tool == NULL)
        return NULL;
    return eb_field_find(tool->args, tool->n_args, path + 5);
}

static int item_comparators(const struct eb_level *l, const struct eb_item *it,
                            const struct eb_read *r)
{
    const cJSON *cmp =
        cJSON_GetObjectItemCaseSensitive(it->json, "comparators");
    const cJSON *gold = cJSON_GetObjectItemCaseSensitive(it->json, "gold");
    const cJSON *v;
    char path[EB_READ_PATH];

    if (cmp != NULL && !cJSON_IsObject(cmp))
        return eb_read_fail(r, "$.comparators", "expected an object");
    cJSON_ArrayForEach(v, cmp)
    {
        snprintf(path, sizeof(path), "$.comparators.%.60s", v->string);
        if (!cJSON_IsString(v) || eb_comparator_parse(v->valuestring) < 0)
            return eb_read_fail(r, path,
                                "expected exact, fold, number, any_of or "
                                "ignore");
        if (item_field(l, gold, v->string) == NULL)
            return eb_read_fail(r, path, "the gold has no such field");
    }
    return 0;
}

/* The gold with its slots filled, by the rules its kind has for outputs. */
static int item_gold(const struct eb_level *l, const struct eb_read *r,
                     const cJSON *filled)
{
    const cJSON *gold, *cmp, *args;
    const struct eb_tool *tool;
    const char *name = NULL;
    char why[EB_WHY_LEN] = "";
    int rc = eb_read_obj(r, filled, "$", "gold", &gold);

    if (rc != 0)
        return rc;
    cmp = cJSON_GetObjectItemCaseSensitive(filled, "comparators");
    if (l->kind == EB_KIND_JSON) {
        rc = eb_object_check(l->fields, l->n_fields, gold, cmp, "", why);
        return rc == 0 ? 0 : eb_read_fail(r, "$.gold", "%s", why);
    }
    if (l->kind == EB_KIND_GROUNDED) {
        if (cJSON_GetObjectItemCaseSensitive(gold, "source") == NULL)
            return eb_read_fail(r, "$.gold", "\"source\" is missing");
        rc = eb_object_check(&l->fields[1], 1, gold, cmp, "", why);
        return rc == 0 ? 0 : eb_read_fail(r, "$.gold", "%s", why);
    }
    rc = eb_read_keys(r, gold, "$.gold", "tool args");
    if (rc == 0)
        rc = eb_read_str(r, gold, "$.gold", "tool", &name);
    if (rc == 0)
        rc = eb_read_obj(r, gold, "$.gold", "args", &args);
    if (rc != 0)
        return rc;
    tool = eb_level_tool(l, name);
    if (tool == NULL)
        return eb_read_fail(r, "$.gold.tool", "\"%.40s\" is not a tool of %s",
                            name, l->name);
    if (eb_object_check(tool->args, tool->n_args, args, cmp, "args.", why))
        return eb_read_fail(r, "$.gold.args", "%s", why);
    return 0;
}

static int item_filled(const struct eb_suite *s, const struct eb_level *l,
                       const struct eb_item *it, const struct eb_read *r)
{
    const cJSON *slots = cJSON_GetObjectItemCaseSensitive(it->json, "slots");
    struct eb_slots drawn;
    struct eb_err why = {0};
    cJSON *tree = cJSON_Duplicate(it->json, 1);
    int rc =
        eb_slots_draw(&drawn, slots, it->lang, it->pair_id, 1, s->today, &why);

    if (rc == 0)
        rc = eb_slots_fill(tree, &drawn, &why);
    if (rc != 0)
        rc = eb_read_fail(r, "$", "%s", why.msg);
    else if (l->kind != EB_KIND_DIALOG)
        rc = item_gold(l, r, tree);
    cJSON_Delete(tree);
    return rc;
}

/* calls: the item's functions and a gold that can be said with them. */
static int item_calls(const struct eb_level *l, const struct eb_item *it,
                      const struct eb_read *r)
{
    const cJSON *prompt = cJSON_GetObjectItemCaseSensitive(it->json, "prompt");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(it->json, "tools");
    const cJSON *gold = NULL;
    char why[EB_CALLS_WHY];
    cJSON *tools;
    int rc = eb_read_keys(r, it->json, "$", CALLS_KEYS);

    if (rc == 0 && cJSON_HasObjectItem(prompt, "tools"))
        rc = eb_read_fail(r, "$.prompt.tools", "made from $.tools");
    if (rc == 0 && eb_calls_check_tools(list, l->functions, why) != 0)
        rc = eb_read_fail(r, "$.tools", "%s", why);
    if (rc == 0)
        rc = eb_read_obj(r, it->json, "$", "gold", &gold);
    if (rc != 0)
        return rc;
    tools = eb_calls_tools(list, l->functions);
    if (eb_calls_check_gold(tools, gold, why) != 0)
        rc = eb_read_fail(r, "$.gold", "%s", why);
    cJSON_Delete(tools);
    return rc;
}

static int item_check(const struct eb_suite *s, const struct eb_level *l,
                      struct eb_item *it, const struct eb_read *r)
{
    const cJSON *must = cJSON_GetObjectItemCaseSensitive(it->json, "must");
    const cJSON *not = cJSON_GetObjectItemCaseSensitive(it->json, "must_not");
    int rc;

    if (!cJSON_IsObject(it->json))
        return eb_read_fail(r, "$", "expected an object");
    rc = item_names(s, l, it, r);
    if (rc == 0)
        rc = item_slots(it, r);
    if (rc == 0)
        rc = item_words(must, r, "$.must", 1);
    if (rc == 0)
        rc = item_words(not, r, "$.must_not", 0);
    if (l->kind == EB_KIND_CALLS) {
        if (rc == 0)
            rc = item_prompt(s, l, it, r);
        return rc == 0 ? item_calls(l, it, r) : rc;
    }
    /* What else a conversation needs is the business of its own code. */
    if (rc == 0 && l->kind != EB_KIND_DIALOG)
        rc = eb_read_keys(r, it->json, "$", ITEM_KEYS);
    if (rc == 0 && l->kind != EB_KIND_DIALOG)
        rc = item_prompt(s, l, it, r);
    if (rc == 0 && l->kind != EB_KIND_DIALOG)
        rc = item_comparators(l, it, r);
    if (rc == 0)
        rc = item_filled(s, l, it, r);
    return rc;
}

static int item_line(struct eb_suite *s, struct eb_level *l, const char *text,
                     size_t len, struct eb_read *r)
{
    struct eb_item *it;
    struct eb_err why = {0};
    char where[EB_READ_PATH];
    int rc;

    if (strspn(text, " \t\r") >= len)
        return eb_read_fail(r, "$", "empty line");
    l->items = eb_xrealloc(l->items, l->n_items + 1, sizeof(*l->items));
    it = &l->items[l->n_items++];
    memset(it, 0, sizeof(*it));
    it->line = r->line;
    snprintf(where, sizeof(where), "%.100s:%d", r->file, r->line);
    rc = eb_json_parse(text, len, where, &it->json, &why);
    if (rc != 0)
        return eb_fail(r->err, rc, "%s", why.msg);
    return item_check(s, l, it, r);
}

static int item_cmp_id(const void *a, const void *b)
{
    return strcmp((*(const struct eb_item *const *)a)->id,
                  (*(const struct eb_item *const *)b)->id);
}

static int item_unique(const struct eb_level *l, struct eb_read *r)
{
    const struct eb_item **v =
        eb_xcalloc(l->n_items + 1, sizeof(struct eb_item *));
    size_t i;
    int rc = 0;

    for (i = 0; i < l->n_items; i++)
        v[i] = &l->items[i];
    qsort(v, l->n_items, sizeof(struct eb_item *), item_cmp_id);
    for (i = 1; rc == 0 && i < l->n_items; i++) {
        if (strcmp(v[i - 1]->id, v[i]->id) != 0)
            continue;
        r->line = v[i]->line > v[i - 1]->line ? v[i]->line : v[i - 1]->line;
        rc = eb_read_fail(r, "$.id", "\"%.60s\" stands twice", v[i]->id);
    }
    free(v);
    return rc;
}

int eb_suite_read_items(struct eb_suite *s, struct eb_level *level,
                        struct eb_err *err)
{
    char *path = eb_fs_join(s->dir, level->items_file);
    struct eb_read r = {.file = level->items_file, .err = err};
    struct eb_buf b = {0};
    const char *p, *end;
    int rc = eb_fs_read(path, EB_SUITE_FILE_MAX, &b, err);

    if (strlen(path) < EB_READ_PATH)
        r.file = path;
    for (p = b.data; rc == 0 && p != NULL && *p != '\0'; p = end + 1) {
        end = strchr(p, '\n');
        r.line++;
        if (end == NULL) {
            rc = eb_read_fail(&r, "$", "the last line has no line end");
            break;
        }
        rc = item_line(s, level, p, (size_t)(end - p), &r);
    }
    if (rc == 0 && strlen(b.data != NULL ? b.data : "") != b.len)
        rc = eb_read_fail(&r, "$", "NUL byte");
    if (rc == 0)
        rc = item_unique(level, &r);
    eb_buf_free(&b);
    free(path);
    return rc;
}
