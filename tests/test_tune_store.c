/* The file that tune stores, its command, and --tuned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/device.h"
#include "agent/engine_fake.h"
#include "agent/run.h"
#include "agent/tune_cmd.h"
#include "agent/tune_parts.h"
#include "agent/tune_store.h"
#include "common/fs.h"
#include "common/json.h"
#include "tests/tree_help.h"

#define MS INT64_C(1000000)

/* A clock that only work and sleep move. */
static struct {
    int64_t now;
    int works, stop_at;
} w;

static int64_t now(void *arg)
{
    (void)arg;
    return w.now;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    strcpy(root, "/tmp/eb-tune-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    setenv("XDG_CONFIG_HOME", root, 1);
    setenv("EDGEBENCH_SPOOL", root, 1);
    return 0;
}

/* The file */

static const char digest[] =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static cJSON *device(const char *id)
{
    cJSON *v = eb_device_facts("", "shelf");

    cJSON_ReplaceItemInObject(v, "id", cJSON_CreateString(id));
    return v;
}

static struct eb_tune_setting odd_setting(void)
{
    struct eb_tune_setting s = {.threads = 3,
                                .batch = 2048,
                                .ubatch = 128,
                                .flash_attn = "on",
                                .kv_type = "q8_0"};

    eb_cpus_parse("0-2", &s.cpus);
    return s;
}

/* What tune adds to the file that a record tells again. */
static const char result[] =
    "{\"created_at\":\"2026-01-31T08:05:09.123Z\",\"objective\":\"tg\","
    "\"verdict\":\"better\",\"gain\":[{\"test\":\"tg128\",\"ratio\":1.5,"
    "\"lo\":1.25,\"hi\":1.75,\"pairs\":2,\"log_ratios\":[0.5,0.25]}]}";

static void add_members(cJSON *file, const char *text)
{
    cJSON *from = cJSON_Parse(text), *v;

    while ((v = from->child) != NULL) {
        cJSON_DetachItemViaPointer(from, v);
        cJSON_AddItemToObject(file, v->string, v);
    }
    cJSON_Delete(from);
}

static char *saved(const cJSON *dev, const char *model, const char *sha256,
                   const struct eb_tune_setting *s)
{
    cJSON *file = eb_tune_file(dev, model, sha256, s);
    struct eb_err err = {0};
    char *path;

    add_members(file, result);
    assert_int_equal(eb_tune_path(dev, sha256, &path, &err), 0);
    assert_int_equal(eb_tune_save(path, file, &err), 0);
    cJSON_Delete(file);
    return path;
}

static void test_file(void **state)
{
    cJSON *dev = device("one"), *other = device("two");
    struct eb_tune_setting s = odd_setting();
    struct eb_engine_settings e = {0};
    struct eb_err err = {0};
    struct eb_tuned t;
    char dir[64], **names;
    size_t n;

    (void)state;
    free(saved(dev, "fake:key", digest, &s));
    assert_int_equal(eb_tune_load(dev, "fake:key", digest, &t, &err), 0);
    assert_true(eb_tune_equal(&t.s, &s));
    assert_false(t.other_build);
    assert_int_equal(strlen(eb_json_get_str(t.record, "file_sha256", "")), 64);
    eb_tune_forget(&t);
    assert_null(t.record);
    eb_tune_apply(&t.s, &e);
    assert_int_equal(e.threads, 3);
    assert_string_equal(e.kv_type, "q8_0");
    assert_true(eb_cpus_equal(&e.cpus, &s.cpus));
    /* Written anew it is whole and leaves nothing beside it. */
    free(saved(dev, "fake:key", digest, &s));
    snprintf(dir, sizeof(dir), "%s/edgebench/tune", root);
    assert_int_equal(eb_fs_list(dir, "", &names, &n, &err), 0);
    assert_int_equal(n, 1);
    eb_fs_list_free(names, n);
    assert_int_equal(eb_tune_load(other, "fake:key", digest, &t, &err),
                     EB_ENOENT);
    assert_non_null(strstr(err.msg, "run edgebench tune -m fake:key"));
    cJSON_Delete(dev);
    cJSON_Delete(other);
}

static void refused(const cJSON *dev, const char *path, const char *text,
                    const char *says)
{
    struct eb_err err = {0};
    struct eb_tuned t;

    assert_int_equal(eb_fs_write_durable(path, text, strlen(text), NULL), 0);
    assert_int_not_equal(eb_tune_load(dev, "fake:key", digest, &t, &err), 0);
    assert_null(t.record);
    if (strstr(err.msg, says) == NULL)
        fail_msg("'%s' does not say '%s'", err.msg, says);
    assert_non_null(strstr(err.msg, "; run edgebench tune again"));
    assert_null(strchr(err.msg, '\n'));
}

/* The text with the first `from` replaced. */
static void refused_with(const cJSON *dev, const char *path, const char *text,
                         const char *from, const char *to, const char *says)
{
    const char *at = strstr(text, from);
    struct eb_buf b = {0};

    assert_non_null(at);
    eb_buf_add(&b, text, (size_t)(at - text));
    eb_buf_adds(&b, to);
    eb_buf_adds(&b, at + strlen(from));
    refused(dev, path, b.data, says);
    eb_buf_free(&b);
}

static void test_damaged(void **state)
{
    cJSON *dev = device("one");
    struct eb_tune_setting s = odd_setting();
    char *path = saved(dev, "fake:key", digest, &s);
    struct eb_buf b = {0};

    (void)state;
    assert_int_equal(eb_fs_read(path, 1 << 20, &b, NULL), 0);
    refused(dev, path, "", "line 1");
    refused(dev, path, "[]", "$");
    refused(dev, path, "{\"schema\": \"edgebench.tune/9\"}", "edgebench.tune");
    b.data[b.len / 2] = '\0';
    refused(dev, path, b.data, "line");
    eb_buf_reset(&b);
    free(saved(dev, "fake:key", digest, &s));
    assert_int_equal(eb_fs_read(path, 1 << 20, &b, NULL), 0);
    refused_with(dev, path, b.data, "\"ubatch\":\t128", "\"ubatch\":\t4096",
                 "$.settings.ubatch");
    refused_with(dev, path, b.data, "\"threads\":\t3", "\"threads\":\t0",
                 "$.settings.threads");
    refused_with(dev, path, b.data, "\"0-2\"", "\"2-0\"", "$.settings.cpus");
    refused_with(dev, path, b.data, "\"q8_0\"", "\"q3\"", "$.settings.kv_type");
    refused_with(dev, path, b.data, "00112233", "ff112233", "$.model.sha256");
    refused_with(dev, path, b.data, "2026-01-31T", "2026-01-31",
                 "$.created_at");
    refused_with(dev, path, b.data, "\"verdict\"", "\"v\"", "$.verdict");
    refused_with(dev, path, b.data, "\"ratio\":\t1.5", "\"ratio\":\t-1.5",
                 "$.gain[0].ratio");
    refused_with(dev, path, b.data, "\"pairs\":\t2", "\"pairs\":\t2.5",
                 "$.gain[0].pairs");
    refused_with(dev, path, b.data, "\"gain\":\t[", "\"gain\":\t[3, ",
                 "$.gain[0].test");
    refused_with(dev, path, b.data, "\"gain\":\t[", "\"gain\":\t7, \"g\":\t[",
                 "$.gain: expected an array");
    eb_buf_free(&b);
    free(path);
    cJSON_Delete(dev);
}

/* The reason of a gain that is not there. */
static void gain_lacks(const cJSON *dev, const char *gain, const char *reason)
{
    struct eb_tune_setting s = odd_setting();
    struct eb_tuned t;
    struct eb_err err = {0};
    char *path = saved(dev, "fake:key", digest, &s);
    cJSON *file;

    assert_int_equal(eb_json_read(path, 1 << 20, &file, &err), 0);
    cJSON_DeleteItemFromObject(file, "gain");
    add_members(file, gain);
    assert_int_equal(eb_tune_save(path, file, &err), 0);
    cJSON_Delete(file);
    assert_int_equal(eb_tune_load(dev, "fake:key", digest, &t, &err), 0);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(t.record, "gain")));
    assert_string_equal(eb_json_get_str(t.record, "gain_reason", ""), reason);
    eb_tune_forget(&t);
    free(path);
}

static void test_no_gain(void **state)
{
    cJSON *dev = device("one");

    (void)state;
    gain_lacks(dev, "{}", "absent: not in the file");
    gain_lacks(dev, "{\"gain\":null}", "absent: not in the file");
    gain_lacks(dev, "{\"gain\":null,\"gain_reason\":7}",
               "absent: not in the file");
    gain_lacks(dev, "{\"gain\":null,\"gain_reason\":\"nothing to compare\"}",
               "nothing to compare");
    cJSON_Delete(dev);
}

/* The command */

static int64_t job_own(void *arg)
{
    (void)arg;
    return w.now;
}

static void job_nap(void *arg, int ms)
{
    (void)arg;
    w.now += ms * MS;
}

static int job_stop(void)
{
    return w.stop_at > 0 && w.works >= w.stop_at;
}

/* A millisecond a token. */
static void job_work(const struct eb_bench_shape *s, void *arg)
{
    (void)arg;
    w.works++;
    w.now += (s->n_prompt + s->n_gen) * MS;
}

static int job(struct eb_tune_job *j, const char *budget, struct eb_err *err)
{
    char *argv[] = {"tune",         "-m", "fake:key", "--budget",
                    (char *)budget, "-q", NULL};
    int rc = eb_tune_options(&j->opts, 6, argv, err);

    assert_int_equal(rc, 0);
    j->env = (struct eb_speed_env){.now = now,
                                   .sleep_ms = job_nap,
                                   .own_cpu_ns = job_own,
                                   .sysroot = root,
                                   .stop = job_stop};
    j->kinds = (struct eb_core_kinds){.cores = 4, .cpus = 8};
    rc = eb_tune_job_open(j, err);
    if (rc == 0)
        rc = eb_tune_job_run(j, err);
    return rc;
}

static void test_job(void **state)
{
    struct eb_tune_job *j = calloc(1, sizeof(*j));
    struct eb_err err = {0};
    int64_t from;
    cJSON *v;

    (void)state;
    eb_fake_plant_work(job_work, NULL);
    from = w.now;
    assert_int_equal(job(j, "10m", &err), 0);
    assert_true(w.now - from <= 631 * 1000 * MS);
    /* All candidates are alike: the default stays. */
    assert_int_equal(j->verdict, EB_TUNE_DEFAULT);
    assert_true(eb_tune_equal(eb_tune_chosen(j), &j->pair.base));
    assert_int_equal(j->n_stages, 3); /* no KV cache unless allowed */
    assert_int_equal(eb_tune_unseen(j), 0);
    v = eb_tune_result(j);
    assert_string_equal(eb_json_get_str(v, "verdict", ""), "default");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "gain")));
    cJSON_Delete(v);
    eb_tune_job_close(j);
    memset(j, 0, sizeof(*j));
    assert_int_equal(job(j, "1s", &err), EB_ELIMIT);
    assert_non_null(strstr(err.msg, "larger --budget"));
    eb_tune_job_close(j);
    memset(j, 0, sizeof(*j));
    w.stop_at = w.works + 20;
    assert_int_equal(job(j, "10m", &err), EB_EABORT);
    eb_tune_job_close(j);
    free(j);
    eb_fake_plant_work(NULL, NULL);
}

static int tune(const char *a, const char *b)
{
    char *argv[] = {"tune", "-q", (char *)a, (char *)b, NULL};

    return eb_tune_main(b != NULL ? 4 : 3, argv);
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(tune("--seed", "1"), EB_EXIT_USAGE); /* no model */
    assert_int_equal(tune("--objective=x", "-mfake:key"), EB_EXIT_USAGE);
    assert_int_equal(tune("--budget=0", "-mfake:key"), EB_EXIT_USAGE);
    assert_int_equal(tune("--depth=-1", "-mfake:key"), EB_EXIT_USAGE);
    assert_int_equal(tune("-m", "/nowhere.gguf"), EB_EXIT_USAGE);
    assert_int_equal(tune("-m", "openai:http://127.0.0.1:1/v1"), EB_EXIT_USAGE);
    assert_int_equal(tune("-m", "fake:broken"), EB_EXIT_UNFIT);
    assert_int_equal(tune("--help", NULL), EB_EXIT_OK);
}

/* --tuned */

static int run(const char *more)
{
    char out[64];
    char *argv[] = {"run",      "--suite",    "custsvc",     "--levels",
                    "triage",   "--limit",    "1",           "-m",
                    "fake:key", "--no-speed", "--power=off", "-q",
                    "--tuned",  "--out",      out,           (char *)more,
                    NULL};

    snprintf(out, sizeof(out), "%s/out.jsonl", root);
    return eb_run_main(more != NULL ? 16 : 15, argv);
}

/* The record tells the file's result, without the ratios of the pairs. */
static void recorded(const cJSON *rec, const cJSON *dev, const char *sha256)
{
    const cJSON *tune = cJSON_GetObjectItem(rec, "tune");
    cJSON *want = cJSON_Parse(result);
    char *path, hex[EB_SHA256_HEX];

    assert_int_equal(eb_tune_path(dev, sha256, &path, NULL), 0);
    assert_int_equal(eb_sha256_file(path, hex, NULL), 0);
    cJSON_AddStringToObject(want, "file_sha256", hex);
    cJSON_DeleteItemFromObject(
        cJSON_GetArrayItem(cJSON_GetObjectItem(want, "gain"), 0), "log_ratios");
    assert_true(cJSON_Compare(tune, want, 1));
    cJSON_Delete(want);
    free(path);
}

static void test_run(void **state)
{
    cJSON *dev = eb_device_facts("", NULL), *rec = NULL;
    struct eb_tune_setting s = odd_setting();
    struct eb_err err = {0};
    char sha256[EB_SHA256_HEX], path[64];
    const cJSON *v;

    (void)state;
    assert_int_equal(run(NULL), EB_EXIT_USAGE); /* not tuned yet */
    assert_int_equal(eb_tune_digest("fake:key", sha256, &err), 0);
    free(saved(dev, "fake:key", sha256, &s));
    assert_int_equal(run("--threads=2"), EB_EXIT_USAGE);
    assert_int_equal(run("--flash-attn=off"), EB_EXIT_USAGE);
    assert_int_not_equal(run(NULL), EB_EXIT_USAGE);
    snprintf(path, sizeof(path), "%s/out.jsonl", root);
    assert_int_equal(eb_json_read(path, 1 << 24, &rec, &err), 0);
    v = cJSON_GetObjectItem(rec, "settings");
    assert_int_equal(eb_json_get_num(v, "threads", 0), 3);
    assert_int_equal(eb_json_get_num(v, "ubatch", 0), 128);
    assert_string_equal(eb_json_get_str(v, "flash_attn", ""), "on");
    v = cJSON_GetObjectItem(v, "tuned");
    assert_int_equal(cJSON_GetArraySize(v), 2);
    assert_string_equal(eb_json_get_str(v, "cpus", ""), "0-2");
    assert_string_equal(eb_json_get_str(v, "kv_type", ""), "q8_0");
    recorded(rec, dev, sha256);
    cJSON_Delete(rec);
    cJSON_Delete(dev);
}

/* Engines that cannot apply a setting say so. */
static void test_refused_settings(void **state)
{
    struct eb_engine_settings s = {
        .threads = 1, .ctx = 64, .batch = 64, .ubatch = 64, .slots = 1};
    struct eb_engine *e;
    struct eb_err err = {0};

    (void)state;
    eb_cpus_add(&s.cpus, 0);
    assert_int_equal(
        eb_engine_open("openai:http://127.0.0.1:1/v1", &s, &e, &err),
        EB_EENGINE);
    assert_non_null(strstr(err.msg, "cannot be held to processors"));
    memset(&s.cpus, 0, sizeof(s.cpus));
    s.kv_type = "q8_0";
    assert_int_equal(eb_engine_open("plugin:x.so", &s, &e, &err), EB_EENGINE);
    assert_non_null(strstr(err.msg, "KV cache"));
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_no_gain, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_job, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_usage, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_run, setup, tree_teardown),
        cmocka_unit_test(test_refused_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
