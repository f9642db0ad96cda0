/* `edgebench import` and `edgebench export`: other tools' files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/device.h"
#include "agent/llama_bench.h"
#include "common/json.h"
#include "common/log.h"
#include "common/opt.h"
#include "common/record.h"

struct import_opts {
    const char *out;
    int here, help;
};

static int import_write(const struct import_opts *o, cJSON *const *recs,
                        size_t n, struct eb_err *err)
{
    FILE *f = strcmp(o->out, "-") == 0 ? stdout : fopen(o->out, "a");
    size_t i;
    int bad = 0;

    if (f == NULL)
        return eb_fail(err, eb_code_from_errno(errno), "%s: %s", o->out,
                       strerror(errno));
    for (i = 0; i < n; i++) {
        char *text = cJSON_PrintUnformatted(recs[i]);

        bad |= text == NULL || fprintf(f, "%s\n", text) < 0;
        free(text);
    }
    bad |= fflush(f) != 0;
    if (f != stdout)
        bad |= fclose(f) != 0;
    return bad ? eb_fail(err, EB_EIO, "%s: cannot be written",
                         f == stdout ? "standard output" : o->out)
               : 0;
}

static int import_file(const struct import_opts *o, const char *path,
                       struct eb_err *err)
{
    cJSON *device = o->here ? eb_device_facts("", NULL) : NULL, **recs = NULL;
    size_t n = 0;
    int rc = eb_llama_bench_read(path, device, &recs, &n, err);

    if (rc == 0)
        rc = import_write(o, recs, n, err);
    eb_record_list_free(recs, n);
    cJSON_Delete(device);
    return rc;
}

static int import_done(int rc, const struct eb_err *err)
{
    if (rc == 0)
        return EB_EXIT_OK;
    eb_error("%s", err->msg);
    return rc == EB_EIO || rc == EB_EINTERNAL ? EB_EXIT_INTERNAL
                                              : EB_EXIT_USAGE;
}

int eb_import_main(int argc, char **argv)
{
    struct import_opts o = {.out = "-"};
    const struct eb_opt table[] = {
        {"out", 'o', EB_OPT_STR, &o.out, "FILE",
         "append the records as JSON Lines (standard output)"},
        {"here", 0, EB_OPT_FLAG, &o.here, NULL,
         "the file was made on this machine: take its description"},
        {"help", 'h', EB_OPT_FLAG, &o.help, NULL, "this text"},
        {0}};
    struct eb_err err = {0};
    int n = 0, rc = eb_opt_parse(table, argc, argv, &n, &err);

    if (rc == 0 && o.help) {
        fputs("Usage: edgebench import llama-bench [OPTIONS] FILE\n\n"
              "Makes records of what llama-bench wrote with -o json or "
              "-o jsonl.\n\n",
              stdout);
        eb_opt_help(table, stdout);
        return EB_EXIT_OK;
    }
    if (rc == 0 && (n != 2 || strcmp(argv[argc - 2], "llama-bench") != 0))
        rc = eb_fail(&err, EB_EUSAGE,
                     "import takes llama-bench and a file; see --help");
    if (rc == 0)
        rc = import_file(&o, argv[argc - 1], &err);
    return import_done(rc, &err);
}

int eb_export_main(int argc, char **argv)
{
    int help = 0, n = 0, rc;
    const struct eb_opt table[] = {
        {"help", 'h', EB_OPT_FLAG, &help, NULL, "this text"}, {0}};
    struct eb_err err = {0};
    cJSON **recs = NULL;
    size_t n_recs = 0;

    rc = eb_opt_parse(table, argc, argv, &n, &err);
    if (rc == 0 && help) {
        fputs("Usage: edgebench export llama-bench FILE\n\n"
              "Writes the speed of records (JSON or JSON Lines) as "
              "llama-bench -o json does.\n\n",
              stdout);
        eb_opt_help(table, stdout);
        return EB_EXIT_OK;
    }
    if (rc == 0 && (n != 2 || strcmp(argv[argc - 2], "llama-bench") != 0))
        rc = eb_fail(&err, EB_EUSAGE,
                     "export takes llama-bench and a file; see --help");
    if (rc == 0)
        rc = eb_record_read(argv[argc - 1], &recs, &n_recs, &err);
    if (rc == 0)
        eb_llama_bench_write(recs, n_recs, stdout);
    eb_record_list_free(recs, n_recs);
    return import_done(rc, &err);
}
