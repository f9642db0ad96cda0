/* The power management chip of the Raspberry Pi 5, through the firmware's
 * command `vcgencmd pmic_read_adc` (raspberrypi/documentation, vcgencmd;
 * Raspberry Pi white paper "Extra PMIC features").
 *
 *     VDD_CORE 0.86 V x 6.2 A + DDR_VDD2 1.1 V x 0.2 A + ... -> rails
 *
 * The chip knows what its own outputs supply: processor, memory, radio, HDMI
 * and the board's 3.3, 1.8 and 1.1 V. It knows the voltage of the 5 V input
 * but not its current, so USB devices, fan, disk and the losses of all
 * regulators are in no rail: the sum is of scope `rail` and of no board. It is
 * not published which of the regulators of milliwatts (3V3_DAC, 3V3_ADC) hang
 * on another rail.
 *
 * Each read is a process, so few a second. The sampler waits for it, and other
 * sensors with it: what does not end soon is ended, and after a few of those
 * in a row it is not asked again. Nothing of a recorded machine is executed:
 * there the answer stands in /vcgencmd/pmic_read_adc. */
#include "agent/power_rpi.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ask.h"
#include "agent/power.h"
#include "common/fs.h"
#include "common/mem.h"

#define RPI_DEVICE "/dev/vcio"
#define RPI_RECORDED "/vcgencmd/pmic_read_adc"
#define RPI_POLL_MS 500
#define RPI_STUCK_MS 30000
#define RPI_FIRST_NS                                                           \
    INT64_C(2000000000) /* it may have to come from the card                   \
                         */
#define RPI_LIMIT_NS INT64_C(500000000)
#define RPI_LATE_MAX 4 /* in a row */
#define RPI_TEXT_MAX 4096
#define RPI_MAX_W 60
#define RPI_MAX_V 30.0
#define RPI_MAX_A 30.0

struct rpi {
    struct eb_power_dev dev;
    char *command;  /* or ... */
    char *recorded; /* a file with its answer */
    struct eb_rpi_pmic first;
    int fresh;       /* first was not read yet: the probe behind open */
    pid_t stray;     /* see eb_ask */
    atomic_int late; /* reads in a row; also read for the record */
};

/* The answer */

struct rpi_value {
    char rail[32], unit;
    double value;
};

/* "VDD_CORE_A current(7)=1.08053000A". */
static int rpi_line(const char *line, struct rpi_value *v)
{
    char what[8], end[8];
    int rest = 0;
    size_t n;

    if (sscanf(line, " %31s %7[a-z](%*d)=%lf%7s %n", v->rail, what, &v->value,
               end, &rest) != 4 ||
        line[rest] != '\0')
        return EB_EPARSE;
    n = strlen(v->rail);
    v->unit = *end;
    if (n < 3 || v->rail[n - 2] != '_' || v->rail[n - 1] != v->unit ||
        end[1] != '\0')
        return EB_EPARSE;
    if (strcmp(what, v->unit == 'A'   ? "current"
                     : v->unit == 'V' ? "volt"
                                      : "") != 0)
        return EB_EPARSE;
    v->rail[n - 2] = '\0';
    return 0;
}

static const struct rpi_value *rpi_find(const struct rpi_value *v, size_t n,
                                        const char *rail, char unit)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (v[i].unit == unit && strcmp(v[i].rail, rail) == 0)
            return &v[i];
    }
    return NULL;
}

static int rpi_lines(const char *text, struct rpi_value *v, size_t *n)
{
    char line[128];
    size_t len;
    int rc;

    for (*n = 0; *text != '\0'; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        if (strspn(text, " \t\r") >= len)
            continue;
        if (len >= sizeof(line) || *n == 2 * EB_RPI_RAILS_MAX)
            return EB_EPARSE;
        snprintf(line, sizeof(line), "%.*s", (int)len, text);
        rc = rpi_line(line, &v[*n]);
        if (rc != 0)
            return rc;
        if (rpi_find(v, *n, v[*n].rail, v[*n].unit) != NULL)
            return EB_EPARSE;
        (*n)++;
    }
    return 0;
}

static void rpi_name(char *out, size_t size, const char *rail)
{
    size_t n = strlen(out);

    snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "", rail);
}

int eb_rpi_pmic_parse(const char *text, struct eb_rpi_pmic *out)
{
    struct rpi_value v[2 * EB_RPI_RAILS_MAX];
    const struct rpi_value *volt;
    double watts = 0;
    size_t n, i;
    int rc = rpi_lines(text, v, &n);

    memset(out, 0, sizeof(*out));
    if (rc != 0)
        return rc;
    for (i = 0; i < n; i++) {
        volt = rpi_find(v, n, v[i].rail, 'V');
        if (v[i].unit == 'V' && rpi_find(v, n, v[i].rail, 'A') != NULL)
            continue; /* with its current */
        if (v[i].unit == 'V' || volt == NULL) {
            rpi_name(out->single, sizeof(out->single), v[i].rail);
            continue;
        }
        /* Also false of "nan". */
        if (!(v[i].value >= 0 && v[i].value <= RPI_MAX_A) ||
            !(volt->value >= 0 && volt->value <= RPI_MAX_V))
            return EB_EINVAL;
        watts += v[i].value * volt->value;
        out->rails++;
        rpi_name(out->names, sizeof(out->names), v[i].rail);
    }
    if (rpi_find(v, n, "VDD_CORE", 'A') == NULL ||
        rpi_find(v, n, "VDD_CORE", 'V') == NULL)
        return EB_EPARSE;
    out->uw = llround(watts * 1e6);
    /* Something is always drawn. */
    return out->uw > 0 ? 0 : EB_EINVAL;
}

/* The driver */

static int rpi_run(struct rpi *p, char *out, size_t size, int64_t limit_ns)
{
    char *argv[] = {p->command, "pmic_read_adc", NULL};

    return eb_ask(argv, limit_ns, &p->stray, out, size);
}

static int rpi_ask(struct rpi *p, struct eb_rpi_pmic *out, int64_t limit_ns)
{
    char text[RPI_TEXT_MAX];
    int rc = p->command != NULL
                 ? rpi_run(p, text, sizeof(text), limit_ns)
                 : eb_power_read_text(p->recorded, text, sizeof(text));

    return rc == 0 ? eb_rpi_pmic_parse(text, out) : rc;
}

static int rpi_read(struct eb_power_dev *d, size_t i,
                    struct eb_power_reading *r)
{
    struct rpi *p = (struct rpi *)d;
    struct eb_rpi_pmic now;
    int rc;

    (void)i;
    if (p->fresh) {
        p->fresh = 0;
        r->value = p->first.uw;
        return 0;
    }
    if (p->late == RPI_LATE_MAX)
        return EB_ELIMIT;
    rc = rpi_ask(p, &now, RPI_LIMIT_NS);
    p->late = rc == EB_ELIMIT ? p->late + 1 : 0;
    if (rc != 0)
        return rc;
    /* The sum of other rails is another sum. */
    if (strcmp(now.names, p->first.names) != 0)
        return EB_EINVAL;
    r->value = now.uw;
    return 0;
}

static void rpi_close(struct eb_power_dev *d)
{
    struct rpi *p = (struct rpi *)d;

    if (p->stray > 0)
        waitpid(p->stray, NULL, WNOHANG);
    free(p->command);
    free(p->recorded);
    free(p);
}

/* The first of the folders that has it. */
static char *rpi_search(const char *folders)
{
    char *path;
    size_t n;

    for (; *folders != '\0'; folders += n + (folders[n] == ':')) {
        n = strcspn(folders, ":");
        path = eb_xasprintf("%.*s/vcgencmd", (int)n, folders);
        if (*path == '/' && n > 0 && access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static int rpi_device(struct eb_err *err)
{
    int fd = open(RPI_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 && eb_code_from_errno(errno) == EB_EPERM)
        return eb_fail(err, EB_EPERM, "no permission: %s", RPI_DEVICE);
    if (fd < 0)
        return eb_fail(err, EB_ENODEV, "absent: no %s", RPI_DEVICE);
    close(fd);
    return 0;
}

static int rpi_find_source(struct rpi *p, const struct eb_power_hints *h,
                           struct eb_err *err)
{
    /* This machine's command says nothing of a recorded tree. */
    const char *env =
        h->sysroot[0] == '\0' ? getenv("EDGEBENCH_VCGENCMD") : NULL;
    const char *command = h->vcgencmd != NULL ? h->vcgencmd : env;
    const char *path = getenv("PATH");
    int rc = 0;

    if (command != NULL) {
        p->command = eb_xstrdup(command);
        return 0;
    }
    if (h->sysroot[0] != '\0') {
        p->recorded = eb_xasprintf("%s%s", h->sysroot, RPI_RECORDED);
        if (!eb_fs_exists(p->recorded))
            rc = eb_fail(err, EB_ENODEV, "absent: no %s", p->recorded);
        return rc;
    }
    rc = rpi_device(err);
    if (rc != 0)
        return rc;
    p->command = rpi_search(path != NULL ? path : "");
    if (p->command == NULL)
        p->command = rpi_search("/usr/bin:/opt/vc/bin");
    if (p->command == NULL)
        rc = eb_fail(err, EB_ENODEV, "absent: no vcgencmd in PATH");
    return rc;
}

/* Why the first answer was none, with the command's name. */
static int rpi_refuse(const struct rpi *p, int rc, struct eb_err *err)
{
    const char *what = p->command != NULL ? p->command : p->recorded;

    switch (rc) {
    case EB_ENOENT:
        return eb_fail(err, EB_ENODEV, "absent: no %s", what);
    case EB_EPERM:
        return eb_fail(err, rc, "no permission: %s", what);
    case EB_ELIMIT:
        return eb_fail(err, rc, "not measured: %s did not end in time", what);
    case EB_EPARSE:
        return eb_fail(err, rc,
                       "unsupported: %s pmic_read_adc tells no rails (only a "
                       "Raspberry Pi 5 has them)",
                       what);
    case EB_EIO:
        return eb_fail(err, rc, "unsupported: %s pmic_read_adc failed", what);
    }
    return eb_fail(err, rc, "%s: %s", eb_power_failure(rc), what);
}

static int rpi_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                    struct eb_err *err)
{
    struct rpi *p = eb_xcalloc(1, sizeof(*p));
    struct eb_power_sensor *m;
    int rc = rpi_find_source(p, h, err);

    p->dev.ops = &eb_power_rpi;
    if (rc == 0) {
        rc = rpi_ask(p, &p->first, RPI_FIRST_NS);
        if (rc != 0)
            rc = rpi_refuse(p, rc, err);
    }
    if (rc != 0) {
        rpi_close(&p->dev);
        return rc;
    }
    m = eb_power_add(&p->dev, "pmic rails");
    m->scope = m->sum = EB_POWER_RAIL;
    m->step_ms = m->poll_ms = RPI_POLL_MS;
    m->stuck_ms = RPI_STUCK_MS;
    m->max_w = RPI_MAX_W;
    p->fresh = 1;
    m->method = "vcgencmd pmic_read_adc, sum of volt x ampere";
    *out = &p->dev;
    return 0;
}

static void rpi_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct rpi *p = (const struct rpi *)d;

    cJSON_AddStringToObject(out, "rails", p->first.names);
    cJSON_AddStringToObject(out, "rails_not_counted", p->first.single);
    if (p->late == RPI_LATE_MAX)
        cJSON_AddStringToObject(out, "dropped",
                                "not measured: vcgencmd did not end in time, "
                                "several times in a row");
}

int eb_rpi_answer(char *out, size_t size)
{
    const struct eb_power_hints h = {.sysroot = ""};
    struct rpi *p = eb_xcalloc(1, sizeof(*p));
    int rc = rpi_find_source(p, &h, NULL);

    *out = '\0';
    if (rc == 0)
        rc = rpi_run(p, out, size, RPI_FIRST_NS);
    rpi_close(&p->dev);
    return rc;
}

const struct eb_power_ops eb_power_rpi = {"rpi", rpi_open, rpi_read, rpi_facts,
                                          rpi_close};
