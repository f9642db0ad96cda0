/* A Llama-architecture network and its training step on ggml: forward,
 * cross-entropy on the answer tokens only, backward, AdamW
 * (ggml_opt_step_adamw; Loshchilov and Hutter 2019).
 *
 * One step reads a pack: a shared prefix followed by samples. Each token
 * sees the prefix and the earlier tokens of its own sample, at the position
 * it would have if the sample stood alone behind the prefix.
 */
#ifndef EB_LADDER_NET_H
#define EB_LADDER_NET_H

#include <stdint.h>

#include "common/err.h"

struct net_shape {
    const char *name; /* "ladder-4m" */
    int n_embd;
    int n_layer;
    int n_head;
    int n_ff;
    double lr; /* peak learning rate */
};

/* Tokens of a pack and the rows whose next token is predicted. */
#define NET_TOKENS 1024
#define NET_ROWS 384

struct net_pack {
    int32_t token[NET_TOKENS];
    int32_t pos[NET_TOKENS];
    int group[NET_TOKENS]; /* 0: prefix, -1: padding, else sample number */
    int32_t row[NET_ROWS];
    int32_t target[NET_ROWS];
    int n_tokens;
    int n_rows;
    int n_groups;
};

struct net;

int net_open(const struct net_shape *shape, int n_vocab, int n_threads,
             uint64_t seed, struct net **out, struct eb_err *err);
void net_close(struct net *n);
/* One optimiser step; *loss is the mean of the pack before it. Weight decay
 * is 0.05 on matrices. */
int net_step(struct net *n, const struct net_pack *pack, double lr,
             double *loss, struct eb_err *err);
/* Takes over a smaller network's checkpoint: computes the same at first. Width
 * and head width must be whole multiples of its own. */
int net_grow(struct net *n, const char *path, uint64_t seed,
             struct eb_err *err);
int64_t net_params(const struct net *n);
int64_t net_steps(const struct net *n);
/* Weights and optimiser state as a GGUF of F32 tensors. */
int net_save(const struct net *n, const char *path, struct eb_err *err);
int net_load(struct net *n, const char *path, struct eb_err *err);
/* A model file for llama.cpp: the vocabulary's metadata from vocab_path, the
 * weights as Q8_0, norms as F32. */
int net_export(const struct net *n, const char *vocab_path, const char *path,
               struct eb_err *err);

#endif
