/* Berkeley Function-Calling Leaderboard, files of version 3 and 4.
 *
 * Single turns keep the published golds. Of the multi-turn sets only what
 * can be judged without their simulated world is taken: the calls of a turn
 * whose values stand in the conversation (import_bfcl_turns.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "workloads/import/import_bfcl.h"
#include "workloads/import/import_read.h"

enum bfcl_gold { BFCL_ANSWER, BFCL_NONE, BFCL_ANY };

static const struct bfcl_set {
    const char *name;
    int parallel;
    enum bfcl_gold gold;
} bfcl_sets[] = {
    {"simple", 0, BFCL_ANSWER}, /* version 3 */
    {"simple_python", 0, BFCL_ANSWER},
    {"multiple", 0, BFCL_ANSWER},
    {"live_simple", 0, BFCL_ANSWER},
    {"live_multiple", 0, BFCL_ANSWER},
    {"irrelevance", 0, BFCL_NONE},
    {"live_irrelevance", 0, BFCL_NONE},
    {"live_relevance", 0, BFCL_ANY},
    {"parallel", 1, BFCL_ANSWER},
    {"parallel_multiple", 1, BFCL_ANSWER},
    {"live_parallel", 1, BFCL_ANSWER},
    {"live_parallel_multiple", 1, BFCL_ANSWER},
};
#define BFCL_SETS (sizeof(bfcl_sets) / sizeof(bfcl_sets[0]))

static const cJSON *bfcl_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

char *eb_bfcl_file(const char *dir, const char *set)
{
    char **names, *found = NULL;
    size_t n, i;

    if (eb_fs_list(dir, ".json", &names, &n, NULL) != 0)
        return NULL;
    for (i = 0; i < n; i++) {
        const char *rest = strncmp(names[i], "BFCL_v", 6) == 0
                               ? strchr(names[i] + 6, '_')
                               : NULL;

        if (rest != NULL && strncmp(rest + 1, set, strlen(set)) == 0 &&
            strcmp(rest + 1 + strlen(set), ".json") == 0) {
            free(found);
            found = eb_xstrdup(names[i]); /* the newest version is last */
        }
    }
    eb_fs_list_free(names, n);
    return found;
}

int eb_bfcl_read(const char *dir, const char *name, struct eb_rows *questions,
                 struct eb_rows *answers, struct eb_err *err)
{
    char *path = eb_fs_join(dir, name), *sub, *key;
    int rc = eb_rows_read(questions, path, err);

    free(path);
    if (answers == NULL || rc != 0)
        return rc;
    sub = eb_fs_join(dir, "possible_answer");
    key = eb_fs_join(sub, name);
    if (!eb_fs_exists(key))
        rc = eb_fail(err, EB_ENOENT,
                     "%.150s: no such file; the answers of %.60s stand there",
                     key, name);
    else
        rc = eb_rows_read(answers, key, err);
    free(sub);
    free(key);
    return rc;
}

/* Accepted values of the set into those of a gold: the members of objects
 * hold arrays of accepted values already. */
static cJSON *bfcl_value(const cJSON *v)
{
    cJSON *out;
    const cJSON *m, *e;

    if (cJSON_IsArray(v)) {
        out = cJSON_CreateArray();
        cJSON_ArrayForEach(m, v) cJSON_AddItemToArray(out, bfcl_value(m));
        return out;
    }
    if (!cJSON_IsObject(v))
        return cJSON_Duplicate(v, 1);
    out = cJSON_CreateObject();
    cJSON_ArrayForEach(m, v)
    {
        cJSON *list = cJSON_CreateArray();

        if (!cJSON_IsArray(m)) {
            cJSON_AddItemToArray(list, bfcl_value(m));
        } else {
            cJSON_ArrayForEach(e, m) cJSON_AddItemToArray(list, bfcl_value(e));
        }
        cJSON_AddItemToObject(out, m->string, list);
    }
    return out;
}

static int bfcl_may_miss(const cJSON *accepted)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, accepted)
    {
        if (cJSON_IsString(v) && v->valuestring[0] == '\0')
            return 1;
    }
    return 0;
}

/* {function: {parameter: [accepted]}} into a call. A parameter that the
 * function does not have can only be left out. */
static cJSON *bfcl_call(const cJSON *source, const cJSON *tools)
{
    const cJSON *named = source->child, *v, *props = NULL;
    cJSON *args = cJSON_CreateObject();

    cJSON_ArrayForEach(v, tools)
    {
        const char *name = eb_calls_str(v, "name");

        if (name != NULL && strcmp(name, named->string) == 0)
            props = bfcl_get(bfcl_get(v, "parameters"), "properties");
    }
    cJSON_ArrayForEach(v, named)
    {
        if (bfcl_get(props, v->string) == NULL && bfcl_may_miss(v))
            continue;
        cJSON_AddItemToObject(args, v->string, bfcl_value(v));
    }
    return eb_calls_call(named->string, args);
}

cJSON *eb_bfcl_tools(const cJSON *functions)
{
    cJSON *out = cJSON_CreateArray();
    const cJSON *v;

    cJSON_ArrayForEach(v, functions)
        cJSON_AddItemToArray(out, eb_calls_function(v));
    return out;
}

/* The messages of one turn: the last one of the user, and what stands
 * before it. NULL if there is none. */
const char *eb_bfcl_turn(const cJSON *turn, struct eb_buf *context)
{
    const char *message = NULL;
    const cJSON *m;

    cJSON_ArrayForEach(m, turn)
    {
        const char *role = eb_calls_str(m, "role");
        const char *text = eb_calls_str(m, "content");

        if (text == NULL)
            continue;
        if (m->next == NULL)
            message = text;
        else
            eb_calls_say(context, role != NULL ? role : "user", text);
    }
    return message;
}

/* The right answer of a row; NULL and err if it has none of the right
 * form. */
static cJSON *bfcl_gold(const struct bfcl_set *set, const struct eb_rows *q,
                        size_t i, const struct eb_rows *answers,
                        const cJSON *tools, struct eb_err *err)
{
    const char *id = eb_calls_str(q->v[i], "id");
    const cJSON *truth, *v;
    cJSON *calls;

    if (set->gold == BFCL_ANY) {
        calls = cJSON_CreateObject();
        cJSON_AddTrueToObject(calls, "any_call");
        return calls;
    }
    calls = cJSON_CreateArray();
    if (set->gold == BFCL_NONE)
        return eb_calls_gold(calls);
    truth = bfcl_get(eb_rows_find(answers, id), "ground_truth");
    if (!cJSON_IsArray(truth)) {
        cJSON_Delete(calls);
        eb_fail(err, EB_EPARSE, "%.120s:%d: %.60s has no answer in %.60s",
                q->path, q->line[i], id, "possible_answer");
        return NULL;
    }
    cJSON_ArrayForEach(v, truth)
    {
        if (cJSON_IsObject(v) && cJSON_IsObject(v->child))
            cJSON_AddItemToArray(calls, bfcl_call(v, tools));
    }
    if (cJSON_GetArraySize(calls) == cJSON_GetArraySize(truth))
        return eb_calls_gold(calls);
    cJSON_Delete(calls);
    eb_fail(err, EB_EPARSE, "%.150s: %.60s: a call is not {name: {...}}",
            answers->path, id);
    return NULL;
}

struct bfcl_job {
    const char *dir;
    struct eb_import_suite *s;
    struct eb_calls_level levels[2];
    size_t n_foreign;
};

static int bfcl_row(struct bfcl_job *j, const struct bfcl_set *set,
                    const struct eb_rows *q, size_t i,
                    const struct eb_rows *answers, struct eb_err *err)
{
    const cJSON *turns = bfcl_get(q->v[i], "question");
    const cJSON *functions = bfcl_get(q->v[i], "function");
    struct eb_calls_item it = {.lang = "en", .stratum = set->name};
    struct eb_buf context = {0};

    if (eb_calls_str(q->v[i], "id") == NULL || !cJSON_IsArray(turns) ||
        !cJSON_IsArray(functions))
        return eb_rows_fail(q, i, err,
                            "expected id, question and function (not a file "
                            "of this set?)");
    it.message = eb_bfcl_turn(turns->child, &context);
    if (it.message == NULL || !eb_calls_is_latin(it.message)) {
        j->n_foreign++;
        eb_buf_free(&context);
        return 0;
    }
    if (context.len > 0)
        eb_buf_addc(&context, '\n');
    it.context = context.data;
    it.capability = set->gold == BFCL_NONE ? "abstain" : "call";
    it.tools = eb_bfcl_tools(functions);
    it.gold = bfcl_gold(set, q, i, answers, it.tools, err);
    if (it.gold != NULL)
        eb_calls_add(j->s, &j->levels[set->parallel], &it);
    else
        cJSON_Delete(it.tools);
    eb_buf_free(&context);
    return it.gold != NULL ? 0 : EB_EPARSE;
}

static int bfcl_set(struct bfcl_job *j, const struct bfcl_set *set,
                    const char *name, struct eb_err *err)
{
    struct eb_rows q = {0}, a = {0};
    size_t i;
    int rc = eb_bfcl_read(j->dir, name, &q,
                          set->gold == BFCL_ANSWER ? &a : NULL, err);

    for (i = 0; i < q.n && rc == 0; i++)
        rc = bfcl_row(j, set, &q, i, &a, err);
    eb_rows_free(&q);
    eb_rows_free(&a);
    return rc;
}

static const struct eb_calls_level bfcl_levels[] = {
    {.name = "call",
     .why = "A wrong call is carried out and has to be found and undone, so "
            "at most one in five may be wrong where a person looks on.",
     .bar = 0.80,
     .max_tokens = 512},
    {.name = "parallel",
     .why = "One missing or wrong call of several leaves a job half done, "
            "which is harder to see than one not done.",
     .bar = 0.75,
     .max_tokens = 1024},
};

/* A level of abstaining alone would be passed by never calling. */
static int bfcl_has_calls(const char *dir, int parallel)
{
    char *name;
    int found = 0;
    size_t k;

    for (k = 0; k < BFCL_SETS && !found; k++) {
        name = bfcl_sets[k].parallel == parallel &&
                       bfcl_sets[k].gold == BFCL_ANSWER
                   ? eb_bfcl_file(dir, bfcl_sets[k].name)
                   : NULL;
        found = name != NULL;
        free(name);
    }
    return found;
}

static char *bfcl_dir(const char *path)
{
    static const char *const below[] = {
        "",
        "data",
        "bfcl_eval/data",
        "berkeley-function-call-leaderboard/bfcl_eval/data",
        "berkeley-function-call-leaderboard/data",
        NULL};
    static const char *const marks[] = {"possible_answer", NULL};

    return eb_import_dir(path, below, marks);
}

/* A file alone has either questions or answers. */
static int bfcl_nothing(const char *path, struct eb_err *err)
{
    if (strstr(path, ".json") != NULL && eb_fs_exists(path))
        return eb_fail(err, EB_EINVAL,
                       "%.150s: is a file; give the folder with it and "
                       "possible_answer/",
                       path);
    return eb_fail(err, EB_ENOENT,
                   "%.180s: no BFCL_v<n>_<set>.json with calls here", path);
}

static int bfcl_run(const struct eb_import_options *o,
                    struct eb_import_suite *s, struct eb_err *err)
{
    char *dir = bfcl_dir(o->path);
    struct bfcl_job j = {.dir = dir, .s = s};
    int rc = 0, parallel, levels = 0;
    size_t k;

    eb_import_set_text(
        s, "bfcl", "Function calling (Berkeley Function-Calling Leaderboard)",
        "https://github.com/ShishirPatil/gorilla "
        "(berkeley-function-call-leaderboard/bfcl_eval/data)",
        "Apache-2.0, Patil et al., UC Berkeley");
    for (parallel = 0; parallel < 2 && rc == 0; parallel++) {
        j.levels[parallel] = bfcl_levels[parallel];
        if (!bfcl_has_calls(dir, parallel))
            continue;
        levels++;
        eb_calls_add_level(s, &j.levels[parallel], "en");
        for (k = 0; k < BFCL_SETS && rc == 0; k++) {
            char *name = bfcl_sets[k].parallel == parallel
                             ? eb_bfcl_file(dir, bfcl_sets[k].name)
                             : NULL;

            if (name != NULL)
                rc = bfcl_set(&j, &bfcl_sets[k], name, err);
            free(name);
        }
        eb_calls_end(s, &j.levels[parallel]);
    }
    if (rc == 0)
        rc = eb_bfcl_turns(dir, s, &levels, err);
    if (rc == 0 && levels == 0)
        rc = bfcl_nothing(o->path, err);
    if (j.n_foreign > 0)
        eb_import_note(s,
                       "%zu rows in other languages than English: they are "
                       "too few for a verdict of their own",
                       j.n_foreign);
    eb_import_note(s, "sets of other programming languages (java, javascript, "
                      "rest, sql, exec), of memory and of web search: they "
                      "need another grammar, a run of the call or a network");
    free(dir);
    return rc;
}

const struct eb_importer eb_import_bfcl = {
    "bfcl",
    "Berkeley Function-Calling Leaderboard: the folder with "
    "BFCL_v*_*.json and possible_answer/",
    bfcl_run};
