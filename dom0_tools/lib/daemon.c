/* SPDX-License-Identifier: MIT */
/* What daemons have in common (daemon.h). */
#include "dom0_tools/lib/daemon.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

/* See daemon.h. */
int daemon_catch_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
