/* Checkpoints and the model file of a network. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "ggml-cpu.h"
#include "gguf.h"
#include "workloads/ladder/net_parts.h"

int net_save(const struct net *n, const char *path, struct eb_err *err)
{
    struct gguf_context *g = gguf_init_empty();
    int ok;

    gguf_set_val_str(g, "ladder.name", n->shape.name);
    gguf_set_val_i64(g, "ladder.steps", n->steps);
    for (int i = 0; i < n->n_params; i++) {
        gguf_add_tensor(g, n->param[i]);
        gguf_add_tensor(g, n->m[i]);
        gguf_add_tensor(g, n->v[i]);
    }
    char *part = eb_xasprintf("%s.part", path);
    ok = gguf_write_to_file(g, part, false) && rename(part, path) == 0;
    free(part);
    gguf_free(g);
    return ok ? 0 : eb_fail(err, EB_EIO, "%s: cannot be written", path);
}

int net_load(struct net *n, const char *path, struct eb_err *err)
{
    struct ggml_context *data = NULL;
    struct gguf_init_params p = {.no_alloc = false, .ctx = &data};
    struct gguf_context *g = gguf_init_from_file(path, p);
    int rc = 0;

    if (!g)
        return eb_fail(err, EB_EPARSE, "%s: not a checkpoint", path);
    int64_t key = gguf_find_key(g, "ladder.steps");
    if (key < 0)
        rc = eb_fail(err, EB_EPARSE, "%s: not a checkpoint", path);
    for (int i = 0; i < n->n_params && !rc; i++) {
        struct ggml_tensor *to[] = {n->param[i], n->m[i], n->v[i]};
        for (int k = 0; k < 3 && !rc; k++) {
            struct ggml_tensor *t = ggml_get_tensor(data, to[k]->name);
            if (!t || !ggml_are_same_shape(t, to[k]))
                rc = eb_fail(err, EB_EINVAL, "%s: %s is missing or differs",
                             path, to[k]->name);
            else
                memcpy(to[k]->data, t->data, ggml_nbytes(t));
        }
    }
    if (!rc)
        n->steps = gguf_get_val_i64(g, key);
    gguf_free(g);
    ggml_free(data);
    return rc;
}

/* Adds a matrix as Q8_0 or a vector as F32; data is rows of ne0. */
static void net_put(struct gguf_context *g, struct ggml_context *c,
                    const char *name, const float *data, int64_t ne0,
                    int64_t ne1)
{
    enum ggml_type type = ne1 ? GGML_TYPE_Q8_0 : GGML_TYPE_F32;
    struct ggml_tensor *t = ne1 ? ggml_new_tensor_2d(c, type, ne0, ne1)
                                : ggml_new_tensor_1d(c, type, ne0);

    ggml_set_name(t, name);
    if (ne1)
        ggml_quantize_chunk(type, data, t->data, 0, ne1, ne0, NULL);
    else
        memcpy(t->data, data, ggml_nbytes(t));
    gguf_add_tensor(g, t);
}

/* Joins the heads of q, k or v: their rows follow each other. */
static void net_put_heads(struct gguf_context *g, struct ggml_context *c,
                          const char *name, struct ggml_tensor *const *head,
                          int n_head)
{
    int64_t ne0 = head[0]->ne[0];
    int64_t ne1 = head[0]->ne[1];
    float *x = eb_xcalloc((size_t)(ne0 * ne1 * n_head), sizeof(*x));

    for (int h = 0; h < n_head; h++)
        memcpy(x + h * ne0 * ne1, head[h]->data, ggml_nbytes(head[h]));
    net_put(g, c, name, x, ne0, ne1 * n_head);
    free(x);
}

/* Joins the heads of the output projection: their columns follow. */
static void net_put_output(struct gguf_context *g, struct ggml_context *c,
                           const char *name, struct ggml_tensor *const *head,
                           int n_head)
{
    int64_t d = head[0]->ne[0];
    int64_t e = head[0]->ne[1];
    float *x = eb_xcalloc((size_t)(d * e * n_head), sizeof(*x));

    for (int h = 0; h < n_head; h++)
        for (int64_t r = 0; r < e; r++)
            memcpy(x + (r * n_head + h) * d,
                   (const float *)head[h]->data + r * d,
                   (size_t)d * sizeof(*x));
    net_put(g, c, name, x, d * n_head, e);
    free(x);
}

static void net_put_layer(const struct net *n, int l, struct gguf_context *g,
                          struct ggml_context *c)
{
    const struct net_layer *y = &n->layers[l];
    int heads = n->shape.n_head;
    struct {
        const char *part;
        struct ggml_tensor *const *head;
    } qkv[] = {{"attn_q", y->q}, {"attn_k", y->k}, {"attn_v", y->v}};
    struct {
        const char *part;
        struct ggml_tensor *t;
    } one[] = {{"attn_norm", y->attn_norm},
               {"ffn_norm", y->ffn_norm},
               {"ffn_gate", y->gate},
               {"ffn_up", y->up},
               {"ffn_down", y->down}};
    char name[64];

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "blk.%d.%s.weight", l, qkv[i].part);
        net_put_heads(g, c, name, qkv[i].head, heads);
    }
    snprintf(name, sizeof(name), "blk.%d.attn_output.weight", l);
    net_put_output(g, c, name, y->o, heads);
    for (int i = 0; i < 5; i++) {
        struct ggml_tensor *t = one[i].t;
        snprintf(name, sizeof(name), "blk.%d.%s.weight", l, one[i].part);
        net_put(g, c, name, t->data, t->ne[0],
                ggml_n_dims(t) > 1 ? t->ne[1] : 0);
    }
}

static void net_put_keys(const struct net *n, struct gguf_context *g)
{
    const struct net_shape *s = &n->shape;

    gguf_set_val_str(g, "general.architecture", "llama");
    gguf_set_val_str(g, "general.name", s->name);
    gguf_set_val_str(g, "general.license", "apache-2.0");
    gguf_set_val_u32(g, "general.file_type", 7); /* mostly Q8_0 */
    gguf_set_val_u32(g, "llama.context_length", 4096);
    gguf_set_val_u32(g, "llama.embedding_length", (uint32_t)s->n_embd);
    gguf_set_val_u32(g, "llama.block_count", (uint32_t)s->n_layer);
    gguf_set_val_u32(g, "llama.feed_forward_length", (uint32_t)s->n_ff);
    gguf_set_val_u32(g, "llama.attention.head_count", (uint32_t)s->n_head);
    gguf_set_val_u32(g, "llama.vocab_size", (uint32_t)n->n_vocab);
    gguf_set_val_f32(g, "llama.attention.layer_norm_rms_epsilon", NET_RMS_EPS);
    gguf_set_val_f32(g, "llama.rope.freq_base", NET_ROPE_BASE);
    gguf_set_val_u32(g, "llama.rope.dimension_count",
                     (uint32_t)(s->n_embd / s->n_head));
}

int net_export(const struct net *n, const char *vocab_path, const char *path,
               struct eb_err *err)
{
    struct gguf_init_params p = {.no_alloc = true};
    struct gguf_context *vocab = gguf_init_from_file(vocab_path, p);
    struct gguf_context *g;
    struct ggml_init_params mem = {.mem_size =
                                       (size_t)net_params(n) * 2 + (4u << 20)};
    struct ggml_context *c;
    int ok;

    if (!vocab)
        return eb_fail(err, EB_EPARSE, "%s: not a GGUF file", vocab_path);
    g = gguf_init_empty();
    c = ggml_init(mem);
    gguf_set_kv(g, vocab);
    net_put_keys(n, g);
    net_put(g, c, "token_embd.weight", n->embd->data, n->embd->ne[0],
            n->embd->ne[1]);
    net_put(g, c, "output_norm.weight", n->out_norm->data, n->out_norm->ne[0],
            0);
    for (int l = 0; l < n->shape.n_layer; l++)
        net_put_layer(n, l, g, c);
    ok = gguf_write_to_file(g, path, false);
    gguf_free(g);
    gguf_free(vocab);
    ggml_free(c);
    return ok ? 0 : eb_fail(err, EB_EIO, "%s: cannot be written", path);
}
