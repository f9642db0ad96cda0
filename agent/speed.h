/* Tokens per second as llama-bench measures them: pp512 and tg128, random
 * tokens, no sampling, every call waited for, an empty cache, five repeats
 * after one that is thrown away. */
#ifndef EB_SPEED_H
#define EB_SPEED_H

#include <cjson/cJSON.h>

#include "agent/engine.h"
#include "agent/watch.h"

#define EB_SPEED_REPEATS 5

/* The record's `speed`, an array; never NULL. A test that does not fit into
 * the context has no samples and says why. `stop` (may be NULL) is asked
 * between repeats. The repeats are a window of the watch (may be NULL): prefill
 * for pp512, decode for tg128. */
cJSON *eb_speed_run(struct eb_engine *e, int (*stop)(void),
                    struct eb_watch *watch);
/* The same array with a reason in place of samples. */
cJSON *eb_speed_none(const char *reason);

#endif
