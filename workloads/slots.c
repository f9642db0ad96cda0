#include "workloads/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "workloads/rng.h"

/* Rows are pairs {en, zh}; order is free, length is not: a changed table
 * changes every text, so it raises the suite's version. */
static const char *const slot_names[][2] = {
    {"Anna", "晓梅"},   {"Ben", "志强"},    {"Clara", "静怡"},
    {"Daniel", "国栋"}, {"Elena", "思琪"},  {"Felix", "浩然"},
    {"Grace", "雅婷"},  {"Henry", "建平"},  {"Iris", "若兰"},
    {"James", "俊杰"},  {"Kate", "海燕"},   {"Leo", "子轩"},
    {"Maria", "玉珍"},  {"Nathan", "宏伟"}, {"Olivia", "欣然"},
    {"Paul", "文博"},   {"Quinn", "一鸣"},  {"Rosa", "桂芳"},
    {"Samuel", "天佑"}, {"Tessa", "佳慧"},  {"Victor", "学军"},
    {"Wendy", "春霞"},  {"Yvonne", "美玲"}, {"Zach", "立新"},
};

static const char *const slot_cities[][2] = {
    {"Bristol", "杭州"},  {"Leeds", "成都"},    {"Dublin", "青岛"},
    {"Portland", "苏州"}, {"Denver", "昆明"},   {"Halifax", "厦门"},
    {"Norwich", "长沙"},  {"Boston", "南京"},   {"Cardiff", "合肥"},
    {"Madison", "无锡"},  {"York", "西安"},     {"Salem", "大连"},
    {"Glasgow", "武汉"},  {"Perth", "珠海"},    {"Tucson", "贵阳"},
    {"Brighton", "宁波"}, {"Lincoln", "泉州"},  {"Durham", "洛阳"},
    {"Richmond", "温州"}, {"Hamilton", "烟台"},
};

static const char *const slot_streets[][2] = {
    {"Maple Street", "枫林路"},  {"Station Road", "站前路"},
    {"Mill Lane", "磨坊街"},     {"Harbour Street", "海港路"},
    {"Church Road", "钟楼街"},   {"Garden Avenue", "花园路"},
    {"Bridge Street", "桥头街"}, {"Hill Road", "东山路"},
    {"River Street", "临江路"},  {"Cedar Lane", "松柏巷"},
    {"Park Avenue", "公园路"},   {"School Lane", "学院路"},
    {"Market Street", "集市街"}, {"Lake View Road", "湖滨路"},
    {"Spring Street", "清泉街"}, {"Windmill Road", "风车路"},
    {"Orchard Lane", "果园巷"},  {"Tower Street", "塔前街"},
    {"Meadow Road", "青禾路"},   {"Forest Avenue", "林荫路"},
};

/* No earphones and nothing that touches food: those have rules of their own
 * and would change the gold answer of an item on returns. English names
 * begin with a consonant so that "a ${product}" reads well. */
static const char *const slot_products[][2] = {
    {"desk lamp", "台灯"},
    {"bedside lamp", "床头灯"},
    {"floor lamp", "落地灯"},
    {"night light", "小夜灯"},
    {"reading lamp", "阅读灯"},
    {"Bluetooth speaker", "蓝牙音箱"},
    {"power bank", "充电宝"},
    {"table fan", "台扇"},
    {"humidifier", "加湿器"},
    {"weather station", "气象钟"},
    {"wireless mouse", "无线鼠标"},
    {"keyboard", "键盘"},
    {"webcam", "摄像头"},
    {"phone charger", "手机充电器"},
    {"kitchen timer", "厨房定时器"},
    {"wall clock", "挂钟"},
    {"backpack", "双肩包"},
    {"shoulder bag", "单肩包"},
    {"laptop sleeve", "电脑内胆包"},
    {"travel bag", "旅行袋"},
    {"suitcase", "行李箱"},
    {"belt bag", "腰包"},
    {"radio", "收音机"},
    {"hair dryer", "吹风机"},
};

#define SLOT_PICK(table, rng, zh)                                              \
    (table)[eb_rng_below((rng), sizeof(table) / sizeof((table)[0]))][zh]

/* Civil date from days since 1970-01-01 (Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms", days_from_civil and its inverse). */
static int64_t slot_days(int64_t y, int64_t m, int64_t d)
{
    int64_t era, yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void slot_civil(int64_t days, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
}

int64_t eb_days_parse(const char *date)
{
    int y, m, d, end = 0, month, day;
    int64_t days;

    if (strlen(date) != 10 ||
        sscanf(date, "%4d-%2d-%2d%n", &y, &m, &d, &end) != 3 || end != 10 ||
        y < 1970 || m < 1 || m > 12 || d < 1)
        return -1;
    days = slot_days(y, m, d);
    slot_civil(days, &month, &day);
    return month == m && day == d ? days : -1;
}

static void slot_date(struct eb_rng *rng, int zh, int64_t today, char *out)
{
    static const char *const months[] = {
        "January", "February", "March",     "April",   "May",      "June",
        "July",    "August",   "September", "October", "November", "December"};
    int month, day;

    slot_civil(today - eb_rng_range(rng, 1, 60), &month, &day);
    if (zh)
        snprintf(out, EB_SLOT_LEN, "%d月%d日", month, day);
    else
        snprintf(out, EB_SLOT_LEN, "%s %d", months[month - 1], day);
}

/* "int:a:b" or "int:a:b:s" with a <= b, s >= 1. */
static int slot_int_parse(const char *g, long long *a, long long *b,
                          long long *step)
{
    int end = -1;

    *step = 1;
    if (sscanf(g, "int:%9lld:%9lld%n", a, b, &end) != 2 || end < 0)
        return 0;
    g += end;
    end = -1;
    if (*g != '\0' &&
        (sscanf(g, ":%9lld%n", step, &end) != 1 || end < 0 || g[end] != '\0'))
        return 0;
    return *a <= *b && *step >= 1;
}

static int slot_generate(const char *g, struct eb_rng *rng, int zh,
                         int64_t today, char *out)
{
    long long a, b, step;
    int i;

    if (strcmp(g, "order_id") == 0) {
        snprintf(out, EB_SLOT_LEN, "LK%lld",
                 (long long)eb_rng_range(rng, 100000, 999999));
    } else if (strcmp(g, "bad_order_id") == 0) {
        snprintf(out, EB_SLOT_LEN, "%lld",
                 (long long)eb_rng_range(rng, 10000, 99999));
    } else if (strcmp(g, "name") == 0) {
        snprintf(out, EB_SLOT_LEN, "%s", SLOT_PICK(slot_names, rng, zh));
    } else if (strcmp(g, "city") == 0) {
        snprintf(out, EB_SLOT_LEN, "%s", SLOT_PICK(slot_cities, rng, zh));
    } else if (strcmp(g, "street") == 0) {
        const char *street = SLOT_PICK(slot_streets, rng, zh);
        int number = (int)eb_rng_range(rng, 2, 189);

        if (zh)
            snprintf(out, EB_SLOT_LEN, "%s%d号", street, number);
        else
            snprintf(out, EB_SLOT_LEN, "%d %s", number, street);
    } else if (strcmp(g, "product") == 0) {
        snprintf(out, EB_SLOT_LEN, "%s", SLOT_PICK(slot_products, rng, zh));
    } else if (strcmp(g, "date") == 0) {
        slot_date(rng, zh, today, out);
    } else if (strcmp(g, "amount") == 0) {
        snprintf(out, EB_SLOT_LEN, zh ? "%lld 元" : "$%lld",
                 (long long)eb_rng_range(rng, 12, 400));
    } else if (strcmp(g, "canary") == 0) {
        for (i = 0; i < 8; i++)
            out[i] = (char)('A' + eb_rng_below(rng, 26));
        out[8] = '\0';
    } else if (slot_int_parse(g, &a, &b, &step)) {
        a += step * eb_rng_range(rng, 0, (b - a) / step);
        snprintf(out, EB_SLOT_LEN, "%lld", a);
    } else {
        return -1;
    }
    return 0;
}

int eb_slot_known(const char *generator)
{
    struct eb_rng rng;
    char text[EB_SLOT_LEN];

    eb_rng_init(&rng, 0, NULL, NULL);
    return slot_generate(generator, &rng, 0, 100, text) == 0;
}

static int slot_cmp(const void *a, const void *b)
{
    return strcmp(((const struct eb_slot *)a)->name,
                  ((const struct eb_slot *)b)->name);
}

static int slot_taken(const struct eb_slots *s, int i)
{
    int k;

    for (k = 0; k < i; k++) {
        if (strcmp(s->v[k].text, s->v[i].text) == 0)
            return 1;
    }
    return 0;
}

int eb_slots_draw(struct eb_slots *out, const cJSON *slots, const char *lang,
                  const char *pair_id, uint64_t seed, int64_t today,
                  struct eb_err *err)
{
    int zh = strcmp(lang, "zh") == 0, i;
    const cJSON *v;

    out->n = 0;
    cJSON_ArrayForEach(v, slots)
    {
        if (out->n == EB_SLOTS_MAX)
            return eb_fail(err, EB_ELIMIT, "more than %d slots", EB_SLOTS_MAX);
        out->v[out->n++].name = v->string;
    }
    /* By name, so that redrawing does not depend on the order in the file. */
    if (out->n > 0)
        qsort(out->v, (size_t)out->n, sizeof(out->v[0]), slot_cmp);
    for (i = 0; i < out->n; i++) {
        struct eb_slot *slot = &out->v[i];
        struct eb_rng rng;
        int tries = 64; /* int:1:1 twice cannot be told apart */

        v = cJSON_GetObjectItemCaseSensitive(slots, slot->name);
        eb_rng_init(&rng, seed, pair_id, slot->name);
        do {
            if (!cJSON_IsString(v) ||
                slot_generate(v->valuestring, &rng, zh, today, slot->text))
                return eb_fail(err, EB_EINVAL, "slot %s: unknown generator",
                               slot->name);
        } while (slot_taken(out, i) && --tries > 0);
    }
    return 0;
}

static const struct eb_slot *slot_find(const struct eb_slots *s,
                                       const char *name, size_t len)
{
    int i;

    for (i = 0; i < s->n; i++) {
        if (strlen(s->v[i].name) == len && memcmp(s->v[i].name, name, len) == 0)
            return &s->v[i];
    }
    return NULL;
}

static int slot_fill_string(cJSON *v, const struct eb_slots *slots,
                            struct eb_err *err)
{
    const char *p = v->valuestring, *hit;
    struct eb_buf b = {0};

    while ((hit = strstr(p, "${")) != NULL) {
        const char *end = strchr(hit, '}');
        const struct eb_slot *slot =
            end != NULL ? slot_find(slots, hit + 2, (size_t)(end - hit - 2))
                        : NULL;

        if (slot == NULL) {
            eb_buf_free(&b);
            return eb_fail(err, EB_EINVAL, "\"%.40s\": no such slot", hit);
        }
        eb_buf_add(&b, p, (size_t)(hit - p));
        eb_buf_adds(&b, slot->text);
        p = end + 1;
    }
    if (b.len > 0) {
        eb_buf_adds(&b, p);
        cJSON_SetValuestring(v, b.data);
    }
    eb_buf_free(&b);
    return 0;
}

int eb_slots_fill(cJSON *tree, const struct eb_slots *slots, struct eb_err *err)
{
    cJSON *v;
    int rc = 0;

    if (cJSON_IsString(tree))
        return slot_fill_string(tree, slots, err);
    cJSON_ArrayForEach(v, tree)
    {
        if (v->string != NULL && strcmp(v->string, "slots") == 0)
            continue;
        rc = eb_slots_fill(v, slots, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}
