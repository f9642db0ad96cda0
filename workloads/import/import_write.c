/* The collected suite as a folder: limit, job.json, items, prompts, README.
 * All of it goes to a folder beside the wanted one, is loaded from there as
 * any suite is, and is renamed at the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/import/import_parts.h"
#include "workloads/rng.h"

static const char *const write_kinds[] = {"clear", "vague"};

/* Limit */

struct write_group {
    size_t at, n; /* items of one pair */
    const char *stratum;
    size_t order; /* place after shuffling */
    size_t rank;  /* ... within the stratum */
};

static int write_cmp_stratum(const void *a, const void *b)
{
    const struct write_group *x = a, *y = b;
    int d = strcmp(x->stratum, y->stratum);

    return d != 0 ? d : (x->order > y->order) - (x->order < y->order);
}

static int write_cmp_rank(const void *a, const void *b)
{
    const struct write_group *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank > y->rank ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

static int write_cmp_at(const void *a, const void *b)
{
    const struct write_group *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

static struct write_group *write_groups(const struct import_level *l, size_t *n)
{
    struct write_group *g = eb_xcalloc(l->n + 1, sizeof(*g));
    const char *pair, *last = "";
    size_t i;

    *n = 0;
    for (i = 0; i < l->n; i++, last = pair) {
        pair = eb_json_get_str(l->items[i].json, "pair_id", "");
        if (*n == 0 || strcmp(pair, last) != 0) {
            g[*n].at = i;
            g[*n].stratum = eb_json_get_str(l->items[i].json, "stratum", "");
            g[*n].order = *n;
            (*n)++;
        }
        g[*n - 1].n++;
    }
    return g;
}

static void write_shuffle(struct write_group *g, size_t n, struct eb_rng *rng)
{
    size_t i, k, t;

    for (i = n; i > 1; i--) {
        k = (size_t)eb_rng_below(rng, i);
        t = g[i - 1].order;
        g[i - 1].order = g[k].order;
        g[k].order = t;
    }
}

/* Keeps `most` pairs, strata in turn, in their old order. The rest is
 * freed. */
static void write_limit(struct import_level *l, size_t most, uint64_t seed)
{
    struct import_item *kept;
    struct eb_rng rng;
    size_t n, n_kept = 0, i, k;
    struct write_group *g = write_groups(l, &n);

    if (n > most) {
        eb_rng_init(&rng, seed, l->name, "limit");
        write_shuffle(g, n, &rng);
        qsort(g, n, sizeof(*g), write_cmp_stratum);
        for (i = 1; i < n; i++)
            g[i].rank = strcmp(g[i].stratum, g[i - 1].stratum) == 0
                            ? g[i - 1].rank + 1
                            : 0;
        qsort(g, n, sizeof(*g), write_cmp_rank);
        qsort(g, most, sizeof(*g), write_cmp_at);
        kept = eb_xcalloc(l->n, sizeof(*kept));
        for (i = 0; i < most; i++) {
            for (k = 0; k < g[i].n; k++) {
                kept[n_kept++] = l->items[g[i].at + k];
                memset(&l->items[g[i].at + k], 0, sizeof(*kept));
            }
        }
        eb_import_cut(l, 0);
        free(l->items);
        l->items = kept;
        l->n = n_kept;
    }
    free(g);
}

/* Fewer labels than the prompt names would make another, easier job of it. */
static int write_check_labels(const struct import_level *l, long long limit,
                              struct eb_err *err)
{
    const cJSON *field, *label;

    cJSON_ArrayForEach(field,
                       cJSON_GetObjectItemCaseSensitive(l->json, "fields"))
    {
        const cJSON *values = cJSON_GetObjectItemCaseSensitive(field, "values");
        const char *name = eb_json_get_str(field, "name", "");

        cJSON_ArrayForEach(label, values)
        {
            if (eb_import_level_has(l, name, label->valuestring))
                continue;
            return eb_fail(err, EB_EINVAL,
                           "%s has %d labels; %lld items leave %.60s without "
                           "one, so raise --limit",
                           l->name, cJSON_GetArraySize(values), limit,
                           label->valuestring);
        }
    }
    return 0;
}

/* Files */

static int write_file(const char *dir, const char *name, const char *text,
                      struct eb_err *err)
{
    char *path = eb_fs_join(dir, name);
    int rc = eb_fs_write_durable(path, text, strlen(text), err);

    free(path);
    return rc;
}

static int write_items(const struct import_level *l, const char *dir,
                       struct eb_err *err)
{
    char *name = eb_xasprintf("items-%s.jsonl", l->name);
    struct eb_buf b = {0};
    size_t i;
    int rc;

    eb_buf_adds(&b, "");
    for (i = 0; i < l->n; i++) {
        char *line = cJSON_PrintUnformatted(l->items[i].json);

        eb_buf_addf(&b, "%s\n", line);
        free(line);
    }
    rc = write_file(dir, name, b.data, err);
    eb_buf_free(&b);
    free(name);
    return rc;
}

static char *write_prompt_name(const struct import_level *l, const char *kind,
                               const char *lang)
{
    return eb_xasprintf("prompt-%s-%s.%s.txt", l->name, kind, lang);
}

static int write_prompts(const struct eb_import_suite *s,
                         const struct import_level *l, const char *dir,
                         struct eb_err *err)
{
    const cJSON *by_kind =
        cJSON_GetObjectItemCaseSensitive(s->prompts, l->name);
    const cJSON *kind, *v;
    int rc = 0;

    cJSON_ArrayForEach(kind, by_kind)
    {
        cJSON_ArrayForEach(v, kind)
        {
            char *name = write_prompt_name(l, kind->string, v->string);
            char *text = eb_xasprintf("%s\n", v->valuestring);

            if (rc == 0)
                rc = write_file(dir, name, text, err);
            free(name);
            free(text);
        }
    }
    return rc;
}

/* Puts an array of the items' capabilities into the level. */
static void write_capabilities(struct import_level *l)
{
    cJSON *arr, *v;
    size_t i;

    if (cJSON_HasObjectItem(l->json, "capabilities"))
        return;
    arr = cJSON_AddArrayToObject(l->json, "capabilities");
    for (i = 0; i < l->n; i++) {
        const char *own = eb_json_get_str(l->items[i].json, "capability", "");
        int known = 0;

        cJSON_ArrayForEach(v, arr) known |= strcmp(v->valuestring, own) == 0;
        if (!known)
            cJSON_AddItemToArray(arr, cJSON_CreateString(own));
    }
}

static void write_level(const struct eb_import_suite *s, struct import_level *l,
                        cJSON *levels)
{
    cJSON *prompts, *obj;
    char *name = eb_xasprintf("items-%s.jsonl", l->name);
    size_t i, k;

    cJSON_AddStringToObject(l->json, "items", name);
    free(name);
    write_capabilities(l);
    if (!cJSON_HasObjectItem(l->json, "alpha"))
        cJSON_AddNumberToObject(l->json, "alpha", 0.05);
    prompts = cJSON_AddObjectToObject(l->json, "prompts");
    for (k = 0; k < 2; k++) {
        obj = cJSON_AddObjectToObject(prompts, write_kinds[k]);
        for (i = 0; i < s->n_langs; i++) {
            name = write_prompt_name(l, write_kinds[k], s->langs[i]);
            cJSON_AddStringToObject(obj, s->langs[i], name);
            free(name);
        }
    }
    cJSON_AddItemToArray(levels, l->json);
    l->json = NULL;
}

static cJSON *write_job(struct eb_import_suite *s)
{
    static const char *const bars[] = {
        "ttft_p95_ms", "tpot_ms", "peak_memory_bytes", "joules_per_solved"};
    cJSON *job = cJSON_CreateObject(), *v;
    size_t i;

    cJSON_AddStringToObject(job, "schema", EB_JOB_SCHEMA);
    cJSON_AddStringToObject(job, "name", s->name);
    cJSON_AddStringToObject(job, "version", "1.0.0");
    v = cJSON_AddObjectToObject(job, "title");
    for (i = 0; i < s->n_langs; i++)
        cJSON_AddStringToObject(v, s->langs[i], s->title);
    v = cJSON_AddArrayToObject(job, "languages");
    for (i = 0; i < s->n_langs; i++)
        cJSON_AddItemToArray(v, cJSON_CreateString(s->langs[i]));
    /* No slots, so the day does not matter; it must be one. */
    cJSON_AddStringToObject(job, "today", "2026-03-02");
    v = cJSON_AddArrayToObject(job, "files");
    cJSON_AddItemToArray(v, cJSON_CreateString("README.md"));
    for (i = 0; i < s->n_files; i++)
        cJSON_AddItemToArray(v, cJSON_CreateString(s->files[i].name));
    v = cJSON_AddObjectToObject(job, "service_bars");
    for (i = 0; i < sizeof(bars) / sizeof(bars[0]); i++)
        cJSON_AddNullToObject(v, bars[i]);
    if (s->tools != NULL) {
        cJSON_AddItemToObject(job, "tools", s->tools);
        s->tools = NULL;
    }
    v = cJSON_AddArrayToObject(job, "levels");
    for (i = 0; i < s->n_levels; i++)
        write_level(s, &s->levels[i], v);
    return job;
}

static void write_readme(const struct eb_import_suite *s,
                         const struct eb_importer *im,
                         const struct eb_import_options *o, struct eb_buf *b)
{
    size_t i;

    eb_buf_addf(b, "# %s\n\n%s.\n\n", s->name, s->title);
    eb_buf_addf(b, "- Source: %s\n- Licence: %s\n", s->source, s->licence);
    eb_buf_addf(b, "- Made by `edgebench suites import %s` of edgebench %s",
                im->name, EB_VERSION);
    eb_buf_addf(b, ", seed %llu", (unsigned long long)o->seed);
    if (o->limit > 0)
        eb_buf_addf(b, ", at most %lld items a level and language", o->limit);
    eb_buf_adds(b, "\n\nThe bars are a start: set your own in job.json, with "
                   "your service bars, before the first run. Public items may "
                   "have been in a model's training.\n\n## Levels\n\n"
                   "| level | kind | items | bar |\n| --- | --- | --- | --- "
                   "|\n");
    for (i = 0; i < s->n_levels; i++)
        eb_buf_addf(b, "| %s | %s | %zu | %.2f |\n", s->levels[i].name,
                    eb_json_get_str(s->levels[i].json, "kind", ""),
                    s->levels[i].n,
                    eb_json_get_num(s->levels[i].json, "bar", 0));
    eb_buf_adds(b, "\n## What was left out, and what was changed\n\n");
    eb_buf_adds(b, s->notes.len > 0 ? s->notes.data : "Nothing.\n");
}

static int write_all(struct eb_import_suite *s, const char *dir,
                     const char *readme, struct eb_err *err)
{
    cJSON *job;
    char *text;
    size_t i;
    int rc = write_file(dir, "README.md", readme, err);

    for (i = 0; rc == 0 && i < s->n_files; i++)
        rc = write_file(dir, s->files[i].name, s->files[i].text, err);
    for (i = 0; rc == 0 && i < s->n_levels; i++) {
        rc = write_items(&s->levels[i], dir, err);
        if (rc == 0)
            rc = write_prompts(s, &s->levels[i], dir, err);
    }
    if (rc != 0)
        return rc;
    job = write_job(s);
    text = cJSON_Print(job);
    rc = write_file(dir, "job.json", text, err);
    free(text);
    cJSON_Delete(job);
    return rc;
}

/* Placing */

static void write_remove(const char *dir)
{
    char **names, *path;
    size_t n, i;

    if (eb_fs_list(dir, "", &names, &n, NULL) == 0) {
        for (i = 0; i < n; i++) {
            path = eb_fs_join(dir, names[i]);
            unlink(path);
            free(path);
        }
        eb_fs_list_free(names, n);
    }
    rmdir(dir);
}

static int write_errno(const char *path, struct eb_err *err)
{
    int e = errno;

    return eb_fail(err, eb_code_from_errno(e), "%s: %s", path, strerror(e));
}

int eb_import_check_out(const char *out, struct eb_err *err)
{
    char **names;
    size_t n;
    int rc;

    if (!eb_fs_exists(out))
        return 0;
    rc = eb_fs_list(out, "", &names, &n, err);
    if (rc != 0)
        return rc;
    eb_fs_list_free(names, n);
    if (n == 0)
        return 0;
    return eb_fail(err, EB_ECONFLICT,
                   "%s: the folder is not empty; name a new one", out);
}

/* A new folder beside `out`; parents are made. */
static int write_beside(const char *out, char **dir, struct eb_err *err)
{
    const char *slash = strrchr(out, '/');
    char *parent;
    int rc = 0;

    if (slash != NULL && slash > out) {
        parent = eb_xstrndup(out, (size_t)(slash - out));
        rc = eb_fs_mkdirs(parent, err);
        free(parent);
    }
    if (rc != 0)
        return rc;
    *dir = eb_xasprintf("%s.XXXXXX", out);
    if (mkdtemp(*dir) == NULL) {
        rc = write_errno(*dir, err);
        free(*dir);
        *dir = NULL;
    }
    return rc;
}

static int write_place(struct eb_import_suite *s, const char *path,
                       const char *readme, struct eb_err *err)
{
    size_t len = strlen(path);
    struct eb_suite loaded;
    char *out, *dir = NULL;
    int rc;

    while (len > 1 && path[len - 1] == '/')
        len--;
    out = eb_xstrndup(path, len);
    rc = write_beside(out, &dir, err);
    if (rc == 0)
        rc = write_all(s, dir, readme, err);
    if (rc == 0) {
        rc = eb_suite_load(&loaded, dir, err);
        if (rc == 0)
            eb_suite_free(&loaded);
    }
    /* An empty folder may be in the way; rename(2) replaces it. */
    if (rc == 0 && rename(dir, out) < 0)
        rc = write_errno(out, err);
    if (rc != 0 && dir != NULL)
        write_remove(dir);
    free(dir);
    free(out);
    return rc;
}

static void write_drop_notes(struct eb_import_suite *s)
{
    size_t i;

    for (i = 0; i < s->n_levels; i++) {
        const struct import_level *l = &s->levels[i];

        if (l->n_same > 0)
            eb_import_note(s,
                           "%s: %zu items that say nearly the same as an "
                           "earlier one (80 %% of the words or more): no "
                           "second sample of anything.",
                           l->name, l->n_same);
        if (l->n_slots > 0)
            eb_import_note(s,
                           "%s: %zu items that hold `${`, which stands for a "
                           "slot in a job.",
                           l->name, l->n_slots);
    }
}

int eb_import_write(struct eb_import_suite *s, const struct eb_importer *im,
                    const struct eb_import_options *o, FILE *report,
                    struct eb_err *err)
{
    struct eb_buf readme = {0};
    size_t i;
    int rc = 0;

    if (s->name == NULL || s->n_levels == 0)
        return eb_fail(err, EB_EINVAL, "%s: nothing to import", o->path);
    write_drop_notes(s);
    for (i = 0; rc == 0 && i < s->n_levels; i++) {
        struct import_level *l = &s->levels[i];

        if (l->json == NULL || l->n == 0)
            rc = eb_fail(err, EB_EINVAL, "%s: no items for %s", o->path,
                         l->name);
        if (rc == 0 && o->limit > 0) {
            write_limit(l, (size_t)o->limit, o->seed);
            rc = write_check_labels(l, o->limit, err);
        }
    }
    if (rc == 0) {
        write_readme(s, im, o, &readme);
        rc = write_place(s, o->out, readme.data, err);
    }
    if (rc == 0 && report != NULL) {
        /* The table and the list of the README are the report. */
        fprintf(report, "%s\n%s", o->out, strstr(readme.data, "\n| level"));
        fprintf(report, "\nNext: edgebench suites check %s\n", o->out);
    }
    eb_buf_free(&readme);
    return rc;
}
