/* External meters: what they say, lines of a pipe, a command, HTTP, PTDaemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/power_meter.h"
#include "agent/power_ptd.h"
#include "common/clock.h"
#include "tests/power_help.h"

static void test_replies(void **state)
{
    static const struct {
        enum eb_meter_kind kind;
        const char *text;
        int64_t uw; /* -1: refused */
    } all[] = {{EB_METER_SHELLY,
                "{\"id\":0,\"output\":true,\"apower\":8.6,\"voltage\":237.1,"
                "\"aenergy\":{\"total\":6.5}}",
                8600000},
               {EB_METER_SHELLY, "{\"apower\":null}", -1},
               {EB_METER_SHELLY, "{\"apower\":\"8.6\"}", -1},
               {EB_METER_SHELLY, "{\"apower\":1e300}", -1},
               {EB_METER_SHELLY, "<html>", -1},
               {EB_METER_SHELLY, "", -1},
               {EB_METER_SHELLY1, "{\"meters\":[{\"power\":12.25}]}", 12250000},
               {EB_METER_SHELLY1, "{\"meters\":[]}", -1},
               {EB_METER_TASMOTA, "{\"StatusSNS\":{\"ENERGY\":{\"Power\":41}}}",
                41000000},
               {EB_METER_TASMOTA, "{\"StatusSNS\":{}}", -1}};
    int64_t uw;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        uw = -1;
        assert_int_equal(
            eb_meter_reply(all[i].kind, all[i].text, strlen(all[i].text), &uw),
            all[i].uw < 0 ? EB_EPARSE : 0);
        assert_true(uw == all[i].uw);
    }
}

static void test_lines(void **state)
{
    static const char *const bad[] = {"",      "1",     "1 ",    "x 2",
                                      "1 2 3", "1 nan", "1 inf", "-1 2",
                                      "nan 2", "1 1e9", "1,2",   "1 2W"};
    double t;
    int64_t uw;
    size_t i;

    (void)state;
    assert_int_equal(eb_meter_line("1700000000.25 12.5\r", &t, &uw), 0);
    assert_true(t == 1700000000.25 && uw == 12500000);
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(eb_meter_line(bad[i], &t, &uw), EB_EPARSE);
}

/* Seconds of a meter with a clock of its own, a line each. */
static void pipe_pass(struct lab *l, FILE *f, int *at, int seconds, int watts)
{
    int i;

    for (i = 0; i < seconds; i++) {
        fprintf(f, "%d.5 %d\n%s", 1000 + (*at)++, watts,
                i == 5 ? "garbage\n" : "");
        fflush(f);
        lab_pass(l, 1);
    }
}

static void test_pipe(void **state)
{
    char dir[] = "/tmp/eb-meter-XXXXXX", path[64], spec[96];
    struct lab l = {.hints = {.meter = spec}};
    struct eb_sampler_result r;
    int at = 0;
    FILE *f;
    cJSON *v;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(spec, sizeof(spec), "module@pipe:%s", path);
    assert_int_equal(lab_open(&l, "/nonexistent", NULL, EB_POWER_REQUIRE, NULL),
                     0);
    lab_pass(&l, 1); /* nobody writes yet */
    f = fopen(path, "w");
    pipe_pass(&l, f, &at, 2, 30);
    eb_power_window_begin(l.p, "whole", NULL, NULL);
    pipe_pass(&l, f, &at, 20, 30);
    pipe_pass(&l, f, &at, 30, 50);
    eb_power_window_end(l.p);
    pipe_pass(&l, f, &at, 2, 50);
    eb_power_window_begin(l.p, "cell", NULL, NULL);
    pipe_pass(&l, f, &at, 10, 50);
    fclose(f);
    lab_pass(&l, 20);
    eb_power_window_end(l.p);
    r = lab_result(&l, 0, 0);
    print_message("%g J %s\n", r.joules, r.reason);
    assert_true(r.valid && fabs(r.joules - 2100) < 20);
    r = lab_result(&l, 1, 0);
    assert_true(isnan(r.joules));
    assert_non_null(strstr(r.reason, "vanished"));
    v = eb_power_json(l.p);
    assert_string_equal(eb_json_get_str(v, "scope", ""), "module");
    cJSON_Delete(v);
    eb_power_close(l.p);
    unlink(path);
    rmdir(dir);
}

static void test_command(void **state)
{
    struct eb_power_hints h = {
        .rate_hz = 1000,
        .fake = "",
        .meter = "cmd:for i in 1 2 3 4 5 6 7; do echo $i 25; done"};
    struct eb_sampler_reads reads;
    struct eb_power *p;
    int64_t until = eb_clock_ns() + INT64_C(10000000000);

    (void)state;
    assert_int_equal(
        eb_power_open("/nonexistent", EB_POWER_REQUIRE, &h, &p, NULL), 0);
    do
        eb_sampler_reads(eb_power_sampler(p), 0, &reads);
    while (reads.n < 7 && eb_clock_ns() < until);
    assert_true(reads.n >= 7);
    eb_power_close(p);
}

static void test_refusals(void **state)
{
    static const char *const bad[] = {"x",
                                      "pipe:/nonexistent/x",
                                      "shelly:here",
                                      "moon@pipe:/dev/null",
                                      "shelly:http://127.0.0.1:1",
                                      "ptd:127.0.0.1:1"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct lab l = {.hints = {.meter = bad[i]}};
        struct eb_err err = {0};

        assert_int_equal(
            lab_open(&l, "/nonexistent", NULL, EB_POWER_REQUIRE, &err),
            EB_ENODEV);
        assert_non_null(strstr(err.msg, "meter: "));
    }
}

/* A Shelly that answers n requests. */

static void *shelly(void *arg)
{
    static const char body[] = "{\"id\":0,\"apower\":8.6}";
    int listener = *(int *)arg, fd;
    char text[512];
    ssize_t n;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        while ((n = read(fd, text, sizeof(text) - 1)) > 0) {
            text[n] = '\0';
            n = strstr(text, "GET /rpc/Switch.GetStatus?id=0 ") == text;
            n = snprintf(text, sizeof(text),
                         "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
                         n ? "200 OK" : "404 Not Found", strlen(body), body);
            if (write(fd, text, (size_t)n) != n)
                break;
        }
        close(fd);
    }
    return NULL;
}

static void test_http(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct eb_power_hints h = {.rate_hz = 500, .fake = ""};
    struct eb_sampler_reads reads;
    struct eb_power *p;
    pthread_t thread;
    char spec[64];
    int64_t until = eb_clock_ns() + INT64_C(20000000000);

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(listener, 4), 0);
    getsockname(listener, (struct sockaddr *)&a, &len);
    pthread_create(&thread, NULL, shelly, &listener);
    snprintf(spec, sizeof(spec), "shelly:http://127.0.0.1:%d",
             ntohs(a.sin_port));
    h.meter = spec;
    assert_int_equal(
        eb_power_open("/nonexistent", EB_POWER_REQUIRE, &h, &p, NULL), 0);
    do
        eb_sampler_reads(eb_power_sampler(p), 0, &reads);
    while (reads.n < 2 && eb_clock_ns() < until);
    assert_true(reads.n >= 2);
    assert_int_equal(reads.failed, 0);
    eb_power_close(p);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
}

/* PTDaemon */

static void test_ptd_samples(void **state)
{
    static const struct {
        const char *line;
        int rc;
        int64_t uw;
    } all[] = {{"Time,01-31-2026 08:05:09.500,Watts,12.25,Volts,230,Mark,x", 0,
                12250000},
               {"Time,01-31-2026 08:05:09.500,Volts,230,Watts,0", 0, 0},
               {"Time,01-31-2026 08:05:09.500,Watts,-1.000000", EB_EIO, 0},
               {"Time,01-31-2026 08:05:09.500,Watts,-2.000000", EB_EIO, 0},
               {"Time,01-31-2026 08:05:09.500,Watts,", EB_EPARSE, 0},
               {"Time,01-31-2026 08:05:09.500,Watts,nan", EB_EPARSE, 0},
               {"Time,01-31-2026 08:05:09.500,Watts,1e9", EB_EPARSE, 0},
               {"Time,01-31-2026 08:05:09.500,Watts,12W", EB_EPARSE, 0},
               {"Time,01-31-2026 08:05:09.500,Temp,21.5", EB_EPARSE, 0},
               {"Time,01-31-2026,Watts,12", EB_EPARSE, 0},
               {"Time,01-31-2026 08:05:99,Watts,12", EB_EPARSE, 0},
               {"Watts,12.25", EB_EPARSE, 0},
               {"", EB_EPARSE, 0}};
    double s;
    int64_t uw;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        assert_int_equal(eb_ptd_sample(all[i].line, &s, &uw), all[i].rc);
        if (all[i].rc != 0)
            continue;
        assert_true(uw == all[i].uw);
        assert_true(s == 1769846709.5);
    }
}

/* The other end of the connection. */
static int ptd_end;

static void ptd_say(const char *text)
{
    assert_int_equal(write(ptd_end, text, strlen(text)), strlen(text));
}

/* 1 if the daemon was asked for a sample since the last call. */
static int ptd_asked(void)
{
    char text[64];
    ssize_t n = recv(ptd_end, text, sizeof(text), MSG_DONTWAIT);

    if (n <= 0)
        return 0;
    assert_int_equal(n, 6);
    assert_memory_equal(text, "RL,1\r\n", 6);
    return 1;
}

#define PTD_SAMPLE(second, watts)                                              \
    "Last 1 sample\r\nTime,01-31-2026 08:05:" second ".500,Watts," watts       \
    ",Volts,230\r\n"

/* The answer to the question of second s, and what it is taken for. */
static void ptd_turn(struct eb_ptd *p, int s, const char *answer, int rc)
{
    int64_t now = s * INT64_C(1000000000), uw;
    double host_s;

    assert_int_equal(eb_ptd_read(p, now, &host_s, &uw), 1);
    assert_true(ptd_asked());
    ptd_say(answer);
    assert_int_equal(eb_ptd_read(p, now, &host_s, &uw), rc);
}

static void test_ptd_read(void **state)
{
    const int64_t second = 1000000000;
    struct eb_ptd p = {.last_s = NAN};
    char flood[9000];
    int fds[2];
    double s;
    int64_t uw;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    p.fd = fds[0];
    ptd_end = fds[1];
    assert_int_equal(eb_ptd_read(&p, 0, &s, &uw), 1);
    assert_true(ptd_asked());
    /* In parts. */
    ptd_say("Last 1 sa");
    assert_int_equal(eb_ptd_read(&p, 0, &s, &uw), 1);
    ptd_say("mple\r\nTime,01-31-2026 08:05:09.500,Watts,12");
    assert_int_equal(eb_ptd_read(&p, 0, &s, &uw), 1);
    ptd_say(".25,Volts,230\r\n");
    assert_int_equal(eb_ptd_read(&p, 0, &s, &uw), 0);
    assert_true(uw == 12250000);
    /* Not before its time. */
    assert_int_equal(eb_ptd_read(&p, second - 1, &s, &uw), 1);
    assert_false(ptd_asked());
    ptd_turn(&p, 1, "No unread samples\r\n", 1);
    ptd_turn(&p, 2, PTD_SAMPLE("09", "12.25"), 1); /* the same again */
    ptd_turn(&p, 3, "Error in parameter\r\n", EB_EPARSE);
    ptd_turn(&p, 4, PTD_SAMPLE("13", "-2.000000"), EB_EIO);
    ptd_turn(&p, 5, PTD_SAMPLE("14", "7"), 0);
    /* It hangs, and what it says too late answers no later question. */
    assert_int_equal(eb_ptd_read(&p, 6 * second, &s, &uw), 1);
    assert_true(ptd_asked());
    assert_int_equal(eb_ptd_read(&p, 9 * second, &s, &uw), 1);
    assert_false(ptd_asked());
    assert_int_equal(eb_ptd_read(&p, 9 * second + 1, &s, &uw), EB_ENET);
    ptd_turn(&p, 10, PTD_SAMPLE("19", "8"), 0);
    /* A line without an end. */
    memset(flood, 'x', sizeof(flood) - 1);
    flood[sizeof(flood) - 1] = '\0';
    ptd_turn(&p, 11, flood, 1);
    ptd_say("\r\n");
    assert_int_equal(eb_ptd_read(&p, 11 * second, &s, &uw), EB_EPARSE);
    /* It goes, twice asked. */
    close(ptd_end);
    assert_int_equal(eb_ptd_read(&p, 12 * second, &s, &uw), EB_ENOENT);
    assert_int_equal(eb_ptd_read(&p, 13 * second, &s, &uw), EB_ENOENT);
    eb_ptd_close(&p);
    eb_ptd_close(&p);
}

/* A daemon that answers as told, one connection after another. */
static struct {
    int listener;
    const char *identify, *go; /* NULL: hangs up */
    int stops;
} ptd;

static void ptd_reply(int fd, const char *line, int n)
{
    struct tm tm;
    char text[160];
    time_t now = (time_t)(eb_clock_wall_us() / 1000000) + 3600;

    if (strncmp(line, "Identify", 8) == 0 && ptd.identify == NULL)
        shutdown(fd, SHUT_RDWR);
    else if (strncmp(line, "Identify", 8) == 0)
        dprintf(fd, "%s\r\n", ptd.identify);
    else if (strncmp(line, "Go,1000,0\r", 10) == 0)
        dprintf(fd, "%s\r\n", ptd.go);
    else if (strncmp(line, "Stop", 4) == 0)
        ptd.stops++;
    /* Its host lives an hour east of here. */
    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "Time,%m-%d-%Y %H:%M:%S", &tm);
    if (strncmp(line, "RL,1", 4) == 0)
        dprintf(fd, "Last 1 sample\r\n%s.%03d,Watts,42.5,Volts,230\r\n", text,
                n);
}

static void *ptd_serve(void *arg)
{
    char line[128];
    int fd, n;
    FILE *f;

    (void)arg;
    while ((fd = accept(ptd.listener, NULL, NULL)) >= 0) {
        f = fdopen(fd, "r");
        for (n = 0; fgets(line, sizeof(line), f) != NULL; n++)
            ptd_reply(fd, line, n % 1000);
        fclose(f);
    }
    return NULL;
}

#define PTD_IDENTIFY                                                           \
    "Dummy,1000,1,1,1,1,0,0,0,version=1.11.1-0a0b0c0d-20240910,OS=x,mode="

/* Opens a meter there; the state of the power driver, or why not in err. */
static int ptd_power(const char *identify, const char *go, struct eb_power **p,
                     struct eb_err *err)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    struct eb_power_hints h = {.rate_hz = 500, .fake = ""};
    char spec[64];

    ptd.identify = identify;
    ptd.go = go;
    getsockname(ptd.listener, (struct sockaddr *)&a, &len);
    snprintf(spec, sizeof(spec), "ptd:127.0.0.1:%d", ntohs(a.sin_port));
    h.meter = spec;
    return eb_power_open("/nonexistent", EB_POWER_REQUIRE, &h, p, err);
}

static void test_ptd(void **state)
{
    static const char go[] = "Starting untimed measurement, maximum 500000 "
                             "samples at 1000ms with 0 rampup samples";
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const struct {
        const char *identify, *go, *why;
    } bad[] = {{NULL, "", "no PTDaemon answers"},
               {"HTTP/1.1 400 Bad Request", "", "is no PTDaemon"},
               {PTD_IDENTIFY "temperature", "", "measures no power"},
               {PTD_IDENTIFY "power", "Error: already measuring",
                "does not start: \"Error: already measuring\""}};
    struct eb_sampler_reads reads;
    struct eb_power *p;
    pthread_t thread;
    struct eb_err err;
    size_t i;
    int64_t until = eb_clock_ns() + INT64_C(20000000000);
    const cJSON *sensor, *driver;
    cJSON *v;

    (void)state;
    ptd.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(ptd.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(ptd.listener, 4), 0);
    pthread_create(&thread, NULL, ptd_serve, NULL);
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(ptd_power(bad[i].identify, bad[i].go, &p, &err),
                         EB_ENODEV);
        assert_non_null(strstr(err.msg, bad[i].why));
    }
    assert_int_equal(ptd_power(PTD_IDENTIFY "power", go, &p, &err), 0);
    do
        eb_sampler_reads(eb_power_sampler(p), 0, &reads);
    while (reads.n < 1 && eb_clock_ns() < until);
    assert_true(reads.n >= 1);
    assert_int_equal(reads.failed, 0);
    v = eb_power_json(p);
    sensor = row(cJSON_GetObjectItem(v, "sensors"), "meter");
    assert_string_equal(eb_json_get_str(sensor, "scope", ""), "wall");
    assert_string_equal(eb_json_get_str(sensor, "method", ""), "PTDaemon RL");
    driver = row(cJSON_GetObjectItem(v, "drivers"), "meter");
    assert_string_equal(eb_json_get_str(driver, "analyzer", ""), "Dummy");
    assert_string_equal(eb_json_get_str(driver, "version", ""),
                        "1.11.1-0a0b0c0d-20240910");
    assert_string_equal(eb_json_get_str(driver, "clock", ""), "this machine's");
    cJSON_Delete(v);
    eb_power_close(p);
    shutdown(ptd.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(ptd.listener);
    assert_int_equal(ptd.stops, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),     cmocka_unit_test(test_lines),
        cmocka_unit_test(test_pipe),        cmocka_unit_test(test_command),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_http),
        cmocka_unit_test(test_ptd_samples), cmocka_unit_test(test_ptd_read),
        cmocka_unit_test(test_ptd)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
