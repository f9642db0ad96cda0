#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/opt.h"

static const char *suite;
static struct eb_opt_list models;
static long long limit;
static int json, cache;

static const struct eb_opt opts[] = {
    {"suite", 's', EB_OPT_STR, &suite, "NAME", "job to run"},
    {"model", 'm', EB_OPT_LIST, &models, "FILE", "model (repeatable)"},
    {"limit", 0, EB_OPT_INT, &limit, "N", "at most N items a level"},
    {"json", 'j', EB_OPT_FLAG, &json, NULL, "result as JSON"},
    {"prefix-cache", 0, EB_OPT_FLAG, &cache, NULL, "reuse the prompt"},
    {0}};

static struct eb_err err;
static char *argv[32];
static int argc, n_args;

/* Parses the words of a line, with fresh targets. */
static int parse(const char *line)
{
    static char words[512];
    char *w;

    suite = NULL;
    models.n = 0;
    limit = -7;
    json = 0;
    cache = 1;
    n_args = -1;
    memset(&err, 0, sizeof(err));
    argc = 0;
    snprintf(words, sizeof(words), "prog %s", line);
    for (w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    return eb_opt_parse(opts, argc, argv, &n_args, &err);
}

static void refused(const char *line, const char *msg)
{
    assert_int_equal(parse(line), EB_EUSAGE);
    assert_int_equal(err.code, EB_EUSAGE);
    assert_string_equal(err.msg, msg);
}

static void test_forms(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(n_args, 0);
    assert_int_equal(parse("--suite a"), 0);
    assert_string_equal(suite, "a");
    assert_int_equal(parse("--suite=a=b"), 0);
    assert_string_equal(suite, "a=b");
    assert_int_equal(parse("--suite="), 0);
    assert_string_equal(suite, "");
    assert_int_equal(parse("-s a"), 0);
    assert_string_equal(suite, "a");
    assert_int_equal(parse("-sa"), 0);
    assert_string_equal(suite, "a");
    assert_int_equal(parse("--suite --json"), 0); /* a value, like getopt */
    assert_string_equal(suite, "--json");
    assert_int_equal(parse("-j --no-prefix-cache"), 0);
    assert_int_equal(json, 1);
    assert_int_equal(cache, 0);
    assert_int_equal(parse("--json --no-json"), 0);
    assert_int_equal(json, 0);
    assert_int_equal(parse("-m a --model b -mc"), 0);
    assert_int_equal(models.n, 3);
    assert_string_equal(models.v[2], "c");
    assert_int_equal(parse("--limit -20"), 0);
    assert_int_equal(limit, -20);
}

static void test_moves_arguments(void **state)
{
    (void)state;
    assert_int_equal(parse("one --limit 3 two - -j -- --json three"), 0);
    assert_int_equal(n_args, 5);
    assert_string_equal(argv[0], "prog");
    assert_string_equal(argv[argc - 5], "one");
    assert_string_equal(argv[argc - 4], "two");
    assert_string_equal(argv[argc - 3], "-");
    assert_string_equal(argv[argc - 2], "--json");
    assert_string_equal(argv[argc - 1], "three");
    assert_int_equal(limit, 3);
    assert_null(argv[argc]);
    /* A second pass, as for subcommands, sees the options first. */
    assert_string_equal(argv[1], "--limit");
}

static void test_errors(void **state)
{
    (void)state;
    refused("--sutie x", "unknown option --sutie: did you mean --suite?");
    refused("--jsn", "unknown option --jsn: did you mean --json?");
    refused("--no-prefix-cahce",
            "unknown option --no-prefix-cahce: did you mean "
            "--no-prefix-cache?");
    refused("--colour", "unknown option --colour");
    refused("--no-suite", "--no-suite: --suite is not a flag to switch off");
    refused("-x", "unknown option -x");
    refused("-jx", "-j takes no value");
    refused("--json=1", "--json takes no value");
    refused("--no-json=1", "--no-json takes no value");
    refused("--suite", "--suite needs a value (NAME)");
    refused("-m", "-m needs a value (FILE)");
    refused("--limit 3x", "--limit: '3x' is not a whole number");
    refused("--limit=", "--limit: '' is not a whole number");
    refused("--limit -", "--limit: '-' is not a whole number");
    refused("--limit +3", "--limit: '+3' is not a whole number");
    refused("--limit 0x10", "--limit: '0x10' is not a whole number");
    refused("--limit 9223372036854775808",
            "--limit: 9223372036854775808 is out of range");
    assert_int_equal(limit, -7);
}

static void test_list_limit(void **state)
{
    static char *many[2 * EB_OPT_LIST_MAX + 4];
    int i, n = 1;

    (void)state;
    many[0] = "prog";
    for (i = 0; i <= EB_OPT_LIST_MAX; i++) {
        many[n++] = "-m";
        many[n++] = "f";
    }
    models.n = 0;
    assert_int_equal(eb_opt_parse(opts, n - 2, many, &n_args, &err), 0);
    assert_int_equal(models.n, EB_OPT_LIST_MAX);
    models.n = 0;
    assert_int_equal(eb_opt_parse(opts, n, many, &n_args, &err), EB_EUSAGE);
    assert_string_equal(err.msg, "--model: more than 256 values");
}

static void test_help(void **state)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    (void)state;
    eb_opt_help(opts, f);
    fclose(f);
    assert_string_equal(text, "  -s, --suite NAME    job to run\n"
                              "  -m, --model FILE    model (repeatable)\n"
                              "      --limit N       at most N items a level\n"
                              "  -j, --json          result as JSON\n"
                              "      --prefix-cache  reuse the prompt\n");
    free(text);
}

static void test_within(void **state)
{
    (void)state;
    assert_int_equal(eb_opt_within("slots", 1, 1, 4, &err), 0);
    assert_int_equal(eb_opt_within("slots", 4, 1, 4, &err), 0);
    assert_int_equal(eb_opt_within("slots", 5, 1, 4, &err), EB_EUSAGE);
    assert_string_equal(err.msg, "--slots: 5 is not from 1 to 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),  cmocka_unit_test(test_moves_arguments),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_list_limit),
        cmocka_unit_test(test_help),   cmocka_unit_test(test_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
