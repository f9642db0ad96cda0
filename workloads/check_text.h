/* What an item says, ready for comparing with what others say: the check of
 * suites and the importers have one notion of "the same item". The caller
 * owns the struct; pure functions, any thread. */
#ifndef EB_CHECK_TEXT_H
#define EB_CHECK_TEXT_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

struct eb_check_text {
    const char *lang; /* into the item */
    char *message;    /* normalised, slots taken out */
    char *rest;       /* the other parts of the prompt, likewise */
    uint64_t *tokens; /* of the message */
    size_t n_tokens;
};

void eb_check_text_init(struct eb_check_text *t, const cJSON *item);
void eb_check_text_free(struct eb_check_text *t);

/* Share of common words of the two messages, 0 to 1; 2 if they are equal. 0
 * too if the languages or the other parts differ: the same question on
 * another passage is another item. */
double eb_check_text_same(const struct eb_check_text *a,
                          const struct eb_check_text *b);

#endif
