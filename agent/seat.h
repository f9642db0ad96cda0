/* One item being played: its prompt, its conversation, its grade.
 *
 *     eb_seat_init(&s, slot);
 *     eb_seat_open(&s, &task);
 *     busy = eb_seat_ask(&s, engine);
 *     ... while busy, for each event of the slot:
 *     busy = !eb_seat_event(&s, engine, &event, now);
 *     item = eb_seat_item(&s);
 *     eb_seat_close(&s);
 *     eb_seat_free(&s);
 *
 * A seat plays item after item on one slot of an engine. One thread. */
#ifndef EB_SEAT_H
#define EB_SEAT_H

#include <cjson/cJSON.h>

#include "agent/talk.h"
#include "workloads/dialog.h"
#include "workloads/grade.h"
#include "workloads/suite.h"

struct eb_task {
    const struct eb_suite *suite;
    const struct eb_level *level;
    const struct eb_item *item;
    const char *grammar; /* NULL where output is free */
    enum eb_prompt_kind prompt;
    uint64_t seed;
    int64_t timeout_ns;
};

struct eb_seat {
    int slot;
    int busy;
    struct eb_task task;
    struct eb_talk talk;
    struct eb_case c;
    struct eb_dialog dialog;
    int in_dialog;
    struct eb_buf grammar; /* of this item, where it has functions of its own */
    struct eb_buf output;  /* as the record shows it: a turn a line */
    struct eb_result result;
    int aborted; /* stopped by the user: there is no item */
};

void eb_seat_init(struct eb_seat *s, int slot);
void eb_seat_free(struct eb_seat *s);

/* Fills the case; eb_seat_ask begins. */
void eb_seat_open(struct eb_seat *s, const struct eb_task *task);
/* Asks the model: 1 if a reply is under way, 0 if the item is over. */
int eb_seat_ask(struct eb_seat *s, struct eb_engine *e);
/* Takes an event of the slot: 1 if the item is over. */
int eb_seat_event(struct eb_seat *s, struct eb_engine *e,
                  const struct eb_event *event, int64_t now_ns);
/* Ends the item with an answer that was not written by the engine, or the
 * reason why there is none (rc). */
void eb_seat_answer(struct eb_seat *s, const char *answer, int rc,
                    const char *detail);
/* Ends the item: its time is over, or the engine failed. */
void eb_seat_fail(struct eb_seat *s, int rc, const char *detail,
                  int64_t now_ns);
/* The record's item without times; NULL if it was aborted. */
cJSON *eb_seat_item(const struct eb_seat *s);
void eb_seat_close(struct eb_seat *s);

#endif
