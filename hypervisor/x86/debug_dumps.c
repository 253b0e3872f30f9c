/* SPDX-License-Identifier: MIT */
/*
 * Debug keys that show the state of domains, vCPUs, event channels, memory,
 * run queues, and that run the auditor; power has keys of its own.
 * They run in interrupt context (debug_keys.h): this pCPU came from a guest or
 * from idling and holds no lock.
 */
#include "x86/debug_dumps.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "x86/crash.h"
#include "x86/debug_keys.h"
#include "x86/vcpu.h"

/* How long the auditor's key waits for vCPUs to stop. */
#define STOP_LIMIT (200 * NSEC_PER_MS)

/* The domain after `d`, which is put, or the first one; NULL at the end. */
static struct domain *next_domain(struct domain *d)
{
    struct domain *next = domain_next_get(d ? (domid_t)(d->id + 1) : 0);

    if (d)
        domain_put(d);
    return next;
}

static struct vcpu *next_vcpu(struct domain *d, const struct vcpu *v)
{
    for (unsigned id = v ? v->id + 1 : 0; id < d->max_vcpus; id++)
        if (domain_vcpu(d, id))
            return domain_vcpu(d, id);
    return NULL;
}

static void for_each_vcpu(void (*act)(struct vcpu *v))
{
    struct domain *d = NULL;

    while ((d = next_domain(d)))
        for (struct vcpu *v = NULL; (v = next_vcpu(d, v));)
            act(v);
}

/* --- domains and vCPUs --------------------------------------------------- */

static void show_vcpu(struct vcpu *v)
{
    static const char *const states[] = {"down", "blocked", "runnable",
                                         "running"};
    const struct vcpu_info *info = vcpu_info_of(v);

    log_info("  vCPU %u: %s on pCPU %u, paused %u, in its %s, upcall pending "
             "%u, masked %u, roots %#lx %#lx",
             v->id, states[v->state], v->cpu, v->pause_count,
             v->arch->in_kernel ? "kernel" : "application",
             info->evtchn_upcall_pending, info->evtchn_upcall_mask,
             v->kernel_root.n, v->user_root.n);
}

static void show_domains(void)
{
    static const char *const states[] = {"alive", "shut down", "dying"};
    struct domain *d = NULL;

    while ((d = next_domain(d))) {
        log_info("domain %u: %s%s, paused %u, %lu of %lu pages, %u vCPUs at "
                 "most, %u references",
                 d->id, states[d->state],
                 d->is_privileged ? ", privileged" : "", d->pause_count,
                 d->page_count, d->max_pages, d->max_vcpus, d->refs);
        for (struct vcpu *v = NULL; (v = next_vcpu(d, v));)
            show_vcpu(v);
    }
}

/* Registers that another pCPU has loaded are those of its last switch. */
static void show_registers_of(struct vcpu *v)
{
    unsigned on = __atomic_load_n(&v->loaded_on, __ATOMIC_RELAXED);

    if (!v->initialised)
        return;
    if (on != NO_PCPU && on != this_pcpu()->id)
        log_info("d%u vCPU %u runs on pCPU %u: its registers are old",
                 v->domain->id, v->id, on);
    crash_show_guest(v);
}

static void show_registers(void)
{
    for_each_vcpu(show_registers_of);
}

/* --- event channels ------------------------------------------------------ */

static void show_port(struct domain *d, evtchn_port_t port)
{
    static const char *const names[] = {"free", "unbound", "interdomain",
                                        "VIRQ", "IPI",     "PIRQ"};
    struct port_info info;

    if (evtchn_get_info(d, port, &info) || info.state == PORT_FREE)
        return;
    log_info("  port %u: %s, vCPU %u, remote d%u port %u, irq %u%s", port,
             names[info.state], info.vcpu, info.remote_domain, info.remote_port,
             info.irq, evtchn_is_pending(d, port) ? ", pending" : "");
}

static void show_events(void)
{
    struct domain *d = NULL;

    while ((d = next_domain(d))) {
        log_info("domain %u: event channels", d->id);
        for (evtchn_port_t port = 1; port < EVTCHN_PORTS; port++)
            show_port(d, port);
    }
}

/* --- memory -------------------------------------------------------------- */

#define TYPES 8

static void show_domain_memory(struct domain *d)
{
    uint64_t by_type[TYPES] = {0}, partial = 0, pinned = 0, cursor = 0;
    struct frame *f;

    while (frame_next_owned(d, &cursor, &f)) {
        uint64_t state = __atomic_load_n(&f->state, __ATOMIC_RELAXED);

        if (frame_type_count(state))
            by_type[(state & FRAME_TYPE_MASK) >> FRAME_TYPE_SHIFT]++;
        partial += (state & FRAME_PARTIAL) != 0;
        pinned += (state & FRAME_PINNED) != 0;
    }
    log_info("domain %u: %lu of %lu pages: %lu writable, tables %lu L1 %lu L2 "
             "%lu L3 %lu L4, %lu segdesc; %lu partial, %lu pinned",
             d->id, d->page_count, d->max_pages, by_type[FRAME_WRITABLE],
             by_type[FRAME_L1], by_type[FRAME_L2], by_type[FRAME_L3],
             by_type[FRAME_L4], by_type[FRAME_SEGDESC], partial, pinned);
}

static void show_memory(void)
{
    uint64_t free = heap_free_frames();
    struct domain *d = NULL;

    log_info("heap: %lu frames free, %lu MiB", free, free >> (20 - PAGE_SHIFT));
    log_info("flush clock: %u", flush_clock_read());
    while ((d = next_domain(d)))
        show_domain_memory(d);
}

/* --- scheduler ----------------------------------------------------------- */

static void show_queue(struct pcpu *p)
{
    struct vcpu *v;

    spin_lock(&p->run_lock);
    v = p->current;
    if (v)
        log_info("pCPU %u: runs d%uv%u, %u queued", p->id, v->domain->id, v->id,
                 p->run_count);
    else
        log_info("pCPU %u: idle, %u queued", p->id, p->run_count);
    list_for_each(v, &p->run_queue, run_link) log_info(
        "  d%uv%u: weight %u, deadline in %ld of virtual time", v->domain->id,
        v->id, v->weight, (long)(v->virtual_deadline - p->run_clock));
    spin_unlock(&p->run_lock);
}

static void show_queues(void)
{
    for (unsigned i = 0; i < pcpu_count; i++)
        show_queue(&pcpus[i]);
}

/* --- the auditor --------------------------------------------------------- */

static nsec_t stop_deadline; /* of the one audit under way */
static bool all_stopped;

static void pause_vcpu(struct vcpu *v)
{
    sched_pause(v);
}

static bool is_stopped(const struct vcpu *v)
{
    unsigned on = __atomic_load_n(&v->loaded_on, __ATOMIC_ACQUIRE);

    return on == NO_PCPU || on == this_pcpu()->id;
}

/*
 * Waits with a limit: a vCPU that itself waits for this pCPU, which will not
 * pass its scheduling point before the audit is over, never stops.
 */
static void wait_for_vcpu(struct vcpu *v)
{
    while (!is_stopped(v) && arch_now() < stop_deadline)
        arch_spin_wait();
    all_stopped &= is_stopped(v);
}

static void audit(void)
{
    nsec_t start = arch_now();

    stop_deadline = start + STOP_LIMIT;
    all_stopped = true;
    for_each_vcpu(pause_vcpu);
    for_each_vcpu(wait_for_vcpu);
    if (!all_stopped)
        log_info("audit: a vCPU does not stop; try again");
    else if (!frame_audit())
        log_info("audit: all counts are right, found in %lu us",
                 (arch_now() - start) / 1000);
    for_each_vcpu(sched_unpause);
}

void debug_dumps_init(void)
{
    debug_key_register('q', "domains and vCPUs", show_domains);
    debug_key_register('d', "registers of vCPUs", show_registers);
    debug_key_register('e', "event channels", show_events);
    debug_key_register('m', "memory of Mica and of domains", show_memory);
    debug_key_register('r', "run queues", show_queues);
    debug_key_register('F', "audit the frame table", audit);
}
