/* SPDX-License-Identifier: MIT */
/*
 * A kernel whose image lies from address 0 up, as those of boot loaders and
 * library operating systems do, with applications on tables of their own.
 */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/version.h"

const char guest_name[] = "lowhalf";

static struct context c;

void guest_init(void)
{
    user_init();
}

TEST(image_is_low)
{
    EXPECT((uint64_t)guest_name < 1ul << 30);
    EXPECT_EQ((uint64_t)VIRT_BASE, 0);
    EXPECT(start_info->pt_base < 1ul << 30);
}

TEST(hypercalls_work)
{
    EXPECT(hc_xen_version(XENVER_version, 0) >= 0x40000);
}

TEST(exception_in_kernel)
{
    context_kernel(&c, (uint64_t)at_ud2);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
    EXPECT_EQ(trap.rip, (uint64_t)at_ud2);
    EXPECT_EQ(trap.cs & 0xffff, 0xe030);
}

TEST(system_call)
{
    context_user(&c, at_syscall);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), ENTRY_SYSCALL);
    EXPECT_EQ(trap.rip, user_address(at_syscall_after));
    EXPECT_EQ(trap.cs & 0xffff, 0xe033);
    EXPECT_EQ(trap.ss, 0xe02b);
    EXPECT_EQ(trap.gprs.rdi, c.gprs.rdi);
    EXPECT_EQ(trap.entry_rsp + 56, (uint64_t)trap_stack_top);
}

TEST(user_fault)
{
    context_user(&c, at_read);
    c.gprs.rdi = USER_HOLE;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_PF);
    EXPECT_EQ(trap.cr2, USER_HOLE);
    EXPECT_EQ(trap.error_code, 4);
}

/* The kernel's half is the low one, and not in the user's tables. */
TEST(user_cannot_read_kernel)
{
    context_user(&c, at_read);
    c.gprs.rdi = (uint64_t)guest_name;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_PF);
    EXPECT_EQ(trap.cr2, (uint64_t)guest_name);
    EXPECT_EQ(trap.error_code, 4);
}

TEST(user_and_kernel_share_a_page)
{
    uint64_t *data = user_data_page;

    data[7] = 0x77;
    context_user(&c, at_read);
    c.gprs.rdi = USER_DATA + 56;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
    EXPECT_EQ(trap.gprs.rax, 0x77);
    context_user(&c, at_write);
    c.gprs.rdi = USER_DATA + 64;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
    EXPECT_EQ(data[8], c.frame.rax);
}

TEST(address_zero_is_mapped_for_the_kernel)
{
    context_kernel(&c, (uint64_t)at_read);
    c.gprs.rdi = 0;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
}
