/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: creation, the page through which guest and Mica share event and
 * clock state, runstate accounting and timers. Who runs is the scheduler's.
 */
#include "core/vcpu.h"

#include "hypercall_abi/sched.h"
#include "hypercall_abi/vm_assist.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/run_queue.h"
#include "core/sched.h"

/* The tick of a new vCPU: old kernels count on it, others stop it. */
#define DEFAULT_PERIOD (10 * NSEC_PER_MS)

/* --- timers -------------------------------------------------------------- */

static void singleshot_fires(struct timer *t, nsec_t now)
{
    (void)now;
    evtchn_raise_virq(container_of(t, struct vcpu, singleshot), VIRQ_TIMER);
}

/* Ticks that were missed are not made up for. */
static void periodic_fires(struct timer *t, nsec_t now)
{
    struct vcpu *v = container_of(t, struct vcpu, periodic);
    nsec_t period = __atomic_load_n(&v->period, __ATOMIC_RELAXED);

    if (!period || !vcpu_is_up(v))
        return;
    evtchn_raise_virq(v, VIRQ_TIMER);
    timer_arm(t, now + period);
}

static void wake_is_due(struct timer *t, nsec_t now)
{
    (void)now;
    sched_wake(container_of(t, struct vcpu, wake_timer));
}

/* Stops what would raise VIRQ_TIMER; the period is kept. */
void vcpu_stop_timers(struct vcpu *v)
{
    timer_cancel(&v->singleshot);
    timer_cancel(&v->periodic);
}

/* Stops all timers of a vCPU that is ending; no handler runs afterwards. */
void vcpu_end_timers(struct vcpu *v)
{
    timer_cancel_sync(&v->singleshot);
    timer_cancel_sync(&v->periodic);
    timer_cancel_sync(&v->wake_timer);
}

/* Ticks every `period` nanoseconds from now on; 0 stops. */
void vcpu_set_period(struct vcpu *v, nsec_t period)
{
    __atomic_store_n(&v->period, period, __ATOMIC_RELAXED);
    if (period && vcpu_is_up(v))
        timer_arm(&v->periodic, arch_now() + period);
    else
        timer_cancel(&v->periodic);
}

/* --- life ---------------------------------------------------------------- */

/*
 * Adds vCPU `id`, below max_vcpus and not there yet, to a domain: down and
 * without registers. NULL when memory is short.
 */
struct vcpu *vcpu_create(struct domain *d, unsigned id)
{
    struct vcpu *v = heap_zalloc(sizeof(*v));

    if (!v)
        return NULL;
    v->id = id;
    v->domain = d;
    v->cpu = (d->id + id) % pcpu_count;
    v->own_info.evtchn_upcall_mask = 1;
    v->info = id < XEN_LEGACY_MAX_VCPUS ? &d->shared_info->vcpu_info[id]
                                        : &v->own_info;
    v->info_frame = MFN_INVALID;
    v->kernel_root = v->user_root = MFN_INVALID;
    timer_init(&v->singleshot, singleshot_fires);
    timer_init(&v->periodic, periodic_fires);
    timer_init(&v->wake_timer, wake_is_due);
    v->period = DEFAULT_PERIOD;
    if (arch_vcpu_create(v)) {
        heap_zfree(v, sizeof(*v));
        return NULL;
    }
    spin_lock(&d->state_lock);
    sched_init_vcpu(v, d->sched_weight,
                    d->pause_count + (d->state != DOMAIN_ALIVE));
    __atomic_store_n(&d->vcpus[id], v, __ATOMIC_RELEASE);
    spin_unlock(&d->state_lock);
    return v;
}

/*
 * Lets go of the guest's page with the vcpu_info, which then is Mica's own
 * again. For a domain that is being torn down.
 */
void vcpu_release_info(struct vcpu *v)
{
    struct domain *d = v->domain;
    mfn_t frame;

    spin_lock(&d->event_lock);
    frame = v->info_frame;
    v->info_frame = MFN_INVALID;
    __atomic_store_n(&v->info, &v->own_info, __ATOMIC_SEQ_CST);
    spin_unlock(&d->event_lock);
    if (!mfn_equal(frame, MFN_INVALID))
        frame_put_writable(frame_lookup(frame));
}

/* Frees a vCPU that runs no more; nobody may be looking at it. */
void vcpu_destroy(struct vcpu *v)
{
    vcpu_end_timers(v);
    vcpu_release_info(v);
    arch_vcpu_destroy(v);
    heap_zfree(v, sizeof(*v));
}

/* Lets a vCPU run. 0; -EINVAL when it has no registers yet. */
int vcpu_up(struct vcpu *v)
{
    if (!__atomic_load_n(&v->initialised, __ATOMIC_ACQUIRE))
        return -EINVAL;
    if (vcpu_is_up(v))
        return 0;
    arch_vcpu_time_publish(v);
    sched_bring_up(v);
    vcpu_set_period(v, __atomic_load_n(&v->period, __ATOMIC_RELAXED));
    return 0;
}

/* Takes a vCPU down. With its last one the domain has powered itself off. */
void vcpu_down(struct vcpu *v)
{
    struct domain *d = v->domain;

    sched_take_down(v);
    vcpu_stop_timers(v);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        v = domain_vcpu(d, i);
        if (v && vcpu_is_up(v))
            return;
    }
    domain_shut_down(d, SHUTDOWN_poweroff);
}

/* --- vcpu_info ----------------------------------------------------------- */

/*
 * Moves the vcpu_info to `offset` in a frame of the domain, which keeps a
 * writable reference from then on. Once per vCPU, which must be the current
 * one or down. 0; -EINVAL, or what frame_find_writable says.
 */
int vcpu_register_info(struct vcpu *v, mfn_t frame, unsigned offset)
{
    struct domain *d = v->domain;
    struct vcpu_info *to;
    struct frame *f;
    int error;

    if (offset % _Alignof(struct vcpu_info) ||
        offset > PAGE_SIZE - sizeof(struct vcpu_info))
        return refuse(-EINVAL, "vcpu_info at offset %u", offset);
    if (v != current_vcpu() && vcpu_is_up(v))
        return refuse(-EINVAL, "vCPU %u is running", v->id);
    error = frame_find_writable(frame, d, &f);
    if (error)
        return error;
    to = (void *)((char *)arch_frame_ptr(frame) + offset);
    spin_lock(&d->event_lock);
    if (!mfn_equal(v->info_frame, MFN_INVALID) || domain_is_dying(d)) {
        spin_unlock(&d->event_lock);
        frame_put_writable(f);
        return -EINVAL;
    }
    memcpy(to, v->info, sizeof(*to));
    v->info_frame = frame;
    __atomic_store_n(&v->info, to, __ATOMIC_SEQ_CST);
    spin_unlock(&d->event_lock);
    arch_vcpu_time_publish(v);
    /* Those that arrived in between are marked in the old place. */
    evtchn_mark_all_pending(v);
    return 0;
}

/* --- runstate ------------------------------------------------------------ */

static void account(struct vcpu_runstate_info *r, nsec_t now)
{
    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
}

/* Notes that `v` is in `runstate` since `now`. With its queue's run_lock. */
void vcpu_set_runstate(struct vcpu *v, int runstate, nsec_t now)
{
    if (v->runstate.state == runstate)
        return;
    account(&v->runstate, now);
    v->runstate.state = runstate;
    __atomic_store_n(&v->runstate_stale, true, __ATOMIC_RELAXED);
}

static void snapshot(const struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct pcpu *p = run_queue_lock(v);

    *out = v->runstate;
    spin_unlock(&p->run_lock);
}

/* The record of `v` with the time in its present state up to now. */
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    snapshot(v, out);
    account(out, arch_now());
}

/*
 * Copies a record to the guest. Its part at `mark` says meanwhile that it is
 * not whole, and is *done at last: readers, also on other pCPUs, wait for that.
 */
static bool write_marked(guest_va area, const void *record, size_t size,
                         size_t mark, const void *done, size_t mark_size)
{
    guest_va mark_at = guest_va_add(area, mark);
    bool is_copied;

    if (copy_out(mark_at, (const char *)record + mark, mark_size))
        return false;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    is_copied = !copy_out(area, record, size);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return !copy_out(mark_at, done, mark_size) && is_copied;
}

/* The mark is the guest's choice. */
static bool write_runstate(struct vcpu *v, guest_va area)
{
    struct vcpu_runstate_info r;
    uint64_t entered_at;

    snapshot(v, &r);
    entered_at = r.state_entry_time;
    if (domain_has_assist(v->domain, VMASST_TYPE_runstate_update_flag))
        r.state_entry_time |= XEN_RUNSTATE_UPDATE;
    return write_marked(area, &r, sizeof(r),
                        offsetof(struct vcpu_runstate_info, state_entry_time),
                        &entered_at, sizeof(entered_at));
}

/* Of the versions only even ones come with a clock that is whole. */
static bool write_time(struct vcpu *v, guest_va area)
{
    struct vcpu_time_info t;
    uint32_t version;

    memcpy(&t, &vcpu_info_of(v)->time, sizeof(t));
    version = t.version & ~1u;
    t.version = version - 1;
    return write_marked(area, &t, sizeof(t),
                        offsetof(struct vcpu_time_info, version), &version,
                        sizeof(version));
}

static bool (*const write_area[])(struct vcpu *v, guest_va area) = {
    [AREA_RUNSTATE] = write_runstate,
    [AREA_TIME] = write_time,
};

/*
 * Names the place in guest memory where a record of `v` is kept up to date, or
 * 0 for none, and writes it once through the caller's tables. 0; -EFAULT.
 */
int vcpu_set_area(struct vcpu *v, enum vcpu_area area, uint64_t va)
{
    if (va && !write_area[area](v, (guest_va){va}))
        return -EFAULT;
    __atomic_store_n(&v->areas[area], va, __ATOMIC_RELAXED);
    return 0;
}

/*
 * Writes the records of `v`, the current vCPU, to their areas if its runstate
 * changed: its clock is new whenever it comes to a pCPU. For the machine,
 * before it enters the guest's kernel. A place that can't be written misses
 * this change.
 */
void vcpu_runstate_publish(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->runstate_stale, false, __ATOMIC_RELAXED))
        return;
    for (unsigned i = 0; i < ARRAY_LEN(v->areas); i++) {
        uint64_t va = __atomic_load_n(&v->areas[i], __ATOMIC_RELAXED);

        if (va && !write_area[i](v, (guest_va){va}))
            log_guest(LOG_DEBUG, "no place at %#lx", va);
    }
}
