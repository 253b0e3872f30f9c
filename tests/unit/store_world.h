/* SPDX-License-Identifier: MIT */
/*
 * A world without a hypervisor: domains' rings are pages of shared memory,
 * events are eventfds, so that a daemon in another process can be killed
 * while its domains go on. Port n + 1 is domain n's.
 */
#pragma once

#include "dom0_tools/stored/server.h"

#define WORLD_DOMAINS 8

struct fake_world {
    struct world world; /* first */
    int to_store;
    int to_domain[WORLD_DOMAINS];
    struct xenstore_domain_interface *pages[WORLD_DOMAINS];
    uint8_t states[WORLD_DOMAINS]; /* enum domain_state */
    unsigned attached;
    bool is_deaf; /* events can't be read any more */
};

/* All domains exist and run; dom0 is one of them. In shared memory. */
struct fake_world *fake_world_begin(void);
void fake_world_end(struct fake_world *w);

/* Makes the store look at the rings. */
void fake_world_kick(struct fake_world *w);

/* A domain's end of its ring. */
struct guest {
    struct fake_world *world;
    unsigned domain;
    struct store_ring ring;
};

void guest_begin(struct guest *g, struct fake_world *w, unsigned domain);

/*
 * One try to write or read bytes, as the ring allows: how many. The peer is
 * kicked if there were any.
 */
size_t guest_write(struct guest *g, const void *bytes, size_t size);
size_t guest_read(struct guest *g, void *bytes, size_t size);
