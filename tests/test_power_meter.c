/* External meters: what they say, lines of a pipe, a command, HTTP. */
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
#include <unistd.h>

#include "agent/power_meter.h"
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
    static const char *const bad[] = {"x", "pipe:/nonexistent/x", "shelly:here",
                                      "moon@pipe:/dev/null",
                                      "shelly:http://127.0.0.1:1"};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),  cmocka_unit_test(test_lines),
        cmocka_unit_test(test_pipe),     cmocka_unit_test(test_command),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_http)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
