/* What the importers of function-calling sets share: rows of JSON Lines,
 * schemas of many dialects, and items of kind calls. For import_*.c only.
 * One thread; trees belong to whom the comment says. */
#ifndef EB_IMPORT_CALLS_H
#define EB_IMPORT_CALLS_H

#include <stddef.h>

#include "common/buf.h"
#include "workloads/import/import.h"

struct eb_rows {
    char *path;
    cJSON **v; /* objects */
    int *line; /* from 1 */
    size_t n;
};

/* JSON Lines, whatever the name ends in, or one JSON array of objects; blank
 * lines do not count. Errors name file and line. */
int eb_rows_read(struct eb_rows *r, const char *path, struct eb_err *err);
void eb_rows_free(struct eb_rows *r);
/* The row whose member id is the text; NULL. */
const cJSON *eb_rows_find(const struct eb_rows *r, const char *id);
/* EB_EPARSE with "file:line: what". */
int eb_rows_fail(const struct eb_rows *r, size_t i, struct eb_err *err,
                 const char *what);

/* A member that is a string with text; NULL. */
const char *eb_calls_str(const cJSON *obj, const char *key);

/* A function {"name","description","parameters"} in the types of JSON
 * schema: dict, float, tuple, any, list(string) and so on become object,
 * number, array, nothing. New tree. */
cJSON *eb_calls_function(const cJSON *source);
cJSON *eb_calls_schema(const cJSON *source);
/* Takes a parameter out of a function. */
void eb_calls_drop(cJSON *function, const char *parameter);

/* [pattern]: a plain value as the only accepted one. New tree. */
cJSON *eb_calls_accept(const cJSON *value);
/* As the pattern of a gold: members of objects become arrays. */
cJSON *eb_calls_pattern(const cJSON *value);
/* {"tool":name,"args":args}; takes args over. */
cJSON *eb_calls_call(const char *name, cJSON *args);
/* {"calls":calls}; takes the array over. */
cJSON *eb_calls_gold(cJSON *calls);

/* "f(1, b='x')" of Python: name, positional values and named ones, literals
 * only. 0, or -1 if it is no such call. Free all three. */
int eb_python_call(const char *text, char **name, cJSON **values,
                   cJSON **named);

/* An item before it is added. */
struct eb_calls_item {
    const char *capability; /* "call" or "abstain" */
    const char *stratum;
    const char *cluster;
    const char *lang;
    const char *message;
    const char *context; /* before the message; NULL: none */
    cJSON *tools;        /* taken over */
    cJSON *gold;         /* taken over */
};

struct eb_calls_level {
    const char *name;
    const char *why;
    double bar;
    int max_tokens;
    int unpaired;     /* languages are no translations */
    cJSON *functions; /* taken over; NULL: none */
    size_t n_bad;     /* items that eb_calls_add left out */
    char bad[160];    /* why, the last time */
    size_t longest;   /* bytes of a prompt */
};

/* The level and its prompts in the languages ("en zh"). */
void eb_calls_add_level(struct eb_import_suite *s, struct eb_calls_level *l,
                        const char *langs);
/* Adds an item; leaves it out and counts it if its gold cannot be said with
 * its functions. Returns 1 if it was added. */
int eb_calls_add(struct eb_import_suite *s, struct eb_calls_level *l,
                 struct eb_calls_item *item);
/* Notes what was left out. */
void eb_calls_end(struct eb_import_suite *s, const struct eb_calls_level *l);

/* 1 if nearly all letters are Latin ones: an item of a set in English. */
int eb_calls_is_latin(const char *text);
/* 1 if all texts in the arguments of the calls stand in a text, and all
 * numbers if they are asked for. */
int eb_calls_told(const cJSON *calls, const char *text, int numbers);
/* Appends "role: text\n". */
void eb_calls_say(struct eb_buf *out, const char *role, const char *text);

#endif
