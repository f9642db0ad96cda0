/* What the files of eb_record_derive share. Each part reads the raw samples
 * of a valid record and adds its members to the new summary; nothing is kept
 * between calls. */
#ifndef EB_RECORD_PARTS_H
#define EB_RECORD_PARTS_H

#include <cjson/cJSON.h>
#include <stddef.h>

/* A growing list of numbers; free v. */
struct eb_samples {
    double *v;
    size_t n;
    size_t cap;
};
void eb_samples_add(struct eb_samples *s, double x);

/* The items of a record, NULL for a model that never ran (RECORD.md). */
const cJSON *eb_record_items(const cJSON *rec);
/* The items whose times were taken one at a time: of a throughput run those
 * played again alone, else all. NULL if there are none. */
const cJSON *eb_record_alone(const cJSON *rec);

/* summary.speed; summary.requests, .sustained and .localscore of records that
 * have such samples (record_speed.c). */
void eb_record_speed(const cJSON *rec, cJSON *sum);
/* bytes_per_token, achieved_gbps, mbu and gflops of a row of summary.speed that
 * has its rates; row is the raw one (record_bandwidth.c). */
void eb_record_bandwidth(const cJSON *rec, const cJSON *row, cJSON *out);
/* summary.service; needs summary.levels (record_service.c). */
void eb_record_service(const cJSON *rec, cJSON *sum);
/* summary.parity and summary.fidelity (record_parity.c). */
void eb_record_parity(const cJSON *rec, cJSON *sum);
void eb_record_fidelity(const cJSON *rec, cJSON *sum);
/* summary.energy; needs summary.levels (record_energy.c). */
void eb_record_energy(const cJSON *rec, cJSON *sum);
/* clusters, cluster_lo and cluster_hi of a row of summary.levels
 * (record_cluster.c). */
void eb_record_cluster(const cJSON *rec, cJSON *row);
/* summary.trials; needs summary.levels (record_trials.c). */
void eb_record_trials(const cJSON *rec, cJSON *sum);

#endif
