/* llama-bench's JSON, read and written (tools/llama-bench of llama.cpp 0.5.0):
 * one object a test with n_prompt, n_gen, n_depth and samples_ns.
 *
 *     rc = eb_llama_bench_read("bench.json", &device, &recs, &n, &err);
 *     eb_llama_bench_write(recs, n, stdout);
 *
 * Names and units of the two are the same: test "pp512", tokens per second as
 * the mean of n / t of the repeats. */
#ifndef EB_LLAMA_BENCH_H
#define EB_LLAMA_BENCH_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "common/err.h"

/* Reads -o json or -o jsonl into derived, valid records with runtime.engine
 * "llama-bench", one for each model and setting, in order of appearance; free
 * with eb_record_list_free. device: the machine it ran on, NULL: only its
 * processor's name is known. */
int eb_llama_bench_read(const char *path, const cJSON *device, cJSON ***recs,
                        size_t *n, struct eb_err *err);

/* A JSON array, one object a test that has samples. What a record does not
 * know is null; tests of several sequences have no place in the format. */
void eb_llama_bench_write(cJSON *const *recs, size_t n, FILE *out);

/* `edgebench import` and `edgebench export`. */
int eb_import_main(int argc, char **argv);
int eb_export_main(int argc, char **argv);

#endif
