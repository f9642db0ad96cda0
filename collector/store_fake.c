#include "collector/store_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct fake {
    pthread_mutex_t lock;
    struct eb_run *v; /* in order of arrival, with strings of its own */
    size_t n;
    size_t cap;
    size_t max;
};

static int fake_open(const char *place, const struct eb_store_options *options,
                     void **self, struct eb_err *err)
{
    static const char prefix[] = "memory:";
    const char *max = place + sizeof(prefix) - 1;
    struct fake *f;

    (void)options;
    if (strncmp(place, prefix, sizeof(prefix) - 1) != 0)
        return eb_fail(err, EB_ENODEV, "%s: not memory:", place);
    if (max[strspn(max, "0123456789")] != '\0' || strlen(max) > 9)
        return eb_fail(err, EB_EINVAL,
                       "%s: expected memory: and a number of runs or nothing",
                       place);
    f = eb_xcalloc(1, sizeof(*f));
    f->max = *max != '\0' ? (size_t)atoi(max) : SIZE_MAX;
    pthread_mutex_init(&f->lock, NULL);
    *self = f;
    return 0;
}

static void fake_copy(struct eb_run *to, const struct eb_run *from)
{
    char *posted = eb_xmalloc(from->posted_len + 1);

    memcpy(posted, from->posted, from->posted_len);
    *to = *from;
    to->run_id = eb_xstrdup(from->run_id);
    to->session_id = eb_xstrdup(from->session_id);
    to->sha256 = eb_xstrdup(from->sha256);
    to->suite = eb_xstrdup(from->suite);
    to->model = eb_xstrdup(from->model);
    to->device_id = eb_xstrdup(from->device_id);
    to->device_name = eb_xstrdup(from->device_name);
    to->brief = eb_xstrdup(from->brief);
    to->posted = posted;
}

static void fake_drop(struct eb_run *r)
{
    free((char *)r->run_id);
    free((char *)r->session_id);
    free((char *)r->sha256);
    free((char *)r->suite);
    free((char *)r->model);
    free((char *)r->device_id);
    free((char *)r->device_name);
    free((char *)r->brief);
    free((char *)r->posted);
}

/* The place of a run; f->n if it is not there. */
static size_t fake_find(const struct fake *f, const char *run_id)
{
    size_t i;

    for (i = 0; i < f->n; i++) {
        if (strcmp(f->v[i].run_id, run_id) == 0)
            break;
    }
    return i;
}

static int fake_put(void *self, const struct eb_run *const *runs, size_t n,
                    int *results, struct eb_err *err)
{
    struct fake *f = self;
    size_t i, at, before;
    int rc = 0;

    pthread_mutex_lock(&f->lock);
    before = f->n;
    for (i = 0; i < n && rc == 0; i++) {
        at = fake_find(f, runs[i]->run_id);
        if (at < f->n) {
            results[i] = strcmp(f->v[at].sha256, runs[i]->sha256) == 0
                             ? EB_PUT_SAME
                             : EB_ECONFLICT;
            continue;
        }
        if (f->n == f->max) {
            rc = eb_fail(err, EB_ENOSPC, "memory: holds %zu runs at most",
                         f->max);
            break;
        }
        if (f->n == f->cap) {
            f->cap = f->cap > 0 ? 2 * f->cap : 16;
            f->v = eb_xrealloc(f->v, f->cap, sizeof(*f->v));
        }
        fake_copy(&f->v[f->n++], runs[i]);
        results[i] = EB_PUT_STORED;
    }
    while (rc != 0 && f->n > before)
        fake_drop(&f->v[--f->n]);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static int fake_tidy(void *self, int idle, struct eb_err *err)
{
    (void)self;
    (void)idle;
    (void)err;
    return 0;
}

static int fake_get(void *self, const char *run_id, eb_run_row *row, void *arg,
                    struct eb_err *err)
{
    struct fake *f = self;
    size_t at;
    int rc;

    pthread_mutex_lock(&f->lock);
    at = fake_find(f, run_id);
    rc = at < f->n ? row(arg, &f->v[at])
                   : eb_fail(err, EB_ENOENT, "no run %s", run_id);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static int fake_is(const char *wanted, const char *value)
{
    return wanted == NULL || strcmp(wanted, value) == 0;
}

static int fake_list(void *self, const struct eb_run_query *q, eb_run_row *row,
                     void *arg, struct eb_err *err)
{
    struct fake *f = self;
    int rc = 0, left = q->limit;
    size_t i;

    pthread_mutex_lock(&f->lock);
    i = f->n;
    if (q->after != NULL) {
        i = fake_find(f, q->after);
        if (i == f->n)
            rc = eb_fail(err, EB_ENOENT, "no run %s", q->after);
    }
    while (rc == 0 && left > 0 && i-- > 0) {
        struct eb_run r = f->v[i];

        r.posted = NULL;
        r.posted_len = 0;
        if (!fake_is(q->suite, r.suite) || !fake_is(q->model, r.model) ||
            !fake_is(q->session, r.session_id) ||
            (!fake_is(q->device, r.device_id) &&
             !fake_is(q->device, r.device_name)))
            continue;
        rc = row(arg, &r);
        left--;
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static int fake_count(void *self, int64_t *n, struct eb_err *err)
{
    struct fake *f = self;

    (void)err;
    pthread_mutex_lock(&f->lock);
    *n = (int64_t)f->n;
    pthread_mutex_unlock(&f->lock);
    return 0;
}

static void fake_close(void *self)
{
    struct fake *f = self;

    while (f->n > 0)
        fake_drop(&f->v[--f->n]);
    free(f->v);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

const struct eb_store_ops eb_store_fake = {.name = "memory",
                                           .durable = 0,
                                           .open = fake_open,
                                           .put = fake_put,
                                           .tidy = fake_tidy,
                                           .get = fake_get,
                                           .list = fake_list,
                                           .count = fake_count,
                                           .close = fake_close};
