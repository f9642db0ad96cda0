#include "agent/cpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void eb_cpus_add(struct eb_cpus *s, int cpu)
{
    if (cpu >= 0 && cpu < EB_CPUS_MAX)
        s->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

int eb_cpus_has(const struct eb_cpus *s, int cpu)
{
    return cpu >= 0 && cpu < EB_CPUS_MAX && (s->bits[cpu / 64] >> cpu % 64 & 1);
}

int eb_cpus_count(const struct eb_cpus *s)
{
    int n = 0, i;

    for (i = 0; i < EB_CPUS_MAX; i++)
        n += eb_cpus_has(s, i);
    return n;
}

int eb_cpus_equal(const struct eb_cpus *a, const struct eb_cpus *b)
{
    return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

void eb_cpus_text(const struct eb_cpus *s, char out[EB_CPUS_TEXT])
{
    size_t len = 0;
    int i, last;

    out[0] = '\0';
    for (i = 0; i < EB_CPUS_MAX; i = last + 1) {
        last = i;
        if (!eb_cpus_has(s, i))
            continue;
        while (eb_cpus_has(s, last + 1))
            last++;
        len += (size_t)snprintf(out + len, EB_CPUS_TEXT - len, "%s%d",
                                len > 0 ? "," : "", i);
        if (last > i)
            len += (size_t)snprintf(out + len, EB_CPUS_TEXT - len, "-%d", last);
    }
}

/* A number of at most four digits; -1 if there is none. */
static int cpus_number(const char **p)
{
    size_t digits = strspn(*p, "0123456789");
    int v = digits > 0 && digits <= 4 ? atoi(*p) : -1;

    *p += digits;
    return v < EB_CPUS_MAX ? v : -1;
}

int eb_cpus_parse(const char *text, struct eb_cpus *out)
{
    const char *p = text;
    int from, to;

    memset(out, 0, sizeof(*out));
    for (;;) {
        from = to = cpus_number(&p);
        if (*p == '-') {
            p++;
            to = cpus_number(&p);
        }
        if (from < 0 || to < from || (*p != ',' && *p != '\0'))
            return -1;
        for (; from <= to; from++)
            eb_cpus_add(out, from);
        if (*p++ == '\0')
            return 0;
    }
}
