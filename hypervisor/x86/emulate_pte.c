/* SPDX-License-Identifier: MIT */
/*
 * Guest kernels store into their last-level page tables as if these were
 * writable. The store faults; here it becomes a checked update.
 */
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/pt_validate.h"

#include "x86/emulate.h"
#include "x86/pte_store.h"
#include "x86/vcpu.h"

struct entry_place {
    struct domain *domain;
    struct frame *table;
    unsigned index;
};

static int update_entry(void *context, uint64_t expected, uint64_t value,
                        uint64_t *seen)
{
    const struct entry_place *p = context;
    const struct pt_context c = {p->domain, p->domain};

    return pt_write_entry(&c, p->table, p->index, PT_EXCHANGE, expected, value,
                          seen);
}

/*
 * The store itself, under the domain's page-table lock, which keeps the walk
 * and the table's type as they are.
 */
static int store_locked(struct vcpu *v, struct regs *r, const struct insn *i,
                        uint64_t va)
{
    struct entry_place place = {v->domain, NULL, va / 8 % PT_ENTRIES};
    struct pte_target target = {
        .byte = va & 7,
        .update = update_entry,
        .context = &place,
    };
    struct frame *f;
    struct walk w;
    mfn_t mfn;

    guest_walk(v->kernel_root, va, &w);
    if (!w.is_present || !(w.entry[4] & w.entry[3] & w.entry[2] & PTE_WRITE))
        return -EFAULT;
    if (w.entry[1] & PTE_WRITE)
        return -EAGAIN; /* another vCPU has made it writable meanwhile */
    mfn = pte_frame(w.entry[1]);
    f = frame_lookup(mfn);
    if (!f || frame_owner(f) != v->domain->id || frame_used_type(f) != FRAME_L1)
        return -EFAULT;
    place.table = f;
    target.entry = pte_read((uint64_t *)arch_frame_ptr(mfn) + place.index);
    return pte_store(i, r, insn_operand_read(i, r), &target);
}

/*
 * #PF in guest kernel mode: a store to a present page without Write, at `va`.
 * If the page is a last-level table, carries the store out as an update of
 * its entry; not if the new entry is refused.
 */
bool emulate_pte_write(struct vcpu *v, struct regs *r, uint64_t va)
{
    struct insn i;
    int error;

    if (!guest_va_is_usable(va) || emulate_fetch(v, r, &i) ||
        !insn_writes_memory(&i) || (va & 7) + i.size > 8)
        return false;
    spin_lock(&v->domain->pt_lock);
    error = store_locked(v, r, &i, va);
    spin_unlock(&v->domain->pt_lock);
    if (!error)
        emulate_advance(v, r, i.length);
    return !error || error == -EAGAIN || error == -ERESTART; /* once more */
}
