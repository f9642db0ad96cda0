/* Multi-turn sets of BFCL: what the user says in each turn, and the calls
 * that follow as Python text.
 *
 * Upstream plays them in a simulated world. Here a turn is an item whose
 * conversation so far, calls included, is given, and only turns whose values
 * can be read from it are taken: a ticket's number that the world made up
 * stands nowhere. Turns in which nothing can be called, since a function or
 * a value is missing, want no call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/import/import_bfcl.h"

static const struct {
    const char *name, *file;
} turns_classes[] = {
    {"GorillaFileSystem", "gorilla_file_system.json"},
    {"MathAPI", "math_api.json"},
    {"MessageAPI", "message_api.json"},
    {"TwitterAPI", "posting_api.json"},
    {"TicketAPI", "ticket_api.json"},
    {"TradingBot", "trading_bot.json"},
    {"TravelAPI", "travel_booking.json"},
    {"VehicleControlAPI", "vehicle_control.json"},
};
#define TURNS_CLASSES (sizeof(turns_classes) / sizeof(turns_classes[0]))

struct turns_job {
    struct eb_import_suite *s;
    struct eb_calls_level level;
    cJSON *classes;   /* name -> array of function names */
    size_t n_hidden;  /* values that only the world gives */
    size_t n_python;  /* calls that are no literals */
    size_t n_classes; /* rows of other classes */
};

static const cJSON *turns_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static int turns_holds(const cJSON *names, const char *name)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, names)
    {
        if (cJSON_IsString(v) && strcmp(v->valuestring, name) == 0)
            return 1;
    }
    return 0;
}

/* Functions of all classes there are into the level, their names by class. */
static int turns_functions(struct turns_job *j, const char *dir,
                           struct eb_err *err)
{
    char *docs = eb_fs_join(dir, "multi_turn_func_doc"), *path;
    struct eb_rows rows;
    size_t i, k;
    int rc = 0;

    for (i = 0; i < TURNS_CLASSES && rc == 0; i++) {
        cJSON *names;

        path = eb_fs_join(docs, turns_classes[i].file);
        memset(&rows, 0, sizeof(rows));
        if (eb_fs_exists(path))
            rc = eb_rows_read(&rows, path, err);
        free(path);
        if (rows.n == 0)
            continue;
        names = cJSON_AddArrayToObject(j->classes, turns_classes[i].name);
        for (k = 0; k < rows.n; k++) {
            const char *name = eb_calls_str(rows.v[k], "name");

            if (name == NULL || eb_calls_tool(j->level.functions, name))
                continue;
            cJSON_AddItemToArray(j->level.functions,
                                 eb_calls_function(rows.v[k]));
            cJSON_AddItemToArray(names, cJSON_CreateString(name));
        }
        eb_rows_free(&rows);
    }
    if (rc == 0 && j->classes->child == NULL)
        rc = eb_fail(err, EB_ENOENT,
                     "%.150s: no functions of the multi-turn sets here", docs);
    free(docs);
    return rc;
}

/* What can be called in a turn: the row's classes without what is excluded
 * or comes later. NULL if a class is not known. */
static cJSON *turns_tools(const struct turns_job *j, const cJSON *row, int turn)
{
    cJSON *out = cJSON_CreateArray();
    const cJSON *c, *f, *late;

    cJSON_ArrayForEach(c, turns_get(row, "involved_classes"))
    {
        const cJSON *names =
            cJSON_IsString(c) ? turns_get(j->classes, c->valuestring) : NULL;

        if (names == NULL) {
            cJSON_Delete(out);
            return NULL;
        }
        cJSON_ArrayForEach(f, names)
        {
            int hidden = turns_holds(turns_get(row, "excluded_function"),
                                     f->valuestring);

            cJSON_ArrayForEach(late, turns_get(row, "missed_function"))
            {
                if (atoi(late->string) > turn &&
                    turns_holds(late, f->valuestring))
                    hidden = 1;
            }
            if (!hidden)
                cJSON_AddItemToArray(out, cJSON_CreateString(f->valuestring));
        }
    }
    return out;
}

/* An argument of a gold: what the schema gives as default may be left out. */
static void turns_argument(cJSON *args, const cJSON *schema, const char *name,
                           const cJSON *value)
{
    const cJSON *prop = turns_get(turns_get(schema, "properties"), name);
    const cJSON *def = turns_get(prop, "default");
    cJSON *accepted = eb_calls_accept(value);

    if (def != NULL && !eb_calls_required(schema, name) &&
        cJSON_Compare(def, value, 1))
        cJSON_AddItemToArray(accepted, cJSON_CreateString(""));
    cJSON_AddItemToObject(args, name, accepted);
}

/* ... and what a gold leaves out may be given as the default. */
static void turns_defaults(cJSON *args, const cJSON *schema)
{
    const cJSON *p;

    cJSON_ArrayForEach(p, turns_get(schema, "properties"))
    {
        const cJSON *def = turns_get(p, "default");

        if (def == NULL || turns_get(args, p->string) != NULL ||
            eb_calls_required(schema, p->string))
            continue;
        turns_argument(args, schema, p->string, def);
    }
}

/* "f('x', n=1)" as a call; values without a name go to the parameters in
 * their order. NULL if it is no such call. */
static cJSON *turns_call(const struct turns_job *j, const char *text)
{
    cJSON *values, *named, *call = NULL, *args = cJSON_CreateObject();
    const cJSON *tool, *schema, *v, *p;
    char *name;

    if (eb_python_call(text, &name, &values, &named) == 0 &&
        (tool = eb_calls_tool(j->level.functions, name)) != NULL) {
        schema = turns_get(tool, "parameters");
        p = turns_get(schema, "properties");
        p = p != NULL ? p->child : NULL;
        for (v = values->child; v != NULL && p != NULL;
             v = v->next, p = p->next)
            turns_argument(args, schema, p->string, v);
        cJSON_ArrayForEach(p, named) turns_argument(args, schema, p->string, p);
        turns_defaults(args, schema);
        call = eb_calls_call(name, args);
        if (v != NULL) {
            cJSON_Delete(call);
            call = NULL;
        }
    } else {
        cJSON_Delete(args);
    }
    free(name);
    cJSON_Delete(values);
    cJSON_Delete(named);
    return call;
}

static cJSON *turns_calls(const struct turns_job *j, const cJSON *texts)
{
    cJSON *out = cJSON_CreateArray(), *call;
    const cJSON *t;

    cJSON_ArrayForEach(t, texts)
    {
        call = cJSON_IsString(t) ? turns_call(j, t->valuestring) : NULL;
        if (call == NULL) {
            cJSON_Delete(out);
            return NULL;
        }
        cJSON_AddItemToArray(out, call);
    }
    return out;
}

/* 1 if all values stand in the conversation or in what the functions say of
 * their parameters. */
static int turns_all_told(const struct turns_job *j, const cJSON *calls,
                          const char *context, const char *message)
{
    struct eb_buf b = {0};
    const cJSON *c;
    char *text;
    int told;

    eb_buf_addf(&b, "%s %s", context != NULL ? context : "", message);
    cJSON_ArrayForEach(c, calls)
    {
        const cJSON *tool =
            eb_calls_tool(j->level.functions, eb_calls_str(c, "tool"));

        text = cJSON_PrintUnformatted(turns_get(tool, "parameters"));
        eb_buf_addf(&b, " %s", text != NULL ? text : "");
        free(text);
    }
    told = eb_calls_told(calls, b.data, 1);
    eb_buf_free(&b);
    return told;
}

static void turns_item(struct turns_job *j, const char *set, const cJSON *row,
                       const char *message, const char *context, cJSON *calls,
                       int turn)
{
    struct eb_calls_item it = {.stratum = set,
                               .cluster = eb_calls_str(row, "id"),
                               .lang = "en",
                               .message = message,
                               .context = context};

    it.capability = calls->child != NULL ? "call" : "abstain";
    it.tools = turns_tools(j, row, turn);
    if (it.tools == NULL) {
        j->n_classes++;
        cJSON_Delete(calls);
        return;
    }
    it.gold = eb_calls_gold(calls);
    eb_calls_add(j->s, &j->level, &it);
}

/* Adds the turn to what the next ones show. */
static void turns_past(struct eb_buf *context, const char *message,
                       const cJSON *texts)
{
    const cJSON *t;

    eb_calls_say(context, "user", message);
    eb_buf_adds(context, "calls:");
    cJSON_ArrayForEach(t, texts)
        eb_buf_addf(context, " %s", cJSON_IsString(t) ? t->valuestring : "");
    eb_buf_adds(context, texts->child != NULL ? "\n" : " none\n");
}

/* The sets share most of their turns: of the two with something missing only
 * the turn where it is missing, and the next one, are taken. */
static int turns_wanted(int base, const cJSON *texts, const cJSON *before)
{
    return base || texts->child == NULL ||
           (before != NULL && before->child == NULL);
}

static int turns_row(struct turns_job *j, const char *set, const cJSON *row,
                     const cJSON *answers)
{
    const cJSON *q = turns_get(row, "question")->child, *before = NULL;
    const cJSON *texts = answers->child;
    struct eb_buf context = {0}, shown = {0};
    int base = strcmp(set, "base") == 0, turn = 0;

    for (; q != NULL && texts != NULL; turn++) {
        const char *message = eb_bfcl_turn(q, &context);
        cJSON *calls = turns_calls(j, texts);

        if (message == NULL) /* upstream says so too, in other words */
            message = "More functions are there now. Please go on.";
        eb_buf_reset(&shown);
        if (context.len > 0)
            eb_buf_addf(&shown, "%s\n", context.data);
        if (calls == NULL) {
            j->n_python++;
        } else if (!turns_wanted(base, texts, before)) {
            cJSON_Delete(calls);
        } else if (!turns_all_told(j, calls, context.data, message)) {
            j->n_hidden++;
            cJSON_Delete(calls);
        } else {
            turns_item(j, set, row, message, shown.data, calls, turn);
        }
        turns_past(&context, message, texts);
        before = texts;
        q = q->next;
        texts = texts->next;
    }
    eb_buf_free(&context);
    eb_buf_free(&shown);
    return 0;
}

static int turns_set(struct turns_job *j, const char *dir, const char *set,
                     const char *name, struct eb_err *err)
{
    struct eb_rows q = {0}, a = {0};
    int rc = eb_bfcl_read(dir, name, &q, &a, err);
    size_t i;

    for (i = 0; i < q.n && rc == 0; i++) {
        const char *id = eb_calls_str(q.v[i], "id");
        const cJSON *truth =
            id != NULL ? turns_get(eb_rows_find(&a, id), "ground_truth") : NULL;

        if (!cJSON_IsArray(turns_get(q.v[i], "question")))
            rc = eb_rows_fail(&q, i, err, "expected id and question");
        else if (!cJSON_IsArray(truth))
            rc = eb_rows_fail(&q, i, err, "no answer in possible_answer/");
        else
            rc = turns_row(j, set, q.v[i], truth);
    }
    eb_rows_free(&q);
    eb_rows_free(&a);
    return rc;
}

static void turns_notes(const struct turns_job *j)
{
    eb_calls_end(j->s, &j->level);
    if (j->n_hidden > 0)
        eb_import_note(j->s,
                       "turns: %zu turns whose values come from results that "
                       "only the simulated world of the set can give",
                       j->n_hidden);
    if (j->n_python > 0)
        eb_import_note(j->s, "turns: %zu turns with calls that are not plain",
                       j->n_python);
    if (j->n_classes > 0)
        eb_import_note(j->s, "turns: %zu turns of unknown function classes",
                       j->n_classes);
}

int eb_bfcl_turns(const char *dir, struct eb_import_suite *s, int *levels,
                  struct eb_err *err)
{
    static const char *const sets[] = {"base", "miss_func", "miss_param"};
    struct turns_job j = {.s = s};
    char *names[3];
    int rc = 0, any = 0;
    size_t i;

    for (i = 0; i < 3; i++) {
        char *set = eb_xasprintf("multi_turn_%s", sets[i]);

        names[i] = eb_bfcl_file(dir, set);
        any |= names[i] != NULL;
        free(set);
    }
    if (any && names[0] == NULL)
        eb_import_note(s, "turns: the multi-turn sets, since multi_turn_base "
                          "is not there");
    if (names[0] != NULL) {
        j.level = (struct eb_calls_level){
            .name = "turns",
            .why = "A wrong step in the middle of a job is built upon by the "
                   "next ones before anybody sees it.",
            .bar = 0.75,
            .max_tokens = 1024,
            .functions = cJSON_CreateArray()};
        j.classes = cJSON_CreateObject();
        rc = turns_functions(&j, dir, err);
        eb_calls_add_level(s, &j.level, "en");
        for (i = 0; i < 3 && rc == 0; i++) {
            if (names[i] != NULL)
                rc = turns_set(&j, dir, sets[i], names[i], err);
        }
        turns_notes(&j);
        cJSON_Delete(j.classes);
        (*levels)++;
    }
    for (i = 0; i < 3; i++)
        free(names[i]);
    return rc;
}
