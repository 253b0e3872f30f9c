/* SPDX-License-Identifier: MIT */
/*
 * The machine's instructions as C functions, one each. The names follow the
 * mnemonics of the Intel SDM, volume 2, where all of them are described.
 */
#pragma once

#include "core/types.h"

#define CR0_MP (1ul << 1)
#define CR0_TS (1ul << 3)
#define CR0_NE (1ul << 5)
#define CR4_DE (1ul << 3)
#define CR4_PAE (1ul << 5)
#define CR4_MCE (1ul << 6)
#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_OSXSAVE (1ul << 18)
#define CR4_SMEP (1ul << 20)

#define XCR0_X87 (1ull << 0)
#define XCR0_SSE (1ull << 1)
#define XCR0_AVX (1ull << 2)
#define XCR0_AVX512 (7ull << 5)

#define MSR_APIC_BASE 0x1bu
#define MSR_PRED_CMD 0x49u
#define PRED_CMD_IBPB 1u
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_PAT 0x277u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC_FIRST 0x800u
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u

#define EFER_SCE (1ul << 0)
#define EFER_LME (1ul << 8)
#define EFER_LMA (1ul << 10)
#define EFER_NXE (1ul << 11)

struct cpuid_leaf {
    uint32_t eax, ebx, ecx, edx;
};

struct __attribute__((packed)) descriptor_table {
    uint16_t limit;
    uint64_t base;
};

static inline struct cpuid_leaf cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* Instructions that leave their result in edx:eax. */
#define DEFINE_PAIR_READ(name, parameter, input)                               \
    static inline uint64_t name(parameter)                                     \
    {                                                                          \
        uint32_t low, high;                                                    \
                                                                               \
        __asm__ volatile(#name : "=a"(low), "=d"(high) : input : "memory");    \
        return (uint64_t)high << 32 | low;                                     \
    }

DEFINE_PAIR_READ(rdtsc, void, )
DEFINE_PAIR_READ(rdmsr, uint32_t msr, "c"(msr))
DEFINE_PAIR_READ(xgetbv, uint32_t index, "c"(index))

/* And those that take their operand from there. */
#define DEFINE_PAIR_WRITE(name)                                                \
    static inline void name(uint32_t index, uint64_t value)                    \
    {                                                                          \
        __asm__ volatile(#name                                                 \
                         :                                                     \
                         : "c"(index), "a"((uint32_t)value), "d"(value >> 32)  \
                         : "memory");                                          \
    }

DEFINE_PAIR_WRITE(wrmsr)
DEFINE_PAIR_WRITE(xsetbv)

/* As rdmsr for an MSR the processor may lack; -EFAULT if it does. */
must_check int rdmsr_safe(uint32_t msr, uint64_t *value);

#define DEFINE_PORT_IO(suffix, type)                                           \
    static inline type in##suffix(uint16_t port)                               \
    {                                                                          \
        type value;                                                            \
                                                                               \
        __asm__ volatile("in" #suffix " %1, %0" : "=a"(value) : "Nd"(port));   \
        return value;                                                          \
    }                                                                          \
    static inline void out##suffix(uint16_t port, type value)                  \
    {                                                                          \
        __asm__ volatile("out" #suffix " %0, %1" : : "a"(value), "Nd"(port));  \
    }

DEFINE_PORT_IO(b, uint8_t)
DEFINE_PORT_IO(w, uint16_t)
DEFINE_PORT_IO(l, uint32_t)

/* Accesses of 1, 2 or 4 bytes. */
static inline uint32_t port_read(uint16_t port, unsigned size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static inline void port_write(uint16_t port, unsigned size, uint32_t value)
{
    if (size == 1)
        outb(port, (uint8_t)value);
    else if (size == 2)
        outw(port, (uint16_t)value);
    else
        outl(port, value);
}

#define DEFINE_READ(name)                                                      \
    static inline uint64_t read_##name(void)                                   \
    {                                                                          \
        uint64_t value;                                                        \
                                                                               \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");    \
        return value;                                                          \
    }

#define DEFINE_REGISTER(name)                                                  \
    DEFINE_READ(name)                                                          \
    static inline void write_##name(uint64_t value)                            \
    {                                                                          \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");        \
    }

DEFINE_REGISTER(cr0)
DEFINE_REGISTER(cr2)
DEFINE_REGISTER(cr3)
DEFINE_REGISTER(cr4)
DEFINE_REGISTER(dr0)
DEFINE_REGISTER(dr1)
DEFINE_REGISTER(dr2)
DEFINE_REGISTER(dr3)
DEFINE_REGISTER(dr6)
DEFINE_REGISTER(dr7)

static inline void invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Instructions with one operand, and with none. */
#define DEFINE_LOAD(name, parameter, constraint, operand)                      \
    static inline void name(parameter)                                         \
    {                                                                          \
        __asm__ volatile(#name " %0" : : constraint(operand));                 \
    }

DEFINE_LOAD(lgdt, const struct descriptor_table *t, "m", *t)
DEFINE_LOAD(lidt, const struct descriptor_table *t, "m", *t)
DEFINE_LOAD(lldt, uint16_t selector, "r", selector)
DEFINE_LOAD(ltr, uint16_t selector, "r", selector)

#define DEFINE_PLAIN(name, mnemonic)                                           \
    static inline void name(void)                                              \
    {                                                                          \
        __asm__ volatile(mnemonic : : : "memory");                             \
    }

DEFINE_PLAIN(wbinvd, "wbinvd")
DEFINE_PLAIN(pause, "pause")
DEFINE_PLAIN(clts, "clts")
DEFINE_PLAIN(swapgs, "swapgs")
DEFINE_PLAIN(interrupts_off, "cli")
DEFINE_PLAIN(halt, "hlt")
DEFINE_PLAIN(mfence, "mfence") /* all earlier loads and stores are visible */
DEFINE_PLAIN(lfence, "lfence") /* all that is earlier is done */
/* Sleeps until an interrupt came and was served; none is lost in between. */
DEFINE_PLAIN(halt_until_interrupt, "sti; hlt; cli")

/* Reloads CS by a far return, and SS; the data segments become null. */
static inline void reload_segments(uint64_t cs, uint64_t ss)
{
    __asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq\n"
                     "1: movl %1, %%ss; xorl %%eax, %%eax; movl %%eax, %%ds;"
                     "movl %%eax, %%es; movl %%eax, %%fs; movl %%eax, %%gs"
                     :
                     : "r"(cs), "r"((uint32_t)ss)
                     : "rax", "memory");
}

/* Of an area of floating-point state; FXSAVE and FXRSTOR ignore `features`. */
#define DEFINE_STATE(name)                                                     \
    static inline void name(void *area, uint64_t features)                     \
    {                                                                          \
        __asm__ volatile(#name "64 (%0)"                                       \
                         :                                                     \
                         : "r"(area), "a"((uint32_t)features),                 \
                           "d"(features >> 32)                                 \
                         : "memory");                                          \
    }

DEFINE_STATE(fxsave)
DEFINE_STATE(fxrstor)
DEFINE_STATE(xsave)
DEFINE_STATE(xrstor)

DEFINE_READ(ds)
DEFINE_READ(es)
DEFINE_READ(fs)
DEFINE_READ(gs)

/*
 * Load a segment register; false, and a null selector, where the processor
 * refuses. load_gs_user loads GS as SWAPGS would exchange it: its base goes
 * to MSR_KERNEL_GS_BASE.
 */
bool load_ds(uint16_t selector);
bool load_es(uint16_t selector);
bool load_fs(uint16_t selector);
bool load_gs(uint16_t selector);
bool load_gs_user(uint16_t selector);

/* CMP and SBB: all ones when `a` is below `b`, else 0; nothing to predict. */
static inline uint64_t mask_if_below(uint64_t a, uint64_t b)
{
    uint64_t mask;

    __asm__("cmp %2, %1\n\tsbb %0, %0" : "=r"(mask) : "r"(a), "rm"(b) : "cc");
    return mask;
}
