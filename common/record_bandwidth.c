/* What a token of a speed test needs by the model's shape, and what that makes
 * of the measured rate: bytes a token, GB/s, MBU and GFLOP/s.
 *
 * One pass over the model reads its weights once, for all tokens in it: one a
 * sequence when writing, a micro-batch when reading a prompt. Beside them it
 * reads the keys and values of all positions so far:
 *
 *     bytes a token = (weights / sequences + KV of a position * positions) /
 *                     tokens of a sequence in one pass
 *     GB/s          = bytes a token * tokens a second / 1e9
 *     MBU           = GB/s over the bandwidth that triad measured (model
 *                     bandwidth utilisation, Databricks 2023, "LLM Inference
 *                     Performance Engineering")
 *     GFLOP/s       = 2 * (weights multiplied + attention) * tokens a second
 *                     / 1e9, where attention is layers * heads *
 *                     (key + value size) a position (PaLM, Chowdhery et al.
 *                     2022, appendix B)
 *
 * Example: weights 2.0e9 bytes, KV 10240 bytes a position, 128 tokens behind
 * 1000: 2.0e9 + 10240 * 1064.5 = 2.0109e9 bytes a token; at 10 tokens/s
 * 20.1 GB/s; with a triad of 40 GB/s MBU is 0.50.
 *
 * These are the least that the model needs. What an engine reads beyond that
 * (padding of the cache, activations) lowers MBU, as it should. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/record.h"
#include "common/record_parts.h"

enum {
    SHAPE_LAYERS,
    SHAPE_EMBEDDING,
    SHAPE_HEADS,
    SHAPE_HEADS_KV,
    SHAPE_KEY_DIM,
    SHAPE_VALUE_DIM,
    SHAPE_VOCABULARY,
    SHAPE_KEY_BYTES,
    SHAPE_VALUE_BYTES,
    SHAPE_TABLE,
    SHAPE_N
};
static const char *const shape_names[SHAPE_N] = {
    "layers",    "embedding",  "heads",     "heads_kv",    "key_dim",
    "value_dim", "vocabulary", "key_bytes", "value_bytes", "input_table_bytes"};

struct bandwidth_need {
    double weights_bytes;  /* of one pass */
    double kv_bytes;       /* of one position */
    double weights_gen;    /* multiplied for a token that is written */
    double weights_prompt; /* ... read: only the last one meets the output */
    double attention;      /* multiplications a token and position */
    double window;         /* positions that are seen at most; 0: all */
    const char *why;       /* why all this is not known; NULL: it is */
};

static const cJSON *get(const cJSON *v, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(v, key);
}

/* The reason beside a null, or one that fits where there is not even that. */
static const char *reason(const cJSON *obj, const char *key, const char *none)
{
    char name[64];

    snprintf(name, sizeof(name), "%s_reason", key);
    return eb_json_get_str(obj, name, none);
}

static const char *shape_read(const cJSON *model, double v[SHAPE_N])
{
    const cJSON *shape = get(model, "shape");
    int i;

    if (!cJSON_IsObject(shape))
        return reason(model, "shape", "absent: the model's shape is not known");
    for (i = 0; i < SHAPE_N; i++) {
        v[i] = eb_json_get_num(shape, shape_names[i], NAN);
        if (isnan(v[i]))
            return reason(shape, shape_names[i],
                          "absent: the model's shape is not whole");
    }
    if (eb_json_get_num(shape, "experts", 0) > 1)
        return "unsupported: a mixture of experts reads a part of its weights";
    return NULL;
}

static struct bandwidth_need bandwidth_need(const cJSON *rec)
{
    const cJSON *model = get(rec, "model");
    double bytes = eb_json_get_num(get(rec, "memory"), "model_bytes", NAN);
    double parameters = eb_json_get_num(model, "parameters", NAN);
    struct bandwidth_need n = {0};
    double v[SHAPE_N] = {0}, head;

    n.why = shape_read(model, v);
    if (n.why == NULL && isnan(bytes))
        n.why = "absent: the size of the weights is not known";
    if (n.why == NULL && isnan(parameters))
        n.why = "absent: parameters are not known";
    if (n.why != NULL)
        return n;
    /* Of the input table, if it is not the output's as well, one row is read
     * a token, and nothing is multiplied. */
    head = v[SHAPE_VOCABULARY] * v[SHAPE_EMBEDDING];
    n.weights_bytes = bytes - v[SHAPE_TABLE];
    n.weights_gen = v[SHAPE_TABLE] > 0 ? parameters - head : parameters;
    n.weights_prompt = n.weights_gen - head;
    n.kv_bytes = v[SHAPE_LAYERS] * v[SHAPE_HEADS_KV] *
                 (v[SHAPE_KEY_DIM] * v[SHAPE_KEY_BYTES] +
                  v[SHAPE_VALUE_DIM] * v[SHAPE_VALUE_BYTES]);
    n.attention = v[SHAPE_LAYERS] * v[SHAPE_HEADS] *
                  (v[SHAPE_KEY_DIM] + v[SHAPE_VALUE_DIM]);
    n.window = eb_json_get_num(get(model, "shape"), "window", 0);
    return n;
}

static double put(cJSON *out, const char *key, double v, const char *why)
{
    if (why == NULL && isfinite(v)) {
        cJSON_AddNumberToObject(out, key, v);
        return v;
    }
    eb_json_add_null(out, key, why != NULL ? why : "out of range");
    return NAN;
}

/* NULL and the bandwidth, or why there is none to compare with. */
static const char *bandwidth_triad(const cJSON *rec, double *gbps)
{
    const cJSON *all = get(rec, "bandwidth"), *t = get(all, "triad");
    const char *in = eb_json_get_str(get(rec, "model"), "weights_in", NULL);

    if (in == NULL)
        return "absent: the engine does not tell where the weights are";
    if (strcmp(in, "memory") != 0)
        return "unsupported: the weights are not in the memory that triad "
               "measures";
    if (!cJSON_IsObject(t))
        return reason(all, "triad", "not measured: no triad");
    *gbps = eb_json_get_num(t, "best_gbps", NAN);
    if (isnan(*gbps) || *gbps <= 0)
        return reason(t, "best_gbps", "absent");
    if (eb_json_get_num(t, "cpu_share", 1) < EB_TRIAD_CPU_SHARE_MIN)
        return "out of range: other programs ran beside triad";
    return NULL;
}

/* A test of one kind: reading or writing. */
struct bandwidth_test {
    int reads;
    double n, depth, batch;
    double pass; /* tokens of a sequence in one pass; NAN: not known */
};

static struct bandwidth_test bandwidth_test(const cJSON *rec, const cJSON *row)
{
    double prompt = eb_json_get_num(row, "n_prompt", 0);
    double ubatch = eb_json_get_num(get(rec, "settings"), "ubatch", NAN);
    struct bandwidth_test t = {.reads = prompt > 0, .pass = 1};

    t.n = t.reads ? prompt : eb_json_get_num(row, "n_gen", 0);
    t.depth = eb_json_get_num(row, "depth", 0);
    /* Prompts are read one by one: nothing is shared. */
    t.batch = t.reads ? 1 : eb_json_get_num(row, "batch", 1);
    if (t.reads)
        t.pass = t.n / ceil(t.n / ubatch);
    return t;
}

static double bandwidth_bytes(const struct bandwidth_need *need,
                              const struct bandwidth_test *t)
{
    double positions = t->depth + (t->n + t->pass) / 2;

    return (need->weights_bytes / t->batch + need->kv_bytes * positions) /
           t->pass;
}

static double bandwidth_operations(const struct bandwidth_need *need,
                                   const struct bandwidth_test *t)
{
    double weights = t->reads ? need->weights_prompt : need->weights_gen;

    return 2 * (weights + need->attention * (t->depth + (t->n + 1) / 2));
}

void eb_record_bandwidth(const cJSON *rec, const cJSON *row, cJSON *out)
{
    struct bandwidth_need need = bandwidth_need(rec);
    struct bandwidth_test t = bandwidth_test(rec, row);
    /* What did not settle has no mean; `stable` stands beside. */
    double rate = eb_json_get_num(out, "mean_tps",
                                  eb_json_get_num(out, "median_tps", NAN));
    const char *why = need.why, *no_rate = NULL, *no_triad;
    double bytes, triad = NAN;

    if (t.reads && eb_json_get_num(row, "n_gen", 0) > 0)
        return; /* both in one: neither can be told */
    if (isnan(rate))
        no_rate = eb_json_get_str(out, "median_tps_reason", "not measured");
    put(out, "gflops", bandwidth_operations(&need, &t) * rate / 1e9,
        why != NULL ? why : no_rate);
    if (why == NULL && need.window > 0 && t.depth + t.n > need.window)
        why = "unsupported: some layers see a window of the positions only";
    if (why == NULL && isnan(t.pass))
        why = "absent: the micro-batch is not known";
    bytes = put(out, "bytes_per_token", bandwidth_bytes(&need, &t), why);
    if (why == NULL)
        why = no_rate;
    put(out, "achieved_gbps", bytes * rate / 1e9, why);
    no_triad = bandwidth_triad(rec, &triad);
    put(out, "mbu", bytes * rate / 1e9 / triad, why != NULL ? why : no_triad);
}
