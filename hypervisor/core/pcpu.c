/* SPDX-License-Identifier: MIT */
/* The table of physical processors and how one gets ready for work. */
#include "core/pcpu.h"

#include "core/arch.h"
#include "core/sched.h"

struct pcpu pcpus[MAX_PCPUS];
unsigned pcpu_count;

/* Makes the record of pCPU `cpu` usable. Needs no memory; once, at start. */
void pcpu_init(unsigned cpu)
{
    struct pcpu *p = &pcpus[cpu];

    p->id = cpu;
    sched_init_pcpu(p);
}

/*
 * From now on the scheduler gives pCPU `cpu` work. It calls arch_now and may
 * be called by any pCPU once the clocks agree.
 */
void pcpu_set_online(unsigned cpu)
{
    struct pcpu *p = &pcpus[cpu];

    p->run_clock_at = arch_now();
    __atomic_store_n(&p->need_resched, true, __ATOMIC_RELAXED);
    __atomic_store_n(&p->online, true, __ATOMIC_RELEASE);
}
