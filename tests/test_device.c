/* A recorded machine in a folder, read back. */
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
#include "common/fs.h"
#include "common/json.h"
#include "tests/tree_help.h"

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/eb-dev-XXXXXX");
    return mkdtemp(root) == NULL;
}

static void is_text(const cJSON *v, const char *key, const char *text)
{
    assert_string_equal(eb_json_get_str(v, key, ""), text);
}

static void test_conditions(void **state)
{
    cJSON *v;

    (void)state;
    put("/proc/loadavg", "1.25 0.50 0.10 1/200 4242\n");
    put("/proc/meminfo", "MemTotal: 8000 kB\nMemAvailable:  4000 kB\n");
    put("/sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
        "schedutil\n");
    put("/sys/devices/system/cpu/cpufreq/policy4/scaling_governor",
        "performance\n");
    put("/sys/class/thermal/thermal_zone0/temp", "41000\n");
    put("/sys/class/thermal/thermal_zone2/temp", "56500\n");
    v = eb_device_conditions(root);
    assert_true(eb_json_get_num(v, "loadavg_1m", 0) == 1.25);
    assert_true(eb_json_get_num(v, "mem_available_bytes", 0) == 4096000);
    is_text(v, "governor", "schedutil performance");
    assert_true(eb_json_get_num(v, "temperature_c", 0) == 56.5);
    cJSON_Delete(v);
}

static void test_absent(void **state)
{
    cJSON *v = eb_device_conditions(root);
    static const char *const keys[] = {"loadavg_1m", "mem_available_bytes",
                                       "governor", "temperature_c"};
    char reason[64];
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, keys[i])));
        snprintf(reason, sizeof(reason), "%s_reason", keys[i]);
        is_text(v, reason, "absent");
    }
    cJSON_Delete(v);
}

static void test_out_of_range(void **state)
{
    cJSON *v;

    (void)state;
    put("/sys/class/thermal/thermal_zone0/temp", "-274000\n");
    v = eb_device_conditions(root);
    is_text(v, "temperature_c_reason", "out of range");
    cJSON_Delete(v);
}

static void test_facts(void **state)
{
    cJSON *v, *w;

    (void)state;
    put("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    put("/etc/os-release", "ID=x\nPRETTY_NAME=\"Board OS 3\"\n");
    put("/proc/meminfo", "MemTotal:     1024 kB\n");
    put("/proc/sys/kernel/osrelease", "6.6.1-board\n");
    put("/proc/cpuinfo", "processor\t: 0\nHardware\t: SoC 9\n");
    v = eb_device_facts(root, "shelf 2");
    is_text(v, "name", "shelf 2");
    is_text(v, "id_source", "machine-id");
    assert_int_equal(strlen(eb_json_get_str(v, "id", "")), 16);
    assert_null(strstr(eb_json_get_str(v, "id", ""), "0123456789abcdef"));
    assert_true(eb_json_get_num(v, "memory_bytes", 0) == 1048576);
    is_text(cJSON_GetObjectItem(v, "os"), "name", "Board OS 3");
    is_text(cJSON_GetObjectItem(v, "os"), "kernel", "6.6.1-board");
    w = eb_device_facts(root, NULL);
    is_text(w, "id", eb_json_get_str(v, "id", ""));
    cJSON_Delete(v);
    cJSON_Delete(w);
}

static void test_this_machine(void **state)
{
    cJSON *v = cJSON_CreateObject();

    (void)state;
    eb_device_memory("", v);
    assert_true(eb_json_get_num(v, "vm_hwm_bytes", 0) > 100000);
    assert_true(eb_device_threads() >= 1);
    cJSON_Delete(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conditions, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_absent, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_out_of_range, setup,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(test_facts, setup, tree_teardown),
        cmocka_unit_test(test_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
