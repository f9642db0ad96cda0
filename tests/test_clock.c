#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static void test_format(void **state)
{
    char s[EB_TIME_LEN];

    (void)state;
    eb_time_format(0, s);
    assert_string_equal(s, "1970-01-01T00:00:00.000Z");
    eb_time_format(1769846709123999, s);
    assert_string_equal(s, "2026-01-31T08:05:09.123Z");
    eb_time_format(1709164800000000, s); /* a leap day */
    assert_string_equal(s, "2024-02-29T00:00:00.000Z");
    eb_time_format(-1, s);
    assert_string_equal(s, "1969-12-31T23:59:59.999Z");
    eb_time_format(INT64_MAX, s); /* beyond year 9999 */
    assert_string_equal(s, "0000-00-00T00:00:00.000Z");
}

static void test_runs(void **state)
{
    int64_t a = eb_clock_ns(), b = eb_clock_ns();

    (void)state;
    assert_true(a > 0 && b >= a);
    /* Later than 2024-01-01, so in microseconds. */
    assert_true(eb_clock_wall_us() > 1704067200000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
