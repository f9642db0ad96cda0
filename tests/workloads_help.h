/* Job folders for the tests: a copy of a fixture in a folder of its own,
 * with one text in one file replaced. Static helpers, test programs only. */
#ifndef EB_TEST_WORKLOADS_HELP_H
#define EB_TEST_WORKLOADS_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/mem.h"
#include "workloads/suite.h"

#define HELP_MINI EB_SOURCE_DIR "/tests/fixtures/job-mini"
#define HELP_MAX (8u << 20)

static inline char *help_read(const char *dir, const char *name)
{
    char *path = eb_fs_join(dir, name);
    struct eb_buf b = {0};

    assert_int_equal(eb_fs_read(path, HELP_MAX, &b, NULL), 0);
    free(path);
    return eb_buf_take(&b);
}

static inline void help_write(const char *dir, const char *name,
                              const char *text)
{
    char *path = eb_fs_join(dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    free(path);
}

/* A new folder with the files of another; remove with help_remove. */
static inline char *help_copy(const char *from)
{
    char template[] = "/tmp/eb-test-XXXXXX";
    char *dir = eb_xstrdup(mkdtemp(template));
    char **names, *text;
    size_t n, i;

    assert_int_equal(eb_fs_list(from, "", &names, &n, NULL), 0);
    for (i = 0; i < n; i++) {
        text = help_read(from, names[i]);
        help_write(dir, names[i], text);
        free(text);
    }
    eb_fs_list_free(names, n);
    return dir;
}

static inline void help_remove(char *dir)
{
    char **names, *path;
    size_t n, i;

    assert_int_equal(eb_fs_list(dir, "", &names, &n, NULL), 0);
    for (i = 0; i < n; i++) {
        path = eb_fs_join(dir, names[i]);
        unlink(path);
        free(path);
    }
    eb_fs_list_free(names, n);
    rmdir(dir);
    free(dir);
}

/* Replaces the first `from` in a file; it must be there. */
static inline void help_replace(const char *dir, const char *name,
                                const char *from, const char *to)
{
    char *text = help_read(dir, name), *at = strstr(text, from);
    struct eb_buf b = {0};

    if (at == NULL)
        fail_msg("%s holds no %s", name, from);
    eb_buf_add(&b, text, (size_t)(at - text));
    eb_buf_adds(&b, to);
    eb_buf_adds(&b, at + strlen(from));
    help_write(dir, name, b.data);
    eb_buf_free(&b);
    free(text);
}

/* A folder with all below it. */
static inline void help_copy_tree(const char *from, const char *to)
{
    char **names, *a, *b;
    size_t n, i, sub;

    assert_int_equal(eb_fs_mkdirs(to, NULL), 0);
    assert_int_equal(eb_fs_list(from, "", &names, &n, NULL), 0);
    for (i = 0; i < n; i++) {
        char **below;

        a = eb_fs_join(from, names[i]);
        b = eb_fs_join(to, names[i]);
        if (eb_fs_list(a, "", &below, &sub, NULL) == 0) {
            eb_fs_list_free(below, sub);
            help_copy_tree(a, b);
        } else {
            char *text = help_read(from, names[i]);

            help_write(to, names[i], text);
            free(text);
        }
        free(a);
        free(b);
    }
    eb_fs_list_free(names, n);
}

static inline void help_remove_tree(const char *dir)
{
    char **names, *path;
    size_t n, i;

    if (eb_fs_list(dir, "", &names, &n, NULL) == 0) {
        for (i = 0; i < n; i++) {
            path = eb_fs_join(dir, names[i]);
            help_remove_tree(path);
            free(path);
        }
        eb_fs_list_free(names, n);
    }
    remove(dir);
}

#endif
