#include "agent/dialog_run.h"

#include <stdio.h>

void eb_dialog_attach(struct eb_suite *s)
{
    s->dialog = NULL;
}

int eb_dialog_run(struct eb_talk *t, const struct eb_case *c,
                  const char *grammar, struct eb_result *result,
                  struct eb_buf *output)
{
    (void)t;
    (void)c;
    (void)grammar;
    (void)output;
    result->outcome = EB_OUT_HARNESS_ERROR;
    snprintf(result->detail, sizeof(result->detail),
             "this build does not play dialogs");
    return 0;
}
