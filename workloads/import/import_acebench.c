/* ACEBench: data_en and data_zh, each with possible_answer/.
 *
 * The same id is another item in the other language, so the languages are
 * not paired. What upstream plays in a simulated phone (agent_*) is left out;
 * of the special sets it is judged that nothing is called, not how the model
 * names what is missing or wrong. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/import/import_calls.h"

static const struct ace_set {
    const char *file;
    const char *stratum;
    int abstain;
} ace_sets[] = {
    {"data_normal_single_turn_single_function.json", "single", 0},
    {"data_normal_single_turn_parallel_function.json", "several", 0},
    {"data_normal_multi_turn_user_adjust.json", "adjust", 0},
    {"data_normal_multi_turn_user_switch.json", "switch", 0},
    {"data_normal_similar_api.json", "similar", 0},
    {"data_normal_preference.json", "preference", 0},
    {"data_normal_atom_bool.json", "atom-bool", 0},
    {"data_normal_atom_enum.json", "atom-enum", 0},
    {"data_normal_atom_number.json", "atom-number", 0},
    {"data_normal_atom_list.json", "atom-list", 0},
    {"data_normal_atom_object_deep.json", "atom-deep", 0},
    {"data_normal_atom_object_short.json", "atom-short", 0},
    {"data_special_incomplete.json", "incomplete", 1},
    {"data_special_error_param.json", "error-param", 1},
    {"data_special_irrelevant.json", "irrelevant", 1},
};
#define ACE_SETS (sizeof(ace_sets) / sizeof(ace_sets[0]))

enum { ACE_CALL, ACE_SEVERAL };

struct ace_job {
    struct eb_import_suite *s;
    struct eb_calls_level levels[2];
    const char *lang;
    const char *dir;
    size_t n_rows; /* of the language */
    size_t n_agent;
};

static const cJSON *ace_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

/* Repeated calls of one function are "name_1", "name_2" in the answers. Free
 * with free(). */
static char *ace_name(const cJSON *tools, const char *key)
{
    size_t n = strlen(key);

    if (eb_calls_tool(tools, key) != NULL)
        return eb_xstrdup(key);
    while (n > 0 && isdigit((unsigned char)key[n - 1]))
        n--;
    if (n > 0 && key[n - 1] == '_' && key[n] != '\0')
        return eb_xstrndup(key, n - 1);
    return eb_xstrdup(key);
}

/* {name: {parameter: value}} into calls; NULL if it has another form. */
static cJSON *ace_calls(const cJSON *tools, const cJSON *truth)
{
    cJSON *out = cJSON_CreateArray(), *args;
    const cJSON *v, *a;
    char *name;

    cJSON_ArrayForEach(v, truth)
    {
        if (!cJSON_IsObject(v)) {
            cJSON_Delete(out);
            return NULL;
        }
        args = cJSON_CreateObject();
        cJSON_ArrayForEach(a, v)
            cJSON_AddItemToObject(args, a->string, eb_calls_accept(a));
        name = ace_name(tools, v->string);
        cJSON_AddItemToArray(out, eb_calls_call(name, args));
        free(name);
    }
    return out;
}

/* An array holds several right answers. NULL if it is no answer. */
static cJSON *ace_gold(const cJSON *tools, const cJSON *truth, int *several)
{
    cJSON *gold, *list, *calls = NULL;
    const cJSON *v;

    if (cJSON_IsObject(truth)) {
        calls = ace_calls(tools, truth);
        *several = cJSON_GetArraySize(calls) > 1;
        return calls != NULL ? eb_calls_gold(calls) : NULL;
    }
    if (!cJSON_IsArray(truth) || truth->child == NULL)
        return NULL;
    gold = cJSON_CreateObject();
    list = cJSON_AddArrayToObject(gold, "one_of");
    cJSON_ArrayForEach(v, truth)
    {
        calls = cJSON_IsObject(v) ? ace_calls(tools, v) : NULL;
        if (calls == NULL) {
            cJSON_Delete(gold);
            return NULL;
        }
        *several = cJSON_GetArraySize(calls) > 1;
        cJSON_AddItemToArray(list, calls);
    }
    return gold;
}

/* "user: ...\nsystem: ...\nuser: ..." into what the user said last and all
 * before it. Free the message with free(). */
static char *ace_message(const char *question, struct eb_buf *context)
{
    const char *last = NULL, *p = question;
    size_t n;

    while (p != NULL && *p != '\0') {
        if (strncmp(p, "user:", 5) == 0)
            last = p;
        p = strchr(p, '\n');
        p = p != NULL ? p + 1 : NULL;
    }
    if (last == NULL)
        last = question;
    eb_buf_add(context, question, (size_t)(last - question));
    if (strncmp(last, "user:", 5) == 0)
        last += 5;
    last += strspn(last, " \t");
    n = strlen(last);
    while (n > 0 && isspace((unsigned char)last[n - 1]))
        n--;
    return eb_xstrndup(last, n);
}

static void ace_known(const struct ace_job *j, const cJSON *row,
                      struct eb_buf *context)
{
    int zh = strcmp(j->lang, "zh") == 0;
    const char *time = eb_calls_str(row, "time");
    const char *profile = eb_calls_str(row, "profile");

    if (time != NULL)
        eb_calls_say(context, zh ? "时间" : "Time", time);
    if (profile != NULL)
        eb_calls_say(context, zh ? "用户资料" : "User profile", profile);
}

/* "normal_multi_turn_user_adjust_3_1" is turn 1 of conversation 3. */
static char *ace_cluster(const struct ace_job *j, const char *id,
                         const char *stratum)
{
    size_t n = strlen(id);

    if (strcmp(stratum, "adjust") == 0 || strcmp(stratum, "switch") == 0)
        n = (size_t)(strrchr(id, '_') != NULL ? strrchr(id, '_') - id
                                              : (long)n);
    return eb_xasprintf("%.*s-%s", (int)n, id, j->lang);
}

/* Takes tools and gold over. */
static void ace_add(struct ace_job *j, const struct ace_set *set,
                    const cJSON *row, cJSON *tools, cJSON *gold, int several)
{
    struct eb_calls_item it = {.lang = j->lang, .tools = tools, .gold = gold};
    struct eb_buf context = {0};
    char *stratum = eb_xasprintf("%s-%s", set->stratum, j->lang);
    char *cluster = ace_cluster(j, eb_calls_str(row, "id"), set->stratum);
    char *message;

    ace_known(j, row, &context);
    message = ace_message(eb_calls_str(row, "question"), &context);
    if (context.len > 0)
        eb_buf_addc(&context, '\n');
    it.capability = set->abstain ? "abstain" : "call";
    it.stratum = stratum;
    it.cluster = cluster;
    it.message = message;
    it.context = context.data;
    eb_calls_add(j->s, &j->levels[several ? ACE_SEVERAL : ACE_CALL], &it);
    eb_buf_free(&context);
    free(message);
    free(stratum);
    free(cluster);
}

static int ace_row(struct ace_job *j, const struct ace_set *set,
                   const struct eb_rows *q, size_t i,
                   const struct eb_rows *answers, struct eb_err *err)
{
    const char *id = eb_calls_str(q->v[i], "id");
    const cJSON *functions = ace_get(q->v[i], "function"), *f;
    cJSON *tools, *gold;
    int several = 0;

    if (id == NULL || eb_calls_str(q->v[i], "question") == NULL ||
        !cJSON_IsArray(functions))
        return eb_rows_fail(q, i, err,
                            "expected id, question and function (not a file "
                            "of this set?)");
    tools = cJSON_CreateArray();
    cJSON_ArrayForEach(f, functions)
        cJSON_AddItemToArray(tools, eb_calls_function(f));
    gold = set->abstain
               ? eb_calls_gold(cJSON_CreateArray())
               : ace_gold(tools,
                          ace_get(eb_rows_find(answers, id), "ground_truth"),
                          &several);
    if (gold == NULL) {
        cJSON_Delete(tools);
        return eb_rows_fail(q, i, err,
                            "no answer {function: {...}} in possible_answer/");
    }
    j->n_rows++;
    ace_add(j, set, q->v[i], tools, gold, several);
    return 0;
}

static int ace_set(struct ace_job *j, const struct ace_set *set,
                   struct eb_err *err)
{
    char *path = eb_fs_join(j->dir, set->file);
    char *sub = eb_fs_join(j->dir, "possible_answer");
    char *key = eb_fs_join(sub, set->file);
    struct eb_rows q = {0}, a = {0};
    int rc = 0;
    size_t i;

    if (eb_fs_exists(path)) {
        rc = eb_rows_read(&q, path, err);
        if (rc == 0 && !set->abstain && !eb_fs_exists(key))
            rc = eb_fail(err, EB_ENOENT,
                         "%.150s: no such file; the answers of %.60s stand "
                         "there",
                         key, set->file);
        else if (rc == 0 && !set->abstain)
            rc = eb_rows_read(&a, key, err);
    }
    for (i = 0; i < q.n && rc == 0; i++)
        rc = ace_row(j, set, &q, i, &a, err);
    eb_rows_free(&q);
    eb_rows_free(&a);
    free(path);
    free(sub);
    free(key);
    return rc;
}

static int ace_agent(struct ace_job *j, const char *name, struct eb_err *err)
{
    char *path = eb_fs_join(j->dir, name);
    struct eb_rows q = {0};
    int rc = eb_fs_exists(path) ? eb_rows_read(&q, path, err) : 0;

    j->n_agent += q.n;
    eb_rows_free(&q);
    free(path);
    return rc;
}

/* All sets of one language, if its folder is there. */
static int ace_lang(struct ace_job *j, struct eb_err *err)
{
    size_t k;
    int rc = 0;

    j->n_rows = 0;
    for (k = 0; k < ACE_SETS && rc == 0; k++)
        rc = ace_set(j, &ace_sets[k], err);
    if (rc == 0)
        rc = ace_agent(j, "data_agent_multi_step.json", err);
    if (rc == 0)
        rc = ace_agent(j, "data_agent_multi_turn.json", err);
    if (rc == 0 && j->n_rows == 0)
        rc = eb_fail(err, EB_ENOENT, "%.200s: no data_normal_*.json here",
                     j->dir);
    return rc;
}

/* The folder of a language below the path, or the path itself if it is
 * named so; NULL: none. Free with free(). */
static char *ace_dir(const char *path, const char *lang)
{
    static const char *const forms[] = {"data_all/data_%s", "data_%s",
                                        "data/%s", "%s"};
    size_t i, n = strlen(path), k;
    char name[32], *dir;

    while (n > 1 && path[n - 1] == '/')
        n--;
    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        snprintf(name, sizeof(name), forms[i], lang);
        dir = eb_fs_join(path, name);
        if (eb_fs_exists(dir))
            return dir;
        free(dir);
        k = strlen(name);
        if (n >= k && strncmp(path + n - k, name, k) == 0 &&
            (n == k || path[n - k - 1] == '/'))
            return eb_xstrdup(path);
    }
    return NULL;
}

static const struct eb_calls_level ace_levels[] = {
    {.name = "call",
     .why = "A wrong call is carried out and has to be found and undone, so "
            "at most one in five may be wrong where a person looks on.",
     .bar = 0.80,
     .max_tokens = 512,
     .unpaired = 1},
    {.name = "several",
     .why = "One missing or wrong call of several leaves a job half done, "
            "which is harder to see than one not done.",
     .bar = 0.75,
     .max_tokens = 1024,
     .unpaired = 1},
};

static void ace_notes(const struct ace_job *j)
{
    eb_calls_end(j->s, &j->levels[ACE_CALL]);
    eb_calls_end(j->s, &j->levels[ACE_SEVERAL]);
    if (j->n_agent > 0)
        eb_import_note(j->s, "%zu agent tasks: they play in a simulated phone",
                       j->n_agent);
    eb_import_note(j->s,
                   "special sets: right is an answer without a call; that the "
                   "missing or wrong parameter is named is not judged");
    eb_import_note(j->s,
                   "texts must be equal after folding, where upstream takes "
                   "any text that holds the expected one, so results are "
                   "lower than published ones");
}

static int ace_run(const struct eb_import_options *o, struct eb_import_suite *s,
                   struct eb_err *err)
{
    static const char *const langs[] = {"en", "zh"};
    struct ace_job j = {.s = s, .levels = {ace_levels[0], ace_levels[1]}};
    char *dirs[2] = {ace_dir(o->path, "en"), ace_dir(o->path, "zh")};
    char names[8] = "";
    int i, rc = 0;

    eb_import_set_text(s, "acebench", "Function calling (ACEBench)",
                       "https://github.com/ACEBench/ACEBench (data_all)",
                       "MIT, Chen et al. 2025");
    for (i = 0; i < 2; i++) {
        if (dirs[i] != NULL)
            strcat(strcat(names, langs[i]), " ");
    }
    if (names[0] == '\0')
        rc = eb_fail(err, EB_ENOENT,
                     "%.180s: no data_en or data_zh here, nor in data_all",
                     o->path);
    for (i = 0; i < 2 && rc == 0; i++)
        eb_calls_add_level(s, &j.levels[i], names);
    for (i = 0; i < 2 && rc == 0; i++) {
        j.lang = langs[i];
        j.dir = dirs[i];
        if (dirs[i] != NULL)
            rc = ace_lang(&j, err);
    }
    if (rc == 0)
        ace_notes(&j);
    free(dirs[0]);
    free(dirs[1]);
    return rc;
}

const struct eb_importer eb_import_acebench = {
    "acebench", "ACEBench: the folder with data_en and data_zh, or one of them",
    ace_run};
