#include "agent/engine_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/engine.h"
#include "agent/engine_check.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/opt.h"

#define CMD_BATCH 512
#define CMD_SLOTS_MAX 64
#define CMD_CTX_MAX (1 << 20)
#define CMD_THREADS_MAX 512

struct cmd_engine {
    const char *name;
    const char *form;
    const char *what;
};

static const struct cmd_engine cmd_engines[] = {
    {"llama", "FILE.gguf", "llama.cpp in this process"},
    {"openai", "openai:URL[#MODEL]",
     "a server: llama-server, vLLM, Ollama, a cloud model"},
    {"plugin", "plugin:FILE.so[:MODEL]", "a vendor's runtime in a library"},
    {"fake", "fake:key|empty|chatter|...", "no model: for tests"},
    {NULL, NULL, NULL}};

static const char cmd_help[] =
    "Usage: edgebench engine list\n"
    "       edgebench engine check [OPTIONS] MODEL\n\n"
    "list shows what can run models. check tries whether an engine does what\n"
    "the measurements rely on, a line a check: ok, FAIL, or none for what an\n"
    "engine need not have. MODEL is what `edgebench run -m` takes; a FILE.so\n"
    "is a plug-in.\n\n";

static const char cmd_exits[] = "\nExit codes:\n"
                                "  0  done; check: nothing failed\n"
                                "  2  wrong usage\n"
                                "  3  check found failures\n";

static int cmd_has(const char *name)
{
    size_t i;

    for (i = 0; eb_engines[i] != NULL; i++) {
        if (strcmp(eb_engines[i]->name, name) == 0)
            return 1;
    }
    return 0;
}

static int cmd_list(void)
{
    const struct cmd_engine *e;

    for (e = cmd_engines; e->name != NULL; e++)
        printf("%-7s  %-26s  %s%s\n", e->name, e->form, e->what,
               cmd_has(e->name) ? "" : " (not in this build)");
    return EB_EXIT_OK;
}

/* "./libx.so" and "./libx.so:model" are plug-ins, if no engine is named. */
static char *cmd_path(const char *arg)
{
    size_t n = strcspn(arg, ":");

    if (n > 3 && strncmp(arg + n - 3, ".so", 3) == 0)
        return eb_xasprintf("plugin:%s", arg);
    return eb_xstrdup(arg);
}

static int cmd_check(const char *arg, long long ctx, long long slots,
                     long long threads)
{
    struct eb_engine_settings s = {
        .threads = (int)threads,
        .ctx = (int)ctx,
        .batch = CMD_BATCH,
        .ubatch = CMD_BATCH,
        .slots = (int)slots,
    };
    char *path = cmd_path(arg);
    int failures = eb_engine_check(path, &s, stdout);

    free(path);
    printf("%d failed\n", failures);
    return failures == 0 ? EB_EXIT_OK : EB_EXIT_INSUFFICIENT;
}

int eb_engine_main(int argc, char **argv)
{
    long long ctx = 1024, slots = 2, threads = 1;
    int help = 0, n_args = 0, rc;
    struct eb_opt opts[] = {
        {"ctx", 'c', EB_OPT_INT, &ctx, "N", "context in tokens (1024)"},
        {"slots", 0, EB_OPT_INT, &slots, "N", "replies at once (2)"},
        {"threads", 't', EB_OPT_INT, &threads, "N", "threads (1)"},
        {"help", 'h', EB_OPT_FLAG, &help, NULL, "this text"},
        {0}};
    struct eb_err err = {0};
    const char *verb;

    rc = eb_opt_parse(opts, argc, argv, &n_args, &err);
    if (rc == 0 && help) {
        fputs(cmd_help, stdout);
        eb_opt_help(opts, stdout);
        fputs(cmd_exits, stdout);
        return EB_EXIT_OK;
    }
    if (rc == 0)
        rc = eb_opt_within("ctx", ctx, 1, CMD_CTX_MAX, &err);
    if (rc == 0)
        rc = eb_opt_within("slots", slots, 1, CMD_SLOTS_MAX, &err);
    if (rc == 0)
        rc = eb_opt_within("threads", threads, 1, CMD_THREADS_MAX, &err);
    if (rc != 0) {
        eb_error("%s", err.msg);
        return EB_EXIT_USAGE;
    }
    verb = n_args > 0 ? argv[argc - n_args] : "";
    if (strcmp(verb, "list") == 0 && n_args == 1)
        return cmd_list();
    if (strcmp(verb, "check") == 0 && n_args == 2)
        return cmd_check(argv[argc - 1], ctx, slots, threads);
    eb_error("engine takes list, or check MODEL");
    return EB_EXIT_USAGE;
}
