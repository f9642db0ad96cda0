/* `edgebench run` on the fake engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/power.h"
#include "agent/run.h"
#include "agent/talk.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/record.h"

#define BIG_JOB EB_SOURCE_DIR "/workloads/custsvc"
#define JOB EB_SOURCE_DIR "/tests/fixtures/job-mini"

static char dir[32], out[64];
static cJSON **recs;
static size_t n_recs;

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/eb-run-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    setenv("EDGEBENCH_SPOOL", dir, 1);
    snprintf(out, sizeof(out), "%s/records.jsonl", dir);
    eb_talk_interrupt(0);
    return freopen("/dev/null", "w", stdout) == NULL;
}

static int teardown(void **state)
{
    char cmd[64];

    (void)state;
    eb_record_list_free(recs, n_recs);
    recs = NULL;
    n_recs = 0;
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
    return system(cmd);
}

/* Runs with up to six more arguments; the records are read back. */
static int run(const char *a, const char *b, const char *c, const char *d,
               const char *e, const char *f)
{
    char *argv[] = {"run",     "-q",      "-s",      JOB,       "-o",
                    out,       (char *)a, (char *)b, (char *)c, (char *)d,
                    (char *)e, (char *)f, NULL};
    int argc = 6, code;

    while (argv[argc] != NULL)
        argc++;
    code = eb_run_main(argc, argv);
    if (eb_fs_exists(out))
        eb_record_read(out, &recs, &n_recs, NULL);
    return code;
}

static int items(size_t i)
{
    return cJSON_GetArraySize(cJSON_GetObjectItem(recs[i], "items"));
}

static const char *text(size_t i, const char *key)
{
    return eb_json_get_str(recs[i], key, "");
}

static void test_key(void **state)
{
    const cJSON *v;
    char **names;
    size_t n;

    (void)state;
    run("-m", "fake:key", "-p", "both", NULL, NULL);
    assert_int_equal(n_recs, 2);
    assert_string_equal(text(0, "status"), "complete");
    assert_string_equal(text(0, "session_id"), text(1, "session_id"));
    assert_string_not_equal(text(0, "run_id"), text(1, "run_id"));
    assert_true(items(0) > 0);
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(recs[0], "items"))
    {
        /* The fixture's dialog item is no conversation: not the model's
         * fault, so it must not count as one. */
        int dialog = !strcmp(eb_json_get_str(v, "level", ""), "talk");
        assert_string_equal(eb_json_get_str(v, "class", ""),
                            dialog ? "harness_error" : "ok");
    }
    assert_int_equal(eb_fs_list(dir, ".json", &names, &n, NULL), 0);
    assert_int_equal(n, 2);
    eb_fs_list_free(names, n);
}

static void test_limit(void **state)
{
    (void)state;
    run("-m", "fake:empty", "-n1", "-l", "sort", "--full");
    assert_int_equal(n_recs, 1);
    assert_int_equal(items(0), 2); /* one in each of two languages */
}

/* What names no engine must be a file; what does, need not be one. */
static void test_find(void **state)
{
    (void)state;
    assert_int_equal(run("-m", "nowhere.gguf", NULL, NULL, NULL, NULL),
                     EB_EXIT_USAGE);
    assert_int_equal(
        run("-m", "opnai:http://127.0.0.1:1/v1#m", NULL, NULL, NULL, NULL),
        EB_EXIT_USAGE);
    assert_int_equal(n_recs, 0);
    assert_int_equal(run("-m", "openai:http://127.0.0.1:1/v1#org/m", "-m",
                         "plugin:/nowhere/libx.so", NULL, NULL),
                     EB_EXIT_UNFIT);
    assert_int_equal(n_recs, 2);
    assert_string_equal(text(0, "status"), "engine_error");
    assert_string_equal(
        eb_json_get_str(cJSON_GetObjectItem(recs[0], "model"), "name", ""),
        "org/m");
    assert_non_null(strstr(text(1, "status_reason"), "/nowhere/libx.so"));
}

static void test_power_required(void **state)
{
    struct eb_power *p;

    (void)state;
    if (eb_power_open("", EB_POWER_REQUIRE, NULL, &p, NULL) == 0) {
        eb_power_close(p);
        skip(); /* a machine that has a sensor */
    }
    assert_int_equal(
        run("-m", "fake:empty", "--power", "require", "-l", "sort"),
        EB_EXIT_UNFIT);
    assert_int_equal(n_recs, 0);
}

static void test_broken(void **state)
{
    (void)state;
    assert_int_equal(run("-m", "fake:broken", NULL, NULL, NULL, NULL),
                     EB_EXIT_UNFIT);
    assert_string_equal(text(0, "status"), "engine_error");
    assert_non_null(strstr(text(0, "status_reason"), "fails to load"));
}

static void test_broken_then_others(void **state)
{
    (void)state;
    run("-m", "fake:broken", "-m", "fake:empty", NULL, NULL);
    assert_int_equal(n_recs, 2);
    assert_string_equal(text(1, "status"), "complete");
}

static void test_aborted(void **state)
{
    (void)state;
    eb_talk_interrupt(1);
    run("-m", "fake:key", NULL, NULL, NULL, NULL);
    /* Stopped before the first model: nothing to record. */
    assert_int_equal(n_recs, 0);
}

/* The items under way are finished, the rest is left, the record is
 * written. */
static void test_interrupted(void **state)
{
    (void)state;
    run("-s", BIG_JOB, "--model=fake:sigint", "--model=fake:key",
        "--item-timeout=1", "--slots=2");
    assert_int_equal(n_recs, 1);
    assert_string_equal(text(0, "status"), "aborted");
    assert_int_equal(items(0), 2);
}

/* One at a time gives the same answers as many at once. */
static void test_modes(void **state)
{
    const cJSON *v, *w;

    (void)state;
    run("-m", "fake:key", "-m", "fake:chatter", "--full", "--slots=3");
    assert_int_equal(n_recs, 2);
    assert_int_equal(items(0), items(1));
    v = cJSON_GetObjectItem(recs[0], "items");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v->child, "ttft_ns")));
    w = cJSON_GetObjectItem(recs[0], "latency_items");
    assert_true(cJSON_GetArraySize(w) > 0);
    cJSON_ArrayForEach(v, w)
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(v, "same_output")));
    /* By language, so that the cache serves them as in a latency run. */
    cJSON_ArrayForEach(v, w)
    {
        assert_true(v->next == NULL ||
                    strcmp(eb_json_get_str(v, "level", ""),
                           eb_json_get_str(v->next, "level", "")) != 0 ||
                    strcmp(eb_json_get_str(v, "lang", ""),
                           eb_json_get_str(v->next, "lang", "")) <= 0);
    }
    eb_record_list_free(recs, n_recs);
    recs = NULL;
    unlink(out);
    run("-m", "fake:key", "--mode", "latency", NULL, NULL);
    assert_int_equal(n_recs, 1);
    assert_null(cJSON_GetObjectItem(recs[0], "latency_items"));
    v = cJSON_GetObjectItem(recs[0], "items");
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(v->child, "ttft_ns")));
}

/* Three items settle nothing. */
static void test_not_shown(void **state)
{
    (void)state;
    assert_int_equal(run("-s", BIG_JOB, "-m", "fake:key", "-n3", "-ltriage"),
                     EB_EXIT_NOT_SHOWN);
}

/* Enough items settle it. */
static void test_verdicts(void **state)
{
    (void)state;
    assert_int_equal(run("-s", BIG_JOB, "-l", "triage", "-m", "fake:key"),
                     EB_EXIT_OK);
    eb_record_list_free(recs, n_recs);
    unlink(out);
    assert_int_equal(run("-s", BIG_JOB, "-l", "triage", "-m", "fake:empty"),
                     EB_EXIT_INSUFFICIENT);
}

static double number(size_t i, const char *level, const char *lang,
                     const char *key)
{
    const cJSON *row;

    cJSON_ArrayForEach(
        row,
        cJSON_GetObjectItem(cJSON_GetObjectItem(recs[i], "summary"), "levels"))
    {
        if (!strcmp(eb_json_get_str(row, "level", ""), level) &&
            !strcmp(eb_json_get_str(row, "lang", ""), lang))
            return eb_json_get_num(row, key, -1);
    }
    return -1;
}

/* A model that is always right or always wrong is decided early, and the job
 * is lost at the first language that fails. */
static void test_stops_early(void **state)
{
    double right, wrong;

    (void)state;
    run("-s", BIG_JOB, "-l", "triage,act", "-m", "fake:key");
    right = number(0, "triage", "en", "n");
    assert_true(right > 0 && right < 212.0 / 3);
    assert_true(number(0, "act", "zh", "n") > 0);
    eb_record_list_free(recs, n_recs);
    unlink(out);
    run("-s", BIG_JOB, "-l", "triage,act", "-m", "fake:empty");
    wrong = number(0, "triage", "en", "n");
    assert_true(wrong > 0 && wrong < 212.0 / 3);
    assert_true(number(0, "triage", "zh", "n") < 0);
    assert_true(number(0, "act", "en", "n") < 0);
}

/* Digests of the order of the first level, and of all that is settled. */
static void digests(const char *seed, char order[65], char bars[65])
{
    eb_record_list_free(recs, n_recs);
    unlink(out);
    run("-s", BIG_JOB, "-ltriage", "-mfake:empty", seed, NULL);
    snprintf(order, 65, "%s",
             eb_json_get_str(
                 cJSON_GetArrayItem(cJSON_GetObjectItem(recs[0], "levels"), 0),
                 "order_sha256", ""));
    snprintf(bars, 65, "%s", text(0, "bars_sha256"));
}

/* What is settled before the first item: the same seed gives the same order,
 * and the digest holds bars, order and service bars. */
static void test_settled_before(void **state)
{
    char order[3][65], bars[3][65], hex[65];
    cJSON *all = cJSON_CreateObject();

    (void)state;
    digests("--seed=7", order[0], bars[0]);
    digests("--seed=8", order[1], bars[1]);
    digests("--seed=7", order[2], bars[2]);
    assert_int_equal(strlen(order[0]), 64);
    assert_string_equal(order[0], order[2]);
    assert_string_equal(bars[0], bars[2]);
    assert_string_not_equal(order[0], order[1]);
    assert_string_not_equal(bars[0], bars[1]);
    cJSON_AddItemToObject(
        all, "levels",
        cJSON_Duplicate(cJSON_GetObjectItem(recs[0], "levels"), 1));
    cJSON_AddItemToObject(
        all, "service_bars",
        cJSON_Duplicate(cJSON_GetObjectItem(recs[0], "service_bars"), 1));
    eb_json_sha256(all, hex);
    assert_string_equal(hex, bars[0]);
    cJSON_Delete(all);
}

static void test_never_stops(void **state)
{
    (void)state;
    run("-s", BIG_JOB, "-ltriage", "-m", "fake:key", "--stop=never");
    assert_true(number(0, "triage", "en", "n") == 212);
    assert_true(number(0, "triage", "zh", "n") == 212);
}

/* A model that is always right passes every trial; one that is right once
 * does not. */
static void test_trials(void **state)
{
    const cJSON *v, *hat;

    (void)state;
    run("-m", "fake:key", "-lsort", "--trials=3", "--full", NULL);
    v = cJSON_GetObjectItem(cJSON_GetObjectItem(recs[0], "summary"), "trials");
    assert_int_equal(cJSON_GetArraySize(v), 2); /* languages */
    hat = cJSON_GetObjectItem(cJSON_GetArrayItem(v, 0), "pass_hat");
    assert_int_equal(cJSON_GetArraySize(hat), 3);
    assert_true(cJSON_GetArrayItem(hat, 2)->valuedouble == 1);
    /* One of the three fails: pass^1 is 2/3, pass^2 1/3, pass^3 0. */
    v = cJSON_GetArrayItem(cJSON_GetObjectItem(recs[0], "trials"), 0);
    cJSON_ReplaceItemInObject((cJSON *)v, "class", cJSON_CreateString("wrong"));
    eb_record_derive(recs[0]);
    v = cJSON_GetObjectItem(cJSON_GetObjectItem(recs[0], "summary"), "trials");
    hat = cJSON_GetObjectItem(cJSON_GetArrayItem(v, 0), "pass_hat");
    assert_float_equal(cJSON_GetArrayItem(hat, 0)->valuedouble, 2.0 / 3, 1e-9);
    assert_float_equal(cJSON_GetArrayItem(hat, 1)->valuedouble, 1.0 / 3, 1e-9);
    assert_float_equal(cJSON_GetArrayItem(hat, 2)->valuedouble, 0, 1e-9);
}

/* Labels chosen by likelihood are graded as written ones. */
static void test_loglik(void **state)
{
    const cJSON *v;

    (void)state;
    run("-s", BIG_JOB, "-ltriage", "-m", "fake:key", "--score=loglik");
    v = cJSON_GetObjectItem(recs[0], "items");
    assert_true(cJSON_GetArraySize(v) > 20);
    cJSON_ArrayForEach(v, v)
        assert_string_equal(eb_json_get_str(v, "class", ""), "ok");
    v = cJSON_GetArrayItem(cJSON_GetObjectItem(recs[0], "levels"), 0);
    assert_string_equal(eb_json_get_str(v, "score", ""), "loglik");
}

/* Fixed sequence: a model that does not pass ends it, --full goes on. */
static void test_sequence(void **state)
{
    (void)state;
    run("-m", "fake:empty", "-m", "fake:key", "-lsort", NULL);
    assert_int_equal(n_recs, 1);
    eb_record_list_free(recs, n_recs);
    unlink(out);
    run("-m", "fake:empty", "-m", "fake:key", "-lsort", "--full");
    assert_int_equal(n_recs, 2);
}

static double alpha_of(size_t i)
{
    const cJSON *levels = cJSON_GetObjectItem(recs[i], "levels");

    return eb_json_get_num(cJSON_GetArrayItem(levels, 0), "alpha", -1);
}

/* From the smallest on, any of the models could pass by chance: each gets its
 * share of the error. From the largest on, the first failure ends it. */
static void test_smallest_first(void **state)
{
    (void)state;
    run("-m", "fake:empty", "-m", "fake:key", "-lsort", "--smallest-first");
    assert_true(n_recs > 0);
    assert_true(fabs(alpha_of(0) - 0.05 / 2) < 1e-12);
    eb_record_list_free(recs, n_recs);
    unlink(out);
    run("-m", "fake:empty", "-m", "fake:key", "-lsort", NULL);
    assert_true(fabs(alpha_of(0) - 0.05) < 1e-12);
}

/* The same model is not worse than itself; a stopped run is no reference. */
static void test_reference(void **state)
{
    char reference[600], option[640];
    const cJSON *v;

    (void)state;
    run("-s", BIG_JOB, "-ltriage", "-m", "fake:key", NULL);
    eb_record_list_free(recs, n_recs);
    snprintf(option, sizeof(option), "--reference=%s", out);
    assert_int_equal(run("-s", BIG_JOB, "-ltriage", "-m", "fake:key", option),
                     EB_EXIT_USAGE);
    eb_record_list_free(recs, n_recs);
    unlink(out);
    run("-s", BIG_JOB, "-ltriage", "-m", "fake:key", "--stop=never");
    eb_record_list_free(recs, n_recs);
    snprintf(reference, sizeof(reference), "%s.reference", out);
    assert_int_equal(rename(out, reference), 0);
    snprintf(option, sizeof(option), "--reference=%s", reference);
    run("-s", BIG_JOB, "-ltriage", "-m", "fake:key", option);
    unlink(reference);
    v = cJSON_GetObjectItem(recs[0], "summary");
    v = cJSON_GetArrayItem(cJSON_GetObjectItem(v, "levels"), 0);
    assert_string_equal(
        eb_json_get_str(cJSON_GetObjectItem(v, "reference"), "verdict", ""),
        "NON-INFERIOR");
}

static void test_timeout(void **state)
{
    const cJSON *v;

    (void)state;
    run("-m", "fake:slow", "--item-timeout=1", "-n1", "-l", "sort");
    v = cJSON_GetArrayItem(cJSON_GetObjectItem(recs[0], "items"), 0);
    assert_string_equal(eb_json_get_str(v, "class", ""), "timeout");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "ttft_ns")));
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(run("-l", "nolevel", "-m", "fake:key", NULL, NULL),
                     EB_EXIT_USAGE);
    assert_int_equal(run("-m", "/nowhere.gguf", NULL, NULL, NULL, NULL),
                     EB_EXIT_USAGE);
    assert_int_equal(run("--require-upload", NULL, NULL, NULL, NULL, NULL),
                     EB_EXIT_USAGE);
    assert_int_equal(n_recs, 0);
}

/* The address refuses at once; the record stays. */
static void test_spooled(void **state)
{
    (void)state;
    assert_int_equal(run("-m", "fake:empty", "-n1", "--collector",
                         "http://127.0.0.1:9", "--require-upload"),
                     EB_EXIT_SPOOLED);
    assert_int_equal(n_recs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_find, setup, teardown),
        cmocka_unit_test_setup_teardown(test_power_required, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_then_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_aborted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stops_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settled_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trials, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loglik, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_smallest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spooled, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
