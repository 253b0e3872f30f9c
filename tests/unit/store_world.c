/* SPDX-License-Identifier: MIT */
/* A world without a hypervisor (store_world.h). */
#include "store_world.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fake_world *fake(struct world *w)
{
    return (struct fake_world *)w;
}

static int attach(struct world *world, domid_t domain, uint64_t frame,
                  evtchn_port_t port, struct world_ring *ring, struct error *e)
{
    (void)frame;
    (void)port;
    if (domain >= WORLD_DOMAINS || fake(world)->states[domain] != DOMAIN_RUNS)
        return error_set(e, EXIT_STATUS_NO_DOMAIN, "no such domain");
    fake(world)->attached++;
    ring->page = fake(world)->pages[domain];
    ring->port = domain + 1u;
    return 0;
}

static void detach(struct world *world, struct world_ring *ring)
{
    (void)ring;
    fake(world)->attached--;
}

static void signal_fd(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) < 0)
        _exit(1);
}

static void notify(struct world *world, const struct world_ring *ring)
{
    signal_fd(fake(world)->to_domain[ring->port - 1]);
}

static int own_port(struct world *world, evtchn_port_t *port, struct error *e)
{
    (void)world;
    (void)e;
    *port = 1;
    return 0;
}

static int event_fd(struct world *world)
{
    return fake(world)->to_store;
}

/* The eventfd counts kicks, not who kicked: all fire. */
static int events(struct world *world, evtchn_port_t *ports, unsigned room,
                  struct error *e)
{
    uint64_t count;
    unsigned i;

    if (fake(world)->is_deaf)
        return error_set(e, EXIT_STATUS_FAILED, "can't hear");
    if (read(fake(world)->to_store, &count, sizeof(count)) < 0)
        return 0;
    for (i = 0; i <= WORLD_DOMAINS && i < room; i++)
        ports[i] = i + 1;
    return (int)i;
}

static bool states(struct world *world, uint8_t states[DOMID_FIRST_RESERVED])
{
    memset(states, DOMAIN_IS_GONE, DOMID_FIRST_RESERVED);
    memcpy(states, fake(world)->states, WORLD_DOMAINS);
    return true;
}

static void close_nothing(struct world *world)
{
    (void)world;
}

static void *shared_memory(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
}

struct fake_world *fake_world_begin(void)
{
    struct fake_world *w = shared_memory(sizeof(*w));

    w->world = (struct world){.attach = attach,
                              .detach = detach,
                              .notify = notify,
                              .own_port = own_port,
                              .event_fd = event_fd,
                              .events = events,
                              .state_port = WORLD_DOMAINS + 1,
                              .states = states,
                              .close = close_nothing};
    w->to_store = eventfd(0, EFD_NONBLOCK);
    for (unsigned i = 0; i < WORLD_DOMAINS; i++) {
        w->to_domain[i] = eventfd(0, EFD_NONBLOCK);
        w->pages[i] = shared_memory(4096);
        w->states[i] = DOMAIN_RUNS;
    }
    return w;
}

void fake_world_end(struct fake_world *w)
{
    for (unsigned i = 0; i < WORLD_DOMAINS; i++) {
        close(w->to_domain[i]);
        munmap(w->pages[i], 4096);
    }
    close(w->to_store);
    munmap(w, sizeof(*w));
}

void fake_world_kick(struct fake_world *w)
{
    signal_fd(w->to_store);
}

void guest_begin(struct guest *g, struct fake_world *w, unsigned domain)
{
    g->world = w;
    g->domain = domain;
    store_ring_attach(&g->ring, w->pages[domain], STORE_RING_DOMAIN);
}

size_t guest_write(struct guest *g, const void *bytes, size_t size)
{
    int room = store_ring_writable(&g->ring);

    if (room <= 0)
        return 0;
    size = size < (size_t)room ? size : (size_t)room;
    store_ring_put(&g->ring, bytes, (uint32_t)size);
    fake_world_kick(g->world);
    return size;
}

size_t guest_read(struct guest *g, void *bytes, size_t size)
{
    int ready = store_ring_readable(&g->ring);

    if (ready <= 0)
        return 0;
    size = size < (size_t)ready ? size : (size_t)ready;
    store_ring_peek(&g->ring, 0, bytes, (uint32_t)size);
    store_ring_consume(&g->ring, (uint32_t)size);
    fake_world_kick(g->world);
    return size;
}
