/* summary.energy: what a token, an item and a solved item cost in joules, from
 * the windows of power.sensors. One row a group, that is the sensors of a
 * driver that add up to a scope: scopes are never mixed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/record.h"
#include "common/record_parts.h"

#define ENERGY_NS 1e9

/* What was done in a window; NAN: not known. */
struct energy_work {
    double items, tokens, pass_rate;
};

static int energy_is(const cJSON *v, const char *key, const char *want)
{
    return strcmp(eb_json_get_str(v, key, ""), want) == 0;
}

/* The row is of the level and language, "" for any. */
static int energy_of(const cJSON *row, const char *level, const char *lang)
{
    return (*level == '\0' || energy_is(row, "level", level)) &&
           (*lang == '\0' || energy_is(row, "lang", lang));
}

/* Items and tokens of a cell. A throughput run counts all that it played;
 * `items` has only those that the verdict needed. */
static void energy_played(const cJSON *rec, const char *level, const char *lang,
                          struct energy_work *out)
{
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(rec, "throughput"), *v;
    int whole = rows != NULL;
    double items = 0, tokens = 0;

    if (!whole)
        rows = eb_record_items(rec);
    cJSON_ArrayForEach(v, rows)
    {
        if (!energy_of(v, level, lang))
            continue;
        items += whole ? eb_json_get_num(v, "items", NAN) : 1;
        tokens += eb_json_get_num(v, "output_tokens", whole ? NAN : 0);
    }
    out->items = items;
    out->tokens = tokens;
}

static double energy_pass_rate(const cJSON *sum, const char *level,
                               const char *lang)
{
    double passes = 0, n = 0;
    const cJSON *v;

    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(sum, "levels"))
    {
        if (!energy_of(v, level, lang))
            continue;
        passes += eb_json_get_num(v, "passes", 0);
        n += eb_json_get_num(v, "n", 0);
    }
    return n > 0 ? passes / n : NAN;
}

static struct energy_work energy_work(const cJSON *rec, const cJSON *sum,
                                      const cJSON *window)
{
    const char *level = eb_json_get_str(window, "level", "");
    const char *lang = eb_json_get_str(window, "lang", "");
    struct energy_work w = {NAN, NAN, NAN};

    if (energy_is(window, "name", "cell") ||
        energy_is(window, "name", "whole")) {
        energy_played(rec, level, lang, &w);
        w.pass_rate = energy_pass_rate(sum, level, lang);
    }
    w.items = eb_json_get_num(window, "items", w.items);
    w.tokens = eb_json_get_num(window, "tokens", w.tokens);
    return w;
}

/* Groups */

struct energy_group {
    const cJSON *sensors; /* of the record */
    const char *driver, *scope;
};

static int energy_in(const struct energy_group *g, const cJSON *sensor)
{
    return energy_is(sensor, "driver", g->driver) &&
           energy_is(sensor, "sum", g->scope);
}

/* Window number `at` of a sensor, if it is the one that `like` is. */
static const cJSON *energy_window(const cJSON *sensor, int at,
                                  const cJSON *like)
{
    const cJSON *w = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(sensor, "windows"), at);

    return w != NULL &&
                   energy_is(w, "name", eb_json_get_str(like, "name", "")) &&
                   eb_json_get_num(w, "from_ns", -1) ==
                       eb_json_get_num(like, "from_ns", -2)
               ? w
               : NULL;
}

/* The sum of a window over the group; NAN if one sensor has none. */
static double energy_sum(const struct energy_group *g, int at,
                         const cJSON *like, int *valid, const char **reason)
{
    const cJSON *s, *w;
    double joules = 0;

    *valid = 1;
    *reason = NULL;
    cJSON_ArrayForEach(s, g->sensors)
    {
        if (!energy_in(g, s))
            continue;
        w = energy_window(s, at, like);
        joules += eb_json_get_num(w, "joules", NAN);
        if (w == NULL ||
            !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(w, "valid"))) {
            *valid = 0;
            if (*reason == NULL)
                *reason = eb_json_get_str(w, "reason", "not measured");
        }
    }
    return joules;
}

/* Watts of the last idle window before `at`; NAN: there is none. */
static double energy_idle_w(const struct energy_group *g, const cJSON *windows,
                            int at)
{
    const char *reason;
    double joules, ns;
    const cJSON *w;
    int valid;

    while (--at >= 0) {
        w = cJSON_GetArrayItem(windows, at);
        if (!energy_is(w, "name", "idle"))
            continue;
        joules = energy_sum(g, at, w, &valid, &reason);
        ns = eb_json_get_num(w, "to_ns", NAN) -
             eb_json_get_num(w, "from_ns", NAN);
        if (valid && ns > 0)
            return joules * ENERGY_NS / ns;
    }
    return NAN;
}

static cJSON *energy_row(const cJSON *rec, const cJSON *sum,
                         const struct energy_group *g, const cJSON *windows,
                         int at, const cJSON *like)
{
    static const char *const same[] = {"name", "level", "lang"};
    struct energy_work work = energy_work(rec, sum, like);
    double joules, ns, idle_w;
    const char *reason;
    cJSON *out = cJSON_CreateObject();
    int valid;
    size_t i;

    joules = energy_sum(g, at, like, &valid, &reason);
    ns = eb_json_get_num(like, "to_ns", NAN) -
         eb_json_get_num(like, "from_ns", NAN);
    idle_w = energy_idle_w(g, windows, at);
    for (i = 0; i < sizeof(same) / sizeof(*same); i++)
        cJSON_AddItemToObject(
            out, same[i],
            cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(like, same[i]),
                            0));
    eb_json_add_num(out, "joules", joules,
                    reason != NULL ? reason : "not measured");
    eb_json_add_num(out, "seconds", ns / ENERGY_NS, "not measured");
    cJSON_AddBoolToObject(out, "valid", valid);
    if (!valid || energy_is(like, "name", "idle"))
        return out;
    eb_json_add_num(out, "joules_above_idle", joules - idle_w * ns / ENERGY_NS,
                    "not measured: no valid idle window before it");
    eb_json_add_num(out, "joules_per_item",
                    work.items > 0 ? joules / work.items : NAN,
                    "not measured: items not counted");
    eb_json_add_num(out, "joules_per_token",
                    work.tokens > 0 ? joules / work.tokens : NAN,
                    "not measured: tokens not counted");
    /* Items that were played and not needed for the verdict cost too: what an
     * item costs, over the share that is solved. */
    eb_json_add_num(out, "joules_per_solved",
                    work.items > 0 && work.pass_rate > 0
                        ? joules / work.items / work.pass_rate
                        : NAN,
                    work.pass_rate <= 0 ? "out of range: nothing was solved"
                                        : "not measured: nothing was scored");
    return out;
}

static void energy_group(const cJSON *rec, const cJSON *sum, const cJSON *power,
                         const cJSON *first, cJSON *arr)
{
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(power, "best"), *s, *w;
    const cJSON *windows = cJSON_GetObjectItemCaseSensitive(first, "windows");
    struct energy_group g = {cJSON_GetObjectItemCaseSensitive(power, "sensors"),
                             eb_json_get_str(first, "driver", ""),
                             eb_json_get_str(first, "sum", "")};
    cJSON *out, *rows;
    int at = 0;

    /* Only the first sensor of a group makes the row. */
    cJSON_ArrayForEach(s, g.sensors)
    {
        if (s == first)
            break;
        if (energy_in(&g, s))
            return;
    }
    out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "driver", g.driver);
    cJSON_AddStringToObject(out, "scope", g.scope);
    cJSON_AddBoolToObject(out, "best",
                          energy_is(best, "driver", g.driver) &&
                              energy_is(best, "scope", g.scope));
    rows = cJSON_AddArrayToObject(out, "windows");
    cJSON_ArrayForEach(w, windows)
        cJSON_AddItemToArray(rows, energy_row(rec, sum, &g, windows, at++, w));
    cJSON_AddItemToArray(arr, out);
}

void eb_record_energy(const cJSON *rec, cJSON *sum)
{
    const cJSON *power = cJSON_GetObjectItemCaseSensitive(rec, "power"), *s;
    const cJSON *sensors = cJSON_GetObjectItemCaseSensitive(power, "sensors");
    cJSON *arr;

    if (cJSON_GetArraySize(sensors) == 0)
        return;
    arr = cJSON_AddArrayToObject(sum, "energy");
    cJSON_ArrayForEach(s, sensors)
    {
        if (eb_json_get_str(s, "sum", NULL) != NULL)
            energy_group(rec, sum, power, s, arr);
    }
}
