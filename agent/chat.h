/* Messages as the JSON array that chat servers take. Invalid UTF-8 becomes
 * U+FFFD, as JSON must not hold it. */
#ifndef EB_CHAT_H
#define EB_CHAT_H

#include "agent/engine.h"

/* Appends [{"role":"user","content":"..."}]. */
void eb_chat_json(const struct eb_message *m, size_t n, struct eb_buf *out);
/* Appends the text as a JSON string. */
void eb_chat_string(const char *text, struct eb_buf *out);

#endif
