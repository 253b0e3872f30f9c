/* SPDX-License-Identifier: MIT */
/* GDTs and LDTs of guests (desc.h). */
#include "x86/desc.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "x86/cpu.h"
#include "x86/insn.h"
#include "x86/paging.h"
#include "x86/selectors.h"
#include "x86/vcpu.h"

#define DESCRIPTOR_PRESENT (1ull << 47)
#define DESCRIPTOR_DPL3 (3ull << 45)
#define DESCRIPTOR_CODE_OR_DATA (1ull << 44)
#define DESCRIPTOR_ACCESSED (1ull << 40)
#define DESCRIPTOR_SYSTEM_TYPE (0xfull << 40)
#define DESCRIPTORS_PER_PAGE 512u
#define LDT_MAX_ENTRIES 8192u
#define LDT_PAGES 16u
#define SYSTEM_LDT 0x82

static const uint8_t no_descriptors[PAGE_SIZE] __attribute__((aligned(4096)));

/*
 * Makes *descriptor harmless: segments get DPL 3 and Accessed, so that the
 * processor need not write to the table; system descriptors are refused.
 */
static int sanitise(uint64_t *descriptor)
{
    if (!(*descriptor & DESCRIPTOR_PRESENT))
        return 0;
    if (!(*descriptor & DESCRIPTOR_CODE_OR_DATA)) {
        if (!(*descriptor & DESCRIPTOR_SYSTEM_TYPE))
            return 0;
        return refuse(-EINVAL, "descriptor %#lx: system types are refused",
                      *descriptor);
    }
    *descriptor |= DESCRIPTOR_DPL3 | DESCRIPTOR_ACCESSED;
    return 0;
}

/* Checks the whole table in `f`, whose type is changing. */
static int validate(struct frame *f)
{
    uint64_t *table = arch_frame_ptr(frame_mfn(f));

    for (unsigned i = 0; i < DESCRIPTORS_PER_PAGE; i++)
        if (sanitise(&table[i]))
            return -EINVAL;
    return 0;
}

/* Gives `f`, which has none, the type of a descriptor table. */
static int make_table(struct frame *f)
{
    int error = frame_begin_change(f);

    if (error)
        return error;
    error = validate(f);
    if (error)
        frame_end_change(f, FRAME_NONE, 0);
    else
        frame_end_change(f, FRAME_SEGDESC,
                         (1ull << FRAME_TYPE_COUNT_SHIFT) + 1);
    return error;
}

/* A reference to `mfn` as a descriptor table. Needs the page-table lock. */
static int get_table(struct domain *d, mfn_t mfn)
{
    struct frame *f = frame_get(mfn, d);
    int error;

    if (!f)
        return refuse(-EINVAL, "frame %#lx is not d%u's", mfn.n, d->id);
    error = pt_settle(d, f);
    if (!error)
        error = frame_get_typed(f, FRAME_SEGDESC);
    if (error == -EAGAIN)
        error = make_table(f);
    frame_put(f);
    return error;
}

static void put_tables(const mfn_t *frames, unsigned count)
{
    while (count-- > 0)
        frame_put_typed(frame_lookup(frames[count]));
}

static unsigned gdt_pages(unsigned entries)
{
    return (entries + DESCRIPTORS_PER_PAGE - 1) / DESCRIPTORS_PER_PAGE;
}

/* --- the gate's view ----------------------------------------------------- */

static void map_gdt(struct cpu *c, const struct vcpu *v)
{
    mfn_t none = arch_frame_of(no_descriptors);
    unsigned used = v ? gdt_pages(v->arch->gdt_entries) : 0;

    for (unsigned i = 0; i < GUEST_GDT_FRAMES; i++) {
        mfn_t frame = i < used ? v->arch->gdt_frames[i] : none;
        uint64_t entry = pte_make(frame, OWN_RO);

        if (c->gate_l1[i] == entry)
            continue;
        pte_write(&c->gate_l1[i], entry);
        invlpg(c->gate + GATE_GDT + i * PAGE_SIZE);
    }
}

static void unmap_ldt(struct cpu *c)
{
    for (unsigned i = 0; i < LDT_PAGES; i++) {
        uint64_t offset = GATE_LDT + i * PAGE_SIZE;
        uint64_t *entry = &c->gate_l1[offset / PAGE_SIZE];

        if (*entry) {
            pte_write(entry, 0);
            invlpg(c->gate + offset);
        }
    }
}

static void load_ldt(struct cpu *c, const struct vcpu *v)
{
    if (!v->arch->ldt_entries) {
        lldt(0);
        return;
    }
    cpu_set_system_descriptor(c, SEL_LDT, SYSTEM_LDT, c->gate + GATE_LDT,
                              v->arch->ldt_entries * 8 - 1);
    lldt(SEL_LDT);
}

void desc_load(struct cpu *c, struct vcpu *v)
{
    map_gdt(c, v);
    load_ldt(c, v);
}

void desc_unload(struct cpu *c)
{
    map_gdt(c, NULL);
    unmap_ldt(c);
}

bool desc_is_guest_table(uint64_t address)
{
    uint64_t gate = this_cpu()->gate;

    return address >= gate && address < gate + GATE_CODE;
}

bool desc_fault(struct vcpu *v, uint64_t address)
{
    struct cpu *c = this_cpu();
    uint64_t page = (address - c->gate - GATE_LDT) / PAGE_SIZE;
    struct arch_vcpu *a = v->arch;
    void *from;
    mfn_t frame;
    int error;

    if (page >= LDT_PAGES || page * DESCRIPTORS_PER_PAGE >= a->ldt_entries)
        return false;
    spin_lock(&v->domain->pt_lock);
    from = guest_translate(v->kernel_root, a->ldt_base + page * PAGE_SIZE,
                           WALK_READ);
    frame = from ? arch_frame_of(from) : MFN_INVALID;
    error = from ? get_table(v->domain, frame) : -EFAULT;
    spin_unlock(&v->domain->pt_lock);
    if (error)
        return error == -ERESTART;
    if (a->ldt_loaded >> page & 1)
        put_tables(&a->ldt_frames[page], 1); /* since before it was unloaded */
    a->ldt_loaded |= 1ull << page;
    a->ldt_frames[page] = frame;
    cpu_set_gate_page(c, GATE_LDT + page * PAGE_SIZE, frame, OWN_RO);
    return true;
}

/* --- changes ------------------------------------------------------------- */

static void release_ldt(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;

    for (unsigned i = 0; i < LDT_PAGES; i++)
        if (a->ldt_loaded >> i & 1)
            put_tables(&a->ldt_frames[i], 1);
    a->ldt_loaded = 0;
}

int arch_vcpu_set_ldt(struct vcpu *v, uint64_t va, unsigned entries)
{
    struct arch_vcpu *a = v->arch;

    if (entries > LDT_MAX_ENTRIES || (entries && va & (PAGE_SIZE - 1)) ||
        (entries && !guest_va_is_usable(va)))
        return refuse(-EINVAL, "LDT at %#lx with %u entries", va, entries);
    unmap_ldt(this_cpu());
    release_ldt(v);
    a->ldt_base = va;
    a->ldt_entries = entries;
    load_ldt(this_cpu(), v);
    return 0;
}

int desc_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    struct arch_vcpu *a = v->arch;
    unsigned pages = gdt_pages(entries), old_pages = gdt_pages(a->gdt_entries);
    mfn_t new[GUEST_GDT_FRAMES], old[GUEST_GDT_FRAMES];
    unsigned taken = 0;
    int error = 0;

    spin_lock(&v->domain->pt_lock);
    for (; taken < pages && !error; taken += !error) {
        new[taken] = MFN(frames[taken]);
        error = get_table(v->domain, new[taken]);
    }
    if (error)
        put_tables(new, taken);
    spin_unlock(&v->domain->pt_lock);
    if (error)
        return error;
    memcpy(old, a->gdt_frames, sizeof(old));
    memcpy(a->gdt_frames, new, pages * sizeof(*new));
    a->gdt_entries = entries;
    if (this_pcpu()->loaded == v)
        map_gdt(this_cpu(), v);
    put_tables(old, old_pages);
    return 0;
}

/* Gives up all descriptor tables of `v`, which is loaded nowhere. */
void desc_release(struct vcpu *v)
{
    release_ldt(v);
    if (desc_set_gdt(v, NULL, 0))
        panic("an empty GDT was refused");
}

void arch_vcpu_frame_refs(const struct vcpu *v,
                          void (*visit)(void *context, mfn_t mfn),
                          void *context)
{
    const struct arch_vcpu *a = v->arch;

    for (unsigned i = 0; i < gdt_pages(a->gdt_entries); i++)
        visit(context, a->gdt_frames[i]);
    for (unsigned i = 0; i < LDT_PAGES; i++)
        if (a->ldt_loaded >> i & 1)
            visit(context, a->ldt_frames[i]);
}

/* set_gdt(frames, entries) */
long hc_set_gdt(struct vcpu *v, const struct hc_args *args)
{
    uint64_t frames[GUEST_GDT_FRAMES];
    uint64_t entries = args->a[1];
    int error;

    if (entries > GUEST_GDT_ENTRIES)
        return refuse(-EINVAL, "a GDT of %lu entries", entries);
    if (copy_in(frames, HC_ARG_VA(args, 0),
                gdt_pages((unsigned)entries) * sizeof(*frames)))
        return -EFAULT;
    error = desc_set_gdt(v, frames, (unsigned)entries);
    if (error == -ERESTART)
        return hypercall_restart(v, HC_set_gdt, args);
    return error == -EBUSY ? -EINVAL : error;
}

static int write_descriptor(struct frame *f, uint64_t address, uint64_t value)
{
    uint64_t *table = arch_frame_ptr(frame_mfn(f));
    bool is_table = frame_used_type(f) == FRAME_SEGDESC;
    int error = is_table ? sanitise(&value) : frame_get_writable(f);

    if (error)
        return refuse(-EINVAL, "no descriptor for frame %#lx of type %u",
                      frame_mfn(f).n, frame_type(f));
    pte_write(&table[address % PAGE_SIZE / 8], value);
    if (!is_table)
        frame_put_writable(f);
    return 0;
}

/* update_descriptor(machine address, descriptor) */
long hc_update_descriptor(struct vcpu *v, const struct hc_args *args)
{
    uint64_t address = args->a[0];
    struct frame *f;
    long error;

    if (address & 7)
        return -EINVAL;
    spin_lock(&v->domain->pt_lock);
    f = frame_get(MFN(address >> PAGE_SHIFT), v->domain);
    error = f ? write_descriptor(f, address, args->a[1]) : -EINVAL;
    if (f)
        frame_put(f);
    spin_unlock(&v->domain->pt_lock);
    return error;
}
