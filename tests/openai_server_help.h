/* An OpenAI-compatible server that misbehaves on demand. A test plants one act
 * for each request to come; the last one holds for all later ones. */
#ifndef EB_TEST_OPENAI_SERVER_HELP_H
#define EB_TEST_OPENAI_SERVER_HELP_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"

enum oai_how {
    OAI_END,     /* after the last chunk */
    OAI_CUT,     /* the connection breaks after the last chunk */
    OAI_HANG,    /* nothing more comes after the last chunk */
    OAI_ENDLESS, /* the last chunk again and again */
    OAI_DROP     /* the connection breaks before any answer */
};

struct oai_act {
    int status;             /* 0: 200 */
    const char *type;       /* NULL: text/event-stream */
    const char *chunks[24]; /* bytes as they are sent */
    enum oai_how how;
    const char *header, *value; /* one more header */
    int turns; /* 1 or 2: chunks alternate with those of the other act */
};

struct oai_server {
    struct MHD_Daemon *daemon;
    char url[64];               /* http://127.0.0.1:port/v1 */
    const char *models, *props; /* NULL: 404 */
    struct oai_act acts[8];
    int n_acts;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    int posts, gets;
    int turn;
    int released;       /* the test is over: nothing waits any more */
    struct eb_buf body; /* of the last request */
    char key[64];
};

struct oai_stream {
    struct oai_server *server;
    const struct oai_act *act;
    int at;
    size_t used; /* of the chunk */
};

static ssize_t oai_send(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct oai_stream *s = cls;
    struct oai_server *srv = s->server;
    const struct oai_act *a = s->act;
    const char *chunk;
    size_t n;

    (void)pos;
    if (a->how == OAI_ENDLESS && a->chunks[s->at] == NULL)
        s->at--;
    chunk = a->chunks[s->at];
    pthread_mutex_lock(&srv->lock);
    while (!srv->released &&
           ((chunk == NULL && a->how == OAI_HANG) ||
            (chunk != NULL && a->turns > 0 && srv->turn % 2 != a->turns - 1)))
        pthread_cond_wait(&srv->changed, &srv->lock);
    if (chunk == NULL || srv->released) {
        pthread_mutex_unlock(&srv->lock);
        return a->how == OAI_CUT ? MHD_CONTENT_READER_END_WITH_ERROR
                                 : MHD_CONTENT_READER_END_OF_STREAM;
    }
    n = strlen(chunk) - s->used < max ? strlen(chunk) - s->used : max;
    memcpy(buf, chunk + s->used, n);
    s->used += n;
    if (s->used == strlen(chunk)) {
        s->at++;
        s->used = 0;
        srv->turn++;
        pthread_cond_broadcast(&srv->changed);
    }
    pthread_mutex_unlock(&srv->lock);
    return (ssize_t)n;
}

static enum MHD_Result oai_text(struct MHD_Connection *conn, const char *text)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        text != NULL ? strlen(text) : 0, (void *)(text != NULL ? text : ""),
        MHD_RESPMEM_PERSISTENT);
    enum MHD_Result ok;

    MHD_add_response_header(r, "Content-Type", "application/json");
    ok = MHD_queue_response(conn, text != NULL ? 200 : 404, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result oai_act(struct oai_server *srv,
                               struct MHD_Connection *conn, int i)
{
    const struct oai_act *a = &srv->acts[i < srv->n_acts ? i : srv->n_acts - 1];
    struct oai_stream *s;
    struct MHD_Response *r;
    enum MHD_Result ok;

    if (a->how == OAI_DROP)
        return MHD_NO;
    s = calloc(1, sizeof(*s));
    s->server = srv;
    s->act = a;
    r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 512, oai_send, s,
                                          free);
    MHD_add_response_header(r, "Content-Type",
                            a->type != NULL ? a->type : "text/event-stream");
    if (a->header != NULL)
        MHD_add_response_header(r, a->header, a->value);
    ok = MHD_queue_response(conn, a->status > 0 ? (unsigned)a->status : 200, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result oai_access(void *cls, struct MHD_Connection *conn,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *len, void **con_cls)
{
    struct oai_server *srv = cls;
    const char *key;
    int i;

    (void)version;
    if (*con_cls == NULL) {
        *con_cls = eb_xcalloc(1, sizeof(struct eb_buf));
        return MHD_YES;
    }
    if (*len > 0) {
        eb_buf_add(*con_cls, data, *len);
        *len = 0;
        return MHD_YES;
    }
    key = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Authorization");
    pthread_mutex_lock(&srv->lock);
    snprintf(srv->key, sizeof(srv->key), "%s", key != NULL ? key : "");
    i = strcmp(method, "POST") == 0 ? srv->posts++ : srv->gets++;
    if (strcmp(method, "POST") == 0) {
        eb_buf_reset(&srv->body);
        eb_buf_add(&srv->body, ((struct eb_buf *)*con_cls)->data,
                   ((struct eb_buf *)*con_cls)->len);
    }
    pthread_cond_broadcast(&srv->changed);
    pthread_mutex_unlock(&srv->lock);
    if (strcmp(method, "POST") == 0 && strcmp(url, "/v1/chat/completions") == 0)
        return oai_act(srv, conn, i);
    return oai_text(conn, strcmp(url, "/v1/models") == 0 ? srv->models
                          : strcmp(url, "/props") == 0   ? srv->props
                                                         : NULL);
}

static void oai_completed(void *cls, struct MHD_Connection *conn,
                          void **con_cls, enum MHD_RequestTerminationCode how)
{
    (void)cls;
    (void)conn;
    (void)how;
    if (*con_cls != NULL)
        eb_buf_free(*con_cls);
    free(*con_cls);
    *con_cls = NULL;
}

static int oai_open(struct oai_server *srv)
{
    const union MHD_DaemonInfo *info;

    memset(srv, 0, sizeof(*srv));
    pthread_mutex_init(&srv->lock, NULL);
    pthread_cond_init(&srv->changed, NULL);
    srv->models = "{\"data\":[{\"id\":\"tiny\",\"owned_by\":\"me\"}]}";
    srv->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
            MHD_USE_ITC,
        0, NULL, NULL, oai_access, srv, MHD_OPTION_NOTIFY_COMPLETED,
        oai_completed, NULL, MHD_OPTION_END);
    if (srv->daemon == NULL)
        return -1;
    info = MHD_get_daemon_info(srv->daemon, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(srv->url, sizeof(srv->url), "http://127.0.0.1:%d/v1",
             (int)info->port);
    return 0;
}

static void oai_close(struct oai_server *srv)
{
    pthread_mutex_lock(&srv->lock);
    srv->released = 1;
    pthread_cond_broadcast(&srv->changed);
    pthread_mutex_unlock(&srv->lock);
    MHD_stop_daemon(srv->daemon);
    eb_buf_free(&srv->body);
    pthread_cond_destroy(&srv->changed);
    pthread_mutex_destroy(&srv->lock);
}

static inline int oai_posts(struct oai_server *srv)
{
    int n;

    pthread_mutex_lock(&srv->lock);
    n = srv->posts;
    pthread_mutex_unlock(&srv->lock);
    return n;
}

/* Parts of a good stream. */
#define OAI_TEXT(text)                                                         \
    "data: {\"model\":\"tiny-1\",\"choices\":[{\"index\":0,\"delta\":"         \
    "{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define OAI_FINISH(why)                                                        \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" why   \
    "\"}]}\n\n"
#define OAI_USAGE                                                              \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,"                   \
    "\"completion_tokens\":2,\"prompt_tokens_details\":"                       \
    "{\"cached_tokens\":5}}}\n\n"
#define OAI_DONE "data: [DONE]\n\n"
#define OAI_GOOD                                                               \
    {                                                                          \
        OAI_TEXT("Hello"), OAI_TEXT(" you"), OAI_FINISH("stop"), OAI_USAGE,    \
            OAI_DONE                                                           \
    }

#endif
