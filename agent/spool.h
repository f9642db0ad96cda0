/* Records wait on disk until a collector has them.
 *
 * The folder is $EDGEBENCH_SPOOL, else $XDG_STATE_HOME/edgebench/spool, else
 * ~/.local/state/edgebench/spool; one file <run_id>.json a record. A record is
 * deleted only when the collector has repeated its SHA-256. One it refuses for
 * good moves to dead/ with the answer beside it (<run_id>.answer). */
#ifndef EB_SPOOL_H
#define EB_SPOOL_H

#include <stddef.h>

#include "common/err.h"

/* The folder, made if missing; free with free(). */
int eb_spool_dir(char **dir, struct eb_err *err);
/* 0: the record would survive a power cut. */
int eb_spool_save(const char *dir, const char *run_id, const char *text,
                  size_t len, struct eb_err *err);
/* File names of the waiting records, oldest first (ids are made from the
 * time); free with eb_fs_list_free. */
int eb_spool_list(const char *dir, char ***names, size_t *n,
                  struct eb_err *err);

struct eb_spool_count {
    size_t sent, kept, dead;
};
/* Sends the record of one file, or all (NULL), oldest first. err says why the
 * last one that was not sent was not. 0 also if some were not. After a record
 * that could not be sent for now the rest is not tried. */
int eb_spool_push(const char *dir, const char *name, const char *collector,
                  struct eb_spool_count *count, struct eb_err *err);

/* `edgebench spool list|push`. */
int eb_spool_main(int argc, char **argv);

#endif
