/* SPDX-License-Identifier: MIT */
/*
 * Reading and unpacking kernels (build_kernel.h). What is unpacked goes into
 * a file with holes for its zeros, which build_cache.h keeps for next time.
 */
#define _GNU_SOURCE
#include "dom0_tools/lib/build_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dom0_tools/lib/build_cache.h"
#include "dom0_tools/lib/build_lz4.h"

#define MAX_FILE (1ull << 30)
#define NO_MEMORY "there is not enough memory to unpack it"

/* A file as it is on disk. */
struct packed {
    uint8_t *bytes;
    size_t size;
};

/* Memory that costs nothing until it is written, or NULL. */
static uint8_t *alloc_lazily(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void free_lazily(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

/* --- the file ------------------------------------------------------------ */

/* 0 or an errno. */
static int check_file(int fd, struct stat *s)
{
    if (fstat(fd, s))
        return errno;
    if (!S_ISREG(s->st_mode))
        return S_ISDIR(s->st_mode) ? EISDIR : EINVAL;
    if (s->st_size <= 0)
        return ENOEXEC;
    return (uint64_t)s->st_size > MAX_FILE ? EFBIG : 0;
}

/* All of a file of known size. 0 or an errno; EIO when it is shorter. */
static int read_all(int fd, struct packed *p, size_t size)
{
    size_t done = 0;

    p->size = size;
    p->bytes = alloc_lazily(size);
    if (!p->bytes)
        return ENOMEM;
    while (done < size) {
        ssize_t n = read(fd, p->bytes + done, size - done);

        if (n == 0)
            return EIO;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

/* --- unpacking ----------------------------------------------------------- */

/* As core's unpack(), with all methods and memory to work in. */
static const char *run_unpack(struct unpack_job *job)
{
    struct arena arena = {.size = unpack_arena_size(job->method)};
    const char *why;

    if (job->method == UNPACK_LZ4)
        return build_unpack_lz4(job);
    arena.base = arena.size ? alloc_lazily(arena.size) : NULL;
    if (arena.size && !arena.base)
        return NO_MEMORY;
    job->arena = &arena;
    why = unpack(job);
    free_lazily(arena.base, arena.size);
    return why;
}

static bool is_zero_page(const uint8_t *page)
{
    /* All are 0 if the first is, and each equals the one before it. */
    return !page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1);
}

/* Gives back the memory of pages that are 0; best effort. */
static void make_holes(int fd, const uint8_t *bytes, size_t size)
{
    size_t start = 0, end;

    while (start + PAGE_SIZE <= size) {
        for (end = start; end + PAGE_SIZE <= size && is_zero_page(bytes + end);
             end += PAGE_SIZE)
            ;
        if (end > start)
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)start, (off_t)(end - start));
        start = end + PAGE_SIZE;
    }
}

static bool write_at(int fd, const uint8_t *bytes, size_t at, size_t end)
{
    while (at < end) {
        ssize_t n = pwrite(fd, bytes + at, end - at, (off_t)at);

        if (n < 0 && errno != EINTR)
            return false;
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Writes all but pages that are 0, which become holes of the new file. */
static bool write_data(int fd, const uint8_t *bytes, size_t size)
{
    size_t start = 0, end;
    bool is_good = true;

    while (start < size && is_good) {
        for (end = start; end < size; end += PAGE_SIZE)
            if (end + PAGE_SIZE <= size && is_zero_page(bytes + end))
                break;
        is_good = write_at(fd, bytes, start, end < size ? end : size);
        start = end + PAGE_SIZE;
    }
    return is_good;
}

/* 0 or an errno; *why is set when the payload is to blame. */
static int unpack_into(struct build_kernel *k, struct unpack_job *job,
                       const char **why)
{
    job->out =
        mmap(NULL, k->size, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
    if (job->out == MAP_FAILED)
        return errno;
    *why = run_unpack(job);
    if (!*why)
        make_holes(k->fd, job->out, k->size);
    munmap(job->out, k->size);
    return 0;
}

/* Unpacks the payload into a new file, k->fd; results as above. */
static int unpack_payload(struct build_kernel *k, struct unpack_job *job,
                          const char **why)
{
    k->size = job->out_size;
    k->fd = build_cache_create((off_t)k->size);
    if (k->fd < 0)
        return errno;
    if (job->method == UNPACK_NONE)
        return write_data(k->fd, job->packed, job->out_size) ? 0 : errno;
    return unpack_into(k, job, why);
}

/* --- understanding ------------------------------------------------------- */

/* Maps what k->fd holds. */
static const char *map_kernel(struct build_kernel *k)
{
    struct stat s;
    void *p = MAP_FAILED;

    if (!fstat(k->fd, &s) && s.st_size > 0)
        p = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, k->fd, 0);
    if (p == MAP_FAILED)
        return "there is not enough memory to map it";
    k->bytes = p;
    k->size = (size_t)s.st_size;
    return NULL;
}

static int refuse_kernel(const char *path, const char *why, struct error *e)
{
    error_set(e, EXIT_STATUS_BAD_KERNEL, "can't use kernel %s", path);
    return error_why(e, "%s", why);
}

static int refuse_size(const struct build_kernel *k, uint64_t limit,
                       struct error *e)
{
    error_set(e, EXIT_STATUS_NO_MEMORY, "can't build the domain");
    error_why(e, "the kernel alone needs %llu MiB, %llu MiB are given",
              (unsigned long long)((k->size + (1 << 20) - 1) >> 20),
              (unsigned long long)(limit >> 20));
    return error_hint(e, "give it more with memory=");
}

/* Unpacks the file read, and keeps the result for next time. */
static int unpack_file(struct build_kernel *k, const struct packed *p,
                       const struct stat *source, const char *path,
                       uint64_t limit, struct error *e)
{
    struct unpack_job job;
    const char *why = kernel_image_open(&job, p->bytes, p->size);
    int error = 0;

    k->size = job.out_size;
    if (!why && job.method != UNPACK_NONE && k->size > limit)
        return refuse_size(k, limit, e);
    if (!why)
        error = unpack_payload(k, &job, &why);
    if (error)
        return error_set_errno(e, error, "can't unpack kernel %s", path);
    if (why)
        return refuse_kernel(path, why, e);
    if (job.method != UNPACK_NONE)
        build_cache_keep(k->fd, source);
    return 0;
}

/* Gets the kernel in file `fd` into k->fd. */
static int get_kernel(struct build_kernel *k, int fd, const char *path,
                      uint64_t limit, struct error *e)
{
    struct packed p = {.bytes = NULL};
    struct stat source;
    int result, error = check_file(fd, &source);

    if (!error) {
        k->fd = build_cache_find(&source);
        if (k->fd >= 0)
            return 0;
        error = read_all(fd, &p, (size_t)source.st_size);
    }
    if (error)
        result = error_set_errno(e, error, "can't read kernel %s", path);
    else
        result = unpack_file(k, &p, &source, path, limit, e);
    free_lazily(p.bytes, p.size);
    return result;
}

/* See build_kernel.h. */
int build_kernel_open(struct build_kernel *k, const char *path, uint64_t limit,
                      struct error *e)
{
    const char *why;
    int fd = open(path, O_RDONLY | O_CLOEXEC), result;

    *k = (struct build_kernel){.fd = -1};
    if (fd < 0)
        return error_set_errno(e, errno, "can't open kernel %s", path);
    result = get_kernel(k, fd, path, limit, e);
    close(fd);
    if (result)
        return result;
    why = map_kernel(k);
    if (!why)
        why = kernel_open(&k->elf, k->bytes, k->size);
    return why ? refuse_kernel(path, why, e) : 0;
}

/* See build_kernel.h. */
void build_kernel_close(struct build_kernel *k)
{
    if (k->bytes)
        munmap((void *)k->bytes, k->size);
    if (k->fd >= 0)
        close(k->fd);
    k->bytes = NULL;
    k->fd = -1;
}
