#include "agent/seat.h"

#include <stdio.h>
#include <string.h>

#include "workloads/prompt.h"

void eb_seat_init(struct eb_seat *s, int slot)
{
    memset(s, 0, sizeof(*s));
    s->slot = slot;
    eb_talk_init(&s->talk);
}

void eb_seat_free(struct eb_seat *s)
{
    eb_seat_close(s);
    eb_talk_free(&s->talk);
    eb_buf_free(&s->output);
    eb_buf_free(&s->grammar);
}

static void seat_result(struct eb_seat *s, enum eb_outcome o,
                        const char *detail)
{
    s->result.outcome = o;
    s->result.critical = 0;
    snprintf(s->result.detail, sizeof(s->result.detail), "%s", detail);
}

void eb_seat_open(struct eb_seat *s, const struct eb_task *task)
{
    struct eb_err err = {0};

    s->task = *task;
    s->busy = 1;
    s->aborted = 0;
    eb_buf_reset(&s->output);
    eb_buf_adds(&s->output, "");
    eb_talk_item(&s->talk, task->timeout_ns);
    seat_result(s, EB_OUT_OK, "");
    if (eb_case_fill(&s->c, task->suite, task->level, task->item, task->prompt,
                     task->seed, &err) != 0) {
        s->result.outcome = EB_OUT_HARNESS_ERROR;
        snprintf(s->result.detail, sizeof(s->result.detail), "%.150s", err.msg);
    } else if (task->level->kind == EB_KIND_DIALOG) {
        s->in_dialog = 1;
        if (eb_dialog_open(&s->c, &s->dialog) != 0)
            seat_result(s, EB_OUT_HARNESS_ERROR, "the item is no conversation");
    } else if (task->level->kind == EB_KIND_CALLS && task->grammar != NULL) {
        eb_buf_reset(&s->grammar);
        eb_prompt_case_grammar(&s->c, &s->grammar);
        s->task.grammar = s->grammar.data;
    }
}

void eb_seat_close(struct eb_seat *s)
{
    if (s->in_dialog)
        eb_dialog_close(&s->dialog);
    s->in_dialog = 0;
    eb_case_free(&s->c);
    s->busy = 0;
}

/* Returns 1 if the conversation goes on. */
static int seat_turn(struct eb_seat *s, const struct eb_reply *r, int truncated)
{
    if (!s->in_dialog) {
        eb_grade_case(&s->c, r->text, truncated, &s->result);
        /* Why it ended says more than "cut off" if there is no text. */
        if (s->result.outcome == EB_OUT_TRUNCATED && *r->text == '\0')
            seat_result(s, EB_OUT_TRUNCATED, r->detail);
        return 0;
    }
    if (eb_dialog_step(&s->dialog, r->text, truncated))
        return 1;
    eb_dialog_result(&s->dialog, &s->result);
    return 0;
}

/* A reply is there: 1 if the item is over. */
static int seat_reply(struct eb_seat *s)
{
    const struct eb_reply *r = &s->talk.reply;

    if (s->output.len > 0)
        eb_buf_addc(&s->output, '\n');
    eb_buf_adds(&s->output, r->text);
    switch (r->end) {
    case EB_REPLY_WHOLE:
        return !seat_turn(s, r, 0);
    case EB_REPLY_TRUNCATED:
        return !seat_turn(s, r, 1);
    case EB_REPLY_TIMEOUT:
        seat_result(s, EB_OUT_TIMEOUT, r->detail);
        break;
    case EB_REPLY_ABORTED:
        s->aborted = 1;
        break;
    case EB_REPLY_FAILED:
        seat_result(s, EB_OUT_HARNESS_ERROR, r->detail);
        break;
    }
    return 1;
}

static int seat_ask_once(struct eb_seat *s, struct eb_engine *e)
{
    struct eb_message m[2 * EB_DIALOG_TURNS_MAX + 2] = {{"system", s->c.system},
                                                        {"user", s->c.user}};
    struct eb_question q = {m, 2, s->task.grammar, s->c.level->max_tokens};
    const struct eb_dialog_msg *h;
    size_t n, i;

    if (s->in_dialog) {
        h = eb_dialog_history(&s->dialog, &n);
        for (i = 0; i < n; i++)
            m[i + 1] = (struct eb_message){h[i].role, h[i].text};
        q.n = n + 1;
    }
    return eb_talk_ask(&s->talk, e, s->slot, &q);
}

int eb_seat_ask(struct eb_seat *s, struct eb_engine *e)
{
    if (s->result.outcome == EB_OUT_HARNESS_ERROR)
        return 0;
    while (!seat_ask_once(s, e)) {
        if (seat_reply(s))
            return 0;
    }
    return 1;
}

int eb_seat_event(struct eb_seat *s, struct eb_engine *e,
                  const struct eb_event *event, int64_t now_ns)
{
    if (!eb_talk_event(&s->talk, e, event, now_ns))
        return 0;
    return seat_reply(s) || !eb_seat_ask(s, e);
}

void eb_seat_answer(struct eb_seat *s, const char *answer, int rc,
                    const char *detail)
{
    if (s->result.outcome == EB_OUT_HARNESS_ERROR)
        return;
    if (rc != 0) {
        seat_result(s, EB_OUT_HARNESS_ERROR, detail);
        return;
    }
    eb_buf_adds(&s->output, answer);
    eb_grade_case(&s->c, answer, 0, &s->result);
}

void eb_seat_fail(struct eb_seat *s, int rc, const char *detail, int64_t now_ns)
{
    eb_talk_fail(&s->talk, rc, detail, now_ns);
    /* A dialog would ask again after a cut reply; here it is over. */
    if (s->talk.reply.end == EB_REPLY_TRUNCATED)
        s->talk.reply.end = EB_REPLY_FAILED;
    seat_reply(s);
}

cJSON *eb_seat_item(const struct eb_seat *s)
{
    const struct eb_item *item = s->task.item;
    cJSON *v;

    if (s->aborted)
        return NULL;
    v = cJSON_CreateObject();
    cJSON_AddStringToObject(v, "id", item->id);
    cJSON_AddStringToObject(v, "pair_id", item->pair_id);
    cJSON_AddStringToObject(v, "lang", item->lang);
    cJSON_AddStringToObject(v, "level", s->task.level->name);
    cJSON_AddStringToObject(v, "capability", item->capability);
    cJSON_AddStringToObject(v, "stratum", item->stratum);
    cJSON_AddStringToObject(v, "cluster", item->cluster);
    cJSON_AddStringToObject(v, "class", eb_outcome_name(s->result.outcome));
    cJSON_AddStringToObject(v, "detail", s->result.detail);
    if (s->result.critical)
        cJSON_AddBoolToObject(v, "critical", 1);
    cJSON_AddStringToObject(v, "output", s->output.data);
    return v;
}
