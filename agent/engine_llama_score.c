/* llama.cpp in process: how likely is each of some continuations? */
#ifdef EB_HAVE_LLAMA

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine_llama.h"
#include "common/mem.h"

struct score {
    struct llama *l;
    llama_token **text; /* prompt and option; by option */
    int *len;
    size_t n;
    int common; /* tokens that all texts begin with */
};

/* log of the softmax: what the logits at batch place `at` give a token. */
static double score_logprob(const struct score *s, int at, llama_token id)
{
    const float *logits = llama_get_logits_ith(s->l->ctx, at);
    double max = logits[0], sum = 0;
    int i;

    for (i = 1; i < s->l->n_vocab; i++)
        max = logits[i] > max ? logits[i] : max;
    for (i = 0; i < s->l->n_vocab; i++)
        sum += exp(logits[i] - max);
    return logits[id] - max - log(sum);
}

static int score_tokenize(struct score *s, const char *prompt,
                          const char *const *options, struct eb_err *err)
{
    struct llama *l = s->l;
    char *whole;
    size_t i;
    int n;

    for (i = 0; i < s->n; i++) {
        whole = eb_xasprintf("%s%s", prompt, options[i]);
        n = llama_tokenize(l->vocab, whole, (int32_t)strlen(whole), l->fresh,
                           l->base.ctx, true, true);
        free(whole);
        if (n < 2)
            return eb_fail(err, EB_ELIMIT,
                           "the text exceeds the context of %d tokens",
                           l->base.ctx);
        s->len[i] = n;
        s->text[i] = eb_xcalloc((size_t)n, sizeof(llama_token));
        memcpy(s->text[i], l->fresh, (size_t)n * sizeof(llama_token));
    }
    return 0;
}

/* At least one token of every text must be left to be judged. */
static void score_common(struct score *s)
{
    size_t i;
    int k;

    s->common = s->len[0] - 1;
    for (i = 1; i < s->n; i++) {
        for (k = 0; k < s->common && k < s->len[i] - 1; k++) {
            if (s->text[i][k] != s->text[0][k])
                break;
        }
        s->common = k;
    }
}

static void score_put(struct llama_batch *b, llama_token token, int pos,
                      int seq, int wanted)
{
    b->token[b->n_tokens] = token;
    b->pos[b->n_tokens] = pos;
    b->n_seq_id[b->n_tokens] = 1;
    b->seq_id[b->n_tokens][0] = seq;
    b->logits[b->n_tokens++] = (int8_t)wanted;
}

/* Reads the common beginning into slot 0 and starts the sums. */
static int score_prompt(struct score *s, double *logprob, struct eb_err *err)
{
    struct llama *l = s->l;
    struct llama_slot *slot = &l->slots[0];
    int same = 0, rc = 0;
    size_t i;

    while (same < slot->done && same < s->common - 1 &&
           slot->tokens[same] == s->text[0][same])
        same++;
    llama_slot_keep(l, slot, same);
    memcpy(slot->tokens, s->text[0], (size_t)s->common * sizeof(llama_token));
    while (slot->done < s->common && rc == 0) {
        l->batch.n_tokens = 0;
        while (slot->done < s->common &&
               l->batch.n_tokens < l->settings.batch) {
            score_put(&l->batch, slot->tokens[slot->done], slot->done, 0,
                      slot->done + 1 == s->common);
            slot->done++;
        }
        rc = llama_decode_batch(l, l->batch, err);
    }
    for (i = 0; i < s->n && rc == 0; i++)
        logprob[i] = score_logprob(s, -1, s->text[i][s->common]);
    return rc;
}

/* One option on a sequence of its own, which holds the beginning. */
static int score_option(struct score *s, size_t i, int seq, struct eb_err *err)
{
    struct llama *l = s->l;
    int at;

    if (s->len[i] - s->common > l->settings.batch)
        return eb_fail(err, EB_ELIMIT, "an option of %d tokens",
                       s->len[i] - s->common);
    for (at = s->common; at < s->len[i] - 1; at++)
        score_put(&l->batch, s->text[i][at], at, seq, 1);
    return 0;
}

static void score_sum(const struct score *s, size_t i, int *place,
                      double *logprob)
{
    int at;

    for (at = s->common; at < s->len[i] - 1; at++)
        *logprob += score_logprob(s, (*place)++, s->text[i][at + 1]);
}

/* With one slot, options take turns behind the prompt; with more, each gets
 * a copy of the beginning, and one pass reads as many as there are slots. */
static int score_chunk(struct score *s, size_t from, size_t *to,
                       double *logprob, struct eb_err *err)
{
    struct llama *l = s->l;
    llama_memory_t memory = llama_get_memory(l->ctx);
    int own = l->base.slots == 1, seq, place = 0, rc = 0;
    size_t i;

    l->batch.n_tokens = 0;
    for (i = from; i < s->n && rc == 0; i++) {
        seq = own ? 0 : (int)(i - from) + 1;
        if (i > from &&
            (own || seq >= l->base.slots ||
             l->batch.n_tokens + s->len[i] - s->common > l->settings.batch))
            break;
        if (!own)
            llama_memory_seq_cp(memory, 0, seq, 0, s->common);
        rc = score_option(s, i, seq, err);
    }
    *to = i;
    if (rc == 0 && l->batch.n_tokens > 0)
        rc = llama_decode_batch(l, l->batch, err);
    for (i = from; i < *to && rc == 0; i++)
        score_sum(s, i, &place, &logprob[i]);
    for (i = from; i < *to; i++) {
        if (own)
            llama_memory_seq_rm(memory, 0, s->common, -1);
        else
            llama_memory_seq_rm(memory, (int)(i - from) + 1, -1, -1);
    }
    return rc;
}

int llama_score(struct eb_engine *e, const char *prompt,
                const char *const *options, size_t n, double *logprob,
                struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    struct score s = {.l = l, .n = n};
    size_t i, to;
    int rc = llama_slots_free(l, err);

    if (rc == 0)
        rc = llama_context_need(l, err);
    if (rc != 0)
        return rc;
    /* Their sequences serve the options, and what all free slots keep may
     * fill the cache. */
    for (i = 1; i < (size_t)e->slots; i++)
        llama_slot_keep(l, &l->slots[i], 0);
    s.text = eb_xcalloc(n, sizeof(*s.text));
    s.len = eb_xcalloc(n, sizeof(*s.len));
    rc = score_tokenize(&s, prompt, options, err);
    if (rc == 0) {
        score_common(&s);
        rc = score_prompt(&s, logprob, err);
    }
    for (i = 0; i < n && rc == 0; i = to)
        rc = score_chunk(&s, i, &to, logprob, err);
    for (i = 0; i < n; i++)
        free(s.text[i]);
    free(s.text);
    free(s.len);
    return rc;
}

#else

extern int eb_engine_llama_score_absent; /* ISO C wants a declaration */

#endif
