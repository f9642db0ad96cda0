/* The fake engine: replies made from the prompt by fixed rules, so that tests
 * and newcomers need no model. A model path is "fake:<mode>":
 *
 *     key      the answer planted by the tests (eb_fake_plant), else "{}"
 *     empty    ends at once
 *     chatter  prose until the token limit
 *     slow     never ends and waits in every token until told to stop
 *     sigint   as slow, and interrupts the program once it was asked
 *     broken   fails to load
 *
 * One token is four bytes of text.
 */
#include "agent/engine_fake.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/engine.h"
#include "common/json.h"
#include "common/mem.h"

#define FAKE_TOKEN_BYTES 4

struct fake_slot {
    int busy;
    char *prompt; /* kept for the next one's cached_tokens */
    char *reply;
    size_t at;
    int prompt_tokens;
    int cached_tokens;
    int reply_tokens;
    char piece[FAKE_TOKEN_BYTES];
};

struct fake {
    struct eb_engine base;
    struct eb_engine_settings settings;
    char mode[24];
    struct fake_slot *slots;
};

static eb_fake_answer fake_answer;
static void *fake_arg;

void eb_fake_plant(eb_fake_answer answer, void *arg)
{
    fake_answer = answer;
    fake_arg = arg;
}

static eb_fake_work fake_work;
static void *fake_work_arg;

void eb_fake_plant_work(eb_fake_work work, void *arg)
{
    fake_work = work;
    fake_work_arg = arg;
}

static const char *fake_gpu;

void eb_fake_plant_gpu(const char *pci)
{
    fake_gpu = pci;
}

static int fake_open(const char *path, const struct eb_engine_settings *s,
                     struct eb_engine **out, struct eb_err *err)
{
    static const char *const modes[] = {"key", "empty", "chatter", "slow",
                                        "sigint"};
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
        f->base.slots = s->slots;
        f->base.gpus_known = fake_gpu != NULL;
        f->base.gpus[0] = fake_gpu;
        f->base.n_gpus = fake_gpu != NULL;
        f->slots = eb_xcalloc((size_t)s->slots, sizeof(*f->slots));
        f->settings = *s;
        snprintf(f->mode, sizeof(f->mode), "%s", modes[i]);
        *out = &f->base;
        return 0;
    }
    return eb_fail(err, EB_EENGINE, "%s: this fake model fails to load", path);
}

static void fake_clear(struct eb_engine *e)
{
    struct fake *f = (struct fake *)e;
    int i;

    for (i = 0; i < e->slots; i++) {
        free(f->slots[i].prompt);
        free(f->slots[i].reply);
        memset(&f->slots[i], 0, sizeof(f->slots[i]));
    }
}

static void fake_close(struct eb_engine *e)
{
    fake_clear(e);
    free(((struct fake *)e)->slots);
    free(e);
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

static int fake_start(struct eb_engine *e, int slot, const struct eb_request *r,
                      struct eb_err *err)
{
    struct fake *f = (struct fake *)e;
    struct fake_slot *s = &f->slots[slot];
    size_t same = 0;
    int tokens = (int)(strlen(r->prompt) / FAKE_TOKEN_BYTES);

    if (s->busy)
        return eb_fail(err, EB_EBUSY, "slot %d is in use", slot);
    if (r->grammar != NULL && strstr(r->grammar, "root ::=") == NULL)
        return eb_fail(err, EB_EINVAL, "the grammar has no root");
    if (tokens >= e->ctx)
        return eb_fail(err, EB_ELIMIT,
                       "prompt of %d tokens exceeds the context of %d", tokens,
                       e->ctx);
    while (s->prompt != NULL && s->prompt[same] != '\0' &&
           s->prompt[same] == r->prompt[same])
        same++;
    free(s->prompt);
    free(s->reply);
    *s = (struct fake_slot){.busy = 1,
                            .prompt = eb_xstrdup(r->prompt),
                            .prompt_tokens = tokens,
                            .cached_tokens = (int)(same / FAKE_TOKEN_BYTES)};
    if (strcmp(f->mode, "key") == 0)
        s->reply =
            eb_xstrdup(fake_answer != NULL ? fake_answer(fake_arg) : "{}");
    else
        s->reply = eb_xstrdup("");
    return 0;
}

static void fake_over(struct fake_slot *s, struct eb_event *e, int rc,
                      const char *detail)
{
    e->over = 1;
    e->rc = rc;
    snprintf(e->detail, sizeof(e->detail), "%s", detail);
    e->reply_tokens = s->reply_tokens;
    s->busy = 0;
}

static void fake_event(const struct fake *f, struct fake_slot *s,
                       struct eb_event *e)
{
    size_t left = strlen(s->reply + s->at);
    int chatter = strcmp(f->mode, "chatter") == 0;

    *e = (struct eb_event){.slot = (int)(s - f->slots),
                           .token = s->reply_tokens,
                           .piece = s->piece,
                           .prompt_tokens = s->prompt_tokens,
                           .cached_tokens = s->cached_tokens};
    if (s->prompt_tokens + s->reply_tokens >= f->base.ctx) {
        fake_over(s, e, EB_ELIMIT, "the context is full");
    } else if (left == 0 && !chatter) {
        fake_over(s, e, 0, "");
    } else {
        e->len = left < FAKE_TOKEN_BYTES && !chatter ? left : FAKE_TOKEN_BYTES;
        memcpy(s->piece, chatter ? "so, " : s->reply + s->at, e->len);
        s->at += chatter ? 0 : e->len;
        s->reply_tokens++;
    }
}

static int fake_step(struct eb_engine *e, struct eb_event *events, size_t *n,
                     struct eb_err *err)
{
    struct fake *f = (struct fake *)e;
    int i;

    *n = 0;
    if (fake_work != NULL)
        fake_work(NULL, fake_work_arg);
    if (strcmp(f->mode, "sigint") == 0)
        raise(SIGINT);
    if (strcmp(f->mode, "slow") == 0 || strcmp(f->mode, "sigint") == 0) {
        while (f->settings.stop == NULL ||
               !f->settings.stop(f->settings.stop_arg))
            usleep(1000);
        fake_clear(e);
        return eb_fail(err, EB_EABORT, "stopped");
    }
    for (i = 0; i < e->slots; i++) {
        if (f->slots[i].busy)
            fake_event(f, &f->slots[i], &events[(*n)++]);
    }
    return 0;
}

static void fake_cancel(struct eb_engine *e, int slot)
{
    ((struct fake *)e)->slots[slot].busy = 0;
}

/* What stands in the planted answer is likely. */
static int fake_score(struct eb_engine *e, const char *prompt,
                      const char *const *options, size_t n, double *logprob,
                      struct eb_err *err)
{
    const struct fake *f = (const struct fake *)e;
    int key = strcmp(f->mode, "key") == 0 && fake_answer != NULL;
    size_t i;

    (void)prompt;
    (void)err;
    for (i = 0; i < n; i++)
        logprob[i] = key && strstr(fake_answer(fake_arg), options[i]) != NULL
                         ? -0.1
                         : -10;
    return 0;
}

static int fake_bench_fill(struct eb_engine *e, const struct eb_bench_shape *s,
                           struct eb_err *err)
{
    int n = s->depth + s->n_prompt + s->n_gen;

    if (n > e->ctx)
        return eb_fail(err, EB_ELIMIT, "%d tokens exceed the context of %d", n,
                       e->ctx);
    if (s->batch > e->slots)
        return eb_fail(err, EB_ELIMIT, "%d sequences exceed the %d slots",
                       s->batch, e->slots);
    fake_clear(e);
    return 0;
}

static int fake_bench(struct eb_engine *e, const struct eb_bench_shape *s,
                      struct eb_err *err)
{
    (void)e;
    (void)err;
    if (fake_work != NULL)
        fake_work(s, fake_work_arg);
    else
        usleep(100);
    return 0;
}

const struct eb_engine_ops eb_engine_fake = {
    .name = "fake",
    .takes_place = 1,
    .open = fake_open,
    .close = fake_close,
    .runtime = fake_runtime,
    .facts = fake_facts,
    .render = fake_render,
    .start = fake_start,
    .step = fake_step,
    .cancel = fake_cancel,
    .clear = fake_clear,
    .score = fake_score,
    .bench_fill = fake_bench_fill,
    .bench = fake_bench,
};
