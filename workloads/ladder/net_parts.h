/* What the files of the network share. */
#ifndef EB_LADDER_NET_PARTS_H
#define EB_LADDER_NET_PARTS_H

#include "ggml-backend.h"
#include "ggml.h"
#include "workloads/ladder/net.h"

#define NET_LAYERS_MAX 8
#define NET_HEADS_MAX 8
#define NET_PARAMS_MAX 512
#define NET_RMS_EPS 1e-5f
#define NET_ROPE_BASE 10000.0f

/* Projections are kept per head, so that every product of the step is one
 * of plain matrices, which a BLAS does fast. */
struct net_layer {
    struct ggml_tensor *attn_norm;
    struct ggml_tensor *q[NET_HEADS_MAX]; /* [n_embd, head_dim] */
    struct ggml_tensor *k[NET_HEADS_MAX];
    struct ggml_tensor *v[NET_HEADS_MAX];
    struct ggml_tensor *o[NET_HEADS_MAX]; /* [head_dim, n_embd] */
    struct ggml_tensor *ffn_norm;
    struct ggml_tensor *gate;
    struct ggml_tensor *up;
    struct ggml_tensor *down;
};

struct net {
    struct net_shape shape;
    int n_vocab;
    int64_t steps;
    struct ggml_context *ctx_static; /* parameters, moments, inputs */
    struct ggml_context *ctx_graph;
    ggml_backend_buffer_t buffer;
    ggml_backend_t backends[2];
    int n_backends;
    ggml_backend_sched_t sched;
    struct ggml_cgraph *graph;
    struct ggml_tensor *embd;
    struct ggml_tensor *out_norm;
    struct net_layer layers[NET_LAYERS_MAX];
    struct ggml_tensor *param[NET_PARAMS_MAX];
    struct ggml_tensor *m[NET_PARAMS_MAX];
    struct ggml_tensor *v[NET_PARAMS_MAX];
    int n_params;
    struct ggml_tensor *token, *pos, *mask, *rows, *labels;
    struct ggml_tensor *adamw, *loss, *loss_grad;
};

#endif
