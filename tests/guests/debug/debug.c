/* SPDX-License-Identifier: MIT */
/* Debug registers and single steps. */
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#include "hypercall_abi/version.h"

#define EPERM 1
#define DR6_FIXED 0xffff0ff0ul
#define DR6_SINGLE_STEP 0x4000ul
#define DR7_FIXED 0x400ul
#define DR7_LOCAL_0 0x1ul
#define DR7_WRITE_8_BYTES 0x90000ul

const char guest_name[] = "debug";

static struct context c;
static uint64_t watched;

void guest_init(void)
{
    user_init();
}

static void clear_all(void)
{
    EXPECT_EQ(hc_set_debugreg(7, 0), 0);
    EXPECT_EQ(hc_set_debugreg(6, 0), 0);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(hc_set_debugreg(i, 0), 0);
}

TEST(addresses_are_kept)
{
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_EQ(hc_set_debugreg(i, ARG(&watched) + i), 0);
        EXPECT_EQ(hc_get_debugreg(i), ARG(&watched) + i);
    }
    clear_all();
}

TEST(addresses_of_the_hypervisor_are_refused)
{
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_EQ(hc_set_debugreg(i, 0xffff830000000000), -EPERM);
        EXPECT_EQ(hc_set_debugreg(i, 0xffff804000000000), -EPERM);
        EXPECT_EQ(hc_set_debugreg(i, 0x8000000000000000), -EPERM);
        EXPECT_EQ(hc_get_debugreg(i), 0);
    }
}

TEST(numbers)
{
    EXPECT(hc_set_debugreg(8, 0) < 0);
    EXPECT(hc_set_debugreg(~0u, 0) < 0);
    EXPECT(hc_get_debugreg(8) < 0);
}

TEST(fixed_bits)
{
    EXPECT_EQ(hc_set_debugreg(7, 0), 0);
    EXPECT_EQ(hc_get_debugreg(7) & ~DR7_FIXED, 0);
    EXPECT_EQ(hc_set_debugreg(6, 0), 0);
    EXPECT_EQ(hc_get_debugreg(6), DR6_FIXED);
}

static void store(uint64_t value)
{
    *(volatile uint64_t *)&watched = value;
}

TEST(watched_word_in_the_kernel)
{
    EXPECT_EQ(hc_set_debugreg(0, ARG(&watched)), 0);
    EXPECT_EQ(hc_set_debugreg(7, DR7_LOCAL_0 | DR7_WRITE_8_BYTES), 0);
    EXPECT_EQ(trap_try(store, 5), EXC_DB);
    EXPECT_EQ(watched, 5);
    EXPECT_EQ(hc_get_debugreg(6) & 15, 1);
    clear_all();
    EXPECT_EQ(trap_try(store, 6), ENTRY_NONE);
}

TEST(watched_word_in_user_mode)
{
    EXPECT_EQ(hc_set_debugreg(0, USER_DATA + 8), 0);
    EXPECT_EQ(hc_set_debugreg(7, DR7_LOCAL_0 | DR7_WRITE_8_BYTES), 0);
    context_user(&c, at_write);
    c.gprs.rdi = USER_DATA + 8;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_DB);
    EXPECT_EQ(trap.rip, user_address(at_write_after));
    EXPECT_EQ(trap.cs & 3, 3);
    EXPECT_EQ(hc_get_debugreg(6) & 15, 1);
    clear_all();
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_UD);
}

/* The hypervisor's own accesses to a watched word are its own affair. */
TEST(watched_argument_of_a_hypercall)
{
    uint64_t words[2] = {0};

    EXPECT_EQ(hc_set_debugreg(0, ARG(words)), 0);
    EXPECT_EQ(hc_set_debugreg(7, DR7_LOCAL_0 | DR7_WRITE_8_BYTES), 0);
    EXPECT_EQ(hc_xen_version(XENVER_get_features, ARG(words)), 0);
    clear_all();
}

TEST(executed_address)
{
    EXPECT_EQ(hc_set_debugreg(1, user_address(at_int3)), 0);
    EXPECT_EQ(hc_set_debugreg(7, DR7_LOCAL_0 << 2), 0);
    context_user(&c, at_int3);
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_DB);
    EXPECT_EQ(trap.rip, user_address(at_int3));
    EXPECT_EQ(hc_get_debugreg(6) & 15, 2);
    c.frame.rflags |= FLAG_RF;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_BP);
    clear_all();
}

TEST(step_sets_its_bit)
{
    EXPECT_EQ(hc_set_debugreg(6, 0), 0);
    context_user(&c, at_nop);
    c.frame.rflags |= FLAG_TF;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_DB);
    EXPECT_EQ(trap.rip, user_address(at_nop_after));
    EXPECT_EQ(hc_get_debugreg(6) & DR6_SINGLE_STEP, DR6_SINGLE_STEP);
    clear_all();
}

/* An emulated instruction is one step. */
TEST(step_over_an_emulated_instruction)
{
    context_kernel(&c, ARG(at_rdmsr));
    c.frame.rcx = 0xc0000100;
    c.frame.rflags |= FLAG_TF;
    EXPECT_EQ(trap_try(context_enter, ARG(&c)), EXC_DB);
    EXPECT_EQ(trap.rip, ARG(at_rdmsr_after));
    clear_all();
}
