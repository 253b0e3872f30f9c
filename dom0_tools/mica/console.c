/* SPDX-License-Identifier: MIT */
/*
 * The verb console. Output comes from a guest and is passed on as it is, as
 * any terminal program would; what is typed goes the other way, but for the
 * key that ends it.
 */
#include "dom0_tools/mica/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "dom0_tools/mica/domain.h"

enum {
    DETACH_KEY = 0x1d, /* Ctrl-] */
    CHUNK = 4096,
    WAIT_MS = 5000,
    RETRY_MS = 100,
};

static int fail_no_tty(domid_t id, struct error *e)
{
    error_set(e, EXIT_STATUS_NO_SERVICE, "domain %u has no console", id);
    error_why(e, "no terminal is in the store for it");
    return error_hint(e, "is the console daemon running?");
}

/* The path of the terminal, for free(), once the daemon has written it. */
static char *wait_for_tty(struct store *store, domid_t id, struct error *e)
{
    static const char token[] = "tty";
    char path[DOMAIN_PATH_SIZE];
    char *tty = NULL;
    int found = 1;

    domain_path(path, id, "/console/tty");
    if (store_watch(store, path, token, e))
        return NULL;
    while (!tty && found > 0) {
        struct store_event event;

        found = store_next_event(store, WAIT_MS, &event, e);
        if (found > 0)
            store_event_free(&event);
        tty = store_read(store, STORE_NO_TX, path, NULL, NULL);
        if (tty && !*tty) {
            free(tty);
            tty = NULL;
        }
    }
    store_unwatch(store, path, token, NULL);
    if (!tty && !found)
        fail_no_tty(id, e);
    return tty;
}

/* The daemon's socket, which many may use at a time. -1 with errno. */
static int open_socket(domid_t id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int number;

    if (fd < 0)
        return -1;
    snprintf(address.sun_path, sizeof(address.sun_path),
             CONSOLE_SOCKET_DIR "/%u.sock", id);
    if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return fd;
    number = errno;
    close(fd);
    errno = number;
    return -1;
}

/* Another daemon than Mica's has no socket, but a terminal. */
static int open_tty(const char *tty)
{
    if (!strncmp(tty, "/dev/", 5))
        return open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    errno = EINVAL;
    return -1;
}

/* A socket where nobody listens is that of a daemon that is coming back. */
static int open_console(domid_t id, const char *tty)
{
    int fd = open_socket(id), waited;

    for (waited = 0; fd < 0 && errno == ECONNREFUSED && waited < WAIT_MS;
         waited += RETRY_MS) {
        poll(NULL, 0, RETRY_MS);
        fd = open_socket(id);
    }
    return fd < 0 && errno == ENOENT ? open_tty(tty) : fd;
}

/* See console.h. */
int console_open(struct call *call, domid_t id, struct error *e)
{
    struct store *store = call_store(call, e);
    char *tty = store ? wait_for_tty(store, id, e) : NULL;
    int fd;

    if (!tty)
        return -1;
    fd = open_console(id, tty);
    if (fd < 0) {
        error_set_errno(e, errno, "can't open the console %.80s", tty);
        if (e && (e->number == ENOENT || e->number == ECONNREFUSED))
            e->status = EXIT_STATUS_NO_SERVICE;
        error_hint(e, "is the console daemon running?");
    }
    free(tty);
    return fd;
}

/* See console.h. */
void console_close(int console)
{
    if (console >= 0)
        close(console);
}

/* Writes all of it, waiting where the other side is slow. */
static bool write_all(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(fd, text, size);
        struct pollfd ready = {.fd = fd, .events = POLLOUT};

        if (n < 0 && errno == EAGAIN) {
            poll(&ready, 1, -1);
            continue;
        }
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
    }
    return true;
}

/* Copies what there is; false at the end, on either side. */
static bool pass_output(int console)
{
    char text[CHUNK];
    ssize_t size = read(console, text, sizeof(text));

    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    return size > 0 && write_all(STDOUT_FILENO, text, (size_t)size);
}

/* The same the other way, up to the key that ends it. */
static bool pass_input(int console, int *input)
{
    char text[CHUNK];
    ssize_t size = read(*input, text, sizeof(text));
    char *end;

    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    if (!size)
        *input = -1; /* a script's end; output goes on */
    end = memchr(text, DETACH_KEY, (size_t)size);
    if (end)
        size = end - text;
    return write_all(console, text, (size_t)size) && !end;
}

static void talk(int console)
{
    struct pollfd fds[] = {{.fd = console, .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    bool is_going_on = true;

    while (is_going_on) {
        if (poll(fds, 2, -1) < 0) {
            is_going_on = errno == EINTR;
            continue;
        }
        if (fds[0].revents)
            is_going_on = pass_output(console);
        if (is_going_on && fds[1].revents)
            is_going_on = pass_input(console, &fds[1].fd);
    }
}

/* See console.h. */
int console_talk(int console, struct error *e)
{
    bool is_terminal = isatty(STDIN_FILENO);
    struct termios before, raw;

    /* A daemon that ends shall not leave this terminal as it is now. */
    signal(SIGPIPE, SIG_IGN);
    if (is_terminal) {
        if (tcgetattr(STDIN_FILENO, &before)) {
            close(console);
            return error_set_errno(e, errno, "can't use this terminal");
        }
        raw = before;
        cfmakeraw(&raw);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    talk(console);
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
        write_all(STDOUT_FILENO, "\n", 1);
    }
    close(console);
    return 0;
}

/* Copies a file. -1 with errno if it can't be read. */
static int print_file(struct call *call, const char *path)
{
    FILE *file = fopen(path, "re");
    char text[CHUNK];
    size_t size;

    if (!file)
        return -1;
    while ((size = fread(text, 1, sizeof(text), file)))
        fwrite(text, 1, size, call->out);
    fclose(file);
    return 0;
}

/* Where the daemon keeps a console's log: by name, or else by number. */
static void find_log(const struct domain *domain, char *path, size_t size)
{
    snprintf(path, size, "%s/%s.log", CONSOLE_LOG_DIR, domain->name);
    if (strchr(domain->name, '/') || access(path, F_OK))
        snprintf(path, size, "%s/%u.log", CONSOLE_LOG_DIR, domain->info.domain);
}

/* Prints the log, after the part of it that was put aside. */
static int print_log(struct call *call, const struct domain *domain,
                     struct error *e)
{
    char path[sizeof(CONSOLE_LOG_DIR) + DOMAIN_NAME_SIZE + 8];
    char before[sizeof(path) + 2];

    find_log(domain, path, sizeof(path));
    snprintf(before, sizeof(before), "%s.1", path);
    print_file(call, before);
    if (!print_file(call, path))
        return 0;
    error_set_errno(e, errno, "can't read the console log of %.64s",
                    domain->name);
    return error_hint(e, "the console daemon keeps logs in %s",
                      CONSOLE_LOG_DIR);
}

static int run_console(struct call *call, struct error *e)
{
    const char *type = call_value(call, "type");
    const char *number = call_value(call, "num");
    struct domain domain;
    int console;

    if ((type && strcmp(type, "pv")) || (number && strcmp(number, "0"))) {
        error_set(e, EXIT_STATUS_USAGE, "console: there is no such console");
        return error_hint(e, "domains have one console, of type pv, number 0");
    }
    if (domain_find(call, call->operands[0], &domain, e))
        return -1;
    if (call_has(call, "log"))
        return print_log(call, &domain, e);
    console = console_open(call, domain.info.domain, e);
    if (console < 0)
        return -1;
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "Ctrl-] leaves the console of %s\n", domain.name);
    return console_talk(console, e);
}

static const struct verb_option options[] = {
    {'l', "log", NULL, "print what it has written so far, and end"},
    {'t', "type", "TYPE", "accepted for xl: pv"},
    {'n', "num", "NUMBER", "accepted for xl: 0"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "console",
     .synopsis = "DOMAIN",
     .help = "attach to the console of a domain",
     .details = "Ctrl-] detaches. The console daemon keeps what a domain "
                "writes in " CONSOLE_LOG_DIR "/NAME.log, whether somebody is "
                "attached or not.",
     .options = options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 1,
     .max_operands = 1,
     .run = run_console},
    {0},
};

/* See verb.h. */
const struct verb *console_verbs(void)
{
    return verbs;
}
