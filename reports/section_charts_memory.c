/* What the memory of a model is made of: stacked bars. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "reports/section.h"

enum memory_part {
    MEMORY_WEIGHTS,
    MEMORY_CACHE,
    MEMORY_COMPUTE,
    MEMORY_REST,
    MEMORY_AWAY,
    MEMORY_PARTS
};

static const char *const memory_names[MEMORY_PARTS] = {
    "weights in memory", "KV cache", "compute buffers", "rest of RssAnon",
    "mapped, not in memory"};

struct memory_split {
    double v[MEMORY_PARTS];
    const char *reasons[MEMORY_PARTS];
};

/* The phase that the engine's account belongs to: the last with one slot. */
static const cJSON *memory_phase(const cJSON *rec)
{
    const cJSON *row, *found = NULL;

    cJSON_ArrayForEach(row, eb_group_get(rec, "memory.phases"))
    {
        if (strcmp(eb_json_get_str(row, "phase", ""), "batches") != 0)
            found = row;
    }
    return found;
}

static double memory_take(const cJSON *obj, const char *key, const char **why)
{
    double v = eb_json_get_num(obj, key, NAN);
    char *name = eb_xasprintf("%s_reason", key);

    *why = eb_json_get_str(obj, name, "absent: not in the record");
    free(name);
    return v;
}

/* Weights are the resident part of the mapped file and what was copied out of
 * it. Copies, KV cache and compute buffers lie in RssAnon; a buffer whose
 * pages were not touched yet is in the engine's account and not in RssAnon,
 * and one on a GPU neither: then there is no rest to speak of. */
static void memory_split(const cJSON *rec, struct memory_split *s)
{
    const cJSON *memory = eb_group_get(rec, "memory");
    const cJSON *phase = memory_phase(rec);
    double weights, anon, mapped, resident, copied;
    const char *no_anon, *no_map;

    weights = memory_take(memory, "weights_bytes", &s->reasons[MEMORY_WEIGHTS]);
    s->v[MEMORY_CACHE] =
        memory_take(memory, "context_bytes", &s->reasons[MEMORY_CACHE]);
    s->v[MEMORY_COMPUTE] =
        memory_take(memory, "compute_bytes", &s->reasons[MEMORY_COMPUTE]);
    anon =
        memory_take(phase != NULL ? phase : memory, "rss_anon_bytes", &no_anon);
    mapped = memory_take(phase, "model_mapped_bytes", &no_map);
    resident = eb_json_get_num(phase, "model_resident_bytes", NAN);
    s->v[MEMORY_AWAY] = mapped - resident;
    s->reasons[MEMORY_AWAY] = no_map;
    copied = isnan(mapped) ? weights : fmax(weights - mapped, 0);
    s->v[MEMORY_WEIGHTS] =
        isnan(mapped) ? weights : resident + (isnan(copied) ? 0 : copied);
    s->v[MEMORY_REST] = anon - (isnan(copied) ? 0 : copied);
    if (!isnan(s->v[MEMORY_CACHE]))
        s->v[MEMORY_REST] -= s->v[MEMORY_CACHE];
    if (!isnan(s->v[MEMORY_COMPUTE]))
        s->v[MEMORY_REST] -= s->v[MEMORY_COMPUTE];
    s->reasons[MEMORY_REST] = no_anon;
    if (s->v[MEMORY_REST] < 0) {
        s->v[MEMORY_REST] = NAN;
        s->reasons[MEMORY_REST] = "out of range: the engine's buffers are more "
                                  "than RssAnon";
    }
}

/* Is there anything to tell apart? */
static int memory_tells(const struct memory_split *s)
{
    return !isnan(s->v[MEMORY_WEIGHTS]) || !isnan(s->v[MEMORY_CACHE]) ||
           !isnan(s->v[MEMORY_COMPUTE]);
}

static void memory_row(struct eb_doc_table *t, const struct eb_bars *b,
                       size_t i)
{
    char text[EB_SHORT_LEN];
    size_t k;

    eb_doc_cell(t, b->v[i].name);
    for (k = 0; k < MEMORY_PARTS; k++)
        eb_doc_cell(t, isnan(b->v[i].v[k])
                           ? "not known"
                           : eb_short_bytes(b->v[i].v[k], text));
    eb_doc_cell(t, eb_short_bytes(eb_bars_sum(b, i), text));
}

static void memory_table(struct eb_doc *d, const struct eb_bars *b)
{
    struct eb_doc_table *t = eb_doc_table(
        d, "What the memory is made of; together: the parts that are known",
        "lrrrrrr");
    size_t i;

    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "Weights in memory");
    eb_doc_cell(t, "KV cache");
    eb_doc_cell(t, "Compute buffers");
    eb_doc_cell(t, "Rest of RssAnon");
    eb_doc_cell(t, "Mapped, not in memory");
    eb_doc_cell(t, "Together");
    for (i = 0; i < b->n; i++)
        memory_row(t, b, i);
}

static void memory_missing(struct eb_doc *d, const struct eb_bars *b)
{
    struct eb_doc_table *t =
        eb_doc_table(d, "Parts that are not drawn, and why", "lll");
    size_t i, k;

    eb_doc_cell(t, "Model");
    eb_doc_cell(t, "Part");
    eb_doc_cell(t, "Reason");
    for (i = 0; i < b->n; i++) {
        for (k = 0; k < MEMORY_PARTS; k++) {
            if (!isnan(b->v[i].v[k]))
                continue;
            eb_doc_cell(t, b->v[i].name);
            eb_doc_cell(t, memory_names[k]);
            eb_doc_cell(t, b->v[i].reasons[k]);
        }
    }
    eb_doc_drop_empty(d);
}

void eb_section_memory_parts(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_bars *b = eb_bars_new(g->key, "What the memory is made of",
                                    memory_names, MEMORY_PARTS);
    struct memory_split s;
    size_t i;

    b->last_open = 1;
    b->desc = eb_xstrdup("Stacked bars of bytes, a model each; the numbers are "
                         "in the table.");
    for (i = 0; i < g->n; i++) {
        memory_split(g->recs[i], &s);
        if (memory_tells(&s))
            eb_bars_add(b, eb_group_model(g->recs[i]), s.v, s.reasons);
    }
    if (b->n == 0) {
        eb_bars_free(b);
        return;
    }
    eb_doc_bars(d, b);
    memory_table(d, b);
    memory_missing(d, b);
}
