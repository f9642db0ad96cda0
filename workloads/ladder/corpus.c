#include "workloads/ladder/corpus.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"

#define CORPUS_HELD_OUT 10 /* every tenth line */
#define FACTS_MAX_BYTES (1u << 20)

const char *const corpus_level_names[] = {"triage", "act", "answer"};
const char *const corpus_lang_names[] = {"en", "zh"};

static void corpus_fact_free(struct corpus_fact *f)
{
    free(f->section);
    tmpl_lines_free(&f->statements);
    tmpl_lines_free(&f->questions);
    tmpl_lines_free(&f->answers);
}

static void corpus_fact_line(struct corpus *c, int lang, const char *line)
{
    struct corpus_fact *f;
    const char *text = line + 2;

    while (*text == ' ')
        text++;
    if (*line == 'S') {
        c->facts[lang] =
            eb_xrealloc(c->facts[lang], (size_t)c->n_facts[lang] + 1,
                        sizeof(*c->facts[lang]));
        f = &c->facts[lang][c->n_facts[lang]++];
        *f = (struct corpus_fact){.section = eb_xstrdup(text),
                                  .a_lo = 2,
                                  .a_hi = 90,
                                  .b_lo = 2,
                                  .b_hi = 90};
        return;
    }
    if (!c->n_facts[lang])
        return;
    f = &c->facts[lang][c->n_facts[lang] - 1];
    if (*line == 'R') {
        const char *a = strstr(text, "a=");
        const char *b = strstr(text, "b=");
        if (a)
            sscanf(a, "a=%d..%d", &f->a_lo, &f->a_hi);
        if (b)
            sscanf(b, "b=%d..%d", &f->b_lo, &f->b_hi);
    } else {
        struct tmpl_lines *l = *line == 'P'   ? &f->statements
                               : *line == 'Q' ? &f->questions
                                              : &f->answers;
        tmpl_lines_add(l, text, strlen(text));
    }
}

static int corpus_load_facts(const char *path, struct corpus *c, int lang,
                             struct eb_err *err)
{
    struct eb_buf b = {0};
    char *save = NULL;
    int rc = eb_fs_read(path, FACTS_MAX_BYTES, &b, err);

    for (char *line = rc ? NULL : strtok_r(b.data, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save))
        if (strchr("SPQAR", line[0]) && line[1] == ':')
            corpus_fact_line(c, lang, line);
    eb_buf_free(&b);
    for (int i = 0; i < c->n_facts[lang] && !rc; i++) {
        struct corpus_fact *f = &c->facts[lang][i];
        if (!f->statements.n || !f->questions.n || !f->answers.n)
            rc = eb_fail(err, EB_EPARSE,
                         "%s: block %d (%s) lacks a P, Q or A line", path,
                         i + 1, f->section);
    }
    c->fact_lists[lang] = (struct tmpl_file){.path = "facts", .zh = lang};
    return rc;
}

int corpus_load(const char *dir, struct corpus *c, struct eb_err *err)
{
    int rc = 0;

    *c = (struct corpus){0};
    for (int lang = 0; lang < CORPUS_LANGS && !rc; lang++) {
        char *path =
            eb_xasprintf("%s/messages.%s.txt", dir, corpus_lang_names[lang]);
        char *facts =
            eb_xasprintf("%s/facts.%s.txt", dir, corpus_lang_names[lang]);
        rc = tmpl_load(path, lang == CORPUS_ZH, &c->messages[lang], err);
        c->messages[lang].path = "messages";
        if (!rc)
            rc = corpus_load_facts(facts, c, lang, err);
        free(path);
        free(facts);
    }
    if (rc)
        corpus_free(c);
    return rc;
}

void corpus_free(struct corpus *c)
{
    for (int lang = 0; lang < CORPUS_LANGS; lang++) {
        tmpl_free(&c->messages[lang]);
        for (int i = 0; i < c->n_facts[lang]; i++)
            corpus_fact_free(&c->facts[lang][i]);
        free(c->facts[lang]);
    }
    *c = (struct corpus){0};
}

void corpus_sample_free(struct corpus_sample *s)
{
    eb_buf_free(&s->user);
    eb_buf_free(&s->answer);
}

/* A line of the wanted share, with that slot if one is named; every tenth
 * line belongs to evaluation. */
static const char *corpus_line(const struct tmpl_lines *l, const char *slot,
                               int held_out, struct eb_rng *rng)
{
    for (int i = 0; i < 200; i++) {
        int k = eb_rng_index(rng, l->n);
        if ((k % CORPUS_HELD_OUT == CORPUS_HELD_OUT - 1) == held_out &&
            (!slot || strstr(l->v[k], slot)))
            return l->v[k];
    }
    return l->v[0];
}

/* What act samples ask for, in per cent, close to what a shop's agent gets:
 * intents drawn evenly would leave two thirds without a call. Addresses are
 * more, since copying them is what is hardest to learn; half of what needs no
 * call names an order all the same. */
static const struct corpus_call {
    const char *tool; /* or its prefix */
    const char *slot; /* that its lines hold; NULL: any */
    int percent;
} corpus_calls[] = {{"lookup_order", "<order>", 10},
                    {"refund:", "<order>", 20},
                    {"change_address", "<order>", 14},
                    {"cancel_order", "<order>", 11},
                    {"ticket:", NULL, 11},
                    {"ticket:other", NULL, 3},
                    {"none", "order>", 17},
                    {"none", NULL, 14}};
#define CORPUS_CALLS (sizeof(corpus_calls) / sizeof(corpus_calls[0]))
/* Messages, in per cent, that a sentence added to them escalates. */
#define CORPUS_ESCALATED 22
#define CORPUS_ESCALATED_ACT 10

struct corpus_message {
    const struct tmpl_section *section;
    const char *slot; /* that its line must hold, or NULL */
    int escalated_percent;
    const char *urgency;
    const char *topic; /* of the ticket when escalated by an added sentence */
    int escalate;
    int forbidden; /* the account note forbids what is asked */
    struct tmpl_values val;
};

static int corpus_lines(const struct tmpl_section *s, const char *slot)
{
    int n = slot ? 0 : s->lines.n;

    for (int i = 0; slot && i < s->lines.n; i++)
        n += strstr(s->lines.v[i], slot) != NULL;
    return n;
}

/* A section of that name (and topic and start of the tool, where given), in
 * proportion to its lines with the slot (NULL: all); name NULL: any intent. */
static const struct tmpl_section *
corpus_section(const struct tmpl_file *f, const char *name, const char *topic,
               const char *tool, const char *slot, struct eb_rng *rng)
{
    const struct tmpl_section *pick = NULL;
    int total = 0;

    for (int i = 0; i < f->n_sections; i++) {
        const struct tmpl_section *s = &f->sections[i];
        if ((name ? strcmp(s->name, name) != 0 : s->name[0] == '+') ||
            (topic && strcmp(s->topic, topic)) ||
            (tool && strncmp(s->tool, tool, strlen(tool))))
            continue;
        int n = corpus_lines(s, slot);
        if (!n)
            continue;
        total += n;
        if (eb_rng_index(rng, total) < n)
            pick = s;
    }
    return pick;
}

static const char *corpus_intent(const struct tmpl_file *f, struct eb_rng *rng)
{
    const char *seen[64];
    int n = 0;

    /* out_of_scope is as broad as four intents. */
    if (eb_rng_percent(rng, 14))
        return "out_of_scope";
    for (int i = 0; i < f->n_sections && n < 64; i++) {
        int known = f->sections[i].name[0] == '+' ||
                    !strcmp(f->sections[i].name, "out_of_scope");
        for (int k = 0; k < n && !known; k++)
            known = !strcmp(seen[k], f->sections[i].name);
        if (!known)
            seen[n++] = f->sections[i].name;
    }
    return seen[eb_rng_index(rng, n)];
}

static void corpus_join(struct eb_buf *out, int zh)
{
    if (!out->len || zh)
        return;
    if (out->data[out->len - 1] != ' ')
        eb_buf_addc(out, ' ');
}

/* Appends an expansion of a special section such as "+closer". */
static int corpus_extra(const struct tmpl_file *f, const char *name,
                        const char *topic, int held_out, struct eb_rng *rng,
                        struct corpus_message *m, struct eb_buf *out,
                        struct eb_err *err)
{
    const struct tmpl_section *s =
        corpus_section(f, name, topic, NULL, NULL, rng);

    if (!s)
        return 0;
    corpus_join(out, f->zh);
    return tmpl_expand(f, corpus_line(&s->lines, NULL, held_out, rng), rng,
                       &m->val, out, err);
}

static int corpus_body(const struct tmpl_file *f, int held_out,
                       struct eb_rng *rng, struct corpus_message *m,
                       struct eb_buf *out, struct eb_err *err)
{
    static const char *const topics[] = {"complaint", "complaint", "safety",
                                         "fraud"};
    const char *line = corpus_line(&m->section->lines, m->slot, held_out, rng);
    int oos = !strcmp(m->section->name, "out_of_scope");
    int escalated =
        !oos && !m->escalate && eb_rng_percent(rng, m->escalated_percent);
    int first = escalated && eb_rng_percent(rng, 35);
    int rc = 0;

    if (escalated) {
        m->topic = topics[eb_rng_index(rng, 4)];
        m->escalate = 1;
        if (strcmp(m->topic, "complaint"))
            m->urgency = "high";
    }
    if (first)
        rc = corpus_extra(f, "+escalate", m->topic, held_out, rng, m, out, err);
    else if (!oos && !escalated && eb_rng_percent(rng, 10))
        rc = corpus_extra(f, "+angry", NULL, held_out, rng, m, out, err);
    corpus_join(out, f->zh);
    if (!rc)
        rc = tmpl_expand(f, line, rng, &m->val, out, err);
    if (!rc && escalated && !first)
        rc = corpus_extra(f, "+escalate", m->topic, held_out, rng, m, out, err);
    else if (!rc && !oos && !escalated && eb_rng_percent(rng, 12))
        rc = corpus_extra(f, "+angry", NULL, held_out, rng, m, out, err);
    if (!rc && !oos && eb_rng_percent(rng, 8)) {
        rc = corpus_extra(f, "+urgent", NULL, held_out, rng, m, out, err);
        m->urgency = "high";
    }
    return rc;
}

static int corpus_inside(const struct eb_buf *b, size_t at, const char *value)
{
    const char *found = value[0] ? strstr(b->data, value) : NULL;

    while (found) {
        size_t from = (size_t)(found - b->data);
        if (at >= from && at < from + strlen(value))
            return 1;
        found = strstr(found + 1, value);
    }
    return 0;
}

/* Text that a call has to copy stays whole. */
static int corpus_copied(const struct eb_buf *b, size_t at,
                         const struct tmpl_values *val)
{
    return corpus_inside(b, at, val->order) ||
           corpus_inside(b, at, val->street) || corpus_inside(b, at, val->city);
}

static void corpus_slip(struct eb_buf *b, const struct tmpl_values *val,
                        struct eb_rng *rng)
{
    size_t i = 1 + (size_t)eb_rng_index(rng, (int)b->len - 2);

    if (!islower((unsigned char)b->data[i]) ||
        !islower((unsigned char)b->data[i - 1]) || corpus_copied(b, i, val) ||
        corpus_copied(b, i - 1, val))
        return;
    if (eb_rng_percent(rng, 50)) {
        char t = b->data[i];
        b->data[i] = b->data[i - 1];
        b->data[i - 1] = t;
    } else {
        memmove(b->data + i, b->data + i + 1, b->len - i);
        b->len--;
    }
}

/* Small slips of a hurried writer. */
static void corpus_noise_en(struct eb_buf *b, const struct tmpl_values *val,
                            struct eb_rng *rng)
{
    int lower = eb_rng_percent(rng, 20);

    for (size_t i = 0; lower && i < b->len; i++)
        if (!corpus_copied(b, i, val))
            b->data[i] = (char)tolower((unsigned char)b->data[i]);
    if (eb_rng_percent(rng, 15) && b->len && strchr(".!", b->data[b->len - 1]))
        b->data[--b->len] = '\0';
    int slips = eb_rng_percent(rng, 25) ? 1 + eb_rng_index(rng, 3) : 0;
    for (int k = 0; k < slips && b->len > 12; k++)
        corpus_slip(b, val, rng);
}

/* Chinese writers often leave out the closing mark or use a space. */
static void corpus_noise_zh(struct eb_buf *b, struct eb_rng *rng)
{
    static const char *const marks[] = {"。", "!", "！", "？"};

    if (!eb_rng_percent(rng, 35))
        return;
    for (int i = 0; i < 4; i++) {
        size_t n = strlen(marks[i]);
        if (b->len > n && !memcmp(b->data + b->len - n, marks[i], n)) {
            b->len -= n;
            b->data[b->len] = '\0';
            return;
        }
    }
}

static void corpus_topic(const struct tmpl_file *f, enum corpus_level level,
                         struct eb_rng *rng, struct corpus_message *m)
{
    int at = eb_rng_index(rng, 100);
    size_t i = 0;

    *m = (struct corpus_message){.escalated_percent = CORPUS_ESCALATED};
    if (level == CORPUS_TRIAGE) {
        m->section =
            corpus_section(f, corpus_intent(f, rng), NULL, NULL, NULL, rng);
        return;
    }
    while (i + 1 < CORPUS_CALLS && at >= corpus_calls[i].percent)
        at -= corpus_calls[i++].percent;
    m->slot = corpus_calls[i].slot;
    m->section =
        corpus_section(f, NULL, NULL, corpus_calls[i].tool, m->slot, rng);
    m->escalated_percent = CORPUS_ESCALATED_ACT;
}

static int corpus_message(const struct tmpl_file *f, enum corpus_level level,
                          int held_out, struct eb_rng *rng,
                          struct corpus_message *m, struct eb_buf *out,
                          struct eb_err *err)
{
    int rc = 0;

    eb_buf_reset(out);
    corpus_topic(f, level, rng, m);
    if (!m->section)
        return eb_fail(err, EB_EPARSE, "%s: an intent has no lines", f->path);
    m->urgency = m->section->urgency;
    m->escalate = m->section->escalate;
    if (eb_rng_percent(rng, 25))
        rc = corpus_extra(f, "+opener", NULL, held_out, rng, m, out, err);
    if (!rc)
        rc = corpus_body(f, held_out, rng, m, out, err);
    if (!rc && eb_rng_percent(rng, 20))
        rc = corpus_extra(f, "+closer", NULL, held_out, rng, m, out, err);
    if (f->zh)
        corpus_noise_zh(out, rng);
    else
        corpus_noise_en(out, &m->val, rng);
    return rc;
}

static void corpus_triage(const struct corpus_message *m, int lang,
                          struct eb_buf *out)
{
    eb_buf_addf(out,
                "{\"intent\":\"%s\",\"language\":\"%s\",\"urgency\":\"%s\","
                "\"escalate\":%s}",
                m->section->name, corpus_lang_names[lang], m->urgency,
                m->escalate ? "true" : "false");
}

static void corpus_ticket(const char *topic, const char *order,
                          struct eb_buf *out)
{
    eb_buf_addf(out,
                "{\"tool\":\"create_ticket\",\"args\":{\"topic\":\"%s\","
                "\"order_id\":",
                topic);
    if (order[0])
        eb_buf_addf(out, "\"%s\"}}", order);
    else
        eb_buf_adds(out, "null}}");
}

static void corpus_act(const struct corpus_message *m, int zh,
                       struct eb_buf *out)
{
    const char *tool = m->section->tool;
    const char *order = m->val.order;

    if (m->topic) {
        corpus_ticket(m->topic, order, out);
    } else if (!strncmp(tool, "ticket:", 7)) {
        corpus_ticket(tool + 7, order, out);
    } else if (!order[0] || m->forbidden || !strcmp(tool, "none")) {
        eb_buf_adds(out, "{\"tool\":\"none\",\"args\":{}}");
    } else if (!strncmp(tool, "refund:", 7)) {
        eb_buf_addf(out,
                    "{\"tool\":\"refund\",\"args\":{\"order_id\":\"%s\","
                    "\"reason\":\"%s\"}}",
                    order, tool + 7);
    } else if (!strcmp(tool, "change_address")) {
        eb_buf_addf(out,
                    "{\"tool\":\"change_address\",\"args\":{\"order_id\":"
                    "\"%s\",\"address\":\"%s%s%s\"}}",
                    order, zh ? m->val.city : m->val.street, zh ? "" : ", ",
                    zh ? m->val.street : m->val.city);
    } else {
        eb_buf_addf(out, "{\"tool\":\"%s\",\"args\":{\"order_id\":\"%s\"}}",
                    tool, order);
    }
}

/* Puts an account note before the message, as custsvc does. A note section
 * names the tool that it forbids; `none` forbids nothing. */
static int corpus_note(const struct tmpl_file *f, int held_out,
                       struct eb_rng *rng, struct corpus_message *m,
                       struct eb_buf *user, struct eb_err *err)
{
    const char *forbids =
        m->val.order[0] && eb_rng_percent(rng, 50) ? m->section->tool : "none";
    const struct tmpl_section *s =
        corpus_section(f, "+note", NULL, forbids, NULL, rng);
    struct eb_buf out = {0};
    int rc;

    if (!s)
        return 0;
    m->forbidden = strcmp(s->tool, "none") != 0;
    eb_buf_adds(&out, f->zh ? "账户备注：" : "Account note: ");
    rc = tmpl_expand(f, corpus_line(&s->lines, NULL, held_out, rng), rng,
                     &m->val, &out, err);
    eb_buf_addf(&out, "\n\n%s%s", f->zh ? "来信：" : "Message: ", user->data);
    eb_buf_free(user);
    *user = out;
    return rc;
}

static int corpus_range(struct eb_rng *rng, int lo, int hi)
{
    return hi > lo ? lo + eb_rng_index(rng, hi - lo + 1) : lo;
}

static int corpus_statement(const struct corpus *c, int lang,
                            const struct corpus_fact *f, struct eb_rng *rng,
                            struct tmpl_values *val, struct eb_buf *out,
                            struct eb_err *err)
{
    val->a = corpus_range(rng, f->a_lo, f->a_hi);
    val->b = corpus_range(rng, f->b_lo, f->b_hi);
    eb_buf_addf(out, "[%s] ", f->section);
    int rc = tmpl_expand(&c->fact_lists[lang],
                         f->statements.v[eb_rng_index(rng, f->statements.n)],
                         rng, val, out, err);
    eb_buf_addc(out, '\n');
    return rc;
}

/* A passage of two or three facts; one in three questions is about a fact
 * that is not in it. */
static int corpus_answer(const struct corpus *c, int lang, int held_out,
                         struct eb_rng *rng, struct corpus_sample *s,
                         struct eb_err *err)
{
    int n = 2 + eb_rng_index(rng, 2);
    int pick[4];
    int asked = eb_rng_percent(rng, 33) ? n : eb_rng_index(rng, n);
    struct tmpl_values vals[4] = {0};
    struct eb_buf text = {0};
    int rc = 0;

    for (int i = 0; i <= n; i++) {
        int again = 1;
        while (again) {
            pick[i] = eb_rng_index(rng, c->n_facts[lang]);
            again = 0;
            for (int k = 0; k < i; k++)
                again |= pick[k] == pick[i];
        }
    }
    eb_buf_reset(&s->user);
    for (int i = 0; i < n && !rc; i++)
        rc = corpus_statement(c, lang, &c->facts[lang][pick[i]], rng, &vals[i],
                              &s->user, err);
    const struct corpus_fact *f = &c->facts[lang][pick[asked]];
    eb_buf_addc(&s->user, '\n');
    if (!rc)
        rc = tmpl_expand(&c->fact_lists[lang],
                         corpus_line(&f->questions, NULL, held_out, rng), rng,
                         &vals[asked], &s->user, err);
    if (!rc && asked < n)
        rc = tmpl_expand(&c->fact_lists[lang],
                         f->answers.v[eb_rng_index(rng, f->answers.n)], rng,
                         &vals[asked], &text, err);
    if (asked < n)
        eb_buf_addf(&s->answer, "{\"answer\":\"%s\",\"source\":\"%s\"}",
                    text.data ? text.data : "", f->section);
    else
        eb_buf_addf(&s->answer, "{\"answer\":\"%s\",\"source\":null}",
                    lang == CORPUS_ZH ? "店规没有写。"
                                      : "The policy does not say.");
    eb_buf_free(&text);
    return rc;
}

/* An address, said again. */
static int corpus_copy(const struct tmpl_file *f, struct eb_rng *rng,
                       struct corpus_sample *s, struct eb_err *err)
{
    struct tmpl_values val = {0};
    int rc;

    eb_buf_reset(&s->user);
    rc = tmpl_expand(f, f->zh ? "<city><street>" : "<street>, <city>", rng,
                     &val, &s->user, err);
    eb_buf_adds(&s->answer, s->user.data);
    return rc;
}

int corpus_sample(const struct corpus *c, enum corpus_level level,
                  enum corpus_lang lang, int held_out, struct eb_rng *rng,
                  struct corpus_sample *s, struct eb_err *err)
{
    struct corpus_message m;
    int rc;

    eb_buf_reset(&s->answer);
    if (level == CORPUS_ANSWER)
        return corpus_answer(c, lang, held_out, rng, s, err);
    if (level == CORPUS_COPY)
        return corpus_copy(&c->messages[lang], rng, s, err);
    rc = corpus_message(&c->messages[lang], level, held_out, rng, &m, &s->user,
                        err);
    if (rc)
        return rc;
    if (level == CORPUS_TRIAGE) {
        corpus_triage(&m, lang, &s->answer);
        return 0;
    }
    if (eb_rng_percent(rng, 15))
        rc = corpus_note(&c->messages[lang], held_out, rng, &m, &s->user, err);
    corpus_act(&m, lang == CORPUS_ZH, &s->answer);
    return rc;
}
