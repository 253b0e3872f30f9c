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

/*
 * The store itself, under the domain's page-table lock, which keeps the walk
 * and the table's type as they are. -EAGAIN when the entry does not stay as
 * it is: processors set their bits in it.
 */
static int store_locked(struct vcpu *v, struct regs *r, const struct insn *i,
                        uint64_t va)
{
    const struct pt_context own = {v->domain, v->domain};
    unsigned index = va / 8 % PT_ENTRIES;
    struct pte_store s;
    uint64_t entry;
    struct frame *f;
    struct walk w;
    int error = 0;

    guest_walk(v->kernel_root, va, &w);
    if (!(w.entry[w.level] & PTE_PRESENT) ||
        !(w.entry[4] & w.entry[3] & w.entry[2] & PTE_WRITE))
        return -EFAULT;
    if (w.entry[1] & PTE_WRITE)
        return -EAGAIN; /* another vCPU has made it writable meanwhile */
    f = frame_lookup(pte_frame(w.entry[1]));
    if (!f || frame_owner(f) != v->domain->id || frame_used_type(f) != FRAME_L1)
        return -EFAULT;
    entry = pte_read((uint64_t *)arch_frame_ptr(frame_mfn(f)) + index);
    s = pte_store(i, r, entry, va & 7);
    if (s.entry != entry)
        error = pt_write_entry(&own, f, index, PT_EXCHANGE, entry, s.entry);
    if (!error)
        pte_store_commit(i, r, &s);
    return error;
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
