/* Playing items of kind dialog with a model. */
#ifndef EB_DIALOG_RUN_H
#define EB_DIALOG_RUN_H

#include "agent/talk.h"
#include "workloads/grade.h"
#include "workloads/suite.h"

/* Plays the conversation of a case; eb_talk_item was called before. grammar
 * is that of the level, NULL where output is free. result gets the outcome,
 * output the whole conversation as the record shows it. Returns 0, or
 * EB_EABORT if the user wants to stop at once. */
int eb_dialog_run(struct eb_talk *t, const struct eb_case *c,
                  const char *grammar, struct eb_result *result,
                  struct eb_buf *output);

#endif
