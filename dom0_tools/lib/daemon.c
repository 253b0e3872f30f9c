/* SPDX-License-Identifier: MIT */
/* What daemons have in common (daemon.h). */
#define _GNU_SOURCE /* accept4() */
#include "dom0_tools/lib/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What a kernel allows where nobody has changed it. */
#define DESCRIPTORS 1048576

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

/* See daemon.h. */
void daemon_raise_limits(void)
{
    struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};

    if (!setrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* See daemon.h. */
int daemon_listen(const char *path, struct error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int fd, rc;

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(e, EXIT_STATUS_USAGE, "%.96s is too long for a socket",
                         path);
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(e, errno, "can't make a socket");
    unlink(path);
    mask = umask(0177);
    rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (!rc && !listen(fd, SOMAXCONN))
        return fd;
    error_set_errno(e, errno, "can't listen at %.96s", path);
    close(fd);
    return -1;
}

/* See daemon.h. */
int daemon_open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* See daemon.h. */
int daemon_accept(int listener, int *spare)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
        return fd;
    if (*spare >= 0)
        close(*spare);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    *spare = daemon_open_spare();
    return -1;
}
