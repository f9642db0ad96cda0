/* The parts of eb_suite_check; for check*.c only. */
#ifndef EB_CHECK_PARTS_H
#define EB_CHECK_PARTS_H

#include "common/buf.h"
#include "workloads/check.h"

struct eb_check {
    const struct eb_suite *suite;
    struct eb_buf says; /* one line a problem */
    int problems;
};

void eb_check_say(struct eb_check *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void eb_check_pairs(struct eb_check *k, const struct eb_level *l);
void eb_check_duplicates(struct eb_check *k, const struct eb_level *l);
void eb_check_labels(struct eb_check *k, const struct eb_level *l);
void eb_check_prompts(struct eb_check *k, const struct eb_level *l);

#endif
