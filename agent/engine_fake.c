/* The fake engine: replies made from the prompt by fixed rules, so that tests
 * and newcomers need no model. A model path is "fake:<mode>":
 *
 *     key      the answer planted by the tests (eb_fake_plant), else "{}"
 *     empty    ends at once
 *     chatter  prose until the token limit
 *     slow     never ends and waits in every token until told to stop
 *     broken   fails to load
 *
 * One token is four bytes of text.
 */
#include "agent/engine_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/engine.h"
#include "common/json.h"
#include "common/mem.h"

#define FAKE_TOKEN_BYTES 4

struct fake {
    struct eb_engine base;
    struct eb_engine_settings settings;
    char mode[24];
    char *last; /* the prompt before, for cached_tokens */
    const char *reply;
    size_t at;
    int used; /* tokens in the context */
    char piece[FAKE_TOKEN_BYTES];
};

static eb_fake_answer fake_answer;
static void *fake_arg;

void eb_fake_plant(eb_fake_answer answer, void *arg)
{
    fake_answer = answer;
    fake_arg = arg;
}

static int fake_open(const char *path, const struct eb_engine_settings *s,
                     struct eb_engine **out, struct eb_err *err)
{
    static const char *const modes[] = {"key", "empty", "chatter", "slow"};
    struct fake *f;
    size_t i;

    *out = NULL;
    if (strncmp(path, "fake:", 5) != 0)
        return eb_fail(err, EB_ENODEV, "%s: not a fake model", path);
    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(path + 5, modes[i]) != 0)
            continue;
        f = eb_xcalloc(1, sizeof(*f));
        f->base.ops = &eb_engine_fake;
        f->base.ctx = s->ctx;
        f->settings = *s;
        snprintf(f->mode, sizeof(f->mode), "%s", modes[i]);
        *out = &f->base;
        return 0;
    }
    return eb_fail(err, EB_EENGINE, "%s: this fake model fails to load", path);
}

static void fake_close(struct eb_engine *e)
{
    struct fake *f = (struct fake *)e;

    free(f->last);
    free(f);
}

static void fake_runtime(cJSON *out)
{
    cJSON_AddStringToObject(out, "version", "1");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(out, "backends"),
                         cJSON_CreateString("none"));
}

static void fake_facts(struct eb_engine *e, cJSON *model, cJSON *memory)
{
    const struct fake *f = (const struct fake *)e;

    cJSON_AddStringToObject(model, "architecture", "fake");
    /* A size from the name, so that modes are ordered. */
    cJSON_AddNumberToObject(model, "parameters",
                            1000.0 * (double)strlen(f->mode));
    cJSON_AddStringToObject(model, "quantization", "none");
    cJSON_AddNumberToObject(model, "context_train", e->ctx);
    eb_json_add_null(model, "chat_template_sha256", "absent");
    eb_json_add_null(memory, "model_bytes", "absent");
}

static int fake_render(struct eb_engine *e, const struct eb_message *m,
                       size_t n, struct eb_buf *out, struct eb_err *err)
{
    size_t i;

    (void)e;
    (void)err;
    for (i = 0; i < n; i++)
        eb_buf_addf(out, "[%s]%s\n", m[i].role, m[i].text);
    eb_buf_adds(out, "[assistant]");
    return 0;
}

static int fake_constrain(struct eb_engine *e, const char *grammar,
                          struct eb_err *err)
{
    (void)e;
    if (grammar != NULL && strstr(grammar, "root ::=") == NULL)
        return eb_fail(err, EB_EINVAL, "the grammar has no root");
    return 0;
}

static int fake_start(struct eb_engine *e, const char *prompt,
                      struct eb_start *info, struct eb_err *err)
{
    struct fake *f = (struct fake *)e;
    size_t same = 0, len = strlen(prompt);

    info->prompt_tokens = (int)(len / FAKE_TOKEN_BYTES);
    info->cached_tokens = 0;
    if (info->prompt_tokens >= e->ctx)
        return eb_fail(err, EB_ELIMIT,
                       "prompt of %d tokens exceeds the context of %d",
                       info->prompt_tokens, e->ctx);
    while (f->last != NULL && f->last[same] != '\0' &&
           f->last[same] == prompt[same])
        same++;
    info->cached_tokens = (int)(same / FAKE_TOKEN_BYTES);
    free(f->last);
    f->last = eb_xstrdup(prompt);
    f->at = 0;
    f->used = info->prompt_tokens;
    f->reply = "";
    if (strcmp(f->mode, "key") == 0)
        f->reply = fake_answer != NULL ? fake_answer(fake_arg) : "{}";
    return 0;
}

static int fake_next(struct eb_engine *e, struct eb_token *t,
                     struct eb_err *err)
{
    struct fake *f = (struct fake *)e;
    size_t left = strlen(f->reply + f->at);

    memset(t, 0, sizeof(*t));
    t->piece = f->piece;
    if (f->used++ >= e->ctx)
        return eb_fail(err, EB_ELIMIT, "the context of %d tokens is full",
                       e->ctx);
    if (strcmp(f->mode, "slow") == 0) {
        while (f->settings.stop == NULL ||
               !f->settings.stop(f->settings.stop_arg))
            usleep(1000);
        return eb_fail(err, EB_EABORT, "stopped");
    }
    if (strcmp(f->mode, "chatter") == 0) {
        memcpy(f->piece, "so, ", FAKE_TOKEN_BYTES);
        t->len = FAKE_TOKEN_BYTES;
        return 0;
    }
    t->end = left == 0;
    t->len = left < FAKE_TOKEN_BYTES ? left : FAKE_TOKEN_BYTES;
    memcpy(f->piece, f->reply + f->at, t->len);
    f->at += t->len;
    return 0;
}

static void fake_clear(struct eb_engine *e)
{
    struct fake *f = (struct fake *)e;

    free(f->last);
    f->last = NULL;
}

static int fake_bench(struct eb_engine *e, int n_prompt, int n_gen,
                      struct eb_err *err)
{
    if (n_prompt + n_gen > e->ctx)
        return eb_fail(err, EB_ELIMIT, "%d tokens exceed the context of %d",
                       n_prompt + n_gen, e->ctx);
    usleep(100);
    return 0;
}

const struct eb_engine_ops eb_engine_fake = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .runtime = fake_runtime,
    .facts = fake_facts,
    .render = fake_render,
    .constrain = fake_constrain,
    .start = fake_start,
    .next = fake_next,
    .clear = fake_clear,
    .bench = fake_bench,
};
