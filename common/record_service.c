/* The bars on time, memory and energy, each decided with its bounds as a
 * level is: SUFFICIENT if the upper bound is within the limit, INSUFFICIENT if
 * the lower bound is above it. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/record.h"
#include "common/record_parts.h"
#include "common/stats.h"
#include "common/stats_compare.h"

#define SERVICE_MS 1e6 /* nanoseconds */
#define SERVICE_ALPHA 0.05
#define SERVICE_QUANTILE 0.95
/* The fewest values whose largest bounds their 95th percentile from above:
 * 0.95^59 < 0.05. */
#define SERVICE_QUANTILE_ITEMS 59
#define SERVICE_MORE_MAX 100000 /* as for levels (RECORD.md) */

struct service {
    const char *bar;
    double limit;
    double value, lower, upper; /* not finite: not known */
    int64_t n;
    int64_t need; /* items that would settle it; -1: not known */
    enum eb_verdict verdict;
    struct eb_buf reason;
};

static void service_number(cJSON *row, const char *key, double v)
{
    if (isfinite(v))
        cJSON_AddNumberToObject(row, key, v);
    else
        cJSON_AddNullToObject(row, key);
}

/* Members that are null are explained by the row's reason. */
static void service_add(struct service *s, cJSON *out)
{
    cJSON *row = cJSON_CreateObject();

    cJSON_AddStringToObject(row, "bar", s->bar);
    cJSON_AddNumberToObject(row, "limit", s->limit);
    service_number(row, "value", s->value);
    service_number(row, "bound",
                   s->verdict == EB_INSUFFICIENT ? s->lower : s->upper);
    service_number(row, "lower", s->lower);
    service_number(row, "upper", s->upper);
    cJSON_AddStringToObject(row, "verdict", eb_verdict_name(s->verdict));
    cJSON_AddNumberToObject(row, "n", (double)s->n);
    service_number(row, "need", s->need >= 0 ? (double)s->need : NAN);
    if (s->reason.len > 0)
        cJSON_AddStringToObject(row, "reason", s->reason.data);
    else
        cJSON_AddNullToObject(row, "reason");
    cJSON_AddItemToArray(out, row);
    eb_buf_free(&s->reason);
}

static void service_because(struct service *s, const char *reason)
{
    eb_buf_addf(&s->reason, "%s%s", s->reason.len > 0 ? "; " : "", reason);
}

static void service_bounds(struct service *s)
{
    if (s->upper <= s->limit)
        s->verdict = EB_SUFFICIENT;
    else if (s->lower > s->limit)
        s->verdict = EB_INSUFFICIENT;
    else
        service_because(s, "the limit lies between the bounds");
}

static int service_cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The 95th percentile is within the limit if 95 % of the items are: the
 * number that settles it is that of a rate against a bar. */
static int64_t service_need(const struct service *s, const struct eb_samples *x)
{
    int64_t within = 0, more;
    size_t i;

    for (i = 0; i < x->n; i++)
        within += x->v[i] <= s->limit;
    more = eb_stats_more_items(within, s->n, SERVICE_QUANTILE, SERVICE_ALPHA,
                               SERVICE_MORE_MAX);
    return more < 0 ? -1 : s->n + more;
}

/* x in the limit's unit; sorts it. */
static void service_quantile(struct service *s, struct eb_samples *x)
{
    size_t lo, hi;

    s->n = (int64_t)x->n;
    if (x->n > 0)
        qsort(x->v, x->n, sizeof(*x->v), service_cmp);
    s->value = eb_stats_percentile(x->v, x->n, 100 * SERVICE_QUANTILE);
    if (x->n < SERVICE_QUANTILE_ITEMS) {
        s->need = SERVICE_QUANTILE_ITEMS;
        eb_buf_addf(&s->reason, "needs %d items played alone",
                    SERVICE_QUANTILE_ITEMS);
        return;
    }
    lo = eb_stats_quantile_lower_index(x->n, SERVICE_QUANTILE, SERVICE_ALPHA);
    hi = eb_stats_quantile_upper_index(x->n, SERVICE_QUANTILE, SERVICE_ALPHA);
    s->lower = x->v[lo - 1];
    s->upper = x->v[hi - 1];
    service_bounds(s);
    if (s->verdict == EB_NOT_SHOWN)
        s->need = service_need(s, x);
}

/* An item that the model or the device broke off. */
static int service_broken(const cJSON *item)
{
    switch (eb_outcome_parse(eb_json_get_str(item, "class", ""))) {
    case EB_OUT_TIMEOUT:
    case EB_OUT_OOM:
    case EB_OUT_ENGINE_CRASH:
    case EB_OUT_THERMAL_SHUTDOWN:
        return 1;
    default:
        return 0;
    }
}

/* Was this item's time taken? A throughput run has no times but those of its
 * latency_items. */
static int service_timed(const cJSON *rec, const cJSON *item)
{
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(rec, "settings");

    if (strcmp(eb_json_get_str(item, "class", ""), "harness_error") == 0)
        return 0;
    return cJSON_GetObjectItemCaseSensitive(rec, "latency_items") != NULL ||
           strcmp(eb_json_get_str(set, "mode", ""), "throughput") != 0;
}

/* Time to the first token or to the full reply. A customer who never got it
 * waited longer than any other: leaving such items out, or taking the moment
 * they were broken off, would flatter slow models. */
static void service_time(const cJSON *rec, int whole, struct service *s)
{
    const char *key = whole ? "e2e_ns" : "ttft_ns";
    struct eb_samples x = {0};
    int never = 0;
    const cJSON *v;

    cJSON_ArrayForEach(v, eb_record_alone(rec))
    {
        double ns = eb_json_get_num(v, key, -1);

        if (!service_timed(rec, v))
            continue;
        if (service_broken(v) && (whole || ns < 0)) {
            eb_samples_add(&x, INFINITY);
            never++;
        } else if (ns >= 0) {
            eb_samples_add(&x, ns / SERVICE_MS);
        }
    }
    service_quantile(s, &x);
    if (never > 0) {
        struct eb_buf b = {0};

        eb_buf_addf(&b,
                    "%d of %" PRId64 " items never had a %s and count as "
                    "longer than any time",
                    never, s->n, whole ? "full reply" : "first token");
        service_because(s, b.data);
        eb_buf_free(&b);
    }
    free(x.v);
}

static void service_ttft(const cJSON *rec, const cJSON *sum, struct service *s)
{
    (void)sum;
    service_time(rec, 0, s);
}

static void service_e2e(const cJSON *rec, const cJSON *sum, struct service *s)
{
    (void)sum;
    service_time(rec, 1, s);
}

/* Items until the bound of the mean is off the limit, if mean and deviation
 * stay: bisection, as the half-width only falls. */
static int64_t service_mean_need(const struct service *s, double sd)
{
    double gap = fabs(s->limit - s->value);
    int64_t lo = s->n, hi = s->n + SERVICE_MORE_MAX, mid;

    if (eb_stats_t_upper((double)hi - 1, SERVICE_ALPHA) * sd /
            sqrt((double)hi) >
        gap)
        return -1;
    while (hi - lo > 1) {
        mid = lo + (hi - lo) / 2;
        if (eb_stats_t_upper((double)mid - 1, SERVICE_ALPHA) * sd /
                sqrt((double)mid) >
            gap)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

static void service_tpot(const cJSON *rec, const cJSON *sum, struct service *s)
{
    struct eb_samples x = {0};
    struct eb_interval ci;
    const cJSON *v;

    (void)sum;
    cJSON_ArrayForEach(v, eb_record_alone(rec))
    {
        double first = eb_json_get_num(v, "ttft_ns", -1);
        double whole = eb_json_get_num(v, "e2e_ns", -1);
        double tokens = eb_json_get_num(v, "output_tokens", 0);

        if (service_timed(rec, v) && first >= 0 && whole >= first &&
            tokens >= 2)
            eb_samples_add(&x, (whole - first) / (tokens - 1) / SERVICE_MS);
    }
    s->n = (int64_t)x.n;
    s->value = eb_stats_mean(x.v, x.n);
    if (x.n < 2) {
        s->need = 2;
        service_because(s, "needs 2 items played alone, of 2 tokens or more");
    } else {
        ci = eb_stats_mean_bounds(x.v, x.n, SERVICE_ALPHA);
        s->lower = ci.lo;
        s->upper = ci.hi;
        service_bounds(s);
        if (s->verdict == EB_NOT_SHOWN)
            s->need = service_mean_need(s, eb_stats_sd(x.v, x.n));
    }
    free(x.v);
}

/* One number, without bounds. */
static void service_single(struct service *s)
{
    s->verdict = s->value <= s->limit ? EB_SUFFICIENT : EB_INSUFFICIENT;
    service_because(s, "a single measurement, compared directly");
}

/* One customer at a time is what the bar is about; more slots hold more. */
static void service_memory(const cJSON *rec, const cJSON *sum,
                           struct service *s)
{
    const cJSON *memory = cJSON_GetObjectItemCaseSensitive(rec, "memory");
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(rec, "settings");
    double slots = eb_json_get_num(set, "slots", 1);

    (void)sum;
    s->value = eb_json_get_num(memory, "vm_hwm_bytes", NAN);
    s->n = !isnan(s->value);
    if (isnan(s->value))
        service_because(
            s, eb_json_get_str(memory, "vm_hwm_bytes_reason", "not measured"));
    else if (slots > 1 &&
             strcmp(eb_json_get_str(set, "mode", ""), "throughput") == 0)
        eb_buf_addf(&s->reason,
                    "measured with %.0f slots at once; --mode latency "
                    "measures it",
                    slots);
    else
        service_single(s);
}

static void service_joules(const cJSON *rec, const cJSON *sum,
                           struct service *s)
{
    const cJSON *power = cJSON_GetObjectItemCaseSensitive(rec, "power"), *row;
    double energy = eb_json_get_num(power, "energy_j", NAN);
    double passes = 0, scored = 0;

    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(sum, "levels"))
    {
        passes += eb_json_get_num(row, "passes", 0);
        scored += eb_json_get_num(row, "n", 0);
    }
    s->n = (int64_t)passes;
    if (isnan(energy)) {
        service_because(
            s, eb_json_get_str(power, "energy_j_reason", "not measured"));
    } else if (cJSON_IsFalse(
                   cJSON_GetObjectItemCaseSensitive(power, "valid"))) {
        service_because(s, "the energy is marked as not valid");
    } else if (passes < 1) {
        /* More than any limit, if there was something to solve. */
        s->verdict = scored > 0 ? EB_INSUFFICIENT : EB_NOT_SHOWN;
        service_because(s, scored > 0 ? "no item was solved"
                                      : "no item was scored");
    } else {
        s->value = energy / passes;
        service_single(s);
    }
}

void eb_record_service(const cJSON *rec, cJSON *sum)
{
    static const struct {
        const char *name;
        void (*decide)(const cJSON *rec, const cJSON *sum, struct service *s);
    } bars[] = {{"ttft_p95_ms", service_ttft},
                {"tpot_ms", service_tpot},
                {"e2e_p95_ms", service_e2e},
                {"peak_memory_bytes", service_memory},
                {"joules_per_solved", service_joules}};
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(rec, "service_bars");
    cJSON *out = cJSON_AddArrayToObject(sum, "service");
    size_t i;

    for (i = 0; i < sizeof(bars) / sizeof(*bars); i++) {
        struct service s = {.bar = bars[i].name,
                            .limit = eb_json_get_num(set, bars[i].name, NAN),
                            .value = NAN,
                            .lower = NAN,
                            .upper = NAN,
                            .need = -1,
                            .verdict = EB_NOT_SHOWN};

        if (isnan(s.limit))
            continue;
        bars[i].decide(rec, sum, &s);
        service_add(&s, out);
    }
}
