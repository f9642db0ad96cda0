/* Fills training packs with tokenised samples behind a job's prompt. */
#ifndef EB_LADDER_PACK_H
#define EB_LADDER_PACK_H

#include "common/err.h"
#include "llama.h"
#include "workloads/ladder/corpus.h"
#include "workloads/ladder/net.h"

#define PACK_TEXT_TOKENS 2048

struct packer {
    struct llama_model *vocab; /* GGUF with a vocabulary only */
    struct corpus corpus;
    char *system[CORPUS_LEVELS][2][CORPUS_LANGS]; /* [level][vague][lang] */
    struct corpus_sample sample;
    int vague_percent; /* share of packs behind the vague prompt */
    int copy_percent;  /* share of packs that only teach copying */
    int act_percent;   /* share of act in the other packs */
};

/* suite_dir holds prompt-<level>-<clear|vague>.<lang>.txt. */
int packer_open(struct packer *p, const char *vocab_path,
                const char *corpus_dir, const char *suite_dir,
                struct eb_err *err);
void packer_close(struct packer *p);
int packer_vocab_size(const struct packer *p);
/* What stands before every message of a level; the caller frees it. */
char *packer_prefix(const struct packer *p, enum corpus_level level, int vague,
                    enum corpus_lang lang);
/* Tokens of a text, special ones parsed; out has PACK_TEXT_TOKENS. Returns
 * their number, negative if they are more. */
int packer_tokens(const struct packer *p, const char *text, llama_token *out);
/* Tokens of prefix, p->sample and its answer with the end mark; *n_prompt of
 * them come before the answer. */
int packer_sample(const struct packer *p, const char *prefix, llama_token *t,
                  int *n_prompt);
/* A pack of one level, prompt and language, chosen by rng. held_out packs
 * use only the held-out wordings. *samples is the number of samples. */
int packer_next(struct packer *p, int held_out, struct eb_rng *rng,
                struct net_pack *pack, int *samples, struct eb_err *err);

#endif
