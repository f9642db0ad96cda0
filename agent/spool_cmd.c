/* `edgebench spool list|push`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/spool.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/opt.h"
#include "common/record.h"

static const char spool_help[] =
    "Usage: edgebench spool list\n"
    "       edgebench spool push --collector URL\n\n"
    "Records that no collector has confirmed yet. push sends them, oldest\n"
    "first, and deletes each when the collector has repeated its SHA-256.\n\n"
    "Exit codes:\n"
    "  0  done; push: nothing is left\n"
    "  1  internal error\n"
    "  2  wrong usage\n"
    "  7  some records are still here or were refused for good\n";

static void spool_print(const char *dir, const char *name)
{
    char *path = eb_fs_join(dir, name);
    struct eb_err err = {0};
    cJSON *rec = NULL;

    if (eb_json_read(path, EB_RECORD_MAX_BYTES, &rec, &err) != 0)
        printf("%s  cannot be read: %s\n", name, err.msg);
    else
        printf("%s  %s  %s  %s\n", eb_json_get_str(rec, "run_id", "?"),
               eb_json_get_str(rec, "ended_at", "?"),
               eb_json_get_str(cJSON_GetObjectItemCaseSensitive(rec, "model"),
                               "name", "?"),
               eb_json_get_str(rec, "status", "?"));
    cJSON_Delete(rec);
    free(path);
}

static int spool_list(const char *dir, struct eb_err *err)
{
    char **names;
    size_t n, i;

    if (eb_spool_list(dir, &names, &n, err) != 0)
        return EB_EXIT_INTERNAL;
    for (i = 0; i < n; i++)
        spool_print(dir, names[i]);
    fprintf(stderr, "%zu waiting in %s\n", n, dir);
    eb_fs_list_free(names, n);
    return EB_EXIT_OK;
}

static int spool_push(const char *dir, const char *collector,
                      struct eb_err *err)
{
    struct eb_spool_count c;

    if (eb_spool_push(dir, NULL, collector, &c, err) != 0)
        return EB_EXIT_INTERNAL;
    printf("%zu sent, %zu kept, %zu refused\n", c.sent, c.kept, c.dead);
    if (c.kept + c.dead == 0)
        return EB_EXIT_OK;
    return EB_EXIT_SPOOLED;
}

int eb_spool_main(int argc, char **argv)
{
    const char *collector = NULL, *verb;
    int help = 0, n_args = 0, code;
    struct eb_opt opts[] = {
        {"collector", 0, EB_OPT_STR, &collector, "URL", "where to send"},
        {"help", 'h', EB_OPT_FLAG, &help, NULL, "this text"},
        {0}};
    struct eb_err err = {0};
    char *dir = NULL;

    if (eb_opt_parse(opts, argc, argv, &n_args, &err) != 0) {
        eb_error("%s", err.msg);
        return EB_EXIT_USAGE;
    }
    if (help) {
        fputs(spool_help, stdout);
        return EB_EXIT_OK;
    }
    verb = n_args == 1 ? argv[argc - 1] : "";
    if (strcmp(verb, "list") != 0 &&
        (strcmp(verb, "push") != 0 || collector == NULL)) {
        eb_error("spool takes list, or push with --collector URL");
        return EB_EXIT_USAGE;
    }
    if (eb_spool_dir(&dir, &err) != 0)
        code = EB_EXIT_INTERNAL;
    else if (strcmp(verb, "list") == 0)
        code = spool_list(dir, &err);
    else
        code = spool_push(dir, collector, &err);
    if (err.code != 0)
        eb_error("%s", err.msg);
    free(dir);
    return code;
}
