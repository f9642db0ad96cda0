/* The halves of eb_suite_load; for suite*.c only. Each fills what it can and
 * leaves freeing to eb_suite_free, on error too. */
#ifndef EB_SUITE_PARTS_H
#define EB_SUITE_PARTS_H

#include "workloads/suite.h"
#include "workloads/suite_read.h"

/* job.json, already parsed into s->json, into languages, tools, levels. */
int eb_suite_read_job(struct eb_suite *s, const struct eb_read *r);
/* The items of one level. */
int eb_suite_read_items(struct eb_suite *s, struct eb_level *level,
                        struct eb_err *err);
void eb_suite_free_job(struct eb_suite *s);

#endif
