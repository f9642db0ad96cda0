#include "agent/llama_bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/speed_parts.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/stats.h"

#define BENCH_FILE_MAX (64 << 20)

/* Writing */

static const cJSON *bench_at(const cJSON *rec, const char *part,
                             const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(rec, part), key);
}

/* A copy of a member under llama-bench's name; null if there is none. */
static void bench_copy(cJSON *out, const char *name, const cJSON *v)
{
    if (v == NULL)
        cJSON_AddNullToObject(out, name);
    else
        cJSON_AddItemToObject(out, name, cJSON_Duplicate(v, 1));
}

static void bench_text(cJSON *out, const char *name, const char *text)
{
    if (text == NULL)
        cJSON_AddNullToObject(out, name);
    else
        cJSON_AddStringToObject(out, name, text);
}

/* As one text: "CPU,CUDA". */
static void bench_backends(const cJSON *rec, cJSON *out)
{
    const cJSON *v;
    struct eb_buf b = {0};

    cJSON_ArrayForEach(v, bench_at(rec, "runtime", "backends"))
    {
        if (cJSON_IsString(v))
            eb_buf_addf(&b, "%s%s", b.len > 0 ? "," : "", v->valuestring);
    }
    bench_text(out, "backends", b.len > 0 ? b.data : NULL);
    eb_buf_free(&b);
}

/* As one text, "" where there is none. */
static void bench_gpu(const cJSON *rec, cJSON *out)
{
    const cJSON *gpu = bench_at(rec, "device", "gpu"), *v,
                *all = bench_at(rec, "device", "accelerators");
    struct eb_buf b = {0};

    if (gpu != NULL || all == NULL) {
        bench_copy(out, "gpu_info", gpu);
        return;
    }
    eb_buf_adds(&b, "");
    cJSON_ArrayForEach(v, all)
    {
        eb_buf_addf(&b, "%s%s", b.len > 0 ? ", " : "",
                    eb_json_get_str(v, "name", "unknown"));
    }
    bench_text(out, "gpu_info", b.data);
    eb_buf_free(&b);
}

/* llama_flash_attn_type: auto -1, off 0, on 1. */
static void bench_flash(const cJSON *rec, cJSON *out)
{
    const cJSON *v = bench_at(rec, "model", "flash_attn");

    if (!cJSON_IsString(v))
        cJSON_AddNullToObject(out, "flash_attn");
    else
        cJSON_AddNumberToObject(out, "flash_attn",
                                strcmp(v->valuestring, "on") == 0    ? 1
                                : strcmp(v->valuestring, "off") == 0 ? 0
                                                                     : -1);
}

static void bench_model(const cJSON *rec, cJSON *out)
{
    const cJSON *cpu = bench_at(rec, "device", "cpu");
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(rec, "model");
    const char *arch, *quant, *known;
    char *type = NULL;

    bench_copy(out, "build_commit", bench_at(rec, "runtime", "commit"));
    bench_copy(out, "build_number", bench_at(rec, "runtime", "build_number"));
    bench_copy(out, "cpu_info", cJSON_GetObjectItemCaseSensitive(cpu, "model"));
    bench_gpu(rec, out);
    bench_backends(rec, out);
    bench_copy(out, "model_filename", bench_at(rec, "model", "file"));
    arch = eb_json_get_str(model, "architecture", NULL);
    quant = eb_json_get_str(model, "quantization", NULL);
    known = eb_json_get_str(model, "type", NULL);
    if (arch != NULL)
        type = eb_xasprintf("%s%s%s", arch, quant != NULL ? " " : "",
                            quant != NULL ? quant : "");
    bench_text(out, "model_type", known != NULL ? known : type);
    free(type);
    bench_copy(out, "model_size", bench_at(rec, "memory", "model_bytes"));
    bench_copy(out, "model_n_params", bench_at(rec, "model", "parameters"));
    bench_copy(out, "n_batch", bench_at(rec, "settings", "batch"));
    bench_copy(out, "n_ubatch", bench_at(rec, "settings", "ubatch"));
    bench_copy(out, "n_threads", bench_at(rec, "settings", "threads"));
    bench_flash(rec, out);
    bench_copy(out, "load_mode", bench_at(rec, "runtime", "load_mode"));
}

/* What edgebench leaves at the library's own choice and does not record is
 * null; an imported record kept it. */
static void bench_rest(const cJSON *rec, cJSON *out)
{
    static const char *const names[] = {"cpu_mask",
                                        "cpu_strict",
                                        "poll",
                                        "type_k",
                                        "type_v",
                                        "n_gpu_layers",
                                        "n_cpu_moe",
                                        "split_mode",
                                        "main_gpu",
                                        "no_kv_offload",
                                        "devices",
                                        "tensor_split",
                                        "tensor_buft_overrides",
                                        "lazy_mode",
                                        "embeddings",
                                        "no_op_offload",
                                        "no_host",
                                        "fit_target",
                                        "fit_min_ctx"};
    const cJSON *kept = bench_at(rec, "settings", "llama_bench"), *v;
    const cJSON *cache = cJSON_GetObjectItemCaseSensitive(
        bench_at(rec, "settings", "tuned"), "kv_type");
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        v = cJSON_GetObjectItemCaseSensitive(kept, names[i]);
        if (v == NULL && strncmp(names[i], "type_", 5) == 0)
            v = cache;
        bench_copy(out, names[i], v);
    }
    cJSON_ArrayForEach(v, kept)
    {
        if (!cJSON_HasObjectItem(out, v->string))
            bench_copy(out, v->string, v);
    }
}

static void bench_samples(const cJSON *row, double tokens, cJSON *out)
{
    const cJSON *samples = cJSON_GetObjectItemCaseSensitive(row, "samples_ns"),
                *v;
    size_t n = (size_t)cJSON_GetArraySize(samples), i = 0;
    double *ns = eb_xcalloc(n, sizeof(*ns)), *ts = eb_xcalloc(n, sizeof(*ts));
    cJSON *list;

    cJSON_ArrayForEach(v, samples)
    {
        ns[i] = v->valuedouble;
        ts[i] = tokens * 1e9 / ns[i];
        i++;
    }
    cJSON_AddNumberToObject(out, "avg_ns", floor(eb_stats_mean(ns, n)));
    cJSON_AddNumberToObject(out, "stddev_ns",
                            n > 1 ? floor(eb_stats_sd(ns, n)) : 0);
    cJSON_AddNumberToObject(out, "avg_ts", eb_stats_mean(ts, n));
    cJSON_AddNumberToObject(out, "stddev_ts", n > 1 ? eb_stats_sd(ts, n) : 0);
    cJSON_AddItemToObject(out, "samples_ns", cJSON_Duplicate(samples, 1));
    list = cJSON_AddArrayToObject(out, "samples_ts");
    for (i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(ts[i]));
    free(ns);
    free(ts);
}

static cJSON *bench_test(const cJSON *rec, const cJSON *row)
{
    double n_prompt = eb_json_get_num(row, "n_prompt", 0);
    double n_gen = eb_json_get_num(row, "n_gen", 0);
    cJSON *out = cJSON_CreateObject();
    const char *at = eb_json_get_str(row, "test_time", NULL);
    char time[EB_TIME_LEN + 8];

    bench_model(rec, out);
    bench_rest(rec, out);
    cJSON_AddNumberToObject(out, "n_prompt", n_prompt);
    cJSON_AddNumberToObject(out, "n_gen", n_gen);
    cJSON_AddNumberToObject(out, "n_depth", eb_json_get_num(row, "depth", 0));
    /* Its times have no fraction of a second. */
    snprintf(time, sizeof(time), "%.19sZ",
             at != NULL ? at : eb_json_get_str(rec, "started_at", ""));
    cJSON_AddStringToObject(out, "test_time", time);
    bench_samples(row, n_prompt + n_gen, out);
    return out;
}

void eb_llama_bench_write(cJSON *const *recs, size_t n, FILE *out)
{
    cJSON *all = cJSON_CreateArray();
    const cJSON *row;
    char *text;
    size_t i;

    for (i = 0; i < n; i++) {
        cJSON_ArrayForEach(row,
                           cJSON_GetObjectItemCaseSensitive(recs[i], "speed"))
        {
            if (cJSON_GetArraySize(
                    cJSON_GetObjectItemCaseSensitive(row, "samples_ns")) > 0 &&
                eb_json_get_num(row, "batch", 1) == 1)
                cJSON_AddItemToArray(all, bench_test(recs[i], row));
        }
    }
    text = cJSON_Print(all);
    fprintf(out, "%s\n", text != NULL ? text : "[]");
    free(text);
    cJSON_Delete(all);
}

/* Reading */

/* What each test has of its own. */
static const char *const bench_own[] = {
    "n_prompt",  "n_gen",     "n_depth",    "test_time",  "avg_ns", "avg_ts",
    "stddev_ns", "stddev_ts", "samples_ns", "samples_ts", NULL};
/* What has a name of its own in a record. */
static const char *const bench_shared[] = {
    "build_commit",   "build_number", "cpu_info",   "gpu_info",
    "backends",       "model_type",   "model_size", "model_filename",
    "model_n_params", "n_batch",      "n_ubatch",   "n_threads",
    "flash_attn",     "load_mode",    NULL};

static int bench_is(const char *name, const char *const *list)
{
    while (*list != NULL && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

/* Tests of one model and the same settings make a record. */
static void bench_key(const cJSON *test, char hex[EB_SHA256_HEX])
{
    cJSON *copy = cJSON_Duplicate(test, 1);
    size_t i;

    for (i = 0; bench_own[i] != NULL; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(copy, bench_own[i]);
    eb_json_sha256(copy, hex);
    cJSON_Delete(copy);
}

static void bench_device(const cJSON *test, cJSON *rec)
{
    const char *cpu = eb_json_get_str(test, "cpu_info", "unknown processor");
    const char *gpu = eb_json_get_str(test, "gpu_info", NULL);
    cJSON *out = cJSON_AddObjectToObject(rec, "device"), *v;
    char hex[EB_SHA256_HEX];
    struct eb_buf b = {0};

    eb_buf_addf(&b, "llama-bench %s %s", cpu, gpu != NULL ? gpu : "");
    eb_sha256(b.data, b.len, hex);
    eb_buf_free(&b);
    hex[16] = '\0';
    cJSON_AddStringToObject(out, "id", hex);
    cJSON_AddStringToObject(out, "id_source", "llama-bench cpu_info, gpu_info");
    cJSON_AddStringToObject(out, "name", *cpu != '\0' ? cpu : "unknown");
    v = cJSON_AddObjectToObject(out, "cpu");
    cJSON_AddStringToObject(v, "model", cpu);
    if (gpu != NULL)
        cJSON_AddStringToObject(out, "gpu", gpu);
}

/* Files from before there was a list of backends have a flag for each. */
static void bench_flags(const cJSON *test, cJSON *list)
{
    static const struct {
        const char *flag, *name;
    } all[] = {{"cuda", "CUDA"},   {"vulkan", "Vulkan"}, {"kompute", "Kompute"},
               {"metal", "Metal"}, {"sycl", "SYCL"},     {"rpc", "RPC"},
               {"blas", "BLAS"}};
    int told = 0;
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(test, all[i].flag);

        told |= cJSON_IsBool(v);
        if (cJSON_IsTrue(v))
            cJSON_AddItemToArray(list, cJSON_CreateString(all[i].name));
    }
    if (told && cJSON_GetArraySize(list) == 0)
        cJSON_AddItemToArray(list, cJSON_CreateString("CPU"));
}

static void bench_runtime(const cJSON *test, cJSON *rec)
{
    cJSON *out = cJSON_AddObjectToObject(rec, "runtime"), *list;
    const char *names = eb_json_get_str(test, "backends", "");
    double number = eb_json_get_num(test, "build_number", NAN);
    size_t n;
    char *text;

    cJSON_AddStringToObject(out, "engine", "llama-bench");
    text = eb_xasprintf("b%.0f", number);
    if (isnan(number))
        eb_json_add_null(out, "version", "absent");
    else
        cJSON_AddStringToObject(out, "version", text);
    free(text);
    bench_copy(out, "build_number",
               cJSON_GetObjectItemCaseSensitive(test, "build_number"));
    cJSON_AddStringToObject(out, "commit",
                            eb_json_get_str(test, "build_commit", ""));
    list = cJSON_AddArrayToObject(out, "backends");
    for (; *names != '\0'; names += n + (names[n] == ',')) {
        n = strcspn(names, ",");
        text = eb_xstrndup(names, n);
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
        free(text);
    }
    if (cJSON_GetArraySize(list) == 0)
        bench_flags(test, list);
    bench_copy(out, "load_mode",
               cJSON_GetObjectItemCaseSensitive(test, "load_mode"));
}

/* -1, 0 or 1; in older files a boolean. NULL: not told. */
static const char *bench_to_flash(const cJSON *test)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(test, "flash_attn");

    if (cJSON_IsBool(v))
        return cJSON_IsTrue(v) ? "on" : "off";
    if (!cJSON_IsNumber(v))
        return NULL;
    return v->valuedouble < 0 ? "auto" : v->valuedouble > 0 ? "on" : "off";
}

static void bench_to_model(const cJSON *test, cJSON *rec)
{
    const char *file = eb_fs_base(eb_json_get_str(test, "model_filename", "")),
               *flash = bench_to_flash(test);
    double n = eb_json_get_num(test, "model_n_params", NAN);
    cJSON *out = cJSON_AddObjectToObject(rec, "model"), *memory;
    size_t len = strlen(file);
    char *name = eb_xstrndup(
        file, len > 5 && !strcmp(file + len - 5, ".gguf") ? len - 5 : len);

    cJSON_AddStringToObject(out, "name", *name != '\0' ? name : "unknown");
    cJSON_AddStringToObject(out, "file", file);
    eb_json_add_null(out, "sha256", "absent: not in llama-bench's output");
    if (isnan(n))
        eb_json_add_null(out, "parameters", "absent");
    else
        cJSON_AddNumberToObject(out, "parameters", n);
    cJSON_AddStringToObject(out, "type",
                            eb_json_get_str(test, "model_type", ""));
    eb_json_add_null(out, "file_bytes", "absent: not in llama-bench's output");
    if (flash != NULL)
        cJSON_AddStringToObject(out, "flash_attn", flash);
    memory = cJSON_AddObjectToObject(rec, "memory");
    bench_copy(memory, "model_bytes",
               cJSON_GetObjectItemCaseSensitive(test, "model_size"));
    free(name);
}

/* What the file gives beyond the shared names stays under "llama_bench". */
static void bench_to_settings(const cJSON *test, cJSON *rec)
{
    cJSON *out = cJSON_AddObjectToObject(rec, "settings"), *more;
    const cJSON *v;

    cJSON_AddStringToObject(out, "prompt", "clear");
    cJSON_AddStringToObject(out, "mode", "latency");
    bench_copy(out, "threads",
               cJSON_GetObjectItemCaseSensitive(test, "n_threads"));
    bench_copy(out, "batch", cJSON_GetObjectItemCaseSensitive(test, "n_batch"));
    bench_copy(out, "ubatch",
               cJSON_GetObjectItemCaseSensitive(test, "n_ubatch"));
    more = cJSON_AddObjectToObject(out, "llama_bench");
    cJSON_ArrayForEach(v, test)
    {
        if (!bench_is(v->string, bench_own) &&
            !bench_is(v->string, bench_shared))
            bench_copy(more, v->string, v);
    }
}

static cJSON *bench_record(const cJSON *test, const cJSON *device,
                           const char *session)
{
    cJSON *rec = cJSON_CreateObject(), *v;
    const char *time = eb_json_get_str(test, "test_time", NULL);
    char id[EB_UUID_LEN], now[EB_TIME_LEN], hex[EB_SHA256_HEX];

    eb_uuid7(id);
    eb_time_format(eb_clock_wall_us(), now);
    cJSON_AddStringToObject(rec, "schema", EB_RECORD_SCHEMA);
    cJSON_AddStringToObject(rec, "run_id", id);
    cJSON_AddStringToObject(rec, "session_id", session);
    cJSON_AddStringToObject(rec, "started_at", time != NULL ? time : now);
    cJSON_AddStringToObject(rec, "ended_at", time != NULL ? time : now);
    cJSON_AddStringToObject(rec, "status", "complete");
    cJSON_AddNullToObject(rec, "status_reason");
    v = cJSON_AddObjectToObject(rec, "tool");
    cJSON_AddStringToObject(v, "name", "edgebench");
    cJSON_AddStringToObject(v, "version", EB_VERSION);
    if (device != NULL)
        cJSON_AddItemToObject(rec, "device", cJSON_Duplicate(device, 1));
    else
        bench_device(test, rec);
    bench_runtime(test, rec);
    bench_to_model(test, rec);
    v = cJSON_AddObjectToObject(rec, "suite");
    cJSON_AddStringToObject(v, "name", "speed");
    cJSON_AddStringToObject(v, "version", "llama-bench");
    cJSON_AddStringToObject(v, "digest", "llama-bench");
    bench_to_settings(test, rec);
    v = cJSON_AddArrayToObject(rec, "levels");
    eb_json_sha256(v, hex);
    cJSON_AddStringToObject(rec, "bars_sha256", hex);
    cJSON_AddArrayToObject(rec, "speed");
    cJSON_AddArrayToObject(rec, "items");
    return rec;
}

static int bench_row(const cJSON *test, cJSON *rec, struct eb_json_at at,
                     struct eb_err *err)
{
    cJSON *rows = cJSON_GetObjectItemCaseSensitive(rec, "speed"), *row;
    const char *time = eb_json_get_str(test, "test_time", NULL);
    const cJSON *samples;
    int64_t n_prompt, n_gen;
    double depth = eb_json_get_num(test, "n_depth", 0);
    struct eb_bench_shape s = {.batch = 1};
    char name[EB_SPEED_NAME];
    int rc = eb_json_int(test, "n_prompt", at, &n_prompt, err);

    if (rc == 0)
        rc = eb_json_int(test, "n_gen", at, &n_gen, err);
    if (rc == 0)
        rc = eb_json_arr(test, "samples_ns", at, &samples, err);
    if (rc != 0)
        return rc;
    if (n_prompt < 0 || n_gen < 0 || n_prompt + n_gen < 1 ||
        n_prompt > 1 << 28 || n_gen > 1 << 28 || depth < 0 || depth > 1 << 28)
        return eb_fail(err, EB_EINVAL,
                       "%s: %s: expected numbers of tokens in n_prompt, n_gen "
                       "and n_depth",
                       at.where, at.path);
    s.n_prompt = (int)n_prompt;
    s.n_gen = (int)n_gen;
    s.depth = (int)depth;
    eb_speed_name(&s, name);
    row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "test", name);
    cJSON_AddNumberToObject(row, "n_prompt", s.n_prompt);
    cJSON_AddNumberToObject(row, "n_gen", s.n_gen);
    cJSON_AddNumberToObject(row, "depth", s.depth);
    cJSON_AddNumberToObject(row, "batch", 1);
    cJSON_AddItemToObject(row, "samples_ns", cJSON_Duplicate(samples, 1));
    if (time != NULL)
        cJSON_AddStringToObject(row, "test_time", time);
    cJSON_AddItemToArray(rows, row);
    return 0;
}

/* -o json is one array, -o jsonl an object a line; as one array. */
static int bench_parse(const char *path, cJSON **out, struct eb_err *err)
{
    struct eb_buf b = {0};
    char *line, *save = NULL, *where;
    int rc = eb_fs_read(path, BENCH_FILE_MAX, &b, err), n = 0;
    cJSON *v;

    *out = NULL;
    if (rc != 0)
        goto out;
    if (b.len > 0 && b.data[strspn(b.data, " \t\r\n")] == '[') {
        rc = eb_json_parse(b.data, b.len, path, out, err);
        goto out;
    }
    *out = cJSON_CreateArray();
    for (line = strtok_r(b.len > 0 ? b.data : "", "\n", &save);
         line != NULL && rc == 0; line = strtok_r(NULL, "\n", &save)) {
        n++;
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        where = eb_xasprintf("%s: test %d", path, n);
        rc = eb_json_parse(line, strlen(line), where, &v, err);
        free(where);
        if (rc == 0)
            cJSON_AddItemToArray(*out, v);
    }
out:
    eb_buf_free(&b);
    return rc;
}

struct bench_list {
    cJSON **v;
    char (*keys)[EB_SHA256_HEX];
    size_t n;
};

/* The record that the test belongs to, new if it is the first. */
static cJSON *bench_find(struct bench_list *l, const cJSON *test,
                         const cJSON *device, const char *session)
{
    char key[EB_SHA256_HEX];
    size_t i;

    bench_key(test, key);
    for (i = 0; i < l->n; i++) {
        if (strcmp(l->keys[i], key) == 0)
            return l->v[i];
    }
    l->v = eb_xrealloc(l->v, l->n + 1, sizeof(*l->v));
    l->keys = eb_xrealloc(l->keys, l->n + 1, sizeof(*l->keys));
    memcpy(l->keys[l->n], key, sizeof(key));
    l->v[l->n] = bench_record(test, device, session);
    return l->v[l->n++];
}

int eb_llama_bench_read(const char *path, const cJSON *device, cJSON ***recs,
                        size_t *n, struct eb_err *err)
{
    struct bench_list l = {0};
    cJSON *tests = NULL, *rec;
    const cJSON *test;
    char session[EB_UUID_LEN], at[48];
    size_t i = 0;
    int rc = bench_parse(path, &tests, err);

    eb_uuid7(session);
    cJSON_ArrayForEach(test, tests)
    {
        if (rc != 0)
            break;
        snprintf(at, sizeof(at), "$[%zu]", i++);
        if (!cJSON_IsObject(test)) {
            rc =
                eb_fail(err, EB_EINVAL, "%s: %s: expected an object", path, at);
            break;
        }
        rec = bench_find(&l, test, device, session);
        rc = bench_row(test, rec, (struct eb_json_at){path, at}, err);
    }
    if (rc == 0 && l.n == 0)
        rc = eb_fail(err, EB_EINVAL, "%s: no test in it", path);
    for (i = 0; i < l.n && rc == 0; i++) {
        rc = eb_record_validate(l.v[i], path, err);
        if (rc == 0)
            eb_record_derive(l.v[i]);
    }
    cJSON_Delete(tests);
    free(l.keys);
    if (rc != 0) {
        eb_record_list_free(l.v, l.n);
        return rc;
    }
    *recs = l.v;
    *n = l.n;
    return 0;
}
