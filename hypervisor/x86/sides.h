/* SPDX-License-Identifier: MIT */
/*
 * The two sides a vCPU can be on. Full: its kernel in ring 3 on its own L4
 * frame, with Mica mapped. Light: applications in ring 3 and their kernel in
 * ring 1 on this pCPU's root page, with nothing of Mica mapped but the window.
 * In Mica's C code a pCPU is always on the full side.
 *
 * A root page is a copy of one L4 frame, the kernel's half without User. Each
 * pCPU keeps a few, for the processes it ran last. One is filled when first
 * needed; a change of the L4 is written through to it, and it is forgotten
 * when the frame stops being an L4. sides_lock of its pCPU guards all that.
 */
#pragma once

#include "core/types.h"
#include "x86/cpu.h"
#include "x86/regs.h"
#include "x86/selectors.h"
#include "x86/vcpu.h"

enum sides {
    SIDES_LAZY,     /* applications light; a kernel that called Mica full */
    SIDES_ISOLATED, /* the guest always light */
    SIDES_CLASSIC,  /* the guest always full */
};

/* Chooses for the machine; before any domain runs. */
void sides_init(enum sides chosen);

/* Gives pCPU `c` its root page and window. */
void sides_init_cpu(struct cpu *c);

extern enum sides sides; /* const after sides_init */

/* On every entry from a guest: the vCPU is on the full side from now on. */
void sides_entered_light(struct cpu *c, struct regs *r);
static inline void sides_entered(struct regs *r)
{
    struct cpu *c = this_cpu();

    if (c->constants->is_light)
        sides_entered_light(c, r);
}

/* Makes a kernel in ring 1 look as on the full side. */
static inline void sides_hide_ring1(struct regs *r)
{
    if ((r->cs & 3) != 1)
        return;
    r->cs = SEL_GUEST_CS;
    r->ss = SEL_GUEST_SS;
}

/* Where the instruction at `rip` was linked: the gate's run at an alias. */
uint64_t gate_linked_address(uint64_t rip);

/*
 * A guest kernel that pushed its live %cs in ring 1 may execute IRETQ in ring
 * 3, if it came to the full side in between; the processor then refuses to go
 * back to ring 1. Carries such an IRETQ out on *r; whether it was one.
 */
bool sides_finish_iret(struct vcpu *v, struct regs *r);

/*
 * #DB in ring 0, at `r`. A guest can have one strike at the first instruction
 * of the handler of another (MOV SS, then INT1): the second has then overwritten
 * the frame of the first, and with it the guest's context. That is the end
 * of the domain; does not return if so.
 */
void sides_debug_fault(const struct regs *r);

/* Whether the loaded vCPU leaves for the light side: the way, or 0. */
uint64_t sides_leave_light(struct vcpu *v, struct regs *r);
static inline uint64_t sides_leave(struct vcpu *v, struct regs *r)
{
    return v->arch->in_kernel && sides == SIDES_LAZY ? 0
                                                     : sides_leave_light(v, r);
}

/* Whether `v` may ever be on the light side. */
bool sides_is_light(const struct vcpu *v);
