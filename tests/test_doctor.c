/* What doctor says of the machines of tests/fixtures/machines, and what a
 * capture of them keeps and leaves out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/doctor.h"
#include "common/buf.h"
#include "common/json.h"
#include "tests/machine_help.h"

static const struct {
    const char *machine, *area, *name, *state, *detail, *fix;
} rows[] = {
    {"orin-nano", "power", "ina3221", "ok", "VDD_IN (module)", NULL},
    {"orin-nano", "power", "rapl", "missing", "absent: no /sys/class", NULL},
    {"orin-nano", "power", "odpm", "missing", "absent", NULL},
    {"orin-nano", "power", "rpi", "missing", "absent", NULL},
    {"orin-nano", "counters", "hardware", "ok", "armv8_cortex_a78", NULL},
    {"orin-nano", "clocks", "cpufreq", "limited", "schedutil", "jetson_clocks"},
    {"orin-nano", "heat", "temperature", "ok",
     "cpu-thermal 48.2 C; cv0-thermal: no permission", NULL},
    {"orin-nano", "heat", "throttling", "ok", "none now", NULL},
    {"orin-nano", "memory", "size", "ok", "7620 MiB", NULL},
    {"orin-nano", "time", "clock source", "ok", "arch_sys_counter", NULL},

    {"raspberry-pi-5", "power", "rpi", "missing", "no permission: /vcgencmd/",
     "usermod -aG video"},
    {"raspberry-pi-5", "power", "board", "missing", "unsupported", "meter"},
    {"raspberry-pi-5", "power", "energy", "missing", "absent", "meter"},
    {"raspberry-pi-5", "counters", "hardware", "missing",
     "no permission: armv8_cortex_a76, kernel.perf_event_paranoid is 3",
     "sudo sysctl kernel.perf_event_paranoid=1"},
    {"raspberry-pi-5", "clocks", "cpufreq", "limited", "ondemand", "cpupower"},
    {"raspberry-pi-5", "heat", "throttling", "ok", "none now", NULL},

    {"intel-laptop", "power", "rapl", "missing", "no permission", "udevadm"},
    {"intel-laptop", "power", "battery", "limited", "not discharging",
     "pull the cable"},
    {"intel-laptop", "counters", "hardware", "missing",
     "no permission: cpu_atom, cpu_core, kernel.perf_event_paranoid is 4",
     "perf_event_paranoid=1"},
    {"intel-laptop", "clocks", "cpufreq", "limited", "powersave", "cpupower"},
    {"intel-laptop", "heat", "temperature", "ok", "iwlwifi_1: out of range",
     NULL},
    {"intel-laptop", "heat", "throttling", "ok", "none now", NULL},

    {"amd-epyc", "power", "rapl", "ok", "package-1 (package)", NULL},
    {"amd-epyc", "counters", "hardware", "ok", "cpu, kernel.perf", NULL},
    {"amd-epyc", "clocks", "cpufreq", "ok", "performance", NULL},
    {"amd-epyc", "clocks", "ceiling", "limited", "3250 of 3800 MHz", NULL},
    {"amd-epyc", "heat", "temperature", "ok", "k10temp Tctl 44.1 C", NULL},

    {"pixel", "power", "battery", "ok", "battery", NULL},
    {"pixel", "power", "odpm", "missing", "no permission: /sys/bus/iio/",
     "dumpsys"},
    {"pixel", "counters", "hardware", "missing", "armv8_cortex_x1",
     "perf_harden"},
    {"pixel", "clocks", "cpufreq", "limited", "sched_pixel",
     "set-fixed-performance-mode"},
    {"pixel", "clocks", "ceiling", "limited", "policy6 2188 of 2850", NULL},
    {"pixel", "heat", "throttling", "limited", "thermal-cpufreq-1", "cool"},
    {"pixel", "memory", "swap", "limited", "2783 MiB", NULL},
    {"pixel", "memory", "huge pages", "missing", "absent", NULL},

    {"docker", "power", "rapl", "missing", "masked", "systempaths"},
    {"docker", "counters", "hardware", "missing", "masked by a seccomp",
     "--cap-add PERFMON"},
    {"docker", "memory", "limit", "limited", "4096 MiB", "--memory"},
    {"docker", "clocks", "cpufreq", "missing", "absent", NULL},
    {"docker", "heat", "throttling", "missing", "absent", NULL},

    /* NVML by the tests' stand-in. */
    {"rtx-4090-2x", "power", "nvml", "ok",
     "gpu 00000000:01:00.0 (gpu-board), gpu 00000000:01:00.0 instant", NULL},
    {"rtx-4090-2x", "power", "rapl", "missing", "no permission", "udevadm"},
    {"rtx-4090-2x", "heat", "gpus", "ok", "gpu 00000000:C1:00.0 71 C", NULL},
    {"rtx-4090-2x", "heat", "throttling", "ok", "none now", NULL},
    {"rtx-4090-2x", "clocks", "cpufreq", "limited", "schedutil", "cpupower"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const cJSON *finding(const cJSON *report, const char *area,
                            const char *name)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(report, "findings"))
    {
        if (strcmp(eb_json_get_str(row, "area", ""), area) == 0 &&
            strcmp(eb_json_get_str(row, "name", ""), name) == 0)
            return row;
    }
    fail_msg("no finding %s %s", area, name);
    return NULL;
}

static void check_row(const cJSON *report, size_t i)
{
    const cJSON *row = finding(report, rows[i].area, rows[i].name);
    const char *detail = eb_json_get_str(row, "detail", "");
    const char *fix = eb_json_get_str(row, "fix", NULL);

    if (strcmp(eb_json_get_str(row, "state", ""), rows[i].state) != 0 ||
        strstr(detail, rows[i].detail) == NULL ||
        (rows[i].fix == NULL) != (fix == NULL) ||
        (fix != NULL && strstr(fix, rows[i].fix) == NULL))
        fail_msg("%s: %s %s is %s: %s (%s)", rows[i].machine, rows[i].area,
                 rows[i].name, eb_json_get_str(row, "state", ""), detail,
                 fix != NULL ? fix : "no fix");
}

static const char *const machines[] = {
    "orin-nano", "raspberry-pi-5", "intel-laptop", "amd-epyc",
    "pixel",     "docker",         "rtx-4090-2x"};
#define MACHINES (sizeof(machines) / sizeof(machines[0]))

static void test_machines(void **state)
{
    cJSON *report;
    size_t m, i;

    (void)state;
    for (m = 0; m < MACHINES; m++) {
        if (strcmp(machines[m], "rtx-4090-2x") == 0)
            setenv("EDGEBENCH_NVML",
                   EB_BINARY_DIR "/tests/plugins/nvml_stub.so", 1);
        report = eb_doctor_examine(machine_open(machines[m]));
        for (i = 0; i < ROWS; i++) {
            if (strcmp(rows[i].machine, machines[m]) == 0)
                check_row(report, i);
        }
        cJSON_Delete(report);
        machine_close();
    }
    unsetenv("EDGEBENCH_NVML");
}

/* Every finding that is missing opens with a reason of the record. */
static void test_reasons(void **state)
{
    static const char *const reasons[] = {"absent",       "no permission",
                                          "unsupported",  "masked",
                                          "out of range", "not measured"};
    const cJSON *row;
    cJSON *report;
    size_t m, k;
    int known;

    (void)state;
    for (m = 0; m <= MACHINES; m++) {
        report = eb_doctor_examine(m < MACHINES ? machine_open(machines[m])
                                                : machine_open(NULL));
        cJSON_ArrayForEach(row, cJSON_GetObjectItem(report, "findings"))
        {
            if (strcmp(eb_json_get_str(row, "state", ""), "missing") != 0)
                continue;
            for (known = 0, k = 0; k < sizeof(reasons) / sizeof(*reasons); k++)
                known |= strncmp(eb_json_get_str(row, "detail", ""), reasons[k],
                                 strlen(reasons[k])) == 0;
            if (!known)
                fail_msg("%s", eb_json_get_str(row, "detail", ""));
        }
        cJSON_Delete(report);
        machine_close();
    }
}

static char *findings_text(const char *root)
{
    cJSON *report = eb_doctor_examine(root);
    char *text = cJSON_Print(cJSON_GetObjectItem(report, "findings"));

    cJSON_Delete(report);
    return text;
}

/* A capture, examined, is the machine. */
static void test_replay(void **state)
{
    char to[96], cmd[160], *was, *is;
    struct eb_err err = {0};
    size_t m;
    int n;

    (void)state;
    for (m = 0; m < MACHINES; m++) {
        was = findings_text(machine_open(machines[m]));
        snprintf(to, sizeof(to), "%s-copy", machine_root);
        n = 0;
        if (eb_doctor_capture(machine_root, to, &n, &err) != 0)
            fail_msg("%s", err.msg);
        assert_true(n > 5);
        assert_int_equal(eb_doctor_capture(machine_root, to, NULL, &err),
                         EB_EUSAGE);
        is = findings_text(to);
        assert_string_equal(was, is);
        free(was);
        free(is);
        machine_close();
        snprintf(cmd, sizeof(cmd), "rm -rf '%s'", to);
        assert_int_equal(system(cmd), 0);
    }
}

static int grep(const char *dir, const char *word)
{
    char cmd[512];

    snprintf(cmd, sizeof(cmd),
             "grep -riq -e '%s' '%s' || find '%s' | grep -q "
             "-e '%s'",
             word, dir, dir, word);
    return system(cmd) == 0;
}

static void test_private(void **state)
{
    static const char *const words[] = {
        "30571",    "secrethost",       "0000000012345678", "dc-2c-26-01-02-03",
        "dc:2c:26", "0123456789abcdef", "6f1d3c5e",         "4711",
        "hunter2"};
    char to[96], cmd[160];
    struct eb_err err = {0};
    size_t i;

    (void)state;
    machine_open("intel-laptop"); /* with the serial number 30571 */
    machine_set("/etc/machine-id", "0123456789abcdef0123456789abcdef\\n");
    machine_set("/proc/sys/kernel/hostname", "secrethost\\n");
    machine_set("/proc/cpuinfo", "processor\\t: 0\\nmodel name\\t: "
                                 "X\\nSerial\\t\\t: 0000000012345678\\n");
    machine_set("/proc/self/status", "Name:\\tedgebench\\nSeccomp:\\t0\\nPid:"
                                     "\\t4711\\n");
    machine_set("/proc/self/environ", "PASSWORD=hunter2\\n");
    machine_set("/proc/self/cgroup",
                "0::/docker/0123456789abcdef0123456789abcdef/SecretHost-a\\n"
                "1:/6f1d3c5e-0b1a-4a53-9c1e-3f0a5b7c9d11/x\\n");
    machine_set("/sys/class/power_supply/hid-dc:2c:26:01:02:03-battery/type",
                "Battery\\n");
    machine_set("/sys/class/power_supply/BAT0/status",
                "from dc-2c-26-01-02-03 by secrethost.\\n");
    snprintf(to, sizeof(to), "%s-copy", machine_root);
    if (eb_doctor_capture(machine_root, to, NULL, &err) != 0)
        fail_msg("%s", err.msg);
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_true(grep(machine_root, words[i]));
        if (grep(to, words[i]))
            fail_msg("%s was kept", words[i]);
    }
    assert_true(grep(to, "synthetic: false"));
    assert_true(grep(to, "by xxxxxxxxxx"));
    machine_close();
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", to);
    assert_int_equal(system(cmd), 0);
}

/* The rails of a Raspberry Pi are asked of its command: on this machine of a
 * script, which also tells the machine's name. */
static void test_rails(void **state)
{
    char to[96], script[96], full[160], cmd[160], host[128];
    struct eb_buf rails = {0};
    struct eb_err err = {0};

    (void)state;
    machine_open(NULL);
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    snprintf(script, sizeof(script), "%s/vcgencmd", machine_root);
    machine_set("/vcgencmd", "#!/bin/sh\\necho VDD_CORE_A on $(uname -n) is "
                             "dc:2c:26:01:02:03\\n");
    assert_int_equal(seteuid(machine_was_root ? 0 : geteuid()), 0);
    assert_int_equal(chmod(script, 0755), 0);
    setenv("EDGEBENCH_VCGENCMD", script, 1);
    snprintf(to, sizeof(to), "%s-copy", machine_root);
    if (eb_doctor_capture("", to, NULL, &err) != 0)
        fail_msg("%s", err.msg);
    unsetenv("EDGEBENCH_VCGENCMD");
    snprintf(full, sizeof(full), "%s/vcgencmd/pmic_read_adc", to);
    assert_int_equal(eb_fs_read(full, 4096, &rails, NULL), 0);
    assert_non_null(strstr(rails.data, "VDD_CORE_A on "));
    assert_non_null(strstr(rails.data, "is xxxxxxxxxxxxxxxxx"));
    if (strlen(host) > 2)
        assert_null(strstr(rails.data, host));
    eb_buf_free(&rails);
    machine_close();
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", to);
    assert_int_equal(system(cmd), 0);
}

/* What a capture of this machine has of dumpsys, which is the script; "" if it
 * has nothing. The caller frees; why: the lines of SOURCE. */
static char *dumpsys_copy(const char *script, struct eb_buf *why)
{
    char to[96], path[160], cmd[160];
    struct eb_buf text = {0};
    struct eb_err err = {0};

    machine_open(NULL);
    snprintf(path, sizeof(path), "%s/dumpsys", machine_root);
    machine_set("/dumpsys", script);
    assert_int_equal(seteuid(machine_was_root ? 0 : geteuid()), 0);
    assert_int_equal(chmod(path, 0755), 0);
    setenv("EDGEBENCH_DUMPSYS", path, 1);
    snprintf(to, sizeof(to), "%s-copy", machine_root);
    if (eb_doctor_capture("", to, NULL, &err) != 0)
        fail_msg("%s", err.msg);
    unsetenv("EDGEBENCH_DUMPSYS");
    snprintf(path, sizeof(path), "%s/SOURCE", to);
    assert_int_equal(eb_fs_read(path, 4096, why, NULL), 0);
    snprintf(path, sizeof(path), "%s/dumpsys/thermalservice", to);
    eb_fs_read(path, 4096, &text, NULL);
    machine_close();
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", to);
    assert_int_equal(system(cmd), 0);
    return eb_buf_take(&text);
}

/* Android's thermal status is asked of its command. */
static void test_dumpsys(void **state)
{
    struct eb_buf why = {0};
    char *text;

    (void)state;
    text = dumpsys_copy("#!/bin/sh\\necho $1: Thermal Status: 2\\n"
                        "echo by dc:2c:26:01:02:03\\n",
                        &why);
    assert_non_null(strstr(text, "thermalservice: Thermal Status: 2"));
    assert_non_null(strstr(text, "by xxxxxxxxxxxxxxxxx"));
    free(text);
    eb_buf_reset(&why);
    text = dumpsys_copy("#!/bin/sh\\nexit 1\\n", &why);
    assert_string_equal(text, "");
    assert_non_null(strstr(why.data, "dumpsys thermalservice failed"));
    free(text);
    eb_buf_free(&why);
}

/* This machine: each area has a word to say. */
static void test_here(void **state)
{
    static const char *const areas[][2] = {
        {"counters", "hardware"}, {"counters", "software"},
        {"clocks", "cpufreq"},    {"heat", "temperature"},
        {"memory", "size"},       {"memory", "huge pages"},
        {"time", "clock source"}, {"engine", "drivers"},
        {"program", "spool"}};
    cJSON *report;
    size_t i;

    (void)state;
    setenv("EDGEBENCH_SPOOL", "/tmp/eb-doctor-spool", 1);
    report = eb_doctor_examine("");
    for (i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
        finding(report, areas[i][0], areas[i][1]);
    /* Without rights migrations are not counted; the others always are. */
    assert_string_not_equal(
        eb_json_get_str(finding(report, "counters", "software"), "state", ""),
        "missing");
    assert_string_equal(
        eb_json_get_str(finding(report, "program", "spool"), "state", ""),
        "ok");
    assert_true(eb_json_get_num(report, "wall_ns", 0) > 0);
    cJSON_Delete(report);
    rmdir("/tmp/eb-doctor-spool");
}

static void test_noise(void **state)
{
    cJSON *report = cJSON_CreateObject();
    const cJSON *v;

    (void)state;
    cJSON_AddArrayToObject(report, "findings");
    eb_doctor_noise("", report);
    v = cJSON_GetObjectItem(report, "noise");
    assert_true(eb_json_get_num(v, "lost_share", -1) >= 0);
    assert_true(eb_json_get_num(v, "wall_ns", 0) >= 1e9);
    finding(report, "noise", "interruptions");
    cJSON_Delete(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines), cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_replay),   cmocka_unit_test(test_private),
        cmocka_unit_test(test_rails),    cmocka_unit_test(test_dumpsys),
        cmocka_unit_test(test_here),     cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
