/* SPDX-License-Identifier: MIT */
/* Clocks and timers of a vCPU, and what it hears about its own run state. */
#include "clock.h"
#include "memory.h"
#include "trap.h"

#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/platform.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/vm_assist.h"

#define ENOENT 2
#define EINVAL 22
#define ENOSYS 38

const char guest_name[] = "timers";

static evtchn_port_t port;

void guest_init(void)
{
    struct evtchn_bind_virq_args op = {.virq = VIRQ_TIMER};

    EXPECT_EQ(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
    EXPECT_EQ(hc_event_channel_op(EVTCHNOP_bind_virq, ARG(&op)), 0);
    port = op.port;
    shared_info->evtchn_mask[0] = 0;
}

static bool take_tick(void)
{
    uint64_t bit = 1ul << port;

    vcpu_info()->evtchn_upcall_pending = 0;
    __atomic_store_n(&vcpu_info()->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    return __atomic_fetch_and(&shared_info->evtchn_pending[0], ~bit,
                              __ATOMIC_SEQ_CST) &
           bit;
}

static unsigned count_ticks(uint64_t ns)
{
    uint64_t end = system_time() + ns;
    unsigned ticks = 0;

    while (system_time() < end)
        ticks += take_tick();
    return ticks;
}

static long poll_until(uint64_t when)
{
    struct sched_poll_args op = {.timeout = when};

    return hc_sched_op(SCHEDOP_poll, ARG(&op));
}

/* ---- clocks ------------------------------------------------------------- */

TEST(clock_is_there_from_the_start)
{
    const struct vcpu_time_info *t = &vcpu_info()->time;

    EXPECT_EQ(t->version & 1, 0);
    EXPECT(t->tsc_to_system_mul != 0);
    EXPECT(t->tsc_shift > -32 && t->tsc_shift < 32);
    EXPECT(system_time() > 0);
    EXPECT(system_time() < 600000 * MS);
}

TEST(clock_never_goes_back)
{
    uint64_t last = system_time(), now;
    unsigned backwards = 0;

    for (unsigned i = 0; i < 100000; i++) {
        now = system_time();
        backwards += now < last;
        last = now;
    }
    EXPECT_EQ(backwards, 0);
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_EQ(poll_until(last + MS), 0);
        now = system_time();
        EXPECT(now >= last + MS);
        last = now;
    }
}

/* The rate that the clock page tells is the one it runs at. */
TEST(clock_agrees_with_the_tsc)
{
    const struct vcpu_time_info *t = &vcpu_info()->time;
    uint64_t start = t->system_time, stamp = t->tsc_timestamp, ns, ticks;
    uint64_t end = system_time() + 3000 * MS;

    while (t->tsc_timestamp == stamp && system_time() < end)
        EXPECT_EQ(poll_until(system_time() + 20 * MS), 0);
    if (t->tsc_timestamp == stamp) {
        test_skip("the clock page was not renewed");
        return;
    }
    ns = t->system_time - start;
    ticks = t->tsc_timestamp - stamp;
    /* Between 100 MHz and 10 GHz, and the same as computed. */
    EXPECT(ticks > ns / 10 && ticks < ns * 10);
}

TEST(wall_clock_is_plausible)
{
    EXPECT_EQ(shared_info->wc_version & 1, 0);
    EXPECT(shared_info->wc_sec > 1577836800);
    EXPECT_EQ(shared_info->wc_sec_hi, 0);
    EXPECT(shared_info->wc_nsec < 1000 * MS);
}

TEST(wall_clock_can_be_set)
{
    uint64_t now = system_time();
    uint32_t version = shared_info->wc_version;
    struct xen_platform_op op = {
        .cmd = XENPF_settime64,
        .interface_version = XENPF_INTERFACE_VERSION,
        .u.settime64 = {.secs = 2000000000, .nsecs = 5, .system_time = now}};
    uint64_t set;

    EXPECT_EQ(hc_platform_op(ARG(&op)), 0);
    EXPECT(shared_info->wc_version != version);
    EXPECT_EQ(shared_info->wc_version & 1, 0);
    set = shared_info->wc_sec * 1000000000ul + shared_info->wc_nsec;
    EXPECT_EQ(set, 2000000000ul * 1000000000ul + 5 - now);
}

/* ---- timers ------------------------------------------------------------- */

TEST(set_timer_op)
{
    uint64_t due = system_time() + 5 * MS;
    unsigned ticks;

    take_tick();
    EXPECT_EQ(hc_set_timer_op(due), 0);
    ticks = take_tick();
    EXPECT(!ticks || system_time() >= due);
    EXPECT_EQ(ticks + count_ticks(100 * MS), 1);
}

TEST(set_timer_op_cancels)
{
    uint64_t due;

    do { /* again if the machine stood still until it was due */
        take_tick();
        due = system_time() + 10 * MS;
        EXPECT_EQ(hc_set_timer_op(due), 0);
        EXPECT_EQ(hc_set_timer_op(0), 0);
    } while (system_time() >= due);
    EXPECT_EQ(count_ticks(40 * MS), 0);
}

TEST(set_timer_op_in_the_past)
{
    take_tick();
    EXPECT_EQ(hc_set_timer_op(1), 0);
    EXPECT_EQ(count_ticks(100 * MS), 1);
}

TEST(later_timer_replaces_the_first)
{
    struct vcpu_set_singleshot_timer_args op = {0};
    uint64_t now;

    do { /* again if the machine stood still until the first was due */
        take_tick();
        now = system_time();
        op.timeout_abs_ns = now + 10 * MS;
        EXPECT_EQ(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, ARG(&op)), 0);
        op.timeout_abs_ns = now + 200 * MS;
        EXPECT_EQ(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, ARG(&op)), 0);
    } while (system_time() >= now + 10 * MS);
    EXPECT_EQ(count_ticks(30 * MS), 0);
    EXPECT_EQ(count_ticks(400 * MS), 1);
}

TEST(timer_of_another_vcpu)
{
    struct vcpu_set_singleshot_timer_args op = {.timeout_abs_ns = 1};

    EXPECT_EQ(hc_vcpu_op(VCPUOP_set_singleshot_timer, 1, ARG(&op)), -ENOENT);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 1, 0), -ENOENT);
}

/* Ticks that are due while the machine stands still come as one. */
TEST(periodic_timer)
{
    struct vcpu_set_periodic_timer_args op = {.period_ns = 10 * MS};
    uint64_t start = system_time();
    unsigned ticks = 0;

    take_tick();
    EXPECT_EQ(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, ARG(&op)), 0);
    while (ticks < 10 && system_time() - start < 10000 * MS)
        ticks += take_tick();
    EXPECT_EQ(ticks, 10);
    EXPECT(system_time() - start >= 90 * MS);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
    take_tick();
    EXPECT_EQ(count_ticks(50 * MS), 0);
}

TEST(periodic_timer_has_a_lower_bound)
{
    struct vcpu_set_periodic_timer_args op = {.period_ns = MS - 1};

    EXPECT_EQ(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, ARG(&op)), -EINVAL);
    op.period_ns = ~0ul;
    EXPECT_EQ(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, ARG(&op)), -EINVAL);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
}

/* ---- run state ---------------------------------------------------------- */

static struct vcpu_runstate_info area;

static uint64_t all_times(const struct vcpu_runstate_info *r)
{
    return r->time[0] + r->time[1] + r->time[2] + r->time[3];
}

TEST(runstate_on_request)
{
    struct vcpu_runstate_info r;

    EXPECT_EQ(hc_vcpu_op(VCPUOP_get_runstate_info, 0, ARG(&r)), 0);
    EXPECT_EQ(r.state, RUNSTATE_running);
    EXPECT(r.state_entry_time <= system_time());
    EXPECT(all_times(&r) <= system_time() + MS);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_get_runstate_info, 1, ARG(&r)), -ENOENT);
}

TEST(runstate_area)
{
    struct vcpu_register_runstate_memory_area_args op = {{ARG(&area)}};
    uint64_t blocked;

    EXPECT_EQ(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag),
              0);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, ARG(&op)), 0);
    EXPECT_EQ(area.state, RUNSTATE_running);
    EXPECT_EQ(area.state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    blocked = area.time[RUNSTATE_blocked];
    /* The machine may stand still before a wait begins: then it is short. */
    for (unsigned i = 0; i < 50; i++) {
        EXPECT_EQ(poll_until(system_time() + 10 * MS), 0);
        EXPECT_EQ(area.state, RUNSTATE_running);
        if (area.time[RUNSTATE_blocked] >= blocked + 8 * MS)
            break;
    }
    EXPECT_EQ(area.state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    EXPECT(area.time[RUNSTATE_blocked] >= blocked + 8 * MS);
    EXPECT(area.state_entry_time <= system_time());
}

/* ---- vcpu_op ------------------------------------------------------------ */

TEST(vcpus_that_are_not_there)
{
    EXPECT_EQ(hc_vcpu_op(VCPUOP_is_up, 0, 0), 1);
    for (unsigned i = 1; i < 8192; i += 91)
        EXPECT_EQ(hc_vcpu_op(VCPUOP_is_up, i, 0), -ENOENT);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_is_up, ~0u, 0), -ENOENT);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_up, 1, 0), -ENOENT);
    EXPECT_EQ(hc_vcpu_op(99, 0, 0), -ENOSYS);
}
