/* Many requests at once in the llama engine: whatever the order, a prompt must
 * get the reply that it gets alone. */
#ifdef EB_LLAMA_VERSION
#include "tests/engine_slots_help.h"

/* The shared beginning is decoded once, whatever slot a prompt gets. */
static void test_shared_prefix(void **state)
{
    struct ask a[40];
    int i, k, least = 1 << 30, shared, alike = 0;

    (void)state;
    open_both(8, 1024);
    for (i = 0; i < 40; i++)
        a[i] = ask_new(1, 150, (uint32_t)i, 5 + i % 7);
    play(many, a, 40);
    for (i = 0; i < 40; i++) {
        assert_int_equal(a[i].rc, 0);
        assert_int_equal(a[i].len, SHORT_LEN);
        for (k = 0; k < i; k++)
            alike += distance(a[i].first, a[k].first) < NEAR;
        if (a[i].prompt_tokens < least)
            least = a[i].prompt_tokens;
    }
    /* Else a mix-up of prompts would not show. */
    assert_true(alike < 40 * 39 / 2 / 10);
    shared = least - 20; /* what is not shared has fewer than 20 words */
    assert_true(shared > 100);
    assert_true(computed(a, 40) < least + 39 * (least - shared + 20));
    as_alone(a, 40);
    asks_free(a, 40);
}

/* Exactly: the prefix once, then what is behind it. */
static void test_prefix_counted(void **state)
{
    struct ask a[6];
    int i, own = 0;

    (void)state;
    open_both(6, 512);
    for (i = 0; i < 6; i++) {
        struct eb_buf b = {0};

        memset(&a[i], 0, sizeof(a[i]));
        words(&b, 5, 100);
        eb_buf_addf(&b, "%c", 'A' + i);
        a[i] = (struct ask){.grammar = SHORT, .max_tokens = SHORT_MAX};
        a[i].prompt = eb_buf_take(&b);
    }
    play(many, a, 6);
    /* The first pays for all, the others for their own end. */
    for (i = 1; i < 6; i++) {
        assert_true(a[i].cached_tokens >= 100);
        own += a[i].prompt_tokens - a[i].cached_tokens;
    }
    assert_int_equal(a[0].cached_tokens, 0);
    assert_int_equal(computed(a, 6), a[0].prompt_tokens + own);
    assert_true(own <= 5 * 4);
    as_alone(a, 6);
    asks_free(a, 6);
}

/* Longer replies, no grammar. */
static void test_free_text(void **state)
{
    struct ask a[16];
    int i;

    (void)state;
    open_both(8, 512);
    for (i = 0; i < 16; i++) {
        a[i] = ask_new(2, 60, (uint32_t)i, 4);
        a[i].grammar = NULL;
        a[i].max_tokens = 24;
    }
    play(many, a, 16);
    as_alone(a, 16);
    asks_free(a, 16);
}

/* The prefix changes while replies still use the one before. */
static void test_two_groups(void **state)
{
    struct ask a[48];
    int i;

    (void)state;
    open_both(6, 1024);
    for (i = 0; i < 48; i++) {
        /* Long replies of one group outlast short ones of the other. */
        a[i] = ask_new((uint32_t)(i / 2 % 2), 120, (uint32_t)i, 3 + i % 5);
        if (i % 3 == 0) {
            a[i].grammar = "root ::= [a-z]{20}";
            a[i].max_tokens = 40;
        }
    }
    play(many, a, 48);
    as_alone(a, 48);
    asks_free(a, 48);
}

/* Slots that are free keep tokens of an old prefix; a third group must not
 * wait for them for ever. */
static void test_third_group(void **state)
{
    struct ask a[8];
    int i;

    (void)state;
    open_both(8, 1024);
    for (i = 0; i < 8; i++) {
        a[i] = ask_new((uint32_t)(i < 4   ? 0
                                  : i < 6 ? 1
                                          : 2),
                       100, (uint32_t)i, 3);
        if (i == 4 || i == 5)
            a[i].grammar = "root ::= [a-z]{30}";
        a[i].max_tokens = 40;
    }
    for (i = 0; i < 4; i++)
        assert_int_equal(begin(many, i, &a[i]), 0);
    assert_int_equal(step(many), 0);
    for (i = 4; i < 6; i++)
        assert_int_equal(begin(many, i, &a[i]), 0);
    for (i = 0; i < 10 && busy(); i++)
        assert_int_equal(step(many), 0);
    for (i = 6; i < 8; i++)
        assert_int_equal(begin(many, i, &a[i]), 0);
    finish(many);
    for (i = 0; i < 8; i++)
        assert_int_equal(a[i].rc, 0);
    as_alone(a, 8);
    asks_free(a, 8);
}

/* Together they need more cells than there are: some wait, all finish, and
 * the first to come is not overtaken for ever. */
static void test_waiting(void **state)
{
    struct ask a[24];
    int i, first_over = 0;

    (void)state;
    open_both(6, 2048);
    for (i = 0; i < 24; i++) {
        a[i] = ask_new((uint32_t)(i % 3), 200, (uint32_t)i, 20);
        /* The engine must count with all that they may come to. */
        a[i].max_tokens = 1700;
    }
    play(many, a, 6);
    for (i = 0; i < 6; i++)
        assert_int_equal(a[i].rc, 0);
    /* A long prompt behind short ones. */
    free(a[5].prompt);
    a[5] = ask_new(9, 1400, 5, 20);
    a[5].max_tokens = 600;
    for (i = 0; i < 6; i++)
        assert_int_equal(begin(many, i, &a[i]), 0);
    for (i = 6; i < 24 || busy() > 0;) {
        int k;

        for (k = 0; k < 5 && i < 24; k++) {
            if (in_slot[k] == NULL)
                assert_int_equal(begin(many, k, &a[i++]), 0);
        }
        assert_int_equal(step(many), 0);
        if (a[5].over && first_over == 0)
            first_over = i;
    }
    assert_true(first_over < 24);
    for (i = 0; i < 24; i++)
        assert_int_equal(a[i].rc, 0);
    as_alone(a, 24);
    asks_free(a, 24);
}

/* Replies that use all that they asked for fill the cache to the brim; a
 * change of prefix then must not take the cells of others. */
static void test_brim(void **state)
{
    struct ask a[12];
    int i;

    (void)state;
    many = open_model(6, 1024); /* 2 * 1024 + 6 * 512 cells */
    for (i = 0; i < 12; i++) {
        a[i] = ask_new((uint32_t)(i / 2), 350, (uint32_t)i, 200);
        a[i].grammar = "root ::= [a-z]+";
        a[i].max_tokens = 360;
        /* [a-z]+ has no end: it goes on to the limit. */
    }
    play(many, a, 12);
    for (i = 0; i < 12; i++) {
        if (a[i].rc != 0)
            assert_int_equal(a[i].rc, EB_ELIMIT);
    }
    asks_free(a, 12);
}

static void test_cancel(void **state)
{
    struct ask a[8], b[8];
    int i;

    (void)state;
    open_both(4, 512);
    for (i = 0; i < 8; i++) {
        a[i] = ask_new(3, 60, (uint32_t)i, 4);
        b[i] = ask_new(4, 60, 100 + (uint32_t)i, 4);
        a[i].grammar = b[i].grammar = SHORT;
    }
    /* Before any step, while it reads, and while it writes. */
    for (i = 0; i < 4; i++)
        assert_int_equal(begin(many, i, &a[i]), 0);
    many->ops->cancel(many, 1);
    in_slot[1] = NULL;
    assert_int_equal(begin(many, 1, &b[1]), 0);
    assert_int_equal(step(many), 0);
    assert_int_equal(begin(many, 1, &b[2]), EB_EBUSY);
    in_slot[1] = &b[1];
    assert_int_equal(step(many), 0);
    many->ops->cancel(many, 2);
    in_slot[2] = NULL;
    assert_int_equal(step(many), 0);
    assert_int_equal(begin(many, 2, &a[2]), 0);
    finish(many);
    assert_int_equal(a[0].rc + a[2].rc + a[3].rc + b[1].rc, 0);
    as_alone(&a[0], 1);
    as_alone(&a[2], 2);
    as_alone(&b[1], 1);
    many->ops->cancel(many, 0); /* a free slot: nothing happens */
    play(many, &b[4], 4);
    as_alone(&b[4], 4);
    asks_free(a, 8);
    asks_free(b, 8);
}

static void test_limits(void **state)
{
    struct ask a = ask_new(5, 30, 1, 4), full = ask_new(5, 380, 2, 4),
               longer = ask_new(5, 700, 3, 4);
    int i;

    (void)state;
    open_both(3, 512);
    a.grammar = full.grammar = "root ::= [a-z]+";
    a.max_tokens = 5;
    full.max_tokens = 4000;
    assert_int_equal(begin(many, 2, &longer), EB_ELIMIT);
    assert_non_null(strstr(err.msg, "512"));
    assert_int_equal(begin(many, 0, &a), 0);
    assert_int_equal(begin(many, 2, &full), 0);
    finish(many);
    assert_int_equal(a.rc, EB_ELIMIT);
    assert_string_equal(a.detail, "token limit");
    assert_int_equal(a.reply_tokens, 5);
    assert_int_equal(full.rc, EB_ELIMIT);
    assert_non_null(strstr(full.detail, "context"));
    assert_int_equal(full.prompt_tokens + full.reply_tokens, 512);
    as_alone(&a, 1);
    /* A grammar that is none leaves the slot as it was. */
    for (i = 0; i < 3; i++) {
        a.grammar = "root ::= (";
        assert_int_equal(begin(many, i, &a), EB_EINVAL);
        a.grammar = SHORT;
        a.max_tokens = SHORT_MAX;
        assert_int_equal(begin(many, i, &a), 0);
        finish(many);
        assert_int_equal(a.rc, 0);
        as_alone(&a, 1);
    }
    asks_free(&a, 1);
    asks_free(&full, 1);
    asks_free(&longer, 1);
}

/* Stopped in the prompt and in the reply; the engine works afterwards. */
static void test_stop(void **state)
{
    struct ask a[6];
    int i, k, rc;

    (void)state;
    open_both(4, 512);
    for (i = 0; i < 6; i++)
        a[i] = ask_new(6, 100, (uint32_t)i, 4);
    for (k = 1; k < 400; k *= 3) {
        for (i = 0; i < 4; i++)
            assert_int_equal(begin(many, i, &a[i]), 0);
        stop_after = k;
        for (rc = 0; rc == 0 && busy() > 0;)
            rc = step(many);
        stop_after = -1;
        if (rc == 0)
            continue;
        assert_int_equal(rc, EB_EABORT);
        play(many, a, 6);
        as_alone(a, 6);
    }
    asks_free(a, 6);
}

static void test_clear(void **state)
{
    struct ask a[8];
    int i;

    (void)state;
    open_both(4, 512);
    for (i = 0; i < 8; i++)
        a[i] = ask_new(7, 60, (uint32_t)i, 4);
    play(many, a, 4);
    assert_true(a[3].cached_tokens > 0);
    many->ops->clear(many);
    assert_int_equal(begin(many, 2, &a[2]), 0);
    finish(many);
    assert_int_equal(a[2].cached_tokens, 0);
    /* In the middle: all replies end without an event. */
    for (i = 0; i < 4; i++) {
        if (in_slot[i] == NULL)
            assert_int_equal(begin(many, i, &a[i]), 0);
    }
    assert_int_equal(step(many), 0);
    many->ops->clear(many);
    memset(in_slot, 0, sizeof(in_slot));
    play(many, a, 8);
    as_alone(a, 8);
    asks_free(a, 8);
}

/* A conversation keeps what it has; others do not make it start anew. */
static void test_turns(void **state)
{
    struct ask talk = ask_new(8, 60, 1, 4), other[5];
    int turn, before = 0;

    (void)state;
    open_both(3, 1024);
    for (turn = 0; turn < 5; turn++) {
        struct eb_buf b = {0};

        other[turn] = ask_new(20 + (uint32_t)turn, 50, 1, 4);
        assert_int_equal(begin(many, 0, &talk), 0);
        assert_int_equal(begin(many, 1, &other[turn]), 0);
        finish(many);
        assert_int_equal(talk.rc + other[turn].rc, 0);
        if (turn > 0)
            assert_true(talk.cached_tokens >= before - 2);
        as_alone(&talk, 1);
        as_alone(&other[turn], 1);
        before = talk.prompt_tokens;
        eb_buf_adds(&b, talk.prompt);
        eb_buf_adds(&b, talk.text);
        words(&b, (uint32_t)turn, 12);
        eb_buf_adds(&b, ". answer:");
        free(talk.prompt);
        talk.prompt = eb_buf_take(&b);
    }
    asks_free(&talk, 1);
    asks_free(other, 5);
}

/* A request that finds no company computes nothing apart: a latency figure
 * must not pay for a prefix. */
static void test_alone_in_many(void **state)
{
    struct ask a[5];
    int i;

    (void)state;
    open_both(4, 512);
    for (i = 0; i < 5; i++)
        a[i] = ask_new(9, 60, (uint32_t)i, 4);
    play(many, a, 4);
    for (i = 3; i < 5; i++) {
        assert_int_equal(begin(many, 0, &a[i]), 0);
        finish(many);
        /* What lies in slot 3 is no company. */
        assert_in_range(a[i].prompt_tokens - a[i].cached_tokens, 2, 30);
    }
    as_alone(a, 5);
    asks_free(a, 5);
}

/* Slots refilled, cancelled and cleared at random. */
static void test_stress(void **state)
{
    enum { N = 60, OPS = 600 };
    struct ask a[N], alone[N];
    uint32_t seed = 1;
    int i, slot, done = 0, ties = 0;

    (void)state;
    open_both(6, 700);
    for (i = 0; i < N; i++) {
        a[i] = ask_new((uint32_t)(i % 4), i % 5 == 0 ? 0 : 40 + i % 3 * 30,
                       (uint32_t)i, i % 7 == 0 ? 250 : 3 + i % 6);
        a[i].max_tokens = i % 2 ? SHORT_MAX : 300;
        alone[i] = a[i];
        one->ops->clear(one);
        assert_int_equal(begin(one, 0, &alone[i]), 0);
        finish(one);
        a[i].like = &alone[i];
    }
    for (i = 0; i < OPS; i++) {
        uint32_t r = (seed = seed * 1664525u + 1013904223u) >> 8, pick;

        slot = (int)(r % 6);
        pick = r / 64 % N;
        if (r / 6 % 97 == 0) {
            many->ops->clear(many);
            memset(in_slot, 0, sizeof(in_slot));
        } else if (in_slot[slot] != NULL && r / 6 % 8 == 1) {
            many->ops->cancel(many, slot);
            in_slot[slot] = NULL;
        } else if (in_slot[slot] == NULL && r / 6 % 8 < 6) {
            struct ask *x = NULL, *y;
            int k;

            /* One struct cannot be in two slots. */
            for (y = &a[pick], k = 0; k < 6; k++)
                x = in_slot[k] == y ? y : x;
            if (x == NULL)
                assert_int_equal(begin(many, slot, y), 0);
        } else if (busy() > 0) {
            assert_int_equal(step(many), 0);
        }
        for (slot = 0; slot < N; slot++) {
            if (!a[slot].over)
                continue;
            assert_int_equal(a[slot].rc, 0);
            ties += same(&a[slot], &alone[slot]);
            a[slot].over = 0;
            done++;
        }
    }
    print_message("%d replies compared, %d differ by ties\n", done, ties);
    assert_true(done > 40 && ties < done / 4);
    asks_free(a, N);
}

/* One slot: a plain engine that keeps the beginning that fits. */
static void test_one_slot(void **state)
{
    struct ask a[4];
    int i;

    (void)state;
    open_both(1, 512);
    for (i = 0; i < 4; i++)
        a[i] = ask_new(10, 60, (uint32_t)i, 4);
    play(many, a, 4);
    assert_int_equal(a[0].cached_tokens, 0);
    for (i = 1; i < 4; i++)
        assert_true(a[i].cached_tokens >= 50);
    as_alone(a, 4);
    asks_free(a, 4);
}

#define SLOTS_TEST(f) cmocka_unit_test_teardown(f, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOTS_TEST(test_one_slot),       SLOTS_TEST(test_shared_prefix),
        SLOTS_TEST(test_prefix_counted), SLOTS_TEST(test_free_text),
        SLOTS_TEST(test_two_groups),     SLOTS_TEST(test_third_group),
        SLOTS_TEST(test_waiting),        SLOTS_TEST(test_brim),
        SLOTS_TEST(test_cancel),         SLOTS_TEST(test_limits),
        SLOTS_TEST(test_stop),           SLOTS_TEST(test_clear),
        SLOTS_TEST(test_turns),          SLOTS_TEST(test_alone_in_many),
        SLOTS_TEST(test_stress),
    };

    if (!eb_fs_exists(MODEL)) {
        puts("skipped: no " MODEL);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <stdio.h>

int main(void)
{
    puts("skipped: this build has no llama.cpp");
    return 0;
}

#endif
