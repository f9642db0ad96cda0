/* Generated training samples: a customer's message and the answer that the
 * job wants, for the levels triage, act and answer.
 *
 * Every tenth template line is held out: samples for training never use it,
 * samples for evaluation use nothing else. */
#ifndef EB_LADDER_CORPUS_H
#define EB_LADDER_CORPUS_H

#include "common/buf.h"
#include "common/err.h"
#include "workloads/ladder/template.h"
#include "workloads/rng.h"

/* CORPUS_COPY is no level of custsvc: an address that is said again, which
 * teaches what act needs, to copy what one never saw. */
enum corpus_level {
    CORPUS_TRIAGE,
    CORPUS_ACT,
    CORPUS_ANSWER,
    CORPUS_LEVELS,
    CORPUS_COPY = CORPUS_LEVELS
};
enum corpus_lang { CORPUS_EN, CORPUS_ZH, CORPUS_LANGS };

extern const char *const corpus_level_names[CORPUS_LEVELS];
extern const char *const corpus_lang_names[CORPUS_LANGS];

/* A policy statement with questions and answers on it. */
struct corpus_fact {
    char *section;
    int a_lo, a_hi, b_lo, b_hi;
    struct tmpl_lines statements;
    struct tmpl_lines questions;
    struct tmpl_lines answers;
};

struct corpus {
    struct tmpl_file messages[CORPUS_LANGS];
    struct tmpl_file fact_lists[CORPUS_LANGS]; /* only for expanding */
    struct corpus_fact *facts[CORPUS_LANGS];
    int n_facts[CORPUS_LANGS];
};

struct corpus_sample {
    struct eb_buf user;
    struct eb_buf answer;
};

/* Reads messages.<lang>.txt and facts.<lang>.txt of the folder. */
int corpus_load(const char *dir, struct corpus *c, struct eb_err *err);
void corpus_free(struct corpus *c);
/* Replaces the sample's texts by a new one. */
int corpus_sample(const struct corpus *c, enum corpus_level level,
                  enum corpus_lang lang, int held_out, struct eb_rng *rng,
                  struct corpus_sample *s, struct eb_err *err);
void corpus_sample_free(struct corpus_sample *s);

#endif
