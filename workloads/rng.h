/* Small random numbers: xoshiro256** seeded by splitmix64 (Blackman and
 * Vigna 2021, doi 10.1145/3460772). Same seed, same numbers on every machine.
 * Not for secrets. The caller owns the struct; one thread each. */
#ifndef EB_RNG_H
#define EB_RNG_H

#include <stdint.h>

struct eb_rng {
    uint64_t s[4];
};

/* Keyed by a seed and up to two strings (NULL for none), so that independent
 * streams need no order among them. */
void eb_rng_init(struct eb_rng *r, uint64_t seed, const char *key1,
                 const char *key2);
uint64_t eb_rng_next(struct eb_rng *r);
/* Uniform on 0 .. n - 1 without bias; n > 0. */
uint64_t eb_rng_below(struct eb_rng *r, uint64_t n);
/* The same for an index of an array; n > 0. */
int eb_rng_index(struct eb_rng *r, int n);
/* 1 in `percent` of 100 cases, else 0. */
int eb_rng_percent(struct eb_rng *r, int percent);
/* Uniform on lo .. hi, both included. */
int64_t eb_rng_range(struct eb_rng *r, int64_t lo, int64_t hi);

#endif
