#include "common/record.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/stats.h"

/* Largest file of many records. */
#define RECORD_FILE_MAX (256u << 20)

static pthread_mutex_t record_uuid_lock = PTHREAD_MUTEX_INITIALIZER;

/* RFC 9562 section 6.2, method 1: the 12 bits after the milliseconds count up
 * within one millisecond, and start low enough to have room for that. */
static uint64_t record_uuid_head(unsigned random)
{
    static uint64_t last;
    uint64_t ms = (uint64_t)eb_clock_wall_us() / 1000, head;

    pthread_mutex_lock(&record_uuid_lock);
    head = ms << 12 | (random & 0x3ff);
    if (ms <= last >> 12)
        head = last + 1;
    last = head;
    pthread_mutex_unlock(&record_uuid_lock);
    return head;
}

void eb_uuid7(char out[EB_UUID_LEN])
{
    unsigned char r[10];
    uint64_t head, low = 0;
    int i;

    if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r)) {
        eb_error("no random numbers from the kernel");
        abort();
    }
    head = record_uuid_head((unsigned)r[8] << 8 | r[9]);
    for (i = 0; i < 8; i++)
        low = low << 8 | r[i];
    low = (low & 0x3fffffffffffffffu) | 0x8000000000000000u;
    snprintf(out, EB_UUID_LEN, "%08x-%04x-7%03x-%04x-%012llx",
             (unsigned)(head >> 28 & 0xffffffffu),
             (unsigned)(head >> 12 & 0xffff), (unsigned)(head & 0xfff),
             (unsigned)(low >> 48 & 0xffff),
             (unsigned long long)(low & 0xffffffffffffu));
}

/* Lower case only: an id is a key, and one id must have one spelling. */
int eb_uuid_valid(const char *s)
{
    size_t i;

    for (i = 0; i < EB_UUID_LEN - 1; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s[i] != '-')
                return 0;
        } else if (s[i] == '\0' || strchr("0123456789abcdef", s[i]) == NULL) {
            return 0;
        }
    }
    return s[i] == '\0';
}

static const char *const record_outcomes[EB_OUT_COUNT] = {
    "ok",      "wrong", "unparsed",     "refused",          "truncated",
    "timeout", "oom",   "engine_crash", "thermal_shutdown", "harness_error"};

const char *eb_outcome_name(enum eb_outcome o)
{
    return record_outcomes[o];
}

int eb_outcome_parse(const char *name)
{
    int i;

    for (i = 0; i < EB_OUT_COUNT; i++) {
        if (strcmp(record_outcomes[i], name) == 0)
            return i;
    }
    return -1;
}

/* A growing list of records. */
struct record_list {
    cJSON **v;
    size_t n;
    size_t cap;
};

/* Takes rec over, also on failure. */
static int record_add(struct record_list *list, cJSON *rec, const char *where,
                      struct eb_err *err)
{
    int rc = eb_record_validate(rec, where, err);

    if (rc != 0) {
        cJSON_Delete(rec);
        return rc;
    }
    eb_record_derive(rec);
    if (list->n == list->cap) {
        list->cap = list->cap > 0 ? 2 * list->cap : 8;
        list->v = eb_xrealloc(list->v, list->cap, sizeof(*list->v));
    }
    list->v[list->n++] = rec;
    return 0;
}

static int record_add_text(struct record_list *list, const char *text,
                           size_t len, const char *where, struct eb_err *err)
{
    cJSON *rec;
    int rc;

    if (len > EB_RECORD_MAX_BYTES)
        return eb_fail(err, EB_ELIMIT, "%s: record larger than %u bytes", where,
                       EB_RECORD_MAX_BYTES);
    rc = eb_json_parse(text, len, where, &rec, err);
    if (rc != 0)
        return rc;
    return record_add(list, rec, where, err);
}

static int record_add_array(struct record_list *list, const char *text,
                            size_t len, const char *where, struct eb_err *err)
{
    cJSON *all, *rec;
    size_t i;
    int rc;

    rc = eb_json_parse(text, len, where, &all, err);
    for (i = 0; rc == 0 && all->child != NULL; i++) {
        char *element = eb_xasprintf("%s[%zu]", where, i);

        rec = cJSON_DetachItemViaPointer(all, all->child);
        rc = record_add(list, rec, element, err);
        free(element);
    }
    cJSON_Delete(all);
    return rc;
}

static int record_add_lines(struct record_list *list, const char *text,
                            size_t len, const char *where, struct eb_err *err)
{
    const char *end = text + len, *next;
    size_t line;
    int rc = 0;

    for (line = 1; rc == 0 && text < end; line++, text = next) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        char *place;

        next = nl != NULL ? nl + 1 : end;
        if (strspn(text, " \t\r\n") >= (size_t)(next - text))
            continue;
        place = eb_xasprintf("%s:%zu", where, line);
        rc = record_add_text(list, text, (size_t)(next - text), place, err);
        free(place);
    }
    return rc;
}

/* JSON Lines if a first line that is a whole value has more lines after it;
 * one record may well stretch over many lines. */
static int record_is_lines(const char *text, size_t len)
{
    const char *nl = memchr(text, '\n', len);
    size_t first = nl != NULL ? (size_t)(nl - text) : len;
    cJSON *v;

    if (nl == NULL || strspn(nl, " \t\r\n") == len - first ||
        eb_json_parse(text, first, "", &v, NULL) != 0)
        return 0;
    cJSON_Delete(v);
    return 1;
}

static int record_read_stdin(struct eb_buf *out, struct eb_err *err)
{
    char chunk[65536];
    ssize_t n;

    for (;;) {
        n = read(STDIN_FILENO, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (out->len + (size_t)n > RECORD_FILE_MAX)
            return eb_fail(err, EB_ELIMIT,
                           "standard input: larger than %u bytes",
                           RECORD_FILE_MAX);
        eb_buf_add(out, chunk, (size_t)n);
    }
    if (n < 0)
        return eb_fail(err, EB_EIO, "standard input: %s", strerror(errno));
    eb_buf_add(out, "", 0);
    return 0;
}

int eb_record_read(const char *path, cJSON ***out, size_t *n,
                   struct eb_err *err)
{
    const char *where = strcmp(path, "-") == 0 ? "standard input" : path;
    struct record_list list = {0};
    struct eb_buf b = {0};
    size_t skip;
    int rc;

    *out = NULL;
    *n = 0;
    if (where != path)
        rc = record_read_stdin(&b, err);
    else
        rc = eb_fs_read(path, RECORD_FILE_MAX, &b, err);
    if (rc != 0)
        goto out;
    skip = strspn(b.data, " \t\r\n");
    if (skip == b.len)
        rc = eb_fail(err, EB_EPARSE, "%s: no record in it", where);
    else if (b.data[skip] == '[')
        rc = record_add_array(&list, b.data, b.len, where, err);
    else if (record_is_lines(b.data + skip, b.len - skip))
        rc = record_add_lines(&list, b.data, b.len, where, err);
    else
        rc = record_add_text(&list, b.data, b.len, where, err);
out:
    eb_buf_free(&b);
    if (rc != 0) {
        eb_record_list_free(list.v, list.n);
        return rc;
    }
    *out = list.v;
    *n = list.n;
    return 0;
}

void eb_record_list_free(cJSON **recs, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        cJSON_Delete(recs[i]);
    free(recs);
}

/* What decides a record's place among the sizes; -1 is unknown. */
struct record_size {
    double parameters;
    double file_bytes;
    const char *name;
    size_t index;
};

/* Largest first. Records without a parameter count come last, by file. */
static int record_size_cmp(const void *a, const void *b)
{
    const struct record_size *x = a, *y = b;
    int c;

    if (x->parameters != y->parameters)
        return x->parameters > y->parameters ? -1 : 1;
    if (x->file_bytes != y->file_bytes)
        return x->file_bytes > y->file_bytes ? -1 : 1;
    c = strcmp(x->name, y->name);
    if (c != 0)
        return c;
    return (x->index > y->index) - (x->index < y->index);
}

/* Record indexes from the largest model to the smallest. One without a
 * parameter count stands before the first whose file is not larger. */
static void record_order(cJSON *const *recs, size_t n, size_t *order)
{
    struct record_size *v = eb_xcalloc(n, sizeof(*v));
    size_t known, i, j, k;

    for (i = 0; i < n; i++) {
        const cJSON *m = cJSON_GetObjectItemCaseSensitive(recs[i], "model");

        v[i].parameters = eb_json_get_num(m, "parameters", -1);
        v[i].file_bytes = eb_json_get_num(m, "file_bytes", -1);
        v[i].name = eb_json_get_str(m, "name", "");
        v[i].index = i;
    }
    qsort(v, n, sizeof(*v), record_size_cmp);
    for (known = 0; known < n && v[known].parameters >= 0;)
        known++;
    for (i = 0, j = known, k = 0; k < n; k++) {
        if (i == known || (j < n && v[j].file_bytes >= 0 &&
                           v[j].file_bytes >= v[i].file_bytes))
            order[k] = v[j++].index;
        else
            order[k] = v[i++].index;
    }
    free(v);
}

/* The verdict in the summary. A void run shows nothing, and neither does a
 * model that never ran. */
static enum eb_verdict record_verdict(const cJSON *rec, const char *level,
                                      const char *lang)
{
    const cJSON *sum = cJSON_GetObjectItemCaseSensitive(rec, "summary");
    const cJSON *row;
    int v;

    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(sum, "void")))
        return EB_NOT_SHOWN;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(sum, "levels"))
    {
        if (strcmp(eb_json_get_str(row, "level", ""), level) != 0 ||
            strcmp(eb_json_get_str(row, "lang", ""), lang) != 0)
            continue;
        v = eb_verdict_parse(eb_json_get_str(row, "verdict", ""));
        return v < 0 ? EB_NOT_SHOWN : (enum eb_verdict)v;
    }
    return EB_NOT_SHOWN;
}

struct eb_smallest eb_record_smallest(cJSON *const *recs, size_t n,
                                      const char *level, const char *lang)
{
    struct eb_smallest s = {0};
    size_t *order = eb_xcalloc(n, sizeof(*order)), i;
    enum eb_verdict v;

    record_order(recs, n, order);
    for (i = 0; i < n; i++) {
        v = record_verdict(recs[order[i]], level, lang);
        if (v != EB_SUFFICIENT) {
            s.all_decided = i == 0 && v == EB_INSUFFICIENT;
            break;
        }
        s.found = 1;
        s.index = order[i];
    }
    free(order);
    return s;
}

static int record_name_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct record_names {
    const char **v;
    size_t n;
    size_t cap;
};

static void record_name(struct record_names *l, const char *name)
{
    if (l->n == l->cap) {
        l->cap = l->cap > 0 ? 2 * l->cap : 16;
        l->v = eb_xrealloc(l->v, l->cap, sizeof(*l->v));
    }
    l->v[l->n++] = name;
}

const char **eb_record_langs(cJSON *const *recs, size_t n, size_t *n_langs)
{
    struct record_names l = {0};
    const cJSON *row, *pool;
    size_t i, used = 0;

    for (i = 0; i < n; i++) {
        const cJSON *levels =
            cJSON_GetObjectItemCaseSensitive(recs[i], "levels");
        const cJSON *sum = cJSON_GetObjectItemCaseSensitive(recs[i], "summary");

        cJSON_ArrayForEach(row, levels)
        {
            cJSON_ArrayForEach(pool,
                               cJSON_GetObjectItemCaseSensitive(row, "pool"))
                record_name(&l, pool->string != NULL ? pool->string : "");
        }
        cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(sum, "levels"))
            record_name(&l, eb_json_get_str(row, "lang", ""));
    }
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(*l.v), record_name_cmp);
    for (i = 0; i < l.n; i++) {
        if (used == 0 || strcmp(l.v[used - 1], l.v[i]) != 0)
            l.v[used++] = l.v[i];
    }
    *n_langs = used;
    return l.v;
}

/* One model on all levels and languages; says where it is not sufficient. */
static enum eb_verdict record_job_verdict(const cJSON *rec,
                                          const char *const *langs, size_t n,
                                          struct eb_smallest_job *s)
{
    const cJSON *def;
    enum eb_verdict v, worst = EB_SUFFICIENT;
    size_t i;

    cJSON_ArrayForEach(def, cJSON_GetObjectItemCaseSensitive(rec, "levels"))
    {
        const char *level = eb_json_get_str(def, "level", "");

        for (i = 0; i < n; i++) {
            v = record_verdict(rec, level, langs[i]);
            if (v >= worst) /* INSUFFICIENT is the smallest */
                continue;
            worst = v;
            s->level = level;
            s->lang = langs[i];
        }
    }
    return worst;
}

struct eb_smallest_job eb_record_smallest_job(cJSON *const *recs, size_t n)
{
    struct eb_smallest_job s = {0};
    size_t n_langs, i;
    const char **langs = eb_record_langs(recs, n, &n_langs);
    size_t *order = eb_xcalloc(n, sizeof(*order));

    record_order(recs, n, order);
    for (i = 0; i < n && n_langs > 0; i++) {
        s.verdict = record_job_verdict(recs[order[i]], langs, n_langs, &s);
        if (s.verdict != EB_SUFFICIENT) {
            s.stopped = 1;
            s.stop = order[i];
            s.all_decided = i == 0 && s.verdict == EB_INSUFFICIENT;
            break;
        }
        s.found = 1;
        s.index = order[i];
    }
    free(order);
    free(langs);
    return s;
}
