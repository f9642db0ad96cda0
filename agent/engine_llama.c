/* llama.cpp in process (llama.h of 0.5.0); the only file that includes it. */
#ifdef EB_HAVE_LLAMA

#include <errno.h>
#include <llama.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/engine.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/mem.h"

/* llama_decode's answer when the abort callback ended it. */
#define LLAMA_DECODE_ABORTED 2
#define LLAMA_PIECE_MAX 256
#define LLAMA_FEW 32 /* tokens checked before all of them */
#define LLAMA_TEMPLATE_GROWTH 4096

struct llama {
    struct eb_engine base;
    struct eb_engine_settings settings;
    struct llama_model *model;
    struct llama_context *ctx;
    const struct llama_vocab *vocab;
    int n_vocab;
    llama_token *tokens; /* the prompt now; base.ctx + 1 places */
    llama_token *held;   /* what the KV cache holds */
    int n_held;
    llama_token pending; /* sampled, not yet decoded; LLAMA_TOKEN_NULL */
    struct llama_sampler *grammar;
    char *grammar_text;
    llama_token_data *candidates; /* n_vocab */
    unsigned random;
    char piece[LLAMA_PIECE_MAX];
};

/* The last complaint of the library: the cause of a failed load. */
static char llama_said[192];

static void llama_hear(enum ggml_log_level level, const char *text, void *arg)
{
    const char *colon;
    size_t n;

    (void)arg;
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

static int llama_open_context(struct llama *l, const char *path,
                              struct eb_err *err)
{
    struct llama_context_params cp = llama_context_default_params();
    int train = llama_model_n_ctx_train(l->model), ctx = l->settings.ctx;

    if (train > 0 && train < ctx)
        ctx = train;
    cp.n_ctx = (uint32_t)ctx;
    cp.n_batch = (uint32_t)l->settings.batch;
    cp.n_ubatch = (uint32_t)l->settings.ubatch;
    cp.n_threads = l->settings.threads;
    cp.n_threads_batch = l->settings.threads;
    cp.abort_callback = llama_stop;
    cp.abort_callback_data = l;
    llama_said[0] = '\0';
    l->ctx = llama_init_from_model(l->model, cp);
    if (l->ctx == NULL)
        return eb_fail(err, EB_EENGINE,
                       "%s: no context of %d tokens could be made: %s", path,
                       ctx, llama_said[0] != '\0' ? llama_said : "no memory");
    /* The library rounds up for its own ends; the model was asked for ctx. */
    l->base.ctx = ctx;
    l->settings.batch = (int)llama_n_batch(l->ctx);
    return 0;
}

static void llama_close(struct eb_engine *e)
{
    struct llama *l = (struct llama *)e;

    llama_sampler_free(l->grammar);
    if (l->ctx != NULL)
        llama_free(l->ctx);
    if (l->model != NULL)
        llama_model_free(l->model);
    free(l->tokens);
    free(l->held);
    free(l->grammar_text);
    free(l->candidates);
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
    if (rc != 0)
        return rc;
    l = eb_xcalloc(1, sizeof(*l));
    l->base.ops = &eb_engine_llama;
    l->settings = *s;
    l->pending = LLAMA_TOKEN_NULL;
    l->random = 1;
    rc = llama_open_model(l, path, err);
    if (rc == 0)
        rc = llama_open_context(l, path, err);
    if (rc != 0) {
        llama_close(&l->base);
        return rc;
    }
    l->tokens = eb_xcalloc((size_t)l->base.ctx + 1, sizeof(*l->tokens));
    l->held = eb_xcalloc((size_t)l->base.ctx + 1, sizeof(*l->held));
    l->candidates = eb_xcalloc((size_t)l->n_vocab, sizeof(*l->candidates));
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
    cJSON_AddNumberToObject(memory, "model_bytes",
                            (double)llama_model_size(l->model));
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

static int llama_constrain(struct eb_engine *e, const char *grammar,
                           struct eb_err *err)
{
    struct llama *l = (struct llama *)e;

    if (grammar != NULL && l->grammar_text != NULL &&
        strcmp(grammar, l->grammar_text) == 0)
        return 0;
    llama_sampler_free(l->grammar);
    l->grammar = NULL;
    free(l->grammar_text);
    l->grammar_text = NULL;
    if (grammar == NULL)
        return 0;
    llama_said[0] = '\0';
    l->grammar = llama_sampler_init_grammar(l->vocab, grammar, "root");
    if (l->grammar == NULL)
        return eb_fail(err, EB_EINVAL, "llama.cpp does not take the grammar");
    l->grammar_text = eb_xstrdup(grammar);
    return 0;
}

static int llama_decode_some(struct llama *l, llama_token *tokens, int n,
                             struct eb_err *err)
{
    int rc = llama_decode(l->ctx, llama_batch_get_one(tokens, n));

    if (rc == 0) {
        llama_synchronize(l->ctx);
        memmove(l->held + l->n_held, tokens, (size_t)n * sizeof(*tokens));
        l->n_held += n;
        return 0;
    }
    l->base.ops->clear(&l->base);
    if (rc == LLAMA_DECODE_ABORTED)
        return eb_fail(err, EB_EABORT, "stopped");
    if (rc == 1)
        return eb_fail(err, EB_ELIMIT, "the context of %d tokens is full",
                       l->base.ctx);
    return eb_fail(err, EB_EENGINE, "llama_decode failed with %d", rc);
}

/* Keeps what the cache and the prompt have in common, but never all of the
 * prompt: its last token must be decoded for the logits. */
static int llama_reuse(struct llama *l, int n)
{
    int same = 0;

    while (same < l->n_held && same < n - 1 && l->held[same] == l->tokens[same])
        same++;
    if (same < l->n_held &&
        !llama_memory_seq_rm(llama_get_memory(l->ctx), 0, same, -1)) {
        /* Recurrent models cannot forget a part. */
        llama_memory_clear(llama_get_memory(l->ctx), false);
        same = 0;
    }
    l->n_held = same;
    return same;
}

static int llama_start(struct eb_engine *e, const char *prompt,
                       struct eb_start *info, struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    int n, at, some, rc;

    info->cached_tokens = 0;
    l->pending = LLAMA_TOKEN_NULL;
    if (l->grammar != NULL)
        llama_sampler_reset(l->grammar);
    n = llama_tokenize(l->vocab, prompt, (int32_t)strlen(prompt), l->tokens,
                       l->base.ctx, true, true);
    info->prompt_tokens = n < 0 ? -n : n;
    if (n < 0 || n >= l->base.ctx)
        return eb_fail(err, EB_ELIMIT,
                       "prompt of %d tokens exceeds the context of %d",
                       info->prompt_tokens, l->base.ctx);
    if (n == 0)
        return eb_fail(err, EB_EENGINE, "the prompt has no token");
    info->cached_tokens = at = llama_reuse(l, n);
    for (; at < n; at += some) {
        some = n - at < l->settings.batch ? n - at : l->settings.batch;
        rc = llama_decode_some(l, l->tokens + at, some, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Tokens */

static llama_token llama_best(const float *logits, int n)
{
    int i, best = 0;

    for (i = 1; i < n; i++) {
        if (logits[i] > logits[best])
            best = i;
    }
    return best;
}

/* The n best of the vocabulary in falling order into l->candidates. */
static void llama_top(struct llama *l, const float *logits, int n)
{
    llama_token_data *v = l->candidates;
    int used = 0, i, k;

    for (i = 0; i < l->n_vocab; i++) {
        if (used == n && logits[i] <= v[n - 1].logit)
            continue;
        for (k = used < n ? used++ : n - 1; k > 0 && v[k - 1].logit < logits[i];
             k--)
            v[k] = v[k - 1];
        v[k] = (llama_token_data){i, logits[i], 0};
    }
}

/* The best of the first n candidates that the grammar allows. */
static llama_token llama_allowed(struct llama *l, size_t n)
{
    llama_token_data_array some = {l->candidates, n, -1, false};
    size_t i, k = 0;

    llama_sampler_apply(l->grammar, &some);
    for (i = 1; i < some.size; i++) {
        if (some.data[i].logit > some.data[k].logit)
            k = i;
    }
    return isinf(some.data[k].logit) ? LLAMA_TOKEN_NULL : some.data[k].id;
}

/* Grammar first, then the best. Checking a whole vocabulary is slow, so the
 * best few are checked before all; the outcome is the same. */
static llama_token llama_pick(struct llama *l)
{
    const float *logits = llama_get_logits_ith(l->ctx, -1);
    int few = l->n_vocab < LLAMA_FEW ? l->n_vocab : LLAMA_FEW, i;
    llama_token id;

    if (l->grammar == NULL)
        return llama_best(logits, l->n_vocab);
    llama_top(l, logits, few);
    id = llama_allowed(l, (size_t)few);
    if (id != LLAMA_TOKEN_NULL)
        return id;
    for (i = 0; i < l->n_vocab; i++)
        l->candidates[i] = (llama_token_data){i, logits[i], 0};
    return llama_allowed(l, (size_t)l->n_vocab);
}

static int llama_next(struct eb_engine *e, struct eb_token *t,
                      struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    llama_token id;
    int rc, n;

    memset(t, 0, sizeof(*t));
    t->piece = l->piece;
    if (l->pending != LLAMA_TOKEN_NULL) {
        if (l->n_held >= l->base.ctx)
            return eb_fail(err, EB_ELIMIT, "the context of %d tokens is full",
                           l->base.ctx);
        rc = llama_decode_some(l, &l->pending, 1, err);
        if (rc != 0)
            return rc;
    }
    id = llama_pick(l);
    if (id == LLAMA_TOKEN_NULL)
        return eb_fail(err, EB_EENGINE,
                       "no token of the vocabulary fits the "
                       "grammar");
    t->id = id;
    t->end = llama_vocab_is_eog(l->vocab, id);
    l->pending = t->end ? LLAMA_TOKEN_NULL : id;
    if (t->end)
        return 0;
    if (l->grammar != NULL)
        llama_sampler_accept(l->grammar, id);
    n = llama_token_to_piece(l->vocab, id, l->piece, sizeof(l->piece), 0,
                             false);
    t->len = n > 0 ? (size_t)n : 0;
    return 0;
}

/* Speed */

static void llama_clear(struct eb_engine *e)
{
    struct llama *l = (struct llama *)e;

    llama_memory_clear(llama_get_memory(l->ctx), false);
    l->n_held = 0;
    l->pending = LLAMA_TOKEN_NULL;
}

static llama_token llama_random(struct llama *l)
{
    return (llama_token)(rand_r(&l->random) % l->n_vocab);
}

static int llama_bench(struct eb_engine *e, int n_prompt, int n_gen,
                       struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    int at, some, i, rc = 0;

    if (n_prompt + n_gen > l->base.ctx)
        return eb_fail(err, EB_ELIMIT, "%d tokens exceed the context of %d",
                       n_prompt + n_gen, l->base.ctx);
    for (i = 0; i < n_prompt + n_gen; i++)
        l->tokens[i] = llama_random(l);
    if (llama_vocab_get_add_bos(l->vocab))
        l->tokens[0] = llama_vocab_bos(l->vocab);
    for (at = 0; at < n_prompt && rc == 0; at += some) {
        some = n_prompt - at < l->settings.batch ? n_prompt - at
                                                 : l->settings.batch;
        rc = llama_decode_some(l, l->tokens + at, some, err);
    }
    for (i = 0; i < n_gen && rc == 0; i++)
        rc = llama_decode_some(l, l->tokens + n_prompt + i, 1, err);
    return rc;
}

const struct eb_engine_ops eb_engine_llama = {
    .name = "llama",
    .open = llama_open,
    .close = llama_close,
    .runtime = llama_runtime,
    .facts = llama_facts,
    .render = llama_render,
    .constrain = llama_constrain,
    .start = llama_start,
    .next = llama_next,
    .clear = llama_clear,
    .bench = llama_bench,
};

#else

extern int eb_engine_llama_absent; /* ISO C wants a declaration */

#endif
