/* SPDX-License-Identifier: MIT */
/* The daemon's loop (consoles.h). */
#include "dom0_tools/consoled/consoles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "dom0_tools/lib/daemon.h"

#define EVENTS_PER_TURN 64
#define SOCKET_SUFFIX ".sock"

/* See consoles.h. */
int64_t consoles_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* See consoles.h. */
int consoles_wait_for(struct consoles *s, int fd, struct source *source,
                      uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = source}};

    if (!epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
        return 0;
    return errno == EEXIST ? epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &event)
                           : -1;
}

static int open_directory(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 ? fd : error_set_errno(e, errno, "can't open %.96s", path);
}

static int take_lock(struct consoles *s, struct error *e)
{
    s->lock =
        openat(s->run_directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return error_set_errno(e, errno, "can't make a lock in %.96s",
                               s->options->run_directory);
    if (!flock(s->lock, LOCK_EX | LOCK_NB))
        return 0;
    error_set(e, EXIT_STATUS_BUSY, "can't use %.96s",
              s->options->run_directory);
    return error_why(e, "another console daemon runs");
}

/* Sockets of domains that went while no daemon was there. */
static void remove_old_sockets(struct consoles *s)
{
    int fd = dup(s->run_directory);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        size_t length = strlen(entry->d_name);
        size_t suffix = strlen(SOCKET_SUFFIX);

        if (length > suffix &&
            !strcmp(entry->d_name + length - suffix, SOCKET_SUFFIX))
            unlinkat(s->run_directory, entry->d_name, 0);
    }
    if (directory)
        closedir(directory);
    else if (fd >= 0)
        close(fd);
}

static int open_places(struct consoles *s, struct error *e)
{
    s->log_directory = open_directory(s->options->log_directory, e);
    if (s->log_directory < 0)
        return -1;
    s->run_directory = open_directory(s->options->run_directory, e);
    if (s->run_directory < 0 || take_lock(s, e))
        return -1;
    remove_old_sockets(s);
    return 0;
}

/* See consoles.h. */
int consoles_begin(struct consoles *s, const struct consoles_options *options,
                   struct error *e)
{
    memset(s, 0, sizeof(*s));
    s->epoll = s->log_directory = s->run_directory = s->lock = s->spare = -1;
    s->options = options;
    s->hypervisor = options->hypervisor;
    s->stop.kind = SOURCE_STOP;
    s->store_source.kind = SOURCE_STORE;
    s->events.kind = SOURCE_EVENTS;
    TAILQ_INIT(&s->all);
    TAILQ_INIT(&s->dead);
    TAILQ_INIT(&s->held);
    TAILQ_INIT(&s->gone);
    if (open_places(s, e))
        return -1;
    s->spare = daemon_open_spare();
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0 ||
        consoles_wait_for(s, s->hypervisor->event_fd(s->hypervisor), &s->events,
                          EPOLLIN) ||
        (options->stop_fd >= 0 &&
         consoles_wait_for(s, options->stop_fd, &s->stop, EPOLLIN)))
        return error_set_errno(e, errno, "can't wait for events");
    return discovery_begin(s, e);
}

static int take_ports(struct consoles *s, struct error *e)
{
    evtchn_port_t ports[EVENTS_PER_TURN];
    int count = s->hypervisor->events(s->hypervisor, ports, EVENTS_PER_TURN, e);

    for (int i = 0; i < count; i++) {
        struct console *c = ports[i] < s->ports ? s->by_port[ports[i]] : NULL;

        if (c)
            console_take_event(s, c);
    }
    return count < 0 ? -1 : 0;
}

static int take_event(struct consoles *s, const struct epoll_event *event,
                      struct error *e)
{
    struct source *source = event->data.ptr;

    switch (source->kind) {
    case SOURCE_STOP:
        s->is_stopping = true;
        break;
    case SOURCE_STORE: /* heard at the end of each turn */
        break;
    case SOURCE_EVENTS:
        return take_ports(s, e);
    case SOURCE_LISTENER:
        viewers_accept(s, source->console);
        break;
    case SOURCE_VIEWER:
        viewer_take_event(s, (struct viewer *)source, event->events);
        break;
    }
    return 0;
}

static void free_dead(struct consoles *s)
{
    struct console *c;
    struct viewer *v;

    while ((v = TAILQ_FIRST(&s->gone))) {
        TAILQ_REMOVE(&s->gone, v, link);
        free(v);
    }
    while ((c = TAILQ_FIRST(&s->dead))) {
        TAILQ_REMOVE(&s->dead, c, link);
        free(c);
    }
}

static int earlier(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

/* See consoles.h. */
int consoles_turn(struct consoles *s, int timeout_ms, struct error *e)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int wait = earlier(timeout_ms, discovery_take_events(s));
    int count, rc = 0;

    wait = earlier(wait, console_release_held(s));
    free_dead(s);
    count = epoll_wait(s->epoll, events, EVENTS_PER_TURN, wait);
    if (count < 0 && errno != EINTR)
        return error_set_errno(e, errno, "can't wait for events");
    for (int i = 0; i < count && !rc; i++)
        rc = take_event(s, &events[i], e);
    free_dead(s);
    return rc;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* See consoles.h. */
void consoles_end(struct consoles *s)
{
    struct console *c;

    discovery_end(s);
    while ((c = TAILQ_FIRST(&s->all)))
        console_close(s, c);
    free_dead(s);
    free(s->by_port);
    close_if_open(s->epoll);
    close_if_open(s->spare);
    close_if_open(s->lock);
    close_if_open(s->run_directory);
    close_if_open(s->log_directory);
}
