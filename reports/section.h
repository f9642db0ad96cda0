/* The sections of a report: each reads a group and adds to the document. */
#ifndef EB_SECTION_H
#define EB_SECTION_H

#include "common/buf.h"
#include "reports/doc.h"
#include "reports/group.h"

/* How often the answer was right and what that shows (section.c). */
/* The sentence on one level and language; the mark says whether a model was
 * found. The first *lead bytes of an empty out say the answer alone. */
enum eb_doc_mark eb_section_sentence(const struct eb_group *g, struct eb_pair p,
                                     struct eb_buf *out, size_t *lead);
void eb_section_answers(struct eb_doc *d, const struct eb_group *g);
void eb_section_verdicts(struct eb_doc *d, const struct eb_group *g);
void eb_section_charts(struct eb_doc *d, const struct eb_group *g);
void eb_section_outcomes(struct eb_doc *d, const struct eb_group *g);
void eb_section_capabilities(struct eb_doc *d, const struct eb_group *g);

/* "ladder-4m (4.0 M parameters, Q8_0)" */
void eb_section_model(const cJSON *rec, struct eb_buf *out);
/* "120 of 150 right (80.0%)" and what the bounds say of it. */
void eb_section_numbers(const cJSON *rec, const cJSON *row, struct eb_buf *out);

/* The sentence on all levels and languages together, as eb_section_sentence
 * (section_job.c). */
enum eb_doc_mark eb_section_job_sentence(const struct eb_group *g,
                                         struct eb_buf *out, size_t *lead);
void eb_section_job(struct eb_doc *d, const struct eb_group *g);

/* The service bars with their bounds (section_service.c). */
void eb_section_service(struct eb_doc *d, const struct eb_group *g);
/* "TTFT p95" for "ttft_p95_ms"; an unknown bar as it is. */
const char *eb_section_bar(const char *bar);

/* The same job in several languages (section_langs.c). */
void eb_section_langs(struct eb_doc *d, const struct eb_group *g);

/* Many at once, tried again, next to a reference (section_eval.c). */
void eb_section_eval(struct eb_doc *d, const struct eb_group *g);

/* Speed, requests, rate over time and memory by phase (section_speed.c). */
void eb_section_speed(struct eb_doc *d, const struct eb_group *g);
/* What keeps each model from being faster, in words (section_limits.c). */
void eb_section_limits(struct eb_doc *d, const struct eb_group *g);
/* What tuning gained, of records with --tuned (section_tune.c). */
void eb_section_tune(struct eb_doc *d, const struct eb_group *g);
void eb_section_requests(struct eb_doc *d, const struct eb_group *g);
void eb_section_sustained(struct eb_doc *d, const struct eb_group *g);
void eb_section_memory(struct eb_doc *d, const struct eb_group *g);
/* Charts of the same with their tables (section_charts*.c). */
void eb_section_sweeps(struct eb_doc *d, const struct eb_group *g);
void eb_section_latency(struct eb_doc *d, const struct eb_group *g);
void eb_section_rate(struct eb_doc *d, const struct eb_group *g);
void eb_section_memory_parts(struct eb_doc *d, const struct eb_group *g);
/* The tests that several engines or devices ran: one name, one unit. */
void eb_section_side_by_side(struct eb_doc *d, const struct eb_groups *all);

/* What it costs and how it was run (section_cost.c). */
void eb_section_failed(struct eb_doc *d, const struct eb_group *g);
void eb_section_cost(struct eb_doc *d, const struct eb_group *g);
/* Joules and money an item. */
void eb_section_price(struct eb_doc *d, const struct eb_group *g);
void eb_section_setup(struct eb_doc *d, const struct eb_group *g);
void eb_section_models(struct eb_doc *d, const struct eb_group *g);
void eb_section_missing(struct eb_doc *d, const struct eb_group *g);

/* The command that makes the group's records again. */
void eb_section_command(const struct eb_group *g, struct eb_buf *out);

/* The vague and the clear prompt on the same items (section_paired.c). */
struct eb_paired {
    const char *model;
    struct eb_pair pair;
    long n, clear_passes, vague_passes;
    long only_clear, only_vague;   /* discordant items */
    struct eb_interval difference; /* of clear - vague */
    double p_value;
    double p_holm; /* adjusted for all rows of the report */
};
/* Free the array. */
struct eb_paired *eb_section_pairs(const struct eb_groups *all, size_t *n);
void eb_section_paired(struct eb_doc *d, const struct eb_groups *all);

/* "4.0 M", "4.2 MB": short texts into a caller's buffer. */
#define EB_SHORT_LEN 32
const char *eb_short_count(double n, char out[EB_SHORT_LEN]);
const char *eb_short_bytes(double n, char out[EB_SHORT_LEN]);
const char *eb_short_ms(double ms, char out[EB_SHORT_LEN]);
/* Percent with one digit, cut and not rounded, so that a bound below the bar
 * is never printed as the bar. */
const char *eb_short_cut(double share, char out[EB_SHORT_LEN]);
enum eb_doc_mark eb_verdict_mark(enum eb_verdict v);

#endif
