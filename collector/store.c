#include "collector/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "collector/store_fake.h"
#include "collector/store_sqlite.h"
#include "common/clock.h"
#include "common/mem.h"

/* One commit: enough to share the flush, few enough to answer soon. */
#define STORE_BATCH_RUNS 64
#define STORE_BATCH_BYTES (32u << 20)
/* A checkpoint waits for this long a pause. */
#define STORE_IDLE_NS 1000000000

/* Tried in this order: SQLite takes every place. */
static const struct eb_store_ops *const store_drivers[] = {
    &eb_store_fake, &eb_store_sqlite, NULL};

/* A put under way; lives on the stack of the thread that waits for it. */
struct store_wait {
    const struct eb_run *run;
    int done;
    int rc;
    struct eb_err err;
    struct store_wait *next;
};

struct eb_store {
    const struct eb_store_ops *ops;
    void *self;
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t work;
    pthread_cond_t done;
    struct store_wait *first, **last;
    int stop;
    int broken;
    struct eb_err broken_err;
};

/* With the lock: cuts the next batch off the queue. */
static size_t store_take(struct eb_store *s, struct store_wait **batch)
{
    size_t n = 0, bytes = 0;

    while (s->first != NULL && n < STORE_BATCH_RUNS) {
        bytes += s->first->run->posted_len;
        if (n > 0 && bytes > STORE_BATCH_BYTES)
            break;
        batch[n++] = s->first;
        s->first = s->first->next;
    }
    if (s->first == NULL)
        s->last = &s->first;
    return n;
}

static void store_break(struct eb_store *s, const struct eb_err *err)
{
    s->broken = 1;
    s->broken_err = *err;
}

static int store_is_broken(struct eb_store *s, struct eb_err *err)
{
    if (!s->broken)
        return 0;
    return eb_fail(err, EB_EIO,
                   "no run is accepted since a write failed (%.120s): check "
                   "the disk, then restart the collector",
                   s->broken_err.msg);
}

/* With the lock, which is given up while the driver writes. */
static void store_commit(struct eb_store *s, struct store_wait **batch,
                         size_t n)
{
    const struct eb_run *runs[STORE_BATCH_RUNS];
    int results[STORE_BATCH_RUNS], rc;
    struct eb_err err = {0};
    size_t i;

    for (i = 0; i < n; i++)
        runs[i] = batch[i]->run;
    rc = store_is_broken(s, &err);
    if (rc == 0) {
        pthread_mutex_unlock(&s->lock);
        rc = s->ops->put(s->self, runs, n, results, &err);
        pthread_mutex_lock(&s->lock);
        if (rc == EB_EIO)
            store_break(s, &err);
    }
    for (i = 0; i < n; i++) {
        batch[i]->rc = rc != 0 ? rc : results[i];
        batch[i]->err = err;
        batch[i]->done = 1;
    }
    pthread_cond_broadcast(&s->done);
}

/* With the lock. Returns whether to come back when idle. */
static int store_tidy(struct eb_store *s, int idle)
{
    struct eb_err err = {0};
    int rc;

    if (s->broken)
        return 0;
    pthread_mutex_unlock(&s->lock);
    rc = s->ops->tidy(s->self, idle, &err);
    pthread_mutex_lock(&s->lock);
    if (rc == EB_EIO)
        store_break(s, &err);
    return rc > 0;
}

/* With the lock; returns 1 if nothing came for STORE_IDLE_NS. */
static int store_idle(struct eb_store *s)
{
    int64_t until = eb_clock_ns() + STORE_IDLE_NS;
    struct timespec ts = {.tv_sec = until / 1000000000,
                          .tv_nsec = until % 1000000000};

    while (s->first == NULL && !s->stop) {
        if (pthread_cond_timedwait(&s->work, &s->lock, &ts) != 0)
            return s->first == NULL && !s->stop;
    }
    return 0;
}

static void *store_writer(void *arg)
{
    struct store_wait *batch[STORE_BATCH_RUNS];
    struct eb_store *s = arg;
    int untidy = 0;
    size_t n;

    pthread_mutex_lock(&s->lock);
    while (!s->stop || s->first != NULL) {
        n = store_take(s, batch);
        if (n > 0) {
            store_commit(s, batch, n);
            untidy = store_tidy(s, 0);
        } else if (untidy) {
            if (store_idle(s))
                untidy = store_tidy(s, 1);
        } else {
            pthread_cond_wait(&s->work, &s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int store_start(struct eb_store *s, struct eb_err *err)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&s->done, NULL);
    pthread_mutex_init(&s->lock, NULL);
    s->last = &s->first;
    if (pthread_create(&s->thread, NULL, store_writer, s) != 0)
        return eb_fail(err, EB_EINTERNAL, "cannot start the writer thread");
    return 0;
}

int eb_store_open(const char *place, const struct eb_store_options *options,
                  struct eb_store **out, struct eb_err *err)
{
    struct eb_store *s = eb_xcalloc(1, sizeof(*s));
    int rc = EB_ENODEV, i;

    *out = NULL;
    for (i = 0; rc == EB_ENODEV && store_drivers[i] != NULL; i++) {
        s->ops = store_drivers[i];
        rc = s->ops->open(place, options, &s->self, err);
    }
    if (rc == 0) {
        rc = store_start(s, err);
        if (rc != 0)
            s->ops->close(s->self);
    }
    if (rc != 0) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

int eb_store_put(struct eb_store *store, const struct eb_run *run,
                 struct eb_err *err)
{
    struct store_wait wait = {.run = run};

    pthread_mutex_lock(&store->lock);
    *store->last = &wait;
    store->last = &wait.next;
    pthread_cond_signal(&store->work);
    while (!wait.done)
        pthread_cond_wait(&store->done, &store->lock);
    pthread_mutex_unlock(&store->lock);
    if (wait.rc == EB_ECONFLICT)
        return eb_fail(err, EB_ECONFLICT,
                       "the run %s is already stored with other content: give "
                       "a new run a new run_id",
                       run->run_id);
    if (wait.rc < 0 && err != NULL)
        *err = wait.err;
    return wait.rc;
}

int eb_store_get(struct eb_store *store, const char *run_id, eb_run_row *row,
                 void *arg, struct eb_err *err)
{
    return store->ops->get(store->self, run_id, row, arg, err);
}

int eb_store_list(struct eb_store *store, const struct eb_run_query *query,
                  eb_run_row *row, void *arg, struct eb_err *err)
{
    return store->ops->list(store->self, query, row, arg, err);
}

int eb_store_count(struct eb_store *store, int64_t *n, struct eb_err *err)
{
    return store->ops->count(store->self, n, err);
}

int eb_store_check(struct eb_store *store, struct eb_err *err)
{
    int rc;

    pthread_mutex_lock(&store->lock);
    rc = store_is_broken(store, err);
    pthread_mutex_unlock(&store->lock);
    return rc;
}

const char *eb_store_name(const struct eb_store *store)
{
    return store->ops->name;
}

int eb_store_durable(const struct eb_store *store)
{
    return store->ops->durable;
}

void eb_store_close(struct eb_store *store)
{
    if (store == NULL)
        return;
    pthread_mutex_lock(&store->lock);
    store->stop = 1;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    store->ops->close(store->self);
    pthread_cond_destroy(&store->work);
    pthread_cond_destroy(&store->done);
    pthread_mutex_destroy(&store->lock);
    free(store);
}
