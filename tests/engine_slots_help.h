/* Prompts for the llama engine, played at once and alone; for
 * tests/test_engine_slots*.c. The model is too small to write different texts
 * for different prompts, so logits are compared as well. */
#ifndef EB_TEST_ENGINE_SLOTS_HELP_H
#define EB_TEST_ENGINE_SLOTS_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine_llama.h"
#include "common/buf.h"
#include "common/fs.h"

#define MODEL EB_SOURCE_DIR "/workloads/models/ladder-1m-q8_0.gguf"
#define SLOTS_MAX 16
#define TEXT_MAX 4096
#define STEPS_MAX 20000
#define SAMPLES 24
/* Sums in other batches round otherwise: the first token's logits moved by up
 * to 0.07 where this was written, and by 0.8 (median) from prompt to prompt. */
#define NEAR 0.2f
#define SHORT "root ::= [a-z] [a-z] \" \" [0-9] [0-9] [0-9]"
#define SHORT_LEN 6
#define SHORT_MAX 12 /* tokens that are enough for it */

/* A prompt and what became of it. */
struct ask {
    char *prompt;
    const char *grammar;
    int max_tokens;
    char text[TEXT_MAX];
    size_t len;
    int ids[TEXT_MAX]; /* tokens, with the one that ended it */
    int n_ids;
    float first[SAMPLES], last[SAMPLES]; /* logits of some tokens */
    const struct ask *like; /* must get the same tokens, or ties of them */
    int differs;
    int over, rc;
    int prompt_tokens, cached_tokens, reply_tokens;
    char detail[160];
};

static struct eb_err err;
static struct eb_engine *many, *one;
static struct ask *in_slot[SLOTS_MAX];
static int stop_after; /* questions that the stop callback says no to; -1:
                          always no */

static int stop(void *arg)
{
    (void)arg;
    if (stop_after > 0)
        stop_after--;
    return stop_after == 0;
}

static struct eb_engine *open_model(int slots, int ctx)
{
    struct eb_engine_settings s = {.threads = 1,
                                   .ctx = ctx,
                                   .batch = 512,
                                   .ubatch = 512,
                                   .slots = slots,
                                   .stop = stop};
    struct eb_engine *e;

    stop_after = -1;
    memset(in_slot, 0, sizeof(in_slot));
    if (eb_engine_open(MODEL, &s, &e, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(e->slots, slots);
    assert_int_equal(e->ctx, ctx);
    return e;
}

static int close_both(void **state)
{
    (void)state;
    eb_engine_close(many);
    eb_engine_close(one);
    many = one = NULL;
    return 0;
}

static void open_both(int slots, int ctx)
{
    many = open_model(slots, ctx);
    one = open_model(1, ctx);
}

/* A text of so many words that depends on the seed alone. */
static void words(struct eb_buf *b, uint32_t seed, int n)
{
    static const char *const w[] = {
        "order", "the",    "answer", "int",   "age",  "tool",  "lang",  "our",
        "late",  "refund", "parcel", "phone", "card", "blue",  "seven", "where",
        "when",  "please", "my",     "is",    "not",  "money", "today", "help"};
    int i;

    for (i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        eb_buf_addf(b, " %s", w[(seed >> 16) % 24]);
    }
}

/* shared words of the group, then own words of the number. */
static struct ask ask_new(uint32_t group, int shared, uint32_t number, int own)
{
    struct ask a = {.grammar = SHORT, .max_tokens = SHORT_MAX};
    struct eb_buf b = {0};

    words(&b, 1000 + group, shared);
    eb_buf_addf(&b, " %u", number);
    words(&b, 77 + 13 * number, own);
    eb_buf_adds(&b, ". answer:");
    a.prompt = eb_buf_take(&b);
    return a;
}

static void asks_free(struct ask *a, int n)
{
    while (n-- > 0)
        free(a[n].prompt);
}

static int begin(struct eb_engine *e, int slot, struct ask *a)
{
    struct eb_request r = {a->prompt, a->grammar, a->max_tokens};
    int rc;

    memset(&err, 0, sizeof(err));
    a->len = 0;
    a->over = a->rc = a->n_ids = a->differs = 0;
    rc = e->ops->start(e, slot, &r, &err);
    if (rc == 0)
        in_slot[slot] = a;
    return rc;
}

/* Looks at the logits that the event's token was chosen by. */
static void look(struct eb_engine *e, const struct eb_event *v, struct ask *a)
{
    struct llama *l = (struct llama *)e;
    const float *logits = llama_get_logits_ith(l->ctx, l->slots[v->slot].at);
    int i, k = a->n_ids++, id;

    assert_in_range(k, 0, TEXT_MAX - 1);
    assert_in_range(v->token, 0, l->n_vocab - 1);
    for (i = 0; i < SAMPLES; i++)
        a->last[i] = logits[i * (l->n_vocab / SAMPLES)];
    if (k == 0)
        memcpy(a->first, a->last, sizeof(a->first));
    a->ids[k] = v->token;
    if (a->like == NULL || a->differs || k >= a->like->n_ids)
        return;
    id = a->like->ids[k];
    if (id == v->token)
        return;
    a->differs = 1;
    print_message("a tie by %.3f\n", logits[v->token] - logits[id]);
    assert_true(fabsf(logits[v->token] - logits[id]) < NEAR);
}

static void take(struct eb_engine *e, const struct eb_event *v)
{
    struct ask *a = in_slot[v->slot];

    assert_non_null(a);
    look(e, v, a);
    if (v->len > 0) {
        assert_true(a->len + v->len < TEXT_MAX);
        memcpy(a->text + a->len, v->piece, v->len);
        a->len += v->len;
    }
    a->text[a->len] = '\0';
    a->prompt_tokens = v->prompt_tokens;
    a->cached_tokens = v->cached_tokens;
    assert_in_range(v->cached_tokens, 0, v->prompt_tokens - 1);
    if (!v->over)
        return;
    a->over = 1;
    a->rc = v->rc;
    a->reply_tokens = v->reply_tokens;
    snprintf(a->detail, sizeof(a->detail), "%s", v->detail);
    in_slot[v->slot] = NULL;
}

/* One step: something must happen as long as a reply is under way. */
static int step(struct eb_engine *e)
{
    struct eb_event v[SLOTS_MAX];
    size_t n = 0, i;
    int rc = e->ops->step(e, v, &n, &err);

    if (rc != 0) {
        memset(in_slot, 0, sizeof(in_slot));
        return rc;
    }
    assert_in_range(n, 1, e->slots);
    for (i = 0; i < n; i++)
        take(e, &v[i]);
    return 0;
}

static int busy(void)
{
    int i, n = 0;

    for (i = 0; i < SLOTS_MAX; i++)
        n += in_slot[i] != NULL;
    return n;
}

static void finish(struct eb_engine *e)
{
    int i;

    for (i = 0; busy() > 0; i++) {
        assert_true(i < STEPS_MAX);
        assert_int_equal(step(e), 0);
    }
}

/* All of them, as slots become free. */
static void play(struct eb_engine *e, struct ask *a, int n)
{
    int next = 0, i;

    while (next < n || busy() > 0) {
        for (i = 0; i < e->slots && next < n; i++) {
            if (in_slot[i] == NULL)
                assert_int_equal(begin(e, i, &a[next++]), 0);
        }
        assert_int_equal(step(e), 0);
    }
}

static float distance(const float *a, const float *b)
{
    float most = 0;
    int i;

    for (i = 0; i < SAMPLES; i++)
        most = fmaxf(most, fabsf(a[i] - b[i]));
    return most;
}

/* The same request and outcome; texts differ only by ties: 1 then. */
static int same(const struct ask *a, const struct ask *alone)
{
    assert_int_equal(alone->prompt_tokens, a->prompt_tokens);
    assert_true(distance(alone->first, a->first) < NEAR);
    if (a->differs || alone->differs)
        return 1;
    assert_int_equal(alone->rc, a->rc);
    assert_string_equal(alone->text, a->text);
    assert_int_equal(alone->n_ids, a->n_ids);
    assert_true(distance(alone->last, a->last) < NEAR);
    return 0;
}

/* Plays the same alone, each from nothing: the replies must be the same but
 * for ties, and ties are rare. */
static void as_alone(const struct ask *a, int n)
{
    int i, ties = 0;

    for (i = 0; i < n; i++) {
        struct ask b = a[i];

        b.like = &a[i];
        one->ops->clear(one);
        assert_int_equal(begin(one, 0, &b), 0);
        finish(one);
        assert_int_equal(b.cached_tokens, 0);
        ties += same(&a[i], &b);
    }
    assert_true(ties <= 1 + n / 5);
}

static int computed(const struct ask *a, int n)
{
    int i, sum = 0;

    for (i = 0; i < n; i++)
        sum += a[i].prompt_tokens - a[i].cached_tokens;
    return sum;
}

#endif
