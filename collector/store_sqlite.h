/* Runs in one SQLite file. See store.h; place is the file, which is made if it
 * is missing. FILE.lock beside it keeps a second collector out. */
#ifndef EB_STORE_SQLITE_H
#define EB_STORE_SQLITE_H

#include "collector/store.h"

extern const struct eb_store_ops eb_store_sqlite;

#endif
