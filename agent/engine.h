/* Inference engines: one file a driver, one table.
 *
 *     struct eb_engine *e;
 *     rc = eb_engine_open("m.gguf", &settings, &e, &err);
 *     rc = e->ops->render(e, messages, 2, &prompt, &err);
 *     request = (struct eb_request){prompt.data, grammar, 64};
 *     rc = e->ops->start(e, 0, &request, &err);
 *     do
 *         rc = e->ops->step(e, events, &n, &err);
 *     while (rc == 0 && !(n > 0 && events[0].over));
 *     eb_engine_close(e);
 *
 * An engine answers e->slots requests at once. With one slot it serves one
 * request at a time, as the latency figures want it.
 *
 * Drivers never read the clock and never log: the runner stamps every token,
 * so that all engines are measured by the same code. One thread an engine.
 */
#ifndef EB_ENGINE_H
#define EB_ENGINE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "agent/cpus.h"
#include "common/buf.h"
#include "common/err.h"

struct eb_engine_settings {
    int threads;
    int ctx; /* tokens of one request; a model trained on less gets less */
    int batch;
    int ubatch;
    int slots; /* requests at once, 1 or more; the engine may give less */
    const char *flash_attn; /* on, off, auto; NULL: auto */
    /* Of engines whose driver has takes_place only. */
    const char *kv_type; /* f16, q8_0 (needs flash attention); NULL: f16 */
    struct eb_cpus cpus; /* threads stay on these; none: the kernel chooses */
    /* Asked during long work; nonzero makes it end with EB_EABORT. */
    int (*stop)(void *arg);
    void *stop_arg;
};

struct eb_message {
    const char *role; /* system, user, assistant */
    const char *text;
};

/* One reply wanted. */
struct eb_request {
    const char *prompt;  /* as render wrote it */
    const char *grammar; /* GBNF, start symbol root; NULL: output is free */
    int max_tokens;      /* engines that count their tokens end the reply there;
                            the runner cancels those that do not */
};

/* Some servers stream letters: a reply whose tokens nobody counts ends after
 * so many pieces for each token that it may have. */
#define EB_ENGINE_PIECES_A_TOKEN 16

/* What a step did to one slot: a token, or the end of its reply. */
struct eb_event {
    int slot;
    int token;         /* -1: the piece need not be one token */
    const char *piece; /* bytes, not terminated; good until the next step, or
                          the next start or cancel of this slot */
    size_t len;
    int over; /* no more of this reply; the slot is free */
    int rc;   /* with over: 0 if the model ended it, else why it failed */
    char detail[160];
    int prompt_tokens; /* in the last event at least; -1: not told */
    int cached_tokens; /* of these, not computed again; -1: not told */
    int reply_tokens;  /* with over: by the engine's own count; -1: unknown,
                          then every event with text was one token */
};

/* What a measurement of speed computes: in each of `batch` sequences, behind
 * `depth` tokens that are there already, n_prompt random tokens as a prompt
 * and then n_gen single ones. {512, 0, 0, 1} is llama-bench's pp512. */
struct eb_bench_shape {
    int n_prompt;
    int n_gen;
    int depth;
    int batch;
};

struct eb_engine_ops;

#define EB_ENGINE_GPUS_MAX 16

/* Drivers put this first in their own struct. */
struct eb_engine {
    const struct eb_engine_ops *ops;
    int ctx;                /* tokens of a request that it really takes */
    int slots;              /* requests at once that it really takes */
    const char *flash_attn; /* what it made of it; NULL: does not tell */
    /* The GPUs that it computes on, by PCI id ("0000:01:00.0"); none: on the
     * processor. Only if gpus_known. */
    int gpus_known;
    const char *gpus[EB_ENGINE_GPUS_MAX];
    size_t n_gpus;
};

struct eb_engine_ops {
    const char *name;
    int takes_place; /* cpus and kv_type of the settings */
    /* EB_ENODEV: not a model for this driver, try the next; EB_ENOENT,
     * EB_EENGINE with one sentence. */
    int (*open)(const char *path, const struct eb_engine_settings *s,
                struct eb_engine **out, struct eb_err *err);
    void (*close)(struct eb_engine *e);
    /* Members of the record's `runtime`; needs no model. */
    void (*runtime)(cJSON *out);
    /* Members of the record's `model` that only the engine knows, and
     * its account into *memory: model_bytes, and where it has one
     * weights_bytes, context_bytes (KV cache), compute_bytes. */
    void (*facts)(struct eb_engine *e, cJSON *model, cJSON *memory);
    /* Appends the prompt: the messages in the model's chat template. */
    int (*render)(struct eb_engine *e, const struct eb_message *m, size_t n,
                  struct eb_buf *out, struct eb_err *err);
    /* Takes a request into a free slot; the work is done by step. Strings are
     * copied. EB_EINVAL: no grammar; EB_ELIMIT: longer than the context. */
    int (*start)(struct eb_engine *e, int slot, const struct eb_request *r,
                 struct eb_err *err);
    /* Works until something happened: at most one event a slot, *n of them;
     * events has e->slots places. Greedy. A reply that fails is an event; an
     * error of step itself ends all replies (EB_EABORT, EB_EENGINE). */
    int (*step)(struct eb_engine *e, struct eb_event *events, size_t *n,
                struct eb_err *err);
    /* Ends a slot's reply; no event follows. What was computed may be kept
     * for later prompts. */
    void (*cancel)(struct eb_engine *e, int slot);
    /* Ends all replies and forgets all prompts. */
    void (*clear)(struct eb_engine *e);
    /* The natural log of each option's probability as the continuation of the
     * prompt, all its tokens together. While no slot is busy. NULL: the
     * engine cannot. */
    int (*score)(struct eb_engine *e, const char *prompt,
                 const char *const *options, size_t n, double *logprob,
                 struct eb_err *err);
    /* Before each bench, and not timed: forgets all but the shape's depth in
     * each of its sequences, and what slots hold. EB_EBUSY: a slot is in use;
     * EB_ELIMIT: there is no room for the shape. */
    int (*bench_fill)(struct eb_engine *e, const struct eb_bench_shape *s,
                      struct eb_err *err);
    /* The shape's prompt, then its single tokens, each waited for, no
     * sampling: as llama-bench does. Call clear after the last one. NULL:
     * the engine cannot. */
    int (*bench)(struct eb_engine *e, const struct eb_bench_shape *s,
                 struct eb_err *err);
};

/* All drivers of this build, the fake among them; NULL-terminated. */
extern const struct eb_engine_ops *const eb_engines[];

extern const struct eb_engine_ops eb_engine_fake;
extern const struct eb_engine_ops eb_engine_llama; /* if EB_HAVE_LLAMA */

/* The driver that would take the path: by name before a colon ("fake:key"),
 * else the first of the table. */
const struct eb_engine_ops *eb_engine_for(const char *path);
/* EB_EENGINE too for settings that the driver cannot apply. */
int eb_engine_open(const char *path, const struct eb_engine_settings *s,
                   struct eb_engine **out, struct eb_err *err);
void eb_engine_close(struct eb_engine *e); /* NULL is fine */

#endif
