/* SPDX-License-Identifier: MIT */
/* Domains with consoles (consoled_fake.h). */
#include "consoled_fake.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FIRST_PORT 100u

struct fake_domain fake_domains[FAKE_DOMAINS];
static int events_fd;

static void wake(void)
{
    ck_assert_int_eq(eventfd_write(events_fd, 1), 0);
}

static int attach(struct hypervisor *h, domid_t domain, uint64_t frame,
                  evtchn_port_t port, struct hypervisor_ring *ring,
                  struct error *e)
{
    struct fake_domain *d = &fake_domains[domain];

    (void)h;
    if (!d->is_there || d->is_unmappable)
        return error_set(e, EXIT_STATUS_FAILED, "can't map frame %u",
                         (unsigned)frame);
    ck_assert(!d->is_bound);
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
    struct fake_domain *d = &fake_domains[ring->port - FIRST_PORT];

    (void)h;
    ck_assert(d->is_bound);
    d->is_bound = false;
}

static void notify(struct hypervisor *h, const struct hypervisor_ring *ring)
{
    (void)h;
    fake_domains[ring->port - FIRST_PORT].notified++;
}

static int event_fd(struct hypervisor *h)
{
    (void)h;
    return events_fd;
}

static unsigned events(struct hypervisor *h, evtchn_port_t *ports,
                       unsigned room)
{
    unsigned count = 0;
    eventfd_t value;

    (void)h;
    eventfd_read(events_fd, &value);
    for (unsigned i = 0; i < FAKE_DOMAINS && count < room; i++) {
        struct fake_domain *d = &fake_domains[i];

        if (!d->is_bound || d->is_masked || !d->is_pending)
            continue;
        d->is_masked = true;
        d->is_pending = false;
        ports[count++] = FIRST_PORT + i;
    }
    return count;
}

static void unmask(struct hypervisor *h, evtchn_port_t port)
{
    struct fake_domain *d = &fake_domains[port - FIRST_PORT];

    (void)h;
    d->is_masked = false;
    if (d->is_pending)
        wake();
}

static enum hypervisor_answer find(struct hypervisor *h, domid_t domain,
                                   uint8_t handle[CONTROL_HANDLE_SIZE])
{
    (void)h;
    if (domain >= FAKE_DOMAINS || !fake_domains[domain].is_there)
        return DOMAIN_HAS_GONE;
    memset(handle, 0, CONTROL_HANDLE_SIZE);
    handle[0] = fake_domains[domain].identity;
    return DOMAIN_IS_THERE;
}

struct hypervisor fake_hypervisor = {.attach = attach,
                                     .detach = detach,
                                     .notify = notify,
                                     .event_fd = event_fd,
                                     .events = events,
                                     .unmask = unmask,
                                     .find = find};

/* See consoled_fake.h. */
void fake_begin(void)
{
    memset(fake_domains, 0, sizeof(fake_domains));
    events_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ck_assert_int_ge(events_fd, 0);
    fake_empty_store();
}

/* See consoled_fake.h. */
void fake_end(void)
{
    close(events_fd);
}

/* See consoled_fake.h. */
void fake_create(domid_t id, const char *name)
{
    struct fake_domain *d = &fake_domains[id];
    uint8_t identity = d->identity;
    char path[64];

    *d = (struct fake_domain){.is_there = true, .identity = identity + 1};
    console_ring_attach_domain(&d->ring, &d->page);
    snprintf(path, sizeof(path), "/local/domain/%u/name", id);
    fake_set_node(path, name);
    snprintf(path, sizeof(path), "/local/domain/%u/console/ring-ref", id);
    fake_set_node(path, "4660");
    snprintf(path, sizeof(path), "/local/domain/%u/console/port", id);
    fake_set_node(path, "2");
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", id);
    fake_set_node(path, "");
}

/* See consoled_fake.h. */
void fake_introduce(domid_t id, const char *name)
{
    fake_create(id, name);
    fake_tell("@introduceDomain");
}

/* See consoled_fake.h. */
void fake_destroy(domid_t id)
{
    fake_domains[id].is_there = false;
    fake_tell("@releaseDomain");
}

/* See consoled_fake.h. */
void fake_fire(domid_t id)
{
    fake_domains[id].is_pending = true;
    wake();
}

/* See consoled_fake.h. */
void fake_print(domid_t id, const char *text)
{
    struct console_ring *ring = &fake_domains[id].ring;
    size_t size = strlen(text);

    ck_assert_int_ge(console_ring_writable(ring), (int)size);
    console_ring_put(ring, text, (uint32_t)size);
    fake_fire(id);
}

/* See consoled_fake.h. */
const char *fake_take_input(domid_t id)
{
    static char got[XENCONS_IN_SIZE + 1];
    struct console_ring *ring = &fake_domains[id].ring;
    int size = console_ring_readable(ring);

    ck_assert_int_ge(size, 0);
    console_ring_peek(ring, got, (uint32_t)size);
    got[size] = '\0';
    if (size) {
        console_ring_consume(ring, (uint32_t)size);
        fake_fire(id);
    }
    return got;
}
