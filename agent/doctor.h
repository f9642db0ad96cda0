/* `edgebench doctor`: what can be measured here, what not, why not, and the
 * command that mends it. */
#ifndef EB_DOCTOR_H
#define EB_DOCTOR_H

#include <cjson/cJSON.h>

#include "common/err.h"

/* {"machine": {...}, "findings": [{"area", "name", "state": "ok" | "limited" |
 * "missing", "detail", "fix" (only if there is one)}], "wall_ns"}. The detail
 * of what is missing begins with its reason (common/RECORD.md).
 *
 * sysroot "": this machine, counters proved and engines asked; else a recorded
 * one, of which only its files speak. */
cJSON *eb_doctor_examine(const char *sysroot);

/* The `noise` of a machine at rest, about a second: {"steal_share",
 * "lost_share", "longest_gap_ns", "drift_share", ...}; adds findings. */
void eb_doctor_noise(const char *sysroot, cJSON *report);

/* Copies what the readers of this program look at into dir, without serial
 * numbers, addresses, identifiers and host names, with a SOURCE. EB_EUSAGE if
 * dir is not empty. n_files may be NULL. */
int eb_doctor_capture(const char *sysroot, const char *dir, int *n_files,
                      struct eb_err *err);

int eb_doctor_main(int argc, char **argv);

#endif
