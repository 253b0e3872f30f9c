/* SPDX-License-Identifier: MIT */
/* Keeps the wall clock and writes it where guests read it. */
#include "x86/wallclock.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/spinlock.h"
#include "hypercall_abi/shared_info.h"

#include "x86/rtc.h"

static struct spinlock lock = SPINLOCK_INIT;
static uint64_t start_secs;  /* lock: UTC at system time 0, since 1970 */
static uint32_t start_nsecs; /* lock */

/*
 * UTC was `secs` and `nsecs` (below 10^9) at `system_time`. Domains see it
 * after arch_domain_publish_clock.
 */
void wallclock_set(uint64_t secs, uint32_t nsecs, nsec_t system_time)
{
    uint64_t ago_secs = system_time / NSEC_PER_SEC;
    uint32_t ago_nsecs = (uint32_t)(system_time % NSEC_PER_SEC);

    spin_lock(&lock);
    if (nsecs < ago_nsecs) {
        nsecs += (uint32_t)NSEC_PER_SEC;
        secs--;
    }
    start_secs = secs - ago_secs;
    start_nsecs = nsecs - ago_nsecs;
    spin_unlock(&lock);
}

/* Reads the CMOS clock; after time_init. */
void wallclock_init(void)
{
    wallclock_set(rtc_read_seconds(), 0, arch_now());
}

/*
 * Writes the clock into a domain's page, off by as much as its tools said. Of
 * what the guest left there only the parity of the version is used.
 */
void arch_domain_publish_clock(struct domain *d)
{
    struct shared_info *info = d->shared_info;
    uint64_t secs;
    uint32_t version;

    spin_lock(&lock);
    secs = start_secs +
           (uint64_t)__atomic_load_n(&d->clock_offset, __ATOMIC_RELAXED);
    version = __atomic_load_n(&info->wc_version, __ATOMIC_RELAXED) & ~1u;
    __atomic_store_n(&info->wc_version, version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&info->wc_sec, (uint32_t)secs, __ATOMIC_RELAXED);
    __atomic_store_n(&info->wc_sec_hi, (uint32_t)(secs >> 32),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&info->wc_nsec, start_nsecs, __ATOMIC_RELAXED);
    __atomic_store_n(&info->wc_version, version + 2, __ATOMIC_RELEASE);
    spin_unlock(&lock);
}
