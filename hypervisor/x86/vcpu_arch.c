/* SPDX-License-Identifier: MIT */
/* The machine's part of vCPUs and domains: birth, contexts, kicks. */
#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "core/vcpu.h"
#include "x86/apic.h"
#include "x86/context.h"
#include "x86/cpu.h"
#include "x86/debug_regs.h"
#include "x86/desc.h"
#include "x86/fpu.h"
#include "x86/hypercall_page.h"
#include "x86/insn.h"
#include "x86/ioport.h"

#define TRAP_TABLE_BYTES (256 * sizeof(struct trap_gate))
#define SYSCALL_BYTES 2
#define CR4_GUEST_INITIAL (CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

int arch_domain_create(struct domain *d)
{
    d->arch = heap_zalloc(sizeof(*d->arch));
    return d->arch ? 0 : -ENOMEM;
}

void arch_domain_destroy(struct domain *d)
{
    ioport_domain_destroy(d);
    heap_zfree(d->arch, sizeof(*d->arch));
    d->arch = NULL;
}

int arch_vcpu_create(struct vcpu *v)
{
    struct arch_vcpu *a = heap_zalloc(sizeof(*a));

    if (!a)
        return -ENOMEM;
    v->arch = a;
    a->traps = heap_zalloc(TRAP_TABLE_BYTES);
    if (!a->traps || fpu_create(v)) {
        if (a->traps)
            heap_zfree(a->traps, TRAP_TABLE_BYTES);
        heap_zfree(a, sizeof(*a));
        v->arch = NULL;
        return -ENOMEM;
    }
    a->cr4 = CR4_GUEST_INITIAL;
    a->in_kernel = true;
    debug_regs_reset(v);
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    desc_release(v);
    fpu_destroy(v);
    heap_zfree(v->arch->traps, TRAP_TABLE_BYTES);
    heap_zfree(v->arch, sizeof(*v->arch));
    v->arch = NULL;
}

/* --- contexts ------------------------------------------------------------ */

static int check_context(const struct vcpu_guest_context *c)
{
    if (c->gdt_ents > GUEST_GDT_ENTRIES || c->ldt_ents > 8192 ||
        c->ldt_base & (PAGE_SIZE - 1))
        return refuse(-EINVAL, "context: bad descriptor tables");
    if (!va_is_canonical(c->event_callback_eip) ||
        !va_is_canonical(c->failsafe_callback_eip) ||
        !va_is_canonical(c->syscall_callback_eip) ||
        !va_is_canonical(c->fs_base) || !va_is_canonical(c->gs_base_kernel) ||
        !va_is_canonical(c->gs_base_user))
        return refuse(-EINVAL, "context: an address is not canonical");
    if (!c->ctrlreg[3] || (!(c->flags & VGCF_in_kernel) && !c->ctrlreg[1]))
        return refuse(-EINVAL, "context: no tables to start on");
    for (unsigned i = 0; i < 256; i++)
        if (!va_is_canonical(c->trap_ctxt[i].address))
            return refuse(-EINVAL, "context: trap %u: bad address", i);
    return 0;
}

static int get_root(struct domain *d, uint64_t cr3, mfn_t *root)
{
    int error;

    *root = MFN_INVALID;
    if (!cr3)
        return 0;
    error = pt_get_table(d, MFN(cr3 >> PAGE_SHIFT), 4);
    if (!error)
        *root = MFN(cr3 >> PAGE_SHIFT);
    return error;
}

static void put_root(struct domain *d, mfn_t *root)
{
    if (!mfn_equal(*root, MFN_INVALID))
        pt_put_table(d, frame_lookup(*root));
    *root = MFN_INVALID;
}

/* Takes both roots of the context, or none. */
static int get_roots(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct domain *d = v->domain;
    mfn_t kernel, user = MFN_INVALID;
    int error;

    spin_lock(&d->pt_lock);
    error = get_root(d, c->ctrlreg[3], &kernel);
    if (!error) {
        error = get_root(d, c->ctrlreg[1], &user);
        if (error)
            put_root(d, &kernel);
    }
    if (!error) {
        put_root(d, &v->kernel_root);
        put_root(d, &v->user_root);
        v->kernel_root = kernel;
        v->user_root = user;
    }
    spin_unlock(&d->pt_lock);
    return error;
}

static void set_registers(struct arch_vcpu *a, const struct cpu_user_regs *u)
{
    struct regs *r = &a->regs;

    r->r15 = u->r15, r->r14 = u->r14, r->r13 = u->r13, r->r12 = u->r12;
    r->r11 = u->r11, r->r10 = u->r10, r->r9 = u->r9, r->r8 = u->r8;
    r->rbp = u->rbp, r->rbx = u->rbx, r->rax = u->rax, r->rcx = u->rcx;
    r->rdx = u->rdx, r->rsi = u->rsi, r->rdi = u->rdi;
    r->rip = u->rip;
    r->cs = u->cs | 3;
    r->ss = u->ss | 3;
    r->rsp = u->rsp;
    r->rflags = (u->rflags & (0xcd5 | RFLAGS_ID | RFLAGS_TF)) | RFLAGS_IF |
                RFLAGS_FIXED;
    a->iopl = u->rflags >> 12 & 3;
    a->ds = u->ds;
    a->es = u->es;
    a->fs = u->fs;
    a->gs = u->gs;
}

static void set_callbacks(struct arch_vcpu *a,
                          const struct vcpu_guest_context *c)
{
    memset(a->callbacks, 0, sizeof(a->callbacks));
    a->callbacks[CALLBACK_EVENT] =
        (struct callback){c->event_callback_eip, true};
    a->callbacks[CALLBACK_FAILSAFE] = (struct callback){
        c->failsafe_callback_eip, c->flags & VGCF_failsafe_disables_events};
    a->callbacks[CALLBACK_SYSCALL] = (struct callback){
        c->syscall_callback_eip, c->flags & VGCF_syscall_disables_events};
}

static void set_traps(struct vcpu *v, const struct vcpu_guest_context *c)
{
    for (unsigned i = 0; i < 256; i++) {
        struct trap_info t = c->trap_ctxt[i];

        t.vector = (uint8_t)i;
        trap_table_set(v, &t);
    }
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct arch_vcpu *a = v->arch;
    int error = check_context(c);

    if (!error)
        error = get_roots(v, c);
    if (!error)
        error = desc_set_gdt(v, c->gdt_frames, (unsigned)c->gdt_ents);
    if (error)
        return error;
    set_registers(a, &c->user_regs);
    set_callbacks(a, c);
    set_traps(v, c);
    a->in_kernel = c->flags & VGCF_in_kernel;
    a->ldt_base = c->ldt_base;
    a->ldt_entries = (unsigned)c->ldt_ents;
    a->kernel_ss = (uint16_t)(c->kernel_ss | 3);
    a->kernel_sp = c->kernel_sp;
    a->fs_base = c->fs_base;
    a->gs_base_kernel = c->gs_base_kernel;
    a->gs_base_user = c->gs_base_user;
    debug_regs_reset(v);
    if (c->flags & VGCF_i387_valid)
        fpu_set_image(v, c->fpu_ctxt);
    else
        fpu_reset(v);
    return 0;
}

/* --- while it runs ------------------------------------------------------- */

void arch_hypercall_restart(struct vcpu *v, unsigned nr,
                            const struct hc_args *args)
{
    struct regs *r = guest_regs();

    (void)v;
    r->rdi = args->a[0];
    r->rsi = args->a[1];
    r->rdx = args->a[2];
    r->r10 = args->a[3];
    r->r8 = args->a[4];
    r->rax = nr;
    r->rip -= SYSCALL_BYTES;
}

void arch_pcpu_kick(unsigned cpu)
{
    __atomic_store_n(&pcpus[cpu].need_resched, true, __ATOMIC_SEQ_CST);
    if (cpu != this_pcpu()->id)
        apic_send_ipi(cpu, VECTOR_KICK);
}

void arch_vcpu_kick(struct vcpu *v)
{
    unsigned on = __atomic_load_n(&v->loaded_on, __ATOMIC_SEQ_CST);

    if (on != NO_PCPU && on != this_pcpu()->id)
        apic_send_ipi(on, VECTOR_KICK);
}

/* --- the hypercall page -------------------------------------------------- */

#define STUB_BYTES 32
#define STUBS 128
#define HC_IRET 23

static const uint8_t stub[] = {0x51, 0x41, 0x53, 0xb8, 0,    0,    0,
                               0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
static const uint8_t iret_stub[] = {0x51, 0x41, 0x53, 0x50, 0xb8, 0,
                                    0,    0,    0,    0x0f, 0x05};

void arch_hypercall_page_fill(void *page)
{
    uint8_t *stubs = page;

    memset(stubs, 0xcc, PAGE_SIZE);
    for (unsigned i = 0; i < STUBS; i++) {
        memcpy(stubs + i * STUB_BYTES, stub, sizeof(stub));
        stubs[i * STUB_BYTES + 4] = (uint8_t)i;
    }
    memcpy(stubs + HC_IRET * STUB_BYTES, iret_stub, sizeof(iret_stub));
    stubs[HC_IRET * STUB_BYTES + 5] = HC_IRET;
}

int hypercall_page_install(struct domain *d, mfn_t frame)
{
    struct frame *f = frame_get(frame, d);
    int error;

    if (!f)
        return -EINVAL;
    error = frame_get_writable(f);
    frame_put(f);
    if (error)
        return -EINVAL;
    arch_hypercall_page_fill(arch_frame_ptr(frame));
    frame_put_writable(f);
    return 0;
}
