/* Players that are no model, and what an item of a conversation must hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "workloads/dialog.h"
#include "workloads/dialog_store.h"
#include "workloads/text.h"

#define ITEM_KEYS                                                              \
    " id pair_id lang cluster level capability stratum prompt slots must "     \
    "must_not store turns max_turns gold_calls forbidden loose_tickets "
#define RULE_KEYS " when say once "
#define WHEN_KEYS " called not_called said_any any "

static const cJSON *item_get(const struct eb_case *c, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(c->filled, key);
}

/* Item rules */

static int item_keys(const cJSON *obj, const char *keys, const char *path,
                     struct eb_err *err)
{
    char word[64];
    const cJSON *v;

    if (!cJSON_IsObject(obj))
        return eb_fail(err, EB_EINVAL, "%s: expected an object", path);
    cJSON_ArrayForEach(v, obj)
    {
        snprintf(word, sizeof(word), " %.60s ", v->string);
        if (strstr(keys, word) == NULL)
            return eb_fail(err, EB_EINVAL, "%s.%.60s: unknown key", path,
                           v->string);
    }
    return 0;
}

static int item_store(const struct eb_case *c, struct eb_err *err)
{
    static const char states[] =
        " placed packed shipped delivered cancelled returned ";
    const cJSON *store = item_get(c, "store"), *v;
    char word[64];
    int rc = item_keys(store, " orders tickets ", "$.store", err);

    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(store, "orders"))
    {
        snprintf(word, sizeof(word), " %.60s ",
                 eb_json_get_str(v, "state", "-"));
        if (eb_json_get_str(v, "order_id", NULL) == NULL ||
            strstr(states, word) == NULL)
            return eb_fail(err, EB_EINVAL,
                           "$.store.orders: an order needs order_id and a "
                           "known state");
    }
    return 0;
}

static int item_tool(const struct eb_case *c, const cJSON *v, const char *path,
                     struct eb_err *err)
{
    if (v == NULL ||
        (cJSON_IsString(v) && eb_level_tool(c->level, v->valuestring) != NULL))
        return 0;
    return eb_fail(err, EB_EINVAL, "%s: not a tool of the level", path);
}

static int item_rules(const struct eb_case *c, struct eb_err *err)
{
    const cJSON *rule, *when, *turns = item_get(c, "turns");
    int rc = 0;

    if (!cJSON_IsArray(turns) ||
        cJSON_GetArraySize(turns) > EB_DIALOG_RULES_MAX)
        return eb_fail(err, EB_EINVAL, "$.turns: expected up to %d rules",
                       EB_DIALOG_RULES_MAX);
    cJSON_ArrayForEach(rule, turns)
    {
        when = cJSON_GetObjectItemCaseSensitive(rule, "when");
        rc = item_keys(rule, RULE_KEYS, "$.turns[]", err);
        if (rc == 0)
            rc = item_keys(when, WHEN_KEYS, "$.turns[].when", err);
        if (rc == 0 && cJSON_GetArraySize(when) == 0)
            rc = eb_fail(err, EB_EINVAL, "$.turns[].when: no condition");
        if (rc == 0 && eb_json_get_str(rule, "say", "")[0] == '\0')
            rc = eb_fail(err, EB_EINVAL, "$.turns[].say: expected a text");
        if (rc == 0)
            rc = item_tool(c, cJSON_GetObjectItemCaseSensitive(when, "called"),
                           "$.turns[].when.called", err);
        if (rc == 0)
            rc = item_tool(c,
                           cJSON_GetObjectItemCaseSensitive(when, "not_called"),
                           "$.turns[].when.not_called", err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The gold calls are allowed, one after the other, and by the item. */
static int item_gold_calls(const struct eb_case *c, int *writes,
                           struct eb_err *err)
{
    const cJSON *calls = item_get(c, "gold_calls"), *call, *args, *v;
    cJSON *store = cJSON_Duplicate(item_get(c, "store"), 1), *result;
    const struct eb_tool *tool;
    char why[EB_DETAIL_LEN];
    int rc = 0;

    *writes = 0;
    if (!cJSON_IsArray(calls))
        rc = eb_fail(err, EB_EINVAL, "$.gold_calls: expected an array");
    cJSON_ArrayForEach(call, calls)
    {
        if (rc != 0)
            break;
        if (eb_grade_call(c->level, call, &tool, &args, why) != 0) {
            rc = eb_fail(err, EB_EINVAL, "$.gold_calls: %s", why);
            break;
        }
        *writes += eb_store_writes(tool->name);
        cJSON_ArrayForEach(v, item_get(c, "forbidden"))
        {
            if (cJSON_IsString(v) && strcmp(v->valuestring, tool->name) == 0)
                rc = eb_fail(err, EB_EINVAL, "$.gold_calls: %s is forbidden",
                             tool->name);
        }
        result = eb_store_call(store, tool->name, args);
        if (rc == 0 && eb_json_get_str(result, "error", NULL) != NULL)
            rc = eb_fail(err, EB_EINVAL, "$.gold_calls: %s: %s", tool->name,
                         eb_json_get_str(result, "error", ""));
        cJSON_Delete(result);
    }
    cJSON_Delete(store);
    return rc;
}

static int dialog_check_item(const struct eb_case *c, struct eb_err *err)
{
    double turns = eb_json_get_num(c->filled, "max_turns", 0);
    const cJSON *v;
    int writes = 0, rc = item_keys(c->filled, ITEM_KEYS, "$", err);

    if (rc == 0 && c->user[0] == '\0')
        rc = eb_fail(err, EB_EINVAL, "$.prompt.message: expected a text");
    if (rc == 0)
        rc = item_store(c, err);
    if (rc == 0)
        rc = item_rules(c, err);
    if (rc == 0 && (turns < 1 || turns > EB_DIALOG_TURNS_MAX))
        rc = eb_fail(err, EB_EINVAL, "$.max_turns: expected 1 to %d",
                     EB_DIALOG_TURNS_MAX);
    cJSON_ArrayForEach(v, item_get(c, "forbidden"))
    {
        if (rc == 0)
            rc = item_tool(c, v, "$.forbidden[]", err);
    }
    if (rc == 0)
        rc = item_gold_calls(c, &writes, err);
    if (rc == 0 && writes == 0 && cJSON_GetArraySize(c->must) == 0)
        rc = eb_fail(err, EB_EINVAL,
                     "$.must: nothing is to be done and nothing to be said, "
                     "so silence would be right");
    return rc;
}

/* Players */

static void play_say(struct eb_buf *out, const char *text)
{
    cJSON *v = cJSON_CreateObject();
    char *s;

    cJSON_AddStringToObject(v, "say", text);
    s = cJSON_PrintUnformatted(v);
    eb_buf_adds(out, s != NULL ? s : "{}");
    free(s);
    cJSON_Delete(v);
}

static void play_json(struct eb_buf *out, const cJSON *v)
{
    char *s = cJSON_PrintUnformatted(v);

    eb_buf_adds(out, s != NULL ? s : "{}");
    free(s);
}

/* {"tool":..,"args":{"order_id":..,key:value}}; NULL id: null; NULL key:
 * none. */
static void play_call(struct eb_buf *out, const char *tool, const char *id,
                      const char *key, const char *value)
{
    cJSON *v = cJSON_CreateObject(), *args;

    cJSON_AddStringToObject(v, "tool", tool);
    args = cJSON_AddObjectToObject(v, "args");
    if (id != NULL)
        cJSON_AddStringToObject(args, "order_id", id);
    else
        cJSON_AddNullToObject(args, "order_id");
    if (key != NULL)
        cJSON_AddStringToObject(args, key, value);
    play_json(out, v);
    cJSON_Delete(v);
}

static int play_zh(const struct eb_dialog *d)
{
    return strcmp(d->c->item->lang, "zh") == 0;
}

/* 1 if the customer or a tool has said the text. */
static int play_seen(const struct eb_dialog *d, const char *text)
{
    size_t i;

    for (i = 0; i < d->n_msgs; i++) {
        if (strcmp(d->msgs[i].role, "user") == 0 &&
            eb_text_contains(d->msgs[i].text, text))
            return 1;
    }
    return 0;
}

/* The last order number in the user texts; 0 if there is none. */
static int play_order(const struct eb_dialog *d, char id[16])
{
    size_t i;
    int found = 0;

    for (i = 0; i < d->n_msgs; i++) {
        const char *p = d->msgs[i].text;

        if (strcmp(d->msgs[i].role, "user") != 0)
            continue;
        while ((p = strstr(p, "LK")) != NULL) {
            if (strspn(p + 2, "0123456789") == 6) {
                memcpy(id, p, 8);
                id[8] = '\0';
                found = 1;
            }
            p += 2;
        }
    }
    return found;
}

static void play_ask(const struct eb_dialog *d, struct eb_buf *out)
{
    play_say(out, play_zh(d) ? "请告诉我订单号和要改的地址，我马上查。"
                             : "Could you tell me the order number, and the "
                               "new address if there is one?");
}

static void play_must(const struct eb_dialog *d, struct eb_buf *out)
{
    struct eb_buf text = {0};
    const cJSON *group;

    eb_buf_adds(&text, play_zh(d) ? "处理结果：" : "Result: ");
    cJSON_ArrayForEach(group, d->c->must)
        eb_buf_addf(&text, "%s; ", cJSON_GetArrayItem(group, 0)->valuestring);
    play_say(out, text.data);
    eb_buf_free(&text);
}

/* The next gold call once the customer has told what it needs. */
static void play_key(const struct eb_dialog *d, int *step, struct eb_buf *out)
{
    const cJSON *call = cJSON_GetArrayItem(item_get(d->c, "gold_calls"), *step);
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(call, "args");
    const char *id = eb_json_get_str(args, "order_id", NULL);
    const char *address = eb_json_get_str(args, "address", NULL);

    if (call == NULL) {
        play_must(d, out);
    } else if ((id != NULL && !play_seen(d, id)) ||
               (address != NULL && !play_seen(d, address))) {
        play_ask(d, out);
    } else {
        play_json(out, call);
        (*step)++;
    }
}

static const struct {
    const char *word;
    const char *tool;
    const char *key;
    const char *value;
} play_words[] = {{"cancel", "cancel_order", NULL, NULL},
                  {"取消", "cancel_order", NULL, NULL},
                  {"money back", "refund", "reason", "damaged"},
                  {"refund", "refund", "reason", "damaged"},
                  {"退", "refund", "reason", "damaged"},
                  {"address", "change_address", "address", "1 Main Street"},
                  {"地址", "change_address", "address", "大街1号"},
                  {"person", "create_ticket", "topic", "complaint"},
                  {"人工", "create_ticket", "topic", "complaint"}};

static void play_keyword(const struct eb_dialog *d, int turn,
                         struct eb_buf *out)
{
    char id[16];
    size_t i;

    if (!play_order(d, id)) {
        play_ask(d, out);
        return;
    }
    for (i = 0; turn < 3 && i < sizeof(play_words) / sizeof(*play_words); i++) {
        if (strncmp(eb_dialog_input(d), "[tool]", 6) != 0 &&
            eb_text_contains(d->c->user, play_words[i].word)) {
            play_call(out, play_words[i].tool, id, play_words[i].key,
                      play_words[i].value);
            return;
        }
    }
    play_say(out, play_zh(d) ? "已经办好了。" : "Done.");
}

/* Looks every number up and reads out what it was told. */
static void play_copy(const struct eb_dialog *d, struct eb_buf *out)
{
    char id[16];

    if (strncmp(eb_dialog_input(d), "[tool]", 6) != 0 && play_order(d, id))
        play_call(out, "lookup_order", id, NULL, NULL);
    else
        play_say(out, eb_dialog_input(d));
}

static void play_random(const struct eb_dialog *d, struct eb_rng *rng,
                        struct eb_buf *out)
{
    const struct eb_level *l = d->c->level;
    const struct eb_tool *t = l->tools[eb_rng_below(rng, l->n_tools)];
    char id[16];
    size_t i;

    if (!play_order(d, id))
        snprintf(id, sizeof(id), "LK%lld",
                 (long long)eb_rng_range(rng, 100000, 999999));
    if (eb_rng_below(rng, 3) == 0) {
        play_say(out, id);
        return;
    }
    for (i = 0; i < t->n_args; i++) {
        const struct eb_field *f = &t->args[i];

        if (f->type == EB_FIELD_ID)
            continue;
        play_call(out, t->name, id, f->name,
                  f->n_values > 0 ? f->values[eb_rng_below(rng, f->n_values)]
                                  : "1 Main Street");
        return;
    }
    play_call(out, t->name, id, NULL, NULL);
}

static const char *const dialog_nulls[] = {
    "empty",   "do-nothing",  "always-refuse", "always-escalate",
    "keyword", "copy-policy", "random-json",   NULL};

static void play_null(const struct eb_dialog *d, const char *name, int turn,
                      struct eb_rng *rng, struct eb_buf *out)
{
    char id[16];
    int known = play_order(d, id);

    if (strcmp(name, "do-nothing") == 0)
        play_say(out, play_zh(d) ? "好的。" : "All right.");
    else if (strcmp(name, "always-refuse") == 0)
        play_say(out, play_zh(d) ? "抱歉，这个办不了，不能这样处理。"
                                 : "Sorry, I cannot do that.");
    else if (strcmp(name, "always-escalate") == 0 && turn == 0)
        play_call(out, "create_ticket", known ? id : NULL, "topic",
                  "complaint");
    else if (strcmp(name, "always-escalate") == 0)
        play_say(out, play_zh(d) ? "已转人工处理。"
                                 : "A colleague will get back to you.");
    else if (strcmp(name, "keyword") == 0)
        play_keyword(d, turn, out);
    else if (strcmp(name, "copy-policy") == 0)
        play_copy(d, out);
    else if (strcmp(name, "random-json") == 0)
        play_random(d, rng, out);
}

static void dialog_play(const struct eb_case *c, const char *null_name,
                        struct eb_rng *rng, struct eb_result *result)
{
    struct eb_dialog d;
    struct eb_buf out = {0};
    int more = 1, step = 0, turn;

    if (eb_dialog_open(c, &d) != 0)
        more = 0;
    for (turn = 0; more; turn++) {
        eb_buf_reset(&out);
        eb_buf_adds(&out, "");
        if (null_name == NULL)
            play_key(&d, &step, &out);
        else
            play_null(&d, null_name, turn, rng, &out);
        more = eb_dialog_step(&d, out.data != NULL ? out.data : "", 0);
    }
    eb_dialog_result(&d, result);
    eb_dialog_close(&d);
    eb_buf_free(&out);
}

const struct eb_dialog_ops eb_dialog_ops = {dialog_nulls, dialog_check_item,
                                            dialog_play};
