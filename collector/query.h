/* Answers of the read routes, as JSON text ending in a newline (API.md).
 *
 * Any thread. Reading a whole run takes up to 200 MiB of memory.
 */
#ifndef EB_QUERY_H
#define EB_QUERY_H

#include "collector/store.h"
#include "common/buf.h"

#define EB_QUERY_LIMIT_MAX 200
/* The newest runs that one comparison looks at. */
#define EB_QUERY_COMPARE_RUNS 5000

/* {"runs": [...], "next": run_id or null}: query->limit rows and where to go
 * on. */
int eb_query_list(struct eb_store *store, const struct eb_run_query *query,
                  struct eb_buf *out, struct eb_err *err);
/* The record as posted, with the derived summary in place of its own.
 * EB_EIO if the stored bytes no longer have their hash. */
int eb_query_run(struct eb_store *store, const char *run_id, struct eb_buf *out,
                 struct eb_err *err);
/* The posted bytes. */
int eb_query_posted(struct eb_store *store, const char *run_id,
                    struct eb_buf *out, struct eb_err *err);
/* For each device, runtime, suite version, settings and bars (rule 8: nothing
 * is put side by side across these): its models by size, and the smallest
 * sufficient one of each level and language. query->limit is not used. */
int eb_query_compare(struct eb_store *store, const struct eb_run_query *query,
                     struct eb_buf *out, struct eb_err *err);

#endif
