#include "tests/record_help.h"

#include <stdio.h>
#include <unistd.h>

#include "common/fs.h"

static void refused(const char *from, const char *to, int code, const char *msg)
{
    cJSON *v = record(from, to);

    assert_int_equal(eb_record_validate(v, "r", &err), code);
    assert_string_equal(err.msg, msg);
    cJSON_Delete(v);
}

static void accepted(const char *from, const char *to)
{
    cJSON *v = record(from, to);

    err.msg[0] = '\0';
    eb_record_validate(v, "r", &err);
    assert_string_equal(err.msg, "");
    cJSON_Delete(v);
}

static void test_uuid(void **state)
{
    char id[EB_UUID_LEN], last[EB_UUID_LEN] = "";
    int i;

    (void)state;
    for (i = 0; i < 20000; i++) {
        eb_uuid7(id);
        assert_int_equal(eb_uuid_valid(id), 1);
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        assert_true(strcmp(id, last) > 0);
        strcpy(last, id);
    }
    /* Its time is now: at least that of 2024-01-01 in milliseconds. */
    assert_true(strncmp(id, "018cc251-f400", 13) > 0);
    assert_true(strncmp(id, "02", 2) < 0);
    assert_int_equal(eb_uuid_valid(""), 0);
    assert_int_equal(eb_uuid_valid("01934b6f-0000-7000-8000-00000000000"), 0);
    assert_int_equal(eb_uuid_valid("01934b6f-0000-7000-8000-0000000000011"), 0);
    assert_int_equal(eb_uuid_valid("01934B6F-0000-7000-8000-000000000001"), 0);
    assert_int_equal(eb_uuid_valid("01934b6f00000-7000-8000-000000000001"), 0);
    assert_int_equal(eb_uuid_valid("../../../etc/passwd-and-some-padding"), 0);
}

static void test_outcomes(void **state)
{
    int o;

    (void)state;
    for (o = 0; o < EB_OUT_COUNT; o++)
        assert_int_equal(eb_outcome_parse(eb_outcome_name(o)), o);
    assert_string_equal(eb_outcome_name(EB_OUT_THERMAL_SHUTDOWN),
                        "thermal_shutdown");
    assert_string_equal(eb_outcome_name(EB_OUT_HARNESS_ERROR), "harness_error");
    assert_int_equal(eb_outcome_parse("OK"), -1);
}

static void test_validate_ok(void **state)
{
    (void)state;
    accepted(NULL, NULL);
    accepted("\"speed\":[],", "");
    accepted("\"parameters\":1000", "\"parameters\":null");
    accepted("\"sha256\":\"ab\"", "\"sha256\":null");
    accepted("\"speed\":[],", "\"speed\":[],\"service_bars\":null,"
                              "\"brand_new\":{\"x\":[1]},");
    accepted("\"complete\",\"status_reason\":null",
             "\"aborted\",\"status_reason\":\"interrupted\"");
    accepted("\"items\":[],", "\"items\":[{\"id\":\"a\",\"lang\":\"en\","
                              "\"level\":\"act\",\"class\":\"timeout\","
                              "\"ttft_ns\":null,\"gaps_ns\":null}],");
}

static void test_validate_schema(void **state)
{
    (void)state;
    refused("edgebench.run/1", "edgebench.run/2", EB_EVERSION,
            "r: this record is edgebench.run/2; this program reads /1: "
            "update edgebench");
    refused("edgebench.run/1", "edgebench.run/10", EB_EVERSION,
            "r: this record is edgebench.run/10; this program reads /1: "
            "update edgebench");
    refused("edgebench.run/1", "edgebench.run/0", EB_EVERSION,
            "r: this record is edgebench.run/0; this program reads /1");
    refused("edgebench.run/1", "edgebench.run/1x", EB_EINVAL,
            "r: $.schema: expected \"edgebench.run/1\": not a run record");
    refused("\"schema\":\"edgebench.run/1\",", "", EB_EINVAL,
            "r: $.schema: expected \"edgebench.run/1\": not a run record");
}

static void test_validate_fields(void **state)
{
    (void)state;
    refused("01934b6f-0000-7000-8000-000000000001", "../x", EB_EINVAL,
            "r: $.run_id: expected a lower-case UUID");
    refused("\"ended_at\":\"2026-01-31T08:06:09Z\",", "", EB_EINVAL,
            "r: $.ended_at: expected a time like 2026-01-31T08:05:09.123Z, "
            "is missing");
    refused("08:05:09.123Z", "08:05:09.Z", EB_EINVAL,
            "r: $.started_at: expected a time like 2026-01-31T08:05:09.123Z");
    refused("\"complete\"", "\"done\"", EB_EINVAL,
            "r: $.status: expected complete, aborted or engine_error");
    refused("\"complete\"", "\"aborted\"", EB_EINVAL,
            "r: $.status_reason: expected a sentence, the status is aborted");
    refused("\"tool\":{\"name\":\"edgebench\",\"version\":\"0.1.0\"}",
            "\"tool\":[]", EB_EINVAL, "r: $.tool: expected an object");
    refused("\"0123456789abcdef\"", "\"0123\"", EB_EINVAL,
            "r: $.device.id: expected 16 lower-case hex digits");
    refused("\"memory_bytes\":null", "\"memory_bytes\":-1", EB_EINVAL,
            "r: $.device.memory_bytes: expected a whole number from 0");
    refused("\"parameters\":1000", "\"parameters\":1.5", EB_EINVAL,
            "r: $.model.parameters: expected a whole number from 0");
    refused("\"digest\":\"cd\"", "\"digest\":\"\"", EB_EINVAL,
            "r: $.suite.digest: expected a string that is not empty");
    refused("\"prompt\":\"clear\"", "\"prompt\":7", EB_EINVAL,
            "r: $.settings.prompt: expected a string that is not empty");
    refused("\"items\":[],", "", EB_EINVAL, "r: $.items: expected an array");
    refused("\"bar\":0.9", "\"bar\":90", EB_EINVAL,
            "r: $.levels[1].bar: expected a number from 0 to 1");
    refused("\"alpha\":0.05}]", "\"alpha\":0}]", EB_EINVAL,
            "r: $.levels[1].alpha: expected a number above 0 and at most 0.5");
    refused("\"act\"", "\"triage\"", EB_EINVAL,
            "r: $.levels[1].level: stands twice");
    refused("\"speed\":[]",
            "\"speed\":[{\"test\":\"tg\",\"n_prompt\":0,\"n_gen\":1,"
            "\"samples_ns\":[5,0]}]",
            EB_EINVAL,
            "r: $.speed[0].samples_ns[1]: expected a whole number from 1");
    refused("\"speed\":[]",
            "\"speed\":[{\"test\":\"tg\",\"n_prompt\":0,\"n_gen\":1,"
            "\"batch\":0,\"samples_ns\":[5]}]",
            EB_EINVAL, "r: $.speed[0].batch: expected a whole number from 1");
    refused("\"speed\":[]",
            "\"speed\":[{\"test\":\"tg\",\"n_prompt\":0,\"n_gen\":0,"
            "\"samples_ns\":[5]}]",
            EB_EINVAL, "r: $.speed[0]: n_prompt and n_gen are both 0");
}

#define TUNE(gain)                                                             \
    "\"items\":[],\"tune\":{\"file_sha256\":\"ab\",\"created_at\":"            \
    "\"2026-01-31T08:05:09Z\",\"objective\":\"tg\",\"verdict\":\"better\","    \
    "\"gain\":" gain "}"

static void test_validate_tune(void **state)
{
    (void)state;
    accepted("\"items\":[]",
             TUNE("[{\"test\":\"tg128\",\"ratio\":1.2,\"lo\":1.1,"
                  "\"hi\":1.3,\"pairs\":12}]"));
    accepted("\"items\":[]", TUNE("null,\"gain_reason\":\"not measured\""));
    refused("\"items\":[]", TUNE("{}"), EB_EINVAL,
            "r: $.tune.gain: expected an array");
    refused("\"items\":[]",
            TUNE("[{\"test\":\"tg128\",\"ratio\":1.2,\"lo\":0}]"), EB_EINVAL,
            "r: $.tune.gain[0].lo: expected a number above 0");
    refused("\"items\":[]", "\"items\":[],\"tune\":{\"file_sha256\":\"ab\"}",
            EB_EINVAL,
            "r: $.tune.created_at: expected a time like "
            "2026-01-31T08:05:09.123Z, is missing");
    refused("\"items\":[]", "\"items\":[],\"tune\":[]", EB_EINVAL,
            "r: $.tune: expected an object");
}

#define ITEM(rest)                                                             \
    "\"items\":[{\"id\":\"a\",\"lang\":\"en\",\"level\":\"act\","              \
    "\"class\":\"ok\"},{\"lang\":\"en\"," rest "}]"

static void test_validate_items(void **state)
{
    cJSON *v;

    (void)state;
    refused("\"items\":[]", "\"items\":[7]", EB_EINVAL,
            "r: $.items[0]: expected an object");
    refused("\"items\":[]", ITEM("\"level\":\"act\",\"class\":\"ok\""),
            EB_EINVAL,
            "r: $.items[1].id: expected a string that is not empty, is "
            "missing");
    refused("\"items\":[]",
            ITEM("\"id\":\"b\",\"level\":\"act\",\"class\":\"good\""),
            EB_EINVAL, "r: $.items[1].class: unknown class 'good'");
    refused("\"items\":[]",
            ITEM("\"id\":\"b\",\"level\":\"agent\",\"class\":\"ok\""),
            EB_EINVAL, "r: $.items[1].level: 'agent' is not in $.levels");
    refused("\"items\":[]",
            ITEM("\"id\":\"b\",\"level\":\"act\",\"class\":\"ok\","
                 "\"ttft_ns\":-3"),
            EB_EINVAL, "r: $.items[1].ttft_ns: expected a whole number from 0");
    refused("\"items\":[]",
            ITEM("\"id\":\"b\",\"level\":\"act\",\"class\":\"ok\","
                 "\"gaps_ns\":[1,\"2\"]"),
            EB_EINVAL,
            "r: $.items[1].gaps_ns[1]: expected a whole number from 0");
    refused("\"items\":[]",
            ITEM("\"id\":\"a\",\"level\":\"act\",\"class\":\"wrong\""),
            EB_EINVAL, "r: $.items: the id 'a' stands twice");
    accepted("\"items\":[]", ITEM("\"id\":\"a\",\"level\":\"act\",\"class\":"
                                  "\"harness_error\""));
    v = parse("[]");
    assert_int_equal(eb_record_validate(v, "r", &err), EB_EINVAL);
    assert_string_equal(err.msg, "r: $: expected an object");
    cJSON_Delete(v);
}

static char path[] = "/tmp/eb-record-XXXXXX";

static int read_text(const char *content, size_t *n, cJSON ***recs)
{
    err.msg[0] = '\0';
    assert_int_equal(eb_fs_write_durable(path, content, strlen(content), &err),
                     0);
    return eb_record_read(path, recs, n, &err);
}

static void reads(const char *content, size_t want)
{
    cJSON **recs;
    size_t n, i;

    if (read_text(content, &n, &recs) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(n, want);
    for (i = 0; i < n; i++)
        assert_true(cJSON_IsFalse(get(recs[i], "summary.void")));
    eb_record_list_free(recs, n);
}

static void unreadable(const char *content, int code, const char *tail)
{
    cJSON **recs;
    size_t n;

    assert_int_equal(read_text(content, &n, &recs), code);
    assert_null(recs);
    assert_int_equal(n, 0);
    assert_memory_equal(err.msg, path, strlen(path));
    assert_string_equal(err.msg + strlen(path), tail);
}

static void test_read(void **state)
{
    cJSON *rec = parse(base), **recs;
    char *pretty = cJSON_Print(rec);
    struct eb_buf b = {0};
    size_t n;

    (void)state;
    close(mkstemp(path));
    reads(base, 1);
    reads(pretty, 1);
    eb_buf_addf(&b, "\n%s\n\n  \n%s\r\n%s", base, base, base);
    reads(b.data, 3);
    eb_buf_reset(&b);
    eb_buf_addf(&b, " [%s,\n%s]\n", pretty, base);
    reads(b.data, 2);
    reads("[]", 0);
    unreadable(" \n", EB_EPARSE, ": no record in it");
    unreadable("{\n1}", EB_EPARSE,
               ": line 2, column 1: expected a key in double quotes");
    eb_buf_reset(&b);
    eb_buf_addf(&b, "%s\n{\"a\":}\n", base);
    unreadable(b.data, EB_EPARSE, ":2: line 1, column 6: expected a value");
    eb_buf_reset(&b);
    eb_buf_addf(&b, "%s\n[]\n", base);
    unreadable(b.data, EB_EINVAL, ":2: $: expected an object");
    eb_buf_reset(&b);
    eb_buf_addf(&b, "[%s,{\"schema\":\"edgebench.run/3\"}]", base);
    unreadable(b.data, EB_EVERSION,
               "[1]: this record is edgebench.run/3; this program reads /1: "
               "update edgebench");
    unlink(path);
    assert_int_equal(eb_record_read(path, &recs, &n, &err), EB_ENOENT);
    eb_buf_free(&b);
    free(pretty);
    cJSON_Delete(rec);
}

static void test_read_too_large(void **state)
{
    struct eb_buf b = {0};
    size_t i;

    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    close(mkstemp(path));
    eb_buf_addf(&b, "%.*s,\"pad\":\"", (int)strlen(base) - 1, base);
    for (i = 0; i < 16384; i++)
        eb_buf_addf(&b, "%01024d", 0);
    eb_buf_adds(&b, "\"}");
    unreadable(b.data, EB_ELIMIT, ": record larger than 16777216 bytes");
    eb_buf_free(&b);
    unlink(path);
}

static void test_read_stdin(void **state)
{
    int fd[2], saved = dup(STDIN_FILENO);
    cJSON **recs;
    size_t n;

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], base, strlen(base)), strlen(base));
    close(fd[1]);
    dup2(fd[0], STDIN_FILENO);
    close(fd[0]);
    assert_int_equal(eb_record_read("-", &recs, &n, &err), 0);
    assert_int_equal(n, 1);
    eb_record_list_free(recs, n);
    /* Now it is at its end. */
    assert_int_equal(eb_record_read("-", &recs, &n, &err), EB_EPARSE);
    assert_string_equal(err.msg, "standard input: no record in it");
    dup2(saved, STDIN_FILENO);
    close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_validate_ok),
        cmocka_unit_test(test_validate_schema),
        cmocka_unit_test(test_validate_fields),
        cmocka_unit_test(test_validate_tune),
        cmocka_unit_test(test_validate_items),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_too_large),
        cmocka_unit_test(test_read_stdin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
