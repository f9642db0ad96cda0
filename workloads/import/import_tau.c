/* Items from tasks, and the files of tau-bench (the first version). */
#include "workloads/import/import_tau.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/import/import_read.h"

static const cJSON *tau_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

const cJSON *eb_tau_args(const cJSON *action)
{
    const cJSON *v = tau_get(action, "kwargs");

    return v != NULL ? v : tau_get(action, "arguments");
}

int eb_tau_reads(const char *name)
{
    static const char *const heads[] = {"get_",    "find_",     "list_",
                                        "search_", "calculate", "think"};
    size_t i;

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (strncmp(name, heads[i], strlen(heads[i])) == 0)
            return 1;
    }
    return 0;
}

void eb_tau_begin(struct eb_tau *t, const char *policy)
{
    static const char clear[] =
        "You work for the service desk described below. The message shows the "
        "functions that change something, one JSON object a line, then the "
        "records of a customer, then what the customer wants. The customer is "
        "verified, has been told the details and has confirmed them; all "
        "looking up is done. Answer with one JSON object and nothing else, all "
        "calls that fulfil the wish as far as the policy allows:\n"
        "{\"calls\":[{\"tool\":\"<name>\",\"args\":{\"<parameter>\":<value>}}]}"
        "\nTake ids from the records. List items of an order in the order of "
        "its record. If the policy allows nothing of it, answer "
        "{\"calls\":[]}.\n\nPolicy:\n";
    struct eb_buf b = {0};

    t->policy = policy;
    eb_calls_add_level(t->s, &t->level, "en");
    eb_buf_addf(&b, "%s%s", clear, policy);
    eb_import_add_prompt(t->s, t->level.name, "clear", "en", b.data);
    eb_buf_reset(&b);
    eb_buf_addf(&b,
                "Do what the customer wants. Reply as "
                "{\"calls\":[{\"tool\":\"...\",\"args\":{}}]}.\n\nPolicy:\n%s",
                policy);
    eb_import_add_prompt(t->s, t->level.name, "vague", "en", b.data);
    eb_buf_free(&b);
}

/* Where an item stands in its order; items of no order keep their place. */
static int tau_place(const cJSON *order, const char *item)
{
    const cJSON *v;
    int i = 0;

    cJSON_ArrayForEach(v, tau_get(order, "items"))
    {
        const char *id = eb_calls_str(v, "item_id");

        if (id != NULL && strcmp(id, item) == 0)
            return i;
        i++;
    }
    return i;
}

/* Sorts item_ids, and new_item_ids along with them, as the order's record
 * lists them: upstream any order does. */
static void tau_sort_items(cJSON *args, const cJSON *orders)
{
    cJSON *ids = cJSON_GetObjectItemCaseSensitive(args, "item_ids"), *v;
    cJSON *news = cJSON_GetObjectItemCaseSensitive(args, "new_item_ids");
    const char *order_id = eb_calls_str(args, "order_id");
    const cJSON *order = order_id != NULL ? tau_get(orders, order_id) : NULL;
    int n = cJSON_GetArraySize(ids), i, k;

    if (order == NULL || (news != NULL && cJSON_GetArraySize(news) != n))
        return;
    for (i = 1; i < n; i++) { /* insertion keeps equal ones in place */
        v = cJSON_GetArrayItem(ids, i);
        if (!cJSON_IsString(v))
            return;
        for (k = 0; k < i; k++) {
            if (tau_place(order, cJSON_GetArrayItem(ids, k)->valuestring) >
                tau_place(order, v->valuestring))
                break;
        }
        if (k == i)
            continue;
        cJSON_InsertItemInArray(ids, k, cJSON_DetachItemFromArray(ids, i));
        if (news != NULL)
            cJSON_InsertItemInArray(news, k,
                                    cJSON_DetachItemFromArray(news, i));
    }
}

/* All calls that change something. Free text is nobody's to compare. */
static cJSON *tau_gold(const struct eb_tau *t, const cJSON *actions)
{
    cJSON *out = cJSON_CreateArray(), *plain, *args;
    const cJSON *a, *v;

    cJSON_ArrayForEach(a, actions)
    {
        const char *name = eb_calls_str(a, "name");

        if (name == NULL || eb_tau_reads(name))
            continue;
        plain = cJSON_Duplicate(eb_tau_args(a), 1);
        cJSON_DeleteItemFromObjectCaseSensitive(plain, "summary");
        tau_sort_items(plain, t->db.orders);
        args = cJSON_CreateObject();
        cJSON_ArrayForEach(v, plain)
            cJSON_AddItemToObject(args, v->string, eb_calls_accept(v));
        cJSON_AddItemToArray(out, eb_calls_call(name, args));
        cJSON_Delete(plain);
    }
    return out;
}

static cJSON *tau_names(const cJSON *functions)
{
    cJSON *out = cJSON_CreateArray();
    const cJSON *f;

    cJSON_ArrayForEach(f, functions)
        cJSON_AddItemToArray(out, cJSON_CreateString(eb_calls_str(f, "name")));
    return out;
}

void eb_tau_add(struct eb_tau *t, const struct eb_tau_task *task)
{
    struct eb_calls_item it = {.lang = "en", .message = task->text};
    struct eb_buf context = {0};
    cJSON *calls = tau_gold(t, task->actions);
    char *all, *tools;

    if (eb_tau_records(&t->db, task, &context) != 0) {
        t->n_user++;
        cJSON_Delete(calls);
        eb_buf_free(&context);
        return;
    }
    tools = cJSON_PrintUnformatted(t->level.functions);
    all =
        eb_xasprintf("%s %s %s %s", task->text, context.data, tools, t->policy);
    if (!eb_calls_told(calls, all, 0)) {
        t->n_hidden++;
        cJSON_Delete(calls);
    } else {
        it.capability = calls->child != NULL ? "call" : "abstain";
        it.stratum = it.capability;
        it.cluster = task->user_id;
        it.context = context.data;
        it.tools = tau_names(t->level.functions);
        it.gold = eb_calls_gold(calls);
        eb_calls_add(t->s, &t->level, &it);
    }
    free(all);
    free(tools);
    eb_buf_free(&context);
}

void eb_tau_end(struct eb_tau *t)
{
    const char *l = t->level.name;

    if (t->policy != NULL)
        t->level.longest += strlen(t->policy);
    eb_calls_end(t->s, &t->level);
    if (t->n_user > 0)
        eb_import_note(t->s, "%s: %zu tasks whose customer is in no record", l,
                       t->n_user);
    if (t->n_hidden > 0)
        eb_import_note(t->s, "%s: %zu tasks with values that are in no record",
                       l, t->n_hidden);
    if (t->n_judge > 0)
        eb_import_note(t->s,
                       "%s: %zu tasks with assertions in plain language, which "
                       "need a judge",
                       l, t->n_judge);
    if (t->n_other > 0)
        eb_import_note(t->s,
                       "%s: %zu tasks in which the customer acts on a device "
                       "of their own or the start is changed",
                       l, t->n_other);
    if (t->n_output > 0)
        eb_import_note(t->s,
                       "%s: of %zu tasks the facts that must be told to the "
                       "customer; only their calls are judged",
                       l, t->n_output);
    cJSON_Delete(t->db.all);
}

/* Files of the first version */

/* The databases stand in data/ upstream. */
static int tau_part(struct eb_tau_db *db, const char *dir, const char *name,
                    const cJSON **part, struct eb_err *err)
{
    static const char *const below[] = {"", "data", NULL};
    char *file = eb_xasprintf("%s.json", name);
    const char *marks[] = {file, NULL};
    char *at = eb_import_dir(dir, below, marks), *path = eb_fs_join(at, file);
    cJSON *v = NULL;
    int rc = eb_fs_exists(path) ? eb_import_doc(path, &v, err) : 0;

    if (v != NULL)
        cJSON_AddItemToObject(db->all, name, v);
    *part = v;
    free(at);
    free(file);
    free(path);
    return rc;
}

static int tau_db(struct eb_tau_db *db, const char *dir, struct eb_err *err)
{
    int rc;

    db->all = cJSON_CreateObject();
    rc = tau_part(db, dir, "users", &db->users, err);
    if (rc == 0)
        rc = tau_part(db, dir, "orders", &db->orders, err);
    if (rc == 0)
        rc = tau_part(db, dir, "products", &db->products, err);
    if (rc == 0)
        rc = tau_part(db, dir, "reservations", &db->reservations, err);
    if (rc == 0)
        rc = tau_part(db, dir, "flights", &db->flights, err);
    return rc;
}

/* The functions that change something. */
static int tau_functions(struct eb_tau *t, const char *dir, struct eb_err *err)
{
    char *path = eb_fs_join(dir, "tools.json");
    struct eb_rows rows;
    size_t i;
    int rc = eb_rows_read(&rows, path, err);

    t->level.functions = cJSON_CreateArray();
    for (i = 0; rc == 0 && i < rows.n; i++) {
        const cJSON *f = tau_get(rows.v[i], "function");
        const char *name = eb_calls_str(f, "name");
        cJSON *out;

        if (name == NULL) {
            rc = eb_rows_fail(&rows, i, err, "expected a function with a name");
        } else if (!eb_tau_reads(name)) {
            out = eb_calls_function(f);
            eb_calls_drop(out, "summary");
            cJSON_AddItemToArray(t->level.functions, out);
        }
    }
    eb_rows_free(&rows);
    free(path);
    return rc;
}

static int tau_tasks(struct eb_tau *t, const char *dir, struct eb_err *err)
{
    static const char *const names[] = {"tasks_test.jsonl", "tasks_test.json",
                                        "tasks.jsonl", "tasks.json", NULL};
    struct eb_rows rows = {0};
    char *path, id[32];
    size_t i;
    int rc = eb_import_find(dir, names, &path, err);

    if (rc == 0)
        rc = eb_rows_read(&rows, path, err);

    for (i = 0; i < rows.n && rc == 0; i++) {
        struct eb_tau_task task = {.id = id};

        snprintf(id, sizeof(id), "%zu", i);
        task.text = eb_calls_str(rows.v[i], "instruction");
        task.user_id = eb_calls_str(rows.v[i], "user_id");
        task.actions = tau_get(rows.v[i], "actions");
        if (task.text == NULL || !cJSON_IsArray(task.actions)) {
            rc =
                eb_rows_fail(&rows, i, err, "expected instruction and actions");
            break;
        }
        t->n_output += cJSON_GetArraySize(tau_get(rows.v[i], "outputs")) > 0;
        eb_tau_add(t, &task);
    }
    eb_rows_free(&rows);
    free(path);
    return rc;
}

static int tau_domain(struct eb_import_suite *s, const char *dir,
                      const char *name, struct eb_err *err)
{
    struct eb_tau t = {.s = s};
    struct eb_buf policy = {0};
    char *path = eb_fs_join(dir, "wiki.md");
    int rc = eb_fs_read(path, EB_IMPORT_FILE_MAX, &policy, err);

    t.level = (struct eb_calls_level){
        .name = name,
        .why = "A wrong change of an order or a booking has to be found and "
               "undone by hand, with an apology; below six in ten a person is "
               "quicker.",
        .bar = 0.60,
        .max_tokens = 1024};
    if (rc == 0)
        rc = tau_db(&t.db, dir, err);
    if (rc == 0)
        rc = tau_functions(&t, dir, err);
    if (rc == 0) {
        eb_tau_begin(&t, policy.data);
        rc = tau_tasks(&t, dir, err);
    } else {
        cJSON_Delete(t.level.functions);
    }
    eb_tau_end(&t);
    eb_buf_free(&policy);
    free(path);
    return rc;
}

static int tau_run(const struct eb_import_options *o, struct eb_import_suite *s,
                   struct eb_err *err)
{
    static const char *const names[] = {"retail", "airline"};
    static const char *const below[] = {"", "tau_bench/envs", "envs", NULL};
    static const char *const marks[] = {"retail", "airline", NULL};
    char *path = eb_import_dir(o->path, below, marks);
    int rc = 0, any = 0;
    size_t i;

    eb_import_set_text(s, "tau", "Service desk with tools (tau-bench)",
                       "https://github.com/sierra-research/tau-bench",
                       "MIT, Sierra 2024");
    for (i = 0; i < 2 && rc == 0; i++) {
        char *dir = eb_fs_join(path, names[i]);
        char *tools = eb_fs_join(dir, "tools.json");

        if (eb_fs_exists(tools)) {
            any = 1;
            rc = tau_domain(s, dir, names[i], err);
        }
        free(tools);
        free(dir);
    }
    if (rc == 0 && !any)
        rc = eb_fail(err, EB_ENOENT,
                     "%.160s: no retail/ or airline/ with tools.json here",
                     path);
    free(path);
    return rc;
}

const struct eb_importer eb_import_tau = {
    "tau", "tau-bench: the folder with retail/ and airline/", tau_run};
