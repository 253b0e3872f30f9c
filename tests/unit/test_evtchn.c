/* SPDX-License-Identifier: MIT */
/* Event channels: every operation, every refusal, and who is woken when. */
#include <check.h>
#include <stdlib.h>

#include "core/evtchn.h"
#include "core/heap.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "hypercall_abi/sched.h"

#define NOBODY 99

static struct domain *a, *b, *admin;

static void setup(void)
{
    fake_boot(4);
    admin = fake_domain(0, 2);
    admin->is_privileged = true;
    dom0 = admin;
    a = fake_domain(1, 4);
    b = fake_domain(2, 40);
    fake.cpu = 2;
    fake_run(admin->vcpus[0]);
    fake.cpu = 1;
    fake_run(b->vcpus[0]);
    fake.cpu = 0;
    fake_run(a->vcpus[0]);
    for (unsigned i = 0; i < 4; i++)
        pcpus[i].need_resched = false;
}

/* The calls that follow come from vCPU 0 of `d`. */
static void as(struct domain *d)
{
    fake.cpu = d == a ? 0 : d == b ? 1 : 2;
}

static struct vcpu_info *info_of(struct domain *d, unsigned vcpu)
{
    return vcpu_info_of(d->vcpus[vcpu]);
}

static bool upcall_is_pending(struct domain *d, unsigned vcpu)
{
    return info_of(d, vcpu)->evtchn_upcall_pending;
}

static void acknowledge(struct domain *d, evtchn_port_t port)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        info_of(d, i)->evtchn_upcall_pending = 0;
        info_of(d, i)->evtchn_pending_sel = 0;
    }
    bit_clear(d->shared_info->evtchn_pending, port);
}

static long alloc_unbound(domid_t dom, domid_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound_args op = {.dom = dom, .remote_dom = remote};
    long r = fake_call_with(hc_event_channel_op, EVTCHNOP_alloc_unbound, &op);

    *port = op.port;
    return r;
}

static long bind_interdomain(domid_t dom, evtchn_port_t there,
                             evtchn_port_t *here)
{
    struct evtchn_bind_interdomain_args op = {.remote_dom = dom,
                                              .remote_port = there};
    long r =
        fake_call_with(hc_event_channel_op, EVTCHNOP_bind_interdomain, &op);

    *here = op.local_port;
    return r;
}

static long bind_virq(uint32_t virq, uint32_t vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_virq_args op = {.virq = virq, .vcpu = vcpu};
    long r = fake_call_with(hc_event_channel_op, EVTCHNOP_bind_virq, &op);

    *port = op.port;
    return r;
}

static long bind_ipi(uint32_t vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi_args op = {.vcpu = vcpu};
    long r = fake_call_with(hc_event_channel_op, EVTCHNOP_bind_ipi, &op);

    *port = op.port;
    return r;
}

static long bind_pirq(uint32_t pirq, evtchn_port_t *port)
{
    struct evtchn_bind_pirq_args op = {.pirq = pirq};
    long r = fake_call_with(hc_event_channel_op, EVTCHNOP_bind_pirq, &op);

    *port = op.port;
    return r;
}

static long bind_vcpu(evtchn_port_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu_args op = {.port = port, .vcpu = vcpu};

    return fake_call_with(hc_event_channel_op, EVTCHNOP_bind_vcpu, &op);
}

static long close_port(evtchn_port_t port)
{
    struct evtchn_close_args op = {.port = port};

    return fake_call_with(hc_event_channel_op, EVTCHNOP_close, &op);
}

static long send(evtchn_port_t port)
{
    struct evtchn_send_args op = {.port = port};

    return fake_call_with(hc_event_channel_op, EVTCHNOP_send, &op);
}

static long unmask(evtchn_port_t port)
{
    struct evtchn_unmask_args op = {.port = port};

    return fake_call_with(hc_event_channel_op, EVTCHNOP_unmask, &op);
}

static long status(domid_t dom, evtchn_port_t port,
                   struct evtchn_status_args *op)
{
    *op = (struct evtchn_status_args){.dom = dom, .port = port};
    return fake_call_with(hc_event_channel_op, EVTCHNOP_status, op);
}

static uint32_t status_now(evtchn_port_t port)
{
    struct evtchn_status_args op;

    ck_assert_int_eq(status(DOMID_SELF, port, &op), 0);
    return op.status;
}

/* A channel between a (its port *pa) and b (its port *pb). */
static void connect(evtchn_port_t *pa, evtchn_port_t *pb)
{
    as(b);
    ck_assert_int_eq(alloc_unbound(DOMID_SELF, 1, pb), 0);
    as(a);
    ck_assert_int_eq(bind_interdomain(2, *pb, pa), 0);
    acknowledge(a, *pa);
}

START_TEST(test_evtchn_first_port_is_one)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_uint_eq(port, 1);
    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_uint_eq(port, 2);
}
END_TEST

START_TEST(test_evtchn_unbound_status_names_partner)
{
    struct evtchn_status_args op;
    evtchn_port_t port;

    ck_assert_int_eq(alloc_unbound(DOMID_SELF, 2, &port), 0);
    ck_assert_int_eq(status(1, port, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(op.u.unbound.dom, 2);
    ck_assert_int_eq(alloc_unbound(DOMID_SELF, DOMID_SELF, &port), 0);
    ck_assert_int_eq(status(1, port, &op), 0);
    ck_assert_uint_eq(op.u.unbound.dom, 1);
}
END_TEST

START_TEST(test_evtchn_alloc_unbound_for_other_needs_privilege)
{
    struct evtchn_status_args op;
    evtchn_port_t port;

    ck_assert_int_eq(alloc_unbound(2, 1, &port), -EPERM);
    ck_assert_int_eq(alloc_unbound(NOBODY, 1, &port), -EPERM);
    as(admin);
    ck_assert_int_eq(alloc_unbound(NOBODY, 1, &port), -ESRCH);
    ck_assert_int_eq(alloc_unbound(2, DOMID_SELF, &port), 0);
    ck_assert_int_eq(status(2, port, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(op.u.unbound.dom, 0);
    as(b);
    ck_assert_uint_eq(status_now(port), EVTCHNSTAT_unbound);
}
END_TEST

START_TEST(test_evtchn_unwritable_answer_leaves_no_port)
{
    struct evtchn_status_args op;
    evtchn_port_t port;

    fake_guest_set_writable(false);
    ck_assert_int_eq(alloc_unbound(DOMID_SELF, 2, &port), -EFAULT);
    ck_assert_int_eq(bind_ipi(0, &port), -EFAULT);
    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 0, &port), -EFAULT);
    fake_guest_set_writable(true);
    ck_assert_int_eq(status(DOMID_SELF, 1, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_closed);
    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 0, &port), 0);
    ck_assert_uint_eq(port, 1);
}
END_TEST

START_TEST(test_evtchn_unreadable_argument_is_efault)
{
    for (unsigned cmd = 0; cmd <= EVTCHNOP_reset; cmd++)
        ck_assert_int_eq(fake_call(hc_event_channel_op, cmd, FAKE_BAD_VA, 0),
                         -EFAULT);
}
END_TEST

START_TEST(test_evtchn_fifo_and_unknown_commands_are_enosys)
{
    for (unsigned cmd = EVTCHNOP_init_control; cmd < 40; cmd++)
        ck_assert_int_eq(fake_call(hc_event_channel_op, cmd, FAKE_GUEST_VA, 0),
                         -ENOSYS);
    ck_assert_int_eq(fake_call(hc_event_channel_op, ~0ull, 0, 0), -ENOSYS);
}
END_TEST

START_TEST(test_evtchn_interdomain_sends_both_ways)
{
    struct evtchn_status_args op;
    evtchn_port_t pa, pb;

    connect(&pa, &pb);
    ck_assert_uint_eq(b->vcpus[0]->events, 0);
    ck_assert_int_eq(send(pa), 0);
    ck_assert(evtchn_is_pending(b, pb));
    ck_assert_uint_eq(b->vcpus[0]->events, 1);
    ck_assert(upcall_is_pending(b, 0));
    ck_assert(!upcall_is_pending(a, 0));
    ck_assert_uint_eq(info_of(b, 0)->evtchn_pending_sel, 1ull << (pb / 64));
    ck_assert_uint_eq(fake.vcpu_kicks, 1);
    as(b);
    ck_assert_int_eq(send(pb), 0);
    ck_assert(upcall_is_pending(a, 0));
    ck_assert_int_eq(status(DOMID_SELF, pb, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_interdomain);
    ck_assert_uint_eq(op.u.interdomain.dom, 1);
    ck_assert_uint_eq(op.u.interdomain.port, pa);
}
END_TEST

START_TEST(test_evtchn_bind_interdomain_is_pending_at_once)
{
    evtchn_port_t pa, pb;

    as(b);
    ck_assert_int_eq(alloc_unbound(DOMID_SELF, 1, &pb), 0);
    ck_assert_int_eq(send(pb), 0);
    as(a);
    ck_assert_int_eq(bind_interdomain(2, pb, &pa), 0);
    ck_assert(evtchn_is_pending(a, pa));
    ck_assert(!evtchn_is_pending(b, pb));
}
END_TEST

START_TEST(test_evtchn_bind_interdomain_refuses_what_is_not_offered)
{
    evtchn_port_t pa, pb, other;

    connect(&pa, &pb);
    ck_assert_int_eq(bind_interdomain(NOBODY, 1, &other), -ESRCH);
    ck_assert_int_eq(bind_interdomain(2, pb, &other), -EINVAL);
    ck_assert_int_eq(bind_interdomain(2, pb + 1, &other), -EINVAL);
    ck_assert_int_eq(bind_interdomain(2, 0, &other), -EINVAL);
    ck_assert_int_eq(bind_interdomain(2, 4096, &other), -EINVAL);
    ck_assert_int_eq(bind_interdomain(2, ~0u, &other), -EINVAL);
    as(b);
    ck_assert_int_eq(alloc_unbound(DOMID_SELF, 0, &pb), 0);
    as(a);
    ck_assert_int_eq(bind_interdomain(2, pb, &other), -EINVAL);
    ck_assert_int_eq(bind_ipi(0, &other), 0);
    ck_assert_uint_eq(other, pa + 1);
}
END_TEST

START_TEST(test_evtchn_loopback_works_and_closes)
{
    evtchn_port_t one, two;

    ck_assert_int_eq(alloc_unbound(DOMID_SELF, DOMID_SELF, &one), 0);
    ck_assert_int_eq(bind_interdomain(DOMID_SELF, one, &two), 0);
    acknowledge(a, two);
    ck_assert_int_eq(send(one), 0);
    ck_assert(evtchn_is_pending(a, two));
    ck_assert_int_eq(send(two), 0);
    ck_assert(evtchn_is_pending(a, one));
    ck_assert_int_eq(close_port(one), 0);
    ck_assert_uint_eq(status_now(two), EVTCHNSTAT_unbound);
    ck_assert_int_eq(close_port(two), 0);
    ck_assert_uint_eq(status_now(two), EVTCHNSTAT_closed);
}
END_TEST

START_TEST(test_evtchn_close_makes_peer_unbound_for_us)
{
    struct evtchn_status_args op;
    evtchn_port_t pa, pb;

    connect(&pa, &pb);
    ck_assert_int_eq(close_port(pa), 0);
    as(b);
    ck_assert_int_eq(status(DOMID_SELF, pb, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(op.u.unbound.dom, 1);
    ck_assert_int_eq(send(pb), 0);
    as(a);
    ck_assert_int_eq(bind_interdomain(2, pb, &pa), 0);
    as(b); /* the higher domid closes: locks in the other order */
    ck_assert_int_eq(close_port(pb), 0);
    as(a);
    ck_assert_uint_eq(status_now(pa), EVTCHNSTAT_unbound);
    ck_assert_uint_eq(a->refs, 1);
    ck_assert_uint_eq(b->refs, 1);
    ck_assert_uint_eq(a->event_lock.next, a->event_lock.serving);
    ck_assert_uint_eq(b->event_lock.next, b->event_lock.serving);
}
END_TEST

START_TEST(test_evtchn_close_refuses_what_is_not_open)
{
    ck_assert_int_eq(close_port(0), -EINVAL);
    ck_assert_int_eq(close_port(1), -EINVAL);
    ck_assert_int_eq(close_port(4095), -EINVAL);
    ck_assert_int_eq(close_port(4096), -EINVAL);
    ck_assert_int_eq(close_port(~0u), -EINVAL);
}
END_TEST

START_TEST(test_evtchn_closed_port_is_reused_clean)
{
    evtchn_port_t port, again;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_int_eq(send(port), 0);
    ck_assert(evtchn_is_pending(a, port));
    ck_assert_int_eq(close_port(port), 0);
    ck_assert(!evtchn_is_pending(a, port));
    ck_assert_int_eq(bind_ipi(0, &again), 0);
    ck_assert_uint_eq(again, port);
}
END_TEST

START_TEST(test_evtchn_refused_bind_leaves_the_argument)
{
    struct evtchn_bind_interdomain_args op = {
        .remote_dom = 2, .remote_port = 9, .local_port = 77};

    ck_assert_int_eq(
        fake_call_with(hc_event_channel_op, EVTCHNOP_bind_interdomain, &op),
        -EINVAL);
    ck_assert_uint_eq(op.local_port, 77);
}
END_TEST

START_TEST(test_evtchn_ports_run_out_at_4095)
{
    evtchn_port_t port;

    for (unsigned i = 1; i < EVTCHN_PORTS; i++) {
        ck_assert_int_eq(bind_ipi(0, &port), 0);
        ck_assert_uint_eq(port, i);
    }
    ck_assert_int_eq(bind_ipi(0, &port), -ENOSPC);
    ck_assert_int_eq(alloc_unbound(DOMID_SELF, 2, &port), -ENOSPC);
    ck_assert_int_eq(send(4095), 0);
    ck_assert_uint_eq(info_of(a, 0)->evtchn_pending_sel, 1ull << 63);
    ck_assert_int_eq(close_port(1000), 0);
    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_uint_eq(port, 1000);
}
END_TEST

START_TEST(test_evtchn_ports_end_at_the_limit)
{
    evtchn_port_t port;

    evtchn_set_limit(a, 2);
    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_int_eq(bind_ipi(0, &port), -ENOSPC);
    ck_assert_int_eq(close_port(1), 0);
    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_uint_eq(port, 1);
    evtchn_set_limit(a, ~0u);
    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_uint_eq(port, 3);
}
END_TEST

START_TEST(test_evtchn_ipi_reaches_its_vcpu_only)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(4, &port), -ENOENT);
    ck_assert_int_eq(bind_ipi(~0u, &port), -ENOENT);
    ck_assert_int_eq(bind_ipi(3, &port), 0);
    ck_assert_int_eq(send(port), 0);
    ck_assert(upcall_is_pending(a, 3));
    ck_assert(!upcall_is_pending(a, 0));
    ck_assert_int_eq(bind_vcpu(port, 0), -EINVAL);
}
END_TEST

START_TEST(test_evtchn_masked_port_is_pending_without_upcall)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    bit_set(a->shared_info->evtchn_mask, port);
    ck_assert_int_eq(send(port), 0);
    ck_assert(evtchn_is_pending(a, port));
    ck_assert(!upcall_is_pending(a, 0));
    ck_assert_uint_eq(info_of(a, 0)->evtchn_pending_sel, 0);
    ck_assert_int_eq(unmask(port), 0);
    ck_assert(!bit_test(a->shared_info->evtchn_mask, port));
    ck_assert(upcall_is_pending(a, 0));
    ck_assert_uint_eq(info_of(a, 0)->evtchn_pending_sel, 1);
}
END_TEST

START_TEST(test_evtchn_unmask_of_quiet_port_does_nothing)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    bit_set(a->shared_info->evtchn_mask, port);
    ck_assert_int_eq(unmask(port), 0);
    ck_assert(!upcall_is_pending(a, 0));
    ck_assert_int_eq(unmask(port + 1), -EINVAL);
    ck_assert_int_eq(unmask(0), -EINVAL);
    ck_assert_int_eq(unmask(5000), -EINVAL);
}
END_TEST

START_TEST(test_evtchn_pending_port_is_not_announced_twice)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_int_eq(send(port), 0);
    info_of(a, 0)->evtchn_upcall_pending = 0;
    info_of(a, 0)->evtchn_pending_sel = 0;
    ck_assert_int_eq(send(port), 0);
    ck_assert(!upcall_is_pending(a, 0));
    bit_clear(a->shared_info->evtchn_pending, port);
    ck_assert_int_eq(send(port), 0);
    ck_assert(upcall_is_pending(a, 0));
}
END_TEST

START_TEST(test_evtchn_second_port_of_a_word_sets_no_second_upcall)
{
    evtchn_port_t one, two;

    ck_assert_int_eq(bind_ipi(0, &one), 0);
    ck_assert_int_eq(bind_ipi(0, &two), 0);
    ck_assert_int_eq(send(one), 0);
    info_of(a, 0)->evtchn_upcall_pending = 0; /* but not yet the selector */
    ck_assert_int_eq(send(two), 0);
    ck_assert(evtchn_is_pending(a, two));
    ck_assert(!upcall_is_pending(a, 0));
}
END_TEST

START_TEST(test_evtchn_virq_per_vcpu)
{
    struct evtchn_status_args op;
    evtchn_port_t first, second;

    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 0, &first), 0);
    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 1, &second), 0);
    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 0, &second), -EEXIST);
    ck_assert_int_eq(status(DOMID_SELF, 2, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_virq);
    ck_assert_uint_eq(op.vcpu, 1);
    ck_assert_uint_eq(op.u.virq, VIRQ_TIMER);
    evtchn_raise_virq(a->vcpus[1], VIRQ_TIMER);
    ck_assert(evtchn_is_pending(a, 2));
    ck_assert(!evtchn_is_pending(a, 1));
    ck_assert(upcall_is_pending(a, 1));
    evtchn_raise_virq(a->vcpus[2], VIRQ_TIMER);
    ck_assert(!upcall_is_pending(a, 2));
    ck_assert_int_eq(bind_vcpu(first, 1), -EINVAL);
    ck_assert_int_eq(send(first), -EINVAL);
    ck_assert_int_eq(close_port(first), 0);
    evtchn_raise_virq(a->vcpus[0], VIRQ_TIMER);
    ck_assert(!evtchn_is_pending(a, first));
    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 0, &first), 0);
}
END_TEST

START_TEST(test_evtchn_virq_global_is_for_the_administrator)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_virq(VIRQ_CONSOLE, 0, &port), -EPERM);
    as(admin);
    ck_assert_int_eq(bind_virq(VIRQ_CONSOLE, 1, &port), -EINVAL);
    ck_assert_int_eq(bind_virq(VIRQ_CONSOLE, 2, &port), -ENOENT);
    ck_assert_int_eq(bind_virq(NR_VIRQS, 0, &port), -EINVAL);
    ck_assert_int_eq(bind_virq(~0u, 0, &port), -EINVAL);
    ck_assert_int_eq(bind_virq(VIRQ_CONSOLE, 0, &port), 0);
    ck_assert_int_eq(bind_virq(VIRQ_MCA, 0, &port), 0);
    ck_assert_int_eq(bind_virq(VIRQ_CONSOLE, 0, &port), -EEXIST);
    evtchn_raise_global_virq(admin, VIRQ_CONSOLE);
    ck_assert(upcall_is_pending(admin, 0));
    acknowledge(admin, 1);
    ck_assert_int_eq(bind_vcpu(1, 1), 0);
    evtchn_raise_global_virq(admin, VIRQ_CONSOLE);
    ck_assert(upcall_is_pending(admin, 1));
    ck_assert(!upcall_is_pending(admin, 0));
    evtchn_raise_global_virq(admin, VIRQ_DOM_EXC);
}
END_TEST

START_TEST(test_evtchn_pirq_needs_permission)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_pirq(9, &port), -EPERM);
    ck_assert_int_eq(bind_pirq(MAX_PIRQS, &port), -EINVAL);
    ck_assert_int_eq(bind_pirq(~0u, &port), -EINVAL);
    ck_assert(!fake.pirq_unmasked[9]);
    bit_set(a->irqs, 9);
    ck_assert_int_eq(bind_pirq(9, &port), 0);
    ck_assert_uint_eq(port, 1);
    ck_assert_int_eq(bind_pirq(9, &port), -EEXIST);
}
END_TEST

START_TEST(test_evtchn_pirq_of_others_stays_as_dom0_has_it)
{
    evtchn_port_t port;

    bit_set(a->irqs, 9);
    bit_set(a->irqs, 10);
    ck_assert_int_eq(bind_pirq(10, &port), 0);
    ck_assert(!fake.pirq_unmasked[10]);
    as(admin);
    ck_assert_int_eq(bind_pirq(9, &port), 0);
    as(a);
    ck_assert_int_eq(bind_pirq(9, &port), 0);
    ck_assert_int_eq(close_port(port), 0);
    ck_assert(fake.pirq_unmasked[9]);
}
END_TEST

START_TEST(test_evtchn_pirq_raised_until_closed)
{
    struct evtchn_status_args op;
    evtchn_port_t port;

    as(admin);
    evtchn_raise_pirq(admin, 16);
    ck_assert(!upcall_is_pending(admin, 0));
    ck_assert_int_eq(bind_pirq(16, &port), 0);
    evtchn_raise_pirq(admin, 16);
    ck_assert(upcall_is_pending(admin, 0));
    ck_assert_int_eq(status(DOMID_SELF, port, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_pirq);
    ck_assert_uint_eq(op.u.pirq, 16);
    acknowledge(admin, port);
    ck_assert_int_eq(bind_vcpu(port, 1), 0);
    evtchn_raise_pirq(admin, 16);
    ck_assert(upcall_is_pending(admin, 1));
    ck_assert_int_eq(close_port(port), 0);
    ck_assert(!fake.pirq_unmasked[16]);
    acknowledge(admin, port);
    evtchn_raise_pirq(admin, 16);
    ck_assert(!upcall_is_pending(admin, 1));
}
END_TEST

START_TEST(test_evtchn_bind_vcpu_moves_notification)
{
    evtchn_port_t pa, pb;

    connect(&pa, &pb);
    as(b);
    ck_assert_int_eq(bind_vcpu(pb, 40), -ENOENT);
    ck_assert_int_eq(bind_vcpu(pb + 1, 3), -EINVAL);
    ck_assert_int_eq(bind_vcpu(pb, 3), 0);
    as(a);
    ck_assert_int_eq(send(pa), 0);
    ck_assert(upcall_is_pending(b, 3));
    ck_assert(!upcall_is_pending(b, 0));
}
END_TEST

START_TEST(test_evtchn_vcpu_without_place_gets_events_harmlessly)
{
    evtchn_port_t port;

    as(b);
    ck_assert_int_eq(bind_ipi(39, &port), 0);
    ck_assert_int_eq(send(port), 0);
    ck_assert_ptr_eq(info_of(b, 39), &b->vcpus[39]->own_info);
    ck_assert(upcall_is_pending(b, 39));
    ck_assert_uint_eq(info_of(b, 39)->evtchn_upcall_mask, 1);
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        ck_assert(!b->shared_info->vcpu_info[i].evtchn_upcall_pending);
}
END_TEST

START_TEST(test_evtchn_status_of_other_needs_privilege)
{
    struct evtchn_status_args op;

    ck_assert_int_eq(status(2, 1, &op), -EPERM);
    ck_assert_int_eq(status(NOBODY, 1, &op), -EPERM);
    ck_assert_int_eq(status(DOMID_SELF, 0, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_closed);
    ck_assert_int_eq(status(DOMID_SELF, 4096, &op), -EINVAL);
    as(admin);
    ck_assert_int_eq(status(2, 1, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_closed);
}
END_TEST

START_TEST(test_evtchn_reset_closes_everything)
{
    struct evtchn_reset_args op = {.dom = 2};
    evtchn_port_t pa, pb, virq;

    connect(&pa, &pb);
    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 0, &virq), 0);
    ck_assert_int_eq(fake_call_with(hc_event_channel_op, EVTCHNOP_reset, &op),
                     -EPERM);
    op.dom = DOMID_SELF;
    ck_assert_int_eq(fake_call_with(hc_event_channel_op, EVTCHNOP_reset, &op),
                     0);
    ck_assert_uint_eq(status_now(pa), EVTCHNSTAT_closed);
    ck_assert_uint_eq(status_now(virq), EVTCHNSTAT_closed);
    ck_assert_uint_eq(a->vcpus[0]->virq_port[VIRQ_TIMER], 0);
    ck_assert_int_eq(bind_ipi(0, &pa), 0);
    as(b);
    ck_assert_uint_eq(status_now(pb), EVTCHNSTAT_unbound);
}
END_TEST

START_TEST(test_evtchn_close_all_goes_on_where_it_stopped)
{
    evtchn_port_t port;
    unsigned calls = 1;

    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(bind_ipi(0, &port), 0);
    fake.now += NSEC_PER_SEC;
    this_pcpu()->entered_at = fake.now - NSEC_PER_SEC; /* no time left */
    while (evtchn_close_all(a) == -ERESTART)
        calls++;
    ck_assert_uint_ge(calls, 100);
    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_uint_eq(port, 1);
}
END_TEST

/* Its id may be another's when a call for it goes on. */
START_TEST(test_evtchn_reset_that_goes_on_means_the_same_domain)
{
    struct evtchn_reset_args op = {.dom = a->id};
    uint64_t restarted[2];
    evtchn_port_t first, last;

    ck_assert_int_eq(bind_ipi(0, &first), 0);
    ck_assert_int_eq(bind_ipi(0, &last), 0);
    as(admin);
    pcpus[2].need_resched = true;
    ck_assert_int_eq(fake_call_with(hc_event_channel_op, EVTCHNOP_reset, &op),
                     HC_event_channel_op);
    pcpus[2].need_resched = false;
    memcpy(restarted, fake.restart_args, sizeof(restarted));
    a->serial++;
    ck_assert_int_eq(
        fake_call(hc_event_channel_op, restarted[0], restarted[1], 0), -ESRCH);
    ck_assert_uint_eq(a->refs, 1);
    as(a);
    ck_assert_uint_eq(status_now(first), EVTCHNSTAT_closed);
    ck_assert_uint_eq(status_now(last), EVTCHNSTAT_ipi);
    a->serial--;
    as(admin);
    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(
        fake_call(hc_event_channel_op, restarted[0], restarted[1], 0), 0);
    as(a);
    ck_assert_uint_eq(status_now(last), EVTCHNSTAT_closed);
}
END_TEST

START_TEST(test_evtchn_with_forged_restart_harms_nobody)
{
    struct evtchn_reset_args op = {.dom = b->id};

    memcpy(fake_guest_page, &op, sizeof(op));
    for (unsigned cmd = 0; cmd <= EVTCHNOP_reset; cmd++)
        ck_assert_int_eq(fake_call(hc_event_channel_op, cmd | UINT64_MAX << 32,
                                   FAKE_BAD_VA, 0),
                         -EFAULT);
    ck_assert_int_eq(fake_call(hc_event_channel_op,
                               EVTCHNOP_reset | b->serial << 32, FAKE_GUEST_VA,
                               0),
                     -EPERM);
}
END_TEST

/* --- sleeping and polling ------------------------------------------------ */

static long poll(const evtchn_port_t *ports, uint32_t count, uint64_t timeout)
{
    struct sched_poll_args op = {
        .ports = {FAKE_GUEST_VA + 1024}, .nr_ports = count, .timeout = timeout};

    if (count && count <= 200)
        memcpy(fake_guest_page + 1024, ports, count * sizeof(*ports));
    return fake_call_with(hc_sched_op, SCHEDOP_poll, &op);
}

START_TEST(test_evtchn_wakes_blocked_vcpu_elsewhere)
{
    evtchn_port_t pa, pb;

    connect(&pa, &pb);
    as(b);
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_block, 0, 0), 0);
    ck_assert_ptr_null(fake_pick());
    ck_assert_int_eq(b->vcpus[0]->state, VCPU_BLOCKED);
    as(a);
    ck_assert_int_eq(send(pa), 0);
    ck_assert_int_eq(b->vcpus[0]->state, VCPU_RUNNABLE);
    ck_assert(pcpus[1].need_resched);
    ck_assert_uint_eq(fake.kicks[1], 1);
    as(b);
    ck_assert_ptr_eq(fake_pick(), b->vcpus[0]);
}
END_TEST

START_TEST(test_evtchn_masked_event_does_not_wake_blocked_vcpu)
{
    evtchn_port_t pa, pb;

    connect(&pa, &pb);
    bit_set(b->shared_info->evtchn_mask, pb);
    as(b);
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_block, 0, 0), 0);
    ck_assert_ptr_null(fake_pick());
    as(a);
    ck_assert_int_eq(send(pa), 0);
    ck_assert_int_eq(b->vcpus[0]->state, VCPU_BLOCKED);
}
END_TEST

START_TEST(test_evtchn_block_with_pending_event_does_not_sleep)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    ck_assert_int_eq(send(port), 0);
    ck_assert_uint_eq(info_of(a, 0)->evtchn_upcall_mask, 1);
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_block, 0, 0), 0);
    ck_assert_uint_eq(info_of(a, 0)->evtchn_upcall_mask, 0);
    ck_assert_int_eq(a->vcpus[0]->state, VCPU_RUNNING);
    ck_assert_ptr_eq(fake_pick(), a->vcpus[0]);
}
END_TEST

START_TEST(test_evtchn_poll_returns_at_once_for_pending_port)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    bit_set(a->shared_info->evtchn_mask, port);
    ck_assert_int_eq(send(port), 0);
    ck_assert_int_eq(poll(&port, 1, 0), 0);
    ck_assert_int_eq(a->vcpus[0]->state, VCPU_RUNNING);
    ck_assert_uint_eq(a->pollers[0], 0);
}
END_TEST

START_TEST(test_evtchn_poll_is_woken_by_masked_port)
{
    evtchn_port_t pa, pb;

    connect(&pa, &pb);
    bit_set(b->shared_info->evtchn_mask, pb);
    as(b);
    ck_assert_int_eq(poll(&pb, 1, 0), 0);
    ck_assert_int_eq(b->vcpus[0]->state, VCPU_BLOCKED);
    ck_assert_uint_eq(info_of(b, 0)->evtchn_upcall_mask, 1);
    ck_assert_ptr_null(fake_pick());
    as(a);
    ck_assert_int_eq(send(pa), 0);
    ck_assert_int_eq(b->vcpus[0]->state, VCPU_RUNNABLE);
    ck_assert_uint_eq(b->pollers[0], 0);
}
END_TEST

START_TEST(test_evtchn_poll_woken_before_it_left_its_pcpu)
{
    evtchn_port_t pa, pb;

    connect(&pa, &pb);
    bit_set(b->shared_info->evtchn_mask, pb);
    as(b);
    ck_assert_int_eq(poll(&pb, 1, 0), 0);
    as(a);
    ck_assert_int_eq(send(pa), 0);
    ck_assert_int_eq(b->vcpus[0]->state, VCPU_RUNNING);
    as(b);
    ck_assert_ptr_eq(fake_pick(), b->vcpus[0]);
}
END_TEST

START_TEST(test_evtchn_poll_of_one_sleeps_through_other_masked_ports)
{
    evtchn_port_t pa, pb, quiet;

    connect(&pa, &pb);
    bit_set(b->shared_info->evtchn_mask, pb);
    as(b);
    ck_assert_int_eq(bind_ipi(0, &quiet), 0);
    ck_assert_int_eq(poll(&quiet, 1, 0), 0);
    as(a);
    ck_assert_int_eq(send(pa), 0);
    ck_assert_int_eq(b->vcpus[0]->state, VCPU_BLOCKED);
}
END_TEST

START_TEST(test_evtchn_poll_ends_for_a_due_upcall)
{
    evtchn_port_t quiet, loud;

    ck_assert_int_eq(bind_ipi(0, &quiet), 0);
    ck_assert_int_eq(bind_ipi(0, &loud), 0);
    info_of(a, 0)->evtchn_upcall_mask = 0;
    ck_assert_int_eq(send(loud), 0);
    ck_assert_int_eq(poll(&quiet, 1, 0), 0);
    ck_assert_int_eq(a->vcpus[0]->state, VCPU_RUNNING);
}
END_TEST

START_TEST(test_evtchn_poll_times_out)
{
    evtchn_port_t port;

    ck_assert_int_eq(bind_ipi(0, &port), 0);
    vcpu_set_period(a->vcpus[0], 0);
    ck_assert_int_eq(poll(&port, 1, fake.now + 50), 0);
    ck_assert_ptr_null(fake_pick());
    ck_assert_uint_eq(fake.timer[0], fake.now + 50);
    fake.now += 50;
    timers_run(fake.now);
    ck_assert_int_eq(a->vcpus[0]->state, VCPU_RUNNABLE);
    ck_assert_ptr_eq(fake_pick(), a->vcpus[0]);
    ck_assert_uint_eq(a->pollers[0], 0);
}
END_TEST

START_TEST(test_evtchn_poll_cancels_its_time_out)
{
    evtchn_port_t ports[2], there;

    ck_assert_int_eq(bind_ipi(0, &ports[0]), 0);
    connect(&ports[1], &there);
    ck_assert_int_eq(poll(ports, 2, fake.now + 50), 0);
    ck_assert_ptr_null(fake_pick());
    evtchn_raise_virq(a->vcpus[0], VIRQ_TIMER);
    ck_assert_int_eq(a->vcpus[0]->state, VCPU_BLOCKED);
    as(b);
    ck_assert_int_eq(send(there), 0);
    ck_assert_int_eq(a->vcpus[0]->state, VCPU_RUNNABLE);
    ck_assert(!timer_is_armed(&a->vcpus[0]->wake_timer));
}
END_TEST

START_TEST(test_evtchn_poll_refuses_bad_ports)
{
    evtchn_port_t port = 4096, many[129] = {0};

    ck_assert_int_eq(poll(&port, 1, 0), -EINVAL);
    ck_assert_int_eq(poll(many, 129, 0), -EINVAL);
    ck_assert_int_eq(poll(many, ~0u, 0), -EINVAL);
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_poll, FAKE_BAD_VA, 0),
                     -EFAULT);
    ck_assert_int_eq(a->vcpus[0]->state, VCPU_RUNNING);
}
END_TEST

/* --- the end of a domain ------------------------------------------------- */

START_TEST(test_evtchn_dying_domain_leaves_no_trace)
{
    evtchn_port_t pa, pb, other;

    connect(&pa, &pb);
    as(b);
    ck_assert_int_eq(bind_virq(VIRQ_TIMER, 39, &other), 0);
    fake_stop();
    as(admin);
    domain_begin_death(b);
    ck_assert_int_eq(alloc_unbound(2, 0, &other), -ESRCH);
    ck_assert_int_eq(domain_release_events(b), 0);
    as(a);
    ck_assert_uint_eq(status_now(pa), EVTCHNSTAT_unbound);
    ck_assert_int_eq(send(pa), 0);
    as(admin);
    ck_assert_int_eq(domain_end_death(b), 0);
    as(a);
    ck_assert_int_eq(bind_interdomain(2, pb, &other), -ESRCH);
    ck_assert_int_eq(close_port(pa), 0);
}
END_TEST

START_TEST(test_evtchn_random_operations_keep_ends_joined)
{
    static const unsigned steps = 20000;
    struct port_info here, there;

    srand(4);
    for (unsigned i = 0; i < steps; i++) {
        struct domain *d = rand() % 2 ? a : b, *e = d == a ? b : a;
        evtchn_port_t port = 1 + (evtchn_port_t)(rand() % 30), out;

        as(d);
        switch (rand() % 5) {
        case 0:
            (void)alloc_unbound(DOMID_SELF, rand() % 2 ? d->id : e->id, &out);
            break;
        case 1:
            (void)bind_interdomain(rand() % 2 ? d->id : e->id, port, &out);
            break;
        case 2:
        case 3:
            (void)close_port(port);
            break;
        default:
            (void)send(port);
            break;
        }
        ck_assert_int_eq(evtchn_get_info(d, port, &here), 0);
        if (here.state != PORT_INTERDOMAIN)
            continue;
        e = here.remote_domain == a->id ? a : b;
        ck_assert_int_eq(evtchn_get_info(e, here.remote_port, &there), 0);
        ck_assert_int_eq(there.state, PORT_INTERDOMAIN);
        ck_assert_uint_eq(there.remote_domain, d->id);
        ck_assert_uint_eq(there.remote_port, port);
    }
    ck_assert_int_eq(evtchn_close_all(a), 0);
    for (evtchn_port_t port = 1; port < 100; port++) {
        ck_assert_int_eq(evtchn_get_info(b, port, &there), 0);
        ck_assert(there.state != PORT_INTERDOMAIN ||
                  there.remote_domain == b->id);
    }
}
END_TEST

static TCase *ports_case(void)
{
    TCase *tc = tcase_create("ports");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_evtchn_first_port_is_one);
    tcase_add_test(tc, test_evtchn_unbound_status_names_partner);
    tcase_add_test(tc, test_evtchn_alloc_unbound_for_other_needs_privilege);
    tcase_add_test(tc, test_evtchn_unwritable_answer_leaves_no_port);
    tcase_add_test(tc, test_evtchn_unreadable_argument_is_efault);
    tcase_add_test(tc, test_evtchn_fifo_and_unknown_commands_are_enosys);
    tcase_add_test(tc, test_evtchn_interdomain_sends_both_ways);
    tcase_add_test(tc, test_evtchn_bind_interdomain_is_pending_at_once);
    tcase_add_test(tc,
                   test_evtchn_bind_interdomain_refuses_what_is_not_offered);
    tcase_add_test(tc, test_evtchn_loopback_works_and_closes);
    tcase_add_test(tc, test_evtchn_close_makes_peer_unbound_for_us);
    tcase_add_test(tc, test_evtchn_close_refuses_what_is_not_open);
    tcase_add_test(tc, test_evtchn_closed_port_is_reused_clean);
    tcase_add_test(tc, test_evtchn_refused_bind_leaves_the_argument);
    tcase_add_test(tc, test_evtchn_ports_run_out_at_4095);
    tcase_add_test(tc, test_evtchn_ports_end_at_the_limit);
    tcase_add_test(tc, test_evtchn_ipi_reaches_its_vcpu_only);
    tcase_add_test(tc, test_evtchn_masked_port_is_pending_without_upcall);
    tcase_add_test(tc, test_evtchn_unmask_of_quiet_port_does_nothing);
    tcase_add_test(tc, test_evtchn_pending_port_is_not_announced_twice);
    tcase_add_test(tc, test_evtchn_second_port_of_a_word_sets_no_second_upcall);
    tcase_add_test(tc, test_evtchn_virq_per_vcpu);
    tcase_add_test(tc, test_evtchn_virq_global_is_for_the_administrator);
    tcase_add_test(tc, test_evtchn_pirq_needs_permission);
    tcase_add_test(tc, test_evtchn_pirq_of_others_stays_as_dom0_has_it);
    tcase_add_test(tc, test_evtchn_pirq_raised_until_closed);
    tcase_add_test(tc, test_evtchn_bind_vcpu_moves_notification);
    tcase_add_test(tc, test_evtchn_vcpu_without_place_gets_events_harmlessly);
    tcase_add_test(tc, test_evtchn_status_of_other_needs_privilege);
    tcase_add_test(tc, test_evtchn_reset_closes_everything);
    tcase_add_test(tc, test_evtchn_close_all_goes_on_where_it_stopped);
    tcase_add_test(tc, test_evtchn_reset_that_goes_on_means_the_same_domain);
    tcase_add_test(tc, test_evtchn_with_forged_restart_harms_nobody);
    return tc;
}

static TCase *waiting_case(void)
{
    TCase *tc = tcase_create("waiting");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_evtchn_wakes_blocked_vcpu_elsewhere);
    tcase_add_test(tc, test_evtchn_masked_event_does_not_wake_blocked_vcpu);
    tcase_add_test(tc, test_evtchn_block_with_pending_event_does_not_sleep);
    tcase_add_test(tc, test_evtchn_poll_returns_at_once_for_pending_port);
    tcase_add_test(tc, test_evtchn_poll_is_woken_by_masked_port);
    tcase_add_test(tc, test_evtchn_poll_woken_before_it_left_its_pcpu);
    tcase_add_test(tc,
                   test_evtchn_poll_of_one_sleeps_through_other_masked_ports);
    tcase_add_test(tc, test_evtchn_poll_ends_for_a_due_upcall);
    tcase_add_test(tc, test_evtchn_poll_times_out);
    tcase_add_test(tc, test_evtchn_poll_cancels_its_time_out);
    tcase_add_test(tc, test_evtchn_poll_refuses_bad_ports);
    tcase_add_test(tc, test_evtchn_dying_domain_leaves_no_trace);
    tcase_add_test(tc, test_evtchn_random_operations_keep_ends_joined);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("evtchn");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, ports_case());
    suite_add_tcase(suite, waiting_case());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
