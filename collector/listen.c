#include "collector/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "host:port" into a numeric address; "localhost" is 127.0.0.1, other names
 * are not looked up. */
static int listen_parse(const char *text, struct sockaddr_storage *addr,
                        socklen_t *len, struct eb_err *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)addr;
    const char *colon = strrchr(text, ':');
    char host[64] = "", *end;
    long port = -1;
    size_t n;

    memset(addr, 0, sizeof(*addr));
    n = colon != NULL ? (size_t)(colon - text) : 0;
    if (n > 0 && n < sizeof(host) && colon[1] >= '0' && colon[1] <= '9') {
        memcpy(host, text, n);
        port = strtol(colon + 1, &end, 10);
        if (*end != '\0' || port > 65535)
            port = -1;
    }
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    if (port >= 0 && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *len = sizeof(*v4);
        return 0;
    }
    if (port >= 0 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1) {
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons((uint16_t)port);
            *len = sizeof(*v6);
            return 0;
        }
    }
    return eb_fail(err, EB_EUSAGE,
                   "--listen %.80s: expected an address and a port, like "
                   "127.0.0.1:8420 or [::1]:8420",
                   text);
}

static int listen_is_local(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(
            &((const struct sockaddr_in6 *)addr)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 ==
           127;
}

/* The address in full, with the port the system chose. */
static void listen_name(struct eb_listen *l)
{
    struct sockaddr_storage addr;
    const struct sockaddr_in *v4 = (struct sockaddr_in *)&addr;
    const struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&addr;
    socklen_t len = sizeof(addr);
    char host[INET6_ADDRSTRLEN] = "";

    memset(&addr, 0, sizeof(addr));
    getsockname(l->fd, (struct sockaddr *)&addr, &len);
    l->is_v6 = addr.ss_family == AF_INET6;
    l->port = ntohs(l->is_v6 ? v6->sin6_port : v4->sin_port);
    inet_ntop(addr.ss_family,
              l->is_v6 ? (const void *)&v6->sin6_addr
                       : (const void *)&v4->sin_addr,
              host, sizeof(host));
    snprintf(l->address, sizeof(l->address), l->is_v6 ? "[%s]:%d" : "%s:%d",
             host, l->port);
}

int eb_listen_open(const char *text, int allow_remote, struct eb_listen *l,
                   struct eb_err *err)
{
    struct sockaddr_storage addr;
    socklen_t len = 0;
    int on = 1, rc;

    memset(l, 0, sizeof(*l));
    l->fd = -1;
    rc = listen_parse(text, &addr, &len, err);
    if (rc != 0)
        return rc;
    if (!allow_remote && !listen_is_local(&addr))
        return eb_fail(err, EB_EUSAGE,
                       "--listen %s can be reached from other machines and "
                       "there is no authentication yet: listen on 127.0.0.1, "
                       "or pass --allow-remote in a network you trust",
                       text);
    l->fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return eb_fail(err, EB_ENET, "--listen %s: %s", text, strerror(errno));
    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(l->fd, (struct sockaddr *)&addr, len) < 0 ||
        listen(l->fd, 128) < 0) {
        rc = eb_fail(err, EB_EUSAGE,
                     errno == EADDRINUSE
                         ? "%s is in use (%s): stop the program that listens "
                           "there or pass another --listen (port 0 takes a "
                           "free one)"
                         : "cannot listen on %s (%s): pass another --listen",
                     text, strerror(errno));
        close(l->fd);
        l->fd = -1;
        return rc;
    }
    listen_name(l);
    return 0;
}
