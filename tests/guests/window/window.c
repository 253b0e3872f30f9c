/* SPDX-License-Identifier: MIT */
/*
 * What a guest can reach of the hypervisor's part of the address space: an
 * application nothing, a kernel the machine-to-physical table and, in ring 1,
 * the gate, of which it can write one page beside its own vcpu_info.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#define GIB (1ul << 30)
#define MIB (1ul << 20)
#define HUGE_PAGE (2 * MIB)

const char guest_name[] = "window";

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct context c;
static struct table_pointer gdt, idt;

static void copy_tables(const void *at)
{
    memcpy(&gdt, at, sizeof(gdt));
    memcpy(&idt, (const char *)at + 16, sizeof(idt));
}

/* Where the descriptor tables are while an application runs. */
void guest_init(void)
{
    user_init();
    context_user(&c, at_tables);
    c.gprs.rdi = USER_DATA;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    copy_tables(user_data_page);
    print("# GDT at %#lx, IDT at %#lx", gdt.base, idt.base);
}

static bool user_reaches(const char *piece, uint64_t address)
{
    context_user(&c, piece);
    c.gprs.rdi = address;
    return trap_try(context_enter, ARG(&c)) != EXC_PF;
}

static void load(uint64_t address)
{
    (void)*(volatile uint64_t *)address;
}

/* Writes what is there already. */
static void store(uint64_t address)
{
    __asm__ volatile("lock orb $0, (%0)" : : "r"(address) : "memory", "cc");
}

static bool kernel_reads(uint64_t address)
{
    return trap_try(load, address) == ENTRY_NONE;
}

static bool kernel_writes(uint64_t address)
{
    return trap_try(store, address) == ENTRY_NONE;
}

static bool is_m2p(uint64_t address)
{
    return address < MACH2PHYS_VIRT_END;
}

static bool is_near_tables(uint64_t address)
{
    return address - (gdt.base & -HUGE_PAGE) < HUGE_PAGE ||
           address - (idt.base & -HUGE_PAGE) < HUGE_PAGE;
}

/* Calls visit for places all over the range, about 25,000 of them. */
static void all_over(void (*visit)(uint64_t))
{
    for (uint64_t at = HYPERVISOR_VIRT_START; at < HYPERVISOR_VIRT_END;
         at += GIB) {
        visit(at);
        visit(at + 3 * MIB);
        visit(at + 300 * MIB);
    }
}

/* Calls visit for every page around the descriptor tables. */
static void around_tables(void (*visit)(uint64_t))
{
    uint64_t from = gdt.base & -HUGE_PAGE;

    for (uint64_t at = from; at < from + HUGE_PAGE; at += PAGE_SIZE)
        visit(at);
    from = idt.base & -HUGE_PAGE;
    for (uint64_t at = from; at < from + HUGE_PAGE; at += PAGE_SIZE)
        visit(at);
}

/* ---- applications ------------------------------------------------------- */

static void user_reads_nothing(uint64_t at)
{
    if (!is_m2p(at) && user_reaches(at_read, at)) {
        print("# readable: %#lx", at);
        EXPECT(false);
    }
}

static void user_writes_nothing(uint64_t at)
{
    if (user_reaches(at_write, at)) {
        print("# writable: %#lx", at);
        EXPECT(false);
    }
}

TEST(application_reads_nothing)
{
    all_over(user_reads_nothing);
}

/* Where kernel and applications share a ring, they share the table too. */
static bool is_classic(void)
{
    static const char word[] = "sides=classic";
    const char *text = start_info->cmd_line;

    for (unsigned i = 0; i + sizeof(word) <= MAX_GUEST_CMDLINE; i++)
        if (!memcmp(text + i, word, sizeof(word) - 1))
            return true;
    return false;
}

TEST(application_reads_no_m2p)
{
    if (is_classic()) {
        test_skip("applications may read it");
        return;
    }
    for (uint64_t mfn = 0; mfn < 0x20000; mfn += 512)
        EXPECT(!user_reaches(at_read, MACH2PHYS_VIRT_START + mfn * 8));
}

TEST(application_writes_no_m2p)
{
    for (uint64_t mfn = 0; mfn < 0x20000; mfn += 512)
        EXPECT(!user_reaches(at_write, MACH2PHYS_VIRT_START + mfn * 8));
}

TEST(application_reaches_no_gate)
{
    around_tables(user_reads_nothing);
    around_tables(user_writes_nothing);
}

/* ---- the kernel --------------------------------------------------------- */

static void kernel_reads_no_more(uint64_t at)
{
    if (!is_m2p(at) && !is_near_tables(at) && kernel_reads(at)) {
        print("# readable: %#lx", at);
        EXPECT(false);
    }
}

TEST(kernel_reads_nothing_else)
{
    all_over(kernel_reads_no_more);
}

TEST(kernel_reads_m2p)
{
    EXPECT(kernel_reads(MACH2PHYS_VIRT_START + mfn_of(&c) * 8));
}

TEST(kernel_writes_no_m2p)
{
    for (uint64_t mfn = 0; mfn < 0x20000; mfn += 512)
        EXPECT(!kernel_writes(MACH2PHYS_VIRT_START + mfn * 8));
}

static unsigned writable;

static void count_writable(uint64_t at)
{
    if (!kernel_writes(at))
        return;
    print("# writable: %#lx", at);
    writable++;
}

TEST(kernel_writes_scratch_and_its_own_page)
{
    writable = 0;
    around_tables(count_writable);
    if ((gdt.base ^ idt.base) < HUGE_PAGE)
        writable /= 2;
    EXPECT(writable <= 2);
}

/* What it can read there tells nothing of other guests or of memory. */
TEST(kernel_cannot_follow_the_gate)
{
    if (!kernel_is_in_ring_1()) {
        test_skip("the gate is out of reach in ring 3");
        return;
    }
    for (uint64_t at = gdt.base; at < gdt.base + HUGE_PAGE;
         at += sizeof(uint64_t)) {
        uint64_t value;

        if (at % PAGE_SIZE == 0 && !kernel_reads(at)) {
            at += PAGE_SIZE - sizeof(uint64_t);
            continue;
        }
        value = *(volatile uint64_t *)at;
        if (value >= HYPERVISOR_VIRT_START && value < HYPERVISOR_VIRT_END &&
            !is_m2p(value) && !is_near_tables(value))
            EXPECT(!kernel_reads(value));
    }
}

TEST(kernel_writes_no_descriptor)
{
    EXPECT(!kernel_writes(gdt.base));
    EXPECT(!kernel_writes(gdt.base + 0xe000));
    EXPECT(!kernel_writes(idt.base));
}

/* Native instructions of a supervisor are no way out of ring 1. */
static void load_task_register(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("ltr %w0" : : "r"(0xe040));
}

static void load_gdt_register(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("lgdt %0" : : "m"(gdt));
}

static void load_idt_register(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("lidt %0" : : "m"(idt));
}

static void swap_gs(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("swapgs");
}

static void return_to_ring_0(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("pushq $0xe010; pushq %%rsp; pushfq; pushq $0xe008; "
                     "lea 1f(%%rip), %%rax; pushq %%rax; iretq; 1: ud2"
                     :
                     :
                     : "rax", "memory");
}

static void invalidate_page(uint64_t at)
{
    __asm__ volatile("invlpg (%0)" : : "r"(at));
}

static void sysret(uint64_t unused)
{
    (void)unused;
    __asm__ volatile("sysretq");
}

TEST(privileged_instructions_fault)
{
    EXPECT_EQ(trap_try(load_task_register, 0), EXC_GP);
    EXPECT_EQ(trap_try(load_gdt_register, 0), EXC_GP);
    EXPECT_EQ(trap_try(load_idt_register, 0), EXC_GP);
    EXPECT_EQ(trap_try(swap_gs, 0), EXC_GP);
    EXPECT_EQ(trap_try(sysret, 0), EXC_GP);
    EXPECT_EQ(trap_try(return_to_ring_0, 0), EXC_GP);
    (void)trap_try(invalidate_page, ARG(&c));
}
