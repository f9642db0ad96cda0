/* An acknowledged run survives SIGKILL: clients post without pause, the
 * collector is killed at a random acknowledgement, and after the restart every
 * acknowledged run is there exactly once. */
#include "collector_help.h"

#include <pthread.h>

#include "common/hash.h"
#include "common/mem.h"

#define ROUNDS 25
#define CLIENTS 6

static struct collector c;

/* All that was acknowledged so far, in all rounds. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t acked = PTHREAD_COND_INITIALIZER;
static struct ack {
    char id[EB_UUID_LEN];
    char sha256[EB_SHA256_HEX];
    int seen;
} * acks;
static size_t n_acks, cap_acks;
static int n_gone; /* clients that lost the collector */

static void ack_add(const cJSON *answer)
{
    pthread_mutex_lock(&lock);
    if (n_acks == cap_acks) {
        cap_acks = cap_acks > 0 ? 2 * cap_acks : 256;
        acks = eb_xrealloc(acks, cap_acks, sizeof(*acks));
    }
    snprintf(acks[n_acks].id, EB_UUID_LEN, "%s",
             eb_json_get_str(answer, "run_id", ""));
    snprintf(acks[n_acks].sha256, EB_SHA256_HEX, "%s",
             eb_json_get_str(answer, "sha256", ""));
    n_acks++;
    pthread_cond_signal(&acked);
    pthread_mutex_unlock(&lock);
}

/* Posts until the collector is gone. */
static void *client(void *arg)
{
    struct eb_err err;
    struct answer a;
    cJSON *rec, *v;
    char *text;
    int status;

    (void)arg;
    do {
        rec = sample_record("m", 1e6, 2, 3);
        text = cJSON_PrintUnformatted(rec);
        a = http_post(&c, text, strlen(text));
        status = a.status;
        if (status == 201 &&
            eb_json_parse(a.body.data, a.body.len, "answer", &v, &err) == 0) {
            ack_add(v);
            cJSON_Delete(v);
        }
        answer_free(&a);
        free(text);
        cJSON_Delete(rec);
    } while (status == 201);
    pthread_mutex_lock(&lock);
    n_gone++;
    pthread_cond_signal(&acked);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int ack_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void see(const cJSON *row)
{
    char key[EB_UUID_LEN];
    struct ack *hit;

    snprintf(key, sizeof(key), "%s", eb_json_get_str(row, "run_id", ""));
    hit = bsearch(key, acks, n_acks, sizeof(*acks), ack_cmp);
    if (hit == NULL)
        return; /* stored, but the answer was lost */
    hit->seen++;
    assert_string_equal(hit->sha256, eb_json_get_str(row, "sha256", ""));
}

/* Walks all pages and looks for every acknowledged run. */
static void verify(void)
{
    char path[96] = "/v1/runs?limit=200";
    size_t i;

    if (n_acks == 0)
        return;
    qsort(acks, n_acks, sizeof(*acks), ack_cmp);
    for (i = 0; i < n_acks; i++)
        acks[i].seen = 0;
    while (*path != '\0') {
        struct answer a = http_get(&c, path);
        cJSON *v = answer_json(&a, 200), *row;
        const char *next = eb_json_get_str(v, "next", "");

        cJSON_ArrayForEach(row, cJSON_GetObjectItem(v, "runs")) see(row);
        *path = '\0';
        if (*next != '\0')
            snprintf(path, sizeof(path), "/v1/runs?limit=200&after=%s", next);
        cJSON_Delete(v);
    }
    for (i = 0; i < n_acks; i++) {
        if (acks[i].seen != 1)
            fail_msg("%s was acknowledged and is there %d times", acks[i].id,
                     acks[i].seen);
    }
}

static void test_kill(void **state)
{
    pthread_t t[CLIENTS];
    unsigned seed = 1;
    size_t until;
    int round, i;

    (void)state;
    for (round = 0; round < ROUNDS; round++) {
        collector_start(&c, "--db", in_dir("runs.sqlite"));
        verify();
        until = n_acks + 1 + (size_t)rand_r(&seed) % 60;
        n_gone = 0;
        for (i = 0; i < CLIENTS; i++)
            assert_int_equal(pthread_create(&t[i], NULL, client, NULL), 0);
        pthread_mutex_lock(&lock);
        while (n_acks < until && n_gone < CLIENTS)
            pthread_cond_wait(&acked, &lock);
        kill(c.pid, SIGKILL);
        pthread_mutex_unlock(&lock);
        for (i = 0; i < CLIENTS; i++)
            pthread_join(t[i], NULL);
        collector_wait(&c);
        assert_int_equal(c.status, -SIGKILL);
        assert_true(n_acks >= until);
    }
    collector_start(&c, "--db", in_dir("runs.sqlite"));
    verify();
    collector_stop(&c, SIGTERM);
    assert_int_equal(c.status, 0);
    collector_start(&c, "--db", in_dir("runs.sqlite"));
    verify();
    collector_stop(&c, SIGTERM);
    print_message("%zu acknowledged runs in %d rounds\n", n_acks, ROUNDS);
    free(acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, make_dir, drop_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
