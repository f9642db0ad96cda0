/* The shop's orders and tickets behind the tools of a conversation, in
 * memory: {"orders":[{"order_id":..,"state":..,...}],"tickets":[...]}. What a
 * tool may do follows workloads/custsvc/SHOP.md. Pure functions on the tree,
 * any thread. */
#ifndef EB_DIALOG_STORE_H
#define EB_DIALOG_STORE_H

#include <cjson/cJSON.h>

#include "common/hash.h"

/* Runs one call with arguments of the right form. The result is an object
 * for the caller to free: the order, {"ok":true}, or {"error":...} and the
 * store is as it was. */
cJSON *eb_store_call(cJSON *store, const char *tool, const cJSON *args);

/* 1 if the call is one that may change the store. */
int eb_store_writes(const char *tool);

/* SHA-256 of the canonical store. Order of orders and tickets, and spaces
 * and punctuation of addresses, do not count; with loose_tickets neither
 * does the order a ticket names. */
void eb_store_hash(const cJSON *store, int loose_tickets,
                   char hex[EB_SHA256_HEX]);

#endif
