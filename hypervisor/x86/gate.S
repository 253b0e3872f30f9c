/* SPDX-License-Identifier: MIT */
/*
 * The way in from a guest, and the short ways that need no more than this.
 * The text is mapped once for each pCPU (gate.h), so every reference to data
 * is a displacement from the text itself, and every jump out of it goes
 * through the constants page.
 *
 * On the light side the gate runs on the guest's tables: Mica's stack, text
 * and data are out of reach until `full_cr3` is loaded. Ring 0 reads and
 * writes guest memory only where a FAULT follows that says what comes of it.
 *
 *     stack on arrival at entry.S     struct regs, from r15 (low) to ss
 */
#include "x86/asm.h"
#include "x86/cpu.h"
#include "x86/gate.h"
#include "x86/memory_layout.h"
#include "x86/regs.h"
#include "x86/selectors.h"
#include "generated/asm_offsets.h"

#define RPL_MASK 3
#define RETURN_STACK 32 /* at least as many entries as a processor has */

#define HERE(offset) gate_text_start + (offset) - GATE_CODE
#define CONST(member) HERE(GATE_CONST) + member(%rip)
#define SCRATCH(member) HERE(GATE_SCRATCH) + member(%rip)

        .section .gate.text, "ax"

/*
 * Stores r15 to rdi below what the processor and the stub pushed. The guest's
 * rax and rbx may already lie elsewhere.
 */
.macro push_registers rax=%rax, rbx=%rbx
        .irp    from, %rdi, %rsi, %rdx, %rcx, \rax, %r8, %r9, %r10, %r11
        push    \from
        .endr
        .irp    from, \rbx, %rbp, %r12, %r13, %r14, %r15
        push    \from
        .endr
.endm

/* Stores the frame of a SYSCALL from a context with code segment \cs. */
.macro push_syscall_frame cs
        push    $SEL_GUEST_SS
        push    SCRATCH(SCRATCH_GUEST_RSP)
        push    %r11
        push    $\cs
        push    %rcx
        push    $0
        movl    $ENTRY_SYSCALL, 4(%rsp)
.endm

/*
 * Goes on at the address in constant \entry with rdi = rsp = struct regs. No
 * value of the guest's may steer speculation there.
 */
.macro enter_c entry
        mov     CONST(\entry), %rax
        mov     %rsp, %rdi
        .irp    name, ebx, ecx, edx, esi, ebp
        xor     %\name, %\name
        .endr
        .irp    name, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
        xor     %\name, %\name
        .endr
        jmp     gate_jump
.endm

/*
 * gate_jump: to the address in rax, without using the branch predictor. All
 * ways to C lead here, so here the guest's part of the return stack goes, on
 * processors without SMEP; on others no ret can be led to a guest's page.
 *   in:   rsp = the stack to go on with; ecx, flags gone
 */
LOCAL_FUNC(gate_jump)
        cmpl    $0, CONST(CONST_REFILL_RETURNS)
        je      2f
        mov     $RETURN_STACK / 2, %ecx
1:      catch_speculation
        catch_speculation
        dec     %ecx
        jnz     1b
        add     $RETURN_STACK * 8, %rsp
2:      jump_unpredicted rax

/* --- SYSCALL -------------------------------------------------------------- */

/*
 * gate_syscall: SYSCALL in 64-bit code, on either side.
 *   in:   rcx = guest rip, r11 = guest rflags, rsp = guest stack; IF=0
 *   out:  full side: entry_syscall with struct regs on Mica's stack
 */
FUNC(gate_syscall)
        mov     %rsp, SCRATCH(SCRATCH_GUEST_RSP)
        cmpl    $0, CONST(CONST_IS_LIGHT)
        jne     gate_light_syscall
        mov     CONST(CONST_STACK), %rsp
        cmp     $NR_MMUEXT_OP, %rax
        je      gate_flush_page
gate_syscall_full:
        push_syscall_frame SEL_GUEST_CS
        push_registers
        enter_c CONST_ENTRY_SYSCALL

/*
 * gate_flush_page: mmuext_op on the full side. A lone flush of one page on this
 * pCPU, of which a kernel makes one for each page whose rights it changes, is
 * carried out here; any other operation is C's. The call and the operation must
 * lie in the kernel's half: there all addresses are canonical, as SYSRET wants
 * it, and none is Mica's. A fault on the operation leads to gate_flush_not.
 *   in:   rsp = Mica's stack, empty; rax and all else is the guest's
 */
LOCAL_FUNC(gate_flush_page)
        push    %rbx
        cmpl    $0, CONST(CONST_SERVES_KERNEL)
        je      gate_flush_not
        cmp     $1, %rsi                        # operations
        jne     gate_flush_not
        test    %rdx, %rdx                      # no count wanted
        jnz     gate_flush_not
        cmp     $OWN_DOMAIN, %r10
        jne     gate_flush_not
        test    $(RFLAGS_TF | RFLAGS_RF), %r11d
        jnz     gate_flush_not
        mov     $OWN_RANGE_END, %rbx
        mov     %rdi, %rax
        cmp     %rbx, %rcx
        jb      gate_flush_not
        cmovb   %rbx, %rax                      # nor where it is guessed
        cmp     %rbx, %rdi
        jb      gate_flush_not
        cmovb   %rbx, %rax
1:      cmpl    $FLUSH_PAGE_HERE, MMUEXT_CMD(%rax)
        jne     gate_flush_not
        mov     MMUEXT_LINEAR(%rax), %rax
        invlpg  (%rax)
2:      FAULT(1b, 2b, gate_flush_not)
        xor     %eax, %eax
        pop     %rbx
        mov     SCRATCH(SCRATCH_GUEST_RSP), %rsp
        sysretq
gate_flush_not:
        mov     $NR_MMUEXT_OP, %eax
        pop     %rbx
        jmp     gate_syscall_full

/*
 * gate_light_syscall: an application's call goes to its kernel in ring 1
 * with the frame that the ABI describes; a kernel's is a hypercall.
 *
 *     gate stack      rax  rbx                    (from the top down)
 *     guest stack     ss  rsp  rflags  cs  rip  r11  rcx
 */
LOCAL_FUNC(gate_light_syscall)
        mov     CONST(CONST_GATE_STACK), %rsp
        push    %rax
        push    %rbx
        cmpl    $0, SCRATCH(SCRATCH_IN_KERNEL)
        jne     gate_light_hypercall
        cmpl    $0, CONST(CONST_FORCE_FULL)
        jne     gate_light_to_full
        mov     CONST(CONST_VCPU_INFO), %rbx
        cmpb    $0, INFO_MASK(%rbx)             # frame would show it
        jne     gate_light_to_full
        mov     SCRATCH(SCRATCH_KERNEL_SP), %rax
        and     $~15, %rax
        mov     SCRATCH(SCRATCH_GUEST_RSP), %rbx
1:      movq    $SEL_GUEST_SS, -8(%rax)
        mov     %rbx, -16(%rax)
        mov     %r11, -24(%rax)
        movq    $SEL_GUEST_CS, -32(%rax)
        mov     %rcx, -40(%rax)
        mov     %r11, -48(%rax)
        mov     %rcx, -56(%rax)
2:      FAULT(1b, 2b, gate_light_fault)
        sub     $56, %rax
        mov     CONST(CONST_VCPU_INFO), %rbx
        movb    $1, INFO_MASK(%rbx)
        movl    $1, SCRATCH(SCRATCH_IN_KERNEL)
        push    $SEL_KERNEL_SS_RING1
        push    %rax
        push    $(RFLAGS_IF | RFLAGS_FIXED)
        push    $SEL_KERNEL_CS_RING1
        push    CONST(CONST_SYSCALL_HANDLER)
        mov     40(%rsp), %rbx
        mov     48(%rsp), %rax
        swapgs
        guest_iret

/* gate_light_hypercall: what a switch of tasks needs is done here. */
LOCAL_FUNC(gate_light_hypercall)
        cmp     $NR_IRET, %eax
        je      gate_light_iret
        cmp     $NR_STACK_SWITCH, %eax
        je      gate_light_stack_switch
        cmp     $NR_SET_SEGMENT_BASE, %eax
        je      gate_light_segment_base

/*
 * gate_light_fault: the guest gave a bad stack, and handle_own_trap has led
 * here, on the full side; C is to find out the same and say so.
 * gate_light_to_full: the call needs Mica; rbx and rax are on the stack.
 */
gate_light_fault:
        mov     CONST(CONST_GATE_STACK), %rsp
        sub     $2 * 8, %rsp
LOCAL_FUNC(gate_light_to_full)
        mov     CONST(CONST_FULL_CR3), %rax
        mov     %rax, %cr3
        pop     %rbx
        pop     %rax
        mov     CONST(CONST_STACK), %rsp
        jmp     gate_syscall_full

/*
 * gate_light_stack_switch: stack_switch(ss, sp) from ring 1. The selector is
 * as good as any other, for frames always show the flat one.
 */
LOCAL_FUNC(gate_light_stack_switch)
        mov     %rsi, SCRATCH(SCRATCH_KERNEL_SP)

/*
 * gate_light_done: a hypercall has succeeded; back to ring 1.
 *   in:   rcx = guest rip, r11 = guest rflags; rax and rbx are on the stack
 */
LOCAL_FUNC(gate_light_done)
        mov     %r11, %rax
        and     $IRET_FLAGS_KEPT, %eax
        or      $(RFLAGS_IF | RFLAGS_FIXED), %eax
        push    $SEL_KERNEL_SS_RING1
        push    SCRATCH(SCRATCH_GUEST_RSP)
        push    %rax
        push    $SEL_KERNEL_CS_RING1
        push    %rcx
        mov     40(%rsp), %rbx
        xor     %eax, %eax
        guest_iret

/*
 * gate_light_segment_base: set_segment_base(which, base) from ring 1, for FS
 * and the application's GS. A selector that the processor refuses, and the
 * rest at once, is Mica's.
 */
LOCAL_FUNC(gate_light_segment_base)
        mov     $FS_BASE_MSR, %eax
        cmp     $WHICH_FS, %rdi
        je      1f
        mov     $KERNEL_GS_BASE_MSR, %eax
        cmp     $WHICH_GS_USER, %rdi
        je      1f
        cmp     $WHICH_GS_USER_SEL, %rdi
        jne     gate_light_to_full
        swapgs
2:      mov     %esi, %gs
3:      FAULT(2b, 3b, gate_gs_not)
        swapgs
        jmp     gate_light_done
gate_gs_not:
        swapgs
        jmp     gate_light_to_full
1:      mov     %rsi, %rbx
        shl     $16, %rbx
        sar     $16, %rbx
        cmp     %rsi, %rbx                      # WRMSR takes no other
        jne     gate_light_to_full
        push    %rcx
        push    %rdx
        mov     %eax, %ecx
        mov     %esi, %eax
        mov     %rsi, %rdx
        shr     $32, %rdx
        wrmsr
        pop     %rdx
        pop     %rcx
        jmp     gate_light_done

/*
 * gate_light_iret: the iret hypercall from ring 1. Returns to an application
 * that runs with events unmasked, when none is pending; all else is Mica's.
 *   in:   struct iret_context on the guest's stack
 */
LOCAL_FUNC(gate_light_iret)
        cmpl    $0, CONST(CONST_FORCE_FULL)
        jne     gate_light_to_full
        mov     SCRATCH(SCRATCH_GUEST_RSP), %rbx
1:      mov     IRET_CS(%rbx), %eax
        and     $RPL_MASK, %eax
        cmp     $RPL_MASK, %eax
        jne     gate_light_to_full
        mov     IRET_RFLAGS(%rbx), %rax
        test    $RFLAGS_IF, %eax
        jz      gate_light_to_full
        push    %rcx
        mov     CONST(CONST_VCPU_INFO), %rcx
        movb    $0, INFO_MASK(%rcx)             # unmask, then look
        cmpb    $0, INFO_PENDING(%rcx)
        pop     %rcx
        jne     gate_light_to_full
        and     $IRET_FLAGS_KEPT, %eax
        or      $(RFLAGS_IF | RFLAGS_FIXED), %eax
        push    IRET_SS(%rbx)
        orq     $RPL_MASK, (%rsp)
        push    IRET_RSP(%rbx)
        push    %rax
        push    IRET_CS(%rbx)
        orq     $RPL_MASK, (%rsp)
        push    IRET_RIP(%rbx)
        push    IRET_RCX(%rbx)                  # a fault is to find rcx and r11
        mov     IRET_RAX(%rbx), %rax            # as SYSCALL left them
        mov     IRET_R11(%rbx), %r11
2:      FAULT(1b, 2b, gate_light_fault)
        pop     %rcx
        movl    $0, SCRATCH(SCRATCH_IN_KERNEL)
        mov     40(%rsp), %rbx
        swapgs
        guest_iret

/* gate_syscall32: SYSCALL in 32-bit code, on either side. */
FUNC(gate_syscall32)
        mov     %rsp, SCRATCH(SCRATCH_GUEST_RSP)
        mov     CONST(CONST_GATE_STACK), %rsp
        push_syscall_frame SEL_GUEST_CS32
        push    %rax
        jmp     gate_to_full

/*
 * gate_sysenter: SYSENTER, on either side; the processor saved nothing.
 *   in:   rsp = CONST_GATE_STACK, from MSR_SYSENTER_ESP; IF=0
 *   out:  gate_to_full; regs hold rip 0, cs 3, rsp 0 as the ABI wants
 */
FUNC(gate_sysenter)
        push    $SEL_GUEST_SS
        push    $0
        pushf
        push    $3
        push    $0
        push    $0
        movl    $ENTRY_SYSENTER, 4(%rsp)
        push    $RFLAGS_FIXED                   # NT would fail iretq, TF trap
        popf
        push    %rax
        jmp     gate_to_full

/* --- exceptions and interrupts ------------------------------------------- */

/*
 * gate_trap: every exception and interrupt but those with a stack of their
 * own. On the light side the processor pushed to the gate's stack.
 *   in:   on the stack: vector << 32 | error code, then the processor's frame
 */
LOCAL_FUNC(gate_trap)
        cld
        push    %rax
        lea     SCRATCH(0), %rax
        sub     %rsp, %rax
        cmp     $-4096, %rax                    # on the gate's stack?
        ja      gate_to_full
        pop     %rax
        push_registers
        enter_c CONST_ENTRY_TRAP

/*
 * gate_to_full: from the gate's stack, or an IST stack, to Mica's stack and
 * the full side; goes on at entry_trap with a complete struct regs.
 *   in:   on the stack: rax, then the frame with vector and error code; in
 *         the registers all that is the guest's
 */
LOCAL_FUNC(gate_to_full)
        push    %rbx
        mov     %rsp, %rbx
        cmpl    $0, CONST(CONST_IS_LIGHT)
        je      1f
        mov     CONST(CONST_FULL_CR3), %rax
        mov     %rax, %cr3
1:      mov     CONST(CONST_STACK), %rsp
        .irp    at, 56, 48, 40, 32, 24, 16      # ss to rip, vector and error
        push    \at(%rbx)
        .endr
        push_registers 8(%rbx), (%rbx)
        enter_c CONST_ENTRY_TRAP

/*
 * gate_debug: #DB, which can strike at the gate's first instruction, with
 * the guest's stack pointer, so it has a stack of its own. A guest's is an
 * ordinary exception; the gate's own is for gate_ist_trap to swallow.
 */
LOCAL_FUNC(gate_debug)
        cld
        testb   $RPL_MASK, 16(%rsp)             # cs
        jz      gate_ist_trap
        push    %rax
        jmp     gate_to_full

/*
 * gate_ist_trap: NMI, machine check and double fault. They may strike on
 * either side and at any instruction; they work on the full side, on the
 * pCPU's exception stack, below whatever is in use there, and go back to the
 * tables they found.
 *
 * What looks like use may be a guest's: at the first instructions of a SYSCALL
 * rsp is whatever the guest made it. So the lower half of the stack is not
 * believed to be in use, and there is always room.
 */
LOCAL_FUNC(gate_ist_trap)
        push_registers
        cld
        mov     %cr3, %rbx
        mov     CONST(CONST_FULL_CR3), %rax
        mov     %rax, %cr3
        mov     CONST(CONST_EXCEPTION_STACK), %rdx
        testb   $RPL_MASK, REGS_CS(%rsp)        # a guest's rsp is any number
        jnz     1f
        mov     REGS_RSP(%rsp), %rax
        mov     %rdx, %rcx
        sub     %rax, %rcx
        cmp     $STACK_SIZE / 2, %rcx           # unsigned; see above
        cmovb   %rax, %rdx
1:      and     $~15, %rdx
        sub     $REGS_SIZE + 8, %rdx
        mov     %rsp, %r13
        mov     %rsp, %rsi
        mov     %rdx, %rdi
        mov     %rdx, %rsp                      # an NMI now goes below
        mov     $REGS_SIZE / 8, %ecx
        rep     movsq
        mov     CONST(CONST_ENTRY_IST), %rax
        lea     gate_ist_return(%rip), %r12
        mov     %rsp, %rdi
        jmp     gate_jump

/*
 * gate_ist_return: back from entry.S.
 *   in:   rbx = the tables to go back to, r13 = the IST stack, rsp = regs
 */
LOCAL_FUNC(gate_ist_return)
        mov     %rsp, %rsi
        mov     %r13, %rdi
        mov     $REGS_SIZE / 8, %ecx
        rep     movsq
        mov     %r13, %rsp
        mov     %rbx, %cr3
        pop_registers
        guest_iret

/* --- the way out to the light side --------------------------------------- */

/*
 * gate_exit_light: from exit_to_guest. What has to be loaded after the tables
 * goes to the gate's stack.
 *   in:   rsp = struct regs on Mica's stack
 */
FUNC(gate_exit_light)
        mov     %rsp, %rbx
        mov     CONST(CONST_GATE_STACK), %rsp
        .irp    at, 32, 24, 16, 8, 0            # ss to rip
        push    REGS_RIP + \at(%rbx)
        .endr
        push    REGS_RAX(%rbx)
        mov     %rbx, %rsp
        pop_registers
        mov     CONST(CONST_LIGHT_CR3), %rax
        mov     %rax, %cr3
        mov     CONST(CONST_GATE_STACK), %rsp
        sub     $6 * 8, %rsp
        pop     %rax
        guest_iret

/* One stub for each vector. */
        .balign GATE_STUB_BYTES
FUNC(gate_stubs)
        .set    vector, 0
        .rept   256
        .balign GATE_STUB_BYTES
        .if     vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 && vector != 21
        push    $0
        .endif
        movl    $vector, 4(%rsp)
        .if     vector == 2 || vector == 8 || vector == 18
        jmp     gate_ist_trap
        .elseif vector == 1
        jmp     gate_debug
        .else
        jmp     gate_trap
        .endif
        .set    vector, vector + 1
        .endr
        .section .note.GNU-stack, "", @progbits
