/* The command line of the speed suite. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/speed_parts.h"
#include "agent/speed_suite.h"

#define OPTS_TABLE_MAX 32
#define OPTS_DEPTH_MAX (1 << 20)
#define OPTS_BATCH_MAX 64
#define OPTS_SECONDS_MAX (7 * 86400)

int eb_speed_suite_asked(int argc, char **argv)
{
    const char *v = "";
    int i;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--suite=", 8) == 0)
            v = argv[i] + 8;
        else if ((strcmp(argv[i], "--suite") == 0 ||
                  strcmp(argv[i], "-s") == 0) &&
                 i + 1 < argc)
            v = argv[++i];
        else if (strncmp(argv[i], "-s", 2) == 0)
            v = argv[i] + 2;
    }
    return strcmp(v, "speed") == 0;
}

static void opts_table(struct eb_speed_opts *o,
                       struct eb_opt out[OPTS_TABLE_MAX])
{
    struct eb_opt t[] = {
        {"suite", 's', EB_OPT_STR, &o->suite, "NAME", "speed"},
        {"model", 'm', EB_OPT_LIST, &o->models, "FILE",
         "GGUF file, repeatable; several are measured in turn, ABBA"},
        {"budget", 0, EB_OPT_STR, &o->budget_text, "TIME",
         "for the tests of one model: 90, 120s, 5m, 1h (120s)"},
        {"sustained", 0, EB_OPT_STR, &o->sustained_text, "TIME",
         "write for so long and look at the rate over time (not done)"},
        {"depths", 0, EB_OPT_STR, &o->depths_text, "A,B",
         "tokens that are there before a test (0,4096)"},
        {"batches", 0, EB_OPT_STR, &o->batches_text, "A,B",
         "sequences that are written at once (1,4,8)"},
        {"requests", 0, EB_OPT_FLAG, &o->requests, NULL,
         "measure requests as of custsvc (on; --no-requests: leave out)"},
        {"triad", 0, EB_OPT_FLAG, &o->triad, NULL,
         "measure the memory's bandwidth once a boot (on; --no-triad)"},
        {"power", 0, EB_OPT_STR, &o->power, "WHEN",
         "energy: auto, require (exit code 6 without a sensor), off (auto)"},
        {"gate", 0, EB_OPT_STR, &o->gate_text, "TIME",
         "wait so long for a quiet, cool machine (30s)"},
        {"max-celsius", 0, EB_OPT_INT, &o->max_celsius, "N",
         "the hottest zone that is cool (70)"},
        {"emit", 0, EB_OPT_STR, &o->emit, "FORMAT",
         "llama-bench: its JSON on standard output, no table"},
        {"threads", 't', EB_OPT_INT, &o->threads, "N", "threads (cores)"},
        {"tuned", 0, EB_OPT_FLAG, &o->tuned, NULL,
         "each model with the settings that edgebench tune stored"},
        {"flash-attn", 0, EB_OPT_STR, &o->flash_attn, "WHEN",
         "on, off, auto: off where only the CPU computes (auto)"},
        {"out", 'o', EB_OPT_STR, &o->out, "FILE",
         "append the records as JSON Lines; - is standard output"},
        {"json", 0, EB_OPT_FLAG, &o->json, NULL,
         "the summaries as JSON instead of a table"},
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

int eb_speed_duration(const char *option, const char *text, int64_t *ns,
                      struct eb_err *err)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
    size_t digits = strspn(text, "0123456789"), i;
    long long n = digits > 0 && digits < 10 ? atoll(text) : -1;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (n < 0 || strcmp(text + digits, units[i].name) != 0)
            continue;
        if (n * units[i].seconds > OPTS_SECONDS_MAX)
            break;
        *ns = n * units[i].seconds * INT64_C(1000000000);
        return 0;
    }
    return eb_fail(err, EB_EUSAGE,
                   "--%s: '%.40s' is no time of at most a week, like 90, 120s, "
                   "10m or 1h",
                   option, text);
}

static int opts_numbers(const char *option, const char *text, int least,
                        int most, int *out, size_t *n, struct eb_err *err)
{
    const char *p = text;
    size_t digits;

    *n = 0;
    for (;;) {
        digits = strspn(p, "0123456789");
        if (digits == 0 || digits > 8 || *n == EB_SPEED_LIST_MAX ||
            atoi(p) < least || atoi(p) > most ||
            (p[digits] != ',' && p[digits] != '\0'))
            return eb_fail(err, EB_EUSAGE,
                           "--%s: '%.60s' is no list of at most %d numbers "
                           "from %d to %d",
                           option, text, EB_SPEED_LIST_MAX, least, most);
        out[(*n)++] = atoi(p);
        if (p[digits] == '\0')
            return 0;
        p += digits + 1;
    }
}

static int opts_check(struct eb_speed_opts *o, struct eb_err *err)
{
    int rc = eb_speed_duration("budget", o->budget_text, &o->budget_ns, err);

    if (rc == 0)
        rc = eb_speed_duration("sustained", o->sustained_text, &o->sustained_ns,
                               err);
    if (rc == 0)
        rc = eb_speed_duration("gate", o->gate_text, &o->gate_ns, err);
    if (rc == 0)
        rc = opts_numbers("depths", o->depths_text, 0, OPTS_DEPTH_MAX,
                          o->depths, &o->n_depths, err);
    if (rc == 0)
        rc = opts_numbers("batches", o->batches_text, 1, OPTS_BATCH_MAX,
                          o->batches, &o->n_batches, err);
    if (rc == 0 && (o->threads < 0 || o->threads > 512))
        rc = eb_fail(err, EB_EUSAGE, "--threads: %lld is not from 0 to 512",
                     o->threads);
    if (rc == 0 && o->emit != NULL && strcmp(o->emit, "llama-bench") != 0)
        rc = eb_fail(err, EB_EUSAGE, "--emit: '%.40s' is not llama-bench",
                     o->emit);
    if (rc == 0 && eb_power_mode_parse(o->power) < 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--power: '%.40s' is not auto, require or off", o->power);
    if (rc == 0 && strcmp(o->flash_attn, "on") != 0 &&
        strcmp(o->flash_attn, "off") != 0 && strcmp(o->flash_attn, "auto") != 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--flash-attn: '%.40s' is not on, off or "
                     "auto",
                     o->flash_attn);
    if (rc == 0)
        rc = eb_run_tuned_check(o->tuned, o->threads, o->flash_attn, err);
    if (rc == 0 && o->require_upload && o->collector == NULL)
        rc = eb_fail(err, EB_EUSAGE, "--require-upload needs --collector");
    if (rc == 0 && (o->json || o->emit != NULL) && o->out != NULL &&
        strcmp(o->out, "-") == 0)
        rc = eb_fail(err, EB_EUSAGE,
                     "--json, --emit and --out - all want standard output");
    return rc;
}

int eb_speed_options(struct eb_speed_opts *o, int argc, char **argv,
                     struct eb_err *err)
{
    struct eb_opt table[OPTS_TABLE_MAX];
    int n_args = 0, rc;

    memset(o, 0, sizeof(*o));
    o->budget_text = "120s";
    o->sustained_text = "0";
    o->gate_text = "30s";
    o->depths_text = "0,4096";
    o->batches_text = "1,4,8";
    o->flash_attn = "auto";
    o->max_celsius = 70;
    o->requests = 1;
    o->triad = 1;
    o->power = "auto";
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

void eb_speed_help(FILE *out)
{
    struct eb_opt table[OPTS_TABLE_MAX];
    struct eb_speed_opts o;

    memset(&o, 0, sizeof(o));
    opts_table(&o, table);
    fputs("Usage: edgebench run --suite speed [OPTIONS]\n\n"
          "Tokens per second (pp, tg and both as llama-bench defines them), "
          "requests,\nload time and memory of models. Each test is repeated "
          "until the 95% interval\nof its mean is within 2%, or its share of "
          "the budget is used; one that does\nnot settle is marked unstable.\n"
          "\n",
          out);
    eb_opt_help(table, out);
    fputs("\nExit codes:\n"
          "  0  measured\n"
          "  1  internal error\n"
          "  2  wrong usage\n"
          "  6  nothing could be measured: no model loads, or --power require "
          "finds\n"
          "     no sensor\n"
          "  7  --require-upload, and a record is only in the spool folder\n",
          out);
}

void eb_speed_name(const struct eb_bench_shape *s, char out[EB_SPEED_NAME])
{
    char batch[16] = "", depth[16] = "";

    if (s->batch > 1)
        snprintf(batch, sizeof(batch), " b%d", s->batch);
    if (s->depth > 0)
        snprintf(depth, sizeof(depth), " @ d%d", s->depth);
    if (s->n_prompt > 0 && s->n_gen > 0)
        snprintf(out, EB_SPEED_NAME, "pp%d+tg%d%s%s", s->n_prompt, s->n_gen,
                 batch, depth);
    else if (s->n_prompt > 0)
        snprintf(out, EB_SPEED_NAME, "pp%d%s%s", s->n_prompt, batch, depth);
    else
        snprintf(out, EB_SPEED_NAME, "tg%d%s%s", s->n_gen, batch, depth);
}

size_t eb_speed_shapes(const struct eb_speed_opts *o,
                       struct eb_bench_shape out[EB_SPEED_TESTS_MAX])
{
    static const int alone[][2] = {
        {128, 0}, {512, 0}, {2048, 0}, {0, 128}, {512, 128}};
    size_t n = 0, d, b, i;

    for (d = 0; d < o->n_depths; d++) {
        for (i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
            out[n++] = (struct eb_bench_shape){alone[i][0], alone[i][1],
                                               o->depths[d], 1};
    }
    /* One sequence is tg128 above. */
    for (d = 0; d < o->n_depths; d++) {
        for (b = 0; b < o->n_batches && n < EB_SPEED_TESTS_MAX; b++) {
            if (o->batches[b] > 1)
                out[n++] = (struct eb_bench_shape){0, 128, o->depths[d],
                                                   o->batches[b]};
        }
    }
    return n;
}
