/* What the collector answers (API.md): one table of routes over a store. */
#ifndef EB_ROUTES_H
#define EB_ROUTES_H

#include <semaphore.h>

#include "collector/server.h"
#include "collector/store.h"

struct eb_routes {
    struct eb_store *store;
    int local_only; /* answer only when asked for as 127.0.0.1, localhost or
                       ::1, so that no web page can reach the collector by
                       pointing its own name at this machine */
    sem_t heavy;    /* records being parsed at one time */
    struct eb_http_app app;
};

/* The store is the caller's and must outlive routes. */
void eb_routes_init(struct eb_routes *routes, struct eb_store *store,
                    int local_only);
void eb_routes_free(struct eb_routes *routes);

#endif
