/* Reading what publishers give: CSV as RFC 4180 has it, JSON Lines, single
 * JSON documents. Every error is one sentence "file:line: what". The caller
 * owns what comes back. */
#ifndef EB_IMPORT_READ_H
#define EB_IMPORT_READ_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

#define EB_CSV_COLUMNS 64

/* The first of the names (NULL ends them; "a/b" is fine) that exists in the
 * folder, or the path itself if it is a file; free with free(). EB_ENOENT
 * and all the names if there is none. */
int eb_import_find(const char *path, const char *const *names, char **file,
                   struct eb_err *err);

/* The first of the places below the path ("" for itself; NULL ends them) that
 * has one of the marks, files or folders, in it: people give a repository, its
 * data folder, or anything between. The path itself if none has. Free with
 * free(). */
char *eb_import_dir(const char *path, const char *const *below,
                    const char *const *marks);

/* The whole file without a byte order mark; EB_EPARSE if it is empty, packed
 * or holds a NUL byte. */
int eb_import_text(const char *file, struct eb_buf *out, struct eb_err *err);

/* What to do with one record; line is where it begins, from 1. An error
 * ends the reading. */
typedef int eb_import_csv_fn(void *ctx, char **cells, size_t n, int line,
                             struct eb_err *err);
typedef int eb_import_json_fn(void *ctx, const cJSON *row, const char *where,
                              struct eb_err *err);

/* Calls fn for each record after the first, which must be the header, letter
 * for letter. Quoted cells may hold commas, line ends and doubled quotes;
 * every record has as many cells as the header. */
int eb_import_csv(const char *file, const char *header, eb_import_csv_fn *fn,
                  void *ctx, struct eb_err *err);
/* Calls fn for the object on each line; where is "file:line". */
int eb_import_jsonl(const char *file, eb_import_json_fn *fn, void *ctx,
                    struct eb_err *err);
/* One document. A complaint about a part of it: eb_read_fail of
 * suite_read.h with `text` for the line. */
int eb_import_json(const char *file, struct eb_buf *text, cJSON **out,
                   struct eb_err *err);

/* The same where no part is complained about by line. */
int eb_import_doc(const char *file, cJSON **out, struct eb_err *err);

/* White space trimmed and each run of it one space; free with free(). */
char *eb_import_line(const char *text);

#endif
