/* splitmix64 (Steele, Lea and Flood 2014): the only random source of the
 * corpus and the trainer, so a seed fixes everything. */
#ifndef EB_LADDER_RNG_H
#define EB_LADDER_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->s += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in 0..n-1; the bias of the modulus is below 2^-40 here. */
static inline int rng_below(struct rng *r, int n)
{
    return (int)(rng_next(r) % (uint64_t)n);
}

static inline int rng_percent(struct rng *r, int percent)
{
    return rng_below(r, 100) < percent;
}

#endif
