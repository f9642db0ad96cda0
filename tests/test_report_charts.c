/* The charts of a report. The golden files are the reports on two records of
 * the speed suite; to write them anew after a wanted change, run the test with
 * EB_GOLDEN_WRITE=1 and read the difference before committing it. */
#include "tests/report_help.h"

#include <math.h>

#include "common/fs.h"
#include "reports/report.h"

static struct eb_err err;

/* One repeat takes ns; what is unstable has a reason. */
static void speed_row(cJSON *rows, int prompt, int gen, int depth, int batch,
                      double ns)
{
    static const double spread[] = {1, 1.01, 0.99, 1.005, 0.995};
    cJSON *row = cJSON_CreateObject(), *samples;
    char name[64];
    size_t i;

    snprintf(name, sizeof(name), "%s%d", prompt > 0 ? "pp" : "tg",
             prompt > 0 ? prompt : gen);
    if (batch > 1)
        snprintf(name + strlen(name), 16, " b%d", batch);
    if (depth > 0)
        snprintf(name + strlen(name), 16, " @ d%d", depth);
    cJSON_AddStringToObject(row, "test", name);
    cJSON_AddNumberToObject(row, "n_prompt", prompt);
    cJSON_AddNumberToObject(row, "n_gen", gen);
    cJSON_AddNumberToObject(row, "depth", depth);
    cJSON_AddNumberToObject(row, "batch", batch);
    samples = cJSON_AddArrayToObject(row, "samples_ns");
    for (i = 0; i < 5 && ns > 0; i++)
        cJSON_AddItemToArray(samples,
                             cJSON_CreateNumber(round(ns * spread[i])));
    if (ns > 0)
        cJSON_AddBoolToObject(row, "stable", 1);
    else
        cJSON_AddStringToObject(row, "samples_ns_reason",
                                "out of range: 5000 tokens exceed the context");
    cJSON_AddItemToArray(rows, row);
}

static void speed_rows(cJSON *rec, double p, int small)
{
    static const int depths[] = {0, 512, 4096};
    static const int batches[] = {2, 4, 8};
    cJSON *rows = cJSON_CreateArray(), *row;
    int i;

    for (i = 0; i < 3; i++) {
        speed_row(rows, 512, 0, depths[i], 1, p * (100 + depths[i] / 50.0));
        speed_row(rows, 0, 128, depths[i], 1,
                  small && i == 2 ? 0 : p * (60 + depths[i] / 80.0));
    }
    for (i = 0; i < 3; i++)
        speed_row(rows, 0, 128, 0, batches[i], p * (60 + 20 * batches[i]));
    if (small) {
        row = cJSON_GetArrayItem(rows, 3);
        cJSON_ReplaceItemInObject(row, "stable", cJSON_CreateFalse());
        cJSON_AddStringToObject(row, "reason", "the halves differ by 6%");
    }
    cJSON_ReplaceItemInObject(rec, "speed", rows);
}

static void speed_requests(cJSON *rec, double p)
{
    static const char *const phases[] = {"first", "uncached", "prefix"};
    cJSON *rows = cJSON_AddArrayToObject(rec, "requests"), *row, *gaps;
    int i, k;

    for (i = 0; i < 46; i++) {
        int phase = i == 0 ? 0 : i < 24 ? 1 : 2;
        double ttft = p * (phase < 2 ? 300 : 15) * (1 + i * 7 % 23 / 100.0);

        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "phase", phases[phase]);
        cJSON_AddNumberToObject(row, "prompt_tokens", 1500);
        cJSON_AddNumberToObject(row, "cached_tokens", phase < 2 ? 0 : 1450);
        cJSON_AddNumberToObject(row, "output_tokens", 4);
        cJSON_AddNumberToObject(row, "ttft_ns", round(ttft));
        cJSON_AddNumberToObject(row, "e2e_ns", round(ttft) + 3 * p);
        gaps = cJSON_AddArrayToObject(row, "gaps_ns");
        for (k = 0; k < 3; k++)
            cJSON_AddItemToArray(gaps, cJSON_CreateNumber(round(
                                           p * (1 + (3 * i + k) % 11 / 50.0))));
        cJSON_AddItemToArray(rows, row);
    }
}

/* Two and a half minutes that fall after a hundred seconds; another program
 * disturbs one window. */
static void speed_sustained(cJSON *rec, double p)
{
    cJSON *all = cJSON_AddObjectToObject(rec, "sustained"), *rows, *w;
    int i;

    cJSON_AddStringToObject(all, "test", "tg16");
    rows = cJSON_AddArrayToObject(all, "windows");
    for (i = 0; i < 15; i++) {
        w = cJSON_CreateObject();
        cJSON_AddNumberToObject(w, "at_ns", i * 1e10);
        cJSON_AddNumberToObject(w, "wall_ns", 1e10);
        cJSON_AddNumberToObject(
            w, "tokens", (i < 10 ? 20000 : 16000) * 1e6 / p + i % 3 * 16);
        cJSON_AddNumberToObject(w, "temperature_c", 50 + 2 * i);
        cJSON_AddNumberToObject(w, "others_cores", i == 6 ? 0.8 : 0.01);
        cJSON_AddBoolToObject(w, "throttled", i >= 9);
        cJSON_AddItemToArray(rows, w);
    }
}

/* Cold and warm loads, and what others did; the smaller model's file stayed in
 * the page cache, and the machine was not quiet. */
static void speed_conditions(cJSON *rec, int small)
{
    static const char busy[] =
        "other processes used 0.50 of 2 cores, at most 0.10 is quiet";
    cJSON *load = cJSON_GetObjectItem(rec, "load"), *rows, *row;

    if (small)
        eb_json_add_null(load, "cold_ns",
                         "unsupported: the page cache kept 80% of the file");
    else
        cJSON_AddNumberToObject(load, "cold_ns", 90e6);
    rows = cJSON_AddArrayToObject(load, "warm_ns");
    cJSON_AddItemToArray(rows, cJSON_CreateNumber(10e6));
    cJSON_AddItemToArray(rows, cJSON_CreateNumber(14e6));
    rows = cJSON_AddArrayToObject(cJSON_AddObjectToObject(rec, "conditions"),
                                  "gates");
    row = cJSON_CreateObject();
    cJSON_AddBoolToObject(row, "passed", !small);
    cJSON_AddNumberToObject(row, "waited_ns", 30e9);
    cJSON_AddStringToObject(row, "note", small ? busy : "the machine is quiet");
    cJSON_AddItemToArray(rows, row);
    rows = cJSON_AddArrayToObject(rec, "requests_watch");
    row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "phase", "uncached");
    cJSON_AddBoolToObject(row, "stable", !small);
    if (small)
        cJSON_AddStringToObject(row, "reason", busy);
    cJSON_AddItemToArray(rows, row);
    if (small)
        eb_json_add_null(rec, "sustained", "not measured: stopped");
}

static void speed_memory(cJSON *rec, double p, int small)
{
    cJSON *memory = cJSON_GetObjectItem(rec, "memory"), *rows, *row;

    cJSON_AddNumberToObject(memory, "weights_bytes", p);
    cJSON_AddNumberToObject(memory, "compute_bytes", 3e6);
    if (!small) {
        cJSON_DeleteItemFromObject(memory, "context_bytes_reason");
        cJSON_ReplaceItemInObject(memory, "context_bytes",
                                  cJSON_CreateNumber(5e6));
    }
    rows = cJSON_AddArrayToObject(memory, "phases");
    row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "phase", "tests");
    cJSON_AddNumberToObject(row, "rss_anon_bytes", 12e6);
    cJSON_AddNumberToObject(row, "vm_hwm_bytes", 25e6);
    cJSON_AddStringToObject(row, "vm_hwm_scope", small ? "process" : "phase");
    cJSON_AddNumberToObject(row, "cgroup_peak_bytes", 90e6);
    cJSON_AddNumberToObject(row, "model_mapped_bytes", p * 1.05);
    cJSON_AddNumberToObject(row, "model_resident_bytes", p * 0.8);
    if (small) {
        eb_json_add_null(row, "gpu_bytes", "absent: the engine uses no GPU");
    } else {
        cJSON_AddNumberToObject(row, "gpu_before_bytes", 0);
        cJSON_AddNumberToObject(row, "gpu_bytes", p * 1.2);
        cJSON_AddStringToObject(row, "gpu_source", "nvml");
    }
    cJSON_AddItemToArray(rows, row);
}

/* Two models; the smaller lacks some of it. */
static void speed_records(cJSON *recs[2])
{
    int i;

    for (i = 0; i < 2; i++) {
        cJSON *rec = report_record(i + 1, "clear", 0);
        double p = report_models[i + 1].parameters;

        cJSON_ReplaceItemInObject(cJSON_GetObjectItem(rec, "suite"), "name",
                                  cJSON_CreateString("speed"));
        cJSON_ReplaceItemInObject(rec, "levels", cJSON_CreateArray());
        cJSON_DeleteItemFromObject(rec, "service_bars");
        speed_rows(rec, p, i == 0);
        speed_requests(rec, p);
        if (i == 1)
            speed_sustained(rec, p);
        speed_memory(rec, p, i == 0);
        speed_conditions(rec, i == 0);
        if (eb_record_validate(rec, "t", &err) != 0)
            fail_msg("%s", err.msg);
        eb_record_derive(rec);
        recs[i] = rec;
    }
}

static char *report_of(cJSON *const *recs, size_t n, const char *format)
{
    struct eb_buf b = {0};

    assert_int_equal(eb_report_write(&b, recs, n, format, &err), 0);
    return eb_buf_take(&b);
}

static void free_records(cJSON *recs[2])
{
    cJSON_Delete(recs[0]);
    cJSON_Delete(recs[1]);
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is missing", part);
}

static void golden(const char *format)
{
    struct eb_buf want = {0};
    cJSON *recs[2];
    char path[256], *got;

    speed_records(recs);
    got = report_of(recs, 2, format);
    free_records(recs);
    snprintf(path, sizeof(path), "%s/tests/golden/charts.%s", EB_SOURCE_DIR,
             format);
    if (getenv("EB_GOLDEN_WRITE") != NULL)
        assert_int_equal(eb_fs_write_durable(path, got, strlen(got), &err), 0);
    assert_int_equal(eb_fs_read(path, 1 << 20, &want, &err), 0);
    if (strlen(got) != want.len || memcmp(got, want.data, want.len) != 0)
        fail_msg("the report differs from %s", path);
    eb_buf_free(&want);
    free(got);
}

static void test_golden(void **state)
{
    (void)state;
    golden("html");
    golden("md");
    golden("json");
}

static void test_html(void **state)
{
    cJSON *recs[2];
    char *text;

    (void)state;
    speed_records(recs);
    text = report_of(recs, 2, "html");
    has(text, "<figcaption>tg128 over depth</figcaption>");
    has(text, "<figcaption>tg128 over batch, per sequence</figcaption>");
    has(text, "hollow: unstable, the median");
    has(text, "hollow: others used over 0.1 cores");
    has(text, "fell by ");
    has(text, "KV cache: not known of all");
    has(text, "all gaps (n = 138): ");
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "http"));
    free(text);
    free_records(recs);
}

/* The numbers are there without pictures. */
static void test_tables(void **state)
{
    cJSON *recs[2];
    char *text;

    (void)state;
    speed_records(recs);
    text = report_of(recs, 2, "md");
    assert_null(strstr(text, "<svg"));
    has(text, "| ladder-1m | tg128 | 4096 | not measured | none | not shown |");
    has(text,
        "| ladder-1m | tg128 \\@ d512 | unstable: the halves differ by 6% "
        "|");
    has(text, "| ladder-1m | KV cache | unsupported |");
    has(text, "| ladder-4m | TTFT, first request | 1 |");
    has(text, "under 100 values");
    has(text,
        "| ladder-4m | first | 1200 ms | n &lt; 10 | n &lt; 20 | n &lt; 100 "
        "| 4.08 ms | n &lt; 10 | n &lt; 20 |");
    has(text,
        "| ladder-4m | uncached | 1332 ms | 1438 ms | 1451 ms | n &lt; 100 "
        "| 4.40 ms | 4.72 ms | 4.80 ms | n &lt; 100 |");
    has(text, "| ladder-1m | uncached, unstable | 333 ms |");
    has(text, "| ladder-4m | 90 ms | 12 ms |");
    has(text, "the page cache kept 80% of the file");
    has(text, "ladder-1m: begun after 30 s although other processes used 0.50");
    has(text, "slowed itself down from second 90 on");
    has(text, "ladder-1m has no rate over time: not measured: stopped");
    has(text, "| 25.0 MB, process |");
    has(text, "absent: the requests were disturbed |");
    free(text);
    free_records(recs);
}

/* Parts of the memory add up to RssAnon and the mapping. */
static void test_memory_sum(void **state)
{
    cJSON *recs[2], *v;
    const cJSON *chart, *bar, *part;
    double sum;
    char *text;
    int bars = 0;

    (void)state;
    speed_records(recs);
    text = report_of(recs, 2, "json");
    assert_int_equal(eb_json_parse(text, strlen(text), "t", &v, &err), 0);
    cJSON_ArrayForEach(chart, cJSON_GetObjectItem(v, "charts"))
    {
        cJSON_ArrayForEach(bar, cJSON_GetObjectItem(chart, "bars"))
        {
            sum = 0;
            cJSON_ArrayForEach(part, cJSON_GetObjectItem(bar, "parts")) sum +=
                eb_json_get_num(part, "bytes", 0);
            assert_true(sum == 12e6 + 1.05 * (bars == 0 ? 4e6 : 1e6));
            bars++;
        }
    }
    assert_int_equal(bars, 2);
    cJSON_Delete(v);
    free(text);
    free_records(recs);
}

/* 400 + i tokens in and 3 out; 84 of 100 and so on are right. */
static void test_price(void **state)
{
    cJSON *rec = report_record(2, "clear", 1), *price;
    char *text;

    (void)state;
    price = cJSON_AddObjectToObject(cJSON_GetObjectItem(rec, "model"), "price");
    cJSON_AddNumberToObject(price, "input_per_million", 0.1);
    cJSON_AddNumberToObject(price, "output_per_million", 2);
    cJSON_AddStringToObject(price, "currency", "EUR");
    cJSON_AddStringToObject(price, "source", "price list");
    cJSON_AddStringToObject(price, "date", "2026-01-31");
    cJSON_SetNumberValue(
        cJSON_GetObjectItem(
            cJSON_GetArrayItem(cJSON_GetObjectItem(rec, "items"), 0),
            "prompt_tokens"),
        -1);
    text = report_of(&rec, 1, "md");
    /* Mean prompt 454 tokens: 454 * 0.1 + 3 * 2 = 51.4 millionths; 431 of 600
     * are right. */
    has(text, "| 0.0000514 EUR | 0.0000716 EUR | 599 of 600 | price list, "
              "2026-01-31 |");
    free(text);
    cJSON_Delete(rec);
    rec = report_record(2, "clear", 1);
    text = report_of(&rec, 1, "md");
    assert_null(strstr(text, "What a scored item costs"));
    free(text);
    cJSON_Delete(rec);
}

/* Five items have no p95. */
static void test_few_items(void **state)
{
    cJSON *rec = report_record(2, "clear", 1), *items;
    char *text;

    (void)state;
    items = cJSON_GetObjectItem(rec, "items");
    while (cJSON_GetArraySize(items) > 5)
        cJSON_DeleteItemFromArray(items, 5);
    eb_record_derive(rec);
    text = report_of(&rec, 1, "md");
    has(text, " | under 20 values | 4.00 ms | 12 ms |");
    free(text);
    cJSON_Delete(rec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_html),
        cmocka_unit_test(test_tables), cmocka_unit_test(test_memory_sum),
        cmocka_unit_test(test_price),  cmocka_unit_test(test_few_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
