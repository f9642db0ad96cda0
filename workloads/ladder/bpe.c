#include "workloads/ladder/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define BPE_CONTROL 3
#define BPE_WORDS_BITS 18
#define BPE_PAIR_BITS 21

struct bpe_word {
    int *sym;
    int n;
    int count;
    char *text;
    int len;
};

struct bpe_words {
    struct bpe_word *v;
    int n;
    int *slot; /* hash table of indices + 1 */
};

/* GPT-2's printable stand-in for a byte, as UTF-8. */
static void bpe_byte(int byte, char out[4])
{
    int cp = byte;

    if (!((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) ||
          byte >= 174)) {
        int n = 0;
        for (int b = 0; b < byte; b++)
            n += !((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174);
        cp = 256 + n;
    }
    if (cp < 128)
        snprintf(out, 4, "%c", cp);
    else
        snprintf(out, 4, "%c%c", 0xc0 | (cp >> 6), 0x80 | (cp & 63));
}

enum bpe_class { BPE_LETTER, BPE_DIGIT, BPE_SPACE, BPE_LINE, BPE_MARK };

/* Class and byte length of the character at s. Everything outside ASCII is
 * a letter but for CJK and full-width punctuation. */
static enum bpe_class bpe_class(const unsigned char *s, size_t left, int *n)
{
    unsigned c = s[0];

    *n = 1;
    if (c < 0x80) {
        if ((c | 32) >= 'a' && (c | 32) <= 'z')
            return BPE_LETTER;
        if (c >= '0' && c <= '9')
            return BPE_DIGIT;
        if (c == '\n' || c == '\r')
            return BPE_LINE;
        return c == ' ' || c == '\t' ? BPE_SPACE : BPE_MARK;
    }
    *n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if ((size_t)*n > left)
        *n = 1;
    if (*n == 3 && ((c == 0xe3 && s[1] == 0x80) ||
                    (c == 0xe2 && s[1] == 0x80) || (c == 0xef && s[1] >= 0xbc)))
        return BPE_MARK;
    return BPE_LETTER;
}

/* Byte length of the word that starts at s. */
static size_t bpe_next(const unsigned char *s, size_t left)
{
    int n, m;
    size_t i = 0;
    enum bpe_class c = bpe_class(s, left, &n);

    if (c == BPE_DIGIT)
        return 1;
    i = (size_t)n;
    if (c != BPE_LETTER && c != BPE_LINE && i < left &&
        bpe_class(s + i, left - i, &m) == BPE_LETTER)
        c = BPE_LETTER; /* one leading mark or space */
    if (c == BPE_SPACE && i < left &&
        bpe_class(s + i, left - i, &m) == BPE_MARK)
        c = BPE_MARK;
    while (i < left && bpe_class(s + i, left - i, &m) == c)
        i += (size_t)m;
    return i;
}

static uint32_t bpe_hash(const void *p, size_t n)
{
    const unsigned char *s = p;
    uint32_t h = 2166136261u;

    while (n--)
        h = (h ^ *s++) * 16777619u;
    return h;
}

static void bpe_count(struct bpe_words *w, const char *s, int len)
{
    uint32_t mask = (1u << BPE_WORDS_BITS) - 1;
    uint32_t h = bpe_hash(s, (size_t)len) & mask;

    while (w->slot[h]) {
        struct bpe_word *x = &w->v[w->slot[h] - 1];
        if (x->len == len && !memcmp(x->text, s, (size_t)len)) {
            x->count++;
            return;
        }
        h = (h + 1) & mask;
    }
    if (w->n >= (1 << (BPE_WORDS_BITS - 1)))
        return; /* table half full: rare words do not matter */
    w->v = eb_xrealloc(w->v, (size_t)w->n + 1, sizeof(*w->v));
    struct bpe_word *x = &w->v[w->n++];
    *x = (struct bpe_word){.count = 1,
                           .len = len,
                           .n = len,
                           .text = eb_xstrndup(s, (size_t)len),
                           .sym = eb_xcalloc((size_t)len, sizeof(int))};
    for (int i = 0; i < len; i++)
        x->sym[i] = (unsigned char)s[i];
    w->slot[h] = w->n;
}

struct bpe_pair {
    uint64_t key; /* left << 32 | right, plus 1 */
    int64_t count;
};

/* The most frequent pair; the smaller key wins a tie. 0 if none occurs
 * twice. */
static uint64_t bpe_best(const struct bpe_words *w, struct bpe_pair *table)
{
    uint64_t mask = (1u << BPE_PAIR_BITS) - 1;
    struct bpe_pair best = {0, 1};

    memset(table, 0, sizeof(*table) << BPE_PAIR_BITS);
    for (int i = 0; i < w->n; i++) {
        const struct bpe_word *x = &w->v[i];
        for (int k = 0; k + 1 < x->n; k++) {
            uint64_t key =
                (((uint64_t)x->sym[k] << 32) | (uint64_t)x->sym[k + 1]) + 1;
            uint64_t h = (key * 0x9e3779b97f4a7c15u) >> 40 & mask;
            while (table[h].key && table[h].key != key)
                h = (h + 1) & mask;
            table[h].key = key;
            table[h].count += x->count;
            if (table[h].count > best.count ||
                (table[h].count == best.count && key < best.key))
                best = table[h];
        }
    }
    return best.count > 1 ? best.key : 0;
}

static void bpe_merge(struct bpe_words *w, int left, int right, int merged)
{
    for (int i = 0; i < w->n; i++) {
        struct bpe_word *x = &w->v[i];
        int n = 0;
        for (int k = 0; k < x->n; k++) {
            int hit =
                k + 1 < x->n && x->sym[k] == left && x->sym[k + 1] == right;
            x->sym[n++] = hit ? merged : x->sym[k];
            k += hit;
        }
        x->n = n;
    }
}

void bpe_train(const char *text, size_t len, int n_vocab, struct bpe *b)
{
    static const char *const control[] = {"<|pad|>", "<|im_start|>",
                                          "<|im_end|>"};
    struct bpe_words w = {.slot =
                              eb_xcalloc(1u << BPE_WORDS_BITS, sizeof(int))};
    struct bpe_pair *table =
        eb_xmalloc(sizeof(struct bpe_pair) << BPE_PAIR_BITS);

    for (size_t i = 0; i < len;) {
        size_t n = bpe_next((const unsigned char *)text + i, len - i);
        bpe_count(&w, text + i, (int)n);
        i += n;
    }
    *b = (struct bpe){.n_control = BPE_CONTROL};
    b->tokens = eb_xcalloc((size_t)n_vocab, sizeof(char *));
    b->merges = eb_xcalloc((size_t)n_vocab, sizeof(char *));
    for (; b->n_tokens < 256; b->n_tokens++) {
        char u[4];
        bpe_byte(b->n_tokens, u);
        b->tokens[b->n_tokens] = eb_xstrdup(u);
    }
    while (b->n_tokens < n_vocab - BPE_CONTROL) {
        uint64_t key = bpe_best(&w, table);
        if (!key)
            break;
        int left = (int)((key - 1) >> 32);
        int right = (int)((key - 1) & 0xffffffffu);
        b->merges[b->n_merges++] =
            eb_xasprintf("%s %s", b->tokens[left], b->tokens[right]);
        b->tokens[b->n_tokens] =
            eb_xasprintf("%s%s", b->tokens[left], b->tokens[right]);
        bpe_merge(&w, left, right, b->n_tokens++);
    }
    for (int i = 0; i < BPE_CONTROL; i++)
        b->tokens[b->n_tokens++] = eb_xstrdup(control[i]);
    for (int i = 0; i < w.n; i++) {
        free(w.v[i].sym);
        free(w.v[i].text);
    }
    free(w.v);
    free(w.slot);
    free(table);
}

void bpe_free(struct bpe *b)
{
    for (int i = 0; i < b->n_tokens; i++)
        free(b->tokens[i]);
    for (int i = 0; i < b->n_merges; i++)
        free(b->merges[i]);
    free(b->tokens);
    free(b->merges);
    *b = (struct bpe){0};
}
