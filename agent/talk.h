/* One item's talk with a model: prompts in, stamped replies out.
 *
 *     eb_talk_item(&t, timeout_ns);          new item: clock and sums
 *     busy = eb_talk_ask(&t, engine, slot, &question);
 *     ... while busy, for each event of the slot:
 *     busy = !eb_talk_event(&t, &event, now);
 *     ... grade t.reply.text; a dialog asks again ...
 *     eb_meter_record(&t.meter, item);
 *
 * One thread. */
#ifndef EB_TALK_H
#define EB_TALK_H

#include <stdint.h>

#include "agent/engine.h"
#include "agent/meter.h"
#include "common/buf.h"

enum eb_reply_end {
    EB_REPLY_WHOLE,     /* the model ended it */
    EB_REPLY_TRUNCATED, /* token limit, or the context is full */
    EB_REPLY_TIMEOUT,   /* the item's time is over */
    EB_REPLY_ABORTED,   /* the user wants to stop at once */
    EB_REPLY_FAILED     /* the engine or the grammar failed */
};

struct eb_reply {
    const char *text; /* valid UTF-8; good until the next ask */
    enum eb_reply_end end;
    char detail[160]; /* "" for EB_REPLY_WHOLE */
};

struct eb_question {
    const struct eb_message *messages;
    size_t n;
    const char *grammar; /* NULL for none */
    int max_tokens;
};

struct eb_talk {
    struct eb_meter meter;
    struct eb_reply reply; /* of the last ask, once it is over */
    struct eb_buf prompt;
    struct eb_buf raw;
    struct eb_buf text;
    int64_t timeout_ns;
    int64_t deadline_ns;
    int max_tokens;
    int n_tokens;      /* of this reply */
    int prompt_tokens; /* as the engine told; -1: not yet */
    int cached_tokens;
};

void eb_talk_init(struct eb_talk *t);
void eb_talk_free(struct eb_talk *t);

/* timeout_ns: what the item may take from now on. */
void eb_talk_item(struct eb_talk *t, int64_t timeout_ns);
/* Asks on a free slot: 1 if the reply is under way, 0 if it is over already
 * (it failed). Adds to the item's times and tokens. */
int eb_talk_ask(struct eb_talk *t, struct eb_engine *e, int slot,
                const struct eb_question *q);
/* Takes an event of the slot, seen at now_ns: 1 if the reply is over. */
int eb_talk_event(struct eb_talk *t, struct eb_engine *e,
                  const struct eb_event *event, int64_t now_ns);
/* Ends the reply because step failed with rc; the engine holds nothing. */
void eb_talk_fail(struct eb_talk *t, int rc, const char *detail,
                  int64_t now_ns);
/* 1 once the item's time is over; the caller cancels the slot and calls
 * eb_talk_fail with EB_EABORT. */
int eb_talk_late(const struct eb_talk *t, int64_t now_ns);

/* SIGINT and SIGTERM: the first ends the run after the items under way, the
 * second at once. eb_talk_interrupts counts them. */
void eb_talk_catch_signals(void);
int eb_talk_interrupts(void);
/* As if a signal had come; for tests. */
void eb_talk_interrupt(int n);

#endif
