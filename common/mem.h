/* Allocation that ends the program when memory is exhausted, so callers
 * have no error path for it. Free with free(). */
#ifndef EB_MEM_H
#define EB_MEM_H

#include <stddef.h>

void *eb_xmalloc(size_t size);
void *eb_xcalloc(size_t n, size_t size);
/* n * size is checked for overflow. */
void *eb_xrealloc(void *p, size_t n, size_t size);
char *eb_xstrdup(const char *s);
char *eb_xstrndup(const char *s, size_t n);
char *eb_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
