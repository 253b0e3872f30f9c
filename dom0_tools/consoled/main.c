/* SPDX-License-Identifier: MIT */
/*
 * consoled: the console daemon. It keeps what domains write to their consoles
 * and connects terminals with them. Ending it, even by force, loses nothing
 * that a domain wrote: the next one goes on from the rings.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dom0_tools/consoled/consoles.h"
#include "dom0_tools/lib/daemon.h"
#include "dom0_tools/lib/store.h"

#define MIN_LOG_SIZE 4096
#define MAX_LOG_SIZE (INT64_C(1) << 40)

static const char help_text[] =
    "usage: consoled [OPTION...]\n"
    "Keeps what domains write to their consoles, and connects terminals.\n"
    "\n"
    "  -l, --log-directory DIR  where it is kept (" CONSOLES_LOG_DIR ")\n"
    "  -r, --run-directory DIR  of the sockets (" CONSOLES_RUN_DIR ")\n"
    "  -s, --log-size BYTES     of a log before it is put aside (1048576)\n"
    "  -h, --help               this text\n"
    "\n"
    "Exit status: 0 ended by a signal, 1 failure, 2 bad usage, 4 not in dom0\n"
    "of Mica, 10 the store does not run, 11 another console daemon runs.\n";

static const struct option long_options[] = {
    {"log-directory", required_argument, NULL, 'l'},
    {"run-directory", required_argument, NULL, 'r'},
    {"log-size", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static int parse_size(struct consoles_options *options, const char *text)
{
    char *end;
    long long size = strtoll(text, &end, 10);

    if (*end || size < MIN_LOG_SIZE || size > MAX_LOG_SIZE) {
        fprintf(stderr,
                "consoled: bad size %s: it is no number from %d up: "
                "try consoled --help\n",
                text, MIN_LOG_SIZE);
        return EXIT_STATUS_USAGE;
    }
    options->log_limit = size;
    return -1;
}

/* Returns an exit status, or -1 to go on. */
static int parse_option(struct consoles_options *options, int option)
{
    switch (option) {
    case 'l':
        options->log_directory = optarg;
        return -1;
    case 'r':
        options->run_directory = optarg;
        return -1;
    case 's':
        return parse_size(options, optarg);
    case 'h':
        fputs(help_text, stdout);
        return EXIT_STATUS_OK;
    default:
        fputs("consoled: try consoled --help\n", stderr);
        return EXIT_STATUS_USAGE;
    }
}

/* A directory for root alone, with those above it for everybody. */
static void make_directory(const char *path)
{
    char above[256];

    snprintf(above, sizeof(above), "%s", path);
    for (char *slash = above; (slash = strchr(slash + 1, '/')); *slash = '/') {
        *slash = '\0';
        mkdir(above, 0755);
    }
    mkdir(path, 0700);
}

static int serve(const struct consoles_options *options, struct error *e)
{
    static struct consoles consoles;
    int result = consoles_begin(&consoles, options, e);

    while (!result && !consoles.is_stopping)
        result = consoles_turn(&consoles, -1, e);
    consoles_end(&consoles);
    return result;
}

static int run(struct consoles_options *options)
{
    struct error e = {.status = EXIT_STATUS_OK};

    options->stop_fd = daemon_catch_signals();
    daemon_raise_limits();
    make_directory(options->log_directory);
    make_directory(options->run_directory);
    umask(0077);
    options->hypervisor = hypervisor_open(&e);
    if (!options->hypervisor || serve(options, &e))
        error_print(&e, "consoled", stderr);
    if (options->hypervisor)
        options->hypervisor->close(options->hypervisor);
    return (int)e.status;
}

int main(int argc, char **argv)
{
    struct consoles_options options = {.log_directory = CONSOLES_LOG_DIR,
                                       .run_directory = CONSOLES_RUN_DIR,
                                       .store_socket = getenv("XENSTORED_PATH"),
                                       .log_limit = LOG_FILE_SIZE};
    int option, status = -1;

    if (!options.store_socket)
        options.store_socket = STORE_SOCKET;
    while (status < 0 && (option = getopt_long(argc, argv, "l:r:s:h",
                                               long_options, NULL)) != -1)
        status = parse_option(&options, option);
    if (status >= 0)
        return status;
    if (optind < argc) {
        fprintf(stderr, "consoled: what is %s? try consoled --help\n",
                argv[optind]);
        return EXIT_STATUS_USAGE;
    }
    return run(&options);
}
