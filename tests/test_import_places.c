/* Importers of sets as people have them: the whole repository, its data
 * folder or one file; parts of a set; byte order marks, line ends of Windows,
 * packed files. */
#include "tests/workloads_help.h"
#include "workloads/check.h"
#include "workloads/import/import.h"

#define FIX EB_SOURCE_DIR "/tests/fixtures/import/"

struct work {
    char dir[32];
    char *data, *out;
};

static void work_begin(struct work *w)
{
    strcpy(w->dir, "/tmp/eb-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->data = eb_fs_join(w->dir, "data");
    w->out = eb_fs_join(w->dir, "suite");
}

static void work_end(struct work *w)
{
    help_remove_tree(w->dir);
    free(w->data);
    free(w->out);
}

/* The fixture of a set, or a part of it, at a place below the data. */
static void work_put(const struct work *w, const char *from, const char *below)
{
    char *source = eb_xasprintf(FIX "%s", from);
    char *to = eb_fs_join(w->data, below);

    help_copy_tree(source, to);
    free(source);
    free(to);
}

static int work_import(const struct work *w, const char *set, const char *below,
                       struct eb_err *err)
{
    char *path = eb_fs_join(w->data, below);
    struct eb_import_options o = {path, w->out, 0, 1};
    int rc = eb_import_run(eb_importer_find(set), &o, NULL, err);

    free(path);
    return rc;
}

/* Items of all levels; the key scores every one of them. */
static size_t work_items(const struct work *w, const char *set,
                         const char *below)
{
    struct eb_err err = {0};
    struct eb_suite s = {0};
    size_t i, n = 0;

    if (work_import(w, set, below, &err) != 0 ||
        eb_suite_load(&s, w->out, &err) != 0)
        fail_msg("%s %s: %s", set, below, err.msg);
    for (i = 0; i < s.n_levels; i++)
        n += s.levels[i].n_items;
    eb_suite_free(&s);
    return n;
}

static void work_fails(const struct work *w, const char *set, const char *below,
                       const char *says)
{
    struct eb_err err = {0};

    assert_int_not_equal(work_import(w, set, below, &err), 0);
    if (strstr(err.msg, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
    assert_false(eb_fs_exists(w->out));
}

static const struct {
    const char *set, *from, *to;
} places[] = {
    {"banking77", "banking77", "banking_data"},
    {"clinc150", "clinc150", "data"},
    {"nlupp", "nlupp", "nlupp"},
    {"massive", "massive", "1.1/data"},
    {"massive", "massive", "1.0/data"},
    {"bfcl", "bfcl", "bfcl_eval/data"},
    {"bfcl", "bfcl", "berkeley-function-call-leaderboard/data"},
    {"bfcl", "bfcl", "berkeley-function-call-leaderboard/bfcl_eval/data"},
    {"acebench", "acebench", "data_all"},
    {"acebench", "acebench/data_en", "data/en"},
    {"acebench", "acebench/data_zh", "zh"},
    {"tau", "tau", "tau_bench/envs"},
    {"tau2", "tau2", "data/tau2/domains"},
    {"tau2", "tau2", "tau2/domains"},
};

static void folders_above_the_data_will_do(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct work w;
        size_t n;

        work_begin(&w);
        work_put(&w, places[i].from, places[i].to);
        n = work_items(&w, places[i].set, ".");
        help_remove_tree(w.out);
        assert_int_equal(work_items(&w, places[i].set, places[i].to), n);
        work_end(&w);
    }
}

static void move(const struct work *w, const char *from, const char *to)
{
    char *a = eb_fs_join(w->data, from), *b = eb_fs_join(w->data, to);

    assert_int_equal(rename(a, b), 0);
    free(a);
    free(b);
}

static void make(const struct work *w, const char *below)
{
    char *dir = eb_fs_join(w->data, below);

    assert_int_equal(eb_fs_mkdirs(dir, NULL), 0);
    free(dir);
}

static void databases_and_interfaces_have_two_places(void **state)
{
    struct work w;
    size_t n;

    (void)state;
    work_begin(&w);
    work_put(&w, "tau", "");
    n = work_items(&w, "tau", ".");
    help_remove_tree(w.out);
    make(&w, "retail/data");
    move(&w, "retail/users.json", "retail/data/users.json");
    move(&w, "retail/orders.json", "retail/data/orders.json");
    move(&w, "airline/tasks_test.jsonl", "airline/tasks.jsonl");
    assert_int_equal(work_items(&w, "tau", "."), n);
    work_end(&w);
    work_begin(&w);
    work_put(&w, "star", "");
    n = work_items(&w, "star", ".");
    help_remove_tree(w.out);
    move(&w, "apis", "old");
    move(&w, "old/apis", "apis");
    assert_int_equal(work_items(&w, "star", "."), n);
    help_remove_tree(w.out);
    move(&w, "apis", "other");
    work_fails(&w, "star", ".", "no interfaces in apis/apis");
    work_end(&w);
}

static void unlink_in(const struct work *w, const char *below)
{
    char *path = eb_fs_join(w->data, below);

    assert_int_equal(unlink(path), 0);
    free(path);
}

static void parts_of_a_set_will_do(void **state)
{
    struct work w;
    size_t n;

    (void)state;
    work_begin(&w);
    work_put(&w, "nlupp", "");
    n = work_items(&w, "nlupp", ".");
    help_remove_tree(w.out);
    move(&w, "hotels", "elsewhere");
    assert_true(work_items(&w, "nlupp", ".") < n);
    help_remove_tree(w.out);
    move(&w, "banking", "hidden");
    work_fails(&w, "nlupp", ".", "no banking/ or hotels/ here");
    work_end(&w);
    work_begin(&w);
    work_put(&w, "bfcl", "");
    n = work_items(&w, "bfcl", ".");
    help_remove_tree(w.out);
    unlink_in(&w, "multi_turn_func_doc/math_api.json");
    assert_int_equal(work_items(&w, "bfcl", "."), n);
    help_remove_tree(w.out);
    move(&w, "multi_turn_func_doc", "docs");
    work_fails(&w, "bfcl", ".", "no functions of the multi-turn sets");
    work_end(&w);
}

static void one_file_of_several_says_so(void **state)
{
    struct work w;

    (void)state;
    work_begin(&w);
    work_put(&w, "banking77", "");
    work_put(&w, "bfcl", "");
    work_fails(&w, "banking77", "test.csv", "is a file; give the folder");
    work_fails(&w, "bfcl", "BFCL_v4_parallel.json", "is a file; give the");
    work_end(&w);
}

/* A file with what Windows adds: a mark in front, \r\n for \n. */
static void windows(const char *dir, const char *name)
{
    char *text = help_read(dir, name), *p;
    struct eb_buf b = {0};

    if (strncmp(text, "\xEF\xBB\xBF", 3) != 0)
        eb_buf_adds(&b, "\xEF\xBB\xBF");
    for (p = text; *p != '\0'; p++) {
        if (*p == '\n' && (p == text || p[-1] != '\r'))
            eb_buf_addc(&b, '\r');
        eb_buf_addc(&b, *p);
    }
    help_write(dir, name, b.data);
    eb_buf_free(&b);
    free(text);
}

static void windows_tree(const char *dir)
{
    char **names, **below, *path;
    size_t n, sub, i;

    assert_int_equal(eb_fs_list(dir, "", &names, &n, NULL), 0);
    for (i = 0; i < n; i++) {
        path = eb_fs_join(dir, names[i]);
        if (eb_fs_list(path, "", &below, &sub, NULL) == 0) {
            eb_fs_list_free(below, sub);
            windows_tree(path);
        } else if (strstr(names[i], ".md") == NULL) {
            windows(dir, names[i]);
        }
        free(path);
    }
    eb_fs_list_free(names, n);
}

static void marks_and_line_ends_of_windows_change_nothing(void **state)
{
    static const char *const sets[] = {
        "banking77", "clinc150", "nlupp", "massive", "bfcl",
        "acebench",  "crosswoz", "star",  "tau",     "tau2"};
    size_t i, n;

    (void)state;
    for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct work w;

        work_begin(&w);
        work_put(&w, sets[i], "");
        n = work_items(&w, sets[i], ".");
        help_remove_tree(w.out);
        windows_tree(w.data);
        assert_int_equal(work_items(&w, sets[i], "."), n);
        work_end(&w);
    }
}

static void packed_files_are_told(void **state)
{
    struct work w;

    (void)state;
    work_begin(&w);
    make(&w, "");
    help_write(w.data, "test.json.zip", "PK\x03\x04rest");
    work_fails(&w, "crosswoz", ".", "test.json.zip: is compressed; unpack");
    help_write(w.data, "en-US.jsonl", "\x1f\x8b\x08more");
    work_fails(&w, "massive", "en-US.jsonl", "is compressed; unpack it first");
    work_end(&w);
}

/* Some functions of ACEBench have `arguments` or `_arguments`. */
static void parameters_have_three_names(void **state)
{
    static const char *const names[] = {"\"arguments\"", "\"_arguments\""};
    size_t i, n;

    (void)state;
    for (i = 0; i < 2; i++) {
        struct work w;

        work_begin(&w);
        work_put(&w, "acebench/data_en", "data_en");
        n = work_items(&w, "acebench", ".");
        help_remove_tree(w.out);
        help_replace(w.data, "data_en/data_normal_preference.json",
                     "\"parameters\"", names[i]);
        assert_int_equal(work_items(&w, "acebench", "."), n);
        work_end(&w);
    }
}

/* What is rewarded where a task does not say so is the database. */
static void tau2_tasks_need_no_basis(void **state)
{
    struct work w;
    size_t n;

    (void)state;
    work_begin(&w);
    work_put(&w, "tau2", "");
    n = work_items(&w, "tau2", ".");
    help_remove_tree(w.out);
    help_replace(w.data, "retail/tasks.json", "\"reward_basis\"", "\"note\"");
    assert_true(work_items(&w, "tau2", ".") >= n);
    work_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_above_the_data_will_do),
        cmocka_unit_test(databases_and_interfaces_have_two_places),
        cmocka_unit_test(parts_of_a_set_will_do),
        cmocka_unit_test(one_file_of_several_says_so),
        cmocka_unit_test(marks_and_line_ends_of_windows_change_nothing),
        cmocka_unit_test(packed_files_are_told),
        cmocka_unit_test(parameters_have_three_names),
        cmocka_unit_test(tau2_tasks_need_no_basis)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
