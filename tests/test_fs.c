#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"

static char root[64];
static struct eb_err err;

/* root/name; four results are good at a time. */
static const char *at(const char *name)
{
    static char path[4][256];
    static int k;

    k = (k + 1) % 4;
    snprintf(path[k], sizeof(path[k]), "%s/%s", root, name);
    return path[k];
}

static int setup(void **state)
{
    (void)state;
    memset(&err, 0, sizeof(err));
    strcpy(root, "/tmp/eb-fs-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int teardown(void **state)
{
    char cmd[128];

    (void)state;
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
    return system(cmd);
}

static void has(const char *path, const char *text)
{
    struct eb_buf b = {0};

    assert_int_equal(eb_fs_read(path, 1 << 20, &b, &err), 0);
    assert_string_equal(b.data, text);
    eb_buf_free(&b);
}

static void write_ok(const char *path, const char *text)
{
    assert_int_equal(eb_fs_write_durable(path, text, strlen(text), &err), 0);
    has(path, text);
}

/* No write leaves its temporary file behind. */
static void no_part(const char *dir)
{
    char **names;
    size_t n;

    assert_int_equal(eb_fs_list(dir, ".part", &names, &n, &err), 0);
    assert_int_equal(n, 0);
    eb_fs_list_free(names, n);
}

static void test_read(void **state)
{
    struct eb_buf b = {0};

    (void)state;
    write_ok(at("f"), "0123456789");
    eb_buf_adds(&b, ">");
    assert_int_equal(eb_fs_read(at("f"), 10, &b, &err), 0);
    assert_string_equal(b.data, ">0123456789");
    assert_int_equal(eb_fs_read(at("f"), 9, &b, &err), EB_ELIMIT);
    assert_string_equal(b.data, ">0123456789"); /* as before */
    assert_int_equal(eb_fs_read(at("none"), 9, &b, &err), EB_ENOENT);
    assert_non_null(strstr(err.msg, "none: No such file"));
    assert_int_equal(eb_fs_read(root, 9, &b, &err), EB_EIO);
    eb_buf_free(&b);
    assert_int_equal(eb_fs_read(at("f"), 9, &b, &err), EB_ELIMIT);
    assert_null(b.data);
    write_ok(at("empty"), "");
    assert_int_equal(eb_fs_read(at("empty"), 0, &b, &err), 0);
    assert_non_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(eb_fs_read("/proc/self/status", 1 << 20, &b, &err), 0);
    assert_non_null(strstr(b.data, "VmRSS:"));
    eb_buf_free(&b);
}

static void test_read_large(void **state)
{
    size_t len = 300000, i;
    char *data = malloc(len);
    struct eb_buf b = {0};

    (void)state;
    for (i = 0; i < len; i++)
        data[i] = (char)(i * 7 + i / 255);
    assert_int_equal(eb_fs_write_durable(at("big"), data, len, &err), 0);
    assert_int_equal(eb_fs_read(at("big"), len, &b, &err), 0);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data, data, len);
    eb_buf_free(&b);
    free(data);
}

static void test_write_replaces(void **state)
{
    struct stat st;

    (void)state;
    write_ok(at("f"), "one");
    write_ok(at("f"), "two, longer");
    write_ok(at("f"), "3");
    no_part(root);
    assert_int_equal(stat(at("f"), &st), 0);
    assert_int_equal(st.st_mode & 0133, 0);
    assert_int_equal(chdir(root), 0);
    write_ok("here", "relative");
    has(at("here"), "relative");
    assert_int_equal(chdir("/"), 0);
}

static void test_write_missing_folder(void **state)
{
    (void)state;
    assert_int_equal(eb_fs_write_durable(at("no/f"), "x", 1, &err), EB_ENOENT);
    assert_non_null(strstr(err.msg, "no/f: No such file or directory"));
    write_ok(at("file"), "x");
    assert_int_equal(eb_fs_write_durable(at("file/f"), "x", 1, &err), EB_EIO);
    has(at("file"), "x");
}

/* A device, a pipe or a link would be replaced by rename(2). */
static void test_write_not_regular(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_int_equal(eb_fs_write_durable(at("pipe"), "x", 1, &err), EB_EINVAL);
    assert_int_equal(stat(at("pipe"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(mkdir(at("dir"), 0700), 0);
    assert_int_equal(eb_fs_write_durable(at("dir"), "x", 1, &err), EB_EINVAL);
    assert_int_equal(symlink("/dev/null", at("link")), 0);
    assert_int_equal(eb_fs_write_durable(at("link"), "x", 1, &err), EB_EINVAL);
    no_part(root);
}

/* A link waiting at the .part name is not followed. */
static void test_write_part_trap(void **state)
{
    (void)state;
    write_ok(at("victim"), "safe");
    assert_int_equal(symlink(at("victim"), at("f.part")), 0);
    write_ok(at("f"), "mine");
    has(at("victim"), "safe");
    /* One that cannot be removed fails, and the old file stays. */
    assert_int_equal(mkdir(at("f.part"), 0700), 0);
    assert_int_not_equal(eb_fs_write_durable(at("f"), "new", 3, &err), 0);
    has(at("f"), "mine");
}

/* The write stops half-way: old content stays, nothing is left over. */
static void test_write_file_limit(void **state)
{
    struct rlimit old, small;
    char data[8192];
    int rc;

    (void)state;
    memset(data, 'x', sizeof(data));
    write_ok(at("f"), "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rc = eb_fs_write_durable(at("f"), data, sizeof(data), &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, EB_EIO);
    assert_non_null(strstr(err.msg, "File too large"));
    has(at("f"), "old");
    no_part(root);
}

static void test_write_no_permission(void **state)
{
    int rc;

    (void)state;
    write_ok(at("f"), "old");
    assert_int_equal(chmod(root, 0555), 0);
    if (geteuid() == 0 && seteuid(65534) != 0)
        skip();
    rc = eb_fs_write_durable(at("f"), "new", 3, &err);
    assert_int_equal(seteuid(getuid()), 0);
    assert_int_equal(chmod(root, 0700), 0);
    assert_int_equal(rc, EB_EPERM);
    has(at("f"), "old");
    no_part(root);
}

/* A full disk and a disk mounted read-only; only root can make them. */
static void test_write_full_disk(void **state)
{
    static char data[256 * 1024];
    int rc_full, rc_ro;

    (void)state;
    memset(data, 'x', sizeof(data));
    assert_int_equal(mkdir(at("disk"), 0700), 0);
    if (mount("tmpfs", at("disk"), "tmpfs", 0, "size=64k") != 0)
        skip();
    write_ok(at("disk/f"), "old");
    rc_full = eb_fs_write_durable(at("disk/f"), data, sizeof(data), &err);
    has(at("disk/f"), "old");
    no_part(at("disk"));
    rc_ro = mount("tmpfs", at("disk"), "tmpfs", MS_REMOUNT | MS_RDONLY, NULL);
    if (rc_ro == 0)
        rc_ro = eb_fs_write_durable(at("disk/f"), "new", 3, &err);
    has(at("disk/f"), "old");
    assert_int_equal(umount(at("disk")), 0);
    assert_int_equal(rc_full, EB_ENOSPC);
    assert_int_equal(rc_ro, EB_EIO);
    assert_non_null(strstr(err.msg, "Read-only file system"));
}

static void test_mkdirs(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(eb_fs_mkdirs(at("a/b//c/"), &err), 0);
    assert_int_equal(stat(at("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(eb_fs_mkdirs(at("a/b/c"), &err), 0);
    assert_int_equal(eb_fs_mkdirs("/", &err), 0);
    write_ok(at("a/file"), "x");
    assert_int_equal(eb_fs_mkdirs(at("a/file"), &err), EB_EIO);
    assert_int_equal(eb_fs_mkdirs(at("a/file/d"), &err), EB_EIO);
    assert_non_null(strstr(err.msg, "a/file: Not a directory"));
    assert_int_equal(chdir(root), 0);
    assert_int_equal(eb_fs_mkdirs("rel/x", &err), 0);
    assert_int_equal(eb_fs_exists(at("rel/x")), 1);
    assert_int_equal(chdir("/"), 0);
}

static void test_list(void **state)
{
    char **names;
    size_t n;

    (void)state;
    write_ok(at("b.json"), "");
    write_ok(at("a.json"), "");
    write_ok(at("B.json"), "");
    write_ok(at(".json"), "");
    write_ok(at("c.txt"), "");
    assert_int_equal(eb_fs_list(root, ".json", &names, &n, &err), 0);
    assert_int_equal(n, 4);
    assert_string_equal(names[0], ".json");
    assert_string_equal(names[1], "B.json");
    assert_string_equal(names[2], "a.json");
    assert_string_equal(names[3], "b.json");
    eb_fs_list_free(names, n);
    assert_int_equal(eb_fs_list(root, "", &names, &n, &err), 0);
    assert_int_equal(n, 5);
    eb_fs_list_free(names, n);
    assert_int_equal(eb_fs_list(at("none"), "", &names, &n, &err), EB_ENOENT);
    assert_null(names);
    assert_int_equal(n, 0);
    eb_fs_list_free(NULL, 0);
}

static void test_names(void **state)
{
    char *s = eb_fs_join("a", "b");

    (void)state;
    assert_string_equal(s, "a/b");
    free(s);
    s = eb_fs_join("/", "b");
    assert_string_equal(s, "/b");
    free(s);
    s = eb_fs_join("", "b");
    assert_string_equal(s, "b");
    free(s);
    assert_string_equal(eb_fs_base("/x/y.gguf"), "y.gguf");
    assert_string_equal(eb_fs_base("y"), "y");
    assert_string_equal(eb_fs_base("x/"), "");
    assert_int_equal(eb_fs_exists(root), 1);
    assert_int_equal(eb_fs_exists(at("none")), 0);
}

static void test_write_in_new(void **state)
{
    struct eb_buf b = {0};

    (void)state;
    assert_int_equal(eb_fs_write_in_new(at("a/b/file"), "one", 3, &err), 0);
    assert_int_equal(eb_fs_write_in_new(at("a/b/file"), "two", 3, &err), 0);
    assert_int_equal(eb_fs_read(at("a/b/file"), 16, &b, &err), 0);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "two", 3);
    eb_buf_free(&b);
    assert_int_not_equal(eb_fs_write_in_new(at("a/b/file/x"), "", 0, &err), 0);
}

static void user(const char *own, const char *home, const char *want)
{
    char *got;

    setenv("EB_TEST_XDG", own, 1);
    setenv("HOME", home, 1);
    got = eb_fs_user("EB_TEST_XDG", ".cache");
    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
    free(got);
}

static void test_user(void **state)
{
    char *home = getenv("HOME") != NULL ? strdup(getenv("HOME")) : NULL;

    (void)state;
    user("/x", "/h", "/x/edgebench");
    user("relative", "/h", "/h/.cache/edgebench");
    user("", "/h", "/h/.cache/edgebench");
    user("", "", NULL);
    unsetenv("EB_TEST_XDG");
    if (home != NULL)
        setenv("HOME", home, 1);
    else
        unsetenv("HOME");
    free(home);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write_in_new),
        TEST(test_user),
        TEST(test_read),
        TEST(test_read_large),
        TEST(test_write_replaces),
        TEST(test_write_missing_folder),
        TEST(test_write_not_regular),
        TEST(test_write_part_trap),
        TEST(test_write_file_limit),
        TEST(test_write_no_permission),
        TEST(test_write_full_disk),
        TEST(test_mkdirs),
        TEST(test_list),
        TEST(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
