/* SPDX-License-Identifier: MIT */
/*
 * What a person may ask of a running machine, by keys on Mica's own side of
 * the console or by `mica debug-keys`. An action runs in interrupt context or
 * in a hypercall with no lock held, prints by the log and takes bounded time.
 */
#include "core/arch.h"
#include "core/evtchn.h"
#include "core/frame_audit.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "x86/vcpu.h"

/* How long the auditor's key waits for vCPUs to stop. */
#define STOP_LIMIT (200 * NSEC_PER_MS)

/* Shows or changes all domains and their vCPUs; NULL for nothing to do. */
static void walk(void (*of_domain)(struct domain *d),
                 void (*of_vcpu)(struct vcpu *v))
{
    struct domain *d;

    for (unsigned id = 0; (d = domain_next_get((domid_t)id)); domain_put(d)) {
        if (of_domain)
            of_domain(d);
        if (of_vcpu)
            domain_for_each_vcpu(d, of_vcpu);
        id = d->id + 1u;
    }
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

static void show_domain(struct domain *d)
{
    static const char *const states[] = {"alive", "shut down", "dying"};

    log_info("domain %u: %s%s, paused %u, %lu of %lu pages, %u vCPUs at most, "
             "%u references",
             d->id, states[d->state], d->is_privileged ? ", privileged" : "",
             d->pause_count, d->page_count, d->max_pages, d->max_vcpus,
             d->refs);
}

/*
 * The lock keeps the tables of a vCPU that runs elsewhere what they are. Nobody
 * has it here, and a holder that waits for this pCPU to flush is served.
 */
static void show_registers(struct vcpu *v)
{
    spin_lock(&v->domain->pt_lock);
    arch_vcpu_report(v);
    spin_unlock(&v->domain->pt_lock);
}

/* --- event channels ------------------------------------------------------ */

static void show_port(struct domain *d, evtchn_port_t port)
{
    static const char *const names[] = {
        [PORT_UNBOUND] = "unbound", [PORT_INTERDOMAIN] = "interdomain",
        [PORT_VIRQ] = "VIRQ",       [PORT_IPI] = "IPI",
        [PORT_PIRQ] = "PIRQ",
    };
    struct port_info info;

    if (!evtchn_get_info(d, port, &info) && names[info.state])
        log_info("  port %u: %s, vCPU %u, remote d%u port %u, irq %u%s", port,
                 names[info.state], info.vcpu, info.remote_domain,
                 info.remote_port, info.irq,
                 evtchn_is_pending(d, port) ? ", pending" : "");
}

static void show_events(struct domain *d)
{
    log_info("domain %u: event channels", d->id);
    for (evtchn_port_t port = 1; port < EVTCHN_PORTS; port++)
        show_port(d, port);
}

/* --- memory -------------------------------------------------------------- */

static void show_memory(struct domain *d)
{
    uint64_t of[FRAME_SHARED + 1] = {0}, partial = 0, pinned = 0, cursor = 0;
    struct frame *f;

    while (frame_next_owned(d, &cursor, &f)) {
        uint64_t state = __atomic_load_n(&f->state, __ATOMIC_RELAXED);

        of[frame_used_type(f)]++;
        partial += (state & FRAME_PARTIAL) != 0;
        pinned += (state & FRAME_PINNED) != 0;
    }
    log_info("domain %u: %lu of %lu pages: %lu writable, tables %lu L1 %lu L2 "
             "%lu L3 %lu L4, %lu segdesc; %lu partial, %lu pinned",
             d->id, d->page_count, d->max_pages, of[FRAME_WRITABLE],
             of[FRAME_L1], of[FRAME_L2], of[FRAME_L3], of[FRAME_L4],
             of[FRAME_SEGDESC], partial, pinned);
}

static void show_heap(void)
{
    log_info("heap: %lu frames free, %lu MiB", heap_free_frames(),
             heap_free_frames() >> (20 - PAGE_SHIFT));
}

/* --- the auditor --------------------------------------------------------- */

static bool all_stopped; /* of the one audit under way */

static void look_at_vcpu(struct vcpu *v)
{
    unsigned on = __atomic_load_n(&v->loaded_on, __ATOMIC_ACQUIRE);

    all_stopped &= on == NO_PCPU || on == this_pcpu()->id;
}

/*
 * Waits with a limit: a vCPU that itself waits for this pCPU, which will not
 * pass its scheduling point before the audit is over, never stops.
 */
static void audit(void)
{
    nsec_t start = arch_now();

    walk(NULL, sched_pause);
    do {
        arch_spin_wait();
        all_stopped = true;
        walk(NULL, look_at_vcpu);
    } while (!all_stopped && arch_now() - start < STOP_LIMIT);
    if (!all_stopped)
        log_info("audit: a vCPU does not stop; try again");
    else if (!frame_audit())
        log_info("audit: all counts are right, found in %lu us",
                 (arch_now() - start) / 1000);
    walk(NULL, sched_unpause);
}

/* --- the keys ------------------------------------------------------------ */

static void show_help(void);

static const struct {
    const char *key, *help;
    void (*act)(void); /* or NULL; then walk */
    void (*of_domain)(struct domain *d);
    void (*of_vcpu)(struct vcpu *v);
} keys[] = {
    {"h", "this list", show_help, NULL, NULL},
    {"q", "domains and vCPUs", NULL, show_domain, show_vcpu},
    {"d", "registers of vCPUs", NULL, NULL, show_registers},
    {"e", "event channels", NULL, show_events, NULL},
    {"m", "memory of Mica and of domains", show_heap, show_memory, NULL},
    {"F", "audit the frame table", audit, NULL, NULL},
    {"R", "reset the machine", arch_reboot, NULL, NULL},
};

static void show_help(void)
{
    log_info("Debug keys:");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        log_info("  %s  %s", keys[i].key, keys[i].help);
}

/* Runs the actions of `key`; others have none. */
void machine_press_key(char key)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (*keys[i].key != key)
            continue;
        if (keys[i].act)
            keys[i].act();
        walk(keys[i].of_domain, keys[i].of_vcpu);
    }
}
