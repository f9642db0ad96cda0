/* Engine plug-ins of edgebench: one shared library a vendor runtime.
 *
 * The library exports one symbol, edgebench_plugin, a function that returns
 * the struct below; examples/plugin is the smallest whole one. Use it as
 *
 *     edgebench engine check ./libx.so:MODEL
 *     edgebench run --suite custsvc -m plugin:./libx.so:MODEL
 *
 * This header includes nothing of edgebench and may be copied into another
 * tree; it is under the licence of edgebench. Plain C types only; C++ is fine.
 *
 * Rules
 *   - One thread calls an engine, from open to close. The plug-in may have
 *     threads of its own. Several engines may be open at once.
 *   - Strings are UTF-8 and NUL-terminated. What edgebench passes is its own
 *     and good during the call: copy what you keep. What the plug-in passes
 *     stays the plug-in's: `piece` is good until the next step, or the next
 *     start or cancel of its slot, the struct and its strings for ever (the
 *     library is never unloaded).
 *   - Functions return 0 or one of the codes below, and then write one
 *     sentence for a person into `why` (no newline).
 *   - Never print, never exit, never install signal handlers, never read the
 *     clock to report times: edgebench stamps each event as it arrives.
 *   - Decode greedily: the same prompt gives the same text.
 */
#ifndef EDGEBENCH_PLUGIN_H
#define EDGEBENCH_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Another number: no member can be relied on, edgebench refuses. Members that
 * are added at the end leave it as it is and enlarge `size`. */
#define EDGEBENCH_PLUGIN_ABI 1u

enum edgebench_code {
    EDGEBENCH_OK = 0,
    EDGEBENCH_ENOENT = -4,   /* no such model */
    EDGEBENCH_EINVAL = -8,   /* a grammar that is none; a free slot is wanted */
    EDGEBENCH_ELIMIT = -9,   /* longer than the context; the context is full */
    EDGEBENCH_ENET = -11,    /* an accelerator or server that is gone */
    EDGEBENCH_EENGINE = -14, /* everything else */
    EDGEBENCH_EABORT = -15   /* stop said so */
};

struct edgebench_settings {
    uint32_t size; /* of this struct in the edgebench that calls */
    int32_t threads;
    int32_t ctx; /* tokens of one request */
    int32_t batch;
    int32_t ubatch;
    int32_t slots; /* replies at once, 1 or more */
    /* Ask it with stop_arg at least every 50 ms in step and bench; nonzero:
     * end with EDGEBENCH_EABORT. It may be NULL. Good until close. */
    int (*stop)(void *arg);
    void *stop_arg;
};

/* What open says of the engine that it made. */
struct edgebench_opened {
    int32_t ctx;   /* tokens that a request really has room for */
    int32_t slots; /* replies at once that really are worked on, 1 or more */
};

struct edgebench_message {
    const char *role; /* system, user, assistant */
    const char *text;
};

struct edgebench_request {
    const char *prompt;  /* as render wrote it */
    const char *grammar; /* GBNF with the start symbol root, or NULL */
    int32_t max_tokens;
};

/* What a step did to one slot: text of one token, or the end of the reply. */
struct edgebench_event {
    int32_t slot;
    int32_t token; /* its number; -1: not known */
    const char *piece;
    size_t len;
    int32_t over;     /* 1: the reply is over and the slot is free */
    int32_t code;     /* with over: 0 if the model ended it */
    char detail[160]; /* with over and a code: one sentence */
    /* With over; -1: not known. */
    int32_t prompt_tokens;
    int32_t cached_tokens; /* of these, not computed again */
    int32_t reply_tokens;
};

struct edgebench_plugin {
    uint32_t abi;        /* EDGEBENCH_PLUGIN_ABI */
    uint32_t size;       /* sizeof(struct edgebench_plugin) */
    const char *name;    /* of the runtime: "openvino-genai" */
    const char *version; /* of the runtime and the plug-in: "2026.1, 3" */

    /* model: what follows the library's name on the command line, "" if
     * nothing. *engine is handed to all other functions. */
    int (*open)(const char *model, const struct edgebench_settings *settings,
                void **engine, struct edgebench_opened *opened, char *why,
                size_t why_size);
    void (*close)(void *engine);

    /* What only the engine knows, as a JSON object of at most three objects:
     * {"runtime":{"backends":["NPU"]},"model":{"parameters":1000000},
     * "memory":{"model_bytes":4000000}}. Names as in common/RECORD.md; leave
     * out what you do not know. Writes at most size bytes with the NUL and
     * returns the length that the whole text has, as snprintf does, or a
     * code. May be NULL. */
    int (*facts)(void *engine, char *out, size_t size);

    /* Writes the messages in the model's chat template; size and return
     * value as for facts. NULL: prompts are the messages as JSON,
     * [{"role":"user","content":"..."}]. */
    int (*render)(void *engine, const struct edgebench_message *messages,
                  size_t n, char *out, size_t size);

    /* Takes a request into a free slot, quickly; step does the work. */
    int (*start)(void *engine, int32_t slot,
                 const struct edgebench_request *request, char *why,
                 size_t why_size);
    /* Works until something happened in at least one slot that has a reply:
     * at most one event a slot into events, which has opened.slots places,
     * and their number into *n. A reply that fails is an event; a code of
     * step itself ends all replies. Without a reply in any slot: *n = 0. */
    int (*step)(void *engine, struct edgebench_event *events, size_t *n,
                char *why, size_t why_size);
    /* Ends the slot's reply, if it has one; no event follows. */
    void (*cancel)(void *engine, int32_t slot);
    /* Ends all replies and forgets all prompts (the KV cache). */
    void (*clear)(void *engine);
    /* n_prompt tokens as one prompt, then n_gen tokens one by one, waited
     * for, without sampling, as llama-bench does. NULL: the runtime cannot,
     * and the record says so. */
    int (*bench)(void *engine, int32_t n_prompt, int32_t n_gen, char *why,
                 size_t why_size);
};

/* The one symbol. */
#if defined(_WIN32)
__declspec(dllexport)
#elif defined(__GNUC__)
__attribute__((visibility("default")))
#endif
    const struct edgebench_plugin *edgebench_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
