/* SPDX-License-Identifier: MIT */
/*
 * A kernel and applications that attack the way into Mica and out again. Each
 * test shows that the attack is refused, or that it harmed nobody else: the
 * kernel that made it still runs.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/physdev.h"
#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"

#define EFAULT 14
#define EINVAL 22
#define ENOENT 2

/* Where Mica keeps what: memory_layout.h and gate.h of the hypervisor. */
#define RAM_MAP 0xffff820000000000ul
#define GATE 0xffff804000000000ul
#define GATE_LDT (GATE + 0x10000)
#define SCRATCH 0x23000
#define GATE_SCRATCH (GATE + SCRATCH)
#define SCRATCH_WORDS 3

PIECE(trip_and_in);
PIECE(sysenter);
PIECE(flags_syscall);
PIECE(mov_ss_syscall);
PIECE(mov_ss_int3);
PIECE(not_forever);

const char guest_name[] = "hostile_gate";

static struct context c;

void guest_init(void)
{
    user_init();
}

static bool is_alive(void)
{
    return hc_xen_version(XENVER_version, 0) >= 0x40000;
}

/* --- addresses of Mica's ------------------------------------------------- */

static void input_string(uint64_t to)
{
    uint64_t port = 0x92, count = 4;

    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

static void output_string(uint64_t from)
{
    uint64_t port = 0x80, count = 4;

    __asm__ volatile("rep outsb"
                     : "+S"(from), "+c"(count)
                     : "d"(port)
                     : "memory");
}

static const uint64_t bad_addresses[] = {
    RAM_MAP,
    RAM_MAP + 0x100000,
    RAM_MAP + 0x40000000,
    RAM_MAP + 0x1ffffffff8,
    GATE,
    GATE_LDT,
    GATE_SCRATCH,
    0xffff808000000000,
    0xffff80c000000000,
    0xffff810000200000,
    0xffff814000000000,
    0xffff87fffffffff8,
    0xffff7ffffffffffc,
    0x00007ffffffffffe,
    0x8000000000000000,
    0xfffffffffffffffe,
};

TEST(string_input_to_addresses_of_mica)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++)
        EXPECT(trap_try(input_string, bad_addresses[i]) > 0);
    EXPECT(is_alive());
}

TEST(string_output_from_addresses_of_mica)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++)
        EXPECT(trap_try(output_string, bad_addresses[i]) > 0);
    EXPECT(is_alive());
}

TEST(application_reads_addresses_of_mica)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++) {
        context_user(&c, at_read);
        c.gprs.rdi = bad_addresses[i];
        EXPECT(trap_try(context_enter, ARG(&c)) != EXC_UD);
        context_user(&c, at_write);
        c.gprs.rdi = bad_addresses[i];
        EXPECT(trap_try(context_enter, ARG(&c)) != EXC_UD);
    }
}

TEST(application_jumps_to_addresses_of_mica)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++) {
        context_user(&c, at_jump);
        c.gprs.rdi = bad_addresses[i];
        EXPECT(trap_try(context_enter, ARG(&c)) > 0);
    }
}

/* --- ports --------------------------------------------------------------- */

static bool go_on_after_int3(struct entry_stack *stack,
                             struct iret_context *back)
{
    (void)back;
    vcpu_info()->evtchn_upcall_pending =
        0; /* or the way back is the long one */
    return stack->vector == EXC_BP;
}

/* The kernel's right to the port must not stay with its application. */
TEST(application_gets_no_ports)
{
    static const uint16_t ports[] = {0x61, 0x64, 0x80, 0xcf8, 0x3f8};

    for (unsigned i = 0; i < ARRAY_LEN(ports); i++) {
        context_user(&c, at_trip_and_in);
        c.gprs.rdi = ports[i];
        trap_hook = go_on_after_int3;
        EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_GP);
        trap_hook = NULL;
    }
}

/* Enters the context `to` without the hypervisor. */
static void enter_natively(uint64_t to)
{
    const struct context *at = (const struct context *)to;

    __asm__ volatile("push %0; push %1; push %2; push %3; push %4; iretq"
                     :
                     : "r"(at->frame.ss), "r"(at->frame.rsp),
                       "r"(at->frame.rflags), "r"(at->frame.cs),
                       "r"(at->frame.rip), "D"(at->gprs.rdi),
                       "c"(at->frame.rcx), "d"(at->gprs.rdx)
                     : "memory");
}

static long set_iopl(uint32_t iopl)
{
    struct physdev_set_iopl_args op = {.iopl = iopl};

    return hc_physdev_op(PHYSDEVOP_set_iopl, ARG(&op));
}

/*
 * A kernel in ring 1 can go to ring 3 by itself, even when it has no tables
 * for applications: Mica then must not look for any.
 */
TEST(application_without_tables)
{
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    EXPECT_EQ(set_iopl(3), 0);
    context_user(&c, at_ins);
    c.gprs.rdi = USER_HOLE;
    c.gprs.rdx = 0x92;
    c.frame.rcx = 4;
    EXPECT_EQ(trap_try(enter_natively, ARG(&c)), EXC_PF);
    EXPECT_EQ(set_iopl(0), 0);
    EXPECT_EQ(mmuext(MMUEXT_NEW_USER_BASEPTR, user_root_mfn, 0), 0);
    EXPECT(is_alive());
}

/* --- flags --------------------------------------------------------------- */

static const uint64_t odd_flags[] = {
    FLAG_FIXED | FLAG_NT,
    FLAG_FIXED | FLAG_AC,
    FLAG_FIXED | FLAG_DF,
    FLAG_FIXED | FLAG_NT | FLAG_AC | FLAG_DF | FLAG_ID,
};

TEST(sysenter_with_odd_flags)
{
    for (unsigned i = 0; i < ARRAY_LEN(odd_flags); i++) {
        int entry;

        context_user(&c, at_sysenter);
        c.gprs.rdi = odd_flags[i];
        entry = trap_try(context_enter, ARG(&c));
        EXPECT(entry == EXC_UD || entry == EXC_GP);
    }
}

TEST(syscall_with_odd_flags)
{
    for (unsigned i = 0; i < ARRAY_LEN(odd_flags); i++) {
        context_user(&c, at_flags_syscall);
        c.gprs.rdi = odd_flags[i];
        EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
        EXPECT(!(trap.entry_rflags & (FLAG_NT | FLAG_AC | FLAG_DF)));
    }
}

TEST(sysenter_single_stepped)
{
    context_user(&c, at_sysenter);
    c.gprs.rdi = FLAG_FIXED | FLAG_TF;
    EXPECT(trap_try(context_enter, ARG(&c)) > 0);
    EXPECT(is_alive());
}

TEST(syscall_single_stepped)
{
    context_user(&c, at_flags_syscall);
    c.gprs.rdi = FLAG_FIXED | FLAG_TF;
    EXPECT(trap_try(context_enter, ARG(&c)) > 0);
    EXPECT(is_alive());
}

/* --- breakpoints that strike in the gate --------------------------------- */

static void break_on_data(uint64_t address)
{
    EXPECT_EQ(hc_set_debugreg(0, address), 0);
    EXPECT_EQ(hc_set_debugreg(7, 0x1 | 1u << 16 | 3u << 18), 0);
}

static void break_never(void)
{
    EXPECT_EQ(hc_set_debugreg(7, 0), 0);
    EXPECT_EQ(hc_set_debugreg(0, 0), 0);
}

TEST(breakpoint_held_back_into_syscall)
{
    context_user(&c, at_mov_ss_syscall);
    c.gprs.rdi = USER_DATA;
    break_on_data(USER_DATA);
    EXPECT(trap_try(context_enter, ARG(&c)) > 0);
    break_never();
    EXPECT(is_alive());
}

TEST(breakpoint_held_back_into_int3)
{
    context_user(&c, at_mov_ss_int3);
    c.gprs.rdi = USER_DATA;
    break_on_data(USER_DATA);
    EXPECT(trap_try(context_enter, ARG(&c)) > 0);
    break_never();
    EXPECT(is_alive());
}

/* Mica's frame for a system call lands on the watched word. */
TEST(breakpoint_on_kernel_stack)
{
    break_on_data((uint64_t)trap_stack_top - 8);
    context_user(&c, at_syscall);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
    break_never();
    EXPECT(is_alive());
}

TEST(breakpoints_on_mica_are_refused)
{
    EXPECT(hc_set_debugreg(0, GATE_SCRATCH) < 0);
    EXPECT(hc_set_debugreg(1, RAM_MAP) < 0);
    EXPECT(hc_set_debugreg(2, 0x8000000000000000) < 0);
}

/* --- flushes of one page -------------------------------------------------- */

/* Away from the light side, if there was one to leave. */
static long flush_on_full_side(uint64_t op)
{
    EXPECT(is_alive());
    return hc_mmuext_op(op, 1, 0, DOMID_SELF);
}

TEST(flush_drops_the_old_translation)
{
    volatile uint64_t *window = page_alloc();
    uint64_t *first = page_alloc(), *second = page_alloc();
    const uint64_t *entry = pte_of(ARG(window), 1);
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL};

    op.arg1.linear_addr = ARG(window);
    *first = 1;
    *second = 2;
    EXPECT_EQ(page_map((void *)window, mfn_of(first) << 12 | PTE_RO_PAGE), 0);
    EXPECT_EQ(*window, 1);
    EXPECT_EQ(pte_write(entry, mfn_of(second) << 12 | PTE_RO_PAGE), 0);
    EXPECT_EQ(flush_on_full_side(ARG(&op)), 0);
    EXPECT_EQ(*window, 2);
}

TEST(flush_described_at_bad_addresses)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++)
        EXPECT_EQ(flush_on_full_side(bad_addresses[i]), -EFAULT);
}

/* The operation ends, and then begins, in a page that is not there. */
TEST(flush_described_half)
{
    char *page = page_alloc(), *hole = page_alloc();
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL};

    EXPECT(hole == page + PAGE_SIZE);
    op.arg1.linear_addr = ARG(page);
    memcpy(hole - 8, &op, 8);
    EXPECT_EQ(page_map(hole, 0), 0);
    EXPECT_EQ(flush_on_full_side(ARG(hole) - 8), -EFAULT);
    EXPECT_EQ(flush_on_full_side(ARG(hole)), -EFAULT);
    EXPECT_EQ(page_map(hole, mfn_of(hole) << 12 | PTE_RW_PAGE), 0);
    EXPECT_EQ(flush_on_full_side(ARG(hole) - 8), 0);
}

TEST(flush_of_odd_addresses)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL};

    for (unsigned i = 0; i < ARRAY_LEN(bad_addresses); i++) {
        op.arg1.linear_addr = bad_addresses[i];
        EXPECT_EQ(flush_on_full_side(ARG(&op)), 0);
    }
}

TEST(flush_with_odd_arguments)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL};
    uint32_t done = 0;

    EXPECT(is_alive());
    EXPECT_EQ(hc_mmuext_op(ARG(&op), 1, ARG(&done), DOMID_SELF), 0);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(hc_mmuext_op(ARG(&op), 0, 0, DOMID_SELF), 0);
    EXPECT(hc_mmuext_op(ARG(&op), 1, 0, DOMID_SELF - 2) < 0);
    op.cmd = 0xffff;
    EXPECT(flush_on_full_side(ARG(&op)) < 0);
}

/* The same registers in an application's system call are its kernel's. */
TEST(flush_by_an_application)
{
    static struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL};

    for (uint64_t high = 0; high < 2; high++) {
        context_user(&c, at_syscall);
        c.frame.rax = HC_mmuext_op | high << 63;
        c.gprs.rdi = ARG(&op);
        c.gprs.rsi = 1;
        c.gprs.rdx = 0;
        c.gprs.r10 = DOMID_SELF;
        EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
        EXPECT_EQ(trap.gprs.rax, c.frame.rax);
    }
}

/* --- contexts ------------------------------------------------------------ */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t odd_address(void)
{
    switch (random() % 4) {
    case 0:
        return bad_addresses[random() % ARRAY_LEN(bad_addresses)];
    case 1:
        return user_address(at_int3) + random() % 64;
    case 2:
        return USER_STACK_TOP - random() % 64;
    default:
        return random();
    }
}

static uint64_t odd_selector(void)
{
    static const uint16_t some[] = {0,      3,      0xe008, 0xe010, 0xe019,
                                    0xe023, 0xe02b, 0xe033, 0xe039, 0xe040,
                                    0xe050, 0xf000, 0x0007, 0xe053, 0xefff};

    return random() % 4 ? some[random() % ARRAY_LEN(some)] : random() & 0xffff;
}

/* Whatever context an application is given, its kernel hears of it. */
TEST(odd_contexts)
{
    for (unsigned i = 0; i < 3000; i++) {
        context_user(&c, at_int3);
        c.frame.cs = (random() % 2 ? KERNEL_CS : odd_selector()) | 3;
        c.frame.ss = random() % 2 ? KERNEL_SS : odd_selector();
        if (random() % 2)
            c.frame.rip = odd_address();
        if (random() % 2)
            c.frame.rsp = odd_address();
        c.frame.rflags = random() | FLAG_IF;
        EXPECT(trap_try(context_enter, ARG(&c)) >= 0);
    }
    EXPECT(is_alive());
}

/* --- the page that ring 1 can write -------------------------------------- */

/* Everything but the two words that are the guest's own. */
static void scribble(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } gdt;
    uint64_t *scratch;

    __asm__ volatile("sgdt %0" : "=m"(gdt));
    scratch = (uint64_t *)(gdt.base + SCRATCH);
    scratch[0] = random();
    for (unsigned i = SCRATCH_WORDS; i < PAGE_SIZE / 8; i++)
        scratch[i] = random();
}

static bool scribble_in_ring_1(struct entry_stack *stack,
                               struct iret_context *back)
{
    (void)back;
    if (kernel_is_in_ring_1())
        scribble();
    return stack->vector == EXC_BP;
}

TEST(scratch_is_scribbled_on)
{
    trap_hook = scribble_in_ring_1;
    for (unsigned i = 0; i < 200; i++) {
        context_user(&c, i % 2 ? at_syscall : at_int3);
        EXPECT(trap_try(context_enter, ARG(&c)) > 0);
        EXPECT(is_alive());
    }
    trap_hook = NULL;
}

/* --- vCPUs without tables ------------------------------------------------ */

static struct vcpu_guest_context context;

TEST(vcpu_without_tables)
{
    if (hc_vcpu_op(VCPUOP_is_up, 1, 0) == -ENOENT) {
        test_skip("there is one vCPU only");
        return;
    }
    context.user_regs.rip = USER_BASE;
    context.user_regs.cs = KERNEL_CS;
    context.user_regs.ss = KERNEL_SS;
    EXPECT_EQ(hc_vcpu_op(VCPUOP_initialise, 1, ARG(&context)), -EINVAL);
    context.flags = VGCF_in_kernel;
    EXPECT_EQ(hc_vcpu_op(VCPUOP_initialise, 1, ARG(&context)), -EINVAL);
    context.ctrlreg[3] = mfn_of(root_table()) << 12;
    context.flags = 0;
    EXPECT_EQ(hc_vcpu_op(VCPUOP_initialise, 1, ARG(&context)), -EINVAL);
    EXPECT(hc_vcpu_op(VCPUOP_up, 1, 0) < 0);
}

/* --- a vCPU that left its kernel without Mica ----------------------------- */

#define STACK_BYTES 4096
#define RELOADS 5
#define A_WHILE 5000

static struct context writing;
static char second_stack[STACK_BYTES] __attribute__((aligned(16)));
static volatile bool second_is_up, second_faulted;

static void run_second(void)
{
    second_is_up = true;
    enter_natively(ARG(&writing));
}

static void stop_second(void)
{
    second_faulted = true;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

/* It writes to USER_DATA in ring 3, and has no tables for applications. */
static void start_second(void)
{
    context_user(&writing, at_not_forever);
    writing.gprs.rdi = USER_DATA;
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel;
    context.user_regs.rip = ARG(run_second);
    context.user_regs.rsp = ARG(second_stack + STACK_BYTES) - 8;
    context.user_regs.cs = KERNEL_CS;
    context.user_regs.ss = KERNEL_SS;
    context.user_regs.rflags = FLAG_FIXED;
    context.kernel_ss = KERNEL_SS;
    context.kernel_sp = ARG(second_stack + STACK_BYTES);
    context.trap_ctxt[EXC_PF].address = ARG(stop_second);
    context.ctrlreg[3] = mfn_of(root_table()) << 12;
    EXPECT_EQ(hc_vcpu_op(VCPUOP_initialise, 1, ARG(&context)), 0);
    EXPECT_EQ(hc_vcpu_op(VCPUOP_up, 1, 0), 0);
    while (!second_is_up)
        is_alive();
}

static void wait_a_while(void)
{
    for (unsigned n = 0; n < A_WHILE; n++)
        EXPECT(is_alive());
}

/*
 * Taken from its processor and put back, that vCPU must still hear of flushes:
 * the page that it writes to becomes a page table.
 */
TEST(vcpu_without_tables_is_flushed)
{
    uint64_t *pte = pte_of(USER_DATA, 1), *page = user_data_page, before;

    if (hc_vcpu_op(VCPUOP_is_up, 1, 0) == -ENOENT) {
        test_skip("there is one vCPU only");
        return;
    }
    memset(page, 0, PAGE_SIZE);
    start_second();
    for (unsigned i = 0; i < RELOADS; i++) {
        wait_a_while();
        EXPECT_EQ(hc_vcpu_op(VCPUOP_down, 1, 0), 0);
        wait_a_while();
        EXPECT_EQ(hc_vcpu_op(VCPUOP_up, 1, 0), 0);
    }
    wait_a_while();
    EXPECT_EQ(page_set_ro(page), 0);
    EXPECT_EQ(pte_write(pte, mfn_of(page) << 12 | PTE_RO_PAGE), 0);
    EXPECT_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page), 0), 0);
    before = *(volatile uint64_t *)page;
    for (unsigned n = 0; n < 1000 * A_WHILE && is_alive(); n++) {
        EXPECT_EQ(*(volatile uint64_t *)page, before);
        if (second_faulted && n >= A_WHILE)
            break;
    }
    EXPECT(second_faulted);
    EXPECT_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page), 0), 0);
    EXPECT_EQ(page_set_rw(page), 0);
    EXPECT_EQ(pte_write(pte, mfn_of(page) << 12 | PTE_RW_PAGE), 0);
}
