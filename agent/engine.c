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

int eb_engine_open(const char *path, const struct eb_engine_settings *s,
                   struct eb_engine **out, struct eb_err *err)
{
    int rc = eb_engine_for(path)->open(path, s, out, err);

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
