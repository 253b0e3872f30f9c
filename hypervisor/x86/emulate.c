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
#include "x86/emulate_fetch.h"
#include "x86/fpu.h"
#include "x86/insn.h"
#include "x86/ioport.h"
#include "x86/msr.h"
#include "x86/paging.h"
#include "x86/selectors.h"
#include "x86/time.h"
#include "x86/vcpu.h"

/* A long string instruction leaves Mica in between, for interrupts. */
#define STRING_STEPS 256u

#define CR4_ALWAYS (CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

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

static mfn_t current_root(const struct vcpu *v)
{
    return v->arch->in_kernel ? v->kernel_root : v->user_root;
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
    mfn_t root = current_root(v);
    size_t left;

    if (mfn_equal(root, MFN_INVALID))
        return -EINVAL;
    left = copy_in_root(root, bytes, address, sizeof(bytes));
    return insn_decode(out, bytes, sizeof(bytes) - left, mode);
}

static unsigned address_width(void)
{
    uint64_t last = ((ram_end_frame() << PAGE_SHIFT) - 1) | 1;

    return 64 - (unsigned)__builtin_clzll(last);
}

static enum emulate_result do_cpuid(const struct vcpu *v, struct regs *r)
{
    struct cpuid_view view = {
        .host = cpuid,
        .xcr0_allowed = cpu_features()->xsave ? fpu_xcr0_allowed() : 0,
        .xcr0 = v->arch->xcr0,
        .tsc_khz = time_tsc_khz(),
        .tsc_is_stable = time_tsc_is_stable(),
        .address_width = address_width(),
    };
    struct cpuid_leaf out =
        cpuid_policy_leaf(&view, (uint32_t)r->rax, (uint32_t)r->rcx);

    r->rax = out.eax;
    r->rbx = out.ebx;
    r->rcx = out.ecx;
    r->rdx = out.edx;
    return EMULATE_DONE;
}

static enum emulate_result do_rdmsr(const struct vcpu *v, struct regs *r)
{
    uint64_t value;

    if (msr_read(v, (uint32_t)r->rcx, &value))
        return EMULATE_REFLECT;
    set_pair(r, value);
    return EMULATE_DONE;
}

static enum emulate_result do_wrmsr(struct vcpu *v, const struct regs *r)
{
    return msr_write(v, (uint32_t)r->rcx, pair(r)) ? EMULATE_REFLECT
                                                   : EMULATE_DONE;
}

static enum emulate_result do_rdtsc(const struct vcpu *v, struct regs *r,
                                    const struct insn *i)
{
    set_pair(r, rdtsc());
    if (i->kind == INSN_RDTSCP)
        r->rcx = v->arch->tsc_aux;
    return EMULATE_DONE;
}

static uint64_t guest_cr0(const struct vcpu *v)
{
    return (read_cr0() & ~CR0_TS) | (v->arch->cr0_ts ? CR0_TS : 0);
}

static enum emulate_result do_read_cr(const struct vcpu *v, struct regs *r,
                                      const struct insn *i)
{
    uint64_t value;

    switch (i->reg) {
    case 0:
        value = guest_cr0(v);
        break;
    case 2:
        value = v->arch->cr2;
        break;
    case 3:
        value = v->kernel_root.n << PAGE_SHIFT;
        break;
    case 4:
        value = v->arch->cr4 | CR4_ALWAYS;
        break;
    default:
        return EMULATE_REFLECT;
    }
    insn_reg_write(r, i->rm, value);
    return EMULATE_DONE;
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

static void write_guest_cr4(struct vcpu *v, uint64_t value)
{
    v->arch->cr4 = (value & cr4_switchable()) | CR4_ALWAYS;
    load_cr4(v);
}

static enum emulate_result do_write_cr(struct vcpu *v, struct regs *r,
                                       const struct insn *i)
{
    uint64_t value = insn_reg_read(r, i->rm);

    switch (i->reg) {
    case 0:
        if ((value ^ guest_cr0(v)) & ~CR0_TS)
            return EMULATE_REFLECT;
        fpu_set_task_switched(v, value & CR0_TS);
        return EMULATE_DONE;
    case 2:
        v->arch->cr2 = value;
        vcpu_info_of(v)->arch.cr2 = value;
        return EMULATE_DONE;
    case 4:
        write_guest_cr4(v, value);
        return EMULATE_DONE;
    default: /* CR3 changes by hypercall */
        return EMULATE_REFLECT;
    }
}

static enum emulate_result do_read_dr(const struct vcpu *v, struct regs *r,
                                      const struct insn *i)
{
    uint64_t value;

    if (debug_regs_get(v, i->reg, &value))
        return EMULATE_REFLECT;
    insn_reg_write(r, i->rm, value);
    return EMULATE_DONE;
}

static enum emulate_result do_write_dr(struct vcpu *v, const struct regs *r,
                                       const struct insn *i)
{
    return debug_regs_set(v, i->reg, insn_reg_read(r, i->rm)) ? EMULATE_REFLECT
                                                              : EMULATE_DONE;
}

static enum emulate_result do_xsetbv(struct vcpu *v, const struct regs *r)
{
    if (!(v->arch->cr4 & CR4_OSXSAVE))
        return EMULATE_REFLECT;
    if ((uint32_t)r->rcx || fpu_set_xcr0(v, pair(r)))
        return EMULATE_REFLECT;
    return EMULATE_DONE;
}

/* The domain that drives devices may need memory up to date for them. */
static enum emulate_result do_wbinvd(const struct vcpu *v)
{
    if (v->domain->is_privileged)
        wbinvd();
    return EMULATE_DONE;
}

static uint16_t port_of(const struct insn *i, const struct regs *r)
{
    return (uint16_t)(i->has_immediate ? i->immediate : r->rdx);
}

static enum emulate_result do_in(struct vcpu *v, struct regs *r,
                                 const struct insn *i)
{
    insn_merge(&r->rax, ioport_read(v->domain, port_of(i, r), i->size),
               i->size);
    return EMULATE_DONE;
}

static enum emulate_result do_out(struct vcpu *v, const struct regs *r,
                                  const struct insn *i)
{
    ioport_write(v->domain, port_of(i, r), i->size, (uint32_t)r->rax);
    return EMULATE_DONE;
}

/* The memory operand of a port string instruction at this step. */
static uint64_t string_address(const struct regs *r, const struct insn *i)
{
    uint64_t offset = i->kind == INSN_INS ? r->rdi : r->rsi;
    uint64_t base = 0;

    if (i->address_size == 4)
        offset &= 0xffffffff;
    if (i->kind == INSN_OUTS && i->segment == INSN_FS)
        base = rdmsr(MSR_FS_BASE);
    else if (i->kind == INSN_OUTS && i->segment == INSN_GS)
        base = rdmsr(MSR_GS_BASE);
    return base + offset;
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
        return copy_out_root(current_root(v), address, &value, i->size);
    }
    left = copy_in_root(current_root(v), &value, address, i->size);
    if (!left)
        ioport_write(v->domain, port, i->size, value);
    return left;
}

static enum emulate_result raise_page_fault(struct vcpu *v, uint64_t va,
                                            bool is_write)
{
    struct walk w = {.is_present = false};

    if (guest_va_is_usable(va))
        guest_walk(current_root(v), va, &w);
    trap_inject_page_fault(
        v, va, (w.is_present ? PFEC_PRESENT : 0) | (is_write ? PFEC_WRITE : 0));
    return EMULATE_DONE;
}

static uint64_t string_count(const struct regs *r, const struct insn *i)
{
    if (!i->is_repeated)
        return 1;
    return i->address_size == 4 ? r->rcx & 0xffffffff : r->rcx;
}

static void string_advance(struct regs *r, const struct insn *i)
{
    uint64_t step = r->rflags & RFLAGS_DF ? 0 - (uint64_t)i->size : i->size;
    uint64_t *pointer = i->kind == INSN_INS ? &r->rdi : &r->rsi;

    insn_merge(pointer, *pointer + step, i->address_size);
    if (i->is_repeated)
        insn_merge(&r->rcx, r->rcx - 1, i->address_size);
}

/* INS and OUTS: handles rip itself, since they may stop half-way. */
static enum emulate_result do_port_string(struct vcpu *v, struct regs *r,
                                          const struct insn *i)
{
    uint64_t count = string_count(r, i);
    uint64_t steps = min_u64(count, STRING_STEPS);

    for (uint64_t n = 0; n < steps; n++) {
        uint64_t address = string_address(r, i);
        size_t left = string_step(v, r, i, address);

        if (left)
            return raise_page_fault(v, address + i->size - left,
                                    i->kind == INSN_INS);
        string_advance(r, i);
    }
    emulate_advance(v, r, steps == count ? i->length : 0);
    return EMULATE_DONE;
}

/* What guest kernels may do, and applications with the right IOPL. */
static enum emulate_result dispatch_io(struct vcpu *v, struct regs *r,
                                       const struct insn *i)
{
    switch (i->kind) {
    case INSN_IN:
        return do_in(v, r, i);
    case INSN_OUT:
        return do_out(v, r, i);
    case INSN_CLI: /* POPF could not undo it, so it must not do anything */
    case INSN_STI:
        return EMULATE_DONE;
    default:
        return EMULATE_REFLECT;
    }
}

/* What only guest kernels may do. */
static enum emulate_result dispatch_kernel(struct vcpu *v, struct regs *r,
                                           const struct insn *i)
{
    switch (i->kind) {
    case INSN_RDMSR:
        return do_rdmsr(v, r);
    case INSN_WRMSR:
        return do_wrmsr(v, r);
    case INSN_READ_CR:
        return do_read_cr(v, r, i);
    case INSN_WRITE_CR:
        return do_write_cr(v, r, i);
    case INSN_READ_DR:
        return do_read_dr(v, r, i);
    case INSN_WRITE_DR:
        return do_write_dr(v, r, i);
    case INSN_CLTS:
        fpu_set_task_switched(v, false);
        return EMULATE_DONE;
    case INSN_WBINVD:
        return do_wbinvd(v);
    case INSN_XSETBV:
        return do_xsetbv(v, r);
    case INSN_RDTSC:
    case INSN_RDTSCP:
        return do_rdtsc(v, r, i);
    default:
        return dispatch_io(v, r, i);
    }
}

static enum emulate_result dispatch(struct vcpu *v, struct regs *r,
                                    const struct insn *i)
{
    if (i->kind == INSN_CPUID)
        return do_cpuid(v, r);
    if (v->arch->in_kernel)
        return dispatch_kernel(v, r, i);
    return ioport_may_access(v) ? dispatch_io(v, r, i) : EMULATE_REFLECT;
}

/* #GP with error code 0: carries out what the guest may do. */
enum emulate_result emulate_privileged(struct vcpu *v, struct regs *r)
{
    enum emulate_result result;
    struct insn i;

    if (emulate_fetch(v, r, &i))
        return EMULATE_REFLECT;
    if (i.kind == INSN_INS || i.kind == INSN_OUTS)
        return ioport_may_access(v) ? do_port_string(v, r, &i)
                                    : EMULATE_REFLECT;
    result = dispatch(v, r, &i);
    if (result == EMULATE_DONE)
        emulate_advance(v, r, i.length);
    return result;
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
