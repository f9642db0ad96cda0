#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *log_program = "edgebench";
static enum eb_log_level log_max = EB_LOG_INFO;

static const char *const log_prefix[] = {"error: ", "warning: ", "", "debug: "};

void eb_log_setup(const char *program, enum eb_log_level max_level)
{
    log_program = program;
    log_max = max_level;
}

void eb_log(enum eb_log_level level, const char *fmt, ...)
{
    /* On the stack: a message must be possible while memory is short. */
    char line[4096];
    size_t cap = sizeof(line) - 1, len;
    va_list ap;
    int n;

    if (level > log_max)
        return;
    n = snprintf(line, cap, "%s: %s", log_program, log_prefix[level]);
    len = n < 0 ? 0 : (size_t)n;
    if (len >= cap)
        len = cap - 1;
    va_start(ap, fmt);
    n = vsnprintf(line + len, cap - len, fmt, ap);
    va_end(ap);
    if (n > 0)
        len += (size_t)n < cap - len ? (size_t)n : cap - len - 1;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to complain */
}
