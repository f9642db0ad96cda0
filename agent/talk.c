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

int eb_talk_stop(void *talk)
{
    const struct eb_talk *t = talk;

    return talk_signals > 1 ||
           (t->deadline_ns > 0 && eb_clock_ns() > t->deadline_ns);
}

void eb_talk_init(struct eb_talk *t, int64_t timeout_ns)
{
    char *room = calloc(1, TALK_TEXT);

    memset(t, 0, sizeof(*t));
    t->timeout_ns = timeout_ns;
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

void eb_talk_item(struct eb_talk *t)
{
    eb_meter_reset(&t->meter);
    eb_buf_reset(&t->raw);
    eb_buf_reset(&t->text);
    t->deadline_ns = eb_clock_ns() + t->timeout_ns;
}

static void talk_end(struct eb_reply *r, enum eb_reply_end end,
                     const char *detail)
{
    r->end = end;
    snprintf(r->detail, sizeof(r->detail), "%.*s", (int)sizeof(r->detail) - 1,
             detail);
}

/* What an engine's error means for the item. */
static void talk_error(const struct eb_talk *t, int rc,
                       const struct eb_err *err, struct eb_reply *r)
{
    char text[64];

    if (rc == EB_ELIMIT) {
        talk_end(r, EB_REPLY_TRUNCATED, err->msg);
    } else if (rc == EB_EABORT && talk_signals > 1) {
        talk_end(r, EB_REPLY_ABORTED, "stopped by the user");
    } else if (rc == EB_EABORT) {
        snprintf(text, sizeof(text), "not finished after %.0f s",
                 (double)t->timeout_ns / 1e9);
        talk_end(r, EB_REPLY_TIMEOUT, text);
    } else {
        talk_end(r, EB_REPLY_FAILED, err->msg);
    }
}

/* The measured part: from the request to the last token. */
static int talk_generate(struct eb_talk *t, int max_tokens, struct eb_reply *r,
                         struct eb_err *err)
{
    const struct eb_engine_ops *ops = t->engine->ops;
    struct eb_start info = {0};
    struct eb_token token;
    int64_t now;
    int rc, n = 0;

    eb_meter_begin(&t->meter, eb_clock_ns());
    rc = ops->start(t->engine, t->prompt.data, &info, err);
    while (rc == 0) {
        if (eb_talk_stop(t)) {
            rc = eb_fail(err, EB_EABORT, "stopped");
            break;
        }
        rc = ops->next(t->engine, &token, err);
        now = eb_clock_ns();
        if (rc != 0 || token.end)
            break;
        eb_meter_token(&t->meter, now);
        eb_buf_add(&t->raw, token.piece, token.len);
        if (++n == max_tokens) {
            talk_end(r, EB_REPLY_TRUNCATED, "token limit");
            break;
        }
    }
    eb_meter_finish(&t->meter, eb_clock_ns());
    t->meter.prompt_tokens += info.prompt_tokens;
    t->meter.cached_tokens += info.cached_tokens;
    return rc;
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

void eb_talk_ask(struct eb_talk *t, const struct eb_message *m, size_t n,
                 const char *grammar, int max_tokens, struct eb_reply *r)
{
    const struct eb_engine_ops *ops = t->engine->ops;
    struct eb_err err = {0};
    int rc;

    memset(r, 0, sizeof(*r));
    eb_buf_reset(&t->prompt);
    eb_buf_reset(&t->raw);
    eb_buf_reset(&t->text);
    rc = ops->render(t->engine, m, n, &t->prompt, &err);
    if (rc == 0)
        rc = ops->constrain(t->engine, grammar, &err);
    if (rc == 0)
        rc = talk_generate(t, max_tokens, r, &err);
    if (rc != 0)
        talk_error(t, rc, &err, r);
    talk_clean(t);
    r->text = t->text.data;
}
