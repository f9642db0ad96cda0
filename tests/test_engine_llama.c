/* Files that llama.cpp must refuse with one sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/engine.h"

static struct eb_err err;

/* Opening must fail with the code; the message names the file. */
static void refused(const char *file, int code, const char *says)
{
    struct eb_engine_settings s = {
        .threads = 1, .ctx = 512, .batch = 64, .ubatch = 64, .slots = 1};
    struct eb_engine *e;

    memset(&err, 0, sizeof(err));
    assert_int_equal(eb_engine_open(file, &s, &e, &err), code);
    assert_null(e);
    assert_non_null(strstr(err.msg, file));
    assert_non_null(strstr(err.msg, says));
    assert_null(strchr(err.msg, '\n'));
}

static void test_fake_in_table(void **state)
{
    (void)state;
    assert_string_equal(eb_engine_for("fake:key")->name, "fake");
    refused("fake:broken", EB_EENGINE, "fails to load");
}

#ifdef EB_LLAMA_VERSION

static char path[64];

static void put(const void *data, size_t len)
{
    int fd;

    strcpy(path, "/tmp/eb-llama-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static void test_missing(void **state)
{
    (void)state;
    refused("/nowhere/x.gguf", EB_ENOENT, "No such file");
    refused("/tmp", EB_EENGINE, "folder");
}

static void test_no_gguf(void **state)
{
    (void)state;
    put("", 0);
    refused(path, EB_EENGINE, "no GGUF file");
    unlink(path);
    put("PK\3\4 something else", 18);
    refused(path, EB_EENGINE, "no GGUF file");
    unlink(path);
}

/* Version 3, then counts that the file cannot hold. */
static void test_corrupt(void **state)
{
    unsigned char head[24] = {'G', 'G', 'U', 'F', 3, 0, 0, 0};

    (void)state;
    put(head, 8);
    refused(path, EB_EENGINE, "cannot be loaded");
    unlink(path);
    memset(head + 8, 0xff, 15);
    put(head, sizeof(head));
    refused(path, EB_EENGINE, "cannot be loaded");
    unlink(path);
}

/* No tensors, one key: general.architecture = "zzz". */
static void test_unknown_architecture(void **state)
{
    static const char key[] = "general.architecture";
    unsigned char file[24 + 8 + 20 + 4 + 8 + 3] = {'G', 'G', 'U', 'F', 3};
    unsigned char *p = file + 24;

    (void)state;
    file[16] = 1; /* keys */
    *p = 20;
    memcpy(p + 8, key, 20);
    p += 28;
    *p = 8; /* string */
    p[4] = 3;
    memcpy(p + 12, "zzz", 3);
    put(file, sizeof(file));
    refused(path, EB_EENGINE, "zzz");
    unlink(path);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fake_in_table),
#ifdef EB_LLAMA_VERSION
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_no_gguf),
        cmocka_unit_test(test_corrupt),
        cmocka_unit_test(test_unknown_architecture),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
