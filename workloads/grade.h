/* Is an output right? Decided by code alone, the same for every model
 * (workloads/JOB.md, "Outputs and how they are judged").
 *
 *     output  {"intent":"order_status","language":"en","urgency":"high",...}
 *     gold    ...                                   "urgency":"normal"
 *     result  wrong, "urgency: expected normal, got high"
 *
 * Pure functions, any thread. The caller owns all structs. */
#ifndef EB_GRADE_H
#define EB_GRADE_H

#include "common/record.h"
#include "workloads/suite.h"

#define EB_DETAIL_LEN 160

struct eb_result {
    enum eb_outcome outcome;    /* ok, wrong, unparsed, refused, truncated */
    char detail[EB_DETAIL_LEN]; /* "" if ok; cut at a whole character */
    int critical;               /* something forbidden was said or called */
};

/* truncated: the output ended at the token limit. It decides only if no
 * complete answer came before. Levels of kind dialog are judged by their own
 * code; here they give harness_error. */
void eb_grade_case(const struct eb_case *c, const char *output, int truncated,
                   struct eb_result *result);

/* The one JSON object of an output by the clean-up rules; NULL if there is
 * none (why says what is wrong with it). *more is set if another object
 * follows. Free with cJSON_Delete. For grading and for dialog turns. */
cJSON *eb_grade_object(const char *output, int *more, char why[EB_DETAIL_LEN]);

/* 1 and the detail if a text of must_not stands in what is visible of the
 * output, as it is or with JSON escapes, whether or not it parses. */
int eb_grade_forbidden(const cJSON *must_not, const char *output,
                       char detail[EB_DETAIL_LEN]);

/* 1 if every group of must (may be NULL) has a member in the text; else the
 * detail names the first group that has none. */
int eb_grade_must(const cJSON *must, const char *text,
                  char detail[EB_DETAIL_LEN]);

/* 0 if the object is {"tool":...,"args":{...}} with a tool of the level and
 * allowed arguments; *tool and *args are set. Else -1 and why. */
int eb_grade_call(const struct eb_level *level, const cJSON *object,
                  const struct eb_tool **tool, const cJSON **args,
                  char why[EB_DETAIL_LEN]);

#endif
