/* The two halves of the BFCL importer; for import_bfcl*.c only. */
#ifndef EB_IMPORT_BFCL_H
#define EB_IMPORT_BFCL_H

#include "workloads/import/import_calls.h"

/* File name of a set in a folder ("BFCL_v4_multiple.json"); NULL: none. Free
 * with free(). */
char *eb_bfcl_file(const char *dir, const char *set);
/* A set and, if answers is not NULL, possible_answer/ of the same name. */
int eb_bfcl_read(const char *dir, const char *name, struct eb_rows *questions,
                 struct eb_rows *answers, struct eb_err *err);
cJSON *eb_bfcl_tools(const cJSON *functions);
/* The last message of a turn; appends those before it. NULL: none. */
const char *eb_bfcl_turn(const cJSON *turn, struct eb_buf *context);
/* The multi-turn sets as a level of their own; counts it. */
int eb_bfcl_turns(const char *dir, struct eb_import_suite *s, int *levels,
                  struct eb_err *err);

#endif
