/* The bench of engines: shapes that fit and shapes that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/engine.h"

static struct eb_err err;

static struct eb_engine *open_engine(const char *path, int ctx, int slots)
{
    struct eb_engine_settings s = {
        .threads = 1, .ctx = ctx, .batch = 64, .ubatch = 64, .slots = slots};
    struct eb_engine *e;

    assert_int_equal(eb_engine_open(path, &s, &e, &err), 0);
    return e;
}

static int bench(struct eb_engine *e, struct eb_bench_shape s)
{
    int rc = e->ops->bench_fill(e, &s, &err);

    return rc != 0 ? rc : e->ops->bench(e, &s, &err);
}

static void shapes(const char *path)
{
    struct eb_engine *e = open_engine(path, 256, 1);
    int i;

    assert_int_equal(bench(e, (struct eb_bench_shape){100, 0, 0, 1}), 0);
    assert_int_equal(bench(e, (struct eb_bench_shape){0, 8, 0, 1}), 0);
    /* The second time the depth is there; the third is another. */
    for (i = 0; i < 2; i++)
        assert_int_equal(bench(e, (struct eb_bench_shape){16, 4, 100, 1}), 0);
    assert_int_equal(bench(e, (struct eb_bench_shape){0, 4, 50, 1}), 0);
    /* All of the context, often: nothing may be left behind. */
    for (i = 0; i < 3; i++)
        assert_int_equal(bench(e, (struct eb_bench_shape){200, 6, 50, 1}), 0);
    assert_int_equal(bench(e, (struct eb_bench_shape){200, 7, 50, 1}),
                     EB_ELIMIT);
    assert_non_null(strstr(err.msg, "257 tokens exceed"));
    assert_int_equal(bench(e, (struct eb_bench_shape){0, 4, 0, 2}), EB_ELIMIT);
    eb_engine_close(e);
    e = open_engine(path, 256, 4);
    for (i = 0; i < 2; i++)
        assert_int_equal(bench(e, (struct eb_bench_shape){0, 8, 32, 4}), 0);
    assert_int_equal(bench(e, (struct eb_bench_shape){0, 8, 0, 1}), 0);
    assert_int_equal(bench(e, (struct eb_bench_shape){0, 8, 0, 5}), EB_ELIMIT);
    e->ops->clear(e);
    eb_engine_close(e);
}

static void test_fake(void **state)
{
    (void)state;
    shapes("fake:key");
}

#ifdef EB_LLAMA_VERSION

#define LADDER EB_SOURCE_DIR "/workloads/models/ladder-1m-q8_0.gguf"

static void test_llama(void **state)
{
    (void)state;
    shapes(LADDER);
}

/* A request after a bench must not meet the bench's random tokens. */
static void test_llama_request(void **state)
{
    struct eb_engine *e = open_engine(LADDER, 256, 1);
    const struct eb_request r = {"one two three", NULL, 4};
    struct eb_event event;
    char first[2][16] = {{0}};
    size_t n;
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        assert_int_equal(e->ops->start(e, 0, &r, &err), 0);
        do
            assert_int_equal(e->ops->step(e, &event, &n, &err), 0);
        while (n == 0);
        memcpy(first[i], event.piece, event.len < 15 ? event.len : 15);
        e->ops->cancel(e, 0);
        assert_int_equal(bench(e, (struct eb_bench_shape){16, 4, 50, 1}), 0);
        e->ops->clear(e);
    }
    assert_string_equal(first[0], first[1]);
    eb_engine_close(e);
}

/* The bench takes the memory of the slots' context: not from under a reply. */
static void test_llama_busy(void **state)
{
    struct eb_engine *e = open_engine(LADDER, 256, 2);
    const struct eb_request r = {"one two three", NULL, 4};
    const char *options[] = {"one", "two"};
    double before[2], after[2];

    (void)state;
    assert_int_equal(e->ops->score(e, "one", options, 2, before, &err), 0);
    assert_int_equal(e->ops->start(e, 1, &r, &err), 0);
    assert_int_equal(bench(e, (struct eb_bench_shape){16, 4, 0, 1}), EB_EBUSY);
    assert_string_equal(err.msg, "slot 1 is in use");
    e->ops->cancel(e, 1);
    assert_int_equal(bench(e, (struct eb_bench_shape){16, 4, 0, 1}), 0);
    /* Without clear: what slots need comes back by itself. */
    assert_int_equal(e->ops->score(e, "one", options, 2, after, &err), 0);
    assert_memory_equal(before, after, sizeof(before));
    eb_engine_close(e);
}

/* The account that the library gives while it opens a model. */
static void test_llama_account(void **state)
{
    struct eb_engine *e = open_engine(LADDER, 256, 1);
    cJSON *model = cJSON_CreateObject(), *memory = cJSON_CreateObject();

    (void)state;
    e->ops->facts(e, model, memory);
    assert_true(cJSON_GetNumberValue(
                    cJSON_GetObjectItem(memory, "weights_bytes")) > 500000);
    assert_true(cJSON_GetNumberValue(
                    cJSON_GetObjectItem(memory, "context_bytes")) > 10000);
    assert_true(cJSON_GetNumberValue(
                    cJSON_GetObjectItem(memory, "compute_bytes")) > 10000);
    cJSON_Delete(model);
    cJSON_Delete(memory);
    eb_engine_close(e);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fake),
#ifdef EB_LLAMA_VERSION
        cmocka_unit_test(test_llama),      cmocka_unit_test(test_llama_request),
        cmocka_unit_test(test_llama_busy), cmocka_unit_test(test_llama_account),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
