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

/* Once, first in a program that opens models: large buffers go back to the
 * kernel when they are freed. Else glibc raises its bound with the first of
 * them and keeps the others, some 20 MB that then look like the next model's
 * (mallopt(3)). Other C libraries give them back by themselves. */
void eb_mem_return_large(void);
/* Gives the kernel back what is free. */
void eb_mem_trim(void);

#endif
