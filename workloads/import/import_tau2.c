/* tau2-bench: data/tau2/domains/<domain>/ with tasks.json, db.json and
 * policy.md. The functions are Python upstream; here their parameters are
 * those that the tasks' own actions use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/import/import_read.h"
#include "workloads/import/import_tau.h"

static const cJSON *tau2_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static const cJSON *tau2_criteria(const cJSON *task, const char *key)
{
    return tau2_get(tau2_get(task, "evaluation_criteria"), key);
}

/* A schema that allows the value and what looks like it. */
static cJSON *tau2_schema(const cJSON *value)
{
    cJSON *out = cJSON_CreateObject(), *props;
    const cJSON *v;

    if (cJSON_IsString(value))
        cJSON_AddStringToObject(out, "type", "string");
    else if (cJSON_IsBool(value))
        cJSON_AddStringToObject(out, "type", "boolean");
    else if (cJSON_IsNumber(value))
        cJSON_AddStringToObject(out, "type", "number");
    else if (cJSON_IsArray(value)) {
        cJSON_AddStringToObject(out, "type", "array");
        if (value->child != NULL)
            cJSON_AddItemToObject(out, "items", tau2_schema(value->child));
    } else if (cJSON_IsObject(value)) {
        cJSON_AddStringToObject(out, "type", "object");
        props = cJSON_AddObjectToObject(out, "properties");
        cJSON_ArrayForEach(v, value)
            cJSON_AddItemToObject(props, v->string, tau2_schema(v));
    }
    return out;
}

static cJSON *tau2_function(const char *name)
{
    cJSON *f = cJSON_CreateObject(), *p;

    cJSON_AddStringToObject(f, "name", name);
    p = cJSON_AddObjectToObject(f, "parameters");
    cJSON_AddStringToObject(p, "type", "object");
    cJSON_AddObjectToObject(p, "properties");
    return f;
}

/* Learns functions and their parameters from one action. */
static void tau2_learn(cJSON *functions, const cJSON *action)
{
    const char *name = eb_calls_str(action, "name");
    const cJSON *v;
    cJSON *f, *props;

    if (name == NULL || eb_tau_reads(name))
        return;
    f = (cJSON *)eb_calls_tool(functions, name);
    if (f == NULL) {
        f = tau2_function(name);
        cJSON_AddItemToArray(functions, f);
    }
    props = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(f, "parameters"), "properties");
    cJSON_ArrayForEach(v, eb_tau_args(action))
    {
        if (strcmp(v->string, "summary") != 0 &&
            tau2_get(props, v->string) == NULL)
            cJSON_AddItemToObject(props, v->string, tau2_schema(v));
    }
}

static int tau2_wants_judge(const cJSON *task)
{
    const cJSON *v;

    if (cJSON_GetArraySize(tau2_criteria(task, "nl_assertions")) == 0)
        return 0;
    cJSON_ArrayForEach(v, tau2_criteria(task, "reward_basis"))
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, "NL_ASSERTION") == 0)
            return 1;
    }
    return 0;
}

/* The customer acts too, or the world is not that of db.json. */
static int tau2_is_other(const cJSON *task)
{
    const cJSON *v, *start = tau2_get(task, "initial_state");

    if (start != NULL && !cJSON_IsNull(start))
        return 1;
    if (cJSON_GetArraySize(tau2_criteria(task, "env_assertions")) > 0)
        return 1;
    cJSON_ArrayForEach(v, tau2_criteria(task, "actions"))
    {
        const char *who = eb_calls_str(v, "requestor");

        if (who != NULL && strcmp(who, "assistant") != 0)
            return 1;
    }
    return 0;
}

/* What the customer says and knows, in one text. Free with free(). */
static char *tau2_text(const cJSON *task)
{
    static const char *const keys[] = {"reason_for_call", "known_info",
                                       "task_instructions"};
    const cJSON *in = tau2_get(tau2_get(task, "user_scenario"), "instructions");
    struct eb_buf b = {0};
    size_t i;

    if (cJSON_IsString(in))
        eb_buf_adds(&b, in->valuestring);
    for (i = 0; i < 3; i++) {
        const char *text = eb_calls_str(in, keys[i]);

        if (text != NULL)
            eb_buf_addf(&b, "%s%s", b.len > 0 ? "\n" : "", text);
    }
    if (b.len > 0)
        return eb_buf_take(&b);
    return NULL;
}

static void tau2_task(struct eb_tau *t, const cJSON *row)
{
    char *text = tau2_text(row);
    struct eb_tau_task task = {.id = eb_calls_str(row, "id"),
                               .text = text,
                               .actions = tau2_criteria(row, "actions")};

    if (tau2_wants_judge(row)) {
        t->n_judge++;
    } else if (tau2_is_other(row)) {
        t->n_other++;
    } else {
        t->n_output +=
            cJSON_GetArraySize(tau2_criteria(row, "communicate_info")) > 0;
        eb_tau_add(t, &task);
    }
    free(text);
}

/* One array, or a line a task. */
static char *tau2_tasks(const char *dir)
{
    char *path = eb_fs_join(dir, "tasks.json"), *lines;

    if (eb_fs_exists(path))
        return path;
    lines = eb_fs_join(dir, "tasks.jsonl");
    if (!eb_fs_exists(lines)) {
        free(lines);
        return path;
    }
    free(path);
    return lines;
}

static int tau2_read(struct eb_tau *t, const char *dir, struct eb_rows *rows,
                     struct eb_buf *policy, struct eb_err *err)
{
    char *tasks = tau2_tasks(dir);
    char *db = eb_fs_join(dir, "db.json"), *md = eb_fs_join(dir, "policy.md");
    const cJSON *a;
    size_t i;
    int rc = eb_rows_read(rows, tasks, err);

    if (rc == 0)
        rc = eb_import_doc(db, &t->db.all, err);
    if (rc == 0)
        rc = eb_fs_read(md, EB_IMPORT_FILE_MAX, policy, err);
    t->db.users = tau2_get(t->db.all, "users");
    t->db.orders = tau2_get(t->db.all, "orders");
    t->db.products = tau2_get(t->db.all, "products");
    t->db.reservations = tau2_get(t->db.all, "reservations");
    t->db.flights = tau2_get(t->db.all, "flights");
    for (i = 0; rc == 0 && i < rows->n; i++) {
        char *text = tau2_text(rows->v[i]);

        if (text == NULL ||
            !cJSON_IsObject(tau2_get(rows->v[i], "evaluation_criteria")))
            rc = eb_rows_fail(rows, i, err,
                              "expected user_scenario and "
                              "evaluation_criteria (not a task of tau2?)");
        free(text);
        cJSON_ArrayForEach(a, tau2_criteria(rows->v[i], "actions"))
            tau2_learn(t->level.functions, a);
    }
    free(tasks);
    free(db);
    free(md);
    return rc;
}

static int tau2_domain(struct eb_import_suite *s, const char *dir,
                       const char *name, struct eb_err *err)
{
    struct eb_tau t = {.s = s};
    struct eb_rows rows = {0};
    struct eb_buf policy = {0};
    size_t i;
    int rc;

    t.level = (struct eb_calls_level){
        .name = name,
        .why = "A wrong change of an order or a booking has to be found and "
               "undone by hand, with an apology; below six in ten a person is "
               "quicker.",
        .bar = 0.60,
        .max_tokens = 1024,
        .functions = cJSON_CreateArray()};
    rc = tau2_read(&t, dir, &rows, &policy, err);
    if (rc == 0 && policy.data != NULL) {
        eb_tau_begin(&t, policy.data);
        for (i = 0; i < rows.n; i++)
            tau2_task(&t, rows.v[i]);
    } else {
        cJSON_Delete(t.level.functions);
    }
    eb_tau_end(&t);
    eb_rows_free(&rows);
    eb_buf_free(&policy);
    return rc;
}

static int tau2_run(const struct eb_import_options *o,
                    struct eb_import_suite *s, struct eb_err *err)
{
    static const char *const names[] = {"retail", "airline"};
    static const char *const others[] = {"telecom", "banking_knowledge",
                                         "mock"};
    static const char *const below[] = {"", "domains", "tau2/domains",
                                        "data/tau2/domains", NULL};
    static const char *const marks[] = {"retail", "airline", NULL};
    char *path = eb_import_dir(o->path, below, marks);
    int rc = 0, any = 0;
    size_t i;

    eb_import_set_text(s, "tau2", "Service desk with tools (tau2-bench)",
                       "https://github.com/sierra-research/tau2-bench "
                       "(data/tau2/domains)",
                       "MIT, Sierra 2025");
    for (i = 0; i < 2 && rc == 0; i++) {
        char *dir = eb_fs_join(path, names[i]), *tasks = tau2_tasks(dir);

        if (eb_fs_exists(tasks)) {
            any = 1;
            rc = tau2_domain(s, dir, names[i], err);
        }
        free(tasks);
        free(dir);
    }
    for (i = 0; i < 3 && rc == 0; i++) {
        char *dir = eb_fs_join(path, others[i]);

        if (eb_fs_exists(dir))
            eb_import_note(s,
                           "the domain %s: its world is a program, not "
                           "records",
                           others[i]);
        free(dir);
    }
    if (rc == 0 && !any)
        rc = eb_fail(err, EB_ENOENT,
                     "%.160s: no retail/ or airline/ with tasks.json here",
                     path);
    free(path);
    return rc;
}

const struct eb_importer eb_import_tau2 = {
    "tau2", "tau2-bench: data/tau2/domains, with retail/ and airline/",
    tau2_run};
