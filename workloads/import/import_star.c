/* STAR: conversations of people who followed flow charts.
 *
 * After each thing the customer says the helper either queries an interface
 * or answers. Taken are the queries, and from each conversation the first
 * answer without one. A query's values are written as text that a program
 * would run: "api.is_equal_to(\"Dr. Johnson\")" or "\"Dr. Johnson\"". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/import/import_calls.h"
#include "workloads/import/import_read.h"

struct star_job {
    struct eb_import_suite *s;
    struct eb_calls_level level;
    size_t n_broken; /* conversations that were cut off */
    size_t n_other;  /* queries with other comparisons than equality */
    size_t n_hidden; /* queries with values nobody said */
};

static const cJSON *star_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static int star_is(const cJSON *event, const char *key, const char *value)
{
    const char *s = eb_calls_str(event, key);

    return s != NULL && strcmp(s, value) == 0;
}

/* Interfaces */

static cJSON *star_parameter(const cJSON *in)
{
    const char *type = eb_calls_str(in, "Type");
    const char *what = eb_calls_str(in, "ReadableName");
    const cJSON *values = star_get(in, "Categories");
    cJSON *out = cJSON_CreateObject();

    if (type != NULL && strcmp(type, "Integer") == 0)
        cJSON_AddStringToObject(out, "type", "integer");
    else if (type != NULL && strcmp(type, "Boolean") == 0)
        cJSON_AddStringToObject(out, "type", "boolean");
    else
        cJSON_AddStringToObject(out, "type", "string");
    if (what != NULL)
        cJSON_AddStringToObject(out, "description", what);
    if (cJSON_IsArray(values) && values->child != NULL &&
        cJSON_IsString(values->child))
        cJSON_AddItemToObject(out, "enum", cJSON_Duplicate(values, 1));
    return out;
}

/* All parameters optional: people queried with what they had. */
static cJSON *star_function(const char *name, const cJSON *api)
{
    cJSON *out = cJSON_CreateObject(), *schema, *props;
    const cJSON *in;

    cJSON_AddStringToObject(out, "name", name);
    schema = cJSON_AddObjectToObject(out, "parameters");
    cJSON_AddStringToObject(schema, "type", "object");
    props = cJSON_AddObjectToObject(schema, "properties");
    cJSON_ArrayForEach(in, star_get(api, "input"))
    {
        const char *key = eb_calls_str(in, "Name");

        if (key != NULL && star_get(props, key) == NULL)
            cJSON_AddItemToObject(props, key, star_parameter(in));
    }
    return out;
}

static int star_apis(struct star_job *j, const char *path, struct eb_err *err)
{
    static const char *const below[] = {"apis/apis", "apis", NULL};
    static const char *const marks[] = {".", NULL}; /* the folder itself */
    char *dir = eb_import_dir(path, below, marks);
    char **names = NULL, *file, *name;
    size_t n = 0, i;
    int rc = eb_fs_list(dir, ".json", &names, &n, err);

    j->level.functions = cJSON_CreateArray();
    for (i = 0; i < n && rc == 0; i++) {
        cJSON *api = NULL;

        file = eb_fs_join(dir, names[i]);
        name = eb_xstrndup(names[i], strlen(names[i]) - strlen(".json"));
        rc = eb_import_doc(file, &api, err);
        if (rc == 0 && !cJSON_IsArray(star_get(api, "input")))
            rc = eb_fail(err, EB_EPARSE,
                         "%.200s: expected an interface with input", file);
        if (rc == 0)
            cJSON_AddItemToArray(j->level.functions, star_function(name, api));
        cJSON_Delete(api);
        free(file);
        free(name);
    }
    if (names != NULL)
        eb_fs_list_free(names, n);
    if (rc == 0 && n == 0)
        rc =
            eb_fail(err, EB_ENOENT, "%.180s: no interfaces in apis/apis", path);
    free(dir);
    return rc;
}

/* Those that the scenario is about; with none of them known, all. */
static cJSON *star_tools(const struct star_job *j, const cJSON *dialog)
{
    const cJSON *list =
        star_get(star_get(dialog, "Scenario"), "WizardCapabilities");
    cJSON *out = cJSON_CreateArray();
    const cJSON *v, *w;

    cJSON_ArrayForEach(v, list)
    {
        const char *name = eb_calls_str(v, "Task");
        int known = name == NULL || !eb_calls_tool(j->level.functions, name);

        cJSON_ArrayForEach(w, out) known =
            known || strcmp(w->valuestring, name) == 0;
        if (!known)
            cJSON_AddItemToArray(out, cJSON_CreateString(name));
    }
    if (out->child != NULL)
        return out;
    cJSON_ArrayForEach(v, j->level.functions)
        cJSON_AddItemToArray(out, cJSON_CreateString(eb_calls_str(v, "name")));
    return out;
}

/* Queries */

/* The value in "api.is_equal_to(\"x\")" or "\"x\""; NULL for any other
 * comparison. */
static cJSON *star_value(const char *text)
{
    cJSON *values, *named, *out = NULL;
    char *name, *whole;

    /* A plain value is read as the argument of a call. */
    whole = strncmp(text, "api.", 4) == 0
                ? eb_xstrdup(text)
                : eb_xasprintf("api.is_equal_to(%s)", text);
    if (eb_python_call(whole, &name, &values, &named) == 0 &&
        strcmp(name, "api.is_equal_to") == 0 && cJSON_GetArraySize(values) == 1)
        out = cJSON_DetachItemFromArray(values, 0);
    free(whole);
    free(name);
    cJSON_Delete(values);
    cJSON_Delete(named);
    return out;
}

/* [{"Name": "..."}, ...] into a call; NULL if a value is no equality. */
static cJSON *star_call(const cJSON *event)
{
    const char *name = eb_calls_str(event, "APIName");
    cJSON *args = cJSON_CreateObject(), *value;
    const cJSON *c;

    if (name == NULL)
        name = eb_calls_str(event, "API");
    cJSON_ArrayForEach(c, star_get(event, "Constraints"))
    {
        const cJSON *v = c->child;

        value = cJSON_IsString(v) ? star_value(v->valuestring) : NULL;
        if (value == NULL || name == NULL) {
            cJSON_Delete(value);
            cJSON_Delete(args);
            return NULL;
        }
        cJSON_DeleteItemFromObjectCaseSensitive(args, v->string);
        cJSON_AddItemToObject(args, v->string, eb_calls_accept(value));
        cJSON_Delete(value);
    }
    if (name != NULL)
        return eb_calls_call(name, args);
    cJSON_Delete(args);
    return NULL;
}

static void star_item(struct star_job *j, const cJSON *dialog,
                      const char *cluster, const char *message,
                      const char *context, cJSON *calls)
{
    struct eb_calls_item it = {.lang = "en",
                               .cluster = cluster,
                               .message = message,
                               .context = context};
    char *said = eb_xasprintf("%s %s", context, message);
    char *shown = cJSON_PrintUnformatted(j->level.functions);
    char *all = eb_xasprintf("%s %s", said, shown);

    if (!eb_calls_told(calls, all, 0)) {
        j->n_hidden++;
        cJSON_Delete(calls);
    } else {
        it.capability = calls->child != NULL ? "call" : "abstain";
        it.stratum = it.capability;
        it.tools = star_tools(j, dialog);
        it.gold = eb_calls_gold(calls);
        eb_calls_add(j->s, &j->level, &it);
    }
    free(said);
    free(shown);
    free(all);
}

/* Where a conversation stands. */
struct star_state {
    struct eb_buf context; /* all before the message */
    char *message;         /* of the customer, not answered yet */
    char *cluster;
    int answered; /* an answer without a query was taken */
};

static void star_past(struct star_state *st)
{
    if (st->message != NULL)
        eb_calls_say(&st->context, "user", st->message);
    free(st->message);
    st->message = NULL;
}

static void star_query(struct star_job *j, const cJSON *dialog,
                       const cJSON *event, struct star_state *st)
{
    cJSON *call = star_call(event), *calls;
    char *text;

    if (call == NULL) {
        j->n_other++;
    } else {
        text = cJSON_PrintUnformatted(call);
        calls = cJSON_CreateArray();
        cJSON_AddItemToArray(calls, call);
        star_item(j, dialog, st->cluster, st->message, st->context.data, calls);
        star_past(st);
        eb_calls_say(&st->context, "query", text);
        free(text);
    }
    star_past(st);
}

static void star_event(struct star_job *j, const cJSON *dialog, const cJSON *e,
                       struct star_state *st)
{
    const char *text = eb_calls_str(e, "Text");
    char *item;

    if (star_is(e, "Agent", "User") && star_is(e, "Action", "utter") && text) {
        star_past(st);
        st->message = eb_xstrdup(text);
    } else if (star_is(e, "Action", "query") && star_is(e, "Agent", "Wizard") &&
               st->message != NULL) {
        star_query(j, dialog, e, st);
    } else if (star_is(e, "Agent", "KnowledgeBase") &&
               star_get(e, "Item") != NULL) {
        item = cJSON_PrintUnformatted(star_get(e, "Item"));
        eb_calls_say(&st->context, "result", item);
        free(item);
    } else if (star_is(e, "Agent", "Wizard") && text != NULL &&
               (star_is(e, "Action", "utter") ||
                star_is(e, "Action", "pick_suggestion"))) {
        if (st->message != NULL && !st->answered) {
            star_item(j, dialog, st->cluster, st->message, st->context.data,
                      cJSON_CreateArray());
            st->answered = 1;
        }
        star_past(st);
        eb_calls_say(&st->context, "assistant", text);
    }
}

static int star_dialog(struct star_job *j, const char *path, struct eb_err *err)
{
    struct star_state st = {.answered = 0};
    const char *task;
    cJSON *dialog = NULL;
    const cJSON *e;
    int rc = eb_import_doc(path, &dialog, err);

    if (rc == 0 && !cJSON_IsArray(star_get(dialog, "Events")))
        rc = eb_fail(err, EB_EPARSE,
                     "%.200s: expected a conversation with Events", path);
    if (rc == 0 && !star_is(dialog, "CompletionLevel", "Complete")) {
        j->n_broken++;
    } else if (rc == 0) {
        st.cluster = eb_xasprintf("star-%s", eb_fs_base(path));
        task = eb_calls_str(star_get(dialog, "Scenario"), "WizardTask");
        eb_calls_say(&st.context, "task", task != NULL ? task : "");
        cJSON_ArrayForEach(e, star_get(dialog, "Events"))
            star_event(j, dialog, e, &st);
    }
    free(st.message);
    free(st.cluster);
    eb_buf_free(&st.context);
    cJSON_Delete(dialog);
    return rc;
}

static int star_run(const struct eb_import_options *o,
                    struct eb_import_suite *s, struct eb_err *err)
{
    struct star_job j = {.s = s};
    char *dir = eb_fs_join(o->path, "dialogues"), **names = NULL, *file;
    size_t n = 0, i;
    int rc = eb_fs_list(dir, ".json", &names, &n, err);

    eb_import_set_text(s, "star", "Next query of a helper (STAR)",
                       "https://github.com/RasaHQ/STAR (dialogues, apis)",
                       "MIT, Mosig et al. 2020");
    j.level = (struct eb_calls_level){
        .name = "query",
        .why = "A wrong query gives the customer an answer to another "
               "question, which nobody notices.",
        .bar = 0.70,
        .max_tokens = 256};
    if (rc == 0 && n == 0)
        rc = eb_fail(err, EB_ENOENT, "%.200s: no conversations here", dir);
    if (rc == 0)
        rc = star_apis(&j, o->path, err);
    if (rc == 0)
        eb_calls_add_level(s, &j.level, "en");
    else
        cJSON_Delete(j.level.functions);
    for (i = 0; i < n && rc == 0; i++) {
        file = eb_fs_join(dir, names[i]);
        rc = star_dialog(&j, file, err);
        free(file);
    }
    if (names != NULL)
        eb_fs_list_free(names, n);
    eb_calls_end(s, &j.level);
    eb_import_note(s, "%zu conversations that were cut off", j.n_broken);
    eb_import_note(s, "%zu queries with other comparisons than equality",
                   j.n_other);
    eb_import_note(s, "%zu queries with values that nobody said", j.n_hidden);
    eb_import_note(s, "answers of the helper but the first of a conversation "
                      "without a query, and what they say");
    free(dir);
    return rc;
}

const struct eb_importer eb_import_star = {
    "star", "STAR: the repository's folder with dialogues/ and apis/apis/",
    star_run};
