/* The smallest whole plug-in: a "model" that repeats the last thing it was
 * told, a word at a time. Copy this file, put your runtime in where it says
 * YOURS, and let `edgebench engine check ./libecho.so` tell what is missing.
 *
 * Its tokens are words with the blanks before them. The part of the library's
 * path after the colon is a prefix for each reply: libecho.so:You said
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define ECHO_SLOTS_MAX 8
#define ECHO_CTX_MAX 4096 /* YOURS: the model's */

struct echo_slot {
    char *reply; /* all of it; NULL: the slot is free */
    size_t at;   /* what was given */
    int words;   /* ... in tokens */
    int n_prompt;
    int max_tokens;
};

struct echo {
    struct edgebench_settings settings;
    struct edgebench_opened opened;
    char *prefix;
    struct echo_slot slots[ECHO_SLOTS_MAX];
};

/* Length of the next word with the blanks before it; 0 at the end. */
static size_t echo_word(const char *s)
{
    size_t n = strspn(s, " \t\n");

    return n + strcspn(s + n, " \t\n");
}

static int echo_count(const char *s)
{
    int n = 0;

    for (; *s != '\0'; s += echo_word(s))
        n++;
    return n;
}

static void echo_close(void *engine)
{
    struct echo *e = engine;
    int i;

    for (i = 0; i < ECHO_SLOTS_MAX; i++)
        free(e->slots[i].reply);
    free(e->prefix);
    free(e);
}

static int echo_open(const char *model,
                     const struct edgebench_settings *settings, void **engine,
                     struct edgebench_opened *opened, char *why,
                     size_t why_size)
{
    struct echo *e;

    /* YOURS: load the model; say what is wrong in one sentence. */
    if (model[0] == '/') {
        snprintf(why, why_size, "%s: an echo needs no model file", model);
        return EDGEBENCH_ENOENT;
    }
    e = calloc(1, sizeof(*e));
    if (e != NULL)
        e->prefix = strdup(model);
    if (e == NULL || e->prefix == NULL) {
        free(e);
        snprintf(why, why_size, "no memory");
        return EDGEBENCH_EENGINE;
    }
    e->settings = *settings;
    opened->ctx = settings->ctx < ECHO_CTX_MAX ? settings->ctx : ECHO_CTX_MAX;
    opened->slots =
        settings->slots < ECHO_SLOTS_MAX ? settings->slots : ECHO_SLOTS_MAX;
    e->opened = *opened;
    *engine = e;
    return 0;
}

static int echo_facts(void *engine, char *out, size_t size)
{
    (void)engine; /* YOURS: parameters, quantization, memory */
    return snprintf(out, size,
                    "{\"runtime\":{\"backends\":[\"CPU\"]},"
                    "\"model\":{\"architecture\":\"echo\",\"parameters\":0,"
                    "\"quantization\":\"none\",\"constrained\":\"none\"}}");
}

/* YOURS: the model's chat template. An echo looks at the last message only. */
static int echo_render(void *engine, const struct edgebench_message *messages,
                       size_t n, char *out, size_t size)
{
    (void)engine;
    return snprintf(out, size, "%s", n > 0 ? messages[n - 1].text : "");
}

static int echo_start(void *engine, int32_t slot,
                      const struct edgebench_request *request, char *why,
                      size_t why_size)
{
    struct echo *e = engine;
    struct echo_slot *s;
    int n = echo_count(request->prompt);
    size_t size;

    if (slot < 0 || slot >= e->opened.slots || e->slots[slot].reply != NULL) {
        snprintf(why, why_size, "slot %d is not free", (int)slot);
        return EDGEBENCH_EINVAL;
    }
    if (n >= e->opened.ctx) {
        snprintf(why, why_size, "prompt of %d tokens exceeds the context of %d",
                 n, (int)e->opened.ctx);
        return EDGEBENCH_ELIMIT;
    }
    /* YOURS: a grammar that you cannot use is ignored; facts says "none". */
    s = &e->slots[slot];
    size = strlen(e->prefix) + strlen(request->prompt) + 2;
    s->reply = malloc(size);
    if (s->reply == NULL) {
        snprintf(why, why_size, "no memory");
        return EDGEBENCH_EENGINE;
    }
    snprintf(s->reply, size, "%s%s%s", e->prefix, *e->prefix != '\0' ? " " : "",
             request->prompt);
    s->at = 0;
    s->words = 0;
    s->n_prompt = n;
    s->max_tokens = request->max_tokens;
    return 0;
}

static void echo_cancel(void *engine, int32_t slot)
{
    struct echo *e = engine;

    free(e->slots[slot].reply);
    e->slots[slot].reply = NULL;
}

/* One token, or the end, which comes in a call of its own: the piece before it
 * had to stay good until then. */
static void echo_event(struct echo *e, int slot, struct edgebench_event *event)
{
    struct echo_slot *s = &e->slots[slot];
    size_t len = echo_word(s->reply + s->at);

    memset(event, 0, sizeof(*event));
    event->slot = slot;
    event->token = -1;
    event->prompt_tokens = event->cached_tokens = event->reply_tokens = -1;
    if (len > 0 && s->words < s->max_tokens &&
        s->n_prompt + s->words < e->opened.ctx) {
        event->piece = s->reply + s->at;
        event->len = len;
        s->at += len;
        s->words++;
        return;
    }
    event->over = 1;
    if (len > 0) {
        event->code = EDGEBENCH_ELIMIT;
        snprintf(event->detail, sizeof(event->detail), "token limit");
    }
    event->prompt_tokens = s->n_prompt;
    event->cached_tokens = 0;
    event->reply_tokens = s->words;
    echo_cancel(e, slot);
}

static int echo_step(void *engine, struct edgebench_event *events, size_t *n,
                     char *why, size_t why_size)
{
    struct echo *e = engine;
    int i;

    *n = 0;
    /* YOURS: ask it also within long work, at least every 50 ms. */
    if (e->settings.stop != NULL && e->settings.stop(e->settings.stop_arg)) {
        for (i = 0; i < e->opened.slots; i++)
            echo_cancel(e, i);
        snprintf(why, why_size, "stopped");
        return EDGEBENCH_EABORT;
    }
    /* YOURS: one batch with one token of each slot. */
    for (i = 0; i < e->opened.slots; i++) {
        if (e->slots[i].reply != NULL)
            echo_event(e, i, &events[(*n)++]);
    }
    return 0;
}

static void echo_clear(void *engine)
{
    struct echo *e = engine;
    int i;

    for (i = 0; i < e->opened.slots; i++)
        echo_cancel(e, i);
    /* YOURS: empty the KV cache. */
}

static const struct edgebench_plugin echo_plugin = {
    EDGEBENCH_PLUGIN_ABI,
    sizeof(struct edgebench_plugin),
    "echo",
    "1",
    echo_open,
    echo_close,
    echo_facts,
    echo_render,
    echo_start,
    echo_step,
    echo_cancel,
    echo_clear,
    NULL, /* YOURS: bench, if the runtime can */
};

const struct edgebench_plugin *edgebench_plugin(void)
{
    return &echo_plugin;
}
