/* A set of logical processors, by the kernel's numbers.
 *
 *     eb_cpus_parse("0-3,8", &s);
 *     eb_cpus_text(&s, text);      "0-3,8", as in /sys and taskset -c
 *
 * All zero is the empty set. Pure, any thread. */
#ifndef EB_CPUS_H
#define EB_CPUS_H

#include <stdint.h>

#define EB_CPUS_MAX 512 /* as many as ggml can name */
/* Two of every three of 512: 171 pairs of up to eight characters. */
#define EB_CPUS_TEXT 1536

struct eb_cpus {
    uint64_t bits[EB_CPUS_MAX / 64];
};

/* Numbers that no set can hold are left out. */
void eb_cpus_add(struct eb_cpus *s, int cpu);
int eb_cpus_has(const struct eb_cpus *s, int cpu);
int eb_cpus_count(const struct eb_cpus *s);
int eb_cpus_equal(const struct eb_cpus *a, const struct eb_cpus *b);
void eb_cpus_text(const struct eb_cpus *s, char out[EB_CPUS_TEXT]);
/* 0, or -1: not such a list, empty, or a number that is too large. */
int eb_cpus_parse(const char *text, struct eb_cpus *out);

#endif
