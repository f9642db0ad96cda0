/* Servers that speak OpenAI's chat completions: llama-server, vLLM, Ollama,
 * LM Studio, MLX server, or a cloud model as the reference. A model path is
 * "openai:http://127.0.0.1:8080/v1#model", without #model if the server
 * offers just one. agent/ENGINES.md says what such an engine cannot tell.
 *
 * Here: opening and facts; replies are in engine_openai_slots.c.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/chat.h"
#include "agent/engine_openai_parts.h"
#include "common/json.h"
#include "common/mem.h"

#define OPENAI_CONNECT_MS 10000L
#define OPENAI_LOOK_MS 15000L /* the questions of opening */
#define OPENAI_LIST_BYTES (4u << 20)

int eb_openai_stopped(const struct openai *o)
{
    return o->settings.stop != NULL && o->settings.stop(o->settings.stop_arg);
}

/* The address */

static int openai_is_loopback(const char *host)
{
    struct in_addr v4;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return 1;
    return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

static int openai_has(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    int has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

/* The key goes into a header, so it must be one line. */
static int openai_key(const struct openai *o, const char *scheme,
                      const char **key, struct eb_err *err)
{
    const char *text = getenv("EDGEBENCH_OPENAI_KEY"), *p;

    *key = text != NULL && *text != '\0' ? text : NULL;
    if (*key == NULL)
        return 0;
    for (p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return eb_fail(err, EB_EINVAL,
                           "EDGEBENCH_OPENAI_KEY has a character that no key "
                           "has");
    }
    if (!o->loopback && strcmp(scheme, "https") != 0)
        return eb_fail(err, EB_EINVAL,
                       "EDGEBENCH_OPENAI_KEY is set and would go unencrypted "
                       "to another machine: use https, or unset it");
    return 0;
}

static int openai_headers(struct openai *o, const char *scheme,
                          struct eb_err *err)
{
    const char *key;
    char *line;
    int rc = openai_key(o, scheme, &key, err);

    if (rc != 0)
        return rc;
    o->headers = curl_slist_append(NULL, "Content-Type: application/json");
    /* Else libcurl asks before it sends a long prompt, and waits. */
    o->headers = curl_slist_append(o->headers, "Expect:");
    if (key != NULL) {
        line = eb_xasprintf("Authorization: Bearer %s", key);
        o->headers = curl_slist_append(o->headers, line);
        free(line);
    }
    return 0;
}

/* Paths stand in records and on command lines, so they hold no secret. */
static int openai_address(struct openai *o, struct eb_err *err)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL;
    int rc = 0;

    if (u == NULL ||
        curl_url_set(u, CURLUPART_URL, o->url, CURLU_NON_SUPPORT_SCHEME) !=
            CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        rc = eb_fail(err, EB_EINVAL,
                     "openai:%.80s: no http:// or https:// address", o->url);
    } else if (openai_has(u, CURLUPART_USER) ||
               openai_has(u, CURLUPART_PASSWORD) ||
               openai_has(u, CURLUPART_QUERY)) {
        rc = eb_fail(err, EB_EINVAL,
                     "openai: the address has a user or a query part: a key "
                     "goes into EDGEBENCH_OPENAI_KEY only");
    } else {
        o->loopback = openai_is_loopback(host);
        rc = openai_headers(o, scheme, err);
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return rc;
}

/* Transfers */

static CURL *openai_easy(const struct openai *o, const char *url)
{
    CURL *c = curl_easy_init();

    if (c == NULL)
        return NULL;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, o->headers);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, OPENAI_CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    /* A connection a slot: replies do not wait for one another. */
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "edgebench/" EB_VERSION);
    if (o->loopback) /* no proxy may see the key or delay a local server */
        curl_easy_setopt(c, CURLOPT_PROXY, "");
    return c;
}

static size_t openai_look_body(char *data, size_t size, size_t n, void *arg)
{
    struct eb_buf *b = arg;

    if (b->len + size * n > OPENAI_LIST_BYTES)
        return 0;
    eb_buf_add(b, data, size * n);
    return size * n;
}

/* Until the transfer is over, or stop says so. */
static int openai_wait(struct openai *o, CURL *c, CURLcode *out,
                       struct eb_err *err)
{
    CURLMsg *msg;
    int left, rc = 0;

    *out = CURLE_FAILED_INIT;
    curl_multi_add_handle(o->multi, c);
    for (;;) {
        curl_multi_perform(o->multi, &left);
        msg = curl_multi_info_read(o->multi, &left);
        if (msg != NULL && msg->msg == CURLMSG_DONE) {
            *out = msg->data.result;
            break;
        }
        if (eb_openai_stopped(o)) {
            rc = eb_fail(err, EB_EABORT, "stopped");
            break;
        }
        curl_multi_poll(o->multi, NULL, 0, EB_OPENAI_POLL_MS, NULL);
    }
    curl_multi_remove_handle(o->multi, c);
    return rc;
}

/* GET: the JSON object of a 200; *status otherwise. */
static int openai_look(struct openai *o, const char *url, cJSON **v,
                       long *status, struct eb_err *err)
{
    CURL *c = openai_easy(o, url);
    char says[EB_OPENAI_SAYS_MAX + 1];
    struct eb_buf b = {0};
    CURLcode code;
    int rc;

    *v = NULL;
    *status = 0;
    if (c == NULL)
        return eb_fail(err, EB_ENET, "libcurl could not start");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, openai_look_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, OPENAI_LOOK_MS);
    rc = openai_wait(o, c, &code, err);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
    if (rc == 0 && code != CURLE_OK) {
        rc = eb_fail(err, EB_ENET, "%.100s: %s", url, curl_easy_strerror(code));
    } else if (rc == 0 && *status != 200) {
        eb_openai_says(b.data, b.len, says);
        rc = eb_fail(err, EB_ENET, "%.100s: HTTP status %ld: %s", url, *status,
                     says);
    } else if (rc == 0 && (eb_json_parse(b.len > 0 ? b.data : "", b.len,
                                         "answer", v, NULL) != 0 ||
                           !cJSON_IsObject(*v))) {
        cJSON_Delete(*v);
        *v = NULL;
        rc = eb_fail(err, EB_ENET, "%.100s: the answer is no JSON object", url);
    }
    eb_buf_free(&b);
    curl_easy_cleanup(c);
    return rc;
}

/* Opening */

/* A server without a list is fine if the model is named. */
static int openai_find_model(struct openai *o, const char *wanted,
                             struct eb_err *err)
{
    char *url = eb_xasprintf("%s/models", o->url);
    struct eb_err why = {0};
    cJSON *list;
    long status;
    int rc = openai_look(o, url, &list, &status, &why);

    free(url);
    if (rc == 0 || (*wanted != '\0' && (status == 404 || status == 405)))
        rc = eb_openai_server_pick(&o->server, list, wanted, err);
    else if (err != NULL)
        *err = why;
    cJSON_Delete(list);
    return rc;
}

/* Beside /v1 stands llama-server's own interface. */
static int openai_ask_llama(struct openai *o, struct eb_err *err)
{
    size_t n = strlen(o->url);
    struct eb_err why = {0};
    cJSON *props;
    char *url;
    long status;
    int rc;

    if (n > 3 && strcmp(o->url + n - 3, "/v1") == 0)
        n -= 3;
    url = eb_xasprintf("%.*s/props", (int)n, o->url);
    rc = openai_look(o, url, &props, &status, &why);
    free(url);
    if (rc == 0)
        eb_openai_server_props(&o->server, props);
    if (rc == EB_EABORT && err != NULL)
        *err = why;
    return rc == EB_EABORT ? rc : 0;
}

static int openai_make_slots(struct openai *o, struct eb_err *err)
{
    struct openai_slot *s;
    int n = o->settings.slots > 0 ? o->settings.slots : 1, i;

    /* More than it works on at once would wait in the server, and the wait
     * would look like slow prompts. */
    if (o->server.slots > 0 && o->server.slots < n)
        n = o->server.slots;
    o->slots = eb_xcalloc((size_t)n, sizeof(*o->slots));
    o->base.slots = n;
    for (i = 0; i < n; i++) {
        s = &o->slots[i];
        s->engine = o;
        s->easy = openai_easy(o, o->chat_url);
        if (s->easy == NULL)
            return eb_fail(err, EB_ENET, "libcurl could not start");
        curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, eb_openai_body);
        curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
    }
    return 0;
}

static int openai_connect(struct openai *o, const char *model,
                          struct eb_err *err)
{
    int rc = openai_address(o, err);

    if (rc == 0 && (o->multi = curl_multi_init()) == NULL)
        rc = eb_fail(err, EB_ENET, "libcurl could not start");
    if (rc == 0)
        rc = openai_find_model(o, model, err);
    if (rc == 0 && o->server.is_llama)
        rc = openai_ask_llama(o, err);
    if (rc == 0)
        rc = eb_openai_server_price(&o->server, err);
    if (rc == 0)
        rc = openai_make_slots(o, err);
    o->base.ctx = o->settings.ctx;
    if (o->server.ctx > 0)
        o->base.ctx = o->server.ctx;
    return rc;
}

static void openai_close(struct eb_engine *e)
{
    struct openai *o = (struct openai *)e;
    int i;

    for (i = 0; o->slots != NULL && i < o->base.slots; i++) {
        if (o->slots[i].state == OPENAI_FLYING)
            curl_multi_remove_handle(o->multi, o->slots[i].easy);
        curl_easy_cleanup(o->slots[i].easy);
        eb_buf_free(&o->slots[i].body);
        eb_buf_free(&o->slots[i].tail);
        eb_buf_free(&o->slots[i].other);
        eb_openai_reply_free(&o->slots[i].reply);
    }
    free(o->slots);
    curl_multi_cleanup(o->multi);
    curl_slist_free_all(o->headers);
    eb_openai_server_free(&o->server);
    free(o->url);
    free(o->chat_url);
    free(o);
}

static int openai_open(const char *path, const struct eb_engine_settings *s,
                       struct eb_engine **out, struct eb_err *err)
{
    static int ready;
    const char *model;
    struct openai *o;
    size_t n;
    int rc;

    *out = NULL;
    if (strncmp(path, "openai:", 7) != 0)
        return eb_fail(err, EB_ENODEV, "%s: no server's address", path);
    if (!ready)
        curl_global_init(CURL_GLOBAL_DEFAULT);
    ready = 1;
    path += 7;
    n = strcspn(path, "#");
    model = path[n] == '#' ? path + n + 1 : "";
    while (n > 0 && path[n - 1] == '/')
        n--;
    o = eb_xcalloc(1, sizeof(*o));
    o->base.ops = &eb_engine_openai;
    o->settings = *s;
    o->url = eb_xstrndup(path, n);
    o->chat_url = eb_xasprintf("%s/chat/completions", o->url);
    rc = openai_connect(o, model, err);
    if (rc == 0)
        *out = &o->base;
    else
        openai_close(&o->base);
    return rc;
}

/* Facts */

static void openai_runtime(cJSON *out)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    char *text = eb_xasprintf("libcurl %s", v->version);

    cJSON_AddStringToObject(out, "version", text);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(out, "backends"),
                         cJSON_CreateString("server"));
    free(text);
}

/* This process's memory is not the model's: shown, it would make any model
 * look small. */
static void openai_no_memory(cJSON *memory)
{
    static const char *const keys[] = {"rss_anon_bytes", "rss_file_bytes",
                                       "vm_hwm_bytes", "model_bytes"};
    char reason[64];
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(reason, sizeof(reason), "%s_reason", keys[i]);
        cJSON_DeleteItemFromObjectCaseSensitive(memory, keys[i]);
        cJSON_DeleteItemFromObjectCaseSensitive(memory, reason);
        eb_json_add_null(memory, keys[i],
                         "unsupported: the model is in a server's memory");
    }
}

/* A server that takes no temperature samples, which a reader must know. */
static void openai_refused(const struct openai *o, cJSON *model)
{
    static const char *const names[] = EB_OPENAI_OPTIONAL;
    cJSON *list = cJSON_AddArrayToObject(model, "refused_members");
    int i;

    for (i = 0; i < OPENAI_OPTIONALS; i++) {
        if (o->without >> i & 1)
            cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
    }
}

static void openai_facts(struct eb_engine *e, cJSON *model, cJSON *memory)
{
    struct openai *o = (struct openai *)e;

    eb_openai_server_facts(&o->server, o->served, model);
    cJSON_AddStringToObject(model, "server_url", o->url);
    cJSON_AddNumberToObject(model, "retries", o->retries);
    openai_refused(o, model);
    openai_no_memory(memory);
}

static int openai_render(struct eb_engine *e, const struct eb_message *m,
                         size_t n, struct eb_buf *out, struct eb_err *err)
{
    (void)e;
    (void)err;
    eb_chat_json(m, n, out);
    return 0;
}

const struct eb_engine_ops eb_engine_openai = {
    .name = "openai",
    .open = openai_open,
    .close = openai_close,
    .runtime = openai_runtime,
    .facts = openai_facts,
    .render = openai_render,
    .start = eb_openai_start,
    .step = eb_openai_step,
    .cancel = eb_openai_cancel,
    .clear = eb_openai_clear,
    .bench = NULL, /* a server has no such request */
};
