/* Runs a command and tells what it cost, for tests/bench/overhead.sh:
 *   bench_peak FILE COMMAND [ARG ...]
 * appends "seconds peak_kib" to FILE: wall time and the largest resident set
 * (getrusage(2), ru_maxrss). Exits as the command does. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

int main(int argc, char **argv)
{
    struct rusage used;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: bench_peak FILE COMMAND [ARG ...]\n");
        return 2;
    }
    int64_t start = eb_clock_ns();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) < 0) {
        perror("bench_peak");
        return 1;
    }
    FILE *out = fopen(argv[1], "a");
    if (!out ||
        fprintf(out, "%.4f %ld\n", (double)(eb_clock_ns() - start) / 1e9,
                used.ru_maxrss) < 0 ||
        fclose(out) != 0) {
        perror(argv[1]);
        return 1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
