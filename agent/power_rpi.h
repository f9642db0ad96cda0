/* What vcgencmd says of the Raspberry Pi 5's PMIC, taken apart; for
 * power_rpi.c and its tests. */
#ifndef EB_POWER_RPI_H
#define EB_POWER_RPI_H

#include <stddef.h>
#include <stdint.h>

#define EB_RPI_RAILS_MAX 32

struct eb_rpi_pmic {
    int64_t uw;       /* of all rails that have both */
    size_t rails;     /* how many */
    char names[512];  /* "3V7_WL_SW, 3V3_SYS, ..." */
    char single[128]; /* rails with a voltage or a current only */
};

/* Adds up volt x ampere over the rails of `vcgencmd pmic_read_adc`:
 *
 *     VDD_CORE_A current(7)=2.00000000A
 *     VDD_CORE_V volt(15)=0.75000000V      -> 1.5 W
 *     EXT5V_V volt(24)=5.10000000V         -> nothing: no current
 *
 * The numbers in brackets are those of the ADC, not of the rail. EB_EPARSE: a
 * line of another form (a rail that is left out makes the sum too small), a
 * name twice, no VDD_CORE; EB_EINVAL: a value that no rail has. */
int eb_rpi_pmic_parse(const char *text, struct eb_rpi_pmic *out);

/* What this machine's command says, for a recording. EB_ENODEV: it has none,
 * EB_EPERM; else the command failed. */
int eb_rpi_answer(char *out, size_t size);

#endif
