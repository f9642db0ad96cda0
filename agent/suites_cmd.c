/* `edgebench suites list|show|check|import`. */
#include <stdio.h>
#include <string.h>

#include "agent/run.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/opt.h"
#include "workloads/check.h"
#include "workloads/dialog.h"
#include "workloads/import/import.h"

static const char suites_help[] =
    "Usage: edgebench suites list\n"
    "       edgebench suites show NAME\n"
    "       edgebench suites check NAME\n"
    "       edgebench suites import SET PATH -o DIR [--limit N] [--seed N]\n\n"
    "Lists the jobs, shows one, checks whether it can decide anything, or\n"
    "makes one of a public data set you have.\n"
    "NAME may also be a folder with a job.json.\n\n"
    "Exit codes:\n"
    "  0  done\n"
    "  2  wrong usage, no such suite, or files that cannot be read\n"
    "  3  check found problems\n";

static int suites_list(void)
{
    struct eb_err err = {0};
    char **names;
    size_t n, i;

    eb_suite_names(&names, &n);
    for (i = 0; i < n; i++) {
        struct eb_suite s = {0};

        if (eb_suite_load(&s, names[i], &err) == 0)
            printf("%-16s  %-8s  %s\n", names[i], s.version,
                   eb_json_get_str(
                       cJSON_GetObjectItemCaseSensitive(s.json, "title"),
                       s.langs[0], ""));
        else
            printf("%-16s  cannot be loaded: %s\n", names[i], err.msg);
        eb_suite_free(&s);
    }
    eb_fs_list_free(names, n);
    return EB_EXIT_OK;
}

static void suites_show(const struct eb_suite *s)
{
    size_t i, k;

    printf("%s %s\n%s\ndigest %s\nlanguages", s->name, s->version, s->dir,
           s->digest);
    for (i = 0; i < s->n_langs; i++)
        printf(" %s", s->langs[i]);
    puts("\n");
    for (i = 0; i < s->n_levels; i++) {
        const struct eb_level *l = &s->levels[i];

        printf("%s (%s): %zu items, bar %.0f %%, at most %d tokens, %s\n",
               l->name, eb_kind_name(l->kind), l->n_items, 100 * l->bar,
               l->max_tokens,
               l->constrain ? "held to a grammar" : "free output");
        printf("  %s\n  measures", l->why);
        for (k = 0; k < l->n_capabilities; k++)
            printf("%s %s", k > 0 ? "," : "", l->capabilities[k]);
        putchar('\n');
    }
}

struct suites_import {
    const char *out;
    long long limit;
    long long seed;
    int help;
};

static void suites_import_help(const struct eb_opt *opts)
{
    size_t i;

    fputs("Usage: edgebench suites import SET PATH -o DIR [OPTIONS]\n\n"
          "Makes a job folder of the files of a public data set, which you "
          "get yourself;\nwhere from: workloads/import/README.md.\n\nSets:\n",
          stdout);
    for (i = 0; eb_importers[i] != NULL; i++)
        printf("  %-10s  %s\n", eb_importers[i]->name, eb_importers[i]->what);
    fputs("\nOptions:\n", stdout);
    eb_opt_help(opts, stdout);
}

static int suites_import_check(const struct suites_import *a, int n_args,
                               const char *set)
{
    if (n_args != 2)
        eb_error("suites import takes a set and a path");
    else if (eb_importer_find(set) == NULL)
        eb_error("unknown data set '%s'; see edgebench suites import --help",
                 set);
    else if (a->out == NULL || *a->out == '\0')
        eb_error("suites import needs -o DIR, the folder to make");
    else if (a->limit < 0)
        eb_error("--limit must be 1 or more");
    else
        return 0;
    return EB_EXIT_USAGE;
}

static int suites_import(int argc, char **argv)
{
    struct suites_import a = {.seed = 1};
    struct eb_opt opts[] = {
        {"output", 'o', EB_OPT_STR, &a.out, "DIR", "folder to make"},
        {"limit", 0, EB_OPT_INT, &a.limit, "N",
         "at most N items a level and language"},
        {"seed", 0, EB_OPT_INT, &a.seed, "N",
         "choice of examples and of items (1)"},
        {"help", 'h', EB_OPT_FLAG, &a.help, NULL, "this text"},
        {0}};
    struct eb_import_options o = {0};
    struct eb_err err = {0};
    int n = 0, code;

    if (eb_opt_parse(opts, argc, argv, &n, &err) != 0) {
        eb_error("%s", err.msg);
        return EB_EXIT_USAGE;
    }
    if (a.help) {
        suites_import_help(opts);
        return EB_EXIT_OK;
    }
    code = suites_import_check(&a, n, n > 0 ? argv[argc - n] : "");
    if (code != EB_EXIT_OK)
        return code;
    o.path = argv[argc - 1];
    o.out = a.out;
    o.limit = a.limit;
    o.seed = (uint64_t)a.seed;
    if (eb_import_run(eb_importer_find(argv[argc - 2]), &o, stdout, &err) == 0)
        return EB_EXIT_OK;
    eb_error("%s", err.msg);
    return EB_EXIT_USAGE;
}

int eb_suites_main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    struct eb_suite s = {0};
    struct eb_err err = {0};
    int code = EB_EXIT_OK, check = strcmp(verb, "check") == 0;

    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        fputs(suites_help, stdout);
        return EB_EXIT_OK;
    }
    if (argc == 2 && strcmp(verb, "list") == 0)
        return suites_list();
    if (strcmp(verb, "import") == 0)
        return suites_import(argc - 1, argv + 1);
    if (argc != 3 || (!check && strcmp(verb, "show") != 0)) {
        eb_error("suites takes list, show NAME, check NAME or import SET "
                 "PATH");
        return EB_EXIT_USAGE;
    }
    if (eb_suite_load(&s, argv[2], &err) != 0) {
        eb_error("%s", err.msg);
        return EB_EXIT_USAGE;
    }
    s.dialog = &eb_dialog_ops; /* checking plays dialogs without a model */
    if (!check)
        suites_show(&s);
    else if (eb_suite_check(&s, stdout) > 0)
        code = EB_EXIT_INSUFFICIENT;
    eb_suite_free(&s);
    return code;
}
