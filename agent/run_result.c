/* The result of a session: tables for people, JSON, the exit code. */
#include <stdlib.h>
#include <string.h>

#include "agent/run_parts.h"
#include "common/json.h"
#include "common/mem.h"

static const cJSON *result_get(const cJSON *rec, const char *part)
{
    return cJSON_GetObjectItemCaseSensitive(rec, part);
}

static const char *result_model(const cJSON *rec)
{
    return eb_json_get_str(result_get(rec, "model"), "name", "");
}

static int result_has_prompt(const cJSON *rec, enum eb_prompt_kind prompt)
{
    const char *name =
        eb_json_get_str(result_get(rec, "settings"), "prompt", "");

    return strcmp(name, eb_prompt_kind_name(prompt)) == 0;
}

/* The session's records of one prompt kind; free the array. */
static cJSON **result_recs(const struct eb_run *r, enum eb_prompt_kind prompt,
                           size_t *n)
{
    cJSON **v = eb_xcalloc(r->n_recs + 1, sizeof(*v));
    size_t i;

    *n = 0;
    for (i = 0; i < r->n_recs; i++) {
        if (result_has_prompt(r->recs[i], prompt))
            v[(*n)++] = r->recs[i];
    }
    return v;
}

/* Is a's model larger than b's? As eb_record_smallest orders them. */
static int result_larger(const cJSON *a, const cJSON *b)
{
    static const char *const keys[] = {"parameters", "file_bytes"};
    size_t i;

    for (i = 0; i < 2; i++) {
        double x = eb_json_get_num(result_get(a, "model"), keys[i], -1);
        double y = eb_json_get_num(result_get(b, "model"), keys[i], -1);

        if (x != y)
            return x > y;
    }
    return strcmp(result_model(a), result_model(b)) < 0;
}

/* Adds what one level and language says. Sizes are tested from the largest
 * down in each, so the largest of their answers is sufficient in all. */
static void result_join(struct eb_run_smallest *out, cJSON *const *recs,
                        size_t n, const char *level, const char *lang)
{
    struct eb_smallest s = eb_record_smallest(recs, n, level, lang);

    out->failed |= !s.found && s.all_decided;
    out->found &= s.found;
    if (s.found && (out->rec == NULL || result_larger(recs[s.index], out->rec)))
        out->rec = recs[s.index];
}

struct eb_run_smallest eb_run_smallest(const struct eb_run *r,
                                       enum eb_prompt_kind prompt,
                                       const char *level)
{
    struct eb_run_smallest out = {1, NULL, 0};
    cJSON **recs;
    size_t n, i, k;

    recs = result_recs(r, prompt, &n);
    for (k = 0; k < r->plan.n_levels && n > 0; k++) {
        const char *name = r->plan.levels[k].level->name;

        for (i = 0; i < r->suite.n_langs; i++)
            if (level == NULL || strcmp(level, name) == 0)
                result_join(&out, recs, n, name, r->suite.langs[i]);
    }
    out.found &= n > 0;
    if (!out.found)
        out.rec = NULL;
    free(recs);
    return out;
}

static const char *result_status(const cJSON *rec)
{
    return eb_json_get_str(rec, "status", "");
}

static int result_measured(const cJSON *rec)
{
    return strcmp(result_status(rec), "engine_error") != 0 &&
           !cJSON_IsTrue(result_get(result_get(rec, "summary"), "void"));
}

int eb_run_exit_code(const struct eb_run *r)
{
    int measured = 0, found = 0, failed = 1;
    struct eb_run_smallest s;
    size_t i, k;

    for (i = 0; i < r->n_recs; i++)
        measured |= result_measured(r->recs[i]);
    for (k = 0; k < r->n_prompts; k++) {
        s = eb_run_smallest(r, r->prompts[k], NULL);
        found |= s.found;
        failed &= s.failed;
    }
    if (r->opts.require_upload && r->unsent > 0)
        return EB_EXIT_SPOOLED;
    if (!measured)
        return EB_EXIT_UNFIT;
    if (found)
        return EB_EXIT_OK;
    return failed ? EB_EXIT_INSUFFICIENT : EB_EXIT_NOT_SHOWN;
}

/* Width of the column of names. */
static int result_width(const struct eb_run *r)
{
    size_t w = 5, i;

    for (i = 0; i < r->n_recs; i++) {
        if (strlen(result_model(r->recs[i])) > w)
            w = strlen(result_model(r->recs[i]));
    }
    return (int)(w < 40 ? w : 40);
}

/* "34/212": items used of the pool. */
static void result_items(const cJSON *row, FILE *out)
{
    double n = eb_json_get_num(row, "n", 0);
    double pool = eb_json_get_num(
        cJSON_GetObjectItemCaseSensitive(row, "decision"), "pool", -1);
    char text[40];

    if (pool >= 0)
        snprintf(text, sizeof(text), "%.0f/%.0f", n, pool);
    else
        snprintf(text, sizeof(text), "%.0f", n);
    fprintf(out, "  %7s", text);
}

static void result_verdicts(const struct eb_run *r, FILE *out)
{
    int w = result_width(r);
    const cJSON *row;
    size_t i;

    fprintf(out,
            "%-*s  prompt  level     lang  rate        n    bar   verdict\n", w,
            "model");
    for (i = 0; i < r->n_recs; i++) {
        const cJSON *sum = result_get(r->recs[i], "summary");
        const char *prompt =
            eb_json_get_str(result_get(r->recs[i], "settings"), "prompt", "");

        if (strcmp(result_status(r->recs[i]), "engine_error") == 0)
            fprintf(out, "%-*.*s  %-6s  not run: %s\n", w, w,
                    result_model(r->recs[i]), prompt,
                    eb_json_get_str(r->recs[i], "status_reason", ""));
        cJSON_ArrayForEach(row, result_get(sum, "levels"))
        {
            double rate = eb_json_get_num(row, "rate", -1);
            double more = eb_json_get_num(row, "more_items", 0);

            fprintf(out, "%-*.*s  %-6s  %-8s  %-4s  ", w, w,
                    result_model(r->recs[i]), prompt,
                    eb_json_get_str(row, "level", ""),
                    eb_json_get_str(row, "lang", ""));
            if (rate >= 0)
                fprintf(out, "%5.1f%%", 100 * rate);
            else
                fprintf(out, "%6s", "-");
            result_items(row, out);
            fprintf(out, "  %4.0f%%  %s", 100 * eb_json_get_num(row, "bar", 0),
                    eb_json_get_str(row, "verdict", ""));
            if (more > 0)
                fprintf(out, " (about %.0f more item%s would settle it)", more,
                        more == 1 ? "" : "s");
            fputc('\n', out);
        }
        if (cJSON_IsTrue(result_get(sum, "void")))
            fprintf(out,
                    "%-*.*s  %-6s  void: more than 1 %% of the items are "
                    "errors of the measuring itself\n",
                    w, w, result_model(r->recs[i]), prompt);
    }
}

static void result_sentence(const struct eb_run_smallest *s, FILE *out)
{
    if (s->found)
        fprintf(
            out,
            "the smallest model shown sufficient in every language is %s.\n",
            result_model(s->rec));
    else if (s->failed)
        fputs("no model is sufficient in every language.\n", out);
    else
        fputs("no model is shown sufficient in every language.\n", out);
}

static int result_has_level(const struct eb_run *r, const char *level)
{
    const cJSON *row;
    size_t i;

    for (i = 0; i < r->n_recs; i++) {
        const cJSON *sum = result_get(r->recs[i], "summary");

        cJSON_ArrayForEach(row, result_get(sum, "levels"))
        {
            if (strcmp(eb_json_get_str(row, "level", ""), level) == 0)
                return 1;
        }
    }
    return 0;
}

static void result_sentences(const struct eb_run *r, FILE *out)
{
    size_t i, k;

    for (k = 0; k < r->n_prompts; k++) {
        const char *prompt = eb_prompt_kind_name(r->prompts[k]);
        struct eb_run_smallest s;

        for (i = 0; i < r->plan.n_levels; i++) {
            const char *level = r->plan.levels[i].level->name;

            fprintf(out, "%s, %s prompt: ", level, prompt);
            s = eb_run_smallest(r, r->prompts[k], level);
            if (result_has_level(r, level))
                result_sentence(&s, out);
            else
                fputs("not run, the job was lost before (--full runs it).\n",
                      out);
        }
        if (r->plan.n_levels < 2)
            continue;
        s = eb_run_smallest(r, r->prompts[k], NULL);
        fprintf(out, "The whole job, %s prompt: ", prompt);
        result_sentence(&s, out);
    }
}

static void result_number(FILE *out, const cJSON *obj, const char *key,
                          double per, const char *fmt)
{
    double v = eb_json_get_num(obj, key, -1);

    if (v < 0)
        fprintf(out, "  %9s", "-");
    else
        fprintf(out, fmt, v / per);
}

static const cJSON *result_speed(const cJSON *rec, const char *test)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, result_get(result_get(rec, "summary"), "speed"))
    {
        if (strcmp(eb_json_get_str(row, "test", ""), test) == 0)
            return row;
    }
    return NULL;
}

static void result_costs(const struct eb_run *r, FILE *out)
{
    int w = result_width(r);
    size_t i;

    fprintf(out,
            "%-*s  prompt  pp512 t/s  tg128 t/s  TTFT p95 ms  "
            "TPOT ms  peak MB    load s\n",
            w, "model");
    for (i = 0; i < r->n_recs; i++) {
        const cJSON *rec = r->recs[i];
        const cJSON *lat = result_get(result_get(rec, "summary"), "latency");

        if (strcmp(result_status(rec), "engine_error") == 0)
            continue;
        fprintf(out, "%-*.*s  %-6s", w, w, result_model(rec),
                eb_json_get_str(result_get(rec, "settings"), "prompt", ""));
        result_number(out, result_speed(rec, "pp512"), "mean_tps", 1,
                      "  %9.1f");
        result_number(out, result_speed(rec, "tg128"), "mean_tps", 1,
                      "  %9.1f");
        result_number(out, lat, "ttft_p95_ms", 1, "  %11.1f");
        result_number(out, lat, "tpot_mean_ms", 1, "  %7.2f");
        result_number(out, result_get(rec, "memory"), "vm_hwm_bytes", 1e6,
                      "  %7.0f");
        result_number(out, result_get(rec, "load"), "wall_ns", 1e9, "  %8.3f");
        fputc('\n', out);
    }
}

void eb_run_result(const struct eb_run *r, FILE *out)
{
    result_verdicts(r, out);
    if (strcmp(r->opts.stop, "early") == 0)
        fputs("Decided item by item for the suite's pool: wrongly sufficient "
              "at most 5 %, wrongly insufficient at most 10 %.\n",
              out);
    fputc('\n', out);
    result_sentences(r, out);
    fputc('\n', out);
    result_costs(r, out);
}

void eb_run_result_json(const struct eb_run *r, FILE *out)
{
    static const char *const parts[] = {
        "run_id", "session_id", "status",   "status_reason", "device",
        "model",  "suite",      "settings", "memory",        "summary"};
    cJSON *all = cJSON_CreateArray(), *v;
    char *text;
    size_t i, k;

    for (i = 0; i < r->n_recs; i++) {
        v = cJSON_CreateObject();
        for (k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
            const cJSON *from = result_get(r->recs[i], parts[k]);

            if (from != NULL)
                cJSON_AddItemToObject(v, parts[k], cJSON_Duplicate(from, 1));
        }
        cJSON_AddItemToArray(all, v);
    }
    text = cJSON_Print(all);
    if (text != NULL)
        fprintf(out, "%s\n", text);
    free(text);
    cJSON_Delete(all);
}
