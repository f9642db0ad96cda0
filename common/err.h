/* Error codes and messages shared by all modules.
 *
 * A function returns 0 or a negative enum eb_code and, where it can say
 * more, fills an optional caller-owned struct eb_err. Detection is one
 * statement:
 *
 *     return eb_fail(err, EB_EIO, "%s: %s", path, strerror(errno));
 *
 * Any thread; no shared state.
 */
#ifndef EB_ERR_H
#define EB_ERR_H

/* clang-format off */
#define EB_CODES(X)                                                       \
    X(EB_EINTERNAL, -1, "internal error")                                 \
    X(EB_EUSAGE, -2, "wrong usage")                                       \
    X(EB_EIO, -3, "input or output failed")                               \
    X(EB_ENOENT, -4, "no such file or object")                            \
    X(EB_ENODEV, -5, "not on this machine")                               \
    X(EB_EPERM, -6, "no permission")                                      \
    X(EB_EPARSE, -7, "cannot be parsed")                                  \
    X(EB_EINVAL, -8, "invalid value")                                     \
    X(EB_ELIMIT, -9, "over a limit")                                      \
    X(EB_ENOSPC, -10, "no space left")                                    \
    X(EB_ENET, -11, "network failed")                                     \
    X(EB_ECONFLICT, -12, "same id with other content")                    \
    X(EB_EVERSION, -13, "version not supported")                          \
    X(EB_EENGINE, -14, "inference engine failed")                         \
    X(EB_EABORT, -15, "aborted")                                          \
    X(EB_EBUSY, -16, "in use")
/* clang-format on */

enum eb_code {
    EB_OK = 0,
#define EB_CODE_ENUM(name, value, text) name = value,
    EB_CODES(EB_CODE_ENUM)
#undef EB_CODE_ENUM
};

struct eb_err {
    int code;
    char msg[256];
};

/* Fills err (may be NULL) with the code and the formatted, possibly
 * truncated message; returns code. */
int eb_fail(struct eb_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The name ("EB_EIO") and the plain text of a code; never NULL. */
const char *eb_code_name(int code);
const char *eb_code_text(int code);

/* Maps errno to a code: ENOENT, EACCES/EPERM, ENOSPC/EDQUOT, else EB_EIO. */
int eb_code_from_errno(int errnum);

/* Process exit codes, the same in every program; see --help. */
enum eb_exit {
    EB_EXIT_OK = 0,
    EB_EXIT_INTERNAL = 1,
    EB_EXIT_USAGE = 2,
    EB_EXIT_INSUFFICIENT = 3,
    EB_EXIT_NOT_SHOWN = 4,
    EB_EXIT_UNFIT = 6,
    EB_EXIT_SPOOLED = 7
};

#endif
