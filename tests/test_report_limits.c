/* The report on what a token needs and what limits the speed. */
#include "tests/report_help.h"

#include "reports/report.h"

static struct eb_err err;

/* 4 MB of weights, 160 a second and no cache that they fit: 0.64 GB/s; the
 * thread ran all the time. */
static cJSON *measured(const char *triad, const char *heat)
{
    static const char parts[] =
        "{\"shape\":{\"layers\":4,\"embedding\":256,\"heads\":4,"
        "\"heads_kv\":4,\"key_dim\":64,\"value_dim\":64,\"vocabulary\":3072,"
        "\"key_bytes\":2,\"value_bytes\":2,\"input_table_bytes\":0},"
        "\"bandwidth\":{\"triad\":{\"best_gbps\":%s,\"cpu_share\":1}},"
        "\"heat\":{\"throttled\":%s},"
        "\"counters\":{\"phases\":{\"decode\":{\"wall_ns\":1e9,\"events\":["
        "{\"event\":\"task_clock_ns\",\"value\":2e9},"
        "{\"event\":\"major_faults\",\"value\":0}]}}}}";
    cJSON *rec = report_record(2, "clear", 1), *v, *model;
    char text[1024];

    snprintf(text, sizeof(text), parts, triad, heat);
    assert_int_equal(eb_json_parse(text, strlen(text), "t", &v, &err), 0);
    model = cJSON_GetObjectItem(rec, "model");
    cJSON_AddItemToObject(model, "shape",
                          cJSON_DetachItemFromObject(v, "shape"));
    cJSON_AddStringToObject(model, "weights_in", "memory");
    cJSON_AddNumberToObject(cJSON_GetObjectItem(rec, "memory"), "model_bytes",
                            4e6);
    cJSON_DeleteItemFromObject(rec, "counters");
    while (v->child != NULL) {
        cJSON *part = cJSON_DetachItemViaPointer(v, v->child);

        cJSON_AddItemToObject(rec, part->string, part);
    }
    cJSON_Delete(v);
    eb_record_derive(rec);
    return rec;
}

/* The report on the record, which is deleted, has the text. */
static void has(cJSON *rec, const char *part)
{
    struct eb_buf b = {0};

    assert_int_equal(eb_record_validate(rec, "t", &err), 0);
    assert_int_equal(eb_report_write(&b, &rec, 1, "md", &err), 0);
    if (strstr(b.data, part) == NULL)
        fail_msg("'%s' is missing in %s", part, b.data);
    eb_buf_free(&b);
    cJSON_Delete(rec);
}

static void test_no_threads(void **state)
{
    cJSON *rec = measured("3", "false");

    (void)state;
    cJSON_ReplaceItemInObject(cJSON_GetObjectItem(rec, "settings"), "threads",
                              cJSON_CreateNumber(0));
    has(rec, "ladder-4m, writing (tg128): bandwidth: MBU 0.75.");
    rec = measured("20", "false");
    cJSON_ReplaceItemInObject(cJSON_GetObjectItem(rec, "settings"), "threads",
                              cJSON_CreateNumber(0));
    has(rec, "ladder-4m, writing (tg128): not known: MBU 0.11, and no "
             "processor time of the threads was counted.");
}

static void test_columns(void **state)
{
    (void)state;
    /* 128 tokens in 0.244 s; (4e6 + 4096 * 64.5) bytes each. */
    has(measured("3", "false"), "| 4.3 MB | 2.24 | 0.75 | ");
    has(measured("null", "false"), "| 4.3 MB | 2.24 | not known | ");
}

static void test_sentences(void **state)
{
    (void)state;
    has(measured("3", "false"), "ladder-4m, writing (tg128): bandwidth: MBU "
                                "0.75.");
    has(measured("3", "true"), "ladder-4m, writing (tg128): throttling: in "
                               "100% of the repeats.");
    has(measured("3", "null"), "ladder-4m, writing (tg128): bandwidth: MBU "
                               "0.75 (throttling could not be seen).");
    has(measured("20", "false"),
        "ladder-4m, writing (tg128): compute: the threads ran 100% of the "
        "time, MBU 0.11.");
    has(measured("3", "false"),
        "ladder-4m, reading a prompt (pp512): not known: MBU 0.01, and no "
        "processor time of the threads was counted.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_no_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
