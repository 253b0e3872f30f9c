/* SPDX-License-Identifier: MIT */
/*
 * Event channels of this process, through /dev/xen/evtchn. Ports belong to
 * the handle: closing it closes them. A port that fired is masked until it is
 * unmasked, so each is reported once. Conventions of error.h.
 */
#pragma once

#include "dom0_tools/lib/error.h"
#include "hypercall_abi/abi.h"

struct event_device;

/* Opens the driver; the descriptor is nonblocking and closed on exec. */
struct event_device *event_device_open(struct error *e);
/* NULL is fine. */
void event_device_close(struct event_device *d);

/* For poll(): readable when a port has fired. */
int event_device_fd(const struct event_device *d);

/* Binds to a port that `domain` keeps open for dom0. 0 with *port, ours. */
int event_device_bind(struct event_device *d, domid_t domain,
                      evtchn_port_t remote, evtchn_port_t *port,
                      struct error *e);

/* Binds a virtual interrupt (VIRQ_*, event_channel.h). 0 with *port. */
int event_device_bind_virq(struct event_device *d, unsigned virq,
                           evtchn_port_t *port, struct error *e);

/* A port of ours that `domain` may bind to. 0 with *port. */
int event_device_bind_unbound(struct event_device *d, domid_t domain,
                              evtchn_port_t *port, struct error *e);

int event_device_unbind(struct event_device *d, evtchn_port_t port,
                        struct error *e);

/* Makes the other end's port pending. */
int event_device_notify(struct event_device *d, evtchn_port_t port,
                        struct error *e);

/*
 * The ports that fired, up to `room` of them. The number, 0 when there is
 * none now, or -1.
 */
int event_device_pending(struct event_device *d, evtchn_port_t *ports,
                         unsigned room, struct error *e);

/* Lets these ports fire again; call it before looking at what they announce. */
int event_device_unmask(struct event_device *d, const evtchn_port_t *ports,
                        unsigned count, struct error *e);
