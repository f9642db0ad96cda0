/* The driver between agent/engine.h and agent/plugin.h. Whatever a plug-in
 * hands over is checked before it is used; its crash is the run's crash. */
#include "agent/engine_plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/chat.h"
#include "agent/plugin.h"
#include "common/hash.h"
#include "common/json.h"
#include "common/mem.h"

#define PLUGIN_WHY 200
#define PLUGIN_TEXT_MAX (64 << 20) /* of render and facts */
#define PLUGIN_TEXT_FIRST 16384

/* What plugin.h says in numbers holds here in names. */
_Static_assert((int)EDGEBENCH_ENOENT == (int)EB_ENOENT &&
                   (int)EDGEBENCH_EINVAL == (int)EB_EINVAL &&
                   (int)EDGEBENCH_ELIMIT == (int)EB_ELIMIT &&
                   (int)EDGEBENCH_ENET == (int)EB_ENET &&
                   (int)EDGEBENCH_EENGINE == (int)EB_EENGINE &&
                   (int)EDGEBENCH_EABORT == (int)EB_EABORT,
               "codes");

struct plugin {
    struct eb_engine base;
    const struct edgebench_plugin *lib;
    void *handle;
    void *engine;
    char *library;
    char sha256[EB_SHA256_HEX];
    struct edgebench_event *events; /* base.slots */
    char *busy;                     /* base.slots; a reply is under way */
};

/* `runtime` has no engine to ask: it tells of the last one that opened. */
static char plugin_runtime_name[64];
static char plugin_runtime_version[64];
static cJSON *plugin_runtime_more;

/* One line for people out of what the plug-in wrote. */
static int plugin_fail(const struct plugin *p, int code, char *why,
                       struct eb_err *err)
{
    char *c;

    why[PLUGIN_WHY - 1] = '\0';
    for (c = why; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    }
    switch (code) {
    case EB_ENOENT:
    case EB_EINVAL:
    case EB_ELIMIT:
    case EB_ENET:
    case EB_EABORT:
        break;
    default:
        code = EB_EENGINE;
    }
    return eb_fail(err, code, "%.40s: %s", p->lib->name,
                   *why != '\0' ? why : eb_code_text(code));
}

/* Loading */

static int plugin_check(const struct edgebench_plugin *lib, const char *path,
                        struct eb_err *err)
{
    const char *lacks = NULL;

    if (lib == NULL)
        return eb_fail(err, EB_EENGINE, "%s: edgebench_plugin returned NULL",
                       path);
    if (lib->abi != EDGEBENCH_PLUGIN_ABI)
        return eb_fail(err, EB_EVERSION,
                       "%s: is made for plug-in ABI %u, this edgebench has %u",
                       path, (unsigned)lib->abi,
                       (unsigned)EDGEBENCH_PLUGIN_ABI);
    if (lib->size < sizeof(*lib))
        return eb_fail(err, EB_EVERSION,
                       "%s: its struct has %u bytes, not %zu: build it again "
                       "with this agent/plugin.h",
                       path, (unsigned)lib->size, sizeof(*lib));
    if (lib->name == NULL || *lib->name == '\0')
        lacks = "name";
    else if (lib->version == NULL)
        lacks = "version";
    else if (lib->open == NULL)
        lacks = "function open";
    else if (lib->close == NULL)
        lacks = "function close";
    else if (lib->start == NULL)
        lacks = "function start";
    else if (lib->step == NULL)
        lacks = "function step";
    else if (lib->cancel == NULL)
        lacks = "function cancel";
    else if (lib->clear == NULL)
        lacks = "function clear";
    if (lacks != NULL)
        return eb_fail(err, EB_EENGINE, "%s: the plug-in has no %s", path,
                       lacks);
    return 0;
}

/* Vendor runtimes have threads and handlers that outlive the last engine: a
 * library stays loaded. */
static int plugin_load(struct plugin *p, const char *path, struct eb_err *err)
{
    const struct edgebench_plugin *(*get)(void);
    char *full = realpath(path, NULL); /* else dlopen searches */
    struct stat st;
    void *symbol;

    if (full == NULL)
        return eb_fail(err, eb_code_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    if (stat(full, &st) != 0 || !S_ISREG(st.st_mode)) {
        free(full);
        return eb_fail(err, EB_EENGINE, "%s: no file", path);
    }
    p->handle = dlopen(full, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (p->handle == NULL) {
        free(full);
        return eb_fail(err, EB_EENGINE, "%s: cannot be loaded: %s", path,
                       dlerror());
    }
    eb_sha256_file(full, p->sha256, NULL);
    free(full);
    symbol = dlsym(p->handle, "edgebench_plugin");
    if (symbol == NULL)
        return eb_fail(err, EB_EENGINE,
                       "%s: no plug-in: it does not export edgebench_plugin",
                       path);
    memcpy(&get, &symbol, sizeof(get)); /* ISO C has no cast for it */
    p->lib = get();
    return plugin_check(p->lib, path, err);
}

static void plugin_close(struct eb_engine *e)
{
    struct plugin *p = (struct plugin *)e;

    if (p->engine != NULL)
        p->lib->close(p->engine);
    if (p->handle != NULL)
        dlclose(p->handle);
    free(p->events);
    free(p->busy);
    free(p->library);
    free(p);
}

static int plugin_start_engine(struct plugin *p, const char *model,
                               const struct eb_engine_settings *s,
                               struct eb_err *err)
{
    struct edgebench_settings settings = {
        sizeof(settings), s->threads, s->ctx,  s->batch,
        s->ubatch,        s->slots,   s->stop, s->stop_arg};
    struct edgebench_opened opened = {0, 0};
    char why[PLUGIN_WHY] = "";
    int rc;

    if (settings.slots < 1)
        settings.slots = 1;
    rc = p->lib->open(model, &settings, &p->engine, &opened, why, sizeof(why));
    if (rc != 0) {
        p->engine = NULL;
        return plugin_fail(p, rc, why, err);
    }
    if (p->engine == NULL)
        return eb_fail(err, EB_EENGINE, "%.40s: open gave no engine",
                       p->lib->name);
    if (opened.ctx < 1 || opened.slots < 1 || opened.slots > settings.slots)
        return eb_fail(err, EB_EENGINE,
                       "%.40s: open gave a context of %d and %d slots of %d",
                       p->lib->name, (int)opened.ctx, (int)opened.slots,
                       (int)settings.slots);
    p->base.ctx = opened.ctx;
    p->base.slots = opened.slots;
    p->events = eb_xcalloc((size_t)opened.slots, sizeof(*p->events));
    p->busy = eb_xcalloc((size_t)opened.slots, 1);
    return 0;
}

static cJSON *plugin_facts_json(const struct plugin *p);
static const struct eb_engine_ops plugin_no_bench;

static void plugin_remember(const struct plugin *p)
{
    cJSON *facts = plugin_facts_json(p);

    snprintf(plugin_runtime_name, sizeof(plugin_runtime_name), "%s",
             p->lib->name);
    snprintf(plugin_runtime_version, sizeof(plugin_runtime_version), "%s",
             p->lib->version);
    cJSON_Delete(plugin_runtime_more);
    plugin_runtime_more =
        cJSON_DetachItemFromObjectCaseSensitive(facts, "runtime");
    cJSON_Delete(facts);
}

static int plugin_open(const char *path, const struct eb_engine_settings *s,
                       struct eb_engine **out, struct eb_err *err)
{
    struct plugin *p;
    const char *model;
    size_t n;
    int rc;

    *out = NULL;
    if (strncmp(path, "plugin:", 7) != 0)
        return eb_fail(err, EB_ENODEV, "%s: no plug-in", path);
    path += 7;
    n = strcspn(path, ":");
    model = path[n] == ':' ? path + n + 1 : "";
    p = eb_xcalloc(1, sizeof(*p));
    p->base.ops = &eb_engine_plugin;
    p->library = eb_xstrndup(path, n);
    rc = plugin_load(p, p->library, err);
    if (rc == 0)
        rc = plugin_start_engine(p, model, s, err);
    if (rc != 0) {
        plugin_close(&p->base);
        return rc;
    }
    if (p->lib->bench == NULL)
        p->base.ops = &plugin_no_bench;
    plugin_remember(p);
    *out = &p->base;
    return 0;
}

/* Facts */

/* Calls a function that writes as snprintf does; a code or 0. */
static int plugin_text(const struct plugin *p, struct eb_buf *out,
                       int (*write)(const struct plugin *p, const void *arg,
                                    char *text, size_t size),
                       const void *arg)
{
    size_t size = PLUGIN_TEXT_FIRST;
    char *text = eb_xmalloc(size);
    int n = write(p, arg, text, size);

    if (n >= 0 && n < PLUGIN_TEXT_MAX && (size_t)n >= size) {
        size = (size_t)n + 1;
        text = eb_xrealloc(text, size, 1);
        n = write(p, arg, text, size);
    }
    if (n >= 0 && (size_t)n < size)
        eb_buf_add(out, text, (size_t)n);
    else if (n >= 0)
        n = EB_ELIMIT; /* too long, or not the length it told before */
    free(text);
    return n < 0 ? n : 0;
}

static int plugin_write_facts(const struct plugin *p, const void *arg,
                              char *text, size_t size)
{
    (void)arg;
    return p->lib->facts(p->engine, text, size);
}

/* NULL if the plug-in has none; {"error":".."} if they are not as they
 * should be: a reader must see that. */
static cJSON *plugin_facts_json(const struct plugin *p)
{
    struct eb_buf b = {0};
    struct eb_err why = {0};
    cJSON *v = NULL;

    if (p->lib->facts == NULL)
        return NULL;
    eb_buf_adds(&b, "");
    if (plugin_text(p, &b, plugin_write_facts, NULL) != 0)
        eb_fail(&why, EB_EENGINE, "facts failed");
    else if (eb_json_parse(b.data, b.len, "facts", &v, &why) == 0 &&
             !cJSON_IsObject(v))
        eb_fail(&why, EB_EINVAL, "facts: no object");
    if (why.code != 0) {
        cJSON_Delete(v);
        v = cJSON_CreateObject();
        cJSON_AddStringToObject(cJSON_AddObjectToObject(v, "model"),
                                "plugin_facts_error", why.msg);
    }
    eb_buf_free(&b);
    return v;
}

/* Moves members over; those that edgebench itself writes stay. */
static void plugin_merge(cJSON *out, cJSON *from)
{
    cJSON *v, *next;

    for (v = cJSON_IsObject(from) ? from->child : NULL; v != NULL; v = next) {
        next = v->next;
        if (cJSON_GetObjectItemCaseSensitive(out, v->string) != NULL)
            continue;
        v = cJSON_DetachItemViaPointer(from, v);
        cJSON_AddItemToObject(out, v->string, v);
    }
}

static void plugin_runtime(cJSON *out)
{
    cJSON *more = cJSON_Duplicate(plugin_runtime_more, 1);

    if (plugin_runtime_name[0] == '\0') {
        eb_json_add_null(out, "version", "not measured: no plug-in was opened");
    } else {
        cJSON_AddStringToObject(out, "version", plugin_runtime_version);
        cJSON_AddStringToObject(out, "plugin", plugin_runtime_name);
    }
    plugin_merge(out, more);
    cJSON_Delete(more);
}

static void plugin_facts(struct eb_engine *e, cJSON *model, cJSON *memory)
{
    static const char *const names[] = {"architecture", "parameters",
                                        "quantization", "context_train",
                                        "chat_template_sha256"};
    const struct plugin *p = (const struct plugin *)e;
    cJSON *facts = plugin_facts_json(p);
    size_t i;

    cJSON_AddStringToObject(model, "plugin_sha256", p->sha256);
    plugin_merge(model, cJSON_GetObjectItemCaseSensitive(facts, "model"));
    plugin_merge(memory, cJSON_GetObjectItemCaseSensitive(facts, "memory"));
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (cJSON_GetObjectItemCaseSensitive(model, names[i]) == NULL)
            eb_json_add_null(model, names[i],
                             "absent: the plug-in does not tell");
    }
    if (cJSON_GetObjectItemCaseSensitive(memory, "model_bytes") == NULL)
        eb_json_add_null(memory, "model_bytes",
                         "absent: the plug-in does not tell");
    cJSON_Delete(facts);
}

/* Replies */

struct plugin_messages {
    const struct edgebench_message *v;
    size_t n;
};

static int plugin_write_prompt(const struct plugin *p, const void *arg,
                               char *text, size_t size)
{
    const struct plugin_messages *m = arg;

    return p->lib->render(p->engine, m->v, m->n, text, size);
}

static int plugin_render(struct eb_engine *e, const struct eb_message *m,
                         size_t n, struct eb_buf *out, struct eb_err *err)
{
    struct plugin *p = (struct plugin *)e;
    struct edgebench_message *v;
    char why[PLUGIN_WHY] = "the messages cannot be rendered";
    size_t i;
    int rc;

    if (p->lib->render == NULL) {
        eb_chat_json(m, n, out);
        return 0;
    }
    v = eb_xcalloc(n > 0 ? n : 1, sizeof(*v));
    for (i = 0; i < n; i++) {
        v[i].role = m[i].role;
        v[i].text = m[i].text;
    }
    eb_buf_adds(out, "");
    rc = plugin_text(p, out, plugin_write_prompt,
                     &(struct plugin_messages){v, n});
    free(v);
    return rc != 0 ? plugin_fail(p, rc, why, err) : 0;
}

static int plugin_start(struct eb_engine *e, int slot,
                        const struct eb_request *r, struct eb_err *err)
{
    struct plugin *p = (struct plugin *)e;
    struct edgebench_request request = {r->prompt, r->grammar, r->max_tokens};
    char why[PLUGIN_WHY] = "";
    int rc;

    if (slot < 0 || slot >= e->slots || p->busy[slot])
        return eb_fail(err, EB_EBUSY, "slot %d is not free", slot);
    rc = p->lib->start(p->engine, slot, &request, why, sizeof(why));
    if (rc != 0)
        return plugin_fail(p, rc, why, err);
    p->busy[slot] = 1;
    return 0;
}

/* The event as it is, if it makes sense. */
static int plugin_event(struct plugin *p, const struct edgebench_event *in,
                        struct eb_event *out, struct eb_err *err)
{
    char why[PLUGIN_WHY];

    if (in->slot < 0 || in->slot >= p->base.slots || !p->busy[in->slot] ||
        (in->len > 0 && in->piece == NULL))
        return eb_fail(err, EB_EENGINE,
                       "%.40s: step gave an event of slot %d, which has no "
                       "reply, or without its text",
                       p->lib->name, (int)in->slot);
    memset(out, 0, sizeof(*out));
    out->slot = in->slot;
    out->token = in->token;
    out->piece = in->piece;
    out->len = in->len;
    out->over = in->over != 0;
    out->prompt_tokens = in->prompt_tokens;
    out->cached_tokens = in->cached_tokens;
    out->reply_tokens = in->reply_tokens;
    if (!out->over)
        return 0;
    p->busy[in->slot] = 0;
    if (in->code != 0) {
        struct eb_err reply = {0};

        snprintf(why, sizeof(why), "%.*s", (int)sizeof(in->detail) - 1,
                 in->detail);
        out->rc = plugin_fail(p, in->code, why, &reply);
        snprintf(out->detail, sizeof(out->detail), "%.*s",
                 (int)sizeof(out->detail) - 1, reply.msg);
    }
    return 0;
}

static int plugin_step(struct eb_engine *e, struct eb_event *events, size_t *n,
                       struct eb_err *err)
{
    struct plugin *p = (struct plugin *)e;
    char why[PLUGIN_WHY] = "";
    size_t got = 0, i;
    int rc = p->lib->step(p->engine, p->events, &got, why, sizeof(why));

    *n = 0;
    if (rc == 0 && got > (size_t)e->slots)
        rc =
            eb_fail(err, EB_EENGINE, "%.40s: step gave %zu events for %d slots",
                    p->lib->name, got, e->slots);
    else if (rc != 0)
        rc = plugin_fail(p, rc, why, err);
    for (i = 0; i < got && rc == 0; i++)
        rc = plugin_event(p, &p->events[i], &events[i], err);
    if (rc == 0)
        *n = got;
    for (i = 0; i < (size_t)e->slots && rc != 0; i++)
        e->ops->cancel(e, (int)i);
    return rc;
}

static void plugin_cancel(struct eb_engine *e, int slot)
{
    struct plugin *p = (struct plugin *)e;

    if (p->busy[slot])
        p->lib->cancel(p->engine, slot);
    p->busy[slot] = 0;
}

static void plugin_clear(struct eb_engine *e)
{
    struct plugin *p = (struct plugin *)e;

    p->lib->clear(p->engine);
    memset(p->busy, 0, (size_t)e->slots);
}

/* The ABI has no depth and no batch. */
static int plugin_bench_fill(struct eb_engine *e,
                             const struct eb_bench_shape *s, struct eb_err *err)
{
    if (s->depth > 0 || s->batch > 1)
        return eb_fail(err, EB_ELIMIT,
                       "plug-ins are benched at depth 0 and one at a time");
    if (s->n_prompt + s->n_gen > e->ctx)
        return eb_fail(err, EB_ELIMIT, "%d tokens exceed the context of %d",
                       s->n_prompt + s->n_gen, e->ctx);
    plugin_clear(e);
    return 0;
}

static int plugin_bench(struct eb_engine *e, const struct eb_bench_shape *s,
                        struct eb_err *err)
{
    struct plugin *p = (struct plugin *)e;
    char why[PLUGIN_WHY] = "";
    int rc;

    rc = p->lib->bench(p->engine, s->n_prompt, s->n_gen, why, sizeof(why));
    return rc != 0 ? plugin_fail(p, rc, why, err) : 0;
}

#define PLUGIN_OPS                                                             \
    .name = "plugin", .open = plugin_open, .close = plugin_close,              \
    .runtime = plugin_runtime, .facts = plugin_facts, .render = plugin_render, \
    .start = plugin_start, .step = plugin_step, .cancel = plugin_cancel,       \
    .clear = plugin_clear, .bench_fill = plugin_bench_fill

const struct eb_engine_ops eb_engine_plugin = {PLUGIN_OPS,
                                               .bench = plugin_bench};
/* Of engines whose plug-in has no bench. */
static const struct eb_engine_ops plugin_no_bench = {PLUGIN_OPS};
