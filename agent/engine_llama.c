/* llama.cpp in process: opening, facts, prompts. */
#ifdef EB_HAVE_LLAMA

#include "agent/engine_llama.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fs.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"

/* llama_decode's answer when the abort callback ended it. */
#define LLAMA_DECODE_ABORTED 2
#define LLAMA_TEMPLATE_GROWTH 4096
/* Cells for the own tokens of each further slot, behind a shared prefix. */
#define LLAMA_SLOT_CELLS 512

/* The last complaint of the library: the cause of a failed load. */
static char llama_said[192];

/* The library's account of its buffers, as it tells while it opens a model;
 * the C API has no question for it (the C++ one is not installed). */
static double llama_weights, llama_cache, llama_compute;

/* "llama_kv_cache:        CPU KV buffer size =    12.00 MiB" */
static void llama_hear_buffer(const char *text)
{
    static const struct {
        const char *what;
        double *sum;
    } kinds[] = {{" model buffer size =", &llama_weights},
                 {" KV buffer size =", &llama_cache},
                 {" RS buffer size =", &llama_cache},
                 {" compute buffer size =", &llama_compute},
                 {" output buffer size =", &llama_compute}};
    const char *at;
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        at = strstr(text, kinds[i].what);
        if (at != NULL)
            *kinds[i].sum +=
                atof(at + strlen(kinds[i].what)) * (1 << 20); /* MiB */
    }
}

static void llama_hear(enum ggml_log_level level, const char *text, void *arg)
{
    const char *colon;
    size_t n;

    (void)arg;
    if (level == GGML_LOG_LEVEL_INFO)
        llama_hear_buffer(text);
    if (level != GGML_LOG_LEVEL_ERROR)
        return;
    /* "llama_model_load: error loading model: cause\n": the first part says
     * nothing to the reader, and later lines only that it failed. */
    colon = strstr(text, "error loading model: ");
    if (colon != NULL)
        text = colon + strlen("error loading model: ");
    else if (llama_said[0] != '\0')
        return;
    else if ((colon = strstr(text, ": ")) != NULL)
        text = colon + 2;
    n = strcspn(text, "\n");
    snprintf(llama_said, sizeof(llama_said), "%.*s", (int)n, text);
}

static bool llama_stop(void *arg)
{
    const struct llama *l = arg;

    return l->settings.stop != NULL && l->settings.stop(l->settings.stop_arg);
}

static void llama_setup(void)
{
    static int done;

    if (done)
        return;
    done = 1;
    llama_log_set(llama_hear, NULL);
    llama_backend_init();
}

/* Opening */

static int llama_check_file(const char *path, struct eb_err *err)
{
    char magic[4] = {0};
    struct stat st;
    FILE *f = fopen(path, "rb");
    size_t n;

    if (f == NULL)
        return eb_fail(err, eb_code_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(f);
        return eb_fail(err, EB_EENGINE, "%s: is a folder, no GGUF file", path);
    }
    n = fread(magic, 1, sizeof(magic), f);
    fclose(f);
    if (n != sizeof(magic) || memcmp(magic, "GGUF", 4) != 0)
        return eb_fail(err, EB_EENGINE, "%s: no GGUF file", path);
    return 0;
}

static int llama_check_settings(const struct eb_engine_settings *s,
                                struct eb_err *err)
{
    const char *kv = s->kv_type != NULL ? s->kv_type : "f16";
    cpu_set_t may;
    int i;

    if (strcmp(kv, "f16") != 0 && strcmp(kv, "q8_0") != 0)
        return eb_fail(err, EB_EENGINE, "a KV cache of '%.20s' is not known",
                       kv);
    if (strcmp(kv, "f16") != 0 && s->flash_attn != NULL &&
        strcmp(s->flash_attn, "off") == 0)
        return eb_fail(err, EB_EENGINE,
                       "a KV cache of %s needs flash attention", kv);
    if (sched_getaffinity(0, sizeof(may), &may) != 0)
        return 0;
    for (i = 0; i < EB_CPUS_MAX; i++) {
        if (eb_cpus_has(&s->cpus, i) && !CPU_ISSET((size_t)i, &may))
            return eb_fail(err, EB_EENGINE,
                           "this process may not use processor %d", i);
    }
    return 0;
}

static int llama_open_model(struct llama *l, const char *path,
                            struct eb_err *err)
{
    struct llama_model_params mp = llama_model_default_params();

    mp.load_mode = LLAMA_LOAD_MODE_MMAP;
    llama_said[0] = '\0';
    l->model = llama_model_load_from_file(path, mp);
    if (l->model == NULL)
        return eb_fail(err, EB_EENGINE, "%s: cannot be loaded: %s", path,
                       llama_said[0] != '\0' ? llama_said : "cause unknown");
    l->vocab = llama_model_get_vocab(l->model);
    l->n_vocab = llama_vocab_n_tokens(l->vocab);
    if (!llama_model_has_decoder(l->model) ||
        llama_model_has_encoder(l->model) || llama_model_is_diffusion(l->model))
        return eb_fail(err, EB_EENGINE,
                       "%s: the model does not write text token by token",
                       path);
    if (llama_vocab_type(l->vocab) == LLAMA_VOCAB_TYPE_NONE)
        return eb_fail(err, EB_EENGINE, "%s: the model has no vocabulary",
                       path);
    return 0;
}

/* One long prompt and many short ones behind a shared prefix, or all long
 * ones in turn: the slots wait for room. */
static int llama_cells(int ctx, int slots)
{
    int own = ctx < LLAMA_SLOT_CELLS ? ctx : LLAMA_SLOT_CELLS;

    return slots == 1 ? ctx : 2 * ctx + slots * own;
}

static int llama_quantized(const struct llama *l)
{
    return l->settings.kv_type != NULL &&
           strcmp(l->settings.kv_type, "f16") != 0;
}

/* Then the library puts all layers there. */
static int llama_accelerated(void)
{
    return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) != NULL ||
           ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_IGPU) != NULL;
}

/* Those boards; they live as long as the library. One without an id cannot be
 * told from others. */
static void llama_gpus(struct eb_engine *e)
{
    struct ggml_backend_dev_props props;
    size_t i;

    e->gpus_known = 1;
    for (i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t dev = ggml_backend_dev_get(i);
        enum ggml_backend_dev_type type = ggml_backend_dev_type(dev);

        if (type != GGML_BACKEND_DEVICE_TYPE_GPU &&
            type != GGML_BACKEND_DEVICE_TYPE_IGPU)
            continue;
        ggml_backend_dev_get_props(dev, &props);
        if (props.device_id == NULL || e->n_gpus == EB_ENGINE_GPUS_MAX)
            e->gpus_known = 0;
        else
            e->gpus[e->n_gpus++] = props.device_id;
    }
}

/* Flash attention of the CPU back end reads the cache row by row: with 800
 * tokens in it a reply took twice as long (README, "Flash attention"). With
 * an accelerator, llama.cpp decides. A quantised cache cannot do without. */
static void llama_set_attention(struct llama *l,
                                struct llama_context_params *cp)
{
    const char *want = l->settings.flash_attn;

    if (want == NULL || strcmp(want, "auto") == 0)
        want = llama_quantized(l) ? "on" : llama_accelerated() ? "auto" : "off";
    cp->flash_attn_type =
        strcmp(want, "on") == 0    ? LLAMA_FLASH_ATTN_TYPE_ENABLED
        : strcmp(want, "off") == 0 ? LLAMA_FLASH_ATTN_TYPE_DISABLED
                                   : LLAMA_FLASH_ATTN_TYPE_AUTO;
    l->base.flash_attn = want;
}

/* Threads that stay: without a pool of the caller's the library (built without
 * OpenMP) starts and joins its threads for every pass, each token. */
static void llama_open_threads(struct llama *l)
{
    struct ggml_threadpool_params tp =
        ggml_threadpool_params_default(l->settings.threads);
    int i;

    if (eb_cpus_count(&l->settings.cpus) > 0) {
        /* The library pins the calling thread too and leaves it so. */
        l->pinned = sched_getaffinity(0, sizeof(l->before), &l->before) == 0;
        for (i = 0; i < GGML_MAX_N_THREADS && i < EB_CPUS_MAX; i++)
            tp.cpumask[i] = eb_cpus_has(&l->settings.cpus, i);
    }
    l->threads = ggml_threadpool_new(&tp);
}

struct llama_context_params llama_context_wanted(struct llama *l, int cells,
                                                 int sequences)
{
    struct llama_context_params cp = llama_context_default_params();

    cp.n_ctx = (uint32_t)cells;
    cp.n_batch = (uint32_t)l->settings.batch;
    cp.n_ubatch = (uint32_t)l->settings.ubatch;
    cp.n_seq_max = (uint32_t)sequences;
    /* Sequences share cells. For one it would only cost: llama_decode then
     * checks all pairs of 256 sequences, 0.1 ms a token (llama-batch.cpp). */
    cp.kv_unified = sequences > 1;
    cp.swa_full = true;
    llama_set_attention(l, &cp);
    if (llama_quantized(l))
        cp.type_k = cp.type_v = GGML_TYPE_Q8_0;
    cp.n_threads = l->settings.threads;
    cp.n_threads_batch = l->settings.threads;
    cp.abort_callback = llama_stop;
    cp.abort_callback_data = l;
    return cp;
}

struct llama_context *llama_new_context(struct llama *l, int cells,
                                        int sequences)
{
    llama_said[0] = '\0';
    return llama_init_from_model(l->model,
                                 llama_context_wanted(l, cells, sequences));
}

int llama_context_need(struct llama *l, struct eb_err *err)
{
    if (l->ctx != NULL)
        return 0;
    l->ctx = llama_new_context(l, l->cells,
                               l->base.slots == 1 ? 1 : l->base.slots + 1);
    if (l->ctx == NULL)
        return eb_fail(err, EB_EENGINE,
                       "%s: no context of %d tokens could be made: %s", l->path,
                       l->cells,
                       llama_said[0] != '\0' ? llama_said : "no memory");
    if (l->threads != NULL)
        llama_attach_threadpool(l->ctx, l->threads, NULL);
    return 0;
}

void llama_context_drop(struct llama *l)
{
    if (l->ctx != NULL)
        llama_free(l->ctx);
    l->ctx = NULL;
    llama_slots_forget(l);
}

static int llama_open_context(struct llama *l, struct eb_err *err)
{
    int train = llama_model_n_ctx_train(l->model), ctx = l->settings.ctx, rc;

    if (train > 0 && train < ctx)
        ctx = train;
    /* A recurrent state is one per sequence and cannot be shared in part. */
    l->base.slots =
        llama_model_is_recurrent(l->model) || llama_model_is_hybrid(l->model)
            ? 1
            : l->settings.slots;
    l->cells = llama_cells(ctx, l->base.slots);
    llama_open_threads(l);
    rc = llama_context_need(l, err);
    if (rc != 0)
        return rc;
    llama_gpus(&l->base);
    /* The library rounds up for its own ends; the model was asked for ctx. */
    l->base.ctx = ctx;
    l->settings.batch = (int)llama_n_batch(l->ctx);
    return 0;
}

static void llama_open_slots(struct llama *l)
{
    size_t places = (size_t)l->base.ctx + 1;
    int i;

    l->slots = eb_xcalloc((size_t)l->base.slots, sizeof(*l->slots));
    for (i = 0; i < l->base.slots; i++)
        l->slots[i].tokens = eb_xcalloc(places, sizeof(llama_token));
    l->prefix = eb_xcalloc(places, sizeof(*l->prefix));
    l->fresh = eb_xcalloc(places, sizeof(*l->fresh));
    l->candidates = eb_xcalloc((size_t)l->n_vocab, sizeof(*l->candidates));
    l->batch = llama_batch_init(l->settings.batch, 0, 1);
}

static void llama_close_slots(struct llama *l)
{
    int i;

    for (i = 0; l->slots != NULL && i < l->base.slots; i++) {
        llama_sampler_free(l->slots[i].grammar);
        free(l->slots[i].grammar_text);
        free(l->slots[i].tokens);
    }
    if (l->slots != NULL)
        llama_batch_free(l->batch);
    free(l->slots);
    free(l->prefix);
    free(l->fresh);
    free(l->candidates);
}

static void llama_close(struct eb_engine *e)
{
    struct llama *l = (struct llama *)e;

    llama_close_slots(l);
    llama_bench_close(l);
    if (l->ctx != NULL)
        llama_free(l->ctx);
    if (l->threads != NULL)
        ggml_threadpool_free(l->threads);
    if (l->pinned)
        sched_setaffinity(0, sizeof(l->before), &l->before);
    if (l->model != NULL)
        llama_model_free(l->model);
    free(l->path);
    free(l);
}

static int llama_open(const char *path, const struct eb_engine_settings *s,
                      struct eb_engine **out, struct eb_err *err)
{
    struct llama *l;
    int rc;

    *out = NULL;
    llama_setup();
    rc = llama_check_file(path, err);
    if (rc == 0)
        rc = llama_check_settings(s, err);
    if (rc != 0)
        return rc;
    l = eb_xcalloc(1, sizeof(*l));
    l->base.ops = &eb_engine_llama;
    l->path = eb_xstrdup(path);
    l->settings = *s;
    l->random = 1;
    llama_weights = llama_cache = llama_compute = 0;
    rc = llama_open_model(l, path, err);
    if (rc == 0)
        rc = llama_open_context(l, err);
    if (rc != 0) {
        llama_close(&l->base);
        return rc;
    }
    llama_open_slots(l);
    l->weights_bytes = llama_weights;
    l->cache_bytes = llama_cache;
    l->compute_bytes = llama_compute;
    *out = &l->base;
    return 0;
}

/* Facts */

static void llama_runtime(cJSON *out)
{
    cJSON *backends;
    size_t i;

    llama_setup();
    cJSON_AddStringToObject(out, "version", llama_version());
    cJSON_AddStringToObject(out, "commit", ggml_commit());
    cJSON_AddStringToObject(out, "ggml_version", ggml_version());
    backends = cJSON_AddArrayToObject(out, "backends");
    for (i = 0; i < ggml_backend_reg_count(); i++)
        cJSON_AddItemToArray(backends, cJSON_CreateString(ggml_backend_reg_name(
                                           ggml_backend_reg_get(i))));
    cJSON_AddStringToObject(out, "features", llama_print_system_info());
    cJSON_AddStringToObject(out, "load_mode", "mmap");
#ifdef EB_LLAMA_FLAGS
    cJSON_AddStringToObject(out, "build_flags", EB_LLAMA_FLAGS);
#endif
}

/* To a hundredth of a MiB, as the library tells them. */
static void llama_account(cJSON *memory, const char *key, double bytes)
{
    if (bytes > 0)
        cJSON_AddNumberToObject(memory, key, round(bytes));
    else
        eb_json_add_null(memory, key, "unsupported: not told by the library");
}

static void llama_facts(struct eb_engine *e, cJSON *model, cJSON *memory)
{
    struct llama *l = (struct llama *)e;
    const char *template = llama_model_chat_template(l->model, NULL);
    char text[128], hex[EB_SHA256_HEX];

    if (llama_model_meta_val_str(l->model, "general.architecture", text,
                                 sizeof(text)) >= 0)
        cJSON_AddStringToObject(model, "architecture", text);
    if (llama_model_meta_val_str(l->model, "general.name", text,
                                 sizeof(text)) >= 0)
        cJSON_AddStringToObject(model, "title", text);
    cJSON_AddNumberToObject(model, "parameters",
                            (double)llama_model_n_params(l->model));
    cJSON_AddStringToObject(model, "quantization",
                            llama_ftype_name(llama_model_ftype(l->model)));
    cJSON_AddNumberToObject(model, "context_train",
                            llama_model_n_ctx_train(l->model));
    if (template == NULL) {
        cJSON_AddNullToObject(model, "chat_template_sha256");
        cJSON_AddStringToObject(model, "chat_template_sha256_reason",
                                "absent: chatml was used");
    } else {
        eb_sha256(template, strlen(template), hex);
        cJSON_AddStringToObject(model, "chat_template_sha256", hex);
    }
    llama_shape(l, model);
    cJSON_AddStringToObject(model, "weights_in",
                            llama_accelerated() ? "accelerator" : "memory");
    cJSON_AddNumberToObject(memory, "model_bytes",
                            (double)llama_model_size(l->model));
    llama_account(memory, "weights_bytes", l->weights_bytes);
    llama_account(memory, "context_bytes", l->cache_bytes);
    llama_account(memory, "compute_bytes", l->compute_bytes);
}

/* Prompts */

/* The rendered length in out, or a negative number if not supported. */
static int llama_template(const char *template,
                          const struct llama_chat_message *chat, size_t n,
                          struct eb_buf *out)
{
    size_t cap = LLAMA_TEMPLATE_GROWTH, i;
    char *text;
    int32_t len;

    for (i = 0; i < n; i++)
        cap += 2 * strlen(chat[i].content);
    text = eb_xmalloc(cap);
    len =
        llama_chat_apply_template(template, chat, n, true, text, (int32_t)cap);
    if (len > (int32_t)cap) {
        text = eb_xrealloc(text, (size_t)len, 1);
        len = llama_chat_apply_template(template, chat, n, true, text, len);
    }
    if (len >= 0)
        eb_buf_add(out, text, (size_t)len);
    free(text);
    return len;
}

/* A template that takes no system message loses its text; then that text goes
 * before the user's. */
static int llama_render(struct eb_engine *e, const struct eb_message *m,
                        size_t n, struct eb_buf *out, struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    const char *template = llama_model_chat_template(l->model, NULL);
    struct llama_chat_message *chat = eb_xcalloc(n, sizeof(*chat));
    size_t from = out->len, i;
    char *both = NULL;
    int len;

    for (i = 0; i < n; i++) {
        chat[i].role = m[i].role;
        chat[i].content = m[i].text;
    }
    if (template == NULL)
        template = "chatml";
    len = llama_template(template, chat, n, out);
    if (n > 1 && strcmp(m[0].role, "system") == 0 &&
        (len < 0 || strstr(out->data + from, m[0].text) == NULL)) {
        both = eb_xasprintf("%s\n\n%s", m[0].text, m[1].text);
        chat[1].content = both;
        out->len = from;
        len = llama_template(template, chat + 1, n - 1, out);
    }
    free(both);
    free(chat);
    if (len < 0)
        return eb_fail(err, EB_EENGINE,
                       "the chat template of the model is not supported by "
                       "this version of llama.cpp");
    return 0;
}

int llama_decode_batch(struct llama *l, struct llama_batch batch,
                       struct eb_err *err)
{
    int rc;

    /* Accelerators do not call the abort callback. */
    rc = llama_stop(l) ? LLAMA_DECODE_ABORTED : llama_decode(l->ctx, batch);
    if (rc == 0) {
        llama_synchronize(l->ctx);
        return 0;
    }
    llama_slot_clear(&l->base);
    if (rc == LLAMA_DECODE_ABORTED)
        return eb_fail(err, EB_EABORT, "stopped");
    if (rc == 1)
        return eb_fail(err, EB_ELIMIT, "the context of %d tokens is full",
                       l->base.ctx);
    return eb_fail(err, EB_EENGINE, "llama_decode failed with %d", rc);
}

const struct eb_engine_ops eb_engine_llama = {
    .name = "llama",
    .takes_place = 1,
    .open = llama_open,
    .close = llama_close,
    .runtime = llama_runtime,
    .facts = llama_facts,
    .render = llama_render,
    .start = llama_slot_start,
    .step = llama_slot_step,
    .cancel = llama_slot_cancel,
    .clear = llama_slot_clear,
    .score = llama_score,
    .bench_fill = llama_bench_fill,
    .bench = llama_bench,
};

#else

extern int eb_engine_llama_absent; /* ISO C wants a declaration */

#endif
