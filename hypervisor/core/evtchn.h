/* SPDX-License-Identifier: MIT */
/*
 * Event channels, two-level ABI: the state of each port, and the way from an
 * event to the bits that the guest reads.
 *
 * A port is free, or reserved for a call under way, or bound. The domain's
 * event_lock guards the states; an interdomain channel changes under the locks
 * of both its domains, so either lock keeps it as it is. A port's vCPU and the
 * bindings of virtual interrupts are also read without a lock: raising one
 * takes no lock of a domain and may be done with any of them held.
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
    PORT_RESERVED,
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

/* A port number above 0, or an error. */
must_check int evtchn_reserve(struct domain *d, const struct port_info *what);
void evtchn_unreserve(struct domain *d, evtchn_port_t port);
must_check int evtchn_publish(struct domain *d, evtchn_port_t port,
                              const struct port_info *what);
must_check int evtchn_close(struct domain *d, evtchn_port_t port);
must_check int evtchn_close_all(struct domain *d);
void evtchn_refuse_new(struct domain *d);
must_check int evtchn_send(struct domain *d, evtchn_port_t port);
must_check int evtchn_unmask(struct domain *d, evtchn_port_t port);
must_check int evtchn_set_vcpu(struct domain *d, evtchn_port_t port,
                               unsigned vcpu);
must_check int evtchn_get_info(struct domain *d, evtchn_port_t port,
                               struct port_info *out);

bool evtchn_virq_is_global(unsigned virq);
bool evtchn_is_pending(const struct domain *d, evtchn_port_t port);
void evtchn_mark_all_pending(struct vcpu *v);
void evtchn_raise_virq(struct vcpu *v, unsigned virq);
void evtchn_raise_global_virq(struct domain *d, unsigned virq);
bool evtchn_raise_pirq(struct domain *d, unsigned pirq);
