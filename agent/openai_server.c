#include "agent/openai_server.h"

#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"

#define SERVER_PRICES_BYTES (1u << 20)
#define SERVER_CTX_MAX 1e8
#define SERVER_SLOTS_MAX 4096
#define SERVER_SILENT "absent: the server does not tell"

static const cJSON *server_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

void eb_openai_server_free(struct eb_openai_server *s)
{
    free(s->model);
    cJSON_Delete(s->entry);
    cJSON_Delete(s->props);
    cJSON_Delete(s->price);
    memset(s, 0, sizeof(*s));
}

/* The list of models */

static int server_called(const cJSON *entry, const char *name)
{
    const cJSON *alias;

    if (strcmp(eb_json_get_str(entry, "id", ""), name) == 0)
        return 1;
    cJSON_ArrayForEach(alias, server_get(entry, "aliases"))
    {
        if (cJSON_IsString(alias) && strcmp(alias->valuestring, name) == 0)
            return 1;
    }
    return 0;
}

/* Two names are enough to see what kind of names they are. */
static int server_which(const cJSON *data, struct eb_err *err)
{
    int n = cJSON_GetArraySize(data);

    if (n == 0)
        return eb_fail(err, EB_EENGINE,
                       "the server lists no model: name it after #");
    return eb_fail(
        err, EB_EENGINE,
        "the server offers %d models (%.60s, %.60s ...): name one after #", n,
        eb_json_get_str(cJSON_GetArrayItem(data, 0), "id", "?"),
        eb_json_get_str(cJSON_GetArrayItem(data, 1), "id", "?"));
}

static int server_int(const cJSON *obj, const char *key, double max)
{
    double v = eb_json_get_num(obj, key, 0);

    return v >= 1 && v <= max ? (int)v : 0;
}

/* No standard names it: llama-server, vLLM, OpenRouter, LM Studio. */
static int server_ctx(const cJSON *entry)
{
    static const char *const keys[] = {"max_model_len", "context_length",
                                       "max_context_length"};
    int ctx = server_int(server_get(entry, "meta"), "n_ctx", SERVER_CTX_MAX);
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && ctx == 0; i++)
        ctx = server_int(entry, keys[i], SERVER_CTX_MAX);
    return ctx;
}

int eb_openai_server_pick(struct eb_openai_server *s, const cJSON *list,
                          const char *wanted, struct eb_err *err)
{
    const cJSON *data = server_get(list, "data"), *v, *entry = NULL;

    cJSON_ArrayForEach(v, data)
    {
        if (strcmp(eb_json_get_str(v, "owned_by", ""), "llamacpp") == 0)
            s->is_llama = 1;
        if (entry == NULL && *wanted != '\0' && server_called(v, wanted))
            entry = v;
    }
    if (*wanted == '\0') {
        if (cJSON_GetArraySize(data) != 1)
            return server_which(data, err);
        entry = cJSON_GetArrayItem(data, 0);
        wanted = eb_json_get_str(entry, "id", "");
    } else if (entry == NULL && s->is_llama) {
        /* It would answer with the model it has, whatever was asked for. */
        return eb_fail(
            err, EB_EENGINE, "the server has no model '%.60s' but '%.60s'",
            wanted,
            eb_json_get_str(cJSON_GetArrayItem(data, 0), "id", "others"));
    }
    s->model = eb_xstrdup(wanted);
    s->entry = entry != NULL ? cJSON_Duplicate(entry, 1) : NULL;
    s->ctx = server_ctx(entry);
    return 0;
}

void eb_openai_server_props(struct eb_openai_server *s, cJSON *props)
{
    int ctx = server_int(server_get(props, "default_generation_settings"),
                         "n_ctx", SERVER_CTX_MAX);

    cJSON_Delete(s->props);
    s->props = props;
    s->slots = server_int(props, "total_slots", SERVER_SLOTS_MAX);
    if (ctx > 0)
        s->ctx = ctx;
}

/* Prices */

static int server_check_price(const cJSON *price, const char *path,
                              const char *model, struct eb_err *err)
{
    struct eb_json_at at = {path, model};
    const char *text;
    double in, out;
    int rc = eb_json_num(price, "input_per_million", at, &in, err);

    if (rc == 0)
        rc = eb_json_num(price, "output_per_million", at, &out, err);
    if (rc == 0)
        rc = eb_json_str(price, "currency", at, &text, err);
    if (rc == 0)
        rc = eb_json_str(price, "source", at, &text, err);
    if (rc == 0)
        rc = eb_json_str(price, "date", at, &text, err);
    if (rc == 0 && (in < 0 || out < 0))
        rc =
            eb_fail(err, EB_EINVAL, "%s: %s: a price is negative", path, model);
    return rc;
}

int eb_openai_server_price(struct eb_openai_server *s, struct eb_err *err)
{
    static const char *const keys[] = {"input_per_million",
                                       "output_per_million", "currency",
                                       "source", "date"};
    const char *path = getenv("EDGEBENCH_PRICES");
    const cJSON *price;
    cJSON *all = NULL;
    size_t i;
    int rc;

    if (path == NULL || *path == '\0')
        return 0;
    rc = eb_json_read(path, SERVER_PRICES_BYTES, &all, err);
    price = rc == 0 ? server_get(all, s->model) : NULL;
    if (price != NULL)
        rc = server_check_price(price, path, s->model, err);
    if (rc == 0 && price != NULL) {
        s->price = cJSON_CreateObject();
        for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            cJSON_AddItemToObject(
                s->price, keys[i],
                cJSON_Duplicate(server_get(price, keys[i]), 1));
    }
    cJSON_Delete(all);
    return rc;
}

/* Facts */

static void server_number(cJSON *out, const char *key, const cJSON *from,
                          const char *name)
{
    double v = eb_json_get_num(from, name, -1);

    if (v >= 0)
        cJSON_AddNumberToObject(out, key, v);
    else
        eb_json_add_null(out, key, SERVER_SILENT);
}

static void server_text(cJSON *out, const char *key, const cJSON *from,
                        const char *name)
{
    const char *v = eb_json_get_str(from, name, NULL);

    if (v != NULL)
        cJSON_AddStringToObject(out, key, v);
    else
        eb_json_add_null(out, key, SERVER_SILENT);
}

static void server_template(const struct eb_openai_server *s, cJSON *out)
{
    const char *text = eb_json_get_str(s->props, "chat_template", "");
    char hex[EB_SHA256_HEX];

    if (*text == '\0') {
        eb_json_add_null(out, "chat_template_sha256", SERVER_SILENT);
        return;
    }
    eb_sha256(text, strlen(text), hex);
    cJSON_AddStringToObject(out, "chat_template_sha256", hex);
}

void eb_openai_server_facts(const struct eb_openai_server *s,
                            const char *served, cJSON *model)
{
    const cJSON *meta = server_get(s->entry, "meta");

    eb_json_add_null(model, "architecture", SERVER_SILENT);
    cJSON_AddStringToObject(model, "requested_model", s->model);
    if (*served != '\0')
        cJSON_AddStringToObject(model, "served_model", served);
    else
        eb_json_add_null(model, "served_model", SERVER_SILENT);
    server_number(model, "parameters", meta, "n_params");
    server_text(model, "quantization", meta, "ftype");
    server_number(model, "context_train", meta, "n_ctx_train");
    server_number(model, "weights_bytes", meta, "size");
    server_text(model, "owned_by", s->entry, "owned_by");
    server_text(model, "server_build", s->props, "build_info");
    server_template(s, model);
    cJSON_AddStringToObject(model, "constrained",
                            s->is_llama ? "gbnf" : "none");
    if (s->price != NULL)
        cJSON_AddItemToObject(model, "price", cJSON_Duplicate(s->price, 1));
    else
        eb_json_add_null(model, "price",
                         "absent: no line in the file of EDGEBENCH_PRICES");
}
