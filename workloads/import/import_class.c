#include "workloads/import/import_class.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "workloads/import/import_read.h"
#include "workloads/rng.h"
#include "workloads/text.h"

/* Bytes: longer examples cost more than they tell, shorter tell nothing. */
#define CLASS_LEAST 12
#define CLASS_MOST 90
/* A test text this long gives its item away inside an example too; "hello"
 * does not. No text of five words is shorter. */
#define CLASS_WHOLE 9

void eb_import_rows_add(struct eb_import_rows *r, const char *text,
                        const char *label)
{
    struct eb_import_row *row;

    if (r->n == r->cap) {
        r->cap = r->cap > 0 ? 2 * r->cap : 256;
        r->v = eb_xrealloc(r->v, r->cap, sizeof(*r->v));
    }
    row = &r->v[r->n++];
    row->text = eb_import_line(text);
    row->norm = eb_text_normed(row->text);
    row->label = eb_xstrdup(label);
}

void eb_import_rows_free(struct eb_import_rows *r)
{
    size_t i;

    for (i = 0; i < r->n; i++) {
        free(r->v[i].text);
        free(r->v[i].norm);
        free(r->v[i].label);
    }
    free(r->v);
    memset(r, 0, sizeof(*r));
}

static int class_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t eb_import_rows_shared(const struct eb_import_rows *r,
                             const struct eb_import_rows *other)
{
    char **v = eb_xcalloc(other->n + 1, sizeof(*v));
    size_t i, count = 0;

    for (i = 0; i < other->n; i++)
        v[i] = other->v[i].norm;
    qsort(v, other->n, sizeof(*v), class_cmp);
    for (i = 0; i < r->n; i++)
        count +=
            bsearch(&r->v[i].norm, v, other->n, sizeof(*v), class_cmp) != NULL;
    free(v);
    return count;
}

/* Labels */

void eb_import_labels_add(struct eb_import_labels *l, const char *name)
{
    size_t i;

    for (i = 0; i < l->n; i++) {
        if (strcmp(l->v[i], name) == 0)
            return;
    }
    l->v = eb_xrealloc(l->v, l->n + 1, sizeof(*l->v));
    l->v[l->n++] = eb_xstrdup(name);
}

size_t eb_import_labels_keep(struct eb_import_labels *l,
                             struct eb_import_suite *s, const char *level,
                             const char *field)
{
    size_t i, kept = 0, gone;

    for (i = 0; i < l->n; i++) {
        if (eb_import_has_label(s, level, field, l->v[i]))
            l->v[kept++] = l->v[i];
        else
            free(l->v[i]);
    }
    gone = l->n - kept;
    l->n = kept;
    return gone;
}

void eb_import_labels_free(struct eb_import_labels *l)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

/* Examples */

static int class_gives_away(const struct eb_import_row *row,
                            const struct eb_import_rows *test)
{
    size_t i;

    for (i = 0; i < test->n; i++) {
        const char *text = test->v[i].norm;

        if (strcmp(row->norm, text) == 0 ||
            (strlen(text) >= CLASS_WHOLE && strstr(row->norm, text) != NULL))
            return 1;
    }
    return 0;
}

static int class_is_short(const struct eb_import_row *row)
{
    size_t len = strlen(row->text);

    return len >= CLASS_LEAST && len <= CLASS_MOST;
}

const struct eb_import_row *
eb_import_example(const struct eb_import_rows *train, const char *label,
                  const struct eb_import_rows *test, uint64_t seed, size_t nth)
{
    const struct eb_import_row **v = eb_xcalloc(train->n + 1, sizeof(*v));
    const struct eb_import_row *t, *found = NULL;
    struct eb_rng rng;
    size_t n = 0, i, k;
    int pass;

    for (i = 0; i < train->n; i++) {
        if (label == NULL || strcmp(train->v[i].label, label) == 0)
            v[n++] = &train->v[i];
    }
    eb_rng_init(&rng, seed, "example", label);
    for (i = n; i > 1; i--) {
        k = (size_t)eb_rng_below(&rng, i);
        t = v[i - 1];
        v[i - 1] = v[k];
        v[k] = t;
    }
    for (pass = 0; pass < 2 && found == NULL; pass++) {
        for (i = 0; i < n && found == NULL; i++) {
            if (class_is_short(v[i]) == (pass == 0) &&
                !class_gives_away(v[i], test) && nth-- == 0)
                found = v[i];
        }
    }
    free(v);
    return found;
}

/* JSON */

cJSON *eb_import_field(const char *name, const char *type,
                       const struct eb_import_labels *values)
{
    cJSON *f = cJSON_CreateObject();

    cJSON_AddStringToObject(f, "name", name);
    cJSON_AddStringToObject(f, "type", type);
    if (values != NULL)
        cJSON_AddItemToObject(
            f, "values",
            cJSON_CreateStringArray((const char *const *)values->v,
                                    (int)values->n));
    return f;
}

cJSON *eb_import_said_fields(const struct eb_import_labels *labels)
{
    cJSON *fields = cJSON_CreateArray(), *f;
    size_t i;

    for (i = 0; i < labels->n; i++) {
        f = eb_import_field(labels->v[i], "string", NULL);
        cJSON_AddNumberToObject(f, "max_chars", EB_IMPORT_SAID_MAX);
        cJSON_AddBoolToObject(f, "nullable", 1);
        cJSON_AddBoolToObject(f, "paired", 0);
        cJSON_AddItemToArray(fields, f);
    }
    return fields;
}

cJSON *eb_import_json_level(const char *name, double bar, const char *why,
                            int constrain, int max_tokens, cJSON *fields,
                            const char *refuse, const char *escalate)
{
    cJSON *l = cJSON_CreateObject(), *nulls;

    cJSON_AddStringToObject(l, "name", name);
    cJSON_AddStringToObject(l, "kind", "json");
    cJSON_AddNumberToObject(l, "bar", bar);
    cJSON_AddStringToObject(l, "why", why);
    cJSON_AddBoolToObject(l, "constrain", constrain);
    cJSON_AddNumberToObject(l, "max_tokens", max_tokens);
    cJSON_AddItemToObject(l, "fields", fields);
    nulls = cJSON_AddObjectToObject(l, "nulls");
    cJSON_AddItemToObject(nulls, "refuse", cJSON_Parse(refuse));
    cJSON_AddItemToObject(nulls, "escalate", cJSON_Parse(escalate));
    return l;
}

cJSON *eb_import_message(const char *text, const char *capability,
                         const char *stratum, cJSON *gold)
{
    cJSON *item = cJSON_CreateObject(), *prompt;

    cJSON_AddStringToObject(item, "capability", capability);
    cJSON_AddStringToObject(item, "stratum", stratum);
    prompt = cJSON_AddObjectToObject(item, "prompt");
    cJSON_AddStringToObject(prompt, "message", text);
    cJSON_AddItemToObject(item, "gold", gold);
    return item;
}

void eb_import_label_lines(struct eb_buf *out,
                           const struct eb_import_labels *labels,
                           const struct eb_import_rows *train,
                           const struct eb_import_rows *test, uint64_t seed)
{
    size_t i;

    for (i = 0; i < labels->n; i++) {
        const struct eb_import_row *row =
            eb_import_example(train, labels->v[i], test, seed, 0);

        eb_buf_addf(out, "%s%s", i > 0 ? "\n" : "", labels->v[i]);
        if (row != NULL)
            eb_buf_addf(out, ": %s", row->text);
    }
}

void eb_import_label_list(struct eb_buf *out,
                          const struct eb_import_labels *labels)
{
    size_t i;

    for (i = 0; i < labels->n; i++)
        eb_buf_addf(out, "%s%s", i > 0 ? ", " : "", labels->v[i]);
}
