/* Shared by the files of `doctor`. */
#ifndef EB_DOCTOR_PARTS_H
#define EB_DOCTOR_PARTS_H

#include "agent/doctor.h"

enum doctor_state { DOCTOR_OK, DOCTOR_LIMITED, DOCTOR_MISSING };

/* What the fixes depend on. */
struct doctor {
    const char *sysroot;
    cJSON *findings;
    cJSON *last; /* the finding added last */
    int live;    /* sysroot is this machine */
    int container;
    int virtual_machine;
    int android;
    int jetson;
    int root;
    char board[96];
};

void eb_doctor_add(struct doctor *d, const char *area, const char *name,
                   enum doctor_state state, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The command that mends the finding added last. */
void eb_doctor_fix(struct doctor *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* 1 if sysroot has the path, also where it may not be read. */
int eb_doctor_has(const struct doctor *d, const char *path);

/* doctor_power.c, doctor_checks.c */
void eb_doctor_power(struct doctor *d);
void eb_doctor_counters(struct doctor *d);
void eb_doctor_clocks(struct doctor *d);
void eb_doctor_heat(struct doctor *d);
void eb_doctor_memory(struct doctor *d);
void eb_doctor_time(struct doctor *d);
void eb_doctor_program(struct doctor *d);

#endif
