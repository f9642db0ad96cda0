/* edgebench-modelgen: writes a llama-architecture GGUF of a given shape and
 * quantisation with random weights, for measuring speed and memory. Dense
 * models run at the speed of their shape; answers are noise, and power can
 * differ from that of a trained model.
 *
 *   edgebench-modelgen --vocab workloads/models/ladder-12m-q8_0.gguf
 *       --layers 14 --embd 768 --heads 12 --kv-heads 12 --ff 2048
 *       --type q8_0 -o random-100m.gguf
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/opt.h"
#include "ggml.h"
#include "gguf.h"

struct modelgen {
    const char *vocab;
    const char *out;
    const char *type_name;
    long long layers, embd, heads, kv_heads, ff, seed;
    int help;
    int n_vocab;
    enum ggml_type type;
    uint64_t state;
    struct gguf_context *gguf;
    struct ggml_context *ctx;
};

static const struct {
    const char *name;
    enum ggml_type type;
    unsigned file_type; /* llama_ftype */
} modelgen_types[] = {
    {"f32", GGML_TYPE_F32, 0},    {"f16", GGML_TYPE_F16, 1},
    {"q4_0", GGML_TYPE_Q4_0, 2},  {"q8_0", GGML_TYPE_Q8_0, 7},
    {"q4_k", GGML_TYPE_Q4_K, 15}, {"q6_k", GGML_TYPE_Q6_K, 18}};

/* Uniform in +-0.05: xorshift64 (Marsaglia 2003) is plenty for noise. */
static float modelgen_random(struct modelgen *g)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return ((float)(g->state >> 40) / 16777216.0f - 0.5f) * 0.1f;
}

static void modelgen_tensor(struct modelgen *g, const char *name, int64_t ne0,
                            int64_t ne1)
{
    enum ggml_type type = ne1 ? g->type : GGML_TYPE_F32;
    struct ggml_tensor *t = ne1 ? ggml_new_tensor_2d(g->ctx, type, ne0, ne1)
                                : ggml_new_tensor_1d(g->ctx, type, ne0);
    int64_t rows = ne1 ? ne1 : 1;
    float *row = eb_xcalloc((size_t)ne0, sizeof(*row));

    ggml_set_name(t, name);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < ne0; i++)
            row[i] = ne1 ? modelgen_random(g) : 1.0f;
        ggml_quantize_chunk(
            type, row, (char *)t->data + (size_t)r * ggml_row_size(type, ne0),
            0, 1, ne0, NULL);
    }
    free(row);
    gguf_add_tensor(g->gguf, t);
}

static void modelgen_layer(struct modelgen *g, int layer)
{
    int64_t e = g->embd;
    int64_t kv = e / g->heads * g->kv_heads;
    const struct {
        const char *part;
        int64_t ne0, ne1;
    } parts[] = {
        {"attn_norm", e, 0},    {"attn_q", e, e},      {"attn_k", e, kv},
        {"attn_v", e, kv},      {"attn_output", e, e}, {"ffn_norm", e, 0},
        {"ffn_gate", e, g->ff}, {"ffn_up", e, g->ff},  {"ffn_down", g->ff, e}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        char name[64];
        snprintf(name, sizeof(name), "blk.%d.%s.weight", layer, parts[i].part);
        modelgen_tensor(g, name, parts[i].ne0, parts[i].ne1);
    }
}

static void modelgen_keys(struct modelgen *g, unsigned file_type)
{
    struct gguf_context *o = g->gguf;

    gguf_set_val_str(o, "general.architecture", "llama");
    gguf_set_val_str(o, "general.name", "random weights (synthetic)");
    gguf_set_val_u32(o, "general.file_type", file_type);
    gguf_set_val_u32(o, "llama.context_length", 8192);
    gguf_set_val_u32(o, "llama.embedding_length", (uint32_t)g->embd);
    gguf_set_val_u32(o, "llama.block_count", (uint32_t)g->layers);
    gguf_set_val_u32(o, "llama.feed_forward_length", (uint32_t)g->ff);
    gguf_set_val_u32(o, "llama.attention.head_count", (uint32_t)g->heads);
    gguf_set_val_u32(o, "llama.attention.head_count_kv", (uint32_t)g->kv_heads);
    gguf_set_val_u32(o, "llama.rope.dimension_count",
                     (uint32_t)(g->embd / g->heads));
    gguf_set_val_u32(o, "llama.vocab_size", (uint32_t)g->n_vocab);
    gguf_set_val_f32(o, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

static int modelgen_check(struct modelgen *g, unsigned *file_type,
                          struct eb_err *err)
{
    size_t n = sizeof(modelgen_types) / sizeof(*modelgen_types);
    size_t i = 0;

    while (i < n && strcmp(modelgen_types[i].name, g->type_name))
        i++;
    if (i == n)
        return eb_fail(err, EB_EUSAGE,
                       "unknown --type %s: f32, f16, q4_0, q8_0, q4_k, q6_k",
                       g->type_name);
    g->type = modelgen_types[i].type;
    *file_type = modelgen_types[i].file_type;
    int64_t block = ggml_blck_size(g->type);
    if (g->layers < 1 || g->heads < 1 || g->kv_heads < 1 || g->embd < 1 ||
        g->ff < 1 || g->embd % g->heads || g->heads % g->kv_heads ||
        g->embd / g->heads % 2)
        return eb_fail(err, EB_EUSAGE,
                       "--embd must be a multiple of --heads with an even "
                       "quotient, --heads one of --kv-heads, all positive");
    if (g->embd % block || g->ff % block)
        return eb_fail(err, EB_EUSAGE,
                       "%s wants --embd and --ff in multiples of %lld",
                       g->type_name, (long long)block);
    return 0;
}

static int modelgen_write(struct modelgen *g, unsigned file_type,
                          struct eb_err *err)
{
    struct gguf_init_params p = {.no_alloc = true};
    struct gguf_context *vocab = gguf_init_from_file(g->vocab, p);
    int64_t tokens = vocab ? gguf_find_key(vocab, "tokenizer.ggml.tokens") : -1;
    int64_t kv = g->embd / g->heads * g->kv_heads;
    int ok;

    if (tokens < 0) {
        gguf_free(vocab);
        return eb_fail(err, EB_EPARSE, "%s: no GGUF with a vocabulary",
                       g->vocab);
    }
    g->n_vocab = (int)gguf_get_arr_n(vocab, tokens);
    int64_t weights =
        g->layers * (2 * g->embd * (g->embd + kv) + 3 * g->embd * g->ff) +
        2 * g->embd * g->n_vocab;
    struct ggml_init_params mem = {
        .mem_size = ggml_row_size(g->type, ggml_blck_size(g->type)) *
                        (size_t)(weights / ggml_blck_size(g->type)) +
                    (size_t)g->layers * 65536 + (4u << 20)};
    g->ctx = ggml_init(mem);
    g->gguf = gguf_init_empty();
    gguf_set_kv(g->gguf, vocab);
    modelgen_keys(g, file_type);
    modelgen_tensor(g, "token_embd.weight", g->embd, g->n_vocab);
    modelgen_tensor(g, "output_norm.weight", g->embd, 0);
    modelgen_tensor(g, "output.weight", g->embd, g->n_vocab);
    for (int l = 0; l < (int)g->layers; l++)
        modelgen_layer(g, l);
    ok = gguf_write_to_file(g->gguf, g->out, false);
    gguf_free(g->gguf);
    gguf_free(vocab);
    ggml_free(g->ctx);
    eb_info("%s: %lld parameters", g->out, (long long)weights);
    return ok ? 0 : eb_fail(err, EB_EIO, "%s: cannot be written", g->out);
}

int main(int argc, char **argv)
{
    struct modelgen g = {.type_name = "q8_0",
                         .layers = 14,
                         .embd = 768,
                         .heads = 12,
                         .kv_heads = 12,
                         .ff = 2048,
                         .seed = 1};
    struct eb_opt opts[] = {
        {"vocab", 0, EB_OPT_STR, &g.vocab, "FILE", "GGUF with the vocabulary"},
        {"out", 'o', EB_OPT_STR, &g.out, "FILE", "model file to write"},
        {"layers", 0, EB_OPT_INT, &g.layers, "N", "layers (14)"},
        {"embd", 0, EB_OPT_INT, &g.embd, "N", "embedding length (768)"},
        {"heads", 0, EB_OPT_INT, &g.heads, "N", "attention heads (12)"},
        {"kv-heads", 0, EB_OPT_INT, &g.kv_heads, "N", "K and V heads (12)"},
        {"ff", 0, EB_OPT_INT, &g.ff, "N", "feed-forward length (2048)"},
        {"type", 0, EB_OPT_STR, &g.type_name, "T", "quantisation (q8_0)"},
        {"seed", 0, EB_OPT_INT, &g.seed, "N", "seed of the weights (1)"},
        {"help", 'h', EB_OPT_FLAG, &g.help, NULL, "this text"},
        {0}};
    struct eb_err err = {0};
    unsigned file_type = 0;
    int n_args = 0;
    int rc;

    eb_log_setup("edgebench-modelgen", EB_LOG_INFO);
    rc = eb_opt_parse(opts, argc, argv, &n_args, &err);
    if (!rc && g.help) {
        printf("usage: edgebench-modelgen --vocab FILE -o FILE [options]\n");
        eb_opt_help(opts, stdout);
        return EB_EXIT_OK;
    }
    if (!rc && (!g.vocab || !g.out || n_args))
        rc = eb_fail(&err, EB_EUSAGE, "--vocab and --out are needed");
    g.state = (uint64_t)g.seed * 0x9e3779b97f4a7c15u + 1;
    if (!rc)
        rc = modelgen_check(&g, &file_type, &err);
    if (!rc)
        rc = modelgen_write(&g, file_type, &err);
    if (rc)
        eb_error("%s", err.msg);
    return !rc               ? EB_EXIT_OK
           : rc == EB_EUSAGE ? EB_EXIT_USAGE
                             : EB_EXIT_INTERNAL;
}
