/* SPDX-License-Identifier: MIT */
/*
 * What the daemon needs of the hypervisor and of dom0's kernel: domains'
 * rings in its memory, events to and from them, and news of their ends. The
 * server knows it only by this table, which tests fill with their own.
 */
#pragma once

#include <stdbool.h>

#include "dom0_tools/lib/error.h"
#include "hypercall_abi/store.h"

/* A ring that is mapped, and our end of its event channel. */
struct world_ring {
    struct xenstore_domain_interface *page;
    evtchn_port_t port; /* ours; 0: none */
    void *private_data; /* the world's */
};

enum domain_state { DOMAIN_RUNS, DOMAIN_HAS_SHUT_DOWN, DOMAIN_IS_GONE };

struct world {
    /* Maps a domain's ring, dom0's own if domain is 0. 0 or -1. */
    int (*attach)(struct world *w, domid_t domain, uint64_t frame,
                  evtchn_port_t port, struct world_ring *ring, struct error *e);
    void (*detach)(struct world *w, struct world_ring *ring);
    void (*notify)(struct world *w, const struct world_ring *ring);

    /* dom0's own ring: the port at which its kernel listens. 0 or -1. */
    int (*own_port)(struct world *w, evtchn_port_t *port, struct error *e);

    /*
     * For poll(), and how many ports fired since, which may fire again. -1 if
     * that can't be told any more.
     */
    int (*event_fd)(struct world *w);
    int (*events)(struct world *w, evtchn_port_t *ports, unsigned room,
                  struct error *e);

    /* The port that says that some domain has changed its state. */
    evtchn_port_t state_port;

    /*
     * Sets states[id] for all ids; those that are not there are gone. False
     * if nobody can tell.
     */
    bool (*states)(struct world *w, uint8_t states[DOMID_FIRST_RESERVED]);
    void (*close)(struct world *w);
};

/* The real one. NULL with *e, EXIT_STATUS_NO_MICA outside dom0. */
struct world *world_open(struct error *e);
