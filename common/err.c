#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Drops a UTF-8 character that truncation cut in two: messages are put into
 * JSON, which must be valid UTF-8. */
static void err_trim(char *msg)
{
    size_t len = strlen(msg), start = len, need;
    unsigned char lead;

    while (start > 0 && len - start < 3 &&
           ((unsigned char)msg[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    lead = (unsigned char)msg[start - 1];
    need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (len - (start - 1) < need)
        msg[start - 1] = '\0';
}

int eb_fail(struct eb_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (err == NULL)
        return code;
    err->code = code;
    va_start(ap, fmt);
    n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(err->msg))
        err_trim(err->msg);
    return code;
}

const char *eb_code_name(int code)
{
    switch (code) {
    case EB_OK:
        return "EB_OK";
#define ERR_CASE(name, value, text)                                            \
    case value:                                                                \
        return #name;
        EB_CODES(ERR_CASE)
#undef ERR_CASE
    }
    return "EB_UNKNOWN";
}

const char *eb_code_text(int code)
{
    switch (code) {
    case EB_OK:
        return "no error";
#define ERR_CASE(name, value, text)                                            \
    case value:                                                                \
        return text;
        EB_CODES(ERR_CASE)
#undef ERR_CASE
    }
    return "unknown error";
}

int eb_code_from_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
        return EB_ENOENT;
    case EACCES:
    case EPERM:
        return EB_EPERM;
    case ENOSPC:
    case EDQUOT:
        return EB_ENOSPC;
    }
    return EB_EIO;
}
