#include "reports/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/opt.h"
#include "common/record.h"
#include "reports/section.h"
#include "reports/writer.h"

/* Runs that a collector lists at once, and those asked for unless told. */
#define REPORT_PAGE 200
#define REPORT_NEWEST 1000

static eb_report_fetch report_fetch;

void eb_report_set_fetch(eb_report_fetch fetch)
{
    report_fetch = fetch;
}

static void report_group_title(struct eb_doc *d, enum eb_doc_kind kind,
                               const struct eb_group *g)
{
    const cJSON *rec = g->recs[0];

    eb_doc_add(d, kind, "%s %s on %s, %s prompt, engine %s",
               eb_group_str(rec, "suite.name", ""),
               eb_group_str(rec, "suite.version", ""),
               eb_group_str(rec, "device.name", ""),
               eb_group_str(rec, "settings.prompt", ""),
               eb_group_str(rec, "runtime.engine", ""));
}

/* How the levels of a group were decided: "early" or "never" (RECORD.md). */
static int report_stops(const struct eb_groups *groups, const char *stop)
{
    size_t i;

    for (i = 0; i < groups->n; i++) {
        const cJSON *def =
            cJSON_GetArrayItem(eb_group_get(groups->v[i].recs[0], "levels"), 0);

        if (strcmp(eb_json_get_str(def, "stop", "never"), stop) == 0)
            return 1;
    }
    return 0;
}

/* Are there answers to judge? The speed suite has none. */
static int report_asks(const struct eb_group *g)
{
    return cJSON_GetArraySize(eb_group_get(g->recs[0], "levels")) > 0;
}

static void report_how(struct eb_doc *d, const struct eb_groups *groups)
{
    eb_doc_add(d, EB_DOC_H2, "How to read the verdicts");
    if (report_stops(groups, "early"))
        eb_doc_add(d, EB_DOC_TEXT,
                   "Decided item by item, in a random order fixed before the "
                   "run: SUFFICIENT means that the share of right answers over "
                   "the whole pool of items reaches the bar (wrong in at most "
                   "5 of 100 such runs), INSUFFICIENT that it does not (wrong "
                   "in at most 10), whenever the run stopped. \"All such "
                   "items\" says what the same answers show about further "
                   "items of this kind; the bounds speak of these, too.");
    if (report_stops(groups, "never"))
        eb_doc_add(d, EB_DOC_TEXT,
                   "SUFFICIENT means that the exact one-sided lower bound "
                   "(Clopper-Pearson) of the share of right answers reaches "
                   "the bar set before the run. INSUFFICIENT means that the "
                   "exact upper bound is below the bar.");
    eb_doc_add(d, EB_DOC_TEXT,
               "NOT SHOWN means that the items do not settle it, and \"items "
               "needed\" says how many more would if the rate stays.");
}

static void report_top(struct eb_doc *d, const struct eb_groups *groups)
{
    int asks = 0;
    size_t i;

    for (i = 0; i < groups->n; i++)
        asks |= report_asks(&groups->v[i]);
    eb_doc_add(d, EB_DOC_TITLE,
               asks ? "Smallest sufficient model" : "Speed of models");
    for (i = 0; i < groups->n; i++) {
        report_group_title(d, groups->n > 1 ? EB_DOC_H3 : EB_DOC_TEXT,
                           &groups->v[i]);
        if (!report_asks(&groups->v[i])) {
            eb_section_failed(d, &groups->v[i]);
            continue;
        }
        eb_section_job(d, &groups->v[i]);
        eb_section_answers(d, &groups->v[i]);
        eb_section_failed(d, &groups->v[i]);
    }
    if (asks)
        report_how(d, groups);
}

static void report_group(struct eb_doc *d, const struct eb_group *g)
{
    struct eb_buf b = {0};

    report_group_title(d, EB_DOC_H2, g);
    if (report_asks(g)) {
        eb_section_verdicts(d, g);
        eb_section_charts(d, g);
        eb_section_langs(d, g);
        eb_section_service(d, g);
        eb_section_eval(d, g);
    }
    eb_section_speed(d, g);
    eb_section_tune(d, g);
    eb_section_sweeps(d, g);
    eb_section_requests(d, g);
    eb_section_latency(d, g);
    eb_section_rate(d, g);
    eb_section_sustained(d, g);
    eb_section_limits(d, g);
    eb_section_cost(d, g);
    eb_section_price(d, g);
    eb_section_memory(d, g);
    eb_section_memory_parts(d, g);
    if (report_asks(g)) {
        eb_section_outcomes(d, g);
        eb_section_capabilities(d, g);
    }
    eb_section_setup(d, g);
    eb_section_models(d, g);
    eb_section_missing(d, g);
    eb_doc_add(d, EB_DOC_H3, "Reproduce");
    eb_section_command(g, &b);
    eb_doc_add(d, EB_DOC_CODE, "%s", b.data);
    eb_buf_free(&b);
}

int eb_report_write(struct eb_buf *out, cJSON *const *recs, size_t n,
                    const char *format, struct eb_err *err)
{
    const struct eb_writer_ops *writer = eb_writer_find(format);
    struct eb_groups groups = {0};
    struct eb_doc doc = {0};
    size_t i;

    if (writer == NULL)
        return eb_fail(err, EB_EUSAGE,
                       "unknown format '%s': use html, md or json", format);
    if (n == 0)
        return eb_fail(err, EB_EINVAL,
                       "no run record to report on: make one with "
                       "`edgebench run`");
    eb_groups_make(recs, n, &groups);
    report_top(&doc, &groups);
    eb_section_paired(&doc, &groups);
    eb_section_side_by_side(&doc, &groups);
    for (i = 0; i < groups.n; i++)
        report_group(&doc, &groups.v[i]);
    writer->write(&doc, &groups, out);
    eb_doc_free(&doc);
    eb_groups_free(&groups);
    return 0;
}

struct report_list {
    cJSON **v;
    size_t n;
};

static void report_append(struct report_list *list, cJSON *rec)
{
    list->v = eb_xrealloc(list->v, list->n + 1, sizeof(*list->v));
    list->v[list->n++] = rec;
}

static int report_load_file(struct report_list *list, const char *path,
                            struct eb_err *err)
{
    cJSON **recs;
    size_t n, i;
    int rc = eb_record_read(path, &recs, &n, err);

    if (rc != 0)
        return rc;
    for (i = 0; i < n; i++)
        report_append(list, recs[i]);
    free(recs);
    return 0;
}

static int report_get(const char *url, cJSON **out, struct eb_err *err)
{
    struct eb_buf b = {0};
    int rc = report_fetch(url, &b, err);

    eb_buf_add(&b, "", 0);
    if (rc == 0)
        rc = eb_json_parse(b.data, b.len, url, out, err);
    eb_buf_free(&b);
    return rc;
}

static int report_load_run(struct report_list *list, const char *base,
                           const cJSON *entry, struct eb_err *err)
{
    const char *id = cJSON_IsString(entry)
                         ? entry->valuestring
                         : eb_json_get_str(entry, "run_id", "");
    char *url;
    cJSON *rec;
    int rc;

    /* The id becomes part of a URL. */
    if (!eb_uuid_valid(id))
        return eb_fail(err, EB_EPARSE, "%s: a run without a valid run_id",
                       base);
    url = eb_xasprintf("%s/v1/runs/%s", base, id);
    rc = report_get(url, &rec, err);
    if (rc == 0) {
        rc = eb_record_validate(rec, url, err);
        if (rc == 0) {
            eb_record_derive(rec);
            report_append(list, rec);
        } else {
            cJSON_Delete(rec);
        }
    }
    free(url);
    return rc;
}

/* Which runs of a collector. */
struct report_query {
    const char *collector; /* URL; NULL: none */
    const char *suite;     /* NULL: any */
    const char *session;   /* NULL: any */
    long long newest;      /* at most so many */
};

/* Takes the runs of one page until `left` is 0. */
static int report_load_page(struct report_list *list, const char *base,
                            const char *url, const cJSON *answer,
                            long long *left, struct eb_err *err)
{
    const cJSON *runs = eb_group_get(answer, "runs"), *entry;
    int rc = 0;

    if (!cJSON_IsArray(runs))
        return eb_fail(err, EB_EPARSE, "%s: no list of runs in the answer",
                       url);
    cJSON_ArrayForEach(entry, runs)
    {
        if (rc != 0 || *left == 0)
            break;
        rc = report_load_run(list, base, entry, err);
        --*left;
    }
    return rc;
}

static char *report_page_url(const char *base, const struct report_query *q,
                             const char *after)
{
    struct eb_buf b = {0};

    eb_buf_addf(&b, "%s/v1/runs?limit=%d", base, REPORT_PAGE);
    if (q->suite != NULL)
        eb_buf_addf(&b, "&suite=%s", q->suite);
    if (q->session != NULL)
        eb_buf_addf(&b, "&session=%s", q->session);
    if (after[0] != '\0')
        eb_buf_addf(&b, "&after=%s", after);
    return eb_buf_take(&b);
}

/* One page; *after becomes the next one's mark, "" after the last. */
static int report_load_from(struct report_list *list, const char *base,
                            const struct report_query *q,
                            char after[EB_UUID_LEN], long long *left,
                            struct eb_err *err)
{
    char *url = report_page_url(base, q, after);
    long long before = *left;
    const char *next;
    cJSON *answer;
    int rc = report_get(url, &answer, err);

    if (rc == 0) {
        rc = report_load_page(list, base, url, answer, left, err);
        next = eb_json_get_str(answer, "next", "");
        if (rc == 0 && next[0] != '\0' &&
            (!eb_uuid_valid(next) || strcmp(next, after) == 0))
            rc = eb_fail(err, EB_EPARSE, "%s: the next page has no valid mark",
                         url);
        else if (rc == 0 && next[0] != '\0' && *left == before)
            rc = eb_fail(err, EB_EPARSE,
                         "%s: a page without runs that is not the last", url);
        snprintf(after, EB_UUID_LEN, "%s", rc == 0 ? next : "");
        cJSON_Delete(answer);
    }
    free(url);
    return rc;
}

static int report_load_collector(struct report_list *list,
                                 const struct report_query *q,
                                 struct eb_err *err)
{
    size_t len = strlen(q->collector);
    long long left = q->newest;
    char after[EB_UUID_LEN] = "", *base;
    int rc = 0;

    if (report_fetch == NULL)
        return eb_fail(err, EB_EUSAGE,
                       "--collector: this program was built without HTTP; "
                       "use --from with a file of records");
    while (len > 0 && q->collector[len - 1] == '/')
        len--;
    base = eb_xstrndup(q->collector, len);
    do
        rc = report_load_from(list, base, q, after, &left, err);
    while (rc == 0 && left > 0 && after[0] != '\0');
    if (rc == 0 && after[0] != '\0')
        eb_warn("%s has more runs: only the newest %lld are in the report "
                "(--newest)",
                base, q->newest);
    free(base);
    return rc;
}

/* They become part of a URL. */
static int report_check_query(const struct report_query *q, struct eb_err *err)
{
    if (q->newest < 1)
        return eb_fail(err, EB_EUSAGE, "--newest: give 1 or more");
    if (q->suite != NULL &&
        strspn(q->suite, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789._-") != strlen(q->suite))
        return eb_fail(err, EB_EUSAGE, "--suite: '%s' is no name of a suite",
                       q->suite);
    if (q->session != NULL && !eb_uuid_valid(q->session))
        return eb_fail(err, EB_EUSAGE, "--session: '%s' is no id of a session",
                       q->session);
    return 0;
}

/* The output is opened before any work: a bad path costs no time. */
struct report_output {
    const char *path; /* NULL: standard output */
    char *part;
    int fd;
};

static int report_open(struct report_output *o, const char *path,
                       struct eb_err *err)
{
    memset(o, 0, sizeof(*o));
    o->fd = STDOUT_FILENO;
    if (strcmp(path, "-") == 0)
        return 0;
    o->path = path;
    o->part = eb_xasprintf("%s.part", path);
    o->fd = open(o->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                 0666);
    if (o->fd >= 0)
        return 0;
    eb_fail(err, eb_code_from_errno(errno), "%s: %s", o->part, strerror(errno));
    free(o->part);
    o->part = NULL;
    return err != NULL ? err->code : EB_EIO;
}

static int report_put(const struct report_output *o, const struct eb_buf *b,
                      struct eb_err *err)
{
    const char *name = o->path != NULL ? o->path : "standard output";
    size_t done = 0;

    while (done < b->len) {
        ssize_t k = write(o->fd, b->data + done, b->len - done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return eb_fail(err, eb_code_from_errno(errno), "%s: %s", name,
                           strerror(errno));
        done += (size_t)k;
    }
    return 0;
}

/* Puts the finished file in its place, or removes it after a failure. */
static int report_close(struct report_output *o, int rc, struct eb_err *err)
{
    if (o->path == NULL)
        return rc;
    if (rc == 0 && fsync(o->fd) != 0)
        rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", o->part,
                     strerror(errno));
    close(o->fd);
    if (rc == 0 && rename(o->part, o->path) != 0)
        rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", o->path,
                     strerror(errno));
    if (rc != 0)
        unlink(o->part);
    free(o->part);
    return rc;
}

static int report_run(const struct eb_opt_list *from,
                      const struct report_query *query, const char *format,
                      const char *path, struct eb_err *err)
{
    struct report_list list = {0};
    struct report_output o;
    struct eb_buf b = {0};
    int rc, i;

    if (eb_writer_find(format) == NULL)
        return eb_fail(err, EB_EUSAGE,
                       "-f: unknown format '%s': use html, md or json", format);
    rc = report_check_query(query, err);
    if (rc != 0)
        return rc;
    if (from->n == 0 && query->collector == NULL)
        return eb_fail(err, EB_EUSAGE,
                       "nothing to report on: give --from FILE or "
                       "--collector URL");
    rc = report_open(&o, path, err);
    if (rc != 0)
        return rc;
    for (i = 0; i < from->n && rc == 0; i++)
        rc = report_load_file(&list, from->v[i], err);
    if (rc == 0 && query->collector != NULL)
        rc = report_load_collector(&list, query, err);
    if (rc == 0)
        rc = eb_report_write(&b, list.v, list.n, format, err);
    if (rc == 0)
        rc = report_put(&o, &b, err);
    rc = report_close(&o, rc, err);
    eb_buf_free(&b);
    eb_record_list_free(list.v, list.n);
    return rc;
}

static int report_exit(int rc)
{
    switch (rc) {
    case 0:
        return EB_EXIT_OK;
    case EB_EUSAGE:
    case EB_ENOENT:
    case EB_EPERM:
    case EB_EPARSE:
    case EB_EINVAL:
    case EB_ELIMIT:
    case EB_EVERSION:
        return EB_EXIT_USAGE;
    default:
        return EB_EXIT_INTERNAL;
    }
}

int eb_report_main(int argc, char **argv)
{
    static struct eb_opt_list from;
    struct report_query query = {.newest = REPORT_NEWEST};
    const char *format = NULL, *path = "-";
    const struct eb_writer_ops *writer;
    struct eb_err err = {0};
    int help = 0, n_args = 0, rc;
    const struct eb_opt opts[] = {
        {"from", 0, EB_OPT_LIST, &from, "FILE",
         "records, JSON or JSON Lines; - is standard input (repeatable)"},
        {"collector", 0, EB_OPT_STR, &query.collector, "URL",
         "take the newest runs of a collector"},
        {"suite", 0, EB_OPT_STR, &query.suite, "NAME",
         "of the collector's runs, those of this suite (all)"},
        {"session", 0, EB_OPT_STR, &query.session, "ID",
         "of the collector's runs, those of this session (all)"},
        {"newest", 0, EB_OPT_INT, &query.newest, "N",
         "of the collector's runs, at most so many (1000)"},
        {"format", 'f', EB_OPT_STR, &format, "NAME",
         "html, md or json (by the end of -o, else html)"},
        {"output", 'o', EB_OPT_STR, &path, "FILE",
         "where to write; - is standard output (-)"},
        {"help", 'h', EB_OPT_FLAG, &help, NULL, "this text"},
        {0}};

    memset(&from, 0, sizeof(from));
    rc = eb_opt_parse(opts, argc, argv, &n_args, &err);
    if (rc == 0 && help) {
        printf("usage: edgebench report --from FILE [options]\n\n"
               "Which is the smallest sufficient model, and the evidence.\n\n");
        eb_opt_help(opts, stdout);
        printf("\nexit: 0 written; 1 internal, disk or network error; "
               "2 wrong usage or input\n");
        return EB_EXIT_OK;
    }
    if (rc == 0 && n_args > 0)
        rc = eb_fail(&err, EB_EUSAGE,
                     "report takes no argument '%s': use --from %s",
                     argv[argc - n_args], argv[argc - n_args]);
    if (rc == 0) {
        writer = eb_writer_by_suffix(path);
        if (format == NULL)
            format = writer != NULL ? writer->name : "html";
        rc = report_run(&from, &query, format, path, &err);
    }
    if (rc != 0)
        eb_error("%s", err.msg);
    return report_exit(rc);
}
