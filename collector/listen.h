/* The socket the collector listens on. */
#ifndef EB_LISTEN_H
#define EB_LISTEN_H

#include "common/err.h"

struct eb_listen {
    int fd; /* the caller closes it; -1 after a failure */
    int is_v6;
    int port;
    char address[64]; /* "127.0.0.1:8420", with the real port */
};

/* text is "127.0.0.1:8420", "[::1]:8420" or "localhost:8420"; other names
 * are not looked up; port 0 takes a free one. EB_EUSAGE for another text, for
 * an address beyond this machine unless allow_remote, and for one that is in
 * use. */
int eb_listen_open(const char *text, int allow_remote, struct eb_listen *l,
                   struct eb_err *err);

#endif
