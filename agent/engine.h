/* Inference engines: one file a driver, one table.
 *
 *     struct eb_engine *e;
 *     rc = eb_engine_open("m.gguf", &settings, &e, &err);
 *     rc = e->ops->render(e, messages, 2, &prompt, &err);
 *     rc = e->ops->constrain(e, grammar, &err);
 *     rc = e->ops->start(e, prompt.data, &info, &err);
 *     while ((rc = e->ops->next(e, &token, &err)) == 0 && !token.end)
 *         ...
 *     eb_engine_close(e);
 *
 * Drivers never read the clock and never log: the runner stamps every token,
 * so that all engines are measured by the same code. One thread an engine.
 */
#ifndef EB_ENGINE_H
#define EB_ENGINE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

struct eb_engine_settings {
    int threads;
    int ctx; /* tokens; a model trained on less gets less */
    int batch;
    int ubatch;
    /* Asked during long work; nonzero makes it end with EB_EABORT. */
    int (*stop)(void *arg);
    void *stop_arg;
};

struct eb_message {
    const char *role; /* system, user, assistant */
    const char *text;
};

struct eb_token {
    int id;
    const char *piece; /* bytes, not terminated; good until the next call */
    size_t len;
    int end; /* the model ended its reply: no piece */
};

struct eb_start {
    int prompt_tokens;
    int cached_tokens; /* of these, taken from the reply before */
};

struct eb_engine_ops;

/* Drivers put this first in their own struct. */
struct eb_engine {
    const struct eb_engine_ops *ops;
    int ctx; /* tokens of the context that was made */
};

struct eb_engine_ops {
    const char *name;
    /* EB_ENODEV: not a model for this driver, try the next; EB_ENOENT,
     * EB_EENGINE with one sentence. */
    int (*open)(const char *path, const struct eb_engine_settings *s,
                struct eb_engine **out, struct eb_err *err);
    void (*close)(struct eb_engine *e);
    /* Members of the record's `runtime`; needs no model. */
    void (*runtime)(cJSON *out);
    /* Members of the record's `model` that only the engine knows, and
     * memory.model_bytes into *memory. */
    void (*facts)(struct eb_engine *e, cJSON *model, cJSON *memory);
    /* Appends the prompt: the messages in the model's chat template. */
    int (*render)(struct eb_engine *e, const struct eb_message *m, size_t n,
                  struct eb_buf *out, struct eb_err *err);
    /* The grammar (GBNF, start symbol root) of the next replies; NULL: none.
     * EB_EINVAL if it is not one. Not part of a reply's time. */
    int (*constrain)(struct eb_engine *e, const char *grammar,
                     struct eb_err *err);
    /* Reads the prompt. EB_ELIMIT if the context cannot hold it. */
    int (*start)(struct eb_engine *e, const char *prompt, struct eb_start *info,
                 struct eb_err *err);
    /* One token, greedy. EB_ELIMIT when the context is full. */
    int (*next)(struct eb_engine *e, struct eb_token *t, struct eb_err *err);
    /* Forgets all prompts, also those kept for reuse. */
    void (*clear)(struct eb_engine *e);
    /* n_prompt random tokens as one prompt, then n_gen single ones, each
     * waited for, no sampling: as llama-bench does. After clear. */
    int (*bench)(struct eb_engine *e, int n_prompt, int n_gen,
                 struct eb_err *err);
};

/* All drivers of this build, the fake among them; NULL-terminated. */
extern const struct eb_engine_ops *const eb_engines[];

extern const struct eb_engine_ops eb_engine_fake;
extern const struct eb_engine_ops eb_engine_llama; /* if EB_HAVE_LLAMA */

/* The driver that would take the path: by name before a colon ("fake:key"),
 * else the first of the table. */
const struct eb_engine_ops *eb_engine_for(const char *path);
int eb_engine_open(const char *path, const struct eb_engine_settings *s,
                   struct eb_engine **out, struct eb_err *err);
void eb_engine_close(struct eb_engine *e); /* NULL is fine */

#endif
