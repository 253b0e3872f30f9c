/* SPDX-License-Identifier: MIT */
/* GDTs and LDTs of guests (context.h). */
#include "x86/context.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pt_validate.h"
#include "x86/paging.h"
#include "x86/selectors.h"

#define DESCRIPTOR_PRESENT (1ull << 47)
#define DESCRIPTOR_DPL3 (3ull << 45)
#define DESCRIPTOR_CODE_OR_DATA (1ull << 44)
#define DESCRIPTOR_ACCESSED (1ull << 40)
#define DESCRIPTOR_SYSTEM_TYPE (0xfull << 40)
#define DESCRIPTORS_PER_PAGE 512u
#define LDT_PAGES (LDT_MAX_ENTRIES / DESCRIPTORS_PER_PAGE)
#define LDT_FIRST (GATE_LDT / PAGE_SIZE)
#define SYSTEM_LDT 0x82

static const uint8_t no_descriptors[PAGE_SIZE] __attribute__((aligned(4096)));

/*
 * Makes *descriptor harmless: segments get DPL 3 and Accessed, so that the
 * processor need not write to the table. Whether it is allowed: system
 * descriptors are not.
 */
static bool sanitise(uint64_t *descriptor)
{
    if (!(*descriptor & DESCRIPTOR_PRESENT))
        return true;
    if (!(*descriptor & DESCRIPTOR_CODE_OR_DATA))
        return !(*descriptor & DESCRIPTOR_SYSTEM_TYPE);
    *descriptor |= DESCRIPTOR_DPL3 | DESCRIPTOR_ACCESSED;
    return true;
}

/* Gives `f`, which has none, the type of a descriptor table. */
static int make_table(struct frame *f)
{
    uint64_t *table = arch_frame_ptr(frame_mfn(f));
    int error = frame_begin_change(f);
    unsigned good = 0;

    if (error)
        return error;
    while (good < DESCRIPTORS_PER_PAGE && sanitise(&table[good]))
        good++;
    if (good == DESCRIPTORS_PER_PAGE) {
        frame_end_change(f, FRAME_SEGDESC,
                         (1ull << FRAME_TYPE_COUNT_SHIFT) + 1);
        return 0;
    }
    frame_end_change(f, FRAME_NONE, 0);
    return refuse(-EINVAL, "descriptor %#lx: system types are refused",
                  table[good]);
}

/*
 * A reference to `mfn` as a descriptor table, in *table. Needs the page-table
 * lock.
 */
static int get_table(struct domain *d, mfn_t mfn, struct frame **table)
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
    if (!error)
        *table = f;
    frame_put(f);
    return error;
}

static void put_tables(struct frame *const *tables, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (tables[i])
            frame_put_typed(tables[i]);
}

static unsigned gdt_pages(unsigned entries)
{
    return (entries + DESCRIPTORS_PER_PAGE - 1) / DESCRIPTORS_PER_PAGE;
}

/* --- the gate's view ----------------------------------------------------- */

/* Of a GDT, pages that are missing have no descriptors; an LDT's are absent. */
static void show_tables(struct cpu *c, struct frame *const *tables)
{
    uint64_t none = pte_make(arch_frame_of(no_descriptors), OWN_RO);

    for (unsigned i = 0; i < GUEST_TABLES; i++) {
        uint64_t entry = i < GUEST_GDT_FRAMES ? none : 0;

        if (tables[i])
            entry = pte_make(frame_mfn(tables[i]), OWN_RO);
        if (c->gate_l1[i] == entry || i * PAGE_SIZE == GATE_GDT_OWN)
            continue;
        pte_write(&c->gate_l1[i], entry);
        invlpg(c->gate + i * PAGE_SIZE);
    }
}

void desc_load(struct cpu *c, const struct vcpu *v)
{
    const struct arch_vcpu *a = v->arch;

    show_tables(c, a->tables);
    if (a->ldt_entries)
        cpu_set_system_descriptor(c, SEL_LDT, SYSTEM_LDT, c->gate + GATE_LDT,
                                  a->ldt_entries * 8 - 1);
    lldt(a->ldt_entries ? SEL_LDT : 0);
}

void desc_unload(struct cpu *c)
{
    static struct frame *const nobodys[GUEST_TABLES];

    lldt(0);
    show_tables(c, nobodys);
}

uint64_t desc_guest_address(const struct vcpu *v, uint64_t address)
{
    uint64_t offset = address - this_cpu()->gate - GATE_LDT;

    return offset < v->arch->ldt_entries * sizeof(uint64_t)
               ? v->arch->ldt_base + offset
               : address;
}

/* --- changes ------------------------------------------------------------- */

/* Makes `new`, which are referenced, the `count` tables of `v` from `first`. */
static void replace(struct vcpu *v, unsigned first, unsigned count,
                    struct frame *const *new)
{
    struct frame **tables = &v->arch->tables[first];
    struct frame *old[GUEST_TABLES];

    memcpy(old, tables, count * sizeof(*old));
    memcpy(tables, new, count * sizeof(*old));
    if (this_pcpu()->loaded == v)
        desc_load(this_cpu(), v);
    put_tables(old, count);
}

int arch_vcpu_set_ldt(struct vcpu *v, uint64_t va, unsigned entries)
{
    struct frame *new[LDT_PAGES] = {NULL};

    if (entries > LDT_MAX_ENTRIES ||
        (entries && (va & (PAGE_SIZE - 1) || !guest_va_is_usable(va))))
        return refuse(-EINVAL, "LDT at %#lx with %u entries", va, entries);
    for (unsigned i = 0; i * DESCRIPTORS_PER_PAGE < entries; i++) {
        const void *page =
            guest_translate(v->kernel_root, va + i * PAGE_SIZE, WALK_READ);

        if (page &&
            get_table(v->domain, arch_frame_of(page), &new[i]) == -ERESTART) {
            put_tables(new, i);
            return -ERESTART;
        }
    }
    v->arch->ldt_base = va;
    v->arch->ldt_entries = entries;
    replace(v, LDT_FIRST, LDT_PAGES, new);
    return 0;
}

int desc_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    struct frame *new[GUEST_GDT_FRAMES] = {NULL};
    int error = 0;

    spin_lock(&v->domain->pt_lock);
    for (unsigned i = 0; i < gdt_pages(entries) && !error; i++)
        error = get_table(v->domain, MFN(frames[i]), &new[i]);
    spin_unlock(&v->domain->pt_lock);
    if (error) {
        put_tables(new, GUEST_GDT_FRAMES);
        return error;
    }
    v->arch->gdt_entries = entries;
    replace(v, 0, GUEST_GDT_FRAMES, new);
    return 0;
}

void arch_vcpu_release_frames(struct vcpu *v)
{
    static struct frame *const none[GUEST_TABLES];

    v->arch->gdt_entries = v->arch->ldt_entries = 0;
    replace(v, 0, GUEST_TABLES, none);
}

void arch_vcpu_frame_refs(const struct vcpu *v,
                          void (*visit)(void *context, mfn_t mfn),
                          void *context)
{
    for (unsigned i = 0; i < GUEST_TABLES; i++)
        if (v->arch->tables[i])
            visit(context, frame_mfn(v->arch->tables[i]));
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

    if (is_table ? !sanitise(&value) : frame_get_writable(f))
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
    long error = -EINVAL;
    struct frame *f;

    if (address & 7)
        return -EINVAL;
    spin_lock(&v->domain->pt_lock);
    f = frame_get(MFN(address >> PAGE_SHIFT), v->domain);
    if (f) {
        error = write_descriptor(f, address, args->a[1]);
        frame_put(f);
    }
    spin_unlock(&v->domain->pt_lock);
    return error;
}
