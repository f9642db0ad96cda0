#include "agent/talk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "workloads/text.h"

#define TALK_GAPS 16384
#define TALK_TEXT (256u << 10) /* bytes that fit without allocation */

static volatile sig_atomic_t talk_signals;

static void talk_signal(int sig)
{
    (void)sig;
    talk_signals++;
}

void eb_talk_catch_signals(void)
{
    struct sigaction sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = talk_signal;
    sa.sa_flags = SA_RESTART;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

int eb_talk_interrupts(void)
{
    return (int)talk_signals;
}

void eb_talk_interrupt(int n)
{
    talk_signals = n;
}

void eb_talk_init(struct eb_talk *t)
{
    char *room = calloc(1, TALK_TEXT);

    memset(t, 0, sizeof(*t));
    eb_meter_init(&t->meter, TALK_GAPS);
    if (room != NULL)
        eb_buf_add(&t->raw, room, TALK_TEXT);
    eb_buf_reset(&t->raw);
    free(room);
}

void eb_talk_free(struct eb_talk *t)
{
    eb_meter_free(&t->meter);
    eb_buf_free(&t->prompt);
    eb_buf_free(&t->raw);
    eb_buf_free(&t->text);
}

void eb_talk_item(struct eb_talk *t, int64_t timeout_ns)
{
    t->timeout_ns = timeout_ns;
    eb_meter_reset(&t->meter);
    eb_buf_reset(&t->raw);
    eb_buf_reset(&t->text);
    t->deadline_ns = eb_clock_ns() + t->timeout_ns;
}

int eb_talk_late(const struct eb_talk *t, int64_t now_ns)
{
    return now_ns > t->deadline_ns;
}

static void talk_end(struct eb_talk *t, enum eb_reply_end end,
                     const char *detail)
{
    t->reply.end = end;
    snprintf(t->reply.detail, sizeof(t->reply.detail), "%s", detail);
}

/* What an engine's error means for the item. */
static void talk_error(struct eb_talk *t, int rc, const char *detail)
{
    char text[64];

    if (rc == EB_ELIMIT) {
        talk_end(t, EB_REPLY_TRUNCATED, detail);
    } else if (rc == EB_EABORT && talk_signals > 1) {
        talk_end(t, EB_REPLY_ABORTED, "stopped by the user");
    } else if (rc == EB_EABORT) {
        snprintf(text, sizeof(text), "not finished after %.0f s",
                 (double)t->timeout_ns / 1e9);
        talk_end(t, EB_REPLY_TIMEOUT, text);
    } else {
        talk_end(t, EB_REPLY_FAILED, detail);
    }
}

/* Tokens may end within a character, and models may write NUL. */
static void talk_clean(struct eb_talk *t)
{
    const char *p;
    size_t i, k = 0;

    for (i = 0; i < t->raw.len; i++) {
        if (t->raw.data[i] != '\0')
            t->raw.data[k++] = t->raw.data[i];
    }
    t->raw.len = k;
    if (t->raw.data != NULL)
        t->raw.data[k] = '\0';
    eb_buf_adds(&t->text, "");
    for (p = t->raw.data; p != NULL && *p != '\0';)
        eb_utf8_add(&t->text, eb_utf8_next(&p));
}

static void talk_finish(struct eb_talk *t, int64_t now_ns)
{
    eb_meter_finish(&t->meter, now_ns);
    if (t->prompt_tokens > 0)
        t->meter.prompt_tokens += t->prompt_tokens;
    if (t->cached_tokens > 0)
        t->meter.cached_tokens += t->cached_tokens;
}

static void talk_close(struct eb_talk *t)
{
    talk_clean(t);
    t->reply.text = t->text.data;
}

int eb_talk_ask(struct eb_talk *t, struct eb_engine *e, int slot,
                const struct eb_question *q)
{
    struct eb_request r = {.grammar = q->grammar, .max_tokens = q->max_tokens};
    char detail[sizeof(t->reply.detail)];
    struct eb_err err = {0};
    int rc;

    memset(&t->reply, 0, sizeof(t->reply));
    eb_buf_reset(&t->prompt);
    eb_buf_reset(&t->raw);
    eb_buf_reset(&t->text);
    t->max_tokens = q->max_tokens;
    t->n_tokens = 0;
    t->prompt_tokens = t->cached_tokens = -1;
    rc = e->ops->render(e, q->messages, q->n, &t->prompt, &err);
    r.prompt = t->prompt.data;
    eb_meter_begin(&t->meter, eb_clock_ns());
    if (rc == 0)
        rc = e->ops->start(e, slot, &r, &err);
    if (rc == 0)
        return 1;
    snprintf(detail, sizeof(detail), "%.150s", err.msg);
    eb_talk_fail(t, rc, detail, eb_clock_ns());
    return 0;
}

void eb_talk_fail(struct eb_talk *t, int rc, const char *detail, int64_t now_ns)
{
    talk_finish(t, now_ns);
    talk_error(t, rc, detail);
    talk_close(t);
}

/* Engines that send text in chunks tell the number of tokens at the end. */
static void talk_over(struct eb_talk *t, const struct eb_event *e,
                      int64_t now_ns)
{
    talk_finish(t, now_ns);
    if (e->reply_tokens >= 0)
        t->meter.tokens += e->reply_tokens - t->n_tokens;
    if (e->rc != 0)
        talk_error(t, e->rc, e->detail);
    talk_close(t);
}

int eb_talk_event(struct eb_talk *t, struct eb_engine *e,
                  const struct eb_event *event, int64_t now_ns)
{
    t->prompt_tokens = event->prompt_tokens;
    t->cached_tokens = event->cached_tokens;
    if (event->over) {
        talk_over(t, event, now_ns);
        return 1;
    }
    eb_meter_token(&t->meter, now_ns);
    eb_buf_add(&t->raw, event->piece, event->len);
    t->n_tokens++;
    if (t->n_tokens <
        t->max_tokens * (event->token < 0 ? EB_ENGINE_PIECES_A_TOKEN : 1))
        return 0;
    e->ops->cancel(e, event->slot);
    eb_talk_fail(t, EB_ELIMIT, "token limit", now_ns);
    return 1;
}
