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
#include "agent/memory_gpu.h"
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

#define GIB (1024.0 * 1024 * 1024)

static void plant_process(const char *what)
{
    setenv("EDGEBENCH_NVML", EB_BINARY_DIR "/tests/plugins/nvml_stub.so", 1);
    setenv("NVML_STUB_PROCESS", what, 1);
}

static void plant_nothing(void)
{
    unsetenv("EDGEBENCH_NVML");
    unsetenv("NVML_STUB_PROCESS");
}

/* What a model's record would say; the boards of the engine. */
static cJSON *gpu_memory(const char *before, const char *process,
                         const struct eb_engine *e)
{
    struct eb_memory_gpu *g;
    cJSON *v = cJSON_CreateObject();

    plant_process(before);
    g = eb_memory_gpu_open(root);
    eb_memory_gpu_before(g);
    plant_process(process);
    eb_memory_gpu_engine(g, e);
    eb_memory_gpu_add(g, v);
    eb_memory_gpu_close(g);
    plant_nothing();
    return v;
}

static void test_gpu(void **state)
{
    static const struct eb_engine all = {.gpus_known = 0};
    static const struct eb_engine one = {
        .gpus_known = 1, .gpus = {"0000:c1:00.0"}, .n_gpus = 1};
    static const struct {
        const struct eb_engine *e;
        const char *before, *process;
        double before_gib, gib;
    } rows[] = {{&all, "elsewhere", "", 0, 8},
                {&one, "elsewhere", "", 0, 5},
                {&one, "", "long", 8, 5},
                /* It is in both lists; not the sum of them. */
                {&all, "long", "both", 8, 16}};
    cJSON *v;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        v = gpu_memory(rows[i].before, rows[i].process, rows[i].e);
        assert_float_equal(num(v, "gpu_bytes"), rows[i].gib * GIB, 0);
        assert_float_equal(num(v, "gpu_before_bytes"), rows[i].before_gib * GIB,
                           0);
        assert_string_equal(eb_json_get_str(v, "gpu_source", ""), "nvml");
        assert_null(cJSON_GetObjectItem(v, "available_fall_bytes"));
        cJSON_Delete(v);
    }
}

static void refused(const cJSON *v, const char *key, const char *why)
{
    char name[64];

    snprintf(name, sizeof(name), "%s_reason", key);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, key)));
    assert_non_null(strstr(eb_json_get_str(v, name, ""), why));
}

/* Null with a reason, never 0. */
static void test_gpu_faults(void **state)
{
    static const struct eb_engine all = {.gpus_known = 0};
    static const struct eb_engine cpu = {.gpus_known = 1};
    static const struct eb_engine other = {
        .gpus_known = 1, .gpus = {"0000:77:00.0"}, .n_gpus = 1};
    static const struct {
        const struct eb_engine *e;
        const char *process, *why;
    } rows[] = {
        {&all, "elsewhere", "unsupported: NVML does not list this process"},
        {&all, "secret", "unsupported: NVML does not tell"},
        {&all, "many", "out of range: more than 256 processes"},
        {&all, "3", "unsupported: no list of processes, NVML status 3"},
        {&all, "4", "no permission"},
        {&other, "", "absent: NVML lists none of the engine's GPUs"},
        {&cpu, "", "absent: the engine uses no GPU"}};
    struct eb_memory_gpu *g;
    cJSON *v;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        v = gpu_memory(rows[i].process, rows[i].process, rows[i].e);
        refused(v, "gpu_bytes", rows[i].why);
        assert_null(cJSON_GetObjectItem(v, "gpu_source"));
        if (rows[i].e == &all)
            refused(v, "gpu_before_bytes", rows[i].why);
        cJSON_Delete(v);
    }
    /* No NVML at all; and nobody asked. */
    g = eb_memory_gpu_open(root);
    v = cJSON_CreateObject();
    eb_memory_gpu_add(g, v);
    refused(v, "gpu_bytes", "unsupported: a recorded machine has no NVML");
    refused(v, "gpu_before_bytes", "not measured");
    eb_memory_gpu_close(g);
    cJSON_Delete(v);
    v = cJSON_CreateObject();
    eb_memory_gpu_before(NULL);
    eb_memory_gpu_engine(NULL, &all);
    eb_memory_gpu_add(NULL, v);
    refused(v, "gpu_bytes", "not measured");
    cJSON_Delete(v);
}

#define NVMAP "/sys/kernel/debug/nvmap/iovmm/clients"
#define NVMAP_HEAD                                                             \
    "CLIENT                        PROCESS      PID        SIZE\n"             \
    "user                      gnome shell     1234       4096K\n"

static void put_available(int kb)
{
    char text[96];

    snprintf(text, sizeof(text), "MemTotal: 7802968 kB\nMemAvailable: %d kB\n",
             kb);
    put("/proc/meminfo", text);
}

/* A Jetson written from the layout that jetson_stats reads (core/memory.py);
 * synthetic. Two clients of this process. */
static void test_jetson(void **state)
{
    static const struct eb_engine all = {.gpus_known = 0};
    static const struct eb_engine cpu = {.gpus_known = 1};
    struct eb_memory_gpu *g;
    char text[512];
    cJSON *v;

    (void)state;
    put("/proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit");
    put_available(6500000);
    put(NVMAP, NVMAP_HEAD "total                       4096K\n");
    g = eb_memory_gpu_open(root);
    eb_memory_gpu_before(g);
    eb_memory_gpu_engine(g, &all);
    snprintf(text, sizeof(text),
             NVMAP_HEAD "user  edge bench  %d  1000000K\n"
                        "user  edgebench  %d1  77K\n"
                        "user  edgebench  %d  24K\n"
                        "total     1004197K\n",
             (int)getpid(), (int)getpid(), (int)getpid());
    put(NVMAP, text);
    put_available(5400000);
    v = cJSON_CreateObject();
    eb_memory_gpu_add(g, v);
    assert_float_equal(num(v, "gpu_bytes"), 1000024 * 1024.0, 0);
    assert_float_equal(num(v, "gpu_before_bytes"), 0, 0);
    assert_string_equal(eb_json_get_str(v, "gpu_source", ""), "nvmap");
    assert_float_equal(num(v, "available_fall_bytes"), 1100000 * 1024.0, 0);
    cJSON_Delete(v);
    /* Of an engine on the processor the fall alone. */
    eb_memory_gpu_engine(g, &cpu);
    v = cJSON_CreateObject();
    eb_memory_gpu_add(g, v);
    refused(v, "gpu_bytes", "the engine uses no GPU");
    assert_true(num(v, "available_fall_bytes") > 0);
    cJSON_Delete(v);
    eb_memory_gpu_close(g);
}

static void test_jetson_faults(void **state)
{
    static const struct {
        const char *clients, *why;
    } rows[] = {{NULL, "absent: " NVMAP},
                {"", "unsupported: nvmap does not list this process"},
                {NVMAP_HEAD, "unsupported: nvmap does not list this process"},
                {"user edgebench\n\n 12K\nK\nuser x 12 34\n",
                 "unsupported: nvmap does not list this process"}};
    struct eb_memory_gpu *g;
    cJSON *v;
    size_t i;

    (void)state;
    put("/proc/device-tree/model", "NVIDIA Jetson AGX Orin");
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (rows[i].clients != NULL)
            put(NVMAP, rows[i].clients);
        g = eb_memory_gpu_open(root);
        eb_memory_gpu_before(g);
        v = cJSON_CreateObject();
        eb_memory_gpu_add(g, v);
        refused(v, "gpu_bytes", rows[i].why);
        refused(v, "gpu_before_bytes", rows[i].why);
        refused(v, "available_fall_bytes", "absent");
        cJSON_Delete(v);
        eb_memory_gpu_close(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_phase, setup, tree_teardown),
        cmocka_unit_test(test_shared_peak),
        cmocka_unit_test_setup_teardown(test_cgroup_v1, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_absent, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_gpu, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_gpu_faults, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_jetson, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_jetson_faults, setup,
                                        tree_teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
