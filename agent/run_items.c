/* Playing the items of a plan on one loaded model. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/run_parts.h"
#include "common/clock.h"
#include "common/decision.h"
#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"

/* One language of one level: decided by itself. */
struct items_cell {
    const struct eb_plan_level *pl;
    const char *lang;
    size_t from, to; /* of pl->items */
    size_t next;     /* to be opened */
    cJSON **done;    /* by item, NULL where not played */
    size_t n_seen;   /* of them, counted by the decision: no gap before */
    struct eb_decision decision;
    int trial;   /* 0: the first, which decides */
    int stopped; /* by the user */
};

/* Items under way together share the machine, so the time limit of one is as
 * many times longer: a slow device must not lose items to its company. */
static size_t items_share(const struct eb_run *r, const struct items_cell *c)
{
    size_t n = c->to - c->from;

    return n < (size_t)r->n_seats ? n : (size_t)r->n_seats;
}

static struct eb_task items_task(const struct eb_run *r,
                                 const struct eb_plan_level *pl,
                                 const struct eb_item *item,
                                 enum eb_prompt_kind prompt, int trial,
                                 size_t share)
{
    return (struct eb_task){.suite = &r->suite,
                            .level = pl->level,
                            .item = item,
                            .grammar = pl->grammar,
                            .prompt = prompt,
                            .seed = (uint64_t)(r->opts.seed + trial),
                            .timeout_ns = r->opts.timeout_s *
                                          INT64_C(1000000000) * (int64_t)share};
}

/* Seats */

static void items_seats_open(struct eb_run *r, int n)
{
    int i;

    r->seats = eb_xcalloc((size_t)n, sizeof(*r->seats));
    r->n_seats = n;
    for (i = 0; i < n; i++)
        eb_seat_init(&r->seats[i], i);
}

static void items_seats_close(struct eb_run *r)
{
    int i;

    for (i = 0; i < r->n_seats; i++)
        eb_seat_free(&r->seats[i]);
    free(r->seats);
    r->seats = NULL;
    r->n_seats = 0;
}

int eb_run_engine_stop(void *run)
{
    const struct eb_run *r = run;
    int64_t now = eb_clock_ns();
    int busy = 0, i;

    if (eb_talk_interrupts() > 1)
        return 1;
    for (i = 0; i < r->n_seats; i++) {
        if (!r->seats[i].busy)
            continue;
        if (!eb_talk_late(&r->seats[i].talk, now))
            return 0;
        busy++;
    }
    return busy > 0;
}

static void items_score(struct eb_run *r, struct eb_seat *s)
{
    struct eb_buf answer = {0};
    struct eb_err err = {0};
    char detail[EB_DETAIL_LEN];
    int rc = 0;

    if (s->result.outcome != EB_OUT_HARNESS_ERROR)
        rc = eb_run_score(r->engine, &s->c, &answer, &err);
    snprintf(detail, sizeof(detail), "%.150s", err.msg);
    eb_seat_answer(s, answer.data, rc, detail);
    eb_buf_free(&answer);
}

/* Seats an item: 1 if a reply is under way. */
static int items_seat(struct eb_run *r, struct eb_seat *s,
                      const struct eb_task *task, int scored)
{
    eb_seat_open(s, task);
    r->now = &s->c;
    if (!scored)
        return eb_seat_ask(s, r->engine);
    items_score(r, s);
    return 0;
}

/* One step of the engine: the seats whose item is over by it. */
static int items_step(struct eb_run *r, struct eb_seat **over)
{
    struct eb_event *events = r->events;
    struct eb_err err = {0};
    size_t n, k;
    int rc = r->engine->ops->step(r->engine, events, &n, &err), n_over = 0, i;
    int64_t now = eb_clock_ns();

    for (k = 0; k < n; k++) {
        struct eb_seat *s = &r->seats[events[k].slot];

        r->now = &s->c;
        if (eb_seat_event(s, r->engine, &events[k], now))
            over[n_over++] = s;
    }
    for (i = 0; i < r->n_seats; i++) {
        struct eb_seat *s = &r->seats[i];
        int seen = 0;

        for (k = 0; k < (size_t)n_over; k++)
            seen |= over[k] == s;
        if (!s->busy || seen || (rc == 0 && !eb_talk_late(&s->talk, now)))
            continue;
        if (rc == 0)
            r->engine->ops->cancel(r->engine, s->slot);
        eb_seat_fail(s, rc != 0 ? rc : EB_EABORT, err.msg, now);
        over[n_over++] = s;
    }
    return n_over;
}

/* Cells */

static void items_tick(struct eb_run *r, const struct eb_run_model *m,
                       enum eb_prompt_kind prompt, const struct items_cell *c)
{
    eb_run_tick(r, "[%zu/%zu] %s %s: %s %s, item %zu of %zu, %" PRId64 " right",
                r->at_model, r->n_models, m->name, eb_prompt_kind_name(prompt),
                c->pl->level->name, c->lang, c->n_seen, c->to - c->from,
                c->decision.passes);
}

/* Counts items in their order: those that overtook others must wait, or the
 * short ones would come first too often. */
static void items_decide(struct items_cell *c)
{
    size_t n = c->to - c->from;
    struct eb_decision_item item;

    while (c->n_seen < n && c->done[c->n_seen] != NULL &&
           !eb_decision_done(&c->decision)) {
        if (eb_decision_item(c->done[c->n_seen++], &item))
            eb_decision_add(&c->decision, item);
    }
}

static void items_keep(const struct eb_run *r, struct items_cell *c,
                       struct eb_seat *s, struct eb_run_throughput *t)
{
    size_t i = c->from;
    cJSON *v = eb_seat_item(s);

    if (v == NULL) {
        c->stopped = 1;
    } else {
        while (c->pl->items[i] != s->task.item)
            i++;
        if (c->pl->scored) {
            eb_json_add_null(v, "ttft_ns",
                             "not measured: scored by likelihood");
            eb_json_add_null(v, "e2e_ns", "not measured: scored by likelihood");
            if (t != NULL)
                t->items++;
        } else if (t != NULL) {
            t->items++;
            t->prompt_tokens += s->talk.meter.prompt_tokens;
            t->cached_tokens += s->talk.meter.cached_tokens;
            t->output_tokens += s->talk.meter.tokens;
            eb_meter_record_tokens(&s->talk.meter, v);
        } else {
            eb_meter_record(&s->talk.meter, v);
        }
        eb_run_reference_item(r, s->task.prompt, v);
        c->done[i - c->from] = v;
    }
    eb_seat_close(s);
    items_decide(c);
}

static int items_busy(const struct eb_run *r)
{
    int i, n = 0;

    for (i = 0; i < r->n_seats; i++)
        n += r->seats[i].busy;
    return n;
}

static void items_fill(struct eb_run *r, enum eb_prompt_kind prompt,
                       struct items_cell *c, struct eb_run_throughput *t)
{
    int i;

    for (i = 0; i < r->n_seats; i++) {
        struct eb_seat *s = &r->seats[i];

        while (!s->busy && c->next < c->to) {
            struct eb_task task;

            c->stopped |= eb_talk_interrupts() > 0;
            if (c->stopped || eb_decision_done(&c->decision))
                return;
            task = items_task(r, c->pl, c->pl->items[c->next++], prompt,
                              c->trial, items_share(r, c));
            if (!items_seat(r, s, &task, c->pl->scored))
                items_keep(r, c, s, t);
        }
    }
}

/* The cell is decided: what is under way is not needed. */
static void items_cancel(struct eb_run *r)
{
    int i;

    for (i = 0; i < r->n_seats; i++) {
        if (!r->seats[i].busy)
            continue;
        r->engine->ops->cancel(r->engine, i);
        eb_seat_close(&r->seats[i]);
    }
}

static void items_play(struct eb_run *r, const struct eb_run_model *m,
                       enum eb_prompt_kind prompt, struct items_cell *c,
                       struct eb_run_throughput *t)
{
    struct eb_seat **over = eb_xcalloc((size_t)r->n_seats, sizeof(*over));
    int n, i;

    for (;;) {
        items_fill(r, prompt, c, t);
        if (eb_decision_done(&c->decision))
            items_cancel(r);
        if (items_busy(r) == 0)
            break;
        n = items_step(r, over);
        eb_watch_tick(&r->watch);
        for (i = 0; i < n; i++)
            items_keep(r, c, over[i], t);
        if (n > 0)
            items_tick(r, m, prompt, c);
    }
    free(over);
    if (c->trial > 0)
        return;
    eb_run_progress(
        r, "[%zu/%zu] %s %s: %s %s: %" PRId64 " of %" PRId64 " right: %s",
        r->at_model, r->n_models, m->name, eb_prompt_kind_name(prompt),
        c->pl->level->name, c->lang, c->decision.passes, c->decision.n,
        eb_verdict_name(eb_decision_verdict(&c->decision)));
}

static cJSON *items_throughput(const struct items_cell *c, int slots,
                               const struct eb_run_throughput *t)
{
    cJSON *v = cJSON_CreateObject();

    cJSON_AddStringToObject(v, "level", c->pl->level->name);
    cJSON_AddStringToObject(v, "lang", c->lang);
    cJSON_AddNumberToObject(v, "slots", slots);
    cJSON_AddNumberToObject(v, "items", (double)t->items);
    cJSON_AddNumberToObject(v, "wall_ns", (double)t->wall_ns);
    cJSON_AddNumberToObject(v, "prompt_tokens", (double)t->prompt_tokens);
    cJSON_AddNumberToObject(v, "cached_tokens", (double)t->cached_tokens);
    cJSON_AddNumberToObject(v, "output_tokens", (double)t->output_tokens);
    return v;
}

/* The items that the decision counted; those that ran ahead are left out. */
static void items_collect(struct items_cell *c, cJSON *out)
{
    size_t n = c->to - c->from, i;

    for (i = 0; i < n; i++) {
        if (c->done[i] != NULL &&
            (i < c->n_seen || !eb_decision_done(&c->decision)))
            cJSON_AddItemToArray(out, c->done[i]);
        else
            cJSON_Delete(c->done[i]);
    }
    free(c->done);
}

static int items_open(const struct eb_run *r, enum eb_prompt_kind prompt,
                      struct items_cell *c)
{
    cJSON *def = eb_run_level_json(r, c->pl, prompt);
    struct eb_decision_rule rule = eb_decision_rule(def, c->lang);
    struct eb_err err = {0};
    int rc = eb_decision_open(&c->decision, &rule, &err);

    cJSON_Delete(def);
    c->next = c->from;
    c->done = eb_xcalloc(c->to - c->from, sizeof(*c->done));
    if (rc != 0)
        eb_error("%s %s: %s", c->pl->level->name, c->lang, err.msg);
    return rc;
}

/* Plays the cell's items once more, with other values filled in. */
static int items_trial(struct eb_run *r, const struct eb_run_model *m,
                       struct eb_run_part *part, const struct items_cell *first,
                       int trial)
{
    struct items_cell c = {.pl = first->pl,
                           .lang = first->lang,
                           .from = first->from,
                           .to = first->from + first->n_seen,
                           .next = first->from,
                           .trial = trial};
    cJSON *items = cJSON_CreateArray(), *v, *row;

    c.done = eb_xcalloc(first->n_seen, sizeof(*c.done));
    items_play(r, m, part->prompt, &c, NULL);
    items_collect(&c, items);
    cJSON_ArrayForEach(v, items)
    {
        row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "id", eb_json_get_str(v, "id", ""));
        cJSON_AddStringToObject(row, "lang", c.lang);
        cJSON_AddStringToObject(row, "level", c.pl->level->name);
        cJSON_AddNumberToObject(row, "trial", trial + 1);
        cJSON_AddStringToObject(row, "class", eb_json_get_str(v, "class", ""));
        cJSON_AddStringToObject(row, "output",
                                eb_json_get_str(v, "output", ""));
        cJSON_AddItemToArray(part->trials, row);
    }
    cJSON_Delete(items);
    return c.stopped;
}

/* Plays one cell into the part; 1 if the user stopped it. */
static int items_cell(struct eb_run *r, const struct eb_run_model *m,
                      struct eb_run_part *part, struct items_cell *c)
{
    struct eb_run_throughput t = {0};
    int throughput = eb_run_throughput_mode(r), trial;
    int64_t from = eb_clock_ns();

    eb_watch_begin(&r->watch, "cell", c->pl->level->name, c->lang);
    if (items_open(r, part->prompt, c) == 0)
        items_play(r, m, part->prompt, c, throughput ? &t : NULL);
    t.wall_ns = eb_clock_ns() - from;
    eb_watch_end(&r->watch, c->decision.n, throughput ? t.output_tokens : -1);
    items_collect(c, part->items);
    if (throughput)
        cJSON_AddItemToArray(part->throughput,
                             items_throughput(c, r->n_seats, &t));
    part->failed |= eb_decision_verdict(&c->decision) == EB_INSUFFICIENT;
    part->open |= eb_decision_verdict(&c->decision) == EB_NOT_SHOWN;
    for (trial = 1; trial < r->opts.trials && !c->stopped; trial++)
        c->stopped = items_trial(r, m, part, c, trial);
    return c->stopped;
}

/* The job is lost at the first level that fails in some language. */
static int items_all(struct eb_run *r, const struct eb_run_model *m,
                     struct eb_run_part *part)
{
    size_t i, k;

    for (i = 0; i < r->plan.n_levels && (r->opts.full || !part->failed); i++) {
        const struct eb_plan_level *pl = &r->plan.levels[i];

        for (k = 0; k < pl->n_items && (r->opts.full || !part->failed);) {
            struct items_cell c = {
                .pl = pl, .lang = pl->items[k]->lang, .from = k};

            while (k < pl->n_items && strcmp(pl->items[k]->lang, c.lang) == 0)
                k++;
            c.to = k;
            if (items_cell(r, m, part, &c))
                return 1;
        }
    }
    return 0;
}

/* Latency of a throughput run: some items again, one at a time */

static const cJSON *items_find(const cJSON *items, const char *id)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, items)
    {
        if (strcmp(eb_json_get_str(v, "id", ""), id) == 0)
            return v;
    }
    return NULL;
}

static cJSON *items_probe_json(const struct eb_seat *s, const cJSON *before)
{
    cJSON *item = eb_seat_item(s), *v;

    if (item == NULL)
        return NULL;
    v = cJSON_CreateObject();
    cJSON_AddStringToObject(v, "id", s->task.item->id);
    cJSON_AddStringToObject(v, "lang", s->task.item->lang);
    cJSON_AddStringToObject(v, "level", s->task.level->name);
    cJSON_AddStringToObject(v, "class", eb_json_get_str(item, "class", ""));
    cJSON_AddBoolToObject(v, "same_class",
                          strcmp(eb_json_get_str(item, "class", ""),
                                 eb_json_get_str(before, "class", "")) == 0);
    cJSON_AddBoolToObject(v, "same_output",
                          strcmp(eb_json_get_str(item, "output", ""),
                                 eb_json_get_str(before, "output", "")) == 0);
    eb_meter_record(&s->talk.meter, v);
    cJSON_Delete(item);
    return v;
}

/* Plays one item alone; 1 if the user stopped it. keep 0: only so that what
 * the prompts share is in the cache, as it is for all but the first request. */
static int items_probe_one(struct eb_run *r, struct eb_run_part *part,
                           const struct eb_plan_level *pl,
                           const struct eb_item *item, int keep)
{
    const cJSON *before = items_find(part->items, item->id);
    struct eb_task task = items_task(r, pl, item, part->prompt, 0, 1);
    struct eb_seat *s = &r->seats[0], **over;
    int busy;
    cJSON *v;

    if (before == NULL)
        return 0;
    if (eb_talk_interrupts() > 0)
        return 1;
    over = eb_xcalloc((size_t)r->n_seats, sizeof(*over));
    for (busy = items_seat(r, s, &task, 0); busy;)
        busy = items_step(r, over) == 0;
    free(over);
    v = items_probe_json(s, before);
    eb_seat_close(s);
    if (v == NULL)
        return 1;
    if (keep)
        cJSON_AddItemToArray(part->latency, v);
    else
        cJSON_Delete(v);
    return 0;
}

/* The first items of each level, one language after the other: in turn, each
 * prompt would find the other language's in the cache, and first tokens came
 * ten times later than in a latency run. */
static int items_probe(struct eb_run *r, const struct eb_run_model *m,
                       struct eb_run_part *part)
{
    size_t langs = r->suite.n_langs, want = (size_t)r->opts.latency_items;
    size_t i, k, lang, n;

    /* What many slots left behind is spread over the whole cache, and each
     * token would be compared with all of it. */
    r->engine->ops->clear(r->engine);
    for (i = 0; i < r->plan.n_levels; i++) {
        const struct eb_plan_level *pl = &r->plan.levels[i];

        n = pl->n_items / langs;
        for (lang = 0; lang < langs && !pl->scored && lang < want; lang++) {
            if (n > 1 &&
                items_probe_one(r, part, pl, pl->items[lang * n + 1], 0))
                return 1;
            for (k = 0; k < n && k * langs + lang < want; k++) {
                eb_run_tick(r, "[%zu/%zu] %s %s: %s %s alone, item %zu",
                            r->at_model, r->n_models, m->name,
                            eb_prompt_kind_name(part->prompt), pl->level->name,
                            pl->items[lang * n]->lang, k + 1);
                if (items_probe_one(r, part, pl, pl->items[lang * n + k], 1))
                    return 1;
            }
        }
    }
    return 0;
}

int eb_run_throughput_mode(const struct eb_run *r)
{
    return strcmp(r->opts.mode, "throughput") == 0;
}

int eb_run_items(struct eb_run *r, const struct eb_run_model *m,
                 struct eb_run_part *part)
{
    int stopped;

    part->items = cJSON_CreateArray();
    if (r->opts.trials > 1)
        part->trials = cJSON_CreateArray();
    if (eb_run_throughput_mode(r)) {
        part->throughput = cJSON_CreateArray();
        part->latency = cJSON_CreateArray();
    }
    r->events = eb_xcalloc((size_t)r->engine->slots, sizeof(*r->events));
    items_seats_open(r, r->engine->slots);
    stopped = items_all(r, m, part);
    if (!stopped && eb_run_throughput_mode(r))
        stopped = items_probe(r, m, part);
    items_seats_close(r);
    free(r->events);
    r->events = NULL;
    r->now = NULL;
    return stopped;
}
