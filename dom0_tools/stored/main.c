/* SPDX-License-Identifier: MIT */
/*
 * stored: the store daemon. It serves the store to domains, to dom0's kernel
 * and to programs in dom0. Ending it, even by force, loses nothing: the next
 * one goes on from the journal, and domains do not notice.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0_tools/lib/daemon.h"
#include "dom0_tools/lib/store.h"
#include "dom0_tools/stored/server.h"

#define STATE_DIRECTORY "/run/mica"

static const char help_text[] =
    "usage: stored [OPTION...]\n"
    "Serves the store, the tree of values in which domains and tools meet.\n"
    "\n"
    "  -b, --background        return when the store is ready\n"
    "  -d, --directory DIR     of the journal (" STATE_DIRECTORY ")\n"
    "  -l, --log FILE          append messages to this file\n"
    "  -n, --no-domains        programs in dom0 alone; needs no hypervisor\n"
    "  -q, --quota NAME=LIMIT  what a domain may use; -q help lists them\n"
    "  -s, --socket PATH       where to listen (" STORE_SOCKET ")\n"
    "  -h, --help              this text\n"
    "\n"
    "Exit status: 0 ended by a signal, 1 failure, 2 bad usage, 4 not in dom0\n"
    "of Mica, 11 another store daemon runs.\n";

static const struct option long_options[] = {
    {"background", no_argument, NULL, 'b'},
    {"directory", required_argument, NULL, 'd'},
    {"log", required_argument, NULL, 'l'},
    {"no-domains", no_argument, NULL, 'n'},
    {"quota", required_argument, NULL, 'q'},
    {"socket", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

struct settings {
    struct server_options options;
    const char *log;
    bool has_domains, in_background;
    uint64_t limits[QUOTA_COUNT];
    bool has_limit[QUOTA_COUNT];
};

static int list_quotas(void)
{
    struct quotas quotas;

    quotas_begin(&quotas, NULL, NULL);
    for (unsigned i = 0; i < QUOTA_COUNT; i++)
        printf("%-14s %llu\n", quota_name((enum quota)i),
               (unsigned long long)quotas.limits[i]);
    return EXIT_STATUS_OK;
}

/* "nodes=2000" */
static bool parse_quota(struct settings *settings, const char *text)
{
    char name[32], *end;
    size_t length = strcspn(text, "=");
    enum quota which;

    if (!text[length] || length >= sizeof(name) || text[length + 1] < '0' ||
        text[length + 1] > '9')
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    which = quota_find(name);
    if (which == QUOTA_COUNT)
        return false;
    settings->limits[which] = strtoull(text + length + 1, &end, 10);
    settings->has_limit[which] = true;
    return !*end;
}

/* Returns an exit status, or -1 to go on. */
static int parse_option(struct settings *settings, int option)
{
    switch (option) {
    case 'b':
        settings->in_background = true;
        return -1;
    case 'd':
        settings->options.directory = optarg;
        return -1;
    case 'l':
        settings->log = optarg;
        return -1;
    case 'n':
        settings->has_domains = false;
        return -1;
    case 's':
        settings->options.socket = optarg;
        return -1;
    case 'q':
        if (!strcmp(optarg, "help"))
            return list_quotas();
        if (parse_quota(settings, optarg))
            return -1;
        fprintf(stderr,
                "stored: bad quota %s: it is no NAME=LIMIT: "
                "try stored --quota help\n",
                optarg);
        return EXIT_STATUS_USAGE;
    case 'h':
        fputs(help_text, stdout);
        return EXIT_STATUS_OK;
    default:
        fputs("stored: try stored --help\n", stderr);
        return EXIT_STATUS_USAGE;
    }
}

/* Leaves a child behind that goes on; the parent waits for its word. */
static int go_to_background(void)
{
    int pipes[2], null;
    char word;
    pid_t child;

    if (pipe(pipes) || (child = fork()) < 0)
        return -1;
    if (child) {
        close(pipes[1]);
        _exit(read(pipes[0], &word, 1) == 1 ? EXIT_STATUS_OK
                                            : EXIT_STATUS_FAILED);
    }
    close(pipes[0]);
    setsid();
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close(null);
    return pipes[1];
}

static int open_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (fd < 0) {
        fprintf(stderr, "stored: can't open the log %s: %s\n", path,
                strerror(errno));
        return -1;
    }
    dup2(fd, STDERR_FILENO);
    close(fd);
    return 0;
}

static void set_limits(struct server *s, const struct settings *settings)
{
    for (unsigned i = 0; i < QUOTA_COUNT; i++) {
        struct command command = {
            .kind = COMMAND_LIMIT, .number = i, .frame = settings->limits[i]};

        if (settings->has_limit[i])
            server_do(s, &command);
    }
}

static int serve(struct server *s, const struct settings *settings, int ready,
                 struct error *e)
{
    if (server_begin(s, &settings->options, e))
        return -1;
    set_limits(s, settings);
    /* The first turn writes the journal. */
    if (server_turn(s, 0, e))
        return -1;
    if (ready >= 0) {
        if (write(ready, "", 1) != 1)
            return error_set_errno(e, errno, "can't tell that it is ready");
        close(ready);
    }
    while (!s->is_stopping)
        if (server_turn(s, -1, e))
            return -1;
    return 0;
}

/* The usual places are in directories that nobody else makes. */
static void make_places(const struct settings *settings)
{
    if (strcmp(settings->options.socket, STORE_SOCKET))
        return;
    mkdir(STORE_SOCKET_DIR, 0755);
    mkdir(STATE_DIRECTORY, 0755);
    unlink(STORE_SOCKET_LINK);
    if (symlink(STORE_SOCKET, STORE_SOCKET_LINK))
        fprintf(stderr, "stored: can't make %s: %s\n", STORE_SOCKET_LINK,
                strerror(errno));
}

static int run(struct settings *settings)
{
    struct error e = {.status = EXIT_STATUS_OK};
    struct server server;
    int ready = -1;

    settings->options.stop_fd = daemon_catch_signals();
    daemon_raise_limits();
    make_places(settings);
    if (settings->in_background)
        ready = go_to_background();
    if (settings->log && open_log(settings->log))
        return EXIT_STATUS_FAILED;
    if (settings->has_domains) {
        settings->options.world = world_open(&e);
        if (!settings->options.world) {
            error_print(&e, "stored", stderr);
            return e.status;
        }
    }
    if (serve(&server, settings, ready, &e))
        error_print(&e, "stored", stderr);
    server_end(&server);
    if (settings->options.world)
        settings->options.world->close(settings->options.world);
    return e.status;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .options = {.directory = STATE_DIRECTORY, .socket = STORE_SOCKET},
        .has_domains = true};
    int option, status = -1;

    while (status < 0 && (option = getopt_long(argc, argv, "bd:l:nq:s:h",
                                               long_options, NULL)) != -1)
        status = parse_option(&settings, option);
    if (status >= 0)
        return status;
    if (optind < argc) {
        fprintf(stderr, "stored: what is %s? try stored --help\n",
                argv[optind]);
        return EXIT_STATUS_USAGE;
    }
    return run(&settings);
}
