/* PAPI as a driver of `counters`. The only file that includes papi.h.
 *
 * With inheritance PAPI reads one descriptor an event and does not tell how
 * long each was counted, so it takes no more events than there are counters.
 * Where libpfm4 knows no PMU for the processor (hybrid Intel, Cortex-A76 and
 * A78AE with PAPI 7.0.0) or there is none, PAPI_set_opt(PAPI_INHERIT) fails
 * and this driver says so. */
#include "agent/counters_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef EB_HAVE_PAPI
#include <papi.h>
#include <pthread.h>

#include "common/mem.h"

struct eb_papi {
    int set;
    int n;
    enum eb_event_id id[EB_EVENTS_HARDWARE]; /* in the order of the set */
};

static const struct {
    enum eb_event_id id;
    const char *name;
} papi_names[] = {
    {EB_EVENT_INSTRUCTIONS, "PAPI_TOT_INS"},
    {EB_EVENT_INSTRUCTIONS, "perf::INSTRUCTIONS"},
    {EB_EVENT_CYCLES, "PAPI_TOT_CYC"},
    {EB_EVENT_CYCLES, "perf::CYCLES"},
    {EB_EVENT_LLC_MISSES, "perf::LLC-LOAD-MISSES"},
    {EB_EVENT_LLC_MISSES, "perf::CACHE-MISSES"},
    {EB_EVENT_DTLB_MISSES, "perf::DTLB-LOAD-MISSES"},
    {EB_EVENT_DTLB_MISSES, "PAPI_TLB_DM"},
    {EB_EVENT_BRANCH_MISSES, "PAPI_BR_MSP"},
    {EB_EVENT_BRANCH_MISSES, "perf::BRANCH-MISSES"},
    {EB_EVENT_STALLED_CYCLES, "perf::STALLED-CYCLES-BACKEND"},
};
#define PAPI_NAMES (sizeof(papi_names) / sizeof(papi_names[0]))

static void *papi_work(void *arg)
{
    (void)arg;
    eb_counters_work();
    return NULL;
}

/* Instructions of a thread started now must be in the count. */
static const char *papi_prove(struct eb_papi *p)
{
    long long before[EB_EVENTS_HARDWARE] = {0}, after[EB_EVENTS_HARDWARE] = {0};
    pthread_t t;

    if (p->id[0] != EB_EVENT_INSTRUCTIONS)
        return "it has no instruction counter";
    if (PAPI_read(p->set, before) != PAPI_OK)
        return "read failed";
    if (pthread_create(&t, NULL, papi_work, NULL) == 0)
        pthread_join(t, NULL);
    if (PAPI_read(p->set, after) != PAPI_OK)
        return "read failed";
    return after[0] - before[0] >= EB_WORK_STEPS ? NULL
                                                 : "threads are not counted";
}

static int papi_setup(struct eb_papi *p, struct eb_event_state *out)
{
    PAPI_option_t opt;
    int rc, counters = PAPI_num_cmp_hwctrs(0);
    size_t i;

    rc = PAPI_create_eventset(&p->set);
    if (rc == PAPI_OK)
        rc = PAPI_assign_eventset_component(p->set, 0);
    memset(&opt, 0, sizeof(opt));
    opt.inherit.eventset = p->set;
    opt.inherit.inherit = PAPI_INHERIT_ALL;
    if (rc == PAPI_OK)
        rc = PAPI_set_opt(PAPI_INHERIT, &opt);
    for (i = 0; rc == PAPI_OK && i < PAPI_NAMES; i++) {
        struct eb_event_state *e = &out[papi_names[i].id];

        if (e->open || p->n >= counters ||
            PAPI_add_named_event(p->set, papi_names[i].name) != PAPI_OK)
            continue;
        e->open = 1;
        e->user_only = 1; /* PAPI's default domain */
        e->source = papi_names[i].name;
        p->id[p->n++] = papi_names[i].id;
    }
    if (rc == PAPI_OK && p->n == 0)
        rc = PAPI_ENOEVNT;
    return rc == PAPI_OK ? PAPI_start(p->set) : rc;
}

struct eb_papi *eb_papi_open(struct eb_event_state out[EB_EVENTS_HARDWARE],
                             char *why, size_t size)
{
    struct eb_papi *p = eb_xcalloc(1, sizeof(*p));
    const char *text = NULL;
    int rc, i;

    for (i = 0; i < EB_EVENTS_HARDWARE; i++) {
        out[i] = (struct eb_event_state){0};
        snprintf(out[i].reason, sizeof(out[i].reason),
                 "unsupported: PAPI has no such event or no free counter");
    }
    p->set = PAPI_NULL;
    rc = PAPI_library_init(PAPI_VER_CURRENT);
    if (rc != PAPI_VER_CURRENT)
        text = "the library of another version";
    else if ((rc = papi_setup(p, out)) != PAPI_OK)
        text = PAPI_strerror(rc);
    else
        text = papi_prove(p);
    if (text == NULL) {
        for (i = 0; i < p->n; i++)
            out[p->id[i]].proved = p->id[i] == EB_EVENT_INSTRUCTIONS;
        return p;
    }
    snprintf(why, size, "unsupported: PAPI: %s", text);
    eb_papi_close(p);
    for (i = 0; i < EB_EVENTS_HARDWARE; i++)
        out[i].open = 0;
    return NULL;
}

const char *eb_papi_read(struct eb_papi *p, struct eb_count *out,
                         const struct eb_event_state *states)
{
    long long v[EB_EVENTS_HARDWARE] = {0};
    int i;

    (void)states;
    if (PAPI_read(p->set, v) != PAPI_OK)
        return "not measured: read failed";
    for (i = 0; i < p->n; i++)
        out[p->id[i]] =
            (struct eb_count){.raw = (double)v[i], .running_ns = -1};
    return NULL;
}

void eb_papi_close(struct eb_papi *p)
{
    long long v[EB_EVENTS_HARDWARE] = {0};

    if (p == NULL)
        return;
    if (p->set != PAPI_NULL) {
        PAPI_stop(p->set, v); /* fails if it never started: no matter */
        PAPI_cleanup_eventset(p->set);
        PAPI_destroy_eventset(&p->set);
    }
    PAPI_shutdown();
    free(p);
}

#else

struct eb_papi *eb_papi_open(struct eb_event_state out[EB_EVENTS_HARDWARE],
                             char *why, size_t size)
{
    memset(out, 0, EB_EVENTS_HARDWARE * sizeof(*out));
    snprintf(why, size, "absent: this build has no PAPI");
    return NULL;
}

const char *eb_papi_read(struct eb_papi *p, struct eb_count *out,
                         const struct eb_event_state *states)
{
    (void)p;
    (void)out;
    (void)states;
    return "absent: this build has no PAPI";
}

void eb_papi_close(struct eb_papi *p)
{
    (void)p;
}

#endif
