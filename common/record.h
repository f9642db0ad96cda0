/* The run record, `edgebench.run/1` (format: common/RECORD.md).
 *
 * A record is a cJSON tree: fields this version does not know stay in it and
 * are written again. Raw samples are the truth; eb_record_derive computes
 * `summary` from them and is the only code that does, in the agent and in
 * the collector alike.
 */
#ifndef EB_RECORD_H
#define EB_RECORD_H

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/stats.h"

#define EB_RECORD_SCHEMA "edgebench.run/1"
/* Largest record accepted, in bytes of JSON text. */
#define EB_RECORD_MAX_BYTES (16u << 20)

/* With less of the time the bandwidth that triad measured is too low, and MBU
 * would flatter. */
#define EB_TRIAD_CPU_SHARE_MIN 0.9

#define EB_UUID_LEN 37
/* UUID version 7 (RFC 9562): 48-bit milliseconds, then random bits; values
 * made by one process increase. */
void eb_uuid7(char out[EB_UUID_LEN]);
int eb_uuid_valid(const char *s);

/* Outcome of one item (design rule 7). */
enum eb_outcome {
    EB_OUT_OK,
    EB_OUT_WRONG,
    EB_OUT_UNPARSED,
    EB_OUT_REFUSED,
    EB_OUT_TRUNCATED,
    EB_OUT_TIMEOUT,
    EB_OUT_OOM,
    EB_OUT_ENGINE_CRASH,
    EB_OUT_THERMAL_SHUTDOWN,
    EB_OUT_HARNESS_ERROR,
    EB_OUT_COUNT
};
const char *eb_outcome_name(enum eb_outcome o);
int eb_outcome_parse(const char *name); /* -1 if unknown */

/* Checks schema, version, required fields and their types and ranges.
 * EB_EVERSION for a newer major version ("this record is edgebench.run/2;
 * this program reads /1: update edgebench"), EB_EINVAL with the JSON path
 * otherwise. `where` names the file or request. */
int eb_record_validate(const cJSON *rec, const char *where, struct eb_err *err);
/* The same for the record's part `tune` alone. */
int eb_record_validate_tune(const cJSON *tune, struct eb_json_at at,
                            struct eb_err *err);

/* Replaces rec.summary by what the raw samples give. rec must be valid. */
void eb_record_derive(cJSON *rec);

/* Reads records: a file with one JSON object, JSON Lines or a JSON array.
 * Each is validated and derived anew. *out is an array of n trees, freed by
 * eb_record_list_free. "-" reads standard input. */
int eb_record_read(const char *path, cJSON ***out, size_t *n,
                   struct eb_err *err);
void eb_record_list_free(cJSON **recs, size_t n);

/* The smallest sufficient model of one level and language among the records
 * of one device, runtime, suite, settings: sizes are tested from the largest
 * to the smallest, stopping at the first that is not SUFFICIENT
 * (fixed-sequence test). Ties in parameters are ordered by file_bytes, then
 * name. */
struct eb_smallest {
    int found;       /* 0: no model is shown sufficient */
    size_t index;    /* of the record, if found */
    int all_decided; /* 1: the largest model is INSUFFICIENT, not merely
                        NOT SHOWN (exit code 3 against 4) */
};
struct eb_smallest eb_record_smallest(cJSON *const *recs, size_t n,
                                      const char *level, const char *lang);

/* The same for the whole job: a model is sufficient if it is on every level of
 * the records in every language of the job (of the levels' pools, or run by
 * any record). No correction is needed: to call an insufficient model
 * sufficient, the level it fails must be wrongly passed (intersection-union
 * test, Berger 1982). What was not run is NOT SHOWN. */
struct eb_smallest_job {
    int found;
    size_t index;    /* of the record, if found */
    int all_decided; /* 1: the largest model is INSUFFICIENT somewhere */
    int stopped;     /* 1: a model was not sufficient, and these are set: */
    size_t stop;     /* its record */
    const char *level, *lang; /* where, in a record; INSUFFICIENT goes first */
    enum eb_verdict verdict;
};
struct eb_smallest_job eb_record_smallest_job(cJSON *const *recs, size_t n);
/* The languages of the job, sorted; free the array, not the names. */
const char **eb_record_langs(cJSON *const *recs, size_t n, size_t *n_langs);

#endif
