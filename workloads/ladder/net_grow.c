/* A larger network that computes what a trained smaller one does (Net2Net:
 * Chen, Goodfellow and Shlens 2016, arXiv 1511.05641). The residual stream is
 * repeated, new heads, units and layers add nothing at first. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ggml-cpu.h"
#include "gguf.h"
#include "workloads/ladder/net_parts.h"
#include "workloads/rng.h"

struct grow {
    struct net *n;
    struct ggml_context *from;
    struct eb_rng rng;
    int times; /* the residual stream is so much wider */
};

static const struct ggml_tensor *grow_from(const struct grow *g,
                                           const struct ggml_tensor *to)
{
    return ggml_get_tensor(g->from, to->name);
}

static float *grow_row(const struct ggml_tensor *t, int64_t row)
{
    return (float *)t->data + row * t->ne[0];
}

static void grow_zero(struct ggml_tensor *t)
{
    memset(t->data, 0, ggml_nbytes(t));
}

/* A vector, or rows, along the residual stream. */
static void grow_repeat(const struct grow *g, struct ggml_tensor *to,
                        float scale)
{
    const struct ggml_tensor *s = grow_from(g, to);

    for (int64_t r = 0; r < to->ne[1] && s; r++)
        for (int64_t c = 0; c < to->ne[0]; c++)
            grow_row(to, r)[c] = scale * grow_row(s, r)[c % s->ne[0]];
}

/* A row that reads the residual stream: the copies share its weight in random
 * parts, else they would stay equal for ever. */
static void grow_read_row(struct grow *g, float *to, const float *s, int64_t e,
                          float scale)
{
    for (int64_t c = 0; c < e; c++) {
        float left = 1;
        for (int k = 1; k < g->times; k++) {
            float part = left *
                         (0.3f + 0.004f * (float)eb_rng_index(&g->rng, 101)) *
                         2.0f / (float)(g->times - k + 1);
            to[c + k * e] = scale * part * s[c];
            left -= part;
        }
        to[c] = scale * left * s[c];
    }
}

/* Where a dimension of a head goes: a wider head turns more slowly from pair
 * to pair, so pair i must sit where the angle is the same. */
static int64_t grow_turned(int64_t dim, int64_t ratio)
{
    return dim / 2 * ratio * 2 + dim % 2;
}

/* q and k: only the dimensions that came over count in their product. */
static void grow_query(struct grow *g, struct ggml_tensor *to, float scale)
{
    const struct ggml_tensor *s = grow_from(g, to);

    if (!s)
        return;
    grow_zero(to);
    for (int64_t r = 0; r < s->ne[1]; r++)
        grow_read_row(g, grow_row(to, grow_turned(r, to->ne[1] / s->ne[1])),
                      grow_row(s, r), s->ne[0], scale);
}

/* v, gate and up: rows beyond the old ones keep their random start. */
static void grow_read(struct grow *g, struct ggml_tensor *to)
{
    const struct ggml_tensor *s = grow_from(g, to);

    for (int64_t r = 0; s && r < s->ne[1]; r++)
        grow_read_row(g, grow_row(to, r), grow_row(s, r), s->ne[0], 1);
}

/* Attention output and down: what is new writes nothing yet. */
static void grow_write(const struct grow *g, struct ggml_tensor *to)
{
    const struct ggml_tensor *s = grow_from(g, to);

    grow_zero(to);
    for (int64_t r = 0; s && r < to->ne[1]; r++)
        memcpy(grow_row(to, r), grow_row(s, r % s->ne[1]),
               (size_t)s->ne[0] * sizeof(float));
}

static void grow_layer(struct grow *g, struct net_layer *y)
{
    const struct ggml_tensor *q = grow_from(g, y->q[0]);
    float scale = q ? sqrtf((float)y->q[0]->ne[1] / (float)q->ne[1]) : 1;

    grow_repeat(g, y->attn_norm, 1);
    grow_repeat(g, y->ffn_norm, 1);
    for (int h = 0; h < g->n->shape.n_head; h++) {
        grow_query(g, y->q[h], scale);
        grow_query(g, y->k[h], 1);
        grow_read(g, y->v[h]);
        grow_write(g, y->o[h]);
    }
    grow_read(g, y->gate);
    grow_read(g, y->up);
    grow_write(g, y->down);
}

static int grow_check(struct grow *g, const char *path, struct eb_err *err)
{
    const struct ggml_tensor *e = grow_from(g, g->n->embd);
    const struct ggml_tensor *q = grow_from(g, g->n->layers[0].q[0]);
    const struct ggml_tensor *f = grow_from(g, g->n->layers[0].gate);
    struct net *n = g->n;

    if (!e || !q || !f)
        return eb_fail(err, EB_EPARSE, "%s: not a checkpoint", path);
    if (e->ne[1] != n->n_vocab || n->shape.n_embd % e->ne[0] ||
        n->layers[0].q[0]->ne[1] % q->ne[1] || f->ne[1] > n->shape.n_ff)
        return eb_fail(err, EB_EINVAL,
                       "%s: %s is no whole multiple of this network", path,
                       n->shape.name);
    g->times = n->shape.n_embd / (int)e->ne[0];
    return 0;
}

int net_grow(struct net *n, const char *path, uint64_t seed, struct eb_err *err)
{
    struct grow g = {.n = n};
    struct gguf_init_params p = {.no_alloc = false, .ctx = &g.from};
    struct gguf_context *file = gguf_init_from_file(path, p);
    int rc;

    if (!file)
        return eb_fail(err, EB_EPARSE, "%s: not a checkpoint", path);
    eb_rng_init(&g.rng, seed, "grow", NULL);
    rc = grow_check(&g, path, err);
    if (!rc) {
        grow_repeat(&g, n->embd, 1);
        /* The tied output sums over all copies. */
        grow_repeat(&g, n->out_norm, 1.0f / (float)g.times);
        for (int l = 0; l < n->shape.n_layer; l++)
            grow_layer(&g, &n->layers[l]);
    }
    gguf_free(file);
    ggml_free(g.from);
    return rc;
}
