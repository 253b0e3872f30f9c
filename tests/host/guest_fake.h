/* SPDX-License-Identifier: MIT */
/*
 * Domains for unit tests: vCPUs that share one set of page tables with one
 * page of guest memory, and a way to make hypercalls from it.
 *
 *   fake_boot(1);
 *   d = fake_domain(1, 2);              vCPUs 0 and 1, down
 *   fake_run(d->vcpus[0]);              is current on pCPU fake.cpu
 *   r = fake_call(hc_sched_op, SCHEDOP_block, 0, 0);
 *   r = fake_call_with(hc_event_channel_op, EVTCHNOP_bind_ipi, &op);
 */
#pragma once

#include "core/domain.h"
#include "core/hypercall.h"
#include "core/vcpu.h"

#define FAKE_GUEST_VA 0xffff888000010000ull /* the page; its own is not used */
#define FAKE_BAD_VA 0xffff888000020000ull   /* not mapped */

/* The guest's page, as Mica sees it. */
extern uint8_t *fake_guest_page;
extern mfn_t fake_guest_frame;

struct domain *fake_domain(domid_t id, unsigned vcpus);
void fake_run(struct vcpu *v);
void fake_stop(void);
struct vcpu *fake_pick(void);
long fake_call(hypercall_handler *handler, uint64_t a, uint64_t b, uint64_t c);
long fake_call_bytes(hypercall_handler *handler, uint64_t cmd, void *arg,
                     size_t size);
void fake_guest_set_writable(bool writable);

/* A call whose argument is *op, copied to guest memory and back. */
#define fake_call_with(handler, cmd, op)                                       \
    fake_call_bytes(handler, cmd, op, sizeof(*(op)))
