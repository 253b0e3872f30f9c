/* SPDX-License-Identifier: MIT */
/* The machine's part of vCPUs and domains: birth, contexts, kicks. */
#include "core/arch.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pt_validate.h"
#include "x86/apic.h"
#include "x86/context.h"
#include "x86/ioport.h"

#define SYSCALL_BYTES 2

int arch_domain_create(struct domain *d)
{
    d->arch = heap_zalloc(sizeof(*d->arch));
    if (!d->arch)
        return -ENOMEM;
    memset(d->arch->io_bitmap, 0xff, sizeof(d->arch->io_bitmap));
    return 0;
}

/* Its vCPUs are loaded nowhere any more, so no pCPU uses its I/O bitmap. */
void arch_domain_destroy(struct domain *d)
{
    heap_zfree(d->arch, sizeof(*d->arch));
    d->arch = NULL;
}

int arch_vcpu_create(struct vcpu *v)
{
    v->arch = heap_zalloc(sizeof(*v->arch));
    if (!v->arch)
        return -ENOMEM;
    v->arch->cr4 = CR4_GUEST;
    v->arch->in_kernel = true;
    fpu_reset(v);
    debug_regs_reset(v);
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    arch_vcpu_release_frames(v);
    heap_zfree(v->arch, sizeof(*v->arch));
    v->arch = NULL;
}

/* --- contexts ------------------------------------------------------------ */

static int check_context(const struct vcpu_guest_context *c)
{
    const uint64_t addresses[] = {
        c->event_callback_eip,   c->failsafe_callback_eip,
        c->syscall_callback_eip, c->fs_base,
        c->gs_base_kernel,       c->gs_base_user,
    };

    if (c->gdt_ents > GUEST_GDT_ENTRIES || c->ldt_ents > LDT_MAX_ENTRIES ||
        c->ldt_base & (PAGE_SIZE - 1))
        return refuse(-EINVAL, "context: bad descriptor tables");
    for (unsigned i = 0; i < ARRAY_LEN(addresses); i++)
        if (!va_is_canonical(addresses[i]))
            return refuse(-EINVAL, "context: an address is not canonical");
    if (!c->ctrlreg[3] || (!(c->flags & VGCF_in_kernel) && !c->ctrlreg[1]))
        return refuse(-EINVAL, "context: no tables to start on");
    for (unsigned i = 0; i < TRAP_VECTORS; i++)
        if (!va_is_canonical(c->trap_ctxt[i].address))
            return refuse(-EINVAL, "context: trap %u: bad address", i);
    return 0;
}

/*
 * Makes the L4 table at machine address `cr3`, or for 0 none, the root in
 * *slot, which is one of `v`'s. Needs the page-table lock. -ERESTART when there
 * is more to do: then all that was done stays done.
 */
static int set_root(struct vcpu *v, mfn_t *slot, uint64_t cr3)
{
    mfn_t mfn = cr3 ? MFN(cr3 >> PAGE_SHIFT) : MFN_INVALID;
    int error = vcpu_change_root(v, slot, mfn);

    return error ? error : pt_drain(v->domain);
}

static void set_registers(struct arch_vcpu *a, const struct cpu_user_regs *u)
{
    struct regs *r = &a->regs;

    memcpy(r, u, sizeof(*r));
    r->vector = 0;
    r->cs = u->cs | 3;
    r->ss = u->ss | 3;
    r->rflags = (u->rflags & (0xcd5 | RFLAGS_ID | RFLAGS_TF)) | RFLAGS_IF |
                RFLAGS_FIXED;
    a->iopl = u->rflags >> 12 & 3;
    a->ds = u->ds;
    a->es = u->es;
    a->fs = u->fs;
    a->gs = u->gs;
}
_Static_assert(offsetof(struct regs, rdi) ==
                       offsetof(struct cpu_user_regs, rdi) &&
                   offsetof(struct regs, ss) ==
                       offsetof(struct cpu_user_regs, ss),
               "both are the processor's frame below the general registers");

static void set_handlers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct callback *to = v->arch->callbacks;

    memset(to, 0, sizeof(v->arch->callbacks));
    to[CALLBACKTYPE_event].address = c->event_callback_eip;
    to[CALLBACKTYPE_event].masks_events = true;
    to[CALLBACKTYPE_failsafe].address = c->failsafe_callback_eip;
    to[CALLBACKTYPE_failsafe].masks_events =
        c->flags & VGCF_failsafe_disables_events;
    to[CALLBACKTYPE_syscall].address = c->syscall_callback_eip;
    to[CALLBACKTYPE_syscall].masks_events =
        c->flags & VGCF_syscall_disables_events;
    for (unsigned i = 0; i < TRAP_VECTORS; i++) {
        struct trap_info t = c->trap_ctxt[i];

        t.vector = (uint8_t)i;
        trap_table_set(v, &t);
    }
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct arch_vcpu *a = v->arch;
    int error = check_context(c);

    if (error)
        return error;
    spin_lock(&v->domain->pt_lock);
    error = set_root(v, &v->kernel_root, c->ctrlreg[3]);
    if (!error)
        error = set_root(v, &v->user_root, c->ctrlreg[1]);
    if (!error)
        error = arch_vcpu_set_ldt(v, c->ldt_base, (unsigned)c->ldt_ents);
    spin_unlock(&v->domain->pt_lock);
    if (!error)
        error = desc_set_gdt(v, c->gdt_frames, (unsigned)c->gdt_ents);
    if (error)
        return error;
    set_registers(a, &c->user_regs);
    set_handlers(v, c);
    a->in_kernel = c->flags & VGCF_in_kernel;
    a->trap.is_pending = a->nmi_masked = false;
    a->kernel_ss = (uint16_t)(c->kernel_ss | 3);
    a->kernel_sp = c->kernel_sp;
    a->fs_base = c->fs_base;
    a->gs_base_kernel = c->gs_base_kernel;
    a->gs_base_user = c->gs_base_user;
    debug_regs_reset(v);
    fpu_reset(v);
    if (c->flags & VGCF_i387_valid)
        fpu_set_image(v, c->fpu_ctxt);
    return 0;
}

static void get_registers(const struct vcpu *v, struct cpu_user_regs *u)
{
    const struct arch_vcpu *a = v->arch;
    const struct regs *r = &a->regs;
    uint8_t mask = vcpu_info_of(v)->evtchn_upcall_mask;

    memcpy(u, r, sizeof(*r));
    u->saved_upcall_mask = mask;
    u->rflags = (r->rflags & ~(RFLAGS_IF | RFLAGS_IOPL)) |
                (uint64_t)a->iopl << 12 | (mask ? 0 : RFLAGS_IF);
    u->ds = a->ds;
    u->es = a->es;
    u->fs = a->fs;
    u->gs = a->gs;
}

static void get_traps(const struct arch_vcpu *a, struct vcpu_guest_context *c)
{
    for (unsigned i = 0; i < TRAP_VECTORS; i++) {
        const struct callback *g = &a->traps[i];

        c->trap_ctxt[i] = (struct trap_info){
            .vector = (uint8_t)i,
            .flags = (uint8_t)(g->dpl |
                               (g->masks_events ? TRAP_INFO_MASK_EVENTS : 0)),
            .cs = g->cs,
            .address = g->address,
        };
    }
}

static void get_callbacks(const struct arch_vcpu *a,
                          struct vcpu_guest_context *c)
{
    c->event_callback_eip = a->callbacks[CALLBACKTYPE_event].address;
    c->failsafe_callback_eip = a->callbacks[CALLBACKTYPE_failsafe].address;
    c->syscall_callback_eip = a->callbacks[CALLBACKTYPE_syscall].address;
    if (a->callbacks[CALLBACKTYPE_failsafe].masks_events)
        c->flags |= VGCF_failsafe_disables_events;
    if (a->callbacks[CALLBACKTYPE_syscall].masks_events)
        c->flags |= VGCF_syscall_disables_events;
}

static uint64_t root_address(mfn_t root)
{
    return mfn_equal(root, MFN_INVALID) ? 0 : root.n << PAGE_SHIFT;
}

void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct arch_vcpu *a = v->arch;

    c->flags |= VGCF_i387_valid | (a->in_kernel ? VGCF_in_kernel : 0);
    memcpy(c->fpu_ctxt, a->fpu, FXSAVE_BYTES);
    get_registers(v, &c->user_regs);
    get_traps(a, c);
    get_callbacks(a, c);
    c->ldt_base = a->ldt_base;
    c->ldt_ents = a->ldt_entries;
    c->gdt_ents = a->gdt_entries;
    for (unsigned i = 0; i * 512 < a->gdt_entries; i++)
        c->gdt_frames[i] = frame_mfn(a->tables[i]).n;
    c->kernel_ss = a->kernel_ss;
    c->kernel_sp = a->kernel_sp;
    c->ctrlreg[0] = (read_cr0() & ~CR0_TS) | (a->cr0_ts ? CR0_TS : 0);
    c->ctrlreg[1] = root_address(v->user_root);
    c->ctrlreg[3] = root_address(v->kernel_root);
    c->ctrlreg[4] = a->cr4;
    memcpy(c->debugreg, a->dr, sizeof(c->debugreg));
    c->fs_base = a->fs_base;
    c->gs_base_kernel = a->gs_base_kernel;
    c->gs_base_user = a->gs_base_user;
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

/*
 * push rcx; push r11; mov $number, eax; syscall; pop r11; pop rcx; ret. The
 * prefix before mov says nothing: iret, which doesn't return, pushes rax there.
 */
static const uint8_t stub[] = {0x51, 0x41, 0x53, 0x3e, 0xb8, 0,    0,   0,
                               0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
#define STUB_RAX 3
#define STUB_NUMBER 5
#define PUSH_RAX 0x50

void arch_hypercall_page_fill(void *page)
{
    uint8_t *to = memset(page, 0xcc, PAGE_SIZE);

    for (unsigned i = 0; i < HYPERCALL_PAGE_STUBS; i++) {
        memcpy(to, stub, sizeof(stub));
        to[STUB_NUMBER] = (uint8_t)i;
        if (i == HC_iret)
            to[STUB_RAX] = PUSH_RAX;
        to += HYPERCALL_PAGE_STRIDE;
    }
}
