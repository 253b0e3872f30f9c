/* SPDX-License-Identifier: MIT */
/*
 * What every header of the guest and control ABI shares: the ABI's integer
 * types, reserved domain ids, and the two assertions that pin a layout.
 *
 * Rules for all of hypercall_abi/: numbers and layouts only, no code; needs
 * nothing but <stdint.h>; the same from C11 and C++17. Structures have
 * fixed-width members and written-out padding, so every compiler for x86-64
 * agrees on them. `in:` marks what the caller supplies, `out:` what the
 * hypervisor writes back; a member with neither is both or is shared memory.
 * Padding is ignored on the way in unless its comment says "must be 0".
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
#define ABI_ASSERT(condition, text) static_assert(condition, text)
#else
#define ABI_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* The size of a structure, in bytes. */
#define ABI_SIZE(type, n)                                                      \
    ABI_ASSERT(sizeof(type) == (n), "size of " #type " is not " #n)

/* The place of a member, in bytes from the start of its structure. */
#define ABI_AT(type, member, off)                                              \
    ABI_ASSERT(__builtin_offsetof(type, member) == (off),                      \
               #type "." #member " is not at " #off)

typedef uint16_t domid_t;
typedef uint32_t evtchn_port_t; /* 0 is never a port */
typedef uint32_t grant_ref_t;
typedef uint32_t grant_handle_t;

/*
 * A virtual address of the calling guest, valid in its kernel's address
 * space. It has no type to dereference and no arithmetic: only guest_copy
 * knows how to follow it.
 */
typedef struct guest_va {
    uint64_t va;
} guest_va;
ABI_SIZE(guest_va, 8);

/* Ids from DOMID_FIRST_RESERVED up never name an ordinary domain. */
#define DOMID_FIRST_RESERVED 0x7ff0u
#define DOMID_SELF 0x7ff0u    /* the caller */
#define DOMID_IO 0x7ff1u      /* owner of device memory */
#define DOMID_XEN 0x7ff2u     /* owner of the hypervisor's frames */
#define DOMID_COW 0x7ff3u     /* owner of shared copies; unused */
#define DOMID_INVALID 0x7ff4u /* owner unknown */
#define DOMID_IDLE 0x7fffu
#define DOMID_MASK 0x7fffu
