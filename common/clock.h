/* Time. Measuring uses eb_clock_ns only; wall time is for labels. */
#ifndef EB_CLOCK_H
#define EB_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t eb_clock_ns(void);
/* Unix time in microseconds. */
int64_t eb_clock_wall_us(void);

#define EB_TIME_LEN 25
/* "2026-01-31T08:05:09.123Z" (RFC 3339, UTC, 24 characters + NUL). */
void eb_time_format(int64_t wall_us, char out[EB_TIME_LEN]);

#endif
