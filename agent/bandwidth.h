/* How well decoding uses the memory: bytes a token needs by the shape of the
 * model, and MBU, the share of the measured bandwidth that this is.
 *
 *     weights 2.0e9 bytes, KV 28672 bytes a position, 500 positions deep:
 *     2.0e9 + 500 * 28672 = 2.014e9 bytes a token; at 10 tokens/s 20.1 GB/s;
 *     with a triad of 40 GB/s MBU is 0.50
 *
 * Pure functions, any thread. */
#ifndef EB_BANDWIDTH_H
#define EB_BANDWIDTH_H

#include <cjson/cJSON.h>

#include "agent/triad.h"

/* A negative number is not known. */
struct eb_bandwidth_in {
    double weights_bytes;         /* read for one token */
    double kv_bytes_per_position; /* keys and values of all layers */
    double depth;                 /* positions before the token, mean */
    double batch;                 /* sequences decoded at once, 1 or more */
    double tokens_per_s;          /* of all sequences together */
    double parameters;            /* used for one token */
    const char *unlike;           /* why triad is not this model's memory (it
                                     is on a GPU); NULL: it is */
    const char *weights_why;      /* why weights_bytes is not known, or NULL */
};

/* Fills weights_bytes, kv_bytes_per_position and parameters from the record's
 * `model` and `memory`; either may be NULL. Used are memory.model_bytes,
 * model.parameters and the optional model.shape {layers, heads_kv, key_dim,
 * value_dim, key_bytes, value_bytes, input_embedding_bytes, experts}.
 *
 * input_embedding_bytes: the table of which one row is read a token, 0 if the
 * output shares it. Mixtures of experts read a part of their weights that is
 * not known here. */
void eb_bandwidth_model(const cJSON *model, const cJSON *memory,
                        struct eb_bandwidth_in *in);

/* The record's `bandwidth`. triad NULL: not measured, with the reason. */
cJSON *eb_bandwidth_record(const struct eb_bandwidth_in *in,
                           const struct eb_triad *triad,
                           const char *triad_reason);

#endif
