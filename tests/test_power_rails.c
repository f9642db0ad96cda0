/* Rails: Pixel's power monitor, the Raspberry Pi 5's PMIC, Apple's IOReport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/wait.h>

#include "agent/doctor.h"
#include "agent/power_ioreport.h"
#include "agent/power_rpi.h"
#include "common/buf.h"
#include "common/fs.h"
#include "tests/power_help.h"
#include "tests/power_tree_help.h"

static void near_to(double got, double want)
{
    if (isnan(got) || fabs(got - want) > 0.002 * fabs(want))
        fail_msg("%g, not %g", got, want);
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static const cJSON *doctor_row(const cJSON *report, const char *name)
{
    return row(cJSON_GetObjectItem(report, "findings"), name);
}

/* Runs as nobody, for whom files may be unreadable. */
static void as_nobody(int on)
{
    static uid_t me;

    if (on && (me = geteuid()) == 0)
        assert_int_equal(seteuid(65534), 0);
    if (!on && me == 0)
        assert_int_equal(seteuid(0), 0);
}

/* Pixel */

#define IIO "/sys/bus/iio/devices/iio:device"

static const struct {
    const char *name;
    double w;
} pixel[2][8] = {{{"S10M_VDD_TPU", 0},
                  {"VSYS_PWR_MODEM", 0.1},
                  {"VSYS_PWR_RFFE", 0.05},
                  {"S2M_VDD_CPUCL2", 3},
                  {"S3M_VDD_CPUCL1", 0.5},
                  {"S4M_VDD_CPUCL0", 0.25},
                  {"S5M_VDD_INT", 0.25},
                  {"S1M_VDD_MIF", 1}},
                 {{"VSYS_PWR_WLAN_BT", 0.2},
                  {"L2S_VDD_AOC_RET", 0.02},
                  {"S9S_VDD_AOC", 0.1},
                  {"S5S_VDDQ_MEM", 0.3},
                  {"S10S_VDD2L", 0.15},
                  {"S4S_VDD2H_MEM", 0.2},
                  {"S2S_VDD_G3D", 0},
                  {"L9S_GNSS_CORE", 0.5}}}; /* not enabled */

/* Of the bucks and the loads at the battery that are enabled. */
#define PIXEL_W (5.15 + 0.95)

/* What a chip says of a moment; behind_ms, more_uj: CPUCL2 has counted for less
 * time, and more. */
static void pixel_put_odd(int chip, int64_t ns, int64_t behind_ms,
                          double more_uj)
{
    struct eb_buf b = {0};
    int64_t ms = ns / 1000000;
    int i;

    eb_buf_addf(&b, "t=%lld\n", (long long)ms);
    for (i = 0; i < 8; i++)
        eb_buf_addf(
            &b, "CH%d(T=%lld)[%s], %.0f\n", i,
            (long long)(i == 3 ? ms - behind_ms : ms), pixel[chip][i].name,
            5e6 + pixel[chip][i].w * (double)ms * 1e3 + (i == 3 ? more_uj : 0));
    put(chip == 0 ? IIO "0/energy_value" : IIO "1/energy_value", "%s", b.data);
    eb_buf_free(&b);
}

static void pixel_put(int chip, int64_t ns)
{
    pixel_put_odd(chip, ns, 0, 0);
}

/* So many tenths of a second; the chips were asked a little before. */
static void pixel_pass(struct lab *l, int tenths)
{
    while (tenths-- > 0) {
        pixel_put(0, l->now_ns - 40000000);
        pixel_put(1, l->now_ns - 20000000);
        lab_pass(l, 0.1);
    }
}

static void pixel_open(struct lab *l)
{
    take("pixel-6");
    l->now_ns = INT64_C(5000000000000);
    pixel_put(0, l->now_ns - 100000000);
    pixel_put(1, l->now_ns - 100000000);
    assert_int_equal(lab_open(l, root, NULL, EB_POWER_REQUIRE, NULL), 0);
}

static const cJSON *sensor_window(const cJSON *v, const char *sensor)
{
    return row(cJSON_GetObjectItem(
                   row(cJSON_GetObjectItem(v, "sensors"), sensor), "windows"),
               "whole");
}

static void test_pixel(void **state)
{
    const cJSON *chip, *w;
    struct lab l = {0};
    char text[2048];
    cJSON *v;

    (void)state;
    pixel_open(&l);
    pixel_pass(&l, 10);
    eb_power_window_begin(l.p, "whole", NULL, NULL);
    pixel_pass(&l, 200);
    eb_power_window_end(l.p);
    pixel_pass(&l, 10);
    v = eb_power_json(l.p);
    sensors(v, text, sizeof(text));
    has(text, "s2mpg10-odpm rails odpm rail rail; S10M_VDD_TPU Tensor odpm "
              "rail -; ");
    has(text, "s2mpg11-odpm rails odpm rail rail; VSYS_PWR_WLAN_BT WLAN odpm "
              "rail -; L2S_VDD_AOC_RET AOC odpm rail -");
    assert_null(strstr(text, "GNSS"));
    assert_string_equal(eb_json_get_str(v, "scope", ""), "rail");
    near_to(eb_json_get_num(v, "energy_j", NAN), 20 * PIXEL_W);
    near_to(
        eb_json_get_num(sensor_window(v, "S2M_VDD_CPUCL2 CPU"), "joules", NAN),
        60);
    /* Off: not 0 J, but a value that did not move. */
    w = sensor_window(v, "S10M_VDD_TPU Tensor");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(w, "joules")));
    has(eb_json_get_str(w, "reason", ""), "stuck");
    chip = cJSON_GetArrayItem(
        cJSON_GetObjectItem(row(cJSON_GetObjectItem(v, "drivers"), "odpm"),
                            "chips"),
        1);
    assert_string_equal(eb_json_get_str(chip, "summed", ""),
                        "VSYS_PWR_WLAN_BT, S9S_VDD_AOC, S5S_VDDQ_MEM, "
                        "S10S_VDD2L, S4S_VDD2H_MEM, S2S_VDD_G3D");
    assert_string_equal(eb_json_get_str(chip, "sampling_rate_hz", ""),
                        "250.000000");
    cJSON_Delete(v);
    eb_power_close(l.p);
}

/* Nothing is read for a while, then the counters are where they would be. */
static void test_pixel_pause(void **state)
{
    static const char *const pauses[] = {"", "kernel was busy\n"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
        struct lab l = {0};
        cJSON *v;

        pixel_open(&l);
        pixel_pass(&l, 10);
        eb_power_window_begin(l.p, "whole", NULL, NULL);
        pixel_pass(&l, 50);
        put(IIO "0/energy_value", "%s", pauses[i]);
        lab_pass(&l, 1);
        pixel_pass(&l, 140);
        eb_power_window_end(l.p);
        pixel_pass(&l, 10);
        v = eb_power_json(l.p);
        near_to(eb_json_get_num(v, "energy_j", NAN), 20 * PIXEL_W);
        cJSON_Delete(v);
        eb_power_close(l.p);
    }
}

enum pixel_fault {
    PIXEL_BACKWARDS,
    PIXEL_RESTART,
    PIXEL_EXCHANGED,
    PIXEL_TIME,
    PIXEL_VANISHED,
    PIXEL_GARBAGE,
    PIXEL_EMPTY,
    PIXEL_DENIED,
    PIXEL_FAULTS
};

static void pixel_fault(struct lab *l, enum pixel_fault fault)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s", root, IIO "0/energy_value");
    switch (fault) {
    case PIXEL_BACKWARDS:
        pixel_put_odd(0, l->now_ns, 0, -1e6); /* the other rails go on */
        break;
    case PIXEL_RESTART: /* and it has counted further than it was */
        pixel_put_odd(0, l->now_ns, 4999000, 1000);
        break;
    case PIXEL_EXCHANGED:
        put(IIO "0/energy_value",
            "t=%lld\nCH3(T=5000000)[S8M_VDD_OTHER], 99999999999\n",
            (long long)(l->now_ns / 1000000));
        break;
    case PIXEL_TIME:
        pixel_put(0, l->now_ns - INT64_C(60000000000));
        break;
    case PIXEL_VANISHED:
        unlink(path);
        break;
    case PIXEL_GARBAGE:
        put(IIO "0/energy_value", "t=1\nCH0(T=1)[S10M_VDD_TPU] 77\n");
        break;
    case PIXEL_EMPTY:
        put(IIO "0/energy_value", "%s", "");
        break;
    default:
        assert_int_equal(chmod(path, 0), 0);
    }
}

/* In mid-window and until its end. */
static void test_pixel_faults(void **state)
{
    static const char *const reasons[] = {
        "out of range: the sensor gave a value that cannot be",
        "out of range: the sensor gave a value that cannot be",
        "absent: the sensor vanished",
        "out of range: the sensor gave a value that cannot be",
        "absent: the sensor vanished",
        "unsupported: the sensor gave no number",
        "not measured: the sensor was busy",
        "no permission: the sensor may not be read"};
    int f;

    (void)state;
    for (f = 0; f < PIXEL_FAULTS; f++) {
        struct lab l = {0};
        cJSON *v;

        pixel_open(&l);
        pixel_pass(&l, 10);
        eb_power_window_begin(l.p, "whole", NULL, NULL);
        pixel_pass(&l, 50);
        pixel_fault(&l, (enum pixel_fault)f);
        as_nobody(1);
        lab_pass(&l, 5);
        as_nobody(0);
        eb_power_window_end(l.p);
        v = eb_power_json(l.p);
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
        assert_false(cJSON_IsTrue(cJSON_GetObjectItem(v, "valid")));
        has(eb_json_get_str(v, "energy_j_reason", ""), reasons[f]);
        cJSON_Delete(v);
        eb_power_close(l.p);
        assert_int_equal(teardown(NULL), 0);
        assert_int_equal(setup(NULL), 0);
    }
}

/* A rail that began again is lost for the run, also when it goes on well. */
static void test_pixel_restarted(void **state)
{
    struct lab l = {0};
    cJSON *v;
    int i;

    (void)state;
    pixel_open(&l);
    pixel_pass(&l, 10);
    pixel_fault(&l, PIXEL_RESTART);
    lab_pass(&l, 0.2);
    eb_power_window_begin(l.p, "whole", NULL, NULL);
    for (i = 0; i < 100; i++)
        pixel_pass(&l, 1);
    eb_power_window_end(l.p);
    v = eb_power_json(l.p);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    has(eb_json_get_str(v, "energy_j_reason", ""), "out of range");
    cJSON_Delete(v);
    eb_power_close(l.p);
}

/* What a file must say when the driver is opened. */
static void test_pixel_texts(void **state)
{
    static const struct {
        const char *energy, *enabled, *state;
    } texts[] = {
        {"349894\nCPU, 30203502\nGPU, 1\n", "CH0[CPU]:CPU\n", "used"},
        {"349894\nCH0[CPU], 30203502\n", "CH0[CPU]\n", "used"},
        {"t=1\nCH0(T=1)[CPU], 5\n", "CH0[CPU]:CPU\nCH1[CPU]:CPU\n", "used"},
        {"t=1\nCH0(T=1)[CPU], 5\n", "CH0[GPU]:GPU\n", "unsupported"},
        {"t=1\nCH0(T=1)[CPU], 5\n", "", "unsupported"},
        {"t=1\nCH0(T=1)[CPU], 5\n", "CH0\n", "unsupported"},
        {"", "CH0[CPU]:CPU\n", "not measured"},
        {"\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=\nCH0(T=1)[CPU], 5\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=-1\nCH0(T=1)[CPU], 5\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=1\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=1\nCH0(T=1)[CPU], -5\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=1\nCH0(T=1)[CPU], 5 J\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=1\nCH0(T=1)[CPU, 5\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=1\nCH0(T=1)[], 5\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=1\nCH0(T=x)[CPU], 5\n", "CH0[CPU]:CPU\n", "unsupported"},
        {"t=1\nCH0(T=1)[CPU]\n", "CH0[CPU]:CPU\n", "unsupported"},
        /* of 64 bits, and more */
        {"t=1\nCH0(T=1)[CPU], 9223372036854775807\n", "CH0[CPU]:CPU\n",
         "out of range"},
        {"t=1\nCH0(T=1)[CPU], 18446744073709551617\n", "CH0[CPU]:CPU\n",
         "out of range"},
        {"t=9223372036854775807\nCH0(T=1)[CPU], 5\n", "CH0[CPU]:CPU\n",
         "out of range"},
        {"t=1\na, 1\nb, 1\nc, 1\nd, 1\ne, 1\nf, 1\ng, 1\nh, 1\ni, 1\n",
         "CH0[a]\n", "unsupported"}};
    size_t i;

    (void)state;
    put(IIO "0/name", "s2mpg14-odpm\n");
    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct lab l = {0};
        cJSON *v;

        put(IIO "0/energy_value", "%s", texts[i].energy);
        put(IIO "0/enabled_rails", "%s", texts[i].enabled);
        lab_open(&l, root, NULL, EB_POWER_AUTO, NULL);
        v = eb_power_json(l.p);
        if (strcmp(driver_state(v, "odpm"), texts[i].state) != 0)
            fail_msg("%zu: %s: %s", i, driver_state(v, "odpm"),
                     driver_reason(v, "odpm"));
        cJSON_Delete(v);
        eb_power_close(l.p);
    }
}

static void test_pixel_denied(void **state)
{
    struct lab l = {0};
    struct eb_err err = {0};
    char path[256];
    cJSON *report;

    (void)state;
    take("pixel-6");
    report = eb_doctor_examine(root);
    assert_string_equal(
        eb_json_get_str(doctor_row(report, "odpm"), "state", ""), "ok");
    has(eb_json_get_str(doctor_row(report, "odpm"), "detail", ""),
        "s2mpg10-odpm rails (rail), S10M_VDD_TPU Tensor (rail)");
    cJSON_Delete(report);
    snprintf(path, sizeof(path), "%s%s", root, IIO "1/energy_value");
    assert_int_equal(chmod(path, 0), 0);
    as_nobody(1);
    /* One chip that may be read is not enough: its sum is another. */
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, &err),
                     EB_EPERM);
    report = eb_doctor_examine(root);
    as_nobody(0);
    has(err.msg, "iio:device1/energy_value");
    has(eb_json_get_str(doctor_row(report, "odpm"), "fix", ""), "root");
    cJSON_Delete(report);
}

/* Raspberry Pi */

static void test_pmic_parse(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t uw;
        size_t rails;
    } texts[] = {
        {"VDD_CORE_A current(7)=2.0A\nVDD_CORE_V volt(15)=0.75V\n", 0, 1500000,
         1},
        {"\n  VDD_CORE_V volt(15)=0.75V\r\n  VDD_CORE_A current(7)=2.0A  \n"
         "EXT5V_V volt(24)=5.1V\nBATT_V volt(25)=nanV\nX_A current(9)=7.0A",
         0, 1500000, 1},
        {"VDD_CORE_A current(7)=2.0A\nVDD_CORE_V volt(15)=0.75V\n"
         "HDMI_A current(22)=0.1A\nHDMI_V volt(23)=5.0V\n",
         0, 2000000, 2},
        {"", EB_EPARSE, 0, 0},
        {"error=1 error_msg=\"Command not registered\"\n", EB_EPARSE, 0, 0},
        {"VDD_CORE_A current(7)=2.0A\n", EB_EPARSE, 0, 0},
        {"HDMI_A current(22)=0.1A\nHDMI_V volt(23)=5.0V\n", EB_EPARSE, 0, 0},
        {"VDD_CORE_A current(7)=2.0V\nVDD_CORE_V volt(15)=0.7V\n", EB_EPARSE, 0,
         0},
        {"VDD_CORE_A volt(7)=2.0A\nVDD_CORE_V volt(15)=0.7V\n", EB_EPARSE, 0,
         0},
        {"VDD_CORE_A current(7)=2.0\nVDD_CORE_V volt(15)=0.7V\n", EB_EPARSE, 0,
         0},
        {"VDD_CORE_A current(7)=1.2.3A\nVDD_CORE_V volt(15)=0.7V\n", EB_EPARSE,
         0, 0},
        {"VDD_CORE_A current(7)=2.0A x\nVDD_CORE_V volt(15)=0.7V\n", EB_EPARSE,
         0, 0},
        {"VDD_CORE_A current(7)=2.0A\nVDD_CORE_A current(7)=2.0A\n"
         "VDD_CORE_V volt(15)=0.7V\n",
         EB_EPARSE, 0, 0},
        {"VDD_CORE_A current(7)=nanA\nVDD_CORE_V volt(15)=0.7V\n", EB_EINVAL, 0,
         0},
        {"VDD_CORE_A current(7)=-1.0A\nVDD_CORE_V volt(15)=0.7V\n", EB_EINVAL,
         0, 0},
        {"VDD_CORE_A current(7)=1.0A\nVDD_CORE_V volt(15)=700V\n", EB_EINVAL, 0,
         0},
        {"VDD_CORE_A current(7)=0.0A\nVDD_CORE_V volt(15)=0.7V\n", EB_EINVAL, 0,
         0}};
    struct eb_rpi_pmic p;
    size_t i;
    int rc;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        rc = eb_rpi_pmic_parse(texts[i].text, &p);
        if (rc != texts[i].rc ||
            (rc == 0 && (p.uw != texts[i].uw || p.rails != texts[i].rails)))
            fail_msg("%zu: %d, %lld uW of %zu", i, rc, (long long)p.uw,
                     p.rails);
    }
    assert_int_equal(eb_rpi_pmic_parse(texts[1].text, &p), 0);
    assert_string_equal(p.names, "VDD_CORE");
    assert_string_equal(p.single, "EXT5V, BATT, X");
}

#define PMIC "/vcgencmd/pmic_read_adc"

static cJSON *pi_run(struct lab *l, double s)
{
    lab_window(l, "whole", s);
    lab_pass(l, 1);
    return eb_power_json(l->p);
}

static void test_pi(void **state)
{
    const cJSON *d;
    struct lab l = {0};
    char text[256];
    cJSON *v;

    (void)state;
    setenv("EDGEBENCH_VCGENCMD", "/bin/false", 1);
    take("raspberry-pi-5");
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, NULL), 0);
    v = pi_run(&l, 20);
    sensors(v, text, sizeof(text));
    assert_string_equal(text, "pmic rails rpi rail rail");
    assert_string_equal(eb_json_get_str(v, "scope", ""), "rail");
    near_to(eb_json_get_num(v, "energy_j", NAN), 20 * 5.29);
    d = row(cJSON_GetObjectItem(v, "drivers"), "rpi");
    has(eb_json_get_str(d, "rails", ""), "0V8_SW, VDD_CORE, 3V3_DAC");
    assert_string_equal(eb_json_get_str(d, "rails_not_counted", ""),
                        "EXT5V, BATT");
    cJSON_Delete(v);
    eb_power_close(l.p);
    v = eb_doctor_examine(root);
    assert_string_equal(eb_json_get_str(doctor_row(v, "rpi"), "state", ""),
                        "ok");
    has(eb_json_get_str(doctor_row(v, "rpi"), "detail", ""),
        "pmic rails (rail)");
    has(eb_json_get_str(doctor_row(v, "board"), "fix", ""), "meter");
    cJSON_Delete(v);
    unsetenv("EDGEBENCH_VCGENCMD");
}

/* In mid-run and until its end. */
static void test_pi_faults(void **state)
{
    static const struct {
        const char *text, *reason; /* NULL: the file vanishes */
    } faults[] = {{"VDD_CORE_A current(7)=2.0A\nVDD_CORE_V volt(15)=0.75V\n",
                   "out of range"}, /* fewer rails */
                  {"garbage\n", "unsupported: the sensor gave no number"},
                  {"", "unsupported: the sensor gave no number"},
                  {NULL, "absent: the sensor vanished"}};
    char path[256];
    size_t i;

    (void)state;
    snprintf(path, sizeof(path), "%s%s", root, PMIC);
    for (i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        struct lab l = {0};
        cJSON *v;

        take("raspberry-pi-5");
        assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, NULL), 0);
        eb_power_window_begin(l.p, "whole", NULL, NULL);
        lab_pass(&l, 10);
        if (faults[i].text != NULL)
            put(PMIC, "%s", faults[i].text);
        else
            assert_int_equal(unlink(path), 0);
        lab_pass(&l, 10);
        eb_power_window_end(l.p);
        v = eb_power_json(l.p);
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
        has(eb_json_get_str(v, "energy_j_reason", ""), faults[i].reason);
        cJSON_Delete(v);
        eb_power_close(l.p);
    }
}

/* The command itself, as scripts. */

static const char *pi_script(const char *body)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/vcgencmd-test", root);
    put("/vcgencmd-test", "#!/bin/sh\n%s\n", body);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static void pi_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_pi_command(void **state)
{
    static const char body[] = "[ \"$1\" = pmic_read_adc ] && [ $# = 1 ] && "
                               "cat \"${0%/*}/vcgencmd/pmic_read_adc\"";
    struct lab l = {0};
    cJSON *v;

    (void)state;
    take("raspberry-pi-5");
    l.hints.vcgencmd = pi_script(body);
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, NULL), 0);
    v = pi_run(&l, 5);
    near_to(eb_json_get_num(v, "energy_j", NAN), 5 * 5.29);
    cJSON_Delete(v);
    /* It fails from now on. */
    eb_power_reset(l.p);
    pi_script("exit 1");
    v = pi_run(&l, 5);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    has(eb_json_get_str(v, "energy_j_reason", ""),
        "not measured: reading the sensor failed");
    cJSON_Delete(v);
    eb_power_close(l.p);
    pi_no_children();
}

static void test_pi_commands(void **state)
{
    static const struct {
        const char *body, *reason;
    } bodies[] = {
        {NULL, "absent: no /"},
        {"exit 1", "unsupported: "},
        {"cat \"${0%/*}/vcgencmd/pmic_read_adc\"; exit 3", "unsupported: "},
        {"echo 'error=1 error_msg=\"Command not registered\"'",
         "unsupported: "},
        {"while echo VDD_CORE_A; do :; done", "unsupported: "},
        {"kill -9 $$", "unsupported: "},
        /* hangs; has ended but left a child with its output */
        {"mkfifo \"$0.fifo\"; cat \"$0.fifo\"", "not measured: "},
        {"cat \"$0.fifo\" & exit 0", "not measured: "}};
    struct eb_err err;
    size_t i;

    (void)state;
    take("raspberry-pi-5");
    for (i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        struct lab l = {0};
        cJSON *v;

        memset(&err, 0, sizeof(err));
        l.hints.vcgencmd =
            bodies[i].body != NULL ? pi_script(bodies[i].body) : "/no/such";
        lab_open(&l, root, NULL, EB_POWER_AUTO, &err);
        v = eb_power_json(l.p);
        if (strncmp(driver_reason(v, "rpi"), bodies[i].reason,
                    strlen(bodies[i].reason)) != 0)
            fail_msg("%zu: %s", i, driver_reason(v, "rpi"));
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
        cJSON_Delete(v);
        eb_power_close(l.p);
        pi_no_children();
    }
}

/* The command hangs from some time on: it is asked a few times more, then not
 * again, and the record says so. */
static void test_pi_hangs(void **state)
{
    static const char body[] =
        "echo >>\"$0.asked\"\n"
        "[ -e \"$0.hang\" ] && { mkfifo \"$0.fifo\"; cat \"$0.fifo\"; }\n"
        "cat \"${0%/*}/vcgencmd/pmic_read_adc\"";
    struct lab l = {0};
    const cJSON *d;
    struct eb_buf asked = {0};
    char path[128];
    cJSON *v;

    (void)state;
    take("raspberry-pi-5");
    l.hints.vcgencmd = pi_script(body);
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, NULL), 0);
    put("/vcgencmd-test.hang", "");
    put("/vcgencmd-test.asked", "");
    v = pi_run(&l, 20);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "energy_j")));
    has(eb_json_get_str(v, "energy_j_reason", ""),
        "not measured: the sensor answered too late");
    d = row(cJSON_GetObjectItem(v, "drivers"), "rpi");
    has(eb_json_get_str(d, "dropped", ""), "did not end in time");
    cJSON_Delete(v);
    eb_power_close(l.p);
    pi_no_children();
    snprintf(path, sizeof(path), "%s/vcgencmd-test.asked", root);
    assert_int_equal(eb_fs_read(path, 64, &asked, NULL), 0);
    assert_int_equal(asked.len, 4);
    eb_buf_free(&asked);
}

static void test_pi_denied(void **state)
{
    struct lab l = {0};
    struct eb_err err = {0};
    const char *path = pi_script("exit 0");

    (void)state;
    assert_int_equal(chmod(path, 0644), 0);
    l.hints.vcgencmd = path;
    assert_int_equal(lab_open(&l, root, NULL, EB_POWER_REQUIRE, &err),
                     EB_EPERM);
    has(err.msg, "no permission: ");
}

/* IOReport */

static void test_ioreport_unit(void **state)
{
    static const struct {
        const char *label;
        int rc;
        int64_t nj;
    } units[] = {{"mJ", 0, 1000000},    {"uJ", 0, 1000},
                 {"nJ", 0, 1},          {" mJ  ", 0, 1000000},
                 {"", EB_EPARSE, 0},    {"J", EB_EPARSE, 0},
                 {"pJ", EB_EPARSE, 0},  {"mJx", EB_EPARSE, 0},
                 {"m J", EB_EPARSE, 0}, {"24Mticks", EB_EPARSE, 0}};
    int64_t nj = 0;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
        assert_int_equal(eb_ioreport_unit(units[i].label, &nj), units[i].rc);
        if (units[i].rc == 0)
            assert_int_equal(nj, units[i].nj);
    }
}

#define EM "Energy Model"

/* 1 J each; what must not count has other names. */
static const struct {
    const char *what;
    struct eb_ioreport_channel channels[10];
    int rc;
    double joules[EB_IOREPORT_PARTS]; /* after it counted once as much */
} chips[] = {{"one die",
              {{EM, "ECPU0", "mJ", 100},
               {EM, "PCPU", "mJ", 700},
               {EM, "CPU Energy", "mJ", 1000},
               {EM, "GPU", "mJ", 2000},
               {EM, "GPU Energy", "nJ", 2000000000},
               {EM, "GPU SRAM", "mJ", 50},
               {EM, "ANE", "mJ", 0},
               {EM, "DRAM", "uJ", 500000},
               {"PMP", "CPU Energy", "mJ", 77}},
              0,
              {1, 2, 0, 0.5}},
             {"two dies",
              {{EM, "DIE_0_CPU Energy", "mJ", 1000},
               {EM, "DIE_1_CPU Energy", "mJ", 3000},
               {EM, "DIE_x_CPU Energy", "mJ", 9},
               {EM, "DIE_1_ECPU0", "mJ", 9},
               {EM, "GPU Energy", "nJ", 1000000000},
               {EM, "ANE0", "mJ", 10},
               {EM, "ANE1", "mJ", 20},
               {EM, "DRAM0", "mJ", 100},
               {EM, "DRAM1", "mJ", 200}},
              0,
              {4, 1, 0.03, 0.3}},
             {"totals and their pieces",
              {{EM, "CPU Energy", "mJ", 4000},
               {EM, "DIE_0_CPU Energy", "mJ", 1000},
               {EM, "DIE_1_CPU Energy", "mJ", 3000},
               {EM, "ANE", "mJ", 30},
               {EM, "ANE0", "mJ", 10},
               {EM, "ANE1", "mJ", 20}},
              0,
              {4, 0, 0.03, 0}},
             {"no processor", {{EM, "GPU Energy", "nJ", 1}}, EB_ENODEV, {0}},
             {"unknown unit of one that counts",
              {{EM, "CPU Energy", "mJ", 1}, {EM, "GPU Energy", "pJ", 1}},
              EB_EPARSE,
              {0}},
             {"unknown unit of another",
              {{EM, "CPU Energy", " mJ ", 1000}, {EM, "DISP", "pJ", 1}},
              0,
              {1, 0, 0, 0}}};

static void test_ioreport_pick(void **state)
{
    struct eb_ioreport_channel now[10];
    struct eb_ioreport_sum s;
    struct eb_err err;
    size_t i, k;
    int p, rc;

    (void)state;
    for (i = 0; i < sizeof(chips) / sizeof(*chips); i++) {
        err.msg[0] = '\0';
        rc = eb_ioreport_pick(&s, chips[i].channels, 10, &err);
        if (rc != chips[i].rc)
            fail_msg("%s: %d %s", chips[i].what, rc, err.msg);
        if (rc != 0) {
            assert_int_equal(strncmp(err.msg, "unsupported: ", 13), 0);
            continue;
        }
        memcpy(now, chips[i].channels, sizeof(now));
        for (k = 0; k < 10; k++)
            now[k].value *= 2;
        assert_int_equal(eb_ioreport_add(&s, now, 10), 0);
        assert_int_equal(eb_ioreport_add(&s, now, 10), 0); /* nothing new */
        for (p = 0; p < EB_IOREPORT_PARTS; p++) {
            if (fabs((double)s.nj[p] / 1e9 - chips[i].joules[p]) > 1e-9)
                fail_msg("%s: %s %lld nJ", chips[i].what,
                         eb_ioreport_part_name((enum eb_ioreport_part)p),
                         (long long)s.nj[p]);
        }
    }
}

static void test_ioreport_faults(void **state)
{
    const struct eb_ioreport_channel first[2] = {
        {EM, "CPU Energy", "mJ", 1000}, {EM, "GPU Energy", "nJ", 1000}};
    static const struct {
        int64_t cpu, gpu;
        size_t n;
        const char *name;
        int rc;
    } faults[] = {{2000, 999, 2, "GPU Energy", EB_EINVAL}, /* backwards */
                  {INT64_MAX, 1000, 2, "GPU Energy", EB_EINVAL},
                  {INT64_MIN, 1000, 2, "GPU Energy", EB_EINVAL},
                  {2000, 2000, 1, "GPU Energy", EB_ENOENT},
                  {2000, 2000, 2, "ANE", EB_ENOENT}};
    struct eb_ioreport_channel now[2];
    struct eb_ioreport_sum s;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        assert_int_equal(eb_ioreport_pick(&s, first, 2, NULL), 0);
        memcpy(now, first, sizeof(now));
        now[0].value = faults[i].cpu;
        now[1].value = faults[i].gpu;
        snprintf(now[1].name, sizeof(now[1].name), "%s", faults[i].name);
        assert_int_equal(eb_ioreport_add(&s, now, faults[i].n), faults[i].rc);
        /* Nothing of it is added, and nothing after it. */
        assert_int_equal(s.nj[EB_IOREPORT_CPU], 0);
        memcpy(now, first, sizeof(now));
        now[0].value = now[1].value = 5000;
        assert_int_equal(eb_ioreport_add(&s, now, 2), faults[i].rc);
        assert_int_equal(s.nj[EB_IOREPORT_CPU], 0);
    }
}

static void test_ioreport_many(void **state)
{
    struct eb_ioreport_channel c[EB_IOREPORT_PICKED_MAX + 1];
    struct eb_ioreport_sum s;
    size_t i;

    (void)state;
    memset(c, 0, sizeof(c));
    for (i = 0; i < sizeof(c) / sizeof(*c); i++) {
        strcpy(c[i].group, EM);
        strcpy(c[i].unit, "mJ");
        snprintf(c[i].name, sizeof(c[i].name), "DIE_%zu_CPU Energy", i);
    }
    /* A part left out would make the sum too small. */
    assert_int_equal(eb_ioreport_pick(&s, c, i, NULL), EB_ELIMIT);
    assert_int_equal(eb_ioreport_pick(&s, c, i - 1, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pixel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pixel_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pixel_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pixel_restarted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pixel_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pixel_denied, setup, teardown),
        cmocka_unit_test(test_pmic_parse),
        cmocka_unit_test_setup_teardown(test_pi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pi_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pi_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pi_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pi_hangs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pi_denied, setup, teardown),
        cmocka_unit_test(test_ioreport_unit),
        cmocka_unit_test(test_ioreport_pick),
        cmocka_unit_test(test_ioreport_faults),
        cmocka_unit_test(test_ioreport_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
