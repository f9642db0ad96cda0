#include "reports/writer.h"

#include <string.h>

extern const struct eb_writer_ops eb_writer_html;
extern const struct eb_writer_ops eb_writer_markdown;
extern const struct eb_writer_ops eb_writer_json;

static const struct eb_writer_ops *const writer_all[] = {
    &eb_writer_html, &eb_writer_markdown, &eb_writer_json, NULL};

const struct eb_writer_ops *eb_writer_find(const char *name)
{
    size_t i;

    for (i = 0; writer_all[i] != NULL; i++) {
        if (strcmp(writer_all[i]->name, name) == 0)
            return writer_all[i];
    }
    return NULL;
}

const struct eb_writer_ops *eb_writer_by_suffix(const char *path)
{
    size_t i, n = strlen(path), k;

    for (i = 0; writer_all[i] != NULL; i++) {
        k = strlen(writer_all[i]->suffix);
        if (n > k && strcmp(path + n - k, writer_all[i]->suffix) == 0)
            return writer_all[i];
    }
    return NULL;
}
