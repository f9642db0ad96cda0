/* What an OpenAI-compatible server tells about itself and a model, and what
 * the model costs. No network here: engine_openai.c brings the answers. The
 * caller owns the struct; one thread. */
#ifndef EB_OPENAI_SERVER_H
#define EB_OPENAI_SERVER_H

#include <cjson/cJSON.h>

#include "common/err.h"

struct eb_openai_server {
    char *model;    /* asked for in every request */
    cJSON *entry;   /* the model in the server's list; NULL: not listed */
    int is_llama;   /* llama-server: takes GBNF */
    cJSON *props;   /* of llama-server; NULL: none */
    int ctx, slots; /* of a request, at once; 0: not told */
    cJSON *price;   /* NULL: none */
};

void eb_openai_server_free(struct eb_openai_server *s);

/* Finds the wanted model ("" if the server offers just one) in the answer to
 * GET /models, NULL if there is none. */
int eb_openai_server_pick(struct eb_openai_server *s, const cJSON *list,
                          const char *wanted, struct eb_err *err);
/* The answer to llama-server's GET /props; taken over. */
void eb_openai_server_props(struct eb_openai_server *s, cJSON *props);
/* The model's line of the file that EDGEBENCH_PRICES names, if any. */
int eb_openai_server_price(struct eb_openai_server *s, struct eb_err *err);
/* Members of the record's `model`. served: the server's name for the model in
 * its replies, "" if there was none. */
void eb_openai_server_facts(const struct eb_openai_server *s,
                            const char *served, cJSON *model);

#endif
