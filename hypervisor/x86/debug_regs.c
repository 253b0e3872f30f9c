/* SPDX-License-Identifier: MIT */
/*
 * Register meanings are those of the Intel SDM 3B, 17.2. Breakpoints on I/O
 * ports are refused: the port accesses that Mica carries out for a guest
 * could not honour them.
 */
#include "x86/debug_regs.h"

#include "core/guest_copy.h"
#include "core/hypercall.h"

#include "x86/vcpu.h"

#define DR6_STATUS 0xe00full /* B0 to B3, BD, BS, BT */
#define DR7_ENABLES 0xffull
#define DR7_GENERAL_DETECT (1ull << 13)
#define DR7_CONTROL 0xffff03ffull /* what a guest may set */
#define DR7_ACCESS_IO 2u

/* The state after power-on. */
void debug_regs_reset(struct vcpu *v)
{
    memset(v->arch->dr, 0, sizeof(v->arch->dr));
    v->arch->dr[6] = DR6_FIXED;
    v->arch->dr[7] = DR7_FIXED;
}

static bool control_is_valid(uint64_t value)
{
    if (value >> 32 || value & DR7_GENERAL_DETECT)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if ((value >> (16 + 4 * i) & 3) == DR7_ACCESS_IO)
            return false;
    return true;
}

/* Makes the processor's breakpoints those of `v`. */
void debug_regs_load(const struct vcpu *v)
{
    const uint64_t *dr = v->arch->dr;
    bool is_used = dr[7] & DR7_ENABLES;

    if (is_used || read_dr7() & DR7_ENABLES)
        write_dr7(DR7_FIXED);
    if (!is_used)
        return;
    write_dr0(dr[0]);
    write_dr1(dr[1]);
    write_dr2(dr[2]);
    write_dr3(dr[3]);
    write_dr6(DR6_FIXED);
    write_dr7(dr[7]);
}

/*
 * A #DB that the guest caused: adds its reasons to the virtual DR6 of `v` and
 * readies the processor's for the next one. Call it before the exception is
 * delivered.
 */
void debug_regs_note_trap(struct vcpu *v)
{
    v->arch->dr[6] |= read_dr6() & DR6_STATUS;
    write_dr6(DR6_FIXED);
}

/*
 * set_debugreg(number, value): of the caller. -EPERM for an address of Mica's
 * or a control bit that guests may not have, -EINVAL for a register that there
 * is not; 4 and 5 are not.
 */
long hc_set_debugreg(struct vcpu *v, const struct hc_args *a)
{
    uint64_t number = a->a[0], value = a->a[1];

    if (number < 4) {
        if (!guest_va_is_usable(value))
            return -EPERM;
    } else if (number == 6) {
        value = (value & DR6_STATUS) | DR6_FIXED;
    } else if (number == 7) {
        if (!control_is_valid(value))
            return -EPERM;
        value = (value & DR7_CONTROL) | DR7_FIXED;
    } else {
        return -EINVAL;
    }
    v->arch->dr[index_clamp(number, ARRAY_LEN(v->arch->dr))] = value;
    debug_regs_load(v);
    return 0;
}

/* get_debugreg(number): the value as the guest sees it, or -EINVAL. */
long hc_get_debugreg(struct vcpu *v, const struct hc_args *a)
{
    uint64_t number = a->a[0];

    if (number > 7 || number == 4 || number == 5)
        return -EINVAL;
    return (long)v->arch->dr[index_clamp(number, ARRAY_LEN(v->arch->dr))];
}
