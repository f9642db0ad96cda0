/* `dumpsys thermalservice`, for heat_android.c and a recording of it. */
#ifndef EB_HEAT_ANDROID_H
#define EB_HEAT_ANDROID_H

#include <stddef.h>

#define EB_ANDROID_TEXT 16384
/* Where a recorded machine has it. */
#define EB_ANDROID_RECORDED "/dumpsys/thermalservice"

/* What it says: of this machine by asking $EDGEBENCH_DUMPSYS or
 * /system/bin/dumpsys. NULL, or why not; "absent": no such program. */
const char *eb_android_text(const char *sysroot, char *out, size_t size);

#endif
