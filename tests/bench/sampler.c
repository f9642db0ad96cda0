/* What the sampler costs: share of one processor at 20 and 100 Hz, reading
 * sysfs-like files. Run by tests/bench/sampler.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/power.h"
#include "agent/sampler.h"
#include "common/clock.h"

#define BENCH_S 10

static void bench(const char *what, const char *sysroot, const char *fake,
                  double rate_hz)
{
    struct eb_power_hints h = {.rate_hz = rate_hz, .fake = fake, .meter = ""};
    struct eb_power *p;
    struct eb_sampler *s;
    int64_t cpu_ns, wall_ns;
    cJSON *v;
    int i;

    if (eb_power_open(sysroot, EB_POWER_AUTO, &h, &p, NULL) != 0)
        exit(1);
    s = eb_power_sampler(p);
    /* As a run has them: the whole, and cells in it. */
    eb_power_window_begin(p, "whole", NULL, NULL);
    cpu_ns = eb_sampler_cpu_ns(s);
    wall_ns = eb_clock_ns();
    for (i = 0; i < BENCH_S; i++) {
        eb_power_window_begin(p, "cell", "level", "en");
        sleep(1);
        eb_power_window_end(p);
    }
    cpu_ns = eb_sampler_cpu_ns(s) - cpu_ns;
    wall_ns = eb_clock_ns() - wall_ns;
    v = eb_power_json(p);
    printf("| %s | %d | %.0f | %.3f %% |\n", what,
           cJSON_GetArraySize(cJSON_GetObjectItem(v, "sensors")), rate_hz,
           100.0 * (double)cpu_ns / (double)wall_ns);
    cJSON_Delete(v);
    eb_power_close(p);
}

int main(int argc, char **argv)
{
    static const char *const trees[] = {"orin-nano", "intel-server-2s",
                                        "intel-laptop"};
    static const double rates[] = {20, 100};
    char path[512];
    size_t i, k;

    if (argc != 2)
        return 2;
    printf("| Sensors of | Sensors | Rate (Hz) | Of one processor |\n");
    printf("| --- | --- | --- | --- |\n");
    for (i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
        for (k = 0; k < sizeof(rates) / sizeof(*rates); k++) {
            snprintf(path, sizeof(path), "%s/tests/fixtures/power/%s", argv[1],
                     trees[i]);
            bench(trees[i], path, "", rates[k]);
        }
    }
    for (k = 0; k < sizeof(rates) / sizeof(*rates); k++)
        bench("the fake", "/nonexistent", "w=5;w=5,kind=counter", rates[k]);
    return 0;
}
