/* One conversation with a scripted customer (workloads/custsvc/FORMAT.md,
 * "Items of the level agent"). No model inside: the caller asks one for its
 * turns.
 *
 *     struct eb_dialog d;
 *     struct eb_result result;
 *     rc = eb_dialog_open(&c, &d);
 *     do
 *         output = ... a model's reply to c.system and eb_dialog_history ...
 *     while (eb_dialog_step(&d, output, truncated));
 *     eb_dialog_result(&d, &result);
 *     eb_dialog_close(&d);
 *
 * A turn is one JSON object, {"say":"..."} or {"tool":"...","args":{...}}.
 * Calls run on a store in memory; their result is the next user text. One
 * thread each; the case must outlive the dialog. */
#ifndef EB_DIALOG_H
#define EB_DIALOG_H

#include "common/buf.h"
#include "workloads/check.h"
#include "workloads/grade.h"
#include "workloads/suite.h"

#define EB_DIALOG_TURNS_MAX 8
#define EB_DIALOG_RULES_MAX 16

struct eb_dialog_msg {
    const char *role; /* "user" or "assistant" */
    char *text;
};

/* Read by the functions here only. */
struct eb_dialog {
    const struct eb_case *c;
    cJSON *store;
    struct eb_dialog_msg msgs[2 * EB_DIALOG_TURNS_MAX + 1];
    size_t n_msgs;
    struct eb_buf said;                      /* all "say", line by line */
    unsigned char used[EB_DIALOG_RULES_MAX]; /* rules said once */
    uint64_t called;                         /* tools by index in the level */
    int turns;
    int max_turns;
    int over;
    struct eb_result bad; /* the first failure; EB_OUT_OK: none */
};

/* EB_EINVAL if the item is no conversation; close is right after both. */
int eb_dialog_open(const struct eb_case *c, struct eb_dialog *d);
/* What the model is to reply to: the customer's or a tool's text. */
const char *eb_dialog_input(const struct eb_dialog *d);
/* All texts so far, oldest first; valid until the next step. The last one
 * is eb_dialog_input until the conversation is over. */
const struct eb_dialog_msg *eb_dialog_history(const struct eb_dialog *d,
                                              size_t *n);
/* Takes the model's turn: 1 if it has another one, 0 if it is over.
 * truncated: the output ended at the token limit. */
int eb_dialog_step(struct eb_dialog *d, const char *output, int truncated);
/* ok if the store is as gold_calls leave it, everything of must was said,
 * nothing of must_not, no forbidden tool was called, and the customer ended
 * the conversation before max_turns did. */
void eb_dialog_result(const struct eb_dialog *d, struct eb_result *result);
void eb_dialog_close(struct eb_dialog *d);

/* Players and item rules for eb_suite_check:
 * suite.dialog = &eb_dialog_ops; */
extern const struct eb_dialog_ops eb_dialog_ops;

#endif
