/* A recorded machine in a folder of its own: files that tests put there. */
#ifndef EB_TEST_TREE_HELP_H
#define EB_TEST_TREE_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"

static char root[32]; /* by the test's setup: mkdtemp */

static inline void put(const char *path, const char *text)
{
    char full[256];

    snprintf(full, sizeof(full), "%s%s", root, path);
    assert_int_equal(eb_fs_write_in_new(full, text, strlen(text), NULL), 0);
}

static inline int tree_teardown(void **state)
{
    char cmd[64];

    (void)state;
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
    return system(cmd);
}

#endif
