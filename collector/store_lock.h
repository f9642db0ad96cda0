/* One collector a database: its name without links and the lock on it. */
#ifndef EB_STORE_LOCK_H
#define EB_STORE_LOCK_H

#include "common/err.h"

/* *path is absolute and without links (free it, also on failure); *fd holds
 * the lock on <path>.lock until it is closed, -1 on failure. EB_EBUSY if
 * another collector has it, in this process or another. */
int eb_store_lock(const char *place, char **path, int *fd, struct eb_err *err);

#endif
