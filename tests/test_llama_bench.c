/* llama-bench's JSON into records and back. */
#include "tests/record_help.h"

#include <unistd.h>

#include "agent/llama_bench.h"
#include "common/fs.h"
#include "reports/report.h"

#define FOLDER EB_SOURCE_DIR "/tests/fixtures/llama-bench/"

static cJSON **recs;
static size_t n_recs;

static int teardown(void **state)
{
    (void)state;
    eb_record_list_free(recs, n_recs);
    recs = NULL;
    n_recs = 0;
    return 0;
}

static int import_text(const char *text)
{
    char path[] = "/tmp/eb-bench-XXXXXX";
    int fd = mkstemp(path), rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    rc = eb_llama_bench_read(path, NULL, &recs, &n_recs, &err);
    unlink(path);
    return rc;
}

static void test_import(void **state)
{
    (void)state;
    assert_int_equal(
        eb_llama_bench_read(FOLDER "bench.json", NULL, &recs, &n_recs, &err),
        0);
    assert_int_equal(n_recs, 1); /* one model, one setting */
    assert_string_equal(get(recs[0], "runtime.engine")->valuestring,
                        "llama-bench");
    assert_string_equal(get(recs[0], "runtime.commit")->valuestring, "de3ff81");
    assert_string_equal(get(recs[0], "runtime.backends.1")->valuestring,
                        "BLAS");
    assert_string_equal(get(recs[0], "model.name")->valuestring,
                        "tiny-1b-q4_0");
    assert_string_equal(get(recs[0], "model.flash_attn")->valuestring, "off");
    assert_true(cJSON_IsNull(get(recs[0], "model.sha256")));
    assert_string_equal(get(recs[0], "started_at")->valuestring,
                        "2026-02-03T04:05:06Z");
    assert_float_equal(get(recs[0], "settings.threads")->valuedouble, 4, 0);
    assert_string_equal(get(recs[0], "summary.speed.0.test")->valuestring,
                        "pp512");
    /* Its own avg_ts and stddev_ts. */
    assert_float_equal(get(recs[0], "summary.speed.0.mean_tps")->valuedouble,
                       100.0255, 1e-3);
    assert_float_equal(get(recs[0], "summary.speed.0.sd_tps")->valuedouble,
                       1.954, 1e-3);
    assert_string_equal(get(recs[0], "summary.speed.1.test")->valuestring,
                        "tg128 @ d4096");
    assert_float_equal(get(recs[0], "summary.speed.1.mean_tps")->valuedouble,
                       10, 1e-9);
}

/* Other threads: another setting, another record. */
static void test_import_lines(void **state)
{
    (void)state;
    assert_int_equal(
        eb_llama_bench_read(FOLDER "bench.jsonl", NULL, &recs, &n_recs, &err),
        0);
    assert_int_equal(n_recs, 2);
    assert_string_equal(get(recs[1], "summary.speed.0.test")->valuestring,
                        "pp512+tg128");
    assert_float_equal(get(recs[1], "summary.speed.0.mean_tps")->valuedouble,
                       100, 1e-9);
    assert_string_equal(get(recs[0], "model.flash_attn")->valuestring, "auto");
    assert_string_equal(get(recs[0], "device.gpu")->valuestring, "Example GPU");
    assert_string_equal(get(recs[0], "session_id")->valuestring,
                        get(recs[1], "session_id")->valuestring);
}

static void test_import_bad(void **state)
{
    (void)state;
    assert_int_equal(import_text(""), EB_EINVAL);
    assert_int_equal(import_text("[]"), EB_EINVAL);
    assert_int_equal(import_text("[1]"), EB_EINVAL);
    assert_int_equal(import_text("{\"n_prompt\": 1"), EB_EPARSE);
    assert_int_equal(import_text("[{\"n_prompt\":1,\"n_gen\":0}]"), EB_EINVAL);
    assert_non_null(strstr(err.msg, "samples_ns"));
    assert_int_equal(
        import_text("[{\"n_prompt\":0,\"n_gen\":0,\"samples_ns\":[1]}]"),
        EB_EINVAL);
    assert_int_equal(
        import_text("[{\"n_prompt\":1,\"n_gen\":0,\"samples_ns\":[0]}]"),
        EB_EINVAL);
    assert_int_equal(
        eb_llama_bench_read("/nowhere", NULL, &recs, &n_recs, &err), EB_ENOENT);
}

/* Flags in place of a list of backends, a boolean for flash attention, and no
 * depth: the format of 2024. */
static void test_import_older(void **state)
{
    (void)state;
    assert_int_equal(
        import_text("[{\"build_commit\":\"b\",\"build_number\":2000,"
                    "\"cuda\":true,\"blas\":false,\"cpu_info\":\"c\","
                    "\"model_filename\":\"m.gguf\",\"n_threads\":4,"
                    "\"flash_attn\":true,\"use_mmap\":true,"
                    "\"n_prompt\":512,\"n_gen\":0,\"samples_ns\":[5]},"
                    "{\"cuda\":false,\"blas\":false,\"n_prompt\":512,"
                    "\"n_gen\":0,\"samples_ns\":[5]}]"),
        0);
    assert_int_equal(n_recs, 2);
    assert_string_equal(get(recs[0], "runtime.backends.0")->valuestring,
                        "CUDA");
    assert_string_equal(get(recs[1], "runtime.backends.0")->valuestring, "CPU");
    assert_string_equal(get(recs[0], "model.flash_attn")->valuestring, "on");
    assert_string_equal(get(recs[0], "summary.speed.0.test")->valuestring,
                        "pp512");
    assert_true(cJSON_IsTrue(get(recs[0], "settings.llama_bench.use_mmap")));
}

/* What little there is suffices for a record. */
static void test_import_bare(void **state)
{
    (void)state;
    assert_int_equal(
        import_text("{\"n_prompt\":10,\"n_gen\":0,\"samples_ns\":[1000]}\n"),
        0);
    assert_string_equal(get(recs[0], "model.name")->valuestring, "unknown");
    assert_float_equal(get(recs[0], "summary.speed.0.mean_tps")->valuedouble,
                       1e7, 1);
}

static cJSON *emit(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    cJSON *v = NULL;

    assert_non_null(f);
    eb_llama_bench_write(recs, n_recs, f);
    fclose(f);
    assert_int_equal(eb_json_parse(text, len, "t", &v, &err), 0);
    free(text);
    return v;
}

static void test_export(void **state)
{
    cJSON *v;

    (void)state;
    assert_int_equal(
        eb_llama_bench_read(FOLDER "bench.json", NULL, &recs, &n_recs, &err),
        0);
    v = emit();
    assert_int_equal(cJSON_GetArraySize(v), 2);
    assert_string_equal(get(v, "0.model_filename")->valuestring,
                        "tiny-1b-q4_0.gguf");
    assert_string_equal(get(v, "0.backends")->valuestring, "CPU,BLAS");
    assert_float_equal(get(v, "0.build_number")->valuedouble, 6789, 0);
    assert_float_equal(get(v, "0.n_prompt")->valuedouble, 512, 0);
    assert_float_equal(get(v, "1.n_depth")->valuedouble, 4096, 0);
    assert_float_equal(get(v, "0.avg_ns")->valuedouble, 5120000000, 0);
    assert_float_equal(get(v, "0.stddev_ns")->valuedouble, 100000000, 0);
    assert_float_equal(get(v, "0.samples_ns.1")->valuedouble, 5020000000, 0);
    assert_float_equal(get(v, "1.samples_ts.0")->valuedouble, 10, 1e-9);
    assert_string_equal(get(v, "0.test_time")->valuestring,
                        "2026-02-03T04:05:06Z");
    assert_string_equal(get(v, "1.test_time")->valuestring,
                        "2026-02-03T04:06:06Z");
    cJSON_Delete(v);
}

/* All that the file has comes back; the numbers derived from its samples to
 * the digits that it prints, the model's file without its folder. */
static void test_round_trip(void **state)
{
    struct eb_buf b = {0};
    cJSON *want, *got, *a, *v;
    const cJSON *w;
    size_t i;

    (void)state;
    assert_int_equal(eb_fs_read(FOLDER "bench.json", 1 << 20, &b, &err), 0);
    assert_int_equal(eb_json_parse(b.data, b.len, "t", &want, &err), 0);
    eb_buf_free(&b);
    assert_int_equal(
        eb_llama_bench_read(FOLDER "bench.json", NULL, &recs, &n_recs, &err),
        0);
    got = emit();
    for (i = 0; i < 2; i++) {
        a = cJSON_GetArrayItem(want, (int)i);
        v = cJSON_GetArrayItem(got, (int)i);
        cJSON_DeleteItemFromObject(a, "model_filename");
        cJSON_DeleteItemFromObject(a, "samples_ts");
        cJSON_ArrayForEach(w, a)
        {
            const cJSON *x = cJSON_GetObjectItem(v, w->string);

            if (strstr(w->string, "avg_") != NULL ||
                strstr(w->string, "stddev_") != NULL)
                assert_float_equal(x->valuedouble, w->valuedouble,
                                   1e-6 * (1 + w->valuedouble));
            else if (!cJSON_Compare(x, w, 1))
                fail_msg("%s differs", w->string);
        }
    }
    cJSON_Delete(want);
    cJSON_Delete(got);
}

/* What edgebench does not record is null, and of tuned settings the type of
 * the cache is known. */
static void test_export_unknown(void **state)
{
    cJSON *v;

    (void)state;
    recs = calloc(1, sizeof(*recs));
    n_recs = 1;
    recs[0] =
        record("\"speed\":[]", "\"speed\":[{\"test\":\"pp8\",\"n_prompt\":8,"
                               "\"n_gen\":0,\"samples_ns\":[5]}]");
    v = cJSON_AddObjectToObject(cJSON_GetObjectItem(recs[0], "settings"),
                                "tuned");
    cJSON_AddStringToObject(v, "kv_type", "q8_0");
    v = emit();
    assert_true(cJSON_IsNull(get(v, "0.poll")));
    assert_string_equal(get(v, "0.type_k")->valuestring, "q8_0");
    cJSON_Delete(v);
}

/* Rows without samples, and of several sequences, have no place. */
static void test_export_leaves_out(void **state)
{
    cJSON *v;

    (void)state;
    recs = calloc(1, sizeof(*recs));
    n_recs = 1;
    recs[0] = record("\"speed\":[]",
                     "\"speed\":[{\"test\":\"pp8\",\"n_prompt\":8,\"n_gen\":0,"
                     "\"depth\":0,\"batch\":1,\"samples_ns\":[]},"
                     "{\"test\":\"tg8 b4\",\"n_prompt\":0,\"n_gen\":8,"
                     "\"depth\":0,\"batch\":4,\"samples_ns\":[5]}]");
    v = emit();
    assert_int_equal(cJSON_GetArraySize(v), 0);
    cJSON_Delete(v);
}

/* One table has both, with the same names and one unit. */
static void test_side_by_side(void **state)
{
    struct eb_buf b = {0};
    cJSON **all;

    (void)state;
    assert_int_equal(
        eb_llama_bench_read(FOLDER "bench.json", NULL, &recs, &n_recs, &err),
        0);
    all = realloc(recs, 2 * sizeof(*recs));
    assert_non_null(all);
    recs = all;
    recs[n_recs++] =
        record("\"speed\":[]",
               "\"speed\":[{\"test\":\"pp512\",\"n_prompt\":512,\"n_gen\":0,"
               "\"depth\":0,\"batch\":1,\"samples_ns\":[5120000000,"
               "5120000000]}]");
    eb_record_derive(recs[1]);
    assert_int_equal(eb_report_write(&b, recs, n_recs, "md", &err), 0);
    assert_non_null(strstr(b.data, "Speed side by side"));
    assert_non_null(strstr(b.data, "| pp512 | m | fake |"));
    assert_non_null(strstr(b.data, "| pp512 | tiny-1b-q4_0 | llama-bench |"));
    eb_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_import, teardown),
        cmocka_unit_test_teardown(test_import_lines, teardown),
        cmocka_unit_test_teardown(test_import_bad, teardown),
        cmocka_unit_test_teardown(test_import_older, teardown),
        cmocka_unit_test_teardown(test_import_bare, teardown),
        cmocka_unit_test_teardown(test_export, teardown),
        cmocka_unit_test_teardown(test_round_trip, teardown),
        cmocka_unit_test_teardown(test_export_unknown, teardown),
        cmocka_unit_test_teardown(test_export_leaves_out, teardown),
        cmocka_unit_test_teardown(test_side_by_side, teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
