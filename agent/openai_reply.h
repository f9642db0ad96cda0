/* A chat completion as it streams in: bytes of the answer become pieces of
 * text and, at the end, counts. No network here: engine_openai.c brings the
 * bytes. The caller owns the struct; one thread. */
#ifndef EB_OPENAI_REPLY_H
#define EB_OPENAI_REPLY_H

#include <stddef.h>

#include "agent/sse.h"

#define EB_OPENAI_CALLS_MAX 8
#define EB_OPENAI_SAYS_MAX 120

struct eb_openai_call {
    char id[64]; /* "": the server gives none */
    struct eb_buf name, args;
};

struct eb_openai_reply {
    struct eb_sse sse;
    int max_tokens;
    size_t n_bytes, max_bytes; /* of the whole answer */
    /* Text that came, in pieces as it came; the first `given` are used. */
    struct eb_buf text;
    size_t *ends; /* of each piece in text */
    size_t n_pieces, cap_pieces, given;
    struct eb_openai_call calls[EB_OPENAI_CALLS_MAX];
    int n_calls;
    char model[128]; /* as the server names it; kept from reply to reply */
    int refused;     /* an event was: the code */
    int finished;    /* the server named a reason */
    int limited;     /* ... and it is the token limit */
    int filtered;    /* ... and it is a filter of the service */
    int done;        /* [DONE] came */
    int prompt_tokens, cached_tokens, reply_tokens; /* -1: not told */
};

/* Before each request; keeps the memory. A zeroed struct is fine. */
void eb_openai_reply_begin(struct eb_openai_reply *r, int max_tokens);
void eb_openai_reply_free(struct eb_openai_reply *r);

/* Bytes of the event stream. EB_ENET: not what the protocol says, or the
 * server's own error; EB_ELIMIT: the token limit, or a prompt that is longer
 * than the context. Nothing more may be fed after an error. */
int eb_openai_reply_feed(struct eb_openai_reply *r, const char *bytes,
                         size_t len, struct eb_err *err);
/* At the end: the tool calls as one more piece, a line each:
 * {"tool":"name","args":{...}}. */
void eb_openai_reply_close(struct eb_openai_reply *r);
/* The next piece; 0 if there is none. Good until the next call. */
int eb_openai_reply_next(struct eb_openai_reply *r, const char **piece,
                         size_t *len);

/* What a server says in the body of an error answer, in one line of at most
 * EB_OPENAI_SAYS_MAX bytes; "" if nothing can be made of it. Returns
 * EB_ELIMIT if it says that the prompt is too long, else EB_ENET. */
int eb_openai_says(const char *body, size_t len,
                   char out[EB_OPENAI_SAYS_MAX + 1]);
/* Which of the n names an error answer speaks of, as a word of its own;
 * -1: none. */
int eb_openai_speaks_of(const char *body, size_t len, const char *const *names,
                        int n);

#endif
