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
    rc = llama_context_need(l, err);
    if (rc == 0)
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
    s->arrival = l->arrivals++;
    s->state = LLAMA_WAITING;
    return 0;
}

void llama_slot_cancel(struct eb_engine *e, int slot)
{
    ((struct llama *)e)->slots[slot].state = LLAMA_FREE;
}

int llama_slots_free(const struct llama *l, struct eb_err *err)
{
    int i;

    for (i = 0; i < l->base.slots; i++) {
        if (l->slots[i].state != LLAMA_FREE)
            return eb_fail(err, EB_EBUSY, "slot %d is in use", i);
    }
    return 0;
}

void llama_slots_forget(struct llama *l)
{
    int i;

    for (i = 0; i < l->base.slots; i++) {
        l->slots[i].state = LLAMA_FREE;
        l->slots[i].done = l->slots[i].borrowed = 0;
    }
    l->n_prefix = 0;
}

void llama_slot_clear(struct eb_engine *e)
{
    struct llama *l = (struct llama *)e;
    struct eb_err err = {0};

    llama_bench_close(l);
    llama_slots_forget(l);
    /* If it cannot be made now, the next request tells why. */
    if (llama_context_need(l, &err) == 0)
        llama_memory_clear(llama_get_memory(l->ctx), false);
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

/* An upper bound of the cells in use beside the slot's: what active slots may
 * come to counts, not what they hold. As if the prefix had n_prefix tokens, of
 * which the first `same` are the present one's. */
static int slots_cells(const struct llama *l, const struct llama_slot *but,
                       int n_prefix, int same)
{
    int used = n_prefix, i;

    for (i = 0; i < l->base.slots; i++) {
        const struct llama_slot *s = &l->slots[i];

        if (s != but)
            used += (slot_active(s) ? s->limit : s->done) -
                    (s->borrowed < same ? s->borrowed : same);
    }
    return used;
}

/* A slot that holds cells which no reply needs; NULL if there is none. Those
 * of a waiting prompt last: it may build on them. */
static struct llama_slot *slots_idle(struct llama *l,
                                     const struct llama_slot *but)
{
    struct llama_slot *waiting = NULL;
    int i;

    for (i = 0; i < l->base.slots; i++) {
        struct llama_slot *s = &l->slots[i];

        if (s == but || s->done == 0 || slot_active(s))
            continue;
        if (s->state == LLAMA_FREE)
            return s;
        waiting = s;
    }
    return waiting;
}

/* Makes room for `more` cells of the slot; 0 if it has to wait. Without an
 * active slot there is always room: a prefix and a slot have two times
 * base.ctx tokens at most, and the cache more cells. */
static int slot_room(struct llama *l, const struct llama_slot *s, int n_prefix,
                     int same, int more)
{
    struct llama_slot *idle;

    while (slots_cells(l, s, n_prefix, same) + more > l->cells) {
        idle = slots_idle(l, s);
        if (idle == NULL ||
            (idle->state == LLAMA_WAITING && slots_active(l) > 0))
            return 0;
        llama_slot_keep(l, idle, 0);
    }
    return 1;
}

/* The shared prefix */

/* The longest beginning that the prompt shares with another that is under way
 * or waits. What free slots hold does not count: a prompt alone would pay for
 * a prefix that nobody shares. */
static int prefix_wanted(const struct llama *l, const struct llama_slot *s)
{
    int best = 0, i, n;

    for (i = 0; i < l->base.slots; i++) {
        const struct llama_slot *o = &l->slots[i];

        if (o == s || o->state == LLAMA_FREE)
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

/* Makes the first n tokens of the slot's prompt the prefix; the first `same`
 * are. Slots keep what they borrowed of the one before, as their own. */
static int prefix_change(struct llama *l, const struct llama_slot *s, int n,
                         int same, struct eb_err *err)
{
    int i;

    same = slot_cut(l, slot_prefix_seq(l), same);
    for (i = 0; i < l->base.slots; i++) {
        if (l->slots[i].borrowed > same)
            l->slots[i].borrowed = same;
    }
    memcpy(l->prefix, s->tokens, (size_t)n * sizeof(*l->prefix));
    l->n_prefix = n;
    return prefix_decode(l, same, n, err);
}

static void prefix_borrow(struct llama *l, struct llama_slot *s, int n)
{
    llama_slot_keep(l, s, 0);
    llama_memory_seq_cp(llama_get_memory(l->ctx), slot_prefix_seq(l),
                        slot_number(l, s), 0, n);
    s->done = s->borrowed = n;
}

/* One step */

/* Begins to read the slot's prompt behind the best beginning: its own, the
 * prefix's, or a new prefix if others have the same. *admitted: 0 if there is
 * no room yet. */
static int slot_admit(struct llama *l, struct llama_slot *s, int *admitted,
                      struct eb_err *err)
{
    int shared =
        slot_common(l->prefix, l->n_prefix, s->tokens, s->n_prompt - 1);
    int wanted = prefix_wanted(l, s), computed = 0, best, rc;

    best = shared > s->done ? shared : s->done;
    *admitted = 1;
    if (wanted >= SLOT_SHARE_MIN + best &&
        slot_room(l, s, wanted, shared, s->limit - wanted)) {
        llama_slot_keep(l, s, 0);
        rc = prefix_change(l, s, wanted, shared, err);
        if (rc != 0)
            return rc;
        prefix_borrow(l, s, wanted);
        computed = wanted - shared;
    } else if (shared > s->done &&
               slot_room(l, s, l->n_prefix, l->n_prefix, s->limit - shared)) {
        prefix_borrow(l, s, shared);
    } else if (l->base.slots > 1 && !slot_room(l, s, l->n_prefix, l->n_prefix,
                                               s->limit - s->borrowed)) {
        *admitted = 0;
        return 0;
    }
    s->cached = s->done - computed;
    s->state = LLAMA_READING;
    return 0;
}

/* Of the slots in a state, the one that came first after another; NULL: none.
 * First come, first served: else a long prompt would wait for ever behind
 * short ones. */
static struct llama_slot *slot_next(struct llama *l, int state,
                                    const struct llama_slot *after)
{
    struct llama_slot *next = NULL;
    int i;

    for (i = 0; i < l->base.slots; i++) {
        struct llama_slot *s = &l->slots[i];

        if ((int)s->state == state &&
            (after == NULL || s->arrival > after->arrival) &&
            (next == NULL || s->arrival < next->arrival))
            next = s;
    }
    return next;
}

static int slots_admit(struct llama *l, struct eb_err *err)
{
    struct llama_slot *s;
    int admitted = 1, rc = 0;

    while (rc == 0 && admitted &&
           (s = slot_next(l, LLAMA_WAITING, NULL)) != NULL)
        rc = slot_admit(l, s, &admitted, err);
    return rc;
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
    struct llama_slot *s;
    int i, rc = 0;

    for (*n = 0; *n == 0 && rc == 0;) {
        rc = slots_admit(l, err);
        if (rc != 0 || slots_active(l) == 0)
            return rc;
        l->batch.n_tokens = 0;
        /* Tokens of replies first: prompts fill what is left. */
        for (s = NULL; (s = slot_next(l, LLAMA_WRITING, s)) != NULL;)
            slot_batch(l, s);
        for (s = NULL; (s = slot_next(l, LLAMA_READING, s)) != NULL;)
            slot_batch(l, s);
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
