/* Engines in shared libraries (agent/plugin.h). A model path is
 * "plugin:LIBRARY" or "plugin:LIBRARY:MODEL"; the library's name has no
 * colon. */
#ifndef EB_ENGINE_PLUGIN_H
#define EB_ENGINE_PLUGIN_H

#include "agent/engine.h"

extern const struct eb_engine_ops eb_engine_plugin;

#endif
