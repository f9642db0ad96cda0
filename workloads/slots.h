/* Slots: `${name}` in an item's texts, filled from the seed (the generators
 * are listed in workloads/custsvc/FORMAT.md).
 *
 * A value depends on (seed, pair id, slot name) alone and is looked up in
 * tables of equal length, so both languages of a pair draw the same numbers
 * and corresponding names. Two slots of one item never get the same value.
 * Any thread. */
#ifndef EB_SLOTS_H
#define EB_SLOTS_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/err.h"

#define EB_SLOTS_MAX 16
#define EB_SLOT_LEN 96

struct eb_slot {
    const char *name;
    char text[EB_SLOT_LEN];
};

struct eb_slots {
    struct eb_slot v[EB_SLOTS_MAX];
    int n;
};

/* 1 if the text names a generator. */
int eb_slot_known(const char *generator);

/* Draws a value for every member of `slots` (NULL: none). today: days since
 * 1970-01-01. EB_EINVAL for an unknown generator, EB_ELIMIT for too many. */
int eb_slots_draw(struct eb_slots *out, const cJSON *slots, const char *lang,
                  const char *pair_id, uint64_t seed, int64_t today,
                  struct eb_err *err);

/* Replaces `${name}` in all strings of the tree, but not in its member
 * "slots". EB_EINVAL for a name that is not drawn or a "${" without "}". */
int eb_slots_fill(cJSON *tree, const struct eb_slots *slots,
                  struct eb_err *err);

/* "YYYY-MM-DD" to days since 1970-01-01; -1 if it is not such a date. */
int64_t eb_days_parse(const char *date);

#endif
