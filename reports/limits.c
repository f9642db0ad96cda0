#include "reports/limits.h"

#include <math.h>
#include <stddef.h>

#include "reports/section.h"

/* Comparisons with NAN are false: what is not known fulfils no rule. */

static int in_cache(const struct eb_limit_in *in)
{
    return in->weights_bytes <= in->cache_bytes;
}

static int no_rate_holds(const struct eb_limit_in *in)
{
    return in->no_rate != NULL;
}

static void no_rate_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    eb_buf_adds(out, in->no_rate);
}

static int throttling_holds(const struct eb_limit_in *in)
{
    return in->throttled >= EB_LIMIT_THROTTLED;
}

static void throttling_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    eb_buf_addf(out, "in %.0f%% of the repeats", 100 * in->throttled);
}

static int faults_hold(const struct eb_limit_in *in)
{
    return in->faults >= EB_LIMIT_FAULTS;
}

static void faults_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    eb_buf_addf(out, "%.0f a second were read from the disk", in->faults);
}

static int scheduler_holds(const struct eb_limit_in *in)
{
    return (!in->accelerated && in->ran < EB_LIMIT_RAN) ||
           in->taken >= EB_LIMIT_TAKEN || in->migrations >= EB_LIMIT_MIGRATIONS;
}

static void scheduler_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    const char *sep = "";

    if (!in->accelerated && !isnan(in->ran)) {
        eb_buf_addf(out, "the threads ran %.0f%% of the time", 100 * in->ran);
        sep = ", ";
    }
    if (in->taken >= EB_LIMIT_TAKEN) {
        eb_buf_addf(out, "%sothers took %.1f cores from them", sep, in->taken);
        sep = ", ";
    }
    if (!isnan(in->switches) && !isnan(in->migrations))
        eb_buf_addf(out, "%s%.0f context switches and %.0f migrations a second",
                    sep, in->switches, in->migrations);
}

static int odd_holds(const struct eb_limit_in *in)
{
    return in->mbu > 1 && !in_cache(in);
}

static void odd_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    eb_buf_addf(out,
                "MBU %.2f is above 1: a part of the model stays in the cache, "
                "or triad was disturbed",
                in->mbu);
}

static int bandwidth_holds(const struct eb_limit_in *in)
{
    return in->mbu >= EB_LIMIT_MBU_HIGH && !in_cache(in);
}

static void bandwidth_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    eb_buf_addf(out, "MBU %.2f", in->mbu);
}

static int compute_holds(const struct eb_limit_in *in)
{
    return !in->accelerated && in->ran >= EB_LIMIT_RAN &&
           (in_cache(in) || in->mbu < EB_LIMIT_MBU_LOW);
}

static void cache_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    char weights[EB_SHORT_LEN], cache[EB_SHORT_LEN];

    eb_buf_addf(out, "the weights (%s) fit the last cache (%s)",
                eb_short_bytes(in->weights_bytes, weights),
                eb_short_bytes(in->cache_bytes, cache));
}

static void compute_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    eb_buf_addf(out, "the threads ran %.0f%% of the time", 100 * in->ran);
    if (!isnan(in->mbu))
        eb_buf_addf(out, ", MBU %.2f", in->mbu);
    if (in_cache(in)) {
        eb_buf_adds(out, "; ");
        cache_say(in, out);
    }
}

static int always(const struct eb_limit_in *in)
{
    (void)in;
    return 1;
}

static void unknown_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    if (in->accelerated)
        eb_buf_adds(out, "the model is on an accelerator, whose bandwidth and "
                         "load are not measured");
    else if (in_cache(in))
        cache_say(in, out);
    else if (isnan(in->mbu))
        eb_buf_addf(out, "no MBU (%s)",
                    in->mbu_why != NULL ? in->mbu_why : "absent");
    else
        eb_buf_addf(out, "MBU %.2f", in->mbu);
    if (!in->accelerated && isnan(in->ran))
        eb_buf_adds(out, ", and no processor time of the threads was counted");
    else if (in->mbu >= EB_LIMIT_MBU_LOW && !in_cache(in))
        eb_buf_adds(out, " speaks for neither bandwidth nor compute");
}

static const struct {
    enum eb_limit limit;
    const char *name;
    int (*holds)(const struct eb_limit_in *in);
    void (*say)(const struct eb_limit_in *in, struct eb_buf *out);
} rules[] = {
    {EB_LIMIT_UNKNOWN, "not known", no_rate_holds, no_rate_say},
    {EB_LIMIT_THROTTLING, "throttling", throttling_holds, throttling_say},
    {EB_LIMIT_PAGE_FAULTS, "page faults", faults_hold, faults_say},
    {EB_LIMIT_SCHEDULER, "scheduler", scheduler_holds, scheduler_say},
    {EB_LIMIT_UNKNOWN, "not known", odd_holds, odd_say},
    {EB_LIMIT_BANDWIDTH, "bandwidth", bandwidth_holds, bandwidth_say},
    {EB_LIMIT_COMPUTE, "compute", compute_holds, compute_say},
    {EB_LIMIT_UNKNOWN, "not known", always, unknown_say},
};

/* What a disturbance could have been, where nobody looked. */
static void unseen_say(const struct eb_limit_in *in, struct eb_buf *out)
{
    const char *a = isnan(in->throttled) ? "throttling" : NULL;
    const char *b = isnan(in->faults) ? "page faults" : NULL;

    if (a != NULL || b != NULL)
        eb_buf_addf(out, " (%s%s%s could not be seen)", a != NULL ? a : "",
                    a != NULL && b != NULL ? " and " : "", b != NULL ? b : "");
}

enum eb_limit eb_limit_judge(const struct eb_limit_in *in, struct eb_buf *out)
{
    size_t i = 0;

    while (!rules[i].holds(in))
        i++;
    eb_buf_addf(out, "%s: ", rules[i].name);
    rules[i].say(in, out);
    if (rules[i].limit == EB_LIMIT_BANDWIDTH ||
        rules[i].limit == EB_LIMIT_COMPUTE)
        unseen_say(in, out);
    return rules[i].limit;
}
