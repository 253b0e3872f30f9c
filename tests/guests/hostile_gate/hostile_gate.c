/* SPDX-License-Identifier: MIT */
/*
 * A kernel and applications that attack the way into Mica and out again. Each
 * test shows that the attack is refused, or that it harmed nobody else: the
 * kernel that made it still runs.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/vcpu.h"
#include "hypercall_abi/version.h"

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
    uint64_t port = 0x61, count = 4;

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
