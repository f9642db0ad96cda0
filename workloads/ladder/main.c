/* edgebench-ladder: makes the reference models from nothing.
 *
 *   tokenizer  learn the vocabulary from generated text
 *   train      train one rung, resumable; writes a model file
 *   evaluate   exact answers of a model file on generated samples, those of
 *              trained and of held-out wordings apart
 *   sample     print generated samples
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/opt.h"
#include "gguf.h"
#include "llama.h"
#include "workloads/ladder/bpe.h"
#include "workloads/ladder/corpus.h"
#include "workloads/ladder/evaluate.h"
#include "workloads/ladder/net.h"
#include "workloads/ladder/pack.h"

#define LADDER_TEXT_SAMPLES 60000
#define LADDER_WARMUP 60
#define LADDER_REPORT 50
/* Copying is learnt at once or hardly ever: a few hundred steps of half the
 * packs did what thousands of a few packs did not. */
#define LADDER_COPY_FIRST 50 /* percent of packs */
#define LADDER_COPY 10

static const struct net_shape ladder_rungs[] = {
    {"ladder-0.3m", 64, 3, 2, 192, 4e-3},
    {"ladder-1m", 128, 3, 4, 384, 3e-3},
    {"ladder-4m", 256, 4, 4, 704, 1.5e-3},
    {"ladder-12m", 512, 4, 8, 1024, 6e-4},
};

static const char ladder_template[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' "
    "+ message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

struct ladder_options {
    const char *corpus;
    const char *suite;
    const char *vocab;
    const char *model;
    const char *out;
    const char *rung;
    const char *checkpoint;
    const char *grow;
    const char *log;
    long long steps;
    long long seed;
    long long threads;
    long long size;
    long long vague;
    long long copy_first;
    long long act;
    long long lr_percent;
    int help;
};

static int ladder_write_vocab(const struct bpe *b, const char *path,
                              struct eb_err *err)
{
    struct gguf_context *g = gguf_init_empty();
    int32_t *types = eb_xcalloc((size_t)b->n_tokens, sizeof(*types));
    int first_control = b->n_tokens - b->n_control;
    int ok;

    for (int i = 0; i < b->n_tokens; i++)
        types[i] = i < first_control ? 1 : 3; /* normal, control */
    gguf_set_val_str(g, "general.architecture", "llama");
    gguf_set_val_str(g, "tokenizer.ggml.model", "gpt2");
    gguf_set_val_str(g, "tokenizer.ggml.pre", "qwen2");
    gguf_set_arr_str(g, "tokenizer.ggml.tokens", (const char **)b->tokens,
                     (size_t)b->n_tokens);
    gguf_set_arr_data(g, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types,
                      (size_t)b->n_tokens);
    gguf_set_arr_str(g, "tokenizer.ggml.merges", (const char **)b->merges,
                     (size_t)b->n_merges);
    gguf_set_val_u32(g, "tokenizer.ggml.padding_token_id",
                     (uint32_t)first_control);
    gguf_set_val_u32(g, "tokenizer.ggml.eos_token_id",
                     (uint32_t)first_control + 2);
    gguf_set_val_bool(g, "tokenizer.ggml.add_bos_token", false);
    gguf_set_val_str(g, "tokenizer.chat_template", ladder_template);
    ok = gguf_write_to_file(g, path, false);
    free(types);
    gguf_free(g);
    return ok ? 0 : eb_fail(err, EB_EIO, "%s: cannot be written", path);
}

/* Prompts, each many times, as they begin every sample, and messages. */
static int ladder_text(const struct ladder_options *o, struct eb_buf *text,
                       struct eb_err *err)
{
    struct corpus c;
    struct corpus_sample s = {0};
    struct eb_rng rng;
    char **names = NULL;
    size_t n = 0;
    int rc = corpus_load(o->corpus, &c, err);

    eb_rng_init(&rng, (uint64_t)o->seed, "tokenizer", NULL);
    if (!rc)
        rc = eb_fs_list(o->suite, ".txt", &names, &n, err);
    for (size_t i = 0; i < n * 200 && !rc; i++) {
        char *path = eb_fs_join(o->suite, names[i % n]);
        rc = eb_fs_read(path, 1u << 20, text, err);
        free(path);
    }
    for (int i = 0; i < LADDER_TEXT_SAMPLES && !rc; i++) {
        rc = corpus_sample(&c, i % CORPUS_LEVELS, i / 3 % CORPUS_LANGS, 0, &rng,
                           &s, err);
        if (!rc)
            eb_buf_addf(text, "%s\n%s\n", s.user.data ? s.user.data : "",
                        s.answer.data);
    }
    eb_fs_list_free(names, n);
    corpus_sample_free(&s);
    corpus_free(&c);
    return rc;
}

static int ladder_tokenizer(const struct ladder_options *o, struct eb_err *err)
{
    struct eb_buf text = {0};
    struct bpe b = {0};
    int rc = ladder_text(o, &text, err);

    if (!rc) {
        bpe_train(text.data, text.len, (int)o->size, &b);
        rc = ladder_write_vocab(&b, o->vocab, err);
        eb_info("%s: %d tokens from %zu bytes of text", o->vocab, b.n_tokens,
                text.len);
    }
    bpe_free(&b);
    eb_buf_free(&text);
    return rc;
}

static int ladder_sample(const struct ladder_options *o, struct eb_err *err)
{
    struct corpus c;
    struct corpus_sample s = {0};
    struct eb_rng rng;
    int rc = corpus_load(o->corpus, &c, err);

    eb_rng_init(&rng, (uint64_t)o->seed, "sample", NULL);
    for (long long i = 0; i < o->size && !rc; i++) {
        rc = corpus_sample(&c, (int)(i % CORPUS_LEVELS),
                           (int)(i / 3 % CORPUS_LANGS), 0, &rng, &s, err);
        if (!rc)
            printf("%s\n  %s\n", s.user.data ? s.user.data : "", s.answer.data);
    }
    corpus_sample_free(&s);
    corpus_free(&c);
    return rc;
}

/* Linear warm-up, then a cosine down to a twentieth of the peak. */
static double ladder_lr(double peak, int64_t step, int64_t total)
{
    double x = (double)(step - LADDER_WARMUP) / (double)(total - LADDER_WARMUP);

    if (step < LADDER_WARMUP)
        return peak * (double)(step + 1) / LADDER_WARMUP;
    return peak * (0.05 + 0.95 * 0.5 * (1.0 + cos(M_PI * x)));
}

static int ladder_save(const struct ladder_options *o, struct net *n,
                       struct eb_err *err)
{
    int rc = o->checkpoint ? net_save(n, o->checkpoint, err) : 0;

    return rc ? rc : net_export(n, o->vocab, o->out, err);
}

static int ladder_loop(const struct ladder_options *o,
                       const struct net_shape *shape, struct packer *p,
                       struct net *n, struct eb_err *err)
{
    FILE *log = o->log ? fopen(o->log, net_steps(n) ? "a" : "w") : NULL;
    static struct net_pack pack;
    double peak = shape->lr * (double)o->lr_percent / 100;
    double loss = 0, mean = 0;
    int samples, rc = 0;
    int64_t start = eb_clock_ns();
    int64_t seen = 0, tokens = 0;

    while (net_steps(n) < o->steps && !rc) {
        int64_t step = net_steps(n);
        struct eb_rng rng;
        eb_rng_init(&rng, (uint64_t)(o->seed + 0x10001 * step), "pack", NULL);
        p->copy_percent =
            step < o->copy_first ? LADDER_COPY_FIRST : LADDER_COPY;
        rc = packer_next(p, 0, &rng, &pack, &samples, err);
        if (!rc)
            rc =
                net_step(n, &pack, ladder_lr(peak, step, o->steps), &loss, err);
        seen += samples;
        tokens += pack.n_tokens;
        mean += loss / LADDER_REPORT;
        if (rc || (step + 1) % LADDER_REPORT)
            continue;
        double s = (double)(eb_clock_ns() - start) / 1e9;
        eb_info("%s step %lld/%lld loss %.4f, %.0f tokens/s, %lld samples",
                shape->name, (long long)step + 1, o->steps, mean,
                (double)tokens / s, (long long)seen);
        if (log)
            fprintf(log, "%lld\t%.5f\n", (long long)step + 1, mean);
        if (log)
            fflush(log);
        mean = 0;
        if ((step + 1) % (2 * LADDER_REPORT) == 0)
            rc = ladder_save(o, n, err);
    }
    if (log)
        fclose(log);
    return rc ? rc : ladder_save(o, n, err);
}

static int ladder_train(const struct ladder_options *o, struct eb_err *err)
{
    const struct net_shape *shape = NULL;
    struct packer p;
    struct net *n = NULL;
    int rc;

    for (size_t i = 0; i < sizeof(ladder_rungs) / sizeof(*ladder_rungs); i++)
        if (o->rung && !strcmp(ladder_rungs[i].name, o->rung))
            shape = &ladder_rungs[i];
    if (!shape || !o->out)
        return eb_fail(err, EB_EUSAGE,
                       "train wants --out FILE and --rung "
                       "ladder-0.3m, -1m, -4m or -12m");
    rc = packer_open(&p, o->vocab, o->corpus, o->suite, err);
    if (rc)
        return rc;
    p.vague_percent = (int)o->vague;
    p.act_percent = (int)o->act;
    rc = net_open(shape, packer_vocab_size(&p), (int)o->threads,
                  (uint64_t)o->seed, &n, err);
    if (!rc && o->checkpoint && eb_fs_exists(o->checkpoint))
        rc = net_load(n, o->checkpoint, err);
    else if (!rc && o->grow)
        rc = net_grow(n, o->grow, (uint64_t)o->seed, err);
    if (!rc) {
        eb_info("%s: %lld parameters, from step %lld", shape->name,
                (long long)net_params(n), (long long)net_steps(n));
        rc = ladder_loop(o, shape, &p, n, err);
    }
    net_close(n);
    packer_close(&p);
    return rc;
}

static int ladder_evaluate(const struct ladder_options *o, struct eb_err *err)
{
    struct evaluate_options e = {.model = o->model,
                                 .corpus = o->corpus,
                                 .suite = o->suite,
                                 .samples = (int)o->size,
                                 .threads = (int)o->threads,
                                 .seed = (uint64_t)o->seed};

    if (!o->model || o->size < 1)
        return eb_fail(err, EB_EUSAGE,
                       "evaluate wants --model FILE and --size of 1 or more");
    return evaluate_model(&e, err);
}

static const struct {
    const char *name;
    int (*run)(const struct ladder_options *o, struct eb_err *err);
} ladder_commands[] = {{"tokenizer", ladder_tokenizer},
                       {"train", ladder_train},
                       {"evaluate", ladder_evaluate},
                       {"sample", ladder_sample}};

int main(int argc, char **argv)
{
    struct ladder_options o = {.corpus = "workloads/models/corpus",
                               .suite = "workloads/custsvc",
                               .vocab = "workloads/models/vocab.gguf",
                               .steps = 2000,
                               .seed = 1,
                               .threads = 2,
                               .size = 3072,
                               .vague = 50,
                               .copy_first = 1500,
                               .act = 50,
                               .lr_percent = 100};
    struct eb_opt opts[] = {
        {"corpus", 0, EB_OPT_STR, &o.corpus, "DIR", "corpus templates"},
        {"suite", 0, EB_OPT_STR, &o.suite, "DIR", "job with the prompts"},
        {"vocab", 0, EB_OPT_STR, &o.vocab, "FILE", "vocabulary (GGUF)"},
        {"model", 'm', EB_OPT_STR, &o.model, "FILE", "model to evaluate"},
        {"out", 'o', EB_OPT_STR, &o.out, "FILE", "model file to write"},
        {"rung", 'r', EB_OPT_STR, &o.rung, "NAME", "ladder-0.3m ... -12m"},
        {"checkpoint", 0, EB_OPT_STR, &o.checkpoint, "FILE",
         "resume from here, save here"},
        {"grow", 0, EB_OPT_STR, &o.grow, "FILE",
         "start from a smaller rung's checkpoint"},
        {"log", 0, EB_OPT_STR, &o.log, "FILE", "loss curve (TSV)"},
        {"steps", 0, EB_OPT_INT, &o.steps, "N", "optimiser steps in total"},
        {"seed", 0, EB_OPT_INT, &o.seed, "N", "seed of everything"},
        {"threads", 't', EB_OPT_INT, &o.threads, "N", "threads"},
        {"size", 0, EB_OPT_INT, &o.size, "N",
         "tokenizer: vocabulary; sample, evaluate: how many"},
        {"vague", 0, EB_OPT_INT, &o.vague, "PERCENT",
         "train: share of packs behind the short prompt"},
        {"act", 0, EB_OPT_INT, &o.act, "PERCENT",
         "train: share of act in the packs that do not copy"},
        {"copy-first", 0, EB_OPT_INT, &o.copy_first, "N",
         "train: of the first N steps half teach only copying (1500)"},
        {"lr-percent", 0, EB_OPT_INT, &o.lr_percent, "PERCENT",
         "train: peak learning rate against the rung's own"},
        {"help", 'h', EB_OPT_FLAG, &o.help, NULL, "this text"},
        {0}};
    struct eb_err err = {0};
    int n_args = 0;
    int rc;

    eb_log_setup("edgebench-ladder", EB_LOG_INFO);
    rc = eb_opt_parse(opts, argc, argv, &n_args, &err);
    if (!rc && (o.help || n_args != 1)) {
        printf("usage: edgebench-ladder tokenizer|train|evaluate|sample "
               "[options]\n");
        eb_opt_help(opts, stdout);
        return o.help ? EB_EXIT_OK : EB_EXIT_USAGE;
    }
    if (!rc) {
        rc = eb_fail(&err, EB_EUSAGE, "unknown command %s", argv[argc - 1]);
        for (size_t i = 0; i < 4; i++)
            if (!strcmp(argv[argc - 1], ladder_commands[i].name))
                rc = ladder_commands[i].run(&o, &err);
    }
    if (rc)
        eb_error("%s", err.msg);
    return !rc               ? EB_EXIT_OK
           : rc == EB_EUSAGE ? EB_EXIT_USAGE
                             : EB_EXIT_INTERNAL;
}
