/* Fills training packs with tokenised samples behind a job's prompt. */
#ifndef EB_LADDER_PACK_H
#define EB_LADDER_PACK_H

#include "common/err.h"
#include "workloads/ladder/corpus.h"
#include "workloads/ladder/net.h"

struct llama_model;

struct packer {
    struct llama_model *vocab; /* GGUF with a vocabulary only */
    struct corpus corpus;
    char *system[CORPUS_LEVELS][2][CORPUS_LANGS]; /* [level][vague][lang] */
    struct corpus_sample sample;
    int vague_percent; /* share of packs behind the vague prompt */
};

/* suite_dir holds prompt-<level>-<clear|vague>.<lang>.txt. */
int packer_open(struct packer *p, const char *vocab_path,
                const char *corpus_dir, const char *suite_dir,
                struct eb_err *err);
void packer_close(struct packer *p);
int packer_vocab_size(const struct packer *p);
/* A pack of one level, prompt and language, chosen by rng. held_out packs
 * use only the held-out wordings. *samples is the number of samples. */
int packer_next(struct packer *p, int held_out, struct rng *rng,
                struct net_pack *pack, int *samples, struct eb_err *err);

#endif
