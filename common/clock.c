#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t eb_clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t eb_clock_wall_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void eb_time_format(int64_t wall_us, char out[EB_TIME_LEN])
{
    int64_t sec = wall_us / 1000000, us = wall_us % 1000000;
    struct tm tm = {0};
    time_t t;

    if (us < 0) { /* before 1970: round down, not towards zero */
        us += 1000000;
        sec--;
    }
    t = (time_t)sec;
    if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099) {
        memcpy(out, "0000-00-00T00:00:00.000Z", EB_TIME_LEN);
        return;
    }
    /* The remainders tell the compiler that the text fits. */
    snprintf(out, EB_TIME_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(tm.tm_year + 1900) % 10000u,
             (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u,
             (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
             (unsigned)tm.tm_sec % 100u, (unsigned)(us / 1000) % 1000u);
}
