/* A plug-in with one fault, chosen by a macro; without one it is a model that
 * says "one two" to everything. */
#include <stdio.h>
#include <string.h>

#include "agent/plugin.h"

#define BAD_SLOTS 2

static int bad_at[BAD_SLOTS]; /* 0: free, else the next piece, from 1 */
#ifdef BAD_FORGETFUL
static int bad_calls;
#endif

static int bad_open(const char *model,
                    const struct edgebench_settings *settings, void **engine,
                    struct edgebench_opened *opened, char *why, size_t why_size)
{
    (void)model;
    (void)why;
    (void)why_size;
    opened->ctx = settings->ctx;
    opened->slots = settings->slots < BAD_SLOTS ? settings->slots : BAD_SLOTS;
    *engine = bad_at;
#ifdef BAD_OPEN_FAILS
    memset(why, 'x', why_size); /* not even terminated */
    memcpy(why, "the chip\nis on fire ", 20);
    return -777;
#endif
#ifdef BAD_NO_ENGINE
    *engine = NULL;
#endif
#ifdef BAD_SLOTS_GIVEN
    opened->slots = 99;
#endif
    return 0;
}

static void bad_close(void *engine)
{
    (void)engine;
}

static int bad_facts(void *engine, char *out, size_t size)
{
    (void)engine;
#ifdef BAD_FACTS
    return snprintf(out, size, "{\"model\":{\"a\":1,\"a\":2}}");
#else
    return snprintf(out, size, "{}");
#endif
}

static int bad_start(void *engine, int32_t slot,
                     const struct edgebench_request *request, char *why,
                     size_t why_size)
{
    (void)engine;
    (void)request;
    (void)why;
    (void)why_size;
    bad_at[slot] = 1;
    return 0;
}

#ifndef BAD_NO_STEP
static int bad_step(void *engine, struct edgebench_event *events, size_t *n,
                    char *why, size_t why_size)
{
    static const char *const pieces[] = {"one", " two", NULL};
    int i;

    (void)engine;
    (void)why;
    (void)why_size;
    *n = 0;
#ifdef BAD_STEP_FAILS
    snprintf(why, why_size, "lost the device");
    return 42;
#endif
    for (i = 0; i < BAD_SLOTS; i++) {
        struct edgebench_event *e = &events[*n];

        if (bad_at[i] == 0)
            continue;
        memset(e, 0, sizeof(*e));
        e->slot = i;
        e->token = e->prompt_tokens = e->cached_tokens = e->reply_tokens = -1;
        e->piece = pieces[bad_at[i] - 1];
#ifdef BAD_FORGETFUL /* another text each time */
        e->piece = bad_calls++ % 4 == 0 ? "three" : e->piece;
        e->piece = bad_at[i] == 3 ? NULL : e->piece;
#endif
        e->len = e->piece != NULL ? strlen(e->piece) : 0;
#ifdef BAD_EVENT_SLOT
        e->slot = -3;
#endif
#ifdef BAD_PIECE
        e->piece = NULL;
        e->len = 4;
#endif
        if (e->piece == NULL && e->len == 0)
            e->over = 1;
        bad_at[i] = e->over ? 0 : bad_at[i] + 1;
        ++*n;
    }
#ifdef BAD_EVENTS
    *n = 77;
#endif
    return 0;
}
#endif

static void bad_cancel(void *engine, int32_t slot)
{
    (void)engine;
    bad_at[slot] = 0;
}

static void bad_clear(void *engine)
{
    (void)engine;
    memset(bad_at, 0, sizeof(bad_at));
}

static const struct edgebench_plugin bad_plugin = {
#ifdef BAD_ABI
    .abi = EDGEBENCH_PLUGIN_ABI + 6,
#else
    .abi = EDGEBENCH_PLUGIN_ABI,
#endif
#ifdef BAD_SIZE
    .size = 16,
#else
    .size = sizeof(struct edgebench_plugin),
#endif
    .name = "bad",
    .version = "0",
    .open = bad_open,
    .close = bad_close,
    .facts = bad_facts,
    .start = bad_start,
#ifndef BAD_NO_STEP
    .step = bad_step,
#endif
    .cancel = bad_cancel,
    .clear = bad_clear,
};

#ifdef BAD_SYMBOL
const void *edgebench_plugout(void);
const void *edgebench_plugout(void)
{
    return &bad_plugin;
}
#else
const struct edgebench_plugin *edgebench_plugin(void)
{
#ifdef BAD_NULL_STRUCT
    (void)&bad_plugin;
    return NULL;
#else
    return &bad_plugin;
#endif
}
#endif
