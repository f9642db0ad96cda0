/* The program `edgebench`: a table of commands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/doctor.h"
#include "agent/engine.h"
#include "agent/engine_cmd.h"
#include "agent/llama_bench.h"
#include "agent/run.h"
#include "agent/spool.h"
#include "agent/tune_cmd.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#if __has_include("reports/report.h")
#include "reports/report.h"
#define EB_HAVE_REPORT 1
#include "agent/upload.h"
#endif

struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *what;
};

static const struct command commands[] = {
    {"run", eb_run_main, "run a job on models"},
#ifdef EB_HAVE_REPORT
    {"report", eb_report_main, "make a report from records"},
#endif
    {"suites", eb_suites_main, "list, show and check jobs"},
    {"tune", eb_tune_main, "find the fastest settings of a model here"},
    {"doctor", eb_doctor_main, "say what can be measured here, and mend it"},
    {"engine", eb_engine_main, "list and check what runs models"},
    {"import", eb_import_main, "make records of llama-bench's output"},
    {"export", eb_export_main, "write records as llama-bench does"},
    {"spool", eb_spool_main, "records that wait for a collector"},
    {NULL, NULL, NULL}};

static void usage(FILE *out)
{
    const struct command *c;

    fputs(
        "Usage: edgebench COMMAND [OPTIONS]\n\n"
        "Finds the smallest language model that does a job on this device.\n\n"
        "Commands:\n",
        out);
    for (c = commands; c->name != NULL; c++)
        fprintf(out, "  %-8s  %s\n", c->name, c->what);
    fputs("\n  edgebench COMMAND --help   options and exit codes of a command\n"
          "  edgebench --version\n\n"
          "Exit codes:\n"
          "  0  ok\n"
          "  1  internal error\n"
          "  2  wrong usage\n"
          "  3  insufficient\n"
          "  4  not shown\n"
          "  6  nothing could be measured\n"
          "  7  records are only in the spool folder\n",
          out);
}

static void version(void)
{
    size_t i;

    printf("edgebench %s, engines:", EB_VERSION);
    for (i = 0; eb_engines[i] != NULL; i++)
        printf(" %s", eb_engines[i]->name);
    putchar('\n');
}

/* A result that did not reach its file is no result. */
static int flushed(int code)
{
    int bad = ferror(stdout);

    errno = 0;
    if ((fflush(stdout) == 0 && !bad) || code == EB_EXIT_INTERNAL)
        return code; /* an internal error has its sentence already */
    eb_error("standard output: %s",
             errno != 0 ? strerror(errno) : "cannot be written");
    return EB_EXIT_INTERNAL;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct command *c;

    eb_mem_return_large();
    eb_log_setup("edgebench", EB_LOG_INFO);
#ifdef EB_HAVE_REPORT
    eb_report_set_fetch(eb_upload_get);
#endif
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        usage(stdout);
        return flushed(EB_EXIT_OK);
    }
    if (strcmp(name, "--version") == 0) {
        version();
        return flushed(EB_EXIT_OK);
    }
    for (c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0)
            return flushed(c->main(argc - 1, argv + 1));
    }
    if (*name != '\0')
        eb_error("unknown command '%s'", name);
    usage(stderr);
    return EB_EXIT_USAGE;
}
