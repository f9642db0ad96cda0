#include "agent/bandwidth.h"

#include "common/json.h"

static double shape_num(const cJSON *model, const char *key)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(model, "shape");

    return eb_json_get_num(shape, key, -1);
}

void eb_bandwidth_model(const cJSON *model, const cJSON *memory,
                        struct eb_bandwidth_in *in)
{
    double all = eb_json_get_num(memory, "model_bytes", -1);
    double layers = shape_num(model, "layers");
    double heads = shape_num(model, "heads_kv");
    double k = shape_num(model, "key_dim"), v = shape_num(model, "value_dim");
    double kb = shape_num(model, "key_bytes");
    double vb = shape_num(model, "value_bytes");
    double rows = shape_num(model, "input_embedding_bytes");

    in->parameters = eb_json_get_num(model, "parameters", -1);
    in->weights_bytes = rows > 0 && rows < all ? all - rows : all;
    in->weights_why = NULL;
    if (shape_num(model, "experts") > 1) {
        in->weights_bytes = in->parameters = -1;
        in->weights_why = "unsupported: a mixture of experts reads a part of "
                          "its weights";
    }
    in->kv_bytes_per_position = -1;
    if (layers > 0 && heads > 0 && k > 0 && v > 0 && kb > 0 && vb > 0)
        in->kv_bytes_per_position = layers * heads * (k * kb + v * vb);
}

static double put(cJSON *out, const char *key, double v, const char *why)
{
    if (v >= 0)
        cJSON_AddNumberToObject(out, key, v);
    else
        eb_json_add_null(out, key, why != NULL ? why : "absent");
    return v;
}

static double known(double a, double b, double product)
{
    return a >= 0 && b >= 0 ? product : -1;
}

static void bandwidth_decode(const struct eb_bandwidth_in *in,
                             const struct eb_triad *t, const char *triad_reason,
                             cJSON *out)
{
    double batch = in->batch >= 1 ? in->batch : 1;
    double weights = in->weights_bytes > 0 ? in->weights_bytes / batch : -1;
    double rate = in->tokens_per_s > 0 ? in->tokens_per_s : -1;
    double kv, token, used, mbu = -1;
    const char *why;

    cJSON_AddNumberToObject(out, "batch", batch);
    why = in->weights_why;
    put(out, "weights_bytes_per_token", weights, why);
    kv = known(in->kv_bytes_per_position, in->depth,
               in->kv_bytes_per_position * in->depth);
    put(out, "kv_bytes_per_token", kv,
        "absent: the model's shape or the depth is not known");
    token = known(weights, kv, weights + kv);
    if (why == NULL)
        why = weights < 0 ? "absent: the size of the weights is not known"
                          : "absent: the model's shape or the depth is not "
                            "known";
    put(out, "bytes_per_token", token, why);
    put(out, "tokens_per_s", rate, "not measured");
    if (token >= 0)
        why = "not measured: no rate";
    used =
        put(out, "achieved_gbps", known(token, rate, token * rate / 1e9), why);
    if (used >= 0 && in->unlike != NULL)
        why = in->unlike;
    else if (used >= 0 && (t == NULL || t->best_gbps <= 0))
        why = triad_reason;
    else if (used >= 0 && eb_triad_why(t) != NULL)
        why = eb_triad_why(t);
    else if (used >= 0 && t->cpu_share < EB_TRIAD_CPU_SHARE_MIN)
        why = "out of range: other programs ran beside triad";
    else if (used >= 0)
        mbu = used / t->best_gbps;
    put(out, "mbu", mbu, why);
    /* A multiplication and an addition for each weight; attention's own
     * products are left out: they are few unless the depth is large. */
    put(out, "gflops",
        known(in->parameters, rate, 2 * in->parameters * rate / 1e9),
        in->weights_why != NULL ? in->weights_why
        : rate < 0              ? "not measured: no rate"
                                : "absent: parameters are not known");
}

cJSON *eb_bandwidth_record(const struct eb_bandwidth_in *in,
                           const struct eb_triad *triad,
                           const char *triad_reason)
{
    cJSON *out = cJSON_CreateObject();

    eb_triad_record(triad, triad_reason, out);
    bandwidth_decode(in, triad, triad_reason,
                     cJSON_AddObjectToObject(out, "decode"));
    return out;
}
