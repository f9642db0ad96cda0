#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"

/* Examples of FIPS 180-4 (NIST, SHA256.pdf and the long message vectors). */
static void test_vectors(void **state)
{
    char hex[EB_SHA256_HEX], *million = malloc(1000000);

    (void)state;
    eb_sha256("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
                             "b00361a396177a9cb410ff61f20015ad");
    eb_sha256("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb924"
                             "27ae41e4649b934ca495991b7852b855");
    memset(million, 'a', 1000000);
    eb_sha256(million, 1000000, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67"
                             "f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void test_file(void **state)
{
    char path[] = "/tmp/eb-hash-XXXXXX", hex[EB_SHA256_HEX], want[65];
    size_t len = 3u << 20; /* several chunks and a rest */
    char *data = malloc(len + 5);
    struct eb_err err;
    size_t i;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(eb_sha256_file(path, hex, &err), 0);
    eb_sha256("", 0, want);
    assert_string_equal(hex, want);
    for (i = 0; i < len + 5; i++)
        data[i] = (char)(i ^ i >> 9);
    assert_int_equal(eb_fs_write_durable(path, data, len + 5, &err), 0);
    assert_int_equal(eb_sha256_file(path, hex, &err), 0);
    eb_sha256(data, len + 5, want);
    assert_string_equal(hex, want);
    unlink(path);
    assert_int_equal(eb_sha256_file(path, hex, &err), EB_ENOENT);
    assert_int_equal(eb_sha256_file("/tmp", hex, &err), EB_EIO);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
