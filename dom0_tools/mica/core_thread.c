/* SPDX-License-Identifier: MIT */
/* Registers of vCPUs for gdb (core_thread.h). */
#include "dom0_tools/mica/core_thread.h"

#include <string.h>
#include <sys/user.h>

static void fill_registers(struct user_regs_struct *out,
                           const struct vcpu_guest_context *c)
{
    const struct cpu_user_regs *r = &c->user_regs;

    *out = (struct user_regs_struct){
        .r15 = r->r15,
        .r14 = r->r14,
        .r13 = r->r13,
        .r12 = r->r12,
        .rbp = r->rbp,
        .rbx = r->rbx,
        .r11 = r->r11,
        .r10 = r->r10,
        .r9 = r->r9,
        .r8 = r->r8,
        .rax = r->rax,
        .rcx = r->rcx,
        .rdx = r->rdx,
        .rsi = r->rsi,
        .rdi = r->rdi,
        .orig_rax = ~0ull, /* in no system call */
        .rip = r->rip,
        .cs = r->cs,
        .eflags = r->rflags,
        .rsp = r->rsp,
        .ss = r->ss,
        .fs_base = c->fs_base,
        .gs_base =
            c->flags & VGCF_in_kernel ? c->gs_base_kernel : c->gs_base_user,
        .ds = r->ds,
        .es = r->es,
        .fs = r->fs,
        .gs = r->gs,
    };
}

/* See core_thread.h. */
void core_thread_fill(struct core_thread *thread, unsigned number,
                      const struct vcpu_guest_context *context)
{
    static const char owner[] = "CORE";
    struct elf_prstatus status = {.pr_pid = (int)number};

    memset(thread, 0, sizeof(*thread));
    thread->status_head =
        (Elf64_Nhdr){sizeof(owner), sizeof(thread->status), NT_PRSTATUS};
    memcpy(thread->status_owner, owner, sizeof(owner));
    fill_registers((void *)status.pr_reg, context);
    memcpy(thread->status, &status, sizeof(status));
    thread->floats_head =
        (Elf64_Nhdr){sizeof(owner), sizeof(thread->floats), NT_FPREGSET};
    memcpy(thread->floats_owner, owner, sizeof(owner));
    memcpy(thread->floats, context->fpu_ctxt, sizeof(thread->floats));
}
