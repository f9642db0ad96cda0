#include "agent/speed.h"

#include <stdio.h>

#include "common/clock.h"

struct speed_test {
    const char *name;
    int n_prompt;
    int n_gen;
    int warm_prompt; /* of the repeat that is thrown away */
    int warm_gen;
};

static const struct speed_test speed_tests[] = {{"pp512", 512, 0, 512, 0},
                                                {"tg128", 0, 128, 0, 1}};

#define SPEED_TESTS (sizeof(speed_tests) / sizeof(speed_tests[0]))

static cJSON *speed_row(const struct speed_test *t, cJSON *samples,
                        const char *reason)
{
    cJSON *row = cJSON_CreateObject();

    cJSON_AddStringToObject(row, "test", t->name);
    cJSON_AddNumberToObject(row, "n_prompt", t->n_prompt);
    cJSON_AddNumberToObject(row, "n_gen", t->n_gen);
    cJSON_AddNumberToObject(row, "depth", 0);
    cJSON_AddNumberToObject(row, "batch", 1);
    cJSON_AddItemToObject(row, "samples_ns", samples);
    if (reason != NULL && *reason != '\0')
        cJSON_AddStringToObject(row, "samples_ns_reason", reason);
    return row;
}

static cJSON *speed_one(struct eb_engine *e, const struct speed_test *t,
                        int (*stop)(void), struct eb_watch *watch)
{
    cJSON *samples = cJSON_CreateArray();
    const struct eb_bench_shape warm = {t->warm_prompt, t->warm_gen, 0, 1},
                                shape = {t->n_prompt, t->n_gen, 0, 1};
    struct eb_err err = {0};
    char reason[320] = "";
    int64_t from, to;
    int i, rc;

    rc = e->ops->bench_fill(e, &shape, &err);
    if (rc == 0)
        rc = e->ops->bench(e, &warm, &err);
    eb_watch_begin(watch, t->n_gen > 0 ? "decode" : "prefill", NULL, NULL);
    for (i = 0; rc == 0 && i < EB_SPEED_REPEATS; i++) {
        if (stop != NULL && stop()) {
            rc = eb_fail(&err, EB_EABORT, "stopped");
            break;
        }
        rc = e->ops->bench_fill(e, &shape, &err);
        if (rc != 0)
            break;
        from = eb_clock_ns();
        rc = e->ops->bench(e, &shape, &err);
        to = eb_clock_ns();
        if (rc == 0)
            cJSON_AddItemToArray(samples,
                                 cJSON_CreateNumber((double)(to - from)));
    }
    eb_watch_end(watch, -1, (int64_t)i * (t->n_prompt + t->n_gen));
    if (rc != 0)
        snprintf(reason, sizeof(reason), "%s: %s",
                 rc == EB_ELIMIT ? "out of range" : "not measured", err.msg);
    return speed_row(t, samples, reason);
}

cJSON *eb_speed_run(struct eb_engine *e, int (*stop)(void),
                    struct eb_watch *watch)
{
    cJSON *out;
    size_t i;

    if (e->ops->bench == NULL)
        return eb_speed_none("unsupported: the engine cannot be benched");
    out = cJSON_CreateArray();
    for (i = 0; i < SPEED_TESTS; i++)
        cJSON_AddItemToArray(out, speed_one(e, &speed_tests[i], stop, watch));
    e->ops->clear(e);
    return out;
}

cJSON *eb_speed_none(const char *reason)
{
    cJSON *out = cJSON_CreateArray();
    size_t i;

    for (i = 0; i < SPEED_TESTS; i++)
        cJSON_AddItemToArray(
            out, speed_row(&speed_tests[i], cJSON_CreateArray(), reason));
    return out;
}
