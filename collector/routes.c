#include "collector/routes.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "collector/ingest.h"
#include "collector/query.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/record.h"

/* A parsed record takes up to 200 MiB of memory. */
#define ROUTES_HEAVY 2
/* From this size on its memory goes back to the system at once. */
#define ROUTES_TRIM_BYTES (4u << 20)
#define ROUTES_LIMIT 50
/* An agent that was refused for want of space comes back after this. */
#define ROUTES_RETRY_S 30

struct route {
    const char *method;
    const char *path;   /* ends in "{id}" or has it as a part */
    const char *params; /* "limit after": what may stand behind the ? */
    void (*answer)(struct eb_routes *r, const struct eb_http_request *req,
                   const char *id, struct eb_http_response *res);
};

static const char *routes_arg(const struct eb_http_request *req,
                              const char *name)
{
    int i;

    for (i = 0; i < req->n_args; i++) {
        if (strcmp(req->args[i].name, name) == 0)
            return req->args[i].value;
    }
    return NULL;
}

static void routes_send(struct eb_http_response *res, int status,
                        struct eb_buf *body)
{
    res->status = status;
    res->len = body->len;
    res->body = eb_buf_take(body);
}

/* Of the errors that reading from or writing to the store can give. */
static void routes_fail(struct eb_http_response *res, const struct eb_err *err)
{
    switch (err->code) {
    case EB_EPARSE:
        eb_http_error(res, 400, "%s: post one JSON object.", err->msg);
        return;
    case EB_EINVAL:
        eb_http_error(res, 422, "%s: correct the record and post it again.",
                      err->msg);
        return;
    case EB_EVERSION:
    case EB_ECONFLICT:
        eb_http_error(res, 422, "%s.", err->msg);
        return;
    case EB_ELIMIT:
        eb_http_error(res, 413, "%s.", err->msg);
        return;
    case EB_ENOENT:
        eb_http_error(res, 404, "%s is stored here: see /v1/runs.", err->msg);
        return;
    case EB_ENOSPC:
    case EB_EBUSY:
    case EB_EPERM:
    case EB_EIO:
        eb_http_error(res, 503, "%s.", err->msg);
        res->retry_after_s = ROUTES_RETRY_S;
        break;
    default:
        eb_http_error(res, 500, "%s.", err->msg);
    }
    eb_warn("%s", err->msg);
}

static void routes_lock(struct eb_routes *r)
{
    while (sem_wait(&r->heavy) < 0 && errno == EINTR)
        continue;
}

/* glibc keeps what a thread has freed for threads to come. */
static void routes_trim(size_t bytes)
{
    if (bytes >= ROUTES_TRIM_BYTES)
        eb_mem_trim();
}

static void routes_stored(struct eb_routes *r, const struct eb_run *run,
                          int put, struct eb_http_response *res)
{
    struct eb_buf body = {0};

    eb_buf_addf(&body,
                "{\"run_id\":\"%s\",\"sha256\":\"%s\",\"durable\":%s,"
                "\"result\":\"%s\"}\n",
                run->run_id, run->sha256,
                eb_store_durable(r->store) ? "true" : "false",
                put == EB_PUT_SAME ? "duplicate" : "stored");
    routes_send(res, put == EB_PUT_SAME ? 200 : 201, &body);
}

static void routes_post_run(struct eb_routes *r,
                            const struct eb_http_request *req, const char *id,
                            struct eb_http_response *res)
{
    struct eb_err err = {0};
    struct eb_ingest in;
    int rc;

    (void)id;
    routes_lock(r);
    rc = eb_ingest_check(req->body, req->body_len, &in, &err);
    sem_post(&r->heavy);
    if (rc == 0)
        rc = eb_store_put(r->store, &in.run, &err);
    if (rc < 0)
        routes_fail(res, &err);
    else
        routes_stored(r, &in.run, rc, res);
    eb_ingest_free(&in);
    routes_trim(req->body_len);
}

/* The filters that lists and comparisons share. */
static struct eb_run_query routes_query(const struct eb_http_request *req)
{
    return (struct eb_run_query){.suite = routes_arg(req, "suite"),
                                 .model = routes_arg(req, "model"),
                                 .device = routes_arg(req, "device"),
                                 .session = routes_arg(req, "session"),
                                 .after = routes_arg(req, "after"),
                                 .limit = ROUTES_LIMIT};
}

static void routes_get_runs(struct eb_routes *r,
                            const struct eb_http_request *req, const char *id,
                            struct eb_http_response *res)
{
    struct eb_run_query q = routes_query(req);
    const char *limit = routes_arg(req, "limit");
    struct eb_buf body = {0};
    struct eb_err err = {0};
    int rc;

    (void)id;
    if (limit != NULL) {
        q.limit =
            strspn(limit, "0123456789") == strlen(limit) && strlen(limit) <= 3
                ? atoi(limit)
                : 0;
        if (q.limit < 1 || q.limit > EB_QUERY_LIMIT_MAX) {
            eb_http_error(res, 400, "limit must be a number from 1 to %d.",
                          EB_QUERY_LIMIT_MAX);
            return;
        }
    }
    rc = eb_query_list(r->store, &q, &body, &err);
    if (rc == EB_ENOENT)
        eb_http_error(res, 400,
                      "after is not the id of a stored run: use \"next\" of "
                      "the page before.");
    else if (rc != 0)
        routes_fail(res, &err);
    else
        routes_send(res, 200, &body);
    eb_buf_free(&body);
}

static void routes_one_run(struct eb_routes *r, const char *id, int as_posted,
                           struct eb_http_response *res)
{
    struct eb_buf body = {0};
    struct eb_err err = {0};
    int rc;

    if (!eb_uuid_valid(id)) {
        eb_http_error(res, 404,
                      "This is not the id of a run, which is a lower-case "
                      "UUID: see /v1/runs.");
        return;
    }
    routes_lock(r);
    rc = as_posted ? eb_query_posted(r->store, id, &body, &err)
                   : eb_query_run(r->store, id, &body, &err);
    sem_post(&r->heavy);
    routes_trim(body.len);
    if (rc != 0)
        routes_fail(res, &err);
    else
        routes_send(res, 200, &body);
    eb_buf_free(&body);
}

static void routes_get_run(struct eb_routes *r,
                           const struct eb_http_request *req, const char *id,
                           struct eb_http_response *res)
{
    (void)req;
    routes_one_run(r, id, 0, res);
}

static void routes_get_posted(struct eb_routes *r,
                              const struct eb_http_request *req, const char *id,
                              struct eb_http_response *res)
{
    (void)req;
    routes_one_run(r, id, 1, res);
}

static void routes_get_compare(struct eb_routes *r,
                               const struct eb_http_request *req,
                               const char *id, struct eb_http_response *res)
{
    struct eb_run_query q = routes_query(req);
    struct eb_buf body = {0};
    struct eb_err err = {0};

    (void)id;
    if (q.suite == NULL || *q.suite == '\0') {
        eb_http_error(res, 400, "Name the suite: /v1/compare?suite=custsvc.");
        return;
    }
    routes_lock(r);
    if (eb_query_compare(r->store, &q, &body, &err) != 0)
        routes_fail(res, &err);
    else
        routes_send(res, 200, &body);
    sem_post(&r->heavy);
    eb_buf_free(&body);
}

static void routes_get_health(struct eb_routes *r,
                              const struct eb_http_request *req, const char *id,
                              struct eb_http_response *res)
{
    struct eb_buf body = {0};
    struct eb_err err = {0};
    int64_t runs = 0;

    (void)req;
    (void)id;
    if (eb_store_check(r->store, &err) != 0 ||
        eb_store_count(r->store, &runs, &err) != 0) {
        routes_fail(res, &err);
        return;
    }
    eb_buf_addf(&body,
                "{\"status\":\"ok\",\"version\":\"%s\",\"store\":\"%s\","
                "\"runs\":%lld}\n",
                EB_VERSION, eb_store_name(r->store), (long long)runs);
    routes_send(res, 200, &body);
}

static const struct route routes_table[] = {
    {"GET", "/healthz", "", routes_get_health},
    {"GET", "/v1/runs", "suite model device session after limit",
     routes_get_runs},
    {"POST", "/v1/runs", "", routes_post_run},
    {"GET", "/v1/runs/{id}", "", routes_get_run},
    {"GET", "/v1/runs/{id}/posted", "", routes_get_posted},
    {"GET", "/v1/compare", "suite model device session", routes_get_compare},
    {NULL, NULL, NULL, NULL}};

/* 1 if the path is the route's; id gets what stands for {id}. */
static int routes_match(const char *pattern, const char *path,
                        char id[EB_UUID_LEN])
{
    size_t before = strcspn(pattern, "{"), n;

    *id = '\0';
    if (pattern[before] == '\0')
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0)
        return 0;
    path += before;
    pattern += before + strlen("{id}");
    n = strcspn(path, "/");
    if (n == 0 || strcmp(path + n, pattern) != 0)
        return 0;
    if (n < EB_UUID_LEN) {
        memcpy(id, path, n);
        id[n] = '\0';
    }
    return 1;
}

/* HEAD is GET whose body the server leaves out. */
static const struct route *routes_find(const struct eb_http_request *req,
                                       char id[EB_UUID_LEN])
{
    const char *method = strcmp(req->method, "HEAD") == 0 ? "GET" : req->method;
    const struct route *route;

    for (route = routes_table; route->path != NULL; route++) {
        if (routes_match(route->path, req->path, id) &&
            strcmp(route->method, method) == 0)
            return route;
    }
    return NULL;
}

static void routes_not_found(const struct eb_http_request *req,
                             struct eb_http_response *res)
{
    int get = 0, post = 0;
    const struct route *route;
    char id[EB_UUID_LEN];

    for (route = routes_table; route->path != NULL; route++) {
        if (!routes_match(route->path, req->path, id))
            continue;
        get |= strcmp(route->method, "GET") == 0;
        post |= strcmp(route->method, "POST") == 0;
    }
    if (!get && !post) {
        eb_http_error(res, 404,
                      "Nothing is at this path: use /v1/runs, /v1/compare or "
                      "/healthz.");
        return;
    }
    res->allow = get && post ? "GET, HEAD, POST" : get ? "GET, HEAD" : "POST";
    eb_http_error(res, 405, "This path takes only %s.", res->allow);
}

/* "127.0.0.1:8420" and the like. No Host at all is HTTP/1.0, which browsers
 * do not speak. */
static int routes_is_local(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    size_t i, n;

    if (host == NULL)
        return 1;
    for (i = 0; i < 3; i++) {
        n = strlen(names[i]);
        if (strncasecmp(host, names[i], n) == 0 &&
            (host[n] == '\0' || host[n] == ':'))
            return 1;
    }
    return 0;
}

/* A key of the space-separated list? */
static int routes_listed(const char *list, const char *key)
{
    size_t n = strlen(key);
    const char *hit = list;

    while (n > 0 && (hit = strstr(hit, key)) != NULL) {
        if ((hit == list || hit[-1] == ' ') &&
            (hit[n] == '\0' || hit[n] == ' '))
            return 1;
        hit += n;
    }
    return 0;
}

/* Values are compared with stored UTF-8 and come back in answers. */
static int routes_is_text(const char *value)
{
    cJSON *v = cJSON_CreateString(value), *back = NULL;
    char *text = cJSON_PrintUnformatted(v);
    int ok =
        text != NULL && eb_json_parse(text, strlen(text), "", &back, NULL) == 0;

    cJSON_Delete(v);
    cJSON_Delete(back);
    cJSON_free(text);
    return ok;
}

static int routes_args_ok(const struct route *route,
                          const struct eb_http_request *req,
                          struct eb_http_response *res)
{
    int i;

    for (i = 0; i < req->n_args; i++) {
        if (!routes_listed(route->params, req->args[i].name)) {
            eb_http_error(res, 400,
                          *route->params != '\0'
                              ? "Unknown parameter: this path takes only %s."
                              : "This path takes no parameters.%s",
                          route->params);
            return 0;
        }
        if (routes_arg(req, req->args[i].name) != req->args[i].value ||
            !routes_is_text(req->args[i].value))
            break;
    }
    if (i == req->n_args && !req->bad_args)
        return 1;
    eb_http_error(res, 400, "Give each parameter once, as UTF-8 text.");
    return 0;
}

static int routes_is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof(json) - 1;

    return type != NULL && strncasecmp(type, json, n) == 0 &&
           (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

static int routes_body_ok(struct eb_routes *r,
                          const struct eb_http_request *req,
                          struct eb_http_response *res)
{
    if (!routes_is_json(req->content_type))
        eb_http_error(res, 415,
                      "Send the run with Content-Type: application/json.");
    else if (req->content_encoding != NULL &&
             strcasecmp(req->content_encoding, "identity") != 0)
        eb_http_error(res, 415,
                      "Send the run as it is, without Content-Encoding.");
    else if (req->content_length > (int64_t)r->app.max_body)
        eb_http_error(res, 413,
                      "The request is larger than %zu bytes: post one run at "
                      "a time.",
                      r->app.max_body);
    else
        return 1;
    return 0;
}

static int routes_begin(void *arg, const struct eb_http_request *req,
                        struct eb_http_response *res)
{
    const struct route *route;
    struct eb_routes *r = arg;
    char id[EB_UUID_LEN];

    if (r->local_only && !routes_is_local(req->host)) {
        eb_http_error(res, 403,
                      "This collector answers to 127.0.0.1, localhost and "
                      "[::1] only: start it with --allow-remote to use other "
                      "names.");
        return 1;
    }
    route = routes_find(req, id);
    if (route == NULL) {
        routes_not_found(req, res);
        return 1;
    }
    if (!routes_args_ok(route, req, res))
        return 1;
    return strcmp(route->method, "POST") == 0 && !routes_body_ok(r, req, res);
}

static void routes_answer(void *arg, const struct eb_http_request *req,
                          struct eb_http_response *res)
{
    const struct route *route;
    char id[EB_UUID_LEN];

    route = routes_find(req, id);
    route->answer(arg, req, id, res);
    eb_debug("%s %s: %d", route->method, route->path, res->status);
}

void eb_routes_init(struct eb_routes *routes, struct eb_store *store,
                    int local_only)
{
    memset(routes, 0, sizeof(*routes));
    routes->store = store;
    routes->local_only = local_only;
    sem_init(&routes->heavy, 0, ROUTES_HEAVY);
    routes->app = (struct eb_http_app){.begin = routes_begin,
                                       .answer = routes_answer,
                                       .arg = routes,
                                       .max_body = EB_RECORD_MAX_BYTES};
}

void eb_routes_free(struct eb_routes *routes)
{
    sem_destroy(&routes->heavy);
}
