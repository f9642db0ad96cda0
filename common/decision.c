#include "common/decision.h"

#include <math.h>
#include <string.h>

#include "common/json.h"
#include "common/record.h"

/* Further items a NOT SHOWN verdict is worked out for (RECORD.md). */
#define DECISION_MORE_MAX 100000
#define DECISION_BISECTIONS 40

struct eb_decision_rule eb_decision_rule(const cJSON *def, const char *lang)
{
    const cJSON *pool = cJSON_GetObjectItemCaseSensitive(def, "pool");

    return (struct eb_decision_rule){
        .early = strcmp(eb_json_get_str(def, "stop", ""), "early") == 0,
        .pool = (int64_t)eb_json_get_num(pool, lang, 0),
        .bar = eb_json_get_num(def, "bar", 1),
        .alpha = eb_json_get_num(def, "alpha", 0.05),
        .beta = eb_json_get_num(def, "beta", EB_DECISION_BETA),
        .cap = (int64_t)eb_json_get_num(def, "critical_cap", -1),
        .margin = eb_json_get_num(
            cJSON_GetObjectItemCaseSensitive(def, "reference"), "margin", -1)};
}

int eb_decision_open(struct eb_decision *d, const struct eb_decision_rule *r,
                     struct eb_err *err)
{
    int rc = 0;

    memset(d, 0, sizeof(*d));
    d->rule = *r;
    if (r->margin >= 0)
        rc = eb_paired_open(&d->paired, r->pool, r->margin, r->alpha, err);
    if (rc != 0 || !r->early)
        return rc;
    return eb_sequential_open(&d->q, r->pool, r->bar, r->alpha, r->beta, err);
}

int eb_decision_item(const cJSON *json, struct eb_decision_item *item)
{
    int o = eb_outcome_parse(eb_json_get_str(json, "class", ""));
    const char *reference = eb_json_get_str(json, "reference", NULL);

    item->pass = o == EB_OUT_OK;
    item->critical =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "critical"));
    item->reference =
        reference == NULL ? -1 : eb_outcome_parse(reference) == EB_OUT_OK;
    return o >= 0 && o != EB_OUT_HARNESS_ERROR;
}

void eb_decision_add(struct eb_decision *d, struct eb_decision_item item)
{
    if (d->rule.early && eb_sequential_add(&d->q, item.pass) != 0)
        return;
    d->n++;
    d->passes += item.pass != 0;
    d->critical += item.critical != 0;
    if (d->rule.margin >= 0 && item.reference >= 0)
        eb_paired_add(&d->paired, (item.pass != 0) - item.reference);
}

enum eb_verdict eb_decision_verdict(const struct eb_decision *d)
{
    if (d->rule.cap >= 0 && d->critical > d->rule.cap)
        return EB_INSUFFICIENT;
    if (d->rule.early)
        return d->q.verdict;
    return eb_stats_verdict(d->passes, d->n, d->rule.bar, d->rule.alpha);
}

/* With a cap, SUFFICIENT must wait until the items left cannot exceed it. */
int eb_decision_done(const struct eb_decision *d)
{
    enum eb_verdict v = eb_decision_verdict(d);

    if (!d->rule.early || v == EB_NOT_SHOWN)
        return 0;
    /* A model that fails the bar is not made better by the reference. */
    if (v == EB_SUFFICIENT && d->rule.margin >= 0 &&
        d->paired.verdict == EB_NOT_SHOWN)
        return 0;
    return v == EB_INSUFFICIENT || d->rule.cap < 0 ||
           eb_sequential_cap(d->rule.pool, d->rule.cap, d->n, d->critical) ==
               EB_SUFFICIENT;
}

/* What the items seen say about all such items, whenever one stopped. */
static enum eb_verdict decision_beyond(const struct eb_decision *d)
{
    struct eb_sequential_e e = eb_sequential_rate(d->passes, d->n, d->rule.bar);

    if (e.log_pass >= -log(d->rule.alpha))
        return EB_SUFFICIENT;
    return e.log_fail >= -log(d->rule.beta) ? EB_INSUFFICIENT : EB_NOT_SHOWN;
}

/* Is the rate p refuted from below (lower) or from above, error alpha? */
static int decision_refuted(const struct eb_decision *d, double p, int lower)
{
    struct eb_sequential_e e = eb_sequential_rate(d->passes, d->n, p);

    return (lower ? e.log_pass : e.log_fail) >= -log(d->rule.alpha);
}

/* The confidence sequence: the rates that no stop refutes. */
static struct eb_interval decision_bounds(const struct eb_decision *d)
{
    struct eb_interval ci = {0, 1};
    double rate = d->n > 0 ? (double)d->passes / (double)d->n : 0.5;
    double lo = 0, hi = rate, mid;
    int i;

    if (!d->rule.early)
        return eb_stats_exact(d->passes, d->n, d->rule.alpha);
    if (d->n == 0)
        return ci;
    for (i = 0; i < DECISION_BISECTIONS && d->passes > 0; i++) {
        mid = (lo + hi) / 2;
        *(decision_refuted(d, mid, 1) ? &lo : &hi) = mid;
    }
    ci.lo = d->passes > 0 ? lo : 0;
    for (lo = rate, hi = 1, i = 0; i < DECISION_BISECTIONS && d->passes < d->n;
         i++) {
        mid = (lo + hi) / 2;
        *(decision_refuted(d, mid, 0) ? &hi : &lo) = mid;
    }
    ci.hi = d->passes < d->n ? hi : 1;
    return ci;
}

/* Further items of the pool until it is decided, if the rate stays. */
static int64_t decision_more_early(const struct eb_decision *d)
{
    double rate = d->n > 0 ? (double)d->passes / (double)d->n : 0.5;
    int64_t left = d->rule.pool - d->n, m;

    for (m = 1; m < left; m++) {
        int64_t n = d->n + m, s = (int64_t)llround(rate * (double)n);
        struct eb_sequential_e e = eb_sequential_at(&d->q, n, s);

        if (e.log_pass >= -log(d->rule.alpha) ||
            e.log_fail >= -log(d->rule.beta))
            break;
    }
    return m;
}

static int64_t decision_more(const struct eb_decision *d)
{
    if (d->rule.early)
        return decision_more_early(d);
    return eb_stats_more_items(d->passes, d->n, d->rule.bar, d->rule.alpha,
                               DECISION_MORE_MAX);
}

/* JSON has no infinity; certainty is told apart. */
static void decision_log10(cJSON *out, const char *key, double natural)
{
    if (isinf(natural))
        eb_json_add_null(out, key, "out of range: certain");
    else
        cJSON_AddNumberToObject(out, key, natural / log(10));
}

static void decision_how(const struct eb_decision *d, cJSON *row)
{
    cJSON *out = cJSON_AddObjectToObject(row, "decision");

    cJSON_AddStringToObject(out, "method", d->rule.early ? "pool" : "exact");
    if (d->rule.cap >= 0) {
        cJSON_AddNumberToObject(out, "critical", (double)d->critical);
        cJSON_AddNumberToObject(out, "critical_cap", (double)d->rule.cap);
    }
    if (!d->rule.early)
        return;
    cJSON_AddNumberToObject(out, "pool", (double)d->rule.pool);
    if (d->q.decided_at >= 0)
        cJSON_AddNumberToObject(out, "decided_at", (double)d->q.decided_at);
    else
        eb_json_add_null(out, "decided_at", "absent: not decided");
    cJSON_AddBoolToObject(out, "certain", d->q.certain);
    decision_log10(out, "log10_e_pass", d->q.log_e_pass);
    decision_log10(out, "log10_e_fail", d->q.log_e_fail);
    cJSON_AddStringToObject(out, "beyond_pool",
                            eb_verdict_name(decision_beyond(d)));
}

static void decision_reference(const struct eb_decision *d, cJSON *row)
{
    static const char *const names[] = {"INFERIOR", "NOT SHOWN",
                                        "NON-INFERIOR"};
    cJSON *out;

    if (d->rule.margin < 0)
        return;
    out = cJSON_AddObjectToObject(row, "reference");
    cJSON_AddNumberToObject(out, "n", (double)d->paired.n);
    cJSON_AddNumberToObject(out, "margin", d->rule.margin);
    if (d->paired.n > 0)
        cJSON_AddNumberToObject(out, "difference",
                                (double)d->paired.sum / (double)d->paired.n);
    else
        eb_json_add_null(out, "difference", "absent: no item in both");
    cJSON_AddStringToObject(out, "verdict", names[d->paired.verdict]);
}

void eb_decision_row(const struct eb_decision *d, cJSON *row)
{
    struct eb_interval ci = decision_bounds(d);
    enum eb_verdict v = eb_decision_verdict(d);

    cJSON_AddNumberToObject(row, "n", (double)d->n);
    cJSON_AddNumberToObject(row, "passes", (double)d->passes);
    if (d->n > 0)
        cJSON_AddNumberToObject(row, "rate", (double)d->passes / (double)d->n);
    else
        eb_json_add_null(row, "rate", "absent: no scored item");
    cJSON_AddNumberToObject(row, "lower", ci.lo);
    cJSON_AddNumberToObject(row, "upper", ci.hi);
    cJSON_AddStringToObject(row, "verdict", eb_verdict_name(v));
    if (v == EB_NOT_SHOWN)
        cJSON_AddNumberToObject(row, "more_items", (double)decision_more(d));
    else
        cJSON_AddNullToObject(row, "more_items");
    decision_how(d, row);
    decision_reference(d, row);
}
