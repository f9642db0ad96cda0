#include "workloads/ladder/pack.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"
#include "llama.h"

#define PROMPT_MAX_BYTES (64u << 10)

static int pack_prompt(const char *dir, const char *level, int vague,
                       const char *lang, char **out, struct eb_err *err)
{
    struct eb_buf b = {0};
    char *path = eb_xasprintf("%s/prompt-%s-%s.%s.txt", dir, level,
                              vague ? "vague" : "clear", lang);
    int rc = eb_fs_read(path, PROMPT_MAX_BYTES, &b, err);

    free(path);
    while (b.len && isspace((unsigned char)b.data[b.len - 1]))
        b.data[--b.len] = '\0';
    *out = eb_buf_take(&b);
    return rc;
}

int packer_open(struct packer *p, const char *vocab_path,
                const char *corpus_dir, const char *suite_dir,
                struct eb_err *err)
{
    struct llama_model_params mp = llama_model_default_params();
    int rc;

    *p = (struct packer){0};
    mp.vocab_only = true;
    p->vocab = llama_model_load_from_file(vocab_path, mp);
    if (!p->vocab)
        return eb_fail(err, EB_EENGINE, "%s: no vocabulary", vocab_path);
    rc = corpus_load(corpus_dir, &p->corpus, err);
    for (int i = 0; i < CORPUS_LEVELS * 4 && !rc; i++)
        rc = pack_prompt(suite_dir, corpus_level_names[i / 4], i / 2 % 2,
                         corpus_lang_names[i % 2],
                         &p->system[i / 4][i / 2 % 2][i % 2], err);
    if (rc)
        packer_close(p);
    return rc;
}

void packer_close(struct packer *p)
{
    for (int i = 0; i < CORPUS_LEVELS * 4; i++)
        free(p->system[i / 4][i / 2 % 2][i % 2]);
    corpus_sample_free(&p->sample);
    corpus_free(&p->corpus);
    llama_model_free(p->vocab);
    *p = (struct packer){0};
}

int packer_vocab_size(const struct packer *p)
{
    return llama_vocab_n_tokens(llama_model_get_vocab(p->vocab));
}

int packer_tokens(const struct packer *p, const char *text, llama_token *out)
{
    return llama_tokenize(llama_model_get_vocab(p->vocab), text,
                          (int)strlen(text), out, PACK_TEXT_TOKENS, true, true);
}

int packer_sample(const struct packer *p, const char *prefix, llama_token *t,
                  int *n_prompt)
{
    char *prompt =
        eb_xasprintf("%s%s<|im_end|>\n<|im_start|>assistant\n", prefix,
                     p->sample.user.data ? p->sample.user.data : "");
    char *whole = eb_xasprintf("%s%s<|im_end|>", prompt, p->sample.answer.data);
    int n;

    *n_prompt = packer_tokens(p, prompt, t);
    n = packer_tokens(p, whole, t);
    free(prompt);
    free(whole);
    return n;
}

/* Adds one sample behind the prefix; 0 if it does not fit. */
static int pack_add(const struct packer *p, const char *prefix, int n_prefix,
                    struct net_pack *k)
{
    llama_token t[PACK_TEXT_TOKENS];
    int n_prompt;
    int n = packer_sample(p, prefix, t, &n_prompt);

    if (n_prompt <= n_prefix || n <= n_prompt ||
        k->n_tokens + n - 1 - n_prefix > NET_TOKENS ||
        k->n_rows + n - n_prompt > NET_ROWS ||
        memcmp(t, k->token, (size_t)n_prefix * sizeof(*t)))
        return 0;
    k->n_groups++;
    /* The last token only is a target, never an input. */
    for (int i = n_prefix; i < n - 1; i++) {
        int at = k->n_tokens++;
        k->token[at] = t[i];
        k->pos[at] = i;
        k->group[at] = k->n_groups;
        if (i >= n_prompt - 1) {
            k->row[k->n_rows] = at;
            k->target[k->n_rows++] = t[i + 1];
        }
    }
    return 1;
}

char *packer_prefix(const struct packer *p, enum corpus_level level, int vague,
                    enum corpus_lang lang)
{
    return eb_xasprintf("<|im_start|>system\n%s<|im_end|>\n<|im_start|>user\n",
                        level == CORPUS_COPY ? "Repeat the message."
                                             : p->system[level][vague][lang]);
}

/* Act has the longer answers and most to copy; answer is out of reach anyway,
 * triage gets the rest. */
static enum corpus_level pack_level(const struct packer *p, struct eb_rng *rng)
{
    if (eb_rng_percent(rng, p->copy_percent))
        return CORPUS_COPY;
    if (eb_rng_percent(rng, p->act_percent))
        return CORPUS_ACT;
    return eb_rng_percent(rng, 12) ? CORPUS_ANSWER : CORPUS_TRIAGE;
}

int packer_next(struct packer *p, int held_out, struct eb_rng *rng,
                struct net_pack *k, int *samples, struct eb_err *err)
{
    enum corpus_level level = pack_level(p, rng);
    enum corpus_lang lang = eb_rng_index(rng, CORPUS_LANGS);
    int vague = eb_rng_percent(rng, p->vague_percent);
    llama_token t[PACK_TEXT_TOKENS];
    char *prefix = packer_prefix(p, level, vague, lang);
    int n_prefix = packer_tokens(p, prefix, t);
    int rc = 0;
    int misses = 0;

    memset(k, 0, sizeof(*k));
    for (int i = 0; i < NET_TOKENS; i++)
        k->group[i] = -1;
    for (int i = 0; i < n_prefix && i < NET_TOKENS; i++) {
        k->token[i] = t[i];
        k->pos[i] = i;
        k->group[i] = 0;
    }
    k->n_tokens = n_prefix;
    while (!rc && misses < 3) {
        rc = corpus_sample(&p->corpus, level, lang, held_out, rng, &p->sample,
                           err);
        if (!rc && !pack_add(p, prefix, n_prefix, k))
            misses++;
    }
    free(prefix);
    *samples = k->n_groups;
    if (!rc && !k->n_groups)
        rc = eb_fail(err, EB_ELIMIT, "the prompt of %d tokens leaves no room",
                     n_prefix);
    return rc;
}
