/* SPDX-License-Identifier: MIT */
/*
 * Domains: creation, the list of them, references, pausing, and how they shut
 * down. The tools build a domain's memory and grants; this file frees what it
 * made itself, after domain_teardown.c has seen to it that all others have let
 * go. Whoever still holds a reference keeps the empty record.
 */
#include "core/domain.h"

#include "hypercall_abi/sched.h"

#include "core/arch.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/vcpu.h"

/* By id. The lock nests inside any lock and holds none inside. */
static struct spinlock list_lock;
static struct domain *domains[DOMID_FIRST_RESERVED];
static uint64_t ids_in_use[BITMAP_WORDS(DOMID_FIRST_RESERVED)];
static unsigned domains_in_list;

struct domain *dom0;

/* --- the list ------------------------------------------------------------ */

static void add_to_list(struct domain *d)
{
    spin_lock(&list_lock);
    domains[d->id] = d;
    bit_set(ids_in_use, d->id);
    domains_in_list++;
    spin_unlock(&list_lock);
}

/* The domain with this id, with a reference, or NULL. */
struct domain *domain_find_get(domid_t id)
{
    struct domain *d = NULL;

    spin_lock(&list_lock);
    if (id < DOMID_FIRST_RESERVED)
        d = domains[index_clamp(id, DOMID_FIRST_RESERVED)];
    if (d)
        domain_get(d);
    spin_unlock(&list_lock);
    return d;
}

/* The domain with the lowest id from `from` up, with a reference, or NULL. */
struct domain *domain_next_get(domid_t from)
{
    struct domain *d;
    size_t id;

    do {
        id = bitmap_next(ids_in_use, DOMID_FIRST_RESERVED, from);
        d = domain_find_get((domid_t)id);
    } while (!d && id < DOMID_FIRST_RESERVED); /* it has just gone */
    return d;
}

/* Whether an id, below DOMID_FIRST_RESERVED, is in use. */
bool domain_exists(domid_t id)
{
    return __atomic_load_n(&domains[id], __ATOMIC_RELAXED);
}

/* How many domains there are, dying ones included. */
unsigned domain_count(void)
{
    return __atomic_load_n(&domains_in_list, __ATOMIC_RELAXED);
}

/* As domain_find_get, where DOMID_SELF means the domain of the current vCPU. */
struct domain *domain_resolve_get(domid_t id)
{
    struct domain *self = current_vcpu()->domain;

    if (id != DOMID_SELF && id != self->id)
        return domain_find_get(id);
    domain_get(self);
    return self;
}

/*
 * The domain that `id` names for `caller`, the current one: itself, or any if
 * it may administer Mica, with a reference. 0, -ESRCH, or -EPERM, also where
 * there is none.
 */
int domain_get_subject(struct domain *caller, domid_t id, struct domain **out)
{
    if (id != DOMID_SELF && id != caller->id && !caller->is_privileged)
        return refuse(-EPERM, "domain %u is another", id);
    *out = domain_resolve_get(id);
    return *out ? 0 : refuse(-ESRCH, "no domain %u", id);
}

/* --- creation and its reverse -------------------------------------------- */

static void watchdog_fires(struct timer *t, nsec_t now)
{
    (void)now;
    domain_shut_down(container_of(t, struct domain, watchdog),
                     SHUTDOWN_watchdog);
}

static void init_members(struct domain *d, domid_t id, unsigned max_vcpus)
{
    static uint64_t last_serial;

    d->id = id;
    d->serial = ++last_serial;
    d->max_vcpus = max_vcpus;
    d->refs = 1;
    d->shutdown_reason = NO_SHUTDOWN_CODE;
    d->sched_weight = SCHED_WEIGHT_DEFAULT;
    timer_init(&d->watchdog, watchdog_fires);
}

static int create_parts(struct domain *d)
{
    d->shared_info = heap_zalloc(PAGE_SIZE);
    d->io_frames = rangeset_create();
    if (!d->shared_info || !d->io_frames || frame_domain_create(d) ||
        evtchn_create(d) || grant_create(d))
        return -ENOMEM;
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
    return arch_domain_create(d);
}

/*
 * Frees whatever of a domain there is: it is half made, or its end has taken
 * back all that others could use.
 */
static void free_domain(struct domain *d)
{
    for (unsigned i = 0; domain_vcpu(d, i); i++)
        vcpu_destroy(d->vcpus[i]);
    if (d->arch)
        arch_domain_destroy(d);
    timer_cancel_sync(&d->watchdog);
    evtchn_destroy(d);
    grant_destroy(d);
    frame_domain_destroy(d);
    rangeset_destroy(d->io_frames);
    heap_zfree(d->shared_info, PAGE_SIZE);
    heap_zfree(d, sizeof(*d));
}

/*
 * A new domain without memory, vCPUs or rights, in the list; domain_end_death
 * takes it from there. NULL when memory is short or the id is taken or none
 * for a domain. By one caller at a time.
 */
struct domain *domain_create(domid_t id, unsigned max_vcpus)
{
    struct domain *d;

    if (id >= DOMID_FIRST_RESERVED || domain_exists(id) || !max_vcpus ||
        max_vcpus > MAX_VCPUS)
        return NULL;
    d = heap_zalloc(sizeof(*d));
    if (!d)
        return NULL;
    init_members(d, id, max_vcpus);
    if (create_parts(d)) {
        free_domain(d);
        return NULL;
    }
    frame_share(arch_frame_of(d->shared_info), d);
    add_to_list(d);
    return d;
}

/* Gives a reference back; the last one frees the domain, which is dying. */
void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
        return;
    ASSERT(domain_is_dying(d));
    free_domain(d);
}

/*
 * The last step for a dying domain without memory and grants: nobody finds it
 * by its number any more, and it is freed with the last reference; the caller
 * has one of its own. 0; -EBUSY while another domain maps its shared_info:
 * come back later; -ESRCH if somebody else did it.
 */
int domain_end_death(struct domain *d)
{
    int error = -ESRCH;

    spin_lock(&list_lock);
    if (domains[d->id] == d)
        error = frame_unshare(arch_frame_of(d->shared_info), d);
    if (!error) {
        domains[d->id] = NULL;
        bit_clear(ids_in_use, d->id);
        domains_in_list--;
    }
    spin_unlock(&list_lock);
    if (error)
        return error;
    evtchn_raise_global_virq(dom0, VIRQ_DOM_EXC);
    domain_put(d);
    return 0;
}

/* vCPU `id`, or NULL for a number that has none. */
struct vcpu *domain_vcpu(const struct domain *d, uint64_t id)
{
    if (id >= d->max_vcpus)
        return NULL;
    return __atomic_load_n(&d->vcpus[index_clamp(id, d->max_vcpus)],
                           __ATOMIC_ACQUIRE);
}

/* --- pausing ------------------------------------------------------------- */

/* Calls `act` for each vCPU there is. */
void domain_for_each_vcpu(struct domain *d, void (*act)(struct vcpu *v))
{
    domain_vcpus(v, d)
    {
        act(v);
    }
}

/*
 * Counts a pause and waits until no vCPU runs. Rules for the caller, which is
 * none of them: sched_wait_until_saved.
 */
void domain_pause(struct domain *d)
{
    spin_lock(&d->state_lock);
    d->pause_count++;
    domain_for_each_vcpu(d, sched_pause);
    spin_unlock(&d->state_lock);
    domain_for_each_vcpu(d, sched_wait_until_saved);
}

/* Undoes one domain_pause. */
void domain_unpause(struct domain *d)
{
    spin_lock(&d->state_lock);
    d->pause_count--;
    domain_for_each_vcpu(d, sched_unpause);
    spin_unlock(&d->state_lock);
}

/* --- the end ------------------------------------------------------------- */

static const char *const reason_names[] = {
    [SHUTDOWN_poweroff] = "powered off",
    [SHUTDOWN_reboot] = "wants a restart",
    [SHUTDOWN_suspend] = "is suspended",
    [SHUTDOWN_crash] = "crashed",
    [SHUTDOWN_watchdog] = "missed its watchdog",
    [SHUTDOWN_soft_reset] = "wants to start anew",
};

static const char *reason_name(uint32_t reason)
{
    return reason < ARRAY_LEN(reason_names) ? reason_names[reason] : "ended";
}

/* Without dom0 nobody can administer the machine any more. */
static _Noreturn void end_machine(uint32_t reason)
{
    log_info("dom0 %s", reason_name(reason));
    if (reason == SHUTDOWN_poweroff)
        arch_power_off();
    arch_reboot();
}

/*
 * Ends a domain: its vCPUs run no more and dom0 hears of it. The end of dom0
 * is that of the machine. With any of the domain's locks but its state's.
 */
void domain_shut_down(struct domain *d, uint32_t reason)
{
    struct vcpu *v = current_vcpu();
    bool was_alive;

    if (reason == SHUTDOWN_crash && v && v->domain == d)
        arch_vcpu_report(v);
    if (d == dom0)
        end_machine(reason);
    spin_lock(&d->state_lock);
    was_alive = d->state == DOMAIN_ALIVE;
    if (was_alive) {
        d->shutdown_reason = reason;
        __atomic_store_n(&d->state, DOMAIN_SHUT_DOWN, __ATOMIC_RELEASE);
        domain_for_each_vcpu(d, sched_pause);
    }
    spin_unlock(&d->state_lock);
    if (was_alive && dom0) {
        log_info("domain %u %s", d->id, reason_name(reason));
        evtchn_raise_global_virq(dom0, VIRQ_DOM_EXC);
    }
}

/* Ends a domain that did what it must not, and says what in the log. */
void domain_crash(struct domain *d, const char *fmt, ...)
{
    char why[160];
    va_list args;

    va_start(args, fmt);
    format_va(why, sizeof(why), fmt, args);
    va_end(args);
    log_error("domain %u crashed: %s", d->id, why);
    domain_shut_down(d, SHUTDOWN_crash);
}

/*
 * Starts the watchdog anew, or for the first time if `id` is 0, or stops it
 * for 0 seconds. Its id when it is first set, else 0; -EINVAL, -ENOSPC.
 */
int domain_set_watchdog(struct domain *d, uint32_t id, uint32_t seconds)
{
    bool fits;

    if (id > WATCHDOG_ID || (!id && !seconds))
        return refuse(-EINVAL, "watchdog %u", id);
    spin_lock(&d->state_lock);
    fits = timer_is_armed(&d->watchdog) == (id != 0);
    if (fits)
        timer_arm(&d->watchdog,
                  seconds ? arch_now() + seconds * NSEC_PER_SEC : NSEC_NEVER);
    spin_unlock(&d->state_lock);
    if (!fits)
        return id ? -EINVAL : -ENOSPC;
    return id ? 0 : (int)WATCHDOG_ID;
}
