/* SPDX-License-Identifier: MIT */
/*
 * Event channels, two-level ABI: the state of each port, and the way from an
 * event to the bits that the guest reads.
 *
 * Ports are bound and closed one at a time in the whole machine, under a lock
 * of this module's, so whoever does that knows the ends of a channel. What is
 * said of a port changes under the event_lock of its domain as well, an
 * interdomain channel under those of both, so either lock keeps it as it is. A
 * port's vCPU and the bindings of virtual interrupts are also read without a
 * lock: raising one takes no lock of a domain and may be done with any of them
 * held.
 *
 * A domain that raises an event owns a reference to, or otherwise keeps, the
 * domain that gets it; a bound interdomain channel does that by itself, since
 * a dying domain closes its ports first.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/event_channel.h"

#define EVTCHN_PORTS EVTCHN_2L_NR_CHANNELS
#define MAX_PIRQS 1024u

struct domain;
struct vcpu;

enum port_state {
    PORT_FREE,
    PORT_UNBOUND,
    PORT_INTERDOMAIN,
    PORT_VIRQ,
    PORT_IPI,
    PORT_PIRQ,
};

/* What a port is. */
struct port_info {
    uint8_t state;             /* enum port_state */
    domid_t remote_domain;     /* unbound: who may bind; interdomain */
    uint32_t vcpu;             /* atomic: whom it notifies */
    evtchn_port_t remote_port; /* interdomain */
    uint32_t irq;              /* VIRQ or PIRQ */
    struct domain *peer;       /* interdomain: remote_domain */
};

must_check int evtchn_create(struct domain *d);
void evtchn_destroy(struct domain *d);
void evtchn_set_limit(struct domain *d, evtchn_port_t last);

must_check int evtchn_close_all(struct domain *d);
void evtchn_refuse_new(struct domain *d);
must_check int evtchn_get_info(struct domain *d, evtchn_port_t port,
                               struct port_info *out);

bool evtchn_is_pending(const struct domain *d, evtchn_port_t port);
void evtchn_mark_all_pending(struct vcpu *v);
void evtchn_raise_virq(struct vcpu *v, unsigned virq);
void evtchn_raise_global_virq(struct domain *d, unsigned virq);
void evtchn_raise_pirq(struct domain *d, unsigned pirq);
