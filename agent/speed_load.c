/* Cold loads, and the rate over time. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/device.h"
#include "agent/speed_parts.h"
#include "common/json.h"
#include "common/mem.h"

#define LOAD_COLD_SHARE 0.02 /* of the file that may stay cached */

/* The share of the file that is in the page cache; NAN if not known. */
static double load_cached(int fd, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (size + page - 1) / page,
           hits = 0, i;
    unsigned char *v;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    int rc;

    if (map == MAP_FAILED)
        return NAN;
    v = eb_xcalloc(n, 1);
    rc = mincore(map, size, v);
    munmap(map, size);
    for (i = 0; i < n; i++)
        hits += v[i] & 1;
    free(v);
    return rc == 0 ? (double)hits / (double)n : NAN;
}

int eb_speed_drop_cache(const char *path, char reason[EB_SERIES_REASON])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    double share;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size == 0) {
        snprintf(reason, EB_SERIES_REASON, "absent: no file");
        if (fd >= 0)
            close(fd);
        return 0;
    }
    fdatasync(fd); /* dirty pages are not dropped */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    share = load_cached(fd, (size_t)st.st_size);
    close(fd);
    if (share <= LOAD_COLD_SHARE)
        return 1;
    if (isnan(share))
        snprintf(reason, EB_SERIES_REASON,
                 "unsupported: the page cache cannot be looked at");
    else
        snprintf(reason, EB_SERIES_REASON,
                 "unsupported: the page cache kept %.0f%% of the file",
                 100 * share);
    return 0;
}

/* What is under way: a window of the rate over time. */
struct sustain {
    const struct eb_speed_env *env;
    struct eb_watch *watch; /* or NULL */
    struct eb_heat_mark mark;
    struct eb_speed_cpu cpu;
    int64_t from, at, tokens; /* of the run, of the window */
};

static void sustain_begin(struct sustain *s, int64_t now)
{
    s->cpu = eb_speed_cpu_now(s->env);
    if (s->watch != NULL)
        eb_heat_mark(s->watch->heat, &s->mark);
    s->tokens = 0;
    s->at = now;
}

static void sustain_throttled(const struct sustain *s, cJSON *w)
{
    char why[160];
    int seen = -1;

    if (s->watch != NULL)
        seen = eb_heat_throttled(s->watch->heat, &s->mark, why, sizeof(why));
    if (seen < 0)
        cJSON_AddNullToObject(w, "throttled");
    else
        cJSON_AddBoolToObject(w, "throttled", seen);
    if (seen > 0)
        cJSON_AddStringToObject(w, "throttled_why", why);
}

static cJSON *sustain_window(const struct sustain *s, int64_t now)
{
    cJSON *w = cJSON_CreateObject(), *v = eb_device_conditions(s->env->sysroot);
    double celsius = eb_json_get_num(v, "temperature_c", NAN);
    double others = eb_speed_others(s->env, &s->cpu);

    cJSON_AddNumberToObject(w, "at_ns", (double)(s->at - s->from));
    cJSON_AddNumberToObject(w, "wall_ns", (double)(now - s->at));
    cJSON_AddNumberToObject(w, "tokens", (double)s->tokens);
    /* Two hundred windows need no reason each: null says it. */
    if (isnan(celsius))
        cJSON_AddNullToObject(w, "temperature_c");
    else
        cJSON_AddNumberToObject(w, "temperature_c", celsius);
    if (isnan(others))
        cJSON_AddNullToObject(w, "others_cores");
    else
        cJSON_AddNumberToObject(w, "others_cores", others);
    sustain_throttled(s, w);
    cJSON_Delete(v);
    return w;
}

/* Short runs have short windows, for the rate to have a course. */
static int64_t sustain_length(int64_t whole_ns)
{
    int64_t ns = whole_ns / 60;

    return ns < EB_SPEED_WINDOW_MIN_NS   ? EB_SPEED_WINDOW_MIN_NS
           : ns > EB_SPEED_WINDOW_MAX_NS ? EB_SPEED_WINDOW_MAX_NS
                                         : ns;
}

cJSON *eb_speed_sustain(const struct eb_speed_env *env, struct eb_watch *watch,
                        struct eb_engine *e, int64_t length_ns,
                        struct eb_err *err)
{
    static const struct eb_bench_shape shape = {0, EB_SPEED_SUSTAINED_GEN, 0,
                                                1};
    int64_t now = env->now(env->arg), window_ns = sustain_length(length_ns);
    struct sustain s = {.env = env, .watch = watch, .from = now};
    cJSON *out = cJSON_CreateObject(), *windows;
    int rc = 0;

    cJSON_AddStringToObject(out, "test", "tg16");
    cJSON_AddNumberToObject(out, "window_ns", (double)window_ns);
    windows = cJSON_AddArrayToObject(out, "windows");
    sustain_begin(&s, now);
    while (now - s.from < length_ns && rc == 0 &&
           (env->stop == NULL || !env->stop())) {
        eb_watch_tick(watch);
        rc = e->ops->bench_fill(e, &shape, err);
        if (rc == 0)
            rc = e->ops->bench(e, &shape, err);
        s.tokens += shape.n_gen;
        now = env->now(env->arg);
        if (rc != 0 || now - s.at < window_ns)
            continue;
        cJSON_AddItemToArray(windows, sustain_window(&s, now));
        sustain_begin(&s, now);
    }
    /* The rest of the time is a window if it is not much shorter. */
    if (rc == 0 && now - s.at >= window_ns / 2)
        cJSON_AddItemToArray(windows, sustain_window(&s, now));
    e->ops->clear(e);
    if (rc == 0)
        return out;
    cJSON_Delete(out);
    return NULL;
}
