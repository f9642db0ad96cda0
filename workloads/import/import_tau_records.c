/* What a service desk would have looked up for a task. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/import/import_tau.h"

static const cJSON *records_get(const cJSON *obj, const char *key)
{
    return key != NULL ? cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

static void records_add(struct eb_buf *out, const char *what, const cJSON *v)
{
    char *text = cJSON_PrintUnformatted(v);

    eb_calls_say(out, what, text != NULL ? text : "");
    free(text);
}

/* Names the customer: the task, its actions, or an id in its text. */
static const char *records_user(const struct eb_tau_db *db,
                                const struct eb_tau_task *t)
{
    const cJSON *a, *v, *args;
    const char *id;

    if (records_get(db->users, t->user_id) != NULL)
        return t->user_id;
    cJSON_ArrayForEach(a, t->actions)
    {
        args = eb_tau_args(a);
        id = eb_calls_str(args, "user_id");
        if (records_get(db->users, id) != NULL)
            return id;
        v = records_get(db->orders, eb_calls_str(args, "order_id"));
        if (v == NULL)
            v = records_get(db->reservations,
                            eb_calls_str(args, "reservation_id"));
        id = eb_calls_str(v, "user_id");
        if (records_get(db->users, id) != NULL)
            return id;
    }
    cJSON_ArrayForEach(v, db->users)
    {
        if (strstr(t->text, v->string) != NULL)
            return v->string;
    }
    return NULL;
}

static const cJSON *records_product(const struct eb_tau_db *db,
                                    const char *item)
{
    const cJSON *p;

    cJSON_ArrayForEach(p, db->products)
    {
        if (records_get(records_get(p, "variants"), item) != NULL)
            return p;
    }
    return NULL;
}

/* A product once, however many actions name it. */
static void records_product_once(struct eb_buf *out, const cJSON *p)
{
    const char *id = eb_calls_str(p, "product_id");
    char key[64];

    if (id == NULL)
        return;
    snprintf(key, sizeof(key), "\nProduct: {\"name\":\"%.40s",
             eb_calls_str(p, "name") != NULL ? eb_calls_str(p, "name") : "");
    if (out->data == NULL || strstr(out->data, key) == NULL)
        records_add(out, "Product", p);
}

static void records_products(const struct eb_tau_db *db, const cJSON *actions,
                             struct eb_buf *out)
{
    const cJSON *a, *v;

    cJSON_ArrayForEach(a, actions)
    {
        const cJSON *args = eb_tau_args(a);

        records_product_once(
            out, records_get(db->products, eb_calls_str(args, "product_id")));
        cJSON_ArrayForEach(v, records_get(args, "new_item_ids"))
        {
            if (cJSON_IsString(v))
                records_product_once(out, records_product(db, v->valuestring));
        }
    }
}

/* All flights of a day between the places of one flight: what a search
 * finds. */
static void records_search(const struct eb_tau_db *db, const cJSON *flight,
                           const char *date, struct eb_buf *out)
{
    const char *from = eb_calls_str(flight, "origin");
    const char *to = eb_calls_str(flight, "destination");
    const cJSON *f;
    char key[96];

    if (from == NULL || to == NULL || date == NULL)
        return;
    snprintf(key, sizeof(key), "Flights %.20s to %.20s on %.20s", from, to,
             date);
    if (out->data != NULL && strstr(out->data, key) != NULL)
        return;
    eb_buf_addf(out, "%s:\n", key);
    cJSON_ArrayForEach(f, db->flights)
    {
        const cJSON *day = records_get(records_get(f, "dates"), date);
        const char *a = eb_calls_str(f, "origin");
        const char *b = eb_calls_str(f, "destination");
        const char *leaves = eb_calls_str(f, "scheduled_departure_time_est");
        const char *lands = eb_calls_str(f, "scheduled_arrival_time_est");
        char *text;

        if (day == NULL || a == NULL || b == NULL || strcmp(a, from) != 0 ||
            strcmp(b, to) != 0)
            continue;
        text = cJSON_PrintUnformatted(day);
        eb_buf_addf(out, "%s %s to %s EST %s\n", f->string,
                    leaves != NULL ? leaves : "", lands != NULL ? lands : "",
                    text != NULL ? text : "");
        free(text);
    }
}

static void records_flights(const struct eb_tau_db *db, const cJSON *actions,
                            struct eb_buf *out)
{
    const cJSON *a, *v;

    cJSON_ArrayForEach(a, actions)
    {
        cJSON_ArrayForEach(v, records_get(eb_tau_args(a), "flights"))
        {
            const char *number = eb_calls_str(v, "flight_number");

            records_search(db, records_get(db->flights, number),
                           eb_calls_str(v, "date"), out);
        }
    }
}

int eb_tau_records(const struct eb_tau_db *db, const struct eb_tau_task *t,
                   struct eb_buf *out)
{
    const char *id = records_user(db, t);
    const cJSON *user = records_get(db->users, id), *v, *r;

    if (user == NULL)
        return -1;
    eb_buf_addf(out, "User id: %s\n", id);
    records_add(out, "User", user);
    cJSON_ArrayForEach(v, records_get(user, "orders"))
    {
        r = cJSON_IsString(v) ? records_get(db->orders, v->valuestring) : NULL;
        if (r != NULL)
            records_add(out, "Order", r);
    }
    cJSON_ArrayForEach(v, records_get(user, "reservations"))
    {
        r = cJSON_IsString(v) ? records_get(db->reservations, v->valuestring)
                              : NULL;
        if (r != NULL)
            records_add(out, "Reservation", r);
    }
    records_products(db, t->actions, out);
    records_flights(db, t->actions, out);
    eb_buf_addc(out, '\n');
    return 0;
}
