/* SPDX-License-Identifier: MIT */
/*
 * Where things lie in L4 slots 256 to 271, the range the guest ABI leaves to
 * the hypervisor. Usable from assembly.
 *
 *   slot 256      window: machine-to-physical table, then the pCPUs' gates
 *   slot 257      read-write alias of the M2P; frame table
 *   slot 258      Mica's image; devices and other small mappings of Mica's own
 *   slot 259      unused
 *   slots 260-271 all RAM, 6 TiB
 */
#pragma once

#define OWN_SLOT_FIRST 256
#define OWN_SLOT_LAST 271

#define OWN_RANGE_START 0xffff800000000000
#define OWN_RANGE_END 0xffff880000000000

#define M2P_GUEST_BASE 0xffff800000000000
#define GATE_BASE 0xffff804000000000

#define M2P_BASE 0xffff808000000000
#define FRAME_TABLE_BASE 0xffff80c000000000

#define IMAGE_BASE 0xffff810000000000
#define FIXMAP_BASE 0xffff814000000000

#define RAM_BASE 0xffff820000000000
#define RAM_END 0xffff880000000000
