/* llama.cpp in process: speed as llama-bench and llama-batched-bench take it,
 * with random tokens, without sampling. */
#ifdef EB_HAVE_LLAMA

#include <stdlib.h>
#include <string.h>

#include "agent/engine_llama.h"

static llama_token bench_random(struct llama *l)
{
    return (llama_token)(rand_r(&l->random) % l->n_vocab);
}

/* A beginning that the model knows, where it has one, as llama-bench gives. */
static llama_token bench_token(struct llama *l, int pos)
{
    return pos == 0 && llama_vocab_get_add_bos(l->vocab)
               ? llama_vocab_bos(l->vocab)
               : bench_random(l);
}

static void bench_put(struct llama *l, int seq, int pos, int wanted)
{
    struct llama_batch *b = &l->batch;

    b->token[b->n_tokens] = bench_token(l, pos);
    b->pos[b->n_tokens] = pos;
    b->n_seq_id[b->n_tokens] = 1;
    b->seq_id[b->n_tokens][0] = seq;
    b->logits[b->n_tokens++] = (int8_t)wanted;
}

static int bench_decode(struct llama *l, struct eb_err *err)
{
    int rc = llama_decode(l->bench, l->batch);

    llama_synchronize(l->bench);
    l->bench_filled &= rc == 0;
    if (rc == 0)
        return 0;
    return rc == 2
               ? eb_fail(err, EB_EABORT, "stopped")
               : eb_fail(err, EB_EENGINE, "llama_decode failed with %d", rc);
}

/* Tokens from..to-1 of one sequence as a prompt. */
static int bench_prompt(struct llama *l, int seq, int from, int to,
                        struct eb_err *err)
{
    int rc = 0;

    while (from < to && rc == 0) {
        for (l->batch.n_tokens = 0;
             from < to && l->batch.n_tokens < l->settings.batch; from++)
            bench_put(l, seq, from,
                      from + 1 == to ||
                          l->batch.n_tokens + 1 == l->settings.batch);
        rc = bench_decode(l, err);
    }
    return rc;
}

static int bench_room(const struct llama *l, const struct eb_bench_shape *s,
                      struct eb_err *err)
{
    int n = s->depth + s->n_prompt + s->n_gen;

    if (n > l->base.ctx)
        return eb_fail(err, EB_ELIMIT, "%d tokens exceed the context of %d", n,
                       l->base.ctx);
    if (s->batch > l->base.slots)
        return eb_fail(err, EB_ELIMIT,
                       "%d sequences, the context was made for %d", s->batch,
                       l->base.slots);
    return 0;
}

void llama_bench_close(struct llama *l)
{
    if (l->bench != NULL)
        llama_free(l->bench);
    l->bench = NULL;
    l->bench_filled = 0;
}

/* As llama-bench makes it: no larger than the shape, and the only one. */
static int bench_open(struct llama *l, const struct eb_bench_shape *s,
                      struct eb_err *err)
{
    int cells = (s->depth + s->n_prompt + s->n_gen) * s->batch;

    if (l->bench != NULL && memcmp(&l->bench_shape, s, sizeof(*s)) == 0)
        return 0;
    llama_bench_close(l);
    llama_context_drop(l);
    l->bench = llama_new_context(l, cells, s->batch);
    if (l->bench == NULL)
        return eb_fail(err, EB_ELIMIT, "no memory for %d cells", cells);
    if (l->threads != NULL)
        llama_attach_threadpool(l->bench, l->threads, NULL);
    l->bench_shape = *s;
    return 0;
}

/* Cuts the sequences of the last bench back to its depth; 0 if they have to
 * be read anew (a state that cannot be cut). */
static int bench_cut(struct llama *l, const struct eb_bench_shape *s)
{
    int i;

    if (s->depth == 0 || !l->bench_filled)
        return 0;
    for (i = 0; i < s->batch; i++) {
        if (!llama_memory_seq_rm(llama_get_memory(l->bench), i, s->depth, -1))
            return 0;
    }
    return 1;
}

int llama_bench_fill(struct eb_engine *e, const struct eb_bench_shape *s,
                     struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    int rc = llama_slots_free(l, err), i;

    if (rc == 0)
        rc = bench_room(l, s, err);
    if (rc == 0)
        rc = bench_open(l, s, err);
    if (rc != 0 || bench_cut(l, s))
        return rc;
    llama_memory_clear(llama_get_memory(l->bench), false);
    l->bench_filled = 1;
    for (i = 0; i < s->batch && rc == 0; i++)
        rc = bench_prompt(l, i, 0, s->depth, err);
    return rc;
}

int llama_bench(struct eb_engine *e, const struct eb_bench_shape *s,
                struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    int pos = s->depth, rc = 0, i, k;

    for (i = 0; i < s->batch && rc == 0; i++)
        rc = bench_prompt(l, i, pos, pos + s->n_prompt, err);
    pos += s->n_prompt;
    for (k = 0; k < s->n_gen && rc == 0; k++) {
        l->batch.n_tokens = 0;
        for (i = 0; i < s->batch; i++)
            bench_put(l, i, pos + k, 1);
        rc = bench_decode(l, err);
    }
    return rc;
}

#else

extern int eb_engine_llama_bench_absent; /* ISO C wants a declaration */

#endif
