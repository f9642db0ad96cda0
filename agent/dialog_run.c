#include "agent/dialog_run.h"

#include <stdio.h>

#include "workloads/dialog.h"

/* One turn: 1 if the conversation goes on, 0 if it is over or the
 * reply is none to judge. */
static int dialog_turn(struct eb_talk *t, struct eb_dialog *d,
                       const char *grammar, struct eb_reply *reply)
{
    struct eb_message m[2 * EB_DIALOG_TURNS_MAX + 2] = {
        {"system", d->c->system}};
    const struct eb_dialog_msg *h;
    size_t n;

    h = eb_dialog_history(d, &n);
    for (size_t i = 0; i < n; i++)
        m[i + 1] = (struct eb_message){h[i].role, h[i].text};
    eb_talk_ask(t, m, n + 1, grammar, d->c->level->max_tokens, reply);
    if (reply->end != EB_REPLY_WHOLE && reply->end != EB_REPLY_TRUNCATED)
        return 0;
    return eb_dialog_step(d, reply->text, reply->end == EB_REPLY_TRUNCATED);
}

/* The record keeps what the model said, a turn a line. */
static int dialog_play(struct eb_talk *t, struct eb_dialog *d,
                       const char *grammar, struct eb_result *result,
                       struct eb_buf *output)
{
    struct eb_reply reply;
    int more;

    do {
        more = dialog_turn(t, d, grammar, &reply);
        if (output->len > 0)
            eb_buf_addc(output, '\n');
        eb_buf_adds(output, reply.text);
    } while (more);
    switch (reply.end) {
    case EB_REPLY_WHOLE:
    case EB_REPLY_TRUNCATED:
        eb_dialog_result(d, result);
        return 0;
    case EB_REPLY_ABORTED:
        return EB_EABORT;
    case EB_REPLY_TIMEOUT:
        result->outcome = EB_OUT_TIMEOUT;
        break;
    case EB_REPLY_FAILED:
        result->outcome = EB_OUT_HARNESS_ERROR;
        break;
    }
    snprintf(result->detail, sizeof(result->detail), "%s", reply.detail);
    return 0;
}

int eb_dialog_run(struct eb_talk *t, const struct eb_case *c,
                  const char *grammar, struct eb_result *result,
                  struct eb_buf *output)
{
    struct eb_dialog d;
    int rc = eb_dialog_open(c, &d);

    if (rc != 0) {
        result->outcome = EB_OUT_HARNESS_ERROR;
        snprintf(result->detail, sizeof(result->detail),
                 "the item is no conversation");
        rc = 0;
    } else {
        rc = dialog_play(t, &d, grammar, result, output);
    }
    eb_dialog_close(&d);
    return rc;
}
