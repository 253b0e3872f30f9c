/* SPDX-License-Identifier: MIT */
/* The iret hypercall: where it may go, and what it makes of a bad frame. */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#define SELECTOR 0xffffu
#define NON_CANONICAL 0x8000000000000000ul

const char guest_name[] = "iret";

static struct context c;

void guest_init(void)
{
    user_init();
}

static int enter(void)
{
    return trap_try(context_enter, ARG(&c));
}

static void at_kernel(const char *piece)
{
    context_kernel(&c, (uint64_t)piece);
}

/* ---- where to ----------------------------------------------------------- */

TEST(to_kernel)
{
    at_kernel(at_int3);
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.cs & SELECTOR, 0xe030);
    EXPECT_EQ(trap.rsp, c.frame.rsp);
}

TEST(to_user)
{
    context_user(&c, at_int3);
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.cs & SELECTOR, 0xe033);
    EXPECT_EQ(trap.rsp, c.frame.rsp);
}

TEST(by_hypercall_page)
{
    context_user(&c, at_int3);
    EXPECT_EQ(trap_try(context_enter_by_page, ARG(&c)), EXC_BP);
    EXPECT_EQ(trap.cs & SELECTOR, 0xe033);
    EXPECT_EQ(trap.gprs.rax, c.frame.rax);
    EXPECT_EQ(trap.rcx, c.frame.rcx);
    EXPECT_EQ(trap.r11, c.frame.r11);
    at_kernel(at_int3);
    EXPECT_EQ(trap_try(context_enter_by_page, ARG(&c)), EXC_BP);
    EXPECT_EQ(trap.cs & SELECTOR, 0xe030);
}

/* The user root is loaded: it has nothing of the kernel's. */
TEST(user_mode_has_its_own_tables)
{
    context_user(&c, at_read);
    c.gprs.rdi = (uint64_t)&c;
    EXPECT_EQ(enter(), EXC_PF);
    EXPECT_EQ(trap.cr2, (uint64_t)&c);
}

TEST(kernel_mode_reads_user_pages)
{
    uint64_t *data = user_data_page;

    data[3] = 0x1234567890;
    at_kernel(at_read);
    c.gprs.rdi = USER_DATA + 24;
    EXPECT_EQ(enter(), EXC_UD);
    EXPECT_EQ(trap.gprs.rax, 0x1234567890);
}

TEST(in_syscall_flag)
{
    context_user(&c, at_int3);
    c.frame.flags = VGCF_in_syscall;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.gprs.rax, c.frame.rax);
    EXPECT_EQ(trap.gprs.rbx, c.gprs.rbx);
    EXPECT_EQ(trap.rsp, c.frame.rsp);
    at_kernel(at_int3);
    c.frame.flags = VGCF_in_syscall;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.gprs.rax, c.frame.rax);
}

/* ---- flags -------------------------------------------------------------- */

#define ODD_FLAGS (FLAG_IOPL | FLAG_VM | FLAG_NT | FLAG_RF)

static void odd_flags(void)
{
    c.frame.rflags |= ODD_FLAGS;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.rflags & (FLAG_IOPL | FLAG_VM), 0);
    EXPECT_EQ(trap.rflags & FLAG_NT, FLAG_NT);
    EXPECT_EQ(trap.entry_rflags & FLAG_IF, FLAG_IF);
}

TEST(iopl_and_vm_are_dropped)
{
    context_user(&c, at_int3);
    odd_flags();
    at_kernel(at_int3);
    odd_flags();
}

TEST(reserved_flags_are_dropped)
{
    context_user(&c, at_int3);
    c.frame.rflags |= 0xffffffff00008028;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.rflags & 0xffffffff00008028, 0);
}

TEST(if_becomes_event_mask)
{
    context_user(&c, at_int3);
    c.frame.rflags &= ~FLAG_IF;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.cs >> 32 & 0xff, 1);
    EXPECT_EQ(trap.rflags & FLAG_IF, 0);
    c.frame.rflags |= FLAG_IF;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.cs >> 32 & 0xff, 0);
    at_kernel(at_int3);
    c.frame.rflags |= FLAG_IF;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.cs >> 32 & 0xff, 0);
}

/* ---- selectors ---------------------------------------------------------- */

TEST(selectors_get_ring_3)
{
    at_kernel(at_int3);
    c.frame.ss = KERNEL_SS & ~3u;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.ss, KERNEL_SS);
    c.frame.cs |= 0x1234567800000000;
    EXPECT_EQ(enter(), EXC_BP);
}

/* A refused return looks like a fault of the context that was to be entered. */
static void refused(int vector, uint64_t error, uint64_t cs)
{
    EXPECT_EQ(enter(), vector);
    EXPECT_EQ(trap.error_code, error);
    EXPECT_EQ(trap.rip, c.frame.rip);
    EXPECT_EQ(trap.cs & SELECTOR, cs);
    EXPECT_EQ(trap.rsp, c.frame.rsp);
}

TEST(bad_cs_user)
{
    context_user(&c, at_int3);
    c.frame.cs = 0x0103;
    refused(EXC_GP, 0x100, 0x0103);
    c.frame.cs = 0xe02b;
    refused(EXC_GP, 0xe028, 0xe02b);
    c.frame.cs = 3;
    refused(EXC_GP, 0, 3);
}

TEST(bad_cs_kernel)
{
    if (kernel_is_in_ring_1()) {
        test_skip("in ring 1 a kernel has no selectors of its own");
        return;
    }
    at_kernel(at_int3);
    c.frame.cs = 0x0100;
    refused(EXC_GP, 0x100, 0x100);
    c.frame.cs = 0;
    refused(EXC_GP, 0, 0);
}

TEST(bad_ss_user)
{
    context_user(&c, at_int3);
    c.frame.ss = 0x0103;
    refused(EXC_GP, 0x100, 0xe033);
    c.frame.ss = 0xe033;
    refused(EXC_GP, 0xe030, 0xe033);
}

TEST(bad_ss_kernel)
{
    if (kernel_is_in_ring_1()) {
        test_skip("in ring 1 a kernel has no selectors of its own");
        return;
    }
    at_kernel(at_int3);
    c.frame.ss = 0x0103;
    refused(EXC_GP, 0x100, 0xe030);
}

TEST(refused_return_keeps_registers)
{
    context_user(&c, at_int3);
    c.frame.cs = 0x0103;
    EXPECT_EQ(enter(), EXC_GP);
    EXPECT_EQ(trap.gprs.rax, c.frame.rax);
    EXPECT_EQ(trap.rcx, c.frame.rcx);
    EXPECT_EQ(trap.r11, c.frame.r11);
    EXPECT_EQ(trap.gprs.rbx, c.gprs.rbx);
    EXPECT_EQ(trap.gprs.rdi, c.gprs.rdi);
    EXPECT_EQ(trap.gprs.r15, c.gprs.r15);
    EXPECT_EQ(trap.entry_rsp % 16, 0);
}

/* The hypervisor's own selectors are no way into it. */
TEST(hypervisor_selectors)
{
    for (unsigned i = 0; i < 0x200; i++) {
        uint64_t selector = 0xe000 + i * 8;
        int vector;

        if (selector == 0xe020 || selector == 0xe030)
            continue;
        context_user(&c, at_int3);
        c.frame.cs = selector | 3;
        vector = enter();
        EXPECT(vector == EXC_GP || vector == EXC_NP);
    }
}

/* ---- addresses ---------------------------------------------------------- */

static void bad_rip(uint64_t rip)
{
    int vector;

    c.frame.rip = rip;
    vector = enter();
    EXPECT(vector == EXC_GP || vector == EXC_PF);
    EXPECT_EQ(trap.rip, rip);
}

TEST(non_canonical_rip)
{
    context_user(&c, at_int3);
    bad_rip(NON_CANONICAL);
    bad_rip(0x0000800000000000);
    c.frame.flags = VGCF_in_syscall;
    bad_rip(NON_CANONICAL);
    at_kernel(at_int3);
    bad_rip(NON_CANONICAL);
    c.frame.flags = VGCF_in_syscall;
    bad_rip(NON_CANONICAL);
}

TEST(rip_in_hypervisor)
{
    context_user(&c, at_int3);
    bad_rip(0xffff830000000000);
    at_kernel(at_int3);
    bad_rip(0xffff830000000000);
}

TEST(non_canonical_rsp)
{
    context_user(&c, at_int3);
    c.frame.rsp = NON_CANONICAL;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.rsp, NON_CANONICAL);
    c.frame.rsp = 0xffff830000000000;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.rsp, c.frame.rsp);
}

/* ---- events ------------------------------------------------------------- */

static void clear_events(void)
{
    struct vcpu_info *v = vcpu_info();

    v->evtchn_upcall_pending = 0;
    v->evtchn_pending_sel = 0;
}

TEST(pending_event_to_user)
{
    context_user(&c, at_int3);
    vcpu_info()->evtchn_upcall_pending = 1;
    EXPECT_EQ(enter(), ENTRY_EVENT);
    EXPECT_EQ(trap.rip, c.frame.rip);
    EXPECT_EQ(trap.cs & SELECTOR, 0xe033);
    EXPECT_EQ(trap.cs >> 32 & 0xff, 0);
    EXPECT_EQ(trap.rflags & FLAG_IF, FLAG_IF);
    EXPECT_EQ(trap.entry_mask, 1);
    EXPECT_EQ(trap.rcx, c.frame.rcx);
    EXPECT_EQ(trap.gprs.rax, c.frame.rax);
    EXPECT_EQ(trap.entry_rsp + 56, (uint64_t)trap_stack_top);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_pending, 1);
    clear_events();
}

TEST(pending_event_to_kernel)
{
    at_kernel(at_int3);
    c.frame.rflags |= FLAG_IF;
    vcpu_info()->evtchn_upcall_pending = 1;
    EXPECT_EQ(enter(), ENTRY_EVENT);
    EXPECT_EQ(trap.rip, c.frame.rip);
    EXPECT_EQ(trap.cs & SELECTOR, 0xe030);
    EXPECT_EQ(trap.rsp, c.frame.rsp);
    EXPECT_EQ(trap.entry_mask, 1);
    clear_events();
}

TEST(pending_event_waits_for_the_mask)
{
    at_kernel(at_int3);
    vcpu_info()->evtchn_upcall_pending = 1;
    EXPECT_EQ(enter(), EXC_BP);
    context_user(&c, at_int3);
    c.frame.rflags &= ~FLAG_IF;
    EXPECT_EQ(enter(), EXC_BP);
    clear_events();
}

static bool event_then_on(struct entry_stack *stack, struct iret_context *back)
{
    (void)back;
    if (stack->vector != ENTRY_EVENT)
        return false;
    clear_events();
    return true;
}

TEST(event_returns_to_user)
{
    uint64_t before = trap.count;

    trap_hook = event_then_on;
    context_user(&c, at_int3);
    vcpu_info()->evtchn_upcall_pending = 1;
    EXPECT_EQ(enter(), EXC_BP);
    EXPECT_EQ(trap.count, before + 2);
    EXPECT_EQ(trap.gprs.rax, c.frame.rax);
    EXPECT_EQ(trap.rcx, c.frame.rcx);
    EXPECT_EQ(trap.r11, c.frame.r11);
    EXPECT_EQ(trap.rip, user_address(at_int3_after));
}
