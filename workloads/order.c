#include "workloads/order.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "workloads/rng.h"

struct order_item {
    const char *stratum;
    size_t index;  /* in the caller's list */
    uint64_t draw; /* shuffles the stratum */
    double place;  /* 0 .. 1 in the run */
};

static int order_cmp_stratum(const void *a, const void *b)
{
    const struct order_item *x = a, *y = b;
    int c = strcmp(x->stratum, y->stratum);

    if (c != 0)
        return c;
    if (x->draw != y->draw)
        return x->draw < y->draw ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static int order_cmp_place(const void *a, const void *b)
{
    const struct order_item *x = a, *y = b;

    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void eb_sequential_order(const char *const *strata, size_t n, uint64_t seed,
                         size_t *order_out)
{
    struct order_item *v = eb_xcalloc(n + 1, sizeof(*v));
    size_t i, k, first;
    struct eb_rng rng;
    double u;

    eb_rng_init(&rng, seed, "order", NULL);
    for (i = 0; i < n; i++) {
        v[i].stratum = strata[i];
        v[i].index = i;
        v[i].draw = eb_rng_next(&rng);
    }
    qsort(v, n, sizeof(*v), order_cmp_stratum);
    for (first = 0; first < n; first = k) {
        for (k = first; k < n; k++) {
            if (strcmp(v[k].stratum, v[first].stratum) != 0)
                break;
        }
        for (i = first; i < k; i++) {
            u = (double)(eb_rng_next(&rng) >> 11) / 9007199254740992.0;
            v[i].place = ((double)(i - first) + u) / (double)(k - first);
        }
    }
    qsort(v, n, sizeof(*v), order_cmp_place);
    first = n > 0 ? (size_t)eb_rng_below(&rng, n) : 0;
    for (i = 0; i < n; i++)
        order_out[i] = v[(first + i) % n].index;
    free(v);
}
