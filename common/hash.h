/* SHA-256 (FIPS 180-4), lower-case hex, through OpenSSL's EVP. */
#ifndef EB_HASH_H
#define EB_HASH_H

#include <stddef.h>

#include "common/err.h"

#define EB_SHA256_HEX 65

void eb_sha256(const void *data, size_t len, char hex[EB_SHA256_HEX]);
/* Streams the file (models have many gigabytes). */
int eb_sha256_file(const char *path, char hex[EB_SHA256_HEX],
                   struct eb_err *err);

#endif
