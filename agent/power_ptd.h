/* A power analyzer behind SPEC's PTDaemon: lines over TCP.
 *
 *     rc = eb_ptd_open(&p, "10.0.0.9:8888", &err);
 *     rc = eb_ptd_read(&p, now_ns, &host_s, &uw);     again and again
 *     eb_ptd_close(&p);
 *
 * What is known of the protocol is what public clients of it do: the power
 * harness of SPEC CPU 2017 (Identify, Go, RL and their answers), PowerMeter of
 * SPECjvm2008 and mlcommons/power-dev. PTDaemon itself is licensed software;
 * it was not at hand.
 *
 *     > Identify             <
 * driver,interval_ms,...,version=..,OS=..,mode=power > Go,1000,0            <
 * Starting untimed measurement, ... > RL,1                 < Last 1 sample <
 * Time,01-31-2026 08:05:09.123,Watts,12.3,Volts,... > Stop                 <
 * Stopping untimed measurement
 *
 * Example: Watts -1 is a reading that failed and -2 one that was missed; both
 * are errors here, not a power. */
#ifndef EB_POWER_PTD_H
#define EB_POWER_PTD_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define EB_PTD_PORT "8888"
#define EB_PTD_EVERY_MS 1000

struct eb_ptd {
    int fd; /* -1: closed */
    char text[4096];
    size_t len;
    int asked; /* an answer is due */
    int64_t asked_ns, next_ns;
    double last_s; /* time of the last sample, the daemon's */
    char analyzer[96], version[64];
};

/* Connects, sees that it measures power and starts; waits seconds at most.
 * where: host or host:port. The message begins with the reason. */
int eb_ptd_open(struct eb_ptd *p, const char *where, struct eb_err *err);
void eb_ptd_close(struct eb_ptd *p); /* fd -1 is fine */

/* Never waits. 0; 1: nothing new; EB_ENOENT: the connection ended, EB_ENET: no
 * answer in time, EB_EPARSE: another answer, EB_EIO: the analyzer failed.
 * host_s: seconds in the local time of the daemon's host. */
int eb_ptd_read(struct eb_ptd *p, int64_t now_ns, double *host_s, int64_t *uw);

/* A sample, "Time,...,Watts,...": 0, EB_EPARSE, EB_EIO. For the tests. */
int eb_ptd_sample(const char *line, double *host_s, int64_t *uw);

#endif
