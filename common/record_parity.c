/* Languages side by side: the items of a pair that are right in one language
 * only, and whether replies are in the language of the question. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/decision.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/record.h"
#include "common/record_parts.h"
#include "common/stats.h"

#define PARITY_MARGIN 0.05
/* A record that invents thousands of languages must not take their square. */
#define PARITY_LANGS_MAX 64
/* Replies that end within an object, after which the next may follow. */
#define FIDELITY_CUT_MAX 64

struct parity_item {
    const char *lang;
    const char *pair;
    const cJSON *json;
    size_t at; /* place in the record */
};

/* The items of one level with a name for their language, ordered by it. */
struct parity_level {
    struct parity_item *v;
    size_t n;
};

struct parity_lang {
    const char *name;
    const struct parity_item *v;
    size_t n;
};

static int parity_cmp(const void *a, const void *b)
{
    const struct parity_item *x = a, *y = b;
    int c = strcmp(x->lang, y->lang);

    if (c == 0)
        c = strcmp(x->pair, y->pair);
    return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

/* The scored items of a level by language and pair. */
static struct parity_level parity_load(const cJSON *rec, const char *level)
{
    const cJSON *items = eb_record_items(rec), *v;
    struct parity_level l = {
        eb_xcalloc((size_t)cJSON_GetArraySize(items) + 1, sizeof(*l.v)), 0};

    cJSON_ArrayForEach(v, items)
    {
        if (strcmp(eb_json_get_str(v, "level", ""), level) != 0 ||
            strcmp(eb_json_get_str(v, "class", ""), "harness_error") == 0)
            continue;
        l.v[l.n] =
            (struct parity_item){eb_json_get_str(v, "lang", ""),
                                 eb_json_get_str(v, "pair_id", ""), v, l.n};
        l.n++;
    }
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(*l.v), parity_cmp);
    return l;
}

/* Its languages, the first PARITY_LANGS_MAX in the order of their names. */
static size_t parity_langs(const struct parity_level *l,
                           struct parity_lang out[PARITY_LANGS_MAX])
{
    size_t i, n = 0;

    for (i = 0; i < l->n; i++) {
        if (n == 0 || strcmp(out[n - 1].name, l->v[i].lang) != 0) {
            if (n == PARITY_LANGS_MAX)
                break;
            out[n++] = (struct parity_lang){l->v[i].lang, &l->v[i], 0};
        }
        out[n - 1].n++;
    }
    return n;
}

struct parity_count {
    int64_t n, b, c;
    int64_t first, second; /* right in each */
};

static int parity_right(const struct parity_item *i)
{
    return strcmp(eb_json_get_str(i->json, "class", ""), "ok") == 0;
}

/* The next item of another pair, past items without one and repeats. */
static size_t parity_next(const struct parity_lang *l, size_t i)
{
    const char *last = i < l->n ? l->v[i].pair : "";

    while (i < l->n && strcmp(l->v[i].pair, last) == 0)
        i++;
    return i;
}

static struct parity_count parity_match(const struct parity_lang *x,
                                        const struct parity_lang *y)
{
    struct parity_count m = {0};
    size_t i = 0, k = 0;

    while (i < x->n && x->v[i].pair[0] == '\0')
        i++;
    while (i < x->n && k < y->n) {
        int c = strcmp(x->v[i].pair, y->v[k].pair), right, other;

        if (c == 0) {
            right = parity_right(&x->v[i]);
            other = parity_right(&y->v[k]);
            m.n++;
            m.first += right;
            m.second += other;
            m.b += right && !other;
            m.c += !right && other;
        }
        if (c <= 0)
            i = parity_next(x, i);
        if (c >= 0)
            k = parity_next(y, k);
    }
    return m;
}

/* Did the results choose the number of pairs? Each language of a level that
 * stops early ends where it is decided, often on a lucky or unlucky streak:
 * at a nominal 5 %, up to 10 % of equal pairs of languages came out as
 * DIFFERENT then (simulated, bar 0.7, pool 212). */
static int parity_stopped(const cJSON *def, const char *x, const char *y,
                          int64_t n)
{
    struct eb_decision_rule a = eb_decision_rule(def, x);
    struct eb_decision_rule b = eb_decision_rule(def, y);

    return a.early && (n < a.pool || n < b.pool);
}

static void parity_verdict(cJSON *row, struct eb_interval ci, int stopped)
{
    const char *verdict = "NOT SHOWN", *reason = NULL;

    if (stopped)
        reason = "the languages stopped as soon as each was decided; --stop "
                 "never compares all pairs";
    else if (ci.lo >= -PARITY_MARGIN && ci.hi <= PARITY_MARGIN)
        verdict = "EQUAL WITHIN 5 POINTS";
    else if (ci.lo > 0 || ci.hi < 0)
        verdict = "DIFFERENT";
    else
        reason = "the interval reaches 0 and beyond 5 points";
    cJSON_AddStringToObject(row, "verdict", verdict);
    if (reason != NULL)
        cJSON_AddStringToObject(row, "reason", reason);
    else
        cJSON_AddNullToObject(row, "reason");
}

static void parity_row(const cJSON *def, const struct parity_lang *x,
                       const struct parity_lang *y, cJSON *out)
{
    struct parity_count m = parity_match(x, y);
    struct eb_interval ci = eb_stats_tango(m.b, m.c, m.n);
    cJSON *row;

    if (m.n == 0)
        return;
    row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "level", eb_json_get_str(def, "level", ""));
    cJSON_AddStringToObject(row, "first", x->name);
    cJSON_AddStringToObject(row, "second", y->name);
    cJSON_AddNumberToObject(row, "n", (double)m.n);
    cJSON_AddNumberToObject(row, "first_passes", (double)m.first);
    cJSON_AddNumberToObject(row, "second_passes", (double)m.second);
    cJSON_AddNumberToObject(row, "b", (double)m.b);
    cJSON_AddNumberToObject(row, "c", (double)m.c);
    cJSON_AddNumberToObject(row, "difference",
                            (double)(m.b - m.c) / (double)m.n);
    cJSON_AddNumberToObject(row, "lower", ci.lo);
    cJSON_AddNumberToObject(row, "upper", ci.hi);
    cJSON_AddNumberToObject(row, "mcnemar_p", eb_stats_mcnemar(m.b, m.c));
    parity_verdict(row, ci, parity_stopped(def, x->name, y->name, m.n));
    cJSON_AddItemToArray(out, row);
}

void eb_record_parity(const cJSON *rec, cJSON *sum)
{
    cJSON *out = cJSON_AddArrayToObject(sum, "parity");
    struct parity_lang langs[PARITY_LANGS_MAX];
    const cJSON *def;

    cJSON_ArrayForEach(def, cJSON_GetObjectItemCaseSensitive(rec, "levels"))
    {
        struct parity_level l =
            parity_load(rec, eb_json_get_str(def, "level", ""));
        size_t n = parity_langs(&l, langs), i, k;

        for (i = 0; i < n; i++) {
            for (k = i + 1; k < n; k++)
                parity_row(def, &langs[i], &langs[k], out);
        }
        free(l.v);
    }
}

/* The length of the object that starts at s, 0 if it never ends. Braces in
 * strings do not count. */
static size_t fidelity_object(const char *s)
{
    int depth = 0, text = 0;
    size_t i;

    for (i = 0; s[i] != '\0'; i++) {
        if (text) {
            if (s[i] == '\\' && s[i + 1] != '\0')
                i++;
            else if (s[i] == '"')
                text = 0;
        } else if (s[i] == '"') {
            text = 1;
        } else if (s[i] == '{') {
            depth++;
        } else if (s[i] == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* The text of one key of one object; 1 if the object is one. */
static int fidelity_take(const char *s, size_t len, const char *key,
                         struct eb_buf *out)
{
    cJSON *v;

    if (eb_json_parse(s, len, "", &v, NULL) != 0)
        return 0;
    eb_buf_addf(out, "%s\n", eb_json_get_str(v, key, ""));
    cJSON_Delete(v);
    return 1;
}

/* Collects the free text of an output: of its first object, or with `all` of
 * each, as a dialog has one a turn. Thoughts are not said to anybody. */
static void fidelity_text(const char *s, const char *key, int all,
                          struct eb_buf *out)
{
    int cut = 0;
    size_t len;

    while ((s = strpbrk(s, "{<")) != NULL) {
        if (*s == '<') {
            const char *end =
                strncmp(s, "<think>", 7) == 0 ? strstr(s, "</think>") : NULL;

            s = end != NULL ? end : s + 1;
            continue;
        }
        len = fidelity_object(s);
        if (len > 0) {
            if (fidelity_take(s, len, key, out) && !all)
                return;
            s += len;
        } else if (++cut > FIDELITY_CUT_MAX || (s = strchr(s, '\n')) == NULL) {
            return;
        }
    }
}

/* Text from a parsed record is valid UTF-8. */
static uint32_t fidelity_char(const unsigned char **s)
{
    const unsigned char *p = *s;
    int more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
    uint32_t cp = more > 0 ? p[0] & (0x3fu >> more) : p[0];
    int i;

    for (i = 1; i <= more && p[i] != 0; i++)
        cp = cp << 6 | (p[i] & 0x3f);
    *s = p + i;
    return cp;
}

static int fidelity_han(uint32_t c)
{
    return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
           (c >= 0x20000 && c <= 0x2fa1f);
}

static int fidelity_latin(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= 0xc0 && c <= 0x24f && c != 0xd7 && c != 0xf7);
}

/* Counts Han characters and Latin letters. A run of ASCII letters and digits
 * with a digit in it is a number or an id and belongs to no language. */
static void fidelity_letters(const char *text, int64_t *han, int64_t *latin)
{
    const unsigned char *s = (const unsigned char *)text;
    int64_t run = 0;
    int digit = 0;

    *han = *latin = 0;
    while (*s != '\0') {
        uint32_t c = fidelity_char(&s);

        if (c < 0x80 && fidelity_latin(c)) {
            run++;
            continue;
        }
        if (c >= '0' && c <= '9') {
            digit = 1;
            continue;
        }
        *latin += digit ? 0 : run;
        run = digit = 0;
        *han += fidelity_han(c);
        *latin += fidelity_latin(c);
    }
    *latin += digit ? 0 : run;
}

/* 1 in the language, 0 not, -1 if that cannot be told from the script: half
 * of the letters Han for zh, at most one in twenty for en (names may stand in
 * their own script; suites 3.8). */
static int fidelity_judge(const char *lang, const char *text)
{
    int64_t han, latin;

    fidelity_letters(text, &han, &latin);
    if (han + latin == 0)
        return -1;
    if (strcmp(lang, "zh") == 0)
        return 2 * han >= han + latin;
    if (strcmp(lang, "en") == 0)
        return 20 * han <= han + latin;
    return -1;
}

static void fidelity_row(const cJSON *def, const char *key,
                         const struct parity_lang *l, cJSON *out)
{
    int dialog = strcmp(key, "say") == 0;
    int64_t n = 0, right = 0;
    struct eb_interval ci;
    struct eb_buf text = {0};
    cJSON *row = cJSON_CreateObject();
    size_t i;

    for (i = 0; i < l->n; i++) {
        int judged;

        eb_buf_reset(&text);
        eb_buf_adds(&text, "");
        fidelity_text(eb_json_get_str(l->v[i].json, "output", ""), key, dialog,
                      &text);
        judged = fidelity_judge(l->name, text.data);
        n += judged >= 0;
        right += judged > 0;
    }
    eb_buf_free(&text);
    ci = eb_stats_wilson(right, n);
    cJSON_AddStringToObject(row, "level", eb_json_get_str(def, "level", ""));
    cJSON_AddStringToObject(row, "lang", l->name);
    cJSON_AddNumberToObject(row, "n", (double)n);
    cJSON_AddNumberToObject(row, "right", (double)right);
    if (n > 0)
        cJSON_AddNumberToObject(row, "rate", (double)right / (double)n);
    else
        eb_json_add_null(row, "rate", "absent: no reply to judge");
    cJSON_AddNumberToObject(row, "wilson_lo", ci.lo);
    cJSON_AddNumberToObject(row, "wilson_hi", ci.hi);
    cJSON_AddNumberToObject(row, "not_judged", (double)l->n - (double)n);
    cJSON_AddItemToArray(out, row);
}

void eb_record_fidelity(const cJSON *rec, cJSON *sum)
{
    cJSON *out = cJSON_AddArrayToObject(sum, "fidelity");
    struct parity_lang langs[PARITY_LANGS_MAX];
    const cJSON *def;

    cJSON_ArrayForEach(def, cJSON_GetObjectItemCaseSensitive(rec, "levels"))
    {
        const char *kind = eb_json_get_str(def, "kind", "");
        const char *key = strcmp(kind, "grounded") == 0 ? "answer"
                          : strcmp(kind, "dialog") == 0 ? "say"
                                                        : NULL;
        struct parity_level l;
        size_t n, i;

        if (key == NULL)
            continue;
        l = parity_load(rec, eb_json_get_str(def, "level", ""));
        n = parity_langs(&l, langs);
        for (i = 0; i < n; i++)
            fidelity_row(def, key, &langs[i], out);
        free(l.v);
    }
}
