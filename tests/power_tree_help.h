/* A recorded machine of tests/fixtures/power in a folder of its own, whose
 * files the test changes while they are read. */
#ifndef POWER_TREE_HELP_H
#define POWER_TREE_HELP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE(name) EB_SOURCE_DIR "/tests/fixtures/power/" name

static char root[64];

static inline int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/eb-power-XXXXXX");
    return mkdtemp(root) == NULL || chmod(root, 0755) != 0;
}

static inline int teardown(void **state)
{
    char cmd[96];

    (void)state;
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
    return system(cmd);
}

/* In place: a reader may be between open and read. */
static inline void put(const char *path, const char *fmt, ...)
{
    char full[512], *slash, cmd[600];
    va_list ap;
    FILE *f;

    snprintf(full, sizeof(full), "%s%s", root, path);
    slash = strrchr(full, '/');
    if (access(full, F_OK) != 0) {
        snprintf(cmd, sizeof(cmd), "mkdir -p '%.*s'", (int)(slash - full),
                 full);
        assert_int_equal(system(cmd), 0);
    }
    f = fopen(full, "w");
    assert_non_null(f);
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fclose(f);
}

static inline void take(const char *fixture)
{
    char cmd[600];

    snprintf(cmd, sizeof(cmd), "cp -r '%s/tests/fixtures/power/%s/.' '%s'",
             EB_SOURCE_DIR, fixture, root);
    assert_int_equal(system(cmd), 0);
}

#endif
