/* SPDX-License-Identifier: MIT */
/*
 * What each processor needs before it can run a guest: its gate with GDT,
 * IDT and TSS in it, and its control and model-specific registers.
 */
#include "x86/cpu.h"

#include "core/arch.h"
#include "core/heap.h"
#include "core/log.h"
#include "x86/context.h"
#include "x86/cpu_features.h"
#include "x86/emulate.h"
#include "x86/memory_layout.h"
#include "x86/paging.h"
#include "x86/selectors.h"
#include "x86/sides.h"

#define SYSTEM_TSS 0x89
/*
 * The I/O bitmap begins with a page. The processor reads two bytes of it at a
 * time: it refuses the last eight ports, since a byte is missing behind them.
 */
#define TSS_OFFSET (PAGE_SIZE - offsetof(struct tss, io_bitmap))
#define GDT_LIMIT 0xefff /* to the end of Mica's page */
#define IDT_GATE 0x8e00u
#define SYSCALL_FLAG_MASK                                                      \
    (RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | \
     RFLAGS_VM | RFLAGS_AC)

struct cpu cpus[MAX_PCPUS];

extern const char gate_text_start[], gate_text_end[];
extern const char gate_syscall[], gate_syscall32[], gate_sysenter[];
extern const char gate_stubs[];
extern const char entry_syscall[], entry_trap[], entry_ist[];

struct pcpu *arch_this_pcpu(void)
{
    return this_cpu()->core;
}

/* The record of pCPU `id`, whose stack is `stack`: enough to find itself. */
void cpu_init_record(unsigned id, uint32_t apic_id, void *stack)
{
    struct stack_info *info =
        (struct stack_info *)((char *)stack + STACK_SIZE) - 1;

    pcpu_init(id);
    cpus[id] = (struct cpu){
        .core = &pcpus[id],
        .id = id,
        .apic_id = apic_id,
        .stack = info,
        .loaded_root = MFN_INVALID,
    };
    pcpus[id].clean = true;
    info->cpu = &cpus[id];
}

/* Maps `frame` at byte `offset` of the gate of `c`. */
void cpu_set_gate_page(struct cpu *c, unsigned offset, mfn_t frame,
                       uint64_t flags)
{
    pte_write(&c->gate_l1[offset / PAGE_SIZE], pte_make(frame, flags));
}

static void *gate_page_alloc(struct cpu *c, unsigned offset, uint64_t flags)
{
    void *page = frames_alloc(0);

    if (!page)
        panic("out of memory for the gate of pCPU %u", c->id);
    cpu_set_gate_page(c, offset, arch_frame_of(page), flags);
    return page;
}

/* Where the gate of `c` has `symbol` of the gate's code. */
static uint64_t gate_address(const struct cpu *c, const char *symbol)
{
    return c->gate + GATE_CODE + (uint64_t)(symbol - gate_text_start);
}

static void fill_idt(struct cpu *c)
{
    /*
     * Of #DB since a breakpoint met in `mov ss` is reported one instruction
     * later: after SYSCALL, on the guest's stack pointer (Intel SDM 3A, 6.8.3).
     */
    static const uint8_t stacks[256] = {
        [EXC_NMI] = IST_NMI,
        [EXC_MC] = IST_MC,
        [EXC_DF] = IST_DF,
        [EXC_DB] = IST_DB,
    };
    uint64_t *idt = c->idt, stub = gate_address(c, gate_stubs);

    for (unsigned v = 0; v < 256; v++, stub += GATE_STUB_BYTES) {
        uint64_t dpl = v == EXC_BP || v == EXC_OF || v == 0x80 ? 3 : 0;

        idt[2 * v] = (stub & 0xffff) | (uint64_t)SEL_OWN_CS << 16 |
                     (uint64_t)stacks[v] << 32 | (IDT_GATE | dpl << 13) << 32 |
                     (stub >> 16 & 0xffff) << 48;
        idt[2 * v + 1] = stub >> 32;
    }
}

/* The place of a selector's descriptor in Mica's page of the GDT. */
#define OWN_INDEX(selector) (((selector)-OWN_GDT_BASE) / 8)

/* A system descriptor of two entries (Intel SDM 3A, 8.2.3). */
void cpu_set_system_descriptor(struct cpu *c, unsigned selector, unsigned type,
                               uint64_t base, uint32_t limit)
{
    uint64_t *descriptor = &c->own_gdt[OWN_INDEX(selector)];

    descriptor[1] = base >> 32;
    descriptor[0] = (limit & 0xffff) | (base & 0xffffff) << 16 |
                    (uint64_t)type << 40 | (uint64_t)(limit >> 16 & 0xf) << 48 |
                    (base >> 24 & 0xff) << 56;
}

static void fill_gdt(struct cpu *c)
{
    static const uint64_t descriptors[] = {
        [OWN_INDEX(SEL_OWN_CS)] = 0x00af9b000000ffff, /* 64-bit code, ring 0 */
        [OWN_INDEX(SEL_OWN_SS)] = 0x00cf93000000ffff, /* data, ring 0 */
        [OWN_INDEX(SEL_KERNEL_CS_RING1)] = 0x00afbb000000ffff,
        [OWN_INDEX(SEL_KERNEL_SS_RING1)] = 0x00cfb3000000ffff,
        [OWN_INDEX(SEL_GUEST_CS32)] = 0x00cffb000000ffff, /* 32-bit, ring 3 */
        [OWN_INDEX(SEL_GUEST_SS)] = 0x00cff3000000ffff,
        [OWN_INDEX(SEL_GUEST_CS)] = 0x00affb000000ffff, /* 64-bit, ring 3 */
    };

    memcpy(c->own_gdt, descriptors, sizeof(descriptors));
    cpu_set_system_descriptor(c, SEL_TSS, SYSTEM_TSS,
                              c->gate + GATE_TSS + TSS_OFFSET,
                              sizeof(struct tss) - 1);
}

static void set_tss_address(uint32_t *pair, uint64_t address)
{
    pair[0] = (uint32_t)address;
    pair[1] = address >> 32;
}

/* Where the processor pushes its frame when it enters ring 0. */
void cpu_set_rsp0(struct cpu *c, uint64_t address)
{
    set_tss_address(&c->tss->rsp[0], address);
}

static void fill_tss(struct cpu *c)
{
    uint64_t top = c->gate + GATE_SCRATCH + offsetof(struct gate_scratch, ist);

    cpu_set_rsp0(c, (uint64_t)&c->stack->cpu);
    for (unsigned i = 0; i < IST_COUNT - 1; i++)
        set_tss_address(&c->tss->ist[2 * i], top + (i + 1) * GATE_IST_BYTES);
    c->tss->io_bitmap_offset = sizeof(struct tss);
}

uint16_t verw_selector;

static void fill_constants(struct cpu *c)
{
    char *stack = stack_alloc();
    struct stack_info *info;

    if (!stack)
        panic("out of memory for the exception stack of pCPU %u", c->id);
    info = (struct stack_info *)(stack + STACK_SIZE) - 1;
    info->cpu = c;
    *c->constants = (struct gate_const){
        .stack = (uint64_t)&c->stack->cpu,
        .entry_syscall = (uint64_t)entry_syscall,
        .entry_trap = (uint64_t)entry_trap,
        .entry_ist = (uint64_t)entry_ist,
        .full_cr3 = virt_to_phys(idle_l4),
        .exception_stack = (uint64_t)info,
        .refill_returns = !cpu_features()->smep, /* which the guest filled */
    };
}

static void build_gate(struct cpu *c)
{
    mfn_t text = arch_frame_of(gate_text_start);
    uint64_t pages = (uint64_t)(gate_text_end - gate_text_start + 4095) / 4096;

    c->gate = GATE_BASE + (uint64_t)c->id * GATE_STRIDE;
    c->gate_l1 = own_l1_table(c->gate);
    c->own_gdt = gate_page_alloc(c, GATE_GDT_OWN, OWN_RW);
    c->constants = gate_page_alloc(c, GATE_CONST, OWN_RO);
    c->scratch = gate_page_alloc(c, GATE_SCRATCH, OWN_RW);
    c->idt = gate_page_alloc(c, GATE_IDT, OWN_RO);
    c->tss = (struct tss *)((char *)gate_page_alloc(c, GATE_TSS, OWN_RO) +
                            TSS_OFFSET);
    for (uint64_t i = 0; i < pages; i++)
        cpu_set_gate_page(c, GATE_CODE + i * PAGE_SIZE, mfn_add(text, i),
                          OWN_RX);
    fill_constants(c);
    sides_init_cpu(c);
    fill_idt(c);
    fill_gdt(c);
    fill_tss(c);
}

static void load_tables(struct cpu *c)
{
    struct descriptor_table gdt = {GDT_LIMIT, c->gate + GATE_GDT};
    struct descriptor_table idt = {256 * 16 - 1, c->gate + GATE_IDT};

    lgdt(&gdt);
    reload_segments(SEL_OWN_CS, SEL_OWN_SS);
    lidt(&idt);
    ltr(SEL_TSS);
    lldt(0);
    /* LTR had to write to the GDT; nothing has to from now on. */
    cpu_set_gate_page(c, GATE_GDT_OWN, arch_frame_of(c->own_gdt), OWN_RO);
    invlpg(c->gate + GATE_GDT_OWN);
}

static void set_syscall_msrs(const struct cpu *c)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
    wrmsr(MSR_STAR,
          (uint64_t)SEL_GUEST_CS32 << 48 | (uint64_t)SEL_OWN_CS << 32);
    wrmsr(MSR_LSTAR, gate_address(c, gate_syscall));
    wrmsr(MSR_CSTAR, gate_address(c, gate_syscall32));
    wrmsr(MSR_FMASK, SYSCALL_FLAG_MASK);
    if (!cpu_features()->is_intel)
        return;
    wrmsr(MSR_SYSENTER_CS, SEL_OWN_CS);
    wrmsr(MSR_SYSENTER_ESP, c->constants->gate_stack);
    wrmsr(MSR_SYSENTER_EIP, gate_address(c, gate_sysenter));
}

static void set_control_registers(void)
{
    const struct cpu_features *f = cpu_features();

    write_cr4(CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE |
              (f->smep ? CR4_SMEP : 0) | (f->xsave ? CR4_OSXSAVE : 0));
    wrmsr(MSR_PAT, PAT_VALUE);
    if (f->clear_buffers)
        verw_selector = SEL_OWN_SS;
}

/* Makes the calling processor, whose record exists, ready for guests. */
void cpu_init_this(unsigned id)
{
    struct cpu *c = &cpus[id];

    build_gate(c);
    load_tables(c);
    set_control_registers();
    set_syscall_msrs(c);
    fpu_init_this_cpu();
}

uint64_t index_clamp(uint64_t index, uint64_t bound)
{
    return index & mask_if_below(index, bound);
}
