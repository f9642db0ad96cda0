#include "workloads/ladder/evaluate.h"

#include <stdio.h>
#include <stdlib.h>

#include "workloads/ladder/pack.h"

struct evaluation {
    const struct evaluate_options *o;
    struct packer packer;
    struct llama_model *model;
    struct llama_context *ctx;
    struct llama_batch batch;
};

static int evaluate_open(struct evaluation *e, struct eb_err *err)
{
    struct llama_context_params cp = llama_context_default_params();
    int rc =
        packer_open(&e->packer, e->o->model, e->o->corpus, e->o->suite, err);

    if (rc)
        return rc;
    cp.n_ctx = PACK_TEXT_TOKENS;
    cp.n_batch = PACK_TEXT_TOKENS;
    cp.n_threads = cp.n_threads_batch = e->o->threads;
    e->model =
        llama_model_load_from_file(e->o->model, llama_model_default_params());
    e->ctx = e->model ? llama_init_from_model(e->model, cp) : NULL;
    e->batch = llama_batch_init(PACK_TEXT_TOKENS, 0, 1);
    return e->ctx ? 0
                  : eb_fail(err, EB_EENGINE, "%s: cannot be run", e->o->model);
}

static void evaluate_close(struct evaluation *e)
{
    packer_close(&e->packer);
    if (!e->model)
        return;
    llama_batch_free(e->batch);
    llama_free(e->ctx);
    llama_model_free(e->model);
}

/* Decodes tokens from..to-1; those from `wanted` on give logits. */
static int evaluate_decode(struct evaluation *e, const llama_token *t, int from,
                           int to, int wanted, struct eb_err *err)
{
    e->batch.n_tokens = to - from;
    for (int i = from; i < to; i++) {
        e->batch.token[i - from] = t[i];
        e->batch.pos[i - from] = i;
        e->batch.n_seq_id[i - from] = 1;
        e->batch.seq_id[i - from][0] = 0;
        e->batch.logits[i - from] = i >= wanted;
    }
    return llama_decode(e->ctx, e->batch)
               ? eb_fail(err, EB_EENGINE, "%s: decoding failed", e->o->model)
               : 0;
}

static llama_token evaluate_argmax(struct evaluation *e, int at)
{
    const float *logits = llama_get_logits_ith(e->ctx, at);
    int n = packer_vocab_size(&e->packer);
    int best = 0;

    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* With the right tokens fed in, every next one must be the most likely: the
 * same as asking whether greedy decoding gives the answer. */
static int evaluate_sample(struct evaluation *e, const char *prefix,
                           int n_prefix, int *right, struct eb_err *err)
{
    llama_token t[PACK_TEXT_TOKENS];
    int n_prompt;
    int n = packer_sample(&e->packer, prefix, t, &n_prompt);
    int ok = 1;
    int rc;

    if (n < 0 || n_prompt <= n_prefix)
        return eb_fail(err, EB_ELIMIT, "a sample of more than %d tokens",
                       PACK_TEXT_TOKENS);
    llama_memory_seq_rm(llama_get_memory(e->ctx), 0, n_prefix, -1);
    rc = evaluate_decode(e, t, n_prefix, n - 1, n_prompt - 1, err);
    for (int i = n_prompt - 1; i < n - 1 && !rc && ok; i++)
        ok = evaluate_argmax(e, i - n_prefix) == t[i + 1];
    *right += ok;
    return rc;
}

static int evaluate_cell(struct evaluation *e, int level, int vague, int lang,
                         int held_out, double *share, struct eb_err *err)
{
    char *prefix = packer_prefix(&e->packer, level, vague, lang);
    llama_token t[PACK_TEXT_TOKENS];
    int n_prefix = packer_tokens(&e->packer, prefix, t);
    int right = 0;
    struct eb_rng rng;
    int rc;

    eb_rng_init(&rng, e->o->seed, "evaluate", corpus_level_names[level]);
    llama_memory_clear(llama_get_memory(e->ctx), true);
    rc = evaluate_decode(e, t, 0, n_prefix, n_prefix, err);
    for (int i = 0; i < e->o->samples && !rc; i++) {
        rc = corpus_sample(&e->packer.corpus, level, lang, held_out, &rng,
                           &e->packer.sample, err);
        if (!rc)
            rc = evaluate_sample(e, prefix, n_prefix, &right, err);
    }
    *share = (double)right / e->o->samples;
    free(prefix);
    return rc;
}

int evaluate_model(const struct evaluate_options *o, struct eb_err *err)
{
    struct evaluation e = {.o = o};
    int rc = evaluate_open(&e, err);

    if (!rc)
        printf("%-8s%-6s%-8s%10s%10s\n", "level", "lang", "prompt", "trained",
               "held out");
    for (int cell = 0; cell < CORPUS_LEVELS * 4 && !rc; cell++) {
        int level = cell / 4, vague = cell / 2 % 2, lang = cell % 2;
        double share[2] = {0};
        for (int held_out = 0; held_out < 2 && !rc; held_out++)
            rc = evaluate_cell(&e, level, vague, lang, held_out,
                               &share[held_out], err);
        if (!rc)
            printf("%-8s%-6s%-8s%9.1f%%%9.1f%%\n", corpus_level_names[level],
                   corpus_lang_names[lang], vague ? "vague" : "clear",
                   100 * share[0], 100 * share[1]);
        fflush(stdout);
    }
    evaluate_close(&e);
    return rc;
}
