/* SPDX-License-Identifier: MIT */
/*
 * Short pieces of code to be entered with a context of their own, in kernel
 * or user mode (user_address says where). Each label "x" has an "x_after"
 * where something interesting follows.
 */

.macro piece name
        .balign 16
        .globl  \name, \name\()_after
\name:
.endm

        .section .user, "ax", @progbits

piece   at_int3
        int3
at_int3_after:
        ud2

piece   at_ud2
at_ud2_after:
        ud2

piece   at_int80
        int     $0x80
at_int80_after:
        ud2

piece   at_int21
        int     $0x21
at_int21_after:
        ud2

piece   at_read
        mov     (%rdi), %rax
at_read_after:
        ud2

piece   at_write
        mov     %rax, (%rdi)
at_write_after:
        ud2

piece   at_tables
        sgdt    (%rdi)
        sidt    16(%rdi)
at_tables_after:
        int3

piece   at_jump
at_jump_after:
        jmp     *%rdi

piece   at_hlt
at_hlt_after:
        hlt

piece   at_divide
        xor     %edx, %edx
        mov     $0, %ecx
at_divide_after:
        div     %rcx

piece   at_push
at_push_after:
        push    %rax

piece   at_syscall
        syscall
at_syscall_after:
        ud2

piece   at_load_ds
        mov     %edi, %ds
at_load_ds_after:
        ud2

piece   at_load_fs
        mov     %edi, %fs
        mov     %fs:(%rsi), %rax
at_load_fs_after:
        int3

piece   at_load_gs
        mov     %edi, %gs
        mov     %gs:(%rsi), %rax
at_load_gs_after:
        int3

piece   at_read_gs
        mov     %gs:(%rsi), %rax
at_read_gs_after:
        int3

piece   at_nop
        nop
at_nop_after:
        nop
        ud2

piece   at_cli
        cli
at_cli_after:
        int3

piece   at_rdmsr
        rdmsr
at_rdmsr_after:
        int3

piece   at_wrmsr
        wrmsr
at_wrmsr_after:
        int3

piece   at_in_byte
        in      (%dx), %al
at_in_byte_after:
        int3

piece   at_in_long
        in      (%dx), %eax
at_in_long_after:
        int3

piece   at_out_byte
        out     %al, (%dx)
at_out_byte_after:
        int3

piece   at_ins
        rep insb
at_ins_after:
        int3

/* ---- for compatibility mode ---- */

        .code32

piece   at32_int80
        int     $0x80
at32_int80_after:
        ud2

piece   at32_int3
        int3
at32_int3_after:
        ud2

piece   at32_ud2
at32_ud2_after:
        ud2

piece   at32_read
at32_read_after:
        mov     (%edi), %eax
        ud2

piece   at32_syscall
        syscall
at32_syscall_after:
        ud2

        .code64

        .section .note.GNU-stack, "", @progbits
