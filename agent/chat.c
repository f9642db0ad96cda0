#include "agent/chat.h"

#include "workloads/text.h"

void eb_chat_string(const char *text, struct eb_buf *out)
{
    uint32_t c;

    eb_buf_addc(out, '"');
    while (*text != '\0') {
        c = eb_utf8_next(&text);
        if (c == '"' || c == '\\')
            eb_buf_addc(out, '\\');
        if (c == '\n')
            eb_buf_adds(out, "\\n");
        else if (c < 0x20)
            eb_buf_addf(out, "\\u%04x", (unsigned)c);
        else
            eb_utf8_add(out, c);
    }
    eb_buf_addc(out, '"');
}

void eb_chat_json(const struct eb_message *m, size_t n, struct eb_buf *out)
{
    size_t i;

    eb_buf_addc(out, '[');
    for (i = 0; i < n; i++) {
        eb_buf_adds(out, i > 0 ? ",{\"role\":" : "{\"role\":");
        eb_chat_string(m[i].role, out);
        eb_buf_adds(out, ",\"content\":");
        eb_chat_string(m[i].text, out);
        eb_buf_addc(out, '}');
    }
    eb_buf_addc(out, ']');
}
