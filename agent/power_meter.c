/* External meters, named by the hint or $EDGEBENCH_METER, "[scope@]kind:where":
 *
 *     shelly:http://10.0.0.7     Gen2 and later, switch 0
 *     shelly1:http://10.0.0.7    Gen1
 *     tasmota:http://10.0.0.7
 *     pipe:/run/meter            a FIFO or file of lines
 *     cmd:my-meter --watts       a command that prints lines
 *     ptd:10.0.0.9:8888          SPEC's PTDaemon
 *     module@cmd:...             it measures the module, not the wall
 *
 * A line is "unix_time_s watts". A time that is within 2 s of this machine's
 * clock is believed; else the first line is taken to be of the moment it came
 * and the others relative to it.
 *
 * Nothing here waits: the sampler asks at its rate, transfers go on in
 * between. curl allocates while it works; that is the one exception to the
 * sampler's rule, and not in the engine's thread. */
#include "agent/power_meter.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/power.h"
#include "agent/power_ptd.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"

#define METER_EVERY_MS 1000 /* the meters have about one value a second */
#define METER_TIMEOUT_MS 3000
#define METER_REPLY_MAX 65536
#define METER_LINE_MAX 128
#define METER_CLOCK_S 2
#define METER_ZONE_S 900
#define METER_MAX_W 20000
#define METER_NS 1e9

struct meter {
    struct eb_power_dev dev;
    struct eb_power_hints hints;
    enum eb_meter_kind kind;
    /* HTTP */
    char *url;
    CURLM *multi;
    CURL *easy;
    int busy;
    int64_t began_ns, next_ns;
    struct eb_buf reply;
    /* Lines */
    int fd;
    pid_t child; /* 0: none */
    char text[4096];
    size_t len;
    int had_data, anchored, trusted;
    double anchor_s;
    int64_t anchor_ns;
    struct eb_ptd ptd;
    double zone_s;
};

static int64_t meter_now(const struct meter *m)
{
    return m->hints.clock != NULL ? m->hints.clock(m->hints.clock_arg)
                                  : eb_clock_ns();
}

/* What they say */

int eb_meter_reply(enum eb_meter_kind kind, const char *text, size_t len,
                   int64_t *uw)
{
    cJSON *v, *p;
    int rc = EB_EPARSE;

    if (eb_json_parse(text, len, "meter", &v, NULL) != 0)
        return EB_EPARSE;
    p = v;
    if (kind == EB_METER_SHELLY) {
        p = cJSON_GetObjectItemCaseSensitive(p, "apower");
    } else if (kind == EB_METER_SHELLY1) {
        p = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(p, "meters"),
                               0);
        p = cJSON_GetObjectItemCaseSensitive(p, "power");
    } else {
        p = cJSON_GetObjectItemCaseSensitive(p, "StatusSNS");
        p = cJSON_GetObjectItemCaseSensitive(p, "ENERGY");
        p = cJSON_GetObjectItemCaseSensitive(p, "Power");
    }
    if (cJSON_IsNumber(p) && fabs(p->valuedouble) < METER_MAX_W) {
        *uw = llround(p->valuedouble * 1e6);
        rc = 0;
    }
    cJSON_Delete(v);
    return rc;
}

int eb_meter_line(const char *line, double *unix_s, int64_t *uw)
{
    char *end;
    double w;

    *unix_s = strtod(line, &end);
    if (end == line || *end != ' ' || !isfinite(*unix_s) || *unix_s < 0 ||
        *unix_s > 1e11)
        return EB_EPARSE;
    line = end;
    w = strtod(line, &end);
    if (end == line || !isfinite(w) || fabs(w) > METER_MAX_W)
        return EB_EPARSE;
    end += strspn(end, " \r");
    if (*end != '\0')
        return EB_EPARSE;
    *uw = llround(w * 1e6);
    return 0;
}

/* HTTP */

static size_t meter_body(char *data, size_t size, size_t n, void *arg)
{
    struct meter *m = arg;

    if (m->reply.len + size * n > METER_REPLY_MAX)
        return 0;
    eb_buf_add(&m->reply, data, size * n);
    return size * n;
}

static int meter_http_result(struct meter *m, CURLcode code, int64_t *uw)
{
    long status = 0;

    curl_easy_getinfo(m->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200)
        return status == 401 || status == 403 ? EB_EPERM : EB_ENET;
    return eb_meter_reply(m->kind, m->reply.data != NULL ? m->reply.data : "",
                          m->reply.len, uw);
}

static int meter_http_read(struct meter *m, struct eb_power_reading *r)
{
    int64_t now = meter_now(m);
    CURLMsg *msg;
    curl_off_t took_us = 0;
    CURLcode code = CURLE_OK;
    int running, left, rc;

    if (!m->busy && now < m->next_ns)
        return 1;
    if (!m->busy) {
        eb_buf_reset(&m->reply);
        m->busy = 1;
        m->began_ns = now;
        m->next_ns = now + METER_EVERY_MS * INT64_C(1000000);
        curl_multi_add_handle(m->multi, m->easy);
    }
    curl_multi_perform(m->multi, &running);
    if (running > 0)
        return 1;
    while ((msg = curl_multi_info_read(m->multi, &left)) != NULL) {
        if (msg->msg == CURLMSG_DONE)
            code = msg->data.result;
    }
    rc = meter_http_result(m, code, &r->value);
    curl_easy_getinfo(m->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    r->at_ns = m->began_ns + took_us * 1000 / 2;
    curl_multi_remove_handle(m->multi, m->easy);
    m->busy = 0;
    return rc;
}

static int meter_http_open(struct meter *m, const char *url, struct eb_err *err)
{
    static const char *const paths[] = {"/rpc/Switch.GetStatus?id=0", "/status",
                                        "/cm?cmnd=Status%208"};
    const char *host = strstr(url, "://");
    int64_t uw;
    CURLcode code;
    int rc;

    if (host == NULL)
        return eb_fail(err, EB_EINVAL, "unsupported: meter: %s is no URL", url);
    m->url = eb_xasprintf("%s%s", url,
                          strchr(host + 3, '/') != NULL ? "" : paths[m->kind]);
    m->multi = curl_multi_init();
    m->easy = curl_easy_init();
    if (m->multi == NULL || m->easy == NULL)
        return eb_fail(err, EB_EINTERNAL, "unsupported: curl does not start");
    curl_easy_setopt(m->easy, CURLOPT_URL, m->url);
    curl_easy_setopt(m->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(m->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(m->easy, CURLOPT_NOPROXY, "*"); /* it is next to us */
    /* Small meters serve few connections at once. */
    curl_easy_setopt(m->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(m->easy, CURLOPT_TIMEOUT_MS, (long)METER_TIMEOUT_MS);
    curl_easy_setopt(m->easy, CURLOPT_WRITEFUNCTION, meter_body);
    curl_easy_setopt(m->easy, CURLOPT_WRITEDATA, m);
    /* Once with waiting, so that a wrong address is known before the run. */
    code = curl_easy_perform(m->easy);
    rc = meter_http_result(m, code, &uw);
    if (rc == EB_EPERM)
        return eb_fail(err, rc, "no permission: meter: %s", m->url);
    if (rc != 0)
        return eb_fail(err, rc, "%s: %s", eb_power_failure(rc), m->url);
    return 0;
}

/* Lines */

static int64_t meter_when(struct meter *m, double unix_s)
{
    double here_s = (double)eb_clock_wall_us() / 1e6;

    if (!m->anchored) {
        m->anchored = 1;
        m->trusted = fabs(unix_s - here_s) < METER_CLOCK_S;
        m->anchor_s = m->trusted ? here_s : unix_s;
        m->anchor_ns = meter_now(m);
    }
    return m->anchor_ns + (int64_t)((unix_s - m->anchor_s) * METER_NS);
}

/* Takes the next line out of the buffer; 0 if there is none. */
static int meter_take(struct meter *m, char *line, size_t size)
{
    char *nl = memchr(m->text, '\n', m->len);
    size_t n;

    if (nl == NULL) {
        /* No line is so long: drop it, its end will not parse. */
        if (m->len == sizeof(m->text))
            m->len = 0;
        return 0;
    }
    n = (size_t)(nl - m->text);
    snprintf(line, size, "%.*s", (int)n, m->text);
    m->len -= n + 1;
    memmove(m->text, nl + 1, m->len);
    return 1;
}

static int meter_line_read(struct meter *m, struct eb_power_reading *r)
{
    char line[METER_LINE_MAX];
    double unix_s;
    ssize_t n;
    int rc;

    if (!meter_take(m, line, sizeof(line))) {
        n = read(m->fd, m->text + m->len, sizeof(m->text) - m->len);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 1;
        if (n < 0)
            return EB_EIO;
        /* A FIFO that nobody writes to yet, or whose writer is gone. */
        if (n == 0)
            return m->had_data || m->child != 0 ? EB_ENOENT : 1;
        m->had_data = 1;
        m->len += (size_t)n;
        if (!meter_take(m, line, sizeof(line)))
            return 1;
    }
    rc = eb_meter_line(line, &unix_s, &r->value);
    if (rc == 0)
        r->at_ns = meter_when(m, unix_s);
    return rc;
}

/* PTDaemon */

/* Its time is the local one of its host: what differs from here by whole
 * quarters of an hour is the time zone. */
static int meter_ptd_read(struct meter *m, struct eb_power_reading *r)
{
    double host_s;
    int rc = eb_ptd_read(&m->ptd, meter_now(m), &host_s, &r->value);

    if (rc != 0)
        return rc;
    if (!m->anchored)
        m->zone_s =
            METER_ZONE_S *
            round((host_s - (double)eb_clock_wall_us() / 1e6) / METER_ZONE_S);
    r->at_ns = meter_when(m, host_s - m->zone_s);
    return 0;
}

static int meter_pipe_open(struct meter *m, const char *path,
                           struct eb_err *err)
{
    int rc;

    m->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (m->fd >= 0)
        return 0;
    rc = eb_code_from_errno(errno);
    return eb_fail(err, rc, "%s: meter: %s",
                   rc == EB_EPERM ? "no permission" : "absent", path);
}

static int meter_command_open(struct meter *m, const char *command,
                              struct eb_err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return eb_fail(err, EB_EIO, "unsupported: meter: %s", strerror(errno));
    m->child = fork();
    if (m->child == 0) {
        setpgid(0, 0); /* so that all of it can be ended */
        dup2(fds[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    m->fd = fds[0];
    if (m->child < 0) {
        m->child = 0;
        return eb_fail(err, EB_EIO, "unsupported: meter: %s", strerror(errno));
    }
    setpgid(m->child, m->child);
    fcntl(m->fd, F_SETFL, O_NONBLOCK);
    return 0;
}

/* The driver */

static void meter_close(struct eb_power_dev *d)
{
    struct meter *m = (struct meter *)d;

    if (m->busy)
        curl_multi_remove_handle(m->multi, m->easy);
    if (m->easy != NULL)
        curl_easy_cleanup(m->easy);
    if (m->multi != NULL)
        curl_multi_cleanup(m->multi);
    if (m->fd >= 0)
        close(m->fd);
    eb_ptd_close(&m->ptd);
    if (m->child > 0) {
        kill(-m->child, SIGTERM);
        waitpid(m->child, NULL, 0);
    }
    eb_buf_free(&m->reply);
    free(m->url);
    free(m);
}

static int meter_read(struct eb_power_dev *d, size_t i,
                      struct eb_power_reading *r)
{
    struct meter *m = (struct meter *)d;

    (void)i;
    if (m->kind == EB_METER_PTD)
        return meter_ptd_read(m, r);
    return m->kind <= EB_METER_TASMOTA ? meter_http_read(m, r)
                                       : meter_line_read(m, r);
}

/* "module@pipe:/x": the scope and what follows it. */
static enum eb_power_scope meter_scope(const char **spec)
{
    const char *at = strchr(*spec, '@'), *colon = strchr(*spec, ':');
    int s;

    if (at == NULL || colon == NULL || at > colon)
        return EB_POWER_WALL;
    for (s = 0; s < EB_POWER_SCOPES; s++) {
        const char *name = eb_power_scope_name((enum eb_power_scope)s);

        if (strlen(name) == (size_t)(at - *spec) &&
            strncmp(*spec, name, strlen(name)) == 0) {
            *spec = at + 1;
            return (enum eb_power_scope)s;
        }
    }
    return EB_POWER_SCOPES;
}

static int meter_kind(const char **spec)
{
    static const char *const names[] = {
        "shelly:", "shelly1:", "tasmota:", "pipe:", "cmd:", "ptd:"};
    int k;

    for (k = 0; k < (int)(sizeof(names) / sizeof(*names)); k++) {
        if (strncmp(*spec, names[k], strlen(names[k])) == 0) {
            *spec += strlen(names[k]);
            return k;
        }
    }
    return -1;
}

static int meter_start(struct meter *m, const char *where, struct eb_err *err)
{
    if (m->kind == EB_METER_PIPE)
        return meter_pipe_open(m, where, err);
    if (m->kind == EB_METER_COMMAND)
        return meter_command_open(m, where, err);
    if (m->kind == EB_METER_PTD)
        return eb_ptd_open(&m->ptd, where, err);
    return meter_http_open(m, where, err);
}

static int meter_open(const struct eb_power_hints *h, struct eb_power_dev **out,
                      struct eb_err *err)
{
    const char *spec = h->meter != NULL ? h->meter : getenv("EDGEBENCH_METER");
    const char *rest = spec;
    enum eb_power_scope scope;
    struct eb_power_sensor *s;
    struct meter *m;
    int kind, rc;

    if (spec == NULL || *spec == '\0')
        return eb_fail(err, EB_ENODEV,
                       "absent: no external meter is named (EDGEBENCH_METER)");
    scope = meter_scope(&rest);
    kind = meter_kind(&rest);
    if (scope == EB_POWER_SCOPES || kind < 0)
        return eb_fail(err, EB_EINVAL,
                       "unsupported: meter \"%s\" is not [scope@]shelly:URL, "
                       "shelly1:URL, tasmota:URL, pipe:PATH, cmd:COMMAND or "
                       "ptd:HOST:PORT",
                       spec);
    m = eb_xcalloc(1, sizeof(*m));
    m->dev.ops = &eb_power_meter;
    m->hints = *h;
    m->kind = (enum eb_meter_kind)kind;
    m->fd = m->ptd.fd = -1;
    rc = meter_start(m, rest, err);
    if (rc != 0) {
        meter_close(&m->dev);
        return rc;
    }
    s = eb_power_add(&m->dev, "meter");
    s->scope = s->sum = scope;
    s->step_ms = s->poll_ms = METER_EVERY_MS;
    s->pushed = 1;
    s->max_w = METER_MAX_W;
    s->method = kind <= EB_METER_TASMOTA ? "HTTP"
                : kind == EB_METER_PTD   ? "PTDaemon RL"
                                         : "lines";
    *out = &m->dev;
    return 0;
}

static void meter_facts(struct eb_power_dev *d, cJSON *out)
{
    const struct meter *m = (const struct meter *)d;

    if (m->kind == EB_METER_PTD) {
        cJSON_AddStringToObject(out, "analyzer", m->ptd.analyzer);
        cJSON_AddStringToObject(out, "version", m->ptd.version);
    }
    if (m->kind > EB_METER_TASMOTA)
        cJSON_AddStringToObject(out, "clock",
                                !m->anchored ? "no line yet"
                                : m->trusted ? "this machine's"
                                             : "its own, from the first line");
}

const struct eb_power_ops eb_power_meter = {"meter", meter_open, meter_read,
                                            meter_facts, meter_close};
