/* Records leave the spool only when the collector repeats their hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/spool.h"
#include "common/fs.h"
#include "common/hash.h"

static const char record[] = "{\"run_id\":\"a\"}";
static char dir[32], url[64];
static struct eb_err err;

/* A collector that gives one answer to everybody. */
static struct {
    int fd;
    int status;
    char body[160];
    int asked;
    pthread_t thread;
} server;

static void *serve(void *arg)
{
    char in[4096], out[512];
    ssize_t n, len;
    int c;

    while ((c = accept(server.fd, NULL, NULL)) >= 0) {
        /* The record is small, but may come after the head. */
        for (len = 0; len < (ssize_t)sizeof(in) - 1; len += n) {
            n = recv(c, in + len, sizeof(in) - 1 - (size_t)len, 0);
            if (n <= 0)
                break;
            in[len + n] = '\0';
            if (strstr(in, record) != NULL)
                break;
        }
        server.asked += strncmp(in, "POST /v1/runs ", 14) == 0;
        n = snprintf(out, sizeof(out),
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     server.status, strlen(server.body), server.body);
        if (send(c, out, (size_t)n, MSG_NOSIGNAL) != n)
            server.asked = -1;
        close(c);
    }
    return arg;
}

static int setup(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);

    (void)state;
    strcpy(dir, "/tmp/eb-spool-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    memset(&server, 0, sizeof(server));
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.fd, (struct sockaddr *)&a, len) != 0 ||
        listen(server.fd, 8) != 0 ||
        getsockname(server.fd, (struct sockaddr *)&a, &len) != 0)
        return -1;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(a.sin_port));
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int teardown(void **state)
{
    char cmd[64];

    (void)state;
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.fd);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
    return system(cmd);
}

static size_t waiting(const char *sub)
{
    char **names, path[64];
    size_t n;

    snprintf(path, sizeof(path), "%s%s", dir, sub);
    if (eb_fs_list(path, ".json", &names, &n, NULL) != 0)
        return 0;
    eb_fs_list_free(names, n);
    return n;
}

static struct eb_spool_count push(int status, const char *sha256)
{
    struct eb_spool_count c;

    server.status = status;
    snprintf(server.body, sizeof(server.body), "{\"sha256\":\"%s\"}", sha256);
    assert_int_equal(eb_spool_save(dir, "a", record, strlen(record), &err), 0);
    assert_int_equal(eb_spool_push(dir, NULL, url, &c, &err), 0);
    return c;
}

static void test_sent(void **state)
{
    char hex[EB_SHA256_HEX];

    (void)state;
    eb_sha256(record, strlen(record), hex);
    assert_int_equal(push(201, hex).sent, 1);
    assert_int_equal(waiting(""), 0);
    assert_int_equal(push(200, hex).sent, 1);
    assert_int_equal(server.asked, 2);
}

static void test_other_hash(void **state)
{
    (void)state;
    assert_int_equal(push(201, "00").kept, 1);
    assert_int_equal(waiting(""), 1);
    assert_int_equal(server.asked, 3);
    assert_non_null(strstr(err.msg, "SHA-256"));
}

static void test_not_durable(void **state)
{
    char hex[EB_SHA256_HEX + 24];

    (void)state;
    eb_sha256(record, strlen(record), hex);
    strcat(hex, "\",\"durable\":false,\"x\":\"");
    assert_int_equal(push(201, hex).kept, 1);
    assert_int_equal(waiting(""), 1);
}

static void test_busy(void **state)
{
    (void)state;
    assert_int_equal(push(429, "").kept, 1);
    assert_int_equal(waiting(""), 1);
}

static void test_refused(void **state)
{
    char path[64];

    (void)state;
    assert_int_equal(push(400, "").dead, 1);
    assert_int_equal(server.asked, 1);
    assert_int_equal(waiting(""), 0);
    assert_int_equal(waiting("/dead"), 1);
    snprintf(path, sizeof(path), "%s/dead/a.answer", dir);
    assert_true(eb_fs_exists(path));
}

static void test_folder(void **state)
{
    char *got = NULL, *expected = eb_fs_join(dir, "edgebench/spool");

    (void)state;
    unsetenv("EDGEBENCH_SPOOL");
    setenv("XDG_STATE_HOME", dir, 1);
    assert_int_equal(eb_spool_dir(&got, &err), 0);
    assert_string_equal(got, expected);
    assert_true(eb_fs_exists(got));
    free(got);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
