#include "workloads/text.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

uint32_t eb_utf8_next(const char **s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)*s;
    uint32_t cp = p[0];
    int n, i;

    (*s)++;
    if (cp < 0x80)
        return cp;
    if (cp >= 0xC2 && cp < 0xE0)
        n = 2;
    else if (cp >= 0xE0 && cp < 0xF0)
        n = 3;
    else if (cp >= 0xF0 && cp < 0xF5)
        n = 4;
    else
        return 0xFFFD;
    cp &= 0x7Fu >> n;
    for (i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0xFFFD;
        cp = cp << 6 | (p[i] & 0x3F);
    }
    if (cp < least[n] || cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        return 0xFFFD;
    *s += n - 1;
    return cp;
}

void eb_utf8_add(struct eb_buf *out, uint32_t cp)
{
    if (cp < 0x80) {
        eb_buf_addc(out, (char)cp);
    } else if (cp < 0x800) {
        eb_buf_addc(out, (char)(0xC0 | cp >> 6));
        eb_buf_addc(out, (char)(0x80 | (cp & 0x3F)));
    } else if (cp < 0x10000) {
        eb_buf_addc(out, (char)(0xE0 | cp >> 12));
        eb_buf_addc(out, (char)(0x80 | (cp >> 6 & 0x3F)));
        eb_buf_addc(out, (char)(0x80 | (cp & 0x3F)));
    } else {
        eb_buf_addc(out, (char)(0xF0 | cp >> 18));
        eb_buf_addc(out, (char)(0x80 | (cp >> 12 & 0x3F)));
        eb_buf_addc(out, (char)(0x80 | (cp >> 6 & 0x3F)));
        eb_buf_addc(out, (char)(0x80 | (cp & 0x3F)));
    }
}

size_t eb_utf8_count(const char *s)
{
    size_t n = 0;

    while (*s != '\0') {
        eb_utf8_next(&s);
        n++;
    }
    return n;
}

int eb_text_is_han(uint32_t cp)
{
    return (cp >= 0x3400 && cp <= 0x4DBF) || (cp >= 0x4E00 && cp <= 0x9FFF) ||
           (cp >= 0x20000 && cp <= 0x2FA1F);
}

static int text_is_digit(uint32_t cp)
{
    return cp >= '0' && cp <= '9';
}

/* Letters and digits that are not Han: ASCII, and everything from U+00AA on
 * that is no sign, punctuation or space of the blocks seen in such texts. */
static int text_is_word(uint32_t cp)
{
    if (cp < 0x80)
        return text_is_digit(cp) || (cp >= 'a' && cp <= 'z') ||
               (cp >= 'A' && cp <= 'Z');
    if (eb_text_is_han(cp) || cp < 0xC0 || cp == 0xD7 || cp == 0xF7)
        return 0;
    return cp < 0x2000 || (cp >= 0x3041 && cp <= 0x30FF) ||
           (cp >= 0xAC00 && cp <= 0xD7A3);
}

/* Latin-1 letter for a base letter and a combining accent (NFC for the
 * letters of that block), 0 if there is none. */
static uint32_t text_compose(uint32_t base, uint32_t accent)
{
    static const struct {
        uint32_t accent;
        const char *bases;
        unsigned char composed[12];
    } table[] = {
        {0x300, "aeiou", {0xE0, 0xE8, 0xEC, 0xF2, 0xF9}},
        {0x301, "aeiouy", {0xE1, 0xE9, 0xED, 0xF3, 0xFA, 0xFD}},
        {0x302, "aeiou", {0xE2, 0xEA, 0xEE, 0xF4, 0xFB}},
        {0x303, "ano", {0xE3, 0xF1, 0xF5}},
        {0x308, "aeiouy", {0xE4, 0xEB, 0xEF, 0xF6, 0xFC, 0xFF}},
        {0x30A, "a", {0xE5}},
        {0x327, "c", {0xE7}},
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *at;

        if (table[i].accent != accent || base == 0 || base >= 0x80)
            continue;
        at = strchr(table[i].bases, (int)base);
        return at != NULL ? table[i].composed[at - table[i].bases] : 0;
    }
    return 0;
}

/* Steps 1 to 3 for one code point. A full-width comma and 、 stay apart from
 * the ASCII one (as U+FF0C) until numbers are done: between digits they set
 * numbers apart, they do not group thousands. */
static uint32_t text_fold(uint32_t cp)
{
    static const struct {
        uint32_t from, to;
    } table[] = {
        {0x3000, ' '},  {0x00A0, ' '},  {0x2018, '\''},   {0x2019, '\''},
        {0x201C, '"'},  {0x201D, '"'},  {0x3001, 0xFF0C}, {0x3002, '.'},
        {0x300A, '"'},  {0x300B, '"'},  {0x300C, '"'},    {0x300D, '"'},
        {0x300E, '"'},  {0x300F, '"'},  {0x3010, '['},    {0x3011, ']'},
        {0x2013, '-'},  {0x2014, '-'},  {0x2212, '-'},    {0x2010, '-'},
        {0x2011, '-'},  {0x2026, '.'},  {0x00B7, ' '},    {0x202F, ' '},
        {0x2009, ' '},  {0x3008, '"'},  {0x3009, '"'},    {0xFFE5, 0xA5},
        {0xFFE1, 0xA3}, {0xFFE0, 0xA2},
    };
    size_t i;

    if (cp == 0xFF0C)
        return cp;
    if (cp >= 0xFF01 && cp <= 0xFF5E)
        cp -= 0xFF01 - 0x21;
    if (cp >= 'A' && cp <= 'Z')
        return cp + 32;
    if (cp >= 0xC0 && cp <= 0xDE && cp != 0xD7)
        return cp + 32;
    if (cp == '\t' || cp == '\n' || cp == '\r' || cp == '\v' || cp == '\f')
        return ' ';
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].from == cp)
            return table[i].to;
    }
    return cp;
}

static int text_is_currency(uint32_t cp)
{
    return cp == '$' || cp == 0xA3 || cp == 0xA5 || cp == 0x20AC;
}

/* Zero-width characters would hide a word from the matcher. */
static int text_is_invisible(uint32_t cp)
{
    return cp == 0xAD || (cp >= 0x200B && cp <= 0x200F) || cp == 0x2060 ||
           cp == 0xFEFF;
}

/* Folded code points without currency signs, with one space where there was
 * white space between two characters that are not Han. */
static uint32_t *text_points(const char *s, size_t *n)
{
    uint32_t *v = eb_xmalloc((strlen(s) + 1) * sizeof(*v));
    int space = 0;

    *n = 0;
    while (*s != '\0') {
        uint32_t cp = text_fold(eb_utf8_next(&s));
        uint32_t composed;

        if (cp == ' ') {
            space = 1;
            continue;
        }
        if (text_is_currency(cp) || text_is_invisible(cp))
            continue;
        composed = *n > 0 && !space ? text_compose(v[*n - 1], cp) : 0;
        if (composed != 0) {
            v[*n - 1] = composed;
            continue;
        }
        if (space && *n > 0 && !eb_text_is_han(cp) &&
            !eb_text_is_han(v[*n - 1]))
            v[(*n)++] = ' ';
        space = 0;
        v[(*n)++] = cp;
    }
    return v;
}

/* 1 if the comma at i groups thousands: one to three digits or a group
 * before it, exactly three digits after it. */
static int text_is_group_comma(const uint32_t *v, size_t n, size_t i)
{
    size_t before = 0, k;

    while (before < i && before < 4 && text_is_digit(v[i - 1 - before]))
        before++;
    if (before == 0 || before > 3)
        return 0;
    for (k = 1; k <= 3; k++) {
        if (i + k >= n || !text_is_digit(v[i + k]))
            return 0;
    }
    return i + 4 >= n || !text_is_digit(v[i + 4]);
}

/* Length of ".0" or ".00" at i, 0 if the number goes on or has another
 * fraction. */
static size_t text_zero_fraction(const uint32_t *v, size_t n, size_t i)
{
    size_t k = i + 1, b = i;

    if (i == 0 || !text_is_digit(v[i - 1]))
        return 0;
    while (b > 0 && text_is_digit(v[b - 1]))
        b--;
    if (b > 0 && v[b - 1] == '.')
        return 0;
    while (k < n && v[k] == '0')
        k++;
    if (k == i + 1 || k > i + 3)
        return 0;
    if (k < n && text_is_word(v[k]))
        return 0;
    if (k + 1 < n && v[k] == '.' && text_is_digit(v[k + 1]))
        return 0;
    return k - i;
}

void eb_text_norm(const char *s, struct eb_buf *out)
{
    size_t n, i;
    uint32_t *v = text_points(s, &n);

    eb_buf_add(out, "", 0);
    for (i = 0; i < n; i++) {
        if (v[i] == ',' && text_is_group_comma(v, n, i))
            continue;
        if (v[i] == '.') {
            size_t zeros = text_zero_fraction(v, n, i);

            if (zeros > 0) {
                i += zeros - 1;
                continue;
            }
        }
        eb_utf8_add(out, v[i] == 0xFF0C ? ',' : v[i]);
    }
    free(v);
}

char *eb_text_normed(const char *s)
{
    struct eb_buf b = {0};

    eb_text_norm(s, &b);
    return eb_buf_take(&b);
}

static uint32_t text_last(const char *start, const char *end)
{
    const char *p = end;

    if (p == start)
        return 0;
    do {
        p--;
    } while (p > start && ((unsigned char)*p & 0xC0) == 0x80);
    return eb_utf8_next(&p);
}

/* 1 if a token cannot go on across this place: left and right are the code
 * points on both sides, beyond and before the next ones further out. */
static int text_is_boundary(uint32_t inner, uint32_t outer, uint32_t beyond)
{
    if (!text_is_word(inner))
        return 1;
    if (text_is_word(outer))
        return 0;
    /* 10 is neither in 10.5 nor in 3.10; "10." ends a sentence. */
    return !(outer == '.' && text_is_digit(inner) && text_is_digit(beyond));
}

int eb_text_contains(const char *text, const char *needle)
{
    char *t = eb_text_normed(text), *w = eb_text_normed(needle);
    size_t len = strlen(w);
    const char *p = t, *first = w;
    int found = 0;

    while (len > 0 && !found && (p = strstr(p, w)) != NULL) {
        const char *next = p + len, *inner = first;
        uint32_t before = text_last(t, p), after = 0, after2 = 0;
        uint32_t before2 = 0;

        if (before == '.')
            before2 = text_last(t, p - 1);
        if (*next != '\0')
            after = eb_utf8_next(&next);
        if (*next != '\0')
            after2 = eb_utf8_next(&next);
        found = text_is_boundary(eb_utf8_next(&inner), before, before2) &&
                text_is_boundary(text_last(w, w + len), after, after2);
        p++;
    }
    free(t);
    free(w);
    return found;
}

static void text_chop(char *s)
{
    size_t len = strlen(s);

    while (len > 0 && strchr(".,;:!? ", s[len - 1]) != NULL)
        s[--len] = '\0';
}

int eb_text_equal(const char *a, const char *b)
{
    char *na = eb_text_normed(a), *nb = eb_text_normed(b);
    int same;

    text_chop(na);
    text_chop(nb);
    same = strcmp(na, nb) == 0;
    free(na);
    free(nb);
    return same;
}

static int text_cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t *eb_text_tokens(const char *s, size_t *n)
{
    char *norm = eb_text_normed(s);
    uint64_t *v = eb_xmalloc((strlen(norm) + 1) * sizeof(*v));
    const uint64_t offset = 0xcbf29ce484222325u; /* FNV-1a, 64 bit */
    uint64_t h = offset;
    size_t count = 0, i;
    const char *p = norm;

    while (*p != '\0') {
        uint32_t cp = eb_utf8_next(&p);

        if (eb_text_is_han(cp) || !text_is_word(cp)) {
            if (h != offset)
                v[count++] = h;
            h = offset;
        }
        if (eb_text_is_han(cp))
            v[count++] = (offset ^ cp) * 0x100000001b3u;
        else if (text_is_word(cp))
            h = (h ^ cp) * 0x100000001b3u;
    }
    if (h != offset)
        v[count++] = h;
    free(norm);
    qsort(v, count, sizeof(*v), text_cmp_u64);
    for (i = 0, *n = 0; i < count; i++) {
        if (*n == 0 || v[*n - 1] != v[i])
            v[(*n)++] = v[i];
    }
    return v;
}

double eb_text_overlap(const uint64_t *a, size_t na, const uint64_t *b,
                       size_t nb)
{
    size_t i = 0, j = 0, both = 0;

    while (i < na && j < nb) {
        if (a[i] == b[j]) {
            both++;
            i++;
            j++;
        } else if (a[i] < b[j]) {
            i++;
        } else {
            j++;
        }
    }
    if (na + nb == 0)
        return 0;
    return (double)both / (double)(na + nb - both);
}

static struct eb_span text_trim(struct eb_span t)
{
    while (t.len > 0 && strchr(" \t\r\n", t.s[0]) != NULL) {
        t.s++;
        t.len--;
    }
    while (t.len > 0 && strchr(" \t\r\n", t.s[t.len - 1]) != NULL)
        t.len--;
    return t;
}

struct eb_span eb_text_visible(const char *output)
{
    size_t mark = strncmp(output, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    struct eb_span t =
        text_trim((struct eb_span){output + mark, strlen(output + mark)});
    const char *p, *open;

    /* Some chat templates open the block in the prompt, so that the output
     * holds its end only. */
    p = memmem(t.s, t.len, "</think>", 8);
    open = memmem(t.s, t.len, "<think>", 7);
    if (open == t.s && p == NULL && t.len > 0)
        return (struct eb_span){t.s + t.len, 0};
    if (p != NULL && (open == NULL || open == t.s || open > p)) {
        t.len -= (size_t)(p + 8 - t.s);
        t.s = p + 8;
        t = text_trim(t);
    }
    if (t.len >= 6 && memcmp(t.s, "```", 3) == 0 &&
        memcmp(t.s + t.len - 3, "```", 3) == 0) {
        t.len -= 6;
        t.s += 3;
        p = memchr(t.s, '\n', t.len);
        /* The language name after the opening fence. */
        if (p != NULL && memchr(t.s, '{', (size_t)(p - t.s)) == NULL) {
            t.len -= (size_t)(p - t.s);
            t.s = p;
        }
        t = text_trim(t);
    }
    return t;
}

struct eb_span eb_text_json(struct eb_span text)
{
    struct eb_span none = {NULL, 0};
    const char *start = memchr(text.s, '{', text.len), *p;
    const char *end = text.s + text.len;
    int depth = 0, in_string = 0;

    if (start == NULL)
        return none;
    for (p = start; p < end; p++) {
        if (in_string) {
            if (*p == '\\')
                p++;
            else if (*p == '"')
                in_string = 0;
        } else if (*p == '"') {
            in_string = 1;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if ((*p == '}' || *p == ']') && --depth == 0) {
            return (struct eb_span){start, (size_t)(p + 1 - start)};
        }
    }
    return none;
}
