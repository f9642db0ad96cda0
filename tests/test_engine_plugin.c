/* Engines in shared libraries: the example, and one library a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/engine_check.h"
#include "agent/engine_cmd.h"
#include "agent/engine_plugin.h"
#include "common/json.h"

#define ECHO "plugin:" EB_BINARY_DIR "/examples/plugin/libecho.so"
#define BAD(name) "plugin:" EB_BINARY_DIR "/tests/plugins/bad_" name ".so"

static struct eb_err err;
static struct eb_engine *engine;
static int stopped;

static int stop(void *arg)
{
    (void)arg;
    return stopped;
}

static int try_open(const char *path, int slots)
{
    struct eb_engine_settings s = {0};

    s.threads = 1;
    s.ctx = 64;
    s.slots = slots;
    s.stop = stop;
    stopped = 0;
    memset(&err, 0, sizeof(err));
    return eb_engine_open(path, &s, &engine, &err);
}

static void refused(const char *path, int rc, const char *says)
{
    assert_int_equal(try_open(path, 2), rc);
    assert_null(engine);
    if (strstr(err.msg, says) == NULL)
        print_error("%s\n", err.msg);
    assert_non_null(strstr(err.msg, says));
    assert_null(strchr(err.msg, '\n'));
}

static void test_not_loaded(void **state)
{
    (void)state;
    refused("plugin:", EB_ENOENT, "No such file");
    refused("plugin:/nowhere/libx.so:model", EB_ENOENT, "/nowhere/libx.so:");
    refused("plugin:/tmp", EB_EENGINE, "no file");
    refused("plugin:" EB_SOURCE_DIR "/README.md", EB_EENGINE,
            "cannot be loaded");
    refused(BAD("symbol"), EB_EENGINE, "does not export edgebench_plugin");
    refused(BAD("abi"), EB_EVERSION, "plug-in ABI 7, this edgebench has 1");
    refused(BAD("size"), EB_EVERSION, "build it again");
    refused(BAD("null_struct"), EB_EENGINE, "returned NULL");
    refused(BAD("no_step"), EB_EENGINE, "has no function step");
}

static void test_not_opened(void **state)
{
    (void)state;
    refused(BAD("open_fails"), EB_EENGINE, "bad: the chip is on fire xxx");
    refused(BAD("no_engine"), EB_EENGINE, "open gave no engine");
    refused(BAD("slots_given"), EB_EENGINE, "99 slots of 2");
    refused(ECHO ":/model.bin", EB_ENOENT, "needs no model file");
}

static void start(int slot, const char *prompt, int max_tokens)
{
    struct eb_request r = {prompt, NULL, max_tokens};

    assert_int_equal(engine->ops->start(engine, slot, &r, &err), 0);
}

/* One step's only event. */
static struct eb_event step(void)
{
    struct eb_event events[2];
    size_t n;

    assert_int_equal(engine->ops->step(engine, events, &n, &err), 0);
    assert_int_equal(n, 1);
    return events[0];
}

static void piece(const char *want)
{
    struct eb_event e = step();

    assert_false(e.over);
    assert_int_equal(e.len, strlen(want));
    assert_memory_equal(e.piece, want, e.len);
}

static void test_echo(void **state)
{
    struct eb_message m[] = {{"system", "Be kind."}, {"user", "hello  you"}};
    struct eb_buf prompt = {0};
    struct eb_event e;

    (void)state;
    assert_int_equal(try_open(ECHO ":You: said", 1), 0);
    assert_int_equal(engine->ctx, 64);
    assert_int_equal(engine->slots, 1);
    assert_null(engine->ops->bench);
    assert_int_equal(engine->ops->render(engine, m, 2, &prompt, &err), 0);
    assert_string_equal(prompt.data, "hello  you");
    start(0, prompt.data, 8);
    eb_buf_free(&prompt);
    piece("You:");
    piece(" said");
    piece(" hello");
    piece("  you");
    e = step();
    assert_true(e.over);
    assert_int_equal(e.rc, 0);
    assert_int_equal(e.prompt_tokens, 2);
    assert_int_equal(e.reply_tokens, 4);
    eb_engine_close(engine);
}

static void test_limits(void **state)
{
    struct eb_request r = {"one two", NULL, 1};
    struct eb_event e;
    char *many = calloc(1, 65 * 2 + 1);
    int i;

    (void)state;
    for (i = 0; i < 65; i++)
        strcat(many, "a ");
    assert_int_equal(try_open(ECHO, 2), 0);
    start(1, "one two", 1);
    assert_int_equal(engine->ops->start(engine, 1, &r, &err), EB_EBUSY);
    assert_int_equal(engine->ops->start(engine, 2, &r, &err), EB_EBUSY);
    piece("one");
    e = step();
    assert_true(e.over);
    assert_int_equal(e.rc, EB_ELIMIT);
    assert_non_null(strstr(e.detail, "token limit"));
    r.prompt = many;
    assert_int_equal(engine->ops->start(engine, 0, &r, &err), EB_ELIMIT);
    free(many);
    start(0, "x", 4);
    engine->ops->cancel(engine, 0);
    engine->ops->cancel(engine, 0); /* harmless */
    start(0, "y", 4);
    piece("y");
    eb_engine_close(engine);
}

static void test_stop(void **state)
{
    struct eb_event events[1];
    size_t n;

    (void)state;
    assert_int_equal(try_open(ECHO, 1), 0);
    start(0, "one two", 4);
    stopped = 1;
    assert_int_equal(engine->ops->step(engine, events, &n, &err), EB_EABORT);
    stopped = 0;
    start(0, "one", 4);
    piece("one");
    eb_engine_close(engine);
}

static void test_facts(void **state)
{
    cJSON *model = cJSON_CreateObject(), *memory = cJSON_CreateObject();
    cJSON *runtime = cJSON_CreateObject();

    (void)state;
    assert_int_equal(try_open(ECHO, 1), 0);
    cJSON_AddNumberToObject(memory, "vm_hwm_bytes", 7);
    engine->ops->facts(engine, model, memory);
    engine->ops->runtime(runtime);
    assert_string_equal(eb_json_get_str(model, "architecture", ""), "echo");
    assert_int_equal(strlen(eb_json_get_str(model, "plugin_sha256", "")), 64);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(model, "context_train")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(memory, "model_bytes")));
    assert_int_equal(eb_json_get_num(memory, "vm_hwm_bytes", 0), 7);
    assert_string_equal(eb_json_get_str(runtime, "plugin", ""), "echo");
    assert_string_equal(eb_json_get_str(runtime, "version", ""), "1");
    assert_true(cJSON_IsArray(cJSON_GetObjectItem(runtime, "backends")));
    cJSON_Delete(model);
    cJSON_Delete(memory);
    cJSON_Delete(runtime);
    eb_engine_close(engine);
}

/* A plug-in without render gets the messages as JSON. */
static void test_json_prompt(void **state)
{
    struct eb_message m[] = {{"user", "a \"b\"\n\x01\xff"}};
    struct eb_buf prompt = {0};

    (void)state;
    assert_int_equal(try_open(BAD("facts"), 1), 0);
    assert_int_equal(engine->ops->render(engine, m, 1, &prompt, &err), 0);
    assert_string_equal(prompt.data, "[{\"role\":\"user\",\"content\":"
                                     "\"a \\\"b\\\"\\n\\u0001\xef\xbf\xbd\"}]");
    eb_buf_free(&prompt);
    eb_engine_close(engine);
}

static void step_fails(const char *path, const char *says)
{
    struct eb_event events[2];
    size_t n = 9;

    assert_int_equal(try_open(path, 2), 0);
    start(0, "x", 4);
    assert_int_equal(engine->ops->step(engine, events, &n, &err), EB_EENGINE);
    assert_int_equal(n, 0);
    assert_non_null(strstr(err.msg, says));
    start(0, "x", 4); /* the slot is free again */
    eb_engine_close(engine);
}

static void test_bad_steps(void **state)
{
    (void)state;
    step_fails(BAD("events"), "77 events for 2 slots");
    step_fails(BAD("event_slot"), "slot -3");
    step_fails(BAD("piece"), "without its text");
    step_fails(BAD("step_fails"), "bad: lost the device");
}

/* The conformance check */

/* Failures; the lines are left in `said`. */
static int check(const char *path, int slots, char *said, size_t size)
{
    struct eb_engine_settings s = {.threads = 1, .ctx = 256, .slots = slots};
    FILE *out = tmpfile();
    size_t n;
    int failures;

    assert_non_null(out);
    failures = eb_engine_check(path, &s, out);
    rewind(out);
    n = fread(said, 1, size - 1, out);
    said[n] = '\0';
    fclose(out);
    return failures;
}

static void test_check_good(void **state)
{
    static char said[8192];

    (void)state;
    assert_int_equal(check(ECHO, 4, said, sizeof(said)), 0);
    assert_non_null(strstr(said, "ok    parallel      4 slots"));
    assert_non_null(strstr(said, "ok    too long"));
    assert_non_null(strstr(said, "ok    stop"));
    assert_null(strstr(said, "FAIL"));
    assert_int_equal(check(ECHO, 1, said, sizeof(said)), 0);
    assert_non_null(strstr(said, "none  parallel"));
}

static void test_check_bad(void **state)
{
    static char said[8192];

    (void)state;
    assert_int_equal(check(BAD("abi"), 2, said, sizeof(said)), 1);
    assert_non_null(strstr(said, "FAIL  open"));
    assert_true(check(BAD("step_fails"), 2, said, sizeof(said)) > 0);
    assert_non_null(strstr(said, "FAIL  reply"));
    assert_true(check(BAD("facts"), 2, said, sizeof(said)) > 0);
    assert_non_null(strstr(said, "FAIL  facts"));
    /* It never asks stop and takes any prompt. */
    assert_non_null(strstr(said, "FAIL  stop"));
    assert_non_null(strstr(said, "FAIL  too long"));
    assert_non_null(strstr(said, "FAIL  grammar"));
    assert_true(check(BAD("forgetful"), 2, said, sizeof(said)) > 0);
    assert_non_null(strstr(said, "FAIL  repeat"));
}

static int command(const char *a, const char *b, const char *c)
{
    char *argv[] = {"engine", (char *)a, (char *)b, (char *)c, NULL};
    int argc = 1;

    while (argv[argc] != NULL)
        argc++;
    return eb_engine_main(argc, argv);
}

static void test_command(void **state)
{
    (void)state;
    assert_int_equal(command("list", NULL, NULL), EB_EXIT_OK);
    assert_int_equal(command("--help", NULL, NULL), EB_EXIT_OK);
    assert_int_equal(command(NULL, NULL, NULL), EB_EXIT_USAGE);
    assert_int_equal(command("check", NULL, NULL), EB_EXIT_USAGE);
    assert_int_equal(command("list", "more", NULL), EB_EXIT_USAGE);
    assert_int_equal(command("check", ECHO, "--slots=0"), EB_EXIT_USAGE);
    assert_int_equal(command("check", ECHO + strlen("plugin:"), NULL),
                     EB_EXIT_OK);
    assert_int_equal(command("check", BAD("no_step"), NULL),
                     EB_EXIT_INSUFFICIENT);
}

static int setup(void **state)
{
    (void)state;
    return freopen("/dev/null", "w", stdout) == NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_loaded),
        cmocka_unit_test(test_not_opened),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_json_prompt),
        cmocka_unit_test(test_bad_steps),
        cmocka_unit_test(test_check_good),
        cmocka_unit_test(test_check_bad),
        cmocka_unit_test_setup(test_command, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
