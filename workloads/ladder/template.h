/* Corpus templates: `{a|b|c}`, `<list>` and value slots; syntax in
 * workloads/models/corpus/FORMAT.md. One struct a file; read-only after
 * template_load, except that expanding needs the caller's rng. */
#ifndef EB_LADDER_TEMPLATE_H
#define EB_LADDER_TEMPLATE_H

#include "common/buf.h"
#include "common/err.h"
#include "workloads/rng.h"

struct tmpl_lines {
    char **v;
    int n;
};

struct tmpl_list {
    char *name;
    struct tmpl_lines alt;
};

/* `[order_status urgency=low tool=lookup_order]` and the lines below it. */
struct tmpl_section {
    char *name;
    char *urgency;
    char *tool;
    char *topic;
    int escalate;
    struct tmpl_lines lines;
};

struct tmpl_file {
    const char *path;
    int zh;
    struct tmpl_list *lists;
    int n_lists;
    struct tmpl_section *sections;
    int n_sections;
};

/* Values drawn while expanding; empty when the line had no such slot. */
struct tmpl_values {
    char order[12];
    char address[160];
    char street[96];
    char city[48];
    int a;
    int b;
};

int tmpl_load(const char *path, int zh, struct tmpl_file *f,
              struct eb_err *err);
void tmpl_free(struct tmpl_file *f);
/* Appends one random expansion of text to out. EB_EPARSE for unbalanced
 * braces or an unknown <name>. */
int tmpl_expand(const struct tmpl_file *f, const char *text, struct eb_rng *rng,
                struct tmpl_values *val, struct eb_buf *out,
                struct eb_err *err);
void tmpl_lines_add(struct tmpl_lines *l, const char *s, size_t len);
void tmpl_lines_free(struct tmpl_lines *l);

#endif
