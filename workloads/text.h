/* The one text normalisation of all graders, and cleaning of model output.
 *
 * eb_text_norm, in this order: full-width forms to ASCII, curly quotes to
 * straight ones, a letter and a combining accent to one Latin-1 letter; case
 * folding of ASCII and Latin-1; CJK punctuation to ASCII or space; white
 * space trimmed and collapsed, and deleted next to a Han character; currency
 * signs and thousands commas dropped, and a decimal part of zeros only.
 *
 *     "Ｒefund of $1,200.00 。"  ->  "refund of 1200 ."
 *     "保修 ２４ 个月"           ->  "保修24个月"
 *
 * Traditional and simplified Han are different. Invalid bytes become U+FFFD.
 * Pure functions, any thread.
 */
#ifndef EB_TEXT_H
#define EB_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* One code point of UTF-8 text; advances *s. Invalid bytes give U+FFFD one
 * by one. Call only while **s is not NUL. */
uint32_t eb_utf8_next(const char **s);
void eb_utf8_add(struct eb_buf *out, uint32_t cp);
/* Code points in s. */
size_t eb_utf8_count(const char *s);
/* 3400-4DBF, 4E00-9FFF, 20000-2FA1F. */
int eb_text_is_han(uint32_t cp);

/* Appends the normalised text. */
void eb_text_norm(const char *s, struct eb_buf *out);
/* The same as a new string; free with free(). */
char *eb_text_normed(const char *s);

/* 1 if normalised needle stands in normalised text: Han anywhere, a needle
 * that begins or ends with a letter or digit only at a token boundary, so
 * "10" is not in "100", "10.5" or "a10". Empty needles are in nothing. */
int eb_text_contains(const char *text, const char *needle);
/* 1 if equal after normalisation and without final . , ; : ! ? */
int eb_text_equal(const char *a, const char *b);

/* Token hashes of the normalised text, each Han character and each run of
 * letters and digits one token: sorted, without repeats. Free with free(). */
uint64_t *eb_text_tokens(const char *s, size_t *n);
/* |A and B| / |A or B| of two such sets; 0 if both are empty. */
double eb_text_overlap(const uint64_t *a, size_t na, const uint64_t *b,
                       size_t nb);

/* What the customer would see of an output: after a byte order mark and a
 * closed <think> block at the start, also one that was opened in the prompt,
 * and without one code fence around the text. An unclosed block leaves nothing. */
struct eb_span {
    const char *s;
    size_t len;
};
struct eb_span eb_text_visible(const char *output);
/* The first balanced JSON object in a span, from its '{'; {NULL, 0} if there
 * is none. Braces inside strings do not count. */
struct eb_span eb_text_json(struct eb_span text);

#endif
