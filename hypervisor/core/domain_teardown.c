/* SPDX-License-Identifier: MIT */
/*
 * The end of a domain, whatever state it is in: nothing of it runs or is
 * reached any more, then it gives back ports, page tables, grants, interrupts
 * and memory, each step restartable, and leaves the list.
 *
 * What others still use of it stays theirs until they let go: a frame mapped
 * elsewhere is freed with its last reference, and until then its owner stays
 * in the list, dying and empty. A timer looks after such domains.
 */
#include "core/domain.h"

#include "hypercall_abi/sched.h"

#include "core/arch.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "core/sched.h"

/* How often to look whether others have let go. */
#define REAP_PERIOD (100 * NSEC_PER_MS)

/* --- nothing runs -------------------------------------------------------- */

/*
 * Starts the end: from now on the domain is dying, its vCPUs and their timers don't
 * run, and it gets no new ports or frames. The caller, who may repeat it, has
 * no locks and is no vCPU of the domain.
 */
void domain_begin_death(struct domain *d)
{
    spin_lock(&d->state_lock);
    if (d->state == DOMAIN_ALIVE)
        domain_for_each_vcpu(d, sched_pause);
    __atomic_store_n(&d->state, DOMAIN_DYING, __ATOMIC_RELEASE);
    spin_unlock(&d->state_lock);
    domain_for_each_vcpu(d, sched_wait_until_saved);
    domain_for_each_vcpu(d, vcpu_end_timers);
    /* Whoever was giving it ports or frames has finished. */
    spin_lock(&d->event_lock);
    spin_unlock(&d->event_lock);
    spin_lock(&d->memory_lock);
    spin_unlock(&d->memory_lock);
}

/* --- steps --------------------------------------------------------------- */

/*
 * Closes the ports of a dying domain and lets go of the guest frames that
 * hold event state. 0, or -ERESTART to be called again.
 */
int domain_release_events(struct domain *d)
{
    int error = evtchn_close_all(d);

    if (!error)
        domain_for_each_vcpu(d, vcpu_release_info);
    return error;
}

/*
 * What the vCPUs themselves hold: roots and descriptor tables. To have no root
 * is never refused.
 */
static int release_vcpus(struct domain *d)
{
    int error = 0;

    domain_for_each_vcpu(d, arch_vcpu_release_frames);
    spin_lock(&d->pt_lock);
    domain_vcpus(v, d)
    {
        error |= vcpu_change_root(v, &v->kernel_root, MFN_INVALID);
        error |= vcpu_change_root(v, &v->user_root, MFN_INVALID);
    }
    error |= pt_drain(d);
    spin_unlock(&d->pt_lock);
    return error;
}

/* Unpins `f`, or undoes its promotion if that was left half-way. */
static int release_table(struct domain *d, struct frame *f)
{
    uint64_t state = __atomic_load_n(&f->state, __ATOMIC_RELAXED);
    int error;

    if (!(state & (FRAME_PINNED | FRAME_PARTIAL)))
        return 0;
    if (state & FRAME_PINNED) {
        __atomic_fetch_and(&f->state, ~FRAME_PINNED, __ATOMIC_SEQ_CST);
        pt_put_table(d, f);
    }
    error = pt_settle(d, f);
    return !error && hypercall_should_restart() ? -ERESTART : error;
}

static int release_tables_of_chunk(struct domain *d, uint64_t end)
{
    for (; d->teardown_cursor < end; d->teardown_cursor++) {
        struct frame *f = frame_lookup(MFN(d->teardown_cursor));

        if (f && frame_owner(f) == d->id && release_table(d, f))
            return -ERESTART;
    }
    return 0;
}

static int release_chunk(struct domain *d, uint64_t end)
{
    frame_give_up(MFN(d->teardown_cursor), end - d->teardown_cursor, d);
    return 0;
}

/*
 * Calls `act` for each chunk where `d` may own frames, from teardown_cursor
 * on, which a chunk that is not done with moves on itself. To find the next is
 * a matter of microseconds even where a domain has given terabytes back.
 */
static int for_each_chunk(struct domain *d,
                          int (*act)(struct domain *d, uint64_t end))
{
    uint64_t chunks = frame_table_end / FRAME_CHUNK + 1, chunk;

    while ((chunk = bitmap_next(d->owned_chunks, chunks,
                                d->teardown_cursor / FRAME_CHUNK)) < chunks) {
        d->teardown_cursor = max_u64(d->teardown_cursor, chunk * FRAME_CHUNK);
        if (act(d, (chunk + 1) * FRAME_CHUNK))
            return -ERESTART;
        d->teardown_cursor = (chunk + 1) * FRAME_CHUNK;
        if (hypercall_should_restart())
            return -ERESTART;
    }
    d->teardown_cursor = 0;
    return 0;
}

static int release_tables(struct domain *d)
{
    int error;

    spin_lock(&d->pt_lock);
    error = for_each_chunk(d, release_tables_of_chunk);
    if (!error)
        error = pt_drain(d);
    spin_unlock(&d->pt_lock);
    return error;
}

static int release_memory(struct domain *d)
{
    return for_each_chunk(d, release_chunk);
}

static int (*const steps[])(struct domain *d) = {
    domain_release_events, release_vcpus,  release_tables,
    grant_release_all,     release_memory,
};

/* --- leaving the list ---------------------------------------------------- */

/* Whether `d`, all of whose steps are done, is out of the list. */
static bool try_end(struct domain *d)
{
    return !__atomic_load_n(&d->page_count, __ATOMIC_ACQUIRE) &&
           !grant_release_all(d) && domain_end_death(d) != -EBUSY;
}

static void reap(struct timer *t, nsec_t now)
{
    bool any_left = false;
    struct domain *d;
    unsigned id = 0;

    while ((d = domain_next_get((domid_t)id))) {
        if (__atomic_load_n(&d->teardown_step, __ATOMIC_ACQUIRE) ==
            ARRAY_LEN(steps))
            any_left |= !try_end(d);
        id = d->id + 1u;
        domain_put(d);
    }
    if (any_left)
        timer_arm(t, now + REAP_PERIOD);
}

/* Looks after what others still use. dom0 hears that it is dying. */
static void await_end(void)
{
    static struct timer reaper;

    if (!reaper.handler)
        timer_init(&reaper, reap);
    timer_arm(&reaper, arch_now() + REAP_PERIOD);
    evtchn_raise_global_virq(dom0, VIRQ_DOM_EXC);
}

/*
 * Ends a domain that is not the caller's own: 0 once it has given back all it
 * can, when it is either gone or, while others use something of it, an empty
 * record that goes by itself; -ERESTART to be called again. With a reference,
 * and only by one caller at a time: domctl's lock.
 */
int domain_destroy(struct domain *d)
{
    domain_begin_death(d);
    while (d->teardown_step < ARRAY_LEN(steps)) {
        int error = steps[d->teardown_step](d);

        if (error == -ERESTART) /* a table that others map is try_end's */
            return error;
        __atomic_store_n(&d->teardown_step, d->teardown_step + 1,
                         __ATOMIC_RELEASE);
        if (d->teardown_step < ARRAY_LEN(steps) && hypercall_should_restart())
            return -ERESTART; /* not after the last: reap might get ahead */
    }
    if (!try_end(d))
        await_end();
    return 0;
}
