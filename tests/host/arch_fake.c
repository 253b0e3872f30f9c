/* SPDX-License-Identifier: MIT */
/* The fake machine; arch_fake.h says how to use it. */
#include <stdio.h>
#include <stdlib.h>

#include "host/arch_fake.h"

#include "core/domain.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/pte.h"
#include "core/vcpu.h"
#include "hypercall_abi/domctl.h"

#define TABLE_END (FAKE_LAST_FRAME + 1)

struct arch_vcpu {
    mfn_t descriptors; /* a frame of type FRAME_SEGDESC; 0: none */
    unsigned nmis;
    struct vcpu_guest_context context; /* the last that was set */
};

struct arch_domain {
    uint64_t ports[BITMAP_WORDS(65536)]; /* a bit for each it has */
};

struct fake fake;

static _Alignas(PAGE_SIZE) uint8_t memory[FAKE_FRAMES][PAGE_SIZE];
static struct frame records[TABLE_END];
static uint64_t m2p[TABLE_END];

/*
 * Starts the machine with `cpus` processors, at time 1 s, on pCPU 0, with all
 * of its memory on the heap.
 */
void fake_boot(unsigned cpus)
{
    fake = (struct fake){.now = NSEC_PER_SEC};
    for (unsigned i = 0; i < MAX_PCPUS; i++)
        fake.timer[i] = NSEC_NEVER;
    memset(m2p, 0xff, sizeof(m2p));
    pcpu_count = cpus;
    for (unsigned i = 0; i < cpus; i++)
        pcpu_init(i);
    for (unsigned n = 0; n < FAKE_FIRST_FRAME; n++)
        records[n] = FRAME_NO_RAM;
    for (unsigned n = FAKE_FIRST_FRAME; n < TABLE_END; n++)
        records[n] = FRAME_OWN_RAM;
    frame_table = records;
    frame_table_end = TABLE_END;
    heap_add(MFN(FAKE_FIRST_FRAME), FAKE_FRAMES);
    for (unsigned i = 0; i < cpus; i++) {
        pcpus[i].entered_at = fake.now;
        pcpu_set_online(i);
    }
}

/* The memory of frame FAKE_FIRST_FRAME + `index`. */
void *fake_frame(uint64_t index)
{
    if (index >= FAKE_FRAMES)
        abort();
    return memory[index];
}

/*
 * Maps one page in the tables under the L4 frame `root`, taking frames for
 * missing tables from the heap. `flags` are for the last entry; the entries
 * above allow everything. The frame table does not hear of it. False when
 * the heap is empty.
 */
bool fake_guest_map(mfn_t root, uint64_t va, mfn_t frame, uint64_t flags)
{
    uint64_t *table = arch_frame_ptr(root);

    for (unsigned level = 4; level > 1; level--) {
        uint64_t *entry = &table[pt_index(va, level)];

        if (!(*entry & PTE_PRESENT)) {
            void *next = frames_alloc(0);

            if (!next)
                return false;
            *entry = pte_make(arch_frame_of(next),
                              PTE_PRESENT | PTE_WRITE | PTE_USER);
        }
        table = arch_frame_ptr(pte_frame(*entry));
    }
    table[pt_index(va, 1)] = pte_make(frame, flags);
    return true;
}

/* --- this processor ------------------------------------------------------ */

struct pcpu *arch_this_pcpu(void)
{
    return &pcpus[fake.cpu];
}

/*
 * A fake machine has one thread, so a lock that is taken stays taken: a test
 * that waits on purpose gives on_spin something to do.
 */
void arch_spin_wait(void)
{
    fake.now += fake.spin_step;
    if (fake.on_spin) {
        fake.on_spin();
    } else if (!fake.spin_step) {
        fprintf(stderr, "fake machine: waits for ever\n");
        abort();
    }
}

nsec_t arch_now(void)
{
    if (fake.slow_at && !--fake.slow_at)
        fake.now += NSEC_PER_SEC;
    return fake.now;
}

void arch_timer_arm(nsec_t deadline)
{
    fake.timer[fake.cpu] = deadline;
}

void arch_pcpu_kick(unsigned cpu)
{
    fake.kicks[cpu]++;
}

uint64_t index_clamp(uint64_t index, uint64_t bound)
{
    return index < bound ? index : 0;
}

/* --- memory -------------------------------------------------------------- */

void *arch_frame_ptr(mfn_t mfn)
{
    if (mfn.n < FAKE_FIRST_FRAME || mfn.n > FAKE_LAST_FRAME) {
        fprintf(stderr, "fake machine: %#llx is no RAM\n",
                (unsigned long long)mfn.n);
        abort();
    }
    return memory[mfn.n - FAKE_FIRST_FRAME];
}

mfn_t arch_frame_of(const void *ptr)
{
    size_t offset = (size_t)((const uint8_t *)ptr - &memory[0][0]);

    if (offset >= sizeof(memory))
        abort();
    return MFN(FAKE_FIRST_FRAME + offset / PAGE_SIZE);
}

void arch_m2p_set(mfn_t mfn, uint64_t pfn)
{
    if (mfn.n >= TABLE_END)
        abort();
    m2p[mfn.n] = pfn;
}

uint64_t fake_m2p(mfn_t mfn)
{
    return mfn.n < TABLE_END ? m2p[mfn.n] : ~0ull;
}

/* Flushes those pCPUs that may hold something. */
void arch_flush_since(uint32_t stamp)
{
    void (*hook)(void) = fake.on_flush;
    bool any = false;

    fake.on_flush = NULL;
    if (hook)
        hook();
    for (unsigned i = 0; i < pcpu_count; i++) {
        if (!flush_is_needed(pcpus[i].flushed_at, stamp))
            continue;
        pcpus[i].flushed_at = flush_clock_advance();
        any = true;
    }
    fake.flushes += any;
}

void arch_flush_local(void)
{
    fake.local_flushes++;
    flush_clock_note(flush_clock_advance());
}

void arch_flush_page_local(uint64_t va)
{
    (void)va;
    fake.page_flushes++;
}

void arch_flush_vcpus(struct domain *d, const uint64_t *vcpus)
{
    fake.vcpus_flushed = vcpus[0] & ((1ull << d->max_vcpus) - 1);
}

void arch_flush_cache(void)
{
    fake.cache_flushes++;
}

void arch_l4_entry_changed(mfn_t l4, unsigned index, uint64_t entry)
{
    (void)l4;
    (void)index;
    (void)entry;
    fake.l4_changes++;
}

/* What a guest must neither read as its own nor have validated. */
void arch_l4_gone(mfn_t l4)
{
    (void)l4;
}

void arch_hypercall_page_fill(void *page)
{
    memset(page, 0xcc, PAGE_SIZE);
}

void arch_l4_install_own_slots(uint64_t *l4)
{
    for (unsigned i = 256; i < 272; i++)
        l4[i] = FAKE_OWN_SLOT;
}

bool arch_io_frame_is_forbidden(mfn_t mfn)
{
    (void)mfn;
    return fake.io_forbidden;
}

bool arch_io_frame_is_read_only(mfn_t mfn)
{
    (void)mfn;
    return fake.io_read_only;
}

/* --- vCPUs --------------------------------------------------------------- */

int arch_vcpu_create(struct vcpu *v)
{
    if (fake.fail_vcpu_create)
        return fake.fail_vcpu_create;
    v->arch = calloc(1, sizeof(*v->arch));
    return v->arch ? 0 : -ENOMEM;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    free(v->arch);
    v->arch = NULL;
}

int arch_domain_create(struct domain *d)
{
    if (fake.fail_domain_create)
        return fake.fail_domain_create;
    d->arch = calloc(1, sizeof(*d->arch));
    return d->arch ? 0 : -ENOMEM;
}

void arch_domain_destroy(struct domain *d)
{
    free(d->arch);
    d->arch = NULL;
}

int arch_vcpu_set_context(struct vcpu *v,
                          const struct vcpu_guest_context *context)
{
    if (fake.set_context_result)
        return fake.set_context_result;
    v->arch->context = *context;
    fake.contexts_set++;
    return 0;
}

void arch_vcpu_get_context(const struct vcpu *v,
                           struct vcpu_guest_context *context)
{
    *context = v->arch->context;
    context->flags &= ~(uint64_t)VGCF_online;
}

void arch_vcpu_release_frames(struct vcpu *v)
{
    if (v->arch->descriptors.n)
        frame_put_typed(frame_lookup(v->arch->descriptors));
    v->arch->descriptors = MFN(0);
}

void arch_domain_publish_clock(struct domain *d)
{
    d->shared_info->wc_sec = (uint32_t)d->clock_offset;
    fake.clocks_published++;
}

/* Makes ports the domain's, as those of dom0 are from the start. */
void fake_domain_keep_ports(struct domain *d, unsigned first, unsigned last)
{
    for (unsigned p = first; p <= last; p++)
        bit_set(d->arch->ports, p);
}

bool arch_domain_has_ports(const struct domain *d, unsigned first,
                           unsigned last)
{
    for (unsigned p = first; p <= last; p++)
        if (!bit_test(d->arch->ports, p))
            return false;
    return true;
}

int arch_domain_give_ports(struct domain *d, unsigned first, unsigned last)
{
    fake_domain_keep_ports(d, first, last);
    return 0;
}

void arch_domain_take_ports(struct domain *d, unsigned first, unsigned last)
{
    for (unsigned p = first; p <= last; p++)
        bit_clear(d->arch->ports, p);
}

uint32_t arch_tsc_khz(void)
{
    return 2000000;
}

int arch_vcpu_set_ldt(struct vcpu *v, uint64_t va, unsigned entries)
{
    (void)v;
    return va % PAGE_SIZE || entries > 8192 ? -EINVAL : 0;
}

/* Gives the vCPU a reference of type FRAME_SEGDESC that the caller got. */
void fake_vcpu_hold_descriptors(struct vcpu *v, mfn_t mfn)
{
    v->arch->descriptors = mfn;
}

void arch_vcpu_frame_refs(const struct vcpu *v,
                          void (*visit)(void *context, mfn_t mfn),
                          void *context)
{
    if (v->arch->descriptors.n)
        visit(context, v->arch->descriptors);
}

void arch_vcpu_kick(struct vcpu *v)
{
    (void)v;
    fake.vcpu_kicks++;
}

void arch_vcpu_report(struct vcpu *v)
{
    (void)v;
}

void arch_vcpu_nmi(struct vcpu *v)
{
    v->arch->nmis++;
    fake.nmis++;
}

void arch_vcpu_roots_changed(struct vcpu *v)
{
    (void)v;
    fake.roots_changed++;
    flush_clock_note(flush_clock_advance());
}

void arch_hypercall_restart(struct vcpu *v, unsigned nr,
                            const struct hc_args *args)
{
    (void)v;
    fake.restarts++;
    fake.restart_nr = nr;
    memcpy(fake.restart_args, args->a, sizeof(fake.restart_args));
}

/* Leaves the time of the call in the place where the clock page is now. */
void arch_vcpu_time_publish(struct vcpu *v)
{
    struct vcpu_info *info = __atomic_load_n(&v->info, __ATOMIC_ACQUIRE);

    info->time.version = (info->time.version | 1) + 1;
    info->time.system_time = fake.now;
    fake.time_published++;
}

/* --- devices ------------------------------------------------------------- */

void arch_console_write(const char *text, size_t length)
{
    if (fake.console_echo)
        fwrite(text, 1, length, stderr);
}

size_t arch_console_read(char *out, size_t size)
{
    size_t length = 0;

    while (fake.console_input && *fake.console_input && length < size)
        out[length++] = *fake.console_input++;
    return length;
}

int arch_gsi_setup(unsigned gsi, bool level, bool active_low)
{
    (void)level;
    (void)active_low;
    return gsi < FAKE_PIRQS ? 0 : -EINVAL;
}

void arch_pirq_change(unsigned pirq, enum pirq_change what)
{
    if (pirq >= FAKE_PIRQS)
        abort();
    if (what != PIRQ_SERVED)
        fake.pirq_unmasked[pirq] = what == PIRQ_OPEN;
}

static _Noreturn void end_machine(enum fake_end how, const char *text)
{
    fake.end = how;
    if (fake.catcher)
        longjmp(*fake.catcher, 1);
    fprintf(stderr, "fake machine: %s\n", text);
    abort();
}

void arch_panic(const char *text)
{
    end_machine(FAKE_PANIC, text);
}

void arch_reboot(void)
{
    end_machine(FAKE_REBOOT, "reboot");
}

void arch_power_off(void)
{
    end_machine(FAKE_POWER_OFF, "power off");
}
