/* `edgebench report`: from run records to one page.
 *
 *     edgebench report --from records.jsonl -f html -o report.html
 *
 * Records are grouped by what must be equal to compare them (group.h); the
 * page answers first which model is the smallest sufficient one. One thread.
 */
#ifndef EB_REPORT_H
#define EB_REPORT_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

/* GETs url and appends the body; 0 or a code with a message that names the
 * url. The agent supplies it: this folder has no HTTP. */
typedef int (*eb_report_fetch)(const char *url, struct eb_buf *out,
                               struct eb_err *err);
void eb_report_set_fetch(eb_report_fetch fetch);

/* argv[0] is "report". Prints; returns an exit code of common/err.h. */
int eb_report_main(int argc, char **argv);

/* Appends the report on records that are validated and derived; format is
 * "html", "md" or "json". EB_EINVAL if there is no record, EB_EUSAGE for an
 * unknown format. */
int eb_report_write(struct eb_buf *out, cJSON *const *recs, size_t n,
                    const char *format, struct eb_err *err);

#endif
