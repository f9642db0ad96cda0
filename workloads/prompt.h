/* Texts for the model: the user text of an item and the grammar (GBNF, the
 * notation of llama.cpp) of a level's answers. Pure functions, any thread. */
#ifndef EB_PROMPT_H
#define EB_PROMPT_H

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "workloads/suite.h"

/* Appends the user text: the message alone if `parts` holds nothing else or
 * there is no template, else the template with {part} replaced; a part that
 * is absent is replaced by nothing. */
void eb_prompt_user(const char *template, const cJSON *parts,
                    struct eb_buf *out);

/* Appends the grammar of exactly the answers allowed on a level: keys in
 * their order, no white space. Start symbol root.
 *
 *     root ::= "{\"intent\":" intent ",\"language\":" ... "}"
 *
 * json, grounded: the fields. toolcall: one call of one tool. dialog: one
 * call or {"say":"..."}. calls: any calls, since each item has functions of
 * its own, see below. Whole numbers are bounded by their digits only,
 * strings by max_chars; those may hold any but control characters. */
void eb_prompt_grammar(const struct eb_level *level, struct eb_buf *out);

/* The grammar of one item: for calls of its functions, else its level's. */
void eb_prompt_case_grammar(const struct eb_case *c, struct eb_buf *out);

#define EB_PROMPT_SAY_MAX 200 /* characters of a dialog's {"say":"..."} */

#endif
