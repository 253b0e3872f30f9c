/* SPDX-License-Identifier: MIT */
/* Memory of a domain under construction (build_memory.h). */
#define _GNU_SOURCE
#include "dom0_tools/lib/build_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0_tools/lib/control_memory.h"

/* Frames in a row are had in one step each: 2 MiB, 64 KiB, one. */
static const unsigned orders[] = {9, 4, 0};

#define EXTENTS 2048u

/* --- getting it ---------------------------------------------------------- */

/*
 * Populates from pfn `*next` on with extents of 2^order pages, as many as fit
 * and can be had.
 */
static int populate_order(struct build_memory *m, unsigned order,
                          uint64_t *next, struct error *e)
{
    uint64_t extents[EXTENTS];

    while (m->pages - *next >= 1ull << order) {
        uint64_t wanted = min_u64((m->pages - *next) >> order, EXTENTS);
        long done;

        for (uint64_t i = 0; i < wanted; i++)
            extents[i] = *next + (i << order);
        done = control_populate(m->c, m->domain, order, extents, wanted, e);
        if (done < 0)
            return -1;
        for (uint64_t i = 0; i < (uint64_t)done << order; i++)
            m->frames[*next + i] =
                extents[i >> order] + (i & ((1ull << order) - 1));
        *next += (uint64_t)done << order;
        if ((uint64_t)done < wanted)
            break;
    }
    return 0;
}

/* See build_memory.h. */
int build_memory_populate(struct build_memory *m, struct control *c,
                          domid_t domain, uint64_t pages, struct error *e)
{
    uint64_t list_pages =
        align_up(pages * sizeof(uint64_t), PAGE_SIZE) >> PAGE_SHIFT;
    uint64_t next = 0;

    m->c = c;
    m->domain = domain;
    m->pages = pages;
    m->waiting = 0;
    m->frames = calloc(list_pages, PAGE_SIZE);
    if (!m->frames)
        return error_set_errno(e, ENOMEM, "can't list %llu pages",
                               (unsigned long long)pages);
    for (unsigned i = 0; i < ARRAY_LEN(orders) && next < pages; i++)
        if (populate_order(m, orders[i], &next, e))
            return -1;
    if (next == pages)
        return 0;
    error_set_errno(e, ENOMEM, "can't give %llu MiB to domain %u",
                    (unsigned long long)(pages >> 8), domain);
    return error_why(e, "memory ran out after %llu MiB",
                     (unsigned long long)(next >> 8));
}

/* See build_memory.h. */
void build_memory_close(struct build_memory *m)
{
    free(m->frames);
    m->frames = NULL;
}

/* --- writing ------------------------------------------------------------- */

/* See build_memory.h. */
int build_memory_flush(struct build_memory *m, struct error *e)
{
    uint64_t frames[BUILD_BATCH];
    uint8_t *window;

    if (!m->waiting)
        return 0;
    for (unsigned i = 0; i < m->waiting; i++)
        frames[i] = m->frames[m->batch[i].pfn];
    window = control_map_frames(m->c, m->domain, frames, m->waiting, true, e);
    if (!window)
        return -1;
    for (unsigned i = 0; i < m->waiting; i++)
        memcpy(window + i * PAGE_SIZE + m->batch[i].offset, m->batch[i].from,
               m->batch[i].size);
    control_unmap_frames(m->c, window, m->waiting);
    m->waiting = 0;
    return 0;
}

static bool is_zero(const uint8_t *bytes, unsigned size)
{
    /* All are 0 if the first is, and each equals the one before it. */
    return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

/* See build_memory.h. */
int build_memory_write(struct build_memory *m, uint64_t pfn, uint64_t offset,
                       const void *from, uint64_t size, struct error *e)
{
    const uint8_t *bytes = from;

    pfn += offset >> PAGE_SHIFT;
    offset &= PAGE_SIZE - 1;
    while (size) {
        unsigned n = (unsigned)min_u64(PAGE_SIZE - offset, size);

        if (!is_zero(bytes, n)) {
            if (m->waiting == BUILD_BATCH && build_memory_flush(m, e))
                return -1;
            m->batch[m->waiting++] =
                (struct build_copy){pfn, (unsigned)offset, n, bytes};
        }
        pfn++;
        bytes += n;
        size -= n;
        offset = 0;
    }
    return 0;
}

/* --- from files ---------------------------------------------------------- */

/* Fills `size` bytes at `out` from byte `at` of a file on; 0 or an errno. */
static int read_exactly(int fd, uint8_t *out, uint64_t at, uint64_t size)
{
    while (size) {
        ssize_t n = pread(fd, out, size, (off_t)at);

        if (n == 0)
            return EIO;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            out += n;
            at += (uint64_t)n;
            size -= (uint64_t)n;
        }
    }
    return 0;
}

/* As build_memory_read_file(), for what fits in one window. */
static int read_window(struct build_memory *m, uint64_t to, int fd, uint64_t at,
                       uint64_t size, struct error *e)
{
    uint64_t pfn = to >> PAGE_SHIFT, offset = to & (PAGE_SIZE - 1);
    size_t count = (offset + size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    uint8_t *window =
        control_map_frames(m->c, m->domain, &m->frames[pfn], count, true, e);
    int error;

    if (!window)
        return -1;
    error = read_exactly(fd, window + offset, at, size);
    control_unmap_frames(m->c, window, count);
    return error ? error_set_errno(e, error, "can't read the file") : 0;
}

/*
 * The next bytes of a file from `at` up to `end` that are no hole: *start and
 * *stop, both `end` if there are none.
 */
static void find_data(int fd, uint64_t at, uint64_t end, uint64_t *start,
                      uint64_t *stop)
{
    off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

    *start = at;
    *stop = end;
    if (data < 0) {
        /* Not every file system knows about holes. */
        if (errno == ENXIO)
            *start = end;
        return;
    }
    *start = min_u64((uint64_t)data, end);
    hole = lseek(fd, data, SEEK_HOLE);
    if (hole >= 0)
        *stop = min_u64((uint64_t)hole, end);
}

/* See build_memory.h. */
int build_memory_read_file(struct build_memory *m, uint64_t pfn,
                           uint64_t offset, int fd, uint64_t at, uint64_t size,
                           struct error *e)
{
    uint64_t to = (pfn << PAGE_SHIFT) + offset, end = at + size;
    uint64_t start, stop;
    struct stat s;

    if (fstat(fd, &s) || (uint64_t)s.st_size < end)
        return error_set_errno(e, EIO, "can't read the file");
    while (at < end) {
        find_data(fd, at, end, &start, &stop);
        to += start - at;
        for (at = start; at < stop;) {
            uint64_t room = BUILD_BATCH * PAGE_SIZE - (to & (PAGE_SIZE - 1));
            uint64_t n = min_u64(stop - at, room);

            if (read_window(m, to, fd, at, n, e))
                return -1;
            to += n;
            at += n;
        }
    }
    return 0;
}
