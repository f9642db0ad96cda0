#include "workloads/import/import_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/import/import.h"

#define IMPORT_BOM "\xEF\xBB\xBF"

int eb_import_find(const char *path, const char *const *names, char **file,
                   struct eb_err *err)
{
    struct eb_buf all = {0};
    struct stat st;
    size_t i;
    int rc;

    *file = NULL;
    if (stat(path, &st) < 0)
        return eb_fail(err, EB_ENOENT, "%.150s: no such file or folder", path);
    if (!S_ISDIR(st.st_mode)) {
        *file = eb_xstrdup(path);
        return 0;
    }
    for (i = 0; names[i] != NULL; i++) {
        *file = eb_fs_join(path, names[i]);
        if (eb_fs_exists(*file)) {
            eb_buf_free(&all);
            return 0;
        }
        free(*file);
        *file = NULL;
        eb_buf_addf(&all, "%s%s", i > 0 ? " or " : "", names[i]);
    }
    rc = eb_fail(err, EB_ENOENT, "%.120s: no %.100s in this folder", path,
                 all.data);
    eb_buf_free(&all);
    return rc;
}

char *eb_import_dir(const char *path, const char *const *below,
                    const char *const *marks)
{
    size_t i, k;

    for (i = 0; below[i] != NULL; i++) {
        char *dir =
            *below[i] != '\0' ? eb_fs_join(path, below[i]) : eb_xstrdup(path);
        int found = 0;

        for (k = 0; marks[k] != NULL && !found; k++) {
            char *mark = eb_fs_join(dir, marks[k]);

            found = eb_fs_exists(mark);
            free(mark);
        }
        if (found)
            return dir;
        free(dir);
    }
    return eb_xstrdup(path);
}

/* gzip, zip, bzip2, xz and zstd by their first bytes. */
static int text_is_packed(const struct eb_buf *b)
{
    static const char *const heads[] = {"\x1f\x8b", "PK\x03\x04", "BZh",
                                        "\xfd\x37zXZ", "\x28\xb5\x2f\xfd"};
    size_t i;

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (strncmp(b->data, heads[i], strlen(heads[i])) == 0)
            return 1;
    }
    return 0;
}

int eb_import_text(const char *file, struct eb_buf *out, struct eb_err *err)
{
    int rc = eb_fs_read(file, EB_IMPORT_FILE_MAX, out, err);

    if (rc != 0)
        return rc;
    if (out->len == 0)
        return eb_fail(err, EB_EPARSE, "%.200s:1: the file is empty", file);
    if (text_is_packed(out))
        return eb_fail(err, EB_EPARSE, "%.200s: is compressed; unpack it first",
                       file);
    if (strlen(out->data) != out->len)
        return eb_fail(err, EB_EPARSE, "%.200s: holds a NUL byte", file);
    /* A byte order mark, as spreadsheets and Windows editors write it. */
    if (strncmp(out->data, IMPORT_BOM, strlen(IMPORT_BOM)) == 0) {
        out->len -= strlen(IMPORT_BOM);
        memmove(out->data, out->data + strlen(IMPORT_BOM), out->len + 1);
    }
    return 0;
}

/* CSV */

struct csv {
    const char *file;
    char *p;  /* read from here; cells are unquoted in place behind it */
    int line; /* of *p */
    char *cells[EB_CSV_COLUMNS];
    size_t n;
    struct eb_err *err;
};

/* A quoted cell; c->p is behind the opening quote. Ends behind the closing
 * one. */
static int csv_quoted(struct csv *c)
{
    char *to = c->p;
    int begin = c->line;

    for (; *c->p != '\0'; c->p++) {
        if (*c->p == '"' && c->p[1] != '"') {
            c->p++;
            *to = '\0';
            return 0;
        }
        if (*c->p == '"')
            c->p++;
        if (*c->p == '\n')
            c->line++;
        *to++ = *c->p;
    }
    return eb_fail(c->err, EB_EPARSE,
                   "%.180s:%d: a quote that is opened here is never closed",
                   c->file, begin);
}

/* One record into cells, unquoted in place. */
static int csv_record(struct csv *c)
{
    char end;

    c->n = 0;
    do {
        if (c->n == EB_CSV_COLUMNS)
            return eb_fail(c->err, EB_EPARSE, "%.180s:%d: more than %d cells",
                           c->file, c->line, EB_CSV_COLUMNS);
        if (*c->p == '"') {
            c->cells[c->n++] = ++c->p;
            if (csv_quoted(c) != 0)
                return EB_EPARSE;
            if (*c->p == '\r')
                c->p++;
            if (*c->p != ',' && *c->p != '\n' && *c->p != '\0')
                return eb_fail(c->err, EB_EPARSE,
                               "%.180s:%d: text after a closing quote", c->file,
                               c->line);
        } else {
            c->cells[c->n++] = c->p;
            c->p += strcspn(c->p, ",\n");
            if (*c->p != ',' && c->p > c->cells[c->n - 1] && c->p[-1] == '\r')
                c->p[-1] = '\0';
        }
        end = *c->p;
        if (end != '\0')
            *c->p++ = '\0';
    } while (end == ',');
    if (end == '\n')
        c->line++;
    return 0;
}

static int csv_header(struct csv *c, const char *header)
{
    struct eb_buf got = {0};
    size_t i;
    int rc = csv_record(c);

    for (i = 0; rc == 0 && i < c->n; i++)
        eb_buf_addf(&got, "%s%s", i > 0 ? "," : "", c->cells[i]);
    if (rc == 0 && strcmp(got.data, header) != 0)
        rc = eb_fail(c->err, EB_EPARSE,
                     "%.100s:1: expected the header %.40s, got %.60s", c->file,
                     header, got.data);
    eb_buf_free(&got);
    return rc;
}

int eb_import_csv(const char *file, const char *header, eb_import_csv_fn *fn,
                  void *ctx, struct eb_err *err)
{
    struct csv c = {.file = file, .line = 1, .err = err};
    struct eb_buf text = {0};
    size_t want = 0;
    int rc = eb_import_text(file, &text, err);

    if (rc == 0) {
        c.p = text.data;
        rc = csv_header(&c, header);
        want = c.n;
    }
    while (rc == 0 && *c.p != '\0') {
        int line = c.line;

        rc = csv_record(&c);
        if (rc == 0 && c.n != want)
            rc = eb_fail(err, EB_EPARSE, "%.180s:%d: %zu cells, expected %zu",
                         file, line, c.n, want);
        if (rc == 0)
            rc = fn(ctx, c.cells, c.n, line, err);
    }
    eb_buf_free(&text);
    return rc;
}

/* JSON */

int eb_import_jsonl(const char *file, eb_import_json_fn *fn, void *ctx,
                    struct eb_err *err)
{
    struct eb_buf text = {0};
    char *where;
    const char *p;
    size_t len;
    int line = 0, rc = eb_import_text(file, &text, err);

    for (p = text.data; rc == 0 && *p != '\0'; p += len + (p[len] == '\n')) {
        cJSON *row = NULL;

        len = strcspn(p, "\n");
        line++;
        if (strspn(p, " \t\r") >= len)
            continue;
        where = eb_xasprintf("%.180s:%d", file, line);
        rc = eb_json_parse(p, len, where, &row, err);
        if (rc == 0 && !cJSON_IsObject(row))
            rc = eb_fail(err, EB_EPARSE, "%s: expected an object", where);
        if (rc == 0)
            rc = fn(ctx, row, where, err);
        cJSON_Delete(row);
        free(where);
    }
    eb_buf_free(&text);
    return rc;
}

int eb_import_json(const char *file, struct eb_buf *text, cJSON **out,
                   struct eb_err *err)
{
    int rc = eb_import_text(file, text, err);

    return rc != 0 ? rc : eb_json_parse(text->data, text->len, file, out, err);
}

int eb_import_doc(const char *file, cJSON **out, struct eb_err *err)
{
    struct eb_buf text = {0};
    int rc;

    *out = NULL;
    rc = eb_import_json(file, &text, out, err);
    eb_buf_free(&text);
    return rc;
}

char *eb_import_line(const char *text)
{
    static const char space[] = " \t\r\n\v\f";
    struct eb_buf b = {0};
    size_t len;

    eb_buf_adds(&b, "");
    for (text += strspn(text, space); *text != '\0';
         text += len, text += strspn(text, space)) {
        len = strcspn(text, space);
        if (b.len > 0)
            eb_buf_addc(&b, ' ');
        eb_buf_add(&b, text, len);
    }
    return eb_buf_take(&b);
}
