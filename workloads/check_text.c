#include "workloads/check_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "workloads/text.h"

/* Slots are the same words in many items and different ones at run time. */
static void check_add_bare(struct eb_buf *out, const char *s)
{
    const char *hit, *end;

    while ((hit = strstr(s, "${")) != NULL &&
           (end = strchr(hit, '}')) != NULL) {
        eb_buf_add(out, s, (size_t)(hit - s));
        eb_buf_addc(out, ' ');
        s = end + 1;
    }
    eb_buf_adds(out, s);
}

void eb_check_text_init(struct eb_check_text *t, const cJSON *item)
{
    struct eb_buf message = {0}, rest = {0};
    const cJSON *v;

    t->lang = eb_json_get_str(item, "lang", "");
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(item, "prompt"))
    {
        if (!cJSON_IsString(v))
            continue;
        if (strcmp(v->string, "message") == 0)
            check_add_bare(&message, v->valuestring);
        else
            check_add_bare(&rest, v->valuestring);
    }
    /* So is the same question with other functions to answer it. */
    if ((v = cJSON_GetObjectItemCaseSensitive(item, "tools")) != NULL) {
        char *tools = cJSON_PrintUnformatted(v);

        eb_buf_adds(&rest, tools != NULL ? tools : "");
        free(tools);
    }
    t->message = eb_text_normed(message.data != NULL ? message.data : "");
    t->rest = eb_text_normed(rest.data != NULL ? rest.data : "");
    t->tokens = eb_text_tokens(t->message, &t->n_tokens);
    eb_buf_free(&message);
    eb_buf_free(&rest);
}

void eb_check_text_free(struct eb_check_text *t)
{
    free(t->message);
    free(t->rest);
    free(t->tokens);
}

double eb_check_text_same(const struct eb_check_text *a,
                          const struct eb_check_text *b)
{
    if (strcmp(a->lang, b->lang) != 0 || a->message[0] == '\0')
        return 0;
    if (strcmp(a->message, b->message) == 0)
        return strcmp(a->rest, b->rest) == 0 ? 2 : 0;
    /* Sizes alone bound the overlap; most pairs end here. */
    if (a->n_tokens > 2 * b->n_tokens || b->n_tokens > 2 * a->n_tokens ||
        strcmp(a->rest, b->rest) != 0)
        return 0;
    return eb_text_overlap(a->tokens, a->n_tokens, b->tokens, b->n_tokens);
}
