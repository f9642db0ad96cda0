/* What another program says: run, waited for, ended if it takes too long.
 *
 *     char *argv[] = {"/usr/bin/vcgencmd", "pmic_read_adc", NULL};
 *     pid_t stray = 0;
 *     rc = eb_ask(argv, INT64_C(300000000), &stray, text, sizeof(text));
 *
 * No shell; its errors go nowhere, its environment is LC_ALL=C and a short
 * PATH. Allocates nothing. */
#ifndef EB_ASK_H
#define EB_ASK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* argv[0] is a path. EB_ELIMIT: it did not end in time; EB_EIO: it failed;
 * EB_EPARSE: it says more than fits; else why it could not be run.
 * *stray: 0 at first; a process that was ended and is still held by the
 * kernel, with which the next call does not begin before it is gone. */
int eb_ask(char *const argv[], int64_t limit_ns, pid_t *stray, char *out,
           size_t size);

#endif
