/* SPDX-License-Identifier: MIT */
/* Event channels of the two-level ABI, upcalls, and how a vCPU waits. */
#include "clock.h"
#include "memory.h"
#include "trap.h"

#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"

#define ENOENT 2
#define ESRCH 3
#define EEXIST 17
#define EINVAL 22
#define ENOSYS 38
#define ETIME 62

const char guest_name[] = "events";

void guest_init(void)
{
}

/* ---- bits --------------------------------------------------------------- */

static uint64_t bit(evtchn_port_t port)
{
    return 1ul << (port & 63);
}

static bool is_pending(evtchn_port_t port)
{
    return __atomic_load_n(&shared_info->evtchn_pending[port / 64],
                           __ATOMIC_SEQ_CST) &
           bit(port);
}

static void set_mask(evtchn_port_t port)
{
    __atomic_or_fetch(&shared_info->evtchn_mask[port / 64], bit(port),
                      __ATOMIC_SEQ_CST);
}

static void clear_mask(evtchn_port_t port)
{
    __atomic_and_fetch(&shared_info->evtchn_mask[port / 64], ~bit(port),
                       __ATOMIC_SEQ_CST);
}

/* As a kernel does it on an upcall. */
static void clear_all(void)
{
    __atomic_store_n(&vcpu_info()->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vcpu_info()->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 64; i++)
        __atomic_store_n(&shared_info->evtchn_pending[i], 0, __ATOMIC_SEQ_CST);
}

static bool upcall_is_due(void)
{
    return __atomic_load_n(&vcpu_info()->evtchn_upcall_pending,
                           __ATOMIC_SEQ_CST);
}

/* ---- operations --------------------------------------------------------- */

static evtchn_port_t bind_ipi(void)
{
    struct evtchn_bind_ipi_args op = {.vcpu = 0};

    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_ipi, ARG(&op)), 0);
    EXPECT(op.port > 0);
    clear_mask(op.port);
    return op.port;
}

static long port_op(unsigned cmd, evtchn_port_t port)
{
    return hc_event_channel_op(cmd, ARG(&port));
}

static long send(evtchn_port_t port)
{
    return port_op(EVTCHNOP_send, port);
}

static long close_port(evtchn_port_t port)
{
    return port_op(EVTCHNOP_close, port);
}

static struct evtchn_status_args status_of(evtchn_port_t port)
{
    struct evtchn_status_args op = {
        .dom = DOMID_SELF, .port = port, .status = 99};

    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_status, ARG(&op)), 0);
    return op;
}

static long bind_virq(unsigned virq, unsigned vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_virq_args op = {.virq = virq, .vcpu = vcpu};
    long result = hc_event_channel_op(EVTCHNOP_bind_virq, ARG(&op));

    *port = op.port;
    return result;
}

static long poll(evtchn_port_t *ports, unsigned n, uint64_t timeout)
{
    struct sched_poll_args op = {
        .ports = {ARG(ports)}, .nr_ports = n, .timeout = timeout};

    return hc_sched_op(SCHEDOP_poll, ARG(&op));
}

static void make_hypercall(uint64_t unused)
{
    (void)unused;
    hc_xen_version(XENVER_version, 0);
}

/* Unmasks as a kernel does; the upcall interrupts it. */
static int unmask_and_kick(void)
{
    unmask_events();
    return trap_try(make_hypercall, 0);
}

/* ---- pending and masked ------------------------------------------------- */

TEST(ipi_to_self)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    EXPECT_EQ(send(port), 0);
    EXPECT(is_pending(port));
    EXPECT_EQ(vcpu_info()->evtchn_pending_sel, 1ul << (port / 64));
    EXPECT(upcall_is_due());
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    EXPECT_EQ(unmask_and_kick(), ENTRY_EVENT);
    EXPECT_EQ(trap.entry_mask, 1);
    EXPECT_EQ(trap.cs >> 32 & 0xff, 0);
    EXPECT(upcall_is_due());
    EXPECT(is_pending(port));
    clear_all();
    EXPECT_EQ(unmask_and_kick(), ENTRY_NONE);
    mask_events();
    EXPECT_EQ(close_port(port), 0);
}

static void send_unmasked(uint64_t port)
{
    send((evtchn_port_t)port);
}

TEST(send_to_self_unmasked_comes_at_once)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    unmask_events();
    EXPECT_EQ(trap_try(send_unmasked, port), ENTRY_EVENT);
    EXPECT_EQ(trap.gprs.rax, 0);
    clear_all();
    EXPECT_EQ(close_port(port), 0);
}

TEST(masked_port_makes_no_upcall)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    set_mask(port);
    EXPECT_EQ(send(port), 0);
    EXPECT(is_pending(port));
    EXPECT(!upcall_is_due());
    EXPECT_EQ(vcpu_info()->evtchn_pending_sel, 0);
    EXPECT_EQ(port_op(EVTCHNOP_unmask, port), 0);
    EXPECT_EQ(shared_info->evtchn_mask[port / 64] & bit(port), 0);
    EXPECT(upcall_is_due());
    EXPECT_EQ(vcpu_info()->evtchn_pending_sel, 1ul << (port / 64));
    clear_all();
    EXPECT_EQ(close_port(port), 0);
}

TEST(unmask_of_a_port_that_is_not_pending)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    set_mask(port);
    EXPECT_EQ(port_op(EVTCHNOP_unmask, port), 0);
    EXPECT(!upcall_is_due());
    EXPECT_EQ(port_op(EVTCHNOP_unmask, 4096), -EINVAL);
    EXPECT_EQ(close_port(port), 0);
}

TEST(pending_port_is_not_sent_again)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    EXPECT_EQ(send(port), 0);
    vcpu_info()->evtchn_upcall_pending = 0;
    EXPECT_EQ(send(port), 0);
    EXPECT(!upcall_is_due());
    clear_all();
    EXPECT_EQ(close_port(port), 0);
}

TEST(selector_that_is_set_makes_no_upcall)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    vcpu_info()->evtchn_pending_sel = 1ul << (port / 64);
    EXPECT_EQ(send(port), 0);
    EXPECT(is_pending(port));
    EXPECT(!upcall_is_due());
    clear_all();
    EXPECT_EQ(close_port(port), 0);
}

/* ---- ports -------------------------------------------------------------- */

TEST(status_of_each_kind)
{
    evtchn_port_t ipi = bind_ipi(), virq;
    struct evtchn_alloc_unbound_args u = {.dom = DOMID_SELF,
                                          .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain_args i = {.remote_dom = DOMID_SELF};
    struct evtchn_status_args s;

    EXPECT_EQ(status_of(ipi).status, EVTCHNSTAT_ipi);
    EXPECT_EQ(status_of(ipi).vcpu, 0);
    EXPECT_EQ(bind_virq(VIRQ_DEBUG, 0, &virq), 0);
    s = status_of(virq);
    EXPECT_EQ(s.status, EVTCHNSTAT_virq);
    EXPECT_EQ(s.u.virq, VIRQ_DEBUG);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_alloc_unbound, ARG(&u)), 0);
    s = status_of(u.port);
    EXPECT_EQ(s.status, EVTCHNSTAT_unbound);
    i.remote_port = u.port;
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_interdomain, ARG(&i)), 0);
    s = status_of(i.local_port);
    EXPECT_EQ(s.status, EVTCHNSTAT_interdomain);
    EXPECT_EQ(s.u.interdomain.port, u.port);
    EXPECT_EQ(s.u.interdomain.dom, 0);
    s = status_of(u.port);
    EXPECT_EQ(s.status, EVTCHNSTAT_interdomain);
    EXPECT_EQ(s.u.interdomain.port, i.local_port);
    EXPECT_EQ(close_port(i.local_port), 0);
    EXPECT_EQ(status_of(u.port).status, EVTCHNSTAT_unbound);
    EXPECT_EQ(close_port(u.port), 0);
    EXPECT_EQ(status_of(u.port).status, EVTCHNSTAT_closed);
    EXPECT_EQ(close_port(virq), 0);
    EXPECT_EQ(close_port(ipi), 0);
}

TEST(loop_to_self)
{
    struct evtchn_alloc_unbound_args u = {.dom = DOMID_SELF,
                                          .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain_args i = {.remote_dom = DOMID_SELF};

    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_alloc_unbound, ARG(&u)), 0);
    EXPECT_EQ(send(u.port), 0);
    i.remote_port = u.port;
    clear_mask(u.port);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_interdomain, ARG(&i)), 0);
    clear_all();
    EXPECT_EQ(send(i.local_port), 0);
    EXPECT(is_pending(u.port));
    EXPECT(!is_pending(i.local_port));
    clear_all();
    EXPECT_EQ(send(u.port), 0);
    EXPECT(is_pending(i.local_port));
    clear_all();
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_interdomain, ARG(&i)), -EINVAL);
    EXPECT_EQ(close_port(u.port), 0);
    EXPECT_EQ(close_port(i.local_port), 0);
}

/* A port that is bound anew starts without its predecessor's event. */
TEST(close_and_bind_again)
{
    evtchn_port_t port = bind_ipi(), again;

    set_mask(port);
    clear_all();
    EXPECT_EQ(send(port), 0);
    EXPECT_EQ(close_port(port), 0);
    EXPECT_EQ(status_of(port).status, EVTCHNSTAT_closed);
    EXPECT_EQ(close_port(port), -EINVAL);
    EXPECT_EQ(send(port), -EINVAL);
    again = bind_ipi();
    EXPECT_EQ(again, port);
    EXPECT(!is_pending(port));
    EXPECT_EQ(close_port(again), 0);
}

TEST(bad_ports)
{
    EXPECT_EQ(send(0), -EINVAL);
    EXPECT_EQ(send(4095), -EINVAL);
    EXPECT_EQ(send(~0u), -EINVAL);
    EXPECT_EQ(close_port(0), -EINVAL);
    EXPECT_EQ(close_port(4095), -EINVAL);
    EXPECT_EQ(close_port(~0u), -EINVAL);
}

TEST(port_0_is_closed_for_good)
{
    EXPECT_EQ(status_of(0).status, EVTCHNSTAT_closed);
}

TEST(virqs)
{
    evtchn_port_t port, other;

    EXPECT_EQ(bind_virq(VIRQ_TIMER, 0, &port), 0);
    EXPECT_EQ(bind_virq(VIRQ_TIMER, 0, &other), -EEXIST);
    EXPECT_EQ(send(port), -EINVAL);
    EXPECT_EQ(bind_virq(NR_VIRQS, 0, &other), -EINVAL);
    EXPECT_EQ(bind_virq(~0u, 0, &other), -EINVAL);
    EXPECT_EQ(bind_virq(VIRQ_DEBUG, 1, &other), -ENOENT);
    EXPECT_EQ(bind_virq(VIRQ_DEBUG, ~0u, &other), -ENOENT);
    EXPECT_EQ(close_port(port), 0);
    EXPECT_EQ(bind_virq(VIRQ_TIMER, 0, &port), 0);
    EXPECT_EQ(close_port(port), 0);
}

TEST(binding_to_vcpus)
{
    evtchn_port_t port = bind_ipi();
    struct evtchn_bind_vcpu_args op = {.port = port, .vcpu = 0};
    struct evtchn_bind_ipi_args ipi = {.vcpu = 1};

    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_vcpu, ARG(&op)), -EINVAL);
    op.vcpu = 1;
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_vcpu, ARG(&op)), -ENOENT);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_ipi, ARG(&ipi)), -ENOENT);
    EXPECT_EQ(close_port(port), 0);
}

TEST(other_domains)
{
    struct evtchn_alloc_unbound_args u = {.dom = 77, .remote_dom = DOMID_SELF};
    struct evtchn_status_args s = {.dom = 77};

    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_alloc_unbound, ARG(&u)), -ESRCH);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_status, ARG(&s)), -ESRCH);
}

TEST(unknown_commands)
{
    EXPECT_EQ(hc_event_channel_op(99, 0), -ENOSYS);
    EXPECT_EQ(hc_sched_op(99, 0), -ENOSYS);
}

/* ---- waiting ------------------------------------------------------------ */

static evtchn_port_t timer_port;

static long set_timer(uint64_t when, unsigned flags)
{
    struct vcpu_set_singleshot_timer_args op = {.timeout_abs_ns = when,
                                                .flags = flags};

    return hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, ARG(&op));
}

/* Waits with events masked until the timer's port is pending. */
static bool timer_comes_within(uint64_t ns)
{
    uint64_t end = system_time() + ns;

    while (!is_pending(timer_port))
        if (system_time() > end)
            return false;
    return true;
}

TEST(timer_in_the_future)
{
    uint64_t due;

    EXPECT_EQ(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
    EXPECT_EQ(bind_virq(VIRQ_TIMER, 0, &timer_port), 0);
    clear_mask(timer_port);
    clear_all();
    due = system_time() + 5 * MS;
    EXPECT_EQ(set_timer(due, 0), 0);
    EXPECT(!is_pending(timer_port) || system_time() >= due);
    EXPECT(timer_comes_within(500 * MS));
    EXPECT(system_time() >= due);
    clear_all();
}

TEST(timer_in_the_past)
{
    clear_all();
    EXPECT_EQ(set_timer(1, 0), 0);
    EXPECT(timer_comes_within(500 * MS));
    clear_all();
    EXPECT_EQ(set_timer(system_time() - 1, 0), 0);
    EXPECT(timer_comes_within(500 * MS));
    clear_all();
}

TEST(timer_that_must_be_in_the_future)
{
    clear_all();
    EXPECT_EQ(set_timer(1, VCPU_SSHOTTMR_future), -ETIME);
    clear_all();
}

TEST(stopped_timer)
{
    clear_all();
    EXPECT_EQ(set_timer(system_time() + 20 * MS, 0), 0);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0), 0);
    EXPECT(!timer_comes_within(60 * MS));
}

static void spin(uint64_t ns)
{
    uint64_t end = system_time() + ns;

    while (system_time() < end)
        __asm__ volatile("pause");
}

TEST(upcall_interrupts_a_loop)
{
    do { /* again if the machine stood still until it was due */
        clear_all();
        EXPECT_EQ(set_timer(system_time() + 3 * MS, 0), 0);
    } while (is_pending(timer_port));
    unmask_events();
    EXPECT_EQ(trap_try(spin, 500 * MS), ENTRY_EVENT);
    EXPECT(is_pending(timer_port));
    clear_all();
}

static unsigned upcalls;

static bool count_upcall(struct entry_stack *stack, struct iret_context *back)
{
    (void)back;
    if (stack->vector != ENTRY_EVENT)
        return false;
    upcalls++;
    clear_all();
    return true;
}

TEST(block_until_the_timer)
{
    uint64_t due = system_time() + 5 * MS;

    clear_all();
    upcalls = 0;
    trap_hook = count_upcall;
    EXPECT_EQ(set_timer(due, 0), 0);
    EXPECT_EQ(hc_sched_op(SCHEDOP_block, 0), 0);
    EXPECT(system_time() >= due);
    EXPECT_EQ(upcalls, 1);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 0);
    mask_events();
}

TEST(block_with_an_event_pending)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    upcalls = 0;
    trap_hook = count_upcall;
    mask_events();
    EXPECT_EQ(send(port), 0);
    EXPECT_EQ(hc_sched_op(SCHEDOP_block, 0), 0);
    EXPECT_EQ(upcalls, 1);
    mask_events();
    EXPECT_EQ(close_port(port), 0);
}

TEST(yield)
{
    EXPECT_EQ(hc_sched_op(SCHEDOP_yield, 0), 0);
}

TEST(poll_with_a_pending_port)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    set_mask(port);
    EXPECT_EQ(send(port), 0);
    EXPECT_EQ(poll(&port, 1, 0), 0);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    EXPECT(is_pending(port));
    clear_all();
    EXPECT_EQ(close_port(port), 0);
}

TEST(poll_until_the_timeout)
{
    evtchn_port_t port = bind_ipi();
    uint64_t due = system_time() + 5 * MS;

    clear_all();
    EXPECT_EQ(poll(&port, 1, due), 0);
    EXPECT(system_time() >= due);
    due = system_time() + 5 * MS;
    EXPECT_EQ(poll(NULL, 0, due), 0);
    EXPECT(system_time() >= due);
    EXPECT_EQ(poll(&port, 1, 1), 0);
    EXPECT_EQ(close_port(port), 0);
}

TEST(poll_until_the_port)
{
    uint64_t due = system_time() + 5 * MS;

    clear_all();
    EXPECT_EQ(set_timer(due, 0), 0);
    EXPECT_EQ(poll(&timer_port, 1, due + 2000 * MS), 0);
    EXPECT(system_time() >= due);
    EXPECT(system_time() < due + 1500 * MS);
    EXPECT(is_pending(timer_port));
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    clear_all();
}

TEST(poll_wakes_on_a_masked_port)
{
    uint64_t due = system_time() + 5 * MS;

    clear_all();
    set_mask(timer_port);
    EXPECT_EQ(set_timer(due, 0), 0);
    EXPECT_EQ(poll(&timer_port, 1, due + 2000 * MS), 0);
    EXPECT(system_time() < due + 1500 * MS);
    EXPECT(is_pending(timer_port));
    EXPECT(!upcall_is_due());
    clear_mask(timer_port);
    clear_all();
}

TEST(bad_polls)
{
    evtchn_port_t port = 4096;

    EXPECT_EQ(poll(&port, 1, 1), -EINVAL);
    EXPECT_EQ(poll(&port, 129, 1), -EINVAL);
    EXPECT_EQ(poll((evtchn_port_t *)0x8000000000000000, 1, 1), -14);
    EXPECT_EQ(hc_sched_op(SCHEDOP_poll, 0x8000000000000000), -14);
}

/* ---- the place of vcpu_info --------------------------------------------- */

static struct vcpu_info elsewhere __attribute__((aligned(64)));

static long register_vcpu_info(unsigned vcpu, uint64_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info_args op = {.mfn = mfn, .offset = offset};

    return hc_vcpu_op(VCPUOP_register_vcpu_info, vcpu, ARG(&op));
}

TEST(bad_places_for_vcpu_info)
{
    uint64_t mfn = mfn_of(&elsewhere);

    EXPECT(register_vcpu_info(0, mfn, 4096 - 32) < 0);
    EXPECT(register_vcpu_info(0, mfn, ~0u) < 0);
    EXPECT(register_vcpu_info(0, mfn_of(root_table()), 0) < 0);
    EXPECT(register_vcpu_info(0, ~0ul, 0) < 0);
    EXPECT_EQ(register_vcpu_info(1, mfn, 0), -ENOENT);
}

TEST(vcpu_info_moves)
{
    evtchn_port_t port = bind_ipi();

    clear_all();
    EXPECT_EQ(register_vcpu_info(0, mfn_of(&elsewhere),
                                 (uint32_t)(ARG(&elsewhere) & 4095)),
              0);
    the_vcpu_info = &elsewhere;
    EXPECT_EQ(elsewhere.evtchn_upcall_mask, 1);
    EXPECT_EQ(elsewhere.evtchn_upcall_pending, 1);
    EXPECT_EQ(elsewhere.evtchn_pending_sel, ~0ul);
    EXPECT(elsewhere.time.tsc_to_system_mul != 0);
    clear_all();
    EXPECT_EQ(send(port), 0);
    EXPECT(upcall_is_due());
    EXPECT_EQ(unmask_and_kick(), ENTRY_EVENT);
    clear_all();
    EXPECT_EQ(register_vcpu_info(0, mfn_of(&elsewhere), 0), -EINVAL);
    EXPECT_EQ(close_port(port), 0);
}

TEST(timer_after_the_move)
{
    uint64_t due = system_time() + 5 * MS;

    clear_all();
    EXPECT_EQ(set_timer(due, 0), 0);
    EXPECT(timer_comes_within(500 * MS));
    EXPECT(upcall_is_due());
    clear_all();
}
