/* Byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2) learnt from a
 * text. Words are cut as llama.cpp's "qwen2" pre-tokenizer does (letters
 * with one leading mark, single digits, runs of marks), so that its
 * tokenizer reproduces the merges. */
#ifndef EB_LADDER_BPE_H
#define EB_LADDER_BPE_H

#include <stddef.h>
#include <stdint.h>

struct bpe {
    char **tokens; /* 256 bytes, merges, then the control tokens; in the
                      printable alphabet of GPT-2 */
    int n_tokens;
    char **merges; /* "left right" */
    int n_merges;
    int n_control; /* the last tokens: <|pad|>, <|im_start|>, <|im_end|> */
};

/* Learns n_vocab - 256 - 3 merges (fewer if the text has no more pairs). */
void bpe_train(const char *text, size_t len, int n_vocab, struct bpe *b);
void bpe_free(struct bpe *b);

#endif
