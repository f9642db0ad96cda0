/* --score loglik: an answer is chosen, not written. Field after field, each
 * allowed value is put behind what stands already, and the most likely one
 * stays. The value's end mark is part of it, so a label that begins another
 * one gains nothing. */
#include <stdlib.h>
#include <string.h>

#include "agent/run_parts.h"
#include "common/mem.h"

int eb_run_can_score(const struct eb_level *l)
{
    size_t i;

    if (l->kind != EB_KIND_JSON)
        return 0;
    for (i = 0; i < l->n_fields; i++) {
        if (l->fields[i].type != EB_FIELD_ENUM &&
            l->fields[i].type != EB_FIELD_BOOL)
            return 0;
    }
    return l->n_fields > 0;
}

/* The field's values as JSON, each with the mark that ends it. */
static char **score_options(const struct eb_field *f, const char *end,
                            size_t *n)
{
    char **v = eb_xcalloc(f->n_values + 3, sizeof(*v));
    size_t i;

    *n = 0;
    for (i = 0; f->type == EB_FIELD_ENUM && i < f->n_values; i++)
        v[(*n)++] = eb_xasprintf("\"%s\"%s", f->values[i], end);
    if (f->type == EB_FIELD_BOOL) {
        v[(*n)++] = eb_xasprintf("true%s", end);
        v[(*n)++] = eb_xasprintf("false%s", end);
    }
    if (f->nullable)
        v[(*n)++] = eb_xasprintf("null%s", end);
    return v;
}

static int score_field(struct eb_engine *e, const struct eb_field *f,
                       const char *end, struct eb_buf *text, size_t prompt_len,
                       struct eb_err *err)
{
    size_t n, i, best = 0;
    char **options = score_options(f, end, &n);
    double *logprob = eb_xcalloc(n, sizeof(*logprob));
    int rc;

    eb_buf_addf(text, "%s\"%s\":", text->len == prompt_len ? "{" : "", f->name);
    rc = e->ops->score(e, text->data, (const char *const *)options, n, logprob,
                       err);
    for (i = 1; i < n; i++) {
        if (logprob[i] > logprob[best])
            best = i;
    }
    if (rc == 0)
        eb_buf_adds(text, options[best]);
    for (i = 0; i < n; i++)
        free(options[i]);
    free(options);
    free(logprob);
    return rc;
}

int eb_run_score(struct eb_engine *e, const struct eb_case *c,
                 struct eb_buf *answer, struct eb_err *err)
{
    struct eb_message m[] = {{"system", c->system}, {"user", c->user}};
    const struct eb_level *l = c->level;
    struct eb_buf text = {0};
    size_t prompt_len, i;
    int rc = e->ops->render(e, m, 2, &text, err);

    prompt_len = text.len;
    for (i = 0; i < l->n_fields && rc == 0; i++)
        rc = score_field(e, &l->fields[i], i + 1 < l->n_fields ? "," : "}",
                         &text, prompt_len, err);
    if (rc == 0)
        eb_buf_adds(answer, text.data + prompt_len);
    eb_buf_free(&text);
    return rc;
}
