#include "workloads/dialog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "workloads/dialog_store.h"
#include "workloads/text.h"

static const cJSON *dialog_get(const struct eb_dialog *d, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(d->c->filled, key);
}

static void dialog_fail(struct eb_dialog *d, enum eb_outcome outcome,
                        const char *what)
{
    if (d->bad.outcome != EB_OUT_OK)
        return;
    d->bad.outcome = outcome;
    memcpy(d->bad.detail, what, strlen(what) + 1);
}

static void dialog_add(struct eb_dialog *d, const char *role, char *text)
{
    d->msgs[d->n_msgs].role = role;
    d->msgs[d->n_msgs++].text = text;
}

int eb_dialog_open(const struct eb_case *c, struct eb_dialog *d)
{
    double turns = eb_json_get_num(c->filled, "max_turns", 0);
    const cJSON *store;

    memset(d, 0, sizeof(*d));
    d->c = c;
    store = dialog_get(d, "store");
    if (c->level->kind != EB_KIND_DIALOG || !cJSON_IsObject(store) ||
        !cJSON_IsArray(dialog_get(d, "turns")) ||
        !cJSON_IsArray(dialog_get(d, "gold_calls")) ||
        cJSON_GetArraySize(dialog_get(d, "turns")) > EB_DIALOG_RULES_MAX ||
        turns < 1 || turns > EB_DIALOG_TURNS_MAX || c->level->n_tools > 64)
        return EB_EINVAL;
    d->store = cJSON_Duplicate(store, 1);
    d->max_turns = (int)turns;
    eb_buf_adds(&d->said, "");
    dialog_add(d, "user", eb_xstrdup(c->user));
    return 0;
}

const char *eb_dialog_input(const struct eb_dialog *d)
{
    return d->n_msgs > 0 ? d->msgs[d->n_msgs - 1].text : "";
}

const struct eb_dialog_msg *eb_dialog_history(const struct eb_dialog *d,
                                              size_t *n)
{
    *n = d->n_msgs;
    return d->msgs;
}

static int dialog_called(const struct eb_dialog *d, const char *name)
{
    size_t i;

    for (i = 0; i < d->c->level->n_tools; i++) {
        if (strcmp(d->c->level->tools[i]->name, name) == 0)
            return (int)(d->called >> i & 1);
    }
    return 0;
}

/* All conditions of a rule that are named must hold. */
static int dialog_when(const struct eb_dialog *d, const cJSON *when,
                       const char *say)
{
    const char *called = eb_json_get_str(when, "called", NULL);
    const char *not_called = eb_json_get_str(when, "not_called", NULL);
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(when, "said_any");
    const cJSON *v;

    if (called != NULL && !dialog_called(d, called))
        return 0;
    if (not_called != NULL && dialog_called(d, not_called))
        return 0;
    if (words == NULL)
        return 1;
    cJSON_ArrayForEach(v, words)
    {
        if (cJSON_IsString(v) && eb_text_contains(say, v->valuestring))
            return 1;
    }
    return 0;
}

/* What the customer replies; NULL if the conversation is over. */
static const char *dialog_reply(struct eb_dialog *d, const char *say)
{
    const cJSON *rule;
    size_t i = 0;

    cJSON_ArrayForEach(rule, dialog_get(d, "turns"))
    {
        size_t at = i++;

        if (d->used[at] ||
            !dialog_when(d, cJSON_GetObjectItemCaseSensitive(rule, "when"),
                         say))
            continue;
        d->used[at] =
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(rule, "once"));
        return eb_json_get_str(rule, "say", "");
    }
    return NULL;
}

static void dialog_fail_critical(struct eb_dialog *d, const char *why)
{
    dialog_fail(d, EB_OUT_WRONG, why);
    d->bad.critical = 1;
}

static void dialog_forbidden(struct eb_dialog *d, const char *tool)
{
    char why[EB_DETAIL_LEN];
    const cJSON *v;

    cJSON_ArrayForEach(v, dialog_get(d, "forbidden"))
    {
        if (!cJSON_IsString(v) || strcmp(v->valuestring, tool) != 0)
            continue;
        snprintf(why, sizeof(why), "forbidden call of %.60s", tool);
        dialog_fail_critical(d, why);
    }
}

/* Runs the call; a call of the wrong form is answered with what is wrong. */
static void dialog_call(struct eb_dialog *d, const cJSON *object)
{
    const struct eb_level *level = d->c->level;
    const struct eb_tool *tool;
    const cJSON *args;
    char why[EB_DETAIL_LEN], *text;
    cJSON *result;
    size_t i;

    if (eb_grade_call(level, object, &tool, &args, why) != 0) {
        result = cJSON_CreateObject();
        cJSON_AddStringToObject(result, "error", why);
    } else {
        dialog_forbidden(d, tool->name);
        result = eb_store_call(d->store, tool->name, args);
        if (cJSON_GetObjectItemCaseSensitive(result, "error") == NULL) {
            for (i = 0; level->tools[i] != tool; i++)
                ;
            d->called |= (uint64_t)1 << i;
        }
    }
    text = cJSON_PrintUnformatted(result);
    dialog_add(d, "user",
               eb_xasprintf("[tool] %s", text != NULL ? text : "{}"));
    free(text);
    cJSON_Delete(result);
}

static void dialog_object(struct eb_dialog *d, const cJSON *object)
{
    const cJSON *say = cJSON_GetObjectItemCaseSensitive(object, "say");
    const char *reply;

    if (!cJSON_IsString(say) ||
        cJSON_GetObjectItemCaseSensitive(object, "tool") != NULL) {
        dialog_call(d, object);
        return;
    }
    eb_buf_addf(&d->said, "%s\n", say->valuestring);
    reply = dialog_reply(d, say->valuestring);
    if (reply != NULL)
        dialog_add(d, "user", eb_xstrdup(reply));
    else
        d->over = 1;
}

int eb_dialog_step(struct eb_dialog *d, const char *output, int truncated)
{
    struct eb_span visible = eb_text_visible(output);
    char why[EB_DETAIL_LEN] = "", *text;
    cJSON *object;
    int more = 0;

    if (d->over)
        return 0;
    d->turns++;
    object = eb_grade_object(output, &more, why);
    text =
        visible.len > 0 ? eb_xstrndup(visible.s, visible.len) : eb_xstrdup("");
    dialog_add(d, "assistant", text);
    if (eb_grade_forbidden(d->c->must_not, output, why))
        dialog_fail_critical(d, why);
    else if (object == NULL)
        dialog_fail(d, truncated ? EB_OUT_TRUNCATED : EB_OUT_UNPARSED, why);
    else if (more)
        dialog_fail(d, EB_OUT_WRONG, "more than one object in a turn");
    else
        dialog_object(d, object);
    cJSON_Delete(object);
    if (d->bad.outcome != EB_OUT_OK)
        d->over = 1;
    if (!d->over && d->turns >= d->max_turns) {
        snprintf(why, sizeof(why), "not finished after %d turns", d->max_turns);
        dialog_fail(d, EB_OUT_WRONG, why);
        d->over = 1;
    }
    return !d->over;
}

/* The hash of the store that the gold calls leave. */
static void dialog_gold_hash(const struct eb_dialog *d, int loose,
                             char hex[EB_SHA256_HEX])
{
    cJSON *store = cJSON_Duplicate(dialog_get(d, "store"), 1);
    const cJSON *call;

    cJSON_ArrayForEach(call, dialog_get(d, "gold_calls")) cJSON_Delete(
        eb_store_call(store, eb_json_get_str(call, "tool", ""),
                      cJSON_GetObjectItemCaseSensitive(call, "args")));
    eb_store_hash(store, loose, hex);
    cJSON_Delete(store);
}

void eb_dialog_result(const struct eb_dialog *d, struct eb_result *result)
{
    int loose = cJSON_IsTrue(dialog_get(d, "loose_tickets"));
    char want[EB_SHA256_HEX], got[EB_SHA256_HEX];

    memset(result, 0, sizeof(*result));
    if (d->store == NULL || !d->over) {
        result->outcome = EB_OUT_HARNESS_ERROR;
        snprintf(result->detail, sizeof(result->detail),
                 "the conversation is not over");
        return;
    }
    *result = d->bad;
    if (result->outcome != EB_OUT_OK)
        return;
    dialog_gold_hash(d, loose, want);
    eb_store_hash(d->store, loose, got);
    result->outcome = EB_OUT_WRONG;
    if (strcmp(want, got) != 0)
        snprintf(result->detail, sizeof(result->detail),
                 "end state: %.12s expected, %.12s found", want, got);
    else if (eb_grade_must(d->c->must, d->said.data, result->detail))
        result->outcome = EB_OUT_OK;
}

void eb_dialog_close(struct eb_dialog *d)
{
    size_t i;

    for (i = 0; i < d->n_msgs; i++)
        free(d->msgs[i].text);
    cJSON_Delete(d->store);
    eb_buf_free(&d->said);
    memset(d, 0, sizeof(*d));
}
