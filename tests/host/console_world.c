/* SPDX-License-Identifier: MIT */
/* Domains with consoles (console_world.h). */
#include "host/console_world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIRST_PORT 100u

struct console_domain *console_domains;
bool console_world_is_deaf;
static int events_fd;

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static void wake(void)
{
    claim(!eventfd_write(events_fd, 1));
}

static int attach(struct hypervisor *h, domid_t domain, uint64_t frame,
                  evtchn_port_t port, struct hypervisor_ring *ring,
                  struct error *e)
{
    struct console_domain *d = &console_domains[domain];

    (void)h;
    if (!d->is_there || d->is_unmappable)
        return error_set(e, EXIT_STATUS_FAILED, "can't map frame %u",
                         (unsigned)frame);
    claim(!d->is_bound);
    ring->page = &d->page;
    ring->port = FIRST_PORT + domain;
    d->is_bound = true;
    d->is_masked = d->is_pending = false;
    d->attached++;
    d->remote = port;
    return 0;
}

static void detach(struct hypervisor *h, struct hypervisor_ring *ring)
{
    struct console_domain *d = &console_domains[ring->port - FIRST_PORT];

    (void)h;
    claim(d->is_bound);
    d->is_bound = false;
}

static void notify(struct hypervisor *h, const struct hypervisor_ring *ring)
{
    (void)h;
    claim(console_domains[ring->port - FIRST_PORT].is_bound);
    console_domains[ring->port - FIRST_PORT].notified++;
}

static int event_fd(struct hypervisor *h)
{
    (void)h;
    return events_fd;
}

static int events(struct hypervisor *h, evtchn_port_t *ports, unsigned room,
                  struct error *e)
{
    unsigned count = 0;
    eventfd_t value;

    (void)h;
    if (console_world_is_deaf)
        return error_set(e, EXIT_STATUS_FAILED, "can't hear");
    eventfd_read(events_fd, &value);
    for (unsigned i = 0; i < CONSOLE_DOMAINS && count < room; i++) {
        struct console_domain *d = &console_domains[i];

        if (!d->is_bound || d->is_masked || !d->is_pending)
            continue;
        d->is_masked = true;
        d->is_pending = false;
        ports[count++] = FIRST_PORT + i;
    }
    return (int)count;
}

static void unmask(struct hypervisor *h, evtchn_port_t port)
{
    struct console_domain *d = &console_domains[port - FIRST_PORT];

    (void)h;
    claim(d->is_bound);
    d->is_masked = false;
    if (d->is_pending)
        wake();
}

static enum hypervisor_answer find(struct hypervisor *h, domid_t domain,
                                   uint8_t handle[CONTROL_HANDLE_SIZE])
{
    (void)h;
    if (domain >= CONSOLE_DOMAINS || !console_domains[domain].is_there)
        return DOMAIN_HAS_GONE;
    memset(handle, 0, CONTROL_HANDLE_SIZE);
    handle[0] = console_domains[domain].identity;
    return DOMAIN_IS_THERE;
}

struct hypervisor console_hypervisor = {.attach = attach,
                                        .detach = detach,
                                        .notify = notify,
                                        .event_fd = event_fd,
                                        .events = events,
                                        .unmask = unmask,
                                        .find = find};

/* See console_world.h. */
void console_world_begin(void)
{
    console_domains =
        mmap(NULL, CONSOLE_DOMAINS * sizeof(*console_domains),
             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    claim(console_domains != MAP_FAILED);
    console_world_is_deaf = false;
    events_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    claim(events_fd >= 0);
}

/* See console_world.h. */
void console_world_end(void)
{
    close(events_fd);
    munmap(console_domains, CONSOLE_DOMAINS * sizeof(*console_domains));
}

/* See console_world.h. */
void console_world_fire(domid_t domain)
{
    console_domains[domain].is_pending = true;
    wake();
}
