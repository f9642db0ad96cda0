#include "agent/engine.h"

#include <string.h>

#include "agent/engine_openai.h"
#include "agent/engine_plugin.h"

const struct eb_engine_ops *const eb_engines[] = {
#ifdef EB_HAVE_LLAMA
    &eb_engine_llama,
#endif
    &eb_engine_openai, &eb_engine_plugin, &eb_engine_fake, NULL};

const struct eb_engine_ops *eb_engine_for(const char *path)
{
    size_t i, n;

    for (i = 0; eb_engines[i] != NULL; i++) {
        n = strlen(eb_engines[i]->name);
        if (strncmp(path, eb_engines[i]->name, n) == 0 && path[n] == ':')
            return eb_engines[i];
    }
    return eb_engines[0];
}

/* Silence would let a record claim what was not so. */
static int engine_can(const struct eb_engine_ops *ops,
                      const struct eb_engine_settings *s, struct eb_err *err)
{
    if (ops->takes_place)
        return 0;
    if (eb_cpus_count(&s->cpus) > 0)
        return eb_fail(err, EB_EENGINE,
                       "the engine %s cannot be held to processors", ops->name);
    if (s->kv_type != NULL && strcmp(s->kv_type, "f16") != 0)
        return eb_fail(err, EB_EENGINE,
                       "the engine %s cannot set the KV cache's type",
                       ops->name);
    return 0;
}

int eb_engine_open(const char *path, const struct eb_engine_settings *s,
                   struct eb_engine **out, struct eb_err *err)
{
    const struct eb_engine_ops *ops = eb_engine_for(path);
    int rc = engine_can(ops, s, err);

    *out = NULL;
    if (rc == 0)
        rc = ops->open(path, s, out, err);
    if (rc == EB_ENODEV)
        return eb_fail(err, EB_EENGINE,
                       "%s: no engine of this build reads model files (it was "
                       "built without llama.cpp)",
                       path);
    return rc;
}

void eb_engine_close(struct eb_engine *e)
{
    if (e != NULL)
        e->ops->close(e);
}
