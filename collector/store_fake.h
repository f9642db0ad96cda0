/* Runs in memory, for tests and as the template of a driver. See store.h;
 * place is "memory:", or "memory:N" for one that is full with N runs. */
#ifndef EB_STORE_FAKE_H
#define EB_STORE_FAKE_H

#include "collector/store.h"

extern const struct eb_store_ops eb_store_fake;

#endif
