/* SPDX-License-Identifier: MIT */
/* Changes of side, and root pages (sides.h). */
#include "x86/sides.h"

#include "core/arch.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pt_validate.h"
#include "x86/context.h"
#include "x86/cpu_features.h"
#include "x86/ioport.h"
#include "x86/machine_early.h"
#include "x86/memory_layout.h"
#include "x86/paging.h"
#include "x86/traps.h"

#define KERNEL_HALF_FIRST 272u
#define M2P_L3_ENTRIES 256u
#define WINDOW_TABLE (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define RPL_MASK 3u
#define REX_W 0x48
#define OPCODE_IRET 0xcf

extern const char gate_text_start[], gate_exit_light[], gate_stubs[];

enum sides sides;

void sides_init(enum sides chosen)
{
    static const char *const names[] = {"lazy", "isolated", "classic"};
    const struct cpu_features *f = cpu_features();

    if (f->meltdown)
        pt_refuse_absent(frame_table_end);
    sides = chosen;
    if (sides == SIDES_LAZY && f->meltdown)
        sides = SIDES_ISOLATED;
    log_info("sides=%s%s", names[sides],
             sides != chosen ? ": the processor leaks what is mapped" : "");
}

bool sides_is_light(const struct vcpu *v)
{
    return sides != SIDES_CLASSIC && v->domain->shares_lower_half;
}

static void *page_alloc(const struct cpu *c)
{
    void *page = frames_alloc(0);

    if (!page)
        panic("out of memory for the root page of pCPU %u", c->id);
    return page;
}

/*
 * The window: of slot 256 the M2P's tables, and a table of its own in which
 * there is nothing but this pCPU's gate. Applications are kept out by the
 * root page's entry, which lacks User.
 */
static uint64_t make_window(const struct cpu *c)
{
    const uint64_t *own_l3 =
        phys_to_virt(idle_l4[pt_index(M2P_GUEST_BASE, 4)] & PTE_FRAME_MASK);
    uint64_t *l3 = page_alloc(c), *l2 = page_alloc(c);

    memcpy(l3, own_l3, M2P_L3_ENTRIES * sizeof(*l3));
    l3[pt_index(c->gate, 3)] = virt_to_phys(l2) | WINDOW_TABLE;
    l2[pt_index(c->gate, 2)] = virt_to_phys(c->gate_l1) | WINDOW_TABLE;
    return virt_to_phys(l3) | WINDOW_TABLE;
}

void sides_init_cpu(struct cpu *c)
{
    uint64_t window = make_window(c);

    for (unsigned i = 0; i < ROOT_PAGES; i++) {
        c->roots[i].table = page_alloc(c);
        c->roots[i].address = virt_to_phys(c->roots[i].table);
        c->roots[i].table[pt_index(M2P_GUEST_BASE, 4)] = window;
        c->roots[i].source = MFN_INVALID;
    }
    c->constants->gate_stack = c->gate + GATE_SCRATCH + GATE_ENTRY_STACK_END;
}

/* --- root pages ---------------------------------------------------------- */

static void fill_root(uint64_t *table, const uint64_t *l4)
{
    memcpy(table, l4, OWN_SLOT_FIRST * sizeof(*table));
    for (unsigned i = KERNEL_HALF_FIRST; i < PT_ENTRIES; i++)
        table[i] = l4[i] & ~PTE_USER;
}

/* The root page of this pCPU that copies `l4`, filled if there is none. */
static uint64_t find_root(struct cpu *c, mfn_t l4)
{
    struct root_page *root;

    for (root = c->roots; root < c->roots + ROOT_PAGES; root++)
        if (mfn_equal(root->source, l4))
            return root->address;
    root = &c->roots[c->next_root++ % ROOT_PAGES];
    spin_lock(&c->sides_lock);
    root->source = l4;
    fill_root(root->table, arch_frame_ptr(l4));
    spin_unlock(&c->sides_lock);
    return root->address;
}

/* Changes entry `index` of every copy of `l4`; PT_ENTRIES: forgets them. */
static void change_copies(mfn_t l4, unsigned index, uint64_t entry)
{
    for (struct cpu *c = cpus; c < cpus + pcpu_count; c++) {
        spin_lock(&c->sides_lock);
        for (struct root_page *r = c->roots; r < c->roots + ROOT_PAGES; r++) {
            if (!mfn_equal(r->source, l4))
                continue;
            if (index == PT_ENTRIES)
                r->source = MFN_INVALID;
            else
                pte_write(&r->table[index], entry);
        }
        spin_unlock(&c->sides_lock);
    }
}

void arch_l4_entry_changed(mfn_t l4, unsigned index, uint64_t entry)
{
    change_copies(l4, index,
                  index < KERNEL_HALF_FIRST ? entry : entry & ~PTE_USER);
}

void arch_l4_gone(mfn_t l4)
{
    change_copies(l4, PT_ENTRIES, 0);
}

/* --- from light to full -------------------------------------------------- */

hot_path void sides_entered_light(struct cpu *c, struct regs *r)
{
    struct vcpu *v = c->core->loaded;
    bool is_trap = r->vector < ENTRY_SYSCALL && (r->cs & RPL_MASK);

    c->constants->is_light = 0;
    cpu_set_rsp0(c, c->constants->stack);
    v->arch->kernel_sp = c->scratch->kernel_sp;
    v->arch->in_kernel =
        is_trap ? (r->cs & RPL_MASK) == 1 : c->scratch->in_kernel != 0;
    sides_hide_ring1(r);
    if (v->arch->in_kernel) /* an application's ports are as it left them */
        ioport_mode_changed(v);
}

uint64_t gate_linked_address(uint64_t rip)
{
    uint64_t offset = rip - this_cpu()->gate - GATE_CODE;

    return offset < GATE_CONST - GATE_CODE ? (uint64_t)gate_text_start + offset
                                           : rip;
}

void sides_debug_fault(const struct regs *r)
{
    struct regs lost = *r;

    if (gate_linked_address(r->rip) !=
        (uint64_t)gate_stubs + EXC_DB * GATE_STUB_BYTES)
        return;
    sides_entered(&lost);
    domain_crash(this_pcpu()->loaded->domain,
                 "vCPU %u: a breakpoint on the way to a breakpoint",
                 this_pcpu()->loaded->id);
    exit_restart(guest_regs());
}

bool sides_finish_iret(struct vcpu *v, struct regs *r)
{
    uint8_t code[2];
    uint64_t frame[5];

    if (!sides_is_light(v) || !v->arch->in_kernel ||
        r->error_code != (SEL_KERNEL_CS_RING1 & ~RPL_MASK))
        return false;
    if (copy_in_root(v->kernel_root, code, r->rip, sizeof(code)) ||
        code[0] != REX_W || code[1] != OPCODE_IRET)
        return false;
    if (copy_in_root(v->kernel_root, frame, r->rsp, sizeof(frame)) ||
        (frame[1] & 0xffff) != SEL_KERNEL_CS_RING1)
        return false;
    r->rip = frame[0];
    r->cs = SEL_GUEST_CS;
    r->rflags = (frame[2] & IRET_FLAGS_KEPT) | RFLAGS_IF | RFLAGS_FIXED;
    r->rsp = frame[3];
    r->ss = SEL_GUEST_SS;
    return true;
}

/* --- from full to light -------------------------------------------------- */

/* Shows the gate the page that holds the vcpu_info. */
static void map_vcpu_info(struct cpu *c, struct vcpu_info *info)
{
    cpu_set_gate_page(c, GATE_VCPU_INFO, arch_frame_of(info), OWN_RW);
    c->constants->vcpu_info =
        c->gate + GATE_VCPU_INFO + ((uint64_t)info & (PAGE_SIZE - 1));
    c->shown_info = info;
}

/* Whether every system call and iret has to come to Mica. */
static bool needs_full(const struct vcpu *v)
{
    const struct callback *c = &v->arch->callbacks[CALLBACKTYPE_syscall];

    return !c->address || !c->masks_events || v->arch->nmi_masked ||
           mfn_equal(v->user_root, MFN_INVALID);
}

hot_path uint64_t sides_leave_light(struct vcpu *v, struct regs *r)
{
    struct cpu *c = this_cpu();
    struct gate_const *k = c->constants;
    struct vcpu_info *info = vcpu_info_of(v);

    if (!sides_is_light(v) || mfn_equal(v->kernel_root, MFN_INVALID) ||
        info == &v->own_info) /* Mica's own memory, for want of the guest's */
        return 0;
    if (c->shown_info != info)
        map_vcpu_info(c, info);
    ioport_leave_light(v);
    k->light_cr3 = find_root(c, v->kernel_root);
    k->is_light = 1;
    k->force_full = needs_full(v);
    k->syscall_handler = v->arch->callbacks[CALLBACKTYPE_syscall].address;
    c->scratch->in_kernel = v->arch->in_kernel;
    c->scratch->kernel_sp = v->arch->kernel_sp;
    cpu_set_rsp0(c, k->gate_stack);
    if (v->arch->in_kernel) {
        r->cs = SEL_KERNEL_CS_RING1;
        r->ss = SEL_KERNEL_SS_RING1;
    }
    return c->gate + GATE_CODE + (uint64_t)(gate_exit_light - gate_text_start);
}
