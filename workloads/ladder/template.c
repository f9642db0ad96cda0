#include "workloads/ladder/template.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/mem.h"

#define TEMPLATE_MAX_BYTES (4u << 20)
#define TEMPLATE_DEPTH_MAX 24

static const char *const names_en[] = {
    "Amelia", "Jonas", "Priya", "Marek",  "Sofia",  "Tom",    "Hana",
    "Luca",   "Ines",  "Omar",  "Freya",  "Dmitri", "Grace",  "Yusuf",
    "Elena",  "Noah",  "Ruth",  "Callum", "Nadia",  "Oliver", "Bea"};
static const char *const names_zh[] = {
    "王芳", "李强",   "张敏",   "刘洋", "陈静", "杨帆", "赵磊",
    "黄丽", "周杰敏", "吴晓雨", "徐亮", "孙悦", "马超", "朱婷",
    "胡军", "郭雪",   "林娜",   "何伟", "高翔", "罗佳"};
static const char *const cities_en[] = {
    "Bristol",   "Leeds",      "Dublin",   "Austin",   "Portland", "Toronto",
    "Cardiff",   "Boston",     "Seattle",  "Brighton", "Denver",   "Galway",
    "Oxford",    "Tampa",      "Norwich",  "Reno",     "Glasgow",  "Exeter",
    "Madison",   "Halifax",    "Swansea",  "Albany",   "Limerick", "Tucson",
    "Plymouth",  "Dayton",     "Belfast",  "Ottawa",   "Derby",    "Spokane",
    "Durham",    "Aberdeen",   "Savannah", "Hull",     "Omaha",    "Bath",
    "Carlisle",  "Chester",    "Dundee",   "Ely",      "Hereford", "Inverness",
    "Lancaster", "Lincoln",    "Luton",    "Newport",  "Perth",    "Poole",
    "Preston",   "Ripon",      "Salford",  "Stirling", "Truro",    "Wakefield",
    "Wells",     "Winchester", "Wrexham",  "Cork",     "Sligo",    "Kilkenny",
    "Waterford", "Akron",      "Boise",    "Buffalo",  "Chandler", "Fresno",
    "Laredo",    "Lubbock",    "Memphis",  "Mesa",     "Mobile",   "Newark",
    "Oakland",   "Orlando",    "Phoenix",  "Raleigh",  "Salem",    "Tacoma",
    "Toledo",    "Tulsa",      "Wichita",  "Calgary",  "Edmonton", "Hamilton",
    "Kingston",  "Regina",     "Victoria", "Winnipeg"};
static const char *const cities_zh[] = {
    "杭州市", "成都市", "南京市",     "武汉市", "青岛市",   "厦门市", "苏州市",
    "长沙市", "西安市", "大连市",     "合肥市", "昆明市",   "宁波市", "福州市",
    "济南市", "郑州市", "无锡市",     "沈阳市", "南昌市",   "贵阳市", "太原市",
    "珠海市", "烟台市", "石家庄市",   "佛山市", "温州市",   "北京市", "上海市",
    "天津市", "重庆市", "广州市",     "深圳市", "东莞市",   "惠州市", "中山市",
    "汕头市", "南宁市", "桂林市",     "柳州市", "海口市",   "三亚市", "兰州市",
    "西宁市", "银川市", "呼和浩特市", "包头市", "哈尔滨市", "长春市", "吉林市",
    "徐州市", "常州市", "扬州市",     "南通市", "嘉兴市",   "绍兴市", "金华市",
    "台州市", "芜湖市", "泉州市",     "漳州市", "赣州市",   "潍坊市", "洛阳市",
    "襄阳市", "宜昌市", "株洲市",     "绵阳市", "遵义市",   "大理市", "拉萨市"};
static const char *const streets_en[] = {
    "Maple",     "Station",    "Harbour",   "King's",   "Birch",
    "Mill",      "Orchard",    "Elm",       "Queen",    "Hillside",
    "Canal",     "Park",       "Chapel",    "Juniper",  "Foundry",
    "Bridge",    "Rosewood",   "Granary",   "Fern",     "Abbey",
    "Quarry",    "Sunset",     "Market",    "Victoria", "Heron",
    "Meadow",    "Church",     "Lakeview",  "Tanner",   "Castle",
    "Willow",    "Spring",     "Cobbler's", "Linden",   "Ashdown",
    "Badger",    "Barley",     "Beacon",    "Bellamy",  "Blackthorn",
    "Bramble",   "Brookside",  "Cedar",     "Chestnut", "Clover",
    "Copper",    "Coronation", "Cypress",   "Dovecote", "Dunmore",
    "Eastgate",  "Falcon",     "Ferry",     "Foxglove", "Garrison",
    "Glebe",     "Grange",     "Hawthorn",  "Hazel",    "Highfield",
    "Holly",     "Ivy",        "Kestrel",   "Lavender", "Longacre",
    "Magnolia",  "Marina",     "Milton",    "Moorland", "Nightingale",
    "Northgate", "Oakwood",    "Osprey",    "Paddock",  "Pembroke",
    "Pine",      "Poplar",     "Priory",    "Raven",    "Redwood",
    "Ridgeway",  "Riverside",  "Rowan",     "Saddler",  "Salisbury",
    "Sandpiper", "Sheldon",    "Silver",    "Stanley",  "Sycamore",
    "Talbot",    "Thistle",    "Tower",     "Union",    "Vine",
    "Walnut",    "Warren",     "Waterloo",  "Weaver",   "Wharf",
    "Windmill",  "Wren",       "Yew",       "York",     "Zetland"};
static const char *const streets_zh[] = {
    "文三", "建设",   "解放",   "滨江",   "人民", "春熙",   "中山北", "湖滨",
    "学府", "延安西", "和平",   "长江",   "新华", "体育西", "青年",   "花园",
    "胜利", "朝阳",   "东湖",   "北京西", "金水", "桂花",   "南京东", "龙泉",
    "凤凰", "科技园", "江汉",   "五一",   "府前", "竹园",   "梧桐",   "海棠",
    "松柏", "白云",   "玉兰",   "清河",   "丰收", "团结",   "友谊",   "光明",
    "民主", "红旗",   "兴业",   "富民",   "康宁", "永安",   "平江",   "临江",
    "望海", "观山",   "银杏",   "樱花",   "紫荆", "芙蓉",   "石桥",   "古楼",
    "钟楼", "鼓楼",   "东门",   "西湖",   "南湖", "北环",   "环城",   "创业",
    "创新", "高新",   "软件园", "大学城", "机场", "火车站", "迎宾",   "世纪",
    "复兴", "振华",   "天府",   "锦绣",   "翠微", "碧波",   "明珠",   "星海",
    "宝塔", "太白",   "书院",   "文昌",   "城隍", "柳林",   "杏花",   "稻香",
    "麦田", "渔港",   "码头",   "双桥",   "三元", "四季",   "五里",   "六合",
    "七星", "八卦",   "九龙"};
static const char *const street_kinds_en[] = {
    "Street", "Road",  "Lane",    "Avenue",    "Close",    "Drive",
    "Way",    "Court", "Terrace", "Row",       "Crescent", "Hill",
    "Place",  "Walk",  "Gardens", "Boulevard", "Square",   "Parade"};
static const char *const street_kinds_zh[] = {
    "路", "街", "大道", "巷", "大街", "东路", "西路", "一路", "二路", "支路"};
static const char *const products_en[] = {"desk lamp",
                                          "kettle",
                                          "toaster",
                                          "backpack",
                                          "earphones",
                                          "headphones",
                                          "power bank",
                                          "floor lamp",
                                          "coffee grinder",
                                          "phone charger",
                                          "speaker",
                                          "smart plug",
                                          "night light",
                                          "laptop bag",
                                          "travel mug",
                                          "blender",
                                          "frying pan",
                                          "tote bag",
                                          "keyboard",
                                          "rice cooker",
                                          "webcam",
                                          "string lights",
                                          "lunch box",
                                          "air fryer",
                                          "reading lamp",
                                          "bedside lamp",
                                          "wall light",
                                          "ceiling light",
                                          "camping lantern",
                                          "LED strip",
                                          "salt lamp",
                                          "pendant light",
                                          "clip-on light",
                                          "mouse",
                                          "USB hub",
                                          "alarm clock",
                                          "electric toothbrush",
                                          "hair dryer",
                                          "humidifier",
                                          "desk fan",
                                          "heater",
                                          "fitness band",
                                          "smart watch",
                                          "bluetooth speaker",
                                          "earbuds",
                                          "charging cable",
                                          "extension lead",
                                          "radio",
                                          "bathroom scale",
                                          "card reader",
                                          "dash cam",
                                          "headset",
                                          "saucepan",
                                          "wok",
                                          "knife set",
                                          "chopping board",
                                          "cutting board",
                                          "mixing bowl",
                                          "whisk",
                                          "hand mixer",
                                          "food processor",
                                          "espresso machine",
                                          "french press",
                                          "coffee maker",
                                          "waffle iron",
                                          "sandwich maker",
                                          "juicer",
                                          "soup maker",
                                          "slow cooker",
                                          "kitchen scale",
                                          "water bottle",
                                          "thermos",
                                          "spice rack",
                                          "baking tray",
                                          "teapot",
                                          "mug set",
                                          "wine glasses",
                                          "cutlery set",
                                          "colander",
                                          "peeler",
                                          "suitcase",
                                          "duffel bag",
                                          "sling bag",
                                          "crossbody bag",
                                          "gym bag",
                                          "messenger bag",
                                          "toiletry bag",
                                          "wallet",
                                          "camera bag",
                                          "laptop sleeve",
                                          "picnic bag",
                                          "handbag",
                                          "rucksack",
                                          "cabin bag"};
static const char *const products_zh[] = {
    "台灯",     "电热水壶", "烤面包机", "双肩包", "耳机",   "蓝牙耳机",
    "充电宝",   "落地灯",   "磨豆机",   "充电器", "音箱",   "智能插座",
    "小夜灯",   "电脑包",   "保温杯",   "破壁机", "平底锅", "帆布包",
    "键盘",     "电饭煲",   "摄像头",   "灯串",   "饭盒",   "空气炸锅",
    "床头灯",   "吸顶灯",   "露营灯",   "鼠标",   "加湿器", "吹风机",
    "电动牙刷", "智能手表", "数据线",   "行李箱", "斜挎包", "炒锅",
    "榨汁机",   "豆浆机",   "菜刀",     "砧板",   "养生壶", "咖啡机",
    "收音机",   "体重秤",   "插线板",   "投影仪", "腰包",   "钱包",
    "旅行包",   "玻璃杯",   "蒸锅",     "打蛋器", "厨房秤", "拓展坞"};
static const char *const months_en[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

#define PICK(rng, zh, table)                                                   \
    ((zh) ? table##_zh[eb_rng_index(                                           \
                rng, (int)(sizeof(table##_zh) / sizeof(table##_zh[0])))]       \
          : table##_en[eb_rng_index(                                           \
                rng, (int)(sizeof(table##_en) / sizeof(table##_en[0])))])

void tmpl_lines_add(struct tmpl_lines *l, const char *s, size_t len)
{
    l->v = eb_xrealloc(l->v, (size_t)l->n + 1, sizeof(*l->v));
    l->v[l->n++] = eb_xstrndup(s, len);
}

void tmpl_lines_free(struct tmpl_lines *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct tmpl_lines){0};
}

void tmpl_free(struct tmpl_file *f)
{
    for (int i = 0; i < f->n_lists; i++) {
        free(f->lists[i].name);
        tmpl_lines_free(&f->lists[i].alt);
    }
    for (int i = 0; i < f->n_sections; i++) {
        free(f->sections[i].name);
        free(f->sections[i].urgency);
        free(f->sections[i].tool);
        free(f->sections[i].topic);
        tmpl_lines_free(&f->sections[i].lines);
    }
    free(f->lists);
    free(f->sections);
    *f = (struct tmpl_file){0};
}

static struct tmpl_list *template_list(const struct tmpl_file *f,
                                       const char *name, size_t len)
{
    for (int i = 0; i < f->n_lists; i++)
        if (strlen(f->lists[i].name) == len &&
            memcmp(f->lists[i].name, name, len) == 0)
            return &f->lists[i];
    return NULL;
}

/* Calls add for each part of s..end between top-level '|'. */
static void template_split(const char *s, const char *end,
                           struct tmpl_lines *out, int trim)
{
    int depth = 0;
    const char *start = s;

    for (const char *p = s; p <= end; p++) {
        if (p < end && *p == '{')
            depth++;
        if (p < end && *p == '}')
            depth--;
        if (p < end && (*p != '|' || depth > 0))
            continue;
        const char *a = start;
        const char *b = p;
        while (trim && a < b && *a == ' ')
            a++;
        while (trim && b > a && b[-1] == ' ')
            b--;
        tmpl_lines_add(out, a, (size_t)(b - a));
        start = p + 1;
    }
}

static void template_add_list(struct tmpl_file *f, char *line)
{
    char *eq = strchr(line, '=');
    char *end = eq;

    if (!eq)
        return;
    while (end > line + 1 && end[-1] == ' ')
        end--;
    size_t len = (size_t)(end - line - 1);
    struct tmpl_list *l = template_list(f, line + 1, len);
    if (!l) {
        f->lists =
            eb_xrealloc(f->lists, (size_t)f->n_lists + 1, sizeof(*f->lists));
        l = &f->lists[f->n_lists++];
        *l = (struct tmpl_list){.name = eb_xstrndup(line + 1, len)};
    }
    template_split(eq + 1, eq + strlen(eq), &l->alt, 1);
}

static void template_add_section(struct tmpl_file *f, char *line)
{
    char *save = NULL;
    char *word;
    struct tmpl_section s = {.urgency = eb_xstrdup("normal"),
                             .tool = eb_xstrdup("none"),
                             .topic = eb_xstrdup("")};

    line[strcspn(line, "]")] = '\0';
    word = strtok_r(line + 1, " ", &save);
    s.name = eb_xstrdup(word ? word : "");
    while ((word = strtok_r(NULL, " ", &save))) {
        char *eq = strchr(word, '=');
        char **field = NULL;
        if (!eq)
            continue;
        *eq = '\0';
        if (!strcmp(word, "urgency"))
            field = &s.urgency;
        else if (!strcmp(word, "tool"))
            field = &s.tool;
        else if (!strcmp(word, "topic"))
            field = &s.topic;
        else if (!strcmp(word, "escalate"))
            s.escalate = !strcmp(eq + 1, "true");
        if (field) {
            free(*field);
            *field = eb_xstrdup(eq + 1);
        }
    }
    f->sections = eb_xrealloc(f->sections, (size_t)f->n_sections + 1,
                              sizeof(*f->sections));
    f->sections[f->n_sections++] = s;
}

int tmpl_load(const char *path, int zh, struct tmpl_file *f, struct eb_err *err)
{
    struct eb_buf b = {0};
    char *save = NULL;
    int rc = eb_fs_read(path, TEMPLATE_MAX_BYTES, &b, err);

    if (rc)
        return rc;
    *f = (struct tmpl_file){.path = path, .zh = zh};
    for (char *line = strtok_r(b.data, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        size_t len = strlen(line);
        while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
            line[--len] = '\0';
        if (!len || *line == '#')
            continue;
        if (*line == '%')
            template_add_list(f, line);
        else if (*line == '[')
            template_add_section(f, line);
        else if (f->n_sections)
            tmpl_lines_add(&f->sections[f->n_sections - 1].lines, line, len);
    }
    eb_buf_free(&b);
    if (!f->n_sections)
        return eb_fail(err, EB_EPARSE, "%s: no [section]", path);
    return 0;
}

static int template_is(const char *name, size_t len, const char *want)
{
    return strlen(want) == len && memcmp(name, want, len) == 0;
}

static void template_date(int zh, struct eb_rng *rng, struct eb_buf *out)
{
    int month = eb_rng_index(rng, 12);
    int day = 1 + eb_rng_index(rng, 28);

    if (zh)
        eb_buf_addf(out, "%d月%d日", month + 1, day);
    else if (eb_rng_percent(rng, 50))
        eb_buf_addf(out, "%d %s", day, months_en[month]);
    else
        eb_buf_addf(out, "%s %d", months_en[month], day);
}

static void template_amount(int zh, struct eb_rng *rng, struct eb_buf *out)
{
    int v = 12 + eb_rng_index(rng, 389);

    if (zh)
        eb_buf_addf(out, eb_rng_percent(rng, 70) ? "%d元" : "%d块", v);
    else if (eb_rng_percent(rng, 50))
        eb_buf_addf(out, "$%d.%02d", v, eb_rng_index(rng, 100));
    else
        eb_buf_addf(out, eb_rng_percent(rng, 50) ? "$%d" : "%d dollars", v);
}

/* One Chinese character of a random value; out holds 4 bytes. */
static void template_character(struct eb_rng *rng, char *out)
{
    const char *text = eb_rng_percent(rng, 50)   ? PICK(rng, 1, streets)
                       : eb_rng_percent(rng, 50) ? PICK(rng, 1, products)
                                                 : PICK(rng, 1, names);
    int n = (int)strlen(text) / 3; /* bytes a character */

    snprintf(out, 4, "%s", text + 3 * eb_rng_index(rng, n));
}

static void template_syllable(struct eb_rng *rng, char *out)
{
    static const char consonants[] = "bcdfghklmnprstvwz";
    int n = (int)sizeof(consonants) - 1;

    snprintf(out, 4, "%c%c%c", consonants[eb_rng_index(rng, n)],
             "aeiou"[eb_rng_index(rng, 5)], consonants[eb_rng_index(rng, n)]);
}

/* A name that nobody bears: two or three syllables or characters, or in
 * English a product's name. */
static void template_made_up(int zh, struct eb_rng *rng, char *out, size_t size)
{
    int n = 2 + eb_rng_index(rng, 2);

    *out = '\0';
    if (!zh && eb_rng_percent(rng, 40)) {
        snprintf(out, size, "%s", PICK(rng, 0, products));
        n = 0;
    }
    for (; n > 0 && strlen(out) + 4 < size; n--) {
        if (zh)
            template_character(rng, out + strlen(out));
        else
            template_syllable(rng, out + strlen(out));
    }
    if (!zh)
        *out = (char)toupper((unsigned char)*out);
}

/* Half of the names are made up, so that an address is copied and not
 * remembered; one in five has a flat. */
static void template_street(int zh, struct eb_rng *rng, char *out, size_t size)
{
    int no = 1 + eb_rng_index(rng, 240);
    char made_up[24];
    const char *stem = PICK(rng, zh, streets);
    const char *kind = PICK(rng, zh, street_kinds);
    char flat[24] = "";

    template_made_up(zh, rng, made_up, sizeof(made_up));
    if (eb_rng_percent(rng, 50))
        stem = made_up;

    if (eb_rng_percent(rng, 20))
        snprintf(flat, sizeof(flat), zh ? "%d室" : ", flat %d",
                 1 + eb_rng_index(rng, 60));
    if (zh)
        snprintf(out, size, "%s%s%d号%s", stem, kind, no, flat);
    else
        snprintf(out, size, "%d %s %s%s", no, stem, kind, flat);
}

static void template_order(struct eb_rng *rng, char *out, size_t size)
{
    snprintf(out, size, "LK%06d", eb_rng_index(rng, 1000000));
}

/* A word as injected instructions use it. */
static void template_code(struct eb_rng *rng, struct eb_buf *out)
{
    for (int i = 0; i < 3; i++)
        eb_buf_addc(out, (char)('A' + eb_rng_index(rng, 26)));
    eb_buf_addf(out, "-%d", 1000 + eb_rng_index(rng, 9000));
}

static void template_city(int zh, struct eb_rng *rng, char *out, size_t size)
{
    char made_up[24];

    template_made_up(zh, rng, made_up, sizeof(made_up));
    if (eb_rng_percent(rng, 30)) {
        snprintf(out, size, zh ? "%s市" : "%s", made_up);
    } else {
        snprintf(out, size, "%s", PICK(rng, zh, cities));
    }
    if (zh && eb_rng_percent(rng, 40))
        out[strlen(out) - strlen("市")] = '\0';
}

/* Slots that name something else than what is asked for: never kept. */
static int template_other(int zh, const char *name, size_t len,
                          struct eb_rng *rng, struct eb_buf *out)
{
    char text[96] = "";

    if (template_is(name, len, "order2"))
        template_order(rng, text, sizeof(text));
    else if (template_is(name, len, "street2"))
        template_street(zh, rng, text, sizeof(text));
    else if (template_is(name, len, "city2"))
        template_city(zh, rng, text, sizeof(text));
    else if (template_is(name, len, "code"))
        template_code(rng, out);
    else
        return 0;
    eb_buf_adds(out, text);
    return 1;
}

/* Appends a value slot; 0 if name is none. */
static int template_slot(int zh, const char *name, size_t len,
                         struct eb_rng *rng, struct tmpl_values *val,
                         struct eb_buf *out)
{
    if (template_is(name, len, "order")) {
        if (!val->order[0])
            template_order(rng, val->order, sizeof(val->order));
        eb_buf_adds(out, val->order);
    } else if (template_is(name, len, "badorder")) {
        eb_buf_addf(out, "%05d", eb_rng_index(rng, 100000));
    } else if (template_is(name, len, "product")) {
        eb_buf_adds(out, PICK(rng, zh, products));
    } else if (template_is(name, len, "name")) {
        eb_buf_adds(out, PICK(rng, zh, names));
    } else if (template_is(name, len, "city")) {
        if (!val->city[0])
            template_city(zh, rng, val->city, sizeof(val->city));
        eb_buf_adds(out, val->city);
    } else if (template_is(name, len, "street")) {
        if (!val->street[0])
            template_street(zh, rng, val->street, sizeof(val->street));
        eb_buf_adds(out, val->street);
    } else if (template_is(name, len, "amount")) {
        template_amount(zh, rng, out);
    } else if (template_is(name, len, "date")) {
        template_date(zh, rng, out);
    } else if (template_is(name, len, "n")) {
        eb_buf_addf(out, "%d", 2 + eb_rng_index(rng, 8));
    } else if (template_is(name, len, "a")) {
        eb_buf_addf(out, "%d", val->a);
    } else if (template_is(name, len, "b")) {
        eb_buf_addf(out, "%d", val->b);
    } else {
        return template_other(zh, name, len, rng, out);
    }
    return 1;
}

struct template_run {
    const struct tmpl_file *f;
    struct eb_rng *rng;
    struct tmpl_values *val;
    struct eb_buf *out;
    struct eb_err *err;
    int depth;
};

static int template_run(struct template_run *r, const char *s, const char *end);

static int template_choice(struct template_run *r, const char *s,
                           const char *end)
{
    struct tmpl_lines alt = {0};
    int rc;

    template_split(s, end, &alt, 0);
    const char *pick = alt.v[eb_rng_index(r->rng, alt.n)];
    rc = template_run(r, pick, pick + strlen(pick));
    tmpl_lines_free(&alt);
    return rc;
}

static int template_name(struct template_run *r, const char *s, size_t len)
{
    const struct tmpl_list *l;

    if (template_slot(r->f->zh, s, len, r->rng, r->val, r->out))
        return 0;
    l = template_list(r->f, s, len);
    if (!l)
        return eb_fail(r->err, EB_EPARSE, "%s: unknown <%.*s>", r->f->path,
                       (int)len, s);
    const char *pick = l->alt.v[eb_rng_index(r->rng, l->alt.n)];
    return template_run(r, pick, pick + strlen(pick));
}

static int template_run(struct template_run *r, const char *s, const char *end)
{
    int rc = 0;

    if (++r->depth > TEMPLATE_DEPTH_MAX)
        return eb_fail(r->err, EB_EPARSE, "%s: nested too deeply", r->f->path);
    for (const char *p = s; p < end && !rc; p++) {
        if (*p == '{') {
            int depth = 1;
            const char *q = p + 1;
            for (; q < end && depth; q++)
                depth += *q == '{' ? 1 : *q == '}' ? -1 : 0;
            if (depth)
                return eb_fail(r->err, EB_EPARSE, "%s: unbalanced {: %.80s",
                               r->f->path, s);
            rc = template_choice(r, p + 1, q - 1);
            p = q - 1;
        } else if (*p == '<') {
            const char *q = memchr(p, '>', (size_t)(end - p));
            if (!q)
                return eb_fail(r->err, EB_EPARSE, "%s: unclosed <: %.80s",
                               r->f->path, s);
            rc = template_name(r, p + 1, (size_t)(q - p - 1));
            p = q;
        } else if (*p == '}') {
            return eb_fail(r->err, EB_EPARSE, "%s: unbalanced }: %.80s",
                           r->f->path, s);
        } else {
            eb_buf_addc(r->out, *p);
        }
    }
    r->depth--;
    return rc;
}

int tmpl_expand(const struct tmpl_file *f, const char *text, struct eb_rng *rng,
                struct tmpl_values *val, struct eb_buf *out, struct eb_err *err)
{
    struct template_run r = {f, rng, val, out, err, 0};

    return template_run(&r, text, text + strlen(text));
}
