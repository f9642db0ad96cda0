/* The engine for OpenAI-compatible servers against kinds of servers: what
 * they take in a request, and forms of replies that only some of them send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/openai_engine_help.h"

#define CALL(text)                                                             \
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[" text "]}}]}\n\n"

/* Servers that leave the index out, or say 0 for each: the ids tell the calls
 * apart. */
static void test_calls_by_id(void **state)
{
    static const char two[] =
        "{\"tool\":\"a\",\"args\":{\"x\":1}}\n{\"tool\":\"b\",\"args\":{}}";

    (void)state;
    open_slots(1);
    act(0, (struct oai_act){
               .chunks = {CALL("{\"id\":\"c1\",\"function\":{\"name\":\"a\","
                               "\"arguments\":\"{\\\"x\\\":\"}}"),
                          CALL("{\"function\":{\"arguments\":\"1}\"}}"),
                          CALL("{\"id\":\"c2\",\"function\":{\"name\":\"b\","
                               "\"arguments\":\"{}\"}}"),
                          OAI_FINISH("tool_calls"), OAI_DONE}});
    assert_string_equal(ask()->text, two);
    act(0, (struct oai_act){
               .chunks = {CALL("{\"index\":0,\"id\":\"c1\",\"function\":"
                               "{\"name\":\"a\",\"arguments\":"
                               "\"{\\\"x\\\":1}\"}}"),
                          CALL("{\"index\":0,\"id\":\"c2\",\"function\":"
                               "{\"name\":\"b\",\"arguments\":\"{}\"}}"),
                          OAI_FINISH("tool_calls"), OAI_DONE}});
    assert_string_equal(ask()->text, two);
    /* The id in every part. */
    act(0, (struct oai_act){
               .chunks = {CALL("{\"index\":0,\"id\":\"c1\",\"function\":"
                               "{\"name\":\"a\",\"arguments\":"
                               "\"{\\\"x\\\":\"}}"),
                          CALL("{\"index\":1,\"id\":\"c2\",\"function\":"
                               "{\"name\":\"b\",\"arguments\":\"{\"}}"),
                          CALL("{\"index\":0,\"id\":\"c1\",\"function\":"
                               "{\"arguments\":\"1}\"}}"),
                          CALL("{\"index\":1,\"id\":\"c2\",\"function\":"
                               "{\"arguments\":\"}\"}}"),
                          OAI_FINISH("tool_calls"), OAI_DONE}});
    assert_string_equal(ask()->text, two);
    /* Another id in every part. */
    act(0, (struct oai_act){
               .chunks = {CALL("{\"index\":0,\"id\":\"p1\",\"function\":"
                               "{\"name\":\"a\",\"arguments\":"
                               "\"{\\\"x\\\":\"}}"),
                          CALL("{\"index\":0,\"id\":\"p2\",\"function\":"
                               "{\"arguments\":\"1}\"}}"),
                          CALL("{\"index\":1,\"id\":\"p3\",\"function\":"
                               "{\"name\":\"b\",\"arguments\":\"{}\"}}"),
                          OAI_FINISH("tool_calls"), OAI_DONE}});
    assert_string_equal(ask()->text, two);
    /* Neither index nor id, whole calls. */
    act(0, (struct oai_act){
               .chunks = {CALL("{\"function\":{\"name\":\"a\",\"arguments\":"
                               "\"{\\\"x\\\":1}\"}}"),
                          CALL("{\"index\":null,\"function\":{\"name\":\"b\","
                               "\"arguments\":\"{}\"}}"),
                          OAI_FINISH("tool_calls"), OAI_DONE}});
    assert_string_equal(ask()->text, two);
}

/* Thoughts are no part of the answer, whatever they are called. */
static void test_parts_of_content(void **state)
{
    (void)state;
    open_slots(1);
    act(0,
        (struct oai_act){
            .chunks = {"data: {\"choices\":[{\"delta\":{\"reasoning_content\":"
                       "\"hm\",\"content\":null}}]}\n\n",
                       "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":"
                       "\"thinking\",\"thinking\":[]},{\"type\":\"text\","
                       "\"text\":\"Hello\"}]}}]}\n\n",
                       OAI_TEXT(" you"), OAI_FINISH("stop"), OAI_DONE}});
    assert_string_equal(ask()->text, "Hello you");
}

#define REFUSED(text)                                                          \
    (struct oai_act)                                                           \
    {                                                                          \
        .status = 400, .type = "application/json", .chunks = { text }          \
    }

/* Members that a server refuses are left out, or renamed, from then on. */
static void test_refused_members(void **state)
{
    cJSON *facts = cJSON_CreateObject(), *memory = cJSON_CreateObject(), *list;
    char *text;

    (void)state;
    open_slots(1);
    act(0, REFUSED("{\"error\":{\"message\":\"Unsupported parameter: "
                   "'max_tokens'. Use 'max_completion_tokens'.\",\"param\":"
                   "\"max_tokens\"}}"));
    act(1, REFUSED("{\"error\":{\"message\":\"Only the default (1) value is "
                   "supported.\",\"param\":\"temperature\"}}"));
    act(2, (struct oai_act){.chunks = OAI_GOOD});
    assert_string_equal(ask()->text, "Hello you");
    assert_int_equal(server.posts, 3);
    assert_non_null(strstr(server.body.data, "\"max_completion_tokens\":16"));
    assert_null(strstr(server.body.data, "\"max_tokens\""));
    assert_null(strstr(server.body.data, "\"temperature\""));
    assert_non_null(strstr(server.body.data, "\"seed\":1"));
    assert_string_equal(ask()->text, "Hello you"); /* at once */
    assert_int_equal(server.posts, 4);
    OPS->facts(engine, facts, memory);
    list = cJSON_GetObjectItemCaseSensitive(facts, "refused_members");
    text = cJSON_PrintUnformatted(list);
    assert_string_equal(text, "[\"max_tokens\",\"temperature\"]");
    free(text);
    cJSON_Delete(facts);
    cJSON_Delete(memory);
}

/* One that is refused whatever is left out is an error at last; a context
 * that is too small is no refusal of a member. */
static void test_refused_in_vain(void **state)
{
    (void)state;
    open_slots(1);
    act(0, REFUSED("{\"detail\":\"seed: extra inputs are not permitted\"}"));
    fails(EB_ENET, "HTTP status 400: seed: extra inputs");
    assert_int_equal(server.posts, 2);
    server.posts = 0;
    act(0, REFUSED("{\"error\":{\"message\":\"max_tokens is too large: the "
                   "maximum context length is 64\"}}"));
    fails(EB_ELIMIT, "maximum context length");
    assert_int_equal(server.posts, 1);
}

static void test_529(void **state)
{
    (void)state;
    open_slots(1);
    act(0, (struct oai_act){.status = 529});
    act(1, (struct oai_act){.status = 408});
    act(2, (struct oai_act){.chunks = OAI_GOOD});
    assert_string_equal(ask()->text, "Hello you");
    assert_int_equal(server.posts, 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_calls_by_id), T(test_parts_of_content), T(test_refused_members),
        T(test_refused_in_vain), T(test_529)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
