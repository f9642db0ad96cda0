/* The engine for OpenAI-compatible servers with a server of its own, for
 * tests/test_engine_openai*.c. */
#ifndef EB_TEST_OPENAI_ENGINE_HELP_H
#define EB_TEST_OPENAI_ENGINE_HELP_H

#include "agent/engine_openai.h"
#include "common/json.h"
#include "common/mem.h"
#include "tests/openai_server_help.h"

#define OPS (&eb_engine_openai)
#define MAX_TOKENS 16

static struct oai_server server;
static struct eb_engine *engine;
static struct eb_err err;
static int (*stop_fn)(void);

/* One reply, as its events told it. */
struct reply {
    int pieces;
    char text[4096];
    struct eb_event end;
    int rc; /* of step */
};

static int stop(void *arg)
{
    (void)arg;
    return stop_fn != NULL && stop_fn();
}

static int setup(void **state)
{
    (void)state;
    unsetenv("EDGEBENCH_OPENAI_KEY");
    unsetenv("EDGEBENCH_PRICES");
    eb_openai_set_backoff_ms(0);
    stop_fn = NULL;
    engine = NULL;
    return oai_open(&server);
}

static int teardown(void **state)
{
    (void)state;
    if (engine != NULL)
        OPS->close(engine);
    engine = NULL;
    oai_close(&server);
    return 0;
}

static int try_open(const char *url, const char *model, int slots)
{
    struct eb_engine_settings s = {0};
    char *path = eb_xasprintf("openai:%s%s", url, model);
    int rc;

    s.ctx = 512;
    s.slots = slots;
    s.stop = stop;
    memset(&err, 0, sizeof(err));
    rc = OPS->open(path, &s, &engine, &err);
    free(path);
    if (rc != 0) {
        assert_null(engine);
        assert_int_equal(err.code, rc);
        assert_true(strlen(err.msg) > 0);
    }
    return rc;
}

static void open_slots(int slots)
{
    assert_int_equal(try_open(server.url, "", slots), 0);
    assert_int_equal(engine->slots, slots);
}

static void act(int i, struct oai_act a)
{
    server.acts[i] = a;
    server.n_acts = i + 1;
}

static void start(int slot, const char *grammar)
{
    struct eb_message m = {"user", "Say \"hello\"\n"};
    struct eb_request r = {NULL, grammar, MAX_TOKENS};
    struct eb_buf prompt = {0};

    assert_int_equal(OPS->render(engine, &m, 1, &prompt, &err), 0);
    r.prompt = prompt.data;
    assert_int_equal(OPS->start(engine, slot, &r, &err), 0);
    eb_buf_free(&prompt);
}

static void take(struct reply *r, const struct eb_event *e)
{
    assert_true(strlen(r->text) + e->len < sizeof(r->text));
    strncat(r->text, e->piece != NULL ? e->piece : "", e->len);
    if (e->over)
        r->end = *e;
    else
        r->pieces++;
    assert_int_equal(e->token, -1);
}

static void finish(struct reply *r)
{
    struct eb_event events[4];
    size_t n;

    while (!r->end.over && r->rc == 0) {
        r->rc = OPS->step(engine, events, &n, &err);
        if (r->rc == 0 && n > 0)
            take(r, &events[0]);
    }
}

static struct reply *ask(void)
{
    static struct reply r;

    memset(&r, 0, sizeof(r));
    start(0, NULL);
    finish(&r);
    return &r;
}

/* The next reply fails with the code and a line that says so. */
static inline void fails(int rc, const char *says)
{
    struct reply *r = ask();

    assert_int_equal(r->rc, 0);
    assert_true(r->end.over);
    if (r->end.rc != rc || strstr(r->end.detail, says) == NULL)
        print_error("%d: %s\n", r->end.rc, r->end.detail);
    assert_int_equal(r->end.rc, rc);
    assert_non_null(strstr(r->end.detail, says));
    assert_null(strchr(r->end.detail, '\n'));
}

#endif
