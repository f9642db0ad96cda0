#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "workloads/order.h"

#define POOL 150

/* Strata of 90, 45, 14 and 1 items, mixed in the file. */
static void pool_fill(const char **strata)
{
    size_t i;

    for (i = 0; i < POOL; i++)
        strata[i] = i == 77      ? "single"
                    : i % 10 < 6 ? "refund"
                    : i % 10 < 9 ? "delivery"
                                 : "fraud";
}

static void test_permutation(void **state)
{
    const char *strata[POOL];
    size_t order[POOL], again[POOL], i;
    int seen[POOL] = {0};

    (void)state;
    pool_fill(strata);
    eb_sequential_order(strata, POOL, 1, order);
    for (i = 0; i < POOL; i++) {
        assert_true(order[i] < POOL);
        assert_int_equal(seen[order[i]]++, 0);
    }
    eb_sequential_order(strata, POOL, 1, again);
    assert_memory_equal(order, again, sizeof(order));
    eb_sequential_order(strata, POOL, 2, again);
    assert_memory_not_equal(order, again, sizeof(order));
    eb_sequential_order(strata, 0, 1, NULL);
}

/* Any first n hold each stratum's share, to 2 + 2 * strata * share items. */
static void test_prefixes(void **state)
{
    const char *const names[] = {"refund", "delivery", "fraud", "single"};
    const char *strata[POOL];
    size_t order[POOL], n, i;
    uint64_t seed;
    int k;

    (void)state;
    pool_fill(strata);
    for (seed = 0; seed < 200; seed++) {
        eb_sequential_order(strata, POOL, seed, order);
        for (k = 0; k < 4; k++) {
            double share = 0, had = 0;

            for (i = 0; i < POOL; i++)
                share += strcmp(strata[i], names[k]) == 0;
            share /= POOL;
            for (n = 1; n <= POOL; n++) {
                had += strcmp(strata[order[n - 1]], names[k]) == 0;
                assert_true(fabs(had - share * (double)n) < 2 + 8 * share);
            }
        }
    }
}

/* Equal strata are permuted blocks from the first full block on: one start
 * among the first four splits the whole run into fours with all four. */
static void test_blocks(void **state)
{
    const char *const names[] = {"a", "b", "c", "d"};
    const char *strata[40];
    size_t order[40], i, k, start;
    int in_block, all, starts[4] = {0};
    uint64_t seed;

    (void)state;
    for (i = 0; i < 40; i++)
        strata[i] = names[i / 10];
    for (seed = 0; seed < 50; seed++) {
        eb_sequential_order(strata, 40, seed, order);
        for (start = 0, all = 0; start < 4 && !all; start++) {
            for (i = start, all = 1; i < start + 40; i += 4) {
                for (k = 0, in_block = 0; k < 4; k++)
                    in_block |= 1 << (order[(i + k) % 40] / 10);
                all &= in_block == 15;
            }
            starts[start] += all;
        }
        assert_true(all);
    }
    for (i = 0; i < 4; i++)
        assert_true(starts[i] > 0);
}

/* Every item is as likely at every place: one stratum of 3 and one of 1. */
static void test_uniform(void **state)
{
    const char *const strata[] = {"a", "a", "b", "a"};
    int count[4][4] = {{0}};
    size_t order[4], i, k;
    uint64_t seed;

    (void)state;
    for (seed = 0; seed < 12000; seed++) {
        eb_sequential_order(strata, 4, seed, order);
        for (i = 0; i < 4; i++)
            count[i][order[i]]++;
    }
    /* 3000 expected, standard deviation 47. */
    for (i = 0; i < 4; i++) {
        for (k = 0; k < 4; k++)
            assert_true(count[i][k] > 2760 && count[i][k] < 3240);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_uniform),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
