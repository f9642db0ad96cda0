/* Times of one item's replies. The runner stamps each token as it arrives;
 * nothing is allocated between eb_meter_begin and eb_meter_finish.
 *
 *     request at 0, tokens at 900, 930, 970 ns
 *     ttft_ns 900, gaps_ns 30 40, e2e_ns 970, tokens 3
 *
 * An item of several replies (a dialog) keeps the first reply's ttft_ns, adds
 * the others up, and has no gap between two replies. The caller owns the
 * struct; eb_meter_init and eb_meter_free are pairs. One thread. */
#ifndef EB_METER_H
#define EB_METER_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

struct eb_meter {
    int64_t request_ns; /* of the reply now */
    int64_t last_ns;    /* of its last token; -1: none yet */
    int64_t ttft_ns;    /* -1: no token yet */
    int64_t e2e_ns;
    int64_t tokens;
    int64_t prompt_tokens;
    int64_t cached_tokens;
    int64_t *gaps_ns;
    size_t n_gaps;
    size_t cap;
};

/* Room for so many gaps; later ones are counted but not kept. */
void eb_meter_init(struct eb_meter *m, size_t cap);
void eb_meter_free(struct eb_meter *m);
/* Forgets the item, keeps the room. */
void eb_meter_reset(struct eb_meter *m);

void eb_meter_begin(struct eb_meter *m, int64_t now_ns);
void eb_meter_token(struct eb_meter *m, int64_t now_ns);
/* now_ns counts only if the reply had no token. */
void eb_meter_finish(struct eb_meter *m, int64_t now_ns);

/* The item's members prompt_tokens to output_tokens; those with times as
 * null, for items that were not played alone. */
void eb_meter_record_tokens(const struct eb_meter *m, cJSON *item);
/* The item's members prompt_tokens to gaps_ns. */
void eb_meter_record(const struct eb_meter *m, cJSON *item);

#endif
