/* Growing byte buffer. The caller owns the struct; zero-initialise it
 * (`struct eb_buf b = {0};`). data is NUL-terminated whenever it is not
 * NULL; len excludes that NUL. */
#ifndef EB_BUF_H
#define EB_BUF_H

#include <stddef.h>

struct eb_buf {
    char *data;
    size_t len;
    size_t cap;
};

void eb_buf_add(struct eb_buf *b, const void *data, size_t len);
void eb_buf_adds(struct eb_buf *b, const char *s);
void eb_buf_addf(struct eb_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void eb_buf_addc(struct eb_buf *b, char c);
/* Empties the buffer, keeps its memory. */
void eb_buf_reset(struct eb_buf *b);
/* Hands the string over (never NULL); the buffer is empty after. */
char *eb_buf_take(struct eb_buf *b);
void eb_buf_free(struct eb_buf *b);

#endif
