/* From the bytes of a request to a run that can be stored.
 *
 * The bytes are kept as they came. What is derived from them (the summary) is
 * computed anew here, whatever summary they hold, and goes into the brief:
 * the record without items, speed samples and fields this version does not
 * know, with the new summary. A record of 300 items has about 1 MB, its brief
 * 10 KB; lists and comparisons read briefs only.
 *
 * Pure function of its input, any thread; up to 200 MiB of memory while it
 * runs.
 */
#ifndef EB_INGEST_H
#define EB_INGEST_H

#include <cjson/cJSON.h>

#include "collector/store.h"
#include "common/hash.h"

/* The largest counts a record may have, so that one request cannot keep the
 * processor busy for minutes. custsvc has 4 levels, 2 languages, 24
 * capabilities and 600 items. */
#define EB_INGEST_LEVELS 32
#define EB_INGEST_GROUPS 128        /* pairs of level and language */
#define EB_INGEST_CAPABILITIES 1024 /* in all groups together */
#define EB_INGEST_ITEMS 50000
#define EB_INGEST_SPEEDS 1000
#define EB_INGEST_BRIEF_BYTES (256u << 10)
/* In the whole record, counted by the commas in its text: a value takes about
 * 80 bytes of memory. */
#define EB_INGEST_VALUES 2000000

struct eb_ingest {
    struct eb_run run; /* points into body and the fields below */
    cJSON *rec;
    char *brief;
    char sha256[EB_SHA256_HEX];
};

/* Fills in, to be freed with eb_ingest_free (also after a failure). body must
 * live as long. EB_EPARSE: no JSON (or nested too deeply); EB_ELIMIT: more
 * than EB_RECORD_MAX_BYTES; EB_EVERSION; EB_EINVAL: JSON, but no valid
 * record. */
int eb_ingest_check(const char *body, size_t len, struct eb_ingest *in,
                    struct eb_err *err);
void eb_ingest_free(struct eb_ingest *in);

#endif
