/* Power drivers on the trees of tests/fixtures/power and on trees that change
 * while they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/doctor.h"
#include "common/fs.h"
#include "tests/power_help.h"
#include "tests/power_tree_help.h"

struct machine {
    const char *name;
    const char *sensors;
    const char *scope;
    double watts; /* of the scope, constant in the tree; NAN: a counter */
};

static const struct machine machines[] = {
    {"intel-laptop",
     "battery battery battery battery; package-0 rapl package package; "
     "package-0/core rapl rail -; package-0/uncore rapl rail -; "
     "psys rapl module -",
     "battery", 8.25},
    {"amd-epyc-2s",
     "package-0 rapl package package; package-0/core rapl rail -; "
     "package-1 rapl package package; package-1/core rapl rail -",
     "package", NAN},
    {"intel-server-2s",
     "package-1 rapl package package; package-1/dram rapl rail package; "
     "package-0 rapl package package; package-0/dram rapl rail package",
     "package", NAN},
    {"orin-nano",
     "VDD_IN ina3221 module module; VDD_CPU_GPU_CV ina3221 rail -; "
     "VDD_SOC ina3221 rail -",
     "module", 7.44},
    {"agx-orin",
     "VDD_GPU_SOC ina3221 rail module; VDD_CPU_CV ina3221 rail module; "
     "VIN_SYS_5V0 ina3221 rail module; VDDQ_VDD2_1V8AO ina3221 rail -",
     "module", 7.6 + 2.28 + 5.0399},
    {"jetson-thor",
     "VDD_GPU ina3221 rail -; VDD_CPU_SOC_MSS ina3221 rail -; "
     "VIN_SYS_5V0 ina3221 rail -; VIN ina3221 module module",
     "module", 31.25},
    {"android-ma", "battery battery battery battery", "battery", 3.2725},
    {"two-batteries", "battery battery battery battery", "battery", 12},
    {"gpu-hwmon",
     "amdgpu 0000:03:00.0 hwmon gpu-board gpu-board; "
     "xe 0000:08:00.0 hwmon gpu-board gpu-board; "
     "amdgpu 0000:0a:00.0 hwmon package package",
     "package", 15}};

static void test_machines(void **state)
{
    char path[256], text[1024];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
        const struct machine *m = &machines[i];
        struct lab l = {0};
        cJSON *v;
        double j, s = strcmp(m->scope, "battery") == 0 ? 55 : 25;

        snprintf(path, sizeof(path), FIXTURE("%s"), m->name);
        assert_int_equal(lab_open(&l, path, NULL, EB_POWER_REQUIRE, NULL), 0);
        lab_window(&l, "whole", s);
        lab_pass(&l, 1);
        v = eb_power_json(l.p);
        sensors(v, text, sizeof(text));
        assert_string_equal(text, m->sensors);
        assert_string_equal(eb_json_get_str(v, "scope", ""), m->scope);
        j = eb_json_get_num(v, "energy_j", NAN);
        print_message("%s: %g J, %s\n", m->name, j,
                      eb_json_get_str(v, "energy_j_reason", ""));
        if (isnan(m->watts)) /* nothing moves in a recorded tree */
            assert_non_null(
                strstr(eb_json_get_str(v, "energy_j_reason", ""), "stuck"));
        else if (fabs(j / s - m->watts) > 0.001 * m->watts)
            fail_msg("%s: %g W", m->name, j / s);
        cJSON_Delete(v);
        eb_power_close(l.p);
    }
}

/* What doctor says of the same machines. */
static void test_doctor_says(void **state)
{
    static const struct {
        const char *machine, *driver, *state, *detail;
    } all[] = {
        {"intel-laptop", "battery", "ok", "battery (battery)"},
        {"intel-laptop", "rapl", "ok", "package-0 (package), package-0/core"},
        {"amd-epyc-2s", "rapl", "ok", "package-1 (package)"},
        {"intel-server-2s", "rapl", "ok", "package-0/dram (rail)"},
        {"orin-nano", "ina3221", "ok", "VDD_IN (module)"},
        {"agx-orin", "ina3221", "ok", "VIN_SYS_5V0 (rail)"},
        {"jetson-thor", "ina3221", "ok", "VIN (module)"},
        {"jetson-thor", "energy", NULL, NULL},
        {"android-ma", "battery", "ok", "battery (battery)"},
        {"android-charging", "battery", "limited", "pull the cable"},
        {"android-charging", "energy", "missing", "joules will be null"},
        {"two-batteries", "battery", "ok", "battery (battery)"},
        {"gpu-hwmon", "hwmon", "ok", "xe 0000:08:00.0 (gpu-board)"}};
    const cJSON *found;
    char path[256];
    cJSON *v;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        snprintf(path, sizeof(path), FIXTURE("%s"), all[i].machine);
        v = eb_doctor_examine(path);
        found = row(cJSON_GetObjectItem(v, "findings"), all[i].driver);
        if ((found == NULL) != (all[i].state == NULL) ||
            (found != NULL &&
             (strcmp(eb_json_get_str(found, "state", ""), all[i].state) != 0 ||
              strstr(eb_json_get_str(found, "detail", ""), all[i].detail) ==
                  NULL)))
            fail_msg("%s %s: %s", all[i].machine, all[i].driver,
                     eb_json_get_str(found, "detail", "no finding"));
        cJSON_Delete(v);
    }
}

static void test_gpu_choice(void **state)
{
    static const char *const pci[] = {"00000000:08:00.0"};
    struct lab l = {.hints = {.pci = pci, .n_pci = 1}};
    char text[512];
    cJSON *v;

    (void)state;
    lab_open(&l, FIXTURE("gpu-hwmon"), NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    sensors(v, text, sizeof(text));
    assert_string_equal(text, "xe 0000:08:00.0 hwmon gpu-board gpu-board");
    cJSON_Delete(v);
    eb_power_close(l.p);
    l.hints.n_pci = 0;
    lab_open(&l, FIXTURE("gpu-hwmon"), NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    assert_string_equal(driver_state(v, "hwmon"), "absent");
    cJSON_Delete(v);
    eb_power_close(l.p);
}

static void test_charging(void **state)
{
    struct lab l = {0};
    char text[320];
    struct eb_err err = {0};
    cJSON *v;

    (void)state;
    lab_open(&l, FIXTURE("android-charging"), NULL, EB_POWER_AUTO, NULL);
    eb_power_advice(l.p, text, sizeof(text));
    assert_non_null(strstr(text, "battery: "));
    assert_non_null(strstr(text, "pull the cable"));
    v = eb_power_json(l.p);
    assert_string_equal(driver_state(v, "battery"), "unsupported");
    assert_non_null(strstr(driver_reason(v, "battery"), "pull the cable"));
    assert_non_null(strstr(eb_json_get_str(v, "energy_j_reason", ""), "cable"));
    cJSON_Delete(v);
    eb_power_close(l.p);
    assert_int_equal(
        lab_open(&l, FIXTURE("android-charging"), NULL, EB_POWER_REQUIRE, &err),
        EB_ENODEV);
    assert_null(l.p);
    assert_non_null(strstr(err.msg, "cable"));
}

/* A meter that was named is missed also where a sensor measures. */
static void test_advice(void **state)
{
    struct lab l = {.hints = {.meter = "http://1.2.3.4"}};
    char text[320];

    (void)state;
    lab_open(&l, FIXTURE("orin-nano"), NULL, EB_POWER_AUTO, NULL);
    eb_power_advice(l.p, text, sizeof(text));
    assert_non_null(strstr(text, "meter: unsupported"));
    eb_power_close(l.p);
    l.hints.meter = "";
    lab_open(&l, FIXTURE("orin-nano"), NULL, EB_POWER_AUTO, NULL);
    eb_power_advice(l.p, text, sizeof(text));
    assert_string_equal(text, "");
    eb_power_close(l.p);
    eb_power_advice(NULL, text, sizeof(text));
    assert_string_equal(text, "");
}

/* The cable is plugged in while it runs. */
static void test_plugged_in(void **state)
{
    struct lab l = {0};
    struct eb_sampler_result r;

    (void)state;
    take("intel-laptop");
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    lab_window(&l, "cell", 60);
    eb_power_window_begin(l.p, "cell", NULL, NULL);
    lab_pass(&l, 30);
    put("/sys/class/power_supply/AC/online", "1\n");
    lab_pass(&l, 30);
    eb_power_window_end(l.p);
    r = lab_result(&l, 0, 0);
    assert_true(fabs(r.joules - 495) < 1);
    r = lab_result(&l, 1, 0);
    assert_true(isnan(r.joules));
    assert_non_null(strstr(r.reason, "external power"));
    eb_power_close(l.p);
}

/* Two sockets whose counters turn, a core part that must not be added. */
static void test_rapl_sum(void **state)
{
    const double range = 65532610987;
    struct lab l = {0};
    double a = 65000000000, b = 65100000000;
    cJSON *v;
    int i;

    (void)state;
    take("amd-epyc-2s");
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_AUTO, NULL), 0);
    lab_pass(&l, 0.01);
    for (i = 0; i < 1220; i++) { /* 100 W, 150 W */
        if (i == 10)
            eb_power_window_begin(l.p, "whole", NULL, NULL);
        if (i == 1210)
            eb_power_window_end(l.p);
        put("/sys/class/powercap/intel-rapl:0/energy_uj", "%.0f\n",
            fmod(a, range));
        put("/sys/class/powercap/intel-rapl:1/energy_uj", "%.0f\n",
            fmod(b, range));
        put("/sys/class/powercap/intel-rapl:0:0/energy_uj", "%.0f\n", a / 2);
        lab_pass(&l, 0.05);
        a += 100e6 * 0.05;
        b += 150e6 * 0.05;
    }
    assert_true(a > range && b > range);
    v = eb_power_json(l.p);
    assert_true(fabs(eb_json_get_num(v, "energy_j", 0) - 15000) < 150);
    assert_string_equal(eb_json_get_str(v, "scope", ""), "package");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(
                         cJSON_GetObjectItem(v, "best"), "sensors")),
                     2);
    assert_string_equal(driver_reason(v, "perf"),
                        "unused: rapl reads the same counters");
    cJSON_Delete(v);
    /* A sensor that goes takes the sum with it. */
    eb_power_reset(l.p);
    eb_power_window_begin(l.p, "whole", NULL, NULL);
    for (i = 0; i < 400; i++) {
        put("/sys/class/powercap/intel-rapl:0/energy_uj", "%.0f\n",
            fmod(a, range));
        if (i == 200)
            put("/sys/class/powercap/intel-rapl:1/energy_uj", "%s", "");
        else if (i < 200)
            put("/sys/class/powercap/intel-rapl:1/energy_uj", "%.0f\n",
                fmod(b, range));
        lab_pass(&l, 0.05);
        a += 100e6 * 0.05;
        b += 150e6 * 0.05;
    }
    eb_power_window_end(l.p);
    v = eb_power_json(l.p);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    assert_non_null(
        strstr(eb_json_get_str(v, "energy_j_reason", ""), "(package-1)"));
    cJSON_Delete(v);
    eb_power_close(l.p);
}

static void test_rapl_denied(void **state)
{
    struct lab l = {0};
    struct eb_err err = {0};
    uid_t me = geteuid();
    char path[128];
    cJSON *v;

    (void)state;
    take("amd-epyc-2s");
    snprintf(path, sizeof(path), "%s/sys/class/powercap/intel-rapl:1/energy_uj",
             root);
    assert_int_equal(chmod(path, 0), 0);
    /* Root may read everything: be somebody else for a moment. */
    if (me == 0)
        assert_int_equal(seteuid(65534), 0);
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    eb_power_close(l.p);
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, &err),
                     EB_EPERM);
    if (me == 0)
        assert_int_equal(seteuid(me), 0);
    assert_string_equal(driver_state(v, "rapl"), "no permission");
    assert_non_null(
        strstr(eb_json_get_str(v, "energy_j_reason", ""), "no permission"));
    assert_non_null(strstr(err.msg, "chmod o+r"));
    cJSON_Delete(v);
}

static void test_rapl_masked(void **state)
{
    struct lab l = {0};
    char path[128];
    cJSON *v;
    int i;

    (void)state;
    put("/sys/class/powercap/x", "");
    snprintf(path, sizeof(path), "%s/sys/class/powercap/intel-rapl:0", root);
    assert_int_equal(symlink("../../devices/virtual/powercap/intel-rapl/"
                             "intel-rapl:0",
                             path),
                     0);
    /* By the link alone, or with the empty folder that Docker puts there. */
    for (i = 0; i < 2; i++) {
        lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
        v = eb_power_json(l.p);
        assert_string_equal(driver_state(v, "rapl"), "masked");
        assert_non_null(
            strstr(eb_json_get_str(v, "energy_j_reason", ""), "container"));
        cJSON_Delete(v);
        eb_power_close(l.p);
        put("/sys/devices/virtual/powercap/x", "");
        snprintf(path, sizeof(path), "%s/sys/devices/virtual/powercap/x", root);
        unlink(path);
    }
}

/* Only the view by memory-mapped registers. */
static void test_rapl_mmio(void **state)
{
    struct lab l = {0};
    char text[128];
    cJSON *v;

    (void)state;
    put("/sys/class/powercap/intel-rapl-mmio:0/name", "package-0\n");
    put("/sys/class/powercap/intel-rapl-mmio:0/energy_uj", "12345\n");
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    sensors(v, text, sizeof(text));
    assert_string_equal(text, "package-0 rapl package package");
    cJSON_Delete(v);
    eb_power_close(l.p);
}

/* perf: descriptors of the test instead of the kernel's. */

/* A file of the count that the test writes: every read begins behind the last,
 * so it is written once for each read. */
static int perf_pipes[4][2];
static size_t perf_n;
static int perf_errno, perf_dead;

static void perf_count(size_t i, double joules, double unit)
{
    uint64_t count = (uint64_t)(joules / unit);

    assert_int_equal(write(perf_pipes[i][1], &count, sizeof(count)),
                     sizeof(count));
}

static int perf_fake(uint32_t type, uint64_t config, int cpu)
{
    int i;

    assert_int_equal(type, 15);
    assert_true(config == 2 || config == 3);
    assert_true(cpu == 0 || cpu == 18);
    if (perf_errno != 0) {
        errno = perf_errno;
        return -1;
    }
    assert_int_equal(pipe2(perf_pipes[perf_n], O_NONBLOCK), 0);
    /* Read when it is opened and when it is tried. */
    for (i = 0; i < 2; i++)
        perf_count(perf_n, perf_dead ? 0 : 1,
                   perf_n < 2 ? 2.3283064365386963e-10 : 1.52587890625e-05);
    return perf_pipes[perf_n++][0];
}

static void test_perf(void **state)
{
    struct lab l = {.hints = {.perf_open = perf_fake}};
    char cmd[128], text[512];
    double t = 0;
    size_t i;
    cJSON *v;

    (void)state;
    take("intel-server-2s");
    snprintf(cmd, sizeof(cmd), "rm -rf '%s/sys/class/powercap'", root);
    assert_int_equal(system(cmd), 0);
    perf_errno = EACCES;
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    assert_string_equal(driver_state(v, "perf"), "no permission");
    cJSON_Delete(v);
    eb_power_close(l.p);
    perf_errno = 0;
    perf_dead = 1;
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    assert_string_equal(driver_state(v, "perf"), "unsupported");
    cJSON_Delete(v);
    eb_power_close(l.p);
    for (i = 0; i < perf_n; i++)
        close(perf_pipes[i][1]);
    perf_n = 0;
    perf_dead = 0;
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    for (t = 0; t < 12; t += 0.1) {
        if (fabs(t - 1) < 0.01)
            eb_power_window_begin(l.p, "whole", NULL, NULL);
        if (fabs(t - 11) < 0.01)
            eb_power_window_end(l.p);
        /* 40 W, 60 W; dram 5 W, 5 W */
        perf_count(0, 2 + 40 * t, 2.3283064365386963e-10);
        perf_count(1, 2 + 60 * t, 2.3283064365386963e-10);
        perf_count(2, 2 + 5 * t, 1.52587890625e-05);
        perf_count(3, 2 + 5 * t, 1.52587890625e-05);
        eb_sampler_tick(eb_power_sampler(l.p));
        l.now_ns += 100000000;
    }
    v = eb_power_json(l.p);
    sensors(v, text, sizeof(text));
    assert_string_equal(text, "package-cpu0 perf package package; "
                              "package-cpu18 perf package package; "
                              "dram-cpu0 perf rail package; "
                              "dram-cpu18 perf rail package");
    assert_true(fabs(eb_json_get_num(v, "energy_j", 0) - 1100) < 15);
    cJSON_Delete(v);
    eb_power_close(l.p);
    for (i = 0; i < perf_n; i++)
        close(perf_pipes[i][1]);
}

/* The processors that count for the packages: all or none. */
static void test_perf_cpumask(void **state)
{
    static const struct {
        const char *mask, *says;
    } all[] = {{"0,18 \n", "no list of processors"},
               {"0-1;18\n", "no list of processors"},
               {"\n", "no list of processors"},
               {"0-8\n", "more than 8 packages"},
               {"0,18\n", "no permission"}};
    char cmd[128];
    size_t i;
    cJSON *v;

    (void)state;
    take("intel-server-2s");
    snprintf(cmd, sizeof(cmd), "rm -rf '%s/sys/class/powercap'", root);
    assert_int_equal(system(cmd), 0);
    perf_errno = EACCES;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        struct lab l = {.hints = {.perf_open = perf_fake}};

        put("/sys/bus/event_source/devices/power/cpumask", "%s", all[i].mask);
        lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
        v = eb_power_json(l.p);
        if (strstr(driver_reason(v, "perf"), all[i].says) == NULL)
            fail_msg("%s: %s", all[i].mask, driver_reason(v, "perf"));
        cJSON_Delete(v);
        eb_power_close(l.p);
    }
    perf_errno = 0;
}

static void test_nothing(void **state)
{
    static const char *const rows[][2] = {
        {"meter", "absent"}, {"battery", "absent"}, {"ina3221", "absent"},
        {"rapl", "absent"},  {"perf", "absent"},    {"nvml", "unsupported"},
        {"hwmon", "absent"}, {"odpm", "absent"},    {"rpi", "absent"}};
    struct lab l = {0};
    struct eb_err err = {0};
    cJSON *v;
    size_t i;

    (void)state;
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_AUTO, NULL), 0);
    eb_power_window_begin(l.p, "whole", NULL, NULL);
    eb_power_idle(l.p, 1000000); /* does not wait */
    eb_power_window_end(l.p);
    v = eb_power_json(l.p);
    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_string_equal(driver_state(v, rows[i][0]), rows[i][1]);
        assert_true(driver_reason(v, rows[i][0])[0] != '\0');
    }
    assert_null(row(cJSON_GetObjectItem(v, "drivers"), "fake"));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    assert_true(
        strncmp(eb_json_get_str(v, "energy_j_reason", ""), "absent", 6) == 0);
    cJSON_Delete(v);
    eb_power_close(l.p);
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, &err),
                     EB_ENODEV);
    assert_null(l.p);
    assert_true(err.msg[0] != '\0');
}

/* A zone of two whose file says nothing: the other's joules are not all. */
static void test_rapl_one_lost(void **state)
{
    struct lab l = {0};
    cJSON *v;

    (void)state;
    take("intel-server-2s");
    put("/sys/class/powercap/intel-rapl:0/energy_uj", "");
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    assert_string_equal(driver_state(v, "rapl"), "unsupported");
    assert_non_null(strstr(driver_reason(v, "rapl"), "one of the zones"));
    cJSON_Delete(v);
    eb_power_close(l.p);
}

/* A core's or the memory's counter alone is no energy of a run. */
static void test_part_only(void **state)
{
    struct lab l = {0};
    cJSON *v;

    (void)state;
    put("/sys/class/powercap/intel-rapl:0/name", "core\n");
    put("/sys/class/powercap/intel-rapl:0/energy_uj", "12345\n");
    put("/sys/class/powercap/intel-rapl:1/name", "dram\n");
    put("/sys/class/powercap/intel-rapl:1/energy_uj", "12345\n");
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, NULL),
                     EB_ENODEV);
    lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
    v = eb_power_json(l.p);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    cJSON_Delete(v);
    eb_power_close(l.p);
}

static void test_off(void **state)
{
    struct eb_power *p;
    cJSON *v;

    (void)state;
    assert_int_equal(eb_power_open("", EB_POWER_OFF, NULL, &p, NULL), 0);
    eb_power_window_begin(p, "whole", NULL, NULL);
    v = eb_power_json(p);
    assert_string_equal(eb_json_get_str(v, "energy_j_reason", ""),
                        "not measured: --power off");
    cJSON_Delete(v);
    eb_power_close(p);
    v = eb_power_json(NULL);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    cJSON_Delete(v);
    eb_power_window_begin(NULL, "whole", NULL, NULL);
    eb_power_window_end(NULL);
    eb_power_reset(NULL);
    eb_power_close(NULL);
    assert_int_equal(eb_power_mode_parse("require"), EB_POWER_REQUIRE);
    assert_int_equal(eb_power_mode_parse("on"), -1);
}

/* Wall before module before package; one that failed does not win. */
static void test_best(void **state)
{
    struct lab l = {0};
    const char *spec = "w=90,scope=wall,name=plug;"
                       "w=20,scope=package,name=p0,kind=counter;"
                       "w=30,scope=package,name=p1,kind=counter";
    cJSON *v;

    (void)state;
    lab_open(&l, root, spec, EB_POWER_AUTO, NULL);
    lab_window(&l, "idle", 10);
    lab_window(&l, "whole", 10);
    lab_pass(&l, 1);
    v = eb_power_json(l.p);
    assert_string_equal(eb_json_get_str(v, "scope", ""), "wall");
    assert_true(fabs(eb_json_get_num(v, "energy_j", 0) - 900) < 1);
    assert_true(
        fabs(eb_json_get_num(cJSON_GetObjectItem(v, "idle"), "mean_w", 0) -
             90) < 0.1);
    cJSON_Delete(v);
    eb_power_close(l.p);
    lab_open(&l, root,
             "w=90,scope=wall,fault=vanish,at=15;"
             "w=20,scope=package,name=p0,kind=counter;"
             "w=30,scope=package,name=p1,kind=counter",
             EB_POWER_AUTO, NULL);
    lab_window(&l, "idle", 10);
    lab_window(&l, "whole", 10);
    lab_pass(&l, 1);
    v = eb_power_json(l.p);
    assert_string_equal(eb_json_get_str(v, "scope", ""), "package");
    assert_true(fabs(eb_json_get_num(v, "energy_j", 0) - 500) < 1);
    cJSON_Delete(v);
    eb_power_close(l.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_doctor_says),
        cmocka_unit_test(test_gpu_choice),
        cmocka_unit_test(test_charging),
        cmocka_unit_test(test_advice),
        cmocka_unit_test_setup_teardown(test_plugged_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rapl_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rapl_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rapl_masked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rapl_one_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rapl_mmio, setup, teardown),
        cmocka_unit_test_setup_teardown(test_perf, setup, teardown),
        cmocka_unit_test_setup_teardown(test_perf_cpumask, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_part_only, setup, teardown),
        cmocka_unit_test(test_off),
        cmocka_unit_test_setup_teardown(test_best, setup, teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
