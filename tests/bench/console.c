/* SPDX-License-Identifier: MIT */
/*
 * Runs a command whose standard output is a serial console and copies it to
 * its own output, each line preceded by the seconds since the command began.
 * It ends the command, always: when a line contains the end text, when the
 * time is over, or when the command ends by itself. On the way it can type:
 * when a line contains the first cue it sends the first keys, and then waits
 * for the second cue.
 *
 *   console -t SECONDS -e END [-c CUE -k KEYS]... -- COMMAND...
 *
 * Exit status: 0 the end text was seen, 3 the command ended before, 4 the
 * time was over, 2 wrong use or no such command.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEN_END 0
#define WRONG_USE 2
#define ENDED_EARLY 3
#define TIME_OVER 4

#define LINE_BYTES 1000
#define MAX_CUES 4
#define GRACE_MS 2000 /* between the polite and the other signal */

struct console {
    const char *end;
    const char *cues[MAX_CUES], *keys[MAX_CUES];
    unsigned cue_count, key_count;
    unsigned next_cue; /* the one that is waited for */
    double limit;      /* seconds */
    double start;
    pid_t child;
    int from_child, to_child;
    char line[LINE_BYTES + 1];
    size_t length;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void type_keys(struct console *c)
{
    const char *keys = c->keys[c->next_cue];
    size_t length = strlen(keys);

    if (write(c->to_child, keys, length) != (ssize_t)length)
        perror("console: cannot type");
    c->next_cue++;
}

/* Handles one whole line; true if it is the last that matters. */
static bool finish_line(struct console *c, double when)
{
    c->line[c->length] = '\0';
    c->length = 0;
    printf("%.6f %s\n", when - c->start, c->line);
    if (c->next_cue < c->cue_count && strstr(c->line, c->cues[c->next_cue]))
        type_keys(c);
    return strstr(c->line, c->end) != NULL;
}

/* A loader's console is full of control characters; they end up as spaces. */
static bool take_bytes(struct console *c, const char *bytes, size_t count)
{
    double when = now();
    size_t i;

    for (i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        if (byte == '\n' || c->length == LINE_BYTES) {
            if (finish_line(c, when))
                return true;
        } else if (byte != '\r') {
            c->line[c->length++] = byte < ' ' || byte > '~' ? ' ' : (char)byte;
        }
    }
    return false;
}

static int read_console(struct console *c)
{
    struct pollfd wait = {.fd = c->from_child, .events = POLLIN};
    char bytes[4096];
    ssize_t count;

    for (;;) {
        double left = c->start + c->limit - now();

        if (left <= 0)
            return TIME_OVER;
        if (poll(&wait, 1, (int)(left * 1000) + 1) <= 0)
            continue;
        count = read(c->from_child, bytes, sizeof(bytes));
        if (count <= 0)
            return ENDED_EARLY;
        if (take_bytes(c, bytes, (size_t)count))
            return SEEN_END;
    }
}

static void start_child(struct console *c, char **command)
{
    int out[2], in[2];

    if (pipe(out) || pipe(in)) {
        perror("console: pipe");
        exit(WRONG_USE);
    }
    c->child = fork();
    if (c->child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execvp(command[0], command);
        perror(command[0]);
        _exit(WRONG_USE);
    }
    close(in[0]);
    close(out[1]);
    c->to_child = in[1];
    c->from_child = out[0];
}

static void end_child(struct console *c)
{
    int waited = 0;

    kill(c->child, SIGTERM);
    while (waitpid(c->child, NULL, WNOHANG) == 0) {
        if (waited == GRACE_MS)
            kill(c->child, SIGKILL);
        usleep(10000);
        waited += 10;
    }
}

static char **parse(struct console *c, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "+t:e:c:k:")) != -1) {
        switch (option) {
        case 't':
            c->limit = atof(optarg);
            break;
        case 'e':
            c->end = optarg;
            break;
        case 'c':
            if (c->cue_count == MAX_CUES)
                return NULL;
            c->cues[c->cue_count++] = optarg;
            break;
        case 'k':
            if (c->key_count == MAX_CUES)
                return NULL;
            c->keys[c->key_count++] = optarg;
            break;
        default:
            return NULL;
        }
    }
    if (!c->end || c->limit <= 0 || c->cue_count != c->key_count)
        return NULL;
    if (optind == argc)
        return NULL;
    return argv + optind;
}

int main(int argc, char **argv)
{
    struct console c = {.start = now()};
    char **command = parse(&c, argc, argv);
    int status;

    if (!command) {
        fputs("usage: console -t seconds -e end [-c cue -k keys]... "
              "-- command...\n",
              stderr);
        return WRONG_USE;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever waits sees how far it is */
    start_child(&c, command);
    status = read_console(&c);
    end_child(&c);
    if (c.length > 0)
        finish_line(&c, now());
    return status;
}
