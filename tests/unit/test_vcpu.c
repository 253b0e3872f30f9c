/* SPDX-License-Identifier: MIT */
/*
 * vCPUs and domains: vcpu_op, moving the vcpu_info, timers, runstate areas,
 * the list of domains and the ways in which one ends.
 */
#include <check.h>
#include <stdlib.h>

#include "core/evtchn.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/pcpu.h"
#include "core/pte.h"
#include "core/log.h"
#include "core/sched.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/vm_assist.h"

#define AREA (FAKE_GUEST_VA + 2048)

static struct domain *d, *admin;

static void setup(void)
{
    fake_boot(2);
    admin = fake_domain(0, 2);
    admin->is_privileged = true;
    dom0 = admin;
    d = fake_domain(1, 40);
    d->max_pages = 16;
    fake.cpu = 1;
    fake_run(admin->vcpus[0]);
    fake.cpu = 0;
    fake_run(d->vcpus[0]);
}

/* A frame that belongs to `owner`, and its memory. */
static mfn_t frame_of(struct domain *owner, uint8_t **memory)
{
    mfn_t frame = heap_alloc(0, HEAP_ANY_ADDRESS);

    ck_assert(!mfn_equal(frame, MFN_INVALID));
    ck_assert_int_eq(frame_assign(frame, 0, owner), 0);
    *memory = arch_frame_ptr(frame);
    memset(*memory, 0x5a, PAGE_SIZE);
    return frame;
}

static long vcpu_op(uint64_t cmd, uint64_t vcpu, uint64_t arg)
{
    return fake_call(hc_vcpu_op, cmd, vcpu, arg);
}

static long register_info(unsigned vcpu, mfn_t frame, uint32_t offset)
{
    struct vcpu_register_vcpu_info_args op = {.mfn = frame.n, .offset = offset};

    memcpy(fake_guest_page, &op, sizeof(op));
    return vcpu_op(VCPUOP_register_vcpu_info, vcpu, FAKE_GUEST_VA);
}

/* --- vcpu_info ----------------------------------------------------------- */

START_TEST(test_vcpu_info_moves_with_contents_and_all_pending)
{
    struct vcpu_info *old = vcpu_info_of(d->vcpus[0]), *now;
    uint8_t *memory;
    mfn_t frame = frame_of(d, &memory);

    old->arch.cr2 = 0x1234;
    old->evtchn_upcall_mask = 1;
    ck_assert_int_eq(register_info(0, frame, 128), 0);
    now = vcpu_info_of(d->vcpus[0]);
    ck_assert_ptr_eq(now, (struct vcpu_info *)(memory + 128));
    ck_assert_uint_eq(now->arch.cr2, 0x1234);
    ck_assert_uint_eq(now->evtchn_upcall_mask, 1);
    ck_assert_uint_eq(now->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(now->evtchn_pending_sel, ~0ull);
    ck_assert_uint_eq(now->time.system_time, fake.now);
    ck_assert_uint_eq(now->time.version % 2, 0);
    ck_assert_uint_eq(memory[127], 0x5a);
    ck_assert_uint_eq(memory[192], 0x5a);
    ck_assert_int_eq(frame_type(frame_lookup(frame)), FRAME_WRITABLE);
    ck_assert_uint_eq(frame_type_count(frame_lookup(frame)->state), 1);
}
END_TEST

START_TEST(test_vcpu_info_events_go_to_new_place)
{
    struct evtchn_bind_ipi_args op = {.vcpu = 0};
    struct vcpu_info *old = vcpu_info_of(d->vcpus[0]), *now;
    uint8_t *memory;
    mfn_t frame = frame_of(d, &memory);

    ck_assert_int_eq(
        fake_call_with(hc_event_channel_op, EVTCHNOP_bind_ipi, &op), 0);
    ck_assert_int_eq(register_info(0, frame, 0), 0);
    now = (struct vcpu_info *)memory;
    now->evtchn_upcall_pending = 0;
    now->evtchn_pending_sel = 0;
    ck_assert_int_eq(
        fake_call_with(hc_event_channel_op, EVTCHNOP_send, &op.port), 0);
    ck_assert_uint_eq(now->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(old->evtchn_upcall_pending, 0);
}
END_TEST

START_TEST(test_vcpu_info_moves_once)
{
    uint8_t *memory;
    mfn_t frame = frame_of(d, &memory);

    ck_assert_int_eq(register_info(0, frame, 0), 0);
    ck_assert_int_eq(register_info(0, frame, 64), -EINVAL);
    ck_assert_uint_eq(frame_type_count(frame_lookup(frame)->state), 1);
    ck_assert_int_eq(register_info(1, frame, 64), 0);
    ck_assert_uint_eq(frame_type_count(frame_lookup(frame)->state), 2);
}
END_TEST

START_TEST(test_vcpu_info_place_is_checked)
{
    uint8_t *memory;
    mfn_t mine = frame_of(d, &memory), other;

    ck_assert_int_eq(register_info(0, mine, 4096 - 63), -EINVAL);
    ck_assert_int_eq(register_info(0, mine, 4096), -EINVAL);
    ck_assert_int_eq(register_info(0, mine, ~0u - 7), -EINVAL);
    ck_assert_int_eq(register_info(0, mine, 4), -EINVAL);
    ck_assert_int_eq(register_info(0, MFN(0), 0), -EINVAL);
    ck_assert_int_eq(register_info(0, MFN_INVALID, 0), -EINVAL);
    ck_assert_int_eq(register_info(0, fake_guest_frame, 0), -EINVAL);
    admin->max_pages = 1;
    other = frame_of(admin, &memory);
    ck_assert_int_eq(register_info(0, other, 0), -EINVAL);
    ck_assert_int_eq(vcpu_op(VCPUOP_register_vcpu_info, 0, FAKE_BAD_VA),
                     -EFAULT);
    ck_assert_int_eq(register_info(40, mine, 0), -ENOENT);
    ck_assert_uint_eq(frame_type_count(frame_lookup(mine)->state), 0);
    ck_assert_int_eq(register_info(0, mine, 4096 - 64), 0);
}
END_TEST

START_TEST(test_vcpu_info_of_another_running_vcpu_stays)
{
    uint8_t *memory;
    mfn_t frame = frame_of(d, &memory);

    ck_assert_int_eq(vcpu_up(d->vcpus[1]), 0);
    ck_assert_int_eq(register_info(1, frame, 0), -EINVAL);
}
END_TEST

START_TEST(test_vcpu_info_reference_goes_with_the_domain)
{
    uint8_t *memory;
    mfn_t frame = frame_of(d, &memory);

    ck_assert_int_eq(register_info(0, frame, 0), 0);
    fake_stop();
    domain_begin_death(d);
    ck_assert_int_eq(domain_release_events(d), 0);
    ck_assert_uint_eq(frame_type_count(frame_lookup(frame)->state), 0);
    ck_assert_int_eq(frame_unassign(frame_lookup(frame), d), 0);
    ck_assert_int_eq(domain_end_death(d), 0);
    ck_assert_ptr_null(domain_find_get(1));
}
END_TEST

/* --- life ---------------------------------------------------------------- */

START_TEST(test_vcpu_unknown_ids_and_commands)
{
    ck_assert_int_eq(vcpu_op(VCPUOP_is_up, 0, 0), 1);
    ck_assert_int_eq(vcpu_op(VCPUOP_is_up, 1, 0), 0);
    ck_assert_int_eq(vcpu_op(VCPUOP_is_up, 40, 0), -ENOENT);
    ck_assert_int_eq(vcpu_op(VCPUOP_is_up, 8191, 0), -ENOENT);
    ck_assert_int_eq(vcpu_op(VCPUOP_is_up, ~0ull, 0), -ENOENT);
    ck_assert_int_eq(vcpu_op(14, 0, 0), -ENOSYS);
    ck_assert_int_eq(vcpu_op(~0ull, 0, 0), -ENOSYS);
}
END_TEST

/* A context is larger than the page of the fake guest: give it two. */
static void map_context(void)
{
    struct vcpu *v = d->vcpus[0];
    mfn_t next = heap_alloc(0, HEAP_ANY_ADDRESS);

    ck_assert(fake_guest_map(v->kernel_root, FAKE_GUEST_VA + PAGE_SIZE, next,
                             PTE_PRESENT | PTE_USER | PTE_WRITE));
}

START_TEST(test_vcpu_initialise_once_then_up)
{
    d->vcpus[1]->initialised = false;
    ck_assert_int_eq(vcpu_op(VCPUOP_up, 1, 0), -EINVAL);
    ck_assert_int_eq(vcpu_op(VCPUOP_initialise, 1, FAKE_BAD_VA), -EFAULT);
    map_context();
    fake.set_context_result = -EINVAL;
    ck_assert_int_eq(vcpu_op(VCPUOP_initialise, 1, FAKE_GUEST_VA), -EINVAL);
    fake.set_context_result = 0;
    ck_assert_int_eq(vcpu_op(VCPUOP_initialise, 1, FAKE_GUEST_VA), 0);
    ck_assert_int_eq(vcpu_op(VCPUOP_initialise, 1, FAKE_GUEST_VA), -EEXIST);
    ck_assert_uint_eq(fake.contexts_set, 1);
    ck_assert_int_eq(vcpu_op(VCPUOP_up, 1, 0), 0);
    ck_assert_int_eq(vcpu_op(VCPUOP_up, 1, 0), 0);
    ck_assert_int_eq(vcpu_op(VCPUOP_is_up, 1, 0), 1);
}
END_TEST

START_TEST(test_vcpu_initialise_restarts_when_told)
{
    d->vcpus[1]->initialised = false;
    map_context();
    fake.set_context_result = -ERESTART;
    (void)vcpu_op(VCPUOP_initialise, 1, FAKE_GUEST_VA);
    ck_assert_uint_eq(fake.restarts, 1);
    fake.set_context_result = 0;
    ck_assert_int_eq(vcpu_op(VCPUOP_initialise, 1, FAKE_GUEST_VA), 0);
}
END_TEST

START_TEST(test_vcpu_beyond_shared_info_needs_its_place_first)
{
    uint8_t *memory;
    mfn_t frame = frame_of(d, &memory);

    map_context();
    d->vcpus[33]->initialised = false;
    ck_assert_int_eq(vcpu_op(VCPUOP_initialise, 33, FAKE_GUEST_VA), -EINVAL);
    ck_assert_int_eq(register_info(33, frame, 0), 0);
    ck_assert_int_eq(vcpu_op(VCPUOP_initialise, 33, FAKE_GUEST_VA), 0);
}
END_TEST

START_TEST(test_vcpu_down_stops_the_caller_until_up)
{
    ck_assert_int_eq(vcpu_up(d->vcpus[1]), 0);
    ck_assert_int_eq(vcpu_op(VCPUOP_down, 0, 0), 0);
    ck_assert_int_eq(d->vcpus[0]->state, VCPU_DOWN);
    ck_assert(pcpus[0].need_resched);
    ck_assert_ptr_ne(fake_pick(), d->vcpus[0]);
    ck_assert(!timer_is_armed(&d->vcpus[0]->periodic));
    ck_assert_int_eq(d->state, DOMAIN_ALIVE);
    ck_assert_int_eq(vcpu_up(d->vcpus[0]), 0);
    ck_assert_int_eq(d->vcpus[0]->state, VCPU_RUNNABLE);
}
END_TEST

START_TEST(test_vcpu_last_one_down_powers_off)
{
    ck_assert_int_eq(vcpu_op(VCPUOP_down, 0, 0), 0);
    ck_assert_int_eq(d->state, DOMAIN_SHUT_DOWN);
    ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_poweroff);
}
END_TEST

START_TEST(test_vcpu_nmi_reaches_the_machine)
{
    ck_assert_int_eq(vcpu_op(VCPUOP_send_nmi, 1, 0), 0);
    ck_assert_uint_eq(fake.nmis, 1);
}
END_TEST

/* --- timers -------------------------------------------------------------- */

static evtchn_port_t bind_timer(void)
{
    struct evtchn_bind_virq_args op = {.virq = VIRQ_TIMER};

    vcpu_set_period(d->vcpus[0], 0);
    ck_assert_int_eq(
        fake_call_with(hc_event_channel_op, EVTCHNOP_bind_virq, &op), 0);
    return op.port;
}

static long set_singleshot(uint64_t at, uint32_t flags)
{
    struct vcpu_set_singleshot_timer_args op = {.timeout_abs_ns = at,
                                                .flags = flags};

    memcpy(fake_guest_page, &op, sizeof(op));
    return vcpu_op(VCPUOP_set_singleshot_timer, 0, FAKE_GUEST_VA);
}

START_TEST(test_vcpu_singleshot_wakes_the_sleeper)
{
    evtchn_port_t port = bind_timer();

    ck_assert_int_eq(set_singleshot(fake.now + 1000, 0), 0);
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_block, 0, 0), 0);
    ck_assert_ptr_null(fake_pick());
    fake.now += 999;
    timers_run(fake.now);
    ck_assert(!evtchn_is_pending(d, port));
    fake.now += 1;
    timers_run(fake.now);
    ck_assert(evtchn_is_pending(d, port));
    ck_assert_ptr_eq(fake_pick(), d->vcpus[0]);
}
END_TEST

START_TEST(test_vcpu_singleshot_in_the_past_fires_at_once)
{
    evtchn_port_t port = bind_timer();

    ck_assert_int_eq(set_singleshot(1, 0), 0);
    timers_run(fake.now);
    ck_assert(evtchn_is_pending(d, port));
    ck_assert_int_eq(set_singleshot(1, VCPU_SSHOTTMR_future), -62);
    ck_assert_int_eq(set_singleshot(fake.now + 5, VCPU_SSHOTTMR_future), 0);
    ck_assert_int_eq(set_singleshot(~0ull, 0), 0); /* as good as never */
    ck_assert(!timer_is_armed(&d->vcpus[0]->singleshot));
}
END_TEST

START_TEST(test_vcpu_singleshot_is_the_callers_own)
{
    ck_assert_int_eq(vcpu_op(VCPUOP_set_singleshot_timer, 1, FAKE_GUEST_VA),
                     -EINVAL);
    ck_assert_int_eq(vcpu_op(VCPUOP_stop_singleshot_timer, 1, 0), -EINVAL);
    ck_assert_int_eq(vcpu_op(VCPUOP_set_singleshot_timer, 0, FAKE_BAD_VA),
                     -EFAULT);
    ck_assert_int_eq(set_singleshot(fake.now + 5, 0), 0);
    ck_assert_int_eq(vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0), 0);
    ck_assert(!timer_is_armed(&d->vcpus[0]->singleshot));
}
END_TEST

START_TEST(test_vcpu_set_timer_op_arms_and_cancels)
{
    ck_assert_int_eq(fake_call(hc_set_timer_op, fake.now + 7, 0, 0), 0);
    ck_assert_uint_eq(d->vcpus[0]->singleshot.deadline, fake.now + 7);
    ck_assert_int_eq(fake_call(hc_set_timer_op, 0, 0, 0), 0);
    ck_assert(!timer_is_armed(&d->vcpus[0]->singleshot));
}
END_TEST

START_TEST(test_vcpu_periodic_ticks_until_stopped)
{
    struct vcpu_set_periodic_timer_args op = {.period_ns = 2 * NSEC_PER_MS};
    evtchn_port_t port = bind_timer();

    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(vcpu_op(VCPUOP_set_periodic_timer, 0, FAKE_GUEST_VA), 0);
    for (unsigned i = 0; i < 5; i++) {
        fake.now += 2 * NSEC_PER_MS;
        timers_run(fake.now);
        ck_assert(evtchn_is_pending(d, port));
        bit_clear(d->shared_info->evtchn_pending, port);
    }
    ck_assert_int_eq(vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
    fake.now += NSEC_PER_SEC;
    timers_run(fake.now);
    ck_assert(!evtchn_is_pending(d, port));
    op.period_ns = 1000;
    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(vcpu_op(VCPUOP_set_periodic_timer, 0, FAKE_GUEST_VA),
                     -EINVAL);
}
END_TEST

/* Whoever brings it up, its ticks then come where it runs. */
START_TEST(test_vcpu_periodic_follows_to_its_pcpu)
{
    struct vcpu *v = d->vcpus[1];

    fake.cpu = 1;
    ck_assert_int_eq(vcpu_up(v), 0);
    ck_assert_uint_eq(v->periodic.cpu, 1);
    fake.cpu = 0;
    fake_run(v);
    ck_assert_uint_eq(v->periodic.cpu, 0);
    ck_assert_uint_eq(v->periodic.deadline, fake.now + 10 * NSEC_PER_MS);
    vcpu_set_period(v, 0);
    fake_stop();
    ck_assert(!timer_is_armed(&v->periodic));
}
END_TEST

/* --- runstate ------------------------------------------------------------ */

static long register_area(unsigned vcpu, uint64_t va)
{
    struct vcpu_register_runstate_memory_area_args op = {.addr = {va}};

    memcpy(fake_guest_page, &op, sizeof(op));
    return vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, FAKE_GUEST_VA);
}

START_TEST(test_vcpu_runstate_area_is_kept_up_to_date)
{
    struct vcpu_runstate_info *area = (void *)(fake_guest_page + 2048);
    nsec_t begun = fake.now;

    d->vm_assist = 1u << VMASST_TYPE_runstate_update_flag;
    ck_assert_int_eq(register_area(0, AREA), 0);
    ck_assert_int_eq(area->state, RUNSTATE_running);
    fake.now += 100;
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_block, 0, 0), 0);
    ck_assert_ptr_null(fake_pick());
    fake.now += 30;
    sched_wake(d->vcpus[0]);
    fake.now += 5;
    ck_assert_ptr_eq(fake_pick(), d->vcpus[0]);
    ck_assert_uint_eq(area->time[RUNSTATE_blocked], 0);
    vcpu_runstate_publish(d->vcpus[0]);
    ck_assert_int_eq(area->state, RUNSTATE_running);
    ck_assert_uint_eq(area->time[RUNSTATE_running], 100);
    ck_assert_uint_eq(area->time[RUNSTATE_blocked], 30);
    ck_assert_uint_eq(area->time[RUNSTATE_runnable], 5);
    ck_assert_uint_eq(area->state_entry_time, begun + 135);
    area->state = 7;
    vcpu_runstate_publish(d->vcpus[0]); /* nothing has changed since */
    ck_assert_int_eq(area->state, 7);
}
END_TEST

START_TEST(test_vcpu_runstate_area_bad_address_is_efault)
{
    ck_assert_int_eq(register_area(0, FAKE_BAD_VA), -EFAULT);
    ck_assert_int_eq(register_area(0, 0xffff800000000000ull), -EFAULT);
    ck_assert_int_eq(register_area(0, 0), 0);
    ck_assert_int_eq(register_area(1, AREA), 0);
}
END_TEST

/* The record crosses into a page that is not there: no flag may stay set. */
START_TEST(test_vcpu_runstate_half_written_area_has_no_flag)
{
    uint64_t va = FAKE_GUEST_VA + PAGE_SIZE - 24;
    uint64_t *entry_time = (void *)(fake_guest_page + PAGE_SIZE - 16);

    d->vm_assist = 1u << VMASST_TYPE_runstate_update_flag;
    ck_assert_int_eq(register_area(0, va), -EFAULT);
    ck_assert_uint_eq(*entry_time >> 63, 0);
}
END_TEST

START_TEST(test_vcpu_runstate_without_place_fills_no_log)
{
    uint64_t begun = log_ring_end();

    d->vcpus[0]->areas[0] = d->vcpus[0]->areas[1] = FAKE_BAD_VA;
    for (unsigned i = 0; i < 10000; i++) {
        d->vcpus[0]->runstate_stale = true;
        vcpu_runstate_publish(d->vcpus[0]);
    }
    ck_assert_uint_gt(log_ring_end(), begun);
    ck_assert_uint_lt(log_ring_end() - begun, 32 << 10);
}
END_TEST

START_TEST(test_vcpu_runstate_info_counts_up_to_now)
{
    struct vcpu_runstate_info info;

    fake.now += 77;
    ck_assert_int_eq(vcpu_op(VCPUOP_get_runstate_info, 0, FAKE_GUEST_VA), 0);
    memcpy(&info, fake_guest_page, sizeof(info));
    ck_assert_int_eq(info.state, RUNSTATE_running);
    ck_assert_uint_eq(info.time[RUNSTATE_running], 77);
    ck_assert_int_eq(vcpu_op(VCPUOP_get_runstate_info, 0, FAKE_BAD_VA),
                     -EFAULT);
}
END_TEST

/* --- domains ------------------------------------------------------------- */

/* The fake machine's clock page says when it was written. */
START_TEST(test_vcpu_time_area_follows_the_clock)
{
    struct vcpu_time_info *area = (void *)(fake_guest_page + 2048);
    struct vcpu_register_time_memory_area_args op = {{AREA}};

    d->vcpus[0]->info->time.version = 5; /* the guest's doing */
    d->vcpus[0]->info->time.tsc_shift = 3;
    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(
        vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, FAKE_GUEST_VA), 0);
    ck_assert_uint_eq(area->version, 4);
    ck_assert_int_eq(area->tsc_shift, 3);
    d->vcpus[0]->info->time.version = 6;
    d->vcpus[0]->info->time.tsc_shift = 4;
    d->vcpus[0]->runstate_stale = true;
    vcpu_runstate_publish(d->vcpus[0]);
    ck_assert_uint_eq(area->version, 6);
    ck_assert_int_eq(area->tsc_shift, 4);
    op.addr.va = 0;
    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(
        vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, FAKE_GUEST_VA), 0);
    area->version = 77;
    d->vcpus[0]->runstate_stale = true;
    vcpu_runstate_publish(d->vcpus[0]);
    ck_assert_uint_eq(area->version, 77);
    op.addr.va = FAKE_BAD_VA;
    memcpy(fake_guest_page, &op, sizeof(op));
    ck_assert_int_eq(
        vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, FAKE_GUEST_VA),
        -EFAULT);
}
END_TEST

START_TEST(test_domain_starts_with_masked_events)
{
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        ck_assert_uint_eq(d->shared_info->vcpu_info[i].evtchn_upcall_mask, 1);
    ck_assert_int_eq(frame_type(frame_lookup(arch_frame_of(d->shared_info))),
                     FRAME_SHARED);
}
END_TEST

START_TEST(test_domain_list_is_sorted_and_ids_are_unique)
{
    static const domid_t ids[] = {500, 3, 257, 2, 0x7fef};
    static const domid_t sorted[] = {0, 1, 2, 3, 257, 500, 0x7fef};
    unsigned next = 0;

    for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
        ck_assert_ptr_nonnull(domain_create(ids[i], 1));
    ck_assert_ptr_null(domain_create(257, 1));
    ck_assert_ptr_null(domain_create(0x7ff0, 1));
    ck_assert_ptr_null(domain_create(9, 0));
    ck_assert_ptr_null(domain_create(9, MAX_VCPUS + 1));
    for (unsigned i = 0; i < ARRAY_LEN(sorted); i++) {
        struct domain *found = domain_next_get((domid_t)next);

        ck_assert_uint_eq(found->id, sorted[i]);
        next = found->id + 1u;
        domain_put(found);
    }
    ck_assert_ptr_null(domain_next_get((domid_t)next));
}
END_TEST

START_TEST(test_domain_serials_are_used_once)
{
    struct domain *first = domain_create(9, 1), *second;
    uint64_t serial = first->serial;

    ck_assert_uint_ne(serial, 0);
    ck_assert_uint_ne(serial, d->serial);
    domain_begin_death(first);
    domain_get(first);
    ck_assert_int_eq(domain_end_death(first), 0);
    second = domain_create(9, 1);
    ck_assert_ptr_nonnull(second);
    ck_assert_uint_ne(second->serial, serial);
    ck_assert_uint_eq(domain_count(), 3);
    domain_put(first);
}
END_TEST

START_TEST(test_domain_creation_that_fails_leaves_nothing)
{
    uint64_t before = heap_free_frames();

    fake.fail_domain_create = -ENOMEM;
    for (unsigned i = 0; i < 20; i++)
        ck_assert_ptr_null(domain_create(9, 100));
    ck_assert_uint_ge(heap_free_frames() + 4, before);
    fake.fail_domain_create = 0;
    ck_assert_ptr_nonnull(domain_create(9, 100));
}
END_TEST

START_TEST(test_domain_create_and_end_gives_all_memory_back)
{
    uint64_t before = 0;

    for (unsigned i = 0; i < 10; i++) {
        struct domain *e = fake_domain(9, 64);

        domain_begin_death(e);
        ck_assert_int_eq(domain_release_events(e), 0);
        ck_assert_int_eq(domain_end_death(e), 0);
        ck_assert_ptr_null(domain_find_get(9));
        if (i == 1)
            before = heap_free_frames();
    }
    ck_assert_uint_eq(heap_free_frames(), before);
}
END_TEST

START_TEST(test_domain_with_mapped_shared_info_cannot_end_yet)
{
    struct domain *e = fake_domain(9, 1);
    struct frame *f = frame_get(arch_frame_of(e->shared_info), e);

    domain_begin_death(e);
    domain_begin_death(e);
    ck_assert_int_eq(domain_release_events(e), 0);
    ck_assert_int_eq(domain_end_death(e), -EBUSY);
    ck_assert_ptr_null(domain_create(9, 1));
    frame_put(f);
    domain_get(e);
    ck_assert_int_eq(domain_end_death(e), 0);
    ck_assert_int_eq(domain_end_death(e), -ESRCH);
    domain_put(e);
    ck_assert_ptr_nonnull(domain_create(9, 1));
}
END_TEST

START_TEST(test_domain_reference_outlives_the_end)
{
    struct domain *e = fake_domain(9, 1), *held = domain_find_get(9);

    ck_assert_ptr_eq(held, e);
    domain_begin_death(e);
    ck_assert(domain_is_dying(e));
    ck_assert_int_eq(domain_release_events(e), 0);
    ck_assert_int_eq(domain_end_death(e), 0);
    ck_assert_ptr_null(domain_find_get(9));
    ck_assert(domain_is_dying(held));
    domain_put(held);
}
END_TEST

START_TEST(test_domain_shut_down_stops_it_and_tells_dom0)
{
    struct evtchn_bind_virq_args virq = {.virq = VIRQ_DOM_EXC};
    struct sched_shutdown_args op = {.reason = SHUTDOWN_reboot};

    fake.cpu = 1;
    ck_assert_int_eq(
        fake_call_with(hc_event_channel_op, EVTCHNOP_bind_virq, &virq), 0);
    fake.cpu = 0;
    ck_assert_int_eq(fake_call_with(hc_sched_op, SCHEDOP_shutdown, &op), 0);
    ck_assert_int_eq(d->state, DOMAIN_SHUT_DOWN);
    ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_reboot);
    ck_assert(evtchn_is_pending(admin, virq.port));
    ck_assert_ptr_null(fake_pick());
    domain_shut_down(d, SHUTDOWN_crash);
    ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_reboot);
}
END_TEST

START_TEST(test_domain_shut_down_refuses_unknown_reasons)
{
    struct sched_shutdown_args op = {.reason = 6};

    ck_assert_int_eq(fake_call_with(hc_sched_op, SCHEDOP_shutdown, &op),
                     -EINVAL);
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_shutdown, FAKE_BAD_VA, 0),
                     -EFAULT);
    ck_assert_int_eq(fake_call(hc_sched_op, SCHEDOP_pin_override, 0, 0),
                     -ENOSYS);
    ck_assert_int_eq(d->state, DOMAIN_ALIVE);
}
END_TEST

START_TEST(test_domain_end_of_dom0_ends_the_machine)
{
    struct sched_shutdown_args op = {.reason = SHUTDOWN_poweroff};

    fake.cpu = 1;
    ck_assert_int_eq(
        FAKE_CATCH((void)fake_call_with(hc_sched_op, SCHEDOP_shutdown, &op)),
        FAKE_POWER_OFF);
    op.reason = SHUTDOWN_reboot;
    ck_assert_int_eq(
        FAKE_CATCH((void)fake_call_with(hc_sched_op, SCHEDOP_shutdown, &op)),
        FAKE_REBOOT);
    ck_assert_int_eq(FAKE_CATCH(domain_crash(admin, "for the test")),
                     FAKE_REBOOT);
    op.reason = SHUTDOWN_suspend;
    ck_assert_int_eq(fake_call_with(hc_sched_op, SCHEDOP_shutdown, &op), 1);
}
END_TEST

START_TEST(test_domain_crash_says_so)
{
    domain_crash(d, "number %d", 7);
    ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_crash);
}
END_TEST

START_TEST(test_domain_remote_shutdown_is_for_the_administrator)
{
    struct sched_remote_shutdown_args op = {.domain_id = 0,
                                            .reason = SHUTDOWN_crash};

    ck_assert_int_eq(fake_call_with(hc_sched_op, SCHEDOP_remote_shutdown, &op),
                     -EPERM);
    fake.cpu = 1;
    ck_assert_int_eq(fake_call_with(hc_sched_op, SCHEDOP_remote_shutdown, &op),
                     -EINVAL);
    op.domain_id = 77;
    ck_assert_int_eq(fake_call_with(hc_sched_op, SCHEDOP_remote_shutdown, &op),
                     -ESRCH);
    op.domain_id = 1;
    ck_assert_int_eq(fake_call_with(hc_sched_op, SCHEDOP_remote_shutdown, &op),
                     0);
    ck_assert_int_eq(d->state, DOMAIN_SHUT_DOWN);
    ck_assert_uint_eq(d->refs, 1);
}
END_TEST

static long watchdog(uint32_t id, uint32_t seconds)
{
    struct sched_watchdog_args op = {.id = id, .timeout = seconds};

    return fake_call_with(hc_sched_op, SCHEDOP_watchdog, &op);
}

START_TEST(test_domain_watchdog_bites_when_not_fed)
{
    ck_assert_int_eq(watchdog(0, 10), 1);
    for (unsigned i = 0; i < 5; i++) {
        fake.now += 8 * NSEC_PER_SEC;
        timers_run(fake.now);
        ck_assert_int_eq(watchdog(1, 10), 0);
    }
    ck_assert_int_eq(d->state, DOMAIN_ALIVE);
    fake.now += 10 * NSEC_PER_SEC;
    timers_run(fake.now);
    ck_assert_int_eq(d->state, DOMAIN_SHUT_DOWN);
    ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_watchdog);
}
END_TEST

START_TEST(test_domain_watchdog_ids)
{
    ck_assert_int_eq(watchdog(0, 0), -EINVAL);
    ck_assert_int_eq(watchdog(1, 10), -EINVAL);
    ck_assert_int_eq(watchdog(2, 10), -EINVAL);
    ck_assert_int_eq(watchdog(~0u, 10), -EINVAL);
    ck_assert_int_eq(watchdog(0, ~0u), 1);
    ck_assert_int_eq(watchdog(0, 10), -ENOSPC);
    ck_assert_int_eq(watchdog(1, 0), 0);
    ck_assert_int_eq(watchdog(1, 10), -EINVAL);
    ck_assert_int_eq(watchdog(0, 10), 1);
}
END_TEST

static void let_others_schedule(void)
{
    unsigned cpu = fake.cpu;

    fake.cpu = 1 - cpu;
    fake_pick();
    fake.cpu = cpu;
}

START_TEST(test_domain_pause_waits_and_counts)
{
    fake.cpu = 1;
    fake.on_spin = let_others_schedule;
    domain_pause(d);
    domain_pause(d);
    ck_assert_ptr_null(pcpus[0].current);
    ck_assert_uint_eq(d->vcpus[0]->loaded_on, NO_PCPU);
    domain_unpause(d);
    fake.cpu = 0;
    ck_assert_ptr_null(fake_pick());
    domain_unpause(d);
    ck_assert_ptr_eq(fake_pick(), d->vcpus[0]);
}
END_TEST

START_TEST(test_domain_vcpu_made_while_paused_is_paused)
{
    struct domain *e = domain_create(9, 1);
    struct vcpu *v;

    domain_pause(e);
    v = vcpu_create(e, 0);
    v->initialised = true;
    ck_assert_int_eq(vcpu_up(v), 0);
    ck_assert(!prioq_contains(&v->run_node));
    domain_unpause(e);
    ck_assert(prioq_contains(&v->run_node));
}
END_TEST

static TCase *vcpus_case(void)
{
    TCase *tc = tcase_create("vcpus");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_vcpu_info_moves_with_contents_and_all_pending);
    tcase_add_test(tc, test_vcpu_info_events_go_to_new_place);
    tcase_add_test(tc, test_vcpu_info_moves_once);
    tcase_add_test(tc, test_vcpu_info_place_is_checked);
    tcase_add_test(tc, test_vcpu_info_of_another_running_vcpu_stays);
    tcase_add_test(tc, test_vcpu_info_reference_goes_with_the_domain);
    tcase_add_test(tc, test_vcpu_unknown_ids_and_commands);
    tcase_add_test(tc, test_vcpu_initialise_once_then_up);
    tcase_add_test(tc, test_vcpu_initialise_restarts_when_told);
    tcase_add_test(tc, test_vcpu_beyond_shared_info_needs_its_place_first);
    tcase_add_test(tc, test_vcpu_down_stops_the_caller_until_up);
    tcase_add_test(tc, test_vcpu_last_one_down_powers_off);
    tcase_add_test(tc, test_vcpu_nmi_reaches_the_machine);
    tcase_add_test(tc, test_vcpu_singleshot_wakes_the_sleeper);
    tcase_add_test(tc, test_vcpu_singleshot_in_the_past_fires_at_once);
    tcase_add_test(tc, test_vcpu_singleshot_is_the_callers_own);
    tcase_add_test(tc, test_vcpu_set_timer_op_arms_and_cancels);
    tcase_add_test(tc, test_vcpu_periodic_ticks_until_stopped);
    tcase_add_test(tc, test_vcpu_periodic_follows_to_its_pcpu);
    tcase_add_test(tc, test_vcpu_runstate_area_is_kept_up_to_date);
    tcase_add_test(tc, test_vcpu_time_area_follows_the_clock);
    tcase_add_test(tc, test_vcpu_runstate_area_bad_address_is_efault);
    tcase_add_test(tc, test_vcpu_runstate_half_written_area_has_no_flag);
    tcase_add_test(tc, test_vcpu_runstate_without_place_fills_no_log);
    tcase_add_test(tc, test_vcpu_runstate_info_counts_up_to_now);
    return tc;
}

static TCase *domains_case(void)
{
    TCase *tc = tcase_create("domains");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_domain_starts_with_masked_events);
    tcase_add_test(tc, test_domain_list_is_sorted_and_ids_are_unique);
    tcase_add_test(tc, test_domain_creation_that_fails_leaves_nothing);
    tcase_add_test(tc, test_domain_serials_are_used_once);
    tcase_add_test(tc, test_domain_create_and_end_gives_all_memory_back);
    tcase_add_test(tc, test_domain_with_mapped_shared_info_cannot_end_yet);
    tcase_add_test(tc, test_domain_reference_outlives_the_end);
    tcase_add_test(tc, test_domain_shut_down_stops_it_and_tells_dom0);
    tcase_add_test(tc, test_domain_shut_down_refuses_unknown_reasons);
    tcase_add_test(tc, test_domain_end_of_dom0_ends_the_machine);
    tcase_add_test(tc, test_domain_crash_says_so);
    tcase_add_test(tc, test_domain_remote_shutdown_is_for_the_administrator);
    tcase_add_test(tc, test_domain_watchdog_bites_when_not_fed);
    tcase_add_test(tc, test_domain_watchdog_ids);
    tcase_add_test(tc, test_domain_pause_waits_and_counts);
    tcase_add_test(tc, test_domain_vcpu_made_while_paused_is_paused);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("vcpu");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, vcpus_case());
    suite_add_tcase(suite, domains_case());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
