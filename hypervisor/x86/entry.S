/* SPDX-License-Identifier: MIT */
/*
 * From the gate to C and back out to the guest. On arrival struct regs lies
 * on the stack at rsp; when the guest was interrupted that is its fixed place
 * at the top of this pCPU's stack.
 */
#include "x86/asm.h"
#include "x86/cpu.h"
#include "generated/asm_offsets.h"

        .section .text.hot, "ax"

/* entry_syscall: rdi = rsp = the guest's struct regs. */
FUNC(entry_syscall)
        call    handle_syscall
        jmp     exit_to_guest

/*
 * entry_ist: NMI, machine check, double fault, #DB in the gate.
 *   in:   rdi = rsp = struct regs, on the exception stack; r12 =
 *         gate_ist_return, rbx and r13 are its own
 */
FUNC(entry_ist)
        call    handle_ist_trap
        jump_unpredicted r12

/*
 * entry_own: Mica was interrupted; it goes on where it was, or is fixed up. Not
 * where that is only guessed: a guest's rip and rsp would be taken for Mica's.
 */
LOCAL_FUNC(entry_own)
        lfence
        call    handle_own_trap
        pop_registers
        iretq

/*
 * entry_trap: any other exception or interrupt, of a guest or of Mica itself;
 * also SYSENTER, and SYSCALL in 32-bit code.
 *   in:   rdi = rsp = struct regs, on this pCPU's stack
 */
FUNC(entry_trap)
        testb   $3, REGS_CS(%rsp)
        jz      entry_own
        call    handle_guest_trap

/*
 * exit_to_guest: leaves for whatever context the top of this stack holds
 * after C had its say: from here on the full side, or by the gate's code
 * that prepare_exit names. Nothing below the fixed frame survives.
 */
FUNC(exit_to_guest)
        mov     %rsp, %rdi
        call    prepare_exit
        cmpw    $0, verw_selector(%rip)
        je      1f
        verw    verw_selector(%rip)             # clears the CPU's buffers
1:      test    %rax, %rax
        jnz     __x86_indirect_thunk_rax
        pop_registers
        guest_iret

/*
 * exit_sysret: leaves for the instruction after a SYSCALL on the full side,
 * quicker than by IRET; prepare_exit saw that it comes to the same.
 *   in:   rsp = the guest's struct regs: rcx = rip, r11 = rflags, ABI selectors
 */
FUNC(exit_sysret)
        pop_registers
        mov     24(%rsp), %rsp                  # from here on no fault either
        sysretq

/*
 * exit_restart: abandons the C frames below and leaves by exit_to_guest.
 *   in:   rdi = the fixed struct regs
 */
FUNC(exit_restart)
        mov     %rdi, %rsp
        xor     %ebp, %ebp
        jmp     exit_to_guest

/* int rdmsr_safe(uint32_t msr, uint64_t *value) */
FUNC(rdmsr_safe)
        mov     %edi, %ecx
1:      rdmsr
2:      shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, (%rsi)
        xor     %eax, %eax
        ret
3:      mov     $-14, %eax
        ret
        FAULT(1b, 2b, 3b)

/*
 * bool load_X(uint16_t selector): whether the processor accepted it.
 * load_gs_user loads the inactive GS base.
 */
.macro segment_loader name, register, exchange=
FUNC(\name)
        \exchange
1:      mov     %edi, %\register
2:      mov     $1, %eax
        \exchange
        ret
3:      xor     %eax, %eax
        mov     %eax, %\register
        \exchange
        ret
        FAULT(1b, 2b, 3b)
.endm

segment_loader load_ds, ds
segment_loader load_es, es
segment_loader load_fs, fs
segment_loader load_gs, gs
segment_loader load_gs_user, gs, swapgs

/* What compilers call for an indirect branch. */
.macro retpoline register
        .globl  __x86_indirect_thunk_\register
        .globl  __llvm_retpoline_\register
__x86_indirect_thunk_\register:
__llvm_retpoline_\register:
        jump_unpredicted \register
.endm

        .irp    name, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        retpoline \name
        .endr
        .section .note.GNU-stack, "", @progbits
