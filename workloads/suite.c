#include "workloads/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/data.h"
#include "workloads/prompt.h"
#include "workloads/slots.h"
#include "workloads/suite_parts.h"

const char *eb_kind_name(enum eb_kind kind)
{
    static const char *const names[] = {"json", "toolcall", "grounded",
                                        "dialog", "calls"};

    return names[kind];
}

static const char *const suite_prompt_kinds[] = {"clear", "vague"};

const char *eb_prompt_kind_name(enum eb_prompt_kind kind)
{
    return suite_prompt_kinds[kind];
}

int eb_prompt_kind_parse(const char *name)
{
    int i;

    for (i = 0; i < EB_PROMPT_KINDS; i++) {
        if (strcmp(suite_prompt_kinds[i], name) == 0)
            return i;
    }
    return -1;
}

int eb_suite_lang(const struct eb_suite *s, const char *lang)
{
    size_t i;

    for (i = 0; i < s->n_langs; i++) {
        if (strcmp(s->langs[i], lang) == 0)
            return (int)i;
    }
    return -1;
}

const struct eb_level *eb_suite_level(const struct eb_suite *s,
                                      const char *name)
{
    size_t i;

    for (i = 0; i < s->n_levels; i++) {
        if (strcmp(s->levels[i].name, name) == 0)
            return &s->levels[i];
    }
    return NULL;
}

const struct eb_tool *eb_level_tool(const struct eb_level *level,
                                    const char *name)
{
    size_t i;

    for (i = 0; i < level->n_tools; i++) {
        if (strcmp(level->tools[i]->name, name) == 0)
            return level->tools[i];
    }
    return NULL;
}

const struct eb_field *eb_field_find(const struct eb_field *fields, size_t n,
                                     const char *name)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

/* Finding */

static int suite_is_job(const char *dir)
{
    char *path = eb_fs_join(dir, "job.json");
    int yes = eb_fs_exists(path);

    free(path);
    return yes;
}

static int suite_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void eb_suite_names(char ***names, size_t *n)
{
    char *roots[EB_DATA_ROOTS], **list;
    size_t n_roots = eb_data_roots(roots), n_list, i, k, count = 0;

    *names = NULL;
    for (i = 0; i < n_roots; i++) {
        if (eb_fs_list(roots[i], "", &list, &n_list, NULL) != 0)
            n_list = 0;
        for (k = 0; k < n_list; k++) {
            char *dir = eb_fs_join(roots[i], list[k]);

            if (suite_is_job(dir)) {
                *names = eb_xrealloc(*names, count + 1, sizeof(**names));
                (*names)[count++] = eb_xstrdup(list[k]);
            }
            free(dir);
        }
        if (n_list > 0)
            eb_fs_list_free(list, n_list);
        free(roots[i]);
    }
    if (count > 0)
        qsort(*names, count, sizeof(**names), suite_cmp);
    for (i = 0, *n = 0; i < count; i++) {
        if (*n > 0 && strcmp((*names)[*n - 1], (*names)[i]) == 0)
            free((*names)[i]);
        else
            (*names)[(*n)++] = (*names)[i];
    }
}

static int suite_unknown(const char *name, struct eb_err *err)
{
    struct eb_buf b = {0};
    char **names;
    size_t n, i;
    int rc;

    eb_suite_names(&names, &n);
    for (i = 0; i < n; i++)
        eb_buf_addf(&b, "%s%s", i > 0 ? ", " : "", names[i]);
    rc = eb_fail(err, EB_ENOENT,
                 "%.80s: no such suite, and no folder with a job.json; known: "
                 "%s",
                 name, n > 0 ? b.data : "none");
    eb_buf_free(&b);
    eb_fs_list_free(names, n);
    return rc;
}

int eb_suite_find(const char *name, char **dir, struct eb_err *err)
{
    char *roots[EB_DATA_ROOTS];
    size_t n, i;

    *dir = NULL;
    if (suite_is_job(name)) {
        *dir = eb_xstrdup(name);
        return 0;
    }
    n = strchr(name, '/') == NULL ? eb_data_roots(roots) : 0;
    for (i = 0; i < n; i++) {
        char *try = eb_fs_join(roots[i], name);

        if (*dir == NULL && suite_is_job(try))
            *dir = eb_xstrdup(try);
        free(try);
        free(roots[i]);
    }
    return *dir != NULL ? 0 : suite_unknown(name, err);
}

/* Loading */

static int suite_prompt_text(struct eb_suite *s, const char *name, char **out,
                             struct eb_err *err)
{
    char *path = eb_fs_join(s->dir, name);
    struct eb_buf b = {0};
    int rc = eb_fs_read(path, EB_SUITE_FILE_MAX, &b, err);

    if (rc == 0 && b.len > 0 && b.data[b.len - 1] == '\n')
        b.data[--b.len] = '\0';
    if (rc == 0 && b.len == 0)
        rc = eb_fail(err, EB_EINVAL, "%s:1: the prompt is empty", path);
    if (rc == 0)
        *out = eb_buf_take(&b);
    eb_buf_free(&b);
    free(path);
    return rc;
}

static const char *suite_prompt_file(const struct eb_level *l, int kind,
                                     const char *lang)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(l->json, "prompts");

    v = cJSON_GetObjectItemCaseSensitive(v, suite_prompt_kinds[kind]);
    v = cJSON_GetObjectItemCaseSensitive(v, lang);
    return v->valuestring;
}

static int suite_read_prompts(struct eb_suite *s, struct eb_level *l,
                              struct eb_err *err)
{
    size_t i;
    int k, rc = 0;

    for (k = 0; k < EB_PROMPT_KINDS; k++) {
        for (i = 0; rc == 0 && i < s->n_langs; i++)
            rc = suite_prompt_text(s, suite_prompt_file(l, k, s->langs[i]),
                                   &l->prompts[k][i], err);
    }
    return rc;
}

/* Names of all files, sorted, without repeats; point into the trees. */
static const char **suite_files(const struct eb_suite *s, size_t *n)
{
    const cJSON *extra = cJSON_GetObjectItemCaseSensitive(s->json, "files");
    size_t most = 1 + (size_t)cJSON_GetArraySize(extra) +
                  s->n_levels * (1 + EB_PROMPT_KINDS * s->n_langs);
    const char **v = eb_xcalloc(most, sizeof(*v));
    const cJSON *f;
    size_t count = 0, i, k;
    int kind;

    v[count++] = "job.json";
    cJSON_ArrayForEach(f, extra) v[count++] = f->valuestring;
    for (i = 0; i < s->n_levels; i++) {
        v[count++] = s->levels[i].items_file;
        for (kind = 0; kind < EB_PROMPT_KINDS; kind++) {
            for (k = 0; k < s->n_langs; k++)
                v[count++] =
                    suite_prompt_file(&s->levels[i], kind, s->langs[k]);
        }
    }
    qsort(v, count, sizeof(*v), suite_cmp);
    for (i = 0, *n = 0; i < count; i++) {
        if (*n == 0 || strcmp(v[*n - 1], v[i]) != 0)
            v[(*n)++] = v[i];
    }
    return v;
}

static int suite_digest(struct eb_suite *s, struct eb_err *err)
{
    struct eb_buf all = {0}, one = {0};
    size_t n, i;
    const char **files = suite_files(s, &n);
    int rc = 0;

    for (i = 0; rc == 0 && i < n; i++) {
        char *path = eb_fs_join(s->dir, files[i]);

        eb_buf_reset(&one);
        rc = eb_fs_read(path, EB_SUITE_FILE_MAX, &one, err);
        eb_buf_addf(&all, "%s %zu\n", files[i], one.len);
        if (one.len > 0)
            eb_buf_add(&all, one.data, one.len);
        free(path);
    }
    if (rc == 0)
        eb_sha256(all.data, all.len, s->digest);
    eb_buf_free(&all);
    eb_buf_free(&one);
    free(files);
    return rc;
}

static int suite_read_job_file(struct eb_suite *s, struct eb_err *err)
{
    char *path = eb_fs_join(s->dir, "job.json");
    struct eb_buf b = {0};
    struct eb_read r = {.file = "job.json", .err = err};
    int rc = eb_fs_read(path, EB_SUITE_FILE_MAX, &b, err);

    if (strlen(path) < EB_READ_PATH)
        r.file = path;
    if (rc == 0)
        rc = eb_json_parse(b.data, b.len, r.file, &s->json, err);
    if (rc == 0) {
        r.text = b.data;
        rc = eb_suite_read_job(s, &r);
    }
    eb_buf_free(&b);
    free(path);
    return rc;
}

int eb_suite_load(struct eb_suite *s, const char *name, struct eb_err *err)
{
    size_t i;
    int rc;

    memset(s, 0, sizeof(*s));
    rc = eb_suite_find(name, &s->dir, err);
    if (rc == 0)
        rc = suite_read_job_file(s, err);
    for (i = 0; rc == 0 && i < s->n_levels; i++) {
        rc = suite_read_prompts(s, &s->levels[i], err);
        if (rc == 0)
            rc = eb_suite_read_items(s, &s->levels[i], err);
    }
    if (rc == 0)
        rc = suite_digest(s, err);
    if (rc != 0)
        eb_suite_free(s);
    return rc;
}

void eb_suite_free(struct eb_suite *s)
{
    size_t i, k;
    int kind;

    if (s == NULL)
        return;
    for (i = 0; i < s->n_levels; i++) {
        struct eb_level *l = &s->levels[i];

        for (kind = 0; kind < EB_PROMPT_KINDS; kind++) {
            for (k = 0; k < EB_SUITE_LANGS_MAX; k++)
                free(l->prompts[kind][k]);
        }
        for (k = 0; k < l->n_items; k++)
            cJSON_Delete(l->items[k].json);
        free(l->items);
    }
    eb_suite_free_job(s);
    free(s->levels);
    cJSON_Delete(s->json);
    free(s->dir);
    memset(s, 0, sizeof(*s));
}

/* Cases */

/* Functions come from elsewhere and hold any text: no slots, and their own
 * part of the prompt. */
static void case_tools(struct eb_case *c)
{
    struct eb_buf text = {0};

    c->tools =
        eb_calls_tools(cJSON_GetObjectItemCaseSensitive(c->filled, "tools"),
                       c->level->functions);
    eb_calls_show(c->tools, &text);
    cJSON_AddStringToObject(
        cJSON_GetObjectItemCaseSensitive(c->filled, "prompt"), "tools",
        text.data);
    eb_buf_free(&text);
}

static int case_slots(struct eb_case *c, uint64_t seed, struct eb_err *err)
{
    struct eb_slots slots;
    int rc = eb_slots_draw(
        &slots, cJSON_GetObjectItemCaseSensitive(c->item->json, "slots"),
        c->item->lang, c->item->pair_id, seed, c->suite->today, err);

    return rc != 0 ? rc : eb_slots_fill(c->filled, &slots, err);
}

int eb_case_fill(struct eb_case *c, const struct eb_suite *s,
                 const struct eb_level *level, const struct eb_item *item,
                 enum eb_prompt_kind prompt, uint64_t seed, struct eb_err *err)
{
    const cJSON *parts;
    struct eb_buf user = {0};
    int lang = eb_suite_lang(s, item->lang), rc = 0;

    memset(c, 0, sizeof(*c));
    c->suite = s;
    c->level = level;
    c->item = item;
    c->system = level->prompts[prompt][lang];
    c->filled = cJSON_Duplicate(item->json, 1);
    if (level->kind == EB_KIND_CALLS)
        case_tools(c);
    else
        rc = case_slots(c, seed, err);
    if (rc != 0) {
        eb_case_free(c);
        return rc;
    }
    c->gold = cJSON_GetObjectItemCaseSensitive(c->filled, "gold");
    c->comparators = cJSON_GetObjectItemCaseSensitive(c->filled, "comparators");
    c->must = cJSON_GetObjectItemCaseSensitive(c->filled, "must");
    c->must_not = cJSON_GetObjectItemCaseSensitive(c->filled, "must_not");
    parts = cJSON_GetObjectItemCaseSensitive(c->filled, "prompt");
    eb_prompt_user(level->user[lang], parts, &user);
    c->user = eb_buf_take(&user);
    return 0;
}

void eb_case_free(struct eb_case *c)
{
    if (c == NULL)
        return;
    cJSON_Delete(c->tools);
    cJSON_Delete(c->filled);
    free(c->user);
    memset(c, 0, sizeof(*c));
}
