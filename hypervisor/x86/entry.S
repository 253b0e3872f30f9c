/* SPDX-License-Identifier: MIT */
/*
 * From the gate to C and back out to the guest. On arrival struct regs lies
 * on the stack at rsp; when the guest was interrupted that is its fixed place
 * at the top of this pCPU's stack.
 */
#include "x86/asm.h"
#include "x86/cpu.h"
#include "x86/regs.h"
#include "generated/asm_offsets.h"

        .section .text.hot, "ax"

/* entry_syscall: rdi = rsp = the guest's struct regs. */
FUNC(entry_syscall)
        call    handle_syscall
        jmp     exit_to_guest
END(entry_syscall)

/* entry_sysenter: rdi = rsp = the guest's struct regs. */
FUNC(entry_sysenter)
        call    handle_sysenter
        jmp     exit_to_guest
END(entry_sysenter)

/*
 * entry_trap: an exception or interrupt, of a guest or of Mica itself.
 *   in:   rdi = rsp = struct regs, on this pCPU's stack or an IST stack
 */
FUNC(entry_trap)
        cmpl    $2, REGS_VECTOR(%rsp)
        je      entry_ist
        cmpl    $18, REGS_VECTOR(%rsp)
        je      entry_ist
        cmpl    $8, REGS_VECTOR(%rsp)
        je      entry_ist
        cmpl    $1, REGS_VECTOR(%rsp)
        je      entry_debug
        testb   $3, REGS_CS(%rsp)
        jz      entry_own
        call    handle_guest_trap
        jmp     exit_to_guest
END(entry_trap)

/* entry_debug: #DB, a guest's or one in the gate. */
LOCAL_FUNC(entry_debug)
        testb   $3, REGS_CS(%rsp)
        jz      entry_ist
        call    handle_guest_trap
        jmp     exit_to_guest
END(entry_debug)

/* entry_own: Mica was interrupted; it goes on where it was, or is fixed up. */
LOCAL_FUNC(entry_own)
        call    handle_own_trap
        pop_registers
        iretq
END(entry_own)

/*
 * entry_ist: NMI, machine check, double fault, #DB in the gate; on the
 * exception stack.
 *   in:   r12 = gate_ist_return, rbx and r13 are its own
 */
LOCAL_FUNC(entry_ist)
        call    handle_ist_trap
        mov     %r12, %rax
        jmp     __x86_indirect_thunk_rax
END(entry_ist)

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
FUNC(exit_iret)
        iretq
END(exit_to_guest)

/*
 * exit_sysret: leaves for the instruction after a SYSCALL on the full side,
 * quicker than by exit_iret; prepare_exit saw that it comes to the same.
 *   in:   rsp = the guest's struct regs: rcx = rip, r11 = rflags, ABI selectors
 */
FUNC(exit_sysret)
        pop_registers
        mov     24(%rsp), %rsp                  # from here on no fault either
        sysretq
END(exit_sysret)

/*
 * exit_restart: abandons the C frames below and leaves by exit_to_guest.
 *   in:   rdi = the fixed struct regs
 */
FUNC(exit_restart)
        mov     %rdi, %rsp
        xor     %ebp, %ebp
        jmp     exit_to_guest
END(exit_restart)

/* int rdmsr_safe(uint32_t msr, uint64_t *value) */
FUNC(rdmsr_safe)
        mov     %edi, %ecx
1:      rdmsr
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, (%rsi)
        xor     %eax, %eax
        ret
2:      mov     $-14, %eax
        ret
        FAULT_FIXUP(1b, 2b)
END(rdmsr_safe)

/* int wrmsr_safe(uint32_t msr, uint64_t value) */
FUNC(wrmsr_safe)
        mov     %edi, %ecx
        mov     %esi, %eax
        mov     %rsi, %rdx
        shr     $32, %rdx
1:      wrmsr
        xor     %eax, %eax
        ret
2:      mov     $-14, %eax
        ret
        FAULT_FIXUP(1b, 2b)
END(wrmsr_safe)

/* bool load_X(uint16_t selector): whether the processor accepted it. */
.macro segment_loader name, register
FUNC(\name)
1:      mov     %edi, %\register
        mov     $1, %eax
        ret
2:      xor     %eax, %eax
        mov     %eax, %\register
        ret
        FAULT_FIXUP(1b, 2b)
END(\name)
.endm

segment_loader load_ds, ds
segment_loader load_es, es
segment_loader load_fs, fs
segment_loader load_gs, gs

/* bool load_gs_user(uint16_t selector): into the inactive GS base. */
FUNC(load_gs_user)
        swapgs
1:      mov     %edi, %gs
        mov     $1, %eax
        swapgs
        ret
2:      xor     %eax, %eax
        mov     %eax, %gs
        swapgs
        ret
        FAULT_FIXUP(1b, 2b)
END(load_gs_user)

/* Retpolines: an indirect branch through the register, never predicted. */
.macro retpoline register
        .globl  __x86_indirect_thunk_\register
        .globl  __llvm_retpoline_\register
__x86_indirect_thunk_\register:
__llvm_retpoline_\register:
        call    2f
1:      pause
        lfence
        jmp     1b
2:      mov     %\register, (%rsp)
        ret
.endm

        .irp    name, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        retpoline \name
        .endr
        .section .note.GNU-stack, "", @progbits
