/* How quiet the machine is: a loop that should never be interrupted. */
#include <stdio.h>
#include <string.h>

#include "agent/doctor_parts.h"
#include "agent/sysfs.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/stats.h"

#define NOISE_NS INT64_C(1000000000)
#define NOISE_GAP_NS 10000 /* longer between two looks: someone else ran */
#define NOISE_CHUNKS 400

/* Ticks of /proc/stat's first line: user nice system idle iowait irq softirq
 * steal (proc(5)). */
static int noise_ticks(const char *sysroot, double *steal, double *all)
{
    char text[1024];
    double v[8];
    int i;

    if (eb_sysfs_text(sysroot, "/proc/stat", text, sizeof(text)) != NULL ||
        sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &v[0], &v[1], &v[2],
               &v[3], &v[4], &v[5], &v[6], &v[7]) != 8)
        return 0;
    *steal = v[7];
    for (*all = 0, i = 0; i < 8; i++)
        *all += v[i];
    return 1;
}

struct noise {
    int64_t lost_ns;
    int64_t longest_ns;
    int64_t gaps;
    int64_t wall_ns;
    double chunk_ns[NOISE_CHUNKS];
    size_t n_chunks;
};

/* Fixed work; its time tells the clock frequency. */
static double noise_chunk(void)
{
    volatile unsigned sum = 0;
    int64_t from = eb_clock_ns();
    unsigned i;

    for (i = 0; i < 100000; i++)
        sum = sum + i;
    return (double)(eb_clock_ns() - from);
}

static void noise_spin(struct noise *n)
{
    int64_t start = eb_clock_ns(), last = start, now = start, chunk = start;

    while (now - start < NOISE_NS) {
        now = eb_clock_ns();
        if (now - last > NOISE_GAP_NS) {
            n->gaps++;
            n->lost_ns += now - last;
            if (now - last > n->longest_ns)
                n->longest_ns = now - last;
        }
        last = now;
        if (now - chunk > NOISE_NS / NOISE_CHUNKS &&
            n->n_chunks < NOISE_CHUNKS) {
            n->chunk_ns[n->n_chunks++] = noise_chunk();
            last = chunk = eb_clock_ns();
        }
    }
    n->wall_ns = now - start;
}

/* The quickest tenth of a part is what the clock gave when no one disturbed:
 * how much slower is the last quarter than the first? */
static double noise_drift(const struct noise *n)
{
    size_t quarter = n->n_chunks / 4;
    double first, last;

    if (quarter < 10)
        return -1;
    first = eb_stats_percentile(n->chunk_ns, quarter, 10);
    last =
        eb_stats_percentile(n->chunk_ns + n->n_chunks - quarter, quarter, 10);
    return last > first ? last / first - 1 : first / last - 1;
}

static void noise_finding(struct doctor *d, const char *name, double share,
                          double bar, const char *what, const char *fix)
{
    if (share < 0) {
        eb_doctor_add(d, "noise", name, DOCTOR_MISSING,
                      "not measured: too little time");
        return;
    }
    eb_doctor_add(d, "noise", name, share > bar ? DOCTOR_LIMITED : DOCTOR_OK,
                  "%.2f %% %s", share * 100, what);
    if (share > bar)
        eb_doctor_fix(d, "%s", fix);
}

void eb_doctor_noise(const char *sysroot, cJSON *report)
{
    struct doctor d = {.sysroot = sysroot,
                       .findings = cJSON_GetObjectItem(report, "findings")};
    cJSON *out = cJSON_AddObjectToObject(report, "noise");
    double steal[2] = {0}, all[2] = {0}, drift, lost;
    struct noise n = {0};
    int told = noise_ticks(sysroot, &steal[0], &all[0]);

    noise_spin(&n);
    told = told && noise_ticks(sysroot, &steal[1], &all[1]) && all[1] > all[0];
    drift = noise_drift(&n);
    lost = (double)n.lost_ns / (double)n.wall_ns;
    cJSON_AddNumberToObject(out, "wall_ns", (double)n.wall_ns);
    cJSON_AddNumberToObject(out, "lost_share", lost);
    cJSON_AddNumberToObject(out, "gaps", (double)n.gaps);
    cJSON_AddNumberToObject(out, "longest_gap_ns", (double)n.longest_ns);
    if (told)
        cJSON_AddNumberToObject(out, "steal_share",
                                (steal[1] - steal[0]) / (all[1] - all[0]));
    else
        eb_json_add_null(out, "steal_share", "absent");
    if (drift >= 0)
        cJSON_AddNumberToObject(out, "drift_share", drift);
    else
        eb_json_add_null(out, "drift_share", "not measured: too little time");
    noise_finding(&d, "interruptions", lost, 0.02,
                  "of the time others had the core",
                  "end other programs; uptime and top show them");
    noise_finding(&d, "drift", drift, 0.05,
                  "between the clock at the start and at the end",
                  "fix the clock (see clocks), let the device cool down");
    if (told)
        noise_finding(&d, "steal", (steal[1] - steal[0]) / (all[1] - all[0]),
                      0.01, "of the time the host gave to other machines",
                      "measure on a machine of its own");
}
