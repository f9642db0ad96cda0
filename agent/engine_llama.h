/* What the files of the llama engine share (llama.h of 0.5.0). */
#ifndef EB_ENGINE_LLAMA_H
#define EB_ENGINE_LLAMA_H

#include <ggml-cpu.h>
#include <llama.h>
#include <sched.h>
#include <stdint.h>

#include "agent/engine.h"

#define LLAMA_PIECE_MAX 256

/* A request and what of it is in the KV cache, as sequence number `slot`.
 * A free slot keeps its tokens: the next prompt may begin alike. */
struct llama_slot {
    enum {
        LLAMA_FREE,
        LLAMA_WAITING, /* for room */
        LLAMA_READING, /* the prompt */
        LLAMA_WRITING
    } state;
    llama_token *tokens; /* prompt and reply; base.ctx + 1 places */
    int n;
    int n_prompt;
    int done;     /* tokens in the cache */
    int borrowed; /* of these, shared with the prefix */
    int cached;   /* prompt tokens that were not computed again */
    int limit;    /* most tokens that it may come to */
    int at;       /* its logits in the batch; -1: none */
    int64_t arrival;
    struct llama_sampler *grammar;
    char *grammar_text;
    char piece[LLAMA_PIECE_MAX];
};

struct llama {
    struct eb_engine base;
    char *path;
    struct eb_engine_settings settings;
    struct llama_model *model;
    struct llama_context *ctx;
    struct ggml_threadpool *threads; /* NULL: the library makes its own */
    cpu_set_t before; /* where the calling thread was, if it is pinned */
    int pinned;
    const struct llama_vocab *vocab;
    int n_vocab;
    int cells; /* of the KV cache, shared by all sequences */
    struct llama_slot *slots;
    /* What many prompts begin with, as sequence number base.slots. */
    llama_token *prefix;
    int n_prefix;
    int64_t arrivals;   /* requests so far */
    llama_token *fresh; /* a prompt before its slot takes it */
    struct llama_batch batch;
    llama_token_data *candidates; /* n_vocab */
    unsigned random;
    /* Buffers by the library's own account; 0: not told. */
    double weights_bytes, cache_bytes, compute_bytes;
    /* The bench has a context of its own, as large as its shape: a larger one
     * is slower. NULL: none now. */
    struct llama_context *bench;
    struct eb_bench_shape bench_shape;
    int bench_filled; /* its depth is in the cache */
};

/* Members of the driver's table that engine_llama_slots.c holds. */
int llama_slot_start(struct eb_engine *e, int slot, const struct eb_request *r,
                     struct eb_err *err);
int llama_slot_step(struct eb_engine *e, struct eb_event *events, size_t *n,
                    struct eb_err *err);
void llama_slot_cancel(struct eb_engine *e, int slot);
void llama_slot_clear(struct eb_engine *e);
/* ... and engine_llama_score.c. */
int llama_score(struct eb_engine *e, const char *prompt,
                const char *const *options, size_t n, double *logprob,
                struct eb_err *err);
/* ... and engine_llama_bench.c. */
int llama_bench_fill(struct eb_engine *e, const struct eb_bench_shape *s,
                     struct eb_err *err);
int llama_bench(struct eb_engine *e, const struct eb_bench_shape *s,
                struct eb_err *err);

/* Cuts what a free slot holds to its first n tokens. */
void llama_slot_keep(struct llama *l, struct llama_slot *s, int n);

/* Replaces the slot's grammar; NULL: none. EB_EINVAL if it is not one. */
int llama_slot_constrain(struct llama *l, struct llama_slot *s,
                         const char *grammar, struct eb_err *err);
/* The slot's next token by the logits at s->at: grammar first, then the most
 * likely. LLAMA_TOKEN_NULL if no token fits the grammar. */
llama_token llama_slot_pick(struct llama *l, struct llama_slot *s);

/* What llama_new_context asks the library for. */
struct llama_context_params llama_context_wanted(struct llama *l, int cells,
                                                 int sequences);
/* A context of the model for so many cells, shared by the sequences; NULL if
 * there is no memory. */
struct llama_context *llama_new_context(struct llama *l, int cells,
                                        int sequences);
void llama_bench_close(struct llama *l);
/* The slots' context is made at open and given up for the bench's: two at
 * once are more than a device may have memory for. What slots hold is lost. */
void llama_context_drop(struct llama *l);
/* Makes it anew if it was given up; EB_EENGINE: it cannot be made. */
int llama_context_need(struct llama *l, struct eb_err *err);
/* EB_EBUSY if a slot is in use. */
int llama_slots_free(const struct llama *l, struct eb_err *err);
/* All slots are free and hold nothing. */
void llama_slots_forget(struct llama *l);
/* Adds the record's `model.shape` (engine_llama_shape.c). */
void llama_shape(struct llama *l, cJSON *model);

/* llama_decode with its errors as ours; clears all on failure. */
int llama_decode_batch(struct llama *l, struct llama_batch batch,
                       struct eb_err *err);

#endif
