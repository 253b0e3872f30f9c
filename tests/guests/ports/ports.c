/* SPDX-License-Identifier: MIT */
/* Which I/O ports applications may use: by IOPL, and by their bitmap. */
#include "hypercall_abi/physdev.h"
#include "memory.h"
#include "pieces.h"
#include "trap.h"

#define EINVAL 22

#define PORT 0x80u /* reads and writes do nothing */
#define ALL_PORTS 65536u
#define ABSENT 0x123456789000ul
#define USER_BUFFER 64

const char guest_name[] = "ports";

static uint8_t bitmap[ALL_PORTS / 8];

static long set_iopl(uint32_t iopl)
{
    struct physdev_set_iopl_args op = {.iopl = iopl};

    return hc_physdev_op(PHYSDEVOP_set_iopl, ARG(&op));
}

static long set_bitmap(const void *address, uint32_t ports)
{
    struct physdev_set_iobitmap_args op = {
        .bitmap = {ARG(address)},
        .nr_ports = ports,
    };

    return hc_physdev_op(PHYSDEVOP_set_iobitmap, ARG(&op));
}

static void allow(unsigned port)
{
    bitmap[port / 8] &= (uint8_t) ~(1u << port % 8);
}

static void refuse_all(void)
{
    for (unsigned i = 0; i < sizeof(bitmap); i++)
        bitmap[i] = 0xff;
}

/* How user mode gets on with an instruction that takes the port from dx. */
static int user_access(const void *piece, unsigned port)
{
    struct context c;

    context_user(&c, piece);
    c.gprs.rdx = port;
    c.gprs.rdi = USER_DATA + USER_BUFFER;
    c.frame.rcx = 2;
    return trap_try(context_enter, ARG(&c));
}

void guest_init(void)
{
    user_init();
    refuse_all();
}

TEST(user_has_no_ports)
{
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_GP);
    EXPECT_EQ(trap.rip, user_address(at_in_byte));
    EXPECT_EQ(user_access(at_out_byte, PORT), EXC_GP);
    EXPECT_EQ(user_access(at_ins, PORT), EXC_GP);
}

TEST(iopl_opens_all)
{
    EXPECT_EQ(set_iopl(3), 0);
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_BP);
    EXPECT_EQ(user_access(at_out_byte, PORT), EXC_BP);
    EXPECT_EQ(set_iopl(0), 0);
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_GP);
}

TEST(bitmap_opens_single_ports)
{
    allow(PORT);
    EXPECT_EQ(set_bitmap(bitmap, ALL_PORTS), 0);
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_BP);
    EXPECT_EQ(trap.rip, user_address(at_in_byte_after) + 1);
    EXPECT_EQ(user_access(at_out_byte, PORT), EXC_BP);
    EXPECT_EQ(user_access(at_in_byte, PORT - 1), EXC_GP);
    EXPECT_EQ(user_access(at_in_byte, PORT + 1), EXC_GP);
}

TEST(bitmap_counts_for_all_bytes)
{
    EXPECT_EQ(user_access(at_in_long, PORT), EXC_GP);
    allow(PORT + 1);
    allow(PORT + 2);
    EXPECT_EQ(user_access(at_in_long, PORT), EXC_GP);
    allow(PORT + 3);
    EXPECT_EQ(user_access(at_in_long, PORT), EXC_BP);
    allow(PORT - 1);
    EXPECT_EQ(user_access(at_in_long, PORT - 1), EXC_BP);
}

TEST(strings_obey_the_bitmap)
{
    EXPECT_EQ(user_access(at_ins, PORT), EXC_BP);
    EXPECT_EQ(trap.gprs.rdi, USER_DATA + USER_BUFFER + 2);
    EXPECT_EQ(trap.rcx, 0);
    EXPECT_EQ(user_access(at_ins, PORT + 4), EXC_GP);
    EXPECT_EQ(trap.gprs.rdi, USER_DATA + USER_BUFFER);
}

TEST(bitmap_may_change)
{
    refuse_all();
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_GP);
    allow(PORT);
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_BP);
}

TEST(bitmap_has_an_end)
{
    allow(PORT + 1);
    allow(PORT + 2);
    allow(PORT + 3);
    EXPECT_EQ(set_bitmap(bitmap, PORT + 3), 0);
    EXPECT_EQ(user_access(at_in_byte, PORT + 2), EXC_BP);
    EXPECT_EQ(user_access(at_in_byte, PORT + 3), EXC_GP);
    EXPECT_EQ(user_access(at_in_long, PORT), EXC_GP);
    allow(ALL_PORTS - 1);
    EXPECT_EQ(set_bitmap(bitmap, ALL_PORTS), 0);
    EXPECT_EQ(user_access(at_in_byte, ALL_PORTS - 1), EXC_BP);
    EXPECT_EQ(user_access(at_in_long, ALL_PORTS - 1), EXC_GP);
    EXPECT_EQ(set_bitmap(bitmap, ALL_PORTS + 1), -EINVAL);
}

TEST(bitmap_at_an_absent_address)
{
    EXPECT_EQ(set_bitmap((const void *)ABSENT, ALL_PORTS), 0);
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_GP);
    EXPECT_EQ(user_access(at_in_byte, 0), EXC_GP);
}

TEST(bitmap_can_be_taken_away)
{
    EXPECT_EQ(set_bitmap(bitmap, ALL_PORTS), 0);
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_BP);
    EXPECT_EQ(set_bitmap(bitmap, 0), 0);
    EXPECT_EQ(user_access(at_in_byte, PORT), EXC_GP);
}
