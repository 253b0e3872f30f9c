/* SPDX-License-Identifier: MIT */
/* Segment registers, descriptor tables, and the bases of FS and GS. */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#define EFAULT 14
#define EINVAL 22

#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define NON_CANONICAL 0x8000000000000000ul

/* Flat, present: DPL 0 and DPL 3. */
#define CODE_64 0x00af9a000000ffffull
#define DATA_0 0x00cf92000000ffffull
#define DATA_3 0x00cff2000000ffffull
#define TSS 0x0000890000000067ull
#define CALL_GATE 0x00008c0000080000ull
#define INTERRUPT_GATE 0x00008e0000080000ull
#define LDT_DESCRIPTOR 0x0000820000000067ull
#define NOT_PRESENT_TSS 0x0000090000000067ull
#define DPL_AND_ACCESSED 0x0000610000000000ull

const char guest_name[] = "selectors";

static uint64_t *gdt; /* entries 1: code, 2: data, 3: data for all */

static void load_gdt(uint64_t *page, unsigned entries)
{
    uint64_t frame = mfn_of(page);

    EXPECT_EQ(hc_set_gdt(ARG(&frame), entries), 0);
}

void guest_init(void)
{
    user_init();
    gdt = page_alloc();
    gdt[1] = CODE_64;
    gdt[2] = DATA_0;
    gdt[3] = DATA_3;
    EXPECT_EQ(page_set_ro(gdt), 0);
    load_gdt(gdt, 16);
}

static void load_ds(uint64_t selector)
{
    __asm__ volatile("mov %0, %%ds" : : "r"((uint32_t)selector));
}

static void load_fs(uint64_t selector)
{
    __asm__ volatile("mov %0, %%fs" : : "r"((uint32_t)selector));
}

static void load_gs(uint64_t selector)
{
    __asm__ volatile("mov %0, %%gs" : : "r"((uint32_t)selector));
}

static uint64_t get_gs(void)
{
    uint64_t selector;

    __asm__ volatile("mov %%gs, %0" : "=r"(selector));
    return selector & 0xffff;
}

static void expect_loads(uint64_t selector)
{
    EXPECT_EQ(trap_try(load_ds, selector), ENTRY_NONE);
    EXPECT_EQ(trap_try(load_ds, 0), ENTRY_NONE);
}

static void expect_refused(uint64_t selector, int vector)
{
    EXPECT_EQ(trap_try(load_ds, selector), vector);
    EXPECT_EQ(trap.error_code, selector & 0xfffc);
}

/* ---- the GDT ------------------------------------------------------------ */

TEST(flat_selectors)
{
    expect_loads(0xe02b);
    expect_loads(0xe033 - 0xe033);
    expect_loads(0x10 | 3);
    expect_loads(0x18 | 3);
    expect_loads(3);
}

/* A code segment may be read as data. */
TEST(code_selectors_as_data)
{
    expect_loads(0xe033);
    expect_loads(0xe023);
    expect_loads(0x08 | 3);
}

TEST(kernel_descriptors_get_ring_3)
{
    EXPECT_EQ(gdt[1] & DPL_AND_ACCESSED & ~(1ull << 40), 0x600000000000);
    EXPECT_EQ(gdt[2] & DPL_AND_ACCESSED & ~(1ull << 40), 0x600000000000);
    EXPECT_EQ(gdt[1] & ~DPL_AND_ACCESSED, CODE_64 & ~DPL_AND_ACCESSED);
    EXPECT_EQ(gdt[3] | 1ull << 40, DATA_3 | 1ull << 40);
}

TEST(missing_descriptors)
{
    expect_refused(0x20 | 3, EXC_GP);
    expect_refused(0x1000 | 3, EXC_GP);
    expect_refused(0xdff8 | 3, EXC_GP);
    expect_refused(0xf000 | 3, EXC_GP);
    expect_refused(0xfff8 | 3, EXC_GP);
}

TEST(hypervisor_descriptors)
{
    unsigned loaded = 0;

    for (uint64_t selector = 0xe000; selector < 0xf000; selector += 8) {
        int vector = trap_try(load_ds, selector | 3);

        EXPECT(vector == ENTRY_NONE || vector == EXC_GP || vector == EXC_NP);
        loaded += vector == ENTRY_NONE;
    }
    load_ds(0);
    EXPECT_EQ(loaded, 3);
}

TEST(own_code_selector_runs)
{
    struct context c;

    context_kernel(&c, ARG(at_int3));
    c.frame.cs = 0x08;
    c.frame.ss = 0x10;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    if (!kernel_is_in_ring_1()) {
        EXPECT_EQ(trap.cs & 0xffff, 0x08);
        EXPECT_EQ(trap.ss, 0x13);
    }
    context_user(&c, at_int3);
    c.frame.cs = 0x0b;
    c.frame.ss = 0x1b;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    EXPECT_EQ(trap.cs & 0xffff, 0x0b);
    EXPECT_EQ(trap.ss, 0x1b);
}

static long try_gdt(const void *page, unsigned entries)
{
    uint64_t frame = mfn_of(page);

    return hc_set_gdt(ARG(&frame), entries);
}

TEST(writable_page_is_no_gdt)
{
    uint64_t *page = page_alloc();

    EXPECT_EQ(try_gdt(page, 512), -EINVAL);
}

TEST(gdt_pages_cannot_be_written)
{
    EXPECT(page_set_rw(gdt) < 0);
    EXPECT(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(gdt), 0) < 0);
}

TEST(table_is_no_gdt)
{
    EXPECT_EQ(try_gdt(user_l1_page, 512), -EINVAL);
}

TEST(gdt_can_be_replaced)
{
    uint64_t *page = page_alloc();

    page[5] = DATA_3;
    EXPECT_EQ(page_set_ro(page), 0);
    load_gdt(page, 512);
    expect_loads(0x28 | 3);
    expect_refused(0x18 | 3, EXC_GP);
    EXPECT_EQ(page_set_rw(gdt), 0);
    EXPECT_EQ(page_set_ro(gdt), 0);
    load_gdt(gdt, 16);
    EXPECT_EQ(page_set_rw(page), 0);
    expect_loads(0x18 | 3);
}

TEST(gdt_can_be_empty)
{
    EXPECT_EQ(hc_set_gdt(0, 0), 0);
    expect_refused(0x18 | 3, EXC_GP);
    expect_loads(0xe02b);
    load_gdt(gdt, 16);
}

TEST(gdt_has_a_limit)
{
    uint64_t frames[16];

    for (unsigned i = 0; i < 16; i++)
        frames[i] = mfn_of(gdt);
    EXPECT_EQ(hc_set_gdt(ARG(frames), 7169), -EINVAL);
    EXPECT_EQ(hc_set_gdt(ARG(frames), 0xffffffff), -EINVAL);
    EXPECT_EQ(hc_set_gdt(ARG(frames), 7168), 0);
    expect_loads(0xd000 | 0x18 | 3);
    load_gdt(gdt, 16);
    EXPECT_EQ(hc_set_gdt(NON_CANONICAL, 16), -EFAULT);
    frames[0] = ~0ul;
    EXPECT_EQ(hc_set_gdt(ARG(frames), 16), -EINVAL);
}

static void expect_no_gdt_with(uint64_t descriptor)
{
    uint64_t *page = page_alloc();

    page[511] = descriptor;
    EXPECT_EQ(page_set_ro(page), 0);
    EXPECT_EQ(try_gdt(page, 1), -EINVAL);
    EXPECT_EQ(page_set_rw(page), 0);
}

TEST(system_descriptors_are_refused)
{
    expect_no_gdt_with(TSS);
    expect_no_gdt_with(INTERRUPT_GATE);
    expect_no_gdt_with(LDT_DESCRIPTOR);
}

TEST(call_gates_are_refused)
{
    expect_no_gdt_with(CALL_GATE);
    EXPECT_EQ(hc_update_descriptor(maddr_of(&gdt[12]), CALL_GATE), -EINVAL);
}

TEST(absent_descriptors_may_be_anything)
{
    uint64_t *page = page_alloc();

    page[4] = NOT_PRESENT_TSS;
    page[5] = DATA_3 & ~(1ull << 47);
    EXPECT_EQ(page_set_ro(page), 0);
    load_gdt(page, 512);
    EXPECT_EQ(page[4], NOT_PRESENT_TSS);
    expect_refused(0x28 | 3, EXC_NP);
    load_gdt(gdt, 16);
    EXPECT_EQ(page_set_rw(page), 0);
}

/* ---- update_descriptor -------------------------------------------------- */

TEST(update_descriptor_of_gdt)
{
    EXPECT_EQ(hc_update_descriptor(maddr_of(&gdt[12]), DATA_0), 0);
    expect_loads(0x60 | 3);
    EXPECT_EQ(gdt[12] | DPL_AND_ACCESSED, DATA_0 | DPL_AND_ACCESSED);
    EXPECT_EQ(hc_update_descriptor(maddr_of(&gdt[12]), TSS), -EINVAL);
    EXPECT_EQ(gdt[12] | DPL_AND_ACCESSED, DATA_0 | DPL_AND_ACCESSED);
    EXPECT_EQ(hc_update_descriptor(maddr_of(&gdt[12]), 0), 0);
    expect_refused(0x60 | 3, EXC_GP);
}

TEST(update_descriptor_of_ordinary_page)
{
    uint64_t *page = page_alloc();

    EXPECT_EQ(hc_update_descriptor(maddr_of(&page[3]), DATA_3), 0);
    EXPECT_EQ(page[3] | 1ull << 40, DATA_3 | 1ull << 40);
}

TEST(update_descriptor_of_what_is_none)
{
    EXPECT_EQ(hc_update_descriptor(maddr_of(&gdt[12]) + 4, 0), -EINVAL);
    EXPECT_EQ(hc_update_descriptor(maddr_of(user_l1_page), 0), -EINVAL);
    EXPECT_EQ(hc_update_descriptor(maddr_of(root_table()), 0), -EINVAL);
    EXPECT_EQ(hc_update_descriptor(0, 0), -EINVAL);
    EXPECT_EQ(hc_update_descriptor(~7ul, 0), -EINVAL);
}

/* ---- the LDT ------------------------------------------------------------ */

static uint64_t *ldt;

TEST(ldt)
{
    ldt = page_alloc();
    ldt[0] = DATA_0;
    ldt[511] = DATA_3;
    EXPECT_EQ(page_set_ro(ldt), 0);
    expect_refused(0x07, EXC_GP);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, ARG(ldt), 512), 0);
    expect_loads(0x07);
    expect_loads(511 * 8 | 7);
    expect_refused(512 * 8 | 7, EXC_GP);
    expect_refused(0x0f, EXC_GP);
    EXPECT_EQ(hc_update_descriptor(maddr_of(&ldt[1]), DATA_3), 0);
    expect_loads(0x0f);
    EXPECT(page_set_rw(ldt) < 0);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    expect_refused(0x07, EXC_GP);
    EXPECT_EQ(page_set_rw(ldt), 0);
}

TEST(ldt_arguments)
{
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, ARG(gdt) + 8, 16), -EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, ARG(gdt), 8193), -EINVAL);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
}

/* A page that cannot be a table is a page fault at its own address. */
TEST(ldt_in_a_writable_page)
{
    uint64_t *page = page_alloc();

    page[2] = DATA_3;
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, ARG(page), 512), 0);
    EXPECT_EQ(trap_try(load_ds, 2 * 8 | 7), EXC_PF);
    EXPECT_EQ(trap.cr2, ARG(&page[2]));
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
}

TEST(ldt_at_an_absent_address)
{
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, USER_HOLE, 512), 0);
    EXPECT_EQ(trap_try(load_ds, 2 * 8 | 7), EXC_PF);
    EXPECT_EQ(trap.cr2, USER_HOLE + 16);
    EXPECT_EQ(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
}

/* ---- bases -------------------------------------------------------------- */

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

struct msr {
    uint32_t index;
    uint64_t value;
};

static void write_msr(uint64_t arg)
{
    const struct msr *m = (const struct msr *)arg;

    __asm__ volatile("wrmsr"
                     :
                     : "c"(m->index), "a"((uint32_t)m->value),
                       "d"((uint32_t)(m->value >> 32)));
}

static int wrmsr(uint32_t index, uint64_t value)
{
    struct msr m = {index, value};

    return trap_try(write_msr, ARG(&m));
}

static uint64_t read_fs(uint64_t at)
{
    uint64_t value;

    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(value) : "r"(at));
    return value;
}

static uint64_t read_gs(uint64_t at)
{
    uint64_t value;

    __asm__ volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"(at));
    return value;
}

static uint64_t words[2] = {0x1111222233334444, 0x5555666677778888};

TEST(bases_by_hypercall)
{
    EXPECT_EQ(hc_set_segment_base(SEGBASE_FS, ARG(words)), 0);
    EXPECT_EQ(read_fs(8), words[1]);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_KERNEL, ARG(words) + 8), 0);
    EXPECT_EQ(read_gs(0), words[1]);
    EXPECT_EQ(rdmsr(MSR_FS_BASE), ARG(words));
    EXPECT_EQ(rdmsr(MSR_GS_BASE), ARG(words) + 8);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER, USER_DATA), 0);
    EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), USER_DATA);
    EXPECT_EQ(read_gs(0), words[1]);
}

TEST(bases_by_msr)
{
    EXPECT_EQ(wrmsr(MSR_FS_BASE, ARG(words) - 8), ENTRY_NONE);
    EXPECT_EQ(read_fs(8), words[0]);
    EXPECT_EQ(wrmsr(MSR_GS_BASE, ARG(words) - 16), ENTRY_NONE);
    EXPECT_EQ(read_gs(16), words[0]);
    EXPECT_EQ(wrmsr(MSR_KERNEL_GS_BASE, 0x12345678), ENTRY_NONE);
    EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0x12345678);
    EXPECT_EQ(rdmsr(MSR_GS_BASE), ARG(words) - 16);
}

TEST(bad_bases)
{
    for (unsigned which = 0; which < 3; which++) {
        EXPECT_EQ(hc_set_segment_base(which, NON_CANONICAL), -EINVAL);
        EXPECT_EQ(hc_set_segment_base(which, 0x0000800000000000), -EINVAL);
    }
    EXPECT_EQ(hc_set_segment_base(4, 0), -EINVAL);
    EXPECT_EQ(wrmsr(MSR_FS_BASE, NON_CANONICAL), EXC_GP);
    EXPECT_EQ(wrmsr(MSR_GS_BASE, NON_CANONICAL), EXC_GP);
    EXPECT_EQ(wrmsr(MSR_KERNEL_GS_BASE, NON_CANONICAL), EXC_GP);
}

TEST(bad_user_selectors_load_null)
{
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER, 0x1234), 0);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0x1003), 0);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0xfffff), 0);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0x18 | 3), 0);
    EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
}

/* The kernel's base goes on and off with its mode. */
TEST(gs_bases_change_with_the_mode)
{
    uint64_t *data = user_data_page;
    struct context c;

    data[2] = 0x6006;
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER, USER_DATA), 0);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_KERNEL, ARG(words)), 0);
    context_user(&c, at_read_gs);
    c.gprs.rsi = 16;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    EXPECT_EQ(trap.gprs.rax, 0x6006);
    EXPECT_EQ(read_gs(8), words[1]);
    EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), USER_DATA);
}

/* Loading a selector in user mode changes the user's base alone. */
TEST(user_loads_gs)
{
    struct context c;

    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER, USER_DATA), 0);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_KERNEL, ARG(words)), 0);
    context_user(&c, at_load_gs);
    c.gprs.rdi = 0x1b;
    c.gprs.rsi = USER_DATA + 16;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    EXPECT_EQ(trap.gprs.rax, 0x6006);
    EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0);
    EXPECT_EQ(read_gs(8), words[1]);
    EXPECT_EQ(get_gs(), 0x1b);
    load_gs(0);
}

TEST(fs_selector_with_a_base)
{
    uint64_t base = 0x12345000;
    uint64_t descriptor =
        DATA_3 | (base & 0xffffff) << 16 | (base & 0xff000000) << 32;

    EXPECT_EQ(hc_update_descriptor(maddr_of(&gdt[13]), descriptor), 0);
    EXPECT_EQ(trap_try(load_fs, 13 * 8 | 3), ENTRY_NONE);
    EXPECT_EQ(rdmsr(MSR_FS_BASE), base);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER_SEL, 13 * 8 | 3), 0);
    EXPECT_EQ(rdmsr(MSR_KERNEL_GS_BASE), base);
    EXPECT_EQ(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    EXPECT_EQ(trap_try(load_fs, 0), ENTRY_NONE);
    EXPECT_EQ(hc_update_descriptor(maddr_of(&gdt[13]), 0), 0);
}

static void read_msr(uint64_t index)
{
    rdmsr((uint32_t)index);
}

TEST(user_has_no_msrs)
{
    struct context c;

    context_user(&c, at_rdmsr);
    c.frame.rcx = MSR_FS_BASE;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_GP);
    EXPECT_EQ(trap.rip, user_address(at_rdmsr));
    EXPECT_EQ(trap_try(read_msr, 0xdeadbeef), EXC_GP);
}
