/* One connection writes and checkpoints; the others only read. SQLite 3.7.0
 * to 3.51.2 can lose a checkpoint when two connections write or checkpoint
 * (https://sqlite.org/wal.html, "the WAL-reset bug"), and a flock keeps a
 * second collector off the file for the same reason. */
#include "collector/store_sqlite.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/store_lock.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/record.h"

#define LITE_SCHEMA 1               /* PRAGMA user_version */
#define LITE_APPLICATION 0x65646762 /* "edgb", PRAGMA application_id */
#define LITE_READERS 4
#define LITE_READ_NS 10000000000 /* longest query */
/* Checkpoint from this length of the log on (8 MiB), and when idle. */
#define LITE_WAL_PAGES 2048

/* rid counts in order of arrival, so new rows go to the end of both tables;
 * the texts are kept apart from what is searched. */
static const char lite_schema[] =
    "CREATE TABLE run ("
    "  rid INTEGER PRIMARY KEY,"
    "  run_id TEXT NOT NULL UNIQUE,"
    "  sha256 TEXT NOT NULL,"
    "  received_us INTEGER NOT NULL,"
    "  session_id TEXT NOT NULL,"
    "  suite TEXT NOT NULL,"
    "  model TEXT NOT NULL,"
    "  device_id TEXT NOT NULL,"
    "  device_name TEXT NOT NULL) STRICT;"
    "CREATE INDEX run_session ON run (session_id);"
    "CREATE INDEX run_suite ON run (suite);"
    "CREATE TABLE content ("
    "  rid INTEGER PRIMARY KEY REFERENCES run (rid),"
    "  brief TEXT NOT NULL,"
    "  posted BLOB NOT NULL) STRICT;";

#define LITE_COLUMNS                                                           \
    "r.run_id, r.session_id, r.sha256, r.suite, r.model, r.device_id, "        \
    "r.device_name, c.brief, r.received_us"
#define LITE_FROM " FROM run AS r CROSS JOIN content AS c ON c.rid = r.rid"

struct lite_reader {
    sqlite3 *db;
    int64_t until_ns;
    struct lite_reader *next;
};

struct lite_store {
    char *path;
    int lock_fd;
    sqlite3 *db; /* the writer's */
    sqlite3_stmt *find, *add_run, *add_content;
    int wal_pages;
    struct lite_reader readers[LITE_READERS], *idle;
    pthread_mutex_t lock; /* idle */
    pthread_cond_t given;
};

/* What SQLite's codes mean to the caller; any other one is EB_EIO. */
static const struct {
    int lite;
    int code;
    const char *text;
} lite_errors[] = {
    {SQLITE_FULL, EB_ENOSPC,
     "the disk is full or the database has reached its limit: free some space"},
    {SQLITE_BUSY, EB_EBUSY,
     "another program holds the database: close that program"},
    {SQLITE_INTERRUPT, EB_EBUSY,
     "the query took too long: ask for less at a time"},
    {SQLITE_NOTADB, EB_EINVAL, "not an SQLite database: pass another --db"},
    {SQLITE_CANTOPEN, EB_EPERM,
     "cannot be opened for writing: change its permissions or pass another "
     "--db"},
    {SQLITE_READONLY, EB_EPERM,
     "cannot be written to: change its permissions or pass another --db"},
    {SQLITE_TOOBIG, EB_ELIMIT, "a value is too large for the database"},
    {SQLITE_NOMEM, EB_EINTERNAL, "out of memory"}};

/* The last error of db. */
static int lite_fail(const struct lite_store *s, sqlite3 *db,
                     struct eb_err *err)
{
    int rc = sqlite3_extended_errcode(db) & 0xff;
    int sys = sqlite3_system_errno(db);
    size_t i;

    if (rc == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT || sys == EFBIG))
        rc = SQLITE_FULL;
    for (i = 0; i < sizeof(lite_errors) / sizeof(lite_errors[0]); i++) {
        if (lite_errors[i].lite == rc)
            return eb_fail(err, lite_errors[i].code, "%s: %s", s->path,
                           lite_errors[i].text);
    }
    return eb_fail(err, EB_EIO, "%s: %s", s->path, sqlite3_errmsg(db));
}

static int lite_run(const struct lite_store *s, sqlite3 *db, const char *sql,
                    struct eb_err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return lite_fail(s, db, err);
    return 0;
}

static void lite_bind(sqlite3_stmt *st, int i, const char *text)
{
    sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
}

/* The one number that sql gives for the text (NULL if it has no ?1). */
static int lite_number(const struct lite_store *s, sqlite3 *db, const char *sql,
                       const char *text, int64_t *n, struct eb_err *err)
{
    sqlite3_stmt *st;
    int rc;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        return lite_fail(s, db, err);
    lite_bind(st, 1, text);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *n = sqlite3_column_int64(st, 0);
        rc = 0;
    } else {
        rc = rc == SQLITE_DONE ? eb_fail(err, EB_ENOENT, "no run %s", text)
                               : lite_fail(s, db, err);
    }
    sqlite3_finalize(st);
    return rc;
}

/* Refuses files of other programs and of newer versions before anything is
 * written. */
static int lite_recognise(struct lite_store *s, int *is_new, struct eb_err *err)
{
    int64_t version = 0, application = 0, tables = 0;
    int rc = lite_number(s, s->db, "PRAGMA user_version", NULL, &version, err);

    if (rc == 0)
        rc = lite_number(s, s->db, "PRAGMA application_id", NULL, &application,
                         err);
    if (rc == 0)
        rc = lite_number(s, s->db, "SELECT count(*) FROM sqlite_schema", NULL,
                         &tables, err);
    if (rc != 0)
        return rc;
    *is_new = version == 0 && application == 0 && tables == 0;
    if (!*is_new && application != LITE_APPLICATION)
        return eb_fail(err, EB_EINVAL,
                       "%s: a database of another program: pass another --db",
                       s->path);
    if (!*is_new && version > LITE_SCHEMA)
        return eb_fail(err, EB_EVERSION,
                       "%s: written by a newer collector (schema %lld, this "
                       "program knows up to %d): update edgebench-collector",
                       s->path, (long long)version, LITE_SCHEMA);
    return 0;
}

static int lite_wal_grew(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct lite_store *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static void lite_harden(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, (int)EB_RECORD_MAX_BYTES + 65536);
}

static int lite_use_wal(struct lite_store *s, struct eb_err *err)
{
    const char *mode = NULL;
    sqlite3_stmt *st;
    int rc = 0;

    if (sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &st, NULL) !=
        SQLITE_OK)
        return lite_fail(s, s->db, err);
    if (sqlite3_step(st) != SQLITE_ROW)
        rc = lite_fail(s, s->db, err);
    else
        mode = (const char *)sqlite3_column_text(st, 0);
    if (rc == 0 && (mode == NULL || strcmp(mode, "wal") != 0))
        rc = eb_fail(err, EB_EINVAL,
                     "%s: SQLite cannot keep a log there: pass a --db on a "
                     "local disk",
                     s->path);
    sqlite3_finalize(st);
    return rc;
}

static int lite_settings(struct lite_store *s, int64_t max_bytes,
                         struct eb_err *err)
{
    int64_t page = 4096;
    char *sql;
    int rc = lite_use_wal(s, err);

    /* The hook stands in for SQLite's automatic checkpoint. */
    sqlite3_wal_hook(s->db, lite_wal_grew, s);
    if (rc == 0)
        rc = lite_run(s, s->db,
                      "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1;"
                      "PRAGMA checkpoint_fullfsync = 1;"
                      "PRAGMA journal_size_limit = 33554432;"
                      "PRAGMA foreign_keys = 1; PRAGMA cell_size_check = 1;"
                      "PRAGMA mmap_size = 0; PRAGMA cache_size = -16384",
                      err);
    if (rc == 0)
        rc = lite_number(s, s->db, "PRAGMA page_size", NULL, &page, err);
    if (rc != 0 || max_bytes == 0)
        return rc;
    sql = eb_xasprintf("PRAGMA max_page_count = %lld",
                       (long long)(max_bytes / page));
    rc = lite_run(s, s->db, sql, err);
    free(sql);
    return rc;
}

static int lite_create(struct lite_store *s, struct eb_err *err)
{
    char *sql = eb_xasprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; "
                             "PRAGMA application_id = %d; COMMIT",
                             lite_schema, LITE_SCHEMA, LITE_APPLICATION);
    int rc = lite_run(s, s->db, sql, err);

    free(sql);
    return rc;
}

static int lite_open_writer(struct lite_store *s, int64_t max_bytes,
                            struct eb_err *err)
{
    const struct {
        const char *sql;
        sqlite3_stmt **st;
    } statements[] = {
        {"SELECT sha256 FROM run WHERE run_id = ?1", &s->find},
        {"INSERT INTO run (run_id, session_id, sha256, suite, model, "
         "device_id, device_name, received_us) VALUES (?1, ?2, ?3, ?4, ?5, "
         "?6, ?7, ?8)",
         &s->add_run},
        {"INSERT INTO content (rid, brief, posted) VALUES (?1, ?2, ?3)",
         &s->add_content}};
    int is_new, rc;
    size_t i;

    rc = sqlite3_open_v2(
        s->path, &s->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return lite_fail(s, s->db, err);
    lite_harden(s->db);
    rc = lite_recognise(s, &is_new, err);
    if (rc == 0 && sqlite3_db_readonly(s->db, "main") == 1)
        rc = eb_fail(err, EB_EPERM, "%s: cannot be written to: %s", s->path,
                     "change its permissions or pass another --db");
    if (rc == 0)
        rc = lite_settings(s, max_bytes, err);
    if (rc == 0 && is_new)
        rc = lite_create(s, err);
    for (i = 0; rc == 0 && i < 3; i++) {
        if (sqlite3_prepare_v3(s->db, statements[i].sql, -1,
                               SQLITE_PREPARE_PERSISTENT, statements[i].st,
                               NULL) != SQLITE_OK)
            rc = lite_fail(s, s->db, err);
    }
    return rc;
}

static int lite_too_long(void *arg)
{
    return eb_clock_ns() > ((struct lite_reader *)arg)->until_ns;
}

static int lite_open_readers(struct lite_store *s, struct eb_err *err)
{
    struct lite_reader *r;
    int i, rc;

    for (i = 0; i < LITE_READERS; i++) {
        r = &s->readers[i];
        rc = sqlite3_open_v2(s->path, &r->db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc != SQLITE_OK)
            return lite_fail(s, r->db, err);
        lite_harden(r->db);
        sqlite3_db_config(r->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_progress_handler(r->db, 10000, lite_too_long, r);
        r->until_ns = INT64_MAX;
        rc = lite_run(s, r->db,
                      "PRAGMA query_only = 1; PRAGMA cell_size_check = 1;"
                      "PRAGMA mmap_size = 0",
                      err);
        if (rc != 0)
            return rc;
        r->next = s->idle;
        s->idle = r;
    }
    return 0;
}

/* Readers first: who closes last may checkpoint, and only the writer does. */
static void lite_close(void *self)
{
    struct lite_store *s = self;
    int i;

    for (i = 0; i < LITE_READERS; i++)
        sqlite3_close(s->readers[i].db);
    sqlite3_finalize(s->find);
    sqlite3_finalize(s->add_run);
    sqlite3_finalize(s->add_content);
    if (s->db != NULL)
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd); /* and with it the lock */
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->given);
    free(s->path);
    free(s);
}

static int lite_open(const char *place, const struct eb_store_options *options,
                     void **self, struct eb_err *err)
{
    struct lite_store *s = eb_xcalloc(1, sizeof(*s));
    int rc;

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->given, NULL);
    rc = eb_store_lock(place, &s->path, &s->lock_fd, err);
    if (rc == 0)
        rc = lite_open_writer(s, options->max_bytes, err);
    if (rc == 0)
        rc = lite_open_readers(s, err);
    if (rc != 0) {
        lite_close(s);
        return rc;
    }
    *self = s;
    return 0;
}

/* Runs a statement that gives no row. */
static int lite_step(struct lite_store *s, sqlite3_stmt *st, struct eb_err *err)
{
    int rc = 0;

    if (sqlite3_step(st) != SQLITE_DONE)
        rc = lite_fail(s, s->db, err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc;
}

static int lite_add(struct lite_store *s, const struct eb_run *run,
                    struct eb_err *err)
{
    const char *const texts[] = {
        run->run_id, run->session_id, run->sha256,     run->suite,
        run->model,  run->device_id,  run->device_name};
    int i, rc;

    for (i = 0; i < 7; i++)
        lite_bind(s->add_run, i + 1, texts[i]);
    sqlite3_bind_int64(s->add_run, 8, run->received_us);
    rc = lite_step(s, s->add_run, err);
    if (rc != 0)
        return rc;
    sqlite3_bind_int64(s->add_content, 1, sqlite3_last_insert_rowid(s->db));
    lite_bind(s->add_content, 2, run->brief);
    sqlite3_bind_blob64(s->add_content, 3, run->posted, run->posted_len,
                        SQLITE_STATIC);
    return lite_step(s, s->add_content, err);
}

static int lite_put_one(struct lite_store *s, const struct eb_run *run,
                        int *result, struct eb_err *err)
{
    const char *sha256;
    int step, rc = 0;

    *result = EB_PUT_STORED;
    lite_bind(s->find, 1, run->run_id);
    step = sqlite3_step(s->find);
    if (step == SQLITE_ROW) {
        sha256 = (const char *)sqlite3_column_text(s->find, 0);
        *result = sha256 != NULL && strcmp(sha256, run->sha256) == 0
                      ? EB_PUT_SAME
                      : EB_ECONFLICT;
    } else if (step != SQLITE_DONE) {
        rc = lite_fail(s, s->db, err);
    }
    sqlite3_reset(s->find);
    return step == SQLITE_DONE ? lite_add(s, run, err) : rc;
}

static int lite_put(void *self, const struct eb_run *const *runs, size_t n,
                    int *results, struct eb_err *err)
{
    struct lite_store *s = self;
    size_t i;
    int rc = lite_run(s, s->db, "BEGIN IMMEDIATE", err);

    for (i = 0; i < n && rc == 0; i++)
        rc = lite_put_one(s, runs[i], &results[i], err);
    if (rc == 0)
        rc = lite_run(s, s->db, "COMMIT", err);
    if (rc != 0 && !sqlite3_get_autocommit(s->db) &&
        lite_run(s, s->db, "ROLLBACK", NULL) != 0)
        rc = eb_fail(err, EB_EIO, "%s: cannot roll back: %s", s->path,
                     sqlite3_errmsg(s->db));
    return rc;
}

static int lite_tidy(void *self, int idle, struct eb_err *err)
{
    struct lite_store *s = self;
    int in_wal = 0, moved = 0, rc;

    if (!idle && s->wal_pages < LITE_WAL_PAGES)
        return s->wal_pages > 0;
    rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                   &in_wal, &moved);
    if (rc == SQLITE_OK && in_wal == moved) {
        s->wal_pages = 0;
        return 0;
    }
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
        return 1; /* a reader still needs the log */
    return lite_fail(s, s->db, err);
}

static struct lite_reader *lite_take(struct lite_store *s)
{
    struct lite_reader *r;

    pthread_mutex_lock(&s->lock);
    while (s->idle == NULL)
        pthread_cond_wait(&s->given, &s->lock);
    r = s->idle;
    s->idle = r->next;
    pthread_mutex_unlock(&s->lock);
    r->until_ns = eb_clock_ns() + LITE_READ_NS;
    return r;
}

static void lite_give(struct lite_store *s, struct lite_reader *r)
{
    pthread_mutex_lock(&s->lock);
    r->next = s->idle;
    s->idle = r;
    pthread_cond_signal(&s->given);
    pthread_mutex_unlock(&s->lock);
}

/* Hands a row of LITE_COLUMNS (and the posted bytes) to the caller. */
static int lite_row(sqlite3_stmt *st, eb_run_row *row, void *arg)
{
    struct eb_run run = {0};
    const char **texts[] = {&run.run_id,      &run.session_id, &run.sha256,
                            &run.suite,       &run.model,      &run.device_id,
                            &run.device_name, &run.brief};
    int i;

    for (i = 0; i < 8; i++) {
        *texts[i] = (const char *)sqlite3_column_text(st, i);
        if (*texts[i] == NULL)
            *texts[i] = "";
    }
    run.received_us = sqlite3_column_int64(st, 8);
    if (sqlite3_column_count(st) > 9) {
        run.posted = sqlite3_column_blob(st, 9);
        run.posted_len = (size_t)sqlite3_column_bytes(st, 9);
    }
    return row(arg, &run);
}

static int lite_get(void *self, const char *run_id, eb_run_row *row, void *arg,
                    struct eb_err *err)
{
    struct lite_store *s = self;
    struct lite_reader *r = lite_take(s);
    sqlite3_stmt *st = NULL;
    int rc;

    rc = sqlite3_prepare_v2(r->db,
                            "SELECT " LITE_COLUMNS ", c.posted" LITE_FROM
                            " WHERE r.run_id = ?1",
                            -1, &st, NULL);
    if (rc == SQLITE_OK) {
        lite_bind(st, 1, run_id);
        rc = sqlite3_step(st);
    }
    if (rc == SQLITE_ROW)
        rc = lite_row(st, row, arg);
    else if (rc == SQLITE_DONE)
        rc = eb_fail(err, EB_ENOENT, "no run %s", run_id);
    else
        rc = lite_fail(s, r->db, err);
    sqlite3_finalize(st);
    lite_give(s, r);
    return rc;
}

static char *lite_list_sql(const struct eb_run_query *q)
{
    struct eb_buf sql = {0};

    eb_buf_adds(&sql, "SELECT " LITE_COLUMNS LITE_FROM " WHERE 1");
    if (q->suite != NULL)
        eb_buf_adds(&sql, " AND r.suite = ?1");
    if (q->model != NULL)
        eb_buf_adds(&sql, " AND r.model = ?2");
    if (q->device != NULL)
        eb_buf_adds(&sql, " AND (r.device_id = ?3 OR r.device_name = ?3)");
    if (q->session != NULL)
        eb_buf_adds(&sql, " AND r.session_id = ?4");
    if (q->after != NULL)
        eb_buf_adds(&sql, " AND r.rid < ?5");
    eb_buf_adds(&sql, " ORDER BY r.rid DESC LIMIT ?6");
    return eb_buf_take(&sql);
}

static int lite_list(void *self, const struct eb_run_query *q, eb_run_row *row,
                     void *arg, struct eb_err *err)
{
    struct lite_store *s = self;
    struct lite_reader *r = lite_take(s);
    char *sql = lite_list_sql(q);
    sqlite3_stmt *st = NULL;
    int64_t rid = 0;
    int rc = 0, step;

    if (q->after != NULL)
        rc = lite_number(s, r->db, "SELECT rid FROM run WHERE run_id = ?1",
                         q->after, &rid, err);
    if (rc == 0 && sqlite3_prepare_v2(r->db, sql, -1, &st, NULL) != SQLITE_OK)
        rc = lite_fail(s, r->db, err);
    if (rc == 0) {
        lite_bind(st, 1, q->suite);
        lite_bind(st, 2, q->model);
        lite_bind(st, 3, q->device);
        lite_bind(st, 4, q->session);
        sqlite3_bind_int64(st, 5, rid);
        sqlite3_bind_int(st, 6, q->limit);
    }
    while (rc == 0 && (step = sqlite3_step(st)) != SQLITE_DONE)
        rc = step == SQLITE_ROW ? lite_row(st, row, arg)
                                : lite_fail(s, r->db, err);
    sqlite3_finalize(st);
    lite_give(s, r);
    free(sql);
    return rc;
}

static int lite_count(void *self, int64_t *n, struct eb_err *err)
{
    struct lite_store *s = self;
    struct lite_reader *r = lite_take(s);
    /* Runs are never deleted, so the last rid is their number. */
    int rc = lite_number(s, r->db, "SELECT coalesce(max(rid), 0) FROM run",
                         NULL, n, err);

    lite_give(s, r);
    return rc;
}

const struct eb_store_ops eb_store_sqlite = {.name = "sqlite",
                                             .durable = 1,
                                             .open = lite_open,
                                             .put = lite_put,
                                             .tidy = lite_tidy,
                                             .get = lite_get,
                                             .list = lite_list,
                                             .count = lite_count,
                                             .close = lite_close};
