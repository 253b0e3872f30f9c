/* SPDX-License-Identifier: MIT */
/*
 * What the daemon needs of the hypervisor: domains' console rings in its
 * memory, events to and from them, and which domains there are. The rest of
 * the daemon knows it only by this table, which tests fill with their own.
 */
#pragma once

#include "dom0_tools/lib/control_domain.h"
#include "ring_buffers/console.h"

/* A ring that is mapped, and our end of its event channel. */
struct hypervisor_ring {
    struct xencons_interface *page;
    evtchn_port_t port; /* ours */
    bool is_by_grant;
};

enum hypervisor_answer {
    HYPERVISOR_SILENT, /* it could not be asked */
    DOMAIN_IS_THERE,
    DOMAIN_HAS_GONE, /* or is being destroyed */
};

struct hypervisor {
    /* Maps a domain's ring and binds to its port. 0 or -1. */
    int (*attach)(struct hypervisor *h, domid_t domain, uint64_t frame,
                  evtchn_port_t port, struct hypervisor_ring *ring,
                  struct error *e);
    void (*detach)(struct hypervisor *h, struct hypervisor_ring *ring);
    void (*notify)(struct hypervisor *h, const struct hypervisor_ring *ring);

    /*
     * For poll(); how many ports fired since, each silent until unmasked. -1
     * if that can't be told any more.
     */
    int (*event_fd)(struct hypervisor *h);
    int (*events)(struct hypervisor *h, evtchn_port_t *ports, unsigned room,
                  struct error *e);
    void (*unmask)(struct hypervisor *h, evtchn_port_t port);

    /* Whether there is such a domain, and its handle, which no other has. */
    enum hypervisor_answer (*find)(struct hypervisor *h, domid_t domain,
                                   uint8_t handle[CONTROL_HANDLE_SIZE]);
    void (*close)(struct hypervisor *h);
};

/* The real one. NULL with *e, EXIT_STATUS_NO_MICA outside dom0. */
struct hypervisor *hypervisor_open(struct error *e);
