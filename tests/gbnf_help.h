/* A small GBNF matcher for tests: does a grammar accept a text? */
#ifndef EB_TEST_GBNF_HELP_H
#define EB_TEST_GBNF_HELP_H

#include "tests/workloads_help.h"
#include "workloads/text.h"

/* The matcher works on sets of positions in the text: what a symbol can
 * consume from any start in one set gives the next set. It interprets the
 * grammar as it reads it; on an empty set it merely skips. */
#define SET_MAX 1024

struct set {
    char at[SET_MAX];
};

struct gbnf {
    const char *grammar;
    const char *text;
    size_t len;
};

static inline struct set gbnf_choice(const struct gbnf *g, const char **p,
                                     const struct set *in);

static inline void gbnf_space(const char **p)
{
    *p += strspn(*p, " \n");
}

static inline uint32_t gbnf_char(const char **p)
{
    unsigned x = 0;

    if (**p != '\\')
        return eb_utf8_next(p);
    (*p)++;
    if (**p == 'x') {
        assert_int_equal(sscanf(*p + 1, "%2x", &x), 1);
        *p += 3;
        return x;
    }
    assert_non_null(strchr("\"\\[]", **p));
    return (unsigned char)*(*p)++;
}

static inline struct set gbnf_literal(const struct gbnf *g, const char **p,
                                      const struct set *in)
{
    struct set cur = *in;

    for ((*p)++; **p != '"';) {
        uint32_t want = gbnf_char(p);
        struct set next = {{0}};
        size_t i;

        for (i = 0; i < g->len; i++) {
            const char *t = g->text + i;

            if (cur.at[i] && eb_utf8_next(&t) == want)
                next.at[t - g->text] = 1;
        }
        cur = next;
    }
    (*p)++;
    return cur;
}

static inline int gbnf_in_class(const char *p, uint32_t cp)
{
    int not = *p == '^', hit = 0;

    p += not ;
    while (*p != ']') {
        uint32_t lo = gbnf_char(&p), hi = lo;

        if (*p == '-') {
            p++;
            hi = gbnf_char(&p);
        }
        hit |= cp >= lo && cp <= hi;
    }
    return hit != not ;
}

static inline struct set gbnf_class(const struct gbnf *g, const char **p,
                                    const struct set *in)
{
    struct set next = {{0}};
    const char *class = *p + 1;
    size_t i;

    for (i = 0; i < g->len; i++) {
        const char *t = g->text + i;

        if (in->at[i] && gbnf_in_class(class, eb_utf8_next(&t)))
            next.at[t - g->text] = 1;
    }
    for ((*p)++; **p != ']';)
        gbnf_char(p);
    (*p)++;
    return next;
}

static inline struct set gbnf_rule(const struct gbnf *g, const char *name,
                                   size_t len, const struct set *in)
{
    const char *p = g->grammar;

    /* Nothing to go on from: a rule may well contain itself. */
    if (memchr(in->at, 1, SET_MAX) == NULL)
        return *in;
    for (; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, name, len) == 0 && strncmp(p + len, " ::= ", 5) == 0) {
            p += len + 5;
            return gbnf_choice(g, &p, in);
        }
    }
    fail_msg("no rule %.*s", (int)len, name);
    return *in;
}

static inline struct set gbnf_symbol(const struct gbnf *g, const char **p,
                                     const struct set *in)
{
    struct set out;
    size_t len;

    if (**p == '"')
        return gbnf_literal(g, p, in);
    if (**p == '[')
        return gbnf_class(g, p, in);
    if (**p == '(') {
        (*p)++;
        out = gbnf_choice(g, p, in);
        gbnf_space(p);
        assert_int_equal(**p, ')');
        (*p)++;
        return out;
    }
    len = strspn(*p, "abcdefghijklmnopqrstuvwxyz-");
    assert_true(len > 0);
    out = gbnf_rule(g, *p, len, in);
    *p += len;
    return out;
}

static inline int gbnf_repeat(const char **p, int *least, int *most)
{
    int end = 0;

    *least = *most = 1;
    if (**p == '?') {
        *least = 0;
        end = 1;
    } else if (sscanf(*p, "{%d,%d}%n", least, most, &end) == 2 && end > 0) {
        ;
    } else if (sscanf(*p, "{%d}%n", least, &end) == 1 && end > 0) {
        *most = *least;
    }
    *p += end;
    return end;
}

static inline struct set gbnf_repeated(const struct gbnf *g, const char **p,
                                       const struct set *in)
{
    const char *start = *p, *again;
    struct set cur = gbnf_symbol(g, p, in), all = {{0}};
    int least, most, i;
    size_t k;

    if (gbnf_repeat(p, &least, &most) == 0)
        return cur;
    if (least == 0)
        all = *in;
    for (i = 1; i <= most; i++) {
        if (i > 1) {
            again = start;
            cur = gbnf_symbol(g, &again, &cur);
        }
        for (k = 0; i >= least && k <= g->len; k++)
            all.at[k] |= cur.at[k];
    }
    return all;
}

static inline int gbnf_at_rule(const char *p)
{
    return strncmp(p + strspn(p, "abcdefghijklmnopqrstuvwxyz-"), " ::=", 4) ==
           0;
}

static inline struct set gbnf_choice(const struct gbnf *g, const char **p,
                                     const struct set *in)
{
    struct set all = {{0}}, cur;
    size_t k;

    for (;;) {
        cur = *in;
        gbnf_space(p);
        while (**p != '\0' && strchr("|)", **p) == NULL && !gbnf_at_rule(*p)) {
            cur = gbnf_repeated(g, p, &cur);
            gbnf_space(p);
        }
        for (k = 0; k <= g->len; k++)
            all.at[k] |= cur.at[k];
        if (**p != '|')
            return all;
        (*p)++;
    }
}

static inline int accepts(const char *grammar, const char *text)
{
    struct gbnf g = {grammar, text, strlen(text)};
    struct set start = {{1}};

    assert_true(g.len < SET_MAX);
    return gbnf_rule(&g, "root", 4, &start).at[g.len];
}

#endif
