/* Is the machine quiet enough to measure on, and who disturbed?
 *
 * What other processes use is the busy time in /proc/stat of the processors
 * that we may use, less our own (getrusage). The load average is recorded, but does not decide
 * where /proc/stat can be read: it counts our own threads of a minute ago.
 *
 * Example: two processors, 1 s in which they were busy 1.5 s together and we
 * for 1.0 s: others used 0.5 cores. Readers take a sysroot as those of
 * device.h do. One thread. */
#ifndef EB_SPEED_GATE_H
#define EB_SPEED_GATE_H

#include <cjson/cJSON.h>
#include <stdint.h>

/* The time and the machine; tests put their own in. */
struct eb_speed_env {
    int64_t (*now)(void *arg);
    void (*sleep_ms)(void *arg, int ms);
    int64_t (*own_cpu_ns)(void *arg); /* of this process, all threads */
    void *arg;
    const char *sysroot;
    int (*stop)(void); /* NULL: never */
};
/* The real ones, and eb_talk_interrupts. */
struct eb_speed_env eb_speed_env_real(void);

/* A moment of the processors; ok is 0 where it cannot be read. */
struct eb_speed_cpu {
    int ok;
    int64_t at_ns, busy_ns, own_ns;
};
struct eb_speed_cpu eb_speed_cpu_now(const struct eb_speed_env *env);
/* Cores that others used since then; NAN if not known, or less than 0.5 s
 * passed: the kernel counts in hundredths of a second a processor. */
double eb_speed_others(const struct eb_speed_env *env,
                       const struct eb_speed_cpu *since);
/* What others may use: the processors we leave idle, and a twentieth of all. */
double eb_speed_others_max(int threads, int cores);

struct eb_gate_rule {
    int threads, cores;
    double max_celsius;
    int64_t timeout_ns;
};
/* Waits until others are quiet and the hottest zone is cool enough. Returns
 * the record's `gate`: passed, waited_ns, others_cores, temperature_c,
 * loadavg_1m, note. */
cJSON *eb_gate_wait(const struct eb_speed_env *env,
                    const struct eb_gate_rule *rule);

#endif
