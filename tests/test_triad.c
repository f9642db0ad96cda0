/* Triad of this machine, and what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/bandwidth.h"
#include "agent/device_place.h"
#include "agent/triad.h"
#include "common/fs.h"
#include "common/json.h"

static void test_places(void **state)
{
    static struct eb_places p;

    (void)state;
    eb_device_places(&p);
    assert_true(p.n >= 1);
    assert_true(p.last_cache_bytes == -1 || p.last_cache_bytes > 1024);
}

/* As many repeats as the time allows, three at least; the sums are right. */
static void test_triad(void **state)
{
    static struct eb_places p;
    static struct eb_triad t;
    struct eb_triad_opts o = {.time_ns = 1};
    cJSON *v = cJSON_CreateObject();
    struct eb_err err = {0};

    (void)state;
    eb_device_places(&p);
    o.array_bytes = 2 * 65536 * 8 * p.n;
    assert_int_equal(eb_triad_measure(&o, &t, &err), 0);
    assert_true(t.repeats >= 1 && t.repeats <= 3);
    assert_int_equal(t.threads, p.n);
    assert_true(t.best_gbps >= t.median_gbps && t.median_gbps > 0);
    assert_true(t.array_bytes > 0 && t.array_bytes <= o.array_bytes);
    eb_triad_record(&t, NULL, v);
    assert_true(cJSON_IsArray(
        cJSON_GetObjectItem(cJSON_GetObjectItem(v, "triad"), "samples_gbps")));
    cJSON_Delete(v);
}

/* Where no cache is told, something is filled even if no time is left. */
static void test_no_cache(void **state)
{
    static struct eb_triad t;
    struct eb_triad_opts o = {
        .time_ns = 1, .threads = 1, .array_bytes = 2 * 65536 * 8};
    struct eb_err err = {0};

    (void)state;
    setenv("HWLOC_SYNTHETIC", "core:1 pu:1", 1);
    assert_int_equal(eb_triad_measure(&o, &t, &err), 0);
    unsetenv("HWLOC_SYNTHETIC");
    assert_true(t.last_cache_bytes <= 0);
    assert_true(t.array_bytes > 0 && t.median_gbps > 0);
}

static void test_too_small(void **state)
{
    struct eb_triad_opts o = {.time_ns = 1, .memory_bytes = 3000};
    static struct eb_triad t;
    struct eb_err err = {0};
    cJSON *v = cJSON_CreateObject();

    (void)state;
    assert_int_equal(eb_triad_measure(&o, &t, &err), EB_ELIMIT);
    eb_triad_record(NULL, "out of range: little memory", v);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "triad")));
    cJSON_Delete(v);
}

static void test_spread(void **state)
{
    static struct eb_triad t = {
        .repeats = 3, .gbps = {40, 36, 38}, .best_gbps = 40, .median_gbps = 38};
    cJSON *v = cJSON_CreateObject(), *triad;

    (void)state;
    eb_triad_record(&t, NULL, v);
    triad = cJSON_GetObjectItem(v, "triad");
    assert_int_equal(eb_json_get_num(triad, "repeats", 0), 3);
    assert_float_equal(eb_json_get_num(triad, "spread", 0), 4.0 / 38, 1e-12);
    cJSON_Delete(v);
}

/* What is kept */

static char root[32];

static void put_boot(const char *id)
{
    char dir[128], path[256];

    snprintf(dir, sizeof(dir), "%s/proc/sys/kernel/random", root);
    snprintf(path, sizeof(path), "%s/boot_id", dir);
    assert_int_equal(eb_fs_mkdirs(dir, NULL), 0);
    assert_int_equal(eb_fs_write_durable(path, id, strlen(id), NULL), 0);
}

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/eb-tri-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    put_boot("boot-1\n");
    return setenv("XDG_CACHE_HOME", root, 1);
}

static int teardown(void **state)
{
    char cmd[64];

    (void)state;
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
    return system(cmd);
}

/* They run in the child: what they change here stays there. */
static int quiet(struct eb_triad *t, struct eb_err *err)
{
    (void)err;
    *t = (struct eb_triad){.repeats = 1,
                           .gbps = {40},
                           .best_gbps = 40,
                           .median_gbps = 40,
                           .cpu_share = 1,
                           .array_bytes = 8,
                           .last_cache_bytes = 1};
    return 0;
}

static int disturbed(struct eb_triad *t, struct eb_err *err)
{
    quiet(t, err);
    t->cpu_share = 0.5;
    return 0;
}

static int failing(struct eb_triad *t, struct eb_err *err)
{
    (void)t;
    return eb_fail(err, EB_ELIMIT, "too little memory");
}

static int killed(struct eb_triad *t, struct eb_err *err)
{
    (void)t;
    (void)err;
    return raise(SIGKILL);
}

static int ended(struct eb_triad *t, struct eb_err *err)
{
    (void)t;
    (void)err;
    _exit(3);
}

static int cached(int (*triad)(struct eb_triad *, struct eb_err *),
                  const char *id)
{
    cJSON *device = cJSON_CreateObject(), *v;
    struct eb_bandwidth_opts o = {root, device, NULL, triad};
    int was;

    cJSON_AddStringToObject(device, "id", id);
    v = eb_bandwidth(&o);
    assert_true(cJSON_IsObject(cJSON_GetObjectItem(v, "triad")));
    assert_true(*eb_json_get_str(v, "measured_at", "") != '\0');
    assert_null(cJSON_GetObjectItem(v, "boot_id"));
    was = cJSON_IsTrue(cJSON_GetObjectItem(v, "cached"));
    cJSON_Delete(v);
    cJSON_Delete(device);
    return was;
}

/* A build that is not optimised has no bandwidth to keep. */
static int keeps(void)
{
    static struct eb_triad t;

    quiet(&t, NULL);
    return eb_triad_why(&t) == NULL;
}

static void test_once_a_boot(void **state)
{
    (void)state;
    assert_int_equal(cached(disturbed, "a"), 0);
    assert_int_equal(cached(quiet, "a"), 0); /* disturbed was not kept */
    if (keeps())
        assert_int_equal(cached(killed, "a"), 1);
}

static void test_kept_for_device_and_boot(void **state)
{
    (void)state;
    if (!keeps())
        skip();
    assert_int_equal(cached(quiet, "a"), 0);
    assert_int_equal(cached(quiet, "b"), 0);
    assert_int_equal(cached(quiet, "a"), 1);
    put_boot("boot-2\n");
    assert_int_equal(cached(quiet, "a"), 0);
    assert_int_equal(cached(quiet, "a"), 1);
}

static void without(struct eb_bandwidth_opts o, const char *reason)
{
    cJSON *v = eb_bandwidth(&o);

    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "triad")));
    if (strstr(eb_json_get_str(v, "triad_reason", ""), reason) == NULL)
        fail_msg("%s", eb_json_get_str(v, "triad_reason", ""));
    cJSON_Delete(v);
}

static void test_reasons(void **state)
{
    struct eb_bandwidth_opts o = {root, NULL, "not measured: --no-triad",
                                  quiet};

    (void)state;
    without(o, "not measured: --no-triad");
    o.why_not = NULL;
    o.triad = failing;
    without(o, "out of range: too little memory");
    o.triad = killed;
    without(o, "without a result (signal 9)");
    o.triad = ended;
    without(o, "without a result (status 3)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_triad),
        cmocka_unit_test(test_no_cache),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_spread),
        cmocka_unit_test_setup_teardown(test_once_a_boot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept_for_device_and_boot, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
