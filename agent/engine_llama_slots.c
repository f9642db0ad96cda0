/* llama.cpp in process: many requests in one context. Slots are refilled as
 * replies end (continuous batching), and what prompts have in common is
 * decoded once and shared through llama_memory_seq_cp. */
#ifdef EB_HAVE_LLAMA

#include <stdio.h>
#include <string.h>

#include "agent/engine_llama.h"

/* Fewer tokens are not worth a prefix of their own. */
#define SLOT_SHARE_MIN 32

static int slot_number(const struct llama *l, const struct llama_slot *s)
{
    return (int)(s - l->slots);
}

static int slot_common(const llama_token *a, int na, const llama_token *b,
                       int nb)
{
    int i = 0;

    while (i < na && i < nb && a[i] == b[i])
        i++;
    return i;
}

/* Cuts a sequence to its first n tokens; 0 if it had to be dropped whole. */
static int slot_cut(struct llama *l, int seq, int n)
{
    llama_memory_t memory = llama_get_memory(l->ctx);

    if (llama_memory_seq_rm(memory, seq, n, -1))
        return n;
    llama_memory_seq_rm(memory, seq, -1, -1);
    return 0;
}

void llama_slot_keep(struct llama *l, struct llama_slot *s, int n)
{
    if (n < s->done)
        s->done = slot_cut(l, slot_number(l, s), n);
    if (s->borrowed > s->done)
        s->borrowed = s->done;
}

static int slot_prefix_seq(const struct llama *l)
{
    return l->base.slots;
}

/* Requests */

int llama_slot_start(struct eb_engine *e, int slot, const struct eb_request *r,
                     struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    struct llama_slot *s = &l->slots[slot];
    int room = l->base.ctx, n, rc;

    if (s->state != LLAMA_FREE)
        return eb_fail(err, EB_EBUSY, "slot %d is in use", slot);
    rc = llama_slot_constrain(l, s, r->grammar, err);
    if (rc != 0)
        return rc;
    n = llama_tokenize(l->vocab, r->prompt, (int32_t)strlen(r->prompt),
                       l->fresh, room, true, true);
    if (n < 0 || n >= room)
        return eb_fail(err, EB_ELIMIT,
                       "prompt of %d tokens exceeds the context of %d",
                       n < 0 ? -n : n, room);
    if (n == 0)
        return eb_fail(err, EB_EENGINE, "the prompt has no token");
    /* Never all of the prompt: its last token gives the first logits. */
    llama_slot_keep(l, s, slot_common(s->tokens, s->done, l->fresh, n - 1));
    memcpy(s->tokens, l->fresh, (size_t)n * sizeof(*s->tokens));
    s->n = s->n_prompt = n;
    s->limit = r->max_tokens < room - n ? n + r->max_tokens : room;
    s->state = LLAMA_WAITING;
    return 0;
}

void llama_slot_cancel(struct eb_engine *e, int slot)
{
    ((struct llama *)e)->slots[slot].state = LLAMA_FREE;
}

void llama_slot_clear(struct eb_engine *e)
{
    struct llama *l = (struct llama *)e;
    int i;

    llama_memory_clear(llama_get_memory(l->ctx), false);
    for (i = 0; i < l->base.slots; i++) {
        l->slots[i].state = LLAMA_FREE;
        l->slots[i].done = l->slots[i].borrowed = 0;
    }
    l->n_prefix = l->n_stale = 0;
}

/* Room in the cache */

static int slot_active(const struct llama_slot *s)
{
    return s->state == LLAMA_READING || s->state == LLAMA_WRITING;
}

static int slots_active(const struct llama *l)
{
    int i, n = 0;

    for (i = 0; i < l->base.slots; i++)
        n += slot_active(&l->slots[i]);
    return n;
}

/* An upper bound: what active slots may come to counts, not what they hold. */
static int slots_cells(const struct llama *l)
{
    int used = l->n_prefix + l->n_stale, i;

    for (i = 0; i < l->base.slots; i++) {
        const struct llama_slot *s = &l->slots[i];

        used += (slot_active(s) ? s->limit : s->done) - s->borrowed;
    }
    return used;
}

/* Frees what no reply needs, but the slot's own tokens. */
static void slots_trim(struct llama *l, const struct llama_slot *wanted)
{
    int i;

    for (i = 0; i < l->base.slots; i++) {
        if (!slot_active(&l->slots[i]) && &l->slots[i] != wanted)
            llama_slot_keep(l, &l->slots[i], 0);
    }
}

static int slot_fits(struct llama *l, struct llama_slot *s)
{
    int more = s->limit - s->done;

    if (l->base.slots == 1 || slots_cells(l) + more <= l->cells)
        return 1;
    slots_trim(l, s);
    if (slots_cells(l) + more <= l->cells)
        return 1;
    if (slots_active(l) > 0)
        return 0;
    /* Alone, it fits once the prefix is gone. */
    llama_slot_keep(l, s, 0);
    slot_cut(l, slot_prefix_seq(l), 0);
    l->n_prefix = l->n_stale = 0;
    return 1;
}

/* The shared prefix */

/* The old prefix's cells are free again when no slot borrows them. */
static void prefix_settle(struct llama *l)
{
    int i;

    for (i = 0; i < l->base.slots && l->n_stale > 0; i++) {
        const struct llama_slot *s = &l->slots[i];

        if (s->borrowed > 0 && s->generation != l->generation)
            return;
    }
    l->n_stale = 0;
}

/* The longest beginning that the prompt shares with another slot's. */
static int prefix_wanted(const struct llama *l, const struct llama_slot *s)
{
    int best = 0, i, n;

    for (i = 0; i < l->base.slots; i++) {
        const struct llama_slot *o = &l->slots[i];

        if (o == s || o->n_prompt == 0)
            continue;
        n = slot_common(s->tokens, s->n_prompt - 1, o->tokens, o->n_prompt - 1);
        if (n > best)
            best = n;
    }
    return best;
}

static int prefix_decode(struct llama *l, int from, int to, struct eb_err *err)
{
    struct llama_batch *b = &l->batch;
    int rc = 0;

    while (from < to && rc == 0) {
        for (b->n_tokens = 0; from < to && b->n_tokens < l->settings.batch;
             from++) {
            b->token[b->n_tokens] = l->prefix[from];
            b->pos[b->n_tokens] = from;
            b->n_seq_id[b->n_tokens] = 1;
            b->seq_id[b->n_tokens][0] = slot_prefix_seq(l);
            b->logits[b->n_tokens++] = 0;
        }
        rc = llama_decode_batch(l, *b, err);
    }
    return rc;
}

/* Makes the first n tokens of the slot's prompt the prefix. */
static int prefix_change(struct llama *l, const struct llama_slot *s, int n,
                         struct eb_err *err)
{
    int same = slot_common(l->prefix, l->n_prefix, s->tokens, n);
    int i;

    for (i = 0; i < l->base.slots; i++) {
        struct llama_slot *o = &l->slots[i];

        if (!slot_active(o) && o->borrowed > 0)
            llama_slot_keep(l, o, 0);
    }
    l->n_stale = l->n_prefix;
    l->generation++;
    prefix_settle(l);
    same = slot_cut(l, slot_prefix_seq(l), same);
    memcpy(l->prefix, s->tokens, (size_t)n * sizeof(*l->prefix));
    l->n_prefix = n;
    return prefix_decode(l, same, n, err);
}

/* Gives the slot the best beginning: its own, the prefix's, or a new prefix
 * if others wait for the same. *later: the new prefix must wait until the one
 * before the present is free. */
static int prefix_borrow(struct llama *l, struct llama_slot *s, int *later,
                         struct eb_err *err)
{
    int shared, wanted, rc;

    *later = 0;
    if (l->base.slots == 1)
        return 0;
    shared = slot_common(l->prefix, l->n_prefix, s->tokens, s->n_prompt - 1);
    wanted = prefix_wanted(l, s);
    if (wanted >= SLOT_SHARE_MIN + (shared > s->done ? shared : s->done)) {
        *later = l->n_stale > 0 && wanted > s->n_prompt / 2;
        if (*later || l->n_stale > 0)
            return 0;
        rc = prefix_change(l, s, wanted, err);
        if (rc != 0)
            return rc;
        shared = wanted;
    }
    if (shared <= s->done)
        return 0;
    llama_slot_keep(l, s, 0);
    llama_memory_seq_cp(llama_get_memory(l->ctx), slot_prefix_seq(l),
                        slot_number(l, s), 0, shared);
    s->done = s->borrowed = shared;
    s->generation = l->generation;
    return 0;
}

/* One step */

static int slots_admit(struct llama *l, struct eb_err *err)
{
    int i, later, rc;

    prefix_settle(l);
    for (i = 0; i < l->base.slots; i++) {
        struct llama_slot *s = &l->slots[i];

        if (s->state != LLAMA_WAITING)
            continue;
        rc = prefix_borrow(l, s, &later, err);
        if (rc != 0)
            return rc;
        if (later || !slot_fits(l, s))
            continue;
        s->cached = s->done;
        s->state = LLAMA_READING;
    }
    return 0;
}

static void slot_batch(struct llama *l, struct llama_slot *s)
{
    struct llama_batch *b = &l->batch;

    s->at = -1;
    while (slot_active(s) && s->done < s->n &&
           b->n_tokens < l->settings.batch) {
        b->token[b->n_tokens] = s->tokens[s->done];
        b->pos[b->n_tokens] = s->done;
        b->n_seq_id[b->n_tokens] = 1;
        b->seq_id[b->n_tokens][0] = slot_number(l, s);
        b->logits[b->n_tokens] = ++s->done == s->n;
        if (s->done == s->n)
            s->at = b->n_tokens;
        b->n_tokens++;
    }
}

static void slot_over(struct llama_slot *s, struct eb_event *e, int rc,
                      const char *detail)
{
    e->over = 1;
    e->rc = rc;
    snprintf(e->detail, sizeof(e->detail), "%s", detail);
    e->reply_tokens = s->n - s->n_prompt;
    s->state = LLAMA_FREE;
}

static void slot_limit(const struct llama *l, struct llama_slot *s,
                       struct eb_event *e)
{
    char full[64];

    snprintf(full, sizeof(full), "the context of %d tokens is full",
             l->base.ctx);
    slot_over(s, e, EB_ELIMIT, s->n < l->base.ctx ? "token limit" : full);
}

static void slot_event(struct llama *l, struct llama_slot *s,
                       struct eb_event *e)
{
    llama_token id = llama_slot_pick(l, s);
    int n;

    memset(e, 0, sizeof(*e));
    e->slot = slot_number(l, s);
    e->token = id;
    e->prompt_tokens = s->n_prompt;
    e->cached_tokens = s->cached;
    if (id == LLAMA_TOKEN_NULL) {
        slot_over(s, e, EB_EENGINE,
                  "no token of the vocabulary fits the grammar");
    } else if (llama_vocab_is_eog(l->vocab, id)) {
        slot_over(s, e, 0, "");
    } else if (s->n >= s->limit) {
        slot_limit(l, s, e);
    } else {
        if (s->grammar != NULL)
            llama_sampler_accept(s->grammar, id);
        n = llama_token_to_piece(l->vocab, id, s->piece, sizeof(s->piece), 0,
                                 false);
        e->piece = s->piece;
        e->len = n > 0 ? (size_t)n : 0;
        s->tokens[s->n++] = id;
        s->state = LLAMA_WRITING;
    }
}

int llama_slot_step(struct eb_engine *e, struct eb_event *events, size_t *n,
                    struct eb_err *err)
{
    struct llama *l = (struct llama *)e;
    int i, rc = 0;

    for (*n = 0; *n == 0 && rc == 0;) {
        rc = slots_admit(l, err);
        if (rc != 0 || slots_active(l) == 0)
            return rc;
        l->batch.n_tokens = 0;
        /* Tokens of replies first: prompts fill what is left. */
        for (i = 0; i < l->base.slots; i++)
            if (l->slots[i].state == LLAMA_WRITING)
                slot_batch(l, &l->slots[i]);
        for (i = 0; i < l->base.slots; i++)
            if (l->slots[i].state == LLAMA_READING)
                slot_batch(l, &l->slots[i]);
        rc = llama_decode_batch(l, l->batch, err);
        for (i = 0; i < l->base.slots && rc == 0; i++)
            if (slot_active(&l->slots[i]) && l->slots[i].at >= 0)
                slot_event(l, &l->slots[i], &events[(*n)++]);
    }
    return rc;
}

#else

extern int eb_engine_llama_slots_absent; /* ISO C wants a declaration */

#endif
