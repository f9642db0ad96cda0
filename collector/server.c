#include "collector/server.h"

#include <cjson/cJSON.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "collector/listen.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#define SERVER_NS 1000000000
/* Bodies of all requests and answers in memory at one time. */
#define SERVER_BYTES (256u << 20)
/* Request line and headers. */
#define SERVER_HEADER_BYTES (32u << 10)
#define SERVER_STACK_BYTES (1u << 20)
/* A connection that is silent is dropped before its deadline. */
#define SERVER_SILENT_S 30
/* After an answer that did not wait for the body, see server_linger. */
#define SERVER_LINGER_NS (2 * (int64_t)SERVER_NS)
/* What requests under way have left when the server stops. */
#define SERVER_STOP_NS (5 * (int64_t)SERVER_NS)

struct server_conn {
    int fd;
    int listed;
    int64_t since_ns; /* last answer done, or connected */
    struct server_conn *prev, *next;
};

struct server_req {
    struct eb_http_request http;
    struct eb_http_response res;
    int answered; /* res is final; the rest of the body is thrown away */
    int early;    /* the body was not waited for */
    int wants_body;
    struct eb_buf body;
    size_t bytes; /* its share of SERVER_BYTES */
};

struct eb_server {
    struct eb_server_options options;
    const struct eb_http_app *app;
    struct MHD_Daemon *daemon;
    struct eb_listen listen;
    pthread_t reaper;
    int reaping;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct server_conn *first, *last; /* by since_ns */
    size_t bytes;
    int active; /* requests under way */
    int stop;
};

void eb_http_error(struct eb_http_response *res, int status, const char *fmt,
                   ...)
{
    cJSON *v = cJSON_CreateObject();
    char msg[512], *text;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    cJSON_AddStringToObject(v, "error", msg);
    cJSON_AddNumberToObject(v, "status", status);
    text = cJSON_PrintUnformatted(v);
    cJSON_Delete(v);
    free(res->body);
    res->body = eb_xasprintf("%s\n", text != NULL ? text : "{}");
    res->len = strlen(res->body);
    res->status = status;
    cJSON_free(text);
}

/* Takes n bytes of the server's memory; 0 if there are none left. */
static int server_reserve(struct eb_server *srv, struct server_req *req,
                          size_t n)
{
    int ok;

    pthread_mutex_lock(&srv->lock);
    ok = n <= SERVER_BYTES - srv->bytes;
    if (ok) {
        srv->bytes += n;
        req->bytes += n;
    }
    pthread_mutex_unlock(&srv->lock);
    return ok;
}

static void server_unreserve(struct eb_server *srv, struct server_req *req)
{
    pthread_mutex_lock(&srv->lock);
    srv->bytes -= req->bytes;
    req->bytes = 0;
    pthread_mutex_unlock(&srv->lock);
}

static void server_busy(struct server_req *req)
{
    eb_http_error(&req->res, 503,
                  "The collector has too many large requests at once: try "
                  "again in a few seconds.");
    req->res.retry_after_s = 5;
    req->answered = 1;
}

static void server_drop_body(struct eb_server *srv, struct server_req *req)
{
    eb_buf_free(&req->body);
    server_unreserve(srv, req);
}

static void server_add_body(struct eb_server *srv, struct server_req *req,
                            const char *data, size_t len)
{
    if (req->answered || !req->wants_body)
        return;
    if (len > srv->app->max_body - req->body.len) {
        eb_http_error(&req->res, 413,
                      "The request is larger than %zu bytes: post one run at "
                      "a time.",
                      srv->app->max_body);
        req->answered = 1;
    } else if (!server_reserve(srv, req, len)) {
        server_busy(req);
    } else {
        eb_buf_add(&req->body, data, len);
        return;
    }
    server_drop_body(srv, req);
}

static enum MHD_Result server_arg(void *cls, enum MHD_ValueKind kind,
                                  const char *name, size_t name_len,
                                  const char *value, size_t value_len)
{
    struct eb_http_request *http = cls;

    (void)kind;
    if (http->n_args == EB_HTTP_ARGS_MAX || strlen(name) != name_len ||
        (value != NULL && strlen(value) != value_len)) {
        http->bad_args = 1;
        return MHD_NO;
    }
    http->args[http->n_args].name = name;
    http->args[http->n_args++].value = value != NULL ? value : "";
    return MHD_YES;
}

static const char *server_header(struct MHD_Connection *conn, const char *name)
{
    return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

/* The strings of a request live as long as the request. */
static struct server_req *server_begin(struct eb_server *srv,
                                       struct MHD_Connection *conn,
                                       const char *url, const char *method)
{
    struct server_req *req = eb_xcalloc(1, sizeof(*req));
    const char *length = server_header(conn, "Content-Length");

    req->http.method = method;
    req->http.path = url;
    req->http.host = server_header(conn, "Host");
    req->http.content_type = server_header(conn, "Content-Type");
    req->http.content_encoding = server_header(conn, "Content-Encoding");
    req->http.content_length = length != NULL ? strtoll(length, NULL, 10) : -1;
    MHD_get_connection_values_n(conn, MHD_GET_ARGUMENT_KIND, server_arg,
                                &req->http);
    req->wants_body = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
    pthread_mutex_lock(&srv->lock);
    srv->active++;
    pthread_mutex_unlock(&srv->lock);
    req->answered = srv->app->begin(srv->app->arg, &req->http, &req->res);
    return req;
}

static enum MHD_Result server_queue(struct eb_server *srv,
                                    struct MHD_Connection *conn,
                                    struct server_req *req)
{
    struct eb_http_response *res = &req->res;
    struct MHD_Response *r;
    enum MHD_Result ok;
    char number[16];

    server_drop_body(srv, req);
    if (!server_reserve(srv, req, res->len))
        server_busy(req);
    r = MHD_create_response_from_buffer(res->len, res->body,
                                        MHD_RESPMEM_MUST_FREE);
    if (r == NULL)
        return MHD_NO;
    res->body = NULL; /* r frees it */
    MHD_add_response_header(r, "Content-Type", "application/json");
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (res->allow != NULL)
        MHD_add_response_header(r, "Allow", res->allow);
    if (res->retry_after_s > 0) {
        snprintf(number, sizeof(number), "%d", res->retry_after_s);
        MHD_add_response_header(r, "Retry-After", number);
    }
    ok = MHD_queue_response(conn, (unsigned)res->status, r);
    MHD_destroy_response(r);
    return ok;
}

/* Called after the headers, for each part of the body, and at its end. */
static enum MHD_Result server_access(void *cls, struct MHD_Connection *conn,
                                     const char *url, const char *method,
                                     const char *version, const char *data,
                                     size_t *len, void **con_cls)
{
    struct eb_server *srv = cls;
    struct server_req *req = *con_cls;

    (void)version;
    if (req == NULL) {
        req = server_begin(srv, conn, url, method);
        *con_cls = req;
        /* libmicrohttpd closes the connection after such an answer, but
         * only for the methods that have a body by nature. */
        req->early = req->answered && req->wants_body;
        return req->early ? server_queue(srv, conn, req) : MHD_YES;
    }
    if (*len > 0) {
        server_add_body(srv, req, data, *len);
        *len = 0;
        return MHD_YES;
    }
    if (!req->answered) {
        req->http.body = req->body.data != NULL ? req->body.data : "";
        req->http.body_len = req->body.len;
        srv->app->answer(srv->app->arg, &req->http, &req->res);
        req->answered = 1;
    }
    return server_queue(srv, conn, req);
}

/* The client may still be sending. Closing now would reset the connection,
 * and the reset can overtake the answer: read a little longer. */
static void server_linger(int fd)
{
    int64_t until = eb_clock_ns() + SERVER_LINGER_NS, left;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char sink[16384];
    ssize_t n = 1;

    shutdown(fd, SHUT_WR);
    while (n > 0 && (left = until - eb_clock_ns()) > 0) {
        if (poll(&p, 1, (int)(left / 1000000) + 1) <= 0)
            break;
        n = recv(fd, sink, sizeof(sink), 0);
    }
}

static struct server_conn *server_conn_of(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

/* With the lock. */
static void server_unlist(struct eb_server *srv, struct server_conn *c)
{
    if (!c->listed)
        return;
    *(c->prev != NULL ? &c->prev->next : &srv->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &srv->last) = c->prev;
    c->listed = 0;
}

/* With the lock: begins a new deadline. */
static void server_list(struct eb_server *srv, struct server_conn *c)
{
    c->since_ns = eb_clock_ns();
    c->prev = srv->last;
    c->next = NULL;
    *(srv->last != NULL ? &srv->last->next : &srv->first) = c;
    srv->last = c;
    c->listed = 1;
    pthread_cond_broadcast(&srv->changed);
}

static void server_completed(void *cls, struct MHD_Connection *conn,
                             void **con_cls,
                             enum MHD_RequestTerminationCode how)
{
    struct eb_server *srv = cls;
    struct server_req *req = *con_cls;
    struct server_conn *c = server_conn_of(conn);

    if (req == NULL)
        return;
    if (c != NULL && req->early && how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        server_linger(c->fd);
    server_drop_body(srv, req);
    free(req->res.body);
    free(req);
    *con_cls = NULL;
    pthread_mutex_lock(&srv->lock);
    srv->active--;
    if (c != NULL && c->listed) {
        server_unlist(srv, c);
        server_list(srv, c);
    }
    pthread_cond_broadcast(&srv->changed);
    pthread_mutex_unlock(&srv->lock);
}

static void server_connection(void *cls, struct MHD_Connection *conn,
                              void **context,
                              enum MHD_ConnectionNotificationCode what)
{
    struct eb_server *srv = cls;
    struct server_conn *c = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        c = eb_xcalloc(1, sizeof(*c));
        c->fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)
                    ->connect_fd;
        *context = c;
        pthread_mutex_lock(&srv->lock);
        server_list(srv, c);
        pthread_mutex_unlock(&srv->lock);
    } else if (c != NULL) {
        /* Before the descriptor is closed and its number used again. */
        pthread_mutex_lock(&srv->lock);
        server_unlist(srv, c);
        pthread_mutex_unlock(&srv->lock);
        *context = NULL;
        free(c);
    }
}

/* Waits until a time of eb_clock_ns or a change. */
static void server_wait(struct eb_server *srv, int64_t until)
{
    struct timespec ts = {.tv_sec = until / SERVER_NS,
                          .tv_nsec = until % SERVER_NS};

    pthread_cond_timedwait(&srv->changed, &srv->lock, &ts);
}

/* Cuts connections that are over their deadline. libmicrohttpd's own time-out
 * only sees silence: one byte a second would hold a connection for ever. */
static void *server_reap(void *arg)
{
    struct eb_server *srv = arg;
    struct server_conn *c;
    int64_t due;

    pthread_mutex_lock(&srv->lock);
    while (!srv->stop) {
        c = srv->first;
        if (c == NULL) {
            pthread_cond_wait(&srv->changed, &srv->lock);
            continue;
        }
        due = c->since_ns + srv->options.timeout_s * (int64_t)SERVER_NS;
        if (eb_clock_ns() < due) {
            server_wait(srv, due);
            continue;
        }
        shutdown(c->fd, SHUT_RDWR);
        server_unlist(srv, c);
    }
    pthread_mutex_unlock(&srv->lock);
    return NULL;
}

int eb_server_open(const struct eb_server_options *options,
                   struct eb_server **out, struct eb_err *err)
{
    struct eb_server *srv = eb_xcalloc(1, sizeof(*srv));
    pthread_condattr_t attr;
    int rc;

    srv->options = *options;
    pthread_mutex_init(&srv->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&srv->changed, &attr);
    pthread_condattr_destroy(&attr);
    rc = eb_listen_open(options->listen, options->allow_remote, &srv->listen,
                        err);
    *out = rc == 0 ? srv : NULL;
    if (rc != 0)
        eb_server_close(srv);
    return rc;
}

const char *eb_server_address(const struct eb_server *srv)
{
    return srv->listen.address;
}

int eb_server_port(const struct eb_server *srv)
{
    return srv->listen.port;
}

static void server_log(void *cls, const char *fmt, va_list ap)
{
    char line[512];

    (void)cls;
    vsnprintf(line, sizeof(line), fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    eb_debug("http: %s", line);
}

int eb_server_start(struct eb_server *srv, const struct eb_http_app *app,
                    struct eb_err *err)
{
    int silent = srv->options.timeout_s < SERVER_SILENT_S
                     ? srv->options.timeout_s
                     : SERVER_SILENT_S;

    srv->app = app;
    if (pthread_create(&srv->reaper, NULL, server_reap, srv) != 0)
        return eb_fail(err, EB_EINTERNAL, "cannot start a thread");
    srv->reaping = 1;
    srv->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
            MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG |
            (srv->listen.is_v6 ? MHD_USE_IPv6 : 0),
        0, NULL, NULL, server_access, srv, MHD_OPTION_EXTERNAL_LOGGER,
        server_log, NULL, MHD_OPTION_LISTEN_SOCKET, srv->listen.fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)srv->options.connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)silent,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_HEADER_BYTES,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)SERVER_STACK_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        server_completed, srv, MHD_OPTION_NOTIFY_CONNECTION, server_connection,
        srv, MHD_OPTION_END);
    if (srv->daemon == NULL)
        return eb_fail(err, EB_EINTERNAL, "cannot start the HTTP server");
    return 0;
}

void eb_server_close(struct eb_server *srv)
{
    int64_t until = eb_clock_ns() + SERVER_STOP_NS;

    if (srv == NULL)
        return;
    if (srv->daemon != NULL)
        MHD_quiesce_daemon(srv->daemon);
    pthread_mutex_lock(&srv->lock);
    while (srv->active > 0 && eb_clock_ns() < until)
        server_wait(srv, until);
    srv->stop = 1;
    pthread_cond_broadcast(&srv->changed);
    pthread_mutex_unlock(&srv->lock);
    if (srv->reaping)
        pthread_join(srv->reaper, NULL);
    if (srv->daemon != NULL)
        MHD_stop_daemon(srv->daemon);
    if (srv->listen.fd >= 0)
        close(srv->listen.fd);
    pthread_mutex_destroy(&srv->lock);
    pthread_cond_destroy(&srv->changed);
    free(srv);
}
