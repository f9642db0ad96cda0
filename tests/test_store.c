#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "collector/store.h"
#include "collector/store_fake.h"
#include "collector/store_sqlite.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/mem.h"
#include "common/record.h"

static char dir[64];
static struct eb_err err;

/* The state of a test: the same cases run on both drivers. */
struct place {
    const char *name; /* "" for a file of its own */
    char path[160];
    struct eb_store *store;
};

static int open_place(void **state, const char *name)
{
    static const struct eb_store_options options;
    static struct place p;

    memset(&p, 0, sizeof(p));
    memset(&err, 0, sizeof(err));
    strcpy(dir, "/tmp/eb-store-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    p.name = name;
    snprintf(p.path, sizeof(p.path), "%s%s", *name != '\0' ? "" : dir,
             *name != '\0' ? name : "/runs.sqlite");
    *state = &p;
    return eb_store_open(p.path, &options, &p.store, &err);
}

static int open_memory(void **state)
{
    return open_place(state, "memory:");
}

static int open_sqlite(void **state)
{
    return open_place(state, "");
}

static int close_place(void **state)
{
    struct place *p = *state;
    char cmd[96];

    eb_store_close(p->store);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
    return system(cmd);
}

static struct eb_run make(const char *run_id, const char *content)
{
    return (struct eb_run){.run_id = run_id,
                           .session_id = "s1",
                           .sha256 = content,
                           .suite = "custsvc",
                           .model = "m1",
                           .device_id = "d1",
                           .device_name = "box",
                           .brief = "{\"brief\":1}",
                           .posted = content,
                           .posted_len = strlen(content),
                           .received_us = 1700000000000000};
}

static int put(struct eb_store *s, const char *run_id, const char *content)
{
    struct eb_run r = make(run_id, content);

    return eb_store_put(s, &r, &err);
}

/* Collects "id id id". */
static int add_id(void *arg, const struct eb_run *run)
{
    struct eb_buf *b = arg;

    assert_null(run->posted);
    assert_string_equal(run->brief, "{\"brief\":1}");
    eb_buf_addf(b, "%s%s", b->len > 0 ? " " : "", run->run_id);
    return 0;
}

static void lists(struct eb_store *s, struct eb_run_query q,
                  const char *expected)
{
    struct eb_buf b = {0};

    if (q.limit == 0)
        q.limit = 100;
    eb_buf_adds(&b, "");
    assert_int_equal(eb_store_list(s, &q, add_id, &b, &err), 0);
    assert_string_equal(b.data, expected);
    eb_buf_free(&b);
}

static int same_run(void *arg, const struct eb_run *run)
{
    const struct eb_run *want = arg;

    assert_string_equal(run->run_id, want->run_id);
    assert_string_equal(run->session_id, want->session_id);
    assert_string_equal(run->sha256, want->sha256);
    assert_string_equal(run->suite, want->suite);
    assert_string_equal(run->model, want->model);
    assert_string_equal(run->device_id, want->device_id);
    assert_string_equal(run->device_name, want->device_name);
    assert_string_equal(run->brief, want->brief);
    assert_int_equal(run->posted_len, want->posted_len);
    assert_memory_equal(run->posted, want->posted, want->posted_len);
    assert_true(run->received_us == want->received_us);
    return 7;
}

static int any_run(void *arg, const struct eb_run *run)
{
    (void)arg;
    (void)run;
    return 0;
}

static void test_put_get(void **state)
{
    struct eb_store *s = ((struct place *)*state)->store;
    struct eb_run r = make("r1", "");
    int64_t n = -1;

    assert_int_equal(eb_store_count(s, &n, &err), 0);
    assert_int_equal(n, 0);
    r.model = "\xe6\xa8\xa1\xe5\x9e\x8b'; DROP TABLE run; --";
    r.posted = "a\0\xff\n";
    r.posted_len = 4;
    assert_int_equal(eb_store_put(s, &r, &err), EB_PUT_STORED);
    assert_int_equal(eb_store_get(s, "r1", same_run, &r, &err), 7);
    assert_int_equal(eb_store_get(s, "r2", same_run, &r, &err), EB_ENOENT);
    assert_int_equal(eb_store_count(s, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(eb_store_check(s, &err), 0);
}

static void test_same_and_conflict(void **state)
{
    struct eb_store *s = ((struct place *)*state)->store;

    assert_int_equal(put(s, "r1", "one"), EB_PUT_STORED);
    assert_int_equal(put(s, "r1", "one"), EB_PUT_SAME);
    assert_int_equal(put(s, "r1", "two"), EB_ECONFLICT);
    assert_non_null(strstr(err.msg, "new run_id"));
    assert_int_equal(put(s, "r2", "one"), EB_PUT_STORED);
    lists(s, (struct eb_run_query){0}, "r2 r1");
}

/* Two of one id in one commit. */
static void test_batch(void **state)
{
    const struct eb_store_ops *ops = *((struct place *)*state)->name != '\0'
                                         ? &eb_store_fake
                                         : &eb_store_sqlite;
    const struct eb_store_options options = {0};
    struct eb_run a = make("a", "1"), b = make("b", "2"), c = make("a", "3");
    const struct eb_run *const runs[] = {&a, &b, &a, &c};
    char path[160];
    int results[4];
    int64_t n;
    void *self;

    snprintf(path, sizeof(path), "%s/batch.sqlite", dir);
    assert_int_equal(ops->open(ops == &eb_store_fake ? "memory:" : path,
                               &options, &self, &err),
                     0);
    assert_int_equal(ops->put(self, runs, 4, results, &err), 0);
    assert_int_equal(results[0], EB_PUT_STORED);
    assert_int_equal(results[1], EB_PUT_STORED);
    assert_int_equal(results[2], EB_PUT_SAME);
    assert_int_equal(results[3], EB_ECONFLICT);
    assert_int_equal(ops->count(self, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_true(ops->tidy(self, 0, &err) >= 0);
    assert_int_equal(ops->tidy(self, 1, &err), 0);
    ops->close(self);
}

static int stop_at_once(void *arg, const struct eb_run *run)
{
    (void)run;
    ++*(int *)arg;
    return -99;
}

static void test_list(void **state)
{
    struct eb_store *s = ((struct place *)*state)->store;
    struct eb_run r = make("r1", "1");
    int calls = 0;

    assert_int_equal(eb_store_put(s, &r, &err), 0);
    r = make("r2", "2");
    r.suite = "other";
    r.session_id = "s2";
    assert_int_equal(eb_store_put(s, &r, &err), 0);
    r = make("r3", "3");
    r.device_id = "d2";
    r.device_name = "phone";
    r.model = "m2";
    assert_int_equal(eb_store_put(s, &r, &err), 0);
    lists(s, (struct eb_run_query){0}, "r3 r2 r1");
    lists(s, (struct eb_run_query){.limit = 2}, "r3 r2");
    lists(s, (struct eb_run_query){.after = "r3"}, "r2 r1");
    lists(s, (struct eb_run_query){.after = "r3", .limit = 1}, "r2");
    lists(s, (struct eb_run_query){.after = "r1"}, "");
    lists(s, (struct eb_run_query){.suite = "custsvc"}, "r3 r1");
    lists(s, (struct eb_run_query){.suite = "custsvc", .after = "r3"}, "r1");
    lists(s, (struct eb_run_query){.model = "m2"}, "r3");
    lists(s, (struct eb_run_query){.device = "d1"}, "r2 r1");
    lists(s, (struct eb_run_query){.device = "phone"}, "r3");
    lists(s, (struct eb_run_query){.session = "s2"}, "r2");
    lists(s, (struct eb_run_query){.session = "s2", .suite = "custsvc"}, "");
    lists(s, (struct eb_run_query){.suite = "' OR 1 --"}, "");
    assert_int_equal(
        eb_store_list(s, &(struct eb_run_query){.after = "r9", .limit = 1},
                      any_run, NULL, &err),
        EB_ENOENT);
    assert_int_equal(eb_store_list(s, &(struct eb_run_query){.limit = 9},
                                   stop_at_once, &calls, &err),
                     -99);
    assert_int_equal(calls, 1);
}

#define THREADS 16
#define RUNS 40

struct crowd {
    struct eb_store *store;
    int number;
    int stored;
    int same;
};

/* Every id is put by two threads; readers run between. */
static void *crowd_member(void *arg)
{
    struct crowd *c = arg;
    char id[32];
    int64_t n;
    int i, rc;

    for (i = 0; i < RUNS; i++) {
        struct eb_run r;

        snprintf(id, sizeof(id), "r-%d-%d", c->number / 2, i);
        r = make(id, id);
        rc = eb_store_put(c->store, &r, NULL);
        c->stored += rc == EB_PUT_STORED;
        c->same += rc == EB_PUT_SAME;
        if (eb_store_get(c->store, id, any_run, NULL, NULL) != 0 ||
            eb_store_count(c->store, &n, NULL) != 0)
            c->stored = -1000;
    }
    return NULL;
}

static void test_crowd(void **state)
{
    struct eb_store *s = ((struct place *)*state)->store;
    struct crowd c[THREADS];
    pthread_t t[THREADS];
    int i, stored = 0, same = 0;
    int64_t n;

    for (i = 0; i < THREADS; i++) {
        c[i] = (struct crowd){.store = s, .number = i};
        assert_int_equal(pthread_create(&t[i], NULL, crowd_member, &c[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        stored += c[i].stored;
        same += c[i].same;
    }
    assert_int_equal(stored, THREADS / 2 * RUNS);
    assert_int_equal(same, THREADS / 2 * RUNS);
    assert_int_equal(eb_store_count(s, &n, &err), 0);
    assert_int_equal(n, THREADS / 2 * RUNS);
}

static void test_full_memory(void **state)
{
    const struct eb_store_options options = {0};
    struct eb_store *s;

    (void)state;
    assert_int_equal(eb_store_open("memory:1", &options, &s, &err), 0);
    assert_int_equal(put(s, "r1", "1"), 0);
    assert_int_equal(put(s, "r2", "2"), EB_ENOSPC);
    assert_int_equal(put(s, "r1", "1"), EB_PUT_SAME);
    lists(s, (struct eb_run_query){0}, "r1");
    assert_int_equal(eb_store_check(s, &err), 0);
    eb_store_close(s);
    assert_int_equal(eb_store_open("memory:x", &options, &s, &err), EB_EINVAL);
}

static int reopen(struct place *p)
{
    static const struct eb_store_options options;

    eb_store_close(p->store);
    p->store = NULL;
    return eb_store_open(p->path, &options, &p->store, &err);
}

static void test_reopen(void **state)
{
    struct place *p = *state;
    char wal[192];

    assert_int_equal(put(p->store, "r1", "1"), 0);
    assert_int_equal(put(p->store, "r2", "2"), 0);
    assert_int_equal(reopen(p), 0);
    lists(p->store, (struct eb_run_query){0}, "r2 r1");
    assert_int_equal(put(p->store, "r2", "2"), EB_PUT_SAME);
    assert_int_equal(put(p->store, "r3", "3"), 0);
    lists(p->store, (struct eb_run_query){0}, "r3 r2 r1");
    eb_store_close(p->store);
    p->store = NULL;
    snprintf(wal, sizeof(wal), "%s-wal", p->path);
    assert_int_equal(eb_fs_exists(wal), 0); /* all of it is in the file */
}

static void refused(const char *path, int code, const char *text)
{
    const struct eb_store_options options = {0};
    struct eb_store *s = NULL;
    int rc = eb_store_open(path, &options, &s, &err);

    assert_null(s);
    if (strstr(err.msg, text) == NULL)
        fail_msg("'%s' is not in: %s", text, err.msg);
    assert_int_equal(rc, code);
}

static void test_second_collector(void **state)
{
    struct place *p = *state;
    char link[160], pid[32];

    snprintf(pid, sizeof(pid), "process %d", (int)getpid());
    refused(p->path, EB_EBUSY, pid);
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink(p->path, link), 0);
    refused(link, EB_EBUSY, "another collector");
    assert_int_equal(put(p->store, "r1", "1"), 0);
}

static void write_file(const char *path, const void *data, size_t len)
{
    assert_int_equal(eb_fs_write_durable(path, data, len, &err), 0);
}

static void test_bad_places(void **state)
{
    char path[160], text[4096];
    struct eb_buf b = {0};

    (void)state;
    refused("", EB_EINVAL, "not a file");
    refused("/", EB_EINVAL, "not a file");
    refused("/dev/null", EB_EINVAL, "not a file");
    snprintf(path, sizeof(path), "%s/no/such/runs.sqlite", dir);
    refused(path, EB_ENOENT, "make the folder");
    refused(dir, EB_EINVAL, "not a file");
    snprintf(path, sizeof(path), "%s/text", dir);
    memset(text, 'x', sizeof(text));
    write_file(path, text, sizeof(text));
    refused(path, EB_EINVAL, "not an SQLite database");
    assert_int_equal(eb_fs_read(path, sizeof(text), &b, &err), 0);
    assert_memory_equal(b.data, text, sizeof(text));
    eb_buf_free(&b);
}

/* An empty file is a new database. */
static void test_empty_file(void **state)
{
    const struct eb_store_options options = {0};
    struct eb_store *s;
    char path[160];

    (void)state;
    snprintf(path, sizeof(path), "%s/empty", dir);
    write_file(path, "", 0);
    assert_int_equal(eb_store_open(path, &options, &s, &err), 0);
    assert_int_equal(put(s, "r1", "1"), 0);
    eb_store_close(s);
}

/* Sets a big-endian word of the header (https://sqlite.org/fileformat.html,
 * 1.3). */
static void patch(const char *path, off_t offset, uint32_t value)
{
    unsigned char w[4] = {(unsigned char)(value >> 24),
                          (unsigned char)(value >> 16),
                          (unsigned char)(value >> 8), (unsigned char)value};
    int fd = open(path, O_WRONLY);

    assert_int_equal(pwrite(fd, w, 4, offset), 4);
    close(fd);
}

static void test_other_versions(void **state)
{
    struct place *p = *state;

    assert_int_equal(put(p->store, "r1", "1"), 0);
    eb_store_close(p->store);
    p->store = NULL;
    patch(p->path, 60, 2);
    refused(p->path, EB_EVERSION, "update edgebench-collector");
    patch(p->path, 60, 1);
    patch(p->path, 68, 12345);
    refused(p->path, EB_EINVAL, "database of another program");
    patch(p->path, 68, 0x65646762);
    assert_int_equal(reopen(p), 0);
    lists(p->store, (struct eb_run_query){0}, "r1");
}

/* Puts runs of 64 KiB until one does not fit; returns how many did. */
static int fill(struct eb_store *s, int from)
{
    char *big = eb_xcalloc(1, 65537), id[16];
    struct eb_run r;
    int i, rc = 0;

    memset(big, 'b', 65536);
    for (i = from; i < 1000; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        r = make(id, big);
        r.sha256 = id;
        rc = eb_store_put(s, &r, &err);
        if (rc != 0)
            break;
    }
    free(big);
    assert_int_equal(rc, EB_ENOSPC);
    assert_non_null(strstr(err.msg, "free some space"));
    return i;
}

static void still_reads(struct eb_store *s, int n)
{
    int64_t count = -1;
    char id[16];

    snprintf(id, sizeof(id), "r%d", n - 1);
    assert_int_equal(eb_store_count(s, &count, &err), 0);
    assert_int_equal(count, n);
    assert_int_equal(eb_store_get(s, id, any_run, NULL, &err), 0);
    assert_int_equal(eb_store_check(s, &err), 0);
}

static void test_size_limit(void **state)
{
    const struct eb_store_options options = {.max_bytes = 1 << 20};
    struct eb_store *s;
    char path[160];
    int n;

    (void)state;
    snprintf(path, sizeof(path), "%s/limit.sqlite", dir);
    assert_int_equal(eb_store_open(path, &options, &s, &err), 0);
    n = fill(s, 0);
    assert_true(n > 5 && n < 20);
    still_reads(s, n);
    assert_int_equal(put(s, "r0", "r0"), EB_PUT_SAME);
    eb_store_close(s);
    assert_int_equal(
        eb_store_open(path, &(struct eb_store_options){0}, &s, &err), 0);
    still_reads(s, n);
    assert_int_equal(put(s, "more", "1"), 0);
    eb_store_close(s);
}

static void test_full_disk(void **state)
{
    const struct eb_store_options options = {0};
    char path[160], ballast[160], *zeros;
    struct eb_store *s;
    int n, more;

    (void)state;
    if (mount("tmpfs", dir, "tmpfs", 0, "size=4m") != 0)
        skip(); /* needs root */
    snprintf(path, sizeof(path), "%s/full.sqlite", dir);
    snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
    zeros = eb_xcalloc(1, 1 << 20);
    write_file(ballast, zeros, 1 << 20);
    free(zeros);
    assert_int_equal(eb_store_open(path, &options, &s, &err), 0);
    n = fill(s, 0);
    still_reads(s, n);
    unlink(ballast);
    more = fill(s, n);
    assert_true(more > n);
    still_reads(s, more);
    eb_store_close(s);
    assert_int_equal(eb_store_open(path, &options, &s, &err), 0);
    still_reads(s, more);
    eb_store_close(s);
    assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

/* Makes every descriptor on the log unwritable. */
static void break_log(const char *path)
{
    char name[320], target[192], wal[192];
    struct dirent *ent;
    DIR *d = opendir("/proc/self/fd");
    int bad, n, found = 0;

    snprintf(wal, sizeof(wal), "%s-wal", path);
    bad = open(wal, O_RDONLY);
    assert_true(bad >= 0);
    while ((ent = readdir(d)) != NULL) {
        snprintf(name, sizeof(name), "/proc/self/fd/%s", ent->d_name);
        n = (int)readlink(name, target, sizeof(target) - 1);
        if (n <= 0 || atoi(ent->d_name) == bad)
            continue;
        target[n] = '\0';
        if (strcmp(target, wal) == 0) {
            found++;
            dup2(bad, atoi(ent->d_name));
        }
    }
    closedir(d);
    close(bad);
    assert_true(found > 0);
}

static void test_failed_write(void **state)
{
    struct place *p = *state;

    assert_int_equal(put(p->store, "r1", "1"), 0);
    break_log(p->path);
    assert_int_equal(put(p->store, "r2", "2"), EB_EIO);
    assert_int_equal(put(p->store, "r3", "3"), EB_EIO);
    assert_non_null(strstr(err.msg, "restart the collector"));
    assert_int_equal(eb_store_check(p->store, &err), EB_EIO);
    lists(p->store, (struct eb_run_query){0}, "r1");
    assert_int_equal(reopen(p), 0);
    lists(p->store, (struct eb_run_query){0}, "r1");
    assert_int_equal(put(p->store, "r2", "2"), 0);
}

#define BOTH(test)                                                             \
    {#test " (memory)", test, open_memory, close_place, NULL},                 \
    {                                                                          \
#test " (sqlite)", test, open_sqlite, close_place, NULL                \
    }
#define SQLITE(test)                                                           \
    cmocka_unit_test_setup_teardown(test, open_sqlite, close_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_put_get),
        BOTH(test_same_and_conflict),
        BOTH(test_batch),
        BOTH(test_list),
        BOTH(test_crowd),
        cmocka_unit_test(test_full_memory),
        SQLITE(test_reopen),
        SQLITE(test_second_collector),
        SQLITE(test_bad_places),
        SQLITE(test_empty_file),
        SQLITE(test_other_versions),
        SQLITE(test_size_limit),
        SQLITE(test_full_disk),
        SQLITE(test_failed_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
