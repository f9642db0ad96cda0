#include "agent/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/sampler_parts.h"
#include "common/clock.h"
#include "common/mem.h"

#define SAMPLER_MS INT64_C(1000000)
#define SAMPLER_GAP_POLLS 5 /* longer without a reading is a gap */
#define SAMPLER_BURST 64    /* readings a meter may hand over at once */
#define SAMPLER_TRACE_MS 1000
#define SAMPLER_RATE_MAX_HZ 1000

static int64_t sampler_now(const struct eb_sampler *s)
{
    int64_t now =
        s->set.clock != NULL ? s->set.clock(s->set.clock_arg) : eb_clock_ns();

    return now - s->start_ns;
}

/* The next moment: on the grid of the period, up to half of one later. */
static void sampler_plan(struct eb_sampler *s, struct sampler_state *st,
                         int64_t now_ns)
{
    st->base_ns += st->poll_ns;
    if (st->base_ns < now_ns)
        st->base_ns = now_ns; /* late: no use in catching up */
    s->random = s->random * UINT64_C(6364136223846793005) +
                UINT64_C(1442695040888963407);
    st->next_ns = st->base_ns +
                  (int64_t)((s->random >> 33) % (uint64_t)(st->poll_ns / 2));
}

static void sampler_read(struct eb_sampler *s, size_t k)
{
    struct sampler_state *st = &s->sensors[k];
    struct eb_power_dev *dev = st->source.dev;
    int64_t before, after, t;
    int rc, i;

    for (i = 0; i < SAMPLER_BURST; i++) {
        struct eb_power_reading r = {0};

        before = sampler_now(s);
        rc = dev->ops->read(dev, st->source.index, &r);
        after = sampler_now(s);
        pthread_mutex_lock(&s->lock);
        st->read_ns = before;
        if (rc != 1) {
            st->reads++;
            st->cost_ns += after - before;
            if (after - before > st->cost_max_ns)
                st->cost_max_ns = after - before;
        }
        t = r.at_ns != 0 ? r.at_ns - s->start_ns
                         : before + (after - before) / 2;
        if (rc < 0)
            sampler_failed(s, k, t, rc);
        else if (rc == 0 && r.at_ns == 0 && after - before > st->gap_limit_ns)
            sampler_failed(s, k, t, EB_ELIMIT); /* when was it so? */
        else if (rc == 0)
            sampler_reading(s, k, t, r.value);
        pthread_mutex_unlock(&s->lock);
        if (rc != 0 || r.at_ns == 0)
            break;
    }
}

static void sampler_round(struct eb_sampler *s, int kick)
{
    size_t k;

    for (k = 0; k < s->n; k++) {
        struct sampler_state *st = &s->sensors[k];
        int64_t now = sampler_now(s);

        if (now >= st->next_ns) {
            sampler_read(s, k);
            sampler_plan(s, st, now);
        } else if (kick && st->sensor->poll_ms <= 0 &&
                   now - st->read_ns > st->poll_ns / 4) {
            sampler_read(s, k); /* close to the edge of a window */
        }
    }
}

void eb_sampler_tick(struct eb_sampler *s)
{
    sampler_round(s, 0);
}

int64_t eb_sampler_next_ns(const struct eb_sampler *s)
{
    int64_t next = INT64_MAX;
    size_t k;

    for (k = 0; k < s->n; k++) {
        if (s->sensors[k].next_ns < next)
            next = s->sensors[k].next_ns;
    }
    return s->n > 0 ? next + s->start_ns : INT64_MAX;
}

static struct timespec sampler_timespec(int64_t ns)
{
    struct timespec ts = {ns / 1000000000, ns % 1000000000};

    return ts;
}

static void *sampler_thread(void *arg)
{
    struct eb_sampler *s = arg;
    struct timespec until;
    int kick;

    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        until = sampler_timespec(eb_sampler_next_ns(s));
        if (!s->kick && sampler_now(s) < eb_sampler_next_ns(s) - s->start_ns)
            pthread_cond_timedwait(&s->wake, &s->lock, &until);
        if (s->stop)
            break;
        kick = s->kick;
        s->kick = 0;
        pthread_mutex_unlock(&s->lock);
        sampler_round(s, kick);
        pthread_mutex_lock(&s->lock);
        pthread_cond_broadcast(&s->done);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void sampler_sensor(struct eb_sampler *s, size_t k,
                           const struct eb_sampler_source *source)
{
    struct sampler_state *st = &s->sensors[k];
    double poll_ms = 1000 / s->set.rate_hz, limit_ms;

    st->source = *source;
    st->sensor = &source->dev->sensors[source->index];
    if (st->sensor->poll_ms > poll_ms)
        poll_ms = st->sensor->poll_ms;
    st->poll_ns = (int64_t)(poll_ms * 1e6);
    st->resolution_ns = st->poll_ns;
    /* Asked often, so that nothing waits; it has something to say less. */
    if (st->sensor->pushed)
        st->poll_ns = (int64_t)(1e9 / s->set.rate_hz);
    if (st->sensor->step_ms > poll_ms)
        st->resolution_ns = (int64_t)(st->sensor->step_ms * 1e6);
    /* A gauge answers at every poll, whatever its step. */
    limit_ms = st->sensor->kind == EB_POWER_GAUGE
                   ? poll_ms
                   : (double)st->resolution_ns / 1e6;
    st->gap_limit_ns = (int64_t)(SAMPLER_GAP_POLLS * limit_ms * 1e6);
}

static void sampler_locks(struct eb_sampler *s)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, &attr);
    pthread_cond_init(&s->done, &attr);
    pthread_condattr_destroy(&attr);
}

int eb_sampler_open(const struct eb_sampler_source *sources, size_t n,
                    const struct eb_sampler_settings *set,
                    struct eb_sampler **out, struct eb_err *err)
{
    struct eb_sampler *s;
    size_t k;
    int rc;

    if (!(set->rate_hz > 0 && set->rate_hz <= SAMPLER_RATE_MAX_HZ))
        return eb_fail(err, EB_EINVAL, "the sampler's rate must be 0 to %d Hz",
                       SAMPLER_RATE_MAX_HZ);
    if (n > EB_SAMPLER_SENSORS_MAX)
        return eb_fail(err, EB_ELIMIT, "more than %d sensors",
                       EB_SAMPLER_SENSORS_MAX);
    s = eb_xcalloc(1, sizeof(*s));
    s->set = *set;
    s->n = n;
    s->random = 1;
    s->sensors = eb_xcalloc(n + 1, sizeof(*s->sensors));
    s->windows = eb_xcalloc(EB_SAMPLER_WINDOWS_MAX, sizeof(*s->windows));
    s->cells = eb_xcalloc(EB_SAMPLER_WINDOWS_MAX * (n + 1), sizeof(*s->cells));
    s->trace_bin_ns = SAMPLER_TRACE_MS * SAMPLER_MS;
    s->start_ns = sampler_now(s);
    for (k = 0; k < n; k++)
        sampler_sensor(s, k, &sources[k]);
    sampler_locks(s);
    *out = s;
    if (set->clock != NULL || n == 0)
        return 0;
    rc = pthread_create(&s->thread, NULL, sampler_thread, s);
    if (rc != 0) {
        eb_sampler_close(s);
        *out = NULL;
        return eb_fail(err, EB_EINTERNAL, "the sampler's thread: %s",
                       strerror(rc));
    }
    s->threaded = 1;
    return 0;
}

void eb_sampler_close(struct eb_sampler *s)
{
    if (s == NULL)
        return;
    if (s->threaded) {
        pthread_mutex_lock(&s->lock);
        s->stop = 1;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->done);
    free(s->sensors);
    free(s->windows);
    free(s->cells);
    free(s);
}

/* Windows */

void eb_sampler_begin(struct eb_sampler *s, const char *name, const char *level,
                      const char *lang)
{
    struct eb_sampler_window *w;
    size_t k;

    pthread_mutex_lock(&s->lock);
    if (s->depth == EB_SAMPLER_DEPTH_MAX ||
        s->n_windows == EB_SAMPLER_WINDOWS_MAX || s->too_deep > 0) {
        s->too_deep++; /* its end is not that of another */
        s->left_out++;
        pthread_mutex_unlock(&s->lock);
        return;
    }
    for (k = 0; k < s->n; k++) {
        memset(sampler_cell(s, s->n_windows, k), 0,
               sizeof(struct sampler_cell));
        sampler_cell(s, s->n_windows, k)->max_w = -1;
    }
    s->stack[s->depth++] = s->n_windows;
    w = &s->windows[s->n_windows];
    memset(w, 0, sizeof(*w));
    snprintf(w->name, sizeof(w->name), "%s", name);
    snprintf(w->level, sizeof(w->level), "%s", level != NULL ? level : "");
    snprintf(w->lang, sizeof(w->lang), "%s", lang != NULL ? lang : "");
    w->items = w->tokens = -1;
    w->to_ns = SAMPLER_OPEN;
    w->from_ns = sampler_now(s);
    s->n_windows++;
    s->kick = 1;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void eb_sampler_end(struct eb_sampler *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->too_deep > 0) {
        s->too_deep--;
    } else if (s->depth > 0) {
        s->windows[s->stack[--s->depth]].to_ns = sampler_now(s);
        s->kick = 1;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
}

void eb_sampler_count(struct eb_sampler *s, int64_t items, int64_t tokens)
{
    pthread_mutex_lock(&s->lock);
    if (s->too_deep == 0 && s->depth > 0) {
        s->windows[s->stack[s->depth - 1]].items = items;
        s->windows[s->stack[s->depth - 1]].tokens = tokens;
    }
    pthread_mutex_unlock(&s->lock);
}

void eb_sampler_reset(struct eb_sampler *s)
{
    size_t k;

    pthread_mutex_lock(&s->lock);
    s->n_windows = s->left_out = s->depth = s->too_deep = 0;
    s->trace_from_ns = sampler_now(s);
    s->trace_bin_ns = SAMPLER_TRACE_MS * SAMPLER_MS;
    for (k = 0; k < s->n; k++) {
        memset(s->sensors[k].trace_j, 0, sizeof(s->sensors[k].trace_j));
        memset(s->sensors[k].trace_ns, 0, sizeof(s->sensors[k].trace_ns));
    }
    pthread_mutex_unlock(&s->lock);
}

/* Are all sensors past the last window? */
static int sampler_settled(const struct eb_sampler *s)
{
    int64_t last = 0;
    size_t i, k;

    for (i = 0; i < s->n_windows; i++) {
        if (s->windows[i].to_ns != SAMPLER_OPEN && s->windows[i].to_ns > last)
            last = s->windows[i].to_ns;
    }
    for (k = 0; k < s->n; k++) {
        if (s->sensors[k].value_ns < last)
            return 0;
    }
    return 1;
}

void eb_sampler_settle(struct eb_sampler *s, int64_t max_ms)
{
    int64_t limit = 0;
    struct timespec until;
    size_t k;

    for (k = 0; k < s->n; k++) {
        if (s->sensors[k].gap_limit_ns > limit)
            limit = s->sensors[k].gap_limit_ns;
    }
    if (limit > max_ms * SAMPLER_MS)
        limit = max_ms * SAMPLER_MS;
    until = sampler_timespec(eb_clock_ns() + limit);
    pthread_mutex_lock(&s->lock);
    while (s->threaded && !sampler_settled(s)) {
        if (pthread_cond_timedwait(&s->done, &s->lock, &until) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&s->lock);
}

size_t eb_sampler_windows(const struct eb_sampler *s)
{
    return s->n_windows;
}

size_t eb_sampler_left_out(const struct eb_sampler *s)
{
    return s->left_out;
}

const struct eb_sampler_window *eb_sampler_window(const struct eb_sampler *s,
                                                  size_t window)
{
    return &s->windows[window];
}

void eb_sampler_reads(struct eb_sampler *s, size_t sensor,
                      struct eb_sampler_reads *out)
{
    const struct sampler_state *st = &s->sensors[sensor];

    pthread_mutex_lock(&s->lock);
    out->n = st->reads;
    out->failed = st->failed;
    out->mean_us =
        st->reads > 0 ? (double)st->cost_ns / 1e3 / (double)st->reads : 0;
    out->max_us = (double)st->cost_max_ns / 1e3;
    pthread_mutex_unlock(&s->lock);
}

double eb_sampler_period_ms(const struct eb_sampler *s, size_t sensor)
{
    const struct sampler_state *st = &s->sensors[sensor];

    return st->sensor->pushed ? st->sensor->poll_ms : (double)st->poll_ns / 1e6;
}

int64_t eb_sampler_cpu_ns(struct eb_sampler *s)
{
    struct timespec ts;
    clockid_t id;

    if (!s->threaded || pthread_getcpuclockid(s->thread, &id) != 0 ||
        clock_gettime(id, &ts) != 0)
        return -1;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
