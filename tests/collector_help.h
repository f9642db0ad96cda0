/* The real edgebench-collector as a child, and HTTP to it over plain sockets.
 * Static helpers, test programs only. */
#ifndef EB_TEST_COLLECTOR_HELP_H
#define EB_TEST_COLLECTOR_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/json.h"
#include "sample_record.h"

#define COLLECTOR_PROGRAM EB_BINARY_DIR "/edgebench-collector"

static char dir[64];

static inline int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/eb-collector-XXXXXX");
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(dir) == NULL;
}

static inline int drop_dir(void **state)
{
    char cmd[96];

    (void)state;
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
    return system(cmd);
}

/* dir/name; four results are good at a time. */
static inline const char *in_dir(const char *name)
{
    static char path[4][160];
    static int k;

    k = (k + 1) % 4;
    snprintf(path[k], sizeof(path[k]), "%s/%s", dir, name);
    return path[k];
}

struct collector {
    pid_t pid;
    int port;   /* 0 if it did not start */
    int status; /* exit code, or minus the signal, once it ended */
    FILE *out;  /* its stdout and stderr */
    char last[512];
};

static inline void collector_wait(struct collector *c)
{
    int status;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    c->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    c->pid = 0;
    fclose(c->out);
}

/* Runs the program with the arguments up to NULL until it listens or ended;
 * last is what it said last. */
static inline void collector_run(struct collector *c, const char *const *args)
{
    const char *argv[32] = {COLLECTOR_PROGRAM};
    int p[2], i;

    memset(c, 0, sizeof(*c));
    for (i = 0; args[i] != NULL; i++)
        argv[i + 1] = args[i];
    assert_int_equal(pipe(p), 0);
    fflush(NULL);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(p[1], 1);
        dup2(p[1], 2);
        close(p[0]);
        close(p[1]);
        execv(COLLECTOR_PROGRAM, (char *const *)argv);
        _exit(127);
    }
    close(p[1]);
    c->out = fdopen(p[0], "r");
    while (fgets(c->last, sizeof(c->last), c->out) != NULL) {
        const char *hit = strstr(c->last, "listening on http://");

        if (hit != NULL) {
            c->port = atoi(strrchr(strtok((char *)hit, ","), ':') + 1);
            return;
        }
    }
    collector_wait(c);
}

#define collector_start(c, ...)                                                \
    do {                                                                       \
        const char *const args_[] = {"serve", "--listen", "127.0.0.1:0",       \
                                     __VA_ARGS__, NULL};                       \
        collector_run((c), args_);                                             \
        if ((c)->port == 0)                                                    \
            fail_msg("not started: %s", (c)->last);                            \
    } while (0)

static inline void collector_stop(struct collector *c, int sig)
{
    kill(c->pid, sig);
    collector_wait(c);
}

/* A socket to the collector; -1 if nobody listens. */
static inline int http_connect(const struct collector *c)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)c->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* 0 if all of it was sent. */
static inline int http_send(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

struct answer {
    int status; /* 0: the connection ended before an answer */
    struct eb_buf head;
    struct eb_buf body;
};

static inline void answer_free(struct answer *a)
{
    eb_buf_free(&a->head);
    eb_buf_free(&a->body);
}

/* Reads one answer with a Content-Length; `method` HEAD has no body. */
static inline struct answer http_read(int fd, const char *method)
{
    struct answer a = {0};
    const char *length;
    size_t want = 0;
    char c, part[4096];
    ssize_t n;

    eb_buf_adds(&a.head, "");
    while (a.head.len < 4 ||
           strcmp(a.head.data + a.head.len - 4, "\r\n\r\n") != 0) {
        if (recv(fd, &c, 1, 0) != 1)
            return a;
        eb_buf_addc(&a.head, c);
    }
    length = strcasestr(a.head.data, "\r\nContent-Length: ");
    if (length != NULL && strcmp(method, "HEAD") != 0)
        want = strtoul(length + 18, NULL, 10);
    eb_buf_adds(&a.body, "");
    while (a.body.len < want) {
        size_t left = want - a.body.len;

        n = recv(fd, part, left < sizeof(part) ? left : sizeof(part), 0);
        if (n <= 0)
            return a;
        eb_buf_add(&a.body, part, (size_t)n);
    }
    a.status = atoi(a.head.data + 9);
    return a;
}

/* One request on a connection of its own. headers end in \r\n each; body may
 * be NULL. */
static inline struct answer http_ask(const struct collector *c,
                                     const char *method, const char *path,
                                     const char *headers, const char *body,
                                     size_t len)
{
    struct answer a = {0};
    struct eb_buf req = {0};
    int fd = http_connect(c);

    if (fd < 0)
        return a;
    eb_buf_addf(&req, "%s %s HTTP/1.1\r\n%s", method, path, headers);
    if (strstr(headers, "Host:") == NULL)
        eb_buf_addf(&req, "Host: 127.0.0.1:%d\r\n", c->port);
    if (body != NULL)
        eb_buf_addf(&req, "Content-Length: %zu\r\n", len);
    eb_buf_adds(&req, "Connection: close\r\n\r\n");
    if (body != NULL)
        eb_buf_add(&req, body, len);
    http_send(fd, req.data, req.len); /* it may answer before it has all */
    a = http_read(fd, method);
    eb_buf_free(&req);
    close(fd);
    return a;
}

#define JSON_TYPE "Content-Type: application/json\r\n"

static inline struct answer http_get(const struct collector *c,
                                     const char *path)
{
    return http_ask(c, "GET", path, "", NULL, 0);
}

static inline struct answer http_post(const struct collector *c,
                                      const char *body, size_t len)
{
    return http_ask(c, "POST", "/v1/runs", JSON_TYPE, body, len);
}

/* The body of an answer as JSON; deletes the answer. */
static inline cJSON *answer_json(struct answer *a, int status)
{
    struct eb_err err = {0};
    cJSON *v = NULL;

    if (a->status != status)
        fail_msg("expected %d, got %d: %s%s", status, a->status,
                 a->head.data != NULL ? a->head.data : "",
                 a->body.data != NULL ? a->body.data : "");
    if (eb_json_parse(a->body.data, a->body.len, "answer", &v, &err) != 0)
        fail_msg("%s: %s", err.msg, a->body.data);
    answer_free(a);
    return v;
}

/* Posts a record; deletes it. */
static inline int http_post_record(const struct collector *c, cJSON *rec)
{
    char *text = cJSON_PrintUnformatted(rec);
    struct answer a = http_post(c, text, strlen(text));
    int status = a.status;

    answer_free(&a);
    free(text);
    cJSON_Delete(rec);
    return status;
}

#endif
