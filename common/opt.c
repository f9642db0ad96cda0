#include "common/opt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define OPT_NAME_MAX 32

static int opt_min(int a, int b)
{
    return a < b ? a : b;
}

/* Edit distance where swapping two neighbours counts 1 (optimal string
 * alignment); 99 for texts too long to be a slip. */
static int opt_distance(const char *a, const char *b)
{
    int d[OPT_NAME_MAX + 1][OPT_NAME_MAX + 1];
    int n = (int)strnlen(a, OPT_NAME_MAX + 1);
    int m = (int)strnlen(b, OPT_NAME_MAX + 1);
    int i, j;

    if (n > OPT_NAME_MAX || m > OPT_NAME_MAX)
        return 99;
    for (i = 0; i <= n; i++)
        d[i][0] = i;
    for (j = 0; j <= m; j++)
        d[0][j] = j;
    for (i = 1; i <= n; i++) {
        for (j = 1; j <= m; j++) {
            d[i][j] = opt_min(opt_min(d[i - 1][j], d[i][j - 1]) + 1,
                              d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = opt_min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

static int opt_unknown(const struct eb_opt *opts, const char *name,
                       struct eb_err *err)
{
    const char *base = strncmp(name, "no-", 3) == 0 ? name + 3 : name;
    const char *no = base != name ? "no-" : "", *best = NULL;
    int best_d = 3, d;

    for (; opts->name != NULL; opts++) {
        d = opt_distance(opts->name, base);
        /* "--x" is no slip of "--id". */
        if (d < best_d && d < (int)strlen(opts->name)) {
            best_d = d;
            best = opts->name;
        }
    }
    if (best == NULL)
        return eb_fail(err, EB_EUSAGE, "unknown option --%s", name);
    return eb_fail(err, EB_EUSAGE, "unknown option --%s: did you mean --%s%s?",
                   name, no, best);
}

static int opt_int(const struct eb_opt *o, const char *value,
                   struct eb_err *err)
{
    const char *digits = *value == '-' ? value + 1 : value;
    long long v;

    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
        return eb_fail(err, EB_EUSAGE, "--%s: '%s' is not a whole number",
                       o->name, value);
    errno = 0;
    v = strtoll(value, NULL, 10);
    if (errno == ERANGE)
        return eb_fail(err, EB_EUSAGE, "--%s: %s is out of range", o->name,
                       value);
    *(long long *)o->target = v;
    return 0;
}

static int opt_set(const struct eb_opt *o, const char *value,
                   struct eb_err *err)
{
    struct eb_opt_list *list = o->target;

    switch (o->type) {
    case EB_OPT_FLAG:
        *(int *)o->target = 1;
        return 0;
    case EB_OPT_STR:
        *(const char **)o->target = value;
        return 0;
    case EB_OPT_INT:
        return opt_int(o, value, err);
    case EB_OPT_LIST:
        if (list->n == EB_OPT_LIST_MAX)
            return eb_fail(err, EB_EUSAGE, "--%s: more than %d values", o->name,
                           EB_OPT_LIST_MAX);
        list->v[list->n++] = value;
        return 0;
    }
    return eb_fail(err, EB_EINTERNAL, "--%s: unknown type", o->name);
}

/* The long option whose name is the first n bytes of text. */
static const struct eb_opt *opt_find(const struct eb_opt *opts,
                                     const char *text, size_t n)
{
    for (; opts->name != NULL; opts++) {
        if (strlen(opts->name) == n && memcmp(opts->name, text, n) == 0)
            return opts;
    }
    return NULL;
}

/* Parses the option at argv[*i] and moves *i past it and its value. */
static int opt_long(const struct eb_opt *opts, int argc, char **argv, int *i,
                    struct eb_err *err)
{
    const char *text = argv[(*i)++] + 2, *value = NULL;
    size_t n = strcspn(text, "=");
    const struct eb_opt *o = opt_find(opts, text, n);
    char *name;
    int rc;

    if (text[n] == '=')
        value = text + n + 1;
    if (o == NULL && n > 3 && strncmp(text, "no-", 3) == 0) {
        o = opt_find(opts, text + 3, n - 3);
        if (o != NULL && o->type != EB_OPT_FLAG)
            return eb_fail(err, EB_EUSAGE,
                           "--no-%s: --%s is not a flag to switch off", o->name,
                           o->name);
        if (o != NULL && value == NULL) {
            *(int *)o->target = 0;
            return 0;
        }
    }
    if (o == NULL) {
        name = eb_xstrndup(text, n);
        rc = opt_unknown(opts, name, err);
        free(name);
        return rc;
    }
    if (o->type == EB_OPT_FLAG && value != NULL)
        return eb_fail(err, EB_EUSAGE, "--%.*s takes no value", (int)n, text);
    if (o->type != EB_OPT_FLAG && value == NULL) {
        if (*i >= argc)
            return eb_fail(err, EB_EUSAGE, "--%s needs a value (%s)", o->name,
                           o->arg != NULL ? o->arg : "VALUE");
        value = argv[(*i)++];
    }
    return opt_set(o, value, err);
}

static int opt_short(const struct eb_opt *opts, int argc, char **argv, int *i,
                     struct eb_err *err)
{
    const char *text = argv[(*i)++] + 1, *value = NULL;
    const struct eb_opt *o = opts;

    while (o->name != NULL && o->short_name != text[0])
        o++;
    if (o->name == NULL)
        return eb_fail(err, EB_EUSAGE, "unknown option -%s", text);
    if (text[1] != '\0')
        value = text + 1;
    if (o->type == EB_OPT_FLAG && value != NULL)
        return eb_fail(err, EB_EUSAGE, "-%c takes no value", text[0]);
    if (o->type != EB_OPT_FLAG && value == NULL) {
        if (*i >= argc)
            return eb_fail(err, EB_EUSAGE, "-%c needs a value (%s)", text[0],
                           o->arg != NULL ? o->arg : "VALUE");
        value = argv[(*i)++];
    }
    return opt_set(o, value, err);
}

int eb_opt_parse(const struct eb_opt *opts, int argc, char **argv, int *n_args,
                 struct eb_err *err)
{
    char **args = eb_xcalloc((size_t)argc + 1, sizeof(*args));
    int i = 1, from, kept = 1, n = 0, rc = 0;

    while (i < argc && rc == 0) {
        from = i;
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            args[n++] = argv[i++];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            argv[kept++] = argv[i++];
            while (i < argc)
                args[n++] = argv[i++];
            break;
        }
        rc = argv[i][1] == '-' ? opt_long(opts, argc, argv, &i, err)
                               : opt_short(opts, argc, argv, &i, err);
        if (rc != 0)
            break; /* argv is not used after an error */
        while (from < i)
            argv[kept++] = argv[from++];
    }
    if (rc == 0) {
        memcpy(argv + kept, args, (size_t)n * sizeof(*args));
        *n_args = n;
    }
    free(args);
    return rc;
}

/* Columns before the help text, "  -s, --suite NAME". */
static int opt_width(const struct eb_opt *o)
{
    int n = 8 + (int)strlen(o->name);

    return o->arg != NULL ? n + 1 + (int)strlen(o->arg) : n;
}

int eb_opt_within(const char *option, long long v, long long lo, long long hi,
                  struct eb_err *err)
{
    if (v >= lo && v <= hi)
        return 0;
    return eb_fail(err, EB_EUSAGE, "--%s: %lld is not from %lld to %lld",
                   option, v, lo, hi);
}

void eb_opt_help(const struct eb_opt *opts, FILE *out)
{
    const struct eb_opt *o;
    int width = 0;

    for (o = opts; o->name != NULL; o++) {
        if (opt_width(o) > width)
            width = opt_width(o);
    }
    for (o = opts; o->name != NULL; o++) {
        if (o->short_name != 0)
            fprintf(out, "  -%c, ", o->short_name);
        else
            fputs("      ", out);
        fprintf(out, "--%s%s%s%*s%s\n", o->name, o->arg != NULL ? " " : "",
                o->arg != NULL ? o->arg : "", width - opt_width(o) + 2, "",
                o->help);
    }
}
