#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mem.h"

static void test_grows(void **state)
{
    struct eb_buf b = {0};
    int i;

    (void)state;
    for (i = 0; i < 10000; i++)
        eb_buf_addf(&b, "%d,", i % 10);
    assert_int_equal(b.len, 20000);
    assert_memory_equal(b.data + 19980, "0,1,2,3,4,5,6,7,8,9,", 21);
    eb_buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    eb_buf_free(&b);
    eb_buf_free(NULL);
}

static void test_kinds(void **state)
{
    struct eb_buf b = {0};

    (void)state;
    eb_buf_add(&b, NULL, 0);
    assert_string_equal(b.data, "");
    eb_buf_adds(&b, "ab");
    eb_buf_addc(&b, 'c');
    eb_buf_add(&b, "d\0e", 3);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "abcd\0e", 7);
    eb_buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    assert_true(b.cap > 0);
    eb_buf_addf(&b, "%s-%05.1f", "x", 2.25);
    assert_string_equal(b.data, "x-002.2");
    eb_buf_free(&b);
}

/* Around the edge where a formatted text just fits the room that is there. */
static void test_addf_edges(void **state)
{
    char text[300];
    size_t n;

    (void)state;
    memset(text, 'y', sizeof(text));
    for (n = 0; n < sizeof(text); n++) {
        struct eb_buf b = {0};

        text[n] = '\0';
        eb_buf_addc(&b, '<');
        eb_buf_addf(&b, "%s", text);
        eb_buf_addc(&b, '>');
        assert_int_equal(b.len, n + 2);
        assert_int_equal(b.data[n + 1], '>');
        assert_int_equal(b.data[n + 2], '\0');
        text[n] = 'y';
        eb_buf_free(&b);
    }
}

static void test_take(void **state)
{
    struct eb_buf b = {0};
    char *s;

    (void)state;
    s = eb_buf_take(&b);
    assert_string_equal(s, "");
    free(s);
    eb_buf_adds(&b, "kept");
    s = eb_buf_take(&b);
    assert_string_equal(s, "kept");
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
    free(s);
}

static void test_mem(void **state)
{
    char *s = eb_xstrndup("abcdef", 3), *t;
    int *v = eb_xcalloc(4, sizeof(*v));

    (void)state;
    assert_string_equal(s, "abc");
    t = eb_xasprintf("%s/%d", s, 5);
    assert_string_equal(t, "abc/5");
    assert_int_equal(v[3], 0);
    v = eb_xrealloc(v, 100, sizeof(*v));
    v[99] = 1;
    free(v);
    free(s);
    free(t);
    s = eb_xmalloc(0);
    assert_non_null(s);
    free(s);
}

/* An overflow ends the program with exit code 1 and does not allocate. */
static void test_overflow_exits(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        close(STDERR_FILENO);
        eb_xrealloc(NULL, (size_t)-1 / 4, 8);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_addf_edges),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_mem),
        cmocka_unit_test(test_overflow_exits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
