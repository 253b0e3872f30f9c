/* SPDX-License-Identifier: MIT */
/* Death at a chosen point (step_kill.h). */
#include "host/step_kill.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits for the next point. False: it has ended, as it should. */
static bool reaches_point(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) != child)
        abort();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    if (!WIFSTOPPED(status))
        abort();
    return true;
}

/* See step_kill.h. */
bool step_kill(void (*live)(void), unsigned steps)
{
    pid_t child = fork();

    if (!child) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0))
            abort();
        raise(SIGSTOP);
        live();
    }
    while (reaches_point(child)) {
        if (!steps--) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
            return true;
        }
        if (ptrace(PTRACE_SYSCALL, child, 0, 0))
            abort();
    }
    return false;
}
