/* SPDX-License-Identifier: MIT */
#include "guest.h"

const char guest_name[] = "frames";

void guest_init(void)
{
}

TEST(hello)
{
    EXPECT_EQ(1, 1);
}
