/* Android's own word for how much it slows itself down, 0 (none) to 6
 * (shutdown), by `dumpsys thermalservice` (AOSP, ThermalManagerService):
 *
 *     Thermal Status: 2
 *
 * Nothing of a recorded machine is executed: there the answer stands in
 * /dumpsys/thermalservice. */
#include "agent/heat_android.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/ask.h"
#include "agent/heat_parts.h"
#include "common/err.h"
#include "common/fs.h"

#define ANDROID_DUMPSYS "/system/bin/dumpsys"
#define ANDROID_LIMIT_NS INT64_C(2000000000)
#define ANDROID_STATUS_MAX 6

const char *eb_android_text(const char *sysroot, char *out, size_t size)
{
    char *named = getenv("EDGEBENCH_DUMPSYS");
    char *argv[] = {named != NULL ? named : (char *)ANDROID_DUMPSYS,
                    "thermalservice", NULL};
    pid_t stray = 0;
    int rc;

    if (*sysroot != '\0')
        return eb_sysfs_text(sysroot, EB_ANDROID_RECORDED, out, size);
    *out = '\0';
    if (!eb_fs_exists(argv[0]))
        return "absent";
    rc = eb_ask(argv, ANDROID_LIMIT_NS, &stray, out, size);
    if (rc == EB_ELIMIT)
        return "not measured: dumpsys did not end in time";
    return rc == 0 ? NULL : "unsupported: dumpsys thermalservice failed";
}

const char *eb_heat_android_word(int status)
{
    static const char *const words[] = {"none",    "light",    "moderate",
                                        "severe",  "critical", "emergency",
                                        "shutdown"};

    return words[status];
}

const char *eb_heat_android(const char *sysroot, int *status)
{
    static const char key[] = "Thermal Status:";
    char text[EB_ANDROID_TEXT];
    const char *why = eb_android_text(sysroot, text, sizeof(text)), *at;

    *status = -1;
    if (why != NULL)
        return why;
    at = strstr(text, key);
    if (at == NULL || sscanf(at + sizeof(key) - 1, "%d", status) != 1)
        return "unsupported: dumpsys tells no thermal status";
    if (*status >= 0 && *status <= ANDROID_STATUS_MAX)
        return NULL;
    *status = -1;
    return "out of range";
}
