/* Requests of the shape that a help desk sends: a long policy that all share,
 * a short question of its own, a short answer. Measured from the request to
 * the last token, tokenising and sampling included.
 *
 *     eb_speed_requests_open(&q, &env, engine);
 *     rc = eb_speed_requests_size(&q, &err);      about 1,500 tokens; untimed
 *     rc = eb_speed_request(&q, "first", &ttft_ns, &err);
 *     rows = eb_speed_requests_take(&q);
 *
 * One row a request: phase, tokens, ttft_ns, e2e_ns, gaps_ns. The caller
 * decides what is in the cache (engine clear) and how often. One thread. */
#ifndef EB_SPEED_REQUEST_H
#define EB_SPEED_REQUEST_H

#include <cjson/cJSON.h>

#include "agent/engine.h"
#include "agent/meter.h"
#include "agent/speed_gate.h"
#include "common/buf.h"

#define EB_SPEED_PROMPT_TOKENS 1500
#define EB_SPEED_ANSWER_TOKENS 60

struct eb_speed_requests {
    const struct eb_speed_env *env;
    struct eb_engine *engine; /* may be put in anew, the shape stays */
    struct eb_meter meter;
    struct eb_buf policy; /* what all requests begin with */
    struct eb_buf prompt;
    int rules; /* of the policy */
    int asked; /* requests so far: each question differs */
    cJSON *rows;
};

void eb_speed_requests_open(struct eb_speed_requests *q,
                            const struct eb_speed_env *env,
                            struct eb_engine *e);
void eb_speed_requests_free(struct eb_speed_requests *q);

/* Sends one request and sets the length of the policy by the tokens that the
 * engine counted. EB_ELIMIT: the context has no room for the shape. */
int eb_speed_requests_size(struct eb_speed_requests *q, struct eb_err *err);
int eb_speed_request(struct eb_speed_requests *q, const char *phase,
                     int64_t *ttft_ns, struct eb_err *err);
/* The rows so far; the caller's now. */
cJSON *eb_speed_requests_take(struct eb_speed_requests *q);

#endif
