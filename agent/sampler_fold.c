/* From readings to joules of windows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/sampler_parts.h"

/* So many readings in a row that cannot be: then the sensor has been reset
 * and counts from there; fewer were garbage. */
#define FOLD_REJECTS_MAX 3
/* A counter that says the same so often and for so many resolutions stands
 * still; the time of day of a busy thread alone does not. */
#define FOLD_STILL 3
/* Spans over which the largest power of a counter is taken, in resolutions:
 * a step seen a poll too late would double it. */
#define FOLD_BURST 5

/* A turn of a counter is believed if the power is at most so many times what it
 * was, and some. */
#define FOLD_TURN_TIMES 2
#define FOLD_TURN_W 20

/* What is known between two readings: power from wa to wb. */
struct fold_part {
    int64_t a_ns, b_ns;
    double wa, wb;
    int bridged; /* no reading in between for long: only as a whole */
};

static double fold_watts(const struct fold_part *p, int64_t t_ns)
{
    return p->wa + (p->wb - p->wa) * (double)(t_ns - p->a_ns) /
                       (double)(p->b_ns - p->a_ns);
}

/* The part of [a, b) in the window; 0 if none. */
static int fold_clip(const struct eb_sampler_window *w, int64_t *a, int64_t *b)
{
    if (w->from_ns > *a)
        *a = w->from_ns;
    if (w->to_ns < *b)
        *b = w->to_ns;
    return *b > *a;
}

static void fold_trace(struct eb_sampler *s, struct sampler_state *st,
                       const struct fold_part *p)
{
    int64_t a = p->a_ns - s->trace_from_ns, b = p->b_ns - s->trace_from_ns;
    size_t k, i, n = EB_SAMPLER_TRACE_MAX;

    if (a < 0)
        return;
    /* Full: pairs become one, spans double. */
    while (b > (int64_t)n * s->trace_bin_ns) {
        for (k = 0; k < s->n; k++) {
            struct sampler_state *o = &s->sensors[k];

            for (i = 0; i < n / 2; i++) {
                o->trace_j[i] = o->trace_j[2 * i] + o->trace_j[2 * i + 1];
                o->trace_ns[i] = o->trace_ns[2 * i] + o->trace_ns[2 * i + 1];
            }
            memset(&o->trace_j[n / 2], 0, n / 2 * sizeof(*o->trace_j));
            memset(&o->trace_ns[n / 2], 0, n / 2 * sizeof(*o->trace_ns));
        }
        s->trace_bin_ns *= 2;
    }
    while (a < b) {
        int64_t bin = a / s->trace_bin_ns;
        int64_t end =
            (bin + 1) * s->trace_bin_ns < b ? (bin + 1) * s->trace_bin_ns : b;

        st->trace_j[bin] += (fold_watts(p, a + s->trace_from_ns) +
                             fold_watts(p, end + s->trace_from_ns)) /
                            2 * (double)(end - a) / 1e9;
        st->trace_ns[bin] += end - a;
        a = end;
    }
}

static void fold_add(struct eb_sampler *s, size_t k, const struct fold_part *p)
{
    struct sampler_state *st = &s->sensors[k];
    size_t i;

    for (i = 0; i < s->n_windows; i++) {
        struct sampler_cell *c = sampler_cell(s, i, k);
        int64_t a = p->a_ns, b = p->b_ns;
        double wa, wb;

        if (!fold_clip(&s->windows[i], &a, &b))
            continue;
        if (p->bridged && (a != p->a_ns || b != p->b_ns))
            continue;
        wa = fold_watts(p, a);
        wb = fold_watts(p, b);
        c->joules += (wa + wb) / 2 * (double)(b - a) / 1e9;
        c->covered_ns += b - a;
        if (st->sensor->kind == EB_POWER_GAUGE)
            c->max_w = fmax(c->max_w, fmax(wa, wb));
    }
    fold_trace(s, st, p);
}

/* The largest power of a counter, for windows that hold the whole span. */
static void fold_burst(struct eb_sampler *s, size_t k,
                       const struct fold_part *p)
{
    struct sampler_state *st = &s->sensors[k];
    size_t i;

    if (st->burst_ns == 0 || st->burst_from_ns + st->burst_ns != p->a_ns) {
        st->burst_from_ns = p->a_ns;
        st->burst_ns = 0;
        st->burst_j = 0;
    }
    st->burst_ns += p->b_ns - p->a_ns;
    st->burst_j += p->wa * (double)(p->b_ns - p->a_ns) / 1e9;
    if (st->burst_ns < FOLD_BURST * st->resolution_ns)
        return;
    for (i = 0; i < s->n_windows; i++) {
        int64_t a = st->burst_from_ns, b = p->b_ns;

        if (fold_clip(&s->windows[i], &a, &b) && a == st->burst_from_ns &&
            b == p->b_ns)
            sampler_cell(s, i, k)->max_w =
                fmax(sampler_cell(s, i, k)->max_w,
                     st->burst_j * 1e9 / (double)st->burst_ns);
    }
    st->burst_ns = 0;
}

enum fold_mark { FOLD_STUCK_GAUGE, FOLD_STUCK_COUNTER, FOLD_BACKWARDS };

static void fold_mark(struct eb_sampler *s, size_t k, int64_t a_ns,
                      int64_t b_ns, enum fold_mark mark)
{
    size_t i;

    for (i = 0; i < s->n_windows; i++) {
        struct sampler_cell *c = sampler_cell(s, i, k);
        int64_t a = a_ns, b = b_ns;

        if (!fold_clip(&s->windows[i], &a, &b))
            continue;
        if (mark == FOLD_STUCK_GAUGE)
            c->stuck_ns += b - a;
        c->stuck |= mark == FOLD_STUCK_COUNTER;
        c->backwards |= mark == FOLD_BACKWARDS;
    }
}

/* Counts a good reading, and the gap before it. */
static void fold_seen(struct eb_sampler *s, size_t k, int64_t t_ns)
{
    struct sampler_state *st = &s->sensors[k];
    size_t i;

    for (i = 0; i < s->n_windows; i++) {
        struct sampler_cell *c = sampler_cell(s, i, k);
        int64_t a = st->seen_ns, b = t_ns;

        if (s->windows[i].from_ns <= t_ns && t_ns < s->windows[i].to_ns)
            c->reads++;
        if (fold_clip(&s->windows[i], &a, &b) && b - a > c->gap_ns)
            c->gap_ns = b - a;
    }
    st->seen_ns = t_ns;
}

void sampler_failed(struct eb_sampler *s, size_t k, int64_t t_ns, int rc)
{
    size_t i;

    s->sensors[k].failed++;
    for (i = 0; i < s->n_windows; i++) {
        struct sampler_cell *c = sampler_cell(s, i, k);

        if (s->windows[i].from_ns <= t_ns && t_ns < s->windows[i].to_ns) {
            c->failed++;
            c->rc = rc;
        }
    }
}

static void fold_gauge(struct eb_sampler *s, size_t k, int64_t t_ns,
                       int64_t value)
{
    struct sampler_state *st = &s->sensors[k];
    double watts = (double)value / 1e6;
    struct fold_part p = {st->value_ns, t_ns, (double)st->value / 1e6, watts,
                          0};
    double stuck_ns = st->sensor->stuck_ms * 1e6;
    int64_t from;

    if (watts < st->sensor->min_w || watts > st->sensor->max_w) {
        sampler_failed(s, k, t_ns, EB_EINVAL);
        return;
    }
    fold_seen(s, k, t_ns);
    if (st->have && t_ns - st->value_ns <= st->gap_limit_ns)
        fold_add(s, k, &p);
    if (!st->have || value != st->value) {
        st->same_ns = t_ns;
        st->repeats = 0;
    } else if (stuck_ns > 0 && (double)(t_ns - st->same_ns) > stuck_ns) {
        /* The first time from where it began, then bit by bit. */
        from = st->repeats++ == 0 ? st->same_ns : st->value_ns;
        fold_mark(s, k, from, t_ns, FOLD_STUCK_GAUGE);
    }
    st->value = value;
    st->value_ns = t_ns;
    st->have = 1;
}

/* Begins anew at a value; what lies before is not covered. */
static void fold_restart(struct sampler_state *st, int64_t t_ns, int64_t value)
{
    st->have = 1;
    st->in_step = 0;
    st->value = value;
    st->value_ns = t_ns;
    st->repeats = 0;
    st->rejects = 0;
}

/* Could the counter have come from the last change to this value? Sets the
 * microjoules. */
static int fold_possible(const struct sampler_state *st, int64_t dt_ns,
                         int64_t value, double *delta_uj)
{
    const struct eb_power_sensor *m = st->sensor;
    /* A change may be seen late by one resolution. */
    double s = (double)(dt_ns + st->resolution_ns) / 1e9, max_w = m->max_w;

    *delta_uj = (double)value - (double)st->value;
    /* A second turn cannot be told from none. */
    if (m->range_uj > 0 &&
        (double)dt_ns / 1e9 * m->max_w * 1e6 > (double)m->range_uj)
        return 0;
    if (*delta_uj < 0) {
        if (m->range_uj == 0)
            return 0;
        *delta_uj += (double)m->range_uj;
        /* A reset looks like a turn if it was near its end: power goes on. */
        if (st->last_w > 0)
            max_w = fmin(max_w, FOLD_TURN_TIMES * st->last_w + FOLD_TURN_W);
    }
    return *delta_uj >= 0 && *delta_uj / 1e6 <= max_w * s;
}

static void fold_counter(struct eb_sampler *s, size_t k, int64_t t_ns,
                         int64_t value)
{
    struct sampler_state *st = &s->sensors[k];
    struct fold_part p = {st->value_ns, t_ns, 0, 0, 0};
    int64_t dt_ns = t_ns - st->value_ns;
    double delta_uj;
    int still;

    if (st->have && value == st->value) {
        st->repeats++;
        st->rejects = 0;
        fold_seen(s, k, t_ns);
        still =
            dt_ns > FOLD_STILL * st->resolution_ns && st->repeats >= FOLD_STILL;
        if (still)
            fold_mark(s, k, st->value_ns, t_ns, FOLD_STUCK_COUNTER);
        return;
    }
    if (!st->have) {
        fold_seen(s, k, t_ns);
        fold_restart(st, t_ns, value);
        return;
    }
    if (!fold_possible(st, dt_ns, value, &delta_uj)) {
        sampler_failed(s, k, t_ns, EB_EINVAL);
        if (++st->rejects >= FOLD_REJECTS_MAX) {
            fold_mark(s, k, st->value_ns, t_ns, FOLD_BACKWARDS);
            fold_restart(st, t_ns, value);
        }
        return;
    }
    fold_seen(s, k, t_ns);
    still = dt_ns > FOLD_STILL * st->resolution_ns && st->repeats >= FOLD_STILL;
    p.wa = p.wb = delta_uj / 1e6 / ((double)dt_ns / 1e9);
    p.bridged = dt_ns > st->gap_limit_ns;
    /* Before the first change it is not known how old the value was. */
    if (st->in_step && still) {
        fold_mark(s, k, st->value_ns, t_ns, FOLD_STUCK_COUNTER);
    } else if (st->in_step) {
        fold_add(s, k, &p);
        fold_burst(s, k, &p);
        st->last_w = p.wa;
    }
    fold_restart(st, t_ns, value);
    st->in_step = 1;
}

void sampler_reading(struct eb_sampler *s, size_t k, int64_t t_ns,
                     int64_t value)
{
    struct sampler_state *st = &s->sensors[k];

    if (st->have && t_ns <= st->value_ns)
        return; /* older than what is known */
    if (st->sensor->kind == EB_POWER_GAUGE)
        fold_gauge(s, k, t_ns, value);
    else if (value < 0)
        sampler_failed(s, k, t_ns, EB_EINVAL);
    else
        fold_counter(s, k, t_ns, value);
}

/* Why too little is covered. */
static void fold_why(const struct sampler_cell *c, double coverage,
                     struct eb_sampler_result *out)
{
    if (c->stuck || c->stuck_ns > 0)
        snprintf(out->reason, sizeof(out->reason),
                 "not measured: stuck, the sensor's value did not change");
    else if (c->backwards)
        snprintf(out->reason, sizeof(out->reason),
                 "out of range: the counter went backwards or too far");
    else if (c->failed > 0)
        snprintf(out->reason, sizeof(out->reason),
                 "%s (%lld of %lld reads failed)", eb_power_failure(c->rc),
                 (long long)c->failed, (long long)c->failed + c->reads);
    else if (c->reads == 0)
        snprintf(out->reason, sizeof(out->reason),
                 "absent: the sensor gave no reading in the window");
    else
        snprintf(out->reason, sizeof(out->reason),
                 "not measured: readings cover only %.0f %% of the window",
                 100 * coverage);
}

void eb_sampler_result(struct eb_sampler *s, size_t window, size_t sensor,
                       struct eb_sampler_result *out)
{
    const struct eb_sampler_window *w = &s->windows[window];
    struct sampler_state *st = &s->sensors[sensor];
    struct sampler_cell c;
    int64_t ns = w->to_ns - w->from_ns, a, b = w->to_ns;
    double good;

    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&s->lock);
    c = *sampler_cell(s, window, sensor);
    a = st->seen_ns;
    if (fold_clip(w, &a, &b) && b - a > c.gap_ns)
        c.gap_ns = b - a;
    pthread_mutex_unlock(&s->lock);
    out->joules = out->mean_w = NAN;
    out->max_w = c.max_w >= 0 ? c.max_w : NAN;
    out->reads = c.reads;
    out->largest_gap_ms = (double)c.gap_ns / 1e6;
    good = (double)(c.covered_ns - c.stuck_ns);
    out->coverage = ns > 0 && good > 0 ? good / (double)ns : 0;
    if (ns < st->resolution_ns) {
        out->max_w = NAN;
        snprintf(out->reason, sizeof(out->reason),
                 "not measured: shorter than the sensor's step (%.4g ms)",
                 (double)st->resolution_ns / 1e6);
    } else if (out->coverage < EB_SAMPLER_COVERAGE) {
        out->max_w = NAN;
        fold_why(&c, out->coverage, out);
    } else {
        out->mean_w = c.joules * 1e9 / (double)c.covered_ns;
        out->joules = out->mean_w * (double)ns / 1e9;
        out->valid = ns >= EB_SAMPLER_STEPS_MIN * st->resolution_ns;
        if (!out->valid)
            snprintf(out->reason, sizeof(out->reason),
                     "out of range: shorter than %d of the sensor's steps "
                     "(%.4g ms)",
                     EB_SAMPLER_STEPS_MIN, (double)st->resolution_ns / 1e6);
    }
}

size_t eb_sampler_trace(struct eb_sampler *s, size_t sensor, double *w,
                        int64_t *from_ns, double *bin_ms)
{
    const struct sampler_state *st = &s->sensors[sensor];
    size_t i, n = 0;

    pthread_mutex_lock(&s->lock);
    *from_ns = s->trace_from_ns;
    *bin_ms = (double)s->trace_bin_ns / 1e6;
    for (i = 0; i < EB_SAMPLER_TRACE_MAX; i++) {
        w[i] = st->trace_ns[i] > 0
                   ? st->trace_j[i] * 1e9 / (double)st->trace_ns[i]
                   : NAN;
        if (st->trace_ns[i] > 0)
            n = i + 1;
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}
