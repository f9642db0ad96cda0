/* summary.speed, .requests, .sustained and .localscore. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/record_parts.h"
#include "common/stats.h"

#define SPEED_MS 1e6 /* nanoseconds */
#define SPEED_MINUTE_NS 60e9
/* A fall that is looked for: at least so much, with at least so many windows
 * on each side. */
#define SPEED_FALL 0.03
#define SPEED_FALL_WINDOWS 3

/* Tokens per second of the repeats, as llama-bench. */

/* The mean of the rates; of a series that was not stable only the median, so
 * that no mean of it goes into a comparison. */
static void speed_rates(const struct eb_samples *tps, const char *unstable,
                        const char *empty, cJSON *out)
{
    struct eb_interval ci = eb_stats_mean_ci(tps->v, tps->n);
    const char *few = "absent: fewer than two samples";
    const char *none = unstable != NULL ? unstable : empty;

    eb_json_add_num(
        out, "mean_tps",
        unstable == NULL && tps->n > 0 ? eb_stats_mean(tps->v, tps->n) : NAN,
        none);
    eb_json_add_num(out, "sd_tps",
                    tps->n > 1 ? eb_stats_sd(tps->v, tps->n) : NAN, few);
    none = unstable != NULL ? unstable : few;
    eb_json_add_num(out, "lo_tps", unstable == NULL ? ci.lo : NAN, none);
    eb_json_add_num(out, "hi_tps", unstable == NULL ? ci.hi : NAN, none);
    eb_json_add_num(out, "median_tps", eb_stats_percentile(tps->v, tps->n, 50),
                    empty);
    cJSON_AddNumberToObject(out, "n", (double)tps->n);
}

/* How many of the repeats something slowed down. */
static void speed_throttled(const cJSON *row, cJSON *out)
{
    const cJSON *at =
        cJSON_GetObjectItemCaseSensitive(row, "throttled_repeats");

    if (cJSON_IsArray(at))
        cJSON_AddNumberToObject(out, "throttled", cJSON_GetArraySize(at));
    else if (at != NULL)
        eb_json_add_null(
            out, "throttled",
            eb_json_get_str(row, "throttled_repeats_reason", "not measured"));
}

static cJSON *speed_row(const cJSON *rec, const cJSON *row)
{
    double tokens = (eb_json_get_num(row, "n_prompt", 0) +
                     eb_json_get_num(row, "n_gen", 0)) *
                    eb_json_get_num(row, "batch", 1);
    const cJSON *stable = cJSON_GetObjectItemCaseSensitive(row, "stable"), *ns;
    struct eb_samples tps = {0};
    cJSON *out = cJSON_CreateObject();
    char why[256];

    cJSON_ArrayForEach(ns, cJSON_GetObjectItemCaseSensitive(row, "samples_ns"))
        eb_samples_add(&tps, tokens * 1e9 / ns->valuedouble);
    snprintf(why, sizeof(why), "unstable: %s",
             eb_json_get_str(row, "reason", "no reason given"));
    cJSON_AddStringToObject(out, "test", eb_json_get_str(row, "test", ""));
    if (cJSON_IsBool(stable))
        cJSON_AddBoolToObject(out, "stable", cJSON_IsTrue(stable));
    speed_rates(&tps, cJSON_IsFalse(stable) && tps.n > 0 ? why : NULL,
                eb_json_get_str(row, "samples_ns_reason", "absent: no sample"),
                out);
    speed_throttled(row, out);
    eb_record_bandwidth(rec, row, out);
    free(tps.v);
    return out;
}

/* Requests */

static void request_percentiles(cJSON *out, const char *name,
                                const struct eb_samples *ns)
{
    static const int at[] = {50, 90, 95, 99};
    char key[32];
    size_t i;

    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        snprintf(key, sizeof(key), "%s_p%d_ms", name, at[i]);
        eb_json_add_num(out, key,
                        eb_stats_percentile(ns->v, ns->n, at[i]) / SPEED_MS,
                        "not measured");
    }
}

static void request_mean(cJSON *out, const char *key,
                         const struct eb_samples *s)
{
    eb_json_add_num(out, key, s->n > 0 ? eb_stats_mean(s->v, s->n) : NAN,
                    "not measured");
}

/* A number of a row into the samples; what is not there is left out. */
static double request_take(const cJSON *row, const char *key,
                           struct eb_samples *s)
{
    double v = eb_json_get_num(row, key, -1);

    if (v >= 0)
        eb_samples_add(s, v);
    return v;
}

/* Whether others left the machine alone meanwhile; records from before that
 * was looked at say nothing. */
static void request_watched(const cJSON *rec, const char *phase, cJSON *out)
{
    const cJSON *row, *stable;

    cJSON_ArrayForEach(row,
                       cJSON_GetObjectItemCaseSensitive(rec, "requests_watch"))
    {
        stable = cJSON_GetObjectItemCaseSensitive(row, "stable");
        if (strcmp(eb_json_get_str(row, "phase", ""), phase) != 0 ||
            !cJSON_IsBool(stable))
            continue;
        cJSON_AddBoolToObject(out, "stable", cJSON_IsTrue(stable));
        if (cJSON_IsFalse(stable))
            cJSON_AddStringToObject(
                out, "reason",
                eb_json_get_str(row, "reason", "no reason given"));
        return;
    }
}

/* All requests of one phase: "first", "uncached" or "prefix". */
static cJSON *request_phase(const cJSON *rows, const char *phase)
{
    struct eb_samples ttft = {0}, itl = {0}, tpot = {0}, e2e = {0},
                      prompt = {0}, cached = {0}, output = {0};
    cJSON *out = cJSON_CreateObject();
    const cJSON *row, *gap;

    cJSON_ArrayForEach(row, rows)
    {
        double first, whole, tokens;

        if (strcmp(eb_json_get_str(row, "phase", ""), phase) != 0)
            continue;
        first = request_take(row, "ttft_ns", &ttft);
        whole = request_take(row, "e2e_ns", &e2e);
        request_take(row, "prompt_tokens", &prompt);
        request_take(row, "cached_tokens", &cached);
        tokens = request_take(row, "output_tokens", &output);
        if (first >= 0 && whole >= first && tokens >= 2)
            eb_samples_add(&tpot, (whole - first) / (tokens - 1) / SPEED_MS);
        cJSON_ArrayForEach(gap,
                           cJSON_GetObjectItemCaseSensitive(row, "gaps_ns"))
            eb_samples_add(&itl, gap->valuedouble);
    }
    cJSON_AddStringToObject(out, "phase", phase);
    cJSON_AddNumberToObject(out, "n", (double)e2e.n);
    request_mean(out, "prompt_mean", &prompt);
    request_mean(out, "cached_mean", &cached);
    request_mean(out, "output_mean", &output);
    request_percentiles(out, "ttft", &ttft);
    request_percentiles(out, "itl", &itl);
    request_mean(out, "tpot_mean_ms", &tpot);
    request_percentiles(out, "e2e", &e2e);
    free(ttft.v);
    free(itl.v);
    free(tpot.v);
    free(e2e.v);
    free(prompt.v);
    free(cached.v);
    free(output.v);
    return out;
}

static void speed_requests(const cJSON *rec, cJSON *sum)
{
    static const char *const phases[] = {"first", "uncached", "prefix"};
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(rec, "requests");
    cJSON *out, *row;
    size_t i;

    if (rows == NULL)
        return;
    out = cJSON_AddArrayToObject(sum, "requests");
    for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        row = request_phase(rows, phases[i]);
        request_watched(rec, phases[i], row);
        cJSON_AddItemToArray(out, row);
    }
}

/* Throughput over time */

/* Where the rates fall to another level: the split that leaves the least sum
 * of squares about the two means (one change, least squares; Bai 1994). 0 if
 * there is none of at least SPEED_FALL that is beyond three standard errors
 * of the difference. */
static size_t sustained_fall(const double *v, size_t n, double *fall)
{
    size_t k, best = 0;
    double least = INFINITY;

    for (k = SPEED_FALL_WINDOWS; k + SPEED_FALL_WINDOWS <= n; k++) {
        double a = eb_stats_sd(v, k), b = eb_stats_sd(v + k, n - k);
        double rest = a * a * (double)(k - 1) + b * b * (double)(n - k - 1);
        double before = eb_stats_mean(v, k);
        double after = eb_stats_mean(v + k, n - k);
        double se = sqrt(a * a / (double)k + b * b / (double)(n - k));

        if (rest >= least)
            continue;
        least = rest;
        *fall = 1 - after / before;
        best = *fall >= SPEED_FALL && before - after > 3 * se ? k : 0;
    }
    return best;
}

/* The mean rate of the windows that end in [from, to): tokens over time. */
static double sustained_rate(const cJSON *windows, double from, double to)
{
    double tokens = 0, ns = 0;
    const cJSON *w;

    cJSON_ArrayForEach(w, windows)
    {
        double wall = eb_json_get_num(w, "wall_ns", 0);
        double end = eb_json_get_num(w, "at_ns", 0) + wall;

        if (end <= from || end > to || wall <= 0)
            continue;
        tokens += eb_json_get_num(w, "tokens", 0);
        ns += wall;
    }
    return ns > 0 ? tokens * 1e9 / ns : NAN;
}

static void sustained_began(cJSON *out, const cJSON *windows,
                            const struct eb_samples *tps)
{
    double fall = 0;
    size_t k = sustained_fall(tps->v, tps->n, &fall);

    if (k > 0) {
        cJSON_AddNumberToObject(
            out, "fell_at_s",
            eb_json_get_num(cJSON_GetArrayItem(windows, (int)k), "at_ns", 0) /
                1e9);
        cJSON_AddNumberToObject(out, "fell_by", fall);
    } else {
        const char *why = tps->n < 2 * SPEED_FALL_WINDOWS
                              ? "out of range: too few windows"
                              : "absent: no fall";

        eb_json_add_null(out, "fell_at_s", why);
        eb_json_add_null(out, "fell_by", why);
    }
}

/* The first window that something slowed down: `throttled` is null where
 * nothing tells, and absent in older records. */
static void sustained_throttled(cJSON *out, const cJSON *windows)
{
    const cJSON *w, *throttled;
    int known = 0;

    cJSON_ArrayForEach(w, windows)
    {
        throttled = cJSON_GetObjectItemCaseSensitive(w, "throttled");
        known |= cJSON_IsBool(throttled);
        if (!cJSON_IsTrue(throttled))
            continue;
        cJSON_AddNumberToObject(out, "throttled_at_s",
                                eb_json_get_num(w, "at_ns", 0) / 1e9);
        return;
    }
    eb_json_add_null(out, "throttled_at_s",
                     known ? "absent: no window was slowed down"
                           : "unsupported: nothing here tells");
}

static void speed_sustained(const cJSON *rec, cJSON *sum)
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(rec, "sustained");
    const cJSON *windows = cJSON_GetObjectItemCaseSensitive(all, "windows"), *w;
    struct eb_samples tps = {0};
    double end = 0, first, last;
    cJSON *out;

    if (!cJSON_IsArray(windows))
        return;
    cJSON_ArrayForEach(w, windows)
    {
        double wall = eb_json_get_num(w, "wall_ns", 0);

        end = fmax(end, eb_json_get_num(w, "at_ns", 0) + wall);
        eb_samples_add(
            &tps, wall > 0 ? eb_json_get_num(w, "tokens", 0) * 1e9 / wall : 0);
    }
    out = cJSON_AddObjectToObject(sum, "sustained");
    first = sustained_rate(windows, 0, SPEED_MINUTE_NS);
    last = sustained_rate(windows, end - SPEED_MINUTE_NS, end);
    if (end < 2 * SPEED_MINUTE_NS)
        first = last = NAN; /* the two minutes would overlap */
    cJSON_AddNumberToObject(out, "seconds", end / 1e9);
    eb_json_add_num(out, "mean_tps", sustained_rate(windows, 0, end),
                    "absent: no window");
    eb_json_add_num(out, "first_minute_tps", first,
                    "out of range: less than two minutes");
    eb_json_add_num(out, "last_minute_tps", last,
                    "out of range: less than two minutes");
    eb_json_add_num(out, "last_to_first", last / first,
                    "out of range: less than two minutes");
    sustained_began(out, windows, &tps);
    sustained_throttled(out, windows);
    free(tps.v);
}

/* LocalScore */

static const cJSON *score_row(const cJSON *rows, const char *key,
                              const char *name)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, rows)
    {
        if (strcmp(eb_json_get_str(row, key, ""), name) == 0)
            return row;
    }
    return NULL;
}

/* 10 * cbrt(pp * tg * 1000 / ttft_ms), the geometric mean that LocalScore
 * calls its score; here of pp512, tg128 and the median TTFT of requests of
 * about 1,500 tokens of which nothing was cached. */
static void speed_localscore(const cJSON *rec, cJSON *sum)
{
    const cJSON *speed = cJSON_GetObjectItemCaseSensitive(sum, "speed");
    const cJSON *requests = cJSON_GetObjectItemCaseSensitive(sum, "requests");
    const cJSON *uncached = score_row(requests, "phase", "uncached");
    const char *none = "absent: pp512 or tg128 has no stable mean";
    double pp, tg, ttft;

    if (cJSON_GetObjectItemCaseSensitive(rec, "requests") == NULL)
        return;
    pp = eb_json_get_num(score_row(speed, "test", "pp512"), "mean_tps", NAN);
    tg = eb_json_get_num(score_row(speed, "test", "tg128"), "mean_tps", NAN);
    ttft = eb_json_get_num(uncached, "ttft_p50_ms", NAN);
    if (isnan(ttft)) {
        none = "absent: no TTFT";
    } else if (cJSON_IsFalse(
                   cJSON_GetObjectItemCaseSensitive(uncached, "stable"))) {
        none = "absent: the requests were disturbed";
        ttft = NAN;
    }
    eb_json_add_num(sum, "localscore", 10 * cbrt(pp * tg * 1000 / ttft), none);
}

void eb_record_speed(const cJSON *rec, cJSON *sum)
{
    cJSON *arr = cJSON_AddArrayToObject(sum, "speed");
    const cJSON *row;

    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(rec, "speed"))
        cJSON_AddItemToArray(arr, speed_row(rec, row));
    speed_requests(rec, sum);
    speed_sustained(rec, sum);
    speed_localscore(rec, sum);
}
