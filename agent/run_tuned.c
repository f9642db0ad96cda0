/* --tuned: models run with the settings that `edgebench tune` stored. */
#include <stdlib.h>
#include <string.h>

#include "agent/run_parts.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/mem.h"

int eb_run_tuned_check(int tuned, long long threads, const char *flash_attn,
                       struct eb_err *err)
{
    if (!tuned || (threads == 0 && strcmp(flash_attn, "auto") == 0))
        return 0;
    return eb_fail(err, EB_EUSAGE,
                   "--tuned brings its own threads and flash attention: leave "
                   "out --threads and --flash-attn");
}

int eb_run_tuned_add(struct eb_run *r, const char *path, const char *sha256,
                     struct eb_err *err)
{
    struct eb_run_tuned t = {0};
    int rc = 0;

    if (*sha256 != '\0')
        memcpy(t.model_sha256, sha256, sizeof(t.model_sha256));
    else
        rc = eb_tune_digest(path, t.model_sha256, err);
    if (rc == 0)
        rc = eb_tune_load(r->device, path, t.model_sha256, &t.tuned, err);
    if (rc != 0)
        return rc;
    if (t.tuned.other_build)
        eb_warn("%s was tuned with another build of the engine: tune again "
                "for the fastest settings",
                eb_fs_base(path));
    t.path = eb_xstrdup(path);
    r->tuned = eb_xrealloc(r->tuned, r->n_tuned + 1, sizeof(*r->tuned));
    r->tuned[r->n_tuned++] = t;
    return 0;
}

const char *eb_run_tuned_use(struct eb_run *r, const char *path)
{
    size_t i;

    r->tuned_now = NULL;
    for (i = 0; i < r->n_tuned; i++) {
        if (strcmp(r->tuned[i].path, path) != 0)
            continue;
        r->tuned_now = &r->tuned[i].tuned;
        eb_tune_apply(&r->tuned_now->s, &r->settings);
        return r->tuned[i].model_sha256;
    }
    return NULL;
}

void eb_run_tuned_record(const struct eb_run *r, cJSON *settings)
{
    const struct eb_tuned *t = r->tuned_now;
    cJSON *out;
    char cpus[EB_CPUS_TEXT];

    if (t == NULL)
        return;
    eb_cpus_text(&t->s.cpus, cpus);
    out = cJSON_AddObjectToObject(settings, "tuned");
    if (cpus[0] != '\0')
        cJSON_AddStringToObject(out, "cpus", cpus);
    else
        cJSON_AddNullToObject(out, "cpus");
    cJSON_AddStringToObject(out, "kv_type", t->s.kv_type);
}

void eb_run_tuned_record_file(const struct eb_run *r, cJSON *rec)
{
    if (r->tuned_now != NULL)
        cJSON_AddItemToObject(rec, "tune",
                              cJSON_Duplicate(r->tuned_now->record, 1));
}

void eb_run_tuned_free(struct eb_run *r)
{
    size_t i;

    for (i = 0; i < r->n_tuned; i++) {
        free(r->tuned[i].path);
        eb_tune_forget(&r->tuned[i].tuned);
    }
    free(r->tuned);
}
