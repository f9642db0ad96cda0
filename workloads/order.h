/* The order in which a pool's items are played: random, seeded, and spread
 * over the strata so that a run stopped early has seen all of them.
 *
 * The items of each stratum are shuffled; number j of its m items falls at a
 * uniform place in [j / m, (j + 1) / m) of a circle: strata of equal size form
 * permuted blocks (Zelen 1974) of one item each, a stratum of one item falls
 * anywhere. The run then starts at a random item of the circle, so that every
 * item is equally likely at every place; without it small strata would come
 * first too rarely. After any n of N items a stratum with m items is within
 * 2 + 2 * m * strata / N items of its share.
 *
 * The promise of common/sequential.h needs a uniformly random order. This one
 * is uniform if passes do not depend on the stratum. If they do, it spreads
 * s less than a uniform order, and the error falls; only where all strata
 * have the very same pass rate does it spread s a little more (variance times
 * (N - 1) / (N - strata)). Keep strata few against N: tests/bench/sequential.md
 * has the error measured.
 *
 * Same strata, n and seed give the same order on every machine. Pure; any
 * thread. */
#ifndef EB_ORDER_H
#define EB_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* strata[i] names the stratum of item i (not NULL); fills order_out[0 .. n-1]
 * with the item indices in playing order. One call a language: the caller
 * gives the items (or pairs) of one pool. */
void eb_sequential_order(const char *const *strata, size_t n, uint64_t seed,
                         size_t *order_out);

#endif
