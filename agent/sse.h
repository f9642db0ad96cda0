/* Server-sent events (WHATWG HTML, section 9.2): bytes in, data out.
 *
 *     eb_sse_init(&s, 1 << 20);
 *     rc = eb_sse_feed(&s, bytes, len, got, arg, &err);
 *     eb_sse_free(&s);
 *
 * Bytes may be cut anywhere. Lines end with LF, CR or CR LF; the data lines of
 * an event are joined with LF; comments and the fields event, id and retry
 * are skipped; an event that no empty line ended is not delivered. The caller
 * owns the struct; one thread.
 */
#ifndef EB_SSE_H
#define EB_SSE_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

/* The data of one event, NUL-terminated; good during the call. A nonzero
 * answer ends the feed with it. */
typedef int (*eb_sse_fn)(void *arg, const char *data, size_t len,
                         struct eb_err *err);

struct eb_sse {
    struct eb_buf line; /* without its end */
    struct eb_buf data;
    size_t max_bytes; /* of a line, and of an event's data */
    int has_data;
    int after_cr; /* an LF now belongs to the CR before */
    int started;  /* the first line, which may have a BOM, is over */
};

void eb_sse_init(struct eb_sse *s, size_t max_bytes);
/* As after init; keeps the memory. */
void eb_sse_reset(struct eb_sse *s);
void eb_sse_free(struct eb_sse *s);
/* EB_ELIMIT: a line or an event is too long. */
int eb_sse_feed(struct eb_sse *s, const char *bytes, size_t len, eb_sse_fn fn,
                void *arg, struct eb_err *err);

#endif
