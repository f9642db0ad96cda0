#include "common/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

#define HASH_CHUNK (1u << 20)
#define HASH_BYTES 32

static void hash_hex(const unsigned char *md, char hex[EB_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    int i;

    for (i = 0; i < HASH_BYTES; i++) {
        hex[2 * i] = digits[md[i] >> 4];
        hex[2 * i + 1] = digits[md[i] & 15];
    }
    hex[2 * HASH_BYTES] = '\0';
}

void eb_sha256(const void *data, size_t len, char hex[EB_SHA256_HEX])
{
    unsigned char md[EVP_MAX_MD_SIZE];

    if (EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL) != 1) {
        eb_error("libcrypto has no SHA-256");
        abort();
    }
    hash_hex(md, hex);
}

/* Feeds the rest of fd to ctx; -1 with errno on a read error. */
static int hash_feed(EVP_MD_CTX *ctx, int fd, void *chunk)
{
    ssize_t n;

    for (;;) {
        n = read(fd, chunk, HASH_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        if (EVP_DigestUpdate(ctx, chunk, (size_t)n) != 1) {
            errno = EIO;
            return -1;
        }
    }
}

int eb_sha256_file(const char *path, char hex[EB_SHA256_HEX],
                   struct eb_err *err)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    void *chunk = eb_xmalloc(HASH_CHUNK);
    int fd, rc = 0;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", path,
                     strerror(errno));
        goto out;
    }
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        rc = eb_fail(err, EB_EINTERNAL, "libcrypto has no SHA-256");
        goto out;
    }
    if (hash_feed(ctx, fd, chunk) < 0) {
        rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", path,
                     strerror(errno));
        goto out;
    }
    if (EVP_DigestFinal_ex(ctx, md, NULL) != 1)
        rc = eb_fail(err, EB_EINTERNAL, "%s: SHA-256 failed", path);
    else
        hash_hex(md, hex);
out:
    if (fd >= 0)
        close(fd);
    free(chunk);
    EVP_MD_CTX_free(ctx);
    return rc;
}
