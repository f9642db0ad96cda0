/* Machines of tests/fixtures/machines: one text file each, unpacked into a
 * folder that serves as sysroot.
 *
 *     /path = text     a file; \n, \t and \\ in the text
 *     /path !          a file that may not be read
 *     /path -> target  a symbolic link
 *     /path/           an empty folder
 *     # ...            SOURCE and synthetic
 */
#ifndef EB_TESTS_MACHINE_HELP_H
#define EB_TESTS_MACHINE_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"

static char machine_root[64];
static int machine_was_root;

static FILE *machine_create(const char *path)
{
    char full[8448], *slash;
    FILE *f;

    snprintf(full, sizeof(full), "%s%s", machine_root, path);
    for (slash = full + strlen(machine_root) + 1;
         (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    f = fopen(full, "w");
    assert_non_null(f);
    return f;
}

static void machine_put(const char *path, const char *text)
{
    FILE *f = machine_create(path);

    for (; *text != '\0'; text++) {
        if (*text != '\\') {
            putc(*text, f);
            continue;
        }
        text++;
        putc(*text == 'n' ? '\n' : *text == 't' ? '\t' : *text, f);
    }
    fclose(f);
}

static void machine_line(char *line)
{
    char full[8448], *cut;

    line[strcspn(line, "\n")] = '\0';
    if ((cut = strstr(line, " -> ")) != NULL) {
        *cut = '\0';
        fclose(machine_create(line));
        snprintf(full, sizeof(full), "%s%s", machine_root, line);
        unlink(full);
        assert_int_equal(symlink(cut + 4, full), 0);
    } else if ((cut = strstr(line, " = ")) != NULL) {
        *cut = '\0';
        machine_put(line, cut + 3);
    } else if (line[strlen(line) - 1] == '/') {
        strcat(line, ".made");
        fclose(machine_create(line));
        snprintf(full, sizeof(full), "%s%s", machine_root, line);
        unlink(full);
    } else {
        cut = strstr(line, " !");
        assert_non_null(cut);
        *cut = '\0';
        fclose(machine_create(line));
        snprintf(full, sizeof(full), "%s%s", machine_root, line);
        assert_int_equal(chmod(full, 0), 0);
    }
}

/* Unpacks; a test that runs as root becomes nobody, for whom "may not be
 * read" is true. NULL: an empty machine. */
static const char *machine_open(const char *name)
{
    char path[512], line[8192];
    FILE *f;
    int said = 0;

    strcpy(machine_root, "/tmp/eb-machine-XXXXXX");
    assert_non_null(mkdtemp(machine_root));
    assert_int_equal(chmod(machine_root, 0777), 0);
    snprintf(path, sizeof(path), "%s/tests/fixtures/machines/%s.tree",
             EB_SOURCE_DIR, name != NULL ? name : "");
    f = name != NULL ? fopen(path, "r") : NULL;
    assert_true(name == NULL || f != NULL);
    while (f != NULL && fgets(line, sizeof(line) - 8, f) != NULL) {
        assert_non_null(strchr(line, '\n'));
        if (*line == '#')
            said += strncmp(line, "# SOURCE: ", 10) == 0 ||
                    strncmp(line, "# synthetic: ", 13) == 0;
        else
            machine_line(line);
    }
    assert_true(name == NULL || said == 2);
    if (f != NULL)
        fclose(f);
    machine_was_root = geteuid() == 0;
    if (machine_was_root)
        assert_int_equal(seteuid(65534), 0);
    return machine_root;
}

static void machine_close(void)
{
    char cmd[128];

    if (machine_was_root)
        assert_int_equal(seteuid(0), 0);
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", machine_root);
    assert_int_equal(system(cmd), 0);
}

/* Changes a file in mid-run. */
static inline void machine_set(const char *path, const char *text)
{
    if (machine_was_root)
        assert_int_equal(seteuid(0), 0);
    machine_put(path, text);
    if (machine_was_root)
        assert_int_equal(seteuid(65534), 0);
}

#endif
