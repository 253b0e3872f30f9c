/* SPDX-License-Identifier: MIT */
/*
 * Segment selectors of Mica's page of every GDT (bytes 0xe000 to 0xefff).
 * 0xe023, 0xe02b and 0xe033 are part of the guest ABI; SYSCALL and SYSRET
 * tie the places of the others to them (Intel SDM 3A, 5.8.8).
 */
#pragma once

#define OWN_GDT_BASE 0xe000

#define SEL_OWN_CS 0xe008
#define SEL_OWN_SS 0xe010
#define SEL_KERNEL_CS_RING1 0xe019
#define SEL_GUEST_CS32 0xe023
#define SEL_GUEST_SS 0xe02b
#define SEL_GUEST_CS 0xe033
#define SEL_KERNEL_SS_RING1 0xe039
#define SEL_TSS 0xe040
#define SEL_LDT 0xe050
