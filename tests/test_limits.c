/* What limits the speed: a case a rule, and which rule goes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "reports/limits.h"

/* Nothing disturbs it, and half of the bandwidth is used. */
static struct eb_limit_in calm(void)
{
    return (struct eb_limit_in){.throttled = 0,
                                .faults = 0,
                                .ran = 0.99,
                                .taken = 0,
                                .switches = 10,
                                .migrations = 0,
                                .mbu = 0.45,
                                .weights_bytes = 4e9,
                                .cache_bytes = 32e6};
}

static void judged(struct eb_limit_in in, enum eb_limit want, const char *text)
{
    struct eb_buf b = {0};
    enum eb_limit got = eb_limit_judge(&in, &b);

    if (got != want || strcmp(b.data, text) != 0)
        fail_msg("%d: %s", got, b.data);
    eb_buf_free(&b);
}

static void test_bandwidth(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.mbu = EB_LIMIT_MBU_HIGH;
    judged(in, EB_LIMIT_BANDWIDTH, "bandwidth: MBU 0.60");
    in.throttled = in.faults = NAN;
    judged(in, EB_LIMIT_BANDWIDTH,
           "bandwidth: MBU 0.60 (throttling and page faults could not be "
           "seen)");
    in.ran = NAN; /* a high MBU needs no counter */
    in.faults = 0;
    judged(in, EB_LIMIT_BANDWIDTH,
           "bandwidth: MBU 0.60 (throttling could not be seen)");
}

static void test_compute(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.mbu = 0.1;
    judged(in, EB_LIMIT_COMPUTE,
           "compute: the threads ran 99% of the time, MBU 0.10");
    in.faults = NAN;
    judged(in, EB_LIMIT_COMPUTE,
           "compute: the threads ran 99% of the time, MBU 0.10 (page faults "
           "could not be seen)");
}

/* What lies in the cache is not limited by the memory, whatever MBU says. */
static void test_cache(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.weights_bytes = 4e6;
    in.mbu = 1.3;
    judged(in, EB_LIMIT_COMPUTE,
           "compute: the threads ran 99% of the time, MBU 1.30; the weights "
           "(4.0 MB) fit the last cache (32.0 MB)");
    in.mbu = NAN;
    judged(in, EB_LIMIT_COMPUTE,
           "compute: the threads ran 99% of the time; the weights (4.0 MB) "
           "fit the last cache (32.0 MB)");
    in.ran = NAN;
    judged(in, EB_LIMIT_UNKNOWN,
           "not known: the weights (4.0 MB) fit the last cache (32.0 MB), and "
           "no processor time of the threads was counted");
}

static void test_above_one(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.mbu = 1.2;
    judged(in, EB_LIMIT_UNKNOWN,
           "not known: MBU 1.20 is above 1: a part of the model stays in the "
           "cache, or triad was disturbed");
}

static void test_throttling(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.throttled = 0.25;
    in.faults = 500; /* throttling goes first */
    in.mbu = 0.9;
    judged(in, EB_LIMIT_THROTTLING, "throttling: in 25% of the repeats");
    in.throttled = 0.05;
    in.faults = 0;
    judged(in, EB_LIMIT_BANDWIDTH, "bandwidth: MBU 0.90");
}

static void test_page_faults(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.faults = 800;
    in.ran = 0.3; /* they waited for the disk */
    judged(in, EB_LIMIT_PAGE_FAULTS,
           "page faults: 800 a second were read from the disk");
}

static void test_scheduler(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.ran = 0.5;
    in.switches = 240;
    in.migrations = 3;
    judged(in, EB_LIMIT_SCHEDULER,
           "scheduler: the threads ran 50% of the time, 240 context switches "
           "and 3 migrations a second");
    in.taken = 0.8;
    in.switches = NAN;
    judged(in, EB_LIMIT_SCHEDULER,
           "scheduler: the threads ran 50% of the time, others took 0.8 cores "
           "from them");
    in.ran = NAN;
    judged(in, EB_LIMIT_SCHEDULER,
           "scheduler: others took 0.8 cores from them");
    in = calm();
    in.migrations = 60;
    judged(in, EB_LIMIT_SCHEDULER,
           "scheduler: the threads ran 99% of the time, 10 context switches "
           "and 60 migrations a second");
}

static void test_unknown(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    judged(in, EB_LIMIT_UNKNOWN,
           "not known: MBU 0.45 speaks for neither bandwidth nor compute");
    in.mbu = NAN;
    in.mbu_why = "not measured: --no-triad";
    judged(in, EB_LIMIT_UNKNOWN,
           "not known: no MBU (not measured: --no-triad)");
    in.ran = NAN;
    judged(in, EB_LIMIT_UNKNOWN,
           "not known: no MBU (not measured: --no-triad), and no processor "
           "time of the threads was counted");
    in.no_rate = "not measured: --no-speed";
    judged(in, EB_LIMIT_UNKNOWN, "not known: not measured: --no-speed");
}

/* The processor's threads wait for it: that is no scheduler's doing. */
static void test_accelerator(void **state)
{
    struct eb_limit_in in = calm();

    (void)state;
    in.accelerated = 1;
    in.ran = 0.1;
    in.mbu = NAN;
    judged(in, EB_LIMIT_UNKNOWN,
           "not known: the model is on an accelerator, whose bandwidth and "
           "load are not measured");
    in.throttled = 1;
    judged(in, EB_LIMIT_THROTTLING, "throttling: in 100% of the repeats");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bandwidth),   cmocka_unit_test(test_compute),
        cmocka_unit_test(test_cache),       cmocka_unit_test(test_above_one),
        cmocka_unit_test(test_throttling),  cmocka_unit_test(test_page_faults),
        cmocka_unit_test(test_scheduler),   cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_accelerator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
