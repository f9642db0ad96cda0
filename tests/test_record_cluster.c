/* The interval of a rate whose items come in clusters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/record_parts.h"

/* 80 items, half of them right, in clusters of `size` that are right or wrong
 * as a whole. */
static cJSON *row_of(int size)
{
    cJSON *rec = cJSON_CreateObject(), *items, *v, *row = cJSON_CreateObject();
    char text[32];
    int i;

    items = cJSON_AddArrayToObject(rec, "items");
    for (i = 0; i < 80; i++) {
        v = cJSON_CreateObject();
        snprintf(text, sizeof(text), "i%d", i);
        cJSON_AddStringToObject(v, "id", text);
        cJSON_AddStringToObject(v, "level", "act");
        cJSON_AddStringToObject(v, "lang", "en");
        snprintf(text, sizeof(text), "c%d", i / size);
        cJSON_AddStringToObject(v, "cluster", text);
        cJSON_AddStringToObject(v, "class", i / size % 2 ? "ok" : "wrong");
        cJSON_AddItemToArray(items, v);
    }
    cJSON_AddStringToObject(row, "level", "act");
    cJSON_AddStringToObject(row, "lang", "en");
    eb_record_cluster(rec, row);
    cJSON_Delete(rec);
    return row;
}

static double width(const cJSON *row)
{
    return eb_json_get_num(row, "cluster_hi", -1) -
           eb_json_get_num(row, "cluster_lo", 1);
}

/* Two items that always agree are worth one: sqrt(2) times as wide. */
static void test_clusters_widen(void **state)
{
    cJSON *alone = row_of(1), *pairs = row_of(2);

    (void)state;
    assert_true(eb_json_get_num(alone, "clusters", 0) == 80);
    assert_true(eb_json_get_num(pairs, "clusters", 0) == 40);
    assert_true(width(alone) > 0.18 && width(alone) < 0.26);
    assert_true(width(pairs) > 1.25 * width(alone));
    assert_true(width(pairs) < 1.6 * width(alone));
    cJSON_Delete(alone);
    cJSON_Delete(pairs);
}

static void test_few_clusters(void **state)
{
    cJSON *row = row_of(4);

    (void)state;
    assert_true(eb_json_get_num(row, "clusters", 0) == 20);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(row, "cluster_lo")));
    assert_non_null(cJSON_GetObjectItem(row, "cluster_lo_reason"));
    cJSON_Delete(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clusters_widen),
        cmocka_unit_test(test_few_clusters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
