#include "agent/tune_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"

#define STORE_FILE_MAX (1u << 20)
#define STORE_BATCH_MAX 65536
#define STORE_DIGITS 16 /* of a hash in the name */

static const char *const store_attention[] = {"auto", "on", "off", NULL};
static const char *const store_cache[] = {"f16", "q8_0", NULL};

int eb_tune_digest(const char *model, char hex[EB_SHA256_HEX],
                   struct eb_err *err)
{
    const char *engine = eb_engine_for(model)->name;
    size_t n = strlen(engine);

    /* The fake engine's name stands for its file. */
    if (strncmp(model, "fake:", 5) == 0) {
        eb_sha256(model, strlen(model), hex);
        return 0;
    }
    if (strncmp(model, engine, n) == 0 && model[n] == ':')
        return eb_fail(err, EB_ENOENT,
                       "%s: only model files can be tuned, not what the "
                       "engine %s runs",
                       model, engine);
    return eb_sha256_file(model, hex, err);
}

void eb_tune_fingerprint(const cJSON *device, char out[EB_TUNE_FINGERPRINT])
{
    static const char *const parts[] = {"id", "cpu", "accelerators"};
    cJSON *v = eb_json_pick(device, parts, sizeof(parts) / sizeof(parts[0]));
    char hex[EB_SHA256_HEX];

    eb_json_sha256(v, hex);
    memcpy(out, hex, STORE_DIGITS);
    out[STORE_DIGITS] = '\0';
    cJSON_Delete(v);
}

int eb_tune_path(const cJSON *device, const char *model_sha256, char **path,
                 struct eb_err *err)
{
    char finger[EB_TUNE_FINGERPRINT];
    char *user = eb_fs_user("XDG_CONFIG_HOME", ".config");

    *path = NULL;
    if (user == NULL)
        return eb_fail(err, EB_ENOENT,
                       "no folder for tuned settings: set XDG_CONFIG_HOME");
    eb_tune_fingerprint(device, finger);
    *path = eb_xasprintf("%s/tune/%s-%.16s.json", user, finger, model_sha256);
    free(user);
    return 0;
}

cJSON *eb_tune_setting_json(const struct eb_tune_setting *s)
{
    cJSON *out = cJSON_CreateObject();
    char cpus[EB_CPUS_TEXT];

    cJSON_AddNumberToObject(out, "threads", s->threads);
    eb_cpus_text(&s->cpus, cpus);
    if (cpus[0] != '\0')
        cJSON_AddStringToObject(out, "cpus", cpus);
    else
        cJSON_AddNullToObject(out, "cpus");
    cJSON_AddNumberToObject(out, "batch", s->batch);
    cJSON_AddNumberToObject(out, "ubatch", s->ubatch);
    cJSON_AddStringToObject(out, "flash_attn", s->flash_attn);
    cJSON_AddStringToObject(out, "kv_type", s->kv_type);
    return out;
}

static cJSON *store_runtime(const char *model)
{
    const struct eb_engine_ops *ops = eb_engine_for(model);
    cJSON *out = cJSON_CreateObject();

    cJSON_AddStringToObject(out, "engine", ops->name);
    ops->runtime(out);
    return out;
}

cJSON *eb_tune_file(const cJSON *device, const char *model,
                    const char *model_sha256, const struct eb_tune_setting *s)
{
    cJSON *out = cJSON_CreateObject(), *v;
    char finger[EB_TUNE_FINGERPRINT];

    eb_tune_fingerprint(device, finger);
    cJSON_AddStringToObject(out, "schema", EB_TUNE_SCHEMA);
    cJSON_AddStringToObject(out, "device_fingerprint", finger);
    cJSON_AddItemToObject(out, "device", cJSON_Duplicate(device, 1));
    v = cJSON_AddObjectToObject(out, "model");
    cJSON_AddStringToObject(v, "file", eb_fs_base(model));
    cJSON_AddStringToObject(v, "sha256", model_sha256);
    cJSON_AddItemToObject(out, "runtime", store_runtime(model));
    cJSON_AddItemToObject(out, "settings", eb_tune_setting_json(s));
    return out;
}

int eb_tune_save(const char *path, const cJSON *file, struct eb_err *err)
{
    char *text = cJSON_Print(file);
    int rc;

    if (text == NULL)
        return eb_fail(err, EB_EINTERNAL, "the settings cannot be printed");
    rc = eb_fs_write_in_new(path, text, strlen(text), err);
    free(text);
    return rc;
}

/* Reading */

static int store_count(const cJSON *v, const char *key, struct eb_json_at at,
                       int max, int *out, struct eb_err *err)
{
    int64_t n;
    int rc = eb_json_int(v, key, at, &n, err);

    if (rc == 0 && (n < 1 || n > max))
        rc = eb_fail(err, EB_EINVAL, "%s: %s.%s: not from 1 to %d", at.where,
                     at.path, key, max);
    if (rc == 0)
        *out = (int)n;
    return rc;
}

/* One of the words, as our own copy. */
static int store_word(const cJSON *v, const char *key, struct eb_json_at at,
                      const char *const *words, const char **out,
                      struct eb_err *err)
{
    const char *text;
    int rc = eb_json_str(v, key, at, &text, err);

    for (; rc == 0 && *words != NULL; words++) {
        if (strcmp(text, *words) == 0) {
            *out = *words;
            return 0;
        }
    }
    return rc != 0 ? rc
                   : eb_fail(err, EB_EINVAL, "%s: %s.%s: '%.20s' is unknown",
                             at.where, at.path, key, text);
}

static int store_cpus(const cJSON *v, struct eb_json_at at, struct eb_cpus *out,
                      struct eb_err *err)
{
    const char *text;
    int rc;

    memset(out, 0, sizeof(*out));
    if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(v, "cpus")))
        return 0;
    rc = eb_json_str(v, "cpus", at, &text, err);
    if (rc == 0 && eb_cpus_parse(text, out) != 0)
        rc = eb_fail(err, EB_EINVAL, "%s: %s.cpus: '%.40s' is no list like 0-3",
                     at.where, at.path, text);
    return rc;
}

static int store_settings(const cJSON *file, const char *where,
                          struct eb_tune_setting *s, struct eb_err *err)
{
    struct eb_json_at at = {where, "$"}, in = {where, "$.settings"};
    const cJSON *v;
    int rc = eb_json_obj(file, "settings", at, &v, err);

    if (rc == 0)
        rc = store_count(v, "threads", in, EB_CPUS_MAX, &s->threads, err);
    if (rc == 0)
        rc = store_count(v, "batch", in, STORE_BATCH_MAX, &s->batch, err);
    if (rc == 0)
        rc = store_count(v, "ubatch", in, s->batch, &s->ubatch, err);
    if (rc == 0)
        rc = store_word(v, "flash_attn", in, store_attention, &s->flash_attn,
                        err);
    if (rc == 0)
        rc = store_word(v, "kv_type", in, store_cache, &s->kv_type, err);
    if (rc == 0)
        rc = store_cpus(v, in, &s->cpus, err);
    return rc;
}

static int store_same(const cJSON *obj, const char *key, struct eb_json_at at,
                      const char *wanted, struct eb_err *err)
{
    const char *text;
    int rc = eb_json_str(obj, key, at, &text, err);

    if (rc == 0 && strcmp(text, wanted) != 0)
        rc = eb_fail(err, EB_EINVAL, "%s: %s.%s: '%.20s...' is not '%.20s...'",
                     at.where, at.path, key, text, wanted);
    return rc;
}

static int store_check(const cJSON *file, const char *where,
                       const cJSON *device, const char *model_sha256,
                       struct eb_err *err)
{
    struct eb_json_at at = {where, "$"}, in = {where, "$.model"};
    char finger[EB_TUNE_FINGERPRINT];
    const cJSON *model;
    int rc = store_same(file, "schema", at, EB_TUNE_SCHEMA, err);

    eb_tune_fingerprint(device, finger);
    if (rc == 0)
        rc = store_same(file, "device_fingerprint", at, finger, err);
    if (rc == 0)
        rc = eb_json_obj(file, "model", at, &model, err);
    if (rc == 0)
        rc = store_same(model, "sha256", in, model_sha256, err);
    return rc;
}

static int store_other_build(const cJSON *file, const char *model)
{
    cJSON *now = store_runtime(model);
    char a[EB_SHA256_HEX], b[EB_SHA256_HEX];

    eb_json_sha256(now, a);
    eb_json_sha256(cJSON_GetObjectItemCaseSensitive(file, "runtime"), b);
    cJSON_Delete(now);
    return strcmp(a, b) != 0;
}

static void store_copy(const cJSON *from, const char *key, cJSON *to)
{
    cJSON_AddItemToObject(
        to, key,
        cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(from, key), 1));
}

/* The gain without the ratio of each pair. */
static cJSON *store_gain(const cJSON *gain)
{
    static const char *const keys[] = {"test", "ratio", "lo", "hi", "pairs"};
    cJSON *out, *row;
    const cJSON *v;
    size_t i;

    if (!cJSON_IsArray(gain))
        return cJSON_Duplicate(gain, 1);
    out = cJSON_CreateArray();
    cJSON_ArrayForEach(v, gain)
    {
        row = cJSON_CreateObject();
        for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            store_copy(v, keys[i], row);
        cJSON_AddItemToArray(out, row);
    }
    return out;
}

/* Checked as in a record: a run must not end with one that is refused. */
static int store_record(const cJSON *file, const struct eb_buf *text,
                        const char *where, cJSON **out, struct eb_err *err)
{
    static const char *const keys[] = {"created_at", "objective", "verdict"};
    const cJSON *gain = cJSON_GetObjectItemCaseSensitive(file, "gain");
    cJSON *v = cJSON_CreateObject();
    char hex[EB_SHA256_HEX];
    size_t i;
    int rc;

    eb_sha256(text->data, text->len, hex);
    cJSON_AddStringToObject(v, "file_sha256", hex);
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        store_copy(file, keys[i], v);
    if (gain == NULL || cJSON_IsNull(gain))
        eb_json_add_null(
            v, "gain",
            eb_json_get_str(file, "gain_reason", "absent: not in the file"));
    else
        cJSON_AddItemToObject(v, "gain", store_gain(gain));
    rc = eb_record_validate_tune(v, (struct eb_json_at){where, "$"}, err);
    if (rc == 0)
        *out = v;
    else
        cJSON_Delete(v);
    return rc;
}

static int store_read(const char *path, const cJSON *device, const char *model,
                      const char *model_sha256, struct eb_tuned *out,
                      struct eb_err *err)
{
    const char *where = eb_fs_base(path);
    struct eb_buf b = {0};
    cJSON *file = NULL;
    int rc = eb_fs_read(path, STORE_FILE_MAX, &b, err);

    if (rc == 0)
        rc = eb_json_parse(b.data, b.len, where, &file, err);
    if (rc == 0)
        rc = store_check(file, where, device, model_sha256, err);
    if (rc == 0)
        rc = store_settings(file, where, &out->s, err);
    if (rc == 0)
        rc = store_record(file, &b, where, &out->record, err);
    if (rc == 0)
        out->other_build = store_other_build(file, model);
    cJSON_Delete(file);
    eb_buf_free(&b);
    return rc;
}

int eb_tune_load(const cJSON *device, const char *model,
                 const char *model_sha256, struct eb_tuned *out,
                 struct eb_err *err)
{
    struct eb_err why = {0};
    char *path;
    int rc;

    memset(out, 0, sizeof(*out));
    rc = eb_tune_path(device, model_sha256, &path, err);
    if (rc != 0)
        return rc;
    rc = store_read(path, device, model, model_sha256, out, &why);
    if (rc == EB_ENOENT)
        eb_fail(err, rc,
                "%s: no tuned settings on this device; run edgebench tune -m "
                "%s",
                eb_fs_base(model), model);
    else if (rc != 0)
        eb_fail(err, rc, "%s; run edgebench tune again", why.msg);
    free(path);
    return rc;
}

void eb_tune_forget(struct eb_tuned *t)
{
    cJSON_Delete(t->record);
    t->record = NULL;
}

void eb_tune_apply(const struct eb_tune_setting *s,
                   struct eb_engine_settings *out)
{
    out->threads = s->threads;
    out->cpus = s->cpus;
    out->batch = s->batch;
    out->ubatch = s->ubatch;
    out->flash_attn = s->flash_attn;
    out->kv_type = s->kv_type;
}
