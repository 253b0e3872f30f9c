/* SPDX-License-Identifier: MIT */
/* The hypervisor, through the drivers of dom0's kernel (hypervisor.h). */
#include "dom0_tools/consoled/hypervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/evtchn.h"
#include "dom0_tools/lib/gntdev.h"
#include "hypercall_abi/grant_table.h"

struct real_hypervisor {
    struct hypervisor hypervisor; /* first */
    struct control *control;
    struct event_device *events;
    struct grant_device *grants; /* or NULL */
};

static struct real_hypervisor *real(struct hypervisor *h)
{
    return (struct real_hypervisor *)h;
}

/* Domains grant the ring's page to dom0; other builders may not have. */
static int map(struct real_hypervisor *h, domid_t domain, uint64_t frame,
               struct hypervisor_ring *ring, struct error *e)
{
    const grant_ref_t ref = GNTTAB_RESERVED_CONSOLE;

    ring->page = NULL;
    if (h->grants)
        ring->page = grant_device_map(h->grants, domain, &ref, 1, true, NULL);
    ring->is_by_grant = ring->page != NULL;
    if (!ring->page)
        ring->page = control_map_frames(h->control, domain, &frame, 1, true, e);
    return ring->page ? 0 : -1;
}

static void unmap(struct real_hypervisor *h, struct hypervisor_ring *ring)
{
    if (ring->is_by_grant)
        grant_device_unmap(h->grants, ring->page, 1);
    else
        control_unmap_frames(h->control, ring->page, 1);
}

static int attach(struct hypervisor *h, domid_t domain, uint64_t frame,
                  evtchn_port_t port, struct hypervisor_ring *ring,
                  struct error *e)
{
    if (map(real(h), domain, frame, ring, e))
        return -1;
    if (!event_device_bind(real(h)->events, domain, port, &ring->port, e))
        return 0;
    unmap(real(h), ring);
    return -1;
}

static void detach(struct hypervisor *h, struct hypervisor_ring *ring)
{
    event_device_unbind(real(h)->events, ring->port, NULL);
    unmap(real(h), ring);
}

static void notify(struct hypervisor *h, const struct hypervisor_ring *ring)
{
    event_device_notify(real(h)->events, ring->port, NULL);
}

static int event_fd(struct hypervisor *h)
{
    return event_device_fd(real(h)->events);
}

static int events(struct hypervisor *h, evtchn_port_t *ports, unsigned room,
                  struct error *e)
{
    return event_device_pending(real(h)->events, ports, room, e);
}

static void unmask(struct hypervisor *h, evtchn_port_t port)
{
    event_device_unmask(real(h)->events, &port, 1, NULL);
}

static enum hypervisor_answer find(struct hypervisor *h, domid_t domain,
                                   uint8_t handle[CONTROL_HANDLE_SIZE])
{
    struct control_domain info;
    struct error e;

    if (control_domain_info(real(h)->control, domain, &info, &e))
        return e.status == EXIT_STATUS_NO_DOMAIN ? DOMAIN_HAS_GONE
                                                 : HYPERVISOR_SILENT;
    if (info.flags & CONTROL_DOMAIN_DYING)
        return DOMAIN_HAS_GONE;
    memcpy(handle, info.handle, CONTROL_HANDLE_SIZE);
    return DOMAIN_IS_THERE;
}

static void close_hypervisor(struct hypervisor *h)
{
    grant_device_close(real(h)->grants);
    event_device_close(real(h)->events);
    control_close(real(h)->control);
    free(h);
}

/* See hypervisor.h. */
struct hypervisor *hypervisor_open(struct error *e)
{
    struct real_hypervisor *h = calloc(1, sizeof(*h));

    if (!h) {
        error_set_errno(e, ENOMEM, "can't reach the hypervisor");
        return NULL;
    }
    h->hypervisor = (struct hypervisor){.attach = attach,
                                        .detach = detach,
                                        .notify = notify,
                                        .event_fd = event_fd,
                                        .events = events,
                                        .unmask = unmask,
                                        .find = find,
                                        .close = close_hypervisor};
    h->control = control_open(e);
    h->events = h->control ? event_device_open(e) : NULL;
    h->grants = h->events ? grant_device_open(NULL) : NULL;
    if (h->events)
        return &h->hypervisor;
    close_hypervisor(&h->hypervisor);
    return NULL;
}
