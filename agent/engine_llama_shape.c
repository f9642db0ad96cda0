/* The llama engine: the record's `model.shape`, of the library's API, of the
 * model's metadata, and of the file's list of tensors. */
#ifdef EB_HAVE_LLAMA

#include "agent/engine_llama.h"

#include <gguf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"

static void shape_put(cJSON *out, const char *key, double v, const char *why)
{
    if (why == NULL && v > 0)
        cJSON_AddNumberToObject(out, key, v);
    else
        eb_json_add_null(out, key, why != NULL ? why : "absent");
}

/* "llama.<key>" of the metadata for an architecture named llama; -1: not
 * there. A list has a number a layer: *lists then. */
static double shape_meta(const struct llama *l, const char *key, int *lists)
{
    char arch[64], name[128], text[64];

    if (llama_model_meta_val_str(l->model, "general.architecture", arch,
                                 sizeof(arch)) < 0)
        return -1;
    snprintf(name, sizeof(name), "%s.%s", arch, key);
    if (llama_model_meta_val_str(l->model, name, text, sizeof(text)) < 0)
        return -1;
    *lists |= text[0] == '[';
    return text[0] == '[' ? -1 : strtod(text, NULL);
}

static double shape_or(double v, double otherwise)
{
    return v > 0 ? v : otherwise;
}

/* Heads and their sizes; they give the KV cache and attention's work. */
static void shape_heads(const struct llama *l, cJSON *out)
{
    static const char differs[] = "unsupported: differs by layer";
    double heads = llama_model_n_head(l->model);
    double size = heads > 0 ? llama_model_n_embd(l->model) / heads : -1;
    int lists = 0, latent;
    double k, v;
    const char *why;

    shape_meta(l, "attention.head_count", &lists);
    shape_put(out, "heads", heads, lists ? differs : NULL);
    lists = 0;
    shape_meta(l, "attention.head_count_kv", &lists);
    shape_put(out, "heads_kv", llama_model_n_head_kv(l->model),
              lists ? differs : NULL);
    /* DeepSeek's attention keeps a short vector in place of keys and values. */
    latent = shape_meta(l, "attention.kv_lora_rank", &lists) > 0;
    why = latent ? "unsupported: latent attention" : NULL;
    k = shape_or(shape_meta(l, "attention.key_length", &lists), size);
    v = shape_or(shape_meta(l, "attention.value_length", &lists), size);
    shape_put(out, "key_dim", k, why);
    shape_put(out, "value_dim", v, why);
}

/* The size of the table that turns tokens into vectors, 0 if the output uses
 * it as well; -1 with why. */
static double shape_table(const struct llama *l, const char **why)
{
    struct gguf_init_params params = {.no_alloc = true};
    struct gguf_context *g;
    double bytes = -1;
    int64_t table;
    char text[32];

    if (llama_model_meta_val_str(l->model, "split.count", text, sizeof(text)) >=
            0 &&
        atoi(text) > 1) {
        *why = "unsupported: the model is in several files";
        return -1;
    }
    g = gguf_init_from_file(l->path, params);
    if (g == NULL) {
        *why = "not measured: the file cannot be read again";
        return -1;
    }
    table = gguf_find_tensor(g, "token_embd.weight");
    if (table < 0)
        *why = "absent: the file has no tensor token_embd";
    else if (gguf_find_tensor(g, "output.weight") < 0)
        bytes = 0;
    else
        bytes = (double)gguf_get_tensor_size(g, table);
    gguf_free(g);
    return bytes;
}

/* Of a number in the KV cache. */
static double shape_cache_bytes(enum ggml_type type)
{
    return (double)ggml_type_size(type) / (double)ggml_blck_size(type);
}

void llama_shape(struct llama *l, cJSON *model)
{
    struct llama_context_params cp =
        llama_context_wanted(l, l->cells, l->base.slots);
    const char *why = NULL, *lists = "unsupported: differs by layer";
    int differs = 0;
    double ffn, experts, table;
    cJSON *out;

    if (llama_model_is_recurrent(l->model) || llama_model_is_hybrid(l->model)) {
        eb_json_add_null(model, "shape",
                         "unsupported: a recurrent model keeps a state");
        return;
    }
    out = cJSON_AddObjectToObject(model, "shape");
    shape_put(out, "layers", llama_model_n_layer(l->model), NULL);
    shape_put(out, "embedding", llama_model_n_embd(l->model), NULL);
    shape_heads(l, out);
    ffn = shape_meta(l, "feed_forward_length", &differs);
    shape_put(out, "ffn", ffn, differs ? lists : NULL);
    shape_put(out, "vocabulary", l->n_vocab, NULL);
    experts = shape_meta(l, "expert_count", &differs);
    cJSON_AddNumberToObject(out, "experts", fmax(experts, 0));
    cJSON_AddNumberToObject(out, "window", llama_model_n_swa(l->model));
    shape_put(out, "key_bytes", shape_cache_bytes(cp.type_k), NULL);
    shape_put(out, "value_bytes", shape_cache_bytes(cp.type_v), NULL);
    table = shape_table(l, &why);
    if (why == NULL)
        cJSON_AddNumberToObject(out, "input_table_bytes", table);
    else
        eb_json_add_null(out, "input_table_bytes", why);
}

#else

extern int eb_engine_llama_shape_absent; /* ISO C wants a declaration */

#endif
