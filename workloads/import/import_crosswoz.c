/* CrossWOZ: Chinese conversations about a trip to Beijing.
 *
 * acts: what a customer says in one turn as acts of the form
 *     [act, domain, slot, value]        (4-tuples)
 * goals: a written task as the constraints and questions it holds, of
 *     [goal, domain, slot, value, said] (5-tuples)
 * where a value such as "出现在id=1的周边景点里" refers to another goal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "workloads/calls.h"
#include "workloads/import/import_calls.h"
#include "workloads/import/import_read.h"

#define WOZ_BEFORE 4 /* messages shown before the one to be read */

struct woz_job {
    struct eb_import_suite *s;
    struct eb_calls_level acts, goals;
    size_t n_hidden; /* turns with values nobody said */
    size_t n_form;   /* turns with acts of another form */
};

static const cJSON *woz_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static const char *woz_at(const cJSON *tuple, int i)
{
    const cJSON *v = cJSON_GetArrayItem(tuple, i);

    return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* Functions: name, what it means, and its parameters. */
static const struct woz_function {
    const char *name, *what;
    const char *params[5];
} woz_acts[] = {{"Inform",
                 "用户给出某领域某属性的要求或信息",
                 {"domain", "slot", "value"}},
                {"Request", "用户询问某领域某属性的值", {"domain", "slot"}},
                {"Select",
                 "用户要在上文某领域结果的附近寻找另一领域",
                 {"domain", "source"}},
                {NULL, NULL, {NULL}}},
  woz_goals[] = {
      {"Constraint",
       "第 goal 个目标的某属性必须是某值；多个值分多次写",
       {"goal", "domain", "slot", "value"}},
      {"Ask", "想知道第 goal 个目标的某属性", {"goal", "domain", "slot"}},
      {"Near",
       "第 goal 个目标要在第 of 个目标的附近",
       {"goal", "domain", "of"}},
      {NULL, NULL, {NULL}}};

/* Domains and slots are closed lists; NULL for other parameters. */
static cJSON *woz_enum(const char *param, const cJSON *slots)
{
    static const char *const domains[] = {"景点", "餐馆", "酒店", "地铁",
                                          "出租"};

    if (strcmp(param, "domain") == 0 || strcmp(param, "source") == 0)
        return cJSON_CreateStringArray(domains, 5);
    if (strcmp(param, "slot") == 0)
        return cJSON_Duplicate(slots, 1);
    return NULL;
}

static cJSON *woz_functions(const struct woz_function *f, const cJSON *slots)
{
    cJSON *out = cJSON_CreateArray(), *v, *schema, *props, *required, *p;
    int i;

    for (; f->name != NULL; f++) {
        v = cJSON_CreateObject();
        cJSON_AddItemToArray(out, v);
        cJSON_AddStringToObject(v, "name", f->name);
        cJSON_AddStringToObject(v, "description", f->what);
        schema = cJSON_AddObjectToObject(v, "parameters");
        cJSON_AddStringToObject(schema, "type", "object");
        props = cJSON_AddObjectToObject(schema, "properties");
        required = cJSON_AddArrayToObject(schema, "required");
        for (i = 0; f->params[i] != NULL; i++) {
            const char *name = f->params[i];
            cJSON *values = woz_enum(name, slots);

            p = cJSON_AddObjectToObject(props, name);
            cJSON_AddStringToObject(p, "type",
                                    strcmp(name, "goal") == 0 ||
                                            strcmp(name, "of") == 0
                                        ? "integer"
                                        : "string");
            if (values != NULL)
                cJSON_AddItemToObject(p, "enum", values);
            cJSON_AddItemToArray(required, cJSON_CreateString(name));
        }
    }
    return out;
}

static cJSON *woz_tools(const struct woz_function *f)
{
    cJSON *out = cJSON_CreateArray();

    for (; f->name != NULL; f++)
        cJSON_AddItemToArray(out, cJSON_CreateString(f->name));
    return out;
}

static void woz_text(cJSON *args, const char *key, const char *value)
{
    cJSON *v = cJSON_CreateString(value);

    cJSON_AddItemToObject(args, key, eb_calls_accept(v));
    cJSON_Delete(v);
}

static void woz_number(cJSON *args, const char *key, double value)
{
    cJSON *v = cJSON_CreateNumber(value);

    cJSON_AddItemToObject(args, key, eb_calls_accept(v));
    cJSON_Delete(v);
}

/* Adds a call unless it is there: some turns repeat an act. */
static void woz_add(cJSON *calls, cJSON *call)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, calls)
    {
        if (cJSON_Compare(v, call, 1)) {
            cJSON_Delete(call);
            return;
        }
    }
    cJSON_AddItemToArray(calls, call);
}

/* Acts */

static int woz_act(cJSON *calls, const cJSON *tuple)
{
    const char *act = woz_at(tuple, 0), *domain = woz_at(tuple, 1);
    const char *slot = woz_at(tuple, 2), *value = woz_at(tuple, 3);
    cJSON *args;

    if (act == NULL || domain == NULL || slot == NULL || value == NULL ||
        cJSON_GetArraySize(tuple) != 4)
        return -1;
    if (strcmp(act, "General") == 0) /* greetings and thanks */
        return 0;
    args = cJSON_CreateObject();
    woz_text(args, "domain", domain);
    if (strcmp(act, "Select") == 0) {
        woz_text(args, "source", value);
    } else {
        woz_text(args, "slot", slot);
        if (strcmp(act, "Inform") == 0)
            woz_text(args, "value", value);
    }
    woz_add(calls, eb_calls_call(act, args));
    return 0;
}

/* Yes and no are said in many words. */
static int woz_told(const cJSON *calls, const char *text)
{
    const cJSON *c;
    char *folded = eb_calls_text(text);
    int told = 1;

    cJSON_ArrayForEach(c, calls)
    {
        const cJSON *v = woz_get(woz_get(c, "args"), "value");
        const char *value = woz_at(v, 0);
        char *one = value != NULL ? eb_calls_text(value) : NULL;

        if (one != NULL && strcmp(one, "是") != 0 && strcmp(one, "否") != 0 &&
            strstr(folded, one) == NULL)
            told = 0;
        free(one);
    }
    free(folded);
    return told;
}

static void woz_turn(struct woz_job *j, const char *id, const cJSON *message,
                     const char *context)
{
    struct eb_calls_item it = {.lang = "zh",
                               .message = eb_calls_str(message, "content"),
                               .context = context};
    cJSON *calls = cJSON_CreateArray();
    const cJSON *a;
    int bad = it.message == NULL;
    char *all;

    cJSON_ArrayForEach(a, woz_get(message, "dialog_act")) bad =
        bad || woz_act(calls, a) != 0;
    all = eb_xasprintf("%s %s", context, bad ? "" : it.message);
    if (bad) {
        j->n_form++;
        cJSON_Delete(calls);
    } else if (!woz_told(calls, all)) {
        j->n_hidden++;
        cJSON_Delete(calls);
    } else {
        it.capability = calls->child != NULL ? "call" : "abstain";
        it.stratum = calls->child == NULL         ? "none"
                     : calls->child->next == NULL ? "one"
                                                  : "several";
        it.cluster = id;
        it.tools = woz_tools(woz_acts);
        it.gold = eb_calls_gold(calls);
        eb_calls_add(j->s, &j->acts, &it);
    }
    free(all);
}

static void woz_context(const cJSON *messages, int at, struct eb_buf *out)
{
    int i;

    for (i = at > WOZ_BEFORE ? at - WOZ_BEFORE : 0; i < at; i++) {
        const cJSON *m = cJSON_GetArrayItem(messages, i);
        const char *role = eb_calls_str(m, "role");
        const char *text = eb_calls_str(m, "content");

        eb_calls_say(out,
                     role != NULL && strcmp(role, "usr") == 0 ? "用户" : "系统",
                     text != NULL ? text : "");
    }
    if (at > 0)
        eb_buf_addc(out, '\n');
}

/* Goals */

/* The goal that "出现在id=1的周边景点里" refers to; 0: none. */
static int woz_refers(const char *value)
{
    const char *p = strstr(value, "出现在id=");

    return p != NULL ? atoi(p + strlen("出现在id=")) : 0;
}

static void woz_constraint(cJSON *calls, int goal, const cJSON *tuple,
                           const char *value)
{
    cJSON *args = cJSON_CreateObject();
    int of = woz_refers(value);

    woz_number(args, "goal", goal);
    woz_text(args, "domain", woz_at(tuple, 1));
    if (of > 0) {
        woz_number(args, "of", of);
        woz_add(calls, eb_calls_call("Near", args));
        return;
    }
    woz_text(args, "slot", woz_at(tuple, 2));
    if (*value != '\0')
        woz_text(args, "value", value);
    woz_add(calls, eb_calls_call(*value != '\0' ? "Constraint" : "Ask", args));
}

/* 0, or -1 if it is no 5-tuple. An empty value, or list, is a question. */
static int woz_goal(cJSON *calls, const cJSON *tuple)
{
    const cJSON *goal = cJSON_GetArrayItem(tuple, 0);
    const cJSON *value = cJSON_GetArrayItem(tuple, 3), *v;

    if (cJSON_GetArraySize(tuple) != 5 || !cJSON_IsNumber(goal) ||
        woz_at(tuple, 1) == NULL || woz_at(tuple, 2) == NULL ||
        (!cJSON_IsString(value) && !cJSON_IsArray(value)))
        return -1;
    if (cJSON_IsString(value) || value->child == NULL) {
        woz_constraint(calls, goal->valueint, tuple,
                       cJSON_IsString(value) ? value->valuestring : "");
        return 0;
    }
    cJSON_ArrayForEach(v, value)
    {
        if (cJSON_IsString(v))
            woz_constraint(calls, goal->valueint, tuple, v->valuestring);
    }
    return 0;
}

static void woz_task(struct woz_job *j, const char *id, const cJSON *row)
{
    const cJSON *text = woz_get(row, "task"), *v;
    struct eb_calls_item it = {.capability = "call", .lang = "zh"};
    cJSON *calls = cJSON_CreateArray();
    struct eb_buf b = {0};
    int bad = 0;

    if (text == NULL)
        text = woz_get(row, "task description");
    cJSON_ArrayForEach(v, text)
    {
        if (cJSON_IsString(v))
            eb_buf_addf(&b, "%s%s", b.len > 0 ? "\n" : "", v->valuestring);
    }
    cJSON_ArrayForEach(v, woz_get(row, "goal")) bad =
        bad || woz_goal(calls, v) != 0;
    if (bad || b.len == 0 || calls->child == NULL ||
        cJSON_GetArraySize(calls) > EB_CALLS_MAX) {
        j->n_form++;
        cJSON_Delete(calls);
    } else {
        const char *type = eb_calls_str(row, "type");

        it.stratum = type != NULL ? type : "-";
        it.cluster = id;
        it.message = b.data;
        it.tools = woz_tools(woz_goals);
        it.gold = eb_calls_gold(calls);
        eb_calls_add(j->s, &j->goals, &it);
    }
    eb_buf_free(&b);
}

/* Slots of all user acts and goals, as an array without repeats. */
static void woz_collect(cJSON *slots, const cJSON *tuples)
{
    const cJSON *t, *v;

    cJSON_ArrayForEach(t, tuples)
    {
        const char *slot = woz_at(t, 2);
        int known = slot == NULL || strcmp(slot, "none") == 0;

        cJSON_ArrayForEach(v, slots) known =
            known || strcmp(v->valuestring, slot) == 0;
        if (!known)
            cJSON_AddItemToArray(slots, cJSON_CreateString(slot));
    }
}

static void woz_row(struct woz_job *j, const cJSON *row, const char *id)
{
    const cJSON *messages = woz_get(row, "messages"), *m;
    struct eb_buf context = {0};
    int i = 0;

    cJSON_ArrayForEach(m, messages)
    {
        const char *role = eb_calls_str(m, "role");

        if (role != NULL && strcmp(role, "usr") == 0) {
            eb_buf_reset(&context);
            eb_buf_adds(&context, "");
            woz_context(messages, i, &context);
            woz_turn(j, id, m, context.data);
        }
        i++;
    }
    woz_task(j, id, row);
    eb_buf_free(&context);
}

static int woz_rows(struct eb_import_suite *s, const struct eb_rows *rows,
                    struct eb_err *err)
{
    struct woz_job j = {.s = s};
    cJSON *slots = cJSON_CreateArray(), *asked = cJSON_CreateArray();
    const cJSON *m;
    char id[24];
    size_t i;
    int rc = 0;

    for (i = 0; i < rows->n && rc == 0; i++) {
        if (!cJSON_IsArray(woz_get(rows->v[i], "messages")) ||
            !cJSON_IsArray(woz_get(rows->v[i], "goal")))
            rc = eb_rows_fail(rows, i, err,
                              "expected a conversation with messages and goal");
        cJSON_ArrayForEach(m, woz_get(rows->v[i], "messages"))
        {
            const char *role = eb_calls_str(m, "role");

            if (role != NULL && strcmp(role, "usr") == 0)
                woz_collect(slots, woz_get(m, "dialog_act"));
        }
        woz_collect(asked, woz_get(rows->v[i], "goal"));
    }
    if (rc == 0) {
        j.acts = (struct eb_calls_level){
            .name = "acts",
            .why = "A misread wish makes the next answer useless, and the "
                   "customer has to say it again.",
            .bar = 0.70,
            .max_tokens = 512,
            .functions = woz_functions(woz_acts, slots)};
        j.goals = (struct eb_calls_level){
            .name = "goals",
            .why = "A constraint that is lost at the start spoils the whole "
                   "plan.",
            .bar = 0.80,
            .max_tokens = 1024,
            .functions = woz_functions(woz_goals, asked)};
        eb_calls_add_level(s, &j.acts, "zh");
        eb_calls_add_level(s, &j.goals, "zh");
        for (i = 0; i < rows->n; i++) {
            const char *own = eb_calls_str(rows->v[i], "id");

            snprintf(id, sizeof(id), "%zu", i);
            woz_row(&j, rows->v[i], own != NULL ? own : id);
        }
        eb_calls_end(s, &j.acts);
        eb_calls_end(s, &j.goals);
        eb_import_note(s, "acts: %zu turns with values that nobody said",
                       j.n_hidden);
        eb_import_note(s,
                       "%zu turns and tasks with acts or goals of another "
                       "form, or too many of them",
                       j.n_form);
        eb_import_note(s, "acts: greetings, thanks and good-byes, which call "
                          "for nothing; the state and the answers of the "
                          "system");
    }
    cJSON_Delete(slots);
    cJSON_Delete(asked);
    return rc;
}

/* The published form: one object, conversations by id. */
static int woz_object(struct eb_rows *rows, const char *path,
                      struct eb_err *err)
{
    cJSON *all = NULL, *v;
    int rc = eb_import_doc(path, &all, err);

    memset(rows, 0, sizeof(*rows));
    if (rc != 0)
        return rc;
    rows->path = eb_xstrdup(path);
    rows->v = eb_xcalloc((size_t)cJSON_GetArraySize(all) + 1, sizeof(*rows->v));
    rows->line =
        eb_xcalloc((size_t)cJSON_GetArraySize(all) + 1, sizeof(*rows->line));
    while ((v = all->child) != NULL) {
        cJSON_DetachItemViaPointer(all, v);
        if (v->string != NULL && !cJSON_HasObjectItem(v, "id"))
            cJSON_AddStringToObject(v, "id", v->string);
        rows->line[rows->n] = (int)rows->n + 1;
        rows->v[rows->n++] = v;
    }
    cJSON_Delete(all);
    return 0;
}

/* The whole test part in the form it is published in, or a line a
 * conversation. */
static int woz_read(struct eb_rows *rows, const char *path, struct eb_err *err)
{
    static const char *const names[] = {"test_slim.jsonl",
                                        "test.json",
                                        "data/crosswoz/test.json",
                                        "test.json.zip",
                                        "data/crosswoz/test.json.zip",
                                        NULL};
    char *file;
    int rc = eb_import_find(path, names, &file, err);

    if (rc == 0)
        rc = strstr(file, ".jsonl") != NULL ? eb_rows_read(rows, file, err)
                                            : woz_object(rows, file, err);
    free(file);
    return rc;
}

static int woz_run(const struct eb_import_options *o, struct eb_import_suite *s,
                   struct eb_err *err)
{
    struct eb_rows rows = {0};
    int rc = woz_read(&rows, o->path, err);

    eb_import_set_text(s, "crosswoz", "Planning a trip in Chinese (CrossWOZ)",
                       "https://github.com/thu-coai/CrossWOZ "
                       "(data/crosswoz/test.json.zip)",
                       "Apache-2.0, Zhu et al. 2020, TACL");
    if (rc == 0)
        rc = woz_rows(s, &rows, err);
    eb_rows_free(&rows);
    return rc;
}

const struct eb_importer eb_import_crosswoz = {
    "crosswoz", "CrossWOZ: test.json, unpacked, or its folder", woz_run};
