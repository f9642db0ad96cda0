/* What macOS's IOReport says of energy, taken apart; for power_ioreport.c and
 * its tests. Built everywhere.
 *
 *     eb_ioreport_pick(&s, channels, n, &err);   once
 *     eb_ioreport_add(&s, channels, n);          with each sample
 *     s.nj[EB_IOREPORT_CPU]                      nanojoules since pick */
#ifndef EB_POWER_IOREPORT_H
#define EB_POWER_IOREPORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define EB_IOREPORT_CHANNELS_MAX 512 /* of the group "Energy Model" */
#define EB_IOREPORT_PICKED_MAX 32

enum eb_ioreport_part {
    EB_IOREPORT_CPU,
    EB_IOREPORT_GPU,
    EB_IOREPORT_ANE,
    EB_IOREPORT_DRAM,
    EB_IOREPORT_PARTS
};
const char *eb_ioreport_part_name(enum eb_ioreport_part p);

struct eb_ioreport_channel {
    char group[32], name[64], unit[16];
    int64_t value; /* counts since some start */
};

struct eb_ioreport_picked {
    size_t index; /* among the channels */
    char name[64];
    enum eb_ioreport_part part;
    int64_t unit_nj; /* of one count */
    int64_t last;
};

struct eb_ioreport_sum {
    struct eb_ioreport_picked picked[EB_IOREPORT_PICKED_MAX];
    size_t n;
    int has[EB_IOREPORT_PARTS];
    int64_t nj[EB_IOREPORT_PARTS];
    int broken; /* why nothing can be added any more */
};

/* Nanojoules of one count: "mJ", "uJ" or "nJ" with spaces around; EB_EPARSE. */
int eb_ioreport_unit(const char *label, int64_t *nj);
/* Chooses the channels that count, none of them twice: a part's total if it
 * has one, else all that its dies or instances have. EB_ENODEV: no CPU energy;
 * EB_EPARSE: one of them has another unit. */
int eb_ioreport_pick(struct eb_ioreport_sum *s,
                     const struct eb_ioreport_channel *c, size_t n,
                     struct eb_err *err);
/* EB_ENOENT: a channel vanished; EB_EINVAL: one went backwards or too far.
 * Then nothing is added, now or later. */
int eb_ioreport_add(struct eb_ioreport_sum *s,
                    const struct eb_ioreport_channel *c, size_t n);

#endif
