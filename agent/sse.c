#include "agent/sse.h"

#include <string.h>

#define SSE_BOM "\xef\xbb\xbf"

void eb_sse_init(struct eb_sse *s, size_t max_bytes)
{
    memset(s, 0, sizeof(*s));
    s->max_bytes = max_bytes;
}

void eb_sse_reset(struct eb_sse *s)
{
    eb_buf_reset(&s->line);
    eb_buf_reset(&s->data);
    s->has_data = s->after_cr = s->started = 0;
}

void eb_sse_free(struct eb_sse *s)
{
    eb_buf_free(&s->line);
    eb_buf_free(&s->data);
}

static int sse_too_long(const struct eb_sse *s, struct eb_err *err)
{
    return eb_fail(err, EB_ELIMIT, "a line or event of over %zu bytes",
                   s->max_bytes);
}

/* An empty line: the event is whole. */
static int sse_event(struct eb_sse *s, eb_sse_fn fn, void *arg,
                     struct eb_err *err)
{
    int rc = 0;

    if (s->has_data)
        rc = fn(arg, s->data.data, s->data.len, err);
    eb_buf_reset(&s->data);
    s->has_data = 0;
    return rc;
}

/* Only the field `data` has a meaning here. */
static int sse_field(struct eb_sse *s, const char *line, size_t len,
                     struct eb_err *err)
{
    const char *colon = memchr(line, ':', len);
    size_t name = colon != NULL ? (size_t)(colon - line) : len;
    const char *value = line + name;

    if (name != 4 || memcmp(line, "data", 4) != 0)
        return 0;
    if (colon != NULL)
        value++;
    if (value < line + len && *value == ' ')
        value++;
    len -= (size_t)(value - line);
    if (len + 1 > s->max_bytes - s->data.len)
        return sse_too_long(s, err);
    if (s->has_data)
        eb_buf_addc(&s->data, '\n');
    eb_buf_add(&s->data, value, len);
    s->has_data = 1;
    return 0;
}

static int sse_line(struct eb_sse *s, eb_sse_fn fn, void *arg,
                    struct eb_err *err)
{
    const char *line = s->line.data != NULL ? s->line.data : "";
    size_t len = s->line.len, skip = 0;
    int rc;

    if (!s->started && len >= 3 && memcmp(line, SSE_BOM, 3) == 0)
        skip = 3;
    s->started = 1;
    rc = len > skip ? sse_field(s, line + skip, len - skip, err)
                    : sse_event(s, fn, arg, err);
    eb_buf_reset(&s->line);
    return rc;
}

int eb_sse_feed(struct eb_sse *s, const char *bytes, size_t len, eb_sse_fn fn,
                void *arg, struct eb_err *err)
{
    const char *p = bytes, *end = bytes + len, *from;
    int rc = 0;

    while (p < end && rc == 0) {
        if (s->after_cr && *p == '\n')
            p++;
        s->after_cr = 0;
        for (from = p; p < end && *p != '\n' && *p != '\r';)
            p++;
        if ((size_t)(p - from) > s->max_bytes - s->line.len)
            return sse_too_long(s, err);
        eb_buf_add(&s->line, from, (size_t)(p - from));
        if (p == end)
            break;
        s->after_cr = *p++ == '\r';
        rc = sse_line(s, fn, arg, err);
    }
    return rc;
}
