/* SPDX-License-Identifier: MIT */
/*
 * The console daemon: rings full of nonsense, a store that tells anything,
 * people who type and leave, domains that come and go. The input is a row of
 * steps. One domain is honest: whatever the others do, what it writes is
 * taken, byte for byte. Logs stay within their bounds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dom0_tools/consoled/consoles.h"
#include "dom0_tools/lib/store.h"
#include "host/console_world.h"

enum {
    DOMAINS = 4,
    HONEST = 3,
    CLIENTS = 6,
    STEPS_MAX = 300,
    LOG_LIMIT = 4096,
    STORE_EVENTS = 8,
    /* What a domain without a bad record is served within. */
    TURNS = 6,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct input {
    const uint8_t *at;
    size_t left;
} in;

struct store {
    int fd;
};

static struct store store;
static bool is_store_away;
static unsigned store_events;
static unsigned first_events; /* of these, that tell of the honest domain */
static char place[64], logs[80], runs[80];
static struct consoles s;
static uint64_t honest_bytes;
static int clients[CLIENTS];

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static uint8_t next(void)
{
    if (!in.left)
        return 0;
    in.left--;
    return *in.at++;
}

/* The hypervisor. */

static enum hypervisor_answer (*truth)(struct hypervisor *h, domid_t domain,
                                       uint8_t handle[CONTROL_HANDLE_SIZE]);

/* It may be silent, but of the honest domain. */
static enum hypervisor_answer find(struct hypervisor *h, domid_t domain,
                                   uint8_t handle[CONTROL_HANDLE_SIZE])
{
    if (domain != HONEST && next() == 7)
        return HYPERVISOR_SILENT;
    return truth(h, domain, handle);
}

/* The store, which tells what the input says. */

static bool is_honest(const char *path)
{
    return !strncmp(path, "/local/domain/3/", 16);
}

/* Counts a call; whether the daemon is gone by now. */
static bool is_gone(struct error *e)
{
    if (store.fd >= 0 && next() == 99) {
        is_store_away = true;
        close(store.fd);
        store.fd = -1;
    }
    if (store.fd < 0)
        error_set_errno(e, ECONNREFUSED, "can't reach the store");
    return store.fd < 0;
}

/* A value: a number, a name, or anything. */
static char *make_value(void)
{
    static const char *const values[] = {
        "1",    "2",   "",    "4294967296", "18446744073709551616",
        "-1",   "web", "..",  "/etc/x",     "a b",
        ".log", "3",   "1e9", "x.log"};
    uint8_t which = next(), size;
    char *value;

    if (which < 200)
        return strdup(values[which % (sizeof(values) / sizeof(*values))]);
    size = next();
    value = calloc(1, size + 1u);
    claim(value != NULL);
    for (unsigned i = 0; i < size; i++)
        value[i] = (char)next();
    return value;
}

struct store *store_open_at(const char *path, struct error *e)
{
    (void)path;
    if (is_store_away) {
        error_set(e, EXIT_STATUS_NO_SERVICE, "can't reach the store");
        return NULL;
    }
    store.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    claim(store.fd >= 0);
    return &store;
}

void store_set_patience(struct store *h, unsigned ms)
{
    (void)h;
    (void)ms;
}

void store_close(struct store *h)
{
    if (h && h->fd >= 0)
        close(h->fd);
    store.fd = -1;
}

int store_fd(const struct store *h)
{
    return h->fd;
}

char *store_read(struct store *h, uint32_t tx, const char *path, size_t *size,
                 struct error *e)
{
    char *value;

    (void)h;
    (void)tx;
    if (is_gone(e))
        return NULL;
    if (!is_honest(path) && next() == 3) {
        error_set_errno(e, ENOENT, "can't read %.64s", path);
        return NULL;
    }
    value = is_honest(path) ? strdup("3") : make_value();
    if (size)
        *size = strlen(value);
    return value;
}

int store_read_number(struct store *h, uint32_t tx, const char *path,
                      uint64_t *number, struct error *e)
{
    char *value = store_read(h, tx, path, NULL, e), *end;
    bool is_number;

    if (!value)
        return -1;
    *number = strtoull(value, &end, 10);
    is_number = *value && !*end;
    free(value);
    return is_number ? 0 : error_set_errno(e, EINVAL, "no number");
}

int store_write(struct store *h, uint32_t tx, const char *path,
                const char *value, struct error *e)
{
    (void)h;
    (void)tx;
    claim(*path && strlen(value) < 64);
    return is_gone(e) ? -1 : 0;
}

int store_exists(struct store *h, uint32_t tx, const char *path,
                 struct error *e)
{
    (void)h;
    (void)tx;
    (void)path;
    return is_gone(e) ? -1 : next() & 1;
}

char **store_list(struct store *h, uint32_t tx, const char *path,
                  unsigned *count, struct error *e)
{
    char **names, *text;

    (void)h;
    (void)tx;
    (void)path;
    if (is_gone(e))
        return NULL;
    names = calloc(DOMAINS + 2, sizeof(*names) + 16);
    claim(names != NULL);
    text = (char *)(names + DOMAINS + 2);
    for (*count = 0; *count < DOMAINS; ++*count) {
        names[*count] = text;
        text += sprintf(text, "%u", *count) + 1;
    }
    names[(*count)++] = strcpy(text, next() & 1 ? "32752" : "3x");
    return names;
}

uint32_t store_begin(struct store *h, struct error *e)
{
    (void)h;
    return is_gone(e) ? STORE_NO_TX : 1;
}

int store_commit(struct store *h, uint32_t tx, struct error *e)
{
    (void)h;
    (void)tx;
    if (is_gone(e))
        return -1;
    return next() == 5 ? error_set_errno(e, EAGAIN, "can't commit") : 0;
}

void store_abort(struct store *h, uint32_t tx)
{
    (void)h;
    (void)tx;
}

int store_watch(struct store *h, const char *path, const char *token,
                struct error *e)
{
    (void)h;
    (void)path;
    (void)token;
    return is_gone(e) ? -1 : 0;
}

int store_unwatch(struct store *h, const char *path, const char *token,
                  struct error *e)
{
    (void)h;
    (void)path;
    (void)token;
    return is_gone(e) ? -1 : 0;
}

bool store_has_event(struct store *h)
{
    eventfd_t value;

    if (h->fd >= 0)
        eventfd_read(h->fd, &value);
    return store_events != 0;
}

int store_next_event(struct store *h, int timeout_ms, struct store_event *event,
                     struct error *e)
{
    static const char *const paths[] = {"/local/domain/1/console",
                                        "/local/domain/2/name",
                                        "/local/domain/3/console",
                                        "/local/domain/3",
                                        "/local/domain/",
                                        "/local/domain/99999999999/console",
                                        "@releaseDomain",
                                        "/vm",
                                        ""};
    static const char *const tokens[] = {"new", "ended", "console", ""};

    (void)h;
    (void)timeout_ms;
    if (is_gone(e))
        return -1;
    if (!store_events)
        return 0;
    store_events--;
    if (first_events) {
        first_events--;
        event->path = strdup("/local/domain/3/console");
        event->token = strdup(first_events ? "new" : "console");
        return 1;
    }
    event->path = strdup(paths[next() % (sizeof(paths) / sizeof(*paths))]);
    event->token = strdup(tokens[next() % (sizeof(tokens) / sizeof(*tokens))]);
    return 1;
}

void store_event_free(struct store_event *event)
{
    free(event->path);
    free(event->token);
}

/* Steps. */

static void turn(void)
{
    struct error e;

    claim(!consoles_turn(&s, 0, &e));
}

/* Lets those that wait for the next period go on now. */
static void end_periods(void)
{
    for (unsigned i = 0; i < DOMAINS; i++)
        if (s.by_domain[i])
            s.by_domain[i]->period = 0;
    s.next_try = 0;
}

/* Nonsense into a page of a domain that is not the honest one. */
static void scribble(void)
{
    uint8_t which = next(), *page;
    size_t at = (size_t)next() << 8 | next();

    page = (uint8_t *)&console_domains[1 + which % (HONEST - 1)].page;
    if (which & 0x80)
        at = 3072 + at % 16;
    page[at % sizeof(struct xencons_interface)] = next();
}

/* Output as it should be, from whomever. */
static void print(unsigned domain, struct console_ring *ring)
{
    char text[256];
    int room = console_ring_writable(ring);
    unsigned size = next();

    if (room <= 0)
        return;
    size = size < (unsigned)room ? size : (unsigned)room;
    for (unsigned i = 0; i < size; i++)
        text[i] = (char)i;
    console_ring_put(ring, text, size);
    if (domain == HONEST)
        honest_bytes += size;
    console_world_fire(domain);
}

static void print_dishonestly(void)
{
    unsigned domain = 1 + next() % (HONEST - 1);
    struct console_ring ring;

    console_ring_attach_domain(&ring, &console_domains[domain].page);
    print(domain, &ring);
}

static void come_or_go(void)
{
    struct console_domain *d = &console_domains[1 + next() % (HONEST - 1)];
    uint8_t how = next();

    d->is_there = how & 1;
    d->is_unmappable = how & 2;
    d->identity += how >> 7;
}

static void tell_store(void)
{
    store_events += next() % STORE_EVENTS;
    if (store.fd >= 0)
        claim(!eventfd_write(store.fd, 1));
}

static void connect_or_leave(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t which = next();
    int *client = &clients[which % CLIENTS];

    if (*client >= 0) {
        close(*client);
        *client = -1;
        return;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u.sock", runs,
             which / CLIENTS % DOMAINS);
    *client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(*client, (struct sockaddr *)&address, sizeof(address))) {
        close(*client);
        *client = -1;
    }
}

static void type_or_read(void)
{
    uint8_t which = next(), size = next();
    int client = clients[which % CLIENTS];
    char bytes[256];

    if (client < 0)
        return;
    memset(bytes, which, sizeof(bytes));
    if (which & 0x80)
        (void)!read(client, bytes, size);
    else
        (void)!write(client, bytes, size);
}

/* Types into a terminal, where there is one. */
static void use_terminal(void)
{
    uint8_t which = next();
    const struct console *c = s.by_domain[which % DOMAINS];
    int fd = c && *c->tty ? open(c->tty, O_RDWR | O_NOCTTY | O_NONBLOCK) : -1;

    if (fd < 0)
        return;
    (void)!write(fd, c->tty, which % 8);
    close(fd);
}

static void step(void)
{
    switch (next() % 12) {
    case 0:
        scribble();
        break;
    case 1:
        print_dishonestly();
        break;
    case 2:
        print(HONEST, &console_domains[HONEST].ring);
        break;
    case 3:
        come_or_go();
        break;
    case 4:
        tell_store();
        break;
    case 5:
        connect_or_leave();
        break;
    case 6:
        type_or_read();
        break;
    case 7:
        use_terminal();
        break;
    case 8:
        is_store_away = false;
        end_periods();
        break;
    case 9:
        console_world_fire(1 + next() % (DOMAINS - 1));
        break;
    default:
        turn();
        break;
    }
}

static void begin(void)
{
    static struct consoles_options options;
    struct error e;

    console_world_begin();
    for (unsigned i = 0; i < DOMAINS; i++)
        console_domains[i].is_there = true;
    for (unsigned i = 0; i < CLIENTS; i++)
        clients[i] = -1;
    options = (struct consoles_options){.log_directory = logs,
                                        .run_directory = runs,
                                        .store_socket = "",
                                        .log_limit = LOG_LIMIT,
                                        .hypervisor = &console_hypervisor,
                                        .stop_fd = -1};
    console_ring_attach_domain(&console_domains[HONEST].ring,
                               &console_domains[HONEST].page);
    honest_bytes = 0;
    is_store_away = false;
    store_events = first_events = 2;
    /* The first bytes may have the store away already. */
    if (consoles_begin(&s, &options, &e))
        is_store_away = true;
}

/* All of the honest domain's output was taken, once it is known. */
static void check_honest(void)
{
    const struct console *c = s.by_domain[HONEST];

    for (unsigned i = 0; i < TURNS && console_domains[HONEST].is_bound; i++) {
        end_periods();
        turn();
    }
    if (!c || !c->is_attached)
        return;
    claim(console_ring_readable(&c->ring) == 0);
    claim(c->backlog.end == honest_bytes);
}

/* Removes a directory's files; each must be within the bound of a log. */
static void empty(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    struct stat status;

    claim(directory != NULL);
    while ((entry = readdir(directory))) {
        if (fstatat(dirfd(directory), entry->d_name, &status,
                    AT_SYMLINK_NOFOLLOW) ||
            S_ISDIR(status.st_mode))
            continue;
        claim(status.st_size <= LOG_LIMIT);
        unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    truth = console_hypervisor.find;
    console_hypervisor.find = find;
    /* What the daemon says is not worth the disk. */
    stderr = fopen("/dev/null", "w");
    signal(SIGPIPE, SIG_IGN);
    snprintf(place, sizeof(place), "/dev/shm/fuzz-consoles-XXXXXX");
    claim(stderr && mkdtemp(place));
    snprintf(logs, sizeof(logs), "%s/logs", place);
    snprintf(runs, sizeof(runs), "%s/runs", place);
    claim(!mkdir(logs, 0700) && !mkdir(runs, 0700));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = (struct input){data, size};
    begin();
    for (unsigned i = 0; in.left && i < STEPS_MAX && s.epoll >= 0; i++)
        step();
    check_honest();
    for (unsigned i = 0; i < CLIENTS; i++)
        if (clients[i] >= 0)
            close(clients[i]);
    consoles_end(&s);
    for (unsigned i = 0; i < DOMAINS; i++)
        claim(!console_domains[i].is_bound);
    console_world_end();
    empty(logs);
    empty(runs);
    return 0;
}
