/* Memory of a recorded process, phase by phase. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/memory.h"
#include "common/fs.h"
#include "common/json.h"
#include "tests/tree_help.h"

static char model[48];

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/eb-mem-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    put("/m.gguf", "GGUF");
    snprintf(model, sizeof(model), "%s/m.gguf", root);
    put("/proc/self/status", "Name:\tx\nVmHWM:\t  900 kB\nRssAnon:\t 100 kB\n"
                             "RssFile:\t 300 kB\n");
    return 0;
}

static double num(const cJSON *v, const char *key)
{
    return eb_json_get_num(v, key, -1);
}

static void test_phase(void **state)
{
    char smaps[512];
    cJSON *v;

    (void)state;
    put("/proc/self/clear_refs", "");
    put("/proc/self/smaps_rollup", "0-1 ---p 0 00:00 0 [rollup]\n"
                                   "Rss:  400 kB\nPss:  250 kB\n"
                                   "Pss_Dirty: 1 kB\n");
    put("/proc/self/cgroup", "0::/user/box\n");
    put("/sys/fs/cgroup/user/box/memory.peak", "1234567\n");
    /* Two mappings of the file, and one whose name only ends alike. */
    snprintf(smaps, sizeof(smaps),
             "1000-2000 r--s 0 08:01 5  %s\nSize: 800 kB\nRss: 200 kB\n"
             "VmFlags: rd\n"
             "2000-3000 r--s 0 08:01 5  %s\nSize: 80 kB\nRss: 20 kB\n"
             "3000-4000 rw-p 0 00:00 0\nSize: 4000 kB\nRss: 4000 kB\n"
             "4000-5000 r--s 0 08:01 6  /other%s\nSize: 1 kB\nRss: 1 kB\n",
             model, model, model);
    put("/proc/self/smaps", smaps);
    assert_int_equal(eb_memory_begin(root), 1);
    v = eb_memory_phase(root, "load", 1, model);
    assert_string_equal(eb_json_get_str(v, "phase", ""), "load");
    assert_float_equal(num(v, "rss_anon_bytes"), 102400, 0);
    assert_float_equal(num(v, "rss_file_bytes"), 307200, 0);
    assert_float_equal(num(v, "vm_hwm_bytes"), 921600, 0);
    assert_string_equal(eb_json_get_str(v, "vm_hwm_scope", ""), "phase");
    assert_float_equal(num(v, "pss_bytes"), 256000, 0);
    assert_float_equal(num(v, "cgroup_peak_bytes"), 1234567, 0);
    assert_float_equal(num(v, "model_mapped_bytes"), 880 * 1024, 0);
    assert_float_equal(num(v, "model_resident_bytes"), 220 * 1024, 0);
    cJSON_Delete(v);
}

/* The memory controller of v1, beside an empty v2. */
static void test_cgroup_v1(void **state)
{
    cJSON *v;

    (void)state;
    put("/proc/self/cgroup", "5:devices:/\n4:memory:/jobs/7\n0::/\n");
    put("/sys/fs/cgroup/memory/jobs/7/memory.max_usage_in_bytes", "777\n");
    v = eb_memory_phase(root, "x", 0, NULL);
    assert_float_equal(num(v, "cgroup_peak_bytes"), 777, 0);
    cJSON_Delete(v);
}

/* Null with a reason, never 0. */
static void test_absent(void **state)
{
    cJSON *v;

    (void)state;
    assert_int_equal(eb_memory_begin(root), 0);
    v = eb_memory_phase(root, "x", 0, "fake:key");
    assert_string_equal(eb_json_get_str(v, "vm_hwm_scope", ""), "process");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "pss_bytes")));
    assert_string_equal(eb_json_get_str(v, "pss_bytes_reason", ""), "absent");
    assert_string_equal(eb_json_get_str(v, "cgroup_peak_bytes_reason", ""),
                        "absent: no cgroup");
    assert_string_equal(eb_json_get_str(v, "model_mapped_bytes_reason", ""),
                        "absent: no file");
    cJSON_Delete(v);
    put("/proc/self/smaps", "1-2 r--s 0 08:01 5  /elsewhere\nSize: 1 kB\n");
    v = eb_memory_phase(root, "x", 0, model);
    assert_string_equal(eb_json_get_str(v, "model_resident_bytes_reason", ""),
                        "absent: the file is not mapped");
    cJSON_Delete(v);
}

/* The peak of a larger model before is no model's own. */
static void test_shared_peak(void **state)
{
    cJSON *v = cJSON_CreateObject();

    (void)state;
    cJSON_AddNumberToObject(v, "vm_hwm_bytes", 5);
    eb_memory_shared_peak(v);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "vm_hwm_bytes")));
    assert_non_null(strstr(eb_json_get_str(v, "vm_hwm_bytes_reason", ""),
                           "other models ran before"));
    cJSON_Delete(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_phase, setup, tree_teardown),
        cmocka_unit_test(test_shared_peak),
        cmocka_unit_test_setup_teardown(test_cgroup_v1, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_absent, setup, tree_teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
