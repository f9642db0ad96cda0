/* Server-sent events, cut at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sse.h"

#define MAX 64

static struct eb_buf seen;
static struct eb_err err;

/* Every event as "<data>". */
static int got(void *arg, const char *data, size_t len, struct eb_err *e)
{
    (void)arg;
    (void)e;
    assert_int_equal(strlen(data), len);
    eb_buf_addf(&seen, "<%s>", data);
    return strcmp(data, "refuse") == 0 ? EB_EPARSE : 0;
}

static const char *text(void)
{
    return seen.data != NULL ? seen.data : "";
}

/* In two parts, and bytewise, the outcome is that of the whole. The parts are
 * copies of their exact size, so that a sanitizer sees a read beyond. */
static void feed(struct eb_sse *s, const char *in, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    memcpy(copy, in, len);
    assert_int_equal(eb_sse_feed(s, copy, len, got, NULL, &err), 0);
    free(copy);
}

static void same(const char *in, const char *want)
{
    size_t n = strlen(in), cut, i;
    struct eb_sse s;

    for (cut = 0; cut <= n + 1; cut++) {
        eb_sse_init(&s, MAX);
        eb_buf_reset(&seen);
        if (cut <= n) {
            feed(&s, in, cut);
            feed(&s, in + cut, n - cut);
        } else {
            for (i = 0; i < n; i++)
                feed(&s, in + i, 1);
        }
        assert_string_equal(text(), want);
        eb_sse_free(&s);
        eb_buf_free(&seen);
    }
}

static void test_events(void **state)
{
    (void)state;
    same("", "");
    same("data: a\n\n", "<a>");
    same("data:a\n\ndata:  b\n\n", "<a>< b>");
    same("data: {\"a\":\"b:c\"}\n\n", "<{\"a\":\"b:c\"}>");
    same("data: a\n\ndata: [DONE]\n\n", "<a><[DONE]>");
    same("\n\n\ndata: \xe9\x80\x80\n\n\n", "<\xe9\x80\x80>");
}

static void test_line_ends(void **state)
{
    (void)state;
    same("data: a\r\n\r\ndata: b\r\n\r\n", "<a><b>");
    same("data: a\r\rdata: b\r\r", "<a><b>");
    same("data: a\n\rdata: b\r\n\n", "<a><b>");
}

static void test_many_lines(void **state)
{
    (void)state;
    same("data: a\ndata: b\ndata\ndata:\n\n", "<a\nb\n\n>");
    same("data\n\n", "<>");
}

static void test_skipped(void **state)
{
    (void)state;
    same(": hello\n\n:\n\ndata: a\n: between\n\n", "<a>");
    same("event: x\nid: 1\nretry: 9\ndata: a\n\n", "<a>");
    same("event: x\n\n", "");
    same("dat: a\ndatax: b\nDATA: c\n data: d\n\n", "");
    same("<html>\n<body>data: a</body>\n\n", "");
    same("\xef\xbb\xbf"
         "data: a\n\n",
         "<a>");
}

/* The connection ended within an event. */
static void test_unfinished(void **state)
{
    (void)state;
    same("data: a\n\ndata: b\n", "<a>");
    same("data: a\n\ndata: b", "<a>");
}

static void test_too_long(void **state)
{
    char line[MAX + 8];
    struct eb_sse s;
    int rc = 0, i;

    (void)state;
    memset(line, 'x', sizeof(line));
    eb_sse_init(&s, MAX);
    assert_int_equal(eb_sse_feed(&s, line, sizeof(line), got, NULL, &err),
                     EB_ELIMIT);
    assert_non_null(strstr(err.msg, "64 bytes"));
    eb_sse_reset(&s);
    for (i = 0; i < MAX + 1 && rc == 0; i++)
        rc = eb_sse_feed(&s, "x", 1, got, NULL, &err);
    assert_int_equal(rc, EB_ELIMIT);
    assert_int_equal(i, MAX + 1);
    eb_sse_reset(&s);
    for (i = 0, rc = 0; i < MAX && rc == 0; i++)
        rc = eb_sse_feed(&s, "data: 1234567\n", 14, got, NULL, &err);
    assert_int_equal(rc, EB_ELIMIT);
    eb_sse_reset(&s);
    eb_buf_reset(&seen);
    feed(&s, "data: a\n\n", 9);
    assert_string_equal(text(), "<a>");
    eb_sse_free(&s);
    eb_buf_free(&seen);
}

/* The receiver's error ends the feed: what follows is not delivered. */
static void test_refused(void **state)
{
    static const char in[] = "data: a\n\ndata: refuse\n\ndata: b\n\n";
    struct eb_sse s;

    (void)state;
    eb_sse_init(&s, MAX);
    assert_int_equal(eb_sse_feed(&s, in, sizeof(in) - 1, got, NULL, &err),
                     EB_EPARSE);
    assert_string_equal(text(), "<a><refuse>");
    eb_sse_free(&s);
    eb_buf_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),     cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_many_lines), cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_unfinished), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
