/* Records that may be compared: one device, runtime, suite digest, bars and
 * settings (the prompt is a setting). Nothing is averaged across groups.
 *
 * The groups borrow the records. In a group each model stands once, its latest
 * run, ordered from the largest to the smallest as eb_record_smallest does.
 */
#ifndef EB_GROUP_H
#define EB_GROUP_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "common/stats.h"

struct eb_group {
    char *key;      /* hash of all that must be equal */
    char *pair_key; /* the same without the prompt */
    cJSON **recs;
    size_t n;
    size_t replaced; /* older runs left out */
};

struct eb_groups {
    struct eb_group *v;
    size_t n;
};

/* A level and a language, pointing into a record; lang is NULL where no
 * model ran an item of the level. */
struct eb_pair {
    const char *level;
    const char *lang;
};

void eb_groups_make(cJSON *const *recs, size_t n, struct eb_groups *out);
void eb_groups_free(struct eb_groups *g);

/* In the order of the job's levels; free the array. */
struct eb_pair *eb_group_pairs(const struct eb_group *g, size_t *n);

/* Member of a record by path ("model.name"), or NULL. */
const cJSON *eb_group_get(const cJSON *rec, const char *path);
const char *eb_group_str(const cJSON *rec, const char *path, const char *def);
double eb_group_num(const cJSON *rec, const char *path, double def);
/* model.name */
const char *eb_group_model(const cJSON *rec);
/* The row of summary.levels, or NULL if the model has no item there. */
const cJSON *eb_group_row(const cJSON *rec, struct eb_pair p);
/* The entry of rec.levels, or NULL. */
const cJSON *eb_group_level(const cJSON *rec, const char *level);
int eb_group_void(const cJSON *rec);
/* NOT SHOWN for a void run, as eb_record_smallest takes it. */
enum eb_verdict eb_group_verdict(const cJSON *rec, const cJSON *row);

#endif
