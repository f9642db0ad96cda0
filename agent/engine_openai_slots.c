/* Replies of OpenAI-compatible servers, one libcurl handle a slot in one multi
 * handle. libcurl and the JSON parser allocate while a reply comes in; that is
 * the price of the network.
 *
 * The clock is read to know when a retry is due and when to stop waiting for
 * the rest of an answer; no figure comes from it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/chat.h"
#include "agent/engine_openai_parts.h"
#include "common/clock.h"

#define OPENAI_SEED 1
#define OPENAI_RETRIES 3
#define OPENAI_BACKOFF_MS 500
#define OPENAI_RETRY_AFTER_MAX_S 60
#define OPENAI_OTHER_BYTES (8u << 10) /* of an answer that is no stream */
/* How long the rest of an answer may take after the last text: the counts
 * after a reason to finish, the end of the transfer after [DONE]. */
#define OPENAI_COUNTS_NS (2000 * INT64_C(1000000))
#define OPENAI_DONE_NS (50 * INT64_C(1000000))

static int openai_backoff_ms = OPENAI_BACKOFF_MS;

void eb_openai_set_backoff_ms(int ms)
{
    openai_backoff_ms = ms;
}

/* Requests */

static int openai_takes(const struct openai_slot *s, enum openai_optional m)
{
    return (s->without >> m & 1) == 0;
}

/* The body, of its tail and what the server takes. */
static void openai_compose(struct openai_slot *s)
{
    struct eb_buf *b = &s->body;

    s->without = s->engine->without;
    eb_buf_reset(b);
    eb_buf_adds(b, "{\"model\":");
    eb_chat_string(s->engine->server.model, b);
    eb_buf_adds(b, ",\"stream\":true");
    if (openai_takes(s, OPENAI_USAGE))
        eb_buf_adds(b, ",\"stream_options\":{\"include_usage\":true}");
    if (openai_takes(s, OPENAI_TEMPERATURE))
        eb_buf_adds(b, ",\"temperature\":0");
    if (openai_takes(s, OPENAI_SEED_MEMBER))
        eb_buf_addf(b, ",\"seed\":%d", OPENAI_SEED);
    eb_buf_addf(b, ",\"%s\":%d%s",
                openai_takes(s, OPENAI_MAX_TOKENS) ? "max_tokens"
                                                   : "max_completion_tokens",
                s->reply.max_tokens, s->tail.data);
}

static void openai_tail(const struct openai *o, struct openai_slot *s,
                        const struct eb_request *r)
{
    struct eb_buf *b = &s->tail;

    eb_buf_reset(b);
    if (o->server.is_llama && r->grammar != NULL) {
        eb_buf_adds(b, ",\"grammar\":");
        eb_chat_string(r->grammar, b);
    }
    if (o->server.is_llama && s->fresh)
        eb_buf_adds(b, ",\"cache_prompt\":false");
    eb_buf_addf(b, ",\"messages\":%s}", r->prompt);
}

static void openai_send(struct openai_slot *s)
{
    eb_openai_reply_begin(&s->reply, s->reply.max_tokens);
    eb_buf_reset(&s->other);
    memset(&s->error, 0, sizeof(s->error));
    s->streams = 0;
    s->due_ns = 0;
    s->state = OPENAI_FLYING;
    curl_easy_setopt(s->easy, CURLOPT_FRESH_CONNECT, (long)s->resent);
    curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->body.data);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)s->body.len);
    curl_multi_add_handle(s->engine->multi, s->easy);
}

int eb_openai_start(struct eb_engine *e, int slot, const struct eb_request *r,
                    struct eb_err *err)
{
    struct openai *o = (struct openai *)e;
    struct openai_slot *s;

    if (slot < 0 || slot >= o->base.slots ||
        o->slots[slot].state != OPENAI_FREE)
        return eb_fail(err, EB_EBUSY, "slot %d is not free", slot);
    if (r->prompt[0] != '[' || r->max_tokens < 1)
        return eb_fail(err, EB_EINVAL, "the prompt is no list of messages");
    s = &o->slots[slot];
    s->tries = s->resent = 0;
    s->reply.max_tokens = r->max_tokens;
    openai_tail(o, s, r);
    openai_compose(s);
    s->fresh = 0;
    openai_send(s);
    return 0;
}

/* Answers */

static int openai_is_stream(CURL *c)
{
    const char *type = NULL;
    long status = 0;

    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
    return status == 200 && type != NULL &&
           strncasecmp(type, "text/event-stream", 17) == 0;
}

/* Of an answer that is no stream the beginning is enough, to say what it is:
 * the rest, which may have no end, is not waited for. */
static size_t openai_other(struct openai_slot *s, const char *data, size_t len)
{
    size_t room = OPENAI_OTHER_BYTES - s->other.len;

    eb_buf_add(&s->other, data, len < room ? len : room);
    return len <= room ? len : 0;
}

size_t eb_openai_body(char *data, size_t size, size_t n, void *arg)
{
    struct openai_slot *s = arg;
    struct eb_openai_reply *r = &s->reply;
    int before = r->finished + r->done;

    if (!s->streams && s->other.len == 0)
        s->streams = openai_is_stream(s->easy);
    if (!s->streams)
        return openai_other(s, data, size * n);
    if (eb_openai_reply_feed(r, data, size * n, &s->error) != 0)
        return 0;
    if (r->finished + r->done > before)
        s->due_ns =
            eb_clock_ns() + (r->done ? OPENAI_DONE_NS : OPENAI_COUNTS_NS);
    return size * n;
}

static void openai_end(struct openai_slot *s)
{
    if (s->state == OPENAI_FLYING)
        curl_multi_remove_handle(s->engine->multi, s->easy);
    s->state = OPENAI_ENDED;
    snprintf(s->engine->served, sizeof(s->engine->served), "%s",
             s->reply.model);
    if (s->error.code == 0)
        eb_openai_reply_close(&s->reply);
    if (s->error.code == 0 && s->reply.limited)
        eb_fail(&s->error, EB_ELIMIT, "token limit");
}

/* Tries again later; 0 if that was the last time, or the server wants too
 * long a wait. */
static int openai_again(struct openai_slot *s)
{
    curl_off_t after = 0;
    int64_t wait_ms;

    curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &after);
    if (s->tries == OPENAI_RETRIES || after > OPENAI_RETRY_AFTER_MAX_S)
        return 0;
    wait_ms = (int64_t)openai_backoff_ms << s->tries;
    if (after * 1000 > wait_ms)
        wait_ms = after * 1000;
    s->tries++;
    s->engine->retries++;
    curl_multi_remove_handle(s->engine->multi, s->easy);
    s->state = OPENAI_WAITING;
    s->due_ns = eb_clock_ns() + wait_ms * INT64_C(1000000);
    return 1;
}

static int openai_passing(long status)
{
    return status == 408 || status == 429 ||
           (status >= 500 && status != 501 && status != 505);
}

/* Sends the request again without the member that the answer complains of;
 * later ones go without it at once. 0 if there is no such member. */
static int openai_adapt(struct openai_slot *s)
{
    static const char *const names[] = EB_OPENAI_OPTIONAL;
    int i = eb_openai_speaks_of(s->other.data, s->other.len, names,
                                OPENAI_OPTIONALS);

    if (i < 0 || !openai_takes(s, (enum openai_optional)i))
        return 0;
    s->engine->without |= 1u << i;
    curl_multi_remove_handle(s->engine->multi, s->easy);
    openai_compose(s);
    openai_send(s);
    return 1;
}

/* An answer came that is no stream of events. */
static void openai_answered(struct openai_slot *s)
{
    char says[EB_OPENAI_SAYS_MAX + 1], tries[32] = "";
    const char *type = NULL;
    long status = 0;
    int rc = eb_openai_says(s->other.data, s->other.len, says);

    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(s->easy, CURLINFO_CONTENT_TYPE, &type);
    if (openai_passing(status) && openai_again(s))
        return;
    if ((status == 400 || status == 422) && rc != EB_ELIMIT && openai_adapt(s))
        return;
    if (s->tries > 0)
        snprintf(tries, sizeof(tries), " after %d retries", s->tries);
    if (status == 200)
        eb_fail(&s->error, rc, "the answer is %.40s, no event stream%s%s",
                type != NULL ? type : "of no type", *says != '\0' ? ": " : "",
                says);
    else if (status >= 300 && status < 400)
        eb_fail(&s->error, EB_ENET,
                "HTTP status %ld: a redirect is not followed", status);
    else
        eb_fail(&s->error, rc, "HTTP status %ld%s: %s", status, tries,
                *says != '\0' ? says : "no reason given");
    openai_end(s);
}

/* The server closed a kept connection just when the request went out, and
 * never saw it: once more, on a new one. llama-server does so often; libcurl
 * sees to it only if the request was sent whole. */
static int openai_resend(struct openai_slot *s, CURLcode code, long status)
{
    long connects = 1;

    curl_easy_getinfo(s->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (s->resent || connects > 0 || status != 0 ||
        (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR &&
         code != CURLE_GOT_NOTHING))
        return 0;
    curl_multi_remove_handle(s->engine->multi, s->easy);
    s->resent = 1;
    openai_send(s);
    return 1;
}

static void openai_finish(struct openai_slot *s, CURLcode code)
{
    const struct eb_openai_reply *r = &s->reply;
    long status = 0;

    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    if (s->error.code != 0 || (s->streams && (r->finished || r->done))) {
        openai_end(s);
    } else if (openai_resend(s, code, status) ||
               (code == CURLE_COULDNT_CONNECT && openai_again(s))) {
        return;
    } else if (!s->streams && status != 0 &&
               (code == CURLE_OK || s->other.len > 0)) {
        openai_answered(s);
    } else {
        eb_fail(&s->error, EB_ENET, "%s: %s",
                s->streams ? "the reply was cut off" : "no answer",
                code == CURLE_OK ? "the stream ended early"
                                 : curl_easy_strerror(code));
        openai_end(s);
    }
}

/* Stepping */

static struct openai_slot *openai_slot_of(struct openai *o, const CURL *easy)
{
    int i;

    for (i = 0; i < o->base.slots; i++) {
        if (o->slots[i].easy == easy)
            return &o->slots[i];
    }
    return NULL;
}

static void openai_pump(struct openai *o)
{
    struct openai_slot *s;
    CURLMsg *msg;
    int64_t now;
    int left, i;

    curl_multi_perform(o->multi, &left);
    while ((msg = curl_multi_info_read(o->multi, &left)) != NULL) {
        s = openai_slot_of(o, msg->easy_handle);
        if (msg->msg == CURLMSG_DONE && s != NULL)
            openai_finish(s, msg->data.result);
    }
    now = eb_clock_ns();
    for (i = 0; i < o->base.slots; i++) {
        s = &o->slots[i];
        if (s->state == OPENAI_WAITING && now >= s->due_ns)
            openai_send(s);
        else if (s->state == OPENAI_FLYING && s->due_ns > 0 && now >= s->due_ns)
            openai_end(s); /* all that matters is there */
    }
}

static void openai_over(struct openai_slot *s, struct eb_event *event)
{
    const struct eb_openai_reply *r = &s->reply;

    event->over = 1;
    event->rc = s->error.code;
    snprintf(event->detail, sizeof(event->detail), "%.*s",
             (int)sizeof(event->detail) - 1,
             s->error.code == 0 && r->filtered
                 ? "ended by a content filter of the server"
                 : s->error.msg);
    event->prompt_tokens = r->prompt_tokens;
    event->cached_tokens = r->cached_tokens;
    event->reply_tokens = r->reply_tokens;
    s->state = OPENAI_FREE;
}

/* At most one event a slot; returns how many slots still work. */
static int openai_gather(struct openai *o, struct eb_event *events, size_t *n)
{
    struct openai_slot *s;
    struct eb_event *event;
    int i, busy = 0;

    for (i = 0; i < o->base.slots; i++) {
        s = &o->slots[i];
        busy += s->state != OPENAI_FREE;
        if (s->state != OPENAI_FLYING && s->state != OPENAI_ENDED)
            continue;
        event = &events[*n];
        memset(event, 0, sizeof(*event));
        event->slot = i;
        event->token = -1;
        event->prompt_tokens = event->cached_tokens = event->reply_tokens = -1;
        if (eb_openai_reply_next(&s->reply, &event->piece, &event->len))
            ++*n;
        else if (s->state == OPENAI_ENDED) {
            openai_over(s, event);
            ++*n;
        }
    }
    return busy;
}

/* Until the next retry, but never long. */
static int openai_pause_ms(const struct openai *o)
{
    int64_t now = eb_clock_ns(), ms, least = EB_OPENAI_POLL_MS;
    int i;

    for (i = 0; i < o->base.slots; i++) {
        if (o->slots[i].due_ns == 0 || o->slots[i].state == OPENAI_FREE)
            continue;
        ms = (o->slots[i].due_ns - now) / 1000000 + 1;
        if (ms < least)
            least = ms > 0 ? ms : 0;
    }
    return (int)least;
}

int eb_openai_step(struct eb_engine *e, struct eb_event *events, size_t *n,
                   struct eb_err *err)
{
    struct openai *o = (struct openai *)e;

    for (*n = 0;;) {
        if (eb_openai_stopped(o)) {
            eb_openai_clear(e);
            return eb_fail(err, EB_EABORT, "stopped");
        }
        openai_pump(o);
        if (openai_gather(o, events, n) == 0 || *n > 0)
            return 0;
        curl_multi_poll(o->multi, NULL, 0, openai_pause_ms(o), NULL);
    }
}

void eb_openai_cancel(struct eb_engine *e, int slot)
{
    struct openai *o = (struct openai *)e;
    struct openai_slot *s = &o->slots[slot];

    /* Closes the connection, so that the server stops working. */
    if (s->state == OPENAI_FLYING)
        curl_multi_remove_handle(o->multi, s->easy);
    s->state = OPENAI_FREE;
}

/* The server's memory is its own; llama-server can be told not to use it. */
void eb_openai_clear(struct eb_engine *e)
{
    int i;

    for (i = 0; i < e->slots; i++) {
        eb_openai_cancel(e, i);
        ((struct openai *)e)->slots[i].fresh = 1;
    }
}
