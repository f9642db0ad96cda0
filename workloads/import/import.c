#include "workloads/import/import.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "workloads/check.h"
#include "workloads/import/import_parts.h"

const struct eb_importer *eb_importer_find(const char *name)
{
    size_t i;

    for (i = 0; eb_importers[i] != NULL; i++) {
        if (strcmp(eb_importers[i]->name, name) == 0)
            return eb_importers[i];
    }
    return NULL;
}

void eb_import_set_text(struct eb_import_suite *s, const char *name,
                        const char *title, const char *source,
                        const char *licence)
{
    free(s->name);
    free(s->title);
    free(s->source);
    free(s->licence);
    s->name = eb_xstrdup(name);
    s->title = eb_xstrdup(title);
    s->source = eb_xstrdup(source);
    s->licence = eb_xstrdup(licence);
}

void eb_import_add_tool(struct eb_import_suite *s, cJSON *tool)
{
    const char *name = eb_json_get_str(tool, "name", "");
    const cJSON *v;

    if (s->tools == NULL)
        s->tools = cJSON_CreateArray();
    cJSON_ArrayForEach(v, s->tools)
    {
        if (strcmp(eb_json_get_str(v, "name", ""), name) == 0) {
            cJSON_Delete(tool);
            return;
        }
    }
    cJSON_AddItemToArray(s->tools, tool);
}

/* The level of a name, made at first mention; NULL if there are too many. */
static struct import_level *import_level(struct eb_import_suite *s,
                                         const char *name)
{
    struct import_level *l;
    size_t i;

    for (i = 0; i < s->n_levels; i++) {
        if (strcmp(s->levels[i].name, name) == 0)
            return &s->levels[i];
    }
    if (s->n_levels == EB_SUITE_LEVELS_MAX) {
        s->too_many = 1;
        return NULL;
    }
    l = &s->levels[s->n_levels++];
    l->name = eb_xstrdup(name);
    return l;
}

void eb_import_add_level(struct eb_import_suite *s, cJSON *level)
{
    struct import_level *l =
        import_level(s, eb_json_get_str(level, "name", ""));

    if (l == NULL) {
        cJSON_Delete(level);
        return;
    }
    cJSON_Delete(l->json);
    l->json = level;
}

/* The object under a key, made if it is not there. */
static cJSON *import_object(cJSON *parent, const char *key)
{
    cJSON *v = cJSON_GetObjectItemCaseSensitive(parent, key);

    return v != NULL ? v : cJSON_AddObjectToObject(parent, key);
}

void eb_import_add_prompt(struct eb_import_suite *s, const char *level,
                          const char *kind, const char *lang, const char *text)
{
    cJSON *v;
    size_t i;

    if (s->prompts == NULL)
        s->prompts = cJSON_CreateObject();
    v = import_object(import_object(s->prompts, level), kind);
    cJSON_DeleteItemFromObjectCaseSensitive(v, lang);
    v = cJSON_AddStringToObject(v, lang, text);
    for (i = 0; i < s->n_langs; i++) {
        if (strcmp(s->langs[i], lang) == 0)
            return;
    }
    if (s->n_langs == EB_SUITE_LANGS_MAX)
        s->too_many = 1;
    else
        s->langs[s->n_langs++] = eb_xstrdup(lang);
}

void eb_import_add_file(struct eb_import_suite *s, const char *name,
                        const char *text)
{
    struct import_file *f;

    s->files = eb_xrealloc(s->files, s->n_files + 1, sizeof(*s->files));
    f = &s->files[s->n_files++];
    f->name = eb_xstrdup(name);
    f->text = eb_xstrdup(text);
}

void eb_import_note(struct eb_import_suite *s, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    eb_buf_addf(&s->notes, "- %s\n", line);
}

/* Items */

static void import_default(cJSON *item, const char *key, const char *value)
{
    if (!cJSON_HasObjectItem(item, key))
        cJSON_AddStringToObject(item, key, value);
}

static void import_complete(struct import_level *l, cJSON *item)
{
    char *text = eb_xasprintf("%s-%04zu", l->name, l->added + 1);
    const char *pair;

    import_default(item, "lang", "en");
    import_default(item, "pair_id", text);
    pair = eb_json_get_str(item, "pair_id", "");
    import_default(item, "cluster", pair);
    import_default(item, "stratum", eb_json_get_str(item, "capability", "-"));
    import_default(item, "level", l->name);
    free(text);
    text = eb_xasprintf("%s-%s", pair, eb_json_get_str(item, "lang", ""));
    import_default(item, "id", text);
    free(text);
}

static int import_has_slot(const cJSON *tree)
{
    const cJSON *v;

    if (cJSON_IsString(tree))
        return strstr(tree->valuestring, "${") != NULL;
    cJSON_ArrayForEach(v, tree)
    {
        if (import_has_slot(v))
            return 1;
    }
    return 0;
}

static int import_is_repeat(const struct import_level *l,
                            const struct eb_check_text *text)
{
    size_t i;

    for (i = 0; i < l->n; i++) {
        if (eb_check_text_same(&l->items[i].text, text) >= EB_CHECK_OVERLAP)
            return 1;
    }
    return 0;
}

static const char *import_pair(const struct import_level *l, size_t i)
{
    return eb_json_get_str(l->items[i].json, "pair_id", "");
}

static int import_is_dialog(const struct import_level *l)
{
    return strcmp(eb_json_get_str(l->json, "kind", ""), "dialog") == 0;
}

void eb_import_cut(struct import_level *l, size_t n)
{
    while (l->n > n) {
        l->n--;
        cJSON_Delete(l->items[l->n].json);
        eb_check_text_free(&l->items[l->n].text);
    }
}

/* Drops an item that is not in the level yet, and its pair. */
static void import_drop(struct import_level *l, struct import_item *it,
                        size_t *count)
{
    size_t n = l->n;
    char *pair = eb_xstrdup(eb_json_get_str(it->json, "pair_id", ""));

    while (n > 0 && strcmp(import_pair(l, n - 1), pair) == 0)
        n--;
    eb_import_cut(l, n);
    cJSON_Delete(it->json);
    eb_check_text_free(&it->text);
    free(l->dropped);
    l->dropped = pair;
    (*count)++;
}

void eb_import_add_item(struct eb_import_suite *s, const char *level,
                        cJSON *item)
{
    struct import_level *l = import_level(s, level);
    struct import_item it = {.json = item};
    const char *pair;

    if (l == NULL) {
        cJSON_Delete(item);
        return;
    }
    import_complete(l, item);
    pair = eb_json_get_str(item, "pair_id", "");
    if (l->dropped != NULL && strcmp(l->dropped, pair) == 0) {
        cJSON_Delete(item);
        return;
    }
    if (l->n == 0 || strcmp(import_pair(l, l->n - 1), pair) != 0)
        l->added++;
    eb_check_text_init(&it.text, item);
    /* Slots that the importer declares itself are meant; items with functions
     * of their own (kind calls) have none. */
    if (!cJSON_HasObjectItem(item, "slots") &&
        !cJSON_HasObjectItem(item, "tools") && import_has_slot(item)) {
        import_drop(l, &it, &l->n_slots);
        return;
    }
    if (!import_is_dialog(l) && import_is_repeat(l, &it.text)) {
        import_drop(l, &it, &l->n_same);
        return;
    }
    if (l->n == l->cap) {
        l->cap = l->cap > 0 ? 2 * l->cap : 64;
        l->items = eb_xrealloc(l->items, l->cap, sizeof(*l->items));
    }
    l->items[l->n++] = it;
}

int eb_import_level_has(const struct import_level *l, const char *field,
                        const char *label)
{
    const cJSON *v, *one;
    size_t i;

    for (i = 0; i < l->n; i++) {
        v = cJSON_GetObjectItemCaseSensitive(l->items[i].json, "gold");
        v = cJSON_GetObjectItemCaseSensitive(v, field);
        if (cJSON_IsString(v) && strcmp(v->valuestring, label) == 0)
            return 1;
        cJSON_ArrayForEach(one, v)
        {
            if (cJSON_IsString(one) && strcmp(one->valuestring, label) == 0)
                return 1;
        }
    }
    return 0;
}

int eb_import_has_label(struct eb_import_suite *s, const char *level,
                        const char *field, const char *label)
{
    const struct import_level *l = import_level(s, level);

    return l != NULL && eb_import_level_has(l, field, label);
}

/* Running */

static void import_free(struct eb_import_suite *s)
{
    size_t i;

    free(s->name);
    free(s->title);
    free(s->source);
    free(s->licence);
    cJSON_Delete(s->tools);
    cJSON_Delete(s->prompts);
    for (i = 0; i < s->n_langs; i++)
        free(s->langs[i]);
    for (i = 0; i < s->n_levels; i++) {
        eb_import_cut(&s->levels[i], 0);
        free(s->levels[i].items);
        free(s->levels[i].name);
        free(s->levels[i].dropped);
        cJSON_Delete(s->levels[i].json);
    }
    for (i = 0; i < s->n_files; i++) {
        free(s->files[i].name);
        free(s->files[i].text);
    }
    free(s->files);
    eb_buf_free(&s->notes);
}

int eb_import_run(const struct eb_importer *im,
                  const struct eb_import_options *o, FILE *report,
                  struct eb_err *err)
{
    struct eb_import_suite s = {0};
    int rc = eb_import_check_out(o->out, err);

    if (rc == 0)
        rc = im->run(o, &s, err);
    if (rc == 0 && s.too_many)
        rc = eb_fail(err, EB_ELIMIT, "%s: more than %d levels or %d languages",
                     im->name, EB_SUITE_LEVELS_MAX, EB_SUITE_LANGS_MAX);
    if (rc == 0)
        rc = eb_import_write(&s, im, o, report, err);
    import_free(&s);
    return rc;
}
