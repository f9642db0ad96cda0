/* Sending one record to a collector: POST <collector>/v1/runs.
 *
 * A record counts as delivered only when the collector's answer repeats the
 * SHA-256 of the bytes that were sent. The only file that includes curl. */
#ifndef EB_UPLOAD_H
#define EB_UPLOAD_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

enum eb_upload {
    EB_UPLOAD_SENT,
    EB_UPLOAD_KEEP, /* try again later: network, 408, 425, 429, 5xx */
    EB_UPLOAD_DEAD  /* refused for good: any other 4xx */
};

/* Three tries, half a second apart and growing. answer: the body of the last
 * answer is appended. err: why, unless sent. */
enum eb_upload eb_upload_run(const char *collector, const char *text,
                             size_t len, struct eb_buf *answer,
                             struct eb_err *err);

/* GETs url and appends the body; at most EB_UPLOAD_GET_MAX bytes. For
 * eb_report_set_fetch. */
#define EB_UPLOAD_GET_MAX (256u << 20)
int eb_upload_get(const char *url, struct eb_buf *out, struct eb_err *err);

#endif
