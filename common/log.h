/* Messages for people on stderr: "edgebench: warning: ...".
 *
 * Results never go through here. Thread-safe: one write per message.
 */
#ifndef EB_LOG_H
#define EB_LOG_H

enum eb_log_level { EB_LOG_ERROR, EB_LOG_WARN, EB_LOG_INFO, EB_LOG_DEBUG };

/* Program name shown before each message and the most verbose level shown;
 * the name is not copied. Call once at start. */
void eb_log_setup(const char *program, enum eb_log_level max_level);

void eb_log(enum eb_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define eb_error(...) eb_log(EB_LOG_ERROR, __VA_ARGS__)
#define eb_warn(...) eb_log(EB_LOG_WARN, __VA_ARGS__)
#define eb_info(...) eb_log(EB_LOG_INFO, __VA_ARGS__)
#define eb_debug(...) eb_log(EB_LOG_DEBUG, __VA_ARGS__)

#endif
