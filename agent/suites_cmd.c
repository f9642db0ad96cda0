/* `edgebench suites list|show|check`. */
#include <stdio.h>
#include <string.h>

#include "agent/run.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "workloads/check.h"
#include "workloads/dialog.h"

static const char suites_help[] =
    "Usage: edgebench suites list\n"
    "       edgebench suites show NAME\n"
    "       edgebench suites check NAME\n\n"
    "Lists the jobs, shows one, or checks whether it can decide anything.\n"
    "NAME may also be a folder with a job.json.\n\n"
    "Exit codes:\n"
    "  0  done\n"
    "  2  wrong usage, or no such suite\n"
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
            printf("%-16s  %-8s  %s\n", s.name, s.version,
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
    if (argc != 3 || (!check && strcmp(verb, "show") != 0)) {
        eb_error("suites takes list, show NAME or check NAME");
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
