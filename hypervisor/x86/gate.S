/* SPDX-License-Identifier: MIT */
/*
 * The way in from a guest. This text is mapped once for each pCPU (gate.h),
 * so every reference to data is a displacement from the text itself, and
 * every jump out of it goes through the constants page.
 *
 *     stack on arrival at entry.S     struct regs, from r15 (low) to ss
 */
#include "x86/asm.h"
#include "x86/cpu.h"
#include "x86/gate.h"
#include "x86/regs.h"
#include "x86/selectors.h"
#include "generated/asm_offsets.h"

#define CONST(offset) gate_text_start + (GATE_CONST - GATE_CODE) + offset(%rip)
#define SCRATCH(offset)                                                        \
    gate_text_start + (GATE_SCRATCH - GATE_CODE) + offset(%rip)

        .section .gate.text, "ax"

/* Stores r15 to rdi below what the processor and the stub pushed. */
.macro push_registers
        push    %rdi
        push    %rsi
        push    %rdx
        push    %rcx
        push    %rax
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
.endm

/* No value of the guest's may steer speculation in Mica. */
.macro clear_registers
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %ebx, %ebx
        xor     %ebp, %ebp
        xor     %r8d, %r8d
        xor     %r9d, %r9d
        xor     %r10d, %r10d
        xor     %r11d, %r11d
        xor     %r12d, %r12d
        xor     %r13d, %r13d
        xor     %r14d, %r14d
        xor     %r15d, %r15d
.endm

/* Jumps to the address in rax without using the branch predictor. */
LOCAL_FUNC(gate_jump_rax)
        call    2f
1:      pause
        lfence
        jmp     1b
2:      mov     %rax, (%rsp)
        ret
END(gate_jump_rax)

/*
 * gate_syscall: SYSCALL in 64-bit code.
 *   in:   rcx = guest rip, r11 = guest rflags, rsp = guest stack; IF=0
 *   out:  entry_syscall with struct regs on Mica's stack
 */
FUNC(gate_syscall)
        mov     %rsp, SCRATCH(SCRATCH_GUEST_RSP)
        mov     CONST(CONST_STACK), %rsp
        push    $SEL_GUEST_SS
        push    SCRATCH(SCRATCH_GUEST_RSP)
        push    %r11
        push    $SEL_GUEST_CS
        push    %rcx
        push    $0
        movl    $ENTRY_SYSCALL, 4(%rsp)
        push_registers
        mov     CONST(CONST_ENTRY_SYSCALL), %rax
        mov     %rsp, %rdi
        clear_registers
        jmp     gate_jump_rax
END(gate_syscall)

/* gate_syscall32: SYSCALL in 32-bit code; as gate_syscall but for CS. */
FUNC(gate_syscall32)
        mov     %rsp, SCRATCH(SCRATCH_GUEST_RSP)
        mov     CONST(CONST_STACK), %rsp
        push    $SEL_GUEST_SS
        push    SCRATCH(SCRATCH_GUEST_RSP)
        push    %r11
        push    $SEL_GUEST_CS32
        push    %rcx
        push    $0
        movl    $ENTRY_SYSCALL, 4(%rsp)
        push_registers
        mov     CONST(CONST_ENTRY_SYSCALL), %rax
        mov     %rsp, %rdi
        clear_registers
        jmp     gate_jump_rax
END(gate_syscall32)

/*
 * gate_sysenter: SYSENTER; the processor saved nothing.
 *   in:   rsp = CONST_STACK, from MSR_SYSENTER_ESP; IF=0
 *   out:  entry_sysenter; regs hold rip 0, cs 3, rsp 0 as the ABI wants
 */
FUNC(gate_sysenter)
        push    $SEL_GUEST_SS
        push    $0
        pushf
        push    $3
        push    $0
        push    $0
        movl    $ENTRY_SYSENTER, 4(%rsp)
        push_registers
        mov     CONST(CONST_ENTRY_SYSENTER), %rax
        mov     %rsp, %rdi
        clear_registers
        jmp     gate_jump_rax
END(gate_sysenter)

/*
 * gate_trap: every exception and interrupt.
 *   in:   on the stack: vector << 32 | error code, then the processor's frame
 *   out:  entry_trap with struct regs on the stack it came with
 */
LOCAL_FUNC(gate_trap)
        push_registers
        cld
        mov     CONST(CONST_ENTRY_TRAP), %rax
        mov     %rsp, %rdi
        clear_registers
        jmp     gate_jump_rax
END(gate_trap)

/*
 * gate_ist_trap: NMI, machine check and double fault, which arrive on small
 * stacks of their own: moves struct regs to the pCPU's exception stack, below
 * whatever is in use there.
 */
LOCAL_FUNC(gate_ist_trap)
        push_registers
        cld
        mov     CONST(CONST_EXCEPTION_STACK), %rdx
        mov     REGS_RSP(%rsp), %rax
        mov     %rdx, %rcx
        sub     %rax, %rcx
        cmp     $STACK_SIZE, %rcx               # unsigned: 0 to STACK_SIZE
        cmovb   %rax, %rdx
        and     $~15, %rdx
        sub     $REGS_SIZE, %rdx
        mov     %rsp, %rsi
        mov     %rdx, %rdi
        mov     $REGS_SIZE / 8, %ecx
        rep     movsq
        mov     %rdx, %rsp
        mov     CONST(CONST_ENTRY_TRAP), %rax
        mov     %rsp, %rdi
        clear_registers
        jmp     gate_jump_rax
END(gate_ist_trap)

/* One stub for each vector, 16 bytes apart. */
        .balign 16
FUNC(gate_stubs)
        .set    vector, 0
        .rept   256
        .balign 16
        .if     vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 && vector != 21
        push    $0
        .endif
        movl    $vector, 4(%rsp)
        .if     vector == 2 || vector == 8 || vector == 18
        jmp     gate_ist_trap
        .else
        jmp     gate_trap
        .endif
        .set    vector, vector + 1
        .endr
END(gate_stubs)
        .section .note.GNU-stack, "", @progbits
