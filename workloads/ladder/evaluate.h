/* How well a rung learned the generated text itself, on wordings it was
 * trained on and on the held-out ones. Says nothing about custsvc. */
#ifndef EB_LADDER_EVALUATE_H
#define EB_LADDER_EVALUATE_H

#include <stdint.h>

#include "common/err.h"

struct evaluate_options {
    const char *model; /* GGUF */
    const char *corpus;
    const char *suite;
    int samples; /* a cell of level, language, prompt and wording */
    int threads;
    uint64_t seed;
};

/* Prints one line a cell: the share of answers that greedy decoding gives
 * token for token. EB_EENGINE when the model cannot be run. */
int evaluate_model(const struct evaluate_options *o, struct eb_err *err);

#endif
