/* HTTP/1.1 for one application: sockets, limits and deadlines. What the
 * requests mean is the application's business (routes.h).
 *
 * Each connection has a thread, so an application may block. From the end of
 * one request to the end of the answer to the next a connection has
 * timeout_s seconds; then it is cut, whatever it is doing.
 */
#ifndef EB_SERVER_H
#define EB_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define EB_HTTP_ARGS_MAX 16

struct eb_http_arg {
    const char *name;
    const char *value; /* decoded; "" for a name alone */
};

/* Valid while the application is called. */
struct eb_http_request {
    const char *method;
    const char *path; /* decoded, without the query */
    const char *host; /* headers: NULL if absent */
    const char *content_type;
    const char *content_encoding;
    int64_t content_length; /* -1: not announced */
    struct eb_http_arg args[EB_HTTP_ARGS_MAX];
    int n_args;
    int bad_args; /* too many, or with a NUL in one */
    const char *body;
    size_t body_len;
};

struct eb_http_response {
    int status;
    char *body; /* malloc; the server frees it */
    size_t len;
    const char *allow; /* 405: the methods that are there */
    int retry_after_s; /* 0: no such header */
};

struct eb_http_app {
    /* After the headers. 1: the response is filled in and the body is not
     * wanted; 0: call answer when the body is there. */
    int (*begin)(void *arg, const struct eb_http_request *req,
                 struct eb_http_response *res);
    void (*answer)(void *arg, const struct eb_http_request *req,
                   struct eb_http_response *res);
    void *arg;
    size_t max_body; /* of POST and PUT; other bodies are thrown away */
};

struct eb_server_options {
    const char *listen; /* "127.0.0.1:8420", "[::1]:0", "localhost:8420" */
    int allow_remote;   /* 0: only addresses of this machine */
    int connections;
    int timeout_s;
};

struct eb_server;

/* {"error": sentence, "status": status}; the message must be UTF-8. */
void eb_http_error(struct eb_http_response *res, int status, const char *fmt,
                   ...) __attribute__((format(printf, 3, 4)));

/* Binds and listens. EB_EUSAGE for a wrong or occupied address. */
int eb_server_open(const struct eb_server_options *options,
                   struct eb_server **out, struct eb_err *err);
/* Where it listens, "127.0.0.1:8420", and the port alone. */
const char *eb_server_address(const struct eb_server *srv);
int eb_server_port(const struct eb_server *srv);
/* Begins to answer. app must live until eb_server_close. */
int eb_server_start(struct eb_server *srv, const struct eb_http_app *app,
                    struct eb_err *err);
/* Accepts nothing new, gives the requests under way a few seconds, ends all
 * threads. NULL is fine. */
void eb_server_close(struct eb_server *srv);

#endif
