/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor pushes on the kernel's stack, for every kind of entry:
 * every word of the frame, the registers, and the flags of the handler.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#define KERNEL 0
#define USER 3

#define SELECTOR 0xffffu
#define MASK_BYTE(cs) ((cs) >> 32 & 0xff)
#define ARITHMETIC 0x8d5ul

const char guest_name[] = "frames";

static struct context c;

void guest_init(void)
{
    user_init();
}

/* A context at a piece of code, in kernel or user mode. */
static void context_at(unsigned ring, const char *piece)
{
    if (ring == USER)
        context_user(&c, piece);
    else
        context_kernel(&c, (uint64_t)piece);
}

static uint64_t address_at(unsigned ring, const char *place)
{
    return ring == USER ? user_address(place) : (uint64_t)place;
}

static void expect_registers_kept(void)
{
    EXPECT_EQ(trap.gprs.rax, c.frame.rax);
    EXPECT_EQ(trap.gprs.rbx, c.gprs.rbx);
    EXPECT_EQ(trap.gprs.rdx, c.gprs.rdx);
    EXPECT_EQ(trap.gprs.rsi, c.gprs.rsi);
    EXPECT_EQ(trap.gprs.rdi, c.gprs.rdi);
    EXPECT_EQ(trap.gprs.rbp, c.gprs.rbp);
    EXPECT_EQ(trap.gprs.r8, c.gprs.r8);
    EXPECT_EQ(trap.gprs.r9, c.gprs.r9);
    EXPECT_EQ(trap.gprs.r10, c.gprs.r10);
    EXPECT_EQ(trap.gprs.r12, c.gprs.r12);
    EXPECT_EQ(trap.gprs.r13, c.gprs.r13);
    EXPECT_EQ(trap.gprs.r14, c.gprs.r14);
    EXPECT_EQ(trap.gprs.r15, c.gprs.r15);
}

/* In ring 1 a kernel runs with a pair of selectors that is its own affair. */
static void expect_kernel_selectors(void)
{
    if ((trap.entry_cs & 3) == 1) {
        EXPECT_EQ(trap.entry_ss & 3, 1);
        return;
    }
    EXPECT_EQ(trap.entry_cs, KERNEL_CS);
    EXPECT_EQ(trap.entry_ss, KERNEL_SS);
}

/* The frame holds the context c at rip; words: its length. */
static void expect_frame(unsigned ring, uint64_t rip, unsigned words)
{
    uint8_t mask = !(c.frame.rflags & FLAG_IF);
    uint64_t top = trap.entry_rsp + words * 8;

    EXPECT_EQ(trap.rip, rip);
    EXPECT_EQ(trap.cs & SELECTOR, ring == USER ? 0xe033 : 0xe030);
    EXPECT_EQ(MASK_BYTE(trap.cs), mask);
    EXPECT_EQ(trap.cs >> 40, 0);
    EXPECT_EQ(trap.cs >> 16 & 0xffff, 0);
    EXPECT_EQ(trap.ss, KERNEL_SS);
    EXPECT_EQ(trap.rsp, c.frame.rsp);
    EXPECT_EQ(trap.rflags & FLAG_IF, mask ? 0 : FLAG_IF);
    EXPECT_EQ(trap.rflags & FLAG_IOPL, 0);
    EXPECT_EQ(trap.rflags & FLAG_FIXED, FLAG_FIXED);
    EXPECT_EQ(top % 16, 0);
    EXPECT_EQ(top,
              ring == USER ? (uint64_t)trap_stack_top : c.frame.rsp & ~15ul);
    expect_kernel_selectors();
    EXPECT_EQ(trap.entry_mask, 1);
    EXPECT_EQ(trap.entry_rflags &
                  (FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC),
              0);
    EXPECT_EQ(trap.entry_rflags & FLAG_IF, FLAG_IF);
}

/* Enters c; the frame tells of rip and comes from the vector. */
static void run(unsigned ring, int vector, uint64_t rip, unsigned words)
{
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), vector);
    expect_frame(ring, rip, words);
    EXPECT_EQ(trap.rcx, c.frame.rcx);
    EXPECT_EQ(trap.r11, c.frame.r11);
}

static void run_without_error(unsigned ring, const char *piece, int vector,
                              const char *where)
{
    context_at(ring, piece);
    run(ring, vector, address_at(ring, where), 7);
    expect_registers_kept();
}

static void run_with_error(unsigned ring, const char *piece, int vector,
                           uint64_t error)
{
    run(ring, vector, address_at(ring, piece), 8);
    EXPECT_EQ(trap.error_code, error);
    EXPECT_EQ(trap.raw[2], error);
}

TEST(int3_kernel)
{
    run_without_error(KERNEL, at_int3, EXC_BP, at_int3_after);
}

TEST(int3_user)
{
    run_without_error(USER, at_int3, EXC_BP, at_int3_after);
}

TEST(ud2_kernel)
{
    run_without_error(KERNEL, at_ud2, EXC_UD, at_ud2);
}

TEST(ud2_user)
{
    run_without_error(USER, at_ud2, EXC_UD, at_ud2);
}

static void divide(unsigned ring)
{
    context_at(ring, at_divide);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_DE);
    expect_frame(ring, address_at(ring, at_divide_after), 7);
    EXPECT_EQ(trap.rcx, 0);
    EXPECT_EQ(trap.r11, c.frame.r11);
}

TEST(divide_error_kernel)
{
    divide(KERNEL);
}

TEST(divide_error_user)
{
    divide(USER);
}

/* The stack is aligned before the frame is pushed, however it was. */
TEST(odd_kernel_stacks)
{
    for (uint64_t off = 0; off <= 17; off++) {
        context_at(KERNEL, at_int3);
        c.frame.rsp -= off;
        run(KERNEL, EXC_BP, (uint64_t)at_int3_after, 7);
        context_at(KERNEL, at_hlt);
        c.frame.rsp -= off;
        run_with_error(KERNEL, at_hlt, EXC_GP, 0);
    }
}

TEST(odd_stack_switch)
{
    for (uint64_t off = 0; off <= 17; off++) {
        uint64_t sp = (uint64_t)trap_stack_top - off;

        EXPECT_EQ(hc_stack_switch(KERNEL_SS, sp), 0);
        context_at(USER, at_int3);
        EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
        EXPECT_EQ(trap.entry_rsp + 56, sp & ~15ul);
    }
    EXPECT_EQ(hc_stack_switch(KERNEL_SS, ARG(trap_stack_top)), 0);
}

/* The kernel's data selector of a native GDT, as Linux passes it. */
TEST(stack_switch_ss_does_not_show)
{
    EXPECT_EQ(hc_stack_switch(0x18, ARG(trap_stack_top)), 0);
    run_without_error(USER, at_int3, EXC_BP, at_int3_after);
    EXPECT_EQ(hc_stack_switch(KERNEL_SS, ARG(trap_stack_top)), 0);
}

TEST(mask_shows_in_frame)
{
    context_at(KERNEL, at_int3);
    c.frame.rflags |= FLAG_IF;
    run(KERNEL, EXC_BP, (uint64_t)at_int3_after, 7);
    context_at(USER, at_int3);
    c.frame.rflags &= ~FLAG_IF;
    run(USER, EXC_BP, user_address(at_int3_after), 7);
}

static void set_gate(uint8_t vector, uint8_t flags)
{
    struct trap_info t[2] = {{.vector = vector,
                              .flags = flags,
                              .cs = KERNEL_CS,
                              .address = entry_stub(vector)}};

    EXPECT_EQ(hc_set_trap_table(ARG(t)), 0);
}

TEST(gate_without_mask_leaves_events_on)
{
    set_gate(EXC_BP, 3);
    context_at(KERNEL, at_int3);
    c.frame.rflags |= FLAG_IF;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    EXPECT_EQ(trap.entry_mask, 0);
    c.frame.rflags &= ~FLAG_IF;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    EXPECT_EQ(trap.entry_mask, 1);
    trap_table_restore();
}

/* A gate may name a selector of the kernel's own choice. */
TEST(gate_selector_does_not_show)
{
    struct trap_info t[2] = {{.vector = EXC_BP,
                              .flags = 7,
                              .cs = KERNEL_CS & ~3u,
                              .address = entry_stub(EXC_BP)}};

    EXPECT_EQ(hc_set_trap_table(ARG(t)), 0);
    run_without_error(KERNEL, at_int3, EXC_BP, at_int3_after);
    trap_table_restore();
}

/* ---- flags -------------------------------------------------------------- */

static void flags_kept(unsigned ring)
{
    uint64_t set = ARITHMETIC | FLAG_DF | FLAG_ID;

    context_at(ring, at_int3);
    c.frame.rflags |= set;
    run(ring, EXC_BP, address_at(ring, at_int3_after), 7);
    EXPECT_EQ(trap.rflags & set, set);
    c.frame.rflags &= ~set;
    run(ring, EXC_BP, address_at(ring, at_int3_after), 7);
    EXPECT_EQ(trap.rflags & set, 0);
}

TEST(flags_kept_kernel)
{
    flags_kept(KERNEL);
}

TEST(flags_kept_user)
{
    flags_kept(USER);
}

static void flags_cleared_in_handler(unsigned ring)
{
    context_at(ring, at_int3);
    c.frame.rflags |= FLAG_AC | FLAG_NT;
    run(ring, EXC_BP, address_at(ring, at_int3_after), 7);
    EXPECT_EQ(trap.rflags & FLAG_AC, FLAG_AC);
    EXPECT_EQ(trap.rflags & FLAG_NT, FLAG_NT);
    EXPECT_EQ(trap.entry_rflags & (FLAG_AC | FLAG_NT), 0);
}

TEST(ac_nt_kernel)
{
    flags_cleared_in_handler(KERNEL);
}

TEST(ac_nt_user)
{
    flags_cleared_in_handler(USER);
}

static void single_step(unsigned ring)
{
    context_at(ring, at_nop);
    c.frame.rflags |= FLAG_TF;
    run(ring, EXC_DB, address_at(ring, at_nop_after), 7);
    EXPECT_EQ(trap.rflags & FLAG_TF, FLAG_TF);
    EXPECT_EQ(trap.entry_rflags & FLAG_TF, 0);
}

TEST(single_step_kernel)
{
    single_step(KERNEL);
}

TEST(single_step_user)
{
    single_step(USER);
}

/* ---- software interrupts ------------------------------------------------ */

TEST(int80_kernel)
{
    run_without_error(KERNEL, at_int80, 0x80, at_int80_after);
}

TEST(int80_user)
{
    run_without_error(USER, at_int80, 0x80, at_int80_after);
}

static void refused_int(unsigned ring, const char *piece, unsigned vector)
{
    context_at(ring, piece);
    run_with_error(ring, piece, EXC_GP, vector * 8 + 2);
}

TEST(int80_dpl)
{
    set_gate(0x80, 4 | 0);
    refused_int(KERNEL, at_int80, 0x80);
    refused_int(USER, at_int80, 0x80);
    set_gate(0x80, 4 | 1);
    run_without_error(KERNEL, at_int80, 0x80, at_int80_after);
    refused_int(USER, at_int80, 0x80);
    set_gate(0x80, 4 | 3);
    run_without_error(USER, at_int80, 0x80, at_int80_after);
}

TEST(int_n_kernel)
{
    run_without_error(KERNEL, at_int21, 0x21, at_int21_after);
}

TEST(int_n_user)
{
    run_without_error(USER, at_int21, 0x21, at_int21_after);
}

TEST(int_n_dpl)
{
    set_gate(0x21, 4 | 0);
    refused_int(KERNEL, at_int21, 0x21);
    refused_int(USER, at_int21, 0x21);
    set_gate(0x21, 4 | 1);
    run_without_error(KERNEL, at_int21, 0x21, at_int21_after);
    refused_int(USER, at_int21, 0x21);
    trap_table_restore();
}

/* A breakpoint asks for no privilege. */
TEST(int3_dpl)
{
    set_gate(EXC_BP, 4 | 0);
    run_without_error(USER, at_int3, EXC_BP, at_int3_after);
    run_without_error(KERNEL, at_int3, EXC_BP, at_int3_after);
    trap_table_restore();
}

/* ---- error codes -------------------------------------------------------- */

TEST(gp_privileged_instruction)
{
    context_at(KERNEL, at_hlt);
    run_with_error(KERNEL, at_hlt, EXC_GP, 0);
    expect_registers_kept();
    context_at(USER, at_hlt);
    run_with_error(USER, at_hlt, EXC_GP, 0);
    expect_registers_kept();
}

static void bad_selector(unsigned ring, uint64_t selector, int vector)
{
    context_at(ring, at_load_ds);
    c.gprs.rdi = selector;
    run_with_error(ring, at_load_ds, vector, selector & 0xfffc);
}

TEST(gp_selector_error_code)
{
    bad_selector(KERNEL, 0x1003, EXC_GP); /* beyond the GDT's first page */
    bad_selector(USER, 0x1003, EXC_GP);
    bad_selector(USER, 0x107, EXC_GP);  /* in an LDT that is not there */
    bad_selector(USER, 0xfff3, EXC_GP); /* beyond any GDT */
}

static void non_canonical(unsigned ring)
{
    context_at(ring, at_read);
    c.gprs.rdi = 0x8000000000000000;
    run_with_error(ring, at_read, EXC_GP, 0);
    context_at(ring, at_write);
    c.gprs.rdi = 0x0000800000000000;
    run_with_error(ring, at_write, EXC_GP, 0);
}

TEST(gp_non_canonical_data)
{
    non_canonical(KERNEL);
    non_canonical(USER);
}

/* Real processors raise #SS, QEMU #GP. */
TEST(non_canonical_user_stack)
{
    int vector;

    context_at(USER, at_push);
    c.frame.rsp = 0x8000000000000000;
    vector = trap_try(context_enter, ARG(&c));
    EXPECT(vector == EXC_SS || vector == EXC_GP);
    expect_frame(USER, user_address(at_push), 8);
    EXPECT_EQ(trap.error_code, 0);
}

static void page_fault(unsigned ring, const char *piece, uint64_t address,
                       uint64_t error)
{
    context_at(ring, piece);
    c.gprs.rdi = address;
    vcpu_info()->arch.cr2 = 0;
    run_with_error(ring, piece, EXC_PF, error);
    EXPECT_EQ(trap.cr2, address);
    expect_registers_kept();
}

TEST(page_fault_kernel)
{
    page_fault(KERNEL, at_read, USER_HOLE + 0x123, 0);
    page_fault(KERNEL, at_write, USER_HOLE + 0x123, 2);
    page_fault(KERNEL, at_write, USER_BASE + 0x10, 3);
    page_fault(KERNEL, at_write, start_info->pt_base + 0x800, 3);
}

TEST(page_fault_user)
{
    page_fault(USER, at_read, USER_HOLE + 0x123, 4);
    page_fault(USER, at_write, USER_HOLE + 0x123, 6);
    page_fault(USER, at_write, USER_BASE + 0x10, 7);
    page_fault(USER, at_read, 0x7f0000000000, 4);
}

static void fetch_fault(unsigned ring, uint64_t address, uint64_t error)
{
    context_at(ring, at_jump);
    c.gprs.rdi = address;
    run(ring, EXC_PF, address, 8);
    EXPECT_EQ(trap.error_code, error);
    EXPECT_EQ(trap.cr2, address);
}

TEST(page_fault_fetch_absent)
{
    fetch_fault(KERNEL, USER_HOLE, 0x10);
    fetch_fault(USER, USER_HOLE, 0x14);
}

TEST(page_fault_fetch_nx)
{
    uint64_t *entry =
        (uint64_t *)user_l1_page + ((USER_DATA - USER_BASE) >> 12);
    uint64_t old = *entry;

    EXPECT_EQ(pte_write(entry, old | PTE_NX), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    fetch_fault(KERNEL, USER_DATA + 0x40, 0x11);
    fetch_fault(USER, USER_DATA + 0x40, 0x15);
    EXPECT_EQ(pte_write(entry, old), 0);
    EXPECT_EQ(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
}

/* Whether the page is said to be there is the hypervisor's business. */
static void user_reads_what_is_not_its(uint64_t address)
{
    context_at(USER, at_read);
    c.gprs.rdi = address;
    run(USER, EXC_PF, user_address(at_read), 8);
    EXPECT_EQ(trap.error_code & ~1ul, 4);
    EXPECT_EQ(trap.cr2, address);
}

TEST(user_cannot_read_kernel)
{
    user_reads_what_is_not_its((uint64_t)guest_name);
    user_reads_what_is_not_its((uint64_t)shared_info);
    user_reads_what_is_not_its(start_info->pt_base);
}

TEST(user_cannot_read_hypervisor)
{
    user_reads_what_is_not_its(0xffff820000000000);
    user_reads_what_is_not_its(0xffff830000000000);
}

/* ---- system calls ------------------------------------------------------- */

static void system_call(uint64_t rflags)
{
    context_at(USER, at_syscall);
    c.frame.rflags |= rflags;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
    expect_frame(USER, user_address(at_syscall_after), 7);
    expect_registers_kept();
    EXPECT_EQ(trap.rcx, user_address(at_syscall_after));
    EXPECT_EQ(trap.r11 & (ARITHMETIC | FLAG_DF | FLAG_AC | FLAG_ID),
              rflags & (ARITHMETIC | FLAG_DF | FLAG_AC | FLAG_ID));
    EXPECT_EQ(trap.rflags & (ARITHMETIC | FLAG_DF | FLAG_AC | FLAG_ID),
              rflags & (ARITHMETIC | FLAG_DF | FLAG_AC | FLAG_ID));
}

TEST(syscall_frame)
{
    system_call(0);
}

TEST(syscall_clears_df_for_the_handler)
{
    system_call(FLAG_DF | FLAG_AC | FLAG_CF | FLAG_ID);
    EXPECT_EQ(trap.entry_rflags & (FLAG_DF | FLAG_AC), 0);
}

TEST(syscall_without_mask_flag)
{
    callback_register(CALLBACKTYPE_syscall, 0, entry_stub(ENTRY_SYSCALL));
    context_at(USER, at_syscall);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
    EXPECT_EQ(trap.entry_mask, 0);
    callbacks_restore();
}

TEST(syscall_frame_has_r11_of_hardware)
{
    context_at(USER, at_syscall);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
    EXPECT_EQ(trap.r11 & FLAG_IF, FLAG_IF);
}

/* ---- compatibility mode ------------------------------------------------- */

static void run_32(const char *piece, int vector, const char *where,
                   unsigned words)
{
    context_user_32(&c, piece);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), vector);
    EXPECT_EQ(trap.rip, user_address(where) - USER_BASE);
    EXPECT_EQ(trap.cs & SELECTOR, USER_CS_32);
    EXPECT_EQ(MASK_BYTE(trap.cs), 0);
    EXPECT_EQ(trap.ss, KERNEL_SS);
    EXPECT_EQ(trap.rsp, USER_STACK_TOP - USER_BASE);
    EXPECT_EQ(trap.entry_rsp + words * 8, (uint64_t)trap_stack_top);
    EXPECT_EQ(trap.entry_mask, 1);
    expect_kernel_selectors();
}

TEST(exceptions_32)
{
    run_32(at32_int3, EXC_BP, at32_int3_after, 7);
    run_32(at32_ud2, EXC_UD, at32_ud2, 7);
    EXPECT_EQ((uint32_t)trap.gprs.rbx, (uint32_t)c.gprs.rbx);
    run_32(at32_read, EXC_PF, at32_read, 8);
    EXPECT_EQ(trap.cr2, (uint32_t)c.gprs.rdi);
    EXPECT_EQ(trap.error_code, 4);
}

TEST(int80_32)
{
    run_32(at32_int80, 0x80, at32_int80_after, 7);
}

TEST(syscall_32)
{
    run_32(at32_syscall, ENTRY_SYSCALL32, at32_syscall_after, 7);
    EXPECT_EQ((uint32_t)trap.rcx, trap.rip);
    EXPECT_EQ((uint32_t)trap.gprs.rdi, (uint32_t)c.gprs.rdi);
}

/* The way back from an entry finds everything as it was. */
static bool go_on_once(struct entry_stack *stack, struct iret_context *back)
{
    (void)back;
    return stack->vector == EXC_BP || stack->vector == ENTRY_SYSCALL;
}

TEST(return_to_user_keeps_registers)
{
    trap_hook = go_on_once;
    context_at(USER, at_int3);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
    expect_frame(USER, user_address(at_int3_after), 7);
    expect_registers_kept();
    EXPECT_EQ(trap.rcx, c.frame.rcx);
    EXPECT_EQ(trap.r11, c.frame.r11);
    context_at(USER, at_syscall);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
    expect_frame(USER, user_address(at_syscall_after), 7);
    expect_registers_kept();
}

TEST(return_to_kernel_keeps_registers)
{
    trap_hook = go_on_once;
    context_at(KERNEL, at_int3);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
    expect_frame(KERNEL, (uint64_t)at_int3_after, 7);
    expect_registers_kept();
    EXPECT_EQ(trap.rcx, c.frame.rcx);
    EXPECT_EQ(trap.r11, c.frame.r11);
}

/* ---- the trap table ----------------------------------------------------- */

TEST(trap_table_refuses_non_canonical_address)
{
    struct trap_info t[2] = {
        {.vector = 0x30, .cs = KERNEL_CS, .address = 0x8000000000000000}};

    EXPECT_EQ(hc_set_trap_table(ARG(t)), -22);
}

TEST(trap_table_merges)
{
    struct trap_info t[3] = {{.vector = 0x22,
                              .flags = 7,
                              .cs = KERNEL_CS,
                              .address = entry_stub(0x33)},
                             {.vector = EXC_UD,
                              .flags = 4,
                              .cs = KERNEL_CS,
                              .address = entry_stub(0x44)}};

    EXPECT_EQ(hc_set_trap_table(ARG(t)), 0);
    run_without_error(KERNEL, at_ud2, 0x44, at_ud2);
    run_without_error(KERNEL, at_int3, EXC_BP, at_int3_after);
    trap_table_restore();
}

TEST(callback_errors)
{
    struct callback_register_args op = {.type = 77,
                                        .address = entry_stub(ENTRY_EVENT)};

    EXPECT_EQ(hc_callback_op(CALLBACKOP_register, ARG(&op)), -38);
    EXPECT_EQ(hc_callback_op(CALLBACKOP_unregister, ARG(&op)), -38);
    op.type = CALLBACKTYPE_event;
    EXPECT_EQ(hc_callback_op(CALLBACKOP_unregister, ARG(&op)), -22);
    op.address = 0x8000000000000000;
    EXPECT_EQ(hc_callback_op(CALLBACKOP_register, ARG(&op)), -22);
    EXPECT_EQ(hc_callback_op(2, ARG(&op)), -38);
    EXPECT_EQ(hc_callback_op(CALLBACKOP_register, 0x8000000000000000), -14);
    callbacks_restore();
}
