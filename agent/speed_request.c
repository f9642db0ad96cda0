#include "agent/speed_request.h"

#include <string.h>

/* Of an English policy a rule below has about 30 tokens. */
#define REQUEST_RULES 50
#define REQUEST_RULES_MAX 2000
/* Room beside policy and answer: question and chat template. */
#define REQUEST_OWN_TOKENS 100

static const char *const request_rules[] = {
    "Goods may be sent back within %d days of delivery if they are unused and "
    "in their first packing; the buyer pays the way back.",
    "A refund is paid to the card that was charged, at most %d working days "
    "after the parcel has reached the warehouse.",
    "For orders above %d euros shipping is free inside the country; express "
    "delivery is charged at cost in all cases.",
    "An address can be changed until the parcel is packed, which takes about "
    "%d hours on a working day.",
    "A device that fails within %d months is repaired or replaced; damage by "
    "water or a fall is not covered."};

#define REQUEST_KINDS ((int)(sizeof(request_rules) / sizeof(request_rules[0])))

static void request_policy(struct eb_speed_requests *q)
{
    int i;

    eb_buf_reset(&q->policy);
    eb_buf_adds(&q->policy, "You answer customers of a web shop. Keep to these "
                            "rules and answer in three sentences.\n");
    for (i = 0; i < q->rules; i++) {
        eb_buf_addf(&q->policy, "%d. ", i + 1);
        /* A format of the table above; its one argument is a number. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        eb_buf_addf(&q->policy, request_rules[i % REQUEST_KINDS],
                    10 + i * 7 % 90);
#pragma GCC diagnostic pop
        eb_buf_adds(&q->policy, "\n");
    }
}

void eb_speed_requests_open(struct eb_speed_requests *q,
                            const struct eb_speed_env *env, struct eb_engine *e)
{
    memset(q, 0, sizeof(*q));
    q->env = env;
    q->engine = e;
    q->rules = REQUEST_RULES;
    q->rows = cJSON_CreateArray();
    eb_meter_init(&q->meter, EB_SPEED_ANSWER_TOKENS);
    request_policy(q);
}

void eb_speed_requests_free(struct eb_speed_requests *q)
{
    if (q == NULL)
        return;
    eb_meter_free(&q->meter);
    eb_buf_free(&q->policy);
    eb_buf_free(&q->prompt);
    cJSON_Delete(q->rows);
    q->rows = NULL;
}

static int request_render(struct eb_speed_requests *q, struct eb_err *err)
{
    struct eb_buf question = {0};
    struct eb_message m[2] = {{"system", q->policy.data}, {"user", NULL}};
    int rc;

    q->asked++;
    eb_buf_addf(&question,
                "My order %d has not come yet, and I want to send back item "
                "%d of it. Can I, how long will it take and who pays?",
                100000 + q->asked * 7919 % 900000, 1 + q->asked % 9);
    m[1].text = question.data;
    eb_buf_reset(&q->prompt);
    rc = q->engine->ops->render(q->engine, m, 2, &q->prompt, err);
    eb_buf_free(&question);
    return rc;
}

/* Takes the event of a step; 1 once the reply is over. */
static int request_event(struct eb_speed_requests *q, const struct eb_event *e,
                         int64_t now, int most)
{
    struct eb_meter *m = &q->meter;

    if (e->prompt_tokens >= 0)
        m->prompt_tokens = e->prompt_tokens;
    if (e->cached_tokens >= 0)
        m->cached_tokens = e->cached_tokens;
    if (!e->over)
        eb_meter_token(m, now);
    if (e->over || m->tokens >= most) {
        if (!e->over)
            q->engine->ops->cancel(q->engine, 0);
        return 1;
    }
    return 0;
}

/* One reply of at most so many tokens into the meter. */
static int request_play(struct eb_speed_requests *q, int most,
                        struct eb_err *err)
{
    const struct eb_speed_env *env = q->env;
    struct eb_event events[1];
    struct eb_request r = {NULL, NULL, most};
    size_t n;
    int rc = request_render(q, err), over = 0;

    if (rc != 0)
        return rc;
    r.prompt = q->prompt.data;
    eb_meter_reset(&q->meter);
    eb_meter_begin(&q->meter, env->now(env->arg));
    rc = q->engine->ops->start(q->engine, 0, &r, err);
    while (rc == 0 && !over) {
        rc = q->engine->ops->step(q->engine, events, &n, err);
        if (rc == 0 && n > 0)
            over = request_event(q, &events[0], env->now(env->arg), most);
        if (over && events[0].over && events[0].rc != 0 &&
            events[0].rc != EB_ELIMIT)
            rc = eb_fail(err, events[0].rc, "%s", events[0].detail);
    }
    eb_meter_finish(&q->meter, env->now(env->arg));
    return rc;
}

/* What a policy of so many rules comes to, in tokens; 0: not told. */
static int request_count(struct eb_speed_requests *q, int rules, double *tokens,
                         struct eb_err *err)
{
    int rc;

    q->rules = rules;
    request_policy(q);
    rc = request_play(q, 1, err);
    *tokens = q->meter.prompt_tokens > 0 ? (double)q->meter.prompt_tokens : 0;
    return rc;
}

/* The tokens of a rule depend on the vocabulary: two short prompts give them
 * and what stands around the rules. */
int eb_speed_requests_size(struct eb_speed_requests *q, struct eb_err *err)
{
    int room = q->engine->ctx - EB_SPEED_ANSWER_TOKENS, rules = REQUEST_RULES;
    double few, more = 0;
    int rc;

    if (EB_SPEED_PROMPT_TOKENS + REQUEST_OWN_TOKENS > room)
        return eb_fail(err, EB_ELIMIT,
                       "a prompt of %d tokens and an answer of %d exceed the "
                       "context of %d",
                       EB_SPEED_PROMPT_TOKENS, EB_SPEED_ANSWER_TOKENS,
                       q->engine->ctx);
    rc = request_count(q, REQUEST_KINDS, &few, err);
    if (rc == 0)
        rc = request_count(q, 2 * REQUEST_KINDS, &more, err);
    if (rc != 0)
        return rc;
    if (more > few && few > 0)
        rules = REQUEST_KINDS + (int)((EB_SPEED_PROMPT_TOKENS - few) /
                                      ((more - few) / REQUEST_KINDS));
    q->rules = rules < 1                   ? 1
               : rules > REQUEST_RULES_MAX ? REQUEST_RULES_MAX
                                           : rules;
    request_policy(q);
    return 0;
}

int eb_speed_request(struct eb_speed_requests *q, const char *phase,
                     int64_t *ttft_ns, struct eb_err *err)
{
    int rc = request_play(q, EB_SPEED_ANSWER_TOKENS, err);
    cJSON *row;

    *ttft_ns = 1;
    if (rc != 0)
        return rc;
    if (q->meter.ttft_ns < 0)
        return eb_fail(err, EB_EENGINE, "the reply had no token");
    *ttft_ns = q->meter.ttft_ns;
    row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "phase", phase);
    eb_meter_record(&q->meter, row);
    cJSON_AddItemToArray(q->rows, row);
    return 0;
}

cJSON *eb_speed_requests_take(struct eb_speed_requests *q)
{
    cJSON *rows = q->rows;

    q->rows = cJSON_CreateArray();
    return rows;
}
