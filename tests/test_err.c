#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"

static void test_fail_fills(void **state)
{
    struct eb_err err = {0};

    (void)state;
    assert_int_equal(eb_fail(&err, EB_EIO, "%s: %d", "disk", 7), EB_EIO);
    assert_int_equal(err.code, EB_EIO);
    assert_string_equal(err.msg, "disk: 7");
    assert_int_equal(eb_fail(NULL, EB_ENET, "ignored"), EB_ENET);
}

static void test_fail_truncates(void **state)
{
    struct eb_err err;
    char text[400];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    eb_fail(&err, EB_EIO, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    /* A character of three bytes that the limit cuts goes as a whole. */
    memcpy(text + 253, "\xe5\xae\xa2", 3);
    eb_fail(&err, EB_EIO, "%s", text);
    assert_int_equal(strlen(err.msg), 253);
    memcpy(text + 252, "\xe5\xae\xa2", 3);
    eb_fail(&err, EB_EIO, "%s", text);
    assert_int_equal(strlen(err.msg), 255);
    assert_memory_equal(err.msg + 252, "\xe5\xae\xa2", 3);
    memcpy(text + 252, "\xf0\x9f\x98\x80", 4);
    eb_fail(&err, EB_EIO, "%s", text);
    assert_int_equal(strlen(err.msg), 252);
}

static void test_codes(void **state)
{
    (void)state;
    assert_string_equal(eb_code_name(EB_OK), "EB_OK");
    assert_string_equal(eb_code_name(EB_EIO), "EB_EIO");
    assert_string_equal(eb_code_name(EB_EBUSY), "EB_EBUSY");
    assert_string_equal(eb_code_text(EB_ENOSPC), "no space left");
    assert_non_null(eb_code_name(-999));
    assert_non_null(eb_code_text(42));
    assert_int_equal(eb_code_from_errno(ENOENT), EB_ENOENT);
    assert_int_equal(eb_code_from_errno(EACCES), EB_EPERM);
    assert_int_equal(eb_code_from_errno(EPERM), EB_EPERM);
    assert_int_equal(eb_code_from_errno(ENOSPC), EB_ENOSPC);
    assert_int_equal(eb_code_from_errno(EDQUOT), EB_ENOSPC);
    assert_int_equal(eb_code_from_errno(EISDIR), EB_EIO);
}

/* What the calls between log_begin and log_end wrote to stderr. */
static int log_pipe[2], log_saved;

static void log_begin(void)
{
    assert_int_equal(pipe(log_pipe), 0);
    log_saved = dup(STDERR_FILENO);
    dup2(log_pipe[1], STDERR_FILENO);
}

static size_t log_end(char *text, size_t cap)
{
    size_t len = 0;
    ssize_t n;

    dup2(log_saved, STDERR_FILENO);
    close(log_saved);
    close(log_pipe[1]);
    while ((n = read(log_pipe[0], text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    close(log_pipe[0]);
    text[len] = '\0';
    return len;
}

static void test_log(void **state)
{
    char text[16384], big[8000];

    (void)state;
    eb_log_setup("edgebench", EB_LOG_INFO);
    log_begin();
    eb_error("cannot %s", "go");
    eb_warn("hot");
    eb_info("item 3");
    eb_debug("hidden");
    log_end(text, sizeof(text));
    assert_string_equal(text, "edgebench: error: cannot go\n"
                              "edgebench: warning: hot\n"
                              "edgebench: item 3\n");
    eb_log_setup("collector", EB_LOG_ERROR);
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    log_begin();
    eb_warn("hidden");
    eb_error("%s", big);
    /* One line, cut, with its end of line. */
    assert_int_equal(log_end(text, sizeof(text)), 4095);
    assert_memory_equal(text, "collector: error: xx", 20);
    assert_int_equal(text[4094], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail_fills),
        cmocka_unit_test(test_fail_truncates),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
