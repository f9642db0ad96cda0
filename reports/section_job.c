/* The answer to the whole job: every level in every language. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/record.h"
#include "reports/section.h"

/* "The whole job (triage, act; en and zh): " */
static void job_name(const struct eb_group *g, struct eb_buf *out)
{
    const cJSON *def;
    size_t n, i, k = 0;
    const char **langs = eb_record_langs(g->recs, g->n, &n);

    eb_buf_adds(out, "The whole job (");
    cJSON_ArrayForEach(def, eb_group_get(g->recs[0], "levels")) eb_buf_addf(
        out, "%s%s", k++ > 0 ? ", " : "", eb_json_get_str(def, "level", ""));
    for (i = 0; i < n; i++)
        eb_buf_addf(out, "%s%s",
                    i == 0      ? "; "
                    : i + 1 < n ? ", "
                                : " and ",
                    langs[i]);
    eb_buf_adds(out, "): ");
    free(langs);
}

/* Where the model at which the search stopped fell short, by what numbers. */
static void job_stop(const struct eb_group *g, const struct eb_smallest_job *s,
                     struct eb_buf *out)
{
    const cJSON *rec = g->recs[s->stop];
    const cJSON *def = eb_group_level(rec, s->level);

    eb_buf_adds(out, ": ");
    eb_section_numbers(
        rec, eb_group_row(rec, (struct eb_pair){s->level, s->lang}), out);
    eb_buf_addf(out, ", bar %.4g%%.", 100 * eb_json_get_num(def, "bar", 0));
}

static void job_fails(const struct eb_smallest_job *s, struct eb_buf *out)
{
    eb_buf_addf(out, "%s %s, %s",
                s->verdict == EB_INSUFFICIENT ? "fails"
                                              : "is not shown to pass",
                s->level, s->lang);
}

/* The names of the service bars with one verdict. */
static void job_bars(const cJSON *rec, enum eb_verdict v, const char *lead,
                     struct eb_buf *out)
{
    const cJSON *row;
    int n = 0;

    cJSON_ArrayForEach(row, eb_group_get(rec, "summary.service"))
    {
        if (eb_group_verdict(rec, row) == v)
            eb_buf_addf(out, "%s%s", n++ > 0 ? ", " : lead,
                        eb_section_bar(eb_json_get_str(row, "bar", "")));
    }
    if (n > 0)
        eb_buf_adds(out, ".");
}

enum eb_doc_mark eb_section_job_sentence(const struct eb_group *g,
                                         struct eb_buf *out, size_t *lead)
{
    struct eb_smallest_job s = eb_record_smallest_job(g->recs, g->n);
    const cJSON *rec;

    job_name(g, out);
    if (!s.found) {
        eb_buf_adds(out, "no model is shown sufficient");
        if (s.stopped) {
            eb_buf_addf(out, "; the %s, %s, ",
                        g->n > 1 ? "largest" : "only one",
                        eb_group_model(g->recs[s.stop]));
            job_fails(&s, out);
        } else {
            eb_buf_adds(out, "; no item was run");
        }
        *lead = out->len;
        if (s.stopped)
            job_stop(g, &s, out);
        else
            eb_buf_adds(out, ".");
        return s.all_decided ? EB_DOC_NO : EB_DOC_UNKNOWN;
    }
    rec = g->recs[s.index];
    eb_buf_adds(out, "the smallest sufficient model is ");
    eb_section_model(rec, out);
    *lead = out->len;
    eb_buf_adds(out, ".");
    if (s.stopped) {
        eb_buf_addf(out, " The next smaller, %s, ",
                    eb_group_model(g->recs[s.stop]));
        job_fails(&s, out);
        job_stop(g, &s, out);
    } else {
        eb_buf_adds(out, " No smaller model was run.");
    }
    job_bars(rec, EB_SUFFICIENT, " Service bars it meets: ", out);
    job_bars(rec, EB_INSUFFICIENT, " Service bars it fails: ", out);
    job_bars(rec, EB_NOT_SHOWN, " Service bars not shown: ", out);
    return EB_DOC_YES;
}

void eb_section_job(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_buf b = {0};
    enum eb_doc_mark mark;
    size_t lead;

    mark = eb_section_job_sentence(g, &b, &lead);
    eb_doc_answer(d, mark, b.data, lead);
    eb_buf_free(&b);
}
