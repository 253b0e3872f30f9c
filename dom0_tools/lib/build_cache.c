/* SPDX-License-Identifier: MIT */
/* Unpacked kernels that are kept (build_cache.h). */
#define _GNU_SOURCE
#include "dom0_tools/lib/build_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PARENT "/run/mica"
#define NAME_SIZE 160
#define BLOCK_SIZE 512u

/* The share of the machine's memory that kept kernels may take: 1 in ... */
#define MEMORY_SHARE 4u

static const char *directory_path = PARENT "/kernels";

/* See build_cache.h. */
void build_cache_set_directory(const char *path)
{
    directory_path = path;
}

/* The directory, or -1 unless it is there and ours alone. */
static int open_directory(void)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(directory_path, flags);
    struct stat s;

    if (fd < 0)
        return -1;
    if (!fstat(fd, &s) && s.st_uid == geteuid() && !(s.st_mode & 0077))
        return fd;
    close(fd);
    return -1;
}

static int make_directory(void)
{
    mkdir(PARENT, 0755);
    mkdir(directory_path, 0700);
    return open_directory();
}

static void make_name(const struct stat *s, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%llx-%llx-%llx-%llx.%09ld-%llx.%09ld",
             (unsigned long long)s->st_dev, (unsigned long long)s->st_ino,
             (unsigned long long)s->st_size,
             (unsigned long long)s->st_mtim.tv_sec, s->st_mtim.tv_nsec,
             (unsigned long long)s->st_ctim.tv_sec, s->st_ctim.tv_nsec);
}

/* See build_cache.h. */
int build_cache_find(const struct stat *source)
{
    int directory = open_directory(), fd;
    char name[NAME_SIZE];

    if (directory < 0)
        return -1;
    make_name(source, name);
    fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    close(directory);
    if (fd >= 0)
        futimens(fd, NULL); /* the last use, for evict_oldest() */
    return fd;
}

/* See build_cache.h. */
int build_cache_create(off_t size)
{
    int directory = make_directory(), fd = -1;

    if (directory >= 0) {
        fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0400);
        close(directory);
    }
    if (fd < 0)
        fd = memfd_create("kernel", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, size)) {
        int error = errno;

        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

static uint64_t limit(void)
{
    struct sysinfo info;

    return sysinfo(&info) ? 0 : info.totalram * info.mem_unit / MEMORY_SHARE;
}

/* Nanoseconds, for comparing. */
static int64_t last_use(const struct stat *s)
{
    return s->st_mtim.tv_sec * 1000000000ll + s->st_mtim.tv_nsec;
}

/* Removes the file unused for longest if all are too large; whether it did. */
static bool evict_oldest(DIR *files)
{
    char oldest[NAME_SIZE] = "";
    const struct dirent *entry;
    int64_t first = INT64_MAX;
    uint64_t bytes = 0;

    rewinddir(files);
    while ((entry = readdir(files))) {
        struct stat s;

        if (fstatat(dirfd(files), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) ||
            !S_ISREG(s.st_mode))
            continue;
        bytes += (uint64_t)s.st_blocks * BLOCK_SIZE;
        if (last_use(&s) >= first)
            continue;
        first = last_use(&s);
        snprintf(oldest, sizeof(oldest), "%.*s", NAME_SIZE - 1, entry->d_name);
    }
    return bytes > limit() && *oldest && !unlinkat(dirfd(files), oldest, 0);
}

/* See build_cache.h. */
void build_cache_keep(int fd, const struct stat *source)
{
    int directory = open_directory();
    char link[32], name[NAME_SIZE];
    DIR *files = NULL;

    if (directory < 0)
        return;
    make_name(source, name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (!linkat(AT_FDCWD, link, directory, name, AT_SYMLINK_FOLLOW))
        files = fdopendir(directory);
    if (!files) {
        close(directory);
        return;
    }
    while (evict_oldest(files))
        ;
    closedir(files);
}
