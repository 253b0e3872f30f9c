/* SPDX-License-Identifier: MIT */
/* The file that keeps a domain's output (log_file.h). */
#include "dom0_tools/consoled/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for ".log" and ".1". */
#define SUFFIX_SIZE 8

static bool is_file_name(const char *name)
{
    if (!*name || *name == '.' || strlen(name) + SUFFIX_SIZE > LOG_NAME_SIZE)
        return false;
    for (; *name; name++)
        if (*name == '/' || *name < ' ' || *name > '~')
            return false;
    return true;
}

/* See log_file.h. */
void log_file_name(char file[LOG_NAME_SIZE], const char *name, domid_t domain)
{
    if (is_file_name(name))
        snprintf(file, LOG_NAME_SIZE, "%s.log", name);
    else
        snprintf(file, LOG_NAME_SIZE, "%u.log", domain);
}

static int open_again(struct log_file *log, struct error *e)
{
    log_file_close(log);
    log->fd =
        openat(log->directory, log->name,
               O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (log->fd >= 0)
        return 0;
    return error_set_errno(e, errno, "can't open the log %.96s", log->name);
}

/* See log_file.h. */
int log_file_open(struct log_file *log, int directory, const char *file,
                  off_t limit, struct error *e)
{
    *log = (struct log_file){.directory = directory, .limit = limit, .fd = -1};
    snprintf(log->name, sizeof(log->name), "%s", file);
    return open_again(log, e);
}

static bool is_in_place(const struct log_file *log, struct stat *mine)
{
    struct stat there;

    return log->fd >= 0 && !fstat(log->fd, mine) &&
           !fstatat(log->directory, log->name, &there, AT_SYMLINK_NOFOLLOW) &&
           there.st_ino == mine->st_ino && there.st_dev == mine->st_dev;
}

/* Sees to it that there is an open log with room. */
static int prepare(struct log_file *log, size_t size, struct error *e)
{
    char old[LOG_NAME_SIZE + SUFFIX_SIZE];
    struct stat status;

    if (!is_in_place(log, &status))
        return open_again(log, e);
    if (!status.st_size || status.st_size + (off_t)size <= log->limit)
        return 0;
    snprintf(old, sizeof(old), "%s.1", log->name);
    if (renameat(log->directory, log->name, log->directory, old))
        return error_set_errno(e, errno, "can't put the log %.96s aside",
                               log->name);
    return open_again(log, e);
}

/* See log_file.h. */
int log_file_write(struct log_file *log, const char *bytes, size_t size,
                   struct error *e)
{
    if (prepare(log, size, e))
        return -1;
    while (size) {
        ssize_t n = write(log->fd, bytes, size);

        if (n < 0 && errno != EINTR)
            return error_set_errno(e, errno, "can't write the log %.96s",
                                   log->name);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* See log_file.h. */
void log_file_close(struct log_file *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
