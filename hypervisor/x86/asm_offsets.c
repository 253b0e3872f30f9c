/* SPDX-License-Identifier: MIT */
/*
 * Structure offsets for the assembly sources. Compiled to assembly only; the
 * build turns each `->NAME value` into a #define.
 */
#include "hypercall_abi/hypercall.h"
#include "hypercall_abi/mmu.h"
#include "hypercall_abi/shared_info.h"
#include "hypercall_abi/trap.h"
#include "x86/cpu.h"
#include "x86/gate.h"
#include "x86/insn.h"
#include "x86/regs.h"

#define DEFINE(name, value)                                                    \
    __asm__ volatile("\n->" #name " %0" : : "i"((unsigned long)(value)))

static __attribute__((used)) void asm_offsets(void)
{
    DEFINE(REGS_RAX, offsetof(struct regs, rax));
    DEFINE(REGS_RIP, offsetof(struct regs, rip));
    DEFINE(REGS_CS, offsetof(struct regs, cs));
    DEFINE(REGS_SIZE, sizeof(struct regs));
    DEFINE(CONST_STACK, offsetof(struct gate_const, stack));
    DEFINE(CONST_ENTRY_SYSCALL, offsetof(struct gate_const, entry_syscall));
    DEFINE(CONST_ENTRY_IST, offsetof(struct gate_const, entry_ist));
    DEFINE(REGS_RSP, offsetof(struct regs, rsp));
    DEFINE(CONST_EXCEPTION_STACK, offsetof(struct gate_const, exception_stack));
    DEFINE(CONST_ENTRY_TRAP, offsetof(struct gate_const, entry_trap));
    DEFINE(CONST_GATE_STACK, offsetof(struct gate_const, gate_stack));
    DEFINE(CONST_FULL_CR3, offsetof(struct gate_const, full_cr3));
    DEFINE(CONST_LIGHT_CR3, offsetof(struct gate_const, light_cr3));
    DEFINE(CONST_VCPU_INFO, offsetof(struct gate_const, vcpu_info));
    DEFINE(CONST_SYSCALL_HANDLER, offsetof(struct gate_const, syscall_handler));
    DEFINE(CONST_IS_LIGHT, offsetof(struct gate_const, is_light));
    DEFINE(CONST_FORCE_FULL, offsetof(struct gate_const, force_full));
    DEFINE(CONST_REFILL_RETURNS, offsetof(struct gate_const, refill_returns));
    DEFINE(CONST_SERVES_KERNEL, offsetof(struct gate_const, serves_kernel));
    DEFINE(SCRATCH_KERNEL_SP, offsetof(struct gate_scratch, kernel_sp));
    DEFINE(SCRATCH_IN_KERNEL, offsetof(struct gate_scratch, in_kernel));
    DEFINE(INFO_PENDING, offsetof(struct vcpu_info, evtchn_upcall_pending));
    DEFINE(INFO_MASK, offsetof(struct vcpu_info, evtchn_upcall_mask));
    DEFINE(IRET_RAX, offsetof(struct iret_context, rax));
    DEFINE(IRET_R11, offsetof(struct iret_context, r11));
    DEFINE(IRET_RCX, offsetof(struct iret_context, rcx));
    DEFINE(IRET_RIP, offsetof(struct iret_context, rip));
    DEFINE(IRET_CS, offsetof(struct iret_context, cs));
    DEFINE(IRET_RFLAGS, offsetof(struct iret_context, rflags));
    DEFINE(IRET_RSP, offsetof(struct iret_context, rsp));
    DEFINE(IRET_SS, offsetof(struct iret_context, ss));
    DEFINE(NR_IRET, HC_iret);
    DEFINE(NR_MMUEXT_OP, HC_mmuext_op);
    DEFINE(OWN_DOMAIN, DOMID_SELF);
    DEFINE(FLUSH_PAGE_HERE, MMUEXT_INVLPG_LOCAL);
    DEFINE(MMUEXT_CMD, offsetof(struct mmuext_op, cmd));
    DEFINE(MMUEXT_LINEAR, offsetof(struct mmuext_op, arg1.linear_addr));
    DEFINE(NR_STACK_SWITCH, HC_stack_switch);
    DEFINE(NR_SET_SEGMENT_BASE, HC_set_segment_base);
    DEFINE(WHICH_FS, SEGBASE_FS);
    DEFINE(WHICH_GS_USER, SEGBASE_GS_USER);
    DEFINE(WHICH_GS_USER_SEL, SEGBASE_GS_USER_SEL);
    DEFINE(FS_BASE_MSR, MSR_FS_BASE);
    DEFINE(KERNEL_GS_BASE_MSR, MSR_KERNEL_GS_BASE);
    DEFINE(SCRATCH_GUEST_RSP, offsetof(struct gate_scratch, guest_rsp));
}
