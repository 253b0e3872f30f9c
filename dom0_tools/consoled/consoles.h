/* SPDX-License-Identifier: MIT */
/*
 * The daemon: what it knows of each domain's console, and its event loop.
 *
 *     console.c    ring to log and backlog; how much a domain may ask for
 *     viewer.c     terminal and socket clients: backlog to them, they to ring
 *     discovery.c  the store: which domains there are, where their rings lie
 *     consoles.c   the loop
 *
 * One domain is served for a bounded time, then the next. What ends during a
 * turn is closed at once, and its memory freed at the end of the turn, since
 * events of the same turn may still point to it.
 */
#pragma once

#include <sys/queue.h>

#include "dom0_tools/consoled/backlog.h"
#include "dom0_tools/consoled/hypervisor.h"
#include "dom0_tools/consoled/log_file.h"

#define CONSOLES_LOG_DIR "/var/log/mica/console"
#define CONSOLES_RUN_DIR "/run/mica/console"

/*
 * What one domain may ask for in a period. Beyond that it has to wait for the
 * next one, and nobody else has.
 */
#define PERIOD_MS 20u
#define EVENTS_PER_PERIOD 100u
#define BYTES_PER_PERIOD 20480u

/* What a new client is shown of the past. */
#define RECENT_SIZE 4096u

struct store;
struct console;

enum source_kind {
    SOURCE_STOP,
    SOURCE_STORE,
    SOURCE_EVENTS,
    SOURCE_LISTENER,
    SOURCE_VIEWER,
};

/* What the loop waits for. */
struct source {
    enum source_kind kind;
    struct console *console; /* of listeners and viewers */
};

/* Somebody who sees a console and types into it. */
struct viewer {
    struct source source; /* first */
    TAILQ_ENTRY(viewer) link;
    int fd;            /* socket, or our side of the terminal; -1: closed */
    int terminal;      /* the other side, kept open; -1: a socket */
    uint64_t at;       /* what of the backlog it has seen */
    uint32_t interest; /* EPOLLIN, EPOLLOUT; EPOLLONESHOT: neither */
    bool is_full;
    bool has_left; /* takes no more output; what it typed waits */
};
TAILQ_HEAD(viewers, viewer);

struct console {
    TAILQ_ENTRY(console) link;
    TAILQ_ENTRY(console) held_link;
    domid_t domain;
    uint8_t handle[CONTROL_HANDLE_SIZE];
    char name[LOG_NAME_SIZE];

    bool is_attached, is_broken;
    uint64_t frame;            /* what the store said; valid with one of */
    evtchn_port_t remote_port; /* these two */
    struct hypervisor_ring mapped;
    struct console_ring ring;

    int64_t period; /* when it began, ms */
    unsigned events_left, bytes_left;
    bool is_held, is_masked;
    bool has_been_held; /* and somebody was told */

    struct log_file log;
    bool has_log_failed; /* and somebody was told */
    struct backlog backlog;

    struct source listener;
    int listener_fd;
    struct viewers viewers;
    char tty[64];      /* "": no terminal */
    bool is_published; /* the terminal, in the store */
};
TAILQ_HEAD(console_list, console);

struct consoles_options {
    const char *log_directory, *run_directory, *store_socket;
    off_t log_limit;
    struct hypervisor *hypervisor;
    int stop_fd; /* readable when it shall end; -1: none */
};

struct consoles {
    int epoll, log_directory, run_directory, lock, spare;
    const struct consoles_options *options;
    struct hypervisor *hypervisor;
    struct store *store; /* NULL while the store daemon is away */
    int64_t next_try;    /* to reach it again, ms */
    int64_t pause;       /* between tries, ms */
    struct source stop, store_source, events;

    struct console *by_domain[DOMID_FIRST_RESERVED];
    struct console **by_port;
    unsigned ports;
    struct console_list all, dead;
    TAILQ_HEAD(, console) held;
    struct viewers gone;
    bool is_stopping;
};

/*
 * Starts. Exits nowhere: -1 with *e, EXIT_STATUS_BUSY if another daemon has
 * the run directory. consoles_end() in any case.
 */
int consoles_begin(struct consoles *s, const struct consoles_options *options,
                   struct error *e);

/* Waits up to `timeout_ms` (-1: no limit) and does what came. 0 or -1. */
int consoles_turn(struct consoles *s, int timeout_ms, struct error *e);

/* Closes everything; rings keep what was not read. */
void consoles_end(struct consoles *s);

/* Waits for `events` of a source, from now on or instead of others. 0, -1. */
int consoles_wait_for(struct consoles *s, int fd, struct source *source,
                      uint32_t events);

/* Milliseconds of a clock that only runs forward. */
int64_t consoles_now(void);

/* Says something about a domain. */
__attribute__((format(printf, 2, 3))) void console_say(const struct console *c,
                                                       const char *format, ...);

/* A console for a domain that has none. NULL when out of memory. */
struct console *console_add(struct consoles *s, domid_t domain,
                            const uint8_t handle[CONTROL_HANDLE_SIZE]);

/* The domain's name is known, or another: where its log goes. */
void console_set_name(struct consoles *s, struct console *c, const char *name);

/* Connects to a ring in place of any other. 0, or -1 with *e. */
int console_attach(struct consoles *s, struct console *c, uint64_t frame,
                   evtchn_port_t port, struct error *e);

/* Its port fired, and is masked. */
void console_take_event(struct consoles *s, struct console *c);

/* Serves those that had to wait. The ms until the next is due; -1: none. */
int console_release_held(struct consoles *s);

/* Room for input in the ring; 0 also if there is no ring or it is broken. */
unsigned console_input_room(struct consoles *s, struct console *c);

/* Gives the domain input, at most as much as there is room for. */
void console_put_input(struct consoles *s, struct console *c, const char *bytes,
                       unsigned size);

/* The domain is gone: takes what is left in the ring, then closes all. */
void console_end(struct consoles *s, struct console *c);

/* Closes all, and leaves the ring as it is. */
void console_close(struct consoles *s, struct console *c);

/* Makes the terminal and the socket of a console, as far as it can. */
void viewers_begin(struct consoles *s, struct console *c);

/* A client wants to connect. */
void viewers_accept(struct consoles *s, struct console *c);

/* Shows new output to all viewers, and listens to them if there is room. */
void viewers_serve(struct consoles *s, struct console *c);

/* What the loop heard of a viewer. */
void viewer_take_event(struct consoles *s, struct viewer *v, uint32_t events);

/* Closes the terminal, the socket and all clients. */
void viewers_end(struct consoles *s, struct console *c);

/* Connects to the store and watches it. 0, or -1 with *e. */
int discovery_begin(struct consoles *s, struct error *e);

/* Does what the store has told. The ms until it must be called again; -1. */
int discovery_take_events(struct consoles *s);

/*
 * How long not to ask the store after it did not answer for `waited` ms, when
 * the pause before was `pause` ms.
 */
int64_t discovery_next_pause(int64_t pause, int64_t waited);

/* Ends the connection; no console has a terminal for now. */
void discovery_end(struct consoles *s);
