/* SPDX-License-Identifier: MIT */
/*
 * Who sees a console: its terminal, and clients of its socket (consoles.h).
 * What a viewer does not take waits in the backlog and is lost there when it
 * gets too old. What is typed is read only if the ring has room for it, so
 * none of it is ever on its way through this process.
 */
#define _GNU_SOURCE /* ptsname_r() */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "dom0_tools/consoled/consoles.h"
#include "dom0_tools/lib/daemon.h"

/* Of a console, viewers that are gone and whose last words wait for room. */
#define LEFT_MAX 16u

static void close_viewer(struct consoles *s, struct viewer *v)
{
    TAILQ_REMOVE(&v->source.console->viewers, v, link);
    TAILQ_INSERT_TAIL(&s->gone, v, link);
    close(v->fd);
    if (v->terminal >= 0)
        close(v->terminal);
    v->fd = v->terminal = -1;
}

/* Takes `fd` and `terminal`, and closes them on failure. */
static bool add_viewer(struct consoles *s, struct console *c, int fd,
                       int terminal, uint64_t at)
{
    struct viewer *v = calloc(1, sizeof(*v));

    if (v) {
        *v = (struct viewer){.source = {SOURCE_VIEWER, c},
                             .fd = fd,
                             .terminal = terminal,
                             .at = at};
        if (!consoles_wait_for(s, fd, &v->source, 0)) {
            TAILQ_INSERT_TAIL(&c->viewers, v, link);
            return true;
        }
    }
    free(v);
    close(fd);
    if (terminal >= 0)
        close(terminal);
    return false;
}

static int listen_at(struct consoles *s, struct console *c, struct error *e)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s/%u.sock", s->options->run_directory,
             c->domain);
    fd = daemon_listen(path, e);
    if (fd < 0 || !consoles_wait_for(s, fd, &c->listener, EPOLLIN))
        return fd;
    error_set_errno(e, errno, "can't wait for clients");
    close(fd);
    return -1;
}

/* The other side of a terminal, which passes bytes on as they are. -1. */
static int open_terminal(int fd, char *path, size_t size)
{
    struct termios mode;
    int terminal;

    if (grantpt(fd) || unlockpt(fd) || ptsname_r(fd, path, size))
        return -1;
    terminal = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal < 0)
        return -1;
    /* The group that may write to people's terminals is no keyboard here. */
    fchmod(terminal, 0600);
    if (!tcgetattr(terminal, &mode)) {
        cfmakeraw(&mode);
        tcsetattr(terminal, TCSANOW, &mode);
    }
    return terminal;
}

static bool make_terminal(struct consoles *s, struct console *c)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int terminal;

    if (fd < 0)
        return false;
    terminal = open_terminal(fd, c->tty, sizeof(c->tty));
    if (terminal >= 0)
        return add_viewer(s, c, fd, terminal, c->backlog.end);
    close(fd);
    return false;
}

/* See consoles.h. */
void viewers_begin(struct consoles *s, struct console *c)
{
    struct error e;

    if (!*c->tty && !make_terminal(s, c)) {
        console_say(c, "can't make a terminal for it: %s", strerror(errno));
        *c->tty = '\0';
    }
    if (c->listener_fd >= 0)
        return;
    c->listener_fd = listen_at(s, c, &e);
    if (c->listener_fd < 0)
        console_say(c, "%s: %s", e.what, e.why);
}

/* See consoles.h. */
void viewers_accept(struct consoles *s, struct console *c)
{
    int fd = c->listener_fd < 0 ? -1 : daemon_accept(c->listener_fd, &s->spare);

    if (fd >= 0 &&
        add_viewer(s, c, fd, -1, backlog_recent(&c->backlog, RECENT_SIZE)))
        viewers_serve(s, c);
}

/* Shows what is new, as far as the viewer takes it; notes if it has left. */
static void show(const struct console *c, struct viewer *v)
{
    const char *bytes;
    bool is_lost;
    size_t size;

    v->is_full = false;
    while (!v->has_left &&
           (size = backlog_peek(&c->backlog, &v->at, &bytes, &is_lost))) {
        ssize_t n;

        /* A terminal nobody reads shall not keep the oldest for the next. */
        if (is_lost && v->terminal >= 0)
            tcflush(v->terminal, TCIFLUSH);
        n = write(v->fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            v->has_left = true;
            return;
        }
        if (n <= 0) {
            v->is_full = true;
            return;
        }
        v->at += (uint64_t)n;
    }
}

static void listen_to(struct consoles *s, struct viewer *v, unsigned room)
{
    uint32_t interest = (room ? EPOLLIN : 0) | (v->is_full ? EPOLLOUT : 0);

    /* That it has left is told even so, and once is enough. */
    if (!interest)
        interest = EPOLLONESHOT;
    if (interest != v->interest &&
        !consoles_wait_for(s, v->fd, &v->source, interest))
        v->interest = interest;
}

/* See consoles.h. */
void viewers_serve(struct consoles *s, struct console *c)
{
    unsigned room = console_input_room(s, c);
    struct viewer *v;

    TAILQ_FOREACH(v, &c->viewers, link)
    {
        show(c, v);
        listen_to(s, v, room);
    }
}

/* Passes on what was typed. False if the viewer is gone. */
static bool hear(struct consoles *s, const struct viewer *v)
{
    unsigned room = console_input_room(s, v->source.console);
    char bytes[XENCONS_IN_SIZE];
    ssize_t n;

    if (!room)
        return true;
    n = read(v->fd, bytes, room);
    if (n > 0)
        console_put_input(s, v->source.console, bytes, (unsigned)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static unsigned count_left(const struct console *c)
{
    const struct viewer *v;
    unsigned count = 0;

    TAILQ_FOREACH(v, &c->viewers, link)
    count += v->has_left;
    return count;
}

/* Whether what a viewer typed before it left can still reach the domain. */
static bool is_worth_hearing(const struct viewer *v)
{
    const struct console *c = v->source.console;
    int unread = 0;

    return c->is_attached && count_left(c) <= LEFT_MAX &&
           !ioctl(v->fd, FIONREAD, &unread) && unread > 0;
}

/* It has left while the domain takes no input. */
static void leave(struct consoles *s, struct viewer *v)
{
    v->has_left = true;
    if (!is_worth_hearing(v))
        close_viewer(s, v);
}

/* See consoles.h. */
void viewer_take_event(struct consoles *s, struct viewer *v, uint32_t events)
{
    struct console *c = v->source.console;

    if (v->fd < 0)
        return;
    if ((events & EPOLLIN) && !hear(s, v))
        close_viewer(s, v);
    else if (!(events & EPOLLIN) && (events & (EPOLLHUP | EPOLLERR)))
        leave(s, v);
    viewers_serve(s, c);
}

/* See consoles.h. */
void viewers_end(struct consoles *s, struct console *c)
{
    struct viewer *v;
    char name[24];

    while ((v = TAILQ_FIRST(&c->viewers)))
        close_viewer(s, v);
    *c->tty = '\0';
    if (c->listener_fd < 0)
        return;
    close(c->listener_fd);
    c->listener_fd = -1;
    snprintf(name, sizeof(name), "%u.sock", c->domain);
    unlinkat(s->run_directory, name, 0);
}
