/* The engine for OpenAI-compatible servers: opening, the key, facts. */
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

static void test_open_models(void **state)
{
    (void)state;
    server.models = "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}";
    assert_int_equal(try_open(server.url, "", 1), EB_EENGINE);
    assert_non_null(strstr(err.msg, "2 models (a, b"));
    assert_int_equal(try_open(server.url, "/#b", 1), 0);
    OPS->close(engine);
    server.models = "{\"data\":[]}";
    assert_int_equal(try_open(server.url, "", 1), EB_EENGINE);
    server.models = NULL;
    assert_int_equal(try_open(server.url, "", 1), EB_ENET);
    assert_non_null(strstr(err.msg, "404"));
    assert_int_equal(try_open(server.url, "#named", 1), 0);
    OPS->close(engine);
    server.models = "<html>";
    assert_int_equal(try_open(server.url, "#named", 1), EB_ENET);
    engine = NULL;
}

static void test_open_refused(void **state)
{
    (void)state;
    assert_int_equal(try_open("127.0.0.1:1", "", 1), EB_EINVAL);
    assert_int_equal(try_open("", "", 1), EB_EINVAL);
    assert_int_equal(try_open("ftp://127.0.0.1/", "", 1), EB_EINVAL);
    assert_int_equal(try_open("http://me:pw@127.0.0.1/v1", "", 1), EB_EINVAL);
    assert_null(strstr(err.msg, "pw"));
    assert_int_equal(try_open("http://127.0.0.1/v1?key=s3", "", 1), EB_EINVAL);
    assert_null(strstr(err.msg, "s3"));
    /* Port 1 of this machine: nobody listens. */
    assert_int_equal(try_open("http://127.0.0.1:1/v1", "", 1), EB_ENET);
}

static void test_key(void **state)
{
    (void)state;
    setenv("EDGEBENCH_OPENAI_KEY", "s3cret", 1);
    open_slots(1);
    act(0, (struct oai_act){.chunks = OAI_GOOD});
    assert_int_equal(ask()->end.rc, 0);
    assert_string_equal(server.key, "Bearer s3cret");
    OPS->close(engine);
    engine = NULL;
    /* 192.0.2.0/24 is for documents: no such machine is asked. */
    assert_int_equal(try_open("http://192.0.2.1/v1", "#m", 1), EB_EINVAL);
    assert_non_null(strstr(err.msg, "unencrypted"));
    assert_null(strstr(err.msg, "s3cret"));
    assert_int_equal(try_open("http://127.0.0.1.example/v1", "#m", 1),
                     EB_EINVAL);
    setenv("EDGEBENCH_OPENAI_KEY", "a\r\nX: y", 1);
    assert_int_equal(try_open(server.url, "", 1), EB_EINVAL);
}

static int has_null(const cJSON *v, const char *key)
{
    char reason[64];

    snprintf(reason, sizeof(reason), "%s_reason", key);
    return cJSON_IsNull(cJSON_GetObjectItem(v, key)) &&
           cJSON_IsString(cJSON_GetObjectItem(v, reason));
}

static void test_llama(void **state)
{
    cJSON *facts = cJSON_CreateObject(), *memory = cJSON_CreateObject();

    (void)state;
    server.models =
        "{\"data\":[{\"id\":\"m\",\"aliases\":[\"n\"],\"owned_by\":"
        "\"llamacpp\","
        "\"meta\":{\"n_params\":3900000,\"n_ctx_train\":4096,\"n_ctx\":300,"
        "\"ftype\":\"Q8_0\",\"size\":42}}]}";
    server.props = "{\"default_generation_settings\":{\"n_ctx\":256},"
                   "\"total_slots\":2,\"chat_template\":\"x\","
                   "\"build_info\":\"b1\"}";
    assert_int_equal(try_open(server.url, "#other", 4), EB_EENGINE);
    assert_int_equal(try_open(server.url, "#n", 4), 0);
    assert_int_equal(engine->slots, 2);
    assert_int_equal(engine->ctx, 256);
    act(0, (struct oai_act){.chunks = OAI_GOOD});
    start(0, "root ::= \"{}\"");
    finish(&(struct reply){0});
    assert_non_null(
        strstr(server.body.data, "\"grammar\":\"root ::= \\\"{}\\\"\""));
    assert_null(strstr(server.body.data, "cache_prompt"));
    OPS->clear(engine);
    ask();
    assert_non_null(strstr(server.body.data, "\"cache_prompt\":false"));
    OPS->facts(engine, facts, memory);
    assert_string_equal(eb_json_get_str(facts, "constrained", ""), "gbnf");
    assert_int_equal(eb_json_get_num(facts, "parameters", 0), 3900000);
    assert_string_equal(eb_json_get_str(facts, "quantization", ""), "Q8_0");
    assert_string_equal(eb_json_get_str(facts, "server_build", ""), "b1");
    assert_true(has_null(facts, "architecture"));
    assert_true(has_null(facts, "price"));
    cJSON_Delete(facts);
    cJSON_Delete(memory);
}

/* Nothing is invented, and this process's memory is not the model's. */
static void test_facts_unknown(void **state)
{
    cJSON *facts = cJSON_CreateObject(), *memory = cJSON_CreateObject();

    (void)state;
    open_slots(1);
    cJSON_AddNumberToObject(memory, "vm_hwm_bytes", 1e6);
    eb_json_add_null(memory, "rss_file_bytes", "no permission");
    OPS->facts(engine, facts, memory);
    assert_string_equal(eb_json_get_str(facts, "constrained", ""), "none");
    assert_string_equal(eb_json_get_str(facts, "requested_model", ""), "tiny");
    assert_string_equal(eb_json_get_str(facts, "owned_by", ""), "me");
    assert_true(has_null(facts, "parameters"));
    assert_true(has_null(facts, "context_train"));
    assert_true(has_null(memory, "vm_hwm_bytes"));
    assert_true(has_null(memory, "rss_file_bytes"));
    assert_int_equal(cJSON_GetArraySize(memory), 8);
    cJSON_Delete(facts);
    cJSON_Delete(memory);
    act(0, (struct oai_act){.chunks = OAI_GOOD});
    start(0, "root ::= \"{}\"");
    finish(&(struct reply){0});
    assert_null(strstr(server.body.data, "grammar"));
}

static int open_priced(const char *text)
{
    char path[] = "/tmp/eb-prices-XXXXXX";
    int fd = mkstemp(path), rc;

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    setenv("EDGEBENCH_PRICES", path, 1);
    rc = try_open(server.url, "", 1);
    unlink(path);
    return rc;
}

static void test_price(void **state)
{
    cJSON *facts = cJSON_CreateObject(), *memory = cJSON_CreateObject();
    const cJSON *price;

    (void)state;
    assert_int_equal(open_priced("{\"tiny\":{\"input_per_million\":0.15,"
                                 "\"output_per_million\":0.6,"
                                 "\"currency\":\"USD\",\"source\":\"list\","
                                 "\"date\":\"2026-01-31\",\"more\":1}}"),
                     0);
    OPS->facts(engine, facts, memory);
    price = cJSON_GetObjectItem(facts, "price");
    assert_true(eb_json_get_num(price, "input_per_million", 0) == 0.15);
    assert_true(eb_json_get_num(price, "output_per_million", 0) == 0.6);
    assert_string_equal(eb_json_get_str(price, "currency", ""), "USD");
    assert_string_equal(eb_json_get_str(price, "date", ""), "2026-01-31");
    assert_int_equal(cJSON_GetArraySize(price), 5);
    cJSON_Delete(facts);
    cJSON_Delete(memory);
    OPS->close(engine);
    assert_int_equal(open_priced("{\"other\":{}}"), 0);
    OPS->close(engine);
    assert_int_equal(open_priced("{\"tiny\":{}}"), EB_EINVAL);
    assert_int_equal(open_priced("{\"tiny\":{\"input_per_million\":-1,"
                                 "\"output_per_million\":0.6,"
                                 "\"currency\":\"USD\",\"source\":\"list\","
                                 "\"date\":\"2026-01-31\"}}"),
                     EB_EINVAL);
    assert_int_equal(open_priced("nothing"), EB_EPARSE);
    setenv("EDGEBENCH_PRICES", "/nowhere/prices.json", 1);
    assert_int_equal(try_open(server.url, "", 1), EB_ENOENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_open_models), T(test_open_refused),  T(test_key),
        T(test_llama),       T(test_facts_unknown), T(test_price),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
