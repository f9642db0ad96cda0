/* The engine for OpenAI-compatible servers, against one that misbehaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/openai_engine_help.h"

/* Whatever happened, the slot takes the next request. */
static void works(void)
{
    struct reply *r;

    server.posts = 0;
    act(0, (struct oai_act){.chunks = OAI_GOOD});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_string_equal(r->text, "Hello you");
}

static void test_good(void **state)
{
    struct reply *r;
    cJSON *body;

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = OAI_GOOD});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_string_equal(r->end.detail, "");
    assert_string_equal(r->text, "Hello you");
    assert_int_equal(r->pieces, 2);
    assert_int_equal(r->end.prompt_tokens, 12);
    assert_int_equal(r->end.cached_tokens, 5);
    assert_int_equal(r->end.reply_tokens, 2);
    assert_int_equal(
        eb_json_parse(server.body.data, server.body.len, "body", &body, &err),
        0);
    assert_string_equal(eb_json_get_str(body, "model", ""), "tiny");
    assert_int_equal(eb_json_get_num(body, "temperature", -1), 0);
    assert_int_equal(eb_json_get_num(body, "max_tokens", -1), MAX_TOKENS);
    assert_non_null(cJSON_GetObjectItem(body, "seed"));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(
        cJSON_GetObjectItem(body, "stream_options"), "include_usage")));
    assert_string_equal(
        eb_json_get_str(
            cJSON_GetArrayItem(cJSON_GetObjectItem(body, "messages"), 0),
            "content", ""),
        "Say \"hello\"\n");
    cJSON_Delete(body);
    assert_string_equal(server.key, "");
    works();
}

/* Each server chunk waits for the other stream's, so both are under way. */
static void test_two_slots(void **state)
{
    struct reply r[2] = {{0}};
    struct eb_event events[2];
    size_t n, i;

    (void)state;
    open_slots(2);
    act(0,
        (struct oai_act){.chunks = {OAI_TEXT("a"), OAI_TEXT("a"), OAI_TEXT("a"),
                                    OAI_FINISH("stop"), OAI_DONE},
                         .turns = 1});
    act(1,
        (struct oai_act){.chunks = {OAI_TEXT("b"), OAI_TEXT("b"), OAI_TEXT("b"),
                                    OAI_FINISH("stop"), OAI_DONE},
                         .turns = 2});
    start(0, NULL);
    start(1, NULL);
    while (!r[0].end.over || !r[1].end.over) {
        assert_int_equal(OPS->step(engine, events, &n, &err), 0);
        assert_true(n >= 1 && n <= 2);
        assert_true(n == 1 || events[0].slot != events[1].slot);
        for (i = 0; i < n; i++) {
            take(&r[events[i].slot], &events[i]);
            if (events[i].over) /* the other has begun */
                assert_true(r[!events[i].slot].pieces > 0);
        }
    }
    assert_int_equal(r[0].end.rc, 0);
    assert_int_equal(r[1].end.rc, 0);
    assert_int_equal(r[0].pieces, 3);
    assert_int_equal(r[1].pieces, 3);
    /* Which act a slot got depends on which connection came first. */
    assert_true((!strcmp(r[0].text, "aaa") && !strcmp(r[1].text, "bbb")) ||
                (!strcmp(r[0].text, "bbb") && !strcmp(r[1].text, "aaa")));
    assert_int_equal(OPS->step(engine, events, &n, &err), 0);
    assert_int_equal(n, 0);
}

static void test_busy_slot(void **state)
{
    struct eb_request r = {"[]", NULL, 4};

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = {OAI_TEXT("x")}, .how = OAI_HANG});
    start(0, NULL);
    assert_int_equal(OPS->start(engine, 0, &r, &err), EB_EBUSY);
    assert_int_equal(OPS->start(engine, 1, &r, &err), EB_EBUSY);
    OPS->cancel(engine, 0);
    works();
    OPS->clear(engine);
    works();
}

static void test_retried(void **state)
{
    cJSON *facts = cJSON_CreateObject(), *memory = cJSON_CreateObject();
    struct reply *r;

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.status = 429,
                            .type = "application/json",
                            .header = "Retry-After",
                            .value = "0"});
    act(1, (struct oai_act){
               .status = 503, .type = "text/plain", .chunks = {"busy"}});
    act(2, (struct oai_act){.chunks = OAI_GOOD});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_string_equal(r->text, "Hello you");
    assert_int_equal(server.posts, 3);
    OPS->facts(engine, facts, memory);
    assert_int_equal(eb_json_get_num(facts, "retries", -1), 2);
    assert_string_equal(eb_json_get_str(facts, "served_model", ""), "tiny-1");
    cJSON_Delete(facts);
    cJSON_Delete(memory);
}

static int stop_after_two_posts(void)
{
    return oai_posts(&server) > 1;
}

/* One slot waits an hour for its retry; the other one goes on. */
static void test_retry_beside(void **state)
{
    struct eb_event events[2];
    struct reply r = {0};
    size_t n;

    (void)state;
    eb_openai_set_backoff_ms(3600 * 1000);
    open_slots(2);
    act(0, (struct oai_act){.status = 500});
    act(1, (struct oai_act){.chunks = OAI_GOOD});
    start(0, NULL);
    start(1, NULL);
    while (!r.end.over) {
        assert_int_equal(OPS->step(engine, events, &n, &err), 0);
        assert_int_equal(n, 1); /* always the same slot's */
        take(&r, &events[0]);
    }
    assert_int_equal(r.end.rc, 0);
    assert_string_equal(r.text, "Hello you");
    assert_int_equal(oai_posts(&server), 2);
    stop_fn = stop_after_two_posts;
    assert_int_equal(OPS->step(engine, events, &n, &err), EB_EABORT);
}

static void test_500_for_ever(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.status = 500,
                            .type = "application/json",
                            .chunks = {"{\"error\":{\"message\":\"no\\u0007 "
                                       "room\"}}"}});
    fails(EB_ENET, "HTTP status 500 after 3 retries: no  room");
    assert_int_equal(server.posts, 4);
    works();
}

static void test_refused_at_once(void **state)
{
    static const int status[] = {400, 401, 404, 422, 501};
    char says[32];
    size_t i;

    (void)state;
    open_slots(1);
    for (i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
        server.posts = 0;
        act(0, (struct oai_act){.status = status[i],
                                .type = "application/json",
                                .chunks = {"{\"detail\":\"not so\"}"}});
        snprintf(says, sizeof(says), "HTTP status %d: not so", status[i]);
        fails(EB_ENET, says);
        assert_int_equal(server.posts, 1);
    }
    works();
}

/* A long wait is not waited. */
static void test_retry_after_too_long(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){
               .status = 429, .header = "Retry-After", .value = "86400"});
    fails(EB_ENET, "HTTP status 429");
    assert_int_equal(server.posts, 1);
}

static void test_long_message(void **state)
{
    static const char e5[] =
        "{\"error\":\"\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80"
        "\xe9\x80\x80\xe9\x80\x80\xe9\x80\x80\"}";
    struct reply *r;

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.status = 400, .chunks = {e5}});
    r = ask();
    /* 40 characters of three bytes; none is cut. */
    assert_int_equal(strlen(r->end.detail), strlen("HTTP status 400: ") + 120);
}

static void test_too_long_prompt(void **state)
{
    static const char *const says[] = {
        "{\"error\":{\"code\":400,\"message\":\"request (9 tokens) exceeds\","
        "\"type\":\"exceed_context_size_error\"}}",
        "{\"error\":{\"message\":\"too long\","
        "\"code\":\"context_length_exceeded\"}}",
        "{\"object\":\"error\",\"message\":\"This model's maximum context "
        "length is 8 tokens.\"}"};
    size_t i;

    (void)state;
    open_slots(1);
    for (i = 0; i < 3; i++) {
        act(0, (struct oai_act){.status = 400,
                                .type = "application/json",
                                .chunks = {says[i]}});
        fails(EB_ELIMIT, "HTTP status 400");
    }
}

static int stop_after_post(void)
{
    return oai_posts(&server) > 0;
}

static void test_hang(void **state)
{
    struct reply *r;

    (void)state;
    open_slots(1);
    stop_fn = stop_after_post;
    act(0, (struct oai_act){.chunks = {": waiting\n\n"}, .how = OAI_HANG});
    r = ask();
    assert_int_equal(r->rc, EB_EABORT);
    assert_int_equal(r->pieces, 0);
    stop_fn = NULL;
    works();
}

static void test_truncated(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = {OAI_TEXT("Hel")}, .how = OAI_CUT});
    fails(EB_ENET, "the reply was cut off");
    act(0, (struct oai_act){.chunks = {OAI_TEXT("Hel")}});
    fails(EB_ENET, "the stream ended early");
    act(0,
        (struct oai_act){.chunks = {"data: {\"choices\":[{\"delta\":{\"con"}});
    fails(EB_ENET, "the stream ended early");
    act(0, (struct oai_act){.chunks = {""}, .how = OAI_CUT});
    fails(EB_ENET, "no answer");
    works();
}

static void test_dropped(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.how = OAI_DROP});
    fails(EB_ENET, "no answer");
    works();
}

/* A kept connection that breaks says nothing about the request. */
static void test_dropped_when_kept(void **state)
{
    struct reply *r;

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = OAI_GOOD});
    act(1, (struct oai_act){.how = OAI_DROP});
    act(2, (struct oai_act){.chunks = OAI_GOOD});
    assert_int_equal(ask()->end.rc, 0);
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_string_equal(r->text, "Hello you");
    assert_int_equal(server.posts, 3);
    works();
}

/* All that matters came before the connection broke, or hung. */
static void test_whole_enough(void **state)
{
    struct reply *r;

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = {OAI_TEXT("Hi"), OAI_FINISH("stop")},
                            .how = OAI_CUT});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_string_equal(r->text, "Hi");
    act(0, (struct oai_act){.chunks = {OAI_TEXT("Hi"), OAI_FINISH("stop"),
                                       OAI_USAGE, OAI_DONE},
                            .how = OAI_HANG});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_string_equal(r->text, "Hi");
    assert_int_equal(r->end.prompt_tokens, 12);
    act(0, (struct oai_act){.chunks = {OAI_TEXT("Hi"), OAI_DONE}});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    works();
}

static void test_garbage(void **state)
{
    static const char *const line[] = {
        "data: {\"choices\":[{]}\n\n",
        "data: hello\n\n",
        "data: 7\n\n",
        "data: {}\n\n",
        "data: {\"choices\":3}\n\n",
        "data: \xff\xfe\n\n",
        "data: {\"choices\":[],\"choices\":[]}\n\n"};
    size_t i;

    (void)state;
    open_slots(1);
    for (i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
        act(0, (struct oai_act){
                   .chunks = {OAI_TEXT("Hi"), line[i], OAI_FINISH("stop")}});
        fails(EB_ENET, "");
    }
    /* Strange, but harmless. */
    act(0, (struct oai_act){
               .chunks = {"data: {\"choices\":[null]}\n\n",
                          "data: {\"choices\":[{\"delta\":7}]}\n\n",
                          "data: {\"choices\":[{\"delta\":{\"content\":null,"
                          "\"tool_calls\":[7,{}]},\"usage\":\"x\"}]}\n\n",
                          OAI_FINISH("stop")}});
    assert_int_equal(ask()->end.rc, 0);
    works();
}

static void test_error_in_stream(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = {OAI_TEXT("Hi"),
                                       "data: {\"error\":{\"message\":\"out of "
                                       "memory\",\"code\":500}}\n\n"}});
    fails(EB_ENET, "the server failed: out of memory");
}

static void test_other_types(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.type = "text/html; charset=utf-8",
                            .chunks = {"<html><body>Sign in</body></html>"}});
    fails(EB_ENET, "text/html; charset=utf-8, no event stream: a web page");
    act(0, (struct oai_act){.type = "application/json",
                            .chunks = {"{\"choices\":[]}"}});
    fails(EB_ENET, "application/json, no event stream");
    act(0, (struct oai_act){.type = "application/octet-stream",
                            .chunks = {"0123456789abcdef"},
                            .how = OAI_ENDLESS});
    fails(EB_ENET, "application/octet-stream");
    act(0, (struct oai_act){.status = 404,
                            .type = "text/html",
                            .chunks = {"<html>404</html>"}});
    fails(EB_ENET, "HTTP status 404: a web page");
    works();
}

static void test_redirect(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.status = 307,
                            .header = "Location",
                            .value = "http://127.0.0.1:1/"});
    fails(EB_ENET, "a redirect is not followed");
    assert_int_equal(server.posts, 1);
}

static void test_huge_line(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = {"data: ", "0123456789abcdef"},
                            .how = OAI_ENDLESS});
    fails(EB_ENET, "a line or event of over");
    works();
}

static void test_endless(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = {OAI_TEXT("no ")}, .how = OAI_ENDLESS});
    fails(EB_ELIMIT, "token limit");
    act(0, (struct oai_act){.chunks = {": still here, still here\n\n"},
                            .how = OAI_ENDLESS});
    fails(EB_ENET, "the server sent over");
    works();
}

static void test_limit(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.chunks = {OAI_TEXT("Hel"), OAI_FINISH("length"),
                                       OAI_USAGE, OAI_DONE}});
    fails(EB_ELIMIT, "token limit");
    works();
}

static void test_no_usage(void **state)
{
    struct reply *r;

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){
               .chunks = {OAI_TEXT("Hi"), OAI_FINISH("stop"), OAI_DONE}});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_int_equal(r->end.prompt_tokens, -1);
    assert_int_equal(r->end.cached_tokens, -1);
    assert_int_equal(r->end.reply_tokens, -1);
}

#define CALL(text)                                                             \
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[" text "]}}]}\n\n"

static void test_tool_calls(void **state)
{
    struct reply *r;

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){
               .chunks = {CALL("{\"index\":0,\"id\":\"c1\",\"function\":"
                               "{\"name\":\"refund\",\"arguments\":\"\"}}"),
                          CALL("{\"index\":0,\"function\":"
                               "{\"arguments\":\"{\\\"order\\\": \"}}"),
                          CALL("{\"index\":0,\"function\":"
                               "{\"arguments\":\"\\\"A1\\\"}\"}}"),
                          OAI_FINISH("tool_calls"), OAI_DONE}});
    r = ask();
    assert_int_equal(r->end.rc, 0);
    assert_string_equal(r->text,
                        "{\"tool\":\"refund\",\"args\":{\"order\":\"A1\"}}");
    assert_int_equal(r->pieces, 1);
    /* Two calls, the second with arguments that are none, after text. */
    act(0, (struct oai_act){
               .chunks = {OAI_TEXT("Well."),
                          CALL("{\"index\":0,\"function\":{\"name\":\"a\","
                               "\"arguments\":\"{}\"}},{\"index\":1,"
                               "\"function\":{\"name\":\"b\","
                               "\"arguments\":\"oops\"}}"),
                          OAI_FINISH("tool_calls"), OAI_DONE}});
    r = ask();
    assert_string_equal(r->text, "Well.\n{\"tool\":\"a\",\"args\":{}}\n"
                                 "{\"tool\":\"b\",\"args\":\"oops\"}");
    act(0, (struct oai_act){.chunks = {CALL("{\"index\":99}")}});
    fails(EB_ENET, "tool calls");
    works();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_good),
        T(test_two_slots),
        T(test_busy_slot),
        T(test_retried),
        T(test_retry_beside),
        T(test_500_for_ever),
        T(test_refused_at_once),
        T(test_retry_after_too_long),
        T(test_long_message),
        T(test_too_long_prompt),
        T(test_hang),
        T(test_truncated),
        T(test_dropped),
        T(test_dropped_when_kept),
        T(test_whole_enough),
        T(test_garbage),
        T(test_error_in_stream),
        T(test_other_types),
        T(test_redirect),
        T(test_huge_line),
        T(test_endless),
        T(test_limit),
        T(test_no_usage),
        T(test_tool_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
