/* Conformance of an engine: what the measurements rely on, for whoever writes
 * a driver or a plug-in. */
#ifndef EB_ENGINE_CHECK_H
#define EB_ENGINE_CHECK_H

#include <stdio.h>

#include "agent/engine.h"

/* Opens the path and tries everything; a line a check to out, "ok", "FAIL" or
 * "none" (what the engine need not have). stop and stop_arg of the settings
 * are not used. Returns the number of failures. */
int eb_engine_check(const char *path, const struct eb_engine_settings *s,
                    FILE *out);

#endif
