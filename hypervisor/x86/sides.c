/* SPDX-License-Identifier: MIT */
/* Changes of side, and root pages (sides.h). */
#include "x86/sides.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "core/vcpu.h"
#include "x86/context.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/desc.h"
#include "x86/gate.h"
#include "x86/insn.h"
#include "x86/ioport.h"
#include "x86/machine_early.h"
#include "x86/memory_layout.h"
#include "x86/paging.h"
#include "x86/selectors.h"
#include "x86/traps.h"

#define KERNEL_HALF_FIRST 272u
#define M2P_L3_ENTRIES 256u
#define WINDOW_TABLE (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define RPL_MASK 3u
#define RPL_RING1 1u
#define REX_W 0x48
#define OPCODE_IRET 0xcf

extern const char gate_text_start[], gate_exit_light[], gate_exit_iret[];
extern const char gate_guest_stack_start[], gate_guest_stack_end[];
extern const char gate_guest_flush_start[], gate_guest_flush_end[];
extern const char gate_flush_not[];
extern const char gate_guest_iret_start[], gate_guest_iret_end[];
extern const char gate_iret_to_kernel[], gate_iret_to_application[];
extern const char gate_iret_to_caller[], gate_load_gs[], gate_ist_iret[];
extern const char gate_stubs[];

enum sides sides;

const char *sides_name(void)
{
    static const char *const names[] = {"lazy", "isolated", "classic"};

    return names[sides];
}

void sides_init(enum sides chosen)
{
    const struct cpu_features *f = cpu_features();

    if (f->meltdown)
        pt_refuse_absent(frame_table_end);
    sides = chosen;
    if (sides == SIDES_LAZY && f->meltdown)
        sides = SIDES_ISOLATED;
    log_info("sides=%s%s", sides_name(),
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

static uint64_t as_seen_light(unsigned index, uint64_t entry)
{
    return index >= KERNEL_HALF_FIRST ? entry & ~PTE_USER : entry;
}

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

void arch_l4_entry_changed(mfn_t l4, unsigned index, uint64_t entry)
{
    for (unsigned i = 0; i < pcpu_count; i++) {
        struct cpu *c = &cpus[i];

        spin_lock(&c->sides_lock);
        for (unsigned n = 0; n < ROOT_PAGES; n++)
            if (mfn_equal(c->roots[n].source, l4))
                pte_write(&c->roots[n].table[index],
                          as_seen_light(index, entry));
        spin_unlock(&c->sides_lock);
    }
}

void arch_l4_gone(mfn_t l4)
{
    for (unsigned i = 0; i < pcpu_count; i++) {
        struct cpu *c = &cpus[i];

        spin_lock(&c->sides_lock);
        for (unsigned n = 0; n < ROOT_PAGES; n++)
            if (mfn_equal(c->roots[n].source, l4))
                c->roots[n].source = MFN_INVALID;
        spin_unlock(&c->sides_lock);
    }
}

/* --- from light to full -------------------------------------------------- */

hot_path void sides_entered_light(struct cpu *c, struct regs *r)
{
    struct vcpu *v = c->core->loaded;
    bool is_trap = r->vector < ENTRY_SYSCALL && (r->cs & RPL_MASK);
    bool is_ring1 = (r->cs & RPL_MASK) == RPL_RING1;

    c->constants->is_light = 0;
    cpu_set_rsp0(c, c->constants->stack);
    v->arch->kernel_sp = c->scratch->kernel_sp;
    v->arch->in_kernel = is_trap ? is_ring1 : c->scratch->in_kernel != 0;
    if (is_ring1) {
        r->cs = SEL_GUEST_CS;
        r->ss = SEL_GUEST_SS;
    }
    if (v->arch->in_kernel) /* an application's ports are as it left them */
        ioport_mode_changed(v);
}

/* Where this pCPU has the gate's `label`. */
static uint64_t gate_address(const char *label)
{
    return this_cpu()->gate + GATE_CODE + (uint64_t)(label - gate_text_start);
}

/* Whether the gate's instruction at `rip` lies in [start, end). */
static bool is_in_gate(uint64_t rip, const char *start, const char *end)
{
    uint64_t at = rip - this_cpu()->gate - GATE_CODE;

    return at >= (uint64_t)(start - gate_text_start) &&
           at < (uint64_t)(end - gate_text_start);
}

static bool is_gate_iret(uint64_t rip)
{
    static const char *const irets[] = {
        gate_iret_to_kernel, gate_iret_to_application,
        gate_iret_to_caller, gate_exit_iret,
        gate_ist_iret,
    };

    for (size_t i = 0; i < ARRAY_LEN(irets); i++)
        if (is_in_gate(rip, irets[i], irets[i] + 1))
            return true;
    return false;
}

/* The context that the gate was about to enter, from the stack it was on. */
static void recover_context(const struct cpu *c, struct regs *r)
{
    uint64_t offset = r->rsp - c->gate - GATE_SCRATCH;
    const uint64_t *frame = (const void *)((const char *)c->scratch + offset);

    bool is_kernel = (frame[1] & RPL_MASK) == RPL_RING1;

    r->rip = frame[0];
    r->cs = is_kernel ? SEL_GUEST_CS : (uint16_t)frame[1];
    r->rflags = frame[2];
    r->rsp = frame[3];
    r->ss = is_kernel ? SEL_GUEST_SS : (uint16_t)frame[4];
}

/*
 * The gate could not load the application's GS, in whose place the kernel's
 * is now. Does it as the hypercall would, and ends the call.
 */
static void finish_gs_load(const struct cpu *c, struct regs *r)
{
    const uint8_t *stack_end = c->scratch->stack + sizeof(c->scratch->stack);

    swapgs();
    load_gs_user((uint16_t)r->rsi);
    r->rax = 0;
    memcpy(&r->rbx, stack_end - 2 * sizeof(r->rbx), sizeof(r->rbx));
    r->rip = r->rcx;
    r->cs = SEL_GUEST_CS;
    r->rflags = (r->r11 & IRET_FLAGS_KEPT) | RFLAGS_IF | RFLAGS_FIXED;
    r->rsp = c->scratch->guest_rsp;
    r->ss = SEL_GUEST_SS;
}

bool sides_gate_fault(struct regs *r)
{
    struct vcpu *v = this_pcpu()->loaded;
    unsigned vector = r->vector;
    uint32_t error_code = r->error_code;
    uint64_t address = read_cr2();
    bool is_on_stack =
        is_in_gate(r->rip, gate_guest_stack_start, gate_guest_stack_end);
    bool is_on_iret =
        is_in_gate(r->rip, gate_guest_iret_start, gate_guest_iret_end);

    if (is_on_stack || is_on_iret) {
        /* Whoever resumes the domain must not find Mica's own context. */
        r->cs = SEL_GUEST_CS;
        r->ss = SEL_GUEST_SS;
        r->rflags |= RFLAGS_IF;
    }
    if (is_on_stack)
        domain_crash(v->domain,
                     "vCPU %u: bad kernel stack %#lx for a system "
                     "call",
                     v->id, v->arch->kernel_sp);
    else if (is_on_iret)
        domain_crash(v->domain, "vCPU %u: iret from bad stack %#lx", v->id,
                     this_cpu()->scratch->guest_rsp);
    else if (is_in_gate(r->rip, gate_load_gs, gate_load_gs + 1))
        finish_gs_load(this_cpu(), r);
    else if (is_in_gate(r->rip, gate_guest_flush_start, gate_guest_flush_end)) {
        r->rip = gate_address(gate_flush_not);
        return true;
    } else if (!is_gate_iret(r->rip))
        return false;
    else {
        recover_context(this_cpu(), r);
        if (vector != EXC_PF)
            trap_inject(v, vector, error_code);
        else if (!desc_fault(v, address))
            trap_inject(v, EXC_GP, 0);
    }
    exit_restart(r);
}

void sides_debug_fault(const struct regs *r)
{
    const char *stub = gate_stubs + EXC_DB * GATE_STUB_BYTES;
    struct regs lost = *r;

    if (!is_in_gate(r->rip, stub, stub + 1))
        return;
    sides_entered(&lost);
    domain_crash(this_pcpu()->loaded->domain,
                 "vCPU %u: a breakpoint on the way to a breakpoint",
                 this_pcpu()->loaded->id);
    exit_restart(guest_regs());
}

void sides_wipe_stacks(struct cpu *c)
{
    c->stacks_hold_own = false;
    memset(c->scratch->ist, 0, sizeof(c->scratch->ist));
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
    const struct callback *c = &v->arch->callbacks[CALLBACK_SYSCALL];

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
    k->syscall_handler = v->arch->callbacks[CALLBACK_SYSCALL].address;
    c->scratch->in_kernel = v->arch->in_kernel;
    c->scratch->kernel_sp = v->arch->kernel_sp;
    cpu_set_rsp0(c, k->gate_stack);
    if (v->arch->in_kernel) {
        r->cs = SEL_KERNEL_CS_RING1;
        r->ss = SEL_KERNEL_SS_RING1;
    }
    return gate_address(gate_exit_light);
}
