#include "agent/engine_check.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"

#define CHECK_TOKENS 24
#define CHECK_TEXT 65536
#define CHECK_STEPS 100000 /* none of them may be without an event for ever */
#define CHECK_WORDS_MAX (1 << 20)
#define CHECK_BENCH_PROMPT 16
#define CHECK_BENCH_GEN 4

/* A reply as far as it was read. */
struct check_reply {
    char text[CHECK_TEXT];
    size_t len;
    int pieces;
    int over; /* the engine ended it; else cancelled after CHECK_TOKENS */
    int rc;   /* of the reply, of start or of step */
    char why[256];
    int prompt_tokens;
};

struct check {
    const char *path;
    FILE *out;
    struct eb_engine_settings settings;
    struct eb_engine *e;
    struct eb_event *events;
    struct check_reply *reply; /* a slot */
    char **alone;              /* what each slot's question gets, asked alone */
    int failures;
    int stop; /* what the stop callback says */
    int asked;
};

static void check_say(struct check *c, const char *word, const char *what,
                      const char *fmt, va_list ap)
{
    fprintf(c->out, "%-4s  %-14s", word, what);
    if (fmt != NULL)
        vfprintf(c->out, fmt, ap);
    fputc('\n', c->out);
    fflush(c->out);
}

__attribute__((format(printf, 3, 4))) static void
check_ok(struct check *c, const char *what, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    check_say(c, "ok", what, fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 3, 4))) static void
check_none(struct check *c, const char *what, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    check_say(c, "none", what, fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 3, 4))) static void
check_bad(struct check *c, const char *what, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    check_say(c, "FAIL", what, fmt, ap);
    va_end(ap);
    c->failures++;
}

static int check_stop(void *arg)
{
    struct check *c = arg;

    c->asked += c->stop;
    return c->stop;
}

/* Replies */

/* A question of its own for each slot: else a mix-up of slots would not
 * show. */
static char *check_question(const struct check *c, int slot, int words)
{
    static const char *const about[] = {"a parcel that is late",
                                        "a refund of 20 dollars",
                                        "a lost password", "a broken lamp"};
    struct eb_message m[2] = {{"system", "You help customers."},
                              {"user", NULL}};
    struct eb_buf text = {0}, prompt = {0};
    struct eb_err err = {0};
    int i;

    eb_buf_addf(&text, "Customer %d asks about %s.", slot, about[slot % 4]);
    for (i = 0; i < words; i++)
        eb_buf_adds(&text, " and more");
    m[1].text = text.data;
    if (c->e->ops->render(c->e, m, 2, &prompt, &err) != 0)
        eb_buf_reset(&prompt);
    eb_buf_free(&text);
    return eb_buf_take(&prompt);
}

static int check_start(struct check *c, int slot, const char *prompt,
                       const char *grammar)
{
    struct check_reply *r = &c->reply[slot];
    struct eb_request q = {prompt, grammar, CHECK_TOKENS};
    struct eb_err err = {0};

    memset(r, 0, sizeof(*r));
    r->prompt_tokens = -1;
    r->rc = c->e->ops->start(c->e, slot, &q, &err);
    snprintf(r->why, sizeof(r->why), "%s", err.msg);
    return r->rc;
}

/* Takes an event in; 1 if the reply is over now. */
static int check_take(struct check *c, const struct eb_event *event)
{
    struct check_reply *r = &c->reply[event->slot];

    if (event->len > 0 && r->len + event->len < sizeof(r->text)) {
        memcpy(r->text + r->len, event->piece, event->len);
        r->len += event->len;
    }
    r->pieces += !event->over;
    if (event->over) {
        r->over = 1;
        r->rc = event->rc;
        r->prompt_tokens = event->prompt_tokens;
        snprintf(r->why, sizeof(r->why), "%s", event->detail);
    } else if (r->pieces >= CHECK_TOKENS) {
        c->e->ops->cancel(c->e, event->slot);
        return 1;
    }
    return event->over;
}

/* Steps until n replies are over; a code of step, or EB_EENGINE for events
 * that make no sense. */
static int check_steps(struct check *c, int n, struct eb_err *err)
{
    size_t got, i;
    int rc, steps;

    for (steps = 0; n > 0 && steps < CHECK_STEPS; steps++) {
        rc = c->e->ops->step(c->e, c->events, &got, err);
        if (rc != 0)
            return rc;
        if (got > (size_t)c->e->slots)
            return eb_fail(err, EB_EENGINE, "%zu events for %d slots", got,
                           c->e->slots);
        for (i = 0; i < got; i++) {
            if (c->events[i].slot < 0 || c->events[i].slot >= c->e->slots)
                return eb_fail(err, EB_EENGINE, "an event of slot %d",
                               c->events[i].slot);
            n -= check_take(c, &c->events[i]);
        }
    }
    if (n > 0)
        return eb_fail(err, EB_EENGINE, "no end after %d steps", CHECK_STEPS);
    return 0;
}

/* One reply in a slot; its code, with the sentence in the reply. A reply that
 * the engine ends at the token limit is as good as one that is cancelled. */
static int check_ask(struct check *c, int slot, const char *prompt,
                     const char *grammar)
{
    struct check_reply *r = &c->reply[slot];
    struct eb_err err = {0};
    int rc = check_start(c, slot, prompt, grammar);

    if (rc != 0)
        return rc;
    rc = check_steps(c, 1, &err);
    if (rc != 0) {
        c->e->ops->clear(c->e);
        snprintf(r->why, sizeof(r->why), "%s", err.msg);
        return r->rc = rc;
    }
    return r->rc == EB_ELIMIT && r->pieces > 0 ? 0 : r->rc;
}

/* The same question as alone, with the same text. */
static int check_again(struct check *c, const char *what)
{
    char *prompt = check_question(c, 0, 0);
    int rc = check_ask(c, 0, prompt, NULL);

    free(prompt);
    if (rc != 0)
        check_bad(c, what, "the next reply fails: %s", c->reply[0].why);
    else if (strcmp(c->reply[0].text, c->alone[0]) != 0)
        check_bad(c, what, "the next reply is '%.40s', it was '%.40s'",
                  c->reply[0].text, c->alone[0]);
    else
        return 1;
    return 0;
}

/* The checks */

static void check_facts(struct check *c)
{
    cJSON *model = cJSON_CreateObject(), *memory = cJSON_CreateObject(), *v;
    struct eb_err err = {0};
    char *text;

    c->e->ops->facts(c->e, model, memory);
    text = cJSON_PrintUnformatted(model);
    v = cJSON_GetObjectItemCaseSensitive(model, "parameters");
    if (text == NULL || eb_json_parse(text, strlen(text), "facts", &v, &err)) {
        check_bad(c, "facts", "%s", err.msg);
    } else {
        cJSON_Delete(v);
        v = cJSON_GetObjectItemCaseSensitive(model, "parameters");
        if (v == NULL)
            check_bad(c, "facts", "no parameters, and no null with a reason");
        else if (cJSON_GetObjectItemCaseSensitive(model, "plugin_facts_error"))
            check_bad(c, "facts", "%s",
                      eb_json_get_str(model, "plugin_facts_error", ""));
        else
            check_ok(c, "facts", "%.200s", text);
    }
    cJSON_free(text);
    cJSON_Delete(model);
    cJSON_Delete(memory);
}

/* Also fills c->alone. */
static int check_replies(struct check *c)
{
    char *prompt;
    int i, rc = 0;

    for (i = 0; i < c->e->slots && rc == 0; i++) {
        prompt = check_question(c, i, 0);
        if (*prompt == '\0') {
            check_bad(c, "render", "the messages give no prompt");
            rc = EB_EENGINE;
        } else {
            if (i == 0)
                check_ok(c, "render", "%zu bytes", strlen(prompt));
            rc = check_ask(c, i, prompt, NULL);
            if (rc != 0)
                check_bad(c, "reply", "slot %d: %s", i, c->reply[i].why);
        }
        free(prompt);
        c->alone[i] = eb_xstrdup(c->reply[i].text);
    }
    if (rc != 0)
        return rc;
    check_ok(c, "reply", "%d pieces: '%.40s'", c->reply[0].pieces, c->alone[0]);
    if (check_again(c, "repeat"))
        check_ok(c, "repeat", "the same text again");
    return 0;
}

static void check_parallel(struct check *c)
{
    struct eb_err err = {0};
    char *prompt;
    int i, rc = 0, n = c->e->slots;

    if (n == 1) {
        check_none(c, "parallel", "the engine has one slot");
        return;
    }
    for (i = 0; i < n && rc == 0; i++) {
        prompt = check_question(c, i, 0);
        rc = check_start(c, i, prompt, NULL);
        if (rc != 0)
            check_bad(c, "parallel", "slot %d: %s", i, c->reply[i].why);
        free(prompt);
    }
    if (rc == 0 && (rc = check_steps(c, n, &err)) != 0)
        check_bad(c, "parallel", "%s", err.msg);
    for (i = 0; i < n && rc == 0; i++) {
        rc = strcmp(c->reply[i].text, c->alone[i]);
        if (rc != 0)
            check_bad(c, "parallel", "slot %d: '%.40s', alone it was '%.40s'",
                      i, c->reply[i].text, c->alone[i]);
    }
    if (rc == 0)
        check_ok(c, "parallel", "%d slots, each with the text it has alone", n);
    else
        c->e->ops->clear(c->e);
}

static void check_cancel(struct check *c)
{
    char *prompt = check_question(c, 0, 0);
    struct eb_err err = {0};
    size_t n;
    int rc;

    rc = check_start(c, 0, prompt, NULL);
    if (rc == 0) {
        rc = c->e->ops->step(c->e, c->events, &n, &err);
        c->e->ops->cancel(c->e, 0);
    }
    free(prompt);
    if (rc != 0)
        check_bad(c, "cancel", "%s", *err.msg ? err.msg : c->reply[0].why);
    else if (check_again(c, "cancel"))
        check_ok(c, "cancel", "the slot is free and works");
}

static void check_clear(struct check *c)
{
    char *prompt = check_question(c, 0, 0);

    check_start(c, 0, prompt, NULL);
    c->e->ops->clear(c->e);
    free(prompt);
    if (check_again(c, "clear"))
        check_ok(c, "clear", "replies are ended and the next one works");
}

/* A word is a token at least, so this prompt is longer than the context. */
static void check_too_long(struct check *c)
{
    char *prompt;
    int rc;

    if (c->e->ctx > CHECK_WORDS_MAX) {
        check_none(c, "too long", "the context of %d is too large to try",
                   c->e->ctx);
        return;
    }
    prompt = check_question(c, 0, c->e->ctx);
    rc = check_ask(c, 0, prompt, NULL);
    free(prompt);
    if (rc == 0 && c->reply[0].pieces > 0)
        check_bad(c, "too long",
                  "%d words are taken, with a context of %d tokens",
                  2 * c->e->ctx, c->e->ctx);
    else if (rc == 0 || rc == EB_ELIMIT) /* 0: the limit, with some text */
        check_ok(c, "too long", "%s", c->reply[0].why);
    else
        check_bad(c, "too long", "not EB_ELIMIT but %s: %s", eb_code_name(rc),
                  c->reply[0].why);
    c->e->ops->clear(c->e);
    check_again(c, "too long");
}

static void check_grammar(struct check *c)
{
    static const char grammar[] = "root ::= \"yes\" | \"no\"";
    cJSON *model = cJSON_CreateObject(), *memory = cJSON_CreateObject();
    char *prompt = check_question(c, 0, 0);
    const char *text = c->reply[0].text;
    int rc, free_text;

    c->e->ops->facts(c->e, model, memory);
    free_text = strcmp(eb_json_get_str(model, "constrained", ""), "none") == 0;
    rc = check_ask(c, 0, prompt, grammar);
    if (rc == 0 && (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0))
        check_ok(c, "grammar", "held: '%s'", text);
    else if (rc == 0 && free_text)
        check_none(c, "grammar", "not used, and facts say so");
    else
        check_bad(c, "grammar",
                  "not held, and model.constrained is not \"none\": '%.40s'",
                  rc == 0 ? text : c->reply[0].why);
    free(prompt);
    cJSON_Delete(model);
    cJSON_Delete(memory);
}

static void check_stopping(struct check *c)
{
    char *prompt = check_question(c, 0, 0);
    struct eb_err err = {0};
    int rc;

    c->asked = 0;
    c->stop = 1;
    rc = check_start(c, 0, prompt, NULL);
    if (rc == 0)
        rc = check_steps(c, 1, &err);
    c->stop = 0;
    free(prompt);
    if (rc == 0)
        check_bad(c, "stop", "%s",
                  c->asked > 0 ? "it was asked, and the reply went on"
                               : "it was not asked during a reply");
    else if (rc != EB_EABORT)
        check_bad(c, "stop", "not EB_EABORT but %s: %s", eb_code_name(rc),
                  err.msg);
    else if (check_again(c, "stop"))
        check_ok(c, "stop", "ends the step; the next reply works");
}

static void check_bench(struct check *c)
{
    const struct eb_bench_shape shape = {CHECK_BENCH_PROMPT, CHECK_BENCH_GEN, 0,
                                         1};
    struct eb_err err = {0};
    int rc;

    if (c->e->ops->bench == NULL) {
        check_none(c, "bench", "no pp and tg figures from this engine");
        return;
    }
    rc = c->e->ops->bench_fill(c->e, &shape, &err);
    if (rc == 0)
        rc = c->e->ops->bench(c->e, &shape, &err);
    c->e->ops->clear(c->e); /* as the runner does */
    if (rc != 0)
        check_bad(c, "bench", "%s", err.msg);
    else if (check_again(c, "bench"))
        check_ok(c, "bench", "%d prompt tokens, %d single ones",
                 CHECK_BENCH_PROMPT, CHECK_BENCH_GEN);
}

/* -1 where the system does not tell. */
static int check_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    if (d == NULL)
        return -1;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static int check_open(struct check *c, struct eb_err *err)
{
    int rc = eb_engine_open(c->path, &c->settings, &c->e, err);
    size_t n;

    if (rc != 0)
        return rc;
    n = c->e->slots > 0 ? (size_t)c->e->slots : 1;
    c->events = eb_xcalloc(n, sizeof(*c->events));
    c->reply = eb_xcalloc(n, sizeof(*c->reply));
    c->alone = eb_xcalloc(n, sizeof(*c->alone));
    return 0;
}

static void check_close(struct check *c)
{
    int i;

    for (i = 0; i < c->e->slots; i++)
        free(c->alone[i]);
    free(c->alone);
    free(c->events);
    free(c->reply);
    eb_engine_close(c->e);
    c->e = NULL;
}

/* The first opening may open things for good (random numbers, a driver); the
 * second must not. */
static void check_closing(struct check *c)
{
    struct eb_err err = {0};
    int before = check_fds();

    if (check_open(c, &err) != 0) {
        check_bad(c, "close", "the engine opens only once: %s", err.msg);
        return;
    }
    check_close(c);
    if (check_fds() > before)
        check_bad(c, "close", "%d file descriptors are left open",
                  check_fds() - before);
    else if (before < 0)
        check_ok(c, "close", "opened and closed twice");
    else
        check_ok(c, "close", "no file descriptor is left open");
}

int eb_engine_check(const char *path, const struct eb_engine_settings *s,
                    FILE *out)
{
    struct check c = {.path = path, .out = out, .settings = *s};
    struct eb_err err = {0};

    c.settings.stop = check_stop;
    c.settings.stop_arg = &c;
    if (check_open(&c, &err) != 0) {
        check_bad(&c, "open", "%s", err.msg);
        return c.failures;
    }
    if (c.e->ctx < 1 || c.e->slots < 1 || c.e->slots > s->slots)
        check_bad(&c, "open", "a context of %d, %d slots of %d", c.e->ctx,
                  c.e->slots, s->slots);
    else
        check_ok(&c, "open", "%s: context %d, slots %d", c.e->ops->name,
                 c.e->ctx, c.e->slots);
    check_facts(&c);
    if (check_replies(&c) == 0) {
        check_parallel(&c);
        check_cancel(&c);
        check_clear(&c);
        check_too_long(&c);
        check_grammar(&c);
        check_stopping(&c);
        check_bench(&c);
    }
    check_close(&c);
    check_closing(&c);
    return c.failures;
}
