/* A power lab: the fake's sensors, a clock that the test turns, no sleeping. */
#ifndef POWER_HELP_H
#define POWER_HELP_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/power.h"
#include "agent/sampler.h"
#include "common/json.h"

struct lab {
    int64_t now_ns;
    struct eb_power *p;
    struct eb_power_hints hints;
};

static int64_t lab_clock(void *arg)
{
    return ((struct lab *)arg)->now_ns;
}

static inline int lab_open(struct lab *l, const char *sysroot, const char *fake,
                           enum eb_power_mode mode, struct eb_err *err)
{
    l->now_ns = INT64_C(5000000000000);
    l->hints.fake = fake != NULL ? fake : "";
    l->hints.clock = lab_clock;
    l->hints.clock_arg = l;
    if (l->hints.meter == NULL)
        l->hints.meter = "";
    return eb_power_open(sysroot, mode, &l->hints, &l->p, err);
}

/* Lets so many seconds pass, with all reads that fall in them. */
static inline void lab_pass(struct lab *l, double s)
{
    int64_t end = l->now_ns + (int64_t)(s * 1e9), next;

    while ((next = eb_sampler_next_ns(eb_power_sampler(l->p))) <= end) {
        if (next > l->now_ns)
            l->now_ns = next;
        eb_sampler_tick(eb_power_sampler(l->p));
    }
    l->now_ns = end;
}

static inline void lab_window(struct lab *l, const char *name, double s)
{
    eb_power_window_begin(l->p, name, NULL, NULL);
    lab_pass(l, s);
    eb_power_window_end(l->p);
}

static inline struct eb_sampler_result lab_result(struct lab *l, size_t window,
                                                  size_t sensor)
{
    struct eb_sampler_result r;

    eb_sampler_result(eb_power_sampler(l->p), window, sensor, &r);
    return r;
}

/* The rows of the record's block. */

static inline const cJSON *row(const cJSON *arr, const char *name)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, arr)
    {
        if (strcmp(eb_json_get_str(v, "name", ""), name) == 0)
            return v;
    }
    return NULL;
}

static inline const char *driver_state(const cJSON *power, const char *driver)
{
    return eb_json_get_str(row(cJSON_GetObjectItem(power, "drivers"), driver),
                           "state", "no row");
}

static inline const char *driver_reason(const cJSON *power, const char *driver)
{
    return eb_json_get_str(row(cJSON_GetObjectItem(power, "drivers"), driver),
                           "reason", "no row");
}

/* "name driver scope sum" of every sensor. */
static inline void sensors(const cJSON *power, char *out, size_t size)
{
    const cJSON *v;
    size_t n = 0;

    out[0] = '\0';
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(power, "sensors")) n +=
        (size_t)snprintf(
            out + n, size - n, "%s%s %s %s %s", n > 0 ? "; " : "",
            eb_json_get_str(v, "name", ""), eb_json_get_str(v, "driver", ""),
            eb_json_get_str(v, "scope", ""), eb_json_get_str(v, "sum", "-"));
}

#endif
