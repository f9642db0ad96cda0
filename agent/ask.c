#include "agent/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"

#define ASK_KILL_NS INT64_C(20000000)

static int ask_spawn(char *const argv[], int out, pid_t *pid)
{
    char *env[] = {"LC_ALL=C", "PATH=/usr/bin:/bin:/system/bin", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int e;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    /* A group, so that all of it can be ended. */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    e = posix_spawn(pid, argv[0], &files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return e == 0 ? 0 : eb_code_from_errno(e);
}

/* Milliseconds that are left, 0 if none. */
static int ask_left(int64_t until_ns)
{
    int64_t ns = until_ns - eb_clock_ns();

    return ns > 0 ? (int)(ns / 1000000) + 1 : 0;
}

/* Everything that it writes. */
static int ask_collect(int fd, char *out, size_t size, int64_t until_ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = 0;
    ssize_t n;
    int left;

    for (;;) {
        left = ask_left(until_ns);
        if (left == 0)
            return EB_ELIMIT;
        if (poll(&p, 1, left) <= 0)
            continue;
        n = read(fd, out + len, size - 1 - len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return EB_EIO;
        len += (size_t)n;
        out[len] = '\0';
        if (n == 0)
            return 0;
        if (len == size - 1)
            return EB_EPARSE;
    }
}

/* 1 once it is gone. */
static int ask_wait(pid_t pid, int *status, int64_t until_ns)
{
    pid_t got;

    while ((got = waitpid(pid, status, WNOHANG)) == 0 && ask_left(until_ns) > 0)
        poll(NULL, 0, 1);
    return got != 0;
}

/* Its end: 0 if it went well. What hangs in the kernel cannot be killed, so
 * that is not waited for either. */
static int ask_end(pid_t pid, int rc, int64_t until_ns, pid_t *stray)
{
    int status = -1;

    if (rc == 0 && !ask_wait(pid, &status, until_ns))
        rc = EB_ELIMIT;
    else if (rc == 0)
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EB_EIO;
    kill(-pid, SIGKILL);
    if (!ask_wait(pid, &status, eb_clock_ns() + ASK_KILL_NS))
        *stray = pid;
    return rc;
}

int eb_ask(char *const argv[], int64_t limit_ns, pid_t *stray, char *out,
           size_t size)
{
    int64_t until_ns = eb_clock_ns() + limit_ns;
    int fds[2], rc;
    pid_t pid;

    out[0] = '\0';
    if (*stray > 0 && waitpid(*stray, NULL, WNOHANG) == 0)
        return EB_ELIMIT;
    *stray = 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return EB_EIO;
    rc = ask_spawn(argv, fds[1], &pid);
    close(fds[1]);
    if (rc == 0) {
        rc = ask_collect(fds[0], out, size, until_ns);
        rc = ask_end(pid, rc, until_ns, stray);
    }
    close(fds[0]);
    return rc;
}
