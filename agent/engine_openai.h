/* What tests may set in the engine for OpenAI-compatible servers. */
#ifndef EB_ENGINE_OPENAI_H
#define EB_ENGINE_OPENAI_H

#include "agent/engine.h"

extern const struct eb_engine_ops eb_engine_openai;

/* The wait before the first retry; it doubles. 0: none. */
void eb_openai_set_backoff_ms(int ms);

#endif
