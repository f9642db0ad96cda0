/* Heat, clocks and what slows a device down: before, through and after a run.
 *
 *     eb_heat_open("", &h);
 *     eb_heat_before(h);
 *       eb_heat_sample(h, eb_clock_ns());           at about 1 Hz
 *       eb_heat_mark(h, &mark); ...a repetition...
 *       seen = eb_heat_throttled(h, &mark, why, sizeof(why));
 *     eb_heat_after(h);
 *     json = eb_heat_record(h);                     the record's `heat`
 *     eb_heat_close(h);
 *
 * Read are thermal zones and the chips' own sensors in hwmon, cooling
 * devices, cpufreq, devfreq, Android's thermal status, the counters of throttle
 * events (Intel thermal_throttle, Jetson over-current, Raspberry Pi
 * get_throttled), and GPUs that are added: eb_heat_nvml_add, eb_heat_add_gpu.
 *
 * After open and add_gpu nothing is allocated until record. sample may be
 * called by one thread while another uses mark and throttled; before, after
 * and record only while no one samples. */
#ifndef EB_HEAT_H
#define EB_HEAT_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#define EB_HEAT_COUNTERS_MAX 512
#define EB_HEAT_LIMITS_MAX 64
#define EB_HEAT_CLOCKS_MAX 64
#define EB_HEAT_GPUS_MAX 8

struct eb_heat;

/* Why a GPU's clocks are low: the bits of NVML's clocks event reasons. */
#define EB_GPU_SW_POWER_CAP UINT64_C(0x4)
#define EB_GPU_HW_SLOWDOWN UINT64_C(0x8)
#define EB_GPU_SW_THERMAL UINT64_C(0x20)
#define EB_GPU_HW_THERMAL UINT64_C(0x40)
#define EB_GPU_HW_POWER_BRAKE UINT64_C(0x80)

/* NAN: not known. */
struct eb_heat_gpu_now {
    double temperature_c;
    double clock_mhz;
    int has_reasons;
    uint64_t reasons;
};
/* What a GPU driver fills. read: NULL or the reason why not, a constant;
 * called by two threads at once unless it locks. */
struct eb_heat_gpu {
    char name[48];
    const char *(*read)(void *arg, struct eb_heat_gpu_now *out);
    void *arg;
};

/* The state of everything that tells of throttling, for comparing. NAN: not
 * readable. */
struct eb_heat_mark {
    double count[EB_HEAT_COUNTERS_MAX];
    double limit[EB_HEAT_LIMITS_MAX];   /* cooling state */
    double ceiling[EB_HEAT_CLOCKS_MAX]; /* highest clock allowed */
    struct eb_heat_gpu_now gpu[EB_HEAT_GPUS_MAX];
    int limited; /* samples so far in which something limited the device */
};

/* Never fails: what is not there is in the record with its reason. */
void eb_heat_open(const char *sysroot, struct eb_heat **out);
void eb_heat_close(struct eb_heat *h); /* NULL is fine */
/* Copied. More than EB_HEAT_GPUS_MAX are ignored. */
void eb_heat_add_gpu(struct eb_heat *h, const struct eb_heat_gpu *gpu);

/* NVIDIA's boards, for one heat after another; NULL where there is no NVML,
 * which the other two take. Closed after the heats that it was added to. */
struct eb_heat_nvml;
struct eb_heat_nvml *eb_heat_nvml_open(const char *sysroot);
void eb_heat_nvml_add(struct eb_heat_nvml *n, struct eb_heat *h);
void eb_heat_nvml_close(struct eb_heat_nvml *n);

void eb_heat_before(struct eb_heat *h);
void eb_heat_sample(struct eb_heat *h, int64_t now_ns);
void eb_heat_after(struct eb_heat *h);

void eb_heat_mark(const struct eb_heat *h, struct eb_heat_mark *mark);
/* Whether something slowed the device down since the mark: 1 with why in
 * words, 0 no, -1 not known with why not. */
int eb_heat_throttled(const struct eb_heat *h, const struct eb_heat_mark *since,
                      char *why, size_t size);

cJSON *eb_heat_record(const struct eb_heat *h);

#endif
