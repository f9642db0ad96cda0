#include "common/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* Makes room for len more bytes and the NUL. */
static void buf_reserve(struct eb_buf *b, size_t len)
{
    size_t cap = b->cap > 0 ? b->cap : 64;

    if (len >= SIZE_MAX / 2 - b->len)
        eb_xrealloc(NULL, SIZE_MAX, 2); /* ends the program */
    if (b->data != NULL && b->len + len < b->cap)
        return;
    while (cap <= b->len + len)
        cap *= 2;
    b->data = eb_xrealloc(b->data, cap, 1);
    b->cap = cap;
}

void eb_buf_add(struct eb_buf *b, const void *data, size_t len)
{
    buf_reserve(b, len);
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void eb_buf_adds(struct eb_buf *b, const char *s)
{
    eb_buf_add(b, s, strlen(s));
}

void eb_buf_addf(struct eb_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    buf_reserve(b, 64);
    va_start(ap, fmt);
    n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n >= b->cap - b->len) {
        buf_reserve(b, (size_t)n);
        va_start(ap, fmt);
        n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
        va_end(ap);
    }
    if (n > 0)
        b->len += (size_t)n;
    b->data[b->len] = '\0';
}

void eb_buf_addc(struct eb_buf *b, char c)
{
    eb_buf_add(b, &c, 1);
}

void eb_buf_reset(struct eb_buf *b)
{
    b->len = 0;
    if (b->data != NULL)
        b->data[0] = '\0';
}

char *eb_buf_take(struct eb_buf *b)
{
    char *s = b->data != NULL ? b->data : eb_xstrdup("");

    *b = (struct eb_buf){0};
    return s;
}

void eb_buf_free(struct eb_buf *b)
{
    if (b == NULL)
        return;
    free(b->data);
    *b = (struct eb_buf){0};
}
