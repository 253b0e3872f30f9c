/* SPDX-License-Identifier: MIT */
/*
 * Register meanings are those of the Intel SDM 3B, 17.2. Breakpoints on I/O
 * ports are refused: the port accesses that Mica carries out for a guest
 * could not honour them.
 */
#include "x86/debug_regs.h"

#include "core/guest_copy.h"
#include "core/hypercall.h"

#include "x86/insn.h"
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

/*
 * Where `v` has a debug register; 4 and 5 are old names of 6 and 7 unless
 * CR4.DE is set. -EINVAL or -ENODEV when there is none.
 */
static int resolve(const struct vcpu *v, uint64_t number)
{
    if (number > 7)
        return -EINVAL;
    if (number != 4 && number != 5)
        return (int)number;
    return v->arch->cr4 & CR4_DE ? -ENODEV : (int)number + 2;
}

static int store(struct vcpu *v, int number, uint64_t value)
{
    if (number == 6) {
        if (value >> 32)
            return -EINVAL;
        value = (value & DR6_STATUS) | DR6_FIXED;
    } else if (number == 7) {
        if (!control_is_valid(value))
            return -EPERM;
        value = (value & DR7_CONTROL) | DR7_FIXED;
    } else if (!guest_va_is_usable(value)) {
        return -EPERM;
    }
    v->arch->dr[number] = value;
    return 0;
}

/*
 * Sets a debug register of `v`, whose registers are loaded here. -EPERM for
 * an address of Mica's or a control bit that guests may not have, -ENODEV
 * for 4 and 5 with CR4.DE set, -EINVAL otherwise.
 */
int debug_regs_set(struct vcpu *v, uint64_t number, uint64_t value)
{
    int n = resolve(v, number);
    int error = n < 0 ? n : store(v, n, value);

    if (!error)
        debug_regs_load(v);
    return error;
}

/* Reads a debug register as the guest sees it; errors as for setting. */
int debug_regs_get(const struct vcpu *v, uint64_t number, uint64_t *value)
{
    int n = resolve(v, number);

    if (n < 0)
        return n;
    *value = v->arch->dr[n];
    return 0;
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

/* set_debugreg(number, value): see debug_regs_set. */
long hc_set_debugreg(struct vcpu *v, const struct hc_args *a)
{
    return debug_regs_set(v, a->a[0], a->a[1]);
}

/* get_debugreg(number): the value, or -EINVAL or -ENODEV. */
long hc_get_debugreg(struct vcpu *v, const struct hc_args *a)
{
    uint64_t value = 0;
    int error = debug_regs_get(v, a->a[0], &value);

    return error ? error : (long)value;
}
