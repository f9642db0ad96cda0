/* Calls of functions that an item brings along: levels of kind "calls"
 * (workloads/JOB.md, "Calls").
 *
 *     tools   [{"name":"f","description":"...","parameters":<JSON schema>}]
 *     gold    {"calls":[{"tool":"f","args":{"x":[5],"unit":["cm",""]}}]}
 *     output  {"calls":[{"tool":"f","args":{"x":5}}]}
 *     result  ok: 5 is an accepted x, and "" says that unit may be left out
 *
 * The order of calls does not matter. Which values count as equal follows
 * the syntax-tree match of the Berkeley Function-Calling Leaderboard. Pure
 * functions, any thread; trees belong to the caller. */
#ifndef EB_CALLS_H
#define EB_CALLS_H

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "workloads/grade.h"
#include "workloads/rng.h"
#include "workloads/suite.h"

#define EB_CALLS_MAX 32 /* calls in one answer */
#define EB_CALLS_WHY 160

/* Functions. A parameter's schema has a type (string, number, integer,
 * boolean, array, object; none: anything), and where it helps properties,
 * required, items, enum, default. A default of null allows null. */

/* 0 if the array holds functions with different names, else -1 and why.
 * Strings name functions of `shared` (may be NULL). */
int eb_calls_check_tools(const cJSON *tools, const cJSON *shared,
                         char why[EB_CALLS_WHY]);
/* The array with names replaced by the functions they name. The elements
 * point into both trees; free with cJSON_Delete before them. */
cJSON *eb_calls_tools(const cJSON *tools, const cJSON *shared);
const cJSON *eb_calls_tool(const cJSON *tools, const char *name);
/* 1 if the parameter may not be left out. */
int eb_calls_required(const cJSON *schema, const char *name);
/* 1 if the grammar lets the value through. */
int eb_calls_allowed(const cJSON *schema, const cJSON *v);

/* Golds: {"calls":[...]}, {"one_of":[[...],[...]]} for several right
 * answers, {"any_call":true} for any call at all. */

/* 0 if an answer with allowed values can be made from the gold (each of
 * one_of), else -1 and why. */
int eb_calls_check_gold(const cJSON *tools, const cJSON *gold,
                        char why[EB_CALLS_WHY]);
/* 1 if no call is right. */
int eb_calls_abstain(const cJSON *gold);
/* The right answer; NULL if there is none. Free with cJSON_Delete. */
cJSON *eb_calls_key(const cJSON *tools, const cJSON *gold);

/* 1 if the value is one of the accepted ones. Texts are equal without case
 * and without " ,./-_*^"; numbers by value; lists element by element. An
 * accepted object holds for each key an array of accepted values. */
int eb_calls_match(const cJSON *accepted, const cJSON *v);
/* The same text form for both sides of a comparison; free with free(). */
char *eb_calls_text(const char *s);

void eb_calls_grade(const cJSON *tools, const cJSON *gold, const cJSON *got,
                    struct eb_result *r);

/* Appends the functions, one JSON object a line. */
void eb_calls_show(const cJSON *tools, struct eb_buf *out);
/* Appends the grammar (GBNF) of answers that call these functions with
 * allowed values: required parameters first, then the others, each in the
 * order of the schema. NULL: any JSON object as arguments. */
void eb_calls_grammar(const cJSON *tools, struct eb_buf *out);

/* One call without any understanding, as JSON text. */
enum eb_calls_guess {
    EB_CALLS_FIRST,   /* the first function */
    EB_CALLS_KEYWORD, /* the one with most words of the message */
    EB_CALLS_RANDOM
};
void eb_calls_guess(const struct eb_case *c, enum eb_calls_guess how,
                    struct eb_rng *rng, struct eb_buf *out);

#endif
