/* The search of tune, with speeds and a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/tune_parts.h"
#include "common/fs.h"
#include "common/stats.h"
#include "tests/tree_help.h"

#define MS INT64_C(1000000)
#define NEVER (INT64_C(1) << 60)
#define LOG_MAX 512

/* The world: speeds by threads, a clock that visits move. */
static struct {
    int64_t now;
    double pp[16], tg[16];     /* by threads; 0: does not work */
    double drift;              /* each visit is so much slower than the last */
    int visits, stop_at, late; /* late: visits begun after the deadline */
    int64_t deadline;
    int threads[LOG_MAX]; /* of each visit */
    double scale[LOG_MAX];
    size_t n_scale; /* factors on the visits, in turn */
} w;

static int64_t now(void *arg)
{
    (void)arg;
    return w.now;
}

/* A second of work at 100 tokens/s of both. */
static int measure(void *arg, const struct eb_tune_setting *s, int64_t limit_ns,
                   struct eb_tune_visit *out, struct eb_err *err)
{
    double slow = 1 + w.drift * w.visits, took;

    (void)arg;
    w.late += w.deadline > 0 && w.now >= w.deadline;
    if (w.stop_at > 0 && w.visits >= w.stop_at)
        return eb_fail(err, EB_EABORT, "stopped");
    if (w.pp[s->threads] <= 0)
        return eb_fail(err, EB_EENGINE, "no memory for %d", s->threads);
    if (w.n_scale > 0)
        slow /= w.scale[(size_t)w.visits % w.n_scale];
    if (w.visits < LOG_MAX)
        w.threads[w.visits] = s->threads;
    w.visits++;
    out->tps[EB_TUNE_PP] = w.pp[s->threads] / slow;
    out->tps[EB_TUNE_TG] = w.tg[s->threads] / slow;
    took = 5e10 / out->tps[EB_TUNE_PP] + 5e10 / out->tps[EB_TUNE_TG];
    if (took > (double)limit_ns) {
        w.now += limit_ns;
        return eb_fail(err, EB_ELIMIT, "time is up");
    }
    w.now += (int64_t)took;
    return 0;
}

static const struct eb_tune_source source = {measure, now, NULL};
static const struct eb_tune_rule rule = {EB_TUNE_BOTH, 1, 0.01, 6};

static struct eb_tune_setting setting(int threads)
{
    return (struct eb_tune_setting){.threads = threads,
                                    .batch = 2048,
                                    .ubatch = 512,
                                    .flash_attn = "auto",
                                    .kv_type = "f16"};
}

/* Rows with base, base + 1 ... threads. */
static void stage(struct eb_tune_stage *st, int base, size_t n)
{
    size_t i;

    memset(st, 0, sizeof(*st));
    st->name = "threads";
    st->n = n;
    for (i = 0; i < n; i++) {
        st->rows[i].s = setting(base + (int)i);
        w.pp[base + (int)i] = w.tg[base + (int)i] = 100;
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    strcpy(root, "/tmp/eb-tune-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    return 0;
}

/* Sets of processors */

static void test_cpus(void **state)
{
    static const char *const bad[] = {"",    "a",    "1-", "3-1", "512",
                                      "1,,", "1,2,", "-1", "1 2", "00001"};
    struct eb_cpus s, t = {0};
    char text[EB_CPUS_TEXT];
    size_t i;
    int k;

    (void)state;
    assert_int_equal(eb_cpus_parse("8,0-3,511", &s), 0);
    eb_cpus_text(&s, text);
    assert_string_equal(text, "0-3,8,511");
    assert_int_equal(eb_cpus_count(&s), 6);
    assert_true(eb_cpus_has(&s, 511) && !eb_cpus_has(&s, 4));
    assert_false(eb_cpus_equal(&s, &t));
    eb_cpus_text(&t, text);
    assert_string_equal(text, "");
    for (k = 0; k < EB_CPUS_MAX; k += 2)
        eb_cpus_add(&t, k);
    eb_cpus_add(&t, EB_CPUS_MAX);
    eb_cpus_text(&t, text);
    assert_int_equal(eb_cpus_parse(text, &s), 0);
    assert_true(eb_cpus_equal(&s, &t));
    /* Pairs make the longest text. */
    memset(&t, 0, sizeof(t));
    for (k = 0; k < EB_CPUS_MAX; k++) {
        if (k % 3 != 0)
            eb_cpus_add(&t, k);
    }
    eb_cpus_text(&t, text);
    assert_in_range(strlen(text), 1024, EB_CPUS_TEXT - 1);
    assert_int_equal(eb_cpus_parse(text, &s), 0);
    assert_true(eb_cpus_equal(&s, &t));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(eb_cpus_parse(bad[i], &s), -1);
}

/* Kinds of cores */

static void put_cpu(int cpu, int core, const char *siblings, int capacity)
{
    static const char dir[] = "/sys/devices/system/cpu";
    char path[128], text[32];

    snprintf(path, sizeof(path), "%s/cpu%d/topology/core_cpus", dir, cpu);
    put(path, siblings);
    snprintf(path, sizeof(path), "%s/cpu%d/topology/thread_siblings", dir, cpu);
    put(path, siblings);
    snprintf(path, sizeof(path), "%s/cpu%d/topology/package_cpus", dir, cpu);
    put(path, "ff\n");
    snprintf(path, sizeof(path), "%s/cpu%d/topology/core_siblings", dir, cpu);
    put(path, "ff\n");
    snprintf(path, sizeof(path), "%s/cpu%d/topology/core_id", dir, cpu);
    snprintf(text, sizeof(text), "%d\n", core);
    put(path, text);
    snprintf(path, sizeof(path), "%s/cpu%d/topology/physical_package_id", dir,
             cpu);
    put(path, "0\n");
    snprintf(path, sizeof(path), "%s/cpu%d/cpu_capacity", dir, cpu);
    snprintf(text, sizeof(text), "%d\n", capacity);
    put(path, text);
}

/* Two P cores of two threads, four E cores. */
static void put_hybrid(void)
{
    put("/sys/devices/system/cpu/online", "0-7\n");
    put("/sys/devices/system/cpu/possible", "0-7\n");
    put("/proc/cpuinfo", "processor\t: 0\n");
    put_cpu(0, 0, "03\n", 1024);
    put_cpu(1, 0, "03\n", 1024);
    put_cpu(2, 1, "0c\n", 1024);
    put_cpu(3, 1, "0c\n", 1024);
    put_cpu(4, 2, "10\n", 600);
    put_cpu(5, 3, "20\n", 600);
    put_cpu(6, 4, "40\n", 600);
    put_cpu(7, 5, "80\n", 600);
}

static void is_cpus(const struct eb_cpus *s, const char *wanted)
{
    char text[EB_CPUS_TEXT];

    eb_cpus_text(s, text);
    assert_string_equal(text, wanted);
}

static void test_kinds(void **state)
{
    struct eb_core_kinds k;

    (void)state;
    put_hybrid();
    eb_device_kinds(root, &k);
    assert_int_equal(k.cores, 6);
    assert_int_equal(k.cpus, 8);
    assert_int_equal(k.n, 2);
    assert_string_equal(k.kinds[0].name, "P");
    is_cpus(&k.kinds[0].firsts, "0,2");
    is_cpus(&k.kinds[0].all, "0-3");
    assert_string_equal(k.kinds[1].name, "E");
    is_cpus(&k.kinds[1].firsts, "4-7");
    is_cpus(&k.kinds[1].all, "4-7");
    eb_device_kinds("", &k);
    assert_true(k.cores >= 1 && k.cpus >= k.cores);
}

/* Candidates */

static const struct eb_tune_row *row(const struct eb_tune_stage *st,
                                     const char *label)
{
    size_t i;

    for (i = 0; i < st->n; i++) {
        if (strcmp(st->rows[i].label, label) == 0)
            return &st->rows[i];
    }
    return NULL;
}

static void no_twins(const struct eb_tune_stage *st)
{
    size_t i, k;

    for (i = 0; i < st->n; i++) {
        assert_string_not_equal(st->rows[i].label, "");
        for (k = 0; k < i; k++) {
            assert_false(eb_tune_equal(&st->rows[i].s, &st->rows[k].s));
            assert_string_not_equal(st->rows[i].label, st->rows[k].label);
        }
    }
}

static void test_places(void **state)
{
    struct eb_tune_setting base = setting(6);
    struct eb_tune_stage st;
    struct eb_core_kinds k;

    (void)state;
    put_hybrid();
    eb_device_kinds(root, &k);
    eb_tune_places(&k, &base, &st);
    no_twins(&st);
    assert_true(eb_tune_equal(&st.rows[0].s, &base));
    assert_non_null(row(&st, "8 threads"));
    assert_non_null(row(&st, "1 thread"));
    assert_int_equal(row(&st, "2 on P cores")->s.threads, 2);
    is_cpus(&row(&st, "2 on P cores")->s.cpus, "0,2");
    is_cpus(&row(&st, "4 on P cores, all threads")->s.cpus, "0-3");
    is_cpus(&row(&st, "4 on E cores")->s.cpus, "4-7");
    is_cpus(&row(&st, "6 on P+E cores")->s.cpus, "0,2,4-7");
    is_cpus(&row(&st, "8 on P+E cores, all threads")->s.cpus, "0-7");
    k = (struct eb_core_kinds){.cores = 1, .cpus = 1, .n = 1};
    base = setting(1);
    eb_tune_places(&k, &base, &st);
    assert_int_equal(st.n, 1);
}

static void test_knobs(void **state)
{
    struct eb_tune_setting base = setting(2);
    struct eb_tune_stage st;
    size_t i;

    (void)state;
    eb_tune_attention("off", &base, &st);
    assert_int_equal(st.n, 2);
    assert_string_equal(st.rows[1].s.flash_attn, "on");
    eb_tune_attention(NULL, &base, &st);
    assert_int_equal(st.n, 3);
    eb_tune_cache(&base, &st);
    assert_int_equal(st.n, 2);
    assert_string_equal(st.rows[1].s.kv_type, "q8_0");
    assert_string_equal(st.rows[1].s.flash_attn, "on");
    eb_tune_batches(512, &base, &st);
    no_twins(&st);
    assert_int_equal(st.n, 4); /* ubatch 512, 256, 128, 64 */
    eb_tune_batches(4096, &base, &st);
    no_twins(&st);
    assert_non_null(row(&st, "512, ubatch 128"));
    for (i = 0; i < st.n; i++)
        assert_true(st.rows[i].s.ubatch <= st.rows[i].s.batch);
}

/* Halving */

static void test_finds_best(void **state)
{
    struct eb_tune_stage st;
    struct eb_err err = {0};
    size_t i;

    (void)state;
    stage(&st, 1, 8);
    w.pp[6] = 120; /* faster at one, and in the mean of both */
    w.tg[5] = 110;
    w.drift = 0.001;
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err), 0);
    assert_int_equal(st.rows[st.best].s.threads, 6);
    assert_false(st.cut);
    /* 8 once, 4 twice more, 2 four times more. */
    assert_int_equal(w.visits, 8 + 8 + 8);
    assert_int_equal(st.rows[st.best].visits, 7);
    for (i = 0, w.visits = 0; i < st.n; i++)
        w.visits += st.rows[i].visits == 1 && st.rows[i].round == 1;
    assert_int_equal(w.visits, 4);
    assert_true(fabs(eb_tune_rate(&st.rows[st.best], EB_TUNE_PP) - 120) < 3);
}

static void test_objective(void **state)
{
    struct eb_tune_rule one = rule;
    struct eb_tune_stage st;
    struct eb_err err = {0};

    (void)state;
    stage(&st, 1, 4);
    w.pp[2] = 200;
    w.tg[2] = 40;
    w.tg[3] = 120;
    one.objective = EB_TUNE_PP;
    assert_int_equal(eb_tune_halve(&source, &one, NEVER, &st, &err), 0);
    assert_int_equal(st.rows[st.best].s.threads, 2);
    stage(&st, 1, 4);
    w.pp[2] = 200;
    w.tg[2] = 40;
    w.tg[3] = 120;
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err), 0);
    assert_int_equal(st.rows[st.best].s.threads, 3);
}

static void test_ties(void **state)
{
    struct eb_tune_stage st;
    struct eb_err err = {0};

    (void)state;
    stage(&st, 1, 7);
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err), 0);
    assert_int_equal(st.best, 0);
}

static void test_order(void **state)
{
    struct eb_tune_rule other = rule;
    struct eb_tune_stage st;
    struct eb_err err = {0};
    int first[8];

    (void)state;
    stage(&st, 1, 8);
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err), 0);
    memcpy(first, w.threads, sizeof(first));
    assert_int_equal(first[0], 1); /* what leads goes first */
    w.visits = 0;
    stage(&st, 1, 8);
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err), 0);
    assert_memory_equal(first, w.threads, sizeof(first));
    w.visits = 0;
    other.seed = 2;
    stage(&st, 1, 8);
    assert_int_equal(eb_tune_halve(&source, &other, NEVER, &st, &err), 0);
    assert_memory_not_equal(first, w.threads, sizeof(first));
}

static void test_budget(void **state)
{
    struct eb_tune_stage st;
    struct eb_err err = {0};
    size_t i, seen = 0;

    (void)state;
    stage(&st, 1, 8);
    w.pp[2] = w.tg[2] = 140;
    w.deadline = 4500 * MS; /* a visit takes 1000 ms */
    assert_int_equal(eb_tune_halve(&source, &rule, w.deadline, &st, &err), 0);
    assert_true(st.cut);
    assert_true(w.now <= w.deadline);
    assert_int_equal(w.late, 0);
    for (i = 0; i < st.n; i++)
        seen += st.rows[i].visits > 0;
    assert_true(seen >= 4 && seen < 8);
    assert_true(st.rows[st.best].visits > 0);
    /* No time at all: what was the best stays it. */
    stage(&st, 1, 8);
    assert_int_equal(eb_tune_halve(&source, &rule, w.now, &st, &err), 0);
    assert_int_equal(st.best, 0);
    assert_true(isnan(eb_tune_rate(&st.rows[0], EB_TUNE_BOTH)));
}

static void test_losers(void **state)
{
    struct eb_tune_stage st;
    struct eb_err err = {0};

    (void)state;
    stage(&st, 1, 4);
    w.pp[2] = 0;
    w.pp[3] = w.tg[3] = 5; /* twenty times as long */
    w.pp[4] = 101;
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err), 0);
    assert_int_equal(st.best, 3);
    assert_string_equal(st.rows[1].reason, "no memory for 2");
    assert_non_null(strstr(st.rows[2].reason, "over 5 times"));
    assert_int_equal(st.rows[2].visits, 0);
    stage(&st, 1, 4);
    w.pp[1] = 0; /* what is known to run */
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err),
                     EB_EENGINE);
    stage(&st, 1, 4);
    w.stop_at = w.visits + 2;
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err),
                     EB_EABORT);
}

/* Comparing */

static void test_interval(void **state)
{
    static const double factors[] = {1, 1.1, 1.2, 1, 1, 1.15, 1.05, 1};
    struct eb_tune_pair pair = {setting(1), setting(2)};
    struct eb_tune_rule wide = rule;
    struct eb_tune_gain gain;
    struct eb_tune_ratio r;
    struct eb_err err = {0};
    double logs[4];
    struct eb_interval ci;

    (void)state;
    w.pp[1] = w.tg[1] = w.pp[2] = w.tg[2] = 100;
    memcpy(w.scale, factors, sizeof(factors));
    w.n_scale = 8;
    wide.pairs_min = 4;
    wide.within = 1;
    assert_int_equal(eb_tune_compare(&source, &wide, NEVER, &pair, &gain, &err),
                     0);
    /* A B B A A B B A */
    assert_int_equal(w.visits, 8);
    assert_int_equal(w.threads[0] * 1000 + w.threads[1] * 100 +
                         w.threads[2] * 10 + w.threads[3],
                     1221);
    assert_int_equal(gain.n, 4);
    logs[0] = log(1.1);
    logs[1] = log(1.2);
    logs[2] = log(1.15);
    logs[3] = log(1.05);
    ci = eb_stats_mean_ci(logs, 4);
    r = eb_tune_ratio(&gain, EB_TUNE_BOTH);
    assert_true(fabs(r.ratio -
                     exp((logs[0] + logs[1] + logs[2] + logs[3]) / 4)) < 1e-9);
    assert_true(fabs(r.lo - exp(ci.lo)) < 1e-9);
    assert_true(fabs(r.hi - exp(ci.hi)) < 1e-9);
    gain.n = 1;
    assert_true(isnan(eb_tune_ratio(&gain, EB_TUNE_PP).lo));
}

static void test_compare_ends(void **state)
{
    static const double noisy[] = {1, 1.3, 0.8, 1.1};
    struct eb_tune_pair pair = {setting(1), setting(2)};
    struct eb_tune_gain gain;
    struct eb_err err = {0};

    (void)state;
    w.pp[1] = w.tg[1] = 100;
    w.pp[2] = w.tg[2] = 105;
    assert_int_equal(eb_tune_compare(&source, &rule, NEVER, &pair, &gain, &err),
                     0);
    assert_int_equal(gain.n, rule.pairs_min); /* narrow from the start */
    assert_true(eb_tune_ratio(&gain, EB_TUNE_TG).lo > 1.04);
    memcpy(w.scale, noisy, sizeof(noisy));
    w.n_scale = 4;
    w.deadline = w.now + 9500 * MS;
    assert_int_equal(
        eb_tune_compare(&source, &rule, w.deadline, &pair, &gain, &err), 0);
    assert_true(gain.n >= 3 && gain.n <= 5);
    assert_true(w.now <= w.deadline && w.late == 0);
    w.deadline = 0;
    assert_int_equal(eb_tune_compare(&source, &rule, NEVER, &pair, &gain, &err),
                     0);
    assert_int_equal(gain.n, EB_TUNE_PAIRS_MAX);
    w.stop_at = w.visits + 3;
    assert_int_equal(eb_tune_compare(&source, &rule, NEVER, &pair, &gain, &err),
                     EB_EABORT);
}

/* The mean decides, but no test may be shown slower. */
static void test_judge(void **state)
{
    struct eb_tune_pair pair = {setting(1), setting(2)};
    struct eb_tune_gain gain;
    struct eb_err err = {0};

    (void)state;
    w.pp[1] = w.tg[1] = 100;
    w.pp[2] = 150;
    w.tg[2] = 101;
    assert_int_equal(eb_tune_compare(&source, &rule, NEVER, &pair, &gain, &err),
                     0);
    assert_int_equal(eb_tune_judge(&gain), EB_TUNE_BETTER);
    w.tg[2] = 90;
    assert_int_equal(eb_tune_compare(&source, &rule, NEVER, &pair, &gain, &err),
                     0);
    assert_int_equal(eb_tune_judge(&gain), EB_TUNE_MIXED);
    w.tg[2] = 50;
    assert_int_equal(eb_tune_compare(&source, &rule, NEVER, &pair, &gain, &err),
                     0);
    assert_int_equal(eb_tune_judge(&gain), EB_TUNE_DEFAULT);
    w.pp[2] = w.tg[2] = 100; /* a tie: the interval includes 1 */
    assert_int_equal(eb_tune_compare(&source, &rule, NEVER, &pair, &gain, &err),
                     0);
    assert_int_equal(eb_tune_judge(&gain), EB_TUNE_DEFAULT);
}

/* A visit that was made before counts as the first round's. */
static void test_visited(void **state)
{
    struct eb_tune_visit v = {{100, 100}};
    struct eb_tune_stage st;
    struct eb_err err = {0};

    (void)state;
    stage(&st, 1, 4);
    eb_tune_visited(&rule, &st, 0, &v, 1000 * MS);
    assert_int_equal(eb_tune_halve(&source, &rule, NEVER, &st, &err), 0);
    assert_int_equal(w.threads[0] == 1, 0);
    assert_int_equal(w.visits, 3 + 8);
    assert_int_equal(st.best, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpus),
        cmocka_unit_test_setup_teardown(test_kinds, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, tree_teardown),
        cmocka_unit_test(test_knobs),
        cmocka_unit_test_setup_teardown(test_finds_best, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_objective, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_ties, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_losers, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_interval, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_compare_ends, setup,
                                        tree_teardown),
        cmocka_unit_test_setup_teardown(test_judge, setup, tree_teardown),
        cmocka_unit_test_setup_teardown(test_visited, setup, tree_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
