/* job.json into structs (workloads/JOB.md). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/slots.h"
#include "workloads/suite_parts.h"

static const char *const job_types[] = {"enum",   "bool", "int",
                                        "string", "id",   "set"};
/* What a field of each type has besides name, type, nullable, paired. */
static const char *const job_type_keys[] = {
    "name type nullable paired values",
    "name type nullable paired",
    "name type nullable paired min max",
    "name type nullable paired max_chars",
    "name type nullable paired prefix digits",
    "name type nullable paired values",
};

static int job_index(const char *const *names, size_t n, const char *name)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

static int job_optional_bool(const struct eb_read *r, const cJSON *v,
                             const char *path, const char *key, int def,
                             int *out)
{
    *out = def;
    if (cJSON_GetObjectItemCaseSensitive(v, key) == NULL)
        return 0;
    return eb_read_bool(r, v, path, key, out);
}

static int job_field_type(const struct eb_read *r, const cJSON *v,
                          const char *path, struct eb_field *f)
{
    int64_t n = 0;
    int rc = 0;

    switch (f->type) {
    case EB_FIELD_ENUM:
    case EB_FIELD_SET:
        return eb_read_strs(r, v, path, "values", &f->values, &f->n_values);
    case EB_FIELD_BOOL:
        return 0;
    case EB_FIELD_INT:
        rc = eb_read_int(r, v, path, "min", -1000000000, 1000000000, &f->min);
        if (rc == 0)
            rc = eb_read_int(r, v, path, "max", f->min, 1000000000, &f->max);
        return rc;
    case EB_FIELD_STRING:
        rc = eb_read_int(r, v, path, "max_chars", 1, 2000, &n);
        f->max_chars = (int)n;
        return rc;
    case EB_FIELD_ID:
        rc = eb_read_str(r, v, path, "prefix", &f->prefix);
        if (rc == 0)
            rc = eb_read_int(r, v, path, "digits", 1, 18, &n);
        f->digits = (int)n;
        return rc;
    }
    return 0;
}

static int job_field(const struct eb_read *r, const cJSON *v, const char *path,
                     struct eb_field *f)
{
    const char *type = NULL;
    int rc, i;

    if (!cJSON_IsObject(v))
        return eb_read_fail(r, path, "expected an object");
    rc = eb_read_str(r, v, path, "name", &f->name);
    if (rc == 0)
        rc = eb_read_str(r, v, path, "type", &type);
    if (rc != 0)
        return rc;
    i = job_index(job_types, sizeof(job_types) / sizeof(job_types[0]), type);
    if (i < 0)
        return eb_read_wrong(r, path, "type", "unknown type \"%.40s\"", type);
    f->type = (enum eb_field_type)i;
    rc = eb_read_keys(r, v, path, job_type_keys[i]);
    if (rc == 0)
        rc = job_optional_bool(r, v, path, "nullable", 0, &f->nullable);
    if (rc == 0)
        rc = job_optional_bool(r, v, path, "paired", 1, &f->paired);
    if (rc == 0)
        rc = job_field_type(r, v, path, f);
    return rc;
}

static int job_fields(const struct eb_read *r, const cJSON *obj,
                      const char *path, const char *key,
                      struct eb_field **fields, size_t *n)
{
    char sub[EB_READ_PATH];
    const cJSON *arr, *v;
    int rc = eb_read_arr(r, obj, path, key, &arr);

    if (rc != 0)
        return rc;
    *fields = eb_xcalloc((size_t)cJSON_GetArraySize(arr) + 1, sizeof(**fields));
    cJSON_ArrayForEach(v, arr)
    {
        struct eb_field *f = &(*fields)[*n];

        snprintf(sub, sizeof(sub), "%s.%s[%zu]", path, key, *n);
        rc = job_field(r, v, sub, f);
        (*n)++; /* counted even if half read: its arrays must be freed */
        if (rc != 0)
            return rc;
        if (eb_field_find(*fields, *n - 1, f->name) != NULL)
            return eb_read_fail(r, sub, "\"%.40s\" stands twice", f->name);
    }
    return 0;
}

static int job_tools(struct eb_suite *s, const struct eb_read *r)
{
    char path[EB_READ_PATH];
    const cJSON *arr, *v;
    size_t i;
    int rc;

    if (cJSON_GetObjectItemCaseSensitive(s->json, "tools") == NULL)
        return 0;
    rc = eb_read_arr(r, s->json, "$", "tools", &arr);
    if (rc != 0)
        return rc;
    s->tools =
        eb_xcalloc((size_t)cJSON_GetArraySize(arr) + 1, sizeof(*s->tools));
    cJSON_ArrayForEach(v, arr)
    {
        struct eb_tool *t = &s->tools[s->n_tools];

        snprintf(path, sizeof(path), "$.tools[%zu]", s->n_tools);
        s->n_tools++;
        rc = eb_read_str(r, v, path, "name", &t->name);
        if (rc == 0)
            rc = eb_read_keys(r, v, path, "name args");
        if (rc == 0)
            rc = job_fields(r, v, path, "args", &t->args, &t->n_args);
        for (i = 0; rc == 0 && i + 1 < s->n_tools; i++) {
            if (strcmp(s->tools[i].name, t->name) == 0)
                rc = eb_read_wrong(r, path, "name", "stands twice");
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int job_level_tools(struct eb_suite *s, struct eb_level *l,
                           const struct eb_read *r, const char *path)
{
    const char **names = NULL;
    size_t n = 0, i, k;
    int rc = eb_read_strs(r, l->json, path, "tools", &names, &n);

    l->tools = eb_xcalloc(n + 1, sizeof(*l->tools));
    for (i = 0; rc == 0 && i < n; i++) {
        for (k = 0; k < s->n_tools; k++) {
            if (strcmp(s->tools[k].name, names[i]) == 0)
                break;
        }
        if (k < s->n_tools)
            l->tools[l->n_tools++] = &s->tools[k];
        else
            rc = eb_read_wrong(r, path, "tools", "\"%.40s\" is not in $.tools",
                               names[i]);
    }
    free(names);
    return rc;
}

/* A member for each language of the suite and no other. */
static int job_langs(const struct eb_suite *s, const struct eb_read *r,
                     const cJSON *obj, const char *path,
                     const char *values[EB_SUITE_LANGS_MAX])
{
    const cJSON *v;
    size_t i;
    int rc;

    for (i = 0; i < s->n_langs; i++) {
        rc = eb_read_str(r, obj, path, s->langs[i], &values[i]);
        if (rc != 0)
            return rc;
    }
    cJSON_ArrayForEach(v, obj)
    {
        if (eb_suite_lang(s, v->string) < 0)
            return eb_read_fail(r, path, "\"%.20s\" is not in $.languages",
                                v->string);
    }
    return 0;
}

static int job_prompts(struct eb_suite *s, struct eb_level *l,
                       const struct eb_read *r, const char *path)
{
    const char *files[EB_SUITE_LANGS_MAX];
    char sub[EB_READ_PATH], name[EB_READ_PATH];
    const cJSON *prompts, *obj;
    size_t i;
    int k, rc = eb_read_obj(r, l->json, path, "prompts", &prompts);

    if (rc != 0)
        return rc;
    snprintf(sub, sizeof(sub), "%.80s.prompts", path);
    rc = eb_read_keys(r, prompts, sub, "clear vague");
    for (k = 0; rc == 0 && k < EB_PROMPT_KINDS; k++) {
        const char *kind = eb_prompt_kind_name((enum eb_prompt_kind)k);

        rc = eb_read_obj(r, prompts, sub, kind, &obj);
        if (rc != 0)
            return rc;
        snprintf(name, sizeof(name), "%.80s.%s", sub, kind);
        rc = job_langs(s, r, obj, name, files);
        for (i = 0; rc == 0 && i < s->n_langs; i++)
            rc = eb_read_name(r, obj, name, s->langs[i], &files[i]);
    }
    return rc;
}

static int job_level_numbers(struct eb_level *l, const struct eb_read *r,
                             const char *path)
{
    int64_t tokens = 0, cap = -1;
    int rc = eb_read_num(r, l->json, path, "bar", &l->bar);

    if (rc == 0 && !(l->bar > 0 && l->bar < 1))
        rc = eb_read_wrong(r, path, "bar", "expected a number between 0 and 1");
    if (rc == 0)
        rc = eb_read_num(r, l->json, path, "alpha", &l->alpha);
    if (rc == 0 && !(l->alpha > 0 && l->alpha <= 0.2))
        rc = eb_read_wrong(r, path, "alpha",
                           "expected more than 0, at most 0.2");
    if (rc == 0)
        rc = eb_read_bool(r, l->json, path, "constrain", &l->constrain);
    if (rc == 0)
        rc = eb_read_int(r, l->json, path, "max_tokens", 1, 4096, &tokens);
    l->max_tokens = (int)tokens;
    if (rc == 0 &&
        cJSON_GetObjectItemCaseSensitive(l->json, "critical_cap") != NULL)
        rc = eb_read_int(r, l->json, path, "critical_cap", 0, 10000, &cap);
    l->critical_cap = (int)cap;
    return rc;
}

static int job_grounded(const struct eb_level *l, const struct eb_read *r,
                        const char *path)
{
    if (l->n_fields == 2 && strcmp(l->fields[0].name, "answer") == 0 &&
        strcmp(l->fields[1].name, "source") == 0 &&
        l->fields[0].type == EB_FIELD_STRING &&
        l->fields[1].type == EB_FIELD_STRING && l->fields[1].nullable)
        return 0;
    return eb_read_wrong(r, path, "fields",
                         "expected answer, a string, and source, a "
                         "nullable string");
}

static int job_functions(struct eb_level *l, const struct eb_read *r,
                         const char *path)
{
    char why[EB_CALLS_WHY];

    l->functions = cJSON_GetObjectItemCaseSensitive(l->json, "functions");
    if (l->functions != NULL &&
        eb_calls_check_tools(l->functions, NULL, why) != 0)
        return eb_read_wrong(r, path, "functions", "%s", why);
    return 0;
}

static int job_level_shape(struct eb_suite *s, struct eb_level *l,
                           const struct eb_read *r, const char *path)
{
    static const char common[] =
        "name kind items capabilities bar why alpha constrain max_tokens "
        "prompts user nulls paired critical_cap";
    char keys[160], sub[EB_READ_PATH];
    int with_tools = l->kind == EB_KIND_TOOLCALL || l->kind == EB_KIND_DIALOG;
    const cJSON *obj;
    int rc;

    snprintf(keys, sizeof(keys), "%s %s", common,
             l->kind == EB_KIND_CALLS ? "functions"
             : with_tools             ? "tools"
                                      : "fields");
    rc = eb_read_keys(r, l->json, path, keys);
    if (rc == 0)
        rc = job_optional_bool(r, l->json, path, "paired", 1, &l->paired);
    if (rc == 0 && with_tools)
        rc = job_level_tools(s, l, r, path);
    else if (rc == 0 && l->kind == EB_KIND_CALLS)
        rc = job_functions(l, r, path);
    else if (rc == 0)
        rc = job_fields(r, l->json, path, "fields", &l->fields, &l->n_fields);
    if (rc == 0 && l->kind == EB_KIND_GROUNDED)
        rc = job_grounded(l, r, path);
    if (rc == 0 && l->kind != EB_KIND_DIALOG) {
        rc = eb_read_obj(r, l->json, path, "nulls", &l->nulls);
        snprintf(sub, sizeof(sub), "%.80s.nulls", path);
        if (rc == 0)
            rc = eb_read_keys(r, l->nulls, sub, "refuse escalate");
        if (rc == 0)
            rc = eb_read_obj(r, l->nulls, sub, "refuse", &obj);
        if (rc == 0)
            rc = eb_read_obj(r, l->nulls, sub, "escalate", &obj);
    }
    if (rc != 0 || (l->kind != EB_KIND_CALLS &&
                    cJSON_GetObjectItemCaseSensitive(l->json, "user") == NULL))
        return rc;
    rc = eb_read_obj(r, l->json, path, "user", &obj);
    snprintf(sub, sizeof(sub), "%.80s.user", path);
    return rc != 0 ? rc : job_langs(s, r, obj, sub, l->user);
}

static int job_level(struct eb_suite *s, struct eb_level *l,
                     const struct eb_read *r, const char *path)
{
    const char *kind = NULL;
    int rc, k;

    if (!cJSON_IsObject(l->json))
        return eb_read_fail(r, path, "expected an object");
    rc = eb_read_str(r, l->json, path, "name", &l->name);
    if (rc == 0)
        rc = eb_read_str(r, l->json, path, "kind", &kind);
    if (rc != 0)
        return rc;
    for (k = EB_KIND_JSON; k <= EB_KIND_CALLS; k++) {
        if (strcmp(eb_kind_name((enum eb_kind)k), kind) == 0)
            break;
    }
    if (k > EB_KIND_CALLS)
        return eb_read_wrong(r, path, "kind",
                             "\"%.40s\" is not json, toolcall, grounded, "
                             "dialog or calls",
                             kind);
    l->kind = (enum eb_kind)k;
    rc = eb_read_name(r, l->json, path, "items", &l->items_file);
    if (rc == 0)
        rc = eb_read_strs(r, l->json, path, "capabilities", &l->capabilities,
                          &l->n_capabilities);
    if (rc == 0)
        rc = eb_read_str(r, l->json, path, "why", &l->why);
    if (rc == 0)
        rc = job_level_numbers(l, r, path);
    if (rc == 0)
        rc = job_level_shape(s, l, r, path);
    if (rc == 0)
        rc = job_prompts(s, l, r, path);
    return rc;
}

static int job_levels(struct eb_suite *s, const struct eb_read *r)
{
    char path[EB_READ_PATH];
    const cJSON *arr, *v;
    size_t i;
    int n, rc = eb_read_arr(r, s->json, "$", "levels", &arr);

    if (rc != 0)
        return rc;
    n = cJSON_GetArraySize(arr);
    if (n < 1 || n > EB_SUITE_LEVELS_MAX)
        return eb_read_fail(r, "$.levels", "expected 1 to %d levels",
                            EB_SUITE_LEVELS_MAX);
    s->levels = eb_xcalloc((size_t)n, sizeof(*s->levels));
    cJSON_ArrayForEach(v, arr)
    {
        struct eb_level *l = &s->levels[s->n_levels];

        snprintf(path, sizeof(path), "$.levels[%zu]", s->n_levels);
        l->json = v;
        s->n_levels++;
        rc = job_level(s, l, r, path);
        if (rc != 0)
            return rc;
        for (i = 0; i + 1 < s->n_levels; i++) {
            if (strcmp(s->levels[i].name, l->name) == 0)
                return eb_read_wrong(r, path, "name", "stands twice");
        }
    }
    return 0;
}

static int job_service_bars(struct eb_suite *s, const struct eb_read *r)
{
    static const char keys[] =
        "ttft_p95_ms tpot_ms e2e_p95_ms peak_memory_bytes joules_per_solved";
    char path[EB_READ_PATH];
    const cJSON *v;
    int rc = eb_read_obj(r, s->json, "$", "service_bars", &s->service_bars);

    if (rc == 0)
        rc = eb_read_keys(r, s->service_bars, "$.service_bars", keys);
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(v, s->service_bars)
    {
        if (cJSON_IsNull(v) || (cJSON_IsNumber(v) && v->valuedouble > 0))
            continue;
        snprintf(path, sizeof(path), "$.service_bars.%s", v->string);
        return eb_read_fail(r, path, "expected a number above 0 or null");
    }
    return 0;
}

static int job_is_version(const char *v)
{
    int parts = 0;

    while (isdigit((unsigned char)*v)) {
        while (isdigit((unsigned char)*v))
            v++;
        parts++;
        if (*v == '\0')
            return parts == 3;
        if (*v++ != '.')
            return 0;
    }
    return 0;
}

static int job_head(struct eb_suite *s, const struct eb_read *r)
{
    const char **langs = NULL, *schema = NULL, *today = NULL;
    const char *title[EB_SUITE_LANGS_MAX];
    const cJSON *obj;
    size_t n = 0;
    int rc = eb_read_str(r, s->json, "$", "schema", &schema);

    if (rc == 0 && strcmp(schema, EB_JOB_SCHEMA) != 0)
        return eb_fail(r->err, EB_EVERSION,
                       "%s: this job is %.40s; this program reads %s", r->file,
                       schema, EB_JOB_SCHEMA);
    if (rc == 0)
        rc = eb_read_str(r, s->json, "$", "name", &s->name);
    if (rc == 0 && strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
                       strlen(s->name))
        rc = eb_read_fail(r, "$.name", "expected a-z, 0-9 and -");
    if (rc == 0)
        rc = eb_read_str(r, s->json, "$", "version", &s->version);
    if (rc == 0 && !job_is_version(s->version))
        rc = eb_read_fail(r, "$.version", "expected major.minor.patch");
    if (rc == 0)
        rc = eb_read_strs(r, s->json, "$", "languages", &langs, &n);
    if (rc == 0 && n > EB_SUITE_LANGS_MAX)
        rc = eb_read_fail(r, "$.languages", "more than %d", EB_SUITE_LANGS_MAX);
    for (; rc == 0 && s->n_langs < n; s->n_langs++)
        s->langs[s->n_langs] = langs[s->n_langs];
    free(langs);
    if (rc == 0)
        rc = eb_read_obj(r, s->json, "$", "title", &obj);
    if (rc == 0)
        rc = job_langs(s, r, obj, "$.title", title);
    if (rc == 0)
        rc = eb_read_str(r, s->json, "$", "today", &today);
    if (rc == 0 && (s->today = eb_days_parse(today)) < 60)
        rc = eb_read_fail(r, "$.today", "expected a day as YYYY-MM-DD");
    return rc;
}

int eb_suite_read_job(struct eb_suite *s, const struct eb_read *r)
{
    const cJSON *files, *v;
    int rc;

    if (!cJSON_IsObject(s->json))
        return eb_read_fail(r, "$", "expected an object");
    rc = eb_read_keys(r, s->json, "$",
                      "schema name version title languages today files "
                      "service_bars tools levels");
    if (rc == 0)
        rc = job_head(s, r);
    if (rc == 0)
        rc = job_service_bars(s, r);
    if (rc == 0)
        rc = job_tools(s, r);
    if (rc == 0)
        rc = job_levels(s, r);
    files = cJSON_GetObjectItemCaseSensitive(s->json, "files");
    if (rc == 0 && files != NULL && !cJSON_IsArray(files))
        return eb_read_fail(r, "$.files", "expected an array");
    cJSON_ArrayForEach(v, files)
    {
        if (rc == 0 && (!cJSON_IsString(v) || v->valuestring[0] == '.' ||
                        strchr(v->valuestring, '/') != NULL))
            return eb_read_fail(r, "$.files",
                                "expected file names without a folder");
    }
    return rc;
}

static void job_free_fields(struct eb_field *fields, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(fields[i].values);
    free(fields);
}

void eb_suite_free_job(struct eb_suite *s)
{
    size_t i;

    for (i = 0; i < s->n_tools; i++)
        job_free_fields(s->tools[i].args, s->tools[i].n_args);
    free(s->tools);
    for (i = 0; i < s->n_levels; i++) {
        struct eb_level *l = &s->levels[i];

        job_free_fields(l->fields, l->n_fields);
        free(l->capabilities);
        free(l->tools);
    }
}
