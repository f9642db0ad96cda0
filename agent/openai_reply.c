#include "agent/openai_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/chat.h"
#include "agent/engine.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/text.h"

#define REPLY_EVENT_BYTES (1u << 20)
/* The JSON around one piece of text; 350 bytes with llama-server. */
#define REPLY_PIECE_BYTES 1024

void eb_openai_reply_begin(struct eb_openai_reply *r, int max_tokens)
{
    int i;

    r->sse.max_bytes = REPLY_EVENT_BYTES;
    eb_sse_reset(&r->sse);
    eb_buf_reset(&r->text);
    for (i = 0; i < r->n_calls; i++) {
        eb_buf_reset(&r->calls[i].name);
        eb_buf_reset(&r->calls[i].args);
        r->calls[i].id[0] = '\0';
    }
    r->max_tokens = max_tokens;
    r->max_bytes = REPLY_EVENT_BYTES + (size_t)max_tokens *
                                           EB_ENGINE_PIECES_A_TOKEN *
                                           REPLY_PIECE_BYTES;
    r->n_bytes = r->n_pieces = r->given = 0;
    r->n_calls = r->finished = r->limited = r->filtered = r->done = 0;
    r->refused = 0;
    r->prompt_tokens = r->cached_tokens = r->reply_tokens = -1;
}

void eb_openai_reply_free(struct eb_openai_reply *r)
{
    int i;

    eb_sse_free(&r->sse);
    eb_buf_free(&r->text);
    free(r->ends);
    for (i = 0; i < EB_OPENAI_CALLS_MAX; i++) {
        eb_buf_free(&r->calls[i].name);
        eb_buf_free(&r->calls[i].args);
    }
}

/* What the server says */

static const cJSON *reply_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

/* One line for people: control characters become spaces, and the end never
 * cuts a character. */
static void reply_clean(const char *text, char out[EB_OPENAI_SAYS_MAX + 1])
{
    struct eb_buf b = {0};
    size_t fits = 0;
    uint32_t c;

    eb_buf_adds(&b, "");
    while (*text != '\0' && b.len <= EB_OPENAI_SAYS_MAX) {
        fits = b.len;
        c = eb_utf8_next(&text);
        eb_utf8_add(&b, c < 0x20 || (c >= 0x7f && c < 0xa0) ? ' ' : c);
    }
    if (b.len <= EB_OPENAI_SAYS_MAX)
        fits = b.len;
    memcpy(out, b.data, fits);
    out[fits] = '\0';
    eb_buf_free(&b);
}

/* Servers agree on no name for it: the types of llama-server and of OpenAI,
 * then the sentence of vLLM. */
static int reply_too_long(const cJSON *error, const char *says)
{
    return strcmp(eb_json_get_str(error, "type", ""),
                  "exceed_context_size_error") == 0 ||
           strcmp(eb_json_get_str(error, "code", ""),
                  "context_length_exceeded") == 0 ||
           strstr(says, "maximum context length") != NULL;
}

/* {"error":{"message":".."}}, {"error":".."}, {"message":".."} or
 * {"detail":".."}. */
static int reply_error(const cJSON *v, char out[EB_OPENAI_SAYS_MAX + 1])
{
    const cJSON *error = reply_get(v, "error");
    const char *says;

    if (!cJSON_IsObject(error))
        error = v;
    says = eb_json_get_str(
        error, "message",
        eb_json_get_str(error, "error", eb_json_get_str(error, "detail", "")));
    reply_clean(says, out);
    return reply_too_long(error, says) ? EB_ELIMIT : EB_ENET;
}

int eb_openai_says(const char *body, size_t len,
                   char out[EB_OPENAI_SAYS_MAX + 1])
{
    int rc = EB_ENET;
    cJSON *v = NULL;
    char *text;

    out[0] = '\0';
    if (len == 0)
        return rc;
    if (eb_json_parse(body, len, "answer", &v, NULL) == 0) {
        rc = reply_error(v, out);
    } else if (memchr(body, '<', len) != NULL) {
        strcpy(out, "a web page");
    } else {
        text = eb_xstrndup(body, len);
        reply_clean(text, out);
        free(text);
    }
    cJSON_Delete(v);
    return rc;
}

static int reply_in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

int eb_openai_speaks_of(const char *body, size_t len, const char *const *names,
                        int n)
{
    char *text = eb_xstrndup(len > 0 ? body : "", len);
    const char *at;
    int i, found = -1;

    for (i = 0; i < n && found < 0; i++) {
        size_t k = strlen(names[i]);

        for (at = text; (at = strstr(at, names[i])) != NULL; at += k) {
            if ((at == text || !reply_in_word(at[-1])) && !reply_in_word(at[k]))
                found = i;
        }
    }
    free(text);
    return found;
}

/* Chunks of the stream */

static void reply_piece(struct eb_openai_reply *r, const char *text)
{
    if (*text == '\0')
        return;
    if (r->n_pieces == r->cap_pieces) {
        r->cap_pieces = 2 * r->cap_pieces + 64;
        r->ends = eb_xrealloc(r->ends, r->cap_pieces, sizeof(*r->ends));
    }
    eb_buf_adds(&r->text, text);
    r->ends[r->n_pieces++] = r->text.len;
}

/* The call with the id; -1: none. */
static int reply_find(const struct eb_openai_reply *r, const char *id)
{
    int i;

    for (i = 0; i < r->n_calls && *id != '\0'; i++) {
        if (strncmp(r->calls[i].id, id, sizeof(r->calls[i].id) - 1) == 0)
            return i;
    }
    return -1;
}

/* The parts of a call come under its index. Some servers leave it out, or say
 * 0 for each of several calls: there another name begins another call. The id
 * alone does not, since others give a new one to each part. */
static int reply_place(const struct eb_openai_reply *r, const cJSON *v)
{
    double index = eb_json_get_num(v, "index", -1);
    const char *id = eb_json_get_str(v, "id", "");
    const char *name = eb_json_get_str(reply_get(v, "function"), "name", "");
    int told = cJSON_IsNumber(reply_get(v, "index")), i = reply_find(r, id);

    if (told && index != 0)
        return index > 0 && index < EB_OPENAI_CALLS_MAX ? (int)index
                                                        : EB_OPENAI_CALLS_MAX;
    if (i >= 0)
        return i;
    i = told || r->n_calls == 0 ? 0 : r->n_calls - 1;
    if (*name != '\0' && r->calls[i].name.len > 0 && (!told || *id != '\0'))
        i = r->n_calls;
    return i;
}

static int reply_call(struct eb_openai_reply *r, const cJSON *v,
                      struct eb_err *err)
{
    int i = reply_place(r, v);
    const cJSON *f = reply_get(v, "function");
    struct eb_openai_call *call;

    if (i >= EB_OPENAI_CALLS_MAX)
        return eb_fail(err, EB_ENET, "the server sent over %d tool calls",
                       EB_OPENAI_CALLS_MAX);
    if (i >= r->n_calls)
        r->n_calls = i + 1;
    call = &r->calls[i];
    if (call->id[0] == '\0')
        snprintf(call->id, sizeof(call->id), "%s",
                 eb_json_get_str(v, "id", ""));
    eb_buf_adds(&call->name, eb_json_get_str(f, "name", ""));
    eb_buf_adds(&call->args, eb_json_get_str(f, "arguments", ""));
    return 0;
}

/* A text, or a list of parts some of which are texts. */
static void reply_content(struct eb_openai_reply *r, const cJSON *content)
{
    const cJSON *part;

    if (cJSON_IsString(content))
        reply_piece(r, content->valuestring);
    cJSON_ArrayForEach(part, content)
    {
        if (strcmp(eb_json_get_str(part, "type", ""), "text") == 0)
            reply_piece(r, eb_json_get_str(part, "text", ""));
    }
}

static int reply_delta(struct eb_openai_reply *r, const cJSON *delta,
                       struct eb_err *err)
{
    const cJSON *call;
    int rc = 0;

    reply_content(r, reply_get(delta, "content"));
    cJSON_ArrayForEach(call, reply_get(delta, "tool_calls"))
    {
        if (rc == 0)
            rc = reply_call(r, call, err);
    }
    if (rc == 0 && r->max_tokens > 0 &&
        r->n_pieces / EB_ENGINE_PIECES_A_TOKEN >= (size_t)r->max_tokens)
        rc = eb_fail(err, EB_ELIMIT, "token limit: the server wrote on");
    return rc;
}

static int reply_count(const cJSON *obj, const char *key)
{
    double n = eb_json_get_num(obj, key, -1);

    return n >= 0 && n <= 1e9 ? (int)n : -1;
}

/* Some servers send the counts with every chunk: the last ones hold. */
static void reply_usage(struct eb_openai_reply *r, const cJSON *usage)
{
    const cJSON *details = reply_get(usage, "prompt_tokens_details");

    if (!cJSON_IsObject(usage))
        return;
    r->prompt_tokens = reply_count(usage, "prompt_tokens");
    r->reply_tokens = reply_count(usage, "completion_tokens");
    r->cached_tokens = reply_count(details, "cached_tokens");
}

static int reply_chunk(struct eb_openai_reply *r, const cJSON *v,
                       struct eb_err *err)
{
    const cJSON *choice = cJSON_GetArrayItem(reply_get(v, "choices"), 0);
    char says[EB_OPENAI_SAYS_MAX + 1];
    const char *why, *model = eb_json_get_str(v, "model", "");
    int rc = 0;

    if (reply_get(v, "error") != NULL && !cJSON_IsNull(reply_get(v, "error"))) {
        rc = reply_error(v, says);
        return eb_fail(err, rc, "the server failed: %s", says);
    }
    if (!cJSON_IsArray(reply_get(v, "choices")))
        return eb_fail(err, EB_ENET, "the server sent no chat completion");
    if (*model != '\0')
        snprintf(r->model, sizeof(r->model), "%s", model);
    if (choice != NULL)
        rc = reply_delta(r, reply_get(choice, "delta"), err);
    why = eb_json_get_str(choice, "finish_reason", NULL);
    if (why != NULL) {
        r->finished = 1;
        r->limited = strcmp(why, "length") == 0;
        r->filtered = strcmp(why, "content_filter") == 0;
    }
    reply_usage(r, reply_get(v, "usage"));
    return rc;
}

static int reply_event(void *arg, const char *data, size_t len,
                       struct eb_err *err)
{
    struct eb_openai_reply *r = arg;
    struct eb_err why = {0};
    cJSON *v = NULL;

    if (r->done)
        return 0;
    if (strcmp(data, "[DONE]") == 0) {
        r->done = 1;
        return 0;
    }
    if (eb_json_parse(data, len, "a line of the server", &v, &why) != 0)
        r->refused = eb_fail(err, EB_ENET, "%s", why.msg);
    else
        r->refused = reply_chunk(r, v, err);
    cJSON_Delete(v);
    return r->refused;
}

int eb_openai_reply_feed(struct eb_openai_reply *r, const char *bytes,
                         size_t len, struct eb_err *err)
{
    int rc;

    if (len > r->max_bytes - r->n_bytes)
        return eb_fail(err, EB_ENET, "the server sent over %zu bytes",
                       r->max_bytes);
    r->n_bytes += len;
    rc = eb_sse_feed(&r->sse, bytes, len, reply_event, r, err);
    /* A line that is too long is the server's fault, no limit of the job. */
    if (rc != 0 && r->refused == 0) {
        rc = EB_ENET;
        if (err != NULL)
            err->code = rc;
    }
    return rc;
}

/* Arguments that are no JSON object are the model's fault: they are shown as
 * they came, for the grader to see. */
static void reply_show(const struct eb_openai_call *call, struct eb_buf *out)
{
    const char *args = call->args.data != NULL ? call->args.data : "";
    cJSON *v = NULL;
    char *text;

    eb_buf_adds(out, "{\"tool\":");
    eb_chat_string(call->name.data != NULL ? call->name.data : "", out);
    eb_buf_adds(out, ",\"args\":");
    if (eb_json_parse(args, call->args.len, "", &v, NULL) == 0 &&
        cJSON_IsObject(v) && (text = cJSON_PrintUnformatted(v)) != NULL) {
        eb_buf_adds(out, text);
        cJSON_free(text);
    } else {
        eb_chat_string(args, out);
    }
    eb_buf_addc(out, '}');
    cJSON_Delete(v);
}

void eb_openai_reply_close(struct eb_openai_reply *r)
{
    struct eb_buf b = {0};
    int i;

    if (r->n_calls == 0)
        return;
    for (i = 0; i < r->n_calls; i++) {
        if (i > 0 || r->text.len > 0)
            eb_buf_addc(&b, '\n');
        reply_show(&r->calls[i], &b);
    }
    reply_piece(r, b.data);
    eb_buf_free(&b);
}

int eb_openai_reply_next(struct eb_openai_reply *r, const char **piece,
                         size_t *len)
{
    size_t from;

    if (r->given == r->n_pieces)
        return 0;
    from = r->given > 0 ? r->ends[r->given - 1] : 0;
    *piece = r->text.data + from;
    *len = r->ends[r->given++] - from;
    return 1;
}
