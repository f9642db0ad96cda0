#include "agent/upload.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"

#define UPLOAD_TRIES 3
#define UPLOAD_WAIT_US 500000
#define UPLOAD_CONNECT_MS 10000L
#define UPLOAD_WHOLE_MS 60000L
#define UPLOAD_ANSWER_MAX (64u << 10)

static size_t upload_body(char *data, size_t size, size_t n, void *arg)
{
    struct eb_buf *b = arg;

    if (b->len + size * n > UPLOAD_ANSWER_MAX)
        return 0;
    eb_buf_add(b, data, size * n);
    return size * n;
}

static CURL *upload_open(const char *url, struct eb_buf *answer)
{
    CURL *c = curl_easy_init();

    if (c == NULL)
        return NULL;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, upload_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, UPLOAD_CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, UPLOAD_WHOLE_MS);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "edgebench/" EB_VERSION);
    return c;
}

static void upload_post(CURL *c, const char *text, size_t len,
                        struct curl_slist *headers)
{
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
}

/* Does the answer repeat the hash of what was sent, and does it not say that
 * the copy could be lost (collector/API.md)? */
static enum eb_upload upload_check(const char *url, const char *text,
                                   size_t len, const struct eb_buf *answer,
                                   struct eb_err *err)
{
    char hex[EB_SHA256_HEX];
    enum eb_upload u = EB_UPLOAD_KEEP;
    cJSON *v = NULL;

    eb_sha256(text, len, hex);
    if (answer->len == 0 ||
        eb_json_parse(answer->data, answer->len, url, &v, NULL) != 0)
        eb_fail(err, EB_ENET, "%s: the answer is no JSON", url);
    else if (strcmp(eb_json_get_str(v, "sha256", ""), hex) != 0)
        eb_fail(err, EB_ENET,
                "%s: the collector's SHA-256 is not that of the record", url);
    else if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(v, "durable")))
        eb_fail(err, EB_ENET, "%s: the collector's copy is not durable", url);
    else
        u = EB_UPLOAD_SENT;
    cJSON_Delete(v);
    return u;
}

static enum eb_upload upload_judge(const char *url, long status,
                                   const struct eb_buf *answer,
                                   struct eb_err *err)
{
    eb_fail(err, EB_ENET, "%s: HTTP status %ld: %.*s", url, status,
            (int)(answer->len < 120 ? answer->len : 120),
            answer->data != NULL ? answer->data : "");
    if (status >= 400 && status < 500 && status != 408 && status != 425 &&
        status != 429)
        return EB_UPLOAD_DEAD;
    return EB_UPLOAD_KEEP;
}

static enum eb_upload upload_once(const char *url, const char *text, size_t len,
                                  struct eb_buf *answer, struct eb_err *err)
{
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/json");
    enum eb_upload u = EB_UPLOAD_KEEP;
    CURL *c = upload_open(url, answer);
    long status = 0;
    CURLcode rc;

    if (c != NULL)
        upload_post(c, text, len, headers);
    if (c == NULL) {
        eb_fail(err, EB_ENET, "%s: libcurl could not start", url);
    } else if ((rc = curl_easy_perform(c)) != CURLE_OK) {
        eb_fail(err, EB_ENET, "%s: %s", url, curl_easy_strerror(rc));
    } else {
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        if (status == 200 || status == 201)
            u = upload_check(url, text, len, answer, err);
        else
            u = upload_judge(url, status, answer, err);
    }
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    return u;
}

enum eb_upload eb_upload_run(const char *collector, const char *text,
                             size_t len, struct eb_buf *answer,
                             struct eb_err *err)
{
    size_t n = strlen(collector);
    enum eb_upload u = EB_UPLOAD_KEEP;
    char *url;
    int i;

    while (n > 0 && collector[n - 1] == '/')
        n--;
    url = eb_xasprintf("%.*s/v1/runs", (int)n, collector);
    for (i = 0; i < UPLOAD_TRIES && u == EB_UPLOAD_KEEP; i++) {
        if (i > 0)
            usleep(UPLOAD_WAIT_US << (i - 1));
        eb_buf_reset(answer);
        u = upload_once(url, text, len, answer, err);
    }
    free(url);
    return u;
}

static size_t upload_get_body(char *data, size_t size, size_t n, void *arg)
{
    struct eb_buf *b = arg;

    if (b->len + size * n > EB_UPLOAD_GET_MAX)
        return 0;
    eb_buf_add(b, data, size * n);
    return size * n;
}

int eb_upload_get(const char *url, struct eb_buf *out, struct eb_err *err)
{
    CURL *c = upload_open(url, out);
    long status = 0;
    CURLcode rc;
    int code = 0;

    if (c == NULL)
        return eb_fail(err, EB_ENET, "%s: libcurl could not start", url);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, upload_get_body);
    rc = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK)
        code = eb_fail(err, EB_ENET, "%s: %s", url, curl_easy_strerror(rc));
    else if (status != 200)
        code = eb_fail(err, EB_ENET, "%s: HTTP status %ld", url, status);
    curl_easy_cleanup(c);
    return code;
}
