/* One item's talk with a model: prompts in, stamped replies out.
 *
 *     eb_talk_item(&t);                           new item: clock and sums
 *     eb_talk_ask(&t, messages, 2, grammar, 64, &reply);
 *     ... grade reply.text; a dialog asks again ...
 *     eb_meter_record(&t.meter, item);
 *
 * The engine's stop callback is eb_talk_stop with the talk as its argument:
 * it ends an item at its time limit. One thread. */
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

struct eb_talk {
    struct eb_engine *engine;
    struct eb_meter meter;
    struct eb_buf prompt;
    struct eb_buf raw;
    struct eb_buf text;
    int64_t timeout_ns;
    int64_t deadline_ns; /* 0: none */
};

void eb_talk_init(struct eb_talk *t, int64_t timeout_ns);
void eb_talk_free(struct eb_talk *t);

void eb_talk_item(struct eb_talk *t);
/* grammar: NULL for none. Adds to the item's times and tokens. */
void eb_talk_ask(struct eb_talk *t, const struct eb_message *m, size_t n,
                 const char *grammar, int max_tokens, struct eb_reply *r);

/* For struct eb_engine_settings. */
int eb_talk_stop(void *talk);

/* SIGINT and SIGTERM: the first ends the run after the item, the second at
 * once. eb_talk_interrupts counts them. */
void eb_talk_catch_signals(void);
int eb_talk_interrupts(void);
/* As if a signal had come; for tests. */
void eb_talk_interrupt(int n);

#endif
