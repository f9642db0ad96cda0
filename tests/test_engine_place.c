/* Engines held to processors, and the type of their KV cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <string.h>

#include "agent/engine.h"

#ifdef EB_LLAMA_VERSION
#define MODEL EB_SOURCE_DIR "/workloads/models/ladder-0.3m-q8_0.gguf"

static struct eb_err err;

static struct eb_engine_settings settings(void)
{
    return (struct eb_engine_settings){
        .threads = 1, .ctx = 64, .batch = 64, .ubatch = 64, .slots = 1};
}

static void write_some(struct eb_engine *e)
{
    static const struct eb_bench_shape shape = {0, 4, 16, 1};

    assert_int_equal(e->ops->bench_fill(e, &shape, &err), 0);
    assert_int_equal(e->ops->bench(e, &shape, &err), 0);
}

static int last_cpu(const cpu_set_t *set)
{
    int i, last = -1;

    for (i = 0; i < EB_CPUS_MAX; i++) {
        if (CPU_ISSET((size_t)i, set))
            last = i;
    }
    return last;
}

/* The thread that calls is pinned while the engine is open, not after. */
static void test_cpus(void **state)
{
    struct eb_engine_settings s = settings();
    cpu_set_t before, now;
    struct eb_engine *e;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    eb_cpus_add(&s.cpus, last_cpu(&before));
    assert_int_equal(eb_engine_open(MODEL, &s, &e, &err), 0);
    write_some(e);
    assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
    assert_int_equal(CPU_COUNT(&now), 1);
    assert_true(CPU_ISSET((size_t)last_cpu(&before), &now));
    eb_engine_close(e);
    assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
    assert_true(CPU_EQUAL(&before, &now));
    eb_cpus_add(&s.cpus, EB_CPUS_MAX - 1);
    assert_int_equal(eb_engine_open(MODEL, &s, &e, &err), EB_EENGINE);
    assert_non_null(strstr(err.msg, "may not use processor 511"));
}

static double cache_bytes(struct eb_engine *e)
{
    cJSON *model = cJSON_CreateObject(), *memory = cJSON_CreateObject();
    double bytes;

    e->ops->facts(e, model, memory);
    bytes = cJSON_GetNumberValue(cJSON_GetObjectItem(memory, "context_bytes"));
    cJSON_Delete(model);
    cJSON_Delete(memory);
    return bytes;
}

static void test_cache(void **state)
{
    struct eb_engine_settings s = settings();
    struct eb_engine *e;
    double f16;

    (void)state;
    assert_int_equal(eb_engine_open(MODEL, &s, &e, &err), 0);
    f16 = cache_bytes(e);
    eb_engine_close(e);
    s.kv_type = "q8_0";
    assert_int_equal(eb_engine_open(MODEL, &s, &e, &err), 0);
    assert_string_equal(e->flash_attn, "on");
    write_some(e);
    /* 34 bytes for 32 numbers instead of 64. */
    assert_true(cache_bytes(e) < 0.6 * f16);
    eb_engine_close(e);
    s.flash_attn = "off";
    assert_int_equal(eb_engine_open(MODEL, &s, &e, &err), EB_EENGINE);
    assert_non_null(strstr(err.msg, "needs flash attention"));
    s.kv_type = "q3";
    assert_int_equal(eb_engine_open(MODEL, &s, &e, &err), EB_EENGINE);
    assert_non_null(strstr(err.msg, "q3"));
}
#endif

int main(void)
{
#ifdef EB_LLAMA_VERSION
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 0;
#endif
}
