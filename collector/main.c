/* edgebench-collector: keeps run records and answers questions about them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/routes.h"
#include "collector/server.h"
#include "collector/store.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/opt.h"

struct main_options {
    const char *db;
    const char *port_file;
    long long max_db_mib;
    long long connections;
    long long timeout_s;
    const char *listen;
    int allow_remote;
    int verbose;
    int help;
    int version;
};

static const char main_usage[] =
    "Usage: edgebench-collector serve [options]\n\n"
    "Keeps run records in one database file and serves them over HTTP\n"
    "(collector/API.md). A run that was acknowledged is on disk.\n\n"
    "Options:\n";

static const char main_exits[] =
    "\nExit codes:\n"
    "  0  stopped by SIGTERM or SIGINT, or help shown\n"
    "  1  internal error, or the disk failed\n"
    "  2  wrong option, address in use, or database that cannot be used\n\n"
    "Examples:\n"
    "  edgebench-collector serve --db runs.sqlite\n"
    "  edgebench-collector serve --db runs.sqlite --listen 127.0.0.1:0 "
    "--port-file port\n";

static int main_exit(const struct eb_err *err)
{
    eb_error("%s", err->msg);
    return err->code == EB_EIO || err->code == EB_EINTERNAL ||
                   err->code == EB_ENOSPC || err->code == EB_ENET
               ? EB_EXIT_INTERNAL
               : EB_EXIT_USAGE;
}

static int main_check(const struct main_options *o, int n_args, char **args,
                      struct eb_err *err)
{
    if (n_args != 1 || strcmp(args[0], "serve") != 0)
        return eb_fail(err, EB_EUSAGE,
                       n_args == 0 ? "no command: try edgebench-collector "
                                     "serve --db runs.sqlite, or --help"
                                   : "expected the one command serve: see "
                                     "edgebench-collector --help");
    if (o->connections < 1 || o->connections > 4096)
        return eb_fail(err, EB_EUSAGE,
                       "--connections: expected a number from 1 to 4096");
    if (o->timeout_s < 1 || o->timeout_s > 86400)
        return eb_fail(err, EB_EUSAGE,
                       "--timeout: expected a number from 1 to 86400");
    if (o->max_db_mib < 0 || o->max_db_mib > 1 << 24)
        return eb_fail(err, EB_EUSAGE,
                       "--max-db-mib: expected a number from 0 to %d", 1 << 24);
    return 0;
}

static int main_write_port(const char *path, int port, struct eb_err *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d\n", port);

    return path == NULL ? 0 : eb_fs_write_durable(path, text, (size_t)n, err);
}

/* Until SIGTERM or SIGINT; a second one ends the program at once. */
static int main_serve(const struct main_options *o, const sigset_t *signals,
                      struct eb_err *err)
{
    struct eb_server_options so = {.listen = o->listen,
                                   .allow_remote = o->allow_remote,
                                   .connections = (int)o->connections,
                                   .timeout_s = (int)o->timeout_s};
    struct eb_store_options to = {.max_bytes = o->max_db_mib << 20};
    struct eb_server *server = NULL;
    struct eb_store *store = NULL;
    struct eb_routes routes;
    int sig, rc;

    rc = eb_server_open(&so, &server, err);
    if (rc == 0)
        rc = eb_store_open(o->db, &to, &store, err);
    if (rc != 0) {
        eb_server_close(server);
        return rc;
    }
    eb_routes_init(&routes, store, !o->allow_remote);
    rc = eb_server_start(server, &routes.app, err);
    if (rc == 0)
        rc = main_write_port(o->port_file, eb_server_port(server), err);
    if (rc == 0) {
        if (o->allow_remote)
            eb_warn("there is no authentication yet: everyone who reaches "
                    "%s can read and add runs",
                    eb_server_address(server));
        eb_info("listening on http://%s, database %s",
                eb_server_address(server), o->db);
        sigwait(signals, &sig);
        pthread_sigmask(SIG_UNBLOCK, signals, NULL);
        eb_info("stopping");
    }
    eb_server_close(server);
    eb_store_close(store);
    eb_routes_free(&routes);
    return rc;
}

int main(int argc, char **argv)
{
    struct main_options o = {.db = "edgebench.sqlite",
                             .listen = "127.0.0.1:8420",
                             .connections = 128,
                             .timeout_s = 120};
    const struct eb_opt opts[] = {
        {"db", 'd', EB_OPT_STR, &o.db, "FILE",
         "database, made if missing (edgebench.sqlite)"},
        {"listen", 'l', EB_OPT_STR, &o.listen, "ADDRESS:PORT",
         "where to listen (127.0.0.1:8420); port 0 takes a free one"},
        {"allow-remote", 0, EB_OPT_FLAG, &o.allow_remote, NULL,
         "serve other machines too; there is no authentication yet"},
        {"port-file", 0, EB_OPT_STR, &o.port_file, "FILE",
         "write the port there once it listens"},
        {"max-db-mib", 0, EB_OPT_INT, &o.max_db_mib, "N",
         "refuse runs when the database has N MiB (0: no limit)"},
        {"connections", 0, EB_OPT_INT, &o.connections, "N",
         "connections at one time (128)"},
        {"timeout", 0, EB_OPT_INT, &o.timeout_s, "SECONDS",
         "longest time for one request (120)"},
        {"verbose", 'v', EB_OPT_FLAG, &o.verbose, NULL, "show each request"},
        {"help", 'h', EB_OPT_FLAG, &o.help, NULL, "show this help"},
        {"version", 0, EB_OPT_FLAG, &o.version, NULL, "show the version"},
        {0}};
    struct eb_err err = {0};
    sigset_t signals;
    int n_args = 0, rc;

    eb_log_setup("edgebench-collector", EB_LOG_INFO);
    rc = eb_opt_parse(opts, argc, argv, &n_args, &err);
    if (rc == 0 && o.help) {
        fputs(main_usage, stdout);
        eb_opt_help(opts, stdout);
        fputs(main_exits, stdout);
        return EB_EXIT_OK;
    }
    if (rc == 0 && o.version) {
        puts("edgebench-collector " EB_VERSION);
        return EB_EXIT_OK;
    }
    if (rc == 0)
        rc = main_check(&o, n_args, argv + argc - n_args, &err);
    if (rc != 0)
        return main_exit(&err);
    if (o.verbose)
        eb_log_setup("edgebench-collector", EB_LOG_DEBUG);
    umask(077); /* records hold what models wrote: for this user only */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is a full disk */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    rc = main_serve(&o, &signals, &err);
    return rc == 0 ? EB_EXIT_OK : main_exit(&err);
}
