#include "workloads/rng.h"

#include <stddef.h>

static uint64_t rng_splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* FNV-1a; the unit separator keeps ("ab", "c") apart from ("a", "bc"). */
static uint64_t rng_key(uint64_t h, const char *s)
{
    for (; s != NULL && *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return (h ^ 0x1f) * 0x100000001b3u;
}

void eb_rng_init(struct eb_rng *r, uint64_t seed, const char *key1,
                 const char *key2)
{
    uint64_t x = seed;
    int i;

    x = rng_splitmix(&x) ^ rng_key(rng_key(0xcbf29ce484222325u, key1), key2);
    for (i = 0; i < 4; i++)
        r->s[i] = rng_splitmix(&x);
}

static uint64_t rng_rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t eb_rng_next(struct eb_rng *r)
{
    uint64_t result = rng_rotl(r->s[1] * 5, 7) * 9;
    uint64_t t = r->s[1] << 17;

    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = rng_rotl(r->s[3], 45);
    return result;
}

uint64_t eb_rng_below(struct eb_rng *r, uint64_t n)
{
    /* The numbers below `least` would make the first residues more likely. */
    uint64_t least = (0 - n) % n, x;

    do {
        x = eb_rng_next(r);
    } while (x < least);
    return x % n;
}

int eb_rng_index(struct eb_rng *r, int n)
{
    return (int)eb_rng_below(r, (uint64_t)n);
}

int eb_rng_percent(struct eb_rng *r, int percent)
{
    return eb_rng_index(r, 100) < percent;
}

int64_t eb_rng_range(struct eb_rng *r, int64_t lo, int64_t hi)
{
    return lo + (int64_t)eb_rng_below(r, (uint64_t)(hi - lo) + 1);
}
