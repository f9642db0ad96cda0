#include "agent/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/upload.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/mem.h"
#include "common/record.h"

int eb_spool_dir(char **dir, struct eb_err *err)
{
    const char *own = getenv("EDGEBENCH_SPOOL");
    char *user;
    int rc;

    *dir = NULL;
    if (own != NULL && *own != '\0') {
        *dir = eb_xstrdup(own);
    } else if ((user = eb_fs_user("XDG_STATE_HOME", ".local/state")) != NULL) {
        *dir = eb_fs_join(user, "spool");
        free(user);
    } else {
        return eb_fail(err, EB_ENOENT,
                       "no folder for the spool: set EDGEBENCH_SPOOL");
    }
    rc = eb_fs_mkdirs(*dir, err);
    if (rc != 0) {
        free(*dir);
        *dir = NULL;
    }
    return rc;
}

int eb_spool_save(const char *dir, const char *run_id, const char *text,
                  size_t len, struct eb_err *err)
{
    char *path = eb_xasprintf("%s/%s.json", dir, run_id);
    int rc = eb_fs_write_durable(path, text, len, err);

    free(path);
    return rc;
}

int eb_spool_list(const char *dir, char ***names, size_t *n, struct eb_err *err)
{
    return eb_fs_list(dir, ".json", names, n, err);
}

/* The answer is written first: a file in dead/ always has its reason. */
static int spool_bury(const char *dir, const char *name,
                      const struct eb_buf *answer, struct eb_err *err)
{
    char *dead = eb_fs_join(dir, "dead");
    char *from = eb_fs_join(dir, name), *to = eb_fs_join(dead, name);
    char *why = eb_xasprintf("%s/%.*s.answer", dead,
                             (int)(strlen(name) - strlen(".json")), name);
    int rc = eb_fs_mkdirs(dead, err);

    if (rc == 0)
        rc = eb_fs_write_durable(why, answer->data != NULL ? answer->data : "",
                                 answer->len, err);
    if (rc == 0 && rename(from, to) != 0)
        rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", from,
                     strerror(errno));
    free(dead);
    free(from);
    free(to);
    free(why);
    return rc;
}

static int spool_push_one(const char *dir, const char *name,
                          const char *collector, struct eb_spool_count *count,
                          struct eb_err *err)
{
    struct eb_buf text = {0}, answer = {0};
    char *path = eb_fs_join(dir, name);
    int rc = eb_fs_read(path, EB_RECORD_MAX_BYTES, &text, err);

    if (rc != 0)
        goto out;
    switch (eb_upload_run(collector, text.data, text.len, &answer, err)) {
    case EB_UPLOAD_SENT:
        count->sent++;
        if (unlink(path) != 0)
            rc = eb_fail(err, eb_code_from_errno(errno), "%s: %s", path,
                         strerror(errno));
        break;
    case EB_UPLOAD_KEEP:
        count->kept++;
        break;
    case EB_UPLOAD_DEAD:
        count->dead++;
        rc = spool_bury(dir, name, &answer, NULL);
        break;
    }
out:
    eb_buf_free(&text);
    eb_buf_free(&answer);
    free(path);
    return rc;
}

int eb_spool_push(const char *dir, const char *name, const char *collector,
                  struct eb_spool_count *count, struct eb_err *err)
{
    char **names;
    size_t n, i;
    int rc;

    memset(count, 0, sizeof(*count));
    if (name != NULL)
        return spool_push_one(dir, name, collector, count, err);
    rc = eb_spool_list(dir, &names, &n, err);
    if (rc != 0)
        return rc;
    for (i = 0; i < n && rc == 0; i++) {
        rc = spool_push_one(dir, names[i], collector, count, err);
        if (count->kept > 0) {
            count->kept += n - i - 1;
            break;
        }
    }
    eb_fs_list_free(names, n);
    return rc;
}
