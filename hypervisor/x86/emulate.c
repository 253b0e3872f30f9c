/* SPDX-License-Identifier: MIT */
/*
 * Fetching and dispatch. What an instruction does to anything but general
 * registers is decided in msr.c, ioport.c, fpu.c, debug_regs.c and
 * cpuid_policy.c; stores to page tables are in emulate_pte.c.
 */
#include "x86/emulate.h"

#include "core/guest_copy.h"

#include "x86/context.h"
#include "x86/cpu_features.h"
#include "x86/cpuid_policy.h"
#include "x86/debug_regs.h"
#include "x86/fpu.h"
#include "x86/insn.h"
#include "x86/ioport.h"
#include "x86/msr.h"
#include "x86/selectors.h"
#include "x86/vcpu.h"

/* A long string instruction leaves Mica in between, for interrupts. */
#define STRING_STEPS 256u

#define DESCRIPTOR_LONG (1ull << 53)

static uint64_t pair(const struct regs *r)
{
    return (r->rdx & 0xffffffff) << 32 | (r->rax & 0xffffffff);
}

static void set_pair(struct regs *r, uint64_t value)
{
    r->rax = value & 0xffffffff;
    r->rdx = value >> 32;
}

/*
 * Moves past an instruction of `length` bytes that was carried out, with the
 * debug exception that single-stepping asks for.
 */
void emulate_advance(struct vcpu *v, struct regs *r, unsigned length)
{
    r->rip += length;
    if (!v->arch->in_kernel && r->cs == SEL_GUEST_CS32)
        r->rip &= 0xffffffff;
    r->rflags &= ~RFLAGS_RF;
    if (r->rflags & RFLAGS_TF) {
        v->arch->dr[6] |= DR6_SINGLE_STEP;
        trap_inject(v, EXC_DB, 0);
    }
}

/* A descriptor that `selector` of an application names; 0 for none. */
static uint64_t read_descriptor(const struct vcpu *v, unsigned selector)
{
    const struct arch_vcpu *a = v->arch;
    unsigned index = selector >> 3;
    uint64_t descriptor = 0;

    if (selector & 4) {
        if (index >= a->ldt_entries ||
            copy_in_root(v->kernel_root, &descriptor,
                         a->ldt_base + 8ull * index, 8))
            return 0;
        return descriptor;
    }
    if (index >= a->gdt_entries)
        return 0;
    index = (unsigned)index_clamp(index, a->gdt_entries);
    memcpy(&descriptor,
           (const char *)arch_frame_ptr(a->gdt_frames[index / 512]) +
               8 * (index % 512),
           8);
    return descriptor;
}

static uint64_t descriptor_base(uint64_t descriptor)
{
    return (descriptor >> 16 & 0xffffff) | (descriptor >> 32 & 0xff000000);
}

/* The mode in which `r` executes, and the linear address of its rip. */
static enum insn_mode code_mode(const struct vcpu *v, const struct regs *r,
                                uint64_t *address)
{
    uint64_t descriptor;

    *address = r->rip;
    if (v->arch->in_kernel || r->cs == SEL_GUEST_CS)
        return INSN_MODE_64;
    if (r->cs == SEL_GUEST_CS32)
        return INSN_MODE_32;
    descriptor = read_descriptor(v, r->cs & 0xffff);
    if (descriptor & DESCRIPTOR_LONG)
        return INSN_MODE_64;
    *address = (r->rip + descriptor_base(descriptor)) & 0xffffffff;
    return INSN_MODE_32;
}

/*
 * Decodes the instruction at r->rip from guest memory; -EINVAL when it cannot
 * be read or is none that Mica carries out.
 */
int emulate_fetch(const struct vcpu *v, const struct regs *r, struct insn *out)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    uint64_t address;
    enum insn_mode mode = code_mode(v, r, &address);
    size_t left = copy_in_root(vcpu_root(v), bytes, address, sizeof(bytes));

    return insn_decode(out, bytes, sizeof(bytes) - left, mode);
}

static void do_cpuid(const struct vcpu *v, struct regs *r)
{
    struct cpuid_leaf out =
        cpu_guest_leaf(v->arch->xcr0, (uint32_t)r->rax, (uint32_t)r->rcx);

    r->rax = out.eax;
    r->rbx = out.ebx;
    r->rcx = out.ecx;
    r->rdx = out.edx;
}

/* --- registers ----------------------------------------------------------- */

static uint64_t guest_cr0(const struct vcpu *v)
{
    return (read_cr0() & ~CR0_TS) | (v->arch->cr0_ts ? CR0_TS : 0);
}

static int read_cr(const struct vcpu *v, unsigned number, uint64_t *value)
{
    switch (number) {
    case 0:
        *value = guest_cr0(v);
        return 0;
    case 2:
        *value = v->arch->cr2;
        return 0;
    case 3:
        *value = v->kernel_root.n << PAGE_SHIFT;
        return 0;
    case 4:
        *value = v->arch->cr4;
        return 0;
    default:
        return -EPERM;
    }
}

/* CR4 bits that a guest may switch; the others it sees as they always are. */
static uint64_t cr4_switchable(void)
{
    return CR4_TSD | CR4_DE | (cpu_features()->xsave ? CR4_OSXSAVE : 0);
}

/* The one bit that the processor runs with as the guest set it: CR4.TSD. */
static void load_cr4(const struct vcpu *v)
{
    uint64_t present = read_cr4();
    uint64_t wanted = (present & ~CR4_TSD) | (v->arch->cr4 & CR4_TSD);

    if (present != wanted)
        write_cr4(wanted);
}

static int write_cr(struct vcpu *v, unsigned number, uint64_t value)
{
    switch (number) {
    case 0:
        if ((value ^ guest_cr0(v)) & ~CR0_TS)
            return -EPERM;
        fpu_set_task_switched(v, value & CR0_TS);
        return 0;
    case 2:
        v->arch->cr2 = value;
        vcpu_info_of(v)->arch.cr2 = value;
        return 0;
    case 3:
        return vcpu_load_cr3(v, value);
    case 4:
        v->arch->cr4 = (value & cr4_switchable()) | CR4_GUEST;
        load_cr4(v);
        return 0;
    default:
        return -EPERM;
    }
}

static int write_xcr0(struct vcpu *v, uint32_t number, uint64_t value)
{
    if (!(v->arch->cr4 & CR4_OSXSAVE) || number)
        return -EPERM;
    return fpu_set_xcr0(v, value);
}

/* What only guest kernels may do. */
static int execute_privileged(struct vcpu *v, struct regs *r,
                              const struct insn *i)
{
    uint64_t *reg = insn_reg(r, i->rm), value;
    int error;

    switch (i->kind) {
    case INSN_RDMSR:
        error = msr_read(v, (uint32_t)r->rcx, &value);
        if (!error)
            set_pair(r, value);
        return error;
    case INSN_WRMSR:
        return msr_write(v, (uint32_t)r->rcx, pair(r));
    case INSN_READ_CR:
        return read_cr(v, i->reg, reg);
    case INSN_WRITE_CR:
        return write_cr(v, i->reg, *reg);
    case INSN_READ_DR:
        return debug_regs_get(v, i->reg, reg);
    case INSN_WRITE_DR:
        return debug_regs_set(v, i->reg, *reg);
    case INSN_CLTS:
        fpu_set_task_switched(v, false);
        return 0;
    case INSN_WBINVD:
        if (v->domain->is_privileged) /* its devices may need it */
            wbinvd();
        return 0;
    case INSN_XSETBV:
        return write_xcr0(v, (uint32_t)r->rcx, pair(r));
    case INSN_RDTSCP:
        r->rcx = v->arch->tsc_aux;
        set_pair(r, rdtsc());
        return 0;
    case INSN_RDTSC:
        set_pair(r, rdtsc());
        return 0;
    default:
        return -EPERM;
    }
}

/* --- ports --------------------------------------------------------------- */

/* The base of the segment that the prefixes of `i` choose. */
uint64_t emulate_segment_base(const struct insn *i)
{
    if (i->segment == INSN_FLAT)
        return 0;
    return rdmsr(i->segment == INSN_FS ? MSR_FS_BASE : MSR_GS_BASE);
}

/*
 * The linear address of the memory operand: for MOVS the destination, which
 * like those of STOS and INS is always in ES.
 */
uint64_t emulate_address(const struct insn *i, struct regs *r)
{
    bool is_in_es =
        i->kind == INSN_STOS || i->kind == INSN_MOVS || i->kind == INSN_INS;

    return insn_offset(i, r) + (is_in_es ? 0 : emulate_segment_base(i));
}

/* One step; the bytes of the operand that could not be accessed. */
static size_t string_step(struct vcpu *v, const struct regs *r,
                          const struct insn *i, uint64_t address)
{
    uint16_t port = (uint16_t)r->rdx;
    uint32_t value = 0;
    size_t left;

    if (i->kind == INSN_INS) {
        value = ioport_read(v->domain, port, i->size);
        return copy_out_root(vcpu_root(v), address, &value, i->size);
    }
    left = copy_in_root(vcpu_root(v), &value, address, i->size);
    if (!left)
        ioport_write(v->domain, port, i->size, value);
    return left;
}

static void raise_page_fault(struct vcpu *v, uint64_t va, uint32_t error_code)
{
    struct walk w = {.is_present = false};

    if (guest_va_is_usable(va))
        guest_walk(vcpu_root(v), va, &w);
    trap_inject_page_fault(v, va,
                           error_code | (w.is_present ? PFEC_PRESENT : 0));
}

/* INS and OUTS; -ERESTART when they are to go on, or after a page fault. */
static int port_string(struct vcpu *v, struct regs *r, const struct insn *i)
{
    uint64_t count =
        i->is_repeated ? r->rcx & insn_operand_mask(i->address_size) : 1;

    for (unsigned n = 0; n < count; n++) {
        uint64_t address = emulate_address(i, r);
        size_t left;

        if (n == STRING_STEPS)
            return -ERESTART;
        left = string_step(v, r, i, address);
        if (left) {
            raise_page_fault(v, address + i->size - left,
                             i->kind == INSN_INS ? PFEC_WRITE : 0);
            return -ERESTART;
        }
        insn_string_advance(i, r);
    }
    return 0;
}

static int execute_io(struct vcpu *v, struct regs *r, const struct insn *i)
{
    uint16_t port = (uint16_t)(i->has_immediate ? i->immediate : r->rdx);

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
    switch (i->kind) {
    case INSN_CPUID:
        do_cpuid(v, r);
        return 0;
    case INSN_IN:
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS:
        return execute_io(v, r, i);
    case INSN_CLI: /* POPF could not undo it, so it must not do anything */
    case INSN_STI:
        return v->arch->in_kernel || v->arch->iopl == 3 ? 0 : -EPERM;
    default:
        return v->arch->in_kernel ? execute_privileged(v, r, i) : -EPERM;
    }
}

/* #GP with error code 0: carries out what the guest may do. */
enum emulate_result emulate_privileged(struct vcpu *v, struct regs *r)
{
    struct insn i;
    int error;

    if (emulate_fetch(v, r, &i))
        return EMULATE_REFLECT;
    error = execute(v, r, &i);
    if (!error)
        emulate_advance(v, r, i.length);
    return error && error != -ERESTART ? EMULATE_REFLECT : EMULATE_DONE;
}

/* #UD: carries out the form of CPUID that is meant for the hypervisor. */
enum emulate_result emulate_forced_cpuid(struct vcpu *v, struct regs *r)
{
    struct insn i;

    if (emulate_fetch(v, r, &i) || i.kind != INSN_FORCED_CPUID)
        return EMULATE_REFLECT;
    do_cpuid(v, r);
    emulate_advance(v, r, i.length);
    return EMULATE_DONE;
}

/*
 * Whether the instruction at r->rip is INT n, with its vector and length. The
 * error code of its #GP says so too, but emulators get that wrong.
 */
bool emulate_is_soft_interrupt(const struct vcpu *v, const struct regs *r,
                               uint8_t *vector, unsigned *length)
{
    struct insn i;

    if (emulate_fetch(v, r, &i) || i.kind != INSN_INT)
        return false;
    *vector = (uint8_t)i.immediate;
    *length = i.length;
    return true;
}

/*
 * Gives the processor what of a vCPU's state belongs to the emulated
 * instructions: CR4.TSD, TSC_AUX and the ports it may use. To be called on
 * the pCPU that loads `v`.
 */
void emulate_load(const struct vcpu *v)
{
    load_cr4(v);
    if (cpu_features()->rdtscp)
        wrmsr(MSR_TSC_AUX, v->arch->tsc_aux);
    ioport_load(v);
}
