/* The parts of the engine for OpenAI-compatible servers; for engine_openai*.c
 * only. */
#ifndef EB_ENGINE_OPENAI_PARTS_H
#define EB_ENGINE_OPENAI_PARTS_H

#include <curl/curl.h>
#include <stdint.h>

#include "agent/engine_openai.h"
#include "agent/openai_reply.h"
#include "agent/openai_server.h"

#define EB_OPENAI_POLL_MS 50 /* how long stop may go unasked */

enum openai_state { OPENAI_FREE, OPENAI_FLYING, OPENAI_WAITING, OPENAI_ENDED };

struct openai_slot {
    struct openai *engine;
    enum openai_state state;
    CURL *easy;
    struct eb_buf body, tail; /* tail: of the body, kept to make it again */
    unsigned without;         /* as in struct openai, of this request */
    struct eb_openai_reply reply;
    struct eb_buf other; /* an answer that is no stream */
    int streams;         /* the answer is one */
    int tries;
    int resent;          /* on a connection of its own */
    int fresh;           /* the server shall not use what it kept */
    int64_t due_ns;      /* WAITING: of the retry; FLYING: of the end, or 0 */
    struct eb_err error; /* of the stream; ENDED: why the reply failed */
};

struct openai {
    struct eb_engine base;
    struct eb_engine_settings settings;
    struct eb_openai_server server;
    char *url; /* without a slash at its end */
    char *chat_url;
    int loopback;
    CURLM *multi;
    struct curl_slist *headers;
    struct openai_slot *slots;
    char served[128];
    int retries;
    unsigned without; /* bits: members of EB_OPENAI_OPTIONAL it refused */
};

/* Members of a request that not every server takes. Without `max_tokens` goes
 * `max_completion_tokens`, its newer name. */
#define EB_OPENAI_OPTIONAL                                                     \
    {                                                                          \
        "max_tokens", "temperature", "seed", "stream_options"                  \
    }
enum openai_optional {
    OPENAI_MAX_TOKENS,
    OPENAI_TEMPERATURE,
    OPENAI_SEED_MEMBER,
    OPENAI_USAGE,
    OPENAI_OPTIONALS
};

int eb_openai_stopped(const struct openai *o);
/* libcurl's write function of a slot. */
size_t eb_openai_body(char *data, size_t size, size_t n, void *slot);

/* Of eb_engine_openai. */
int eb_openai_start(struct eb_engine *e, int slot, const struct eb_request *r,
                    struct eb_err *err);
int eb_openai_step(struct eb_engine *e, struct eb_event *events, size_t *n,
                   struct eb_err *err);
void eb_openai_cancel(struct eb_engine *e, int slot);
void eb_openai_clear(struct eb_engine *e);

#endif
