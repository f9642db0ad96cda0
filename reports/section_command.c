/* The command that makes such records again. */
#include <math.h>
#include <string.h>

#include "common/json.h"
#include "reports/section.h"

/* A word for a POSIX shell; the texts come from records. */
static void command_word(struct eb_buf *out, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+:,=-";

    eb_buf_addc(out, ' ');
    if (*s != '\0' && *s != '-' && s[strspn(s, plain)] == '\0') {
        eb_buf_adds(out, s);
        return;
    }
    eb_buf_addc(out, '\'');
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            eb_buf_adds(out, "'\\''");
        else
            eb_buf_addc(out, *s);
    }
    eb_buf_addc(out, '\'');
}

static void command_option(struct eb_buf *out, const char *flag,
                           const char *value)
{
    eb_buf_addf(out, " %s", flag);
    command_word(out, value);
}

/* An option whose value stands in the record; left out where it is the
 * default or not there. */
struct command_text {
    const char *flag, *path, *unless;
};

static void command_texts(struct eb_buf *out, const cJSON *rec,
                          const struct command_text *t)
{
    for (; t->flag != NULL; t++) {
        const char *value = eb_group_str(rec, t->path, NULL);

        if (value != NULL && (t->unless == NULL || strcmp(value, t->unless)))
            command_option(out, t->flag, value);
    }
}

struct command_number {
    const char *flag, *path;
    double unless, unit; /* NAN: always; what the record has of it in one */
    const char *suffix;
};

static void command_numbers(struct eb_buf *out, const cJSON *rec,
                            const struct command_number *n)
{
    for (; n->flag != NULL; n++) {
        double x = eb_group_num(rec, n->path, NAN);

        if (!isnan(x) && x != n->unless)
            eb_buf_addf(out, " %s %.0f%s", n->flag, x / n->unit, n->suffix);
    }
}

static void command_levels(struct eb_buf *out, const cJSON *rec)
{
    struct eb_buf levels = {0};
    const cJSON *v;

    cJSON_ArrayForEach(v, eb_group_get(rec, "settings.levels"))
    {
        if (cJSON_IsString(v))
            eb_buf_addf(&levels, "%s%s", levels.len > 0 ? "," : "",
                        v->valuestring);
    }
    if (levels.len > 0)
        command_option(out, "--levels", levels.data);
    eb_buf_free(&levels);
}

/* --tuned brings its own threads and flash attention. */
static void command_settings(struct eb_buf *out, const cJSON *rec)
{
    static const struct command_number threads[] = {
        {"--threads", "settings.threads", NAN, 1, ""}, {0}};
    static const struct command_text flash[] = {
        {"--flash-attn", "settings.flash_attn", "auto"}, {0}};

    if (eb_group_get(rec, "tune") != NULL) {
        eb_buf_adds(out, " --tuned");
        return;
    }
    command_numbers(out, rec, threads);
    command_texts(out, rec, flash);
}

static void command_job(struct eb_buf *out, const cJSON *rec)
{
    static const struct command_text prompt[] = {
        {"--prompt", "settings.prompt", NULL}, {0}};
    static const struct command_text how[] = {
        {"--constrain", "settings.constrain", NULL},
        {"--mode", "settings.mode", "throughput"},
        {"--stop", "settings.stop", "early"},
        {0}};
    static const struct command_number numbers[] = {
        {"--seed", "settings.seed", NAN, 1, ""},
        {"--ctx", "settings.ctx", NAN, 1, ""},
        {"--limit", "settings.limit", NAN, 1, ""},
        {"--trials", "settings.trials", 1, 1, ""},
        {"--item-timeout", "settings.item_timeout_ns", 0, 1e9, ""},
        {0}};
    static const struct command_number slots[] = {
        {"--slots", "settings.slots", NAN, 1, ""}, {0}};

    command_texts(out, rec, prompt);
    command_levels(out, rec);
    command_texts(out, rec, how);
    command_numbers(out, rec, numbers);
    if (!strcmp(eb_group_str(rec, "settings.mode", ""), "throughput"))
        command_numbers(out, rec, slots);
}

static void command_speed(struct eb_buf *out, const cJSON *rec)
{
    static const struct command_text texts[] = {
        {"--depths", "settings.depths", NULL},
        {"--batches", "settings.batches", NULL},
        {0}};
    static const struct command_number numbers[] = {
        {"--budget", "settings.budget_ns", NAN, 1e9, "s"}, {0}};

    command_texts(out, rec, texts);
    command_numbers(out, rec, numbers);
}

void eb_section_command(const struct eb_group *g, struct eb_buf *out)
{
    const cJSON *rec = g->recs[0];
    const char *suite = eb_group_str(rec, "suite.name", "");
    size_t i;

    eb_buf_adds(out, "edgebench run");
    command_option(out, "--suite", suite);
    if (strcmp(suite, "speed") == 0)
        command_speed(out, rec);
    else
        command_job(out, rec);
    command_settings(out, rec);
    for (i = 0; i < g->n; i++)
        command_option(
            out, "--model",
            eb_group_str(g->recs[i], "model.file", eb_group_model(g->recs[i])));
}
