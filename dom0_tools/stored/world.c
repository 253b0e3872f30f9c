/* SPDX-License-Identifier: MIT */
/* The hypervisor and dom0's kernel (world.h). */
#include "dom0_tools/stored/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/sys/xenbus_dev.h>

#include "dom0_tools/lib/control_domain.h"
#include "dom0_tools/lib/evtchn.h"
#include "dom0_tools/lib/gntdev.h"
#include "dom0_tools/stored/bytes.h"
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/grant_table.h"

/* Where dom0's kernel shows the ring that it speaks over. */
#define OWN_DEVICE "/dev/xen/xenbus_backend"

#define LIST_ROOM 64

enum mapping { MAPPED_BY_GRANT, MAPPED_BY_FRAME, MAPPED_FROM_KERNEL };

struct real_world {
    struct world world; /* first */
    struct control *control;
    struct event_device *events;
    struct grant_device *grants;
};

static struct real_world *real(struct world *w)
{
    return (struct real_world *)w;
}

/* Domains grant the ring's page to dom0; older builders may not have. */
static void *map_ring(struct real_world *w, domid_t domain, uint64_t frame,
                      enum mapping *how, struct error *e)
{
    const grant_ref_t ref = GNTTAB_RESERVED_XENSTORE;
    void *page = NULL;

    *how = MAPPED_BY_GRANT;
    if (w->grants)
        page = grant_device_map(w->grants, domain, &ref, 1, true, NULL);
    if (page)
        return page;
    *how = MAPPED_BY_FRAME;
    return control_map_frames(w->control, domain, &frame, 1, true, e);
}

static void *map_own_ring(struct error *e)
{
    int fd = open(OWN_DEVICE, O_RDWR | O_CLOEXEC);
    void *page = MAP_FAILED;

    if (fd >= 0) {
        page = mmap(NULL, CONTROL_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                    fd, 0);
        close(fd);
    }
    if (page != MAP_FAILED)
        return page;
    error_set_errno(e, errno, "can't map the ring of dom0's kernel");
    return NULL;
}

static void unmap(struct real_world *w, struct world_ring *ring)
{
    switch ((enum mapping)(uintptr_t)ring->private_data) {
    case MAPPED_BY_GRANT:
        grant_device_unmap(w->grants, ring->page, 1);
        break;
    case MAPPED_BY_FRAME:
        control_unmap_frames(w->control, ring->page, 1);
        break;
    case MAPPED_FROM_KERNEL:
        munmap(ring->page, CONTROL_PAGE_SIZE);
        break;
    }
}

static int attach(struct world *world, domid_t domain, uint64_t frame,
                  evtchn_port_t port, struct world_ring *ring, struct error *e)
{
    struct real_world *w = real(world);
    enum mapping how = MAPPED_FROM_KERNEL;

    ring->page = domain ? map_ring(w, domain, frame, &how, e) : map_own_ring(e);
    if (!ring->page)
        return -1;
    ring->private_data = (void *)(uintptr_t)how;
    if (!event_device_bind(w->events, domain, port, &ring->port, e))
        return 0;
    unmap(w, ring);
    return -1;
}

static void detach(struct world *world, struct world_ring *ring)
{
    event_device_unbind(real(world)->events, ring->port, NULL);
    unmap(real(world), ring);
}

static void notify(struct world *world, const struct world_ring *ring)
{
    event_device_notify(real(world)->events, ring->port, NULL);
}

static int own_port(struct world *world, evtchn_port_t *port, struct error *e)
{
    int fd = open(OWN_DEVICE, O_RDWR | O_CLOEXEC);
    int rc = fd < 0 ? -1 : ioctl(fd, IOCTL_XENBUS_BACKEND_EVTCHN);
    int number = errno;

    (void)world;
    if (fd >= 0)
        close(fd);
    if (rc <= 0)
        return error_set_errno(e, rc ? number : ENODEV, "can't ask %s",
                               OWN_DEVICE);
    *port = (evtchn_port_t)rc;
    return 0;
}

static int event_fd(struct world *world)
{
    return event_device_fd(real(world)->events);
}

static int events(struct world *world, evtchn_port_t *ports, unsigned room,
                  struct error *e)
{
    int count = event_device_pending(real(world)->events, ports, room, e);

    if (count > 0)
        event_device_unmask(real(world)->events, ports, (unsigned)count, NULL);
    return count;
}

static bool states(struct world *world, uint8_t states[DOMID_FIRST_RESERVED])
{
    struct control_domain list[LIST_ROOM];
    unsigned first = 0;
    int count;

    memset(states, DOMAIN_IS_GONE, DOMID_FIRST_RESERVED);
    do {
        count = control_domain_list(real(world)->control, (domid_t)first,
                                    LIST_ROOM, list, NULL);
        for (int i = 0; i < count; i++) {
            first = list[i].domain + 1u;
            if (list[i].flags & CONTROL_DOMAIN_DYING)
                continue;
            states[list[i].domain % DOMID_FIRST_RESERVED] =
                list[i].flags & CONTROL_DOMAIN_SHUTDOWN ? DOMAIN_HAS_SHUT_DOWN
                                                        : DOMAIN_RUNS;
        }
    } while (count == LIST_ROOM && first < DOMID_FIRST_RESERVED);
    return count >= 0;
}

static void close_world(struct world *world)
{
    struct real_world *w = real(world);

    grant_device_close(w->grants);
    event_device_close(w->events);
    control_close(w->control);
    free(w);
}

/* See world.h. */
struct world *world_open(struct error *e)
{
    struct real_world *w = memory_get(sizeof(*w));

    w->world = (struct world){.attach = attach,
                              .detach = detach,
                              .notify = notify,
                              .own_port = own_port,
                              .event_fd = event_fd,
                              .events = events,
                              .states = states,
                              .close = close_world};
    w->control = control_open(e);
    w->events = w->control ? event_device_open(e) : NULL;
    w->grants = grant_device_open(NULL);
    if (w->events && !event_device_bind_virq(w->events, VIRQ_DOM_EXC,
                                             &w->world.state_port, e))
        return &w->world;
    close_world(&w->world);
    return NULL;
}
