/* The report on what tuning gained. */
#include "tests/report_help.h"

#include "reports/group.h"
#include "reports/report.h"

static struct eb_err err;

/* A record of ladder-4m with --tuned; gain as JSON. */
static cJSON *tuned(const char *file, const char *verdict, const char *gain)
{
    static const char part[] =
        "{\"file_sha256\":\"%s\",\"created_at\":\"2026-01-30T07:00:00.000Z\","
        "\"objective\":\"both\",\"verdict\":\"%s\",\"gain\":%s}";
    cJSON *rec = report_record(2, "clear", 1), *v;
    char text[1024];

    snprintf(text, sizeof(text), part, file, verdict, gain);
    assert_int_equal(eb_json_parse(text, strlen(text), "t", &v, &err), 0);
    cJSON_AddItemToObject(rec, "tune", v);
    assert_int_equal(eb_record_validate(rec, "t", &err), 0);
    return rec;
}

static const char both[] =
    "[{\"test\":\"pp512\",\"ratio\":1.1,\"lo\":1.05,\"hi\":1.15,"
    "\"pairs\":12},{\"test\":\"both\",\"ratio\":1.2049,\"lo\":1.15,"
    "\"hi\":1.25,\"pairs\":12}]";

/* The report on the record, which is deleted. */
static char *report_of(cJSON *rec, const char *format)
{
    struct eb_buf b = {0};

    assert_int_equal(eb_report_write(&b, &rec, 1, format, &err), 0);
    cJSON_Delete(rec);
    return eb_buf_take(&b);
}

static void has(cJSON *rec, const char *format, const char *part)
{
    char *text = report_of(rec, format);

    if (strstr(text, part) == NULL)
        fail_msg("'%s' is missing in %s", part, text);
    free(text);
}

static void lacks(cJSON *rec, const char *part)
{
    char *text = report_of(rec, "md");

    if (strstr(text, part) != NULL)
        fail_msg("'%s' is in %s", part, text);
    free(text);
}

static void test_table(void **state)
{
    (void)state;
    has(tuned("ab", "better", both), "md", "### Gain of tuning\n");
    has(tuned("ab", "better", both), "md",
        "| ladder-4m | pp512 | 1.100 | 1.050 to 1.150 | 12 | 2026-01-30 |\n"
        "| ladder-4m | both | 1.205 | 1.150 to 1.250 | 12 | 2026-01-30 |\n");
    lacks(tuned("ab", "better", both), "default settings");
    has(tuned("ab", "better", both), "html", "1.150 to 1.250");
    lacks(report_record(2, "clear", 1), "Gain of tuning");
}

/* The command brings the tuned settings, not their threads. */
static void test_command(void **state)
{
    (void)state;
    has(tuned("ab", "better", both), "md", " --tuned --model ladder-4m");
    lacks(tuned("ab", "better", both), " --threads ");
}

static void test_default_stays(void **state)
{
    static const char none[] = "null,\"gain_reason\":\"the budget ended\"";

    (void)state;
    has(tuned("ab", "default", both), "md",
        "ladder-4m ran with the default settings, which are as good");
    has(tuned("ab", "default", both), "md", "| ladder-4m | both | 1.205 |");
    has(tuned("ab", "mixed", both), "md", "slower in the other");
    has(tuned("ab", "open", none), "md", "not known (the budget ended)");
    has(tuned("ab", "default", none), "md",
        "### Gain of tuning\n\nladder-4m ran with the default settings");
    lacks(tuned("ab", "default", none), "Times default");
}

static void test_json(void **state)
{
    char *text = report_of(tuned("ab", "better", both), "json");
    const cJSON *row;
    cJSON *v;

    (void)state;
    assert_int_equal(eb_json_parse(text, strlen(text), "t", &v, &err), 0);
    row = cJSON_GetArrayItem(cJSON_GetObjectItem(v, "groups"), 0);
    row = cJSON_GetArrayItem(cJSON_GetObjectItem(row, "rows"), 0);
    row = cJSON_GetArrayItem(eb_group_get(row, "tune.gain"), 1);
    assert_true(eb_json_get_num(row, "ratio", 0) > 1.2);
    cJSON_Delete(v);
    free(text);
}

/* Tuned anew with the same result, a run stays with the others. */
static void test_one_group(void **state)
{
    cJSON *recs[] = {tuned("ab", "better", both), tuned("cd", "better", both)};
    struct eb_groups g;

    (void)state;
    eb_groups_make(recs, 2, &g);
    assert_int_equal(g.n, 1);
    eb_groups_free(&g);
    cJSON_Delete(recs[0]);
    cJSON_Delete(recs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_default_stays),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_one_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
