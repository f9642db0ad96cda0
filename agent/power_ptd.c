#include "agent/power_ptd.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PTD_TIMEOUT_MS 3000
#define PTD_MAX_W 1e6
#define PTD_NS INT64_C(1000000)
#define PTD_FIELD_MAX 64

/* Lines */

/* Takes the next line out of the buffer, without its end; 0: not all there. */
static int ptd_line(struct eb_ptd *p, char *line, size_t size)
{
    char *nl = memchr(p->text, '\n', p->len);
    size_t n;

    if (nl == NULL) {
        if (p->len == sizeof(p->text))
            p->len = 0; /* no answer is so long */
        return 0;
    }
    n = (size_t)(nl - p->text);
    snprintf(line, size, "%.*s", (int)n, p->text);
    line[strcspn(line, "\r")] = '\0';
    p->len -= n + 1;
    memmove(p->text, nl + 1, p->len);
    return 1;
}

/* More of what the daemon says: 0, 1: nothing now, EB_ENOENT. */
static int ptd_receive(struct eb_ptd *p)
{
    ssize_t n =
        recv(p->fd, p->text + p->len, sizeof(p->text) - p->len, MSG_DONTWAIT);

    if (n > 0) {
        p->len += (size_t)n;
        return 0;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 1 : EB_ENOENT;
}

static int ptd_send(struct eb_ptd *p, const char *command)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "%s\r\n", command);

    return send(p->fd, line, (size_t)n, MSG_NOSIGNAL) == n ? 0 : EB_ENOENT;
}

/* A command and its answer, with waiting: before the run only. */
static int ptd_command(struct eb_ptd *p, const char *command, char *line,
                       size_t size)
{
    struct pollfd at = {.fd = p->fd, .events = POLLIN};
    int rc = ptd_send(p, command);

    while (rc == 0 && !ptd_line(p, line, size)) {
        if (poll(&at, 1, PTD_TIMEOUT_MS) <= 0)
            return EB_ENET;
        rc = ptd_receive(p) == EB_ENOENT ? EB_ENOENT : 0;
    }
    return rc;
}

/* Samples */

/* "01-31-2026 08:05:09.123": month, day, year. */
static int ptd_time(const char *text, double *host_s)
{
    struct tm tm = {0};
    double s;
    int end = 0;

    if (sscanf(text, "%2d-%2d-%4d %2d:%2d:%lf%n", &tm.tm_mon, &tm.tm_mday,
               &tm.tm_year, &tm.tm_hour, &tm.tm_min, &s, &end) != 6 ||
        text[end] != '\0' || !(s >= 0 && s < 61))
        return EB_EPARSE;
    tm.tm_mon--;
    tm.tm_year -= 1900;
    *host_s = (double)timegm(&tm) + s;
    return 0;
}

/* The value of a field in "name,value,name,value"; 0 if there is none. */
static int ptd_field(const char *line, const char *name,
                     char out[PTD_FIELD_MAX])
{
    size_t len = strlen(name), n;
    const char *at = line;

    while (at != NULL) {
        if (strncmp(at, name, len) == 0 && at[len] == ',') {
            at += len + 1;
            n = strcspn(at, ",");
            snprintf(out, PTD_FIELD_MAX, "%.*s", (int)n, at);
            return n > 0 && n < PTD_FIELD_MAX;
        }
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
    return 0;
}

int eb_ptd_sample(const char *line, double *host_s, int64_t *uw)
{
    char text[PTD_FIELD_MAX], *end;
    double w;

    if (strncmp(line, "Time,", 5) != 0 || !ptd_field(line, "Time", text) ||
        ptd_time(text, host_s) != 0 || !ptd_field(line, "Watts", text))
        return EB_EPARSE;
    w = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(w) || w > PTD_MAX_W)
        return EB_EPARSE;
    if (w < 0)
        return EB_EIO;
    *uw = llround(w * 1e6);
    return 0;
}

/* 2: the answer goes on. */
static int ptd_answer(struct eb_ptd *p, const char *line, double *host_s,
                      int64_t *uw)
{
    int rc;

    if (strncmp(line, "Last ", 5) == 0)
        return 2;
    p->asked = 0;
    if (strstr(line, " unread") != NULL) /* "No ..." and "Insufficient ..." */
        return 1;
    rc = eb_ptd_sample(line, host_s, uw);
    if (rc != 0)
        return rc;
    if (*host_s == p->last_s)
        return 1;
    p->last_s = *host_s;
    return 0;
}

int eb_ptd_read(struct eb_ptd *p, int64_t now_ns, double *host_s, int64_t *uw)
{
    char line[512];
    int rc;

    if (!p->asked) {
        if (now_ns < p->next_ns)
            return 1;
        p->len = 0; /* what came too late */
        if (ptd_send(p, "RL,1") != 0)
            return EB_ENOENT;
        p->asked = 1;
        p->asked_ns = now_ns;
        p->next_ns = now_ns + EB_PTD_EVERY_MS * PTD_NS;
    }
    do {
        while (ptd_line(p, line, sizeof(line))) {
            rc = ptd_answer(p, line, host_s, uw);
            if (rc != 2)
                return rc;
        }
        rc = ptd_receive(p);
    } while (rc == 0);
    if (rc == 1 && now_ns - p->asked_ns > PTD_TIMEOUT_MS * PTD_NS) {
        p->asked = 0;
        return EB_ENET;
    }
    return rc;
}

/* Opening */

static int ptd_connect_to(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol), error = 0;
    struct pollfd at = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(error);

    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return fd;
    if (errno == EINPROGRESS && poll(&at, 1, PTD_TIMEOUT_MS) == 1 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

static int ptd_connect(struct eb_ptd *p, const char *where, struct eb_err *err)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL, *a;
    char host[256], *port;

    snprintf(host, sizeof(host), "%s", where);
    port = strrchr(host, ':');
    if (port != NULL)
        *port++ = '\0';
    if (getaddrinfo(host, port != NULL ? port : EB_PTD_PORT, &wanted, &all) !=
        0)
        return eb_fail(err, EB_ENET, "absent: meter: %s is not known", where);
    for (a = all; a != NULL && p->fd < 0; a = a->ai_next)
        p->fd = ptd_connect_to(a);
    freeaddrinfo(all);
    if (p->fd >= 0)
        return 0;
    return eb_fail(err, EB_ENET, "absent: meter: nothing answers at %s", where);
}

/* "driver,interval_ms,...,version=1.9.1-...,OS=...,mode=power,...". */
static int ptd_identify(struct eb_ptd *p, const char *where, struct eb_err *err)
{
    char line[512], *version;
    int rc = ptd_command(p, "Identify", line, sizeof(line));

    if (rc != 0)
        return eb_fail(err, rc, "absent: meter: no PTDaemon answers at %s",
                       where);
    version = strstr(line, ",version=");
    if (version == NULL)
        return eb_fail(err, EB_EPARSE,
                       "unsupported: meter: %s is no PTDaemon: \"%.60s\"",
                       where, line);
    if (strstr(line, ",mode=power") == NULL)
        return eb_fail(err, EB_EINVAL,
                       "unsupported: meter: the PTDaemon at %s measures no "
                       "power",
                       where);
    version += strlen(",version=");
    snprintf(p->version, sizeof(p->version), "%.*s", (int)strcspn(version, ","),
             version);
    snprintf(p->analyzer, sizeof(p->analyzer), "%.*s", (int)strcspn(line, ","),
             line);
    return 0;
}

static int ptd_go(struct eb_ptd *p, const char *where, struct eb_err *err)
{
    char line[512], command[32];
    int rc;

    snprintf(command, sizeof(command), "Go,%d,0", EB_PTD_EVERY_MS);
    rc = ptd_command(p, command, line, sizeof(line));
    if (rc != 0)
        return eb_fail(err, rc, "not measured: meter: %s does not start",
                       where);
    if (strncmp(line, "Starting", 8) != 0)
        return eb_fail(err, EB_EBUSY,
                       "not measured: meter: %s does not start: \"%.60s\"",
                       where, line);
    return 0;
}

int eb_ptd_open(struct eb_ptd *p, const char *where, struct eb_err *err)
{
    int rc;

    memset(p, 0, sizeof(*p));
    p->fd = -1;
    p->last_s = NAN;
    rc = ptd_connect(p, where, err);
    if (rc == 0)
        rc = ptd_identify(p, where, err);
    if (rc == 0)
        rc = ptd_go(p, where, err);
    if (rc != 0) {
        if (p->fd >= 0)
            close(p->fd); /* without Stop: what runs is another's */
        p->fd = -1;
    }
    return rc;
}

void eb_ptd_close(struct eb_ptd *p)
{
    if (p->fd < 0)
        return;
    ptd_send(p, "Stop");
    close(p->fd);
    p->fd = -1;
}
