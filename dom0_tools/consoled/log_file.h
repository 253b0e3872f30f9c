/* SPDX-License-Identifier: MIT */
/*
 * The file that keeps a domain's output. It is appended to, by later daemons
 * and later domains of the same name too, and has a bound: then it becomes
 * NAME.log.1, in place of an older one, and a new one begins. What is written
 * is in the file, for the kernel to keep, before log_file_write() returns.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "dom0_tools/lib/error.h"
#include "hypercall_abi/abi.h"

#define LOG_FILE_SIZE (1024 * 1024)
#define LOG_NAME_SIZE 128

struct log_file {
    int directory; /* not ours */
    off_t limit;   /* bytes at which it is put aside */
    int fd;        /* -1: closed */
    char name[LOG_NAME_SIZE];
};

/*
 * The file of a domain called `name`, or by its number where that is no good
 * name for a file.
 */
void log_file_name(char file[LOG_NAME_SIZE], const char *name, domid_t domain);

/* Opens it, for root alone, and never through a link. 0, or -1 with fd -1. */
int log_file_open(struct log_file *log, int directory, const char *file,
                  off_t limit, struct error *e);

/*
 * Appends. A log that was moved or removed by somebody else is begun anew.
 * 0, or -1 if not all could be written.
 */
int log_file_write(struct log_file *log, const char *bytes, size_t size,
                   struct error *e);

/* A closed one is fine. */
void log_file_close(struct log_file *log);
