#include "agent/triad.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "agent/device_place.h"
#include "agent/sysfs.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/stats.h"

#define TRIAD_TIME_NS INT64_C(1000000000)
#define TRIAD_OVER_CACHE 4
#define TRIAD_CACHE_GUESS (32.0 * 1048576) /* where no cache is told */
#define TRIAD_REPEATS_MIN 3
#define TRIAD_STEP_BYTES 24.0
#define TRIAD_PATIENCE 2 /* times the time, on top of it, on a busy machine */
#define TRIAD_FILL_STEP 65536 /* doubles between looks at the clock */

/* What the threads share. */
struct triad {
    double *a, *b, *c;
    size_t n;      /* of each array, for all threads */
    size_t slice;  /* of each array, for one thread; it uses the first filled */
    size_t filled; /* the fewest of all threads, under the lock */
    size_t least;  /* what each must fill at least */
    struct eb_places places;
    int threads;
    pthread_mutex_t lock;
    pthread_cond_t told;
    int go; /* 0: wait until all threads are there, 1: go, -1: leave */
    pthread_barrier_t gate;
    int64_t deadline_ns;
    int64_t time_ns;
    int over; /* written by thread 0 between two gates */
    struct eb_triad *out;
};

struct triad_thread {
    struct triad *shared;
    pthread_t thread;
    int index;
    int pinned;
    int64_t wall_ns; /* of its passes, and how long it really ran */
    int64_t cpu_ns;
};

static int triad_pin(int cpu)
{
    cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
    size_t size = CPU_ALLOC_SIZE((size_t)cpu + 1);
    int rc;

    if (set == NULL)
        return 0;
    CPU_ZERO_S(size, set);
    CPU_SET_S((size_t)cpu, size, set);
    rc = pthread_setaffinity_np(pthread_self(), size, set);
    CPU_FREE(set);
    return rc == 0;
}

static void triad_pass(double *restrict a, const double *restrict b,
                       const double *restrict c, double s, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        a[i] = b[i] + s * c[i];
}

/* The pages of an array lie by the core that first writes them. Where new
 * pages are slow (a virtual machine that grows), the arrays end when the time
 * is over: above the size of the cache after one time, at last after three. */
static void triad_fill(struct triad *t, size_t from)
{
    int64_t end = eb_clock_ns() + t->time_ns;
    int64_t last = end + TRIAD_PATIENCE * t->time_ns;
    size_t n, i;

    for (n = 0; n < t->slice; n += TRIAD_FILL_STEP) {
        if (n > 0 && eb_clock_ns() > (n >= t->least ? end : last))
            break;
        for (i = from + n; i < from + n + TRIAD_FILL_STEP; i++) {
            t->a[i] = 0;
            t->b[i] = 1;
            t->c[i] = 2;
        }
    }
    pthread_mutex_lock(&t->lock);
    if (n < t->filled)
        t->filled = n;
    pthread_mutex_unlock(&t->lock);
}

static void triad_timed(struct triad *t, int64_t from, int64_t to)
{
    struct eb_triad *o = t->out;

    /* The first pass warms up: it is not kept. */
    if (o->repeats >= 0)
        o->gbps[o->repeats] = (double)t->filled * t->threads *
                              TRIAD_STEP_BYTES / (double)(to - from);
    o->repeats++;
    t->over =
        o->repeats == EB_TRIAD_REPEATS_MAX ||
        (to >= t->deadline_ns && o->repeats >= TRIAD_REPEATS_MIN) ||
        (to >= t->deadline_ns + TRIAD_PATIENCE * t->time_ns && o->repeats > 0);
}

/* A barrier cannot be left when a later thread fails to start; this can. */
static int triad_wait(struct triad *t)
{
    int go;

    pthread_mutex_lock(&t->lock);
    while (t->go == 0)
        pthread_cond_wait(&t->told, &t->lock);
    go = t->go;
    pthread_mutex_unlock(&t->lock);
    return go;
}

static void triad_tell(struct triad *t, int go)
{
    pthread_mutex_lock(&t->lock);
    t->go = go;
    pthread_cond_broadcast(&t->told);
    pthread_mutex_unlock(&t->lock);
}

static int64_t triad_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void triad_own_pass(struct triad_thread *me, size_t from)
{
    struct triad *t = me->shared;
    int64_t wall = eb_clock_ns(), cpu = triad_cpu_ns();

    triad_pass(t->a + from, t->b + from, t->c + from, 3.0, t->filled);
    me->cpu_ns += triad_cpu_ns() - cpu;
    me->wall_ns += eb_clock_ns() - wall;
}

static void *triad_thread(void *arg)
{
    struct triad_thread *me = arg;
    struct triad *t = me->shared;
    size_t from = t->slice * (size_t)me->index;
    int64_t at = 0;

    if (triad_wait(t) < 0)
        return NULL;
    me->pinned = triad_pin(t->places.cpu[me->index % t->places.n]);
    triad_fill(t, from);
    pthread_barrier_wait(&t->gate);
    if (me->index == 0)
        t->deadline_ns = eb_clock_ns() + t->time_ns;
    do {
        pthread_barrier_wait(&t->gate);
        if (me->index == 0)
            at = eb_clock_ns();
        triad_own_pass(me, from);
        pthread_barrier_wait(&t->gate);
        if (me->index == 0)
            triad_timed(t, at, eb_clock_ns());
        pthread_barrier_wait(&t->gate);
    } while (!t->over);
    return NULL;
}

/* What three arrays may take: a quarter of what is available, and of what the
 * control group has. */
static double triad_memory_bytes(void)
{
    static const char *const limits[] = {
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    char text[4096];
    double bytes = -1, v;
    size_t i;

    if (eb_sysfs_text("", "/proc/meminfo", text, sizeof(text)) == NULL)
        bytes = eb_sysfs_key(text, "MemAvailable") * 1024;
    if (bytes <= 0)
        bytes = 1024.0 * 1048576;
    for (i = 0; i < 2; i++) {
        if (eb_sysfs_num("", limits[i], &v) == NULL && v > 0 && v < bytes)
            bytes = v;
    }
    return bytes / 4;
}

static int triad_size(const struct eb_triad_opts *opts, struct triad *t,
                      struct eb_err *err)
{
    double cache = t->places.last_cache_bytes, array, most;

    most = opts->memory_bytes > 0 ? opts->memory_bytes : triad_memory_bytes();
    array = TRIAD_OVER_CACHE * (cache > 0 ? cache : TRIAD_CACHE_GUESS);
    if (array > most / 3)
        array = most / 3;
    if (cache > 0 && array < cache)
        return eb_fail(err, EB_ELIMIT,
                       "%.0f MiB for three arrays: smaller than the last "
                       "cache of %.0f MiB",
                       most / 1048576, cache / 1048576);
    if (opts->array_bytes > 0)
        array = opts->array_bytes;
    t->slice = (size_t)(array / sizeof(double) / t->threads) / TRIAD_FILL_STEP *
               TRIAD_FILL_STEP;
    if (t->slice == 0)
        return eb_fail(err, EB_ELIMIT, "too little memory for triad");
    t->n = t->slice * (size_t)t->threads;
    t->filled = t->slice;
    t->least = cache > 0 ? (size_t)(cache / sizeof(double) / t->threads) : 0;
    return 0;
}

static double *triad_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(p, bytes, MADV_HUGEPAGE); /* filling is faster; else no matter */
#endif
    return p;
}

static int triad_threads(struct triad *t, struct eb_err *err)
{
    struct triad_thread *th = eb_xcalloc((size_t)t->threads, sizeof(*th));
    double wall = 0, cpu = 0;
    int i, started = 0;

    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->told, NULL);
    pthread_barrier_init(&t->gate, NULL, (unsigned)t->threads);
    for (i = 0; i < t->threads; i++) {
        th[i] = (struct triad_thread){.shared = t, .index = i};
        if (pthread_create(&th[i].thread, NULL, triad_thread, &th[i]) != 0)
            break;
        started++;
    }
    triad_tell(t, started == t->threads ? 1 : -1);
    for (i = 0; i < started; i++) {
        pthread_join(th[i].thread, NULL);
        t->out->pinned += th[i].pinned;
        wall += (double)th[i].wall_ns;
        cpu += (double)th[i].cpu_ns;
    }
    t->out->cpu_share = wall > 0 ? cpu / wall : 0;
    pthread_barrier_destroy(&t->gate);
    pthread_cond_destroy(&t->told);
    pthread_mutex_destroy(&t->lock);
    free(th);
    if (started < t->threads)
        return eb_fail(err, EB_ELIMIT, "cannot start %d threads", t->threads);
    return 0;
}

static int triad_check(const struct triad *t, struct eb_err *err)
{
    int i;

    for (i = 0; i < t->threads; i++) {
        const double *a = t->a + t->slice * (size_t)i;

        if (a[0] != 7.0 || a[t->filled - 1] != 7.0)
            return eb_fail(err, EB_EINTERNAL, "triad: wrong sum");
    }
    t->out->array_bytes =
        (double)t->filled * t->threads * (double)sizeof(double);
    return 0;
}

int eb_triad_measure(const struct eb_triad_opts *opts, struct eb_triad *out,
                     struct eb_err *err)
{
    struct triad *t = eb_xcalloc(1, sizeof(*t));
    int64_t from = eb_clock_ns();
    size_t bytes;
    int rc, i;

    *out = (struct eb_triad){.repeats = -1};
    t->out = out;
    t->time_ns = opts->time_ns > 0 ? opts->time_ns : TRIAD_TIME_NS;
    eb_device_places(&t->places);
    t->threads = opts->threads > 0 ? opts->threads : t->places.n;
    out->threads = t->threads;
    out->last_cache_bytes = t->places.last_cache_bytes;
    rc = triad_size(opts, t, err);
    bytes = t->n * sizeof(double);
    if (rc == 0) {
        t->a = triad_map(bytes);
        t->b = triad_map(bytes);
        t->c = triad_map(bytes);
        if (t->a == NULL || t->b == NULL || t->c == NULL)
            rc = eb_fail(err, EB_ELIMIT, "no memory for triad");
    }
    if (rc == 0)
        rc = triad_threads(t, err);
    if (rc == 0)
        rc = triad_check(t, err);
    if (t->a != NULL)
        munmap(t->a, bytes);
    if (t->b != NULL)
        munmap(t->b, bytes);
    if (t->c != NULL)
        munmap(t->c, bytes);
    free(t);
    if (rc != 0)
        return rc;
    for (i = 0; i < out->repeats; i++) {
        if (out->gbps[i] > out->best_gbps)
            out->best_gbps = out->gbps[i];
    }
    out->median_gbps = eb_stats_percentile(out->gbps, (size_t)out->repeats, 50);
    out->wall_ns = eb_clock_ns() - from;
    return 0;
}

/* A build that checks every access measures its checks. */
const char *eb_triad_why(const struct eb_triad *t)
{
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
    (void)t;
    return "unsupported: not an optimised build";
#else
    if (t->array_bytes < t->last_cache_bytes)
        return "out of range: arrays smaller than the cache";
    return NULL;
#endif
}

/* Of the passes: the best less the worst, over the median. */
static double triad_spread(const struct eb_triad *t)
{
    double worst = t->best_gbps;
    int i;

    for (i = 0; i < t->repeats; i++) {
        if (t->gbps[i] < worst)
            worst = t->gbps[i];
    }
    return t->median_gbps > 0 ? (t->best_gbps - worst) / t->median_gbps : 0;
}

void eb_triad_record(const struct eb_triad *t, const char *reason, cJSON *out)
{
    const char *why;
    cJSON *v, *rows;
    int i;

    if (t == NULL) {
        eb_json_add_null(out, "triad", reason);
        return;
    }
    why = eb_triad_why(t);
    v = cJSON_AddObjectToObject(out, "triad");
    if (why == NULL) {
        cJSON_AddNumberToObject(v, "best_gbps", t->best_gbps);
        cJSON_AddNumberToObject(v, "median_gbps", t->median_gbps);
    } else {
        eb_json_add_null(v, "best_gbps", why);
        eb_json_add_null(v, "median_gbps", why);
    }
    cJSON_AddNumberToObject(v, "repeats", t->repeats);
    cJSON_AddNumberToObject(v, "spread", triad_spread(t));
    cJSON_AddNumberToObject(v, "cpu_share", t->cpu_share);
    cJSON_AddNumberToObject(v, "threads", t->threads);
    cJSON_AddNumberToObject(v, "pinned", t->pinned);
    cJSON_AddNumberToObject(v, "array_bytes", t->array_bytes);
    if (t->last_cache_bytes > 0) {
        cJSON_AddNumberToObject(v, "last_cache_bytes", t->last_cache_bytes);
        /* Below 4 some of it is the bandwidth of the cache. */
        cJSON_AddNumberToObject(v, "over_cache",
                                t->array_bytes / t->last_cache_bytes);
    } else {
        eb_json_add_null(v, "last_cache_bytes", "absent");
    }
    cJSON_AddNumberToObject(v, "wall_ns", (double)t->wall_ns);
    rows = cJSON_AddArrayToObject(v, "samples_gbps");
    for (i = 0; i < t->repeats; i++)
        cJSON_AddItemToArray(rows, cJSON_CreateNumber(t->gbps[i]));
}
