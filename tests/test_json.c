#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/json.h"

static struct eb_err err;

static cJSON *parse_n(const char *text, size_t len)
{
    cJSON *v;

    assert_int_equal(eb_json_parse(text, len, "t", &v, &err), 0);
    assert_non_null(v);
    return v;
}

static cJSON *parse(const char *text)
{
    return parse_n(text, strlen(text));
}

static void refused_n(const char *text, size_t len, int code, const char *msg)
{
    cJSON *v = (cJSON *)1;

    memset(&err, 0, sizeof(err));
    assert_int_equal(eb_json_parse(text, len, "t", &v, &err), code);
    assert_null(v);
    assert_int_equal(err.code, code);
    assert_string_equal(err.msg, msg);
}

static void refused(const char *text, const char *msg)
{
    refused_n(text, strlen(text), EB_EPARSE, msg);
}

static void test_accepts(void **state)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "-12.5e-3",
                                       "1E+2",
                                       "\"\"",
                                       " [ ] ",
                                       "{}",
                                       "[1,[2]]",
                                       "true",
                                       "null ",
                                       "\n{\"a\": [false]}\t",
                                       "\"\\u00e9\\ud83d\\ude00\\n\"",
                                       "\"\xe5\xae\xa2\"",
                                       "\"\xf4\x8f\xbf\xbf\"",
                                       "{\"\":1,\" \":2}"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cJSON_Delete(parse(good[i]));
    /* The length counts, not a NUL after it. */
    cJSON_Delete(parse_n("[1]]", 3));
}

static void test_place(void **state)
{
    (void)state;
    refused("", "t: line 1, column 1: the text ends too early");
    refused("  \n ", "t: line 2, column 2: the text ends too early");
    refused("{\n  \"a\": 1,\n  b: 2}",
            "t: line 3, column 3: expected a key in double quotes");
    refused("[1,]", "t: line 1, column 4: expected a value");
    refused("{\"a\":1,}",
            "t: line 1, column 8: expected a key in double quotes");
    refused("[1 2]", "t: line 1, column 4: expected ',' or ']'");
    refused("{\"a\" 1}", "t: line 1, column 6: expected ':'");
    refused("{\"a\":1 \"b\":2}", "t: line 1, column 8: expected ',' or '}'");
    refused("1 2", "t: line 1, column 3: more text after the value");
    refused("[1]]", "t: line 1, column 4: more text after the value");
    refused("[1", "t: line 1, column 3: the text ends too early");
    refused("\"abc", "t: line 1, column 5: the text ends too early");
    refused("\"a\\", "t: line 1, column 4: the text ends too early");
    /* Columns count characters, not bytes. */
    refused("[\"\xe5\xae\xa2\xe6\x88\xb7\", x]",
            "t: line 1, column 8: expected a value");
    refused("// no\n1", "t: line 1, column 1: expected a value");
    refused("\xef\xbb\xbf{}", "t: line 1, column 1: expected a value");
    refused("nulll", "t: line 1, column 5: more text after the value");
    refused("'a'", "t: line 1, column 1: expected a value");
}

static void test_numbers(void **state)
{
    char longest[80];
    cJSON *v;

    (void)state;
    refused("01", "t: line 1, column 1: number with a leading zero");
    refused("-01", "t: line 1, column 2: number with a leading zero");
    refused("[1.]", "t: line 1, column 4: invalid number");
    refused("[-]", "t: line 1, column 3: invalid number");
    refused("[1e]", "t: line 1, column 4: invalid number");
    refused("+1", "t: line 1, column 1: expected a value");
    refused(".5", "t: line 1, column 1: expected a value");
    refused("NaN", "t: line 1, column 1: expected a value");
    refused("0x1", "t: line 1, column 2: more text after the value");
    refused("[1e999]", "t: line 1, column 2: number out of range");
    memset(longest, '7', sizeof(longest));
    longest[63] = '\0';
    v = parse(longest);
    assert_true(fabs(v->valuedouble / 7.777777777777778e62 - 1) < 1e-15);
    cJSON_Delete(v);
    longest[63] = '7';
    longest[64] = '\0';
    refused(longest,
            "t: line 1, column 1: number with more than 63 characters");
}

static void test_strings(void **state)
{
    static const char *const bad[] = {"\xc0\x80", /* overlong NUL */
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf", /* overlong */
                                      "\xed\xa0\x80", /* surrogate */
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80", /* above U+10FFFF */
                                      "\xf5\x80\x80\x80",
                                      "\x80",
                                      "\xe5\xae",
                                      "\xe5\xae\"",
                                      "\xff"};
    char text[32];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "[\"a%s\"]", bad[i]);
        refused(text, "t: line 1, column 4: invalid UTF-8");
    }
    refused("\"\xe5\xae", "t: line 1, column 2: invalid UTF-8");
    refused("\"a\nb\"", "t: line 1, column 3: control character in a string");
    refused("\"\\x\"", "t: line 1, column 2: invalid escape");
    refused("\"\\u12g4\"", "t: line 1, column 2: invalid escape");
    refused("\"\\ud800\"", "t: line 1, column 2: unpaired surrogate");
    refused("\"\\ud800\\u0041\"", "t: line 1, column 2: unpaired surrogate");
    refused("\"\\udc00\"", "t: line 1, column 2: unpaired surrogate");
}

static void test_nul(void **state)
{
    (void)state;
    refused_n("[1,\0 2]", 7, EB_EPARSE, "t: line 1, column 4: NUL character");
    refused_n("\"a\0b\"", 5, EB_EPARSE, "t: line 1, column 3: NUL character");
    refused_n("{}\0", 3, EB_EPARSE, "t: line 1, column 3: NUL character");
    refused("\"a\\u0000b\"", "t: line 1, column 3: NUL character");
}

static void test_depth(void **state)
{
    static char text[400000];
    cJSON *v;
    int i;

    (void)state;
    for (i = 0; i < 64; i++) {
        text[i] = '[';
        text[64 + i] = ']';
    }
    cJSON_Delete(parse_n(text, 128));
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    refused_n(text, 130, EB_ELIMIT, "t: line 1, column 65: nested too deeply");
    memset(text, '[', sizeof(text)); /* must not exhaust the stack */
    refused_n(text, sizeof(text), EB_ELIMIT,
              "t: line 1, column 65: nested too deeply");
    for (i = 0; i < 60000; i++)
        memcpy(text + 6 * i, "{\"a\":[", 6);
    refused_n(text, sizeof(text), EB_ELIMIT,
              "t: line 1, column 193: nested too deeply");
    /* Wide is not deep. */
    text[0] = '[';
    for (i = 1; i < 399998; i += 2)
        memcpy(text + i, "1,", 2);
    text[399998] = ']';
    v = parse_n(text, 399999);
    assert_int_equal(cJSON_GetArraySize(v), 199999);
    cJSON_Delete(v);
}

static void test_duplicates(void **state)
{
    (void)state;
    refused("{\"a\":1,\n \"a\":2}", "t: line 2, column 2: duplicate key 'a'");
    refused("{\"x\":[{\"y\":{}},{\"k\":1,\"j\":{\"k\":0},\"\\u006b\":2}]}",
            "t: line 1, column 35: duplicate key 'k'");
    cJSON_Delete(parse("{\"a\":{\"a\":1},\"A\":{\"a\":2},\"b\":[{\"a\":0}]}"));
}

static void test_read_file(void **state)
{
    char path[] = "/tmp/eb-json-XXXXXX", want[128];
    cJSON *v;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(eb_fs_write_durable(path, "{\"a\":\n!}", 8, &err), 0);
    assert_int_equal(eb_json_read(path, 100, &v, &err), EB_EPARSE);
    snprintf(want, sizeof(want), "%s: line 2, column 1: expected a value",
             path);
    assert_string_equal(err.msg, want);
    assert_int_equal(eb_json_read(path, 7, &v, &err), EB_ELIMIT);
    assert_int_equal(eb_fs_write_durable(path, "[1]", 3, &err), 0);
    assert_int_equal(eb_json_read(path, 3, &v, &err), 0);
    assert_int_equal(cJSON_GetArraySize(v), 1);
    cJSON_Delete(v);
    unlink(path);
    assert_int_equal(eb_json_read(path, 3, &v, &err), EB_ENOENT);
    assert_null(v);
}

static void test_getters(void **state)
{
    cJSON *v = parse("{\"s\":\"x\",\"n\":1.5,\"i\":-9007199254740992,"
                     "\"big\":9007199254740994,\"b\":true,\"f\":false,"
                     "\"a\":[],\"o\":{},\"z\":null}");
    struct eb_json_at p = {"job.json", "$.levels[2]"};
    const cJSON *c;
    const char *s;
    int64_t i;
    double d;
    int b;

    (void)state;
    assert_int_equal(eb_json_str(v, "s", p, &s, &err), 0);
    assert_string_equal(s, "x");
    assert_int_equal(eb_json_num(v, "n", p, &d, &err), 0);
    assert_true(d == 1.5);
    assert_int_equal(eb_json_int(v, "i", p, &i, &err), 0);
    assert_true(i == -9007199254740992);
    assert_int_equal(eb_json_bool(v, "b", p, &b, &err), 0);
    assert_int_equal(b, 1);
    assert_int_equal(eb_json_bool(v, "f", p, &b, &err), 0);
    assert_int_equal(b, 0);
    assert_int_equal(eb_json_arr(v, "a", p, &c, &err), 0);
    assert_true(cJSON_IsArray(c));
    assert_int_equal(eb_json_obj(v, "o", p, &c, &err), 0);
    assert_true(cJSON_IsObject(c));
    assert_int_equal(eb_json_str(v, "n", p, &s, &err), EB_EINVAL);
    assert_string_equal(err.msg, "job.json: $.levels[2].n: expected a string");
    assert_int_equal(eb_json_num(v, "q", p, &d, &err), EB_EINVAL);
    assert_string_equal(
        err.msg, "job.json: $.levels[2].q: expected a number, is missing");
    assert_int_equal(eb_json_int(v, "n", p, &i, &err), EB_EINVAL);
    assert_int_equal(eb_json_int(v, "big", p, &i, &err), EB_EINVAL);
    assert_int_equal(eb_json_int(v, "S", p, &i, &err), EB_EINVAL);
    assert_int_equal(eb_json_bool(v, "z", p, &b, &err), EB_EINVAL);
    assert_int_equal(eb_json_arr(v, "o", p, &c, &err), EB_EINVAL);
    assert_int_equal(eb_json_obj(v, "a", p, &c, NULL), EB_EINVAL);
    assert_int_equal(eb_json_str(cJSON_GetObjectItem(v, "n"), "k", p, &s, &err),
                     EB_EINVAL);
    assert_string_equal(err.msg, "job.json: $.levels[2]: expected an object");
    assert_int_equal(eb_json_str(NULL, "k", p, &s, &err), EB_EINVAL);
    assert_string_equal(eb_json_get_str(v, "s", "d"), "x");
    assert_string_equal(eb_json_get_str(v, "n", "d"), "d");
    assert_string_equal(eb_json_get_str(v, "z", "d"), "d");
    assert_null(eb_json_get_str(NULL, "s", NULL));
    assert_true(eb_json_get_num(v, "n", 7) == 1.5);
    assert_true(eb_json_get_num(v, "s", 7) == 7);
    cJSON_Delete(v);
}

static void canonical(const char *text, const char *want)
{
    cJSON *v = parse(text), *again;
    struct eb_buf b = {0}, b2 = {0};

    eb_json_canonical(v, &b);
    assert_string_equal(b.data, want);
    again = parse(b.data); /* and it is stable */
    eb_json_canonical(again, &b2);
    assert_string_equal(b2.data, want);
    cJSON_Delete(v);
    cJSON_Delete(again);
    eb_buf_free(&b);
    eb_buf_free(&b2);
}

static void test_canonical(void **state)
{
    cJSON *a = parse("{\"b\":1,\"a\":[2.0]}"),
          *b = parse("{\"a\":[2],\"b\":1.0}");
    char x[65], y[65];
    struct eb_buf out = {0};

    (void)state;
    canonical("{ \"b\" : 1, \"a\" : [ 1.0, true , null ],\"B\":{} }",
              "{\"B\":{},\"a\":[1,true,null],\"b\":1}");
    canonical("[0.1, -0, 1e3, 12345678901234567890, 1e22, -2.5e-7, 1.0]",
              "[0.10000000000000001,0,1000,12345678901234567168,"
              "10000000000000000000000,-2.4999999999999999e-07,1]");
    canonical("[1785000000123456789, 9007199254740993]",
              "[1785000000123456768,9007199254740992]");
    canonical("\"\\u5ba2\\/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\"",
              "\"\xe5\xae\xa2/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\"");
    canonical("{\"\xe5\xae\xa2\":1,\"z\":{\"y\":2,\"x\":1},\"\":0}",
              "{\"\":0,\"z\":{\"x\":1,\"y\":2},\"\xe5\xae\xa2\":1}");
    eb_json_sha256(a, x);
    eb_json_sha256(b, y);
    assert_string_equal(x, y);
    /* printf '%s' '{"a":[2],"b":1}' | sha256sum */
    assert_string_equal(
        x, "63c9663de90ee828bbda6cd9acf02d0c653986c1ec25aa239920641edc9a1de5");
    cJSON_AddNumberToObject(a, "nan", NAN);
    cJSON_AddNumberToObject(a, "inf", INFINITY);
    eb_json_canonical(a, &out);
    assert_string_equal(out.data,
                        "{\"a\":[2],\"b\":1,\"inf\":null,\"nan\":null}");
    eb_buf_free(&out);
    cJSON_Delete(a);
    cJSON_Delete(b);
}

static void test_add_num(void **state)
{
    cJSON *v = cJSON_CreateObject();

    (void)state;
    eb_json_add_num(v, "watts", 1.5, "absent");
    eb_json_add_num(v, "joules", NAN, "absent: no sensor");
    eb_json_add_num(v, "ratio", INFINITY, "out of range");
    assert_true(eb_json_get_num(v, "watts", 0) == 1.5);
    assert_false(cJSON_HasObjectItem(v, "watts_reason"));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "joules")));
    assert_string_equal(eb_json_get_str(v, "joules_reason", ""),
                        "absent: no sensor");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(v, "ratio")));
    cJSON_Delete(v);
}

static void test_add_null(void **state)
{
    cJSON *v = cJSON_CreateObject();
    char *s;

    (void)state;
    eb_json_add_null(v, "energy_j", "no permission");
    s = cJSON_PrintUnformatted(v);
    assert_string_equal(
        s, "{\"energy_j\":null,\"energy_j_reason\":\"no permission\"}");
    free(s);
    cJSON_Delete(v);
}

static void test_pick(void **state)
{
    static const char *const keys[] = {"b", "none", "a"};
    cJSON *v = cJSON_Parse("{\"a\":1,\"b\":[2],\"c\":3}");
    cJSON *got = eb_json_pick(v, keys, 3), *empty = eb_json_pick(NULL, keys, 3);
    char *text;

    (void)state;
    cJSON_Delete(v);
    text = cJSON_PrintUnformatted(got);
    assert_string_equal(text, "{\"b\":[2],\"a\":1}");
    assert_true(cJSON_IsObject(empty) && empty->child == NULL);
    cJSON_free(text);
    cJSON_Delete(got);
    cJSON_Delete(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),    cmocka_unit_test(test_place),
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_strings),
        cmocka_unit_test(test_nul),        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_duplicates), cmocka_unit_test(test_read_file),
        cmocka_unit_test(test_getters),    cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_add_null),   cmocka_unit_test(test_add_num),
        cmocka_unit_test(test_pick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
