/* SPDX-License-Identifier: MIT */
/*
 * Granted pages (gntdev.h). The driver's own record of a mapping is given up
 * as soon as the pages are mapped: the mapping keeps them from then on, and
 * munmap() is all it takes to end it.
 */
#include "dom0_tools/lib/gntdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntdev.h>

#include "dom0_tools/lib/device.h"

#define DEVICE "/dev/xen/gntdev"
#define GRANT_PAGE_SIZE 4096ul

struct grant_device {
    int fd;
};

/* See gntdev.h. */
struct grant_device *grant_device_open(struct error *e)
{
    struct grant_device *d = malloc(sizeof(*d));

    if (!d) {
        error_set_errno(e, ENOMEM, "can't open " DEVICE);
        return NULL;
    }
    d->fd = device_open(DEVICE, O_RDWR, "xen-gntdev", e);
    if (d->fd >= 0)
        return d;
    free(d);
    return NULL;
}

/* See gntdev.h. */
void grant_device_close(struct grant_device *d)
{
    if (!d)
        return;
    close(d->fd);
    free(d);
}

/* Announces a mapping to the driver. 0 with *index, or an errno. */
static int announce(struct grant_device *d, domid_t domain,
                    const grant_ref_t *refs, size_t count, uint64_t *index)
{
    struct ioctl_gntdev_map_grant_ref *map =
        calloc(1, sizeof(*map) + count * sizeof(map->refs[0]));
    int error = 0;

    if (!map)
        return ENOMEM;
    map->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        map->refs[i].domid = domain;
        map->refs[i].ref = refs[i];
    }
    if (ioctl(d->fd, IOCTL_GNTDEV_MAP_GRANT_REF, map))
        error = errno;
    *index = map->index;
    free(map);
    return error;
}

static void forget(struct grant_device *d, uint64_t index, size_t count)
{
    struct ioctl_gntdev_unmap_grant_ref unmap = {
        .index = index,
        .count = (uint32_t)count,
    };

    ioctl(d->fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
}

/* See gntdev.h. */
void *grant_device_map(struct grant_device *d, domid_t domain,
                       const grant_ref_t *refs, size_t count, bool is_writable,
                       struct error *e)
{
    int protection = PROT_READ | (is_writable ? PROT_WRITE : 0);
    uint64_t index;
    int error = announce(d, domain, refs, count, &index);
    void *p = MAP_FAILED;

    if (!error) {
        p = mmap(NULL, count * GRANT_PAGE_SIZE, protection, MAP_SHARED, d->fd,
                 (off_t)index);
        if (p == MAP_FAILED)
            error = errno;
        forget(d, index, count);
    }
    if (!error)
        return p;
    error_set_errno(e, error, "can't map grants of domain %u", domain);
    return NULL;
}

/* See gntdev.h. */
void grant_device_unmap(struct grant_device *d, void *mapping, size_t count)
{
    (void)d;
    if (mapping)
        munmap(mapping, count * GRANT_PAGE_SIZE);
}
