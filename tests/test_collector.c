/* The program itself: starting, refusing to start, stopping. */
#include "collector_help.h"

#include "common/fs.h"

static struct collector c;

/* SIGTERM and SIGINT leave one file that holds everything. */
static void test_stop(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct answer a;
    cJSON *v;
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        collector_start(&c, "--db", in_dir("runs.sqlite"));
        assert_int_equal(http_post_record(&c, sample_record("m", 1, 1, 1)),
                         201);
        collector_stop(&c, signals[i]);
        assert_int_equal(c.status, 0);
        assert_int_equal(eb_fs_exists(in_dir("runs.sqlite-wal")), 0);
    }
    collector_start(&c, "--db", in_dir("runs.sqlite"));
    a = http_get(&c, "/healthz");
    v = answer_json(&a, 200);
    assert_int_equal((int)eb_json_get_num(v, "runs", -1), 2);
    cJSON_Delete(v);
    collector_stop(&c, SIGTERM);
}

/* A start that fails: exit code 2 and what to do. */
#define REFUSES(hint, ...)                                                     \
    do {                                                                       \
        const char *const args_[] = {__VA_ARGS__, NULL};                       \
        struct collector no_;                                                  \
        collector_run(&no_, args_);                                            \
        if (no_.port != 0)                                                     \
            fail_msg("it started");                                            \
        if (strstr(no_.last, hint) == NULL)                                    \
            fail_msg("'%s' is not in: %s", hint, no_.last);                    \
        assert_int_equal(no_.status, 2);                                       \
    } while (0)

static void test_refusals(void **state)
{
    char address[32];
    struct eb_err err;

    (void)state;
    REFUSES("no command", "--db", "x");
    REFUSES("one command serve", "server");
    REFUSES("did you mean --listen", "serve", "--lisden", "x");
    REFUSES("--connections", "serve", "--connections", "0");
    REFUSES("--timeout", "serve", "--timeout", "0");
    REFUSES("--max-db-mib", "serve", "--max-db-mib", "-1");
    REFUSES("127.0.0.1:8420", "serve", "--listen", "8420");
    REFUSES("127.0.0.1:8420", "serve", "--listen", "example.org:80");
    REFUSES("127.0.0.1:8420", "serve", "--listen", "127.0.0.1:99999");
    REFUSES("127.0.0.1:8420", "serve", "--listen", "127.0.0.1:");
    REFUSES("no authentication", "serve", "--listen", "0.0.0.0:0");
    REFUSES("no authentication", "serve", "--listen", "[::]:0");
    REFUSES("make the folder", "serve", "--listen", "127.0.0.1:0", "--db",
            in_dir("no/runs.sqlite"));
    REFUSES("not a file", "serve", "--listen", "127.0.0.1:0", "--db", dir);
    assert_int_equal(
        eb_fs_write_durable(in_dir("t"), "text, no database", 17, &err), 0);
    REFUSES("not an SQLite database", "serve", "--listen", "127.0.0.1:0",
            "--db", in_dir("t"));
    REFUSES("port", "serve", "--listen", "127.0.0.1:0", "--db",
            in_dir("p.sqlite"), "--port-file", in_dir("no/port"));
    collector_start(&c, "--db", in_dir("runs.sqlite"));
    REFUSES("another collector", "serve", "--listen", "127.0.0.1:0", "--db",
            in_dir("runs.sqlite"));
    snprintf(address, sizeof(address), "127.0.0.1:%d", c.port);
    REFUSES(address, "serve", "--listen", address, "--db",
            in_dir("other.sqlite"));
    REFUSES("is in use", "serve", "--listen", address, "--db",
            in_dir("other.sqlite"));
    collector_stop(&c, SIGTERM);
}

static void test_information(void **state)
{
    static const char *const help[] = {"--help", NULL};
    static const char *const version[] = {"--version", NULL};
    char port[16];
    struct eb_buf b = {0};
    struct eb_err err;
    struct answer a;

    (void)state;
    collector_run(&c, help);
    assert_int_equal(c.status, 0);
    collector_run(&c, version);
    assert_int_equal(c.status, 0);
    assert_string_equal(c.last, "edgebench-collector " EB_VERSION "\n");
    collector_start(&c, "--db", in_dir("r.sqlite"), "--port-file",
                    in_dir("port"), "--allow-remote");
    snprintf(port, sizeof(port), "%d\n", c.port);
    assert_int_equal(eb_fs_read(in_dir("port"), 100, &b, &err), 0);
    assert_string_equal(b.data, port);
    eb_buf_free(&b);
    /* With --allow-remote it has other names, too. */
    a = http_ask(&c, "GET", "/healthz", "Host: bench.example\r\n", NULL, 0);
    cJSON_Delete(answer_json(&a, 200));
    collector_stop(&c, SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stop, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_refusals, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_information, make_dir, drop_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
