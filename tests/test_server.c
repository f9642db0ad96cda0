#include "collector_help.h"

#include <poll.h>
#include <pthread.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/mem.h"

static struct collector c;

static int start(void **state)
{
    if (make_dir(state) != 0)
        return -1;
    collector_start(&c, "--db", in_dir("runs.sqlite"));
    return 0;
}

static int stop(void **state)
{
    if (c.pid > 0)
        collector_stop(&c, SIGTERM);
    if (c.status != 0)
        print_error("the collector ended with %d\n", c.status);
    return drop_dir(state) != 0 || c.status != 0;
}

/* The answer is an error of this status, one sentence with a hint in it. */
static void refused(struct answer a, int status, const char *hint)
{
    cJSON *v = answer_json(&a, status);
    const char *text = eb_json_get_str(v, "error", "");
    size_t len = strlen(text);

    if (len < 10 || text[len - 1] != '.' || strstr(text, hint) == NULL)
        fail_msg("'%s' is not in: %s", hint, text);
    assert_int_equal((int)eb_json_get_num(v, "status", 0), status);
    cJSON_Delete(v);
}

static void refused_post(const char *body, size_t len, int status,
                         const char *hint)
{
    refused(http_post(&c, body, len), status, hint);
}

/* The text of a sample record; free it. */
static char *sample_text(int n, char id[EB_UUID_LEN])
{
    cJSON *rec = sample_record("m", 1e6, n, n);
    char *text = cJSON_PrintUnformatted(rec);

    snprintf(id, EB_UUID_LEN, "%s", eb_json_get_str(rec, "run_id", ""));
    cJSON_Delete(rec);
    return text;
}

static void test_post_and_get(void **state)
{
    char id[EB_UUID_LEN], sha256[EB_SHA256_HEX], path[96];
    char *text = sample_text(3, id), *hit;
    struct answer a = http_post(&c, text, strlen(text));
    cJSON *v = answer_json(&a, 201);

    (void)state;
    eb_sha256(text, strlen(text), sha256);
    assert_string_equal(eb_json_get_str(v, "run_id", ""), id);
    assert_string_equal(eb_json_get_str(v, "sha256", ""), sha256);
    assert_string_equal(eb_json_get_str(v, "result", ""), "stored");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(v, "durable")));
    cJSON_Delete(v);
    a = http_post(&c, text, strlen(text));
    v = answer_json(&a, 200);
    assert_string_equal(eb_json_get_str(v, "sha256", ""), sha256);
    assert_string_equal(eb_json_get_str(v, "result", ""), "duplicate");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(v, "durable")));
    cJSON_Delete(v);
    snprintf(path, sizeof(path), "/v1/runs/%s/posted", id);
    a = http_get(&c, path);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.data, text);
    answer_free(&a);
    snprintf(path, sizeof(path), "/v1/runs/%s", id);
    a = http_get(&c, path);
    v = answer_json(&a, 200);
    assert_string_equal(eb_json_get_str(v, "run_id", ""), id);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(
                    cJSON_GetObjectItem(v, "summary"), "levels")) == 1);
    cJSON_Delete(v);
    hit = strstr(text, "\"box\"");
    memcpy(hit, "\"bix\"", 5);
    refused_post(text, strlen(text), 422, "other content");
    a = http_get(&c, "/v1/compare?suite=custsvc");
    cJSON_Delete(answer_json(&a, 200));
    a = http_get(&c, "/healthz");
    v = answer_json(&a, 200);
    assert_int_equal((int)eb_json_get_num(v, "runs", -1), 1);
    cJSON_Delete(v);
    free(text);
}

static void test_list_pages(void **state)
{
    struct answer a;
    char path[96] = "/v1/runs?limit=2";
    int i, pages = 0, rows = 0;

    (void)state;
    for (i = 0; i < 5; i++)
        assert_int_equal(http_post_record(&c, sample_record("m", 1, 1, 1)),
                         201);
    for (;;) {
        cJSON *v;

        a = http_get(&c, path);
        v = answer_json(&a, 200);
        rows += cJSON_GetArraySize(cJSON_GetObjectItem(v, "runs"));
        pages++;
        i = cJSON_IsNull(cJSON_GetObjectItem(v, "next"));
        snprintf(path, sizeof(path), "/v1/runs?limit=2&after=%s",
                 eb_json_get_str(v, "next", ""));
        cJSON_Delete(v);
        if (i)
            break;
    }
    assert_int_equal(pages, 3);
    assert_int_equal(rows, 5);
    a = http_get(&c, "/v1/runs?model=%E6%A8%A1+%27&device=x&session=&suite=s");
    cJSON_Delete(answer_json(&a, 200));
}

static void test_bad_bodies(void **state)
{
    static const char newer[] = "{\"schema\":\"edgebench.run/2\"}";
    char *deep = eb_xmalloc(100000);

    (void)state;
    memset(deep, '[', 100000);
    refused_post("", 0, 400, "post one JSON object");
    refused_post("{", 1, 400, "line 1, column 2");
    refused_post("{}\0", 3, 400, "NUL");
    refused_post("{\"a\":\"\xc3\x28\"}", 10, 400, "UTF-8");
    refused_post(deep, 100000, 400, "64 levels deep");
    refused_post("{}", 2, 422, "$.schema");
    refused_post(newer, strlen(newer), 422, "update edgebench");
    free(deep);
}

static void test_bad_headers(void **state)
{
    (void)state;
    refused(http_ask(&c, "POST", "/v1/runs", "", "{}", 2), 415,
            "application/json");
    refused(http_ask(&c, "POST", "/v1/runs", "Content-Type: text/plain\r\n",
                     "{}", 2),
            415, "application/json");
    refused(http_ask(&c, "POST", "/v1/runs",
                     "Content-Type: application/jsonx\r\n", "{}", 2),
            415, "application/json");
    refused(http_ask(&c, "POST", "/v1/runs",
                     JSON_TYPE "Content-Encoding: gzip\r\n", "{}", 2),
            415, "Content-Encoding");
    refused(http_ask(&c, "POST", "/v1/runs",
                     "Content-Type: Application/JSON; charset=utf-8\r\n", "{}",
                     2),
            422, "$.schema");
    refused(http_ask(&c, "GET", "/healthz", "Host: example.org\r\n", NULL, 0),
            403, "--allow-remote");
}

static void test_methods_and_paths(void **state)
{
    static const char *const paths[] = {"/",
                                        "/v1",
                                        "/v1/runs/",
                                        "/v1/runs/a/b",
                                        "/healthz/",
                                        "/V1/runs",
                                        "/v1/runs/%2e%2e/posted/x",
                                        "/..%2f..%2fetc%2fpasswd"};
    struct answer a;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        refused(http_get(&c, paths[i]), 404, "/v1/runs");
    refused(http_get(&c, "/v1/runs/x"), 404, "UUID");
    refused(http_get(&c, "/v1/runs/01934b6f-0000-7000-8000-000000000001"), 404,
            "no run");
    a = http_ask(&c, "DELETE", "/v1/runs", "", NULL, 0);
    assert_non_null(strstr(a.head.data, "\r\nAllow: GET, HEAD, POST\r\n"));
    refused(a, 405, "takes only");
    a = http_ask(&c, "POST", "/healthz", JSON_TYPE, "{}", 2);
    assert_non_null(strstr(a.head.data, "\r\nAllow: GET, HEAD\r\n"));
    refused(a, 405, "takes only");
    refused(http_ask(&c, "PUT", "/v1/runs", JSON_TYPE, "{}", 2), 405, "POST");
    refused(http_ask(&c, "PATCH", "/v1/runs", JSON_TYPE, "{}", 2), 405, "POST");
    a = http_ask(&c, "HEAD", "/healthz", "", NULL, 0);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 0);
    answer_free(&a);
}

static void test_bad_parameters(void **state)
{
    (void)state;
    refused(http_get(&c, "/v1/runs?color=red"), 400, "takes only");
    refused(http_get(&c, "/healthz?x=1"), 400, "no parameters");
    refused(http_get(&c, "/v1/runs?limit=0"), 400, "limit");
    refused(http_get(&c, "/v1/runs?limit=201"), 400, "limit");
    refused(http_get(&c, "/v1/runs?limit=-1"), 400, "limit");
    refused(http_get(&c, "/v1/runs?limit=99999999999"), 400, "limit");
    refused(http_get(&c, "/v1/runs?limit="), 400, "limit");
    refused(http_get(&c, "/v1/runs?after=x"), 400, "after");
    refused(http_get(&c, "/v1/runs?suite=a&suite=b"), 400, "once");
    refused(http_get(&c, "/v1/runs?suite=%ff"), 400, "UTF-8");
    refused(http_get(&c, "/v1/runs?suite=a%00b"), 400, "once");
    refused(http_get(&c, "/v1/compare"), 400, "suite");
}

/* Bytes come one by one. */
static void test_fragments(void **state)
{
    char id[EB_UUID_LEN], *text = sample_text(1, id);
    struct eb_buf req = {0};
    struct answer a;
    size_t i;
    int fd = http_connect(&c);

    (void)state;
    eb_buf_addf(&req,
                "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                "Content-Length: %zu\r\n\r\n%s",
                strlen(text), text);
    for (i = 0; i < req.len; i++)
        assert_int_equal(http_send(fd, req.data + i, 1), 0);
    a = http_read(fd, "POST");
    cJSON_Delete(answer_json(&a, 201));
    /* The connection is good for another one, in chunks. */
    eb_buf_reset(&req);
    eb_buf_addf(&req,
                "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
                "Transfer-Encoding: chunked\r\n\r\n5\r\n%.5s\r\n%zx\r\n%s\r\n"
                "0\r\n\r\n",
                text, strlen(text) - 5, text + 5);
    assert_int_equal(http_send(fd, req.data, req.len), 0);
    a = http_read(fd, "POST");
    cJSON_Delete(answer_json(&a, 200));
    close(fd);
    eb_buf_free(&req);
    free(text);
}

/* AddressSanitizer keeps freed memory for a while. */
#ifdef __SANITIZE_ADDRESS__
#define PEAK_KIB (400 << 10)
#else
#define PEAK_KIB (60 << 10)
#endif

/* Peak memory of the collector in KiB. */
static long peak_kib(void)
{
    struct eb_buf b = {0};
    struct eb_err err;
    char path[64];
    long kib;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)c.pid);
    assert_int_equal(eb_fs_read(path, 1 << 20, &b, &err), 0);
    kib = atol(strstr(b.data, "VmHWM:") + 6);
    eb_buf_free(&b);
    return kib;
}

/* 100 MB announced and not sent, announced and sent, and sent in chunks. */
static void test_too_large(void **state)
{
    static const char head[] =
        "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE;
    char *mib = eb_xmalloc(1 << 20);
    struct eb_buf req = {0};
    int i, fd = http_connect(&c);

    (void)state;
    memset(mib, ' ', 1 << 20);
    eb_buf_addf(&req, "%sContent-Length: 100000000\r\n\r\n", head);
    assert_int_equal(http_send(fd, req.data, req.len), 0);
    refused(http_read(fd, "POST"), 413, "16777216");
    close(fd);
    fd = http_connect(&c);
    assert_int_equal(http_send(fd, req.data, req.len), 0);
    for (i = 0; i < 95 && http_send(fd, mib, 1 << 20) == 0;)
        i++;
    refused(http_read(fd, "POST"), 413, "16777216");
    close(fd);
    fd = http_connect(&c);
    eb_buf_reset(&req);
    eb_buf_addf(&req, "%sTransfer-Encoding: chunked\r\n\r\n", head);
    assert_int_equal(http_send(fd, req.data, req.len), 0);
    for (i = 0; i < 95; i++) {
        assert_int_equal(http_send(fd, "100000\r\n", 8), 0);
        assert_int_equal(http_send(fd, mib, 1 << 20), 0);
        assert_int_equal(http_send(fd, "\r\n", 2), 0);
    }
    assert_int_equal(http_send(fd, "0\r\n\r\n", 5), 0);
    refused(http_read(fd, "POST"), 413, "16777216");
    close(fd);
    assert_true(peak_kib() < PEAK_KIB);
    assert_int_equal(http_post_record(&c, sample_record("m", 1, 1, 1)), 201);
    eb_buf_free(&req);
    free(mib);
}

/* One body that just fits, mostly white space. */
static void test_large(void **state)
{
    char id[EB_UUID_LEN], *text = sample_text(1, id);
    char *body = eb_xmalloc(EB_RECORD_MAX_BYTES + 1);
    struct answer a;

    (void)state;
    memset(body, ' ', EB_RECORD_MAX_BYTES + 1);
    memcpy(body, text, strlen(text));
    refused_post(body, EB_RECORD_MAX_BYTES + 1, 413, "16777216");
    a = http_post(&c, body, EB_RECORD_MAX_BYTES);
    cJSON_Delete(answer_json(&a, 201));
    free(body);
    free(text);
}

/* Garbage instead of HTTP ends that connection and nothing else. */
static void test_garbage(void **state)
{
    static const char *const texts[] = {
        "\x16\x03\x01\x02",
        "GET\r\n\r\n",
        "\r\n\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /v1/runs HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n"};
    char sink[256];
    size_t i;
    int fd;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fd = http_connect(&c);
        http_send(fd, texts[i], strlen(texts[i]));
        shutdown(fd, SHUT_WR);
        while (recv(fd, sink, sizeof(sink), 0) > 0)
            continue;
        close(fd);
    }
    assert_int_equal(http_post_record(&c, sample_record("m", 1, 1, 1)), 201);
}

struct poster {
    const char *text;
    int status;
};

static void *poster_run(void *arg)
{
    struct poster *p = arg;
    struct answer a = http_post(&c, p->text, strlen(p->text));

    p->status = a.status;
    answer_free(&a);
    return NULL;
}

static void test_same_at_once(void **state)
{
    char id[EB_UUID_LEN], *text = sample_text(20, id);
    struct poster p[16];
    pthread_t t[16];
    int i, stored = 0, same = 0;

    (void)state;
    for (i = 0; i < 16; i++) {
        p[i] = (struct poster){.text = text};
        assert_int_equal(pthread_create(&t[i], NULL, poster_run, &p[i]), 0);
    }
    for (i = 0; i < 16; i++) {
        pthread_join(t[i], NULL);
        stored += p[i].status == 201;
        same += p[i].status == 200;
    }
    assert_int_equal(stored, 1);
    assert_int_equal(same, 15);
    free(text);
}

static int start_short(void **state)
{
    if (make_dir(state) != 0)
        return -1;
    collector_start(&c, "--db", in_dir("runs.sqlite"), "--timeout", "1");
    return 0;
}

static int start_few(void **state)
{
    if (make_dir(state) != 0)
        return -1;
    collector_start(&c, "--db", in_dir("runs.sqlite"), "--connections", "2");
    return 0;
}

/* Reads until the end; returns the seconds it took. */
static double seconds_to_end(int fd, const char *drip)
{
    int64_t from = eb_clock_ns();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char sink[256];

    for (;;) {
        if (poll(&p, 1, 50) == 0)
            http_send(fd, drip, strlen(drip));
        else if (recv(fd, sink, sizeof(sink), 0) <= 0)
            break;
    }
    return (double)(eb_clock_ns() - from) / 1e9;
}

/* Neither silence nor a byte now and then holds a connection. */
static void test_deadline(void **state)
{
    static const char post[] =
        "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE
        "Content-Length: 1000\r\n\r\n{";
    struct answer a;
    double s;
    int fd, second;

    (void)state;
    fd = http_connect(&c);
    second = http_connect(&c);
    http_send(second, post, strlen(post));
    s = seconds_to_end(second, " "); /* body */
    assert_true(s < 3);
    close(second);
    s = seconds_to_end(fd, ""); /* silent */
    assert_true(s < 3);
    close(fd);
    fd = http_connect(&c);
    http_send(fd, "GET /", 5);
    s = seconds_to_end(fd, "x"); /* headers */
    assert_true(s < 3);
    close(fd);
    a = http_get(&c, "/healthz");
    cJSON_Delete(answer_json(&a, 200));
}

/* Connections beyond the limit are closed; none is stuck. */
static void test_connections(void **state)
{
    static const char get[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                              "Connection: close\r\n\r\n";
    int fds[20], i, answered = 0;
    struct answer a;

    (void)state;
    for (i = 0; i < 20; i++) {
        fds[i] = http_connect(&c);
        assert_true(fds[i] >= 0);
    }
    for (i = 0; i < 20; i++)
        http_send(fds[i], get, strlen(get));
    for (i = 0; i < 20; i++) {
        a = http_read(fds[i], "GET");
        answered += a.status == 200;
        answer_free(&a);
        close(fds[i]);
    }
    assert_true(answered >= 2);
    /* The places are free again, if not at the same instant. */
    for (i = 0, answered = 0; i < 10000 && !answered; i++) {
        a = http_get(&c, "/healthz");
        answered = a.status == 200;
        answer_free(&a);
    }
    assert_true(answered);
}

static int start_full(void **state)
{
    if (make_dir(state) != 0)
        return -1;
    collector_start(&c, "--db", in_dir("runs.sqlite"), "--max-db-mib", "1");
    return 0;
}

static void test_full(void **state)
{
    struct answer a;
    char *text, id[EB_UUID_LEN];
    cJSON *v;
    int stored = 0;

    (void)state;
    for (;;) {
        text = sample_text(500, id);
        a = http_post(&c, text, strlen(text));
        free(text);
        if (a.status != 201)
            break;
        answer_free(&a);
        assert_true(++stored < 50);
    }
    assert_true(stored > 1);
    assert_non_null(strstr(a.head.data, "\r\nRetry-After: "));
    refused(a, 503, "free some space");
    a = http_get(&c, "/v1/runs?limit=200");
    v = answer_json(&a, 200);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(v, "runs")),
                     stored);
    cJSON_Delete(v);
    a = http_get(&c, "/healthz");
    cJSON_Delete(answer_json(&a, 200));
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(test_post_and_get),
        SERVED(test_list_pages),
        SERVED(test_bad_bodies),
        SERVED(test_bad_headers),
        SERVED(test_methods_and_paths),
        SERVED(test_bad_parameters),
        SERVED(test_fragments),
        SERVED(test_too_large),
        SERVED(test_large),
        SERVED(test_garbage),
        SERVED(test_same_at_once),
        cmocka_unit_test_setup_teardown(test_deadline, start_short, stop),
        cmocka_unit_test_setup_teardown(test_connections, start_few, stop),
        cmocka_unit_test_setup_teardown(test_full, start_full, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
