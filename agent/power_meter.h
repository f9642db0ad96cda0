/* What an external meter says, taken apart; for power_meter.c and its tests. */
#ifndef EB_POWER_METER_H
#define EB_POWER_METER_H

#include <stddef.h>
#include <stdint.h>

enum eb_meter_kind {
    EB_METER_SHELLY,  /* Gen2 and later: apower */
    EB_METER_SHELLY1, /* Gen1: meters[0].power */
    EB_METER_TASMOTA, /* StatusSNS.ENERGY.Power */
    EB_METER_PIPE,
    EB_METER_COMMAND,
    EB_METER_PTD /* power_ptd.h */
};

/* Microwatts of a reply; EB_EPARSE. */
int eb_meter_reply(enum eb_meter_kind kind, const char *text, size_t len,
                   int64_t *uw);
/* "unix_time_s watts"; EB_EPARSE. */
int eb_meter_line(const char *line, double *unix_s, int64_t *uw);

#endif
