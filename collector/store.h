/* Where runs are kept: one driver table, and in front of it the writer thread
 * that commits waiting runs together.
 *
 * A driver is one file that exports one `const struct eb_store_ops`. put and
 * tidy are called by the writer thread only, so a driver has one writer; get,
 * list and count are called by any thread at any time.
 *
 * eb_store_put returns when the run is on disk. Runs that wait at the same
 * time share one commit: with one disk flush of 0.5 ms and 16 clients that is
 * 16 runs for 0.5 ms and not 8 ms.
 */
#ifndef EB_STORE_H
#define EB_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* One run. All strings are borrowed: for put from the caller until it
 * returns, for a row function from the store until that returns. */
struct eb_run {
    const char *run_id;
    const char *session_id;
    const char *sha256; /* of the posted bytes */
    const char *suite;
    const char *model;
    const char *device_id;
    const char *device_name;
    const char *brief;  /* JSON: the record without samples, with the derived
                           summary (ingest.h) */
    const char *posted; /* as they came; NULL in list */
    size_t posted_len;
    int64_t received_us; /* Unix time */
};

/* NULL is any. device is an id or a name. Rows come newest first, by
 * arrival, beginning behind the run `after`. */
struct eb_run_query {
    const char *suite;
    const char *model;
    const char *device;
    const char *session;
    const char *after;
    int limit;
};

/* Called for each row; another result than 0 ends the list and is returned. */
typedef int eb_run_row(void *arg, const struct eb_run *run);

/* What put says of one run; or EB_ECONFLICT. */
enum eb_put { EB_PUT_STORED = 0, EB_PUT_SAME = 1 };

struct eb_store_options {
    int64_t max_bytes; /* refuse runs when the data reach this; 0: never */
};

struct eb_store_ops {
    const char *name;
    int durable; /* 1 if a run that put accepted survives a power cut */
    /* EB_ENODEV if the place is not one of this driver's. */
    int (*open)(const char *place, const struct eb_store_options *options,
                void **self, struct eb_err *err);
    /* All runs in one commit, results[i] for each; or none, and an error.
     * After EB_EIO nobody knows what is on disk: put is not called again. */
    int (*put)(void *self, const struct eb_run *const *runs, size_t n,
               int *results, struct eb_err *err);
    /* After a commit, and with idle = 1 when none came for a while. 1 if it
     * wants to be called again while idle. */
    int (*tidy)(void *self, int idle, struct eb_err *err);
    /* EB_ENOENT if there is no such run. */
    int (*get)(void *self, const char *run_id, eb_run_row *row, void *arg,
               struct eb_err *err);
    /* EB_ENOENT if query->after is not a run. */
    int (*list)(void *self, const struct eb_run_query *query, eb_run_row *row,
                void *arg, struct eb_err *err);
    int (*count)(void *self, int64_t *n, struct eb_err *err);
    void (*close)(void *self);
};

struct eb_store;

/* place: a file for SQLite, "memory:" for one that forgets (memory:N holds
 * at most N runs). */
int eb_store_open(const char *place, const struct eb_store_options *options,
                  struct eb_store **out, struct eb_err *err);
/* EB_PUT_STORED or EB_PUT_SAME once it is durable; EB_ECONFLICT, EB_ENOSPC,
 * EB_EBUSY or EB_EIO (sticky: no run is accepted any more) if it is not. */
int eb_store_put(struct eb_store *store, const struct eb_run *run,
                 struct eb_err *err);
int eb_store_get(struct eb_store *store, const char *run_id, eb_run_row *row,
                 void *arg, struct eb_err *err);
int eb_store_list(struct eb_store *store, const struct eb_run_query *query,
                  eb_run_row *row, void *arg, struct eb_err *err);
int eb_store_count(struct eb_store *store, int64_t *n, struct eb_err *err);
/* 0 if it accepts runs, else the error that put gives. */
int eb_store_check(struct eb_store *store, struct eb_err *err);
const char *eb_store_name(const struct eb_store *store);
int eb_store_durable(const struct eb_store *store);
/* Waits for the runs in the queue. NULL is fine. */
void eb_store_close(struct eb_store *store);

#endif
