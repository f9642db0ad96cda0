/* What the search tries for each knob. */
#include <stdio.h>
#include <string.h>

#include "agent/tune.h"

static struct eb_tune_row *candidates_base(const char *name,
                                           const struct eb_tune_setting *base,
                                           struct eb_tune_stage *out)
{
    memset(out, 0, sizeof(*out));
    out->name = name;
    out->rows[0].s = *base;
    out->n = 1;
    return &out->rows[0];
}

/* NULL: it is there already, or there is no more room. */
static struct eb_tune_row *candidates_add(struct eb_tune_stage *out,
                                          const struct eb_tune_setting *s)
{
    size_t i;

    for (i = 0; i < out->n; i++) {
        if (eb_tune_equal(&out->rows[i].s, s))
            return NULL;
    }
    if (out->n == EB_TUNE_ROWS_MAX)
        return NULL;
    out->rows[out->n].s = *s;
    return &out->rows[out->n++];
}

static void places_free(struct eb_tune_stage *out, int threads)
{
    struct eb_tune_setting s = out->rows[0].s;
    struct eb_tune_row *row;

    s.threads = threads;
    memset(&s.cpus, 0, sizeof(s.cpus));
    row = threads > 0 ? candidates_add(out, &s) : NULL;
    if (row != NULL)
        snprintf(row->label, sizeof(row->label), "%d thread%s", threads,
                 threads == 1 ? "" : "s");
}

static void places_pinned(struct eb_tune_stage *out, const struct eb_cpus *on,
                          const char *what)
{
    struct eb_tune_setting s = out->rows[0].s;
    struct eb_tune_row *row;

    s.cpus = *on;
    s.threads = eb_cpus_count(on);
    row = s.threads > 0 ? candidates_add(out, &s) : NULL;
    if (row != NULL)
        snprintf(row->label, sizeof(row->label), "%d on %.44s", s.threads,
                 what);
}

static void places_join(struct eb_cpus *to, const struct eb_cpus *more)
{
    int i;

    for (i = 0; i < EB_CPUS_MAX / 64; i++)
        to->bits[i] |= more->bits[i];
}

/* Each kind alone, and the fastest kinds together: P, P+M, P+M+E. */
static void places_kinds(const struct eb_core_kinds *k,
                         struct eb_tune_stage *out)
{
    struct eb_cpus firsts = {0}, all = {0};
    char names[40] = "", what[64];
    size_t len = 0;
    int i;

    for (i = 0; i < k->n; i++) {
        const struct eb_core_kind *kind = &k->kinds[i];

        places_free(out, eb_cpus_count(&kind->firsts));
        snprintf(what, sizeof(what), "%s cores", kind->name);
        places_pinned(out, &kind->firsts, what);
        snprintf(what, sizeof(what), "%s cores, all threads", kind->name);
        places_pinned(out, &kind->all, what);
        places_join(&firsts, &kind->firsts);
        places_join(&all, &kind->all);
        if (len < sizeof(names))
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
                                    i > 0 ? "+" : "", kind->name);
        snprintf(what, sizeof(what), "%s cores", names);
        places_pinned(out, &firsts, what);
        snprintf(what, sizeof(what), "%s cores, all threads", names);
        places_pinned(out, &all, what);
    }
}

/* Fewer threads than cores: writing waits for memory, and one core is left
 * for the rest of the system. */
void eb_tune_places(const struct eb_core_kinds *k,
                    const struct eb_tune_setting *base,
                    struct eb_tune_stage *out)
{
    struct eb_tune_row *row = candidates_base("threads", base, out);

    snprintf(row->label, sizeof(row->label), "%d thread%s", base->threads,
             base->threads == 1 ? "" : "s");
    places_free(out, k->cores);
    places_free(out, k->cpus);
    places_free(out, k->cores - 1);
    places_free(out, k->cores / 2);
    places_free(out, 2 < k->cpus ? 2 : k->cpus);
    places_free(out, 1);
    if (k->n > 1)
        places_kinds(k, out);
}

void eb_tune_attention(const char *resolved, const struct eb_tune_setting *base,
                       struct eb_tune_stage *out)
{
    static const char *const values[] = {"auto", "on", "off"};
    struct eb_tune_setting s = *base;
    struct eb_tune_row *row = candidates_base("flash attention", base, out);
    size_t i;

    snprintf(row->label, sizeof(row->label), "%s", base->flash_attn);
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        s.flash_attn = values[i];
        if (resolved != NULL && strcmp(values[i], resolved) == 0)
            continue;
        row = candidates_add(out, &s);
        if (row != NULL)
            snprintf(row->label, sizeof(row->label), "%s", values[i]);
    }
}

static int candidates_min(int a, int b)
{
    return a < b ? a : b;
}

/* Does the stage have a row that cuts the prompt alike? */
static int batches_known(const struct eb_tune_stage *out, int n_prompt,
                         const struct eb_tune_setting *s)
{
    int batch = candidates_min(s->batch, n_prompt);
    int ubatch = candidates_min(s->ubatch, batch), b;
    size_t i;

    for (i = 0; i < out->n; i++) {
        b = candidates_min(out->rows[i].s.batch, n_prompt);
        if (b == batch && candidates_min(out->rows[i].s.ubatch, b) == ubatch)
            return 1;
    }
    return 0;
}

void eb_tune_batches(int n_prompt, const struct eb_tune_setting *base,
                     struct eb_tune_stage *out)
{
    static const int sizes[] = {2048, 1024, 512, 256, 128, 64};
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };
    struct eb_tune_setting s = *base;
    struct eb_tune_row *row = candidates_base("batch", base, out);
    int i, k;

    snprintf(row->label, sizeof(row->label), "%d, ubatch %d", base->batch,
             base->ubatch);
    /* A batch below 512 only adds calls. */
    for (i = 0; i < N && sizes[i] >= 512; i += 2) {
        for (k = i; k < N; k++) {
            s.batch = sizes[i];
            s.ubatch = sizes[k];
            row = batches_known(out, n_prompt, &s) ? NULL
                                                   : candidates_add(out, &s);
            if (row != NULL)
                snprintf(row->label, sizeof(row->label), "%d, ubatch %d",
                         s.batch, s.ubatch);
        }
    }
}

void eb_tune_cache(const struct eb_tune_setting *base,
                   struct eb_tune_stage *out)
{
    struct eb_tune_setting s = *base;
    struct eb_tune_row *row = candidates_base("KV cache", base, out);

    snprintf(row->label, sizeof(row->label), "%s", base->kv_type);
    s.kv_type = "q8_0";
    s.flash_attn = "on"; /* a quantised cache cannot do without */
    row = candidates_add(out, &s);
    if (row != NULL)
        snprintf(row->label, sizeof(row->label), "q8_0, flash attention on");
}
