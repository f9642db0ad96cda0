/* Null models: answers that understand nothing. A level on which one of them
 * is not INSUFFICIENT measures nothing. And the answer key, which must score
 * every item. */
#ifndef EB_NULLS_H
#define EB_NULLS_H

#include "common/buf.h"
#include "workloads/rng.h"
#include "workloads/suite.h"

struct eb_null {
    const char *name;
    const char *what; /* one line for people */
    /* Appends the output for a case of any kind but dialog. */
    void (*answer)(const struct eb_case *c, struct eb_rng *rng,
                   struct eb_buf *out);
};

/* empty, do-nothing, always-refuse, always-escalate, majority, keyword,
 * copy-policy, random-json; ends with a NULL name. */
extern const struct eb_null eb_nulls[];

/* Appends an output made from the gold that must be graded ok. */
void eb_null_key(const struct eb_case *c, struct eb_buf *out);

#endif
