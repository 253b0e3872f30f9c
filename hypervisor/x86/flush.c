/* SPDX-License-Identifier: MIT */
/*
 * Flushes of guest translations on this pCPU and on others. A pCPU asks
 * another by adding to its flush_request and sending an interrupt; the other
 * serves it from the interrupt or from a busy wait, never in the middle of a
 * software walk (core/guest_copy.h), and clears the request when it is done
 * and no other came in between.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/pcpu.h"
#include "core/vcpu.h"
#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/flush.h"
#include "x86/insn.h"

void arch_flush_local(void)
{
    uint32_t reading = flush_clock_advance();

    write_cr3(read_cr3());
    flush_clock_note(reading);
}

void arch_flush_page_local(uint64_t va)
{
    invlpg(va);
}

/* Serves all requests; one that comes meanwhile wants a flush of its own. */
void flush_serve(void)
{
    struct cpu *c = this_cpu();
    uint32_t seen = __atomic_load_n(&c->flush_request, __ATOMIC_ACQUIRE);

    while (seen) {
        arch_flush_local();
        if (__atomic_compare_exchange_n(&c->flush_request, &seen, 0, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
            return;
    }
}

void arch_spin_wait(void)
{
    pause();
    flush_serve();
}

/* Flushes on each pCPU of `asked`, and returns when all have. */
static void flush_on(const uint64_t *asked)
{
    unsigned self = this_cpu()->id;

    for (unsigned i = 0; i < pcpu_count; i++) {
        if (!bit_test(asked, i) || i == self)
            continue;
        __atomic_add_fetch(&cpus[i].flush_request, 1, __ATOMIC_SEQ_CST);
        apic_send_ipi(i, VECTOR_FLUSH);
    }
    if (bit_test(asked, self))
        arch_flush_local();
    for (unsigned i = 0; i < pcpu_count; i++)
        while (bit_test(asked, i) && i != self &&
               __atomic_load_n(&cpus[i].flush_request, __ATOMIC_ACQUIRE))
            arch_spin_wait();
}

static bool may_hold(const struct pcpu *p, uint32_t stamp)
{
    return !__atomic_load_n(&p->clean, __ATOMIC_SEQ_CST) &&
           flush_is_needed(__atomic_load_n(&p->flushed_at, __ATOMIC_SEQ_CST),
                           stamp);
}

void arch_flush_since(uint32_t stamp)
{
    uint64_t asked[BITMAP_WORDS(MAX_PCPUS)] = {0};

    for (unsigned i = 0; i < pcpu_count; i++)
        if (may_hold(&pcpus[i], stamp))
            bit_set(asked, i);
    flush_on(asked);
}

void arch_flush_vcpus(struct domain *d, const uint64_t *vcpus)
{
    uint64_t asked[BITMAP_WORDS(MAX_PCPUS)] = {0};

    bitmap_for_each(i, vcpus, d->max_vcpus)
    {
        struct vcpu *v = domain_vcpu(d, i);
        unsigned on =
            v ? __atomic_load_n(&v->loaded_on, __ATOMIC_SEQ_CST) : NO_PCPU;

        if (on != NO_PCPU)
            bit_set(asked, on);
    }
    flush_on(asked);
}

void arch_flush_cache(void)
{
    wbinvd();
}
