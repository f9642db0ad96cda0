/* Conversations with the scripted customer: the state machine, the store
 * behind the tools, and the shipped items. */
#include "tests/workloads_help.h"
#include "workloads/dialog.h"
#include "workloads/dialog_store.h"

#define SHOP EB_SOURCE_DIR "/workloads/custsvc"
#define CALL(tool, args) "{\"tool\":\"" tool "\",\"args\":{" args "}}"
#define ID "\"order_id\":\"LK100001\""

static const char item_json[] =
    "{\"id\":\"agent-900-en\",\"pair_id\":\"agent-900\",\"lang\":\"en\","
    "\"prompt\":{\"message\":\"Cancel my radio.\"},"
    "\"store\":{\"orders\":[{\"order_id\":\"LK100001\",\"state\":\"packed\"},"
    "{\"order_id\":\"LK100002\",\"state\":\"shipped\"}]},"
    "\"turns\":[{\"when\":{\"not_called\":\"cancel_order\"},"
    "\"say\":\"Why?\",\"once\":true},"
    "{\"when\":{\"said_any\":[\"number\"]},\"say\":\"LK100001\"}],"
    "\"max_turns\":6,\"gold_calls\":[" CALL(
        "cancel_order",
        ID) "],"
            "\"must\":[[\"cancelled\",\"canceled\"]],\"must_not\":[\"BANANA\"],"
            "\"forbidden\":[\"refund\"]}";

struct talk {
    struct eb_suite s;
    struct eb_item item;
    struct eb_case c;
    struct eb_dialog d;
    struct eb_result result;
};

static void talk_open(struct talk *t)
{
    struct eb_err err = {0};

    memset(t, 0, sizeof(*t));
    if (eb_suite_load(&t->s, SHOP, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(eb_json_parse(item_json, strlen(item_json), "item",
                                   &t->item.json, &err),
                     0);
    t->item.id = "agent-900-en";
    t->item.pair_id = "agent-900";
    t->item.lang = "en";
    assert_int_equal(eb_case_fill(&t->c, &t->s, eb_suite_level(&t->s, "agent"),
                                  &t->item, EB_PROMPT_CLEAR, 1, &err),
                     0);
    assert_int_equal(eb_dialog_open(&t->c, &t->d), 0);
}

static void talk_close(struct talk *t)
{
    eb_dialog_close(&t->d);
    eb_case_free(&t->c);
    cJSON_Delete(t->item.json);
    eb_suite_free(&t->s);
}

/* Plays the turns (NULL ends them) and gives the outcome. */
static enum eb_outcome talk_play(struct talk *t, const char *const *turns)
{
    int more = 1;

    talk_open(t);
    for (; *turns != NULL; turns++) {
        assert_true(more);
        more = eb_dialog_step(&t->d, *turns, 0);
    }
    eb_dialog_result(&t->d, &t->result);
    return t->result.outcome;
}

static void test_golden(void **state)
{
    const struct eb_dialog_msg *m;
    struct talk t;
    size_t n;

    (void)state;
    talk_open(&t);
    assert_string_equal(eb_dialog_input(&t.d), "Cancel my radio.");
    assert_true(eb_dialog_step(&t.d, "{\"say\":\"Its number?\"}", 0));
    assert_string_equal(eb_dialog_input(&t.d), "Why?");
    assert_true(eb_dialog_step(&t.d, "{\"say\":\"I need its number.\"}", 0));
    assert_string_equal(eb_dialog_input(&t.d), "LK100001");
    assert_true(eb_dialog_step(&t.d, CALL("lookup_order", ID), 0));
    assert_string_equal(eb_dialog_input(&t.d), "[tool] {\"order_id\":"
                                               "\"LK100001\",\"state\":"
                                               "\"packed\"}");
    assert_true(eb_dialog_step(&t.d, CALL("cancel_order", ID), 0));
    assert_string_equal(eb_dialog_input(&t.d), "[tool] {\"ok\":true}");
    eb_dialog_result(&t.d, &t.result);
    assert_int_equal(t.result.outcome, EB_OUT_HARNESS_ERROR);
    assert_false(eb_dialog_step(&t.d, "{\"say\":\"It is cancelled.\"}", 0));
    assert_false(eb_dialog_step(&t.d, "{\"say\":\"More.\"}", 0));
    eb_dialog_result(&t.d, &t.result);
    assert_int_equal(t.result.outcome, EB_OUT_OK);
    assert_string_equal(t.result.detail, "");
    m = eb_dialog_history(&t.d, &n);
    assert_int_equal(n, 10);
    assert_string_equal(m[0].role, "user");
    assert_string_equal(m[9].role, "assistant");
    talk_close(&t);
}

static const struct {
    const char *turns[7];
    enum eb_outcome outcome;
    const char *detail;
} bad[] = {
    {{CALL("cancel_order", "\"order_id\":\"LK100002\""),
      "{\"say\":\"cancelled\"}", "{\"say\":\"cancelled\"}"},
     EB_OUT_WRONG,
     "end state"},
    {{CALL("create_ticket", "\"topic\":\"other\"," ID),
      CALL("cancel_order", ID), "{\"say\":\"cancelled\"}"},
     EB_OUT_WRONG,
     "end state"},
    {{CALL("refund", ID ",\"reason\":\"late\"")},
     EB_OUT_WRONG,
     "forbidden call of refund"},
    {{CALL("lookup_order", ID), CALL("lookup_order", ID),
      CALL("lookup_order", ID), CALL("lookup_order", ID),
      CALL("lookup_order", ID), CALL("cancel_order", ID)},
     EB_OUT_WRONG,
     "not finished after 6 turns"},
    {{CALL("cancel_order", ID), "{\"say\":\"Done.\"}"},
     EB_OUT_WRONG,
     "does not say \"cancelled\""},
    {{"{\"say\":\"banana\"}"}, EB_OUT_WRONG, "must not say"},
    {{"Sure!"}, EB_OUT_UNPARSED, "no JSON object"},
    {{""}, EB_OUT_UNPARSED, "empty output"},
    {{"{\"say\":\"a\"} {\"say\":\"b\"}"}, EB_OUT_WRONG, "more than one"},
};

static void test_failures(void **state)
{
    struct talk t;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(talk_play(&t, bad[i].turns), bad[i].outcome);
        if (strstr(t.result.detail, bad[i].detail) == NULL)
            fail_msg("%zu: %s", i, t.result.detail);
        talk_close(&t);
    }
    talk_open(&t);
    assert_false(eb_dialog_step(&t.d, "{\"say\":\"abc", 1));
    eb_dialog_result(&t.d, &t.result);
    assert_int_equal(t.result.outcome, EB_OUT_TRUNCATED);
    talk_close(&t);
}

/* A call of the wrong form is answered, not punished. */
static void test_bad_call(void **state)
{
    struct talk t;

    (void)state;
    talk_open(&t);
    assert_true(eb_dialog_step(&t.d, CALL("cancel_order", ""), 0));
    assert_non_null(strstr(eb_dialog_input(&t.d), "[tool] {\"error\":"));
    assert_true(eb_dialog_step(&t.d, CALL("fly", ""), 0));
    assert_non_null(strstr(eb_dialog_input(&t.d), "unknown: fly"));
    talk_close(&t);
}

static cJSON *parse(const char *text)
{
    cJSON *v = cJSON_Parse(text);

    assert_non_null(v);
    return v;
}

static void call_is(cJSON *store, const char *tool, const char *args,
                    const char *error)
{
    cJSON *a = parse(args), *v = eb_store_call(store, tool, a);

    assert_string_equal(eb_json_get_str(v, "error", ""), error);
    cJSON_Delete(v);
    cJSON_Delete(a);
}

static void test_policy(void **state)
{
    cJSON *store = parse(
        "{\"orders\":[{\"order_id\":\"A\",\"state\":\"shipped\"},"
        "{\"order_id\":\"B\",\"state\":\"delivered\",\"delivered_days\":3,"
        "\"kind\":\"earphones\",\"opened\":true},"
        "{\"order_id\":\"C\",\"state\":\"delivered\",\"delivered_days\":31},"
        "{\"order_id\":\"D\",\"state\":\"packed\"},"
        "{\"order_id\":\"E\",\"state\":\"placed\"}]}");
    char before[EB_SHA256_HEX], after[EB_SHA256_HEX];

    (void)state;
    eb_store_hash(store, 0, before);
    call_is(store, "cancel_order", "{\"order_id\":\"A\"}", "order is shipped");
    call_is(store, "cancel_order", "{\"order_id\":\"X\"}", "no such order");
    call_is(store, "refund", "{\"order_id\":\"B\",\"reason\":\"not_wanted\"}",
            "opened earphones");
    call_is(store, "refund", "{\"order_id\":\"C\",\"reason\":\"not_wanted\"}",
            "more than 30 days since delivery");
    call_is(store, "refund", "{\"order_id\":\"C\",\"reason\":\"damaged\"}",
            "more than 7 days since delivery");
    call_is(store, "refund", "{\"order_id\":\"A\",\"reason\":\"damaged\"}",
            "order is not delivered");
    call_is(store, "refund", "{\"order_id\":\"A\",\"reason\":\"late\"}",
            "order is not late");
    call_is(store, "change_address", "{\"order_id\":\"D\",\"address\":\"x\"}",
            "order is packed");
    call_is(store, "change_address",
            "{\"order_id\":\"E\",\"address\":\"PO Box 7\"}",
            "no delivery to PO boxes");
    eb_store_hash(store, 0, after);
    assert_string_equal(before, after);
    call_is(store, "refund", "{\"order_id\":\"B\",\"reason\":\"damaged\"}", "");
    call_is(store, "refund", "{\"order_id\":\"B\",\"reason\":\"damaged\"}",
            "already refunded");
    call_is(store, "cancel_order", "{\"order_id\":\"D\"}", "");
    eb_store_hash(store, 0, after);
    assert_string_not_equal(before, after);
    cJSON_Delete(store);
}

#define TWO                                                                    \
    "{\"orders\":[{\"order_id\":\"A\",\"state\":\"placed\"},"                  \
    "{\"order_id\":\"B\",\"state\":\"placed\"}]}"

static void test_hash_order(void **state)
{
    cJSON *x = parse(TWO), *y = parse(TWO);
    char hx[EB_SHA256_HEX], hy[EB_SHA256_HEX];

    (void)state;
    call_is(x, "create_ticket", "{\"topic\":\"fraud\",\"order_id\":\"A\"}", "");
    call_is(x, "create_ticket", "{\"topic\":\"other\",\"order_id\":null}", "");
    call_is(x, "change_address",
            "{\"order_id\":\"B\",\"address\":\"2 Mill Lane, Leeds\"}", "");
    call_is(y, "change_address",
            "{\"order_id\":\"B\",\"address\":\"2 mill lane  Leeds.\"}", "");
    call_is(y, "create_ticket", "{\"topic\":\"other\",\"order_id\":null}", "");
    call_is(y, "create_ticket", "{\"topic\":\"fraud\",\"order_id\":null}", "");
    eb_store_hash(x, 0, hx);
    eb_store_hash(y, 0, hy);
    assert_string_not_equal(hx, hy);
    eb_store_hash(x, 1, hx);
    eb_store_hash(y, 1, hy);
    assert_string_equal(hx, hy);
    call_is(y, "create_ticket", "{\"topic\":\"fraud\",\"order_id\":null}", "");
    eb_store_hash(y, 1, hy);
    assert_string_not_equal(hx, hy);
    cJSON_Delete(x);
    cJSON_Delete(y);
}

/* The null players and the key on what we ship. */
static void test_shipped(void **state)
{
    struct eb_suite s = {0};
    struct eb_err err = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    if (eb_suite_load(&s, SHOP, &err) != 0)
        fail_msg("%s", err.msg);
    assert_true(eb_suite_level(&s, "agent")->n_items >= 40);
    s.dialog = &eb_dialog_ops;
    eb_suite_check(&s, f);
    fclose(f);
    if (strstr(text, "- agent") != NULL || strstr(text, "agent-") != NULL)
        fail_msg("%s", text);
    if (getenv("EB_SHOW") != NULL)
        fputs(text, stderr);
    free(text);
    eb_suite_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_bad_call),   cmocka_unit_test(test_policy),
        cmocka_unit_test(test_hash_order), cmocka_unit_test(test_shipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
