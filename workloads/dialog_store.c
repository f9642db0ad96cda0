#include "workloads/dialog_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "workloads/text.h"

#define STORE_RETURN_DAYS 30
#define STORE_DAMAGE_DAYS 7

static cJSON *store_error(const char *what)
{
    cJSON *v = cJSON_CreateObject();

    cJSON_AddStringToObject(v, "error", what);
    return v;
}

static cJSON *store_ok(void)
{
    cJSON *v = cJSON_CreateObject();

    cJSON_AddTrueToObject(v, "ok");
    return v;
}

static cJSON *store_order(cJSON *store, const char *id)
{
    cJSON *orders = cJSON_GetObjectItemCaseSensitive(store, "orders");
    cJSON *v;

    cJSON_ArrayForEach(v, orders)
    {
        if (strcmp(eb_json_get_str(v, "order_id", ""), id) == 0)
            return v;
    }
    return NULL;
}

static void store_set(cJSON *order, const char *key, const char *text)
{
    cJSON_DeleteItemFromObjectCaseSensitive(order, key);
    cJSON_AddStringToObject(order, key, text);
}

static int store_state(const cJSON *order, const char *state)
{
    return strcmp(eb_json_get_str(order, "state", ""), state) == 0;
}

/* NULL if the policy allows a refund for the reason, else why not. */
static const char *store_refund_bar(const cJSON *order, const char *reason)
{
    const char *kind = eb_json_get_str(order, "kind", "");
    double days = eb_json_get_num(order, "delivered_days", 0);
    int opened =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(order, "opened"));

    if (cJSON_GetObjectItemCaseSensitive(order, "refunded") != NULL)
        return "already refunded";
    if (strcmp(reason, "late") == 0)
        return eb_json_get_num(order, "days_late", 0) > 0 ? NULL
                                                          : "order is not late";
    if (!store_state(order, "delivered") && !store_state(order, "returned"))
        return "order is not delivered";
    if (strcmp(reason, "not_wanted") != 0)
        return days <= STORE_DAMAGE_DAYS ? NULL
                                         : "more than 7 days since delivery";
    if (opened && strcmp(kind, "earphones") == 0)
        return "opened earphones";
    if (opened && strcmp(kind, "kitchen") == 0)
        return "opened kitchen ware";
    return days <= STORE_RETURN_DAYS ? NULL
                                     : "more than 30 days since delivery";
}

static cJSON *store_refund(cJSON *order, const cJSON *args)
{
    const char *reason = eb_json_get_str(args, "reason", "");
    const char *bar = store_refund_bar(order, reason);

    if (bar != NULL)
        return store_error(bar);
    store_set(order, "refunded", reason);
    return store_ok();
}

static cJSON *store_cancel(cJSON *order)
{
    if (!store_state(order, "placed") && !store_state(order, "packed")) {
        char why[64];

        snprintf(why, sizeof(why), "order is %.40s",
                 eb_json_get_str(order, "state", "lost"));
        return store_error(why);
    }
    store_set(order, "state", "cancelled");
    return store_ok();
}

static cJSON *store_move(cJSON *order, const cJSON *args)
{
    const char *address = eb_json_get_str(args, "address", "");

    if (!store_state(order, "placed")) {
        char why[64];

        snprintf(why, sizeof(why), "order is %.40s",
                 eb_json_get_str(order, "state", "lost"));
        return store_error(why);
    }
    if (address[strspn(address, " ")] == '\0')
        return store_error("address is empty");
    if (eb_text_contains(address, "po box") ||
        eb_text_contains(address, "p.o. box") ||
        eb_text_contains(address, "邮政信箱"))
        return store_error("no delivery to PO boxes");
    store_set(order, "address", address);
    return store_ok();
}

static cJSON *store_ticket(cJSON *store, const char *id, const cJSON *args)
{
    cJSON *tickets = cJSON_GetObjectItemCaseSensitive(store, "tickets");
    cJSON *v;

    if (tickets == NULL)
        tickets = cJSON_AddArrayToObject(store, "tickets");
    v = cJSON_CreateObject();
    cJSON_AddStringToObject(v, "topic", eb_json_get_str(args, "topic", ""));
    if (id[0] != '\0')
        cJSON_AddStringToObject(v, "order_id", id);
    else
        cJSON_AddNullToObject(v, "order_id");
    cJSON_AddItemToArray(tickets, v);
    return store_ok();
}

cJSON *eb_store_call(cJSON *store, const char *tool, const cJSON *args)
{
    const char *id = eb_json_get_str(args, "order_id", "");
    cJSON *order = store_order(store, id);
    int ticket = strcmp(tool, "create_ticket") == 0;

    if (order == NULL && (!ticket || id[0] != '\0'))
        return store_error("no such order");
    if (ticket)
        return store_ticket(store, id, args);
    if (strcmp(tool, "lookup_order") == 0)
        return cJSON_Duplicate(order, 1);
    if (strcmp(tool, "refund") == 0)
        return store_refund(order, args);
    if (strcmp(tool, "cancel_order") == 0)
        return store_cancel(order);
    if (strcmp(tool, "change_address") == 0)
        return store_move(order, args);
    return store_error("unknown tool");
}

int eb_store_writes(const char *tool)
{
    return strcmp(tool, "lookup_order") != 0 && strcmp(tool, "none") != 0;
}

/* Letters, digits and Han of the normalised address. */
static void store_fold_address(cJSON *order)
{
    const char *address = eb_json_get_str(order, "address", NULL), *p;
    struct eb_buf out = {0};
    char *norm;

    if (address == NULL)
        return;
    norm = eb_text_normed(address);
    eb_buf_adds(&out, "");
    for (p = norm; *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x80 || (*p >= '0' && *p <= '9') ||
            (*p >= 'a' && *p <= 'z'))
            eb_buf_addc(&out, *p);
    }
    store_set(order, "address", out.data != NULL ? out.data : "");
    eb_buf_free(&out);
    free(norm);
}

static int store_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The array as sorted canonical texts. */
static void store_add_sorted(cJSON *out, const char *key, const cJSON *arr)
{
    size_t n = (size_t)cJSON_GetArraySize(arr), i = 0;
    char **texts = eb_xcalloc(n + 1, sizeof(*texts));
    cJSON *list = cJSON_AddArrayToObject(out, key);
    const cJSON *v;

    cJSON_ArrayForEach(v, arr)
    {
        struct eb_buf b = {0};

        eb_json_canonical(v, &b);
        texts[i++] = eb_buf_take(&b);
    }
    qsort(texts, n, sizeof(*texts), store_cmp);
    for (i = 0; i < n; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(texts[i]));
        free(texts[i]);
    }
    free(texts);
}

void eb_store_hash(const cJSON *store, int loose_tickets,
                   char hex[EB_SHA256_HEX])
{
    cJSON *copy = cJSON_Duplicate(store, 1), *flat = cJSON_CreateObject();
    cJSON *orders = cJSON_GetObjectItemCaseSensitive(copy, "orders");
    cJSON *tickets = cJSON_GetObjectItemCaseSensitive(copy, "tickets"), *v;

    cJSON_ArrayForEach(v, orders) store_fold_address(v);
    cJSON_ArrayForEach(v, tickets)
    {
        if (loose_tickets)
            cJSON_DeleteItemFromObjectCaseSensitive(v, "order_id");
    }
    store_add_sorted(flat, "orders", orders);
    store_add_sorted(flat, "tickets", tickets);
    eb_json_sha256(flat, hex);
    cJSON_Delete(flat);
    cJSON_Delete(copy);
}
