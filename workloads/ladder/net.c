#include "workloads/ladder/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "ggml-cpu.h"
#include "workloads/ladder/net_parts.h"
#include "workloads/rng.h"

#define NET_GRAPH_NODES 16384
#define NET_BETA1 0.9f
#define NET_BETA2 0.98f
#define NET_WEIGHT_DECAY 0.05f

static struct ggml_tensor *net_param(struct net *n, const char *name, int ne0,
                                     int ne1)
{
    struct ggml_tensor *t =
        ne1 ? ggml_new_tensor_2d(n->ctx_static, GGML_TYPE_F32, ne0, ne1)
            : ggml_new_tensor_1d(n->ctx_static, GGML_TYPE_F32, ne0);
    int i = n->n_params++;

    ggml_set_name(t, name);
    ggml_set_param(t);
    n->param[i] = t;
    n->m[i] = ggml_dup_tensor(n->ctx_static, t);
    n->v[i] = ggml_dup_tensor(n->ctx_static, t);
    ggml_format_name(n->m[i], "m.%s", name);
    ggml_format_name(n->v[i], "v.%s", name);
    return t;
}

static struct ggml_tensor *net_part(struct net *n, int layer, const char *part,
                                    int head, int ne0, int ne1)
{
    char *name = head < 0 ? eb_xasprintf("blk.%d.%s", layer, part)
                          : eb_xasprintf("blk.%d.%s.%d", layer, part, head);
    struct ggml_tensor *t = net_param(n, name, ne0, ne1);

    free(name);
    return t;
}

static void net_make_params(struct net *n)
{
    int e = n->shape.n_embd;
    int d = e / n->shape.n_head;

    n->embd = net_param(n, "token_embd", e, n->n_vocab);
    n->out_norm = net_param(n, "output_norm", e, 0);
    for (int l = 0; l < n->shape.n_layer; l++) {
        struct net_layer *y = &n->layers[l];
        y->attn_norm = net_part(n, l, "attn_norm", -1, e, 0);
        for (int h = 0; h < n->shape.n_head; h++) {
            y->q[h] = net_part(n, l, "attn_q", h, e, d);
            y->k[h] = net_part(n, l, "attn_k", h, e, d);
            y->v[h] = net_part(n, l, "attn_v", h, e, d);
            y->o[h] = net_part(n, l, "attn_output", h, d, e);
        }
        y->ffn_norm = net_part(n, l, "ffn_norm", -1, e, 0);
        y->gate = net_part(n, l, "ffn_gate", -1, e, n->shape.n_ff);
        y->up = net_part(n, l, "ffn_up", -1, e, n->shape.n_ff);
        y->down = net_part(n, l, "ffn_down", -1, n->shape.n_ff, e);
    }
}

static void net_make_inputs(struct net *n)
{
    struct ggml_context *c = n->ctx_static;

    n->token = ggml_new_tensor_1d(c, GGML_TYPE_I32, NET_TOKENS);
    n->pos = ggml_new_tensor_1d(c, GGML_TYPE_I32, NET_TOKENS);
    n->mask = ggml_new_tensor_2d(c, GGML_TYPE_F32, NET_TOKENS, NET_TOKENS);
    n->rows = ggml_new_tensor_1d(c, GGML_TYPE_I32, NET_ROWS);
    n->labels = ggml_new_tensor_2d(c, GGML_TYPE_F32, n->n_vocab, NET_ROWS);
    n->adamw = ggml_new_tensor_1d(c, GGML_TYPE_F32, 7);
    n->loss_grad = ggml_new_tensor_1d(c, GGML_TYPE_F32, 1);
}

/* Normal(0, sd) by the sum of twelve uniforms. */
static float net_normal(struct eb_rng *rng, double sd)
{
    double s = -6;

    for (int i = 0; i < 12; i++)
        s += (double)(eb_rng_next(rng) >> 11) * 0x1p-53;
    return (float)(s * sd);
}

static void net_init_params(struct net *n, uint64_t seed)
{
    struct eb_rng rng;
    double depth = sqrt(2.0 * n->shape.n_layer);

    eb_rng_init(&rng, seed, "weights", NULL);
    for (int i = 0; i < n->n_params; i++) {
        struct ggml_tensor *t = n->param[i];
        int64_t count = ggml_nelements(t);
        float *x = t->data;
        double sd = 0.7 / sqrt((double)t->ne[0]);
        if (strstr(t->name, "attn_output"))
            sd = 0.7 / sqrt((double)n->shape.n_embd) / depth;
        else if (strstr(t->name, "ffn_down"))
            sd /= depth;
        else if (t == n->embd)
            sd = 0.05;
        for (int64_t k = 0; k < count; k++)
            x[k] = t->ne[1] == 1 ? 1.0f : net_normal(&rng, sd);
        memset(n->m[i]->data, 0, ggml_nbytes(n->m[i]));
        memset(n->v[i]->data, 0, ggml_nbytes(n->v[i]));
    }
    *(float *)n->loss_grad->data = 1.0f;
}

static struct ggml_tensor *
net_norm(struct ggml_context *c, struct ggml_tensor *x, struct ggml_tensor *w)
{
    return ggml_mul(c, ggml_rms_norm(c, x, NET_RMS_EPS), w);
}

static struct ggml_tensor *net_rope(struct net *n, struct ggml_tensor *x)
{
    struct ggml_context *c = n->ctx_graph;
    int d = (int)x->ne[0];

    x = ggml_reshape_3d(c, x, d, 1, NET_TOKENS);
    x = ggml_rope_ext(c, x, n->pos, NULL, d, GGML_ROPE_TYPE_NORMAL, 0,
                      NET_ROPE_BASE, 1.0f, 0.0f, 1.0f, 0.0f, 0.0f);
    return ggml_reshape_2d(c, x, d, NET_TOKENS);
}

static struct ggml_tensor *net_attention(struct net *n, struct net_layer *y,
                                         struct ggml_tensor *x)
{
    struct ggml_context *c = n->ctx_graph;
    struct ggml_tensor *in = net_norm(c, x, y->attn_norm);
    float scale = 1.0f / sqrtf((float)(n->shape.n_embd / n->shape.n_head));

    for (int h = 0; h < n->shape.n_head; h++) {
        struct ggml_tensor *q = net_rope(n, ggml_mul_mat(c, y->q[h], in));
        struct ggml_tensor *k = net_rope(n, ggml_mul_mat(c, y->k[h], in));
        /* Swapped arguments give V transposed, as the next product wants. */
        struct ggml_tensor *v = ggml_mul_mat(c, in, y->v[h]);
        struct ggml_tensor *p =
            ggml_soft_max_ext(c, ggml_mul_mat(c, k, q), n->mask, scale, 0.0f);
        x = ggml_add(c, x, ggml_mul_mat(c, y->o[h], ggml_mul_mat(c, v, p)));
    }
    return x;
}

static struct ggml_tensor *net_forward(struct net *n)
{
    struct ggml_context *c = n->ctx_graph;
    struct ggml_tensor *x = ggml_get_rows(c, n->embd, n->token);

    for (int l = 0; l < n->shape.n_layer; l++) {
        struct net_layer *y = &n->layers[l];
        x = net_attention(n, y, x);
        struct ggml_tensor *in = net_norm(c, x, y->ffn_norm);
        struct ggml_tensor *g = ggml_silu(c, ggml_mul_mat(c, y->gate, in));
        g = ggml_mul(c, g, ggml_mul_mat(c, y->up, in));
        x = ggml_add(c, x, ggml_mul_mat(c, y->down, g));
    }
    x = net_norm(c, ggml_get_rows(c, x, n->rows), n->out_norm);
    return ggml_mul_mat(c, n->embd, x);
}

static int net_build(struct net *n, struct eb_err *err)
{
    struct ggml_init_params p = {
        .mem_size = ggml_tensor_overhead() * NET_GRAPH_NODES +
                    ggml_graph_overhead_custom(NET_GRAPH_NODES, true),
        .no_alloc = true};
    n->ctx_graph = ggml_init(p);
    n->graph = ggml_new_graph_custom(n->ctx_graph, NET_GRAPH_NODES, true);
    n->loss = ggml_cross_entropy_loss(n->ctx_graph, net_forward(n), n->labels);
    ggml_set_loss(n->loss);
    ggml_set_output(n->loss);
    ggml_build_forward_expand(n->graph, n->loss);

    int nodes = ggml_graph_n_nodes(n->graph);
    struct ggml_tensor **acc = eb_xcalloc((size_t)nodes, sizeof(*acc));
    acc[nodes - 1] = n->loss_grad;
    ggml_build_backward_expand(n->ctx_graph, n->graph, acc);
    free(acc);
    for (int i = 0; i < n->n_params; i++) {
        struct ggml_tensor *g = ggml_graph_get_grad(n->graph, n->param[i]);
        if (!g)
            return eb_fail(err, EB_EINTERNAL, "no gradient for %s",
                           n->param[i]->name);
        ggml_build_forward_expand(
            n->graph, ggml_opt_step_adamw(n->ctx_graph, n->param[i], g, n->m[i],
                                          n->v[i], n->adamw));
    }
    n->sched = ggml_backend_sched_new(n->backends, NULL, n->n_backends,
                                      NET_GRAPH_NODES, false, false);
    if (!ggml_backend_sched_alloc_graph(n->sched, n->graph))
        return eb_fail(err, EB_ELIMIT, "%s: not enough memory to train",
                       n->shape.name);
    return 0;
}

static void net_backends(struct net *n, int n_threads)
{
    ggml_backend_dev_t accel =
        ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_ACCEL);

    if (accel)
        n->backends[n->n_backends++] = ggml_backend_dev_init(accel, NULL);
    n->backends[n->n_backends++] =
        ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, NULL);
    for (int i = 0; i < n->n_backends; i++) {
        ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(
            ggml_backend_get_device(n->backends[i]));
        ggml_backend_set_n_threads_t set =
            (ggml_backend_set_n_threads_t)ggml_backend_reg_get_proc_address(
                reg, "ggml_backend_set_n_threads");
        if (set)
            set(n->backends[i], n_threads);
    }
}

int net_open(const struct net_shape *shape, int n_vocab, int n_threads,
             uint64_t seed, struct net **out, struct eb_err *err)
{
    struct net *n = eb_xcalloc(1, sizeof(*n));
    struct ggml_init_params p = {.mem_size = ggml_tensor_overhead() *
                                             (3 * NET_PARAMS_MAX + 16),
                                 .no_alloc = true};
    int rc;

    n->shape = *shape;
    n->n_vocab = n_vocab;
    n->ctx_static = ggml_init(p);
    net_make_params(n);
    net_make_inputs(n);
    net_backends(n, n_threads);
    n->buffer = ggml_backend_alloc_ctx_tensors_from_buft(
        n->ctx_static, ggml_backend_cpu_buffer_type());
    net_init_params(n, seed);
    rc = net_build(n, err);
    if (rc) {
        net_close(n);
        return rc;
    }
    *out = n;
    return 0;
}

void net_close(struct net *n)
{
    if (!n)
        return;
    if (n->sched)
        ggml_backend_sched_free(n->sched);
    for (int i = 0; i < n->n_backends; i++)
        ggml_backend_free(n->backends[i]);
    ggml_backend_buffer_free(n->buffer);
    ggml_free(n->ctx_graph);
    ggml_free(n->ctx_static);
    free(n);
}

static void net_set_mask(struct net *n, const struct net_pack *p)
{
    for (int i = 0; i < NET_TOKENS; i++) {
        float *row = (float *)n->mask->data + (size_t)i * NET_TOKENS;
        for (int k = 0; k < NET_TOKENS; k++) {
            int sees =
                k == i || (k < i && p->group[i] >= 0 &&
                           (p->group[k] == 0 || p->group[k] == p->group[i]));
            row[k] = sees ? 0.0f : -INFINITY;
        }
    }
}

static void net_set_adamw(struct net *n, double lr)
{
    float *a = n->adamw->data;
    double t = (double)n->steps + 1;

    a[0] = (float)lr;
    a[1] = NET_BETA1;
    a[2] = NET_BETA2;
    a[3] = 1e-8f;
    a[4] = NET_WEIGHT_DECAY;
    a[5] = (float)(1.0 / (1.0 - pow(NET_BETA1, t)));
    a[6] = (float)(1.0 / (1.0 - pow(NET_BETA2, t)));
}

int net_step(struct net *n, const struct net_pack *p, double lr, double *loss,
             struct eb_err *err)
{
    int32_t *rows = n->rows->data;
    float *labels = n->labels->data;

    memcpy(n->token->data, p->token, sizeof(p->token));
    memcpy(n->pos->data, p->pos, sizeof(p->pos));
    net_set_mask(n, p);
    memset(labels, 0, ggml_nbytes(n->labels));
    /* Spare rows repeat earlier ones: the loss stays a mean over targets. */
    for (int i = 0; i < NET_ROWS; i++) {
        rows[i] = p->row[i % p->n_rows];
        labels[(size_t)i * (size_t)n->n_vocab +
               (size_t)p->target[i % p->n_rows]] = 1.0f;
    }
    net_set_adamw(n, lr);
    if (ggml_backend_sched_graph_compute(n->sched, n->graph) !=
        GGML_STATUS_SUCCESS)
        return eb_fail(err, EB_EENGINE, "ggml failed to compute a step");
    *loss = *(const float *)n->loss->data;
    n->steps++;
    if (!isfinite(*loss))
        return eb_fail(err, EB_EENGINE, "step %lld: the loss is not finite",
                       (long long)n->steps);
    return 0;
}

int64_t net_params(const struct net *n)
{
    int64_t total = 0;

    for (int i = 0; i < n->n_params; i++)
        total += ggml_nelements(n->param[i]);
    return total;
}

int64_t net_steps(const struct net *n)
{
    return n->steps;
}
