/* SPDX-License-Identifier: MIT */
/*
 * Fetching and dispatch. What an instruction does to anything but general
 * registers is decided in msr.c, ioport.c, fpu.c and
 * cpuid_policy.c; stores to page tables are in emulate_pte.c.
 */
#include "x86/emulate.h"

#include "core/guest_copy.h"

#include "x86/context.h"
#include "x86/cpu_features.h"
#include "x86/cpuid_policy.h"
#include "x86/ioport.h"

/* A long string instruction leaves Mica in between, for interrupts. */
#define STRING_STEPS 256u

/*
 * Moves past an instruction of `length` bytes that was carried out, with the
 * debug exception that single-stepping asks for.
 */
void emulate_advance(struct vcpu *v, struct regs *r, unsigned length)
{
    r->rip += length;
    r->rflags &= ~RFLAGS_RF;
    if (r->rflags & RFLAGS_TF) {
        v->arch->dr[6] |= DR6_SINGLE_STEP;
        trap_inject(v, EXC_DB, 0);
    }
}

/*
 * Decodes the instruction at r->rip from guest memory; -EINVAL when it cannot
 * be read or is none that Mica carries out.
 */
int emulate_fetch(const struct vcpu *v, const struct regs *r, struct insn *out)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t left = copy_in_root(vcpu_root(v), bytes, r->rip, sizeof(bytes));

    return insn_decode(out, bytes, sizeof(bytes) - left);
}

/* --- registers ----------------------------------------------------------- */

static int read_cr(const struct vcpu *v, unsigned number, uint64_t *value)
{
    if (number == 0)
        *value = read_cr0();
    else if (number == 2)
        *value = vcpu_info_of(v)->arch.cr2;
    else if (number == 4)
        *value = v->arch->cr4;
    else
        return -EPERM;
    return 0;
}

static int write_cr(struct vcpu *v, unsigned number, uint64_t value)
{
    switch (number) {
    case 0:
        if ((value ^ read_cr0()) & ~CR0_TS)
            return -EPERM;
        fpu_set_task_switched(v, value & CR0_TS);
        return 0;
    case 4: /* but for one bit it stays as it always is */
        v->arch->cr4 =
            CR4_GUEST | (cpu_features()->xsave ? value & CR4_OSXSAVE : 0);
        return 0;
    default:
        return -EPERM;
    }
}

/* --- ports --------------------------------------------------------------- */

/*
 * One step of INS or OUTS, which moves nothing unless all of its operand in
 * memory can be reached; -ERESTART after a page fault.
 */
static int string_step(struct vcpu *v, struct regs *r, const struct insn *i)
{
    bool is_in = i->kind == INSN_INS;
    enum walk_access access = is_in ? WALK_WRITE : WALK_READ;
    uint64_t *at = is_in ? &r->rdi : &r->rsi, last = *at;
    mfn_t root = vcpu_root(v);
    uint16_t port = (uint16_t)r->rdx;
    uint32_t value = 0;

    if (guest_translate(root, *at, access))
        last += i->size - 1u;
    if (!guest_translate(root, last, access)) {
        trap_inject_page_fault(
            v, last,
            (is_in ? PFEC_WRITE : 0) |
                (guest_translate(root, last, WALK_READ) ? PFEC_PRESENT : 0));
        return -ERESTART;
    }
    if (!is_in && copy_in_root(root, &value, *at, i->size))
        return -ERESTART; /* another vCPU took the page away meanwhile */
    if (!is_in)
        ioport_write(v->domain, port, i->size, value);
    else
        value = ioport_read(v->domain, port, i->size);
    if (is_in && copy_out_root(root, *at, &value, i->size))
        return -ERESTART; /* likewise */
    *at += r->rflags & RFLAGS_DF ? 0 - (uint64_t)i->size : i->size;
    if (i->is_repeated)
        r->rcx--;
    return 0;
}

/* INS and OUTS; -ERESTART when they are to go on, or after a page fault. */
static int port_string(struct vcpu *v, struct regs *r, const struct insn *i)
{
    uint64_t count = i->is_repeated ? r->rcx : 1;

    for (unsigned n = 0; n < count; n++)
        if (n == STRING_STEPS || string_step(v, r, i))
            return -ERESTART;
    return 0;
}

static int execute_io(struct vcpu *v, struct regs *r, const struct insn *i)
{
    uint16_t port = (uint16_t)(i->has_immediate ? i->immediate & 0xff : r->rdx);

    if (!ioport_may_access(v, port, i->size))
        return -EPERM;
    if (i->kind == INSN_IN)
        insn_merge(&r->rax, ioport_read(v->domain, port, i->size), i->size);
    else if (i->kind == INSN_OUT)
        ioport_write(v->domain, port, i->size, (uint32_t)r->rax);
    else
        return port_string(v, r, i);
    return 0;
}

/* --- dispatch ------------------------------------------------------------ */

/*
 * 0 when it was carried out; -ERESTART when the guest goes on at the same
 * rip; another error when the instruction is to fault.
 */
static int execute(struct vcpu *v, struct regs *r, const struct insn *i)
{
    uint64_t pair = (r->rdx & 0xffffffff) << 32 | (r->rax & 0xffffffff);
    uint64_t *reg = insn_reg(r, i->rm), value;
    int error;

    if (i->kind <= INSN_OUTS)
        return execute_io(v, r, i);
    if (!v->arch->in_kernel && (i->kind > INSN_STI || v->arch->iopl < 3))
        return -EPERM;
    switch (i->kind) {
    case INSN_CLI: /* POPF could not undo it, so it must not do anything */
    case INSN_STI:
        return 0;
    case INSN_RDMSR:
        error = msr_read(v, (uint32_t)r->rcx, &value);
        if (error)
            return error;
        r->rax = value & 0xffffffff;
        r->rdx = value >> 32;
        return 0;
    case INSN_WRMSR:
        return msr_write(v, (uint32_t)r->rcx, pair);
    case INSN_READ_CR:
        return read_cr(v, i->reg, reg);
    case INSN_WRITE_CR:
        return write_cr(v, i->reg, *reg);
    case INSN_CLTS:
        fpu_set_task_switched(v, false);
        return 0;
    case INSN_WBINVD:
        if (v->domain->is_privileged) /* its devices may need it */
            wbinvd();
        return 0;
    case INSN_XSETBV:
        return fpu_set_xcr0(v, (uint32_t)r->rcx, pair);
    default:
        return -EPERM;
    }
}

/* #GP with error code 0: carries out what the guest may do. */
bool emulate_privileged(struct vcpu *v, struct regs *r)
{
    struct insn i;
    int error = emulate_fetch(v, r, &i);

    if (!error)
        error = execute(v, r, &i);
    if (!error)
        emulate_advance(v, r, i.length);
    return !error || error == -ERESTART;
}

/* #UD: carries out CPUID where UD2 and "xen" say it is for the hypervisor. */
bool emulate_forced_cpuid(struct vcpu *v, struct regs *r)
{
    static const uint8_t form[] = {0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2};
    uint8_t bytes[sizeof(form)];
    struct cpuid_leaf out;

    if (copy_in_root(vcpu_root(v), bytes, r->rip, sizeof(bytes)) ||
        memcmp(bytes, form, sizeof(form)))
        return false;
    out = cpu_guest_leaf(v->arch->xcr0, (uint32_t)r->rax, (uint32_t)r->rcx);
    r->rax = out.eax;
    r->rbx = out.ebx;
    r->rcx = out.ecx;
    r->rdx = out.edx;
    emulate_advance(v, r, sizeof(form));
    return true;
}
