#include "agent/speed_series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/stats.h"

#define SERIES_WINDOWS 20 /* of a warm-up at most */

void eb_series_free(struct eb_series *s)
{
    if (s == NULL)
        return;
    free(s->ns);
    free(s->mark);
    s->ns = NULL;
    s->mark = NULL;
    s->n = 0;
}

static int series_once(const struct eb_series_source *src, int64_t *ns,
                       struct eb_err *err)
{
    int rc;

    if (src->stop != NULL && src->stop(src->arg))
        return eb_fail(err, EB_EABORT, "stopped");
    rc = src->once(src->arg, ns, err);
    if (rc == 0 && *ns < 1)
        *ns = 1; /* a coarse clock; rates divide by it */
    return rc;
}

/* The mean of as many repeats as fill a window. */
static int series_window(const struct eb_series_source *src,
                         const struct eb_series_rule *rule, int64_t deadline_ns,
                         struct eb_series *s, double *mean, struct eb_err *err)
{
    int64_t sum = 0, ns = 0;
    size_t n = 0;
    int rc;

    do {
        rc = series_once(src, &ns, err);
        if (rc != 0)
            return rc;
        sum += ns;
        n++;
    } while (sum < rule->window_ns && src->now(src->arg) < deadline_ns);
    s->warm_repeats += n;
    *mean = (double)sum / (double)n;
    return 0;
}

int eb_series_warm(const struct eb_series_source *src,
                   const struct eb_series_rule *rule, int64_t deadline_ns,
                   struct eb_series *s, struct eb_err *err)
{
    double before = 0, now;
    int i, rc;

    for (i = 0; i < SERIES_WINDOWS; i++) {
        rc = series_window(src, rule, deadline_ns, s, &now, err);
        if (rc != 0)
            return rc;
        if (i > 0 && fabs(now - before) <= rule->within * before)
            return 0;
        before = now;
        if (src->now(src->arg) >= deadline_ns)
            break;
    }
    s->cold_passes++;
    return 0;
}

double eb_series_width(const int64_t *ns, size_t n)
{
    double *x, mean, width;
    struct eb_interval ci;
    size_t i;

    if (n < 2)
        return INFINITY;
    x = eb_xcalloc(n, sizeof(*x));
    for (i = 0; i < n; i++)
        x[i] = (double)ns[i];
    ci = eb_stats_mean_ci(x, n);
    mean = eb_stats_mean(x, n);
    width = mean > 0 ? (ci.hi - ci.lo) / 2 / mean : INFINITY;
    free(x);
    return width;
}

int eb_series_run(const struct eb_series_source *src,
                  const struct eb_series_rule *rule, int64_t deadline_ns,
                  struct eb_series *s, struct eb_err *err)
{
    size_t first = s->n;
    int rc;

    if (s->ns == NULL) {
        s->ns = eb_xcalloc(EB_SERIES_MAX, sizeof(*s->ns));
        s->mark = eb_xcalloc(EB_SERIES_MAX, sizeof(*s->mark));
    }
    if (s->n_passes < EB_SERIES_PASSES)
        s->pass[s->n_passes++] = first;
    while (s->n < EB_SERIES_MAX && s->n - first < rule->max) {
        rc = series_once(src, &s->ns[s->n], err);
        if (rc != 0)
            return rc;
        if (src->mark != NULL)
            s->mark[s->n] = (signed char)src->mark(src->arg);
        s->n++;
        if (s->n - first >= rule->min &&
            eb_series_width(s->ns, s->n) <= rule->within)
            break;
        /* Two repeats give a spread to show, even where time is up. */
        if (s->n - first >= 2 && src->now(src->arg) >= deadline_ns)
            break;
    }
    return 0;
}

static double series_mean(const struct eb_series *s, size_t from, size_t to)
{
    double sum = 0;
    size_t i;

    for (i = from; i < to; i++)
        sum += (double)s->ns[i];
    return sum / (double)(to - from);
}

/* Passes and halves may each be narrow and still differ: then the device
 * changed in between, and one mean stands for neither. Twice the wanted width
 * is allowed, and what chance makes of few repeats. */
static int series_moved(const struct eb_series *s,
                        const struct eb_series_rule *rule, size_t cut,
                        double *by)
{
    double a = series_mean(s, 0, cut), b = series_mean(s, cut, s->n);
    double chance = hypot(eb_series_width(s->ns, cut) * a,
                          eb_series_width(s->ns + cut, s->n - cut) * b);

    *by = b / a - 1;
    return fabs(b - a) > 2 * rule->within * a && fabs(b - a) > chance;
}

int eb_series_judge(const struct eb_series *s,
                    const struct eb_series_rule *rule,
                    char reason[EB_SERIES_REASON])
{
    double width = eb_series_width(s->ns, s->n), by;
    size_t i;

    if (s->n < rule->min) {
        snprintf(reason, EB_SERIES_REASON,
                 "only %zu repeats fitted into the budget, %zu are needed",
                 s->n, rule->min);
        return 0;
    }
    for (i = 1; i < s->n_passes; i++) {
        if (s->pass[i] >= s->n || !series_moved(s, rule, s->pass[i], &by))
            continue;
        snprintf(reason, EB_SERIES_REASON,
                 "pass %zu took %+.1f%% of the time before it", i + 1,
                 100 * by);
        return 0;
    }
    if (s->n >= 2 * rule->min && s->n_passes < 2 &&
        series_moved(s, rule, s->n / 2, &by)) {
        snprintf(reason, EB_SERIES_REASON,
                 "the second half of the repeats took %+.1f%% of the time of "
                 "the first",
                 100 * by);
        return 0;
    }
    if (width > rule->within) {
        snprintf(reason, EB_SERIES_REASON,
                 "the interval is %.1f%% of the mean to each side after %zu "
                 "repeats, wanted %.1f%%",
                 100 * width, s->n, 100 * rule->within);
        return 0;
    }
    reason[0] = '\0';
    return 1;
}
