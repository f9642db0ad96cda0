/* Tasks of tau-bench and tau2-bench; for import_tau*.c only.
 *
 * Both play a customer with a language model and look at the database at the
 * end. Here a task is one item: the records that belong to the customer, what
 * the customer wants, and as the right answer all calls that change
 * something. Looking things up is done already. */
#ifndef EB_IMPORT_TAU_H
#define EB_IMPORT_TAU_H

#include "workloads/import/import_calls.h"

struct eb_tau_db {
    cJSON *all; /* owns the others */
    const cJSON *users, *orders, *products, *reservations, *flights;
};

struct eb_tau_task {
    const char *id;
    const char *text;     /* what the customer wants */
    const char *user_id;  /* NULL: look for it */
    const cJSON *actions; /* [{"name", "kwargs" or "arguments"}] */
};

struct eb_tau {
    struct eb_import_suite *s;
    struct eb_tau_db db;
    struct eb_calls_level level;
    const char *policy; /* set by eb_tau_begin */
    size_t n_user;   /* no customer found */
    size_t n_hidden; /* values that are in no record */
    size_t n_output; /* facts to be said, not judged */
    size_t n_judge;  /* tau2: needs a judge */
    size_t n_other;  /* tau2: the customer acts too */
};

/* The arguments of an action of either bench. */
const cJSON *eb_tau_args(const cJSON *action);
/* 1 if an action changes nothing. */
int eb_tau_reads(const char *name);
/* Appends the records of a task; 0, or -1 if its customer is not found. */
int eb_tau_records(const struct eb_tau_db *db, const struct eb_tau_task *t,
                   struct eb_buf *out);
/* Adds the level; its prompts end with the policy. */
void eb_tau_begin(struct eb_tau *t, const char *policy);
void eb_tau_add(struct eb_tau *t, const struct eb_tau_task *task);
void eb_tau_end(struct eb_tau *t);

#endif
