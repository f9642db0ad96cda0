/* Formats of a report. A driver is one file with one eb_writer_ops; the table
 * in writer.c names them all. */
#ifndef EB_WRITER_H
#define EB_WRITER_H

#include "common/buf.h"
#include "reports/doc.h"
#include "reports/group.h"

struct eb_writer_ops {
    const char *name;   /* as in -f */
    const char *suffix; /* of files, with the dot */
    /* The document and the groups it was made of say the same. */
    void (*write)(const struct eb_doc *doc, const struct eb_groups *groups,
                  struct eb_buf *out);
};

/* NULL if there is none of that name. */
const struct eb_writer_ops *eb_writer_find(const char *name);
/* By the end of a file's name; NULL if it says nothing. */
const struct eb_writer_ops *eb_writer_by_suffix(const char *path);

#endif
