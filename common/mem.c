#include "common/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "common/err.h"
#include "common/log.h"

#define MEM_LARGE_BYTES (1 << 20)

static void *mem_check(void *p)
{
    if (p == NULL) {
        eb_error("out of memory");
        _Exit(EB_EXIT_INTERNAL);
    }
    return p;
}

void *eb_xmalloc(size_t size)
{
    return mem_check(malloc(size > 0 ? size : 1));
}

void *eb_xcalloc(size_t n, size_t size)
{
    return mem_check(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *eb_xrealloc(void *p, size_t n, size_t size)
{
    if (size > 0 && n > SIZE_MAX / size)
        mem_check(NULL);
    n *= size;
    return mem_check(realloc(p, n > 0 ? n : 1));
}

char *eb_xstrdup(const char *s)
{
    return mem_check(strdup(s));
}

char *eb_xstrndup(const char *s, size_t n)
{
    return mem_check(strndup(s, n));
}

char *eb_xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return mem_check(n < 0 ? NULL : s);
}

void eb_mem_return_large(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, MEM_LARGE_BYTES);
#endif
}

void eb_mem_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
