/* SPDX-License-Identifier: MIT */
/* The state of the vector unit: whose it is, when it traps, how wide it is. */
#include "clock.h"
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/sched.h"
#include "hypercall_abi/version.h"

#define CR0_TS 0x8ul
#define CR4_OSXSAVE 0x40000ul
#define XCR0_X87 1u
#define XCR0_SSE 2u
#define XCR0_AVX 4u

const char guest_name[] = "fpu";

extern const char at_change_xmm3[];
void xmm_load(const void *from);
void xmm_store(void *to);
void ymm_load(const void *from);
void ymm_store(void *to);

static uint64_t wanted[64], found[64];

void guest_init(void)
{
    user_init();
    for (unsigned i = 0; i < ARRAY_LEN(wanted); i++)
        wanted[i] = 0x0123456789abcdeful * (i + 1);
}

/* ---- what the processor has --------------------------------------------- */

struct cpuid {
    uint32_t a, b, c, d;
};

/* By the hypervisor's eyes. */
static struct cpuid forced_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                     : "0"(leaf), "2"(subleaf));
    return r;
}

static bool has_xsave(void)
{
    return forced_cpuid(1, 0).c & 1u << 26;
}

static bool has_avx(void)
{
    return forced_cpuid(1, 0).c & 1u << 28;
}

static uint64_t read_cr0(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static uint64_t read_cr4(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static void write_cr4(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value));
}

static uint64_t xgetbv(void)
{
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

struct xcr {
    uint32_t index, lo, hi;
};

static void set_xcr(uint64_t arg)
{
    const struct xcr *x = (const struct xcr *)arg;

    __asm__ volatile("xsetbv" : : "c"(x->index), "a"(x->lo), "d"(x->hi));
}

static int xsetbv(uint32_t index, uint64_t value)
{
    struct xcr x = {index, (uint32_t)value, (uint32_t)(value >> 32)};

    return trap_try(set_xcr, ARG(&x));
}

/* ---- XSAVE -------------------------------------------------------------- */

TEST(osxsave_shows_before_it_is_set)
{
    if (!has_xsave()) {
        test_skip("no XSAVE");
        return;
    }
    EXPECT_EQ(read_cr4() & CR4_OSXSAVE, 0);
    EXPECT_EQ(forced_cpuid(1, 0).c >> 27 & 1, 1);
    write_cr4(read_cr4() | CR4_OSXSAVE);
    EXPECT_EQ(read_cr4() & CR4_OSXSAVE, CR4_OSXSAVE);
    EXPECT_EQ(forced_cpuid(1, 0).c >> 27 & 1, 1);
}

TEST(xsetbv_rules)
{
    if (!has_xsave()) {
        test_skip("no XSAVE");
        return;
    }
    EXPECT_EQ(xsetbv(0, XCR0_X87 | XCR0_SSE), ENTRY_NONE);
    EXPECT_EQ(xgetbv(), XCR0_X87 | XCR0_SSE);
    EXPECT_EQ(xsetbv(0, XCR0_X87), ENTRY_NONE);
    EXPECT_EQ(xgetbv(), XCR0_X87);
    EXPECT_EQ(xsetbv(0, 0), EXC_GP);
    EXPECT_EQ(xsetbv(0, XCR0_SSE), EXC_GP);
    EXPECT_EQ(xsetbv(0, XCR0_X87 | XCR0_AVX), EXC_GP);
    EXPECT_EQ(xsetbv(0, 1ul << 62 | XCR0_X87), EXC_GP);
    EXPECT_EQ(xsetbv(1, XCR0_X87), EXC_GP);
    EXPECT_EQ(xgetbv(), XCR0_X87);
    EXPECT_EQ(xsetbv(0, XCR0_X87 | XCR0_SSE), ENTRY_NONE);
}

TEST(xsave_leaf_follows_xcr0)
{
    uint32_t small, large;

    if (!has_avx()) {
        test_skip("no AVX");
        return;
    }
    EXPECT_EQ(xsetbv(0, 3), ENTRY_NONE);
    small = forced_cpuid(0xd, 0).b;
    EXPECT_EQ(small, 576);
    EXPECT_EQ(xsetbv(0, 7), ENTRY_NONE);
    large = forced_cpuid(0xd, 0).b;
    EXPECT_EQ(large, 832);
    EXPECT(forced_cpuid(0xd, 0).c >= large);
    EXPECT_EQ(forced_cpuid(0xd, 0).a & 7, 7);
}

static void vector_instruction(uint64_t unused)
{
    (void)unused;
    ymm_load(wanted);
}

TEST(avx_needs_xcr0)
{
    if (!has_avx()) {
        test_skip("no AVX");
        return;
    }
    EXPECT_EQ(xsetbv(0, 3), ENTRY_NONE);
    EXPECT_EQ(trap_try(vector_instruction, 0), EXC_UD);
    EXPECT_EQ(xsetbv(0, 7), ENTRY_NONE);
    EXPECT_EQ(trap_try(vector_instruction, 0), ENTRY_NONE);
}

/* ---- whose state it is -------------------------------------------------- */

static void sleep_a_while(void)
{
    struct sched_poll_args op = {.timeout = system_time() + 3 * MS};

    EXPECT_EQ(hc_sched_op(SCHEDOP_poll, ARG(&op)), 0);
}

static bool go_on(struct entry_stack *stack, struct iret_context *back)
{
    (void)back;
    return stack->vector == EXC_BP;
}

static void breakpoint(void)
{
    trap_hook = go_on;
    __asm__ volatile("int3");
    trap_hook = NULL;
}

static void hypercalls(void)
{
    for (unsigned i = 0; i < 100; i++)
        hc_xen_version(XENVER_version, 0);
    mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0);
}

/* Compares only when the registers were not kept by chance. */
static void expect_kept(void (*load)(const void *), void (*store)(void *),
                        unsigned words, void (*during)(void))
{
    memset(found, 0, sizeof(found));
    load(wanted);
    during();
    store(found);
    EXPECT_EQ(memcmp(found, wanted, words * 8), 0);
}

TEST(xmm_registers_are_kept)
{
    expect_kept(xmm_load, xmm_store, 32, hypercalls);
    expect_kept(xmm_load, xmm_store, 32, breakpoint);
    expect_kept(xmm_load, xmm_store, 32, sleep_a_while);
}

TEST(ymm_registers_are_kept)
{
    if (!has_avx()) {
        test_skip("no AVX");
        return;
    }
    expect_kept(ymm_load, ymm_store, 64, hypercalls);
    expect_kept(ymm_load, ymm_store, 64, breakpoint);
    expect_kept(ymm_load, ymm_store, 64, sleep_a_while);
}

TEST(control_words_are_kept)
{
    uint32_t mxcsr = 0x9f80, read_mxcsr;
    uint16_t control = 0x027f, read_control;

    __asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(control));
    hypercalls();
    breakpoint();
    sleep_a_while();
    __asm__ volatile("stmxcsr %0; fnstcw %1"
                     : "=m"(read_mxcsr), "=m"(read_control));
    EXPECT_EQ(read_mxcsr, mxcsr);
    EXPECT_EQ(read_control, control);
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0; fninit" : : "m"(mxcsr));
}

TEST(user_and_kernel_share_the_registers)
{
    struct context c;

    xmm_load(wanted);
    context_user(&c, at_change_xmm3);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
    xmm_store(found);
    EXPECT_EQ(found[6], ~0ul);
    EXPECT_EQ(found[7], ~0ul);
    found[6] = wanted[6];
    found[7] = wanted[7];
    EXPECT_EQ(memcmp(found, wanted, 32 * 8), 0);
}

/* ---- task switched ------------------------------------------------------ */

static void use_xmm(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("pxor %xmm0, %xmm0");
}

static void use_x87(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("fnop");
}

TEST(task_switch_traps_once)
{
    xmm_load(wanted);
    EXPECT_EQ(hc_fpu_taskswitch(1), 0);
    EXPECT_EQ(read_cr0() & CR0_TS, CR0_TS);
    EXPECT_EQ(trap_try(use_xmm, 0), EXC_NM);
    EXPECT_EQ(trap.error_code, 0);
    EXPECT_EQ(read_cr0() & CR0_TS, 0);
    xmm_store(found);
    EXPECT_EQ(memcmp(found, wanted, 32 * 8), 0);
    EXPECT_EQ(trap_try(use_xmm, 0), ENTRY_NONE);
}

TEST(task_switch_traps_x87)
{
    EXPECT_EQ(hc_fpu_taskswitch(1), 0);
    EXPECT_EQ(trap_try(use_x87, 0), EXC_NM);
    EXPECT_EQ(trap_try(use_x87, 0), ENTRY_NONE);
}

TEST(task_switch_undone)
{
    EXPECT_EQ(hc_fpu_taskswitch(1), 0);
    EXPECT_EQ(hc_fpu_taskswitch(0), 0);
    EXPECT_EQ(read_cr0() & CR0_TS, 0);
    EXPECT_EQ(trap_try(use_xmm, 0), ENTRY_NONE);
}

TEST(task_switch_undone_by_clts)
{
    EXPECT_EQ(hc_fpu_taskswitch(1), 0);
    __asm__ volatile("clts");
    EXPECT_EQ(read_cr0() & CR0_TS, 0);
    EXPECT_EQ(trap_try(use_xmm, 0), ENTRY_NONE);
}

static void write_cr0(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value));
}

TEST(task_switch_by_cr0)
{
    EXPECT_EQ(trap_try(write_cr0, read_cr0() | CR0_TS), ENTRY_NONE);
    EXPECT_EQ(trap_try(use_xmm, 0), EXC_NM);
    EXPECT_EQ(trap_try(write_cr0, read_cr0() & ~CR0_TS), ENTRY_NONE);
    EXPECT_EQ(trap_try(use_xmm, 0), ENTRY_NONE);
}

TEST(task_switch_in_user_mode)
{
    struct context c;

    EXPECT_EQ(hc_fpu_taskswitch(1), 0);
    context_user(&c, at_change_xmm3);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_NM);
    EXPECT_EQ(trap.rip, user_address(at_change_xmm3));
    EXPECT_EQ(trap.cs & 0xffff, 0xe033);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
}

TEST(other_bits_of_cr0_cannot_change)
{
    uint64_t before = read_cr0();

    EXPECT_EQ(before & 0x80000001, 0x80000001);
    EXPECT_EQ(trap_try(write_cr0, before ^ 0x10000), EXC_GP);
    EXPECT_EQ(read_cr0(), before);
}
