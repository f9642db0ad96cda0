/* The runner's side of a reply: when it ends one that its engine does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/engine.h"
#include "agent/talk.h"

#define MAX_TOKENS 5

static int cancelled;

static int quiet_render(struct eb_engine *e, const struct eb_message *m,
                        size_t n, struct eb_buf *out, struct eb_err *err)
{
    (void)e, (void)m, (void)n, (void)err;
    eb_buf_adds(out, "prompt");
    return 0;
}

static int quiet_start(struct eb_engine *e, int slot,
                       const struct eb_request *r, struct eb_err *err)
{
    (void)e, (void)slot, (void)r, (void)err;
    return 0;
}

static void quiet_cancel(struct eb_engine *e, int slot)
{
    (void)e, (void)slot;
    cancelled++;
}

static const struct eb_engine_ops quiet = {
    .render = quiet_render, .start = quiet_start, .cancel = quiet_cancel};

/* Events until the reply is over: how many; at most `limit`. */
static int events_until_over(struct eb_talk *t, int token, int limit)
{
    struct eb_engine e = {.ops = &quiet, .ctx = 100, .slots = 1};
    struct eb_question q = {.max_tokens = MAX_TOKENS};
    struct eb_event event = {.token = token,
                             .piece = "a",
                             .len = 1,
                             .prompt_tokens = -1,
                             .cached_tokens = -1,
                             .reply_tokens = -1};
    int n = 0;

    eb_talk_init(t);
    cancelled = 0;
    assert_int_equal(eb_talk_ask(t, &e, 0, &q), 1);
    while (n < limit && !eb_talk_event(t, &e, &event, 1000 + n))
        n++;
    return n;
}

static void test_counted_tokens_end_at_the_limit(void **state)
{
    struct eb_talk t;

    (void)state;
    assert_int_equal(events_until_over(&t, 7, 100), MAX_TOKENS - 1);
    assert_int_equal(cancelled, 1);
    assert_int_equal(t.reply.end, EB_REPLY_TRUNCATED);
    assert_string_equal(t.reply.text, "aaaaa");
    eb_talk_free(&t);
}

/* A server that streams letters counts its own tokens. */
static void test_letters_are_not_tokens(void **state)
{
    struct eb_talk t;
    struct eb_event over = {.over = 1, .token = -1, .reply_tokens = 3};
    struct eb_engine e = {.ops = &quiet};

    (void)state;
    assert_int_equal(events_until_over(&t, -1, 4 * MAX_TOKENS), 4 * MAX_TOKENS);
    assert_int_equal(cancelled, 0);
    assert_int_equal(eb_talk_event(&t, &e, &over, 9000), 1);
    assert_int_equal(t.meter.tokens, 3);
    assert_int_equal(strlen(t.reply.text), 4 * MAX_TOKENS);
    eb_talk_free(&t);
}

static void test_endless_letters_end(void **state)
{
    struct eb_talk t;

    (void)state;
    assert_int_equal(events_until_over(&t, -1, 1000),
                     MAX_TOKENS * EB_ENGINE_PIECES_A_TOKEN - 1);
    assert_int_equal(cancelled, 1);
    assert_int_equal(t.reply.end, EB_REPLY_TRUNCATED);
    eb_talk_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted_tokens_end_at_the_limit),
        cmocka_unit_test(test_letters_are_not_tokens),
        cmocka_unit_test(test_endless_letters_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
