/* The command line of `edgebench run` and the models it finds. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/run_parts.h"
#include "common/fs.h"
#include "common/mem.h"
#include "workloads/data.h"

#define OPTS_CTX_MIN 256
#define OPTS_CTX_MAX (1 << 20)
#define OPTS_THREADS_MAX 512
#define OPTS_TIMEOUT_MAX 86400
#define OPTS_TABLE_MAX 40
#define OPTS_SLOTS_MAX 128

/* The table needs the struct's addresses, so it is copied out filled. */
static void opts_table(struct eb_run_opts *o, struct eb_opt out[OPTS_TABLE_MAX])
{
    struct eb_opt t[] = {
        {"suite", 's', EB_OPT_STR, &o->suite, "NAME", "job to run (custsvc)"},
        {"model", 'm', EB_OPT_LIST, &o->models, "FILE",
         "GGUF file, repeatable (all of the ladder)"},
        {"levels", 'l', EB_OPT_STR, &o->levels, "A,B", "levels to run (all)"},
        {"limit", 'n', EB_OPT_INT, &o->limit, "N",
         "at most N items a level and language"},
        {"prompt", 'p', EB_OPT_STR, &o->prompt, "KIND",
         "clear, vague or both (clear)"},
        {"constrain", 0, EB_OPT_STR, &o->constrain, "WHEN",
         "hold output to the grammar: auto, on, off (auto)"},
        {"score", 0, EB_OPT_STR, &o->score, "HOW",
         "generate, or loglik where all fields are labels (generate)"},
        {"stop", 0, EB_OPT_STR, &o->stop, "WHEN",
         "early: once a level is decided; never: after all items (early)"},
        {"full", 0, EB_OPT_FLAG, &o->full, NULL,
         "go on after a level or a model fails"},
        {"smallest-first", 0, EB_OPT_FLAG, &o->smallest_first, NULL,
         "models from the smallest up, each at alpha / models"},
        {"trials", 0, EB_OPT_INT, &o->trials, "N",
         "play each item N times with other values, for pass^k (1)"},
        {"reference", 0, EB_OPT_STR, &o->reference, "FILE",
         "records of a model (--stop never --full) to be not worse than"},
        {"margin", 0, EB_OPT_INT, &o->margin, "POINTS",
         "how much worse than the reference is allowed (5)"},
        {"mode", 0, EB_OPT_STR, &o->mode, "MODE",
         "throughput (many items at once) or latency (throughput)"},
        {"slots", 0, EB_OPT_INT, &o->slots, "N",
         "throughput: items at once (16)"},
        {"latency-items", 0, EB_OPT_INT, &o->latency_items, "N",
         "throughput: items a level to play alone as well (20)"},
        {"seed", 0, EB_OPT_INT, &o->seed, "N",
         "of order and slots in the items (1)"},
        {"threads", 't', EB_OPT_INT, &o->threads, "N", "threads (cores)"},
        {"tuned", 0, EB_OPT_FLAG, &o->tuned, NULL,
         "each model with the settings that edgebench tune stored"},
        {"ctx", 'c', EB_OPT_INT, &o->ctx, "N", "context in tokens (4096)"},
        {"flash-attn", 0, EB_OPT_STR, &o->flash_attn, "WHEN",
         "on, off, auto: off where only the CPU computes (auto)"},
        {"item-timeout", 0, EB_OPT_INT, &o->timeout_s, "S",
         "seconds an item may take, times those at once (60)"},
        {"speed", 0, EB_OPT_FLAG, &o->speed, NULL,
         "measure pp512 and tg128 (on; --no-speed: leave out)"},
        {"triad", 0, EB_OPT_FLAG, &o->triad, NULL,
         "measure the memory's bandwidth once a boot (on; --no-triad)"},
        {"power", 0, EB_OPT_STR, &o->power, "WHEN",
         "energy: auto, require (exit code 6 without a sensor), off (auto)"},
        {"out", 'o', EB_OPT_STR, &o->out, "FILE",
         "append the records as JSON Lines; - is standard output"},
        {"json", 0, EB_OPT_FLAG, &o->json, NULL,
         "the result as JSON instead of tables"},
        {"collector", 0, EB_OPT_STR, &o->collector, "URL",
         "send the records to this collector"},
        {"require-upload", 0, EB_OPT_FLAG, &o->require_upload, NULL,
         "exit code 7 if a record could not be sent"},
        {"device-name", 0, EB_OPT_STR, &o->device_name, "NAME",
         "name shown for this device (host name)"},
        {"quiet", 'q', EB_OPT_FLAG, &o->quiet, NULL, "no progress"},
        {"help", 'h', EB_OPT_FLAG, &o->help, NULL, "this text"},
        {0}};

    _Static_assert(sizeof(t) / sizeof(t[0]) <= OPTS_TABLE_MAX, "table");
    memcpy(out, t, sizeof(t));
}

static int opts_one_of(const char *option, const char *value, const char *a,
                       const char *b, const char *c, struct eb_err *err)
{
    if (strcmp(value, a) == 0 || strcmp(value, b) == 0 || strcmp(value, c) == 0)
        return 0;
    return eb_fail(err, EB_EUSAGE, "--%s: '%.40s' is not %s, %s or %s", option,
                   value, a, b, c);
}

static int opts_check(const struct eb_run_opts *o, struct eb_err *err)
{
    int rc = opts_one_of("prompt", o->prompt, "clear", "vague", "both", err);

    if (rc == 0)
        rc = opts_one_of("constrain", o->constrain, "auto", "on", "off", err);
    if (rc == 0)
        rc = opts_one_of("power", o->power, "auto", "require", "off", err);
    if (rc == 0)
        rc = opts_one_of("flash-attn", o->flash_attn, "auto", "on", "off", err);
    if (rc == 0 && strcmp(o->mode, "throughput") != 0 &&
        strcmp(o->mode, "latency") != 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--mode: '%.40s' is not throughput or latency", o->mode);
    if (rc == 0 && strcmp(o->score, "generate") != 0 &&
        strcmp(o->score, "loglik") != 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--score: '%.40s' is not generate or loglik", o->score);
    if (rc == 0 && strcmp(o->stop, "early") != 0 &&
        strcmp(o->stop, "never") != 0)
        rc = eb_fail(err, EB_EUSAGE, "--stop: '%.40s' is not early or never",
                     o->stop);
    if (rc == 0)
        rc = eb_opt_within("margin", o->margin, 0, 50, err);
    if (rc == 0)
        rc = eb_opt_within("trials", o->trials, 1, 64, err);
    if (rc == 0)
        rc = eb_opt_within("slots", o->slots, 1, OPTS_SLOTS_MAX, err);
    if (rc == 0)
        rc = eb_opt_within("latency-items", o->latency_items, 0, 1000000, err);
    if (rc == 0)
        rc = eb_opt_within("limit", o->limit, 0, 1000000, err);
    if (rc == 0)
        rc = eb_opt_within("seed", o->seed, 0, INT64_C(1) << 53, err);
    if (rc == 0)
        rc = eb_opt_within("threads", o->threads, 0, OPTS_THREADS_MAX, err);
    if (rc == 0)
        rc = eb_opt_within("ctx", o->ctx, OPTS_CTX_MIN, OPTS_CTX_MAX, err);
    if (rc == 0)
        rc = eb_opt_within("item-timeout", o->timeout_s, 1, OPTS_TIMEOUT_MAX,
                           err);
    if (rc == 0)
        rc = eb_run_tuned_check(o->tuned, o->threads, o->flash_attn, err);
    if (rc == 0 && o->require_upload && o->collector == NULL)
        rc = eb_fail(err, EB_EUSAGE, "--require-upload needs --collector");
    if (rc == 0 && o->collector != NULL &&
        strncmp(o->collector, "http://", 7) != 0 &&
        strncmp(o->collector, "https://", 8) != 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--collector: '%.80s' is no http:// or https:// address",
                     o->collector);
    if (rc == 0 && o->json && o->out != NULL && strcmp(o->out, "-") == 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--json and --out - both want standard output");
    return rc;
}

int eb_run_options(struct eb_run_opts *o, int argc, char **argv,
                   struct eb_err *err)
{
    struct eb_opt table[OPTS_TABLE_MAX];
    int n_args = 0, rc;

    memset(o, 0, sizeof(*o));
    o->suite = "custsvc";
    o->prompt = "clear";
    o->constrain = "auto";
    o->mode = "throughput";
    o->score = "generate";
    o->stop = "early";
    o->margin = 5;
    o->trials = 1;
    o->slots = EB_RUN_SLOTS;
    o->latency_items = EB_RUN_LATENCY_ITEMS;
    o->power = "auto";
    o->flash_attn = "auto";
    o->ctx = 4096;
    o->seed = 1;
    o->speed = 1;
    o->triad = 1;
    o->timeout_s = EB_RUN_ITEM_TIMEOUT_NS / INT64_C(1000000000);
    opts_table(o, table);
    rc = eb_opt_parse(table, argc, argv, &n_args, err);
    if (rc == 0 && n_args > 0 && !o->help)
        rc = eb_fail(err, EB_EUSAGE,
                     "'%.80s': run takes options only; models are given with "
                     "-m",
                     argv[argc - n_args]);
    if (rc == 0 && !o->help)
        rc = opts_check(o, err);
    return rc;
}

void eb_run_help(FILE *out)
{
    struct eb_opt table[OPTS_TABLE_MAX];
    struct eb_run_opts o;

    memset(&o, 0, sizeof(o));
    opts_table(&o, table);
    fputs("Usage: edgebench run [OPTIONS]\n\n"
          "Runs a job on models and says which is the smallest that does it:\n"
          "from the largest down to the first that fails a level.\n"
          "One record a model and prompt kind is kept in the spool folder.\n\n",
          out);
    eb_opt_help(table, out);
    fputs("\nCtrl-C ends the run after the items under way and keeps what was "
          "measured;\n"
          "twice, at once.\n\n"
          "Exit codes:\n"
          "  0  some model is sufficient: all levels run, every language\n"
          "  1  internal error\n"
          "  2  wrong usage\n"
          "  3  no model is sufficient: the largest fails a level\n"
          "  4  not shown: the items run do not settle it\n"
          "  6  nothing could be measured: no model loads, the run is void,\n"
          "     or --power require finds no sensor\n"
          "  7  --require-upload, and a record is only in the spool folder\n",
          out);
}

struct opts_file {
    char *path;
    off_t bytes;
};

static int opts_size_cmp(const void *a, const void *b)
{
    const struct opts_file *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* The models of one folder in order of size; 0 if it has none. */
static size_t opts_folder(const char *dir, char ***paths)
{
    struct opts_file *v;
    struct stat st;
    char **names;
    size_t n, i;

    if (eb_fs_list(dir, ".gguf", &names, &n, NULL) != 0)
        return 0;
    v = eb_xcalloc(n, sizeof(*v));
    for (i = 0; i < n; i++) {
        v[i].path = eb_fs_join(dir, names[i]);
        v[i].bytes = stat(v[i].path, &st) == 0 ? st.st_size : 0;
    }
    eb_fs_list_free(names, n);
    qsort(v, n, sizeof(*v), opts_size_cmp);
    *paths = eb_xcalloc(n, sizeof(**paths));
    for (i = 0; i < n; i++)
        (*paths)[i] = v[i].path;
    free(v);
    if (n == 0)
        free(*paths);
    return n;
}

int eb_run_models(struct eb_buf *folder, char ***paths, size_t *n,
                  struct eb_err *err)
{
    char *roots[EB_DATA_ROOTS];
    size_t n_roots = eb_data_roots(roots);

    *n = 0;
    *paths = NULL;
    for (size_t i = 0; i < n_roots; i++) {
        char *dir = eb_fs_join(roots[i], "models");
        if (*n == 0 && (*n = opts_folder(dir, paths)) > 0)
            eb_buf_adds(folder, dir);
        free(dir);
    }
    if (*n == 0)
        eb_fail(err, EB_ENOENT,
                "no models in %s/models: give one with -m FILE.gguf", roots[0]);
    for (size_t i = 0; i < n_roots; i++)
        free(roots[i]);
    return *n > 0 ? 0 : EB_ENOENT;
}
