/* User texts, and grammars: a small GBNF matcher checks that exactly the
 * allowed answers are accepted. */
#include <ctype.h>

#include "tests/workloads_help.h"
#include "workloads/nulls.h"
#include "workloads/prompt.h"
#include "workloads/text.h"

/* The matcher works on sets of positions in the text: what a symbol can
 * consume from any start in one set gives the next set. It interprets the
 * grammar as it reads it; on an empty set it merely skips. */
#define SET_MAX 512

struct set {
    char at[SET_MAX];
};

struct gbnf {
    const char *grammar;
    const char *text;
    size_t len;
};

static struct set gbnf_choice(const struct gbnf *g, const char **p,
                              const struct set *in);

static void gbnf_space(const char **p)
{
    *p += strspn(*p, " \n");
}

static uint32_t gbnf_char(const char **p)
{
    unsigned x = 0;

    if (**p != '\\')
        return eb_utf8_next(p);
    (*p)++;
    if (**p == 'x') {
        assert_int_equal(sscanf(*p + 1, "%2x", &x), 1);
        *p += 3;
        return x;
    }
    assert_non_null(strchr("\"\\[]", **p));
    return (unsigned char)*(*p)++;
}

static struct set gbnf_literal(const struct gbnf *g, const char **p,
                               const struct set *in)
{
    struct set cur = *in;

    for ((*p)++; **p != '"';) {
        uint32_t want = gbnf_char(p);
        struct set next = {{0}};
        size_t i;

        for (i = 0; i < g->len; i++) {
            const char *t = g->text + i;

            if (cur.at[i] && eb_utf8_next(&t) == want)
                next.at[t - g->text] = 1;
        }
        cur = next;
    }
    (*p)++;
    return cur;
}

static int gbnf_in_class(const char *p, uint32_t cp)
{
    int not = *p == '^', hit = 0;

    p += not ;
    while (*p != ']') {
        uint32_t lo = gbnf_char(&p), hi = lo;

        if (*p == '-') {
            p++;
            hi = gbnf_char(&p);
        }
        hit |= cp >= lo && cp <= hi;
    }
    return hit != not ;
}

static struct set gbnf_class(const struct gbnf *g, const char **p,
                             const struct set *in)
{
    struct set next = {{0}};
    const char *class = *p + 1;
    size_t i;

    for (i = 0; i < g->len; i++) {
        const char *t = g->text + i;

        if (in->at[i] && gbnf_in_class(class, eb_utf8_next(&t)))
            next.at[t - g->text] = 1;
    }
    for ((*p)++; **p != ']';)
        gbnf_char(p);
    (*p)++;
    return next;
}

static struct set gbnf_rule(const struct gbnf *g, const char *name, size_t len,
                            const struct set *in)
{
    const char *p = g->grammar;

    for (; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, name, len) == 0 && strncmp(p + len, " ::= ", 5) == 0) {
            p += len + 5;
            return gbnf_choice(g, &p, in);
        }
    }
    fail_msg("no rule %.*s", (int)len, name);
    return *in;
}

static struct set gbnf_symbol(const struct gbnf *g, const char **p,
                              const struct set *in)
{
    struct set out;
    size_t len;

    if (**p == '"')
        return gbnf_literal(g, p, in);
    if (**p == '[')
        return gbnf_class(g, p, in);
    if (**p == '(') {
        (*p)++;
        out = gbnf_choice(g, p, in);
        gbnf_space(p);
        assert_int_equal(**p, ')');
        (*p)++;
        return out;
    }
    len = strspn(*p, "abcdefghijklmnopqrstuvwxyz-");
    assert_true(len > 0);
    out = gbnf_rule(g, *p, len, in);
    *p += len;
    return out;
}

static int gbnf_repeat(const char **p, int *least, int *most)
{
    int end = 0;

    *least = *most = 1;
    if (**p == '?') {
        *least = 0;
        end = 1;
    } else if (sscanf(*p, "{%d,%d}%n", least, most, &end) == 2 && end > 0) {
        ;
    } else if (sscanf(*p, "{%d}%n", least, &end) == 1 && end > 0) {
        *most = *least;
    }
    *p += end;
    return end;
}

static struct set gbnf_repeated(const struct gbnf *g, const char **p,
                                const struct set *in)
{
    const char *start = *p, *again;
    struct set cur = gbnf_symbol(g, p, in), all = {{0}};
    int least, most, i;
    size_t k;

    if (gbnf_repeat(p, &least, &most) == 0)
        return cur;
    if (least == 0)
        all = *in;
    for (i = 1; i <= most; i++) {
        if (i > 1) {
            again = start;
            cur = gbnf_symbol(g, &again, &cur);
        }
        for (k = 0; i >= least && k <= g->len; k++)
            all.at[k] |= cur.at[k];
    }
    return all;
}

static int gbnf_at_rule(const char *p)
{
    return strncmp(p + strspn(p, "abcdefghijklmnopqrstuvwxyz-"), " ::=", 4) ==
           0;
}

static struct set gbnf_choice(const struct gbnf *g, const char **p,
                              const struct set *in)
{
    struct set all = {{0}}, cur;
    size_t k;

    for (;;) {
        cur = *in;
        gbnf_space(p);
        while (**p != '\0' && strchr("|)", **p) == NULL && !gbnf_at_rule(*p)) {
            cur = gbnf_repeated(g, p, &cur);
            gbnf_space(p);
        }
        for (k = 0; k <= g->len; k++)
            all.at[k] |= cur.at[k];
        if (**p != '|')
            return all;
        (*p)++;
    }
}

static int accepts(const char *grammar, const char *text)
{
    struct gbnf g = {grammar, text, strlen(text)};
    struct set start = {{1}};

    assert_true(g.len < SET_MAX);
    return gbnf_rule(&g, "root", 4, &start).at[g.len];
}

static void test_matcher(void **state)
{
    static const char g[] = "root ::= \"a\" (\"b\" | \"\\\"\") x{2,3} [^\\x00-"
                            "\\x1F\"] y?\nx ::= [0-9]\ny ::= \"z\"\n";

    (void)state;
    assert_true(accepts(g, "ab12!"));
    assert_true(accepts(g, "a\"123云z"));
    assert_false(accepts(g, "ab1!"));
    assert_true(accepts(g, "ab123"));
    assert_false(accepts(g, "ab1234!"));
    assert_false(accepts(g, "ab12\n"));
    assert_false(accepts(g, "ab12\""));
    assert_false(accepts(g, "ab12!zz"));
}

/* User texts */

static void user_is(const char *template, const char *parts, const char *want)
{
    cJSON *v = cJSON_Parse(parts);
    struct eb_buf b = {0};

    eb_prompt_user(template, v, &b);
    assert_string_equal(b.data, want);
    eb_buf_free(&b);
    cJSON_Delete(v);
}

static void test_user(void **state)
{
    static const char t[] = "Note: {order_note}\n\nMessage: {message}";

    (void)state;
    user_is(NULL, "{\"message\":\"hi\"}", "hi");
    user_is(t, "{\"message\":\"hi {order_note}\"}", "hi {order_note}");
    user_is(t, "{\"message\":\"hi\",\"order_note\":\"late\"}",
            "Note: late\n\nMessage: hi");
    user_is(t, "{\"order_note\":\"{message}\",\"message\":\"hi\"}",
            "Note: {message}\n\nMessage: hi");
    user_is("{message}|{passage}", "{\"message\":\"a\",\"x\":\"b\"}", "a|");
    user_is("open { brace", "{\"message\":\"a\",\"x\":\"b\"}", "open { brace");
}

/* Grammars */

static struct eb_suite suite;

static int load_mini(void **state)
{
    (void)state;
    return eb_suite_load(&suite, HELP_MINI, NULL);
}

static int free_mini(void **state)
{
    (void)state;
    eb_suite_free(&suite);
    return 0;
}

static void grammar_is(const char *level, const char *const *good,
                       const char *const *bad)
{
    struct eb_buf g = {0};

    eb_prompt_grammar(eb_suite_level(&suite, level), &g);
    for (; *good != NULL; good++) {
        if (!accepts(g.data, *good))
            fail_msg("%s\ndoes not accept %s", g.data, *good);
    }
    for (; *bad != NULL; bad++) {
        if (accepts(g.data, *bad))
            fail_msg("%s\naccepts %s", g.data, *bad);
    }
    eb_buf_free(&g);
}

static void test_grammar_json(void **state)
{
    static const char *const good[] = {
        "{\"intent\":\"cancel\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"intent\":\"cancel_order\",\"language\":\"zh\",\"urgency\":"
        "\"high\",\"escalate\":false}",
        NULL};
    static const char *const bad[] = {
        "",
        "{}",
        "{\"intent\":\"cancel_\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"language\":\"en\",\"intent\":\"cancel\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"intent\":\"cancel\", \"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true}",
        "{\"intent\":\"cancel\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":\"true\"}",
        "{\"intent\":\"cancel\",\"language\":\"en\",\"urgency\":\"low\","
        "\"escalate\":true} ",
        NULL};
    static const char *const good2[] = {
        "{\"city\":\"青岛\",\"count\":-5,\"price\":null}",
        "{\"city\":\"A \\\"B\\\"\",\"count\":0,\"price\":\"12\"}",
        "{\"city\":\"a\",\"count\":99,\"price\":\"123456789012\"}", NULL};
    static const char *const bad2[] = {
        "{\"city\":\"\",\"count\":1,\"price\":null}",
        "{\"city\":null,\"count\":1,\"price\":null}",
        "{\"city\":\"a\",\"count\":01,\"price\":null}",
        "{\"city\":\"a\",\"count\":100,\"price\":null}",
        "{\"city\":\"a\nb\",\"count\":1,\"price\":null}",
        "{\"city\":\"a\"b\",\"count\":1,\"price\":null}",
        "{\"city\":\"123456789012345678901\",\"count\":1,\"price\":null}",
        "{\"city\":\"a\",\"count\":1,\"price\":\"1234567890123\"}",
        NULL};

    (void)state;
    grammar_is("sort", good, bad);
    grammar_is("extract", good2, bad2);
}

static void test_grammar_calls(void **state)
{
    static const char *const good[] = {
        "{\"tool\":\"none\",\"args\":{}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK000001\"}}",
        "{\"tool\":\"refund\",\"args\":{\"order_id\":\"LK482915\",\"reason\":"
        "\"late\"}}",
        "{\"tool\":\"create_ticket\",\"args\":{\"topic\":\"fraud\","
        "\"order_id\":null}}",
        "{\"tool\":\"create_ticket\",\"args\":{\"topic\":\"fraud\","
        "\"order_id\":\"LK123456\"}}",
        "{\"tool\":\"change_address\",\"args\":{\"order_id\":\"LK123456\","
        "\"address\":\"杭州市枫林路14号2单元\"}}",
        NULL};
    static const char *const bad[] = {
        "{\"tool\":\"none\",\"args\":{\"order_id\":null}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":null}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK00001\"}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK0000011\"}}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"lk000001\"}}",
        "{\"tool\":\"refund\",\"args\":{\"reason\":\"late\",\"order_id\":"
        "\"LK482915\"}}",
        "{\"tool\":\"refund\",\"args\":{\"order_id\":\"LK482915\",\"reason\":"
        "\"fraud\"}}",
        "{\"tool\":\"change_address\",\"args\":{\"order_id\":\"LK123456\","
        "\"address\":\"\"}}",
        "{\"say\":\"hello\"}",
        "{\"tool\":\"none\",\"args\":{}}{\"tool\":\"none\",\"args\":{}}",
        NULL};
    static const char *const good2[] = {
        "{\"say\":\"你好，请告诉我订单号。\"}", "{\"say\":\"Hello!\"}",
        "{\"tool\":\"lookup_order\",\"args\":{\"order_id\":\"LK000001\"}}",
        NULL};
    static const char *const bad2[] = {
        "{\"say\":\"\"}", "{\"say\":\"a\",\"tool\":\"none\"}",
        "{\"tool\":\"refund\",\"args\":{\"order_id\":\"LK482915\",\"reason\":"
        "\"late\"}}",
        "{\"tool\":\"none\",\"args\":{}}", NULL};
    static const char *const good3[] = {
        "{\"answer\":\"30 天。\",\"source\":\"returns\"}",
        "{\"answer\":\"It does not say.\",\"source\":null}", NULL};
    static const char *const bad3[] = {"{\"answer\":null,\"source\":null}",
                                       "{\"source\":null,\"answer\":\"a\"}",
                                       NULL};

    (void)state;
    grammar_is("act", good, bad);
    grammar_is("talk", good2, bad2);
    grammar_is("answer", good3, bad3);
}

/* The two ways to say what is allowed, grammar and schema, agree: random
 * valid answers and the keys of all items are accepted. */
static void test_grammar_takes_valid(void **state)
{
    size_t i, k;

    (void)state;
    for (i = 0; i < suite.n_levels; i++) {
        const struct eb_level *l = &suite.levels[i];
        struct eb_buf g = {0}, out = {0};

        eb_prompt_grammar(l, &g);
        for (k = 0; l->kind != EB_KIND_DIALOG && k < 200; k++) {
            const struct eb_null *null = eb_nulls;
            struct eb_case c;
            struct eb_rng rng;

            while (strcmp(null->name, "random-json") != 0)
                null++;
            eb_rng_init(&rng, k, NULL, NULL);
            assert_int_equal(eb_case_fill(&c, &suite, l, &l->items[k % 2],
                                          EB_PROMPT_CLEAR, k, NULL),
                             0);
            eb_buf_reset(&out);
            if (k < 20)
                eb_null_key(&c, &out);
            else
                null->answer(&c, &rng, &out);
            if (!accepts(g.data, out.data))
                fail_msg("%s\ndoes not accept %s", g.data, out.data);
            eb_case_free(&c);
        }
        eb_buf_free(&g);
        eb_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matcher),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_grammar_json),
        cmocka_unit_test(test_grammar_calls),
        cmocka_unit_test(test_grammar_takes_valid),
    };

    return cmocka_run_group_tests(tests, load_mini, free_mini);
}
