/* Counters of this machine, and of kernels that are played: with one PMU, of
 * a hybrid processor, with counters that are shared, stick, vanish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "agent/counters_parts.h"
#include "agent/sysfs.h"
#include "common/fs.h"
#include "common/json.h"
#include "tests/tree_help.h"

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/eb-cnt-XXXXXX");
    return mkdtemp(root) == NULL;
}

/* A played kernel: every read of a descriptor adds to its count. */
static struct fake_fd {
    int used;
    struct perf_event_attr attr;
    uint64_t value, enabled, running;
} fake_fds[64];
static struct {
    int refuse_kernel; /* EACCES unless exclude_kernel */
    int no_extended;   /* old ARM: no type in the upper half */
    int refuse_all;    /* errno, 0: none */
    double share[8];   /* of the time, by PMU type */
    uint64_t step;     /* counted by a read at full share */
    uint64_t back;     /* taken away from value by every read */
    int fail_read;     /* errno */
    int open_fds;
} fake;

static int fake_open(struct perf_event_attr *attr, pid_t pid, int cpu,
                     int group, unsigned long flags)
{
    int i;

    (void)flags;
    assert_int_equal(pid, 0);
    assert_int_equal(cpu, -1);
    assert_int_equal(group, -1);
    assert_int_equal(attr->inherit, 1);
    errno = fake.refuse_all;
    if (fake.refuse_all)
        return -1;
    errno = EACCES;
    if (fake.refuse_kernel && !attr->exclude_kernel)
        return -1;
    errno = ENOENT;
    if (fake.no_extended && attr->config >> 32 != 0)
        return -1;
    for (i = 0; i < 64; i++) {
        if (!fake_fds[i].used) {
            fake_fds[i] = (struct fake_fd){.used = 1, .attr = *attr};
            fake.open_fds++;
            return 1000 + i;
        }
    }
    errno = EMFILE;
    return -1;
}

static ssize_t fake_read(int fd, void *buf, size_t n)
{
    struct fake_fd *f = &fake_fds[fd - 1000];
    uint32_t pmu = (uint32_t)(f->attr.config >> 32);
    uint64_t v[3];
    double share;

    assert_true(f->used && n == sizeof(v));
    if (pmu == 0 && f->attr.type >= PERF_TYPE_RAW)
        pmu = f->attr.type; /* asked for by the number of ARM */
    share = f->attr.type == PERF_TYPE_SOFTWARE ? 1 : fake.share[pmu % 8];
    if (fake.fail_read) {
        errno = fake.fail_read;
        return -1;
    }
    f->enabled += 1000000;
    f->running += (uint64_t)(1000000 * share);
    f->value += (uint64_t)((double)fake.step * share);
    f->value -= fake.back;
    v[0] = f->value;
    v[1] = f->enabled;
    v[2] = f->running;
    memcpy(buf, v, sizeof(v));
    return (ssize_t)sizeof(v);
}

static int fake_close(int fd)
{
    assert_true(fake_fds[fd - 1000].used);
    fake_fds[fd - 1000].used = 0;
    fake.open_fds--;
    return 0;
}

static const struct eb_perf_sys fake_sys = {fake_open, fake_read, fake_close};

static struct eb_counters *fake_counters(void)
{
    struct eb_counters *c;

    assert_int_equal(eb_counters_open_with(root, &fake_sys, 0, &c, NULL), 0);
    return c;
}

static void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    memset(fake_fds, 0, sizeof(fake_fds));
    fake.step = 1000000;
    fake.share[0] = 1;
}

static const cJSON *event(const cJSON *rec, const char *phase, const char *name)
{
    const cJSON *p = cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(rec, "phases"), phase),
        "events");
    const cJSON *row;

    cJSON_ArrayForEach(row, p)
    {
        if (strcmp(eb_json_get_str(row, "event", ""), name) == 0)
            return row;
    }
    fail_msg("no event %s", name);
    return NULL;
}

static double value(const cJSON *rec, const char *phase, const char *name)
{
    return eb_json_get_num(event(rec, phase, name), "value", -1);
}

static void is_null(const cJSON *rec, const char *phase, const char *name,
                    const char *reason)
{
    const cJSON *row = event(rec, phase, name);

    assert_true(cJSON_IsNull(cJSON_GetObjectItem(row, "value")));
    if (strncmp(eb_json_get_str(row, "value_reason", ""), reason,
                strlen(reason)) != 0)
        fail_msg("%s: %s", name, eb_json_get_str(row, "value_reason", ""));
}

/* This machine */

static void *burn(void *arg)
{
    struct timespec from, now;
    volatile unsigned sum = 0;
    long long ms = (long long)(intptr_t)arg, got;
    int i;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    do {
        for (i = 0; i < 10000; i++)
            sum = sum + (unsigned)i;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        got = (now.tv_sec - from.tv_sec) * 1000LL +
              (now.tv_nsec - from.tv_nsec) / 1000000;
    } while (got < ms);
    return NULL;
}

/* Threads that start after open are in, also while they still run. */
static void test_threads(void **state)
{
    struct eb_counters *c;
    pthread_t t[3];
    cJSON *rec;
    int i;

    (void)state;
    assert_int_equal(eb_counters_open("", &c, NULL), 0);
    eb_counters_begin(c, EB_PHASE_WHOLE);
    eb_counters_begin(c, EB_PHASE_PREFILL);
    for (i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&t[i], NULL, burn, (void *)(intptr_t)20), 0);
    for (i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    eb_counters_end(c, EB_PHASE_PREFILL);
    eb_counters_begin(c, EB_PHASE_DECODE);
    pthread_create(&t[0], NULL, burn, (void *)(intptr_t)10);
    pthread_join(t[0], NULL);
    eb_counters_end(c, EB_PHASE_DECODE);
    eb_counters_end(c, EB_PHASE_WHOLE);
    rec = eb_counters_record(c);
    assert_true(value(rec, "prefill", "task_clock_ns") >= 58e6);
    assert_true(value(rec, "decode", "task_clock_ns") >= 9e6);
    assert_true(value(rec, "whole", "task_clock_ns") >=
                value(rec, "prefill", "task_clock_ns") +
                    value(rec, "decode", "task_clock_ns"));
    assert_true(value(rec, "whole", "minor_faults") >= 1);
    assert_true(value(rec, "whole", "context_switches") >= 0);
    cJSON_Delete(rec);
    eb_counters_close(c);
}

/* Pages touched by a thread are faults of it. */
static void *touch(void *arg)
{
    size_t size = 400 * 4096, i;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)arg;
    assert_true(p != MAP_FAILED);
    madvise(p, size, MADV_NOHUGEPAGE);
    for (i = 0; i < size; i += 4096)
        p[i] = 1;
    munmap(p, size);
    return NULL;
}

static void test_faults(void **state)
{
    struct eb_counters *c;
    pthread_t t;
    cJSON *rec;

    (void)state;
    eb_counters_open("", &c, NULL);
    eb_counters_begin(c, EB_PHASE_WHOLE);
    pthread_create(&t, NULL, touch, NULL);
    pthread_join(t, NULL);
    eb_counters_end(c, EB_PHASE_WHOLE);
    rec = eb_counters_record(c);
    assert_true(value(rec, "whole", "minor_faults") >=
                400 * 4096 / sysconf(_SC_PAGESIZE));
    is_null(rec, "decode", "minor_faults", "not measured: the phase");
    cJSON_Delete(rec);
    eb_counters_close(c);
}

/* A machine without a PMU says so for each hardware event. */
static void test_no_pmu(void **state)
{
    struct eb_pmu pmus[EB_PMUS_MAX];
    struct eb_counters *c;
    cJSON *rec;

    (void)state;
    if (eb_counters_pmus("", pmus) > 0)
        skip();
    eb_counters_open("", &c, NULL);
    eb_counters_begin(c, EB_PHASE_WHOLE);
    eb_counters_end(c, EB_PHASE_WHOLE);
    rec = eb_counters_record(c);
    is_null(rec, "whole", "instructions", "absent: no processor PMU");
    is_null(rec, "whole", "stalled_cycles", "absent: no processor PMU");
    assert_true(eb_json_get_num(rec, "snapshot_ns", -1) > 0);
    cJSON_Delete(rec);
    eb_counters_close(c);
}

/* Played kernels */

static void one_pmu(void)
{
    put("/sys/bus/event_source/devices/cpu/type", "4\n");
    put("/proc/sys/kernel/perf_event_paranoid", "2\n");
}

static void test_one_pmu(void **state)
{
    struct eb_counters *c;
    cJSON *rec;

    (void)state;
    fake_reset();
    one_pmu();
    c = fake_counters();
    assert_int_equal(fake.open_fds, EB_EVENTS);
    eb_counters_begin(c, EB_PHASE_DECODE);
    eb_counters_end(c, EB_PHASE_DECODE);
    eb_counters_begin(c, EB_PHASE_DECODE);
    eb_counters_end(c, EB_PHASE_DECODE);
    eb_counters_end(c, EB_PHASE_PREFILL); /* without a begin */
    rec = eb_counters_record(c);
    assert_true(value(rec, "decode", "instructions") == 2000000);
    assert_true(eb_json_get_num(event(rec, "decode", "instructions"),
                                "running_ratio", 0) == 1);
    assert_null(
        cJSON_GetObjectItem(event(rec, "decode", "instructions"), "scaled"));
    assert_true(
        eb_json_get_num(
            cJSON_GetObjectItem(cJSON_GetObjectItem(rec, "phases"), "decode"),
            "ipc", 0) == 1);
    is_null(rec, "prefill", "instructions", "not measured: the phase");
    cJSON_Delete(rec);
    eb_counters_reset(c);
    rec = eb_counters_record(c);
    is_null(rec, "decode", "instructions", "not measured: the phase");
    cJSON_Delete(rec);
    eb_counters_close(c);
    assert_int_equal(fake.open_fds, 0);
}

/* Half of the time: scaled and marked; a tenth: rejected. */
static void test_multiplexed(void **state)
{
    struct eb_counters *c;
    cJSON *rec;

    (void)state;
    fake_reset();
    one_pmu();
    fake.share[0] = 0.5;
    c = fake_counters();
    eb_counters_begin(c, EB_PHASE_WHOLE);
    eb_counters_end(c, EB_PHASE_WHOLE);
    fake.share[0] = 0.1;
    eb_counters_begin(c, EB_PHASE_DECODE);
    eb_counters_end(c, EB_PHASE_DECODE);
    rec = eb_counters_record(c);
    assert_true(value(rec, "whole", "cycles") == 1000000);
    assert_true(eb_json_get_num(event(rec, "whole", "cycles"), "running_ratio",
                                0) == 0.5);
    assert_true(cJSON_IsTrue(
        cJSON_GetObjectItem(event(rec, "whole", "cycles"), "scaled")));
    is_null(rec, "decode", "cycles", "out of range: counted less than a fifth");
    assert_true(value(rec, "decode", "task_clock_ns") > 0);
    cJSON_Delete(rec);
    eb_counters_close(c);
}

static void hybrid(const char *a, const char *b)
{
    char path[96];

    snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", a);
    put(path, "4\n");
    snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/cpus", a);
    put(path, "0-3\n");
    snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", b);
    put(path, "10\n");
    snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/cpus", b);
    put(path, "4-7\n");
    put("/sys/bus/event_source/devices/uncore_imc_0/type", "20\n");
    put("/sys/bus/event_source/devices/uncore_imc_0/cpumask", "0\n");
}

/* Threads move between kinds of cores: the parts add up, nothing is scaled. */
static void check_hybrid(const char *first)
{
    struct eb_counters *c;
    cJSON *rec;

    fake.share[4] = 0.75;
    fake.share[10 % 8] = 0.25;
    c = fake_counters();
    assert_int_equal(fake.open_fds,
                     2 * EB_EVENTS_HARDWARE + EB_EVENTS - EB_EVENTS_HARDWARE);
    eb_counters_begin(c, EB_PHASE_WHOLE);
    eb_counters_end(c, EB_PHASE_WHOLE);
    rec = eb_counters_record(c);
    assert_true(value(rec, "whole", "instructions") == 1000000);
    assert_true(eb_json_get_num(event(rec, "whole", "instructions"),
                                "running_ratio", 0) == 1);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(rec, "pmus")), 2);
    assert_true(
        eb_json_get_num(
            cJSON_GetObjectItem(event(rec, "whole", "instructions"), "by_pmu"),
            first, 0) == 750000);
    cJSON_Delete(rec);
    eb_counters_close(c);
    assert_int_equal(fake.open_fds, 0);
}

static void test_hybrid_intel(void **state)
{
    (void)state;
    fake_reset();
    hybrid("cpu_core", "cpu_atom");
    check_hybrid("cpu_core");
}

static void test_hybrid_old_arm(void **state)
{
    (void)state;
    fake_reset();
    hybrid("armv8_cortex_a55", "armv8_cortex_a76");
    fake.no_extended = 1;
    check_hybrid("armv8_cortex_a55");
}

/* What may not look at the kernel counts the user's share or, where that
 * would be 0 always, asks getrusage. */
static void test_paranoid(void **state)
{
    struct eb_counters *c;
    const cJSON *row;
    cJSON *rec;

    (void)state;
    fake_reset();
    one_pmu();
    fake.refuse_kernel = 1;
    c = fake_counters();
    eb_counters_begin(c, EB_PHASE_WHOLE);
    eb_counters_end(c, EB_PHASE_WHOLE);
    rec = eb_counters_record(c);
    row = event(rec, "whole", "instructions");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(row, "user_only")));
    row = event(rec, "whole", "context_switches");
    assert_string_equal(eb_json_get_str(row, "provider", ""), "getrusage");
    assert_true(eb_json_get_num(row, "value", -1) >= 0);
    is_null(rec, "whole", "migrations",
            "no permission: kernel.perf_event_paranoid is 2");
    cJSON_Delete(rec);
    eb_counters_close(c);
}

static void refused(int e, const char *status, const char *reason)
{
    struct eb_counters *c;
    cJSON *rec;

    fake_reset();
    one_pmu();
    put("/proc/self/status", status);
    fake.refuse_all = e;
    c = fake_counters();
    eb_counters_begin(c, EB_PHASE_WHOLE);
    burn((void *)(intptr_t)15);
    eb_counters_end(c, EB_PHASE_WHOLE);
    rec = eb_counters_record(c);
    is_null(rec, "whole", "instructions", reason);
    is_null(rec, "whole", "migrations", reason);
    assert_true(value(rec, "whole", "task_clock_ns") > 0);
    cJSON_Delete(rec);
    eb_counters_close(c);
}

static void test_refused(void **state)
{
    (void)state;
    refused(EPERM, "Seccomp:\t2\n", "no permission: masked by a seccomp");
    refused(EACCES, "Seccomp:\t0\n", "no permission: kernel.perf_event_par");
    refused(ENOSYS, "Seccomp:\t0\n", "unsupported: the kernel has no perf");
    refused(ENOENT, "Seccomp:\t0\n", "unsupported: the PMU does not have");
    refused(EMFILE, "Seccomp:\t0\n", "not measured: too many open files");
}

/* Opens, but counts nothing, or never gets a counter. */
static void test_not_proved(void **state)
{
    struct eb_counters *c;
    cJSON *rec;

    (void)state;
    fake_reset();
    one_pmu();
    fake.step = 0;
    c = fake_counters();
    rec = eb_counters_record(c);
    is_null(rec, "whole", "instructions", "unsupported: it opens but does not");
    cJSON_Delete(rec);
    eb_counters_close(c);
    fake_reset();
    fake.share[0] = 0;
    c = fake_counters();
    rec = eb_counters_record(c);
    is_null(rec, "whole", "cycles", "unsupported: it opens but is never");
    cJSON_Delete(rec);
    eb_counters_close(c);
    assert_int_equal(fake.open_fds, 0);
}

/* A counter that fails or goes backwards in mid-run spoils its phase only. */
static void test_spoiled(void **state)
{
    struct eb_counters *c;
    cJSON *rec;

    (void)state;
    fake_reset();
    one_pmu();
    c = fake_counters();
    eb_counters_begin(c, EB_PHASE_PREFILL);
    eb_counters_end(c, EB_PHASE_PREFILL);
    eb_counters_begin(c, EB_PHASE_DECODE);
    fake.fail_read = EAGAIN;
    eb_counters_end(c, EB_PHASE_DECODE);
    fake.fail_read = 0;
    eb_counters_begin(c, EB_PHASE_DECODE); /* a good span mends nothing */
    eb_counters_end(c, EB_PHASE_DECODE);
    eb_counters_begin(c, EB_PHASE_WHOLE);
    fake.back = 2000000;
    eb_counters_end(c, EB_PHASE_WHOLE);
    rec = eb_counters_record(c);
    assert_true(value(rec, "prefill", "instructions") == 1000000);
    is_null(rec, "decode", "instructions", "not measured: read failed");
    is_null(rec, "whole", "instructions", "out of range: the counter went");
    cJSON_Delete(rec);
    eb_counters_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_no_pmu),
        cmocka_unit_test_setup_teardown(test_one_pmu, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_multiplexed, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_hybrid_intel, setup,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(test_hybrid_old_arm, setup,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(test_paranoid, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_not_proved, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_spoiled, setup, tree_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
