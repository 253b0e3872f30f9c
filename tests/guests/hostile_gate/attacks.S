/* SPDX-License-Identifier: MIT */
/* What applications try in hostile_gate.c. */

.macro piece name
        .balign 16
        .globl  \name
\name:
.endm

        .section .user, "ax", @progbits

/* After a trip into the kernel and back: in from port edi. */
piece   at_trip_and_in
        int3
        mov     %edi, %edx
        in      %dx, %al
        ud2

/* Flags rdi, then SYSENTER. */
piece   at_sysenter
        push    %rdi
        popf
        sysenter
        ud2

/* Flags rdi, then SYSCALL. */
piece   at_flags_syscall
        push    %rdi
        popf
        syscall
        ud2

/* A debug trap that is held back by the load of SS meets the gate. */
piece   at_mov_ss_syscall
        mov     %ss, %eax
        mov     %eax, (%rdi)
        mov     (%rdi), %ss
        syscall
        ud2

piece   at_mov_ss_int3
        mov     %ss, %eax
        mov     %eax, (%rdi)
        mov     (%rdi), %ss
        int3
        ud2

/* Changes bits that mean nothing in a page-table entry that is absent. */
piece   at_not_forever
        notb    7(%rdi)
        jmp     at_not_forever

        .section .note.GNU-stack, "", @progbits
