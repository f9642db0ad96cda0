/* llama.cpp in process: which token comes next. */
#ifdef EB_HAVE_LLAMA

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine_llama.h"
#include "common/mem.h"

#define LLAMA_FEW 32 /* tokens checked before all of them */

int llama_slot_constrain(struct llama *l, struct llama_slot *s,
                         const char *grammar, struct eb_err *err)
{
    if (grammar != NULL && s->grammar_text != NULL &&
        strcmp(grammar, s->grammar_text) == 0) {
        llama_sampler_reset(s->grammar);
        return 0;
    }
    llama_sampler_free(s->grammar);
    s->grammar = NULL;
    free(s->grammar_text);
    s->grammar_text = NULL;
    if (grammar == NULL)
        return 0;
    s->grammar = llama_sampler_init_grammar(l->vocab, grammar, "root");
    if (s->grammar == NULL)
        return eb_fail(err, EB_EINVAL, "llama.cpp does not take the grammar");
    s->grammar_text = eb_xstrdup(grammar);
    return 0;
}

static llama_token pick_best(const float *logits, int n)
{
    int i, best = 0;

    for (i = 1; i < n; i++) {
        if (logits[i] > logits[best])
            best = i;
    }
    return best;
}

/* The n best of the vocabulary in falling order into l->candidates. */
static void pick_top(struct llama *l, const float *logits, int n)
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
static llama_token pick_allowed(struct llama *l, struct llama_slot *s, size_t n)
{
    llama_token_data_array some = {l->candidates, n, -1, false};
    size_t i, k = 0;

    llama_sampler_apply(s->grammar, &some);
    for (i = 1; i < some.size; i++) {
        if (some.data[i].logit > some.data[k].logit)
            k = i;
    }
    return isinf(some.data[k].logit) ? LLAMA_TOKEN_NULL : some.data[k].id;
}

/* Checking a whole vocabulary is slow, so the best few are checked before
 * all; the outcome is the same. */
llama_token llama_slot_pick(struct llama *l, struct llama_slot *s)
{
    const float *logits = llama_get_logits_ith(l->ctx, s->at);
    int few = l->n_vocab < LLAMA_FEW ? l->n_vocab : LLAMA_FEW, i;
    llama_token id;

    if (s->grammar == NULL)
        return pick_best(logits, l->n_vocab);
    pick_top(l, logits, few);
    id = pick_allowed(l, s, (size_t)few);
    if (id != LLAMA_TOKEN_NULL)
        return id;
    for (i = 0; i < l->n_vocab; i++)
        l->candidates[i] = (llama_token_data){i, logits[i], 0};
    return pick_allowed(l, s, (size_t)l->n_vocab);
}

#else

extern int eb_engine_llama_pick_absent; /* ISO C wants a declaration */

#endif
