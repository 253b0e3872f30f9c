/* SPDX-License-Identifier: MIT */
/*
 * How a failure travels from where it happens to the person at the terminal:
 * what failed, why, and what to try, and the status a program should exit
 * with. No function of this library prints or exits; it fills a struct error,
 * and the program shows it with error_print() or in its own way:
 *
 *     mica: can't create domain web: 512 MiB wanted, 300 MiB are free:
 *     give it less with memory=, or stop another domain
 *
 * Convention of the whole library: a function that can fail takes the error
 * last and returns -1 (or NULL) after filling it, 0 (or a pointer) otherwise.
 * The error may be NULL for a caller who does not care. The first failure
 * wins nothing: each call overwrites, so clean up with NULL.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#define ERROR_WHAT_SIZE 192
#define ERROR_WHY_SIZE 320
#define ERROR_HINT_SIZE 320

/* Exit statuses of all tools, in their manual pages. */
enum exit_status {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_FAILED = 1,      /* none of the others */
    EXIT_STATUS_USAGE = 2,       /* bad arguments or configuration */
    EXIT_STATUS_NO_DOMAIN = 3,   /* no such domain */
    EXIT_STATUS_NO_MICA = 4,     /* not under Mica, or not in dom0 */
    EXIT_STATUS_NO_MEMORY = 5,   /* not enough memory or another resource */
    EXIT_STATUS_REFUSED = 6,     /* not permitted */
    EXIT_STATUS_TIMEOUT = 7,     /* did not happen in time */
    EXIT_STATUS_EXISTS = 8,      /* name, id or device is taken */
    EXIT_STATUS_BAD_KERNEL = 9,  /* the kernel or ramdisk can't be used */
    EXIT_STATUS_NO_SERVICE = 10, /* a daemon or driver is not there */
    EXIT_STATUS_BUSY = 11,       /* in use, or still going on */
};

struct error {
    enum exit_status status;
    int number; /* the errno behind it, positive; 0: none */
    char what[ERROR_WHAT_SIZE];
    char why[ERROR_WHY_SIZE];   /* "" when what says it all */
    char hint[ERROR_HINT_SIZE]; /* "" when there is no advice */
};

/* Starts an error: sets what failed, forgets the rest. Always -1. */
__attribute__((format(printf, 3, 4))) int error_set(struct error *e,
                                                    enum exit_status status,
                                                    const char *what, ...);

/*
 * The same for a failed call of the system or hypervisor: `number` is its
 * errno, positive; status, why and hint follow from it. Always -1.
 */
__attribute__((format(printf, 3, 4))) int error_set_errno(struct error *e,
                                                          int number,
                                                          const char *what,
                                                          ...);

/* What follows the first words of an error. */
enum error_part {
    ERROR_WHY,
    ERROR_HINT,
};

/* Sets one of these parts; no error is fine. Always -1. */
__attribute__((format(printf, 3, 4))) int error_put(struct error *e,
                                                    enum error_part part,
                                                    const char *text, ...);

/* Says why; says what to try. */
#define error_why(e, ...) error_put((e), ERROR_WHY, __VA_ARGS__)
#define error_hint(e, ...) error_put((e), ERROR_HINT, __VA_ARGS__)

/*
 * Puts what the caller was doing in place of `what`, which moves to the front
 * of `why`: for callers who know the purpose. Always -1.
 */
__attribute__((format(printf, 2, 3))) int error_wrap(struct error *e,
                                                     const char *what, ...);

/* Writes "program: what: why: hint\n", without the empty parts. */
void error_print(const struct error *e, const char *program, FILE *out);
