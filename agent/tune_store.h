/* Tuned settings on disk: one JSON file a device and model.
 *
 *     $XDG_CONFIG_HOME/edgebench/tune/<device>-<model>.json
 *
 * (else ~/.config/edgebench/tune), <device> being 16 digits of a hash of what
 * decides the speed (machine, processor with its kinds and caches,
 * accelerators; not its name, system or memory) and <model> 16 of the file's
 * SHA-256. `edgebench tune` writes it, --tuned reads it. One thread. */
#ifndef EB_TUNE_STORE_H
#define EB_TUNE_STORE_H

#include <cjson/cJSON.h>

#include "agent/engine.h"
#include "agent/tune.h"
#include "common/hash.h"

#define EB_TUNE_SCHEMA "edgebench.tune/1"
#define EB_TUNE_FINGERPRINT 17

struct eb_tuned {
    struct eb_tune_setting s;
    cJSON *record;   /* what a record says of the file: its part `tune` */
    int other_build; /* they were found with another engine build */
};

/* SHA-256 of a model file. EB_ENOENT: there is none (a server's model). */
int eb_tune_digest(const char *model, char hex[EB_SHA256_HEX],
                   struct eb_err *err);
/* device: eb_device_facts. */
void eb_tune_fingerprint(const cJSON *device, char out[EB_TUNE_FINGERPRINT]);
/* Free the path. The folder need not exist. EB_ENOENT: no place for it. */
int eb_tune_path(const cJSON *device, const char *model_sha256, char **path,
                 struct eb_err *err);

cJSON *eb_tune_setting_json(const struct eb_tune_setting *s);
/* Members of the file: schema, device, model, runtime, settings. eb_tune_load
 * also wants created_at, objective and verdict; gain if there is one. */
cJSON *eb_tune_file(const cJSON *device, const char *model,
                    const char *model_sha256, const struct eb_tune_setting *s);
/* Whole and safe on disk, or not there at all. */
int eb_tune_save(const char *path, const cJSON *file, struct eb_err *err);
/* The settings for a model file on the device; one sentence if there are none,
 * or the file is damaged or made for something else. Free with
 * eb_tune_forget. */
int eb_tune_load(const cJSON *device, const char *model,
                 const char *model_sha256, struct eb_tuned *out,
                 struct eb_err *err);
void eb_tune_forget(struct eb_tuned *t);

void eb_tune_apply(const struct eb_tune_setting *s,
                   struct eb_engine_settings *out);

#endif
