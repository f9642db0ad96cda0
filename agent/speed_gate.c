#include "agent/speed_gate.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/device.h"
#include "agent/talk.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"

#define GATE_LOOK_MS 1000
#define GATE_FILE_MAX (1 << 20)
#define GATE_MIN_NS INT64_C(500000000)

static int64_t gate_now(void *arg)
{
    (void)arg;
    return eb_clock_ns();
}

static void gate_sleep(void *arg, int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    (void)arg;
    nanosleep(&t, NULL);
}

static int64_t gate_tv(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

static int64_t gate_own(void *arg)
{
    struct rusage u;

    (void)arg;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return gate_tv(u.ru_utime) + gate_tv(u.ru_stime);
}

static int gate_stop(void)
{
    return eb_talk_interrupts() > 0;
}

struct eb_speed_env eb_speed_env_real(void)
{
    return (struct eb_speed_env){.now = gate_now,
                                 .sleep_ms = gate_sleep,
                                 .own_cpu_ns = gate_own,
                                 .sysroot = "",
                                 .stop = gate_stop};
}

/* A line of /proc/stat in clock ticks (proc_stat(5)): user nice system idle
 * iowait irq softirq steal; guest time is part of user. -1: another line. */
static int64_t gate_ticks(const char *line, int *cpu)
{
    long long t[8];
    int n = 0;

    *cpu = -1;
    if (strncmp(line, "cpu", 3) != 0)
        return -1;
    if (line[3] != ' ' && (sscanf(line + 3, "%d%n", cpu, &n) != 1 || *cpu < 0))
        return -1;
    if (sscanf(line + 3 + n, "%lld %lld %lld %lld %lld %lld %lld %lld", &t[0],
               &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
        return -1;
    return t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
}

/* Of the processors that we may use: what others do on those that taskset(1)
 * or a container keeps from us does not disturb. All of them where the file
 * does not tell them apart; -1: it tells nothing. */
static int64_t gate_busy(const char *text)
{
    int64_t all = -1, ours = -1, ticks;
    cpu_set_t set;
    int cpu, known = sched_getaffinity(0, sizeof(set), &set) == 0;

    for (; text != NULL; text = strchr(text, '\n')) {
        text += *text == '\n';
        ticks = gate_ticks(text, &cpu);
        if (ticks >= 0 && cpu < 0)
            all = ticks;
        else if (ticks >= 0 && known && cpu < CPU_SETSIZE &&
                 CPU_ISSET(cpu, &set))
            ours = (ours < 0 ? 0 : ours) + ticks;
    }
    return ours >= 0 ? ours : all;
}

struct eb_speed_cpu eb_speed_cpu_now(const struct eb_speed_env *env)
{
    struct eb_speed_cpu c = {.at_ns = env->now(env->arg),
                             .own_ns = env->own_cpu_ns(env->arg)};
    char *path = eb_xasprintf("%s/proc/stat", env->sysroot);
    struct eb_buf b = {0};
    long hz = sysconf(_SC_CLK_TCK);
    int64_t ticks = -1;

    if (eb_fs_read(path, GATE_FILE_MAX, &b, NULL) == 0 && b.len > 0)
        ticks = gate_busy(b.data);
    if (ticks >= 0 && hz > 0) {
        c.ok = 1;
        c.busy_ns = ticks * (INT64_C(1000000000) / hz);
    }
    eb_buf_free(&b);
    free(path);
    return c;
}

double eb_speed_others(const struct eb_speed_env *env,
                       const struct eb_speed_cpu *since)
{
    struct eb_speed_cpu now = eb_speed_cpu_now(env);
    double wall = (double)(now.at_ns - since->at_ns), others;

    if (!now.ok || !since->ok || wall < (double)GATE_MIN_NS)
        return NAN;
    others = ((double)(now.busy_ns - since->busy_ns) -
              (double)(now.own_ns - since->own_ns)) /
             wall;
    return others > 0 ? others : 0;
}

double eb_speed_others_max(int threads, int cores)
{
    int idle = cores > threads ? cores - threads : 0;

    return idle + 0.05 * cores;
}

/* What keeps the gate shut, or "". Where others cannot be counted the load
 * average decides. */
static void gate_note(const struct eb_gate_rule *rule, double others,
                      double load, double celsius, char *note, size_t size)
{
    double most = eb_speed_others_max(rule->threads, rule->cores);

    note[0] = '\0';
    if (!isnan(others) && others > most)
        snprintf(note, size,
                 "other processes used %.2f of %d cores, at most %.2f is quiet",
                 others, rule->cores, most);
    else if (isnan(others) && load > most + 0.5)
        snprintf(note, size, "the load average is %.2f on %d cores", load,
                 rule->cores);
    else if (celsius > rule->max_celsius)
        snprintf(note, size, "the hottest zone has %.1f C, above %.0f C",
                 celsius, rule->max_celsius);
}

cJSON *eb_gate_wait(const struct eb_speed_env *env,
                    const struct eb_gate_rule *rule)
{
    int64_t from = env->now(env->arg);
    double others, load, celsius;
    cJSON *out = cJSON_CreateObject(), *v;
    char note[160];

    for (;;) {
        struct eb_speed_cpu c = eb_speed_cpu_now(env);

        env->sleep_ms(env->arg, GATE_LOOK_MS);
        others = eb_speed_others(env, &c);
        v = eb_device_conditions(env->sysroot);
        load = eb_json_get_num(v, "loadavg_1m", NAN);
        celsius = eb_json_get_num(v, "temperature_c", NAN);
        cJSON_Delete(v);
        gate_note(rule, others, load, celsius, note, sizeof(note));
        if (note[0] == '\0' || (env->stop != NULL && env->stop()) ||
            env->now(env->arg) - from >= rule->timeout_ns)
            break;
    }
    cJSON_AddBoolToObject(out, "passed", note[0] == '\0');
    cJSON_AddNumberToObject(out, "waited_ns",
                            (double)(env->now(env->arg) - from));
    eb_json_add_num(out, "others_cores", others, "absent: no /proc/stat");
    eb_json_add_num(out, "loadavg_1m", load, "absent");
    eb_json_add_num(out, "temperature_c", celsius, "absent");
    cJSON_AddStringToObject(out, "note",
                            note[0] == '\0' ? "the machine is quiet" : note);
    return out;
}
